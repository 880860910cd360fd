/* A connection's life: octets come in, are cut into requests one at a time, and nothing more is
 * read while an answer is owed. */
#include "net/net_internal.h"

#include <string.h>
#include <sys/socket.h>

/* Room behind the largest head, for the first part of a body. */
#define IN_EXTRA 4096
#define SPARE_MAX 64
#define LINGER_MAX (256 * 1024)
#define ARENA_MAX (16 * 1024 * 1024)
#define EXTRA_MAX (16 * 1024)
#define ANSWER_MAX ((size_t)1 << 30)

static bool conn_buffers(struct chy_conn *c)
{
    size_t cap = c->net->limits.head_max + IN_EXTRA;
    if (c->in) return true;
    c->in = chy_malloc(cap);
    c->in_cap = cap;
    return c->in != NULL;
}

static struct chy_conn *take_memory(struct chy_net *net)
{
    struct chy_conn *c = net->spare;
    if (c) {
        net->spare = c->next;
        net->spare_n--;
        return c;
    }
    c = chy_calloc(1, sizeof(*c));
    if (!c) return NULL;
    c->net = net;
    c->x.conn = c;
    c->x.file.fd = -1;
    chy_arena_init(&c->x.arena, ARENA_MAX);
    chy_buf_init(&c->x.body, ANSWER_MAX);
    chy_buf_init(&c->x.extra, EXTRA_MAX);
    chy_buf_init(&c->x.answer, ANSWER_MAX);
    chy_buf_init(&c->head, 4 * EXTRA_MAX);
    chy_buf_init(&c->wire, ANSWER_MAX);
    if (!conn_buffers(c)) {
        chy_net_conn_memory_free(c);
        return NULL;
    }
    return c;
}

struct chy_conn *chy_net_conn_new(struct chy_net *net, enum chy_transport transport)
{
    struct chy_conn *c = take_memory(net);
    if (!c) return NULL;
    memset(&c->peer, 0, sizeof(c->peer));
    memset(&c->key, 0, sizeof(c->key));
    c->peer.transport = transport;
    c->wait = CHY_WAIT_NONE;
    c->state = CHY_CONN_HEAD;
    c->in_n = c->in_pos = c->lingered = 0;
    c->reading = c->eof = c->writing = c->filing = c->advancing = false;
    c->close_after = c->linger = c->handle_closed = c->had_turn = false;
    c->u.handle.data = c;
    c->prev = NULL;
    c->next = net->conns;
    if (net->conns) net->conns->prev = c;
    net->conns = c;
    net->conn_n++;
    CHY_COUNT(net->open);
    chy_exchange_reset(&c->x);
    chy_http_start(&c->parser, &net->http_limits);
    return c;
}

void chy_net_conn_memory_free(struct chy_conn *c)
{
    chy_tls_fini(&c->tls);
    chy_file_close(&c->x.file);
    chy_arena_free(&c->x.arena);
    chy_buf_free(&c->x.body);
    chy_buf_free(&c->x.extra);
    chy_buf_free(&c->x.answer);
    chy_buf_free(&c->head);
    chy_buf_free(&c->wire);
    chy_free(c->client_cert);
    chy_free(c->in);
    chy_free(c);
}

void chy_net_conn_retire(struct chy_conn *c)
{
    struct chy_net *net = c->net;
    if (c->prev) {
        c->prev->next = c->next;
    } else {
        net->conns = c->next;
    }
    if (c->next) c->next->prev = c->prev;
    net->conn_n--;
    chy_tls_fini(&c->tls);
    chy_free(c->client_cert);
    c->client_cert = NULL;
    chy_exchange_reset(&c->x);
    chy_discharge(c);
    chy_net_conn_trim(&c->wire);
    if (net->spare_n < SPARE_MAX && !net->stopping) {
        c->next = net->spare;
        net->spare = c;
        net->spare_n++;
    } else {
        chy_net_conn_memory_free(c);
    }
    chy_net_check_drained(net);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct chy_conn *c = handle->data;
    if (c->tls.ssl || c->state == CHY_CONN_LINGER) {
        *buf = uv_buf_init(c->net->scratch, sizeof(c->net->scratch));
    } else {
        *buf = uv_buf_init(c->in + c->in_n, (unsigned)(c->in_cap - c->in_n));
    }
}

static void stop_reading(struct chy_conn *c)
{
    if (c->reading) uv_read_stop(&c->u.stream);
    c->reading = false;
}

