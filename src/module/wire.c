/* Frames and the values in them. */
#include "module/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NO_TEXT = 0x7fffffff, FIRST_IN = 16 << 10, LIST_MAX = 4096, KEEP_MAX = 1 << 20 };

void chy_put_u32(struct chy_buf *b, uint32_t v)
{
    chy_buf_add(b, &v, sizeof(v));
}

void chy_put_i64(struct chy_buf *b, int64_t v)
{
    chy_buf_add(b, &v, sizeof(v));
}

void chy_put_text(struct chy_buf *b, const void *p, size_t n)
{
    chy_put_u32(b, (uint32_t)n);
    if (n >= NO_TEXT) b->failed = b->too_long = true;
    if (n) chy_buf_add(b, p, n);
    chy_buf_add_byte(b, 0);
}

void chy_put_cstr(struct chy_buf *b, const char *s)
{
    if (s) {
        chy_put_text(b, s, strlen(s));
    } else {
        chy_put_u32(b, NO_TEXT);
    }
}

void chy_put_variant(struct chy_buf *b, const chy_variant *v)
{
    uint32_t vt = v->vt == CHY_VT_OBJECT ? (uint32_t)CHY_VT_EMPTY : v->vt;
    chy_put_u32(b, vt);
    switch (vt) {
    case CHY_VT_LONG:
    case CHY_VT_BOOL: chy_put_u32(b, (uint32_t)v->u.l); break;
    case CHY_VT_DATE: chy_put_i64(b, v->u.t); break;
    case CHY_VT_STR: chy_put_text(b, v->u.s.p, v->u.s.p ? v->u.s.n : 0); break;
    case CHY_VT_BYTES: chy_put_text(b, v->u.b.p, v->u.b.p ? v->u.b.n : 0); break;
    case CHY_VT_STRV:
        chy_put_u32(b, (uint32_t)v->u.sv.n);
        for (size_t i = 0; i < v->u.sv.n; i++)
            chy_put_text(b, v->u.sv.v[i].p, v->u.sv.v[i].n);
        break;
    default: break;
    }
}

static void get(struct chy_wire_in *in, void *out, size_t n)
{
    memset(out, 0, n);
    if (in->bad || (size_t)(in->end - in->p) < n) {
        in->bad = true;
        return;
    }
    memcpy(out, in->p, n);
    in->p += n;
}

uint32_t chy_get_u32(struct chy_wire_in *in)
{
    uint32_t v;
    get(in, &v, sizeof(v));
    return v;
}

int64_t chy_get_i64(struct chy_wire_in *in)
{
    int64_t v;
    get(in, &v, sizeof(v));
    return v;
}

static struct chy_span text_of(struct chy_wire_in *in, uint32_t n)
{
    if (in->bad || (size_t)(in->end - in->p) <= n || in->p[n] != 0) {
        in->bad = true;
        return CHY_SPAN_STR("");
    }
    struct chy_span s = {in->p, n};
    in->p += (size_t)n + 1;
    return s;
}

struct chy_span chy_get_text(struct chy_wire_in *in)
{
    return text_of(in, chy_get_u32(in));
}

const char *chy_get_cstr(struct chy_wire_in *in)
{
    uint32_t n = chy_get_u32(in);
    if (n == NO_TEXT || in->bad) return NULL;
    struct chy_span s = text_of(in, n);
    if (memchr(s.p, 0, s.n)) in->bad = true;
    return in->bad ? NULL : (const char *)s.p;
}

void chy_get_variant_lent(struct chy_wire_in *in, chy_variant *out)
{
    struct chy_span s;
    *out = (chy_variant){.vt = chy_get_u32(in)};
    switch (out->vt) {
    case CHY_VT_EMPTY:
    case CHY_VT_NULL: break;
    case CHY_VT_LONG:
    case CHY_VT_BOOL: out->u.l = chy_get_long(in); break;
    case CHY_VT_DATE: out->u.t = chy_get_i64(in); break;
    case CHY_VT_STR:
        s = chy_get_text(in);
        out->u.s = (chy_str){(char *)(uintptr_t)s.p, s.n};
        break;
    case CHY_VT_BYTES:
        s = chy_get_text(in);
        out->u.b = (chy_bytes){(uint8_t *)(uintptr_t)s.p, s.n};
        break;
    default: in->bad = true;
    }
    if (in->bad) *out = (chy_variant){.vt = CHY_VT_EMPTY};
}

