/* What every intermediary needs: the CAs that are served, and who is calling. Protocols differ in
 * how a request is packed; who may do what is decided here, once, the same for all. Thread: loop.
 * Immutable once the loop runs, but for what says so. */
#ifndef CHY_ENROL_SERVICE_H
#define CHY_ENROL_SERVICE_H

#include <stdatomic.h>

#include "ca/ca.h"
#include "net/net.h"

enum { CHY_SERVICE_MAX_CAS = 64 };

struct chy_ocsp;
struct chy_users;
struct chy_service {
    struct chy_net *net;
    struct chy_workers *workers;
    struct chy_users *users; /* stopped before the CAs close; freed by chy_service_fini */
    struct chy_ocsp *ocsp;   /* the responder; NULL: none */
    struct chy_buf openapi;  /* the document about the routes; empty: nobody asked for it yet */
    struct chy_bound *bound; /* routes that run on a worker; freed by chy_service_fini */
    struct chy_ca *ca[CHY_SERVICE_MAX_CAS]; /* the first is the default */
    size_t n_cas;
    uint32_t owner_uid; /* the daemon's user: may administer through the socket */
    /* The daemon has something to ask of its own CA yet: what others change waits for it. Set
     * before the loop runs. */
    atomic_bool settling;
    char token[65]; /* bearer token that may do everything; "" for none */
    const char *host;
    chy_time started;
};

/* Who is at the other end: socket owner and root administer, the token may do everything, other
 * local users may enrol, the network may do what the CA lets anonymous callers do. The name lives
 * in the exchange's arena. A GET on the loop must not ask: it might wait for the system. */
void chy_service_caller(const struct chy_service *s, struct chy_exchange *x,
                        const struct chy_ca *ca, struct chy_caller *out);
/* The CA that the path names (":ca"), or the default; NULL after the exchange was answered with
 * 404. */
struct chy_ca *chy_service_ca(const struct chy_service *s, struct chy_exchange *x);
struct chy_ca *chy_service_ca_by_name(const struct chy_service *s, const char *name);

/* A table of routes: registers "/api/v1" + path, and where per_ca also "/api/v1/ca/:ca" + path. The
 * same table makes the OpenAPI document, so the two cannot differ. */
struct chy_api_route {
    const char *method, *path;
    bool per_ca;
    /* Reads or writes the disk: runs on a worker with the exchange held. What does not, runs on the
     * loop, or where a caller's name has just been found. */
    bool blocks;
    size_t body_max; /* 0: the default */
    chy_handler handler;
    const char *summary;
};
void chy_service_fini(struct chy_service *s); /* after the loop has ended */
CHY_MUST_USE chy_hresult chy_service_routes(struct chy_service *s,
                                            const struct chy_api_route *table, size_t n,
                                            struct chy_err *err);
/* One route by itself, at path. */
CHY_MUST_USE chy_hresult chy_service_route(struct chy_service *s, const struct chy_api_route *r,
                                           const char *path, struct chy_err *err);

#endif
