/* Answers of HTTP/1.1: what is read, and every refusal, whole and octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/http_answer.h"

struct outcome {
    enum chy_httpc_step step;
    const char *why;
};

/* eof: the peer closes behind the text. */
static struct outcome run_method(bool is_head, const char *text, size_t n, size_t piece, bool eof,
                                 struct chy_httpc_answer *a)
{
    struct chy_httpc_reader r;
    enum chy_httpc_step step = CHY_HTTPC_MORE;
    chy_httpc_reader_start(&r, is_head, a);
    for (size_t at = 0; at < n && step != CHY_HTTPC_REFUSED; at += piece)
        step = chy_httpc_reader_feed(&r, text + at, n - at < piece ? n - at : piece);
    if (step == CHY_HTTPC_MORE && eof) step = chy_httpc_reader_eof(&r);
    return (struct outcome){step, r.why};
}

static struct outcome run(const char *text, size_t n, size_t piece, bool eof,
                          struct chy_httpc_answer *a)
{
    return run_method(false, text, n, piece, eof, a);
}

static const struct {
    const char *text;
    int status;
    const char *type, *body;
    bool keep_alive, eof;
} good[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "", "hi", true, false},
    {"HTTP/1.1 201 Created\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2"
     "\r\n\r\n{}",
     201, "application/json", "{}", true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "",
     "abc", true, false},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", "", true, false},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "", "x", false,
     false},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", 200, "", "to the end", false, true},
    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Type: a/b\r\n\r\nHTTP/1.1 404 Not "
     "Found\r\nContent-Length: 0\r\n\r\n",
     404, "", "", true, false},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(good); i++) {
        for (size_t piece = 1; piece < 400; piece *= 7) {
            struct chy_httpc_answer a;
            chy_httpc_answer_init(&a);
            struct outcome o = run(good[i].text, strlen(good[i].text), piece, good[i].eof, &a);
            if (o.why) print_message("%zu/%zu: %s\n", i, piece, o.why);
            assert_int_equal(o.step, CHY_HTTPC_DONE);
            assert_int_equal(a.status, good[i].status);
            assert_string_equal(a.content_type, good[i].type);
            assert_int_equal(a.body.n, strlen(good[i].body));
            assert_memory_equal(a.body.n ? a.body.p : (const uint8_t *)"", good[i].body, a.body.n);
            assert_int_equal(a.keep_alive, good[i].keep_alive);
            chy_httpc_answer_free(&a);
        }
    }
}

#define HINT "HTTP/1.1 103 Early Hints\r\n\r\n"
static const struct {
    const char *text, *why;
} bad[] = {
    {"SSH-2.0-OpenSSH\r\n", "it is not HTTP/1.1"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "it is not HTTP/1.1"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "it is not HTTP/1.1"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", "octets follow it"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxy", "it was cut short"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "it was cut short"},
    {"HTTP/1.1 20", "it was cut short"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n", "its body is longer than 4 MiB"},
    {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
     "it switches protocols"},
    {HINT HINT HINT HINT HINT HINT HINT HINT HINT, "too many interim answers"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        for (size_t piece = 1; piece < 400; piece *= 19) {
            struct chy_httpc_answer a;
            chy_httpc_answer_init(&a);
            struct outcome o = run(bad[i].text, strlen(bad[i].text), piece, true, &a);
            if (!o.why || strcmp(o.why, bad[i].why) != 0)
                print_message("%zu/%zu: %s\n", i, piece, o.why ? o.why : "taken");
            assert_int_equal(o.step, CHY_HTTPC_REFUSED);
            assert_string_equal(o.why, bad[i].why);
            chy_httpc_answer_free(&a);
        }
    }
}

static const struct {
    const char *text;
    int64_t length;
    bool keep_alive, eof;
} heads[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 2, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 400000000\r\n\r\n", 400000000, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", -1, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -1, true, false},
    {"HTTP/1.1 200 OK\r\n\r\n", -1, true, false},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n", 7, false, true},
    {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 5, true,
     false},
};

/* RFC 9110 9.3.2: the length of what is not sent, however long. */
static void test_head(void **state)
{
    struct chy_httpc_answer a;
    (void)state;
    chy_httpc_answer_init(&a);
    for (size_t i = 0; i < CHY_ARRAY_LEN(heads); i++) {
        for (size_t piece = 1; piece < 400; piece *= 7) {
            const char *text = heads[i].text;
            struct outcome o = run_method(true, text, strlen(text), piece, heads[i].eof, &a);
            if (o.why) print_message("%zu/%zu: %s\n", i, piece, o.why);
            assert_int_equal(o.step, CHY_HTTPC_DONE);
            assert_int_equal(a.status, 200);
            assert_int_equal(a.length, heads[i].length);
            assert_int_equal(a.body.n, 0);
            assert_int_equal(a.keep_alive, heads[i].keep_alive);
        }
    }
    const char *with_body = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    struct outcome o = run_method(true, with_body, strlen(with_body), 400, false, &a);
    assert_int_equal(o.step, CHY_HTTPC_REFUSED);
    assert_string_equal(o.why, "octets follow it");
    chy_httpc_answer_free(&a);
}

static void refuse_long(const char *head, const char *unit, size_t times, const char *why)
{
    struct chy_buf text;
    struct chy_httpc_answer a;
    chy_httpc_answer_init(&a);
    chy_buf_init(&text, 16 << 20);
    chy_buf_add_str(&text, head);
    for (size_t i = 0; i < times; i++)
        chy_buf_add_str(&text, unit);
    struct outcome o = run((const char *)text.p, text.n, 4096, false, &a);
    assert_int_equal(o.step, CHY_HTTPC_REFUSED);
    assert_string_equal(o.why, why);
    chy_buf_free(&text);
    chy_httpc_answer_free(&a);
}

static void test_bounds(void **state)
{
    (void)state;
    refuse_long("HTTP/1.1 200 OK\r\n", "X-Some: 0123456789abcdef\r\n", 3000,
                "its head is longer than 32 KiB");
    refuse_long("HTTP/1.1 200 ", "long reason ", 4000, "its head is longer than 32 KiB");
    refuse_long("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "10\r\n0123456789abcdef\r\n", 300000, "its body is longer than 4 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
