/* What CRLs and OCSP read: who is in a scope, what changed, what comes due, and at which price. */
#include "rows.h"
#include "store/sqlite_internal.h"

enum { RELEASED = -1, T0 = 1000 };

struct seen {
    char text[512];
    size_t n, stop_at;
};

static bool take(const struct chy_revoked *r, void *arg)
{
    struct seen *s = arg;
    size_t used = strlen(s->text);
    struct sample row;
    fill(&row, r->request_id, CHY_DB_DISP_ISSUED);
    assert_true(chy_span_eq(r->serial, row.row.serial));
    assert_true(r->not_after == row.row.not_after);
    snprintf(s->text + used, sizeof(s->text) - used, "%d:%d/%x/%d ", r->request_id, r->shard,
             (unsigned)r->issuer_index, r->reason);
    return ++s->n != s->stop_at;
}

static void expect(struct fixture *f, int32_t key_index, int32_t shard, const char *text)
{
    struct seen s = {.n = 0};
    struct chy_err err = {0};
    const struct chy_crl_scope scope = {key_index, shard};
    if (f->store->ops->revoked(f->store, &scope, take, &s, &err) != CHY_S_OK)
        fail_msg("%s", err.text);
    assert_string_equal(s.text, text);
}

static void expect_since(struct fixture *f, struct chy_crl_scope scope, int64_t after,
                         chy_time from, chy_time to, const char *text)
{
    struct seen s = {.n = 0};
    struct chy_err err = {0};
    if (f->store->ops->revoked_since(f->store, &scope, after, from, to, take, &s, &err) != CHY_S_OK)
        fail_msg("%s", err.text);
    assert_string_equal(s.text, text);
}

static void issue(struct fixture *f, struct sample *s, int32_t id, int32_t shard, int32_t issuer)
{
    fill(s, id, CHY_DB_DISP_ISSUED);
    s->row.shard = shard;
    s->row.issuer_index = issuer;
    put_ok(f, CHY_WRITE_FINAL, &s->row);
}

static void revoke_one(struct fixture *f, int32_t id, int32_t shard, int32_t issuer)
{
    struct sample s;
    issue(f, &s, id, shard, issuer);
    const struct chy_revocation r = revocation_of(&s.row, id % 5, T0 + id);
    change_ok(f, &r);
}

/* Key 1 signed 1 to 5 with two certificates, key 0 signed 6 and 7; 8 was never revoked. */
static void fill_scopes(struct fixture *f)
{
    struct sample s;
    revoke_one(f, 1, 0, 0x10000);
    revoke_one(f, 2, 0, 0x1ffff);
    revoke_one(f, 3, 7, 0x10000);
    revoke_one(f, 4, 2, 0x10003);
    revoke_one(f, 5, 0, 0x10000);
    revoke_one(f, 6, 0, 0);
    revoke_one(f, 7, 7, 5);
    issue(f, &s, 8, 0, 0x10000);
}

static void test_revoked_by_scope(void **state)
{
    struct fixture *f = *state;
    fill_scopes(f);
    expect(f, 1, -1, "1:0/10000/1 5:0/10000/0 2:0/1ffff/2 4:2/10003/4 3:7/10000/3 ");
    expect(f, 1, 0, "1:0/10000/1 5:0/10000/0 2:0/1ffff/2 ");
    expect(f, 1, 7, "3:7/10000/3 ");
    expect(f, 1, 1, "");
    expect(f, 0, -1, "6:0/0/1 7:7/5/2 ");
    expect(f, 2, -1, "");
    expect(f, 0x7fff, -1, "");
}

static void test_revoked_stops_when_told(void **state)
{
    struct fixture *f = *state;
    fill_scopes(f);
    const struct chy_crl_scope all = {1, -1};
    for (size_t n = 1; n <= 5; n++) {
        struct seen s = {.stop_at = n};
        assert_int_equal(f->store->ops->revoked(f->store, &all, take, &s, NULL), CHY_S_OK);
        assert_int_equal(s.n, n);
        s = (struct seen){.stop_at = n};
        assert_int_equal(f->store->ops->revoked_since(f->store, &all, 0, T0, T0, take, &s, NULL),
                         CHY_S_OK);
        assert_int_equal(s.n, n);
    }
}

