/* Revocation lists read in place (RFC 5280 5): the whole strictly, its entries as they are passed.
 * Indirect lists are not for us: an entry that another issuer's name goes with is refused. */
#include "pki/crl.h"

enum { ENTRY_EXT_MAX = 16, NUMBER_OCTETS_MAX = 20 };

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "CRL (RFC 5280 5.1): %s", what);
}

/* ---- entries ---- */

static bool read_reason(struct chy_span value, int32_t *out)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    if (!chy_der_expect(&d, CHY_DER_ENUMERATED, &v) || !chy_der_empty(&d) || v.n != 1) return false;
    /* 5.3.1: 7 is not used. */
    if (v.p[0] > CHY_CRL_REASON_AA_COMPROMISE || v.p[0] == 7) return false;
    *out = v.p[0];
    return true;
}

static bool read_invalidity(struct chy_span value, chy_time *out)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    return chy_der_expect(&d, CHY_DER_GENERALIZED_TIME, &v) && chy_der_empty(&d) &&
           chy_der_get_time(CHY_DER_GENERALIZED_TIME, v, out);
}

static bool read_extension(struct chy_der *list, struct chy_ext *e)
{
    struct chy_der d;
    struct chy_span flag;
    bool present;
    *e = (struct chy_ext){.critical = false};
    if (!chy_der_enter(list, CHY_DER_SEQUENCE, &d) || !chy_der_expect(&d, CHY_DER_OID, &e->oid) ||
        !chy_oid_valid(e->oid) || !chy_der_skip_optional(&d, CHY_DER_BOOLEAN, &flag, &present))
        return false;
    if (present && (!chy_der_get_bool(flag, &e->critical) || !e->critical)) return false;
    return chy_der_expect(&d, CHY_DER_OCTET_STRING, &e->value) && chy_der_empty(&d);
}

static bool is_among(struct chy_span oid, const struct chy_ext *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (chy_span_eq(list[i].oid, oid)) return true;
    }
    return false;
}

static bool read_entry_extensions(struct chy_der list, struct chy_crl_entry *out)
{
    struct chy_ext ext[ENTRY_EXT_MAX];
    size_t n = 0;
    if (chy_der_empty(&list)) return false;
    while (!chy_der_empty(&list)) {
        if (n == ENTRY_EXT_MAX || !read_extension(&list, &ext[n])) return false;
        const struct chy_ext *e = &ext[n];
        if (is_among(e->oid, ext, n)) return false;
        if (chy_span_eq(e->oid, chy_oid_reason_code)) {
            if (!read_reason(e->value, &out->reason)) return false;
        } else if (chy_span_eq(e->oid, chy_oid_invalidity_date)) {
            if (!read_invalidity(e->value, &out->invalid)) return false;
        } else if (e->critical) {
            return false;
        }
        n++;
    }
    return true;
}

bool chy_crl_entry_next(struct chy_span entries, size_t *pos, struct chy_crl_entry *out)
{
    if (*pos >= entries.n) return false;
    struct chy_der rest = chy_der_of(chy_span_of(entries.p + *pos, entries.n - *pos)), d, list;
    struct chy_tlv whole, time;
    *out =
        (struct chy_crl_entry){.reason = CHY_CRL_REASON_UNSPECIFIED, .invalid = CHY_TIME_DEFAULT};
    if (!chy_der_read(&rest, &whole) || whole.tag != CHY_DER_SEQUENCE) return false;
    d = chy_der_of(whole.value);
    if (!chy_der_expect(&d, CHY_DER_INTEGER, &out->serial) || !chy_der_int_minimal(out->serial) ||
        !chy_der_read(&d, &time) || !chy_der_get_time(time.tag, time.value, &out->revoked))
        return false;
    if (!chy_der_empty(&d) && (!chy_der_enter(&d, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&d) ||
                               !read_entry_extensions(list, out)))
        return false;
    *pos += whole.whole.n;
    return true;
}

/* ---- the whole ---- */

static bool read_integer(struct chy_span value, struct chy_span *out)
{
    struct chy_der d = chy_der_of(value);
    /* 5.2.3: not negative, and at most 20 octets. */
    return chy_der_expect(&d, CHY_DER_INTEGER, out) && chy_der_empty(&d) &&
           chy_der_int_minimal(*out) && !(out->p[0] & 0x80) && out->n <= NUMBER_OCTETS_MAX;
}

bool chy_crl_number_parse(struct chy_span value, uint64_t *out)
{
    struct chy_span v;
    if (!read_integer(value, &v) || v.n > 9 || (v.n == 9 && v.p[0] != 0)) return false;
    *out = 0;
    for (size_t i = 0; i < v.n; i++)
        *out = *out << 8 | v.p[i];
    return true;
}

