/* The table of key and signature algorithms, and what the OpenSSL at hand can do of it.
 *
 * Only this file knows algorithm versions: everything else asks by name or by AlgorithmIdentifier.
 * AlgorithmIdentifiers are those of RFC 5758 (ECDSA), 4055 (RSA), 8410 (EdDSA), 9881 (ML-DSA), in
 * the one encoding that the Baseline Requirements 7.1.3.2 allow. Thread: any. */
#include "pki/alg.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>
#include <strings.h>

#include "pki/der.h"

#define BYTES(octets)                                                                              \
    {                                                                                              \
        (const uint8_t *)(octets), sizeof(octets) - 1                                              \
    }
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define ECDSA(n) BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" n)
#define RSA_PKCS1(n) BYTES("\x30\x0d\x06\x09" OID_RSA n "\x05\x00")
#define SHA2(n) "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" n "\x05\x00"
#define RSA_PSS(n, salt)                                                                           \
    BYTES("\x30\x41\x06\x09" OID_RSA "\x0a\x30\x34\xa0\x0f" SHA2(                                  \
        n) "\xa1\x1c\x30\x1a\x06\x09" OID_RSA "\x08" SHA2(n) "\xa2\x03\x02\x01" salt)
#define MLDSA(n) BYTES("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03" n)

static const struct chy_sig_alg sig_algs[] = {
    {"ecdsa-sha256", CHY_KEY_EC, "SHA256", false, ECDSA("\x02")},
    {"ecdsa-sha384", CHY_KEY_EC, "SHA384", false, ECDSA("\x03")},
    {"ecdsa-sha512", CHY_KEY_EC, "SHA512", false, ECDSA("\x04")},
    {"rsa-sha256", CHY_KEY_RSA, "SHA256", false, RSA_PKCS1("\x0b")},
    {"rsa-sha384", CHY_KEY_RSA, "SHA384", false, RSA_PKCS1("\x0c")},
    {"rsa-sha512", CHY_KEY_RSA, "SHA512", false, RSA_PKCS1("\x0d")},
    {"rsa-pss-sha256", CHY_KEY_RSA, "SHA256", true, RSA_PSS("\x01", "\x20")},
    {"rsa-pss-sha384", CHY_KEY_RSA, "SHA384", true, RSA_PSS("\x02", "\x30")},
    {"rsa-pss-sha512", CHY_KEY_RSA, "SHA512", true, RSA_PSS("\x03", "\x40")},
    {"ed25519", CHY_KEY_ED25519, NULL, false, BYTES("\x30\x05\x06\x03\x2b\x65\x70")},
    {"ed448", CHY_KEY_ED448, NULL, false, BYTES("\x30\x05\x06\x03\x2b\x65\x71")},
    {"mldsa44", CHY_KEY_MLDSA, NULL, false, MLDSA("\x11")},
    {"mldsa65", CHY_KEY_MLDSA, NULL, false, MLDSA("\x12")},
    {"mldsa87", CHY_KEY_MLDSA, NULL, false, MLDSA("\x13")},
};

static const struct chy_key_alg key_algs[] = {
    {"p256", CHY_KEY_EC, "EC", "P-256", 256},
    {"p384", CHY_KEY_EC, "EC", "P-384", 384},
    {"p521", CHY_KEY_EC, "EC", "P-521", 521},
    {"ed25519", CHY_KEY_ED25519, "ED25519", NULL, 256},
    {"ed448", CHY_KEY_ED448, "ED448", NULL, 456},
    {"mldsa44", CHY_KEY_MLDSA, "ML-DSA-44", NULL, 128},
    {"mldsa65", CHY_KEY_MLDSA, "ML-DSA-65", NULL, 192},
    {"mldsa87", CHY_KEY_MLDSA, "ML-DSA-87", NULL, 256},
};

