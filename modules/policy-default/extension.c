#include <string.h>
#include <strings.h>

#include "kit/extension.h"
#include "policy.h"

chy_hresult ext_get(struct work *w, const char *oid, chy_variant *v, chy_long *flags)
{
    chy_hresult hr = kit_extension(w->host, &w->sp, oid, v, flags);
    return CHY_FAILED(hr) ? deny(w, hr, "extension %.64s could not be read", oid) : hr;
}

bool ext_from_admin(const struct work *w, chy_long flags)
{
    return !w->is_new && (flags & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_ADMIN;
}

static chy_hresult admins(struct work *w, const char *oid, bool *yes)
{
    chy_variant v;
    chy_long flags = 0;
    *yes = false;
    if (w->is_new) return CHY_S_OK;
    chy_hresult hr = ext_get(w, oid, &v, &flags);
    if (hr != CHY_S_OK) return hr;
    w->host->vt->variant_clear(&v);
    *yes = ext_from_admin(w, flags);
    return CHY_S_OK;
}

chy_hresult ext_put(struct work *w, const char *oid, chy_long flags, const chy_variant *v)
{
    chy_hresult hr =
        w->sp.vt->set_certificate_extension(w->sp.self, oid, CHY_PROPTYPE_BINARY, flags, v);
    return CHY_FAILED(hr) ? deny(w, hr, "extension %.64s could not be set", oid) : CHY_S_OK;
}

chy_hresult ext_set(struct work *w, const char *oid, bool critical, uint8_t *p, size_t n)
{
    bool theirs;
    chy_hresult hr = admins(w, oid, &theirs);
    if (CHY_FAILED(hr) || theirs) return hr;
    chy_variant v = {.vt = CHY_VT_BYTES, .u.b = {p, n}};
    return ext_put(w, oid, critical ? CHY_EXTENSION_CRITICAL_FLAG : 0, &v);
}

chy_hresult ext_switch_off(struct work *w, const char *oid, chy_variant *v)
{
    return ext_put(w, oid, CHY_EXTENSION_DISABLE_FLAG, v);
}

chy_hresult set_key_usage(struct work *w, unsigned bits)
{
    uint8_t b[3] = {0};
    unsigned last = 0;
    struct kit_der_out o;
    for (unsigned i = 0; i < 9; i++) {
        if (!(bits >> i & 1)) continue;
        b[1 + i / 8] |= (uint8_t)(0x80 >> (i % 8));
        last = i;
    }
    b[0] = (uint8_t)(7 - last % 8);
    kit_der_start(&o);
    kit_der_put_tlv(&o, 0x03, b, 2 + last / 8);
    return ext_set(w, "2.5.29.15", true, o.b, o.n);
}

static chy_hresult key_usage(struct work *w)
{
    unsigned not_here = w->key.family == KIT_KEY_RSA ? 0 : (unsigned)KU_KEY_ENCIPHERMENT;
    unsigned bits = w->p->key_usage & ~not_here;
    if (!w->p->key_usage) return CHY_S_OK;
    if (!bits)
        return deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                    "no KeyUsage of profile %s is one of this kind of key", w->p->name);
    return set_key_usage(w, bits);
}

static bool request_has(struct kit_der ext, const char *oid)
{
    uint8_t tag;
    struct kit_der list, v;
    struct kit_der_out o;
    kit_der_start(&o);
    if (!kit_der_put_oid(&o, oid) || !kit_der_next(&ext, &tag, &list)) return false;
    while (list.n && kit_der_next(&list, &tag, &v))
        if (v.n + 2 == o.n && memcmp(v.p, o.b + 2, v.n) == 0) return true;
    return false;
}

