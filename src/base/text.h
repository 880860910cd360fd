/* Text forms: hex, base64, PEM, UTF-8, AD CS sanitized names, times.
 * Thread: any. Pure functions. */
#ifndef CHY_BASE_TEXT_H
#define CHY_BASE_TEXT_H

#include "base/base.h"

void chy_hex_add(struct chy_buf *out, struct chy_span s); /* lower case */
void chy_hex_cstr(char *out, struct chy_span s);          /* out holds 2n+1 */
/* Accepts both cases and nothing else; false on odd length or a foreign character. A decoder that
 * refuses leaves what out held. */
bool chy_hex_decode(struct chy_buf *out, struct chy_span text);

void chy_base64_add(struct chy_buf *out, struct chy_span s, size_t line); /* line 0: unbroken */
/* Ignores white space; strict otherwise (padding, alphabet). */
bool chy_base64_decode(struct chy_buf *out, struct chy_span text);

void chy_pem_add(struct chy_buf *out, const char *label, struct chy_span der);
/* Finds the first block whose label is one of labels (NULL-ended) at or after *pos (0 to start),
 * decodes it into out and moves *pos behind it. CHY_S_FALSE when there is none. */
chy_hresult chy_pem_next(struct chy_span text, const char *const *labels, size_t *pos,
                         struct chy_buf *out, struct chy_err *err);

bool chy_utf8_valid(struct chy_span s); /* well-formed, no NUL, no surrogate */
/* Octets of the first character of s; 0 where it is not well-formed or a control character. */
size_t chy_utf8_printable(struct chy_span s);

/* reference: MS-WCCE sanitized names. out grows; short form has at most 57 characters. */
void chy_sanitize_name(struct chy_buf *out, const char *name);
void chy_sanitize_short_name(struct chy_buf *out, const char *name);

/* As much as fits, and a NUL; how much that was. */
size_t chy_text_copy(char *out, size_t cap, const char *s);
/* As strcasecmp says. The first letter tells most names of a table apart without a call. */
bool chy_text_same(const char *a, const char *b);

#define CHY_US_PER_S INT64_C(1000000)
#define CHY_TIME_LAST (INT64_C(253402300799) * CHY_US_PER_S) /* 9999-12-31T23:59:59Z */
/* "2026-11-21T05:58:04Z", with ".ffffff" where the fraction is not 0. out holds 32. */
void chy_time_format(char *out, chy_time t);
/* The same, and "2026-11-21", and a number of seconds since 1970. */
bool chy_time_parse(const char *s, chy_time *out);
/* RFC 1123: "Tue, 21 Nov 2028 01:06:53 GMT". */
bool chy_time_parse_http(const char *s, chy_time *out);
/* Proleptic Gregorian, UTC. */
struct chy_civil {
    int year, month, day, hour, minute, second; /* month 1..12 */
};
void chy_civil_from_time(struct chy_civil *out, chy_time t); /* fraction dropped towards the past */
chy_time chy_time_from_civil(const struct chy_civil *c);

#endif
