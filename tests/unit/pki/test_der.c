/* The strict reader refuses each thing that BER allows and DER does not; the writer is its inverse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pki/der.h"

static struct chy_span hex(struct chy_buf *b, const char *text)
{
    chy_buf_reset(b);
    assert_true(chy_hex_decode(b, chy_span_cstr(text)));
    return chy_buf_span(b);
}

static void expect_hex(const struct chy_buf *b, const char *text)
{
    char got[256];
    assert_false(b->failed);
    assert_true(b->n < sizeof(got) / 2);
    chy_hex_cstr(got, chy_buf_span(b));
    assert_string_equal(got, text);
}

static void test_read_refuses_what_is_not_der(void **state)
{
    static const char *const bad[] = {
        "",       /* nothing */
        "04",     /* no length */
        "0401",   /* short content */
        "048100", /* long form for a short length */
        "04817f"
        "00",       /* the same at its edge */
        "0482007f", /* leading zero in the length */
        "04800000", /* indefinite length */
        "048500000000"
        "01",             /* more length octets than we take */
        "04ff",           /* reserved length octet */
        "0482",           /* length cut off */
        "1f0100",         /* high tag number */
        "0000",           /* end-of-contents */
        "0484ffffffff00", /* content past the end */
    };
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        struct chy_der d = chy_der_of(hex(&b, bad[i]));
        const uint8_t *before = d.p;
        struct chy_tlv t;
        assert_false(chy_der_read(&d, &t));
        assert_ptr_equal(d.p, before);
    }
    chy_buf_free(&b);
}

static void test_read_walks_values(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    struct chy_der d = chy_der_of(hex(&b, "3006020105040133020107")), in;
    struct chy_span v;
    bool present;
    assert_int_equal(chy_der_peek(&d), CHY_DER_SEQUENCE);
    assert_true(chy_der_enter(&d, CHY_DER_SEQUENCE, &in));
    assert_false(chy_der_expect(&in, CHY_DER_OID, &v));
    assert_true(chy_der_skip_optional(&in, CHY_DER_BOOLEAN, &v, &present));
    assert_false(present);
    assert_true(chy_der_skip_optional(&in, CHY_DER_INTEGER, &v, &present));
    assert_true(present && v.n == 1 && v.p[0] == 5);
    assert_true(chy_der_expect(&in, CHY_DER_OCTET_STRING, &v));
    assert_true(chy_der_empty(&in));
    assert_int_equal(chy_der_peek(&in), 0);
    assert_true(chy_der_expect(&d, CHY_DER_INTEGER, &v) && v.p[0] == 7);
    assert_true(chy_der_empty(&d));
    d = chy_der_of(hex(&b, "0202"));
    assert_false(chy_der_skip_optional(&d, CHY_DER_INTEGER, &v, &present));
    chy_buf_free(&b);
}

static void test_bool_is_00_or_ff(void **state)
{
    (void)state;
    bool v = false;
    assert_true(chy_der_get_bool(CHY_SPAN_STR("\xff"), &v) && v);
    assert_true(chy_der_get_bool(CHY_SPAN_STR("\x00"), &v) && !v);
    assert_false(chy_der_get_bool(CHY_SPAN_STR("\x01"), &v));
    assert_false(chy_der_get_bool(CHY_SPAN_STR(""), &v));
    assert_false(chy_der_get_bool(CHY_SPAN_STR("\xff\xff"), &v));
}

static void test_int_is_minimal_and_fits(void **state)
{
    static const int64_t values[] = {0,    1,    127,    128,       255,       256,      -1,
                                     -128, -129, -32768, INT64_MAX, INT64_MIN, 0x800000, -0x800000};
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(values); i++) {
        int64_t back = 99;
        struct chy_span v;
        chy_buf_reset(&b);
        chy_der_add_int(&b, values[i]);
        struct chy_der d = chy_der_of(chy_buf_span(&b));
        assert_true(chy_der_expect(&d, CHY_DER_INTEGER, &v));
        assert_true(chy_der_get_int(v, &back));
        assert_true(back == values[i]);
    }
    int64_t v;
    assert_false(chy_der_get_int(CHY_SPAN_STR(""), &v));
    assert_false(chy_der_get_int(CHY_SPAN_STR("\x00\x7f"), &v));
    assert_false(chy_der_get_int(CHY_SPAN_STR("\xff\x80"), &v));
    assert_true(chy_der_get_int(CHY_SPAN_STR("\x00\x80"), &v) && v == 128);
    assert_false(chy_der_get_int(CHY_SPAN_STR("\x00\xff\xff\xff\xff\xff\xff\xff\xff"), &v));
    chy_buf_free(&b);
}

