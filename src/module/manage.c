/* GetDescription and ICertManageModule, the same for both kinds of module. */
#include <string.h>

#include "module/internal.h"

static chy_hresult description(struct chy_instance *i, chy_str *out, struct chy_err *err)
{
    chy_variant result = {.vt = CHY_VT_EMPTY};
    if (!i->late) {
        return i->is_policy ? i->policy.vt->get_description(i->policy.self, out)
                            : i->exit.vt->get_description(i->exit.self, out);
    }
    chy_hresult hr = chy_late_call(&i->object, "GetDescription", NULL, 0, &result, err);
    if (CHY_FAILED(hr)) return hr;
    if (result.vt != CHY_VT_STR) {
        chy_variant_clear(&result);
        return chy_fail(err, CHY_E_UNEXPECTED, "GetDescription gave no text");
    }
    *out = result.u.s;
    return CHY_S_OK;
}

chy_hresult chy_instance_description(struct chy_instance *i, struct chy_buf *out,
                                     struct chy_err *err)
{
    struct chy_running call;
    chy_str text = {NULL, 0};
    chy_hresult hr = chy_call_begin(i, NULL, CHY_ASKER_EXIT, &call, err);
    if (hr != CHY_S_OK) return hr;
    hr = description(i, &text, err);
    if (chy_call_end(i, &call, hr)) {
        if (!CHY_FAILED(hr)) chy_module_free(text.p);
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s: GetDescription overran its deadline",
                        i->name);
    }
    if (CHY_FAILED(hr)) return chy_fail(err, hr, "module %s: GetDescription failed", i->name);
    if (text.p) chy_buf_add(out, text.p, text.n);
    chy_module_free(text.p);
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

enum verb { GET, SET, CONFIGURE };
struct manage_call {
    enum verb verb;
    const char *config, *name;
    const chy_variant *value;
    chy_variant *out;
    chy_long flags;
};

static chy_hresult call_direct(const chy_manage_module_vtbl *vt, void *self, const char *location,
                               const struct manage_call *c)
{
    switch (c->verb) {
    case GET: return vt->get_property(self, c->config, location, c->name, c->flags, c->out);
    case SET: return vt->set_property(self, c->config, location, c->name, c->flags, c->value);
    case CONFIGURE: return vt->configure(self, c->config, location, c->flags);
    }
    return CHY_E_NOTIMPL;
}

static chy_hresult call_late(const chy_object *o, const char *location, const struct manage_call *c,
                             struct chy_err *err)
{
    chy_variant a[5] = {chy_arg_str(c->config), chy_arg_str(location)};
    switch (c->verb) {
    case GET:
        a[2] = chy_arg_str(c->name);
        a[3] = chy_arg_long(c->flags);
        return chy_late_call(o, "GetProperty", a, 4, c->out, err);
    case SET:
        a[2] = chy_arg_str(c->name);
        a[3] = chy_arg_long(c->flags);
        a[4] = *c->value;
        return chy_late_call(o, "SetProperty", a, 5, NULL, err);
    case CONFIGURE:
        a[2] = chy_arg_long(c->flags);
        return chy_late_call(o, "Configure", a, 3, NULL, err);
    }
    return CHY_E_NOTIMPL;
}

static chy_hresult manage(struct chy_instance *i, const struct manage_call *c, struct chy_err *err)
{
    struct chy_running call;
    chy_object o = {NULL, NULL};
    bool direct = false;
    chy_hresult hr = chy_call_begin(i, NULL, CHY_ASKER_EXIT, &call, err);
    if (hr != CHY_S_OK) return hr;
    hr = manage_object(i, &o, err);
    if (hr == CHY_S_OK && (hr = chy_manage_table_check(&o, &direct, err)) != CHY_S_OK)
        chy_object_discard(&o);
    if (hr == CHY_S_OK) {
        const chy_manage_module_vtbl *vt = (const chy_manage_module_vtbl *)(const void *)o.vt;
        hr = direct && !i->late ? call_direct(vt, o.self, i->location, c)
             : vt->invoke       ? call_late(&o, i->location, c, err)
                                : call_direct(vt, o.self, i->location, c);
        vt->release(o.self);
    }
    if (chy_call_end(i, &call, hr))
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s overran its deadline", i->name);
    if (CHY_FAILED(hr))
        chy_fail(err, hr, "module %s: its manage module answered 0x%08x", i->name, (unsigned)hr);
    return hr;
}

chy_hresult chy_manage_get_property(struct chy_instance *i, const char *config, const char *name,
                                    chy_variant *out, struct chy_err *err)
{
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    return manage(i, &(struct manage_call){.verb = GET, .config = config, .name = name, .out = out},
                  err);
}

chy_hresult chy_manage_set_property(struct chy_instance *i, const char *config, const char *name,
                                    const chy_variant *value, struct chy_err *err)
{
    return manage(
        i, &(struct manage_call){.verb = SET, .config = config, .name = name, .value = value}, err);
}

chy_hresult chy_manage_configure(struct chy_instance *i, const char *config, chy_long flags,
                                 struct chy_err *err)
{
    return manage(i, &(struct manage_call){.verb = CONFIGURE, .config = config, .flags = flags},
                  err);
}
