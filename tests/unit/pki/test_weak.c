/* Weak keys made by construction, each refused for its own reason; good ones pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "pki/spki.h"

struct rsa_key {
    uint8_t n[1025], e[64];
    struct chy_spki spki;
};

static const struct chy_spki *of_numbers(struct rsa_key *k, const BIGNUM *n, const char *e_hex)
{
    BIGNUM *e = NULL;
    assert_true(BN_hex2bn(&e, e_hex) > 0);
    int n_len = BN_bn2bin(n, k->n), e_len = BN_bn2bin(e, k->e);
    k->spki = (struct chy_spki){.kind = CHY_KEY_RSA, .size = BN_num_bits(n), .name = "rsa"};
    k->spki.rsa_n = chy_span_of(k->n, (size_t)n_len);
    k->spki.rsa_e = chy_span_of(k->e, (size_t)e_len);
    k->spki.bits = k->spki.rsa_n;
    BN_free(e);
    return &k->spki;
}

static void expect(const BIGNUM *n, const char *e_hex, const char *text)
{
    struct chy_err err = {0};
    struct rsa_key k;
    chy_hresult hr = chy_spki_check_strength(of_numbers(&k, n, e_hex), &err);
    assert_int_equal(ERR_peek_error(), 0);
    if (!text) {
        assert_int_equal(hr, CHY_S_OK);
        return;
    }
    assert_int_equal(hr, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
    if (!strstr(err.text, text)) fail_msg("\"%s\" lacks \"%s\"", err.text, text);
}

/* A modulus as good keys have it. */
static BIGNUM *good_modulus(unsigned bits)
{
    BIGNUM *n = NULL;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &n), 1);
    EVP_PKEY_free(key);
    return n;
}

static void test_good_keys_pass(void **state)
{
    (void)state;
    for (unsigned bits = 2048; bits <= 3072; bits += 512) {
        BIGNUM *n = good_modulus(bits);
        expect(n, "010001", NULL);
        BN_free(n);
    }
}

