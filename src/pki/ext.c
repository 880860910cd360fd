/* Lists of extensions. RFC 5280 4.1.2.9, 4.2. */
#include "pki/ext.h"

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "extensions (RFC 5280 4.2): %s", what);
}

static chy_hresult read_one(struct chy_der *list, struct chy_ext *out, struct chy_err *err)
{
    struct chy_der d;
    struct chy_span flag;
    bool present = false;
    *out = (struct chy_ext){.critical = false};
    if (!chy_der_enter(list, CHY_DER_SEQUENCE, &d)) return bad(err, "one is no SEQUENCE");
    if (!chy_der_expect(&d, CHY_DER_OID, &out->oid) || !chy_oid_valid(out->oid))
        return bad(err, "one has no identifier");
    if (!chy_der_skip_optional(&d, CHY_DER_BOOLEAN, &flag, &present))
        return bad(err, "malformed critical flag");
    if (present && (!chy_der_get_bool(flag, &out->critical) || !out->critical)) {
        return bad(
            err, "critical is written out although it is FALSE (X.690 11.5), or is no DER BOOLEAN");
    }
    if (!chy_der_expect(&d, CHY_DER_OCTET_STRING, &out->value) || !chy_der_empty(&d))
        return bad(err, "one has no value");
    return CHY_S_OK;
}

chy_hresult chy_ext_list_parse(struct chy_span der, struct chy_ext *out, size_t *n,
                               struct chy_err *err)
{
    struct chy_der top = chy_der_of(der), list;
    *n = 0;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (chy_der_empty(&list)) return bad(err, "the list is empty");
    while (!chy_der_empty(&list)) {
        if (*n == CHY_EXT_MAX) return bad(err, "more than 64");
        chy_hresult hr = read_one(&list, &out[*n], err);
        if (hr != CHY_S_OK) return hr;
        for (size_t i = 0; i < *n; i++) {
            if (chy_span_eq(out[i].oid, out[*n].oid)) return bad(err, "one stands twice");
        }
        (*n)++;
    }
    return CHY_S_OK;
}

void chy_ext_add(struct chy_buf *out, const struct chy_ext *e)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_OID, e->oid);
    if (e->critical) chy_der_add_bool(out, true);
    chy_der_add(out, CHY_DER_OCTET_STRING, e->value);
    chy_der_close(out, mark);
}
