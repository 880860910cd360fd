/* What a CRL costs against writing and signing its octets, what memory it takes, and how fast many
 * certificates are revoked. Each in a process of its own, so that its memory is its own. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "ca/revocation.h"
#include "key/key.h"
#include "pki/cert.h"
#include "pki/crl.h"

static const struct chy_caller admin = {"bench", CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER |
                                                     CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ENROLL};

static void die(const char *what, const struct chy_err *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    _exit(1);
}

/* ---- a CA in this process ---- */
struct engine {
    struct chy_workers *workers;
    struct chy_ca *ca;
};

static void engine_open(struct engine *e, const struct bench_target *t)
{
    struct chy_err err = {0};
    char dir[128], modules[4200];
    snprintf(dir, sizeof(dir), "%s/ca/bench", t->dir);
    bench_program("../modules", modules, sizeof(modules));
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    if (chy_workers_new(2, &e->workers, &err) != CHY_S_OK) die("workers", &err);
    const struct chy_ca_options o = {.dir = dir,
                                     .host = "localhost",
                                     .module_dir = realpath(modules, NULL),
                                     .workers = e->workers,
                                     .clock = &chy_system_clock,
                                     .cache_kib = 8192};
    if (chy_ca_open(&o, &e->ca, &err) != CHY_S_OK) die("CA", &err);
    if (chy_ca_config_set(e->ca, &admin, "CRLPublishOnRevoke", "\"no\"", &err) != CHY_S_OK)
        die("setting", &err);
}

static void engine_close(struct engine *e)
{
    chy_ca_close(e->ca);
    chy_workers_free(e->workers);
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    chy_hresult status;
    struct chy_err err;
};

static void arrive(struct waiter *w, chy_hresult status, const struct chy_err *err)
{
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->status = status;
    w->err = *err;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void await(struct waiter *w, const char *what)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (w->status != CHY_S_OK) die(what, &w->err);
}

static void published(const struct chy_crl_result *r, void *arg)
{
    arrive(arg, r->status, &r->err);
}

static double publish_s(struct engine *e)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    const struct chy_crl_order order = {CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY, CHY_TIME_DEFAULT};
    int64_t since = chy_monotonic(&chy_system_clock);
    chy_ca_publish_crls(e->ca, &admin, &order, published, &w);
    await(&w, "publishing");
    return (double)(chy_monotonic(&chy_system_clock) - since) / 1e6;
}

/* ---- a part of the work in a process of its own ---- */
struct outcome {
    double seconds, rss_mib;
};

static struct outcome apart(void (*fn)(const struct bench_target *t, struct outcome *out),
                            const struct bench_target *t)
{
    struct outcome out = {0};
    struct rusage usage;
    int fd[2], status = 0;
    if (pipe(fd) != 0) exit(1);
    malloc_trim(0); /* what this process has left over would count as the other's */
    pid_t pid = fork();
    if (pid == 0) {
        fn(t, &out);
        getrusage(RUSAGE_SELF, &usage);
        out.rss_mib = (double)usage.ru_maxrss / 1024;
        _exit(write(fd[1], &out, sizeof(out)) == (ssize_t)sizeof(out) ? 0 : 1);
    }
    close(fd[1]);
    if (read(fd[0], &out, sizeof(out)) != (ssize_t)sizeof(out)) exit(1);
    close(fd[0]);
    waitpid(pid, &status, 0);
    if (status) exit(1);
    return out;
}

/* The best of three, as the reference has it. */
static void publish(const struct bench_target *t, struct outcome *out)
{
    struct engine e;
    engine_open(&e, t);
    out->seconds = publish_s(&e);
    for (int i = 0; i < 2; i++) {
        double s = publish_s(&e);
        if (s < out->seconds) out->seconds = s;
    }
    engine_close(&e);
}

static void read_current(const struct bench_target *t, struct chy_buf *whole)
{
    struct engine e;
    struct chy_crl_info info;
    struct chy_err err = {0};
    int fd;
    engine_open(&e, t);
    if (chy_ca_crl_open(e.ca, -1, 0, false, &fd, &info, &err) != CHY_S_OK) die("CRL", &err);
    chy_buf_init(whole, (size_t)info.record.size + 1);
    if (!chy_buf_reserve(whole, (size_t)info.record.size)) _exit(1);
    while (whole->n < (size_t)info.record.size) {
        ssize_t n = read(fd, whole->p + whole->n, (size_t)info.record.size - whole->n);
        if (n <= 0) _exit(1);
        whole->n += (size_t)n;
    }
    close(fd);
    engine_close(&e);
}

