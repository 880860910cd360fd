/* AD CS's arithmetic of CRL times, by examples worked out by hand, and what stands on a CRL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "ca/crl_plan.h"

static chy_time at(const char *text)
{
    chy_time t = 0;
    if (!chy_time_parse(text, &t)) fail_msg("%s", text);
    return t;
}

static void expect_time(chy_time t, const char *text)
{
    char got[40];
    chy_time_format(got, t);
    assert_string_equal(got, text);
}

static void expect_plus(const char *from, enum chy_unit unit, int64_t n, const char *text)
{
    const struct chy_period p = {unit, n};
    expect_time(chy_time_plus(at(from), &p), text);
}

static void test_units_go_by_their_names(void **state)
{
    (void)state;
    assert_int_equal(chy_unit_by_name("Seconds"), CHY_UNIT_SECONDS);
    assert_int_equal(chy_unit_by_name("weeks"), CHY_UNIT_WEEKS);
    assert_int_equal(chy_unit_by_name("MONTHS"), CHY_UNIT_MONTHS);
    assert_int_equal(chy_unit_by_name("Years"), CHY_UNIT_YEARS);
    assert_int_equal(chy_unit_by_name("fortnights"), CHY_UNIT_YEARS);
    assert_int_equal(chy_unit_by_name(NULL), CHY_UNIT_YEARS);
}

static void test_months_go_by_the_calendar(void **state)
{
    (void)state;
    expect_plus("2027-01-31T10:00:00Z", CHY_UNIT_MONTHS, 1, "2027-02-28T10:00:00Z");
    expect_plus("2028-01-31T10:00:00Z", CHY_UNIT_MONTHS, 1, "2028-02-29T10:00:00Z");
    expect_plus("2027-01-30T10:00:00Z", CHY_UNIT_MONTHS, 1, "2027-02-28T10:00:00Z");
    expect_plus("2027-03-31T10:00:00Z", CHY_UNIT_MONTHS, 1, "2027-04-30T10:00:00Z");
    expect_plus("2027-11-30T23:59:59Z", CHY_UNIT_MONTHS, 3, "2028-02-29T23:59:59Z");
    expect_plus("2027-12-15T00:00:00Z", CHY_UNIT_MONTHS, 1, "2028-01-15T00:00:00Z");
    expect_plus("2027-05-31T00:00:00Z", CHY_UNIT_MONTHS, 25, "2029-06-30T00:00:00Z");
    expect_plus("2028-02-29T12:00:00Z", CHY_UNIT_YEARS, 1, "2029-02-28T12:00:00Z");
    expect_plus("2028-02-29T12:00:00Z", CHY_UNIT_YEARS, 4, "2032-02-29T12:00:00Z");
    expect_plus("2096-02-29T12:00:00Z", CHY_UNIT_YEARS, 4,
                "2100-02-28T12:00:00Z"); /* no leap year */
    expect_plus("2027-01-31T10:00:00.25Z", CHY_UNIT_MONTHS, 1, "2027-02-28T10:00:00.250000Z");
}

static void test_other_units_are_so_many_seconds(void **state)
{
    (void)state;
    expect_plus("2027-12-31T23:59:59Z", CHY_UNIT_SECONDS, 1, "2028-01-01T00:00:00Z");
    expect_plus("2028-02-28T23:30:00Z", CHY_UNIT_MINUTES, 30, "2028-02-29T00:00:00Z");
    expect_plus("2027-02-28T12:00:00Z", CHY_UNIT_HOURS, 12, "2027-03-01T00:00:00Z");
    expect_plus("2027-01-01T00:00:00Z", CHY_UNIT_DAYS, 365, "2028-01-01T00:00:00Z");
    expect_plus("2027-01-01T00:00:00Z", CHY_UNIT_WEEKS, 2, "2027-01-15T00:00:00Z");
}

