/* The disk fails under the whole engine with clients on it: it stops issuing, says why, goes on
 * answering questions, loses nothing, and serves again by itself when the disk is well. */
#include "power.h"

#include <sqlite3.h>
#include <time.h>

enum { CLIENTS = 4, REQUESTS = 6, HEAL_MS = 20000 };

struct client {
    struct power *p;
    pthread_t thread;
    const struct chy_buf *csr;
};

/* S_OK: acknowledged. An error is a fault's doing, or it is one of the engine. */
static bool submit(struct power *p, const struct chy_buf *csr, struct answer *a)
{
    struct chy_submission s = {.caller = officer, .request = chy_buf_span(csr)};
    answer_init(a);
    chy_ca_submit(p->e.ca, &s, answered, a);
    answer_wait(a);
    if (a->status == CHY_S_OK)
        power_acknowledged(p, a, true);
    else if (!cut_disk_hits(p->disk))
        power_trouble(p, "a request failed without a fault: %s", a->text);
    else if (!a->text[0])
        power_trouble(p, "a request failed and nobody says why");
    return a->status == CHY_S_OK && a->disposition == CHY_DB_DISP_ISSUED;
}

static void *client_main(void *arg)
{
    struct client *c = arg;
    for (int i = 0; i < REQUESTS; i++) {
        struct answer a;
        (void)submit(c->p, c->csr, &a);
        answer_free(&a);
    }
    return NULL;
}

static void run_clients(struct power *p, const struct chy_buf *csr)
{
    struct client c[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        c[i] = (struct client){.p = p, .csr = csr};
        if (pthread_create(&c[i].thread, NULL, client_main, &c[i]) != 0) abort();
    }
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(c[i].thread, NULL);
}

static void must_issue(struct power *p, const struct chy_buf *csr)
{
    struct answer a;
    if (!submit(p, csr, &a)) POWER_FAIL(p, "does not issue: %s %s", a.text, a.message);
    answer_free(&a);
}

static void must_not_issue(struct power *p, const struct chy_buf *csr)
{
    struct answer a;
    struct chy_ca_health h;
    if (submit(p, csr, &a)) POWER_FAIL(p, "issues on a broken disk");
    answer_free(&a);
    chy_ca_health(p->e.ca, &h);
    if (h.trouble != CHY_TROUBLE_STORE || !strstr(h.text, "ca.db"))
        POWER_FAIL(p, "trouble %u: %s", h.trouble, h.text);
}

/* The status of what was acknowledged is there, broken disk or not. */
static void must_read(struct power *p)
{
    struct chy_err err = {0};
    struct chy_row row;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    for (size_t i = 0; i < p->n_known; i++) {
        const struct known *k = &p->known[i];
        if (!k->is_known || k->disposition != CHY_DB_DISP_ISSUED) continue;
        if (chy_ca_request(p->e.ca, &officer, (int32_t)i, &a, &row, &err) != CHY_S_OK)
            POWER_FAIL(p, "request %zu cannot be read: %s", i, err.text);
        if (!chy_span_eq(row.raw_certificate, chy_span_of(k->cert, k->cert_n)))
            POWER_FAIL(p, "request %zu reads wrong", i);
        chy_arena_reset(&a);
    }
    chy_arena_free(&a);
}

static void wait_until_well(struct power *p)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    struct chy_ca_health h;
    for (int ms = 0; ms < HEAL_MS; ms += 5) {
        chy_ca_health(p->e.ca, &h);
        if (!h.trouble) return;
        nanosleep(&pause, NULL);
    }
    POWER_FAIL(p, "does not heal: %s", h.text);
}

static void one_fault(struct power *p, const struct chy_buf *csr, const struct cut_fault *f)
{
    bool writes_fail = (f->calls & (CUT_WRITE | CUT_SYNC)) != 0;
    run_clients(p, csr);
    power_audit(p);
    cut_disk_fault(p->disk, f);
    run_clients(p, csr);
    if (writes_fail && f->for_good) {
        must_not_issue(p, csr);
        must_read(p);
    }
    if (f->for_good) cut_disk_fault(p->disk, NULL);
    wait_until_well(p);
    must_issue(p, csr);
    cut_disk_fault(p->disk, NULL);
    run_clients(p, csr);
    power_audit(p);
    power_audit_delivered(p);
}

