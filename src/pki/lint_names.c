/* Lint: the issuer's and the subject's distinguished names. RFC 5280 4.1.2.4, 4.1.2.6, X.520.
 * The issuer's values were its own CA's matter; here it only has to be the very name. */
#include "pki/lint_int.h"

#include "base/text.h"
#include "pki/name.h"

#include <string.h>

enum { RDN_MAX = 16 };

#define OID_CN CHY_SPAN_STR("\x55\x04\x03")
#define OID_SERIAL CHY_SPAN_STR("\x55\x04\x05")
#define OID_COUNTRY CHY_SPAN_STR("\x55\x04\x06")
#define OID_STREET CHY_SPAN_STR("\x55\x04\x09")
#define OID_UNIT CHY_SPAN_STR("\x55\x04\x0b")
#define OID_DN_QUALIFIER CHY_SPAN_STR("\x55\x04\x2e")
#define OID_EMAIL CHY_SPAN_STR("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")
#define OID_UNSTRUCTURED CHY_SPAN_STR("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02")
#define OID_DC CHY_SPAN_STR("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")

static bool is_directory_string(uint8_t tag)
{
    return tag == CHY_DER_UTF8 || tag == CHY_DER_PRINTABLE || tag == CHY_DER_TELETEX ||
           tag == CHY_DER_BMP || tag == CHY_DER_UNIVERSAL;
}

static bool is_string(uint8_t tag)
{
    return is_directory_string(tag) || tag == CHY_DER_IA5 || tag == CHY_DER_NUMERIC ||
           tag == CHY_DER_VISIBLE;
}

/* RFC 5280 appendix A.1; an attribute that we do not know may have any string. */
static bool tag_allowed(const struct chy_lint_attr *a)
{
    if (chy_span_eq(a->oid, OID_COUNTRY) || chy_span_eq(a->oid, OID_SERIAL) ||
        chy_span_eq(a->oid, OID_DN_QUALIFIER)) {
        return a->tag == CHY_DER_PRINTABLE;
    }
    if (chy_span_eq(a->oid, OID_EMAIL) || chy_span_eq(a->oid, OID_DC)) return a->tag == CHY_DER_IA5;
    if (chy_span_eq(a->oid, OID_UNSTRUCTURED)) {
        return a->tag == CHY_DER_IA5 || is_directory_string(a->tag);
    }
    if (a->oid.n == 3 && memcmp(a->oid.p, "\x55\x04", 2) == 0) return is_directory_string(a->tag);
    return true;
}

static bool is_printable_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr(" '()+,-./:=?", c) != NULL);
}

static bool chars_allowed(const struct chy_lint_attr *a)
{
    const uint8_t *p = a->value.p;
    size_t n = a->value.n;
    if (a->tag == CHY_DER_BMP) return n % 2 == 0;
    if (a->tag == CHY_DER_UNIVERSAL) return n % 4 == 0;
    if (a->tag == CHY_DER_UTF8) return memchr(p, 0, n) != NULL || chy_utf8_valid(a->value);
    for (size_t i = 0; i < n; i++) {
        if (a->tag == CHY_DER_PRINTABLE && p[i] != 0 && !is_printable_char(p[i])) return false;
        if (a->tag == CHY_DER_NUMERIC && p[i] != ' ' && (p[i] < '0' || p[i] > '9')) return false;
        if ((a->tag == CHY_DER_IA5 || a->tag == CHY_DER_VISIBLE) && p[i] > 127) return false;
    }
    return true;
}

size_t chy_lint_char_width(uint8_t tag)
{
    return tag == CHY_DER_BMP ? 2 : tag == CHY_DER_UNIVERSAL ? 4 : 1;
}

static bool has_control(const struct chy_lint_attr *a)
{
    size_t width = chy_lint_char_width(a->tag);
    for (size_t i = 0; i + width <= a->value.n; i += width) {
        bool high = false;
        for (size_t k = 0; k + 1 < width; k++) {
            high = high || a->value.p[i + k] != 0;
        }
        uint8_t c = a->value.p[i + width - 1];
        if (!high && (c < ' ' || c == 127)) return true;
    }
    return false;
}

static void check_attr(struct chy_lint *l, const struct chy_lint_attr *a)
{
    if (a->value.n == 0) {
        chy_lint_find(l, CHY_LR_NAME_VALUE_EMPTY, "an attribute has no value");
        return;
    }
    if (!tag_allowed(a)) {
        chy_lint_find(l, CHY_LR_NAME_STRING_TYPE, "string type %02x", a->tag);
    } else if (a->tag == CHY_DER_TELETEX || a->tag == CHY_DER_BMP || a->tag == CHY_DER_UNIVERSAL) {
        chy_lint_find(l, CHY_LR_NAME_STRING_OLD, "string type %02x", a->tag);
    }
    if (!chars_allowed(a)) {
        chy_lint_find(l, CHY_LR_NAME_STRING_CHARS, "'%.*s'", CHY_LINT_SHOW(a->value));
    } else if (has_control(a)) {
        chy_lint_find(l, CHY_LR_NAME_NO_CONTROLS, "a value has a control character");
    }
    chy_lint_attr_text(l, a);
}

