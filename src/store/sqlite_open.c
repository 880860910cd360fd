/* Opening: the lock, the connections and how each is set up, and what is where at start.
 * Thread: the opener's; the writer thread re-opens its own connection with chy_conn_open. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { BUSY_MS = 5000, CHECKPOINT_PAGES = 4000, READER_CACHE_KIB = 2048 };

static chy_hresult code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL: return CHY_ERROR_DISK_FULL;
    case SQLITE_CONSTRAINT: return CHY_ERROR_ALREADY_EXISTS;
    case SQLITE_NOMEM: return CHY_E_OUTOFMEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return CHY_ERROR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: return CHY_ERROR_INVALID_DATA;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return CHY_ERROR_IO_DEVICE;
    default: return CHY_E_FAIL;
    }
}

chy_hresult chy_conn_fail(sqlite3 *db, const char *path, const char *doing, struct chy_err *err)
{
    int rc = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    return chy_fail(err, code_of(rc), "the database %s: %s failed: %s (SQLite %d)", path, doing,
                    db ? sqlite3_errmsg(db) : "out of memory", rc);
}

chy_hresult chy_conn_run(struct chy_conn *c, const char *sql, const char *path, struct chy_err *err)
{
    if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK) return CHY_S_OK;
    return chy_conn_fail(c->db, path, "setting it up", err);
}

sqlite3_stmt *chy_conn_stmt(struct chy_conn *c, enum chy_sql which, struct chy_err *err)
{
    if (!c->stmt[which] &&
        sqlite3_prepare_v3(c->db, chy_sql_text[which], -1, SQLITE_PREPARE_PERSISTENT,
                           &c->stmt[which], NULL) != SQLITE_OK) {
        chy_conn_fail(c->db, sqlite3_db_filename(c->db, "main"), "preparing a statement", err);
        return NULL;
    }
    return c->stmt[which];
}

static chy_hresult set_up(struct chy_conn *c, const char *path, bool writable, unsigned cache_kib,
                          struct chy_err *err)
{
    char cache[64];
    snprintf(cache, sizeof(cache), "PRAGMA cache_size=-%u", cache_kib);
    sqlite3_busy_timeout(c->db, BUSY_MS);
    if (sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL) != SQLITE_OK ||
        chy_unpack_register(c->db) != SQLITE_OK || chy_take_register(c) != SQLITE_OK ||
        chy_standing_register(c->db) != SQLITE_OK)
        return chy_conn_fail(c->db, path, "setting it up", err);
    chy_hresult hr = chy_conn_run(c, "PRAGMA trusted_schema=OFF", path, err);
    if (hr == CHY_S_OK) hr = chy_conn_run(c, cache, path, err);
    if (hr != CHY_S_OK || !writable) return hr;
    hr = chy_conn_run(c, "PRAGMA journal_mode=WAL", path, err);
    if (hr == CHY_S_OK) hr = chy_conn_run(c, "PRAGMA synchronous=FULL", path, err);
    if (hr == CHY_S_OK) hr = chy_conn_run(c, "PRAGMA foreign_keys=ON", path, err);
    /* Some builds wipe what is deleted. No row holds a secret, and each intent would be written
     * twice. */
    if (hr == CHY_S_OK) hr = chy_conn_run(c, "PRAGMA secure_delete=OFF", path, err);
    if (hr == CHY_S_OK && sqlite3_wal_autocheckpoint(c->db, CHECKPOINT_PAGES) != SQLITE_OK)
        hr = chy_conn_fail(c->db, path, "setting it up", err);
    return hr;
}

chy_hresult chy_conn_open(struct chy_conn *c, const char *path, enum chy_conn_use use,
                          unsigned cache_kib, struct chy_err *err)
{
    bool writable = use != CHY_CONN_READS;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
    flags |= writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (use == CHY_CONN_MAKES) flags |= SQLITE_OPEN_CREATE;
    *c = (struct chy_conn){.db = NULL};
    chy_hresult hr;
    if (sqlite3_open_v2(path, &c->db, flags, NULL) != SQLITE_OK)
        hr = chy_conn_fail(c->db, path, "opening it", err);
    else
        hr = set_up(c, path, writable, writable ? cache_kib : READER_CACHE_KIB, err);
    if (hr != CHY_S_OK) chy_conn_close(c, true);
    return hr;
}