/* ---- times ---- */
static struct chy_crl_settings weekly(void)
{
    return (struct chy_crl_settings){.period = {CHY_UNIT_WEEKS, 1},
                                     .delta_period = {CHY_UNIT_DAYS, 1},
                                     .skew_s = 600,
                                     .next_publish = CHY_TIME_DEFAULT,
                                     .next_delta_publish = CHY_TIME_DEFAULT};
}

static struct chy_crl_times times_of(const struct chy_crl_settings *s, bool is_delta,
                                     chy_time wanted)
{
    struct chy_err err = {0};
    struct chy_crl_times t = {0};
    chy_hresult hr = chy_crl_times(s, is_delta, at("2027-03-01T12:00:00Z"),
                                   at("2020-01-01T00:00:00Z"), wanted, &t, &err);
    if (hr != CHY_S_OK) fail_msg("%s", err.text);
    return t;
}

/* A tenth of a week is 16.8 h: 12 h, and 10 min of skew. */
static void test_a_weekly_base_overlaps_by_half_a_day(void **state)
{
    (void)state;
    const struct chy_crl_settings s = weekly();
    struct chy_crl_times t = times_of(&s, false, CHY_TIME_DEFAULT);
    expect_time(t.this_update, "2027-03-01T11:50:00Z");
    expect_time(t.next_publish, "2027-03-08T12:00:00Z");
    expect_time(t.next_update, "2027-03-09T00:10:00Z");
    expect_time(t.propagated, "2027-03-02T00:10:00Z");
}

/* A delta's overlap is its whole period, up to 12 h. */
static void test_a_delta_overlaps_by_its_period(void **state)
{
    (void)state;
    struct chy_crl_settings s = weekly();
    struct chy_crl_times t = times_of(&s, true, CHY_TIME_DEFAULT);
    expect_time(t.next_publish, "2027-03-02T12:00:00Z");
    expect_time(t.next_update, "2027-03-03T00:10:00Z");
    s.delta_period = (struct chy_period){CHY_UNIT_HOURS, 6};
    t = times_of(&s, true, CHY_TIME_DEFAULT);
    expect_time(t.next_publish, "2027-03-01T18:00:00Z");
    expect_time(t.next_update, "2027-03-02T00:10:00Z");
    expect_time(t.propagated, "2027-03-01T18:10:00Z");
}

/* A tenth of a day is 2.4 h; with clocks that differ by 2 h it is 3 h, and no longer than an hour
 * where the period is one. */
static void test_skewed_clocks_lengthen_the_overlap(void **state)
{
    (void)state;
    struct chy_crl_settings s = weekly();
    s.period = (struct chy_period){CHY_UNIT_DAYS, 1};
    expect_time(times_of(&s, false, CHY_TIME_DEFAULT).next_update, "2027-03-02T14:34:00Z");
    s.skew_s = 7200;
    expect_time(times_of(&s, false, CHY_TIME_DEFAULT).next_update, "2027-03-02T17:00:00Z");
    expect_time(times_of(&s, false, CHY_TIME_DEFAULT).this_update, "2027-03-01T10:00:00Z");
    s.period = (struct chy_period){CHY_UNIT_HOURS, 1};
    expect_time(times_of(&s, false, CHY_TIME_DEFAULT).next_update, "2027-03-01T16:00:00Z");
    expect_time(times_of(&s, true, CHY_TIME_DEFAULT).next_update, "2027-03-02T15:00:00Z");
}

static void test_a_given_overlap_counts_as_it_is(void **state)
{
    (void)state;
    struct chy_crl_settings s = weekly();
    s.overlap = (struct chy_period){CHY_UNIT_DAYS, 3};
    s.delta_overlap = (struct chy_period){CHY_UNIT_MINUTES, 30};
    expect_time(times_of(&s, false, CHY_TIME_DEFAULT).next_update, "2027-03-11T12:10:00Z");
    expect_time(times_of(&s, false, CHY_TIME_DEFAULT).propagated, "2027-03-04T12:10:00Z");
    expect_time(times_of(&s, true, CHY_TIME_DEFAULT).next_update, "2027-03-02T12:40:00Z");
}

