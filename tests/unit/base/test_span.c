/* Borrowed octets: comparison with and without case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static void test_of_a_text(void **state)
{
    (void)state;
    struct chy_span s = chy_span_cstr("abc");
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "abc", 3);
    s = chy_span_cstr(NULL);
    assert_null(s.p);
    assert_int_equal(s.n, 0);
    assert_int_equal(CHY_SPAN_STR("a\0b").n, 3);
}

static void test_equality(void **state)
{
    (void)state;
    assert_true(chy_span_eq(CHY_SPAN_STR("a\0b"), CHY_SPAN_STR("a\0b")));
    assert_false(chy_span_eq(CHY_SPAN_STR("a\0b"), CHY_SPAN_STR("a\0c")));
    assert_false(chy_span_eq(CHY_SPAN_STR("ab"), CHY_SPAN_STR("abc")));
    assert_false(chy_span_eq(CHY_SPAN_STR("ab"), CHY_SPAN_STR("aB")));
    assert_true(chy_span_eq(chy_span_cstr(NULL), CHY_SPAN_STR("")));
}

/* Only the 26 letters have two cases: '@' and '`' differ by the same bit and stay apart. */
static void test_case_is_ascii_case(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            uint8_t x = (uint8_t)a, y = (uint8_t)b;
            int low_a = a >= 'A' && a <= 'Z' ? a + 32 : a,
                low_b = b >= 'A' && b <= 'Z' ? b + 32 : b;
            assert_int_equal(chy_span_eq_nocase(chy_span_of(&x, 1), chy_span_of(&y, 1)),
                             low_a == low_b);
        }
    }
    assert_true(chy_span_eq_nocase(CHY_SPAN_STR("Web-Server1"), CHY_SPAN_STR("wEB-sERVER1")));
    assert_false(chy_span_eq_nocase(CHY_SPAN_STR("abc"), CHY_SPAN_STR("ab")));
    assert_true(chy_span_eq_nocase(chy_span_cstr(NULL), chy_span_cstr(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_text),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_case_is_ascii_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
