/* The loop: made, run, stopped; and the one door into it from other threads. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/net_internal.h"

chy_hresult chy_fail_uv(struct chy_err *err, int e, const char *what)
{
    errno = e < 0 ? -e : EIO; /* libuv's numbers are negated errno values on Unix */
    return chy_fail_errno(err, "%s", what);
}

const char *chy_net_date(struct chy_net *net)
{
    uint64_t now = uv_now(&net->loop);
    if (now >= net->date_until) {
        chy_time t = chy_now(&net->clock);
        chy_http_date(net->date, t);
        uint64_t spent = t > 0 ? (uint64_t)(t % 1000000) / 1000 : 0;
        net->date_until = now + 1000 - spent;
    }
    return net->date;
}

/* ---- messages from other threads ---- */

/* Not uv_async_send: where the loop wakes before the sender is back from the kernel it spins until
 * he is, which on a virtual machine took a fifth of the CPU of a lone client's requests. */
static void wake(struct chy_net *net)
{
    if (net->wake_open) (void)eventfd_write(net->wake_fd, 1);
}

static void wake_later(void *arg)
{
    struct chy_net *net = arg;
    pthread_mutex_lock(&net->lock);
    wake(net);
    pthread_mutex_unlock(&net->lock);
}

void chy_net_hand_back(struct chy_net *net, struct chy_exchange *x)
{
    pthread_mutex_lock(&net->lock);
    bool first = !net->done && !net->posts;
    x->link.next = NULL;
    *net->done_tail = &x->link;
    net->done_tail = &x->link.next;
    if (first && !chy_wake_later(wake_later, net)) wake(net);
    pthread_mutex_unlock(&net->lock);
}

chy_hresult chy_net_post(struct chy_net *net, void (*fn)(void *arg), void *arg)
{
    struct chy_post *post = chy_malloc(sizeof(*post));
    if (!post) return CHY_E_OUTOFMEMORY;
    *post = (struct chy_post){.next = NULL, .fn = fn, .arg = arg};
    pthread_mutex_lock(&net->lock);
    bool first = !net->done && !net->posts;
    *net->posts_tail = post;
    net->posts_tail = &post->next;
    if (first) wake(net);
    pthread_mutex_unlock(&net->lock);
    return CHY_S_OK;
}

static void take_messages(struct chy_net *net, struct chy_node **done, struct chy_post **posts)
{
    pthread_mutex_lock(&net->lock);
    *done = net->done;
    *posts = net->posts;
    net->done = NULL;
    net->done_tail = &net->done;
    net->posts = NULL;
    net->posts_tail = &net->posts;
    pthread_mutex_unlock(&net->lock);
}

static struct chy_exchange *exchange_of(struct chy_node *node)
{
    return (struct chy_exchange *)(void *)((char *)node - offsetof(struct chy_exchange, link));
}

static void run_messages(struct chy_net *net)
{
    struct chy_node *done = NULL;
    struct chy_post *posts = NULL;
    take_messages(net, &done, &posts);
    while (done) {
        struct chy_node *next = done->next;
        chy_net_conn_answered(exchange_of(done)->conn);
        done = next;
    }
    while (posts) {
        struct chy_post *next = posts->next;
        posts->fn(posts->arg);
        chy_free(posts);
        posts = next;
    }
}

/* ---- the end ---- */

static void close_all(struct chy_net *net)
{
    for (struct chy_conn *c = net->conns; c; c = c->next) {
        chy_net_conn_close(c);
    }
}

/* The loop runs out of handles now, and uv_run returns. */
static void finish(struct chy_net *net)
{
    if (net->finished) return;
    net->finished = true;
    close_all(net);
    chy_listeners_close(net);
    chy_events_close(net);
    pthread_mutex_lock(&net->lock);
    net->wake_open = false;
    pthread_mutex_unlock(&net->lock);
    uv_handle_t *const own[] = {(uv_handle_t *)&net->wake, (uv_handle_t *)&net->tick,
                                (uv_handle_t *)&net->drain, (uv_handle_t *)&net->turns,
                                (uv_handle_t *)&net->pace};
    for (size_t i = 0; i < CHY_ARRAY_LEN(own); i++) {
        uv_close(own[i], NULL);
    }
    close(net->wake_fd);
}

