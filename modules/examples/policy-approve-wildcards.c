/* A policy module: hosts below Domain get their certificate at once; a wildcard, which stands for
 * all of them, waits for an officer. The name is the common name of the request. */
#include <chancery/easy.h>

struct rules {
    char domain[256];
};

static chy_hresult init(chy_task *task)
{
    struct rules *r = task->state;
    return chy_setting_text(task->host, "Domain", "example.test", r->domain, sizeof r->domain);
}

static chy_long verify(chy_task *task)
{
    const struct rules *r = task->state;
    char name[256];
    if (!chy_may_enrol(task))
        return chy_deny(task, CHY_CERTSRV_E_ENROLL_DENIED, "you may not enrol at this CA");
    if (CHY_FAILED(chy_request_text(task, "CommonName", name, sizeof name)))
        return chy_deny(task, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "the request has no common name");
    int wild = name[0] == '*' && name[1] == '.';
    const char *host = name + (wild ? 2 : 0);
    if (!chy_is_below(host, r->domain) && !(wild && chy_text_same(host, r->domain)))
        return chy_deny(task, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "this is no host of our domain");
    if (wild && task->is_new) {
        (void)chy_deny(task, CHY_S_OK, "a wildcard: an officer has to release it");
        return CHY_VR_PENDING;
    }
    chy_set_subject(task, name);
    chy_set_dns_name(task, name);
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_SERVER_AUTH);
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("policy-approve-wildcards", "PolicyApproveWildcards.Policy", "1.0",
                  "Hosts at once, wildcards after approval", struct rules, init, verify);
