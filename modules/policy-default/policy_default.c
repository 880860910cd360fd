#include "kit/policy.h"
#include "policy.h"

static chy_hresult load(const chy_host *host, void *own, const char *config, void **settings)
{
    struct config *c = NULL;
    (void)own, (void)config;
    chy_hresult hr = config_load(host, &c);
    *settings = c;
    return hr;
}

static void unload(void *settings)
{
    config_free(settings);
}

static chy_hresult verify_request(struct kit_policy_call *call, chy_long *disposition)
{
    struct work w = {.host = call->host,
                     .c = call->settings,
                     .sp = call->sp,
                     .context = call->context,
                     .is_new = call->is_new != 0};
    return verify(&w, disposition);
}

static const struct kit_class cls = {
    .name = "policy-default",
    .class_name = "PolicyDefault.Policy",
    .manage_name = "PolicyDefault.PolicyManage",
    .title = "Chancery default policy",
    .summary = "Profiles and stand-alone rules",
    .description = "Chancery default policy: profiles and stand-alone rules",
    .load = load,
    .unload = unload,
    .verify = verify_request,
};

KIT_POLICY_MODULE(cls, "policy-default", "PolicyDefault.Policy");
