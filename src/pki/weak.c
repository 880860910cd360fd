/* P18: public keys that are written correctly and worth nothing. Thread: any.
 *
 * RSA (BR 6.1.1.3, 6.1.5, 6.1.6): size, exponent, factors below 752, the ROCA fingerprint
 * (CVE-2017-15361), and primes so close that Fermat's method finds them. All of it together costs
 * about as much as verifying one signature, so it runs on every request. */
#include <openssl/bn.h>
#include <openssl/err.h>
#include <string.h>

#include "pki/spki.h"

enum {
    MAX_LIMBS = CHY_RSA_MAX_BITS / 32,
    GROUPS = 38,     /* the 132 odd primes below 752 */
    ROCA_GROUPS = 7, /* those up to 157, which the ROCA table ends with */
    ROCA_PRIMES = 36,
    FERMAT_ROUNDS = 100,
    SIEVE_GROUPS = 2, /* the 14 primes up to 47 */
    SIEVE_PRIMES = 14
};

/* The odd primes below 752 in groups whose product fits a word: one long division by the product
 * serves all of a group. */
static const struct group {
    uint32_t product;
    uint16_t prime[9];
} groups[GROUPS] = {
    {3234846615u, {3, 5, 7, 11, 13, 17, 19, 23, 29}},
    {95041567u, {31, 37, 41, 43, 47}},
    {907383479u, {53, 59, 61, 67, 71}},
    {4132280413u, {73, 79, 83, 89, 97}},
    {121330189u, {101, 103, 107, 109}},
    {257557397u, {113, 127, 131, 137}},
    {490995677u, {139, 149, 151, 157}},
    {842952707u, {163, 167, 173, 179}},
    {1314423991u, {181, 191, 193, 197}},
    {2125525169u, {199, 211, 223, 227}},
    {3073309843u, {229, 233, 239, 241}},
    {16965341u, {251, 257, 263}},
    {20193023u, {269, 271, 277}},
    {23300239u, {281, 283, 293}},
    {29884301u, {307, 311, 313}},
    {35360399u, {317, 331, 337}},
    {42749359u, {347, 349, 353}},
    {49143869u, {359, 367, 373}},
    {56466073u, {379, 383, 389}},
    {65111573u, {397, 401, 409}},
    {76027969u, {419, 421, 431}},
    {84208541u, {433, 439, 443}},
    {94593973u, {449, 457, 461}},
    {103569859u, {463, 467, 479}},
    {119319383u, {487, 491, 499}},
    {133390067u, {503, 509, 521}},
    {154769821u, {523, 541, 547}},
    {178433279u, {557, 563, 569}},
    {193397129u, {571, 577, 587}},
    {213479407u, {593, 599, 601}},
    {229580147u, {607, 613, 617}},
    {250367549u, {619, 631, 641}},
    {271661713u, {643, 647, 653}},
    {293158127u, {659, 661, 673}},
    {319512181u, {677, 683, 691}},
    {357349471u, {701, 709, 719}},
    {393806449u, {727, 733, 739}},
    {557993u, {743, 751}},
};

/* The primes up to 167 modulo which the powers of 65537 do not reach everything, and the order of
 * 65537 there. A ROCA modulus is such a power modulo each of them; another one is with 2^-27. The
 * group of units is cyclic: the powers are the elements whose order divides this one. */
static const struct {
    uint16_t prime, order;
} roca[] = {{11, 2},   {13, 6},   {17, 8},   {19, 9},   {37, 3},  {53, 26},
            {61, 20},  {71, 35},  {73, 24},  {79, 13},  {97, 6},  {103, 51},
            {107, 53}, {109, 54}, {127, 42}, {151, 50}, {157, 78}};

/* Bit x is set where x is a square modulo the prime. */
static const uint64_t squares[SIEVE_PRIMES] = {
    0x3,     0x13,       0x17,       0x23b,        0x161b,        0x1a317,       0x30af3,
    0x5335f, 0x13d122f3, 0x121d47b7, 0x165e211e9b, 0x1b382b50737, 0x35883a3ee53, 0x4351b2753df};

