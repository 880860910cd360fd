/* What a module costs: the border of a call in the daemon, a call of one in a process of its own,
 * and issuance with the policy there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bench.h"
#include "ca/request.h"
#include "module/module.h"

enum { CALLS = 20000, WARM = 2000 };

static void die(const char *what, const struct chy_err *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    exit(1);
}

/* ---- calls ---- */

static struct chy_modules *modules_of(char *folder, char *modhost)
{
    struct chy_err err = {0};
    struct chy_modules *ms = NULL;
    struct chy_modules_config config = {.ops = &chy_ca_engine_ops,
                                        .folder = folder,
                                        .modhost = modhost,
                                        .clock = &chy_system_clock,
                                        .call_timeout_ms = 10000,
                                        .any_owner = true};
    if (chy_modules_new(&config, &ms, &err) != CHY_S_OK) die("modules", &err);
    return ms;
}

/* A request as intake leaves it to the policy. */
static void fill_request(struct chy_request *r, struct chy_span der)
{
    struct chy_err err = {0};
    chy_request_clear(r);
    r->id = 7;
    r->requester_name = r->caller_name = "host\\somebody";
    r->submitted_when = r->not_before = chy_now(&chy_system_clock);
    r->not_after = r->not_before + 365 * 86400 * CHY_US_PER_S;
    if (chy_csr_parse(der, &r->csr, &err) != CHY_S_OK ||
        !chy_subject_from_name(&r->subject, &r->csr.subject, &r->arena))
        die("request", &err);
    for (size_t i = 0; i < r->csr.n_ext; i++) {
        char oid[CHY_EXT_OID_TEXT];
        if (!chy_oid_to_text(r->csr.ext[i].oid, oid, sizeof(oid)) ||
            chy_request_set_extension(r, oid, CHY_EXTENSION_DISABLE_FLAG, r->csr.ext[i].value,
                                      &err) != CHY_S_OK)
            die("request", &err);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Microseconds of one VerifyRequest: the median. */
static double call_us(struct chy_modules *ms, const char *module, bool process, struct chy_span der)
{
    static double spent[CALLS];
    struct chy_place place = {.process = process};
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct chy_request *r = chy_request_alone(NULL);
    chy_hresult status;
    bool abandoned;
    if (!r ||
        chy_policy_open_at(ms, module, NULL, CHY_BINDING_AUTO, &place, &i, &err) != CHY_S_OK ||
        chy_policy_initialize(i, "bench", &err) != CHY_S_OK)
        die(module, &err);
    for (int k = -WARM; k < CALLS; k++) {
        fill_request(r, der);
        double start = now_us();
        if (chy_policy_verify(i, "bench", r, true, &status, &abandoned, &err) != CHY_VERDICT_ISSUE)
            die(module, &err);
        if (k >= 0) spent[k] = now_us() - start;
    }
    chy_instance_free(i);
    chy_request_free(r);
    qsort(spent, CALLS, sizeof(spent[0]), by_value);
    return spent[CALLS / 2];
}

static void measure_calls(struct bench_modules *out)
{
    struct bench_requests requests;
    char folder[4200], modhost[4200];
    bench_make_requests(&requests, 1, "p256");
    struct chy_modules *ms =
        modules_of((char *)(uintptr_t)bench_program("../bench-modules", folder, sizeof(folder)),
                   (char *)(uintptr_t)bench_program("chancery-modhost", modhost, sizeof(modhost)));
    struct chy_span der = chy_buf_span(&requests.der[0]);
    out->nothing_us = call_us(ms, "bench-nothing", false, der);
    out->inside_us = call_us(ms, "bench-ten-two", false, der);
    out->child_us = call_us(ms, "bench-ten-two", true, der);
    chy_modules_free(ms);
    bench_free_requests(&requests);
}

/* ---- issuance ---- */

static double issuance(bool process, double seconds)
{
    struct bench_requests requests;
    struct bench_target t;
    bench_make_requests(&requests, 2000, "p256");
    bench_target_make_hosted(&t, "p256", process);
    bench_target_start(&t);
    struct bench_load load = {.host = "127.0.0.1",
                              .port = t.http_port,
                              .connections = 64,
                              .seconds = 1,
                              .requests = &requests};
    bench_run_load(&load);
    load.seconds = seconds;
    double before = bench_target_cpu_s(&t);
    bench_run_load(&load);
    double us = (bench_target_cpu_s(&t) - before) * 1e6 / (double)(load.issued ? load.issued : 1);
    if (!load.issued || load.other)
        fprintf(stderr, "bench: %llu refused\n", (unsigned long long)load.other);
    bench_target_stop(&t);
    bench_target_remove(&t);
    bench_free_requests(&requests);
    return us;
}

void bench_modules(struct bench_modules *out, double seconds)
{
    measure_calls(out);
    out->issue_inside_us = issuance(false, seconds);
    out->issue_child_us = issuance(true, seconds);
}
