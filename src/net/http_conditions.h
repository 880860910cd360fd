/* What the conditions and the range of a request make of an answer that would be a 200. RFC 9110 13
 * and 14.
 * Thread: any. Pure functions. */
#ifndef CHY_NET_HTTP_CONDITIONS_H
#define CHY_NET_HTTP_CONDITIONS_H

#include "net/http_parse.h"

/* The representation that would be sent. */
struct chy_http_selected {
    const char *etag;  /* with its quotes; NULL: none */
    chy_time modified; /* 0: not known */
    chy_time now;
    uint64_t size;
};

struct chy_http_part {
    int status; /* 200, 206, 304, 412 or 416 */
    uint64_t first, n;
};

/* Of a GET or HEAD; any other method has the whole. */
void chy_http_conditions(const struct chy_http_request *req, const struct chy_http_selected *sel,
                         struct chy_http_part *out);

#endif
