/* OCSP over HTTP beside a web server that gives out a file of the same size: wrk asks both in
 * turns, on the same processors, in one run. And how soon it tells of a revocation. */
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "client/http_client.h"
#include "store/store.h"

enum { ROUNDS = 3, CONNECTIONS = 64, REVOKED = 50 };

static void write_file(const struct bench_target *t, const char *name, const void *p, size_t n)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", t->dir, name);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) exit(1);
}

/* ---- what is asked ---- */
static X509 *issuer_of(const struct bench_target *t)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/ca/bench/ca.pem", t->dir);
    FILE *f = fopen(path, "r");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (!x) exit(1);
    fclose(f);
    return x;
}

static X509 *certificate_of(const struct bench_target *t, int32_t id)
{
    struct chy_err err = {0};
    struct chy_store *store = NULL;
    struct chy_arena a;
    struct chy_row row;
    char dir[128];
    snprintf(dir, sizeof(dir), "%s/ca/bench", t->dir);
    chy_arena_init(&a, 1 << 20);
    if (chy_store_open_sqlite(dir, 1024, &store, &err) != CHY_S_OK ||
        store->ops->get(store, id, &a, &row, &err) != CHY_S_OK) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    const unsigned char *p = row.raw_certificate.p;
    X509 *x = d2i_X509(NULL, &p, (long)row.raw_certificate.n);
    chy_store_close(store);
    chy_arena_free(&a);
    if (!x) exit(1);
    return x;
}

/* As the path of a GET (RFC 6960 A.1). */
static void keep_path(const unsigned char *der, int n, char *path, size_t cap)
{
    unsigned char text[1024];
    size_t used = (size_t)snprintf(path, cap, "/ocsp/");
    if (n > 700) exit(1);
    EVP_EncodeBlock(text, der, n);
    for (const unsigned char *p = text; *p && used + 4 < cap; p++) {
        bool plain = *p != '+' && *p != '/' && *p != '=';
        used += (size_t)(plain ? snprintf(path + used, cap - used, "%c", *p)
                               : snprintf(path + used, cap - used, "%%%02X", *p));
    }
}

static int make_request(const struct bench_target *t, int32_t id, bool with_nonce,
                        unsigned char **der)
{
    X509 *issuer = issuer_of(t), *cert = certificate_of(t, id);
    OCSP_REQUEST *q = OCSP_REQUEST_new();
    if (!OCSP_request_add0_id(q, OCSP_cert_to_id(EVP_sha1(), cert, issuer))) exit(1);
    if (with_nonce && !OCSP_request_add1_nonce(q, NULL, 16)) exit(1);
    *der = NULL;
    int n = i2d_OCSP_REQUEST(q, der);
    if (n <= 0) exit(1);
    OCSP_REQUEST_free(q);
    X509_free(issuer);
    X509_free(cert);
    return n;
}

static void write_request(const struct bench_target *t, const char *name, bool with_nonce,
                          char *path, size_t cap)
{
    unsigned char *der;
    int n = make_request(t, 1, with_nonce, &der);
    write_file(t, name, der, (size_t)n);
    keep_path(der, n, path, cap);
    OPENSSL_free(der);
}

static void write_script(const struct bench_target *t, const char *name, const char *request)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "wrk.method = \"POST\"\n"
                     "wrk.headers[\"Content-Type\"] = \"application/ocsp-request\"\n"
                     "wrk.body = io.open(\"%s/%s\", \"rb\"):read(\"*a\")\n",
                     t->dir, request);
    write_file(t, name, text, (size_t)n);
}

/* ---- who answers ---- */
static pid_t start_nginx(const struct bench_target *t, int port)
{
    char text[1024], path[4200], here[4096];
    if (!getcwd(here, sizeof(here))) exit(1);
    int n =
        snprintf(text, sizeof(text),
                 "worker_processes 2; daemon off; pid %s/%s/nginx.pid; user root;\n"
                 "error_log /dev/null;\n"
                 "events { worker_connections 1024; }\n"
                 "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n"
                 "open_file_cache max=100; server { listen 127.0.0.1:%d; root %s/%s; } }\n",
                 here, t->dir, port, here, t->dir);
    write_file(t, "nginx.conf", text, (size_t)n);
    snprintf(path, sizeof(path), "%s/%s/nginx.conf", here, t->dir);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("nginx", "nginx", "-c", path, "-e", "/dev/null", (char *)NULL);
        _exit(127);
    }
    usleep(300000);
    return pid;
}

