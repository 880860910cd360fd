/* The table of an exit module (ICertExit2). */
#include "kit/object_parts.h"

static chy_hresult initialize(void *self, const char *config, chy_long *events)
{
    struct kit_object *o = self;
    if (!events) return CHY_E_POINTER;
    *events = CHY_EXITEVENT_INVALID;
    chy_hresult hr = kit_object_reload(o, config);
    if (CHY_FAILED(hr)) return hr;
    struct kit_version *v = kit_object_take(o);
    *events = o->cls->events(v->settings);
    kit_object_put(o, v);
    return CHY_S_OK;
}

static chy_hresult notify(void *self, chy_long event, chy_long context)
{
    struct kit_object *o = self;
    struct kit_version *v = kit_object_take(o);
    if (!v) return CHY_E_UNEXPECTED;
    const struct kit_exit_call call = {.host = &o->host,
                                       .own = o->own,
                                       .settings = v->settings,
                                       .event = event,
                                       .context = context};
    chy_hresult hr = o->cls->notify(&call);
    kit_object_put(o, v);
    return hr;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct kit_object *o = self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long events = CHY_EXITEVENT_INVALID;
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "Initialize", "s>")) {
        hr = initialize(o, args[0].u.s.p, &events);
        hr = chy_late_long(result, hr, events);
    } else if (chy_late_is(&c, "Notify", "ll")) {
        hr = notify(o, args[0].u.l, args[1].u.l);
    } else {
        hr = kit_object_invoke(o, &c, result);
    }
    return kit_late_end(o->cls, &o->host, &c, hr, excep);
}

const chy_exit_vtbl kit_exit_table = {
    .h = {sizeof kit_exit_table, CHY_ABI_VERSION, CHY_IID_EXIT, CHY_IF_CONCURRENT},
    .release = kit_object_release,
    .invoke = invoke,
    .initialize = initialize,
    .notify = notify,
    .get_description = kit_object_description,
    .get_manage_module = kit_object_manage};
