/* The power goes at every write of a load of revocations and CRL records, and also while the log is
 * copied into the database: what was acknowledged is there, and all that speaks of a
 * certificate says the same. */
#include "cut_vfs.h"
#include "unit/store/rows.h"

#include <sqlite3.h>

enum { ROWS = 12, LOG_PAGES = 4000 };

struct load {
    struct fixture f;
    struct cut_disk *disk;
    char db[96], log[96];
    int32_t first; /* the rows of the load are first to first + ROWS - 1 */
    bool revoked[ROWS], released[ROWS], listed[ROWS];
    unsigned long at; /* where the power went */
    unsigned long acknowledged;
};

#define LOAD_FAIL(l, ...) load_fail(l, __VA_ARGS__)
static void load_fail(const struct load *l, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
static void load_fail(const struct load *l, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    fail_msg("cut at write %lu: %s", l->at, text);
    abort();
}

static bool send(struct load *l, struct chy_write *w)
{
    struct chy_err err = {0};
    bool ok = chy_store_write_wait(l->f.store, w, &err) == CHY_S_OK;
    if (!ok && !cut_disk_is_off(l->disk)) LOAD_FAIL(l, "failed with power on: %s", err.text);
    l->acknowledged += ok;
    return ok;
}

/* Held, released if odd, and a CRL recorded after each. */
static void run_load(struct load *l)
{
    for (int i = 0; i < ROWS; i++) {
        struct sample s;
        const struct chy_owed event = {"exit", CHY_EXITEVENT_CERTREVOKED};
        fill(&s, l->first + i, CHY_DB_DISP_ISSUED);
        struct chy_revocation r = revocation_of(&s.row, CHY_CRL_REASON_CERTIFICATE_HOLD, 1000);
        const struct chy_crl_record crl = {
            .number = (uint64_t)i + 1, .next_update = INT64_MAX, .seq = i};
        struct chy_write w = {
            .kind = CHY_WRITE_REVOKE, .revocation = &r, .owed = &event, .n_owed = 1};
        if (!(l->revoked[i] = send(l, &w))) break;
        r.was_disposition = CHY_DB_DISP_REVOKED;
        r.was_reason = CHY_CRL_REASON_CERTIFICATE_HOLD;
        r.reason = -1;
        r.disposition = CHY_DB_DISP_ISSUED;
        if (i % 2 && !(l->released[i] = send(l, &w))) break;
        w = (struct chy_write){.kind = CHY_WRITE_CRL, .crl = &crl, .when = 1000};
        if (!(l->listed[i] = send(l, &w))) break;
    }
}

/* ---- the audit ---- */

struct told {
    int changes, reason;
    bool on_crl;
    int32_t id;
};

static bool take_change(const struct chy_revocation *r, void *arg)
{
    struct told *t = arg;
    t->changes++;
    t->reason = r->reason;
    return true;
}

static bool take_revoked(const struct chy_revoked *r, void *arg)
{
    struct told *t = arg;
    t->on_crl = t->on_crl || (r->request_id == t->id && r->disposition == CHY_DB_DISP_REVOKED);
    return true;
}

static bool take_crl(const struct chy_crl_record *r, void *arg)
{
    bool *listed = arg;
    if (r->number >= 1 && r->number <= ROWS) listed[r->number - 1] = true;
    return true;
}

static void audit_row(struct load *l, int i)
{
    struct sample s;
    struct chy_standing now;
    struct told t = {.id = l->first + i};
    const struct chy_crl_scope all = {.shard = -1};
    struct chy_store *store = l->f.store;
    fill(&s, t.id, CHY_DB_DISP_ISSUED);
    if (chy_store_standing(store, s.row.serial, &now, NULL) != CHY_S_OK ||
        store->ops->history(store, t.id, take_change, &t, NULL) != CHY_S_OK ||
        store->ops->revoked(store, &all, take_revoked, &t, NULL) != CHY_S_OK)
        LOAD_FAIL(l, "request %d cannot be read", t.id);
    if (t.changes < l->revoked[i] + l->released[i])
        LOAD_FAIL(l, "request %d: an acknowledged change is lost", t.id);
    bool is_held = t.changes == 1;
    if (t.changes > 2 || (t.changes && t.reason != (is_held ? 6 : -1)))
        LOAD_FAIL(l, "request %d: %d changes, the last with reason %d", t.id, t.changes, t.reason);
    if (now.disposition != (is_held ? CHY_DB_DISP_REVOKED : CHY_DB_DISP_ISSUED) ||
        now.reason != (t.changes ? t.reason : 0) || t.on_crl != is_held)
        LOAD_FAIL(l, "request %d: the row and the history disagree", t.id);
}

static void audit_events(struct load *l)
{
    struct chy_outbox_entry entry[4 * ROWS];
    const struct chy_outbox_query all = {.kind = CHY_OUTBOX_ALL};
    struct chy_arena a;
    size_t n = CHY_ARRAY_LEN(entry);
    int64_t changes = 0;
    chy_arena_init(&a, 1 << 16);
    if (l->f.store->ops->outbox(l->f.store, &all, &a, entry, &n, NULL) != CHY_S_OK ||
        l->f.store->ops->last_seq(l->f.store, &changes, NULL) != CHY_S_OK)
        LOAD_FAIL(l, "what is owed cannot be read");
    if (n != (size_t)changes) LOAD_FAIL(l, "%d changes, %zu events", (int)changes, n);
    chy_arena_free(&a);
}

static void check_integrity(struct load *l)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(l->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(st, 0);
    if (strcmp(text, "ok") != 0) LOAD_FAIL(l, "%s", text);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void audit(struct load *l)
{
    bool listed[ROWS] = {false};
    open_store(&l->f);
    for (int i = 0; i < ROWS; i++)
        audit_row(l, i);
    audit_events(l);
    if (l->f.store->ops->crls(l->f.store, take_crl, listed, NULL) != CHY_S_OK)
        LOAD_FAIL(l, "the records of CRLs cannot be read");
    for (int i = 0; i < ROWS; i++) {
        if (l->listed[i] && !listed[i]) LOAD_FAIL(l, "the record of CRL %d is lost", i + 1);
    }
    chy_store_close(l->f.store);
    check_integrity(l);
}

/* ---- the disk before the cut ---- */

static void small_pages(struct load *l)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(l->db, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA page_size=512; PRAGMA journal_mode=WAL; VACUUM", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void put_issued(struct load *l, int32_t id)
{
    struct sample s;
    fill(&s, id, CHY_DB_DISP_ISSUED);
    put_ok(&l->f, CHY_WRITE_FINAL, &s.row);
}

static void load_make(struct load *l, bool full_log)
{
    memset(l, 0, sizeof(*l));
    l->disk = cut_disk_new();
    snprintf(l->f.dir, sizeof(l->f.dir), "/tmp/chy-store-XXXXXX");
    assert_non_null(mkdtemp(l->f.dir));
    snprintf(l->db, sizeof(l->db), "%s/ca.db", l->f.dir);
    snprintf(l->log, sizeof(l->log), "%s/ca.db-wal", l->f.dir);
    if (full_log) small_pages(l);
    open_store(&l->f);
    for (l->first = 1; l->first <= ROWS; l->first++)
        put_issued(l, l->first);
    while (full_log && cut_disk_size(l->disk, l->log) < (LOG_PAGES - 60) * (512 + 24))
        put_issued(l, l->first++);
    l->first -= ROWS;
    if (full_log) cut_disk_power_off(l->disk);
    chy_store_close(l->f.store);
    cut_disk_power_on(l->disk, 1);
    cut_disk_save(l->disk);
}

/* False when the load was over before the n-th write. */
static bool one_cut(struct load *l)
{
    cut_disk_restore(l->disk);
    memset(l->revoked, 0, sizeof(l->revoked));
    memset(l->released, 0, sizeof(l->released));
    memset(l->listed, 0, sizeof(l->listed));
    open_store(&l->f);
    cut_disk_arm(l->disk, l->at);
    run_load(l);
    bool struck = cut_disk_is_off(l->disk);
    cut_disk_power_off(l->disk);
    chy_store_close(l->f.store);
    cut_disk_power_on(l->disk, l->at);
    audit(l);
    return struck;
}

/* Copying the log takes thousands of writes: of those every n-th, unless there is time. */
static void every_cut(bool full_log)
{
    unsigned long stride = full_log && !getenv("CHANCERY_SLOW") ? 23 : 1;
    unsigned long cuts = 0;
    struct load l;
    load_make(&l, full_log);
    l.at = 1;
    while (one_cut(&l)) {
        cuts++;
        l.at += stride;
    }
    printf("%lu cuts, %lu records acknowledged\n", cuts, l.acknowledged);
    assert_true(cuts > 50);
    cut_disk_free(l.disk);
    chy_dir_remove(l.f.dir);
}

static void test_cut_when_revoking_then_all_that_was_acknowledged_is_there(void **state)
{
    (void)state;
    every_cut(false);
}

static void test_cut_when_the_log_is_copied_then_all_that_was_acknowledged_is_there(void **state)
{
    (void)state;
    every_cut(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_when_revoking_then_all_that_was_acknowledged_is_there),
        cmocka_unit_test(test_cut_when_the_log_is_copied_then_all_that_was_acknowledged_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
