/* Growable octets: exact fits, limits, failures that stick, formatted text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

/* A refused allocation is to be seen here and not to end the program. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_what_is_added_stands_in_order(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    assert_int_equal(b.n, 0);
    chy_buf_add(&b, "ab", 2);
    chy_buf_add_byte(&b, 0);
    chy_buf_add_str(&b, "cd");
    chy_buf_add_span(&b, CHY_SPAN_STR("ef"));
    chy_buf_addf(&b, "<%d %s>", -7, "x");
    chy_buf_add(&b, NULL, 0);
    chy_buf_add_str(&b, NULL);
    assert_int_equal(b.n, 13);
    assert_memory_equal(b.p, "ab\0cdef<-7 x>", 13);
    assert_true(chy_span_eq(chy_buf_span(&b), CHY_SPAN_STR("ab\0cdef<-7 x>")));
    assert_int_equal(chy_buf_done(&b, "x", NULL), CHY_S_OK);
    chy_buf_free(&b);
    assert_null(b.p);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.max, 100);
}

static void test_content_survives_growth(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100000);
    for (unsigned i = 0; i < 100000; i++)
        chy_buf_add_byte(&b, (uint8_t)(i * 7));
    assert_int_equal(b.n, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(b.p[i], (uint8_t)(i * 7));
    assert_true(b.cap <= 100001);
    chy_buf_free(&b);
}

static void test_exactly_max_fits_and_one_more_does_not(void **state)
{
    (void)state;
    for (size_t max = 0; max < 700; max += 13) {
        struct chy_buf b;
        struct chy_err err = {0};
        chy_buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            chy_buf_add_byte(&b, 'x');
        assert_int_equal(chy_buf_done(&b, "text", &err), CHY_S_OK);
        assert_int_equal(b.n, max);
        const char *s = chy_buf_cstr(&b);
        assert_non_null(s);
        assert_int_equal(strlen(s), max);
        chy_buf_add_byte(&b, 'y');
        assert_true(b.failed);
        assert_true(b.too_long);
        assert_int_equal(b.n, max);
        chy_buf_free(&b);
    }
}

static void test_a_failure_sticks_until_the_reset(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 4);
    chy_buf_add_str(&b, "abc");
    chy_buf_add_str(&b, "de"); /* nothing of it is added */
    assert_int_equal(b.n, 3);
    chy_buf_add_byte(&b, 'f'); /* would fit, were it not too late */
    chy_buf_add_str(&b, "");
    chy_buf_addf(&b, "%d", 1);
    assert_int_equal(b.n, 3);
    assert_false(chy_buf_reserve(&b, 0));
    assert_null(chy_buf_cstr(&b));
    assert_int_equal(chy_buf_done(&b, "the name", &err), CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_string_equal(err.text, "the name: longer than 4 octets");
    chy_buf_reset(&b);
    assert_false(b.failed);
    assert_false(b.too_long);
    chy_buf_add_str(&b, "wxyz");
    assert_string_equal(chy_buf_cstr(&b), "wxyz");
    assert_int_equal(chy_buf_done(&b, "the name", NULL), CHY_S_OK);
    chy_buf_free(&b);
}

static void test_reset_keeps_the_memory(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    chy_buf_addf(&b, "%0500d", 1);
    const uint8_t *p = b.p;
    size_t cap = b.cap;
    chy_buf_reset(&b);
    assert_int_equal(b.n, 0);
    chy_buf_addf(&b, "%0400d", 2);
    assert_ptr_equal(b.p, p);
    assert_int_equal(b.cap, cap);
    chy_buf_free(&b);
}

/* Around the size up to which addf needs no second pass. */
static void test_addf_of_every_length(void **state)
{
    (void)state;
    for (int n = 500; n < 530; n++) {
        struct chy_buf b;
        chy_buf_init(&b, (size_t)n);
        chy_buf_addf(&b, "%0*d", n, 5);
        assert_int_equal(b.n, n);
        assert_int_equal(b.p[0], '0');
        assert_int_equal(b.p[n - 1], '5');
        chy_buf_free(&b);
        chy_buf_init(&b, (size_t)n - 1);
        chy_buf_addf(&b, "%0*d", n, 5);
        assert_true(b.too_long);
        assert_int_equal(b.n, 0);
        chy_buf_free(&b);
    }
}

static void test_cstr_adds_no_octet(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 10);
    assert_string_equal(chy_buf_cstr(&b), "");
    assert_int_equal(b.n, 0);
    chy_buf_add_str(&b, "0123456789");
    assert_string_equal(chy_buf_cstr(&b), "0123456789");
    assert_int_equal(b.n, 10);
    chy_buf_free(&b);
}

static void test_reserve_makes_room_without_content(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 5000);
    assert_true(chy_buf_reserve(&b, 5000));
    assert_true(b.cap >= 5000);
    assert_int_equal(b.n, 0);
    b.n = 4990;
    assert_true(chy_buf_reserve(&b, 10));
    assert_false(chy_buf_reserve(&b, 11));
    chy_buf_free(&b);
}

/* Sizes near the end of size_t neither wrap to a small block nor loop for ever. */
static void test_growth_does_not_wrap(void **state)
{
    static const size_t wanted[] = {SIZE_MAX, SIZE_MAX - 3, SIZE_MAX / 2 + 2, SIZE_MAX / 2};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(wanted); i++) {
        struct chy_buf b;
        struct chy_err err = {0};
        chy_buf_init(&b, SIZE_MAX);
        if (i) chy_buf_add_str(&b, "abc");
        assert_false(chy_buf_reserve(&b, wanted[i]));
        assert_true(b.failed);
        assert_false(b.too_long);
        assert_int_equal(chy_buf_done(&b, "it", &err), CHY_E_OUTOFMEMORY);
        assert_string_equal(err.text, "it: not enough memory");
        chy_buf_free(&b);
    }
    struct chy_buf b;
    chy_buf_init(&b, SIZE_MAX);
    chy_buf_add_str(&b, "abc");
    assert_false(chy_buf_reserve(&b, SIZE_MAX - 2));
    assert_true(b.too_long);
    chy_buf_reset(&b);
    for (int i = 0; i < 1000; i++)
        chy_buf_add_str(&b, "abc");
    assert_int_equal(b.n, 3000);
    assert_true(b.cap >= 3000);
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_added_stands_in_order),
        cmocka_unit_test(test_content_survives_growth),
        cmocka_unit_test(test_exactly_max_fits_and_one_more_does_not),
        cmocka_unit_test(test_a_failure_sticks_until_the_reset),
        cmocka_unit_test(test_reset_keeps_the_memory),
        cmocka_unit_test(test_addf_of_every_length),
        cmocka_unit_test(test_cstr_adds_no_octet),
        cmocka_unit_test(test_reserve_makes_room_without_content),
        cmocka_unit_test(test_growth_does_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