void chy_net_check_drained(struct chy_net *net)
{
    if (net->stopping && net->conn_n == 0) finish(net);
}

static void on_drain_end(uv_timer_t *timer)
{
    finish(timer->data);
}

/* Those between two requests, or inside a head, are closed; the others are when their answer is
 * out. Whoever sends a head slowly cannot hold the stop up. */
static void begin_stop(struct chy_net *net)
{
    if (net->stopping) return;
    net->stopping = true;
    chy_listeners_close(net);
    for (struct chy_conn *c = net->conns; c; c = c->next) {
        if (c->state == CHY_CONN_HEAD && c->wait != CHY_WAIT_TURN) chy_net_conn_close(c);
    }
    chy_net_check_drained(net);
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    struct chy_net *net = poll->data;
    eventfd_t count;
    (void)status, (void)events;
    (void)eventfd_read(net->wake_fd, &count);
    run_messages(net);
    if (net->finished || !atomic_exchange(&net->stop_asked, 0)) return;
    begin_stop(net);
    if (!net->finished) uv_timer_start(&net->drain, on_drain_end, atomic_load(&net->stop_ms), 0);
}

void chy_net_stop(struct chy_net *net, unsigned drain_ms)
{
    atomic_store(&net->stop_ms, drain_ms);
    atomic_store(&net->stop_asked, 1);
    pthread_mutex_lock(&net->lock);
    wake(net);
    pthread_mutex_unlock(&net->lock);
}

/* ---- life ---- */

/* A client that goes away must cost its connection, not the process. */
static void ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) != 0 || now.sa_handler != SIG_DFL) return;
    now.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &now, NULL);
}

static chy_hresult init_loop(struct chy_net *net, struct chy_err *err)
{
    int e = uv_loop_init(&net->loop);
    if (e != 0) return chy_fail_uv(err, e, "event loop");
    net->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e = net->wake_fd < 0 ? uv_translate_sys_error(errno)
                         : uv_poll_init(&net->loop, &net->wake, net->wake_fd);
    if (e != 0) {
        if (net->wake_fd >= 0) close(net->wake_fd);
        (void)uv_loop_close(&net->loop);
        return chy_fail_uv(err, e, "event loop");
    }
    (void)uv_poll_start(&net->wake, UV_READABLE, on_wake);
    (void)uv_timer_init(&net->loop, &net->tick);
    (void)uv_timer_init(&net->loop, &net->drain);
    (void)uv_idle_init(&net->loop, &net->turns);
    (void)uv_timer_init(&net->loop, &net->pace);
    net->wake.data = net->tick.data = net->drain.data = net->turns.data = net->pace.data = net;
    net->wake_open = true;
    return CHY_S_OK;
}

static chy_hresult check_limits(const struct chy_net_limits *l, struct chy_err *err)
{
    bool good = l->head_max >= 256 && l->head_max <= 1024 * 1024 && l->header_count_max > 0 &&
                l->connections_max > 0 && l->head_timeout_ms && l->body_timeout_ms &&
                l->idle_timeout_ms && l->write_timeout_ms;
    return good ? CHY_S_OK : chy_fail(err, CHY_E_INVALIDARG, "limits: zero or out of range");
}

