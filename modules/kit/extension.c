#include "kit/extension.h"

chy_hresult kit_extension(const chy_host *host, const chy_server_policy *sp, const char *oid,
                          chy_variant *v, chy_long *flags)
{
    *v = (chy_variant){.vt = CHY_VT_EMPTY};
    chy_hresult hr = sp->vt->get_certificate_extension(sp->self, oid, CHY_PROPTYPE_BINARY, v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_FALSE;
    if (!CHY_FAILED(hr) && v->vt != CHY_VT_BYTES) hr = CHY_E_UNEXPECTED;
    if (!CHY_FAILED(hr) && flags) hr = sp->vt->get_certificate_extension_flags(sp->self, flags);
    if (!CHY_FAILED(hr)) return CHY_S_OK;
    host->vt->variant_clear(v);
    *v = (chy_variant){.vt = CHY_VT_EMPTY};
    return hr;
}
