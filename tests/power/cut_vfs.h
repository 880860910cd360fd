/* A disk in memory that can lose its power and can fail, as SQLite's default VFS of a test program.
 *
 * Every write, truncation and deletion is kept apart until the file (or its folder) is synced. When
 * the power goes, what was not synced is there or not there, in any prefix or subset, a write also
 * in any of its sectors of 512 octets. A failed sync leaves its writes in doubt for ever, as Linux
 * does: later syncs succeed and prove nothing about them.
 *
 * It serves one process: locks and the shared memory of the log are plain memory. Thread: any,
 * except new, free, power_on, save and restore, when no file is open. */
#ifndef TEST_POWER_CUT_VFS_H
#define TEST_POWER_CUT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum cut_call {
    CUT_OPEN = 1,
    CUT_READ = 2,
    CUT_WRITE = 4,
    CUT_TRUNCATE = 8,
    CUT_SYNC = 16,
    CUT_DELETE = 32,
    CUT_SHM = 64
};

struct cut_fault {
    unsigned calls;   /* which of enum cut_call are counted */
    unsigned long at; /* the first that fails, from 1 */
    bool for_good;    /* and all after it */
    bool half;        /* a write that fails has written its first half */
    int code;         /* of SQLite */
};

struct cut_disk;

struct cut_disk *cut_disk_new(void); /* registered as the default VFS */
void cut_disk_free(struct cut_disk *d);

/* The power goes at the n-th write, truncation, sync or deletion from now; 0: never. */
void cut_disk_arm(struct cut_disk *d, unsigned long n);
void cut_disk_power_off(struct cut_disk *d);
bool cut_disk_is_off(struct cut_disk *d);
/* Chooses what survived. Also when the power was on: then it was lost just now. */
void cut_disk_power_on(struct cut_disk *d, uint64_t seed);

void cut_disk_fault(struct cut_disk *d, const struct cut_fault *f); /* NULL: well again */
unsigned long cut_disk_hits(struct cut_disk *d); /* how often the newest fault struck */
unsigned long cut_disk_writes(struct cut_disk *d);
unsigned long cut_disk_size(struct cut_disk *d, const char *path); /* 0: no such file */

/* One picture of the whole disk, all of it durable. */
void cut_disk_save(struct cut_disk *d);
void cut_disk_restore(struct cut_disk *d);

/* A generator of numbers that one seed repeats. */
uint64_t cut_random(uint64_t *state);

#endif
