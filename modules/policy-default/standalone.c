/* What AD CS's stand-alone policy does with a request that names no profile. EditFlags switch the
 * parts on; a CA certificate always waits for an administrator, which AD CS leaves to its default.
 */
#include <string.h>

#include "policy.h"

static chy_hresult enable_listed(struct work *w)
{
    struct list all = {0};
    bool every = w->c->edit_flags & CHY_EDITF_ENABLEREQUESTEXTENSIONS;
    bool some = w->c->edit_flags & CHY_EDITF_REQUESTEXTENSIONLIST;
    chy_hresult hr = w->is_new && (every || some) ? ext_names(w, &all) : CHY_S_OK;
    for (size_t i = 0; i < all.n && !CHY_FAILED(hr); i++)
        if (every || list_has(&w->c->enable_ext, all.v[i])) hr = ext_enable(w, all.v[i]);
    list_free(&all);
    return hr;
}

bool says_ca(const chy_variant *v)
{
    uint8_t tag = 0;
    struct kit_der in = {v->u.b.p, v->u.b.n}, list, flag;
    return kit_der_next(&in, &tag, &list) && tag == 0x30 && kit_der_next(&list, &tag, &flag) &&
           tag == 0x01 && flag.n == 1 && flag.p[0] == 0xff;
}

/* EDITF_BASICCONSTRAINTSCA: the request's own extension asks; its path length is never taken. */
static chy_hresult asks_ca(struct work *w, bool *ca)
{
    chy_variant v;
    chy_long flags = 0;
    *ca = false;
    chy_hresult hr = ext_get(w, "2.5.29.19", &v, &flags);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    hr = CHY_S_OK;
    if (ext_from_admin(w, flags))
        *ca = !(flags & CHY_EXTENSION_DISABLE_FLAG) && says_ca(&v);
    else if (w->c->edit_flags & CHY_EDITF_BASICCONSTRAINTSCA)
        *ca = says_ca(&v);
    else if (!(flags & CHY_EXTENSION_DISABLE_FLAG))
        hr = ext_switch_off(w, "2.5.29.19", &v);
    w->host->vt->variant_clear(&v);
    return hr;
}

static bool usage_bits(const chy_variant *v, unsigned *bits)
{
    uint8_t tag = 0;
    struct kit_der in = {v->u.b.p, v->u.b.n}, b = {NULL, 0};
    *bits = 0;
    if (!kit_der_next(&in, &tag, &b) || tag != 0x03 || in.n || b.n < 2 || b.n > 3 || b.p[0] > 7)
        return false;
    for (unsigned i = 0; i < 9 && 1 + i / 8 < b.n; i++)
        if (b.p[1 + i / 8] & (0x80 >> (i % 8))) *bits |= 1u << i;
    return *bits != 0;
}

static chy_hresult default_usage(struct work *w)
{
    unsigned rsa = w->key.family == KIT_KEY_RSA ? (unsigned)KU_KEY_ENCIPHERMENT : 0;
    return w->c->edit_flags & CHY_EDITF_ADDOLDKEYUSAGE
               ? set_key_usage(w, KU_DIGITAL_SIGNATURE | rsa)
               : CHY_S_OK;
}

/* An end entity never signs certificates or CRLs, whatever list let its key usage in
 * (RFC 5280 4.2.1.3). */
static chy_hresult end_entity_usage(struct work *w)
{
    const unsigned ca_bits = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    chy_variant v;
    chy_long flags = 0;
    unsigned bits;
    chy_hresult hr = ext_get(w, "2.5.29.15", &v, &flags);
    if (CHY_FAILED(hr)) return hr;
    if (hr == CHY_S_FALSE) return default_usage(w);
    if (ext_from_admin(w, flags))
        hr = CHY_S_OK;
    else if (flags & CHY_EXTENSION_DISABLE_FLAG)
        hr = default_usage(w);
    else if (!usage_bits(&v, &bits))
        hr = deny(w, CHY_CRYPT_E_ASN1_BADTAG, "the key usage of the request is malformed");
    else if ((bits & ca_bits) && (bits & ~ca_bits))
        hr = set_key_usage(w, bits & ~ca_bits);
    else if (bits & ca_bits)
        hr = ext_switch_off(w, "2.5.29.15", &v);
    w->host->vt->variant_clear(&v);
    return hr;
}

static chy_hresult ca_certificate(struct work *w)
{
    const unsigned old =
        w->c->edit_flags & CHY_EDITF_ADDOLDKEYUSAGE ? (unsigned)KU_DIGITAL_SIGNATURE : 0;
    w->pend = true;
    chy_hresult hr = set_basic_constraints(w, w->c->edit_flags & CHY_EDITF_BASICCONSTRAINTSCRITICAL,
                                           w->c->ca_path_length);
    return CHY_FAILED(hr) ? hr : set_key_usage(w, old | KU_KEY_CERT_SIGN | KU_CRL_SIGN);
}

static chy_hresult attribute_usage(struct work *w)
{
    char *text = NULL;
    struct list l = {0};
    if (!(w->c->edit_flags & CHY_EDITF_ATTRIBUTEEKU)) return CHY_S_OK;
    chy_hresult hr = attribute(w, "CertificateUsage", &text);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    hr = list_split(&l, text) ? set_oids(w, "2.5.29.37", &l, false) : CHY_E_OUTOFMEMORY;
    w->host->vt->free(text);
    list_free(&l);
    return hr;
}

chy_hresult standalone_apply(struct work *w)
{
    bool ca = false;
    chy_hresult hr = enable_listed(w);
    if (!CHY_FAILED(hr)) hr = asks_ca(w, &ca);
    if (!CHY_FAILED(hr)) hr = ca ? ca_certificate(w) : end_entity_usage(w);
    return CHY_FAILED(hr) ? hr : attribute_usage(w);
}
