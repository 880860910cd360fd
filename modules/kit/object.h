/* A module whose calls may overlap, a policy or an exit module: the object, its settings and its
 * manage module, direct and late-bound. The module fills in a struct kit_class and hands its create
 * on. */
#ifndef KIT_OBJECT_H
#define KIT_OBJECT_H

#include <chancery/easy_module.h>
#include <stdbool.h>

struct kit_policy_call {
    const chy_host *host;
    void *own;
    const void *settings;
    chy_server_policy sp; /* at the call's context; empty where the class wants none */
    const char *config;
    chy_long context, is_new, flags;
};

struct kit_exit_call {
    const chy_host *host;
    void *own;
    const void *settings;
    chy_long event, context;
};

struct kit_class {
    const char *name;        /* "policy-rules" */
    const char *class_name;  /* "PolicyRules.Policy" */
    const char *manage_name; /* "PolicyRules.PolicyManage" */
    const char *title, *summary, *description;
    /* What lives as long as the object; both may be NULL. */
    chy_hresult (*open)(const chy_host *host, void **own);
    void (*close)(void *own);
    /* Reads the settings, at Initialize and at each refresh. Those of before stay in force unless
     * it succeeds, and are unloaded when the last call that uses them has ended. */
    chy_hresult (*load)(const chy_host *host, void *own, const char *config, void **settings);
    void (*unload)(void *settings);

    /* Of a policy: "denied" stands in *disposition. bare: verify wants no callback object. */
    chy_hresult (*verify)(struct kit_policy_call *call, chy_long *disposition);
    bool bare;
    /* Of an exit module: what it does at an event, and which it wants to hear of. */
    chy_hresult (*notify)(const struct kit_exit_call *call);
    chy_long (*events)(const void *settings);

    /* The rest may be NULL. */
    chy_hresult (*shut_down)(void *own);
    chy_hresult (*get_property)(void *own, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out);
    chy_hresult (*set_property)(void *own, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value);
};

chy_hresult kit_create(const struct kit_class *cls, const chy_host *host, const char *class_name,
                       chy_object *out);

/* The module's descriptor and entry, behind a struct kit_class cls of these names. */
#define KIT_MODULE(cls, name, class_name)                                                          \
    static chy_hresult kit_own_create(const chy_host *host, const char *which, chy_object *out)    \
    {                                                                                              \
        return kit_create(&(cls), host, which, out);                                               \
    }                                                                                              \
    static const char *const kit_own_classes[] = {class_name, class_name "Manage", NULL};          \
    static const chy_module_info kit_own_info = {                                                  \
        CHY_MODULE_MAGIC, sizeof(chy_module_info), CHY_ABI_VERSION, 0, name,                       \
        CHY_VERSION,      kit_own_classes,         kit_own_create};                                \
    const chy_module_info *chy_module_entry(void)                                                  \
    {                                                                                              \
        return &kit_own_info;                                                                      \
    }                                                                                              \
    CHY_MODULE_EXPORT const chy_module_info *chy_module_entry(void)

#endif
