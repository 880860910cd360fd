/* Listening sockets: TCP by address, the Unix socket by path, or one that was inherited. */
#include <errno.h>
#include <netinet/in.h>
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

static int open_handle(struct chy_net *net, uv_tcp_t *tcp, uv_pipe_t *pipe,
                       enum chy_transport transport)
{
    return transport == CHY_TRANSPORT_UNIX ? uv_pipe_init(&net->loop, pipe, 0)
                                           : uv_tcp_init(&net->loop, tcp);
}

static bool has_certificate(struct chy_net *net)
{
    pthread_mutex_lock(&net->lock);
    bool yes = net->tls;
    pthread_mutex_unlock(&net->lock);
    return yes;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct chy_listener *l = stream->data;
    struct chy_net *net = l->net;
    if (status < 0 || net->stopping) return;
    l->waits = l->transport == CHY_TRANSPORT_TLS && !has_certificate(net);
    if (l->waits) return; /* libuv stops accepting until this connection is taken */
    struct chy_conn *c = chy_net_conn_new(net, l->transport);
    if (!c) return;
    CHY_COUNT(net->connections);
    (void)open_handle(net, &c->u.tcp, &c->u.pipe, l->transport);
    c->u.handle.data = c;
    if (uv_accept(stream, &c->u.stream) != 0) {
        chy_net_conn_close(c);
        return;
    }
    chy_peer_fill(c);
    if (!chy_room_for(c)) {
        chy_room_refuse(c);
        return;
    }
    if (l->transport != CHY_TRANSPORT_UNIX) (void)uv_tcp_nodelay(&c->u.tcp, 1);
    chy_net_conn_start(c, l->transport == CHY_TRANSPORT_TLS);
}

void chy_listeners_resume(void *arg)
{
    struct chy_net *net = arg;
    for (struct chy_listener *l = net->listeners; l; l = l->next) {
        if (l->open && l->waits && !uv_is_closing(&l->u.handle)) on_connection(&l->u.stream, 0);
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct chy_listener *l = handle->data;
    l->open = false;
}

void chy_listeners_close(struct chy_net *net)
{
    for (struct chy_listener *l = net->listeners; l; l = l->next) {
        if (!l->open || uv_is_closing(&l->u.handle)) continue;
        uv_close(&l->u.handle, on_listener_closed);
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

static struct chy_listener *listener_new(struct chy_net *net, enum chy_transport transport)
{
    struct chy_listener *l = chy_calloc(1, sizeof(*l));
    if (!l) return NULL;
    l->net = net;
    l->transport = transport;
    if (open_handle(net, &l->u.tcp, &l->u.pipe, transport) != 0) {
        chy_free(l);
        return NULL;
    }
    l->u.handle.data = l;
    l->open = true;
    l->next = net->listeners;
    net->listeners = l;
    return l;
}

/* A failed listener stays in the list and is closed with the others. */
static chy_hresult listen_on(struct chy_listener *l, int e, const char *what, struct chy_err *err)
{
    int size = SEND_BUFFER;
    if (l->transport != CHY_TRANSPORT_UNIX) (void)uv_send_buffer_size(&l->u.handle, &size);
    if (e == 0) e = uv_listen(&l->u.stream, BACKLOG, on_connection);
    return e == 0 ? CHY_S_OK : chy_fail_uv(err, e, what);
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
    struct chy_listener *l = listener_new(net, tls ? CHY_TRANSPORT_TLS : CHY_TRANSPORT_TCP);
    if (!l) return chy_fail_nomem(err, what);
    int e = uv_tcp_bind(&l->u.tcp, (const struct sockaddr *)&a, 0);
    chy_hresult hr = listen_on(l, e, what, err);
    if (hr != CHY_S_OK || !bound_port) return hr;
    int n = sizeof(a);
    e = uv_tcp_getsockname(&l->u.tcp, (struct sockaddr *)&a, &n);
    if (e != 0) return chy_fail_uv(err, e, what);
    /* sin_port and sin6_port lie at the same place. */
    memcpy(&v4, &a, sizeof(v4));
    *bound_port = ntohs(v4.sin_port);
    return CHY_S_OK;
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
    struct chy_listener *l = listener_new(net, CHY_TRANSPORT_UNIX);
    if (l) l->path = chy_strdup(path);
    if (!l || !l->path) {
        close(fd);
        (void)unlink(path);
        return chy_fail_nomem(err, path);
    }
    int e = uv_pipe_open(&l->u.pipe, fd);
    if (e != 0) close(fd);
    return listen_on(l, e, path, err);
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
    struct chy_listener *l = listener_new(net, transport);
    if (!l) return chy_fail_nomem(err, "inherited socket");
    int e =
        transport == CHY_TRANSPORT_UNIX ? uv_pipe_open(&l->u.pipe, fd) : uv_tcp_open(&l->u.tcp, fd);
    return listen_on(l, e, "inherited socket", err);
}
