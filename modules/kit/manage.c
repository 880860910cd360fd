/* ICertManageModule. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/object_parts.h"

struct manage {
    const struct kit_class *cls;
    chy_host host;
    struct kit_object *object;
};

static void manage_release(void *self)
{
    struct manage *m = self;
    if (m->object) kit_object_unref(m->object);
    free(m);
}

static chy_hresult get_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out)
{
    struct manage *m = self;
    const char *const t[][2] = {{"Name", m->cls->title},
                                {"Description", m->cls->summary},
                                {"Copyright", "Chancery authors"},
                                {"File Version", CHY_VERSION},
                                {"Product Version", CHY_VERSION}};
    if (!name) return CHY_E_INVALIDARG;
    if (!out) return CHY_E_POINTER;
    *out = chy_variant_empty();
    if (!strcasecmp(name, "IsMultiThreaded")) {
        out->vt = CHY_VT_BOOL;
        out->u.l = 1;
        return CHY_S_OK;
    }
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!strcasecmp(t[i][0], name)) return chy_variant_give_text(&m->host, t[i][1], out);
    if (!m->cls->get_property || !m->object) return CHY_S_FALSE;
    return m->cls->get_property(m->object->own, config, storage, name, flags, out);
}

static chy_hresult set_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value)
{
    struct manage *m = self;
    if (!m->cls->set_property || !m->object || !name || !value) return CHY_S_FALSE;
    return m->cls->set_property(m->object->own, config, storage, name, flags, value);
}

static chy_hresult configure(void *self, const char *config, const char *storage, chy_long flags)
{
    struct manage *m = self;
    (void)storage;
    if (!(flags & CHY_CMM_REFRESHONLY)) return CHY_S_OK;
    struct kit_object *o = m->object ? m->object : kit_object_of_host(m->cls, &m->host);
    chy_hresult hr = o ? kit_object_reload(o, config) : CHY_S_OK;
    if (o && !m->object) kit_object_unref(o);
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
    return kit_late_end(m->cls, &m->host, &c, hr, excep);
}

/* Thrown errors carry the module's name and the method's. */
chy_hresult kit_late_end(const struct kit_class *cls, const chy_host *host, const chy_late *c,
                         chy_hresult hr, chy_excep *excep)
{
    const chy_module_class named = {.name = cls->name};
    const chy_module_object o = {.cls = &named, .host = *host};
    return chy_late_end(&o, c, hr, excep);
}

static const chy_manage_module_vtbl manage_vtbl = {
    .h = {sizeof manage_vtbl, CHY_ABI_VERSION, CHY_IID_MANAGE_MODULE, CHY_IF_CONCURRENT},
    .release = manage_release,
    .invoke = invoke,
    .get_property = get_property,
    .set_property = set_property,
    .configure = configure};

chy_hresult kit_manage_new(const struct kit_class *cls, const chy_host *host, struct kit_object *o,
                           chy_manage_module *out)
{
    struct manage *m = calloc(1, sizeof *m);
    if (!m) return CHY_E_OUTOFMEMORY;
    m->cls = cls;
    m->host = *host;
    m->object = o;
    if (o) kit_object_ref(o);
    out->vt = &manage_vtbl;
    out->self = m;
    return CHY_S_OK;
}
