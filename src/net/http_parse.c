/* The head is scanned before llhttp sees it: bare CR, bare LF, NUL, other controls and folded lines
 * are refused whatever the parser would say, so that a front end and we cannot disagree about where
 * a field or a message ends (RFC 9112 2.2, 5.2, 11.2). */
#include "net/http_parse.h"

#include <string.h>
#include <strings.h>

#include "net/http_target.h"

/* The longest method, two spaces, the version. */
#define REQUEST_LINE_EXTRA 40
/* Chunk headers, extensions and trailers: at most this much, and eight times the content. */
#define FRAMING_MAX 16384

static enum chy_http_step refuse(struct chy_http_parser *p, int status, const char *why)
{
    p->status = status;
    p->why = why;
    return CHY_HTTP_REFUSED;
}

static bool is_name(const struct chy_http_field *f, const char *name, size_t n)
{
    return f->name_n == n && strncasecmp(f->name, name, n) == 0;
}

#define IS_NAME(f, lit) is_name(f, lit, sizeof(lit) - 1)

static struct chy_http_parser *parser_of(llhttp_t *ll)
{
    return ll->data;
}

static char *in_head(struct chy_http_parser *p, const char *at)
{
    return p->target + (at - p->target);
}

/* The head is one contiguous piece, so each callback comes once per text: a second one is refused.
 */
static int on_url(llhttp_t *ll, const char *at, size_t n)
{
    struct chy_http_parser *p = parser_of(ll);
    if (p->target_n) return -1;
    p->target = in_head(p, at);
    p->target_n = n;
    return 0;
}

static int on_header_field(llhttp_t *ll, const char *at, size_t n)
{
    struct chy_http_parser *p = parser_of(ll);
    if (p->headers_done) return 0; /* trailers are read and dropped (RFC 9112 7.1.2) */
    if (p->req.field_n >= p->limits.header_count_max) return -1;
    p->req.fields[p->req.field_n++] = (struct chy_http_field){.name = at, .value = "", .name_n = n};
    return 0;
}

static int on_header_value(llhttp_t *ll, const char *at, size_t n)
{
    struct chy_http_parser *p = parser_of(ll);
    if (p->headers_done) return 0;
    if (!p->req.field_n) return -1;
    struct chy_http_field *f = &p->req.fields[p->req.field_n - 1];
    if (f->value_n) return -1;
    f->value = at;
    f->value_n = n;
    return 0;
}

static int on_headers_complete(llhttp_t *ll)
{
    struct chy_http_parser *p = parser_of(ll);
    p->headers_done = true;
    p->req.keep_alive = llhttp_should_keep_alive(ll) != 0;
    p->req.chunked = (ll->flags & F_CHUNKED) != 0;
    p->req.length = ll->flags & F_CONTENT_LENGTH ? ll->content_length : 0;
    p->req.http10 = ll->http_major == 1 && ll->http_minor == 0;
    return 0;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
    struct chy_http_parser *p = parser_of(ll);
    if (!p->body) return -1;
    if (n > p->body_max - p->body->n) {
        (void)refuse(p, 413, "body: longer than this route takes");
        return -1;
    }
    chy_buf_add(p->body, at, n);
    return 0;
}

