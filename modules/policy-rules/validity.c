/* From when to when a certificate is valid: it only ever becomes shorter here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define DAY (1440 * MINUTE)
/* The years 1 to 9999: what is computed from there overflows nowhere. */
#define FIRST (INT64_C(-62135596800) * SECOND)
#define LAST (INT64_C(253402300799) * SECOND)

/* timegm would turn a 31 February into March. */
bool moment_parse(const char *text, chy_time *out)
{
    struct tm tm = {0};
    char again[CHY_TIME_TEXT];
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!rest || *rest) return false;
    *out = (chy_time)timegm(&tm) * SECOND;
    chy_time_text(*out, again);
    return *out > 0 && !strcmp(again, text);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

chy_time last_working_moment(const struct rules *r, chy_time t)
{
    chy_time local = t + r->utc_offset_minutes * MINUTE;
    int64_t today = floor_div(local, DAY);
    for (int64_t day = today; day > today - 14; day--) {
        /* 1970-01-01 was a Thursday. */
        int64_t weekday = (day + 3) % 7;
        if (day < 0 || !(r->work_days >> weekday & 1)) continue;
        chy_time open = day * DAY + r->work_from * MINUTE;
        chy_time shut = day * DAY + r->work_to * MINUTE - SECOND;
        if (local < open) continue;
        return (local < shut ? local : shut) - r->utc_offset_minutes * MINUTE;
    }
    return t;
}

static void start_later(const struct work *w, const struct rules *r, chy_time *from)
{
    chy_time start = w->submitted + r->delay_minutes * MINUTE;
    if (r->delay_minutes && start > *from) *from = start;
}

/* Both ends count (RFC 5280 4.1.2.5): a day ends one second before the same time of day. */
static void end_sooner(const struct rules *r, chy_time from, chy_time *end)
{
    chy_time hours = from + r->max_hours * 60 * MINUTE - SECOND;
    chy_time days = from + r->max_days * DAY - SECOND;
    if (r->max_hours && hours < *end) *end = hours;
    if (r->max_days && days < *end) *end = days;
    if (r->end && r->end < *end) *end = r->end;
}

/* Of a certificate that has no working hour in all its life the end stays. */
static void end_at_work(const struct rules *r, chy_time from, chy_time *end)
{
    chy_time t = r->work_days ? last_working_moment(r, *end) : *end;
    if (t > from) *end = t;
}

static void bound(const struct work *w, bool with_audited, chy_time *from, chy_time *end)
{
    for (size_t i = 0; i < w->n_rules; i++)
        if (with_audited || !audits(w, w->rules[i])) start_later(w, w->rules[i], from);
    for (size_t i = 0; i < w->n_rules; i++)
        if (with_audited || !audits(w, w->rules[i])) end_sooner(w->rules[i], *from, end);
    for (size_t i = 0; i < w->n_rules; i++)
        if (with_audited || !audits(w, w->rules[i])) end_at_work(w->rules[i], *from, end);
}

static void check(struct work *w, bool audited, chy_time from, chy_time end)
{
    char start[CHY_TIME_TEXT], stop[CHY_TIME_TEXT];
    if (end > from) return;
    chy_time_text(from, start);
    chy_time_text(end, stop);
    for (size_t i = w->n_rules; i-- > 0;) {
        const struct rules *r = w->rules[i];
        if (audits(w, r) != audited || (!r->end && !r->delay_minutes)) continue;
        broken(w, r, CHY_E_INVALIDARG, r->end ? "Validity/End" : "Validity/StartDelayMinutes",
               "the validity would start at %s and end at %s", start, stop);
        return;
    }
}

static chy_hresult read_date(struct work *w, bool of_request, const char *name, chy_time *out)
{
    chy_variant v = chy_variant_empty();
    const chy_server_policy_vtbl *vt = w->sp.vt;
    chy_hresult hr = of_request
                         ? vt->get_request_property(w->sp.self, name, CHY_PROPTYPE_DATE, &v)
                         : vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_DATE, &v);
    if (!CHY_FAILED(hr)) hr = chy_variant_take_time(w->host, &v, out);
    if (!CHY_FAILED(hr) && (*out < FIRST || *out > LAST)) hr = CHY_E_UNEXPECTED;
    return CHY_FAILED(hr) ? cannot(w, hr, name) : CHY_S_OK;
}

chy_hresult validity_check(struct work *w)
{
    chy_hresult hr = read_date(w, true, "SubmittedWhen", &w->submitted);
    if (!CHY_FAILED(hr)) hr = read_date(w, false, "NotBefore", &w->from);
    if (!CHY_FAILED(hr)) hr = read_date(w, false, "NotAfter", &w->end);
    if (CHY_FAILED(hr)) return hr;
    chy_time from = w->from, end = w->end;
    bound(w, true, &from, &end);
    check(w, true, from, end);
    w->new_from = w->from;
    w->new_end = w->end;
    bound(w, false, &w->new_from, &w->new_end);
    check(w, false, w->new_from, w->new_end);
    return CHY_S_OK;
}

static chy_hresult set_date(struct work *w, const char *name, chy_time was, chy_time t)
{
    const chy_variant v = chy_variant_of_time(t);
    if (was == t) return CHY_S_OK;
    chy_hresult hr = w->sp.vt->set_certificate_property(w->sp.self, name, CHY_PROPTYPE_DATE, &v);
    return CHY_FAILED(hr) ? cannot(w, hr, name) : CHY_S_OK;
}

chy_hresult validity_apply(struct work *w)
{
    chy_hresult hr = set_date(w, "NotBefore", w->from, w->new_from);
    return CHY_FAILED(hr) ? hr : set_date(w, "NotAfter", w->end, w->new_end);
}
