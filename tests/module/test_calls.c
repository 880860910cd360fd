/* What answers mean, the promise of a serial instance, descriptions and manage modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine.h"

struct bench {
    struct engine engine;
    struct chy_modules *ms;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    engine_init(&b->engine);
    b->ms = engine_modules(&b->engine, PROBES, 10000);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    chy_modules_free(b->ms);
    engine_fini(&b->engine);
    free(b);
    return 0;
}

static int setup_in_child(void **state)
{
    engine_in_child = true;
    return setup(state);
}

static int teardown_in_child(void **state)
{
    engine_in_child = false;
    return teardown(state);
}

static struct chy_instance *open_policy(struct bench *b, const char *class_name)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    if (engine_open_policy(b->ms, "probe", class_name, CHY_BINDING_AUTO, &i, &err) != CHY_S_OK)
        fail_msg("%s", err.text);
    return i;
}

static struct chy_instance *open_exit(struct bench *b, const char *class_name)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    if (engine_open_exit(b->ms, "probe", class_name, CHY_BINDING_AUTO, &i, &err) != CHY_S_OK)
        fail_msg("%s", err.text);
    return i;
}

struct answer {
    const char *config;
    enum chy_verdict verdict;
    chy_hresult status;
    const char *text; /* in the error, NULL: no error */
};

static void judge(struct bench *b, const char *class_name, const struct answer *a, size_t n)
{
    struct chy_instance *i = open_policy(b, class_name);
    struct fake_request r;
    uint64_t failures = 0;
    for (size_t k = 0; k < n; k++) {
        struct chy_err err = {0};
        chy_hresult status = 77;
        bool abandoned = true;
        fake_request_init(&r, &b->engine);
        enum chy_verdict v = chy_policy_verify(i, a[k].config, &r, true, &status, &abandoned, &err);
        if (v != a[k].verdict || status != a[k].status || abandoned)
            fail_msg("%s, %s: verdict %d, status %08x", class_name, a[k].config, (int)v,
                     (unsigned)status);
        if (a[k].text ? !strstr(err.text, a[k].text) : err.text[0] != 0)
            fail_msg("%s: %s", a[k].config, err.text);
        failures += v == CHY_VERDICT_FAILED;
    }
    struct chy_instance_info info;
    chy_instance_info(i, &info);
    assert_int_equal(info.calls, n);
    assert_int_equal(info.failures, failures);
    assert_false(info.quarantined);
    chy_instance_free(i);
}

#define NOTHING "which means nothing"

static void answers(void **state)
{
    static const struct answer both[] = {
        {"answer 0 0", CHY_VERDICT_PENDING, 0, NULL},
        {"answer 0 1", CHY_VERDICT_ISSUE, 0, NULL},
        {"answer 0 2", CHY_VERDICT_DENIED, CHY_E_ACCESSDENIED, NULL},
        {"answer 0 -5", CHY_VERDICT_DENIED, -5, NULL},
        {"answer 0 -2147483648", CHY_VERDICT_DENIED, INT32_MIN, NULL},
        {"answer 0 3", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, NOTHING},
        {"answer 0 0x7fffffff", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, NOTHING},
        {"answer 0 256", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, NOTHING},
        {"answer 0 0x101", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, NOTHING},
        {"answer -7 1", CHY_VERDICT_FAILED, -7, "VerifyRequest failed"},
        {"answer -7 2", CHY_VERDICT_FAILED, -7, "VerifyRequest failed"},
        {"answer -2147483648 1", CHY_VERDICT_FAILED, INT32_MIN, "VerifyRequest failed"},
        {"answer 1 1", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, "returned 0x00000001"},
        {"answer 1 0", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, "returned 0x00000001"},
        {"answer 1 -5", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, "returned 0x00000001"},
        {"answer 0 none", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, "without a disposition"},
        {"answer -7 none", CHY_VERDICT_FAILED, -7, "VerifyRequest failed"},
    };
    static const struct answer late[] = {
        {"wrong-type", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, "without a disposition"},
        {"raise 1", CHY_VERDICT_FAILED, -1234, "it rains"},
        {"raise", CHY_VERDICT_FAILED, CHY_E_UNEXPECTED, "it rains"}, /* a code that is none */
    };
    judge(*state, "Probe.Policy", both, CHY_ARRAY_LEN(both));
    judge(*state, "ProbeLate.Policy", both, CHY_ARRAY_LEN(both));
    judge(*state, "ProbeLate.Policy", late, CHY_ARRAY_LEN(late));
}