static void on_end(struct chy_conn *c, ssize_t e)
{
    c->eof = true;
    c->reading = false;
    if (e != UV_EOF || c->state == CHY_CONN_LINGER) {
        chy_net_conn_close(c);
    } else {
        chy_net_conn_advance(c); /* half-closed: what was asked is still answered */
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct chy_conn *c = stream->data;
    if (n == 0 || c->state == CHY_CONN_CLOSED) return;
    if (n < 0) {
        on_end(c, n);
        return;
    }
    if (c->state == CHY_CONN_LINGER) {
        c->lingered += (size_t)n;
        if (c->lingered > LINGER_MAX) chy_net_conn_close(c);
        return;
    }
    if (!c->tls.ssl) {
        c->in_n += (size_t)n;
    } else if (!chy_tls_feed(&c->tls, buf->base, (size_t)n)) {
        chy_net_conn_close(c);
        return;
    }
    if (c->state != CHY_CONN_HEAD && c->state != CHY_CONN_BODY) {
        stop_reading(c); /* pipelined: it waits in the socket until this answer is out */
    } else {
        chy_net_conn_advance(c);
    }
}

static bool start_reading(struct chy_conn *c)
{
    if (c->reading) return true;
    if (c->eof || uv_read_start(&c->u.stream, on_alloc, on_read) != 0) return false;
    c->reading = true;
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct chy_conn *c = handle->data;
    c->handle_closed = true;
    if (!c->x.held && !c->filing) chy_net_conn_retire(c);
}

void chy_net_conn_close(struct chy_conn *c)
{
    if (c->state == CHY_CONN_CLOSED) return;
    if (c->tls.ssl && !c->writing && c->state != CHY_CONN_LINGER) {
        c->state = CHY_CONN_CLOSED;
        chy_tls_shutdown(&c->tls);
        (void)chy_net_conn_flush_tls(c);
    }
    c->state = CHY_CONN_CLOSED;
    c->reading = false;
    chy_wait_arm(c, CHY_WAIT_NONE);
    CHY_UNCOUNT(c->net->open);
    uv_close(&c->u.handle, on_closed);
}

/* Through libuv only behind what it still writes: it would watch for room to write first. */
static bool end_our_side(struct chy_conn *c)
{
    uv_os_fd_t fd = -1;
    if (c->writing) return uv_shutdown(&c->shutdown, &c->u.stream, NULL) == 0;
    return uv_fileno(&c->u.handle, &fd) == 0 && shutdown(fd, SHUT_WR) == 0;
}

/* Closing a socket with unread octets resets it, and the client may lose the answer: so end our
 * side first and drop what still comes for a moment (RFC 9112 9.6). */
void chy_net_conn_linger(struct chy_conn *c)
{
    if (c->state == CHY_CONN_CLOSED) return;
    c->state = CHY_CONN_LINGER;
    if (c->tls.ssl) {
        chy_tls_shutdown(&c->tls);
        if (!chy_net_conn_flush_tls(c)) return;
    }
    chy_wait_arm(c, CHY_WAIT_LINGER);
    if (!end_our_side(c) || !start_reading(c)) chy_net_conn_close(c);
}

static void after_handshake(struct chy_conn *c)
{
    CHY_COUNT(c->net->handshakes);
    size_t n = 0;
    c->client_cert = chy_tls_peer_cert(&c->tls, &n);
    if (c->client_cert) c->peer.client_cert = chy_span_of(c->client_cert, n);
}

/* More plain octets out of the TLS records that came; false when there are none. */
static bool pull_tls(struct chy_conn *c)
{
    bool fresh = !c->tls.established;
    size_t n = 0;
    enum chy_tls_step step = chy_tls_read(&c->tls, c->in + c->in_n, c->in_cap - c->in_n, &n);
    if (fresh && c->tls.established) after_handshake(c);
    if (!chy_net_conn_flush_tls(c)) return false;
    switch (step) {
    case CHY_TLS_OK: c->in_n += n; return true;
    case CHY_TLS_MORE: return false;
    case CHY_TLS_CLOSED: c->eof = true; return false;
    case CHY_TLS_BROKEN: break;
    }
    CHY_COUNT(c->net->refused);
    chy_net_conn_linger(c);
    return false;
}

static bool step_head(struct chy_conn *c)
{
    if (c->in_n == 0) return false;
    switch (chy_http_head(&c->parser, c->in, c->in_n)) {
    case CHY_HTTP_MORE: return false;
    case CHY_HTTP_REFUSED: chy_exchange_refuse_malformed(c); return true;
    case CHY_HTTP_DONE: break;
    }
    c->in_pos = c->parser.head_n;
    chy_exchange_begin(c);
    return true;
}

static bool step_body(struct chy_conn *c)
{
    if (c->in_pos == c->in_n) return false;
    size_t used = 0, before = c->x.body.n;
    enum chy_http_step step =
        chy_http_body(&c->parser, c->in + c->in_pos, c->in_n - c->in_pos, &used);
    c->in_pos += used;
    if (c->in_pos == c->in_n) c->in_pos = c->in_n = c->parser.head_n;
    if (step == CHY_HTTP_REFUSED) {
        chy_exchange_refuse_malformed(c);
        return true;
    }
    /* What came, not what was promised: a promise would keep the room from others. */
    if (!chy_room_for_body(c, c->x.body.n - before)) {
        c->linger = true;
        chy_exchange_refuse(c, 503, "body: too many octets are held already");
        return true;
    }
    if (step == CHY_HTTP_DONE) chy_exchange_dispatch(c);
    return step == CHY_HTTP_DONE;
}

/* Whoever sends many requests at once is answered one by one, as are those who wait for each
 * answer. */
static bool waits_for_turn(const struct chy_conn *c)
{
    return c->had_turn && c->state == CHY_CONN_HEAD &&
           (c->in_n > 0 || (c->tls.ssl && chy_tls_has_more(&c->tls)));
}

/* What to wait for now. */
static void settle(struct chy_conn *c)
{
    bool idle = c->state == CHY_CONN_HEAD && c->in_n == 0;
    enum chy_wait wait = CHY_WAIT_NONE;
    switch (c->state) {
    case CHY_CONN_HEAD:
        if (waits_for_turn(c)) {
            stop_reading(c);
            chy_wait_turn(c);
            return;
        }
        wait = idle && (!c->tls.ssl || c->tls.established) ? CHY_WAIT_IDLE : CHY_WAIT_HEAD;
        break;
    case CHY_CONN_BODY: wait = CHY_WAIT_BODY; break;
    case CHY_CONN_BUSY: chy_wait_arm(c, CHY_WAIT_NONE); return;
    case CHY_CONN_REFUSED:
    case CHY_CONN_WRITE:
    case CHY_CONN_LINGER:
    case CHY_CONN_CLOSED: return;
    }
    if ((idle && c->net->stopping) || !start_reading(c)) {
        chy_net_conn_close(c);
        return;
    }
    if (c->wait != wait) chy_wait_arm(c, wait);
}

void chy_net_conn_advance(struct chy_conn *c)
{
    if (c->advancing) return;
    c->advancing = true;
    c->had_turn = false;
    while ((c->state == CHY_CONN_HEAD || c->state == CHY_CONN_BODY) && !waits_for_turn(c)) {
        bool moved = c->state == CHY_CONN_HEAD ? step_head(c) : step_body(c);
        if (moved) continue;
        if (!c->tls.ssl || !pull_tls(c)) break;
    }
    c->advancing = false;
    settle(c);
}

void chy_net_conn_start(struct chy_conn *c, bool tls)
{
    if (tls) {
        pthread_mutex_lock(&c->net->lock);
        SSL_CTX *ctx = c->net->tls;
        bool good = ctx && SSL_CTX_up_ref(ctx) == 1;
        pthread_mutex_unlock(&c->net->lock);
        bool made = good && chy_tls_init(&c->tls, ctx);
        if (good) SSL_CTX_free(ctx);
        if (!made) {
            chy_net_conn_close(c);
            return;
        }
    }
    chy_wait_start(c->net);
    settle(c);
}

void chy_net_conn_timeout(struct chy_conn *c, enum chy_wait wait)
{
    bool speaks = !c->tls.ssl || c->tls.established;
    if ((wait == CHY_WAIT_HEAD && speaks) || wait == CHY_WAIT_BODY) {
        c->linger = true;
        chy_exchange_refuse(c, 408, "request: took too long (RFC 9110 15.5.9)");
        chy_net_conn_advance(c);
        return;
    }
    if (wait == CHY_WAIT_WRITE && chy_net_conn_moves(c)) {
        chy_net_conn_wait_write(c);
        return;
    }
    if (wait == CHY_WAIT_HEAD || wait == CHY_WAIT_WRITE) CHY_COUNT(c->net->refused);
    chy_net_conn_close(c);
}

void chy_net_conn_answered(struct chy_conn *c)
{
    c->x.held = false;
    CHY_UNCOUNT(c->net->held);
    if (c->state == CHY_CONN_CLOSED) {
        if (c->handle_closed) chy_net_conn_retire(c);
        return;
    }
    chy_net_conn_send(c);
    chy_net_conn_advance(c);
}