void chy_conn_close(struct chy_conn *c, bool keep_wal)
{
    if (!c->db) return;
    for (size_t i = 0; i < CHY_SQL_COUNT; i++)
        sqlite3_finalize(c->stmt[i]);
    if (keep_wal) (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    (void)sqlite3_close_v2(c->db);
    *c = (struct chy_conn){.db = NULL};
}

static chy_hresult refuse_second(int fd, const char *path, struct chy_err *err)
{
    char pid[16] = {0};
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = 0;
    return chy_fail(err, CHY_ERROR_BUSY,
                    "the database %s is open in another chanceryd (pid %s): stop it, or choose"
                    " another --dir",
                    path, pid[0] ? pid : "unknown");
}

/* An open-file-description lock: it excludes a second opening in this process as well, and the
 * kernel drops it however the process ends. */
static chy_hresult take_lock(struct chy_sqlite *s, const char *lock_path, struct chy_err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char pid[24];
    s->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->lock_fd < 0) return chy_fail_errno(err, "opening %s", lock_path);
    if (fcntl(s->lock_fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES) return refuse_second(s->lock_fd, s->path, err);
        return chy_fail_errno(err, "locking %s", lock_path);
    }
    int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
        return chy_fail_errno(err, "writing %s", lock_path);
    return CHY_S_OK;
}

/* Made here and not by SQLite, so that nobody else may read it (the log takes over its mode) and
 * its name is durable in the folder. */
static chy_hresult make_file(const char *dir, const char *path, struct chy_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) return errno == EEXIST ? CHY_S_OK : chy_fail_errno(err, "creating %s", path);
    close(fd);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        chy_hresult hr = chy_fail_errno(err, "making %s durable", path);
        if (fd >= 0) close(fd);
        return hr;
    }
    close(fd);
    return CHY_S_OK;
}

static chy_hresult read_number(struct chy_conn *c, enum chy_sql which, const char *path,
                               int64_t *out, struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(c, which, err);
    if (!st) return err ? err->code : CHY_E_FAIL;
    chy_hresult hr = CHY_S_OK;
    if (sqlite3_step(st) == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    else
        hr = chy_conn_fail(c->db, path, "reading its last numbers", err);
    sqlite3_reset(st);
    return hr;
}

/* On the writer's connection: a reader would have to read the whole schema first. */
static chy_hresult read_next_id(struct chy_sqlite *s, int64_t *out, struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_META, err);
    if (!st) return err ? err->code : CHY_E_FAIL;
    sqlite3_bind_text(st, 1, CHY_META_NEXT_ID, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    char *end = NULL;
    long long v = text ? strtoll(text, &end, 10) : 0;
    *out = v > 0 && !*end ? v : 0;
    chy_hresult hr = rc == SQLITE_ROW || rc == SQLITE_DONE
                         ? CHY_S_OK
                         : chy_conn_fail(s->writer.db, s->path, "reading its last numbers", err);
    sqlite3_reset(st);
    return hr;
}

static chy_hresult read_highest(struct chy_sqlite *s, int32_t last_id, struct chy_err *err)
{
    if (!last_id) return CHY_S_OK;
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_LAST_SERIAL, err);
    if (!st) return err ? err->code : CHY_E_FAIL;
    chy_hresult hr = CHY_S_OK;
    struct chy_span serial = {0};
    if (sqlite3_step(st) != SQLITE_ROW)
        hr = chy_conn_fail(s->writer.db, s->path, "reading its last numbers", err);
    else if (chy_span_read(st, 0, NULL, &serial))
        chy_highest_note(&s->highest, last_id, serial);
    else
        hr = chy_fail_nomem(err, "the last serial number");
    sqlite3_reset(st);
    return hr;
}

