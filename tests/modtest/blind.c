/* A policy module that issues whatever it is asked, without having looked. */
#include <chancery/easy.h>

static chy_hresult initialize(void *self, const char *config)
{
    (void)self, (void)config;
    return CHY_S_OK;
}

static chy_hresult verify(void *self, const char *config, chy_long context, chy_long is_new,
                          chy_long flags, chy_long *disposition)
{
    (void)self, (void)config, (void)context, (void)is_new, (void)flags;
    *disposition = CHY_VR_INSTANT_OK;
    return CHY_S_OK;
}

static chy_hresult describe(void *self, chy_str *out)
{
    (void)self;
    *out = (chy_str){NULL, 0};
    return CHY_S_OK;
}

static chy_hresult stop(void *self)
{
    (void)self;
    return CHY_S_OK;
}

static void release(void *self)
{
    (void)self;
}

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    static const chy_policy_vtbl table = {{sizeof table, CHY_ABI_VERSION, CHY_IID_POLICY, 0},
                                          release,
                                          NULL,
                                          initialize,
                                          verify,
                                          describe,
                                          stop,
                                          NULL};
    (void)host, (void)class_name;
    *out = (chy_object){&table.h, NULL};
    return CHY_S_OK;
}

const chy_module_info *chy_module_entry(void)
{
    static const char *const classes[] = {"Blind.Policy", NULL};
    static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0,
                                         "blind",          "1.0",       classes,         create};
    return &info;
}
