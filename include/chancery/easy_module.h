/* The second half of easy.h: from two functions to a module.
 *
 * CHY_EXIT_MODULE and CHY_POLICY_MODULE make the descriptor, the class and its manage class: the
 * tables of ICertExit2 or ICertPolicy2 and of ICertManageModule with their late-bound entries.
 *
 * Lifetime: an object and its manage object are one chy_module_object under two tables; it goes
 * when both are released.
 */
#ifndef CHANCERY_EASY_MODULE_H
#define CHANCERY_EASY_MODULE_H

#include <chancery/easy.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What GetProperty("Copyright") answers: define it in front of the include. */
#ifndef CHY_MODULE_COPYRIGHT
#define CHY_MODULE_COPYRIGHT ""
#endif

/* CHY_IF_CONCURRENT: calls may overlap, and the state is for all of them: its locks are yours, and
 * a refresh does not replace it. Define it in front of the include. */
#ifndef CHY_MODULE_FLAGS
#define CHY_MODULE_FLAGS 0
#endif

/* A function that answers GetProperty for names of your own: chy_hresult f(void *state, const char
 * *name, char *out, size_t size); CHY_S_FALSE: no such name. Define it in front of the include. */
#ifndef CHY_MODULE_PROPERTY
#define CHY_MODULE_PROPERTY NULL
#endif

/* A module as its author described it. Of the four functions a policy has the first two. */
typedef struct chy_module_class {
    const char *name, *version, *description, *copyright;
    const char *class_name, *manage_name;
    const chy_hdr *table;
    const chy_manage_module_vtbl *manage;
    size_t state_size;
    chy_hresult (*policy_init)(chy_task *task);
    chy_long (*policy_verify)(chy_task *task);
    chy_hresult (*exit_init)(chy_task *task, chy_long *events);
    chy_hresult (*exit_notify)(chy_task *task, chy_long event);
    /* Frees what a state holds; called once per state, also if init failed. NULL: nothing to do. */
    void (*done)(const chy_host *host, void *state);
    chy_hresult (*property)(void *state, const char *name, char *out, size_t size);
} chy_module_class;

typedef struct chy_module_object {
    const chy_module_class *cls;
    chy_host host;
    void *state; /* NULL until Initialize succeeded */
    unsigned refs;
} chy_module_object;

/* ---- tasks and states ---- */

static inline chy_hresult chy_task_open(chy_module_object *o, chy_long context, chy_task *task)
{
    chy_hresult hr;
    task->host = &o->host;
    task->state = o->state;
    task->policy.vt = NULL;
    task->policy.self = NULL;
    task->exit.vt = NULL;
    task->exit.self = NULL;
    task->context = context;
    task->is_new = 0;
    task->failed = CHY_S_OK;
    if (o->cls->policy_verify) {
        hr = o->host.vt->new_server_policy(o->host.self, &task->policy);
        if (CHY_FAILED(hr) || !context) return hr;
        return task->policy.vt->set_context(task->policy.self, context);
    }
    hr = o->host.vt->new_server_exit(o->host.self, &task->exit);
    if (CHY_FAILED(hr) || !context) return hr;
    return task->exit.vt->set_context(task->exit.self, context);
}

static inline void chy_task_close(chy_task *task)
{
    if (task->policy.vt) task->policy.vt->release(task->policy.self);
    if (task->exit.vt) task->exit.vt->release(task->exit.self);
}

static inline void *chy_zeroed(const chy_host *host, size_t n)
{
    unsigned char *p = (unsigned char *)host->vt->alloc(n ? n : 1);
    for (size_t i = 0; p && i < n; i++)
        p[i] = 0;
    return p;
}

static inline void chy_state_free(chy_module_object *o, void *state)
{
    if (state && o->cls->done) o->cls->done(&o->host, state);
    o->host.vt->free(state);
}

