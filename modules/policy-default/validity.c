#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "policy.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

static chy_hresult date_of(struct work *w, const char *name, chy_time *out)
{
    chy_variant v = {0};
    chy_hresult hr = w->sp.vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_DATE, &v);
    if (!CHY_FAILED(hr) && v.vt != CHY_VT_DATE) {
        w->host->vt->variant_clear(&v);
        hr = CHY_E_UNEXPECTED;
    }
    if (CHY_FAILED(hr)) return deny(w, hr, "%s could not be read", name);
    *out = v.u.t;
    return CHY_S_OK;
}

static int64_t unit(const char *s)
{
    static const struct {
        const char *name;
        int64_t len;
    } t[] = {{"Seconds", SECOND}, {"Minutes", 60 * SECOND}, {"Hours", 3600 * SECOND}, {"Days", DAY},
             {"Weeks", 7 * DAY},  {"Months", 30 * DAY},     {"Years", 365 * DAY}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (strcasecmp(t[i].name, s) == 0) return t[i].len;
    return 0;
}

/* An RFC 1123 date; timegm would turn a 31 February into March. */
static bool read_date(const char *text, chy_time *out)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    int day = tm.tm_mday;
    if (!rest || *rest || tm.tm_sec > 59) return false;
    *out = (chy_time)timegm(&tm) * SECOND;
    return tm.tm_mday == day;
}

static bool read_period(const char *period, const char *count, int64_t *out)
{
    size_t digits = strspn(count, "0123456789");
    int64_t len = unit(period);
    if (!len || digits == 0 || digits > 5 || count[digits]) return false;
    *out = strtol(count, NULL, 10) * len;
    return *out > 0;
}

static chy_hresult period(struct work *w, chy_time from, chy_time *end)
{
    char *kind = NULL, *count = NULL;
    int64_t len;
    chy_hresult hr = attribute(w, "ValidityPeriod", &kind);
    if (hr == CHY_S_OK) hr = attribute(w, "ValidityPeriodUnits", &count);
    if (hr == CHY_S_OK && !read_period(kind, count, &len))
        hr = deny(w, CHY_E_INVALIDARG, "ValidityPeriod and ValidityPeriodUnits are not a period");
    else if (hr == CHY_S_OK && from + len - SECOND < *end)
        *end = from + len - SECOND;
    if (kind) w->host->vt->free(kind);
    if (count) w->host->vt->free(count);
    return hr;
}

static chy_hresult asked(struct work *w, chy_time from, chy_time *end)
{
    char *text = NULL;
    chy_time t;
    chy_hresult hr = attribute(w, "ExpirationDate", &text);
    if (hr == CHY_S_FALSE) return period(w, from, end);
    if (CHY_FAILED(hr)) return hr;
    if (!read_date(text, &t))
        hr = deny(w, CHY_E_INVALIDARG, "ExpirationDate is not an RFC 1123 date");
    else if (t < *end)
        *end = t;
    w->host->vt->free(text);
    return hr;
}

/* A certificate that nobody can revoke has to be over soon (RFC 9608 1; Baseline
 * Requirements 1.6.1, "Short-lived Subscriber Certificate"). */
static void bound_unrevocable(struct work *w, chy_time from, chy_time *end)
{
    chy_time last = from + w->c->hours_without_revocation * 3600 * SECOND - SECOND;
    if (!w->p || !w->p->no_revocation || *end <= last) return;
    *end = last;
    note(w, "the validity ends by MaxHoursWithoutRevocation (%lld hours)",
         (long long)w->c->hours_without_revocation);
}

chy_hresult validity_apply(struct work *w)
{
    chy_time from = 0, end = 0;
    chy_hresult hr = date_of(w, "NotBefore", &from);
    if (!CHY_FAILED(hr)) hr = date_of(w, "NotAfter", &end);
    if (CHY_FAILED(hr)) return hr;
    chy_time was = end;
    /* Both ends count (RFC 5280 4.1.2.5): n days end one second before the same time of day. */
    if (w->p && w->p->validity_days > 0 && from + w->p->validity_days * DAY - SECOND < end)
        end = from + w->p->validity_days * DAY - SECOND;
    if (w->c->edit_flags & CHY_EDITF_ATTRIBUTEENDDATE) hr = asked(w, from, &end);
    if (CHY_FAILED(hr)) return hr;
    bound_unrevocable(w, from, &end);
    if (end <= from) return deny(w, CHY_E_INVALIDARG, "the asked validity ends before it starts");
    if (end == was) return CHY_S_OK;
    chy_variant v = {.vt = CHY_VT_DATE, .u.t = end};
    hr = w->sp.vt->set_certificate_property(w->sp.self, "NotAfter", CHY_PROPTYPE_DATE, &v);
    return CHY_FAILED(hr) ? deny(w, hr, "NotAfter could not be set") : CHY_S_OK;
}
