/* Fault points: which pass acts, and how. The environment is read once, so each case is a process
 * of its own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

/* Passes the point `times` times and answers with a bit for each that failed. */
static unsigned pass(const char *name, unsigned times)
{
    unsigned failed = 0;
    (void)name;
    for (unsigned i = 0; i < times; i++) {
        if (CHY_FAULT(name)) failed |= 1u << i;
    }
    return failed;
}

struct outcome {
    int status; /* as waitpid gives it */
    unsigned failed;
    int64_t us;
};

static struct outcome run(const char *environment, const char *name)
{
    struct outcome out = {0};
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (environment) {
            setenv("CHANCERY_FAULT", environment, 1);
        } else {
            unsetenv("CHANCERY_FAULT");
        }
        int64_t from = chy_monotonic(&chy_system_clock);
        out.failed = pass(name, 5);
        out.us = chy_monotonic(&chy_system_clock) - from;
        _exit(write(pipe_fd[1], &out, sizeof(out)) == sizeof(out) ? 0 : 1);
    }
    close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], &out, sizeof(out));
    close(pipe_fd[0]);
    assert_int_equal(waitpid(child, &out.status, 0), child);
    assert_true(n == (ssize_t)sizeof(out) || n == 0);
    return out;
}

#ifdef CHY_FAULTS
static void expect_failures(const char *environment, const char *name, unsigned failed)
{
    struct outcome out = run(environment, name);
    assert_true(WIFEXITED(out.status));
    assert_int_equal(WEXITSTATUS(out.status), 0);
    if (out.failed != failed) fail_msg("%s: %x", environment ? environment : "none", out.failed);
}

static void test_the_chosen_pass_fails(void **state)
{
    (void)state;
    expect_failures(NULL, "store.commit", 0);
    expect_failures("", "store.commit", 0);
    expect_failures("store.commit:1:fail", "store.commit", 0x01);
    expect_failures("store.commit:3:fail", "store.commit", 0x04);
    expect_failures("store.commit:6:fail", "store.commit", 0);
    expect_failures("store.commit:0:fail", "store.commit", 0x1f);
    expect_failures("store.commit:0:fail", "store.commi", 0);
    expect_failures("store.commit:0:fail", "store.commits", 0);
}

static void test_several_are_separated_by_commas(void **state)
{
    (void)state;
    expect_failures("a:1:fail,b:2:fail", "a", 0x01);
    expect_failures("a:1:fail,b:2:fail", "b", 0x02);
    expect_failures("a:1:fail,a:4:fail", "a", 0x09);
    expect_failures("a:1:fail,b:0:kill", "a", 0x01);
    expect_failures("x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,"
                    "x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,x:1:fail,a:1:fail",
                    "a", 0x01); /* sixteen */
}

static void test_what_is_malformed_is_passed_over(void **state)
{
    (void)state;
    expect_failures("a", "a", 0);
    expect_failures("a:fail", "a", 0);
    expect_failures("a:x:fail,a:2:fail", "a", 0x02);
    expect_failures("a:1,a:2:fail", "a", 0x02);
    expect_failures(",,a:2:fail,", "a", 0x02);
    expect_failures("a:1:explode", "a", 0);
    expect_failures("a-name-of-more-than-forty-seven-characters-has-no-place:1:fail,a:2:fail", "a",
                    0x02);
}

static void test_kill_ends_the_process_at_once(void **state)
{
    (void)state;
    struct outcome out = run("a:2:kill", "a");
    assert_true(WIFSIGNALED(out.status));
    assert_int_equal(WTERMSIG(out.status), SIGKILL);
    out = run("a:6:kill", "a");
    assert_true(WIFEXITED(out.status));
}

static void test_sleep_delays_and_fails_nothing(void **state)
{
    (void)state;
    struct outcome out = run("a:2:sleep60", "a");
    assert_int_equal(out.failed, 0);
    assert_true(out.us >= 60000);
    out = run("a:0:sleep20", "a");
    assert_int_equal(out.failed, 0);
    assert_true(out.us >= 5 * 20000);
}
#else
static void test_without_fault_points_nothing_acts(void **state)
{
    (void)state;
    struct outcome out = run("a:0:kill", "a");
    assert_true(WIFEXITED(out.status));
    assert_int_equal(out.failed, 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CHY_FAULTS
        cmocka_unit_test(test_the_chosen_pass_fails),
        cmocka_unit_test(test_several_are_separated_by_commas),
        cmocka_unit_test(test_what_is_malformed_is_passed_over),
        cmocka_unit_test(test_kill_ends_the_process_at_once),
        cmocka_unit_test(test_sleep_delays_and_fails_nothing),
#else
        cmocka_unit_test(test_without_fault_points_nothing_acts),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
