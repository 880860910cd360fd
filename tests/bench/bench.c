/* chancery-bench: issuance against the bare bound, in one run on one machine. Judged by CPU per
 * certificate of the daemon, which is steady where requests per second are not. */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static double daemon_cpu_s(pid_t pid)
{
    char path[64];
    unsigned long user = 0, system_time = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                    &system_time) != 2) {
        user = system_time = 0;
    }
    if (f) fclose(f);
    return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

static double daemon_rss_mib(pid_t pid)
{
    char path[64];
    unsigned long total = 0, resident = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static void make_ca(const char *dir, const char *key)
{
    struct chy_err err = {0};
    char ca[4200];
    snprintf(ca, sizeof(ca), "%s/ca/bench", dir);
    struct chy_ca_init init = {
        .dir = ca,
        .common_name = "Bench CA",
        .key_alg = key,
        .days = 3650,
        .path_len = -1,
        .clock = &chy_system_clock,
        .setting = {{"AnonymousSubmit", "1"},
                    {"PolicyModules/policy-default/RequestDisposition", "1"},
                    {"PolicyModules/policy-default/DefaultProfile", "\"tls-server\""}}};
    if (chy_ca_create(&init, &err) != CHY_S_OK) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
}

static pid_t start_daemon(const char *bin, const char *dir, int port)
{
    char http[64];
    snprintf(http, sizeof(http), "127.0.0.1:%d", port);
    pid_t pid = fork();
    if (pid == 0) {
        execl(bin, bin, "--dir", dir, "--http", http, "--log-level", "warning", (char *)NULL);
        perror(bin);
        _exit(127);
    }
    return pid;
}

static void wait_until_up(const char *dir)
{
    char socket[4200];
    struct stat st;
    snprintf(socket, sizeof(socket), "%s/chancery.sock", dir);
    for (int i = 0; i < 500 && stat(socket, &st) != 0; i++)
        usleep(10000);
    usleep(50000);
}

struct result {
    const char *what;
    unsigned connections;
    double bound_us, cpu_us, ratio, per_second, p50_ms, p99_ms, rss_mib;
};

static struct result measure(const char *bin, const char *what, const char *ca_key,
                             const char *request_key, unsigned connections, double seconds)
{
    char dir[] = "bench-XXXXXX";
    struct bench_requests requests;
    struct result res = {.what = what, .connections = connections};
    int port = 20000 + (int)(getpid() % 20000);
    fprintf(stderr, "  %-28s %3u connections …", what, connections);
    bench_make_requests(&requests, 1000, request_key);
    res.bound_us = bench_bound_us(&requests, ca_key, strcmp(ca_key, "rsa4096") == 0 ? 300 : 10000);
    if (!mkdtemp(dir)) exit(1);
    make_ca(dir, ca_key);
    pid_t pid = start_daemon(bin, dir, port);
    wait_until_up(dir);
    struct bench_load load = {.host = "127.0.0.1",
                              .port = port,
                              .connections = connections,
                              .seconds = 1,
                              .requests = &requests};
    bench_run_load(&load); /* warm */
    load.seconds = seconds;
    double before = daemon_cpu_s(pid);
    bench_run_load(&load);
    res.cpu_us = (daemon_cpu_s(pid) - before) * 1e6 / (double)(load.issued ? load.issued : 1);
    res.rss_mib = daemon_rss_mib(pid);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    chy_dir_remove(dir);
    bench_free_requests(&requests);
    res.ratio = res.cpu_us > 0 ? res.bound_us / res.cpu_us : 0;
    res.per_second = (double)load.issued / load.elapsed_s;
    res.p50_ms = load.p50_ms;
    res.p99_ms = load.p99_ms;
    fprintf(stderr, "\r\033[K");
    return res;
}

static void print_table(const struct result *r, size_t n)
{
    printf("%-28s %5s %10s %12s %7s %9s %8s %8s %8s\n", "issuance over HTTP, durable", "conns",
           "bound us", "daemon us", "ratio", "certs/s", "p50 ms", "p99 ms", "RSS MiB");
    for (size_t i = 0; i < n; i++) {
        printf("%-28s %5u %10.1f %12.1f %7.2f %9.0f %8.2f %8.2f %8.1f\n", r[i].what,
               r[i].connections, r[i].bound_us, r[i].cpu_us, r[i].ratio, r[i].per_second,
               r[i].p50_ms, r[i].p99_ms, r[i].rss_mib);
    }
}

static void write_json(const struct result *r, size_t n, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) return;
    fprintf(f, "[");
    for (size_t i = 0; i < n; i++) {
        fprintf(f,
                "%s{\"what\":\"%s\",\"connections\":%u,\"bound_us\":%.2f,\"cpu_us\":%.2f,\"ratio\":"
                "%.3f,\"per_second\":%.0f,"
                "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"rss_mib\":%.1f}",
                i ? "," : "", r[i].what, r[i].connections, r[i].bound_us, r[i].cpu_us, r[i].ratio,
                r[i].per_second, r[i].p50_ms, r[i].p99_ms, r[i].rss_mib);
    }
    fprintf(f, "]\n");
    fclose(f);
}

static const struct {
    const char *what, *ca_key, *request_key;
    unsigned connections;
    bool quick;
} cases[] = {
    {"P-256 CA, P-256 requests", "p256", "p256", 1, true},
    {"P-256 CA, P-256 requests", "p256", "p256", 64, true},
    {"P-256 CA, RSA-2048 requests", "p256", "rsa2048", 64, true},
    {"RSA-4096 CA, P-256 requests", "rsa4096", "p256", 64, false},
};

/* --quick, and a word that a case's description holds. */
int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const char *only = argc > 1 && argv[argc - 1][0] != '-' ? argv[argc - 1] : "";
    double seconds = quick ? 3 : 8;
    char self[4096], bin[4200];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    struct result r[8];
    size_t n = 0;
    signal(SIGPIPE, SIG_IGN);
    if (len <= 0) return 1;
    self[len] = 0;
    snprintf(bin, sizeof(bin), "%s/chanceryd", dirname(self));
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        if ((quick && !cases[i].quick) || !strstr(cases[i].what, only)) continue;
        r[n++] = measure(bin, cases[i].what, cases[i].ca_key, cases[i].request_key,
                         cases[i].connections, seconds);
    }
    print_table(r, n);
    write_json(r, n, "bench.json");
    printf("ratio = CPU of parse, verify, build and sign in memory / CPU of the daemon per durable "
           "certificate; also in bench.json\n");
    return 0;
}
