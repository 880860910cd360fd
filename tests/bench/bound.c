/* The bare cryptography in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench.h"
#include "key/request.h"
#include "pki/cert.h"
#include "pki/csr.h"

int64_t bench_cpu_us(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (int64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec +
           ru.ru_stime.tv_usec;
}

static void die_on(chy_hresult hr, const struct chy_err *err, const char *what)
{
    if (hr == CHY_S_OK) return;
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    exit(1);
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
            die_on(chy_key_generate(key_alg, &key, &err), &err, "key");
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

double bench_bound_us(const struct bench_requests *r, const char *ca_key, size_t n)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    struct bound *b = chy_calloc(1, sizeof(*b));
    struct chy_buf *bufs[] = {&b->issuer, &b->tbs, &b->sig, &b->cert};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 65536);
    die_on(chy_key_generate(ca_key, &key, &err), &err, "CA key");
    b->alg = chy_key_sig_alg(key, NULL, &err);
    die_on(chy_signer_new(key, b->alg, &b->signer, &err), &err, "signer");
    die_on(chy_name_from_text("CN=Bench CA", &b->issuer, &err), &err, "issuer");
    b->verifier = chy_verifier_new(&err);
    for (size_t i = 0; i < n / 10; i++)
        one(b, chy_buf_span(&r->der[i % r->n]));
    int64_t start = bench_cpu_us();
    for (size_t i = 0; i < n; i++)
        one(b, chy_buf_span(&r->der[i % r->n]));
    double us = (double)(bench_cpu_us() - start) / (double)n;
    chy_signer_free(b->signer);
    chy_verifier_free(b->verifier);
    chy_key_free(key);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_free(b);
    return us;
}
