/* What a commit adds to the log is written at once, is there for whoever reads it, and is lost as a
 * whole where writing it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "cut_vfs.h"
#include "store/sqlite_internal.h"

#define PATH "/gathered/ca.db"

enum { ROW = 3000 }; /* one to a page */

struct bench {
    struct cut_disk *disk;
    struct chy_conn writer, reader;
};

static void open_conn(struct chy_conn *c, enum chy_conn_use use)
{
    struct chy_err err = {0};
    if (chy_conn_open(c, PATH, use, 1024, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

static int run(struct chy_conn *c, const char *sql)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}

static void must(struct chy_conn *c, const char *sql)
{
    if (run(c, sql) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(c->db));
}

static int64_t number(struct chy_conn *c, const char *sql)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(c->db, sql, -1, &st, NULL), SQLITE_OK);
    if (sqlite3_step(st) != SQLITE_ROW) fail_msg("%s: %s", sql, sqlite3_errmsg(c->db));
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static int add(struct chy_conn *c, int from, int n)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE i(n) AS(SELECT %d UNION ALL SELECT n+1 FROM i WHERE n<%d)"
             " INSERT INTO t SELECT n,printf('%%0%dd',n) FROM i",
             from, from + n - 1, ROW);
    return run(c, sql);
}

/* The sum of the numbers in the rows' digits: each row is read to its end. */
#define SUM "SELECT coalesce(sum(CAST(substr(v,-8) AS INTEGER)),0) FROM t"

static int64_t sum_up_to(int64_t n)
{
    return n * (n + 1) / 2;
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    if (!b) return -1;
    b->disk = cut_disk_new();
    open_conn(&b->writer, CHY_CONN_MAKES);
    must(&b->writer, "CREATE TABLE t(n INTEGER PRIMARY KEY,v TEXT)");
    chy_log_gather(b->writer.db);
    assert_int_equal(sqlite3_wal_autocheckpoint(b->writer.db, 0), SQLITE_OK);
    open_conn(&b->reader, CHY_CONN_READS);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    chy_conn_close(&b->reader, false);
    chy_conn_close(&b->writer, false);
    cut_disk_free(b->disk);
    free(b);
    return 0;
}

static unsigned long calls_for(struct bench *b, int from, int n)
{
    unsigned long before = cut_disk_writes(b->disk);
    assert_int_equal(add(&b->writer, from, n), SQLITE_OK);
    assert_int_equal(number(&b->reader, SUM), sum_up_to(from + n - 1));
    return cut_disk_writes(b->disk) - before;
}

