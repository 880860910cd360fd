/* Answers that have a tag and a date: what the request's conditions leave of them, from memory or
 * from a file. RFC 9110 13 and 14.
 * Thread: whoever has the exchange. */
#include "net/http_conditions.h"
#include "net/net_internal.h"

#include <stdio.h>
#include <string.h>

/* What the handler allowed caches to keep is the answer, and not a refusal. */
static void refuse(struct chy_exchange *x, int status, uint64_t size)
{
    struct chy_err err = {CHY_S_OK, ""};
    char range[40];
    chy_buf_reset(&x->extra);
    chy_exchange_set_header(x, "Cache-Control", "no-store");
    if (status == 416) {
        snprintf(range, sizeof(range), "bytes */%llu", (unsigned long long)size);
        chy_exchange_set_header(x, "Content-Range", range);
        (void)chy_fail(&err, chy_problem_code(416),
                       "Range: nothing of it is there (RFC 9110 15.5.17)");
    } else {
        (void)chy_fail(&err, chy_problem_code(412),
                       "condition: does not hold any more (RFC 9110 15.5.13)");
    }
    chy_exchange_problem_status(x, status, &err);
}

static bool add_content_range(struct chy_exchange *x, const struct chy_http_part *part,
                              uint64_t size)
{
    char range[80];
    size_t before = x->extra.n;
    snprintf(range, sizeof(range), "bytes %llu-%llu/%llu", (unsigned long long)part->first,
             (unsigned long long)(part->first + part->n - 1), (unsigned long long)size);
    if (chy_http_add_field(&x->extra, "Content-Range", range)) return true;
    x->extra.n = before;
    return false;
}

static void add_validators(struct chy_exchange *x, const struct chy_http_selected *sel)
{
    char date[CHY_HTTP_DATE_SIZE];
    chy_exchange_set_header(x, "Accept-Ranges", "bytes");
    if (sel->etag) chy_exchange_set_header(x, "ETag", sel->etag);
    if (sel->modified <= 0) return;
    chy_http_date(date, sel->modified);
    chy_exchange_set_header(x, "Last-Modified", date);
}

/* False: refused, and so answered. */
static bool select_part(struct chy_exchange *x, const char *etag, chy_time modified, uint64_t size,
                        struct chy_http_part *part)
{
    struct chy_http_selected sel = {
        .etag = etag, .modified = modified, .now = chy_now(&x->conn->net->clock), .size = size};
    /* RFC 9110 8.8.2.1: no time to come. */
    if (sel.modified > sel.now) sel.modified = sel.now;
    chy_http_conditions(&x->conn->parser.req, &sel, part);
    if (part->status >= 400) {
        refuse(x, part->status, size);
        return false;
    }
    /* A part that cannot be named is not sent: the whole always may be. */
    if (part->status == 206 && !add_content_range(x, part, size))
        *part = (struct chy_http_part){200, 0, size};
    add_validators(x, &sel);
    return true;
}

void chy_exchange_reply_tagged(struct chy_exchange *x, const char *content_type, const char *etag,
                               chy_time modified, struct chy_span body)
{
    struct chy_http_part part;
    if (x->answered || !select_part(x, etag, modified, body.n, &part)) return;
    if (part.status == 304) content_type = NULL;
    if (part.n < body.n)
        body = part.n ? chy_span_of(body.p + part.first, (size_t)part.n) : CHY_SPAN_STR("");
    chy_exchange_reply(x, part.status, content_type, body);
}

/* One buffer of what is sent: a small one when many are held already, so that files alone cannot
 * take all there is for answers. */
static bool take_piece(struct chy_exchange *x)
{
    const struct chy_net *net = x->conn->net;
    size_t held = atomic_load_explicit(&net->buffered, memory_order_relaxed);
    size_t n = held > net->limits.buffered_max / 4 ? CHY_FILE_PIECE_SMALL : CHY_FILE_PIECE;
    if (n > x->file.left) n = (size_t)x->file.left;
    if (!chy_buf_reserve(&x->answer, n)) return false;
    chy_charge(x->conn, x->answer.cap);
    return true;
}

void chy_exchange_reply_file(struct chy_exchange *x, const struct chy_net_file *file)
{
    struct chy_http_part part;
    struct chy_file_rest rest = {.fd = file->fd};
    if (x->answered || !select_part(x, file->etag, file->modified, file->size, &part)) {
        chy_file_close(&rest);
        return;
    }
    chy_exchange_answer(x, part.status, part.status == 304 ? NULL : file->content_type);
    x->length = part.n;
    x->file = (struct chy_file_rest){.fd = file->fd, .at = part.first, .left = part.n};
    bool head = strcmp(x->conn->parser.req.method, "HEAD") == 0;
    if (head || part.n == 0) {
        chy_file_close(&x->file);
    } else if (!take_piece(x)) {
        chy_file_close(&x->file);
        chy_exchange_without_memory(x);
    }
    chy_exchange_answered(x);
}
