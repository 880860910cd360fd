/* Listening sockets: TCP by address, the Unix socket by path, or one that was inherited. They are
 * watched and accepted from here and not by uv_listen, which tries again at once, without end and
 * ahead of everybody else, where the system refuses (accept(2): EMFILE, ENFILE, ENOBUFS, ENOMEM).
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/net_internal.h"

#define BACKLOG 511
/* What the kernel keeps of an answer that its client does not read: it would grow to megabytes. */
#define SEND_BUFFER 65536

/* Of one socket in one round of the loop: then those who are in have their turn. */
#define ACCEPTS_A_ROUND 16
#define PAUSE_MS 100

static bool has_certificate(struct chy_net *net)
{
    pthread_mutex_lock(&net->lock);
    bool yes = net->tls;
    pthread_mutex_unlock(&net->lock);
    return yes;
}

static void watch(struct chy_listener *l);

static void on_pause_end(uv_timer_t *timer)
{
    watch(timer->data);
}

/* The system refuses: what waits in the backlog is asked for again a moment later. */
static void pause_listener(struct chy_listener *l, int e)
{
    if (!l->refused)
        chy_log(CHY_LOG_LEVEL_WARNING, "net.accept", "error",
                uv_strerror(uv_translate_sys_error(e)), NULL);
    l->refused = true;
    (void)uv_poll_stop(&l->poll);
    (void)uv_timer_start(&l->pause, on_pause_end, PAUSE_MS, 0);
}

static int open_handle(struct chy_conn *c, int fd)
{
    uv_loop_t *loop = &c->net->loop;
    bool local = c->peer.transport == CHY_TRANSPORT_UNIX;
    (void)(local ? uv_pipe_init(loop, &c->u.pipe, 0) : uv_tcp_init(loop, &c->u.tcp));
    c->u.handle.data = c;
    return local ? uv_pipe_open(&c->u.pipe, fd) : uv_tcp_open(&c->u.tcp, fd);
}

static bool let_in(struct chy_listener *l, int fd, const struct sockaddr_storage *from)
{
    struct chy_conn *c = chy_net_conn_new(l->net, l->transport);
    if (!c) {
        close(fd);
        return false;
    }
    CHY_COUNT(l->net->connections);
    if (open_handle(c, fd) != 0) {
        close(fd);
        chy_net_conn_close(c);
        return true;
    }
    chy_peer_fill(c, from);
    if (!chy_room_for(c)) {
        chy_room_refuse(c);
        return true;
    }
    chy_net_conn_start(c, l->transport == CHY_TRANSPORT_TLS);
    return true;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct chy_listener *l = poll->data;
    (void)status, (void)events; /* what is wrong with the socket accept says, too */
    l->waits = l->transport == CHY_TRANSPORT_TLS && !has_certificate(l->net);
    if (l->waits) (void)uv_poll_stop(poll);
    for (int i = 0; i < ACCEPTS_A_ROUND && l->open && !l->waits; i++) {
        struct sockaddr_storage from = {0};
        socklen_t n = sizeof(from);
        int fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0 && errno == EAGAIN) return;
        int e = fd < 0 ? errno : let_in(l, fd, &from) ? 0 : ENOMEM;
        if (e) {
            pause_listener(l, e);
            return;
        }
        l->refused = false;
    }
}

static void watch(struct chy_listener *l)
{
    (void)uv_poll_start(&l->poll, UV_READABLE, on_connection);
}

void chy_listeners_resume(void *arg)
{
    struct chy_net *net = arg;
    for (struct chy_listener *l = net->listeners; l; l = l->next) {
        if (l->open && l->waits) watch(l);
    }
}

void chy_listeners_close(struct chy_net *net)
{
    for (struct chy_listener *l = net->listeners; l; l = l->next) {
        if (!l->open) continue;
        l->open = false;
        uv_close((uv_handle_t *)&l->poll, NULL);
        uv_close((uv_handle_t *)&l->pause, NULL);
        close(l->fd);
        if (l->path) (void)unlink(l->path);
    }
}

void chy_listeners_free(struct chy_net *net)
{
    while (net->listeners) {
        struct chy_listener *l = net->listeners;
        net->listeners = l->next;
        chy_free(l->path);
        chy_free(l);
    }
}

