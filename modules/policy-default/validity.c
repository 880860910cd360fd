#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "policy.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

static bool date_of(struct work *w, const char *name, chy_time *out)
{
    chy_variant v = {0};
    if (CHY_FAILED(w->sp.vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_DATE, &v)) ||
        v.vt != CHY_VT_DATE)
        return false;
    *out = v.u.t;
    return true;
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

static chy_hresult asked(struct work *w, chy_time from, chy_time *end)
{
    char period[64], count[64];
    if (attribute(w, "ExpirationDate", period, sizeof period)) {
        struct tm tm = {0};
        const char *rest = strptime(period, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        if (!rest || *rest)
            return deny(w, CHY_E_INVALIDARG, "ExpirationDate is not an RFC 1123 date");
        chy_time t = (chy_time)timegm(&tm) * SECOND;
        if (t < *end) *end = t;
    } else if (attribute(w, "ValidityPeriod", period, sizeof period) &&
               attribute(w, "ValidityPeriodUnits", count, sizeof count)) {
        char *rest;
        long n = strtol(count, &rest, 10);
        int64_t len = unit(period);
        if (*rest || n < 1 || n > 100000 || !len)
            return deny(w, CHY_E_INVALIDARG, "ValidityPeriod is not a period");
        if (from + n * len - SECOND < *end) *end = from + n * len - SECOND;
    }
    return CHY_S_OK;
}

chy_hresult validity_apply(struct work *w)
{
    chy_time from, end;
    if (!date_of(w, "NotBefore", &from) || !date_of(w, "NotAfter", &end)) return CHY_E_UNEXPECTED;
    chy_time was = end;
    /* Both ends count (RFC 5280 4.1.2.5): n days end one second before the same time of day. */
    if (w->p && w->p->validity_days > 0 && from + w->p->validity_days * DAY - SECOND < end)
        end = from + w->p->validity_days * DAY - SECOND;
    if (w->c->edit_flags & CHY_EDITF_ATTRIBUTEENDDATE) {
        chy_hresult hr = asked(w, from, &end);
        if (CHY_FAILED(hr)) return hr;
    }
    if (end <= from) return deny(w, CHY_E_INVALIDARG, "the asked validity ends before it starts");
    if (end == was) return CHY_S_OK;
    chy_variant v = {.vt = CHY_VT_DATE, .u.t = end};
    return w->sp.vt->set_certificate_property(w->sp.self, "NotAfter", CHY_PROPTYPE_DATE, &v);
}
