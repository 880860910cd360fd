/* The reading side of a replay: rows and their evidence go to the candidate's process one by one,
 * what comes back is compared. Nothing that comes back is trusted. */
#include "ca/replay.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ca/replay_internal.h"

enum { PAGE = 64, MAX_DEATHS = 5, GRACE_US = 10000000, ARENA_MAX = 64 << 20, ROW_MAX = 4 << 20 };

struct chy_replayer {
    struct chy_replay_options o;
    struct chy_ca *ca;
    struct chy_replay_about about;
    pid_t child;
    int fd;
    unsigned deaths; /* one after the other */
    int64_t deadline_us;
    struct chy_buf out, in;
    struct chy_arena arena; /* of one page of rows */
    struct chy_arena row;   /* of what belongs to one of them */
    struct chy_evidence *record;
    struct chy_replay_result *result;
    struct chy_span evidence[CHY_REPLAY_MAX_RECORDS];
    chy_time when[CHY_REPLAY_MAX_RECORDS];
    uint32_t n, n_asked;
    bool overflow;
};

const struct chy_replay_about *chy_replay_about(const struct chy_replayer *p)
{
    return &p->about;
}

/* How it ended, in words. */
static void end_child(struct chy_replayer *p, bool expired, char *text, size_t cap)
{
    int status = 0;
    if (!p->child) return;
    if (expired) (void)kill(p->child, SIGKILL);
    close(p->fd);
    while (waitpid(p->child, &status, 0) < 0) {
    }
    p->child = 0;
    p->fd = -1;
    if (!text) return;
    if (expired || (WIFEXITED(status) && WEXITSTATUS(status) == CHY_REPLAY_EXPIRED)) {
        snprintf(text, cap, "the candidate overran its deadline of %lld ms",
                 (long long)(p->deadline_us / 1000));
    } else if (WIFSIGNALED(status)) {
        snprintf(text, cap, "the candidate crashed: signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(text, cap, "the candidate ended its process with status %d", WEXITSTATUS(status));
    }
}

static chy_hresult read_about(struct chy_replayer *p, struct chy_err *err)
{
    char text[240] = "";
    uint32_t kind;
    size_t pos = 0;
    struct chy_span name, value;
    int64_t until = chy_monotonic(&chy_system_clock) + p->deadline_us + GRACE_US;
    chy_hresult hr = chy_message_read(p->fd, until, &p->in);
    if (hr != CHY_S_OK) {
        end_child(p, hr == CHY_ERROR_TIMEOUT, text, sizeof(text));
        return chy_fail(err, CHY_E_FAIL, "%s while it was loaded", text);
    }
    if (!chy_pack_next(chy_buf_span(&p->in), &pos, &kind, &name, &value))
        return chy_fail(err, CHY_E_FAIL, "the candidate's process says nothing");
    if (kind == CHY_REPLY_ERROR)
        return chy_fail(err, CHY_E_FAIL, "%.*s", (int)(value.n > 400 ? 400 : value.n),
                        (const char *)value.p);
    if (kind != CHY_REPLY_ABOUT || value.n != sizeof(p->about))
        return chy_fail(err, CHY_E_FAIL, "the candidate's process does not say what it loaded");
    memcpy(&p->about, value.p, sizeof(p->about));
    p->about.name[sizeof(p->about.name) - 1] = p->about.version[sizeof(p->about.version) - 1] =
        p->about.sha256[sizeof(p->about.sha256) - 1] = 0;
    return CHY_S_OK;
}

static chy_hresult start_child(struct chy_replayer *p, struct chy_err *err)
{
    int pair[2];
    if (p->child) return CHY_S_OK;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return chy_fail_errno(err, "a socket for the candidate's process");
    fflush(NULL);
    p->child = fork();
    if (p->child == 0) chy_replay_child(p->ca, &p->o, pair[1]);
    close(pair[1]);
    if (p->child < 0) {
        close(pair[0]);
        p->child = 0;
        return chy_fail_errno(err, "a process for the candidate");
    }
    p->fd = pair[0];
    return read_about(p, err);
}

chy_hresult chy_replay_open(const struct chy_replay_options *o, struct chy_replayer **out,
                            struct chy_err *err)
{
    char host[256] = "localhost";
    struct chy_replayer *p = chy_calloc(1, sizeof(*p));
    if (!p) return chy_fail_nomem(err, "replay");
    p->o = *o;
    p->fd = -1;
    chy_buf_init(&p->out, CHY_REPLAY_MESSAGE_MAX);
    chy_buf_init(&p->in, CHY_REPLAY_MESSAGE_MAX);
    chy_arena_init(&p->arena, ARENA_MAX);
    chy_arena_init(&p->row, ROW_MAX);
    p->record = chy_malloc(sizeof(*p->record));
    p->result = chy_malloc(sizeof(*p->result));
    (void)gethostname(host, sizeof(host) - 1);
    const struct chy_ca_options co = {
        .dir = o->dir, .host = host, .module_dir = "/", .clock = &chy_system_clock};
    chy_hresult hr = p->record && p->result ? chy_ca_open_to_read(&co, &p->ca, err)
                                            : chy_fail_nomem(err, "replay");
    if (hr == CHY_S_OK) {
        unsigned ms = o->deadline_ms ? o->deadline_ms : p->ca->settings->module_timeout_ms;
        p->deadline_us = (int64_t)ms * 1000;
        hr = start_child(p, err);
    }
    if (hr != CHY_S_OK) {
        chy_replay_close(p);
        return hr;
    }
    *out = p;
    return CHY_S_OK;
}

void chy_replay_close(struct chy_replayer *p)
{
    if (!p) return;
    end_child(p, true, NULL, 0);
    chy_ca_close_to_read(p->ca);
    chy_buf_free(&p->out);
    chy_buf_free(&p->in);
    chy_arena_free(&p->arena);
    chy_arena_free(&p->row);
    chy_free(p->record);
    chy_free(p->result);
    chy_free(p);
}

static bool take_record(const struct chy_evidence_row *e, void *arg)
{
    struct chy_replayer *p = arg;
    if (p->n == CHY_REPLAY_MAX_RECORDS) {
        p->overflow = true;
        return false;
    }
    p->evidence[p->n] = chy_arena_dup(&p->row, e->packed);
    p->when[p->n++] = e->decided_when;
    if (chy_evidence_unpack(e->packed, p->record, NULL) == CHY_S_OK &&
        p->record->kind == CHY_EVIDENCE_POLICY)
        p->n_asked++;
    return true;
}

static void make_job(struct chy_replayer *p, const struct chy_row *row)
{
    const struct chy_replay_job job = {row->id, row->shard, row->issuer_index, row->submitted_when};
    const struct {
        uint32_t kind;
        struct chy_span value;
    } part[] = {{CHY_JOB_HEAD, chy_span_of(&job, sizeof(job))},
                {CHY_JOB_REQUESTER, row->requester_name},
                {CHY_JOB_CALLER, row->caller_name},
                {CHY_JOB_REQUEST, row->raw_request},
                {CHY_JOB_ATTRIBUTES, row->request_attributes}};
    chy_buf_reset(&p->out);
    for (size_t i = 0; i < CHY_ARRAY_LEN(part); i++)
        chy_pack_add(&p->out, part[i].kind, (struct chy_span){0}, part[i].value);
    for (uint32_t i = 0; i < p->n; i++)
        chy_pack_add(&p->out, CHY_JOB_EVIDENCE, chy_span_of(&p->when[i], sizeof(p->when[i])),
                     p->evidence[i]);
}

/* What came back, into the result. False: it means nothing. */
static bool take_reply(struct chy_replayer *p, const struct chy_row *row)
{
    struct chy_replay_result *r = p->result;
    struct chy_span part[CHY_REPLY_TBS + 1] = {{0}}, name, value;
    uint32_t kind, number;
    size_t pos = 0;
    while (chy_pack_next(chy_buf_span(&p->in), &pos, &kind, &name, &value)) {
        if (kind <= CHY_REPLY_TBS) part[kind] = value;
    }
    if (part[CHY_REPLY_ERROR].n) {
        r->outcome = CHY_REPLAY_SKIPPED;
        r->why = chy_arena_strndup(&p->row, part[CHY_REPLY_ERROR].p, part[CHY_REPLY_ERROR].n);
        return true;
    }
    if (part[CHY_REPLY_NUMBER].n != sizeof(number)) return false;
    memcpy(&number, part[CHY_REPLY_NUMBER].p, sizeof(number));
    if (number >= p->n || chy_evidence_unpack(p->evidence[number], &r->was, NULL) != CHY_S_OK ||
        chy_evidence_unpack(part[CHY_REPLY_EVIDENCE], &r->would, NULL) != CHY_S_OK)
        return false;
    r->number = number;
    r->decided_when = p->when[number];
    /* --set makes other settings by itself: then this tells nothing. */
    r->other_settings = !p->o.n_set && memcmp(r->was.settings, p->ca->settings->fingerprint,
                                              sizeof(r->was.settings)) != 0;
    chy_replay_compare(row, part[CHY_REPLY_EXTENSIONS], part[CHY_REPLY_TBS], &p->row, r);
    return true;
}

static chy_hresult candidate_failed(struct chy_replayer *p, chy_hresult hr, struct chy_err *err)
{
    struct chy_replay_result *r = p->result;
    end_child(p, hr == CHY_ERROR_TIMEOUT || hr == CHY_S_OK, r->text, sizeof(r->text));
    if (hr == CHY_S_OK)
        snprintf(r->text, sizeof(r->text), "the candidate's process answered nonsense");
    r->outcome = CHY_REPLAY_FAILED;
    if (++p->deaths < MAX_DEATHS) return CHY_S_OK;
    return chy_fail(err, CHY_E_FAIL,
                    "the candidate failed %d times one after the other, at last: %s", MAX_DEATHS,
                    r->text);
}

static chy_hresult play(struct chy_replayer *p, const struct chy_row *row, struct chy_err *err)
{
    struct chy_replay_result *r = p->result;
    chy_hresult hr = start_child(p, err);
    if (hr != CHY_S_OK) return hr;
    make_job(p, row);
    if (p->out.failed) {
        r->why = "it is too large";
        return CHY_S_OK;
    }
    int64_t until = chy_monotonic(&chy_system_clock) + p->n_asked * p->deadline_us + GRACE_US;
    hr = chy_message_write(p->fd, chy_buf_span(&p->out));
    if (hr == CHY_S_OK) hr = chy_message_read(p->fd, until, &p->in);
    if (hr != CHY_S_OK || !take_reply(p, row)) return candidate_failed(p, hr, err);
    p->deaths = 0;
    return CHY_S_OK;
}

static chy_hresult replay_row(struct chy_replayer *p, const struct chy_row *row,
                              struct chy_err *err)
{
    struct chy_replay_result *r = p->result;
    struct chy_store *store = p->ca->store;
    r->outcome = CHY_REPLAY_SKIPPED;
    r->request_id = row->id;
    r->number = 0;
    r->decided_when = row->resolved_when;
    r->why = NULL;
    r->n_diff = 0;
    r->other_settings = false;
    r->text[0] = 0;
    chy_evidence_reset(&r->was);
    chy_evidence_reset(&r->would);
    p->n = p->n_asked = 0;
    p->overflow = false;
    chy_arena_reset(&p->row);
    chy_hresult hr = store->ops->evidence(store, row->id, take_record, p, err);
    if (hr != CHY_S_OK) return hr;
    p->overflow = p->overflow || p->row.failed;
    if (p->n_asked && !p->overflow) return play(p, row, err);
    r->why = p->overflow ? "it was changed too often"
             : p->n      ? "no policy module was asked"
                         : "how it was decided was not recorded";
    return CHY_S_OK;
}

struct page {
    struct chy_arena *a;
    struct chy_row row[PAGE];
    size_t n;
    bool failed;
};

static bool keep(struct chy_arena *a, struct chy_span *s)
{
    bool had = s->n != 0;
    *s = chy_arena_dup(a, *s);
    return !had || s->p;
}

static bool take_row(const struct chy_row *row, void *arg)
{
    struct page *g = arg;
    struct chy_row *r = &g->row[g->n];
    *r = *row;
    g->failed = !keep(g->a, &r->requester_name) || !keep(g->a, &r->caller_name) ||
                !keep(g->a, &r->raw_request) || !keep(g->a, &r->request_attributes) ||
                !keep(g->a, &r->extensions) || !keep(g->a, &r->raw_certificate);
    g->n++;
    return !g->failed && g->n < PAGE;
}

static struct chy_filter since_filter(chy_time since)
{
    return (struct chy_filter){.column = "submitted_when", .seek = CHY_SEEK_GE, .number = since};
}

chy_hresult chy_replay_count(struct chy_replayer *p, chy_time since, int64_t *n,
                             struct chy_err *err)
{
    const struct chy_filter f = since_filter(since);
    const struct chy_query q = {.filter = &f, .n_filter = 1};
    return p->ca->store->ops->count(p->ca->store, &q, n, err);
}

/* A page is read, and the database let go, before the candidate sees its first row. */
static chy_hresult read_page(struct chy_replayer *p, chy_time since, int32_t after, struct page *g,
                             struct chy_err *err)
{
    const struct chy_filter f = since_filter(since);
    const struct chy_query q = {
        .filter = &f, .n_filter = 1, .after_id = after, .limit = PAGE, .with_blobs = true};
    chy_arena_reset(&p->arena);
    g->a = &p->arena;
    g->n = 0;
    g->failed = false;
    chy_hresult hr = p->ca->store->ops->query(p->ca->store, &q, take_row, g, err);
    return hr == CHY_S_OK && g->failed ? chy_fail_nomem(err, "a page of requests") : hr;
}

chy_hresult chy_replay_run(struct chy_replayer *p, chy_time since,
                           bool (*cb)(const struct chy_replay_result *r, void *arg), void *arg,
                           struct chy_err *err)
{
    struct page *g = chy_malloc(sizeof(*g));
    int32_t after = 0;
    bool more = true;
    chy_hresult hr = g ? CHY_S_OK : chy_fail_nomem(err, "replay");
    while (hr == CHY_S_OK && more) {
        hr = read_page(p, since, after, g, err);
        more = hr == CHY_S_OK && g->n > 0;
        for (size_t i = 0; hr == CHY_S_OK && i < g->n && more; i++) {
            hr = replay_row(p, &g->row[i], err);
            after = g->row[i].id;
            if (hr == CHY_S_OK) more = cb(p->result, arg);
        }
    }
    chy_free(g);
    return hr;
}