static void exit_answers(void **state)
{
    static const struct {
        const char *class_name, *config;
        chy_hresult initialize, notify;
    } rows[] = {
        {"Probe.Exit", "answer 0", CHY_S_OK, CHY_S_OK},
        {"ProbeLate.Exit", "answer 0", CHY_S_OK, CHY_S_OK},
        {"Probe.Exit", "answer 1", CHY_S_OK, CHY_S_OK},
        {"Probe.Exit", "answer -9", CHY_S_OK, -9},
        {"ProbeLate.Exit", "answer -9", CHY_S_OK, -9},
        {"ProbeLate.Exit", "raise", CHY_S_OK, -1234},
        {"Probe.Exit", "fail -11", -11, CHY_S_OK},
        {"ProbeLate.Exit", "fail -11", -11, CHY_S_OK},
        {"ProbeLate.Exit", "wrong-type", CHY_E_UNEXPECTED, CHY_S_OK},
    };
    struct bench *b = *state;
    struct fake_request r;
    for (size_t k = 0; k < CHY_ARRAY_LEN(rows); k++) {
        struct chy_instance *i = open_exit(b, rows[k].class_name);
        struct chy_err err = {0};
        chy_long mask = 77;
        bool abandoned = true;
        fake_request_init(&r, &b->engine);
        assert_int_equal(chy_exit_initialize(i, rows[k].config, &mask, &err), rows[k].initialize);
        assert_int_equal(mask, rows[k].initialize == CHY_S_OK ? 0x21 : 77);
        if (rows[k].initialize == CHY_S_OK) { /* else nobody tells it anything */
            assert_int_equal(chy_exit_notify(i, 1, &r, &abandoned, &err), rows[k].notify);
            assert_false(abandoned);
        }
        chy_instance_free(i);
    }
}

static void policy_initialize_fails(void **state)
{
    static const char *const names[] = {"Probe.Policy", "ProbeLate.Policy"};
    for (size_t k = 0; k < CHY_ARRAY_LEN(names); k++) {
        struct chy_instance *i = open_policy(*state, names[k]);
        struct chy_err err = {0};
        assert_int_equal(chy_policy_initialize(i, "fail -3", &err), -3);
        assert_non_null(strstr(err.text, "module probe: Initialize failed with 0xfffffffd"));
        chy_instance_free(i);
    }
}

/* ---- the promise ---- */
struct crowd {
    struct chy_instance *instance;
    struct engine *engine;
    const char *config;
    int calls;
    _Atomic int issued;
};

static void *verify_often(void *arg)
{
    struct crowd *c = arg;
    struct fake_request r;
    for (int k = 0; k < c->calls; k++) {
        struct chy_err err = {0};
        chy_hresult status;
        bool abandoned;
        fake_request_init(&r, c->engine);
        c->issued += chy_policy_verify(c->instance, c->config, &r, true, &status, &abandoned,
                                       &err) == CHY_VERDICT_ISSUE;
    }
    return NULL;
}

static void eight_threads(struct crowd *c)
{
    pthread_t t[8];
    for (size_t k = 0; k < CHY_ARRAY_LEN(t); k++)
        assert_int_equal(pthread_create(&t[k], NULL, verify_often, c), 0);
    for (size_t k = 0; k < CHY_ARRAY_LEN(t); k++)
        pthread_join(t[k], NULL);
    assert_int_equal(c->issued, 8 * c->calls);
}

static int most_at_once(struct chy_instance *i)
{
    struct chy_buf text;
    struct chy_err err = {0};
    int most = -1;
    chy_buf_init(&text, 200);
    assert_int_equal(chy_instance_description(i, &text, &err), CHY_S_OK);
    assert_int_equal(sscanf(chy_buf_cstr(&text), "probe, at most %d at once", &most), 1);
    chy_buf_free(&text);
    return most;
}

static void promises(void **state)
{
    static const char *const names[] = {"Probe.Policy", "ProbeLate.Policy", "ProbeFree.Policy"};
    struct bench *b = *state;
    for (size_t k = 0; k < CHY_ARRAY_LEN(names); k++) {
        struct chy_instance *i = open_policy(b, names[k]);
        struct crowd c = {.instance = i, .engine = &b->engine, .config = "overlap 5", .calls = 5};
        struct chy_instance_info info;
        eight_threads(&c);
        chy_instance_info(i, &info);
        assert_int_equal(info.concurrent, k == 2);
        assert_int_equal(info.late_bound, k == 1);
        assert_int_equal(info.calls, 40);
        assert_true(info.busy_us >= 40 * 5000);
        if (info.concurrent) {
            assert_in_range(most_at_once(i), 2, 8);
        } else {
            assert_int_equal(most_at_once(i), 1);
        }
        chy_instance_free(i);
    }
}

