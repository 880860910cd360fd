/* Names of CAs as AD CS writes them into files and directories: the table, the way back, the short
 * form and its hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void expect(const char *name, const char *full, const char *brief)
{
    struct chy_buf b;
    chy_buf_init(&b, 2000);
    chy_sanitize_name(&b, name);
    assert_string_equal(chy_buf_cstr(&b), full);
    chy_buf_reset(&b);
    chy_sanitize_short_name(&b, name);
    assert_string_equal(chy_buf_cstr(&b), brief);
    chy_buf_free(&b);
}

static void expect_same(const char *name, const char *both)
{
    expect(name, both, both);
}

static void test_every_octet_of_ascii(void **state)
{
    static const char replaced[] = "!\"#%&'()*+,/:;<=>?[\\]^`{|}";
    (void)state;
    assert_int_equal(strlen(replaced), 26);
    for (unsigned c = 1; c < 0x80; c++) {
        char name[2] = {(char)c, 0}, want[8];
        if (c < 0x20 || c == 0x7f || strchr(replaced, (int)c)) {
            snprintf(want, sizeof(want), "!%04x", c);
        } else {
            snprintf(want, sizeof(want), "%c", c);
        }
        expect_same(name, want);
    }
}

static void test_characters_beyond_ascii_are_utf16_units(void **state)
{
    (void)state;
    expect_same("", "");
    expect_same("Contoso Root-CA_1~$@.", "Contoso Root-CA_1~$@.");
    expect_same("A/B", "A!002fB");
    expect_same("!0041", "!00210041"); /* what looks like an escape is one no more */
    expect_same("M\xc3\xbcnchen", "M!00fcnchen");
    expect_same("\xc2\x80\xdf\xbf", "!0080!07ff");
    expect_same("\xe0\xa0\x80\xe2\x82\xac\xef\xbf\xbf", "!0800!20ac!ffff");
    expect_same("\xf0\x9f\x98\x80", "!d83d!de00");
    expect_same("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "!d800!dc00!dbff!dfff");
}

/* The reader of sanitized names that the form is made for. */
static void restore(const char *s, struct chy_buf *out)
{
    uint32_t high = 0;
    while (*s) {
        unsigned c = (unsigned char)*s++;
        if (c == '!') {
            assert_int_equal(sscanf(s, "%4x", &c), 1);
            s += 4;
        }
        uint32_t full = c;
        if (c >= 0xd800 && c <= 0xdbff) {
            high = c;
            continue;
        }
        if (c >= 0xdc00 && c <= 0xdfff) full = 0x10000 + ((high - 0xd800) << 10) + (c - 0xdc00);
        if (full < 0x80) {
            chy_buf_add_byte(out, (uint8_t)full);
            continue;
        }
        size_t more = full < 0x800 ? 1 : full < 0x10000 ? 2 : 3;
        static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
        chy_buf_add_byte(out, (uint8_t)(lead[more] | full >> (6 * more)));
        while (more--)
            chy_buf_add_byte(out, (uint8_t)(0x80 | (full >> (6 * more) & 0x3f)));
    }
}

static void test_the_full_form_can_be_read_back(void **state)
{
    static const char *const names[] = {"Chancery Test CA",
                                        "a!b!!c!0021",
                                        "\x01\x1f\x7f!",
                                        "100% \"sure\" (maybe) [x] {y} <z>",
                                        "M\xc3\xbcller & S\xc3\xb6hne CA",
                                        "\xe6\xb5\x8b\xe8\xaf\x95 CA",
                                        "\xf0\x9f\x94\x91 key \xf4\x8f\xbf\xbf"};
    (void)state;
    struct chy_buf b, back;
    chy_buf_init(&b, 2000);
    chy_buf_init(&back, 2000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        chy_buf_reset(&b);
        chy_buf_reset(&back);
        chy_sanitize_name(&b, names[i]);
        restore(chy_buf_cstr(&b), &back);
        assert_string_equal(chy_buf_cstr(&back), names[i]);
    }
    chy_buf_free(&b);
    chy_buf_free(&back);
}

