/* Octets to a request: the head is collected whole, checked by us, then parsed once by llhttp; the
 * body follows. Nothing here touches a socket, a clock or the heap (the body's buffer apart). RFC
 * 9112, RFC 9110, RFC 3986. Thread: any. */
#ifndef CHY_NET_HTTP_PARSE_H
#define CHY_NET_HTTP_PARSE_H

#include <llhttp.h>

#include "base/base.h"

#define CHY_HTTP_FIELDS_MAX 128
#define CHY_HTTP_QUERY_MAX 32
#define CHY_HTTP_TARGET_MAX 8192

struct chy_http_limits {
    size_t head_max;
    unsigned header_count_max; /* at most CHY_HTTP_FIELDS_MAX */
};

struct chy_http_field {
    const char *name;
    const char *value;
    size_t name_n;
    size_t value_n;
};

struct chy_http_query {
    const char *name;
    const char *value;
};

/* All text lies in the octets that were given to chy_http_head and ends with NUL. */
struct chy_http_request {
    const char *method;
    char *path;           /* decoded */
    size_t encoded_slash; /* where in path the first %2F stood; SIZE_MAX: nowhere */
    struct chy_http_field fields[CHY_HTTP_FIELDS_MAX];
    unsigned field_n;
    struct chy_http_query query[CHY_HTTP_QUERY_MAX];
    unsigned query_n;
    bool http10;
    bool keep_alive;
    bool chunked;
    bool expect_continue;
    uint64_t length; /* of the body, when not chunked */
};

enum chy_http_step { CHY_HTTP_MORE, CHY_HTTP_DONE, CHY_HTTP_REFUSED };

struct chy_http_parser {
    struct chy_http_limits limits;
    llhttp_t ll;
    struct chy_http_request req;
    size_t scanned; /* octets that passed the check */
    size_t start;   /* where the request line begins */
    size_t line;    /* where the line under check begins */
    unsigned lines;
    unsigned spaces; /* in the request line */
    size_t head_n;   /* octets of the head, when it is done */
    char *target;
    size_t target_n;
    bool headers_done;
    bool message_done;
    struct chy_buf *body;
    size_t body_max;
    uint64_t raw_n; /* octets of a chunked body with its framing */
    int status;     /* of the refusal */
    const char *why;
};

void chy_http_start(struct chy_http_parser *p, const struct chy_http_limits *limits);
/* in: all octets since the start, n of them; earlier ones must not have changed. When done, the
 * first p->head_n octets are the head, and were changed (decoded, ended with NUL). */
enum chy_http_step chy_http_head(struct chy_http_parser *p, char *in, size_t n);
bool chy_http_has_body(const struct chy_http_request *req);
/* Names where the body goes and how long it may be; refuses a length that is over it. */
enum chy_http_step chy_http_body_start(struct chy_http_parser *p, struct chy_buf *body,
                                       size_t body_max);
enum chy_http_step chy_http_body(struct chy_http_parser *p, const char *in, size_t n, size_t *used);
/* NULL when absent. */
const char *chy_http_field(const struct chy_http_request *req, const char *name);

#endif
