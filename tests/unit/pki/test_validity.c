/* Validity (P5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pki/cert.h"

#define SECONDS(s) ((chy_time)(s)*CHY_US_PER_S)

static struct chy_validity_bounds usual(void)
{
    return (struct chy_validity_bounds){.now = SECONDS(1700000000),
                                        .ca_not_before = SECONDS(1600000000),
                                        .ca_not_after = SECONDS(1900000000),
                                        .ca_period_s = 90 * 86400,
                                        .policy_not_after = CHY_TIME_DEFAULT,
                                        .request_not_after = CHY_TIME_DEFAULT};
}

static void test_the_earliest_end_wins(void **state)
{
    struct chy_err err = {0};
    struct chy_validity v;
    struct chy_validity_bounds b = usual();
    (void)state;
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_S_OK);
    assert_true(v.not_after - v.not_before == SECONDS(7775999));
    assert_string_equal(v.why, "ca-configuration");
    b.request_not_after = SECONDS(1700001000);
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_S_OK);
    assert_string_equal(v.why, "request");
    b.ca_period_s = INT64_MAX;
    b.request_not_after = SECONDS(2000000000);
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_S_OK);
    assert_true(v.not_after == b.ca_not_after);
    assert_string_equal(v.why, "ca-certificate");
}

static void test_the_policy_module_ends_it(void **state)
{
    struct chy_err err = {0};
    struct chy_validity v;
    struct chy_validity_bounds b = usual();
    (void)state;
    b.policy_not_after = SECONDS(1700001000) + 7; /* whole seconds are written */
    b.request_not_after = SECONDS(1700001001);
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_S_OK);
    assert_string_equal(v.why, "policy");
    assert_true(v.not_after == SECONDS(1700001000));
    b.policy_not_after = b.now - 1;
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_E_INVALIDARG);
    assert_string_equal(err.text, "validity: it would have ended already (by policy)");
}

/* It begins earlier by backdate, and never before the CA's own certificate. */
static void test_the_beginning(void **state)
{
    struct chy_err err = {0};
    struct chy_validity v;
    struct chy_validity_bounds b = usual();
    (void)state;
    b.now += 5;
    b.backdate_s = 600;
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_S_OK);
    assert_true(v.not_before == SECONDS(1700000000 - 600));
    b.ca_not_before = SECONDS(1700000000 - 60);
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_S_OK);
    assert_true(v.not_before == b.ca_not_before);
    assert_true(v.not_after - v.not_before == SECONDS(7775999));
}

static void test_refusals(void **state)
{
    struct chy_err err = {0};
    struct chy_validity v;
    struct chy_validity_bounds b = usual();
    (void)state;
    b.request_not_after = b.now;
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_E_INVALIDARG);
    b = usual();
    b.now = SECONDS(1900000001);
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_CERT_E_EXPIRED);
    b.now = SECONDS(1599999999);
    assert_int_equal(chy_validity_choose(&b, &v, &err), CHY_CERT_E_EXPIRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_earliest_end_wins),
        cmocka_unit_test(test_the_policy_module_ends_it),
        cmocka_unit_test(test_the_beginning),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