static double ask(const char *script, const struct bench_target *t, const char *url, int seconds)
{
    char command[2048], line[256];
    double rate = 0;
    unsigned long bad = 0;
    if (script)
        snprintf(command, sizeof(command), "wrk -t1 -c%d -d%ds -s %s/%s %s", CONNECTIONS, seconds,
                 t->dir, script, url);
    else
        snprintf(command, sizeof(command), "wrk -t1 -c%d -d%ds %s", CONNECTIONS, seconds, url);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof(line), f)) {
        (void)sscanf(line, "Requests/sec: %lf", &rate);
        (void)sscanf(line, " Non-2xx or 3xx responses: %lu", &bad);
    }
    if (f) pclose(f);
    if (bad) fprintf(stderr, "bench: %lu answers of %s were refusals\n", bad, url);
    return bad ? 0 : rate;
}

static bool have(const char *program)
{
    char command[64];
    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0; /* NOLINT(cert-env33-c): constant words */
}

static void keep_better(double *best, double value)
{
    if (value > *best) *best = value;
}

/* The best of three rounds of each, in turns. */
static void in_turns(const struct bench_target *t, int port, const char *path, int seconds,
                     struct bench_ocsp *out)
{
    char ours[128], theirs[128], get[1200];
    snprintf(ours, sizeof(ours), "http://127.0.0.1:%d/ocsp", t->http_port);
    snprintf(get, sizeof(get), "http://127.0.0.1:%d%s", t->http_port, path);
    snprintf(theirs, sizeof(theirs), "http://127.0.0.1:%d/answer", port);
    for (int i = 0; i < ROUNDS; i++) {
        keep_better(&out->nginx, ask(NULL, t, theirs, seconds));
        keep_better(&out->cached, ask(NULL, t, get, seconds));
        double before = bench_target_cpu_s(t), rate = ask("nonce.lua", t, ours, seconds);
        if (rate > out->signed_)
            out->signed_us = (bench_target_cpu_s(t) - before) * 1e6 / seconds / rate;
        keep_better(&out->signed_, rate);
    }
}

static bool fetch_answer(const struct bench_target *t)
{
    char command[1024];
    snprintf(command, sizeof(command),
             "curl -sf -o %s/answer -H 'Content-Type: application/ocsp-request' --data-binary "
             "@%s/plain.req http://127.0.0.1:%d/ocsp",
             t->dir, t->dir, t->http_port);
    return system(command) == 0; /* NOLINT(cert-env33-c): our own words */
}

/* So many certificates; it does not run afterwards. */
static void make_target(struct bench_target *t, size_t certificates)
{
    struct bench_requests requests;
    bench_make_requests(&requests, 10, "p256");
    bench_target_make(t, "p256");
    bench_target_start(t);
    struct bench_load load = {.host = "127.0.0.1",
                              .port = t->http_port,
                              .connections = 1,
                              .seconds = 20,
                              .most = certificates,
                              .requests = &requests};
    bench_run_load(&load);
    bench_target_stop(t);
    bench_free_requests(&requests);
}

bool bench_ocsp(struct bench_ocsp *out, int seconds)
{
    struct bench_target t;
    *out = (struct bench_ocsp){0};
    if (!have("nginx") || !have("wrk")) return false;
    make_target(&t, 10);
    char path[1024], with_nonce[1024];
    write_request(&t, "plain.req", false, path, sizeof(path));
    write_request(&t, "nonce.req", true, with_nonce, sizeof(with_nonce));
    write_script(&t, "nonce.lua", "nonce.req");
    bench_target_start(&t);
    bool ok = fetch_answer(&t); /* the first asks for the delegated signer */
    sleep(1);
    ok = fetch_answer(&t) && ok;
    int port = t.http_port + 7;
    pid_t nginx = start_nginx(&t, port);
    if (ok) in_turns(&t, port, path, seconds, out);
    kill(nginx, SIGTERM);
    waitpid(nginx, NULL, 0);
    bench_target_stop(&t);
    bench_target_remove(&t);
    return ok && out->nginx > 0;
}

