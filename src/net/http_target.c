/* Strict decoding of the request target: what two readers could understand in two ways is refused.
 */
#include "net/http_target.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes "%HH" at s; -1 when malformed or a control octet, which no path or parameter needs. */
static int decode_octet(const char *s)
{
    int high = hex_digit(s[1]);
    int low = high < 0 ? -1 : hex_digit(s[2]);
    if (low < 0) return -1;
    int c = high * 16 + low;
    return c < 0x20 || c == 0x7f ? -1 : c;
}

static bool dot_segment(const char *segment, size_t n)
{
    return (n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.');
}

/* A path that climbs is refused, not normalised (RFC 3986 5.2.4): no honest client sends one. */
static bool has_dot_segment(const char *path)
{
    for (const char *s = path; *s;) {
        const char *end = strchr(s + 1, '/');
        size_t n = end ? (size_t)(end - s) : strlen(s);
        if (dot_segment(s + 1, n - 1)) return true;
        s += n;
    }
    return false;
}

static const char *decode_path(struct chy_http_request *req, char *path)
{
    char *to = path;
    req->path = path;
    for (const char *from = path; *from; from++) {
        int c = (unsigned char)*from;
        if (c == '%') {
            c = decode_octet(from);
            if (c < 0) return "path: malformed or forbidden percent encoding (RFC 3986 2.1)";
            if (c == '/' && req->encoded_slash == SIZE_MAX) {
                req->encoded_slash = (size_t)(to - path);
            }
            from += 2;
        }
        if (c == '\\') return "path: backslash";
        *to++ = (char)c;
    }
    *to = 0;
    if (has_dot_segment(path)) return "path: dot segment (RFC 3986 5.2.4)";
    return NULL;
}

/* The form encoding that browsers use: '+' is a space. */
static bool decode_form(char *s)
{
    char *to = s;
    for (const char *from = s; *from; from++) {
        int c = (unsigned char)*from;
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            c = hex_digit(from[1]) < 0 ? -1 : decode_octet(from);
            if (c < 0) return false;
            from += 2;
        }
        *to++ = (char)c;
    }
    *to = 0;
    return true;
}

static const char *decode_query(struct chy_http_request *req, char *query)
{
    while (query && *query) {
        char *next = strchr(query, '&');
        if (next) *next++ = 0;
        if (*query) {
            if (req->query_n == CHY_HTTP_QUERY_MAX) return "query: too many parameters";
            char *value = strchr(query, '=');
            if (value) *value++ = 0;
            if (!decode_form(query) || (value && !decode_form(value))) {
                return "query: malformed or forbidden percent encoding (RFC 3986 2.1)";
            }
            struct chy_http_query *q = &req->query[req->query_n++];
            q->name = query;
            q->value = value ? value : "";
        }
        query = next;
    }
    return NULL;
}

/* absolute-form (RFC 9112 3.2.2): the authority is skipped, Host has been checked on its own. */
static char *skip_authority(char *target)
{
    size_t scheme = 0;
    if (strncasecmp(target, "http://", 7) == 0) scheme = 7;
    if (strncasecmp(target, "https://", 8) == 0) scheme = 8;
    if (!scheme) return NULL;
    size_t n = strcspn(target + scheme, "/?");
    char *path = target + scheme + n;
    return n > 0 && *path == '/' ? path : NULL;
}

const char *chy_http_target(struct chy_http_request *req, char *target)
{
    char *path = target[0] == '/' ? target : skip_authority(target);
    if (!path) return "request target: neither a path nor an http URI (RFC 9112 3.2)";
    if (strchr(path, '#')) return "request target: fragment (RFC 9112 3.2)";
    char *query = strchr(path, '?');
    if (query) *query++ = 0;
    const char *why = decode_path(req, path);
    if (why) return why;
    if (!chy_utf8_valid(chy_span_cstr(path))) return "path: not UTF-8";
    return decode_query(req, query);
}
