/* Inside lint: the list of rules, the certificate as lint reads it, and the families of rules.
 * Lint reads the octets by itself, more leniently than cert.h, so that a mistake is named by the
 * rule that it breaks and a bug of the parser cannot hide a bug of the builder. Thread: any; no
 * state. */
#ifndef CHY_PKI_LINT_RULES_H
#define CHY_PKI_LINT_RULES_H

#include "pki/lint.h"

/* X(NAME, id, severity, section, what must hold) */
#define CHY_LINT_FIELD_RULES(X)                                                                    \
    X(TBS_DER, "tbs-der", ERROR, "X.690 10.1", "the octets are one strict DER value")              \
    X(TBS_STRUCTURE, "tbs-structure", ERROR, "RFC 5280 4.1", "the fields stand in their order")    \
    X(TBS_READABLE, "tbs-readable", ERROR, "RFC 5280 4.1", "the certificate parser reads it")      \
    X(VERSION_3, "version-3", ERROR, "RFC 5280 4.1.2.1", "the version is v3")                      \
    X(UNIQUE_IDS, "unique-ids-absent", ERROR, "RFC 5280 4.1.2.8", "no unique identifiers")         \
    X(SERIAL_NOT_NEGATIVE, "serial-not-negative", ERROR, "RFC 5280 4.1.2.2",                       \
      "the serial number is positive")                                                             \
    X(SERIAL_NOT_ZERO, "serial-not-zero", ERROR, "RFC 5280 4.1.2.2", "the serial number is not 0") \
    X(SERIAL_LENGTH_MAX, "serial-length-max", ERROR, "RFC 5280 4.1.2.2",                           \
      "the serial number has at most 20 octets")                                                   \
    X(SERIAL_ENTROPY_LENGTH, "serial-entropy-length", ERROR, "CABF BR 7.1",                        \
      "the serial number has room for random bits: at least 8 octets")                             \
    X(SERIAL_63_BITS, "serial-63-bits", WARNING, "CABF BR 7.1",                                    \
      "64 random bits and a sign need more than 8 octets")                                         \
    X(SIG_ALG_KNOWN, "sig-alg-known", ERROR, "RFC 5280 4.1.2.3",                                   \
      "the signature algorithm is one we know, its parameters exact")                              \
    X(SIG_ALG_ISSUER, "sig-alg-equals-issuer", ERROR, "RFC 5280 4.1.2.3",                          \
      "the inner algorithm is the one that will sign")                                             \
    X(VALIDITY_FORM, "validity-form", ERROR, "RFC 5280 4.1.2.5",                                   \
      "times have seconds, no fraction, and end in Z")                                             \
    X(VALIDITY_TYPE, "validity-time-type", ERROR, "RFC 5280 4.1.2.5",                              \
      "UTCTime through 2049, GeneralizedTime from 2050")                                           \
    X(VALIDITY_EPOCH, "validity-after-1970", ERROR, "RFC 5280 4.1.2.5.1",                          \
      "no year that a two-digit form wrapped into the past")                                       \
    X(VALIDITY_ORDER, "validity-order", ERROR, "RFC 5280 4.1.2.5",                                 \
      "notAfter is not before notBefore")                                                          \
    X(VALIDITY_BOTH_ENDS, "validity-both-ends", WARNING, "RFC 5280 4.1.2.5",                       \
      "the last second counts: whole days end at 23:59:59")                                        \
    X(VALIDITY_ISSUER, "validity-within-issuer", ERROR, "RFC 5280 6.1.3",                          \
      "the validity lies inside the issuer's")

