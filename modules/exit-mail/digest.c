/* Mails that wait to be sent together, kept in a file until the last of them went out: "+" for each
 * mail, "!" for each recipient who got all up to a number. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mail.h"

enum { EARLY = 500, MOST = 2000, SPARE_LINES = 1000, KEPT_SECONDS = 7 * 86400 };
enum { BODY_OCTETS = 8192, MAIL_OCTETS = 512 * 1024, FIELDS = 6 + 2 * TO_MAX };
#define FILE_NAME "digest"
#define TEMPORARY "digest.new"

struct item {
    int64_t seq, since;
    char *id, *title, *body;
    struct words to; /* who are still owed it; none: it is over */
};

struct digest {
    struct journal file;
    const chy_host *host;
    struct item v[MOST];
    size_t n, lines;
    int64_t seq;
};

static void item_free(struct item *i)
{
    free(i->id);
    free(i->title);
    free(i->body);
    words_free(&i->to);
}

static void item_drop_to(struct item *i, const char *to)
{
    size_t kept = 0;
    for (size_t k = 0; k < i->to.n; k++) {
        if (strcasecmp(i->to.v[k], to) == 0)
            free(i->to.v[k]);
        else
            i->to.v[kept++] = i->to.v[k];
    }
    i->to.n = kept;
}

static void forget_done(struct digest *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i].to.n)
            d->v[kept++] = d->v[i];
        else
            item_free(&d->v[i]);
    }
    d->n = kept;
}

static void take_done(struct digest *d, const char *to, int64_t upto)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].seq <= upto) item_drop_to(&d->v[i], to);
    forget_done(d);
}

static bool item_make(struct item *i, char **f, size_t n)
{
    *i = (struct item){.id = strdup(f[0]), .title = strdup(f[1]), .body = strdup(f[2])};
    i->to.v = calloc(n - 3 + 1, sizeof *i->to.v);
    bool ok = i->id && i->title && i->body && i->to.v;
    for (size_t k = 3; ok && k < n; k++) {
        if (!address_is_valid(f[k])) continue;
        i->to.v[i->to.n] = strdup(f[k]);
        ok = i->to.v[i->to.n] != NULL;
        if (ok) i->to.n++;
    }
    if (!ok) item_free(i);
    return ok;
}

static bool replay(struct digest *d, char *line)
{
    char *f[FIELDS];
    size_t n = fields_split(line, f, FIELDS);
    if (n == 3 && !strcmp(f[0], "!")) take_done(d, f[2], strtoll(f[1], NULL, 10));
    if (n < 7 || strcmp(f[0], "+") != 0 || d->n == MOST) return true;
    struct item *i = &d->v[d->n];
    if (!item_make(i, f + 3, n - 3)) return false;
    i->seq = strtoll(f[1], NULL, 10);
    i->since = strtoll(f[2], NULL, 10);
    if (i->seq > d->seq) d->seq = i->seq;
    d->n++;
    return true;
}

static chy_hresult load(struct digest *d)
{
    char *line = NULL;
    size_t cap = 0;
    bool ok = true;
    int fd = fcntl(d->file.fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!f) return CHY_ERROR_IO_DEVICE;
    rewind(f);
    while (ok && getline(&line, &cap, f) > 0) {
        ok = replay(d, line);
        d->lines++;
    }
    bool failed = ferror(f) != 0;
    free(line);
    fclose(f);
    return !ok ? CHY_E_OUTOFMEMORY : failed ? CHY_ERROR_IO_DEVICE : CHY_S_OK;
}

chy_hresult digest_open(struct digest **out, int dir, const chy_host *host)
{
    struct digest *d = calloc(1, sizeof *d);
    if (!d) return CHY_E_OUTOFMEMORY;
    d->host = host;
    chy_hresult hr = journal_open(&d->file, dir, FILE_NAME);
    if (!CHY_FAILED(hr)) hr = load(d);
    if (CHY_FAILED(hr)) {
        digest_close(d);
        return hr;
    }
    *out = d;
    return CHY_S_OK;
}

void digest_close(struct digest *d)
{
    if (!d) return;
    journal_close(&d->file);
    for (size_t i = 0; i < d->n; i++)
        item_free(&d->v[i]);
    free(d);
}

static void write_item(struct kit_text *line, const struct item *i)
{
    field_add(line, "+");
    field_addf(line, "%" PRId64, i->seq);
    field_addf(line, "%" PRId64, i->since);
    field_add(line, i->id);
    field_add(line, i->title);
    field_add(line, i->body);
    for (size_t k = 0; k < i->to.n; k++)
        field_add(line, i->to.v[k]);
}

static bool has(const struct digest *d, const char *id)
{
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->v[i].id, id) == 0) return true;
    return false;
}

static bool item_of_mail(struct item *i, struct mail *m)
{
    struct kit_text body = {0};
    char *f[3 + 2 * TO_MAX];
    size_t n = 3;
    const char *title = kit_text_cstr(&m->title);
    kit_add(&body, m->body.p, m->body.n < BODY_OCTETS ? m->body.n : BODY_OCTETS);
    const char *text = kit_text_cstr(&body);
    f[0] = m->id;
    f[1] = (char *)(uintptr_t)title;
    f[2] = (char *)(uintptr_t)text;
    for (size_t k = 0; k < m->to.n; k++)
        f[n++] = m->to.v[k].mail;
    for (size_t k = 0; k < m->cc.n; k++)
        f[n++] = m->cc.v[k].mail;
    bool ok = title && text && !m->body.failed && item_make(i, f, n);
    kit_text_free(&body);
    return ok;
}

