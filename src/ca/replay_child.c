/* The candidate's process: loads it, and plays one request after the other on the engine's own
 * steps, as a dry run as of the time at which it was decided. It holds no file but its end of a
 * socket, and can make none. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca/replay_internal.h"

enum { DATA_MAX = 1 << 30, FOREVER_S = 1000000 };

struct child {
    struct chy_ca *ca;
    int fd;
    struct chy_clock clock;
    _Atomic chy_time now; /* of the decision that is played */
    struct chy_buf in, out;
    struct chy_err err;
    struct chy_evidence *record;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool over;
};

static chy_time played_now(void *arg)
{
    return atomic_load(&((struct child *)arg)->now);
}

static int64_t real_monotonic(void *arg)
{
    (void)arg;
    return chy_monotonic(&chy_system_clock);
}

static void limit(unsigned what, rlim_t n)
{
    const struct rlimit r = {n, n};
    (void)setrlimit(what, &r);
}

/* The owner of the CA's folder is who the daemon runs as: the candidate is no more than that. */
static bool drop_rights(const char *dir)
{
    struct stat st;
    if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0) return true;
    return setgroups(0, NULL) == 0 && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0;
}

static void confine(struct child *c, bool verbose)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        if (!verbose) (void)dup2(null, STDERR_FILENO);
    }
    int kept = dup2(c->fd, 3);
    if (kept == 3) c->fd = 3;
    closefrom(4);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    (void)signal(SIGXFSZ, SIG_IGN); /* a write fails instead */
    limit(RLIMIT_FSIZE, 0);
#ifndef __SANITIZE_ADDRESS__
    limit(RLIMIT_DATA, DATA_MAX);
#endif
}

static void say(struct child *c, uint32_t kind, struct chy_span value)
{
    chy_pack_add(&c->out, kind, (struct chy_span){0}, value);
}

static bool send_out(struct child *c)
{
    bool sent = !c->out.failed && chy_message_write(c->fd, chy_buf_span(&c->out)) == CHY_S_OK;
    chy_buf_reset(&c->out);
    return sent;
}

static bool send_error(struct child *c)
{
    chy_buf_reset(&c->out);
    say(c, CHY_REPLY_ERROR, chy_span_cstr(c->err.text));
    chy_err_clear(&c->err);
    return send_out(c);
}

/* The call is still inside the module: what tells of it is how the process ends. */
static void expired(void *request, void *arg)
{
    (void)request;
    (void)arg;
    _exit(CHY_REPLAY_EXPIRED);
}

/* CRLs are made by the daemon alone. */
static chy_hresult ca_property(void *ca, void *request, const char *location, const char *name,
                               chy_long type, chy_variant *out)
{
    if (strcasestr(name, "CRL")) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_ca_engine_ops.get_ca_property(ca, request, location, name, type, out);
}

static chy_hresult override(struct child *c, const struct chy_replay_options *o,
                            const char *location)
{
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < o->n_set && hr == CHY_S_OK; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", location, o->set[i].name);
        char *json = chy_strdup(o->set[i].json);
        if (!json) return chy_fail_nomem(&c->err, "setting");
        hr = chy_config_check(path, json, &c->err);
        if (hr == CHY_S_OK) hr = chy_config_swap(c->ca->config, path, &json, &c->err);
        chy_free(json);
    }
    return hr == CHY_S_OK && o->n_set ? chy_settings_remake(c->ca, &c->err) : hr;
}

