/* Writing revocations and records of CRLs: what they change, what is refused, what is kept. */
#include <stdatomic.h>

#include "rows.h"
#include "store/sqlite_internal.h"

enum { RELEASED = -1, MARKED = -2, UNMARKED = -3 };

static struct chy_row row_of(struct fixture *f, struct chy_arena *a, int32_t id)
{
    struct chy_row row = {.id = 0};
    assert_int_equal(f->store->ops->get(f->store, id, a, &row, NULL), CHY_S_OK);
    return row;
}

struct changes {
    int32_t reason[16];
    int64_t seq[16];
    size_t n, stop_at;
};

static bool take_change(const struct chy_revocation *r, void *arg)
{
    struct changes *c = arg;
    assert_true(chy_span_eq(r->author, CHY_SPAN_STR("officer")));
    c->reason[c->n] = r->reason;
    c->seq[c->n++] = r->seq;
    return c->n != c->stop_at;
}

static void expect_changes(struct fixture *f, int32_t id, size_t n, const int32_t *reasons)
{
    struct changes c = {.n = 0};
    assert_int_equal(f->store->ops->history(f->store, id, take_change, &c, NULL), CHY_S_OK);
    assert_int_equal(c.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(c.reason[i], reasons[i]);
        if (i) assert_true(c.seq[i] > c.seq[i - 1]);
    }
}

static void issue(struct fixture *f, struct sample *s, int32_t id)
{
    fill(s, id, CHY_DB_DISP_ISSUED);
    s->row.issuer_index = 0x10002;
    s->row.shard = 3;
    put_ok(f, CHY_WRITE_FINAL, &s->row);
}

static int64_t last_seq(struct fixture *f)
{
    int64_t n = -1;
    assert_int_equal(f->store->ops->last_seq(f->store, &n, NULL), CHY_S_OK);
    return n;
}

static void test_revocation_changes_the_row_and_is_kept(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    issue(f, &s, 4);
    assert_int_equal(last_seq(f), 0);
    struct chy_revocation r = revocation_of(&s.row, 1, 1700000000000100);
    r.effective_when = 1700000000000200;
    r.invalidity_when = 1700000000000050;
    r.crl_flags = CHY_ROW_CRL_WHEN_EXPIRED;
    change_ok(f, &r);
    reopen_store(f);
    struct chy_row row = row_of(f, &a, 4);
    assert_int_equal(row.disposition, CHY_DB_DISP_REVOKED);
    assert_int_equal(row.revoked_reason, 1);
    assert_int_equal(row.crl_flags, CHY_ROW_CRL_WHEN_EXPIRED);
    assert_int_equal(row.shard, 3);
    assert_true(row.revoked_when == r.revoked_when && row.invalidity_when == r.invalidity_when);
    assert_true(row.revoked_effective_when == r.effective_when);
    assert_true(chy_span_eq(row.message, r.message));
    assert_true(chy_span_eq(row.raw_certificate, s.row.raw_certificate));
    assert_int_equal(last_seq(f), 1);
    expect_changes(f, 4, 1, (const int32_t[]){1});
    chy_arena_free(&a);
}

static bool check_change(const struct chy_revocation *r, void *arg)
{
    const struct chy_revocation *w = arg;
    assert_true(chy_span_eq(r->serial, w->serial) && chy_span_eq(r->message, w->message));
    assert_int_equal(r->request_id, w->request_id);
    assert_int_equal(r->issuer_index, w->issuer_index);
    assert_int_equal(r->shard, w->shard);
    assert_int_equal(r->disposition, w->disposition);
    assert_true(r->revoked_when == w->revoked_when && r->effective_when == w->effective_when);
    assert_true(r->invalidity_when == w->invalidity_when && r->crl_flags == w->crl_flags);
    return true;
}

static void test_history_says_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 1700000000000100);
    r.invalidity_when = 17;
    r.crl_flags = 1;
    change_ok(f, &r);
    assert_int_equal(f->store->ops->history(f->store, 4, check_change, &r, NULL), CHY_S_OK);
    expect_changes(f, 5, 0, NULL);
}

