/* Extensions: what is checked of them, and what the rules put there. */
#include <stdio.h>
#include <string.h>

#include "kit/extension.h"
#include "rules.h"

#define OID_KU "2.5.29.15"
#define OID_EKU "2.5.29.37"
#define OID_CDP "2.5.29.31"
#define OID_AIA "1.3.6.1.5.5.7.1.1"

chy_hresult ext_get(struct work *w, const char *oid, chy_variant *v, chy_long *flags)
{
    chy_hresult hr = kit_extension(w->host, &w->sp, oid, v, flags);
    return CHY_FAILED(hr) ? cannot(w, hr, oid) : hr;
}

static chy_hresult flags_of(struct work *w, const char *oid, chy_long *flags)
{
    chy_variant v;
    chy_hresult hr = ext_get(w, oid, &v, flags);
    if (hr == CHY_S_OK) w->host->vt->variant_clear(&v);
    return hr;
}

chy_hresult ext_carried(struct work *w, const char *oid, bool *yes)
{
    chy_long flags = CHY_EXTENSION_DISABLE_FLAG;
    chy_hresult hr = flags_of(w, oid, &flags);
    *yes = hr == CHY_S_OK && !(flags & CHY_EXTENSION_DISABLE_FLAG);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}

/* What an administrator set on a waiting request stays as it is. */
static chy_hresult admins(struct work *w, const char *oid, bool *yes)
{
    chy_long flags = 0;
    chy_hresult hr = w->is_new ? CHY_S_FALSE : flags_of(w, oid, &flags);
    *yes = hr == CHY_S_OK && (flags & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_ADMIN;
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}

static chy_hresult put(struct work *w, const char *oid, chy_long flags, const void *p, size_t n)
{
    bool theirs;
    chy_hresult hr = admins(w, oid, &theirs);
    if (CHY_FAILED(hr) || theirs) return hr;
    const chy_variant v = chy_variant_of_bytes(p, n);
    hr = w->sp.vt->set_certificate_extension(w->sp.self, oid, CHY_PROPTYPE_BINARY, flags, &v);
    return CHY_FAILED(hr) ? cannot(w, hr, oid) : CHY_S_OK;
}

chy_hresult ext_set(struct work *w, const char *oid, bool critical, const void *p, size_t n)
{
    return put(w, oid, critical ? CHY_EXTENSION_CRITICAL_FLAG : 0, p, n);
}

static chy_hresult set_der(struct work *w, const char *oid, bool critical, struct kit_der_out *in)
{
    struct kit_der_out out;
    kit_der_start(&out);
    kit_der_put_tlv(&out, 0x30, in->b, in->n);
    if (in->full || out.full) return cannot(w, CHY_CERTSRV_E_ENCODING_LENGTH, oid);
    return ext_set(w, oid, critical, out.b, out.n);
}

static chy_hresult leave_out(struct work *w, const char *oid)
{
    chy_variant v;
    chy_hresult hr = ext_get(w, oid, &v, NULL);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    hr = put(w, oid, CHY_EXTENSION_DISABLE_FLAG, v.u.b.p, v.u.b.n);
    w->host->vt->variant_clear(&v);
    return hr;
}

/* ---- extended key usage ---- */

static struct kit_der oid_of(const char *dotted, struct kit_der_out *o)
{
    kit_der_start(o);
    bool ok = kit_der_put_oid(o, dotted);
    return (struct kit_der){o->b, ok ? o->n : 0};
}

static bool has_purpose(struct kit_der list, const char *dotted)
{
    struct kit_der_out o;
    struct kit_der oid = oid_of(dotted, &o), v;
    uint8_t tag;
    while (list.n && kit_der_next(&list, &tag, &v))
        if (tag == 0x06 && v.n + 2 == oid.n && !memcmp(v.p, oid.p + 2, v.n)) return true;
    return false;
}

static bool all_listed(struct kit_der list, const struct texts *t)
{
    uint8_t tag;
    struct kit_der v;
    while (list.n) {
        bool found = false;
        if (!kit_der_next(&list, &tag, &v) || tag != 0x06) return false;
        for (size_t i = 0; i < t->n && !found; i++) {
            struct kit_der_out o;
            struct kit_der oid = oid_of(t->v[i], &o);
            found = v.n + 2 == oid.n && !memcmp(v.p, oid.p + 2, v.n);
        }
        if (!found) return false;
    }
    return true;
}

/* RFC 5280 4.2.1.12: anyExtendedKeyUsage stands for the purposes that are denied, too. */
static void check_purposes(struct work *w, const struct rules *r, struct kit_der list)
{
    const chy_hresult code = CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE;
    if ((r->eku_allow.given || r->eku_deny.given) && !list.n)
        broken(w, r, code, r->eku_allow.given ? "Eku/Allow" : "Eku/Deny",
               "there is no extended key usage, which stands for every purpose");
    else if (r->eku_allow.given && !all_listed(list, &r->eku_allow))
        broken(w, r, code, "Eku/Allow", "an extended key usage is not listed");
    if (r->eku_deny.given && has_purpose(list, "2.5.29.37.0"))
        broken(w, r, code, "Eku/Deny",
               "extended key usage 2.5.29.37.0 stands for every purpose, also those denied");
    for (size_t i = 0; i < r->eku_deny.n; i++)
        if (has_purpose(list, r->eku_deny.v[i]))
            broken(w, r, code, "Eku/Deny", "extended key usage %.80s is denied", r->eku_deny.v[i]);
    for (size_t i = 0; i < r->eku_require.n; i++)
        if (!has_purpose(list, r->eku_require.v[i]))
            broken(w, r, code, "Eku/Require", "extended key usage %.80s is missing",
                   r->eku_require.v[i]);
}

/* What the last of the rules that count sets; NULL: none of them does. */
static const struct texts *purposes_set(const struct work *w)
{
    const struct texts *t = NULL;
    for (size_t i = 0; i < w->n_rules; i++)
        if (w->rules[i]->eku_set.given && !audits(w, w->rules[i])) t = &w->rules[i]->eku_set;
    return t;
}

static void put_oids(struct kit_der_out *o, const struct texts *t)
{
    kit_der_start(o);
    for (size_t i = 0; i < t->n; i++)
        o->full = !kit_der_put_oid(o, t->v[i]) || o->full;
}

chy_hresult eku_check(struct work *w)
{
    struct kit_der_out set;
    struct kit_der list = {NULL, 0};
    const struct texts *t = purposes_set(w);
    chy_variant v;
    chy_long flags = 0;
    bool theirs;
    chy_hresult hr = admins(w, OID_EKU, &theirs);
    if (!CHY_FAILED(hr)) hr = ext_get(w, OID_EKU, &v, &flags);
    if (CHY_FAILED(hr)) return hr;
    uint8_t tag = 0;
    struct kit_der whole = {v.u.b.p, v.u.b.n};
    bool carried = hr == CHY_S_OK && !(flags & CHY_EXTENSION_DISABLE_FLAG);
    if (carried && (!kit_der_next(&whole, &tag, &list) || tag != 0x30)) list.n = 0;
    if (t && !theirs) {
        put_oids(&set, t);
        list = (struct kit_der){set.b, set.n};
    }
    for (size_t i = 0; i < w->n_rules; i++)
        check_purposes(w, w->rules[i], list);
    w->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

/* ---- where to look for CRLs, the issuer and OCSP ---- */

/* Whoever took all of that out of this certificate had a reason (RFC 9608; RFC 6960 4.2.2.2.1). */
static chy_hresult nowhere(struct work *w, bool *yes)
{
    bool nocheck = false;
    chy_hresult hr = ext_carried(w, "2.5.29.56", yes);
    if (!CHY_FAILED(hr)) hr = ext_carried(w, "1.3.6.1.5.5.7.48.1.5", &nocheck);
    *yes = *yes || nocheck;
    return hr;
}

/* RFC 5280 4.2.1.13: one distribution point, whose names all lead to the same CRL. */
static chy_hresult set_crl(struct work *w, const struct texts *urls)
{
    struct kit_der_out names, full, point, one;
    if (!urls->n) return leave_out(w, OID_CDP);
    kit_der_start(&names);
    kit_der_start(&full);
    kit_der_start(&point);
    kit_der_start(&one);
    for (size_t i = 0; i < urls->n; i++)
        kit_der_put_tlv(&names, 0x86, urls->v[i], strlen(urls->v[i]));
    kit_der_put_tlv(&full, 0xa0, names.b, names.n);
    kit_der_put_tlv(&point, 0xa0, full.b, full.n);
    kit_der_put_tlv(&one, 0x30, point.b, point.n);
    one.full = one.full || names.full || full.full || point.full;
    return set_der(w, OID_CDP, false, &one);
}

static const uint8_t method_ocsp[] = {0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1};
static const uint8_t method_issuers[] = {0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2};

static void put_access(struct kit_der_out *out, const uint8_t method[10], const struct texts *urls)
{
    struct kit_der_out one;
    for (size_t i = 0; i < urls->n; i++) {
        kit_der_start(&one);
        kit_der_put(&one, method, 10);
        kit_der_put_tlv(&one, 0x86, urls->v[i], strlen(urls->v[i]));
        kit_der_put_tlv(out, 0x30, one.b, one.n);
        out->full = out->full || one.full;
    }
}

/* Of what stands there, the kinds that the rules say nothing of. */
static chy_hresult keep_access(struct work *w, const struct rules *r, struct kit_der_out *out)
{
    chy_variant v;
    chy_long flags = 0;
    uint8_t tag;
    struct kit_der list, one;
    chy_hresult hr = ext_get(w, OID_AIA, &v, &flags);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    struct kit_der whole = {v.u.b.p, v.u.b.n};
    bool ok = !(flags & CHY_EXTENSION_DISABLE_FLAG) && kit_der_next(&whole, &tag, &list);
    while (ok && list.n && kit_der_next(&list, &tag, &one)) {
        bool ocsp = one.n > 10 && !memcmp(one.p, method_ocsp, 10);
        bool issuers = one.n > 10 && !memcmp(one.p, method_issuers, 10);
        if ((ocsp && r->aia_ocsp.given) || (issuers && r->aia_issuers.given)) continue;
        kit_der_put_tlv(out, 0x30, one.p, one.n);
    }
    w->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult set_aia(struct work *w, const struct rules *r, bool none)
{
    struct kit_der_out out;
    kit_der_start(&out);
    chy_hresult hr = keep_access(w, r, &out);
    if (CHY_FAILED(hr)) return hr;
    put_access(&out, method_issuers, &r->aia_issuers);
    if (!none) put_access(&out, method_ocsp, &r->aia_ocsp);
    return out.n || out.full ? set_der(w, OID_AIA, false, &out) : leave_out(w, OID_AIA);
}

/* ---- all of them ---- */

/* RFC 5280 4.2.1.3; keyEncipherment is for keys that can encrypt. */
static chy_hresult set_key_usage(struct work *w, unsigned bits)
{
    uint8_t b[3] = {0};
    struct kit_der_out o;
    unsigned last = 0;
    if (w->key.family != KIT_KEY_RSA) bits &= ~(unsigned)CHY_KU_KEY_ENCIPHERMENT;
    if (!bits) return CHY_S_OK;
    for (unsigned i = 0; i < 9; i++)
        if (bits >> (15 - i) & 1) last = i;
    b[0] = (uint8_t)(7 - last % 8);
    b[1] = (uint8_t)(bits >> 8);
    b[2] = (uint8_t)bits;
    kit_der_start(&o);
    kit_der_put_tlv(&o, 0x03, b, 2 + last / 8);
    return ext_set(w, OID_KU, true, o.b, o.n);
}

chy_hresult ext_apply(struct work *w, const struct rules *r)
{
    struct kit_der_out o;
    bool none = false;
    chy_hresult hr = nowhere(w, &none);
    if (!CHY_FAILED(hr) && r->key_usage) hr = set_key_usage(w, r->key_usage);
    if (!CHY_FAILED(hr) && r->eku_set.given) {
        put_oids(&o, &r->eku_set);
        hr = set_der(w, OID_EKU, false, &o);
    }
    if (!CHY_FAILED(hr) && r->crl_urls.given && !none) hr = set_crl(w, &r->crl_urls);
    if (!CHY_FAILED(hr) && (r->aia_issuers.given || r->aia_ocsp.given)) hr = set_aia(w, r, none);
    return hr;
}