/* The least that a CRL can cost: its octets, at hand in memory, hashed, signed and made durable. */
static void just_write_and_sign(const struct bench_target *t, struct outcome *out)
{
    enum { PIECE = 256 << 10 };
    struct chy_buf whole, sig;
    struct chy_key *key = NULL;
    struct chy_signer *signer = NULL;
    struct chy_err err = {0};
    char path[128], file[160];
    read_current(t, &whole);
    snprintf(path, sizeof(path), "%s/ca/bench/key.pem", t->dir);
    snprintf(file, sizeof(file), "%s/copy.crl", t->dir);
    chy_buf_init(&sig, 4096);
    if (chy_key_load(path, &key, &err) != CHY_S_OK ||
        chy_signer_new(key, chy_key_sig_alg(key, NULL, &err), &signer, &err) != CHY_S_OK)
        die("key", &err);
    out->seconds = 1e9;
    for (int i = 0; i < 3; i++) {
        struct chy_file_out f;
        int64_t since = chy_monotonic(&chy_system_clock);
        chy_hresult hr = chy_signer_start(signer, &err);
        for (size_t at = 0; at < whole.n && hr == CHY_S_OK; at += PIECE)
            hr = chy_signer_more(
                signer, chy_span_of(whole.p + at, whole.n - at < PIECE ? whole.n - at : PIECE),
                &err);
        if (hr == CHY_S_OK) hr = chy_signer_finish(signer, &sig, &err);
        if (hr == CHY_S_OK) hr = chy_file_begin(&f, file, 0644, &err);
        if (hr == CHY_S_OK) hr = chy_file_more(&f, chy_buf_span(&whole), &err);
        if (hr == CHY_S_OK) hr = chy_file_end(&f, &err);
        if (hr != CHY_S_OK) die("writing", &err);
        double s = (double)(chy_monotonic(&chy_system_clock) - since) / 1e6;
        if (s < out->seconds) out->seconds = s;
    }
}

/* A hundred thousand by a filter, in the slices that the command line asks for. */
static void revoke_many(const struct bench_target *t, struct outcome *out)
{
    enum { N = 100000, SLICE = 5000 };
    struct engine e;
    struct chy_err err = {0};
    const struct chy_filter issued = {
        .column = "disposition", .seek = CHY_SEEK_EQ, .number = CHY_DB_DISP_ISSUED};
    struct chy_revoke_many many = {
        .query = {.filter = &issued, .n_filter = 1},
        .what = {CHY_CRL_REASON_SUPERSEDED, CHY_TIME_DEFAULT, CHY_TIME_DEFAULT},
        .limit = SLICE};
    engine_open(&e, t);
    int64_t since = chy_monotonic(&chy_system_clock);
    do {
        if (chy_ca_revoke_many(e.ca, &admin, &many, &err) != CHY_S_OK) die("revoking", &err);
    } while (many.after_id && many.changed < N);
    out->seconds = (double)(chy_monotonic(&chy_system_clock) - since) / 1e6;
    if (many.changed != N) {
        fprintf(stderr, "bench: %llu revoked\n", (unsigned long long)many.changed);
        _exit(1);
    }
    engine_close(&e);
}

/* One more revoked, and on a CRL that anybody can fetch. */
static void revoke_and_publish(const struct bench_target *t, struct outcome *out)
{
    struct engine e;
    struct chy_err err = {0};
    const struct chy_filter issued = {
        .column = "disposition", .seek = CHY_SEEK_EQ, .number = CHY_DB_DISP_ISSUED};
    struct chy_revoke_many many = {
        .query = {.filter = &issued, .n_filter = 1},
        .what = {CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT, CHY_TIME_DEFAULT},
        .limit = 1};
    engine_open(&e, t);
    if (chy_ca_revoke_many(e.ca, &admin, &many, &err) != CHY_S_OK) die("revoking", &err);
    out->seconds = publish_s(&e);
    engine_close(&e);
}

/* One CRL after the other, by the command line. */
static pid_t keep_publishing(const struct bench_target *t)
{
    char bin[4200];
    bench_program("chancery", bin, sizeof(bin));
    pid_t pid = fork();
    if (pid != 0) return pid;
    for (;;) {
        pid_t one = fork();
        if (one == 0) {
            int nowhere = open("/dev/null", O_WRONLY);
            dup2(nowhere, STDOUT_FILENO);
            execl(bin, bin, "--socket", t->socket, "crl", "publish", (char *)NULL);
            _exit(127);
        }
        waitpid(one, NULL, 0);
    }
}

static void issue_beside(struct bench_target *t, const struct bench_requests *requests,
                         struct bench_revocation *out)
{
    struct bench_load load = {.host = "127.0.0.1",
                              .port = t->http_port,
                              .connections = 64,
                              .seconds = 2,
                              .requests = requests};
    bench_target_start(t);
    bench_run_load(&load); /* warm */
    load.seconds = 6;
    bench_run_load(&load);
    out->p99_ms = load.p99_ms;
    pid_t publisher = keep_publishing(t);
    bench_run_load(&load);
    out->p99_publishing_ms = load.p99_ms;
    kill(publisher, SIGKILL);
    waitpid(publisher, NULL, 0);
    bench_target_stop(t);
}

void bench_revocation(struct bench_revocation *out, int32_t revoked, bool with_bulk)
{
    struct bench_requests requests;
    struct bench_target t;
    bench_make_requests(&requests, 1000, "p256");
    bench_target_make(&t, "p256");
    bench_target_start(&t);
    struct bench_load load = {.host = "127.0.0.1",
                              .port = t.http_port,
                              .connections = 4,
                              .seconds = 5,
                              .most = 100,
                              .requests = &requests};
    bench_run_load(&load);
    bench_target_stop(&t);
    if (with_bulk) {
        bench_target_fill(&t, 101000);
        out->bulk_s = apart(revoke_many, &t).seconds;
    }
    bench_target_fill_revoked(&t, revoked);
    struct outcome crl = apart(publish, &t), least = apart(just_write_and_sign, &t);
    out->crl_s = crl.seconds;
    out->crl_rss_mib = crl.rss_mib;
    out->least_s = least.seconds;
    out->on_demand_s = apart(revoke_and_publish, &t).seconds;
    if (with_bulk) issue_beside(&t, &requests, out);
    bench_target_remove(&t);
    bench_free_requests(&requests);
}
