/* A policy module: server certificates for host names below one domain, which the setting Domain
 * names. The host's name is the common name of the request; nothing else of it is taken over. */
#include <chancery/easy.h>
#include <stdio.h>

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
    char name[256], why[600];
    if (!chy_may_enrol(task))
        return chy_deny(task, CHY_CERTSRV_E_ENROLL_DENIED, "you may not enrol at this CA");
    if (CHY_FAILED(chy_request_text(task, "CommonName", name, sizeof name)))
        return chy_deny(task, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "the request has no common name");
    if (!chy_is_below(name, r->domain)) {
        snprintf(why, sizeof why, "\"%s\" is no host name below %s", name, r->domain);
        return chy_deny(task, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, why);
    }
    chy_set_subject(task, name);
    chy_set_dns_name(task, name);
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_SERVER_AUTH);
    return CHY_VR_INSTANT_OK; /* a setter that failed makes this a denial */
}

CHY_POLICY_MODULE("example-policy", "ExamplePolicy.Policy", "1.0",
                  "Server certificates for host names below one domain", struct rules, init,
                  verify);
