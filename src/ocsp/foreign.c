/* The foreign CAs of a folder. A worker looks at the files each second and reads what has changed;
 * the loop never touches them. */
#include "ocsp/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

enum { FILES = 5, RETRY_S = 30, PATH_SIZE = 4096 };

static const char *const suffixes[FILES] = {".pem", ".crl", "+.crl", ".ocsp.pem", ".ocsp.key.pem"};

struct stamp { /* all 0: there is no such file */
    uint64_t device, inode, size;
    int64_t modified_s, modified_ns, changed_s, changed_ns;
};

struct chy_ocsp_watched {
    char name[CHY_OCSP_FOREIGN_NAME];
    struct stamp stamp[FILES];
    bool is_there, was_read;
    int64_t retry; /* monotonic; 0: not before a file changes */
    struct chy_err trouble;
    struct chy_ocsp_foreign *in_use; /* under the table's lock */
};

/* ---- asked by any worker ---- */
chy_hresult chy_ocsp_foreigners_find(struct chy_ocsp_foreigners *t, const struct chy_ocsp_id *id,
                                     struct chy_ocsp_foreign **out, struct chy_err *err)
{
    *out = NULL;
    if (!t->dir) return CHY_S_FALSE;
    if (!atomic_load(&t->looked))
        return chy_fail(err, CHY_ERROR_BUSY, "OCSP: the files of other CAs are being read");
    pthread_mutex_lock(&t->table_lock);
    for (size_t i = 0; i < CHY_OCSP_FOREIGN_MAX && !*out; i++) {
        struct chy_ocsp_foreign *f = t->watched[i] ? t->watched[i]->in_use : NULL;
        if (!f || !chy_ocsp_foreign_is(f, id)) continue;
        atomic_fetch_add(&f->refs, 1);
        *out = f;
    }
    pthread_mutex_unlock(&t->table_lock);
    return *out ? CHY_S_OK : CHY_S_FALSE;
}

/* ---- the one worker that looks ---- */
static struct stamp stamp_of(const char *dir, const char *name, const char *suffix)
{
    char path[PATH_SIZE];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
    if (stat(path, &st) != 0) return (struct stamp){.inode = 0};
    return (struct stamp){st.st_dev,         (uint64_t)st.st_ino, (uint64_t)st.st_size,
                          st.st_mtim.tv_sec, st.st_mtim.tv_nsec,  st.st_ctim.tv_sec,
                          st.st_ctim.tv_nsec};
}

/* The answers that were kept of the old one are void before it is gone. */
static void put(struct chy_ocsp_foreigners *t, struct chy_ocsp_watched *w,
                struct chy_ocsp_foreign *f)
{
    pthread_mutex_lock(&t->table_lock);
    struct chy_ocsp_foreign *old = w->in_use;
    w->in_use = f;
    pthread_mutex_unlock(&t->table_lock);
    chy_ocsp_cache_changed_foreign(t->cache);
    chy_ocsp_foreign_unref(old);
}

static void tell_loaded(const struct chy_ocsp_foreign *f)
{
    char until[32], entries[24], delta[24];
    chy_time_format(until, f->next_update);
    snprintf(entries, sizeof(entries), "%zu", f->base.n);
    snprintf(delta, sizeof(delta), "%zu", f->delta.n);
    chy_log(f->signer_revoked ? CHY_LOG_LEVEL_ERROR : CHY_LOG_LEVEL_INFO, "ocsp.foreign", "ca",
            f->name, "revoked", entries, "delta", delta, "next_update", until, "signer",
            f->signer_revoked ? "revoked by this CRL: nothing is signed" : "valid", NULL);
}

/* A fault is told once; it is tried again after a while, for what time alone may heal. */
static void read_again(struct chy_ocsp_foreigners *t, struct chy_ocsp_watched *w,
                       struct chy_verifier *v)
{
    struct chy_err err = {.code = CHY_S_OK};
    struct chy_ocsp_foreign *f = NULL;
    chy_hresult hr =
        chy_ocsp_foreign_load(t->dir, w->name, chy_now(t->clock), w->in_use, v, &f, &err);
    w->was_read = true;
    w->retry = hr == CHY_S_OK ? 0 : chy_monotonic(t->clock) + RETRY_S * CHY_US_PER_S;
    if (hr == CHY_S_OK) {
        tell_loaded(f);
        put(t, w, f);
    } else if (strcmp(err.text, w->trouble.text) != 0) {
        chy_log(CHY_LOG_LEVEL_ERROR, "ocsp.foreign.refused", "ca", w->name, "error", err.text,
                "in_use", w->in_use ? "what was read before" : "nothing", NULL);
    }
    w->trouble = err;
}

