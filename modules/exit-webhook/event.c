/* What an event tells, as one JSON object. Names are those of the REST interface. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "webhook.h"

enum { CERTS_MAX = 65536, CRLS_MAX = 20000, SHARDS_MAX = 99999 };

struct writer {
    chy_task *task;
    struct kit_text *t;
    chy_hresult failed;
};

/* Each value of an object follows its name; a comma parts it from the one in front. */
static void name(struct writer *w, const char *member)
{
    char last = w->t->n ? w->t->p[w->t->n - 1] : '{';
    if (last != '{' && last != '[') kit_add(w->t, ",", 1);
    if (!member) return;
    kit_add_json(w->t, member, strlen(member));
    kit_add(w->t, ":", 1);
}

static void open(struct writer *w, const char *member, const char *bracket)
{
    name(w, member);
    kit_add_str(w->t, bracket);
}

static void add_text(struct writer *w, const char *member, const char *value)
{
    name(w, member);
    kit_add_json(w->t, value, strlen(value));
}

static void add_long(struct writer *w, const char *member, chy_long value)
{
    name(w, member);
    kit_addf(w->t, "%d", (int)value);
}

/* False: there is no such value. */
static bool ask(struct writer *w, int of, const char *prop, chy_long type, uint32_t vt,
                chy_variant *v)
{
    *v = chy_variant_empty();
    if (CHY_FAILED(w->failed)) return false;
    chy_hresult hr = chy_get(w->task, of, prop, type, v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY || hr == CHY_ERROR_FILE_NOT_FOUND) return false;
    if (!CHY_FAILED(hr) && v->vt != vt) hr = CHY_E_UNEXPECTED;
    if (CHY_FAILED(hr)) {
        w->failed = hr;
        w->task->host->vt->variant_clear(v);
        return false;
    }
    return true;
}

static bool ask_long(struct writer *w, int of, const char *prop, chy_long *out)
{
    chy_variant v;
    if (!ask(w, of, prop, CHY_PROPTYPE_LONG, CHY_VT_LONG, &v)) return false;
    *out = v.u.l;
    return true;
}

static void put_text(struct writer *w, int of, const char *prop, const char *member)
{
    chy_variant v;
    if (!ask(w, of, prop, CHY_PROPTYPE_STRING, CHY_VT_STR, &v)) return;
    name(w, member);
    kit_add_json(w->t, v.u.s.p, v.u.s.n);
    w->task->host->vt->variant_clear(&v);
}

static void put_long(struct writer *w, int of, const char *prop, const char *member)
{
    chy_long value;
    if (ask_long(w, of, prop, &value)) add_long(w, member, value);
}

/* RFC 3339, with a fraction where there is one. */
static void time_text(chy_time t, char out[TIME_TEXT])
{
    char seconds[CHY_TIME_TEXT];
    chy_time us = t % 1000000 + (t % 1000000 < 0 ? 1000000 : 0);
    chy_time_text(t, seconds);
    if (us && seconds[0])
        snprintf(out, TIME_TEXT, "%.19s.%06dZ", seconds, (int)us);
    else
        snprintf(out, TIME_TEXT, "%s", seconds);
}

static void put_time(struct writer *w, int of, const char *prop, const char *member)
{
    char text[TIME_TEXT];
    chy_variant v;
    if (!ask(w, of, prop, CHY_PROPTYPE_DATE, CHY_VT_DATE, &v)) return;
    time_text(v.u.t, text);
    if (text[0]) add_text(w, member, text);
}

static const char *disposition_name(chy_long d)
{
    switch (d) {
    case CHY_DB_DISP_ACTIVE: return "active";
    case CHY_DB_DISP_PENDING: return "pending";
    case CHY_DB_DISP_FOREIGN: return "foreign";
    case CHY_DB_DISP_ISSUED: return "issued";
    case CHY_DB_DISP_REVOKED: return "revoked";
    case CHY_DB_DISP_ERROR: return "failed";
    case CHY_DB_DISP_DENIED: return "denied";
    default: return "unknown";
    }
}

