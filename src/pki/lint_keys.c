/* Lint: the subject's public key, and keyUsage against what such a key can do.
 * RFC 3279, RFC 4055, RFC 5480, RFC 8410, RFC 8813. */
#include "pki/lint_int.h"

#define OID_RSA CHY_SPAN_STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_EC CHY_SPAN_STR("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_ED25519 CHY_SPAN_STR("\x2b\x65\x70")
#define OID_ED448 CHY_SPAN_STR("\x2b\x65\x71")

/* RFC 3279 2.3.1: RSA has NULL. RFC 5480 2.1.1: EC has namedCurve. RFC 8410 3: Edwards keys have
 * none. */
static bool params_allowed(struct chy_span oid, struct chy_der *params)
{
    struct chy_span value;
    if (chy_span_eq(oid, OID_RSA)) {
        return chy_der_expect(params, CHY_DER_NULL, &value) && value.n == 0 &&
               chy_der_empty(params);
    }
    if (chy_span_eq(oid, OID_EC)) {
        return chy_der_expect(params, CHY_DER_OID, &value) && chy_der_empty(params);
    }
    if (chy_span_eq(oid, OID_ED25519) || chy_span_eq(oid, OID_ED448)) return chy_der_empty(params);
    return true;
}

static bool check_params(struct chy_lint *l)
{
    struct chy_der outer = chy_der_of(l->spki), key, alg;
    struct chy_span oid;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &key) ||
        !chy_der_enter(&key, CHY_DER_SEQUENCE, &alg) || !chy_der_expect(&alg, CHY_DER_OID, &oid)) {
        chy_lint_find(l, CHY_LR_SPKI_STRUCTURE, "there is no algorithm");
        return false;
    }
    if (params_allowed(oid, &alg)) return true;
    chy_lint_find(l, CHY_LR_SPKI_PARAMS, "the parameters do not fit the algorithm");
    return false;
}

/* The costly tests of strength (P18) are made once, when the request comes in. */
static void check_rsa(struct chy_lint *l, const struct chy_spki *key)
{
    struct chy_span n = key->rsa_n, e = key->rsa_e;
    if (key->size < 2048 || n.n == 0 || !(n.p[n.n - 1] & 1)) {
        chy_lint_find(l, CHY_LR_RSA_MODULUS, "the modulus has %d bits", key->size);
    } else if (key->size % 8 != 0) {
        chy_lint_find(l, CHY_LR_RSA_OCTETS, "the modulus has %d bits", key->size);
    } else if (key->size < 3072 && !l->is_ca && (l->purposes & CHY_LP_CODE)) {
        chy_lint_find(l, CHY_LR_RSA_CODE, "the modulus has %d bits", key->size);
    }
    if (e.n == 0 || !(e.p[e.n - 1] & 1) || (e.n == 1 && e.p[0] == 1)) {
        chy_lint_find(l, CHY_LR_RSA_EXPONENT, "the exponent is even or 1");
    } else if (e.n < 3) {
        chy_lint_find(l, CHY_LR_RSA_EXPONENT_SMALL, "the exponent has %zu octets", e.n);
    } else if (e.n > 32) {
        chy_lint_find(l, CHY_LR_RSA_EXPONENT_RANGE, "the exponent has %zu octets", e.n);
    }
}

static void check_usage(struct chy_lint *l)
{
    unsigned encipher = l->ku & (CHY_KU_KEY_ENCIPHERMENT | CHY_KU_DATA_ENCIPHERMENT);
    unsigned agree = l->ku & (CHY_KU_KEY_AGREEMENT | CHY_KU_ENCIPHER_ONLY | CHY_KU_DECIPHER_ONLY);
    switch (l->key_kind) {
    case CHY_KEY_EC:
        if (encipher) chy_lint_find(l, CHY_LR_KU_EC, "keyUsage bits %03x", encipher);
        break;
    case CHY_KEY_RSA:
        if (agree) chy_lint_find(l, CHY_LR_KU_RSA, "keyUsage bits %03x", agree);
        break;
    case CHY_KEY_RSA_PSS:
    case CHY_KEY_ED25519:
    case CHY_KEY_ED448:
    case CHY_KEY_MLDSA:
        if (encipher | agree) {
            chy_lint_find(l, CHY_LR_KU_SIGN_ONLY, "keyUsage bits %03x", encipher | agree);
        }
        break;
    case CHY_KEY_UNKNOWN: break;
    }
}

