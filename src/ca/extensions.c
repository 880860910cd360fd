/* The extensions of a request: those it asked for (stored disabled), those of the policy, of an
 * officer and of the engine; and the typed encodings of SetCertificateExtension.
 * MS-CSRA 3.1.4.1.12. */
#include <string.h>

#include "ca/ca_internal.h"

enum { EXTENSION_VALUE_MAX = 32768 };

struct chy_extension *chy_request_find_extension(struct chy_request *r, const char *oid_text)
{
    for (size_t i = 0; i < r->n_ext; i++) {
        if (strcmp(r->ext[i].oid_text, oid_text) == 0) return &r->ext[i];
    }
    return NULL;
}

chy_hresult chy_request_set_extension(struct chy_request *r, const char *oid_text, int32_t flags,
                                      struct chy_span value, struct chy_err *err)
{
    if (value.n > EXTENSION_VALUE_MAX) {
        return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH,
                        "extension %.96s: %zu octets, at most %d allowed", oid_text, value.n,
                        EXTENSION_VALUE_MAX);
    }
    struct chy_extension *e = chy_request_find_extension(r, oid_text);
    struct chy_span copy = chy_arena_dup(&r->arena, value);
    if (value.n && !copy.p) return chy_fail_nomem(err, "extension");
    if (e) {
        e->flags = flags;
        e->value = copy;
        return CHY_S_OK;
    }
    if (r->n_ext == CHY_REQUEST_MAX_EXTS) {
        return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH,
                        "extension %.96s: a request has at most %d extensions", oid_text,
                        CHY_REQUEST_MAX_EXTS);
    }
    uint8_t der[CHY_EXT_OID_TEXT];
    struct chy_buf oid = {0};
    chy_buf_init(&oid, sizeof(der));
    chy_hresult hr = CHY_E_INVALIDARG;
    if (strlen(oid_text) >= CHY_EXT_OID_TEXT || !chy_oid_from_text(oid_text, &oid)) {
        if (chy_buf_starved(&oid)) {
            hr = chy_fail_nomem(err, "extension");
            goto out;
        }
        chy_fail(err, hr, "extension name \"%.96s\": not an object identifier in dotted form",
                 oid_text);
        goto out;
    }
    e = &r->ext[r->n_ext];
    *e = (struct chy_extension){chy_arena_strdup(&r->arena, oid_text),
                                chy_arena_dup(&r->arena, chy_buf_span(&oid)), flags, copy};
    hr = e->oid_text && e->oid.p ? CHY_S_OK : chy_fail_nomem(err, "extension");
    if (hr == CHY_S_OK) r->n_ext++;
out:
    chy_buf_free(&oid);
    return hr;
}

chy_hresult chy_request_change_extension(struct chy_request *r, const char *oid_text, int32_t flags,
                                         struct chy_span value, struct chy_err *err)
{
    const struct chy_extension *e = chy_request_find_extension(r, oid_text);
    struct chy_value before = {.form = CHY_VALUE_NONE};
    if (e) before = chy_value_extension(e->flags, e->value);
    chy_hresult hr = chy_request_set_extension(r, oid_text, flags, value, err);
    if (hr != CHY_S_OK) return hr;
    e = chy_request_find_extension(r, oid_text);
    struct chy_value after = chy_value_extension(e->flags, e->value);
    chy_evidence_change(&r->evidence, CHY_CHANGE_EXTENSION, chy_span_cstr(e->oid_text), &before,
                        &after);
    return CHY_S_OK;
}

static bool is_ia5(struct chy_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] > 0x7f) return false;
    }
    return true;
}

static chy_hresult encode_binary(const chy_variant *v, struct chy_buf *out, struct chy_err *err)
{
    struct chy_span der =
        v->vt == CHY_VT_BYTES ? chy_span_of(v->u.b.p, v->u.b.n) : chy_span_of(v->u.s.p, v->u.s.n);
    if (!der.n || !chy_der_strict(der)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "extension value: PROPTYPE_BINARY takes one DER value");
    }
    chy_buf_add_span(out, der);
    return CHY_S_OK;
}

chy_hresult chy_extension_encode(chy_long type, const chy_variant *v, struct chy_buf *out,
                                 struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    if (type == CHY_PROPTYPE_LONG && v->vt == CHY_VT_LONG) {
        chy_der_add_int(out, v->u.l);
    } else if (type == CHY_PROPTYPE_DATE && v->vt == CHY_VT_DATE) {
        chy_der_add_time(out, v->u.t);
    } else if (type == CHY_PROPTYPE_STRING && v->vt == CHY_VT_STR) {
        struct chy_span s = chy_span_of(v->u.s.p, v->u.s.n);
        if (!is_ia5(s)) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "extension value: PROPTYPE_STRING is an IA5String: ASCII only");
        }
        chy_der_add(out, CHY_DER_IA5, s);
    } else if (type == CHY_PROPTYPE_BINARY && (v->vt == CHY_VT_BYTES || v->vt == CHY_VT_STR)) {
        hr = encode_binary(v, out, err);
    } else {
        hr = chy_fail(err, CHY_E_INVALIDARG,
                      "extension value: type %d does not go with a variant of tag %u", type, v->vt);
    }
    return hr == CHY_S_OK ? chy_buf_done(out, "extension value", err) : hr;
}

chy_hresult chy_extension_decode(chy_long type, struct chy_span der, chy_variant *out)
{
    if (type == CHY_PROPTYPE_BINARY) return chy_variant_set_bytes(out, der.p, der.n);
    struct chy_der d = chy_der_of(der);
    struct chy_tlv t;
    if (!chy_der_read(&d, &t) || !chy_der_empty(&d)) return CHY_ERROR_INVALID_DATA;
    int64_t number = 0;
    chy_time when = 0;
    switch (type) {
    case CHY_PROPTYPE_LONG:
        if (t.tag != CHY_DER_INTEGER || !chy_der_get_int(t.value, &number) || number < INT32_MIN ||
            number > INT32_MAX) {
            return CHY_ERROR_INVALID_DATA;
        }
        return chy_variant_set_long(out, (chy_long)number);
    case CHY_PROPTYPE_DATE:
        if (!chy_der_get_time(t.tag, t.value, &when)) return CHY_ERROR_INVALID_DATA;
        return chy_variant_set_time(out, when);
    case CHY_PROPTYPE_STRING:
        if (t.tag != CHY_DER_IA5) return CHY_ERROR_INVALID_DATA;
        return chy_variant_set_str(out, t.value.p, t.value.n);
    default: return CHY_E_INVALIDARG;
    }
}
