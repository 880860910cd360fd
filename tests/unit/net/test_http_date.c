/* The three forms of a date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "net/http_date.h"

#define EXAMPLE (INT64_C(784111777) * CHY_US_PER_S) /* RFC 9110 5.6.7 */
#define NOW (INT64_C(1795000000) * CHY_US_PER_S)    /* November 2026 */

static void date_is_rfc1123(void **state)
{
    (void)state;
    char s[CHY_HTTP_DATE_SIZE];
    chy_http_date(s, EXAMPLE);
    assert_string_equal(s, "Sun, 06 Nov 1994 08:49:37 GMT");
    chy_http_date(s, EXAMPLE + 999999);
    assert_string_equal(s, "Sun, 06 Nov 1994 08:49:37 GMT");
    chy_http_date(s, 0);
    assert_string_equal(s, "Thu, 01 Jan 1970 00:00:00 GMT");
    chy_http_date(s, -5);
    assert_string_equal(s, "Thu, 01 Jan 1970 00:00:00 GMT");
    chy_http_date(s, INT64_C(1859000813) * CHY_US_PER_S);
    assert_string_equal(s, "Tue, 28 Nov 2028 05:06:53 GMT");
}

static void every_form_is_read(void **state)
{
    (void)state;
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    chy_time t = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(same); i++) {
        assert_true(chy_http_date_parse(same[i], NOW, &t));
        assert_int_equal(t, EXAMPLE);
    }
    assert_true(chy_http_date_parse("Wed Nov 16 08:49:37 1994", NOW, &t));
    assert_int_equal(t, EXAMPLE + 10 * INT64_C(86400) * CHY_US_PER_S);
}

static void two_digits_are_at_most_fifty_years_ahead(void **state)
{
    (void)state;
    chy_time t = 0, whole = 0;
    assert_true(chy_http_date_parse("Tuesday, 21-Nov-28 01:06:53 GMT", NOW, &t));
    assert_true(chy_http_date_parse("Tue Nov 21 01:06:53 2028", NOW, &whole));
    assert_int_equal(t, whole);
    assert_true(chy_http_date_parse("Monday, 01-Jan-76 00:00:00 GMT", NOW, &t));
    assert_true(chy_http_date_parse("Wed Jan  1 00:00:00 2076", NOW, &whole));
    assert_int_equal(t, whole);
    assert_true(chy_http_date_parse("Monday, 01-Jan-77 00:00:00 GMT", NOW, &t));
    assert_true(chy_http_date_parse("Sat Jan  1 00:00:00 1977", NOW, &whole));
    assert_int_equal(t, whole);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 UTC",
        "Someday, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 00-Nov-94 08:49:37 GMT",
        "Sunday, 31-Feb-94 08:49:37 GMT",
        "Sunday, 06-Nov-94 24:49:37 GMT",
        "Sunday, 06-Nov-94 08:60:37 GMT",
        "Sunday, 06-Nov-94 08:49:61 GMT",
        "Sunday, 06-Nov-94 08:49:3x GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT and more",
        "Wednesday, 06-November-1994 08:49:37 GMT and more",
        "Sun Nov  6 08:49:37 1994 ",
        "Sun Nov 06 08:49:37 94",
        "Sun Nuv  6 08:49:37 1994",
        "Sun Nov  0 08:49:37 1994",
    };
    chy_time t = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        if (chy_http_date_parse(bad[i], NOW, &t)) fail_msg("taken: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_is_rfc1123),
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(two_digits_are_at_most_fifty_years_ahead),
        cmocka_unit_test(what_is_no_date_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