static void test_a_commit_is_a_write_and_a_sync(void **state)
{
    struct bench *b = *state;
    (void)calls_for(b, 1, 1); /* may be the first of the log */
    assert_int_equal(calls_for(b, 2, 1), 2);
    assert_int_equal(calls_for(b, 3, 20), 2);
    assert_int_equal(calls_for(b, 23, 100), 5); /* 31 frames at a time */
    must(&b->writer, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(number(&b->reader, SUM), sum_up_to(122));
    (void)calls_for(b, 123, 1);
    assert_int_equal(calls_for(b, 124, 20), 2);
}

/* A transaction that is larger than the cache has its frames written before its commit, reads them
 * back, and writes over them. */
static void test_what_is_not_committed_yet_is_read_back(void **state)
{
    struct bench *b = *state;
    must(&b->writer, "PRAGMA cache_size=10");
    must(&b->writer, "BEGIN");
    assert_int_equal(add(&b->writer, 1, 200), SQLITE_OK);
    assert_int_equal(number(&b->writer, SUM), sum_up_to(200));
    must(&b->writer, "SAVEPOINT s");
    must(&b->writer, "UPDATE t SET v=printf('%03000d',7)");
    assert_int_equal(number(&b->writer, SUM), 1400);
    must(&b->writer, "ROLLBACK TO s");
    assert_int_equal(number(&b->writer, SUM), sum_up_to(200));
    assert_int_equal(number(&b->reader, SUM), 0);
    must(&b->writer, "UPDATE t SET v=printf('%02000d',n)");
    must(&b->writer, "COMMIT");
    assert_int_equal(number(&b->reader, SUM), sum_up_to(200));
    assert_int_equal(number(&b->reader, "SELECT count(*) FROM pragma_integrity_check"
                                        " WHERE integrity_check='ok'"),
                     1);
    must(&b->writer, "BEGIN");
    assert_int_equal(add(&b->writer, 201, 200), SQLITE_OK);
    must(&b->writer, "ROLLBACK");
    assert_int_equal(add(&b->writer, 201, 50), SQLITE_OK);
    assert_int_equal(number(&b->reader, SUM), sum_up_to(250));
}

/* False: no write has that number. */
static bool fails_at(struct bench *b, unsigned long at, int from, int n)
{
    const struct cut_fault f = {.calls = CUT_WRITE,
                                .at = at,
                                .half = at % 2 == 0,
                                .code = from % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE};
    cut_disk_fault(b->disk, &f);
    int rc = add(&b->writer, from, n);
    bool struck = cut_disk_hits(b->disk) > 0;
    cut_disk_fault(b->disk, NULL);
    assert_int_equal(rc, struck ? f.code : SQLITE_OK);
    if (struck) assert_int_not_equal(add(&b->writer, from, 1), SQLITE_OK);
    return struck;
}

static void lose_power(struct bench *b, uint64_t seed)
{
    cut_disk_power_off(b->disk);
    chy_conn_close(&b->reader, true);
    chy_conn_close(&b->writer, true);
    cut_disk_power_on(b->disk, seed);
    open_conn(&b->writer, CHY_CONN_WRITES);
    chy_log_gather(b->writer.db);
    assert_int_equal(sqlite3_wal_autocheckpoint(b->writer.db, 0), SQLITE_OK);
    open_conn(&b->reader, CHY_CONN_READS);
}

/* Each call in turn, for commits of one write and of several: the commit fails, and so do all
 * others until the connection is opened anew; what was there stays. */
static void test_a_commit_that_cannot_be_written_is_none(void **state)
{
    struct bench *b = *state;
    static const int rows[] = {1, 20, 100};
    int have = 0;
    for (size_t r = 0; r < CHY_ARRAY_LEN(rows); r++) {
        bool struck = true;
        for (unsigned long at = 1; struck; at++) {
            struck = fails_at(b, at, have + 1, rows[r]);
            if (!struck) have += rows[r];
            assert_int_equal(number(&b->reader, SUM), sum_up_to(have));
            if (struck) lose_power(b, at + 1);
            assert_int_equal(add(&b->writer, ++have, 1), SQLITE_OK);
            lose_power(b, at);
            assert_int_equal(number(&b->reader, SUM), sum_up_to(have));
        }
    }
}

/* SQLite asks for the length of its log, and cuts it off, only after a sync. */
static void test_the_file_has_what_it_was_given(void **state)
{
    struct bench *b = *state;
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;
    char octets[4] = "";
    assert_int_equal(sqlite3_file_control(b->writer.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log),
                     SQLITE_OK);
    assert_int_equal(log->pMethods->xWrite(log, "abcd", 4, 1000000), SQLITE_OK);
    assert_int_equal(log->pMethods->xRead(log, octets, 4, 1000000), SQLITE_OK);
    assert_memory_equal(octets, "abcd", 4);
    assert_int_equal(log->pMethods->xWrite(log, "efgh", 4, 1000004), SQLITE_OK);
    assert_int_equal(log->pMethods->xFileSize(log, &size), SQLITE_OK);
    assert_int_equal(size, 1000008);
    assert_int_equal(log->pMethods->xWrite(log, "ijkl", 4, 1000008), SQLITE_OK);
    assert_int_equal(log->pMethods->xTruncate(log, 1000006), SQLITE_OK);
    assert_int_equal(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(log->pMethods->xFileSize(log, &size), SQLITE_OK);
    assert_int_equal(size, 1000006);
}

/* SQLite lets a transaction go on after some failures. */
static void test_what_was_given_up_is_not_read_or_committed(void **state)
{
    struct bench *b = *state;
    const struct cut_fault f = {.calls = CUT_WRITE, .at = 2, .for_good = true, .code = SQLITE_FULL};
    sqlite3_file *log = NULL;
    char octets[4];
    assert_int_equal(add(&b->writer, 1, 1), SQLITE_OK);
    assert_int_equal(sqlite3_file_control(b->writer.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log),
                     SQLITE_OK);
    assert_int_equal(log->pMethods->xWrite(log, "abcd", 4, 1000000), SQLITE_OK);
    cut_disk_fault(b->disk, &f);
    assert_int_equal(log->pMethods->xRead(log, octets, 4, 1000000), SQLITE_OK);
    assert_int_equal(log->pMethods->xWrite(log, "efgh", 4, 1000000), SQLITE_OK);
    assert_int_equal(log->pMethods->xRead(log, octets, 4, 1000000), SQLITE_FULL);
    cut_disk_fault(b->disk, NULL);
    assert_int_equal(log->pMethods->xRead(log, octets, 4, 1000000), SQLITE_FULL);
    assert_int_equal(log->pMethods->xWrite(log, "ijkl", 4, 1000000), SQLITE_FULL);
    assert_int_equal(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    assert_int_equal(number(&b->reader, SUM), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_commit_is_a_write_and_a_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_committed_yet_is_read_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_commit_that_cannot_be_written_is_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_given_up_is_not_read_or_committed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_file_has_what_it_was_given, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
