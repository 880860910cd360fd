#include <string.h>
#include <strings.h>

#include "policy.h"

chy_hresult ext_set(struct work *w, const char *oid, bool critical, const uint8_t *p, size_t n)
{
    chy_variant v = {.vt = CHY_VT_BYTES};
    chy_long flags = 0;
    if (!w->is_new) {
        /* What an administrator set on the pending request wins over the profile. */
        chy_hresult hr =
            w->sp.vt->get_certificate_extension(w->sp.self, oid, CHY_PROPTYPE_BINARY, &v);
        if (!CHY_FAILED(hr)) {
            hr = w->sp.vt->get_certificate_extension_flags(w->sp.self, &flags);
            w->host->vt->variant_clear(&v);
            if (CHY_FAILED(hr)) return hr;
            if ((flags & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_ADMIN) return CHY_S_OK;
        } else if (hr != CHY_CERTSRV_E_PROPERTY_EMPTY) {
            return hr;
        }
    }
    union {
        const uint8_t *in;
        uint8_t *out;
    } u = {.in = p}; /* the table takes the value const; chy_bytes has no const form */
    v = (chy_variant){.vt = CHY_VT_BYTES, .u.b = {u.out, n}};
    return w->sp.vt->set_certificate_extension(w->sp.self, oid, CHY_PROPTYPE_BINARY,
                                               critical ? CHY_EXTENSION_CRITICAL_FLAG : 0, &v);
}

static chy_hresult key_usage(struct work *w)
{
    unsigned bits = w->p->key_usage & (w->rsa ? ~0u : ~(unsigned)KU_KEY_ENCIPHERMENT);
    uint8_t b[3] = {0};
    unsigned last = 0;
    if (!bits) return CHY_S_OK;
    for (unsigned i = 0; i < 9; i++)
        if (bits >> i & 1) {
            b[1 + i / 8] |= (uint8_t)(0x80 >> (i % 8));
            last = i;
        }
    b[0] = (uint8_t)(7 - last % 8);
    struct der_out o = {.n = 0};
    der_put_tlv(&o, 0x03, b, 2 + last / 8);
    return ext_set(w, "2.5.29.15", true, o.b, o.n);
}

static bool request_has(struct der ext, const char *oid)
{
    uint8_t tag;
    struct der list, v;
    struct der_out o = {.n = 0};
    if (!der_put_oid(&o, oid) || !der_next(&ext, &tag, &list)) return false;
    while (list.n && der_next(&list, &tag, &v))
        if (v.n + 2 == o.n && memcmp(v.p, o.b + 2, v.n) == 0) return true;
    return false;
}

/* The OIDs of the profile that the request named, all of which must be the profile's. */
static chy_hresult chosen_ekus(struct work *w, struct list *out)
{
    char text[512];
    if ((w->c->edit_flags & CHY_EDITF_ATTRIBUTEEKU) &&
        attribute(w, "CertificateUsage", text, sizeof text)) {
        if (!list_split(out, text)) return CHY_E_OUTOFMEMORY;
        for (size_t i = 0; i < out->n; i++)
            if (!list_has(&w->p->eku, out->v[i]))
                return deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                            "CertificateUsage %.80s is not a usage of profile %s", out->v[i],
                            w->p->name);
        if (out->n) return CHY_S_OK;
    }
    chy_variant v = {0};
    bool some = w->p->eku_from_request && !CHY_FAILED(w->sp.vt->get_certificate_extension(
                                              w->sp.self, "2.5.29.37", CHY_PROPTYPE_BINARY, &v));
    bool ok = true;
    for (size_t i = 0; i < w->p->eku.n; i++)
        if (!some || request_has((struct der){v.u.b.p, v.u.b.n}, w->p->eku.v[i]))
            ok = ok && list_add(out, w->p->eku.v[i], strlen(w->p->eku.v[i]));
    if (some) w->host->vt->variant_clear(&v);
    if (!ok) return CHY_E_OUTOFMEMORY;
    if (w->p->eku.n && !out->n)
        return deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                    "no extended key usage of the request is one of profile %s", w->p->name);
    return CHY_S_OK;
}

static chy_hresult set_oids(struct work *w, const char *oid, const struct list *l, bool nested)
{
    struct der_out in = {.n = 0}, out = {.n = 0}, one;
    if (!l->n) return CHY_S_OK;
    for (size_t i = 0; i < l->n; i++) {
        one.n = 0;
        one.full = false;
        if (!der_put_oid(&one, l->v[i])) return CHY_CRYPT_E_OID_FORMAT;
        if (nested)
            der_put_tlv(&in, 0x30, one.b, one.n);
        else
            der_put(&in, one.b, one.n);
    }
    der_put_tlv(&out, 0x30, in.b, in.n);
    return in.full || out.full ? CHY_E_INVALIDARG : ext_set(w, oid, false, out.b, out.n);
}

