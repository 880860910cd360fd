/* What a commit adds to SQLite's log goes to the file in one write. SQLite writes each frame in two
 * pieces, 24 octets and a page that lies across two of the kernel's: fifty calls for a commit, and
 * 40 of its 115 microseconds in the kernel.
 *
 * That is safe because nobody reads a frame before the sync of its commit: only after it SQLite
 * tells the other connections how long the log is (sqlite3WalFrames, with synchronous=FULL), and
 * what this connection reads itself is found here. An error of the write is the sync's, at which a
 * commit fails as well. Thread: that of the connection. */
#include "store/sqlite_internal.h"

#include <string.h>

enum { ROOM = 31 * (24 + 4096) }; /* frames; unixWrite() writes less than 128 KiB at a time */

struct gathering {
    sqlite3_io_methods methods; /* the file's; first, so that they lead here */
    const sqlite3_io_methods *below;
    sqlite3_int64 at; /* where in the file the octets belong */
    int n;
    int failed; /* how the first write failed */
    uint8_t octets[ROOM];
};

static struct gathering *gathering_of(sqlite3_file *log)
{
    return (struct gathering *)(uintptr_t)log->pMethods;
}

/* What cannot be written is given up, although SQLite holds it for written: nothing succeeds any
 * more until the connection is closed, lest a transaction goes on without it. */
static int hand_over(sqlite3_file *log)
{
    struct gathering *g = gathering_of(log);
    if (!g->failed && g->n) g->failed = g->below->xWrite(log, g->octets, g->n, g->at);
    g->n = 0;
    return g->failed;
}

static int gather(sqlite3_file *log, const void *p, int n, sqlite3_int64 at)
{
    struct gathering *g = gathering_of(log);
    int rc = g->failed;
    if (at != g->at + g->n || n > ROOM - g->n) rc = hand_over(log);
    if (rc != SQLITE_OK) return rc;
    if (n > ROOM) return g->below->xWrite(log, p, n, at);
    if (!g->n) g->at = at;
    memcpy(g->octets + g->n, p, (size_t)n);
    g->n += n;
    return SQLITE_OK;
}

static int read_log(sqlite3_file *log, void *p, int n, sqlite3_int64 at)
{
    struct gathering *g = gathering_of(log);
    bool apart = at >= g->at + g->n || at + n <= g->at;
    int rc = apart ? g->failed : hand_over(log);
    return rc == SQLITE_OK ? g->below->xRead(log, p, n, at) : rc;
}

static int truncate_log(sqlite3_file *log, sqlite3_int64 size)
{
    int rc = hand_over(log);
    return rc == SQLITE_OK ? gathering_of(log)->below->xTruncate(log, size) : rc;
}

static int sync_log(sqlite3_file *log, int flags)
{
    int rc = hand_over(log);
    return rc == SQLITE_OK ? gathering_of(log)->below->xSync(log, flags) : rc;
}

static int size_of_log(sqlite3_file *log, sqlite3_int64 *size)
{
    int rc = hand_over(log);
    return rc == SQLITE_OK ? gathering_of(log)->below->xFileSize(log, size) : rc;
}

/* What was not synced belongs to no commit. */
static int close_log(sqlite3_file *log)
{
    struct gathering *g = gathering_of(log);
    log->pMethods = g->below;
    chy_free(g);
    return log->pMethods->xClose(log);
}

/* Where a write can damage what lies beside it, SQLite fills up a sector behind the sync. */
static bool is_sure_of_neighbours(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
           file && file->pMethods &&
           file->pMethods->xDeviceCharacteristics(file) & SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

void chy_log_gather(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    if (!is_sure_of_neighbours(db) ||
        sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || !log ||
        !log->pMethods || log->pMethods->xWrite == gather)
        return;
    struct gathering *g = chy_malloc(sizeof(*g));
    if (!g) return;
    g->below = log->pMethods;
    g->methods = *g->below;
    g->methods.xClose = close_log;
    g->methods.xRead = read_log;
    g->methods.xWrite = gather;
    g->methods.xTruncate = truncate_log;
    g->methods.xSync = sync_log;
    g->methods.xFileSize = size_of_log;
    g->at = 0;
    g->n = 0;
    g->failed = SQLITE_OK;
    log->pMethods = &g->methods;
}
