/* The values of the extensions that the engine writes and reads. RFC 5280 4.2.1. */
#include <string.h>

#include "pki/ext.h"

#define OID(name, octets)                                                                          \
    const struct chy_span name = {(const uint8_t *)(octets), sizeof(octets) - 1}

OID(chy_oid_basic_constraints, "\x55\x1d\x13");
OID(chy_oid_key_usage, "\x55\x1d\x0f");
OID(chy_oid_ext_key_usage, "\x55\x1d\x25");
OID(chy_oid_subject_key_id, "\x55\x1d\x0e");
OID(chy_oid_authority_key_id, "\x55\x1d\x23");
OID(chy_oid_subject_alt_name, "\x55\x1d\x11");
OID(chy_oid_certificate_policies, "\x55\x1d\x20");
OID(chy_oid_crl_distribution_points, "\x55\x1d\x1f");
OID(chy_oid_authority_info_access, "\x2b\x06\x01\x05\x05\x07\x01\x01");
OID(chy_oid_name_constraints, "\x55\x1d\x1e");
OID(chy_oid_ms_template_name, "\x2b\x06\x01\x04\x01\x82\x37\x14\x02");
OID(chy_oid_ms_template_info, "\x2b\x06\x01\x04\x01\x82\x37\x15\x07");
OID(chy_oid_ms_sid, "\x2b\x06\x01\x04\x01\x82\x37\x19\x02");
OID(chy_oid_ms_ca_version, "\x2b\x06\x01\x04\x01\x82\x37\x15\x01");
OID(chy_oid_ocsp_nocheck, "\x2b\x06\x01\x05\x05\x07\x30\x01\x05");
OID(chy_oid_freshest_crl, "\x55\x1d\x2e");
OID(chy_oid_no_rev_avail, "\x55\x1d\x38");
OID(chy_oid_crl_number, "\x55\x1d\x14");
OID(chy_oid_delta_crl_indicator, "\x55\x1d\x1b");
OID(chy_oid_issuing_distribution_point, "\x55\x1d\x1c");
OID(chy_oid_ms_next_publish, "\x2b\x06\x01\x04\x01\x82\x37\x15\x04");
OID(chy_oid_ms_published_crl_locations, "\x2b\x06\x01\x04\x01\x82\x37\x15\x0e");
OID(chy_oid_reason_code, "\x55\x1d\x15");
OID(chy_oid_invalidity_date, "\x55\x1d\x18");
OID(chy_oid_ocsp_basic, "\x2b\x06\x01\x05\x05\x07\x30\x01\x01");
OID(chy_oid_ocsp_nonce, "\x2b\x06\x01\x05\x05\x07\x30\x01\x02");
OID(chy_oid_ocsp_response_types, "\x2b\x06\x01\x05\x05\x07\x30\x01\x04");
OID(chy_oid_ocsp_archive_cutoff, "\x2b\x06\x01\x05\x05\x07\x30\x01\x06");
OID(chy_oid_ocsp_preferred_sig_algs, "\x2b\x06\x01\x05\x05\x07\x30\x01\x08");

void chy_basic_constraints_add(struct chy_buf *out, const struct chy_basic_constraints *bc)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    if (bc->ca) chy_der_add_bool(out, true);
    if (bc->ca && bc->path_len >= 0) chy_der_add_int(out, bc->path_len);
    chy_der_close(out, mark);
}

bool chy_basic_constraints_parse(struct chy_span value, struct chy_basic_constraints *out)
{
    struct chy_der top = chy_der_of(value), d;
    struct chy_span part;
    bool present = false;
    int64_t len = -1;
    *out = (struct chy_basic_constraints){false, -1};
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top)) return false;
    if (!chy_der_skip_optional(&d, CHY_DER_BOOLEAN, &part, &present)) return false;
    if (present && (!chy_der_get_bool(part, &out->ca) || !out->ca)) return false;
    if (!chy_der_skip_optional(&d, CHY_DER_INTEGER, &part, &present)) return false;
    if (present && (!chy_der_get_int(part, &len) || len < 0 || len > INT32_MAX)) return false;
    out->path_len = (int)len;
    return chy_der_empty(&d);
}

void chy_key_usage_add(struct chy_buf *out, unsigned bits)
{
    uint8_t octets[2] = {0, 0};
    unsigned highest = 0;
    bits &= 0x1ff;
    for (unsigned i = 0; i < 9; i++) {
        if (!(bits & 1u << i)) continue;
        octets[i / 8] |= (uint8_t)(0x80 >> i % 8);
        highest = i;
    }
    size_t n = bits ? highest / 8 + 1 : 0;
    chy_der_add_bits(out, chy_span_of(octets, n), bits ? 7 - highest % 8 : 0);
}

