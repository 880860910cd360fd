/* The writer: takes what queued up while the last commit ran, applies it in one transaction, and
 * tells each record's owner after COMMIT came back. With synchronous=FULL that means after the log
 * was synced.
 *
 * A record that breaks a rule fails alone: the batch is rolled back and done again with a savepoint
 * for each record, so that the ordinary batch pays nothing for it.
 *
 * A failed commit leaves the disk in doubt: after a failed fsync the kernel may call pages clean
 * that never reached the disk, so a later fsync that succeeds proves nothing about them. Therefore
 * the connection is closed without touching the log and opened again, and before the next record is
 * taken the whole log is copied into the database (checkpoint TRUNCATE): every page of it is
 * written anew and synced. A record that was reported as failed may then be there all the same;
 * "failed" means "not known to be durable". Thread: the store's own, except chy_sqlite_write and
 * the ids. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite_internal.h"

/* The whole batch is lost, against one record that is refused. */
enum outcome { APPLIED, REFUSED, BROKEN };
enum { GATHER = 32, GATHER_US = 5000 };

static enum outcome step(struct chy_sqlite *s, sqlite3_stmt *st, struct chy_err *err)
{
    int rc = sqlite3_step(st);
    enum outcome o = APPLIED;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        int kind = rc & 0xff;
        chy_conn_fail(s->writer.db, s->path, "writing", err);
        o = kind == SQLITE_CONSTRAINT || kind == SQLITE_MISMATCH || kind == SQLITE_TOOBIG ? REFUSED
                                                                                          : BROKEN;
    }
    sqlite3_reset(st);
    return o;
}

static enum outcome run(struct chy_sqlite *s, enum chy_sql which, struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, which, err);
    return st ? step(s, st, err) : BROKEN;
}

static void bind_span(sqlite3_stmt *st, int at, struct chy_span v, bool is_text)
{
    if (!v.n)
        sqlite3_bind_null(st, at);
    else if (is_text)
        sqlite3_bind_text64(st, at, (const char *)v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_blob64(st, at, v.p, v.n, SQLITE_STATIC);
}

static void bind_time(sqlite3_stmt *st, int at, chy_time t)
{
    if (t == CHY_TIME_DEFAULT)
        sqlite3_bind_null(st, at);
    else
        sqlite3_bind_int64(st, at, t);
}

static void bind_row(sqlite3_stmt *st, const struct chy_row *row)
{
    for (int i = 0; i < CHY_ROW_COLUMNS; i++) {
        const struct chy_column *c = &chy_row_columns[i];
        const void *field = (const char *)row + c->offset;
        switch (c->kind) {
        case CHY_COLUMN_INT: sqlite3_bind_int(st, i + 1, *(const int32_t *)field); break;
        case CHY_COLUMN_TIME: bind_time(st, i + 1, *(const chy_time *)field); break;
        case CHY_COLUMN_TEXT: bind_span(st, i + 1, *(const struct chy_span *)field, true); break;
        case CHY_COLUMN_SERIAL:
        case CHY_COLUMN_BLOB: bind_span(st, i + 1, *(const struct chy_span *)field, false); break;
        }
    }
}

static enum outcome refuse(struct chy_write *w, chy_hresult code, int32_t id, const char *what)
{
    chy_fail(&w->err, code, "request %d: %s", id, what);
    return REFUSED;
}

static enum outcome add_evidence_by(struct chy_sqlite *s, enum chy_sql which, struct chy_write *w,
                                    bool *added)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, which, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int64(st, 1, w->row->id);
    bind_time(st, 2, w->when);
    bind_span(st, 3, w->evidence, false);
    enum outcome o = step(s, st, &w->err);
    *added = o == APPLIED && sqlite3_changes(s->writer.db) != 0;
    return o;
}

static enum outcome add_evidence(struct chy_sqlite *s, struct chy_write *w)
{
    bool added = !w->evidence.n;
    enum outcome o = APPLIED;
    if (!added) o = add_evidence_by(s, CHY_SQL_EVIDENCE_FIRST, w, &added);
    if (!added && o == APPLIED) o = add_evidence_by(s, CHY_SQL_EVIDENCE_ADD, w, &added);
    if (!added && o == APPLIED)
        return refuse(w, CHY_ERROR_BUSY, w->row->id, "it was decided or changed 65,536 times");
    return o;
}

