/* One call of a module's method as a value, and making it: direct or by name. The same here and in
 * the child process of a module that has one. */
#include <string.h>

#include "module/internal.h"

static chy_hresult explain_late(chy_hresult hr, chy_variant *result, struct chy_call *c,
                                const char *what, struct chy_err *err)
{
    if (!CHY_FAILED(hr) && result->vt != CHY_VT_LONG)
        hr = chy_fail(err, CHY_E_UNEXPECTED, "%s", what);
    if (!CHY_FAILED(hr)) c->number = result->u.l;
    chy_variant_clear(result);
    return hr;
}

static chy_hresult initialize(struct chy_instance *i, struct chy_call *c, struct chy_err *err)
{
    chy_variant arg = chy_arg_str(c->config), result = {.vt = CHY_VT_EMPTY};
    if (!i->late) {
        return i->is_policy ? i->policy.vt->initialize(i->policy.self, c->config)
                            : i->exit.vt->initialize(i->exit.self, c->config, &c->number);
    }
    if (i->is_policy) return chy_late_call(&i->object, "Initialize", &arg, 1, NULL, err);
    chy_hresult hr = chy_late_call(&i->object, "Initialize", &arg, 1, &result, err);
    return explain_late(hr, &result, c, "Initialize gave no event mask", err);
}

static chy_hresult verify(struct chy_instance *i, chy_long context, struct chy_call *c,
                          struct chy_err *err)
{
    if (!i->late) {
        return i->policy.vt->verify_request(i->policy.self, c->config, context, c->is_new, 0,
                                            &c->number);
    }
    chy_variant args[] = {chy_arg_str(c->config), chy_arg_long(context), chy_arg_long(c->is_new),
                          chy_arg_long(0)};
    chy_variant result = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = chy_late_call(&i->object, "VerifyRequest", args, 4, &result, err);
    if (result.vt == CHY_VT_LONG) c->number = result.u.l;
    chy_variant_clear(&result);
    return hr;
}

static chy_hresult notify(struct chy_instance *i, chy_long context, struct chy_call *c,
                          struct chy_err *err)
{
    chy_variant args[] = {chy_arg_long(c->event), chy_arg_long(context)};
    return i->late ? chy_late_call(&i->object, "Notify", args, 2, NULL, err)
                   : i->exit.vt->notify(i->exit.self, c->event, context);
}

static chy_hresult shut_down(struct chy_instance *i, struct chy_err *err)
{
    return i->late ? chy_late_call(&i->object, "ShutDown", NULL, 0, NULL, err)
                   : i->policy.vt->shut_down(i->policy.self);
}

static chy_hresult describe(struct chy_instance *i, struct chy_call *c, struct chy_err *err)
{
    chy_str text = {NULL, 0};
    if (!i->late) {
        chy_hresult hr = i->is_policy ? i->policy.vt->get_description(i->policy.self, &text)
                                      : i->exit.vt->get_description(i->exit.self, &text);
        if (CHY_FAILED(hr) || !text.p) return hr;
        c->result = (chy_variant){.vt = CHY_VT_STR};
        c->result.u.s = text;
        return hr;
    }
    chy_hresult hr = chy_late_call(&i->object, "GetDescription", NULL, 0, &c->result, err);
    if (CHY_FAILED(hr) || c->result.vt == CHY_VT_STR) return hr;
    chy_variant_clear(&c->result);
    return chy_fail(err, CHY_E_UNEXPECTED, "GetDescription gave no text");
}

chy_hresult chy_call_run(struct chy_instance *i, chy_long context, struct chy_call *c,
                         struct chy_err *err)
{
    switch (c->kind) {
    case CHY_CALL_INITIALIZE: return initialize(i, c, err);
    case CHY_CALL_VERIFY: return i->is_policy ? verify(i, context, c, err) : CHY_E_NOTIMPL;
    case CHY_CALL_NOTIFY: return i->is_policy ? CHY_E_NOTIMPL : notify(i, context, c, err);
    case CHY_CALL_SHUT_DOWN: return i->is_policy ? shut_down(i, err) : CHY_S_OK;
    case CHY_CALL_DESCRIBE: return describe(i, c, err);
    case CHY_CALL_GET:
    case CHY_CALL_SET:
    case CHY_CALL_CONFIGURE: return chy_manage_run(i, c, err);
    }
    return CHY_E_NOTIMPL;
}

chy_hresult chy_call_make(struct chy_instance *i, void *request, struct chy_call *c,
                          bool *abandoned, struct chy_err *err)
{
    struct chy_running running;
    enum chy_asker asker =
        c->kind == CHY_CALL_VERIFY || (i->is_policy && c->kind <= CHY_CALL_SHUT_DOWN)
            ? CHY_ASKER_POLICY
            : CHY_ASKER_EXIT;
    *abandoned = false;
    c->made = false;
    chy_hresult hr = chy_call_begin(i, request, asker, &running, err);
    if (hr != CHY_S_OK) return hr;
    c->made = true;
    hr = i->child ? chy_hosted_call(i, &running, request, c, err)
                  : chy_call_run(i, request ? running.number : 0, c, err);
    *abandoned = chy_call_end(i, &running, hr);
    if (*abandoned && !CHY_FAILED(hr)) chy_variant_clear(&c->result);
    return hr;
}
