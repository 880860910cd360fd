/* From the octets of a submission to the value that a policy module is asked about: names,
 * attributes, and the extensions that it asks for, all of them disabled (P6). */
#include <string.h>

#include "ca/ca_internal.h"

chy_hresult chy_request_parse(struct chy_request *r)
{
    chy_hresult hr = chy_csr_to_der(r->input, &r->scratch, &r->err);
    if (hr != CHY_S_OK) return hr;
    struct chy_span der = chy_arena_dup(&r->arena, chy_buf_span(&r->scratch));
    if (!der.p) return chy_fail_nomem(&r->err, "request");
    hr = chy_csr_parse(der, &r->csr, &r->err);
    if (hr != CHY_S_OK) return hr;
    if (r->csr.n_ext > CHY_REQUEST_MAX_EXTS - 8) {
        return chy_fail(&r->err, CHY_CERTSRV_E_ENCODING_LENGTH,
                        "request: %zu extensions, at most %d allowed", r->csr.n_ext,
                        CHY_REQUEST_MAX_EXTS - 8);
    }
    return CHY_S_OK;
}

/* Name/value pairs inside the signed request (1.3.6.1.4.1.311.13.2.1), over those of the
 * submission. Two different templates are a conflict, not a choice. */
static chy_hresult take_pairs(struct chy_request *r)
{
    struct chy_buf name, value;
    chy_hresult hr = CHY_S_OK;
    chy_buf_init(&name, 4 * CHY_ATTR_NAME_MAX);
    chy_buf_init(&value, 2 * CHY_ATTR_VALUE_MAX);
    for (size_t i = 0; i < r->csr.n_pairs && hr == CHY_S_OK; i++) {
        chy_buf_reset(&name);
        chy_buf_reset(&value);
        struct chy_name_attr a = {.tag = CHY_DER_BMP, .value = r->csr.pair[i].name};
        struct chy_name_attr b = {.tag = CHY_DER_BMP, .value = r->csr.pair[i].value};
        bool is_text = chy_name_value_utf8(&a, &name) && chy_name_value_utf8(&b, &value);
        const char *key = chy_buf_cstr(&name), *text = chy_buf_cstr(&value);
        if (chy_buf_starved(&name) || chy_buf_starved(&value))
            hr = chy_fail_nomem(&r->err, "request attributes");
        if (!is_text || !key || !text) continue;
        const char *old = chy_request_attribute(r, key);
        if (old && chy_attribute_same(key, "CertificateTemplate") && strcmp(old, text) != 0) {
            hr = chy_fail(
                &r->err, CHY_CERTSRV_E_TEMPLATE_CONFLICT,
                "CertificateTemplate: the request says \"%.64s\", the submission \"%.64s\"", text,
                old);
        }
        chy_request_set_attribute(r, chy_buf_span(&name), chy_buf_span(&value));
    }
    chy_buf_free(&name);
    chy_buf_free(&value);
    return hr;
}

static chy_hresult take_request_extensions(struct chy_request *r)
{
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < r->csr.n_ext && hr == CHY_S_OK; i++) {
        const struct chy_ext *e = &r->csr.ext[i];
        char oid[CHY_EXT_OID_TEXT];
        if (!chy_oid_to_text(e->oid, oid, sizeof(oid))) continue;
        int32_t flags = CHY_EXTENSION_ORIGIN_REQUEST | CHY_EXTENSION_DISABLE_FLAG |
                        (e->critical ? CHY_EXTENSION_CRITICAL_FLAG : 0);
        hr = chy_request_set_extension(r, oid, flags, e->value, &r->err);
    }
    return hr;
}

chy_hresult chy_request_take(struct chy_request *r)
{
    r->requester_name = r->caller_name;
    if (!chy_subject_from_name(&r->subject, &r->csr.subject, &r->arena))
        return chy_fail_nomem(&r->err, "request");
    chy_request_parse_attributes(r, r->attribute_text, false);
    chy_hresult hr = take_pairs(r);
    if (hr == CHY_S_OK) hr = take_request_extensions(r);
    /* The policy is asked about the whole request or not at all. */
    return hr == CHY_S_OK ? chy_arena_done(&r->arena, "request", &r->err) : hr;
}