static int on_message_complete(llhttp_t *ll)
{
    parser_of(ll)->message_done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void chy_http_start(struct chy_http_parser *p, const struct chy_http_limits *limits)
{
    p->limits = *limits;
    if (p->limits.header_count_max > CHY_HTTP_FIELDS_MAX) {
        p->limits.header_count_max = CHY_HTTP_FIELDS_MAX;
    }
    p->scanned = p->start = p->line = p->head_n = p->target_n = 0;
    p->lines = p->spaces = 0;
    p->headers_done = p->message_done = false;
    p->body = NULL;
    p->body_max = 0;
    p->raw_n = 0;
    p->status = 0;
    p->why = NULL;
    p->req.method = "";
    p->req.path = NULL;
    p->req.encoded_slash = SIZE_MAX;
    p->req.field_n = p->req.query_n = 0;
    p->req.expect_continue = p->req.http10 = p->req.keep_alive = p->req.chunked = false;
    p->req.length = 0;
}

static enum chy_http_step check_sizes(struct chy_http_parser *p)
{
    bool first = p->line == p->start;
    if (first && p->scanned - p->start > CHY_HTTP_TARGET_MAX + REQUEST_LINE_EXTRA) {
        return refuse(p, 414, "request target: longer than 8192 octets (RFC 9110 15.5.15)");
    }
    if (p->scanned > p->limits.head_max) {
        return refuse(p, 431, "head: too many octets (RFC 6585 5)");
    }
    if (p->lines > p->limits.header_count_max + 1) {
        return refuse(p, 431, "head: too many fields (RFC 6585 5)");
    }
    return CHY_HTTP_MORE;
}

/* At a CRLF. Done at the empty line; one empty line in front of the request is skipped (RFC
 * 9112 2.2). */
static enum chy_http_step end_line(struct chy_http_parser *p)
{
    enum chy_http_step step = check_sizes(p);
    if (step != CHY_HTTP_MORE) return step;
    bool empty = p->scanned == p->line;
    bool first = p->line == p->start;
    p->scanned += 2;
    if (empty && first) {
        if (p->start) return refuse(p, 400, "head: empty lines before the request (RFC 9112 2.2)");
        p->start = p->line = p->scanned;
        return CHY_HTTP_MORE;
    }
    if (first && p->spaces != 2) {
        return refuse(p, 400, "request line: not three words between single spaces (RFC 9112 3)");
    }
    p->line = p->scanned;
    p->lines++;
    if (!empty) return CHY_HTTP_MORE;
    p->head_n = p->scanned;
    return CHY_HTTP_DONE;
}

static enum chy_http_step scan(struct chy_http_parser *p, const char *in, size_t n)
{
    while (p->scanned < n) {
        unsigned char c = (unsigned char)in[p->scanned];
        if (c >= 0x21 && c != 0x7f) {
            p->scanned++;
            continue;
        }
        if (c == '\r') {
            if (p->scanned + 1 == n) break;
            if (in[p->scanned + 1] != '\n') return refuse(p, 400, "head: bare CR (RFC 9112 2.2)");
            enum chy_http_step step = end_line(p);
            if (step != CHY_HTTP_MORE) return step;
            continue;
        }
        if (c == '\n') return refuse(p, 400, "head: bare LF (RFC 9112 2.2)");
        if (c == 0) return refuse(p, 400, "head: NUL (RFC 9110 5.5)");
        if (c != ' ' && c != '\t') return refuse(p, 400, "head: control octet (RFC 9110 5.5)");
        if (p->scanned == p->line) return refuse(p, 400, "head: folded line (RFC 9112 5.2)");
        if (p->line == p->start) p->spaces += c == ' ' ? 1 : 3;
        p->scanned++;
    }
    return check_sizes(p);
}

static enum chy_http_step refuse_llhttp(struct chy_http_parser *p, llhttp_errno_t e)
{
    bool length = false;
    for (unsigned i = 0; i < p->req.field_n; i++) {
        length |= IS_NAME(&p->req.fields[i], "content-length");
    }
    switch (e) {
    case HPE_INVALID_METHOD: return refuse(p, 400, "method: unknown (RFC 9110 9)");
    case HPE_INVALID_URL: return refuse(p, 400, "request target: malformed (RFC 9112 3.2)");
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
        return refuse(p, 505, "version: only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9110 2.5)");
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(
            p, 400,
            "Content-Length: malformed, repeated or beside Transfer-Encoding (RFC 9112 6.3)");
    case HPE_INVALID_TRANSFER_ENCODING:
        if (length) {
            return refuse(p, 400, "Transfer-Encoding: beside Content-Length (RFC 9112 6.3)");
        }
        return refuse(p, 501, "Transfer-Encoding: only chunked is understood (RFC 9112 6.1)");
    default: return refuse(p, 400, "head: malformed (RFC 9112 2.1)");
    }
}

static enum chy_http_step run_llhttp(struct chy_http_parser *p, char *in)
{
    p->target = in;
    llhttp_init(&p->ll, HTTP_REQUEST, &settings);
    p->ll.data = p;
    llhttp_errno_t e = llhttp_execute(&p->ll, in + p->start, p->head_n - p->start);
    bool good = e == HPE_OK || e == HPE_PAUSED || e == HPE_PAUSED_UPGRADE;
    if (!good) return refuse_llhttp(p, e);
    /* llhttp must agree with the scan about where the head ends, or one of the two is being fooled.
     */
    const char *end = in + p->head_n;
    bool whole = e == HPE_OK || llhttp_get_error_pos(&p->ll) == end;
    if (!p->headers_done || !whole) return refuse(p, 400, "head: malformed (RFC 9112 2.1)");
    bool one = p->ll.http_major == 1 && p->ll.http_minor <= 1;
    if (!one) return refuse_llhttp(p, HPE_INVALID_VERSION);
    return CHY_HTTP_DONE;
}

/* Ends each text with NUL: behind a name stands its colon, behind a value white space or CR. */
static void end_texts(struct chy_http_parser *p, char *in)
{
    for (unsigned i = 0; i < p->req.field_n; i++) {
        struct chy_http_field *f = &p->req.fields[i];
        in[(size_t)(f->name - in) + f->name_n] = 0;
        while (f->value_n &&
               (f->value[f->value_n - 1] == ' ' || f->value[f->value_n - 1] == '\t')) {
            f->value_n--;
        }
        if (f->value_n) {
            in[(size_t)(f->value - in) + f->value_n] = 0;
        } else {
            f->value = "";
        }
    }
    p->target[p->target_n] = 0;
}

static bool good_host(const struct chy_http_field *f)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~!$&'()*+;=%:[]";
    return f->value_n <= 261 && strspn(f->value, allowed) == f->value_n;
}

