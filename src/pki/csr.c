/* PKCS#10 requests in place: strict DER, one way to write each thing, bounded counts. RFC 2986,
 * 2985. Thread: any. Nothing is allocated; every span points into the caller's octets. */
#include "pki/csr.h"

#include <string.h>

#include "base/text.h"

enum { MAX_ATTRIBUTES = 64 };

#define BYTES(octets)                                                                              \
    {                                                                                              \
        (const uint8_t *)(octets), sizeof(octets) - 1                                              \
    }

static const struct chy_span oid_extension_request = BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e");
static const struct chy_span oid_ms_extensions = BYTES("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e");
static const struct chy_span oid_ms_pair = BYTES("\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x01");
static const struct chy_span oid_challenge = BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07");

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "request: %s", what);
}

static chy_hresult wrapped(chy_hresult hr, const char *context, struct chy_err *err)
{
    if (CHY_FAILED(hr)) chy_wrap(err, "%s", context);
    return hr;
}

/* ---- transport forms ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static chy_hresult decode_text(struct chy_span text, struct chy_buf *out, struct chy_err *err)
{
    static const char *const labels[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", NULL};
    size_t pos = 0;
    if (text.p[0] == '-' || memmem(text.p, text.n, "-----BEGIN ", 11)) {
        chy_hresult hr = chy_pem_next(text, labels, &pos, out, err);
        if (hr == CHY_S_FALSE)
            return bad(err, "PEM without a CERTIFICATE REQUEST block (RFC 7468 7)");
        return wrapped(hr, "request", err);
    }
    if (!chy_base64_decode(out, text) && !out->failed)
        return bad(err, "neither DER nor PEM nor base64");
    return CHY_S_OK;
}

chy_hresult chy_csr_to_der(struct chy_span in, struct chy_buf *out, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    while (in.n && is_space(in.p[0]))
        in = (struct chy_span){in.p + 1, in.n - 1};
    if (in.n == 0) return bad(err, "it is empty");
    /* Base64 with line ends and a PEM frame is less than twice the octets. */
    if (in.n > 2 * (size_t)CHY_CSR_MAX)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "request: at most %d octets: %zu octets",
                        CHY_CSR_MAX, in.n);
    chy_buf_reset(out);
    if (in.p[0] == CHY_DER_SEQUENCE)
        chy_buf_add_span(out, in);
    else
        hr = decode_text(in, out, err);
    if (CHY_FAILED(hr)) return hr;
    hr = chy_buf_done(out, "request", err);
    if (CHY_FAILED(hr)) return hr;
    if (out->n == 0 || out->p[0] != CHY_DER_SEQUENCE)
        return bad(err, "the decoded text is not a DER SEQUENCE (RFC 2986 4.2)");
    return CHY_S_OK;
}

/* ---- attributes ---- */

struct attributes {
    struct chy_span seen[MAX_ATTRIBUTES];
    size_t n;
};

static bool has_extension(const struct chy_csr *csr, struct chy_span oid)
{
    for (size_t i = 0; i < csr->n_ext; i++) {
        if (chy_span_eq(csr->ext[i].oid, oid)) return true;
    }
    return false;
}

/* RFC 2985 5.4.2: one value, which is Extensions. Microsoft's own identifier carries the same;
 * where both are there, they may not speak of one extension twice. */
static chy_hresult read_extensions(struct chy_span values, struct chy_csr *out, struct chy_err *err)
{
    struct chy_ext ext[CHY_EXT_MAX];
    struct chy_der d = chy_der_of(values);
    struct chy_tlv list;
    size_t n = CHY_EXT_MAX;
    if (!chy_der_read(&d, &list) || list.tag != CHY_DER_SEQUENCE || !chy_der_empty(&d))
        return bad(err, "extensionRequest has not exactly one value, a SEQUENCE (RFC 2985 5.4.2)");
    chy_hresult hr = chy_ext_list_parse(list.whole, ext, &n, err);
    if (CHY_FAILED(hr)) return wrapped(hr, "request", err);
    if (n > CHY_EXT_MAX - out->n_ext)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "request: at most %d extensions: %zu",
                        CHY_EXT_MAX, out->n_ext + n);
    for (size_t i = 0; i < n; i++) {
        if (has_extension(out, ext[i].oid))
            return bad(err, "one extension is requested twice (RFC 5280 4.2)");
    }
    memcpy(out->ext + out->n_ext, ext, n * sizeof(*ext));
    out->n_ext += n;
    return CHY_S_OK;
}