static bool get_list(struct chy_wire_in *in, chy_variant *out)
{
    uint32_t n = chy_get_u32(in);
    if (in->bad || n > LIST_MAX) return false;
    *out = (chy_variant){.vt = CHY_VT_STRV};
    out->u.sv.v = chy_module_alloc((n ? n : 1) * sizeof(*out->u.sv.v));
    while (out->u.sv.v && out->u.sv.n < n) {
        struct chy_span s = chy_get_text(in);
        if (in->bad || !chy_module_str(&out->u.sv.v[out->u.sv.n], s.p, s.n)) break;
        out->u.sv.n++;
    }
    if (out->u.sv.v && out->u.sv.n == n) return true;
    chy_variant_clear(out);
    return false;
}

bool chy_get_variant(struct chy_wire_in *in, chy_variant *out)
{
    chy_variant v;
    struct chy_wire_in ahead = *in;
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    if (chy_get_u32(&ahead) == CHY_VT_STRV) {
        *in = ahead;
        return get_list(in, out);
    }
    chy_get_variant_lent(in, &v);
    if (in->bad) return false;
    if (v.vt == CHY_VT_STR) return chy_variant_set_str(out, v.u.s.p, v.u.s.n) == CHY_S_OK;
    if (v.vt == CHY_VT_BYTES) return chy_variant_set_bytes(out, v.u.b.p, v.u.b.n) == CHY_S_OK;
    *out = v;
    return true;
}

/* ---- lanes ---- */

bool chy_lane_init(struct chy_lane *l, int fd, size_t out_max)
{
    *l = (struct chy_lane){.fd = fd, .in = chy_malloc(FIRST_IN), .cap_in = FIRST_IN};
    chy_buf_init(&l->out, out_max + CHY_FRAME_HEAD);
    return l->in != NULL;
}

void chy_lane_fini(struct chy_lane *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    chy_free(l->in);
    l->in = NULL;
    chy_buf_free(&l->out);
}

void chy_lane_within(struct chy_lane *l, unsigned ms)
{
    l->until = chy_monotonic(&chy_system_clock) + (int64_t)ms * 1000;
}

/* Not a timeout of the socket: that begins anew with each octet. */
static bool ready(const struct chy_lane *l, short events)
{
    while (l->until) {
        struct pollfd p = {l->fd, events, 0};
        int64_t left = l->until - chy_monotonic(&chy_system_clock);
        int n = left > 0 ? poll(&p, 1, (int)(left / 1000 + 1)) : 0;
        if (n > 0) return true;
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EAGAIN;
        return false;
    }
    return true;
}

/* Whether to go on after a transfer that moved nothing. */
static bool again(const struct chy_lane *l)
{
    return errno == EINTR || (l->until && errno == EAGAIN);
}

void chy_frame_begin(struct chy_lane *l)
{
    if (l->out.cap > KEEP_MAX) { /* a long one is the exception */
        size_t max = l->out.max;
        chy_buf_free(&l->out);
        chy_buf_init(&l->out, max);
    }
    chy_buf_reset(&l->out);
    chy_put_i64(&l->out, 0);
}

bool chy_frame_send(struct chy_lane *l, enum chy_frame kind)
{
    if (l->out.failed) {
        errno = l->out.too_long ? EMSGSIZE : ENOMEM;
        return false;
    }
    uint32_t head[2] = {(uint32_t)kind, (uint32_t)(l->out.n - CHY_FRAME_HEAD)};
    memcpy(l->out.p, head, sizeof(head));
    int flags = MSG_NOSIGNAL | (l->until ? MSG_DONTWAIT : 0);
    for (size_t at = 0; at < l->out.n;) {
        if (!ready(l, POLLOUT)) return false;
        ssize_t n = send(l->fd, l->out.p + at, l->out.n - at, flags);
        if (n < 0 && again(l)) continue;
        if (n <= 0) return false;
        at += (size_t)n;
    }
    return true;
}

