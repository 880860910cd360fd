/* Lint: extensions of other standards: directory attributes (RFC 5280 4.2.1.8), TLS features
 * (RFC 7633), certificate transparency (RFC 6962), statements of qualified certificates (RFC 3739),
 * and those of AD CS (MS-WCCE, MS-CRTD). */
#include "pki/lint_int.h"

#include <string.h>

enum { STATEMENTS_MAX = 64 };

/* Attribute ::= SEQUENCE { type, values SET OF } */
static bool is_attributes(struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), list, attr, values;
    struct chy_span oid;
    if (!chy_der_strict(value) || !chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) ||
        chy_der_empty(&list)) {
        return false;
    }
    while (!chy_der_empty(&list)) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &attr) ||
            !chy_der_expect(&attr, CHY_DER_OID, &oid) ||
            !chy_der_enter(&attr, CHY_DER_SET, &values) || !chy_der_empty(&attr) ||
            chy_der_empty(&values)) {
            return false;
        }
    }
    return true;
}

/* Features ::= SEQUENCE OF INTEGER: numbers of TLS extensions */
static bool is_features(struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), list;
    struct chy_span number;
    int64_t v;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&outer) ||
        chy_der_empty(&list)) {
        return false;
    }
    while (!chy_der_empty(&list)) {
        if (!chy_der_expect(&list, CHY_DER_INTEGER, &number) || !chy_der_get_int(number, &v) ||
            v < 0 || v > UINT16_MAX) {
            return false;
        }
    }
    return true;
}

/* One octet string that holds opaque SerializedSCT<1..2^16-1>, in a vector of the same kind. */
static bool is_timestamps(struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    if (!chy_der_expect(&d, CHY_DER_OCTET_STRING, &v) || !chy_der_empty(&d) || v.n < 3 ||
        ((size_t)v.p[0] << 8 | v.p[1]) != v.n - 2)
        return false;
    size_t at = 2;
    while (at + 2 < v.n) {
        size_t n = (size_t)v.p[at] << 8 | v.p[at + 1];
        if (n == 0 || n > v.n - at - 2) return false;
        at += 2 + n;
    }
    return at == v.n;
}

static bool is_among(struct chy_span oid, const struct chy_span *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (chy_span_eq(list[i], oid)) return true;
    }
    return false;
}

/* QCStatement ::= SEQUENCE { statementId, statementInfo ANY OPTIONAL } */
static bool read_statement(struct chy_der *list, struct chy_span *id)
{
    struct chy_der d;
    struct chy_tlv info;
    return chy_der_enter(list, CHY_DER_SEQUENCE, &d) && chy_der_expect(&d, CHY_DER_OID, id) &&
           (chy_der_empty(&d) || (chy_der_read(&d, &info) && chy_der_empty(&d)));
}

static void check_statements(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_QC];
    struct chy_span seen[STATEMENTS_MAX];
    size_t n = 0;
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list;
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        struct chy_span id;
        ok = n < STATEMENTS_MAX && read_statement(&list, &id);
        if (!ok) break;
        if (is_among(id, seen, n)) chy_lint_find(l, CHY_LR_QC_DUPLICATE, "statement %zu", n + 1);
        seen[n++] = id;
    }
    if (!ok) chy_lint_find(l, CHY_LR_QC_STRUCTURE, "value of %zu octets", e->value.n);
    if (e->critical) chy_lint_find(l, CHY_LR_QC_NOT_CRITICAL, "it is critical");
}

static void check_transparency(struct chy_lint *l)
{
    const struct chy_ext *poison = l->known[CHY_LX_CT_POISON], *sct = l->known[CHY_LX_SCT];
    if (!poison) return;
    if (!poison->critical || !chy_span_eq(poison->value, CHY_SPAN_STR("\x05\x00"))) {
        chy_lint_find(l, CHY_LR_CT_POISON, "value of %zu octets, critical %d", poison->value.n,
                      poison->critical);
    }
    if (sct) chy_lint_find(l, CHY_LR_CT_EITHER, "both stand");
}

static bool is_one(struct chy_span value, uint8_t tag)
{
    struct chy_der d = chy_der_of(value);
    struct chy_tlv t;
    return chy_der_read(&d, &t) && chy_der_empty(&d) && t.tag == tag && t.value.n > 0;
}

static bool is_template_name(struct chy_span value)
{
    return is_one(value, CHY_DER_BMP) || is_one(value, CHY_DER_UTF8) ||
           is_one(value, CHY_DER_PRINTABLE) || is_one(value, CHY_DER_IA5);
}

