/* The bump allocator: alignment, zeros, its bound, re-use after a reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void expect_zeros(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], 0);
}

static void test_blocks_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    struct chy_arena a;
    uint8_t *p[200];
    chy_arena_init(&a, 1 << 20);
    for (size_t round = 0; round < 2; round++) { /* the second one meets used memory */
        for (size_t i = 0; i < CHY_ARRAY_LEN(p); i++) {
            p[i] = chy_arena_alloc(&a, i + 1);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            expect_zeros(p[i], i + 1);
            memset(p[i], (int)(i + 1), i + 1);
        }
        for (size_t i = 0; i < CHY_ARRAY_LEN(p); i++) {
            assert_int_equal(p[i][0], (uint8_t)(i + 1));
            assert_int_equal(p[i][i], (uint8_t)(i + 1));
        }
        chy_arena_reset(&a);
    }
    chy_arena_free(&a);
    assert_null(a.head);
    assert_int_equal(a.total, 0);
}

static void test_a_large_block_is_one_of_its_own(void **state)
{
    (void)state;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    uint8_t *small = chy_arena_alloc(&a, 10);
    uint8_t *large = chy_arena_alloc(&a, 100000);
    assert_non_null(small);
    assert_non_null(large);
    expect_zeros(large, 100000);
    memset(large, 1, 100000);
    expect_zeros(small, 10);
    assert_in_range(a.total, 100000, 1 << 20);
    chy_arena_free(&a);
}

static void test_max_holds_over_all_blocks(void **state)
{
    (void)state;
    struct chy_arena a;
    chy_arena_init(&a, 20000);
    assert_null(chy_arena_alloc(&a, 20001));
    assert_non_null(chy_arena_alloc(&a, 16384));
    assert_non_null(chy_arena_alloc(&a, 3600));
    assert_null(chy_arena_alloc(&a, 16 + 1));
    assert_non_null(chy_arena_alloc(&a, 16));
    assert_null(chy_arena_alloc(&a, 1));
    assert_int_equal(a.total, 20000);
    chy_arena_reset(&a);
    assert_non_null(chy_arena_alloc(&a, 16384));
    chy_arena_free(&a);
}

static void test_sizes_near_the_end_of_size_t(void **state)
{
    (void)state;
    struct chy_arena a;
    chy_arena_init(&a, SIZE_MAX);
    for (size_t less = 0; less < 70; less++)
        assert_null(chy_arena_alloc(&a, SIZE_MAX - less));
    assert_null(chy_arena_strndup(&a, "", SIZE_MAX));
    assert_non_null(chy_arena_alloc(&a, 1));
    chy_arena_free(&a);
}

static void test_a_reset_arena_uses_its_first_block_again(void **state)
{
    (void)state;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    void *first = chy_arena_alloc(&a, 100);
    size_t kept = a.total;
    assert_non_null(chy_arena_alloc(&a, 50000));
    assert_non_null(chy_arena_alloc(&a, 50000));
    assert_true(a.total > kept);
    chy_arena_reset(&a);
    assert_int_equal(a.total, kept);
    assert_ptr_equal(chy_arena_alloc(&a, 100), first);
    assert_int_equal(a.total, kept);
    chy_arena_free(&a);
    chy_arena_reset(&a); /* an empty one has nothing to keep */
    assert_null(a.head);
}

static void test_texts_and_spans_are_copied(void **state)
{
    (void)state;
    struct chy_arena a;
    char text[] = "abcdef";
    chy_arena_init(&a, 1 << 20);
    char *whole = chy_arena_strdup(&a, text), *part = chy_arena_strndup(&a, text, 3);
    char *empty = chy_arena_strndup(&a, NULL, 0);
    struct chy_span s = chy_arena_dup(&a, chy_span_of(text, 4));
    char *printed = chy_arena_printf(&a, "%s-%05d", text, 42);
    memset(text, 'x', 6);
    assert_string_equal(whole, "abcdef");
    assert_string_equal(part, "abc");
    assert_string_equal(empty, "");
    assert_true(chy_span_eq(s, CHY_SPAN_STR("abcd")));
    assert_string_equal(printed, "abcdef-00042");
    s = chy_arena_dup(&a, (struct chy_span){NULL, 0});
    assert_null(s.p);
    assert_int_equal(s.n, 0);
    chy_arena_free(&a);
}

static void test_what_was_refused_is_remembered(void **state)
{
    (void)state;
    struct chy_arena a;
    struct chy_err err = {0};
    chy_arena_init(&a, 64);
    assert_non_null(chy_arena_alloc(&a, 32));
    assert_int_equal(chy_arena_done(&a, "request", &err), CHY_S_OK);
    assert_null(chy_arena_alloc(&a, 65));
    assert_non_null(chy_arena_alloc(&a, 32));
    assert_int_equal(chy_arena_done(&a, "request", &err), CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_string_equal(err.text, "request: takes more than 64 octets");
    chy_arena_reset(&a);
    assert_int_equal(chy_arena_done(&a, "request", &err), CHY_S_OK);
    a.failed = true; /* as when the system has none */
    chy_err_clear(&err);
    assert_int_equal(chy_arena_done(&a, "request", &err), CHY_E_OUTOFMEMORY);
    chy_arena_free(&a);
}

static void test_copies_over_max_are_refused(void **state)
{
    (void)state;
    struct chy_arena a;
    chy_arena_init(&a, 32);
    assert_null(chy_arena_strdup(&a, "0123456789012345678901234567890X"));
    assert_null(chy_arena_printf(&a, "%032d", 1));
    struct chy_span s = chy_arena_dup(&a, CHY_SPAN_STR("0123456789012345678901234567890XX"));
    assert_null(s.p);
    assert_int_equal(s.n, 0);
    assert_string_equal(chy_arena_strdup(&a, "0123456789012345678901234567890"),
                        "0123456789012345678901234567890");
    chy_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_aligned_zeroed_and_apart),
        cmocka_unit_test(test_a_large_block_is_one_of_its_own),
        cmocka_unit_test(test_max_holds_over_all_blocks),
        cmocka_unit_test(test_sizes_near_the_end_of_size_t),
        cmocka_unit_test(test_a_reset_arena_uses_its_first_block_again),
        cmocka_unit_test(test_texts_and_spans_are_copied),
        cmocka_unit_test(test_what_was_refused_is_remembered),
        cmocka_unit_test(test_copies_over_max_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
