/* A policy module: what a certificate is for comes from the request attribute Purpose, by a name
 * that this module knows; the object identifiers of the extended key usage are its own. */
#include <chancery/easy.h>

static const struct purpose {
    const char *name, *oid;
} purposes[] = {{"client", CHY_EKU_CLIENT_AUTH},
                {"code", CHY_EKU_CODE_SIGNING},
                {"timestamp", CHY_EKU_TIME_STAMPING}};

static chy_hresult init(chy_task *task)
{
    (void)task; /* no settings, no state */
    return CHY_S_OK;
}

static chy_long verify(chy_task *task)
{
    char wanted[32];
    if (!chy_may_enrol(task))
        return chy_deny(task, CHY_CERTSRV_E_ENROLL_DENIED, "you may not enrol at this CA");
    if (CHY_FAILED(chy_attribute_text(task, "Purpose", "client", wanted, sizeof wanted)))
        return chy_deny(task, CHY_E_INVALIDARG, "attribute Purpose: too long");
    for (size_t i = 0; i < sizeof purposes / sizeof purposes[0]; i++) {
        if (!chy_text_same(wanted, purposes[i].name)) continue;
        chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
        chy_set_purpose(task, purposes[i].oid);
        return CHY_VR_INSTANT_OK;
    }
    return chy_deny(task, CHY_E_INVALIDARG, "attribute Purpose: client, code or timestamp");
}

CHY_POLICY_MODULE("policy-purpose", "PolicyPurpose.Policy", "1.0",
                  "The extended key usage by a name in the request", char, init, verify);
