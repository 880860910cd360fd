/* Random histories: certificates issued, revoked, held and released, clocks that pass years, CRLs
 * by the schedule and by hand, restarts, renewals, other settings. What follows from each step is
 * worked out by a model, and every CRL is held against it. */
#include "world.h"

static void say(const struct world *w, const char *what)
{
    if (getenv("CHANCERY_TRACE")) printf("%u %s\n", w->step, what);
}

static struct known_cert *any_cert(struct world *w)
{
    return w->n_certs ? &w->cert[pick(w, (uint32_t)w->n_certs)] : NULL;
}

/* ---- issuing ---- */
static void issue_one(struct world *w)
{
    struct answer a;
    struct chy_submission s = {.caller = officer, .request = chy_buf_span(&w->csr)};
    if (w->n_certs == CERTS_MAX) return;
    answer_init(&a);
    chy_ca_submit(w->e.ca, &s, answered, &a);
    answer_wait(&a);
    bool is_issued = a.status == CHY_S_OK && a.disposition == CHY_DB_DISP_ISSUED;
    /* An hour that begins where the clocks may differ by more has passed already. */
    if (!is_issued && w->rules.skew_minutes < 60)
        WORLD_FAIL(w, "not issued: %s %s", a.text, a.message);
    if (is_issued) cert_add(w, chy_buf_span(&a.cert), a.id);
    answer_free(&a);
}

static void issue(struct world *w)
{
    static const char *const unit[] = {"\"Hours\"", "\"Days\"", "\"Weeks\"", "\"Months\""};
    static const char *const number[] = {"1", "2", "3", "5", "9"};
    if (pick(w, 2)) {
        world_set(w, "ValidityPeriod", unit[pick(w, CHY_ARRAY_LEN(unit))]);
        world_set(w, "ValidityPeriodUnits", number[pick(w, CHY_ARRAY_LEN(number))]);
    }
    for (uint32_t n = 1 + pick(w, 6); n; n--)
        issue_one(w);
}

/* ---- revoking ---- */
static int32_t any_reason(struct world *w)
{
    static const int32_t reason[] = {0, 1, 2, 3, 4, 5, 6, 6, 6, 9, 10, -1, -1, -1, -1, -2, -3};
    return reason[pick(w, CHY_ARRAY_LEN(reason))];
}

static chy_time any_date(struct world *w)
{
    chy_time now = world_now(w);
    switch (pick(w, 6)) {
    case 0: return now - (int64_t)pick(w, 30 * 86400) * CHY_US_PER_S;
    case 1: return now + (int64_t)(60 + pick(w, 3600)) * CHY_US_PER_S + 1;
    case 2: return now + (int64_t)(60 + pick(w, 60 * 86400)) * CHY_US_PER_S + 1;
    default: return CHY_TIME_DEFAULT;
    }
}

static struct chy_revoke any_change(struct world *w)
{
    return (struct chy_revoke){any_reason(w), any_date(w),
                               pick(w, 4) ? CHY_TIME_DEFAULT : any_date(w)};
}

static void revoke_one(struct world *w)
{
    struct answer a;
    struct known_cert *c = any_cert(w);
    if (!c) return;
    struct chy_revoke what = any_change(w);
    /* Hold and release belong together, or there would be few of either. */
    if (c->revoked && c->reason == CHY_CRL_REASON_CERTIFICATE_HOLD && pick(w, 2))
        what.reason = CHY_REVOKE_RELEASE;
    chy_time from = world_now(w);
    bool counts = c->revoked && c->effective <= from;
    bool ends_later = what.reason >= 0 && what.effective_when > from; /* good again until then */
    bool may = cert_may(c, what.reason) && !(counts && ends_later);
    answer_init(&a);
    if (pick(w, 2))
        chy_ca_revoke(w->e.ca, &officer, CHY_SPAN(c->serial), &what, answered, &a);
    else
        chy_ca_revoke_id(w->e.ca, &officer, c->id, &what, answered, &a);
    answer_wait(&a);
    if (a.status != (may ? CHY_S_OK : CHY_ERROR_INVALID_DATA))
        WORLD_FAIL(w, "certificate %d, reason %d: %s", c->id, what.reason, a.text);
    answer_free(&a);
    if (may)
        cert_apply(w, c, &what, from);
    else
        w->refused++;
}

