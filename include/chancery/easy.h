/* Chancery modules made easy: everything here is inline, over the tables of module.h.
 *
 * An author writes two functions, one that reads the settings and one that does the work, and names
 * them in CHY_EXIT_MODULE or CHY_POLICY_MODULE at the end of the file. Both functions get a
 * chy_task: whom to ask, and the author's own state.
 *
 *     static chy_hresult init(chy_task *task, chy_long *events);     exit: which events
 *     static chy_hresult notify(chy_task *task, chy_long event);     exit: one event
 *     static chy_hresult init(chy_task *task);                       policy
 *     static chy_long verify(chy_task *task);                        policy: CHY_VR_…, or a failure
 *
 * Getters copy into the caller's array and leave an empty text where they fail: nothing to free.
 * Setters remember the first that failed: a policy that answers "issue" after a failed setter
 * denies with that failure's number, so their results need no look. The state is zeroed before
 * init. It needs no lock: the calls of one module come one at a time. When an administrator asks
 * for a refresh, init runs on a fresh state, which replaces the old one if init succeeds.
 */
#ifndef CHANCERY_EASY_H
#define CHANCERY_EASY_H

#include <chancery/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One call of a module, seen from inside of it. One of policy and exit is filled in. */
typedef struct chy_task {
    const chy_host *host;
    void *state;
    chy_server_policy policy;
    chy_server_exit exit;
    chy_long context;   /* 0 in init, and for events that are about no request */
    chy_long is_new;    /* policy: 0 when an administrator resubmitted the request */
    chy_hresult failed; /* the first setter that failed */
} chy_task;

/* ---- text ---- */

static inline size_t chy_text_length(const char *s)
{
    size_t n = 0;
    while (s && s[n])
        n++;
    return n;
}

static inline char chy_text_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* ASCII letters compare without case, as all names of properties and methods do. */
static inline int chy_text_same(const char *a, const char *b)
{
    while (*a && chy_text_lower(*a) == chy_text_lower(*b))
        a++, b++;
    return chy_text_lower(*a) == chy_text_lower(*b);
}

/* Copies counted text. What does not fit, or has a NUL of its own, is refused: a name that was cut
 * would be another name. */
static inline chy_hresult chy_text_copy(char *out, size_t size, const char *p, size_t n)
{
    if (!out || !size) return CHY_E_POINTER;
    out[0] = 0;
    if (n >= size) return CHY_CERTSRV_E_ENCODING_LENGTH;
    for (size_t i = 0; i < n; i++) {
        if (!p[i]) {
            out[0] = 0;
            return CHY_ERROR_INVALID_DATA;
        }
        out[i] = p[i];
    }
    out[n] = 0;
    return CHY_S_OK;
}

/* Makes text fit for one line of a file or log: control characters become '?'. */
static inline char *chy_text_one_line(char *s)
{
    for (char *c = s; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    }
    return s;
}

/* RFC 1123 2.1: labels of letters, digits and inner hyphens, 63 at most, 253 in all. */
static inline int chy_is_host_name(const char *s)
{
    size_t label = 0, n = 0;
    for (; s[n]; n++) {
        if (n == 253) return 0;
        char c = chy_text_lower(s[n]);
        int letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        int ends = !s[n + 1] || s[n + 1] == '.';
        if (c == '.' && label) {
            label = 0;
        } else if ((letter || (c == '-' && label && !ends)) && label < 63) {
            label++;
        } else {
            return 0;
        }
    }
    return label > 0;
}

/* 1 when name is a host name with at least one label in front of domain. */
static inline int chy_is_below(const char *name, const char *domain)
{
    size_t n = chy_text_length(name), d = chy_text_length(domain);
    return d && n > d + 1 && name[n - d - 1] == '.' && chy_text_same(name + n - d, domain) &&
           chy_is_host_name(name);
}

enum { CHY_TIME_TEXT = 24 };

/* "2026-11-21T08:05:00Z"; empty outside of the years 1 to 9999. The days are counted from 1 March
 * of the year 0, so that the leap day is the last of its year. */
