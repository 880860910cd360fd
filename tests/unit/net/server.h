/* A server on its own thread and a plain client, for the tests of this folder. */
#ifndef TEST_NET_SERVER_H
#define TEST_NET_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "net/net.h"

struct server {
    struct chy_net *net;
    int port;
    pthread_t thread;
    chy_hresult result;
    struct chy_exchange *volatile held;
};

static inline void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static inline void answer_hello(struct chy_exchange *x, void *arg)
{
    (void)arg;
    chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("hello"));
}

static inline void answer_echo(struct chy_exchange *x, void *arg)
{
    (void)arg;
    chy_exchange_reply(x, 200, "application/octet-stream", chy_exchange_body(x));
}

static inline void take_held(struct chy_exchange *x, void *arg)
{
    struct server *s = arg;
    chy_exchange_hold(x);
    __atomic_store_n(&s->held, x, __ATOMIC_RELEASE);
}

static inline struct chy_exchange *wait_held(struct server *s)
{
    for (int i = 0; i < 500; i++) {
        struct chy_exchange *x = __atomic_exchange_n(&s->held, NULL, __ATOMIC_ACQ_REL);
        if (x) return x;
        sleep_ms(10);
    }
    fail_msg("nothing is held");
    return NULL;
}

static inline struct chy_net_counters counters_of(struct server *s)
{
    struct chy_net_counters c;
    chy_net_counters(s->net, &c);
    return c;
}

/* A loaded machine takes its time: what must come is waited for, ten seconds at most. */
#define EVENTUALLY(condition)                                                                      \
    for (int tries_ = 0; !(condition); tries_++) {                                                 \
        if (tries_ == 2000) fail_msg("never: %s", #condition);                                     \
        sleep_ms(5);                                                                               \
    }

static inline void *run_server(void *arg)
{
    struct server *s = arg;
    struct chy_err err = {0, ""};
    s->result = chy_net_run(s->net, &err);
    return NULL;
}

static inline void server_new(struct server *s, const struct chy_net_limits *limits)
{
    struct chy_err err = {0, ""};
    memset(s, 0, sizeof(*s));
    assert_int_equal(chy_net_new(limits, &chy_system_clock, &s->net, &err), CHY_S_OK);
    assert_int_equal(chy_net_route(s->net, "GET", "/hello", 0, answer_hello, NULL, &err), 0);
    assert_int_equal(chy_net_route(s->net, "POST", "/echo", 0, answer_echo, NULL, &err), 0);
    assert_int_equal(chy_net_route(s->net, "POST", "/big", 8 << 20, answer_echo, NULL, &err), 0);
    assert_int_equal(chy_net_route(s->net, "GET", "/held", 0, take_held, s, &err), 0);
    assert_int_equal(chy_net_listen_tcp(s->net, "127.0.0.1", 0, false, &s->port, &err), 0);
    assert_true(s->port > 0);
}

static inline void server_start(struct server *s)
{
    assert_int_equal(pthread_create(&s->thread, NULL, run_server, s), 0);
}

static inline void server_stop(struct server *s, unsigned drain_ms)
{
    chy_net_stop(s->net, drain_ms);
    pthread_join(s->thread, NULL);
    assert_int_equal(s->result, CHY_S_OK);
    chy_net_free(s->net);
}

static inline int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval limit = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One whole answer by its Content-Length, or what came before the end; the number of its octets. */
static inline size_t hear(int fd, char *out, size_t max)
{
    size_t n = 0, want = SIZE_MAX;
    while (n < max - 1 && n < want) {
        size_t room = want == SIZE_MAX ? 1 : want - n;
        ssize_t k = recv(fd, out + n, room < max - 1 - n ? room : max - 1 - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
        out[n] = 0;
        const char *end = want == SIZE_MAX && n >= 4 ? strstr(out + n - 4, "\r\n\r\n") : NULL;
        const char *length = end ? strstr(out, "Content-Length: ") : NULL;
        unsigned long body = 0;
        if (end && length) sscanf(length + 16, "%lu", &body);
        if (end) want = n + body;
    }
    out[n] = 0;
    return n;
}

static inline bool at_end(int fd)
{
    char c;
    return recv(fd, &c, 1, 0) <= 0;
}

/* Asks, expects the status line to hold `status`, returns the answer in a static buffer. */
static inline const char *ask(int fd, const char *text, const char *status)
{
    static char answer[300000];
    say(fd, text);
    hear(fd, answer, sizeof(answer));
    if (!strstr(answer, status)) print_message("asked: %s\ngot: %s\n", text, answer);
    assert_non_null(strstr(answer, status));
    return answer;
}

#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

#endif
