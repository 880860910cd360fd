#include "kit/key.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct type {
    struct kit_key key; /* bits 0: any size */
    bool or_more;
};

static bool parse(const char *s, struct type *t)
{
    static const struct {
        const char *prefix;
        enum kit_key_family family;
        const int64_t sizes[4]; /* none: any from 512 */
    } kinds[] = {{"rsa", KIT_KEY_RSA, {0}},
                 {"p", KIT_KEY_EC, {256, 384, 521, 0}},
                 {"ed", KIT_KEY_ED, {25519, 448, 0, 0}}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncasecmp(s, kinds[i].prefix, n) != 0) continue;
        *t = (struct type){.key = {.family = kinds[i].family}};
        const char *digits = s + n;
        if (!*digits) return kinds[i].family == KIT_KEY_RSA;
        size_t len = strspn(digits, "0123456789");
        if (len == 0 || len > 5 || *digits == '0') return false;
        t->key.bits = strtoll(digits, NULL, 10);
        t->or_more = digits[len] == '+';
        if (digits[len + t->or_more] || (t->or_more && kinds[i].family == KIT_KEY_ED)) return false;
        bool known = kinds[i].sizes[0] == 0 && t->key.bits >= 512;
        for (size_t k = 0; k < 4 && kinds[i].sizes[k]; k++)
            known = known || kinds[i].sizes[k] == t->key.bits;
        return known;
    }
    return false;
}

bool kit_key_type_ok(const char *type)
{
    struct type t;
    return parse(type, &t);
}

bool kit_key_type_matches(const char *type, struct kit_key k)
{
    struct type t;
    if (!parse(type, &t) || t.key.family != k.family) return false;
    return t.key.bits == 0 || t.key.bits == k.bits || (t.or_more && k.bits > t.key.bits);
}

const char *kit_key_family_name(enum kit_key_family f)
{
    static const char *const names[] = {"unknown", "rsa", "elliptic curve", "ed"};
    return names[f];
}

static chy_hresult property(const chy_server_policy *sp, const char *name, chy_long type,
                            chy_variant *v, const char **what)
{
    *v = (chy_variant){.vt = CHY_VT_EMPTY};
    *what = name;
    return sp->vt->get_certificate_property(sp->self, name, type, v);
}

static chy_hresult curve(const chy_host *host, const chy_server_policy *sp, struct kit_key *out,
                         const char **what)
{
    static const struct {
        uint8_t der[10];
        size_t n;
        int64_t bits;
    } t[] = {{{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, 10, 256},
             {{6, 5, 0x2b, 0x81, 4, 0, 0x22}, 7, 384},
             {{6, 5, 0x2b, 0x81, 4, 0, 0x23}, 7, 521}};
    chy_variant v;
    chy_hresult hr = property(sp, "RawPublicKeyAlgorithmParameters", CHY_PROPTYPE_BINARY, &v, what);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return hr;
    for (size_t i = 0; v.vt == CHY_VT_BYTES && i < sizeof t / sizeof t[0]; i++)
        if (v.u.b.n == t[i].n && !memcmp(v.u.b.p, t[i].der, t[i].n)) out->bits = t[i].bits;
    host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult rsa_bits(const chy_host *host, const chy_server_policy *sp, struct kit_key *out,
                            const char **what)
{
    chy_variant v;
    chy_hresult hr = property(sp, "PublicKeyLength", CHY_PROPTYPE_LONG, &v, what);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return hr;
    if (v.vt == CHY_VT_LONG) out->bits = v.u.l;
    hr = v.vt == CHY_VT_LONG ? CHY_S_OK : CHY_E_UNEXPECTED;
    host->vt->variant_clear(&v);
    return hr;
}

chy_hresult kit_key_read(const chy_host *host, const chy_server_policy *sp, struct kit_key *out,
                         const char **what)
{
    static const struct {
        const char *oid;
        struct kit_key key;
    } t[] = {{"1.2.840.113549.1.1.1", {KIT_KEY_RSA, 0}},
             {"1.2.840.10045.2.1", {KIT_KEY_EC, 0}},
             {"1.3.101.112", {KIT_KEY_ED, 25519}},
             {"1.3.101.113", {KIT_KEY_ED, 448}}};
    chy_variant v;
    *out = (struct kit_key){KIT_KEY_OTHER, 0};
    chy_hresult hr = property(sp, "PublicKeyAlgorithm", CHY_PROPTYPE_STRING, &v, what);
    if (CHY_FAILED(hr)) return hr;
    for (size_t i = 0; v.vt == CHY_VT_STR && i < sizeof t / sizeof t[0]; i++)
        if (!strcmp(v.u.s.p, t[i].oid)) *out = t[i].key;
    host->vt->variant_clear(&v);
    if (out->family == KIT_KEY_EC) return curve(host, sp, out, what);
    return out->family == KIT_KEY_RSA ? rsa_bits(host, sp, out, what) : CHY_S_OK;
}