/* Sizes that people use have a name of their own; a key of another size is "rsa". */
static const struct {
    int bits;
    const char *name;
} rsa_names[] = {
    {2048, "rsa2048"}, {2560, "rsa2560"}, {3072, "rsa3072"}, {3584, "rsa3584"}, {4096, "rsa4096"},
    {5120, "rsa5120"}, {6144, "rsa6144"}, {7168, "rsa7168"}, {7680, "rsa7680"}, {8192, "rsa8192"},
};

const char *chy_rsa_name(int bits)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(rsa_names); i++) {
        if (rsa_names[i].bits == bits) return rsa_names[i].name;
    }
    return "rsa";
}

/* "rsaN", N in decimal without leading zeros; 0 when it is not of this form. */
static int rsa_bits(const char *name)
{
    int bits = 0;
    if (strncmp(name, "rsa", 3) != 0 || name[3] < '1' || name[3] > '9') return 0;
    for (const char *p = name + 3; *p; p++) {
        if (*p < '0' || *p > '9' || bits > 99999) return 0;
        bits = bits * 10 + (*p - '0');
    }
    return bits;
}

static bool is_offered(const struct chy_key_alg *alg)
{
    if (alg->kind != CHY_KEY_MLDSA) return true;
    ERR_set_mark();
    EVP_SIGNATURE *found = EVP_SIGNATURE_fetch(NULL, alg->evp_name, NULL);
    ERR_pop_to_mark();
    EVP_SIGNATURE_free(found);
    return found != NULL;
}

const struct chy_key_alg *chy_key_alg_by_name(const char *name, struct chy_key_alg *storage,
                                              struct chy_err *err)
{
    int bits = name ? rsa_bits(name) : 0;
    if (bits) {
        if (bits < CHY_RSA_MIN_BITS || bits > CHY_RSA_MAX_BITS || bits % 8 != 0) {
            chy_fail(err, CHY_E_INVALIDARG,
                     "key algorithm %s: RSA keys have 2048 to 8192 bits, a multiple of 8", name);
            return NULL;
        }
        *storage = (struct chy_key_alg){chy_rsa_name(bits), CHY_KEY_RSA, "RSA", NULL, bits};
        return storage;
    }
    for (size_t i = 0; name && i < CHY_ARRAY_LEN(key_algs); i++) {
        if (strcmp(name, key_algs[i].name) != 0) continue;
        if (is_offered(&key_algs[i])) {
            *storage = key_algs[i];
            return storage;
        }
        chy_fail(err, CHY_E_INVALIDARG, "key algorithm %s: needs OpenSSL 3.5, this is %s", name,
                 OpenSSL_version(OPENSSL_VERSION_STRING));
        return NULL;
    }
    chy_fail(
        err, CHY_E_INVALIDARG,
        "key algorithm \"%.40s\": not known; use p256, p384, p521, rsa2048 to rsa8192, ed25519, "
        "ed448 or mldsa44, mldsa65, mldsa87",
        name ? name : "");
    return NULL;
}

chy_hresult chy_key_alg_generate(const struct chy_key_alg *alg, EVP_PKEY **out, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, alg->evp_name, NULL);
    bool ok = ctx && EVP_PKEY_keygen_init(ctx) > 0;
    if (ok && alg->group) ok = EVP_PKEY_CTX_set_group_name(ctx, alg->group) > 0;
    if (ok && alg->kind == CHY_KEY_RSA) ok = EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, alg->bits) > 0;
    if (ok && EVP_PKEY_generate(ctx, &key) > 0) {
        *out = key;
    } else {
        hr = chy_fail_openssl(err, CHY_NTE_FAIL,
                              "key algorithm %s: OpenSSL could not make a key (%s)", alg->name,
                              alg->evp_name);
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return hr;
}

/* The first name needs no memory to be looked at; a provider of its own may call it by another. A
 * name that this OpenSSL does not know leaves an error behind. */
static bool is_a(EVP_PKEY *key, const char *name)
{
    const char *first = EVP_PKEY_get0_type_name(key);
    if (first && strcasecmp(first, name) == 0) return true;
    ERR_set_mark();
    bool is = EVP_PKEY_is_a(key, name) == 1;
    ERR_pop_to_mark();
    return is;
}