static bool read_times(struct chy_der *d, struct chy_crl *out)
{
    struct chy_tlv t;
    out->next_update = CHY_TIME_DEFAULT;
    if (!chy_der_read(d, &t) || !chy_der_get_time(t.tag, t.value, &out->this_update)) return false;
    uint8_t tag = chy_der_peek(d);
    if (tag != CHY_DER_UTC_TIME && tag != CHY_DER_GENERALIZED_TIME) return true;
    return chy_der_read(d, &t) && chy_der_get_time(t.tag, t.value, &out->next_update);
}

/* A number beyond 64 bits is another CA's: well-formed, and not for us to count with. */
static chy_hresult read_numbers(struct chy_crl *out, struct chy_err *err)
{
    struct chy_span v;
    for (size_t i = 0; i < out->n_ext; i++) {
        const struct chy_ext *e = &out->ext[i];
        bool number = chy_span_eq(e->oid, chy_oid_crl_number);
        bool base = chy_span_eq(e->oid, chy_oid_delta_crl_indicator);
        if ((number || base) && !read_integer(e->value, &v))
            return bad(err, "malformed CRL number (5.2.3)");
        if (number) out->has_number = chy_crl_number_parse(e->value, &out->number);
        if (base) out->is_delta = true;
        if (base && !chy_crl_number_parse(e->value, &out->base_number))
            out->base_number = UINT64_MAX;
    }
    return CHY_S_OK;
}

static chy_hresult read_extensions(struct chy_der *d, struct chy_crl *out, struct chy_err *err)
{
    struct chy_der inner;
    struct chy_tlv list;
    if (chy_der_empty(d)) return CHY_S_OK;
    if (!chy_der_enter(d, CHY_DER_CTX_C(0), &inner) || !chy_der_empty(d) ||
        !chy_der_read(&inner, &list) || !chy_der_empty(&inner))
        return bad(err, "malformed extensions, or octets behind them");
    chy_hresult hr = chy_ext_list_parse(list.whole, out->ext, &out->n_ext, err);
    return CHY_FAILED(hr) ? hr : read_numbers(out, err);
}

static chy_hresult read_tbs(struct chy_span content, struct chy_crl *out, struct chy_err *err)
{
    struct chy_der d = chy_der_of(content);
    struct chy_span version;
    struct chy_tlv issuer;
    bool listed;
    if (!chy_der_expect(&d, CHY_DER_INTEGER, &version) || version.n != 1 || version.p[0] != 1)
        return bad(err, "the version is not v2 (5.1.2.1)");
    if (!chy_sig_alg_read(&d, &out->sig_alg_der, &out->sig_alg))
        return bad(err, "malformed signature algorithm");
    if (!chy_der_read(&d, &issuer)) return bad(err, "no issuer");
    chy_hresult hr = chy_name_parse(issuer.whole, &out->issuer, err);
    if (CHY_FAILED(hr)) return hr;
    if (!read_times(&d, out)) return bad(err, "malformed thisUpdate or nextUpdate");
    if (!chy_der_skip_optional(&d, CHY_DER_SEQUENCE, &out->entries, &listed))
        return bad(err, "malformed list of entries");
    if (listed && !out->entries.n) return bad(err, "the list of entries is empty (5.1.2.6)");
    return read_extensions(&d, out, err);
}

chy_hresult chy_crl_parse(struct chy_span der, struct chy_crl *out, struct chy_err *err)
{
    struct chy_der top = chy_der_of(der), d;
    struct chy_tlv tbs, alg;
    struct chy_span bits;
    unsigned unused = 0;
    *out = (struct chy_crl){.der = der};
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (!chy_der_read(&d, &tbs) || tbs.tag != CHY_DER_SEQUENCE || !chy_der_read(&d, &alg) ||
        !chy_der_expect(&d, CHY_DER_BIT_STRING, &bits) || !chy_der_empty(&d))
        return bad(err, "not tbsCertList, algorithm and signature");
    out->tbs = tbs.whole;
    chy_hresult hr = read_tbs(tbs.value, out, err);
    if (CHY_FAILED(hr)) return hr;
    if (!chy_span_eq(out->sig_alg_der, alg.whole))
        return bad(err, "the two signature algorithms differ (5.1.1.2)");
    if (!chy_der_get_bits(bits, &out->signature, &unused) || unused)
        return bad(err, "malformed signature");
    return CHY_S_OK;
}
