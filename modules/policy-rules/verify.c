/* One request: which rules hold for it, what breaks them, what they change. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules.h"

/* The reader gets so much of it; the log gets as much as it takes. */
enum { TOLD_MAX = 380 };

bool audits(const struct work *w, const struct rules *r)
{
    return w->s->audit_only || r->audit_only;
}

void broken(struct work *w, const struct rules *r, chy_hresult code, const char *rule,
            const char *fmt, ...)
{
    char text[500];
    struct kit_text *t = audits(w, r) ? &w->audited : &w->refused;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (t == &w->refused && !t->n) w->code = code;
    if (t->n < 65536) kit_addf(t, "%s%s (Rules/%s/%s)", t->n ? "; " : "", text, r->profile, rule);
}

chy_hresult cannot(struct work *w, chy_hresult code, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "%.100s could not be read or set (0x%08x)", what, (unsigned)code);
    (void)w->host->vt->set_message(w->host->self, w->context, text);
    return code;
}

static chy_hresult text_property(struct work *w, bool of_request, const char *name, char **out)
{
    chy_variant v = chy_variant_empty();
    const chy_server_policy_vtbl *vt = w->sp.vt;
    chy_hresult hr = of_request
                         ? vt->get_request_property(w->sp.self, name, CHY_PROPTYPE_STRING, &v)
                         : vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_STRING, &v);
    bool has = hr == CHY_S_OK && v.vt == CHY_VT_STR && strlen(v.u.s.p) == v.u.s.n;
    *out = NULL;
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY || has) *out = strdup(has ? v.u.s.p : "");
    w->host->vt->variant_clear(&v);
    if (CHY_FAILED(hr) && hr != CHY_CERTSRV_E_PROPERTY_EMPTY) return cannot(w, hr, name);
    return *out ? CHY_S_OK : cannot(w, has ? CHY_E_OUTOFMEMORY : CHY_E_UNEXPECTED, name);
}

/* The profile as a module in front told it, or as the request names it. */
static chy_hresult read_profile(struct work *w)
{
    char *text = NULL;
    chy_str s = {NULL, 0};
    chy_hresult hr = text_property(w, false, "CertificateTemplate", &text);
    if (CHY_FAILED(hr)) return hr;
    if (!text[0]) {
        hr = w->sp.vt->get_request_attribute(w->sp.self, "CertificateTemplate", &s);
        if (hr == CHY_S_OK) {
            free(text);
            text = strdup(s.p);
            w->host->vt->free(s.p);
        } else if (hr != CHY_CERTSRV_E_PROPERTY_EMPTY) {
            free(text);
            return cannot(w, hr, "CertificateTemplate");
        }
    }
    if (!text) return cannot(w, CHY_E_OUTOFMEMORY, "CertificateTemplate");
    snprintf(w->profile, sizeof w->profile, "%s", strlen(text) < sizeof w->profile ? text : "");
    free(text);
    return CHY_S_OK;
}

static void choose_rules(struct work *w)
{
    for (size_t i = 0; i < w->s->n; i++)
        if (!strcmp(w->s->v[i]->profile, "*")) w->rules[w->n_rules++] = w->s->v[i];
    for (size_t i = 0; i < w->s->n && strcmp(w->profile, "*") != 0; i++)
        if (!strcasecmp(w->s->v[i]->profile, w->profile)) w->rules[w->n_rules++] = w->s->v[i];
}

static chy_hresult read_request(struct work *w)
{
    chy_variant v = chy_variant_empty();
    chy_hresult hr = read_profile(w);
    if (!CHY_FAILED(hr)) hr = text_property(w, true, "RequesterName", &w->requester);
    if (CHY_FAILED(hr)) return hr;
    hr = w->sp.vt->get_request_property(w->sp.self, "RequestID", CHY_PROPTYPE_LONG, &v);
    if (!CHY_FAILED(hr)) hr = chy_variant_take_long(w->host, &v, &w->id);
    choose_rules(w);
    return CHY_FAILED(hr) ? cannot(w, hr, "RequestID") : CHY_S_OK;
}

