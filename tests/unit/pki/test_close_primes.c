/* Fermat's method beside the same in OpenSSL's numbers, for moduli of every length of limb,
 * squares, and such as give up their factors in a chosen round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/bn.h>

#include "pki/alg.h"
#include "pki/close_primes.h"

enum { MAX_LIMBS = CHY_RSA_MAX_BITS / 32 };

static bool finds(const BIGNUM *n)
{
    uint8_t octets[4 * MAX_LIMBS];
    uint32_t limb[MAX_LIMBS];
    size_t limbs = (size_t)(BN_num_bits(n) + 31) / 32;
    assert_true(limbs <= MAX_LIMBS);
    assert_true(BN_bn2lebinpad(n, octets, (int)(4 * limbs)) > 0);
    for (size_t i = 0; i < limbs; i++) {
        const uint8_t *p = octets + 4 * i;
        limb[i] = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    }
    return chy_close_primes(limb, limbs);
}

/* root = floor(sqrt(v)), a bit at a time. */
static void root_of(BIGNUM *root, const BIGNUM *v, BN_CTX *ctx)
{
    BIGNUM *square = BN_new();
    BN_zero(root);
    for (int bit = (BN_num_bits(v) + 1) / 2 - 1; bit >= 0; bit--) {
        BN_set_bit(root, bit);
        BN_sqr(square, root, ctx);
        if (BN_cmp(square, v) > 0) BN_clear_bit(root, bit);
    }
    BN_free(square);
}

/* The first round whose difference is a square, or `rounds`. */
static unsigned first_round(const BIGNUM *n, unsigned rounds, BN_CTX *ctx)
{
    BIGNUM *a = BN_new(), *d = BN_new(), *root = BN_new();
    unsigned k = 0;
    root_of(a, n, ctx);
    for (; k < rounds; k++, BN_add_word(a, 1)) {
        BN_sqr(d, a, ctx);
        BN_sub(d, d, n);
        if (BN_is_negative(d)) continue;
        root_of(root, d, ctx);
        BN_sqr(root, root, ctx);
        if (BN_cmp(root, d) == 0) break;
    }
    BN_free(a);
    BN_free(d);
    BN_free(root);
    return k;
}

static void expect_as_reference(const BIGNUM *n, BN_CTX *ctx)
{
    bool found = first_round(n, 101, ctx) < 101;
    if (finds(n) != found) {
        char *hex = BN_bn2hex(n);
        fail_msg("%s: found is %d", hex, !found);
    }
}

static void test_random_moduli(void **state)
{
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_new();
    for (int bits = 16; bits < 320; bits++) { /* the short ones are found nearly always */
        assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
        expect_as_reference(n, ctx);
    }
    BN_free(n);
    BN_CTX_free(ctx);
}

/* Digits that are all ones or all zeros: where an estimate is furthest from the digit. */
static void test_sparse_and_dense_moduli(void **state)
{
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_new(), *low = BN_new();
    for (int bits = 33; bits < 290; bits++) {
        BN_zero(n);
        BN_set_bit(n, bits);
        BN_zero(low);
        BN_set_bit(low, bits / 2);
        BN_sub(low, n, low);
        BN_set_bit(low, 0);
        expect_as_reference(low, ctx);
        BN_sub_word(n, 1);
        expect_as_reference(n, ctx);
        BN_add_word(n, 2);
        expect_as_reference(n, ctx);
    }
    BN_free(n);
    BN_free(low);
    BN_CTX_free(ctx);
}

static void test_squares(void **state)
{
    static const int lengths[] = {17, 32, 33, 63, 64, 65, 250, 1024, 1028, 1500, 4096};
    (void)state;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = BN_new(), *n = BN_new();
    for (size_t i = 0; i < CHY_ARRAY_LEN(lengths); i++) {
        for (int top = BN_RAND_TOP_ANY; top <= BN_RAND_TOP_TWO; top++) {
            assert_int_equal(BN_rand(p, lengths[i], top, BN_RAND_BOTTOM_ODD), 1);
            BN_sqr(n, p, ctx);
            assert_true(finds(n));
        }
        BN_zero(p); /* all ones: the candidate after it is a bit longer */
        BN_set_bit(p, lengths[i]);
        BN_sub_word(p, 1);
        BN_sqr(n, p, ctx);
        assert_true(finds(n));
    }
    BN_free(p);
    BN_free(n);
    BN_CTX_free(ctx);
}

/* n = (a - b)(a + b) with b^2 of about 2 a rounds is found in about that round. */
static void make(BIGNUM *n, int bits, unsigned rounds, BN_CTX *ctx)
{
    BIGNUM *a = BN_new(), *b = BN_new(), *t = BN_new();
    BN_rand(a, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY);
    BN_mul_word(BN_copy(t, a), 2 * rounds);
    root_of(b, t, ctx);
    if (BN_is_odd(a) == BN_is_odd(b)) BN_add_word(b, 1);
    BN_sqr(n, a, ctx);
    BN_sqr(t, b, ctx);
    BN_sub(n, n, t);
    BN_free(a);
    BN_free(b);
    BN_free(t);
}

/* Bit 0 when n is found in the last round there is, bit 1 when it would be in the next. */
static unsigned check_rounds(BIGNUM *n, int bits, unsigned rounds, BN_CTX *ctx)
{
    make(n, bits, rounds, ctx);
    unsigned k = first_round(n, 200, ctx);
    assert_true(k <= rounds + 1);
    assert_int_equal(finds(n), k <= 100);
    return k == 100 ? 1 : k == 101 ? 2 : 0;
}

static void test_rounds_are_a_hundred(void **state)
{
    static const int lengths[] = {256, 271, 288, 300, 1024};
    (void)state;
    unsigned last = 0;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_new();
    for (size_t i = 0; i < CHY_ARRAY_LEN(lengths); i++) {
        for (unsigned rounds = 1; rounds<120; rounds += lengths[i]> 300 ? 33 : 1)
            last |= check_rounds(n, lengths[i], rounds, ctx);
    }
    /* The numbers are random, and may be found a little early. */
    for (unsigned i = 0; i < 10000 && last != 3; i++)
        last |= check_rounds(n, 256, 98 + i % 6, ctx);
    assert_int_equal(last, 3);
    BN_free(n);
    BN_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_moduli),
        cmocka_unit_test(test_sparse_and_dense_moduli),
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_rounds_are_a_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
