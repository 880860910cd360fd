/* ICertServerPolicy and ICertServerExit: one object, two tables; the exit's has no setters.
 *
 * An object belongs to one call or thread. Context 0 answers CA properties; everything else is
 * E_HANDLE there. CA properties answer at any context. */
#include <string.h>

#include "module/internal.h"

struct enumeration {
    bool open;
    size_t next;
};

struct server {
    struct chy_instance *instance;
    int32_t context;
    bool has_flags;
    chy_long flags; /* of the extension read last */
    struct enumeration extensions, attributes;
};

static chy_hresult new_server(struct chy_instance *i, void **out)
{
    struct server *s = chy_calloc(1, sizeof(*s));
    if (!s) return CHY_E_OUTOFMEMORY;
    s->instance = i;
    *out = s;
    return CHY_S_OK;
}

chy_hresult chy_server_policy_new(struct chy_instance *i, chy_server_policy *out)
{
    *out = (chy_server_policy){&chy_server_policy_table, NULL};
    return new_server(i, &out->self);
}

chy_hresult chy_server_exit_new(struct chy_instance *i, chy_server_exit *out)
{
    *out = (chy_server_exit){&chy_server_exit_table, NULL};
    return new_server(i, &out->self);
}

static void release(void *self)
{
    chy_free(self);
}

static const struct chy_engine_ops *ops_of(const struct server *s)
{
    return s->instance->ms->config.ops;
}

/* The live call of this object, locked; NULL at context 0 or when the call is over. A context is
 * good for the instance that was given it, and no other. */
static struct chy_context *enter(const struct server *s)
{
    struct chy_context *c = chy_context_enter(s->instance->ms, s->context);
    if (c && (c->instance != s->instance || !c->request)) {
        chy_context_leave(c);
        c = NULL;
    }
    return c;
}

static bool alive(const struct server *s)
{
    struct chy_context *c = enter(s);
    if (c) chy_context_leave(c);
    return c != NULL;
}

static chy_hresult set_context(void *self, chy_long context)
{
    struct server *s = self;
    struct server fresh = {.instance = s->instance, .context = context};
    if (context != 0) {
        struct chy_context *c = enter(&fresh);
        if (!c) return CHY_E_HANDLE;
        chy_context_leave(c);
    }
    *s = fresh;
    return CHY_S_OK;
}

static chy_hresult get_request_property(void *self, const char *name, chy_long type,
                                        chy_variant *out)
{
    struct server *s = self;
    if (!name || !out) return CHY_E_POINTER;
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    struct chy_context *c = enter(s);
    if (!c) return CHY_E_HANDLE;
    chy_hresult hr = ops_of(s)->get_request_property(c->request, c->asker, name, type, out);
    chy_context_leave(c);
    return hr;
}

static chy_hresult get_request_attribute(void *self, const char *name, chy_str *out)
{
    struct server *s = self;
    if (!name || !out) return CHY_E_POINTER;
    *out = (chy_str){NULL, 0};
    struct chy_context *c = enter(s);
    if (!c) return CHY_E_HANDLE;
    chy_hresult hr = ops_of(s)->get_request_attribute(c->request, name, out);
    chy_context_leave(c);
    return hr;
}

static chy_hresult get_certificate_property(void *self, const char *name, chy_long type,
                                            chy_variant *out)
{
    struct server *s = self;
    struct chy_modules *ms = s->instance->ms;
    if (!name || !out) return CHY_E_POINTER;
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    struct chy_context *c = enter(s);
    if (!c && (s->context != 0 || atomic_load(&ms->closed))) return CHY_E_HANDLE;
    chy_hresult hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (c) hr = ms->config.ops->get_certificate_property(c->request, c->asker, name, type, out);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) {
        hr = ms->config.ops->get_ca_property(ms->config.ca, c ? c->request : NULL,
                                             s->instance->location, name, type, out);
    }
    if (c) chy_context_leave(c);
    return hr;
}

/* What a module hands in is looked at before it is believed. */
static chy_hresult check_value(const chy_variant *v)
{
    switch (v->vt) {
    case CHY_VT_EMPTY:
    case CHY_VT_NULL:
    case CHY_VT_LONG:
    case CHY_VT_DATE:
    case CHY_VT_BOOL: return CHY_S_OK;
    case CHY_VT_STR: return v->u.s.p ? CHY_S_OK : CHY_E_POINTER;
    case CHY_VT_BYTES: return v->u.b.p || !v->u.b.n ? CHY_S_OK : CHY_E_POINTER;
    }
    return CHY_DISP_E_BADVARTYPE;
}

/* Setters: a policy module, inside VerifyRequest. */
static struct chy_context *enter_to_set(struct server *s, chy_hresult *why)
{
    struct chy_context *c = enter(s);
    *why = CHY_E_HANDLE;
    if (c && c->asker != CHY_ASKER_POLICY) {
        chy_context_leave(c);
        *why = CHY_E_ACCESSDENIED;
        return NULL;
    }
    return c;
}

static chy_hresult set_certificate_property(void *self, const char *name, chy_long type,
                                            const chy_variant *value)
{
    struct server *s = self;
    chy_hresult hr;
    if (!name || !value) return CHY_E_POINTER;
    if ((hr = check_value(value)) != CHY_S_OK) return hr;
    struct chy_context *c = enter_to_set(s, &hr);
    if (!c) return hr;
    hr = ops_of(s)->set_certificate_property(c->request, name, type, value);
    chy_context_leave(c);
    return hr;
}

