/* The table of services that a module is lent for its whole life. */
#include <string.h>

#include "module/internal.h"

enum { LOG_TEXT_MAX = 1024 };

static void log_text(void *self, chy_long severity, const char *text)
{
    struct chy_instance *i = self;
    char cut[LOG_TEXT_MAX];
    if (!text || severity < CHY_LOG_ERROR || severity > CHY_LOG_DEBUG) return;
    size_t n = strnlen(text, sizeof(cut) - 1);
    memcpy(cut, text, n);
    cut[n] = 0;
    if (i->ms->config.ops->log && !atomic_load(&i->ms->closed)) {
        i->ms->config.ops->log(i->ms->config.ca, i->name, severity, cut);
        return;
    }
    chy_log((enum chy_log_level)severity, "module.log", "module", i->name, "text", cut, NULL);
}

static chy_hresult new_server_policy(void *self, chy_server_policy *out)
{
    return out ? chy_server_policy_new(self, out) : CHY_E_POINTER;
}

static chy_hresult new_server_exit(void *self, chy_server_exit *out)
{
    return out ? chy_server_exit_new(self, out) : CHY_E_POINTER;
}

static chy_hresult get_setting(void *self, const char *name, chy_variant *out)
{
    struct chy_instance *i = self;
    if (!name || !out) return CHY_E_POINTER;
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    if (atomic_load(&i->ms->closed)) return CHY_E_HANDLE;
    return i->ms->config.ops->get_setting(i->ms->config.ca, i->location, name, out);
}

static chy_hresult next_setting(void *self, const char *after, chy_str *out)
{
    struct chy_instance *i = self;
    if (!out) return CHY_E_POINTER;
    *out = (chy_str){NULL, 0};
    if (atomic_load(&i->ms->closed)) return CHY_E_HANDLE;
    return i->ms->config.ops->next_setting(i->ms->config.ca, i->location, after, out);
}

static chy_hresult time_left(void *self, chy_long *ms)
{
    (void)self;
    if (!ms) return CHY_E_POINTER;
    int64_t us = chy_context_time_left_us();
    *ms = us / 1000 > INT32_MAX ? INT32_MAX : (chy_long)(us / 1000);
    return CHY_S_OK;
}

static chy_hresult set_message(void *self, chy_long context, const char *text)
{
    struct chy_instance *i = self;
    if (!text) return CHY_E_POINTER;
    struct chy_context *c = chy_context_enter(i->ms, context);
    if (!c) return CHY_E_HANDLE;
    chy_hresult hr = CHY_E_HANDLE;
    if (c->request && c->instance == i) {
        hr = c->asker == CHY_ASKER_POLICY ? i->ms->config.ops->set_message(c->request, text)
                                          : CHY_E_ACCESSDENIED;
    }
    chy_context_leave(c);
    return hr;
}

const chy_host_vtbl chy_host_table = {
    .h = {sizeof(chy_host_vtbl), CHY_ABI_VERSION, CHY_IID_HOST, CHY_IF_CONCURRENT},
    .alloc = chy_module_alloc,
    .free = chy_module_free,
    .variant_clear = chy_variant_clear,
    .log = log_text,
    .new_server_policy = new_server_policy,
    .new_server_exit = new_server_exit,
    .get_setting = get_setting,
    .next_setting = next_setting,
    .time_left = time_left,
    .set_message = set_message,
};

void chy_host_of(struct chy_instance *i, chy_host *out)
{
    *out = (chy_host){i->ms->config.host ? i->ms->config.host : &chy_host_table, i};
}
