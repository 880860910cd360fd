/* The loop itself: listeners, stopping, messages, timers, signals, standard input. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static void answer_uid(struct chy_exchange *x, void *arg)
{
    (void)arg;
    const struct chy_peer *p = chy_exchange_peer(x);
    char out[100];
    snprintf(out, sizeof(out), "%d %u %u %u", (int)p->transport, p->uid, p->gid, p->pid);
    chy_exchange_reply(x, 200, "text/plain", chy_span_cstr(out));
}

static int dial_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void unix_socket_names_its_peer(void **state)
{
    (void)state;
    struct server s;
    struct stat st;
    char dir[] = "/tmp/chy-net-XXXXXX", path[64], want[100];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    server_new(&s, NULL);
    assert_int_equal(chy_net_route(s.net, "GET", "/uid", 0, answer_uid, NULL, NULL), 0);
    assert_int_equal(chy_net_listen_unix(s.net, path, 0640, NULL), CHY_S_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    server_start(&s);
    int fd = dial_unix(path);
    snprintf(want, sizeof(want), "\r\n\r\n%d %u %u %u", CHY_TRANSPORT_UNIX, getuid(), getgid(),
             (unsigned)getpid());
    ask(fd, "GET /uid HTTP/1.1\r\nHost: a\r\n\r\n", want);
    close(fd);
    server_stop(&s, 1000);
    assert_int_equal(stat(path, &st), -1); /* removed with the listener */
    rmdir(dir);
}

static void stale_socket_is_replaced_a_live_one_not(void **state)
{
    (void)state;
    struct server s, t;
    struct chy_err err = {0, ""};
    char dir[] = "/tmp/chy-net-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    close(fd); /* the file stays: its owner is dead */
    server_new(&s, NULL);
    assert_int_equal(chy_net_listen_unix(s.net, path, 0600, &err), CHY_S_OK);
    server_start(&s);
    server_new(&t, NULL);
    assert_int_equal(chy_net_listen_unix(t.net, path, 0600, &err), CHY_ERROR_ALREADY_EXISTS);
    assert_non_null(strstr(err.text, "another process"));
    fd = dial_unix(path);
    ask(fd, GET_HELLO, " 200 OK");
    close(fd);
    server_stop(&s, 1000);
    FILE *f = fopen(path, "w");
    fclose(f);
    chy_err_clear(&err);
    assert_int_equal(chy_net_listen_unix(t.net, path, 0600, &err), CHY_ERROR_ALREADY_EXISTS);
    assert_non_null(strstr(err.text, "no socket"));
    unlink(path);
    rmdir(dir);
    chy_net_free(t.net);
}

static void bad_addresses_are_refused(void **state)
{
    (void)state;
    struct server s;
    int port = 0;
    char path[200];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    server_new(&s, NULL);
    assert_int_equal(chy_net_listen_tcp(s.net, "localhost", 0, false, &port, NULL),
                     CHY_E_INVALIDARG);
    assert_int_equal(chy_net_listen_tcp(s.net, "127.0.0.1", 70000, false, &port, NULL),
                     CHY_E_INVALIDARG);
    assert_true(chy_net_listen_tcp(s.net, "127.0.0.1", s.port, false, &port, NULL) < 0);
    assert_int_equal(chy_net_listen_unix(s.net, path, 0600, NULL), CHY_E_INVALIDARG);
    assert_int_equal(chy_net_listen_unix(s.net, "", 0600, NULL), CHY_E_INVALIDARG);
    assert_int_equal(chy_net_listen_fd(s.net, 0, CHY_TRANSPORT_TCP, NULL), CHY_E_INVALIDARG);
    chy_net_free(s.net);
}

static void answer_address(struct chy_exchange *x, void *arg)
{
    (void)arg;
    chy_exchange_reply(x, 200, "text/plain\r\nX: evil",
                       chy_span_cstr(chy_exchange_peer(x)->address));
}

static void dual_stack_listener_shows_ipv4_plainly(void **state)
{
    (void)state;
    struct server s;
    int port = 0;
    server_new(&s, NULL);
    assert_int_equal(chy_net_route(s.net, "GET", "/address", 0, answer_address, NULL, NULL), 0);
    bool dual = chy_net_listen_tcp(s.net, "::", 0, false, &port, NULL) == CHY_S_OK;
    server_start(&s);
    int fd = dial(dual ? port : s.port);
    const char *a = ask(fd, "GET /address HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n127.0.0.1");
    assert_null(strstr(a, "evil"));
    close(fd);
    server_stop(&s, 1000);
}

static void inherited_socket_is_served(void **state)
{
    (void)state;
    struct server s;
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(l, 5), 0);
    getsockname(l, (struct sockaddr *)&a, &n);
    server_new(&s, NULL);
    assert_int_equal(chy_net_listen_fd(s.net, l, CHY_TRANSPORT_UNIX, NULL), CHY_E_INVALIDARG);
    assert_int_equal(chy_net_listen_fd(s.net, l, CHY_TRANSPORT_TCP, NULL), CHY_S_OK);
    server_start(&s);
    int fd = dial(ntohs(a.sin_port));
    ask(fd, GET_HELLO, " 200 OK");
    close(fd);
    server_stop(&s, 1000);
}

