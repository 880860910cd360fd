/* The child of a module: opening, taking a lane, what a failure means, reload. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "module/internal.h"

enum {
    DEFAULT_MEMORY_MB = 256,
    DEFAULT_FAILURES = 5,
    /* So long calls wait for a process that is being started; what fails again and again is not to
     * hold up the threads that serve everything else. */
    FIRST_FAILURES = 3,
    FIRST_START_WAIT_US = 3000000,
    START_WAIT_US = 500000,
    END_WAIT_US = 1000000,
    LOOK_US = 20000
};

void chy_identity_free(struct chy_identity *id)
{
    if (!id) return;
    char *texts[] = {id->name, id->class_name, id->version, id->confined, id->path};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++)
        chy_free(texts[i]);
    chy_free(id);
}

static bool wait_until(struct chy_child *c, int64_t until)
{
    struct timespec t;
    int64_t left = until - chy_monotonic(c->instance->ms->config.clock);
    if (left <= 0) return false;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(left / 1000000);
    t.tv_nsec += (long)(left % 1000000) * 1000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&c->changed, &c->lock, &t) == 0;
}

/* ---- lanes ---- */

static chy_hresult not_up(const struct chy_child *c, struct chy_err *err)
{
    if (c->state == CHY_CHILD_QUARANTINED) {
        return chy_fail(err, CHY_RPC_E_SERVERFAULT,
                        "module %s is out of use: its child process failed %u times in a row, at "
                        "last: %s; mend it and `chancery module reload` it",
                        c->label, c->failures, c->last_end);
    }
    return chy_fail(err, CHY_ERROR_BUSY, "module %s is being restarted%s%s", c->label,
                    c->last_end[0] ? ": its child process failed: " : "", c->last_end);
}

static bool free_seat(struct chy_process *p, size_t *seat)
{
    for (*seat = 0; *seat < p->n_seats; (*seat)++) {
        if (!p->seat[*seat].busy) return true;
    }
    return false;
}

/* Who is alone shares the process with nobody, and who waits to be holds up those that come. */
static bool may_enter(const struct chy_child *c, bool alone, size_t *seat)
{
    struct chy_process *p = c->now;
    if (p->alone || (alone ? p->users != 0 : c->want_alone != 0)) return false;
    return free_seat(p, seat);
}

chy_hresult chy_child_take(struct chy_child *c, int64_t deadline, bool alone,
                           struct chy_process **p, size_t *seat, struct chy_err *err)
{
    int64_t up_until = chy_monotonic(c->instance->ms->config.clock);
    chy_hresult hr = CHY_S_OK;
    pthread_mutex_lock(&c->lock);
    up_until += c->failures > FIRST_FAILURES ? START_WAIT_US : FIRST_START_WAIT_US;
    if (up_until > deadline) up_until = deadline;
    c->want_alone += alone;
    for (;;) {
        bool up = c->now && !c->now->killed && !c->now->ended;
        if (up && may_enter(c, alone, seat)) break;
        bool may_come = up || c->state == CHY_CHILD_DOWN || c->state == CHY_CHILD_UP;
        if (c->closing || !may_come || !wait_until(c, up ? deadline : up_until)) {
            hr = up ? chy_fail(err, CHY_ERROR_TIMEOUT, "module %s is busy", c->label)
                    : not_up(c, err);
            break;
        }
    }
    c->want_alone -= alone;
    if (alone) pthread_cond_broadcast(&c->changed);
    if (hr == CHY_S_OK) {
        *p = c->now;
        (*p)->users++;
        (*p)->alone = alone;
        (*p)->seat[*seat].busy = true;
    }
    pthread_mutex_unlock(&c->lock);
    return hr;
}

void chy_child_give(struct chy_child *c, struct chy_process *p, size_t seat)
{
    pthread_mutex_lock(&c->lock);
    p->seat[seat].busy = false;
    p->alone = false;
    p->users--;
    if (p->meant || p->ended || p->killed) chy_child_wake(c);
    pthread_cond_broadcast(&c->changed); /* its waiters wait for different things */
    pthread_mutex_unlock(&c->lock);
}

void chy_child_succeeded(struct chy_child *c)
{
    if (!atomic_load(&c->failed_lately)) return;
    pthread_mutex_lock(&c->lock);
    c->failures = 0;
    atomic_store(&c->failed_lately, false);
    pthread_mutex_unlock(&c->lock);
}

