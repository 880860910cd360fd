/* chancery-bench: issuance against the bare bound, in one run on one machine. Judged by CPU per
 * certificate of the daemon, which is steady where requests per second are not. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum level { QUICK, DEFAULT, FULL };
enum way { TCP, TLS, UNIX };

struct plan {
    const char *what, *ca_key, *request_key;
    unsigned connections;
    enum way way;
    enum level from;
    double least; /* ratio that it is to reach; 0: shown only */
};

static const struct plan plans[] = {
    {"P-256 CA, P-256 requests", "p256", "p256", 1, TCP, QUICK, 0},
    {"P-256 CA, P-256 requests", "p256", "p256", 8, TCP, DEFAULT, 0},
    {"P-256 CA, P-256 requests", "p256", "p256", 64, TCP, QUICK, 0.55},
    {"P-256 CA, P-256 requests", "p256", "p256", 512, TCP, DEFAULT, 0},
    {"P-256 CA, P-256, Unix socket", "p256", "p256", 64, UNIX, DEFAULT, 0.55},
    {"P-256 CA, P-256, TLS", "p256", "p256", 64, TLS, QUICK, 0.45},
    {"P-256 CA, RSA-2048 requests", "p256", "rsa2048", 64, TCP, QUICK, 0.45},
    {"RSA-4096 CA, P-256 requests", "rsa4096", "p256", 64, TCP, QUICK, 0.90},
};

struct row {
    char what[48];
    unsigned connections;
    double bound_us, cpu_us, ratio, least, per_second, p50_ms, p99_ms, rss_mib;
};

struct figure { /* one number beside what it is to be */
    const char *what;
    double value, bound;
    bool at_most;
};

static struct row rows[32];
static struct figure figures[64];
static size_t n_rows, n_figures;

static void progress(const char *what, unsigned connections)
{
    if (isatty(2)) fprintf(stderr, "\r\033[K  %s, %u connections …", what, connections);
}

static void load_target(struct bench_target *t, struct bench_load *load, struct row *r)
{
    double before = bench_target_cpu_s(t);
    bench_run_load(load);
    r->cpu_us = (bench_target_cpu_s(t) - before) * 1e6 / (double)(load->issued ? load->issued : 1);
    r->rss_mib = bench_target_rss_mib(t);
    r->per_second = (double)load->issued / load->elapsed_s;
    r->p50_ms = load->p50_ms;
    r->p99_ms = load->p99_ms;
    r->connections = load->connections;
}

static struct bench_load load_of(const struct bench_target *t,
                                 const struct bench_requests *requests, unsigned connections,
                                 enum way way, double seconds)
{
    return (struct bench_load){.socket = way == UNIX ? t->socket : NULL,
                               .host = "127.0.0.1",
                               .port = way == TLS ? t->https_port : t->http_port,
                               .tls = way == TLS,
                               .connections = connections,
                               .seconds = seconds,
                               .requests = requests};
}

/* The bound by turns with the load: a neighbour who comes for some seconds makes both dearer. */
struct turns {
    const struct bench_requests *requests;
    struct chy_key *ca_key;
    size_t n;
    double sum_us;
};
enum { SLICES = 5 };

static void add_bound(void *arg)
{
    struct turns *t = arg;
    t->sum_us += bench_bound_us(t->requests, t->ca_key, t->n);
}

static void measure(const struct plan *p, double seconds)
{
    struct bench_requests requests;
    struct bench_target t;
    struct row *r = &rows[n_rows++];
    struct turns turns = {&requests, bench_make_key(p->ca_key),
                          strcmp(p->ca_key, "rsa4096") == 0 ? 200 : 10000, 0};
    progress(p->what, p->connections);
    snprintf(r->what, sizeof(r->what), "%s", p->what);
    r->least = p->least;
    bench_make_requests(&requests, 2000, p->request_key);
    bench_target_make(&t, p->ca_key);
    bench_target_start(&t);
    struct bench_load load = load_of(&t, &requests, p->connections, p->way, 1);
    bench_run_load(&load); /* warm */
    load.seconds = seconds;
    load.slices = SLICES;
    load.between = add_bound;
    load.arg = &turns;
    load_target(&t, &load, r);
    r->bound_us = turns.sum_us / SLICES;
    r->ratio = r->bound_us / r->cpu_us;
    chy_key_free(turns.ca_key);
    bench_target_stop(&t);
    bench_target_remove(&t);
    bench_free_requests(&requests);
}

