/* The event loop and HTTP/1.0 and 1.1 on it: plain TCP, TLS and the Unix socket, one router,
 * limits. One loop thread owns every handle. A handler runs on the loop and must not block: it
 * takes the exchange away (chy_exchange_hold) and whoever finishes the work answers from any
 * thread. RFC 9110, 9112. */
#ifndef CHY_NET_NET_H
#define CHY_NET_NET_H

#include "base/base.h"
#include "base/sys.h"

struct chy_net;      /* the loop with its listeners */
struct chy_exchange; /* one request and its answer */

struct chy_net_limits {
    size_t head_max;           /* 16 KiB */
    unsigned header_count_max; /* 64 */
    size_t body_max;           /* default of a route: 128 KiB */
    unsigned connections_max;  /* 1024, and as many as RLIMIT_NOFILE allows */
    unsigned per_peer_max;     /* connections of one address; 0: no limit */
    unsigned head_timeout_ms;  /* from the first octet to the end of the head: 10 s */
    unsigned body_timeout_ms;  /* from the head to the end of the body: 30 s */
    unsigned idle_timeout_ms;  /* keep-alive: 75 s */
    unsigned write_timeout_ms; /* 30 s */
    size_t buffered_max;       /* octets of bodies and answers held over all connections: 64 MiB */
};
extern const struct chy_net_limits chy_net_limits_default;

enum chy_transport { CHY_TRANSPORT_TCP, CHY_TRANSPORT_TLS, CHY_TRANSPORT_UNIX };

struct chy_net_tls { /* PEM; a renewed certificate is taken over by chy_net_set_tls */
    struct chy_span cert_chain;
    struct chy_span key;
    struct chy_span client_ca; /* who may sign client certificates; empty: none is asked for */
};

/* limits NULL: the default ones; clock NULL: the system's. */
CHY_MUST_USE chy_hresult chy_net_new(const struct chy_net_limits *limits,
                                     const struct chy_clock *clock, struct chy_net **out,
                                     struct chy_err *err);
/* From any thread. */
CHY_MUST_USE chy_hresult chy_net_set_tls(struct chy_net *net, const struct chy_net_tls *tls,
                                         struct chy_err *err);
/* host: a literal address; port 0: any, read back from *bound_port. On TLS connections wait until
 * there is a certificate. */
CHY_MUST_USE chy_hresult chy_net_listen_tcp(struct chy_net *net, const char *host, int port,
                                            bool tls, int *bound_port, struct chy_err *err);
/* A stale socket file is replaced; one that answers is refused with a clear text. mode e.g. 0660.
 */
CHY_MUST_USE chy_hresult chy_net_listen_unix(struct chy_net *net, const char *path, unsigned mode,
                                             struct chy_err *err);
/* Inherited socket (systemd socket units). */
CHY_MUST_USE chy_hresult chy_net_listen_fd(struct chy_net *net, int fd,
                                           enum chy_transport transport, struct chy_err *err);

/* Who is at the other end. */
struct chy_peer {
    enum chy_transport transport;
    uint32_t uid, gid, pid;      /* Unix socket: SO_PEERCRED */
    char address[64];            /* TCP: "127.0.0.1" */
    struct chy_span client_cert; /* TLS: DER, verified; empty: none */
};

/* Routing: method and a path pattern such as "/api/v1/requests/:id/certificate"; a ':name' part
 * takes one segment, a last part '*name' the rest of the path with its slashes, encoded ones too. A
 * GET route serves HEAD as well. Routes are added before the loop runs; body_max 0 is the limits'
 * default. 404 for no path, 405 with Allow for no method, both as problem documents. */
typedef void (*chy_handler)(struct chy_exchange *x, void *arg);
CHY_MUST_USE chy_hresult chy_net_route(struct chy_net *net, const char *method, const char *pattern,
                                       size_t body_max, chy_handler handler, void *arg,
                                       struct chy_err *err);

/* Reading the request: valid until it is answered. Names are compared without case. */
const char *chy_exchange_method(const struct chy_exchange *x);
const char *chy_exchange_path(const struct chy_exchange *x); /* decoded, no query */
const char *chy_exchange_param(const struct chy_exchange *x,
                               const char *name); /* of the pattern; "" when not there */