chy_hresult chy_child_broke(struct chy_child *c, struct chy_process *p, const char *during,
                            bool overdue, bool *shared, struct chy_err *err)
{
    bool garbage = errno == EPROTO;
    int64_t until = chy_monotonic(c->instance->ms->config.clock) + END_WAIT_US;
    pthread_mutex_lock(&c->lock);
    p->crowd = p->crowd || p->users > 1;
    *shared = p->crowd;
    if (garbage) chy_process_kill(p, "it said what nobody understands");
    /* How it ended is known in a moment, where it did; one that only closed its lane is ended. */
    while (!p->ended && wait_until(c, p->killed ? until : until - END_WAIT_US * 3 / 4)) {
    }
    chy_process_kill(p, "it closed its socket");
    while (!p->ended && wait_until(c, until)) {
    }
    chy_child_failed(c, p);
    chy_hresult code = overdue ? CHY_ERROR_TIMEOUT : CHY_RPC_E_SERVERFAULT;
    code = chy_fail(err, code, "its child process failed during %s: %s", during,
                    p->end[0] ? p->end : p->why);
    pthread_mutex_unlock(&c->lock);
    return code;
}

void chy_child_refused(struct chy_child *c, struct chy_process *p, chy_hresult hr)
{
    char why[sizeof(p->why)];
    snprintf(why, sizeof(why), "Initialize failed with 0x%08x (%s)", (unsigned)hr,
             chy_code_info(hr)->name);
    pthread_mutex_lock(&c->lock);
    chy_process_kill(p, why);
    chy_child_failed(c, p);
    pthread_mutex_unlock(&c->lock);
}

void chy_child_overran(struct chy_process *p)
{
    struct chy_child *c = p->child;
    pthread_mutex_lock(&c->lock);
    c->deadline_kills++;
    chy_process_kill(p, "a call overran its deadline");
    pthread_mutex_unlock(&c->lock);
}

void chy_child_remember(struct chy_child *c, const char *config)
{
    char *copy = chy_strdup(config);
    if (!copy) return; /* the call to come will say that memory is short */
    pthread_mutex_lock(&c->lock);
    chy_free(c->config);
    c->config = copy;
    pthread_mutex_unlock(&c->lock);
}

/* ---- opening ---- */

/* Who the child is to be, where the daemon is root; else it stays what the daemon is. */
static chy_hresult find_user(struct chy_child *c, struct chy_err *err)
{
    static const char *const usual[] = {"chancery-module", "nobody"};
    struct passwd pw, *found = NULL;
    char text[4096];
    c->uid = geteuid();
    c->gid = getegid();
    if (c->uid != 0) {
        if (!c->place.user) return CHY_S_OK;
        return chy_fail(err, CHY_E_INVALIDARG,
                        "User %s: only a daemon that runs as root can run a child as another user",
                        c->place.user);
    }
    if (c->place.user) {
        (void)getpwnam_r(c->place.user, &pw, text, sizeof(text), &found);
    } else {
        for (size_t k = 0; k < CHY_ARRAY_LEN(usual) && !found; k++)
            (void)getpwnam_r(usual[k], &pw, text, sizeof(text), &found);
    }
    if (!found || !pw.pw_uid) {
        return chy_fail(err, CHY_E_INVALIDARG, "User %s: there is no such user, or it is root",
                        c->place.user ? c->place.user : "nobody");
    }
    c->uid = pw.pw_uid;
    c->gid = pw.pw_gid;
    return CHY_S_OK;
}

static bool copy_place(struct chy_child *c, const struct chy_place *place)
{
    bool whole = true;
    c->place = *place;
    if (!c->place.memory_mb) c->place.memory_mb = DEFAULT_MEMORY_MB;
    if (!c->place.max_failures) c->place.max_failures = DEFAULT_FAILURES;
    if (place->user && !(c->place.user = chy_strdup(place->user))) whole = false;
    for (size_t k = 0; k < CHY_PLACE_PATHS; k++) {
        c->place.read[k] = k < place->n_read ? chy_strdup(place->read[k]) : NULL;
        c->place.write[k] = k < place->n_write ? chy_strdup(place->write[k]) : NULL;
        if (k < place->n_read && !c->place.read[k]) whole = false;
        if (k < place->n_write && !c->place.write[k]) whole = false;
    }
    return whole;
}

