/* The supervisor of a module's child: one thread that starts processes, reads what they say,
 * answers what they ask outside of calls, notices their end and has another one started. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "module/internal.h"

enum {
    WATCHED = 8,
    SIDE_MS = 2000,
    GRACE_US = 1000000,
    FIRST_PAUSE_MS = 100,
    LAST_PAUSE_MS = 30000
};

static int64_t now_of(const struct chy_child *c)
{
    return chy_monotonic(c->instance->ms->config.clock);
}

void chy_child_wake(struct chy_child *c)
{
    uint64_t one = 1;
    ssize_t n = write(c->wake, &one, sizeof(one));
    (void)n; /* full: it is awake */
}

/* The pause doubles with each failure and is spread by a quarter, so that children that failed
 * together do not start together for ever. */
static int64_t pause_us(unsigned failures)
{
    uint8_t r = 0;
    unsigned shift = failures > 9 ? 9 : failures - 1;
    int64_t ms = (int64_t)FIRST_PAUSE_MS << shift;
    if (ms > LAST_PAUSE_MS) ms = LAST_PAUSE_MS;
    if (chy_random(&r, 1, NULL) != CHY_S_OK) r = 128;
    return ms * 1000 * 3 / 4 + ms * 1000 * r / 512;
}

static void failed_once_more(struct chy_child *c, const char *how)
{
    char failures[16];
    c->failures++;
    atomic_store(&c->failed_lately, true);
    snprintf(c->last_end, sizeof(c->last_end), "%s", how);
    snprintf(failures, sizeof(failures), "%u", c->failures);
    c->state = c->failures >= c->place.max_failures ? CHY_CHILD_QUARANTINED : CHY_CHILD_DOWN;
    c->next_start = now_of(c) + pause_us(c->failures);
    chy_log(CHY_LOG_LEVEL_ERROR, "module.ended", "module", c->label, "how", how, "failures",
            failures, NULL);
    if (c->state == CHY_CHILD_QUARANTINED) {
        chy_log(CHY_LOG_LEVEL_ERROR, "module.quarantined", "module", c->label, "failures", failures,
                "remedy", "mend it and `chancery module reload` it", NULL);
    }
    c->tell = true;
    pthread_cond_broadcast(&c->changed);
    chy_child_wake(c);
}

void chy_child_failed(struct chy_child *c, struct chy_process *p)
{
    if (p->failed || p->meant) return;
    p->failed = true;
    if (c->now != p || c->closing) return;
    c->now = NULL;
    failed_once_more(c, p->end[0] ? p->end : p->why);
}

/* One for each file, the newest in front: processes come and go for as long as the daemon runs. */
static void keep_identity(struct chy_child *c, struct chy_identity *identity)
{
    struct chy_identity **at = &c->identity;
    while (*at && (memcmp((*at)->sha256, identity->sha256, sizeof(identity->sha256)) != 0 ||
                   strcmp((*at)->path, identity->path) != 0))
        at = &(*at)->next;
    if (*at) {
        struct chy_identity *known = *at;
        *at = known->next;
        chy_identity_free(identity);
        identity = known;
    }
    identity->next = c->identity;
    c->identity = identity;
}

void chy_child_use(struct chy_child *c, struct chy_process *p, struct chy_identity *identity)
{
    struct chy_process *old = c->now;
    if (old && old != p) old->meant = true;
    c->now = p;
    c->state = CHY_CHILD_UP;
    keep_identity(c, identity);
    c->tell = true;
    if (p->ended || p->killed) { /* already */
        p->failed = false;
        chy_child_failed(c, p);
    }
    pthread_cond_broadcast(&c->changed);
    chy_child_wake(c);
}

/* ---- starting ---- */

static chy_hresult spawned(struct chy_child *c, struct chy_process *p, struct chy_err *err)
{
    pthread_mutex_lock(&c->lock);
    p->users = 1;
    p->next = c->processes;
    c->processes = p;
    chy_child_wake(c);
    while (!p->spawned)
        pthread_cond_wait(&c->changed, &c->lock);
    int error = p->spawn_error;
    pthread_mutex_unlock(&c->lock);
    if (!error) return CHY_S_OK;
    errno = error;
    return chy_fail_errno(err, "%s", c->instance->ms->config.modhost);
}

/* Initialize in a process that takes no other call yet; not at the instance's gate, where calls may
 * wait for just this process. */
