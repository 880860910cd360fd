/* Lint: what holds for every extension, and basicConstraints, keyUsage and extKeyUsage, each alone.
 * RFC 5280 4.2. */
#include "pki/lint_int.h"

#include <string.h>

#define NETSCAPE "\x60\x86\x48\x01\x86\xf8\x42\x01"

/* Extensions that a relying party can be asked to process: RFC 5280 4.2, RFC 3779, RFC 6487 (28,
 * 29), RFC 6962 3.1 (the precertificate poison), RFC 7633, MS-WCCE (application policies). */
static const struct chy_span may_be_critical[] = {
    CHY_LINT_OID("\x55\x1d\x09"),
    CHY_LINT_OID("\x55\x1d\x0e"),
    CHY_LINT_OID("\x55\x1d\x0f"),
    CHY_LINT_OID("\x55\x1d\x11"),
    CHY_LINT_OID("\x55\x1d\x12"),
    CHY_LINT_OID("\x55\x1d\x13"),
    CHY_LINT_OID("\x55\x1d\x1e"),
    CHY_LINT_OID("\x55\x1d\x1f"),
    CHY_LINT_OID("\x55\x1d\x20"),
    CHY_LINT_OID("\x55\x1d\x21"),
    CHY_LINT_OID("\x55\x1d\x23"),
    CHY_LINT_OID("\x55\x1d\x24"),
    CHY_LINT_OID("\x55\x1d\x25"),
    CHY_LINT_OID("\x55\x1d\x2e"),
    CHY_LINT_OID("\x55\x1d\x36"),
    CHY_LINT_OID("\x55\x1d\x38"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x01"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x03"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x07"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x08"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x0b"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x18"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x1c"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x01\x1d"),
    CHY_LINT_OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"),
    CHY_LINT_OID("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03"),
    CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0a"),
};

static bool is_critical_known(struct chy_span oid)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(may_be_critical); i++) {
        if (chy_span_eq(may_be_critical[i], oid)) return true;
    }
    return false;
}

static bool is_classified(const struct chy_lint *l, const struct chy_ext *e)
{
    for (size_t i = 0; i < CHY_LX_COUNT; i++) {
        if (l->known[i] == e) return true;
    }
    return false;
}

struct oid_text {
    char text[CHY_EXT_OID_TEXT];
};

static struct oid_text named(struct chy_span oid)
{
    struct oid_text out = {{0}};
    if (!chy_oid_to_text(oid, out.text, sizeof out.text)) out.text[0] = 0;
    return out;
}

/* The value of an extension that no other rule reads. */
static void check_any(struct chy_lint *l, const struct chy_ext *e)
{
    size_t prefix = sizeof NETSCAPE - 1;
    if (!chy_der_strict(e->value)) {
        chy_lint_find(l, CHY_LR_EXT_VALUE_DER, "the value of %s is not DER", named(e->oid).text);
    }
    if (e->oid.n == prefix + 1 && memcmp(e->oid.p, NETSCAPE, prefix) == 0) {
        chy_lint_find(l, CHY_LR_EXT_NETSCAPE, "%s", named(e->oid).text);
    }
}

void chy_lint_ext_list(struct chy_lint *l)
{
    static const enum chy_lint_ext_id ca_only[] = {CHY_LX_NC, CHY_LX_PM, CHY_LX_PC, CHY_LX_IAP};
    if (l->has_extensions && l->n_ext == 0) {
        chy_lint_find(l, CHY_LR_EXT_NOT_EMPTY, "the list is empty");
    }
    for (size_t i = 0; i < l->n_ext; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!chy_span_eq(l->ext[i].oid, l->ext[k].oid)) continue;
            chy_lint_find(l, CHY_LR_EXT_DUPLICATE, "extension %zu repeats %zu", i + 1, k + 1);
            break;
        }
        if (l->ext[i].critical && !is_critical_known(l->ext[i].oid)) {
            chy_lint_find(l, CHY_LR_EXT_UNKNOWN_CRITICAL, "%s is critical",
                          named(l->ext[i].oid).text);
        }
        if (!is_classified(l, &l->ext[i])) check_any(l, &l->ext[i]);
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(ca_only) && !l->is_ca; i++) {
        if (l->known[ca_only[i]]) {
            chy_lint_find(l, CHY_LR_EXT_CA_ONLY, "an end entity has constraints on paths");
        }
    }
}

static void read_basic_constraints(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_BC];
    struct chy_der outer, d;
    struct chy_span ca, len;
    bool has_ca, has_len;
    int64_t path_len = -1;
    if (!e) return;
    outer = chy_der_of(e->value);
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&outer) ||
        !chy_der_skip_optional(&d, CHY_DER_BOOLEAN, &ca, &has_ca) ||
        !chy_der_skip_optional(&d, CHY_DER_INTEGER, &len, &has_len) || !chy_der_empty(&d) ||
        (has_ca && (!chy_der_get_bool(ca, &l->is_ca) || !l->is_ca)) ||
        (has_len && (!chy_der_get_int(len, &path_len) || path_len < 0 || path_len > INT16_MAX))) {
        chy_lint_find(l, CHY_LR_BC_STRUCTURE, "basicConstraints of %zu octets", e->value.n);
        return;
    }
    l->path_len = (int)path_len;
    if (l->is_ca && !e->critical) {
        chy_lint_find(l, CHY_LR_BC_CA_CRITICAL, "CA:TRUE is not critical");
    }
    if (has_len && !l->is_ca) {
        chy_lint_find(l, CHY_LR_BC_PATH_LEN_CA, "path length %d without CA:TRUE", l->path_len);
    }
}

