/* A call that overruns its deadline: the request is told once, the stuck thread reaches nothing any
 * more, and the module is out of use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine.h"

enum { TIMEOUT_MS = 100 };

struct stuck {
    struct chy_instance *instance;
    struct fake_request request;
    bool is_exit, initialize;
    const char *config;
    bool abandoned;
    enum chy_verdict verdict;
    chy_hresult hr;
    struct chy_err err;
    pthread_t thread;
};

static void *call(void *arg)
{
    struct stuck *s = arg;
    chy_hresult status;
    chy_long mask;
    if (s->initialize) {
        s->hr = s->is_exit ? chy_exit_initialize(s->instance, s->config, &mask, &s->err)
                           : chy_policy_initialize(s->instance, s->config, &s->err);
    } else if (s->is_exit) {
        s->hr = chy_exit_notify(s->instance, 1, &s->request, &s->abandoned, &s->err);
    } else {
        s->verdict = chy_policy_verify(s->instance, s->config, &s->request, true, &status,
                                       &s->abandoned, &s->err);
    }
    return NULL;
}

static void start(struct stuck *s)
{
    assert_int_equal(pthread_create(&s->thread, NULL, call, s), 0);
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool quarantined(struct chy_instance *i)
{
    struct chy_instance_info info;
    chy_instance_info(i, &info);
    return info.quarantined;
}

static void wait_for_quarantine(struct chy_instance *i)
{
    for (int k = 0; k < 2000 && !quarantined(i); k++)
        sleep_ms(5);
    assert_true(quarantined(i));
}

/* What the stuck thread saw after the deadline: nothing of the request, and no setting. */
static void nothing_reached(struct engine *e)
{
    const char *after = strstr(engine_record(e), "after the deadline\n");
    assert_non_null(after);
    assert_null(strstr(after, "engine:"));
    assert_non_null(strstr(after, "get request CommonName type 4: 80070006 empty"));
    assert_non_null(strstr(after, "get certificate CommonName type 4: 80070006 empty"));
    assert_non_null(strstr(after, "get certificate CAType type 1: 80070006 empty"));
    assert_non_null(strstr(after, "get extension 2.5.29.17 type 3: 80070006 empty"));
    assert_non_null(strstr(after, "attribute CertFile: 80070006"));
    assert_non_null(strstr(after, "flags: 80070006"));
    assert_non_null(strstr(after, "context: 80070006"));
    assert_non_null(strstr(after, "message: 80070006"));
    assert_non_null(strstr(after, "time left: 0"));
    assert_null(strstr(after, ": 00000000"));
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        n++;
    return n;
}

static struct chy_instance *open_one(struct chy_modules *ms, bool is_exit, const char *class_name)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    chy_hresult hr = is_exit ? chy_exit_open(ms, "probe", class_name, CHY_BINDING_AUTO, &i, &err)
                             : chy_policy_open(ms, "probe", class_name, CHY_BINDING_AUTO, &i, &err);
    if (hr != CHY_S_OK) fail_msg("%s", err.text);
    return i;
}

static void hangs(bool is_exit, const char *class_name)
{
    struct engine e;
    struct chy_err err = {0};
    chy_hresult status = 0;
    chy_long mask;
    bool abandoned = true;
    engine_init(&e);
    struct chy_modules *ms = engine_modules(&e, PROBES, TIMEOUT_MS);
    struct stuck s = {.is_exit = is_exit, .config = "hang 1500"};
    s.instance = open_one(ms, is_exit, class_name);
    if (is_exit) {
        assert_int_equal(chy_exit_initialize(s.instance, s.config, &mask, &err), CHY_S_OK);
    }
    fake_request_init(&s.request, &e);
    start(&s);
    wait_for_quarantine(s.instance);
    int64_t before = chy_monotonic(&chy_system_clock);
    if (is_exit) {
        struct fake_request other;
        fake_request_init(&other, &e);
        assert_int_equal(chy_exit_notify(s.instance, 1, &other, &abandoned, &err),
                         CHY_ERROR_TIMEOUT);
    } else {
        struct fake_request other;
        fake_request_init(&other, &e);
        assert_int_equal(
            chy_policy_verify(s.instance, "answer 0 1", &other, true, &status, &abandoned, &err),
            CHY_VERDICT_FAILED);
        assert_int_equal(status, CHY_ERROR_TIMEOUT);
    }
    assert_false(abandoned);
    assert_true(chy_monotonic(&chy_system_clock) - before < 500000);
    assert_non_null(strstr(err.text, "module probe is out of use"));
    pthread_join(s.thread, NULL);
    assert_true(s.abandoned);
    assert_int_equal(atomic_load(&s.request.expired), 1);
    assert_int_equal(count(engine_record(&e), "expired: a request\n"), 1);
    if (is_exit) {
        assert_int_equal(s.hr, CHY_ERROR_TIMEOUT);
    } else {
        assert_int_equal(s.verdict, CHY_VERDICT_FAILED);
    }
    nothing_reached(&e);
    struct chy_instance_info info;
    chy_instance_info(s.instance, &info);
    assert_true(info.quarantined);
    assert_int_equal(info.failures, 1);
    chy_instance_free(s.instance);
    chy_modules_free(ms);
    engine_fini(&e);
}