static void test_a_date_given_by_hand_is_the_next_publication(void **state)
{
    (void)state;
    struct chy_err err = {0};
    struct chy_crl_times t;
    const struct chy_crl_settings s = weekly();
    chy_time now = at("2027-03-01T12:00:00.5Z");
    t = times_of(&s, false, at("2027-04-01T00:00:00Z"));
    expect_time(t.next_publish, "2027-04-01T00:00:00Z");
    expect_time(t.next_update, "2027-04-01T12:20:00Z");
    assert_int_equal(chy_crl_times(&s, false, now, 0, at("2027-03-01T12:00:00Z"), &t, &err),
                     CHY_E_INVALIDARG);
    assert_string_equal(err.text, "CRL: the next update must lie ahead");
}

static void test_no_time_is_one_that_cannot_be_written(void **state)
{
    (void)state;
    struct chy_crl_settings s = weekly();
    struct chy_crl_times t = times_of(&s, false, at("9999-12-31T23:59:59Z"));
    expect_time(t.next_update, "9999-12-31T23:59:59Z");
    s.period = s.overlap = (struct chy_period){CHY_UNIT_YEARS, 100000};
    t = times_of(&s, false, CHY_TIME_DEFAULT);
    expect_time(t.next_publish, "9999-12-31T23:59:59Z");
    expect_time(t.next_update, "9999-12-31T23:59:59Z");
}

static void test_no_crl_is_older_than_the_ca(void **state)
{
    (void)state;
    struct chy_err err = {0};
    struct chy_crl_times t;
    const struct chy_crl_settings s = weekly();
    chy_time now = at("2027-03-01T12:00:00.75Z"), from = at("2027-03-01T11:55:00Z");
    assert_int_equal(chy_crl_times(&s, false, now, from, CHY_TIME_DEFAULT, &t, &err), CHY_S_OK);
    expect_time(t.this_update, "2027-03-01T11:55:00Z");
    expect_time(t.next_publish, "2027-03-08T12:00:00Z"); /* whole seconds */
}

/* ---- the base of a delta ---- */
static const struct chy_crl_record *base_among(const struct chy_crl_record *list, size_t n,
                                               bool use_oldest, chy_time now)
{
    struct chy_crl_bases b = {NULL, NULL};
    for (size_t i = 0; i < n; i++)
        chy_crl_consider(&b, &list[i], now);
    return chy_crl_delta_base(&b, use_oldest);
}

static void test_a_delta_refers_to_what_has_reached_everybody(void **state)
{
    (void)state;
    const struct chy_crl_record list[] = {
        {.number = 1, .next_update = 50, .propagated = 10}, /* over */
        {.number = 2, .next_update = 200, .propagated = 20},
        {.number = 3, .next_update = 300, .propagated = 100},
        {.number = 4, .next_update = 400, .propagated = 60, .is_delta = true},
        {.number = 5, .next_update = 500, .propagated = 150}};
    size_t n = CHY_ARRAY_LEN(list);
    assert_ptr_equal(base_among(list, n, false, 99), &list[1]);
    assert_ptr_equal(base_among(list, n, false, 100), &list[2]);
    assert_ptr_equal(base_among(list, n, true, 100), &list[1]);
    assert_ptr_equal(base_among(list, n, true, 200), &list[2]); /* its end has passed */
    assert_ptr_equal(base_among(list, n, false, 160), &list[4]);
    assert_null(base_among(list, n, false, 500));
    assert_null(base_among(list, 0, false, 100));
    assert_ptr_equal(base_among(list + 4, 1, false, 100), &list[4]); /* the oldest, then */
}

/* ---- who stands on it ---- */
static bool lists(chy_time not_after, chy_time previous, bool keep, int32_t mark)
{
    const struct chy_crl_view view = {.now = 1000, .previous = previous, .keep_expired = keep};
    const struct chy_revoked r = {.disposition = CHY_DB_DISP_REVOKED,
                                  .effective_when = 10,
                                  .not_after = not_after,
                                  .crl_flags = mark};
    return chy_crl_lists(&view, &r);
}

