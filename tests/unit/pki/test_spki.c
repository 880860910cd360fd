/* Public keys: OpenSSL's encodings are understood, and each other way to write one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "pki/spki.h"

static void test_openssl_keys_are_understood(void **state)
{
    static const struct {
        const char *name;
        enum chy_key_kind kind;
        int size;
    } cases[] = {{"p256", CHY_KEY_EC, 256},         {"p384", CHY_KEY_EC, 384},
                 {"p521", CHY_KEY_EC, 521},         {"rsa2048", CHY_KEY_RSA, 2048},
                 {"ed25519", CHY_KEY_ED25519, 256}, {"ed448", CHY_KEY_ED448, 456}};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_err err = {0};
        struct chy_key_alg storage;
        struct chy_spki k;
        EVP_PKEY *key = NULL;
        unsigned char *der = NULL;
        uint8_t ours[20], theirs[20];
        assert_int_equal(
            chy_key_alg_generate(chy_key_alg_by_name(cases[i].name, &storage, &err), &key, &err),
            CHY_S_OK);
        int n = i2d_PUBKEY(key, &der);
        assert_true(n > 0);
        assert_int_equal(chy_spki_parse(chy_span_of(der, (size_t)n), &k, &err), CHY_S_OK);
        assert_string_equal(k.name, cases[i].name);
        assert_int_equal(k.kind, cases[i].kind);
        assert_int_equal(k.size, cases[i].size);
        assert_int_equal(k.der.n, n);
        assert_int_equal(chy_spki_key_id(&k, ours, &err), CHY_S_OK);
        SHA1(k.bits.p, k.bits.n, theirs);
        assert_memory_equal(ours, theirs, 20);
        assert_int_equal(chy_spki_check_strength(&k, &err), CHY_S_OK);
        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
}

/* SubjectPublicKeyInfo of an algorithm's content and key octets of one value. */
static chy_hresult parse(const char *alg_hex, uint8_t unused, const char *head_hex, size_t fill,
                         struct chy_err *err)
{
    struct chy_buf b;
    struct chy_spki k;
    chy_buf_init(&b, 4096);
    size_t outer = chy_der_open(&b, CHY_DER_SEQUENCE);
    size_t alg = chy_der_open(&b, CHY_DER_SEQUENCE);
    assert_true(chy_hex_decode(&b, chy_span_cstr(alg_hex)));
    chy_der_close(&b, alg);
    size_t bits = chy_der_open(&b, CHY_DER_BIT_STRING);
    chy_buf_add_byte(&b, unused);
    assert_true(chy_hex_decode(&b, chy_span_cstr(head_hex)));
    while (fill--)
        chy_buf_add_byte(&b, 0x10);
    chy_der_close(&b, bits);
    chy_der_close(&b, outer);
    memset(err, 0, sizeof(*err));
    chy_hresult hr = chy_spki_parse(chy_buf_span(&b), &k, err);
    chy_buf_free(&b);
    return hr;
}

#define EC "06072a8648ce3d0201"
#define P256 "06082a8648ce3d030107"
#define RSA "06092a864886f70d010101"
#define PSS "06092a864886f70d01010a"
#define ED25519 "06032b6570"