/* The usages that attribute CertificateUsage names, all of which must be the profile's. */
static chy_hresult attribute_ekus(struct work *w, struct list *out)
{
    char *text = NULL;
    if (!(w->c->edit_flags & CHY_EDITF_ATTRIBUTEEKU)) return CHY_S_FALSE;
    chy_hresult hr = attribute(w, "CertificateUsage", &text);
    if (hr != CHY_S_OK) return hr;
    bool ok = list_split(out, text);
    w->host->vt->free(text);
    if (!ok) return CHY_E_OUTOFMEMORY;
    for (size_t i = 0; i < out->n; i++)
        if (!list_has(&w->p->eku, out->v[i]))
            return deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                        "CertificateUsage %.80s is not a usage of profile %s", out->v[i],
                        w->p->name);
    return out->n ? CHY_S_OK : CHY_S_FALSE;
}

/* The usages of the profile, or those of them that the request's extension names. */
static chy_hresult profile_ekus(struct work *w, struct list *out)
{
    chy_variant v = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = w->p->eku_from_request ? ext_get(w, "2.5.29.37", &v, NULL) : CHY_S_FALSE;
    if (CHY_FAILED(hr)) return hr;
    bool all = hr != CHY_S_OK, ok = true;
    for (size_t i = 0; i < w->p->eku.n; i++)
        if (all || request_has((struct kit_der){v.u.b.p, v.u.b.n}, w->p->eku.v[i]))
            ok = ok && list_add(out, w->p->eku.v[i], strlen(w->p->eku.v[i]));
    w->host->vt->variant_clear(&v);
    if (!ok) return CHY_E_OUTOFMEMORY;
    if (w->p->eku.n && !out->n)
        return deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                    "no extended key usage of the request is one of profile %s", w->p->name);
    return CHY_S_OK;
}

static chy_hresult extended_key_usage(struct work *w)
{
    struct list eku = {0};
    bool theirs;
    chy_hresult hr = admins(w, "2.5.29.37", &theirs);
    if (CHY_FAILED(hr) || theirs) return hr;
    hr = attribute_ekus(w, &eku);
    if (hr == CHY_S_FALSE) hr = profile_ekus(w, &eku);
    if (!CHY_FAILED(hr)) hr = set_oids(w, "2.5.29.37", &eku, false);
    list_free(&eku);
    return hr;
}

chy_hresult set_oids(struct work *w, const char *oid, const struct list *l, bool nested)
{
    struct kit_der_out in, out, one;
    if (!l->n) return CHY_S_OK;
    kit_der_start(&in);
    kit_der_start(&out);
    for (size_t i = 0; i < l->n; i++) {
        kit_der_start(&one);
        if (!kit_der_put_oid(&one, l->v[i]))
            return deny(w, CHY_CRYPT_E_OID_FORMAT, "%.80s is no object identifier", l->v[i]);
        if (nested)
            kit_der_put_tlv(&in, 0x30, one.b, one.n);
        else
            kit_der_put(&in, one.b, one.n);
    }
    kit_der_put_tlv(&out, 0x30, in.b, in.n);
    if (in.full || out.full) return deny(w, CHY_E_INVALIDARG, "extension %s is too long", oid);
    return ext_set(w, oid, false, out.b, out.n);
}

chy_hresult set_basic_constraints(struct work *w, bool critical, int64_t path_length)
{
    uint8_t b[] = {0x30, 0x03, 0x01, 0x01, 0xff, 0x02, 0x01, 0};
    bool path = path_length >= 0 && path_length < 128;
    b[1] = path ? 6 : 3;
    b[7] = (uint8_t)(path ? path_length : 0);
    return ext_set(w, "2.5.29.19", critical, b, path ? 8 : 5);
}

/* Only what came from outside with the request and is still switched off; basic constraints above
 * all are never taken over, and that nobody can revoke the certificate is not the requester's to
 * say. */
chy_hresult ext_enable(struct work *w, const char *oid)
{
    chy_variant v;
    chy_long flags = 0;
    if (!strcmp(oid, "2.5.29.19") || !strcmp(oid, OID_NO_REV_AVAIL)) return CHY_S_OK;
    chy_hresult hr = ext_get(w, oid, &v, &flags);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    chy_long origin = flags & CHY_EXTENSION_ORIGIN_MASK;
    bool outside = origin == CHY_EXTENSION_ORIGIN_REQUEST ||
                   origin == CHY_EXTENSION_ORIGIN_RENEWALCERT ||
                   origin == CHY_EXTENSION_ORIGIN_PKCS7 || origin == CHY_EXTENSION_ORIGIN_CMC;
    if (outside && (flags & CHY_EXTENSION_DISABLE_FLAG))
        hr = ext_put(w, oid, flags & CHY_EXTENSION_CRITICAL_FLAG, &v);
    w->host->vt->variant_clear(&v);
    return hr;
}

