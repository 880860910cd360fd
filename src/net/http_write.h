/* An answer's head to octets. RFC 9112 4, RFC 9110 6.6.1.
 * Thread: any. Pure functions. */
#ifndef CHY_NET_HTTP_WRITE_H
#define CHY_NET_HTTP_WRITE_H

#include "base/base.h"
#include "net/http_date.h"

struct chy_http_answer {
    int status;
    const char *content_type; /* NULL or "": none */
    struct chy_span extra;    /* whole lines, each with CRLF */
    uint64_t length;
    bool http10;
    bool close;
    bool no_store;
};

const char *chy_http_reason(int status);
/* False for 1xx, 204 and 304 (RFC 9110 6.4.1). */
bool chy_http_may_have_body(int status);
void chy_http_write_head(struct chy_buf *out, const struct chy_http_answer *a, const char *date);
/* Name and value as one line; false (and nothing added) when they would break the head. */
bool chy_http_add_field(struct chy_buf *out, const char *name, const char *value);

#endif
