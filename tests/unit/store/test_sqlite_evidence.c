/* Evidence: one record per decision, there with what it explains or not at all. */
#include <sqlite3.h>

#include "rows.h"

struct seen {
    uint32_t n;
    char text[8][16];
    chy_time when[8];
};

static bool take(const struct chy_evidence_row *e, void *arg)
{
    struct seen *s = arg;
    assert_int_equal(e->number, s->n);
    assert_true(s->n < 8 && e->packed.n < sizeof(s->text[0]));
    memcpy(s->text[s->n], e->packed.p, e->packed.n);
    s->when[s->n++] = e->decided_when;
    return true;
}

static struct seen read_all(struct fixture *f, int32_t id)
{
    struct seen s = {.n = 0};
    assert_int_equal(f->store->ops->evidence(f->store, id, take, &s, NULL), CHY_S_OK);
    return s;
}

static chy_hresult write_with(struct fixture *f, enum chy_write_kind kind,
                              const struct chy_row *row, const char *evidence, chy_time when)
{
    struct chy_write w = {.kind = kind,
                          .row = row,
                          .tbs = CHY_SPAN_STR("tbs"),
                          .evidence = chy_span_cstr(evidence),
                          .when = when};
    return chy_store_write_wait(f->store, &w, NULL);
}

static void test_each_decision_adds_a_record(void **state)
{
    struct fixture *f = *state;
    struct sample s, next;
    fill(&s, 5, CHY_DB_DISP_PENDING);
    fill(&next, 6, CHY_DB_DISP_PENDING);
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &s.row, "pending", 10), CHY_S_OK);
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &next.row, "other", 11), CHY_S_OK);
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &s.row, "changed", 12), CHY_S_OK);
    fill(&s, 5, CHY_DB_DISP_ISSUED);
    assert_int_equal(write_with(f, CHY_WRITE_INTENT, &s.row, "issued", 13), CHY_S_OK);
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &s.row, NULL, 14), CHY_S_OK);
    reopen_store(f);
    struct seen five = read_all(f, 5), six = read_all(f, 6);
    assert_int_equal(five.n, 3);
    assert_string_equal(five.text[0], "pending");
    assert_string_equal(five.text[1], "changed");
    assert_string_equal(five.text[2], "issued");
    assert_true(five.when[0] == 10 && five.when[2] == 13);
    assert_int_equal(six.n, 1);
    assert_int_equal(read_all(f, 4).n, 0);
    assert_int_equal(read_all(f, INT32_MAX).n, 0);
}

static void test_what_is_refused_leaves_no_evidence(void **state)
{
    struct fixture *f = *state;
    struct sample s, other;
    fill(&s, 1, CHY_DB_DISP_ISSUED);
    fill(&other, 2, CHY_DB_DISP_ISSUED);
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &s.row, "one", 1), CHY_S_OK);
    other.row.serial = s.row.serial;
    assert_int_equal(write_with(f, CHY_WRITE_INTENT, &other.row, "two", 2),
                     CHY_ERROR_ALREADY_EXISTS);
    other.certificate[0] ^= 1;
    other.row.id = 1;
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &other.row, "three", 3),
                     CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(read_all(f, 1).n, 1);
    assert_int_equal(read_all(f, 2).n, 0);
}

static void test_a_reader_beside_the_writer(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_row row;
    struct chy_arena a;
    struct chy_err err = {0};
    struct fixture reader = *f;
    chy_arena_init(&a, 1 << 20);
    fill(&s, 7, CHY_DB_DISP_PENDING);
    assert_int_equal(chy_store_open_sqlite_to_read(f->dir, &reader.store, &err), CHY_S_OK);
    assert_int_equal(write_with(f, CHY_WRITE_FINAL, &s.row, "why", 3), CHY_S_OK);
    assert_int_equal(reader.store->ops->get(reader.store, 7, &a, &row, NULL), CHY_S_OK);
    assert_string_equal(read_all(&reader, 7).text[0], "why");
    assert_int_equal(write_with(&reader, CHY_WRITE_FINAL, &s.row, "again", 4),
                     CHY_ERROR_SERVICE_NOT_ACTIVE);
    chy_store_close(reader.store);
    assert_int_equal(read_all(f, 7).n, 1);
    chy_arena_free(&a);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void test_a_reader_takes_its_own_version_only(void **state)
{
    struct fixture *f = *state;
    struct chy_store *reader = NULL;
    struct chy_err err = {0};
    char path[96];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "PRAGMA user_version=4");
    assert_int_equal(chy_store_open_sqlite_to_read(f->dir, &reader, &err), CHY_ERROR_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, "has version 4, this program reads version"));
    run_sql(db, "PRAGMA application_id=1");
    chy_err_clear(&err);
    assert_int_equal(chy_store_open_sqlite_to_read(f->dir, &reader, &err), CHY_ERROR_INVALID_DATA);
    sqlite3_close(db);
    chy_err_clear(&err);
    assert_int_equal(chy_store_open_sqlite_to_read("/nowhere", &reader, &err), CHY_ERROR_IO_DEVICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_decision_adds_a_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused_leaves_no_evidence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reader_beside_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reader_takes_its_own_version_only, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