static struct chy_child *child_new(struct chy_instance *i, const char *module,
                                   const char *class_name, enum chy_binding binding,
                                   const struct chy_place *place)
{
    pthread_condattr_t monotonic;
    struct chy_child *c = chy_calloc(1, sizeof(*c));
    if (!c) return NULL;
    const char *slash = strrchr(module, '/');
    snprintf(c->label, sizeof(c->label), "%s", slash ? slash + 1 : module);
    size_t n = strlen(c->label);
    if (n > 3 && strcmp(c->label + n - 3, ".so") == 0) c->label[n - 3] = 0;
    c->instance = i;
    c->binding = binding;
    c->file.fd = -1;
    c->state = CHY_CHILD_DOWN;
    c->next_start = INT64_MAX;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->module = chy_strdup(module);
    if (class_name) c->class_name = chy_strdup(class_name);
    if (copy_place(c, place) && c->wake >= 0 && c->module && (!class_name || c->class_name))
        return c;
    chy_child_free(c);
    return NULL;
}

void chy_child_free(struct chy_child *c)
{
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    c->now = NULL;
    chy_child_wake(c);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->supervisor_runs) pthread_join(c->supervisor, NULL);
    while (c->identity) {
        struct chy_identity *next = c->identity->next;
        chy_identity_free(c->identity);
        c->identity = next;
    }
    for (size_t k = 0; k < CHY_PLACE_PATHS; k++) {
        chy_free((char *)(uintptr_t)c->place.read[k]);
        chy_free((char *)(uintptr_t)c->place.write[k]);
    }
    chy_free((char *)(uintptr_t)c->place.user);
    chy_free(c->config);
    chy_free(c->module);
    chy_free(c->class_name);
    if (c->wake >= 0) close(c->wake);
    chy_file_drop_copy(&c->file);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    chy_free(c);
}