static chy_hresult get_certificate_extension(void *self, const char *oid, chy_long type,
                                             chy_variant *out)
{
    struct server *s = self;
    if (!oid || !out) return CHY_E_POINTER;
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    struct chy_context *c = enter(s);
    if (!c) return CHY_E_HANDLE;
    chy_hresult hr = ops_of(s)->get_certificate_extension(c->request, oid, type, out, &s->flags);
    s->has_flags = hr == CHY_S_OK;
    chy_context_leave(c);
    return hr;
}

static chy_hresult get_certificate_extension_flags(void *self, chy_long *flags)
{
    struct server *s = self;
    if (!flags) return CHY_E_POINTER;
    *flags = 0;
    if (!alive(s)) return CHY_E_HANDLE;
    if (!s->has_flags) return CHY_E_UNEXPECTED;
    *flags = s->flags;
    return CHY_S_OK;
}

static chy_hresult set_certificate_extension(void *self, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value)
{
    struct server *s = self;
    chy_hresult hr;
    if (!oid || !value) return CHY_E_POINTER;
    if ((hr = check_value(value)) != CHY_S_OK) return hr;
    struct chy_context *c = enter_to_set(s, &hr);
    if (!c) return hr;
    hr = ops_of(s)->set_certificate_extension(c->request, oid, type, flags, value);
    chy_context_leave(c);
    return hr;
}

static chy_hresult setup(struct server *s, struct enumeration *e)
{
    if (!alive(s)) return CHY_E_HANDLE;
    *e = (struct enumeration){true, 0};
    return CHY_S_OK;
}

typedef chy_hresult (*at_fn)(void *request, size_t index, chy_str *out);

static chy_hresult next(struct server *s, struct enumeration *e, at_fn at, chy_str *out)
{
    if (!out) return CHY_E_POINTER;
    *out = (chy_str){NULL, 0};
    struct chy_context *c = enter(s);
    if (!c) return CHY_E_HANDLE;
    chy_hresult hr = e->open ? at(c->request, e->next, out) : CHY_E_UNEXPECTED;
    chy_context_leave(c);
    if (hr == CHY_S_OK) e->next++;
    return hr;
}

static chy_hresult close_enumeration(struct server *s, struct enumeration *e)
{
    if (!alive(s)) return CHY_E_HANDLE;
    if (!e->open) return CHY_E_UNEXPECTED;
    e->open = false;
    return CHY_S_OK;
}

static chy_hresult extensions_setup(void *self, chy_long flags)
{
    struct server *s = self;
    return flags & ~CHY_ENUMEXT_OBJECTID ? CHY_E_INVALIDARG : setup(s, &s->extensions);
}
static chy_hresult extensions_next(void *self, chy_str *oid)
{
    struct server *s = self;
    return next(s, &s->extensions, ops_of(s)->extension_at, oid);
}
static chy_hresult extensions_close(void *self)
{
    struct server *s = self;
    return close_enumeration(s, &s->extensions);
}
static chy_hresult attributes_setup(void *self, chy_long flags)
{
    struct server *s = self;
    return flags ? CHY_E_INVALIDARG : setup(s, &s->attributes);
}
static chy_hresult attributes_next(void *self, chy_str *name)
{
    struct server *s = self;
    return next(s, &s->attributes, ops_of(s)->attribute_at, name);
}
static chy_hresult attributes_close(void *self)
{
    struct server *s = self;
    return close_enumeration(s, &s->attributes);
}

const chy_server_policy_vtbl chy_server_policy_table = {
    .h = {sizeof(chy_server_policy_vtbl), CHY_ABI_VERSION, CHY_IID_SERVER_POLICY, 0},
    .release = release,
    .invoke = chy_server_policy_invoke,
    .set_context = set_context,
    .get_request_property = get_request_property,
    .get_request_attribute = get_request_attribute,
    .get_certificate_property = get_certificate_property,
    .set_certificate_property = set_certificate_property,
    .get_certificate_extension = get_certificate_extension,
    .get_certificate_extension_flags = get_certificate_extension_flags,
    .set_certificate_extension = set_certificate_extension,
    .enumerate_extensions_setup = extensions_setup,
    .enumerate_extensions = extensions_next,
    .enumerate_extensions_close = extensions_close,
    .enumerate_attributes_setup = attributes_setup,
    .enumerate_attributes = attributes_next,
    .enumerate_attributes_close = attributes_close,
};

const chy_server_exit_vtbl chy_server_exit_table = {
    .h = {sizeof(chy_server_exit_vtbl), CHY_ABI_VERSION, CHY_IID_SERVER_EXIT, 0},
    .release = release,
    .invoke = chy_server_exit_invoke,
    .set_context = set_context,
    .get_request_property = get_request_property,
    .get_request_attribute = get_request_attribute,
    .get_certificate_property = get_certificate_property,
    .get_certificate_extension = get_certificate_extension,
    .get_certificate_extension_flags = get_certificate_extension_flags,
    .enumerate_extensions_setup = extensions_setup,
    .enumerate_extensions = extensions_next,
    .enumerate_extensions_close = extensions_close,
    .enumerate_attributes_setup = attributes_setup,
    .enumerate_attributes = attributes_next,
    .enumerate_attributes_close = attributes_close,
};