#define CHY_LINT_NAME_RULES(X)                                                                     \
    X(ISSUER_NOT_EMPTY, "issuer-not-empty", ERROR, "RFC 5280 4.1.2.4", "the issuer has a name")    \
    X(ISSUER_EQUALS, "issuer-equals-ca-subject", ERROR, "RFC 5280 4.1.2.4",                        \
      "the issuer is the CA's subject octet for octet")                                            \
    X(SUBJECT_OR_SAN, "subject-or-san", ERROR, "RFC 5280 4.1.2.6",                                 \
      "a certificate without a subject has a subjectAltName")                                      \
    X(CA_SUBJECT, "ca-subject-not-empty", ERROR, "RFC 5280 4.1.2.6", "a CA has a subject")         \
    X(NAME_STRUCTURE, "name-structure", ERROR, "RFC 5280 4.1.2.4",                                 \
      "a name is a sequence of non-empty sets of typed values")                                    \
    X(NAME_RDN_DISTINCT, "name-rdn-distinct", ERROR, "X.501 9.3",                                  \
      "one RDN holds an attribute type once")                                                      \
    X(NAME_RDN_ORDER, "name-rdn-order", ERROR, "X.690 11.6", "the members of an RDN are sorted")   \
    X(NAME_VALUE_EMPTY, "name-value-not-empty", ERROR, "X.520 6", "no value is empty")             \
    X(NAME_STRING_TYPE, "name-string-type", ERROR, "RFC 5280 A.1",                                 \
      "the string type is one that the attribute allows")                                          \
    X(NAME_STRING_CHARS, "name-string-chars", ERROR, "X.680 41",                                   \
      "a value holds only characters of its string type")                                          \
    X(NAME_NO_CONTROLS, "name-no-controls", ERROR, "RFC 5280 8",                                   \
      "no NUL and no other control character")                                                     \
    X(NAME_STRING_OLD, "name-string-modern", WARNING, "RFC 5280 4.1.2.4",                          \
      "no new TeletexString, BMPString or UniversalString")                                        \
    X(NAME_COUNTRY, "name-country", ERROR, "X.520 6.3.1", "a country is two upper-case letters")   \
    X(NAME_BOUNDS, "name-bounds", WARNING, "RFC 5280 A.1", "a value obeys the X.520 upper bound")  \
    X(NAME_WHITE_SPACE, "name-white-space", WARNING, "RFC 5280 7.1",                               \
      "a value does not begin or end with white space")                                            \
    X(NAME_PLACEHOLDER, "name-placeholder", WARNING, "CABF BR 7.1.4.2",                            \
      "a value says something: not only '.', '-' or space")                                        \
    X(NAME_ONE_CN, "name-one-common-name", WARNING, "CABF BR 7.1.4.3",                             \
      "the subject has one common name at most")                                                   \
    X(NAME_EMAIL, "name-email-in-subject", NOTICE, "RFC 5280 4.1.2.6",                             \
      "an e-mail address belongs into the subjectAltName")

#define CHY_LINT_KEY_RULES(X)                                                                      \
    X(SPKI_STRUCTURE, "spki-structure", ERROR, "RFC 5280 4.1.2.7",                                 \
      "the public key is well-formed and of a known kind")                                         \
    X(SPKI_PARAMS, "spki-params", ERROR, "RFC 3279 2.3",                                           \
      "RSA has NULL, EC a named curve, Edwards keys no parameters")                                \
    X(RSA_MODULUS, "rsa-modulus-size", ERROR, "CABF BR 6.1.5",                                     \
      "an RSA modulus is odd and has 2048 bits or more")                                           \
    X(RSA_EXPONENT, "rsa-exponent", ERROR, "RFC 8017 3.1", "an RSA exponent is odd and above 1")   \
    X(RSA_EXPONENT_SMALL, "rsa-exponent-small", WARNING, "CABF BR 6.1.6",                          \
      "an RSA exponent is 65537 or more")                                                          \
    X(KU_EC, "ku-ec-no-encipherment", ERROR, "RFC 8813 3", "an EC key does not encipher")          \
    X(KU_SIGN_ONLY, "ku-signature-key", ERROR, "RFC 8410 5",                                       \
      "a key that can only sign neither enciphers nor agrees")                                     \
    X(KU_RSA, "ku-rsa-no-agreement", ERROR, "RFC 3279 2.3.1", "an RSA key does not agree on keys")