/* Owns fd and path from the call on, on failure too. */
static chy_hresult listen_on(struct chy_net *net, int fd, enum chy_transport transport, char *path,
                             const char *what, struct chy_err *err)
{
    int size = SEND_BUFFER, on = 1, e;
    struct chy_listener *l = chy_calloc(1, sizeof(*l));
    if (!l) {
        e = UV_ENOMEM;
        goto out;
    }
    *l = (struct chy_listener){.net = net,
                               .fd = fd,
                               .transport = transport,
                               .path = path,
                               .open = true,
                               .next = net->listeners};
    if (transport != CHY_TRANSPORT_UNIX) { /* what is accepted inherits both */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    e = listen(fd, BACKLOG) == 0 ? 0 : uv_translate_sys_error(errno);
    if (e == 0) e = uv_poll_init(&net->loop, &l->poll, fd);
    if (e != 0) goto out;
    (void)uv_timer_init(&net->loop, &l->pause);
    l->poll.data = l->pause.data = l;
    net->listeners = l;
    watch(l);
    return CHY_S_OK;
out:
    chy_free(l);
    close(fd);
    if (path) (void)unlink(path);
    chy_free(path);
    return e == UV_ENOMEM ? chy_fail_nomem(err, what) : chy_fail_uv(err, e, what);
}

/* An address of either family; [::] takes IPv4 clients as well (RFC 3493 5.3). */
static int bind_tcp(const struct sockaddr_storage *a)
{
    int on = 1, off = 0;
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return uv_translate_sys_error(errno);
    socklen_t n =
        a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (const struct sockaddr *)a, n) == 0) return fd;
    int e = uv_translate_sys_error(errno);
    close(fd);
    return e;
}

chy_hresult chy_net_listen_tcp(struct chy_net *net, const char *host, int port, bool tls,
                               int *bound_port, struct chy_err *err)
{
    struct sockaddr_storage a;
    char what[128];
    memset(&a, 0, sizeof(a));
    snprintf(what, sizeof(what), "listen on %.64s port %d", host, port);
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (port >= 0 && port <= 65535 && uv_ip4_addr(host, port, &v4) == 0) {
        memcpy(&a, &v4, sizeof(v4));
    } else if (port >= 0 && port <= 65535 && uv_ip6_addr(host, port, &v6) == 0) {
        memcpy(&a, &v6, sizeof(v6));
    } else {
        return chy_fail(err, CHY_E_INVALIDARG, "%s: not a literal address and port", what);
    }
    int fd = bind_tcp(&a);
    if (fd < 0) return chy_fail_uv(err, fd, what);
    socklen_t n = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &n) == 0 && bound_port) {
        /* sin_port and sin6_port lie at the same place. */
        memcpy(&v4, &a, sizeof(v4));
        *bound_port = ntohs(v4.sin_port);
    }
    return listen_on(net, fd, tls ? CHY_TRANSPORT_TLS : CHY_TRANSPORT_TCP, NULL, what, err);
}

static bool answers(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return true;
    int e = connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ? 0 : errno;
    close(fd);
    return e != ECONNREFUSED && e != ENOENT;
}

/* Takes the path over from a dead process, from nobody else and from no other kind of file. */
static chy_hresult clear_path(const struct sockaddr_un *a, struct chy_err *err)
{
    struct stat st;
    if (lstat(a->sun_path, &st) != 0) {
        return errno == ENOENT ? CHY_S_OK : chy_fail_errno(err, "listen on %s", a->sun_path);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return chy_fail(err, CHY_ERROR_ALREADY_EXISTS,
                        "listen on %s: a file is there that is no socket", a->sun_path);
    }
    if (answers(a)) {
        return chy_fail(err, CHY_ERROR_ALREADY_EXISTS,
                        "listen on %s: another process is listening there; stop it first",
                        a->sun_path);
    }
    if (unlink(a->sun_path) != 0) return chy_fail_errno(err, "listen on %s", a->sun_path);
    return CHY_S_OK;
}

/* The mode is set before listen(): nobody can connect earlier. */
static chy_hresult bind_unix(const struct sockaddr_un *a, unsigned mode, int *out,
                             struct chy_err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return chy_fail_errno(err, "listen on %s", a->sun_path);
    if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) != 0 ||
        chmod(a->sun_path, (mode_t)mode) != 0) {
        chy_hresult hr = chy_fail_errno(err, "listen on %s", a->sun_path);
        close(fd);
        return hr;
    }
    *out = fd;
    return CHY_S_OK;
}

chy_hresult chy_net_listen_unix(struct chy_net *net, const char *path, unsigned mode,
                                struct chy_err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(a.sun_path)) {
        return chy_fail(err, CHY_E_INVALIDARG, "listen on %s: a socket path has 1 to %zu octets",
                        path, sizeof(a.sun_path) - 1);
    }
    memcpy(a.sun_path, path, n);
    int fd = -1;
    chy_hresult hr = clear_path(&a, err);
    if (hr == CHY_S_OK) hr = bind_unix(&a, mode, &fd, err);
    if (hr != CHY_S_OK) return hr;
    char *own = chy_strdup(path);
    if (!own) {
        close(fd);
        (void)unlink(path);
        return chy_fail_nomem(err, path);
    }
    return listen_on(net, fd, CHY_TRANSPORT_UNIX, own, path, err);
}

chy_hresult chy_net_listen_fd(struct chy_net *net, int fd, enum chy_transport transport,
                              struct chy_err *err)
{
    int listening = 0, domain = 0;
    socklen_t n = sizeof(listening), m = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &m) != 0 || !listening ||
        (domain == AF_UNIX) != (transport == CHY_TRANSPORT_UNIX)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "listen on inherited descriptor %d: not a listening socket of its kind",
                        fd);
    }
    return listen_on(net, fd, transport, NULL, "inherited socket", err);
}
