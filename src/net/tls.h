/* TLS 1.2 and 1.3 over a pair of memory BIOs: octets from the wire in, octets for the wire out; no
 * socket here. RFC 8446, RFC 7301, RFC 9325.
 * Thread: any for the context; a session belongs to the loop. */
#ifndef CHY_NET_TLS_H
#define CHY_NET_TLS_H

#include <openssl/ssl.h>

#include "net/net.h"

CHY_MUST_USE chy_hresult chy_tls_context(const struct chy_net_tls *tls, SSL_CTX **out,
                                         struct chy_err *err);

struct chy_tls {
    SSL *ssl;
    BIO *in;  /* owned by ssl */
    BIO *out; /* owned by ssl */
    bool established;
};

enum chy_tls_step {
    CHY_TLS_OK,     /* octets were moved */
    CHY_TLS_MORE,   /* the wire must deliver first */
    CHY_TLS_CLOSED, /* the peer said close_notify */
    CHY_TLS_BROKEN  /* what is waiting for the wire may hold an alert */
};

bool chy_tls_init(struct chy_tls *t, SSL_CTX *ctx);
void chy_tls_fini(struct chy_tls *t);
bool chy_tls_feed(struct chy_tls *t, const void *p, size_t n);
enum chy_tls_step chy_tls_read(struct chy_tls *t, void *p, size_t max, size_t *n);
enum chy_tls_step chy_tls_write(struct chy_tls *t, const void *p, size_t n);
bool chy_tls_has_more(const struct chy_tls *t); /* octets came that were not yet read */
void chy_tls_shutdown(struct chy_tls *t);       /* puts close_notify out */
struct chy_span chy_tls_pending(const struct chy_tls *t);
void chy_tls_taken(struct chy_tls *t); /* the pending octets were copied or sent */
/* The peer's verified certificate in DER, to be freed by chy_free; NULL when it showed none. */
uint8_t *chy_tls_peer_cert(const struct chy_tls *t, size_t *n);

#endif
