/* Names: strict reading, and writing. RFC 5280 4.1.2.4, X.690 11.6 for the order inside a SET. */
#include "pki/name.h"

#include <string.h>

#include "base/text.h"

static bool is_printable_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(" '()+,-./:=?", c));
}

static bool units_ok(struct chy_span v, size_t width)
{
    if (v.n % width) return false;
    for (size_t i = 0; i < v.n; i += width) {
        uint32_t u = 0;
        for (size_t k = 0; k < width; k++)
            u = u << 8 | v.p[i + k];
        if (!u || (u >= 0xd800 && u <= 0xdfff) || u > 0x10ffff) return false;
    }
    return true;
}

static bool octets_ok(struct chy_span v, bool (*ok)(uint8_t))
{
    for (size_t i = 0; i < v.n; i++) {
        if (!ok(v.p[i])) return false;
    }
    return true;
}

static bool is_ascii(uint8_t c)
{
    return c && c < 0x80;
}
static bool is_numeric(uint8_t c)
{
    return c == ' ' || (c >= '0' && c <= '9');
}
static bool is_teletex(uint8_t c)
{
    return c != 0;
}

/* The types of DirectoryString (RFC 5280 4.1.2.4), and those of single attributes (appendix A,
 * X.520): no attribute is a VisibleString, and readers such as OpenSSL refuse one. */
static bool value_ok(uint8_t tag, struct chy_span v)
{
    switch (tag) {
    case CHY_DER_UTF8: return chy_utf8_valid(v);
    case CHY_DER_PRINTABLE: return octets_ok(v, is_printable_char);
    case CHY_DER_IA5: return octets_ok(v, is_ascii);
    case CHY_DER_NUMERIC: return octets_ok(v, is_numeric);
    case CHY_DER_TELETEX: return octets_ok(v, is_teletex);
    case CHY_DER_BMP: return units_ok(v, 2);
    case CHY_DER_UNIVERSAL: return units_ok(v, 4);
    default: return false;
    }
}

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "name (RFC 5280 4.1.2.4): %s", what);
}

static chy_hresult read_attr(struct chy_der *set, struct chy_name *out, unsigned rdn,
                             struct chy_span *last, struct chy_err *err)
{
    struct chy_tlv whole, value;
    if (!chy_der_read(set, &whole) || whole.tag != CHY_DER_SEQUENCE)
        return bad(err, "an attribute is no SEQUENCE");
    struct chy_der d = chy_der_of(whole.value);
    struct chy_span oid;
    if (!chy_der_expect(&d, CHY_DER_OID, &oid) || !chy_oid_valid(oid) ||
        !chy_der_read(&d, &value) || !chy_der_empty(&d)) {
        return bad(err, "an attribute is not type and value");
    }
    if (last->n && chy_der_compare(*last, whole.whole) >= 0)
        return bad(err, "the members of an RDN are not in DER order");
    if (!value.value.n) return bad(err, "an attribute is empty");
    if (!value_ok(value.tag, value.value))
        return bad(err, "a value has octets that its string type does not allow");
    if (out->n == CHY_NAME_MAX_ATTRS) return bad(err, "more than 64 attributes");
    for (size_t i = out->n; i-- > 0 && out->attr[i].rdn == rdn;) {
        if (chy_span_eq(out->attr[i].oid, oid))
            return bad(err, "an RDN has one attribute type twice");
    }
    *last = whole.whole;
    out->attr[out->n++] = (struct chy_name_attr){oid, value.tag, value.value, rdn};
    return CHY_S_OK;
}

chy_hresult chy_name_parse(struct chy_span der, struct chy_name *out, struct chy_err *err)
{
    struct chy_der top = chy_der_of(der), rdns, set;
    out->der = der;
    out->n = 0;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &rdns) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    for (unsigned rdn = 0; !chy_der_empty(&rdns); rdn++) {
        struct chy_span last = {0};
        if (!chy_der_enter(&rdns, CHY_DER_SET, &set)) return bad(err, "an RDN is no SET");
        if (chy_der_empty(&set)) return bad(err, "an RDN is empty");
        while (!chy_der_empty(&set)) {
            chy_hresult hr = read_attr(&set, out, rdn, &last, err);
            if (hr != CHY_S_OK) return hr;
        }
    }
    return CHY_S_OK;
}

static void add_code_point(struct chy_buf *out, uint32_t c)
{
    uint8_t u[4];
    size_t n = 0;
    if (c < 0x80) {
        u[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        u[n++] = (uint8_t)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        u[n++] = (uint8_t)(0xe0 | c >> 12);
        u[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    } else {
        u[n++] = (uint8_t)(0xf0 | c >> 18);
        u[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        u[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80) u[n++] = (uint8_t)(0x80 | (c & 0x3f));
    chy_buf_add(out, u, n);
}

bool chy_name_value_utf8(const struct chy_name_attr *attr, struct chy_buf *out)
{
    struct chy_span v = attr->value;
    size_t width = attr->tag == CHY_DER_BMP ? 2 : attr->tag == CHY_DER_UNIVERSAL ? 4 : 1;
    if (!value_ok(attr->tag, v)) return false;
    if (width == 1 && attr->tag != CHY_DER_TELETEX) {
        chy_buf_add_span(out, v);
        return !out->failed;
    }
    /* TeletexString is read as Latin-1, as everyone writes it. */
    for (size_t i = 0; i < v.n; i += width) {
        uint32_t c = 0;
        for (size_t k = 0; k < width; k++)
            c = c << 8 | v.p[i + k];
        add_code_point(out, c);
    }
    return !out->failed;
}

static size_t count_chars(const struct chy_name_attr *a)
{
    size_t n = 0;
    if (a->tag == CHY_DER_BMP) return a->value.n / 2;
    if (a->tag == CHY_DER_UNIVERSAL) return a->value.n / 4;
    if (a->tag != CHY_DER_UTF8) return a->value.n;
    for (size_t i = 0; i < a->value.n; i++)
        n += (a->value.p[i] & 0xc0) != 0x80;
    return n;
}

chy_hresult chy_name_check_lengths(const struct chy_name *name, struct chy_err *err)
{
    for (size_t i = 0; i < name->n; i++) {
        int p = chy_name_prop_by_oid(name->attr[i].oid);
        size_t n = count_chars(&name->attr[i]);
        if (p < 0 || n <= chy_name_props[p].max_chars) continue;
        return chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                        "subject: %s has %zu characters, X.520 allows %zu", chy_name_props[p].name,
                        n, chy_name_props[p].max_chars);
    }
    return CHY_S_OK;
}

size_t chy_name_open(struct chy_buf *out)
{
    return chy_der_open(out, CHY_DER_SEQUENCE);
}

uint8_t chy_name_tag_for(uint8_t tag, struct chy_span utf8)
{
    return value_ok(tag, utf8) ? tag : CHY_DER_UTF8;
}

void chy_name_add_member(struct chy_buf *out, struct chy_span oid, uint8_t tag,
                         struct chy_span value)
{
    size_t seq = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_OID, oid);
    chy_der_add(out, tag, value);
    chy_der_close(out, seq);
}

void chy_name_add(struct chy_buf *out, struct chy_span oid, uint8_t tag, struct chy_span utf8)
{
    size_t set = chy_der_open(out, CHY_DER_SET);
    chy_name_add_member(out, oid, chy_name_tag_for(tag, utf8), utf8);
    chy_der_close(out, set);
}

void chy_name_close(struct chy_buf *out, size_t mark)
{
    chy_der_close(out, mark);
}
