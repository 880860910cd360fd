/* Every kind of call fails at every n-th time, once or until it is mended, under the store: an
 * error and never a false success, nothing acknowledged is lost, reading goes on, and it heals by
 * itself. Afterwards the power goes as well, for a write that failed may look as if it were there.
 */
#include "cut_vfs.h"
#include "unit/store/rows.h"

#include <sqlite3.h>

enum { ROUNDS = 4, SENT = 16, LOG_PAGES = 4000 };

struct sent {
    int32_t id;
    bool intent, final, crossed; /* acknowledged */
    bool may_be_revoked, revoked, listed;
    bool stays_owed; /* nobody tried to cross its event off */
    int64_t seq;
};

struct bench {
    struct fixture f;
    struct cut_disk *disk;
    char db[96], log[96];
    int32_t base; /* the picture holds the requests 1 to base */
    struct cut_fault fault;
    bool lifted; /* it had to go before the store could open at all */
    struct sent sent[SENT];
    size_t n_sent;
    int32_t last_id;
    bool unread; /* nobody reads, so that with the writer's connection the log's index goes */
    unsigned long runs, failures;
};

#define BENCH_FAIL(b, ...) bench_fail(b, __VA_ARGS__)
static void bench_fail(const struct bench *b, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
static void bench_fail(const struct bench *b, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    fail_msg("calls %u, code %d, at %lu%s%s, base %d: %s", b->fault.calls, b->fault.code,
             b->fault.at, b->fault.for_good ? " for good" : "", b->fault.half ? " half" : "",
             b->base, text);
    abort();
}

static bool spares_readers(const struct bench *b)
{
    return !(b->fault.calls & (CUT_READ | CUT_SHM | CUT_OPEN));
}

/* An error is allowed only once the fault struck, and says something. */
static bool passed(struct bench *b, chy_hresult hr, const struct chy_err *err, const char *what)
{
    if (hr >= CHY_S_OK) return true;
    if (!cut_disk_hits(b->disk)) BENCH_FAIL(b, "%s failed without a fault: %s", what, err->text);
    if (!err->text[0] || !strstr(err->text, "ca.db")) BENCH_FAIL(b, "%s: says nothing", what);
    b->failures++;
    return false;
}

/* ---- reading ---- */

static bool read_row(struct bench *b, int32_t id, struct chy_arena *a, struct chy_row *row,
                     bool must, bool by_serial)
{
    struct sample s;
    struct chy_err err = {0};
    fill(&s, id, CHY_DB_DISP_ISSUED);
    chy_hresult hr = by_serial
                         ? b->f.store->ops->get_by_serial(b->f.store, s.row.serial, a, row, &err)
                         : b->f.store->ops->get(b->f.store, id, a, row, &err);
    if (hr == CHY_S_OK) return true;
    if (must || hr == CHY_CERTSRV_E_PROPERTY_EMPTY)
        BENCH_FAIL(b, "request %d cannot be read: %s", id, err.text);
    return passed(b, hr, &err, "reading a row") && false;
}

static bool is_standing(const struct chy_row *row, const struct sent *s)
{
    if (row->disposition == CHY_DB_DISP_REVOKED) return s && s->may_be_revoked;
    return row->disposition == CHY_DB_DISP_ISSUED && !(s && s->revoked);
}

/* s: NULL for a row of the picture. */
static void check_row(struct bench *b, int32_t id, const struct sent *as, bool must, bool by_serial)
{
    struct sample s;
    struct chy_row row;
    struct chy_arena a;
    fill(&s, id, CHY_DB_DISP_ISSUED);
    chy_arena_init(&a, 1 << 20);
    if (read_row(b, id, &a, &row, must, by_serial) &&
        (row.id != id || !is_standing(&row, as) || !chy_span_eq(row.serial, s.row.serial) ||
         !chy_span_eq(row.raw_request, s.row.raw_request) ||
         !chy_span_eq(row.raw_certificate, s.row.raw_certificate)))
        BENCH_FAIL(b, "request %d is not what was acknowledged", id);
    chy_arena_free(&a);
}

struct found {
    int32_t request_id;
    uint64_t number;
    int n;
};

static bool count_change(const struct chy_revocation *r, void *arg)
{
    struct found *f = arg;
    f->n += r->request_id == f->request_id && r->reason == CHY_CRL_REASON_KEY_COMPROMISE;
    return true;
}

static bool count_revoked(const struct chy_revoked *r, void *arg)
{
    struct found *f = arg;
    f->n += r->request_id == f->request_id && r->disposition == CHY_DB_DISP_REVOKED;
    return true;
}

static bool count_crl(const struct chy_crl_record *r, void *arg)
{
    struct found *f = arg;
    f->n += r->number == f->number;
    return true;
}

/* The row, the history, the way of CRLs and the way of OCSP say the same. */
static void check_standing(struct bench *b, const struct sent *s, bool must)
{
    struct chy_store *store = b->f.store;
    struct chy_err err = {0};
    const struct chy_crl_scope all = {.shard = -1};
    struct found f = {.request_id = s->id, .number = (uint64_t)s->id};
    struct sample sample;
    fill(&sample, s->id, CHY_DB_DISP_ISSUED);
    struct chy_look_up look[] = {{.serial = CHY_SPAN_STR("\1")}, {.serial = sample.row.serial}};
    bool ok = passed(b, store->ops->look_up(store, look, 2, &err), &err, "OCSP");
    if (ok && !look[1].found) BENCH_FAIL(b, "request %d is unknown to OCSP", s->id);
    if (ok && s->revoked && look[1].standing.disposition != CHY_DB_DISP_REVOKED)
        BENCH_FAIL(b, "request %d is good for OCSP", s->id);
    if (passed(b, store->ops->history(store, s->id, count_change, &f, &err), &err, "history")) {
        if (f.n > 1 || (s->revoked && f.n != 1)) BENCH_FAIL(b, "%d: %d changes", s->id, f.n);
        f.n = 0;
    } else {
        ok = false;
    }
    if (!passed(b, store->ops->revoked(store, &all, count_revoked, &f, &err), &err, "revoked"))
        ok = false;
    else if (s->revoked && f.n != 1)
        BENCH_FAIL(b, "request %d is not on a CRL", s->id);
    f.n = 0;
    if (!passed(b, store->ops->crls(store, count_crl, &f, &err), &err, "crls"))
        ok = false;
    else if (s->listed && f.n != 1)
        BENCH_FAIL(b, "the record of CRL %d is lost", s->id);
    if (must && !ok) BENCH_FAIL(b, "reading failed: %s", err.text);
}

static bool count_row(const struct chy_row *row, void *arg)
{
    (void)row;
    ++*(int *)arg;
    return true;
}

static bool count_intent(const struct chy_intent *intent, void *arg)
{
    (void)intent;
    ++*(int *)arg;
    return true;
}

static bool count_setting(const char *path, struct chy_span json, void *arg)
{
    (void)path;
    (void)json;
    ++*(int *)arg;
    return true;
}

static void check_lists(struct bench *b, bool must)
{
    struct chy_err err = {0};
    struct chy_store *s = b->f.store;
    struct chy_query q = {.limit = 2, .descending = true, .with_blobs = true};
    int rows = 0, intents = 0, settings = 0;
    bool ok = passed(b, s->ops->query(s, &q, count_row, &rows, &err), &err, "query");
    if (ok && rows != 2) BENCH_FAIL(b, "a query finds %d rows", rows);
    ok = passed(b, s->ops->intents(s, count_intent, &intents, &err), &err, "intents") && ok;
    bool has = passed(b, s->ops->config(s, count_setting, &settings, &err), &err, "config");
    if (has && settings != 1) BENCH_FAIL(b, "%d settings", settings);
    if (must && !(ok && has)) BENCH_FAIL(b, "reading failed: %s", err.text);
}

static bool is_owed(struct bench *b, int64_t seq, bool *out)
{
    struct chy_err err = {0};
    struct chy_arena a;
    struct chy_outbox_entry entry[SENT];
    const struct chy_outbox_query all = {.kind = CHY_OUTBOX_ALL};
    size_t n = SENT;
    chy_arena_init(&a, 1 << 16);
    chy_hresult hr = b->f.store->ops->outbox(b->f.store, &all, &a, entry, &n, &err);
    *out = false;
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++)
        *out = *out || entry[i].seq == seq;
    chy_arena_free(&a);
    return passed(b, hr, &err, "outbox");
}