/* ---- ICertManageModule ---- */
static void manage_of(struct bench *b, struct chy_instance *i, const char *record)
{
    static const char *const names[][2] = {{"Name", "Probe"},
                                           {"description", "A probe"},
                                           {"Copyright", "nobody"},
                                           {"File Version", "1.0"},
                                           {"Product Version", "1.0"}};
    chy_variant v = {.vt = CHY_VT_EMPTY};
    struct chy_err err = {0};
    for (size_t k = 0; k < CHY_ARRAY_LEN(names); k++) {
        assert_int_equal(chy_manage_get_property(i, "host\\CA", names[k][0], &v, &err), CHY_S_OK);
        assert_int_equal(v.vt, CHY_VT_STR);
        assert_string_equal(v.u.s.p, names[k][1]);
        chy_variant_clear(&v);
    }
    engine_forget(&b->engine);
    assert_int_equal(chy_manage_get_property(i, "host\\CA", "Nothing", &v, &err), CHY_S_FALSE);
    assert_int_equal(v.vt, CHY_VT_EMPTY);
    assert_int_equal(chy_manage_get_property(i, "host\\CA", "Broken", &v, &err), CHY_E_UNEXPECTED);
    assert_non_null(strstr(err.text, "its manage module answered 0x8000ffff"));
    chy_err_clear(&err);
    chy_variant_set_long(&v, 42);
    assert_int_equal(chy_manage_set_property(i, "host\\CA", "HWND", &v, &err), CHY_S_OK);
    assert_int_equal(chy_manage_configure(i, "host\\CA", CHY_CMM_REFRESHONLY, &err), CHY_S_OK);
    assert_string_equal(engine_record(&b->engine), record);
    chy_instance_free(i);
}

#define MANAGED(location)                                                                          \
    "GetProperty host\\CA " location " Nothing 0\nmanage object released\n"                        \
    "GetProperty host\\CA " location " Broken 0\nmanage object released\n"                         \
    "SetProperty host\\CA " location " HWND 0 42\nmanage object released\n"                        \
    "Configure host\\CA " location " 1\nmanage object released\n"

static void manage(void **state)
{
    static const char *const policies[] = {"Probe.Policy", "ProbeLate.Policy", "ProbeOld.Policy"};
    static const char *const exits[] = {"Probe.Exit", "ProbeLate.Exit", "ProbeOld.Exit"};
    for (size_t k = 0; k < CHY_ARRAY_LEN(policies); k++) {
        manage_of(*state, open_policy(*state, policies[k]), MANAGED("PolicyModules/probe"));
        manage_of(*state, open_exit(*state, exits[k]), MANAGED("ExitModules/probe"));
    }
}

static void descriptions(void **state)
{
    struct chy_instance *all[] = {
        open_policy(*state, "Probe.Policy"), open_policy(*state, "ProbeLate.Policy"),
        open_exit(*state, "Probe.Exit"), open_exit(*state, "ProbeLate.Exit")};
    for (size_t k = 0; k < CHY_ARRAY_LEN(all); k++) {
        struct chy_buf text;
        struct chy_err err = {0};
        chy_buf_init(&text, 10);
        assert_int_equal(most_at_once(all[k]), 0);
        assert_true(CHY_FAILED(chy_instance_description(all[k], &text, &err)));
        chy_buf_free(&text);
        chy_instance_free(all[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
        cmocka_unit_test_setup_teardown(exit_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(policy_initialize_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(promises, setup, teardown),
        cmocka_unit_test_setup_teardown(manage, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptions, setup, teardown),
        cmocka_unit_test_setup_teardown(answers, setup_in_child, teardown_in_child),
        cmocka_unit_test_setup_teardown(exit_answers, setup_in_child, teardown_in_child),
        cmocka_unit_test_setup_teardown(policy_initialize_fails, setup_in_child, teardown_in_child),
        cmocka_unit_test_setup_teardown(promises, setup_in_child, teardown_in_child),
        cmocka_unit_test_setup_teardown(manage, setup_in_child, teardown_in_child),
        cmocka_unit_test_setup_teardown(descriptions, setup_in_child, teardown_in_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
