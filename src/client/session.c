/* Options, credentials and calls. */
#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

#define DEFAULT_SOCKET "/run/chancery/chancery.sock"

struct chy_session {
    char *socket, *url, *ca_cert, *cert, *key, *token;
    unsigned timeout_ms;
    struct chy_httpc *http; /* NULL until the first call, and after a change */
    struct chy_httpc_answer answer;
};

static void wipe_free(char *s)
{
    if (s) chy_wipe(s, strlen(s));
    chy_free(s);
}

static chy_hresult keep(char **slot, const char *value, struct chy_err *err)
{
    char *copy = value && *value ? chy_strdup(value) : NULL;
    if (value && *value && !copy) return chy_fail_nomem(err, "client");
    wipe_free(*slot);
    *slot = copy;
    return CHY_S_OK;
}

static const char *given(const char *value, const char *variable)
{
    return value && *value ? value : secure_getenv(variable);
}

#define OPTION(o, m)                                                                               \
    ((o) && (o)->struct_size >= offsetof(chy_client_options, m) + sizeof((o)->m) ? (o)->m : 0)

static chy_hresult set_address(struct chy_session *s, const chy_client_options *o,
                               struct chy_err *err)
{
    const char *path = OPTION(o, socket), *url = OPTION(o, url);
    /* What was said here counts before the environment, whichever of the two it is. */
    if (!(path && *path) && !(url && *url)) {
        path = secure_getenv("CHANCERY_SOCKET");
        if (!path || !*path) url = secure_getenv("CHANCERY_URL");
        if (!(path && *path) && !(url && *url)) path = DEFAULT_SOCKET;
    }
    if (path && *path && url && *url && o && o->socket && o->url)
        return chy_fail(err, CHY_E_INVALIDARG, "either a socket or a URL is expected, not both");
    chy_hresult hr = keep(&s->socket, path, err);
    return hr == CHY_S_OK ? keep(&s->url, url, err) : hr;
}

chy_hresult chy_session_new(const chy_client_options *o, struct chy_session **out,
                            struct chy_err *err)
{
    struct chy_session *s = chy_calloc(1, sizeof(*s));
    if (!s) return chy_fail_nomem(err, "client");
    chy_httpc_answer_init(&s->answer);
    s->timeout_ms = OPTION(o, timeout_ms);
    chy_hresult hr = set_address(s, o, err);
    if (hr == CHY_S_OK)
        hr = keep(&s->ca_cert, given(OPTION(o, ca_cert_file), "CHANCERY_CA_CERT"), err);
    if (hr == CHY_S_OK) hr = keep(&s->cert, OPTION(o, cert_file), err);
    if (hr == CHY_S_OK) hr = keep(&s->key, OPTION(o, key_file), err);
    if (hr == CHY_S_OK) hr = keep(&s->token, given(OPTION(o, token), "CHANCERY_TOKEN"), err);
    if (hr == CHY_S_OK) {
        *out = s;
    } else {
        chy_session_free(s);
    }
    return hr;
}

static void disconnect(struct chy_session *s)
{
    chy_httpc_free(s->http);
    s->http = NULL;
}

void chy_session_free(struct chy_session *s)
{
    if (!s) return;
    char *all[] = {s->socket, s->url, s->ca_cert, s->cert, s->key, s->token};
    disconnect(s);
    chy_httpc_answer_free(&s->answer);
    for (size_t i = 0; i < CHY_ARRAY_LEN(all); i++)
        wipe_free(all[i]);
    chy_free(s);
}

bool chy_session_is_local(const struct chy_session *s)
{
    return s->socket != NULL;
}

chy_hresult chy_session_set_token(struct chy_session *s, const char *token, struct chy_err *err)
{
    return keep(&s->token, token, err);
}

chy_hresult chy_session_set_identity(struct chy_session *s, const char *cert_file,
                                     const char *key_file, struct chy_err *err)
{
    disconnect(s);
    chy_hresult hr = keep(&s->cert, cert_file, err);
    return hr == CHY_S_OK ? keep(&s->key, key_file, err) : hr;
}