#define CHY_LINT_EXTENSION_RULES(X)                                                                \
    X(EXT_NOT_EMPTY, "ext-not-empty", ERROR, "RFC 5280 4.1.2.9",                                   \
      "a list of extensions has at least one")                                                     \
    X(EXT_DUPLICATE, "ext-duplicate", ERROR, "RFC 5280 4.2", "each extension stands once")         \
    X(EXT_DEFAULT, "ext-critical-default", ERROR, "X.690 11.5", "critical is TRUE or left out")    \
    X(EXT_UNKNOWN_CRITICAL, "ext-unknown-critical", ERROR, "RFC 5280 4.2",                         \
      "no critical extension that nobody here knows")                                              \
    X(EXT_VALUE_DER, "ext-value-der", WARNING, "RFC 5280 4.2",                                     \
      "the value of any extension is strict DER")                                                  \
    X(EXT_CA_ONLY, "ext-ca-only", ERROR, "RFC 5280 4.2.1.10",                                      \
      "constraints on paths stand only in CA certificates")                                        \
    X(EXT_NETSCAPE, "ext-netscape", NOTICE, "RFC 5280 4.2",                                        \
      "Netscape extensions have no meaning today")                                                 \
    X(BC_STRUCTURE, "bc-structure", ERROR, "RFC 5280 4.2.1.9", "basicConstraints is well-formed")  \
    X(BC_CA_CRITICAL, "bc-ca-critical", ERROR, "RFC 5280 4.2.1.9", "CA:TRUE is critical")          \
    X(BC_PATH_LEN_CA, "bc-path-len-ca", ERROR, "RFC 5280 4.2.1.9", "only a CA has a path length")  \
    X(BC_ISSUER_PATH, "bc-issuer-path-len", ERROR, "RFC 5280 4.2.1.9",                             \
      "no CA below an issuer with path length 0")                                                  \
    X(BC_PATH_WITHIN, "bc-path-len-within", WARNING, "RFC 5280 4.2.1.9",                           \
      "a CA's path length is below its issuer's")                                                  \
    X(KU_STRUCTURE, "ku-structure", ERROR, "RFC 5280 4.2.1.3",                                     \
      "keyUsage is a bit string of the nine bits")                                                 \
    X(KU_NOT_EMPTY, "ku-not-empty", ERROR, "RFC 5280 4.2.1.3", "keyUsage has at least one bit")    \
    X(KU_TRIMMED, "ku-trimmed", ERROR, "X.690 11.2.2",                                             \
      "keyUsage is trimmed of trailing zero bits")                                                 \
    X(KU_CRITICAL, "ku-critical", WARNING, "RFC 5280 4.2.1.3", "keyUsage is critical")             \
    X(KU_ONLY_AGREEMENT, "ku-encipher-decipher-only", ERROR, "RFC 5280 4.2.1.3",                   \
      "encipherOnly and decipherOnly go with keyAgreement")                                        \
    X(KU_IN_CA, "ku-in-ca", ERROR, "RFC 5280 4.2.1.3", "a CA has keyUsage")                        \
    X(KU_CA_SIGNS, "ku-ca-cert-sign", ERROR, "RFC 5280 4.2.1.9", "a CA has keyCertSign")           \
    X(KU_LEAF_SIGNS, "ku-leaf-no-cert-sign", ERROR, "RFC 5280 4.2.1.9",                            \
      "who is not a CA does not have keyCertSign")                                                 \
    X(KU_LEAF_CRL, "ku-leaf-no-crl-sign", WARNING, "RFC 5280 4.2.1.3",                             \
      "who is not a CA does not sign CRLs")                                                        \
    X(EKU_STRUCTURE, "eku-structure", ERROR, "RFC 5280 4.2.1.12",                                  \
      "extKeyUsage is a sequence of identifiers")                                                  \
    X(EKU_NOT_EMPTY, "eku-not-empty", ERROR, "RFC 5280 4.2.1.12",                                  \
      "extKeyUsage has at least one purpose")                                                      \
    X(EKU_DUPLICATE, "eku-duplicate", ERROR, "RFC 5280 4.2.1.12", "each purpose stands once")      \
    X(EKU_ANY_ALONE, "eku-any-alone", WARNING, "RFC 5280 4.2.1.12",                                \
      "anyExtendedKeyUsage beside others says nothing")                                            \
    X(EKU_ANY_CRITICAL, "eku-any-not-critical", WARNING, "RFC 5280 4.2.1.12",                      \
      "extKeyUsage with anyExtendedKeyUsage is not critical")                                      \
    X(EKU_KU, "eku-ku-consistent", WARNING, "RFC 5280 4.2.1.12",                                   \
      "keyUsage allows what each purpose needs")                                                   \
    X(EKU_TIME_STAMPING, "eku-time-stamping", ERROR, "RFC 3161 2.3",                               \
      "timeStamping is the only purpose, and critical")                                            \
    X(EKU_SERVER_SAN, "eku-server-auth-san", WARNING, "RFC 9525 6.3",                              \
      "a server certificate has a subjectAltName")                                                 \
    X(OCSP_NOCHECK, "ocsp-signing-nocheck", WARNING, "RFC 6960 4.2.2.2.1",                         \
      "a delegated OCSP signer has ocsp-nocheck")                                                  \
    X(OCSP_NOCHECK_VALUE, "ocsp-nocheck-value", ERROR, "RFC 6960 4.2.2.2.1",                       \
      "the value of ocsp-nocheck is NULL")                                                         \
    X(OCSP_NOCHECK_ONLY, "ocsp-nocheck-only-signer", WARNING, "RFC 6960 4.2.2.2.1",                \
      "only an OCSP signer has ocsp-nocheck")                                                      \
    X(SKI_STRUCTURE, "ski-structure", ERROR, "RFC 5280 4.2.1.2",                                   \
      "subjectKeyIdentifier is a non-empty octet string")                                          \
    X(SKI_IN_CA, "ski-in-ca", ERROR, "RFC 5280 4.2.1.2", "a CA has a subjectKeyIdentifier")        \
    X(SKI_IN_LEAF, "ski-in-leaf", WARNING, "RFC 5280 4.2.1.2",                                     \
      "an end entity has a subjectKeyIdentifier")                                                  \
    X(SKI_NOT_CRITICAL, "ski-not-critical", ERROR, "RFC 5280 4.2.1.2",                             \
      "subjectKeyIdentifier is not critical")                                                      \
    X(AKI_STRUCTURE, "aki-structure", ERROR, "RFC 5280 4.2.1.1",                                   \
      "authorityKeyIdentifier is well-formed")                                                     \
    X(AKI_PRESENT, "aki-present", ERROR, "RFC 5280 4.2.1.1",                                       \
      "who is not self-signed names the issuer's key")                                             \
    X(AKI_EQUALS, "aki-equals-issuer", ERROR, "RFC 5280 4.2.1.1",                                  \
      "authorityKeyIdentifier is the issuer's subjectKeyIdentifier")                               \
    X(AKI_PAIR, "aki-issuer-serial-pair", ERROR, "RFC 5280 A.2",                                   \
      "issuer and serial number stand both or not at all")                                         \
    X(AKI_NOT_CRITICAL, "aki-not-critical", ERROR, "RFC 5280 4.2.1.1",                             \
      "authorityKeyIdentifier is not critical")                                                    \
    X(CDP_STRUCTURE, "cdp-structure", ERROR, "RFC 5280 4.2.1.13",                                  \
      "cRLDistributionPoints is well-formed")                                                      \
    X(CDP_NAMED, "cdp-named", ERROR, "RFC 5280 4.2.1.13",                                          \
      "a distribution point is more than its reasons")                                             \
    X(CDP_URI, "cdp-uri", ERROR, "RFC 5280 4.2.1.13", "its URLs are absolute and well-formed")     \
    X(CDP_SCHEME, "cdp-scheme", WARNING, "RFC 5280 4.2.1.13", "its URLs are http(s) or ldap(s)")   \
    X(CDP_NOT_CRITICAL, "cdp-not-critical", WARNING, "RFC 5280 4.2.1.13",                          \
      "cRLDistributionPoints is not critical")                                                     \
    X(AIA_STRUCTURE, "aia-structure", ERROR, "RFC 5280 4.2.2.1",                                   \
      "authorityInfoAccess is well-formed and not empty")                                          \
    X(AIA_URI, "aia-uri", ERROR, "RFC 5280 4.2.2.1", "its URLs are absolute and well-formed")      \
    X(AIA_SCHEME, "aia-scheme", WARNING, "RFC 5280 4.2.2.1", "its URLs are http(s) or ldap(s)")    \
    X(AIA_NOT_CRITICAL, "aia-not-critical", ERROR, "RFC 5280 4.2.2.1",                             \
      "authorityInfoAccess is not critical")                                                       \
    X(SIA_NOT_CRITICAL, "sia-not-critical", ERROR, "RFC 5280 4.2.2.2",                             \
      "subjectInfoAccess is not critical")                                                         \
    X(CP_STRUCTURE, "cp-structure", ERROR, "RFC 5280 4.2.1.4",                                     \
      "certificatePolicies is well-formed and not empty")                                          \
    X(CP_DUPLICATE, "cp-duplicate", ERROR, "RFC 5280 4.2.1.4", "each policy stands once")          \
    X(CP_CPS, "cp-cps-uri", WARNING, "RFC 5280 4.2.1.4", "a CPS pointer is an IA5 URL")            \
    X(PC_CRITICAL, "pc-critical", ERROR, "RFC 5280 4.2.1.11", "policyConstraints is critical")     \
    X(PC_NOT_EMPTY, "pc-not-empty", ERROR, "RFC 5280 4.2.1.11",                                    \
      "policyConstraints says something")                                                          \
    X(IAP_CRITICAL, "iap-critical", ERROR, "RFC 5280 4.2.1.14", "inhibitAnyPolicy is critical")    \
    X(PM_CRITICAL, "pm-critical", WARNING, "RFC 5280 4.2.1.5", "policyMappings is critical")

