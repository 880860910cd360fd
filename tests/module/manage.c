/* The probe's ICertManageModule, direct or by name. */
#include <string.h>
#include <strings.h>

#include "probe.h"

struct manage {
    const chy_host *host;
    chy_manage_module_vtbl vt;
};

static void release(void *self)
{
    struct manage *m = self;
    say(m->host, "manage object released");
    m->host->vt->free(m);
}

static chy_hresult get(void *self, const char *config, const char *storage, const char *name,
                       chy_long flags, chy_variant *out)
{
    static const char *const known[][2] = {{"Name", "Probe"},
                                           {"Description", "A probe"},
                                           {"Copyright", "nobody"},
                                           {"File Version", "1.0"},
                                           {"Product Version", "1.0"}};
    struct manage *m = self;
    say(m->host, "GetProperty %s %s %s %d", config, storage, name, flags);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasecmp(known[i][0], name) != 0) continue;
        *out = (chy_variant){.vt = CHY_VT_STR};
        return probe_text(m->host, known[i][1], &out->u.s);
    }
    return strcmp(name, "Broken") == 0 ? CHY_E_UNEXPECTED : CHY_S_FALSE;
}

static chy_hresult set(void *self, const char *config, const char *storage, const char *name,
                       chy_long flags, const chy_variant *value)
{
    struct manage *m = self;
    say(m->host, "SetProperty %s %s %s %d %d", config, storage, name, flags, value->u.l);
    return CHY_S_OK;
}

static chy_hresult configure(void *self, const char *config, const char *storage, chy_long flags)
{
    struct manage *m = self;
    say(m->host, "Configure %s %s %d", config, storage, flags);
    return CHY_S_OK;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *a, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad)
{
    (void)excep, (void)bad;
    if (strcasecmp(method, "GetProperty") == 0 && nargs == 4)
        return get(self, a[0].u.s.p, a[1].u.s.p, a[2].u.s.p, a[3].u.l, result);
    if (strcasecmp(method, "SetProperty") == 0 && nargs == 5)
        return set(self, a[0].u.s.p, a[1].u.s.p, a[2].u.s.p, a[3].u.l, &a[4]);
    if (strcasecmp(method, "Configure") == 0 && nargs == 3)
        return configure(self, a[0].u.s.p, a[1].u.s.p, a[2].u.l);
    return CHY_DISP_E_UNKNOWNNAME;
}

chy_hresult probe_manage_new(const chy_host *host, bool late, chy_object *out)
{
    struct manage *m = host->vt->alloc(sizeof(*m));
    if (!m) return CHY_E_OUTOFMEMORY;
    memset(m, 0, sizeof(*m));
    m->host = host;
    m->vt.h = (chy_hdr){sizeof(m->vt), CHY_ABI_VERSION, CHY_IID_MANAGE_MODULE, 0};
    m->vt.release = release;
    if (late) {
        m->vt.invoke = invoke;
    } else {
        m->vt.get_property = get;
        m->vt.set_property = set;
        m->vt.configure = configure;
    }
    *out = (chy_object){&m->vt.h, m};
    return CHY_S_OK;
}
