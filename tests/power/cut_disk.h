/* What the two halves of the disk share: cut_disk.c keeps the octets, cut_vfs.c speaks to SQLite.
 */
#ifndef TEST_POWER_CUT_DISK_H
#define TEST_POWER_CUT_DISK_H

#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>

#include "cut_vfs.h"

enum { CUT_SECTOR = 512, CUT_SHM_REGIONS = 64 };

/* In doubt: a sync that should have written it failed. */
enum cut_state { CUT_PENDING, CUT_DOUBTFUL, CUT_DURABLE };

struct cut_op {
    struct cut_op *next;
    bool is_truncate; /* to n octets; else n octets are written at `at` */
    enum cut_state state;
    size_t at, n;
    uint8_t data[];
};

struct cut_bytes {
    uint8_t *p;
    size_t n, cap;
};

struct cut_file;

struct cut_inode {
    unsigned refs;                /* names and open files */
    struct cut_bytes now;         /* what a reader sees */
    struct cut_bytes base;        /* what a loss of power leaves, before the operations */
    struct cut_op *first, **last; /* since the base */
    unsigned n_shared;
    struct cut_file *reserved, *pending, *exclusive;
    unsigned shm_maps, shm_shared[SQLITE_SHM_NLOCK];
    struct cut_file *shm_exclusive[SQLITE_SHM_NLOCK];
    void *shm[CUT_SHM_REGIONS];
};

struct cut_name {
    struct cut_name *next;
    struct cut_inode *now, *durable; /* NULL: no such file */
    struct cut_bytes saved;
    bool is_saved;
    char path[];
};

struct cut_disk {
    sqlite3_vfs vfs;
    sqlite3_vfs *system; /* for the clock and the like */
    pthread_mutex_t lock;
    struct cut_name *names;
    unsigned n_open;
    bool off;
    unsigned long armed, writes;
    struct cut_fault fault;
    unsigned long seen, hits;
};

/* All of these under the lock. */
struct cut_name *cut_name_get(struct cut_disk *d, const char *path);
struct cut_inode *cut_inode_new(void);
void cut_inode_unref(struct cut_inode *i);
void cut_inode_write(struct cut_inode *i, const void *p, size_t n, size_t at);
void cut_inode_truncate(struct cut_inode *i, size_t n);
void cut_inode_sync(struct cut_inode *i, bool fails);
void cut_folder_sync(struct cut_disk *d);
/* SQLITE_OK, or how the call must fail. The call at which the power goes passes, and finds it off
 * afterwards. */
int cut_gate(struct cut_disk *d, enum cut_call call, int when_off);

int cut_vfs_register(struct cut_disk *d); /* cut_vfs.c */

#endif
