/* Reasons as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ca/revocation.h"
#include "enrol/reason.h"

static void test_read(void **state)
{
    static const struct {
        const char *text;
        int32_t reason;
    } rows[] = {{"unspecified", 0},
                {"keyCompromise", 1},
                {"key-compromise", 1},
                {"KEY_COMPROMISE", 1},
                {"cACompromise", 2},
                {"ca-compromise", 2},
                {"affiliationChanged", 3},
                {"superseded", 4},
                {"cessationOfOperation", 5},
                {"certificate-hold", 6},
                {"privilegeWithdrawn", 9},
                {"aa-compromise", 10},
                {"0", 0},
                {"10", 10},
                {"-1", CHY_REVOKE_RELEASE},
                {"release", CHY_REVOKE_RELEASE},
                {"keep-expired", CHY_REVOKE_KEEP_EXPIRED},
                {"-3", CHY_REVOKE_DROP_EXPIRED}};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        int32_t reason = 99;
        assert_int_equal(chy_reason_read(rows[i].text, &reason, NULL), CHY_S_OK);
        assert_int_equal(reason, rows[i].reason);
        assert_non_null(chy_reason_name(reason));
        assert_int_equal(chy_reason_read(chy_reason_name(reason), &reason, NULL), CHY_S_OK);
        assert_int_equal(reason, rows[i].reason);
    }
}

static void test_refused(void **state)
{
    static const char *const rows[] = {"",
                                       "7",
                                       "8",
                                       "11",
                                       "-4",
                                       "1x",
                                       "4294967297",
                                       "99999999999999999999",
                                       "removeFromCRL",
                                       "1 ",
                                       "0x1",
                                       "keyCompromised",
                                       "key compromise",
                                       "-"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        int32_t reason = 99;
        assert_int_equal(chy_reason_read(rows[i], &reason, &err), CHY_E_INVALIDARG);
        assert_int_equal(reason, 99);
        assert_non_null(err.text[0] ? err.text : NULL);
    }
    assert_null(chy_reason_name(7));
    assert_null(chy_reason_name(8));
    assert_null(chy_reason_name(-4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