/* Only administrators resubmit: the requester was checked at the first look. */
static chy_hresult check_right(struct work *w, bool *may)
{
    chy_variant v = chy_variant_empty();
    chy_long access = 0;
    *may = true;
    if (!w->is_new || w->s->no_enroll_right) return CHY_S_OK;
    chy_hresult hr =
        w->sp.vt->get_certificate_property(w->sp.self, "RequesterCAAccess", CHY_PROPTYPE_LONG, &v);
    if (!CHY_FAILED(hr)) hr = chy_variant_take_long(w->host, &v, &access);
    *may = access != 0;
    return CHY_FAILED(hr) ? cannot(w, hr, "RequesterCAAccess") : CHY_S_OK;
}

/* Everything is derived before anything is checked: the rules of all profiles see what those of
 * this one fill in. */
static chy_hresult derive(struct work *w)
{
    chy_hresult hr = CHY_S_OK;
    bool watched = false;
    for (size_t i = 0; i < w->n_rules && !CHY_FAILED(hr); i++) {
        watched = watched || audits(w, w->rules[i]);
        if (!audits(w, w->rules[i])) hr = names_derive(w, w->rules[i], &w->carried);
    }
    if (CHY_FAILED(hr) || !watched) return hr;
    if (!names_copy(&w->watched, &w->carried)) return cannot(w, CHY_E_OUTOFMEMORY, "the names");
    for (size_t i = 0; i < w->n_rules && !CHY_FAILED(hr); i++)
        if (audits(w, w->rules[i])) hr = names_derive(w, w->rules[i], &w->watched);
    return hr;
}

static chy_hresult check_all(struct work *w)
{
    chy_hresult hr = names_read(w);
    if (!CHY_FAILED(hr)) hr = derive(w);
    if (CHY_FAILED(hr)) return hr;
    for (size_t i = 0; i < w->n_rules; i++) {
        const struct rules *r = w->rules[i];
        names_check(w, r, audits(w, r) ? &w->watched : &w->carried);
    }
    if (w->late) {
        (void)w->host->vt->set_message(w->host->self, w->context,
                                       "to compare all its names with all patterns takes longer "
                                       "than the call may");
        return CHY_ERROR_TIMEOUT;
    }
    hr = key_check(w);
    if (!CHY_FAILED(hr)) hr = eku_check(w);
    return CHY_FAILED(hr) ? hr : validity_check(w);
}

static chy_hresult apply_all(struct work *w)
{
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < w->n_rules && !CHY_FAILED(hr); i++) {
        const struct rules *r = w->rules[i];
        if (audits(w, r)) continue;
        hr = names_apply(w, r);
        if (!CHY_FAILED(hr)) hr = ext_apply(w, r);
    }
    if (!CHY_FAILED(hr)) hr = san_apply(w);
    return CHY_FAILED(hr) ? hr : validity_apply(w);
}

static void over_quota(struct work *w, const struct rules *r)
{
    broken(w, r, CHY_CERTSRV_E_ENROLL_DENIED, "Quota/Count",
           "requester %.100s had %lld requests in %lld minutes", w->requester,
           (long long)r->quota_count, (long long)(r->quota_us / 60000000));
}

/* All are asked before any counts it: a request that one refuses is not counted by the other, but
 * where two of one requester meet. */
static chy_hresult count(struct work *w)
{
    bool over[2] = {false, false};
    for (size_t step = 0; step < 2; step++) {
        for (size_t i = 0; i < w->n_rules; i++) {
            const struct rules *r = w->rules[i];
            if (r->quota_count == NO_MAX) continue;
            const struct quota_ask ask = {r->profile, w->requester, w->id, r->quota_count,
                                          r->quota_us};
            chy_hresult hr = step ? quota_take(w->s->quota, &ask) : quota_look(w->s->quota, &ask);
            if (CHY_FAILED(hr)) return cannot(w, hr, "the count of the quota");
            if (hr == CHY_S_FALSE && !over[i]) over_quota(w, r);
            over[i] = over[i] || hr == CHY_S_FALSE;
        }
        if (w->refused.n) return CHY_S_OK;
    }
    return CHY_S_OK;
}