static void revoke(struct world *w)
{
    for (uint32_t n = 1 + pick(w, 3); n; n--) {
        revoke_one(w);
        if (n > 1 && w->rules.on_revoke) world_settle(w);
    }
}

/* An order that does not cover the revocation must not be taken for its publication. */
static void revoke_and_order(struct world *w)
{
    revoke_one(w);
    switch (pick(w, 3)) {
    case 0:
        (void)world_publish(w, CHY_CA_CRL_REPUBLISH, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT);
        break;
    case 1: (void)world_publish(w, CHY_CA_CRL_BASE, 0, CHY_TIME_DEFAULT); break;
    default:
        if (w->rules.delta.n)
            (void)world_publish(w, CHY_CA_CRL_DELTA, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT);
    }
}

/* Those of a stretch of ids, in several calls. */
static void revoke_many(struct world *w)
{
    struct chy_err err = {0};
    const struct known_cert *a = any_cert(w), *b = any_cert(w);
    if (!a) return;
    const struct chy_filter stretch[] = {
        {.column = "id", .seek = CHY_SEEK_GE, .number = a->id < b->id ? a->id : b->id},
        {.column = "id", .seek = CHY_SEEK_LE, .number = a->id < b->id ? b->id : a->id}};
    struct chy_revoke_many many = {.query = {.filter = stretch, .n_filter = 2},
                                   .what = any_change(w),
                                   .spares_revoked = !pick(w, 4),
                                   .limit = 1 + pick(w, 20)};
    many.what.effective_when = CHY_TIME_DEFAULT;
    bool *changes = calloc(w->n_certs, sizeof(*changes));
    uint64_t expected = 0;
    assert_non_null(changes);
    for (size_t i = 0; i < w->n_certs; i++) {
        const struct known_cert *c = &w->cert[i];
        changes[i] = c->id >= stretch[0].number && c->id <= stretch[1].number &&
                     cert_may(c, many.what.reason) && !cert_is_so(c, many.what.reason) &&
                     !(many.spares_revoked && c->revoked);
        expected += changes[i];
    }
    chy_time from = world_now(w);
    do
        must(chy_ca_revoke_many(w->e.ca, &officer, &many, &err), &err);
    while (many.after_id);
    for (size_t i = 0; i < w->n_certs; i++) {
        if (changes[i]) cert_apply(w, &w->cert[i], &many.what, from);
    }
    if (many.changed != expected)
        WORLD_FAIL(w, "%llu changed, not %llu", (unsigned long long)many.changed,
                   (unsigned long long)expected);
    free(changes);
}

/* ---- time ---- */
static chy_time next_date(struct world *w)
{
    chy_time now = world_now(w), at = CHY_TIME_DEFAULT;
    struct chy_ca_cert_info info;
    for (int32_t i = 0; chy_ca_cert_info(w->e.ca, i, &info); i++) {
        for (int32_t shard = 0; shard <= w->shards[i]; shard++) {
            const struct known_crl *k = newest_of(w, i, shard, false);
            chy_time due = k ? due_at(w, &k->record) : now;
            if (due > now && (at == CHY_TIME_DEFAULT || due < at)) at = due;
        }
    }
    return at;
}

static void pass_until(struct world *w, chy_time when)
{
    chy_time now = world_now(w);
    if (when > now) world_pass(w, (when - now) / CHY_US_PER_S + 1);
}