static inline void chy_time_text(chy_time t, char out[CHY_TIME_TEXT])
{
    int64_t s = t / 1000000 - (t % 1000000 < 0), days = s / 86400 - (s % 86400 < 0);
    int64_t rest = s - days * 86400, d = days + 719468, era = d / 146097;
    int64_t day = d - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153;
    int64_t part[6] = {year + era * 400 + (month >= 10),
                       month < 10 ? month + 3 : month - 9,
                       day - (153 * month + 2) / 5 + 1,
                       rest / 3600,
                       rest / 60 % 60,
                       rest % 60};
    out[0] = 0;
    if (d < 306 || part[0] > 9999) return;
    size_t n = 0;
    for (int i = 0; i < 6; i++) {
        if (i == 0) out[n++] = (char)('0' + part[0] / 1000);
        if (i == 0) out[n++] = (char)('0' + part[0] / 100 % 10);
        out[n++] = (char)('0' + part[i] / 10 % 10);
        out[n++] = (char)('0' + part[i] % 10);
        out[n++] = "--T::Z"[i];
    }
    out[n] = 0;
}

/* ---- variants ---- */

/* These lend what they are given: good as arguments, never to be cleared. */
static inline chy_variant chy_variant_null(void)
{
    chy_variant v = {CHY_VT_NULL, 0, {0}};
    for (size_t i = 0; i < sizeof v.u.pad; i++)
        v.u.pad[i] = 0;
    return v;
}

static inline chy_variant chy_variant_empty(void)
{
    chy_variant v = chy_variant_null();
    v.vt = CHY_VT_EMPTY;
    return v;
}

static inline chy_variant chy_variant_of_long(chy_long l)
{
    chy_variant v = chy_variant_null();
    v.vt = CHY_VT_LONG;
    v.u.l = l;
    return v;
}

static inline chy_variant chy_variant_of_time(chy_time t)
{
    chy_variant v = chy_variant_null();
    v.vt = CHY_VT_DATE;
    v.u.t = t;
    return v;
}

static inline chy_variant chy_variant_of_text(const char *s)
{
    chy_variant v = chy_variant_null();
    v.vt = CHY_VT_STR;
    v.u.s.p = (char *)(uintptr_t)s; /* an argument is read only; chy_str has no const form */
    v.u.s.n = chy_text_length(s);
    return v;
}

static inline chy_variant chy_variant_of_bytes(const void *p, size_t n)
{
    chy_variant v = chy_variant_null();
    v.vt = CHY_VT_BYTES;
    v.u.b.p = (uint8_t *)(uintptr_t)p;
    v.u.b.n = n;
    return v;
}

/* Text that the receiver frees, as out parameters want it. */
static inline chy_hresult chy_text_give(const chy_host *host, const char *text, chy_str *out)
{
    size_t n = chy_text_length(text);
    if (!out) return CHY_E_POINTER;
    out->n = 0;
    out->p = (char *)host->vt->alloc(n + 1);
    if (!out->p) return CHY_E_OUTOFMEMORY;
    out->n = n;
    return chy_text_copy(out->p, n + 1, text, n);
}

static inline chy_hresult chy_variant_give_text(const chy_host *host, const char *text,
                                                chy_variant *out)
{
    if (!out) return CHY_E_POINTER;
    *out = chy_variant_empty();
    chy_hresult hr = chy_text_give(host, text, &out->u.s);
    if (hr == CHY_S_OK) out->vt = CHY_VT_STR;
    return hr;
}

/* Empties v into what the caller asked for; a value of another type is DISP_E_TYPEMISMATCH. */
static inline chy_hresult chy_variant_take_text(const chy_host *host, chy_variant *v, char *out,
                                                size_t size)
{
    chy_hresult hr = v->vt == CHY_VT_STR ? chy_text_copy(out, size, v->u.s.p, v->u.s.n)
                                         : CHY_DISP_E_TYPEMISMATCH;
    host->vt->variant_clear(v);
    return hr;
}

static inline chy_hresult chy_variant_take_long(const chy_host *host, chy_variant *v, chy_long *out)
{
    int fits = v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL;
    if (fits) *out = v->u.l;
    host->vt->variant_clear(v);
    return fits ? CHY_S_OK : CHY_DISP_E_TYPEMISMATCH;
}

