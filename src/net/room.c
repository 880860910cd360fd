/* Who is let in when all places are taken. A newcomer gets the place of the connection that has
 * made the least of its own for longest; only when every one is at work is he sent away. So
 * connections that do nothing, or next to nothing, cost others nothing (RFC 9112 9.5: a server may
 * close an idle connection at any time). */
#include "net/net_internal.h"

#include <sys/resource.h>

/* Places that only the Unix socket takes: the administrator gets in when the network is full. */
#define LOCAL_PLACES 16
/* Those who are being told in full that there is no place, and waited for. */
#define REFUSED_PLACES 64
/* Nobody else takes the memory of a body or an answer that is under way for less than this. */
#define HOLDING_MS 1000
/* A body that is no longer than this part of all the memory, 8 KiB, always finds room: the number
 * of connections bounds those. */
#define SMALL_PART 8192
/* Descriptors that are not connections: the store, modules, listeners. */
#define OTHER_DESCRIPTORS 256

/* How long each kind may wait undisturbed, the first to go first. */
static const struct {
    enum chy_wait wait;
    unsigned ms;
} protected[] = {{CHY_WAIT_REFUSAL, 0}, {CHY_WAIT_LINGER, 50}, {CHY_WAIT_IDLE, 1000},
                 {CHY_WAIT_HEAD, 2000}, {CHY_WAIT_BODY, 5000}, {CHY_WAIT_WRITE, 5000}};

static unsigned places(const struct chy_conn *c)
{
    unsigned more = c->peer.transport == CHY_TRANSPORT_UNIX ? LOCAL_PLACES : 0;
    return c->net->limits.connections_max + more;
}

static bool free_a_place(struct chy_net *net)
{
    uint64_t now = uv_now(&net->loop);
    for (size_t i = 0; i < CHY_ARRAY_LEN(protected); i++) {
        struct chy_wait_list *list = &net->waits[protected[i].wait];
        struct chy_conn *c = list->first;
        if (!c || c->deadline - list->timeout_ms + protected[i].ms > now) continue;
        CHY_COUNT(net->evicted);
        chy_net_conn_close(c);
        return true;
    }
    return false;
}

static bool too_many_of_peer(const struct chy_conn *c)
{
    unsigned max = c->net->limits.per_peer_max;
    if (!max || c->peer.transport == CHY_TRANSPORT_UNIX) return false;
    return chy_peer_count(c->net, &c->key) > max;
}

/* A connection that was closed keeps its memory until the loop comes round, or until its request is
 * done: conn_n counts those too. */
bool chy_room_for(struct chy_conn *c)
{
    struct chy_net *net = c->net;
    unsigned max = places(c);
    if (too_many_of_peer(c) || net->conn_n > 2 * max) return false;
    while (atomic_load_explicit(&net->open, memory_order_relaxed) > max) {
        if (!free_a_place(net)) return false;
    }
    return true;
}

/* What the socket takes at once; before its handshake a TLS client understands no text. */
static void refuse_shortly(struct chy_conn *c)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                               "Retry-After: 1\r\nConnection: close\r\n\r\n";
    union {
        const char *in;
        char *out;
    } p = {.in = text};
    uv_buf_t buf = uv_buf_init(p.out, sizeof(text) - 1);
    if (c->peer.transport != CHY_TRANSPORT_TLS) (void)uv_try_write(&c->u.stream, &buf, 1);
    CHY_COUNT(c->net->refused);
    CHY_COUNT(c->net->status_class[5]);
    chy_net_conn_close(c);
}

void chy_room_refuse(struct chy_conn *c)
{
    struct chy_net *net = c->net;
    if (c->peer.transport == CHY_TRANSPORT_TLS || net->conn_n > places(c) + REFUSED_PLACES) {
        refuse_shortly(c);
        return;
    }
    c->linger = true;
    chy_wait_start(net);
    chy_exchange_refuse(c, 503, "connections: no place is free (RFC 9110 15.6.4)");
}

static void drop(struct chy_conn *c)
{
    CHY_COUNT(c->net->evicted);
    chy_net_conn_close(c);
    chy_discharge(c);
}

static struct chy_conn *oldest_holder(const struct chy_conn *but)
{
    static const enum chy_wait kinds[] = {CHY_WAIT_BODY, CHY_WAIT_WRITE};
    uint64_t now = uv_now(&but->net->loop);
    for (size_t i = 0; i < CHY_ARRAY_LEN(kinds); i++) {
        const struct chy_wait_list *list = &but->net->waits[kinds[i]];
        struct chy_conn *c = list->first == but ? but->wait_next : list->first;
        if (c && c->deadline - list->timeout_ms + HOLDING_MS <= now) return c;
    }
    return NULL;
}

bool chy_room_for_body(struct chy_conn *c, size_t n)
{
    const struct chy_net *net = c->net;
    size_t max = net->limits.buffered_max;
    bool small = c->x.body.n <= max / SMALL_PART;
    while (!small &&
           (n > max || atomic_load_explicit(&net->buffered, memory_order_relaxed) > max - n)) {
        struct chy_conn *oldest = oldest_holder(c);
        if (!oldest) return false;
        drop(oldest);
    }
    chy_charge(c, n);
    return true;
}

/* Answers that nobody fetches give way to those of others, the oldest first. */
void chy_room_for_answer(struct chy_conn *c)
{
    struct chy_net *net = c->net;
    struct chy_wait_list *list = &net->waits[CHY_WAIT_WRITE];
    while (atomic_load_explicit(&net->buffered, memory_order_relaxed) > net->limits.buffered_max &&
           list->first && list->first != c) {
        drop(list->first);
    }
}

/* As many as the limit needs; a limit that is more than the system allows is lowered. */
void chy_room_descriptors(struct chy_net *net)
{
    struct rlimit r;
    rlim_t extra = OTHER_DESCRIPTORS + LOCAL_PLACES + REFUSED_PLACES;
    rlim_t want = net->limits.connections_max + extra;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= want) return;
    r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur >= want) return;
    unsigned left = (unsigned)(r.rlim_cur > 2 * extra ? r.rlim_cur - extra : r.rlim_cur / 2);
    net->limits.connections_max = left ? left : 1;
}
