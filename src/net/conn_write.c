/* The answer's way out: tried at once, and what the socket does not take is written in pieces, each
 * of which must make progress within the write timeout. */
#include "net/net_internal.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIECE_MAX (256 * 1024)
#define TLS_PIECE_MAX (64 * 1024)
/* A small answer goes out as one piece: one TLS record, or one plain write, where copying it costs
 * less than a second buffer costs the kernel. */
#define TLS_RECORD_MAX 16000
#define COPY_MAX 4096

static void consume(struct chy_conn *c, size_t n)
{
    for (int i = 0; i < 2; i++) {
        size_t k = n < c->out[i].n ? n : c->out[i].n;
        if (k) c->out[i].p += k;
        c->out[i].n -= k;
        n -= k;
    }
}

/* libuv's buffers are not const, though it only reads them. */
static uv_buf_t buf_of(struct chy_span s, size_t max)
{
    union {
        const uint8_t *in;
        char *out;
    } p = {.in = s.p};
    return uv_buf_init(p.out, (unsigned)(s.n < max ? s.n : max));
}

static unsigned bufs_of(const struct chy_conn *c, uv_buf_t bufs[2])
{
    unsigned k = 0;
    for (int i = 0; i < 2; i++) {
        if (c->out[i].n) bufs[k++] = buf_of(c->out[i], PIECE_MAX);
    }
    return k;
}

static void on_written(uv_write_t *req, int status)
{
    struct chy_conn *c = req->data;
    c->writing = false;
    if (c->state == CHY_CONN_CLOSED) return;
    if (status < 0) {
        chy_net_conn_close(c);
        return;
    }
    if (c->state == CHY_CONN_WRITE) {
        if (!c->tls.ssl) consume(c, c->write_n);
        chy_net_conn_push(c);
        if (c->state == CHY_CONN_WRITE) chy_net_conn_wait_write(c);
    } else if (c->tls.ssl && !chy_net_conn_flush_tls(c)) {
        return;
    }
    chy_net_conn_advance(c);
}

static bool write_later(struct chy_conn *c, const uv_buf_t *bufs, unsigned k)
{
    c->write_n = 0;
    for (unsigned i = 0; i < k; i++) {
        c->write_n += bufs[i].len;
    }
    c->write.data = c;
    if (uv_write(&c->write, &c->u.stream, bufs, k, on_written) != 0) return false;
    c->writing = true;
    return true;
}

/* All that was at hand is out. */
static void end_of_piece(struct chy_conn *c)
{
    if (c->x.file.left) {
        chy_net_conn_next_piece(c);
    } else {
        chy_net_conn_answer_done(c);
    }
}

static void push_plain(struct chy_conn *c)
{
    uv_buf_t bufs[2];
    for (unsigned k = bufs_of(c, bufs); k; k = bufs_of(c, bufs)) {
        int n = uv_try_write(&c->u.stream, bufs, k);
        if (n > 0) {
            consume(c, (size_t)n);
        } else {
            if (n != UV_EAGAIN || !write_later(c, bufs, k)) chy_net_conn_close(c);
            return;
        }
    }
    end_of_piece(c);
}

bool chy_net_conn_flush_tls(struct chy_conn *c)
{
    struct chy_span s = chy_tls_pending(&c->tls);
    if (c->writing || !s.n) return true;
    uv_buf_t buf = buf_of(s, s.n);
    int n = uv_try_write(&c->u.stream, &buf, 1);
    if (n == UV_EAGAIN) n = 0;
    bool good = n >= 0;
    if (good && (size_t)n < s.n && c->state != CHY_CONN_CLOSED) {
        chy_buf_reset(&c->wire);
        chy_buf_add(&c->wire, s.p + n, s.n - (size_t)n);
        buf = buf_of(chy_buf_span(&c->wire), c->wire.n);
        good = !c->wire.failed && write_later(c, &buf, 1);
    }
    chy_tls_taken(&c->tls);
    if (!good && c->state != CHY_CONN_CLOSED) {
        chy_net_conn_close(c);
    }
    return good;
}

static void push_tls(struct chy_conn *c)
{
    for (;;) {
        if (!chy_net_conn_flush_tls(c) || c->writing) return;
        const struct chy_span *s = c->out[0].n ? &c->out[0] : &c->out[1];
        if (!s->n) break;
        size_t n = s->n < TLS_PIECE_MAX ? s->n : TLS_PIECE_MAX;
        if (chy_tls_write(&c->tls, s->p, n) != CHY_TLS_OK) {
            chy_net_conn_close(c);
            return;
        }
        consume(c, n);
    }
    end_of_piece(c);
}

