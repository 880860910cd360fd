/* The one place that asks for memory. */
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

/* NULL means that memory is short, and nothing else. */
static void test_nothing_is_not_null(void **state)
{
    (void)state;
    void *a = chy_malloc(0), *b = chy_calloc(0, 8), *c = chy_calloc(8, 0),
         *d = chy_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    assert_non_null(d = chy_realloc(d, 0));
    chy_free(a);
    chy_free(b);
    chy_free(c);
    chy_free(d);
    chy_free(NULL);
}

static void test_content(void **state)
{
    (void)state;
    uint8_t *p = chy_calloc(100, 7);
    for (size_t i = 0; i < 700; i++)
        assert_int_equal(p[i], 0);
    memset(p, 5, 700);
    p = chy_realloc(p, 7000);
    for (size_t i = 0; i < 700; i++)
        assert_int_equal(p[i], 5);
    chy_free(p);
    char *s = chy_strdup("text"), *part = chy_strndup("text", 2), *empty = chy_strndup("text", 0);
    assert_string_equal(s, "text");
    assert_string_equal(part, "te");
    assert_string_equal(empty, "");
    chy_free(s);
    chy_free(part);
    chy_free(empty);
}

static void test_too_much_is_null(void **state)
{
    (void)state;
    volatile size_t half = SIZE_MAX / 2;
    assert_null(chy_calloc(half, 3)); /* the product wraps */
    assert_null(chy_malloc(half));
    void *p = chy_malloc(10);
    assert_null(chy_realloc(p, half));
    chy_free(p); /* which was left as it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_not_null),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_too_much_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