static void tell(struct work *w, const char *lead, const struct kit_text *t)
{
    char text[TOLD_MAX + 80];
    bool cut = t->n > TOLD_MAX;
    size_t n = cut ? TOLD_MAX : t->n;
    while (cut && n && ((unsigned char)t->p[n] & 0xc0) == 0x80) /* not inside of a character */
        n--;
    snprintf(text, sizeof text, "%s%.*s%s", lead, (int)n, t->p, cut ? "…" : "");
    (void)w->host->vt->set_message(w->host->self, w->context, kit_utf8(text));
}

static void log_all(struct work *w, chy_long severity, const char *what, struct kit_text *t)
{
    struct kit_text line = {0};
    kit_addf(&line, "policy-rules: request %d of %s %s: ", (int)w->id, w->requester, what);
    kit_add(&line, t->p, t->n);
    const char *text = kit_text_cstr(&line);
    if (text) w->host->vt->log(w->host->self, severity, text);
    kit_text_free(&line);
}

static chy_long decide(struct work *w)
{
    bool waits = false;
    for (size_t i = 0; i < w->n_rules; i++)
        waits = waits || (w->rules[i]->pend && !audits(w, w->rules[i]));
    if (w->audited.n) {
        log_all(w, CHY_LOG_WARNING, "would be denied", &w->audited);
        tell(w, "audit only, would be denied: ", &w->audited);
    }
    if (!w->refused.n) return waits && w->is_new ? CHY_VR_PENDING : CHY_VR_INSTANT_OK;
    log_all(w, CHY_LOG_INFO, "is denied", &w->refused);
    tell(w, "", &w->refused);
    return w->code;
}

static chy_hresult deny(struct work *w, chy_hresult code, const char *text, chy_long *disposition)
{
    (void)w->host->vt->set_message(w->host->self, w->context, text);
    *disposition = code;
    return CHY_S_OK;
}

static chy_hresult without_rules(struct work *w, chy_long *disposition)
{
    char text[300];
    if (w->s->pass_without_rules) {
        *disposition = CHY_VR_INSTANT_OK;
        return CHY_S_OK;
    }
    snprintf(text, sizeof text,
             "there are no rules for profile \"%s\": set Rules/%s/… or Rules/*/…, or NoRules to "
             "pass",
             w->profile, w->profile[0] ? w->profile : "*");
    return deny(w, CHY_CERTSRV_E_TEMPLATE_DENIED, kit_utf8(text), disposition);
}

static chy_hresult judge(struct work *w, chy_long *disposition)
{
    bool may = false;
    chy_hresult hr = read_request(w);
    if (!CHY_FAILED(hr)) hr = check_right(w, &may);
    if (CHY_FAILED(hr)) return hr;
    if (!may)
        return deny(w, CHY_CERTSRV_E_ENROLL_DENIED, "the requester may not enrol at this CA",
                    disposition);
    if (!w->n_rules) return without_rules(w, disposition);
    hr = check_all(w);
    if (!CHY_FAILED(hr) && !w->refused.n) hr = apply_all(w);
    if (!CHY_FAILED(hr) && !w->refused.n) hr = count(w);
    if (!CHY_FAILED(hr) && (w->refused.failed || w->audited.failed)) hr = CHY_E_OUTOFMEMORY;
    if (!CHY_FAILED(hr)) *disposition = decide(w);
    return hr;
}

chy_hresult verify_request(struct kit_policy_call *call, chy_long *disposition)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w) return CHY_E_OUTOFMEMORY;
    w->host = call->host;
    w->s = call->settings;
    w->sp = call->sp;
    w->context = call->context;
    w->is_new = call->is_new != 0;
    w->code = CHY_E_ACCESSDENIED;
    if (CHY_FAILED(w->host->vt->time_left(w->host->self, &w->half))) w->half = 0;
    w->half /= 2;
    chy_hresult hr = judge(w, disposition);
    names_free(&w->asked);
    names_free(&w->carried);
    names_free(&w->watched);
    kit_text_free(&w->refused);
    kit_text_free(&w->audited);
    free(w->requester);
    free(w);
    return hr;
}
