/* The power goes at any write, under load from several clients; what comes back is audited. */
#include "ca/revocation.h"
#include "power.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 4, REQUESTS = 8, CSRS = 8, EPOCH = 25, CUTS = 200, CUTS_SLOW = 10000 };

static const char note[] = "ExitModules/example-exit/Note";

struct client {
    struct power *p;
    pthread_t thread;
    const struct chy_buf *csr;
    uint64_t random;
    bool sets; /* also changes a setting */
};

/* False when no more can be expected: the power is off. */
static bool take_answer(struct power *p, struct answer *a, bool is_first)
{
    answer_wait(a);
    bool ok = a->status == CHY_S_OK;
    if (ok)
        power_acknowledged(p, a, is_first);
    else if (!cut_disk_is_off(p->disk))
        power_trouble(p, "a request failed although nothing was wrong: %s", a->text);
    return ok;
}

/* What waits for an officer gets its answer. */
static bool resolve(struct client *c, int32_t id)
{
    struct answer a;
    uint64_t what = cut_random(&c->random) % 3;
    if (what == 2) return true;
    answer_init(&a);
    if (what == 0)
        chy_ca_resubmit(c->p->e.ca, &officer, id, answered, &a);
    else
        chy_ca_deny(c->p->e.ca, &officer, id, answered, &a);
    bool ok = take_answer(c->p, &a, false);
    answer_free(&a);
    return ok;
}

static bool revoke_some(struct client *c, int32_t id)
{
    struct answer a;
    const struct chy_revoke what = {.reason = CHY_CRL_REASON_SUPERSEDED,
                                    .effective_when = CHY_TIME_DEFAULT,
                                    .invalidity_when = CHY_TIME_DEFAULT};
    if (cut_random(&c->random) % 4) return true;
    answer_init(&a);
    chy_ca_revoke_id(c->p->e.ca, &officer, id, &what, answered, &a);
    bool ok = take_answer(c->p, &a, false);
    answer_free(&a);
    return ok;
}

static bool change_setting(struct power *p)
{
    char json[16];
    struct chy_err err = {0};
    int next = p->setting_tried + 1;
    snprintf(json, sizeof(json), "%d", next);
    p->setting_tried = next;
    bool ok = chy_ca_config_set(p->e.ca, &officer, note, json, &err) == CHY_S_OK;
    if (ok)
        p->setting_acknowledged = next;
    else if (!cut_disk_is_off(p->disk))
        power_trouble(p, "a setting failed although nothing was wrong: %s", err.text);
    return ok;
}

static void *client_main(void *arg)
{
    struct client *c = arg;
    for (int i = 0; i < REQUESTS; i++) {
        struct answer a;
        struct chy_submission s = {.caller = officer,
                                   .request = chy_buf_span(&c->csr[cut_random(&c->random) % CSRS])};
        answer_init(&a);
        chy_ca_submit(c->p->e.ca, &s, answered, &a);
        bool ok = take_answer(c->p, &a, true);
        if (ok && a.disposition == CHY_DB_DISP_PENDING) ok = resolve(c, a.id);
        if (ok && a.disposition == CHY_DB_DISP_ISSUED) ok = revoke_some(c, a.id);
        if (ok && c->sets && i % 3 == 0) ok = change_setting(c->p);
        answer_free(&a);
        if (!ok) break;
    }
    return NULL;
}

static void run_clients(struct power *p, const struct chy_buf *csr)
{
    struct client c[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        c[i] =
            (struct client){.p = p, .csr = csr, .random = cut_random(&p->random), .sets = i == 0};
        if (pthread_create(&c[i].thread, NULL, client_main, &c[i]) != 0) abort();
    }
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(c[i].thread, NULL);
}

static void open_engine(struct power *p)
{
    struct chy_err err = {0};
    struct chy_ca_options o = {.dir = p->e.dir,
                               .host = "host",
                               .module_dir = TEST_MODULES,
                               .workers = p->e.workers,
                               .clock = &p->e.clock,
                               .throwaway = true,
                               .cache_kib = 1024};
    if (chy_ca_open(&o, &p->e.ca, &err) == CHY_S_OK) return;
    p->e.ca = NULL;
    if (!cut_disk_is_off(p->disk)) POWER_FAIL(p, "does not open after a cut: %s", err.text);
}

/* A CA that is told to stop signs no more, whatever it had meant to sign. */
static void wait_until_settled_or_off(const struct power *p)
{
    struct chy_ca_counters n = {.issued = 0};
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 15000 && p->e.ca && !cut_disk_is_off(p->disk); i++) {
        chy_ca_counters(p->e.ca, &n);
        if (n.issued >= p->n_intended) return;
        nanosleep(&pause, NULL);
    }
}

