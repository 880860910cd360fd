/* The benchmark: what the cryptography alone costs, and what a durable certificate costs over HTTP.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sys/types.h>

#include "base/sys.h"
#include "ca/ca.h"
#include "key/key.h"

struct bench_requests { /* distinct PKCS#10 requests in DER */
    struct chy_buf *der;
    size_t n;
};

/* bound.c: parse, verify, build, sign: the least that a certificate can cost here, in CPU
 * microseconds, on every processor at once. */
/* r NULL: the signature alone. */
double bench_bound_us(const struct bench_requests *r, struct chy_key *ca_key, size_t n);
struct chy_key *bench_make_key(const char *alg);
void bench_make_requests(struct bench_requests *out, size_t n, const char *key_alg);
void bench_free_requests(struct bench_requests *r);

/* checks.c: one lint of a typical certificate (ca: of an issuing CA), one test of a key's strength;
 * CPU microseconds, the best of several rounds. */
double bench_lint_us(const char *key_alg, bool ca);
double bench_weak_key_us(const char *key_alg);

struct bench_load {
    const char *socket; /* of the daemon; NULL: over TCP */
    const char *host;
    int port;
    bool tls;
    unsigned connections;
    double seconds;
    uint64_t most; /* 0, or stop after so many */
    const struct bench_requests *requests;
    /* The seconds in so many slices, all answered at the end of each; between is called then. */
    unsigned slices;
    void (*between)(void *arg);
    void *arg;
    /* results */
    uint64_t issued, other;
    double elapsed_s, p50_ms, p99_ms;
};
/* load.c: keep-alive connections on one epoll loop. */
void bench_run_load(struct bench_load *l);

/* target.c: a daemon of our own, in a folder of its own below the working directory. */
struct bench_target {
    char dir[64], socket[96];
    int http_port, https_port;
    pid_t pid;
};
void bench_target_make(struct bench_target *t, const char *ca_key);
void bench_target_start(struct bench_target *t);
void bench_target_stop(struct bench_target *t);
void bench_target_remove(struct bench_target *t);
/* The same, with the policy module in a process of its own or not. */
void bench_target_make_hosted(struct bench_target *t, const char *ca_key, bool process);
double bench_target_cpu_s(const struct bench_target *t); /* with its children */
double bench_target_rss_mib(const struct bench_target *t);
/* While it is stopped: rows like the first one it issued, until the database has so many. */
void bench_target_fill(struct bench_target *t, int32_t rows);
const char *bench_program(const char *name, char *out, size_t cap);

/* The same, with so many small rows that are revoked. */
void bench_target_fill_revoked(struct bench_target *t, int32_t rows);

/* revoke.c: seconds, the best of three where that is fair; memory at its highest. */
struct bench_revocation {
    double crl_s, least_s; /* a CRL, and only writing and signing its octets */
    double crl_rss_mib;
    double on_demand_s;               /* one more revoked, until it stands on the CRL */
    double bulk_s;                    /* a hundred thousand revoked by a filter */
    double p99_ms, p99_publishing_ms; /* of issuance, alone and while one CRL follows the other */
};
void bench_revocation(struct bench_revocation *out, int32_t revoked, bool with_bulk);

/* ocsp.c: answers per second, of a web server with a file of that size, of what was kept, of what
 * is signed for each; false: nginx or wrk is not here. */
struct bench_ocsp {
    double nginx, cached, signed_;
    double signed_us; /* CPU of the daemon for each that it signs */
};
bool bench_ocsp(struct bench_ocsp *out, int seconds); /* of each, in each of three rounds */
/* Milliseconds from the acknowledgement of a revocation to the answer "revoked", which is the first
 * that is given after it; the median. */
double bench_revoked_ms(void);

/* modules.c: microseconds of a VerifyRequest that does nothing, of one that reads ten properties
 * and sets two, in the daemon and in a child; CPU per certificate with the policy there and there.
 */
struct bench_modules {
    double nothing_us, inside_us, child_us;
    double issue_inside_us, issue_child_us;
};
void bench_modules(struct bench_modules *out, double seconds);

/* events.c: how many events per second reach an exit module that was away; certificates per second,
 * and the daemon's CPU for each, with an exit module that takes a second for each event and with
 * one that takes none. */
double bench_delivery(int32_t events);
struct bench_slow {
    double slow, quick, slow_us, quick_us;
};
void bench_slow_exit(struct bench_slow *out, double seconds);

/* start.c: milliseconds until a throwaway is ready, and of one `openssl req -x509`; medians. */
void bench_start(unsigned rounds, double *throwaway_ms, double *openssl_ms);

#endif
