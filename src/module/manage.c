/* GetDescription and ICertManageModule, the same for both kinds of module. */
#include <string.h>

#include "module/internal.h"

chy_hresult chy_instance_description(struct chy_instance *i, struct chy_buf *out,
                                     struct chy_err *err)
{
    bool abandoned;
    struct chy_call c = {.kind = CHY_CALL_DESCRIBE};
    chy_hresult hr = chy_call_make(i, NULL, &c, &abandoned, err);
    if (!c.made) return hr;
    if (abandoned) return chy_overran(i, "GetDescription", err);
    if (CHY_FAILED(hr)) return chy_fail(err, hr, "module %s: GetDescription failed", i->name);
    if (c.result.vt == CHY_VT_STR) chy_buf_add(out, c.result.u.s.p, c.result.u.s.n);
    chy_variant_clear(&c.result);
    return chy_buf_done(out, "description", err);
}

static bool object_of_variant(chy_variant *v, chy_object *out)
{
    bool ok = v->vt == CHY_VT_OBJECT && v->u.o;
    if (ok) *out = *v->u.o;
    chy_variant_clear(v);
    return ok;
}

/* GetManageModule where there is one; else the class "NAMEManage", as old modules have it. */
static chy_hresult manage_object(struct chy_instance *i, chy_object *out, struct chy_err *err)
{
    chy_manage_module m = {NULL, NULL};
    chy_variant result = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = CHY_E_NOTIMPL;
    if (i->late) {
        hr = chy_late_call(&i->object, "GetManageModule", NULL, 0, &result, NULL);
        if (!CHY_FAILED(hr) && object_of_variant(&result, out)) return CHY_S_OK;
    } else if (i->is_policy && CHY_HAS(i->policy.vt, chy_policy_vtbl, get_manage_module)) {
        hr = i->policy.vt->get_manage_module(i->policy.self, &m);
    } else if (!i->is_policy && CHY_HAS(i->exit.vt, chy_exit_vtbl, get_manage_module)) {
        hr = i->exit.vt->get_manage_module(i->exit.self, &m);
    }
    if (!i->late && !CHY_FAILED(hr) && m.vt) {
        *out = (chy_object){&m.vt->h, m.self};
        return CHY_S_OK;
    }
    char name[160];
    size_t n = strlen(i->class_name);
    if (n + sizeof("Manage") > sizeof(name))
        return chy_fail(err, CHY_E_NOINTERFACE, "module %s has no manage module", i->name);
    memcpy(name, i->class_name, n);
    memcpy(name + n, "Manage", sizeof("Manage"));
    hr = i->library->info->create(&i->host, name, out);
    return CHY_FAILED(hr)
               ? chy_fail(err, CHY_E_NOINTERFACE, "module %s has no manage module", i->name)
               : CHY_S_OK;
}

static chy_hresult call_direct(const chy_manage_module_vtbl *vt, void *self, const char *location,
                               struct chy_call *c)
{
    switch (c->kind) {
    case CHY_CALL_GET:
        return vt->get_property(self, c->config, location, c->name, c->flags, &c->result);
    case CHY_CALL_SET:
        return vt->set_property(self, c->config, location, c->name, c->flags, c->value);
    default: return vt->configure(self, c->config, location, c->flags);
    }
}

static chy_hresult call_late(const chy_object *o, const char *location, struct chy_call *c,
                             struct chy_err *err)
{
    chy_variant a[5] = {chy_arg_str(c->config), chy_arg_str(location)};
    if (c->kind == CHY_CALL_CONFIGURE) {
        a[2] = chy_arg_long(c->flags);
        return chy_late_call(o, "Configure", a, 3, NULL, err);
    }
    a[2] = chy_arg_str(c->name);
    a[3] = chy_arg_long(c->flags);
    if (c->kind == CHY_CALL_GET) return chy_late_call(o, "GetProperty", a, 4, &c->result, err);
    a[4] = *c->value;
    return chy_late_call(o, "SetProperty", a, 5, NULL, err);
}

chy_hresult chy_manage_run(struct chy_instance *i, struct chy_call *c, struct chy_err *err)
{
    chy_object o = {NULL, NULL};
    bool direct = false;
    chy_hresult hr = manage_object(i, &o, err);
    if (hr == CHY_S_OK && (hr = chy_manage_table_check(&o, &direct, err)) != CHY_S_OK)
        chy_object_discard(&o);
    if (hr != CHY_S_OK) return hr;
    const chy_manage_module_vtbl *vt = (const chy_manage_module_vtbl *)(const void *)o.vt;
    hr = direct && !i->late ? call_direct(vt, o.self, i->location, c)
         : vt->invoke       ? call_late(&o, i->location, c, err)
                            : call_direct(vt, o.self, i->location, c);
    vt->release(o.self);
    return hr;
}

static chy_hresult manage(struct chy_instance *i, struct chy_call *c, struct chy_err *err)
{
    bool abandoned;
    chy_hresult hr = chy_call_make(i, NULL, c, &abandoned, err);
    if (!c->made) return hr;
    if (abandoned)
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s overran its deadline", i->name);
    if (CHY_FAILED(hr))
        chy_fail(err, hr, "module %s: its manage module answered 0x%08x", i->name, (unsigned)hr);
    return hr;
}

chy_hresult chy_manage_get_property(struct chy_instance *i, const char *config, const char *name,
                                    chy_variant *out, struct chy_err *err)
{
    struct chy_call c = {.kind = CHY_CALL_GET, .config = config, .name = name};
    chy_hresult hr = manage(i, &c, err);
    *out = c.result;
    return hr;
}

chy_hresult chy_manage_set_property(struct chy_instance *i, const char *config, const char *name,
                                    const chy_variant *value, struct chy_err *err)
{
    return manage(
        i, &(struct chy_call){.kind = CHY_CALL_SET, .config = config, .name = name, .value = value},
        err);
}

chy_hresult chy_manage_configure(struct chy_instance *i, const char *config, chy_long flags,
                                 struct chy_err *err)
{
    return manage(
        i, &(struct chy_call){.kind = CHY_CALL_CONFIGURE, .config = config, .flags = flags}, err);
}