static void stop_drains(void **state)
{
    (void)state;
    struct server s;
    char a[1000];
    server_new(&s, NULL);
    server_start(&s);
    int idle = dial(s.port), busy = dial(s.port);
    ask(idle, GET_HELLO, " 200 OK");
    say(busy, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    struct chy_exchange *x = wait_held(&s);
    chy_net_stop(s.net, 5000);
    assert_true(at_end(idle));
    chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("last"));
    hear(busy, a, sizeof(a));
    assert_non_null(strstr(a, "Connection: close\r\n"));
    assert_non_null(strstr(a, "\r\n\r\nlast"));
    assert_true(at_end(busy));
    pthread_join(s.thread, NULL);
    assert_int_equal(s.result, CHY_S_OK);
    chy_net_stop(s.net, 0); /* late, and harmless */
    chy_net_free(s.net);
    close(idle);
    close(busy);
}

static void drain_has_an_end(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    struct chy_exchange *x = wait_held(&s);
    chy_net_stop(s.net, 50);
    pthread_join(s.thread, NULL);
    assert_int_equal(s.result, CHY_S_OK);
    assert_true(at_end(fd));
    assert_string_equal(chy_exchange_path(x), "/held");
    chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("too late"));
    chy_net_free(s.net);
    close(fd);
}

static void unanswered_exchange_is_freed_with_the_net(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)wait_held(&s);
    server_stop(&s, 0);
    close(fd);
}

static void count(void *arg)
{
    (void)__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void slow_head_does_not_hold_the_stop_up(void **state)
{
    (void)state;
    struct server s;
    struct timespec a, b;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "GET /hello HT");
    sleep_ms(50);
    clock_gettime(CLOCK_MONOTONIC, &a);
    server_stop(&s, 8000);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(b.tv_sec - a.tv_sec < 4);
    assert_true(at_end(fd));
    close(fd);
}

static void stop_it(void *arg)
{
    chy_net_stop(arg, 0);
}

static void posts_and_timers_run_on_the_loop(void **state)
{
    (void)state;
    struct server s;
    int posted = 0, ticks = 0;
    server_new(&s, NULL);
    assert_int_equal(chy_net_every(s.net, 0, count, &ticks, NULL), CHY_E_INVALIDARG);
    assert_int_equal(chy_net_every(s.net, 20, count, &ticks, NULL), CHY_S_OK);
    server_start(&s);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(chy_net_post(s.net, count, &posted), CHY_S_OK);
    }
    EVENTUALLY(__atomic_load_n(&posted, __ATOMIC_SEQ_CST) == 1000);
    EVENTUALLY(__atomic_load_n(&ticks, __ATOMIC_SEQ_CST) >= 3);
    assert_int_equal(chy_net_post(s.net, stop_it, s.net), CHY_S_OK);
    pthread_join(s.thread, NULL);
    assert_int_equal(s.result, CHY_S_OK);
    chy_net_free(s.net);
}

static void signal_is_an_event(void **state)
{
    (void)state;
    struct server s;
    int n = 0;
    server_new(&s, NULL);
    assert_int_equal(chy_net_on_signal(s.net, SIGUSR2, count, &n, NULL), CHY_S_OK);
    server_start(&s);
    kill(getpid(), SIGUSR2);
    EVENTUALLY(__atomic_load_n(&n, __ATOMIC_SEQ_CST) == 1);
    server_stop(&s, 0);
}

/* Runs with fd as standard input; what the loop has counted before and after `end` was closed. */
static void stdin_case(int fd, int end, int before)
{
    struct server s;
    int n = 0;
    int saved = dup(STDIN_FILENO);
    dup2(fd, STDIN_FILENO);
    close(fd);
    server_new(&s, NULL);
    assert_int_equal(chy_net_on_stdin_eof(s.net, count, &n, NULL), CHY_S_OK);
    assert_int_equal(n, 0);
    server_start(&s);
    sleep_ms(80);
    EVENTUALLY(__atomic_load_n(&n, __ATOMIC_SEQ_CST) == before);
    if (end >= 0) {
        assert_int_equal(write(end, "ignored", 7), 7);
        sleep_ms(30);
        assert_int_equal(__atomic_load_n(&n, __ATOMIC_SEQ_CST), 0);
        close(end);
    }
    EVENTUALLY(__atomic_load_n(&n, __ATOMIC_SEQ_CST) == 1);
    server_stop(&s, 0);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
}

static void end_of_standard_input_is_seen(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    stdin_case(p[0], p[1], 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
    stdin_case(p[0], p[1], 0);
    stdin_case(open("/dev/null", O_RDONLY), -1, 1);
    stdin_case(open("/proc/self/exe", O_RDONLY), -1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unix_socket_names_its_peer),
        cmocka_unit_test(stale_socket_is_replaced_a_live_one_not),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(dual_stack_listener_shows_ipv4_plainly),
        cmocka_unit_test(inherited_socket_is_served),
        cmocka_unit_test(stop_drains),
        cmocka_unit_test(slow_head_does_not_hold_the_stop_up),
        cmocka_unit_test(drain_has_an_end),
        cmocka_unit_test(unanswered_exchange_is_freed_with_the_net),
        cmocka_unit_test(posts_and_timers_run_on_the_loop),
        cmocka_unit_test(signal_is_an_event),
        cmocka_unit_test(end_of_standard_input_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
