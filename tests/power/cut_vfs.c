/* The disk as SQLite sees it: files, their locks, and the shared memory of the log. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cut_disk.h"

struct cut_file {
    sqlite3_file base;
    struct cut_disk *disk;
    struct cut_inode *inode;
    char *path; /* NULL: a temporary file, which no loss of power and no fault concerns */
    bool folder_unsynced;
    bool has_shm;
    int level;
    unsigned shm_shared, shm_exclusive; /* slots, one bit each */
};

static struct cut_file *enter(sqlite3_file *file)
{
    struct cut_file *f = (struct cut_file *)(void *)file;
    pthread_mutex_lock(&f->disk->lock);
    return f;
}

static int leave(struct cut_file *f, int rc)
{
    pthread_mutex_unlock(&f->disk->lock);
    return rc;
}

static int gate(struct cut_file *f, enum cut_call call, int when_off)
{
    return f->path ? cut_gate(f->disk, call, when_off) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    struct cut_file *f = enter(file);
    int rc = gate(f, CUT_READ, SQLITE_IOERR_READ);
    if (rc == SQLITE_IOERR_SHORT_READ) memset(p, 0, (size_t)n);
    if (rc != SQLITE_OK) return leave(f, rc);
    const struct cut_bytes *now = &f->inode->now;
    size_t have = (size_t)at < now->n ? now->n - (size_t)at : 0;
    if (have > (size_t)n) have = (size_t)n;
    if (have) memcpy(p, now->p + at, have);
    memset((char *)p + have, 0, (size_t)n - have);
    return leave(f, have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
}

static int file_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct cut_file *f = enter(file);
    int rc = gate(f, CUT_WRITE, SQLITE_IOERR_WRITE);
    size_t some = rc == SQLITE_OK                        ? (size_t)n
                  : f->disk->fault.half && !f->disk->off ? (size_t)n / 2
                                                         : 0;
    if (some) cut_inode_write(f->inode, p, some, (size_t)at);
    if (rc == SQLITE_OK && f->path && f->disk->off) rc = SQLITE_IOERR_WRITE;
    return leave(f, rc);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct cut_file *f = enter(file);
    int rc = gate(f, CUT_TRUNCATE, SQLITE_IOERR_TRUNCATE);
    if (rc == SQLITE_OK) {
        cut_inode_truncate(f->inode, (size_t)size);
        if (f->path && f->disk->off) rc = SQLITE_IOERR_TRUNCATE;
    }
    return leave(f, rc);
}

/* As on Unix, the first sync through whoever opened a journal or log to write it makes its name
 * durable, too. */
static int file_sync(sqlite3_file *file, int flags)
{
    struct cut_file *f = enter(file);
    (void)flags;
    int rc = gate(f, CUT_SYNC, SQLITE_IOERR_FSYNC);
    if (rc == SQLITE_OK && f->path && f->disk->off) rc = SQLITE_IOERR_FSYNC;
    if (!f->disk->off) cut_inode_sync(f->inode, rc != SQLITE_OK);
    if (rc == SQLITE_OK && f->folder_unsynced) {
        cut_folder_sync(f->disk);
        f->folder_unsynced = false;
    }
    return leave(f, rc);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct cut_file *f = enter(file);
    *size = (sqlite3_int64)f->inode->now.n;
    return leave(f, f->path && f->disk->off ? SQLITE_IOERR_FSTAT : SQLITE_OK);
}

/* ---- locks of the database file ---- */

static bool other(const struct cut_file *holder, const struct cut_file *f)
{
    return holder && holder != f;
}

static int file_lock(sqlite3_file *file, int level)
{
    struct cut_file *f = enter(file);
    struct cut_inode *i = f->inode;
    if (f->level >= level) return leave(f, SQLITE_OK);
    if (level == SQLITE_LOCK_SHARED) {
        if (i->pending || i->exclusive) return leave(f, SQLITE_BUSY);
        i->n_shared++;
        f->level = level;
        return leave(f, SQLITE_OK);
    }
    if (other(i->reserved, f) || other(i->pending, f)) return leave(f, SQLITE_BUSY);
    if (level == SQLITE_LOCK_RESERVED) {
        i->reserved = f;
        f->level = level;
        return leave(f, SQLITE_OK);
    }
    i->pending = f;
    f->level = SQLITE_LOCK_PENDING;
    if (i->n_shared > 1) return leave(f, SQLITE_BUSY);
    i->exclusive = f;
    f->level = level;
    return leave(f, SQLITE_OK);
}

