/* CA properties: those that modules read at context 0, and those that clients ask for by number. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca/ca_internal.h"

static chy_hresult text(chy_variant *out, const char *s)
{
    if (!s || !*s) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_str(out, s, strlen(s));
}

static bool is_self_signed(const struct chy_ca *ca)
{
    return chy_span_eq(ca->cert.issuer.der, ca->cert.subject.der);
}

static chy_long ca_type(const struct chy_ca *ca)
{
    return is_self_signed(ca) ? CHY_ENUM_STANDALONE_ROOTCA : CHY_ENUM_STANDALONE_SUBCA;
}

static chy_long cert_state(const struct chy_ca *ca)
{
    return chy_now(ca->clock) > ca->cert.not_after ? CHY_CA_DISP_INVALID : CHY_CA_DISP_VALID;
}

struct asked {
    struct chy_ca *ca;
    struct chy_request *request;
    const char *location;
};

static chy_hresult p_type(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, ca_type(a->ca));
}
static chy_hresult p_one(const struct asked *a, chy_variant *out)
{
    (void)a;
    return chy_variant_set_long(out, 1);
}
static chy_hresult p_zero(const struct asked *a, chy_variant *out)
{
    (void)a;
    return chy_variant_set_long(out, 0);
}
static chy_hresult p_state(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, cert_state(a->ca));
}
static chy_hresult p_crl_state(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, cert_state(a->ca));
}
static chy_hresult p_suffix(const struct asked *a, chy_variant *out)
{
    (void)a;
    return chy_variant_set_str(out, "", 0); /* the first certificate and key have none */
}
static chy_hresult p_cert(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_bytes(out, a->ca->cert_der.p, a->ca->cert_der.n);
}
static chy_hresult p_no_file(const struct asked *a, chy_variant *out)
{
    (void)a;
    (void)out;
    return CHY_ERROR_FILE_NOT_FOUND;
}
static chy_hresult p_host(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->host);
}
static chy_hresult p_location(const struct asked *a, chy_variant *out)
{
    return text(out, a->location);
}
static chy_hresult p_sanitized(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->sanitized);
}
static chy_hresult p_short(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->short_name);
}
static chy_hresult p_folder(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->dir);
}
static chy_hresult p_access(const struct asked *a, chy_variant *out)
{
    if (!a->request) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_long(out, (a->request->caller_access & CHY_CA_ACCESS_ENROLL) != 0);
}

static const struct {
    const char *name;
    chy_long type;
    bool indexed;
    chy_hresult (*get)(const struct asked *a, chy_variant *out);
} ca_props[] = {
    {"CAType", CHY_PROPTYPE_LONG, false, p_type},
    {"CertCount", CHY_PROPTYPE_LONG, false, p_one},
    {"CertState", CHY_PROPTYPE_LONG, true, p_state},
    {"CertSuffix", CHY_PROPTYPE_STRING, true, p_suffix},
    {"CRLIndex", CHY_PROPTYPE_LONG, true, p_zero},
    {"CRLState", CHY_PROPTYPE_LONG, true, p_crl_state},
    {"CRLSuffix", CHY_PROPTYPE_STRING, true, p_suffix},
    {"RawCACertificate", CHY_PROPTYPE_BINARY, true, p_cert},
    {"RawCRL", CHY_PROPTYPE_BINARY, true, p_no_file},
    {"RawDeltaCRL", CHY_PROPTYPE_BINARY, true, p_no_file},
    {"fUseDS", CHY_PROPTYPE_LONG, false, p_zero},
    {"fDeltaCRLsDisabled", CHY_PROPTYPE_LONG, false, p_one},
    {"fServerUpgraded", CHY_PROPTYPE_LONG, false, p_zero},
    {"VolatileMode", CHY_PROPTYPE_LONG, false, p_zero},
    {"MachineDNSName", CHY_PROPTYPE_STRING, false, p_host},
    {"ModuleRegistryLocation", CHY_PROPTYPE_STRING, false, p_location},
    {"RequesterCAAccess", CHY_PROPTYPE_LONG, false, p_access},
    {"SanitizedCAName", CHY_PROPTYPE_STRING, false, p_sanitized},
    {"SanitizedShortName", CHY_PROPTYPE_STRING, false, p_short},
    {"ConfigurationDirectory", CHY_PROPTYPE_STRING, false, p_folder},
};

