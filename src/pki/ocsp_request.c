/* OCSP requests read in place (RFC 6960 4.1). Strict: all that we refuse is a malformedRequest. */
#include "pki/ocsp.h"

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "OCSP request (RFC 6960 4.1.1): %s", what);
}

/* RFC 6960 4.3, RFC 5754 2: parameters are NULL or absent. */
static bool read_hash(struct chy_der alg, enum chy_ocsp_hash *out)
{
    static const struct chy_span sha1 = {(const uint8_t *)"\x2b\x0e\x03\x02\x1a", 5};
    static const struct chy_span sha256 = {(const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02\x01",
                                           9};
    struct chy_span oid;
    struct chy_tlv params = {.tag = CHY_DER_NULL};
    if (!chy_der_expect(&alg, CHY_DER_OID, &oid) || !chy_oid_valid(oid)) return false;
    if (!chy_der_empty(&alg) &&
        (!chy_der_read(&alg, &params) || !chy_der_empty(&alg) || !chy_der_strict(params.whole)))
        return false;
    *out = chy_span_eq(oid, sha1)     ? CHY_OCSP_SHA1
           : chy_span_eq(oid, sha256) ? CHY_OCSP_SHA256
                                      : CHY_OCSP_HASH_OTHER;
    return *out == CHY_OCSP_HASH_OTHER || params.tag == CHY_DER_NULL;
}

static bool read_id(struct chy_der *d, struct chy_ocsp_id *out)
{
    static const size_t lengths[] = {[CHY_OCSP_SHA1] = 20, [CHY_OCSP_SHA256] = 32};
    struct chy_tlv whole;
    struct chy_der id, alg;
    if (!chy_der_read(d, &whole) || whole.tag != CHY_DER_SEQUENCE) return false;
    out->der = whole.whole;
    id = chy_der_of(whole.value);
    if (!chy_der_enter(&id, CHY_DER_SEQUENCE, &alg) || !read_hash(alg, &out->hash) ||
        !chy_der_expect(&id, CHY_DER_OCTET_STRING, &out->name_hash) ||
        !chy_der_expect(&id, CHY_DER_OCTET_STRING, &out->key_hash) ||
        !chy_der_expect(&id, CHY_DER_INTEGER, &out->serial) || !chy_der_int_minimal(out->serial) ||
        !chy_der_empty(&id))
        return false;
    return out->hash == CHY_OCSP_HASH_OTHER ||
           (out->name_hash.n == lengths[out->hash] && out->key_hash.n == lengths[out->hash]);
}

/* RFC 9654 2.1: an OCTET STRING inside of the extension's value. Clients of before RFC 8954 that
 * put their octets there as they are get malformedRequest, as that RFC has it. */
static bool read_nonce(struct chy_span value, struct chy_ocsp_request *out)
{
    struct chy_der d = chy_der_of(value);
    out->has_nonce = true;
    return chy_der_expect(&d, CHY_DER_OCTET_STRING, &out->nonce) && chy_der_empty(&d) &&
           out->nonce.n >= 1 && out->nonce.n <= CHY_OCSP_NONCE_MAX;
}

/* What a client asks for by response types or signature algorithms, the basic response and our one
 * signature satisfy as well as they can be (4.4.3, 4.4.7.1). */
static bool is_known(struct chy_span oid)
{
    return chy_span_eq(oid, chy_oid_ocsp_nonce) || chy_span_eq(oid, chy_oid_ocsp_response_types) ||
           chy_span_eq(oid, chy_oid_ocsp_preferred_sig_algs);
}

static chy_hresult read_extensions(struct chy_der d, bool of_request, struct chy_ocsp_request *out,
                                   struct chy_err *err)
{
    struct chy_ext ext[CHY_EXT_MAX];
    struct chy_tlv list;
    size_t n;
    if (!chy_der_read(&d, &list) || !chy_der_empty(&d)) return bad(err, "malformed extensions");
    chy_hresult hr = chy_ext_list_parse(list.whole, ext, &n, err);
    for (size_t i = 0; CHY_SUCCEEDED(hr) && i < n; i++) {
        if (ext[i].critical && (!of_request || !is_known(ext[i].oid))) out->unknown_critical = true;
        if (!of_request || !chy_span_eq(ext[i].oid, chy_oid_ocsp_nonce)) continue;
        if (!read_nonce(ext[i].value, out))
            hr = bad(err, "the nonce is no OCTET STRING of 1 to 128 octets (RFC 9654 2.1)");
    }
    return hr;
}

static chy_hresult read_one(struct chy_der *list, struct chy_ocsp_request *out, struct chy_err *err)
{
    struct chy_der d;
    struct chy_span ext;
    bool present;
    if (!chy_der_enter(list, CHY_DER_SEQUENCE, &d)) return bad(err, "one request is no SEQUENCE");
    if (!read_id(&d, &out->id[out->n])) return bad(err, "malformed CertID");
    out->n++;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &ext, &present) || !chy_der_empty(&d))
        return bad(err, "octets behind a CertID");
    return present ? read_extensions(chy_der_of(ext), false, out, err) : CHY_S_OK;
}

