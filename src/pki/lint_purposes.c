/* Lint: basicConstraints, keyUsage and extKeyUsage against each other and the issuer.
 * RFC 5280 4.2.1.3, 4.2.1.9, 4.2.1.12, RFC 3161, RFC 6960. */
#include "pki/lint_int.h"

#include <string.h>

#define PKIX_KP "\x2b\x06\x01\x05\x05\x07\x03"

static void check_ca(struct chy_lint *l)
{
    if (!l->is_ca) {
        if (l->ku & CHY_KU_KEY_CERT_SIGN) {
            chy_lint_find(l, CHY_LR_KU_LEAF_SIGNS, "keyCertSign without CA:TRUE");
        }
        if (l->ku & CHY_KU_CRL_SIGN) {
            chy_lint_find(l, CHY_LR_KU_LEAF_CRL, "cRLSign without CA:TRUE");
        }
        return;
    }
    if (!l->known[CHY_LX_KU]) {
        chy_lint_find(l, CHY_LR_KU_IN_CA, "there is no keyUsage");
    } else if (l->ku && !(l->ku & CHY_KU_KEY_CERT_SIGN)) {
        chy_lint_find(l, CHY_LR_KU_CA_SIGNS, "CA:TRUE without keyCertSign");
    } else if (l->ku && !(l->ku & CHY_KU_CRL_SIGN)) {
        chy_lint_find(l, CHY_LR_KU_CA_CRL, "CA:TRUE without cRLSign");
    }
    if (!l->ca && l->path_len >= 0) {
        chy_lint_find(l, CHY_LR_BC_ROOT_PATH, "path length %d", l->path_len);
    }
    if (!l->ca || l->ca->path_len < 0) return;
    if (l->ca->path_len == 0) {
        chy_lint_find(l, CHY_LR_BC_ISSUER_PATH, "the issuer's path length is 0");
    } else if (l->path_len < 0 || l->path_len >= l->ca->path_len) {
        chy_lint_find(l, CHY_LR_BC_PATH_WITHIN, "path length %d below one of %d", l->path_len,
                      l->ca->path_len);
    }
}

/* RFC 5280 4.2.1.12: the key usages of which each purpose needs at least one. */
static const struct {
    uint8_t purpose; /* last arc under id-kp */
    unsigned any_of;
} purpose_usages[] = {
    {1, CHY_KU_DIGITAL_SIGNATURE | CHY_KU_KEY_ENCIPHERMENT | CHY_KU_KEY_AGREEMENT},
    {2, CHY_KU_DIGITAL_SIGNATURE | CHY_KU_KEY_AGREEMENT},
    {3, CHY_KU_DIGITAL_SIGNATURE},
    {4, CHY_KU_DIGITAL_SIGNATURE | CHY_KU_NON_REPUDIATION | CHY_KU_KEY_ENCIPHERMENT |
            CHY_KU_KEY_AGREEMENT},
    {8, CHY_KU_DIGITAL_SIGNATURE | CHY_KU_NON_REPUDIATION},
    {9, CHY_KU_DIGITAL_SIGNATURE | CHY_KU_NON_REPUDIATION},
};

static void check_purpose_usage(struct chy_lint *l, struct chy_span oid)
{
    size_t prefix = sizeof PKIX_KP - 1;
    if (oid.n != prefix + 1 || memcmp(oid.p, PKIX_KP, prefix) != 0) return;
    for (size_t i = 0; i < CHY_ARRAY_LEN(purpose_usages); i++) {
        if (purpose_usages[i].purpose == oid.p[prefix] && !(purpose_usages[i].any_of & l->ku)) {
            chy_lint_find(l, CHY_LR_EKU_KU, "id-kp-%u with keyUsage bits %03x", oid.p[prefix],
                          l->ku);
        }
    }
}

/* RFC 6960 4.2.2.2.1: who accepts nocheck looks nowhere, so pointers mislead. */
static void check_ocsp_signer(struct chy_lint *l)
{
    if (l->ku & ~(unsigned)CHY_KU_DIGITAL_SIGNATURE) {
        chy_lint_find(l, CHY_LR_OCSP_KU, "keyUsage bits %03x", l->ku);
    }
    if (!l->known[CHY_LX_NOCHECK]) return;
    if (l->known[CHY_LX_CDP] || l->known[CHY_LX_CP]) {
        chy_lint_find(l, CHY_LR_OCSP_PLAIN, "%s stands too",
                      l->known[CHY_LX_CDP] ? "cRLDistributionPoints" : "certificatePolicies");
    }
}

