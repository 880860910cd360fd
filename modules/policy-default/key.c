#include "policy.h"

chy_hresult key_apply(struct work *w)
{
    const char *what = NULL;
    chy_hresult hr = kit_key_read(w->host, &w->sp, &w->key, &what);
    if (CHY_FAILED(hr)) return deny(w, hr, "%s of the key could not be read", what);
    if (!w->p) return hr;
    bool listed = w->p->key_types.n == 0;
    for (size_t i = 0; i < w->p->key_types.n && !listed; i++)
        listed = kit_key_type_matches(w->p->key_types.v[i], w->key);
    if (!listed)
        return deny(w, CHY_CERTSRV_E_KEY_LENGTH,
                    "the key (%s, %lld) is not among KeyTypes of profile %s",
                    kit_key_family_name(w->key.family), (long long)w->key.bits, w->p->name);
    if (w->key.family == KIT_KEY_RSA && w->key.bits < w->p->min_rsa_bits)
        return deny(w, CHY_CERTSRV_E_KEY_LENGTH,
                    "the RSA key of %lld bits is shorter than MinRsaBits %lld of profile %s",
                    (long long)w->key.bits, (long long)w->p->min_rsa_bits, w->p->name);
    return CHY_S_OK;
}
