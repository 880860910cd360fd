/* Short texts: what is cut, and what is the same name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static void test_copy_keeps_what_fits(void **state)
{
    (void)state;
    char out[6];
    assert_int_equal(chy_text_copy(out, sizeof(out), "short"), 5);
    assert_string_equal(out, "short");
    assert_int_equal(chy_text_copy(out, sizeof(out), "longer"), 5);
    assert_string_equal(out, "longe");
    assert_int_equal(chy_text_copy(out, sizeof(out), ""), 0);
    assert_string_equal(out, "");
    assert_int_equal(chy_text_copy(out, 1, "none"), 0);
    assert_string_equal(out, "");
}

static void test_same_is_what_strcasecmp_says(void **state)
{
    (void)state;
    const char *const words[] = {"",     "a",  "A",  "b",         "NotAfter", "notafter",
                                 "NotA", "`",  "@",  "NOTAFTER ", "\xc3",     "\xe3",
                                 " ",    "[a", "{a", "1",         "_",        "\x7f"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(words); i++) {
        for (size_t k = 0; k < CHY_ARRAY_LEN(words); k++)
            assert_int_equal(chy_text_same(words[i], words[k]),
                             strcasecmp(words[i], words[k]) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_keeps_what_fits),
        cmocka_unit_test(test_same_is_what_strcasecmp_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