static void test_scope_when_there_is_none_then_refused(void **state)
{
    struct fixture *f = *state;
    static const struct chy_crl_scope bad[] = {{-1, 0}, {0x8000, 0}, {0, -2}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        struct seen s = {.n = 0};
        struct chy_err err = {0};
        assert_int_equal(f->store->ops->revoked(f->store, &bad[i], take, &s, &err),
                         CHY_E_INVALIDARG);
        assert_non_null(strstr(err.text, "CRL: there is no key"));
        assert_int_equal(f->store->ops->revoked_since(f->store, &bad[i], 0, 0, 0, take, &s, NULL),
                         CHY_E_INVALIDARG);
    }
}

static void test_since_takes_changes_and_what_came_due(void **state)
{
    struct fixture *f = *state;
    const struct chy_crl_scope all = {1, -1};
    struct sample s;
    chy_time next = 0;
    int64_t seq = -1;
    fill_scopes(f);
    const struct chy_store_ops *ops = f->store->ops;
    assert_int_equal(ops->next_effective(f->store, 0, &next, NULL), CHY_S_OK);
    assert_true(next == CHY_TIME_DEFAULT);
    fill(&s, 8, CHY_DB_DISP_ISSUED);
    s.row.issuer_index = 0x10000;
    struct chy_revocation r = revocation_of(&s.row, 1, 2000);
    r.effective_when = 5000;
    change_ok(f, &r);
    assert_int_equal(ops->last_seq(f->store, &seq, NULL), CHY_S_OK);
    assert_int_equal(seq, 8);
    expect_since(f, all, 4, 0, 0, "5:0/10000/0 8:0/10000/1 ");
    expect_since(f, (struct chy_crl_scope){1, 2}, 0, 0, 0, "4:2/10003/4 ");
    expect_since(f, (struct chy_crl_scope){0, -1}, 0, 0, 0, "6:0/0/1 7:7/5/2 ");
    expect_since(f, all, 8, 0, 4999, "");
    expect_since(f, all, 8, 4999, 5000, "8:0/10000/1 ");
    expect_since(f, all, 8, 5000, 9000, "");
    expect_since(f, all, 7, 4999, 5000, "8:0/10000/1 ");
    expect_since(f, (struct chy_crl_scope){0, -1}, 8, 4999, 5000, "");
    assert_int_equal(ops->next_effective(f->store, 4999, &next, NULL), CHY_S_OK);
    assert_int_equal(next, 5000);
    assert_int_equal(ops->next_effective(f->store, 5000, &next, NULL), CHY_S_OK);
    assert_true(next == CHY_TIME_DEFAULT);
}

static void test_since_shows_each_once_as_it_stands(void **state)
{
    struct fixture *f = *state;
    struct sample s, marked;
    issue(f, &s, 1, 0, 0);
    struct chy_revocation r = revocation_of(&s.row, CHY_CRL_REASON_CERTIFICATE_HOLD, 100);
    change_ok(f, &r);
    r.reason = RELEASED;
    r.disposition = CHY_DB_DISP_ISSUED;
    r.was_disposition = CHY_DB_DISP_REVOKED;
    r.was_reason = CHY_CRL_REASON_CERTIFICATE_HOLD;
    change_ok(f, &r);
    issue(f, &marked, 2, 0, 0);
    r = revocation_of(&marked.row, -2, 100);
    r.disposition = CHY_DB_DISP_ISSUED;
    r.crl_flags = 1;
    change_ok(f, &r);
    expect_since(f, (struct chy_crl_scope){0, 0}, 0, 0, 0, "1:0/0/-1 ");
    expect(f, 0, 0, "1:0/0/-1 ");
}

