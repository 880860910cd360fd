/* All SQL that does not depend on a query, and the schema: PRAGMA user_version says what a file has
 * seen. A new one gets its tables whole; for an older one there are steps, which are never changed
 * once they were released.
 *
 * Why the tables look so: a key that rises appends to its tree, a random one dirties a page of its
 * own at every insert and makes issuance slower with each million of rows. So ids and serials rise,
 * nothing else is indexed for every row, and the other indices are partial. */
#include <stdio.h>

#include "store/sqlite_internal.h"

#define COLUMN(name, kind) {#name, CHY_COLUMN_##kind, offsetof(struct chy_row, name)},
const struct chy_column chy_row_columns[CHY_ROW_COLUMNS] = {
    COLUMN(id, INT) COLUMN(disposition, INT) CHY_ROW_REST(COLUMN) CHY_ROW_DER(COLUMN)};
#undef COLUMN

#define COMMA_MARK(name, kind) ",?"
#define ROW_MARKS "?,?" CHY_ROW_REST(COMMA_MARK) CHY_ROW_DER(COMMA_MARK)
#define COMMA_SET(name, kind) "," #name "=excluded." #name
#define ROW_SETS "disposition=excluded.disposition" CHY_ROW_REST(COMMA_SET) CHY_ROW_DER(COMMA_SET)

#define AS_DECIDED_ON                                                                              \
    " WHERE id=?1 AND disposition=?2 AND revoked_reason=?3 AND crl_flags=?4"                       \
    " AND raw_certificate IS NOT NULL"
/* What the change says, and the row for the rest. */
#define PACKED(disposition, reason, crl_flags, dates)                                              \
    "standing=chy_standing(shard,issuer_index,serial,id," disposition "," reason "," crl_flags     \
    "," dates ",not_after)"
#define OWN_DATES "revoked_when,revoked_effective_when,invalidity_when"
#define HISTORY                                                                                    \
    "request_id,serial,issuer_index,shard,disposition,reason,revoked_when,effective_when,"         \
    "invalidity_when,crl_flags,author,message"
#define OUTBOX                                                                                     \
    "SELECT seq,request_id,event,module,occurred,attempts,next_try,first_failed,failed_when,error" \
    " FROM outbox"
#define OF_BOTH " AND (?2 IS NULL OR module=?2) AND (?3=0 OR request_id=?3)"
#define IN_ORDER " ORDER BY seq LIMIT ?5"
#define REVOKED                                                                                    \
    "id,serial,disposition,revoked_reason,crl_flags,revoked_when,revoked_effective_when,"          \
    "invalidity_when,not_after"
#define CRL                                                                                        \
    "key_index,shard,is_delta,number,base_number,entries,size,this_update,next_update,"            \
    "this_publish,next_publish,propagated,seq,flags,status,error,attempts,sign_us"
#define CRL_SET(name) #name "=excluded." #name
#define CRL_SETS                                                                                                                                              \
    CRL_SET(base_number)                                                                                                                                      \
    "," CRL_SET(entries) "," CRL_SET(size) "," CRL_SET(this_update) "," CRL_SET(next_update) "," CRL_SET(this_publish) "," CRL_SET(next_publish) "," CRL_SET( \
        propagated) "," CRL_SET(seq) "," CRL_SET(flags) "," CRL_SET(status) "," CRL_SET(error) "," CRL_SET(attempts) "," CRL_SET(sign_us) "," CRL_SET(last_publish)

