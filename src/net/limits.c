/* Time and memory that a client may take. One list per kind of wait: all its members have the same
 * limit, so arming is appending and the first one is always the next to run out. */
#include "net/net_internal.h"

#define LINGER_MS 1000
#define TICK_MIN_MS 10
#define TICK_MAX_MS 500
#define TURNS_A_ROUND 4
#define REFUSALS_A_ROUND 10
#define REFUSAL_ROUND_MS 10

const struct chy_net_limits chy_net_limits_default = {
    .head_max = 16 * 1024,
    .header_count_max = 64,
    .body_max = 128 * 1024,
    .connections_max = 1024,
    .per_peer_max = 0,
    .head_timeout_ms = 10000,
    .body_timeout_ms = 30000,
    .idle_timeout_ms = 75000,
    .write_timeout_ms = 30000,
    .buffered_max = 64 * 1024 * 1024,
};

static void unlink_wait(struct chy_conn *c)
{
    if (c->wait == CHY_WAIT_NONE) return;
    struct chy_wait_list *list = &c->net->waits[c->wait];
    if (c->wait_prev) {
        c->wait_prev->wait_next = c->wait_next;
    } else {
        list->first = c->wait_next;
    }
    if (c->wait_next) {
        c->wait_next->wait_prev = c->wait_prev;
    } else {
        list->last = c->wait_prev;
    }
    c->wait_prev = c->wait_next = NULL;
    c->wait = CHY_WAIT_NONE;
}

void chy_wait_arm(struct chy_conn *c, enum chy_wait wait)
{
    unlink_wait(c);
    if (wait == CHY_WAIT_NONE) return;
    struct chy_wait_list *list = &c->net->waits[wait];
    c->wait = wait;
    c->deadline = uv_now(&c->net->loop) + list->timeout_ms;
    c->wait_prev = list->last;
    if (list->last) {
        list->last->wait_next = c;
    } else {
        list->first = c;
    }
    list->last = c;
}

static void on_tick(uv_timer_t *timer)
{
    struct chy_net *net = timer->data;
    uint64_t now = uv_now(&net->loop);
    for (int kind = 0; kind < CHY_WAIT_TURN; kind++) {
        struct chy_wait_list *list = &net->waits[kind];
        while (list->first && list->first->deadline <= now) {
            struct chy_conn *c = list->first;
            unlink_wait(c);
            chy_net_conn_timeout(c, (enum chy_wait)kind);
        }
    }
    if (net->conn_n == 0) uv_timer_stop(&net->tick);
}

void chy_wait_setup(struct chy_net *net)
{
    net->waits[CHY_WAIT_IDLE].timeout_ms = net->limits.idle_timeout_ms;
    net->waits[CHY_WAIT_HEAD].timeout_ms = net->limits.head_timeout_ms;
    net->waits[CHY_WAIT_BODY].timeout_ms = net->limits.body_timeout_ms;
    net->waits[CHY_WAIT_WRITE].timeout_ms = net->limits.write_timeout_ms;
    net->waits[CHY_WAIT_LINGER].timeout_ms = LINGER_MS;
}

void chy_wait_start(struct chy_net *net)
{
    if (net->finished || uv_is_active((const uv_handle_t *)&net->tick)) return;
    unsigned period = TICK_MAX_MS;
    for (int kind = 0; kind < CHY_WAIT_TURN; kind++) {
        if (net->waits[kind].timeout_ms / 4 < period) period = net->waits[kind].timeout_ms / 4;
    }
    if (period < TICK_MIN_MS) period = TICK_MIN_MS;
    uv_timer_start(&net->tick, on_tick, period, period);
}

/* One request of each of a few, then the loop looks at all who send one at a time. */
static void on_turns(uv_idle_t *turns)
{
    struct chy_net *net = turns->data;
    struct chy_wait_list *list = &net->waits[CHY_WAIT_TURN];
    for (unsigned n = 0; n < TURNS_A_ROUND && list->first; n++) {
        struct chy_conn *c = list->first;
        unlink_wait(c);
        chy_net_conn_advance(c);
    }
    if (!list->first) uv_idle_stop(turns);
}

void chy_wait_turn(struct chy_conn *c)
{
    chy_wait_arm(c, CHY_WAIT_TURN);
    uv_idle_start(&c->net->turns, on_turns);
}

static void on_pace(uv_timer_t *pace)
{
    struct chy_net *net = pace->data;
    struct chy_wait_list *list = &net->waits[CHY_WAIT_REFUSAL];
    bool quiet = net->refusals_left == REFUSALS_A_ROUND;
    for (net->refusals_left = REFUSALS_A_ROUND; net->refusals_left && list->first;
         net->refusals_left--) {
        struct chy_conn *c = list->first;
        unlink_wait(c);
        chy_net_conn_send(c);
        chy_net_conn_advance(c);
    }
    if (quiet && !list->first) uv_timer_stop(pace);
}

/* Whoever sends garbage waits for the answer before he sends more, or holds a place that is taken
 * from him first: so many are answered in a second, and the loop has its time for others. */
bool chy_wait_refusal(struct chy_conn *c)
{
    struct chy_net *net = c->net;
    if (!uv_is_active((const uv_handle_t *)&net->pace)) {
        net->refusals_left = REFUSALS_A_ROUND;
        uv_timer_start(&net->pace, on_pace, REFUSAL_ROUND_MS, REFUSAL_ROUND_MS);
    }
    bool waits = net->refusals_left == 0;
    if (waits) {
        chy_wait_arm(c, CHY_WAIT_REFUSAL);
    } else {
        net->refusals_left--;
    }
    return waits;
}

void chy_charge(struct chy_conn *c, size_t n)
{
    if (!n) return;
    c->charged += n;
    atomic_fetch_add_explicit(&c->net->buffered, n, memory_order_relaxed);
}

void chy_discharge(struct chy_conn *c)
{
    if (!c->charged) return;
    atomic_fetch_sub_explicit(&c->net->buffered, c->charged, memory_order_relaxed);
    c->charged = 0;
}
