#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kit/text.h"
#include "policy.h"

chy_hresult deny(struct work *w, chy_hresult code, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->host->vt->set_message(w->host->self, w->context, kit_utf8(text));
    return code;
}

void note(struct work *w, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->host->vt->set_message(w->host->self, w->context, kit_utf8(text));
}

chy_hresult attribute(struct work *w, const char *name, char **out)
{
    chy_str s = {0};
    *out = NULL;
    chy_hresult hr = w->sp.vt->get_request_attribute(w->sp.self, name, &s);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_FALSE;
    if (CHY_FAILED(hr)) return deny(w, hr, "attribute %s could not be read", name);
    if (!s.p) return CHY_S_FALSE;
    if (strlen(s.p) != s.n) {
        w->host->vt->free(s.p);
        return deny(w, CHY_E_INVALIDARG, "attribute %s has a NUL inside", name);
    }
    *out = s.p;
    return CHY_S_OK;
}

chy_hresult cert_long(struct work *w, const char *name, chy_long *out)
{
    chy_variant v = {0};
    *out = 0;
    chy_hresult hr = w->sp.vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_LONG, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (!CHY_FAILED(hr) && v.vt == CHY_VT_LONG) {
        *out = v.u.l;
        return CHY_S_OK;
    }
    if (!CHY_FAILED(hr)) w->host->vt->variant_clear(&v);
    return deny(w, CHY_FAILED(hr) ? hr : CHY_E_UNEXPECTED, "%s could not be read", name);
}

static chy_hresult requester_listed(struct work *w, const struct list *who)
{
    chy_variant v = {0};
    chy_hresult hr =
        w->sp.vt->get_request_property(w->sp.self, "RequesterName", CHY_PROPTYPE_STRING, &v);
    if (CHY_FAILED(hr) && hr != CHY_CERTSRV_E_PROPERTY_EMPTY)
        return deny(w, hr, "RequesterName could not be read");
    bool ok = !CHY_FAILED(hr) && v.vt == CHY_VT_STR && strlen(v.u.s.p) == v.u.s.n &&
              list_has(who, v.u.s.p);
    if (!CHY_FAILED(hr)) w->host->vt->variant_clear(&v);
    return ok ? CHY_S_OK
              : deny(w, CHY_CERTSRV_E_ENROLL_DENIED, "the requester may not enrol for %s",
                     w->p ? w->p->name : "a certificate");
}

/* Only administrators resubmit: the requester was checked at the first look. */
static chy_hresult access(struct work *w)
{
    const struct list *who = w->p && w->p->requesters.n ? &w->p->requesters : &w->c->enroll;
    chy_long may = 1;
    chy_hresult hr = CHY_S_OK;
    if (!w->is_new) return CHY_S_OK;
    if (!(w->c->edit_flags & CHY_EDITF_IGNOREREQUESTERGROUP))
        hr = cert_long(w, "RequesterCAAccess", &may);
    if (CHY_FAILED(hr)) return hr;
    if (!may) return deny(w, CHY_CERTSRV_E_ENROLL_DENIED, "the requester may not enrol at this CA");
    return !who->n || list_has(who, "*") ? CHY_S_OK : requester_listed(w, who);
}

static chy_hresult attribute_decides(struct work *w, chy_long *answer)
{
    char *text = NULL;
    chy_hresult hr = attribute(w, "Disposition", &text);
    if (hr != CHY_S_OK) return hr;
    if (!strcasecmp(text, "Deny")) *answer = CHY_VR_INSTANT_BAD;
    if (!strcasecmp(text, "Pending")) *answer = CHY_VR_PENDING;
    w->host->vt->free(text);
    return CHY_S_OK;
}

/* AD CS's order: the first look may pend whatever the low octet says; a resubmission acts on the
 * low octet alone. */
static chy_hresult decide(struct work *w, chy_long *answer)
{
    chy_long low = w->c->disposition & CHY_REQDISP_MASK;
    chy_hresult hr = CHY_S_OK;
    *answer = CHY_VR_INSTANT_OK;
    if (w->is_new && (w->c->disposition & CHY_REQDISP_PENDINGFIRST)) {
        *answer = CHY_VR_PENDING;
        return CHY_S_OK;
    }
    if (low == CHY_REQDISP_PENDING) *answer = CHY_VR_PENDING;
    if (low == CHY_REQDISP_DENY) *answer = CHY_VR_INSTANT_BAD;
    if (low == CHY_REQDISP_USEREQUESTATTRIBUTE) hr = attribute_decides(w, answer);
    if (*answer == CHY_VR_INSTANT_OK && w->is_new && (w->pend || (w->p && w->p->pending)))
        *answer = CHY_VR_PENDING;
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}

chy_hresult verify(struct work *w, chy_long *disposition)
{
    chy_long answer = CHY_VR_INSTANT_BAD;
    chy_hresult hr = choose_profile(w);
    if (!CHY_FAILED(hr)) hr = access(w);
    if (!CHY_FAILED(hr) && w->p && w->p->deny)
        hr = deny(w, CHY_CERTSRV_E_TEMPLATE_DENIED, "profile %s is closed", w->p->name);
    if (!CHY_FAILED(hr)) hr = key_apply(w);
    if (!CHY_FAILED(hr)) hr = revocation_forget(w);
    if (!CHY_FAILED(hr)) hr = ext_forget(w);
    if (!CHY_FAILED(hr)) hr = names_apply(w);
    if (!CHY_FAILED(hr)) hr = w->p ? ext_apply_profile(w) : standalone_apply(w);
    if (!CHY_FAILED(hr)) hr = validity_apply(w);
    if (!CHY_FAILED(hr)) hr = decide(w, &answer);
    /* What waits may meet another profile: nothing of the server's is taken out before it issues.
     */
    if (!CHY_FAILED(hr) && answer == CHY_VR_INSTANT_OK) hr = revocation_apply(w);
    if (!CHY_FAILED(hr)) hr = ext_disable_listed(w);
    if (hr == CHY_E_OUTOFMEMORY) return hr; /* no decision: it could not be looked at */
    *disposition = CHY_FAILED(hr) ? hr : answer;
    return CHY_S_OK;
}