/* Hold, release, again: the dates and the message of what was undone stay. */
static void test_release_and_marks(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_arena a;
    struct changes c = {.stop_at = 1};
    chy_arena_init(&a, 1 << 20);
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, CHY_CRL_REASON_CERTIFICATE_HOLD, 100);
    change_ok(f, &r);
    r = revocation_of(&s.row, MARKED, 150);
    r.was_disposition = CHY_DB_DISP_REVOKED;
    r.was_reason = CHY_CRL_REASON_CERTIFICATE_HOLD;
    r.crl_flags = CHY_ROW_CRL_WHEN_EXPIRED;
    change_ok(f, &r);
    struct chy_row row = row_of(f, &a, 4);
    assert_int_equal(row.revoked_reason, CHY_CRL_REASON_CERTIFICATE_HOLD);
    assert_int_equal(row.crl_flags, CHY_ROW_CRL_WHEN_EXPIRED);
    assert_int_equal(row.revoked_when, 100);
    r.reason = RELEASED;
    r.disposition = CHY_DB_DISP_ISSUED;
    r.was_crl_flags = CHY_ROW_CRL_WHEN_EXPIRED;
    r.message = (struct chy_span){0};
    change_ok(f, &r);
    row = row_of(f, &a, 4);
    assert_int_equal(row.disposition, CHY_DB_DISP_ISSUED);
    assert_int_equal(row.revoked_reason, -1);
    assert_int_equal(row.revoked_when, 100);
    assert_true(chy_span_eq(row.message, CHY_SPAN_STR("Revoked by officer")));
    r = revocation_of(&s.row, UNMARKED, 160);
    r.disposition = CHY_DB_DISP_ISSUED;
    r.was_reason = -1;
    r.was_crl_flags = CHY_ROW_CRL_WHEN_EXPIRED;
    change_ok(f, &r);
    assert_int_equal(row_of(f, &a, 4).crl_flags, 0);
    r = revocation_of(&s.row, 4, 200);
    r.was_reason = -1;
    change_ok(f, &r);
    expect_changes(f, 4, 5,
                   (const int32_t[]){CHY_CRL_REASON_CERTIFICATE_HOLD, MARKED, RELEASED, UNMARKED,
                                     CHY_CRL_REASON_SUPERSEDED});
    assert_int_equal(f->store->ops->history(f->store, 4, take_change, &c, NULL), CHY_S_OK);
    assert_int_equal(c.n, 1);
    chy_arena_free(&a);
}

static void refuse(struct fixture *f, const struct chy_revocation *r, chy_hresult code,
                   const char *part)
{
    struct chy_err err = {0};
    int64_t before = last_seq(f);
    assert_int_equal(change(f, r, &err), code);
    if (!strstr(err.text, part)) fail_msg("'%s' is not in '%s'", part, err.text);
    assert_int_equal(last_seq(f), before);
}

static void test_revocation_when_the_row_changed_then_refused(void **state)
{
    struct fixture *f = *state;
    struct sample s, pending;
    issue(f, &s, 4);
    fill(&pending, 5, CHY_DB_DISP_PENDING);
    put_ok(f, CHY_WRITE_FINAL, &pending.row);
    const struct chy_revocation good = revocation_of(&s.row, 1, 100);
    struct chy_revocation r = good;
    r.was_disposition = CHY_DB_DISP_REVOKED;
    refuse(f, &r, CHY_ERROR_BUSY, "request 4: it changed meanwhile");
    r = good;
    r.was_reason = 3;
    refuse(f, &r, CHY_ERROR_BUSY, "request 4: it changed meanwhile");
    r = good;
    r.was_crl_flags = 1;
    refuse(f, &r, CHY_ERROR_BUSY, "request 4: it changed meanwhile");
    r = good;
    r.request_id = 6;
    refuse(f, &r, CHY_ERROR_BUSY, "request 6: it changed meanwhile");
    r = revocation_of(&pending.row, 1, 100);
    r.was_disposition = CHY_DB_DISP_PENDING;
    refuse(f, &r, CHY_ERROR_BUSY, "request 5: it changed meanwhile");
    change_ok(f, &good);
    refuse(f, &good, CHY_ERROR_BUSY, "request 4: it changed meanwhile");
}