static void test_time_reads_rfc5280_forms_only(void **state)
{
    static const struct {
        uint8_t tag;
        const char *text, *iso; /* NULL: refused */
    } cases[] = {
        {CHY_DER_UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z"},
        {CHY_DER_UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z"},
        {CHY_DER_GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z"},
        {CHY_DER_GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z"},
        {CHY_DER_GENERALIZED_TIME, "20240229120000Z", "2024-02-29T12:00:00Z"},
        {CHY_DER_UTC_TIME, "260229120000Z", NULL},           /* no leap year */
        {CHY_DER_GENERALIZED_TIME, "21000229120000Z", NULL}, /* nor this */
        {CHY_DER_UTC_TIME, "2601010000Z", NULL},             /* no seconds */
        {CHY_DER_UTC_TIME, "260101000000+0000", NULL},       /* zone */
        {CHY_DER_UTC_TIME, "260101000000z", NULL},
        {CHY_DER_UTC_TIME, "261301000000Z", NULL},
        {CHY_DER_UTC_TIME, "260001000000Z", NULL},
        {CHY_DER_UTC_TIME, "260100000000Z", NULL},
        {CHY_DER_UTC_TIME, "260101240000Z", NULL},
        {CHY_DER_UTC_TIME, "260101006000Z", NULL},
        {CHY_DER_UTC_TIME, "260101000060Z", NULL},
        {CHY_DER_UTC_TIME, "26010100000 Z", NULL},
        {CHY_DER_GENERALIZED_TIME, "20260101000000.5Z", NULL}, /* fraction */
        {CHY_DER_GENERALIZED_TIME, "260101000000Z", NULL},
        {CHY_DER_UTC_TIME, "20260101000000Z", NULL},
        {CHY_DER_IA5, "260101000000Z", NULL},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        chy_time t;
        char text[32];
        bool ok = chy_der_get_time(cases[i].tag, chy_span_cstr(cases[i].text), &t);
        assert_int_equal(ok, cases[i].iso != NULL);
        if (!ok) continue;
        chy_time_format(text, t);
        assert_string_equal(text, cases[i].iso);
    }
}

static void test_time_written_changes_form_in_2050(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_time t;
    chy_buf_init(&b, 100);
    assert_true(chy_time_parse("2049-12-31T23:59:59.999999Z", &t));
    chy_der_add_time(&b, t);
    expect_hex(&b, "170d3439313233313233353935395a");
    chy_buf_reset(&b);
    assert_true(chy_time_parse("2050-01-01T00:00:00Z", &t));
    chy_der_add_time(&b, t);
    expect_hex(&b, "180f32303530303130313030303030305a");
    chy_buf_reset(&b);
    chy_der_add_time(&b, t + INT64_C(8000) * 366 * 86400 * CHY_US_PER_S);
    assert_true(b.failed);
    chy_buf_free(&b);
}

static void test_generalized_time_whatever_the_year(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_time t;
    chy_buf_init(&b, 100);
    assert_true(chy_time_parse("2026-11-21T01:02:03.9Z", &t));
    chy_der_add_generalized_time(&b, t);
    expect_hex(&b, "180f32303236313132313031303230335a");
    chy_der_add_generalized_time(&b, t + INT64_C(8000) * 366 * 86400 * CHY_US_PER_S);
    assert_true(b.failed);
    chy_buf_free(&b);
}

static void test_headers_of_content_that_is_elsewhere(void **state)
{
    static const struct {
        size_t n;
        const char *hex;
    } cases[] = {{0, "3000"},
                 {127, "307f"},
                 {128, "308180"},
                 {65536, "3083010000"},
                 {UINT32_MAX, "3084ffffffff"}};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_buf b;
        chy_buf_init(&b, 100);
        chy_der_add_header(&b, CHY_DER_SEQUENCE, cases[i].n);
        expect_hex(&b, cases[i].hex);
        assert_int_equal(b.n, chy_der_header_len(cases[i].n));
        chy_buf_free(&b);
    }
}

static void test_bits_unused_are_zero(void **state)
{
    (void)state;
    struct chy_span bits;
    unsigned unused;
    assert_true(chy_der_get_bits(CHY_SPAN_STR("\x00"), &bits, &unused));
    assert_int_equal(bits.n, 0);
    assert_true(chy_der_get_bits(CHY_SPAN_STR("\x05\xa0"), &bits, &unused));
    assert_int_equal(unused, 5);
    assert_false(chy_der_get_bits(CHY_SPAN_STR(""), &bits, &unused));
    assert_false(chy_der_get_bits(CHY_SPAN_STR("\x01"), &bits, &unused));
    assert_false(chy_der_get_bits(CHY_SPAN_STR("\x08\x00"), &bits, &unused));
    assert_false(chy_der_get_bits(CHY_SPAN_STR("\x05\xb0"), &bits, &unused));
}

static void test_strict_looks_inside(void **state)
{
    static const struct {
        const char *hex;
        bool ok;
    } cases[] = {
        {"3000", true},
        {"", false},
        {"30000500", false},   /* two values */
        {"3003010101", false}, /* BOOLEAN 01 */
        {"30030101ff", true},
        {"300402020001", false}, /* INTEGER with a zero in front */
        {"30040a020001", false},
        {"3003050100", false}, /* NULL with content */
        {"30020500", true},
        {"30020600", false}, /* empty OID */
        {"3004060280"
         "01",
         false},               /* arc with a leading zero group */
        {"3003060181", false}, /* arc cut off */
        {"300406028101", true},
        {"3003030101", false}, /* BIT STRING without bits but unused ones */
        {"2404040201"
         "02",
         false},             /* constructed OCTET STRING */
        {"10020500", false}, /* primitive SEQUENCE */
        {"1100", false},
        {"a003020101", true},
        {"a00402020001", false}, /* looked into context tags */
        {"a0020401", false},     /* content past its end */
    };
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++)
        assert_int_equal(chy_der_strict(hex(&b, cases[i].hex)), cases[i].ok);
    chy_buf_free(&b);
}

static void test_strict_bounds_the_depth(void **state)
{
    (void)state;
    for (size_t depth = 32; depth <= 33; depth++) {
        uint8_t nested[80];
        for (size_t i = 0; i < depth; i++) {
            nested[2 * i] = CHY_DER_SEQUENCE;
            nested[2 * i + 1] = (uint8_t)(2 * (depth - 1 - i));
        }
        assert_int_equal(chy_der_strict(chy_span_of(nested, 2 * depth)), depth == 32);
    }
}

static void test_open_close_patches_lengths(void **state)
{
    static const size_t lengths[] = {0, 127, 128, 255, 256, 65535, 65536};
    (void)state;
    static uint8_t zeros[65536];
    struct chy_buf b;
    chy_buf_init(&b, 100000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(lengths); i++) {
        struct chy_der d, in;
        struct chy_span v;
        chy_buf_reset(&b);
        size_t outer = chy_der_open(&b, CHY_DER_SEQUENCE);
        size_t inner = chy_der_open(&b, CHY_DER_OCTET_STRING);
        chy_buf_add(&b, zeros, lengths[i]);
        chy_der_close(&b, inner);
        chy_der_add(&b, CHY_DER_UTF8, chy_span_of(zeros, 3));
        chy_der_close(&b, outer);
        assert_false(b.failed);
        d = chy_der_of(chy_buf_span(&b));
        assert_true(chy_der_enter(&d, CHY_DER_SEQUENCE, &in) && chy_der_empty(&d));
        assert_true(chy_der_expect(&in, CHY_DER_OCTET_STRING, &v) && v.n == lengths[i]);
        assert_true(chy_der_expect(&in, CHY_DER_UTF8, &v) && v.n == 3 && chy_der_empty(&in));
        size_t content = chy_der_header_len(lengths[i]) + lengths[i] + 5;
        assert_int_equal(b.n, chy_der_header_len(content) + content);
    }
    chy_buf_free(&b);
}

static void test_close_over_the_limit_fails_the_buffer(void **state)
{
    (void)state;
    struct chy_buf b;
    uint8_t zeros[128] = {0};
    chy_buf_init(&b, 130);
    size_t mark = chy_der_open(&b, CHY_DER_SEQUENCE);
    chy_buf_add(&b, zeros, sizeof(zeros));
    assert_false(b.failed);
    chy_der_close(&b, mark);
    assert_true(b.failed);
    chy_buf_free(&b);
}

static void test_writer_writes_primitives(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    chy_der_add_uint(&b, CHY_SPAN_STR(""));
    chy_der_add_uint(&b, CHY_SPAN_STR("\x00\x00\x05"));
    chy_der_add_uint(&b, CHY_SPAN_STR("\x80"));
    chy_der_add_bool(&b, true);
    chy_der_add_bool(&b, false);
    chy_der_add_null(&b);
    chy_der_add_bits(&b, CHY_SPAN_STR("\xa0"), 5);
    chy_der_add(&b, CHY_DER_CTX(2), CHY_SPAN_STR("x"));
    expect_hex(&b, "020100"
                   "020105"
                   "02020080"
                   "0101ff"
                   "010100"
                   "0500"
                   "030205a0"
                   "820178");
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_refuses_what_is_not_der),
        cmocka_unit_test(test_read_walks_values),
        cmocka_unit_test(test_bool_is_00_or_ff),
        cmocka_unit_test(test_int_is_minimal_and_fits),
        cmocka_unit_test(test_time_reads_rfc5280_forms_only),
        cmocka_unit_test(test_time_written_changes_form_in_2050),
        cmocka_unit_test(test_generalized_time_whatever_the_year),
        cmocka_unit_test(test_headers_of_content_that_is_elsewhere),
        cmocka_unit_test(test_bits_unused_are_zero),
        cmocka_unit_test(test_strict_looks_inside),
        cmocka_unit_test(test_strict_bounds_the_depth),
        cmocka_unit_test(test_open_close_patches_lengths),
        cmocka_unit_test(test_close_over_the_limit_fails_the_buffer),
        cmocka_unit_test(test_writer_writes_primitives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
