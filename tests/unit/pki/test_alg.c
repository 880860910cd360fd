/* Algorithms by name and by AlgorithmIdentifier: the table, the defaults, and each refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "pki/alg.h"

static EVP_PKEY *make(const char *name)
{
    struct chy_err err = {0};
    struct chy_key_alg storage;
    EVP_PKEY *key = NULL;
    const struct chy_key_alg *alg = chy_key_alg_by_name(name, &storage, &err);
    assert_non_null(alg);
    assert_int_equal(chy_key_alg_generate(alg, &key, &err), CHY_S_OK);
    return key;
}

static void test_key_algorithms_make_their_keys(void **state)
{
    static const struct {
        const char *name, *default_sig;
        int bits;
    } cases[] = {{"p256", "ecdsa-sha256", 256}, {"p384", "ecdsa-sha384", 384},
                 {"p521", "ecdsa-sha512", 521}, {"ed25519", "ed25519", 253},
                 {"ed448", "ed448", 448},       {"rsa2048", "rsa-sha256", 2048}};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_err err = {0};
        EVP_PKEY *key = make(cases[i].name);
        if (i < 3 || i == 5) assert_int_equal(EVP_PKEY_get_bits(key), cases[i].bits);
        const struct chy_sig_alg *alg = chy_sig_alg_for_key(key, NULL, &err);
        assert_non_null(alg);
        assert_string_equal(alg->name, cases[i].default_sig);
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(key);
    }
}

static void expect_no_key_alg(const char *name, const char *text)
{
    struct chy_err err = {0};
    struct chy_key_alg storage;
    assert_null(chy_key_alg_by_name(name, &storage, &err));
    assert_true(CHY_FAILED(err.code));
    assert_non_null(strstr(err.text, text));
}

static void test_key_algorithm_names(void **state)
{
    (void)state;
    struct chy_key_alg storage;
    assert_int_equal(chy_key_alg_by_name("rsa3072", &storage, NULL)->bits, 3072);
    assert_string_equal(storage.name, "rsa3072");
    assert_int_equal(chy_key_alg_by_name("rsa2056", &storage, NULL)->bits, 2056);
    assert_string_equal(storage.name, "rsa");
    expect_no_key_alg("rsa1024", "2048 to 8192");
    expect_no_key_alg("rsa2047", "2048 to 8192");
    expect_no_key_alg("rsa2049", "multiple of 8");
    expect_no_key_alg("rsa16384", "2048 to 8192");
    expect_no_key_alg("rsa99999999999999", "not known");
    expect_no_key_alg("rsa02048", "not known");
    expect_no_key_alg("rsa2048x", "not known");
    expect_no_key_alg("rsa", "not known");
    expect_no_key_alg("P256", "not known");
    expect_no_key_alg("", "not known");
    expect_no_key_alg(NULL, "not known");
}

static void test_mldsa_is_probed(void **state)
{
    (void)state;
    struct chy_err err = {0};
    struct chy_key_alg storage;
    const struct chy_key_alg *alg = chy_key_alg_by_name("mldsa65", &storage, &err);
    EVP_SIGNATURE *offered = EVP_SIGNATURE_fetch(NULL, "ML-DSA-65", NULL);
    ERR_clear_error();
    if (offered) {
        assert_non_null(alg);
    } else {
        assert_null(alg);
        assert_non_null(strstr(err.text, "needs OpenSSL 3.5"));
    }
    assert_int_equal(ERR_peek_error(), 0);
    EVP_SIGNATURE_free(offered);
}

static void test_named_signature_must_fit_the_key(void **state)
{
    (void)state;
    struct chy_err err = {0};
    EVP_PKEY *ec = make("p256"), *rsa = make("rsa2048");
    assert_string_equal(chy_sig_alg_for_key(ec, "ecdsa-sha512", &err)->digest, "SHA512");
    assert_true(chy_sig_alg_for_key(rsa, "rsa-pss-sha384", &err)->pss);
    assert_null(chy_sig_alg_for_key(ec, "rsa-sha256", &err));
    assert_non_null(strstr(err.text, "cannot make it"));
    chy_err_clear(&err);
    assert_null(chy_sig_alg_for_key(rsa, "mldsa65", &err));
    assert_non_null(strstr(err.text, "cannot make it"));
    chy_err_clear(&err);
    assert_null(chy_sig_alg_for_key(rsa, "rsa-sha1", &err));
    assert_non_null(strstr(err.text, "not known"));
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

static void test_a_key_that_cannot_sign_is_refused(void **state)
{
    (void)state;
    struct chy_err err = {0};
    EVP_PKEY *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    assert_null(chy_sig_alg_for_key(x, NULL, &err));
    assert_non_null(strstr(err.text, "X25519"));
    EVP_PKEY_free(x);
}

static const struct chy_sig_alg *by_hex(const char *hex)
{
    struct chy_buf b;
    chy_buf_init(&b, 200);
    assert_true(chy_hex_decode(&b, chy_span_cstr(hex)));
    const struct chy_sig_alg *alg = chy_sig_alg_by_der(chy_buf_span(&b));
    chy_buf_free(&b);
    return alg;
}

#define SHA256_NULL "300d06096086480165030402010500"
#define SHA384_NULL "300d06096086480165030402020500"
#define SHA256_BARE "300b0609608648016503040201"
#define MGF1(len, hash) "30" len "06092a864886f70d010108" hash
#define PSS(len, plen, rest) "30" len "06092a864886f70d01010a30" plen rest

static void test_by_der_knows_each_row(void **state)
{
    static const struct {
        const char *hex, *name;
    } cases[] = {
        {"300a06082a8648ce3d040302", "ecdsa-sha256"},
        {"300a06082a8648ce3d040303", "ecdsa-sha384"},
        {"300a06082a8648ce3d040304", "ecdsa-sha512"},
        {"300d06092a864886f70d01010b0500", "rsa-sha256"},
        {"300d06092a864886f70d01010c0500", "rsa-sha384"},
        {"300d06092a864886f70d01010d0500", "rsa-sha512"},
        {"300b06092a864886f70d01010b", "rsa-sha256"}, /* absent: RFC 4055 5 */
        {"300506032b6570", "ed25519"},
        {"300506032b6571", "ed448"},
        {"300b0609608648016503040311", "mldsa44"},
        {"300b0609608648016503040312", "mldsa65"},
        {"300b0609608648016503040313", "mldsa87"},
        {PSS("41", "34", "a00f" SHA256_NULL "a11c" MGF1("1a", SHA256_NULL) "a203020120"),
         "rsa-pss-sha256"},
        {PSS("3d", "30", "a00d" SHA256_BARE "a11a" MGF1("18", SHA256_BARE) "a203020120"),
         "rsa-pss-sha256"},
        {PSS("41", "34", "a00f" SHA384_NULL "a11c" MGF1("1a", SHA384_NULL) "a203020130"),
         "rsa-pss-sha384"},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        const struct chy_sig_alg *alg = by_hex(cases[i].hex);
        if (!alg) fail_msg("not known: %s", cases[i].name);
        assert_string_equal(alg->name, cases[i].name);
    }
}

