/* The octets under HTTP: a connected socket, in the clear or under TLS, with a deadline. */
#ifndef CHY_CLIENT_WIRE_H
#define CHY_CLIENT_WIRE_H

#include <openssl/ssl.h>

#include "client/http_client.h"

struct chy_wire {
    int fd; /* -1: closed */
    SSL *ssl;
    int64_t deadline; /* chy_system_clock.monotonic */
    const char *where;
};

CHY_MUST_USE chy_hresult chy_wire_open_unix(struct chy_wire *w, const char *path,
                                            struct chy_err *err);
CHY_MUST_USE chy_hresult chy_wire_open_tcp(struct chy_wire *w, const struct chy_httpc_url *url,
                                           struct chy_err *err);
/* The peer's name must be in its certificate: a DNS name or an address (RFC 9525). */
CHY_MUST_USE chy_hresult chy_wire_start_tls(struct chy_wire *w, SSL_CTX *ctx, const char *host,
                                            struct chy_err *err);
void chy_wire_close(struct chy_wire *w);
CHY_MUST_USE chy_hresult chy_wire_write(struct chy_wire *w, struct chy_span data,
                                        struct chy_err *err);
/* *n is 0 when the peer closed. */
CHY_MUST_USE chy_hresult chy_wire_read(struct chy_wire *w, void *p, size_t cap, size_t *n,
                                       struct chy_err *err);
/* A kept connection on which something came, or the end, is of no use for the next call. */
bool chy_wire_is_idle(const struct chy_wire *w);

/* tls.c */
CHY_MUST_USE chy_hresult chy_wire_tls_ctx(const struct chy_httpc_endpoint *e, SSL_CTX **out,
                                          struct chy_err *err);
CHY_MUST_USE chy_hresult chy_wire_tls_write(struct chy_wire *w, struct chy_span data,
                                            struct chy_err *err);
CHY_MUST_USE chy_hresult chy_wire_tls_read(struct chy_wire *w, void *p, size_t cap, size_t *n,
                                           struct chy_err *err);
/* wire.c, for tls.c: on the bare socket */
CHY_MUST_USE chy_hresult chy_wire_send(struct chy_wire *w, struct chy_span data,
                                       struct chy_err *err);
CHY_MUST_USE chy_hresult chy_wire_recv(struct chy_wire *w, void *p, size_t cap, size_t *n,
                                       struct chy_err *err);

#endif