/* What a role leaves of the usages that the kind of key allows. */
static void check_role(struct chy_lint *l)
{
    unsigned encipher = l->ku & (CHY_KU_KEY_ENCIPHERMENT | CHY_KU_DATA_ENCIPHERMENT);
    unsigned agree = l->ku & CHY_KU_KEY_AGREEMENT;
    unsigned only = CHY_KU_ENCIPHER_ONLY | CHY_KU_DECIPHER_ONLY;
    if ((l->ku & only) == only) {
        chy_lint_find(l, CHY_LR_KU_ONE_ONLY, "keyUsage bits %03x", l->ku);
    }
    if (l->is_ca && (encipher | agree)) {
        chy_lint_find(l, CHY_LR_KU_CA_ONLY, "keyUsage bits %03x", encipher | agree);
    }
    if (l->is_ca) return;
    if ((l->purposes & CHY_LP_CODE) && encipher) {
        chy_lint_find(l, CHY_LR_KU_CODE, "keyUsage bits %03x", encipher);
    }
    if (l->purposes == CHY_LP_SERVER && (l->ku & CHY_KU_NON_REPUDIATION)) {
        chy_lint_find(l, CHY_LR_KU_SERVER, "keyUsage bits %03x", l->ku);
    }
}

/* What browsers and TLS 1.3 can use of a server's key. TLS agrees on keys that it makes itself, so
 * a usage beyond the signature, and RSA's encipherment of a secret, serves nobody. */
static void check_server(struct chy_lint *l)
{
    bool rsa = l->key_kind == CHY_KEY_RSA, ec = l->key_kind == CHY_KEY_EC;
    unsigned spare = l->ku & (rsa ? CHY_KU_DATA_ENCIPHERMENT : ec ? CHY_KU_KEY_AGREEMENT : 0);
    if (!rsa && !ec) chy_lint_find(l, CHY_LR_SPKI_SERVER, "it is of another kind");
    if (l->ku && !(l->ku & CHY_KU_DIGITAL_SIGNATURE)) {
        chy_lint_find(l, CHY_LR_KU_SERVER_SIGNS, "keyUsage bits %03x", l->ku);
    }
    if (l->purposes == CHY_LP_SERVER && spare) {
        chy_lint_find(l, CHY_LR_KU_SERVER_SPARE, "keyUsage bits %03x", spare);
    }
}

static enum chy_key_kind family(enum chy_key_kind kind)
{
    return kind == CHY_KEY_RSA_PSS ? CHY_KEY_RSA : kind;
}

static void check_own_algorithm(struct chy_lint *l)
{
    const struct chy_sig_alg *alg = chy_sig_alg_by_der(l->sig_alg);
    if (l->ca || !alg || family(alg->kind) == family(l->key_kind)) return;
    chy_lint_find(l, CHY_LR_SIG_ALG_SELF, "%s is not for such a key", alg->name);
}

void chy_lint_key(struct chy_lint *l)
{
    struct chy_spki key;
    struct chy_err err = {.code = CHY_S_OK};
    if (!check_params(l)) return;
    if (CHY_FAILED(chy_spki_parse(l->spki, &key, &err))) {
        chy_lint_find(l, CHY_LR_SPKI_STRUCTURE, "%s", err.text);
        return;
    }
    l->key_kind = key.kind;
    if (key.kind == CHY_KEY_RSA || key.kind == CHY_KEY_RSA_PSS) check_rsa(l, &key);
    check_usage(l);
    check_role(l);
    if (chy_lint_is_server(l)) check_server(l);
    check_own_algorithm(l);
}