static bool own(const char *oid)
{
    static const char *const t[] = {"2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37",
                                    OID_NO_REV_AVAIL};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!strcmp(oid, t[i])) return true;
    return false;
}

chy_hresult ext_names(struct work *w, struct list *out)
{
    chy_str oid = {0};
    chy_hresult hr = w->sp.vt->enumerate_extensions_setup(w->sp.self, 0);
    if (CHY_FAILED(hr)) return deny(w, hr, "the extensions could not be listed");
    while ((hr = w->sp.vt->enumerate_extensions(w->sp.self, &oid)) == CHY_S_OK) {
        bool ok = oid.p && list_add(out, oid.p, oid.n);
        w->host->vt->free(oid.p);
        oid = (chy_str){0};
        if (ok) continue;
        hr = CHY_E_OUTOFMEMORY;
        break;
    }
    w->sp.vt->enumerate_extensions_close(w->sp.self);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}

static chy_hresult forget(struct work *w, const char *oid)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = ext_get(w, oid, &v, &flags);
    if (hr != CHY_S_OK) return hr;
    bool taken = !own(oid) && list_has(&w->p->request_ext, oid);
    if ((flags & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_POLICY && !taken &&
        !(flags & (CHY_EXTENSION_DISABLE_FLAG | EXT_SERVERS)))
        hr = ext_switch_off(w, oid, &v);
    w->host->vt->variant_clear(&v);
    return hr;
}

/* A pending request may meet another profile than at first: an administrator changed its attribute,
 * or the settings. Nothing of the first one may stay, CA:TRUE least of all. */
chy_hresult ext_forget(struct work *w)
{
    struct list all = {0};
    chy_hresult hr = w->is_new || !w->p ? CHY_S_OK : ext_names(w, &all);
    for (size_t i = 0; i < all.n && !CHY_FAILED(hr); i++)
        hr = forget(w, all.v[i]);
    list_free(&all);
    return hr;
}

chy_hresult ext_apply_profile(struct work *w)
{
    uint8_t null[] = {0x05, 0x00};
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; w->is_new && i < w->p->request_ext.n && !CHY_FAILED(hr); i++)
        if (!own(w->p->request_ext.v[i])) hr = ext_enable(w, w->p->request_ext.v[i]);
    if (!CHY_FAILED(hr) && w->p->ca) hr = set_basic_constraints(w, true, w->p->path_length);
    if (!CHY_FAILED(hr)) hr = key_usage(w);
    if (!CHY_FAILED(hr)) hr = extended_key_usage(w);
    if (!CHY_FAILED(hr)) hr = set_oids(w, "2.5.29.32", &w->p->policies, true);
    if (!CHY_FAILED(hr) && w->p->nocheck)
        hr = ext_set(w, "1.3.6.1.5.5.7.48.1.5", false, null, sizeof null);
    if (!CHY_FAILED(hr) && w->p->no_revocation)
        hr = ext_set(w, OID_NO_REV_AVAIL, false, null, sizeof null);
    return hr;
}

chy_hresult ext_disable_listed(struct work *w)
{
    if (!(w->c->edit_flags & CHY_EDITF_DISABLEEXTENSIONLIST)) return CHY_S_OK;
    for (size_t i = 0; i < w->c->disable_ext.n; i++) {
        chy_variant v;
        chy_hresult hr = ext_get(w, w->c->disable_ext.v[i], &v, NULL);
        if (hr == CHY_S_FALSE) continue;
        if (!CHY_FAILED(hr)) hr = ext_switch_off(w, w->c->disable_ext.v[i], &v);
        w->host->vt->variant_clear(&v);
        if (CHY_FAILED(hr)) return hr;
    }
    return CHY_S_OK;
}
