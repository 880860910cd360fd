/* Lint: the two ends of a CRL (RFC 5280 5.1, 5.2), and that they fit what is passed between them.
 */
#include "pki/lint_status_int.h"

#include <string.h>

#include "base/text.h"

bool chy_lint_status_exts(struct chy_lint_report *out, enum chy_lint_id twice, struct chy_der list,
                          struct chy_ext *ext, size_t *n)
{
    size_t room = *n;
    *n = 0;
    while (!chy_der_empty(&list)) {
        struct chy_der d;
        struct chy_span flag;
        bool present;
        struct chy_ext e = {.critical = false};
        if (*n == room || !chy_der_enter(&list, CHY_DER_SEQUENCE, &d) ||
            !chy_der_expect(&d, CHY_DER_OID, &e.oid) ||
            !chy_der_skip_optional(&d, CHY_DER_BOOLEAN, &flag, &present) ||
            (present && (!chy_der_get_bool(flag, &e.critical) || !e.critical)) ||
            !chy_der_expect(&d, CHY_DER_OCTET_STRING, &e.value) || !chy_der_empty(&d))
            return false;
        for (size_t i = 0; i < *n; i++) {
            if (chy_span_eq(ext[i].oid, e.oid))
                chy_lint_note(out, twice, "extension %zu repeats %zu", *n + 1, i + 1);
        }
        ext[(*n)++] = e;
    }
    return true;
}

bool chy_lint_crl_time(struct chy_lint_crl *l, enum chy_lint_id rule, const char *what,
                       const struct chy_tlv *t, chy_time *out)
{
    struct chy_civil c = {.year = 0};
    bool ok = chy_lint_time(t, out);
    if (ok) chy_civil_from_time(&c, *out);
    if (ok && (t->tag == CHY_DER_UTC_TIME || c.year >= 2050)) return true;
    chy_lint_note(l->out, rule, "%s: '%.*s'", what, CHY_LINT_SHOW(t->value));
    return false;
}

/* ---- the head ---- */

/* A header whose content is elsewhere; false where it is none, or longer than it needs to be. */
static bool read_header(struct chy_der *d, uint64_t *len)
{
    size_t have = (size_t)(d->end - d->p);
    if (have < 2 || d->p[0] != CHY_DER_SEQUENCE) return false;
    size_t octets = d->p[1] < 0x80 ? 0 : d->p[1] & 0x7fu;
    if (octets > 4 || (d->p[1] == 0x80) || have < 2 + octets) return false;
    *len = octets ? 0 : d->p[1];
    for (size_t i = 0; i < octets; i++)
        *len = *len << 8 | d->p[2 + i];
    if (chy_der_header_len((size_t)*len) != 2 + octets) return false;
    d->p += 2 + octets;
    return true;
}

static bool read_strict(struct chy_der *d, uint8_t tag, struct chy_tlv *t)
{
    return chy_der_peek(d) == tag && chy_der_read(d, t) && chy_der_strict(t->whole);
}

static bool is_time(uint8_t tag)
{
    return tag == CHY_DER_UTC_TIME || tag == CHY_DER_GENERALIZED_TIME;
}

static void check_version(struct chy_lint_crl *l, const struct chy_tlv *version)
{
    if (version->tag == 0) {
        chy_lint_note(l->out, CHY_LR_CRL_VERSION, "there is none: v1");
    } else if (version->value.n != 1 || version->value.p[0] != 1) {
        chy_lint_note(l->out, CHY_LR_CRL_VERSION, "it is another");
    }
}

static void check_issuer(struct chy_lint_crl *l, struct chy_span alg, struct chy_span name)
{
    if (!chy_sig_alg_by_der(alg) || !chy_span_eq(alg, l->issuer->sig_alg))
        chy_lint_note(l->out, CHY_LR_CRL_SIG_ALG, "the issuer signs with another algorithm");
    if (!chy_span_eq(name, l->issuer->subject))
        chy_lint_note(l->out, CHY_LR_CRL_ISSUER, "the names differ");
}

