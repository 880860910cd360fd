/* A daemon as its clients see it: where it is, who we are, one JSON answer per call. Thread: one at
 * a time per session. */
#ifndef CHY_CLIENT_SESSION_H
#define CHY_CLIENT_SESSION_H

#include <chancery/client.h>

#include "base/json.h"
#include "client/http_client.h"

struct chy_session;
/* Checks the options and copies them; members that are missing come from the environment. */
CHY_MUST_USE chy_hresult chy_session_new(const chy_client_options *o, struct chy_session **out,
                                         struct chy_err *err);
void chy_session_free(struct chy_session *s);
bool chy_session_is_local(const struct chy_session *s);
/* The connection is made anew with these at the next call; NULL: none. */
CHY_MUST_USE chy_hresult chy_session_set_token(struct chy_session *s, const char *token,
                                               struct chy_err *err);
CHY_MUST_USE chy_hresult chy_session_set_identity(struct chy_session *s, const char *cert_file,
                                                  const char *key_file, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_session_set_socket(struct chy_session *s, const char *path,
                                                struct chy_err *err);

/* "/api/v1" or, with a CA's name, "/api/v1/ca/NAME". */
void chy_path_begin(struct chy_buf *b, const char *ca);
/* RFC 3986: all but unreserved characters as %XX. */
void chy_path_add(struct chy_buf *b, const char *text);
void chy_path_query(struct chy_buf *b, bool *any, const char *name, const char *value);

struct chy_ask {
    const char *method, *path; /* NULL method: GET */
    const char *accept;        /* NULL: application/json */
    const char *content_type;
    struct chy_span body;
    unsigned timeout_ms; /* where the options name none; 0: 30 s */
    size_t answer_max;   /* octets of the answer's body; 0: 4 MiB */
};
enum { /* for what takes the CA long, and for what may be long */
       CHY_ASK_LONG_MS = 600000,
       CHY_ASK_CRL_MAX = 0x7fffffff
};
/* Any status is a success. The answer is valid until the next call. */
CHY_MUST_USE chy_hresult chy_session_ask(struct chy_session *s, const struct chy_ask *ask,
                                         const struct chy_httpc_answer **answer,
                                         struct chy_err *err);
/* A problem document as an error; CHY_S_OK for 2xx. */
CHY_MUST_USE chy_hresult chy_session_problem(const struct chy_httpc_answer *answer,
                                             struct chy_err *err);
/* Asks, refuses problems, parses. */
CHY_MUST_USE chy_hresult chy_session_json(struct chy_session *s, const struct chy_ask *ask,
                                          cJSON **out, struct chy_err *err);

#endif