static chy_hresult load(struct child *c, const struct chy_replay_options *o)
{
    static struct chy_engine_ops ops;
    struct chy_ca *ca = c->ca;
    struct chy_settings *s = chy_settings_get(ca);
    ops = chy_ca_engine_ops;
    ops.get_ca_property = ca_property;
    const struct chy_modules_config config = {
        .ops = &ops,
        .ca = ca,
        .folder = ca->module_dir,
        .clock = ca->clock,
        .call_timeout_ms = o->deadline_ms ? o->deadline_ms : s->module_timeout_ms};
    struct chy_instance_info info;
    chy_hresult hr = chy_modules_new(&config, &ca->modules, &c->err);
    if (hr == CHY_S_OK) {
        chy_modules_watch(ca->modules, &(struct chy_watch){expired, c});
        hr = chy_policy_open(ca->modules, o->module, NULL, s->binding, &ca->policy, &c->err);
    }
    chy_settings_unref(s);
    if (hr != CHY_S_OK) return hr;
    chy_instance_info(ca->policy, &info);
    hr = override(c, o, info.location);
    if (hr == CHY_S_OK) hr = chy_policy_initialize(ca->policy, ca->config_string, &c->err);
    if (hr != CHY_S_OK) return hr;
    struct chy_replay_about about = {.name = ""};
    snprintf(about.name, sizeof(about.name), "%s", info.name);
    snprintf(about.version, sizeof(about.version), "%s", info.version ? info.version : "");
    memcpy(about.sha256, info.sha256, sizeof(about.sha256));
    say(c, CHY_REPLY_ABOUT, chy_span_of(&about, sizeof(about)));
    return CHY_S_OK;
}

struct played {
    struct chy_job job;
    struct child *c;
    struct chy_request *r;
};

static void decide(struct chy_job *job, struct chy_worker *w)
{
    struct played *p = (struct played *)(void *)job;
    chy_intake_decide(p->r, w);
}

static void decided(const struct chy_outcome *o, void *arg)
{
    struct child *c = arg;
    (void)o;
    pthread_mutex_lock(&c->lock);
    c->over = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* One decision on a worker's thread, as in the daemon. */
static bool ask(struct child *c, struct chy_request *r, const struct chy_evidence *was,
                chy_time when)
{
    struct played p = {.job = {.run = decide}, .c = c, .r = r};
    atomic_store(&c->now, when - was->policy_us - was->check_us);
    chy_evidence_reset(&r->evidence);
    r->evidence.author = was->author;
    r->is_new = was->is_new;
    r->policy_message[0] = 0;
    r->done = decided;
    r->done_arg = c;
    atomic_fetch_add(&r->refs, 1);
    c->over = false;
    if (!chy_workers_add(c->ca->workers, &p.job)) return false;
    pthread_mutex_lock(&c->lock);
    while (!c->over)
        pthread_cond_wait(&c->wake, &c->lock);
    pthread_mutex_unlock(&c->lock);
    chy_workers_quiet(c->ca->workers, FOREVER_S);
    return true;
}

/* What an officer changed in between. False: the value was too long to be kept. */
static bool apply(struct child *c, struct chy_request *r, const struct chy_evidence *e)
{
    for (size_t i = 0; i < e->n_changes; i++) {
        const struct chy_change *k = &e->change[i];
        if (k->after.form != CHY_VALUE_OCTETS) return false;
        if (k->kind == CHY_CHANGE_ATTRIBUTE)
            (void)chy_request_set_attribute(r, k->name, k->after.octets);
        if (k->kind != CHY_CHANGE_EXTENSION) continue;
        const char *oid = chy_arena_strndup(&r->arena, k->name.p, k->name.n);
        if (!oid || chy_request_set_extension(r, oid, k->after.flags, k->after.octets, &c->err))
            return false;
    }
    return true;
}

static chy_hresult rebuild(struct child *c, struct chy_request *r, const struct chy_replay_job *job,
                           const struct chy_span part[CHY_JOB_EVIDENCE])
{
    r->dry_run = true;
    r->id = job->id;
    r->shard = job->shard;
    r->submitted_when = job->submitted_when;
    r->caller_access = CHY_CA_ACCESS_ENROLL;
    r->authority = chy_ca_authority(c->ca, job->issuer_index);
    if (!r->authority) r->authority = chy_ca_current(c->ca);
    struct chy_span caller = part[CHY_JOB_CALLER];
    r->caller_name = chy_arena_strndup(&r->arena, caller.p, caller.n);
    r->attribute_text = part[CHY_JOB_ATTRIBUTES];
    chy_hresult hr = chy_csr_parse(part[CHY_JOB_REQUEST], &r->csr, &c->err);
    if (hr == CHY_S_OK) hr = chy_request_take(r);
    if (hr != CHY_S_OK && c->err.code == CHY_S_OK) c->err = r->err;
    struct chy_span requester = part[CHY_JOB_REQUESTER];
    r->requester_name = chy_arena_strndup(&r->arena, requester.p, requester.n);
    return hr;
}

static bool reply(struct child *c, struct chy_request *r, uint32_t number)
{
    struct chy_buf packed;
    chy_buf_init(&packed, CHY_EVIDENCE_MAX);
    chy_evidence_pack(&r->evidence, &packed);
    r->is_packed = false;
    if (chy_request_to_row(r, &c->err) != CHY_S_OK || packed.failed) {
        chy_buf_free(&packed);
        return send_error(c);
    }
    say(c, CHY_REPLY_NUMBER, chy_span_of(&number, sizeof(number)));
    say(c, CHY_REPLY_EVIDENCE, chy_buf_span(&packed));
    say(c, CHY_REPLY_EXTENSIONS, chy_buf_span(&r->packed_exts));
    if (r->disposition == CHY_DB_DISP_ISSUED) say(c, CHY_REPLY_TBS, chy_buf_span(&r->tbs));
    chy_buf_free(&packed);
    return send_out(c);
}

/* Record after record, until the candidate decides otherwise than was decided. */
static bool play(struct child *c, struct chy_request *r, const struct chy_span *record,
                 const chy_time *when, uint32_t n)
{
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (chy_evidence_unpack(record[i], c->record, &c->err) != CHY_S_OK) return send_error(c);
        if (c->record->kind == CHY_EVIDENCE_CHANGED && !apply(c, r, c->record)) {
            chy_fail(&c->err, CHY_E_FAIL, "what an officer set is too long to be in the evidence");
            return send_error(c);
        }
        if (c->record->kind != CHY_EVIDENCE_POLICY) continue;
        if (!ask(c, r, c->record, when[i])) return false;
        last = i;
        if (r->disposition != c->record->disposition) break;
    }
    return last == UINT32_MAX ? false : reply(c, r, last);
}

