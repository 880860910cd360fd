#include <string.h>

#include "policy.h"

#define OID_SAN "2.5.29.17"

static const char *const subject_names[] = {
    "CommonName", "Country",  "DeviceSerialNumber",  "DomainComponent", "EMail", "GivenName",
    "Initials",   "Locality", "Organization",        "OrgUnit",         "State", "StreetAddress",
    "SurName",    "Title",    "UnstructuredAddress", "UnstructuredName"};

static chy_hresult set_part(struct work *w, const char *name, const chy_variant *v)
{
    chy_hresult hr = w->sp.vt->set_certificate_property(w->sp.self, name, CHY_PROPTYPE_STRING, v);
    return CHY_FAILED(hr) ? deny(w, hr, "subject: %s could not be set", name) : CHY_S_OK;
}

/* A part of the subject that the profile allows; the common name is kept in w. */
static chy_hresult take_part(struct work *w, const char *name, bool is_cn)
{
    chy_variant v = {0};
    chy_hresult hr = w->sp.vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_STRING, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return deny(w, hr, "subject: %s could not be read", name);
    bool ok = v.vt == CHY_VT_STR && v.u.s.n < sizeof w->cn && strlen(v.u.s.p) == v.u.s.n;
    if (ok && is_cn) memcpy(w->cn, v.u.s.p, v.u.s.n + 1);
    if (v.vt == CHY_VT_STR && v.u.s.n) w->subject_empty = false;
    w->host->vt->variant_clear(&v);
    return ok || !is_cn ? CHY_S_OK
                        : deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "the common name is too long");
}

static chy_hresult subject(struct work *w)
{
    const chy_variant null = {.vt = CHY_VT_NULL};
    chy_hresult hr = CHY_S_OK;
    w->subject_empty = true;
    for (size_t i = 0; i < sizeof subject_names / sizeof subject_names[0] && !CHY_FAILED(hr); i++) {
        const char *name = subject_names[i];
        bool kept = w->p->subject_from == SUBJECT_REQUEST && list_has(&w->p->subject, name);
        hr = kept ? take_part(w, name, i == 0) : set_part(w, name, &null);
    }
    return hr;
}

static chy_hresult cn_from_san(struct work *w, struct kit_der names)
{
    if (w->p->subject_from != SUBJECT_CN_FROM_SAN) return CHY_S_OK;
    if (!san_first_dns(names, w->cn, 65)) return CHY_S_OK;
    chy_variant v = {.vt = CHY_VT_STR, .u.s = {w->cn, strlen(w->cn)}};
    w->subject_empty = false;
    return set_part(w, "CommonName", &v);
}

static chy_hresult cn_not_seen(struct work *w)
{
    return deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                "common name %.100s is not among the subject alternative names", w->cn);
}

static chy_hresult given_san(struct work *w, uint8_t *p, size_t n)
{
    char why[256];
    bool seen;
    struct kit_der names = {p, n};
    const char *rule = san_check(w->p, names, w->cn, &seen, why, sizeof why);
    if (rule)
        return deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "subject alternative name: %s %s", why,
                    rule);
    if (w->p->cn_in_san && w->cn[0] && !seen) return cn_not_seen(w);
    chy_hresult hr = cn_from_san(w, names);
    return CHY_FAILED(hr) ? hr : ext_set(w, OID_SAN, w->subject_empty, p, n);
}

/* EDITF_ATTRIBUTESUBJECTALTNAME2: the attribute speaks instead of the request's own extension, and
 * under the same rules (without them it is the hole known as ESC6). S_FALSE: nothing to take. */
static chy_hresult attribute_san(struct work *w)
{
    struct kit_der_out all;
    char *text = NULL;
    if (!(w->c->edit_flags & CHY_EDITF_ATTRIBUTESUBJECTALTNAME2)) return CHY_S_FALSE;
    chy_hresult hr = attribute(w, "SAN", &text);
    if (hr != CHY_S_OK) return hr;
    kit_der_start(&all);
    const char *rule = san_from_attribute(&all, text);
    w->host->vt->free(text);
    return rule ? deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "attribute SAN %s", rule)
                : given_san(w, all.b, all.n);
}

static chy_hresult no_san(struct work *w)
{
    struct kit_der_out one, all;
    kit_der_start(&one);
    kit_der_start(&all);
    if (w->p->san_from_cn && w->cn[0] && san_from_text(&one, w->cn)) {
        kit_der_put_tlv(&all, 0x30, one.b, one.n);
        return given_san(w, all.b, all.n);
    }
    if (w->p->san_required)
        return deny(w, CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED,
                    "profile %s requires a subject alternative name", w->p->name);
    return w->p->cn_in_san && w->cn[0] ? cn_not_seen(w) : CHY_S_OK;
}

static chy_hresult san(struct work *w)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = ext_get(w, OID_SAN, &v, &flags);
    if (CHY_FAILED(hr)) return hr;
    if (hr == CHY_S_OK && ext_from_admin(w, flags)) {
        bool off = flags & CHY_EXTENSION_DISABLE_FLAG;
        hr = off ? CHY_S_OK : cn_from_san(w, (struct kit_der){v.u.b.p, v.u.b.n});
    } else {
        chy_hresult asked = attribute_san(w);
        if (asked != CHY_S_FALSE)
            hr = asked;
        else
            hr = hr == CHY_S_OK ? given_san(w, v.u.b.p, v.u.b.n) : no_san(w);
    }
    w->host->vt->variant_clear(&v);
    return hr;
}

chy_hresult names_apply(struct work *w)
{
    /* Without a profile the subject stays, and of names only the attribute is looked at. */
    static const struct profile any = {.name = "(none)",
                                       .max_names = 100,
                                       .wildcard = true,
                                       .san_types = KIT_SAN_DNS | KIT_SAN_IP | KIT_SAN_EMAIL |
                                                    KIT_SAN_URI | KIT_SAN_UPN};
    if (w->p) {
        chy_hresult hr = subject(w);
        return CHY_FAILED(hr) ? hr : san(w);
    }
    chy_long flags = 0;
    chy_variant v;
    chy_hresult hr = ext_get(w, OID_SAN, &v, &flags);
    if (hr == CHY_S_OK) w->host->vt->variant_clear(&v);
    if (CHY_FAILED(hr) || (hr == CHY_S_OK && ext_from_admin(w, flags))) return hr;
    w->p = &any;
    hr = attribute_san(w);
    w->p = NULL;
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}
