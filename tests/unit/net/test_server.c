/* Requests and answers over real sockets. */
#include "server.h"

static void keep_alive_serves_many(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    for (int i = 0; i < 50; i++) {
        const char *a = ask(fd, GET_HELLO, "HTTP/1.1 200 OK\r\n");
        assert_non_null(strstr(a, "\r\nDate: "));
        assert_non_null(strstr(a, "\r\nContent-Length: 5\r\n"));
        assert_non_null(strstr(a, "X-Content-Type-Options: nosniff\r\n"));
        assert_null(strstr(a, "Server:"));
        assert_null(strstr(a, "Connection:"));
        assert_non_null(strstr(a, "\r\n\r\nhello"));
    }
    sleep_ms(30);
    struct chy_net_counters counters;
    chy_net_counters(s.net, &counters);
    assert_int_equal(counters.requests, 50);
    assert_int_equal(counters.status_class[2], 50);
    assert_int_equal(counters.connections, 1);
    assert_int_equal(counters.open_connections, 1);
    assert_int_equal(counters.buffered, 0);
    ask(fd, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "Connection: close\r\n");
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void pipelined_requests_are_answered_in_turn(void **state)
{
    (void)state;
    struct server s;
    char a[2000];
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, GET_HELLO "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET_HELLO);
    hear(fd, a, sizeof(a));
    assert_non_null(strstr(a, "hello"));
    hear(fd, a, sizeof(a));
    assert_non_null(strstr(a, "\r\n\r\nabc"));
    hear(fd, a, sizeof(a));
    assert_non_null(strstr(a, "hello"));
    close(fd);
    server_stop(&s, 1000);
}

static void answer_slowly(struct chy_exchange *x, void *arg)
{
    sleep_ms(5);
    answer_hello(x, arg);
}

/* A hundred requests at once are a hundred turns: another client is served between two of them. */
static void pipelined_requests_let_others_go_first(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_counters counters;
    char many[8000] = "";
    server_new(&s, NULL);
    assert_int_equal(chy_net_route(s.net, "GET", "/slow", 0, answer_slowly, NULL, NULL), 0);
    server_start(&s);
    for (int i = 0; i < 100; i++) {
        strcat(many, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    int greedy = dial(s.port), other = dial(s.port);
    ask(other, GET_HELLO, " 200 OK");
    say(greedy, many);
    sleep_ms(20);
    ask(other, GET_HELLO, " 200 OK");
    chy_net_counters(s.net, &counters);
    assert_true(counters.requests < 50);
    for (int i = 0; i < 100; i++) {
        ask(greedy, "", " 200 OK");
    }
    close(greedy);
    close(other);
    server_stop(&s, 1000);
}

static void http10_is_answered_in_kind(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    const char *a =
        ask(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0 200 OK");
    assert_non_null(strstr(a, "Connection: keep-alive\r\n"));
    ask(fd, "GET /hello HTTP/1.0\r\n\r\n", "Connection: close\r\n");
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void bodies_come_back(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    const char *a = ask(fd,
                        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
                        " 200 OK");
    assert_non_null(strstr(a, "\r\n\r\nhello world"));
    a = ask(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", " 200 OK");
    assert_non_null(strstr(a, "\r\n\r\nabc"));
    a = ask(fd, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", " 200 OK");
    assert_non_null(strstr(a, "Content-Length: 0\r\n"));
    say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    char interim[100];
    hear(fd, interim, sizeof(interim));
    assert_string_equal(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    a = ask(fd, "xyz", " 200 OK");
    assert_non_null(strstr(a, "\r\n\r\nxyz"));
    close(fd);
    server_stop(&s, 1000);
}

static void *send_big(void *arg)
{
    int fd = *(int *)arg;
    static char piece[65536];
    memset(piece, 'b', sizeof(piece));
    for (int i = 0; i < 64; i++) {
        for (size_t at = 0; at < sizeof(piece);) {
            ssize_t n = send(fd, piece + at, sizeof(piece) - at, MSG_NOSIGNAL);
            if (n <= 0) return NULL;
            at += (size_t)n;
        }
    }
    return NULL;
}

static void big_body_goes_both_ways(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
    pthread_t t;
    pthread_create(&t, NULL, send_big, &fd);
    pthread_join(t, NULL);
    sleep_ms(100); /* the server meets a full socket */
    static char answer[4194304 + 1000];
    size_t n = hear(fd, answer, sizeof(answer));
    assert_true(n > 4194304);
    assert_int_equal(answer[n - 1], 'b');
    ask(fd, GET_HELLO, " 200 OK");
    close(fd);
    server_stop(&s, 1000);
}

static void head_has_no_body(void **state)
{
    (void)state;
    struct server s;
    char a[1000];
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    hear(fd, a, sizeof(a));
    assert_non_null(strstr(a, "Content-Length: 5\r\n"));
    assert_null(strstr(a, "hello"));
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void errors_are_problem_documents(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    const char *a = ask(fd, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 ");
    assert_non_null(strstr(a, "application/problem+json"));
    assert_non_null(strstr(a, "\"status\":404"));
    a = ask(fd, "DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 ");
    assert_non_null(strstr(a, "Allow: GET, HEAD\r\n"));
    a = ask(fd, "GET /api/v1/x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 ");
    assert_non_null(strstr(a, "Cache-Control: no-store\r\n"));
    a = ask(fd, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    assert_non_null(strstr(a, "Connection: close\r\n"));
    assert_non_null(strstr(a, "RFC 9112"));
    assert_true(at_end(fd));
    close(fd);
    fd = dial(s.port);
    ask(fd, "\x16\x03\x01\x02\x01\x01", "HTTP/1.1 400 ");
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void answer_params(struct chy_exchange *x, void *arg)
{
    (void)arg;
    const struct chy_peer *peer = chy_exchange_peer(x);
    const char *q = chy_exchange_query(x, "q");
    const char *h = chy_exchange_header(x, "x-test");
    char out[512];
    snprintf(out, sizeof(out), "%s %s id=%s none=%s q=%s absent=%d h=%s peer=%s/%d arena=%d",
             chy_exchange_method(x), chy_exchange_path(x), chy_exchange_param(x, "id"),
             chy_exchange_param(x, "none"), q ? q : "-", chy_exchange_query(x, "r") == NULL,
             h ? h : "-", peer->address, (int)peer->transport, chy_exchange_arena(x) != NULL);
    chy_exchange_set_header(x, "X-Mine", "yes");
    chy_exchange_set_header(x, "Content-Length", "7");
    chy_exchange_set_header(x, "X-Evil", "a\r\nb: c");
    chy_exchange_set_header(x, "Cache-Control", "max-age=5");
    chy_exchange_reply(x, 201, "text/plain", chy_span_cstr(out));
    chy_exchange_reply(x, 500, "text/plain", chy_span_cstr("twice"));
}

static void answer_nothing(struct chy_exchange *x, void *arg)
{
    (void)x, (void)arg;
}

static void answer_problem(struct chy_exchange *x, void *arg)
{
    (void)arg;
    struct chy_err err = {0, ""};
    (void)chy_fail(&err, CHY_E_ACCESSDENIED, "thing: not yours");
    chy_exchange_problem(x, &err);
}

static void handlers_see_the_request(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    assert_int_equal(chy_net_route(s.net, "GET", "/api/t/:id/c", 0, answer_params, NULL, NULL), 0);
    assert_int_equal(chy_net_route(s.net, "GET", "/none", 0, answer_nothing, NULL, NULL), 0);
    assert_int_equal(chy_net_route(s.net, "GET", "/no", 0, answer_problem, NULL, NULL), 0);
    server_start(&s);
    int fd = dial(s.port);
    const char *a =
        ask(fd, "GET /api/t/a%20b/c?q=1+2 HTTP/1.1\r\nHost: a\r\nX-Test: v\r\n\r\n", "201 Created");
    assert_non_null(
        strstr(a, "GET /api/t/a b/c id=a b none= q=1 2 absent=1 h=v peer=127.0.0.1/0 arena=1"));
    assert_non_null(strstr(a, "X-Mine: yes\r\n"));
    assert_non_null(strstr(a, "Cache-Control: max-age=5\r\n"));
    assert_null(strstr(a, "no-store"));
    assert_null(strstr(a, "X-Evil"));
    assert_null(strstr(a, "Content-Length: 7\r\n"));
    ask(fd, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "500 Internal");
    a = ask(fd, "GET /no HTTP/1.1\r\nHost: a\r\n\r\n", "403 Forbidden");
    assert_non_null(strstr(a, "thing: not yours"));
    ask(fd, GET_HELLO, " 200 OK");
    close(fd);
    server_stop(&s, 1000);
}

static void half_closed_client_is_answered(void **state)
{
    (void)state;
    struct server s;
    char a[1000];
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    struct chy_exchange *x = wait_held(&s);
    shutdown(fd, SHUT_WR);
    sleep_ms(50);
    chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("late"));
    hear(fd, a, sizeof(a));
    assert_non_null(strstr(a, "\r\n\r\nlate"));
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void held_exchange_is_answered_from_another_thread(void **state)
{
    (void)state;
    struct server s;
    char a[1000];
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port), other = dial(s.port);
    for (int i = 0; i < 20; i++) {
        say(fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n" GET_HELLO);
        struct chy_exchange *x = wait_held(&s);
        ask(other, GET_HELLO, " 200 OK");
        chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("late"));
        hear(fd, a, sizeof(a));
        assert_non_null(strstr(a, "\r\n\r\nlate"));
        hear(fd, a, sizeof(a));
        assert_non_null(strstr(a, "\r\n\r\nhello"));
    }
    close(fd);
    close(other);
    server_stop(&s, 1000);
}

static void answer_to_a_gone_client_is_dropped(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    for (int i = 0; i < 5; i++) {
        int fd = dial(s.port);
        say(fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        struct chy_exchange *x = wait_held(&s);
        struct linger reset = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        sleep_ms(30);
        assert_string_equal(chy_exchange_path(x), "/held");
        struct chy_net_counters counters;
        chy_net_counters(s.net, &counters);
        assert_int_equal(counters.held, 1);
        chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("late"));
    }
    int fd = dial(s.port);
    ask(fd, GET_HELLO, " 200 OK");
    /* The client hears the answer before the books are closed. */
    EVENTUALLY(counters_of(&s).held == 0 && counters_of(&s).buffered == 0);
    close(fd);
    server_stop(&s, 1000);
}

static void two_hundred_connections_at_once(void **state)
{
    (void)state;
    struct server s;
    int fds[200];
    char a[1000];
    server_new(&s, NULL);
    server_start(&s);
    for (int i = 0; i < 200; i++) {
        fds[i] = dial(s.port);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            say(fds[i], GET_HELLO);
        }
        for (int i = 0; i < 200; i++) {
            hear(fds[i], a, sizeof(a));
            assert_non_null(strstr(a, "\r\n\r\nhello"));
        }
    }
    struct chy_net_counters counters;
    chy_net_counters(s.net, &counters);
    assert_int_equal(counters.open_connections, 200);
    for (int i = 0; i < 200; i++) {
        close(fds[i]);
    }
    server_stop(&s, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_serves_many),
        cmocka_unit_test(pipelined_requests_are_answered_in_turn),
        cmocka_unit_test(pipelined_requests_let_others_go_first),
        cmocka_unit_test(http10_is_answered_in_kind),
        cmocka_unit_test(bodies_come_back),
        cmocka_unit_test(big_body_goes_both_ways),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(errors_are_problem_documents),
        cmocka_unit_test(handlers_see_the_request),
        cmocka_unit_test(half_closed_client_is_answered),
        cmocka_unit_test(held_exchange_is_answered_from_another_thread),
        cmocka_unit_test(answer_to_a_gone_client_is_dropped),
        cmocka_unit_test(two_hundred_connections_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