static void figure(const char *what, double value, double bound, bool at_most)
{
    if (n_figures == CHY_ARRAY_LEN(figures)) {
        fprintf(stderr, "bench: no room for the figure \"%s\"\n", what);
        exit(1);
    }
    figures[n_figures++] = (struct figure){what, value, bound, at_most};
}

static void measure_idle(struct bench_target *t)
{
    bench_target_start(t);
    sleep(1);
    double before = bench_target_cpu_s(t);
    sleep(5);
    figure("idle daemon, % CPU", (bench_target_cpu_s(t) - before) / 5 * 100, 0.5, true);
    figure("idle daemon, resident MiB", bench_target_rss_mib(t), 16, true);
}

/* A database of so many rows behind a daemon that is warm. */
static void make_grown(struct bench_target *t, const struct bench_requests *requests, int32_t rows_)
{
    struct bench_load load = load_of(t, requests, 64, TCP, 1);
    bench_run_load(&load);
    bench_target_stop(t);
    bench_target_fill(t, rows_);
    bench_target_start(t);
    progress("growth", 64);
    bench_run_load(&load);
}

/* One round of each by turns. */
static void load_grown(struct bench_target *t, const struct bench_requests *requests, size_t n,
                       double seconds)
{
    for (unsigned round = 0; round < SLICES; round++) {
        for (size_t i = 0; i < n; i++) {
            struct row *sum = &rows[n_rows + i], r = {.least = 0};
            struct bench_load load = load_of(&t[i], requests, 64, TCP, seconds / SLICES);
            load_target(&t[i], &load, &r);
            sum->connections = r.connections;
            sum->rss_mib = r.rss_mib;
            sum->cpu_us += r.cpu_us / SLICES;
            sum->per_second += r.per_second / SLICES;
            sum->p50_ms += r.p50_ms / SLICES;
            if (r.p99_ms > sum->p99_ms) sum->p99_ms = r.p99_ms;
        }
    }
}

/* The same load at ten thousand rows and at a hundred times as many. */
static void measure_growth(enum level level, double seconds)
{
    static const int32_t sizes[] = {10000, 1000000, 5000000};
    struct bench_requests requests;
    struct bench_target t[CHY_ARRAY_LEN(sizes)];
    size_t n = level == FULL ? 3 : 2;
    progress("growth", 64);
    bench_make_requests(&requests, 2000, "p256");
    for (size_t i = 0; i < n; i++) {
        bench_target_make(&t[i], "p256");
        if (i == 0)
            measure_idle(&t[i]);
        else
            bench_target_start(&t[i]);
        make_grown(&t[i], &requests, sizes[i]);
    }
    load_grown(t, &requests, n, seconds);
    double small = rows[n_rows].cpu_us, large = rows[n_rows + n - 1].cpu_us;
    for (size_t i = 0; i < n; i++, n_rows++)
        snprintf(rows[n_rows].what, sizeof(rows[n_rows].what), "at %d rows", sizes[i]);
    figure(level == FULL ? "growth, 5 M rows to 10 k" : "growth, 1 M rows to 10 k", small / large,
           0.95, false);
    if (level == FULL) {
        struct bench_load load = load_of(&t[n - 1], &requests, 64, TCP, 3600);
        load.most = 1000000;
        bench_run_load(&load);
    }
    figure(level == FULL ? "resident MiB after 1 M issuances" : "resident MiB at 1 M rows",
           bench_target_rss_mib(&t[n - 1]), 40, true);
    for (size_t i = 0; i < n; i++) {
        bench_target_stop(&t[i]);
        bench_target_remove(&t[i]);
    }
    bench_free_requests(&requests);
}

static void measure_start(void)
{
    double ours, theirs;
    progress("start of a throwaway", 0);
    bench_start(40, &ours, &theirs);
    figure("throwaway ready, ms", ours, 0, true);
    figure("openssl req -x509, ms", theirs, 0, true);
    figure("start ratio", ours / theirs, 1.5, true);
}

