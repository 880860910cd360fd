/* The kept contexts verify what OpenSSL's own signer made, forget nothing between keys, and recover
 * from what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "pki/spki.h"

struct pair {
    EVP_PKEY *key;
    unsigned char *der;
    struct chy_spki spki;
};

static struct pair pair_of(EVP_PKEY *key)
{
    struct pair p = {.key = key};
    struct chy_err err = {0};
    int n = i2d_PUBKEY(key, &p.der);
    assert_true(n > 0);
    assert_int_equal(chy_spki_parse(chy_span_of(p.der, (size_t)n), &p.spki, &err), CHY_S_OK);
    return p;
}

static struct pair make(const char *name)
{
    struct chy_err err = {0};
    struct chy_key_alg storage;
    EVP_PKEY *key = NULL;
    assert_int_equal(chy_key_alg_generate(chy_key_alg_by_name(name, &storage, &err), &key, &err),
                     CHY_S_OK);
    return pair_of(key);
}

static void pair_free(struct pair *p)
{
    OPENSSL_free(p->der);
    EVP_PKEY_free(p->key);
}

/* The general path of OpenSSL: nothing in common with the code under test. */
static size_t sign(EVP_PKEY *key, const struct chy_sig_alg *alg, struct chy_span m, uint8_t *out)
{
    size_t n = 4096;
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, alg->digest, NULL, NULL, key, NULL), 1);
    if (alg->pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, out, &n, m.p, m.n), 1);
    EVP_MD_CTX_free(ctx);
    return n;
}

static const struct chy_span message = {(const uint8_t *)"to be signed", 12};

static void check_one(struct chy_verifier *v, const struct pair *p, const char *alg_name)
{
    struct chy_err err = {0};
    uint8_t sig[4096];
    const struct chy_sig_alg *alg = chy_sig_alg_for_key(p->key, alg_name, &err);
    assert_non_null(alg);
    size_t n = sign(p->key, alg, message, sig);
    struct chy_span s = {sig, n};
    assert_int_equal(chy_verify(v, &p->spki, alg, message, s, &err), CHY_S_OK);
    assert_int_equal(chy_verify(v, &p->spki, alg, CHY_SPAN_STR("to be signee"), s, &err),
                     CHY_NTE_BAD_SIGNATURE);
    assert_non_null(strstr(err.text, alg->name));
    sig[n / 2] ^= 1;
    assert_int_equal(chy_verify(v, &p->spki, alg, message, s, NULL), CHY_NTE_BAD_SIGNATURE);
    sig[n / 2] ^= 1;
    s.n--;
    assert_int_equal(chy_verify(v, &p->spki, alg, message, s, NULL), CHY_NTE_BAD_SIGNATURE);
    s.n = 0;
    assert_int_equal(chy_verify(v, &p->spki, alg, message, s, NULL), CHY_NTE_BAD_SIGNATURE);
    s.n = n;
    assert_int_equal(chy_verify(v, &p->spki, alg, message, s, NULL), CHY_S_OK);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_every_kind_of_key_and_signature(void **state)
{
    static const struct {
        const char *key, *alg[6];
    } cases[] = {{"p256", {"ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"}},
                 {"p384", {"ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"}},
                 {"p521", {"ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"}},
                 {"rsa2048",
                  {"rsa-sha256", "rsa-sha384", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha384",
                   "rsa-pss-sha512"}},
                 {"rsa3072", {"rsa-sha256"}},
                 {"ed25519", {"ed25519"}},
                 {"ed448", {"ed448"}}};
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
            struct pair p = make(cases[i].key);
            for (size_t j = 0; j < 6 && cases[i].alg[j]; j++)
                check_one(v, &p, cases[i].alg[j]);
            pair_free(&p);
        }
    }
    chy_verifier_free(v);
}

static void test_mldsa_where_openssl_has_it(void **state)
{
    (void)state;
    struct chy_key_alg storage;
    struct chy_verifier *v = chy_verifier_new(NULL);
    if (chy_key_alg_by_name("mldsa65", &storage, NULL)) {
        struct pair p = make("mldsa65");
        check_one(v, &p, "mldsa65");
        pair_free(&p);
    } else {
        static const uint8_t zeros[1952] = {0};
        struct chy_err err = {0};
        struct chy_spki k = {.kind = CHY_KEY_MLDSA, .name = "mldsa65", .bits = CHY_SPAN(zeros)};
        const struct chy_sig_alg *alg = chy_sig_alg_by_der(
            CHY_SPAN_STR("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12"));
        assert_true(CHY_FAILED(chy_verify(v, &k, alg, message, message, &err)));
        assert_non_null(strstr(err.text, "needs OpenSSL 3.5"));
    }
    assert_int_equal(ERR_peek_error(), 0);
    chy_verifier_free(v);
}

