/* The host that a member is lent: the chain's own, but for the settings, which are those below the
 * member's name, and for what names the member. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "chain.h"

static const chy_host *outer(const struct member *m)
{
    return &m->chain->host;
}

static void host_log(void *self, chy_long severity, const char *text)
{
    const struct member *m = self;
    if (text) outer(m)->vt->log(outer(m)->self, severity, text);
}

static chy_hresult host_new_policy(void *self, chy_server_policy *out)
{
    return out ? proxy_new(self, out) : CHY_E_POINTER;
}

static chy_hresult host_new_exit(void *self, chy_server_exit *out)
{
    const struct member *m = self;
    return outer(m)->vt->new_server_exit(outer(m)->self, out);
}

/* "NAME/setting"; false: no memory. */
static bool below(const struct member *m, const char *name, char **out)
{
    size_t n = strlen(m->name), more = strlen(name);
    char *p = malloc(n + more + 2);
    *out = p;
    if (!p) return false;
    memcpy(p, m->name, n);
    p[n] = '/';
    memcpy(p + n + 1, name, more + 1);
    return true;
}

static chy_hresult host_get_setting(void *self, const char *name, chy_variant *out)
{
    const struct member *m = self;
    char *path;
    if (!name || !out) return CHY_E_POINTER;
    if (!below(m, name, &path)) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = outer(m)->vt->get_setting(outer(m)->self, path, out);
    free(path);
    return hr;
}

/* The chain's settings in their order, without those that are not the member's. */
static chy_hresult host_next_setting(void *self, const char *after, chy_str *out)
{
    const struct member *m = self;
    size_t skip = strlen(m->name) + 1;
    chy_str at = {NULL, 0}, next;
    char *from = NULL;
    chy_hresult hr = CHY_S_OK;
    if (!out) return CHY_E_POINTER;
    *out = (chy_str){NULL, 0};
    if (after && !below(m, after, &from)) return CHY_E_OUTOFMEMORY;
    for (;;) {
        next = (chy_str){NULL, 0};
        hr = outer(m)->vt->next_setting(outer(m)->self, at.p ? at.p : from, &next);
        if (at.p) outer(m)->vt->free(at.p);
        at = next;
        if (hr != CHY_S_OK || !at.p) break;
        if (at.n > skip && !strncasecmp(at.p, m->name, skip - 1) && at.p[skip - 1] == '/') break;
    }
    free(from);
    if (hr == CHY_S_OK && at.p) {
        memmove(at.p, at.p + skip, at.n - skip + 1);
        *out = (chy_str){at.p, at.n - skip};
    }
    return hr;
}

static chy_hresult host_time_left(void *self, chy_long *ms)
{
    const struct member *m = self;
    return outer(m)->vt->time_left(outer(m)->self, ms);
}

static chy_hresult host_set_message(void *self, chy_long context, const char *text)
{
    return text ? message_add(self, context, text) : CHY_E_POINTER;
}

void host_of(struct member *m)
{
    const chy_host_vtbl *lent = outer(m)->vt;
    m->table = (chy_host_vtbl){
        .h = {sizeof m->table, CHY_ABI_VERSION, CHY_IID_HOST, CHY_IF_CONCURRENT},
        .alloc = lent->alloc,
        .free = lent->free,
        .variant_clear = lent->variant_clear,
        .log = host_log,
        .new_server_policy = host_new_policy,
        .new_server_exit = host_new_exit,
        .get_setting = host_get_setting,
        .next_setting = host_next_setting,
        .time_left = host_time_left,
        .set_message = host_set_message,
    };
    m->host = (chy_host){&m->table, m};
}
