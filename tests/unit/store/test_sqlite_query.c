/* Queries and views: what they find, in which order, and what they refuse. */
#include <sqlite3.h>

#include "rows.h"
#include "store/sqlite_internal.h"

struct found {
    int32_t id[64];
    int32_t disposition[64];
    size_t n, stop_at;
    bool has_blobs;
};

static bool take(const struct chy_row *row, void *arg)
{
    struct found *f = arg;
    f->id[f->n] = row->id;
    f->disposition[f->n++] = row->disposition;
    f->has_blobs = row->raw_request.n > 0;
    return f->n != f->stop_at;
}

/* 1-6 issued (5 revoked), 7 pending, 8 pending and worked on, 9 new and worked on. */
static int set_up_rows(void **state)
{
    if (set_up(state) != 0) return -1;
    struct fixture *f = *state;
    static const char *const cn[] = {"Alpha.example", "beta.example", "a_pha", "al%",
                                     "ALPHA.test",    "a\\b",         "seven", "eight"};
    for (int32_t id = 1; id <= 8; id++) {
        struct sample s;
        fill(&s, id, id < 7 ? CHY_DB_DISP_ISSUED : CHY_DB_DISP_PENDING);
        s.row.common_name = chy_span_cstr(cn[id - 1]);
        if (id == 5) {
            s.row.disposition = CHY_DB_DISP_REVOKED;
            s.row.revoked_when = s.row.revoked_effective_when = 1700000000000000;
            s.row.revoked_reason = 1;
        }
        put_ok(f, CHY_WRITE_FINAL, &s.row);
    }
    for (int32_t id = 8; id <= 9; id++) {
        struct sample s;
        fill(&s, id, CHY_DB_DISP_ISSUED);
        s.row.raw_certificate = (struct chy_span){0};
        put_ok(f, CHY_WRITE_INTENT, &s.row);
    }
    return 0;
}

static void expect(struct fixture *f, const struct chy_query *q, const char *ids)
{
    struct found found = {.n = 0};
    struct chy_err err = {0};
    char got[256] = {0};
    size_t used = 0;
    if (f->store->ops->query(f->store, q, take, &found, &err) != CHY_S_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < found.n; i++)
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%d ", found.id[i]);
    assert_string_equal(got, ids);
}

static void by_text(struct fixture *f, const char *column, enum chy_seek seek, const char *text,
                    const char *ids)
{
    const struct chy_filter filter = {
        .column = column, .seek = seek, .is_text = true, .text = chy_span_cstr(text)};
    expect(f, &(struct chy_query){.filter = &filter, .n_filter = 1}, ids);
}

static void by_number(struct fixture *f, const char *column, enum chy_seek seek, int64_t number,
                      const char *ids)
{
    const struct chy_filter filter = {.column = column, .seek = seek, .number = number};
    expect(f, &(struct chy_query){.filter = &filter, .n_filter = 1}, ids);
}

static void test_query_by_text(void **state)
{
    struct fixture *f = *state;
    by_text(f, "common_name", CHY_SEEK_EQ, "alpha.EXAMPLE", "1 ");
    by_text(f, "common_name", CHY_SEEK_PREFIX, "alpha", "1 5 ");
    by_text(f, "common_name", CHY_SEEK_PREFIX, "a_", "3 ");
    by_text(f, "common_name", CHY_SEEK_PREFIX, "al%", "4 ");
    by_text(f, "common_name", CHY_SEEK_PREFIX, "a\\", "6 ");
    by_text(f, "common_name", CHY_SEEK_PREFIX, "' OR 1=1 --", "");
    by_text(f, "common_name", CHY_SEEK_GE, "HOST", "7 8 9 ");
}

static void test_query_by_serial(void **state)
{
    struct fixture *f = *state;
    by_text(f, "serial", CHY_SEEK_EQ, "0100000000000003000000000000000000000000", "3 ");
    by_text(f, "serial", CHY_SEEK_EQ, "01", "");
    by_text(f, "serial", CHY_SEEK_PREFIX, "0100000000000002", "2 ");
    by_text(f, "serial", CHY_SEEK_EQ, "", "7 ");
}

