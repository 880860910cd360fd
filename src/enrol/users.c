/* The last users that were asked for; the oldest answer makes room. */
#include "enrol/users.h"

#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca.h"

struct user {
    int64_t until; /* of the clock that never goes back; 0: nobody */
    uint32_t uid;
    char name[LOGIN_NAME_MAX];
};

/* Whoever asks for another holds it as well, so that an answer that comes too late finds it. */
struct chy_users {
    const struct chy_clock *clock;
    pthread_mutex_t lock;
    struct user user[CHY_USERS_KEPT]; /* all these under lock */
    struct chy_workers *asker;        /* NULL until there is something to ask */
    size_t holders;
    bool stopped;
};

chy_hresult chy_users_new(const struct chy_clock *clock, struct chy_users **out,
                          struct chy_err *err)
{
    struct chy_users *u = chy_calloc(1, sizeof(*u));
    if (!u) return chy_fail_nomem(err, "names of users");
    u->clock = clock;
    u->holders = 1;
    pthread_mutex_init(&u->lock, NULL);
    *out = u;
    return CHY_S_OK;
}

static void let_go(struct chy_users *u)
{
    pthread_mutex_lock(&u->lock);
    bool last = --u->holders == 0;
    pthread_mutex_unlock(&u->lock);
    if (!last) return;
    pthread_mutex_destroy(&u->lock);
    chy_free(u);
}

void chy_users_free(struct chy_users *u)
{
    if (u) let_go(u);
}

/* name NULL: only whether there is one. */
static bool look(struct chy_users *u, uint32_t uid, char *name)
{
    bool known = false;
    int64_t now = chy_monotonic(u->clock);
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < CHY_USERS_KEPT && !known; i++) {
        known = u->user[i].uid == uid && u->user[i].until > now;
        if (known && name) chy_text_copy(name, LOGIN_NAME_MAX, u->user[i].name);
    }
    pthread_mutex_unlock(&u->lock);
    return known;
}

static void keep(struct chy_users *u, uint32_t uid, const char *name)
{
    struct user *place = u->user;
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < CHY_USERS_KEPT; i++) {
        bool same = u->user[i].uid == uid && u->user[i].until;
        if (same || u->user[i].until < place->until) place = &u->user[i];
        if (same) break;
    }
    place->until = chy_monotonic(u->clock) + CHY_USERS_GOOD_FOR_S * CHY_US_PER_S;
    place->uid = uid;
    chy_text_copy(place->name, sizeof(place->name), name);
    pthread_mutex_unlock(&u->lock);
}

/* Part of a name would be another's: one that is too long counts as none. */
static void ask(uint32_t uid, char *out)
{
    struct passwd pw, *found = NULL;
    char space[4096];
    if (getpwuid_r(uid, &pw, space, sizeof(space), &found) == 0 && found &&
        strlen(found->pw_name) < LOGIN_NAME_MAX)
        chy_text_copy(out, LOGIN_NAME_MAX, found->pw_name);
    else
        (void)snprintf(out, LOGIN_NAME_MAX, "uid:%u", uid);
}

bool chy_users_knows(struct chy_users *u, uint32_t uid)
{
    return look(u, uid, NULL);
}

void chy_users_name(struct chy_users *u, uint32_t uid, char out[static LOGIN_NAME_MAX])
{
    if (look(u, uid, out)) return;
    ask(uid, out);
    keep(u, uid, out);
}

struct question {
    struct chy_users *users;
    uint32_t uid;
    void (*then)(void *arg);
    void *arg;
};

static bool is_stopped(struct chy_users *u)
{
    pthread_mutex_lock(&u->lock);
    bool stopped = u->stopped;
    pthread_mutex_unlock(&u->lock);
    return stopped;
}

static void answer(void *arg)
{
    struct question q = *(struct question *)arg;
    char name[LOGIN_NAME_MAX];
    chy_free(arg);
    if (!is_stopped(q.users)) chy_users_name(q.users, q.uid, name);
    if (!is_stopped(q.users)) q.then(q.arg);
    let_go(q.users);
}

static bool has_asker(struct chy_users *u)
{
    struct chy_err err = {0};
    if (u->asker) return true;
    if (u->stopped) return false;
    if (chy_workers_new(1, &u->asker, &err) == CHY_S_OK) return true;
    chy_log(CHY_LOG_LEVEL_ERROR, "users.no_thread", "error", err.text, NULL);
    return false;
}

bool chy_users_learn(struct chy_users *u, uint32_t uid, void (*then)(void *arg), void *arg)
{
    struct question *q = chy_malloc(sizeof(*q));
    if (!q) return false;
    *q = (struct question){u, uid, then, arg};
    pthread_mutex_lock(&u->lock);
    bool asked = has_asker(u) && chy_workers_run(u->asker, answer, q);
    if (asked) u->holders++;
    pthread_mutex_unlock(&u->lock);
    if (!asked) chy_free(q);
    return asked;
}

void chy_users_stop(struct chy_users *u)
{
    pthread_mutex_lock(&u->lock);
    struct chy_workers *asker = u->asker;
    u->asker = NULL;
    u->stopped = true;
    pthread_mutex_unlock(&u->lock);
    chy_workers_free(asker);
}