/* Everything acknowledged; with must no reading may fail. */
static void check_reads(struct bench *b, bool must)
{
    if (b->unread) return;
    check_row(b, 1, NULL, must, true);
    check_row(b, b->base, NULL, must, false);
    for (size_t i = 0; i < b->n_sent; i++) {
        const struct sent *s = &b->sent[i];
        bool owed;
        if (!s->final) continue;
        check_row(b, s->id, s, must, false);
        check_standing(b, s, must);
        if (!is_owed(b, s->seq, &owed)) {
            if (must) BENCH_FAIL(b, "the outbox cannot be read");
        } else if (s->crossed && owed) {
            BENCH_FAIL(b, "event %d is owed again", (int)s->seq);
        } else if (s->stays_owed && !owed) {
            BENCH_FAIL(b, "event %d is not owed any more", (int)s->seq);
        }
    }
    check_lists(b, must);
}

/* ---- writing ---- */

static bool write_one(struct bench *b, struct chy_write *w, const char *what)
{
    struct chy_err err = {0};
    return passed(b, chy_store_write_wait(b->f.store, w, &err), &err, what);
}

/* Revoked, and a CRL that says so is recorded. */
static bool send_revocation(struct bench *b, struct sent *sent, const struct chy_row *row)
{
    const struct chy_revocation r = revocation_of(row, CHY_CRL_REASON_KEY_COMPROMISE, 1000);
    const struct chy_crl_record crl = {.number = (uint64_t)sent->id, .next_update = INT64_MAX};
    struct chy_write w = {.kind = CHY_WRITE_REVOKE, .revocation = &r};
    sent->may_be_revoked = true;
    if (!(sent->revoked = write_one(b, &w, "a revocation"))) return false;
    w = (struct chy_write){.kind = CHY_WRITE_CRL, .crl = &crl, .when = 1000};
    return sent->listed = write_one(b, &w, "a record of a CRL");
}

