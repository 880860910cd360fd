/* The packed copy that CRLs are made from says what the row says, whatever changed. */
#include "rows.h"
#include "store/sqlite_internal.h"

enum { RELEASED = -1, MARKED = -2, UNMARKED = -3, SHARD = 3, ISSUER = 0x10002 };

struct copy {
    struct chy_revoked r;
    uint8_t serial[255];
    int n;
};

static bool keep(const struct chy_revoked *r, void *arg)
{
    struct copy *c = arg;
    assert_true(r->serial.n <= sizeof(c->serial));
    c->r = *r;
    if (r->serial.n) memcpy(c->serial, r->serial.p, r->serial.n);
    c->r.serial = chy_span_of(c->serial, r->serial.n);
    c->n++;
    return true;
}

static void expect_same(const struct copy *c, const struct chy_row *row)
{
    const struct chy_revoked *r = &c->r;
    assert_int_equal(c->n, 1);
    assert_int_equal(r->request_id, row->id);
    assert_true(chy_span_eq(r->serial, row->serial));
    assert_true(r->issuer_index == row->issuer_index && r->shard == row->shard);
    assert_int_equal(r->disposition, row->disposition);
    assert_int_equal(r->reason, row->revoked_reason);
    assert_int_equal(r->crl_flags, row->crl_flags);
    assert_true(r->revoked_when == row->revoked_when);
    assert_true(r->effective_when == row->revoked_effective_when);
    assert_true(r->invalidity_when == row->invalidity_when);
    assert_true(r->not_after == row->not_after);
}

static void expect_packed(struct fixture *f, int32_t id)
{
    struct chy_arena a;
    struct chy_row row;
    struct copy packed = {.n = 0};
    struct copy read = {.n = 0};
    chy_arena_init(&a, 1 << 20);
    const struct chy_store_ops *ops = f->store->ops;
    assert_int_equal(ops->get(f->store, id, &a, &row, NULL), CHY_S_OK);
    const struct chy_crl_scope scope = {row.issuer_index >> 16, row.shard};
    assert_int_equal(ops->revoked(f->store, &scope, keep, &packed, NULL), CHY_S_OK);
    expect_same(&packed, &row);
    assert_int_equal(ops->revoked_since(f->store, &scope, 0, 0, 0, keep, &read, NULL), CHY_S_OK);
    if (read.n) expect_same(&read, &row);
    chy_arena_free(&a);
}

static void expect_none(struct fixture *f)
{
    struct copy none = {.n = 0};
    const struct chy_crl_scope scope = {ISSUER >> 16, -1};
    assert_int_equal(f->store->ops->revoked(f->store, &scope, keep, &none, NULL), CHY_S_OK);
    assert_int_equal(none.n, 0);
}

static void issue(struct fixture *f, struct sample *s, int32_t id)
{
    fill(s, id, CHY_DB_DISP_ISSUED);
    s->row.issuer_index = ISSUER;
    s->row.shard = SHARD;
    put_ok(f, CHY_WRITE_FINAL, &s->row);
}

/* One after the other on one row: each record says upon what it was decided. */
static void change_to(struct fixture *f, struct chy_revocation *r, int32_t reason, bool is_revoked,
                      int32_t crl_flags)
{
    static const int64_t step = 1000;
    r->reason = reason;
    r->disposition = is_revoked ? CHY_DB_DISP_REVOKED : CHY_DB_DISP_ISSUED;
    r->crl_flags = crl_flags;
    r->revoked_when += step;
    change_ok(f, r);
    r->was_disposition = r->disposition;
    r->was_crl_flags = crl_flags;
    if (reason >= RELEASED) r->was_reason = reason;
}

static void test_packed_is_the_row_after_every_change(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    issue(f, &s, 4);
    expect_none(f);
    struct chy_revocation r = revocation_of(&s.row, 0, 1700000000000100);
    change_to(f, &r, MARKED, false, CHY_ROW_CRL_WHEN_EXPIRED);
    expect_none(f);
    r.effective_when = 1700000000900000;
    r.invalidity_when = -1;
    change_to(f, &r, CHY_CRL_REASON_CERTIFICATE_HOLD, true, CHY_ROW_CRL_WHEN_EXPIRED);
    expect_packed(f, 4);
    change_to(f, &r, UNMARKED, true, 0);
    expect_packed(f, 4);
    change_to(f, &r, RELEASED, false, CHY_ROW_CRL_WHEN_EXPIRED);
    expect_packed(f, 4);
    change_to(f, &r, UNMARKED, false, 0);
    expect_packed(f, 4);
    r.effective_when = 1;
    r.invalidity_when = CHY_TIME_DEFAULT;
    change_to(f, &r, CHY_CRL_REASON_KEY_COMPROMISE, true, 0);
    expect_packed(f, 4);
    r.invalidity_when = 253402300799000000;
    change_to(f, &r, CHY_CRL_REASON_AA_COMPROMISE, true, 0);
    expect_packed(f, 4);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    expect_packed(f, 4);
    reopen_store(f);
    expect_packed(f, 4);
}

