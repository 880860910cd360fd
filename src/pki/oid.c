/* Object identifiers: dotted text, content octets, and the one table of names. Thread: any. */
#include <string.h>

#include "pki/der.h"

struct oid_name {
    struct chy_span oid;
    const char *name;
};

#define OID(octets, text)                                                                          \
    {                                                                                              \
        {(const uint8_t *)(octets), sizeof(octets) - 1}, text                                      \
    }

/* Sorted by length, then octets. */
static const struct oid_name names[] = {
    OID("\x2b\x65\x6e", "X25519"),
    OID("\x2b\x65\x6f", "X448"),
    OID("\x2b\x65\x70", "Ed25519"),
    OID("\x2b\x65\x71", "Ed448"),
    OID("\x55\x04\x03", "CN"),
    OID("\x55\x04\x04", "SN"),
    OID("\x55\x04\x05", "serialNumber"),
    OID("\x55\x04\x06", "C"),
    OID("\x55\x04\x07", "L"),
    OID("\x55\x04\x08", "ST"),
    OID("\x55\x04\x09", "street"),
    OID("\x55\x04\x0a", "O"),
    OID("\x55\x04\x0b", "OU"),
    OID("\x55\x04\x0c", "title"),
    OID("\x55\x04\x0d", "description"),
    OID("\x55\x04\x0f", "businessCategory"),
    OID("\x55\x04\x10", "postalAddress"),
    OID("\x55\x04\x11", "postalCode"),
    OID("\x55\x04\x12", "postOfficeBox"),
    OID("\x55\x04\x14", "telephoneNumber"),
    OID("\x55\x04\x29", "name"),
    OID("\x55\x04\x2a", "GN"),
    OID("\x55\x04\x2b", "initials"),
    OID("\x55\x04\x2c", "generationQualifier"),
    OID("\x55\x04\x2d", "x500UniqueIdentifier"),
    OID("\x55\x04\x2e", "dnQualifier"),
    OID("\x55\x04\x41", "pseudonym"),
    OID("\x55\x04\x61", "organizationIdentifier"),
    OID("\x55\x1d\x09", "subjectDirectoryAttributes"),
    OID("\x55\x1d\x0e", "subjectKeyIdentifier"),
    OID("\x55\x1d\x0f", "keyUsage"),
    OID("\x55\x1d\x10", "privateKeyUsagePeriod"),
    OID("\x55\x1d\x11", "subjectAltName"),
    OID("\x55\x1d\x12", "issuerAltName"),
    OID("\x55\x1d\x13", "basicConstraints"),
    OID("\x55\x1d\x14", "crlNumber"),
    OID("\x55\x1d\x15", "cRLReason"),
    OID("\x55\x1d\x18", "invalidityDate"),
    OID("\x55\x1d\x1b", "deltaCRLIndicator"),
    OID("\x55\x1d\x1c", "issuingDistributionPoint"),
    OID("\x55\x1d\x1d", "certificateIssuer"),
    OID("\x55\x1d\x1e", "nameConstraints"),
    OID("\x55\x1d\x1f", "cRLDistributionPoints"),
    OID("\x55\x1d\x20", "certificatePolicies"),
    OID("\x55\x1d\x21", "policyMappings"),
    OID("\x55\x1d\x23", "authorityKeyIdentifier"),
    OID("\x55\x1d\x24", "policyConstraints"),
    OID("\x55\x1d\x25", "extKeyUsage"),
    OID("\x55\x1d\x2e", "freshestCRL"),
    OID("\x55\x1d\x36", "inhibitAnyPolicy"),
    OID("\x55\x1d\x20\x00", "anyPolicy"),
    OID("\x55\x1d\x25\x00", "anyExtendedKeyUsage"),
    OID("\x2b\x0e\x03\x02\x1a", "sha1"),
    OID("\x2b\x0e\x03\x02\x1d", "sha1WithRSA"),
    OID("\x2b\x81\x04\x00\x0a", "secp256k1"),
    OID("\x2b\x81\x04\x00\x21", "P-224"),
    OID("\x2b\x81\x04\x00\x22", "P-384"),
    OID("\x2b\x81\x04\x00\x23", "P-521"),
    OID("\x67\x81\x0c\x01\x01", "evPolicy"),
    OID("\x2b\x06\x01\x05\x02\x02", "krb5PrincipalName"),
    OID("\x67\x81\x0c\x01\x02\x01", "domainValidated"),
    OID("\x67\x81\x0c\x01\x02\x02", "organizationValidated"),
    OID("\x67\x81\x0c\x01\x02\x03", "individualValidated"),
    OID("\x2a\x86\x48\xce\x38\x04\x01", "dsaEncryption"),
    OID("\x2a\x86\x48\xce\x38\x04\x03", "dsaWithSHA1"),
    OID("\x2a\x86\x48\xce\x3d\x02\x01", "ecPublicKey"),
    OID("\x2a\x86\x48\xce\x3d\x04\x01", "ecdsaWithSHA1"),
    OID("\x2b\x06\x01\x05\x02\x03\x04", "pkinitClientAuth"),
    OID("\x2b\x06\x01\x05\x02\x03\x05", "pkinitKDC"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x02\x02", "md2"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x02\x04", "md4"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x02\x05", "md5"),
    OID("\x2a\x86\x48\xce\x3d\x03\x01\x01", "P-192"),
    OID("\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-256"),
    OID("\x2a\x86\x48\xce\x3d\x04\x03\x01", "ecdsaWithSHA224"),
    OID("\x2a\x86\x48\xce\x3d\x04\x03\x02", "ecdsaWithSHA256"),
    OID("\x2a\x86\x48\xce\x3d\x04\x03\x03", "ecdsaWithSHA384"),
    OID("\x2a\x86\x48\xce\x3d\x04\x03\x04", "ecdsaWithSHA512"),
    OID("\x2b\x06\x01\x05\x05\x07\x01\x01", "authorityInfoAccess"),
    OID("\x2b\x06\x01\x05\x05\x07\x01\x03", "qcStatements"),
    OID("\x2b\x06\x01\x05\x05\x07\x01\x0b", "subjectInfoAccess"),
    OID("\x2b\x06\x01\x05\x05\x07\x01\x18", "tlsFeature"),
    OID("\x2b\x06\x01\x05\x05\x07\x02\x01", "cps"),
    OID("\x2b\x06\x01\x05\x05\x07\x02\x02", "userNotice"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x01", "serverAuth"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x02", "clientAuth"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x03", "codeSigning"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x04", "emailProtection"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x05", "ipsecEndSystem"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x06", "ipsecTunnel"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x07", "ipsecUser"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x08", "timeStamping"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x09", "OCSPSigning"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x0d", "eapOverPPP"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x0e", "eapOverLAN"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x11", "ipsecIKE"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x14", "sipDomain"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x15", "secureShellClient"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x16", "secureShellServer"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x1b", "cmcCA"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x1c", "cmcRA"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x1d", "cmcArchive"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x1e", "bgpsecRouter"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x1f", "brandIndicatorForMessageIdentification"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x20", "cmKGA"),
    OID("\x2b\x06\x01\x05\x05\x07\x03\x24", "documentSigning"),
    OID("\x2b\x06\x01\x05\x05\x07\x08\x05", "xmppAddr"),
    OID("\x2b\x06\x01\x05\x05\x07\x08\x07", "dnsSRV"),
    OID("\x2b\x06\x01\x05\x05\x07\x08\x09", "smtpUTF8Mailbox"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x01", "ocsp"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x02", "caIssuers"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x03", "adTimeStamping"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x05", "caRepository"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "rsaEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", "md2WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x03", "md4WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "md5WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "sha1WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07", "rsaesOaep"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08", "mgf1"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "rsassaPss"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", "sha256WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", "sha384WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", "sha512WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", "sha224WithRSAEncryption"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01", "dhKeyAgreement"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02", "unstructuredName"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03", "contentType"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04", "messageDigest"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05", "signingTime"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07", "challengePassword"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08", "unstructuredAddress"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e", "extensionRequest"),
    OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f", "sMIMECapabilities"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0d\x01", "msRenewalCertificate"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02", "msCertificateTemplateName"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x01", "msCAVersion"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x02", "msPreviousCACertHash"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x03", "msVirtualBaseCRL"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x04", "msCRLNextPublish"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x05", "msCAExchange"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x06", "msKeyRecoveryAgent"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x07", "msCertificateTemplate"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0a", "msApplicationPolicies"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0b", "msApplicationPolicyMappings"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0c", "msApplicationPolicyConstraints"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0d", "msArchivedKey"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x0e", "msPublishedCRLLocations"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x13", "msDSEmailReplication"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x14", "msRequestClientInfo"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x15", "msEncryptedKeyHash"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x1e", "msEndorsementKeyVerifiedKey"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x1f", "msEndorsementKeyVerifiedCert"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x15\x20", "msEndorsementKeyVerifiedCredentials"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x19\x01", "msNTDSReplication"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x19\x02", "msSecurityIdentifier"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x01", "ocspBasic"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x02", "ocspNonce"),
    OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x05", "ocspNoCheck"),
    OID("\x2b\x24\x03\x03\x02\x08\x01\x01\x07", "brainpoolP256r1"),
    OID("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b", "brainpoolP384r1"),
    OID("\x2b\x24\x03\x03\x02\x08\x01\x01\x0d", "brainpoolP512r1"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01", "sha256"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x02\x02", "sha384"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x02\x03", "sha512"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x02\x04", "sha224"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x03\x01", "dsaWithSHA224"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x03\x02", "dsaWithSHA256"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x03\x11", "ML-DSA-44"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ML-DSA-65"),
    OID("\x60\x86\x48\x01\x65\x03\x04\x03\x13", "ML-DSA-87"),
    OID("\x60\x86\x48\x01\x86\xf8\x42\x01\x01", "netscapeCertType"),
    OID("\x60\x86\x48\x01\x86\xf8\x42\x01\x0d", "netscapeComment"),
    OID("\x60\x86\x48\x01\x86\xf8\x42\x04\x01", "netscapeSGC"),
    OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
    OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x03", "mail"),
    OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e", "msCertExtensions"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x15", "msCodeInd"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x16", "msCodeCom"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x01", "msCTLSign"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x03", "msSGC"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x04", "msEFS"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x0b", "msKeyRecovery"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x0c", "msDocumentSigning"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x0d", "msLifetimeSigning"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x09\x01", "msCrossCertDistPoints"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x0c\x01", "msAnyApplicationPolicy"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x01", "msEnrollmentNameValuePair"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x02", "msEnrollmentCSP"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x03", "msOSVersion"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x01", "msEnrollmentAgent"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02", "msSmartcardLogin"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03", "msUPN"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01", "msObjectSid"),
    OID("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02", "signedCertificateTimestamps"),
    OID("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03", "ctPoison"),
    OID("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x05", "ocspSignedCertificateTimestamps"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x04\x01", "msEFSRecovery"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01", "jurisdictionL"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02", "jurisdictionST"),
    OID("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03", "jurisdictionC"),
};

/* Other spellings that people and AD CS use for a name above. */
static const struct {
    const char *alias, *name;
} aliases[] = {
    {"E", "emailAddress"},
    {"Email", "emailAddress"},
    {"commonName", "CN"},
    {"surname", "SN"},
    {"countryName", "C"},
    {"localityName", "L"},
    {"stateOrProvinceName", "ST"},
    {"S", "ST"},
    {"streetAddress", "street"},
    {"organizationName", "O"},
    {"organizationalUnitName", "OU"},
    {"givenName", "GN"},
    {"G", "GN"},
    {"domainComponent", "DC"},
    {"userId", "UID"},
    {"smartcardLogon", "msSmartcardLogin"},
    {"msSmartcardLogon", "msSmartcardLogin"},
    {"enrollmentAgent", "msEnrollmentAgent"},
    {"anyEKU", "anyExtendedKeyUsage"},
    {"extendedKeyUsage", "extKeyUsage"},
    {"crlDistributionPoints", "cRLDistributionPoints"},
    {"prime256v1", "P-256"},
    {"secp384r1", "P-384"},
    {"secp521r1", "P-521"},
};

static int compare(struct chy_span a, struct chy_span b)
{
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

const char *chy_oid_name(struct chy_span value)
{
    size_t low = 0, high = CHY_ARRAY_LEN(names);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare(value, names[mid].oid);
        if (order == 0) return names[mid].name;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* X.690 8.19.2: seven bits per octet, no leading 0x80. False also for an arc over 64 bits. */
static bool read_arc(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    if (*p == end || **p == 0x80) return false;
    for (;;) {
        if (*p == end || v >> 57) return false;
        uint8_t c = *(*p)++;
        v = v << 7 | (c & 0x7f);
        if (!(c & 0x80)) break;
    }
    *out = v;
    return true;
}

/* An arc and a dot; NULL where they do not fit. By hand: snprintf cost a certificate half a percent
 * of its time. */
static char *write_arc(char *at, const char *end, uint64_t v)
{
    char digit[20];
    ptrdiff_t n = 0;
    do {
        digit[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    if (end - at <= n) return NULL;
    while (n)
        *at++ = digit[--n];
    *at++ = '.';
    return at;
}

bool chy_oid_to_text(struct chy_span value, char *out, size_t cap)
{
    const uint8_t *p = value.p, *end = value.p + value.n;
    const char *room = out + cap;
    uint64_t arc;
    if (value.n == 0 || !read_arc(&p, end, &arc)) return false;
    unsigned root = arc < 40 ? 0 : arc < 80 ? 1 : 2;
    char *at = write_arc(out, room, root);
    if (at) at = write_arc(at, room, arc - root * 40);
    while (at && p != end)
        at = read_arc(&p, end, &arc) ? write_arc(at, room, arc) : NULL;
    if (at) at[-1] = 0;
    return at != NULL;
}

static bool parse_arc(const char **s, uint64_t *out)
{
    const char *p = *s;
    uint64_t v = 0;
    if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9')) return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (v > (UINT64_MAX - 9) / 10) return false;
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *s = p;
    *out = v;
    return true;
}

static void add_arc(struct chy_buf *out, uint64_t v)
{
    uint8_t octets[10];
    size_t at = sizeof(octets);
    octets[--at] = (uint8_t)(v & 0x7f);
    while (v >>= 7)
        octets[--at] = (uint8_t)(0x80 | (v & 0x7f));
    chy_buf_add(out, octets + at, sizeof(octets) - at);
}

bool chy_oid_from_text(const char *dotted, struct chy_buf *out)
{
    uint64_t root, arc;
    size_t start = out->n;
    const char *p = dotted;
    if (!p || !parse_arc(&p, &root) || root > 2 || *p++ != '.' || !parse_arc(&p, &arc))
        return false;
    /* X.690 8.19.4: the first two arcs share one number, so the second stays below 40 under 0
     * and 1. */
    if ((root < 2 && arc >= 40) || arc > UINT64_MAX - 80) return false;
    add_arc(out, root * 40 + arc);
    while (*p == '.') {
        p++;
        if (!parse_arc(&p, &arc)) break;
        add_arc(out, arc);
    }
    if (*p == 0 && p[-1] != '.' && !out->failed) return true;
    if (!out->failed) out->n = start;
    return false;
}

static const char *without_alias(const char *name)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(aliases); i++) {
        if (chy_span_eq_nocase(chy_span_cstr(name), chy_span_cstr(aliases[i].alias)))
            return aliases[i].name;
    }
    return name;
}

bool chy_oid_from_name(const char *name_or_dotted, struct chy_buf *out)
{
    if (!name_or_dotted) return false;
    if (*name_or_dotted >= '0' && *name_or_dotted <= '9')
        return chy_oid_from_text(name_or_dotted, out);
    struct chy_span wanted = chy_span_cstr(without_alias(name_or_dotted));
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        if (!chy_span_eq_nocase(wanted, chy_span_cstr(names[i].name))) continue;
        chy_buf_add_span(out, names[i].oid);
        return !out->failed;
    }
    return false;
}
