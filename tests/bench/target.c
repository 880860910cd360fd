/* A daemon under measurement. */
#include <dirent.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pki/cert.h"
#include "store/store.h"

static void die(const struct chy_err *err)
{
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

const char *bench_program(const char *name, char *out, size_t cap)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) exit(1);
    self[n] = 0;
    snprintf(out, cap, "%s/%s", dirname(self), name);
    return out;
}

void bench_target_make(struct bench_target *t, const char *ca_key)
{
    bench_target_make_hosted(t, ca_key, false);
}

void bench_target_make_hosted(struct bench_target *t, const char *ca_key, bool process)
{
    struct chy_err err = {0};
    char ca[128];
    static int next; /* ports of its own for each, four in one process */
    *t = (struct bench_target){.dir = "bench-XXXXXX", .pid = -1};
    if (!mkdtemp(t->dir)) exit(1);
    /* Below those that the system gives to connections: one of them may be in use at any moment. */
    t->http_port = 10000 + (int)(getpid() % 2750) * 8 + next++ % 4 * 2;
    t->https_port = t->http_port + 1;
    snprintf(t->socket, sizeof(t->socket), "%s/chancery.sock", t->dir);
    snprintf(ca, sizeof(ca), "%s/ca/bench", t->dir);
    struct chy_ca_init init = {
        .dir = ca,
        .common_name = "Bench CA",
        .key_alg = ca_key,
        .days = 3650,
        .path_len = -1,
        .clock = &chy_system_clock,
        .setting = {{"AnonymousSubmit", "1"},
                    {"Modules/policy-default/Host", process ? "\"process\"" : "\"daemon\""},
                    {"PolicyModules/policy-default/RequestDisposition", "1"},
                    {"PolicyModules/policy-default/DefaultProfile", "\"tls-server\""}}};
    if (chy_ca_create(&init, &err) != CHY_S_OK) die(&err);
}

static bool is_up(const struct bench_target *t)
{
    struct stat st;
    return stat(t->socket, &st) == 0;
}

void bench_target_start(struct bench_target *t)
{
    char bin[4200], http[64], https[64];
    bench_program("chanceryd", bin, sizeof(bin));
    snprintf(http, sizeof(http), "127.0.0.1:%d", t->http_port);
    snprintf(https, sizeof(https), "127.0.0.1:%d", t->https_port);
    t->pid = fork();
    if (t->pid == 0) {
        execl(bin, bin, "--dir", t->dir, "--http", http, "--https", https, "--log-level", "warning",
              (char *)NULL);
        perror(bin);
        _exit(127);
    }
    for (int i = 0; i < 1000 && !is_up(t); i++)
        usleep(10000);
    usleep(100000);
}

void bench_target_stop(struct bench_target *t)
{
    kill(t->pid, SIGTERM);
    waitpid(t->pid, NULL, 0);
    t->pid = -1;
}

void bench_target_remove(struct bench_target *t)
{
    chy_dir_remove(t->dir);
}

/* 0 where the process is neither this one nor its child. */
static unsigned long ticks_of(const char *pid, pid_t of)
{
    char path[288];
    int self = 0, parent = 0;
    unsigned long user = 0, system_time = 0;
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    int n = fscanf(f, "%d (%*[^)]) %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &self,
                   &parent, &user, &system_time);
    fclose(f);
    return n == 4 && (self == of || parent == of) ? user + system_time : 0;
}

double bench_target_cpu_s(const struct bench_target *t)
{
    unsigned long ticks = 0;
    DIR *d = opendir("/proc");
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9') ticks += ticks_of(e->d_name, t->pid);
    }
    if (d) closedir(d);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

double bench_target_rss_mib(const struct bench_target *t)
{
    char path[64];
    unsigned long total = 0, resident = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)t->pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static bool keep_last(const struct chy_row *row, void *arg)
{
    *(int32_t *)arg = row->id;
    return false;
}

static int32_t last_id(struct chy_store *store)
{
    struct chy_err err = {0};
    struct chy_query q = {.descending = true, .limit = 1};
    int32_t id = 0;
    if (store->ops->query(store, &q, keep_last, &id, &err) != CHY_S_OK) die(&err);
    return id;
}