static void check_times(struct chy_lint_crl *l, const struct chy_tlv *this_update,
                        const struct chy_tlv *next_update)
{
    bool ok = chy_lint_crl_time(l, CHY_LR_CRL_TIME, "thisUpdate", this_update, &l->this_update);
    if (next_update->tag == 0) {
        chy_lint_note(l->out, CHY_LR_CRL_NEXT, "there is no nextUpdate");
        return;
    }
    chy_time next = CHY_TIME_DEFAULT;
    if (!chy_lint_crl_time(l, CHY_LR_CRL_TIME, "nextUpdate", next_update, &next)) return;
    l->next_update = next;
    if (!ok) return;
    if (next <= l->this_update) {
        chy_lint_note(l->out, CHY_LR_CRL_NEXT, "it is %lld s before thisUpdate",
                      (long long)((l->this_update - next) / CHY_US_PER_S));
    } else if (next - l->this_update > 366 * INT64_C(86400) * CHY_US_PER_S) {
        chy_lint_note(l->out, CHY_LR_CRL_YEAR, "it is %lld days after thisUpdate",
                      (long long)((next - l->this_update) / (86400 * CHY_US_PER_S)));
    }
}

static bool read_head(struct chy_lint_crl *l, struct chy_der *d)
{
    struct chy_tlv version = {.tag = 0}, alg, name, this_update, next_update = {.tag = 0};
    if (chy_der_peek(d) == CHY_DER_INTEGER && !read_strict(d, CHY_DER_INTEGER, &version))
        return false;
    if (!read_strict(d, CHY_DER_SEQUENCE, &alg) || !read_strict(d, CHY_DER_SEQUENCE, &name) ||
        !is_time(chy_der_peek(d)) || !chy_der_read(d, &this_update) ||
        (is_time(chy_der_peek(d)) && !chy_der_read(d, &next_update)))
        return false;
    bool listed = !chy_der_empty(d);
    if (listed && (!read_header(d, &l->entries_len) || !chy_der_empty(d))) return false;
    if (listed && l->entries_len == 0) chy_lint_note(l->out, CHY_LR_CRL_LIST, "the list is empty");
    check_version(l, &version);
    check_issuer(l, alg.whole, name.whole);
    check_times(l, &this_update, &next_update);
    return true;
}

void chy_lint_crl_begin(struct chy_lint_crl *l, struct chy_span head,
                        const struct chy_lint_issuer *issuer, struct chy_lint_report *out)
{
    struct chy_der d = chy_der_of(head);
    *l = (struct chy_lint_crl){.out = out,
                               .issuer = issuer,
                               .this_update = CHY_TIME_DEFAULT,
                               .next_update = CHY_TIME_DEFAULT};
    chy_lint_clear(out);
    l->broken = !read_header(&d, &l->tbs_len);
    if (!l->broken) {
        l->total = (uint64_t)(d.end - d.p);
        l->broken = !read_head(l, &d);
    }
    if (l->broken) chy_lint_note(out, CHY_LR_CRL_STRUCTURE, "the fields before the entries");
}

/* ---- the tail ---- */

enum ext_id { AKI, NUMBER, DELTA, IDP, FRESHEST, KNOWN };

static const struct {
    const struct chy_span *oid;
    bool critical;
} known[KNOWN] = {
    [AKI] = {&chy_oid_authority_key_id, false},
    [NUMBER] = {&chy_oid_crl_number, false},
    [DELTA] = {&chy_oid_delta_crl_indicator, true},
    [IDP] = {&chy_oid_issuing_distribution_point, true},
    [FRESHEST] = {&chy_oid_freshest_crl, false},
};

static size_t element_len(size_t content)
{
    return chy_der_header_len(content) + content;
}

static void check_aki(struct chy_lint_crl *l, const struct chy_ext *e)
{
    struct chy_span id = {NULL, 0};
    /* An issuer without a key identifier of its own, an old root, cannot be named by one. */
    if (!l->issuer->key_id.n) return;
    if (!e) {
        chy_lint_note(l->out, CHY_LR_CRL_AKI, "there is no authorityKeyIdentifier");
    } else if (!chy_aki_parse(e->value, &id) || !chy_span_eq(id, l->issuer->key_id)) {
        chy_lint_note(l->out, CHY_LR_CRL_AKI_EQUALS, "it is not the key identifier of the issuer");
    } else if (e->value.n > element_len(element_len(id.n))) {
        chy_lint_note(l->out, CHY_LR_CRL_AKI_KEY_ONLY, "issuer and serial number stand too");
    }
}

