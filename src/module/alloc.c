/* Memory that crosses the border between daemon and module. */
#include <string.h>

#include "module/module.h"

void *chy_module_alloc(size_t n)
{
    return chy_malloc(n);
}
void chy_module_free(void *p)
{
    chy_free(p);
}

bool chy_module_str(chy_str *out, const void *p, size_t n)
{
    char *s = n < SIZE_MAX ? chy_malloc(n + 1) : NULL;
    if (!s) return false;
    if (n) memcpy(s, p, n);
    s[n] = 0;
    *out = (chy_str){s, n};
    return true;
}

chy_hresult chy_variant_set_str(chy_variant *out, const void *p, size_t n)
{
    *out = (chy_variant){.vt = CHY_VT_STR};
    if (chy_module_str(&out->u.s, p, n)) return CHY_S_OK;
    out->vt = CHY_VT_EMPTY;
    return CHY_E_OUTOFMEMORY;
}

chy_hresult chy_variant_set_bytes(chy_variant *out, const void *p, size_t n)
{
    chy_str s;
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    if (!chy_module_str(&s, p, n)) return CHY_E_OUTOFMEMORY;
    out->vt = CHY_VT_BYTES;
    out->u.b = (chy_bytes){(uint8_t *)s.p, n};
    return CHY_S_OK;
}

chy_hresult chy_variant_set_long(chy_variant *out, chy_long l)
{
    *out = (chy_variant){.vt = CHY_VT_LONG};
    out->u.l = l;
    return CHY_S_OK;
}

chy_hresult chy_variant_set_time(chy_variant *out, chy_time t)
{
    *out = (chy_variant){.vt = CHY_VT_DATE};
    out->u.t = t;
    return CHY_S_OK;
}

void chy_variant_clear(chy_variant *v)
{
    if (!v) return;
    if (v->vt == CHY_VT_STR) chy_free(v->u.s.p);
    if (v->vt == CHY_VT_BYTES) chy_free(v->u.b.p);
    if (v->vt == CHY_VT_STRV) {
        for (size_t i = 0; i < v->u.sv.n; i++)
            chy_free(v->u.sv.v[i].p);
        chy_free(v->u.sv.v);
    }
    if (v->vt == CHY_VT_OBJECT) chy_free(v->u.o);
    *v = (chy_variant){.vt = CHY_VT_EMPTY};
}
