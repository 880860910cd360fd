/* Memory ends at every allocation in turn while events are read back from the outbox and told, as
 * after a burst that the queue in memory could not hold: each reaches the module all the same, with
 * its own request, and is crossed off; nothing leaks (the sanitizer looks at the end).
 * CHANCERY_ALLOCATION=N takes only the N-th. */
#include <sqlite3.h>
#include <time.h>

#include "ca/ca_internal.h"
#include "starve.h"
#include "unit/ca/engine.h"

enum { EVENTS = 2, REST_MS = 20000, SLOW_MS = 400, TAGS = 40, TAG = 500 };

struct owed {
    int32_t id;
    char serial[64]; /* as the module writes it */
};

struct starved {
    struct engine e;
    char journal[128];
    struct owed owed[EVENTS];
    struct chy_request *held[CHY_CA_FREE_REQUESTS];
    size_t n_held;
    int64_t seq;
    unsigned long n, rounds, refused, read_again;
};

/* More than one block of an arena and than a buffer's first size. */
static void make_attributes(char *out, size_t cap)
{
    static char value[TAG + 1];
    size_t n = 0;
    memset(value, 'x', TAG);
    out[0] = 0;
    for (int i = 0; i < TAGS; i++)
        n += (size_t)snprintf(out + n, cap - n, "Tag%d:%s\n", i, value);
    assert_true(n < cap);
}

static void set(struct starved *s, const char *path, const char *json)
{
    struct chy_err err = {0};
    must(chy_ca_config_set(s->e.ca, &officer, path, json, &err), &err);
}

static void issue(struct starved *s, struct owed *o, const char *host, const char *attributes)
{
    struct answer a;
    submit_to(s->e.ca, host, attributes, &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    o->id = a.id;
    chy_hex_cstr(o->serial, CHY_SPAN(a.serial));
    answer_free(&a);
}

static bool at_rest(struct starved *s)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct chy_ca *ca = s->e.ca;
    for (int ms = 0; ms < REST_MS; ms++) {
        if (!atomic_load(&ca->exits[0].backlog) && !atomic_load(&ca->exits[0].behind) &&
            !atomic_load(&ca->trouble))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void starved_make(struct starved *s)
{
    static char attributes[TAGS * (TAG + 16)];
    char file[160];
    memset(s, 0, sizeof(*s));
    engine_make(&s->e, "1");
    engine_open(&s->e);
    snprintf(s->journal, sizeof(s->journal), "%s/journal", s->e.base);
    snprintf(file, sizeof(file), "\"%s\"", s->journal);
    set(s, "ExitModules/Active", "[\"example-exit\"]");
    set(s, "ExitModules/example-exit/File", file);
    engine_shut(&s->e);
    engine_open(&s->e);
    make_attributes(attributes, sizeof(attributes));
    issue(s, &s->owed[0], "www.example.test", attributes);
    issue(s, &s->owed[1], "mail.example.test", "");
    assert_true(at_rest(s));
    s->seq = 1000000; /* beyond those of the engine's own */
}

static void execute(struct starved *s, const char *sql, int64_t *result)
{
    char path[200];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", s->e.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), result ? SQLITE_ROW : SQLITE_DONE);
    if (result) *result = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void owe(struct starved *s)
{
    char sql[200];
    for (size_t i = 0; i < EVENTS; i++) {
        snprintf(sql, sizeof(sql),
                 "INSERT INTO outbox(seq,request_id,event,module)"
                 " VALUES(%lld,%d,%d,'example-exit')",
                 (long long)s->seq++, (int)s->owed[i].id, CHY_EXITEVENT_CERTISSUED);
        execute(s, sql, NULL);
    }
    atomic_fetch_add(&s->e.ca->exits[0].backlog, EVENTS);
    atomic_store(&s->e.ca->exits[0].behind, true);
}

/* The dispatcher is to find none in the free list. Ends with one that owes nothing. */
static struct chy_request *take_requests(struct starved *s)
{
    struct chy_ca *ca = s->e.ca;
    for (s->n_held = 0; ca->n_free; s->n_held++)
        s->held[s->n_held] = chy_request_new(ca);
    struct chy_request *r = chy_request_new(ca);
    assert_non_null(r);
    atomic_fetch_add(&r->refs, 1); /* the dispatcher's */
    return r;
}

static void give_back(struct starved *s, struct chy_request *last)
{
    chy_request_unref(last);
    while (s->n_held)
        chy_request_unref(s->held[--s->n_held]);
}

/* The event of a line of the journal, with its own serial number wherever memory let the module ask
 * for it; moves `line` behind it. */
static size_t told(const struct starved *s, char **line)
{
    char *end = strchr(*line, '\n'), *tab = strchr(*line, '\t');
    long id = strtol(*line, NULL, 10);
    size_t i = 0;
    while (i < EVENTS && s->owed[i].id != id)
        i++;
    if (!end || !tab || tab > end || i == EVENTS)
        fail_msg("allocation %lu: not a line of the journal: %s", s->n, *line);
    if (tab[1] != '\t' && strncmp(tab + 1, s->owed[i].serial, strlen(s->owed[i].serial)) != 0)
        fail_msg("allocation %lu: request %ld with a wrong serial: %s", s->n, id, *line);
    *line = end + 1;
    return i;
}

/* None is missing, also where the module itself failed: it was told again. */
static void check_journal(struct starved *s)
{
    static char text[4096];
    unsigned times[EVENTS] = {0};
    FILE *f = fopen(s->journal, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    for (char *line = text; *line;)
        times[told(s, &line)]++;
    for (size_t i = 0; i < EVENTS; i++)
        if (!times[i]) fail_msg("allocation %lu: an event is missing: \"%s\"", s->n, text);
}

/* False: there is no n-th allocation. */
static bool one_round(struct starved *s)
{
    int64_t left = 0, start = chy_monotonic(&chy_system_clock);
    (void)remove(s->journal);
    owe(s);
    struct chy_request *wake = take_requests(s);
    starve(s->n, 1);
    assert_true(chy_queue_push(&s->e.ca->exits[0].queue, &wake->exit_node));
    bool rests = at_rest(s);
    unsigned long refused = starve_end();
    if (!rests) fail_msg("allocation %lu: an event is still owed", s->n);
    s->rounds++;
    s->refused += refused;
    s->read_again += chy_monotonic(&chy_system_clock) - start > SLOW_MS * INT64_C(1000);
    give_back(s, wake);
    check_journal(s);
    execute(s, "SELECT count(*) FROM outbox WHERE module='example-exit'", &left);
    if (left) fail_msg("allocation %lu: %d events are not crossed off", s->n, (int)left);
    return refused > 0;
}

static void test_reading_back(void **state)
{
    static struct starved s;
    const char *only = getenv("CHANCERY_ALLOCATION");
    unsigned long step = getenv("CHANCERY_SLOW") ? 1 : 3;
    (void)state;
    starved_make(&s);
    if (only) {
        s.n = strtoul(only, NULL, 10);
        (void)one_round(&s);
    } else {
        for (s.n = 1; one_round(&s); s.n += step) {
        }
        assert_true(s.read_again > 3); /* a request could not be read, and was again */
    }
    print_message("%lu rounds, %lu allocations refused, read again %lu times\n", s.rounds,
                  s.refused, s.read_again);
    engine_end(&s.e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading_back)};
    return cmocka_run_group_tests_name("memory/outbox", tests, NULL, NULL);
}