/* Fields that mean nothing good when they stand twice. */
enum { F_HOST, F_LENGTH, F_CODING, F_AUTHORIZATION, F_TYPE, F_EXPECT, F_ONCE };

static int once_index(const struct chy_http_field *f)
{
    static const struct {
        const char *name;
        size_t n;
    } once[F_ONCE] = {{"host", 4},           {"content-length", 14}, {"transfer-encoding", 17},
                      {"authorization", 13}, {"content-type", 12},   {"expect", 6}};
    for (int i = 0; i < F_ONCE; i++) {
        if (is_name(f, once[i].name, once[i].n)) return i;
    }
    return -1;
}

static enum chy_http_step check_framing(struct chy_http_parser *p,
                                        const struct chy_http_field *const *seen)
{
    if (seen[F_LENGTH] && seen[F_CODING]) {
        return refuse(p, 400, "Transfer-Encoding: beside Content-Length (RFC 9112 6.3)");
    }
    if (seen[F_LENGTH]) {
        const struct chy_http_field *f = seen[F_LENGTH];
        if (!f->value_n || f->value_n > 18 || strspn(f->value, "0123456789") != f->value_n) {
            return refuse(p, 400, "Content-Length: not a number (RFC 9110 8.6)");
        }
    }
    if (!seen[F_CODING]) return CHY_HTTP_DONE;
    if (p->req.http10) {
        return refuse(p, 400, "Transfer-Encoding: in an HTTP/1.0 request (RFC 9112 6.1)");
    }
    if (strcasecmp(seen[F_CODING]->value, "chunked") != 0 || !p->req.chunked) {
        return refuse(p, 501, "Transfer-Encoding: only chunked is understood (RFC 9112 6.1)");
    }
    return CHY_HTTP_DONE;
}

