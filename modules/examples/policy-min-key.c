/* A policy module: an officer decides about everything, but weak keys do not get as far. RSA keys
 * have MinBits at least; elliptic keys are of P-256, P-384 or Ed25519. */
#include <chancery/easy.h>
#include <stdio.h>

struct rules {
    chy_long min_bits;
};

static chy_hresult init(chy_task *task)
{
    struct rules *r = task->state;
    chy_hresult hr = chy_setting_long(task->host, "MinBits", 3072, &r->min_bits);
    if (CHY_FAILED(hr) || r->min_bits < 2048 || r->min_bits > 16384) {
        chy_say(task, CHY_LOG_ERROR, "policy-min-key: MinBits is a number from 2048 to 16384");
        return CHY_E_INVALIDARG;
    }
    return CHY_S_OK;
}

static chy_long verify(chy_task *task)
{
    const struct rules *r = task->state;
    char algorithm[64], why[128];
    chy_long bits;
    chy_hresult hr = chy_cert_text(task, "PublicKeyAlgorithm", algorithm, sizeof algorithm);
    if (CHY_FAILED(hr) || CHY_FAILED(chy_cert_long(task, "PublicKeyLength", &bits)))
        return CHY_E_UNEXPECTED; /* what cannot be seen is not approved */
    int is_rsa = chy_text_same(algorithm, "1.2.840.113549.1.1.1");
    if (is_rsa && bits < r->min_bits) {
        snprintf(why, sizeof why, "an RSA key of %d bits; %d are the least", (int)bits,
                 (int)r->min_bits);
        return chy_deny(task, CHY_CERTSRV_E_KEY_LENGTH, why);
    }
    if (!is_rsa && bits != 256 && bits != 384)
        return chy_deny(task, CHY_CERTSRV_E_KEY_LENGTH, "take P-256, P-384, Ed25519 or RSA");
    if (task->is_new) return CHY_VR_PENDING;
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_CLIENT_AUTH);
    return CHY_VR_INSTANT_OK; /* an officer has released it */
}

CHY_POLICY_MODULE("policy-min-key", "PolicyMinKey.Policy", "1.0",
                  "Officers decide; weak keys are denied at once", struct rules, init, verify);