/* Initialize and a refresh: the old state stays in use unless the new one comes up. */
static inline chy_hresult chy_module_start(chy_module_object *o, chy_long *events)
{
    chy_task task;
    void *fresh = chy_zeroed(&o->host, o->cls->state_size), *old = o->state;
    if (!fresh) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = chy_task_open(o, 0, &task);
    task.state = fresh;
    if (CHY_SUCCEEDED(hr))
        hr = o->cls->policy_init ? o->cls->policy_init(&task) : o->cls->exit_init(&task, events);
    chy_task_close(&task);
    if (CHY_SUCCEEDED(hr)) o->state = fresh;
    chy_state_free(o, CHY_SUCCEEDED(hr) ? old : fresh);
    return hr;
}

static inline void chy_module_release(void *self)
{
    chy_module_object *o = (chy_module_object *)self;
    chy_host host = o->host;
    if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    chy_state_free(o, o->state);
    host.vt->free(o);
}

/* ---- late binding ---- */

typedef struct chy_late {
    const char *method;
    const chy_variant *args;
    uint32_t nargs;
    uint32_t *bad_arg;
    const chy_variant *result; /* only whether there is one */
    chy_hresult refused;       /* why the call does not reach a method */
} chy_late;

/* 1 when the call is of this method and its arguments fit the pattern: s text, l LONG or BOOL,
 * v anything; > stands at the end where the method has a result. */
static inline int chy_late_is(chy_late *c, const char *method, const char *pattern)
{
    uint32_t i = 0;
    if (!chy_text_same(c->method, method)) return 0;
    for (; pattern[i] && pattern[i] != '>'; i++) {
        uint32_t vt = i < c->nargs ? c->args[i].vt : (uint32_t)CHY_VT_EMPTY;
        int fits = pattern[i] == 's' ? vt == CHY_VT_STR && c->args[i].u.s.p
                                     : vt == CHY_VT_LONG || vt == CHY_VT_BOOL;
        if (fits || pattern[i] == 'v' || i >= c->nargs) continue;
        if (c->bad_arg) *c->bad_arg = i;
        c->refused = CHY_DISP_E_TYPEMISMATCH;
        return 0;
    }
    c->refused = i != c->nargs                     ? CHY_DISP_E_BADPARAMCOUNT
                 : pattern[i] == '>' && !c->result ? CHY_E_POINTER
                                                   : CHY_S_OK;
    return c->refused == CHY_S_OK;
}

static inline chy_late chy_late_begin(const char *method, const chy_variant *args, uint32_t nargs,
                                      chy_variant *result, uint32_t *bad_arg)
{
    chy_late c = {method ? method : "", args, nargs, bad_arg, result, CHY_DISP_E_UNKNOWNNAME};
    if (result) *result = chy_variant_empty();
    return c;
}

/* A method's failure travels as an exception that carries its number. */
static inline chy_hresult chy_late_end(const chy_module_object *o, const chy_late *c,
                                       chy_hresult hr, chy_excep *excep)
{
    if (CHY_FAILED(c->refused)) return c->refused;
    if (CHY_SUCCEEDED(hr)) return hr;
    if (excep) {
        excep->code = hr;
        (void)chy_text_give(&o->host, o->cls->name, &excep->source);
        (void)chy_text_give(&o->host, c->method, &excep->description);
    }
    return CHY_DISP_E_EXCEPTION;
}

static inline chy_hresult chy_late_long(chy_variant *result, chy_hresult hr, chy_long value)
{
    if (CHY_SUCCEEDED(hr)) *result = chy_variant_of_long(value);
    return hr;
}

/* ---- ICertManageModule ---- */

static inline chy_hresult chy_manage_get(void *self, const char *config, const char *storage,
                                         const char *name, chy_long flags, chy_variant *out)
{
    const chy_module_object *o = (const chy_module_object *)self;
    char own[256] = "";
    (void)config, (void)storage, (void)flags;
    if (!name) return CHY_E_INVALIDARG;
    if (!out) return CHY_E_POINTER;
    const char *const known[][2] = {{"Name", o->cls->name},
                                    {"Description", o->cls->description},
                                    {"Copyright", o->cls->copyright},
                                    {"File Version", o->cls->version},
                                    {"Product Version", o->cls->version}};
    *out = chy_variant_empty();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (chy_text_same(known[i][0], name))
            return chy_variant_give_text(&o->host, known[i][1], out);
    }
    if (!o->cls->property || !o->state) return CHY_S_FALSE;
    chy_hresult hr = o->cls->property(o->state, name, own, sizeof own);
    return hr == CHY_S_OK ? chy_variant_give_text(&o->host, own, out) : hr;
}

