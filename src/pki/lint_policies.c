/* Lint: certificate policies, their qualifiers, mappings and limits.
 * RFC 5280 4.2.1.4, 4.2.1.5, 4.2.1.11, 4.2.1.14, RFC 6818. */
#include "pki/lint_int.h"

#include "base/text.h"

enum { POLICIES_MAX = 64, NOTICE_MAX = 200 };

#define OID_ANY_POLICY CHY_SPAN_STR("\x55\x1d\x20\x00")
#define OID_CPS CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x02\x01")
#define OID_NOTICE CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x02\x02")

struct policies {
    struct chy_span id[POLICIES_MAX];
    size_t n;
};

static bool contains(const struct policies *p, struct chy_span id)
{
    for (size_t i = 0; i < p->n; i++) {
        if (chy_span_eq(p->id[i], id)) return true;
    }
    return false;
}

/* DisplayText: a control is below U+0020, U+007F, or of the C1 range. */
static void check_display_text(struct chy_lint *l, const struct chy_tlv *t)
{
    size_t width = chy_lint_char_width(t->tag), chars = 0;
    bool utf8 = t->tag == CHY_DER_UTF8, control = false;
    for (size_t i = 0; i + width <= t->value.n; i += width) {
        const uint8_t *c = t->value.p + i;
        uint8_t low = c[width - 1], high = width == 2 ? c[0] : 0;
        bool follows = utf8 && (low & 0xc0) == 0x80;
        bool c1 =
            utf8 ? follows && i > 0 && c[-1] == 0xc2 && low < 0xa0 : low >= 0x7f && low < 0xa0;
        chars += !follows;
        control = control || (high == 0 && (low < ' ' || low == 0x7f || c1));
    }
    if (chars == 0 || chars > NOTICE_MAX) {
        chy_lint_find(l, CHY_LR_CP_NOTICE_LENGTH, "it has %zu characters", chars);
    }
    if (control) chy_lint_find(l, CHY_LR_CP_NOTICE_CONTROLS, "there is one");
}

static bool is_display_text(uint8_t tag)
{
    return tag == CHY_DER_UTF8 || tag == CHY_DER_VISIBLE || tag == CHY_DER_BMP;
}

/* UserNotice ::= SEQUENCE { noticeRef OPTIONAL, explicitText OPTIONAL } */
static void check_notice(struct chy_lint *l, struct chy_span content)
{
    struct chy_der d = chy_der_of(content);
    struct chy_span reference;
    struct chy_tlv text;
    bool has_reference;
    if (!chy_der_skip_optional(&d, CHY_DER_SEQUENCE, &reference, &has_reference)) goto malformed;
    if (has_reference) chy_lint_find(l, CHY_LR_CP_NOTICE_REF, "there is one");
    if (chy_der_empty(&d)) return;
    if (!chy_der_read(&d, &text) || !chy_der_empty(&d)) goto malformed;
    if (text.tag == CHY_DER_IA5) {
        chy_lint_find(l, CHY_LR_CP_NOTICE_IA5, "'%.*s'", CHY_LINT_SHOW(text.value));
        return;
    }
    if (!is_display_text(text.tag) || (text.tag == CHY_DER_UTF8 && !chy_utf8_valid(text.value)))
        goto malformed;
    if (text.tag != CHY_DER_UTF8) {
        chy_lint_find(l, CHY_LR_CP_NOTICE_UTF8, "string type %02x", text.tag);
    }
    check_display_text(l, &text);
    return;
malformed:
    chy_lint_find(l, CHY_LR_CP_NOTICE, "notice of %zu octets", content.n);
}

static void check_cps(struct chy_lint *l, const struct chy_tlv *t)
{
    size_t n = t->tag == CHY_DER_IA5 ? chy_lint_uri_scheme(t->value) : 0;
    struct chy_span scheme = {t->value.p, n};
    if (n == 0) {
        chy_lint_find(l, CHY_LR_CP_CPS, "'%.*s'", CHY_LINT_SHOW(t->value));
    } else if (!chy_span_eq_nocase(scheme, CHY_SPAN_STR("http")) &&
               !chy_span_eq_nocase(scheme, CHY_SPAN_STR("https"))) {
        chy_lint_find(l, CHY_LR_CP_CPS_HTTP, "'%.*s'", CHY_LINT_SHOW(t->value));
    }
}

static bool check_qualifier(struct chy_lint *l, struct chy_der d, bool any_policy)
{
    struct chy_span id;
    struct chy_tlv t;
    if (!chy_der_expect(&d, CHY_DER_OID, &id) || !chy_der_read(&d, &t) || !chy_der_empty(&d)) {
        return false;
    }
    bool cps = chy_span_eq(id, OID_CPS);
    if (!cps && !l->is_ca && l->purposes == CHY_LP_SERVER) {
        chy_lint_find(l, CHY_LR_CP_SERVER_CPS, "a qualifier of %zu octets", id.n);
    }
    if (cps) {
        check_cps(l, &t);
    } else if (chy_span_eq(id, OID_NOTICE)) {
        if (t.tag != CHY_DER_SEQUENCE) {
            chy_lint_find(l, CHY_LR_CP_NOTICE, "it is no SEQUENCE");
        } else {
            check_notice(l, t.value);
        }
    } else if (any_policy) {
        chy_lint_find(l, CHY_LR_CP_ANY_QUALIFIER, "a qualifier of %zu octets", id.n);
    }
    return true;
}