static chy_hresult read_list(struct chy_der *d, struct chy_ocsp_request *out, struct chy_err *err)
{
    struct chy_der list;
    if (!chy_der_enter(d, CHY_DER_SEQUENCE, &list)) return bad(err, "no list of requests");
    if (chy_der_empty(&list)) return bad(err, "the list of requests is empty");
    while (!chy_der_empty(&list)) {
        if (out->n == CHY_OCSP_MAX_IDS) return bad(err, "more than 64 certificates");
        chy_hresult hr = read_one(&list, out, err);
        if (CHY_FAILED(hr)) return hr;
    }
    return CHY_S_OK;
}

/* [1] EXPLICIT GeneralName: whoever asks, the answer is the same. */
static bool skip_requestor(struct chy_der *d)
{
    struct chy_span value;
    struct chy_tlv name;
    bool present;
    if (!chy_der_skip_optional(d, CHY_DER_CTX_C(1), &value, &present)) return false;
    struct chy_der inner = chy_der_of(value);
    return !present ||
           (chy_der_read(&inner, &name) && chy_der_empty(&inner) && (name.tag & 0xc0) == 0x80 &&
            (name.tag & 0x1f) <= CHY_GN_RID && chy_der_strict(name.whole));
}

static chy_hresult read_tbs(struct chy_der d, struct chy_ocsp_request *out, struct chy_err *err)
{
    struct chy_span ext;
    bool present;
    /* v1 is the DEFAULT: written out it is no DER, and there is no other. */
    if (chy_der_peek(&d) == CHY_DER_CTX_C(0)) return bad(err, "a version is written out");
    if (!skip_requestor(&d)) return bad(err, "malformed requestorName");
    chy_hresult hr = read_list(&d, out, err);
    if (CHY_FAILED(hr)) return hr;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(2), &ext, &present) || !chy_der_empty(&d))
        return bad(err, "octets behind the list of requests");
    return present ? read_extensions(chy_der_of(ext), true, out, err) : CHY_S_OK;
}

/* Signature ::= SEQUENCE { algorithm, BIT STRING, [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
 */
static bool skip_signature(struct chy_der *d, bool *present)
{
    struct chy_span value, bits, certs;
    struct chy_der inner, seq, alg, list, each;
    bool has_certs;
    if (!chy_der_skip_optional(d, CHY_DER_CTX_C(0), &value, present)) return false;
    if (!*present) return true;
    inner = chy_der_of(value);
    if (!chy_der_strict(value) || !chy_der_enter(&inner, CHY_DER_SEQUENCE, &seq) ||
        !chy_der_enter(&seq, CHY_DER_SEQUENCE, &alg) || !chy_der_expect(&alg, CHY_DER_OID, &bits) ||
        !chy_der_expect(&seq, CHY_DER_BIT_STRING, &bits) ||
        !chy_der_skip_optional(&seq, CHY_DER_CTX_C(0), &certs, &has_certs) || !chy_der_empty(&seq))
        return false;
    if (!has_certs) return true;
    inner = chy_der_of(certs);
    if (!chy_der_enter(&inner, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&inner)) return false;
    while (!chy_der_empty(&list)) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &each)) return false;
    }
    return true;
}

chy_hresult chy_ocsp_request_parse(struct chy_span der, struct chy_ocsp_request *out,
                                   struct chy_err *err)
{
    struct chy_der top = chy_der_of(der), d, tbs;
    out->n = 0;
    out->has_nonce = out->has_signature = out->unknown_critical = false;
    out->nonce = (struct chy_span){NULL, 0};
    if (der.n > CHY_OCSP_REQUEST_MAX) return bad(err, "longer than 16384 octets");
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &tbs)) return bad(err, "no tbsRequest");
    chy_hresult hr = read_tbs(tbs, out, err);
    if (CHY_FAILED(hr)) return hr;
    if (!skip_signature(&d, &out->has_signature) || !chy_der_empty(&d))
        return bad(err, "malformed signature, or octets behind it");
    return CHY_S_OK;
}
