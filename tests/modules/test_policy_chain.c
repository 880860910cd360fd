/* The chain of policy modules: whose word counts, what each member is lent, how they are called. */
#include "host.h"

#include <pthread.h>

static chy_object chain;

static void members(const char *comma_separated)
{
    char list[800] = "", copy[200], *save = NULL;
    snprintf(copy, sizeof copy, "%s", comma_separated);
    for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s" TEST_MEMBERS "/%s.so", n ? "," : "", one);
    }
    fake_set_list("Modules", list);
}

static void answer(const char *member, chy_long value)
{
    char name[64];
    snprintf(name, sizeof name, "%s/Answer", member);
    fake_set_long(name, value);
}

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    fake_cn(&fake.request[0], "asked.test");
    members("chain-direct,chain-other");
    answer("chain-direct", CHY_VR_INSTANT_OK);
    answer("chain-other", CHY_VR_INSTANT_OK);
    return 0;
}

static chy_hresult open_chain(void)
{
    chain = fake_create("policy-chain", "PolicyChain.Policy");
    return fake_policy_table(&chain)->initialize(chain.self, "host\\CA");
}

static void close_chain(void)
{
    assert_int_equal(fake_policy_table(&chain)->shut_down(chain.self), CHY_S_OK);
    fake_policy_table(&chain)->release(chain.self);
}

static chy_hresult ask(chy_long *disposition)
{
    fake.request[0].message[0] = 0;
    *disposition = 4711;
    return fake_policy_table(&chain)->verify_request(chain.self, "host\\CA", 1, 1, 0, disposition);
}

static void decides(chy_hresult result, chy_long disposition, const char *message)
{
    chy_long got;
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    fake.log[0] = 0;
    assert_int_equal(ask(&got), result);
    assert_int_equal(got, disposition);
    if (message) assert_string_equal(fake.request[0].message, message);
    close_chain();
}

static void issue_needs_all(void **state)
{
    (void)state;
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, "");
    assert_non_null(strstr(fake.log, "chain-direct: verify new"));
    assert_non_null(strstr(fake.log, "chain-other: verify new"));
}

static void the_first_denial_stops(void **state)
{
    (void)state;
    answer("chain-direct", CHY_VR_INSTANT_BAD);
    decides(CHY_S_OK, CHY_VR_INSTANT_BAD, "chain-direct: denied");
    assert_null(strstr(fake.log, "chain-other: verify"));
    answer("chain-direct", CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    fake_set_text("chain-direct/Say", "no such name");
    decides(CHY_S_OK, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "chain-direct: no such name");
    assert_null(strstr(fake.log, "chain-other: verify"));
}

static void pending_sticks_but_a_denial_wins(void **state)
{
    (void)state;
    answer("chain-direct", CHY_VR_PENDING);
    decides(CHY_S_OK, CHY_VR_PENDING, "");
    assert_non_null(strstr(fake.log, "chain-other: verify new"));
    answer("chain-other", CHY_VR_INSTANT_BAD);
    decides(CHY_S_OK, CHY_VR_INSTANT_BAD, "chain-other: denied");
    answer("chain-direct", CHY_VR_INSTANT_OK);
    answer("chain-other", CHY_VR_PENDING);
    decides(CHY_S_OK, CHY_VR_PENDING, "");
}

static void garbage_denies(void **state)
{
    (void)state;
    static const chy_long numbers[] = {3, 77, INT32_MAX, 256};
    for (size_t i = 0; i < 4; i++) {
        answer("chain-direct", numbers[i]);
        decides(CHY_S_OK, CHY_E_UNEXPECTED, NULL);
        assert_non_null(strstr(fake.request[0].message, "chain-direct: it returned 0x00000000"));
        assert_null(strstr(fake.log, "chain-other: verify"));
    }
    fake_unset("chain-direct/Answer");
    decides(CHY_S_OK, CHY_E_UNEXPECTED,
            "chain-direct: it returned 0x00000000 without a disposition");
    answer("chain-direct", CHY_VR_INSTANT_OK);
    fake_set_long("chain-direct/Result", CHY_S_FALSE);
    decides(CHY_S_OK, CHY_E_UNEXPECTED, NULL);
    fake_set_long("chain-direct/Result", 5);
    decides(CHY_S_OK, CHY_E_UNEXPECTED, NULL);
}

static void a_failure_is_the_chains(void **state)
{
    (void)state;
    fake_set_long("chain-other/Result", CHY_E_FAIL);
    decides(CHY_E_FAIL, CHY_VR_INSTANT_BAD, "chain-other: VerifyRequest failed with 0x80004005");
    fake_set_text("chain-other/Say", "the directory is away");
    decides(CHY_E_FAIL, CHY_VR_INSTANT_BAD, "chain-other: the directory is away");
}

static void messages_carry_names_and_who_decides_comes_first(void **state)
{
    (void)state;
    fake_set_text("chain-direct/Say", "cut to 30 days");
    fake_set_text("chain-other/Say", "fine");
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, "chain-other: fine; chain-direct: cut to 30 days");
    fake_set_text("chain-direct/Say", "cut in \xc3"); /* is no UTF-8, and costs nobody's words */
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, "chain-other: fine; chain-direct: cut in ?");
    fake_set_text("chain-direct/Say", "cut to 30 days");
    fake_unset("chain-other/Say");
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, "chain-direct: cut to 30 days");
    answer("chain-other", CHY_VR_INSTANT_BAD);
    decides(CHY_S_OK, CHY_VR_INSTANT_BAD, "chain-other: denied; chain-direct: cut to 30 days");
}

