/* Writing: what is atomic, what is refused, what shares a commit, and what heals. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "rows.h"

static chy_hresult get(struct fixture *f, int32_t id, struct chy_arena *a, struct chy_row *row)
{
    return f->store->ops->get(f->store, id, a, row, NULL);
}

static bool count_intent(const struct chy_intent *intent, void *arg)
{
    assert_true(chy_span_eq(intent->tbs, CHY_SPAN_STR("to be signed")));
    ++*(int *)arg;
    return true;
}

static int intents(struct fixture *f)
{
    int n = 0;
    assert_int_equal(f->store->ops->intents(f->store, count_intent, &n, NULL), CHY_S_OK);
    return n;
}

static size_t owed(struct fixture *f, struct chy_outbox_entry *entry, struct chy_arena *a)
{
    size_t n = 8;
    assert_int_equal(f->store->ops->outbox(f->store,
                                           &(struct chy_outbox_query){.kind = CHY_OUTBOX_ALL}, a,
                                           entry, &n, NULL),
                     CHY_S_OK);
    return n;
}

static void test_final_takes_intent_away_and_owes_events(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_outbox_entry entry[8];
    struct chy_arena a;
    const struct chy_owed events[] = {{"mail", 1}, {"log", 1}};
    chy_arena_init(&a, 1 << 20);
    fill(&s, 5, CHY_DB_DISP_ISSUED);
    put_ok(f, CHY_WRITE_INTENT, &s.row);
    assert_int_equal(intents(f), 1);
    assert_int_equal(get(f, 5, &a, &row), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_ACTIVE);
    struct chy_write w = {
        .kind = CHY_WRITE_FINAL, .row = &s.row, .owed = events, .n_owed = CHY_ARRAY_LEN(events)};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_S_OK);
    assert_int_equal(intents(f), 0);
    assert_int_equal(get(f, 5, &a, &row), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_ISSUED);
    assert_int_equal(owed(f, entry, &a), 2);
    assert_true(entry[0].seq == w.outbox_seq && entry[1].seq == w.outbox_seq + 1);
    assert_string_equal(entry[1].module, "log");
    assert_int_equal(entry[0].request_id, 5);
    struct chy_write done = {
        .kind = CHY_WRITE_OUTBOX_DONE, .outbox_seq = entry[0].seq, .entry = &entry[0]};
    assert_int_equal(chy_store_write_wait(f->store, &done, NULL), CHY_S_OK);
    assert_int_equal(owed(f, entry, &a), 1);
    assert_string_equal(entry[0].module, "log");
    chy_arena_free(&a);
}

/* The second module's name breaks NOT NULL: then neither the row nor the first event may be there.
 */
static void test_final_when_an_event_fails_then_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_outbox_entry entry[8];
    struct chy_arena a;
    const struct chy_owed events[] = {{"mail", 1}, {NULL, 1}};
    chy_arena_init(&a, 1 << 20);
    fill(&s, 5, CHY_DB_DISP_ISSUED);
    put_ok(f, CHY_WRITE_INTENT, &s.row);
    struct chy_write w = {.kind = CHY_WRITE_FINAL, .row = &s.row, .owed = events, .n_owed = 2};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(intents(f), 1);
    assert_int_equal(owed(f, entry, &a), 0);
    assert_int_equal(get(f, 5, &a, &row), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_ACTIVE);
    chy_arena_free(&a);
}