/* What a key is called in the table above: the row's kind decides which signatures it can make. */
static enum chy_key_kind kind_of(EVP_PKEY *key, const char **mldsa)
{
    *mldsa = NULL;
    if (is_a(key, "EC")) return CHY_KEY_EC;
    if (is_a(key, "RSA")) return CHY_KEY_RSA;
    if (is_a(key, "RSA-PSS")) return CHY_KEY_RSA_PSS;
    if (is_a(key, "ED25519")) return CHY_KEY_ED25519;
    if (is_a(key, "ED448")) return CHY_KEY_ED448;
    for (size_t i = 0; i < CHY_ARRAY_LEN(key_algs); i++) {
        if (key_algs[i].kind != CHY_KEY_MLDSA || !is_a(key, key_algs[i].evp_name)) continue;
        *mldsa = key_algs[i].name;
        return CHY_KEY_MLDSA;
    }
    return CHY_KEY_UNKNOWN;
}

static const char *default_name(EVP_PKEY *key, enum chy_key_kind kind, const char *mldsa)
{
    switch (kind) {
    case CHY_KEY_EC: {
        int bits = EVP_PKEY_get_bits(key);
        return bits > 384 ? "ecdsa-sha512" : bits > 256 ? "ecdsa-sha384" : "ecdsa-sha256";
    }
    case CHY_KEY_RSA: return "rsa-sha256";
    case CHY_KEY_RSA_PSS: return "rsa-pss-sha256";
    case CHY_KEY_ED25519: return "ed25519";
    case CHY_KEY_ED448: return "ed448";
    case CHY_KEY_MLDSA: return mldsa;
    case CHY_KEY_UNKNOWN: break;
    }
    return NULL;
}

const struct chy_sig_alg *chy_sig_alg_for_key(EVP_PKEY *key, const char *name, struct chy_err *err)
{
    const char *mldsa;
    enum chy_key_kind kind = kind_of(key, &mldsa);
    const char *own = default_name(key, kind, mldsa);
    if (!own) {
        chy_fail(err, CHY_E_INVALIDARG, "signature algorithm: no signature known for %s keys",
                 EVP_PKEY_get0_type_name(key));
        return NULL;
    }
    const char *wanted = name ? name : own;
    for (size_t i = 0; i < CHY_ARRAY_LEN(sig_algs); i++) {
        const struct chy_sig_alg *alg = &sig_algs[i];
        if (strcmp(wanted, alg->name) != 0) continue;
        bool fits = kind == CHY_KEY_MLDSA     ? strcmp(alg->name, mldsa) == 0
                    : kind == CHY_KEY_RSA_PSS ? alg->pss
                                              : alg->kind == kind;
        if (fits) return alg;
        chy_fail(err, CHY_E_INVALIDARG, "signature algorithm %s: a key of kind %s cannot make it",
                 wanted, EVP_PKEY_get0_type_name(key));
        return NULL;
    }
    chy_fail(err, CHY_E_INVALIDARG, "signature algorithm \"%.40s\": not known", wanted);
    return NULL;
}

/* RFC 4055 2.1: a hash function's parameters are NULL, and absent must be accepted too. */
static bool read_hash(struct chy_der *d, struct chy_span *oid)
{
    struct chy_der alg;
    struct chy_span null;
    bool present;
    return chy_der_enter(d, CHY_DER_SEQUENCE, &alg) && chy_der_expect(&alg, CHY_DER_OID, oid) &&
           chy_der_skip_optional(&alg, CHY_DER_NULL, &null, &present) && null.n == 0 &&
           chy_der_empty(&alg);
}

/* RFC 4055 3.1, RSASSA-PSS-params: one hash for message and mask, its length as salt, the default
 * trailer left out. The last octet of a SHA-2 identifier tells which one: 1, 2, 3. */
