/* P18: public keys that are written correctly and worth nothing. Thread: any.
 *
 * RSA (BR 6.1.1.3, 6.1.5, 6.1.6): size, exponent, factors below 752, the ROCA fingerprint
 * (CVE-2017-15361), and primes so close that Fermat's method finds them. All of it together costs
 * about as much as verifying one signature, so it runs on every request. */
#include <string.h>

#include "pki/close_primes.h"
#include "pki/spki.h"

enum {
    MAX_LIMBS = CHY_RSA_MAX_BITS / 32,
    GROUPS = 40 /* the 132 odd primes below 752 */
};

/* The odd primes below 752 in groups whose product fits a word: one reduction by the product
 * serves all of a group. The last two fill the vectors up. */
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
    {1, {0}},
    {1, {0}},
};

/* The primes up to 167 modulo which the powers of 65537 do not reach everything, and the order of
 * 65537 there. A ROCA modulus is such a power modulo each of them; another one is with 2^-27. The
 * group of units is cyclic: the powers are the elements whose order divides this one. */
static const struct {
    uint16_t prime, order, group;
} roca[] = {{11, 2, 0},   {13, 6, 0},   {17, 8, 0},   {19, 9, 0},   {37, 3, 1},  {53, 26, 2},
            {61, 20, 2},  {71, 35, 2},  {73, 24, 3},  {79, 13, 3},  {97, 6, 3},  {103, 51, 4},
            {107, 53, 4}, {109, 54, 4}, {127, 42, 5}, {151, 50, 6}, {157, 78, 6}};

static chy_hresult weak(const char *what, struct chy_err *err)
{
    return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY, "public key: %s", what);
}

/* The lowest first. */
static size_t to_limbs(struct chy_span magnitude, uint32_t *limb)
{
    size_t n = 0;
    const uint8_t *end = magnitude.p + magnitude.n;
    for (; end - magnitude.p >= 4; end -= 4)
        limb[n++] =
            (uint32_t)end[-4] << 24 | (uint32_t)end[-3] << 16 | (uint32_t)end[-2] << 8 | end[-1];
    if (end == magnitude.p) return n;
    limb[n] = 0;
    for (const uint8_t *p = magnitude.p; p < end; p++)
        limb[n] = limb[n] << 8 | *p;
    return n + 1;
}

/* The modulus' remainders by the groups, each times 2^-(32 n): n steps of Montgomery's, from the
 * low end, which need no division. The loop over the groups is for vector instructions. */
struct remainders {
    size_t n;
    uint32_t rest[GROUPS];
};

static void reduce(const uint32_t *limb, size_t n, struct remainders *out)
{
    uint32_t product[GROUPS], inverse[GROUPS], rest[GROUPS] = {0};
    for (size_t g = 0; g < GROUPS; g++) {
        uint32_t m = groups[g].product, x = m; /* right in 3 bits; each round doubles them */
        for (int i = 0; i < 4; i++)
            x *= 2 - m * x;
        product[g] = m;
        inverse[g] = 0 - x;
    }
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        for (size_t g = 0; g < GROUPS; g++) {
            uint64_t t = (uint64_t)rest[g] + limb[i];
            uint32_t q = (uint32_t)t * inverse[g];
            rest[g] = (uint32_t)((t + (uint64_t)q * product[g]) >> 32);
        }
    }
    memcpy(out->rest, rest, sizeof(rest));
}

/* The smallest prime of the table that divides, or 0: a power of 2 more or less does not matter. */
static unsigned small_factor(const struct remainders *modulus)
{
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < CHY_ARRAY_LEN(groups[g].prime) && groups[g].prime[i]; i++) {
            if (modulus->rest[g] % groups[g].prime[i] == 0) return groups[g].prime[i];
        }
    }
    return 0;
}

static uint32_t power(uint32_t base, size_t exponent, uint32_t modulus)
{
    uint32_t result = 1;
    for (; exponent; exponent >>= 1, base = base * base % modulus) {
        if (exponent & 1) result = result * base % modulus;
    }
    return result;
}

static bool has_roca_fingerprint(const struct remainders *modulus)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(roca); i++) {
        uint32_t p = roca[i].prime, word = (uint32_t)((UINT64_C(1) << 32) % p);
        uint32_t value = modulus->rest[roca[i].group] % p * power(word, modulus->n, p) % p;
        if (power(value, roca[i].order, p) != 1) return false;
    }
    return true;
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
    struct remainders rest;
    uint32_t limb[MAX_LIMBS];
    if (key->size < CHY_RSA_MIN_BITS || key->size > CHY_RSA_MAX_BITS || key->size % 8 != 0)
        return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                        "public key: RSA modulus must have %d to %d bits, a multiple of 8 (BR "
                        "6.1.5): %d bits",
                        CHY_RSA_MIN_BITS, CHY_RSA_MAX_BITS, key->size);
    chy_hresult hr = check_exponent(key->rsa_e, err);
    if (CHY_FAILED(hr)) return hr;
    if (!(key->rsa_n.p[key->rsa_n.n - 1] & 1)) return weak("RSA modulus is even (BR 6.1.6)", err);
    size_t n = to_limbs(key->rsa_n, limb);
    reduce(limb, n, &rest);
    unsigned factor = small_factor(&rest);
    if (factor)
        return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                        "public key: RSA modulus must have no factor below 752 (BR 6.1.6): %u "
                        "divides it",
                        factor);
    if (has_roca_fingerprint(&rest))
        return weak("RSA modulus has the ROCA fingerprint (BR 6.1.1.3, CVE-2017-15361)", err);
    if (chy_close_primes(limb, n))
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
