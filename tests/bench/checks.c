/* What is done with every certificate besides the cryptography: lint, and the test for weak keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "key/key.h"
#include "pki/lint.h"

enum { ROUNDS = 9, PER_ROUND = 2000 };

static void die_on(chy_hresult hr, const struct chy_err *err, const char *what)
{
    if (hr == CHY_S_OK) return;
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    exit(1);
}

static double thread_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct subject {
    struct chy_buf tbs, name, ca_name, values;
    struct chy_ext ext[16];
    size_t n_ext;
    struct chy_key *key;
};

static void add(struct subject *s, struct chy_span oid, bool critical, size_t from)
{
    s->ext[s->n_ext++] = (struct chy_ext){oid, critical, {s->values.p + from, s->values.n - from}};
}

static void add_usage(struct subject *s, bool ca, bool rsa)
{
    static const struct chy_span server[] = {
        {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x01", 8}};
    struct chy_buf *b = &s->values;
    unsigned leaf = CHY_KU_DIGITAL_SIGNATURE | (rsa ? CHY_KU_KEY_ENCIPHERMENT : 0);
    size_t at = b->n;
    chy_key_usage_add(b, ca ? CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN : leaf);
    add(s, chy_oid_key_usage, true, at);
    at = b->n;
    if (ca) {
        chy_basic_constraints_add(b, &(struct chy_basic_constraints){true, 0});
        add(s, chy_oid_basic_constraints, true, at);
    } else {
        chy_eku_add(b, server, 1);
        add(s, chy_oid_ext_key_usage, false, at);
    }
}

static void add_names(struct subject *s, bool ca)
{
    static const char *const hosts[] = {"www.example.com", "example.com", "api.example.com"};
    static const uint8_t ip[] = {10, 1, 2, 3}, range[] = {10, 0, 0, 0, 255, 0, 0, 0};
    struct chy_buf *b = &s->values;
    size_t at = b->n;
    if (ca) {
        struct chy_name_constraints nc = {.n_permitted = 2};
        nc.permitted[0] =
            (struct chy_general_name){.type = CHY_GN_DNS, .value = chy_span_cstr("example.com")};
        nc.permitted[1] = (struct chy_general_name){.type = CHY_GN_IP, .value = CHY_SPAN(range)};
        chy_name_constraints_add(b, &nc);
        add(s, chy_oid_name_constraints, true, at);
        return;
    }
    size_t list = chy_der_open(b, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < CHY_ARRAY_LEN(hosts); i++)
        chy_der_add(b, (uint8_t)CHY_DER_CTX(CHY_GN_DNS), chy_span_cstr(hosts[i]));
    chy_der_add(b, (uint8_t)CHY_DER_CTX(CHY_GN_IP), CHY_SPAN(ip));
    chy_der_close(b, list);
    add(s, chy_oid_subject_alt_name, false, at);
}

static void add_pointers(struct subject *s)
{
    static const uint8_t id[20] = {1, 2, 3}, ca_id[20] = {4, 5, 6};
    static const char *const crl[] = {"http://pki.example.com/crl/Example%20CA.crl"};
    static const char *const cert[] = {"http://pki.example.com/aia/Example%20CA.crt"};
    static const char *const ocsp[] = {"http://pki.example.com/ocsp"};
    static const struct chy_span policy[] = {{(const uint8_t *)"\x2a\x03\x04", 3}};
    struct chy_buf *b = &s->values;
    size_t at = b->n;
    chy_ski_add(b, CHY_SPAN(id));
    add(s, chy_oid_subject_key_id, false, at);
    at = b->n;
    chy_aki_add(b, CHY_SPAN(ca_id));
    add(s, chy_oid_authority_key_id, false, at);
    at = b->n;
    chy_cdp_add(b, crl, 1);
    add(s, chy_oid_crl_distribution_points, false, at);
    at = b->n;
    chy_aia_add(b, cert, 1, ocsp, 1);
    add(s, chy_oid_authority_info_access, false, at);
    at = b->n;
    chy_policies_add(b, policy, 1);
    add(s, chy_oid_certificate_policies, false, at);
}

/* A typical certificate; ca: one of an issuing CA. */
static void make(struct subject *s, const char *key_alg, bool ca)
{
    struct chy_err err = {0};
    struct chy_buf *bufs[] = {&s->tbs, &s->name, &s->ca_name, &s->values};
    uint8_t serial[CHY_SERIAL_LEN];
    const chy_time now = chy_now(&chy_system_clock) / 1000000 * 1000000;
    s->n_ext = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 65536);
    if (!chy_buf_reserve(&s->values, 65536)) exit(1); /* spans point into it */
    die_on(chy_key_generate(key_alg, &s->key, &err), &err, "key");
    die_on(chy_name_from_text(ca ? "CN=Example Issuing CA, O=Example, C=DE"
                                 : "CN=www.example.com, O=Example, C=DE",
                              &s->name, &err),
           &err, "subject");
    die_on(chy_name_from_text("CN=Example CA, O=Example, C=DE", &s->ca_name, &err), &err, "issuer");
    die_on(chy_serial_make(now, serial, &err), &err, "serial");
    add_usage(s, ca, key_alg[0] == 'r');
    add_names(s, ca);
    add_pointers(s);
    const struct chy_sig_alg *alg = chy_key_sig_alg(s->key, NULL, &err);
    const struct chy_cert_parts parts = {.serial = CHY_SPAN(serial),
                                         .sig_alg = alg->der,
                                         .issuer = chy_buf_span(&s->ca_name),
                                         .not_before = now,
                                         .not_after = now + INT64_C(7775999) * 1000000,
                                         .subject = chy_buf_span(&s->name),
                                         .spki = chy_key_spki(s->key)->der,
                                         .ext = s->ext,
                                         .n_ext = s->n_ext};
    die_on(chy_cert_build_tbs(&parts, &s->tbs, &err), &err, "build");
}