/* The ids and numbers go on behind whatever the file holds, also when it was put together by hand.
 */
static chy_hresult read_last_numbers(struct chy_sqlite *s, struct chy_err *err)
{
    int64_t next = 0;
    int64_t last_id = 0;
    int64_t last_seq = 0;
    int64_t last_change = 0;
    chy_hresult hr = read_number(&s->writer, CHY_SQL_LAST_ID, s->path, &last_id, err);
    if (hr == CHY_S_OK) hr = read_number(&s->writer, CHY_SQL_LAST_SEQ, s->path, &last_seq, err);
    if (hr == CHY_S_OK)
        hr = read_number(&s->writer, CHY_SQL_LAST_REVOCATION, s->path, &last_change, err);
    if (hr == CHY_S_OK) hr = read_next_id(s, &next, err);
    if (hr == CHY_S_OK) hr = read_highest(s, (int32_t)last_id, err);
    if (hr == CHY_S_OK && last_id) hr = chy_open_intents_load(s, err);
    if (hr != CHY_S_OK) return hr;
    if (next <= last_id) next = last_id + 1;
    s->next_id = next > INT32_MAX ? INT32_MAX : (int32_t)next;
    s->last_reserved = s->next_id;
    s->next_seq = last_seq + 1;
    s->next_change = last_change + 1;
    return CHY_S_OK;
}

/* What is queued is written first; the last connection to close copies the log into the database.
 */
static void close_store(struct chy_store *base)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    if (s->has_thread) {
        chy_queue_close(&s->queue);
        pthread_join(s->thread, NULL);
    }
    for (size_t i = 0; i < CHY_STORE_READERS; i++)
        chy_conn_close(&s->reader[i], false);
    chy_conn_close(&s->writer, false);
    chy_open_intents_free(&s->open);
    if (s->lock_fd >= 0) close(s->lock_fd);
    chy_queue_fini(&s->queue);
    pthread_mutex_destroy(&s->ids_lock);
    pthread_mutex_destroy(&s->readers_lock);
    pthread_cond_destroy(&s->readers_wake);
    chy_free(s->path);
    chy_free(s);
}

static size_t backlog(struct chy_store *base)
{
    return chy_queue_len(&((struct chy_sqlite *)base)->queue);
}

static void counters(struct chy_store *base, uint64_t *commits, uint64_t *records)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    *commits = atomic_load(&s->commits);
    *records = atomic_load(&s->records);
}

static const struct chy_store_ops sqlite_ops = {
    .name = "sqlite",
    .close = close_store,
    .write = chy_sqlite_write,
    .reserve_ids = chy_sqlite_reserve_ids,
    .release_ids = chy_sqlite_release_ids,
    .get = chy_sqlite_get,
    .get_by_serial = chy_sqlite_get_by_serial,
    .query = chy_sqlite_query,
    .intents = chy_sqlite_intents,
    .outbox = chy_sqlite_outbox,
    .outbox_counts = chy_sqlite_outbox_counts,
    .config = chy_sqlite_config,
    .meta = chy_sqlite_meta,
    .count = chy_sqlite_count,
    .look_up = chy_sqlite_look_up,
    .revoked = chy_sqlite_revoked,
    .revoked_since = chy_sqlite_revoked_since,
    .next_effective = chy_sqlite_next_effective,
    .last_seq = chy_sqlite_last_seq,
    .history = chy_sqlite_history,
    .evidence = chy_sqlite_evidence,
    .crls = chy_sqlite_crls,
    .backlog = backlog,
    .counters = counters,
};