static inline chy_hresult chy_variant_take_time(const chy_host *host, chy_variant *v, chy_time *out)
{
    int fits = v->vt == CHY_VT_DATE;
    if (fits) *out = v->u.t;
    host->vt->variant_clear(v);
    return fits ? CHY_S_OK : CHY_DISP_E_TYPEMISMATCH;
}

/* Free the octets with chy_bytes_free. */
static inline chy_hresult chy_variant_take_bytes(const chy_host *host, chy_variant *v,
                                                 chy_bytes *out)
{
    if (v->vt == CHY_VT_BYTES) {
        *out = v->u.b;
        return CHY_S_OK;
    }
    host->vt->variant_clear(v);
    return CHY_DISP_E_TYPEMISMATCH;
}

static inline void chy_bytes_free(const chy_host *host, chy_bytes *b)
{
    host->vt->free(b->p);
    b->p = NULL;
    b->n = 0;
}

/* ---- settings, log, messages ---- */

/* Without the setting: the fallback. With one of another type or too long: a failure. */
static inline chy_hresult chy_setting_text(const chy_host *host, const char *name,
                                           const char *fallback, char *out, size_t size)
{
    chy_variant v = chy_variant_empty();
    chy_hresult hr = host->vt->get_setting(host->self, name, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY)
        return chy_text_copy(out, size, fallback, chy_text_length(fallback));
    if (size) out[0] = 0;
    return CHY_FAILED(hr) ? hr : chy_variant_take_text(host, &v, out, size);
}

static inline chy_hresult chy_setting_long(const chy_host *host, const char *name,
                                           chy_long fallback, chy_long *out)
{
    chy_variant v = chy_variant_empty();
    chy_hresult hr = host->vt->get_setting(host->self, name, &v);
    *out = fallback;
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    return CHY_FAILED(hr) ? hr : chy_variant_take_long(host, &v, out);
}

static inline void chy_say(const chy_task *task, chy_long severity, const char *text)
{
    task->host->vt->log(task->host->self, severity, text);
}

/* For `return chy_deny(task, CHY_CERTSRV_E_…, "why")` in a policy: the requester reads the text. */
static inline chy_long chy_deny(const chy_task *task, chy_hresult code, const char *text)
{
    if (CHY_HAS(task->host->vt, chy_host_vtbl, set_message))
        (void)task->host->vt->set_message(task->host->self, task->context, text);
    return CHY_FAILED(code) ? code : CHY_VR_INSTANT_BAD;
}

/* ---- reading the request and the certificate ---- */

enum { CHY_OF_REQUEST, CHY_OF_CERTIFICATE };

static inline chy_hresult chy_get(const chy_task *task, int of, const char *name, chy_long type,
                                  chy_variant *out)
{
    *out = chy_variant_empty();
    if (task->policy.vt) {
        const chy_server_policy_vtbl *p = task->policy.vt;
        return of == CHY_OF_REQUEST
                   ? p->get_request_property(task->policy.self, name, type, out)
                   : p->get_certificate_property(task->policy.self, name, type, out);
    }
    if (!task->exit.vt) return CHY_E_UNEXPECTED;
    const chy_server_exit_vtbl *e = task->exit.vt;
    return of == CHY_OF_REQUEST ? e->get_request_property(task->exit.self, name, type, out)
                                : e->get_certificate_property(task->exit.self, name, type, out);
}

static inline chy_hresult chy_get_text(const chy_task *task, int of, const char *name, char *out,
                                       size_t size)
{
    chy_variant v;
    chy_hresult hr = chy_get(task, of, name, CHY_PROPTYPE_STRING, &v);
    if (size) out[0] = 0;
    return CHY_FAILED(hr) ? hr : chy_variant_take_text(task->host, &v, out, size);
}

static inline chy_hresult chy_get_long(const chy_task *task, int of, const char *name,
                                       chy_long *out)
{
    chy_variant v;
    chy_hresult hr = chy_get(task, of, name, CHY_PROPTYPE_LONG, &v);
    *out = 0;
    return CHY_FAILED(hr) ? hr : chy_variant_take_long(task->host, &v, out);
}