void chy_net_conn_push(struct chy_conn *c)
{
    if (c->tls.ssl) {
        push_tls(c);
    } else {
        push_plain(c);
    }
}

void chy_net_conn_join(struct chy_conn *c)
{
    size_t max = c->tls.ssl ? TLS_RECORD_MAX : COPY_MAX;
    bool head_waits = c->out[0].n == c->head.n;
    if (!head_waits || !c->out[1].n || c->head.n + c->out[1].n > max) return;
    chy_buf_add_span(&c->head, c->out[1]);
    if (c->head.failed) return;
    c->out[0] = chy_buf_span(&c->head);
    c->out[1].n = 0;
}

/* What we hold for the client, and what the kernel does that he has not acknowledged. */
static size_t owed(const struct chy_conn *c)
{
    int queued = 0;
    uv_os_fd_t fd = -1;
    if (uv_fileno(&c->u.handle, &fd) != 0 || ioctl(fd, SIOCOUTQ, &queued) != 0) queued = 0;
    return uv_stream_get_write_queue_size(&c->u.stream) + (size_t)queued;
}

void chy_net_conn_wait_write(struct chy_conn *c)
{
    c->owed = owed(c);
    chy_wait_arm(c, CHY_WAIT_WRITE);
}

/* The disk's time is not the client's. */
bool chy_net_conn_moves(struct chy_conn *c)
{
    return c->filing || owed(c) < c->owed;
}

static void compose(struct chy_conn *c)
{
    const struct chy_exchange *x = &c->x;
    const struct chy_http_request *req = &c->parser.req;
    bool api = !req->path || strncmp(req->path, "/api", 4) == 0;
    c->close_after = c->close_after || !req->keep_alive || c->net->stopping;
    struct chy_http_answer a = {
        .status = x->status,
        .content_type = x->content_type,
        .extra = chy_buf_span(&x->extra),
        .length = x->length,
        .http10 = req->http10,
        .close = c->close_after,
        .no_store = api && !x->own_cache,
    };
    chy_buf_reset(&c->head);
    chy_http_write_head(&c->head, &a, chy_net_date(c->net));
    bool body = chy_http_may_have_body(x->status) && strcmp(req->method, "HEAD") != 0;
    c->out[0] = chy_buf_span(&c->head);
    c->out[1] = body ? chy_buf_span(&x->answer) : (struct chy_span){NULL, 0};
    chy_net_conn_join(c);
}

void chy_net_conn_send(struct chy_conn *c)
{
    compose(c);
    if (c->head.failed) {
        chy_net_conn_close(c);
        return;
    }
    CHY_COUNT(c->net->status_class[c->x.status / 100 % 6]);
    c->state = CHY_CONN_WRITE;
    if (c->x.file.left) {
        chy_net_conn_first_piece(c);
    } else {
        chy_net_conn_push(c);
    }
    if (c->state != CHY_CONN_WRITE) return;
    chy_net_conn_wait_write(c);
    chy_room_for_answer(c);
}

/* RFC 9110 15.2.1. A fresh request's socket takes 25 octets, or its client does not read at all. */
void chy_net_conn_send_interim(struct chy_conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct chy_span s = chy_span_of(text, sizeof(text) - 1);
    if (c->tls.ssl) {
        if (chy_tls_write(&c->tls, s.p, s.n) != CHY_TLS_OK) {
            chy_net_conn_close(c);
        } else {
            (void)chy_net_conn_flush_tls(c);
        }
        return;
    }
    uv_buf_t buf = buf_of(s, s.n);
    if (uv_try_write(&c->u.stream, &buf, 1) != (int)s.n) chy_net_conn_close(c);
}

void chy_net_conn_answer_done(struct chy_conn *c)
{
    chy_wait_arm(c, CHY_WAIT_NONE);
    chy_exchange_reset(&c->x);
    chy_discharge(c);
    if (c->close_after || c->net->stopping) {
        if (c->linger || !c->reading) {
            chy_net_conn_linger(c);
        } else {
            chy_net_conn_close(c);
        }
        return;
    }
    size_t left = c->in_n - c->in_pos;
    c->had_turn = true;
    if (left) memmove(c->in, c->in + c->in_pos, left);
    c->in_n = left;
    c->in_pos = 0;
    chy_http_start(&c->parser, &c->net->http_limits);
    c->state = CHY_CONN_HEAD;
}