static void test_query_by_number(void **state)
{
    struct fixture *f = *state;
    by_number(f, "disposition", CHY_SEEK_EQ, CHY_DB_DISP_PENDING, "7 ");
    by_number(f, "disposition", CHY_SEEK_EQ, CHY_DB_DISP_ACTIVE, "8 9 ");
    by_number(f, "disposition", CHY_SEEK_NE, CHY_DB_DISP_ISSUED, "5 7 8 9 ");
    by_number(f, "id", CHY_SEEK_LT, 3, "1 2 ");
    by_number(f, "id", CHY_SEEK_LE, 3, "1 2 3 ");
    by_number(f, "id", CHY_SEEK_GT, 7, "8 9 ");
    by_number(f, "not_after", CHY_SEEK_GE, 1710000000000006, "6 8 9 ");
    by_number(f, "revoked_when", CHY_SEEK_NE, CHY_TIME_DEFAULT, "5 ");
}

static void test_query_all_conditions_hold(void **state)
{
    struct fixture *f = *state;
    const struct chy_filter both[] = {
        {.column = "common_name",
         .seek = CHY_SEEK_PREFIX,
         .is_text = true,
         .text = CHY_SPAN_STR("a")},
        {.column = "disposition", .seek = CHY_SEEK_EQ, .number = CHY_DB_DISP_ISSUED}};
    expect(f, &(struct chy_query){.filter = both, .n_filter = 2}, "1 3 4 6 ");
}

static void test_query_order_and_pages(void **state)
{
    struct fixture *f = *state;
    expect(f, &(struct chy_query){.limit = 3}, "1 2 3 ");
    expect(f, &(struct chy_query){.limit = 3, .after_id = 3}, "4 5 6 ");
    expect(f, &(struct chy_query){.limit = 1, .descending = true}, "9 ");
    expect(f, &(struct chy_query){.limit = 2, .descending = true, .after_id = 8}, "7 6 ");
    expect(f, &(struct chy_query){.sort = "common_name", .limit = 4}, "6 3 4 1 ");
    expect(f, &(struct chy_query){.sort = "submitted_when", .descending = true, .limit = 2},
           "9 8 ");
}

static void test_query_stops_and_lends_blobs(void **state)
{
    struct fixture *f = *state;
    struct found found = {.stop_at = 2};
    struct chy_query q = {.limit = 5};
    assert_int_equal(f->store->ops->query(f->store, &q, take, &found, NULL), CHY_S_OK);
    assert_int_equal(found.n, 2);
    assert_false(found.has_blobs);
    q.with_blobs = true;
    found.n = 0;
    assert_int_equal(f->store->ops->query(f->store, &q, take, &found, NULL), CHY_S_OK);
    assert_true(found.has_blobs);
}

static void test_query_every_named_column(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    for (; chy_query_columns[n]; n++) {
        struct found found = {.stop_at = 1};
        struct chy_query q = {.sort = chy_query_columns[n], .limit = 1};
        assert_int_equal(f->store->ops->query(f->store, &q, take, &found, NULL), CHY_S_OK);
    }
    for (size_t i = 0; i < CHY_ROW_COLUMNS; i++)
        n -= chy_row_columns[i].kind != CHY_COLUMN_BLOB;
    assert_int_equal(n, 0);
}

static void refuse(struct fixture *f, const struct chy_query *q, const char *part)
{
    struct found found = {.n = 0};
    struct chy_err err = {0};
    assert_int_equal(f->store->ops->query(f->store, q, take, &found, &err), CHY_E_INVALIDARG);
    assert_int_equal(found.n, 0);
    if (!strstr(err.text, part)) fail_msg("'%s' is not in '%s'", part, err.text);
}

static void refuse_filter(struct fixture *f, struct chy_filter filter, const char *part)
{
    refuse(f, &(struct chy_query){.filter = &filter, .n_filter = 1}, part);
}

static void count(struct fixture *f, struct chy_query q, int64_t expected)
{
    int64_t n = -1;
    struct chy_err err = {0};
    if (f->store->ops->count(f->store, &q, &n, &err) != CHY_S_OK) fail_msg("%s", err.text);
    assert_int_equal(n, expected);
}

