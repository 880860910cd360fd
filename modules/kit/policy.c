/* The table of a policy (ICertPolicy2). */
#include "kit/object_parts.h"

static chy_hresult initialize(void *self, const char *config)
{
    return kit_object_reload(self, config);
}

static chy_hresult verify(struct kit_object *o, struct kit_policy_call *call, chy_long *disposition)
{
    if (o->cls->bare) return o->cls->verify(call, disposition);
    chy_hresult hr = o->host.vt->new_server_policy(o->host.self, &call->sp);
    if (CHY_FAILED(hr)) return hr;
    hr = call->sp.vt->set_context(call->sp.self, call->context);
    if (!CHY_FAILED(hr)) hr = o->cls->verify(call, disposition);
    call->sp.vt->release(call->sp.self);
    return hr;
}

static chy_hresult verify_request(void *self, const char *config, chy_long context, chy_long is_new,
                                  chy_long flags, chy_long *disposition)
{
    struct kit_object *o = self;
    if (!disposition) return CHY_E_POINTER;
    *disposition = CHY_VR_INSTANT_BAD;
    struct kit_version *v = kit_object_take(o);
    if (!v) return CHY_E_UNEXPECTED;
    struct kit_policy_call call = {.host = &o->host,
                                   .own = o->own,
                                   .settings = v->settings,
                                   .config = config,
                                   .context = context,
                                   .is_new = is_new,
                                   .flags = flags};
    chy_hresult hr = verify(o, &call, disposition);
    kit_object_put(o, v);
    return hr;
}

/* It decides nothing more. */
static chy_hresult shut_down(void *self)
{
    struct kit_object *o = self;
    kit_object_forget(o);
    return o->cls->shut_down ? o->cls->shut_down(o->own) : CHY_S_OK;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct kit_object *o = self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long disposition = CHY_VR_INSTANT_BAD;
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "Initialize", "s")) {
        hr = initialize(o, args[0].u.s.p);
    } else if (chy_late_is(&c, "VerifyRequest", "slll>")) {
        hr = verify_request(o, args[0].u.s.p, args[1].u.l, args[2].u.l, args[3].u.l, &disposition);
        hr = chy_late_long(result, hr, disposition);
    } else if (chy_late_is(&c, "ShutDown", "")) {
        hr = shut_down(o);
    } else {
        hr = kit_object_invoke(o, &c, result);
    }
    return kit_late_end(o->cls, &o->host, &c, hr, excep);
}

const chy_policy_vtbl kit_policy_table = {
    .h = {sizeof kit_policy_table, CHY_ABI_VERSION, CHY_IID_POLICY, CHY_IF_CONCURRENT},
    .release = kit_object_release,
    .invoke = invoke,
    .initialize = initialize,
    .verify_request = verify_request,
    .get_description = kit_object_description,
    .shut_down = shut_down,
    .get_manage_module = kit_object_manage};
