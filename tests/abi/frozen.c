/* A module as one could be built from the first released headers, which stand in v1_0: it must load
 * for ever. It fills in every table that a module has, by hand. */
#include <chancery/module.h>

/* A later minor version than any host knows: it only adds, so the module loads all the same. */
#ifdef NEWER_MINOR
#undef CHY_ABI_MINOR
#define CHY_ABI_MINOR NEWER_MINOR
#endif

static chy_host host;

static chy_hresult give(const char *text, chy_str *out)
{
    size_t n = 0;
    while (text[n])
        n++;
    out->p = host.vt->alloc(n + 1);
    if (!out->p) return CHY_E_OUTOFMEMORY;
    for (size_t i = 0; i <= n; i++)
        out->p[i] = text[i];
    out->n = n;
    return CHY_S_OK;
}

static void release(void *self)
{
    (void)self;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    (void)self, (void)method, (void)args, (void)nargs, (void)result, (void)excep, (void)bad_arg;
    return CHY_DISP_E_UNKNOWNNAME;
}

static chy_hresult get_description(void *self, chy_str *out)
{
    (void)self;
    return out ? give("made from the headers of ABI 1.0", out) : CHY_E_POINTER;
}

static chy_hresult get_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out)
{
    (void)self, (void)config, (void)storage, (void)flags;
    if (!name) return CHY_E_INVALIDARG;
    if (!out) return CHY_E_POINTER;
    out->vt = CHY_VT_STR;
    out->reserved = 0;
    return give("1.0", &out->u.s);
}

static chy_hresult set_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value)
{
    (void)self, (void)config, (void)storage, (void)name, (void)flags, (void)value;
    return CHY_S_FALSE;
}

static chy_hresult configure(void *self, const char *config, const char *storage, chy_long flags)
{
    (void)self, (void)config, (void)storage, (void)flags;
    return CHY_S_OK;
}

static const chy_manage_module_vtbl manage = {
    .h = {sizeof(manage), CHY_ABI_VERSION, CHY_IID_MANAGE_MODULE, 0},
    .release = release,
    .invoke = invoke,
    .get_property = get_property,
    .set_property = set_property,
    .configure = configure};

static chy_hresult get_manage_module(void *self, chy_manage_module *out)
{
    out->vt = &manage;
    out->self = self;
    return CHY_S_OK;
}

static chy_hresult policy_initialize(void *self, const char *config)
{
    (void)self, (void)config;
    return CHY_S_OK;
}

static chy_hresult verify_request(void *self, const char *config, chy_long context, chy_long is_new,
                                  chy_long flags, chy_long *disposition)
{
    (void)self, (void)config, (void)context, (void)is_new, (void)flags;
    *disposition = CHY_VR_PENDING;
    return CHY_S_OK;
}

static chy_hresult shut_down(void *self)
{
    (void)self;
    return CHY_S_OK;
}

static const chy_policy_vtbl policy = {.h = {sizeof(policy), CHY_ABI_VERSION, CHY_IID_POLICY, 0},
                                       .release = release,
                                       .invoke = invoke,
                                       .initialize = policy_initialize,
                                       .verify_request = verify_request,
                                       .get_description = get_description,
                                       .shut_down = shut_down,
                                       .get_manage_module = get_manage_module};

static chy_hresult exit_initialize(void *self, const char *config, chy_long *event_mask)
{
    (void)self, (void)config;
    *event_mask = CHY_EXITEVENT_CERTISSUED;
    return CHY_S_OK;
}

static chy_hresult notify(void *self, chy_long event, chy_long context)
{
    (void)self, (void)event, (void)context;
    return CHY_S_OK;
}

static const chy_exit_vtbl exit_table = {
    .h = {sizeof(exit_table), CHY_ABI_VERSION, CHY_IID_EXIT, 0},
    .release = release,
    .invoke = invoke,
    .initialize = exit_initialize,
    .notify = notify,
    .get_description = get_description,
    .get_manage_module = get_manage_module};

static const char *const classes[] = {"Frozen.Policy", "Frozen.Exit", "Frozen.ExitManage", NULL};

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static chy_hresult create(const chy_host *from, const char *class_name, chy_object *out)
{
    const chy_hdr *const tables[] = {&policy.h, &exit_table.h, &manage.h};
    host = *from;
    for (size_t i = 0; classes[i]; i++) {
        if (!same(classes[i], class_name)) continue;
        out->vt = tables[i];
        out->self = &host;
        return CHY_S_OK;
    }
    return CHY_REGDB_E_CLASSNOTREG;
}

static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof(info), CHY_ABI_VERSION, 0,
                                     "frozen",         "1.0",        classes,         create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