/* The power comes back, and at times goes again while what it left is being settled. */
static void open_after_cut(struct power *p)
{
    cut_disk_power_on(p->disk, cut_random(&p->random));
    power_look(p);
    if (cut_random(&p->random) % 4 == 0) {
        cut_disk_arm(p->disk, 1 + cut_random(&p->random) % 100);
        open_engine(p);
        wait_until_settled_or_off(p);
        engine_shut(&p->e);
        if (cut_disk_is_off(p->disk)) p->cut_twice++;
        cut_disk_power_on(p->disk, cut_random(&p->random));
        power_look(p);
    }
    open_engine(p);
}

static void one_cut(struct power *p, const struct chy_buf *csr)
{
    unsigned long before = cut_disk_writes(p->disk);
    bool at_close = cut_random(&p->random) % 8 == 0;
    if (!at_close) cut_disk_arm(p->disk, 1 + cut_random(&p->random) % p->span);
    run_clients(p, csr);
    if (cut_disk_is_off(p->disk))
        p->cut_in_load++;
    else /* as many as the load makes, so that most cuts fall into it */
        p->span = cut_disk_writes(p->disk) - before + 1;
    if (at_close)
        cut_disk_arm(p->disk, 1 + cut_random(&p->random) % 200);
    else
        cut_disk_power_off(p->disk);
    engine_shut(&p->e);
    open_after_cut(p);
    power_audit(p);
}

static void run_cuts(const char *disposition, bool small_pages, unsigned first, unsigned cuts,
                     uint64_t seed)
{
    struct power p = {.seed = seed, .random = seed + first, .span = 1000};
    struct chy_buf csr[CSRS];
    power_make(&p, disposition, small_pages);
    for (size_t i = 0; i < CSRS; i++)
        make_csr("www.example.test", &csr[i]);
    engine_open(&p.e);
    for (p.round = 0; p.round < cuts; p.round++) {
        if (p.round && p.round % EPOCH == 0) {
            power_audit_delivered(&p);
            engine_shut(&p.e);
            power_forget(&p);
            engine_open(&p.e);
        }
        one_cut(&p, csr);
    }
    power_audit_delivered(&p);
    printf("%u cuts, %lu under load, %lu with another while settling; acknowledged: %lu answers,"
           " %lu certificates; settled: %lu intents; found owed: %lu events\n",
           cuts, p.cut_in_load, p.cut_twice, p.acknowledged, p.issued, p.settled, p.owed);
    for (size_t i = 0; i < CSRS; i++)
        chy_buf_free(&csr[i]);
    power_end(&p);
}

static uint64_t seed(void)
{
    const char *given = getenv("CHANCERY_SEED");
    uint64_t s = given ? strtoull(given, NULL, 10) : (uint64_t)chy_now(&chy_system_clock);
    printf("CHANCERY_SEED=%llu\n", (unsigned long long)s);
    return s;
}

static void test_cut_when_issuing_then_all_that_was_acknowledged_is_there(void **state)
{
    (void)state;
    run_cuts("1", false, 0, CUTS * 2 / 5, seed());
}

static void test_cut_when_the_log_is_copied_then_all_that_was_acknowledged_is_there(void **state)
{
    (void)state;
    run_cuts("1", true, 1, CUTS * 2 / 5, seed());
}

static void test_cut_when_officers_decide_then_all_that_was_acknowledged_is_there(void **state)
{
    (void)state;
    run_cuts("257", false, 2, CUTS / 5, seed());
}

/* Each load of a module costs a descriptor for the life of the process, so many cuts take many
 * processes. */
static int run_slow(void)
{
    for (int done = 0; done < CUTS_SLOW; done += CUTS) {
        int status = 0;
        pid_t child = fork();
        if (child < 0) return 1;
        if (child == 0) {
            unsetenv("CHANCERY_SLOW");
            execl("/proc/self/exe", "test_power_cut", (char *)NULL);
            _exit(1);
        }
        if (waitpid(child, &status, 0) != child || status != 0) return 1;
    }
    printf("%d cuts\n", CUTS_SLOW);
    return 0;
}

int main(void)
{
    if (getenv("CHANCERY_SLOW")) return run_slow();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_when_issuing_then_all_that_was_acknowledged_is_there),
        cmocka_unit_test(test_cut_when_the_log_is_copied_then_all_that_was_acknowledged_is_there),
        cmocka_unit_test(test_cut_when_officers_decide_then_all_that_was_acknowledged_is_there),
    };
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