struct residues {
    uint16_t prime[ROCA_PRIMES], value[ROCA_PRIMES];
};

static chy_hresult weak(const char *what, struct chy_err *err)
{
    return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY, "public key: %s", what);
}

static size_t to_limbs(struct chy_span magnitude, uint32_t *limb)
{
    size_t n = (magnitude.n + 3) / 4;
    memset(limb, 0, n * sizeof(*limb));
    for (size_t i = 0; i < magnitude.n; i++) {
        size_t from_end = magnitude.n - 1 - i;
        limb[n - 1 - from_end / 4] |= (uint32_t)magnitude.p[i] << (from_end % 4 * 8);
    }
    return n;
}

/* The smallest prime of the table that divides, or 0. Montgomery's steps, from the low end: they
 * give the remainder times a power of 2, which is 0 when the remainder is, and need no division. */
static unsigned small_factor(struct chy_span magnitude)
{
    uint32_t limb[MAX_LIMBS + 1], rest[GROUPS] = {0}, inverse[GROUPS];
    size_t n = to_limbs(magnitude, limb);
    for (size_t g = 0; g < GROUPS; g++) {
        uint32_t m = groups[g].product, x = m; /* right in 3 bits; each round doubles them */
        for (int i = 0; i < 4; i++)
            x *= 2 - m * x;
        inverse[g] = 0 - x;
    }
    while (n--) {
        for (size_t g = 0; g < GROUPS; g++) {
            uint64_t t = (uint64_t)rest[g] + limb[n];
            uint32_t q = (uint32_t)t * inverse[g];
            rest[g] = (uint32_t)((t + (uint64_t)q * groups[g].product) >> 32);
        }
    }
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < CHY_ARRAY_LEN(groups[g].prime) && groups[g].prime[i]; i++) {
            if (rest[g] % groups[g].prime[i] == 0) return groups[g].prime[i];
        }
    }
    return 0;
}

/* Remainders of a number by the primes of the first n_groups groups; how many primes that were. */
static size_t reduce(struct chy_span magnitude, size_t n_groups, struct residues *out)
{
    uint32_t limb[MAX_LIMBS + 1], rest[ROCA_GROUPS] = {0};
    size_t n = to_limbs(magnitude, limb), at = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t g = 0; g < n_groups; g++)
            rest[g] = (uint32_t)(((uint64_t)rest[g] << 32 | limb[i]) % groups[g].product);
    }
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t i = 0; i < CHY_ARRAY_LEN(groups[g].prime) && groups[g].prime[i]; i++, at++) {
            out->prime[at] = groups[g].prime[i];
            out->value[at] = (uint16_t)(rest[g] % groups[g].prime[i]);
        }
    }
    return at;
}

static uint32_t power(uint32_t base, unsigned exponent, uint32_t modulus)
{
    uint32_t result = 1;
    for (; exponent; exponent >>= 1, base = base * base % modulus) {
        if (exponent & 1) result = result * base % modulus;
    }
    return result;
}

