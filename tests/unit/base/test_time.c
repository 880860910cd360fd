/* Civil time against the C library, the text forms both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"

#define S(n) (INT64_C(n) * CHY_US_PER_S)

static void test_civil_agrees_with_the_c_library(void **state)
{
    (void)state;
    /* A step that is no divisor of a day, over the years 1 to 9999 and some beyond. */
    for (int64_t s = -62200000000; s < 253500000000; s += 86400 * 13 + 3601) {
        struct chy_civil c;
        struct tm tm;
        time_t t = (time_t)s;
        assert_non_null(gmtime_r(&t, &tm));
        chy_civil_from_time(&c, s * CHY_US_PER_S);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour, tm.tm_hour);
        assert_int_equal(c.minute, tm.tm_min);
        assert_int_equal(c.second, tm.tm_sec);
        assert_true(chy_time_from_civil(&c) == s * CHY_US_PER_S);
    }
}

static void test_fractions_fall_towards_the_past(void **state)
{
    (void)state;
    struct chy_civil c;
    chy_civil_from_time(&c, -1);
    assert_int_equal(c.year, 1969);
    assert_int_equal(c.second, 59);
    chy_civil_from_time(&c, S(86400) - 1);
    assert_int_equal(c.day, 1);
    assert_int_equal(c.hour, 23);
    chy_civil_from_time(&c, INT64_MIN);
    assert_int_equal(c.year, -290308);
    chy_civil_from_time(&c, INT64_MAX);
    assert_int_equal(c.year, 294247);
}

static const struct {
    chy_time t;
    const char *text;
} both_ways[] = {
    {0, "1970-01-01T00:00:00Z"},
    {1, "1970-01-01T00:00:00.000001Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},
    {S(-1), "1969-12-31T23:59:59Z"},
    {S(951782400), "2000-02-29T00:00:00Z"},
    {S(1709251199) + 500000, "2024-02-29T23:59:59.500000Z"},
    {S(2147483648), "2038-01-19T03:14:08Z"},
    {S(2524607999), "2049-12-31T23:59:59Z"},
    {S(2524607999) + 999999, "2049-12-31T23:59:59.999999Z"},
    {S(2524608000), "2050-01-01T00:00:00Z"},
    {S(4107542399), "2100-02-28T23:59:59Z"},
    {S(4107542400), "2100-03-01T00:00:00Z"},
    {S(253402300799), "9999-12-31T23:59:59Z"},
    {S(253402300799) + 999999, "9999-12-31T23:59:59.999999Z"},
    {S(-62135596800), "0001-01-01T00:00:00Z"},
    {S(-62167219200), "0000-01-01T00:00:00Z"},
};

static void test_text_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(both_ways); i++) {
        char text[32];
        chy_time t = 77;
        chy_time_format(text, both_ways[i].t);
        assert_string_equal(text, both_ways[i].text);
        assert_true(chy_time_parse(text, &t));
        assert_true(t == both_ways[i].t);
    }
}

static void test_years_without_four_digits_have_no_text(void **state)
{
    (void)state;
    char text[32];
    chy_time_format(text, S(253402300800));
    assert_string_equal(text, "out-of-range");
    chy_time_format(text, S(-62167219200) - 1);
    assert_string_equal(text, "out-of-range");
    chy_time_format(text, CHY_TIME_DEFAULT);
    assert_string_equal(text, "out-of-range");
    chy_time_format(text, INT64_MAX);
    assert_string_equal(text, "out-of-range");
}

static void test_other_forms_that_are_read(void **state)
{
    static const struct {
        const char *text;
        chy_time t;
    } cases[] = {
        {"2026-11-21", S(1795219200)},
        {"2026-11-21t05:58:04z", S(1795240684)},
        {"2026-11-21 05:58:04Z", S(1795240684)},
        {"2026-11-21T05:58:04.5Z", S(1795240684) + 500000},
        {"2026-11-21T05:58:04.1234567899Z", S(1795240684) + 123456},
        {"2026-11-21T05:58:04.000Z", S(1795240684)},
        {"0", 0},
        {"-1", S(-1)},
        {"1795240684", S(1795240684)},
        {"2026", S(2026)},
        {"20261121", S(20261121)},
        {"253402300799", S(253402300799)},
        {"-62135596800", S(-62135596800)},
        {"2000-02-29", S(951782400)},
        {"2024-02-29", S(1709164800)},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        chy_time t = 77;
        if (!chy_time_parse(cases[i].text, &t)) fail_msg("refused \"%s\"", cases[i].text);
        assert_true(t == cases[i].t);
    }
}

