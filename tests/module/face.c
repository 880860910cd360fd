#include "face.h"

#include <string.h>

static const chy_server_policy_vtbl *policy_of(const struct face *f)
{
    return f->vt;
}
static const chy_server_exit_vtbl *exit_of(const struct face *f)
{
    return f->vt;
}

/* A member that both tables have. */
#define DIRECT(f, member, ...)                                                                     \
    ((f)->may_set ? policy_of(f)->member(__VA_ARGS__) : exit_of(f)->member(__VA_ARGS__))

struct face face_of_policy(chy_server_policy s, bool late)
{
    return (struct face){late, true, s.vt, s.self};
}
struct face face_of_exit(chy_server_exit s, bool late)
{
    return (struct face){late, false, s.vt, s.self};
}

void face_release(struct face *f)
{
    if (f->self) DIRECT(f, release, f->self);
    f->self = NULL;
}

chy_variant text_arg(const char *s)
{
    chy_variant v = {.vt = CHY_VT_STR};
    v.u.s.p = (char *)(uintptr_t)s;
    v.u.s.n = s ? strlen(s) : 0;
    return v;
}

chy_variant long_arg(chy_long l)
{
    chy_variant v = {.vt = CHY_VT_LONG};
    v.u.l = l;
    return v;
}

chy_hresult face_invoke(struct face *f, const char *method, const chy_variant *args, uint32_t n,
                        chy_variant *result, uint32_t *bad)
{
    chy_excep excep = {0};
    return DIRECT(f, invoke, f->self, method, args, n, result, &excep, bad);
}

static chy_hresult late(struct face *f, const char *method, const chy_variant *args, uint32_t n,
                        chy_variant *result)
{
    return face_invoke(f, method, args, n, result, NULL);
}

/* The same with a text as the result. */
static chy_hresult late_text(struct face *f, const char *method, const chy_variant *args,
                             uint32_t n, chy_str *out)
{
    chy_variant v = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = late(f, method, args, n, out ? &v : NULL);
    if (out) *out = v.vt == CHY_VT_STR ? v.u.s : (chy_str){NULL, 0};
    return hr;
}

chy_hresult face_set_context(struct face *f, chy_long context)
{
    chy_variant a = long_arg(context);
    return f->late ? late(f, "SetContext", &a, 1, NULL) : DIRECT(f, set_context, f->self, context);
}

chy_hresult face_get(struct face *f, enum what what, const char *name, chy_long type,
                     chy_variant *out)
{
    static const char *const names[] = {"GetRequestProperty", "GetCertificateProperty",
                                        "GetCertificateExtension"};
    chy_variant a[] = {text_arg(name), long_arg(type)};
    if (f->late) return late(f, names[what], a, 2, out);
    switch (what) {
    case REQUEST: return DIRECT(f, get_request_property, f->self, name, type, out);
    case CERTIFICATE: return DIRECT(f, get_certificate_property, f->self, name, type, out);
    case EXTENSION: return DIRECT(f, get_certificate_extension, f->self, name, type, out);
    }
    return CHY_E_NOTIMPL;
}

chy_hresult face_attribute(struct face *f, const char *name, chy_str *out)
{
    chy_variant a = text_arg(name);
    return f->late ? late_text(f, "GetRequestAttribute", &a, 1, out)
                   : DIRECT(f, get_request_attribute, f->self, name, out);
}

chy_hresult face_flags(struct face *f, chy_long *out)
{
    chy_variant v = {.vt = CHY_VT_EMPTY};
    if (!f->late) return DIRECT(f, get_certificate_extension_flags, f->self, out);
    chy_hresult hr = late(f, "GetCertificateExtensionFlags", NULL, 0, out ? &v : NULL);
    if (out) *out = v.vt == CHY_VT_LONG ? v.u.l : 0;
    return hr;
}

/* By name there is no way to hand in no value at all: the caller's side says so, as a proxy does.
 */
chy_hresult face_set_property(struct face *f, const char *name, chy_long type,
                              const chy_variant *value)
{
    if (!f->late) return policy_of(f)->set_certificate_property(f->self, name, type, value);
    if (!value) return CHY_E_POINTER;
    chy_variant a[] = {text_arg(name), long_arg(type), *value};
    return late(f, "SetCertificateProperty", a, 3, NULL);
}

chy_hresult face_set_extension(struct face *f, const char *oid, chy_long type, chy_long flags,
                               const chy_variant *value)
{
    if (!f->late) return policy_of(f)->set_certificate_extension(f->self, oid, type, flags, value);
    if (!value) return CHY_E_POINTER;
    chy_variant a[] = {text_arg(oid), long_arg(type), long_arg(flags), *value};
    return late(f, "SetCertificateExtension", a, 4, NULL);
}

chy_hresult face_setup(struct face *f, enum list list, chy_long flags)
{
    chy_variant a = long_arg(flags);
    if (list == EXTENSIONS) {
        return f->late ? late(f, "EnumerateExtensionsSetup", &a, 1, NULL)
                       : DIRECT(f, enumerate_extensions_setup, f->self, flags);
    }
    return f->late ? late(f, "EnumerateAttributesSetup", &a, 1, NULL)
                   : DIRECT(f, enumerate_attributes_setup, f->self, flags);
}

chy_hresult face_next(struct face *f, enum list list, chy_str *out)
{
    if (list == EXTENSIONS) {
        return f->late ? late_text(f, "EnumerateExtensions", NULL, 0, out)
                       : DIRECT(f, enumerate_extensions, f->self, out);
    }
    return f->late ? late_text(f, "EnumerateAttributes", NULL, 0, out)
                   : DIRECT(f, enumerate_attributes, f->self, out);
}

chy_hresult face_close(struct face *f, enum list list)
{
    if (list == EXTENSIONS) {
        return f->late ? late(f, "EnumerateExtensionsClose", NULL, 0, NULL)
                       : DIRECT(f, enumerate_extensions_close, f->self);
    }
    return f->late ? late(f, "EnumerateAttributesClose", NULL, 0, NULL)
                   : DIRECT(f, enumerate_attributes_close, f->self);
}
