/* The callback object of a member: the chain's, member for member, so that each sees what those
 * before it set. Only the folder of its settings is another. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "chain.h"

struct proxy {
    struct member *member;
    chy_server_policy in;
};

static void release(void *self)
{
    struct proxy *p = self;
    p->in.vt->release(p->in.self);
    free(p);
}

static chy_hresult set_context(void *self, chy_long context)
{
    struct proxy *p = self;
    return p->in.vt->set_context(p->in.self, context);
}

static chy_hresult get_request_property(void *self, const char *name, chy_long type,
                                        chy_variant *out)
{
    struct proxy *p = self;
    return p->in.vt->get_request_property(p->in.self, name, type, out);
}

static chy_hresult get_request_attribute(void *self, const char *name, chy_str *out)
{
    struct proxy *p = self;
    return p->in.vt->get_request_attribute(p->in.self, name, out);
}

/* "PolicyModules/policy-chain" becomes "PolicyModules/policy-chain/NAME". */
static chy_hresult locate(const struct proxy *p, chy_variant *v)
{
    const chy_host *h = &p->member->chain->host;
    size_t n = strlen(p->member->name);
    if (v->vt != CHY_VT_STR) return CHY_S_OK;
    char *path = h->vt->alloc(v->u.s.n + n + 2);
    if (path) {
        memcpy(path, v->u.s.p, v->u.s.n);
        path[v->u.s.n] = '/';
        memcpy(path + v->u.s.n + 1, p->member->name, n + 1);
        n += v->u.s.n + 1;
    }
    h->vt->variant_clear(v);
    *v = chy_variant_empty();
    if (!path) return CHY_E_OUTOFMEMORY;
    v->vt = CHY_VT_STR;
    v->u.s = (chy_str){path, n};
    return CHY_S_OK;
}

static bool is_location(const char *name)
{
    return name && !strcasecmp(name, "ModuleRegistryLocation");
}

static chy_hresult get_certificate_property(void *self, const char *name, chy_long type,
                                            chy_variant *out)
{
    struct proxy *p = self;
    chy_hresult hr = p->in.vt->get_certificate_property(p->in.self, name, type, out);
    return hr == CHY_S_OK && is_location(name) ? locate(p, out) : hr;
}

static chy_hresult set_certificate_property(void *self, const char *name, chy_long type,
                                            const chy_variant *value)
{
    struct proxy *p = self;
    return p->in.vt->set_certificate_property(p->in.self, name, type, value);
}

static chy_hresult get_certificate_extension(void *self, const char *oid, chy_long type,
                                             chy_variant *out)
{
    struct proxy *p = self;
    return p->in.vt->get_certificate_extension(p->in.self, oid, type, out);
}

static chy_hresult get_certificate_extension_flags(void *self, chy_long *flags)
{
    struct proxy *p = self;
    return p->in.vt->get_certificate_extension_flags(p->in.self, flags);
}

static chy_hresult set_certificate_extension(void *self, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value)
{
    struct proxy *p = self;
    return p->in.vt->set_certificate_extension(p->in.self, oid, type, flags, value);
}

static chy_hresult extensions_setup(void *self, chy_long flags)
{
    struct proxy *p = self;
    return p->in.vt->enumerate_extensions_setup(p->in.self, flags);
}

static chy_hresult extensions(void *self, chy_str *oid)
{
    struct proxy *p = self;
    return p->in.vt->enumerate_extensions(p->in.self, oid);
}

static chy_hresult extensions_close(void *self)
{
    struct proxy *p = self;
    return p->in.vt->enumerate_extensions_close(p->in.self);
}

static chy_hresult attributes_setup(void *self, chy_long flags)
{
    struct proxy *p = self;
    return p->in.vt->enumerate_attributes_setup(p->in.self, flags);
}

static chy_hresult attributes(void *self, chy_str *name)
{
    struct proxy *p = self;
    return p->in.vt->enumerate_attributes(p->in.self, name);
}

static chy_hresult attributes_close(void *self)
{
    struct proxy *p = self;
    return p->in.vt->enumerate_attributes_close(p->in.self);
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct proxy *p = self;
    if (!p->in.vt->invoke) return CHY_E_NOTIMPL;
    chy_hresult hr = p->in.vt->invoke(p->in.self, method, args, nargs, result, excep, bad_arg);
    bool location = hr == CHY_S_OK && result && method &&
                    !strcasecmp(method, "GetCertificateProperty") && is_location(args[0].u.s.p);
    return location ? locate(p, result) : hr;
}

static const chy_server_policy_vtbl table = {
    .h = {sizeof(chy_server_policy_vtbl), CHY_ABI_VERSION, CHY_IID_SERVER_POLICY, 0},
    .release = release,
    .invoke = invoke,
    .set_context = set_context,
    .get_request_property = get_request_property,
    .get_request_attribute = get_request_attribute,
    .get_certificate_property = get_certificate_property,
    .set_certificate_property = set_certificate_property,
    .get_certificate_extension = get_certificate_extension,
    .get_certificate_extension_flags = get_certificate_extension_flags,
    .set_certificate_extension = set_certificate_extension,
    .enumerate_extensions_setup = extensions_setup,
    .enumerate_extensions = extensions,
    .enumerate_extensions_close = extensions_close,
    .enumerate_attributes_setup = attributes_setup,
    .enumerate_attributes = attributes,
    .enumerate_attributes_close = attributes_close,
};

chy_hresult proxy_new(struct member *m, chy_server_policy *out)
{
    const chy_host *h = &m->chain->host;
    struct proxy *p = calloc(1, sizeof *p);
    *out = (chy_server_policy){&table, p};
    if (!p) return CHY_E_OUTOFMEMORY;
    p->member = m;
    chy_hresult hr = h->vt->new_server_policy(h->self, &p->in);
    if (!CHY_FAILED(hr)) return hr;
    free(p);
    out->self = NULL;
    return hr;
}