static void run(unsigned calls, int code, bool for_good)
{
    uint64_t seed = (uint64_t)chy_now(&chy_system_clock);
    struct power p = {.seed = seed, .random = seed, .may_fail = true};
    unsigned span = calls == CUT_READ ? 60 : 8; /* the load makes more; a commit is one write */
    unsigned rounds = getenv("CHANCERY_SLOW") ? 40 : 2;
    struct chy_buf csr;
    power_make(&p, "1", false);
    make_csr("www.example.test", &csr);
    engine_open(&p.e);
    for (p.round = 0; p.round < rounds; p.round++) {
        const struct cut_fault f = {.calls = calls,
                                    .at = 1 + cut_random(&p.random) % span,
                                    .for_good = for_good,
                                    .code = code};
        one_fault(&p, &csr, &f);
        cut_disk_power_off(p.disk);
        engine_shut(&p.e);
        cut_disk_power_on(p.disk, cut_random(&p.random));
        power_look(&p);
        engine_open(&p.e);
        power_audit(&p);
    }
    chy_buf_free(&csr);
    power_end(&p);
}

/* As after a cut before the crossing-off. */
static void owe_again(struct power *p)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(p->db, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "INSERT INTO outbox(seq,request_id,event,module)"
                     " SELECT id,id,1,'example-exit' FROM request",
                     NULL, NULL, NULL) != SQLITE_OK)
        POWER_FAIL(p, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* Opens it while the n-th read fails; false when there is none. */
static bool open_with_fault(struct power *p, unsigned long n)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    const struct cut_fault f = {.calls = CUT_READ, .at = n, .code = SQLITE_IOERR_READ};
    struct chy_err err = {0};
    struct chy_ca_options o = {.dir = p->e.dir,
                               .host = "host",
                               .module_dir = TEST_MODULES,
                               .workers = p->e.workers,
                               .clock = &p->e.clock,
                               .throwaway = true,
                               .cache_kib = 1024};
    cut_disk_fault(p->disk, &f);
    if (chy_ca_open(&o, &p->e.ca, &err) != CHY_S_OK) {
        p->e.ca = NULL;
        engine_open(&p->e);
    }
    for (int i = 0; i < 5 && !cut_disk_hits(p->disk); i++)
        nanosleep(&pause, NULL);
    bool struck = cut_disk_hits(p->disk) > 0;
    cut_disk_fault(p->disk, NULL);
    return struck;
}

static void test_owed_events_arrive_although_a_read_failed(void **state)
{
    struct power p = {.may_fail = true};
    struct chy_buf csr;
    bool struck = true;
    (void)state;
    power_make(&p, "1", false);
    make_csr("www.example.test", &csr);
    for (p.round = 1; struck; p.round++) {
        engine_open(&p.e);
        run_clients(&p, &csr);
        power_audit_delivered(&p);
        engine_shut(&p.e);
        owe_again(&p);
        struck = open_with_fault(&p, p.round);
        power_audit_delivered(&p);
        engine_shut(&p.e);
        power_forget(&p);
    }
    chy_buf_free(&csr);
    power_end(&p);
}

#define FAULT_TEST(name, calls, code, for_good)                                                    \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        run(calls, code, for_good);                                                                \
    }

FAULT_TEST(test_disk_full, CUT_WRITE, SQLITE_FULL, true)
FAULT_TEST(test_disk_full_once, CUT_WRITE, SQLITE_FULL, false)
FAULT_TEST(test_write_fails, CUT_WRITE, SQLITE_IOERR_WRITE, true)
FAULT_TEST(test_sync_fails, CUT_SYNC, SQLITE_IOERR_FSYNC, true)
FAULT_TEST(test_sync_fails_once, CUT_SYNC, SQLITE_IOERR_FSYNC, false)
FAULT_TEST(test_read_fails, CUT_READ, SQLITE_IOERR_READ, true)
FAULT_TEST(test_read_fails_once, CUT_READ, SQLITE_IOERR_READ, false)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_disk_full_once),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_sync_fails),
        cmocka_unit_test(test_sync_fails_once),
        cmocka_unit_test(test_read_fails),
        cmocka_unit_test(test_read_fails_once),
        cmocka_unit_test(test_owed_events_arrive_although_a_read_failed),
    };
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
