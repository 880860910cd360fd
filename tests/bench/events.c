/* How fast exit events reach a module that was away, and what a slow module costs issuance. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "ca/events.h"
#include "store/store.h"

static void die(const char *what, const struct chy_err *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    exit(1);
}

static void module_path(char *out, size_t cap)
{
    char relative[4200];
    bench_program("../bench-modules/bench-exit.so", relative, sizeof(relative));
    if (!realpath(relative, out)) {
        snprintf(out, cap, "%s", relative);
        fprintf(stderr, "bench: %s is not there\n", out);
        exit(1);
    }
}

static chy_hresult open_store(const struct bench_target *t, struct chy_store **out,
                              struct chy_err *err)
{
    char dir[128];
    snprintf(dir, sizeof(dir), "%s/ca/bench", t->dir);
    return chy_store_open_sqlite(dir, 16384, out, err);
}

static void set(struct chy_store *store, const char *path, const char *json)
{
    struct chy_err err = {0};
    struct chy_write w = {.kind = CHY_WRITE_CONFIG,
                          .path = path,
                          .value = chy_span_cstr(json),
                          .author = "bench",
                          .when = chy_now(&chy_system_clock)};
    if (chy_store_write_wait(store, &w, &err) != CHY_S_OK) die("setting", &err);
}

static void configure(const struct bench_target *t, const char *sleep_ms)
{
    struct chy_err err = {0};
    struct chy_store *store = NULL;
    char path[4200], active[4300];
    module_path(path, sizeof(path));
    snprintf(active, sizeof(active), "[\"%s\"]", path);
    if (open_store(t, &store, &err) != CHY_S_OK) die("store", &err);
    set(store, "ExitModules/Active", active);
    set(store, "ExitModules/exit-bench/SleepMs", sleep_ms);
    chy_store_close(store);
}

/* ---- delivery ---- */
static void owe(const struct bench_target *t, int32_t events)
{
    enum { BATCH = 256 };
    static struct chy_write w[BATCH];
    static struct chy_outbox_entry entry[BATCH];
    struct chy_err err = {0};
    struct chy_store *store = NULL;
    char path[4200];
    module_path(path, sizeof(path));
    const struct chy_owed owed = {path, CHY_EXITEVENT_CERTISSUED};
    if (open_store(t, &store, &err) != CHY_S_OK) die("store", &err);
    for (int32_t done = 0; done < events;) {
        int32_t n = events - done < BATCH ? events - done : BATCH;
        for (int32_t i = 0; i < n; i++) {
            entry[i] = (struct chy_outbox_entry){.request_id = done + i + 1};
            w[i] = (struct chy_write){.kind = CHY_WRITE_OUTBOX_ADD,
                                      .entry = &entry[i],
                                      .owed = &owed,
                                      .n_owed = 1,
                                      .when = chy_now(&chy_system_clock),
                                      .soon = (size_t)(n - 1 - i)};
            if (i + 1 < n) chy_store_write(store, &w[i]);
        }
        if (chy_store_write_wait(store, &w[n - 1], &err) != CHY_S_OK) die("outbox", &err);
        done += n;
    }
    chy_store_close(store);
}

/* From the opening of the CA until nothing is owed any more, in a process of its own. */
static double deliver_s(const struct bench_target *t)
{
    struct chy_err err = {0};
    struct chy_workers *workers;
    struct chy_ca *ca;
    struct chy_exit_state e;
    char dir[128], modules[4200];
    snprintf(dir, sizeof(dir), "%s/ca/bench", t->dir);
    bench_program("../modules", modules, sizeof(modules));
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    if (chy_workers_new(2, &workers, &err) != CHY_S_OK) die("workers", &err);
    const struct chy_ca_options o = {.dir = dir,
                                     .host = "localhost",
                                     .module_dir = realpath(modules, NULL),
                                     .workers = workers,
                                     .clock = &chy_system_clock,
                                     .cache_kib = 8192};
    int64_t since = chy_monotonic(&chy_system_clock);
    if (chy_ca_open(&o, &ca, &err) != CHY_S_OK) die("CA", &err);
    while (chy_ca_exit_state(ca, 0, &e) && e.backlog)
        usleep(1000);
    double s = (double)(chy_monotonic(&chy_system_clock) - since) / 1e6;
    if (e.failures) fprintf(stderr, "bench: %d events failed\n", (int)e.failures);
    chy_ca_close(ca);
    chy_workers_free(workers);
    return s;
}

static double apart(double (*fn)(const struct bench_target *t), const struct bench_target *t)
{
    int fd[2], status = 0;
    double out = 0;
    if (pipe(fd) != 0) exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        out = fn(t);
        _exit(write(fd[1], &out, sizeof(out)) == (ssize_t)sizeof(out) ? 0 : 1);
    }
    close(fd[1]);
    if (read(fd[0], &out, sizeof(out)) != (ssize_t)sizeof(out)) exit(1);
    close(fd[0]);
    waitpid(pid, &status, 0);
    return out;
}

double bench_delivery(int32_t events)
{
    struct bench_requests requests;
    struct bench_target t;
    bench_make_requests(&requests, 100, "p256");
    bench_target_make(&t, "p256");
    configure(&t, "0");
    bench_target_start(&t);
    struct bench_load load = {.host = "127.0.0.1",
                              .port = t.http_port,
                              .connections = 1,
                              .seconds = 5,
                              .most = 1,
                              .requests = &requests};
    bench_run_load(&load);
    bench_target_stop(&t);
    bench_target_fill(&t, events);
    owe(&t, events);
    double s = apart(deliver_s, &t);
    bench_target_remove(&t);
    bench_free_requests(&requests);
    return (double)events / s;
}

/* ---- a slow module ---- */
static double rate(struct bench_target *t, const struct bench_requests *requests,
                   const char *sleep_ms, double seconds, double *cpu_us)
{
    configure(t, sleep_ms);
    bench_target_start(t);
    struct bench_load load = {.host = "127.0.0.1",
                              .port = t->http_port,
                              .connections = 64,
                              .seconds = 0.5,
                              .requests = requests};
    bench_run_load(&load);
    load.seconds = seconds;
    double before = bench_target_cpu_s(t);
    bench_run_load(&load);
    *cpu_us += (bench_target_cpu_s(t) - before) * 1e6 / (double)(load.issued ? load.issued : 1);
    bench_target_stop(t);
    return (double)load.issued / load.elapsed_s;
}

void bench_slow_exit(struct bench_slow *out, double seconds)
{
    enum { ROUNDS = 3 };
    struct bench_requests requests;
    *out = (struct bench_slow){0};
    bench_make_requests(&requests, 2000, "p256");
    for (int i = 0; i < 2 * ROUNDS; i++) {
        struct bench_target t;
        bool slow = i % 2 == (i / 2) % 2; /* in turns, and each first as often as the other */
        bench_target_make(&t, "p256");
        double r = rate(&t, &requests, slow ? "1000" : "0", seconds / ROUNDS,
                        slow ? &out->slow_us : &out->quick_us);
        *(slow ? &out->slow : &out->quick) += r / ROUNDS;
        bench_target_remove(&t);
    }
    out->slow_us /= ROUNDS;
    out->quick_us /= ROUNDS;
    bench_free_requests(&requests);
}