chy_hresult chy_net_new(const struct chy_net_limits *limits, const struct chy_clock *clock,
                        struct chy_net **out, struct chy_err *err)
{
    if (!limits) limits = &chy_net_limits_default;
    chy_hresult hr = check_limits(limits, err);
    if (hr != CHY_S_OK) return hr;
    struct chy_net *net = chy_calloc(1, sizeof(*net));
    if (!net) return chy_fail_nomem(err, "network");
    net->limits = *limits;
    chy_room_descriptors(net);
    net->http_limits.head_max = limits->head_max;
    net->http_limits.header_count_max = limits->header_count_max;
    net->clock = clock ? *clock : chy_system_clock;
    net->done_tail = &net->done;
    net->posts_tail = &net->posts;
    chy_wait_setup(net);
    pthread_mutex_init(&net->lock, NULL);
    hr = init_loop(net, err);
    if (hr != CHY_S_OK) {
        pthread_mutex_destroy(&net->lock);
        chy_free(net);
        return hr;
    }
    ignore_sigpipe();
    *out = net;
    return CHY_S_OK;
}

chy_hresult chy_net_set_tls(struct chy_net *net, const struct chy_net_tls *tls, struct chy_err *err)
{
    SSL_CTX *fresh = NULL;
    chy_hresult hr = chy_tls_context(tls, &fresh, err);
    if (hr != CHY_S_OK) return hr;
    pthread_mutex_lock(&net->lock);
    SSL_CTX *old = net->tls;
    net->tls = fresh;
    pthread_mutex_unlock(&net->lock);
    SSL_CTX_free(old);
    if (!old && chy_net_post(net, chy_listeners_resume, net) != CHY_S_OK)
        return chy_fail_nomem(err, "TLS");
    return CHY_S_OK;
}

chy_hresult chy_net_route(struct chy_net *net, const char *method, const char *pattern,
                          size_t body_max, chy_handler handler, void *arg, struct chy_err *err)
{
    union {
        const char *in;
        char *out;
    } m = {.in = method}, p = {.in = pattern};
    struct chy_route route = {.method = m.out,
                              .pattern = p.out,
                              .body_max = body_max ? body_max : net->limits.body_max,
                              .handler = handler,
                              .arg = arg};
    return chy_router_add(&net->router, &route, err);
}

chy_hresult chy_net_run(struct chy_net *net, struct chy_err *err)
{
    if (net->finished) return chy_fail(err, CHY_E_UNEXPECTED, "network: has been stopped");
    (void)uv_run(&net->loop, UV_RUN_DEFAULT);
    run_messages(net); /* answers that came while the door closed */
    if (uv_loop_alive(&net->loop)) {
        return chy_fail(err, CHY_E_UNEXPECTED, "network: handles are left after the end");
    }
    return CHY_S_OK;
}

static void free_list(struct chy_conn *c)
{
    while (c) {
        struct chy_conn *next = c->next;
        chy_net_conn_memory_free(c);
        c = next;
    }
}

void chy_net_free(struct chy_net *net)
{
    if (!net) return;
    finish(net);
    (void)uv_run(&net->loop, UV_RUN_DEFAULT);
    run_messages(net);
    if (uv_loop_close(&net->loop) != 0) chy_log(CHY_LOG_LEVEL_ERROR, "net.handles_left", NULL);
    free_list(net->conns); /* held and never answered */
    free_list(net->spare);
    chy_listeners_free(net);
    chy_events_free(net);
    chy_router_free(&net->router);
    SSL_CTX_free(net->tls);
    pthread_mutex_destroy(&net->lock);
    chy_free(net);
}

void chy_net_counters(struct chy_net *net, struct chy_net_counters *out)
{
    *out = (struct chy_net_counters){
        .connections = atomic_load(&net->connections),
        .requests = atomic_load(&net->requests),
        .refused = atomic_load(&net->refused),
        .evicted = atomic_load(&net->evicted),
        .tls_handshakes = atomic_load(&net->handshakes),
        .open_connections = atomic_load(&net->open),
        .held = atomic_load(&net->held),
        .buffered = atomic_load(&net->buffered),
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(out->status_class); i++) {
        out->status_class[i] = atomic_load(&net->status_class[i]);
    }
}
