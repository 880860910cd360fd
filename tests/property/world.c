/* The CA, its clocks, and waiting for its publisher. */
#include "world.h"

#include <stdarg.h>
#include <time.h>
#include <unistd.h>

enum { TICK = 100 };

void world_fail(const struct world *w, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    fprintf(stderr, "CHANCERY_SEED=%llu, step %u (%s): %s\n", (unsigned long long)w->seed, w->step,
            w->doing, text);
    chy_dir_remove(w->e.base);
    _exit(1); /* the CA's threads are still at work */
}

/* splitmix64 */
static uint64_t draw(struct world *w)
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t pick(struct world *w, uint32_t n)
{
    return (uint32_t)((draw(w) >> 32) % n);
}

/* Time stands still but for a moment at each look, so that a seed plays the same again. */
static chy_time wall(void *arg)
{
    struct world *w = arg;
    return atomic_fetch_add(&w->passed, TICK) + TICK + atomic_load(&w->jumped);
}

static int64_t mono(void *arg)
{
    return atomic_load(&((struct world *)arg)->passed);
}

chy_time world_now(struct world *w)
{
    return wall(w);
}

void world_pass(struct world *w, int64_t seconds)
{
    atomic_fetch_add(&w->passed, seconds * CHY_US_PER_S);
}

static void make_ca(struct world *w)
{
    struct chy_err err = {0};
    struct engine *e = &w->e;
    e->clock = (struct chy_clock){wall, mono, w};
    /* Where there is a disk in memory: nothing here is about the disk. */
    snprintf(e->base, sizeof(e->base), "/dev/shm/chancery-test-XXXXXX");
    if (!mkdtemp(e->base)) {
        snprintf(e->base, sizeof(e->base), "/tmp/chancery-test-XXXXXX");
        assert_non_null(mkdtemp(e->base));
    }
    snprintf(e->dir, sizeof(e->dir), "%s/ca", e->base);
    struct chy_ca_init init = {
        .dir = e->dir,
        .common_name = "CA",
        .key_alg = "p256",
        .days = 200,
        .path_len = -1,
        .clock = &e->clock,
        .setting = {{"PolicyModules/policy-default/RequestDisposition", "1"},
                    {"PolicyModules/policy-default/DefaultProfile", "\"tls-server\""},
                    {"ExitModules/Active", "[]"},
                    {"PublicationCheck", "\"no\""},
                    {"CRLPublishOnRevoke", "\"no\""},
                    {"CRLPublishDelaySeconds", "0"},
                    {"EKUOIDsForPublishExpiredCertInCRL", "[]"},
                    {"CRLPublicationURLs",
                     "[\"6:http://crl.example.test/%3%8<CRLPartitionIndex>%9.crl\"]"}}};
    must(chy_ca_create(&init, &err), &err);
    must(chy_workers_new(2, &e->workers, &err), &err);
}

void world_begin(struct world *w, uint64_t seed)
{
    struct chy_err err = {0};
    const chy_time first = INT64_C(1800000000) * CHY_US_PER_S; /* January 2027 */
    memset(w, 0, sizeof(*w));
    w->seed = w->random = seed;
    w->doing = "begin";
    w->rules = (struct rules){.period = {"Weeks", 1},
                              .delta = {"Days", 0},
                              .overlap = {"Hours", 0},
                              .delta_overlap = {"Minutes", 0},
                              .skew_minutes = 10,
                              .flags = 2,
                              .moved = CHY_TIME_DEFAULT};
    w->wanted = CHY_TIME_DEFAULT;
    w->cert = calloc(CERTS_MAX, sizeof(*w->cert));
    w->crl = calloc(CRLS_MAX, sizeof(*w->crl));
    w->by_serial = calloc(65536, sizeof(*w->by_serial));
    assert_true(w->cert && w->crl && w->by_serial);
    w->verifier = chy_verifier_new(&err);
    assert_non_null(w->verifier);
    atomic_store(&w->passed, first);
    world_pass(w, (int64_t)pick(w, 3 * 365) * 86400 + pick(w, 86400));
    w->began = world_now(w);
    make_csr("a.example.test", &w->csr);
    make_ca(w);
    world_open(w);
}

void world_open(struct world *w)
{
    engine_open(&w->e);
}

void world_close(struct world *w)
{
    engine_shut(&w->e);
}

void world_end(struct world *w)
{
    engine_end(&w->e);
    chy_verifier_free(w->verifier);
    chy_buf_free(&w->csr);
    for (size_t i = 0; i < w->n_crls; i++)
        free(w->crl[i].entry);
    free(w->cert);
    free(w->crl);
    free(w->by_serial);
}

void world_set(struct world *w, const char *path, const char *json)
{
    struct chy_err err = {0};
    if (chy_ca_config_set(w->e.ca, &officer, path, json, &err) != CHY_S_OK)
        WORLD_FAIL(w, "%s = %s: %s", path, json, err.text);
}

/* ---- the publisher ---- */
struct chy_crl_result world_publish(struct world *w, uint32_t flags, int32_t shard,
                                    chy_time next_update)
{
    return engine_publish(&w->e, flags, shard, next_update);
}

/* How long a revocation waits goes by what the last run took: after one that was refused it does
 * not wait. */
static void make_eager(struct world *w)
{
    struct chy_crl_result r = world_publish(w, CHY_CA_CRL_BASE, 70000, CHY_TIME_DEFAULT);
    if (r.status != CHY_E_INVALIDARG) WORLD_FAIL(w, "there is no shard 70000: %s", r.err.text);
}

static bool is_revocation_pending(struct world *w)
{
    struct chy_publisher *p = w->e.ca->publisher;
    pthread_mutex_lock(&p->lock);
    bool yes = p->revoked && w->rules.on_revoke;
    pthread_mutex_unlock(&p->lock);
    return yes;
}

static void rest(long us)
{
    const struct timespec t = {0, us * 1000};
    nanosleep(&t, NULL);
}

/* A second poke is taken when all that the first one led to is done. */
static void wait_for_look(struct world *w)
{
    struct chy_publisher *p = w->e.ca->publisher;
    for (int i = 0; i < 2; i++) {
        bool is_taken = false;
        chy_publisher_poke(w->e.ca);
        while (!is_taken) {
            pthread_mutex_lock(&p->lock);
            is_taken = !p->poked;
            pthread_mutex_unlock(&p->lock);
            if (!is_taken) rest(100);
        }
    }
}

/* The schedule goes by the CA's clock, so that nothing takes longer than the work itself. */
void world_settle(struct world *w)
{
    enum { PATIENCE_MS = 5000 };
    make_eager(w);
    wait_for_look(w);
    for (int ms = 0; is_revocation_pending(w); ms++) {
        if (ms >= PATIENCE_MS) WORLD_FAIL(w, "a revocation waits for its CRL");
        rest(1000);
    }
    wait_for_look(w);
    check_new_crls(w);
    check_rest(w);
    if (w->step % 8 && !w->is_late) return;
    uint64_t before = w->e.ca->publisher->number;
    rest(4000);
    wait_for_look(w);
    if (w->e.ca->publisher->number != before)
        WORLD_FAIL(w, "numbers are used up while nothing is to be done");
}
