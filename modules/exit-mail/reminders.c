/* The certificates that reminders are owed for. The file has a line for each thing that happened to
 * one: "+" learnt, "!" reminded, "-" forgotten. Memory holds what finds the line and tells when the
 * next one is due, 32 octets for each certificate; names and addresses stay in the file. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail.h"

enum { LINE_MAX_OCTETS = 32768, LINE_READ = 1024, MOST = 2000000, SPARE_LINES = 1000 };
#define FILE_NAME "reminders"
#define TEMPORARY "reminders.new"

struct entry {
    uint64_t hash; /* of the serial number */
    int64_t offset;
    int64_t not_after;
    uint32_t last;
    bool dead;
};

struct reminders {
    struct journal file;
    const chy_host *host;
    struct entry *v;
    size_t n, cap, live, lines;
    uint32_t *table; /* open addressing: an index and one; 0 is free */
    size_t slots;    /* a power of two, at least twice n */
};

/* Serial numbers are random (RFC 5280 4.1.2.2; BR 7.1); those of imported ones are an
 * administrator's. */
static uint64_t hash_of(const char *serial)
{
    uint64_t h = 14695981039346656037u;
    for (const char *p = serial; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    return h ^ h >> 32;
}

static void table_put(struct reminders *r, size_t index)
{
    size_t at = r->v[index].hash & (r->slots - 1);
    while (r->table[at])
        at = (at + 1) & (r->slots - 1);
    r->table[at] = (uint32_t)index + 1;
}

/* The live one of this serial number; NULL: none. */
static struct entry *find(const struct reminders *r, const char *serial)
{
    uint64_t hash = hash_of(serial);
    if (!r->slots) return NULL;
    for (size_t at = hash & (r->slots - 1); r->table[at]; at = (at + 1) & (r->slots - 1)) {
        struct entry *e = &r->v[r->table[at] - 1];
        if (e->hash == hash && !e->dead) return e;
    }
    return NULL;
}

static bool table_grow(struct reminders *r)
{
    size_t slots = r->slots ? r->slots : 64;
    while (slots < 2 * (r->cap + 1))
        slots *= 2;
    if (slots == r->slots) return true;
    uint32_t *fresh = calloc(slots, sizeof *fresh);
    if (!fresh) return false;
    free(r->table);
    r->table = fresh;
    r->slots = slots;
    for (size_t i = 0; i < r->n; i++)
        table_put(r, i);
    return true;
}

static bool entries_grow(struct reminders *r)
{
    if (r->n < r->cap) return true;
    size_t cap = r->cap ? 2 * r->cap : 32;
    struct entry *more = realloc(r->v, cap * sizeof *more);
    if (!more) return false;
    r->v = more;
    r->cap = cap;
    return table_grow(r);
}

static void add(struct reminders *r, const char *serial, int64_t offset, int64_t not_after,
                uint32_t last)
{
    r->v[r->n] = (struct entry){hash_of(serial), offset, not_after, last, false};
    table_put(r, r->n);
    r->n++;
    r->live++;
}

static void kill_entry(struct reminders *r, struct entry *e)
{
    if (!e->dead) r->live--;
    e->dead = true;
}

static bool number_of(const char *s, int64_t *out)
{
    char *end;
    long long v = strtoll(s, &end, 10);
    *out = v;
    return *s && !*end && v >= 0;
}

/* False: no memory. A line that makes no sense is passed over: it may be a torn one. */
static bool replay(struct reminders *r, char *line, int64_t offset, int64_t now)
{
    char *f[5];
    int64_t not_after, last;
    size_t n = fields_split(line, f, 5);
    struct entry *e = n >= 2 ? find(r, f[1]) : NULL;
    if (n == 5 && !strcmp(f[0], "+") && number_of(f[2], &not_after) && number_of(f[3], &last)) {
        if (e) kill_entry(r, e);
        if (not_after <= now) return true;
        if (!entries_grow(r)) return false;
        add(r, f[1], offset, not_after, (uint32_t)last);
    } else if (e && n == 3 && !strcmp(f[0], "!") && number_of(f[2], &last)) {
        e->last = (uint32_t)last;
    } else if (e && n == 2 && !strcmp(f[0], "-")) {
        kill_entry(r, e);
    }
    return true;
}

static chy_hresult load(struct reminders *r, int64_t now)
{
    char *line = NULL;
    size_t cap = 0;
    int64_t offset = 0;
    ssize_t n;
    bool ok = true;
    int fd = fcntl(r->file.fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!f) return CHY_ERROR_IO_DEVICE;
    rewind(f);
    while (ok && (n = getline(&line, &cap, f)) > 0) {
        ok = replay(r, line, offset, now);
        offset += n;
        r->lines++;
    }
    bool failed = ferror(f) != 0;
    free(line);
    fclose(f);
    return !ok ? CHY_E_OUTOFMEMORY : failed ? CHY_ERROR_IO_DEVICE : CHY_S_OK;
}

chy_hresult reminders_open(struct reminders **out, int dir, const chy_host *host, int64_t now)
{
    struct reminders *r = calloc(1, sizeof *r);
    if (!r) return CHY_E_OUTOFMEMORY;
    r->host = host;
    chy_hresult hr = journal_open(&r->file, dir, FILE_NAME);
    if (!CHY_FAILED(hr)) hr = load(r, now);
    if (CHY_FAILED(hr)) {
        reminders_close(r);
        return hr;
    }
    *out = r;
    return CHY_S_OK;
}

void reminders_close(struct reminders *r)
{
    if (!r) return;
    journal_close(&r->file);
    free(r->v);
    free(r->table);
    free(r);
}

size_t reminders_count(const struct reminders *r)
{
    return r->live;
}

static void write_holder(struct kit_text *line, const struct holder *h)
{
    field_add(line, "+");
    field_add(line, h->serial);
    field_addf(line, "%" PRId64, h->not_after);
    field_addf(line, "%" PRIu32, h->last);
    field_addf(line, "%ld", h->id);
    field_add(line, h->template_name);
    field_add(line, h->name);
    field_add(line, h->subject);
    for (size_t i = 0; i < h->to.n; i++)
        field_add(line, h->to.v[i].mail);
}

static void copy(char *out, size_t size, const char *s)
{
    snprintf(out, size, "%s", s);
}

/* With its end; 0: there is none. Most lines are short, so little is read at first. */
static size_t read_line(const struct reminders *r, const struct entry *e, char *line)
{
    for (size_t want = LINE_READ; want < LINE_MAX_OCTETS; want *= 31) {
        ssize_t got = pread(r->file.fd, line, want, e->offset);
        const char *end = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
        if (!end) continue;
        size_t n = (size_t)(end - line) + 1;
        line[n] = 0;
        return n;
    }
    return 0;
}

static bool read_holder(const struct reminders *r, const struct entry *e, struct holder *h)
{
    char *line = malloc(LINE_MAX_OCTETS), *f[8 + TO_MAX];
    memset(h, 0, sizeof *h);
    size_t n = line && read_line(r, e, line) ? fields_split(line, f, 8 + TO_MAX) : 0;
    bool ok = n >= 8 && strcmp(f[0], "+") == 0 && hash_of(f[1]) == e->hash;
    if (ok) {
        h->not_after = e->not_after;
        h->last = e->last;
        h->id = strtol(f[4], NULL, 10);
        copy(h->serial, sizeof h->serial, f[1]);
        copy(h->template_name, sizeof h->template_name, f[5]);
        copy(h->name, sizeof h->name, f[6]);
        copy(h->subject, sizeof h->subject, f[7]);
    }
    for (size_t i = 8; ok && i < n; i++) {
        struct address a = {.mail = ""};
        copy(a.mail, sizeof a.mail, f[i]);
        if (address_is_valid(a.mail)) (void)addresses_add(&h->to, &a);
    }
    free(line);
    return ok;
}

/* Learnt twice is learnt once: the same event may come again. */
chy_hresult reminders_learn(struct reminders *r, const struct holder *h)
{
    struct kit_text line = {0};
    if (find(r, h->serial)) return CHY_S_OK;
    if (r->live >= MOST) {
        say(r->host, CHY_LOG_ERROR, "exit-mail: no reminders for %s: there are %d already",
            h->serial, MOST);
        return CHY_S_OK;
    }
    if (!entries_grow(r)) return CHY_E_OUTOFMEMORY;
    write_holder(&line, h);
    off_t offset = lseek(r->file.fd, 0, SEEK_END) + (r->file.torn ? 1 : 0);
    chy_hresult hr =
        line.n < 31 * LINE_READ ? journal_append(&r->file, &line) : CHY_ERROR_INVALID_DATA;
    kit_text_free(&line);
    if (CHY_FAILED(hr)) return hr;
    r->lines++;
    add(r, h->serial, offset, h->not_after, h->last);
    return CHY_S_OK;
}

static chy_hresult note(struct reminders *r, const char *mark, const char *serial,
                        const uint32_t *last)
{
    struct kit_text line = {0};
    field_add(&line, mark);
    field_add(&line, serial);
    if (last) field_addf(&line, "%" PRIu32, *last);
    chy_hresult hr = journal_append(&r->file, &line);
    kit_text_free(&line);
    if (!CHY_FAILED(hr)) r->lines++;
    return hr;
}

chy_hresult reminders_forget(struct reminders *r, const char *serial)
{
    struct entry *e = find(r, serial);
    if (!e) return CHY_S_OK;
    chy_hresult hr = note(r, "-", serial, NULL);
    if (!CHY_FAILED(hr)) kill_entry(r, e);
    return hr;
}

static int64_t next_of(int64_t not_after, uint32_t last, const struct settings *s)
{
    for (size_t i = 0; i < s->n_reminders; i++)
        if (s->reminder[i] < last) return not_after - s->reminder[i];
    return INT64_MAX;
}

int64_t reminders_next(const struct holder *h, const struct settings *s)
{
    return next_of(h->not_after, h->last, s);
}

/* The shortest of the times before the end that has come: after a long stop one reminder, not all
 * that were missed. */
static uint32_t most_urgent(const struct settings *s, int64_t left)
{
    uint32_t why = s->reminder[0];
    for (size_t i = 0; i < s->n_reminders && s->reminder[i] >= left; i++)
        why = s->reminder[i];
    return why;
}

bool reminders_due(struct reminders *r, const struct settings *s, int64_t now, size_t *at,
                   struct holder *out, uint32_t *why, int64_t *next)
{
    for (; *at < r->n; ++*at) {
        struct entry *e = &r->v[*at];
        if (!e->dead && e->not_after <= now) kill_entry(r, e);
        int64_t due = e->dead ? INT64_MAX : next_of(e->not_after, e->last, s);
        if (due > now) {
            if (due < *next) *next = due;
            continue;
        }
        *why = most_urgent(s, e->not_after - now);
        if (read_holder(r, e, out)) return true;
        say(r->host, CHY_LOG_ERROR,
            "exit-mail: a certificate's line of the file " FILE_NAME
            " cannot be read: no reminders for it");
        kill_entry(r, e);
    }
    return false;
}

chy_hresult reminders_done(struct reminders *r, size_t at, const char *serial, uint32_t why)
{
    struct entry *e = at < r->n ? &r->v[at] : NULL;
    if (!e || e->dead || e->hash != hash_of(serial)) return CHY_S_OK;
    chy_hresult hr = note(r, "!", serial, &why);
    e->last = why; /* also if it could not be written: once more after a restart, not at once */
    return hr;
}

/* The line as it is, but for the time that was reminded of last; of a line that makes no sense
 * nothing. */
static bool copy_line(const struct reminders *r, FILE *f, struct entry *e, char *line,
                      int64_t *size)
{
    size_t n = read_line(r, e, line);
    char *rest = line;
    for (int i = 0; n && rest && i < 3; i++) {
        rest = strchr(rest, ' ');
        if (rest) rest++;
    }
    if (!n || !rest || strncmp(line, "+ ", 2) != 0) return true;
    size_t head = (size_t)(rest - line), skip = strcspn(rest, " \n");
    bool ok = fwrite(line, 1, head, f) == head;
    int digits = fprintf(f, "%" PRIu32, e->last);
    size_t tail = n - head - skip;
    ok = ok && digits > 0 && fwrite(rest + skip, 1, tail, f) == tail;
    e->offset = *size;
    *size += (int64_t)(head + tail) + digits;
    return ok;
}

static bool copy_all(const struct reminders *r, int fd, struct entry *v, size_t *n)
{
    int64_t size = 0;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = own >= 0 ? fdopen(own, "a") : NULL;
    char *line = malloc(LINE_MAX_OCTETS);
    bool ok = f && line;
    if (!f && own >= 0) close(own);
    for (size_t i = 0; ok && i < r->n; i++) {
        if (r->v[i].dead) continue;
        v[*n] = r->v[i];
        int64_t before = size;
        ok = copy_line(r, f, &v[*n], line, &size);
        if (size > before) ++*n;
    }
    if (f && fclose(f) != 0) ok = false;
    free(line);
    return ok;
}

/* The lines of what is over go when they are more than half of the file. Indices change: only the
 * one thread that counts by them may call this. */
chy_hresult reminders_compact(struct reminders *r, int64_t now)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!r->v[i].dead && r->v[i].not_after <= now) kill_entry(r, &r->v[i]);
    if (r->lines < 2 * r->live + SPARE_LINES) return CHY_S_OK;
    struct entry *v = calloc(r->live + 32, sizeof *v);
    int fd = v ? journal_fresh(&r->file, TEMPORARY) : -1;
    if (fd < 0 || !copy_all(r, fd, v, &n)) {
        free(v);
        if (fd >= 0) close(fd);
        return fd < 0 ? CHY_E_OUTOFMEMORY : CHY_ERROR_DISK_FULL;
    }
    chy_hresult hr = journal_replace(&r->file, fd, TEMPORARY);
    if (CHY_FAILED(hr)) {
        free(v);
        return hr;
    }
    free(r->v);
    r->v = v;
    r->cap = r->live + 32;
    r->n = r->live = r->lines = n;
    memset(r->table, 0, r->slots * sizeof *r->table);
    for (size_t i = 0; i < n; i++)
        table_put(r, i);
    return CHY_S_OK;
}
