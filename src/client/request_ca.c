/* ICertRequest about the CA: its certificate, its properties. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/objects.h"

static const struct {
    chy_long id, type;
    bool indexed;
    const char *label;
} props[] = {
    {CHY_CR_PROP_FILEVERSION, CHY_PROPTYPE_STRING, false, "File version"},
    {CHY_CR_PROP_PRODUCTVERSION, CHY_PROPTYPE_STRING, false, "Product version"},
    {CHY_CR_PROP_EXITCOUNT, CHY_PROPTYPE_LONG, false, "Exit module count"},
    {CHY_CR_PROP_EXITDESCRIPTION, CHY_PROPTYPE_STRING, true, "Exit module description"},
    {CHY_CR_PROP_POLICYDESCRIPTION, CHY_PROPTYPE_STRING, false, "Policy module description"},
    {CHY_CR_PROP_CANAME, CHY_PROPTYPE_STRING, false, "CA name"},
    {CHY_CR_PROP_SANITIZEDCANAME, CHY_PROPTYPE_STRING, false, "Sanitized CA name"},
    {CHY_CR_PROP_SHAREDFOLDER, CHY_PROPTYPE_STRING, false, "Shared folder"},
    {CHY_CR_PROP_PARENTCA, CHY_PROPTYPE_STRING, false, "Parent CA name"},
    {CHY_CR_PROP_CATYPE, CHY_PROPTYPE_LONG, false, "CA type"},
    {CHY_CR_PROP_CASIGCERTCOUNT, CHY_PROPTYPE_LONG, false, "CA certificate count"},
    {CHY_CR_PROP_CASIGCERT, CHY_PROPTYPE_BINARY, true, "CA certificate"},
    {CHY_CR_PROP_CASIGCERTCHAIN, CHY_PROPTYPE_BINARY, true, "CA certificate chain"},
    {CHY_CR_PROP_CAXCHGCERTCOUNT, CHY_PROPTYPE_LONG, false, "CA exchange certificate count"},
    {CHY_CR_PROP_CAXCHGCERT, CHY_PROPTYPE_BINARY, true, "CA exchange certificate"},
    {CHY_CR_PROP_CAXCHGCERTCHAIN, CHY_PROPTYPE_BINARY, true, "CA exchange certificate chain"},
    {CHY_CR_PROP_BASECRL, CHY_PROPTYPE_BINARY, true, "Base CRL"},
    {CHY_CR_PROP_DELTACRL, CHY_PROPTYPE_BINARY, true, "Delta CRL"},
    {CHY_CR_PROP_CACERTSTATE, CHY_PROPTYPE_LONG, true, "CA certificate state"},
    {CHY_CR_PROP_CRLSTATE, CHY_PROPTYPE_LONG, true, "CRL state"},
    {CHY_CR_PROP_CAPROPIDMAX, CHY_PROPTYPE_LONG, false, "Maximum property number"},
    {CHY_CR_PROP_DNSNAME, CHY_PROPTYPE_STRING, false, "DNS name"},
    {CHY_CR_PROP_ROLESEPARATIONENABLED, CHY_PROPTYPE_LONG, false, "Role separation enabled"},
    {CHY_CR_PROP_KRACERTUSEDCOUNT, CHY_PROPTYPE_LONG, false, "KRA certificates used"},
    {CHY_CR_PROP_KRACERTCOUNT, CHY_PROPTYPE_LONG, false, "KRA certificate count"},
    {CHY_CR_PROP_KRACERT, CHY_PROPTYPE_BINARY, true, "KRA certificate"},
    {CHY_CR_PROP_KRACERTSTATE, CHY_PROPTYPE_LONG, true, "KRA certificate state"},
    {CHY_CR_PROP_ADVANCEDSERVER, CHY_PROPTYPE_LONG, false, "Advanced server"},
    {CHY_CR_PROP_TEMPLATES, CHY_PROPTYPE_STRING, false, "Certificate templates"},
    {CHY_CR_PROP_BASECRLPUBLISHSTATUS, CHY_PROPTYPE_LONG, true, "Base CRL publish status"},
    {CHY_CR_PROP_DELTACRLPUBLISHSTATUS, CHY_PROPTYPE_LONG, true, "Delta CRL publish status"},
    {CHY_CR_PROP_CASIGCERTCRLCHAIN, CHY_PROPTYPE_BINARY, true, "CA certificate chain with CRLs"},
    {CHY_CR_PROP_CAXCHGCERTCRLCHAIN, CHY_PROPTYPE_BINARY, true,
     "CA exchange certificate chain with CRLs"},
    {CHY_CR_PROP_CACERTSTATUSCODE, CHY_PROPTYPE_LONG, true, "CA certificate status"},
    {CHY_CR_PROP_CAFORWARDCROSSCERT, CHY_PROPTYPE_BINARY, true, "Forward cross certificate"},
    {CHY_CR_PROP_CABACKWARDCROSSCERT, CHY_PROPTYPE_BINARY, true, "Backward cross certificate"},
    {CHY_CR_PROP_CAFORWARDCROSSCERTSTATE, CHY_PROPTYPE_LONG, true,
     "Forward cross certificate state"},
    {CHY_CR_PROP_CABACKWARDCROSSCERTSTATE, CHY_PROPTYPE_LONG, true,
     "Backward cross certificate state"},
    {CHY_CR_PROP_CACERTVERSION, CHY_PROPTYPE_LONG, true, "CA certificate version"},
    {CHY_CR_PROP_SANITIZEDCASHORTNAME, CHY_PROPTYPE_STRING, false, "Sanitized CA short name"},
    {CHY_CR_PROP_CERTCDPURLS, CHY_PROPTYPE_STRING, true, "CRL distribution point URLs"},
    {CHY_CR_PROP_CERTAIAURLS, CHY_PROPTYPE_STRING, true, "Authority information access URLs"},
    {CHY_CR_PROP_CERTAIAOCSPURLS, CHY_PROPTYPE_STRING, true, "OCSP URLs"},
    {CHY_CR_PROP_LOCALENAME, CHY_PROPTYPE_STRING, false, "Locale name"},
    {CHY_CR_PROP_SUBJECTTEMPLATE_OIDS, CHY_PROPTYPE_STRING, false, "Subject template OIDs"},
};

static int find_prop(chy_long id)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(props); i++) {
        if (props[i].id == id) return (int)i;
    }
    return -1;
}

chy_hresult chy_fetch_chain(struct chy_request_self *r, const char *ca, struct chy_span first_der,
                            struct chy_buf *out)
{
    struct chy_buf path;
    const struct chy_httpc_answer *a = NULL;
    chy_buf_init(&path, 4096);
    chy_path_begin(&path, ca);
    chy_buf_add_str(&path, ca ? "/cert" : "/ca/cert");
    struct chy_ask ask = {.path = chy_buf_cstr(&path),
                          .accept = "application/pem-certificate-chain"};
    chy_hresult hr = chy_buf_done(&path, "path", &r->err);
    if (hr == CHY_S_OK) hr = chy_session_ask(r->session, &ask, &a, &r->err);
    if (hr == CHY_S_OK) hr = chy_session_problem(a, &r->err);
    if (hr == CHY_S_OK) hr = chy_pkcs7_of_pem(first_der, chy_buf_span(&a->body), out, &r->err);
    chy_buf_free(&path);
    return hr;
}

static chy_hresult fetch_cert(struct chy_request_self *r, const char *ca, struct chy_buf *out)
{
    struct chy_buf path;
    const struct chy_httpc_answer *a = NULL;
    chy_buf_init(&path, 4096);
    chy_path_begin(&path, ca);
    chy_buf_add_str(&path, ca ? "/cert" : "/ca/cert");
    struct chy_ask ask = {.path = chy_buf_cstr(&path), .accept = "application/pkix-cert"};
    chy_hresult hr = chy_buf_done(&path, "path", &r->err);
    if (hr == CHY_S_OK) hr = chy_session_ask(r->session, &ask, &a, &r->err);
    if (hr == CHY_S_OK) hr = chy_session_problem(a, &r->err);
    if (hr == CHY_S_OK) chy_buf_add_span(out, chy_buf_span(&a->body));
    chy_buf_free(&path);
    return hr == CHY_S_OK ? chy_buf_done(out, "certificate", &r->err) : hr;
}

chy_hresult chy_request_get_ca_certificate(void *self, chy_long exchange, const char *config,
                                           chy_long flags, chy_bytes *out)
{
    struct chy_request_self *r = self;
    char *ca = NULL;
    struct chy_buf der;
    bool chain = flags & CHY_CR_OUT_CHAIN;
    chy_err_clear(&r->err);
    if (!out) return CHY_E_POINTER;
    *out = (chy_bytes){0};
    if (exchange || flags & CHY_CR_OUT_CRLS)
        return chy_fail(&r->err, CHY_ERROR_NOT_SUPPORTED, "%s",
                        exchange ? "this CA has no exchange certificate"
                                 : "CRLs do not come with a certificate here");
    chy_buf_init(&der, CHY_HTTPC_BODY_MAX);
    chy_hresult hr = chy_config_ca(config, &ca, &r->err);
    if (hr == CHY_S_OK) {
        hr = chain ? chy_fetch_chain(r, ca, (struct chy_span){0}, &der) : fetch_cert(r, ca, &der);
    }
    if (hr == CHY_S_OK)
        hr = chy_encode_out(flags, chain ? "PKCS7" : "CERTIFICATE", chy_buf_span(&der), out,
                            &r->err);
    r->status = hr;
    chy_free(ca);
    chy_buf_free(&der);
    return hr;
}

static chy_hresult binary_out(struct chy_request_self *r, chy_long flags, const char *label,
                              struct chy_span der, chy_variant *out)
{
    chy_bytes b;
    chy_hresult hr = chy_encode_out(flags, label, der, &b, &r->err);
    if (hr != CHY_S_OK) return hr;
    if ((flags & CHY_CR_OUT_ENCODEMASK) == CHY_CR_OUT_BINARY) {
        out->vt = CHY_VT_BYTES;
        out->u.b = b;
    } else {
        out->vt = CHY_VT_STR;
        out->u.s = (chy_str){(char *)b.p, b.n};
    }
    return CHY_S_OK;
}

static chy_hresult value_out(struct chy_request_self *r, const cJSON *v, chy_long type,
                             chy_long flags, chy_variant *out)
{
    int64_t number;
    const char *text = chy_json_str(v, "string", NULL), *base64 = chy_json_str(v, "binary", NULL);
    if (type == CHY_PROPTYPE_LONG && chy_json_int(v, "long", &number, NULL)) {
        out->vt = CHY_VT_LONG;
        out->u.l = (chy_long)number;
        return CHY_S_OK;
    }
    if (type == CHY_PROPTYPE_STRING && text) {
        out->vt = CHY_VT_STR;
        chy_hresult hr = chy_out_str(&out->u.s, text, strlen(text));
        if (hr != CHY_S_OK) *out = (chy_variant){0};
        return hr;
    }
    if (type != CHY_PROPTYPE_BINARY || !base64)
        return chy_fail(&r->err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no value");
    struct chy_buf der;
    chy_buf_init(&der, CHY_HTTPC_BODY_MAX);
    chy_hresult hr = chy_base64_decode(&der, chy_span_cstr(base64))
                         ? binary_out(r, flags, "CERTIFICATE", chy_buf_span(&der), out)
                         : chy_fail(&r->err, CHY_ERROR_INVALID_DATA, "the daemon's base64 is bad");
    chy_buf_free(&der);
    return hr;
}

static chy_hresult ask_property(struct chy_request_self *r, const char *ca, chy_long id,
                                chy_long index, chy_long type, chy_long flags, chy_variant *out)
{
    struct chy_buf path;
    cJSON *v = NULL;
    chy_buf_init(&path, 4096);
    chy_path_begin(&path, ca);
    chy_buf_addf(&path, "/property/%d?index=%d&type=%d", id, index, type);
    struct chy_ask ask = {.path = chy_buf_cstr(&path)};
    chy_hresult hr = chy_buf_done(&path, "path", &r->err);
    if (hr == CHY_S_OK) hr = chy_session_json(r->session, &ask, &v, &r->err);
    if (hr == CHY_S_OK) hr = value_out(r, v, type, flags, out);
    cJSON_Delete(v);
    chy_buf_free(&path);
    return hr;
}

static chy_hresult chain_property(struct chy_request_self *r, const char *ca, chy_long flags,
                                  chy_variant *out)
{
    struct chy_buf der;
    chy_buf_init(&der, CHY_HTTPC_BODY_MAX);
    chy_hresult hr = chy_fetch_chain(r, ca, (struct chy_span){0}, &der);
    if (hr == CHY_S_OK) hr = binary_out(r, flags, "PKCS7", chy_buf_span(&der), out);
    chy_buf_free(&der);
    return hr;
}

chy_hresult chy_request_get_ca_property(void *self, const char *config, chy_long id, chy_long index,
                                        chy_long type, chy_long flags, chy_variant *out)
{
    struct chy_request_self *r = self;
    char *ca = NULL;
    int at = find_prop(id);
    chy_err_clear(&r->err);
    if (!out) return CHY_E_POINTER;
    *out = (chy_variant){0};
    if (at < 0 || (type & CHY_PROPTYPE_MASK) != props[at].type ||
        (index != 0 && (!props[at].indexed || index < -1)))
        return chy_fail(&r->err, CHY_E_INVALIDARG, "CA property %d: no such number, type or index",
                        id);
    chy_hresult hr = chy_config_ca(config, &ca, &r->err);
    if (hr == CHY_S_OK && id == CHY_CR_PROP_CASIGCERTCHAIN) {
        hr = index > 0
                 ? chy_fail(&r->err, CHY_E_INVALIDARG, "CA property %d: no index %d", id, index)
                 : chain_property(r, ca, flags, out);
    } else if (hr == CHY_S_OK) {
        hr = ask_property(r, ca, id, index, props[at].type, flags, out);
    }
    chy_free(ca);
    return hr;
}

chy_hresult chy_request_get_ca_property_flags(void *self, const char *config, chy_long id,
                                              chy_long *flags)
{
    struct chy_request_self *r = self;
    int at = find_prop(id);
    (void)config;
    chy_err_clear(&r->err);
    if (!flags) return CHY_E_POINTER;
    if (at < 0) return chy_fail(&r->err, CHY_E_INVALIDARG, "CA property %d: no such number", id);
    *flags = props[at].type | (props[at].indexed ? CHY_PROPFLAGS_INDEXED : 0);
    return CHY_S_OK;
}

chy_hresult chy_request_get_ca_property_display_name(void *self, const char *config, chy_long id,
                                                     chy_str *out)
{
    struct chy_request_self *r = self;
    int at = find_prop(id);
    (void)config;
    chy_err_clear(&r->err);
    if (!out) return CHY_E_POINTER;
    if (at < 0) return chy_fail(&r->err, CHY_E_INVALIDARG, "CA property %d: no such number", id);
    return chy_out_str(out, props[at].label, strlen(props[at].label));
}
