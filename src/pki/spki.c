/* SubjectPublicKeyInfo in place: which key is it, and is it written the one way that it may be.
 * RFC 5280 4.1.2.7, RFC 3279 2.3.1, RFC 5480, RFC 8410, RFC 4055, RFC 9881. Thread: any. */
#include "pki/spki.h"

#define BYTES(octets)                                                                              \
    {                                                                                              \
        (const uint8_t *)(octets), sizeof(octets) - 1                                              \
    }

static const struct chy_span oid_ec = BYTES("\x2a\x86\x48\xce\x3d\x02\x01");
static const struct chy_span oid_rsa = BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct chy_span oid_pss = BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");

static const struct curve {
    struct chy_span params; /* namedCurve, whole TLV */
    const char *name;
    int size;
    size_t field_len;
} curves[] = {
    {BYTES("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), "p256", 256, 32},
    {BYTES("\x06\x05\x2b\x81\x04\x00\x22"), "p384", 384, 48},
    {BYTES("\x06\x05\x2b\x81\x04\x00\x23"), "p521", 521, 66},
};

/* Keys that are one string of fixed length, without parameters. */
static const struct raw_key {
    struct chy_span oid;
    enum chy_key_kind kind;
    const char *name;
    int size;
    size_t len;
} raw_keys[] = {
    {BYTES("\x2b\x65\x70"), CHY_KEY_ED25519, "ed25519", 256, 32},
    {BYTES("\x2b\x65\x71"), CHY_KEY_ED448, "ed448", 456, 57},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x11"), CHY_KEY_MLDSA, "mldsa44", 128, 1312},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x12"), CHY_KEY_MLDSA, "mldsa65", 192, 1952},
    {BYTES("\x60\x86\x48\x01\x65\x03\x04\x03\x13"), CHY_KEY_MLDSA, "mldsa87", 256, 2592},
};

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "public key: %s", what);
}

static chy_hresult unknown(struct chy_span oid, const char *what, struct chy_err *err)
{
    char text[128];
    if (!chy_oid_to_text(oid, text, sizeof(text))) return bad(err, "malformed object identifier");
    const char *name = chy_oid_name(oid);
    return chy_fail(err, CHY_E_INVALIDARG, "public key: %s %s (%s) is not supported", what, text,
                    name ? name : "no name known");
}

static chy_hresult parse_ec(struct chy_spki *k, struct chy_err *err)
{
    const struct curve *curve = NULL;
    struct chy_der d = chy_der_of(k->alg_params);
    struct chy_span oid;
    if (!chy_der_expect(&d, CHY_DER_OID, &oid))
        return bad(err,
                   "EC parameters must name a curve (RFC 5480 2.1.1): they are absent, implicit "
                   "or explicit");
    for (size_t i = 0; i < CHY_ARRAY_LEN(curves); i++) {
        if (chy_span_eq(k->alg_params, curves[i].params)) curve = &curves[i];
    }
    if (!curve) return unknown(oid, "elliptic curve", err);
    if (k->bits.n && (k->bits.p[0] == 0x02 || k->bits.p[0] == 0x03))
        return bad(err,
                   "compressed EC points are not accepted (RFC 5480 2.2); send the uncompressed "
                   "form");
    if (k->bits.n != 1 + 2 * curve->field_len || k->bits.p[0] != 0x04)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU,
                        "public key: a point on %s is 04 and %zu octets (SEC 1 2.3.3): %zu octets",
                        curve->name, 2 * curve->field_len, k->bits.n);
    k->kind = CHY_KEY_EC;
    k->name = curve->name;
    k->size = curve->size;
    return CHY_S_OK;
}

static bool read_magnitude(struct chy_der *d, struct chy_span *out)
{
    struct chy_span v;
    if (!chy_der_expect(d, CHY_DER_INTEGER, &v) || !chy_der_int_minimal(v) || (v.p[0] & 0x80))
        return false;
    if (v.p[0] == 0) v = (struct chy_span){v.p + 1, v.n - 1};
    *out = v;
    return v.n > 0;
}

static int bit_length(struct chy_span magnitude)
{
    int bits = (int)magnitude.n * 8;
    for (uint8_t top = magnitude.p[0]; !(top & 0x80); top = (uint8_t)(top << 1))
        bits--;
    return bits;
}

/* RFC 8017 A.1.1: RSAPublicKey ::= SEQUENCE { modulus, publicExponent } */
static chy_hresult parse_rsa_numbers(struct chy_spki *k, struct chy_err *err)
{
    struct chy_der outer = chy_der_of(k->bits), d;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&outer))
        return bad(err, "RSAPublicKey is not one SEQUENCE (RFC 8017 A.1.1)");
    if (!read_magnitude(&d, &k->rsa_n) || !read_magnitude(&d, &k->rsa_e) || !chy_der_empty(&d))
        return bad(err, "RSAPublicKey is not two positive INTEGERs (RFC 8017 A.1.1)");
    /* A modulus costs the verifier the cube of its length, an exponent its own. */
    if (k->rsa_n.n * 8 > CHY_RSA_MAX_BITS || k->rsa_e.n > k->rsa_n.n)
        return chy_fail(err, CHY_CERTSRV_E_KEY_LENGTH,
                        "public key: RSA modulus of %zu octets, exponent of %zu octets: at most %d "
                        "and no longer than the modulus",
                        k->rsa_n.n, k->rsa_e.n, CHY_RSA_MAX_BITS / 8);
    k->size = bit_length(k->rsa_n);
    return CHY_S_OK;
}