const char *chy_exchange_query(const struct chy_exchange *x,
                               const char *name); /* decoded; NULL when absent */
const char *chy_exchange_header(const struct chy_exchange *x,
                                const char *name); /* NULL when absent */
struct chy_span chy_exchange_body(const struct chy_exchange *x);
const struct chy_peer *chy_exchange_peer(const struct chy_exchange *x);
struct chy_arena *chy_exchange_arena(struct chy_exchange *x); /* lives as long as the exchange */

/* Answering: once. A handler either replies before it returns, or holds the exchange; a held one
 * must be answered later, from any thread, and stays valid until then even if the client has gone.
 */
void chy_exchange_hold(struct chy_exchange *x);
void chy_exchange_set_header(struct chy_exchange *x, const char *name, const char *value);
void chy_exchange_reply(struct chy_exchange *x, int status, const char *content_type,
                        struct chy_span body); /* body is copied */
/* The same, unless the body could not be made whole: then a problem says so. */
void chy_exchange_reply_buf(struct chy_exchange *x, int status, const char *content_type,
                            const struct chy_buf *body);
/* Octets of a file, however many: read and sent piece by piece, so that memory does not grow with
 * them. fd is taken over (closed when all is sent or the client is gone). Answers a GET or HEAD
 * with the conditions and the range that the request names (RFC 9110 13 and 14: If-Match,
 * If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range, one range of bytes; several
 * ranges are answered with the whole): 200, 206, 304, 412 or 416. Other methods have the whole.
 * Headers that were set are sent with 200, 206 and 304; a 412 or 416 has none of them. Of a file
 * that is shorter than size, the connection ends where the file does. */
struct chy_net_file {
    int fd;
    uint64_t size;
    const char *content_type;
    const char *etag;  /* with its quotes; NULL: none */
    chy_time modified; /* 0: not known */
};
void chy_exchange_reply_file(struct chy_exchange *x, const struct chy_net_file *file);
/* The same conditions for an answer that is at hand: 200 with the body (copied), 206, 304, 412 or
 * 416. */
void chy_exchange_reply_tagged(struct chy_exchange *x, const char *content_type, const char *etag,
                               chy_time modified, struct chy_span body);
/* RFC 9457: {"type","title","status","detail","code","hresult"}; status from the code's table. */
void chy_exchange_problem(struct chy_exchange *x, const struct chy_err *err);
void chy_exchange_problem_status(struct chy_exchange *x, int status, const struct chy_err *err);

/* Running. */
CHY_MUST_USE chy_hresult chy_net_run(struct chy_net *net, struct chy_err *err); /* until stopped */
/* From any thread or a signal-safe context of ours: stop accepting, finish what runs (answers say
 * Connection: close), close idle connections, at most drain_ms. */
void chy_net_stop(struct chy_net *net, unsigned drain_ms);
/* After chy_net_run has returned, or without it. Whoever still holds an exchange must be done with
 * it: those never answered are freed here. */
void chy_net_free(struct chy_net *net);
/* Runs fn on the loop thread soon; from any thread. */
CHY_MUST_USE chy_hresult chy_net_post(struct chy_net *net, void (*fn)(void *arg), void *arg);
/* Calls fn every period_ms on the loop. This one and the two below: before the loop runs, or on it.
 */
CHY_MUST_USE chy_hresult chy_net_every(struct chy_net *net, unsigned period_ms,
                                       void (*fn)(void *arg), void *arg, struct chy_err *err);
/* Signals and standard input as events of the loop. What cannot be waited for (a file, /dev/null, a
 * closed descriptor) has reached its end at once; what is read from a pipe is dropped. */
CHY_MUST_USE chy_hresult chy_net_on_signal(struct chy_net *net, int signum, void (*fn)(void *arg),
                                           void *arg, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_net_on_stdin_eof(struct chy_net *net, void (*fn)(void *arg), void *arg,
                                              struct chy_err *err);

struct chy_net_counters {
    uint64_t connections, requests, refused, tls_handshakes;
    uint64_t evicted;         /* made room for others */
    uint64_t status_class[6]; /* [2]: 2xx … */
    uint32_t open_connections, held;
    size_t buffered;
};
void chy_net_counters(struct chy_net *net, struct chy_net_counters *out);

#endif