static void drop(struct subject *s)
{
    struct chy_buf *bufs[] = {&s->tbs, &s->name, &s->ca_name, &s->values};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_key_free(s->key);
}

double bench_lint_us(const char *key_alg, bool ca)
{
    static const uint8_t ca_id[20] = {4, 5, 6};
    struct subject s;
    struct chy_err err = {0};
    struct chy_lint_report report = {.n = 0};
    double best = 1e9;
    make(&s, key_alg, ca);
    struct chy_lint_issuer issuer = {.subject = chy_buf_span(&s.ca_name),
                                     .key_id = CHY_SPAN(ca_id),
                                     .not_after = INT64_MAX,
                                     .path_len = -1,
                                     .sig_alg = chy_key_sig_alg(s.key, NULL, &err)->der};
    for (unsigned r = 0; r < ROUNDS; r++) {
        double start = thread_cpu_us();
        for (unsigned i = 0; i < PER_ROUND; i++)
            chy_lint_tbs(chy_buf_span(&s.tbs), &issuer, &report);
        double us = (thread_cpu_us() - start) / PER_ROUND;
        if (us < best) best = us;
    }
    if (report.n) die_on(CHY_E_UNEXPECTED, &err, report.finding[0].rule->id);
    drop(&s);
    return best;
}

double bench_weak_key_us(const char *key_alg)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    double best = 1e9;
    die_on(chy_key_generate(key_alg, &key, &err), &err, "key");
    for (unsigned r = 0; r < ROUNDS; r++) {
        double start = thread_cpu_us();
        for (unsigned i = 0; i < PER_ROUND; i++)
            die_on(chy_spki_check_strength(chy_key_spki(key), &err), &err, "strength");
        double us = (thread_cpu_us() - start) / PER_ROUND;
        if (us < best) best = us;
    }
    chy_key_free(key);
    return best;
}
