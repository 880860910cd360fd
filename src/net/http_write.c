/* Plain copying instead of printf: this runs once per answer. */
#include "net/http_write.h"

#include <string.h>

#define ADD(out, lit) chy_buf_add(out, lit, sizeof(lit) - 1)

const char *chy_http_reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return status < 400 ? "Done" : "Error";
    }
}

bool chy_http_may_have_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void add_number(struct chy_buf *out, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    chy_buf_add(out, digits + n, sizeof(digits) - n);
}

void chy_http_write_head(struct chy_buf *out, const struct chy_http_answer *a, const char *date)
{
    chy_buf_add(out, a->http10 ? "HTTP/1.0 " : "HTTP/1.1 ", 9);
    add_number(out, (uint64_t)a->status);
    chy_buf_add_byte(out, ' ');
    chy_buf_add_str(out, chy_http_reason(a->status));
    ADD(out, "\r\nDate: ");
    chy_buf_add_str(out, date);
    if (a->content_type && a->content_type[0]) {
        ADD(out, "\r\nContent-Type: ");
        chy_buf_add_str(out, a->content_type);
    }
    if (chy_http_may_have_body(a->status)) {
        ADD(out, "\r\nContent-Length: ");
        add_number(out, a->length);
    }
    ADD(out, "\r\nX-Content-Type-Options: nosniff\r\n");
    if (a->no_store) ADD(out, "Cache-Control: no-store\r\n");
    if (a->close) {
        ADD(out, "Connection: close\r\n");
    } else if (a->http10) {
        ADD(out, "Connection: keep-alive\r\n");
    }
    chy_buf_add_span(out, a->extra);
    ADD(out, "\r\n");
}

/* RFC 9110 5.6.2: tchar. */
static bool is_token(unsigned char c)
{
    static const uint64_t allowed[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
    return c < 128 && (allowed[c / 64] >> c % 64 & 1);
}

static bool good_name(const char *s)
{
    if (!*s) return false;
    for (; *s; s++) {
        if (!is_token((unsigned char)*s)) return false;
    }
    return true;
}

static bool good_value(const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

bool chy_http_add_field(struct chy_buf *out, const char *name, const char *value)
{
    if (!good_name(name) || !good_value(value)) return false;
    chy_buf_add_str(out, name);
    ADD(out, ": ");
    chy_buf_add_str(out, value);
    ADD(out, "\r\n");
    return !out->failed;
}
