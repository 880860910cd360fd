/* The registry of lint rules, the reading of a TBSCertificate (RFC 5280 4.1) and the order in which
 * the families of rules run over it. */
#include "pki/lint_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RULE(name, id, severity, section, text) {id, CHY_LINT_##severity, section, text},
static const struct chy_lint_rule rules[CHY_LR_COUNT] = {CHY_LINT_RULES(RULE)};
#undef RULE

#define RULE(name, id, severity, section, text) &rules[CHY_LR_##name],
const struct chy_lint_rule *const chy_lint_rules[] = {CHY_LINT_RULES(RULE) NULL};
#undef RULE

static void CHY_PRINTF(3, 0)
    note(struct chy_lint_report *r, enum chy_lint_id id, const char *fmt, va_list ap)
{
    if (rules[id].severity == CHY_LINT_ERROR) r->errors++;
    if (rules[id].severity == CHY_LINT_WARNING) r->warnings++;
    if (r->n == CHY_ARRAY_LEN(r->finding)) return;
    struct chy_lint_finding *f = &r->finding[r->n++];
    f->rule = &rules[id];
    (void)vsnprintf(f->detail, sizeof f->detail, fmt, ap);
    for (char *c = f->detail; *c; c++) {
        if (*c < ' ' || *c > '~') *c = '?';
    }
}

void chy_lint_find(struct chy_lint *l, enum chy_lint_id id, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(l->out, id, fmt, ap);
    va_end(ap);
}

void chy_lint_note(struct chy_lint_report *r, enum chy_lint_id id, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(r, id, fmt, ap);
    va_end(ap);
}

void chy_lint_clear(struct chy_lint_report *r)
{
    r->n = 0;
    r->errors = 0;
    r->warnings = 0;
}

