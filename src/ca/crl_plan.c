/* MS-CSRA 3.1.4.1.6 and 3.1.1.4.1; RFC 5280 5.2.3, 5.2.4. */
#include "ca/crl_plan.h"

#include <strings.h>

#include "base/text.h"

enum { TWELVE_HOURS = 12 * 3600 };

static const struct {
    const char *name;
    int64_t seconds; /* 0: by the calendar */
} units[] = {[CHY_UNIT_SECONDS] = {"Seconds", 1},  [CHY_UNIT_MINUTES] = {"Minutes", 60},
             [CHY_UNIT_HOURS] = {"Hours", 3600},   [CHY_UNIT_DAYS] = {"Days", 86400},
             [CHY_UNIT_WEEKS] = {"Weeks", 604800}, [CHY_UNIT_MONTHS] = {"Months", 0},
             [CHY_UNIT_YEARS] = {"Years", 0}};

enum chy_unit chy_unit_by_name(const char *name)
{
    for (int i = CHY_UNIT_SECONDS; name && i < CHY_UNIT_YEARS; i++) {
        if (strcasecmp(units[i].name, name) == 0) return (enum chy_unit)i;
    }
    return CHY_UNIT_YEARS;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

chy_time chy_time_plus(chy_time t, const struct chy_period *p)
{
    if (units[p->unit].seconds) return t + p->n * units[p->unit].seconds * CHY_US_PER_S;
    struct chy_civil c;
    chy_civil_from_time(&c, t);
    int64_t months = (c.month - 1) + (p->unit == CHY_UNIT_YEARS ? 12 * p->n : p->n);
    c.year += (int)(months / 12);
    c.month = (int)(months % 12) + 1;
    int last = days_of_month(c.year, c.month);
    if (c.day > last) c.day = last;
    return chy_time_from_civil(&c) + t % CHY_US_PER_S;
}

static int64_t seconds_of(chy_time from, const struct chy_period *p)
{
    return (chy_time_plus(from, p) - from) / CHY_US_PER_S;
}

/* A tenth of the base period, or the whole delta period, within half a day; long enough for skewed
 * clocks, and no longer than the base period. */
static int64_t overlap_of(const struct chy_crl_settings *s, bool is_delta, chy_time now)
{
    const struct chy_period *given = is_delta ? &s->delta_overlap : &s->overlap;
    int64_t period = seconds_of(now, &s->period);
    if (given->n > 0) return seconds_of(now, given) + s->skew_s;
    int64_t o = is_delta ? seconds_of(now, &s->delta_period) : period / 10;
    if (o > TWELVE_HOURS) o = TWELVE_HOURS;
    if (o < s->skew_s * 3 / 2) o = s->skew_s * 3 / 2;
    if (o > period) o = period;
    return o + s->skew_s;
}

chy_hresult chy_crl_times(const struct chy_crl_settings *s, bool is_delta, chy_time now,
                          chy_time ca_not_before, chy_time wanted, struct chy_crl_times *out,
                          struct chy_err *err)
{
    int64_t overlap = overlap_of(s, is_delta, now) * CHY_US_PER_S;
    int64_t skew = s->skew_s * CHY_US_PER_S;
    now -= now % CHY_US_PER_S;
    if (wanted != CHY_TIME_DEFAULT && wanted <= now)
        return chy_fail(err, CHY_E_INVALIDARG, "CRL: the next update must lie ahead");
    out->this_update = now - skew;
    if (out->this_update < ca_not_before) out->this_update = ca_not_before;
    out->next_publish = wanted != CHY_TIME_DEFAULT
                            ? wanted
                            : chy_time_plus(now, is_delta ? &s->delta_period : &s->period);
    out->next_update = out->next_publish + overlap + (wanted != CHY_TIME_DEFAULT ? skew : 0);
    out->propagated = now + overlap;
    /* The last time that can be written (RFC 5280 4.1.2.5.2). */
    if (out->next_publish > CHY_TIME_LAST) out->next_publish = CHY_TIME_LAST;
    if (out->next_update > CHY_TIME_LAST) out->next_update = CHY_TIME_LAST;
    return CHY_S_OK;
}

void chy_crl_consider(struct chy_crl_bases *b, const struct chy_crl_record *r, chy_time now)
{
    if (r->is_delta || r->next_update <= now) return;
    if (!b->oldest || r->number < b->oldest->number) b->oldest = r;
    if (r->propagated <= now && (!b->reached || r->number > b->reached->number)) b->reached = r;
}

const struct chy_crl_record *chy_crl_delta_base(const struct chy_crl_bases *b, bool use_oldest)
{
    return b->reached && !use_oldest ? b->reached : b->oldest;
}

bool chy_crl_counts(const struct chy_crl_view *view, const struct chy_revoked *r)
{
    return r->disposition == CHY_DB_DISP_REVOKED &&
           chy_counts_by(r->effective_when, r->revoked_when, view->now);
}

bool chy_crl_lists(const struct chy_crl_view *view, const struct chy_revoked *r)
{
    if (!chy_crl_counts(view, r)) return view->is_delta; /* it is so no longer, or not yet */
    /* One that a clock ahead of its time has made proves nothing. */
    bool is_over = r->not_after != CHY_TIME_DEFAULT && view->previous != CHY_TIME_DEFAULT &&
                   r->not_after < view->previous && r->not_after < view->now;
    return !is_over || view->keep_expired || (r->crl_flags & CHY_ROW_CRL_WHEN_EXPIRED);
}

uint64_t chy_crl_number_after(uint64_t last, chy_time now)
{
    uint64_t seconds = now > 0 ? (uint64_t)(now / CHY_US_PER_S) : 0;
    return last + 1 > seconds ? last + 1 : seconds;
}
