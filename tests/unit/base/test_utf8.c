/* UTF-8 validity against a decoder that looks at code points, and the known bad forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static size_t encode(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        uint8_t octets[5] = {'a', 0, 0, 0, 0};
        size_t n = encode(c, octets + 1);
        bool good = c != 0 && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        if (chy_utf8_valid(chy_span_of(octets, n + 1)) != good) fail_msg("U+%04X", (unsigned)c);
        if (good && n > 1 && chy_utf8_valid(chy_span_of(octets, n)))
            fail_msg("U+%04X, cut", (unsigned)c);
        if (good && n > 1 && chy_utf8_valid(chy_span_of(octets + 2, n - 1)))
            fail_msg("U+%04X, tail", (unsigned)c);
    }
}

/* All pairs and, behind the leads of three, all second octets: nothing but encodings is valid. */
static void test_every_pair_of_octets(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t pair[2] = {(uint8_t)a, (uint8_t)b}, three[3] = {(uint8_t)a, (uint8_t)b, 0x80};
            bool ascii = a && a < 0x80 && b && b < 0x80;
            bool two = a >= 0xc2 && a <= 0xdf && (b & 0xc0) == 0x80;
            assert_int_equal(chy_utf8_valid(CHY_SPAN(pair)), ascii || two);
            uint32_t c = (a & 0x0f) << 12 | (b & 0x3f) << 6;
            bool of_three = (a & 0xf0) == 0xe0 && (b & 0xc0) == 0x80 && c >= 0x800 &&
                            (c < 0xd800 || c > 0xdfff);
            bool one_and_two = a && a < 0x80 && b >= 0xc2 && b <= 0xdf;
            assert_int_equal(chy_utf8_valid(CHY_SPAN(three)), of_three || one_and_two);
        }
    }
}

static void test_known_bad_forms(void **state)
{
    static const char *const bad[] = {
        "\x80",                     /* a continuation alone */
        "\xc3",                     /* a lead alone */
        "\xc3(",                    /* a lead before ASCII */
        "\xc0\xaf",                 /* "/" in two octets */
        "\xe0\x80\xaf",             /* in three */
        "\xf0\x80\x80\xaf",         /* in four */
        "\xc1\xbf",                 /* U+007F in two */
        "\xe0\x9f\xbf",             /* U+07FF in three */
        "\xf0\x8f\xbf\xbf",         /* U+FFFF in four */
        "\xed\xa0\x80",             /* the first surrogate */
        "\xed\xbf\xbf",             /* the last */
        "\xed\xa0\xbd\xed\xb8\x80", /* a pair of them */
        "\xf4\x90\x80\x80",         /* U+110000 */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "ok\xe2\x82",
        "\xf0\x9f\x98\x80\x80",
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        if (chy_utf8_valid(chy_span_cstr(bad[i]))) fail_msg("case %zu is taken", i);
    }
    assert_false(chy_utf8_valid(CHY_SPAN_STR("a\0b")));
    assert_false(chy_utf8_valid(CHY_SPAN_STR("\0")));
    for (size_t at = 0; at < 24; at++) { /* also among many that are well-formed */
        uint8_t text[24];
        memset(text, 'a', sizeof(text));
        assert_true(chy_utf8_valid(CHY_SPAN(text)));
        text[at] = 0;
        assert_false(chy_utf8_valid(CHY_SPAN(text)));
        text[at] = 0x7f;
        assert_true(chy_utf8_valid(CHY_SPAN(text)));
        text[at] = 0x80;
        assert_false(chy_utf8_valid(CHY_SPAN(text)));
        text[at] = 1;
        assert_true(chy_utf8_valid(CHY_SPAN(text)));
    }
}

static void test_good_texts(void **state)
{
    (void)state;
    assert_true(chy_utf8_valid((struct chy_span){NULL, 0}));
    assert_true(chy_utf8_valid(CHY_SPAN_STR("plain\x01\x7f")));
    assert_true(
        chy_utf8_valid(CHY_SPAN_STR("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80")));
    assert_true(chy_utf8_valid(CHY_SPAN_STR("\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
}

static void test_printable_characters(void **state)
{
    (void)state;
    for (uint32_t c = 1; c < 0x110000; c++) {
        uint8_t octets[5];
        size_t n = encode(c, octets);
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
        octets[n] = 'x';
        size_t length = chy_utf8_printable(chy_span_of(octets, n + 1));
        if (length != (surrogate || control ? 0 : n)) fail_msg("U+%04X", (unsigned)c);
    }
    assert_int_equal(chy_utf8_printable((struct chy_span){NULL, 0}), 0);
    assert_int_equal(chy_utf8_printable(CHY_SPAN_STR("\0")), 0);
    assert_int_equal(chy_utf8_printable(CHY_SPAN_STR("\xe2\x82")), 0);
    assert_int_equal(chy_utf8_printable(CHY_SPAN_STR("\x80")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),     cmocka_unit_test(test_every_pair_of_octets),
        cmocka_unit_test(test_known_bad_forms),      cmocka_unit_test(test_good_texts),
        cmocka_unit_test(test_printable_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
