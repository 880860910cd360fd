/* One request and its answer. While it is held, everything here but the connection's handle belongs
 * to the holder; handing it back is the loop's list and its lock. */
#include "net/net_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Buffers are kept for the next request when they are no larger than this. */
#define KEEP_MAX 8192

void chy_net_conn_trim(struct chy_buf *b)
{
    if (b->cap <= KEEP_MAX) {
        chy_buf_reset(b);
        return;
    }
    size_t max = b->max;
    chy_buf_free(b);
    chy_buf_init(b, max);
}

void chy_exchange_reset(struct chy_exchange *x)
{
    chy_file_close(&x->file);
    chy_arena_reset(&x->arena);
    chy_net_conn_trim(&x->body);
    chy_net_conn_trim(&x->answer);
    chy_buf_reset(&x->extra);
    x->match.route = NULL;
    x->status = 0;
    x->content_type[0] = 0;
    x->own_cache = x->held = x->answered = false;
}

static void make_refusal(struct chy_conn *c, int status, const char *why)
{
    struct chy_err err = {CHY_S_OK, ""};
    (void)chy_fail(&err, chy_problem_code(status), "%s", why);
    CHY_COUNT(c->net->refused);
    c->x.answered = false;
    c->close_after = true;
    chy_exchange_problem_status(&c->x, status, &err);
}

void chy_exchange_refuse(struct chy_conn *c, int status, const char *why)
{
    make_refusal(c, status, why);
    chy_net_conn_send(c);
}

void chy_exchange_refuse_malformed(struct chy_conn *c)
{
    c->linger = true;
    make_refusal(c, c->parser.status, c->parser.why);
    if (chy_wait_refusal(c)) {
        c->state = CHY_CONN_REFUSED;
    } else {
        chy_net_conn_send(c);
    }
}

static void refuse_route(struct chy_conn *c)
{
    const struct chy_http_request *req = &c->parser.req;
    struct chy_exchange *x = &c->x;
    struct chy_err err = {CHY_S_OK, ""};
    int status = 404;
    if (x->match.path_known) {
        status = 405;
        struct chy_buf allow;
        chy_buf_init(&allow, 256);
        chy_router_allow(&c->net->router, req->path, req->encoded_slash, &allow);
        chy_exchange_set_header(x, "Allow", chy_buf_cstr(&allow));
        chy_buf_free(&allow);
        (void)chy_fail(&err, chy_problem_code(405),
                       "method %s: not for this path (RFC 9110 15.5.6)", req->method);
    } else {
        (void)chy_fail(&err, chy_problem_code(404), "path: nothing is here (RFC 9110 15.5.5)");
    }
    if (chy_http_has_body(req)) c->close_after = c->linger = true;
    chy_exchange_problem_status(x, status, &err);
    chy_net_conn_send(c);
}

static void read_body(struct chy_conn *c)
{
    const struct chy_http_request *req = &c->parser.req;
    c->state = CHY_CONN_BODY;
    if (req->expect_continue && c->in_pos == c->in_n) chy_net_conn_send_interim(c);
}

void chy_exchange_begin(struct chy_conn *c)
{
    struct chy_exchange *x = &c->x;
    const struct chy_http_request *req = &c->parser.req;
    CHY_COUNT(c->net->requests);
    chy_router_find(&c->net->router, req->method, req->path, req->encoded_slash, &x->match);
    const struct chy_route *route = x->match.route;
    if (!route) {
        refuse_route(c);
        return;
    }
    switch (chy_http_body_start(&c->parser, &x->body, route->body_max)) {
    case CHY_HTTP_REFUSED: chy_exchange_refuse_malformed(c); break;
    case CHY_HTTP_MORE: read_body(c); break;
    case CHY_HTTP_DONE: chy_exchange_dispatch(c); break;
    }
}

void chy_exchange_dispatch(struct chy_conn *c)
{
    struct chy_exchange *x = &c->x;
    const struct chy_route *route = x->match.route;
    c->state = CHY_CONN_BUSY;
    route->handler(x, route->arg);
    if (x->held) return;
    if (!x->answered) {
        struct chy_err err = {CHY_S_OK, ""};
        (void)chy_fail(&err, CHY_E_UNEXPECTED, "%s: no answer was made", route->pattern);
        chy_exchange_problem_status(x, 500, &err);
    }
    chy_net_conn_send(c);
}

const char *chy_exchange_method(const struct chy_exchange *x)
{
    return x->conn->parser.req.method;
}

const char *chy_exchange_path(const struct chy_exchange *x)
{
    return x->conn->parser.req.path;
}