/* The hash as the specification words it, over the text cut off. */
static unsigned hash_of(const char *cut_off)
{
    unsigned h = 0;
    for (; *cut_off; cut_off++) {
        h = ((h << 1 | h >> 15) & 0xffff) + (unsigned char)*cut_off;
        h &= 0xffff;
    }
    return h;
}

static void expect_short(const char *name, size_t kept)
{
    struct chy_buf full, brief;
    char want[64];
    chy_buf_init(&full, 2000);
    chy_buf_init(&brief, 100);
    chy_sanitize_name(&full, name);
    chy_sanitize_short_name(&brief, name);
    const char *s = chy_buf_cstr(&full);
    snprintf(want, sizeof(want), "%.*s-%05u", (int)kept, s, hash_of(s + kept));
    assert_string_equal(chy_buf_cstr(&brief), want);
    assert_true(brief.n <= 57);
    chy_buf_free(&full);
    chy_buf_free(&brief);
}

#define FIFTY "12345678901234567890123456789012345678901234567890"

static void test_short_names_begin_at_52_characters(void **state)
{
    (void)state;
    expect_same(FIFTY "1", FIFTY "1");
    expect(FIFTY "1A", FIFTY "1A", FIFTY "1-00065");
    expect(FIFTY "1AB", FIFTY "1AB", FIFTY "1-00196"); /* 65 * 2 + 66 */
    expect_short(FIFTY "1AB", 51);
    expect_short(FIFTY FIFTY FIFTY FIFTY, 51); /* the hash has turned over by now */
}

static void test_the_cut_is_never_inside_an_escape(void **state)
{
    (void)state;
    for (size_t before = 40; before <= 52; before++) {
        char name[128];
        size_t kept = before < 46 || before >= 51 ? 51 : before == 46 ? 51 : before;
        snprintf(name, sizeof(name), "%.*s\xc3\xbcxxxxxxxxxxxx", (int)before, FIFTY FIFTY);
        expect_short(name, kept);
    }
    /* Escapes all along: the cut takes whole ones. */
    expect_short("////////////////////", 50);
    expect_short("a////////////////////", 51);
    expect_short("ab////////////////////", 47);
}

static void test_a_long_name_is_a_failure_and_no_cut_name(void **state)
{
    (void)state;
    static char name[70000];
    struct chy_buf b;
    memset(name, 'x', sizeof(name) - 1);
    chy_buf_init(&b, 100);
    chy_sanitize_short_name(&b, name);
    assert_true(b.failed);
    assert_int_equal(b.n, 0);
    chy_buf_free(&b);
    chy_buf_init(&b, 9);
    chy_sanitize_name(&b, "ab/cd/");
    assert_true(b.too_long);
    chy_buf_free(&b);
}

/* Names are checked before; broken UTF-8 must still not be read past its end. */
static void test_broken_utf8_ends_with_the_text(void **state)
{
    static const char *const broken[] = {"\xc3", "\xe2\x82", "\xf0\x9f\x98",
                                         "\x80", "\xff",     "a\xf0"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(broken); i++) {
        struct chy_buf b;
        char *exact = chy_strdup(broken[i]);
        assert_non_null(exact);
        chy_buf_init(&b, 100);
        chy_sanitize_name(&b, exact);
        assert_false(b.failed);
        const char *s = chy_buf_cstr(&b);
        for (; *s; s++)
            assert_true(*s >= 0x20 && *s < 0x7f);
        chy_buf_free(&b);
        chy_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_octet_of_ascii),
        cmocka_unit_test(test_characters_beyond_ascii_are_utf16_units),
        cmocka_unit_test(test_the_full_form_can_be_read_back),
        cmocka_unit_test(test_short_names_begin_at_52_characters),
        cmocka_unit_test(test_the_cut_is_never_inside_an_escape),
        cmocka_unit_test(test_a_long_name_is_a_failure_and_no_cut_name),
        cmocka_unit_test(test_broken_utf8_ends_with_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