static void pass(struct world *w)
{
    const struct known_cert *c = any_cert(w);
    switch (pick(w, 8)) {
    case 0: world_pass(w, 1 + pick(w, 3600)); break;
    case 1:
    case 2: world_pass(w, 1 + pick(w, 86400)); break;
    case 3: world_pass(w, 1 + pick(w, 10 * 86400)); break;
    case 4: world_pass(w, 1 + pick(w, 60 * 86400)); break; /* the machine slept */
    case 5:
        if (c && c->not_after - world_now(w) < 100 * INT64_C(86400) * CHY_US_PER_S)
            pass_until(w, c->not_after + (int64_t)pick(w, 2) * CHY_US_PER_S);
        break;
    case 6:
        if (c && c->revoked && c->effective - world_now(w) < 100 * INT64_C(86400) * CHY_US_PER_S)
            pass_until(w, c->effective);
        break;
    default:
        for (uint32_t n = 1 + pick(w, 6); n; n--) {
            pass_until(w, next_date(w));
            if (n > 1) world_settle(w);
        }
    }
}

/* ---- publishing by hand ---- */
static void order(struct world *w)
{
    uint32_t flags = pick(w, 3) ? CHY_CA_CRL_BASE : CHY_CA_CRL_DELTA;
    int32_t shard = pick(w, 4) ? CHY_CRL_SHARD_ANY : (int32_t)pick(w, 3);
    struct chy_ca_cert_info info;
    (void)chy_ca_cert_info(w->e.ca, -1, &info);
    int32_t last = w->shards[info.key_index];
    if (info.key_index >= 0 && w->rules.shards > last) last = w->rules.shards;
    if (pick(w, 6) == 0) flags |= CHY_CA_CRL_BASE | CHY_CA_CRL_DELTA;
    if (pick(w, 10) == 0) flags = CHY_CA_CRL_REPUBLISH;
    if (pick(w, 6) == 0)
        w->wanted = world_now(w) + ((int64_t)pick(w, 20 * 86400) - 86400) * CHY_US_PER_S;
    bool is_past = w->wanted != CHY_TIME_DEFAULT && w->wanted <= world_now(w);
    bool ok = shard <= last && !(flags == CHY_CA_CRL_DELTA && !w->rules.delta.n);
    struct chy_crl_result r = world_publish(w, flags, shard, w->wanted);
    if (ok && is_past && flags != CHY_CA_CRL_REPUBLISH)
        ok = r.status == CHY_S_OK && r.made == 0; /* no CRL was to be made */
    if (ok ? r.status != CHY_S_OK : r.status != CHY_E_INVALIDARG)
        WORLD_FAIL(w, "flags %u, shard %d: %s", flags, shard, r.err.text);
    check_new_crls(w);
    w->wanted = CHY_TIME_DEFAULT;
}

/* ---- settings ---- */
static void set_number(struct world *w, const char *path, int64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)n);
    world_set(w, path, text);
}

static void set_units(struct world *w, const char *unit_path, const char *number_path,
                      struct units *u)
{
    char text[24];
    snprintf(text, sizeof(text), "\"%s\"", u->unit);
    world_set(w, unit_path, text);
    set_number(w, number_path, u->n);
}

static void set_shards(struct world *w)
{
    struct rules *r = &w->rules;
    if (pick(w, 8) == 0)
        r->shards = 0;
    else if (r->shards < SHARDS_MAX - 1)
        r->shards++;
    set_number(w, "CRLMaxPartitions", r->shards);
}

static void set_flags(struct world *w)
{
    static const uint32_t bit[] = {
        CHY_CRLF_CRLPARTITION_ZERO_EXCLUSIVE, CHY_CRLF_CRLPARTITION_ZERO_EXCLUSIVE,
        CHY_CRLF_DELTA_USE_OLDEST_UNEXPIRED_BASE, CHY_CRLF_PUBLISH_EXPIRED_CERT_CRLS};
    w->rules.flags ^= bit[pick(w, CHY_ARRAY_LEN(bit))];
    set_number(w, "CRLFlags", w->rules.flags);
}

