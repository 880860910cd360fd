/* Which handler answers a method and a path.
 * Thread: loop (routes are added before it runs). */
#ifndef CHY_NET_ROUTER_H
#define CHY_NET_ROUTER_H

#include "net/net.h"

#define CHY_ROUTE_SEGMENTS 16

struct chy_segment {
    char *text; /* literal, or the parameter's name */
    size_t n;
    bool param;
    bool tail; /* "*name": takes the rest of the path, slashes and all */
};

struct chy_route {
    char *method;
    char *pattern;
    struct chy_segment segments[CHY_ROUTE_SEGMENTS];
    unsigned segment_n;
    unsigned
        shape; /* a bit per parameter, the first segment highest: the smaller, the more literal */
    size_t body_max;
    chy_handler handler;
    void *arg;
};

struct chy_router {
    struct chy_route **routes;
    size_t n, cap;
};

struct chy_match {
    const struct chy_route *route;              /* NULL: none */
    bool path_known;                            /* some route has this path, with another method */
    struct chy_span params[CHY_ROUTE_SEGMENTS]; /* one per segment; those of parameters are set */
};

CHY_MUST_USE chy_hresult chy_router_add(struct chy_router *r, const struct chy_route *route,
                                        struct chy_err *err); /* copies method and pattern */
void chy_router_free(struct chy_router *r);
/* encoded_slash: see struct chy_http_request; only a tail may cover one. */
void chy_router_find(const struct chy_router *r, const char *method, const char *path,
                     size_t encoded_slash, struct chy_match *out);
/* "GET, HEAD, POST" for a known path. */
void chy_router_allow(const struct chy_router *r, const char *path, size_t encoded_slash,
                      struct chy_buf *out);

#endif
