/* The table of a quota and its file: what quota.c and quota_file.c share. */
#ifndef POLICY_RULES_QUOTA_H
#define POLICY_RULES_QUOTA_H

#include <pthread.h>

#include "rules.h"

enum { QUOTA_KEY = 16, QUOTA_HEADS = 16384, QUOTA_RECORDS_MAX = 500000, QUOTA_RECORD = 40 };

struct quota_entry {
    chy_time when;
    chy_long id;
};

/* The requests of one requester under the rules of one profile, in the order of their counting. */
struct quota_bucket {
    uint8_t key[QUOTA_KEY];
    struct quota_entry *v;
    size_t n, cap;
    struct quota_bucket *next;
};

struct quota_table {
    struct quota_bucket *head[QUOTA_HEADS];
    size_t n; /* entries */
};

/* An open folder. */
struct quota_file {
    char *folder;
    int lock, fd;
    uint64_t records; /* in the file */
};

struct quota {
    pthread_mutex_t lock;
    pthread_cond_t synced;
    struct quota_table table;
    struct quota_file file;
    int64_t keep_us;
    uint64_t written, safe; /* records since it was opened; those on disk */
    bool syncing;
};

struct quota_bucket *quota_find(struct quota_table *t, const uint8_t key[QUOTA_KEY]);
bool quota_insert(struct quota_table *t, const uint8_t key[QUOTA_KEY], struct quota_entry e);
void quota_prune(struct quota_table *t, struct quota_bucket *b, chy_time before);
/* Forgets all that is older, and the buckets that are empty then. */
void quota_sweep(struct quota_table *t, chy_time before);
void quota_table_free(struct quota_table *t);

/* NULL, or what is wrong with the folder. */
const char *quota_file_open(const char *folder, struct quota_file *out, struct quota_table *t,
                            chy_time before);
void quota_file_close(struct quota_file *f);
chy_hresult quota_file_add(struct quota_file *f, const uint8_t key[QUOTA_KEY],
                           struct quota_entry e);
/* Writes the file anew, without what is gone from the table. */
chy_hresult quota_file_compact(struct quota_file *f, const struct quota_table *t);

#endif