/* Whoever lets bases tell of revocations from now on publishes one first. */
static void set_on_revoke(struct world *w)
{
    static const char *const name[] = {"\"no\"", "\"base\"", "\"delta\""};
    int was = w->rules.on_revoke;
    w->rules.on_revoke = (int)pick(w, 3);
    world_set(w, "CRLPublishOnRevoke", name[w->rules.on_revoke]);
    if (was == 2) (void)world_publish(w, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT);
}

static void set_deltas(struct world *w)
{
    static const struct units some[] = {{"Days", 0}, {"Hours", 6}, {"Days", 1}, {"Days", 3}};
    w->rules.delta = some[w->rules.delta.n && pick(w, 2) ? 0 : pick(w, CHY_ARRAY_LEN(some))];
    set_units(w, "CRLDeltaPeriod", "CRLDeltaPeriodUnits", &w->rules.delta);
    (void)world_publish(w, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT);
}

static void set_moved(struct world *w)
{
    char text[40], json[48];
    w->rules.moved = world_now(w) + (int64_t)pick(w, 40 * 86400) * CHY_US_PER_S;
    w->rules.moved -= w->rules.moved % CHY_US_PER_S;
    chy_time_format(text, w->rules.moved);
    snprintf(json, sizeof(json), "\"%s\"", text);
    world_set(w, "CRLNextPublish", json);
}

static void settings(struct world *w)
{
    static const struct units period[] = {{"Hours", 12}, {"Days", 1},   {"Days", 5},  {"Weeks", 1},
                                          {"Weeks", 2},  {"Months", 1}, {"Months", 3}};
    static const struct units overlap[] = {{"Hours", 0}, {"Hours", 0}, {"Hours", 5}, {"Days", 2}};
    static const struct units small[] = {{"Minutes", 0}, {"Minutes", 30}, {"Hours", 3}};
    static const int skew[] = {0, 10, 30, 1000};
    struct rules *r = &w->rules;
    switch (pick(w, 11)) {
    case 0:
        r->period = period[pick(w, CHY_ARRAY_LEN(period))];
        set_units(w, "CRLPeriod", "CRLPeriodUnits", &r->period);
        break;
    case 1:
    case 2: set_deltas(w); break;
    case 3:
        r->overlap = overlap[pick(w, CHY_ARRAY_LEN(overlap))];
        set_units(w, "CRLOverlapPeriod", "CRLOverlapUnits", &r->overlap);
        break;
    case 4:
        r->delta_overlap = small[pick(w, CHY_ARRAY_LEN(small))];
        set_units(w, "CRLDeltaOverlapPeriod", "CRLDeltaOverlapUnits", &r->delta_overlap);
        break;
    case 5:
        r->skew_minutes = skew[pick(w, CHY_ARRAY_LEN(skew))];
        set_number(w, "ClockSkewMinutes", r->skew_minutes);
        break;
    case 6: set_shards(w); break;
    case 7: set_flags(w); break;
    case 8: set_on_revoke(w); break;
    case 9:
        r->keeps_purpose = !r->keeps_purpose;
        world_set(w, "EKUOIDsForPublishExpiredCertInCRL",
                  r->keeps_purpose ? "[\"1.3.6.1.5.5.7.3.1\"]" : "[]");
        break;
    default: set_moved(w);
    }
}

/* ---- the CA itself ---- */
static void restart(struct world *w)
{
    world_close(w);
    if (pick(w, 2)) world_pass(w, 1 + pick(w, pick(w, 2) ? 86400 : 20 * 86400));
    world_open(w);
    w->restarts++;
}

static void renew(struct world *w)
{
    struct chy_err err = {0};
    int32_t index = 0;
    const struct chy_ca_renew how = {.new_key = pick(w, 2), .days = 60 + (int)pick(w, 300)};
    if (chy_ca_cert_count(w->e.ca) >= KEYS_MAX) return;
    must(chy_ca_renew(w->e.ca, &officer, &how, &index, &err), &err);
    w->renewals++;
}

