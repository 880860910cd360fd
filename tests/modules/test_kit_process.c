/* What the shipped modules share: programs that are run, and end. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "kit/process.h"

static struct kit_ended end;
static struct kit_text said;

/* Standard output and error of a line for the shell. */
static bool run_for(int timeout_ms, size_t output_max, const char *line)
{
    static const char *const environment[] = {"GREETING=hello there", "PATH=/usr/bin:/bin", NULL};
    const char *argv[] = {"/bin/sh", "-c", line, NULL};
    kit_text_free(&said);
    return kit_process_run(&(struct kit_process){.argv = argv,
                                                 .environment = environment,
                                                 .timeout_ms = timeout_ms,
                                                 .output_max = output_max},
                           &said, &end);
}

static bool run(const char *line)
{
    return run_for(60000, 1000, line);
}

static const char *told(void)
{
    static char text[400];
    kit_process_text(&end, &said, text, sizeof text);
    return text;
}

static void what_it_wrote_and_how_it_ended(void **state)
{
    (void)state;
    assert_true(run("echo \"$GREETING\"; echo error >&2"));
    assert_string_equal(kit_text_cstr(&said), "hello there\nerror\n");
    assert_false(run("echo first; printf 'last\\033 line\\n\\n'; exit 3"));
    assert_int_equal(end.status, 3);
    assert_string_equal(told(), "exited with status 3: last? line");
    assert_false(run("kill -9 $$"));
    assert_string_equal(told(), "was ended by signal 9");
    assert_true(run_for(60000, 5, "printf 1234567890; exit 0"));
    assert_string_equal(kit_text_cstr(&said), "12345");
    assert_true(run_for(60000, 5, "head -c 1000000 /dev/zero"));
}

static void what_is_not_there(void **state)
{
    (void)state;
    const char *const argv[] = {"/nonexistent/program", NULL}, *const none[] = {NULL};
    const struct kit_process p = {.argv = argv, .environment = none, .timeout_ms = 60000};
    assert_false(kit_process_run(&p, NULL, &end));
    assert_int_equal(end.error, ENOENT);
    kit_text_free(&said);
    assert_string_equal(told(), "could not be started: No such file or directory");
}

/* The C library's own signals, 32 and 33, are left out. */
static void nothing_is_inherited(void **state)
{
    (void)state;
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &block, &old), 0);
    void (*was)(int) = signal(SIGPIPE, SIG_IGN);
    int fd = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(fd, 50), 50);
    assert_true(run("pwd; env | grep -c GREETING; [ -e /proc/$$/fd/50 ] || echo closed; "
                    "grep -E 'SigBlk' /proc/$$/status | tail -c 8; "
                    "grep -E 'SigIgn' /proc/$$/status | tail -c 8; cat"));
    close(fd);
    close(50);
    signal(SIGPIPE, was);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_string_equal(kit_text_cstr(&said), "/\n1\nclosed\n0000000\n0000000\n");
}

/* Seconds since some start. */
static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool gone(long pid)
{
    for (int i = 0; i < 500; i++) {
        char path[64], text[400] = "";
        snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        FILE *f = fopen(path, "r");
        if (!f) return true;
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
        if (strstr(text, ") Z ")) return true; /* nobody waits for it here: it has ended */
        usleep(20000);
    }
    return false;
}

static void what_takes_too_long_is_killed_with_its_children(void **state)
{
    (void)state;
    double from = clock_now();
    assert_false(run_for(300, 1000, "trap '' TERM; sleep 600 & echo $!; sleep 600; sleep 600"));
    assert_true(end.late);
    assert_true(clock_now() - from < 60);
    assert_true(gone(strtol(kit_text_cstr(&said), NULL, 10)));
    kit_text_free(&said);
    assert_string_equal(told(), "took longer than it may and was killed");
}

static void who_would_leave_is_killed_all_the_same(void **state)
{
    (void)state;
    double from = clock_now();
    assert_false(run_for(300, 1000,
                         "exec python3 -c 'import os, time\n"
                         "try: os.setpgid(0, os.getpgid(os.getppid()))\n"
                         "except OSError: print(\"stays\", flush=True)\n"
                         "time.sleep(20)'"));
    assert_true(end.late);
    assert_int_equal(end.signal, SIGTERM);
    assert_true(clock_now() - from < 15);
    kit_text_free(&said);
}

/* Who keeps the pipe open does not keep the module waiting, nor does it stay. */
static void what_is_left_behind_is_killed(void **state)
{
    (void)state;
    double from = clock_now();
    assert_true(run("sleep 600 & echo $!"));
    assert_true(clock_now() - from < 60);
    assert_true(gone(strtol(kit_text_cstr(&said), NULL, 10)));
    assert_true(run("exec >&- 2>&-; sleep 0.2")); /* closed long before its end */
    kit_text_free(&said);
}

/* A daemon whose parent ignores SIGCHLD does so, too, and is told of no end. */
static void an_end_that_nobody_told_is_no_success(void **state)
{
    (void)state;
    void (*was)(int) = signal(SIGCHLD, SIG_IGN);
    bool failing = run("exit 3"), fine = run("exit 0");
    signal(SIGCHLD, was);
    kit_text_free(&said);
    assert_false(failing);
    assert_false(fine);
    assert_string_equal(told(),
                        "ended, but not known how: do not start the daemon with SIGCHLD ignored");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_wrote_and_how_it_ended),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(nothing_is_inherited),
        cmocka_unit_test(what_takes_too_long_is_killed_with_its_children),
        cmocka_unit_test(who_would_leave_is_killed_all_the_same),
        cmocka_unit_test(what_is_left_behind_is_killed),
        cmocka_unit_test(an_end_that_nobody_told_is_no_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
