/* Lint: the extensions that point elsewhere: key identifiers, distribution points, access
 * locations, policies. RFC 5280 4.2.1.1, 4.2.1.2, 4.2.1.4, 4.2.1.13, 4.2.2. */
#include "pki/lint_rules.h"

#include <string.h>

enum { POLICIES_MAX = 64 };

#define OID_CPS CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x02\x01")

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986: scheme ":" and characters that need no escape; 0 when it is not one. */
static size_t uri_scheme_len(struct chy_span u)
{
    size_t n = 0;
    while (n < u.n && (is_alpha(u.p[n]) ||
                       (n && ((u.p[n] >= '0' && u.p[n] <= '9') || strchr("+-.", u.p[n]))))) {
        if (u.p[n] == 0) return 0;
        n++;
    }
    if (n == 0 || n + 1 >= u.n || u.p[n] != ':') return 0;
    for (size_t i = n + 1; i < u.n; i++) {
        if (u.p[i] <= ' ' || u.p[i] >= 127 || strchr("<>\"{}|\\^`", u.p[i])) return 0;
        if (u.p[i] == '%' && (i + 2 >= u.n || !is_hex(u.p[i + 1]) || !is_hex(u.p[i + 2]))) return 0;
    }
    return n;
}

/* http and https need a host; ldap may leave the server to the client (RFC 4516 2). */
static void check_url(struct chy_lint *l, struct chy_span u, enum chy_lint_id form,
                      enum chy_lint_id scheme)
{
    size_t n = uri_scheme_len(u);
    struct chy_span s = chy_span_of(u.p, n);
    bool web =
        chy_span_eq_nocase(s, CHY_SPAN_STR("http")) || chy_span_eq_nocase(s, CHY_SPAN_STR("https"));
    bool ldap =
        chy_span_eq_nocase(s, CHY_SPAN_STR("ldap")) || chy_span_eq_nocase(s, CHY_SPAN_STR("ldaps"));
    bool slashes = u.n >= n + 3 && memcmp(u.p + n, "://", 3) == 0;
    bool host = slashes && u.n > n + 3 && !strchr("/:?#", u.p[n + 3]);
    if (n == 0 || (web && !host) || (ldap && !slashes)) {
        chy_lint_find(l, form, "'%.*s'", (int)(u.n < 80 ? u.n : 80), (const char *)u.p);
    } else if (!web && !ldap) {
        chy_lint_find(l, scheme, "'%.*s'", (int)(u.n < 80 ? u.n : 80), (const char *)u.p);
    }
}

static void check_ski(struct chy_lint *l, struct chy_span *key_id)
{
    const struct chy_ext *e = l->known[CHY_LX_SKI];
    /* An empty list of extensions has a rule of its own. */
    if (!e && l->has_extensions && l->n_ext == 0) return;
    if (!e) {
        chy_lint_find(l, l->is_ca ? CHY_LR_SKI_IN_CA : CHY_LR_SKI_IN_LEAF,
                      "there is no subjectKeyIdentifier");
        return;
    }
    struct chy_der d = chy_der_of(e->value);
    if (!chy_der_expect(&d, CHY_DER_OCTET_STRING, key_id) || !chy_der_empty(&d) || key_id->n == 0) {
        chy_lint_find(l, CHY_LR_SKI_STRUCTURE, "subjectKeyIdentifier of %zu octets", e->value.n);
    }
    if (e->critical) chy_lint_find(l, CHY_LR_SKI_NOT_CRITICAL, "it is critical");
}

static void check_aki_value(struct chy_lint *l, struct chy_span value, struct chy_span own)
{
    struct chy_der outer = chy_der_of(value), d;
    struct chy_span id, names, serial;
    bool has_id, has_names, has_serial;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&outer) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(0), &id, &has_id) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX_C(1), &names, &has_names) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(2), &serial, &has_serial) || !chy_der_empty(&d)) {
        chy_lint_find(l, CHY_LR_AKI_STRUCTURE, "authorityKeyIdentifier of %zu octets", value.n);
        return;
    }
    if (has_names != has_serial) chy_lint_find(l, CHY_LR_AKI_PAIR, "only one of the two stands");
    struct chy_span expected = l->ca ? l->ca->key_id : own;
    if (!has_id) {
        if (l->ca) chy_lint_find(l, CHY_LR_AKI_PRESENT, "there is no keyIdentifier");
    } else if (expected.n && !chy_span_eq(id, expected)) {
        chy_lint_find(l, CHY_LR_AKI_EQUALS, "it is not the key identifier of the issuer");
    }
}

/* An issuer without a key identifier of its own, an old root, cannot be named by one. */
static void check_aki(struct chy_lint *l, struct chy_span own)
{
    const struct chy_ext *e = l->known[CHY_LX_AKI];
    if (!e) {
        if (l->ca && l->ca->key_id.n) {
            chy_lint_find(l, CHY_LR_AKI_PRESENT, "there is no authorityKeyIdentifier");
        }
        return;
    }
    check_aki_value(l, e->value, own);
    if (e->critical) chy_lint_find(l, CHY_LR_AKI_NOT_CRITICAL, "it is critical");
}

static bool check_names(struct chy_lint *l, struct chy_span names)
{
    struct chy_der d = chy_der_of(names);
    struct chy_tlv t;
    if (chy_der_empty(&d)) return false;
    while (!chy_der_empty(&d)) {
        if (!chy_der_read(&d, &t)) return false;
        if (t.tag == CHY_DER_CTX(CHY_GN_URI)) {
            check_url(l, t.value, CHY_LR_CDP_URI, CHY_LR_CDP_SCHEME);
        } else if (t.tag != CHY_DER_CTX_C(CHY_GN_DIR)) {
            return false;
        }
    }
    return true;
}

