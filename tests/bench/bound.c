/* The bare cryptography in memory. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "key/request.h"
#include "pki/cert.h"
#include "pki/csr.h"

static void die_on(chy_hresult hr, const struct chy_err *err, const char *what)
{
    if (hr == CHY_S_OK) return;
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    exit(1);
}

struct chy_key *bench_make_key(const char *alg)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    die_on(chy_key_generate(alg, &key, &err), &err, "key");
    return key;
}

void bench_make_requests(struct bench_requests *out, size_t n, const char *key_alg)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    out->der = chy_calloc(n, sizeof(*out->der));
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        char name[64];
        struct chy_buf subject;
        /* RSA keys are slow to make: sixteen serve, under distinct names */
        bool fresh = key_alg[0] != 'r' || i < 16;
        if (fresh || !key) {
            chy_key_free(key);
            key = bench_make_key(key_alg);
        }
        snprintf(name, sizeof(name), "host-%zu.example.test", i);
        struct chy_general_name gn = {.type = CHY_GN_DNS, .value = chy_span_cstr(name)};
        chy_buf_init(&subject, 256);
        size_t mark = chy_name_open(&subject);
        const struct chy_name_prop *cn = &chy_name_props[chy_name_prop_find("CN")];
        chy_name_add(&subject, cn->oid, cn->tag, chy_span_cstr(name));
        chy_name_close(&subject, mark);
        chy_buf_init(&out->der[i], 8192);
        die_on(chy_key_request(key, chy_buf_span(&subject), &gn, 1, &out->der[i], &err), &err,
               "request");
        chy_buf_free(&subject);
    }
    chy_key_free(key);
}

void bench_free_requests(struct bench_requests *r)
{
    for (size_t i = 0; i < r->n; i++)
        chy_buf_free(&r->der[i]);
    chy_free(r->der);
}

struct bound {
    struct chy_verifier *verifier;
    struct chy_signer *signer;
    const struct chy_sig_alg *alg;
    struct chy_buf issuer, tbs, sig, cert;
    struct chy_csr csr;
};

static void one(struct bound *b, struct chy_span der)
{
    struct chy_err err = {0};
    uint8_t serial[CHY_SERIAL_LEN];
    chy_time now = chy_now(&chy_system_clock);
    chy_buf_reset(&b->tbs);
    chy_buf_reset(&b->sig);
    chy_buf_reset(&b->cert);
    die_on(chy_csr_parse(der, &b->csr, &err), &err, "parse");
    die_on(chy_csr_verify(b->verifier, &b->csr, &err), &err, "verify");
    die_on(chy_serial_make(now, serial, &err), &err, "serial");
    struct chy_cert_parts parts = {.serial = CHY_SPAN(serial),
                                   .sig_alg = b->alg->der,
                                   .issuer = chy_buf_span(&b->issuer),
                                   .not_before = now - now % 1000000,
                                   .not_after = now - now % 1000000 + INT64_C(7776000) * 1000000,
                                   .subject = b->csr.subject.der,
                                   .spki = b->csr.key.der,
                                   .ext = b->csr.ext,
                                   .n_ext = b->csr.n_ext};
    die_on(chy_cert_build_tbs(&parts, &b->tbs, &err), &err, "build");
    die_on(chy_signer_sign(b->signer, chy_buf_span(&b->tbs), &b->sig, &err), &err, "sign");
    die_on(chy_cert_assemble(chy_buf_span(&b->tbs), b->alg->der, chy_buf_span(&b->sig), &b->cert,
                             &err),
           &err, "assemble");
}

/* No more than the signature, over as much as an OCSP answer has. */
static void just_sign(struct bound *b)
{
    static const uint8_t octets[200] = {0x30};
    struct chy_err err = {0};
    chy_buf_reset(&b->sig);
    die_on(chy_signer_sign(b->signer, CHY_SPAN(octets), &b->sig, &err), &err, "sign");
}

static void times(struct bound *b, const struct bench_requests *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (r)
            one(b, chy_buf_span(&r->der[i % r->n]));
        else
            just_sign(b);
    }
}

struct runner {
    pthread_t thread;
    const struct bench_requests *requests;
    struct chy_key *key;
    size_t n;
    double cpu_us;
};

static double thread_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *run(void *arg)
{
    struct runner *r = arg;
    struct chy_err err = {0};
    struct bound *b = chy_calloc(1, sizeof(*b));
    struct chy_buf *bufs[] = {&b->issuer, &b->tbs, &b->sig, &b->cert};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 65536);
    b->alg = chy_key_sig_alg(r->key, NULL, &err);
    die_on(chy_signer_new(r->key, b->alg, &b->signer, &err), &err, "signer");
    die_on(chy_name_from_text("CN=Bench CA", &b->issuer, &err), &err, "issuer");
    b->verifier = chy_verifier_new(&err);
    times(b, r->requests, r->n / 10);
    double start = thread_cpu_us();
    times(b, r->requests, r->n);
    r->cpu_us = thread_cpu_us() - start;
    chy_signer_free(b->signer);
    chy_verifier_free(b->verifier);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_free(b);
    return NULL;
}

/* On every processor at once, as the daemon runs: a second that a busy neighbour slows is longer.
 */
double bench_bound_us(const struct bench_requests *r, struct chy_key *ca_key, size_t n)
{
    enum { MAX_THREADS = 64 };
    struct runner runner[MAX_THREADS];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = cpus < 1 ? 1 : cpus > MAX_THREADS ? MAX_THREADS : (size_t)cpus;
    double us = 0;
    for (size_t i = 0; i < threads; i++) {
        runner[i] = (struct runner){.requests = r, .key = ca_key, .n = n / threads};
        if (pthread_create(&runner[i].thread, NULL, run, &runner[i]) != 0) exit(1);
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(runner[i].thread, NULL);
        us += runner[i].cpu_us;
    }
    return us / (double)(n / threads * threads);
}
