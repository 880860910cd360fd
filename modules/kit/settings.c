#include "kit/settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SETTINGS_MAX = 4096, LIST_MAX = 65536 };
#define SEPARATORS ", \t\r\n"

static void say(const chy_host *h, chy_long severity, const char *module, const char *name,
                const char *rule)
{
    char text[500];
    snprintf(text, sizeof text, "%s: setting %.200s %s", module, name, rule);
    h->vt->log(h->self, severity, text);
}

static bool whole(const chy_str *s)
{
    return s->p && strlen(s->p) == s->n;
}

const char *kit_variant_text(const chy_variant *v)
{
    return v->vt == CHY_VT_STR && whole(&v->u.s) ? v->u.s.p : NULL;
}

static bool push(chy_str **list, size_t *n, const char *p, size_t len)
{
    chy_str *more = realloc(*list, (*n + 1) * sizeof **list);
    if (!more) return false;
    *list = more;
    more[*n] = (chy_str){malloc(len + 1), len};
    if (!more[*n].p) return false;
    memcpy(more[*n].p, p, len);
    more[(*n)++].p[len] = 0;
    return true;
}

static bool split(chy_str **list, size_t *n, const char *s)
{
    for (s += strspn(s, SEPARATORS); *s; s += strspn(s, SEPARATORS)) {
        size_t len = strcspn(s, SEPARATORS);
        if (*n == LIST_MAX || !push(list, n, s, len)) return false;
        s += len;
    }
    return true;
}

static const char *give_up(chy_str **out, size_t *n, const char *rule)
{
    kit_list_free(*out, *n);
    *out = NULL;
    *n = 0;
    return rule;
}

const char *kit_variant_list(const chy_variant *v, chy_str **out, size_t *n)
{
    const char *text = kit_variant_text(v);
    bool ok = true;
    *out = NULL;
    *n = 0;
    if (!text && v->vt != CHY_VT_STRV) return "is no list of texts";
    if (text) ok = split(out, n, text);
    for (size_t i = 0; !text && ok && i < v->u.sv.n; i++) {
        if (!whole(&v->u.sv.v[i]) || !v->u.sv.v[i].n) {
            return give_up(out, n, "has an empty element");
        }
        ok = *n < LIST_MAX && push(out, n, v->u.sv.v[i].p, v->u.sv.v[i].n);
    }
    if (ok) return NULL;
    return give_up(out, n, "is longer than there is memory for");
}

void kit_list_free(chy_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i].p);
    free(v);
}

static const struct kit_setting *find(const struct kit_setting *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(table[i].name);
        bool folder = table[i].name[len - 1] == '/';
        if (folder ? strncasecmp(table[i].name, name, len) == 0 && name[len]
                   : strcasecmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

static const char *give_list(const struct kit_setting *s, void *into, const chy_variant *v)
{
    chy_str *list;
    size_t n;
    const char *rule = kit_variant_list(v, &list, &n);
    if (rule) return rule;
    rule = s->list(into, list, n);
    kit_list_free(list, n);
    return rule;
}

static const char *give(const struct kit_setting *s, void *into, const char *name,
                        const chy_variant *v)
{
    const char *text = kit_variant_text(v);
    bool number = v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL;
    if (s->below) return s->below(into, name + strlen(s->name), v);
    if (s->number && number) return s->number(into, v->u.l);
    if (s->text && (text || !s->list)) return text ? s->text(into, text) : "is not a text";
    return s->list ? give_list(s, into, v) : "is not a number";
}

static chy_hresult read_one(const chy_host *h, const char *module, const struct kit_setting *s,
                            const char *name, void *into)
{
    chy_variant v = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = h->vt->get_setting(h->self, name, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) {
        say(h, CHY_LOG_ERROR, module, name, "cannot be read");
        return hr;
    }
    const char *rule = give(s, into, name, &v);
    h->vt->variant_clear(&v);
    if (!rule) return CHY_S_OK;
    say(h, CHY_LOG_ERROR, module, name, rule);
    return CHY_E_INVALIDARG;
}

/* Settings of the table that the configuration only has by default are not among the names that it
 * lists: each is asked for once more. */
static chy_hresult read_unlisted(const chy_host *h, const char *module,
                                 const struct kit_setting *table, const bool *seen, size_t n,
                                 void *into)
{
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < n && !CHY_FAILED(hr); i++) {
        if (!seen[i] && !table[i].below) hr = read_one(h, module, &table[i], table[i].name, into);
    }
    return hr;
}

chy_hresult kit_settings_read(const chy_host *host, const char *module,
                              const struct kit_setting *table, size_t n, void *into)
{
    chy_str name = {0}, next = {0};
    chy_hresult hr;
    unsigned count = 0;
    bool *seen = calloc(n ? n : 1, sizeof *seen);
    if (!seen) return CHY_E_OUTOFMEMORY;
    while ((hr = host->vt->next_setting(host->self, name.p, &next)) == CHY_S_OK) {
        if (name.p) host->vt->free(name.p);
        name = next;
        const struct kit_setting *s = find(table, n, name.p);
        if (s) seen[s - table] = true;
        if (++count > SETTINGS_MAX) {
            say(host, CHY_LOG_ERROR, module, name.p, "is one setting too many");
            hr = CHY_E_INVALIDARG;
        } else if (s) {
            hr = read_one(host, module, s, name.p, into);
        } else {
            say(host, CHY_LOG_WARNING, module, name.p, "is unknown and has no effect");
        }
        if (CHY_FAILED(hr)) break;
    }
    if (name.p) host->vt->free(name.p);
    if (!CHY_FAILED(hr)) hr = read_unlisted(host, module, table, seen, n, into);
    free(seen);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}
