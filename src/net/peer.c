/* Who is at the other end of a connection. */
#include "net/net_internal.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static void fill_unix(struct chy_conn *c)
{
    uv_os_fd_t fd = -1;
    struct ucred cred = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t n = sizeof(cred);
    if (uv_fileno(&c->u.handle, &fd) != 0) return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0) return;
    c->peer.uid = cred.uid;
    c->peer.gid = cred.gid;
    c->peer.pid = (uint32_t)cred.pid;
}

/* An IPv6 subscriber has a whole /64: it is one peer. */
static void key_of(struct chy_peer_key *key, const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof(v4));
        key->low = v4.sin_addr.s_addr;
        key->high = 4;
    } else if (a->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof(v6));
        memcpy(&key->low, v6.sin6_addr.s6_addr, 8);
        key->high = 6;
    }
}

/* A dual-stack listener shows IPv4 clients as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
static void unmap(struct sockaddr_storage *a)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (a->ss_family != AF_INET6) return;
    memcpy(&v6, a, sizeof(v6));
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return;
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
    v4.sin_port = v6.sin6_port;
    memcpy(a, &v4, sizeof(v4));
}

void chy_peer_fill(struct chy_conn *c, const struct sockaddr_storage *from)
{
    struct sockaddr_storage a = *from;
    c->peer.uid = c->peer.gid = UINT32_MAX; /* nobody: 0 would be root */
    if (c->peer.transport == CHY_TRANSPORT_UNIX) {
        fill_unix(c);
        return;
    }
    unmap(&a);
    key_of(&c->key, &a);
    (void)uv_ip_name((const struct sockaddr *)&a, c->peer.address, sizeof(c->peer.address));
}

unsigned chy_peer_count(const struct chy_net *net, const struct chy_peer_key *key)
{
    unsigned n = 0;
    for (const struct chy_conn *c = net->conns; c; c = c->next) {
        n += c->state != CHY_CONN_CLOSED && c->key.high == key->high && c->key.low == key->low;
    }
    return n;
}
