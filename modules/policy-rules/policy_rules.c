#include "rules.h"

static const struct kit_policy_class cls = {
    .name = "policy-rules",
    .class_name = "PolicyRules.Policy",
    .manage_name = "PolicyRules.PolicyManage",
    .title = "Chancery policy rules",
    .summary = "Rules for names, keys, extensions, validity and counts",
    .description = "Chancery policy rules: names, keys, extensions, validity and counts, by "
                   "profile",
    .open = quota_open,
    .close = quota_close,
    .load = settings_load,
    .unload = settings_unload,
    .verify = verify_request,
};

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    return kit_policy_create(&cls, host, class_name, out);
}

static const char *const classes[] = {"PolicyRules.Policy", "PolicyRules.PolicyManage", NULL};
static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0,
                                     "policy-rules",   CHY_VERSION, classes,         create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
