/* A policy module whose work programs do, several at once where the settings say so. */
#include "exec/exec.h"
#include "kit/policy.h"

static chy_hresult load(const chy_host *host, void *own, const char *config, void **settings)
{
    struct exec *e = NULL;
    (void)own, (void)config;
    chy_hresult hr = exec_start(host, "policy-exec", &e, NULL);
    *settings = e;
    return hr;
}

static void unload(void *settings)
{
    exec_stop(settings);
}

static chy_hresult verify_request(struct kit_policy_call *call, chy_long *disposition)
{
    chy_task task = {.host = call->host,
                     .policy = call->sp,
                     .context = call->context,
                     .is_new = call->is_new,
                     .failed = CHY_S_OK};
    return exec_verify(call->settings, &task, call->flags, disposition);
}

static const struct kit_class cls = {
    .name = "policy-exec",
    .class_name = "PolicyExec.Policy",
    .manage_name = "PolicyExec.PolicyManage",
    .title = "Chancery bridge to a policy program",
    .summary = "A program decides on requests",
    .description = "Chancery bridge: a program decides on requests",
    .load = load,
    .unload = unload,
    .verify = verify_request,
};

KIT_POLICY_MODULE(cls, "policy-exec", "PolicyExec.Policy");