/* Of as much as both have: 0 where one begins the other. */
static int compare(const struct chy_highest *h, struct chy_span serial)
{
    size_t n = serial.n < h->n ? serial.n : h->n;
    return n ? memcmp(serial.p, h->serial, n) : 0;
}

void chy_highest_note(struct chy_highest *h, int32_t id, struct chy_span serial)
{
    if (id > h->id) h->id = id;
    int order = compare(h, serial);
    if (!serial.n || order < 0 || (order == 0 && serial.n <= h->n)) return;
    h->n = serial.n < sizeof(h->serial) ? serial.n : sizeof(h->serial);
    memcpy(h->serial, serial.p, h->n);
}

/* Serials rise with time and ids too: hardly any is not beyond all that there are, and then it is
 * no row's. */
static bool is_beyond(const struct chy_highest *h, const struct chy_row *row)
{
    return row->id > h->id && compare(h, row->serial) > 0;
}

/* Whether there is such a row: of that id, with these octets. */
static enum outcome look_for(struct chy_sqlite *s, enum chy_sql which, struct chy_write *w,
                             struct chy_span octets, bool *found)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, which, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int(st, 1, w->row->id);
    bind_span(st, 2, octets, false);
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    *found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) return APPLIED;
    chy_conn_fail(s->writer.db, s->path, "looking for a row", &w->err);
    return BROKEN;
}

/* Of a row, or of another intent. */
static enum outcome check_clash(struct chy_sqlite *s, struct chy_write *w)
{
    const struct chy_row *row = w->row;
    enum outcome o = APPLIED;
    bool clashes = false;
    if (!is_beyond(&s->highest, row))
        o = look_for(s, CHY_SQL_INTENT_CLASH, w, row->serial, &clashes);
    if (o == APPLIED && !clashes && chy_open_intents_may_have(&s->open, row->id, row->serial))
        o = look_for(s, CHY_SQL_INTENT_TWIN, w, row->serial, &clashes);
    if (o != APPLIED || !clashes) return o;
    return refuse(w, CHY_ERROR_ALREADY_EXISTS, row->id,
                  "its serial number is in use, or it has its certificate already");
}

static enum outcome apply_intent(struct chy_sqlite *s, struct chy_write *w)
{
    enum outcome o = check_clash(s, w);
    if (o != APPLIED) return o;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_INTENT_ADD, &w->err);
    if (!st) return BROKEN;
    bind_row(st, w->row);
    sqlite3_bind_int(st, 2, CHY_DB_DISP_ACTIVE);
    if (w->tbs.n)
        bind_span(st, CHY_ROW_COLUMNS + 1, w->tbs, false);
    else
        sqlite3_bind_zeroblob(st, CHY_ROW_COLUMNS + 1, 0);
    if (!chy_open_intents_add(&s->open, w->row->id, w->row->serial)) {
        chy_fail_nomem(&w->err, "an intent");
        return REFUSED;
    }
    o = step(s, st, &w->err);
    return o == APPLIED ? add_evidence(s, w) : o;
}

static enum outcome add_owed(struct chy_sqlite *s, struct chy_write *w, int32_t request_id)
{
    if (!w->n_owed) return APPLIED;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_OUTBOX_ADD, &w->err);
    enum outcome o = st ? APPLIED : BROKEN;
    w->outbox_seq = s->next_seq;
    for (size_t i = 0; i < w->n_owed && o == APPLIED; i++) {
        sqlite3_bind_int64(st, 1, s->next_seq++);
        sqlite3_bind_int(st, 2, request_id);
        sqlite3_bind_int(st, 3, w->owed[i].event);
        sqlite3_bind_text(st, 4, w->owed[i].module, -1, SQLITE_STATIC);
        bind_time(st, 5, w->when ? w->when : CHY_TIME_DEFAULT);
        o = step(s, st, &w->err);
    }
    return o;
}

/* A row that has this certificate already and was revoked since (or marked) stays as it is: writing
 * it again succeeds, and undoes nothing. */
static enum outcome check_same(struct chy_sqlite *s, struct chy_write *w)
{
    bool same;
    enum outcome o = look_for(s, CHY_SQL_FINAL_SAME, w, w->row->raw_certificate, &same);
    if (o != APPLIED || same) return o;
    return refuse(w, CHY_ERROR_ALREADY_EXISTS, w->row->id,
                  "it has a certificate, which another can never replace");
}

