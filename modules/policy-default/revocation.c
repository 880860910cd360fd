/* Where it could be looked up whether a certificate is revoked: nowhere, for certificates that are
 * over before it matters (RFC 9608) and for signers of OCSP answers that are trusted as long as
 * they live (RFC 6960 4.2.2.2.1). */
#include <string.h>

#include "policy.h"

#define OID_BC "2.5.29.19"
#define OID_CDP "2.5.29.31"
#define OID_FRESHEST "2.5.29.46"
#define OID_AIA "1.3.6.1.5.5.7.1.1"

static bool nowhere(const struct work *w)
{
    return w->p && (w->p->no_revocation || w->p->nocheck);
}

/* The server's own can be given back to another profile, as long as its value is whole. */
static chy_long whole(chy_long flags)
{
    chy_long origin = flags & CHY_EXTENSION_ORIGIN_MASK;
    if (origin == CHY_EXTENSION_ORIGIN_SERVER) return EXT_WHOLE;
    return origin == CHY_EXTENSION_ORIGIN_POLICY ? flags & EXT_WHOLE : 0;
}

static bool stays(const struct work *w, chy_long flags)
{
    return (flags & CHY_EXTENSION_DISABLE_FLAG) || ext_from_admin(w, flags);
}

static chy_hresult set_aside(struct work *w, const char *oid)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = ext_get(w, oid, &v, &flags);
    if (hr != CHY_S_OK) return hr;
    if (!stays(w, flags)) hr = ext_put(w, oid, CHY_EXTENSION_DISABLE_FLAG | whole(flags), &v);
    w->host->vt->variant_clear(&v);
    return hr;
}

/* AccessDescriptions that are not id-ad-ocsp (RFC 5280 4.2.2.1). False: that is no list of them. */
static bool without_ocsp(struct kit_der in, struct kit_der_out *kept, bool *found)
{
    static const uint8_t ocsp[] = {0x2b, 6, 1, 5, 5, 7, 0x30, 1};
    struct kit_der list, one, method;
    uint8_t tag = 0;
    if (!kit_der_next(&in, &tag, &list) || tag != 0x30 || in.n) return false;
    while (list.n) {
        if (!kit_der_next(&list, &tag, &one) || tag != 0x30) return false;
        struct kit_der inner = one;
        if (!kit_der_next(&inner, &tag, &method) || tag != 0x06) return false;
        if (method.n == sizeof ocsp && memcmp(method.p, ocsp, sizeof ocsp) == 0)
            *found = true;
        else
            kit_der_put_tlv(kept, 0x30, one.p, one.n);
    }
    return true;
}

static chy_hresult cut(struct work *w, chy_variant *v, chy_long flags)
{
    struct kit_der_out kept, all;
    bool found = false;
    kit_der_start(&kept);
    kit_der_start(&all);
    bool known = without_ocsp((struct kit_der){v->u.b.p, v->u.b.n}, &kept, &found);
    if (known && !found) return CHY_S_OK;
    if (!known || (!kept.n && !kept.full))
        return ext_put(w, OID_AIA, CHY_EXTENSION_DISABLE_FLAG | whole(flags), v);
    kit_der_put_tlv(&all, 0x30, kept.b, kept.n);
    if (kept.full || all.full)
        return deny(w, CHY_E_INVALIDARG, "extension " OID_AIA " is too long");
    const chy_variant rest = {.vt = CHY_VT_BYTES, .u.b = {all.b, all.n}};
    return ext_put(w, OID_AIA, EXT_CUT, &rest);
}

static chy_hresult cut_ocsp(struct work *w)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = ext_get(w, OID_AIA, &v, &flags);
    if (hr != CHY_S_OK) return hr;
    if (!stays(w, flags)) hr = cut(w, &v, flags);
    w->host->vt->variant_clear(&v);
    return hr;
}

/* An administrator can make a CA of a request, but not one that nobody can revoke. */
static chy_hresult no_ca(struct work *w)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = w->p->no_revocation ? ext_get(w, OID_BC, &v, &flags) : CHY_S_FALSE;
    if (hr != CHY_S_OK) return hr;
    if (!(flags & CHY_EXTENSION_DISABLE_FLAG) && says_ca(&v))
        hr = deny(w, CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                  "Revocation none of profile %s is not for CA certificates", w->p->name);
    w->host->vt->variant_clear(&v);
    return hr;
}

chy_hresult revocation_apply(struct work *w)
{
    if (!nowhere(w)) return CHY_S_OK;
    chy_hresult hr = no_ca(w);
    if (!CHY_FAILED(hr)) hr = set_aside(w, OID_CDP);
    if (!CHY_FAILED(hr)) hr = set_aside(w, OID_FRESHEST);
    return CHY_FAILED(hr) ? hr : cut_ocsp(w);
}

/* A request whose certificate failed after it was approved keeps what the policy did to it. */
static chy_hresult give_back(struct work *w, const char *oid, bool set_by_us)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = ext_get(w, oid, &v, &flags);
    if (hr != CHY_S_OK) return hr;
    bool ours = (flags & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_POLICY;
    bool off = flags & CHY_EXTENSION_DISABLE_FLAG;
    if (ours && set_by_us && !off)
        hr = ext_switch_off(w, oid, &v);
    else if (ours && (flags & EXT_WHOLE) && off)
        hr = ext_put(w, oid, EXT_WHOLE, &v);
    else if (ours && (flags & EXT_CUT) && !nowhere(w))
        hr = deny(w, CHY_CERTSRV_E_BAD_REQUESTSTATUS,
                  "the OCSP responder was taken out of this request for another profile: it has to "
                  "be submitted anew");
    w->host->vt->variant_clear(&v);
    return hr;
}

chy_hresult revocation_forget(struct work *w)
{
    static const struct {
        const char *oid;
        bool set_by_us;
    } t[] = {{OID_NO_REV_AVAIL, true}, {OID_CDP, false}, {OID_FRESHEST, false}, {OID_AIA, false}};
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; !w->is_new && i < sizeof t / sizeof t[0] && !CHY_FAILED(hr); i++)
        hr = give_back(w, t[i].oid, t[i].set_by_us);
    return hr;
}