static void test_intent_when_serial_is_known_then_refused(void **state)
{
    struct fixture *f = *state;
    struct sample first, second;
    struct chy_err err = {0};
    fill(&first, 1, CHY_DB_DISP_ISSUED);
    fill(&second, 1, CHY_DB_DISP_ISSUED);
    second.row.id = 2;
    put_ok(f, CHY_WRITE_INTENT, &first.row);
    assert_int_equal(put(f, CHY_WRITE_INTENT, &second.row, &err), CHY_ERROR_ALREADY_EXISTS);
    put_ok(f, CHY_WRITE_FINAL, &first.row);
    chy_err_clear(&err);
    assert_int_equal(put(f, CHY_WRITE_INTENT, &second.row, &err), CHY_ERROR_ALREADY_EXISTS);
    assert_non_null(strstr(err.text, "request 2: its serial number is in use"));
    assert_int_equal(put(f, CHY_WRITE_INTENT, &first.row, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(intents(f), 0);
}

static void fill_ending(struct sample *s, int32_t id, char end)
{
    fill(s, id, CHY_DB_DISP_ISSUED);
    memset(s->serial + 8, end, sizeof(s->serial) - 8);
}

static void assert_twin_refused(struct fixture *f, const struct sample *s)
{
    struct chy_row twin = s->row;
    twin.id = 77;
    assert_int_equal(put(f, CHY_WRITE_INTENT, &twin, NULL), CHY_ERROR_ALREADY_EXISTS);
}

static void let_grow(bool may)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = may ? limit.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* As long as an intent lies in the file: whatever became of what was to end it. */
static void test_intent_when_another_has_its_serial_then_refused(void **state)
{
    struct fixture *f = *state;
    struct sample s, other;
    const struct chy_owed nobody = {NULL, 1};
    fill_ending(&s, 5, 'a');
    put_ok(f, CHY_WRITE_INTENT, &s.row);
    assert_twin_refused(f, &s);
    struct chy_write refused = {
        .kind = CHY_WRITE_FINAL, .row = &s.row, .owed = &nobody, .n_owed = 1};
    assert_int_equal(chy_store_write_wait(f->store, &refused, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_twin_refused(f, &s);
    assert_int_equal(intents(f), 1); /* and a reader keeps the log's index: see the full disk */
    let_grow(false);
    assert_int_not_equal(put(f, CHY_WRITE_FINAL, &s.row, NULL), CHY_S_OK);
    let_grow(true);
    assert_twin_refused(f, &s);
    reopen_store(f);
    assert_twin_refused(f, &s);
    fill_ending(&other, 6, 'a'); /* ends alike, and is another */
    put_ok(f, CHY_WRITE_INTENT, &other.row);
    fill_ending(&other, 4, 'b');
    put_ok(f, CHY_WRITE_INTENT, &other.row);
    assert_int_equal(intents(f), 3);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    assert_twin_refused(f, &s);
    assert_twin_refused(f, &other);
    assert_int_equal(intents(f), 2);
}

static void issue(struct fixture *f, struct sample *s, int32_t id, int32_t serial)
{
    fill(s, serial, CHY_DB_DISP_ISSUED);
    s->row.id = id;
    put_ok(f, CHY_WRITE_INTENT, &s->row);
    put_ok(f, CHY_WRITE_FINAL, &s->row);
}

static void assert_in_use(struct fixture *f, int32_t id, int32_t serial)
{
    struct sample s;
    fill(&s, serial, CHY_DB_DISP_ISSUED);
    s.row.id = id;
    assert_int_equal(put(f, CHY_WRITE_INTENT, &s.row, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(intents(f), 0);
}

/* What lies beyond all that is known is not looked for: nothing else may pass for that. */
static void test_intent_when_serial_or_id_is_known_in_whatever_order_then_refused(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    issue(f, &s, 1, 500);
    issue(f, &s, 2, 300);
    issue(f, &s, 9, 400);
    for (int round = 0; round < 2; round++) {
        for (int32_t serial = 300; serial <= 500; serial += 100) {
            assert_in_use(f, 5, serial);
            assert_in_use(f, 10, serial);
        }
        assert_in_use(f, 2, 600);
        assert_in_use(f, 9, 600);
        reopen_store(f);
    }
    issue(f, &s, 5, 350);
    issue(f, &s, 10, 600);
    assert_in_use(f, 11, 600);
}

/* An imported certificate may have any serial number that its CA liked. */
static void test_intent_when_a_serial_begins_another(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    uint8_t longer[40];
    fill(&s, 700, CHY_DB_DISP_ISSUED);
    memset(longer, 0, sizeof(longer));
    memcpy(longer, s.serial, sizeof(s.serial));
    s.row.id = 1;
    s.row.serial = CHY_SPAN(longer);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    s.row.serial.n = sizeof(s.serial);
    s.row.id = 2;
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    for (int round = 0; round < 2; round++) {
        assert_in_use(f, 3, 700);
        s.row.id = 3;
        s.row.serial = CHY_SPAN(longer);
        assert_int_equal(put(f, CHY_WRITE_INTENT, &s.row, NULL), CHY_ERROR_ALREADY_EXISTS);
        reopen_store(f);
    }
    longer[39] = 1;
    put_ok(f, CHY_WRITE_INTENT, &s.row);
}

static void test_pending_row_is_resubmitted(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    fill(&s, 7, CHY_DB_DISP_PENDING);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    assert_int_equal(get(f, 7, &a, &row), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_PENDING);
    fill(&s, 7, CHY_DB_DISP_ISSUED);
    put_ok(f, CHY_WRITE_INTENT, &s.row);
    assert_int_equal(get(f, 7, &a, &row), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_ACTIVE);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    assert_int_equal(get(f, 7, &a, &row), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_ISSUED);
    chy_arena_free(&a);
}

static void test_final_never_changes_a_certificate(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_arena a;
    struct chy_err err = {0};
    chy_arena_init(&a, 1 << 20);
    fill(&s, 3, CHY_DB_DISP_ISSUED);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    s.row.disposition = CHY_DB_DISP_REVOKED;
    s.row.revoked_when = s.row.revoked_effective_when = 1700000000000001;
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    s.certificate[17] ^= 1;
    assert_int_equal(put(f, CHY_WRITE_FINAL, &s.row, &err), CHY_ERROR_ALREADY_EXISTS);
    assert_non_null(strstr(err.text, "request 3: it has a certificate"));
    s.row.raw_certificate = (struct chy_span){0};
    assert_int_equal(put(f, CHY_WRITE_FINAL, &s.row, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(get(f, 3, &a, &row), CHY_S_OK);
    s.certificate[17] ^= 1;
    assert_int_equal(row.disposition, CHY_DB_DISP_REVOKED);
    assert_true(chy_span_eq(row.raw_certificate, CHY_SPAN(s.certificate)));
    chy_arena_free(&a);
}

struct crowd {
    atomic_int done, failed;
};

static void one_done(struct chy_write *w, void *arg)
{
    struct crowd *c = arg;
    if (w->result != CHY_S_OK) atomic_fetch_add(&c->failed, 1);
    atomic_fetch_add(&c->done, 1);
}

enum { THREADS = 4, EACH = 500 };

struct pusher {
    struct fixture *f;
    struct crowd *crowd;
    int32_t first;
    struct sample *sample;
    struct chy_write *write;
};

static void *push(void *arg)
{
    struct pusher *p = arg;
    for (int i = 0; i < EACH; i++) {
        fill(&p->sample[i], p->first + i, CHY_DB_DISP_ISSUED);
        p->write[i] = (struct chy_write){
            .kind = CHY_WRITE_FINAL, .row = &p->sample[i].row, .done = one_done, .arg = p->crowd};
        chy_store_write(p->f->store, &p->write[i]);
    }
    return NULL;
}

static void test_many_records_share_few_commits(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {0};
    struct pusher p[THREADS];
    pthread_t thread[THREADS];
    uint64_t commits_0, commits, records_0, records;
    f->store->ops->counters(f->store, &commits_0, &records_0);
    for (int i = 0; i < THREADS; i++) {
        p[i] = (struct pusher){.f = f, .crowd = &crowd, .first = 1 + i * EACH};
        p[i].sample = calloc(EACH, sizeof(*p[i].sample));
        p[i].write = calloc(EACH, sizeof(*p[i].write));
        assert_true(p[i].sample && p[i].write);
        assert_int_equal(pthread_create(&thread[i], NULL, push, &p[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    while (atomic_load(&crowd.done) < THREADS * EACH)
        usleep(1000);
    f->store->ops->counters(f->store, &commits, &records);
    assert_int_equal(atomic_load(&crowd.failed), 0);
    assert_int_equal(records - records_0, THREADS * EACH);
    assert_in_range(commits - commits_0, 1, THREADS * EACH / 4);
    assert_int_equal(f->store->ops->backlog(f->store), 0);
    for (int i = 0; i < THREADS; i++) {
        free(p[i].sample);
        free(p[i].write);
    }
}

static void test_refused_record_does_not_harm_its_neighbours(void **state)
{
    struct fixture *f = *state;
    enum { N = 40 };
    struct sample *s = calloc(N, sizeof(*s));
    struct chy_write *w = calloc(N, sizeof(*w));
    struct crowd crowd = {0};
    assert_true(s && w);
    for (int i = 0; i < N; i++) {
        fill(&s[i], i + 1, CHY_DB_DISP_ISSUED);
        if (i % 10 == 9) s[i].serial[7] = s[0].serial[7];
        w[i] = (struct chy_write){
            .kind = CHY_WRITE_FINAL, .row = &s[i].row, .done = one_done, .arg = &crowd};
    }
    for (int i = 0; i < N; i++)
        chy_store_write(f->store, &w[i]);
    while (atomic_load(&crowd.done) < N)
        usleep(1000);
    for (int i = 0; i < N; i++)
        assert_int_equal(w[i].result, i % 10 == 9 ? CHY_ERROR_ALREADY_EXISTS : CHY_S_OK);
    free(s);
    free(w);
}

static void test_twins_of_one_commit(void **state)
{
    struct fixture *f = *state;
    enum { N = 300 };
    struct sample *s = calloc(N, sizeof(*s));
    struct chy_write *w = calloc(N, sizeof(*w));
    struct crowd crowd = {0};
    int refused = 0;
    assert_true(s && w);
    for (int i = 0; i < N; i++) {
        fill_ending(&s[i], 1000 + i, (char)('a' + i % 26));
        if (i % 10 == 9) memcpy(s[i].serial, s[i - 1].serial, sizeof(s[i].serial));
        w[i] = (struct chy_write){.kind = CHY_WRITE_INTENT,
                                  .row = &s[i].row,
                                  .tbs = CHY_SPAN_STR("to be signed"),
                                  .done = one_done,
                                  .arg = &crowd};
    }
    for (int i = 0; i < N; i++)
        chy_store_write(f->store, &w[i]);
    while (atomic_load(&crowd.done) < N)
        usleep(1000);
    for (int i = 0; i < N; i++) {
        assert_int_equal(w[i].result, i % 10 == 9 ? CHY_ERROR_ALREADY_EXISTS : CHY_S_OK);
        refused += w[i].result != CHY_S_OK;
    }
    assert_int_equal(intents(f), N - refused);
    free(s);
    free(w);
}

static bool count_row(const struct chy_row *row, void *arg)
{
    (void)row;
    ++*(int *)arg;
    return true;
}

/* The file may not grow, as on a full disk: records fail, reading goes on, and with space all is
 * well. */
static void test_full_disk_heals(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_err err = {0};
    const struct chy_query all = {.limit = 100};
    int n = 0;
    fill(&s, 1, CHY_DB_DISP_ISSUED);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    /* As a daemon reads its settings: that connection keeps the log's index when the writer's is
     * closed. */
    assert_int_equal(f->store->ops->query(f->store, &all, count_row, &n, NULL), CHY_S_OK);
    n = 0;
    let_grow(false);
    fill(&s, 2, CHY_DB_DISP_ISSUED);
    chy_hresult first = put(f, CHY_WRITE_FINAL, &s.row, &err);
    struct chy_write probe = {.kind = CHY_WRITE_PROBE, .when = 1};
    chy_hresult second = chy_store_write_wait(f->store, &probe, NULL);
    chy_hresult read = f->store->ops->query(f->store, &all, count_row, &n, NULL);
    let_grow(true);
    assert_true(first == CHY_ERROR_IO_DEVICE || first == CHY_ERROR_DISK_FULL);
    assert_true(second == CHY_ERROR_IO_DEVICE || second == CHY_ERROR_DISK_FULL);
    assert_non_null(strstr(err.text, f->dir));
    assert_int_equal(read, CHY_S_OK);
    assert_int_equal(n, 1);
    probe.when = 2;
    chy_err_clear(&err);
    if (chy_store_write_wait(f->store, &probe, &err) != CHY_S_OK) fail_msg("%s", err.text);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
}

static chy_hresult set(struct fixture *f, enum chy_write_kind kind, const char *path, const char *v)
{
    struct chy_write w = {
        .kind = kind, .path = path, .value = chy_span_cstr(v), .author = "root", .when = 42};
    return chy_store_write_wait(f->store, &w, NULL);
}

static bool first_setting(const char *path, struct chy_span json, void *arg)
{
    snprintf(arg, 64, "%s=%.*s;", path, (int)json.n, (const char *)json.p);
    return true;
}

static void test_config_and_meta(void **state)
{
    struct fixture *f = *state;
    char seen[64] = {0};
    struct chy_buf value;
    chy_buf_init(&value, 100);
    assert_int_equal(set(f, CHY_WRITE_CONFIG, "ca/days", "90"), CHY_S_OK);
    assert_int_equal(set(f, CHY_WRITE_CONFIG, "ca/days", "\"x\""), CHY_S_OK);
    assert_int_equal(set(f, CHY_WRITE_CONFIG, "ca/gone", "1"), CHY_S_OK);
    assert_int_equal(set(f, CHY_WRITE_CONFIG, "ca/gone", NULL), CHY_S_OK);
    assert_int_equal(f->store->ops->config(f->store, first_setting, seen, NULL), CHY_S_OK);
    assert_string_equal(seen, "ca/days=\"x\";");
    assert_int_equal(f->store->ops->meta(f->store, "fact", &value, NULL), CHY_S_FALSE);
    assert_int_equal(set(f, CHY_WRITE_META, "fact", "7"), CHY_S_OK);
    assert_int_equal(f->store->ops->meta(f->store, "fact", &value, NULL), CHY_S_OK);
    assert_true(chy_span_eq(chy_buf_span(&value), CHY_SPAN_STR("7")));
    chy_buf_free(&value);
}

static void test_ids_rise_and_only_the_rest_comes_back(void **state)
{
    struct fixture *f = *state;
    const struct chy_store_ops *ops = f->store->ops;
    int32_t first = 0;
    assert_int_equal(ops->reserve_ids(f->store, 0, &first, NULL), CHY_E_INVALIDARG);
    assert_int_equal(ops->reserve_ids(f->store, INT32_MAX, &first, NULL), CHY_E_INVALIDARG);
    assert_int_equal(ops->reserve_ids(f->store, 100, &first, NULL), CHY_S_OK);
    assert_int_equal(first, 1);
    assert_int_equal(ops->reserve_ids(f->store, 100, &first, NULL), CHY_S_OK);
    assert_int_equal(first, 101);
    assert_int_equal(ops->release_ids(f->store, 50, NULL), CHY_S_FALSE);
    assert_int_equal(ops->release_ids(f->store, 111, NULL), CHY_S_OK);
    reopen_store(f);
    assert_int_equal(ops->reserve_ids(f->store, 10, &first, NULL), CHY_S_OK);
    assert_int_equal(first, 111);
}

static void test_ids_start_behind_the_rows(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    int32_t first = 0;
    fill(&s, 900, CHY_DB_DISP_ISSUED);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    reopen_store(f);
    assert_int_equal(f->store->ops->reserve_ids(f->store, 10, &first, NULL), CHY_S_OK);
    assert_int_equal(first, 901);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_final_takes_intent_away_and_owes_events),
        T(test_final_when_an_event_fails_then_nothing_is_kept),
        T(test_intent_when_serial_is_known_then_refused),
        T(test_intent_when_serial_or_id_is_known_in_whatever_order_then_refused),
        T(test_intent_when_a_serial_begins_another),
        T(test_intent_when_another_has_its_serial_then_refused),
        T(test_twins_of_one_commit),
        T(test_pending_row_is_resubmitted),
        T(test_final_never_changes_a_certificate),
        T(test_many_records_share_few_commits),
        T(test_refused_record_does_not_harm_its_neighbours),
        T(test_full_disk_heals),
        T(test_config_and_meta),
        T(test_ids_rise_and_only_the_rest_comes_back),
        T(test_ids_start_behind_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