static void test_revocation_when_it_contradicts_itself_then_refused(void **state)
{
    static const char part[] = "request 4: its reason, disposition and dates do not fit";
    struct fixture *f = *state;
    struct sample s;
    issue(f, &s, 4);
    const struct chy_revocation good = revocation_of(&s.row, 1, 100);
    struct chy_revocation r = good;
    r.disposition = CHY_DB_DISP_DENIED;
    refuse(f, &r, CHY_E_INVALIDARG, part);
    r = good;
    r.disposition = CHY_DB_DISP_ISSUED;
    refuse(f, &r, CHY_E_INVALIDARG, part);
    r = good;
    r.revoked_when = CHY_TIME_DEFAULT;
    refuse(f, &r, CHY_E_INVALIDARG, part);
    r = good;
    r.effective_when = CHY_TIME_DEFAULT;
    refuse(f, &r, CHY_E_INVALIDARG, part);
    r = good;
    r.reason = RELEASED;
    refuse(f, &r, CHY_E_INVALIDARG, part);
    r.reason = MARKED;
    refuse(f, &r, CHY_E_INVALIDARG, part);
    r.reason = -4;
    refuse(f, &r, CHY_E_INVALIDARG, part);
}

static void test_final_never_undoes_a_revocation(void **state)
{
    struct fixture *f = *state;
    struct sample s, marked;
    struct chy_arena a;
    struct chy_err err = {0};
    chy_arena_init(&a, 1 << 20);
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    change_ok(f, &r);
    put_ok(f, CHY_WRITE_FINAL, &s.row);
    struct chy_row row = row_of(f, &a, 4);
    assert_int_equal(row.disposition, CHY_DB_DISP_REVOKED);
    assert_true(row.revoked_reason == 1 && row.revoked_when == 100);
    s.certificate[3] ^= 1;
    assert_int_equal(put(f, CHY_WRITE_FINAL, &s.row, &err), CHY_ERROR_ALREADY_EXISTS);
    issue(f, &marked, 5);
    r = revocation_of(&marked.row, MARKED, 100);
    r.disposition = CHY_DB_DISP_ISSUED;
    r.crl_flags = CHY_ROW_CRL_WHEN_EXPIRED;
    change_ok(f, &r);
    put_ok(f, CHY_WRITE_FINAL, &marked.row);
    assert_int_equal(row_of(f, &a, 5).crl_flags, CHY_ROW_CRL_WHEN_EXPIRED);
    chy_arena_free(&a);
}

static void count_done(struct chy_write *w, void *arg)
{
    (void)w;
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* All wait behind a first one, so that the writer takes them together. */
static void test_two_for_one_row_in_a_batch_then_the_first_stays(void **state)
{
    struct fixture *f = *state;
    enum { N = 60 };
    struct sample s[N / 2];
    struct chy_revocation r[N];
    struct chy_write w[N];
    struct chy_arena a;
    atomic_int done = 0;
    chy_arena_init(&a, 1 << 20);
    for (int i = 0; i < N / 2; i++)
        issue(f, &s[i], i + 1);
    for (int i = 0; i < N; i++) {
        r[i] = revocation_of(&s[i / 2].row, i % 2 ? 4 : 1, 100 + i);
        w[i] = (struct chy_write){.kind = CHY_WRITE_REVOKE,
                                  .revocation = &r[i],
                                  .soon = (size_t)(N - 1 - i),
                                  .done = count_done,
                                  .arg = &done};
    }
    for (int i = 0; i < N; i++)
        chy_store_write(f->store, &w[i]);
    while (atomic_load(&done) < N)
        usleep(1000);
    for (int i = 0; i < N; i++)
        assert_int_equal(w[i].result, i % 2 ? CHY_ERROR_BUSY : CHY_S_OK);
    for (int i = 0; i < N / 2; i++) {
        assert_int_equal(row_of(f, &a, i + 1).revoked_reason, 1);
        expect_changes(f, i + 1, 1, (const int32_t[]){1});
    }
    chy_arena_free(&a);
}

static size_t owed(struct fixture *f, struct chy_outbox_entry *entry, struct chy_arena *a)
{
    size_t n = 8;
    assert_int_equal(f->store->ops->outbox(f->store,
                                           &(struct chy_outbox_query){.kind = CHY_OUTBOX_ALL}, a,
                                           entry, &n, NULL),
                     CHY_S_OK);
    return n;
}

static void test_revocation_owes_events(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_outbox_entry entry[8];
    struct chy_arena a;
    const struct chy_owed events[] = {{"mail", CHY_EXITEVENT_CERTREVOKED},
                                      {"log", CHY_EXITEVENT_CERTREVOKED}};
    chy_arena_init(&a, 1 << 20);
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    struct chy_write w = {.kind = CHY_WRITE_REVOKE, .revocation = &r, .owed = events, .n_owed = 2};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_S_OK);
    assert_int_equal(owed(f, entry, &a), 2);
    assert_true(entry[0].seq == w.outbox_seq && entry[1].seq == w.outbox_seq + 1);
    assert_int_equal(entry[1].request_id, 4);
    assert_int_equal(entry[1].event, CHY_EXITEVENT_CERTREVOKED);
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_ERROR_BUSY);
    assert_int_equal(owed(f, entry, &a), 2);
    chy_arena_free(&a);
}