static inline chy_hresult chy_manage_set(void *self, const char *config, const char *storage,
                                         const char *name, chy_long flags, const chy_variant *value)
{
    (void)self, (void)config, (void)storage, (void)name, (void)flags, (void)value;
    return CHY_S_FALSE;
}

static inline chy_hresult chy_manage_refresh(void *self, const char *config, const char *storage,
                                             chy_long flags)
{
    chy_module_object *o = (chy_module_object *)self;
    chy_long events = 0; /* what an exit module listens to is fixed at its start */
    (void)config, (void)storage;
    if (!(flags & CHY_CMM_REFRESHONLY) || !o->state) return CHY_S_OK;
    if (o->cls->table->flags & CHY_IF_CONCURRENT) return CHY_S_FALSE; /* it may be in use */
    return chy_module_start(o, &events);
}

static inline chy_hresult chy_manage_invoke(void *self, const char *method, const chy_variant *args,
                                            uint32_t nargs, chy_variant *result, chy_excep *excep,
                                            uint32_t *bad_arg)
{
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "GetProperty", "sssl>"))
        hr = chy_manage_get(self, args[0].u.s.p, args[1].u.s.p, args[2].u.s.p, args[3].u.l, result);
    else if (chy_late_is(&c, "SetProperty", "ssslv"))
        hr = chy_manage_set(self, args[0].u.s.p, args[1].u.s.p, args[2].u.s.p, args[3].u.l,
                            &args[4]);
    else if (chy_late_is(&c, "Configure", "ssl"))
        hr = chy_manage_refresh(self, args[0].u.s.p, args[1].u.s.p, args[2].u.l);
    return chy_late_end((const chy_module_object *)self, &c, hr, excep);
}

/* ---- what ICertPolicy2 and ICertExit2 share ---- */

static inline chy_hresult chy_module_description(void *self, chy_str *out)
{
    const chy_module_object *o = (const chy_module_object *)self;
    return chy_text_give(&o->host, o->cls->description, out);
}

static inline chy_hresult chy_module_manage(void *self, chy_manage_module *out)
{
    chy_module_object *o = (chy_module_object *)self;
    if (!out) return CHY_E_POINTER;
    (void)__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
    out->vt = o->cls->manage;
    out->self = o;
    return CHY_S_OK;
}

/* GetDescription and GetManageModule; the pair in an object result is the receiver's to free. */
static inline chy_hresult chy_module_invoke(chy_module_object *o, chy_late *c, chy_variant *result)
{
    chy_manage_module m;
    if (chy_late_is(c, "GetDescription", ">"))
        return chy_variant_give_text(&o->host, o->cls->description, result);
    if (!chy_late_is(c, "GetManageModule", ">")) return CHY_S_OK;
    chy_object *pair = (chy_object *)o->host.vt->alloc(sizeof *pair);
    if (!pair) return CHY_E_OUTOFMEMORY;
    (void)chy_module_manage(o, &m);
    pair->vt = &m.vt->h;
    pair->self = m.self;
    result->vt = CHY_VT_OBJECT;
    result->u.o = pair;
    return CHY_S_OK;
}

/* ---- ICertPolicy2 ---- */

static inline chy_hresult chy_policy_class_initialize(void *self, const char *config)
{
    (void)config;
    return chy_module_start((chy_module_object *)self, NULL);
}

/* "Denied" stands before anything runs, and only a call in which all went well can issue. */
static inline chy_hresult chy_policy_class_verify(void *self, const char *config, chy_long context,
                                                  chy_long is_new, chy_long flags,
                                                  chy_long *disposition)
{
    chy_module_object *o = (chy_module_object *)self;
    chy_task task;
    (void)config, (void)flags;
    if (!disposition) return CHY_E_POINTER;
    *disposition = CHY_VR_INSTANT_BAD;
    if (!o->state) return CHY_E_UNEXPECTED;
    chy_hresult hr = chy_task_open(o, context, &task);
    task.is_new = is_new;
    if (CHY_SUCCEEDED(hr)) {
        chy_long answer = o->cls->policy_verify(&task);
        int spoiled = answer == CHY_VR_INSTANT_OK && CHY_FAILED(task.failed);
        *disposition = spoiled ? task.failed : answer;
    }
    chy_task_close(&task);
    return hr;
}

