/* Both ways of calling show the same: the probe with direct tables and the probe that knows
 * invoke alone, in the same steps, leave the same record. The record itself is compared with
 * callbacks_policy.txt and callbacks_exit.txt, which were checked against the interfaces line by
 * line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine.h"

static void policy_record(const char *class_name, enum chy_binding binding, struct engine *e)
{
    struct chy_modules *ms = engine_modules(e, PROBES, 60000);
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct fake_request r;
    chy_hresult status = 1;
    bool abandoned = true;
    assert_int_equal(engine_open_policy(ms, "probe", class_name, binding, &i, &err), CHY_S_OK);
    assert_int_equal(chy_policy_initialize(i, "walk", &err), CHY_S_OK);
    for (int k = 0; k < 2; k++) {
        fake_request_init(&r, e);
        assert_int_equal(chy_policy_verify(i, "walk", &r, k == 0, &status, &abandoned, &err),
                         CHY_VERDICT_ISSUE);
        assert_int_equal(status, CHY_S_OK);
        assert_false(abandoned);
    }
    assert_int_equal(chy_policy_shut_down(i, &err), CHY_S_OK);
    chy_instance_free(i);
    chy_modules_free(ms);
}

static void exit_record(const char *class_name, struct engine *e)
{
    struct chy_modules *ms = engine_modules(e, PROBES, 60000);
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct fake_request r;
    chy_long mask = 0;
    bool abandoned = true;
    assert_int_equal(engine_open_exit(ms, "probe", class_name, CHY_BINDING_AUTO, &i, &err),
                     CHY_S_OK);
    assert_int_equal(chy_exit_initialize(i, "walk", &mask, &err), CHY_S_OK);
    assert_int_equal(mask, CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CRLISSUED);
    for (int k = 0; k < 2; k++) {
        fake_request_init(&r, e);
        assert_int_equal(chy_exit_notify(i, CHY_EXITEVENT_CERTISSUED, &r, &abandoned, &err),
                         CHY_S_OK);
        assert_false(abandoned);
    }
    assert_int_equal(chy_exit_notify(i, CHY_EXITEVENT_CRLISSUED, NULL, &abandoned, &err), CHY_S_OK);
    chy_instance_free(i);
    chy_modules_free(ms);
}

/* Points at the first line that differs, for a message that helps. */
static void same_text(const char *a, const char *b)
{
    while (*a && *b) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (n != m || memcmp(a, b, n) != 0)
            fail_msg("one way: %.*s\nthe other: %.*s", (int)n, a, (int)m, b);
        a += n + (a[n] != 0);
        b += m + (b[m] != 0);
    }
    assert_string_equal(a, b);
}

static void as_written(struct engine *e, const char *file)
{
    struct chy_buf text;
    struct chy_err err = {0};
    chy_buf_init(&text, 1 << 20);
    if (getenv("CHY_WRITE_RECORDS")) {
        struct chy_span s = chy_span_cstr(engine_record(e));
        assert_int_equal(chy_file_write(file, s, 0644, &err), CHY_S_OK);
    }
    assert_int_equal(chy_file_read(file, 1 << 20, &text, &err), CHY_S_OK);
    same_text(engine_record(e), chy_buf_cstr(&text));
    chy_buf_free(&text);
}

static void policy_both_ways(void **state)
{
    struct engine direct, late;
    (void)state;
    engine_init(&direct);
    engine_init(&late);
    policy_record("Probe.Policy", CHY_BINDING_AUTO, &direct);
    policy_record("ProbeLate.Policy", CHY_BINDING_AUTO, &late);
    same_text(engine_record(&direct), engine_record(&late));
    as_written(&direct, RECORDS "/callbacks_policy.txt");
    engine_fini(&direct);
    engine_fini(&late);
}

static void exit_both_ways(void **state)
{
    struct engine direct, late;
    (void)state;
    engine_init(&direct);
    engine_init(&late);
    exit_record("Probe.Exit", &direct);
    exit_record("ProbeLate.Exit", &late);
    same_text(engine_record(&direct), engine_record(&late));
    as_written(&direct, RECORDS "/callbacks_exit.txt");
    engine_fini(&direct);
    engine_fini(&late);
}

/* The same in a process of its own, where everything is asked for: not a line is different. */
static void in_a_child(void **state)
{
    engine_in_child = true;
    policy_both_ways(state);
    exit_both_ways(state);
    engine_in_child = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_both_ways),
        cmocka_unit_test(exit_both_ways),
        cmocka_unit_test(in_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
