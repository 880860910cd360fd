/* The octets of an answer's head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_write.h"

static void head_is_complete(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 4096);
    struct chy_http_answer a = {.status = 200,
                                .content_type = "text/plain",
                                .extra = CHY_SPAN_STR("X: y\r\n"),
                                .length = 1234567890123,
                                .no_store = true};
    chy_http_write_head(&b, &a, "DATE");
    assert_string_equal(chy_buf_cstr(&b),
                        "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain\r\n"
                        "Content-Length: 1234567890123\r\nX-Content-Type-Options: nosniff\r\n"
                        "Cache-Control: no-store\r\nX: y\r\n\r\n");
    chy_buf_reset(&b);
    struct chy_http_answer old = {.status = 204, .http10 = true, .close = true};
    chy_http_write_head(&b, &old, "D");
    assert_string_equal(chy_buf_cstr(&b),
                        "HTTP/1.0 204 No Content\r\nDate: D\r\nX-Content-Type-Options: nosniff\r\n"
                        "Connection: close\r\n\r\n");
    chy_buf_reset(&b);
    old.close = false;
    chy_http_write_head(&b, &old, "D");
    assert_non_null(strstr(chy_buf_cstr(&b), "Connection: keep-alive\r\n"));
    chy_buf_free(&b);
}

static void fields_cannot_split_the_head(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    assert_false(chy_http_add_field(&b, "X", "a\r\nEvil: b"));
    assert_false(chy_http_add_field(&b, "X\r\n", "a"));
    assert_false(chy_http_add_field(&b, "", "a"));
    assert_false(chy_http_add_field(&b, "X Y", "a"));
    assert_false(chy_http_add_field(&b, "X\xe4", "a"));
    for (const char *c = "\"(),/:;<=>?@[\\]{}\x7f\x01"; *c; c++) {
        char name[3] = {'X', *c, 0};
        assert_false(chy_http_add_field(&b, name, "a"));
    }
    assert_int_equal(b.n, 0);
    assert_true(chy_http_add_field(&b, "X-Y", "a\tb \xc3\xa4"));
    assert_true(chy_http_add_field(&b, "azAZ09!#$%&'*+-.^_`|~", ""));
    chy_buf_free(&b);
}

static void every_status_has_words(void **state)
{
    (void)state;
    for (int status = 200; status < 600; status++) {
        assert_true(chy_http_reason(status)[0] != 0);
    }
    assert_false(chy_http_may_have_body(204) || chy_http_may_have_body(304));
    assert_true(chy_http_may_have_body(200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_complete),
        cmocka_unit_test(fields_cannot_split_the_head),
        cmocka_unit_test(every_status_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
