/* A whole engine in a temporary folder, with a clock that the test owns. */
#ifndef TEST_CA_ENGINE_H
#define TEST_CA_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca.h"
#include "ca/revocation.h"
#include "key/request.h"
#include "pki/cert.h"
#include "pki/csr.h"
#include "pki/lint.h"

struct engine {
    char base[64], dir[128];
    struct chy_workers *workers;
    struct chy_ca *ca;
    struct chy_clock clock;
    _Atomic int64_t wall_shift, mono_shift; /* microseconds on top of the real clocks */
};

/* For what another thread tells. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static inline void waiter_init(struct waiter *w)
{
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->done = false;
}

static inline void waiter_done(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static inline void waiter_wait(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

struct answer {
    struct waiter waiter;
    chy_hresult status, request_status;
    int32_t id, disposition;
    char text[512], message[512];
    uint8_t serial[20];
    struct chy_buf cert;
};

static const struct chy_caller officer = {"officer", CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER |
                                                         CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ENROLL};

static inline chy_time engine_wall(void *arg)
{
    return chy_now(&chy_system_clock) + ((struct engine *)arg)->wall_shift;
}

static inline int64_t engine_mono(void *arg)
{
    return chy_monotonic(&chy_system_clock) + ((struct engine *)arg)->mono_shift;
}

static inline void must(chy_hresult hr, const struct chy_err *err)
{
    if (hr != CHY_S_OK) fail_msg("0x%08x: %s", (unsigned)hr, err->text);
}

static inline void engine_make(struct engine *e, const char *disposition)
{
    struct chy_err err = {0};
    memset(e, 0, sizeof(*e));
    e->clock = (struct chy_clock){engine_wall, engine_mono, e};
    snprintf(e->base, sizeof(e->base), "/tmp/chancery-test-XXXXXX");
    assert_non_null(mkdtemp(e->base));
    snprintf(e->dir, sizeof(e->dir), "%s/ca", e->base);
    struct chy_ca_init init = {
        .dir = e->dir,
        .common_name = "Test CA",
        .days = 30,
        .path_len = -1,
        .clock = &e->clock,
        .setting = {{"PolicyModules/policy-default/RequestDisposition", disposition},
                    {"PolicyModules/policy-default/DefaultProfile", "\"tls-server\""}}};
    must(chy_ca_create(&init, &err), &err);
    must(chy_workers_new(2, &e->workers, &err), &err);
}

static inline struct chy_ca_options engine_options(const struct engine *e)
{
    return (struct chy_ca_options){.dir = e->dir,
                                   .host = "host",
                                   .module_dir = TEST_MODULES,
                                   .workers = e->workers,
                                   .clock = &e->clock,
                                   .throwaway = true,
                                   .cache_kib = 1024};
}

static inline void engine_open(struct engine *e)
{
    struct chy_err err = {0};
    const struct chy_ca_options o = engine_options(e);
    must(chy_ca_open(&o, &e->ca, &err), &err);
}

static inline void engine_shut(struct engine *e)
{
    chy_ca_close(e->ca);
    e->ca = NULL;
}

static inline void engine_end(struct engine *e)
{
    if (e->ca) chy_ca_close(e->ca);
    chy_workers_free(e->workers);
    chy_dir_remove(e->base);
}

static inline void make_csr_of(const char *alg, const char *host, struct chy_buf *der)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    struct chy_buf subject;
    char text[128];
    struct chy_general_name gn = {.type = CHY_GN_DNS, .value = chy_span_cstr(host)};
    snprintf(text, sizeof(text), "CN=%s", host);
    chy_buf_init(&subject, 1024);
    chy_buf_init(der, 65536);
    must(chy_name_from_text(text, &subject, &err), &err);
    must(chy_key_generate(alg, &key, &err), &err);
    must(chy_key_request(key, chy_buf_span(&subject), &gn, 1, der, &err), &err);
    chy_key_free(key);
    chy_buf_free(&subject);
}

static inline void make_csr(const char *host, struct chy_buf *der)
{
    make_csr_of("p256", host, der);
}

static inline void answered(const struct chy_outcome *o, void *arg)
{
    struct answer *a = arg;
    a->status = o->status;
    a->request_status = o->request_status;
    a->id = o->request_id;
    a->disposition = o->disposition;
    snprintf(a->text, sizeof(a->text), "%s", o->err.text);
    snprintf(a->message, sizeof(a->message), "%.*s", (int)o->message.n,
             o->message.p ? (const char *)o->message.p : "");
    if (o->serial.n == sizeof(a->serial)) memcpy(a->serial, o->serial.p, sizeof(a->serial));
    chy_buf_add_span(&a->cert, o->certificate);
    waiter_done(&a->waiter);
}

static inline void answer_init(struct answer *a)
{
    memset(a, 0, sizeof(*a));
    waiter_init(&a->waiter);
    chy_buf_init(&a->cert, 65536);
}

static inline void answer_wait(struct answer *a)
{
    waiter_wait(&a->waiter);
}

static inline void submit_to(struct chy_ca *ca, const char *host, const char *attributes,
                             struct answer *a)
{
    struct chy_buf der;
    make_csr(host, &der);
    struct chy_submission s = {
        .caller = officer, .request = chy_buf_span(&der), .attributes = chy_span_cstr(attributes)};
    answer_init(a);
    chy_ca_submit(ca, &s, answered, a);
    answer_wait(a);
    chy_buf_free(&der);
}

struct engine_published {
    struct waiter waiter;
    struct chy_crl_result r;
};

static inline void engine_published(const struct chy_crl_result *r, void *arg)
{
    struct engine_published *p = arg;
    p->r = *r;
    waiter_done(&p->waiter);
}

static inline struct chy_crl_result engine_publish(struct engine *e, uint32_t flags, int32_t shard,
                                                   chy_time next_update)
{
    struct engine_published p;
    const struct chy_crl_order order = {flags, shard, next_update};
    waiter_init(&p.waiter);
    chy_ca_publish_crls(e->ca, &officer, &order, engine_published, &p);
    waiter_wait(&p.waiter);
    return p.r;
}

static inline void answer_free(struct answer *a)
{
    chy_buf_free(&a->cert);
    pthread_mutex_destroy(&a->waiter.lock);
    pthread_cond_destroy(&a->waiter.wake);
}

#endif