static void check_ocsp(struct chy_lint *l)
{
    const struct chy_ext *nocheck = l->known[CHY_LX_NOCHECK];
    if ((l->purposes & CHY_LP_OCSP) && !l->is_ca && !nocheck) {
        chy_lint_find(l, CHY_LR_OCSP_NOCHECK, "OCSPSigning without ocsp-nocheck");
    }
    if ((l->purposes & CHY_LP_OCSP) && !l->is_ca) check_ocsp_signer(l);
    if (!nocheck) return;
    if (!(l->purposes & CHY_LP_OCSP)) {
        chy_lint_find(l, CHY_LR_OCSP_NOCHECK_ONLY, "ocsp-nocheck without OCSPSigning");
    }
    if (nocheck->critical) chy_lint_find(l, CHY_LR_OCSP_NOCHECK_CRITICAL, "it is critical");
    if (!chy_span_eq(nocheck->value, CHY_SPAN_STR("\x05\x00"))) {
        chy_lint_find(l, CHY_LR_OCSP_NOCHECK_VALUE, "ocsp-nocheck of %zu octets", nocheck->value.n);
    }
}

/* RFC 5280 4.2.1.12: a CA's extKeyUsage limits what is below it and says nothing of its own key. */
static void check_ca_purposes(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_EKU];
    unsigned apart = CHY_LP_CODE | CHY_LP_EMAIL | CHY_LP_TIME | CHY_LP_OCSP;
    if (!e) return;
    if (!l->ca) {
        chy_lint_find(l, CHY_LR_EKU_ROOT, "a self-signed CA has %zu purposes", l->n_eku);
    } else if (e->critical && !(l->purposes & CHY_LP_ANY)) {
        chy_lint_find(l, CHY_LR_EKU_CA_CRITICAL, "extKeyUsage is critical");
    }
    if (l->ca && (l->purposes & CHY_LP_SERVER) && (l->purposes & apart)) {
        chy_lint_find(l, CHY_LR_EKU_CA_APART, "serverAuth and %zu more", l->n_eku - 1);
    }
}

static void check_company(struct chy_lint *l)
{
    if ((l->purposes & CHY_LP_CODE) && (l->purposes & (CHY_LP_SERVER | CHY_LP_EMAIL))) {
        chy_lint_find(l, CHY_LR_EKU_CODE_APART, "codeSigning and %zu more", l->n_eku - 1);
    } else if ((l->purposes & CHY_LP_EMAIL) && (l->purposes & CHY_LP_SERVER)) {
        chy_lint_find(l, CHY_LR_EKU_EMAIL_APART, "emailProtection and serverAuth");
    }
    if ((l->purposes & CHY_LP_OCSP) && l->n_eku > 1) {
        chy_lint_find(l, CHY_LR_EKU_OCSP_ALONE, "OCSPSigning and %zu more", l->n_eku - 1);
    }
    if (l->purposes & CHY_LP_IPSEC) {
        chy_lint_find(l, CHY_LR_EKU_IPSEC, "ipsecEndSystem, ipsecTunnel or ipsecUser");
    }
}

static void check_server_criticality(struct chy_lint *l)
{
    const struct chy_ext *bc = l->known[CHY_LX_BC];
    if (l->known[CHY_LX_EKU]->critical && !(l->purposes & (CHY_LP_ANY | CHY_LP_TIME))) {
        chy_lint_find(l, CHY_LR_EKU_SERVER_CRITICAL, "extKeyUsage is critical");
    }
    if (bc && !bc->critical) chy_lint_find(l, CHY_LR_BC_SERVER_CRITICAL, "it is not critical");
}

static void check_leaf_purposes(struct chy_lint *l)
{
    bool listed = !l->has_extensions || l->n_ext > 0; /* an empty list has a rule of its own */
    if (listed && !l->known[CHY_LX_KU]) chy_lint_find(l, CHY_LR_KU_IN_LEAF, "there is none");
    if (listed && !l->known[CHY_LX_EKU]) chy_lint_find(l, CHY_LR_EKU_IN_LEAF, "there is none");
    for (size_t i = 0; i < l->n_eku && l->ku; i++) {
        check_purpose_usage(l, l->eku[i]);
    }
    if ((l->purposes & CHY_LP_TIME) && (l->n_eku > 1 || !l->known[CHY_LX_EKU]->critical)) {
        chy_lint_find(l, CHY_LR_EKU_TIME_STAMPING, "%zu purposes, critical %d", l->n_eku,
                      l->known[CHY_LX_EKU]->critical);
    }
    if ((l->purposes & CHY_LP_SERVER) && !l->known[CHY_LX_SAN]) {
        chy_lint_find(l, CHY_LR_EKU_SERVER_SAN, "serverAuth without subjectAltName");
    }
    check_company(l);
    if (chy_lint_is_server(l)) check_server_criticality(l);
}

void chy_lint_purposes(struct chy_lint *l)
{
    check_ca(l);
    if ((l->purposes & CHY_LP_ANY) && l->n_eku > 1) {
        chy_lint_find(l, CHY_LR_EKU_ANY_ALONE, "anyExtendedKeyUsage and %zu more", l->n_eku - 1);
    }
    if ((l->purposes & CHY_LP_ANY) && l->known[CHY_LX_EKU]->critical) {
        chy_lint_find(l, CHY_LR_EKU_ANY_CRITICAL, "extKeyUsage is critical");
    }
    if (l->is_ca) {
        check_ca_purposes(l);
    } else {
        check_leaf_purposes(l);
    }
    check_ocsp(l);
}
