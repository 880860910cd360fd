/* Calls of ICertPolicy, and what their answers mean. */
#include <unistd.h>

#include "module/internal.h"

enum { NEVER_WRITTEN = 0x7ead0000 };

chy_hresult chy_explain(struct chy_instance *i, const char *method, chy_hresult hr,
                        struct chy_err *err)
{
    return chy_fail(err, hr, "module %s: %s failed with 0x%08x (%s)", i->name, method, (unsigned)hr,
                    chy_code_info(hr)->name);
}

chy_hresult chy_overran(struct chy_instance *i, const char *method, struct chy_err *err)
{
    return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s: %s overran its deadline", i->name, method);
}

/* What came of a call that answers nothing but its number. */
static chy_hresult outcome(struct chy_instance *i, const struct chy_call *c, const char *method,
                           bool abandoned, chy_hresult hr, struct chy_err *err)
{
    if (!c->made) return hr;
    if (abandoned) return chy_overran(i, method, err);
    return CHY_FAILED(hr) ? chy_explain(i, method, hr, err) : CHY_S_OK;
}

chy_hresult chy_policy_initialize(struct chy_instance *i, const char *config, struct chy_err *err)
{
    bool abandoned;
    struct chy_call c = {.kind = CHY_CALL_INITIALIZE, .config = config};
    chy_hresult hr = chy_call_make(i, NULL, &c, &abandoned, err);
    return outcome(i, &c, "Initialize", abandoned, hr, err);
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
        chy_explain(i, "VerifyRequest", hr, err);
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
    /* err may live in the request, which is not ours once the call is abandoned */
    struct chy_err own = {0};
    struct chy_call c = {
        .kind = CHY_CALL_VERIFY, .config = config, .is_new = is_new, .number = NEVER_WRITTEN};
    *status = CHY_ERROR_TIMEOUT; /* not to be touched once the call is abandoned */
    chy_hresult hr = chy_call_make(i, request, &c, abandoned, &own);
    if (*abandoned) return CHY_VERDICT_FAILED;
    enum chy_verdict v = CHY_VERDICT_FAILED;
    if (c.made) {
        v = classify(i, hr, c.number, status, &own);
        if (v == CHY_VERDICT_FAILED && !CHY_FAILED(hr)) atomic_fetch_add(&i->failures, 1);
    } else {
        *status = hr;
    }
    if (own.code != CHY_S_OK) chy_fail(err, own.code, "%s", own.text);
    return v;
}

/* A stop does not wait for a call as long as a request would. */
static bool comes_to_rest(const struct chy_instance *i)
{
    enum { STEPS = 200, STEP_US = 10000 };
    for (int step = 0; !i->concurrent && atomic_load(&i->running); step++) {
        if (step == STEPS) return false;
        usleep(STEP_US);
    }
    return true;
}

chy_hresult chy_policy_shut_down(struct chy_instance *i, struct chy_err *err)
{
    bool abandoned;
    if (!comes_to_rest(i))
        return chy_fail(err, CHY_ERROR_BUSY,
                        "module %s: a call has not come back, so it is not told of the stop",
                        i->name);
    struct chy_call c = {.kind = CHY_CALL_SHUT_DOWN};
    chy_hresult hr = chy_call_make(i, NULL, &c, &abandoned, err);
    return outcome(i, &c, "ShutDown", abandoned, hr, err);
}
