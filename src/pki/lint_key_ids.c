/* Lint: the key identifiers, the subject's and the issuer's. RFC 5280 4.2.1.1, 4.2.1.2. */
#include "pki/lint_int.h"

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
    } else if (key_id->n < 8 || key_id->n > 32) {
        chy_lint_find(l, CHY_LR_SKI_LENGTH, "it has %zu octets", key_id->n);
    } else if (l->ca && chy_span_eq(*key_id, l->ca->key_id)) {
        chy_lint_find(l, CHY_LR_SKI_NOT_ISSUERS, "both have the same identifier");
    }
    if (e->critical) chy_lint_find(l, CHY_LR_SKI_NOT_CRITICAL, "it is critical");
}

static void check_aki_value(struct chy_lint *l, struct chy_span value, struct chy_span own)
{
    struct chy_der outer = chy_der_of(value), d;
    struct chy_span id, names, serial;
    bool has_id, has_names, has_serial;
    if (!chy_der_strict(value) || !chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(0), &id, &has_id) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX_C(1), &names, &has_names) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(2), &serial, &has_serial) || !chy_der_empty(&d) ||
        (has_id && id.n == 0) || (has_names && names.n == 0) ||
        (has_serial && !chy_der_int_minimal(serial))) {
        chy_lint_find(l, CHY_LR_AKI_STRUCTURE, "authorityKeyIdentifier of %zu octets", value.n);
        return;
    }
    if (has_names != has_serial) chy_lint_find(l, CHY_LR_AKI_PAIR, "only one of the two stands");
    if (has_names && has_serial) {
        chy_lint_find(l, CHY_LR_AKI_KEY_ONLY, "issuer and serial number stand too");
    }
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

void chy_lint_key_ids(struct chy_lint *l)
{
    struct chy_span own = {NULL, 0};
    check_ski(l, &own);
    check_aki(l, own);
}
