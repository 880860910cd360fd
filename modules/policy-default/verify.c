#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

chy_hresult deny(struct work *w, chy_hresult code, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->host->vt->set_message(w->host->self, w->context, text);
    return code;
}

bool attribute(struct work *w, const char *name, char *out, size_t size)
{
    chy_str s = {0};
    if (CHY_FAILED(w->sp.vt->get_request_attribute(w->sp.self, name, &s))) return false;
    snprintf(out, size, "%s", s.p ? s.p : "");
    w->host->vt->free(s.p);
    return true;
}

static chy_long get_long(struct work *w, const char *name)
{
    chy_variant v = {0};
    chy_hresult hr = w->sp.vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_LONG, &v);
    return CHY_FAILED(hr) || v.vt != CHY_VT_LONG ? 0 : v.u.l;
}

static chy_hresult access(struct work *w)
{
    const struct list *who = w->p && w->p->requesters.n ? &w->p->requesters : &w->c->enroll;
    if (!w->is_new) return CHY_S_OK;
    if (!(w->c->edit_flags & CHY_EDITF_IGNOREREQUESTERGROUP) && !get_long(w, "RequesterCAAccess"))
        return deny(w, CHY_CERTSRV_E_ENROLL_DENIED, "the requester may not enrol at this CA");
    if (!who->n || list_has(who, "*")) return CHY_S_OK;
    chy_variant v = {0};
    chy_hresult hr =
        w->sp.vt->get_request_property(w->sp.self, "RequesterName", CHY_PROPTYPE_STRING, &v);
    bool ok = !CHY_FAILED(hr) && v.vt == CHY_VT_STR && list_has(who, v.u.s.p);
    if (!CHY_FAILED(hr)) w->host->vt->variant_clear(&v);
    return ok ? CHY_S_OK
              : deny(w, CHY_CERTSRV_E_ENROLL_DENIED, "the requester may not enrol for %s",
                     w->p ? w->p->name : "a certificate");
}