#define CHY_LINT_ALT_NAME_RULES(X)                                                                 \
    X(SAN_STRUCTURE, "san-structure", ERROR, "RFC 5280 4.2.1.6",                                   \
      "subjectAltName is a list of names")                                                         \
    X(SAN_NOT_EMPTY, "san-not-empty", ERROR, "RFC 5280 4.2.1.6",                                   \
      "subjectAltName has at least one name")                                                      \
    X(SAN_CRITICAL, "san-critical-without-subject", ERROR, "RFC 5280 4.2.1.6",                     \
      "subjectAltName is critical where the subject is empty")                                     \
    X(SAN_NOT_CRITICAL, "san-critical-with-subject", WARNING, "RFC 5280 4.2.1.6",                  \
      "subjectAltName is not critical beside a subject")                                           \
    X(SAN_DUPLICATE, "san-duplicate", WARNING, "RFC 5280 4.2.1.6", "each name stands once")        \
    X(SAN_DNS, "san-dns-syntax", ERROR, "RFC 5280 4.2.1.6", "a dNSName is a host name")            \
    X(SAN_UNDERSCORE, "san-dns-underscore", WARNING, "RFC 1123 2.1",                               \
      "a host name has no underscore")                                                             \
    X(SAN_IP, "san-ip-length", ERROR, "RFC 5280 4.2.1.6", "an iPAddress has 4 or 16 octets")       \
    X(SAN_EMAIL, "san-email-syntax", ERROR, "RFC 5280 4.2.1.6", "an rfc822Name is a mailbox")      \
    X(SAN_URI, "san-uri-absolute", ERROR, "RFC 5280 4.2.1.6", "a URI is absolute and well-formed") \
    X(SAN_DIR, "san-directory-name", ERROR, "RFC 5280 4.2.1.6",                                    \
      "a directoryName is a well-formed name and not empty")                                       \
    X(SAN_OTHER, "san-other-name", ERROR, "RFC 5280 4.2.1.6",                                      \
      "an otherName or registeredID is well-formed")                                               \
    X(SAN_OLD, "san-obsolete-type", WARNING, "RFC 5280 4.2.1.6",                                   \
      "no x400Address and no ediPartyName")                                                        \
    X(CN_IN_SAN, "cn-in-san", WARNING, "CABF BR 7.1.4.3",                                          \
      "a server's common name is among its alternative names")                                     \
    X(NC_STRUCTURE, "nc-structure", ERROR, "RFC 5280 4.2.1.10", "nameConstraints is well-formed")  \
    X(NC_NOT_EMPTY, "nc-not-empty", ERROR, "RFC 5280 4.2.1.10",                                    \
      "nameConstraints permits or excludes something")                                             \
    X(NC_CRITICAL, "nc-critical", ERROR, "RFC 5280 4.2.1.10", "nameConstraints is critical")       \
    X(NC_SAN, "nc-obeyed-san", ERROR, "RFC 5280 6.1.3",                                            \
      "alternative names obey the issuer's name constraints")                                      \
    X(NC_SUBJECT, "nc-obeyed-subject", ERROR, "RFC 5280 6.1.3",                                    \
      "the subject obeys the issuer's name constraints")                                           \
    X(NC_COMMON_NAME, "nc-obeyed-common-name", ERROR, "RFC 5280 4.2.1.10",                         \
      "a common name used as a host name obeys them too")