/* The second module's name breaks NOT NULL: the revocation is not there either. */
static void test_revocation_when_an_event_fails_then_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct chy_arena a;
    const struct chy_owed events[] = {{"mail", 1}, {NULL, 1}};
    chy_arena_init(&a, 1 << 20);
    issue(f, &s, 4);
    struct chy_revocation r = revocation_of(&s.row, 1, 100);
    struct chy_write w = {.kind = CHY_WRITE_REVOKE, .revocation = &r, .owed = events, .n_owed = 2};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(row_of(f, &a, 4).disposition, CHY_DB_DISP_ISSUED);
    assert_int_equal(last_seq(f), 0);
    chy_arena_free(&a);
}

/* ---- CRLs ---- */

static struct chy_crl_record record(uint64_t number, bool is_delta, int32_t shard)
{
    return (struct chy_crl_record){.key_index = 2,
                                   .shard = shard,
                                   .is_delta = is_delta,
                                   .number = number,
                                   .base_number = is_delta ? 1 : 0,
                                   .entries = 1000,
                                   .size = (int64_t)1 << 33,
                                   .this_update = 1700000000000000,
                                   .next_update = 1700000000000000 + (int64_t)number,
                                   .this_publish = 11,
                                   .next_publish = 12,
                                   .propagated = CHY_TIME_DEFAULT,
                                   .seq = 99,
                                   .flags = CHY_CPF_BASE,
                                   .status = CHY_E_FAIL,
                                   .error = CHY_SPAN_STR("no space"),
                                   .attempts = 3,
                                   .sign_us = 77};
}