static enum outcome apply_final(struct chy_sqlite *s, struct chy_write *w)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_FINAL, &w->err);
    if (!st) return BROKEN;
    chy_highest_note(&s->highest, w->row->id, w->row->serial);
    bind_row(st, w->row);
    enum outcome o = step(s, st, &w->err);
    if (o == APPLIED && sqlite3_changes(s->writer.db) == 0) o = check_same(s, w);
    if (o != APPLIED) return o;
    st = chy_conn_stmt(&s->writer, CHY_SQL_INTENT_REMOVE, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int(st, 1, w->row->id);
    o = step(s, st, &w->err);
    if (o == APPLIED && w->row->revoked_when != CHY_TIME_DEFAULT) o = run(s, CHY_SQL_PACK, &w->err);
    if (o == APPLIED) o = add_evidence(s, w);
    return o == APPLIED ? add_owed(s, w, w->row->id) : o;
}

enum { RELEASED = -1, MARKED = -2, UNMARKED = -3 };

/* Without its dates a revoked row would be on no CRL. */
static bool is_sound(const struct chy_revocation *r)
{
    bool ends_issued = r->disposition == CHY_DB_DISP_ISSUED;
    if (!ends_issued && r->disposition != CHY_DB_DISP_REVOKED) return false;
    if (r->reason == MARKED || r->reason == UNMARKED) return r->disposition == r->was_disposition;
    if (r->reason == RELEASED) return ends_issued;
    return r->reason >= 0 && !ends_issued && r->revoked_when != CHY_TIME_DEFAULT &&
           r->effective_when != CHY_TIME_DEFAULT;
}

static enum outcome change_standing(struct chy_sqlite *s, struct chy_write *w)
{
    const struct chy_revocation *r = w->revocation;
    bool is_mark = r->reason == MARKED || r->reason == UNMARKED;
    enum chy_sql which = is_mark                 ? CHY_SQL_MARK
                         : r->reason == RELEASED ? CHY_SQL_RELEASE
                                                 : CHY_SQL_REVOKE;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, which, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int(st, 1, r->request_id);
    sqlite3_bind_int(st, 2, r->was_disposition);
    sqlite3_bind_int(st, 3, r->was_reason);
    sqlite3_bind_int(st, 4, r->was_crl_flags);
    sqlite3_bind_int(st, 5, is_mark ? r->crl_flags : r->disposition);
    if (!is_mark) {
        sqlite3_bind_int(st, 6, r->crl_flags);
        sqlite3_bind_int(st, 7, r->reason);
        bind_span(st, 8, r->message, true);
    }
    if (which == CHY_SQL_REVOKE) {
        bind_time(st, 9, r->revoked_when);
        bind_time(st, 10, r->effective_when);
        bind_time(st, 11, r->invalidity_when);
    }
    enum outcome o = step(s, st, &w->err);
    if (o == APPLIED && sqlite3_changes(s->writer.db) == 0)
        return refuse(w, CHY_ERROR_BUSY, r->request_id, "it changed meanwhile");
    return o;
}

static enum outcome add_history(struct chy_sqlite *s, struct chy_write *w)
{
    const struct chy_revocation *r = w->revocation;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_HISTORY_ADD, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int64(st, 1, s->next_change++);
    sqlite3_bind_int(st, 2, r->request_id);
    bind_span(st, 3, r->serial, false);
    sqlite3_bind_int(st, 4, r->issuer_index);
    sqlite3_bind_int(st, 5, r->shard);
    sqlite3_bind_int(st, 6, r->disposition);
    sqlite3_bind_int(st, 7, r->reason);
    bind_time(st, 8, r->revoked_when);
    bind_time(st, 9, r->effective_when);
    bind_time(st, 10, r->invalidity_when);
    sqlite3_bind_int(st, 11, r->crl_flags);
    bind_span(st, 12, r->author, true);
    bind_span(st, 13, r->message, true);
    return step(s, st, &w->err);
}

static enum outcome apply_revoke(struct chy_sqlite *s, struct chy_write *w)
{
    const struct chy_revocation *r = w->revocation;
    if (!is_sound(r))
        return refuse(w, CHY_E_INVALIDARG, r->request_id,
                      "its reason, disposition and dates do not fit together");
    enum outcome o = change_standing(s, w);
    if (o == APPLIED) o = add_history(s, w);
    return o == APPLIED ? add_owed(s, w, r->request_id) : o;
}