static bool room(struct chy_lane *l, size_t n)
{
    if (n <= l->cap_in) return true;
    uint8_t *more = chy_realloc(l->in, n);
    if (!more) return false;
    l->in = more;
    l->cap_in = n;
    return true;
}

static bool fill(struct chy_lane *l, size_t want)
{
    while (l->n_in < want) {
        if (!ready(l, POLLIN)) return false;
        ssize_t n = recv(l->fd, l->in + l->n_in, l->cap_in - l->n_in, l->until ? MSG_DONTWAIT : 0);
        if (n < 0 && again(l)) continue;
        if (n == 0) errno = ECONNRESET;
        if (n <= 0) return false;
        l->n_in += (size_t)n;
    }
    return true;
}

bool chy_frame_recv(struct chy_lane *l, size_t max, enum chy_frame *kind, struct chy_wire_in *body)
{
    uint32_t head[2];
    l->n_in = 0;
    if (!room(l, FIRST_IN)) {
        errno = ENOMEM;
        return false;
    }
    if (!fill(l, CHY_FRAME_HEAD)) return false;
    memcpy(head, l->in, sizeof(head));
    if (head[0] < CHY_FRAME_START || head[0] > CHY_FRAME_DONE || head[1] > max) {
        errno = EPROTO;
        return false;
    }
    size_t whole = (size_t)head[1] + CHY_FRAME_HEAD;
    if (!room(l, whole)) {
        errno = ENOMEM;
        return false;
    }
    if (!fill(l, whole)) return false;
    if (l->n_in != whole) { /* one side speaks at a time */
        errno = EPROTO;
        return false;
    }
    *kind = (enum chy_frame)head[0];
    *body = (struct chy_wire_in){l->in + CHY_FRAME_HEAD, l->in + whole, false};
    return true;
}

/* ---- what frames carry ---- */

static void put_paths(struct chy_buf *b, const char *const *path, size_t n)
{
    chy_put_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        chy_put_cstr(b, path[i]);
}

static size_t get_paths(struct chy_wire_in *in, const char **path)
{
    uint32_t n = chy_get_u32(in);
    if (n > CHY_PLACE_PATHS) in->bad = true;
    for (size_t i = 0; i < n && !in->bad; i++)
        path[i] = chy_get_cstr(in);
    return in->bad ? 0 : n;
}

void chy_put_start(struct chy_buf *b, const struct chy_start *s)
{
    chy_put_u32(b, (uint32_t)s->is_policy | (uint32_t)s->network << 1 | (uint32_t)s->packed << 2);
    chy_put_u32(b, (uint32_t)s->binding);
    chy_put_cstr(b, s->class_name);
    chy_put_cstr(b, s->path);
    const uint32_t numbers[] = {s->uid, s->gid, s->memory_mb, s->lanes, s->timeout_ms, s->parent};
    for (size_t i = 0; i < CHY_ARRAY_LEN(numbers); i++)
        chy_put_u32(b, numbers[i]);
    put_paths(b, s->read, s->n_read);
    put_paths(b, s->write, s->n_write);
}

void chy_get_start(struct chy_wire_in *in, struct chy_start *s)
{
    uint32_t flags = chy_get_u32(in);
    *s = (struct chy_start){.is_policy = flags & 1,
                            .network = (flags >> 1) & 1,
                            .packed = (flags >> 2) & 1,
                            .binding = (enum chy_binding)chy_get_u32(in)};
    s->class_name = chy_get_cstr(in);
    s->path = chy_get_cstr(in);
    uint32_t *const numbers[] = {&s->uid,   &s->gid,        &s->memory_mb,
                                 &s->lanes, &s->timeout_ms, &s->parent};
    for (size_t i = 0; i < CHY_ARRAY_LEN(numbers); i++)
        *numbers[i] = chy_get_u32(in);
    s->n_read = get_paths(in, s->read);
    s->n_write = get_paths(in, s->write);
}