static inline chy_hresult chy_get_time(const chy_task *task, int of, const char *name,
                                       chy_time *out)
{
    chy_variant v;
    chy_hresult hr = chy_get(task, of, name, CHY_PROPTYPE_DATE, &v);
    *out = CHY_TIME_DEFAULT;
    return CHY_FAILED(hr) ? hr : chy_variant_take_time(task->host, &v, out);
}

static inline chy_hresult chy_get_bytes(const chy_task *task, int of, const char *name,
                                        chy_bytes *out)
{
    chy_variant v;
    chy_hresult hr = chy_get(task, of, name, CHY_PROPTYPE_BINARY, &v);
    out->p = NULL;
    out->n = 0;
    return CHY_FAILED(hr) ? hr : chy_variant_take_bytes(task->host, &v, out);
}

static inline chy_hresult chy_request_text(const chy_task *task, const char *name, char *out,
                                           size_t size)
{
    return chy_get_text(task, CHY_OF_REQUEST, name, out, size);
}

static inline chy_hresult chy_request_long(const chy_task *task, const char *name, chy_long *out)
{
    return chy_get_long(task, CHY_OF_REQUEST, name, out);
}

static inline chy_hresult chy_request_time(const chy_task *task, const char *name, chy_time *out)
{
    return chy_get_time(task, CHY_OF_REQUEST, name, out);
}

static inline chy_hresult chy_request_bytes(const chy_task *task, const char *name, chy_bytes *out)
{
    return chy_get_bytes(task, CHY_OF_REQUEST, name, out);
}

static inline chy_hresult chy_cert_text(const chy_task *task, const char *name, char *out,
                                        size_t size)
{
    return chy_get_text(task, CHY_OF_CERTIFICATE, name, out, size);
}

static inline chy_hresult chy_cert_long(const chy_task *task, const char *name, chy_long *out)
{
    return chy_get_long(task, CHY_OF_CERTIFICATE, name, out);
}

static inline chy_hresult chy_cert_time(const chy_task *task, const char *name, chy_time *out)
{
    return chy_get_time(task, CHY_OF_CERTIFICATE, name, out);
}

static inline chy_hresult chy_cert_bytes(const chy_task *task, const char *name, chy_bytes *out)
{
    return chy_get_bytes(task, CHY_OF_CERTIFICATE, name, out);
}

/* Without the attribute: the fallback. */
static inline chy_hresult chy_attribute_text(const chy_task *task, const char *name,
                                             const char *fallback, char *out, size_t size)
{
    chy_str s = {NULL, 0};
    chy_hresult hr = task->policy.vt
                         ? task->policy.vt->get_request_attribute(task->policy.self, name, &s)
                         : task->exit.vt->get_request_attribute(task->exit.self, name, &s);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY)
        return chy_text_copy(out, size, fallback, chy_text_length(fallback));
    if (size) out[0] = 0;
    if (CHY_FAILED(hr)) return hr;
    hr = chy_text_copy(out, size, s.p, s.n);
    task->host->vt->free(s.p);
    return hr;
}

/* The DER value of an extension, to be freed with chy_bytes_free; flags may be NULL. What the
 * request asked for has CHY_EXTENSION_DISABLE_FLAG until a policy sets it. */
static inline chy_hresult chy_extension_bytes(const chy_task *task, const char *oid, chy_bytes *out,
                                              chy_long *flags)
{
    chy_variant v = chy_variant_empty();
    const chy_server_policy *p = &task->policy;
    const chy_server_exit *e = &task->exit;
    chy_long unused = 0, *f = flags ? flags : &unused;
    out->p = NULL;
    out->n = 0;
    *f = 0;
    chy_hresult hr = p->vt
                         ? p->vt->get_certificate_extension(p->self, oid, CHY_PROPTYPE_BINARY, &v)
                         : e->vt->get_certificate_extension(e->self, oid, CHY_PROPTYPE_BINARY, &v);
    if (CHY_FAILED(hr)) return hr;
    hr = p->vt ? p->vt->get_certificate_extension_flags(p->self, f)
               : e->vt->get_certificate_extension_flags(e->self, f);
    if (CHY_SUCCEEDED(hr)) return chy_variant_take_bytes(task->host, &v, out);
    task->host->vt->variant_clear(&v);
    return hr;
}

