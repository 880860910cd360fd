/* Revoking and publishing through the engine: what an officer may do, what stands on the CRLs, and
 * what is left after a restart. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca/ca_internal.h"
#include "ca/publisher.h"
#include "engine.h"
#include "pki/crl.h"

static void revoke_as(struct engine *e, const struct answer *cert, int32_t reason, chy_time when,
                      struct answer *out)
{
    const struct chy_revoke what = {reason, when, CHY_TIME_DEFAULT};
    answer_init(out);
    chy_ca_revoke(e->ca, &officer, CHY_SPAN(cert->serial), &what, answered, out);
    answer_wait(out);
}

static void must_revoke(struct engine *e, const struct answer *cert, int32_t reason)
{
    struct answer a;
    revoke_as(e, cert, reason, CHY_TIME_DEFAULT, &a);
    if (a.status != CHY_S_OK) fail_msg("reason %d: %s", reason, a.text);
    answer_free(&a);
}

static void must_not_revoke(struct engine *e, const struct answer *cert, int32_t reason,
                            chy_hresult status, const char *why)
{
    struct answer a;
    revoke_as(e, cert, reason, CHY_TIME_DEFAULT, &a);
    assert_int_equal(a.status, status);
    if (!strstr(a.text, why)) fail_msg("\"%s\" is not in \"%s\"", why, a.text);
    answer_free(&a);
}

static struct chy_crl_result publish(struct engine *e, uint32_t flags, int32_t shard)
{
    return engine_publish(e, flags, shard, CHY_TIME_DEFAULT);
}

/* The current CRL, parsed; whole owns its octets. */
static void read_crl(struct engine *e, int32_t shard, bool is_delta, struct chy_buf *whole,
                     struct chy_crl *crl)
{
    struct chy_err err = {0};
    struct chy_crl_info info;
    int fd;
    must(chy_ca_crl_open(e->ca, -1, shard, is_delta, &fd, &info, &err), &err);
    chy_buf_init(whole, 16 << 20);
    assert_true(chy_buf_reserve(whole, (size_t)info.record.size));
    assert_int_equal(read(fd, whole->p, (size_t)info.record.size), info.record.size);
    whole->n = (size_t)info.record.size;
    close(fd);
    must(chy_crl_parse(chy_buf_span(whole), crl, &err), &err);
}

/* The reason with which the certificate stands on the current CRL; -1: it does not. */
static int32_t on_crl(struct engine *e, const struct answer *cert, bool is_delta)
{
    struct chy_buf whole;
    struct chy_crl *crl = malloc(sizeof(*crl));
    struct chy_crl_entry entry;
    size_t pos = 0;
    int32_t found = -1;
    read_crl(e, 0, is_delta, &whole, crl);
    while (chy_crl_entry_next(crl->entries, &pos, &entry)) {
        if (chy_span_eq(entry.serial, CHY_SPAN(cert->serial))) found = entry.reason;
    }
    assert_int_equal(pos, crl->entries.n);
    chy_buf_free(&whole);
    free(crl);
    return found;
}

static void set(struct engine *e, const char *path, const char *json)
{
    struct chy_err err = {0};
    must(chy_ca_config_set(e->ca, &officer, path, json, &err), &err);
}

static void begin(struct engine *e)
{
    engine_make(e, "1");
    engine_open(e);
    set(e, "CRLPublishOnRevoke", "\"no\"");
}

