/* Timers, signals and the end of standard input as events of the loop. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "net/net_internal.h"

static struct chy_event *event_new(struct chy_net *net, void (*fn)(void *arg), void *arg)
{
    struct chy_event *e = chy_calloc(1, sizeof(*e));
    if (!e) return NULL;
    e->net = net;
    e->fn = fn;
    e->arg = arg;
    e->fd = -1;
    return e;
}

static void event_keep(struct chy_event *e)
{
    e->u.handle.data = e;
    e->next = e->net->events;
    e->net->events = e;
}

void chy_events_close(struct chy_net *net)
{
    for (struct chy_event *e = net->events; e; e = e->next) {
        if (uv_is_closing(&e->u.handle)) continue;
        bool is_signal = e->u.handle.type == UV_SIGNAL;
        int signum = is_signal ? e->u.signal.signum : 0;
        uv_close(&e->u.handle, NULL);
        /* Asking twice to stop must not cut short the stop that is under way. */
        if (signum) (void)signal(signum, SIG_IGN);
        /* The flags belong to whoever gave us the descriptor, a shell perhaps. */
        if (e->fd >= 0) (void)fcntl(e->fd, F_SETFL, e->fd_flags);
    }
}

void chy_events_free(struct chy_net *net)
{
    while (net->events) {
        struct chy_event *e = net->events;
        net->events = e->next;
        chy_free(e);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct chy_event *e = timer->data;
    e->fn(e->arg);
}

chy_hresult chy_net_every(struct chy_net *net, unsigned period_ms, void (*fn)(void *arg), void *arg,
                          struct chy_err *err)
{
    if (period_ms == 0) return chy_fail(err, CHY_E_INVALIDARG, "timer: no period");
    struct chy_event *e = event_new(net, fn, arg);
    if (!e) return chy_fail_nomem(err, "timer");
    (void)uv_timer_init(&net->loop, &e->u.timer);
    event_keep(e);
    uv_update_time(&net->loop);
    (void)uv_timer_start(&e->u.timer, on_timer, period_ms, period_ms);
    return CHY_S_OK;
}

static void on_signal(uv_signal_t *signal, int signum)
{
    (void)signum;
    struct chy_event *e = signal->data;
    e->fn(e->arg);
}

chy_hresult chy_net_on_signal(struct chy_net *net, int signum, void (*fn)(void *arg), void *arg,
                              struct chy_err *err)
{
    struct chy_event *e = event_new(net, fn, arg);
    if (!e) return chy_fail_nomem(err, "signal");
    int r = uv_signal_init(&net->loop, &e->u.signal);
    if (r != 0) {
        chy_free(e);
        return chy_fail_uv(err, r, "signal");
    }
    event_keep(e);
    r = uv_signal_start(&e->u.signal, on_signal, signum);
    return r == 0 ? CHY_S_OK : chy_fail_uv(err, r, "signal");
}

static void on_stdin(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct chy_event *e = poll->data;
    char drop[4096];
    ssize_t n = status < 0 ? 0 : read(e->fd, drop, sizeof(drop));
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
    uv_poll_stop(poll);
    e->fn(e->arg);
}

chy_hresult chy_net_on_stdin_eof(struct chy_net *net, void (*fn)(void *arg), void *arg,
                                 struct chy_err *err)
{
    struct chy_event *e = event_new(net, fn, arg);
    if (!e) return chy_fail_nomem(err, "standard input");
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    int r = flags < 0 ? UV_EBADF : uv_poll_init(&net->loop, &e->u.poll, STDIN_FILENO);
    if (r != 0) {
        /* A file, /dev/null or nothing at all cannot be waited for: its end has been reached. */
        chy_free(e);
        return chy_net_post(net, fn, arg);
    }
    e->fd = STDIN_FILENO;
    e->fd_flags = flags;
    event_keep(e);
    r = uv_poll_start(&e->u.poll, UV_READABLE | UV_DISCONNECT, on_stdin);
    return r == 0 ? CHY_S_OK : chy_fail_uv(err, r, "standard input");
}