/* The engine's order: id, intent, final row with its event, crossing off; of every second one its
 * revocation instead. False: one failed. */
static bool send_request(struct bench *b)
{
    struct sample s;
    struct chy_err err = {0};
    struct chy_owed owed = {"exit", CHY_EXITEVENT_CERTISSUED};
    struct sent *sent = &b->sent[b->n_sent];
    int32_t id = 0;
    if (!passed(b, b->f.store->ops->reserve_ids(b->f.store, 1, &id, &err), &err, "reserving an id"))
        return false;
    if (id <= b->last_id) BENCH_FAIL(b, "id %d was given again", id);
    if (b->n_sent == SENT) BENCH_FAIL(b, "too many requests");
    b->n_sent++;
    *sent = (struct sent){.id = b->last_id = id};
    fill(&s, id, CHY_DB_DISP_ISSUED);
    struct chy_write w = {
        .kind = CHY_WRITE_INTENT, .row = &s.row, .tbs = CHY_SPAN_STR("to be signed")};
    if (!(sent->intent = write_one(b, &w, "an intent"))) return false;
    w = (struct chy_write){.kind = CHY_WRITE_FINAL, .row = &s.row, .owed = &owed, .n_owed = 1};
    if (!(sent->final = write_one(b, &w, "a final row"))) return false;
    sent->seq = w.outbox_seq;
    sent->stays_owed = b->n_sent % 2 == 0;
    if (sent->stays_owed) return send_revocation(b, sent, &s.row);
    struct chy_outbox_entry crossed = {.seq = sent->seq, .module = "exit"};
    w = (struct chy_write){
        .kind = CHY_WRITE_OUTBOX_DONE, .outbox_seq = sent->seq, .entry = &crossed};
    return sent->crossed = write_one(b, &w, "a crossing-off");
}

static bool probe(struct bench *b)
{
    struct chy_write w = {.kind = CHY_WRITE_PROBE};
    return write_one(b, &w, "a probe");
}

/* ---- the disk before the fault ---- */

static void set_setting(struct bench *b)
{
    struct chy_write w = {
        .kind = CHY_WRITE_CONFIG, .path = "A", .value = CHY_SPAN_STR("1"), .author = "test"};
    if (!write_one(b, &w, "a setting")) BENCH_FAIL(b, "no setting");
}

static void small_pages(struct bench *b)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA page_size=512; PRAGMA journal_mode=WAL; VACUUM", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void put_issued(struct bench *b)
{
    struct sample s;
    struct chy_err err = {0};
    if (b->f.store->ops->reserve_ids(b->f.store, 1, &b->base, &err) != CHY_S_OK)
        BENCH_FAIL(b, "%s", err.text);
    fill(&s, b->base, CHY_DB_DISP_ISSUED);
    put_ok(&b->f, CHY_WRITE_FINAL, &s.row);
}

