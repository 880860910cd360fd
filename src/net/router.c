/* Patterns are few and short: each is compared in turn, the most literal match wins. */
#include "net/router.h"

#include <string.h>

static bool same_shape(const struct chy_route *a, const struct chy_route *b)
{
    if (a->segment_n != b->segment_n || a->shape != b->shape) return false;
    for (unsigned i = 0; i < a->segment_n; i++) {
        const struct chy_segment *s = &a->segments[i], *t = &b->segments[i];
        if (s->tail != t->tail) return false;
        if (!s->param && (s->n != t->n || memcmp(s->text, t->text, s->n) != 0)) return false;
    }
    return true;
}

/* Cuts a pattern into segments; their texts point into it. */
static bool compile(struct chy_route *route)
{
    char *s = route->pattern;
    if (*s != '/') return false;
    while (*s) {
        if (route->segment_n == CHY_ROUTE_SEGMENTS) return false;
        s++;
        size_t n = strcspn(s, "/");
        struct chy_segment *g = &route->segments[route->segment_n++];
        g->tail = *s == '*';
        g->param = g->tail || *s == ':';
        g->text = g->param ? s + 1 : s;
        g->n = g->param ? n - 1 : n;
        if (g->param && g->n == 0) return false;
        if (g->tail && s[n]) return false;
        if (g->param) route->shape |= 1u << (CHY_ROUTE_SEGMENTS - route->segment_n);
        s += n;
    }
    return true;
}

static void route_free(struct chy_route *route)
{
    if (!route) return;
    chy_free(route->method);
    chy_free(route->pattern);
    chy_free(route);
}

static bool grow(struct chy_router *r)
{
    if (r->n < r->cap) return true;
    size_t cap = r->cap ? r->cap * 2 : 32;
    struct chy_route **more = chy_realloc(r->routes, cap * sizeof(struct chy_route *));
    if (!more) return false;
    r->routes = more;
    r->cap = cap;
    return true;
}

chy_hresult chy_router_add(struct chy_router *r, const struct chy_route *route, struct chy_err *err)
{
    struct chy_route *own = chy_calloc(1, sizeof(*own));
    if (!own || !grow(r)) {
        chy_free(own);
        return chy_fail_nomem(err, "route");
    }
    *own = *route;
    own->method = chy_strdup(route->method);
    own->pattern = chy_strdup(route->pattern);
    if (!own->method || !own->pattern) {
        route_free(own);
        return chy_fail_nomem(err, "route");
    }
    if (!compile(own)) {
        route_free(own);
        return chy_fail(err, CHY_E_INVALIDARG, "route %s: malformed pattern", route->pattern);
    }
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->routes[i]->method, own->method) == 0 && same_shape(r->routes[i], own)) {
            route_free(own);
            return chy_fail(err, CHY_E_INVALIDARG, "route %s %s: there is one already",
                            route->method, route->pattern);
        }
    }
    r->routes[r->n++] = own;
    return CHY_S_OK;
}

void chy_router_free(struct chy_router *r)
{
    for (size_t i = 0; i < r->n; i++) {
        route_free(r->routes[i]);
    }
    chy_free(r->routes);
    *r = (struct chy_router){NULL, 0, 0};
}

struct path_parts {
    struct chy_span part[CHY_ROUTE_SEGMENTS];
    unsigned n;
    bool more; /* there are further segments */
    const char *path;
    size_t path_n, encoded_slash;
};

static void split(struct path_parts *out, const char *path, size_t encoded_slash)
{
    out->n = 0;
    out->path = path;
    out->path_n = strlen(path);
    out->encoded_slash = encoded_slash;
    const char *s = path;
    while (*s && out->n < CHY_ROUTE_SEGMENTS) {
        s++;
        size_t n = strcspn(s, "/");
        out->part[out->n++] = chy_span_of(s, n);
        s += n;
    }
    out->more = *s != 0;
}

static size_t offset_of(const struct path_parts *parts, unsigned i)
{
    return (size_t)((const char *)parts->part[i].p - parts->path);
}

static bool matches(const struct chy_route *route, const struct path_parts *parts)
{
    if (route->segment_n > parts->n) return false;
    const struct chy_segment *last = &route->segments[route->segment_n - 1];
    if (!last->tail && (route->segment_n != parts->n || parts->more)) return false;
    size_t clean = last->tail ? offset_of(parts, route->segment_n - 1) : SIZE_MAX;
    if (parts->encoded_slash < clean) return false;
    for (unsigned i = 0; i < route->segment_n; i++) {
        const struct chy_segment *g = &route->segments[i];
        const struct chy_span *p = &parts->part[i];
        if (g->tail) return parts->path_n > offset_of(parts, i);
        if (g->param ? p->n == 0 : (g->n != p->n || memcmp(g->text, p->p, p->n) != 0)) return false;
    }
    return true;
}

static bool serves(const struct chy_route *route, const char *method)
{
    if (strcmp(route->method, method) == 0) return true;
    return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

static void take_params(struct chy_match *out, const struct path_parts *parts)
{
    const struct chy_route *route = out->route;
    for (unsigned i = 0; i < route->segment_n; i++) {
        out->params[i] = parts->part[i];
        if (route->segments[i].tail) {
            size_t at = offset_of(parts, i);
            out->params[i] = chy_span_of(parts->path + at, parts->path_n - at);
        }
    }
}

void chy_router_find(const struct chy_router *r, const char *method, const char *path,
                     size_t encoded_slash, struct chy_match *out)
{
    struct path_parts parts;
    split(&parts, path, encoded_slash);
    out->route = NULL;
    out->path_known = false;
    for (size_t i = 0; i < r->n; i++) {
        const struct chy_route *route = r->routes[i];
        if (!matches(route, &parts)) continue;
        out->path_known = true;
        if (!serves(route, method)) continue;
        if (!out->route || route->shape < out->route->shape) out->route = route;
    }
    if (out->route) take_params(out, &parts);
}

void chy_router_allow(const struct chy_router *r, const char *path, size_t encoded_slash,
                      struct chy_buf *out)
{
    struct path_parts parts;
    split(&parts, path, encoded_slash);
    for (size_t i = 0; i < r->n; i++) {
        const struct chy_route *route = r->routes[i];
        if (!matches(route, &parts)) continue;
        if (out->n) chy_buf_add_str(out, ", ");
        chy_buf_add_str(out, route->method);
        if (strcmp(route->method, "GET") == 0) chy_buf_add_str(out, ", HEAD");
    }
}
