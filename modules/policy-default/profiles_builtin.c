#include "policy.h"

/* A ready profile is the same settings that an administrator may write, so each can be overridden
 * one by one. Validity of TLS certificates: 90 days, well below the limits of the Baseline
 * Requirements 6.3.2. */
static const struct {
    const char *profile, *setting, *value;
} ready[] = {
    {"tls-server", "AllowedSubject", "CommonName"},
    {"tls-server", "SanTypes", "dns ip"},
    {"tls-server", "SanRequired", "1"},
    {"tls-server", "SanFromCn", "1"},
    {"tls-server", "CnInSan", "1"},
    {"tls-server", "WildcardAllowed", "1"},
    {"tls-server", "KeyUsage", "digitalSignature keyEncipherment"},
    {"tls-server", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.1"},
    {"tls-short-lived", "AllowedSubject", "CommonName"},
    {"tls-short-lived", "SanTypes", "dns ip"},
    {"tls-short-lived", "SanRequired", "1"},
    {"tls-short-lived", "SanFromCn", "1"},
    {"tls-short-lived", "CnInSan", "1"},
    {"tls-short-lived", "WildcardAllowed", "1"},
    {"tls-short-lived", "KeyUsage", "digitalSignature keyEncipherment"},
    {"tls-short-lived", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.1"},
    {"tls-short-lived", "ValidityDays", "6"},
    {"tls-short-lived", "Revocation", "none"},
    {"tls-client", "AllowedSubject", "CommonName Organization OrgUnit"},
    {"tls-client", "SanTypes", "email dns uri upn"},
    {"tls-client", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.2"},
    {"tls-peer", "AllowedSubject", "CommonName"},
    {"tls-peer", "SanTypes", "dns ip"},
    {"tls-peer", "SanRequired", "1"},
    {"tls-peer", "SanFromCn", "1"},
    {"tls-peer", "CnInSan", "1"},
    {"tls-peer", "WildcardAllowed", "1"},
    {"tls-peer", "KeyUsage", "digitalSignature keyEncipherment"},
    {"tls-peer", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.2"},
    {"sub-ca", "AllowedSubject",
     "CommonName Organization OrgUnit Country Locality State DomainComponent"},
    {"sub-ca", "KeyUsage", "keyCertSign cRLSign"},
    {"sub-ca", "BasicConstraintsCA", "1"},
    {"sub-ca", "PathLength", "0"},
    {"sub-ca", "ValidityDays", "1825"},
    {"sub-ca", "Pending", "1"},
    {"code-signing", "AllowedSubject", "CommonName Organization OrgUnit Country Locality State"},
    {"code-signing", "MinRsaBits", "3072"},
    {"code-signing", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.3"},
    {"code-signing", "ValidityDays", "365"},
    {"code-signing", "Pending", "1"},
    {"email", "AllowedSubject", "CommonName EMail"},
    {"email", "SanTypes", "email"},
    {"email", "SanRequired", "1"},
    {"email", "KeyUsage", "digitalSignature keyEncipherment"},
    {"email", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.4"},
    {"email", "ValidityDays", "365"},
    {"ocsp-signing", "AllowedSubject", "CommonName Organization"},
    {"ocsp-signing", "ExtendedKeyUsage", "1.3.6.1.5.5.7.3.9"},
    {"ocsp-signing", "AddOcspNoCheck", "1"},
    {"ocsp-signing", "ValidityDays", "14"},
    {"ocsp-signing", "Pending", "1"},
};

bool profiles_builtin(struct config *c)
{
    for (size_t i = 0; i < sizeof ready / sizeof ready[0]; i++) {
        struct profile *p = config_profile_add(c, ready[i].profile);
        struct list v = {0};
        bool ok = p && list_split(&v, ready[i].value) && !profile_set(p, ready[i].setting, &v);
        list_free(&v);
        if (!ok) return false;
        p->path_length_given = false;
    }
    return true;
}
