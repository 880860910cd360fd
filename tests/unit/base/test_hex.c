/* Hexadecimal text: all octets both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_every_octet_both_ways(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 256; v++) {
        char lower[3], upper[3], ours[3];
        uint8_t octet = (uint8_t)v;
        struct chy_buf b;
        snprintf(lower, sizeof(lower), "%02x", v);
        snprintf(upper, sizeof(upper), "%02X", v);
        chy_hex_cstr(ours, chy_span_of(&octet, 1));
        assert_string_equal(ours, lower);
        chy_buf_init(&b, 10);
        chy_hex_add(&b, chy_span_of(&octet, 1));
        assert_string_equal(chy_buf_cstr(&b), lower);
        chy_buf_reset(&b);
        assert_true(chy_hex_decode(&b, chy_span_cstr(lower)));
        assert_true(chy_hex_decode(&b, chy_span_cstr(upper)));
        assert_int_equal(b.n, 2);
        assert_int_equal(b.p[0], octet);
        assert_int_equal(b.p[1], octet);
        chy_buf_free(&b);
    }
}

static void test_order_and_appending(void **state)
{
    (void)state;
    struct chy_buf b;
    char text[9];
    chy_buf_init(&b, 20);
    chy_buf_add_str(&b, "x");
    chy_hex_add(&b, CHY_SPAN_STR("\x01\x23\xab\xff"));
    assert_string_equal(chy_buf_cstr(&b), "x0123abff");
    chy_hex_cstr(text, CHY_SPAN_STR("\x01\x23\xab\xff"));
    assert_string_equal(text, "0123abff");
    chy_hex_cstr(text, CHY_SPAN_STR(""));
    assert_string_equal(text, "");
    chy_buf_reset(&b);
    assert_true(chy_hex_decode(&b, CHY_SPAN_STR("")));
    assert_int_equal(b.n, 0);
    assert_true(chy_hex_decode(&b, CHY_SPAN_STR("00AbcDeF")));
    assert_int_equal(b.n, 4);
    assert_memory_equal(b.p, "\x00\xab\xcd\xef", 4);
    chy_buf_free(&b);
}

static void test_foreign_characters_are_refused(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    chy_buf_add_str(&b, "kept");
    for (unsigned c = 0; c < 256; c++) {
        uint8_t first[] = {'a', 'b', (uint8_t)c, '0'}, second[] = {'a', 'b', '0', (uint8_t)c};
        bool digit = c && strchr("0123456789abcdefABCDEF", (int)c);
        if (digit) continue;
        assert_false(chy_hex_decode(&b, CHY_SPAN(first)));
        assert_false(chy_hex_decode(&b, CHY_SPAN(second)));
        assert_int_equal(b.n, 4);
    }
    assert_false(b.failed);
    chy_buf_free(&b);
}

static void test_odd_lengths_are_refused(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    assert_false(chy_hex_decode(&b, CHY_SPAN_STR("a")));
    assert_false(chy_hex_decode(&b, CHY_SPAN_STR("abc")));
    assert_int_equal(b.n, 0);
    chy_buf_free(&b);
}

static void test_a_full_buffer_is_a_failure(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 3);
    assert_true(chy_hex_decode(&b, CHY_SPAN_STR("010203")));
    chy_buf_reset(&b);
    assert_false(chy_hex_decode(&b, CHY_SPAN_STR("01020304")));
    assert_true(b.too_long);
    chy_buf_reset(&b);
    chy_hex_add(&b, CHY_SPAN_STR("ab"));
    assert_true(b.too_long);
    assert_int_equal(b.n, 0);
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_octet_both_ways),
        cmocka_unit_test(test_order_and_appending),
        cmocka_unit_test(test_foreign_characters_are_refused),
        cmocka_unit_test(test_odd_lengths_are_refused),
        cmocka_unit_test(test_a_full_buffer_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