static void test_the_expired_stay_for_one_crl_more(void **state)
{
    (void)state;
    assert_true(lists(2000, 500, false, 0));
    assert_true(lists(600, 500, false, 0));
    assert_true(lists(500, 500, false, 0)); /* it was valid at that moment */
    assert_false(lists(499, 500, false, 0));
    assert_true(lists(499, CHY_TIME_DEFAULT, false, 0)); /* there was none before */
    assert_true(lists(499, 500, true, 0));
    assert_true(lists(499, 500, false, CHY_ROW_CRL_WHEN_EXPIRED));
    assert_true(lists(CHY_TIME_DEFAULT, 500, false, 0));
}

/* The base before was made by a clock that was ahead: it is no proof that anybody saw the end. */
static void test_what_has_not_expired_stays(void **state)
{
    (void)state;
    assert_true(lists(1500, 5000, false, 0));
    assert_false(lists(999, 5000, false, 0));
}

static void test_a_clock_set_back_undoes_no_revocation(void **state)
{
    (void)state;
    const struct chy_crl_view view = {.now = 1000, .previous = CHY_TIME_DEFAULT};
    struct chy_revoked r = {.disposition = CHY_DB_DISP_REVOKED,
                            .revoked_when = 1400,
                            .effective_when = 1400,
                            .not_after = 2000};
    assert_true(chy_crl_lists(&view, &r));
    r.effective_when = 1401; /* it was ahead when it was set */
    assert_false(chy_crl_lists(&view, &r));
}

static void test_a_delta_also_lists_what_is_no_longer_so(void **state)
{
    (void)state;
    struct chy_crl_view view = {.now = 1000, .previous = 500};
    struct chy_revoked r = {
        .disposition = CHY_DB_DISP_REVOKED, .effective_when = 1000, .not_after = 2000};
    assert_true(chy_crl_lists(&view, &r));
    r.effective_when = 1001;
    assert_false(chy_crl_lists(&view, &r));
    view.is_delta = true;
    assert_true(chy_crl_lists(&view, &r));
    r.disposition = CHY_DB_DISP_ISSUED;
    assert_true(chy_crl_lists(&view, &r));
    view.is_delta = false;
    assert_false(chy_crl_lists(&view, &r));
}

static void test_numbers_rise_with_the_clock_and_without(void **state)
{
    (void)state;
    assert_int_equal(chy_crl_number_after(0, 1800000000 * CHY_US_PER_S + 5), 1800000000);
    assert_int_equal(chy_crl_number_after(1800000000, 1800000000 * CHY_US_PER_S), 1800000001);
    assert_int_equal(chy_crl_number_after(1900000000, 1800000000 * CHY_US_PER_S), 1900000001);
    assert_int_equal(chy_crl_number_after(7, -5), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_go_by_their_names),
        cmocka_unit_test(test_months_go_by_the_calendar),
        cmocka_unit_test(test_other_units_are_so_many_seconds),
        cmocka_unit_test(test_a_weekly_base_overlaps_by_half_a_day),
        cmocka_unit_test(test_a_delta_overlaps_by_its_period),
        cmocka_unit_test(test_skewed_clocks_lengthen_the_overlap),
        cmocka_unit_test(test_a_given_overlap_counts_as_it_is),
        cmocka_unit_test(test_a_date_given_by_hand_is_the_next_publication),
        cmocka_unit_test(test_no_time_is_one_that_cannot_be_written),
        cmocka_unit_test(test_no_crl_is_older_than_the_ca),
        cmocka_unit_test(test_a_delta_refers_to_what_has_reached_everybody),
        cmocka_unit_test(test_the_expired_stay_for_one_crl_more),
        cmocka_unit_test(test_what_has_not_expired_stays),
        cmocka_unit_test(test_a_clock_set_back_undoes_no_revocation),
        cmocka_unit_test(test_a_delta_also_lists_what_is_no_longer_so),
        cmocka_unit_test(test_numbers_rise_with_the_clock_and_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
