/* The client against a server that says what it was told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include "client/http_client.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static struct chy_httpc *client_of(const struct canned *s, unsigned timeout_ms)
{
    struct chy_httpc *c = NULL;
    struct chy_err err = {0};
    struct chy_httpc_endpoint e = {.socket = s->path, .timeout_ms = timeout_ms};
    assert_int_equal(chy_httpc_new(&e, &c, &err), CHY_S_OK);
    return c;
}

static chy_hresult get(struct chy_httpc *c, struct chy_err *err)
{
    struct chy_httpc_answer a;
    chy_httpc_answer_init(&a);
    *err = (struct chy_err){0};
    struct chy_httpc_call call = {.method = "GET", .path = "/x", .token = "t0"};
    chy_hresult hr = chy_httpc_call(c, &call, &a, err);
    if (hr == CHY_S_OK) assert_int_equal(a.status, 200);
    chy_httpc_answer_free(&a);
    return hr;
}

static void test_keeps_the_connection(void **state)
{
    struct canned s = {.answer = {OK, OK, OK}, .n = 3};
    struct chy_err err;
    (void)state;
    canned_start(&s);
    struct chy_httpc *c = client_of(&s, 5000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(c, &err), CHY_S_OK);
    chy_httpc_free(c);
    canned_stop(&s);
    canned_free(&s);
    assert_int_equal(s.connections, 1);
    assert_int_equal(s.n_seen, 3);
}

static void test_connects_anew_after_a_close(void **state)
{
    struct canned s = {.answer = {OK, OK}, .close_after = {true, false}, .n = 2};
    struct chy_err err;
    (void)state;
    canned_start(&s);
    struct chy_httpc *c = client_of(&s, 5000);
    assert_int_equal(get(c, &err), CHY_S_OK);
    usleep(50000); /* the end has arrived */
    assert_int_equal(get(c, &err), CHY_S_OK);
    chy_httpc_free(c);
    canned_stop(&s);
    canned_free(&s);
    assert_int_equal(s.connections, 2);
}

#define HEAD_OK "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"

/* No body is awaited, and the connection is good for the next call. */
static void test_head(void **state)
{
    struct canned s = {.answer = {HEAD_OK, OK}, .n = 2};
    const struct chy_httpc_call call = {.method = "HEAD", .path = "/x"};
    struct chy_httpc_answer a;
    struct chy_err err = {0};
    (void)state;
    canned_start(&s);
    struct chy_httpc *c = client_of(&s, 5000);
    chy_httpc_answer_init(&a);
    assert_int_equal(chy_httpc_call(c, &call, &a, &err), CHY_S_OK);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.length, 5000000);
    assert_int_equal(a.body.n, 0);
    assert_int_equal(get(c, &err), CHY_S_OK);
    chy_httpc_answer_free(&a);
    chy_httpc_free(c);
    canned_stop(&s);
    assert_int_equal(s.connections, 1);
    assert_non_null(strstr(s.seen[0], "HEAD /x HTTP/1.1\r\n"));
    assert_null(strstr(s.seen[0], "Content-Length"));
    canned_free(&s);
}

static void test_no_answer(void **state)
{
    struct canned s = {.answer = {NULL, "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-"},
                       .close_after = {true, true, false},
                       .n = 3};
    struct chy_err err;
    (void)state;
    canned_start(&s);
    struct chy_httpc *c = client_of(&s, 300);
    assert_int_equal(get(c, &err), CHY_ERROR_SERVICE_NOT_ACTIVE);
    assert_non_null(strstr(err.text, "closed without an answer"));
    assert_int_equal(get(c, &err), CHY_ERROR_INVALID_DATA);
    assert_non_null(strstr(err.text, "it is not HTTP/1.1"));
    chy_httpc_free(c);
    canned_stop(&s);
    canned_free(&s);
}

static void test_deadline(void **state)
{
    struct canned s = {.answer = {"HTTP/1.1 200 OK\r\n", OK}, .n = 2};
    struct chy_err err;
    (void)state;
    canned_start(&s);
    struct chy_httpc *c = client_of(&s, 200);
    assert_int_equal(get(c, &err), CHY_ERROR_TIMEOUT);
    assert_non_null(strstr(err.text, "did not answer in time"));
    chy_httpc_free(c);
    canned_stop(&s);
    canned_free(&s);
}