static void test_text_refusals(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "now",
        "-",
        "--1",
        "1-",
        "1-1",
        "+1",
        " 1",
        "1 ",
        "1.5",
        "0x10",
        "253402300800",
        "-62135596801",
        "99999999999999999999999",

        "2026-",
        "2026-11",
        "2026-11-",
        "2026-1-21",
        "2026-11-1",
        "26-11-21",
        "12026-11-21",
        "2026-00-01",
        "2026-13-01",
        "2026-11-00",
        "2026-11-31",
        "2026-12-32",
        "2023-02-29",
        "2100-02-29",
        "1900-02-29",
        "2024-02-30",
        "2026-04-31",
        "2026/11/21",
        "2026-11-21Z",
        "2026-11-21T",
        "2026-11-21T05",
        "2026-11-21T05:58Z",
        "2026-11-21T05:58:04",
        "2026-11-21T05:58:04+01:00",
        "2026-11-21T05:58:04ZZ",
        "2026-11-21T05:58:04Z ",
        "2026-11-21T24:00:00Z",
        "2026-11-21T23:60:00Z",
        "2026-11-21T23:59:60Z",
        "2026-11-21T5:58:04Z",
        "2026-11-21T05:8:04Z",
        "2026-11-21T05:58:4Z",
        "2026-11-21T05-58-04Z",
        "2026-11-21T05:58:04.Z",
        "2026-11-21T05:58:04,5Z",
        "2026-11-21x05:58:04Z",
        "2026-11-21  05:58:04Z",
        "2026-11-21T-5:58:04Z",
        "-026-11-21",
        "2026-11-21T05:58:04.111111111111111111111Z", /* more than 40 characters */
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        chy_time t = 77;
        if (chy_time_parse(bad[i], &t)) fail_msg("accepted \"%s\"", bad[i]);
        assert_true(t == 77);
    }
}

static void test_http_dates_of_every_weekday_and_month(void **state)
{
    (void)state;
    for (int64_t s = -62135596800; s < 253402300799; s += 86400 * 17 + 45296) {
        char text[64];
        struct tm tm;
        time_t t = (time_t)s;
        chy_time ours = 77;
        assert_non_null(gmtime_r(&t, &tm));
        assert_int_equal(strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0, 1);
        if (tm.tm_year + 1900 < 1000) continue; /* strftime pads the year with nothing */
        if (!chy_time_parse_http(text, &ours)) fail_msg("refused \"%s\"", text);
        assert_true(ours == s * CHY_US_PER_S);
    }
}

static void test_http_date_refusals(void **state)
{
    static const char *const bad[] = {
        "",
        "Tue, 21 Nov 2028 01:06:53",
        "Tue, 21 Nov 2028 01:06:53 UTC",
        "Tue, 21 Nov 2028 01:06:53 GMT ",
        " Tue, 21 Nov 2028 01:06:53 GMT",
        "Wed, 21 Nov 2028 01:06:53 GMT", /* it was a Tuesday */
        "tue, 21 Nov 2028 01:06:53 GMT",
        "Tue; 21 Nov 2028 01:06:53 GMT",
        "Tue,_21 Nov 2028 01:06:53 GMT",
        "Tue, 21-Nov 2028 01:06:53 GMT",
        "Tue, 21 Nov-2028 01:06:53 GMT",
        "Tue, 21 Nov 2028T01:06:53 GMT",
        "Tue, 21 nov 2028 01:06:53 GMT",
        "Tue, 21 ovD 2028 01:06:53 GMT",
        "Tue, x1 Nov 2028 01:06:53 GMT",
        "Tue, 21 Nov 2x28 01:06:53 GMT",
        "Tue, 21 Nov 2028 x1:06:53 GMT",
        "Tue, 21 Nov 2028 01-06:53 GMT",
        "Tue, 21 Nov 2028 01:x6:53 GMT",
        "Tue, 21 Nov 2028 01:06-53 GMT",
        "Tue, 21 Nov 2028 01:06:x3 GMT",
        "Tue, 21 Nov 2028 24:06:53 GMT",
        "Tue, 21 Nov 2028 01:60:53 GMT",
        "Tue, 21 Nov 2028 01:06:60 GMT",
        "Fri, 31 Nov 2028 01:06:53 GMT",
        "Thu, 00 Nov 2028 01:06:53 GMT",
        "Wed, 29 Feb 2023 01:06:53 GMT",
        "Tuesday, 21-Nov-28 01:06:53 GMT",
        "Tue Nov 21 01:06:53 2028",
        "Thu, 31 Dec 1969 12:00:00 GMT", /* a Wednesday */
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        chy_time t = 77;
        if (chy_time_parse_http(bad[i], &t)) fail_msg("accepted \"%s\"", bad[i]);
        assert_true(t == 77);
    }
    chy_time t;
    assert_true(chy_time_parse_http("Tue, 21 Nov 2028 01:06:53 GMT", &t));
    assert_true(t == S(1858381613));
    assert_true(chy_time_parse_http("Wed, 31 Dec 1969 12:00:00 GMT", &t));
    assert_true(t == S(-43200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil_agrees_with_the_c_library),
        cmocka_unit_test(test_fractions_fall_towards_the_past),
        cmocka_unit_test(test_text_both_ways),
        cmocka_unit_test(test_years_without_four_digits_have_no_text),
        cmocka_unit_test(test_other_forms_that_are_read),
        cmocka_unit_test(test_text_refusals),
        cmocka_unit_test(test_http_dates_of_every_weekday_and_month),
        cmocka_unit_test(test_http_date_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
