#include "exec/describe.h"

#include <string.h>

#include "exec/names.h"
#include "exec/settings.h"
#include "exec/value.h"

/* Values of extensions beyond this sum are left for callbacks, so that the line keeps its bound. */
enum { VALUES_MAX = 256 * 1024 };

struct property {
    int of;
    chy_long type;
    const char *name;
};

#define REQUEST_TEXT(name)                                                                         \
    {                                                                                              \
        CHY_OF_REQUEST, CHY_PROPTYPE_STRING, name                                                  \
    }
#define REQUEST_LONG(name)                                                                         \
    {                                                                                              \
        CHY_OF_REQUEST, CHY_PROPTYPE_LONG, name                                                    \
    }
#define REQUEST_DATE(name)                                                                         \
    {                                                                                              \
        CHY_OF_REQUEST, CHY_PROPTYPE_DATE, name                                                    \
    }
#define CERT_TEXT(name)                                                                            \
    {                                                                                              \
        CHY_OF_CERTIFICATE, CHY_PROPTYPE_STRING, name                                              \
    }
#define CERT_LONG(name)                                                                            \
    {                                                                                              \
        CHY_OF_CERTIFICATE, CHY_PROPTYPE_LONG, name                                                \
    }
#define CERT_DATE(name)                                                                            \
    {                                                                                              \
        CHY_OF_CERTIFICATE, CHY_PROPTYPE_DATE, name                                                \
    }
#define CERT_OCTETS(name)                                                                          \
    {                                                                                              \
        CHY_OF_CERTIFICATE, CHY_PROPTYPE_BINARY, name                                              \
    }

static const struct property of_request[] = {
    REQUEST_LONG("RequestID"), REQUEST_TEXT("RequesterName"), REQUEST_TEXT("CallerName"),
    REQUEST_DATE("SubmittedWhen"), REQUEST_TEXT("DistinguishedName")};
/* An exit module sees how it came out. */
static const struct property of_outcome[] = {
    REQUEST_LONG("Disposition"),  REQUEST_TEXT("DispositionMessage"),
    REQUEST_LONG("StatusCode"),   REQUEST_DATE("ResolvedWhen"),
    REQUEST_DATE("RevokedWhen"),  REQUEST_DATE("RevokedEffectiveWhen"),
    REQUEST_LONG("RevokedReason")};
static const struct property of_certificate[] = {CERT_DATE("NotBefore"),
                                                 CERT_DATE("NotAfter"),
                                                 CERT_TEXT("PublicKeyAlgorithm"),
                                                 CERT_LONG("PublicKeyLength"),
                                                 CERT_TEXT("CertificateTemplate"),
                                                 CERT_TEXT("CommonName"),
                                                 CERT_TEXT("Country"),
                                                 CERT_TEXT("Organization"),
                                                 CERT_TEXT("OrgUnit"),
                                                 CERT_TEXT("Locality"),
                                                 CERT_TEXT("State"),
                                                 CERT_TEXT("StreetAddress"),
                                                 CERT_TEXT("Title"),
                                                 CERT_TEXT("GivenName"),
                                                 CERT_TEXT("Initials"),
                                                 CERT_TEXT("SurName"),
                                                 CERT_TEXT("DomainComponent"),
                                                 CERT_TEXT("EMail"),
                                                 CERT_TEXT("UnstructuredName"),
                                                 CERT_TEXT("UnstructuredAddress"),
                                                 CERT_TEXT("DeviceSerialNumber")};
static const struct property of_issued[] = {
    CERT_TEXT("SerialNumber"), CERT_TEXT("CertificateHash"), CERT_TEXT("DistinguishedName"),
    CERT_TEXT("SubjectKeyIdentifier"), CERT_OCTETS("RawCertificate")};
static const struct property of_ca[] = {CERT_TEXT("SanitizedCAName"), CERT_TEXT("MachineDNSName"),
                                        CERT_LONG("CAType"), CERT_OCTETS("RawCACertificate")};