static chy_hresult initialize(struct chy_child *c, struct chy_process *p, const char *config,
                              struct chy_err *err)
{
    struct chy_instance *i = c->instance;
    struct chy_call call = {.kind = CHY_CALL_INITIALIZE, .config = config};
    int32_t number;
    bool broken, shared;
    struct chy_context *x =
        chy_context_begin(i, NULL, i->is_policy ? CHY_ASKER_POLICY : CHY_ASKER_EXIT, &number);
    if (!x) return chy_fail(err, CHY_ERROR_BUSY, "too many calls at once");
    chy_context_lend(x, p);
    chy_hresult hr = chy_lane_call(i, x, number, NULL, &p->seat[0].lane, &call, &broken, err);
    if (broken) {
        bool overdue = chy_context_lend(x, NULL);
        hr = chy_child_broke(c, p, "Initialize", overdue, &shared, err);
    }
    chy_context_lend(x, NULL);
    (void)chy_context_end(x);
    if (!CHY_FAILED(hr)) return CHY_S_OK;
    return chy_fail(err, hr, "Initialize failed with 0x%08x (%s)", (unsigned)hr,
                    chy_code_info(hr)->name);
}

chy_hresult chy_child_start(struct chy_child *c, const struct chy_file *f, struct chy_process **out,
                            struct chy_identity **identity, struct chy_err *err)
{
    char *config = NULL;
    *identity = NULL;
    struct chy_process *p = chy_process_new(c, f);
    if (!p)
        return chy_fail(err, CHY_E_OUTOFMEMORY,
                        "its child process: descriptors or memory are short");
    chy_hresult hr = spawned(c, p, err);
    if (hr == CHY_S_OK) hr = chy_process_greet(p, f, identity, err);
    pthread_mutex_lock(&c->lock);
    if (hr == CHY_S_OK && !(*identity)->concurrent) {
        while (p->n_seats > 1)
            chy_lane_fini(&p->seat[--p->n_seats].lane);
    }
    if (c->config) config = chy_strdup(c->config);
    if (hr == CHY_S_OK && c->config && !config) hr = chy_fail_nomem(err, "module");
    pthread_mutex_unlock(&c->lock);
    if (hr == CHY_S_OK && config) hr = initialize(c, p, config, err);
    chy_free(config);
    if (hr == CHY_S_OK) {
        *out = p;
        return hr;
    }
    pthread_mutex_lock(&c->lock);
    p->meant = true; /* it is counted by who wanted it */
    chy_process_kill(p, "it did not come up");
    p->users--;
    chy_child_wake(c);
    pthread_mutex_unlock(&c->lock);
    return hr;
}

static void *start_again(void *arg)
{
    struct chy_child *c = arg;
    struct chy_process *p = NULL;
    struct chy_identity *identity = NULL;
    struct chy_err err = {0};
    chy_hresult hr = chy_child_start(c, &c->file, &p, &identity, &err);
    pthread_mutex_lock(&c->lock);
    if (hr == CHY_S_OK) {
        c->restarts++;
        chy_child_use(c, p, identity);
        p->users--;
    } else {
        chy_identity_free(identity);
        if (!c->closing) failed_once_more(c, err.text);
    }
    c->starter_done = true;
    pthread_mutex_unlock(&c->lock);
    if (hr == CHY_S_OK)
        chy_log(CHY_LOG_LEVEL_WARNING, "module.restarted", "module", c->label, NULL);
    chy_child_wake(c);
    return NULL;
}

static void join_starter(struct chy_child *c)
{
    if (!c->starter_runs || !c->starter_done) return;
    pthread_join(c->starter, NULL);
    c->starter_runs = c->starter_done = false;
}

static void restart_if_due(struct chy_child *c)
{
    bool due = c->state == CHY_CHILD_DOWN && !c->closing && !c->starter_runs && !c->reloading;
    if (!due || now_of(c) < c->next_start) return;
    c->starter_runs = chy_thread_start(&c->starter, "module-start", start_again, c);
    if (!c->starter_runs) c->next_start = now_of(c) + pause_us(9);
}

/* ---- watching ---- */

static int milliseconds_until(const struct chy_child *c)
{
    int64_t when = INT64_MAX, now = now_of(c);
    if (c->state == CHY_CHILD_DOWN && !c->closing && !c->starter_runs && !c->reloading)
        when = c->next_start;
    for (const struct chy_process *p = c->processes; p; p = p->next) {
        if (p->kill_at && !p->killed && !p->ended && p->kill_at < when) when = p->kill_at;
    }
    if (when == INT64_MAX) return -1;
    return when <= now ? 0 : (int)((when - now) / 1000 + 1);
}

/* One whose end is meant goes once nobody is in it: its end of the control socket tells it. */
static void let_go(struct chy_child *c, struct chy_process *p)
{
    if (p->ended || !p->spawned || !(p->meant || c->closing)) return;
    if (p->users) {
        if (c->closing) chy_process_kill(p, "the CA is stopping");
        return;
    }
    if (!p->kill_at) {
        p->meant = true;
        p->kill_at = now_of(c) + GRACE_US;
        chy_process_dismiss(p);
    } else if (now_of(c) >= p->kill_at) {
        chy_process_kill(p, "it did not go when it was told to");
    }
}