static void measure_checks(void)
{
    progress("lint and weak keys", 0);
    figure("lint of a server certificate, us", bench_lint_us("p256", false), 15, true);
    figure("lint of a server certificate, RSA, us", bench_lint_us("rsa2048", false), 15, true);
    figure("lint of a CA certificate, us", bench_lint_us("p256", true), 15, true);
    figure("weak-key test of RSA-2048, us", bench_weak_key_us("rsa2048"), 20, true);
}

static void measure_modules(double seconds)
{
    struct bench_modules m;
    progress("modules", 64);
    bench_modules(&m, seconds);
    figure("call of a module, us", m.nothing_us, 1, true);
    figure("reads ten, sets two, us", m.inside_us, 0, true);
    figure("the same in a child, us", m.child_us, 25, true);
    figure("issuance with the policy in a child, ratio", m.issue_inside_us / m.issue_child_us, 0.7,
           false);
}

/* At a million entries, and in full at ten as well. */
static void measure_revocation(enum level level)
{
    struct bench_revocation one, ten;
    progress("revocation and CRLs", 0);
    bench_revocation(&one, 1000000, true);
    figure("CRL of 1 M entries, ms", one.crl_s * 1000, 0, true);
    figure("only writing and signing it, ms", one.least_s * 1000, 0, true);
    figure("CRL ratio", one.crl_s / one.least_s, 3, true);
    figure("resident MiB, 1 M entries", one.crl_rss_mib, 100, true);
    figure("revoked, and on the CRL of 1 M, s", one.on_demand_s, 1, true);
    figure("100,000 revoked by a filter, s", one.bulk_s, 10, true);
    figure("p99 of issuance, ms", one.p99_ms, 0, true);
    figure("the same while CRLs are made, to alone", one.p99_publishing_ms / one.p99_ms, 2, true);
    if (level != FULL) return;
    progress("CRL of ten million", 0);
    bench_revocation(&ten, 10000000, false);
    figure("CRL of 10 M entries, ms", ten.crl_s * 1000, 0, true);
    figure("resident MiB, 10 M entries", ten.crl_rss_mib, 100, true);
    figure("memory, 10 M entries to 1 M", ten.crl_rss_mib / one.crl_rss_mib, 1.2, true);
}

static void measure_ocsp(int seconds)
{
    struct bench_ocsp o;
    progress("OCSP", 64);
    figure("revoked, until OCSP says so, ms", bench_revoked_ms(), 1, true);
    if (!bench_ocsp(&o, seconds)) {
        fprintf(stderr, "bench: OCSP is not measured: nginx and wrk are needed\n");
        return;
    }
    figure("nginx, files per second", o.nginx, 0, true);
    figure("OCSP cached, answers per second", o.cached, 0, true);
    figure("OCSP cached to nginx", o.cached / o.nginx, 1, false);
    figure("OCSP signed, answers per second", o.signed_, 0, true);
    figure("OCSP signed, CPU us", o.signed_us, 0, true);
    figure("OCSP signed to nginx", o.signed_ / o.nginx, 0.5, false);
    /* No server can do better than nginx that signs each of its files with a bare signature. */
    struct chy_key *key = bench_make_key("p256");
    double sign_s = bench_bound_us(NULL, key, 20000) / 1e6 / (double)sysconf(_SC_NPROCESSORS_ONLN);
    chy_key_free(key);
    double most = 1 / (1 / o.nginx + sign_s);
    figure("nginx, were it to sign each file, to nginx", most / o.nginx, 0, true);
    figure("OCSP signed to that", o.signed_ / most, 0, true);
}

static void measure_events(double seconds)
{
    struct bench_slow s;
    progress("exit events", 64);
    figure("exit events delivered per second", bench_delivery(100000), 20000, false);
    bench_slow_exit(&s, seconds);
    figure("certificates/s, quick exit module", s.quick, 0, true);
    figure("certificates/s, one that sleeps 1 s", s.slow, 0, true);
    figure("rate with the slow one to the quick", s.slow / s.quick, 0.95, false);
    figure("CPU with the quick one to the slow", s.quick_us / s.slow_us, 0.95, false);
}

