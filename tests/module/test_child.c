/* A child that is at war with the daemon: what it does on its sockets ends it, and holds up nobody
 * for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "module/internal.h"

enum { DEADLINE_MS = 20000, SOON_S = 8, SIN = 32 };

struct war {
    struct engine engine;
    struct chy_modules *ms;
    struct chy_instance *instance;
    struct chy_err err;
    char dir[32], file[64];
};

static int64_t seconds(void)
{
    return chy_monotonic(&chy_system_clock) / 1000000;
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* As an installation does: a new file under the old name. */
static void install(struct war *w, const char *sin)
{
    char fresh[80], tail[SIN] = "!";
    struct stat st;
    off_t at = 0;
    snprintf(tail + 1, sizeof(tail) - 1, "%s", sin);
    snprintf(fresh, sizeof(fresh), "%s.new", w->file);
    int from = open(PROBES "/wild.so", O_RDONLY), to = open(fresh, O_WRONLY | O_CREAT, 0644);
    assert_true(from >= 0 && to >= 0 && fstat(from, &st) == 0);
    assert_int_equal(sendfile(to, from, &at, (size_t)st.st_size), st.st_size);
    assert_int_equal(write(to, tail, sizeof(tail)), sizeof(tail));
    close(from);
    close(to);
    assert_int_equal(rename(fresh, w->file), 0);
}

static int setup(void **state)
{
    struct war *w = calloc(1, sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "/tmp/chancery-war-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->file, sizeof(w->file), "%s/wild.so", w->dir);
    engine_init(&w->engine);
    w->ms = engine_modules(&w->engine, NULL, DEADLINE_MS);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct war *w = *state;
    int64_t began = seconds();
    if (w->instance) chy_instance_free(w->instance);
    chy_modules_free(w->ms);
    engine_fini(&w->engine);
    unlink(w->file);
    rmdir(w->dir);
    bool soon = seconds() - began < SOON_S;
    free(w);
    return soon ? 0 : -1;
}

static chy_hresult begin(struct war *w, const char *sin)
{
    struct chy_place place = {.process = true, .max_failures = 100, .n_write = 1};
    place.write[0] = w->dir;
    install(w, sin);
    chy_hresult hr =
        chy_policy_open_at(w->ms, w->file, NULL, CHY_BINDING_AUTO, &place, &w->instance, &w->err);
    return hr == CHY_S_OK ? chy_policy_initialize(w->instance, "here\\CA", &w->err) : hr;
}

static enum chy_verdict verify(struct war *w)
{
    struct fake_request r;
    struct chy_err err = {0};
    chy_hresult status;
    bool abandoned;
    fake_request_init(&r, &w->engine);
    return chy_policy_verify(w->instance, "here\\CA", &r, true, &status, &abandoned, &err);
}

static void *verify_in_thread(void *arg)
{
    (void)verify(arg);
    return NULL;
}

static pid_t pid_of(struct war *w)
{
    struct chy_instance_info info;
    chy_instance_info(w->instance, &info);
    return info.pid;
}

static void until_pid(struct war *w, bool there)
{
    int64_t began = seconds();
    while ((pid_of(w) != 0) != there && seconds() - began < 20)
        sleep_ms(5);
    assert_true((pid_of(w) != 0) == there);
}

/* Before the module has a name there are no settings to ask for. */
static void asks_before_it_has_a_name(void **state)
{
    struct war *w = *state;
    assert_int_not_equal(begin(w, "early"), CHY_S_OK);
    assert_false(engine_heard(&w->engine, "engine:"));
}

static void drips_at_the_start(void **state)
{
    struct war *w = *state;
    int64_t began = seconds();
    if (!getenv("CHANCERY_SLOW")) skip();
    assert_int_not_equal(begin(w, "drip-start"), CHY_S_OK);
    assert_in_range(seconds() - began, 5, 60);
    assert_non_null(strstr(w->err.text, "not up within its deadline"));
}

/* The end of it is in the teardown: the supervisor is free to end the child. */
static void drips_beside_calls(void **state)
{
    struct war *w = *state;
    assert_int_equal(begin(w, "drip"), CHY_S_OK);
    assert_int_equal(verify(w), CHY_VERDICT_ISSUE);
    sleep_ms(200);
}

static void floods_the_log(void **state)
{
    struct war *w = *state;
    assert_int_equal(begin(w, "flood"), CHY_S_OK);
    assert_int_equal(verify(w), CHY_VERDICT_ISSUE);
    sleep_ms(200);
}

enum { ENDLESS = 100000 };
struct talker {
    int fd;
    unsigned lines;
};

/* Each look at the clock, which each line is worth, finds another line said. */
static int64_t talk(void *arg)
{
    struct talker *t = arg;
    if (++t->lines < ENDLESS) assert_int_equal(write(t->fd, "x\n", 2), 2);
    return 0;
}

/* Who never ends talking does not keep the supervisor from its other work. */
static void never_ends_talking(void **state)
{
    struct war *w = *state;
    struct talker t = {.lines = 0};
    struct chy_clock clock = {.arg = &t, .monotonic = talk};
    struct chy_modules *ms = calloc(1, sizeof(*ms));
    struct chy_instance instance = {.ms = ms};
    struct chy_child child = {.instance = &instance};
    struct chy_process p = {.child = &child};
    int fd[2];
    (void)w;
    assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
    ms->config = (struct chy_modules_config){.ops = &fake_ops, .clock = &clock};
    p.log_fd = fd[0];
    t.fd = fd[1];
    (void)talk(&t);
    chy_process_pump(&p);
    assert_in_range(t.lines, 2, ENDLESS - 1);
    close(fd[0]);
    close(fd[1]);
    free(ms);
}

struct reload {
    struct chy_instance *instance;
    struct chy_err err;
    chy_hresult hr;
    pthread_t thread;
};

static void *reload_in_thread(void *arg)
{
    struct reload *r = arg;
    r->hr = chy_instance_reload(r->instance, &r->err);
    return NULL;
}

static void reload(struct reload *r, struct war *w)
{
    *r = (struct reload){.instance = w->instance};
    assert_int_equal(pthread_create(&r->thread, NULL, reload_in_thread, r), 0);
}

/* The file goes while the old process is waited for: the old code is what is left. */
static void file_goes_while_it_reloads(void **state)
{
    struct war *w = *state;
    struct reload r;
    pthread_t call;
    assert_int_equal(begin(w, "slow"), CHY_S_OK);
    assert_int_equal(pthread_create(&call, NULL, verify_in_thread, w), 0);
    sleep_ms(100);
    install(w, "busy");
    reload(&r, w);
    until_pid(w, false);
    assert_int_equal(unlink(w->file), 0);
    pthread_join(r.thread, NULL);
    pthread_join(call, NULL);
    assert_int_not_equal(r.hr, CHY_S_OK);
    assert_non_null(strstr(r.err.text, "what ran before is started again"));
    until_pid(w, true);
    assert_int_equal(verify(w), CHY_VERDICT_ISSUE);
}

/* A stop that meets a reload leaves it what it uses. */
static void goes_while_it_reloads(void **state)
{
    struct war *w = *state;
    struct reload r;
    assert_int_equal(begin(w, ""), CHY_S_OK);
    w->instance->deadline_ms = 1200;
    install(w, "hang");
    reload(&r, w);
    sleep_ms(600);
    chy_instance_free(w->instance);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.hr, CHY_ERROR_TIMEOUT);
}