/* 5.2.3: a number that is not negative, of 20 octets at most. */
static bool read_number(const struct chy_ext *e, struct chy_span *out)
{
    struct chy_der d = chy_der_of(e->value);
    return chy_der_expect(&d, CHY_DER_INTEGER, out) && chy_der_empty(&d) &&
           chy_der_int_minimal(*out) && !(out->p[0] & 0x80) && out->n <= CHY_SERIAL_LEN;
}

static void check_numbers(struct chy_lint_crl *l, const struct chy_ext *number,
                          const struct chy_ext *delta)
{
    struct chy_span n = {NULL, 0}, base = {NULL, 0};
    if (!number) {
        chy_lint_note(l->out, CHY_LR_CRL_NUMBER, "there is none");
    } else if (!read_number(number, &n)) {
        chy_lint_note(l->out, CHY_LR_CRL_NUMBER_FORM, "a value of %zu octets", number->value.n);
    }
    if (!delta) {
        if (l->n_removed)
            chy_lint_note(l->out, CHY_LR_CRL_REMOVE, "%llu entries",
                          (unsigned long long)l->n_removed);
        return;
    }
    if (!read_number(delta, &base)) {
        chy_lint_note(l->out, CHY_LR_CRL_DELTA_BASE, "a value of %zu octets", delta->value.n);
    } else if (n.n && (base.n > n.n || (base.n == n.n && memcmp(base.p, n.p, n.n) > 0))) {
        chy_lint_note(l->out, CHY_LR_CRL_DELTA_BASE, "it is above the list's own");
    }
}

/* DistributionPointName ::= CHOICE { fullName [0], nameRelativeToCRLIssuer [1] } */
static bool check_point_name(struct chy_lint_crl *l, struct chy_span name)
{
    struct chy_der d = chy_der_of(name), names;
    struct chy_tlv t;
    bool url = false;
    if (chy_der_peek(&d) == CHY_DER_CTX_C(0)) {
        if (!chy_der_enter(&d, CHY_DER_CTX_C(0), &names) || chy_der_empty(&names)) return false;
        while (!chy_der_empty(&names)) {
            if (!chy_der_read(&names, &t) || (t.tag & 0xc0) != 0x80) return false;
            if (t.tag != CHY_DER_CTX(CHY_GN_URI)) continue;
            url = true;
            if (!chy_lint_uri_scheme(t.value))
                chy_lint_note(l->out, CHY_LR_CRL_IDP_URI, "'%.*s'", CHY_LINT_SHOW(t.value));
        }
    } else if (!chy_der_read(&d, &t) || t.tag != CHY_DER_CTX_C(1)) {
        return false;
    }
    if (!url) chy_lint_note(l->out, CHY_LR_CRL_IDP_URI, "there is no URL");
    return chy_der_empty(&d);
}

/* [n] IMPLICIT BOOLEAN DEFAULT FALSE: TRUE or left out. */
static bool read_flag(struct chy_der *d, unsigned n, unsigned *flags)
{
    struct chy_span v;
    bool present, on = false;
    if (!chy_der_skip_optional(d, (uint8_t)CHY_DER_CTX(n), &v, &present)) return false;
    if (present && (!chy_der_get_bool(v, &on) || !on)) return false;
    *flags = present;
    return true;
}

static bool check_idp_value(struct chy_lint_crl *l, struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), d;
    struct chy_span name, reasons, bits;
    unsigned user, ca, indirect, attribute, unused;
    bool named, partial;
    if (!chy_der_strict(value) || !chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) ||
        chy_der_empty(&d) || !chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &name, &named) ||
        !read_flag(&d, 1, &user) || !read_flag(&d, 2, &ca) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(3), &reasons, &partial) ||
        (partial && !chy_der_get_bits(reasons, &bits, &unused)) || !read_flag(&d, 4, &indirect) ||
        !read_flag(&d, 5, &attribute) || !chy_der_empty(&d))
        return false;
    if (partial || indirect || attribute || user + ca > 1)
        chy_lint_note(l->out, CHY_LR_CRL_IDP_SCOPE, "%s",
                      indirect  ? "it is of several issuers"
                      : partial ? "it is of some reasons"
                                : "it is of several kinds, or of attribute certificates");
    return !named || check_point_name(l, name);
}