/* MS-WCCE 2.2.2.7.10: EnrollmentNameValuePair ::= SEQUENCE { name BMPString, value BMPString } */
static chy_hresult read_pairs(struct chy_span values, struct chy_csr *out, struct chy_err *err)
{
    struct chy_der d = chy_der_of(values), pair;
    while (!chy_der_empty(&d)) {
        struct chy_span name, value;
        if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &pair) ||
            !chy_der_expect(&pair, CHY_DER_BMP, &name) ||
            !chy_der_expect(&pair, CHY_DER_BMP, &value) || !chy_der_empty(&pair))
            return bad(err, "a name/value pair is not two BMPStrings (MS-WCCE 2.2.2.7.10)");
        if (name.n == 0 || name.n % 2 || value.n % 2)
            return bad(err, "a name/value pair has an empty name or half a character (MS-WCCE "
                            "2.2.2.7.10)");
        if (out->n_pairs == CHY_CSR_MAX_PAIRS)
            return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "request: at most %d name/value pairs",
                            CHY_CSR_MAX_PAIRS);
        out->pair[out->n_pairs].name = name;
        out->pair[out->n_pairs].value = value;
        out->n_pairs++;
    }
    return CHY_S_OK;
}

static chy_hresult read_values(struct chy_span oid, struct chy_tlv *set, struct chy_csr *out,
                               struct chy_err *err)
{
    if (chy_span_eq(oid, oid_extension_request) || chy_span_eq(oid, oid_ms_extensions))
        return read_extensions(set->value, out, err);
    if (chy_span_eq(oid, oid_ms_pair)) return read_pairs(set->value, out, err);
    if (chy_span_eq(oid, oid_challenge)) out->has_challenge_password = true;
    return CHY_S_OK;
}

/* RFC 2986 4.1: Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET SIZE(1..MAX) } */
static chy_hresult read_attribute(struct chy_der *d, struct attributes *known, struct chy_csr *out,
                                  struct chy_err *err)
{
    struct chy_der attribute;
    struct chy_span oid;
    struct chy_tlv set;
    if (!chy_der_enter(d, CHY_DER_SEQUENCE, &attribute) ||
        !chy_der_expect(&attribute, CHY_DER_OID, &oid) || !chy_der_read(&attribute, &set) ||
        set.tag != CHY_DER_SET || !chy_der_empty(&attribute))
        return bad(err, "an attribute is not an identifier and a SET of values (RFC 2986 4.1)");
    if (set.value.n == 0) return bad(err, "an attribute has no value (RFC 2986 4.1)");
    if (!chy_der_strict(set.whole))
        return bad(err, "the values of an attribute are not DER (RFC 2986 4.1)");
    if (known->n == MAX_ATTRIBUTES)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "request: at most %d attributes",
                        MAX_ATTRIBUTES);
    /* Each name/value pair may come as an attribute of its own; everything else comes once. */
    for (size_t i = 0; i < known->n && !chy_span_eq(oid, oid_ms_pair); i++) {
        if (chy_span_eq(oid, known->seen[i]))
            return bad(err, "one attribute type is there twice (RFC 2986 4.1, X.501 8.2)");
    }
    known->seen[known->n++] = oid;
    return read_values(oid, &set, out, err);
}

/* ---- the request ---- */

static chy_hresult read_info(struct chy_span info, struct chy_csr *out, struct chy_err *err)
{
    struct chy_der d = chy_der_of(info), list;
    struct chy_span version;
    struct chy_tlv name, spki;
    struct attributes known = {.n = 0};
    if (!chy_der_expect(&d, CHY_DER_INTEGER, &version))
        return bad(err, "version is not an INTEGER (RFC 2986 4.1)");
    if (version.n != 1 || version.p[0] != 0) return bad(err, "version is not 0 (RFC 2986 4.1)");
    if (!chy_der_read(&d, &name) || name.tag != CHY_DER_SEQUENCE)
        return bad(err, "subject is not a Name (RFC 2986 4.1)");
    chy_hresult hr = chy_name_parse(name.whole, &out->subject, err);
    if (CHY_FAILED(hr)) return wrapped(hr, "request subject", err);
    if (!chy_der_read(&d, &spki) || spki.tag != CHY_DER_SEQUENCE)
        return bad(err, "subjectPKInfo is not a SEQUENCE (RFC 2986 4.1)");
    hr = chy_spki_parse(spki.whole, &out->key, err);
    if (CHY_FAILED(hr)) return wrapped(hr, "request", err);
    if (!chy_der_enter(&d, CHY_DER_CTX_C(0), &list) || !chy_der_empty(&d))
        return bad(err, "attributes are not one [0], the last field (RFC 2986 4.1)");
    while (hr == CHY_S_OK && !chy_der_empty(&list))
        hr = read_attribute(&list, &known, out, err);
    return hr;
}