static chy_hresult parse_rsa(struct chy_spki *k, struct chy_err *err)
{
    /* RFC 3279 2.3.1: the parameters are NULL. */
    if (k->alg_params.n != 2 || k->alg_params.p[0] != CHY_DER_NULL)
        return bad(err, "RSA parameters must be NULL (RFC 3279 2.3.1)");
    chy_hresult hr = parse_rsa_numbers(k, err);
    if (CHY_FAILED(hr)) return hr;
    k->kind = CHY_KEY_RSA;
    k->name = chy_rsa_name(k->size);
    return CHY_S_OK;
}

static chy_hresult parse_rsa_pss(struct chy_spki *k, struct chy_span algorithm, struct chy_err *err)
{
    if (k->alg_params.n && !chy_sig_alg_by_der(algorithm))
        return bad(err,
                   "RSASSA-PSS parameters must be one SHA-2 hash, MGF1 with the same and a salt "
                   "of its length (RFC 4055 3.1)");
    chy_hresult hr = parse_rsa_numbers(k, err);
    if (CHY_FAILED(hr)) return hr;
    k->kind = CHY_KEY_RSA_PSS;
    k->name = "rsa-pss";
    return CHY_S_OK;
}

static chy_hresult parse_raw(struct chy_spki *k, const struct raw_key *raw, struct chy_err *err)
{
    if (k->alg_params.n)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU,
                        "public key: parameters of %s must be absent (RFC 8410 3, RFC 9881 2)",
                        raw->name);
    if (k->bits.n != raw->len)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "public key: %s has %zu octets: %zu octets",
                        raw->name, raw->len, k->bits.n);
    k->kind = raw->kind;
    k->name = raw->name;
    k->size = raw->size;
    return CHY_S_OK;
}

static chy_hresult parse_by_algorithm(struct chy_spki *k, struct chy_span algorithm,
                                      struct chy_err *err)
{
    if (chy_span_eq(k->alg_oid, oid_ec)) return parse_ec(k, err);
    if (chy_span_eq(k->alg_oid, oid_rsa)) return parse_rsa(k, err);
    if (chy_span_eq(k->alg_oid, oid_pss)) return parse_rsa_pss(k, algorithm, err);
    for (size_t i = 0; i < CHY_ARRAY_LEN(raw_keys); i++) {
        if (chy_span_eq(k->alg_oid, raw_keys[i].oid)) return parse_raw(k, &raw_keys[i], err);
    }
    return unknown(k->alg_oid, "algorithm", err);
}

chy_hresult chy_spki_parse(struct chy_span der, struct chy_spki *out, struct chy_err *err)
{
    struct chy_der outer = chy_der_of(der), seq, alg;
    struct chy_tlv alg_tlv, params;
    struct chy_span bit_string;
    unsigned unused;
    struct chy_spki k = {.der = der, .name = "unknown"};

    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &seq) || !chy_der_empty(&outer))
        return bad(err, "SubjectPublicKeyInfo is not one SEQUENCE (RFC 5280 4.1)");
    if (!chy_der_read(&seq, &alg_tlv) || alg_tlv.tag != CHY_DER_SEQUENCE)
        return bad(err, "algorithm is not a SEQUENCE (RFC 5280 4.1.1.2)");
    alg = chy_der_of(alg_tlv.value);
    if (!chy_der_expect(&alg, CHY_DER_OID, &k.alg_oid))
        return bad(err, "algorithm has no object identifier (RFC 5280 4.1.1.2)");
    if (!chy_der_empty(&alg)) {
        if (!chy_der_read(&alg, &params) || !chy_der_empty(&alg) || !chy_der_strict(params.whole))
            return bad(err, "algorithm parameters are not one DER value (RFC 5280 4.1.1.2)");
        k.alg_params = params.whole;
    }
    if (!chy_der_expect(&seq, CHY_DER_BIT_STRING, &bit_string) || !chy_der_empty(&seq) ||
        !chy_der_get_bits(bit_string, &k.bits, &unused) || unused != 0)
        return bad(err, "subjectPublicKey is not one BIT STRING of whole octets (RFC 5280 4.1)");
    chy_hresult hr = parse_by_algorithm(&k, alg_tlv.whole, err);
    if (hr == CHY_S_OK) *out = k;
    return hr;
}

chy_hresult chy_spki_key_id(const struct chy_spki *key, uint8_t out[20], struct chy_err *err)
{
    size_t n = 20;
    if (EVP_Q_digest(NULL, "SHA1", NULL, key->bits.p, key->bits.n, out, &n) == 1) return CHY_S_OK;
    return chy_fail_openssl(err, CHY_NTE_FAIL, "key identifier: OpenSSL cannot digest the key");
}