static inline chy_hresult chy_policy_class_shut_down(void *self)
{
    chy_module_object *o = (chy_module_object *)self;
    void *state = o->state;
    o->state = NULL;
    chy_state_free(o, state);
    return CHY_S_OK;
}

static inline chy_hresult chy_policy_class_invoke(void *self, const char *method,
                                                  const chy_variant *args, uint32_t nargs,
                                                  chy_variant *result, chy_excep *excep,
                                                  uint32_t *bad_arg)
{
    chy_module_object *o = (chy_module_object *)self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long disposition = CHY_VR_INSTANT_BAD;
    chy_hresult hr;
    if (chy_late_is(&c, "Initialize", "s")) {
        hr = chy_policy_class_initialize(o, args[0].u.s.p);
    } else if (chy_late_is(&c, "VerifyRequest", "slll>")) {
        hr = chy_policy_class_verify(o, args[0].u.s.p, args[1].u.l, args[2].u.l, args[3].u.l,
                                     &disposition);
        hr = chy_late_long(result, hr, disposition);
    } else if (chy_late_is(&c, "ShutDown", "")) {
        hr = chy_policy_class_shut_down(o);
    } else {
        hr = chy_module_invoke(o, &c, result);
    }
    return chy_late_end(o, &c, hr, excep);
}

/* ---- ICertExit2 ---- */

static inline chy_hresult chy_exit_class_initialize(void *self, const char *config,
                                                    chy_long *event_mask)
{
    (void)config;
    if (!event_mask) return CHY_E_POINTER;
    *event_mask = CHY_EXITEVENT_INVALID;
    return chy_module_start((chy_module_object *)self, event_mask);
}

static inline chy_hresult chy_exit_class_notify(void *self, chy_long event, chy_long context)
{
    chy_module_object *o = (chy_module_object *)self;
    chy_task task;
    if (!o->state) return CHY_E_UNEXPECTED;
    chy_hresult hr = chy_task_open(o, context, &task);
    if (CHY_SUCCEEDED(hr)) hr = o->cls->exit_notify(&task, event);
    chy_task_close(&task);
    return hr;
}

static inline chy_hresult chy_exit_class_invoke(void *self, const char *method,
                                                const chy_variant *args, uint32_t nargs,
                                                chy_variant *result, chy_excep *excep,
                                                uint32_t *bad_arg)
{
    chy_module_object *o = (chy_module_object *)self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long events = CHY_EXITEVENT_INVALID;
    chy_hresult hr;
    if (chy_late_is(&c, "Initialize", "s>")) {
        hr = chy_exit_class_initialize(o, args[0].u.s.p, &events);
        hr = chy_late_long(result, hr, events);
    } else if (chy_late_is(&c, "Notify", "ll")) {
        hr = chy_exit_class_notify(o, args[0].u.l, args[1].u.l);
    } else {
        hr = chy_module_invoke(o, &c, result);
    }
    return chy_late_end(o, &c, hr, excep);
}

/* ---- the descriptor ---- */

static inline chy_hresult chy_module_create(const chy_module_class *cls, const chy_host *host,
                                            const char *class_name, chy_object *out)
{
    if (!host || !class_name || !out) return CHY_E_POINTER;
    int manage = chy_text_same(class_name, cls->manage_name);
    if (!manage && !chy_text_same(class_name, cls->class_name)) return CHY_REGDB_E_CLASSNOTREG;
    chy_module_object *o = (chy_module_object *)chy_zeroed(host, sizeof *o);
    if (!o) return CHY_E_OUTOFMEMORY;
    o->cls = cls;
    o->host = *host;
    o->refs = 1;
    out->vt = manage ? &cls->manage->h : cls->table;
    out->self = o;
    return CHY_S_OK;
}

