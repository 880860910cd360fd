/* When CRLs are due and how long they hold: AD CS's arithmetic (CRLPeriod, CRLOverlap, ClockSkew),
 * and what belongs on them. Thread: any; pure. */
#ifndef CHY_CA_CRL_PLAN_H
#define CHY_CA_CRL_PLAN_H

#include "store/store.h"

enum chy_unit {
    CHY_UNIT_SECONDS,
    CHY_UNIT_MINUTES,
    CHY_UNIT_HOURS,
    CHY_UNIT_DAYS,
    CHY_UNIT_WEEKS,
    CHY_UNIT_MONTHS,
    CHY_UNIT_YEARS
};
struct chy_period {
    enum chy_unit unit;
    int64_t n;
};
/* By its AD CS name, without case; Years for what is none. */
enum chy_unit chy_unit_by_name(const char *name);
/* Calendar arithmetic: a month behind the 31st is the last day of the next. */
chy_time chy_time_plus(chy_time t, const struct chy_period *p);

enum chy_on_revoke { CHY_ON_REVOKE_NO, CHY_ON_REVOKE_BASE, CHY_ON_REVOKE_DELTA };
struct chy_crl_settings {
    struct chy_period period, delta_period;   /* delta_period.n 0: no deltas */
    struct chy_period overlap, delta_overlap; /* n 0: computed */
    int64_t skew_s;
    uint32_t flags;                            /* CHY_CRLF_* */
    int32_t max_shards, suspended_shards;      /* CRLMaxPartitions, CRLSuspendedPartitions */
    bool round_robin;                          /* CRLCurrentPartition is set */
    enum chy_on_revoke on_revoke;              /* CRLPublishOnRevoke */
    int64_t on_revoke_s;                       /* CRLPublishDelaySeconds */
    chy_time next_publish, next_delta_publish; /* moved by hand; CHY_TIME_DEFAULT: not */
};

struct chy_crl_times {
    chy_time this_update, next_update, next_publish, propagated;
};
/* wanted: a nextUpdate given by hand, else CHY_TIME_DEFAULT. CHY_E_INVALIDARG when that has passed.
 */
CHY_MUST_USE chy_hresult chy_crl_times(const struct chy_crl_settings *s, bool is_delta,
                                       chy_time now, chy_time ca_not_before, chy_time wanted,
                                       struct chy_crl_times *out, struct chy_err *err);

/* The base that a delta refers to: the newest one that has reached everybody by now, else (or where
 * that is wanted) the oldest that still holds. NULL: there is none. Considered are those of one
 * scope. */
struct chy_crl_bases {
    const struct chy_crl_record *reached, *oldest;
};
void chy_crl_consider(struct chy_crl_bases *b, const struct chy_crl_record *r, chy_time now);
const struct chy_crl_record *chy_crl_delta_base(const struct chy_crl_bases *b, bool use_oldest);

/* Does this certificate stand on a CRL made at now? previous: when the base before it was made: a
 * revoked certificate stays until it has been on one CRL after it expired (P9). */
struct chy_crl_view {
    chy_time now, previous;
    bool keep_expired, is_delta;
};
/* Is it revoked by then? */
bool chy_crl_counts(const struct chy_crl_view *view, const struct chy_revoked *r);
bool chy_crl_lists(const struct chy_crl_view *view, const struct chy_revoked *r);

/* P8: above the last one, and above what any lost backup can have known, as long as the clock is
 * right: seconds since 1970. */
uint64_t chy_crl_number_after(uint64_t last, chy_time now);

#endif
