/* One call: connection made or kept, request written, answer read. */
#include "client/http_client.h"

#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "client/wire.h"

enum { DEFAULT_TIMEOUT_MS = 30000, REQUEST_MAX = 1 << 20 };

struct chy_httpc {
    char *socket, *where;
    struct chy_httpc_url url;
    unsigned timeout_ms;
    SSL_CTX *ctx;
    struct chy_wire wire;
};

chy_hresult chy_httpc_new(const struct chy_httpc_endpoint *e, struct chy_httpc **out,
                          struct chy_err *err)
{
    struct chy_httpc *c = chy_calloc(1, sizeof(*c));
    chy_hresult hr = CHY_S_OK;
    if (!c) return chy_fail_nomem(err, "client");
    c->wire.fd = -1;
    c->timeout_ms = e->timeout_ms;
    c->where = chy_strdup(e->socket ? e->socket : e->url ? e->url : "");
    c->socket = e->socket ? chy_strdup(e->socket) : NULL;
    if (!c->where || (e->socket && !c->socket)) {
        hr = chy_fail_nomem(err, "client");
    } else if (!e->socket) {
        hr = chy_httpc_url_parse(c->where, &c->url, err);
    }
    c->wire.where = c->where;
    if (hr == CHY_S_OK && c->url.tls) hr = chy_wire_tls_ctx(e, &c->ctx, err);
    if (hr == CHY_S_OK) {
        *out = c;
    } else {
        chy_httpc_free(c);
    }
    return hr;
}

void chy_httpc_free(struct chy_httpc *c)
{
    if (!c) return;
    chy_wire_close(&c->wire);
    SSL_CTX_free(c->ctx);
    chy_free(c->socket);
    chy_free(c->where);
    chy_free(c);
}

const char *chy_httpc_where(const struct chy_httpc *c)
{
    return c->where;
}

static chy_hresult connect_if_needed(struct chy_httpc *c, struct chy_err *err)
{
    if (chy_wire_is_idle(&c->wire)) return CHY_S_OK;
    chy_wire_close(&c->wire);
    if (c->socket) return chy_wire_open_unix(&c->wire, c->socket, err);
    chy_hresult hr = chy_wire_open_tcp(&c->wire, &c->url, err);
    if (hr == CHY_S_OK && c->ctx) hr = chy_wire_start_tls(&c->wire, c->ctx, c->url.host, err);
    if (hr != CHY_S_OK) chy_wire_close(&c->wire);
    return hr;
}

static bool one_line(const char *s)
{
    for (; s && *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return false;
    }
    return true;
}

static bool asks_only(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void add_host(struct chy_buf *b, const struct chy_httpc *c)
{
    bool v6 = strchr(c->url.host, ':') != NULL;
    if (c->socket) {
        chy_buf_add_str(b, "Host: localhost\r\n");
    } else {
        chy_buf_addf(b, "Host: %s%s%s:%s\r\n", v6 ? "[" : "", c->url.host, v6 ? "]" : "",
                     c->url.port);
    }
}

static chy_hresult write_head(struct chy_buf *b, const struct chy_httpc *c,
                              const struct chy_httpc_call *call, struct chy_err *err)
{
    if (!one_line(call->path) || strchr(call->path, ' ') || !one_line(call->accept) ||
        !one_line(call->content_type) || !one_line(call->token))
        return chy_fail(err, CHY_E_INVALIDARG, "HTTP: a path or field with a control character");
    if (call->token && !c->socket && !c->ctx && !chy_httpc_is_loopback(c->url.host)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "%s: a token is not sent in the clear to another machine: use https",
                        c->where);
    }
    chy_buf_addf(b, "%s %s HTTP/1.1\r\n", call->method, call->path);
    add_host(b, c);
    if (call->accept) chy_buf_addf(b, "Accept: %s\r\n", call->accept);
    if (call->content_type) chy_buf_addf(b, "Content-Type: %s\r\n", call->content_type);
    if (call->token) chy_buf_addf(b, "Authorization: Bearer %s\r\n", call->token);
    if (call->body.n || !asks_only(call->method))
        chy_buf_addf(b, "Content-Length: %zu\r\n", call->body.n);
    chy_buf_add_str(b, "\r\n");
    chy_buf_add_span(b, call->body);
    return chy_buf_done(b, "HTTP request", err);
}

static chy_hresult read_answer(struct chy_httpc *c, bool is_head, struct chy_httpc_answer *answer,
                               struct chy_err *err)
{
    struct chy_httpc_reader r;
    uint8_t piece[16384];
    enum chy_httpc_step step = CHY_HTTPC_MORE;
    bool any = false;
    chy_httpc_reader_start(&r, is_head, answer);
    while (step == CHY_HTTPC_MORE) {
        size_t n = 0;
        chy_hresult hr = chy_wire_read(&c->wire, piece, sizeof(piece), &n, err);
        if (hr != CHY_S_OK) return hr;
        if (!n && !any)
            return chy_fail(err, CHY_ERROR_SERVICE_NOT_ACTIVE, "%s closed without an answer",
                            c->where);
        any = true;
        step = n ? chy_httpc_reader_feed(&r, piece, n) : chy_httpc_reader_eof(&r);
    }
    if (step == CHY_HTTPC_DONE) return CHY_S_OK;
    return chy_fail(err, CHY_ERROR_INVALID_DATA, "the answer of %s is refused: %s", c->where,
                    r.why);
}

chy_hresult chy_httpc_call(struct chy_httpc *c, const struct chy_httpc_call *call,
                           struct chy_httpc_answer *answer, struct chy_err *err)
{
    struct chy_buf request;
    chy_buf_init(&request, REQUEST_MAX);
    unsigned ms = c->timeout_ms ? c->timeout_ms : call->timeout_ms;
    c->wire.deadline =
        chy_monotonic(&chy_system_clock) + (int64_t)(ms ? ms : DEFAULT_TIMEOUT_MS) * 1000;
    answer->body.max = call->answer_max ? call->answer_max : CHY_HTTPC_BODY_MAX;
    chy_hresult hr = write_head(&request, c, call, err);
    if (hr == CHY_S_OK) hr = connect_if_needed(c, err);
    if (hr == CHY_S_OK) hr = chy_wire_write(&c->wire, chy_buf_span(&request), err);
    if (hr == CHY_S_OK) hr = read_answer(c, strcmp(call->method, "HEAD") == 0, answer, err);
    if (hr != CHY_S_OK || !answer->keep_alive) chy_wire_close(&c->wire);
    if (request.p) chy_wipe(request.p, request.n); /* a token is in it */
    chy_buf_free(&request);
    return hr;
}