/* DistributionPointName ::= CHOICE { fullName [0], nameRelativeToCRLIssuer [1] } */
static bool check_point_name(struct chy_lint *l, struct chy_span name)
{
    struct chy_der d = chy_der_of(name);
    struct chy_tlv t;
    if (!chy_der_read(&d, &t) || !chy_der_empty(&d)) return false;
    if (t.tag == CHY_DER_CTX_C(1)) return t.value.n > 0;
    return t.tag == CHY_DER_CTX_C(0) && check_names(l, t.value);
}

static bool check_point(struct chy_lint *l, struct chy_der d)
{
    struct chy_span name, reasons, issuer;
    bool has_name, has_reasons, has_issuer;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &name, &has_name) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(1), &reasons, &has_reasons) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX_C(2), &issuer, &has_issuer) || !chy_der_empty(&d)) {
        return false;
    }
    if (!has_name && !has_issuer) {
        chy_lint_find(l, CHY_LR_CDP_NAMED, "a point has neither a name nor an issuer");
    }
    return !has_name || check_point_name(l, name);
}

static void check_cdp(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_CDP];
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list, point;
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        ok = chy_der_enter(&list, CHY_DER_SEQUENCE, &point) && check_point(l, point);
    }
    if (!ok) chy_lint_find(l, CHY_LR_CDP_STRUCTURE, "value of %zu octets", e->value.n);
    if (e->critical) chy_lint_find(l, CHY_LR_CDP_NOT_CRITICAL, "it is critical");
}

static bool check_access(struct chy_lint *l, struct chy_der d)
{
    struct chy_span method;
    struct chy_tlv t;
    if (!chy_der_expect(&d, CHY_DER_OID, &method) || !chy_der_read(&d, &t) || !chy_der_empty(&d)) {
        return false;
    }
    if (t.tag == CHY_DER_CTX(CHY_GN_URI)) {
        check_url(l, t.value, CHY_LR_AIA_URI, CHY_LR_AIA_SCHEME);
    }
    return (t.tag & 0xc0) == 0x80;
}

static void check_aia(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_AIA];
    const struct chy_ext *sia = l->known[CHY_LX_SIA];
    if (sia && sia->critical) chy_lint_find(l, CHY_LR_SIA_NOT_CRITICAL, "it is critical");
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list, access;
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        ok = chy_der_enter(&list, CHY_DER_SEQUENCE, &access) && check_access(l, access);
    }
    if (!ok) chy_lint_find(l, CHY_LR_AIA_STRUCTURE, "value of %zu octets", e->value.n);
    if (e->critical) chy_lint_find(l, CHY_LR_AIA_NOT_CRITICAL, "it is critical");
}

static bool check_qualifier(struct chy_lint *l, struct chy_der d)
{
    struct chy_span id;
    struct chy_tlv t;
    if (!chy_der_expect(&d, CHY_DER_OID, &id) || !chy_der_read(&d, &t) || !chy_der_empty(&d)) {
        return false;
    }
    if (chy_span_eq(id, OID_CPS) && (t.tag != CHY_DER_IA5 || uri_scheme_len(t.value) == 0)) {
        chy_lint_find(l, CHY_LR_CP_CPS, "'%.*s'", (int)(t.value.n < 80 ? t.value.n : 80),
                      (const char *)t.value.p);
    }
    return true;
}

static bool check_policy(struct chy_lint *l, struct chy_der d, struct chy_span *id)
{
    struct chy_der list, q;
    if (!chy_der_expect(&d, CHY_DER_OID, id)) return false;
    if (chy_der_empty(&d)) return true;
    if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&d) || chy_der_empty(&list)) {
        return false;
    }
    while (!chy_der_empty(&list)) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &q) || !check_qualifier(l, q)) return false;
    }
    return true;
}

static void check_policies(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_CP];
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list, d;
    struct chy_span seen[POLICIES_MAX];
    size_t n = 0;
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        ok = n < POLICIES_MAX && chy_der_enter(&list, CHY_DER_SEQUENCE, &d) &&
             check_policy(l, d, &seen[n]);
        for (size_t i = 0; ok && i < n; i++) {
            if (!chy_span_eq(seen[i], seen[n])) continue;
            chy_lint_find(l, CHY_LR_CP_DUPLICATE, "policy %zu repeats %zu", n + 1, i + 1);
            break;
        }
        n++;
    }
    if (!ok) chy_lint_find(l, CHY_LR_CP_STRUCTURE, "value of %zu octets", e->value.n);
}

static void check_policy_limits(struct chy_lint *l)
{
    const struct chy_ext *pc = l->known[CHY_LX_PC], *iap = l->known[CHY_LX_IAP];
    const struct chy_ext *pm = l->known[CHY_LX_PM];
    if (pc && !pc->critical) chy_lint_find(l, CHY_LR_PC_CRITICAL, "it is not critical");
    if (pc && pc->value.n <= 2) chy_lint_find(l, CHY_LR_PC_NOT_EMPTY, "it has no field");
    if (iap && !iap->critical) chy_lint_find(l, CHY_LR_IAP_CRITICAL, "it is not critical");
    if (pm && !pm->critical) chy_lint_find(l, CHY_LR_PM_CRITICAL, "it is not critical");
}

void chy_lint_pointers(struct chy_lint *l)
{
    struct chy_span own = {NULL, 0};
    check_ski(l, &own);
    check_aki(l, own);
    check_cdp(l);
    check_aia(l);
    check_policies(l);
    check_policy_limits(l);
}