/* A few requests, closed; or a log that the next request fills, so that it is copied into the
 * database. */
static void bench_make(struct bench *b, bool full_log)
{
    memset(b, 0, sizeof(*b));
    b->disk = cut_disk_new();
    snprintf(b->f.dir, sizeof(b->f.dir), "/tmp/chy-store-XXXXXX");
    assert_non_null(mkdtemp(b->f.dir));
    snprintf(b->db, sizeof(b->db), "%s/ca.db", b->f.dir);
    snprintf(b->log, sizeof(b->log), "%s/ca.db-wal", b->f.dir);
    if (full_log) small_pages(b);
    open_store(&b->f);
    set_setting(b);
    while (b->base < 3)
        put_issued(b);
    while (full_log && cut_disk_size(b->disk, b->log) < (LOG_PAGES - 60) * (512 + 24))
        put_issued(b);
    if (full_log) cut_disk_power_off(b->disk);
    chy_store_close(b->f.store);
    cut_disk_power_on(b->disk, 1);
    cut_disk_save(b->disk);
}

static void bench_end(struct bench *b)
{
    cut_disk_free(b->disk);
    chy_dir_remove(b->f.dir);
}

/* ---- one fault ---- */

static bool try_open(struct bench *b)
{
    struct chy_err err = {0};
    b->f.store = NULL;
    return passed(b, chy_store_open_sqlite(b->f.dir, 2048, &b->f.store, &err), &err, "opening");
}

static void open_despite(struct bench *b)
{
    if (try_open(b)) return;
    if (b->fault.for_good) {
        cut_disk_fault(b->disk, NULL);
        b->lifted = true;
    }
    if (!try_open(b)) BENCH_FAIL(b, "does not open after the fault");
}

static bool row_or_intent(struct bench *b, int32_t id)
{
    struct chy_row row;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    chy_hresult hr = b->f.store->ops->get(b->f.store, id, &a, &row, NULL);
    chy_arena_free(&a);
    return hr == CHY_S_OK;
}

static void check_integrity(struct bench *b)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(st, 0);
    if (strcmp(text, "ok") != 0) BENCH_FAIL(b, "%s", text);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* The power goes, too, and everything acknowledged is there. */
static void cut_and_audit(struct bench *b)
{
    bool unread = b->unread;
    b->unread = false;
    cut_disk_power_on(b->disk, b->runs);
    if (!try_open(b)) BENCH_FAIL(b, "does not open after the cut");
    for (size_t i = 0; i < b->n_sent; i++) {
        const struct sent *s = &b->sent[i];
        if (s->intent && !row_or_intent(b, s->id)) BENCH_FAIL(b, "intent %d is lost", s->id);
    }
    check_reads(b, true);
    if (!send_request(b)) BENCH_FAIL(b, "does not write after the cut");
    chy_store_close(b->f.store);
    check_integrity(b);
    b->unread = unread;
}

static void close_now(struct bench *b, bool cut)
{
    if (cut) cut_disk_power_off(b->disk);
    chy_store_close(b->f.store);
    b->f.store = NULL;
}

/* The fault is over, or still there: what must go, and what must not. */
static void check_healing(struct bench *b)
{
    bool writes_fail = (b->fault.calls & (CUT_WRITE | CUT_SYNC)) != 0;
    if (b->fault.for_good && !b->lifted) {
        if (writes_fail && probe(b)) BENCH_FAIL(b, "a probe went through a broken disk");
        check_reads(b, spares_readers(b));
        cut_disk_fault(b->disk, NULL);
    }
    check_reads(b, true);
    if (!probe(b) || !send_request(b) || !send_request(b)) BENCH_FAIL(b, "does not heal");
    check_reads(b, true);
}

/* A reader that met a failure is closed, and nobody opens another. */
static void drop_readers(struct bench *b)
{
    const struct cut_fault once = {.calls = CUT_READ, .at = 1, .code = SQLITE_IOERR_READ};
    cut_disk_fault(b->disk, &once);
    if (row_or_intent(b, 1)) BENCH_FAIL(b, "a row was read without the disk");
    cut_disk_fault(b->disk, &b->fault);
}

