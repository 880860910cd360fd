/* The benchmark: what the cryptography alone costs, and what a durable certificate costs over HTTP.
 */
#ifndef BENCH_H
#define BENCH_H

#include "base/sys.h"
#include "ca/ca.h"

struct bench_requests { /* distinct PKCS#10 requests in DER */
    struct chy_buf *der;
    size_t n;
};

/* bound.c: parse, verify, build, lint-free sign: the least that a certificate can cost here. */
double bench_bound_us(const struct bench_requests *r, const char *ca_key, size_t n);
void bench_make_requests(struct bench_requests *out, size_t n, const char *key_alg);
void bench_free_requests(struct bench_requests *r);

struct bench_load {
    const char *host;
    int port;
    unsigned connections;
    double seconds;
    const struct bench_requests *requests;
    /* results */
    uint64_t issued, other;
    double elapsed_s, p50_ms, p99_ms;
};
/* load.c: keep-alive connections on one epoll loop. */
void bench_run_load(struct bench_load *l);

#endif
