/* Extensions for people: the value on one line, whatever is in it. Text that a requester chose is
 * shown as chy_general_name_to_text shows it; what we do not know, or what is not what it claims to
 * be, is shown as its octets. */
#include <string.h>

#include "base/text.h"
#include "pki/ext.h"
#include "pki/name.h"

enum { SHOWN_OCTETS = 48, SHOWN_OIDS = 64 };

static void add_octets(struct chy_span value, struct chy_buf *out)
{
    struct chy_span head = {value.p, value.n > SHOWN_OCTETS ? SHOWN_OCTETS : value.n};
    chy_hex_add(out, head);
    if (head.n < value.n) chy_buf_addf(out, "… (%zu octets)", value.n);
}

static void comma(struct chy_buf *out, size_t start)
{
    if (out->n > start) chy_buf_add_str(out, ", ");
}

static void add_oid(struct chy_span oid, struct chy_buf *out)
{
    char text[CHY_EXT_OID_TEXT];
    const char *name = chy_oid_name(oid);
    if (name) {
        chy_buf_add_str(out, name);
    } else if (chy_oid_to_text(oid, text, sizeof(text))) {
        chy_buf_add_str(out, text);
    } else {
        add_octets(oid, out);
    }
}

static bool add_general_names(struct chy_span value, struct chy_buf *out)
{
    size_t n = CHY_GN_MAX, start = out->n;
    struct chy_general_name *gn = chy_malloc(sizeof(*gn) * CHY_GN_MAX);
    bool good = gn && chy_general_names_parse(value, gn, &n, NULL) == CHY_S_OK;
    for (size_t i = 0; good && i < n; i++) {
        comma(out, start);
        chy_general_name_to_text(&gn[i], out);
    }
    chy_free(gn);
    return good;
}

static bool add_key_usage(struct chy_span value, struct chy_buf *out)
{
    static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                        "dataEncipherment", "keyAgreement",   "keyCertSign",
                                        "cRLSign",          "encipherOnly",   "decipherOnly"};
    unsigned bits;
    size_t start = out->n;
    if (!chy_key_usage_parse(value, &bits)) return false;
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        if (!(bits & 1u << i)) continue;
        comma(out, start);
        chy_buf_add_str(out, names[i]);
    }
    return true;
}

static bool add_ext_key_usage(struct chy_span value, struct chy_buf *out)
{
    struct chy_span oid[SHOWN_OIDS];
    size_t n = SHOWN_OIDS, start = out->n;
    if (!chy_eku_parse(value, oid, &n)) return false;
    for (size_t i = 0; i < n; i++) {
        comma(out, start);
        add_oid(oid[i], out);
    }
    return true;
}

static bool add_basic_constraints(struct chy_span value, struct chy_buf *out)
{
    struct chy_basic_constraints bc;
    if (!chy_basic_constraints_parse(value, &bc)) return false;
    chy_buf_add_str(out, bc.ca ? "CA" : "no CA");
    if (bc.ca && bc.path_len >= 0) chy_buf_addf(out, ", %d CAs at most below it", bc.path_len);
    return true;
}

static bool add_key_id(struct chy_span value, struct chy_buf *out)
{
    struct chy_span id;
    if (!chy_ski_parse(value, &id) && !chy_aki_parse(value, &id)) return false;
    chy_hex_add(out, id);
    return true;
}

/* SEQUENCE OF SEQUENCE { OID, … }: certificatePolicies, and with a name behind the OID,
 * authorityInfoAccess. RFC 5280 4.2.1.4, 4.2.2.1. */
static bool add_each(struct chy_span value, bool with_name, struct chy_buf *out)
{
    struct chy_der top = chy_der_of(value), list, one;
    struct chy_span oid;
    struct chy_tlv name;
    size_t start = out->n;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&top)) return false;
    while (!chy_der_empty(&list)) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &one) ||
            !chy_der_expect(&one, CHY_DER_OID, &oid))
            return false;
        comma(out, start);
        add_oid(oid, out);
        if (!with_name) continue;
        struct chy_general_name gn = {.type = CHY_GN_URI};
        if (!chy_der_read(&one, &name) || name.tag != CHY_DER_CTX(6)) continue;
        gn.value = name.value;
        chy_buf_add_byte(out, ' ');
        chy_general_name_to_text(&gn, out);
    }
    return true;
}

static bool add_points(struct chy_span value, struct chy_buf *out)
{
    struct chy_general_name gn = {.type = CHY_GN_URI};
    if (!chy_cdp_first_url(value, &gn.value)) return false;
    chy_general_name_to_text(&gn, out);
    return true;
}

/* szOID_ENROLL_CERTTYPE: a string. MS-WCCE 2.2.2.7.7.1 */
static bool add_string(struct chy_span value, struct chy_buf *out)
{
    struct chy_der d = chy_der_of(value);
    struct chy_tlv t;
    if (!chy_der_read(&d, &t) || !chy_der_empty(&d)) return false;
    struct chy_name_attr attr = {.tag = t.tag, .value = t.value};
    return chy_name_value_utf8(&attr, out);
}

static bool is(struct chy_span a, struct chy_span b)
{
    return chy_span_eq(a, b);
}

static bool add_known(struct chy_span oid, struct chy_span value, struct chy_buf *out)
{
    if (is(oid, chy_oid_subject_alt_name)) return add_general_names(value, out);
    if (is(oid, chy_oid_key_usage)) return add_key_usage(value, out);
    if (is(oid, chy_oid_ext_key_usage)) return add_ext_key_usage(value, out);
    if (is(oid, chy_oid_basic_constraints)) return add_basic_constraints(value, out);
    if (is(oid, chy_oid_subject_key_id) || is(oid, chy_oid_authority_key_id))
        return add_key_id(value, out);
    if (is(oid, chy_oid_certificate_policies)) return add_each(value, false, out);
    if (is(oid, chy_oid_authority_info_access)) return add_each(value, true, out);
    if (is(oid, chy_oid_crl_distribution_points) || is(oid, chy_oid_freshest_crl))
        return add_points(value, out);
    return is(oid, chy_oid_ms_template_name) && add_string(value, out);
}

static bool is_one_line(struct chy_span text)
{
    while (text.n) {
        size_t n = chy_utf8_printable(text);
        if (!n) return false;
        text.p += n;
        text.n -= n;
    }
    return true;
}

void chy_ext_to_text(struct chy_span oid, struct chy_span value, struct chy_buf *out)
{
    size_t start = out->n;
    bool known = add_known(oid, value, out);
    if (out->failed || (known && is_one_line(chy_span_of(out->p + start, out->n - start)))) return;
    out->n = start;
    add_octets(value, out);
}

void chy_ext_name(struct chy_span oid, struct chy_buf *out)
{
    add_oid(oid, out);
}