/* ---- how soon it tells of a revocation ---- */
static void call(struct chy_httpc *c, const struct chy_httpc_call *what,
                 struct chy_httpc_answer *answer)
{
    struct chy_err err = {0};
    if (chy_httpc_call(c, what, answer, &err) == CHY_S_OK && answer->status == 200) return;
    fprintf(stderr, "bench: %s: %d %s\n", what->path, answer->status, err.text);
    exit(1);
}

/* V_OCSP_CERTSTATUS_*; -1: it is no answer yet. */
static int status_in(const struct chy_httpc_answer *answer)
{
    const unsigned char *p = answer->body.p;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)answer->body.n);
    OCSP_BASICRESP *b = r ? OCSP_response_get1_basic(r) : NULL;
    OCSP_SINGLERESP *one = b ? OCSP_resp_get0(b, 0) : NULL;
    int status = one ? OCSP_single_get0_status(one, NULL, NULL, NULL, NULL) : -1;
    OCSP_BASICRESP_free(b);
    OCSP_RESPONSE_free(r);
    return status;
}

static struct chy_httpc *client_of(const struct chy_httpc_endpoint *e)
{
    struct chy_err err = {0};
    struct chy_httpc *c = NULL;
    if (chy_httpc_new(e, &c, &err) == CHY_S_OK) return c;
    fprintf(stderr, "bench: %s\n", err.text);
    exit(1);
}

/* What was kept says good; the first answer behind the acknowledgement must not. */
static double until_told_ms(struct chy_httpc *officer, struct chy_httpc *anybody, int32_t id,
                            struct chy_span request)
{
    struct chy_httpc_answer answer;
    char path[64];
    snprintf(path, sizeof(path), "/api/v1/requests/%d/revoke", id);
    const struct chy_httpc_call revoke = {.method = "POST", .path = path};
    const struct chy_httpc_call ask = {.method = "POST",
                                       .path = "/ocsp",
                                       .content_type = "application/ocsp-request",
                                       .body = request};
    chy_httpc_answer_init(&answer);
    for (int i = 0; i < 500 && status_in(&answer) != V_OCSP_CERTSTATUS_GOOD; i++) {
        if (i) usleep(10000); /* the first of all asks for the delegated signer */
        call(anybody, &ask, &answer);
    }
    bool was_good = status_in(&answer) == V_OCSP_CERTSTATUS_GOOD;
    call(officer, &revoke, &answer);
    int64_t since = chy_monotonic(&chy_system_clock);
    call(anybody, &ask, &answer);
    double ms = (double)(chy_monotonic(&chy_system_clock) - since) / 1e3;
    if (!was_good || status_in(&answer) != V_OCSP_CERTSTATUS_REVOKED) {
        fprintf(stderr, "bench: of certificate %d OCSP did not say good, then revoked\n", id);
        exit(1);
    }
    chy_httpc_answer_free(&answer);
    return ms;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_revoked_ms(void)
{
    struct bench_target t;
    unsigned char *request[REVOKED];
    int n[REVOKED];
    double ms[REVOKED];
    char url[64];
    make_target(&t, REVOKED);
    for (int32_t i = 0; i < REVOKED; i++)
        n[i] = make_request(&t, i + 1, false, &request[i]);
    bench_target_start(&t);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", t.http_port);
    struct chy_httpc *officer = client_of(&(struct chy_httpc_endpoint){.socket = t.socket});
    struct chy_httpc *anybody = client_of(&(struct chy_httpc_endpoint){.url = url});
    for (int32_t i = 0; i < REVOKED; i++) {
        ms[i] = until_told_ms(officer, anybody, i + 1, chy_span_of(request[i], (size_t)n[i]));
        OPENSSL_free(request[i]);
    }
    chy_httpc_free(officer);
    chy_httpc_free(anybody);
    bench_target_stop(&t);
    bench_target_remove(&t);
    qsort(ms, REVOKED, sizeof(*ms), compare);
    return ms[REVOKED / 2];
}