static int file_unlock(sqlite3_file *file, int level)
{
    struct cut_file *f = enter(file);
    struct cut_inode *i = f->inode;
    if (f->level <= level) return leave(f, SQLITE_OK);
    if (i->reserved == f) i->reserved = NULL;
    if (i->pending == f) i->pending = NULL;
    if (i->exclusive == f) i->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE) i->n_shared--;
    f->level = level;
    return leave(f, SQLITE_OK);
}

static int file_check_reserved(sqlite3_file *file, int *out)
{
    struct cut_file *f = enter(file);
    *out = f->inode->reserved || f->inode->pending || f->inode->exclusive;
    return leave(f, SQLITE_OK);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    if (op != SQLITE_FCNTL_POWERSAFE_OVERWRITE) return SQLITE_NOTFOUND;
    *(int *)arg = 1;
    return SQLITE_OK;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- shared memory: gone with the last that maps it, as it is with the last process ---- */

static int shm_map(sqlite3_file *file, int at, int size, int extend, void volatile **out)
{
    struct cut_file *f = enter(file);
    struct cut_inode *i = f->inode;
    *out = NULL;
    int rc = gate(f, CUT_SHM, SQLITE_IOERR_SHMMAP);
    if (rc != SQLITE_OK) return leave(f, rc);
    if (!f->has_shm) i->shm_maps++;
    f->has_shm = true;
    if (at >= CUT_SHM_REGIONS) return leave(f, SQLITE_NOMEM);
    if (!i->shm[at] && extend) i->shm[at] = calloc(1, (size_t)size);
    *out = i->shm[at];
    return leave(f, extend && !*out ? SQLITE_NOMEM : SQLITE_OK);
}

static int shm_unlock(struct cut_file *f, unsigned mask)
{
    for (unsigned s = 0; s < SQLITE_SHM_NLOCK; s++) {
        unsigned bit = mask & (1u << s);
        if (f->shm_shared & bit) f->inode->shm_shared[s]--;
        if (f->shm_exclusive & bit) f->inode->shm_exclusive[s] = NULL;
    }
    f->shm_shared &= ~mask;
    f->shm_exclusive &= ~mask;
    return SQLITE_OK;
}

static int shm_take(struct cut_file *f, unsigned mask, bool exclusive)
{
    struct cut_inode *i = f->inode;
    for (unsigned s = 0; s < SQLITE_SHM_NLOCK; s++) {
        if (!(mask & (1u << s))) continue;
        unsigned own = f->shm_shared & (1u << s) ? 1 : 0;
        if (other(i->shm_exclusive[s], f) || (exclusive && i->shm_shared[s] > own))
            return SQLITE_BUSY;
    }
    for (unsigned s = 0; s < SQLITE_SHM_NLOCK; s++) {
        unsigned bit = mask & (1u << s);
        if (bit && exclusive) i->shm_exclusive[s] = f;
        if (bit && !exclusive && !(f->shm_shared & bit)) i->shm_shared[s]++;
    }
    if (exclusive)
        f->shm_exclusive |= mask;
    else
        f->shm_shared |= mask;
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    struct cut_file *f = enter(file);
    unsigned mask = ((1u << n) - 1) << at;
    if (flags & SQLITE_SHM_UNLOCK) return leave(f, shm_unlock(f, mask));
    return leave(f, shm_take(f, mask, (flags & SQLITE_SHM_EXCLUSIVE) != 0));
}

static void shm_barrier(sqlite3_file *file)
{
    leave(enter(file), SQLITE_OK);
}

static void shm_leave(struct cut_file *f)
{
    struct cut_inode *i = f->inode;
    if (!f->has_shm) return;
    f->has_shm = false;
    (void)shm_unlock(f, ~0u);
    if (--i->shm_maps) return;
    for (size_t k = 0; k < CUT_SHM_REGIONS; k++) {
        free(i->shm[k]);
        i->shm[k] = NULL;
    }
}

static int shm_unmap(sqlite3_file *file, int is_delete)
{
    struct cut_file *f = enter(file);
    (void)is_delete;
    shm_leave(f);
    return leave(f, SQLITE_OK);
}

static int file_close(sqlite3_file *file)
{
    (void)file_unlock(file, SQLITE_LOCK_NONE);
    struct cut_file *f = enter(file);
    shm_leave(f);
    cut_inode_unref(f->inode);
    if (f->path) f->disk->n_open--;
    free(f->path);
    return leave(f, SQLITE_OK);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- names ---- */

static struct cut_disk *disk_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int open_named(struct cut_disk *d, struct cut_file *f, const char *path, int flags)
{
    int rc = cut_gate(d, CUT_OPEN, SQLITE_CANTOPEN);
    if (rc != SQLITE_OK) return rc;
    struct cut_name *name = cut_name_get(d, path);
    if (!name->now && !(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    f->path = strdup(path);
    if (!f->path) return SQLITE_NOMEM;
    if (!name->now) {
        name->now = cut_inode_new();
        name->now->refs = 1;
    }
    /* The program makes the database's file itself and syncs the folder. */
    if ((flags & SQLITE_OPEN_MAIN_DB) && !name->durable) {
        name->durable = name->now;
        name->durable->refs++;
    }
    f->folder_unsynced = (flags & SQLITE_OPEN_CREATE) && !(flags & SQLITE_OPEN_MAIN_DB);
    f->inode = name->now;
    return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct cut_disk *d = disk_of(vfs);
    struct cut_file *f = (struct cut_file *)(void *)file;
    int rc = SQLITE_OK;
    *f = (struct cut_file){.disk = d};
    pthread_mutex_lock(&d->lock);
    if (path && !(flags & SQLITE_OPEN_DELETEONCLOSE))
        rc = open_named(d, f, path, flags);
    else
        f->inode = cut_inode_new();
    if (rc == SQLITE_OK) {
        f->inode->refs++;
        if (f->path) d->n_open++;
        f->base.pMethods = &methods;
        if (out) *out = flags;
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    struct cut_disk *d = disk_of(vfs);
    pthread_mutex_lock(&d->lock);
    int rc = cut_gate(d, CUT_DELETE, SQLITE_IOERR_DELETE);
    struct cut_name *name = cut_name_get(d, path);
    if (rc == SQLITE_OK && !name->now) rc = SQLITE_IOERR_DELETE_NOENT;
    if (rc == SQLITE_OK) {
        cut_inode_unref(name->now);
        name->now = NULL;
        if (d->off)
            rc = SQLITE_IOERR_DELETE;
        else if (sync_folder)
            cut_folder_sync(d);
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct cut_disk *d = disk_of(vfs);
    (void)flags;
    pthread_mutex_lock(&d->lock);
    const struct cut_name *name = cut_name_get(d, path);
    *out = name->now != NULL;
    int rc = d->off ? SQLITE_IOERR_ACCESS : SQLITE_OK;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    (void)vfs;
    int need = snprintf(out, (size_t)n, "%s", path);
    return need < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    sqlite3_vfs *system = disk_of(vfs)->system;
    return system->xRandomness(system, n, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    sqlite3_vfs *system = disk_of(vfs)->system;
    return system->xSleep(system, us);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *out)
{
    sqlite3_vfs *system = disk_of(vfs)->system;
    return system->xCurrentTime(system, out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    if (n > 0) out[0] = 0;
    return 0;
}

int cut_vfs_register(struct cut_disk *d)
{
    d->system = sqlite3_vfs_find(NULL);
    d->vfs = (sqlite3_vfs){.iVersion = 1,
                           .szOsFile = sizeof(struct cut_file),
                           .mxPathname = 512,
                           .zName = "cut",
                           .pAppData = d,
                           .xOpen = vfs_open,
                           .xDelete = vfs_delete,
                           .xAccess = vfs_access,
                           .xFullPathname = vfs_full_pathname,
                           .xRandomness = vfs_randomness,
                           .xSleep = vfs_sleep,
                           .xCurrentTime = vfs_current_time,
                           .xGetLastError = vfs_last_error};
    return sqlite3_vfs_register(&d->vfs, 1);
}
