#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "publish.h"

struct manage {
    chy_host host;
    struct exit_module *module;
};

chy_hresult text_out(const chy_host *host, const char *text, chy_str *out)
{
    size_t n = strlen(text);
    if (!out) return CHY_E_POINTER;
    out->p = host->vt->alloc(n + 1);
    if (!out->p) return CHY_E_OUTOFMEMORY;
    memcpy(out->p, text, n + 1);
    out->n = n;
    return CHY_S_OK;
}

static void manage_release(void *self)
{
    struct manage *m = self;
    if (m->module) exit_unref(m->module);
    free(m);
}

static chy_hresult get_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out)
{
    static const char *const t[][2] = {
        {"Name", "Chancery publisher"},
        {"Description", "Writes issued certificates and CRLs to files"},
        {"Copyright", "Chancery authors"},
        {"File Version", CHY_VERSION},
        {"Product Version", CHY_VERSION}};
    struct manage *m = self;
    (void)config, (void)storage, (void)flags;
    if (!name) return CHY_E_INVALIDARG;
    if (!out) return CHY_E_POINTER;
    memset(out, 0, sizeof *out);
    if (!strcasecmp(name, "IsMultiThreaded")) {
        out->vt = CHY_VT_BOOL;
        out->u.l = 1;
        return CHY_S_OK;
    }
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        if (strcasecmp(t[i][0], name) != 0) continue;
        out->vt = CHY_VT_STR;
        return text_out(&m->host, t[i][1], &out->u.s);
    }
    return CHY_S_FALSE;
}

static chy_hresult set_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value)
{
    (void)self, (void)config, (void)storage, (void)name, (void)flags, (void)value;
    return CHY_S_FALSE;
}

static chy_hresult configure(void *self, const char *config, const char *storage, chy_long flags)
{
    struct manage *m = self;
    (void)config, (void)storage;
    if (!(flags & CHY_CMM_REFRESHONLY)) return CHY_S_OK;
    struct exit_module *e = m->module ? m->module : exit_of_host(&m->host);
    chy_hresult hr = e ? exit_reload(e) : CHY_S_OK;
    if (e && !m->module) exit_unref(e);
    return hr;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct manage *m = self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "GetProperty", "sssl>"))
        hr = get_property(m, args[0].u.s.p, args[1].u.s.p, args[2].u.s.p, args[3].u.l, result);
    else if (chy_late_is(&c, "SetProperty", "ssslv"))
        hr = set_property(m, args[0].u.s.p, args[1].u.s.p, args[2].u.s.p, args[3].u.l, &args[4]);
    else if (chy_late_is(&c, "Configure", "ssl"))
        hr = configure(m, args[0].u.s.p, args[1].u.s.p, args[2].u.l);
    return late_end(&m->host, &c, hr, excep);
}

/* Thrown errors carry the module's name and the method's. */
chy_hresult late_end(const chy_host *host, const chy_late *c, chy_hresult hr, chy_excep *excep)
{
    static const chy_module_class cls = {.name = "exit-publish"};
    const chy_module_object o = {.cls = &cls, .host = *host};
    return chy_late_end(&o, c, hr, excep);
}

static const chy_manage_module_vtbl manage_vtbl = {
    .h = {sizeof manage_vtbl, CHY_ABI_VERSION, CHY_IID_MANAGE_MODULE, CHY_IF_CONCURRENT},
    .release = manage_release,
    .invoke = invoke,
    .get_property = get_property,
    .set_property = set_property,
    .configure = configure};

chy_hresult manage_new(const chy_host *host, struct exit_module *e, chy_manage_module *out)
{
    struct manage *m = calloc(1, sizeof *m);
    if (!m) return CHY_E_OUTOFMEMORY;
    m->host = *host;
    m->module = e;
    if (e) exit_ref(e);
    *out = (chy_manage_module){&manage_vtbl, m};
    return CHY_S_OK;
}
