/* The exported functions: objects made, memory given back. */
#include <string.h>

#include "client/objects.h"

chy_hresult chy_client_new_config(const chy_client_options *options, chy_config *out)
{
    struct chy_session *s = NULL;
    if (!out) return CHY_E_POINTER;
    *out = (chy_config){0};
    chy_hresult hr = chy_session_new(options, &s, NULL);
    if (hr == CHY_S_OK) hr = chy_config_self_new(s, &out->self);
    if (hr == CHY_S_OK) out->vt = &chy_config_table;
    return hr;
}

chy_hresult chy_client_new_request(const chy_client_options *options, chy_request *out)
{
    if (!out) return CHY_E_POINTER;
    *out = (chy_request){0};
    struct chy_request_self *r = chy_calloc(1, sizeof(*r));
    if (!r) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = chy_session_new(options, &r->session, NULL);
    if (hr != CHY_S_OK) {
        chy_free(r);
        return hr;
    }
    chy_buf_init(&r->cert, CHY_HTTPC_BODY_MAX);
    *out = (chy_request){&chy_request_table, r};
    return CHY_S_OK;
}

chy_hresult chy_client_new_admin(const chy_client_options *options, chy_admin *out)
{
    if (!out) return CHY_E_POINTER;
    *out = (chy_admin){0};
    struct chy_admin_self *a = chy_calloc(1, sizeof(*a));
    if (!a) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = chy_session_new(options, &a->r.session, NULL);
    if (hr != CHY_S_OK) {
        chy_free(a);
        return hr;
    }
    chy_buf_init(&a->r.cert, CHY_HTTPC_BODY_MAX);
    *out = (chy_admin){&chy_admin_table, a};
    return CHY_S_OK;
}

void chy_client_free(void *p)
{
    chy_free(p);
}

void chy_client_variant_clear(chy_variant *v)
{
    if (!v) return;
    if (v->vt == CHY_VT_STR) chy_free(v->u.s.p);
    if (v->vt == CHY_VT_BYTES) chy_free(v->u.b.p);
    for (size_t i = 0; v->vt == CHY_VT_STRV && i < v->u.sv.n; i++)
        chy_free(v->u.sv.v[i].p);
    if (v->vt == CHY_VT_STRV) chy_free(v->u.sv.v);
    *v = (chy_variant){0};
}

chy_hresult chy_out_bytes(chy_bytes *out, const void *p, size_t n)
{
    uint8_t *copy = chy_malloc(n + 1);
    if (!copy) return CHY_E_OUTOFMEMORY;
    if (n) memcpy(copy, p, n);
    copy[n] = 0;
    *out = (chy_bytes){copy, n};
    return CHY_S_OK;
}

chy_hresult chy_out_str(chy_str *out, const void *p, size_t n)
{
    chy_bytes b;
    chy_hresult hr = chy_out_bytes(&b, p, n);
    if (hr == CHY_S_OK) *out = (chy_str){(char *)b.p, n};
    return hr;
}