static chy_hresult put_attribute(chy_task *task, const char *attribute, void *arg)
{
    struct writer *w = arg;
    chy_str value = {NULL, 0};
    chy_hresult hr = task->exit.vt->get_request_attribute(task->exit.self, attribute, &value);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return hr;
    name(w, attribute);
    kit_add_json(w->t, value.p, value.n);
    task->host->vt->free(value.p);
    return CHY_S_OK;
}

static void put_request(struct writer *w, const struct settings *s)
{
    chy_long disposition;
    open(w, "request", "{");
    put_long(w, CHY_OF_REQUEST, "RequestID", "request_id");
    if (ask_long(w, CHY_OF_REQUEST, "Disposition", &disposition)) {
        add_text(w, "disposition", disposition_name(disposition));
        add_long(w, "disposition_code", disposition);
    }
    put_long(w, CHY_OF_REQUEST, "StatusCode", "status");
    put_text(w, CHY_OF_REQUEST, "DispositionMessage", "message");
    put_time(w, CHY_OF_REQUEST, "SubmittedWhen", "submitted_when");
    put_time(w, CHY_OF_REQUEST, "ResolvedWhen", "resolved_when");
    put_text(w, CHY_OF_REQUEST, "RequesterName", "requester_name");
    put_text(w, CHY_OF_REQUEST, "CallerName", "caller_name");
    put_text(w, CHY_OF_REQUEST, "DistinguishedName", "request_subject");
    put_text(w, CHY_OF_CERTIFICATE, "CertificateTemplate", "template_name");
    if (s->attributes && !CHY_FAILED(w->failed)) {
        open(w, "attributes", "{");
        w->failed = chy_each_attribute(w->task, put_attribute, w);
        kit_add(w->t, "}", 1);
    }
    kit_add(w->t, "}", 1);
}

static void put_digest(struct writer *w, const chy_bytes *der)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(der->p, der->n, hash, &n, EVP_sha256(), NULL) != 1) {
        w->failed = CHY_E_UNEXPECTED;
        return;
    }
    name(w, "sha256");
    kit_add(w->t, "\"", 1);
    for (unsigned i = 0; i < n; i++)
        kit_addf(w->t, "%02x", hash[i]);
    kit_add(w->t, "\"", 1);
}

static void put_encoded(struct writer *w, const chy_bytes *der, enum encoding how)
{
    struct kit_text pem = {.n = 0};
    if (how == CERT_DER) {
        name(w, "der");
        kit_add(w->t, "\"", 1);
        kit_add_base64(w->t, der->p, der->n);
        kit_add(w->t, "\"", 1);
    } else if (how == CERT_PEM) {
        kit_add_pem(&pem, "CERTIFICATE", der->p, der->n);
        name(w, "pem");
        kit_add_json(w->t, pem.p ? pem.p : "", pem.n);
    }
    w->t->failed = w->t->failed || pem.failed;
    kit_text_free(&pem);
}

static void put_certificate(struct writer *w, const struct settings *s)
{
    chy_variant v;
    if (!ask(w, CHY_OF_CERTIFICATE, "RawCertificate", CHY_PROPTYPE_BINARY, CHY_VT_BYTES, &v))
        return;
    open(w, "certificate", "{");
    put_text(w, CHY_OF_CERTIFICATE, "SerialNumber", "serial");
    put_text(w, CHY_OF_CERTIFICATE, "DistinguishedName", "subject");
    put_text(w, CHY_OF_CERTIFICATE, "CommonName", "common_name");
    put_time(w, CHY_OF_CERTIFICATE, "NotBefore", "not_before");
    put_time(w, CHY_OF_CERTIFICATE, "NotAfter", "not_after");
    put_time(w, CHY_OF_REQUEST, "RevokedWhen", "revoked_when");
    put_time(w, CHY_OF_REQUEST, "RevokedEffectiveWhen", "revoked_effective_when");
    put_long(w, CHY_OF_REQUEST, "RevokedReason", "revoked_reason");
    put_digest(w, &v.u.b);
    put_encoded(w, &v.u.b, s->encoding);
    kit_add(w->t, "}", 1);
    w->task->host->vt->variant_clear(&v);
}

