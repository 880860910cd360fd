/* The counts on disk: records of one length, each with a check sum, only ever appended; a torn one
 * at the end is cut off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/sha256.h"
#include "quota.h"

enum { MAGIC = 0x31545143 /* "CQT1" */, SUMMED = 32, READ_RECORDS = 1024, PATH_SIZE = 3100 };

const char quota_taken[] = "is in use by another CA or daemon: each needs a folder of its own";

static void put_number(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_number(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static void sum_of(const uint8_t *p, uint8_t out[KIT_SHA256])
{
    struct kit_sha256 s;
    kit_sha256_start(&s);
    kit_sha256_add(&s, p, SUMMED);
    kit_sha256_done(&s, out);
}

static void encode(uint8_t out[QUOTA_RECORD], const uint8_t key[QUOTA_KEY], struct quota_entry e)
{
    uint8_t sum[KIT_SHA256];
    put_number(out, MAGIC, 4);
    put_number(out + 4, (uint32_t)e.id, 4);
    put_number(out + 8, (uint64_t)e.when, 8);
    memcpy(out + 16, key, QUOTA_KEY);
    sum_of(out, sum);
    memcpy(out + SUMMED, sum, QUOTA_RECORD - SUMMED);
}

static bool decode(const uint8_t *p, struct quota_entry *e)
{
    uint8_t sum[KIT_SHA256];
    sum_of(p, sum);
    *e = (struct quota_entry){(chy_time)get_number(p + 8, 8), (chy_long)get_number(p + 4, 4)};
    return get_number(p, 4) == MAGIC && !memcmp(sum, p + SUMMED, QUOTA_RECORD - SUMMED);
}

static bool write_whole(int fd, const void *p, size_t n)
{
    const char *from = p;
    while (n) {
        ssize_t k = write(fd, from, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        from += k;
        n -= (size_t)k;
    }
    return true;
}

static const char *folder_wrong(const char *folder)
{
    struct stat st;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return "is no folder: make one that belongs to the daemon's user";
    if (st.st_uid != geteuid()) return "does not belong to the daemon's user: chown it";
    return st.st_mode & (S_IWGRP | S_IWOTH)
               ? "may be written by others than the daemon's user: chmod go-w"
               : NULL;
}

static int open_in(const char *folder, const char *name, int flags)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path) return -1;
    return open(path, flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Reads what counts; true: *good takes how many records are whole, up to the last good one. */
static bool load(int fd, struct quota_table *t, chy_time before, uint64_t *good)
{
    static const size_t size = (size_t)READ_RECORDS * QUOTA_RECORD;
    uint8_t *block = malloc(size);
    uint64_t at = 0;
    ssize_t n = 0;
    bool ok = block != NULL;
    *good = 0;
    while (ok && (n = pread(fd, block, size, (off_t)(at * QUOTA_RECORD))) >= QUOTA_RECORD) {
        for (size_t i = 0; i < (size_t)n / QUOTA_RECORD && ok; i++) {
            struct quota_entry e;
            at++;
            if (!decode(block + i * QUOTA_RECORD, &e)) continue;
            *good = at;
            if (e.when > before) ok = quota_insert(t, block + i * QUOTA_RECORD + 16, e);
        }
    }
    free(block);
    return ok && n >= 0;
}

static const char *open_files(struct quota_file *f)
{
    struct stat st;
    f->lock = open_in(f->folder, "quota.lock", 0);
    if (f->lock < 0) return "is a folder where no file can be made";
    if (flock(f->lock, LOCK_EX | LOCK_NB) != 0) return quota_taken;
    f->fd = open_in(f->folder, "quota.log", O_APPEND);
    if (f->fd < 0 || fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return "has a quota.log that cannot be opened";
    bool long_one = st.st_size > (off_t)QUOTA_RECORDS_MAX * QUOTA_RECORD * 4;
    return long_one ? "has a quota.log that is too long to be one: move it away" : NULL;
}

const char *quota_file_open(const char *folder, struct quota_file *out, struct quota_table *t,
                            chy_time before)
{
    struct quota_file f = {.folder = strdup(folder), .lock = -1, .fd = -1};
    const char *rule = f.folder ? folder_wrong(folder) : "needs more memory than there is";
    if (!rule) rule = open_files(&f);
    if (!rule && !load(f.fd, t, before, &f.records))
        rule = "has a quota.log that cannot be read, or has too many counts";
    if (!rule && ftruncate(f.fd, (off_t)(f.records * QUOTA_RECORD)) != 0)
        rule = "has a quota.log that cannot be written";
    if (rule)
        quota_file_close(&f);
    else
        *out = f;
    return rule;
}

void quota_file_close(struct quota_file *f)
{
    if (f->fd >= 0) close(f->fd);
    if (f->lock >= 0) close(f->lock);
    free(f->folder);
    *f = (struct quota_file){.lock = -1, .fd = -1};
}

/* What could be written in part only is taken back: the next record starts where one may start. */
chy_hresult quota_file_add(struct quota_file *f, const uint8_t key[QUOTA_KEY], struct quota_entry e)
{
    uint8_t record[QUOTA_RECORD];
    encode(record, key, e);
    if (write_whole(f->fd, record, sizeof record)) {
        f->records++;
        return CHY_S_OK;
    }
    chy_hresult hr = errno == ENOSPC ? CHY_ERROR_DISK_FULL : CHY_ERROR_IO_DEVICE;
    if (ftruncate(f->fd, (off_t)(f->records * QUOTA_RECORD)) != 0) hr = CHY_ERROR_IO_DEVICE;
    return hr;
}

static bool write_table(int fd, const struct quota_table *t, uint64_t *records)
{
    for (size_t h = 0; h < QUOTA_HEADS; h++) {
        for (const struct quota_bucket *b = t->head[h]; b; b = b->next) {
            for (size_t i = 0; i < b->n; i++) {
                uint8_t record[QUOTA_RECORD];
                encode(record, b->key, b->v[i]);
                if (!write_whole(fd, record, sizeof record)) return false;
                ++*records;
            }
        }
    }
    return fsync(fd) == 0;
}

static bool take_place(const struct quota_file *f)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    snprintf(from, sizeof from, "%s/quota.new", f->folder);
    snprintf(to, sizeof to, "%s/quota.log", f->folder);
    if (rename(from, to) != 0) return false;
    int folder = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) close(folder);
    return ok;
}

chy_hresult quota_file_compact(struct quota_file *f, const struct quota_table *t)
{
    uint64_t records = 0;
    int fd = open_in(f->folder, "quota.new", O_APPEND | O_TRUNC);
    if (fd < 0) return CHY_ERROR_IO_DEVICE;
    if (!write_table(fd, t, &records) || !take_place(f)) {
        close(fd);
        return CHY_ERROR_IO_DEVICE;
    }
    close(f->fd);
    f->fd = fd;
    f->records = records;
    return CHY_S_OK;
}