/* Bit i of the BIT STRING as 1 << i; false when it is no bit string of the nine. */
static bool read_bits(struct chy_span bits, unsigned unused, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < bits.n * 8; i++) {
        bool set = (bits.p[i / 8] >> (7 - i % 8)) & 1;
        if (set && (i > 8 || i >= bits.n * 8 - unused)) return false;
        if (set) *out |= 1u << i;
    }
    return true;
}

static void read_key_usage(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_KU];
    if (!e) return;
    struct chy_der d = chy_der_of(e->value);
    struct chy_span v;
    bool ok = chy_der_expect(&d, CHY_DER_BIT_STRING, &v) && chy_der_empty(&d) && v.n >= 1 &&
              v.n <= 8 && v.p[0] <= 7 && (v.n > 1 || v.p[0] == 0);
    if (!ok || !read_bits(chy_span_of(v.p + 1, v.n - 1), v.p[0], &l->ku)) {
        chy_lint_find(l, CHY_LR_KU_STRUCTURE, "keyUsage of %zu octets", e->value.n);
        return;
    }
    if (l->ku == 0) {
        chy_lint_find(l, CHY_LR_KU_NOT_EMPTY, "no bit is set");
    } else if (!((v.p[v.n - 1] >> v.p[0]) & 1)) {
        chy_lint_find(l, CHY_LR_KU_TRIMMED, "the last bit is 0");
    }
    if (!e->critical) chy_lint_find(l, CHY_LR_KU_CRITICAL, "keyUsage is not critical");
    if ((l->ku & (CHY_KU_ENCIPHER_ONLY | CHY_KU_DECIPHER_ONLY)) &&
        !(l->ku & CHY_KU_KEY_AGREEMENT)) {
        chy_lint_find(l, CHY_LR_KU_ONLY_AGREEMENT, "keyUsage bits %03x", l->ku);
    }
}

static bool read_purposes(struct chy_lint *l, struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), d;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&outer)) return false;
    while (!chy_der_empty(&d)) {
        if (l->n_eku == CHY_LINT_EKU_MAX || !chy_der_expect(&d, CHY_DER_OID, &l->eku[l->n_eku])) {
            return false;
        }
        l->n_eku++;
    }
    return true;
}

#define KP "\x2b\x06\x01\x05\x05\x07\x03"
static const struct {
    struct chy_span oid;
    unsigned purpose;
} purposes[] = {
    {CHY_LINT_OID(KP "\x01"), CHY_LP_SERVER},
    {CHY_LINT_OID(KP "\x02"), CHY_LP_CLIENT},
    {CHY_LINT_OID(KP "\x03"), CHY_LP_CODE},
    {CHY_LINT_OID(KP "\x04"), CHY_LP_EMAIL},
    {CHY_LINT_OID(KP "\x05"), CHY_LP_IPSEC},
    {CHY_LINT_OID(KP "\x06"), CHY_LP_IPSEC},
    {CHY_LINT_OID(KP "\x07"), CHY_LP_IPSEC},
    {CHY_LINT_OID(KP "\x08"), CHY_LP_TIME},
    {CHY_LINT_OID(KP "\x09"), CHY_LP_OCSP},
    {CHY_LINT_OID("\x55\x1d\x25\x00"), CHY_LP_ANY},
    {CHY_LINT_OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02"), CHY_LP_LOGON},
};

static unsigned purpose_of(struct chy_span oid)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(purposes); i++) {
        if (chy_span_eq(purposes[i].oid, oid)) return purposes[i].purpose;
    }
    return 0;
}

static void read_ext_key_usage(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_EKU];
    if (!e) return;
    if (!read_purposes(l, e->value)) {
        chy_lint_find(l, CHY_LR_EKU_STRUCTURE, "extKeyUsage of %zu octets", e->value.n);
        return;
    }
    if (l->n_eku == 0) chy_lint_find(l, CHY_LR_EKU_NOT_EMPTY, "there is no purpose");
    for (size_t i = 0; i < l->n_eku; i++) {
        l->purposes |= purpose_of(l->eku[i]);
        for (size_t k = 0; k < i; k++) {
            if (!chy_span_eq(l->eku[i], l->eku[k])) continue;
            chy_lint_find(l, CHY_LR_EKU_DUPLICATE, "purpose %zu repeats %zu", i + 1, k + 1);
            break;
        }
    }
}

void chy_lint_usage(struct chy_lint *l)
{
    read_basic_constraints(l);
    read_key_usage(l);
    read_ext_key_usage(l);
}