chy_hresult digest_add(struct digest *d, struct mail *m, int64_t now)
{
    struct kit_text line = {0};
    struct item i;
    if (has(d, m->id)) return CHY_S_OK;
    if (d->n == MOST) return CHY_ERROR_BUSY;
    if (!item_of_mail(&i, m)) return CHY_E_OUTOFMEMORY;
    i.seq = d->seq + 1;
    i.since = now;
    write_item(&line, &i);
    chy_hresult hr = journal_append(&d->file, &line);
    kit_text_free(&line);
    if (CHY_FAILED(hr)) {
        item_free(&i);
        return hr;
    }
    d->lines++;
    d->seq++;
    d->v[d->n++] = i;
    return CHY_S_OK;
}

bool digest_is_full(const struct digest *d)
{
    return d->n >= EARLY;
}

int64_t digest_since(const struct digest *d)
{
    return d->n ? d->v[0].since : INT64_MAX;
}

static void add_item(struct kit_text *body, const struct item *i)
{
    char when[64];
    struct kit_text t = {0};
    text_add_time(&t, i->since * 1000000);
    snprintf(when, sizeof when, "%s", t.n ? kit_text_cstr(&t) : "");
    kit_text_free(&t);
    kit_addf(body, "* %s\n  %s\n\n", i->title, when);
    for (const char *p = i->body; *p;) {
        size_t n = strcspn(p, "\n");
        if (n) kit_addf(body, "  %.*s", (int)n, p);
        kit_add_str(body, "\n");
        p += n + (p[n] != 0);
    }
    kit_add_str(body, "\n");
}

static const char *next_to(const struct digest *d, const struct words *skip, size_t *first)
{
    for (*first = 0; *first < d->n; ++*first) {
        const struct words *to = &d->v[*first].to;
        for (size_t k = 0; k < to->n; k++)
            if (!words_have(skip, to->v[k])) return to->v[k];
    }
    return NULL;
}

/* As much as one mail may hold; the rest makes the next one. */
bool digest_next(struct digest *d, const struct settings *s, const struct words *skip,
                 struct mail *out, int64_t *upto)
{
    size_t first;
    size_t count = 0;
    uint64_t mark = 14695981039346656037u;
    memset(out, 0, sizeof *out);
    const char *to = next_to(d, skip, &first);
    if (!to) return false;
    *upto = 0;
    snprintf(out->to.v[0].mail, sizeof out->to.v[0].mail, "%s", to);
    out->to.n = 1;
    out->digest = true;
    out->from = s->from;
    for (size_t i = first; i < d->n && out->body.n < MAIL_OCTETS; i++) {
        if (!words_have(&d->v[i].to, to)) continue;
        add_item(&out->body, &d->v[i]);
        *upto = d->v[i].seq;
        count++;
    }
    for (const char *p = to; *p; p++)
        mark = (mark ^ (unsigned char)*p) * 1099511628211u;
    snprintf(out->id, sizeof out->id, "digest.%.100s.%zu.%016" PRIx64, d->v[first].id, count, mark);
    text_add_clean(&out->title, s->ca_name, strlen(s->ca_name), 200);
    kit_addf(&out->title, ": %zu event%s", count, count == 1 ? "" : "s");
    (void)kit_text_cstr(&out->title);
    return true;
}

static chy_hresult compact(struct digest *d)
{
    bool ok = true;
    if (!d->n) {
        d->lines = 0;
        return journal_empty(&d->file);
    }
    if (d->lines < 2 * d->n + SPARE_LINES) return CHY_S_OK;
    int fd = journal_fresh(&d->file, TEMPORARY);
    for (size_t i = 0; fd >= 0 && ok && i < d->n; i++) {
        struct kit_text line = {0};
        write_item(&line, &d->v[i]);
        kit_add_str(&line, "\n");
        ok = !line.failed && write(fd, line.p, line.n) == (ssize_t)line.n;
        kit_text_free(&line);
    }
    if (fd < 0 || !ok) {
        if (fd >= 0) close(fd);
        return CHY_ERROR_DISK_FULL;
    }
    d->lines = d->n;
    return journal_replace(&d->file, fd, TEMPORARY);
}

chy_hresult digest_done(struct digest *d, const char *to, int64_t upto)
{
    struct kit_text line = {0};
    char copy[ADDRESS_TEXT];
    snprintf(copy, sizeof copy, "%s", to);
    field_add(&line, "!");
    field_addf(&line, "%" PRId64, upto);
    field_add(&line, copy);
    chy_hresult hr = journal_append(&d->file, &line);
    kit_text_free(&line);
    d->lines++;
    take_done(d, copy, upto);
    return CHY_FAILED(hr) ? hr : compact(d);
}

/* Who could not be reached for a week is not going to be. */
void digest_expire(struct digest *d, int64_t now)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i].since > now - KEPT_SECONDS) continue;
        words_free(&d->v[i].to);
        n++;
    }
    if (!n) return;
    forget_done(d);
    say(d->host, CHY_LOG_ERROR, "exit-mail: %zu mails of digests given up: not sent for a week", n);
    (void)compact(d);
}
