/* Any octets as an HTTP request: the whole at once and in pieces must be judged alike, and nothing
 * may be read or written outside. The first octet chooses the size of the pieces. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/http_conditions.h"
#include "net/http_parse.h"

#define IN_MAX 24576
#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct outcome {
    enum chy_http_step head, body;
    int status;
    size_t head_n, body_n;
};

static void parse_body(struct chy_http_parser *p, const char *in, size_t n, size_t piece,
                       struct outcome *out)
{
    struct chy_buf body;
    chy_buf_init(&body, BODY_MAX);
    out->body = chy_http_body_start(p, &body, BODY_MAX);
    for (size_t at = 0; out->body == CHY_HTTP_MORE && at < n;) {
        size_t used = 0, k = n - at < piece ? n - at : piece;
        out->body = chy_http_body(p, in + at, k, &used);
        if (used > k || body.n > BODY_MAX) abort();
        at += used;
    }
    if (out->body == CHY_HTTP_REFUSED) out->status = p->status;
    out->body_n = body.n;
    chy_buf_free(&body);
}

static void use_request(const struct chy_http_request *req)
{
    size_t sum = strlen(req->method) + strlen(req->path);
    for (unsigned i = 0; i < req->field_n; i++) {
        if (strlen(req->fields[i].value) != req->fields[i].value_n) abort();
        if (strpbrk(req->fields[i].value, "\r\n")) abort();
        sum += strlen(req->fields[i].name);
    }
    for (unsigned i = 0; i < req->query_n; i++) {
        sum += strlen(req->query[i].name) + strlen(req->query[i].value);
    }
    if (req->path[0] != '/' || strstr(req->path, "/../") || sum > IN_MAX) abort();
}

/* Whatever the fields say, a part lies within the whole. */
static void use_conditions(const struct chy_http_request *req)
{
    static const struct chy_http_selected whole = {.etag = "\"a1\"",
                                                   .modified = 784111777 * CHY_US_PER_S,
                                                   .now = 1795000000 * CHY_US_PER_S,
                                                   .size = 1000};
    struct chy_http_part part;
    chy_http_conditions(req, &whole, &part);
    switch (part.status) {
    case 200:
        if (part.first != 0 || part.n != whole.size) abort();
        break;
    case 206:
        if (!part.n || part.n > whole.size || part.first > whole.size - part.n) abort();
        break;
    case 304:
    case 412:
    case 416: break;
    default: abort();
    }
}

static struct outcome run(const uint8_t *data, size_t n, size_t piece)
{
    static const struct chy_http_limits limits = {.head_max = 16384, .header_count_max = 64};
    struct outcome out = {CHY_HTTP_MORE, CHY_HTTP_MORE, 0, 0, 0};
    struct chy_http_parser *p = malloc(sizeof(*p));
    char *in = malloc(n ? n : 1);
    if (!p || !in) abort();
    chy_http_start(p, &limits);
    size_t have = 0;
    while (out.head == CHY_HTTP_MORE && have < n) {
        size_t k = n - have < piece ? n - have : piece;
        memcpy(in + have, data + have, k);
        have += k;
        out.head = chy_http_head(p, in, have);
    }
    if (out.head == CHY_HTTP_REFUSED) {
        out.status = p->status;
        if (!p->why || out.status < 400) abort();
    }
    if (out.head == CHY_HTTP_DONE) {
        use_request(&p->req);
        use_conditions(&p->req);
        out.head_n = p->head_n;
        memcpy(in + have, data + have, n - have);
        parse_body(p, in + p->head_n, n - p->head_n, piece, &out);
    }
    free(in);
    free(p);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1 || n > IN_MAX) return 0;
    size_t piece = data[0] ? data[0] : 1;
    struct outcome whole = run(data + 1, n - 1, n);
    struct outcome parts = run(data + 1, n - 1, piece);
    if (whole.head != parts.head || whole.head_n != parts.head_n) abort();
    /* Pieces may meet the framing bound at another octet, so refused bodies are not compared
     * further. */
    bool compared = whole.body == CHY_HTTP_DONE && parts.body == CHY_HTTP_DONE;
    if (compared && whole.body_n != parts.body_n) abort();
    return 0;
}