/* Five primes of the sieve sort out all but one in five hundred; the others are for those alone. */
static bool has_roca_fingerprint(struct chy_span modulus, const struct residues *sieve)
{
    struct residues all;
    const struct residues *n = sieve;
    size_t at = 0, known = SIEVE_PRIMES;
    for (size_t i = 0; i < CHY_ARRAY_LEN(roca); i++) {
        while (at < known && n->prime[at] != roca[i].prime)
            at++;
        if (at == known) {
            known = reduce(modulus, ROCA_GROUPS, &all);
            n = &all;
            while (n->prime[at] != roca[i].prime)
                at++;
        }
        if (power(n->value[at], roca[i].order, roca[i].prime) != 1) return false;
    }
    return true;
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

/* One Newton step towards sqrt(v) from above: what is above before is not below after. */
static bool newton_step(BIGNUM *root, BIGNUM *scratch, const BIGNUM *v, BN_CTX *ctx)
{
    return BN_div(scratch, NULL, v, root, ctx) == 1 && BN_add(root, root, scratch) == 1 &&
           BN_rshift1(root, root) == 1;
}

/* root = floor(sqrt(v)): of the highest bits first; each step takes in as many more as the root is
 * long already, so that only the last one divides at full length. */
static bool big_root(BIGNUM *root, const BIGNUM *v, BN_CTX *ctx)
{
    bool ok = false;
    int shift = BN_num_bits(v) - 62;
    shift = shift < 0 ? 0 : shift + shift % 2;
    BN_CTX_start(ctx);
    BIGNUM *top = BN_CTX_get(ctx), *scratch = BN_CTX_get(ctx);
    if (!scratch || BN_rshift(top, v, shift) != 1 ||
        BN_set_word(root, small_root(BN_get_word(top))) != 1)
        goto out;
    while (shift > 0) {
        int more = BN_num_bits(root) - 1;
        if (more > shift / 2) more = shift / 2;
        shift -= 2 * more;
        if (BN_add_word(root, 1) != 1 || BN_lshift(root, root, more) != 1 ||
            BN_rshift(top, v, shift) != 1 || !newton_step(root, scratch, top, ctx))
            goto out;
    }
    for (;;) {
        if (BN_sqr(scratch, root, ctx) != 1) goto out;
        if (BN_cmp(scratch, v) <= 0) break;
        if (BN_sub_word(root, 1) != 1) goto out;
    }
    ok = true;
out:
    BN_CTX_end(ctx);
    return ok;
}

/* 1: the difference (a + k)^2 - n is a square; 0: not; -1: out of memory. */
static int difference_is_square(const BIGNUM *a, unsigned k, const BIGNUM *n, BN_CTX *ctx)
{
    int result = -1;
    BN_CTX_start(ctx);
    BIGNUM *d = BN_CTX_get(ctx), *root = BN_CTX_get(ctx), *again = BN_CTX_get(ctx);
    if (again && BN_copy(d, a) && BN_add_word(d, k) == 1 && BN_sqr(d, d, ctx) == 1 &&
        BN_sub(d, d, n) == 1 && big_root(root, d, ctx) && BN_sqr(again, root, ctx) == 1)
        result = BN_cmp(again, d) == 0;
    BN_CTX_end(ctx);
    return result;
}

static bool may_be_square(const struct residues *a, const struct residues *n, unsigned k)
{
    for (size_t i = 0; i < SIEVE_PRIMES; i++) {
        uint32_t p = n->prime[i], t = (a->value[i] + k) % p;
        if (!(squares[i] >> ((t * t + p - n->value[i]) % p) & 1)) return false;
    }
    return true;
}

/* Fermat: n = (a - b)(a + b) for an a just above sqrt(n) when the primes are close. The squares
 * modulo small primes sort out all but one in ten thousand of the candidates. */
static int has_close_primes(struct chy_span modulus, const struct residues *residues)
{
    int result = -1;
    uint8_t octets[CHY_RSA_MAX_BITS / 16 + 1];
    struct residues root;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_bin2bn(modulus.p, (int)modulus.n, NULL), *a = BN_new(), *square = BN_new();
    if (!ctx || !n || !a || !square || !big_root(a, n, ctx) || BN_sqr(square, a, ctx) != 1)
        goto out;
    if (BN_cmp(square, n) == 0) {
        result = 1; /* p = q */
        goto out;
    }
    if (BN_add_word(a, 1) != 1) goto out;
    int len = BN_bn2bin(a, octets);
    reduce(chy_span_of(octets, (size_t)len), SIEVE_GROUPS, &root);
    result = 0;
    for (unsigned k = 0; k < FERMAT_ROUNDS && result == 0; k++) {
        if (may_be_square(&root, residues, k)) result = difference_is_square(a, k, n, ctx);
    }
out:
    BN_free(square);
    BN_free(a);
    BN_free(n);
    BN_CTX_free(ctx);
    return result;
}

/* BR 6.1.6, with 65537 as the smallest exponent; 2^256 bounds what a verifier must work. */
static chy_hresult check_exponent(struct chy_span e, struct chy_err *err)
{
    uint32_t low = 0;
    for (size_t i = 0; i < e.n && i < 4; i++)
        low = low << 8 | e.p[i];
    if (!(e.p[e.n - 1] & 1)) return weak("RSA exponent is even (BR 6.1.6)", err);
    if (e.n < 4 && low < 65537)
        return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                        "public key: RSA exponent must be 65537 or more (BR 6.1.6): %u", low);
    if (e.n > 32) return weak("RSA exponent must be below 2^256 (BR 6.1.6)", err);
    return CHY_S_OK;
}