static void bind_crl_key(sqlite3_stmt *st, const struct chy_crl_record *c)
{
    sqlite3_bind_int(st, 1, c->key_index);
    sqlite3_bind_int(st, 2, c->shard);
    sqlite3_bind_int(st, 3, c->is_delta);
    sqlite3_bind_int64(st, 4, (int64_t)c->number);
}

static enum outcome set_crl(struct chy_sqlite *s, struct chy_write *w)
{
    const struct chy_crl_record *c = w->crl;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_CRL_SET, &w->err);
    if (!st) return BROKEN;
    bind_crl_key(st, c);
    sqlite3_bind_int64(st, 5, (int64_t)c->base_number);
    sqlite3_bind_int64(st, 6, c->entries);
    sqlite3_bind_int64(st, 7, c->size);
    bind_time(st, 8, c->this_update);
    bind_time(st, 9, c->next_update);
    bind_time(st, 10, c->this_publish);
    bind_time(st, 11, c->next_publish);
    bind_time(st, 12, c->propagated);
    sqlite3_bind_int64(st, 13, c->seq);
    sqlite3_bind_int(st, 14, c->flags);
    sqlite3_bind_int(st, 15, c->status);
    bind_span(st, 16, c->error, true);
    sqlite3_bind_int(st, 17, c->attempts);
    sqlite3_bind_int64(st, 18, c->sign_us);
    bind_time(st, 19, w->when);
    return step(s, st, &w->err);
}

static enum outcome drop_old_crls(struct chy_sqlite *s, struct chy_write *w)
{
    const struct chy_crl_record *c = w->crl;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_CRL_DROP, &w->err);
    if (!st) return BROKEN;
    bind_crl_key(st, c);
    bind_time(st, 5, w->when);
    return step(s, st, &w->err);
}

static enum outcome apply_crl(struct chy_sqlite *s, struct chy_write *w)
{
    if (w->crl->number > INT64_MAX || w->crl->base_number > INT64_MAX) {
        chy_fail(&w->err, CHY_E_INVALIDARG, "CRL: its number has more than 63 bits");
        return REFUSED;
    }
    enum outcome o = set_crl(s, w);
    if (o == APPLIED) o = drop_old_crls(s, w);
    return o == APPLIED ? add_owed(s, w, 0) : o;
}

static enum outcome apply_outbox_done(struct chy_sqlite *s, struct chy_write *w)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_OUTBOX_REMOVE, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int64(st, 1, w->outbox_seq);
    sqlite3_bind_int64(st, 2, w->entry->seq);
    sqlite3_bind_text(st, 3, w->entry->module, -1, SQLITE_STATIC);
    return step(s, st, &w->err);
}

static enum outcome apply_outbox_aside(struct chy_sqlite *s, struct chy_write *w)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_OUTBOX_ASIDE, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_int64(st, 1, w->entry->seq);
    sqlite3_bind_int(st, 2, w->entry->attempts);
    bind_time(st, 3, w->entry->next_try);
    bind_time(st, 4, w->entry->first_failed);
    bind_time(st, 5, w->entry->failed_when);
    bind_span(st, 6, w->entry->error, true);
    return step(s, st, &w->err);
}

static enum outcome set_path(struct chy_sqlite *s, struct chy_write *w, enum chy_sql set,
                             enum chy_sql remove, bool is_text)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, w->value.n ? set : remove, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_text(st, 1, w->path, -1, SQLITE_STATIC);
    if (w->value.n) bind_span(st, 2, w->value, is_text);
    return step(s, st, &w->err);
}

static enum outcome apply_config(struct chy_sqlite *s, struct chy_write *w)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_CONFIG_HISTORY, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_text(st, 1, w->path, -1, SQLITE_STATIC);
    bind_span(st, 2, w->value, true);
    bind_span(st, 3, chy_span_cstr(w->author), true);
    bind_time(st, 4, w->when);
    enum outcome o = step(s, st, &w->err);
    return o == APPLIED ? set_path(s, w, CHY_SQL_CONFIG_SET, CHY_SQL_CONFIG_REMOVE, true) : o;
}

/* An empty transaction would come back from COMMIT without touching the disk: a probe must write,
 * and more than a request does, or a nearly full disk would be well at every other moment. */
static enum outcome apply_probe(struct chy_sqlite *s, struct chy_write *w)
{
    enum { PROBE_SIZE = 64 << 10 };
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_META_SET, &w->err);
    if (!st) return BROKEN;
    sqlite3_bind_text(st, 1, CHY_META_PROBE, -1, SQLITE_STATIC);
    sqlite3_bind_zeroblob(st, 2, PROBE_SIZE);
    return step(s, st, &w->err);
}