static void each_sees_what_the_one_before_set(void **state)
{
    (void)state;
    fake_set_text("chain-direct/SetName", "set.test");
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, NULL);
    assert_non_null(strstr(fake.log, "chain-direct: sees asked.test"));
    assert_non_null(strstr(fake.log, "chain-other: sees set.test"));
    assert_string_equal(fake_text(&fake.request[0], "CommonName"), "set.test");
}

static void settings_are_those_of_the_own_folder(void **state)
{
    (void)state;
    fake_set_text("chain-other/Rules/web/Say", "x");
    fake_set_text("chain-otherwise/Say", "of nobody");
    fake_property(&fake.request[0], "ModuleRegistryLocation", "PolicyModules/policy-chain", 26);
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    assert_non_null(strstr(fake.log, "policy-chain: setting chain-otherwise/Say belongs to no"));
    assert_null(strstr(fake.log, "setting chain-other/Rules/web/Say belongs"));
    close_chain();
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, NULL);
    assert_non_null(strstr(fake.log, "chain-other: setting Answer\n"));
    assert_non_null(strstr(fake.log, "chain-other: setting Rules/web/Say\n"));
    assert_null(strstr(fake.log, "chain-direct: setting Rules"));
    assert_null(strstr(fake.log, "setting wise"));
    assert_null(strstr(fake.log, "setting Modules"));
    assert_non_null(
        strstr(fake.log, "chain-other: lives in PolicyModules/policy-chain/chain-other"));
}

static void the_late_bound_are_called_by_name(void **state)
{
    (void)state;
    members("chain-late,chain-other");
    answer("chain-late", CHY_VR_INSTANT_OK);
    fake_set_text("chain-late/SetName", "late.test");
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, NULL);
    assert_non_null(strstr(fake.log, "chain-other: sees late.test"));
    answer("chain-late", CHY_VR_PENDING);
    decides(CHY_S_OK, CHY_VR_PENDING, NULL);
    fake_unset("chain-late/Answer");
    decides(CHY_S_OK, CHY_E_UNEXPECTED, "chain-late: it returned 0x00000000 without a disposition");
    fake_set_long("chain-late/Result", CHY_E_FAIL);
    answer("chain-late", CHY_VR_INSTANT_OK);
    decides(CHY_E_FAIL, CHY_VR_INSTANT_BAD,
            "chain-late: VerifyRequest failed with 0x80004005: VerifyRequest: VerifyRequest");
    fake_set_text("Binding", "direct");
    assert_int_equal(open_chain(), CHY_E_NOINTERFACE);
    assert_non_null(strstr(fake.log, "its direct members are missing, and Binding demands direct"));
    close_chain();
    members("chain-direct");
    fake_set_text("Binding", "late");
    decides(CHY_S_OK, CHY_VR_INSTANT_OK, NULL);
}

