/* The lists that the index is made of. Each is a pair of files, JSON and HTML, with one line per
 * row in the order of their numbers: a page names up to 64 certificates, a book up to 64 pages, and
 * one list at the top the books. What an event costs does not grow with what was published before:
 * a page is written, seldom a book, and the top once in 4096 requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish.h"

enum look { JSON, HTML };

/* What a line that is a row begins with. */
static const char *const begins[][2] = {
    {"{\"request_id\":", "<tr id=\"r"}, {"{\"page\":", "<li id=\"p"}, {"{\"book\":", "<li id=\"b"}};
enum { TOP = 2 };

struct place {
    char folder[3100], file[2][32];
};

static void place_of(const struct job *j, int level, chy_long list, struct place *p)
{
    char name[24];
    snprintf(p->folder, sizeof p->folder, "%s%s", j->s->folder, level == TOP ? "" : "/index");
    switch (level) {
    case 0: snprintf(name, sizeof name, "p%08d", (int)list); break;
    case 1: snprintf(name, sizeof name, "b%06d", (int)list); break;
    default: snprintf(name, sizeof name, "index");
    }
    snprintf(p->file[JSON], sizeof p->file[JSON], "%s.json", name);
    snprintf(p->file[HTML], sizeof p->file[HTML], "%s.html", name);
}

/* -1: the line is no row. */
static chy_long number_of(const char *line, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);
    long long v = 0;
    if (len <= n || memcmp(line, prefix, n) != 0 || line[n] < '0' || line[n] > '9') return -1;
    for (line += n, len -= n; len && *line >= '0' && *line <= '9' && v <= INT32_MAX; line++, len--)
        v = 10 * v + (*line - '0');
    return v <= INT32_MAX ? (chy_long)v : -1;
}

struct merge {
    enum look form;
    const char *prefix;
    const struct list_change *c;
    struct kit_text *out;
    size_t rows;
};

static void emit(struct merge *m, const char *line, size_t n)
{
    if (m->rows++) kit_add_str(m->out, m->form == JSON ? ",\n" : "\n");
    kit_add(m->out, line, n);
}

static bool is_dropped(const struct list_change *c, chy_long number)
{
    for (size_t i = 0; i < c->n_drop; i++)
        if (c->drop[i] == number) return true;
    return c->add && c->add->number == number;
}

static void merge(struct merge *m, const struct kit_text *old)
{
    const struct row *add = m->c->add;
    const struct kit_text *mine = !add ? NULL : m->form == JSON ? &add->json : &add->html;
    for (size_t at = 0; at < old->n;) {
        const char *line = old->p + at, *end = memchr(line, '\n', old->n - at);
        size_t len = end ? (size_t)(end - line) : old->n - at;
        chy_long number = number_of(line, len, m->prefix);
        at += len + 1;
        if (number < 0 || is_dropped(m->c, number)) continue;
        while (m->form == JSON && line[len - 1] == ',')
            len--;
        if (mine && number > add->number) {
            emit(m, mine->p, mine->n);
            mine = NULL;
        }
        emit(m, line, len);
    }
    if (mine) emit(m, mine->p, mine->n);
}

#define STYLE                                                                                      \
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"                          \
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "                  \
    "style-src 'unsafe-inline'\">\n"                                                               \
    "<style>body{font:1em/1.5 sans-serif;margin:2em}table{border-collapse:collapse}"               \
    "td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"                               \
    "code{word-break:break-all}</style>\n"

static const char *const heads[2][4] = {
    {"{\"certificates\":[\n", "{\"pages\":[\n", "{\"crls\":\"index/crls.json\",\"books\":[\n",
     "{\"crls\":[\n"},
    {STYLE "<title>Certificates</title></head><body>\n<h1>Certificates</h1>\n"
           "<p><a href=\"../index.html\">All</a></p>\n<table><tr><th>Request</th><th>Subject</th>"
           "<th>Serial number</th><th>From</th><th>Until</th><th>SHA-256</th></tr>\n",
     STYLE "<title>Certificates</title></head><body>\n<h1>Certificates</h1>\n"
           "<p><a href=\"../index.html\">All</a></p>\n<ul>\n",
     STYLE "<title>Certificates</title></head><body>\n<h1>Certificates</h1>\n"
           "<p><a href=\"index/crls.html\">Revocation lists</a></p>\n<ul>\n",
     STYLE "<title>Revocation lists</title></head><body>\n<h1>Revocation lists</h1>\n"
           "<p><a href=\"../index.html\">Certificates</a></p>\n<table><tr><th>File</th>"
           "<th>Number</th><th>From</th><th>Next</th></tr>\n"}};