/* Called once per extension (name: its OID) or attribute. Anything but S_OK ends the loop. */
typedef chy_hresult (*chy_each_fn)(chy_task *task, const char *name, void *arg);

/* Gives each name of an enumeration to fn. S_FALSE is its end. */
static inline chy_hresult chy_each(chy_task *task, chy_hresult (*next)(void *, chy_str *),
                                   void *self, chy_each_fn fn, void *arg)
{
    chy_hresult hr = CHY_S_OK;
    while (hr == CHY_S_OK) {
        chy_str name = {NULL, 0};
        hr = next(self, &name);
        if (hr == CHY_S_OK) hr = fn(task, name.p, arg);
        task->host->vt->free(name.p);
    }
    return hr == CHY_S_FALSE ? CHY_S_OK : hr;
}

static inline chy_hresult chy_each_extension(chy_task *task, chy_each_fn fn, void *arg)
{
    const chy_server_policy *p = &task->policy;
    const chy_server_exit *e = &task->exit;
    chy_hresult hr = p->vt ? p->vt->enumerate_extensions_setup(p->self, 0)
                           : e->vt->enumerate_extensions_setup(e->self, 0);
    if (CHY_FAILED(hr)) return hr;
    hr = p->vt ? chy_each(task, p->vt->enumerate_extensions, p->self, fn, arg)
               : chy_each(task, e->vt->enumerate_extensions, e->self, fn, arg);
    (void)(p->vt ? p->vt->enumerate_extensions_close(p->self)
                 : e->vt->enumerate_extensions_close(e->self));
    return hr;
}

static inline chy_hresult chy_each_attribute(chy_task *task, chy_each_fn fn, void *arg)
{
    const chy_server_policy *p = &task->policy;
    const chy_server_exit *e = &task->exit;
    chy_hresult hr = p->vt ? p->vt->enumerate_attributes_setup(p->self, 0)
                           : e->vt->enumerate_attributes_setup(e->self, 0);
    if (CHY_FAILED(hr)) return hr;
    hr = p->vt ? chy_each(task, p->vt->enumerate_attributes, p->self, fn, arg)
               : chy_each(task, e->vt->enumerate_attributes, e->self, fn, arg);
    (void)(p->vt ? p->vt->enumerate_attributes_close(p->self)
                 : e->vt->enumerate_attributes_close(e->self));
    return hr;
}

/* 0 when the CA gives the requester no right to enrol. An administrator has resubmitted what is not
 * new: then the question was answered before. */
static inline int chy_may_enrol(const chy_task *task)
{
    chy_long access;
    if (!task->is_new) return 1;
    return CHY_SUCCEEDED(chy_cert_long(task, "RequesterCAAccess", &access)) && access != 0;
}

/* ---- shaping the certificate (policy) ---- */

static inline chy_hresult chy_remember(chy_task *task, chy_hresult hr)
{
    if (CHY_FAILED(hr) && CHY_SUCCEEDED(task->failed)) task->failed = hr;
    return hr;
}

static inline chy_hresult chy_set(chy_task *task, const char *name, chy_long type,
                                  const chy_variant *v)
{
    const chy_server_policy *p = &task->policy;
    return chy_remember(task, p->vt ? p->vt->set_certificate_property(p->self, name, type, v)
                                    : CHY_E_NOTIMPL);
}

/* NULL removes a part of the subject. */
static inline chy_hresult chy_set_text(chy_task *task, const char *name, const char *value)
{
    chy_variant v = value ? chy_variant_of_text(value) : chy_variant_null();
    return chy_set(task, name, CHY_PROPTYPE_STRING, &v);
}

static inline chy_hresult chy_set_long(chy_task *task, const char *name, chy_long value)
{
    chy_variant v = chy_variant_of_long(value);
    return chy_set(task, name, CHY_PROPTYPE_LONG, &v);
}