static bool name_ok(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n >= 1 && n <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

chy_hresult chy_child_named(struct chy_child *c, const char *name, struct chy_err *err)
{
    struct chy_instance *i = c->instance;
    chy_hresult hr = CHY_S_OK;
    if (!name_ok(name)) return chy_fail(err, CHY_E_NOINTERFACE, "its name is not [a-z0-9-]{1,32}");
    pthread_mutex_lock(&c->lock);
    if (i->name && strcmp(i->name, name) != 0) {
        hr = chy_fail(err, CHY_E_INVALIDARG, "its file is that of module %s now", name);
    } else if (!i->name) {
        hr = chy_instance_name(i, name, err);
    }
    pthread_mutex_unlock(&c->lock);
    return hr;
}

/* The file as it is now, in a new process; to be used by who asked. */
static chy_hresult bring_up(struct chy_child *c, struct chy_file *f, struct chy_process **p,
                            struct chy_identity **identity, struct chy_err *err)
{
    chy_hresult hr = chy_library_copy(c->instance->ms, c->module, f, err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_child_start(c, f, p, identity, err);
    if (hr != CHY_S_OK) chy_wrap(err, "module %s", c->label);
    return hr;
}

chy_hresult chy_child_open(struct chy_instance *i, const char *module, const char *class_name,
                           enum chy_binding binding, const struct chy_place *place,
                           struct chy_err *err)
{
    struct chy_process *p;
    struct chy_identity *identity = NULL;
    if (!i->ms->config.modhost) {
        return chy_fail(err, CHY_E_NOTIMPL,
                        "module %s: its own process is asked for (Host), and chancery-modhost was "
                        "not found",
                        module);
    }
    struct chy_child *c = child_new(i, module, class_name, binding, place);
    if (!c) return chy_fail_nomem(err, "module");
    i->child = c;
    chy_hresult hr = find_user(c, err);
    if (hr == CHY_S_OK &&
        !(c->supervisor_runs = chy_thread_start(&c->supervisor, "modhost", chy_supervise, c))) {
        hr = chy_fail(err, CHY_E_OUTOFMEMORY, "supervisor: the system refuses another thread");
    }
    if (hr == CHY_S_OK) hr = bring_up(c, &c->file, &p, &identity, err);
    if (hr != CHY_S_OK) {
        chy_identity_free(identity);
        chy_child_free(c);
        i->child = NULL;
        return hr;
    }
    i->class_name = chy_strdup(identity->class_name);
    pthread_mutex_lock(&c->lock);
    i->late = identity->late;
    i->concurrent = identity->concurrent;
    chy_child_use(c, p, identity);
    p->users--;
    c->opened = true;
    pthread_mutex_unlock(&c->lock);
    if (i->class_name) return CHY_S_OK;
    chy_child_free(c);
    i->child = NULL;
    return chy_fail_nomem(err, "module");
}

static bool is_there(const struct chy_child *c, const struct chy_process *which)
{
    const struct chy_process *p = c->processes;
    while (p && p != which)
        p = p->next;
    return p != NULL;
}

/* Ends what runs, once its calls have returned; those that come wait. False: nothing ran. */
static bool stand_aside(struct chy_child *c)
{
    const struct chy_clock *clock = c->instance->ms->config.clock;
    int64_t until = chy_monotonic(clock) + (int64_t)c->instance->deadline_ms * 1000 + END_WAIT_US;
    pthread_mutex_lock(&c->lock);
    struct chy_process *old = c->now;
    if (old) {
        old->meant = true;
        c->now = NULL;
        c->state = CHY_CHILD_DOWN;
        c->next_start = chy_monotonic(clock);
        chy_child_wake(c);
    }
    while (old && is_there(c, old) && chy_monotonic(clock) < until)
        (void)wait_until(c, chy_monotonic(clock) + LOOK_US);
    pthread_mutex_unlock(&c->lock);
    return old != NULL;
}

/* Beside what runs, so that no call waits. But where a module finds that its files are another's
 * (ERROR_BUSY), that is the one that runs. */
static chy_hresult bring_up_anew(struct chy_child *c, struct chy_file *f, struct chy_process **p,
                                 struct chy_identity **identity, struct chy_err *err)
{
    chy_hresult hr = bring_up(c, f, p, identity, err);
    if (hr == CHY_S_OK) return hr;
    if (hr != CHY_ERROR_BUSY || !c->place.n_write || !stand_aside(c))
        return chy_wrap(err, "what runs stays as it is");
    chy_file_drop_copy(f);
    chy_identity_free(*identity);
    *identity = NULL;
    chy_err_clear(err);
    hr = bring_up(c, f, p, identity, err);
    return hr == CHY_S_OK ? hr : chy_wrap(err, "what ran before is started again");
}

chy_hresult chy_child_reload(struct chy_child *c, struct chy_err *err)
{
    struct chy_process *p = NULL;
    struct chy_identity *identity = NULL;
    struct chy_file f = {.fd = -1};
    pthread_mutex_lock(&c->lock);
    bool busy = c->reloading || c->starter_runs;
    if (!busy) c->reloading = true;
    pthread_mutex_unlock(&c->lock);
    if (busy) return chy_fail(err, CHY_ERROR_BUSY, "module %s is being started already", c->label);
    chy_hresult hr = bring_up_anew(c, &f, &p, &identity, err);
    pthread_mutex_lock(&c->lock);
    if (hr == CHY_S_OK) {
        struct chy_file old = c->file;
        c->file = f;
        f = old;
        c->failures = 0;
        atomic_store(&c->failed_lately, false);
        chy_child_use(c, p, identity);
    } else if (p) {
        p->meant = true;
    }
    if (p) p->users--;
    c->reloading = false;
    chy_child_wake(c);
    pthread_mutex_unlock(&c->lock);
    chy_file_drop_copy(&f);
    if (hr != CHY_S_OK) chy_identity_free(identity);
    return hr;
}

void chy_child_info(struct chy_child *c, struct chy_instance_info *out)
{
    pthread_mutex_lock(&c->lock);
    const struct chy_identity *id = c->identity;
    out->class_name = id->class_name;
    out->version = id->version;
    out->path = id->path;
    memcpy(out->sha256_octets, id->sha256, sizeof(out->sha256_octets));
    chy_hex_cstr(out->sha256, CHY_SPAN(id->sha256));
    snprintf(out->confined, sizeof(out->confined), "%s", id->confined);
    snprintf(out->last_end, sizeof(out->last_end), "%s", c->last_end);
    out->late_bound = id->late;
    out->state = c->state;
    out->quarantined = c->state == CHY_CHILD_QUARANTINED;
    out->pid = c->now ? c->now->pid : 0;
    out->restarts = c->restarts;
    out->deadline_kills = c->deadline_kills;
    pthread_mutex_unlock(&c->lock);
}