static void test_count_takes_conditions_only(void **state)
{
    struct fixture *f = *state;
    const struct chy_filter issued = {
        .column = "disposition", .seek = CHY_SEEK_EQ, .number = CHY_DB_DISP_ISSUED};
    const struct chy_filter pending = {
        .column = "disposition", .seek = CHY_SEEK_EQ, .number = CHY_DB_DISP_PENDING};
    const struct chy_filter revoked = {
        .column = "revoked_when", .seek = CHY_SEEK_NE, .number = CHY_TIME_DEFAULT};
    const struct chy_filter named = {.column = "common_name",
                                     .seek = CHY_SEEK_PREFIX,
                                     .is_text = true,
                                     .text = CHY_SPAN_STR("a")};
    const struct chy_filter bad = {.column = "no", .seek = CHY_SEEK_EQ};
    int64_t n = 0;
    count(f, (struct chy_query){.limit = 1}, 9);
    count(f, (struct chy_query){.after_id = 5, .sort = "subject"}, 9);
    count(f, (struct chy_query){.filter = &issued, .n_filter = 1}, 5);
    count(f, (struct chy_query){.filter = &pending, .n_filter = 1}, 1);
    count(f, (struct chy_query){.filter = &revoked, .n_filter = 1}, 1);
    count(f, (struct chy_query){.filter = &named, .n_filter = 1}, 5);
    const struct chy_query q = {.filter = &bad, .n_filter = 1};
    assert_int_equal(f->store->ops->count(f->store, &q, &n, NULL), CHY_E_INVALIDARG);
}

static void test_query_refuses_columns_that_are_none(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "id; DROP TABLE request", "id--", "1",          "",     "tbs", "rowid",
        "raw_certificate",        "ID",   "(SELECT 1)", "id,id"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        refuse_filter(f, (struct chy_filter){.column = bad[i], .seek = CHY_SEEK_EQ}, "no column");
        refuse(f, &(struct chy_query){.sort = bad[i]}, "no column");
    }
    refuse_filter(f, (struct chy_filter){.column = NULL, .seek = CHY_SEEK_EQ}, "no column ''");
    expect(f, &(struct chy_query){.limit = 1}, "1 ");
}

static void test_query_refuses_what_makes_no_sense(void **state)
{
    struct fixture *f = *state;
    static struct chy_filter many[33];
    refuse_filter(f, (struct chy_filter){.column = "id", .seek = CHY_SEEK_EQ, .is_text = true},
                  "holds numbers, not text");
    refuse_filter(f, (struct chy_filter){.column = "subject", .seek = CHY_SEEK_EQ},
                  "holds text, not a number");
    refuse_filter(f, (struct chy_filter){.column = "id", .seek = CHY_SEEK_PREFIX},
                  "has no comparison 64");
    refuse_filter(f, (struct chy_filter){.column = "id", .seek = (enum chy_seek)3},
                  "has no comparison 3");
    refuse_filter(
        f,
        (struct chy_filter){
            .column = "serial", .seek = CHY_SEEK_EQ, .is_text = true, .text = CHY_SPAN_STR("xyz")},
        "hexadecimal");
    refuse_filter(f,
                  (struct chy_filter){.column = "subject",
                                      .seek = CHY_SEEK_EQ,
                                      .is_text = true,
                                      .text = chy_span_of(f, 1 << 20)},
                  "too long");
    refuse(f, &(struct chy_query){.filter = many, .n_filter = 33}, "at most 32");
    refuse(f, &(struct chy_query){.sort = "subject", .after_id = 1}, "needs the order by id");
}

static void test_get_by_serial_compares_octets(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_arena a;
    struct chy_err err = {0};
    chy_arena_init(&a, 1 << 20);
    fill(&s, 4, CHY_DB_DISP_ISSUED);
    const struct chy_store_ops *ops = f->store->ops;
    assert_int_equal(ops->get_by_serial(f->store, CHY_SPAN(s.serial), &a, &row, &err), CHY_S_OK);
    assert_int_equal(row.id, 4);
    assert_int_equal(ops->get_by_serial(f->store, chy_span_of(s.serial, 19), &a, &row, &err),
                     CHY_CERTSRV_E_PROPERTY_EMPTY);
    fill(&s, 9, CHY_DB_DISP_ISSUED);
    assert_int_equal(ops->get_by_serial(f->store, CHY_SPAN(s.serial), &a, &row, NULL),
                     CHY_CERTSRV_E_PROPERTY_EMPTY);
    chy_err_clear(&err);
    assert_int_equal(ops->get(f->store, 77, &a, &row, &err), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_string_equal(err.text, "request 77: there is no such request");
    chy_arena_free(&a);
}

static void expect_text(struct chy_conn *c, const char *sql, const char *expected)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(c->db));
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) fail_msg("%s", sqlite3_errmsg(c->db));
    if (expected)
        assert_string_equal((const char *)sqlite3_column_text(st, 0), expected);
    else
        assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(st);
}