chy_hresult chy_session_set_socket(struct chy_session *s, const char *path, struct chy_err *err)
{
    disconnect(s);
    return keep(&s->socket, path, err);
}

void chy_path_add(struct chy_buf *b, const char *text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++) {
        if (strchr(unreserved, *text)) {
            chy_buf_add_byte(b, (uint8_t)*text);
        } else {
            chy_buf_addf(b, "%%%02X", (unsigned char)*text);
        }
    }
}

void chy_path_begin(struct chy_buf *b, const char *ca)
{
    chy_buf_add_str(b, "/api/v1");
    if (!ca || !*ca) return;
    chy_buf_add_str(b, "/ca/");
    chy_path_add(b, ca);
}

void chy_path_query(struct chy_buf *b, bool *any, const char *name, const char *value)
{
    if (!value) return;
    chy_buf_addf(b, "%s%s=", *any ? "&" : "?", name);
    chy_path_add(b, value);
    *any = true;
}

static chy_hresult connect_session(struct chy_session *s, struct chy_err *err)
{
    if (s->http) return CHY_S_OK;
    return chy_httpc_new(&(struct chy_httpc_endpoint){.socket = s->socket,
                                                      .url = s->url,
                                                      .ca_cert_file = s->ca_cert,
                                                      .cert_file = s->cert,
                                                      .key_file = s->key,
                                                      .timeout_ms = s->timeout_ms},
                         &s->http, err);
}

chy_hresult chy_session_ask(struct chy_session *s, const struct chy_ask *ask,
                            const struct chy_httpc_answer **answer, struct chy_err *err)
{
    struct chy_httpc_call call = {.method = ask->method ? ask->method : "GET",
                                  .path = ask->path,
                                  .accept = ask->accept ? ask->accept : "application/json",
                                  .content_type = ask->content_type,
                                  .token = s->token,
                                  .body = ask->body,
                                  .timeout_ms = ask->timeout_ms,
                                  .answer_max = ask->answer_max};
    chy_hresult hr = connect_session(s, err);
    if (hr == CHY_S_OK) hr = chy_httpc_call(s->http, &call, &s->answer, err);
    if (hr == CHY_S_OK) *answer = &s->answer;
    return hr;
}

static chy_hresult code_of_status(int status)
{
    switch (status) {
    case 401:
    case 403: return CHY_E_ACCESSDENIED;
    case 404: return CHY_ERROR_FILE_NOT_FOUND;
    case 503: return CHY_ERROR_BUSY;
    default: return status < 500 ? CHY_E_INVALIDARG : CHY_E_FAIL;
    }
}

chy_hresult chy_session_problem(const struct chy_httpc_answer *answer, struct chy_err *err)
{
    cJSON *v = NULL;
    int64_t code = 0;
    const char *detail = NULL;
    if (answer->status >= 200 && answer->status < 300) return CHY_S_OK;
    if (strstr(answer->content_type, "json") &&
        chy_json_parse(chy_buf_span(&answer->body), CHY_HTTPC_BODY_MAX, &v, NULL) == CHY_S_OK) {
        detail = chy_json_str(v, "detail", NULL);
        if (!chy_json_int(v, "hresult", &code, NULL) || code >= 0 || code < INT32_MIN) code = 0;
    }
    chy_hresult hr = code ? (chy_hresult)code : code_of_status(answer->status);
    if (detail && *detail) {
        chy_fail(err, hr, "%s", detail);
    } else {
        chy_fail(err, hr, "the daemon answered with HTTP status %d", answer->status);
    }
    cJSON_Delete(v);
    return hr;
}

chy_hresult chy_session_json(struct chy_session *s, const struct chy_ask *ask, cJSON **out,
                             struct chy_err *err)
{
    const struct chy_httpc_answer *a = NULL;
    chy_hresult hr = chy_session_ask(s, ask, &a, err);
    if (hr == CHY_S_OK) hr = chy_session_problem(a, err);
    if (hr == CHY_S_OK) hr = chy_json_parse(chy_buf_span(&a->body), CHY_HTTPC_BODY_MAX, out, err);
    return hr;
}