static bool check_policy(struct chy_lint *l, struct chy_der d, struct chy_span *id)
{
    struct chy_der list, q;
    if (!chy_der_expect(&d, CHY_DER_OID, id)) return false;
    bool any = chy_span_eq(*id, OID_ANY_POLICY);
    if (any && !l->is_ca) chy_lint_find(l, CHY_LR_CP_ANY_LEAF, "it has anyPolicy");
    if (chy_der_empty(&d)) return true;
    if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&d) || chy_der_empty(&list)) {
        return false;
    }
    while (!chy_der_empty(&list)) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &q) || !check_qualifier(l, q, any)) {
            return false;
        }
    }
    return true;
}

static void check_policies(struct chy_lint *l, struct policies *seen)
{
    const struct chy_ext *e = l->known[CHY_LX_CP];
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list, d;
    struct chy_span id = {NULL, 0};
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        ok = seen->n < POLICIES_MAX && chy_der_enter(&list, CHY_DER_SEQUENCE, &d) &&
             check_policy(l, d, &id);
        if (!ok) break;
        if (contains(seen, id)) chy_lint_find(l, CHY_LR_CP_DUPLICATE, "policy %zu", seen->n + 1);
        seen->id[seen->n++] = id;
    }
    if (!ok) chy_lint_find(l, CHY_LR_CP_STRUCTURE, "value of %zu octets", e->value.n);
    if (e->critical) chy_lint_find(l, CHY_LR_CP_NOT_CRITICAL, "it is critical");
    if (l->is_ca && !l->ca) chy_lint_find(l, CHY_LR_CP_ROOT, "it has %zu", seen->n);
}

/* PolicyMappings ::= SEQUENCE OF SEQUENCE { issuerDomainPolicy, subjectDomainPolicy } */
static bool check_mappings(struct chy_lint *l, struct chy_span value, const struct policies *seen)
{
    struct chy_der outer = chy_der_of(value), list, pair;
    struct chy_span from, to;
    if (!chy_der_strict(value) || !chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) ||
        chy_der_empty(&list)) {
        return false;
    }
    for (size_t n = 1; !chy_der_empty(&list); n++) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &pair) ||
            !chy_der_expect(&pair, CHY_DER_OID, &from) ||
            !chy_der_expect(&pair, CHY_DER_OID, &to) || !chy_der_empty(&pair)) {
            return false;
        }
        if (chy_span_eq(from, OID_ANY_POLICY) || chy_span_eq(to, OID_ANY_POLICY)) {
            chy_lint_find(l, CHY_LR_PM_ANY, "mapping %zu", n);
        } else if (!contains(seen, from)) {
            chy_lint_find(l, CHY_LR_PM_IN_CP, "mapping %zu", n);
        }
    }
    return true;
}

/* SkipCerts ::= INTEGER (0..MAX) */
static bool is_count(struct chy_span value)
{
    int64_t n;
    return chy_der_get_int(value, &n) && n >= 0;
}

/* PolicyConstraints ::= SEQUENCE { requireExplicitPolicy [0], inhibitPolicyMapping [1] } */
static bool is_policy_constraints(struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), d;
    struct chy_span explicit_policy, mapping;
    bool has_explicit, has_mapping;
    return chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) && chy_der_empty(&outer) &&
           chy_der_skip_optional(&d, CHY_DER_CTX(0), &explicit_policy, &has_explicit) &&
           chy_der_skip_optional(&d, CHY_DER_CTX(1), &mapping, &has_mapping) && chy_der_empty(&d) &&
           (!has_explicit || is_count(explicit_policy)) && (!has_mapping || is_count(mapping));
}

static void check_policy_limits(struct chy_lint *l)
{
    const struct chy_ext *pc = l->known[CHY_LX_PC], *iap = l->known[CHY_LX_IAP];
    struct chy_span skip;
    if (pc && !pc->critical) chy_lint_find(l, CHY_LR_PC_CRITICAL, "it is not critical");
    if (pc && !is_policy_constraints(pc->value)) {
        chy_lint_find(l, CHY_LR_PC_STRUCTURE, "value of %zu octets", pc->value.n);
    } else if (pc && pc->value.n <= 2) {
        chy_lint_find(l, CHY_LR_PC_NOT_EMPTY, "it has no field");
    }
    if (!iap) return;
    struct chy_der d = chy_der_of(iap->value);
    if (!iap->critical) chy_lint_find(l, CHY_LR_IAP_CRITICAL, "it is not critical");
    if (!chy_der_expect(&d, CHY_DER_INTEGER, &skip) || !chy_der_empty(&d) || !is_count(skip)) {
        chy_lint_find(l, CHY_LR_IAP_STRUCTURE, "value of %zu octets", iap->value.n);
    }
}

void chy_lint_policies(struct chy_lint *l)
{
    const struct chy_ext *pm = l->known[CHY_LX_PM];
    struct policies seen = {.n = 0};
    check_policies(l, &seen);
    if (pm && !pm->critical) chy_lint_find(l, CHY_LR_PM_CRITICAL, "it is not critical");
    if (pm && !check_mappings(l, pm->value, &seen)) {
        chy_lint_find(l, CHY_LR_PM_STRUCTURE, "value of %zu octets", pm->value.n);
    }
    check_policy_limits(l);
}
