/* A module's methods by name. */
#include <string.h>

#include "module/internal.h"

chy_variant chy_arg_str(const char *s)
{
    chy_variant v = {.vt = CHY_VT_STR};
    v.u.s.p = (char *)(uintptr_t)s; /* lent for the call; the callee only reads */
    v.u.s.n = strlen(s);
    return v;
}

chy_variant chy_arg_long(chy_long l)
{
    chy_variant v = {.vt = CHY_VT_LONG};
    v.u.l = l;
    return v;
}

chy_hresult chy_late_call(const chy_object *o, const char *method, const chy_variant *args,
                          uint32_t nargs, chy_variant *result, struct chy_err *err)
{
    /* release and invoke are the first members of every table */
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)o->vt;
    chy_excep excep = {0};
    uint32_t bad = 0;
    chy_variant unwanted = {.vt = CHY_VT_EMPTY}; /* for modules that always write a result */
    chy_hresult hr =
        vt->invoke(o->self, method, args, nargs, result ? result : &unwanted, &excep, &bad);
    chy_variant_clear(&unwanted);
    if (hr == CHY_DISP_E_EXCEPTION) {
        hr = CHY_FAILED(excep.code) ? excep.code : CHY_E_UNEXPECTED;
        if (excep.description.p) {
            chy_fail(err, hr, "%s: %.*s", method,
                     (int)(excep.description.n > 300 ? 300 : excep.description.n),
                     excep.description.p);
        }
    }
    chy_module_free(excep.source.p);
    chy_module_free(excep.description.p);
    return hr;
}