static void test_size_and_exponent_limits(void **state)
{
    (void)state;
    BIGNUM *n = good_modulus(2048), *small = good_modulus(1024);
    expect(small, "010001", "2048 to 8192 bits");
    BN_lshift(small, n, 1);
    BN_add_word(small, 1);
    expect(small, "010001", "multiple of 8");
    expect(n, "03", "65537 or more (BR 6.1.6): 3");
    expect(n, "FFFF", "65537 or more (BR 6.1.6): 65535");
    expect(n, "010000", "even");
    expect(n, "010003", NULL);
    expect(n, "01000001", NULL);
    expect(n, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", NULL);
    expect(n, "010000000000000000000000000000000000000000000000000000000000000001", "below 2^256");
    BN_add_word(n, 1);
    expect(n, "010001", "modulus is even");
    BN_free(n);
    BN_free(small);
}

static void test_each_small_prime_is_found(void **state)
{
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *good = good_modulus(2048), *n = BN_new();
    unsigned found = 0;
    for (unsigned p = 3; p <= 757; p += 2) {
        char text[32];
        bool prime = true;
        for (unsigned q = 3; q * q <= p; q += 2)
            prime = prime && p % q != 0;
        if (!prime) continue;
        /* The next multiple of p whose quotient is odd. */
        BN_copy(n, good);
        BN_sub_word(n, BN_mod_word(n, p));
        if (!BN_is_odd(n)) BN_add_word(n, p);
        if (BN_num_bits(n) != 2048) continue;
        struct rsa_key k;
        struct chy_err err = {0};
        chy_hresult hr = chy_spki_check_strength(of_numbers(&k, n, "010001"), &err);
        if (p > 752) continue;
        assert_int_equal(hr, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
        /* A smaller factor may have come with it. */
        unsigned named = 0;
        const char *at = strstr(err.text, "752 (BR 6.1.6): ");
        assert_non_null(at);
        assert_int_equal(sscanf(at + 16, "%u", &named), 1);
        snprintf(text, sizeof(text), "%u", named);
        assert_true(named <= p && BN_mod_word(n, named) == 0);
        found++;
    }
    assert_int_equal(found, 132);
    BN_free(good);
    BN_free(n);
    BN_CTX_free(ctx);
}

/* The product of the first 126 primes, as the flawed library used for 2048-bit moduli. */
static BIGNUM *roca_primorial(void)
{
    BIGNUM *m = BN_new();
    BN_one(m);
    for (unsigned p = 2, count = 0; count < 126; p++) {
        bool prime = true;
        for (unsigned q = 2; q * q <= p; q++)
            prime = prime && p % q != 0;
        if (!prime) continue;
        BN_mul_word(m, p);
        count++;
    }
    return m;
}

/* k * M + 65537^a mod M: not prime here, which the fingerprint does not ask. */
static BIGNUM *roca_factor(const BIGNUM *m, BN_CTX *ctx)
{
    BIGNUM *k = BN_new(), *a = BN_new(), *g = BN_new(), *p = BN_new();
    BN_rand(a, 64, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_set_word(g, 65537);
    BN_mod_exp(g, g, a, m, ctx);
    do { /* until the product of two has 2048 bits */
        BN_rand(k, 1025 - BN_num_bits(m), BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
        BN_mul(p, k, m, ctx);
        BN_add(p, p, g);
    } while (BN_num_bits(p) != 1024 || !BN_is_bit_set(p, 1022));
    BN_free(k);
    BN_free(a);
    BN_free(g);
    return p;
}

static void test_roca_is_found(void **state)
{
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *m = roca_primorial(), *n = BN_new();
    unsigned found = 0;
    for (int i = 0; i < 40; i++) {
        BIGNUM *p = roca_factor(m, ctx), *q = roca_factor(m, ctx);
        BN_mul(n, p, q, ctx);
        struct rsa_key k;
        struct chy_err err = {0};
        /* The primes from 709 on are not in M and may divide. */
        chy_hresult hr = chy_spki_check_strength(of_numbers(&k, n, "010001"), &err);
        assert_int_equal(hr, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
        if (strstr(err.text, "ROCA")) found++;
        BN_free(p);
        BN_free(q);
    }
    assert_true(found > 30);
    BN_free(m);
    BN_free(n);
    BN_CTX_free(ctx);
}

static void test_next_prime_is_found(void **state)
{
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = BN_new(), *q = BN_new(), *n = BN_new();
    assert_int_equal(BN_rand(p, 1024, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD), 1);
    while (BN_check_prime(p, ctx, NULL) != 1)
        BN_add_word(p, 2);
    BN_copy(q, p);
    BN_mul(n, p, p, ctx);
    expect(n, "010001", "Fermat");
    do
        BN_add_word(q, 2);
    while (BN_check_prime(q, ctx, NULL) != 1);
    BN_mul(n, p, q, ctx);
    expect(n, "010001", "Fermat");
    BN_free(p);
    BN_free(q);
    BN_free(n);
    BN_CTX_free(ctx);
}

/* n = (a - b)(a + b) with b chosen so that Fermat's method needs about `rounds` rounds; -1 when the
 * factors drawn have a small prime in them. */
static int fermat_finds(unsigned rounds, BN_CTX *ctx)
{
    BIGNUM *a = BN_new(), *b = BN_new(), *n = BN_new(), *t = BN_new();
    struct rsa_key k;
    struct chy_err err = {0};
    BN_rand(a, 1024, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY);
    /* b^2 = 2 a rounds: sqrt(n) is then about `rounds` below a. Newton's steps are enough here. */
    BN_mul_word(BN_copy(t, a), 2 * rounds);
    BN_one(b);
    BN_lshift(b, b, BN_num_bits(t) / 2);
    for (int i = 0; i < 20; i++) {
        BN_div(n, NULL, t, b, ctx);
        BN_add(b, b, n);
        BN_rshift1(b, b);
    }
    if (BN_is_odd(a) == BN_is_odd(b)) BN_sub_word(b, 1);
    BN_sqr(n, a, ctx);
    BN_sqr(t, b, ctx);
    BN_sub(n, n, t);
    int result = 0;
    if (CHY_FAILED(chy_spki_check_strength(of_numbers(&k, n, "010001"), &err)))
        result = strstr(err.text, "Fermat") ? 1 : -1;
    BN_free(a);
    BN_free(b);
    BN_free(n);
    BN_free(t);
    return result;
}

static void test_fermat_runs_100_rounds(void **state)
{
    static const struct {
        unsigned rounds;
        int found;
    } cases[] = {{1, 1}, {7, 1}, {50, 1}, {98, 1}, {103, 0}, {1000, 0}};
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        for (unsigned tries = 0, seen = 0; seen < 3; tries++) {
            assert_true(tries < 2000);
            int found = fermat_finds(cases[i].rounds, ctx);
            if (found < 0) continue;
            assert_int_equal(found, cases[i].found);
            seen++;
        }
    }
    BN_CTX_free(ctx);
}

static void test_zero_and_small_order_points(void **state)
{
    static const uint8_t zero[64] = {0};
    (void)state;
    uint8_t point[32] = {1};
    struct chy_err err = {0};
    struct chy_spki k = {.kind = CHY_KEY_EC, .size = 256, .bits = CHY_SPAN(zero)};
    assert_int_equal(chy_spki_check_strength(&k, &err), CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
    assert_non_null(strstr(err.text, "zero"));
    chy_err_clear(&err);
    k.kind = CHY_KEY_ED25519;
    k.bits = CHY_SPAN(point);
    assert_int_equal(chy_spki_check_strength(&k, &err), CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
    assert_non_null(strstr(err.text, "small order"));
    point[31] = 0x80; /* the sign of x */
    assert_int_equal(chy_spki_check_strength(&k, NULL), CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
    point[0] = 2;
    assert_int_equal(chy_spki_check_strength(&k, NULL), CHY_S_OK);
    k.kind = CHY_KEY_UNKNOWN;
    assert_int_equal(chy_spki_check_strength(&k, NULL), CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_keys_pass),
        cmocka_unit_test(test_size_and_exponent_limits),
        cmocka_unit_test(test_each_small_prime_is_found),
        cmocka_unit_test(test_roca_is_found),
        cmocka_unit_test(test_next_prime_is_found),
        cmocka_unit_test(test_fermat_runs_100_rounds),
        cmocka_unit_test(test_zero_and_small_order_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
