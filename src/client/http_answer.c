/* Reading answers: llhttp splits, the callbacks bound and keep what is wanted. */
#include "client/http_answer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void chy_httpc_answer_init(struct chy_httpc_answer *a)
{
    *a = (struct chy_httpc_answer){0};
    chy_buf_init(&a->body, CHY_HTTPC_BODY_MAX);
}

void chy_httpc_answer_free(struct chy_httpc_answer *a)
{
    chy_buf_free(&a->body);
}

static int refuse(struct chy_httpc_reader *r, const char *why)
{
    if (!r->why) r->why = why;
    return HPE_USER;
}

static int count_head(struct chy_httpc_reader *r, size_t n)
{
    r->head_n += n;
    return r->head_n > CHY_HTTPC_HEAD_MAX ? refuse(r, "its head is longer than 32 KiB") : 0;
}

static int on_status(llhttp_t *p, const char *at, size_t n)
{
    (void)at;
    return count_head(p->data, n);
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct chy_httpc_reader *r = p->data;
    for (size_t i = 0; i < n; i++) {
        if (r->field_n < sizeof(r->field) - 1)
            r->field[r->field_n] = (char)tolower((unsigned char)at[i]);
        r->field_n++;
    }
    return count_head(r, n);
}

static bool is_content_type(const struct chy_httpc_reader *r)
{
    static const char name[] = "content-type";
    return r->field_n == sizeof(name) - 1 && memcmp(r->field, name, sizeof(name) - 1) == 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct chy_httpc_reader *r = p->data;
    for (size_t i = 0; i < n && is_content_type(r); i++) {
        if (r->value_n < sizeof(r->answer->content_type) - 1) {
            r->answer->content_type[r->value_n++] = (char)tolower((unsigned char)at[i]);
            r->answer->content_type[r->value_n] = 0;
        }
    }
    return count_head(r, n);
}

static int on_value_complete(llhttp_t *p)
{
    struct chy_httpc_reader *r = p->data;
    if (is_content_type(r)) r->answer->content_type[strcspn(r->answer->content_type, "; \t")] = 0;
    r->field_n = 0;
    r->value_n = 0;
    return 0;
}

static const char *too_long(const struct chy_httpc_reader *r)
{
    return r->answer->body.max == CHY_HTTPC_BODY_MAX ? "its body is longer than 4 MiB"
                                                     : "its body is too long";
}

static int on_head(llhttp_t *p)
{
    struct chy_httpc_reader *r = p->data;
    bool told = p->flags & F_CONTENT_LENGTH && !(p->flags & F_CHUNKED);
    if (p->status_code == 101) return refuse(r, "it switches protocols");
    r->answer->length = told && p->content_length <= INT64_MAX ? (int64_t)p->content_length : -1;
    if (r->is_head) return 1; /* llhttp: no body follows */
    return told && p->content_length > r->answer->body.max ? refuse(r, too_long(r)) : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct chy_httpc_reader *r = p->data;
    chy_buf_add(&r->answer->body, at, n);
    return r->answer->body.failed ? refuse(r, too_long(r)) : 0;
}

/* RFC 9110 15.2: interim answers come before the final one, and are skipped. */
static int on_complete(llhttp_t *p)
{
    struct chy_httpc_reader *r = p->data;
    if (p->status_code < 200) {
        r->answer->content_type[0] = 0;
        return ++r->interim > CHY_HTTPC_INTERIM_MAX ? refuse(r, "too many interim answers") : 0;
    }
    r->done = true;
    r->answer->status = p->status_code;
    r->answer->keep_alive = llhttp_should_keep_alive(p);
    return HPE_PAUSED;
}

void chy_httpc_reader_start(struct chy_httpc_reader *r, bool is_head,
                            struct chy_httpc_answer *answer)
{
    *r = (struct chy_httpc_reader){.answer = answer, .is_head = is_head};
    answer->status = 0;
    answer->content_type[0] = 0;
    answer->length = -1;
    answer->keep_alive = false;
    chy_buf_reset(&answer->body);
    llhttp_settings_init(&r->settings);
    r->settings.on_status = on_status;
    r->settings.on_header_field = on_field;
    r->settings.on_header_value = on_value;
    r->settings.on_header_value_complete = on_value_complete;
    r->settings.on_headers_complete = on_head;
    r->settings.on_body = on_body;
    r->settings.on_message_complete = on_complete;
    llhttp_init(&r->parser, HTTP_RESPONSE, &r->settings);
    r->parser.data = r;
}

enum chy_httpc_step chy_httpc_reader_feed(struct chy_httpc_reader *r, const void *p, size_t n)
{
    const char *in = p;
    if (r->why) return CHY_HTTPC_REFUSED;
    if (!n) return r->done ? CHY_HTTPC_DONE : CHY_HTTPC_MORE;
    if (r->done) {
        refuse(r, "octets follow it");
        return CHY_HTTPC_REFUSED;
    }
    llhttp_errno_t e = llhttp_execute(&r->parser, in, n);
    if (e == HPE_PAUSED && r->done) {
        if (llhttp_get_error_pos(&r->parser) == in + n) return CHY_HTTPC_DONE;
        refuse(r, "octets follow it");
    } else if (e != HPE_OK) {
        refuse(r, "it is not HTTP/1.1");
    }
    return r->why ? CHY_HTTPC_REFUSED : CHY_HTTPC_MORE;
}

enum chy_httpc_step chy_httpc_reader_eof(struct chy_httpc_reader *r)
{
    if (r->done && !r->why) return CHY_HTTPC_DONE;
    if (!r->why && llhttp_finish(&r->parser) == HPE_PAUSED && r->done) {
        r->answer->keep_alive = false;
        return CHY_HTTPC_DONE;
    }
    refuse(r, "it was cut short");
    return CHY_HTTPC_REFUSED;
}
