/* Callers, CAs and route tables. */
#include "enrol/service.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "enrol/users.h"

static const uint32_t everything = CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER |
                                   CHY_CA_ACCESS_AUDITOR | CHY_CA_ACCESS_OPERATOR |
                                   CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ENROLL;

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strncmp(address, "::ffff:127.", 11) == 0;
}

/* A token in the clear over a network is a token given away: it counts on TLS, the socket and
 * loopback. */
static bool has_token(const struct chy_service *s, struct chy_exchange *x)
{
    const char *value = chy_exchange_header(x, "Authorization");
    const struct chy_peer *peer = chy_exchange_peer(x);
    size_t n = strlen(s->token);
    if (!n || !value || strncasecmp(value, "Bearer ", 7) != 0 || strlen(value + 7) != n)
        return false;
    if (peer->transport == CHY_TRANSPORT_TCP && !is_loopback(peer->address)) return false;
    return chy_equal_secret(value + 7, s->token, n);
}

static const char *user_name(struct chy_exchange *x, const struct chy_service *s, uint32_t uid)
{
    char user[LOGIN_NAME_MAX];
    chy_users_name(s->users, uid, user);
    char *name = chy_arena_printf(chy_exchange_arena(x), "%s\\%s", s->host, user);
    return name ? name : "local user";
}

void chy_service_caller(const struct chy_service *s, struct chy_exchange *x,
                        const struct chy_ca *ca, struct chy_caller *out)
{
    const struct chy_peer *peer = chy_exchange_peer(x);
    *out = (struct chy_caller){.name = "anonymous"};
    if (has_token(s, x)) {
        *out = (struct chy_caller){"token", everything};
    } else if (peer->transport == CHY_TRANSPORT_UNIX) {
        out->name = user_name(x, s, peer->uid);
        bool owner = peer->uid == 0 || peer->uid == s->owner_uid;
        out->access = owner ? everything : CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ENROLL;
    } else {
        char *name = chy_arena_printf(chy_exchange_arena(x), "anonymous@%s", peer->address);
        if (name) out->name = name;
        if (ca && chy_ca_anonymous_may_submit(ca)) out->access = CHY_CA_ACCESS_ENROLL;
    }
}

struct chy_ca *chy_service_ca_by_name(const struct chy_service *s, const char *name)
{
    for (size_t i = 0; i < s->n_cas; i++) {
        if (chy_ca_name_matches(s->ca[i], name)) return s->ca[i];
    }
    return NULL;
}

struct chy_ca *chy_service_ca(const struct chy_service *s, struct chy_exchange *x)
{
    const char *name = chy_exchange_param(x, "ca");
    struct chy_ca *ca = *name ? chy_service_ca_by_name(s, name) : s->ca[0];
    if (ca) return ca;
    struct chy_err err = {0};
    chy_fail(&err, CHY_ERROR_FILE_NOT_FOUND, "there is no CA named \"%.64s\" here", name);
    chy_exchange_problem(x, &err);
    return NULL;
}

/* A route whose handler waits, or may have to, and the service it belongs to. */
struct chy_bound {
    struct chy_bound *next;
    struct chy_service *service;
    chy_handler handler;
    bool blocks, changes;
};

struct deferred {
    struct chy_bound *bound;
    struct chy_exchange *x;
};

static void refuse_busy(struct chy_exchange *x)
{
    struct chy_err err = {0};
    chy_fail(&err, CHY_ERROR_BUSY, "the queue is full: try again in a moment");
    chy_exchange_problem(x, &err);
}

static void run_deferred(void *arg)
{
    enum { SETTLING_US = 200 };
    struct deferred *d = arg;
    struct chy_service *s = d->bound->service;
    /* Behind the others again: what it waits for may need this very worker. */
    if (d->bound->changes && atomic_load(&s->settling)) {
        usleep(SETTLING_US);
        if (chy_workers_run(s->workers, run_deferred, d)) return;
    }
    d->bound->handler(d->x, s);
}

static void go_on(void *arg)
{
    struct deferred *d = arg;
    struct chy_service *s = d->bound->service;
    if (!d->bound->blocks) {
        d->bound->handler(d->x, s);
    } else if (!chy_workers_run(s->workers, run_deferred, d)) {
        refuse_busy(d->x);
    }
}

/* Whom the system has to tell the name of comes back when it did: neither the loop nor a worker
 * waits for that. */
static void hand_over(struct chy_exchange *x, void *arg)
{
    struct chy_bound *bound = arg;
    struct chy_users *users = bound->service->users;
    const struct chy_peer *peer = chy_exchange_peer(x);
    bool is_new = peer->transport == CHY_TRANSPORT_UNIX && !chy_users_knows(users, peer->uid);
    if (!is_new && !bound->blocks) {
        bound->handler(x, bound->service);
        return;
    }
    struct deferred *d = chy_arena_alloc(chy_exchange_arena(x), sizeof(*d));
    chy_exchange_hold(x);
    if (d) *d = (struct deferred){bound, x};
    if (d && !is_new) {
        go_on(d);
    } else if (!d || !chy_users_learn(users, peer->uid, go_on, d)) {
        refuse_busy(x);
    }
}

chy_hresult chy_service_route(struct chy_service *s, const struct chy_api_route *r,
                              const char *path, struct chy_err *err)
{
    size_t max = r->body_max ? r->body_max : 4096;
    bool changes = strcmp(r->method, "GET") != 0;
    if (!r->blocks && !changes)
        return chy_net_route(s->net, r->method, path, max, r->handler, s, err);
    struct chy_bound *bound = chy_malloc(sizeof(*bound));
    if (!bound) return chy_fail_nomem(err, "route");
    *bound = (struct chy_bound){s->bound, s, r->handler, r->blocks, changes};
    s->bound = bound;
    return chy_net_route(s->net, r->method, path, max, hand_over, bound, err);
}

chy_hresult chy_service_routes(struct chy_service *s, const struct chy_api_route *table, size_t n,
                               struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++) {
        char path[256];
        snprintf(path, sizeof(path), "/api/v1%s", table[i].path);
        hr = chy_service_route(s, &table[i], path, err);
        if (hr != CHY_S_OK || !table[i].per_ca) continue;
        snprintf(path, sizeof(path), "/api/v1/ca/:ca%s", table[i].path);
        hr = chy_service_route(s, &table[i], path, err);
    }
    return hr;
}

void chy_service_fini(struct chy_service *s)
{
    chy_buf_free(&s->openapi);
    chy_users_free(s->users);
    s->users = NULL;
    while (s->bound) {
        struct chy_bound *next = s->bound->next;
        chy_free(s->bound);
        s->bound = next;
    }
}
