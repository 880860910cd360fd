/* Certificates parsed in place. RFC 5280 4.1; X.690 for the encoding. */
#include "pki/cert.h"

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "certificate (RFC 5280 4.1): %s", what);
}

static bool read_validity(struct chy_der *d, struct chy_cert *out)
{
    struct chy_der v;
    struct chy_tlv a, b;
    return chy_der_enter(d, CHY_DER_SEQUENCE, &v) && chy_der_read(&v, &a) && chy_der_read(&v, &b) &&
           chy_der_empty(&v) && chy_der_get_time(a.tag, a.value, &out->not_before) &&
           chy_der_get_time(b.tag, b.value, &out->not_after);
}

static bool read_version(struct chy_der *d, struct chy_cert *out)
{
    struct chy_span version, number;
    bool present = false;
    int64_t v = 0;
    if (!chy_der_skip_optional(d, CHY_DER_CTX_C(0), &version, &present)) return false;
    out->version = 1;
    if (!present) return true;
    struct chy_der inner = chy_der_of(version);
    if (!chy_der_expect(&inner, CHY_DER_INTEGER, &number) || !chy_der_empty(&inner) ||
        !chy_der_get_int(number, &v) || v < 1 || v > 2) {
        return false; /* v1 is the DEFAULT: written out it is no DER */
    }
    out->version = (int)v + 1;
    return true;
}

/* Of issuer and subject, [1] and [2]: BIT STRINGs since version 2. */
static bool skip_unique_ids(struct chy_der *d, int version)
{
    struct chy_span id, bits;
    bool present;
    unsigned unused;
    for (unsigned tag = 1; tag <= 2; tag++) {
        if (!chy_der_skip_optional(d, (uint8_t)CHY_DER_CTX(tag), &id, &present)) return false;
        if (present && (version < 2 || !chy_der_get_bits(id, &bits, &unused))) return false;
    }
    return true;
}

static chy_hresult read_extensions(struct chy_der *d, struct chy_cert *out, struct chy_err *err)
{
    struct chy_der inner;
    struct chy_tlv list;
    if (chy_der_empty(d)) return CHY_S_OK;
    if (!chy_der_enter(d, CHY_DER_CTX_C(3), &inner) || !chy_der_empty(d) ||
        !chy_der_read(&inner, &list) || !chy_der_empty(&inner) || out->version != 3) {
        return bad(err, "malformed extensions, or octets behind them");
    }
    return chy_ext_list_parse(list.whole, out->ext, &out->n_ext, err);
}

chy_hresult chy_cert_parse_tbs(struct chy_span tbs, struct chy_cert *out, struct chy_err *err)
{
    struct chy_der top = chy_der_of(tbs), d;
    struct chy_tlv issuer, subject, spki;
    *out = (struct chy_cert){.tbs = tbs};
    if (tbs.n > CHY_CERT_MAX) return bad(err, "longer than 65536 octets");
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (!read_version(&d, out)) return bad(err, "malformed version");
    if (!chy_der_expect(&d, CHY_DER_INTEGER, &out->serial) || !chy_der_int_minimal(out->serial)) {
        return bad(err, "malformed serial number");
    }
    if (!chy_sig_alg_read(&d, &out->sig_alg_der, &out->sig_alg))
        return bad(err, "malformed signature algorithm");
    if (!chy_der_read(&d, &issuer)) return bad(err, "no issuer");
    if (!read_validity(&d, out)) return bad(err, "malformed validity");
    if (!chy_der_read(&d, &subject) || !chy_der_read(&d, &spki))
        return bad(err, "no subject or public key");
    chy_hresult hr = chy_name_parse(issuer.whole, &out->issuer, err);
    if (hr == CHY_S_OK) hr = chy_name_parse(subject.whole, &out->subject, err);
    if (hr == CHY_S_OK) hr = chy_spki_parse(spki.whole, &out->key, err);
    if (hr != CHY_S_OK) return hr;
    if (!skip_unique_ids(&d, out->version)) return bad(err, "malformed unique identifiers");
    return read_extensions(&d, out, err);
}

chy_hresult chy_cert_parse(struct chy_span der, struct chy_cert *out, struct chy_err *err)
{
    struct chy_der top = chy_der_of(der), d;
    struct chy_tlv tbs, alg;
    struct chy_span bits;
    unsigned unused = 0;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (!chy_der_read(&d, &tbs) || !chy_der_read(&d, &alg) ||
        !chy_der_expect(&d, CHY_DER_BIT_STRING, &bits) || !chy_der_empty(&d)) {
        return bad(err, "not tbsCertificate, algorithm and signature");
    }
    chy_hresult hr = chy_cert_parse_tbs(tbs.whole, out, err);
    if (hr != CHY_S_OK) return hr;
    out->der = der;
    if (!chy_span_eq(out->sig_alg_der, alg.whole))
        return bad(err, "the two signature algorithms differ (4.1.1.2)");
    if (!chy_der_get_bits(bits, &out->signature, &unused) || unused)
        return bad(err, "malformed signature");
    return CHY_S_OK;
}

const struct chy_ext *chy_cert_find_ext(const struct chy_cert *c, struct chy_span oid)
{
    for (size_t i = 0; i < c->n_ext; i++) {
        if (chy_span_eq(c->ext[i].oid, oid)) return &c->ext[i];
    }
    return NULL;
}