static enum outcome apply(struct chy_sqlite *s, struct chy_write *w)
{
    chy_err_clear(&w->err);
    switch (w->kind) {
    case CHY_WRITE_INTENT: return apply_intent(s, w);
    case CHY_WRITE_FINAL: return apply_final(s, w);
    case CHY_WRITE_OUTBOX_DONE: return apply_outbox_done(s, w);
    case CHY_WRITE_OUTBOX_ASIDE: return apply_outbox_aside(s, w);
    case CHY_WRITE_OUTBOX_ADD: return add_owed(s, w, w->entry->request_id);
    case CHY_WRITE_CONFIG: return apply_config(s, w);
    case CHY_WRITE_META: return set_path(s, w, CHY_SQL_META_SET, CHY_SQL_META_REMOVE, false);
    case CHY_WRITE_REVOKE: return apply_revoke(s, w);
    case CHY_WRITE_CRL: return apply_crl(s, w);
    case CHY_WRITE_PROBE: return apply_probe(s, w);
    }
    chy_fail(&w->err, CHY_E_INVALIDARG, "the database: no such kind of record (%d)", (int)w->kind);
    return REFUSED;
}

static enum outcome apply_together(struct chy_sqlite *s, struct chy_write **batch, size_t n,
                                   struct chy_err *err)
{
    enum outcome o = run(s, CHY_SQL_BEGIN, err);
    for (size_t i = 0; i < n && o == APPLIED; i++) {
        o = apply(s, batch[i]);
        batch[i]->result = CHY_S_OK;
        if (o == BROKEN) *err = batch[i]->err;
    }
    return o;
}

static enum outcome apply_one(struct chy_sqlite *s, struct chy_write *w, struct chy_err *err)
{
    if (run(s, CHY_SQL_SAVE, err) != APPLIED) return BROKEN;
    enum outcome o = apply(s, w);
    w->result = o == APPLIED ? CHY_S_OK : w->err.code;
    if (o == BROKEN) {
        *err = w->err;
        return BROKEN;
    }
    if (o == REFUSED && run(s, CHY_SQL_SAVE_UNDO, err) != APPLIED) return BROKEN;
    return run(s, CHY_SQL_SAVE_DROP, err) == APPLIED ? APPLIED : BROKEN;
}

static enum outcome apply_apart(struct chy_sqlite *s, struct chy_write **batch, size_t n,
                                struct chy_err *err)
{
    enum outcome o = run(s, CHY_SQL_ROLLBACK, err);
    if (o == APPLIED) o = run(s, CHY_SQL_BEGIN, err);
    for (size_t i = 0; i < n && o == APPLIED; i++)
        o = apply_one(s, batch[i], err);
    return o == APPLIED ? APPLIED : BROKEN;
}

static enum outcome commit(struct chy_sqlite *s, struct chy_err *err)
{
    (void)CHY_FAULT("store.before_commit");
    if (CHY_FAULT("store.commit_fails")) {
        chy_fail(err, CHY_ERROR_IO_DEVICE, "the database %s: writing failed: fault point", s->path);
        return BROKEN;
    }
    enum outcome o = run(s, CHY_SQL_COMMIT, err);
    (void)CHY_FAULT("store.after_commit");
    return o == APPLIED ? APPLIED : BROKEN;
}

static chy_hresult reopen(struct chy_sqlite *s, struct chy_err *err)
{
    chy_hresult hr = chy_conn_open(&s->writer, s->path, CHY_CONN_WRITES, s->cache_kib, err);
    if (hr != CHY_S_OK) return hr;
    if (sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
        SQLITE_OK)
        hr = chy_open_intents_load(s, err);
    else
        hr = chy_conn_fail(s->writer.db, s->path, "making its log durable", err);
    if (hr == CHY_S_OK)
        chy_log_gather(s->writer.db);
    else
        chy_conn_close(&s->writer, true);
    return hr;
}

static void note_durable(struct chy_sqlite *s, struct chy_write **batch, size_t n)
{
    atomic_fetch_add(&s->commits, 1);
    atomic_fetch_add(&s->records, n);
    for (size_t i = 0; i < n; i++) {
        if (batch[i]->kind == CHY_WRITE_FINAL && batch[i]->result == CHY_S_OK)
            chy_open_intents_remove(&s->open, batch[i]->row->id);
    }
}