enum { BATCH = 256 };

/* One commit behind the rows: each of them is revoked. */
static void revoke_rows(struct chy_store *store, const struct chy_row *rows, int32_t n,
                        chy_time now)
{
    static struct chy_write w[BATCH];
    static struct chy_revocation r[BATCH];
    struct chy_err err = {0};
    for (int32_t i = 0; i < n; i++) {
        r[i] = (struct chy_revocation){.request_id = rows[i].id,
                                       .serial = rows[i].serial,
                                       .issuer_index = rows[i].issuer_index,
                                       .disposition = CHY_DB_DISP_REVOKED,
                                       .reason = CHY_CRL_REASON_SUPERSEDED,
                                       .revoked_when = now,
                                       .effective_when = now,
                                       .invalidity_when = CHY_TIME_DEFAULT,
                                       .was_disposition = rows[i].disposition};
        w[i] = (struct chy_write){
            .kind = CHY_WRITE_REVOKE, .revocation = &r[i], .soon = (size_t)(n - 1 - i)};
        if (i + 1 < n) chy_store_write(store, &w[i]);
    }
    if (chy_store_write_wait(store, &w[n - 1], &err) != CHY_S_OK) die(&err);
}

/* Serials as the daemon would have made them in the seconds before. */
static void write_rows(struct chy_store *store, struct chy_row *row, int32_t first, int32_t n,
                       bool revoked)
{
    static struct chy_write w[BATCH];
    static struct chy_row rows[BATCH];
    static uint8_t serial[BATCH][CHY_SERIAL_LEN];
    struct chy_err err = {0};
    chy_time now = chy_now(&chy_system_clock);
    for (int32_t done = 0; done < n;) {
        int32_t batch = n - done < BATCH ? n - done : BATCH;
        for (int32_t i = 0; i < batch; i++) {
            if (chy_serial_make(now - (n - done - i), serial[i], &err) != CHY_S_OK) die(&err);
            rows[i] = *row;
            rows[i].id = first + done + i;
            rows[i].serial = CHY_SPAN(serial[i]);
            w[i] = (struct chy_write){
                .kind = CHY_WRITE_FINAL, .row = &rows[i], .soon = (size_t)(batch - 1 - i)};
            if (i + 1 < batch) chy_store_write(store, &w[i]);
        }
        if (chy_store_write_wait(store, &w[batch - 1], &err) != CHY_S_OK) die(&err);
        if (revoked) revoke_rows(store, rows, batch, now);
        done += batch;
        if (done % (BATCH * 400) == 0 && isatty(2))
            fprintf(stderr, "\r\033[K  filling the database: %d rows", first + done);
    }
    if (isatty(2)) fprintf(stderr, "\r\033[K");
}

static void fill(struct bench_target *t, int32_t rows, bool revoked)
{
    struct chy_err err = {0};
    struct chy_store *store = NULL;
    struct chy_arena a;
    struct chy_row row;
    char dir[128];
    int32_t first = 0;
    snprintf(dir, sizeof(dir), "%s/ca/bench", t->dir);
    chy_arena_init(&a, 1 << 20);
    if (chy_store_open_sqlite(dir, 16384, &store, &err) != CHY_S_OK) die(&err);
    int32_t last = last_id(store);
    if (store->ops->get(store, last, &a, &row, &err) != CHY_S_OK) die(&err);
    int32_t more = revoked ? rows : rows - last;
    if (revoked) /* a CRL looks at none of it */
        row.raw_certificate = row.raw_request = CHY_SPAN_STR("-");
    if (more > 0) {
        if (store->ops->reserve_ids(store, more, &first, &err) != CHY_S_OK) die(&err);
        write_rows(store, &row, first, more, revoked);
    }
    chy_store_close(store);
    chy_arena_free(&a);
}

void bench_target_fill(struct bench_target *t, int32_t rows)
{
    fill(t, rows, false);
}

void bench_target_fill_revoked(struct bench_target *t, int32_t rows)
{
    fill(t, rows, true);
}