/* Under the lock: everything that is to be done without waiting. */
static void look_after(struct chy_child *c)
{
    for (struct chy_process *p = c->processes; p; p = p->next) {
        if (p->spawned) continue;
        chy_process_spawn(p);
        pthread_cond_broadcast(&c->changed);
    }
    for (struct chy_process **at = &c->processes; *at;) {
        struct chy_process *p = *at;
        let_go(c, p);
        if (p->ended && !p->users && p != c->now) {
            *at = p->next;
            chy_process_free(p);
        } else {
            at = &p->next;
        }
    }
    join_starter(c);
    restart_if_due(c);
}

/* What a module asks outside of its calls, such as its settings from a thread of its own. */
static bool serve_side(struct chy_instance *i, struct chy_process *p)
{
    enum chy_frame kind;
    struct chy_wire_in in;
    struct chy_question q;
    struct chy_reply reply;
    errno = 0;
    pthread_mutex_lock(&p->child->lock);
    bool named = i->location != NULL;
    pthread_mutex_unlock(&p->child->lock);
    if (!named) return false; /* there are no settings of a module that is not known yet */
    chy_lane_within(&p->side, SIDE_MS);
    if (!chy_frame_recv(&p->side, CHY_FRAME_FROM_CHILD_MAX, &kind, &in) || kind != CHY_FRAME_ASK)
        return false;
    chy_get_question(&in, &q);
    if (in.bad || in.p != in.end) return false;
    chy_answer(i, 0, &q, &reply);
    chy_frame_begin(&p->side);
    chy_put_reply(&p->side.out, &reply);
    chy_variant_clear(&reply.value);
    return chy_frame_send(&p->side, CHY_FRAME_ANSWER);
}

struct watched {
    struct pollfd fd[1 + 3 * WATCHED];
    struct chy_process *process[WATCHED];
    nfds_t n;
    size_t n_processes;
};

static void list(struct chy_child *c, struct watched *w)
{
    w->fd[0] = (struct pollfd){.fd = c->wake, .events = POLLIN};
    w->n = 1;
    w->n_processes = 0;
    for (struct chy_process *p = c->processes; p && w->n_processes < WATCHED; p = p->next) {
        bool alive = p->spawned && !p->ended;
        w->process[w->n_processes++] = p;
        w->fd[w->n++] = (struct pollfd){.fd = p->log_fd, .events = POLLIN};
        w->fd[w->n++] = (struct pollfd){.fd = alive ? p->side.fd : -1, .events = POLLIN};
        w->fd[w->n++] = (struct pollfd){.fd = alive ? p->pidfd : -1, .events = POLLIN};
    }
}

static void attend(struct chy_child *c, struct chy_process *p, const struct pollfd *fd)
{
    if (fd[0].revents) chy_process_pump(p);
    if (fd[1].revents && !fd[2].revents && !serve_side(c->instance, p)) {
        bool gone = errno == ECONNRESET; /* it has ended, or wants nothing any more */
        pthread_mutex_lock(&c->lock);
        close(p->side.fd);
        p->side.fd = -1;
        if (!gone) chy_process_kill(p, "it said what nobody understands");
        pthread_mutex_unlock(&c->lock);
    }
    if (!fd[2].revents) return;
    chy_process_pump(p);
    pthread_mutex_lock(&c->lock);
    chy_process_reap(p);
    chy_child_failed(c, p);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void tell(struct chy_child *c)
{
    struct chy_modules *ms = c->instance->ms;
    pthread_mutex_lock(&ms->lock);
    void (*changed)(void *arg) = ms->changed;
    void *changed_arg = ms->changed_arg;
    pthread_mutex_unlock(&ms->lock);
    if (changed) changed(changed_arg);
}

void *chy_supervise(void *arg)
{
    struct chy_child *c = arg;
    struct watched w;
    uint64_t count;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        look_after(c);
        if (c->closing && !c->processes && !c->starter_runs) break;
        bool telling = c->tell && c->opened && !c->closing;
        if (telling) c->tell = false;
        list(c, &w);
        int ms = milliseconds_until(c);
        pthread_mutex_unlock(&c->lock);
        if (telling) tell(c);
        if (poll(w.fd, w.n, ms) > 0) {
            if (w.fd[0].revents && read(c->wake, &count, sizeof(count)) < 0) count = 0;
            for (size_t i = 0; i < w.n_processes; i++)
                attend(c, w.process[i], &w.fd[1 + 3 * i]);
        }
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}