static bool play_message(struct child *c)
{
    struct chy_span part[CHY_JOB_EVIDENCE] = {{0}}, record[CHY_REPLAY_MAX_RECORDS], name, value;
    chy_time when[CHY_REPLAY_MAX_RECORDS];
    struct chy_replay_job job;
    uint32_t kind, n = 0;
    size_t pos = 0;
    while (chy_pack_next(chy_buf_span(&c->in), &pos, &kind, &name, &value)) {
        if (kind < CHY_JOB_EVIDENCE) {
            part[kind] = value;
        } else if (n < CHY_REPLAY_MAX_RECORDS && name.n == sizeof(*when)) {
            memcpy(&when[n], name.p, sizeof(*when));
            record[n++] = value;
        }
    }
    if (part[CHY_JOB_HEAD].n != sizeof(job)) return false;
    memcpy(&job, part[CHY_JOB_HEAD].p, sizeof(job));
    struct chy_request *r = chy_request_new(c->ca);
    if (!r) return false;
    bool good = rebuild(c, r, &job, part) == CHY_S_OK ? play(c, r, record, when, n) : send_error(c);
    chy_request_unref(r);
    return good;
}

static chy_hresult prepare(struct child *c, const struct chy_replay_options *o)
{
    if (!drop_rights(o->dir)) return chy_fail_errno(&c->err, "becoming the owner of %s", o->dir);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten when the user changes */
    chy_hresult hr = chy_workers_new(1, &c->ca->workers, &c->err);
    return hr == CHY_S_OK ? load(c, o) : hr;
}

void chy_replay_child(struct chy_ca *ca, const struct chy_replay_options *o, int fd)
{
    struct child *c = chy_calloc(1, sizeof(*c));
    int status = 1;
    if (!c) _exit(1);
    c->ca = ca;
    c->fd = fd;
    c->clock = (struct chy_clock){played_now, real_monotonic, c};
    atomic_store(&c->now, chy_now(&chy_system_clock));
    ca->clock = &c->clock;
    c->record = chy_malloc(sizeof(*c->record));
    chy_buf_init(&c->in, CHY_REPLAY_MESSAGE_MAX);
    chy_buf_init(&c->out, CHY_REPLAY_MESSAGE_MAX);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    confine(c, o->verbose);
    if (c->record && prepare(c, o) != CHY_S_OK) {
        (void)send_error(c);
    } else if (c->record && send_out(c)) {
        while (chy_message_read(c->fd, INT64_MAX, &c->in) == CHY_S_OK && play_message(c)) {
        }
        status = 0;
    }
    _exit(status);
}