static chy_hresult manage(const char *name, chy_variant *out)
{
    chy_manage_module m;
    assert_int_equal(fake_policy_table(&chain)->get_manage_module(chain.self, &m), CHY_S_OK);
    chy_hresult hr = m.vt->get_property(m.self, "c", "PolicyModules/policy-chain", name, 0, out);
    m.vt->release(m.self);
    return hr;
}

static void property_is(const char *name, const char *value)
{
    chy_variant v;
    assert_int_equal(manage(name, &v), CHY_S_OK);
    assert_string_equal(v.u.s.p, value);
    free(v.u.s.p);
}

static void managing_reaches_each_member(void **state)
{
    (void)state;
    chy_manage_module m;
    chy_variant v = {.vt = CHY_VT_EMPTY};
    members("chain-direct,chain-late");
    answer("chain-late", CHY_VR_INSTANT_OK);
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    property_is("Members", "chain-direct 1.0, chain-late 1.0");
    property_is("chain-direct/Colour", "Colour of PolicyModules/policy-chain/chain-direct");
    property_is("chain-late/Colour", "Colour of PolicyModules/policy-chain/chain-late");
    assert_int_equal(manage("chain-other/Colour", &v), CHY_S_FALSE);
    fake.log[0] = 0;
    assert_int_equal(fake_policy_table(&chain)->get_manage_module(chain.self, &m), CHY_S_OK);
    assert_int_equal(m.vt->configure(m.self, "c", "x", CHY_CMM_REFRESHONLY), CHY_S_OK);
    assert_non_null(
        strstr(fake.log, "chain-direct: refresh in PolicyModules/policy-chain/chain-direct"));
    assert_non_null(
        strstr(fake.log, "chain-late: refresh in PolicyModules/policy-chain/chain-late"));
    fake_set_long("chain-direct/InitResult", CHY_E_INVALIDARG);
    fake.log[0] = 0;
    assert_int_equal(m.vt->configure(m.self, "c", "x", CHY_CMM_REFRESHONLY), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "member chain-direct took no new settings (0x80070057)"));
    assert_non_null(strstr(fake.log, "chain-late: initialize"));
    static char red[] = " red";
    const chy_variant value = {.vt = CHY_VT_STR, .u.s = {red, 4}};
    assert_int_equal(m.vt->set_property(m.self, "c", "x", "chain-late/Colour", 0, &value),
                     CHY_S_OK);
    assert_non_null(strstr(fake.log, "chain-late: Colour red"));
    m.vt->release(m.self);
    close_chain();
}

static void it_ends_in_reverse_and_decides_nothing_more(void **state)
{
    (void)state;
    chy_long got;
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    assert_int_equal(fake_policy_table(&chain)->shut_down(chain.self), CHY_S_OK);
    assert_int_equal(ask(&got), CHY_E_UNEXPECTED);
    assert_int_equal(got, CHY_VR_INSTANT_BAD);
    assert_null(strstr(fake.log, "verify"));
    close_chain();
    const char *last = strstr(fake.log, "chain-other: shut down");
    const char *first = strstr(fake.log, "chain-direct: shut down");
    assert_true(last && first && last < first);
    assert_null(strstr(first + strlen("chain-direct: shut down"), "shut down"));
}

