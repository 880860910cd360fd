#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

/* The name of the template name extension: a BMPString or UTF8String. S_FALSE: there is none. */
static chy_hresult template_extension(struct work *w, char *out, size_t size)
{
    chy_variant v = {0};
    uint8_t tag = 0;
    struct kit_der text = {NULL, 0};
    size_t n = 0;
    chy_hresult hr = ext_get(w, "1.3.6.1.4.1.311.20.2", &v, NULL);
    if (hr != CHY_S_OK) return hr;
    struct kit_der in = {v.u.b.p, v.u.b.n};
    bool ok = kit_der_next(&in, &tag, &text) && !in.n && (tag == 0x1e || tag == 0x0c);
    size_t step = tag == 0x1e ? 2 : 1;
    ok = ok && text.n && text.n % step == 0 && text.n / step < size;
    for (size_t i = 0; ok && i < text.n; i += step) {
        uint8_t c = text.p[i + step - 1];
        ok = c > 0x20 && c < 0x7f && (step == 1 || text.p[i] == 0);
        out[n++] = (char)c;
    }
    out[n] = 0;
    w->host->vt->variant_clear(&v);
    return ok ? CHY_S_OK
              : deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                     "the template name extension holds no name of a profile");
}

static chy_hresult unknown(struct work *w, const char *name)
{
    char known[400] = "";
    size_t n = 0;
    for (size_t i = 0; i < w->c->n && n < sizeof known - 70; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                              w->c->profiles[i].name);
    return deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                "unknown profile %.64s; the known ones are %s", name, known);
}

static chy_hresult by_name(struct work *w, const char *name)
{
    w->p = config_profile(w->c, name);
    if (!w->p && !strcasecmp(name, "SubCA") && (w->c->edit_flags & CHY_EDITF_ATTRIBUTECA))
        w->p = config_profile(w->c, "sub-ca");
    if (!w->p && !strcasecmp(name, "WebServer")) w->p = config_profile(w->c, "tls-server");
    return w->p ? CHY_S_OK : unknown(w, name);
}

/* The row says under which profile the certificate was made, whatever the request called it. */
static chy_hresult tell_profile(struct work *w)
{
    char name[sizeof w->p->name];
    memcpy(name, w->p->name, sizeof name);
    chy_variant v = {.vt = CHY_VT_STR, .u.s = {name, strlen(name)}};
    return w->sp.vt->set_certificate_property(w->sp.self, "CertificateTemplate",
                                              CHY_PROPTYPE_STRING, &v);
}

chy_hresult choose_profile(struct work *w)
{
    char *given = NULL, inside[80];
    chy_hresult hr = attribute(w, "CertificateTemplate", &given);
    if (CHY_FAILED(hr)) return hr;
    hr = template_extension(w, inside, sizeof inside);
    if (CHY_FAILED(hr)) {
        /* said already */
    } else if (hr == CHY_S_OK && given && strcasecmp(given, inside) != 0) {
        hr = deny(w, CHY_CERTSRV_E_TEMPLATE_CONFLICT, "the request names profiles %.80s and %s",
                  given, inside);
    } else if (given || hr == CHY_S_OK) {
        hr = by_name(w, given ? given : inside);
    } else {
        /* Explicit EditFlags ask for AD CS's way with requests that name nothing. */
        const chy_long lists = CHY_EDITF_ENABLEREQUESTEXTENSIONS | CHY_EDITF_REQUESTEXTENSIONLIST;
        if (!w->c->edit_flags_set || !(w->c->edit_flags & lists))
            w->p = config_profile(w->c, w->c->default_profile);
        hr = CHY_S_OK;
    }
    if (given) w->host->vt->free(given);
    return CHY_FAILED(hr) || !w->p ? hr : tell_profile(w);
}