/* A stale point in the kept key would accept the first key's signature under the second's name. */
static void test_kept_key_forgets_the_last_point(void **state)
{
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    struct pair a = make("p256"), b = make("p256");
    uint8_t sig_a[128], sig_b[128];
    const struct chy_sig_alg *alg = chy_sig_alg_for_key(a.key, NULL, NULL);
    struct chy_span sa = {sig_a, sign(a.key, alg, message, sig_a)};
    struct chy_span sb = {sig_b, sign(b.key, alg, message, sig_b)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chy_verify(v, &a.spki, alg, message, sa, NULL), CHY_S_OK);
        assert_int_equal(chy_verify(v, &b.spki, alg, message, sa, NULL), CHY_NTE_BAD_SIGNATURE);
        assert_int_equal(chy_verify(v, &b.spki, alg, message, sb, NULL), CHY_S_OK);
        assert_int_equal(chy_verify(v, &a.spki, alg, message, sb, NULL), CHY_NTE_BAD_SIGNATURE);
    }
    pair_free(&a);
    pair_free(&b);
    chy_verifier_free(v);
}

static void test_point_off_the_curve_is_refused_and_harms_nobody(void **state)
{
    static const char *const curves[] = {"p256", "p384", "p521"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(curves); i++) {
        struct chy_verifier *v = chy_verifier_new(NULL);
        struct chy_err err = {0};
        struct pair a = make(curves[i]), off = make(curves[i]);
        off.der[off.spki.bits.p - off.der + (ptrdiff_t)off.spki.bits.n - 1] ^= 1;
        uint8_t sig[256];
        const struct chy_sig_alg *alg = chy_sig_alg_for_key(a.key, NULL, NULL);
        struct chy_span s = {sig, sign(a.key, alg, message, sig)};
        for (int round = 0; round < 2; round++) {
            chy_err_clear(&err);
            assert_int_equal(chy_verify(v, &off.spki, alg, message, s, &err), CHY_E_INVALIDARG);
            assert_non_null(strstr(err.text, "not on curve"));
            assert_int_equal(ERR_peek_error(), 0);
            assert_int_equal(chy_verify(v, &a.spki, alg, message, s, NULL), CHY_S_OK);
        }
        pair_free(&a);
        pair_free(&off);
        chy_verifier_free(v);
    }
}

static void test_algorithm_of_another_key_is_refused(void **state)
{
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    struct chy_err err = {0};
    struct pair ec = make("p256"), rsa = make("rsa2048");
    const struct chy_sig_alg *alg = chy_sig_alg_for_key(rsa.key, NULL, NULL);
    assert_int_equal(chy_verify(v, &ec.spki, alg, message, message, &err), CHY_NTE_BAD_SIGNATURE);
    assert_non_null(strstr(err.text, "does not make it"));
    pair_free(&ec);
    pair_free(&rsa);
    chy_verifier_free(v);
}

static EVP_PKEY *rsa_pss_key(const EVP_MD *md)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
    if (md) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, md), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(ctx, md), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, EVP_MD_get_size(md)), 1);
    }
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void test_rsa_pss_keys_make_what_their_parameters_say(void **state)
{
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    struct pair open = pair_of(rsa_pss_key(NULL)), bound = pair_of(rsa_pss_key(EVP_sha384()));
    assert_int_equal(open.spki.kind, CHY_KEY_RSA_PSS);
    check_one(v, &open, "rsa-pss-sha256");
    check_one(v, &open, "rsa-pss-sha512");
    check_one(v, &bound, "rsa-pss-sha384");
    const struct chy_sig_alg *other = chy_sig_alg_for_key(open.key, "rsa-pss-sha256", NULL);
    assert_int_equal(chy_verify(v, &bound.spki, other, message, message, NULL),
                     CHY_NTE_BAD_SIGNATURE);
    assert_null(chy_sig_alg_for_key(open.key, "rsa-sha256", NULL));
    pair_free(&open);
    pair_free(&bound);
    chy_verifier_free(v);
}

static void test_digests(void **state)
{
    static const uint8_t sha1[] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                   0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const uint8_t sha256_head[] = {0xba, 0x78, 0x16, 0xbf};
    (void)state;
    uint8_t out[32];
    struct chy_verifier *v = chy_verifier_new(NULL);
    assert_int_equal(chy_verifier_sha1(v, CHY_SPAN_STR("abc"), out, NULL), CHY_S_OK);
    assert_memory_equal(out, sha1, 20);
    assert_int_equal(chy_verifier_sha256(v, CHY_SPAN_STR("abc"), out, NULL), CHY_S_OK);
    assert_memory_equal(out, sha256_head, 4);
    chy_verifier_free(v);
    chy_verifier_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_key_and_signature),
        cmocka_unit_test(test_mldsa_where_openssl_has_it),
        cmocka_unit_test(test_kept_key_forgets_the_last_point),
        cmocka_unit_test(test_point_off_the_curve_is_refused_and_harms_nobody),
        cmocka_unit_test(test_algorithm_of_another_key_is_refused),
        cmocka_unit_test(test_rsa_pss_keys_make_what_their_parameters_say),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
