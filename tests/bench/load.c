/* The load generator: keep-alive connections on one epoll loop, one request in flight on each. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

enum { ANSWER_MAX = 16384, MAX_SAMPLES = 4000000, PATIENCE_US = 60000000 };

struct conn {
    int fd;
    SSL *ssl; /* NULL: plain */
    char in[ANSWER_MAX];
    size_t have;
    int64_t sent_at;
};

struct run {
    struct bench_load *l;
    struct conn *conn;
    float *sample_ms;
    size_t n_samples, next, in_flight;
    int64_t end; /* of this slice: nothing is sent after it */
    SSL_CTX *tls;
};

static int connect_tcp(const struct bench_load *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, l->host, &a.sin_addr);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

static int connect_unix(const struct bench_load *l)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", l->socket);
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

static int connect_to(const struct bench_load *l)
{
    int fd = l->socket ? connect_unix(l) : connect_tcp(l);
    if (fd < 0) {
        perror("bench: connect");
        exit(1);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* The handshake is done before the clock starts to matter: connections are kept. */
static SSL *handshake(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);
    fcntl(fd, F_SETFL, 0);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        fprintf(stderr, "bench: the TLS handshake failed\n");
        exit(1);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return ssl;
}

static ssize_t put(struct conn *c, const void *p, size_t n)
{
    return c->ssl ? SSL_write(c->ssl, p, (int)n) : write(c->fd, p, n);
}

/* -1: nothing yet; 0: the end. */
static ssize_t get(struct conn *c, void *p, size_t n)
{
    if (!c->ssl) {
        ssize_t got = read(c->fd, p, n);
        return got < 0 && errno != EAGAIN ? 0 : got;
    }
    int got = SSL_read(c->ssl, p, (int)n);
    if (got > 0) return got;
    return SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void send_next(struct run *r, struct conn *c)
{
    const struct chy_buf *der = &r->l->requests->der[r->next++ % r->l->requests->n];
    char out[ANSWER_MAX];
    int n = snprintf(
        out, sizeof(out),
        "POST /api/v1/requests HTTP/1.1\r\nHost: bench\r\nContent-Type: application/pkcs10\r\n"
        "Accept: application/pkix-cert\r\nContent-Length: %zu\r\n\r\n",
        der->n);
    memcpy(out + n, der->p, der->n);
    c->sent_at = chy_monotonic(&chy_system_clock);
    c->have = 0;
    r->in_flight++;
    if (put(c, out, (size_t)n + der->n) != (ssize_t)((size_t)n + der->n)) {
        perror("bench: write");
        exit(1);
    }
}

/* True when the whole answer is there. */
static bool is_complete(const struct conn *c)
{
    const char *head_end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!head_end) return false;
    const char *length = memmem(c->in, (size_t)(head_end - c->in), "Content-Length: ", 16);
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    return c->have >= (size_t)(head_end - c->in) + 4 + body;
}

static void on_readable(struct run *r, struct conn *c)
{
    ssize_t n = get(c, c->in + c->have, sizeof(c->in) - c->have - 1);
    if (n < 0) return;
    if (n == 0) {
        fprintf(stderr, "bench: the daemon closed a connection\n");
        exit(1);
    }
    c->have += (size_t)n;
    c->in[c->have] = 0;
    if (!is_complete(c)) return;
    r->in_flight--;
    if (strncmp(c->in, "HTTP/1.1 201", 12) == 0) {
        r->l->issued++;
    } else {
        if (!r->l->other) fprintf(stderr, "bench: unexpected answer: %.300s\n", c->in);
        r->l->other++;
    }
    int64_t now = chy_monotonic(&chy_system_clock);
    if (r->n_samples < MAX_SAMPLES)
        r->sample_ms[r->n_samples++] = (float)(now - c->sent_at) / 1000.0f;
    if (r->l->most && r->l->issued >= r->l->most) r->end = now;
    if (now < r->end) send_next(r, c);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void connect_all(struct run *r, int ep)
{
    for (unsigned i = 0; i < r->l->connections; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &r->conn[i]};
        r->conn[i].fd = connect_to(r->l);
        r->conn[i].ssl = r->tls ? handshake(r->tls, r->conn[i].fd) : NULL;
        epoll_ctl(ep, EPOLL_CTL_ADD, r->conn[i].fd, &e);
    }
}

/* Every connection asks, until the time is over and each has its answer. */
static void run_slice(struct run *r, int ep, double seconds)
{
    int64_t start = chy_monotonic(&chy_system_clock), now = start;
    r->end = start + (int64_t)(seconds * 1e6);
    for (unsigned i = 0; i < r->l->connections; i++)
        send_next(r, &r->conn[i]);
    while (now < r->end || r->in_flight) {
        struct epoll_event e[64];
        int n = epoll_wait(ep, e, 64, 100);
        for (int i = 0; i < n; i++)
            on_readable(r, e[i].data.ptr);
        now = chy_monotonic(&chy_system_clock);
        if (now > r->end + PATIENCE_US) {
            fprintf(stderr, "bench: %zu requests have no answer\n", r->in_flight);
            exit(1);
        }
    }
    r->l->elapsed_s += (double)(now - start) / 1e6;
}

void bench_run_load(struct bench_load *l)
{
    struct run r = {.l = l};
    unsigned slices = l->slices ? l->slices : 1;
    r.conn = calloc(l->connections, sizeof(*r.conn));
    r.sample_ms = malloc(sizeof(float) * MAX_SAMPLES);
    int ep = epoll_create1(0);
    r.tls = l->tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    l->issued = l->other = 0;
    l->elapsed_s = 0;
    connect_all(&r, ep);
    for (unsigned i = 0; i < slices; i++) {
        run_slice(&r, ep, l->seconds / slices);
        if (l->between) l->between(l->arg);
    }
    for (unsigned i = 0; i < l->connections; i++) {
        SSL_free(r.conn[i].ssl);
        close(r.conn[i].fd);
    }
    SSL_CTX_free(r.tls);
    close(ep);
    qsort(r.sample_ms, r.n_samples, sizeof(float), by_value);
    if (r.n_samples) {
        l->p50_ms = (double)r.sample_ms[r.n_samples / 2];
        l->p99_ms = (double)r.sample_ms[r.n_samples * 99 / 100];
    }
    free(r.conn);
    free(r.sample_ms);
}