static void note_attr(struct chy_lint *l, const struct chy_lint_attr *a)
{
    if (chy_span_eq(a->oid, OID_CN)) {
        if (l->common_name.n) {
            chy_lint_find(l, CHY_LR_NAME_ONE_CN, "a second common name");
        } else {
            l->common_name =
                chy_span_of(a->value.p, chy_lint_char_width(a->tag) == 1 ? a->value.n : 0);
        }
    } else if (chy_span_eq(a->oid, OID_EMAIL)) {
        if (l->n_email++ == 0) l->email = a->value;
    }
}

static int compare(struct chy_span a, struct chy_span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool read_attr(struct chy_der *rdn, struct chy_lint_attr *a, struct chy_span *whole)
{
    struct chy_der before = *rdn, d;
    struct chy_tlv t, value;
    if (!chy_der_read(&before, &t) || !chy_der_enter(rdn, CHY_DER_SEQUENCE, &d) ||
        !chy_der_expect(&d, CHY_DER_OID, &a->oid) || !chy_der_read(&d, &value) ||
        !chy_der_empty(&d)) {
        return false;
    }
    a->tag = value.tag;
    a->value = value.value;
    *whole = t.whole;
    return is_string(value.tag);
}

/* The types of X.520 as bits; units are nested as a directory nests them. More common names than
 * one have a rule of their own. */
static uint64_t counted_type(struct chy_span oid)
{
    bool x520 = oid.n == 3 && memcmp(oid.p, "\x55\x04", 2) == 0 && oid.p[2] < 64;
    bool free =
        chy_span_eq(oid, OID_CN) || chy_span_eq(oid, OID_UNIT) || chy_span_eq(oid, OID_STREET);
    return x520 && !free ? UINT64_C(1) << oid.p[2] : 0;
}

static void check_server_rdn(struct chy_lint *l, const struct chy_span *types, size_t n,
                             uint64_t *seen)
{
    uint64_t here = 0;
    if (!chy_lint_is_server(l)) return;
    if (n > 1) chy_lint_find(l, CHY_LR_NAME_RDN_SINGLE, "one has %zu", n);
    for (size_t i = 0; i < n; i++) {
        uint64_t bit = counted_type(types[i]);
        if (bit & *seen) {
            chy_lint_find(l, CHY_LR_NAME_TYPE_ONCE, "attribute 2.5.4.%d once more", types[i].p[2]);
        }
        here |= bit;
    }
    *seen |= here;
}

static bool check_rdn(struct chy_lint *l, struct chy_der rdn, bool subject, uint64_t *types)
{
    struct chy_span seen[RDN_MAX], last = {NULL, 0};
    size_t n = 0;
    while (!chy_der_empty(&rdn)) {
        struct chy_lint_attr a;
        struct chy_span whole;
        if (n == RDN_MAX || !read_attr(&rdn, &a, &whole)) return false;
        if (!subject) {
            n++;
            continue;
        }
        if (n && compare(last, whole) >= 0) {
            chy_lint_find(l, CHY_LR_NAME_RDN_ORDER, "member %zu of an RDN is misplaced", n + 1);
        }
        for (size_t i = 0; i < n; i++) {
            if (chy_span_eq(seen[i], a.oid)) {
                chy_lint_find(l, CHY_LR_NAME_RDN_DISTINCT, "member %zu repeats a type", n + 1);
            }
        }
        seen[n++] = a.oid;
        last = whole;
        check_attr(l, &a);
        note_attr(l, &a);
    }
    if (subject) check_server_rdn(l, seen, n, types);
    return n > 0;
}

static void check_name(struct chy_lint *l, struct chy_span name, bool subject)
{
    struct chy_der outer = chy_der_of(name), d, rdn;
    bool ok = chy_der_enter(&outer, CHY_DER_SEQUENCE, &d);
    uint64_t types = 0;
    while (ok && !chy_der_empty(&d)) {
        ok = chy_der_enter(&d, CHY_DER_SET, &rdn) && check_rdn(l, rdn, subject, &types);
    }
    if (!ok) chy_lint_find(l, CHY_LR_NAME_STRUCTURE, "the %s", subject ? "subject" : "issuer");
}

void chy_lint_names(struct chy_lint *l)
{
    struct chy_span expected = l->ca ? l->ca->subject : l->subject;
    l->subject_empty = l->subject.n == 2;
    if (l->issuer.n == 2) {
        chy_lint_find(l, CHY_LR_ISSUER_NOT_EMPTY, "the issuer is an empty sequence");
    } else if (!chy_span_eq(l->issuer, expected)) {
        chy_lint_find(l, CHY_LR_ISSUER_EQUALS, "%s",
                      l->ca ? "it differs from the CA's subject" : "self-signed, yet it differs");
    }
    if (l->subject_empty && l->is_ca) {
        chy_lint_find(l, CHY_LR_CA_SUBJECT, "the subject is empty");
    } else if (l->subject_empty && !l->known[CHY_LX_SAN]) {
        chy_lint_find(l, CHY_LR_SUBJECT_OR_SAN, "neither subject nor subjectAltName");
    }
    if (!l->is_ca && l->ca && !l->subject_empty && chy_span_eq(l->subject, l->issuer)) {
        chy_lint_find(l, CHY_LR_SUBJECT_NOT_ISSUER, "it would pass for self-issued");
    }
    check_name(l, l->issuer, false);
    check_name(l, l->subject, true);
    if (l->is_ca && !l->subject_empty && !l->common_name.p) {
        chy_lint_find(l, CHY_LR_CA_CN, "there is no common name");
    }
}