/* False when there is no n-th call any more. */
static bool one_fault(struct bench *b)
{
    cut_disk_restore(b->disk);
    b->n_sent = 0;
    b->last_id = b->base;
    b->runs++;
    b->lifted = false;
    cut_disk_fault(b->disk, &b->fault);
    open_despite(b);
    if (b->unread) drop_readers(b);
    for (int i = 0; i < ROUNDS; i++) {
        (void)send_request(b);
        check_reads(b, spares_readers(b));
    }
    if (cut_disk_hits(b->disk)) {
        check_healing(b);
        close_now(b, b->unread || (b->runs & 1));
    } else {
        close_now(b, false);
    }
    bool struck = cut_disk_hits(b->disk) > 0;
    cut_disk_fault(b->disk, NULL);
    cut_and_audit(b);
    return struck;
}

static void every_nth(struct bench *b, bool for_good, unsigned calls, int code, bool half)
{
    unsigned long step = getenv("CHANCERY_SLOW") ? 60 : 3;
    bool struck = true;
    for (unsigned long n = 1; struck; n += 1 + n / step) {
        b->fault = (struct cut_fault){
            .calls = calls, .at = n, .for_good = for_good, .half = half, .code = code};
        struck = one_fault(b);
    }
}

static void run(unsigned calls, int code, bool half)
{
    for (int full_log = 0; full_log < 2; full_log++) {
        struct bench b;
        bench_make(&b, full_log);
        every_nth(&b, false, calls, code, half);
        every_nth(&b, true, calls, code, half);
        printf("%lu faults, %lu calls of the store answered with an error\n", b.runs - 2,
               b.failures);
        bench_end(&b);
    }
}

/* What a failed sync should have written is in the page cache, and a later sync that succeeds says
 * nothing about it: the next commit must not be built on it. */
static void test_sync_fails_then_later_ones_prove_nothing(void **state)
{
    struct bench b;
    (void)state;
    bench_make(&b, false);
    b.unread = true;
    for (int i = 0; i < 12; i++)
        every_nth(&b, i & 1, CUT_SYNC, SQLITE_IOERR_FSYNC, false);
    printf("%lu faults, %lu calls of the store answered with an error\n", b.runs - 12, b.failures);
    bench_end(&b);
}

#define FAULT_TEST(name, calls, code, half)                                                        \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        run(calls, code, half);                                                                    \
    }

FAULT_TEST(test_disk_full, CUT_WRITE, SQLITE_FULL, false)
FAULT_TEST(test_disk_full_in_the_middle_of_a_write, CUT_WRITE, SQLITE_FULL, true)
FAULT_TEST(test_write_fails, CUT_WRITE, SQLITE_IOERR_WRITE, false)
FAULT_TEST(test_write_fails_in_its_middle, CUT_WRITE, SQLITE_IOERR_WRITE, true)
FAULT_TEST(test_sync_fails, CUT_SYNC, SQLITE_IOERR_FSYNC, false)
FAULT_TEST(test_truncate_fails, CUT_TRUNCATE, SQLITE_IOERR_TRUNCATE, false)
FAULT_TEST(test_delete_fails, CUT_DELETE, SQLITE_IOERR_DELETE, false)
FAULT_TEST(test_read_fails, CUT_READ, SQLITE_IOERR_READ, false)
FAULT_TEST(test_read_is_short, CUT_READ, SQLITE_IOERR_SHORT_READ, false)
FAULT_TEST(test_open_fails, CUT_OPEN, SQLITE_CANTOPEN, false)
FAULT_TEST(test_shared_memory_fails, CUT_SHM, SQLITE_IOERR_SHMMAP, false)
FAULT_TEST(test_everything_fails,
           CUT_OPEN | CUT_READ | CUT_WRITE | CUT_TRUNCATE | CUT_SYNC | CUT_DELETE | CUT_SHM,
           SQLITE_IOERR, false)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_disk_full_in_the_middle_of_a_write),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_write_fails_in_its_middle),
        cmocka_unit_test(test_sync_fails),
        cmocka_unit_test(test_sync_fails_then_later_ones_prove_nothing),
        cmocka_unit_test(test_truncate_fails),
        cmocka_unit_test(test_delete_fails),
        cmocka_unit_test(test_read_fails),
        cmocka_unit_test(test_read_is_short),
        cmocka_unit_test(test_open_fails),
        cmocka_unit_test(test_shared_memory_fails),
        cmocka_unit_test(test_everything_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
