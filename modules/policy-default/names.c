#include <stdlib.h>
#include <string.h>

#include "policy.h"

static const char *const subject_names[] = {
    "CommonName", "Country",  "DeviceSerialNumber",  "DomainComponent", "EMail", "GivenName",
    "Initials",   "Locality", "Organization",        "OrgUnit",         "State", "StreetAddress",
    "SurName",    "Title",    "UnstructuredAddress", "UnstructuredName"};

static chy_hresult subject(struct work *w)
{
    const chy_variant null = {.vt = CHY_VT_NULL};
    w->subject_empty = true;
    for (size_t i = 0; i < sizeof subject_names / sizeof subject_names[0]; i++) {
        const char *name = subject_names[i];
        chy_hresult hr;
        if (w->p->subject_from != SUBJECT_REQUEST || !list_has(&w->p->subject, name)) {
            hr = w->sp.vt->set_certificate_property(w->sp.self, name, CHY_PROPTYPE_STRING, &null);
            if (CHY_FAILED(hr)) return hr;
            continue;
        }
        chy_variant v = {0};
        hr = w->sp.vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_STRING, &v);
        if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) continue;
        if (CHY_FAILED(hr)) return hr;
        bool fits = v.vt == CHY_VT_STR && v.u.s.n < sizeof w->cn && strlen(v.u.s.p) == v.u.s.n;
        if (i == 0 && fits) memcpy(w->cn, v.u.s.p, v.u.s.n + 1);
        if (v.vt == CHY_VT_STR && v.u.s.n) w->subject_empty = false;
        w->host->vt->variant_clear(&v);
        if (i == 0 && !fits)
            return deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "the common name is too long");
    }
    return CHY_S_OK;
}

static chy_hresult cn_from_san(struct work *w, struct der names)
{
    if (!san_first_dns(names, w->cn, 65)) return CHY_S_OK;
    chy_variant v = {.vt = CHY_VT_STR, .u.s = {w->cn, strlen(w->cn)}};
    w->subject_empty = false;
    return w->sp.vt->set_certificate_property(w->sp.self, "CommonName", CHY_PROPTYPE_STRING, &v);
}

static chy_hresult given_san(struct work *w, struct der names)
{
    char why[256];
    unsigned found;
    bool seen;
    const char *rule = san_check(w->p, names, w->cn, &found, &seen, why, sizeof why);
    if (rule)
        return deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "subject alternative name: %s %s", why,
                    rule);
    if (w->p->cn_in_san && w->cn[0] && !seen)
        return deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                    "common name %.100s is not among the subject alternative names", w->cn);
    chy_hresult hr = w->p->subject_from == SUBJECT_CN_FROM_SAN ? cn_from_san(w, names) : CHY_S_OK;
    return CHY_FAILED(hr) ? hr : ext_set(w, "2.5.29.17", w->subject_empty, names.p, names.n);
}

static chy_hresult san(struct work *w)
{
    chy_variant v = {0};
    chy_hresult hr =
        w->sp.vt->get_certificate_extension(w->sp.self, "2.5.29.17", CHY_PROPTYPE_BINARY, &v);
    if (!CHY_FAILED(hr)) {
        hr = v.vt == CHY_VT_BYTES ? given_san(w, (struct der){v.u.b.p, v.u.b.n}) : CHY_E_UNEXPECTED;
        w->host->vt->variant_clear(&v);
        return hr;
    }
    if (hr != CHY_CERTSRV_E_PROPERTY_EMPTY) return hr;
    struct der_out one = {.n = 0}, all = {.n = 0};
    if (w->p->san_from_cn && w->cn[0] && san_from_text(&one, w->cn)) {
        der_put_tlv(&all, 0x30, one.b, one.n);
        return given_san(w, (struct der){all.b, all.n});
    }
    if (w->p->san_required)
        return deny(w, CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED,
                    "profile %s requires a subject alternative name", w->p->name);
    if (w->p->cn_in_san && w->cn[0])
        return deny(w, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                    "common name %.100s is not among the subject alternative names", w->cn);
    return CHY_S_OK;
}

chy_hresult names_apply(struct work *w)
{
    chy_hresult hr = subject(w);
    return CHY_FAILED(hr) ? hr : san(w);
}
