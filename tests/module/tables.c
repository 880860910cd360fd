/* The probe's tables: direct members without invoke, or invoke without direct members. */
#include <string.h>
#include <strings.h>

#include "probe.h"

static void release(void *self)
{
    struct probe *p = self;
    p->host->vt->free(p);
}

static chy_hresult policy_initialize(void *self, const char *config)
{
    return probe_initialize(self, config);
}
static chy_hresult policy_verify(void *self, const char *config, chy_long context, chy_long is_new,
                                 chy_long flags, chy_long *disposition)
{
    struct probe *p = self;
    if (!probe_word(config, "overlap", &(const char *){NULL}) &&
        !probe_word(config, "quick", &(const char *){NULL}))
        say(p->host, "verify \"%s\" new %d flags %d", config, is_new, flags);
    return probe_verify(self, config, context, disposition);
}
static chy_hresult describe(void *self, chy_str *out)
{
    return probe_describe(self, out);
}
static chy_hresult shut_down(void *self)
{
    struct probe *p = self;
    say(p->host, "shut down");
    return CHY_S_OK;
}
static chy_hresult manage(void *self, chy_manage_module *out)
{
    struct probe *p = self;
    chy_object o;
    chy_hresult hr = probe_manage_new(p->host, p->late, &o);
    if (hr == CHY_S_OK)
        *out = (chy_manage_module){(const chy_manage_module_vtbl *)(const void *)o.vt, o.self};
    return hr;
}
static chy_hresult exit_initialize(void *self, const char *config, chy_long *mask)
{
    *mask = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CRLISSUED;
    return probe_initialize(self, config);
}
static chy_hresult exit_notify(void *self, chy_long event, chy_long context)
{
    return probe_notify(self, event, context);
}

static chy_hresult raise(chy_excep *excep, chy_hresult code, const struct probe *p)
{
    excep->code = code;
    (void)probe_text(p->host, "probe", &excep->source);
    (void)probe_text(p->host, "it rains", &excep->description);
    return CHY_DISP_E_EXCEPTION;
}

/* What both kinds of module answer by name. */
static chy_hresult invoke_common(struct probe *p, const char *method, chy_variant *result)
{
    if (strcasecmp(method, "GetDescription") == 0) {
        *result = (chy_variant){.vt = CHY_VT_STR};
        return probe_describe(p, &result->u.s);
    }
    if (strcasecmp(method, "GetManageModule") == 0) {
        chy_object *o = p->host->vt->alloc(sizeof(*o));
        if (!o) return CHY_E_OUTOFMEMORY;
        *result = (chy_variant){.vt = CHY_VT_OBJECT};
        result->u.o = o;
        return probe_manage_new(p->host, true, o);
    }
    return CHY_DISP_E_UNKNOWNNAME;
}

static chy_hresult policy_invoke(void *self, const char *method, const chy_variant *args,
                                 uint32_t nargs, chy_variant *result, chy_excep *excep,
                                 uint32_t *bad)
{
    struct probe *p = self;
    const char *rest;
    (void)bad;
    if (strcasecmp(method, "Initialize") == 0 && nargs == 1)
        return policy_initialize(p, args[0].u.s.p);
    if (strcasecmp(method, "ShutDown") == 0 && nargs == 0) return shut_down(p);
    if (strcasecmp(method, "VerifyRequest") != 0) return invoke_common(p, method, result);
    if (nargs != 4) return CHY_DISP_E_BADPARAMCOUNT;
    const char *config = args[0].u.s.p;
    if (probe_word(config, "raise", &rest)) return raise(excep, *rest ? -1234 : 0, p);
    chy_long disposition = -1;
    chy_hresult hr = policy_verify(p, config, args[1].u.l, args[2].u.l, args[3].u.l, &disposition);
    *result = (chy_variant){.vt = CHY_VT_LONG};
    result->u.l = disposition;
    if (strstr(config, "none")) result->vt = CHY_VT_EMPTY;
    if (strcmp(config, "wrong-type") != 0) return hr;
    *result = (chy_variant){.vt = CHY_VT_STR};
    return probe_text(p->host, "1", &result->u.s);
}

static chy_hresult exit_invoke(void *self, const char *method, const chy_variant *args,
                               uint32_t nargs, chy_variant *result, chy_excep *excep, uint32_t *bad)
{
    struct probe *p = self;
    const char *rest;
    (void)bad;
    if (strcasecmp(method, "Initialize") == 0 && nargs == 1) {
        *result = (chy_variant){.vt = CHY_VT_LONG};
        chy_hresult hr = exit_initialize(p, args[0].u.s.p, &result->u.l);
        if (strcmp(p->mode, "wrong-type") == 0) result->vt = CHY_VT_BOOL;
        return hr;
    }
    if (strcasecmp(method, "Notify") != 0) return invoke_common(p, method, result);
    if (nargs != 2) return CHY_DISP_E_BADPARAMCOUNT;
    if (probe_word(p->mode, "raise", &rest)) return raise(excep, -1234, p);
    return exit_notify(p, args[0].u.l, args[1].u.l);
}

/* A fresh object with its table in the same piece of memory. */
struct policy_object {
    struct probe probe;
    chy_policy_vtbl vt;
};
struct exit_object {
    struct probe probe;
    chy_exit_vtbl vt;
};

chy_hresult probe_policy_new(const chy_host *host, bool late, uint32_t flags, bool manages,
                             chy_object *out)
{
    struct policy_object *o = host->vt->alloc(sizeof(*o));
    if (!o) return CHY_E_OUTOFMEMORY;
    memset(o, 0, sizeof(*o));
    o->probe.host = host;
    o->probe.late = late;
    o->vt.h = (chy_hdr){sizeof(o->vt), CHY_ABI_VERSION, CHY_IID_POLICY, flags};
    o->vt.release = release;
    if (late) {
        o->vt.invoke = policy_invoke;
    } else {
        o->vt.initialize = policy_initialize;
        o->vt.verify_request = policy_verify;
        o->vt.get_description = describe;
        o->vt.shut_down = shut_down;
        o->vt.get_manage_module = manage;
    }
    if (!manages) o->vt.h.struct_size = offsetof(chy_policy_vtbl, get_manage_module);
    *out = (chy_object){&o->vt.h, &o->probe};
    return CHY_S_OK;
}

chy_hresult probe_exit_new(const chy_host *host, bool late, bool manages, chy_object *out)
{
    struct exit_object *o = host->vt->alloc(sizeof(*o));
    if (!o) return CHY_E_OUTOFMEMORY;
    memset(o, 0, sizeof(*o));
    o->probe.host = host;
    o->probe.late = late;
    o->vt.h = (chy_hdr){sizeof(o->vt), CHY_ABI_VERSION, CHY_IID_EXIT, 0};
    o->vt.release = release;
    if (late) {
        o->vt.invoke = exit_invoke;
    } else {
        o->vt.initialize = exit_initialize;
        o->vt.notify = exit_notify;
        o->vt.get_description = describe;
        if (manages) o->vt.get_manage_module = manage;
    }
    *out = (chy_object){&o->vt.h, &o->probe};
    return CHY_S_OK;
}