#define CHY_MODULE_HEADER(type, iface)                                                             \
    {                                                                                              \
        sizeof(type), CHY_ABI_VERSION, iface, CHY_MODULE_FLAGS                                     \
    }

/* What both kinds of module have: stands behind a table chy_own_table and the four functions. */
#define CHY_MODULE_COMMON(name, class_name, version, description, state, pinit, pverify, einit,    \
                          enotify, done)                                                           \
    static const chy_manage_module_vtbl chy_own_manage = {                                         \
        CHY_MODULE_HEADER(chy_manage_module_vtbl, CHY_IID_MANAGE_MODULE),                          \
        chy_module_release,                                                                        \
        chy_manage_invoke,                                                                         \
        chy_manage_get,                                                                            \
        chy_manage_set,                                                                            \
        chy_manage_refresh};                                                                       \
    static const chy_module_class chy_own_class = {name,                                           \
                                                   version,                                        \
                                                   description,                                    \
                                                   CHY_MODULE_COPYRIGHT,                           \
                                                   class_name,                                     \
                                                   class_name "Manage",                            \
                                                   &chy_own_table.h,                               \
                                                   &chy_own_manage,                                \
                                                   sizeof(state),                                  \
                                                   pinit,                                          \
                                                   pverify,                                        \
                                                   einit,                                          \
                                                   enotify,                                        \
                                                   done,                                           \
                                                   CHY_MODULE_PROPERTY};                           \
    static chy_hresult chy_own_create(const chy_host *host_, const char *class_, chy_object *out_) \
    {                                                                                              \
        return chy_module_create(&chy_own_class, host_, class_, out_);                             \
    }                                                                                              \
    static const char *const chy_own_names[] = {class_name, class_name "Manage", NULL};            \
    static const chy_module_info chy_own_info = {                                                  \
        CHY_MODULE_MAGIC, sizeof(chy_module_info), CHY_ABI_VERSION, 0, name,                       \
        version,          chy_own_names,           chy_own_create};                                \
    const chy_module_info *chy_module_entry(void)                                                  \
    {                                                                                              \
        return &chy_own_info;                                                                      \
    }                                                                                              \
    CHY_MODULE_EXPORT const chy_module_info *chy_module_entry(void)

/* name: "example-exit"; class_name: "ExampleExit.Exit"; state: the type of the module's own state
 * (char for none); done: void (const chy_host *host, void *state), frees what a state holds. */
#define CHY_EXIT_MODULE_DONE(name, class_name, version, description, state, init, notify, done)    \
    static const chy_exit_vtbl chy_own_table = {CHY_MODULE_HEADER(chy_exit_vtbl, CHY_IID_EXIT),    \
                                                chy_module_release,                                \
                                                chy_exit_class_invoke,                             \
                                                chy_exit_class_initialize,                         \
                                                chy_exit_class_notify,                             \
                                                chy_module_description,                            \
                                                chy_module_manage};                                \
    CHY_MODULE_COMMON(name, class_name, version, description, state, NULL, NULL, init, notify, done)

#define CHY_EXIT_MODULE(name, class_name, version, description, state, init, notify)               \
    CHY_EXIT_MODULE_DONE(name, class_name, version, description, state, init, notify, NULL)

/* The same with a class_name such as "ExamplePolicy.Policy". */
#define CHY_POLICY_MODULE_DONE(name, class_name, version, description, state, init, verify, done)  \
    static const chy_policy_vtbl chy_own_table = {                                                 \
        CHY_MODULE_HEADER(chy_policy_vtbl, CHY_IID_POLICY),                                        \
        chy_module_release,                                                                        \
        chy_policy_class_invoke,                                                                   \
        chy_policy_class_initialize,                                                               \
        chy_policy_class_verify,                                                                   \
        chy_module_description,                                                                    \
        chy_policy_class_shut_down,                                                                \
        chy_module_manage};                                                                        \
    CHY_MODULE_COMMON(name, class_name, version, description, state, init, verify, NULL, NULL, done)

#define CHY_POLICY_MODULE(name, class_name, version, description, state, init, verify)             \
    CHY_POLICY_MODULE_DONE(name, class_name, version, description, state, init, verify, NULL)

#ifdef __cplusplus
}
#endif

#endif