static void policy_hangs(void **state)
{
    (void)state;
    hangs(false, "Probe.Policy");
    hangs(false, "ProbeLate.Policy");
    hangs(false, "ProbeFree.Policy");
}

static void exit_hangs(void **state)
{
    (void)state;
    hangs(true, "Probe.Exit");
    hangs(true, "ProbeLate.Exit");
}

static void initialize_hangs(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct engine e;
        engine_init(&e);
        struct chy_modules *ms = engine_modules(&e, PROBES, TIMEOUT_MS);
        struct stuck s = {.is_exit = k == 1, .initialize = true, .config = "start-hang 400"};
        s.instance = open_one(ms, s.is_exit, NULL);
        call(&s);
        assert_int_equal(s.hr, CHY_ERROR_TIMEOUT);
        assert_non_null(strstr(s.err.text, "Initialize overran its deadline"));
        assert_int_equal(count(engine_record(&e), "expired: no request\n"), 1);
        assert_true(quarantined(s.instance));
        chy_instance_free(s.instance);
        chy_modules_free(ms);
        engine_fini(&e);
    }
}

/* Who waited for a serial instance while its call overran does not get in when that call at last
 * comes back. */
static void waiting_behind_a_stuck_call(void **state)
{
    struct engine e;
    (void)state;
    engine_init(&e);
    struct chy_modules *ms = engine_modules(&e, PROBES, TIMEOUT_MS);
    struct stuck first = {.config = "hang 1500"}, second = {.config = "answer 0 1"};
    first.instance = second.instance = open_one(ms, false, "Probe.Policy");
    fake_request_init(&first.request, &e);
    fake_request_init(&second.request, &e);
    start(&first);
    while (!engine_heard(&e, "verify \"hang 1500\""))
        sleep_ms(1);
    start(&second);
    pthread_join(second.thread, NULL);
    assert_false(engine_heard(&e, "after the deadline")); /* it did not have to wait for that */
    pthread_join(first.thread, NULL);
    assert_true(first.abandoned);
    assert_false(second.abandoned);
    assert_int_equal(second.verdict, CHY_VERDICT_FAILED);
    assert_null(strstr(engine_record(&e), "verify \"answer 0 1\""));
    assert_int_equal(atomic_load(&second.request.expired), 0);
    chy_instance_free(first.instance);
    chy_modules_free(ms);
    engine_fini(&e);
}

/* The engine may close while a thread is stuck: what that thread still needs is left to it. */
static struct chy_modules *left;
static struct chy_instance *left_instance;

static void closing_with_a_stuck_call(void **state)
{
    struct engine e;
    (void)state;
    engine_init(&e);
    left = engine_modules(&e, PROBES, TIMEOUT_MS);
    struct stuck s = {.config = "hang 700"};
    s.instance = left_instance = open_one(left, false, "Probe.Policy");
    fake_request_init(&s.request, &e);
    start(&s);
    wait_for_quarantine(s.instance);
    chy_instance_free(s.instance);
    chy_modules_free(left);
    pthread_join(s.thread, NULL);
    assert_true(s.abandoned);
    assert_null(strstr(engine_record(&e), "after the deadline")); /* nor is the engine asked */
    engine_fini(&e);
}

struct crowd {
    struct chy_instance *instance;
    struct engine *engine;
    _Atomic int issued;
};

static void *verify_quickly(void *arg)
{
    struct crowd *c = arg;
    struct fake_request r;
    for (int k = 0; k < 125; k++) {
        struct chy_err err = {0};
        chy_hresult status;
        bool abandoned;
        fake_request_init(&r, c->engine);
        c->issued += chy_policy_verify(c->instance, "quick", &r, true, &status, &abandoned, &err) ==
                     CHY_VERDICT_ISSUE;
    }
    return NULL;
}

static void no_false_alarm(void **state)
{
    static const char *const names[] = {"Probe.Policy", "ProbeLate.Policy", "ProbeFree.Policy"};
    (void)state;
    for (size_t n = 0; n < CHY_ARRAY_LEN(names); n++) {
        struct engine e;
        pthread_t t[8];
        engine_init(&e);
        e.quiet = true;
        struct chy_modules *ms = engine_modules(&e, PROBES, 5 * TIMEOUT_MS);
        struct crowd c = {.instance = open_one(ms, false, names[n]), .engine = &e};
        for (size_t k = 0; k < CHY_ARRAY_LEN(t); k++)
            assert_int_equal(pthread_create(&t[k], NULL, verify_quickly, &c), 0);
        for (size_t k = 0; k < CHY_ARRAY_LEN(t); k++)
            pthread_join(t[k], NULL);
        assert_int_equal(c.issued, 1000);
        struct chy_instance_info info;
        chy_instance_info(c.instance, &info);
        assert_false(info.quarantined);
        assert_int_equal(info.calls, 1000);
        assert_int_equal(info.failures, 0);
        chy_instance_free(c.instance);
        chy_modules_free(ms);
        engine_fini(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_hangs),
        cmocka_unit_test(exit_hangs),
        cmocka_unit_test(initialize_hangs),
        cmocka_unit_test(waiting_behind_a_stuck_call),
        cmocka_unit_test(closing_with_a_stuck_call),
        cmocka_unit_test(no_false_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
