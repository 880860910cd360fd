/* A host of settings for the fuzz targets of modules: NAME=VALUE on each line, with the value's
 * type in its first letter. It counts what it lent. */
#ifndef TESTS_FUZZ_SETTINGS_SOURCE_H
#define TESTS_FUZZ_SETTINGS_SOURCE_H

#include <chancery/easy_module.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { IN_MAX = 8192, SETTINGS_MAX = 128, ELEMENTS_MAX = 64 };

struct source {
    char *name[SETTINGS_MAX], *value[SETTINGS_MAX];
    size_t n;
    long borrowed; /* what the module still owes */
    unsigned told;
    const char *prefix; /* of everything that is told */
};

static struct source *current; /* the host's free is not told whose memory it is */

static void must(bool ok)
{
    if (!ok) abort();
}

static void *lend(size_t n)
{
    void *p = malloc(n ? n : 1);
    must(p != NULL);
    current->borrowed++;
    return p;
}

static void give_back(void *p)
{
    if (p) current->borrowed--;
    free(p);
}

static void clear(chy_variant *v)
{
    if (v->vt == CHY_VT_STR) give_back(v->u.s.p);
    for (size_t i = 0; v->vt == CHY_VT_STRV && i < v->u.sv.n; i++)
        give_back(v->u.sv.v[i].p);
    if (v->vt == CHY_VT_STRV) give_back(v->u.sv.v);
    *v = (chy_variant){0};
}

static void told(void *host, chy_long severity, const char *text)
{
    struct source *s = host;
    must(strncmp(text, s->prefix, strlen(s->prefix)) == 0);
    s->told += severity == CHY_LOG_ERROR;
}

static chy_str lent_text(const char *p, size_t n)
{
    chy_str s = {lend(n + 1), n};
    memcpy(s.p, p, n);
    s.p[n] = 0;
    return s;
}

/* "lTEXT" is a list whose elements bars separate, "nTEXT" a number, "sTEXT" a text. */
static chy_hresult get_setting(void *host, const char *name, chy_variant *out)
{
    const struct source *s = host;
    const char *v = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->name[i], name) == 0) v = s->value[i];
    if (!v) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    *out = (chy_variant){.vt = CHY_VT_BYTES};
    if (*v == 'e') return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (*v == 'x') return CHY_E_FAIL;
    if (*v == 'n' || *v == 'b') {
        *out = (chy_variant){.vt = *v == 'n' ? CHY_VT_LONG : CHY_VT_BOOL,
                             .u.l = (chy_long)strtoll(v + 1, NULL, 0)};
    } else if (*v == 's') {
        *out = (chy_variant){.vt = CHY_VT_STR, .u.s = lent_text(v + 1, strlen(v + 1))};
    } else if (*v == 'l') {
        *out = (chy_variant){.vt = CHY_VT_STRV, .u.sv.v = lend(ELEMENTS_MAX * sizeof(chy_str))};
        for (v++; out->u.sv.n < ELEMENTS_MAX; v++) {
            size_t n = strcspn(v, "|");
            out->u.sv.v[out->u.sv.n++] = lent_text(v, n);
            v += n;
            if (!*v) break;
        }
    }
    return CHY_S_OK;
}

static chy_hresult next_setting(void *host, const char *after, chy_str *out)
{
    const struct source *s = host;
    const char *best = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (after && strcmp(s->name[i], after) <= 0) continue;
        if (!best || strcmp(s->name[i], best) < 0) best = s->name[i];
    }
    if (!best) return CHY_S_FALSE;
    *out = lent_text(best, strlen(best));
    return CHY_S_OK;
}

static void read_lines(struct source *s, char *text)
{
    for (char *line; s->n < SETTINGS_MAX && (line = strsep(&text, "\n")) != NULL;) {
        char *value = strchr(line, '=');
        if (!value || value == line) continue;
        *value++ = 0;
        s->name[s->n] = line;
        s->value[s->n++] = value;
    }
}

static const chy_host_vtbl source_host = {
    .h = {sizeof source_host, CHY_ABI_VERSION, CHY_IID_HOST, 0},
    .alloc = lend,
    .free = give_back,
    .variant_clear = clear,
    .log = told,
    .get_setting = get_setting,
    .next_setting = next_setting};

#endif
