/* Late binding: a name is looked up, its arguments are checked, a thunk makes the direct call. */
#include <string.h>
#include <strings.h>

#include "client/objects.h"

const char *chy_arg_text(const chy_variant *v)
{
    return v->vt == CHY_VT_STR ? v->u.s.p : NULL;
}

chy_time chy_arg_time(const chy_variant *v)
{
    return v->vt == CHY_VT_DATE ? v->u.t : CHY_TIME_DEFAULT;
}

chy_hresult chy_result_long(chy_variant *r, chy_hresult hr, chy_long v)
{
    if (CHY_SUCCEEDED(hr)) {
        r->vt = CHY_VT_LONG;
        r->u.l = v;
    }
    return hr;
}

chy_hresult chy_result_str(chy_variant *r, chy_hresult hr, chy_str s)
{
    if (CHY_SUCCEEDED(hr)) {
        r->vt = CHY_VT_STR;
        r->u.s = s;
    }
    return hr;
}

chy_hresult chy_result_bytes(chy_variant *r, chy_hresult hr, chy_bytes b)
{
    if (CHY_SUCCEEDED(hr)) {
        r->vt = CHY_VT_BYTES;
        r->u.b = b;
    }
    return hr;
}

chy_hresult chy_invoke_ca_property(void *self, const chy_variant *a, chy_variant *r)
{
    return chy_request_get_ca_property(self, chy_arg_text(&a[0]), a[1].u.l, a[2].u.l, a[3].u.l,
                                       a[4].u.l, r);
}

chy_hresult chy_invoke_ca_property_flags(void *self, const chy_variant *a, chy_variant *r)
{
    chy_long v = 0;
    chy_hresult hr = chy_request_get_ca_property_flags(self, chy_arg_text(&a[0]), a[1].u.l, &v);
    return chy_result_long(r, hr, v);
}

chy_hresult chy_invoke_ca_property_name(void *self, const chy_variant *a, chy_variant *r)
{
    chy_str s = {0};
    chy_hresult hr =
        chy_request_get_ca_property_display_name(self, chy_arg_text(&a[0]), a[1].u.l, &s);
    return chy_result_str(r, hr, s);
}

static bool is_text(const chy_variant *v)
{
    return v->vt == CHY_VT_STR && v->u.s.p && strlen(v->u.s.p) == v->u.s.n;
}

static bool fits(char kind, const chy_variant *v)
{
    switch (kind) {
    case 'l': return v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL;
    case 's': return is_text(v);
    case 'd': return v->vt == CHY_VT_DATE || v->vt == CHY_VT_EMPTY || v->vt == CHY_VT_NULL;
    case 'v': return true;
    case 'S': return v->vt == CHY_VT_EMPTY || v->vt == CHY_VT_NULL || is_text(v);
    default: return v->vt == CHY_VT_BYTES || v->vt == CHY_VT_STR;
    }
}

static const struct chy_method *find(const struct chy_method *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n && name; i++) {
        if (strcasecmp(table[i].name, name) == 0) return &table[i];
    }
    return NULL;
}

static void explain(chy_excep *excep, chy_hresult hr, const struct chy_err *why)
{
    const char *text = why && why->code ? why->text : chy_code_info(hr)->text;
    *excep = (chy_excep){.code = hr};
    /* Without memory the code alone has to do. */
    if (chy_out_str(&excep->source, "libchancery", sizeof("libchancery") - 1) != CHY_S_OK ||
        chy_out_str(&excep->description, text, strlen(text)) != CHY_S_OK)
        excep->description = (chy_str){0};
}

chy_hresult chy_invoke(void *self, const struct chy_method *table, size_t n, const char *method,
                       const chy_variant *args, uint32_t nargs, chy_variant *result,
                       chy_excep *excep, uint32_t *bad_arg, const struct chy_err *why)
{
    const struct chy_method *m = find(table, n, method);
    chy_variant out = {0};
    if (!m) return CHY_DISP_E_UNKNOWNNAME;
    if (strlen(m->args) != nargs) return CHY_DISP_E_BADPARAMCOUNT;
    for (uint32_t i = 0; i < nargs; i++) {
        if (fits(m->args[i], &args[i])) continue;
        if (bad_arg) *bad_arg = i;
        return CHY_DISP_E_TYPEMISMATCH;
    }
    chy_hresult hr = m->call(self, args, &out);
    if (CHY_SUCCEEDED(hr) && result) {
        *result = out;
        return hr;
    }
    chy_client_variant_clear(&out);
    if (CHY_SUCCEEDED(hr) || !excep) return hr;
    explain(excep, hr, why);
    return CHY_DISP_E_EXCEPTION;
}