bool chy_key_usage_parse(struct chy_span value, unsigned *out)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span content, bits;
    unsigned unused;
    *out = 0;
    if (!chy_der_expect(&d, CHY_DER_BIT_STRING, &content) || !chy_der_empty(&d)) return false;
    if (!chy_der_get_bits(content, &bits, &unused) || bits.n > 2) return false;
    for (unsigned i = 0; i < bits.n * 8; i++) {
        if (!(bits.p[i / 8] & 0x80 >> i % 8)) continue;
        if (i > 8) return false;
        *out |= 1u << i;
    }
    /* X.690 11.2.2: a named bit list has no trailing zero bits */
    return bits.n == 0 ? unused == 0 : (bits.p[bits.n - 1] >> unused & 1) != 0;
}

void chy_eku_add(struct chy_buf *out, const struct chy_span *oids, size_t n)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++)
        chy_der_add(out, CHY_DER_OID, oids[i]);
    chy_der_close(out, mark);
}

bool chy_eku_parse(struct chy_span value, struct chy_span *oids, size_t *n)
{
    struct chy_der top = chy_der_of(value), d;
    size_t room = *n;
    *n = 0;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top) || chy_der_empty(&d))
        return false;
    while (!chy_der_empty(&d)) {
        if (*n == room || !chy_der_expect(&d, CHY_DER_OID, &oids[*n]) || !chy_oid_valid(oids[*n]))
            return false;
        (*n)++;
    }
    return true;
}

void chy_ski_add(struct chy_buf *out, struct chy_span key_id)
{
    chy_der_add(out, CHY_DER_OCTET_STRING, key_id);
}

bool chy_ski_parse(struct chy_span value, struct chy_span *key_id)
{
    struct chy_der d = chy_der_of(value);
    return chy_der_expect(&d, CHY_DER_OCTET_STRING, key_id) && chy_der_empty(&d) && key_id->n > 0;
}

void chy_aki_add(struct chy_buf *out, struct chy_span key_id)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_CTX(0), key_id);
    chy_der_close(out, mark);
}

bool chy_aki_parse(struct chy_span value, struct chy_span *key_id)
{
    struct chy_der top = chy_der_of(value), d;
    struct chy_span issuer, serial;
    bool present = false, named, numbered;
    *key_id = (struct chy_span){0};
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top)) return false;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX(0), key_id, &present)) return false;
    /* Issuer and serial, which we do not use: both or neither. */
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(1), &issuer, &named)) return false;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX(2), &serial, &numbered)) return false;
    if (named != numbered || (named && (!issuer.n || !chy_der_int_minimal(serial)))) return false;
    return chy_der_empty(&d);
}

static void add_uri(struct chy_buf *out, const char *url)
{
    chy_der_add(out, CHY_DER_CTX(6), chy_span_cstr(url));
}

void chy_cdp_add(struct chy_buf *out, const char *const *urls, size_t n)
{
    size_t list = chy_der_open(out, CHY_DER_SEQUENCE), point = chy_der_open(out, CHY_DER_SEQUENCE);
    size_t name = chy_der_open(out, CHY_DER_CTX_C(0)), full = chy_der_open(out, CHY_DER_CTX_C(0));
    for (size_t i = 0; i < n; i++)
        add_uri(out, urls[i]);
    chy_der_close(out, full);
    chy_der_close(out, name);
    chy_der_close(out, point);
    chy_der_close(out, list);
}

/* CRLDistributionPoints ::= SEQUENCE OF SEQUENCE { [0] { [0] fullName GeneralNames } … } */
bool chy_cdp_first_url(struct chy_span value, struct chy_span *url)
{
    struct chy_der top = chy_der_of(value), list, point, name, full;
    struct chy_tlv t;
    if (!chy_der_strict(value) || !chy_der_enter(&top, CHY_DER_SEQUENCE, &list)) return false;
    while (chy_der_enter(&list, CHY_DER_SEQUENCE, &point)) {
        if (!chy_der_enter(&point, CHY_DER_CTX_C(0), &name) ||
            !chy_der_enter(&name, CHY_DER_CTX_C(0), &full))
            continue;
        while (chy_der_read(&full, &t)) {
            if (t.tag != CHY_DER_CTX(CHY_GN_URI)) continue;
            *url = t.value;
            return true;
        }
    }
    return false;
}

static void add_access(struct chy_buf *out, const char *method, const char *url)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_OID, chy_span_of(method, 8));
    add_uri(out, url);
    chy_der_close(out, mark);
}

void chy_aia_add(struct chy_buf *out, const char *const *ca_issuers, size_t n,
                 const char *const *ocsp, size_t m)
{
    static const char ad_ocsp[] = "\x2b\x06\x01\x05\x05\x07\x30\x01",
                      ad_issuers[] = "\x2b\x06\x01\x05\x05\x07\x30\x02";
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < m; i++)
        add_access(out, ad_ocsp, ocsp[i]);
    for (size_t i = 0; i < n; i++)
        add_access(out, ad_issuers, ca_issuers[i]);
    chy_der_close(out, mark);
}

void chy_policies_add(struct chy_buf *out, const struct chy_span *oids, size_t n)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++) {
        size_t one = chy_der_open(out, CHY_DER_SEQUENCE);
        chy_der_add(out, CHY_DER_OID, oids[i]);
        chy_der_close(out, one);
    }
    chy_der_close(out, mark);
}
