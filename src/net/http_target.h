/* The request target: which path and query parameters it names, decoded in place (RFC 3986).
 * Thread: any. Pure functions. */
#ifndef CHY_NET_HTTP_TARGET_H
#define CHY_NET_HTTP_TARGET_H

#include "net/http_parse.h"

/* target ends with NUL and is changed. NULL when good, else why it is refused. */
const char *chy_http_target(struct chy_http_request *req, char *target);

#endif