/* "NotBefore" and "NotAfter": the window can only shrink. */
static inline chy_hresult chy_set_time(chy_task *task, const char *name, chy_time value)
{
    chy_variant v = chy_variant_of_time(value);
    return chy_set(task, name, CHY_PROPTYPE_DATE, &v);
}

/* flags: 0, CHY_EXTENSION_CRITICAL_FLAG, CHY_EXTENSION_DISABLE_FLAG. p: one DER value. */
static inline chy_hresult chy_set_extension(chy_task *task, const char *oid, chy_long flags,
                                            const void *p, size_t n)
{
    const chy_server_policy *s = &task->policy;
    chy_variant v = chy_variant_of_bytes(p, n);
    return chy_remember(
        task, s->vt ? s->vt->set_certificate_extension(s->self, oid, CHY_PROPTYPE_BINARY, flags, &v)
                    : CHY_E_NOTIMPL);
}

/* The whole subject is this common name: whatever else the request asked for goes. */
static inline chy_hresult chy_set_subject(chy_task *task, const char *common_name)
{
    static const char *const parts[] = {"Country",  "DeviceSerialNumber", "DomainComponent",
                                        "EMail",    "GivenName",          "Initials",
                                        "Locality", "Organization",       "OrgUnit",
                                        "State",    "StreetAddress",      "SurName",
                                        "Title",    "UnstructuredName",   "UnstructuredAddress"};
    chy_hresult hr = chy_set_text(task, "CommonName", common_name);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && CHY_SUCCEEDED(hr); i++)
        hr = chy_set_text(task, parts[i], NULL);
    return hr;
}

/* DER is written from its end to its front: then each length is known when its turn comes. */
typedef struct chy_der_back {
    uint8_t b[4096];
    size_t at; /* the first octet in use */
    int full;
} chy_der_back;

static inline void chy_der_octet(chy_der_back *d, size_t octet)
{
    if (d->at == 0)
        d->full = 1;
    else
        d->b[--d->at] = (uint8_t)(octet & 0xff);
}

/* Puts tag and length in front of what was written since `end` was d->at. */
static inline void chy_der_wrap(chy_der_back *d, uint8_t tag, size_t end)
{
    size_t n = end - d->at;
    chy_der_octet(d, n);
    if (n > 0x7f && n > 0xff) chy_der_octet(d, n >> 8);
    if (n > 0x7f) chy_der_octet(d, n > 0xff ? 0x82u : 0x81u);
    chy_der_octet(d, tag);
}

/* X.690 8.19: base 128, the first two arcs in one; `s` is dotted decimal. */
static inline chy_hresult chy_der_oid(chy_der_back *d, const char *s)
{
    uint32_t arc[32];
    size_t n = 0, end = d->at;
    while (*s && n < 32) {
        uint64_t v = 0;
        if (*s < '0' || *s > '9') return CHY_CRYPT_E_OID_FORMAT;
        while (*s >= '0' && *s <= '9' && v <= UINT32_MAX)
            v = v * 10 + (uint64_t)(*s++ - '0');
        if (v > UINT32_MAX || (*s && (*s != '.' || !s[1]))) return CHY_CRYPT_E_OID_FORMAT;
        arc[n++] = (uint32_t)v;
        if (*s) s++;
    }
    if (*s || n < 2 || arc[0] > 2 || (arc[0] < 2 && arc[1] > 39) || arc[1] > UINT32_MAX - 80)
        return CHY_CRYPT_E_OID_FORMAT;
    arc[1] += arc[0] * 40;
    while (n-- > 1) {
        chy_der_octet(d, arc[n] & 0x7f);
        for (uint32_t v = arc[n] >> 7; v; v >>= 7)
            chy_der_octet(d, (v & 0x7f) | 0x80);
    }
    chy_der_wrap(d, 0x06, end);
    return CHY_S_OK;
}

static inline void chy_der_start(chy_der_back *d)
{
    d->at = sizeof d->b;
    d->full = 0;
}

static inline chy_hresult chy_der_set(chy_task *task, const chy_der_back *d, const char *oid,
                                      chy_long flags)
{
    if (d->full) return chy_remember(task, CHY_CERTSRV_E_ENCODING_LENGTH);
    return chy_set_extension(task, oid, flags, d->b + d->at, sizeof d->b - d->at);
}