const char *const chy_sql_text[CHY_SQL_COUNT] = {
    [CHY_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [CHY_SQL_BEGIN_READ] = "BEGIN",
    [CHY_SQL_COMMIT] = "COMMIT",
    [CHY_SQL_ROLLBACK] = "ROLLBACK",
    [CHY_SQL_SAVE] = "SAVEPOINT one",
    [CHY_SQL_SAVE_UNDO] = "ROLLBACK TO one",
    [CHY_SQL_SAVE_DROP] = "RELEASE one",
    [CHY_SQL_INTENT_CLASH] = "SELECT 1 FROM request WHERE serial=?2 AND id<>?1 UNION ALL"
                             " SELECT 1 FROM request WHERE id=?1 AND raw_certificate IS NOT NULL",
    [CHY_SQL_INTENT_TWIN] = "SELECT 1 FROM intent WHERE serial=?2 AND id<>?1",
    [CHY_SQL_INTENT_ADD] = "INSERT INTO intent(" CHY_SQL_ROW ",tbs) VALUES(" ROW_MARKS ",?)",
    [CHY_SQL_INTENT_REMOVE] = "DELETE FROM intent WHERE id=?",
    [CHY_SQL_FINAL] =
        "INSERT INTO request(" CHY_SQL_ROW ") VALUES(" ROW_MARKS ")"
        " ON CONFLICT(id) DO UPDATE SET " ROW_SETS " WHERE request.raw_certificate IS NULL"
        " OR (request.raw_certificate IS excluded.raw_certificate"
        " AND request.revoked_when IS NULL AND request.crl_flags=0)",
    [CHY_SQL_FINAL_SAME] = "SELECT 1 FROM request WHERE id=? AND raw_certificate IS ?",
    /* What it was decided on comes first in all three. */
    [CHY_SQL_REVOKE] = "UPDATE request SET disposition=?5,crl_flags=?6,revoked_reason=?7,"
                       "message=coalesce(?8,message),revoked_when=?9,revoked_effective_when=?10,"
                       "invalidity_when=?11," PACKED("?5", "?7", "?6", "?9,?10,?11") AS_DECIDED_ON,
    /* The dates of what was undone stay. */
    [CHY_SQL_RELEASE] =
        "UPDATE request SET disposition=?5,crl_flags=?6,revoked_reason=?7,"
        "message=coalesce(?8,message)," PACKED("?5", "?7", "?6", OWN_DATES) AS_DECIDED_ON,
    [CHY_SQL_MARK] = "UPDATE request SET crl_flags=?5," PACKED("disposition", "revoked_reason",
                                                               "?5", OWN_DATES) AS_DECIDED_ON,
    [CHY_SQL_PACK] = "UPDATE request SET " PACKED(
        "disposition", "revoked_reason", "crl_flags",
        OWN_DATES) " WHERE revoked_when IS NOT NULL AND standing IS NULL",
    [CHY_SQL_HISTORY_ADD] = "INSERT INTO revocation(seq," HISTORY ") VALUES(?,?,?,?,?,?,?,?,?,?,?,"
                            "?,?)",
    [CHY_SQL_CRL_SET] =
        "INSERT INTO crl(" CRL ",last_publish,sha256) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
        "?,?,?,?,?,x'') ON CONFLICT(key_index,shard,is_delta,number) DO UPDATE SET " CRL_SETS,
    [CHY_SQL_CRL_DROP] = "DELETE FROM crl WHERE key_index=? AND shard=? AND is_delta=? AND number<?"
                         " AND next_update<?",
    /* Most requests are decided once. To look for a record before this one is added costs as much
     * as all of a request's own row: SQLite keeps what it selects from a table that it inserts
     * into. */
    [CHY_SQL_EVIDENCE_FIRST] = "INSERT INTO evidence(rank,decided_when,packed) VALUES(?1<<16,?2,?3)"
                               " ON CONFLICT(rank) DO NOTHING",
    [CHY_SQL_EVIDENCE_ADD] =
        "INSERT INTO evidence(rank,decided_when,packed) SELECT coalesce(last+1,?1<<16),?2,?3"
        " FROM (SELECT max(rank) AS last FROM evidence WHERE rank BETWEEN ?1<<16 AND "
        "(?1<<16)+65535)"
        " WHERE last IS NULL OR last<(?1<<16)+65535",
    [CHY_SQL_EVIDENCE] = "SELECT rank,decided_when,packed FROM evidence"
                         " WHERE rank BETWEEN ?1<<16 AND (?1<<16)+65535 ORDER BY rank",
    [CHY_SQL_OUTBOX_ADD] =
        "INSERT INTO outbox(seq,request_id,event,module,occurred) VALUES(?,?,?,?,?)",
    /* One alone goes whatever was said of it. */
    [CHY_SQL_OUTBOX_REMOVE] = "DELETE FROM outbox WHERE seq BETWEEN ?1 AND ?2 AND module=?3"
                              " AND (next_try IS NULL OR ?1=?2)",
    [CHY_SQL_OUTBOX_ASIDE] = "UPDATE outbox SET attempts=?2,next_try=?3,first_failed=?4,"
                             "failed_when=?5,error=?6 WHERE seq=?1",
    [CHY_SQL_CONFIG_HISTORY] =
        "INSERT INTO config_history(path,old_value,new_value,author,changed_when)"
        " VALUES(?1,(SELECT value FROM config WHERE path=?1),?2,?3,?4)",
    [CHY_SQL_CONFIG_SET] = "INSERT INTO config(path,value) VALUES(?,?)"
                           " ON CONFLICT(path) DO UPDATE SET value=excluded.value",
    [CHY_SQL_CONFIG_REMOVE] = "DELETE FROM config WHERE path=?",
    [CHY_SQL_META_SET] = "INSERT INTO meta(path,value) VALUES(?,?)"
                         " ON CONFLICT(path) DO UPDATE SET value=excluded.value",
    [CHY_SQL_META_REMOVE] = "DELETE FROM meta WHERE path=?",
    [CHY_SQL_GET] = "SELECT " CHY_SQL_ROW " FROM request WHERE id=?",
    [CHY_SQL_GET_INTENT] = "SELECT " CHY_SQL_ROW " FROM intent WHERE id=?",
    [CHY_SQL_GET_SERIAL] = "SELECT " CHY_SQL_ROW " FROM request WHERE serial=?",
    [CHY_SQL_INTENTS] = "SELECT " CHY_SQL_ROW ",tbs FROM intent WHERE id>? ORDER BY id LIMIT 1",
    [CHY_SQL_INTENT_SERIALS] = "SELECT id,serial FROM intent",
    [CHY_SQL_OUTBOX_STRAIGHT] = OUTBOX " WHERE seq>?1 AND module=?2 AND next_try IS NULL" IN_ORDER,
    [CHY_SQL_OUTBOX_DUE] =
        OUTBOX " WHERE module=?2 AND failed_when IS NULL AND next_try IS NOT NULL"
               " AND (next_try<=?4 OR next_try>?6) AND NOT EXISTS(SELECT 1 FROM outbox b"
               " WHERE b.module=?2 AND b.failed_when IS NULL"
               " AND b.next_try IS NOT NULL AND b.seq<outbox.seq"
               " AND b.request_id=outbox.request_id AND b.request_id<>0)"
               " ORDER BY next_try,seq LIMIT ?5",
    [CHY_SQL_OUTBOX_SET_ASIDE] = OUTBOX " WHERE module=?2 AND request_id=?3 AND failed_when IS NULL"
                                        " AND next_try IS NOT NULL AND seq>?1" IN_ORDER,
    [CHY_SQL_OUTBOX_FAILED] = OUTBOX
    " WHERE seq>?1 AND failed_when IS NOT NULL AND next_try IS NOT NULL" OF_BOTH IN_ORDER,
    [CHY_SQL_OUTBOX_ALL] = OUTBOX " WHERE seq>?1" OF_BOTH IN_ORDER,
    [CHY_SQL_OUTBOX_COUNTS] = "SELECT count(*) FILTER(WHERE failed_when IS NULL),"
                              "count(*) FILTER(WHERE failed_when IS NOT NULL),"
                              "min(next_try) FILTER(WHERE failed_when IS NULL),"
                              "max(next_try) FILTER(WHERE failed_when IS NULL)"
                              " FROM outbox WHERE module=? AND next_try IS NOT NULL",
    [CHY_SQL_OUTBOX_COUNT_STRAIGHT] =
        "SELECT count(*) FROM outbox WHERE module=? AND next_try IS NULL",
    [CHY_SQL_CONFIG] = "SELECT path,value FROM config ORDER BY path",
    [CHY_SQL_META] = "SELECT value FROM meta WHERE path=?",
    [CHY_SQL_LAST_ID] = "SELECT max((SELECT coalesce(max(id),0) FROM request),"
                        "(SELECT coalesce(max(id),0) FROM intent))",
    [CHY_SQL_LAST_SERIAL] = "SELECT max(serial) FROM request WHERE serial IS NOT NULL",
    [CHY_SQL_LAST_SEQ] = "SELECT coalesce(max(seq),0) FROM outbox",
    /* typeof() looks at a row's head alone. The column behind the octets is read only if it can
     * say something. */
    [CHY_SQL_STANDING] =
        "SELECT id,issuer_index,disposition,revoked_reason,revoked_when,revoked_effective_when,"
        "CASE WHEN revoked_when IS NOT NULL THEN invalidity_when END,not_before,not_after"
        " FROM request WHERE serial=? AND typeof(raw_certificate)='blob'",
    /* chy_take() is handed each and ends the piece: a row comes back for that one alone. */
    [CHY_SQL_REVOKED] = "SELECT 1 FROM request WHERE revoked_when IS NOT NULL AND standing>?"
                        " AND chy_take(standing) ORDER BY standing LIMIT 1",
    [CHY_SQL_REVOKED_ONE] =
        "SELECT " REVOKED
        ",shard,issuer_index FROM request WHERE id=? AND revoked_when IS NOT NULL",
    [CHY_SQL_CHANGED] = "SELECT seq,request_id,shard,issuer_index FROM revocation WHERE seq>?"
                        " ORDER BY seq LIMIT ?",
    [CHY_SQL_CAME_DUE] =
        "SELECT request_id,shard,issuer_index FROM revocation WHERE effective_when>revoked_when"
        " AND effective_when>? AND effective_when<=?",
    [CHY_SQL_NEXT_EFFECTIVE] = "SELECT min(effective_when) FROM revocation"
                               " WHERE effective_when>revoked_when AND effective_when>?",
    [CHY_SQL_LAST_REVOCATION] = "SELECT coalesce(max(seq),0) FROM revocation",
    [CHY_SQL_HISTORY] = "SELECT seq," HISTORY " FROM revocation WHERE request_id=? ORDER BY seq",
    [CHY_SQL_CRLS] = "SELECT " CRL " FROM crl ORDER BY key_index,shard,is_delta,number",
};

#define ROW_DEFINITION                                                                             \
    "id INTEGER PRIMARY KEY,disposition INTEGER NOT NULL,status INTEGER NOT NULL,"                 \
    "submitted_when INTEGER,resolved_when INTEGER,request_type INTEGER NOT NULL,"                  \
    "request_flags INTEGER NOT NULL,not_before INTEGER,not_after INTEGER,"                         \
    "issuer_index INTEGER NOT NULL,revoked_when INTEGER,revoked_effective_when INTEGER,"           \
    "revoked_reason INTEGER NOT NULL,serial BLOB,message TEXT,requester_name TEXT,"                \
    "caller_name TEXT,template_name TEXT,request_subject TEXT,subject TEXT,common_name TEXT,"      \
    "request_attributes TEXT,attributes BLOB,extensions BLOB,properties BLOB,"                     \
    "raw_certificate BLOB,raw_request BLOB"

/* What steps after the first added to it. */
#define ROW_LATER                                                                                  \
    ",shard INTEGER NOT NULL DEFAULT 0,crl_flags INTEGER NOT NULL DEFAULT 0,"                      \
    "invalidity_when INTEGER"
/* A CRL is one stretch of it. The second column lets the condition be seen in the index. */
#define REVOKED_INDEX                                                                              \
    "CREATE INDEX request_revoked ON request(standing,revoked_when)"                               \
    " WHERE revoked_when IS NOT NULL"

#define OUTBOX_LATER                                                                               \
    ",occurred INTEGER,attempts INTEGER NOT NULL DEFAULT 0,next_try INTEGER,"                      \
    "first_failed INTEGER,failed_when INTEGER,error TEXT"
#define OUTBOX_INDEX                                                                               \
    "CREATE INDEX outbox_aside ON outbox(module,failed_when,next_try) WHERE next_try IS NOT NULL"
/* What of a request is set aside, without a look at all that is. */
#define OUTBOX_BEHIND_INDEX                                                                        \
    "CREATE INDEX outbox_behind ON outbox(module,request_id) WHERE next_try IS NOT NULL"

/* A new database gets its tables as they are now: every column that is added later is a reading of
 * the whole schema, and a throwaway waits for it. */
static const char *const tables_now[] = {
    "CREATE TABLE request(" ROW_DEFINITION ROW_LATER ",standing BLOB) STRICT",
    /* 20 octets that rise with time: an append, and the rule that a serial is never used twice. */
    "CREATE UNIQUE INDEX request_serial ON request(serial) WHERE serial IS NOT NULL",
    "CREATE INDEX request_pending ON request(disposition) WHERE disposition=9",
    "CREATE INDEX request_not_after ON request(not_after) WHERE not_after IS NOT NULL",
    REVOKED_INDEX, "CREATE TABLE intent(" ROW_DEFINITION ",tbs BLOB NOT NULL" ROW_LATER ") STRICT",
    "CREATE TABLE outbox(seq INTEGER PRIMARY KEY,request_id INTEGER NOT NULL,"
    "event INTEGER NOT NULL,module TEXT NOT NULL" OUTBOX_LATER ") STRICT",
    OUTBOX_INDEX, OUTBOX_BEHIND_INDEX,
    "CREATE TABLE config(rank INTEGER PRIMARY KEY,path TEXT NOT NULL UNIQUE,value TEXT NOT NULL)"
    " STRICT",
    "CREATE TABLE config_history(change INTEGER PRIMARY KEY,path TEXT NOT NULL,old_value TEXT,"
    "new_value TEXT,author TEXT,changed_when INTEGER) STRICT",
    "CREATE TABLE meta(rank INTEGER PRIMARY KEY,path TEXT NOT NULL UNIQUE,value BLOB NOT NULL)"
    " STRICT",
    NULL};

#define ADD_TO(table, column) "ALTER TABLE " table " ADD COLUMN " column

static const char *const columns_3[] = {ADD_TO("request", "shard INTEGER NOT NULL DEFAULT 0"),
                                        ADD_TO("request", "crl_flags INTEGER NOT NULL DEFAULT 0"),
                                        ADD_TO("request", "invalidity_when INTEGER"),
                                        ADD_TO("intent", "shard INTEGER NOT NULL DEFAULT 0"),
                                        ADD_TO("intent", "crl_flags INTEGER NOT NULL DEFAULT 0"),
                                        ADD_TO("intent", "invalidity_when INTEGER"),
                                        "DROP INDEX request_revoked",
                                        ADD_TO("request", "standing BLOB"),
                                        REVOKED_INDEX,
                                        NULL};

static const char *const tables_3[] = {
    "CREATE TABLE revocation(seq INTEGER PRIMARY KEY,request_id INTEGER NOT NULL,serial BLOB,"
    "issuer_index INTEGER NOT NULL,shard INTEGER NOT NULL,disposition INTEGER NOT NULL,"
    "reason INTEGER NOT NULL,revoked_when INTEGER,effective_when INTEGER,invalidity_when INTEGER,"
    "crl_flags INTEGER NOT NULL,author TEXT,message TEXT) STRICT",
    "CREATE INDEX revocation_request ON revocation(request_id)",
    "CREATE INDEX revocation_ahead ON revocation(effective_when)"
    " WHERE effective_when>revoked_when",
    "CREATE TABLE crl(rank INTEGER PRIMARY KEY,key_index INTEGER NOT NULL,shard INTEGER NOT NULL,"
    "is_delta INTEGER NOT NULL,number INTEGER NOT NULL,base_number INTEGER NOT NULL,"
    "entries INTEGER NOT NULL,size INTEGER NOT NULL,sha256 BLOB NOT NULL,this_update INTEGER,"
    "next_update INTEGER,this_publish INTEGER,next_publish INTEGER,propagated INTEGER,"
    "seq INTEGER NOT NULL,flags INTEGER NOT NULL,status INTEGER NOT NULL,error TEXT,"
    "attempts INTEGER NOT NULL,sign_us INTEGER NOT NULL,last_publish INTEGER,"
    "UNIQUE(key_index,shard,is_delta,number)) STRICT",
    NULL};

/* rank is the request's id and, in the lower 16 bits, which of its decisions: no index is needed to
 * find a request's, and the table only ever grows at its end, but for what is decided again. */
static const char *const tables_5[] = {
    "CREATE TABLE evidence(rank INTEGER PRIMARY KEY,decided_when INTEGER,packed BLOB NOT NULL)"
    " STRICT",
    NULL};

static const char *const columns_6[] = {ADD_TO("outbox", "occurred INTEGER"),
                                        ADD_TO("outbox", "attempts INTEGER NOT NULL DEFAULT 0"),
                                        ADD_TO("outbox", "next_try INTEGER"),
                                        ADD_TO("outbox", "first_failed INTEGER"),
                                        ADD_TO("outbox", "failed_when INTEGER"),
                                        ADD_TO("outbox", "error TEXT"),
                                        OUTBOX_INDEX,
                                        NULL};

static const char *const indexes_7[] = {OUTBOX_BEHIND_INDEX, NULL};

static const char *const indexes_8[] = {"DROP INDEX intent_serial", NULL};

/* since: the version with which it came; a file of an older one gets it. A new file gets what is
 * not only for old ones. */
enum { VERSION = 8 };
#define SET_VERSION "PRAGMA user_version=8"
static const struct {
    int since;
    bool new_too;
    const char *const *sql;
} steps[] = {{1, true, tables_now}, {2, true, chy_sql_views},     {3, false, columns_3},
             {3, true, tables_3},   {4, true, chy_sql_views_crl}, {5, true, tables_5},
             {6, false, columns_6}, {7, false, indexes_7},        {8, false, indexes_8}};

/* "Chcy": tells file(1) and ourselves whose database this is. */
enum { APPLICATION_ID = 0x43686379 };
#define SET_APPLICATION_ID "PRAGMA application_id=1130914681"

static chy_hresult read_number(struct chy_conn *c, const char *sql, const char *path, int64_t *out,
                               struct chy_err *err)
{
    sqlite3_stmt *st = NULL;
    chy_hresult hr = CHY_S_OK;
    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        hr = chy_conn_fail(c->db, path, "reading its version", err);
    } else {
        *out = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return hr;
}

static chy_hresult run_all(struct chy_conn *c, const char *const *sql, const char *path,
                           struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    for (; *sql && hr == CHY_S_OK; sql++)
        hr = chy_conn_run(c, *sql, path, err);
    return hr;
}

/* All that a file of this version (0: a new one) has not, or nothing. */
static chy_hresult run_steps(struct chy_conn *c, int64_t version, const char *path,
                             struct chy_err *err)
{
    chy_hresult hr = chy_conn_run(c, "BEGIN IMMEDIATE", path, err);
    if (hr != CHY_S_OK) return hr;
    for (size_t i = 0; i < CHY_ARRAY_LEN(steps) && hr == CHY_S_OK; i++) {
        if (version ? steps[i].since > version : steps[i].new_too)
            hr = run_all(c, steps[i].sql, path, err);
    }
    if (hr == CHY_S_OK && !version) hr = chy_conn_run(c, SET_APPLICATION_ID, path, err);
    if (hr == CHY_S_OK) hr = chy_conn_run(c, SET_VERSION, path, err);
    if (hr == CHY_S_OK) hr = chy_conn_run(c, "COMMIT", path, err);
    if (hr != CHY_S_OK) (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return hr;
}

chy_hresult chy_schema_check(struct chy_conn *c, const char *path, struct chy_err *err)
{
    int64_t version = 0;
    int64_t application = 0;
    chy_hresult hr = read_number(c, "PRAGMA user_version", path, &version, err);
    if (hr == CHY_S_OK) hr = read_number(c, "PRAGMA application_id", path, &application, err);
    if (hr != CHY_S_OK) return hr;
    if (application != APPLICATION_ID)
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "the database %s was made by another program",
                        path);
    if (version == VERSION) return CHY_S_OK;
    return chy_fail(err, CHY_ERROR_NOT_SUPPORTED,
                    "the database %s has version %lld, this program reads version %d: start a "
                    "chanceryd of this program's version on it first",
                    path, (long long)version, VERSION);
}

chy_hresult chy_schema_migrate(struct chy_conn *c, const char *path, bool may_make,
                               struct chy_err *err)
{
    int64_t version = 0;
    int64_t application = 0;
    int64_t tables = 0;
    chy_hresult hr = read_number(c, "PRAGMA user_version", path, &version, err);
    if (hr == CHY_S_OK) hr = read_number(c, "PRAGMA application_id", path, &application, err);
    if (hr == CHY_S_OK)
        hr = read_number(c, "SELECT count(*) FROM sqlite_schema", path, &tables, err);
    if (hr != CHY_S_OK) return hr;
    if (tables == 0 && !may_make) return chy_fail_lost(path, err);
    if (tables > 0 && application != APPLICATION_ID)
        return chy_fail(err, CHY_ERROR_INVALID_DATA,
                        "the database %s was made by another program: choose another --dir", path);
    if (version < 0 || version > VERSION)
        return chy_fail(err, CHY_ERROR_NOT_SUPPORTED,
                        "the database %s has version %lld, this chanceryd knows versions up to %d:"
                        " start the newer chanceryd that wrote it",
                        path, (long long)version, VERSION);
    if (version < VERSION) hr = run_steps(c, version, path, err);
    if (hr == CHY_S_OK) hr = chy_conn_run(c, chy_sql_text[CHY_SQL_PACK], path, err);
    return hr;
}
