/* Fermat: n = (a - b)(a + b) for an a just above sqrt(n) when the primes are close, so that a^2 - n
 * is a square. The root of n must be exact to the last bit, and every request pays for it: it is
 * taken long-hand, which costs as much as one multiplication of its length and needs no memory. The
 * squares modulo small primes then sort out all but one in ten thousand of the candidates for a.
 *
 * A number is an array of limbs, the lowest first. */
#include "pki/close_primes.h"

#include <string.h>

#include "pki/alg.h"

enum {
    LIMB_BITS = 32,
    MAX_ROOT = CHY_RSA_MAX_BITS / 64 + 1, /* a candidate may be longer than the root by a bit */
    MAX_LIMBS = 2 * MAX_ROOT,
    ROUNDS = 100 /* BR 6.1.1.3; one more, of number 0, finds a modulus that is a square */
};

/* Bit x of squares is set where x is a square modulo the prime. */
static const struct sieve_prime {
    uint32_t prime;
    uint64_t squares;
} sieve_primes[] = {{3, 0x3},
                    {5, 0x13},
                    {7, 0x17},
                    {11, 0x23b},
                    {13, 0x161b},
                    {17, 0x1a317},
                    {19, 0x30af3},
                    {23, 0x5335f},
                    {29, 0x13d122f3},
                    {31, 0x121d47b7},
                    {37, 0x165e211e9b},
                    {41, 0x1b382b50737},
                    {43, 0x35883a3ee53},
                    {47, 0x4351b2753df}};

/* One long division by the product serves all of a group; the second is for what the first left. */
static const struct {
    uint32_t product;
    size_t first, end;
} sieve_groups[] = {{3234846615u, 0, 9}, {95041567u, 9, 14}};

static size_t bit_length(const uint32_t *v, size_t n)
{
    while (n && !v[n - 1])
        n--;
    size_t bits = n * LIMB_BITS;
    for (uint32_t top = n ? v[n - 1] : UINT32_MAX; !(top >> 31); top <<= 1)
        bits--;
    return bits;
}

/* The root of a 64-bit number, rounded down. */
static uint64_t small_root(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1) {
        uint64_t t = root | bit;
        if (t * t <= v) root = t;
    }
    return root;
}

/* The next digit q of a root r: the largest with (2rB + q)q <= rest. twice holds 2rB in n limbs,
 * the highest of them 1, the lowest to be q; rest has one limb more and loses that product. The
 * digit is estimated from the highest limbs, too large by a few at most; twice then is 2(rB + q).
 */
static void next_digit(uint32_t *rest, uint32_t *twice, size_t n)
{
    uint64_t high = (uint64_t)rest[n] << 63 | (uint64_t)rest[n - 1] << 31 | rest[n - 2] >> 1;
    uint64_t q = high / (UINT32_C(1) << 31 | twice[n - 2] >> 1), carry = 0;
    if (q > UINT32_MAX) q = UINT32_MAX;
    twice[0] = (uint32_t)q;
    for (size_t i = 0; i < n; i++) {
        uint64_t t = q * twice[i] + carry;
        carry = (t >> LIMB_BITS) + (rest[i] < (uint32_t)t);
        rest[i] -= (uint32_t)t;
    }
    rest[n] -= (uint32_t)carry;
    while (rest[n] >> 31) { /* below 0: (2rB + q)q is taken back, less that of q - 1 */
        carry = --q;
        for (size_t i = 0; i < n; i++) {
            uint64_t t = (uint64_t)rest[i] + twice[i] + carry;
            rest[i] = (uint32_t)t;
            carry = t >> LIMB_BITS;
        }
        rest[n] += (uint32_t)carry;
        twice[0] = (uint32_t)q;
    }
    twice[0] = (uint32_t)q << 1;
    twice[1] |= (uint32_t)(q >> 31); /* even before */
}

/* The root of v, rounded down, in k limbs: v has 2k, one of its highest two bits is set, and it is
 * used up. */
static void long_root(uint32_t *v, size_t k, uint32_t *root)
{
    uint32_t twice[MAX_ROOT + 1];
    uint64_t top = (uint64_t)v[2 * k - 1] << LIMB_BITS | v[2 * k - 2], q = small_root(top);
    top -= q * q;
    v[2 * k - 1] = (uint32_t)(top >> LIMB_BITS);
    v[2 * k - 2] = (uint32_t)top;
    twice[k] = (uint32_t)(q >> 31);
    twice[k - 1] = (uint32_t)q << 1;
    for (size_t at = k - 1; at-- > 0;)
        next_digit(v + 2 * at, twice + at, k - at + 1);
    for (size_t i = 0; i < k; i++)
        root[i] = twice[i] >> 1 | twice[i + 1] << 31;
}