/* Subject alternative name (RFC 5280 4.2.1.6): these DNS names instead of any that the request
 * asked for. Each must be a host name; one wildcard label may stand in front. */
static inline chy_hresult chy_set_dns_names(chy_task *task, const char *const *names, size_t n)
{
    chy_der_back d;
    chy_der_start(&d);
    if (!n) return chy_remember(task, CHY_E_INVALIDARG);
    while (n-- > 0) {
        size_t end = d.at, len = chy_text_length(names[n]);
        int wild = len > 2 && names[n][0] == '*' && names[n][1] == '.';
        if (!chy_is_host_name(names[n] + (wild ? 2 : 0)))
            return chy_remember(task, CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
        while (len-- > 0)
            chy_der_octet(&d, (uint8_t)names[n][len]);
        chy_der_wrap(&d, 0x82, end);
    }
    chy_der_wrap(&d, 0x30, sizeof d.b);
    return chy_der_set(task, &d, "2.5.29.17", 0);
}

static inline chy_hresult chy_set_dns_name(chy_task *task, const char *name)
{
    return chy_set_dns_names(task, &name, 1);
}

/* RFC 5280 4.2.1.3; bit 0 of the BIT STRING is the highest. */
enum {
    CHY_KU_DIGITAL_SIGNATURE = 0x8000,
    CHY_KU_NON_REPUDIATION = 0x4000,
    CHY_KU_KEY_ENCIPHERMENT = 0x2000,
    CHY_KU_DATA_ENCIPHERMENT = 0x1000,
    CHY_KU_KEY_AGREEMENT = 0x0800,
    CHY_KU_KEY_CERT_SIGN = 0x0400,
    CHY_KU_CRL_SIGN = 0x0200,
    CHY_KU_ENCIPHER_ONLY = 0x0100,
    CHY_KU_DECIPHER_ONLY = 0x0080
};

/* Critical. X.690 11.2.2: trailing zero bits of a named bit list are left out. */
static inline chy_hresult chy_set_key_usage(chy_task *task, unsigned bits)
{
    chy_der_back d;
    unsigned unused = 0;
    bits &= 0xff80u;
    if (!bits) return chy_remember(task, CHY_E_INVALIDARG);
    int two = (bits & 0xffu) != 0;
    for (unsigned b = two ? bits : bits >> 8; !(b & 1u); b >>= 1)
        unused++;
    chy_der_start(&d);
    if (two) chy_der_octet(&d, bits);
    chy_der_octet(&d, bits >> 8);
    chy_der_octet(&d, unused);
    chy_der_wrap(&d, 0x03, sizeof d.b);
    return chy_der_set(task, &d, "2.5.29.15", CHY_EXTENSION_CRITICAL_FLAG);
}

#define CHY_EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define CHY_EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define CHY_EKU_CODE_SIGNING "1.3.6.1.5.5.7.3.3"
#define CHY_EKU_EMAIL_PROTECTION "1.3.6.1.5.5.7.3.4"
#define CHY_EKU_TIME_STAMPING "1.3.6.1.5.5.7.3.8"
#define CHY_EKU_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"

/* RFC 5280 4.2.1.12: purposes by OID. */
static inline chy_hresult chy_set_purposes(chy_task *task, const char *const *oids, size_t n)
{
    chy_der_back d;
    chy_der_start(&d);
    if (!n) return chy_remember(task, CHY_E_INVALIDARG);
    while (n-- > 0) {
        chy_hresult hr = chy_der_oid(&d, oids[n]);
        if (CHY_FAILED(hr)) return chy_remember(task, hr);
    }
    chy_der_wrap(&d, 0x30, sizeof d.b);
    return chy_der_set(task, &d, "2.5.29.37", 0);
}

static inline chy_hresult chy_set_purpose(chy_task *task, const char *oid)
{
    return chy_set_purposes(task, &oid, 1);
}

#ifdef __cplusplus
}
#endif

#include <chancery/easy_module.h>

#endif
