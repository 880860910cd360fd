/* Calls of ICertExit. */
#include "module/internal.h"

static chy_hresult explain(struct chy_instance *i, const char *method, chy_hresult hr,
                           struct chy_err *err)
{
    return chy_fail(err, hr, "module %s: %s failed with 0x%08x (%s)", i->name, method, (unsigned)hr,
                    chy_code_info(hr)->name);
}

static chy_hresult late_initialize(struct chy_instance *i, const char *config, chy_long *mask,
                                   struct chy_err *err)
{
    chy_variant arg = chy_arg_str(config), result = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = chy_late_call(&i->object, "Initialize", &arg, 1, &result, err);
    if (!CHY_FAILED(hr) && result.vt != CHY_VT_LONG)
        hr = chy_fail(err, CHY_E_UNEXPECTED, "Initialize gave no event mask");
    if (!CHY_FAILED(hr)) *mask = result.u.l;
    chy_variant_clear(&result);
    return hr;
}

chy_hresult chy_exit_initialize(struct chy_instance *i, const char *config, chy_long *event_mask,
                                struct chy_err *err)
{
    struct chy_running call;
    chy_long mask = CHY_EXITEVENT_INVALID;
    chy_hresult hr = chy_call_begin(i, NULL, CHY_ASKER_EXIT, &call, err);
    if (hr != CHY_S_OK) return hr;
    hr = i->late ? late_initialize(i, config, &mask, err)
                 : i->exit.vt->initialize(i->exit.self, config, &mask);
    if (chy_call_end(i, &call, hr))
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s: Initialize overran its deadline",
                        i->name);
    if (CHY_FAILED(hr)) return explain(i, "Initialize", hr, err);
    *event_mask = mask;
    return CHY_S_OK;
}

chy_hresult chy_exit_notify(struct chy_instance *i, chy_long event, void *request, bool *abandoned,
                            struct chy_err *err)
{
    struct chy_running call;
    *abandoned = false;
    chy_hresult hr = chy_call_begin(i, request, CHY_ASKER_EXIT, &call, err);
    if (hr != CHY_S_OK) return hr;
    chy_long context = request ? call.number : 0;
    chy_variant args[] = {chy_arg_long(event), chy_arg_long(context)};
    hr = i->late ? chy_late_call(&i->object, "Notify", args, 2, NULL, err)
                 : i->exit.vt->notify(i->exit.self, event, context);
    *abandoned = chy_call_end(i, &call, hr);
    if (*abandoned)
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s: Notify overran its deadline", i->name);
    return CHY_FAILED(hr) ? explain(i, "Notify", hr, err) : CHY_S_OK;
}
