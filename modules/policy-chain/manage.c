/* The manage modules of the members: what an administrator changed reaches each of them. */
#include <stdio.h>
#include <string.h>

#include "chain.h"

static chy_hresult by_class_name(struct member *m, chy_object *out)
{
    char name[160];
    int n = snprintf(name, sizeof name, "%sManage", m->class_name);
    if (n < 0 || (size_t)n >= sizeof name) return CHY_E_NOINTERFACE;
    return m->library->info->create(&m->host, name, out);
}

/* GetManageModule where there is one; else the class "NAMEManage", as old modules have it. */
static chy_hresult manage_object(struct member *m, chy_object *out)
{
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)m->object.vt;
    chy_variant result = chy_variant_empty();
    chy_manage_module direct = {NULL, NULL};
    chy_hresult hr = CHY_E_NOTIMPL;
    if (m->late) {
        hr = late_call(m, &m->object, "GetManageModule", NULL, 0, &result, NULL);
        bool has = !CHY_FAILED(hr) && result.vt == CHY_VT_OBJECT && result.u.o;
        if (has) *out = *result.u.o;
        m->host.vt->variant_clear(&result);
        if (has) return CHY_S_OK;
    } else if (CHY_HAS(vt, chy_policy_vtbl, get_manage_module)) {
        hr = vt->get_manage_module(m->object.self, &direct);
        if (!CHY_FAILED(hr) && direct.vt) {
            *out = (chy_object){&direct.vt->h, direct.self};
            return CHY_S_OK;
        }
    }
    return by_class_name(m, out);
}

static chy_hresult call_direct(const chy_object *o, const struct manage_call *c,
                               const char *storage)
{
    const chy_manage_module_vtbl *vt = (const chy_manage_module_vtbl *)(const void *)o->vt;
    switch (c->verb) {
    case MANAGE_GET:
        return vt->get_property(o->self, c->config, storage, c->name, c->flags, c->out);
    case MANAGE_SET:
        return vt->set_property(o->self, c->config, storage, c->name, c->flags, c->value);
    case MANAGE_CONFIGURE: return vt->configure(o->self, c->config, storage, c->flags);
    }
    return CHY_E_NOTIMPL;
}

static chy_hresult call_late(const struct member *m, const chy_object *o,
                             const struct manage_call *c, const char *storage)
{
    chy_variant a[5] = {chy_variant_of_text(c->config), chy_variant_of_text(storage),
                        chy_variant_of_text(c->name), chy_variant_of_long(c->flags)};
    switch (c->verb) {
    case MANAGE_GET: return late_call(m, o, "GetProperty", a, 4, c->out, NULL);
    case MANAGE_SET: a[4] = *c->value; return late_call(m, o, "SetProperty", a, 5, NULL, NULL);
    case MANAGE_CONFIGURE: a[2] = a[3]; return late_call(m, o, "Configure", a, 3, NULL, NULL);
    }
    return CHY_E_NOTIMPL;
}

static chy_hresult call(struct member *m, const struct manage_call *c, const char *storage)
{
    struct why wrong = {""};
    chy_object o = {NULL, NULL};
    bool late = false;
    chy_hresult hr = manage_object(m, &o);
    if (CHY_FAILED(hr)) return hr;
    if (manage_table_wrong(&o, &late, &wrong)) {
        object_discard(&o);
        return CHY_E_NOINTERFACE;
    }
    hr = late || m->late ? call_late(m, &o, c, storage) : call_direct(&o, c, storage);
    object_discard(&o);
    return hr;
}

chy_hresult member_manage(struct member *m, const struct manage_call *c)
{
    char storage[512];
    int n = snprintf(storage, sizeof storage, "%s/%s", c->storage ? c->storage : "", m->name);
    if (n < 0 || (size_t)n >= sizeof storage) return CHY_E_INVALIDARG;
    chy_hresult hr = member_enter(m);
    if (CHY_FAILED(hr)) return hr;
    hr = call(m, c, storage);
    member_leave(m);
    return hr;
}
