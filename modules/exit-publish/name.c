/* The names of certificates' files. */
#include <stdio.h>
#include <string.h>

#include "publish.h"

enum { CN_MAX_LEN = 64 };

/* Letters, digits, dot (not first), minus and underscore stay; all else becomes '_'. */
static void put_clean(struct name *o, const char *s, size_t len)
{
    for (; len && *s; len--, s++) {
        bool ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                  (*s >= '0' && *s <= '9') || *s == '-' || *s == '_' || (*s == '.' && o->n > 0);
        if (o->n == CERT_NAME_MAX) {
            o->full = true;
            return;
        }
        o->text[o->n++] = ok ? *s : '_';
    }
    o->text[o->n] = 0;
}

static chy_hresult put_property(const chy_host *h, const chy_server_exit *cb, const char *prop,
                                size_t max, struct name *o)
{
    chy_variant v = {0};
    chy_hresult hr = cb->vt->get_certificate_property(cb->self, prop, CHY_PROPTYPE_STRING, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return hr;
    if (v.vt == CHY_VT_STR) put_clean(o, v.u.s.p, max);
    h->vt->variant_clear(&v);
    return CHY_S_OK;
}

chy_hresult file_name(const chy_host *h, const struct settings *s, const chy_server_exit *cb,
                      chy_long id, struct name *o)
{
    char number[16];
    chy_hresult hr = CHY_S_OK;
    *o = (struct name){.n = 0};
    snprintf(number, sizeof number, "%d", (int)id);
    for (const char *p = s->pattern; *p && !CHY_FAILED(hr); p++) {
        if (*p != '%') {
            put_clean(o, p, 1);
            continue;
        }
        p++;
        if (*p == 'i')
            put_clean(o, number, sizeof number);
        else if (*p == 's')
            hr = put_property(h, cb, "SerialNumber", CERT_NAME_MAX, o);
        else if (*p == 'c')
            hr = put_property(h, cb, "CommonName", CN_MAX_LEN, o);
        else
            put_clean(o, "%", 1);
    }
    return !CHY_FAILED(hr) && (o->full || !o->n) ? CHY_E_INVALIDARG : hr;
}