#define CHY_LINT_RULES(X)                                                                          \
    CHY_LINT_FIELD_RULES(X)                                                                        \
    CHY_LINT_NAME_RULES(X)                                                                         \
    CHY_LINT_KEY_RULES(X)                                                                          \
    CHY_LINT_EXTENSION_RULES(X)                                                                    \
    CHY_LINT_ALT_NAME_RULES(X)

#define CHY_LINT_ENUM(name, id, severity, section, text) CHY_LR_##name,
enum chy_lint_id { CHY_LINT_RULES(CHY_LINT_ENUM) CHY_LR_COUNT };
#undef CHY_LINT_ENUM

/* Extensions that a rule or the list of known critical ones asks for. */
enum chy_lint_ext_id {
    CHY_LX_BC,
    CHY_LX_KU,
    CHY_LX_EKU,
    CHY_LX_SKI,
    CHY_LX_AKI,
    CHY_LX_SAN,
    CHY_LX_CDP,
    CHY_LX_AIA,
    CHY_LX_SIA,
    CHY_LX_CP,
    CHY_LX_PM,
    CHY_LX_PC,
    CHY_LX_IAP,
    CHY_LX_NC,
    CHY_LX_NOCHECK,
    CHY_LX_COUNT
};

/* For tables: a compound literal is no constant expression. */
#define CHY_LINT_OID(lit)                                                                          \
    {                                                                                              \
        (const uint8_t *)(lit), sizeof(lit) - 1                                                    \
    }