static void test_views_answer(void **state)
{
    struct fixture *f = *state;
    struct chy_sqlite *s = (struct chy_sqlite *)f->store;
    struct sample row;
    struct chy_buf packed;
    chy_buf_init(&packed, 1000);
    chy_pack_add(&packed, 1, CHY_SPAN_STR("2.5.29.19"), CHY_SPAN_STR("\x30\x01"));
    fill(&row, 20, CHY_DB_DISP_ISSUED);
    row.row.attributes = row.row.extensions = chy_buf_span(&packed);
    put_ok(f, CHY_WRITE_FINAL, &row.row);
    fill(&row, 21, CHY_DB_DISP_ISSUED);
    row.row.attributes = CHY_SPAN_STR("not a packed list at all");
    put_ok(f, CHY_WRITE_FINAL, &row.row);
    struct chy_conn *c = chy_reader_take(s, NULL);
    expect_text(c,
                "SELECT SerialNumber||' '||NotBefore||' '||CommonName||' '||\"Request.Disposition\""
                " FROM Requests WHERE \"Request.RequestID\"=1",
                "0100000000000001000000000000000000000000 2023-11-14T22:13:20Z Alpha.example 20");
    expect_text(c, "SELECT \"Request.CommonName\" FROM Requests WHERE \"Request.Disposition\"=9",
                "seven");
    expect_text(c, "SELECT AttributeName FROM RequestAttributes WHERE AttributeRequestId=20",
                "2.5.29.19");
    expect_text(c,
                "SELECT ExtensionName||ExtensionFlags||hex(ExtensionRawValue)"
                " FROM CertificateExtensions",
                "2.5.29.1913001");
    expect_text(c, "SELECT 1 FROM RequestAttributes WHERE AttributeRequestId=21", NULL);
    assert_int_not_equal(sqlite3_exec(c->db, "SELECT * FROM chy_unpack", NULL, NULL, NULL),
                         SQLITE_OK);
    chy_reader_give(s, c, CHY_S_OK);
    chy_buf_free(&packed);
}

static void expect_plan(struct chy_conn *c, const char *sql, const char *part)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(c->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const char *plan = (const char *)sqlite3_column_text(st, 3);
    if (!strstr(plan, part)) fail_msg("'%s' is not in '%s'", part, plan);
    sqlite3_finalize(st);
}

static void test_partial_indices_serve(void **state)
{
    struct fixture *f = *state;
    struct chy_sqlite *s = (struct chy_sqlite *)f->store;
    struct chy_conn *c = chy_reader_take(s, NULL);
    expect_plan(c, "EXPLAIN QUERY PLAN SELECT * FROM request WHERE serial=?", "request_serial");
    expect_plan(c, "EXPLAIN QUERY PLAN SELECT * FROM request WHERE disposition=9",
                "request_pending");
    expect_plan(c, "EXPLAIN QUERY PLAN SELECT * FROM request WHERE not_after<?",
                "request_not_after");
    expect_plan(c, "EXPLAIN QUERY PLAN SELECT count(*) FROM request WHERE revoked_when IS NOT NULL",
                "COVERING INDEX request_revoked");
    chy_reader_give(s, c, CHY_S_OK);
}

static void test_readers_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct chy_sqlite *s = (struct chy_sqlite *)f->store;
    struct chy_conn *c = chy_reader_take(s, NULL);
    assert_int_equal(sqlite3_exec(c->db, "DELETE FROM request", NULL, NULL, NULL), SQLITE_READONLY);
    chy_reader_give(s, c, CHY_S_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up_rows, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_query_by_text),
        T(test_query_by_serial),
        T(test_query_by_number),
        T(test_query_all_conditions_hold),
        T(test_query_order_and_pages),
        T(test_query_stops_and_lends_blobs),
        T(test_query_every_named_column),
        T(test_count_takes_conditions_only),
        T(test_query_refuses_columns_that_are_none),
        T(test_query_refuses_what_makes_no_sense),
        T(test_get_by_serial_compares_octets),
        T(test_views_answer),
        T(test_partial_indices_serve),
        T(test_readers_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