static void test_request_head(void **state)
{
    struct canned s = {.answer = {OK}, .n = 1};
    struct chy_err err = {0};
    struct chy_httpc_answer a;
    (void)state;
    canned_start(&s);
    struct chy_httpc *c = client_of(&s, 5000);
    chy_httpc_answer_init(&a);
    struct chy_httpc_call call = {.method = "POST",
                                  .path = "/p?q=1",
                                  .accept = "a/b",
                                  .content_type = "c/d",
                                  .token = "secret",
                                  .body = CHY_SPAN_STR("body")};
    assert_int_equal(chy_httpc_call(c, &call, &a, &err), CHY_S_OK);
    assert_memory_equal(a.body.p, "hi", 2);
    chy_httpc_answer_free(&a);
    chy_httpc_free(c);
    canned_stop(&s);
    assert_string_equal(s.seen[0], "POST /p?q=1 HTTP/1.1\r\nHost: localhost\r\nAccept: a/b\r\n"
                                   "Content-Type: c/d\r\nAuthorization: Bearer secret\r\n"
                                   "Content-Length: 4\r\n\r\nbody");
    canned_free(&s);
}

static void refuse_call(const struct chy_httpc_endpoint *e, const struct chy_httpc_call *call,
                        chy_hresult code, const char *text)
{
    struct chy_httpc *c = NULL;
    struct chy_httpc_answer a;
    struct chy_err err = {0};
    chy_httpc_answer_init(&a);
    assert_int_equal(chy_httpc_new(e, &c, &err), CHY_S_OK);
    assert_int_equal(chy_httpc_call(c, call, &a, &err), code);
    if (!strstr(err.text, text)) print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, text));
    chy_httpc_answer_free(&a);
    chy_httpc_free(c);
}

static void test_refusals(void **state)
{
    const struct chy_httpc_endpoint here = {.socket = "/nowhere/chancery.sock"};
    const struct chy_httpc_endpoint far = {.url = "http://ca.example:80"};
    const struct chy_httpc_endpoint closed = {.url = "http://127.0.0.1:1"};
    char longer[200];
    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    refuse_call(&here, &(struct chy_httpc_call){.method = "GET", .path = "/"},
                CHY_ERROR_SERVICE_NOT_ACTIVE, "cannot be reached: No such file");
    refuse_call(&closed, &(struct chy_httpc_call){.method = "GET", .path = "/"},
                CHY_ERROR_SERVICE_NOT_ACTIVE, "cannot be reached: Connection refused");
    refuse_call(&here, &(struct chy_httpc_call){.method = "GET", .path = "/ x"}, CHY_E_INVALIDARG,
                "control character");
    refuse_call(&here, &(struct chy_httpc_call){.method = "GET", .path = "/", .token = "a\r\nb: c"},
                CHY_E_INVALIDARG, "control character");
    refuse_call(&far, &(struct chy_httpc_call){.method = "GET", .path = "/", .token = "t"},
                CHY_E_INVALIDARG, "not sent in the clear");
    refuse_call(&(struct chy_httpc_endpoint){.socket = longer},
                &(struct chy_httpc_call){.method = "GET", .path = "/"}, CHY_E_INVALIDARG,
                "the path is longer");
}

static void test_url(void **state)
{
    static const struct {
        const char *text, *host, *port;
        bool tls;
    } urls[] = {{"https://ca.example", "ca.example", "443", true},
                {"http://127.0.0.1:8080/", "127.0.0.1", "8080", false},
                {"HTTPS://[::1]:99", "::1", "99", true}};
    static const char *const refused[] = {
        "",           "ca.example",       "ftp://x",       "https://",        "http://a:0",
        "http://a:x", "http://a:65536",   "http://a:",     "http://u@h",      "http://a/path",
        "http://[::", "http://[::1]junk", "http://a b:80", "https://a:80?q=1"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(urls); i++) {
        struct chy_httpc_url u;
        assert_int_equal(chy_httpc_url_parse(urls[i].text, &u, NULL), CHY_S_OK);
        assert_string_equal(u.host, urls[i].host);
        assert_string_equal(u.port, urls[i].port);
        assert_int_equal(u.tls, urls[i].tls);
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(refused); i++) {
        struct chy_httpc_url u;
        struct chy_err err = {0};
        assert_int_equal(chy_httpc_url_parse(refused[i], &u, &err), CHY_E_INVALIDARG);
        assert_non_null(strstr(err.text, "is expected"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_connection),
        cmocka_unit_test(test_connects_anew_after_a_close),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_request_head),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