/* False: there is no such CRL. */
static bool put_crl(struct writer *w, chy_long key, chy_long shard, const char *kind)
{
    char prop[64];
    chy_variant v;
    const char *p = strcmp(kind, "delta") == 0 ? "DeltaCRL" : "CRL";
    snprintf(prop, sizeof prop, "%sNumber.%d.%d", p, (int)key, (int)shard);
    if (!ask(w, CHY_OF_CERTIFICATE, prop, CHY_PROPTYPE_STRING, CHY_VT_STR, &v)) return false;
    open(w, NULL, "{");
    add_text(w, "kind", kind);
    add_long(w, "key_index", key);
    add_long(w, "shard", shard);
    name(w, "number");
    kit_add(w->t, v.u.s.p, strspn(v.u.s.p, "0123456789"));
    w->task->host->vt->variant_clear(&v);
    snprintf(prop, sizeof prop, "%sThisUpdate.%d.%d", p, (int)key, (int)shard);
    put_time(w, CHY_OF_CERTIFICATE, prop, "this_update");
    snprintf(prop, sizeof prop, "%sNextUpdate.%d.%d", p, (int)key, (int)shard);
    put_time(w, CHY_OF_CERTIFICATE, prop, "next_update");
    snprintf(prop, sizeof prop, "%sSize.%d.%d", p, (int)key, (int)shard);
    put_long(w, CHY_OF_CERTIFICATE, prop, "size");
    kit_add(w->t, "}", 1);
    return true;
}

static void put_crls(struct writer *w)
{
    chy_long certs = 0, n = 0;
    char prop[32];
    open(w, "crls", "[");
    (void)ask_long(w, CHY_OF_CERTIFICATE, "CertCount", &certs);
    for (chy_long key = 0; key < certs && key < CERTS_MAX; key++) {
        chy_long state = 0, shards = 0;
        snprintf(prop, sizeof prop, "CRLState.%d", (int)key);
        if (!ask_long(w, CHY_OF_CERTIFICATE, prop, &state) || state != CHY_CA_DISP_VALID) continue;
        snprintf(prop, sizeof prop, "CRLShards.%d", (int)key);
        (void)ask_long(w, CHY_OF_CERTIFICATE, prop, &shards);
        for (chy_long i = 0; i <= shards && i <= SHARDS_MAX && n < CRLS_MAX; i++)
            n += put_crl(w, key, i, "base") + put_crl(w, key, i, "delta");
    }
    kit_add(w->t, "]", 1);
}

static bool is_about_crls(chy_long event)
{
    return (event & CHY_EXITEVENT_CRLISSUED) != 0;
}

/* "//host/ca/NAME": it names the CA, and together with the id it is unique (CloudEvents 1.0, 3.1).
 */
static void make_source(struct writer *w, const struct settings *s, struct event *e)
{
    struct kit_text t = {.n = 0};
    char host[256], ca[512];
    if (CHY_FAILED(chy_cert_text(w->task, "MachineDNSName", host, sizeof host)) || !host[0])
        snprintf(host, sizeof host, "localhost");
    (void)chy_cert_text(w->task, "SanitizedCAName", ca, sizeof ca);
    if (s->source) {
        kit_add_str(&t, s->source);
    } else {
        kit_add_str(&t, "//");
        kit_add_url(&t, host);
        kit_add_str(&t, "/ca/");
        kit_add_url(&t, ca);
    }
    const char *made = kit_text_cstr(&t);
    e->source = made ? strdup(made) : NULL;
    kit_text_free(&t);
    if (!e->source) w->failed = CHY_E_OUTOFMEMORY;
}