static void test_row_that_comes_in_revoked_is_packed(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    fill(&s, 4, CHY_DB_DISP_ISSUED);
    s.row.disposition = CHY_DB_DISP_REVOKED;
    s.row.issuer_index = ISSUER;
    s.row.shard = INT32_MAX;
    s.row.revoked_when = s.row.revoked_effective_when = 5;
    s.row.not_after = CHY_TIME_DEFAULT;
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    expect_packed(f, 4);
}

static void run_sql(const struct fixture *f, const char *sql)
{
    char path[96];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* With a program that knows none of our functions. */
static void test_row_changed_by_hand_is_packed_at_the_next_start(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    change_ok(f, &r);
    run_sql(f, "UPDATE request SET revoked_reason=4,revoked_effective_when=90,standing=NULL");
    reopen_store(f);
    expect_packed(f, 4);
}

/* No shard is negative, and a file may say so all the same: the walk of other keys still ends. */
static void test_shard_when_negative_then_the_walk_ends(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    change_ok(f, &r);
    run_sql(f, "UPDATE request SET shard=-1,standing=NULL");
    reopen_store(f);
    for (int32_t key = 0; key < 3; key++) {
        struct copy c = {.n = 0};
        const struct chy_crl_scope scope = {key, -1};
        assert_int_equal(f->store->ops->revoked(f->store, &scope, keep, &c, NULL), CHY_S_OK);
        assert_int_equal(c.n, key == ISSUER >> 16);
    }
}

static void set_serial(struct fixture *f, int n)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "UPDATE request SET standing=NULL,serial=zeroblob(%d)", n);
    run_sql(f, sql);
}

static void test_serials_of_every_length(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    static const int lengths[] = {0, 1, 19, 21, 128, 254, 255};
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    change_ok(f, &r);
    for (size_t i = 0; i < CHY_ARRAY_LEN(lengths); i++) {
        set_serial(f, lengths[i]);
        reopen_store(f);
        expect_packed(f, 4);
    }
}

static void test_serial_when_longer_than_any_then_refused(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_err err = {0};
    static const char part[] = "a serial has more than 255 octets";
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    set_serial(f, 256);
    assert_int_equal(change(f, &r, &err), CHY_ERROR_INVALID_DATA);
    if (!strstr(err.text, part)) fail_msg("%s", err.text);
    run_sql(f, "UPDATE request SET revoked_when=5");
    chy_store_close(f->store);
    f->store = NULL;
    assert_int_equal(chy_store_open_sqlite(f->dir, 2048, &f->store, &err), CHY_ERROR_INVALID_DATA);
    if (!strstr(err.text, part)) fail_msg("%s", err.text);
    set_serial(f, 20);
    open_store(f);
    expect_packed(f, 4);
}

/* A piece may end anywhere, also at a serial that starts another: nothing is left out, nothing is
 * there twice, though each is revoked anew meanwhile. */
static void test_scan_goes_on_behind_an_entry(void **state)
{
    static const uint8_t serial[] = {1};
    uint8_t at[CHY_STANDING_MAX];
    struct chy_revoked r = {.request_id = INT32_MAX,
                            .serial = {serial, 1},
                            .issuer_index = 0x1ffff,
                            .shard = 7,
                            .revoked_when = -1,
                            .effective_when = -1,
                            .invalidity_when = -1,
                            .not_after = -1,
                            .disposition = -1,
                            .reason = -1,
                            .crl_flags = -1};
    (void)state;
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(chy_standing_register(db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT ?1<x'000000070001ffff',?1<chy_standing(7,0x1ffff,x'01',0x7fffffff,-1,-1,-1,-1,"
            "-1,-1,-1),?1<chy_standing(7,0x1ffff,x'02',1,0,0,0,0,0,0,0),"
            "?1<chy_standing(7,0x1ffff,x'0100',1,0,0,0,0,0,0,0),?1<x'0000000700020000'",
            -1, &st, NULL),
        SQLITE_OK);
    static const int behind[] = {0, 0, 1, 1, 1};
    sqlite3_bind_blob(st, 1, at, (int)chy_standing_behind(&r, at), SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sqlite3_column_int(st, i), behind[i]);
    sqlite3_reset(st);
    static const int before[] = {0, 1, 1, 1, 1};
    sqlite3_bind_blob(st, 1, at, (int)chy_standing_before(7, 0x1ffff, at), SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sqlite3_column_int(st, i), before[i]);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_packed_is_the_row_after_every_change),
        T(test_row_that_comes_in_revoked_is_packed),
        T(test_row_changed_by_hand_is_packed_at_the_next_start),
        T(test_shard_when_negative_then_the_walk_ends),
        T(test_serials_of_every_length),
        T(test_serial_when_longer_than_any_then_refused),
        cmocka_unit_test(test_scan_goes_on_behind_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
