/* A policy module in the words that C11 and C++17 share, without a state. */
#define CHY_MODULE_COPYRIGHT "nobody"
#include <chancery/easy.h>

static chy_hresult init(chy_task *task)
{
    (void)task;
    return CHY_S_OK;
}

static chy_long verify(chy_task *task)
{
    static const char *const names[] = {"a.example", "*.b.example"};
    static const char *const purposes[] = {CHY_EKU_SERVER_AUTH, CHY_EKU_CLIENT_AUTH, "2.999.1"};
    chy_time until;
    (void)chy_set_dns_names(task, names, 2);
    (void)chy_set_purposes(task, purposes, 3);
    (void)chy_set_key_usage(task, CHY_KU_KEY_AGREEMENT | CHY_KU_DECIPHER_ONLY);
    if (CHY_SUCCEEDED(chy_cert_time(task, "NotAfter", &until)))
        (void)chy_set_time(task, "NotAfter", until - 1000000);
    return task->is_new ? CHY_VR_PENDING : CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("both-policy", "BothPolicy.Policy", "1.0", "Everything in both languages", char,
                  init, verify);