static size_t identities(struct war *w)
{
    size_t n = 0;
    for (struct chy_identity *id = w->instance->child->identity; id; id = id->next)
        n++;
    return n;
}

/* What a process says of itself is kept once, however often it is started. */
static void starts_often(void **state)
{
    struct war *w = *state;
    assert_int_equal(begin(w, "abort"), CHY_S_OK);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(verify(w), CHY_VERDICT_FAILED);
        until_pid(w, true);
    }
    assert_int_equal(identities(w), 1);
}

/* The end comes while its next process hangs in Initialize: nothing of that one is left. */
static void goes_while_it_starts(void **state)
{
    struct war *w = *state;
    assert_int_equal(begin(w, ""), CHY_S_OK);
    struct chy_child *c = w->instance->child;
    install(w, "hang");
    pthread_mutex_lock(&c->lock);
    chy_file_drop_copy(&c->file);
    assert_int_equal(chy_library_copy(w->ms, w->file, &c->file, &w->err), CHY_S_OK);
    pthread_mutex_unlock(&c->lock);
    assert_int_equal(kill(pid_of(w), SIGKILL), 0);
    until_pid(w, false);
    sleep_ms(700);
}

/* Some start the daemon with SIGCHLD ignored: then nobody tells how a child ended, but that it did.
 */
static void nobody_tells_of_its_end(void **state)
{
    struct war *w = *state;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(begin(w, "abort"), CHY_S_OK);
    assert_int_equal(verify(w), CHY_VERDICT_FAILED);
    until_pid(w, true);
    int64_t began = seconds();
    chy_instance_free(w->instance);
    w->instance = NULL;
    (void)signal(SIGCHLD, before);
    assert_in_range(seconds() - began, 0, SOON_S);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_before_it_has_a_name),
        TEST(drips_at_the_start),
        TEST(drips_beside_calls),
        TEST(floods_the_log),
        TEST(never_ends_talking),
        TEST(file_goes_while_it_reloads),
        TEST(goes_while_it_reloads),
        TEST(goes_while_it_starts),
        TEST(starts_often),
        TEST(nobody_tells_of_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