static void test_what_is_revoked_stands_on_the_next_crl(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b;
    begin(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    submit_to(e.ca, "b.example.test", "", &b);
    must_revoke(&e, &a, CHY_CRL_REASON_KEY_COMPROMISE);
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(r.made, 1);
    assert_int_equal(on_crl(&e, &a, false), CHY_CRL_REASON_KEY_COMPROMISE);
    assert_int_equal(on_crl(&e, &b, false), -1);
    engine_shut(&e);
    engine_open(&e);
    assert_int_equal(on_crl(&e, &a, false), CHY_CRL_REASON_KEY_COMPROMISE);
    struct chy_crl_result again = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(again.status, &again.err);
    assert_true(again.number > r.number);
    answer_free(&a);
    answer_free(&b);
    engine_end(&e);
}

static void test_states_obey_the_rules_of_ad_cs(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    chy_long disposition = 0, reason = 0;
    struct chy_err err = {0};
    begin(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    must_not_revoke(&e, &a, CHY_REVOKE_RELEASE, CHY_ERROR_INVALID_DATA, "not on hold");
    must_not_revoke(&e, &a, 7, CHY_E_INVALIDARG, "reason 7");
    must_not_revoke(&e, &a, CHY_CRL_REASON_REMOVE_FROM_CRL, CHY_E_INVALIDARG, "reason 8");
    must_revoke(&e, &a, CHY_CRL_REASON_CERTIFICATE_HOLD);
    must(chy_ca_is_valid(e.ca, &officer, CHY_SPAN(a.serial), &disposition, &reason, &err), &err);
    assert_int_equal(disposition, CHY_CA_DISP_REVOKED);
    assert_int_equal(reason, CHY_CRL_REASON_CERTIFICATE_HOLD);
    must_revoke(&e, &a, CHY_REVOKE_RELEASE);
    must(chy_ca_is_valid(e.ca, &officer, CHY_SPAN(a.serial), &disposition, &reason, &err), &err);
    assert_int_equal(disposition, CHY_CA_DISP_VALID);
    must_revoke(&e, &a, CHY_CRL_REASON_CERTIFICATE_HOLD);
    must_revoke(&e, &a, CHY_CRL_REASON_SUPERSEDED);
    must_not_revoke(&e, &a, CHY_CRL_REASON_CERTIFICATE_HOLD, CHY_ERROR_INVALID_DATA, "for good");
    must_not_revoke(&e, &a, CHY_REVOKE_RELEASE, CHY_ERROR_INVALID_DATA, "not on hold");
    must_revoke(&e, &a, CHY_CRL_REASON_KEY_COMPROMISE);
    a.serial[19] ^= 1;
    must_not_revoke(&e, &a, 1, CHY_E_INVALIDARG, "no certificate");
    answer_free(&a);
    engine_end(&e);
}

/* The date counts, not when it was said. */
static void test_a_date_ahead_counts_from_then_on(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, r;
    struct chy_row row;
    struct chy_err err = {0};
    struct chy_arena arena;
    chy_long disposition = 0, reason = 0;
    begin(&e);
    chy_arena_init(&arena, 1 << 20);
    submit_to(e.ca, "a.example.test", "", &a);
    revoke_as(&e, &a, 4, chy_now(&e.clock) + 3600 * CHY_US_PER_S, &r);
    assert_int_equal(r.status, CHY_S_OK);
    must(chy_ca_is_valid(e.ca, &officer, CHY_SPAN(a.serial), &disposition, &reason, &err), &err);
    assert_int_equal(disposition, CHY_CA_DISP_VALID);
    (void)publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    assert_int_equal(on_crl(&e, &a, false), -1);
    e.wall_shift = e.mono_shift = INT64_C(3601) * CHY_US_PER_S;
    (void)publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    assert_int_equal(on_crl(&e, &a, false), 4);
    must(chy_ca_request(e.ca, &officer, a.id, &arena, &row, &err), &err);
    assert_int_equal(row.disposition, CHY_DB_DISP_REVOKED);
    chy_arena_free(&arena);
    answer_free(&a);
    answer_free(&r);
    engine_end(&e);
}

static void test_a_delta_tells_what_changed(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b;
    begin(&e);
    set(&e, "CRLDeltaPeriodUnits", "1");
    submit_to(e.ca, "a.example.test", "", &a);
    submit_to(e.ca, "b.example.test", "", &b);
    must_revoke(&e, &a, CHY_CRL_REASON_CERTIFICATE_HOLD);
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(r.made, 2);
    must_revoke(&e, &a, CHY_REVOKE_RELEASE);
    must_revoke(&e, &b, CHY_CRL_REASON_UNSPECIFIED);
    r = publish(&e, CHY_CA_CRL_DELTA, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(r.made, 1);
    assert_int_equal(on_crl(&e, &a, true), CHY_CRL_REASON_REMOVE_FROM_CRL);
    assert_int_equal(on_crl(&e, &b, true), CHY_CRL_REASON_UNSPECIFIED);
    assert_int_equal(on_crl(&e, &a, false), CHY_CRL_REASON_CERTIFICATE_HOLD);
    answer_free(&a);
    answer_free(&b);
    engine_end(&e);
}

static uint64_t base_of_delta(struct engine *e)
{
    struct chy_err err = {0};
    struct chy_crl_info info;
    int fd;
    must(chy_ca_crl_open(e->ca, -1, 0, true, &fd, &info, &err), &err);
    close(fd);
    return info.record.base_number;
}

/* CRLF_DELTA_USE_OLDEST_UNEXPIRED_BASE: however many there are. */
static void test_a_delta_serves_who_has_the_oldest_base(void **state)
{
    (void)state;
    struct engine e;
    uint64_t oldest = 0;
    begin(&e);
    set(&e, "CRLDeltaPeriodUnits", "1");
    set(&e, "CRLFlags", "1");
    for (int i = 0; i < 50; i++) {
        struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
        must(r.status, &r.err);
        if (i == 0) oldest = base_of_delta(&e);
        assert_int_equal(base_of_delta(&e), oldest);
    }
    engine_end(&e);
}

static void test_shards_divide_the_certificates(void **state)
{
    (void)state;
    enum { N = 12 };
    struct engine e;
    struct answer a[N];
    struct chy_crl_info info[8];
    size_t seen = 0;
    begin(&e);
    set(&e, "CRLPublicationURLs", "[\"2:http://crl.example.test/%3<CRLPartitionIndex>%8%9.crl\"]");
    set(&e, "CRLFlags", "8388610");
    set(&e, "CRLMaxPartitions", "3");
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(chy_ca_crls(e.ca, info, CHY_ARRAY_LEN(info)), 4); /* this order's, or before */
    for (int i = 0; i < N; i++) {
        submit_to(e.ca, "a.example.test", "", &a[i]);
        must_revoke(&e, &a[i], CHY_CRL_REASON_SUPERSEDED);
    }
    r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    for (int32_t shard = 0; shard <= 3; shard++) {
        struct chy_buf whole;
        struct chy_crl *crl = malloc(sizeof(*crl));
        struct chy_crl_entry entry;
        size_t pos = 0;
        read_crl(&e, shard, false, &whole, crl);
        while (chy_crl_entry_next(crl->entries, &pos, &entry))
            seen++;
        chy_buf_free(&whole);
        free(crl);
    }
    assert_int_equal(seen, N);
    must_revoke(&e, &a[0], CHY_CRL_REASON_KEY_COMPROMISE);
    r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(r.made, 1); /* the others have not changed */
    for (int i = 0; i < N; i++)
        answer_free(&a[i]);
    engine_end(&e);
}

/* RFC 5280 6.3.3 b 2: the list of a point has one of its names, or nobody takes it for that. */
static void test_a_list_names_the_points_of_its_certificates(void **state)
{
    (void)state;
    static const char *const max[] = {"0", "2"};
    struct engine e;
    begin(&e);
    set(&e, "CRLPublicationURLs",
        "[\"2:http://a.example.test/%3<CRLPartitionIndex>.crl\","
        "\"128:http://old.example.test/%3<CRLPartitionIndex>.crl\"]");
    for (int32_t shard = 0; shard < 2; shard++) {
        struct chy_buf whole;
        struct chy_crl *crl = malloc(sizeof(*crl));
        struct chy_span point = {0};
        set(&e, "CRLMaxPartitions", max[shard]);
        struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
        must(r.status, &r.err);
        read_crl(&e, shard, false, &whole, crl);
        for (size_t i = 0; i < crl->n_ext; i++) {
            if (chy_span_eq(crl->ext[i].oid, chy_oid_issuing_distribution_point))
                point = crl->ext[i].value;
        }
        assert_true(point.n && memmem(point.p, point.n, "http://a.example.test/", 22));
        assert_true(memmem(point.p, point.n, "http://old.example.test/", 24));
        chy_buf_free(&whole);
        free(crl);
    }
    engine_end(&e);
}

/* Each of them would have stopped all certificates, or all CRLs. */
static void test_what_no_list_can_have_is_not_set(void **state)
{
    (void)state;
    static const char *const urls[] = {"[\"3:/srv/www/%3.crl\"]", "[\"129:/srv/www/%3.crl\"]",
                                       "[\"/srv/www/%3.crl\"]", "[\"2:http:///%3.crl\"]",
                                       "[\"2:http://a b/%3.crl\"]"};
    struct engine e;
    struct chy_err err = {0};
    begin(&e);
    for (size_t i = 0; i < CHY_ARRAY_LEN(urls); i++) {
        chy_err_clear(&err);
        if (chy_ca_config_set(e.ca, &officer, "CRLPublicationURLs", urls[i], &err) !=
                CHY_E_INVALIDARG ||
            !strstr(err.text, "no absolute URL"))
            fail_msg("%s: %s", urls[i], err.text);
    }
    chy_err_clear(&err);
    assert_int_equal(chy_ca_config_set(e.ca, &officer, "CRLFlags", "50331648", &err),
                     CHY_E_INVALIDARG);
    set(&e, "CRLPublicationURLs", "[\"65:/tmp/%3%9.crl\",\"14:ldap:///CN=%7,CN=CDP%10\"]");
    engine_end(&e);
}

static void test_many_are_revoked_by_a_filter(void **state)
{
    (void)state;
    enum { N = 30 };
    struct engine e;
    struct answer a;
    struct chy_err err = {0};
    int64_t n = 0;
    begin(&e);
    for (int i = 0; i < N; i++) {
        submit_to(e.ca, i % 3 ? "a.example.test" : "b.example.test", "", &a);
        answer_free(&a);
    }
    const struct chy_filter by_name = {.column = "common_name",
                                       .seek = CHY_SEEK_EQ,
                                       .is_text = true,
                                       .text = CHY_SPAN_STR("b.example.test")};
    struct chy_revoke_many many = {
        .query = {.filter = &by_name, .n_filter = 1},
        .what = {CHY_CRL_REASON_SUPERSEDED, CHY_TIME_DEFAULT, CHY_TIME_DEFAULT},
        .limit = 4};
    must(chy_ca_count(e.ca, &officer, &many.query, &n, &err), &err);
    assert_int_equal(n, N / 3);
    int calls = 0;
    do
        must(chy_ca_revoke_many(e.ca, &officer, &many, &err), &err);
    while (many.after_id && ++calls < 10);
    assert_int_equal(many.changed, N / 3);
    many.changed = many.unchanged = 0;
    must(chy_ca_revoke_many(e.ca, &officer, &many, &err), &err);
    assert_int_equal(many.changed, 0);
    engine_end(&e);
}

/* The old key keeps its CRL, the new one has its own, and certificates name the one that signed. */
static void test_a_renewed_ca_keeps_the_crls_of_its_old_key(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b;
    struct chy_err err = {0};
    struct chy_crl_info info[4];
    struct chy_cert *cert = malloc(sizeof(*cert));
    int32_t index = 0;
    begin(&e);
    set(&e, "CRLPublicationURLs", "[\"2:http://crl.example.test/%3%8%9.crl\"]");
    submit_to(e.ca, "a.example.test", "", &a);
    must_revoke(&e, &a, CHY_CRL_REASON_SUPERSEDED);
    const struct chy_ca_renew new_key = {.new_key = true, .key_alg = "p384"};
    const struct chy_ca_renew same_key = {.new_key = false};
    must(chy_ca_renew(e.ca, &officer, &new_key, &index, &err), &err);
    assert_int_equal(index, 1);
    must(chy_ca_renew(e.ca, &officer, &same_key, &index, &err), &err);
    assert_int_equal(index, 2);
    submit_to(e.ca, "b.example.test", "", &b);
    must_revoke(&e, &b, CHY_CRL_REASON_KEY_COMPROMISE);
    must(chy_cert_parse(chy_buf_span(&b.cert), cert, &err), &err);
    assert_string_equal(cert->sig_alg->name, "ecdsa-sha384");
    const struct chy_ext *cdp = chy_cert_find_ext(cert, chy_oid_crl_distribution_points);
    struct chy_span url;
    assert_true(chy_cdp_first_url(cdp->value, &url));
    if (!memmem(url.p, url.n, "CA(1).crl", 9)) fail_msg("%.*s", (int)url.n, (const char *)url.p);
    engine_shut(&e);
    engine_open(&e);
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(r.made, 2);
    assert_int_equal(chy_ca_crls(e.ca, info, 4), 2);
    assert_int_equal(info[0].record.key_index, 0);
    assert_int_equal(info[0].record.entries, 1);
    assert_int_equal(info[1].record.key_index, 1);
    assert_int_equal(info[1].record.entries, 1);
    assert_int_equal(on_crl(&e, &b, false), CHY_CRL_REASON_KEY_COMPROMISE);
    assert_int_equal(on_crl(&e, &a, false), -1);
    assert_int_equal(chy_ca_cert_count(e.ca), 3);
    answer_free(&a);
    answer_free(&b);
    free(cert);
    engine_end(&e);
}

/* As a database from before the rule may have it. */
static void date_back(struct engine *e, const struct answer *cert, chy_time when)
{
    struct chy_store *store = e->ca->store;
    struct chy_err err = {0};
    struct chy_arena arena;
    struct chy_row row;
    struct chy_revocation r;
    const struct chy_revoke what = {CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT,
                                    CHY_TIME_DEFAULT};
    struct chy_settings *s = chy_settings_get(e->ca);
    chy_arena_init(&arena, 1 << 20);
    must(store->ops->get(store, cert->id, &arena, &row, &err), &err);
    must(chy_revoke_decide(e->ca, s, &row, &what, &r, &err), &err);
    r.effective_when = when;
    struct chy_write w = {.kind = CHY_WRITE_REVOKE, .revocation = &r, .when = r.revoked_when};
    must(chy_store_write_wait(store, &w, &err), &err);
    chy_settings_unref(s);
    chy_arena_free(&arena);
}

/* One date that no list can have would keep all others from being told. */
static void test_a_date_before_all_lists_stops_none(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b, r;
    struct chy_err err = {0};
    begin(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    submit_to(e.ca, "b.example.test", "", &b);
    revoke_as(&e, &a, 1, -1, &r);
    assert_int_equal(r.status, CHY_E_INVALIDARG);
    assert_non_null(strstr(r.text, "from 1970"));
    answer_free(&r);
    struct chy_revoke_many many = {.what = {1, CHY_TIME_DEFAULT, CHY_TIME_LAST + 1}, .limit = 10};
    assert_int_equal(chy_ca_revoke_many(e.ca, &officer, &many, &err), CHY_E_INVALIDARG);
    must_revoke(&e, &a, 1);
    must_revoke(&e, &b, 3);
    date_back(&e, &a, INT64_C(-300000000) * CHY_US_PER_S);
    struct chy_crl_result made = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(made.status, &made.err);
    assert_int_equal(on_crl(&e, &a, false), 1);
    assert_int_equal(on_crl(&e, &b, false), 3);
    answer_free(&a);
    answer_free(&b);
    engine_end(&e);
}

/* Only a release undoes a revocation, and only that of a hold. */
static void test_a_date_ahead_undoes_nothing(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, r;
    begin(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    chy_time later = chy_now(&e.clock) + 3600 * CHY_US_PER_S;
    for (int32_t reason = CHY_CRL_REASON_CERTIFICATE_HOLD; reason > 0; reason -= 5) {
        must_revoke(&e, &a, reason);
        revoke_as(&e, &a, CHY_CRL_REASON_SUPERSEDED, later, &r);
        assert_int_equal(r.status, CHY_ERROR_INVALID_DATA);
        assert_non_null(strstr(r.text, "good again"));
        answer_free(&r);
    }
    must_revoke(&e, &a, CHY_CRL_REASON_SUPERSEDED);
    answer_free(&a);
    engine_end(&e);
}

/* P9, P17: less than the clock may be wrong by without being noticed. */
static void test_a_clock_that_is_set_back_a_little_undoes_nothing(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_err err = {0};
    struct chy_crl_info before, after;
    chy_long disposition = 0, reason = 0;
    begin(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    must_revoke(&e, &a, CHY_CRL_REASON_KEY_COMPROMISE);
    (void)publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    assert_int_equal(chy_ca_crls(e.ca, &before, 1), 1);
    e.wall_shift = INT64_C(-200) * CHY_US_PER_S;
    must(chy_ca_is_valid(e.ca, &officer, CHY_SPAN(a.serial), &disposition, &reason, &err), &err);
    assert_int_equal(disposition, CHY_CA_DISP_REVOKED);
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(on_crl(&e, &a, false), CHY_CRL_REASON_KEY_COMPROMISE);
    assert_int_equal(chy_ca_crls(e.ca, &after, 1), 1);
    assert_true(after.record.number > before.record.number);
    assert_true(after.record.this_update >= before.record.this_update);
    answer_free(&a);
    engine_end(&e);
}

static struct chy_crl_info current(struct engine *e)
{
    struct chy_crl_info info;
    assert_int_equal(chy_ca_crls(e->ca, &info, 1), 1);
    return info;
}

static struct chy_crl_info newer_than(struct engine *e, uint64_t number)
{
    struct chy_crl_info info = current(e);
    for (int i = 0; i < 1000 && info.record.number <= number; i++) {
        usleep(20000);
        info = current(e);
    }
    assert_true(info.record.number > number);
    return info;
}

/* The machine began with a wrong date, and a CRL was due then: it holds for nobody. */
static void test_a_list_of_a_time_to_come_is_made_anew(void **state)
{
    (void)state;
    const int64_t wrong = INT64_C(20) * 86400 * CHY_US_PER_S;
    struct engine e;
    struct answer a;
    begin(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    must_revoke(&e, &a, CHY_CRL_REASON_SUPERSEDED);
    (void)publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    engine_shut(&e);
    e.wall_shift = wrong;
    engine_open(&e);
    (void)publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    struct chy_crl_info early = current(&e);
    assert_true(early.record.this_update > chy_now(&chy_system_clock));
    engine_shut(&e);
    e.wall_shift = 0;
    engine_open(&e);
    struct chy_crl_info now = newer_than(&e, early.record.number);
    assert_true(now.record.this_update <= chy_now(&e.clock));
    assert_int_equal(on_crl(&e, &a, false), CHY_CRL_REASON_SUPERSEDED);
    answer_free(&a);
    engine_end(&e);
}

static void lose_current(struct engine *e)
{
    char path[512];
    struct chy_crl_info info = current(e);
    chy_crl_file(e->ca, &info.record, path, sizeof(path));
    assert_int_equal(unlink(path), 0);
}

/* Whoever copies a database alone, or sweeps too much, does not take revocation away for a week. */
static void test_a_lost_file_is_made_anew(void **state)
{
    (void)state;
    struct engine e;
    struct chy_crl_info info;
    struct chy_err err = {0};
    int fd = -1;
    begin(&e);
    (void)publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    uint64_t number = current(&e).record.number;
    lose_current(&e);
    assert_int_equal(chy_ca_crl_open(e.ca, -1, 0, false, &fd, &info, &err), CHY_ERROR_INVALID_DATA);
    assert_non_null(strstr(err.text, "a new one is being made"));
    assert_null(strstr(err.text, e.dir)); /* it is told to anybody */
    number = newer_than(&e, number).record.number;
    must(chy_ca_crl_open(e.ca, -1, 0, false, &fd, &info, &err), &err);
    close(fd);
    lose_current(&e);
    engine_shut(&e);
    engine_open(&e);
    (void)newer_than(&e, number);
    must(chy_ca_crl_open(e.ca, -1, 0, false, &fd, &info, &err), &err);
    close(fd);
    engine_end(&e);
}

/* What lacks in one place is tried again until it is there, whatever else goes well meanwhile. */
static void test_one_shard_does_not_make_up_for_another(void **state)
{
    (void)state;
    struct engine e;
    char list[256], out[96], hindrance[128];
    struct chy_err err = {0};
    begin(&e);
    snprintf(out, sizeof(out), "%s/out", e.base);
    must(chy_dir_make(out, 0755, &err), &err);
    snprintf(hindrance, sizeof(hindrance), "%s/out/_Partition00002.crl", e.base);
    assert_int_equal(mkdir(hindrance, 0700), 0);
    snprintf(list, sizeof(list),
             "[\"2:http://a.example.test/<CRLPartitionIndex>.crl\","
             "\"1:%s/out/<CRLPartitionIndex>.crl\"]",
             e.base);
    set(&e, "CRLPublicationURLs", list);
    set(&e, "CRLMaxPartitions", "2");
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, 2);
    assert_true(r.status < CHY_S_OK && r.made == 1);
    r = publish(&e, CHY_CA_CRL_BASE, 1);
    must(r.status, &r.err);
    assert_int_equal(rmdir(hindrance), 0);
    for (int i = 0; i < 1000 && access(hindrance, F_OK) != 0; i++)
        usleep(20000);
    assert_int_equal(access(hindrance, F_OK), 0);
    engine_end(&e);
}

static size_t deltas_that_are_no_shadow(struct engine *e)
{
    struct chy_crl_info info[16];
    size_t found = 0, n = chy_ca_crls(e->ca, info, CHY_ARRAY_LEN(info));
    for (size_t i = 0; i < n; i++) {
        if (info[i].record.is_delta && !(info[i].record.flags & CHY_CPF_SHADOW)) found++;
    }
    return found;
}

/* Else the bases that are out would lead to deltas that have lapsed, and the CA would say so for
 * ever. */
static void test_deltas_switched_off_end_at_once(void **state)
{
    (void)state;
    struct engine e;
    begin(&e);
    set(&e, "CRLPublicationURLs", "[\"6:http://a.example.test/<CRLPartitionIndex>%9.crl\"]");
    set(&e, "CRLDeltaPeriodUnits", "1");
    set(&e, "CRLMaxPartitions", "2");
    struct chy_crl_result r = publish(&e, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
    must(r.status, &r.err);
    assert_int_equal(deltas_that_are_no_shadow(&e), 3);
    set(&e, "CRLDeltaPeriodUnits", "0");
    for (int i = 0; i < 1000 && deltas_that_are_no_shadow(&e); i++)
        usleep(20000);
    assert_int_equal(deltas_that_are_no_shadow(&e), 0);
    engine_end(&e);
}

/* A CRL every two seconds for a day that holds for a week: what a delta refers to stays in reach,
 * and the list of them short. */
static void test_bases_without_end_are_thinned_out(void **state)
{
    (void)state;
    enum { N = 43200 };
    const int64_t week = INT64_C(7) * 86400 * CHY_US_PER_S;
    struct chy_crl_kept *kept = calloc(N + 2, sizeof(*kept));
    size_t n = 1;
    for (int i = 0; i < N; i++) {
        chy_time made = i * 2 * CHY_US_PER_S;
        kept[n++].record = (struct chy_crl_record){.shard = 1,
                                                   .number = 1 + (uint64_t)i,
                                                   .this_publish = made,
                                                   .next_update = made + week};
        if (n > 1500) n = chy_crl_thin(kept, n);
        assert_int_equal(kept[n - 1].record.number, i + 1);
        assert_int_equal(kept[1].record.number, 1);
    }
    kept[n++].record.shard = 2;
    n = chy_crl_thin(kept, n);
    assert_in_range(n, 70, 1100);
    assert_int_equal(kept[0].record.shard, 0);
    assert_int_equal(kept[n - 1].record.shard, 2);
    for (size_t i = 2; i + 1 < n; i++) {
        assert_true(kept[i].record.number > kept[i - 1].record.number);
        assert_true(kept[i].record.this_publish - kept[i - 1].record.this_publish < week / 256);
    }
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_revoked_stands_on_the_next_crl),
        cmocka_unit_test(test_states_obey_the_rules_of_ad_cs),
        cmocka_unit_test(test_a_date_ahead_counts_from_then_on),
        cmocka_unit_test(test_a_delta_tells_what_changed),
        cmocka_unit_test(test_a_delta_serves_who_has_the_oldest_base),
        cmocka_unit_test(test_shards_divide_the_certificates),
        cmocka_unit_test(test_a_list_names_the_points_of_its_certificates),
        cmocka_unit_test(test_what_no_list_can_have_is_not_set),
        cmocka_unit_test(test_many_are_revoked_by_a_filter),
        cmocka_unit_test(test_a_renewed_ca_keeps_the_crls_of_its_old_key),
        cmocka_unit_test(test_a_date_before_all_lists_stops_none),
        cmocka_unit_test(test_a_date_ahead_undoes_nothing),
        cmocka_unit_test(test_a_clock_that_is_set_back_a_little_undoes_nothing),
        cmocka_unit_test(test_a_list_of_a_time_to_come_is_made_anew),
        cmocka_unit_test(test_a_lost_file_is_made_anew),
        cmocka_unit_test(test_one_shard_does_not_make_up_for_another),
        cmocka_unit_test(test_deltas_switched_off_end_at_once),
        cmocka_unit_test(test_bases_without_end_are_thinned_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
