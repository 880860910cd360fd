/* What a client may not take: time, memory, connections. */
#include "server.h"

static struct chy_net_limits short_limits(void)
{
    struct chy_net_limits l = chy_net_limits_default;
    l.head_timeout_ms = 150;
    l.body_timeout_ms = 150;
    l.idle_timeout_ms = 300;
    l.write_timeout_ms = 200;
    return l;
}

static int64_t now_ms(void)
{
    return chy_monotonic(&chy_system_clock) / 1000;
}

static void slow_head_is_refused(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = short_limits();
    server_new(&s, &l);
    server_start(&s);
    int fd = dial(s.port);
    int64_t start = now_ms();
    static const char text[] = GET_HELLO;
    char a[1000];
    for (size_t i = 0; i < 12; i++) {
        if (send(fd, text + i, 1, MSG_NOSIGNAL) != 1) break;
        sleep_ms(25);
    }
    hear(fd, a, sizeof(a));
    assert_non_null(strstr(a, "HTTP/1.1 408 "));
    assert_non_null(strstr(a, "Connection: close\r\n"));
    assert_true(at_end(fd));
    assert_in_range(now_ms() - start, 140, 2500);
    close(fd);
    server_stop(&s, 1000);
}

static void slow_body_is_refused(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = short_limits();
    server_new(&s, &l);
    server_start(&s);
    int fd = dial(s.port);
    ask(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 408 ");
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void idle_connection_is_closed(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = short_limits();
    server_new(&s, &l);
    server_start(&s);
    int fresh = dial(s.port), used = dial(s.port);
    int64_t start = now_ms();
    ask(used, GET_HELLO, " 200 OK");
    sleep_ms(200);
    ask(used, GET_HELLO, " 200 OK"); /* each request starts the time anew */
    assert_true(at_end(fresh));
    assert_in_range(now_ms() - start, 250, 2500);
    assert_true(at_end(used));
    assert_in_range(now_ms() - start, 450, 2500);
    close(fresh);
    close(used);
    server_stop(&s, 1000);
}

enum { GARBLED = 150 };

static void dial_and_garble(const struct server *s, int fd[GARBLED])
{
    for (size_t i = 0; i < GARBLED; i++)
        fd[i] = dial(s->port);
    for (size_t i = 0; i < GARBLED; i++)
        say(fd[i], i % 2 ? "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n"
                         : "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
}

static void malformed_requests_are_answered_at_a_pace(void **state)
{
    (void)state;
    struct server s;
    char a[1000];
    int fd[GARBLED];
    server_new(&s, NULL);
    server_start(&s);
    int good = dial(s.port);
    ask(good, GET_HELLO, " 200 OK");
    int64_t start = now_ms();
    dial_and_garble(&s, fd);
    ask(good, GET_HELLO, " 200 OK"); /* others go ahead */
    for (size_t i = 0; i < GARBLED; i++) {
        assert_true(hear(fd[i], a, sizeof(a)) > 0);
        assert_non_null(strstr(a, i % 2 ? "HTTP/1.1 400 " : "HTTP/1.1 413 "));
        assert_true(at_end(fd[i]));
        close(fd[i]);
    }
    assert_in_range(now_ms() - start, 130, 20000); /* ten at once, ten more each ten milliseconds */
    EVENTUALLY(counters_of(&s).refused == GARBLED);
    ask(good, GET_HELLO, " 200 OK");
    close(good);
    server_stop(&s, 1000);
}

static void those_who_wait_to_be_refused_give_way(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    int fd[GARBLED];
    l.connections_max = GARBLED;
    server_new(&s, &l);
    server_start(&s);
    dial_and_garble(&s, fd);
    for (int i = 0; i < 50; i++) {
        int good = dial(s.port);
        ask(good, GET_HELLO, " 200 OK");
        close(good);
    }
    for (size_t i = 0; i < GARBLED; i++)
        close(fd[i]);
    server_stop(&s, 1000);
}

static void a_stop_answers_those_who_wait_to_be_refused(void **state)
{
    (void)state;
    struct server s;
    char a[1000];
    int fd[GARBLED];
    server_new(&s, NULL);
    server_start(&s);
    dial_and_garble(&s, fd);
    EVENTUALLY(counters_of(&s).refused == GARBLED);
    server_stop(&s, 10000);
    for (size_t i = 0; i < GARBLED; i++) {
        assert_true(hear(fd[i], a, sizeof(a)) > 0);
        assert_non_null(strstr(a, "HTTP/1.1 4"));
        close(fd[i]);
    }
}

static void answer_big(struct chy_exchange *x, void *arg)
{
    (void)arg;
    static uint8_t big[8 << 20];
    chy_exchange_reply(x, 200, "text/plain", CHY_SPAN(big));
}

static void client_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = short_limits();
    l.write_timeout_ms = 1500; /* to be seen while it waits */
    server_new(&s, &l);
    assert_int_equal(chy_net_route(s.net, "GET", "/huge", 0, answer_big, NULL, NULL), 0);
    server_start(&s);
    int fd = dial(s.port);
    say(fd, "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    EVENTUALLY(counters_of(&s).buffered == 8 << 20);
    EVENTUALLY(counters_of(&s).open_connections == 0);
    EVENTUALLY(counters_of(&s).buffered == 0);
    close(fd);
    server_stop(&s, 1000);
}

static void unread_answers_give_way(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    struct chy_net_counters counters;
    l.buffered_max = 20 << 20; /* two answers */
    server_new(&s, &l);
    assert_int_equal(chy_net_route(s.net, "GET", "/huge", 0, answer_big, NULL, NULL), 0);
    server_start(&s);
    int fd[4];
    for (size_t i = 0; i < CHY_ARRAY_LEN(fd); i++) {
        fd[i] = dial(s.port);
        say(fd[i], "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
        EVENTUALLY(counters_of(&s).buffered >= (size_t)(i ? 16 : 8) << 20);
        EVENTUALLY(i < 2 || counters_of(&s).evicted == i - 1);
    }
    chy_net_counters(s.net, &counters);
    assert_int_equal(counters.evicted, 2);
    assert_int_equal(counters.open_connections, 2);
    assert_int_equal(counters.buffered, 16 << 20);
    for (size_t i = 0; i < CHY_ARRAY_LEN(fd); i++) {
        close(fd[i]);
    }
    server_stop(&s, 1000);
}

static void long_body_is_refused_before_it_is_read(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    int fd = dial(s.port);
    const char *a = ask(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 131073\r\n\r\n",
                        "HTTP/1.1 413 ");
    assert_non_null(strstr(a, "Connection: close\r\n"));
    assert_true(at_end(fd));
    close(fd);
    server_stop(&s, 1000);
}

static void long_head_is_refused(void **state)
{
    (void)state;
    struct server s;
    server_new(&s, NULL);
    server_start(&s);
    static char text[20000];
    int fd = dial(s.port);
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "GET /hello HTTP/1.1\r\nX: ", 24);
    ask(fd, text, "HTTP/1.1 431 ");
    close(fd);
    fd = dial(s.port);
    memset(text, 'a', 12000);
    memcpy(text, "GET /", 5);
    text[12000] = 0;
    ask(fd, text, "HTTP/1.1 414 ");
    close(fd);
    server_stop(&s, 1000);
}

#define POST_OF(n) "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " #n "\r\n\r\n"
#define FIFTY "01234567890123456789012345678901234567890123456789"
#define TWO_HUNDRED FIFTY FIFTY FIFTY FIFTY

/* What is promised takes no room; what came does, for a second at least. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    l.buffered_max = 1000;
    server_new(&s, &l);
    server_start(&s);
    int first = dial(s.port), second = dial(s.port);
    say(first, POST_OF(980) "abc");
    EVENTUALLY(counters_of(&s).buffered == 3);
    ask(second, POST_OF(200) TWO_HUNDRED, " 200 OK");
    say(first, TWO_HUNDRED TWO_HUNDRED TWO_HUNDRED TWO_HUNDRED FIFTY FIFTY);
    EVENTUALLY(counters_of(&s).buffered == 903);
    const char *a = ask(second, POST_OF(200) TWO_HUNDRED, "HTTP/1.1 503 ");
    assert_non_null(strstr(a, "Retry-After: 1\r\n"));
    close(second);
    second = dial(s.port);
    ask(second,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n" TWO_HUNDRED
        "\r\n",
        "HTTP/1.1 503 ");
    close(second);
    sleep_ms(1100);
    second = dial(s.port);
    ask(second, POST_OF(200) TWO_HUNDRED, " 200 OK");
    assert_true(at_end(first));
    assert_int_equal(counters_of(&s).evicted, 1);
    close(first);
    EVENTUALLY(counters_of(&s).buffered == 0);
    close(second);
    server_stop(&s, 1000);
}

static void connections_are_bounded(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    struct chy_net_counters counters;
    l.connections_max = 2;
    server_new(&s, &l);
    server_start(&s);
    int one = dial(s.port), two = dial(s.port);
    ask(one, GET_HELLO, " 200 OK");
    ask(two, GET_HELLO, " 200 OK");
    int three = dial(s.port);
    const char *told = ask(three, "", " 503 ");
    assert_non_null(strstr(told, "Retry-After: "));
    assert_non_null(strstr(told, "Connection: close"));
    assert_true(at_end(three));
    chy_net_counters(s.net, &counters);
    assert_int_equal(counters.refused, 1);
    assert_int_equal(counters.evicted, 0);
    close(two);
    close(three);
    EVENTUALLY(counters_of(&s).open_connections == 1);
    three = dial(s.port);
    ask(three, GET_HELLO, " 200 OK");
    close(one);
    close(three);
    server_stop(&s, 1000);
}

/* The one that has done nothing for longest makes room; one whose request is under way stays. */
static void newcomers_take_the_place_of_the_idle(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    struct chy_net_counters counters;
    l.connections_max = 3;
    server_new(&s, &l);
    assert_int_equal(chy_net_route(s.net, "GET", "/hold", 0, take_held, &s, NULL), 0);
    server_start(&s);
    int busy = dial(s.port), idle = dial(s.port), fresh = dial(s.port);
    say(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    struct chy_exchange *x = wait_held(&s);
    ask(idle, GET_HELLO, " 200 OK");
    sleep_ms(1100);
    ask(fresh, GET_HELLO, " 200 OK");
    int newcomer = dial(s.port);
    ask(newcomer, GET_HELLO, " 200 OK");
    assert_true(at_end(idle));
    ask(fresh, GET_HELLO, " 200 OK");
    chy_net_counters(s.net, &counters);
    assert_int_equal(counters.evicted, 1);
    assert_int_equal(counters.refused, 0);
    chy_exchange_reply(x, 200, "text/plain", CHY_SPAN_STR("late"));
    ask(busy, "", " 200 OK");
    const int all[] = {busy, idle, fresh, newcomer};
    for (size_t i = 0; i < CHY_ARRAY_LEN(all); i++) {
        close(all[i]);
    }
    server_stop(&s, 1000);
}

static void slow_heads_make_room_too(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    l.connections_max = 1;
    server_new(&s, &l);
    server_start(&s);
    int slow = dial(s.port);
    say(slow, "GET /hello HT");
    sleep_ms(1200);
    say(slow, "TP/1.1\r\nHo");
    sleep_ms(1200);
    int newcomer = dial(s.port);
    ask(newcomer, GET_HELLO, " 200 OK");
    assert_true(at_end(slow));
    close(slow);
    close(newcomer);
    server_stop(&s, 1000);
}

static void connections_of_one_peer_are_bounded(void **state)
{
    (void)state;
    struct server s;
    struct chy_net_limits l = chy_net_limits_default;
    l.per_peer_max = 1;
    server_new(&s, &l);
    server_start(&s);
    int one = dial(s.port);
    ask(one, GET_HELLO, " 200 OK");
    int two = dial(s.port);
    ask(two, "", " 503 ");
    assert_true(at_end(two));
    close(one);
    close(two);
    server_stop(&s, 1000);
}

static void impossible_limits_are_refused(void **state)
{
    (void)state;
    struct chy_net *net = NULL;
    struct chy_net_limits l = chy_net_limits_default;
    l.head_max = 0;
    assert_int_equal(chy_net_new(&l, NULL, &net, NULL), CHY_E_INVALIDARG);
    l = chy_net_limits_default;
    l.idle_timeout_ms = 0;
    assert_int_equal(chy_net_new(&l, NULL, &net, NULL), CHY_E_INVALIDARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_head_is_refused),
        cmocka_unit_test(slow_body_is_refused),
        cmocka_unit_test(idle_connection_is_closed),
        cmocka_unit_test(client_that_does_not_read_is_dropped),
        cmocka_unit_test(malformed_requests_are_answered_at_a_pace),
        cmocka_unit_test(those_who_wait_to_be_refused_give_way),
        cmocka_unit_test(a_stop_answers_those_who_wait_to_be_refused),
        cmocka_unit_test(unread_answers_give_way),
        cmocka_unit_test(long_body_is_refused_before_it_is_read),
        cmocka_unit_test(long_head_is_refused),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(newcomers_take_the_place_of_the_idle),
        cmocka_unit_test(slow_heads_make_room_too),
        cmocka_unit_test(connections_of_one_peer_are_bounded),
        cmocka_unit_test(impossible_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
