/* The dates of HTTP. RFC 9110 5.6.7.
 * Thread: any. Pure functions. */
#ifndef CHY_NET_HTTP_DATE_H
#define CHY_NET_HTTP_DATE_H

#include "base/base.h"

#define CHY_HTTP_DATE_SIZE 30

/* "Tue, 21 Nov 2028 01:06:53 GMT" */
void chy_http_date(char out[CHY_HTTP_DATE_SIZE], chy_time t);
/* All three forms; now tells the century of the form that has two digits for the year. */
bool chy_http_date_parse(const char *s, chy_time now, chy_time *out);

#endif