static void make_subject(struct writer *w, struct event *e)
{
    char text[128] = "";
    chy_long id = 0;
    if (!w->task->context) return;
    if (CHY_FAILED(chy_cert_text(w->task, "SerialNumber", text, sizeof text)) || !text[0]) {
        if (CHY_FAILED(chy_request_long(w->task, "RequestID", &id))) return;
        snprintf(text, sizeof text, "request/%d", (int)id);
    }
    e->subject = strdup(text);
    if (!e->subject) w->failed = CHY_E_OUTOFMEMORY;
}

/* They stand in header fields. */
static bool is_plain(const char *s)
{
    while (*s > 0x20 && *s <= 0x7e)
        s++;
    return !*s;
}

/* One bit tells of a revocation and of its end. Of an engine that does not name its events what the
 * certificate is now says which, as long as no other change waits. */
static void name_release(struct writer *w, chy_long event, struct event *e)
{
    chy_long disposition = 0;
    if ((event & CHY_EXITEVENT_CERTREVOKED) && w->task->context &&
        ask_long(w, CHY_OF_REQUEST, "Disposition", &disposition) &&
        disposition == CHY_DB_DISP_ISSUED)
        snprintf(e->name, sizeof e->name, "certunrevoked");
}

static void make_id(struct writer *w, struct event *e)
{
    uint64_t r[2];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r) w->failed = CHY_E_UNEXPECTED;
    snprintf(e->id, sizeof e->id, "%016llx%016llx", (unsigned long long)r[0],
             (unsigned long long)r[1]);
}

/* An engine that does not tell an identifier leaves it to the receiver to know an event again. */
static void read_head(struct writer *w, chy_long event, struct event *e)
{
    int of = w->task->context ? CHY_OF_REQUEST : CHY_OF_CERTIFICATE;
    chy_time when = CHY_TIME_DEFAULT;
    if (CHY_FAILED(chy_get_text(w->task, of, "EventName", e->name, sizeof e->name)) ||
        !e->name[0]) {
        snprintf(e->name, sizeof e->name, "%s", name_of_event(event));
        name_release(w, event, e);
    }
    if (CHY_FAILED(chy_get_text(w->task, of, "EventID", e->id, sizeof e->id))) e->id[0] = 0;
    e->has_id = e->id[0] != 0;
    if (!e->has_id) make_id(w, e);
    if (CHY_FAILED(chy_get_time(w->task, of, "EventTime", &when))) when = CHY_TIME_DEFAULT;
    if (CHY_FAILED(chy_get_long(w->task, of, "EventAttempt", &e->attempt))) e->attempt = 0;
    if (when != CHY_TIME_DEFAULT) time_text(when, e->time);
    if (!is_plain(e->id) || !is_plain(e->name)) w->failed = CHY_E_UNEXPECTED;
}

chy_hresult event_read(chy_task *task, const struct settings *s, chy_long event, struct event *out)
{
    struct writer w = {.task = task, .t = &out->data, .failed = CHY_S_OK};
    read_head(&w, event, out);
    make_source(&w, s, out);
    make_subject(&w, out);
    kit_add(w.t, "{", 1);
    add_text(&w, "id", out->id);
    add_text(&w, "event", out->name);
    if (out->time[0]) add_text(&w, "time", out->time);
    open(&w, "ca", "{");
    put_text(&w, CHY_OF_CERTIFICATE, "SanitizedCAName", "name");
    put_text(&w, CHY_OF_CERTIFICATE, "MachineDNSName", "host");
    kit_add(w.t, "}", 1);
    if (task->context) {
        put_request(&w, s);
        put_certificate(&w, s);
    } else if (is_about_crls(event)) {
        put_crls(&w);
    }
    kit_add(w.t, "}", 1);
    if (out->data.failed) return CHY_E_OUTOFMEMORY;
    return w.failed;
}

void event_free(struct event *e)
{
    kit_text_free(&e->data);
    free(e->subject);
    free(e->source);
}
