/* Ten thousand certificates with random contents, and what others say of them.
 * Usage: oracle [--seed N] [--count N] */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t default_seed = 20260101;
enum { DEFAULT_COUNT = 10000, TOOL_SAMPLES = 300 };

/* For the message of a failure alone. */
static uint64_t run_seed;
static unsigned long run_number;

void oracle_die(const char *fmt, ...)
{
    va_list ap;
    (void)fprintf(stderr, "oracle: certificate %lu of --seed %llu: ", run_number,
                  (unsigned long long)run_seed);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(1);
}

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)(rng_next(r) % n);
}

bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

static void make_subject_keys(struct chy_key **keys)
{
    static const char *const algs[SUBJECT_KEYS] = {"p256",    "p256",    "p256",    "p384",
                                                   "p521",    "rsa2048", "rsa2048", "ed448",
                                                   "rsa3072", "ed25519"};
    for (size_t i = 0; i < SUBJECT_KEYS; i++) {
        struct chy_err err = {.code = CHY_S_OK};
        MUST(chy_key_generate(algs[i], &keys[i], &err) == CHY_S_OK, "%s: %s", algs[i], err.text);
    }
}

static double run(unsigned long count, struct rng *r, const struct authority *authorities,
                  struct chy_key *const *keys, struct tools *tools)
{
    struct sample s;
    unsigned long every = count > TOOL_SAMPLES ? count / TOOL_SAMPLES : 1;
    double lint_us = 0;
    sample_init(&s);
    for (run_number = 0; run_number < count; run_number++) {
        const struct authority *by = authority_pick(authorities, r);
        const struct chy_spki *key = chy_key_spki(keys[rng_below(r, SUBJECT_KEYS)]);
        sample_reset(&s);
        sample_invent(&s, r, by, key);
        sample_issue(&s, by, key);
        judge(&s, by);
        lint_us += s.lint_us;
        if (run_number % every == 0) tools_add(tools, &s, by);
    }
    sample_free(&s);
    return lint_us / (double)count;
}

static unsigned long long number(const char *text)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0) {
        (void)fprintf(stderr, "usage: oracle [--seed N] [--count N]\n");
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct authority authorities[AUTHORITIES];
    struct chy_key *keys[SUBJECT_KEYS];
    unsigned long count = DEFAULT_COUNT;
    run_seed = default_seed;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) run_seed = number(argv[i + 1]);
        if (strcmp(argv[i], "--count") == 0) count = (unsigned long)number(argv[i + 1]);
    }
    (void)printf("oracle: %lu certificates, --seed %llu\n", count, (unsigned long long)run_seed);
    (void)fflush(stdout);
    struct rng r = {.state = run_seed};
    authorities_make(authorities);
    make_subject_keys(keys);
    struct tools *tools = tools_open(authorities);
    double lint_us = run(count, &r, authorities, keys, tools);
    (void)printf("oracle: OpenSSL's library agrees; lint took %.1f us each\n", lint_us);
    (void)fflush(stdout);
    tools_verify(tools);
    tools_close(tools);
    for (size_t i = 0; i < SUBJECT_KEYS; i++)
        chy_key_free(keys[i]);
    authorities_free(authorities);
    return 0;
}