/* CertificateTemplateOID ::= SEQUENCE { id, major OPTIONAL, minor OPTIONAL } */
static bool is_template_info(struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), d;
    struct chy_span id, major, minor;
    bool has_major, has_minor;
    return chy_der_strict(value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) &&
           chy_der_expect(&d, CHY_DER_OID, &id) &&
           chy_der_skip_optional(&d, CHY_DER_INTEGER, &major, &has_major) &&
           chy_der_skip_optional(&d, CHY_DER_INTEGER, &minor, &has_minor) && chy_der_empty(&d);
}

static bool is_integer(struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span number;
    int64_t v;
    return chy_der_expect(&d, CHY_DER_INTEGER, &number) && chy_der_empty(&d) &&
           chy_der_get_int(number, &v) && v >= 0 && v <= UINT32_MAX;
}

/* SEQUENCE { [0] { type-id, [0] EXPLICIT OCTET STRING "S-1-…" } }, as an otherName has it */
static bool is_sid(struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), d, name, explicit_value;
    struct chy_span id, sid;
    return chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) && chy_der_empty(&outer) &&
           chy_der_enter(&d, CHY_DER_CTX_C(0), &name) && chy_der_empty(&d) &&
           chy_der_expect(&name, CHY_DER_OID, &id) &&
           chy_der_enter(&name, CHY_DER_CTX_C(0), &explicit_value) && chy_der_empty(&name) &&
           chy_der_expect(&explicit_value, CHY_DER_OCTET_STRING, &sid) &&
           chy_der_empty(&explicit_value) && sid.n > 4 && memcmp(sid.p, "S-1-", 4) == 0;
}

/* Of the shape of certificatePolicies; AD CS writes the purposes of extKeyUsage into both. */
static void check_app_policies(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_MS_APP_POLICIES];
    struct chy_span id;
    size_t n = 0;
    bool same = true;
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list, policy;
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    for (; ok && !chy_der_empty(&list); n++) {
        ok = chy_der_enter(&list, CHY_DER_SEQUENCE, &policy) &&
             chy_der_expect(&policy, CHY_DER_OID, &id);
        same = same && ok && is_among(id, l->eku, l->n_eku);
    }
    if (!ok) {
        chy_lint_find(l, CHY_LR_MS_APP_POLICIES, "value of %zu octets", e->value.n);
    } else if (l->known[CHY_LX_EKU] && (!same || n != l->n_eku)) {
        chy_lint_find(l, CHY_LR_MS_APP_EKU, "%zu policies, %zu purposes", n, l->n_eku);
    }
}

static const struct {
    enum chy_lint_ext_id ext;
    enum chy_lint_id rule;
    bool (*is_well_formed)(struct chy_span value);
} shapes[] = {
    {CHY_LX_SDA, CHY_LR_SDA_STRUCTURE, is_attributes},
    {CHY_LX_TLS_FEATURE, CHY_LR_TLS_FEATURE, is_features},
    {CHY_LX_SCT, CHY_LR_SCT_LIST, is_timestamps},
    {CHY_LX_MS_TEMPLATE_NAME, CHY_LR_MS_TEMPLATE_NAME, is_template_name},
    {CHY_LX_MS_TEMPLATE_INFO, CHY_LR_MS_TEMPLATE_INFO, is_template_info},
    {CHY_LX_MS_CA_VERSION, CHY_LR_MS_CA_VERSION, is_integer},
    {CHY_LX_MS_SID, CHY_LR_MS_SID, is_sid},
};

void chy_lint_others(struct chy_lint *l)
{
    const struct chy_ext *sda = l->known[CHY_LX_SDA];
    for (size_t i = 0; i < CHY_ARRAY_LEN(shapes); i++) {
        const struct chy_ext *e = l->known[shapes[i].ext];
        if (!e || shapes[i].is_well_formed(e->value)) continue;
        chy_lint_find(l, shapes[i].rule, "value of %zu octets", e->value.n);
    }
    if (sda && sda->critical) chy_lint_find(l, CHY_LR_SDA_NOT_CRITICAL, "it is critical");
    if (!l->is_ca && (l->known[CHY_LX_MS_CA_VERSION] || l->known[CHY_LX_MS_PREVIOUS_HASH])) {
        chy_lint_find(l, CHY_LR_MS_CA_ONLY, "an end entity has one of them");
    }
    check_statements(l);
    check_transparency(l);
    check_app_policies(l);
}
