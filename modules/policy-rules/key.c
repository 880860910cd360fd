#include "rules.h"

static bool listed(const struct texts *t, struct kit_key k)
{
    for (size_t i = 0; i < t->n; i++)
        if (kit_key_type_matches(t->v[i], k)) return true;
    return false;
}

static void check(struct work *w, const struct rules *r)
{
    const char *family = kit_key_family_name(w->key.family);
    long long bits = w->key.bits;
    bool rsa = w->key.family == KIT_KEY_RSA;
    if (r->key_allow.given && !listed(&r->key_allow, w->key))
        broken(w, r, CHY_CERTSRV_E_KEY_LENGTH, "Key/Allow", "the key (%s, %lld) is not listed",
               family, bits);
    if (listed(&r->key_deny, w->key))
        broken(w, r, CHY_CERTSRV_E_KEY_LENGTH, "Key/Deny", "the key (%s, %lld) is denied", family,
               bits);
    if (rsa && r->min_rsa_bits && w->key.bits < r->min_rsa_bits)
        broken(w, r, CHY_CERTSRV_E_KEY_LENGTH, "Key/MinRsaBits",
               "the RSA key has %lld bits, at least %lld are expected", bits,
               (long long)r->min_rsa_bits);
    if (rsa && r->max_rsa_bits && w->key.bits > r->max_rsa_bits)
        broken(w, r, CHY_CERTSRV_E_KEY_LENGTH, "Key/MaxRsaBits",
               "the RSA key has %lld bits, at most %lld are allowed", bits,
               (long long)r->max_rsa_bits);
}

chy_hresult key_check(struct work *w)
{
    const char *what = NULL;
    chy_hresult hr = kit_key_read(w->host, &w->sp, &w->key, &what);
    if (CHY_FAILED(hr)) return cannot(w, hr, what);
    for (size_t i = 0; i < w->n_rules; i++)
        check(w, w->rules[i]);
    return CHY_S_OK;
}