static const struct chy_sig_alg *pss_by_params(struct chy_der params)
{
    static const struct chy_span mgf1 = BYTES(OID_RSA "\x08");
    static const struct chy_span sha2 = BYTES("\x60\x86\x48\x01\x65\x03\x04\x02");
    struct chy_der seq, hash_at, mgf_at, mgf, salt_at;
    struct chy_span hash, mgf_oid, mgf_hash, salt;
    int64_t salt_len;
    if (!chy_der_enter(&params, CHY_DER_SEQUENCE, &seq) || !chy_der_empty(&params) ||
        !chy_der_enter(&seq, CHY_DER_CTX_C(0), &hash_at) || !read_hash(&hash_at, &hash) ||
        !chy_der_empty(&hash_at) || !chy_der_enter(&seq, CHY_DER_CTX_C(1), &mgf_at) ||
        !chy_der_enter(&mgf_at, CHY_DER_SEQUENCE, &mgf) || !chy_der_empty(&mgf_at) ||
        !chy_der_expect(&mgf, CHY_DER_OID, &mgf_oid) || !read_hash(&mgf, &mgf_hash) ||
        !chy_der_empty(&mgf) || !chy_der_enter(&seq, CHY_DER_CTX_C(2), &salt_at) ||
        !chy_der_expect(&salt_at, CHY_DER_INTEGER, &salt) || !chy_der_empty(&salt_at) ||
        !chy_der_empty(&seq))
        return NULL;
    if (!chy_span_eq(mgf_oid, mgf1) || !chy_span_eq(hash, mgf_hash) || hash.n != sha2.n + 1 ||
        memcmp(hash.p, sha2.p, sha2.n) != 0 || !chy_der_get_int(salt, &salt_len))
        return NULL;
    unsigned which = hash.p[sha2.n];
    if (which < 1 || which > 3 || salt_len != 16 + 16 * (int64_t)which) return NULL;
    for (size_t i = 0; i < CHY_ARRAY_LEN(sig_algs); i++) {
        if (sig_algs[i].pss && --which == 0) return &sig_algs[i];
    }
    return NULL;
}

const struct chy_sig_alg *chy_sig_alg_by_der(struct chy_span algorithm_identifier)
{
    static const struct chy_span pss = BYTES(OID_RSA "\x0a");
    for (size_t i = 0; i < CHY_ARRAY_LEN(sig_algs); i++) {
        if (chy_span_eq(algorithm_identifier, sig_algs[i].der)) return &sig_algs[i];
    }
    struct chy_der outer = chy_der_of(algorithm_identifier), seq;
    struct chy_span oid;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &seq) || !chy_der_empty(&outer) ||
        !chy_der_expect(&seq, CHY_DER_OID, &oid))
        return NULL;
    if (chy_span_eq(oid, pss)) return pss_by_params(seq);
    if (!chy_der_empty(&seq)) return NULL;
    /* RFC 4055 5: absent parameters are to be accepted for RSA with PKCS #1 v1.5. */
    for (size_t i = 0; i < CHY_ARRAY_LEN(sig_algs); i++) {
        const struct chy_span der = sig_algs[i].der;
        if (sig_algs[i].kind == CHY_KEY_RSA && !sig_algs[i].pss &&
            chy_span_eq(oid, chy_span_of(der.p + 4, 9)))
            return &sig_algs[i];
    }
    return NULL;
}

bool chy_sig_alg_read(struct chy_der *d, struct chy_span *der, const struct chy_sig_alg **alg)
{
    struct chy_tlv whole, params;
    struct chy_span oid;
    if (!chy_der_read(d, &whole) || whole.tag != CHY_DER_SEQUENCE || !chy_der_strict(whole.whole))
        return false;
    struct chy_der inner = chy_der_of(whole.value);
    if (!chy_der_expect(&inner, CHY_DER_OID, &oid)) return false;
    if (!chy_der_empty(&inner) && (!chy_der_read(&inner, &params) || !chy_der_empty(&inner)))
        return false;
    *der = whole.whole;
    *alg = chy_sig_alg_by_der(whole.whole);
    return true;
}
