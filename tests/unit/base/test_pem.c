/* PEM blocks: labels, where a line may begin, several blocks, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "base/text.h"

static const char *const both[] = {"CERTIFICATE", "X509 CRL", NULL};

#define BLOCK(label, body) "-----BEGIN " label "-----\n" body "\n-----END " label "-----\n"

static void test_written_form_is_openssls(void **state)
{
    (void)state;
    for (long n = 1; n < 200; n += 7) {
        uint8_t octets[200];
        struct chy_buf b;
        char *theirs;
        for (long i = 0; i < n; i++)
            octets[i] = (uint8_t)(i * 37 + n);
        BIO *bio = BIO_new(BIO_s_mem());
        assert_non_null(bio);
        assert_true(PEM_write_bio(bio, "X509 CRL", "", octets, n) > 0);
        long len = BIO_get_mem_data(bio, &theirs);
        chy_buf_init(&b, 1000);
        chy_pem_add(&b, "X509 CRL", chy_span_of(octets, (size_t)n));
        assert_true(chy_span_eq(chy_buf_span(&b), chy_span_of(theirs, (size_t)len)));
        struct chy_buf back;
        size_t pos = 0;
        chy_buf_init(&back, 1000);
        assert_int_equal(chy_pem_next(chy_buf_span(&b), both, &pos, &back, NULL), CHY_S_OK);
        assert_true(chy_span_eq(chy_buf_span(&back), chy_span_of(octets, (size_t)n)));
        chy_buf_free(&back);
        chy_buf_free(&b);
        BIO_free(bio);
    }
}

static void test_blocks_come_one_after_the_other(void **state)
{
    static const char text[] =
        "an explanatory text\n" BLOCK("CERTIFICATE", "Zm9v") "\nbetween\n" BLOCK(
            "PRIVATE KEY", "c2VjcmV0") BLOCK("X509 CRL", "YmFy") "behind";
    (void)state;
    struct chy_buf b;
    size_t pos = 0;
    chy_buf_init(&b, 100);
    assert_int_equal(chy_pem_next(CHY_SPAN_STR(text), both, &pos, &b, NULL), CHY_S_OK);
    assert_string_equal(chy_buf_cstr(&b), "foo");
    assert_memory_equal(text + pos, "\n\nbetween", 9);
    assert_int_equal(chy_pem_next(CHY_SPAN_STR(text), both, &pos, &b, NULL), CHY_S_OK);
    assert_string_equal(chy_buf_cstr(&b), "foobar");
    assert_string_equal(text + pos, "\nbehind");
    assert_int_equal(chy_pem_next(CHY_SPAN_STR(text), both, &pos, &b, NULL), CHY_S_FALSE);
    assert_string_equal(chy_buf_cstr(&b), "foobar");
    chy_buf_free(&b);
}

static chy_hresult first_of(const char *text, struct chy_buf *b, struct chy_err *err)
{
    size_t pos = 0;
    chy_err_clear(err);
    chy_buf_reset(b);
    return chy_pem_next(chy_span_cstr(text), both, &pos, b, err);
}

static void test_line_ends_of_all_systems(void **state)
{
    static const char *const texts[] = {
        "-----BEGIN X509 CRL-----\r\nYm\r\nFy\r\n-----END X509 CRL-----\r\n",
        "-----BEGIN X509 CRL-----\rYmFy\r-----END X509 CRL-----\r",
        "-----BEGIN X509 CRL-----\nYmFy\n-----END X509 CRL-----",
        "a\r-----BEGIN X509 CRL-----\n  YmFy  \n\n-----END X509 CRL-----",
        "a\n-----BEGIN X509 CRL-----\n\tYm\n\tFy\n-----END X509 CRL-----",
    };
    (void)state;
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 100);
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        assert_int_equal(first_of(texts[i], &b, &err), CHY_S_OK);
        assert_string_equal(chy_buf_cstr(&b), "bar");
    }
    chy_buf_free(&b);
}

static void test_what_is_no_block_is_passed_over(void **state)
{
    static const char *const texts[] = {
        "",
        "no block at all",
        "-----BEGIN ",
        "-----BEGIN CERTIFICATE",
        "-----BEGIN CERTIFICATE----",
        BLOCK("certificate", "Zm9v"),
        BLOCK("CERTIFICATE REQUEST", "Zm9v"),
        BLOCK("TRUSTED CERTIFICATE", "Zm9v"),
        BLOCK("CERTIFICATE ", "Zm9v"),
        BLOCK("", "Zm9v"),
        "-----BEGIN  CERTIFICATE-----\nZm9v\n-----END  CERTIFICATE-----\n",
        "-----BEGINCERTIFICATE-----\nZm9v\n-----ENDCERTIFICATE-----\n",
        "----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n",
        " " BLOCK("CERTIFICATE", "Zm9v"),
        "x" BLOCK("CERTIFICATE", "Zm9v"),
        "-" BLOCK("CERTIFICATE", "Zm9v"),
        "-----END CERTIFICATE-----\n",
        BLOCK("A LABEL OF MORE THAN SIXTY-FOUR CHARACTERS IS NONE THAT ANYBODY WANTED", "Zm9v"),
    };
    (void)state;
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 100);
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        if (first_of(texts[i], &b, &err) != CHY_S_FALSE) fail_msg("taken: \"%s\"", texts[i]);
        assert_int_equal(b.n, 0);
        assert_int_equal(err.code, CHY_S_OK);
    }
    size_t pos = 0;
    assert_int_equal(chy_pem_next((struct chy_span){NULL, 0}, both, &pos, &b, &err), CHY_S_FALSE);
    pos = 10;
    assert_int_equal(chy_pem_next(CHY_SPAN_STR("short"), both, &pos, &b, &err), CHY_S_FALSE);
    chy_buf_free(&b);
}

/* A label has 64 characters at most, even where a longer one is asked for. */
static void test_the_longest_label(void **state)
{
    (void)state;
    struct chy_buf b, text;
    char label[101];
    const char *const wanted[] = {label, NULL};
    chy_buf_init(&b, 100);
    chy_buf_init(&text, 1000);
    for (size_t n = 60; n <= 100; n++) {
        size_t pos = 0;
        memset(label, 'L', n);
        label[n] = 0;
        chy_buf_reset(&b);
        chy_buf_reset(&text);
        chy_pem_add(&text, label, CHY_SPAN_STR("foo"));
        chy_hresult hr = chy_pem_next(chy_buf_span(&text), wanted, &pos, &b, NULL);
        assert_int_equal(hr, n <= 64 ? CHY_S_OK : CHY_S_FALSE);
        assert_int_equal(b.n, n <= 64 ? 3 : 0);
    }
    chy_buf_free(&b);
    chy_buf_free(&text);
}