static struct chy_sqlite *new_store(const char *dir, unsigned cache_kib)
{
    size_t n = strlen(dir) + sizeof("/ca.db");
    struct chy_sqlite *s = chy_calloc(1, sizeof(*s));
    if (!s) return NULL;
    s->path = chy_malloc(n);
    if (!s->path) {
        chy_free(s);
        return NULL;
    }
    snprintf(s->path, n, "%s/ca.db", dir);
    s->base.ops = &sqlite_ops;
    s->cache_kib = cache_kib;
    s->lock_fd = -1;
    chy_queue_init(&s->queue);
    pthread_mutex_init(&s->ids_lock, NULL);
    pthread_mutex_init(&s->readers_lock, NULL);
    pthread_cond_init(&s->readers_wake, NULL);
    return s;
}

chy_hresult chy_fail_lost(const char *path, struct chy_err *err)
{
    return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                    "the database %s: it is lost or empty, and an empty one in its place would "
                    "have forgotten every certificate and what was revoked: put it back from a "
                    "backup",
                    path);
}

static chy_hresult start(struct chy_sqlite *s, const char *dir, bool may_make, struct chy_err *err)
{
    char lock_path[PATH_MAX];
    int n = snprintf(lock_path, sizeof(lock_path), "%s/ca.lock", dir);
    if (n < 0 || (size_t)n >= sizeof(lock_path))
        return chy_fail(err, CHY_E_INVALIDARG, "the folder's name is too long: %.60s...", dir);
    chy_hresult hr = take_lock(s, lock_path, err);
    if (hr == CHY_S_OK && may_make) hr = make_file(dir, s->path, err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_conn_open(&s->writer, s->path, may_make ? CHY_CONN_MAKES : CHY_CONN_WRITES,
                       s->cache_kib, err);
    if (hr != CHY_S_OK && access(s->path, F_OK) != 0 && errno == ENOENT) {
        if (err) chy_err_clear(err);
        hr = chy_fail_lost(s->path, err);
    }
    if (hr == CHY_S_OK) hr = chy_schema_migrate(&s->writer, s->path, may_make, err);
    if (hr == CHY_S_OK) hr = read_last_numbers(s, err);
    if (hr != CHY_S_OK) return hr;
    chy_log_gather(s->writer.db);
    if (!chy_thread_start(&s->thread, "writer", chy_sqlite_writer_main, s))
        return chy_fail(err, CHY_E_OUTOFMEMORY,
                        "the database %s: the system refuses another thread", s->path);
    s->has_thread = true;
    return CHY_S_OK;
}

chy_hresult chy_store_open_sqlite_to_read(const char *dir, struct chy_store **out,
                                          struct chy_err *err)
{
    struct chy_sqlite *s = new_store(dir, 0);
    if (!s) return chy_fail_nomem(err, "the database");
    chy_queue_close(&s->queue);
    struct chy_conn *c = chy_reader_take(s, err);
    chy_hresult hr = c ? chy_schema_check(c, s->path, err) : CHY_E_FAIL;
    if (c) chy_reader_give(s, c, hr);
    if (hr != CHY_S_OK) {
        hr = err ? err->code : hr;
        close_store(&s->base);
        return hr;
    }
    *out = &s->base;
    return CHY_S_OK;
}

static chy_hresult open_store(const char *dir, unsigned cache_kib, bool may_make,
                              struct chy_store **out, struct chy_err *err)
{
    /* Without its allocation counter SQLite takes no lock at each malloc. Refused once it runs: no
     * harm. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct chy_sqlite *s = new_store(dir, cache_kib);
    if (!s) return chy_fail_nomem(err, "the database");
    chy_hresult hr = start(s, dir, may_make, err);
    if (hr != CHY_S_OK) {
        close_store(&s->base);
        return hr;
    }
    *out = &s->base;
    return CHY_S_OK;
}

chy_hresult chy_store_open_sqlite(const char *dir, unsigned cache_kib, struct chy_store **out,
                                  struct chy_err *err)
{
    return open_store(dir, cache_kib, true, out, err);
}

chy_hresult chy_store_open_sqlite_again(const char *dir, unsigned cache_kib, struct chy_store **out,
                                        struct chy_err *err)
{
    return open_store(dir, cache_kib, false, out, err);
}
