/* What must be true of certificates and of times, worked out anew: nothing here asks the engine. */
#include "world.h"

#include <time.h>

/* ---- certificates ---- */
static uint16_t *slot_of(struct world *w, const uint8_t serial[20])
{
    uint32_t at = (uint32_t)serial[18] << 8 | serial[19];
    while (w->by_serial[at] && memcmp(w->cert[w->by_serial[at] - 1].serial, serial, 20) != 0)
        at = (at + 1) & 0xffff;
    return &w->by_serial[at];
}

struct known_cert *cert_by_serial(struct world *w, struct chy_span serial)
{
    if (serial.n != 20) return NULL;
    const uint16_t *slot = slot_of(w, serial.p);
    return *slot ? &w->cert[*slot - 1] : NULL;
}

/* "http://crl.example.test/CA(1)_Partition00002.crl" */
static void read_url(struct world *w, struct known_cert *c)
{
    static const char start[] = "http://crl.example.test/CA";
    const char *at = c->url + sizeof(start) - 1;
    char *end = NULL;
    if (strncmp(c->url, start, sizeof(start) - 1) != 0) WORLD_FAIL(w, "its CRL is %s", c->url);
    for (const char *open = "("; *at == *open;) {
        c->key = (int32_t)strtol(at + 1, &end, 10);
        at = end + 1;
    }
    if (strncmp(at, "_Partition", 10) == 0) {
        c->shard = (int32_t)strtol(at + 10, &end, 10);
        if (end - at != 15) WORLD_FAIL(w, "its CRL is %s", c->url);
        at = end;
    }
    if (strcmp(at, ".crl") != 0) WORLD_FAIL(w, "its CRL is %s", c->url);
}

void cert_add(struct world *w, struct chy_span der, int32_t id)
{
    struct chy_err err = {0};
    struct chy_span url = {0};
    struct chy_cert *cert = malloc(sizeof(*cert));
    struct known_cert *c = &w->cert[w->n_certs];
    assert_non_null(cert);
    must(chy_cert_parse(der, cert, &err), &err);
    const struct chy_ext *cdp = chy_cert_find_ext(cert, chy_oid_crl_distribution_points);
    if (!cdp || !chy_cdp_first_url(cdp->value, &url) || url.n >= sizeof(c->url))
        WORLD_FAIL(w, "certificate %d does not say where its CRL is", id);
    *c = (struct known_cert){.id = id, .not_after = cert->not_after};
    memcpy(c->url, url.p, url.n);
    assert_int_equal(cert->serial.n, sizeof(c->serial));
    memcpy(c->serial, cert->serial.p, sizeof(c->serial));
    read_url(w, c);
    uint16_t *slot = slot_of(w, c->serial);
    if (*slot) WORLD_FAIL(w, "certificate %d has the serial of another", id);
    *slot = (uint16_t)++w->n_certs;
    free(cert);
}

bool cert_may(const struct known_cert *c, int32_t reason)
{
    bool on_hold = c->revoked && c->reason == CHY_CRL_REASON_CERTIFICATE_HOLD;
    if (reason == CHY_REVOKE_RELEASE) return on_hold;
    if (reason == CHY_CRL_REASON_CERTIFICATE_HOLD) return !c->revoked || on_hold;
    return true;
}

/* Of many at once: those that would not change are passed over. */
bool cert_is_so(const struct known_cert *c, int32_t reason)
{
    if (reason == CHY_REVOKE_KEEP_EXPIRED) return c->keep;
    if (reason == CHY_REVOKE_DROP_EXPIRED) return !c->keep;
    if (reason == CHY_REVOKE_RELEASE) return !c->revoked;
    return c->revoked && c->reason == reason;
}

void cert_apply(struct world *w, struct known_cert *c, const struct chy_revoke *what, chy_time from)
{
    struct chy_standing s;
    struct chy_err err = {0};
    if (what->reason == CHY_REVOKE_KEEP_EXPIRED || what->reason == CHY_REVOKE_DROP_EXPIRED) {
        c->keep = what->reason == CHY_REVOKE_KEEP_EXPIRED;
    } else if (what->reason == CHY_REVOKE_RELEASE) {
        c->revoked = false;
    } else {
        must(chy_ca_standing(w->e.ca, CHY_SPAN(c->serial), &s, &err), &err);
        chy_time now = world_now(w);
        if (what->effective_when != CHY_TIME_DEFAULT
                ? s.effective_when != what->effective_when
                : s.effective_when < from || s.effective_when > now)
            WORLD_FAIL(w, "certificate %d counts as revoked from another time on", c->id);
        c->revoked = true;
        c->reason = what->reason;
        c->effective = s.effective_when;
        c->invalidity = what->invalidity_when;
        c->changed_from = from;
        c->changed_to = now;
        c->seen_expired = false;
        c->keep = c->keep || w->rules.keeps_purpose;
    }
}

/* previous: the base before the one made at now. */
bool cert_is_on(const struct world *w, const struct known_cert *c,
                const struct chy_crl_record *base, bool whole)
{
    const struct known_crl *previous = base_before(w, base);
    if (!c->revoked || c->effective > base->this_publish || c->key != base->key_index) return false;
    if (!whole && c->shard != base->shard) return false;
    if (c->keep || w->rules.flags & CHY_CRLF_PUBLISH_EXPIRED_CERT_CRLS) return true;
    return !previous || c->not_after >= previous->record.this_publish;
}