static void check_pointers(struct chy_lint_crl *l, const struct chy_ext *idp,
                           const struct chy_ext *freshest, bool delta)
{
    struct chy_span url;
    if (idp && !check_idp_value(l, idp->value))
        chy_lint_note(l->out, CHY_LR_CRL_IDP, "a value of %zu octets", idp->value.n);
    if (!freshest) return;
    if (!chy_cdp_first_url(freshest->value, &url) || !chy_lint_uri_scheme(url))
        chy_lint_note(l->out, CHY_LR_CRL_FRESHEST, "a value of %zu octets", freshest->value.n);
    if (delta) chy_lint_note(l->out, CHY_LR_CRL_FRESHEST_BASE, "both stand");
}

static void check_ext(struct chy_lint_crl *l, const struct chy_ext *e,
                      const struct chy_ext *found[KNOWN])
{
    for (size_t i = 0; i < KNOWN; i++) {
        if (!chy_span_eq(e->oid, *known[i].oid)) continue;
        if (!found[i]) found[i] = e;
        if (known[i].critical && !e->critical)
            chy_lint_note(l->out, CHY_LR_CRL_IS_CRITICAL, "%s is not",
                          i == DELTA ? "the delta CRL indicator" : "issuingDistributionPoint");
        if (!known[i].critical && e->critical)
            chy_lint_note(l->out, CHY_LR_CRL_NOT_CRITICAL, "one is");
        return;
    }
    char text[CHY_EXT_OID_TEXT];
    if (!chy_oid_to_text(e->oid, text, sizeof text)) text[0] = 0;
    if (e->critical) chy_lint_note(l->out, CHY_LR_CRL_EXT_CRITICAL, "%s is critical", text);
    if (!chy_der_strict(e->value))
        chy_lint_note(l->out, CHY_LR_CRL_EXT_DER, "the value of %s is not DER", text);
}

/* [0] EXPLICIT SEQUENCE OF Extension, or nothing */
static bool read_tail(struct chy_lint_crl *l, struct chy_span tail, struct chy_ext *ext, size_t *n)
{
    struct chy_der d = chy_der_of(tail), tag, list;
    if (tail.n == 0) {
        *n = 0;
        return true;
    }
    return chy_der_strict(tail) && chy_der_enter(&d, CHY_DER_CTX_C(0), &tag) && chy_der_empty(&d) &&
           chy_der_enter(&tag, CHY_DER_SEQUENCE, &list) && chy_der_empty(&tag) &&
           !chy_der_empty(&list) &&
           chy_lint_status_exts(l->out, CHY_LR_CRL_EXT_TWICE, list, ext, n);
}

void chy_lint_crl_end(struct chy_lint_crl *l, struct chy_span tail)
{
    struct chy_ext ext[CHY_LINT_STATUS_EXT_MAX];
    const struct chy_ext *found[KNOWN] = {NULL};
    size_t n = CHY_LINT_STATUS_EXT_MAX;
    if (l->broken) return;
    l->total += tail.n;
    if (l->seen != l->entries_len || l->total != l->tbs_len) {
        chy_lint_note(l->out, CHY_LR_CRL_LENGTHS, "%llu of %llu octets, of entries %llu of %llu",
                      (unsigned long long)l->total, (unsigned long long)l->tbs_len,
                      (unsigned long long)l->seen, (unsigned long long)l->entries_len);
    }
    if (!read_tail(l, tail, ext, &n)) {
        chy_lint_note(l->out, CHY_LR_CRL_STRUCTURE, "the extensions behind the entries");
        return;
    }
    for (size_t i = 0; i < n; i++)
        check_ext(l, &ext[i], found);
    check_aki(l, found[AKI]);
    check_numbers(l, found[NUMBER], found[DELTA]);
    check_pointers(l, found[IDP], found[FRESHEST], found[DELTA] != NULL);
}
