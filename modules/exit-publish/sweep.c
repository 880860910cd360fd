/* Expired certificates go. The index says which were published, so that no file of somebody else's
 * is touched; some pages of it are looked at with each event, and all of them in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "publish.h"

enum { PROBES = 64 }; /* requests that were not published leave pages out */

static void now_text(char out[CHY_TIME_TEXT])
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    chy_time_text((chy_time)t.tv_sec * 1000000, out);
}

/* Times in one form, and in UTC, are in the order of their texts. */
static bool read_row(const char *line, const char *now, chy_long *number, char *file)
{
    char until[CHY_TIME_TEXT];
    int id = 0;
    int n = sscanf(line,
                   "{\"request_id\":%9d,\"file\":\"%200[A-Za-z0-9._-]\",\"not_after\":\""
                   "%20[0-9TZ:-]\"",
                   &id, file, until);
    *number = id;
    return n == 3 && strlen(until) == 20 && strcmp(until, now) < 0 && file[0] != '.';
}

/* The files go before the rows: a row that is left is tried again. */
static chy_hresult remove_expired(struct job *j, struct kit_text *page, chy_long *gone, size_t *n)
{
    char now[CHY_TIME_TEXT], file[CERT_NAME_MAX + 1];
    const char *line = kit_text_cstr(page);
    chy_hresult hr = line ? CHY_S_OK : CHY_E_OUTOFMEMORY;
    now_text(now);
    for (*n = 0; line && *n < PER_LIST && !CHY_FAILED(hr); line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!*line) break;
        if (!read_row(line, now, &gone[*n], file)) continue;
        hr = remove_file(j, j->s->folder, file);
        if (!CHY_FAILED(hr)) ++*n;
    }
    return hr;
}

/* From the top down, as pages are entered: one that is there may be named no more, but then it is
 * found here again, since all numbers are tried, or by the next row that it gets. */
static chy_hresult forget_page(struct job *j, chy_long page)
{
    chy_long book = page / PER_LIST, last = -1;
    struct kit_text t = {.n = 0};
    size_t left;
    chy_hresult hr = list_read(j, 1, book, &t);
    size_t n = hr == CHY_S_OK ? list_count(&t, 1, &last) : 0;
    kit_text_free(&t);
    if (n == 1 && last == page)
        hr = list_change(j, 2, 0, &(struct list_change){.drop = &book, .n_drop = 1}, &left);
    if (n && !CHY_FAILED(hr))
        hr = list_change(j, 1, book, &(struct list_change){.drop = &page, .n_drop = 1}, &left);
    return hr;
}

/* S_FALSE: there is no such page. */
static chy_hresult sweep_page(struct job *j, chy_long page)
{
    struct kit_text t = {.n = 0};
    chy_long gone[PER_LIST], last;
    size_t n = 0, left;
    chy_hresult hr = list_read(j, 0, page, &t);
    size_t rows = hr == CHY_S_OK ? list_count(&t, 0, &last) : 0;
    if (hr == CHY_S_OK) hr = remove_expired(j, &t, gone, &n);
    kit_text_free(&t);
    if (hr != CHY_S_OK || (!n && rows)) return hr;
    if (n == rows) hr = forget_page(j, page);
    if (!CHY_FAILED(hr))
        hr = list_change(j, 0, page, &(struct list_change){.drop = gone, .n_drop = n}, &left);
    return hr;
}

static chy_hresult find_last(struct job *j)
{
    struct kit_text t = {.n = 0};
    chy_long book;
    chy_hresult hr = list_read(j, 2, 0, &t);
    if (hr == CHY_S_OK && list_count(&t, 2, &book)) j->index->last = book * PER_LIST + PER_LIST - 1;
    kit_text_free(&t);
    return hr;
}

static chy_hresult sweep_some(struct job *j, int pages)
{
    struct index *i = j->index;
    chy_hresult hr = i->last < 0 ? find_last(j) : CHY_S_OK;
    long long probes = (long long)pages * PROBES;
    if (probes > i->last) probes = i->last + 1;
    for (; probes > 0 && pages > 0 && !CHY_FAILED(hr); probes--) {
        hr = sweep_page(j, i->next);
        i->next = i->next >= i->last ? 0 : i->next + 1;
        if (hr == CHY_S_OK) pages--;
    }
    return hr;
}

/* One that cannot be removed is no reason to keep events waiting: its turn comes again. */
void sweep(struct job *j, int pages)
{
    char text[400];
    const chy_long wanted = CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS;
    if (!j->s->index || !j->s->folder || (j->s->flags & wanted) != wanted) return;
    pthread_mutex_lock(&j->index->lock);
    chy_hresult hr = sweep_some(j, pages);
    pthread_mutex_unlock(&j->index->lock);
    if (!CHY_FAILED(hr)) return;
    snprintf(text, sizeof text,
             "exit-publish: an expired certificate stays in %.200s for now: 0x%08x", j->s->folder,
             (unsigned)hr);
    j->host->vt->log(j->host->self, CHY_LOG_WARNING, text);
}