static const struct property of_event[] = {{CHY_OF_REQUEST, CHY_PROPTYPE_STRING, "EventID"},
                                           {CHY_OF_REQUEST, CHY_PROPTYPE_DATE, "EventTime"},
                                           {CHY_OF_REQUEST, CHY_PROPTYPE_LONG, "EventAttempt"}};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static chy_hresult add_property(chy_task *task, struct kit_text *t, const struct property *p)
{
    chy_variant v;
    chy_hresult hr = chy_get(task, p->of, p->name, p->type, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return hr;
    value_add_key(t, p->name);
    value_add(t, &v);
    task->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult add_properties(chy_task *task, struct kit_text *t, const struct property *p,
                                  size_t n)
{
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < n && !CHY_FAILED(hr); i++)
        hr = add_property(task, t, &p[i]);
    return hr;
}

chy_hresult describe_ca(chy_task *task, struct kit_text *t)
{
    return add_properties(task, t, of_ca, COUNT(of_ca));
}

/* One bit may stand for two events; the daemon's own word for it is better than ours. */
static chy_hresult add_event_name(chy_task *task, int of, chy_long event, struct kit_text *t)
{
    chy_variant v;
    chy_hresult hr = chy_get(task, of, "EventName", CHY_PROPTYPE_STRING, &v);
    value_add_key(t, "event");
    if (hr == CHY_S_OK)
        value_add(t, &v);
    else
        kit_addf(t, "\"%s\"", exec_event_name(event));
    task->host->vt->variant_clear(&v);
    return hr == CHY_E_OUTOFMEMORY ? hr : CHY_S_OK;
}

/* An event about no request has its properties at context 0, where only certificates' are asked
 * for. */
chy_hresult describe_event(chy_task *task, chy_long event, struct kit_text *t)
{
    int of = task->context ? CHY_OF_REQUEST : CHY_OF_CERTIFICATE;
    chy_hresult hr = add_event_name(task, of, event, t);
    value_add_key(t, "mask");
    kit_addf(t, "%d", (int)event);
    for (size_t i = 0; i < COUNT(of_event) && hr != CHY_E_OUTOFMEMORY; i++) {
        struct property p = of_event[i];
        p.of = of;
        hr = add_property(task, t, &p);
    }
    return hr == CHY_E_OUTOFMEMORY ? hr : CHY_S_OK;
}

static chy_hresult add_attribute(chy_task *task, const char *name, void *arg)
{
    struct kit_text *t = arg;
    chy_str v = {NULL, 0};
    chy_hresult hr = task->policy.vt
                         ? task->policy.vt->get_request_attribute(task->policy.self, name, &v)
                         : task->exit.vt->get_request_attribute(task->exit.self, name, &v);
    if (CHY_FAILED(hr)) return hr;
    value_add_key(t, name);
    kit_add_json(t, v.p, v.n);
    task->host->vt->free(v.p);
    return CHY_S_OK;
}

static chy_hresult add_extension(chy_task *task, const char *oid, void *arg)
{
    struct kit_text *t = arg;
    chy_bytes v;
    chy_long flags;
    chy_hresult hr = chy_extension_bytes(task, oid, &v, &flags);
    if (CHY_FAILED(hr)) return hr;
    kit_add_str(t, t->n && t->p[t->n - 1] == '[' ? "{" : ",{");
    value_add_key(t, "oid");
    kit_add_json(t, oid, strlen(oid));
    kit_addf(t, ",\"critical\":%s,\"disabled\":%s,\"origin\":%d",
             flags & CHY_EXTENSION_CRITICAL_FLAG ? "true" : "false",
             flags & CHY_EXTENSION_DISABLE_FLAG ? "true" : "false",
             (int)((flags & CHY_EXTENSION_ORIGIN_MASK) >> 16));
    if (t->n + v.n * 4 / 3 < VALUES_MAX) {
        kit_add_str(t, ",\"value\":\"");
        kit_add_base64(t, v.p, v.n);
        kit_add_str(t, "\"");
    }
    kit_add_str(t, "}");
    chy_bytes_free(task->host, &v);
    return CHY_S_OK;
}

static int is_issued(chy_task *task)
{
    chy_bytes v;
    if (CHY_FAILED(chy_cert_bytes(task, "RawCertificate", &v))) return 0;
    chy_bytes_free(task->host, &v);
    return 1;
}

/* Of what was issued no names that were only asked for. */
static chy_hresult add_names(chy_task *task, struct kit_text *t)
{
    chy_bytes v = {0};
    chy_long flags = 0;
    chy_hresult hr = chy_extension_bytes(task, "2.5.29.17", &v, &flags);
    bool absent = hr == CHY_CERTSRV_E_PROPERTY_EMPTY;
    value_add_key(t, "names");
    if (CHY_FAILED(hr) && !absent) return hr;
    if (absent || (flags & CHY_EXTENSION_DISABLE_FLAG && is_issued(task)))
        kit_add_str(t, "[]");
    else
        names_add(t, v.p, v.n);
    if (!absent) chy_bytes_free(task->host, &v);
    return CHY_S_OK;
}

static chy_hresult add_objects(chy_task *task, struct kit_text *t)
{
    bool is_exit = !task->policy.vt;
    value_add_key(t, "request");
    kit_add_str(t, "{");
    chy_hresult hr = add_properties(task, t, of_request, COUNT(of_request));
    if (!CHY_FAILED(hr) && is_exit) hr = add_properties(task, t, of_outcome, COUNT(of_outcome));
    kit_add_str(t, "}");
    value_add_key(t, "certificate");
    kit_add_str(t, "{");
    if (!CHY_FAILED(hr)) hr = add_properties(task, t, of_certificate, COUNT(of_certificate));
    if (!CHY_FAILED(hr) && is_exit) hr = add_properties(task, t, of_issued, COUNT(of_issued));
    kit_add_str(t, "}");
    return hr;
}

/* Repeated names would be read in two ways, so the list has each attribute as the server finds it.
 */
chy_hresult describe_request(chy_task *task, struct kit_text *t)
{
    chy_hresult hr = add_objects(task, t);
    value_add_key(t, "attributes");
    kit_add_str(t, "{");
    if (!CHY_FAILED(hr)) hr = chy_each_attribute(task, add_attribute, t);
    kit_add_str(t, "}");
    if (!CHY_FAILED(hr)) hr = add_names(task, t);
    value_add_key(t, "extensions");
    kit_add_str(t, "[");
    if (!CHY_FAILED(hr)) hr = chy_each_extension(task, add_extension, t);
    kit_add_str(t, "]");
    return hr;
}