static enum chy_http_step check_fields(struct chy_http_parser *p)
{
    const struct chy_http_field *seen[F_ONCE] = {NULL};
    for (unsigned i = 0; i < p->req.field_n; i++) {
        const struct chy_http_field *f = &p->req.fields[i];
        int k = once_index(f);
        if (k < 0) continue;
        if (seen[k])
            return refuse(p, 400, "head: a field repeated that may stand once (RFC 9110 5.3)");
        seen[k] = f;
    }
    if (!seen[F_HOST] && !p->req.http10) {
        return refuse(p, 400, "Host: missing (RFC 9112 3.2)");
    }
    if (seen[F_HOST] && !good_host(seen[F_HOST])) {
        return refuse(p, 400, "Host: malformed (RFC 9112 3.2)");
    }
    if (seen[F_EXPECT] && !p->req.http10) {
        if (strcasecmp(seen[F_EXPECT]->value, "100-continue") != 0) {
            return refuse(p, 417, "Expect: only 100-continue is understood (RFC 9110 10.1.1)");
        }
        p->req.expect_continue = true;
    }
    return check_framing(p, seen);
}

enum chy_http_step chy_http_head(struct chy_http_parser *p, char *in, size_t n)
{
    enum chy_http_step step = scan(p, in, n);
    if (step != CHY_HTTP_DONE) return step;
    step = run_llhttp(p, in);
    if (step != CHY_HTTP_DONE) return step;
    if (p->target_n > CHY_HTTP_TARGET_MAX) {
        return refuse(p, 414, "request target: longer than 8192 octets (RFC 9110 15.5.15)");
    }
    end_texts(p, in);
    step = check_fields(p);
    if (step != CHY_HTTP_DONE) return step;
    p->req.method = llhttp_method_name((llhttp_method_t)p->ll.method);
    const char *why = chy_http_target(&p->req, p->target);
    return why ? refuse(p, 400, why) : CHY_HTTP_DONE;
}

bool chy_http_has_body(const struct chy_http_request *req)
{
    return req->chunked || req->length > 0;
}

enum chy_http_step chy_http_body_start(struct chy_http_parser *p, struct chy_buf *body,
                                       size_t body_max)
{
    p->body = body;
    p->body_max = body_max;
    if (!p->req.chunked && p->req.length > body_max) {
        return refuse(p, 413, "body: longer than this route takes (RFC 9110 15.5.14)");
    }
    return chy_http_has_body(&p->req) ? CHY_HTTP_MORE : CHY_HTTP_DONE;
}

static enum chy_http_step plain_body(struct chy_http_parser *p, const char *in, size_t n,
                                     size_t *used)
{
    uint64_t left = p->req.length - p->body->n;
    *used = n < left ? n : (size_t)left;
    chy_buf_add(p->body, in, *used);
    if (p->body->failed) return refuse(p, 503, "body: not enough memory");
    return p->body->n == p->req.length ? CHY_HTTP_DONE : CHY_HTTP_MORE;
}

static enum chy_http_step chunked_body(struct chy_http_parser *p, const char *in, size_t n,
                                       size_t *used)
{
    llhttp_errno_t e = llhttp_execute(&p->ll, in, n);
    *used = n;
    if (p->body->failed) return refuse(p, 503, "body: not enough memory");
    if (p->status) return CHY_HTTP_REFUSED;
    if (p->message_done && (e == HPE_PAUSED || e == HPE_PAUSED_UPGRADE)) {
        *used = (size_t)(llhttp_get_error_pos(&p->ll) - in);
        return CHY_HTTP_DONE;
    }
    if (e != HPE_OK) return refuse(p, 400, "body: malformed chunk (RFC 9112 7.1)");
    p->raw_n += n;
    if (p->raw_n > FRAMING_MAX + 9 * (uint64_t)p->body->n) {
        return refuse(p, 400, "body: too much chunk framing (RFC 9112 7.1.1)");
    }
    return CHY_HTTP_MORE;
}

enum chy_http_step chy_http_body(struct chy_http_parser *p, const char *in, size_t n, size_t *used)
{
    *used = 0;
    if (n == 0) return CHY_HTTP_MORE;
    return p->req.chunked ? chunked_body(p, in, n, used) : plain_body(p, in, n, used);
}

const char *chy_http_field(const struct chy_http_request *req, const char *name)
{
    size_t n = strlen(name);
    for (unsigned i = 0; i < req->field_n; i++) {
        if (is_name(&req->fields[i], name, n)) return req->fields[i].value;
    }
    return NULL;
}
