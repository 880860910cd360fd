/* A module file looked at without a CA. */
#include <string.h>

#include "module/internal.h"

static void check_class(const chy_module_info *info, const char *name, struct chy_instance *i,
                        struct chy_buf *out)
{
    struct chy_err err = {0};
    chy_object o = {NULL, NULL};
    bool late = false, direct = false;
    size_t n = strlen(name);
    bool policy = n > 7 && strcmp(name + n - 7, ".Policy") == 0,
         exit = n > 5 && strcmp(name + n - 5, ".Exit") == 0;
    chy_hresult hr = info->create(&i->host, name, &o);
    if (CHY_FAILED(hr)) {
        chy_buf_addf(out, "class %s: create failed with 0x%08x\n", name, (unsigned)hr);
        return;
    }
    if (policy) hr = chy_policy_table_check(&o, CHY_BINDING_AUTO, &late, &err);
    if (exit) hr = chy_exit_table_check(&o, CHY_BINDING_AUTO, &late, &err);
    if (!policy && !exit) {
        hr = chy_manage_table_check(&o, &direct, &err);
        late = !direct;
    }
    if (CHY_FAILED(hr)) {
        chy_buf_addf(out, "class %s: %s\n", name, err.text);
        chy_object_discard(&o);
        return;
    }
    bool has_invoke = ((const chy_policy_vtbl *)(const void *)o.vt)->invoke != NULL;
    chy_buf_addf(out, "class %s: %s%s%s\n", name,
                 policy ? "policy"
                 : exit ? "exit"
                        : "manage",
                 late         ? ", late-bound only"
                 : has_invoke ? ", direct and late-bound"
                              : ", direct",
                 o.vt->flags & CHY_IF_CONCURRENT ? ", concurrent" : ", serial");
    ((const chy_policy_vtbl *)(const void *)o.vt)->release(o.self);
}

/* Without a CA nothing is set: what a module may ask for while it is created. */
static chy_hresult no_property(void *ca, void *request, const char *location, const char *name,
                               chy_long type, chy_variant *out)
{
    (void)ca, (void)request, (void)location, (void)name, (void)type, (void)out;
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}
static chy_hresult no_setting(void *ca, const char *location, const char *name, chy_variant *out)
{
    (void)ca, (void)location, (void)name, (void)out;
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}
static chy_hresult no_next(void *ca, const char *location, const char *after, chy_str *out)
{
    (void)ca, (void)location, (void)after, (void)out;
    return CHY_S_FALSE;
}

chy_hresult chy_module_check(const char *path, struct chy_buf *out, struct chy_err *err)
{
    static const struct chy_engine_ops no_ops = {
        .get_ca_property = no_property, .get_setting = no_setting, .next_setting = no_next};
    struct chy_modules_config config = {
        .ops = &no_ops, .clock = &chy_system_clock, .call_timeout_ms = 5000};
    struct chy_modules *ms = NULL;
    struct chy_library *lib = NULL;
    chy_hresult hr = chy_modules_new(&config, &ms, err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_library_load(ms, path, &lib, err);
    if (hr == CHY_S_OK) {
        struct chy_instance i = {
            .ms = ms, .library = lib, .name = lib->path, .location = lib->path};
        chy_host_of(&i, &i.host);
        chy_buf_addf(out, "module %s, version %s, ABI %u.%u\nsha256 %s\n", lib->info->name,
                     lib->info->version, lib->info->abi_version >> 16,
                     lib->info->abi_version & 0xffff, lib->sha256);
        for (size_t k = 0; lib->info->class_names[k]; k++)
            check_class(lib->info, lib->info->class_names[k], &i, out);
        hr = chy_buf_done(out, "report", err);
    }
    chy_modules_free(ms);
    return hr;
}