const char *chy_exchange_param(const struct chy_exchange *x, const char *name)
{
    const struct chy_route *route = x->match.route;
    size_t n = strlen(name);
    for (unsigned i = 0; route && i < route->segment_n; i++) {
        const struct chy_segment *g = &route->segments[i];
        if (!g->param || g->n != n || memcmp(g->text, name, n) != 0) continue;
        const char *s =
            chy_arena_strndup(&x->conn->x.arena, x->match.params[i].p, x->match.params[i].n);
        return s ? s : "";
    }
    return "";
}

const char *chy_exchange_query(const struct chy_exchange *x, const char *name)
{
    const struct chy_http_request *req = &x->conn->parser.req;
    for (unsigned i = 0; i < req->query_n; i++) {
        if (strcmp(req->query[i].name, name) == 0) return req->query[i].value;
    }
    return NULL;
}

const char *chy_exchange_header(const struct chy_exchange *x, const char *name)
{
    return chy_http_field(&x->conn->parser.req, name);
}

struct chy_span chy_exchange_body(const struct chy_exchange *x)
{
    return chy_buf_span(&x->body);
}

const struct chy_peer *chy_exchange_peer(const struct chy_exchange *x)
{
    return &x->conn->peer;
}

struct chy_arena *chy_exchange_arena(struct chy_exchange *x)
{
    return &x->arena;
}

void chy_exchange_hold(struct chy_exchange *x)
{
    if (x->held) return;
    x->held = true;
    CHY_COUNT(x->conn->net->held);
}

/* The connection's own fields are ours alone: a second one would break the framing. */
static bool own_field(const char *name)
{
    static const char *const ours[] = {"Connection", "Content-Length", "Transfer-Encoding",
                                       "Date",       "Content-Type",   "X-Content-Type-Options",
                                       "Keep-Alive", "Upgrade",        "Trailer"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(ours); i++) {
        if ((ours[i][0] | 0x20) == (name[0] | 0x20) && strcasecmp(ours[i], name) == 0) return true;
    }
    return false;
}

void chy_exchange_set_header(struct chy_exchange *x, const char *name, const char *value)
{
    if (x->answered || own_field(name)) return;
    size_t before = x->extra.n;
    if (!chy_http_add_field(&x->extra, name, value)) {
        x->extra.n = before;
        x->extra.failed = false;
        return;
    }
    if (strcasecmp(name, "Cache-Control") == 0) x->own_cache = true;
}

void chy_exchange_answered(struct chy_exchange *x)
{
    x->answered = true;
    if (x->held) chy_net_hand_back(x->conn->net, x);
}

/* The answer's buffer has room for this from an earlier one, or the status says it alone. */
void chy_exchange_without_memory(struct chy_exchange *x)
{
    static const char text[] =
        "{\"type\":\"urn:chancery:problem:outofmemory\",\"title\":\"There is "
        "not enough memory\",\"status\":500}";
    x->status = 500;
    chy_buf_reset(&x->extra); /* it was for the answer, and so was leave to keep it */
    x->own_cache = false;
    snprintf(x->content_type, sizeof(x->content_type), "application/problem+json");
    chy_buf_reset(&x->answer);
    chy_buf_add_str(&x->answer, text);
    if (x->answer.failed) {
        chy_buf_reset(&x->answer);
        x->content_type[0] = 0;
    }
    x->length = x->answer.n;
}

void chy_exchange_answer(struct chy_exchange *x, int status, const char *content_type)
{
    x->status = status >= 200 && status <= 599 ? status : 500;
    size_t n = content_type ? strcspn(content_type, "\r\n") : 0;
    if (n >= sizeof(x->content_type)) n = sizeof(x->content_type) - 1;
    if (n) memcpy(x->content_type, content_type, n);
    x->content_type[n] = 0;
    chy_buf_reset(&x->answer);
}

void chy_exchange_reply(struct chy_exchange *x, int status, const char *content_type,
                        struct chy_span body)
{
    if (x->answered) return;
    chy_exchange_answer(x, status, content_type);
    chy_buf_add_span(&x->answer, body);
    x->length = x->answer.n;
    if (x->answer.failed) chy_exchange_without_memory(x);
    chy_charge(x->conn, x->answer.n);
    chy_exchange_answered(x);
}

void chy_exchange_reply_buf(struct chy_exchange *x, int status, const char *content_type,
                            const struct chy_buf *body)
{
    struct chy_err err = {CHY_S_OK, ""};
    if (chy_buf_done(body, "answer", &err) == CHY_S_OK)
        chy_exchange_reply(x, status, content_type, chy_buf_span(body));
    else
        chy_exchange_problem(x, &err);
}