void chy_put_ready(struct chy_buf *b, const struct chy_ready *r)
{
    chy_put_u32(b, (uint32_t)r->hr);
    chy_put_cstr(b, r->error);
    chy_put_cstr(b, r->name);
    chy_put_cstr(b, r->class_name);
    chy_put_cstr(b, r->version);
    chy_put_cstr(b, r->confined);
    chy_put_u32(b, (uint32_t)r->late | (uint32_t)r->concurrent << 1);
}

void chy_get_ready(struct chy_wire_in *in, struct chy_ready *r)
{
    r->hr = chy_get_long(in);
    r->error = chy_get_cstr(in);
    r->name = chy_get_cstr(in);
    r->class_name = chy_get_cstr(in);
    r->version = chy_get_cstr(in);
    r->confined = chy_get_cstr(in);
    uint32_t flags = chy_get_u32(in);
    r->late = flags & 1;
    r->concurrent = (flags >> 1) & 1;
}

void chy_put_call(struct chy_buf *b, const struct chy_call *c)
{
    chy_put_u32(b, (uint32_t)c->kind);
    chy_put_cstr(b, c->config);
    chy_put_cstr(b, c->name);
    chy_put_u32(b, c->is_new);
    chy_put_u32(b, (uint32_t)c->event);
    chy_put_u32(b, (uint32_t)c->flags);
    chy_put_u32(b, (uint32_t)c->number);
    chy_put_variant(b, c->value ? c->value : &(chy_variant){.vt = CHY_VT_EMPTY});
}

void chy_get_call(struct chy_wire_in *in, struct chy_call *c, chy_variant *value)
{
    uint32_t kind = chy_get_u32(in);
    *c = (struct chy_call){.kind = (enum chy_call_kind)kind};
    if (kind > CHY_CALL_CONFIGURE) in->bad = true;
    c->config = chy_get_cstr(in);
    c->name = chy_get_cstr(in);
    c->is_new = chy_get_u32(in) != 0;
    c->event = chy_get_long(in);
    c->flags = chy_get_long(in);
    c->number = chy_get_long(in);
    if (!chy_get_variant(in, value)) in->bad = true;
    c->value = value;
}

void chy_put_question(struct chy_buf *b, const struct chy_question *q)
{
    chy_put_u32(b, (uint32_t)q->ask | (uint32_t)q->of_request << 8);
    chy_put_cstr(b, q->name);
    chy_put_u32(b, (uint32_t)q->type);
    chy_put_u32(b, (uint32_t)q->flags);
    chy_put_u32(b, q->index);
    chy_put_variant(b, &q->value);
}

void chy_get_question(struct chy_wire_in *in, struct chy_question *q)
{
    uint32_t head = chy_get_u32(in);
    *q = (struct chy_question){.ask = (enum chy_ask)(head & 0xff), .of_request = head >> 8 & 1};
    if ((head & 0xff) > CHY_ASK_SET_MESSAGE || head >> 9) in->bad = true;
    q->name = chy_get_cstr(in);
    q->type = chy_get_long(in);
    q->flags = chy_get_long(in);
    q->index = chy_get_u32(in);
    chy_get_variant_lent(in, &q->value);
}

void chy_put_reply(struct chy_buf *b, const struct chy_reply *r)
{
    chy_put_u32(b, (uint32_t)r->hr);
    chy_put_u32(b, (uint32_t)r->flags);
    chy_put_variant(b, &r->value);
}

bool chy_get_reply(struct chy_wire_in *in, struct chy_reply *r)
{
    r->hr = chy_get_long(in);
    r->flags = chy_get_long(in);
    return chy_get_variant(in, &r->value);
}