static void test_by_der_refuses(void **state)
{
    static const char *const bad[] = {
        "300c06082a8648ce3d0403020500",     /* ECDSA with NULL: RFC 5758 3.2 */
        "300706032b65700500",               /* Ed25519 with NULL: RFC 8410 3 */
        "300d06092a864886f70d0101050500",   /* SHA-1 */
        "300906072a8648ce3d0401",           /* ECDSA with SHA-1 */
        "300e06092a864886f70d01010b050100", /* NULL with content */
        "300a06082a8648ce3d04030200",       /* octet after it */
        "300b06092a864886f70d01010a",       /* PSS without parameters: SHA-1 by default */
        "300d06092a864886f70d01010a3000",   /* PSS, all defaults: SHA-1 */
        "",
        "3000",
        /* salt 31 */
        PSS("41", "34", "a00f" SHA256_NULL "a11c" MGF1("1a", SHA256_NULL) "a20302011f"),
        /* MGF1 with another hash */
        PSS("41", "34", "a00f" SHA256_NULL "a11c" MGF1("1a", SHA384_NULL) "a203020120"),
        /* trailer written out though it is the default */
        PSS("46", "39", "a00f" SHA256_NULL "a11c" MGF1("1a", SHA256_NULL) "a203020120a303020101"),
        /* hash left out: SHA-1 */
        PSS("30", "23", "a11c" MGF1("1a", SHA256_NULL) "a203020120"),
        /* salt left out: 20 */
        PSS("3c", "2f", "a00f" SHA256_NULL "a11c" MGF1("1a", SHA256_NULL)),
        /* octets after the parameters */
        PSS("43", "34", "a00f" SHA256_NULL "a11c" MGF1("1a", SHA256_NULL) "a2030201200500"),
        /* SHA-224 */
        PSS("41", "34",
            "a00f300d06096086480165030402040500a11c" MGF1(
                "1a", "300d06096086480165030402040500") "a20302011c"),
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        if (by_hex(bad[i])) fail_msg("accepted %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_algorithms_make_their_keys),
        cmocka_unit_test(test_key_algorithm_names),
        cmocka_unit_test(test_mldsa_is_probed),
        cmocka_unit_test(test_named_signature_must_fit_the_key),
        cmocka_unit_test(test_a_key_that_cannot_sign_is_refused),
        cmocka_unit_test(test_by_der_knows_each_row),
        cmocka_unit_test(test_by_der_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