static bool met(const struct figure *f)
{
    return f->bound <= 0 || (f->at_most ? f->value <= f->bound : f->value >= f->bound);
}

static void print_table(void)
{
    printf("%-28s %5s %9s %10s %6s %6s %9s %8s %8s %6s\n", "issuance over HTTP, durable", "conns",
           "bound us", "daemon us", "ratio", "least", "certs/s", "p50 ms", "p99 ms", "MiB");
    for (size_t i = 0; i < n_rows; i++) {
        const struct row *r = &rows[i];
        char least[16] = "", ratio[16] = "", bound[16] = "";
        if (r->bound_us > 0) snprintf(bound, sizeof(bound), "%.1f", r->bound_us);
        if (r->ratio > 0) snprintf(ratio, sizeof(ratio), "%.2f", r->ratio);
        if (r->least > 0)
            snprintf(least, sizeof(least), "%.2f%s", r->least, r->ratio >= r->least ? "" : " !");
        printf("%-28s %5u %9s %10.1f %6s %6s %9.0f %8.2f %8.2f %6.1f\n", r->what, r->connections,
               bound, r->cpu_us, ratio, least, r->per_second, r->p50_ms, r->p99_ms, r->rss_mib);
    }
    for (size_t i = 0; i < n_figures; i++) {
        const struct figure *f = &figures[i];
        printf("%-40s %10.2f", f->what, f->value);
        if (f->bound > 0)
            printf("   %s %.2f%s", f->at_most ? "at most" : "at least", f->bound,
                   met(f) ? "" : " !");
        printf("\n");
    }
    printf("ratio = CPU of parse, verify, build and sign in memory on every processor / CPU of the "
           "daemon per durable certificate\n");
}

static void write_json(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) return;
    fprintf(f, "{\"issuance\":[");
    for (size_t i = 0; i < n_rows; i++) {
        const struct row *r = &rows[i];
        fprintf(f,
                "%s{\"what\":\"%s\",\"connections\":%u,\"bound_us\":%.2f,\"cpu_us\":%.2f,\"ratio\":"
                "%.3f,\"least\":%.2f,\"per_second\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
                "\"rss_mib\":%.1f}",
                i ? "," : "", r->what, r->connections, r->bound_us, r->cpu_us, r->ratio, r->least,
                r->per_second, r->p50_ms, r->p99_ms, r->rss_mib);
    }
    fprintf(f, "],\"figures\":[");
    for (size_t i = 0; i < n_figures; i++) {
        fprintf(f, "%s{\"what\":\"%s\",\"value\":%.3f,\"bound\":%.3f,\"met\":%s}", i ? "," : "",
                figures[i].what, figures[i].value, figures[i].bound,
                met(&figures[i]) ? "true" : "false");
    }
    fprintf(f, "]}\n");
    fclose(f);
}

/* --quick | --full, and a word that the description of a case holds. */
int main(int argc, char **argv)
{
    enum level level = DEFAULT;
    const char *only = "";
    chy_mem_for_years(); /* parts of the daemon run in this process */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            level = QUICK;
        } else if (strcmp(argv[i], "--full") == 0) {
            level = FULL;
        } else {
            only = argv[i];
        }
    }
    double seconds = level == QUICK ? 4 : 10;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < CHY_ARRAY_LEN(plans); i++) {
        if (plans[i].from <= level && strstr(plans[i].what, only)) measure(&plans[i], seconds);
    }
    if (strstr("checks", only)) measure_checks();
    if (strstr("start", only)) measure_start();
    if (strstr("modules", only)) measure_modules(seconds);
    if (level != QUICK && strstr("growth", only)) measure_growth(level, seconds);
    if (strstr("events", only)) measure_events(seconds);
    if (strstr("ocsp", only)) measure_ocsp(level == QUICK ? 1 : 3);
    if (level != QUICK && strstr("revocation", only)) measure_revocation(level);
    if (isatty(2)) fprintf(stderr, "\r\033[K");
    print_table();
    write_json("bench.json");
    printf("also in bench.json\n");
    return 0;
}
