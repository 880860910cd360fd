#include "power.h"

#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

void power_fail(const struct power *p, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    fail_msg("CHANCERY_SEED=%llu, round %u: %s", (unsigned long long)p->seed, p->round, text);
    abort(); /* fail_msg does not come back */
}

void power_trouble(struct power *p, const char *format, ...)
{
    va_list ap;
    pthread_mutex_lock(&p->lock);
    va_start(ap, format);
    if (!p->trouble[0]) vsnprintf(p->trouble, sizeof(p->trouble), format, ap);
    va_end(ap);
    pthread_mutex_unlock(&p->lock);
}

/* ---- the database, read beside the engine ---- */

static sqlite3 *db_open(const struct power *p)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(p->db, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        POWER_FAIL(p, "opening the database for the audit: %s", sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 5000);
    /* The log stays as the engine is to find it. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    return db;
}

static sqlite3_stmt *db_ask(const struct power *p, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        POWER_FAIL(p, "%s: %s", sql, sqlite3_errmsg(db));
    return st;
}

static bool db_row(const struct power *p, sqlite3 *db, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) POWER_FAIL(p, "audit: %s", sqlite3_errmsg(db));
    return rc == SQLITE_ROW;
}

static int64_t db_number(const struct power *p, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = db_ask(p, db, sql);
    int64_t n = db_row(p, db, st) ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return n;
}

static struct chy_span db_blob(sqlite3_stmt *st, int at)
{
    const void *blob = sqlite3_column_blob(st, at);
    return chy_span_of(blob, (size_t)sqlite3_column_bytes(st, at));
}

static void db_wait_for_none(const struct power *p, sqlite3 *db, const char *table)
{
    char sql[64];
    const struct timespec pause = {.tv_nsec = 1000000};
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    for (int i = 0; db_number(p, db, sql) > 0; i++) {
        if (i == 15000) POWER_FAIL(p, "table %s still holds something after 15 s", table);
        nanosleep(&pause, NULL);
    }
}

/* ---- making ---- */

static void set(struct power *p, const char *path, const char *json)
{
    struct chy_err err = {0};
    if (chy_ca_config_set(p->e.ca, &officer, path, json, &err) != CHY_S_OK)
        POWER_FAIL(p, "%s: %s", path, err.text);
}

/* A page of one sector: more writes in a commit, and the log is full after far fewer requests. */
static void shrink_pages(struct power *p)
{
    sqlite3 *db = db_open(p);
    char *why = NULL;
    if (sqlite3_exec(db,
                     "PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM;"
                     "PRAGMA journal_mode=WAL",
                     NULL, NULL, &why) != SQLITE_OK)
        POWER_FAIL(p, "smaller pages: %s", why);
    if (db_number(p, db, "PRAGMA page_size") != 512) POWER_FAIL(p, "the pages stayed large");
    sqlite3_close(db);
}

void power_make(struct power *p, const char *disposition, bool small_pages)
{
    char file[200];
    pthread_mutex_init(&p->lock, NULL);
    p->disk = cut_disk_new();
    engine_make(&p->e, disposition);
    snprintf(p->db, sizeof(p->db), "%s/ca.db", p->e.dir);
    snprintf(p->journal, sizeof(p->journal), "%s/journal", p->e.base);
    snprintf(file, sizeof(file), "\"%s\"", p->journal);
    engine_open(&p->e);
    set(p, "ExitModules/Active", "[\"example-exit\"]");
    set(p, "ExitModules/example-exit/File", file);
    engine_shut(&p->e);
    if (small_pages) shrink_pages(p);
    cut_disk_save(p->disk);
}

static void forget_intended(struct power *p)
{
    for (size_t i = 0; i < p->n_intended; i++)
        free(p->intended[i].tbs);
    free(p->intended);
    p->intended = NULL;
    p->n_intended = 0;
}

void power_forget(struct power *p)
{
    for (size_t i = 0; i < p->n_known; i++)
        free(p->known[i].cert);
    free(p->known);
    p->known = NULL;
    p->n_known = 0;
    p->floor = 0;
    p->setting_acknowledged = p->setting_tried = 0;
    forget_intended(p);
    unlink(p->journal);
    cut_disk_restore(p->disk);
}

void power_end(struct power *p)
{
    if (p->e.ca) engine_shut(&p->e);
    power_forget(p);
    engine_end(&p->e);
    cut_disk_free(p->disk);
    pthread_mutex_destroy(&p->lock);
}

/* ---- what was promised ---- */

static struct known *known_at(struct power *p, int32_t id)
{
    size_t at = (size_t)id;
    if (at >= p->n_known) {
        size_t n = at + 256;
        struct known *more = realloc(p->known, n * sizeof(*more));
        if (!more) abort();
        memset(more + p->n_known, 0, (n - p->n_known) * sizeof(*more));
        p->known = more;
        p->n_known = n;
    }
    return &p->known[at];
}

static bool has_certificate(int32_t disposition)
{
    return disposition == CHY_DB_DISP_ISSUED || disposition == CHY_DB_DISP_REVOKED;
}

static void remember(struct known *k, int32_t disposition, struct chy_span serial,
                     struct chy_span cert)
{
    k->is_known = true;
    k->disposition = disposition;
    if (!has_certificate(disposition) || k->cert) return;
    if (serial.n == sizeof(k->serial)) memcpy(k->serial, serial.p, serial.n);
    k->cert = malloc(cert.n ? cert.n : 1);
    if (!k->cert) abort();
    if (cert.n) memcpy(k->cert, cert.p, cert.n);
    k->cert_n = cert.n;
}

void power_acknowledged(struct power *p, const struct answer *a, bool is_first)
{
    bool reused = false;
    pthread_mutex_lock(&p->lock);
    struct known *k = known_at(p, a->id);
    if (is_first) reused = k->is_known || a->id <= p->floor;
    remember(k, a->disposition, CHY_SPAN(a->serial), chy_buf_span(&a->cert));
    k->is_new = true;
    p->acknowledged++;
    if (a->disposition == CHY_DB_DISP_ISSUED) p->issued++;
    pthread_mutex_unlock(&p->lock);
    if (reused) power_trouble(p, "request id %d was given twice", a->id);
}

/* ---- the audit ---- */

static bool is_intended(const struct power *p, int32_t id)
{
    for (size_t i = 0; i < p->n_intended; i++) {
        if (p->intended[i].id == id) return true;
    }
    return false;
}

static void add_intended(struct power *p, int32_t id, struct chy_span tbs)
{
    struct intended *more = realloc(p->intended, (p->n_intended + 1) * sizeof(*more));
    uint8_t *copy = malloc(tbs.n + 1);
    if (!more || !copy) abort();
    if (tbs.n) memcpy(copy, tbs.p, tbs.n);
    p->intended = more;
    more[p->n_intended++] = (struct intended){id, copy, tbs.n};
}

void power_look(struct power *p)
{
    sqlite3 *db = db_open(p);
    sqlite3_stmt *st = db_ask(p, db, "SELECT id,tbs FROM intent");
    while (db_row(p, db, st)) {
        int32_t id = sqlite3_column_int(st, 0);
        if (!is_intended(p, id)) add_intended(p, id, db_blob(st, 1));
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void check_certificate(const struct power *p, int32_t id, struct chy_span serial,
                              struct chy_span cert)
{
    struct chy_err err = {0};
    struct chy_cert *c = malloc(sizeof(*c));
    if (!c) abort();
    if (chy_cert_parse(cert, c, &err) != CHY_S_OK)
        POWER_FAIL(p, "request %d: its certificate is broken: %s", id, err.text);
    if (!chy_span_eq(c->serial, serial))
        POWER_FAIL(p, "request %d: the certificate has another serial", id);
    for (size_t i = 0; i < p->n_intended; i++) {
        const struct intended *in = &p->intended[i];
        if (in->id == id && !chy_span_eq(c->tbs, chy_span_of(in->tbs, in->tbs_n)))
            POWER_FAIL(p, "request %d: signed is not what was meant", id);
    }
    free(c);
}

/* What was decided stays; only a certificate may still be revoked. */
static bool may_become(int32_t was, int32_t is)
{
    return was == CHY_DB_DISP_PENDING || was == is ||
           (was == CHY_DB_DISP_ISSUED && is == CHY_DB_DISP_REVOKED);
}

static void check_row(struct power *p, int32_t id, int32_t disposition, struct chy_span serial,
                      struct chy_span cert)
{
    struct known *k = known_at(p, id);
    bool issued = has_certificate(disposition);
    k->found = true;
    if (!issued && disposition != CHY_DB_DISP_PENDING && disposition != CHY_DB_DISP_DENIED &&
        !(p->may_fail && disposition == CHY_DB_DISP_ERROR))
        POWER_FAIL(p, "request %d: is left with disposition %d", id, disposition);
    if (issued != (cert.n > 0)) POWER_FAIL(p, "request %d: a half certificate", id);
    if (k->is_known && !may_become(k->disposition, disposition))
        POWER_FAIL(p, "request %d: was %d and is %d", id, k->disposition, disposition);
    if (k->cert && (!chy_span_eq(cert, chy_span_of(k->cert, k->cert_n)) ||
                    !chy_span_eq(serial, CHY_SPAN(k->serial))))
        POWER_FAIL(p, "request %d: is not the certificate that was given out", id);
    if (issued && (!k->cert || k->is_new)) check_certificate(p, id, serial, cert);
    remember(k, disposition, serial, cert);
    k->is_new = false;
    if (id > p->floor) p->floor = id;
}

static void check_rows(struct power *p, sqlite3 *db)
{
    sqlite3_stmt *st =
        db_ask(p, db, "SELECT id,disposition,serial,raw_certificate FROM request ORDER BY id");
    for (size_t i = 0; i < p->n_known; i++)
        p->known[i].found = false;
    while (db_row(p, db, st))
        check_row(p, sqlite3_column_int(st, 0), sqlite3_column_int(st, 1), db_blob(st, 2),
                  db_blob(st, 3));
    sqlite3_finalize(st);
    for (size_t i = 0; i < p->n_known; i++) {
        if (p->known[i].is_known && !p->known[i].found)
            POWER_FAIL(p, "request %zu: was acknowledged and is lost", i);
    }
    for (size_t i = 0; i < p->n_intended; i++) {
        const struct known *k = known_at(p, p->intended[i].id);
        if (!has_certificate(k->disposition) && !p->may_fail)
            POWER_FAIL(p, "request %d: its intent was not settled", p->intended[i].id);
    }
    p->settled += p->n_intended;
    if (db_number(p, db,
                  "SELECT count(*)-count(DISTINCT serial) FROM request WHERE serial IS NOT NULL"))
        POWER_FAIL(p, "a serial twice");
}

/* First what is owed, then what was delivered: an event that is crossed off between is in both. */
static void check_events(struct power *p, sqlite3 *db)
{
    char line[1024];
    sqlite3_stmt *st = db_ask(p, db, "SELECT request_id FROM outbox WHERE module='example-exit'");
    bool *owed = calloc(p->n_known + 1, sizeof(*owed));
    if (!owed) abort();
    while (db_row(p, db, st)) {
        size_t id = (size_t)sqlite3_column_int(st, 0);
        if (id < p->n_known) owed[id] = true;
        p->owed++;
    }
    sqlite3_finalize(st);
    FILE *f = fopen(p->journal, "r");
    while (f && fgets(line, sizeof(line), f)) {
        size_t id = (size_t)strtoul(line, NULL, 10);
        if (id < p->n_known) p->known[id].delivered = true;
    }
    if (f) fclose(f);
    for (size_t i = 0; i < p->n_known; i++) {
        const struct known *k = &p->known[i];
        if (k->is_known && has_certificate(k->disposition) && !k->delivered && !owed[i])
            POWER_FAIL(p, "request %zu: its exit event is neither owed nor delivered", i);
    }
    free(owed);
}

static void check_integrity(const struct power *p, sqlite3 *db)
{
    sqlite3_stmt *st = db_ask(p, db, "PRAGMA integrity_check");
    if (!db_row(p, db, st)) POWER_FAIL(p, "no answer to integrity_check");
    const char *text = (const char *)sqlite3_column_text(st, 0);
    if (strcmp(text, "ok") != 0) POWER_FAIL(p, "integrity_check: %s", text);
    sqlite3_finalize(st);
}

static void check_setting(struct power *p)
{
    struct chy_buf json;
    struct chy_err err = {0};
    chy_buf_init(&json, 64);
    if (!p->setting_tried) return;
    chy_hresult hr =
        chy_ca_config_get(p->e.ca, &officer, "ExitModules/example-exit/Note", &json, &err);
    int now = hr == CHY_S_OK ? (int)strtol(chy_buf_cstr(&json), NULL, 10) : 0;
    chy_buf_free(&json);
    if (now < p->setting_acknowledged || now > p->setting_tried)
        POWER_FAIL(p, "a setting was acknowledged as %d and is %d", p->setting_acknowledged, now);
}

void power_audit(struct power *p)
{
    struct chy_ca_health health;
    sqlite3 *db = db_open(p);
    if (p->trouble[0]) POWER_FAIL(p, "%s", p->trouble);
    db_wait_for_none(p, db, "intent");
    check_integrity(p, db);
    check_rows(p, db);
    check_events(p, db);
    sqlite3_close(db);
    check_setting(p);
    chy_ca_health(p->e.ca, &health);
    if (health.trouble) POWER_FAIL(p, "does not serve: %s", health.text);
    forget_intended(p);
}

void power_audit_delivered(struct power *p)
{
    sqlite3 *db = db_open(p);
    db_wait_for_none(p, db, "outbox");
    check_events(p, db);
    sqlite3_close(db);
}