static const struct {
    enum chy_lint_ext_id id;
    struct chy_span oid;
} known_exts[] = {
    {CHY_LX_BC, CHY_LINT_OID("\x55\x1d\x13")},
    {CHY_LX_KU, CHY_LINT_OID("\x55\x1d\x0f")},
    {CHY_LX_EKU, CHY_LINT_OID("\x55\x1d\x25")},
    {CHY_LX_SKI, CHY_LINT_OID("\x55\x1d\x0e")},
    {CHY_LX_AKI, CHY_LINT_OID("\x55\x1d\x23")},
    {CHY_LX_SAN, CHY_LINT_OID("\x55\x1d\x11")},
    {CHY_LX_CDP, CHY_LINT_OID("\x55\x1d\x1f")},
    {CHY_LX_AIA, CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x01")},
    {CHY_LX_SIA, CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x0b")},
    {CHY_LX_CP, CHY_LINT_OID("\x55\x1d\x20")},
    {CHY_LX_PM, CHY_LINT_OID("\x55\x1d\x21")},
    {CHY_LX_PC, CHY_LINT_OID("\x55\x1d\x24")},
    {CHY_LX_IAP, CHY_LINT_OID("\x55\x1d\x36")},
    {CHY_LX_NC, CHY_LINT_OID("\x55\x1d\x1e")},
    {CHY_LX_NOCHECK, CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x05")},
    {CHY_LX_IAN, CHY_LINT_OID("\x55\x1d\x12")},
    {CHY_LX_FRESHEST, CHY_LINT_OID("\x55\x1d\x2e")},
    {CHY_LX_SDA, CHY_LINT_OID("\x55\x1d\x09")},
    {CHY_LX_TLS_FEATURE, CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x18")},
    {CHY_LX_MS_TEMPLATE_NAME, CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02")},
    {CHY_LX_MS_TEMPLATE_INFO, CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x07")},
    {CHY_LX_MS_CA_VERSION, CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x01")},
    {CHY_LX_MS_PREVIOUS_HASH, CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x02")},
    {CHY_LX_MS_APP_POLICIES, CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0a")},
    {CHY_LX_MS_SID, CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x19\x02")},
    {CHY_LX_NO_REV, CHY_LINT_OID("\x55\x1d\x38")},
    {CHY_LX_SCT, CHY_LINT_OID("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02")},
    {CHY_LX_CT_POISON, CHY_LINT_OID("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03")},
    {CHY_LX_QC, CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x03")},
};

static void classify(struct chy_lint *l, const struct chy_ext *e)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(known_exts); i++) {
        if (!chy_span_eq(known_exts[i].oid, e->oid)) continue;
        if (!l->known[known_exts[i].id]) l->known[known_exts[i].id] = e;
        return;
    }
}

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }. FALSE written out is let
 * through here, for its own rule to name it. */
static bool read_extension(struct chy_lint *l, struct chy_der *list)
{
    struct chy_der d;
    struct chy_ext e = {.critical = false};
    struct chy_span critical;
    bool present;
    if (!chy_der_enter(list, CHY_DER_SEQUENCE, &d) || !chy_der_expect(&d, CHY_DER_OID, &e.oid) ||
        !chy_der_skip_optional(&d, CHY_DER_BOOLEAN, &critical, &present)) {
        return false;
    }
    if (present && !chy_der_get_bool(critical, &e.critical)) return false;
    if (!chy_der_expect(&d, CHY_DER_OCTET_STRING, &e.value) || !chy_der_empty(&d)) return false;
    if (present && !e.critical) {
        chy_lint_find(l, CHY_LR_EXT_DEFAULT, "extension %zu has critical FALSE written out",
                      l->n_ext + 1);
    }
    if (l->n_ext == CHY_EXT_MAX) return true;
    l->ext[l->n_ext] = e;
    classify(l, &l->ext[l->n_ext++]);
    return true;
}

static bool read_extensions(struct chy_lint *l, struct chy_der *d)
{
    struct chy_der explicit_tag, list;
    if (!chy_der_enter(d, CHY_DER_CTX_C(3), &explicit_tag) ||
        !chy_der_enter(&explicit_tag, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&explicit_tag)) {
        return false;
    }
    l->has_extensions = true;
    while (!chy_der_empty(&list)) {
        if (!read_extension(l, &list)) return false;
    }
    return true;
}

static bool read_whole(struct chy_der *d, uint8_t tag, struct chy_span *whole)
{
    struct chy_tlv t;
    if (!chy_der_read(d, &t) || t.tag != tag) return false;
    *whole = t.whole;
    return true;
}

static bool is_time(uint8_t tag)
{
    return tag == CHY_DER_UTC_TIME || tag == CHY_DER_GENERALIZED_TIME;
}

static bool read_validity(struct chy_lint *l, struct chy_der *d)
{
    struct chy_der v;
    return chy_der_enter(d, CHY_DER_SEQUENCE, &v) && chy_der_read(&v, &l->not_before) &&
           chy_der_read(&v, &l->not_after) && chy_der_empty(&v) && is_time(l->not_before.tag) &&
           is_time(l->not_after.tag);
}

static bool skip_unique_ids(struct chy_lint *l, struct chy_der *d)
{
    for (unsigned i = 1; i <= 2; i++) {
        struct chy_span id;
        bool present;
        if (!chy_der_skip_optional(d, (uint8_t)CHY_DER_CTX(i), &id, &present)) return false;
        l->has_unique_ids = l->has_unique_ids || present;
    }
    return true;
}

static bool read_tbs(struct chy_lint *l)
{
    struct chy_der outer = chy_der_of(l->tbs), d;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&outer)) return false;
    if (chy_der_peek(&d) == CHY_DER_CTX_C(0) && !chy_der_read(&d, &l->version)) return false;
    if (!chy_der_expect(&d, CHY_DER_INTEGER, &l->serial) ||
        !read_whole(&d, CHY_DER_SEQUENCE, &l->sig_alg) ||
        !read_whole(&d, CHY_DER_SEQUENCE, &l->issuer) || !read_validity(l, &d) ||
        !read_whole(&d, CHY_DER_SEQUENCE, &l->subject) ||
        !read_whole(&d, CHY_DER_SEQUENCE, &l->spki) || !skip_unique_ids(l, &d)) {
        return false;
    }
    if (!chy_der_empty(&d) && !read_extensions(l, &d)) return false;
    return chy_der_empty(&d);
}

/* What lint reads leniently the product's parser must read too; its refusal is a finding of its own
 * only where no other rule explains it. */
static void check_readable(struct chy_lint *l)
{
    struct chy_cert cert;
    struct chy_err err = {.code = CHY_S_OK};
    if (CHY_FAILED(chy_cert_parse_tbs(l->tbs, &cert, &err))) {
        chy_lint_find(l, CHY_LR_TBS_READABLE, "%s", err.text);
    }
}

void chy_lint_tbs(struct chy_span tbs, const struct chy_lint_issuer *issuer,
                  struct chy_lint_report *out)
{
    struct chy_lint l = {.out = out, .ca = issuer, .tbs = tbs, .path_len = -1};
    chy_lint_clear(out);
    if (tbs.n == 0 || !chy_der_strict(tbs)) {
        chy_lint_find(&l, CHY_LR_TBS_DER, "%zu octets are not one strict DER value", tbs.n);
        return;
    }
    if (!read_tbs(&l)) {
        chy_lint_find(&l, CHY_LR_TBS_STRUCTURE, "a field is missing, misplaced or of another type");
        return;
    }
    chy_lint_usage(&l);
    chy_lint_fields(&l);
    chy_lint_names(&l);
    chy_lint_key(&l);
    chy_lint_ext_list(&l);
    chy_lint_purposes(&l);
    chy_lint_key_ids(&l);
    chy_lint_pointers(&l);
    chy_lint_policies(&l);
    chy_lint_alt_names(&l);
    chy_lint_constraints(&l);
    chy_lint_others(&l);
    if (out->errors == 0) check_readable(&l);
}