static void a_resubmission_asks_all_again(void **state)
{
    (void)state;
    chy_long got = 4711;
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    assert_int_equal(
        fake_policy_table(&chain)->verify_request(chain.self, "host\\CA", 1, 0, 0, &got), CHY_S_OK);
    assert_int_equal(got, CHY_VR_INSTANT_OK);
    assert_non_null(strstr(fake.log, "chain-direct: verify again"));
    assert_non_null(strstr(fake.log, "chain-other: verify again"));
    close_chain();
}

static void *ask_often(void *arg)
{
    chy_long context = (chy_long)(intptr_t)arg;
    for (int i = 0; i < 15; i++) {
        chy_long got = 4711;
        chy_hresult hr =
            fake_policy_table(&chain)->verify_request(chain.self, "c", context, 1, 0, &got);
        if (hr != CHY_S_OK || got != CHY_VR_INSTANT_OK) return arg;
    }
    return NULL;
}

static void the_serial_are_called_one_at_a_time(void **state)
{
    (void)state;
    pthread_t t[4];
    void *wrong;
    members("chain-serial,chain-other");
    answer("chain-serial", CHY_VR_INSTANT_OK);
    fake_set_long("chain-serial/Slow", 1);
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    assert_non_null(strstr(fake.log, "chain-serial 1.0, sha256 "));
    assert_non_null(strstr(fake.log, ", direct, serial"));
    assert_true(chain.vt->flags & CHY_IF_CONCURRENT);
    for (intptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask_often, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(t[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_null(strstr(fake.log, "OVERLAPS"));
    close_chain();
}

static void time_is_shared(void **state)
{
    (void)state;
    pthread_t t;
    void *wrong;
    chy_long got;
    members("chain-serial,chain-other");
    answer("chain-serial", CHY_VR_INSTANT_OK);
    fake_set_long("chain-serial/Slow", 300);
    if (open_chain() != CHY_S_OK) fail_msg("%s", fake.log);
    fake_set_time_left(-1);
    assert_int_equal(ask(&got), CHY_ERROR_TIMEOUT);
    assert_int_equal(got, CHY_VR_INSTANT_BAD);
    fake_set_time_left(20);
    fake.log[0] = 0;
    assert_int_equal(pthread_create(&t, NULL, ask_often, (void *)(intptr_t)2), 0);
    while (!fake_logged("verify new"))
        sched_yield();
    /* The other thread holds the member for much longer than there is time. */
    assert_int_equal(ask(&got), CHY_ERROR_TIMEOUT);
    assert_int_equal(got, CHY_VR_INSTANT_BAD);
    assert_non_null(strstr(fake.request[0].message, "chain-serial: VerifyRequest failed with 0x"));
    fake_set_long("chain-serial/Slow", 0);
    fake_set_time_left(0);
    assert_int_equal(pthread_join(t, &wrong), 0);
    assert_null(wrong);
    close_chain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(issue_needs_all, reset),
        cmocka_unit_test_setup(the_first_denial_stops, reset),
        cmocka_unit_test_setup(pending_sticks_but_a_denial_wins, reset),
        cmocka_unit_test_setup(garbage_denies, reset),
        cmocka_unit_test_setup(a_failure_is_the_chains, reset),
        cmocka_unit_test_setup(messages_carry_names_and_who_decides_comes_first, reset),
        cmocka_unit_test_setup(each_sees_what_the_one_before_set, reset),
        cmocka_unit_test_setup(settings_are_those_of_the_own_folder, reset),
        cmocka_unit_test_setup(the_late_bound_are_called_by_name, reset),
        cmocka_unit_test_setup(managing_reaches_each_member, reset),
        cmocka_unit_test_setup(it_ends_in_reverse_and_decides_nothing_more, reset),
        cmocka_unit_test_setup(a_resubmission_asks_all_again, reset),
        cmocka_unit_test_setup(the_serial_are_called_one_at_a_time, reset),
        cmocka_unit_test_setup(time_is_shared, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