static void shift_left(const uint32_t *v, size_t n, size_t bits, uint32_t *out, size_t out_n)
{
    memset(out, 0, out_n * sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        uint64_t t = (uint64_t)v[i] << bits % LIMB_BITS;
        size_t at = i + bits / LIMB_BITS;
        if (at < out_n) out[at] |= (uint32_t)t;
        if (at + 1 < out_n) out[at + 1] |= (uint32_t)(t >> LIMB_BITS);
    }
}

/* floor(sqrt(v)) of any v but 0; how many limbs it has. */
static size_t root_of(const uint32_t *v, size_t n, uint32_t *root)
{
    uint32_t shifted[MAX_LIMBS];
    size_t bits = bit_length(v, n), k = (bits + 63) / 64, half = (64 * k - bits) / 2;
    shift_left(v, n, 2 * half, shifted, 2 * k);
    long_root(shifted, k, root);
    for (size_t i = 0; half && i < k; i++)
        root[i] = root[i] >> half | (i + 1 < k ? root[i + 1] << (LIMB_BITS - half) : 0);
    return k;
}

/* out, of 2n limbs, is the square of v. */
static void square_of(const uint32_t *v, size_t n, uint32_t *out)
{
    memset(out, 0, 2 * n * sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < n; j++) {
            uint64_t t = (uint64_t)v[i] * v[j] + out[i + j] + carry;
            out[i + j] = (uint32_t)t;
            carry = t >> LIMB_BITS;
        }
        out[i + n] = (uint32_t)carry;
    }
}

/* v -= other, which has no more limbs; false when that is below 0. */
static bool subtract(uint32_t *v, size_t n, const uint32_t *other, size_t other_n)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t t = (uint64_t)v[i] - (i < other_n ? other[i] : 0) - borrow;
        v[i] = (uint32_t)t;
        borrow = t >> 63;
    }
    return borrow == 0;
}

static bool is_square(const uint32_t *v, size_t n)
{
    uint32_t root[MAX_ROOT], again[MAX_LIMBS] = {0};
    if (bit_length(v, n) == 0) return true;
    square_of(root, root_of(v, n, root), again);
    return memcmp(v, again, n * sizeof(*v)) == 0;
}

/* Whether (root + round)^2 - modulus is a square. */
static bool round_finds(const uint32_t *root, size_t k, uint32_t round, const uint32_t *modulus,
                        size_t n)
{
    uint32_t a[MAX_ROOT], difference[MAX_LIMBS];
    uint64_t carry = round;
    for (size_t i = 0; i < k; i++, carry >>= LIMB_BITS)
        a[i] = (uint32_t)(carry += root[i]);
    a[k] = (uint32_t)carry;
    square_of(a, k + 1, difference);
    return subtract(difference, 2 * k + 2, modulus, n) && is_square(difference, 2 * k + 2);
}

static uint32_t remainder_of(const uint32_t *v, size_t n, uint32_t divisor)
{
    uint64_t rest = 0;
    while (n--)
        rest = (rest << LIMB_BITS | v[n]) % divisor;
    return (uint32_t)rest;
}

/* The lowest bits again and again. */
static uint64_t repeat(uint64_t bits, uint32_t period)
{
    for (; period < 64; period *= 2)
        bits |= bits << period;
    return bits;
}

/* Clears the rounds in which a^2 - n is no square modulo the prime; a is that of round 0. */
static void sieve(const struct sieve_prime *s, uint32_t a, uint32_t n, uint64_t rounds[2])
{
    uint32_t p = s->prime, turn = 64 % p;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < p; i++, a = a + 1 == p ? 0 : a + 1)
        bits |= (s->squares >> ((a * a + p - n) % p) & 1) << i;
    rounds[0] &= repeat(bits, p);
    bits = (bits >> turn | bits << (p - turn)) & ((UINT64_C(1) << p) - 1);
    rounds[1] &= repeat(bits, p);
}

bool chy_close_primes(const uint32_t *modulus, size_t n)
{
    uint32_t root[MAX_ROOT];
    uint64_t rounds[2] = {UINT64_MAX, UINT64_MAX >> (127 - ROUNDS)};
    size_t k = root_of(modulus, n, root);
    for (size_t g = 0; g < CHY_ARRAY_LEN(sieve_groups) && (rounds[0] | rounds[1]); g++) {
        uint32_t rest_n = remainder_of(modulus, n, sieve_groups[g].product);
        uint32_t rest_a = remainder_of(root, k, sieve_groups[g].product);
        for (size_t i = sieve_groups[g].first; i < sieve_groups[g].end; i++) {
            uint32_t p = sieve_primes[i].prime;
            sieve(&sieve_primes[i], rest_a % p, rest_n % p, rounds);
        }
    }
    for (uint32_t round = 0; round <= ROUNDS; round++) {
        if (rounds[round / 64] >> round % 64 & 1 && round_finds(root, k, round, modulus, n))
            return true;
    }
    return false;
}
