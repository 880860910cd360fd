/* The callback objects by name (counterpart of IDispatch): method names without case, arguments
 * checked one by one, the end of an enumeration as S_FALSE with an empty text. */
#include <string.h>
#include <strings.h>

#include "module/internal.h"

enum method {
    SET_CONTEXT,
    GET_REQUEST_PROPERTY,
    GET_REQUEST_ATTRIBUTE,
    GET_CERTIFICATE_PROPERTY,
    SET_CERTIFICATE_PROPERTY,
    GET_EXTENSION,
    GET_EXTENSION_FLAGS,
    SET_EXTENSION,
    EXT_SETUP,
    EXT_NEXT,
    EXT_CLOSE,
    ATTR_SETUP,
    ATTR_NEXT,
    ATTR_CLOSE
};

/* In a signature: s text, l number, v anything. */
static const struct {
    const char *name, *args;
    enum method method;
    bool setter, gives; /* gives: has a result */
} methods[] = {
    {"SetContext", "l", SET_CONTEXT, false, false},
    {"GetRequestProperty", "sl", GET_REQUEST_PROPERTY, false, true},
    {"GetRequestAttribute", "s", GET_REQUEST_ATTRIBUTE, false, true},
    {"GetCertificateProperty", "sl", GET_CERTIFICATE_PROPERTY, false, true},
    {"SetCertificateProperty", "slv", SET_CERTIFICATE_PROPERTY, true, false},
    {"GetCertificateExtension", "sl", GET_EXTENSION, false, true},
    {"GetCertificateExtensionFlags", "", GET_EXTENSION_FLAGS, false, true},
    {"SetCertificateExtension", "sllv", SET_EXTENSION, true, false},
    {"EnumerateExtensionsSetup", "l", EXT_SETUP, false, false},
    {"EnumerateExtensions", "", EXT_NEXT, false, true},
    {"EnumerateExtensionsClose", "", EXT_CLOSE, false, false},
    {"EnumerateAttributesSetup", "l", ATTR_SETUP, false, false},
    {"EnumerateAttributes", "", ATTR_NEXT, false, true},
    {"EnumerateAttributesClose", "", ATTR_CLOSE, false, false},
};

static chy_hresult check_args(const char *signature, const chy_variant *args, uint32_t nargs,
                              uint32_t *bad_arg)
{
    if (nargs != strlen(signature)) return CHY_DISP_E_BADPARAMCOUNT;
    if (nargs && !args) return CHY_E_POINTER;
    for (uint32_t i = 0; i < nargs; i++) {
        bool number = args[i].vt == CHY_VT_LONG || args[i].vt == CHY_VT_BOOL;
        bool ok = signature[i] == 'v' || (signature[i] == 's' && args[i].vt == CHY_VT_STR) ||
                  (signature[i] == 'l' && number);
        if (ok) continue;
        if (bad_arg) *bad_arg = i;
        return CHY_DISP_E_TYPEMISMATCH;
    }
    return CHY_S_OK;
}

/* A text result moves into a variant; the end of an enumeration is an empty one. */
static chy_hresult text_result(chy_hresult hr, chy_str *s, chy_variant *out)
{
    if (hr == CHY_S_FALSE && !chy_module_str(s, "", 0)) return CHY_E_OUTOFMEMORY;
    if (CHY_FAILED(hr)) return hr;
    *out = (chy_variant){.vt = CHY_VT_STR};
    out->u.s = *s;
    return hr;
}

static chy_hresult run(enum method m, void *self, const chy_variant *a, chy_variant *out)
{
    const chy_server_policy_vtbl *t =
        &chy_server_policy_table; /* the exit's members are the same functions */
    chy_str s = {NULL, 0};
    chy_long flags = 0;
    chy_hresult hr;
    switch (m) {
    case SET_CONTEXT: return t->set_context(self, a[0].u.l);
    case GET_REQUEST_PROPERTY: return t->get_request_property(self, a[0].u.s.p, a[1].u.l, out);
    case GET_REQUEST_ATTRIBUTE:
        return text_result(t->get_request_attribute(self, a[0].u.s.p, &s), &s, out);
    case GET_CERTIFICATE_PROPERTY:
        return t->get_certificate_property(self, a[0].u.s.p, a[1].u.l, out);
    case SET_CERTIFICATE_PROPERTY:
        return t->set_certificate_property(self, a[0].u.s.p, a[1].u.l, &a[2]);
    case GET_EXTENSION: return t->get_certificate_extension(self, a[0].u.s.p, a[1].u.l, out);
    case GET_EXTENSION_FLAGS:
        hr = t->get_certificate_extension_flags(self, &flags);
        return hr == CHY_S_OK ? chy_variant_set_long(out, flags) : hr;
    case SET_EXTENSION:
        return t->set_certificate_extension(self, a[0].u.s.p, a[1].u.l, a[2].u.l, &a[3]);
    case EXT_SETUP: return t->enumerate_extensions_setup(self, a[0].u.l);
    case EXT_NEXT: return text_result(t->enumerate_extensions(self, &s), &s, out);
    case EXT_CLOSE: return t->enumerate_extensions_close(self);
    case ATTR_SETUP: return t->enumerate_attributes_setup(self, a[0].u.l);
    case ATTR_NEXT: return text_result(t->enumerate_attributes(self, &s), &s, out);
    case ATTR_CLOSE: return t->enumerate_attributes_close(self);
    }
    return CHY_DISP_E_MEMBERNOTFOUND;
}

static chy_hresult invoke(bool may_set, void *self, const char *method, const chy_variant *args,
                          uint32_t nargs, chy_variant *result, uint32_t *bad_arg)
{
    if (!self || !method) return CHY_E_POINTER;
    if (result) *result = (chy_variant){.vt = CHY_VT_EMPTY};
    for (size_t i = 0; i < CHY_ARRAY_LEN(methods); i++) {
        if (strcasecmp(methods[i].name, method) != 0 || (methods[i].setter && !may_set)) continue;
        chy_hresult hr = check_args(methods[i].args, args, nargs, bad_arg);
        if (hr == CHY_S_OK && methods[i].gives && !result) hr = CHY_E_POINTER;
        return hr == CHY_S_OK ? run(methods[i].method, self, args, result) : hr;
    }
    return CHY_DISP_E_UNKNOWNNAME;
}

chy_hresult chy_server_policy_invoke(void *self, const char *method, const chy_variant *args,
                                     uint32_t nargs, chy_variant *result, chy_excep *excep,
                                     uint32_t *bad_arg)
{
    (void)excep;
    return invoke(true, self, method, args, nargs, result, bad_arg);
}

chy_hresult chy_server_exit_invoke(void *self, const char *method, const chy_variant *args,
                                   uint32_t nargs, chy_variant *result, chy_excep *excep,
                                   uint32_t *bad_arg)
{
    (void)excep;
    return invoke(false, self, method, args, nargs, result, bad_arg);
}