static void put_crl(struct fixture *f, const struct chy_crl_record *c, chy_time when)
{
    struct chy_err err = {0};
    struct chy_write w = {.kind = CHY_WRITE_CRL, .crl = c, .when = when};
    if (chy_store_write_wait(f->store, &w, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

struct crls {
    char text[256];
    struct chy_crl_record last;
    bool one_only;
};

static bool take_crl(const struct chy_crl_record *r, void *arg)
{
    struct crls *c = arg;
    size_t n = strlen(c->text);
    snprintf(c->text + n, sizeof(c->text) - n, "%d%s%llu ", r->shard, r->is_delta ? "d" : "b",
             (unsigned long long)r->number);
    assert_true(chy_span_eq(r->error, CHY_SPAN_STR("no space")));
    c->last = *r;
    c->last.error = CHY_SPAN_STR("no space");
    return !c->one_only;
}

static void expect_crls(struct fixture *f, const char *text, struct crls *c)
{
    *c = (struct crls){.one_only = false};
    assert_int_equal(f->store->ops->crls(f->store, take_crl, c, NULL), CHY_S_OK);
    assert_string_equal(c->text, text);
}

static void test_crl_record_comes_back(void **state)
{
    struct fixture *f = *state;
    struct crls c;
    struct chy_crl_record r = record(5, true, 1);
    put_crl(f, &r, 0);
    reopen_store(f);
    expect_crls(f, "1d5 ", &c);
    assert_int_equal(c.last.key_index, 2);
    assert_true(c.last.base_number == 1 && c.last.entries == 1000 && c.last.size == r.size);
    assert_true(c.last.this_update == r.this_update && c.last.next_update == r.next_update);
    assert_true(c.last.this_publish == 11 && c.last.next_publish == 12);
    assert_true(c.last.propagated == CHY_TIME_DEFAULT && c.last.seq == 99);
    assert_int_equal(c.last.flags, CHY_CPF_BASE);
    assert_int_equal(c.last.status, CHY_E_FAIL);
    assert_int_equal(c.last.attempts, 3);
    assert_int_equal(c.last.sign_us, 77);
}

static void test_crl_takes_the_place_of_its_like_and_drops_the_expired(void **state)
{
    struct fixture *f = *state;
    struct crls c;
    struct chy_crl_record r;
    for (uint64_t n = 1; n <= 3; n++) {
        r = record(n, false, 0);
        put_crl(f, &r, 0);
        r = record(n, true, 0);
        put_crl(f, &r, 0);
        r = record(n, false, 1);
        put_crl(f, &r, 0);
    }
    r.attempts = 9;
    put_crl(f, &r, 1700000000000002);
    expect_crls(f, "0b1 0b2 0b3 0d1 0d2 0d3 1b2 1b3 ", &c);
    assert_int_equal(c.last.attempts, 9);
    r = record(4, true, 0);
    put_crl(f, &r, 1700000000000100);
    expect_crls(f, "0b1 0b2 0b3 0d4 1b2 1b3 ", &c);
    c = (struct crls){.one_only = true};
    assert_int_equal(f->store->ops->crls(f->store, take_crl, &c, NULL), CHY_S_OK);
    assert_string_equal(c.text, "0b1 ");
}

static void test_crl_when_its_number_is_too_large_then_refused(void **state)
{
    struct fixture *f = *state;
    struct crls c;
    struct chy_crl_record r = record((uint64_t)1 << 63, false, 0);
    struct chy_write w = {.kind = CHY_WRITE_CRL, .crl = &r};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_E_INVALIDARG);
    assert_non_null(strstr(w.err.text, "more than 63 bits"));
    r = record(1, true, 0);
    r.base_number = UINT64_MAX;
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_E_INVALIDARG);
    expect_crls(f, "", &c);
}

static void test_crl_owes_events_of_no_request(void **state)
{
    struct fixture *f = *state;
    struct chy_outbox_entry entry[8];
    struct chy_arena a;
    const struct chy_owed event = {"mail", CHY_EXITEVENT_CRLISSUED};
    chy_arena_init(&a, 1 << 20);
    struct chy_crl_record r = record(5, false, 0);
    struct chy_write w = {.kind = CHY_WRITE_CRL, .crl = &r, .owed = &event, .n_owed = 1};
    assert_int_equal(chy_store_write_wait(f->store, &w, NULL), CHY_S_OK);
    assert_int_equal(owed(f, entry, &a), 1);
    assert_int_equal(entry[0].request_id, 0);
    assert_true(entry[0].seq == w.outbox_seq);
    chy_arena_free(&a);
}

static void expect_text(struct chy_conn *c, const char *sql, const char *expected)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(c->db));
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), expected);
    sqlite3_finalize(st);
}

static void test_views_show_crls(void **state)
{
    struct fixture *f = *state;
    struct chy_sqlite *s = (struct chy_sqlite *)f->store;
    struct sample row;
    issue(f, &row, 4);
    struct chy_crl_record r = record(1, false, 3);
    put_crl(f, &r, 0);
    r = record(2, true, 3);
    r.this_update += 3600000000;
    put_crl(f, &r, 0);
    struct chy_conn *c = chy_reader_take(s, NULL);
    expect_text(c,
                "SELECT CRLRowId||' '||CRLMinBase||' '||CRLNameId||' '||CRLCount||' '||"
                "CRLThisUpdate||' '||CRLEffective||' '||CRLPartitionIndex FROM CRLs"
                " WHERE CRLNumber=2",
                "2 1 131072 1000 2023-11-14T23:13:20Z 2023-11-14T22:13:20Z 3");
    expect_text(c, "SELECT count(*) FROM CRLs WHERE CRLNumber=1 AND CRLEffective IS NULL", "1");
    expect_text(c,
                "SELECT \"Request.CRLPartitionIndex\"||' '||PublishExpiredCertInCRL FROM Requests",
                "3 0");
    chy_reader_give(s, c, CHY_S_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_revocation_changes_the_row_and_is_kept),
        T(test_history_says_what_was_written),
        T(test_release_and_marks),
        T(test_revocation_when_the_row_changed_then_refused),
        T(test_revocation_when_it_contradicts_itself_then_refused),
        T(test_final_never_undoes_a_revocation),
        T(test_two_for_one_row_in_a_batch_then_the_first_stays),
        T(test_revocation_owes_events),
        T(test_revocation_when_an_event_fails_then_nothing_is_kept),
        T(test_crl_record_comes_back),
        T(test_crl_takes_the_place_of_its_like_and_drops_the_expired),
        T(test_crl_when_its_number_is_too_large_then_refused),
        T(test_crl_owes_events_of_no_request),
        T(test_views_show_crls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
