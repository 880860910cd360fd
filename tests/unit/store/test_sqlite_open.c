/* Opening: a new file, an old one, a foreign one, a newer one, one that is open already. */
#include <sqlite3.h>
#include <sys/wait.h>

#include "rows.h"

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

static void test_open_when_old_then_migrated(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "DROP VIEW Requests; DROP VIEW RequestAttributes; DROP VIEW CertificateExtensions;"
               "PRAGMA user_version=1");
    open_store(f);
    chy_store_close(f->store);
    f->store = NULL;
    run_sql(f, "SELECT * FROM Requests");
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
        cmocka_unit_test(test_open_when_no_folder_then_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
