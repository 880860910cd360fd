#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

struct key_type {
    struct key key; /* bits 0: any size */
    bool or_more;
};

static bool parse(const char *s, struct key_type *t)
{
    static const struct {
        const char *prefix;
        enum key_family family;
        const int64_t sizes[4]; /* none: any from 512 */
    } kinds[] = {{"rsa", KEY_RSA, {0}},
                 {"p", KEY_EC, {256, 384, 521, 0}},
                 {"ed", KEY_ED, {25519, 448, 0, 0}}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncasecmp(s, kinds[i].prefix, n) != 0) continue;
        *t = (struct key_type){.key = {.family = kinds[i].family}};
        const char *digits = s + n;
        if (!*digits) return kinds[i].family == KEY_RSA;
        size_t len = strspn(digits, "0123456789");
        if (len == 0 || len > 5 || *digits == '0') return false;
        t->key.bits = strtoll(digits, NULL, 10);
        t->or_more = digits[len] == '+';
        if (digits[len + t->or_more] || (t->or_more && kinds[i].family == KEY_ED)) return false;
        bool known = kinds[i].sizes[0] == 0 && t->key.bits >= 512;
        for (size_t k = 0; k < 4 && kinds[i].sizes[k]; k++)
            known = known || kinds[i].sizes[k] == t->key.bits;
        return known;
    }
    return false;
}

bool key_type_ok(const char *type)
{
    struct key_type t;
    return parse(type, &t);
}

bool key_type_matches(const char *type, struct key k)
{
    struct key_type t;
    if (!parse(type, &t) || t.key.family != k.family) return false;
    return t.key.bits == 0 || t.key.bits == k.bits || (t.or_more && k.bits > t.key.bits);
}

/* Sets the size of a curve by its name; 0 for one that KeyTypes has no word for. */
static chy_hresult curve(struct work *w)
{
    static const struct {
        uint8_t der[10];
        size_t n;
        int64_t bits;
    } t[] = {{{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, 10, 256},
             {{6, 5, 0x2b, 0x81, 4, 0, 0x22}, 7, 384},
             {{6, 5, 0x2b, 0x81, 4, 0, 0x23}, 7, 521}};
    chy_variant v = {0};
    chy_hresult hr = w->sp.vt->get_certificate_property(
        w->sp.self, "RawPublicKeyAlgorithmParameters", CHY_PROPTYPE_BINARY, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return deny(w, hr, "the parameters of the key could not be read");
    for (size_t i = 0; v.vt == CHY_VT_BYTES && i < sizeof t / sizeof t[0]; i++)
        if (v.u.b.n == t[i].n && !memcmp(v.u.b.p, t[i].der, t[i].n)) w->key.bits = t[i].bits;
    w->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult read_key(struct work *w)
{
    static const struct {
        const char *oid;
        struct key key;
    } t[] = {{"1.2.840.113549.1.1.1", {KEY_RSA, 0}},
             {"1.2.840.10045.2.1", {KEY_EC, 0}},
             {"1.3.101.112", {KEY_ED, 25519}},
             {"1.3.101.113", {KEY_ED, 448}}};
    chy_variant v = {0};
    chy_long bits = 0;
    chy_hresult hr = w->sp.vt->get_certificate_property(w->sp.self, "PublicKeyAlgorithm",
                                                        CHY_PROPTYPE_STRING, &v);
    if (CHY_FAILED(hr)) return deny(w, hr, "the algorithm of the key could not be read");
    for (size_t i = 0; v.vt == CHY_VT_STR && i < sizeof t / sizeof t[0]; i++)
        if (!strcmp(v.u.s.p, t[i].oid)) w->key = t[i].key;
    w->host->vt->variant_clear(&v);
    if (w->key.family == KEY_EC) return curve(w);
    if (w->key.family != KEY_RSA) return CHY_S_OK;
    hr = cert_long(w, "PublicKeyLength", &bits);
    w->key.bits = bits;
    return hr;
}

chy_hresult key_apply(struct work *w)
{
    static const char *const families[] = {"unknown", "rsa", "elliptic curve", "ed"};
    chy_hresult hr = read_key(w);
    if (CHY_FAILED(hr) || !w->p) return hr;
    bool listed = w->p->key_types.n == 0;
    for (size_t i = 0; i < w->p->key_types.n && !listed; i++)
        listed = key_type_matches(w->p->key_types.v[i], w->key);
    if (!listed)
        return deny(w, CHY_CERTSRV_E_KEY_LENGTH,
                    "the key (%s, %lld) is not among KeyTypes of profile %s",
                    families[w->key.family], (long long)w->key.bits, w->p->name);
    if (w->key.family == KEY_RSA && w->key.bits < w->p->min_rsa_bits)
        return deny(w, CHY_CERTSRV_E_KEY_LENGTH,
                    "the RSA key of %lld bits is shorter than MinRsaBits %lld of profile %s",
                    (long long)w->key.bits, (long long)w->p->min_rsa_bits, w->p->name);
    return CHY_S_OK;
}