/* "CertState.0": the only certificate index there is; any other has no value. */
static bool name_matches(const char *known, bool indexed, const char *name, bool *bad_index)
{
    size_t n = strlen(known);
    if (strncasecmp(known, name, n) != 0) return false;
    if (!name[n]) return true;
    if (!indexed || name[n] != '.') return false;
    *bad_index = strcmp(name + n, ".0") != 0;
    return true;
}

chy_hresult chy_props_ca(struct chy_ca *ca, struct chy_request *r, const char *location,
                         const char *name, chy_long type, chy_variant *out)
{
    struct asked a = {ca, r, location};
    bool bad_index = false;
    for (size_t i = 0; i < CHY_ARRAY_LEN(ca_props); i++) {
        if (!name_matches(ca_props[i].name, ca_props[i].indexed, name, &bad_index)) continue;
        if (bad_index) return CHY_CERTSRV_E_PROPERTY_EMPTY;
        if ((type & CHY_PROPTYPE_MASK) != ca_props[i].type) return CHY_E_INVALIDARG;
        return ca_props[i].get(&a, out);
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

/* ---- by number, for clients ---- */
static chy_hresult module_description(struct chy_instance *i, chy_variant *out)
{
    struct chy_buf b;
    chy_buf_init(&b, 4096);
    chy_hresult hr = i ? chy_instance_description(i, &b, NULL) : CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (hr == CHY_S_OK) hr = chy_variant_set_str(out, b.p, b.n);
    chy_buf_free(&b);
    return hr;
}

static chy_hresult urls(chy_variant *out, char *const *url, size_t n)
{
    struct chy_buf b;
    chy_buf_init(&b, 65536);
    for (size_t i = 0; i < n; i++)
        chy_buf_addf(&b, "%s%s", i ? "\n" : "", url[i]);
    chy_hresult hr = chy_variant_set_str(out, b.p ? (const char *)b.p : "", b.n);
    chy_buf_free(&b);
    return hr;
}

struct client_prop {
    chy_long id, type;
    bool indexed;
};
static const struct client_prop client_props[] = {
    {CHY_CR_PROP_FILEVERSION, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_PRODUCTVERSION, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_EXITCOUNT, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_EXITDESCRIPTION, CHY_PROPTYPE_STRING, true},
    {CHY_CR_PROP_POLICYDESCRIPTION, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_CANAME, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_SANITIZEDCANAME, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_SHAREDFOLDER, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_PARENTCA, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_CATYPE, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_CASIGCERTCOUNT, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_CASIGCERT, CHY_PROPTYPE_BINARY, true},
    {CHY_CR_PROP_CACERTSTATE, CHY_PROPTYPE_LONG, true},
    {CHY_CR_PROP_CRLSTATE, CHY_PROPTYPE_LONG, true},
    {CHY_CR_PROP_CAPROPIDMAX, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_DNSNAME, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_ROLESEPARATIONENABLED, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_KRACERTUSEDCOUNT, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_KRACERTCOUNT, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_ADVANCEDSERVER, CHY_PROPTYPE_LONG, false},
    {CHY_CR_PROP_CACERTVERSION, CHY_PROPTYPE_LONG, true},
    {CHY_CR_PROP_SANITIZEDCASHORTNAME, CHY_PROPTYPE_STRING, false},
    {CHY_CR_PROP_CERTCDPURLS, CHY_PROPTYPE_STRING, true},
    {CHY_CR_PROP_CERTAIAURLS, CHY_PROPTYPE_STRING, true},
    {CHY_CR_PROP_CERTAIAOCSPURLS, CHY_PROPTYPE_STRING, true},
    {CHY_CR_PROP_LOCALENAME, CHY_PROPTYPE_STRING, false},
};

static chy_hresult url_property(struct chy_ca *ca, chy_long id, chy_variant *out)
{
    struct chy_settings *s = chy_settings_get(ca);
    chy_hresult hr = id == CHY_CR_PROP_CERTCDPURLS   ? urls(out, s->cdp, s->n_cdp)
                     : id == CHY_CR_PROP_CERTAIAURLS ? urls(out, s->aia, s->n_aia)
                                                     : urls(out, s->ocsp, s->n_ocsp);
    chy_settings_unref(s);
    return hr;
}

static chy_hresult number_property(struct chy_ca *ca, chy_long id, chy_variant *out)
{
    switch (id) {
    case CHY_CR_PROP_EXITCOUNT: return chy_variant_set_long(out, (chy_long)ca->n_exits);
    case CHY_CR_PROP_CATYPE: return chy_variant_set_long(out, ca_type(ca));
    case CHY_CR_PROP_CASIGCERTCOUNT: return chy_variant_set_long(out, 1);
    case CHY_CR_PROP_CACERTSTATE:
    case CHY_CR_PROP_CRLSTATE: return chy_variant_set_long(out, cert_state(ca));
    case CHY_CR_PROP_CAPROPIDMAX: return chy_variant_set_long(out, CHY_CR_PROP_LOCALENAME);
    case CHY_CR_PROP_ADVANCEDSERVER: return chy_variant_set_long(out, 1);
    default: return chy_variant_set_long(out, 0); /* role separation, key recovery: not in use */
    }
}

static chy_hresult text_property(struct chy_ca *ca, chy_long id, chy_long index, chy_variant *out)
{
    switch (id) {
    case CHY_CR_PROP_FILEVERSION:
    case CHY_CR_PROP_PRODUCTVERSION: return text(out, CHY_VERSION);
    case CHY_CR_PROP_EXITDESCRIPTION:
        return index < (chy_long)ca->n_exits ? module_description(ca->exits[index].instance, out)
                                             : CHY_E_INVALIDARG;
    case CHY_CR_PROP_POLICYDESCRIPTION: return module_description(ca->policy, out);
    case CHY_CR_PROP_CANAME: return text(out, ca->name);
    case CHY_CR_PROP_SANITIZEDCANAME: return text(out, ca->sanitized);
    case CHY_CR_PROP_SANITIZEDCASHORTNAME: return text(out, ca->short_name);
    case CHY_CR_PROP_DNSNAME: return text(out, ca->host);
    case CHY_CR_PROP_LOCALENAME: return text(out, "en-US");
    case CHY_CR_PROP_CERTCDPURLS:
    case CHY_CR_PROP_CERTAIAURLS:
    case CHY_CR_PROP_CERTAIAOCSPURLS: return url_property(ca, id, out);
    default: return chy_variant_set_str(out, "", 0); /* no shared folder; a root has no parent */
    }
}

chy_hresult chy_ca_property(struct chy_ca *ca, chy_long id, chy_long index, chy_long type,
                            chy_variant *out, struct chy_err *err)
{
    const struct client_prop *p = NULL;
    for (size_t i = 0; i < CHY_ARRAY_LEN(client_props) && !p; i++) {
        if (client_props[i].id == id) p = &client_props[i];
    }
    if (!p)
        return chy_fail(err, CHY_E_INVALIDARG, "CA property %d: there is none of that number here",
                        id);
    if ((type & CHY_PROPTYPE_MASK) != p->type) {
        return chy_fail(err, CHY_E_INVALIDARG, "CA property %d: its type is %d, not %d", id,
                        p->type, type);
    }
    if (index == -1) index = 0;
    bool exits = id == CHY_CR_PROP_EXITDESCRIPTION;
    if (index < 0 || (!p->indexed && index != 0) || (p->indexed && !exits && index != 0)) {
        return chy_fail(err, CHY_E_INVALIDARG, "CA property %d: no index %d", id, index);
    }
    chy_hresult hr = p->type == CHY_PROPTYPE_LONG ? number_property(ca, id, out)
                     : p->type == CHY_PROPTYPE_BINARY
                         ? chy_variant_set_bytes(out, ca->cert_der.p, ca->cert_der.n)
                         : text_property(ca, id, index, out);
    return hr == CHY_S_OK ? hr : chy_fail(err, hr, "CA property %d has no value", id);
}