enum { CHY_LINT_EKU_MAX = 64 };

struct chy_lint {
    struct chy_lint_report *out;
    const struct chy_lint_issuer *ca; /* NULL: self-signed */
    struct chy_span tbs;
    struct chy_tlv version;                                 /* whole [0]; tag 0 when absent */
    struct chy_span serial, sig_alg, issuer, subject, spki; /* serial: content; the others whole */
    struct chy_tlv not_before, not_after;
    bool has_unique_ids, has_extensions;
    struct chy_ext ext[CHY_EXT_MAX];
    size_t n_ext;
    const struct chy_ext *known[CHY_LX_COUNT]; /* the first of each */
    /* Read once, before the rules that combine them. */
    bool is_ca;
    int path_len; /* -1: none */
    unsigned ku;
    struct chy_span eku[CHY_LINT_EKU_MAX];
    size_t n_eku;
    bool server_auth, ocsp_signing, any_purpose;
    enum chy_key_kind key_kind;
    bool subject_empty;
    struct chy_span common_name; /* of the subject, as found */
    struct chy_span email;       /* emailAddress of the subject, as found */
};

/* Notes that the rule is broken; octets that do not print become '?'. */
void chy_lint_find(struct chy_lint *l, enum chy_lint_id id, const char *fmt, ...) CHY_PRINTF(3, 4);

void chy_lint_fields(struct chy_lint *l);
void chy_lint_names(struct chy_lint *l);
void chy_lint_key(struct chy_lint *l);
void chy_lint_ext_list(struct chy_lint *l); /* what holds for any extension */
void chy_lint_usage(struct chy_lint *l);    /* reads BC, KU and EKU, and checks each alone */
void chy_lint_purposes(struct chy_lint *l); /* BC, KU and EKU against each other and the issuer */
void chy_lint_pointers(struct chy_lint *l); /* SKI, AKI, CDP, AIA, policies */
void chy_lint_alt_names(struct chy_lint *l);
void chy_lint_constraints(struct chy_lint *l);

#endif
