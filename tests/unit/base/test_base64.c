/* Base64 against RFC 4648 and OpenSSL, line breaks, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/text.h"

/* RFC 4648 section 10. */
static const char *const vectors[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_vectors_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(vectors); i++) {
        struct chy_buf b;
        chy_buf_init(&b, 100);
        chy_base64_add(&b, chy_span_cstr(vectors[i][0]), 0);
        assert_string_equal(chy_buf_cstr(&b), vectors[i][1]);
        chy_buf_reset(&b);
        assert_true(chy_base64_decode(&b, chy_span_cstr(vectors[i][1])));
        assert_string_equal(chy_buf_cstr(&b), vectors[i][0]);
        chy_buf_free(&b);
    }
}

static void test_agrees_with_openssl(void **state)
{
    (void)state;
    uint8_t octets[300];
    unsigned char theirs[500];
    struct chy_buf b, back;
    chy_buf_init(&b, 1000);
    chy_buf_init(&back, 1000);
    for (size_t n = 1; n <= sizeof(octets); n++) {
        for (size_t i = 0; i < n; i++)
            octets[i] = (uint8_t)(i * n * 89 + (i >> 3));
        int len = EVP_EncodeBlock(theirs, octets, (int)n);
        chy_buf_reset(&b);
        chy_buf_reset(&back);
        chy_base64_add(&b, chy_span_of(octets, n), 0);
        assert_int_equal(b.n, len);
        assert_memory_equal(b.p, theirs, b.n);
        assert_true(chy_base64_decode(&back, chy_buf_span(&b)));
        assert_true(chy_span_eq(chy_buf_span(&back), chy_span_of(octets, n)));
    }
    chy_buf_free(&b);
    chy_buf_free(&back);
}

static void test_lines(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 300);
    chy_base64_add(&b, CHY_SPAN_STR("foobarfoob"), 8);
    assert_string_equal(chy_buf_cstr(&b), "Zm9vYmFy\nZm9vYg==\n");
    chy_buf_reset(&b);
    chy_base64_add(&b, CHY_SPAN_STR("foobarf"), 8);
    assert_string_equal(chy_buf_cstr(&b), "Zm9vYmFy\nZg==\n");
    chy_buf_reset(&b);
    chy_base64_add(&b, CHY_SPAN_STR(""), 8);
    assert_int_equal(b.n, 0);
    chy_buf_free(&b);
}

static void test_white_space_is_ignored_everywhere(void **state)
{
    static const char *const texts[] = {"Zm9vYg==",   " Zm9v\r\nYg==\r\n",  "Z m\t9\nv\rY g==",
                                        "Zm9vYg=\n=", "\n\n\nZm9vYg==\n\n", "Zm9vYg = = "};
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        chy_buf_reset(&b);
        assert_true(chy_base64_decode(&b, chy_span_cstr(texts[i])));
        assert_string_equal(chy_buf_cstr(&b), "foob");
    }
    chy_buf_reset(&b);
    assert_true(chy_base64_decode(&b, CHY_SPAN_STR(" \r\n")));
    assert_int_equal(b.n, 0);
    chy_buf_free(&b);
}

static void test_refusals_leave_the_buffer(void **state)
{
    static const char *const bad[] = {
        "Z",        "Zg",    "Zm9",      "Zm9vY", /* without padding */
        "Zg=",      "Zg===", "Zm9=v",    "Zm8==", /* with a wrong one */
        "=",        "====",  "Z===",     "Zm9v=",  "Zm9v====",     "Zg==Zg==", "Zg==Z",
        "Zm8=Zm9v",                      /* octets behind it */
        "Zh==",     "Zm9=",  "Zm9vYh==", /* bits that no octet holds */
        "Zm9-",     "Zm9_",  "Zm9v!",    "Zm9v\v", "Zm9v\xc3\xa4", "#",        "Zm9v.",
    };
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    chy_buf_add_str(&b, "kept");
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        if (chy_base64_decode(&b, chy_span_cstr(bad[i]))) fail_msg("accepted \"%s\"", bad[i]);
        assert_int_equal(b.n, 4);
    }
    assert_false(chy_base64_decode(&b, CHY_SPAN_STR("Zm9v\0")));
    assert_false(b.failed);
    chy_buf_free(&b);
}

/* No second spelling decodes: what is accepted without white space encodes to itself. */
static void test_each_text_of_four_is_canonical(void **state)
{
    static const char some[] = "AQgwZf/+=-_ 9";
    (void)state;
    struct chy_buf b, again;
    unsigned accepted = 0;
    chy_buf_init(&b, 10);
    chy_buf_init(&again, 10);
    for (unsigned v = 0; v < 13 * 13 * 13 * 13; v++) {
        char text[4] = {some[v % 13], some[v / 13 % 13], some[v / 169 % 13], some[v / 2197]};
        chy_buf_reset(&b);
        chy_buf_reset(&again);
        if (memchr(text, ' ', 4) || !chy_base64_decode(&b, chy_span_of(text, 4))) continue;
        chy_base64_add(&again, chy_buf_span(&b), 0);
        assert_true(chy_span_eq(chy_buf_span(&again), chy_span_of(text, 4)));
        accepted++;
    }
    assert_true(accepted > 9 * 9 * 9 * 9);
    chy_buf_free(&b);
    chy_buf_free(&again);
}

static void test_a_full_buffer_is_a_failure(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 4);
    assert_true(chy_base64_decode(&b, CHY_SPAN_STR("Zm9vYg==")));
    chy_buf_reset(&b);
    assert_false(chy_base64_decode(&b, CHY_SPAN_STR("Zm9vYmE=")));
    assert_true(b.too_long);
    chy_buf_reset(&b);
    assert_false(chy_base64_decode(&b, CHY_SPAN_STR("Zm9vYmFy")));
    assert_true(b.too_long);
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_both_ways),
        cmocka_unit_test(test_agrees_with_openssl),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_white_space_is_ignored_everywhere),
        cmocka_unit_test(test_refusals_leave_the_buffer),
        cmocka_unit_test(test_each_text_of_four_is_canonical),
        cmocka_unit_test(test_a_full_buffer_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