/* ---- CRLs known ---- */
struct known_crl *newest_of(struct world *w, int32_t key, int32_t shard, bool is_delta)
{
    struct known_crl *found = NULL;
    for (size_t i = 0; i < w->n_crls; i++) {
        const struct chy_crl_record *r = &w->crl[i].record;
        if (r->key_index == key && r->shard == shard && r->is_delta == is_delta &&
            (!found || r->number > found->record.number))
            found = &w->crl[i];
    }
    return found;
}

const struct known_crl *base_before(const struct world *w, const struct chy_crl_record *r)
{
    const struct known_crl *found = NULL;
    for (size_t i = 0; i < w->n_crls; i++) {
        const struct chy_crl_record *b = &w->crl[i].record;
        if (b->key_index == r->key_index && b->shard == r->shard && !b->is_delta &&
            b->number < r->number && (!found || b->number > found->record.number))
            found = &w->crl[i];
    }
    return found;
}

/* The last moment at which a certificate of the key can be valid, and since when its newest
 * certificate is. */
chy_time key_end(struct world *w, int32_t key, chy_time *not_before)
{
    struct chy_ca_cert_info info;
    chy_time end = 0;
    for (int32_t i = 0; chy_ca_cert_info(w->e.ca, i, &info); i++) {
        if (info.key_index != key) continue;
        if (info.not_after > end) end = info.not_after;
        if (not_before) *not_before = info.not_before;
    }
    return end;
}

/* ---- times: AD CS's arithmetic, over the C library's calendar ---- */
chy_time plus(chy_time t, const struct units *u)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } fixed[] = {{"Minutes", 60}, {"Hours", 3600}, {"Days", 86400}, {"Weeks", 604800}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(fixed); i++) {
        if (strcmp(fixed[i].name, u->unit) == 0) return t + u->n * fixed[i].seconds * CHY_US_PER_S;
    }
    time_t seconds = (time_t)(t / CHY_US_PER_S);
    struct tm c;
    gmtime_r(&seconds, &c);
    int months = c.tm_year * 12 + c.tm_mon + u->n * (strcmp(u->unit, "Years") == 0 ? 12 : 1);
    struct tm first = {.tm_year = months / 12, .tm_mon = months % 12, .tm_mday = 1};
    struct tm next = {.tm_year = months / 12, .tm_mon = months % 12 + 1, .tm_mday = 1};
    int days = (int)((timegm(&next) - timegm(&first)) / 86400);
    c.tm_year = months / 12;
    c.tm_mon = months % 12;
    if (c.tm_mday > days) c.tm_mday = days;
    return (chy_time)timegm(&c) * CHY_US_PER_S + t % CHY_US_PER_S;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t overlap(const struct rules *r, bool is_delta, chy_time now)
{
    const struct units *given = is_delta ? &r->delta_overlap : &r->overlap;
    int64_t skew = r->skew_minutes * INT64_C(60);
    int64_t period = (plus(now, &r->period) - now) / CHY_US_PER_S;
    int64_t own = is_delta ? (plus(now, &r->delta) - now) / CHY_US_PER_S : period / 10;
    if (given->n) return (plus(now, given) - now) / CHY_US_PER_S + skew;
    return least(most(least(own, INT64_C(43200)), skew * 3 / 2), period) + skew;
}

/* Of the list before it of that kind: a skew that was set higher makes none older than that. */
static chy_time last_this_update(const struct world *w, const struct chy_crl_record *r)
{
    const struct chy_crl_record *last = NULL;
    for (size_t i = 0; i < w->n_crls; i++) {
        const struct chy_crl_record *b = &w->crl[i].record;
        if (b->key_index == r->key_index && b->shard == r->shard && b->is_delta == r->is_delta &&
            b->number < r->number && (!last || b->number > last->number))
            last = b;
    }
    return last ? last->this_update : 0;
}

void expect_times(struct world *w, const struct chy_crl_record *r, struct expected_times *out)
{
    bool is_delta = r->is_delta && !(r->flags & CHY_CPF_SHADOW);
    chy_time now = r->this_publish / CHY_US_PER_S * CHY_US_PER_S, not_before = 0;
    int64_t skew = w->rules.skew_minutes * 60 * CHY_US_PER_S;
    int64_t o = overlap(&w->rules, is_delta, now) * CHY_US_PER_S;
    (void)key_end(w, r->key_index, &not_before);
    out->this_update = most(most(now - skew, not_before), last_this_update(w, r));
    out->next_publish = plus(now, is_delta ? &w->rules.delta : &w->rules.period);
    out->next_update = out->next_publish + o;
    out->propagated = now + o;
    if (w->wanted == CHY_TIME_DEFAULT || !(r->flags & CHY_CPF_MANUAL)) return;
    out->next_publish = w->wanted;
    out->next_update = w->wanted + o + skew;
}

chy_time due_at(const struct world *w, const struct chy_crl_record *r)
{
    bool moved =
        !r->is_delta && w->rules.moved != CHY_TIME_DEFAULT && w->rules.moved > r->this_publish;
    return moved ? w->rules.moved : r->next_publish;
}