/* Signatures over MD5 and SHA-1 can be made for a message that the signer never saw (BR 7.1.3.2).
 */
static bool has_broken_hash(struct chy_span oid)
{
    static const struct chy_span broken[] = {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02"),
                                             BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x03"),
                                             BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"),
                                             BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
                                             BYTES("\x2b\x0e\x03\x02\x1d"),
                                             BYTES("\x2a\x86\x48\xce\x38\x04\x03"),
                                             BYTES("\x2a\x86\x48\xce\x3d\x04\x01")};
    for (size_t i = 0; i < CHY_ARRAY_LEN(broken); i++) {
        if (chy_span_eq(oid, broken[i])) return true;
    }
    return false;
}

static chy_hresult read_algorithm(const struct chy_tlv *alg, struct chy_csr *out,
                                  struct chy_err *err)
{
    char text[128];
    struct chy_der d = chy_der_of(alg->value);
    struct chy_span oid;
    out->sig_alg = chy_sig_alg_by_der(alg->whole);
    if (out->sig_alg) return CHY_S_OK;
    if (!chy_der_expect(&d, CHY_DER_OID, &oid) || !chy_oid_to_text(oid, text, sizeof(text)))
        return bad(err, "signatureAlgorithm has no object identifier (RFC 2986 4.2)");
    const char *name = chy_oid_name(oid);
    if (has_broken_hash(oid))
        return chy_fail(err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                        "request: signatures over MD5 and SHA-1 are not accepted (BR 7.1.3.2): %s",
                        name ? name : text);
    return chy_fail(err, CHY_E_INVALIDARG,
                    "request: signature algorithm %s (%s) with these parameters is not supported",
                    text, name ? name : "no name known");
}

static chy_hresult read_signature(struct chy_der *d, struct chy_csr *out, struct chy_err *err)
{
    struct chy_tlv alg;
    struct chy_span bit_string;
    unsigned unused;
    if (!chy_der_read(d, &alg) || alg.tag != CHY_DER_SEQUENCE)
        return bad(err, "signatureAlgorithm is not a SEQUENCE (RFC 2986 4.2)");
    chy_hresult hr = read_algorithm(&alg, out, err);
    if (CHY_FAILED(hr)) return hr;
    if (!chy_der_expect(d, CHY_DER_BIT_STRING, &bit_string) || !chy_der_empty(d) ||
        !chy_der_get_bits(bit_string, &out->signature, &unused) || unused != 0)
        return bad(err, "signature is not one BIT STRING of whole octets, the last field (RFC 2986 "
                        "4.2)");
    return CHY_S_OK;
}

chy_hresult chy_csr_parse(struct chy_span der, struct chy_csr *out, struct chy_err *err)
{
    struct chy_der outer = chy_der_of(der), d;
    struct chy_tlv info;
    /* Only what counts the entries is cleared: the arrays are large, and nothing reads past them.
     */
    out->n_ext = 0;
    out->n_pairs = 0;
    out->has_challenge_password = false;
    if (der.n > CHY_CSR_MAX)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "request: at most %d octets: %zu octets",
                        CHY_CSR_MAX, der.n);
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d))
        return bad(err, "it is not a DER SEQUENCE (RFC 2986 4.2)");
    if (!chy_der_empty(&outer))
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU,
                        "request: octets after its end (RFC 2986 4.2): %zu octets",
                        (size_t)(outer.end - outer.p));
    if (!chy_der_read(&d, &info) || info.tag != CHY_DER_SEQUENCE)
        return bad(err, "certificationRequestInfo is not a SEQUENCE (RFC 2986 4.2)");
    out->der = der;
    out->info = info.whole;
    chy_hresult hr = read_info(info.value, out, err);
    return CHY_FAILED(hr) ? hr : read_signature(&d, out, err);
}

chy_hresult chy_csr_verify(struct chy_verifier *v, const struct chy_csr *csr, struct chy_err *err)
{
    chy_hresult hr = chy_verify(v, &csr->key, csr->sig_alg, csr->info, csr->signature, err);
    return wrapped(hr, "request, proof of possession (RFC 2986 3)", err);
}