static void test_refusals_say_why(void **state)
{
    static const struct {
        const char *text;
        chy_hresult code;
        const char *why;
    } cases[] = {
        {"-----BEGIN CERTIFICATE-----\nZm9v\n", CHY_CRYPT_E_ASN1_EOD,
         "PEM: no -----END CERTIFICATE----- line"},
        {"-----BEGIN CERTIFICATE-----\nZm9v\n-----END X509 CRL-----\n", CHY_CRYPT_E_ASN1_EOD,
         "PEM: no -----END CERTIFICATE----- line"},
        {"-----BEGIN X509 CRL-----", CHY_CRYPT_E_ASN1_EOD, "PEM: no -----END X509 CRL----- line"},
        {BLOCK("CERTIFICATE", "Zm9v!"), CHY_CRYPT_E_ASN1_CORRUPT, "PEM CERTIFICATE: not base64"},
        {BLOCK("X509 CRL", "Zm9"), CHY_CRYPT_E_ASN1_CORRUPT, "PEM X509 CRL: not base64"},
        {BLOCK("CERTIFICATE", "Proc-Type: 4,ENCRYPTED\n\nZm9v"), CHY_CRYPT_E_ASN1_CORRUPT,
         "PEM CERTIFICATE: not base64"},
        {"-----BEGIN CERTIFICATE-----\n" BLOCK("CERTIFICATE", "Zm9v"), CHY_CRYPT_E_ASN1_CORRUPT,
         "PEM CERTIFICATE: not base64"},
        {BLOCK("CERTIFICATE", "AAAAAAAAAAAAAAAAAAAA"), CHY_CERTSRV_E_ENCODING_LENGTH,
         "PEM: longer than 12 octets"},
    };
    (void)state;
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 12);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        assert_int_equal(first_of(cases[i].text, &b, &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.text, cases[i].why);
        assert_int_equal(b.n, 0);
    }
    chy_buf_free(&b);
}

/* After a refusal the search goes on behind the block's label, and so comes to an end. */
static void test_a_refused_block_can_be_passed(void **state)
{
    static const char text[] = BLOCK("CERTIFICATE", "!") BLOCK("CERTIFICATE", "Zm9v");
    (void)state;
    struct chy_buf b;
    size_t pos = 0;
    chy_buf_init(&b, 100);
    assert_int_equal(chy_pem_next(CHY_SPAN_STR(text), both, &pos, &b, NULL),
                     CHY_CRYPT_E_ASN1_CORRUPT);
    assert_int_equal(chy_pem_next(CHY_SPAN_STR(text), both, &pos, &b, NULL), CHY_S_OK);
    assert_string_equal(chy_buf_cstr(&b), "foo");
    assert_int_equal(chy_pem_next(CHY_SPAN_STR(text), both, &pos, &b, NULL), CHY_S_FALSE);
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_form_is_openssls),
        cmocka_unit_test(test_blocks_come_one_after_the_other),
        cmocka_unit_test(test_line_ends_of_all_systems),
        cmocka_unit_test(test_what_is_no_block_is_passed_over),
        cmocka_unit_test(test_the_longest_label),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_a_refused_block_can_be_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
