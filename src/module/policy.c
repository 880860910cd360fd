/* Calls of ICertPolicy, and what their answers mean. */
#include <string.h>

#include "module/internal.h"

enum { NEVER_WRITTEN = 0x7ead0000 };

static chy_hresult explain(struct chy_instance *i, const char *method, chy_hresult hr,
                           struct chy_err *err)
{
    return chy_fail(err, hr, "module %s: %s failed with 0x%08x (%s)", i->name, method, (unsigned)hr,
                    chy_code_info(hr)->name);
}

chy_hresult chy_policy_initialize(struct chy_instance *i, const char *config, struct chy_err *err)
{
    struct chy_running call;
    chy_hresult hr = chy_call_begin(i, NULL, CHY_ASKER_POLICY, &call, err);
    if (hr != CHY_S_OK) return hr;
    chy_variant arg = chy_arg_str(config);
    hr = i->late ? chy_late_call(&i->object, "Initialize", &arg, 1, NULL, err)
                 : i->policy.vt->initialize(i->policy.self, config);
    if (chy_call_end(i, &call, hr))
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s: Initialize overran its deadline",
                        i->name);
    return CHY_FAILED(hr) ? explain(i, "Initialize", hr, err) : CHY_S_OK;
}

static chy_hresult late_verify(struct chy_instance *i, const char *config, chy_long context,
                               bool is_new, chy_long *disposition, struct chy_err *err)
{
    chy_variant args[] = {chy_arg_str(config), chy_arg_long(context), chy_arg_long(is_new),
                          chy_arg_long(0)};
    chy_variant result = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = chy_late_call(&i->object, "VerifyRequest", args, 4, &result, err);
    if (result.vt == CHY_VT_LONG) *disposition = result.u.l;
    chy_variant_clear(&result);
    return hr;
}

/* Zero never issues; neither does anything but an explicit, well-formed VR_INSTANT_OK of a call
 * that succeeded. A negative disposition is a denial with that code; every other number is a broken
 * module. */
static enum chy_verdict classify(struct chy_instance *i, chy_hresult hr, chy_long disposition,
                                 chy_hresult *status, struct chy_err *err)
{
    *status = CHY_S_OK;
    if (CHY_FAILED(hr)) {
        *status = hr;
        explain(i, "VerifyRequest", hr, err);
        return CHY_VERDICT_FAILED;
    }
    if (hr == CHY_S_OK && disposition == CHY_VR_PENDING) return CHY_VERDICT_PENDING;
    if (hr == CHY_S_OK && disposition == CHY_VR_INSTANT_OK) return CHY_VERDICT_ISSUE;
    if (hr == CHY_S_OK && disposition == CHY_VR_INSTANT_BAD) {
        *status = CHY_E_ACCESSDENIED; /* the module gave no code of its own */
        return CHY_VERDICT_DENIED;
    }
    if (hr == CHY_S_OK && disposition < 0) {
        *status = disposition;
        return CHY_VERDICT_DENIED;
    }
    *status = CHY_E_UNEXPECTED;
    if (disposition == NEVER_WRITTEN) {
        chy_fail(err, *status, "module %s: VerifyRequest returned 0x%08x without a disposition",
                 i->name, (unsigned)hr);
    } else {
        chy_fail(
            err, *status,
            "module %s: VerifyRequest returned 0x%08x with disposition %d, which means nothing",
            i->name, (unsigned)hr, disposition);
    }
    return CHY_VERDICT_FAILED;
}

enum chy_verdict chy_policy_verify(struct chy_instance *i, const char *config, void *request,
                                   bool is_new, chy_hresult *status, bool *abandoned,
                                   struct chy_err *err)
{
    struct chy_running call;
    struct chy_err own = {
        0}; /* err may live in the request, which is not ours once the call is abandoned */
    chy_long disposition = NEVER_WRITTEN;
    *abandoned = false;
    *status = CHY_ERROR_TIMEOUT; /* not to be touched once the call is abandoned */
    chy_hresult hr = chy_call_begin(i, request, CHY_ASKER_POLICY, &call, err);
    if (hr != CHY_S_OK) {
        *status = hr;
        return CHY_VERDICT_FAILED;
    }
    chy_long context = call.number;
    hr = i->late ? late_verify(i, config, context, is_new, &disposition, &own)
                 : i->policy.vt->verify_request(i->policy.self, config, context, is_new, 0,
                                                &disposition);
    *abandoned = chy_call_end(i, &call, hr);
    if (*abandoned) return CHY_VERDICT_FAILED;
    enum chy_verdict v = classify(i, hr, disposition, status, &own);
    if (v == CHY_VERDICT_FAILED && !CHY_FAILED(hr)) atomic_fetch_add(&i->failures, 1);
    if (own.code != CHY_S_OK) chy_fail(err, own.code, "%s", own.text);
    return v;
}

chy_hresult chy_policy_shut_down(struct chy_instance *i, struct chy_err *err)
{
    struct chy_running call;
    chy_hresult hr = chy_call_begin(i, NULL, CHY_ASKER_POLICY, &call, err);
    if (hr != CHY_S_OK) return hr;
    hr = i->late ? chy_late_call(&i->object, "ShutDown", NULL, 0, NULL, err)
                 : i->policy.vt->shut_down(i->policy.self);
    if (chy_call_end(i, &call, hr))
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s: ShutDown overran its deadline",
                        i->name);
    return CHY_FAILED(hr) ? explain(i, "ShutDown", hr, err) : CHY_S_OK;
}