/* A CA whose own certificate ends has to be renewed before anything else. */
static void stay_alive(struct world *w)
{
    struct chy_ca_cert_info info;
    (void)chy_ca_cert_info(w->e.ca, -1, &info);
    if (info.not_after > world_now(w) + 2 * INT64_C(86400) * CHY_US_PER_S) return;
    renew(w);
    world_settle(w);
}

/* The wall clock is wrong: nothing is signed until it is right. */
static void disturb_clock(struct world *w)
{
    struct answer a;
    struct chy_submission s = {.caller = officer, .request = chy_buf_span(&w->csr)};
    int64_t by = (int64_t)(400 + pick(w, 30 * 86400)) * CHY_US_PER_S;
    atomic_store(&w->jumped, pick(w, 2) ? by : -by);
    struct chy_crl_result r =
        world_publish(w, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT);
    if (r.status != CHY_CERTSRV_E_SERVER_SUSPENDED || r.made)
        WORLD_FAIL(w, "a CRL was made by a wrong clock: %s", r.err.text);
    answer_init(&a);
    chy_ca_submit(w->e.ca, &s, answered, &a);
    answer_wait(&a);
    if (a.disposition == CHY_DB_DISP_ISSUED) WORLD_FAIL(w, "issued by a wrong clock");
    answer_free(&a);
    atomic_store(&w->jumped, 0);
    r = world_publish(w, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT);
    if (r.status != CHY_S_OK) WORLD_FAIL(w, "the clock is right again: %s", r.err.text);
}

/* ---- the play ---- */
static const struct {
    const char *name;
    void (*fn)(struct world *w);
    uint32_t weight;
} steps[] = {
    {"issue", issue, 14},
    {"revoke", revoke, 26},
    {"revoke and order", revoke_and_order, 5},
    {"revoke many", revoke_many, 4},
    {"time passes", pass, 30},
    {"order", order, 14},
    {"settings", settings, 14},
    {"restart", restart, 5},
    {"renew", renew, 2},
    {"wrong clock", disturb_clock, 3},
};

static void one_step(struct world *w)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(steps); i++)
        sum += steps[i].weight;
    uint32_t at = pick(w, sum);
    size_t i = 0;
    while (at >= steps[i].weight)
        at -= steps[i++].weight;
    w->doing = "staying alive";
    stay_alive(w);
    w->doing = steps[i].name;
    say(w, w->doing);
    steps[i].fn(w);
    world_settle(w);
}

static void play(uint64_t seed, unsigned n)
{
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    world_begin(w, seed);
    world_settle(w);
    for (w->step = 1; w->step <= n; w->step++)
        one_step(w);
    printf("CHANCERY_SEED=%llu: %u steps in %lld days, %zu certificates, %lu restarts, %lu "
           "renewals, %lu refused; %lu CRLs (%lu replaced unseen), %lu entries, %lu pairs of base "
           "and delta, %lu by OpenSSL\n",
           (unsigned long long)seed, n,
           (long long)((world_now(w) - w->began) / CHY_US_PER_S / 86400), w->n_certs, w->restarts,
           w->renewals, w->refused, w->crls_made, w->crls_unseen, w->entries, w->composed,
           w->opened);
    world_end(w);
    free(w);
}

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *given = getenv(name);
    return given ? (unsigned)strtoul(given, NULL, 10) : otherwise;
}

static void test_random_histories_then_every_crl_is_what_the_model_says(void **state)
{
    (void)state;
    bool slow = getenv("CHANCERY_SLOW") != NULL;
    const char *given = getenv("CHANCERY_SEED");
    unsigned steps_each = number_from("CHANCERY_STEPS", slow ? 400 : 120);
    unsigned histories = given ? 1 : number_from("CHANCERY_HISTORIES", slow ? 300 : 6);
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)chy_now(&chy_system_clock);
    for (unsigned i = 0; i < histories; i++)
        play(seed + i, steps_each);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories_then_every_crl_is_what_the_model_says),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
