/* Sockets that never block past the deadline: non-blocking, with poll. */
#include "client/wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/sys.h"

static chy_hresult wait_for(struct chy_wire *w, short events, struct chy_err *err)
{
    for (;;) {
        int64_t left = w->deadline - chy_monotonic(&chy_system_clock);
        struct pollfd p = {.fd = w->fd, .events = events};
        if (left <= 0)
            return chy_fail(err, CHY_ERROR_TIMEOUT, "%s did not answer in time", w->where);
        int64_t ms = left / 1000 + 1;
        int n = poll(&p, 1, ms > 60000 ? 60000 : (int)ms);
        if (n > 0) return CHY_S_OK;
        if (n < 0 && errno != EINTR) return chy_fail_errno(err, "%s", w->where);
    }
}

static chy_hresult cannot_reach(const struct chy_wire *w, int error, struct chy_err *err)
{
    return chy_fail(err, CHY_ERROR_SERVICE_NOT_ACTIVE, "%s cannot be reached: %s", w->where,
                    strerror(error));
}

static chy_hresult connect_one(struct chy_wire *w, const struct sockaddr *a, socklen_t n,
                               struct chy_err *err)
{
    int error = 0;
    socklen_t size = sizeof(error);
    w->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0) return cannot_reach(w, errno, err);
    if (connect(w->fd, a, n) == 0) return CHY_S_OK;
    if (errno != EINPROGRESS && errno != EAGAIN) return cannot_reach(w, errno, err);
    chy_hresult hr = wait_for(w, POLLOUT, err);
    if (hr != CHY_S_OK) return hr;
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    return error ? cannot_reach(w, error, err) : CHY_S_OK;
}

chy_hresult chy_wire_open_unix(struct chy_wire *w, const char *path, struct chy_err *err)
{
    union {
        struct sockaddr sa;
        struct sockaddr_un un;
    } a = {.un = {.sun_family = AF_UNIX}};
    size_t n = strlen(path);
    if (n >= sizeof(a.un.sun_path))
        return chy_fail(err, CHY_E_INVALIDARG, "socket %.80s…: the path is longer than %zu octets",
                        path, sizeof(a.un.sun_path) - 1);
    memcpy(a.un.sun_path, path, n + 1);
    chy_hresult hr = connect_one(w, &a.sa, sizeof(a.un), err);
    if (hr != CHY_S_OK) chy_wire_close(w);
    return hr;
}

chy_hresult chy_wire_open_tcp(struct chy_wire *w, const struct chy_httpc_url *url,
                              struct chy_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct chy_err each = {0};
    int one = 1;
    int e = getaddrinfo(url->host, url->port, &hints, &list);
    if (e != 0) {
        return chy_fail(err, CHY_ERROR_SERVICE_NOT_ACTIVE, "%s cannot be reached: %s", w->where,
                        gai_strerror(e));
    }
    chy_hresult hr = CHY_ERROR_SERVICE_NOT_ACTIVE;
    for (struct addrinfo *a = list; a && hr != CHY_S_OK; a = a->ai_next) {
        chy_err_clear(&each);
        hr = connect_one(w, a->ai_addr, a->ai_addrlen, &each);
        if (hr != CHY_S_OK) chy_wire_close(w);
    }
    freeaddrinfo(list);
    if (hr != CHY_S_OK) return chy_fail(err, hr, "%s", each.text);
    (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return CHY_S_OK;
}

void chy_wire_close(struct chy_wire *w)
{
    SSL_free(w->ssl);
    w->ssl = NULL;
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}

chy_hresult chy_wire_send(struct chy_wire *w, struct chy_span data, struct chy_err *err)
{
    while (data.n) {
        /* A library must not let its program die of SIGPIPE. */
        ssize_t n = send(w->fd, data.p, data.n, MSG_NOSIGNAL);
        if (n > 0) {
            data = chy_span_of(data.p + n, data.n - (size_t)n);
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) return cannot_reach(w, errno, err);
        chy_hresult hr = wait_for(w, POLLOUT, err);
        if (hr != CHY_S_OK) return hr;
    }
    return CHY_S_OK;
}

chy_hresult chy_wire_recv(struct chy_wire *w, void *p, size_t cap, size_t *n, struct chy_err *err)
{
    for (;;) {
        ssize_t got = recv(w->fd, p, cap, 0);
        if (got >= 0) {
            *n = (size_t)got;
            return CHY_S_OK;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return cannot_reach(w, errno, err);
        chy_hresult hr = wait_for(w, POLLIN, err);
        if (hr != CHY_S_OK) return hr;
    }
}

chy_hresult chy_wire_write(struct chy_wire *w, struct chy_span data, struct chy_err *err)
{
    return w->ssl ? chy_wire_tls_write(w, data, err) : chy_wire_send(w, data, err);
}

chy_hresult chy_wire_read(struct chy_wire *w, void *p, size_t cap, size_t *n, struct chy_err *err)
{
    return w->ssl ? chy_wire_tls_read(w, p, cap, n, err) : chy_wire_recv(w, p, cap, n, err);
}

bool chy_wire_is_idle(const struct chy_wire *w)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    return w->fd >= 0 && poll(&p, 1, 0) == 0;
}