static chy_hresult basic_constraints(struct work *w)
{
    uint8_t b[] = {0x30, 0x03, 0x01, 0x01, 0xff, 0x02, 0x01, 0};
    if (!w->p->ca) return CHY_S_OK;
    bool path = w->p->path_length >= 0 && w->p->path_length < 128;
    b[1] = path ? 6 : 3;
    b[7] = (uint8_t)(path ? w->p->path_length : 0);
    return ext_set(w, "2.5.29.19", true, b, path ? 8 : 5);
}

/* Enables a request's own extension, unchanged. The ones that a profile writes itself, and basic
 * constraints above all, are never taken over. */
static chy_hresult enable(struct work *w, const char *oid)
{
    chy_variant v = {0};
    chy_long flags = 0;
    chy_hresult hr = w->sp.vt->get_certificate_extension(w->sp.self, oid, CHY_PROPTYPE_BINARY, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY || !strcmp(oid, "2.5.29.19")) {
        w->host->vt->variant_clear(&v);
        return CHY_S_OK;
    }
    if (!CHY_FAILED(hr)) hr = w->sp.vt->get_certificate_extension_flags(w->sp.self, &flags);
    if (!CHY_FAILED(hr) && (flags & CHY_EXTENSION_DISABLE_FLAG))
        hr = w->sp.vt->set_certificate_extension(w->sp.self, oid, CHY_PROPTYPE_BINARY,
                                                 flags & CHY_EXTENSION_CRITICAL_FLAG, &v);
    w->host->vt->variant_clear(&v);
    return hr;
}

static bool own(const char *oid)
{
    static const char *const t[] = {"2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!strcmp(oid, t[i])) return true;
    return false;
}

chy_hresult ext_apply_profile(struct work *w)
{
    struct list eku = {0};
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; w->is_new && i < w->p->request_ext.n && !CHY_FAILED(hr); i++)
        if (!own(w->p->request_ext.v[i])) hr = enable(w, w->p->request_ext.v[i]);
    if (!CHY_FAILED(hr)) hr = basic_constraints(w);
    if (!CHY_FAILED(hr)) hr = key_usage(w);
    if (!CHY_FAILED(hr)) hr = chosen_ekus(w, &eku);
    if (!CHY_FAILED(hr)) hr = set_oids(w, "2.5.29.37", &eku, false);
    if (!CHY_FAILED(hr)) hr = set_oids(w, "2.5.29.32", &w->p->policies, true);
    if (!CHY_FAILED(hr) && w->p->nocheck)
        hr = ext_set(w, "1.3.6.1.5.5.7.48.1.5", false, (const uint8_t *)"\x05", 2);
    list_free(&eku);
    return hr;
}

chy_hresult ext_apply_lists(struct work *w)
{
    struct list all = {0};
    chy_str oid = {0};
    chy_hresult hr = w->is_new ? w->sp.vt->enumerate_extensions_setup(w->sp.self, 0) : CHY_S_FALSE;
    if (hr != CHY_S_OK) return hr;
    bool every = w->c->edit_flags & CHY_EDITF_ENABLEREQUESTEXTENSIONS;
    bool some = w->c->edit_flags & CHY_EDITF_REQUESTEXTENSIONLIST;
    while ((hr = w->sp.vt->enumerate_extensions(w->sp.self, &oid)) == CHY_S_OK) {
        if ((every || (some && list_has(&w->c->enable_ext, oid.p))) &&
            !list_add(&all, oid.p, oid.n))
            hr = CHY_E_OUTOFMEMORY;
        w->host->vt->free(oid.p);
        if (CHY_FAILED(hr)) break;
    }
    w->sp.vt->enumerate_extensions_close(w->sp.self);
    for (size_t i = 0; i < all.n && !CHY_FAILED(hr); i++)
        hr = enable(w, all.v[i]);
    list_free(&all);
    return hr;
}

chy_hresult ext_disable_listed(struct work *w)
{
    if (!(w->c->edit_flags & CHY_EDITF_DISABLEEXTENSIONLIST)) return CHY_S_OK;
    for (size_t i = 0; i < w->c->disable_ext.n; i++) {
        chy_variant v = {0};
        chy_hresult hr = w->sp.vt->get_certificate_extension(w->sp.self, w->c->disable_ext.v[i],
                                                             CHY_PROPTYPE_BINARY, &v);
        if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) continue;
        if (!CHY_FAILED(hr))
            hr = w->sp.vt->set_certificate_extension(w->sp.self, w->c->disable_ext.v[i],
                                                     CHY_PROPTYPE_BINARY,
                                                     CHY_EXTENSION_DISABLE_FLAG, &v);
        w->host->vt->variant_clear(&v);
        if (CHY_FAILED(hr)) return hr;
    }
    return CHY_S_OK;
}
