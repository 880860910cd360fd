/* The octets below libldap. Its own way to wait is not good enough: over GnuTLS it spins for ever
 * when a server says nothing in the middle of a handshake. So the socket is made here, and libldap
 * reads and writes through functions that give up when the time of the operation is over. */
#include <errno.h>
#include <netdb.h>
#include <openldap.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "exit_ldap.h"

#define LOCAL_SOCKET "/var/run/slapd/ldapi"

long long wire_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* liblber tells the end of a connection from a pause by errno: nothing is left in it but a failure.
 */
static bool wait_for(const struct conn *c, int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};
    int n;
    do {
        long long left = c->until - wire_now();
        n = left > 0 ? poll(&p, 1, (int)left) : 0; /* also where there is no end of what comes */
    } while (n < 0 && errno == EINTR);
    if (n >= 0) errno = n ? 0 : ETIMEDOUT;
    return n > 0;
}

/* ---- as liblber wants it ---- */

static int io_setup(Sockbuf_IO_Desc *d, void *arg)
{
    d->sbiod_pvt = arg;
    return 0;
}

static int io_remove(Sockbuf_IO_Desc *d)
{
    d->sbiod_pvt = NULL;
    return 0;
}

static int io_ctrl(Sockbuf_IO_Desc *d, int option, void *arg)
{
    (void)d, (void)option, (void)arg;
    return 0;
}

static ber_slen_t io_read(Sockbuf_IO_Desc *d, void *buf, ber_len_t n)
{
    struct conn *c = d->sbiod_pvt;
    if (!c->room) {
        errno = EMSGSIZE;
        return -1;
    }
    ssize_t k =
        wait_for(c, c->fd, POLLIN) ? recv(c->fd, buf, n < c->room ? n : c->room, MSG_DONTWAIT) : -1;
    if (k > 0) c->room -= (size_t)k;
    return k;
}

static ber_slen_t io_write(Sockbuf_IO_Desc *d, void *buf, ber_len_t n)
{
    struct conn *c = d->sbiod_pvt;
    return wait_for(c, c->fd, POLLOUT) ? send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
}

static int io_close(Sockbuf_IO_Desc *d)
{
    struct conn *c = d->sbiod_pvt;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    return 0;
}

static const Sockbuf_IO wire = {io_setup, io_remove, io_ctrl, io_read, io_write, io_close};

/* ---- connecting ---- */

static int connect_to(const struct conn *c, int family, const struct sockaddr *a, socklen_t n)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failed = 0;
    socklen_t size = sizeof failed;
    if (fd < 0) return -1;
    if (connect(fd, a, n) == 0) return fd;
    if ((errno == EINPROGRESS || errno == EAGAIN) && wait_for(c, fd, POLLOUT) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0) {
        if (!failed) return fd;
        errno = failed;
    }
    failed = errno;
    close(fd);
    errno = failed;
    return -1;
}

static int connect_local(const struct conn *c, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path || !*path) path = LOCAL_SOCKET;
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    return connect_to(c, AF_UNIX, (const struct sockaddr *)&a, sizeof a);
}

static int connect_host(const struct conn *c, const char *host, int port)
{
    struct addrinfo *all = resolve(host && *host ? host : "localhost", port, c->until);
    int fd = -1;
    if (!all) return -1;
    for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next)
        fd = connect_to(c, a->ai_family, a->ai_addr, a->ai_addrlen);
    int failed = errno;
    freeaddrinfo(all);
    errno = failed;
    return fd;
}

int wire_open(struct conn *c, const char *uri)
{
    LDAPURLDesc *u = NULL;
    Sockbuf *sb = NULL;
    ber_len_t most = VALUE_MOST;
    if (ldap_url_parse(uri, &u) != LDAP_URL_SUCCESS) return LDAP_PARAM_ERROR;
    bool local = strcmp(u->lud_scheme, "ldapi") == 0;
    c->fd = local ? connect_local(c, u->lud_host) : connect_host(c, u->lud_host, u->lud_port);
    int failed = errno;
    ldap_free_urldesc(u);
    if (c->fd < 0) {
        snprintf(c->why, sizeof c->why, "%s (%d): %s", ldap_err2string(LDAP_SERVER_DOWN),
                 LDAP_SERVER_DOWN, strerror(failed));
        return failed == ETIMEDOUT ? LDAP_TIMEOUT : LDAP_SERVER_DOWN;
    }
    int rc = ldap_init_fd(c->fd, LDAP_PROTO_EXT, uri, &c->ld);
    if (rc == LDAP_SUCCESS &&
        (ldap_get_option(c->ld, LDAP_OPT_SOCKBUF, &sb) != LDAP_OPT_SUCCESS ||
         ber_sockbuf_add_io(sb, (Sockbuf_IO *)(uintptr_t)&wire, LBER_SBIOD_LEVEL_PROVIDER, c) != 0))
        rc = LDAP_LOCAL_ERROR;
    if (rc == LDAP_SUCCESS) {
        ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &most);
        return rc;
    }
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    return rc;
}