/* The template name extension, a BMPString or UTF8String of ASCII letters. */
static bool template_extension(struct work *w, char *out, size_t size)
{
    chy_variant v = {0};
    uint8_t tag;
    struct der text;
    size_t n = 0;
    if (CHY_FAILED(w->sp.vt->get_certificate_extension(w->sp.self, "1.3.6.1.4.1.311.20.2",
                                                       CHY_PROPTYPE_BINARY, &v)))
        return false;
    struct der in = {v.u.b.p, v.vt == CHY_VT_BYTES ? v.u.b.n : 0};
    bool ok = der_next(&in, &tag, &text) && (tag == 0x1e || tag == 0x0c);
    size_t step = ok && tag == 0x1e ? 2 : 1;
    for (size_t i = 0; ok && i + step <= text.n && n + 1 < size; i += step)
        out[n++] = step == 2 && text.p[i] ? '?' : (char)text.p[i + step - 1];
    out[n] = 0;
    w->host->vt->variant_clear(&v);
    return ok && n;
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

static chy_hresult choose_profile(struct work *w)
{
    char a[80], b[80];
    bool by_attribute = attribute(w, "CertificateTemplate", a, sizeof a);
    bool by_extension = template_extension(w, b, sizeof b);
    if (by_attribute && by_extension && strcasecmp(a, b) != 0)
        return deny(w, CHY_CERTSRV_E_TEMPLATE_CONFLICT, "the request names profiles %s and %s", a,
                    b);
    if (!by_attribute && !by_extension) {
        /* Explicit EditFlags ask for AD CS's way with requests that name nothing. */
        if (!w->c->edit_flags_set || !(w->c->edit_flags & 3))
            w->p = config_profile((struct config *)(uintptr_t)w->c, w->c->default_profile, false);
        return CHY_S_OK;
    }
    const char *name = by_attribute ? a : b;
    struct config *c = (struct config *)(uintptr_t)w->c;
    w->p = config_profile(c, name, false);
    if (!w->p && !strcasecmp(name, "SubCA") && (w->c->edit_flags & CHY_EDITF_ATTRIBUTECA))
        w->p = config_profile(c, "sub-ca", false);
    if (!w->p && !strcasecmp(name, "WebServer")) w->p = config_profile(c, "tls-server", false);
    return w->p ? CHY_S_OK : unknown(w, name);
}

static const char *curve(struct work *w)
{
    chy_variant v = {0};
    const char *name = "another curve";
    if (CHY_FAILED(w->sp.vt->get_certificate_property(w->sp.self, "RawPublicKeyAlgorithmParameters",
                                                      CHY_PROPTYPE_BINARY, &v)))
        return name;
    static const char *const t[][2] = {
        {"1.2.840.10045.3.1.7", "p256"}, {"1.3.132.0.34", "p384"}, {"1.3.132.0.35", "p521"}};
    for (size_t i = 0; v.vt == CHY_VT_BYTES && i < 3; i++) {
        struct der_out o = {.n = 0};
        if (der_put_oid(&o, t[i][0]) && o.n == v.u.b.n && !memcmp(o.b, v.u.b.p, o.n))
            name = t[i][1];
    }
    w->host->vt->variant_clear(&v);
    return name;
}

static chy_hresult key(struct work *w)
{
    chy_variant v = {0};
    chy_hresult hr = w->sp.vt->get_certificate_property(w->sp.self, "PublicKeyAlgorithm",
                                                        CHY_PROPTYPE_STRING, &v);
    if (CHY_FAILED(hr)) return hr;
    const char *type = "an unknown key type", *oid = v.vt == CHY_VT_STR ? v.u.s.p : "";
    if (!strcmp(oid, "1.2.840.113549.1.1.1"))
        type = "rsa";
    else if (!strcmp(oid, "1.2.840.10045.2.1"))
        type = curve(w);
    else if (!strcmp(oid, "1.3.101.112"))
        type = "ed25519";
    else if (!strcmp(oid, "1.3.101.113"))
        type = "ed448";
    w->host->vt->variant_clear(&v);
    w->rsa = !strcmp(type, "rsa");
    if (!w->p) return CHY_S_OK;
    if (w->p->key_types.n && !list_has(&w->p->key_types, type))
        return deny(w, CHY_CERTSRV_E_KEY_LENGTH, "%s is not among KeyTypes of profile %s", type,
                    w->p->name);
    if (w->rsa && get_long(w, "PublicKeyLength") < w->p->min_rsa_bits)
        return deny(w, CHY_CERTSRV_E_KEY_LENGTH, "the RSA key is shorter than MinRsaBits %lld",
                    (long long)w->p->min_rsa_bits);
    return CHY_S_OK;
}

static chy_long decide(struct work *w)
{
    char text[32];
    chy_long d = w->c->disposition & CHY_REQDISP_MASK;
    if (d == CHY_REQDISP_DENY) return CHY_VR_INSTANT_BAD;
    if (w->is_new && ((w->c->disposition & CHY_REQDISP_PENDINGFIRST) || (w->p && w->p->pending)))
        return CHY_VR_PENDING;
    if (d == CHY_REQDISP_PENDING) return w->is_new ? CHY_VR_PENDING : CHY_VR_INSTANT_OK;
    if (d == CHY_REQDISP_USEREQUESTATTRIBUTE && attribute(w, "Disposition", text, sizeof text)) {
        if (!strcasecmp(text, "Deny")) return CHY_VR_INSTANT_BAD;
        if (!strcasecmp(text, "Pending") && w->is_new) return CHY_VR_PENDING;
    }
    return CHY_VR_INSTANT_OK;
}

chy_hresult verify(struct work *w, chy_long *disposition)
{
    chy_hresult hr = choose_profile(w);
    if (!CHY_FAILED(hr)) hr = access(w);
    if (!CHY_FAILED(hr) && w->p && w->p->deny)
        hr = deny(w, CHY_CERTSRV_E_TEMPLATE_DENIED, "profile %s is closed", w->p->name);
    if (!CHY_FAILED(hr)) hr = key(w);
    if (!CHY_FAILED(hr) && w->p) hr = names_apply(w);
    if (!CHY_FAILED(hr)) hr = w->p ? ext_apply_profile(w) : ext_apply_lists(w);
    if (!CHY_FAILED(hr)) hr = validity_apply(w);
    if (!CHY_FAILED(hr)) hr = ext_disable_listed(w);
    *disposition = CHY_FAILED(hr) ? hr : decide(w);
    return CHY_S_OK;
}