static void test_standing(void **state)
{
    struct fixture *f = *state;
    struct chy_standing got = {.request_id = 0};
    struct chy_err err = {0};
    struct sample s, denied;
    issue(f, &s, 1, 0, 0x10000);
    assert_int_equal(chy_store_standing(f->store, s.row.serial, &got, &err), CHY_S_OK);
    assert_int_equal(got.request_id, 1);
    assert_int_equal(got.issuer_index, 0x10000);
    assert_int_equal(got.disposition, CHY_DB_DISP_ISSUED);
    assert_true(got.effective_when == CHY_TIME_DEFAULT && got.invalidity_when == CHY_TIME_DEFAULT);
    assert_true(got.not_before == s.row.not_before && got.not_after == s.row.not_after);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    r.effective_when = 90;
    r.invalidity_when = 80;
    change_ok(f, &r);
    assert_int_equal(chy_store_standing(f->store, s.row.serial, &got, &err), CHY_S_OK);
    assert_int_equal(got.disposition, CHY_DB_DISP_REVOKED);
    assert_true(got.reason == 1 && got.effective_when == 90 && got.invalidity_when == 80);
    fill(&denied, 2, CHY_DB_DISP_DENIED);
    put_ok(f, CHY_WRITE_FINAL, &denied.row);
    assert_int_equal(chy_store_standing(f->store, denied.row.serial, &got, &err), CHY_S_FALSE);
    assert_int_equal(chy_store_standing(f->store, CHY_SPAN_STR("\x01"), &got, &err), CHY_S_FALSE);
    assert_int_equal(chy_store_standing(f->store, (struct chy_span){NULL, 0}, &got, NULL),
                     CHY_S_FALSE);
    assert_int_equal(got.request_id, 1);
}

static void test_many_are_looked_up_at_once(void **state)
{
    struct fixture *f = *state;
    struct chy_err err = {0};
    struct sample s[3];
    for (int i = 0; i < 3; i++)
        issue(f, &s[i], i + 1, 0, 0x10000);
    struct chy_revocation r = revocation_of(&s[1].row, 2, 100);
    change_ok(f, &r);
    struct chy_look_up look[] = {
        {.serial = s[2].row.serial}, {.serial = CHY_SPAN_STR("\x01"), .found = true},
        {.serial = s[1].row.serial}, {.serial = {NULL, 0}, .found = true},
        {.serial = s[0].row.serial}, {.serial = s[2].row.serial}};
    static const int32_t id[] = {3, 0, 2, 0, 1, 3};
    const struct chy_store_ops *ops = f->store->ops;
    assert_int_equal(ops->look_up(f->store, look, 0, &err), CHY_S_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ops->look_up(f->store, look, CHY_ARRAY_LEN(look), &err), CHY_S_OK);
        for (size_t i = 0; i < CHY_ARRAY_LEN(look); i++) {
            assert_int_equal(look[i].found, id[i] != 0);
            if (!id[i]) continue;
            assert_int_equal(look[i].standing.request_id, id[i]);
            assert_int_equal(look[i].standing.disposition,
                             id[i] == 2 ? CHY_DB_DISP_REVOKED : CHY_DB_DISP_ISSUED);
        }
    }
}

/* ---- the price ---- */

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

/* No word of a temporary tree for sorting, and none of a scan. */
static void test_plans(void **state)
{
    struct fixture *f = *state;
    struct chy_sqlite *s = (struct chy_sqlite *)f->store;
    struct chy_conn *c = chy_reader_take(s, NULL);
    expect_plan(c, CHY_SQL_REVOKED,
                "SEARCH request USING COVERING INDEX request_revoked"
                " (standing>?);");
    expect_plan(c, CHY_SQL_PACK,
                "SEARCH request USING INDEX request_revoked (standing=? AND revoked_when>?);");
    expect_plan(c, CHY_SQL_STANDING, "SEARCH request USING INDEX request_serial (serial=?);");
    expect_plan(c, CHY_SQL_REVOKED_ONE, "SEARCH request USING INTEGER PRIMARY KEY (rowid=?);");
    expect_plan(c, CHY_SQL_CHANGED, "SEARCH revocation USING INTEGER PRIMARY KEY (rowid>?);");
    expect_plan(c, CHY_SQL_CAME_DUE,
                "SEARCH revocation USING INDEX revocation_ahead"
                " (effective_when>? AND effective_when<?);");
    expect_plan(c, CHY_SQL_NEXT_EFFECTIVE,
                "SEARCH revocation USING INDEX revocation_ahead (effective_when>?);");
    expect_plan(c, CHY_SQL_HISTORY,
                "SEARCH revocation USING INDEX revocation_request (request_id=?);");
    chy_reader_give(s, c, CHY_S_OK);
}

