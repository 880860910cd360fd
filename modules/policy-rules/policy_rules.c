#include "rules.h"

static const struct kit_class cls = {
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

KIT_POLICY_MODULE(cls, "policy-rules", "PolicyRules.Policy");