static chy_hresult check_rsa(const struct chy_spki *key, struct chy_err *err)
{
    struct residues n;
    if (key->size < CHY_RSA_MIN_BITS || key->size > CHY_RSA_MAX_BITS || key->size % 8 != 0)
        return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                        "public key: RSA modulus must have %d to %d bits, a multiple of 8 (BR "
                        "6.1.5): %d bits",
                        CHY_RSA_MIN_BITS, CHY_RSA_MAX_BITS, key->size);
    chy_hresult hr = check_exponent(key->rsa_e, err);
    if (CHY_FAILED(hr)) return hr;
    if (!(key->rsa_n.p[key->rsa_n.n - 1] & 1)) return weak("RSA modulus is even (BR 6.1.6)", err);
    unsigned factor = small_factor(key->rsa_n);
    if (factor)
        return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                        "public key: RSA modulus must have no factor below 752 (BR 6.1.6): %u "
                        "divides it",
                        factor);
    reduce(key->rsa_n, SIEVE_GROUPS, &n);
    if (has_roca_fingerprint(key->rsa_n, &n))
        return weak("RSA modulus has the ROCA fingerprint (BR 6.1.1.3, CVE-2017-15361)", err);
    int close = has_close_primes(key->rsa_n, &n);
    ERR_clear_error();
    if (close < 0) return chy_fail_nomem(err, "public key");
    if (close > 0)
        return weak("RSA primes are so close that 100 rounds of Fermat's method find them (BR "
                    "6.1.1.3)",
                    err);
    return CHY_S_OK;
}

/* Points of Ed25519 whose order divides 8, without the sign of x, also written not reduced: any
 * message has a signature under such a key (RFC 8032 8.8 speaks of the cofactor). */
static const uint8_t ed25519_small[][32] = {
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static bool ed25519_is_small(struct chy_span bits)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(ed25519_small); i++) {
        if (bits.n == 32 && memcmp(bits.p, ed25519_small[i], 31) == 0 &&
            (bits.p[31] & 0x7f) == ed25519_small[i][31])
            return true;
    }
    return false;
}

static bool all_zero(struct chy_span s)
{
    uint8_t any = 0;
    for (size_t i = 0; i < s.n; i++)
        any |= s.p[i];
    return any == 0;
}

chy_hresult chy_spki_check_strength(const struct chy_spki *key, struct chy_err *err)
{
    if (all_zero(key->bits)) return weak("all octets are zero", err);
    switch (key->kind) {
    case CHY_KEY_RSA:
    case CHY_KEY_RSA_PSS: return check_rsa(key, err);
    case CHY_KEY_ED25519:
        return ed25519_is_small(key->bits) ? weak("Ed25519 point of small order", err) : CHY_S_OK;
    case CHY_KEY_EC:
    case CHY_KEY_ED448:
    case CHY_KEY_MLDSA: return CHY_S_OK;
    case CHY_KEY_UNKNOWN: break;
    }
    return weak("algorithm is not known, so its strength is not", err);
}