/* Rising ids and serials. */
struct long_walk {
    int32_t last;
    size_t n;
};

static bool walk(const struct chy_revoked *r, void *arg)
{
    struct long_walk *w = arg;
    assert_int_equal(r->request_id, w->last + 1);
    w->last = r->request_id;
    w->n++;
    return true;
}

static void run_sql(const struct fixture *f, const char *sql)
{
    char path[96];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(chy_standing_register(db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void make_many(struct fixture *f, int many)
{
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "WITH n(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM n WHERE id<%d)"
             " INSERT INTO request(id,disposition,status,request_type,request_flags,issuer_index,"
             "revoked_when,revoked_effective_when,revoked_reason,serial,raw_certificate,standing)"
             " SELECT id,21,0,0,0,0,5,5,1,CAST(printf('%%012d',id) AS BLOB),x'3000',"
             "chy_standing(0,0,CAST(printf('%%012d',id) AS BLOB),id,21,1,0,5,5,NULL,NULL) FROM n",
             many);
    run_sql(f, sql);
}

static void test_pieces_make_the_whole(void **state)
{
    struct fixture *f = *state;
    const struct chy_crl_scope scope = {0, -1};
    static const int many[] = {16383, 16384, 16385, 40000};
    for (size_t i = 0; i < CHY_ARRAY_LEN(many); i++) {
        struct long_walk w = {.n = 0};
        make_many(f, many[i]);
        assert_int_equal(f->store->ops->revoked(f->store, &scope, walk, &w, NULL), CHY_S_OK);
        assert_int_equal(w.n, many[i]);
        run_sql(f, "DELETE FROM request");
    }
}

static void test_standing_when_it_is_none_then_refused(void **state)
{
    struct fixture *f = *state;
    const struct chy_crl_scope scope = {0, 0};
    static const struct {
        const char *sql, *part;
    } bad[] = {
        {"zeroblob(56)", "a packed standing of 56 octets is none"},
        {"substr(standing,1,length(standing)-1)", "a packed standing of 68 octets is none"},
        {"standing||x'00'", "a packed standing of 70 octets is none"},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        char sql[128];
        struct long_walk w = {.n = 0};
        struct chy_err err = {0};
        make_many(f, 1);
        snprintf(sql, sizeof(sql), "UPDATE request SET standing=CAST(%s AS BLOB)", bad[i].sql);
        run_sql(f, sql);
        assert_int_equal(f->store->ops->revoked(f->store, &scope, walk, &w, &err),
                         CHY_ERROR_INVALID_DATA);
        if (!strstr(err.text, bad[i].part)) fail_msg("%s", err.text);
        run_sql(f, "DELETE FROM request");
    }
}

static void test_take_when_called_by_others_then_refused(void **state)
{
    struct fixture *f = *state;
    struct chy_conn *c = chy_reader_take((struct chy_sqlite *)f->store, NULL);
    assert_int_equal(sqlite3_exec(c->db, "SELECT chy_take(x'00')", NULL, NULL, NULL), SQLITE_ERROR);
    assert_string_equal(sqlite3_errmsg(c->db), "chy_take is the program's own");
    chy_reader_give((struct chy_sqlite *)f->store, c, CHY_S_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_revoked_by_scope),
        T(test_revoked_stops_when_told),
        T(test_scope_when_there_is_none_then_refused),
        T(test_since_takes_changes_and_what_came_due),
        T(test_since_shows_each_once_as_it_stands),
        T(test_standing),
        T(test_many_are_looked_up_at_once),
        T(test_plans),
        T(test_pieces_make_the_whole),
        T(test_standing_when_it_is_none_then_refused),
        T(test_take_when_called_by_others_then_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