static const struct {
    const char *alg;
    uint8_t unused;
    const char *head;
    size_t fill;
    const char *text; /* NULL: accepted */
} refusals[] = {
    {EC P256, 0, "04", 64, NULL},
    {EC P256, 0, "02", 32, "compressed"},
    {EC P256, 0, "03", 32, "compressed"},
    {EC P256, 0, "06", 64, "a point on p256"}, /* hybrid */
    {EC P256, 0, "00", 0, "a point on p256"},  /* infinity */
    {EC P256, 0, "", 0, "a point on p256"},
    {EC P256, 0, "04", 63, "a point on p256"},
    {EC P256, 0, "04", 96, "a point on p256"},
    {EC P256, 1, "04", 63, "whole octets"},
    {EC P256 "0500", 0, "04", 64, "one DER value"},
    {EC, 0, "04", 64, "must name a curve"},
    {EC "0500", 0, "04", 64, "must name a curve"}, /* implicit */
    {EC "3000", 0, "04", 64, "must name a curve"}, /* explicit */
    {EC "06052b8104000a", 0, "04", 64, "secp256k1"},
    {EC "06022a80", 0, "04", 64, "one DER value"},
    {RSA "0500", 0,
     "3009020440000001"
     "020103",
     0, NULL},
    {RSA, 0,
     "3009020440000001"
     "020103",
     0, "must be NULL"},
    {RSA "3000", 0,
     "3009020440000001"
     "020103",
     0, "must be NULL"},
    {RSA "0500", 0,
     "3009020480000001"
     "020103",
     0, "positive"}, /* negative */
    {RSA "0500", 0,
     "3006020100"
     "020103",
     0, "positive"}, /* zero */
    {RSA "0500", 0,
     "3009020440000001"
     "020100",
     0, "positive"},
    {RSA "0500", 0,
     "300a02050040000001"
     "020103",
     0, "positive"}, /* not minimal */
    {RSA "0500", 0,
     "300b020440000001"
     "0201030500",
     0, "positive"},
    {RSA "0500", 0,
     "3009020440000001"
     "0201030500",
     0, "one SEQUENCE"},
    {RSA "0500", 0, "0500", 0, "one SEQUENCE"},
    {RSA "0500", 0, "300702010502020101", 0, "no longer than the modulus"},
    {ED25519, 0, "", 32, NULL},
    {ED25519, 0, "", 31, "has 32 octets"},
    {ED25519 "0500", 0, "", 32, "must be absent"},
    {"06032b6571", 0, "", 56, "has 57 octets"},
    {"0609608648016503040312", 0, "", 1952, NULL},
    {"0609608648016503040312", 0, "", 1951, "has 1952 octets"},
    {PSS, 0,
     "3009020440000001"
     "020103",
     0, NULL},
    {PSS "3000", 0,
     "3009020440000001"
     "020103",
     0, "RSASSA-PSS parameters"},
    {"06072a8648ce380401", 0, "", 32, "dsaEncryption"},
    {"06032a0304", 0, "", 32, "1.2.3.4 (no name known) is not supported"},
    {"0500", 0, "", 32, "no object identifier"},
    {"", 0, "", 32, "no object identifier"},
};

static void test_each_refusal(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(refusals); i++) {
        struct chy_err err;
        chy_hresult hr =
            parse(refusals[i].alg, refusals[i].unused, refusals[i].head, refusals[i].fill, &err);
        if (!refusals[i].text) {
            assert_int_equal(hr, CHY_S_OK);
        } else {
            assert_int_equal(hr, err.code);
            assert_true(CHY_FAILED(hr));
            if (!strstr(err.text, refusals[i].text))
                fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, refusals[i].text);
        }
    }
}

static void test_structure_refusals(void **state)
{
    static const struct {
        const char *hex, *text;
    } cases[] = {
        {"", "not one SEQUENCE"},
        {"3000", "algorithm is not a SEQUENCE"},
        {"30020500", "algorithm is not a SEQUENCE"},
        {"300730050603"
         "2b6570",
         "not one BIT STRING"},
        {"30093005"
         "06032b6570"
         "0500",
         "not one BIT STRING"},
        {"300b3005"
         "06032b6570"
         "03020000"
         "00",
         "not one SEQUENCE"},
        {"300d3005"
         "06032b6570"
         "03020000"
         "0500",
         "not one BIT STRING"},
    };
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 200);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_err err = {0};
        struct chy_spki k;
        chy_buf_reset(&b);
        assert_true(chy_hex_decode(&b, chy_span_cstr(cases[i].hex)));
        assert_int_equal(chy_spki_parse(chy_buf_span(&b), &k, &err), CHY_CRYPT_E_ASN1_BADPDU);
        if (!strstr(err.text, cases[i].text)) fail_msg("case %zu: %s", i, err.text);
    }
    chy_buf_free(&b);
}

static void test_modulus_over_8192_bits_is_refused(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_err err;
    uint8_t big[1025];
    char hex[2 * 1100];
    memset(big, 0x55, sizeof(big));
    for (size_t n = 1024; n <= 1025; n++) {
        chy_buf_init(&b, 2000);
        size_t seq = chy_der_open(&b, CHY_DER_SEQUENCE);
        chy_der_add_uint(&b, chy_span_of(big, n));
        chy_der_add_int(&b, 65537);
        chy_der_close(&b, seq);
        chy_hex_cstr(hex, chy_buf_span(&b));
        chy_buf_free(&b);
        chy_hresult hr = parse(RSA "0500", 0, hex, 0, &err);
        assert_int_equal(hr, n == 1024 ? CHY_S_OK : CHY_CERTSRV_E_KEY_LENGTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssl_keys_are_understood),
        cmocka_unit_test(test_each_refusal),
        cmocka_unit_test(test_structure_refusals),
        cmocka_unit_test(test_modulus_over_8192_bits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
