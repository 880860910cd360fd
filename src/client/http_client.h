/* A small blocking HTTP/1.1 client: one kept connection over a Unix socket, TCP or TLS, one
 * deadline per call. Thread: one at a time per client. */
#ifndef CHY_CLIENT_HTTP_CLIENT_H
#define CHY_CLIENT_HTTP_CLIENT_H

#include "client/http_answer.h"

struct chy_httpc_endpoint {
    const char *socket; /* a path; NULL: url */
    const char *url;    /* http://HOST[:PORT] or https://HOST[:PORT] */
    const char *ca_cert_file, *cert_file, *key_file;
    unsigned timeout_ms; /* of a whole call; 0: 30 s */
};

struct chy_httpc_call {
    const char *method, *path;
    const char *accept, *content_type, *token; /* NULL: none */
    struct chy_span body;
    unsigned timeout_ms; /* where the endpoint has none; 0: 30 s */
    size_t answer_max;   /* octets of its body; 0: CHY_HTTPC_BODY_MAX */
};

struct chy_httpc;
/* Copies the endpoint; connects at the first call. */
CHY_MUST_USE chy_hresult chy_httpc_new(const struct chy_httpc_endpoint *e, struct chy_httpc **out,
                                       struct chy_err *err);
void chy_httpc_free(struct chy_httpc *c);
const char *chy_httpc_where(const struct chy_httpc *c); /* for people */
/* ERROR_SERVICE_NOT_ACTIVE when nobody answers, ERROR_TIMEOUT after the deadline,
 * ERROR_INVALID_DATA for what is no answer. Any status is a success here. */
CHY_MUST_USE chy_hresult chy_httpc_call(struct chy_httpc *c, const struct chy_httpc_call *call,
                                        struct chy_httpc_answer *answer, struct chy_err *err);

/* url.c */
struct chy_httpc_url {
    bool tls;
    char host[256]; /* without brackets */
    char port[8];
};
CHY_MUST_USE chy_hresult chy_httpc_url_parse(const char *text, struct chy_httpc_url *out,
                                             struct chy_err *err);
bool chy_httpc_is_loopback(const char *host);

#endif