static void look_at(struct chy_ocsp_foreigners *t, struct chy_ocsp_watched *w,
                    struct chy_verifier *v)
{
    bool changed = !w->was_read || (w->retry && chy_monotonic(t->clock) >= w->retry);
    for (size_t i = 0; i < FILES; i++) {
        /* Taken before the file is read: what is written meanwhile is read again. */
        const struct stamp s = stamp_of(t->dir, w->name, suffixes[i]);
        changed = changed || memcmp(&s, &w->stamp[i], sizeof(s)) != 0;
        w->stamp[i] = s;
    }
    if (changed) read_again(t, w, v);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

static void no_place(struct chy_ocsp_foreigners *t, const char *file)
{
    if (!t->told_full)
        chy_log(CHY_LOG_LEVEL_ERROR, "ocsp.foreign.passed_over", "file", file, "error",
                "there are too many CAs, its name is too long, or memory is short", NULL);
    t->told_full = true;
}

/* The place of a CA, a new one where it is new. */
static void found(struct chy_ocsp_foreigners *t, const char *file)
{
    size_t n = strlen(file) - strlen(suffixes[0]), free_at = CHY_OCSP_FOREIGN_MAX;
    for (size_t i = 0; i < CHY_OCSP_FOREIGN_MAX; i++) {
        struct chy_ocsp_watched *w = t->watched[i];
        if (!w && free_at == CHY_OCSP_FOREIGN_MAX) free_at = i;
        if (!w || strlen(w->name) != n || memcmp(w->name, file, n) != 0) continue;
        w->is_there = true;
        return;
    }
    bool fits = free_at < CHY_OCSP_FOREIGN_MAX && n < CHY_OCSP_FOREIGN_NAME;
    struct chy_ocsp_watched *w = fits ? chy_calloc(1, sizeof(*w)) : NULL;
    if (!w) {
        no_place(t, file);
        return;
    }
    memcpy(w->name, file, n);
    w->is_there = true;
    pthread_mutex_lock(&t->table_lock);
    t->watched[free_at] = w;
    pthread_mutex_unlock(&t->table_lock);
}

static void forget(struct chy_ocsp_foreigners *t, size_t i)
{
    struct chy_ocsp_watched *w = t->watched[i];
    chy_log(CHY_LOG_LEVEL_WARNING, "ocsp.foreign.gone", "ca", w->name, NULL);
    put(t, w, NULL);
    pthread_mutex_lock(&t->table_lock);
    t->watched[i] = NULL;
    pthread_mutex_unlock(&t->table_lock);
    chy_free(w);
}

/* False: the folder cannot be read now, which says nothing about what is in it. */
static bool list(struct chy_ocsp_foreigners *t)
{
    const struct dirent *e;
    struct chy_err err = {.code = CHY_S_OK};
    DIR *dir = opendir(t->dir);
    if (!dir && errno != ENOENT) {
        (void)chy_fail_errno(&err, "%s", t->dir);
        if (strcmp(err.text, t->trouble.text) != 0)
            chy_log(CHY_LOG_LEVEL_ERROR, "ocsp.foreign.folder", "error", err.text, NULL);
        t->trouble = err;
        return false;
    }
    t->trouble = err;
    for (size_t i = 0; i < CHY_OCSP_FOREIGN_MAX; i++) {
        if (t->watched[i]) t->watched[i]->is_there = false;
    }
    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.' && ends_with(e->d_name, ".pem") &&
            !ends_with(e->d_name, ".ocsp.pem") && !ends_with(e->d_name, ".ocsp.key.pem"))
            found(t, e->d_name);
    }
    if (dir) closedir(dir);
    return true;
}

static void look(struct chy_job *job, struct chy_worker *worker)
{
    struct chy_ocsp_foreigners *t = (struct chy_ocsp_foreigners *)(void *)job;
    if (list(t)) {
        for (size_t i = 0; i < CHY_OCSP_FOREIGN_MAX; i++) {
            if (!t->watched[i]) continue;
            if (t->watched[i]->is_there) {
                look_at(t, t->watched[i], chy_worker_verifier(worker));
            } else {
                forget(t, i);
            }
        }
    }
    atomic_store(&t->looked, true);
    pthread_mutex_lock(&t->lock);
    t->busy = false;
    pthread_cond_signal(&t->quiet);
    pthread_mutex_unlock(&t->lock);
}

void chy_ocsp_foreigners_look(struct chy_ocsp_foreigners *t)
{
    if (!t->dir) return;
    pthread_mutex_lock(&t->lock);
    if (!t->busy && !t->stopping) t->busy = chy_workers_add(t->workers, &t->job);
    pthread_mutex_unlock(&t->lock);
}

/* ---- its life ---- */
chy_hresult chy_ocsp_foreigners_init(struct chy_ocsp_foreigners *t, const char *dir,
                                     struct chy_workers *workers, const struct chy_clock *clock,
                                     struct chy_ocsp_cache *cache, struct chy_err *err)
{
    *t = (struct chy_ocsp_foreigners){
        .job.run = look, .workers = workers, .clock = clock, .cache = cache};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->quiet, NULL);
    pthread_mutex_init(&t->table_lock, NULL);
    if (!dir) return CHY_S_OK;
    t->dir = chy_strdup(dir);
    return t->dir ? CHY_S_OK : chy_fail_nomem(err, "foreign CAs");
}

void chy_ocsp_foreigners_stop(struct chy_ocsp_foreigners *t)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    while (t->busy)
        pthread_cond_wait(&t->quiet, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void chy_ocsp_foreigners_fini(struct chy_ocsp_foreigners *t)
{
    for (size_t i = 0; i < CHY_OCSP_FOREIGN_MAX; i++) {
        if (t->watched[i]) chy_ocsp_foreign_unref(t->watched[i]->in_use);
        chy_free(t->watched[i]);
    }
    chy_free(t->dir);
    pthread_mutex_destroy(&t->table_lock);
    pthread_cond_destroy(&t->quiet);
    pthread_mutex_destroy(&t->lock);
}
