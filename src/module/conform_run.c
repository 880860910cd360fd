/* Many calls: what each leaves behind adds up, and threads meet. */
#include <stdio.h>

#include "base/sys.h"
#include "module/conform.h"

enum {
    THREADS = 4,
    PER_THREAD = 100,
    WARM_UP = 500,
    KEPT_PER_CALL = 8,
    FILES_MORE = 16,
    KEPT_AT_ALL = 16 << 10
};

static void *caller(void *arg)
{
    struct chy_conform *c = arg;
    for (int i = 0; i < PER_THREAD; i++)
        (void)chy_conform_call(c, i % 2 == 0);
    return NULL;
}

/* Each call from another thread than the one before; refreshed meanwhile. */
void chy_conform_threads(struct chy_conform *c)
{
    pthread_t thread[THREADS];
    size_t n = 0;
    struct chy_err err = {0};
    chy_hresult worst = CHY_S_OK;
    chy_conform_begin(c, "threads");
    atomic_store(&c->mood, CHY_MOOD_KIND);
    while (n < THREADS && chy_thread_start(&thread[n], "check", caller, c))
        n++;
    for (int i = 0; i < 20; i++) {
        atomic_fetch_add(&c->active, 1);
        chy_hresult hr =
            chy_manage_configure(c->instance, "localhost\\Check CA", CHY_CMM_REFRESHONLY, &err);
        atomic_fetch_sub(&c->active, 1);
        if (CHY_FAILED(hr) && hr != CHY_E_NOINTERFACE) worst = hr;
        usleep(1000);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    if (worst != CHY_S_OK) {
        chy_conform_tell(c, CHY_FINDING_FAILED, "threads",
                         "Configure(CMM_REFRESHONLY) with the settings that it started with "
                         "answers 0x%08x: %s",
                         (unsigned)worst, err.text);
        return;
    }
    chy_conform_tell(c, CHY_FINDING_PASSED, "threads",
                     "%zu threads call it%s while it is refreshed", n,
                     c->instance->concurrent ? " at once" : ", one at a time,");
}

struct usage {
    size_t heap, files, threads;
};

static struct usage usage_now(void)
{
    return (struct usage){chy_conform_heap(), chy_conform_files(), chy_conform_tasks()};
}

static void judge(const struct chy_conform *c, unsigned calls, const struct usage *a,
                  const struct usage *b)
{
    size_t kept = b->heap > a->heap ? b->heap - a->heap : 0;
    if (kept / (calls ? calls : 1) >= KEPT_PER_CALL && kept > KEPT_AT_ALL) {
        chy_conform_tell(c, CHY_FINDING_FAILED, "memory",
                         "each call keeps %zu octets (%zu in %u calls): free what the getters gave "
                         "(host->free, variant_clear); chancery-modtest --valgrind shows where",
                         kept / calls, kept, calls);
    } else {
        chy_conform_tell(c, CHY_FINDING_PASSED, "memory", "%u calls keep %zu octets", calls, kept);
    }
    if (b->files > c->files + FILES_MORE)
        chy_conform_tell(c, CHY_FINDING_FAILED, "files",
                         "%zu descriptors are open that were not before the first call: close what "
                         "a call opens",
                         b->files - c->files);
    else
        chy_conform_tell(c, CHY_FINDING_PASSED, "files", "no call leaves a descriptor open");
    if (a->threads && b->threads > a->threads)
        chy_conform_tell(c, CHY_FINDING_WARNING, "files", "%zu threads were started and run on",
                         b->threads - a->threads);
}

/* The half that is not warm yet fills what fills once; what the other half keeps is lost. */
void chy_conform_long_run(struct chy_conform *c)
{
    int64_t start = chy_monotonic(&chy_system_clock);
    int64_t limit = start + (int64_t)c->what->seconds * 1000000;
    chy_conform_begin(c, "calls");
    atomic_store(&c->mood, CHY_MOOD_KIND);
    unsigned warm = c->what->calls / 4 < WARM_UP ? c->what->calls / 4 : WARM_UP, n = 0;
    for (; n < warm && chy_monotonic(&chy_system_clock) < limit - (limit - start) / 2; n++)
        (void)chy_conform_call(c, true);
    const struct usage before = usage_now();
    unsigned counted = 0;
    for (; n < c->what->calls && chy_monotonic(&chy_system_clock) < limit; n++, counted++)
        (void)chy_conform_call(c, true);
    const struct usage after = usage_now();
    int64_t spent = chy_monotonic(&chy_system_clock) - start;
    chy_conform_tell(c, n < c->what->calls ? CHY_FINDING_WARNING : CHY_FINDING_PASSED, "calls",
                     "%u calls in %lld ms, %lld us each%s", n, (long long)(spent / 1000),
                     (long long)(spent / (n ? n : 1)),
                     n < c->what->calls ? "; the time was over before all were made" : "");
    judge(c, counted, &before, &after);
}
