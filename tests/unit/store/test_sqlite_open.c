/* Opening: a new file, an old one, a foreign one, a newer one, one that is open already. */
#include <sqlite3.h>
#include <sys/wait.h>

#include "rows.h"
#include "store/sqlite_internal.h"

static void run_sql(const struct fixture *f, const char *sql)
{
    char path[96];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int set_up_closed(void **state)
{
    if (set_up(state) != 0) return -1;
    struct fixture *f = *state;
    chy_store_close(f->store);
    f->store = NULL;
    return 0;
}

static void test_open_when_empty_then_migrated_and_kept(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_arena a;
    struct chy_err err = {0};
    fill(&s, 1, CHY_DB_DISP_ISSUED);
    s.row.revoked_reason = 4;
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    reopen_store(f);
    chy_arena_init(&a, 1 << 20);
    assert_int_equal(f->store->ops->get(f->store, 1, &a, &row, &err), CHY_S_OK);
    assert_int_equal(row.disposition, CHY_DB_DISP_ISSUED);
    assert_true(chy_span_eq(row.serial, s.row.serial));
    assert_true(chy_span_eq(row.raw_certificate, s.row.raw_certificate));
    assert_true(chy_span_eq(row.raw_request, s.row.raw_request));
    assert_true(chy_span_eq(row.common_name, s.row.common_name));
    assert_true(row.not_after == s.row.not_after && row.resolved_when == CHY_TIME_DEFAULT);
    assert_int_equal(row.revoked_reason, 4);
    assert_int_equal(row.attributes.n, 0);
    chy_arena_free(&a);
}

static void expect_refusal(const struct fixture *f, chy_hresult code, const char *part)
{
    struct chy_store *second = NULL;
    struct chy_err err = {0};
    assert_int_equal(chy_store_open_sqlite(f->dir, 1024, &second, &err), code);
    assert_null(second);
    if (!strstr(err.text, part)) fail_msg("'%s' is not in '%s'", part, err.text);
}

static void test_open_when_open_then_pid_is_named(void **state)
{
    struct fixture *f = *state;
    char expected[200];
    snprintf(expected, sizeof(expected),
             "the database %s/ca.db is open in another chanceryd (pid %ld): stop it, or choose"
             " another --dir",
             f->dir, (long)getpid());
    expect_refusal(f, CHY_ERROR_BUSY, expected);
    pid_t child = fork();
    if (child == 0) {
        struct chy_store *second = NULL;
        struct chy_err err = {0};
        chy_hresult hr = chy_store_open_sqlite(f->dir, 1024, &second, &err);
        _exit(hr == CHY_ERROR_BUSY && strcmp(err.text, expected) == 0 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_open_when_newer_then_refused(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "PRAGMA user_version=77");
    expect_refusal(f, CHY_ERROR_NOT_SUPPORTED,
                   "has version 77, this chanceryd knows versions up to");
}

static void test_open_when_foreign_then_refused(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "PRAGMA application_id=5");
    expect_refusal(f, CHY_ERROR_INVALID_DATA, "was made by another program");
}

/* The tables of version 1, as it was. */
#define OLD_ROW                                                                                    \
    "id INTEGER PRIMARY KEY,disposition INTEGER NOT NULL,status INTEGER NOT NULL,"                 \
    "submitted_when INTEGER,resolved_when INTEGER,request_type INTEGER NOT NULL,"                  \
    "request_flags INTEGER NOT NULL,not_before INTEGER,not_after INTEGER,"                         \
    "issuer_index INTEGER NOT NULL,revoked_when INTEGER,revoked_effective_when INTEGER,"           \
    "revoked_reason INTEGER NOT NULL,serial BLOB,message TEXT,requester_name TEXT,"                \
    "caller_name TEXT,template_name TEXT,request_subject TEXT,subject TEXT,common_name TEXT,"      \
    "request_attributes TEXT,attributes BLOB,extensions BLOB,properties BLOB,"                     \
    "raw_certificate BLOB,raw_request BLOB"
static const char old_tables[] =
    "CREATE TABLE request(" OLD_ROW ") STRICT;"
    "CREATE UNIQUE INDEX request_serial ON request(serial) WHERE serial IS NOT NULL;"
    "CREATE INDEX request_pending ON request(disposition) WHERE disposition=9;"
    "CREATE INDEX request_not_after ON request(not_after) WHERE not_after IS NOT NULL;"
    "CREATE INDEX request_revoked ON request(serial,revoked_effective_when,revoked_reason,"
    "revoked_when,disposition,not_after) WHERE revoked_when IS NOT NULL;"
    "CREATE TABLE intent(" OLD_ROW ",tbs BLOB NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX intent_serial ON intent(serial) WHERE serial IS NOT NULL;"
    "CREATE TABLE outbox(seq INTEGER PRIMARY KEY,request_id INTEGER NOT NULL,"
    "event INTEGER NOT NULL,module TEXT NOT NULL) STRICT;"
    "CREATE TABLE config(rank INTEGER PRIMARY KEY,path TEXT NOT NULL UNIQUE,value TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE config_history(change INTEGER PRIMARY KEY,path TEXT NOT NULL,old_value TEXT,"
    "new_value TEXT,author TEXT,changed_when INTEGER) STRICT;"
    "CREATE TABLE meta(rank INTEGER PRIMARY KEY,path TEXT NOT NULL UNIQUE,value BLOB NOT NULL)"
    " STRICT;"
    "INSERT INTO request(id,disposition,status,request_type,request_flags,issuer_index,"
    "revoked_when,revoked_effective_when,revoked_reason,serial,raw_certificate)"
    " VALUES(1,20,0,0,0,0,NULL,NULL,0,x'0101',x'3001'),(2,21,0,0,0,0,5,6,1,x'0102',x'3002');"
    "INSERT INTO intent(id,disposition,status,request_type,request_flags,issuer_index,"
    "revoked_reason,serial,tbs) VALUES(3,8,0,0,0,0,0,x'0103',x'30');"
    "PRAGMA application_id=1130914681; PRAGMA user_version=1";

/* In place of the store's own file. */
static void make_old(const struct fixture *f, bool with_views)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(unlink(path), 0);
    run_sql(f, old_tables);
    if (!with_views) return;
    for (const char *const *sql = chy_sql_views; *sql; sql++)
        run_sql(f, *sql);
    run_sql(f, "CREATE VIEW Requests AS SELECT id AS \"Request.RequestID\" FROM request");
    run_sql(f, "PRAGMA user_version=2");
}

static bool count_revoked(const struct chy_revoked *r, void *arg)
{
    assert_int_equal(r->request_id, 2);
    assert_int_equal(r->reason, 1);
    assert_true(r->revoked_when == 5 && r->effective_when == 6);
    assert_true(r->invalidity_when == CHY_TIME_DEFAULT && r->crl_flags == 0);
    ++*(int *)arg;
    return true;
}

static bool count_evidence(const struct chy_evidence_row *e, void *arg)
{
    assert_int_equal(e->request_id, 9);
    assert_true(chy_span_eq(e->packed, CHY_SPAN_STR("why")));
    ++*(int *)arg;
    return true;
}

static void check_migrated(struct fixture *f)
{
    struct chy_row row;
    struct chy_arena a;
    const struct chy_crl_scope all = {.shard = -1};
    const struct chy_row old = {.id = 1, .serial = CHY_SPAN_STR("\x01\x01")};
    struct chy_revocation r = revocation_of(&old, 4, 77);
    int n = 0;
    chy_arena_init(&a, 1 << 20);
    open_store(f);
    const struct chy_store_ops *ops = f->store->ops;
    assert_int_equal(ops->revoked(f->store, &all, count_revoked, &n, NULL), CHY_S_OK);
    assert_int_equal(n, 1);
    for (int32_t id = 1; id <= 3; id++) {
        assert_int_equal(ops->get(f->store, id, &a, &row, NULL), CHY_S_OK);
        assert_int_equal(row.shard, 0);
        assert_int_equal(row.crl_flags, 0);
        assert_true(row.invalidity_when == CHY_TIME_DEFAULT);
    }
    chy_arena_free(&a);
    struct sample pending;
    fill(&pending, 9, CHY_DB_DISP_PENDING);
    struct chy_write w = {
        .kind = CHY_WRITE_FINAL, .row = &pending.row, .evidence = CHY_SPAN_STR("why")};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_S_OK);
    int records = 0;
    assert_int_equal(ops->evidence(f->store, 9, count_evidence, &records, NULL), CHY_S_OK);
    assert_int_equal(ops->evidence(f->store, 1, count_evidence, &records, NULL), CHY_S_OK);
    assert_int_equal(records, 1);
    change_ok(f, &r);
    chy_store_close(f->store);
    f->store = NULL;
    run_sql(f, "SELECT \"Request.CRLPartitionIndex\",PublishExpiredCertInCRL FROM Requests;"
               "SELECT CRLPartitionIndex FROM CRLs;"
               "CREATE INDEX intent_serial ON intent(id); DROP INDEX intent_serial");
}

