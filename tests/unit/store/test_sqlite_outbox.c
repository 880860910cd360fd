/* What of the outbox is due, and at which price. */
#include "rows.h"
#include "store/sqlite_internal.h"

/* Events 1, 2, … of these requests, all of one module. */
static void owe(struct fixture *f, const int32_t *request, size_t n)
{
    const struct chy_owed owed = {"mail", 1};
    for (size_t i = 0; i < n; i++) {
        const struct chy_outbox_entry e = {.request_id = request[i]};
        struct chy_write w = {
            .kind = CHY_WRITE_OUTBOX_ADD, .entry = &e, .owed = &owed, .n_owed = 1, .when = 5};
        assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_S_OK);
    }
}

static void put_aside(struct fixture *f, int64_t seq, chy_time next_try)
{
    const struct chy_outbox_entry e = {.seq = seq,
                                       .attempts = 1,
                                       .next_try = next_try,
                                       .first_failed = 1,
                                       .failed_when = CHY_TIME_DEFAULT};
    struct chy_write w = {.kind = CHY_WRITE_OUTBOX_ASIDE, .entry = &e};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_S_OK);
}

static void expect_due(struct fixture *f, chy_time due, chy_time beyond, const char *expected)
{
    const struct chy_outbox_query q = {
        .kind = CHY_OUTBOX_DUE, .module = "mail", .due = due, .beyond = beyond};
    struct chy_outbox_entry entry[8];
    struct chy_arena a;
    char got[64] = "";
    size_t n = CHY_ARRAY_LEN(entry);
    chy_arena_init(&a, 1 << 16);
    assert_int_equal(f->store->ops->outbox(f->store, &q, &a, entry, &n, NULL), CHY_S_OK);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(got);
        snprintf(got + used, sizeof(got) - used, "%d ", (int)entry[i].seq);
    }
    chy_arena_free(&a);
    assert_string_equal(got, expected);
}

static void test_due(void **state)
{
    struct fixture *f = *state;
    struct chy_outbox_counts c;
    const int32_t request[] = {1, 1, 2, 0, 0, 3};
    owe(f, request, CHY_ARRAY_LEN(request));
    put_aside(f, 1, 100);
    put_aside(f, 2, 10); /* behind the first */
    put_aside(f, 3, 50);
    put_aside(f, 4, 40);
    put_aside(f, 5, 30);
    put_aside(f, 6, 9000);
    expect_due(f, 20, 0, "");
    expect_due(f, 60, 0, "5 4 3 "); /* those of no request wait for nothing */
    expect_due(f, 200, 0, "5 4 3 1 ");
    expect_due(f, 60, 8999, "5 4 3 6 ");
    expect_due(f, 60, 9000, "5 4 3 ");
    assert_int_equal(f->store->ops->outbox_counts(f->store, "mail", false, &c, NULL), CHY_S_OK);
    assert_true(c.aside == 6 && c.next_try == 10 && c.last_try == 9000);
}

static void expect_plan(struct chy_conn *c, enum chy_sql which, const char *expected)
{
    char sql[2048];
    char plan[512] = {0};
    sqlite3_stmt *st = NULL;
    snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", chy_sql_text[which]);
    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(c->db));
    while (sqlite3_step(st) == SQLITE_ROW) {
        size_t n = strlen(plan);
        snprintf(plan + n, sizeof(plan) - n, "%s;", sqlite3_column_text(st, 3));
    }
    sqlite3_finalize(st);
    assert_string_equal(plan, expected);
}

/* However much is set aside, and however much waits: what is asked before each event looks at those
 * of its request alone, and nothing is sorted. */
static void test_plans(void **state)
{
    struct fixture *f = *state;
    struct chy_sqlite *s = (struct chy_sqlite *)f->store;
    struct chy_conn *c = chy_reader_take(s, NULL);
    expect_plan(c, CHY_SQL_OUTBOX_SET_ASIDE,
                "SEARCH outbox USING INDEX outbox_behind (module=? AND request_id=? AND rowid>?);");
    expect_plan(c, CHY_SQL_OUTBOX_DUE,
                "SEARCH outbox USING INDEX outbox_aside"
                " (module=? AND failed_when=? AND next_try>?);"
                "CORRELATED SCALAR SUBQUERY 1;"
                "SEARCH b USING INDEX outbox_behind (module=? AND request_id=? AND rowid<?);");
    expect_plan(c, CHY_SQL_OUTBOX_COUNTS,
                "SEARCH outbox USING COVERING INDEX outbox_aside (module=?);");
    chy_reader_give(s, c, CHY_S_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plans, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