static const char *const feet[2][4] = {{"\n]}\n", "\n]}\n", "\n]}\n", "\n]}\n"},
                                       {"\n</table></body></html>\n", "\n</ul></body></html>\n",
                                        "\n</ul></body></html>\n", "\n</table></body></html>\n"}};

static chy_hresult write_form(struct job *j, int level, const struct place *p, enum look form,
                              const struct list_change *c, size_t *left)
{
    struct kit_text old = {.n = 0}, fresh = {.n = 0};
    struct merge m = {.form = form, .prefix = begins[level][form], .c = c, .out = &fresh};
    chy_hresult hr = read_file(p->folder, p->file[form], &old);
    kit_add_str(&fresh, heads[form][level]);
    if (!CHY_FAILED(hr)) merge(&m, &old);
    kit_add_str(&fresh, feet[form][level]);
    *left = m.rows;
    if (!CHY_FAILED(hr) && (m.rows || level == TOP))
        hr = write_file(j, p->folder, p->file[form], &fresh);
    else if (!CHY_FAILED(hr))
        hr = remove_file(j, p->folder, p->file[form]);
    kit_text_free(&old);
    kit_text_free(&fresh);
    return hr;
}

/* The JSON comes last: where it is, the list is whole. */
chy_hresult list_change(struct job *j, int level, chy_long list, const struct list_change *c,
                        size_t *left)
{
    struct place p = {.folder = ""};
    place_of(j, level, list, &p);
    chy_hresult hr = write_form(j, level, &p, HTML, c, left);
    return CHY_FAILED(hr) ? hr : write_form(j, level, &p, JSON, c, left);
}

chy_hresult list_read(const struct job *j, int level, chy_long list, struct kit_text *out)
{
    struct place p = {.folder = ""};
    place_of(j, level, list, &p);
    return read_file(p.folder, p.file[JSON], out);
}

/* The next row's number, from *at on; -1: there are no more. */
static chy_long next_number(const struct kit_text *t, int level, size_t *at)
{
    while (*at < t->n) {
        const char *line = t->p + *at, *end = memchr(line, '\n', t->n - *at);
        size_t len = end ? (size_t)(end - line) : t->n - *at;
        chy_long number = number_of(line, len, begins[level][JSON]);
        *at += len + 1;
        if (number >= 0) return number;
    }
    return -1;
}

bool list_has(const struct kit_text *t, int level, chy_long number)
{
    size_t at = 0;
    chy_long found;
    while ((found = next_number(t, level, &at)) >= 0)
        if (found == number) return true;
    return false;
}

size_t list_count(const struct kit_text *t, int level, chy_long *last)
{
    size_t at = 0, n = 0;
    chy_long found;
    while ((found = next_number(t, level, &at)) >= 0) {
        *last = found;
        n++;
    }
    return n;
}

chy_hresult index_crls(struct job *j, const struct kit_text *json, const struct kit_text *html)
{
    const struct kit_text *rows[2] = {json, html};
    static const char *const names[2] = {"crls.json", "crls.html"};
    char folder[3100];
    chy_hresult hr = CHY_S_OK;
    snprintf(folder, sizeof folder, "%s/index", j->s->folder);
    pthread_mutex_lock(&j->index->lock);
    for (int form = HTML; form >= JSON && !CHY_FAILED(hr); form--) {
        struct kit_text t = {.n = 0};
        kit_add_str(&t, heads[form][3]);
        kit_add(&t, rows[form]->p, rows[form]->n);
        kit_add_str(&t, feet[form][3]);
        t.failed = t.failed || rows[form]->failed;
        hr = write_file(j, folder, names[form], &t);
        kit_text_free(&t);
    }
    pthread_mutex_unlock(&j->index->lock);
    return hr;
}