static void test_open_when_old_then_migrated(void **state)
{
    struct fixture *f = *state;
    make_old(f, false);
    check_migrated(f);
    make_old(f, true);
    check_migrated(f);
}

static void test_open_when_garbage_then_refused(void **state)
{
    struct fixture *f = *state;
    char path[96];
    char junk[4096];
    memset(junk, 'x', sizeof(junk));
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(junk, 1, sizeof(junk), file), sizeof(junk));
    fclose(file);
    expect_refusal(f, CHY_ERROR_INVALID_DATA, path);
}

static void test_open_when_no_folder_then_refused(void **state)
{
    struct fixture f = {.dir = "/tmp/chy-store-is-not-there"};
    (void)state;
    expect_refusal(&f, CHY_ERROR_FILE_NOT_FOUND, "/tmp/chy-store-is-not-there/ca.lock");
}

/* Missing, or without a table: and no file is made of it. */
static void test_open_again_when_lost_then_refused(void **state)
{
    struct fixture *f = *state;
    struct chy_store *store = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(chy_store_open_sqlite_again(f->dir, 1024, &store, NULL), CHY_S_OK);
    chy_store_close(store);
    store = NULL;
    for (int empty = 0; empty < 2; empty++) {
        struct chy_err err = {0};
        assert_int_equal(unlink(path), 0);
        if (empty) run_sql(f, "PRAGMA user_version=0");
        for (int told = 0; told < 2; told++)
            assert_int_equal(chy_store_open_sqlite_again(f->dir, 1024, &store, told ? &err : NULL),
                             CHY_ERROR_FILE_NOT_FOUND);
        assert_null(store);
        assert_non_null(strstr(err.text, "it is lost or empty"));
        assert_int_equal(access(path, F_OK), empty ? 0 : -1);
        open_store(f);
        chy_store_close(f->store);
        f->store = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_when_empty_then_migrated_and_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_open_when_open_then_pid_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_when_newer_then_refused, set_up_closed,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_open_when_foreign_then_refused, set_up_closed,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_open_when_old_then_migrated, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_open_when_garbage_then_refused, set_up_closed,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_open_again_when_lost_then_refused, set_up_closed,
                                        tear_down),
        cmocka_unit_test(test_open_when_no_folder_then_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