static void write_batch(struct chy_sqlite *s, struct chy_write **batch, size_t n)
{
    struct chy_err err = {.code = CHY_S_OK};
    enum outcome o = BROKEN;
    if (s->writer.db || reopen(s, &err) == CHY_S_OK) {
        o = apply_together(s, batch, n, &err);
        if (o == REFUSED) o = apply_apart(s, batch, n, &err);
        if (o == APPLIED) o = commit(s, &err);
        if (o == BROKEN) {
            if (!sqlite3_get_autocommit(s->writer.db))
                (void)sqlite3_exec(s->writer.db, "ROLLBACK", NULL, NULL, NULL);
            chy_conn_close(&s->writer, true);
        }
    }
    if (o == APPLIED) note_durable(s, batch, n);
    chy_wakes_hold();
    for (size_t i = 0; i < n; i++) {
        struct chy_write *w = batch[i];
        if (o == BROKEN) {
            w->err = err;
            w->result = err.code;
        }
        if (w->done) w->done(w, w->arg);
    }
    chy_wakes_let_go();
}

/* All that is queued. When its senders have more under way, the commit waits for that: one commit
 * costs an fsync and the rewriting of every index's last page, a record of its own only its octets.
 */
static struct chy_node *take(struct chy_sqlite *s)
{
    chy_queue_wait(&s->queue);
    size_t soon = atomic_load(&s->soon);
    if (soon) chy_queue_gather(&s->queue, soon < GATHER ? soon + 1 : GATHER, GATHER_US);
    return chy_queue_take_all(&s->queue, false);
}

void *chy_sqlite_writer_main(void *arg)
{
    struct chy_sqlite *s = arg;
    struct chy_write *batch[CHY_STORE_BATCH];
    struct chy_node *node;
    while ((node = take(s)) != NULL) {
        while (node) {
            size_t n = 0;
            for (; node && n < CHY_STORE_BATCH; node = node->next)
                batch[n++] = (struct chy_write *)node;
            write_batch(s, batch, n);
        }
    }
    return NULL;
}

_Static_assert(offsetof(struct chy_write, node) == 0, "a node of the queue is its record");

void chy_sqlite_write(struct chy_store *base, struct chy_write *w)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    w->result = CHY_S_OK;
    chy_err_clear(&w->err);
    size_t soon = w->soon; /* the record is the writer's once it is in the queue */
    atomic_store(&s->soon, soon);
    if (chy_queue_push(&s->queue, &w->node)) {
        if (!soon) chy_queue_no_more_soon(&s->queue);
        return;
    }
    w->result =
        chy_fail(&w->err, CHY_ERROR_SERVICE_NOT_ACTIVE, "the database %s is closing", s->path);
    if (w->done) w->done(w, w->arg);
}

/* Under ids_lock: nobody gets an id before the number behind it is durable. */
static chy_hresult store_next_id(struct chy_sqlite *s, int32_t next, struct chy_err *err)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", next);
    struct chy_write w = {
        .kind = CHY_WRITE_META, .path = CHY_META_NEXT_ID, .value = chy_span_cstr(text)};
    return chy_store_write_wait(&s->base, &w, err);
}

chy_hresult chy_sqlite_reserve_ids(struct chy_store *base, int32_t count, int32_t *first,
                                   struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    chy_hresult hr;
    pthread_mutex_lock(&s->ids_lock);
    if (count < 1 || count > INT32_MAX - s->next_id) {
        hr = chy_fail(err, CHY_E_INVALIDARG, "request ids: %d more do not fit behind %d", count,
                      s->next_id - 1);
    } else {
        hr = store_next_id(s, s->next_id + count, err);
    }
    if (hr == CHY_S_OK) {
        *first = s->last_reserved = s->next_id;
        s->next_id += count;
    }
    pthread_mutex_unlock(&s->ids_lock);
    return hr;
}

chy_hresult chy_sqlite_release_ids(struct chy_store *base, int32_t next_unused, struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    chy_hresult hr = CHY_S_FALSE;
    pthread_mutex_lock(&s->ids_lock);
    if (next_unused >= s->last_reserved && next_unused < s->next_id) {
        hr = store_next_id(s, next_unused, err);
        if (hr == CHY_S_OK) s->last_reserved = s->next_id = next_unused;
    }
    pthread_mutex_unlock(&s->ids_lock);
    return hr;
}
