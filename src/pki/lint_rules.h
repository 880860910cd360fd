/* The list of lint's rules, by family. Thread: any; constant. */
#ifndef CHY_PKI_LINT_RULES_H
#define CHY_PKI_LINT_RULES_H

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
    X(SERIAL_RUN, "serial-no-run", WARNING, "CABF BR 7.1",                                         \
      "random bits do not repeat one octet six times")                                             \
    X(SIG_ALG_KNOWN, "sig-alg-known", ERROR, "RFC 5280 4.1.2.3",                                   \
      "the signature algorithm is one we know, its parameters exact")                              \
    X(SIG_ALG_ISSUER, "sig-alg-equals-issuer", ERROR, "RFC 5280 4.1.2.3",                          \
      "the inner algorithm is the one that will sign")                                             \
    X(SIG_ALG_SELF, "sig-alg-fits-own-key", ERROR, "RFC 5280 3.2",                                 \
      "who signs itself does so with an algorithm of its own key")                                 \
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
    X(VALIDITY_NO_END, "validity-has-end", NOTICE, "RFC 5280 4.1.2.5",                             \
      "an end entity's certificate ends before 9999-12-31")                                        \
    X(VALIDITY_SERVER, "validity-server-825-days", NOTICE, "CABF BR 6.3.2",                        \
      "a server certificate lasts 825 days at most, which clients ask of private CAs too")         \
    X(VALIDITY_CODE, "validity-code-460-days", NOTICE, "CABF CS 6.3.2",                            \
      "a certificate that signs code lasts 460 days at most")                                      \
    X(VALIDITY_ISSUER, "validity-within-issuer", ERROR, "RFC 5280 6.1.3",                          \
      "the validity lies inside the issuer's")

#define CHY_LINT_NAME_RULES(X)                                                                     \
    X(ISSUER_NOT_EMPTY, "issuer-not-empty", ERROR, "RFC 5280 4.1.2.4", "the issuer has a name")    \
    X(ISSUER_EQUALS, "issuer-equals-ca-subject", ERROR, "RFC 5280 4.1.2.4",                        \
      "the issuer is the CA's subject octet for octet")                                            \
    X(SUBJECT_OR_SAN, "subject-or-san", ERROR, "RFC 5280 4.1.2.6",                                 \
      "a certificate without a subject has a subjectAltName")                                      \
    X(CA_SUBJECT, "ca-subject-not-empty", ERROR, "RFC 5280 4.1.2.6", "a CA has a subject")         \
    X(CA_CN, "ca-common-name", NOTICE, "CABF BR 7.1.2.10.2", "a CA's subject has a common name")   \
    X(SUBJECT_NOT_ISSUER, "subject-not-issuer", WARNING, "RFC 5280 3.2",                           \
      "an end entity does not bear its issuer's name")                                             \
    X(NAME_STRUCTURE, "name-structure", ERROR, "RFC 5280 4.1.2.4",                                 \
      "a name is a sequence of non-empty sets of typed values")                                    \
    X(NAME_RDN_DISTINCT, "name-rdn-distinct", ERROR, "X.501 9.3",                                  \
      "one RDN holds an attribute type once")                                                      \
    X(NAME_RDN_ORDER, "name-rdn-order", ERROR, "X.690 11.6", "the members of an RDN are sorted")   \
    X(NAME_RDN_SINGLE, "name-rdn-single", NOTICE, "CABF BR 7.1.4.1",                               \
      "an RDN of a server's subject has one attribute")                                            \
    X(NAME_TYPE_ONCE, "name-type-once", NOTICE, "CABF BR 7.1.4.1",                                 \
      "a server's subject has each attribute once, but units, streets and domain components")      \
    X(NAME_VALUE_EMPTY, "name-value-not-empty", ERROR, "X.520 6", "no value is empty")             \
    X(NAME_STRING_TYPE, "name-string-type", ERROR, "RFC 5280 A.1",                                 \
      "the string type is one that the attribute allows")                                          \
    X(NAME_STRING_CHARS, "name-string-chars", ERROR, "X.680 41",                                   \
      "a value holds only characters of its string type")                                          \
    X(NAME_NO_CONTROLS, "name-no-controls", ERROR, "RFC 5280 8",                                   \
      "no NUL and no other control character")                                                     \
    X(NAME_INVISIBLE, "name-no-invisible", WARNING, "RFC 4518 2.2",                                \
      "no invisible, direction-changing or C1 control character")                                  \
    X(NAME_REPLACEMENT, "name-no-replacement", WARNING, "RFC 5280 4.1.2.4",                        \
      "no U+FFFD, which stands for a character that was lost")                                     \
    X(NAME_UTF8_ONCE, "name-utf8-once", NOTICE, "RFC 3629 3",                                      \
      "a text was not encoded as UTF-8 twice")                                                     \
    X(NAME_ENTITY, "name-no-entities", NOTICE, "X.520 6",                                          \
      "a value is text, without HTML entities")                                                    \
    X(NAME_STRING_OLD, "name-string-modern", WARNING, "RFC 5280 4.1.2.4",                          \
      "no new TeletexString, BMPString or UniversalString")                                        \
    X(NAME_COUNTRY, "name-country", ERROR, "X.520 6.3.1", "a country is two upper-case letters")   \
    X(NAME_COUNTRY_KNOWN, "name-country-known", WARNING, "ISO 3166-1",                             \
      "a country code is assigned, or one for private use")                                        \
    X(NAME_BOUNDS, "name-bounds", WARNING, "RFC 5280 A.1", "a value obeys the X.520 upper bound")  \
    X(NAME_DC, "name-dc-label", WARNING, "RFC 4519 2.4",                                           \
      "a domainComponent is one label of a host name")                                             \
    X(NAME_WHITE_SPACE, "name-white-space", WARNING, "RFC 5280 7.1",                               \
      "a value does not begin or end with white space")                                            \
    X(NAME_PLACEHOLDER, "name-placeholder", WARNING, "CABF BR 7.1.4.2",                            \
      "a value says something: not only '.', '-' or space")                                        \
    X(NAME_ONE_CN, "name-one-common-name", WARNING, "CABF BR 7.1.4.3",                             \
      "the subject has one common name at most")                                                   \
    X(NAME_ONE_EMAIL, "name-one-email", WARNING, "CABF SMIME 7.1.4.2",                             \
      "the subject has one e-mail address at most")                                                \
    X(NAME_EMAIL_SYNTAX, "name-email-syntax", WARNING, "RFC 5280 4.1.2.6",                         \
      "an e-mail address in the subject is a mailbox")                                             \
    X(NAME_EMAIL, "name-email-in-subject", NOTICE, "RFC 5280 4.1.2.6",                             \
      "an e-mail address stands in the subjectAltName alone")

#define CHY_LINT_KEY_RULES(X)                                                                      \
    X(SPKI_STRUCTURE, "spki-structure", ERROR, "RFC 5280 4.1.2.7",                                 \
      "the public key is well-formed and of a known kind")                                         \
    X(SPKI_PARAMS, "spki-params", ERROR, "RFC 3279 2.3",                                           \
      "RSA has NULL, EC a named curve, Edwards keys no parameters")                                \
    X(RSA_MODULUS, "rsa-modulus-size", ERROR, "CABF BR 6.1.5",                                     \
      "an RSA modulus is odd and has 2048 bits or more")                                           \
    X(RSA_OCTETS, "rsa-modulus-octets", WARNING, "CABF BR 6.1.5",                                  \
      "an RSA modulus has a multiple of 8 bits")                                                   \
    X(RSA_EXPONENT, "rsa-exponent", ERROR, "RFC 8017 3.1", "an RSA exponent is odd and above 1")   \
    X(RSA_EXPONENT_SMALL, "rsa-exponent-small", WARNING, "CABF BR 6.1.6",                          \
      "an RSA exponent is 65537 or more")                                                          \
    X(RSA_EXPONENT_RANGE, "rsa-exponent-range", WARNING, "CABF BR 6.1.6",                          \
      "an RSA exponent is below 2^256")                                                            \
    X(KU_EC, "ku-ec-no-encipherment", ERROR, "RFC 8813 3", "an EC key does not encipher")          \
    X(KU_SIGN_ONLY, "ku-signature-key", ERROR, "RFC 8410 5",                                       \
      "a key that can only sign neither enciphers nor agrees")                                     \
    X(KU_RSA, "ku-rsa-no-agreement", ERROR, "RFC 3279 2.3.1", "an RSA key does not agree on keys") \
    X(KU_ONE_ONLY, "ku-one-of-only", WARNING, "RFC 3279 2.3.3",                                    \
      "encipherOnly and decipherOnly exclude each other")                                          \
    X(KU_CA_ONLY, "ku-ca-no-encipherment", WARNING, "CABF BR 7.1.2.10.7",                          \
      "a CA's key neither enciphers nor agrees")                                                   \
    X(KU_CODE, "ku-code-signing", WARNING, "CABF CS 7.1.2.3",                                      \
      "a key that signs code does not encipher")                                                   \
    X(KU_SERVER, "ku-server-no-commitment", NOTICE, "CABF BR 7.1.2.7.11",                          \
      "a server's key commits to no content: no nonRepudiation")                                   \
    X(KU_SERVER_SIGNS, "ku-server-signs", WARNING, "RFC 8446 4.4.2.2",                             \
      "a server's key signs, as TLS 1.3 has it do: digitalSignature")                              \
    X(KU_SERVER_SPARE, "ku-server-needed", NOTICE, "CABF BR 7.1.2.7.11",                           \
      "a server's EC key agrees on no keys, and its RSA key enciphers no data")                    \
    X(SPKI_SERVER, "spki-server-kind", NOTICE, "CABF BR 7.1.3.1",                                  \
      "a server's key is of rsaEncryption or EC, which every browser reads")                       \
    X(RSA_CODE, "rsa-code-signing", NOTICE, "CABF CS 6.1.5.2",                                     \
      "an RSA key that signs code has 3072 bits or more")

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
    X(BC_ROOT_PATH, "bc-root-no-path-len", NOTICE, "CABF BR 7.1.2.1.4",                            \
      "a root has no path length")                                                                 \
    X(BC_SERVER_CRITICAL, "bc-server-critical", NOTICE, "CABF BR 7.1.2.7.8",                       \
      "basicConstraints of a server is critical")                                                  \
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
    X(KU_CA_CRL, "ku-ca-crl-sign", WARNING, "CABF BR 7.1.2.10.7", "a CA has cRLSign")              \
    X(KU_LEAF_SIGNS, "ku-leaf-no-cert-sign", ERROR, "RFC 5280 4.2.1.9",                            \
      "who is not a CA does not have keyCertSign")                                                 \
    X(KU_LEAF_CRL, "ku-leaf-no-crl-sign", WARNING, "RFC 5280 4.2.1.3",                             \
      "who is not a CA does not sign CRLs")                                                        \
    X(KU_IN_LEAF, "ku-in-leaf", NOTICE, "RFC 5280 4.2.1.3", "an end entity has keyUsage")          \
    X(EKU_STRUCTURE, "eku-structure", ERROR, "RFC 5280 4.2.1.12",                                  \
      "extKeyUsage is a sequence of identifiers")                                                  \
    X(EKU_NOT_EMPTY, "eku-not-empty", ERROR, "RFC 5280 4.2.1.12",                                  \
      "extKeyUsage has at least one purpose")                                                      \
    X(EKU_DUPLICATE, "eku-duplicate", ERROR, "RFC 5280 4.2.1.12", "each purpose stands once")      \
    X(EKU_IN_LEAF, "eku-in-leaf", NOTICE, "CABF BR 7.1.2.7.6", "an end entity has extKeyUsage")    \
    X(EKU_SERVER_CRITICAL, "eku-server-not-critical", NOTICE, "CABF BR 7.1.2.7.6",                 \
      "a server's extKeyUsage is not critical")                                                    \
    X(EKU_ROOT, "eku-not-in-root", WARNING, "CABF BR 7.1.2.1", "a root has no extKeyUsage")        \
    X(EKU_CA_CRITICAL, "eku-ca-not-critical", NOTICE, "CABF BR 7.1.2.10",                          \
      "a CA's extKeyUsage is not critical")                                                        \
    X(EKU_CA_APART, "eku-ca-apart", NOTICE, "CABF BR 7.1.2.10.6",                                  \
      "a CA for servers is not one for mail, code, time stamps or OCSP as well")                   \
    X(EKU_CODE_APART, "eku-code-signing-apart", WARNING, "CABF CS 7.1.2.3",                        \
      "who signs code is no server and signs no mail")                                             \
    X(EKU_EMAIL_APART, "eku-email-apart", NOTICE, "CABF BR 7.1.2.7.10",                            \
      "who signs mail is no server")                                                               \
    X(EKU_OCSP_ALONE, "eku-ocsp-alone", WARNING, "CABF BR 7.1.2.8",                                \
      "OCSPSigning is the only purpose")                                                           \
    X(EKU_IPSEC, "eku-ipsec-obsolete", NOTICE, "RFC 4945 5.1.3.12",                                \
      "no purpose of the three that IPsec gave up")                                                \
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
    X(OCSP_NOCHECK_CRITICAL, "ocsp-nocheck-not-critical", WARNING, "RFC 6960 4.2.2.2.1",           \
      "ocsp-nocheck is not critical")                                                              \
    X(OCSP_KU, "ocsp-signing-ku", NOTICE, "CABF BR 7.1.2.8.7",                                     \
      "an OCSP signer's key has digitalSignature and nothing else")                                \
    X(OCSP_PLAIN, "ocsp-nocheck-no-pointers", NOTICE, "CABF BR 7.1.2.8.2",                         \
      "an OCSP signer that is not checked has neither policies nor distribution points")

#define CHY_LINT_POINTER_RULES(X)                                                                  \
    X(SKI_STRUCTURE, "ski-structure", ERROR, "RFC 5280 4.2.1.2",                                   \
      "subjectKeyIdentifier is a non-empty octet string")                                          \
    X(SKI_IN_CA, "ski-in-ca", ERROR, "RFC 5280 4.2.1.2", "a CA has a subjectKeyIdentifier")        \
    X(SKI_IN_LEAF, "ski-in-leaf", WARNING, "RFC 5280 4.2.1.2",                                     \
      "an end entity has a subjectKeyIdentifier")                                                  \
    X(SKI_NOT_CRITICAL, "ski-not-critical", ERROR, "RFC 5280 4.2.1.2",                             \
      "subjectKeyIdentifier is not critical")                                                      \
    X(SKI_LENGTH, "ski-length", WARNING, "RFC 7093 2", "a key identifier has 8 to 32 octets")      \
    X(SKI_NOT_ISSUERS, "ski-not-issuers", WARNING, "RFC 5280 4.2.1.2",                             \
      "the key is not the issuer's own")                                                           \
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
    X(AKI_KEY_ONLY, "aki-key-id-only", NOTICE, "CABF BR 7.1.2.11.1",                               \
      "the issuer's key is named by its identifier alone, which a renewed CA keeps")               \
    X(CDP_STRUCTURE, "cdp-structure", ERROR, "RFC 5280 4.2.1.13",                                  \
      "cRLDistributionPoints is well-formed")                                                      \
    X(CDP_NAMED, "cdp-named", ERROR, "RFC 5280 4.2.1.13",                                          \
      "a distribution point is more than its reasons")                                             \
    X(CDP_URI, "cdp-uri", ERROR, "RFC 5280 4.2.1.13", "its URLs are absolute and well-formed")     \
    X(CDP_SCHEME, "cdp-scheme", WARNING, "RFC 5280 4.2.1.13", "its URLs are http(s) or ldap(s)")   \
    X(CDP_NOT_CRITICAL, "cdp-not-critical", WARNING, "RFC 5280 4.2.1.13",                          \
      "cRLDistributionPoints is not critical")                                                     \
    X(CDP_URL, "cdp-url-present", WARNING, "RFC 5280 4.2.1.13",                                    \
      "a distribution point that has a name has a URL")                                            \
    X(CDP_HTTP, "cdp-http", NOTICE, "CABF BR 7.1.2.11.2",                                          \
      "a CRL can be had by HTTP, not by LDAP alone")                                               \
    X(CDP_PLAIN, "cdp-name-alone", NOTICE, "CABF BR 7.1.2.11.2",                                   \
      "a server's distribution point is its name, without reasons or another issuer")              \
    X(CDP_TLS, "cdp-no-tls", WARNING, "RFC 5280 8",                                                \
      "its URLs need no TLS, whose certificate would need a CRL first")                            \
    X(CDP_DUPLICATE, "cdp-duplicate", WARNING, "RFC 5280 4.2.1.13", "each URL stands once")        \
    X(CDP_REASONS, "cdp-all-reasons", ERROR, "RFC 5280 4.2.1.13", "one point covers all reasons")  \
    X(CDP_RELATIVE, "cdp-relative-name", WARNING, "RFC 5280 4.2.1.13",                             \
      "no name relative to the CRL's issuer")                                                      \
    X(CDP_ISSUER, "cdp-crl-issuer", ERROR, "RFC 5280 4.2.1.13",                                    \
      "cRLIssuer is left out where it is the certificate's issuer")                                \
    X(FRESHEST_STRUCTURE, "freshest-structure", ERROR, "RFC 5280 4.2.1.15",                        \
      "freshestCRL is well-formed")                                                                \
    X(FRESHEST_URI, "freshest-uri", ERROR, "RFC 5280 4.2.1.15",                                    \
      "its URLs are absolute and well-formed")                                                     \
    X(FRESHEST_NOT_CRITICAL, "freshest-not-critical", ERROR, "RFC 5280 4.2.1.15",                  \
      "freshestCRL is not critical")                                                               \
    X(FRESHEST_BASE, "freshest-with-cdp", WARNING, "RFC 5280 4.2.1.15",                            \
      "delta CRLs have a base: cRLDistributionPoints stands too")                                  \
    X(AIA_STRUCTURE, "aia-structure", ERROR, "RFC 5280 4.2.2.1",                                   \
      "authorityInfoAccess is well-formed and not empty")                                          \
    X(AIA_URI, "aia-uri", ERROR, "RFC 5280 4.2.2.1", "its URLs are absolute and well-formed")      \
    X(AIA_SCHEME, "aia-scheme", WARNING, "RFC 5280 4.2.2.1", "its URLs are http(s) or ldap(s)")    \
    X(AIA_NOT_CRITICAL, "aia-not-critical", ERROR, "RFC 5280 4.2.2.1",                             \
      "authorityInfoAccess is not critical")                                                       \
    X(AIA_TLS, "aia-no-tls", NOTICE, "RFC 5280 8",                                                 \
      "its URLs need no TLS, whose certificate would need them first")                             \
    X(AIA_DUPLICATE, "aia-duplicate", WARNING, "CABF BR 7.1.2.7.7",                                \
      "each access location stands once")                                                          \
    X(AIA_METHOD, "aia-method", NOTICE, "RFC 5280 4.2.2.1",                                        \
      "an access method is OCSP or caIssuers")                                                     \
    X(AIA_LOCATION, "aia-location-url", WARNING, "RFC 5280 4.2.2.1",                               \
      "an access location is a URL")                                                               \
    X(AIA_OCSP, "aia-ocsp-http", WARNING, "RFC 6960 A.1", "OCSP is asked over HTTP")               \
    X(AIA_HTTP, "aia-ca-issuers-http", NOTICE, "CABF BR 7.1.2.7.7",                                \
      "the issuer's certificate can be had by HTTP, not by LDAP alone")                            \
    X(SELF_POINTERS, "self-signed-pointers", NOTICE, "CABF BR 7.1.2.1",                            \
      "who is self-signed points to no issuer and no CRL")                                         \
    X(SIA_NOT_CRITICAL, "sia-not-critical", ERROR, "RFC 5280 4.2.2.2",                             \
      "subjectInfoAccess is not critical")                                                         \
    X(SIA_STRUCTURE, "sia-structure", ERROR, "RFC 5280 4.2.2.2",                                   \
      "subjectInfoAccess is well-formed and not empty")                                            \
    X(SIA_URI, "sia-uri", ERROR, "RFC 5280 4.2.2.2", "its URLs are absolute")                      \
    X(NO_REV_VALUE, "no-rev-avail-value", ERROR, "RFC 9608 2", "the value of noRevAvail is NULL")  \
    X(NO_REV_NOT_CRITICAL, "no-rev-avail-not-critical", ERROR, "RFC 9608 2",                       \
      "noRevAvail is not critical")                                                                \
    X(NO_REV_CA, "no-rev-avail-not-in-ca", ERROR, "RFC 9608 3", "a CA has no noRevAvail")          \
    X(NO_REV_POINTERS, "no-rev-avail-alone", ERROR, "RFC 9608 3",                                  \
      "beside noRevAvail nothing points to a CRL or an OCSP responder")                            \
    X(STATUS_TOLD, "status-told", NOTICE, "CABF BR 7.1.2.11.2",                                    \
      "what lasts more than seven days points to a CRL or an OCSP responder")

#define CHY_LINT_POLICY_RULES(X)                                                                   \
    X(CP_STRUCTURE, "cp-structure", ERROR, "RFC 5280 4.2.1.4",                                     \
      "certificatePolicies is well-formed and not empty")                                          \
    X(CP_DUPLICATE, "cp-duplicate", ERROR, "RFC 5280 4.2.1.4", "each policy stands once")          \
    X(CP_CPS, "cp-cps-uri", WARNING, "RFC 5280 4.2.1.4", "a CPS pointer is an IA5 URL")            \
    X(CP_CPS_HTTP, "cp-cps-http", NOTICE, "CABF BR 7.1.2.7.9", "a CPS pointer is an http(s) URL")  \
    X(CP_SERVER_CPS, "cp-server-cps-only", NOTICE, "CABF BR 7.1.2.7.9",                            \
      "a server's policies have no qualifier but a CPS pointer")                                   \
    X(CP_ROOT, "cp-not-in-root", NOTICE, "CABF BR 7.1.2.1.2", "a root has no certificatePolicies") \
    X(CP_NOT_CRITICAL, "cp-not-critical", NOTICE, "CABF BR 7.1.2.7.9",                             \
      "certificatePolicies is not critical")                                                       \
    X(CP_ANY_QUALIFIER, "cp-any-qualifier", ERROR, "RFC 5280 4.2.1.4",                             \
      "anyPolicy has no qualifiers but CPS pointers and notices")                                  \
    X(CP_ANY_LEAF, "cp-any-in-leaf", NOTICE, "CABF BR 7.1.6.4",                                    \
      "an end entity has policies by name, not anyPolicy")                                         \
    X(CP_NOTICE, "cp-notice-structure", ERROR, "RFC 5280 4.2.1.4", "a user notice is well-formed") \
    X(CP_NOTICE_REF, "cp-notice-no-reference", WARNING, "RFC 5280 4.2.1.4",                        \
      "a user notice is its text, without noticeRef")                                              \
    X(CP_NOTICE_IA5, "cp-notice-not-ia5", ERROR, "RFC 6818 3",                                     \
      "the text of a notice is no IA5String")                                                      \
    X(CP_NOTICE_UTF8, "cp-notice-utf8", WARNING, "RFC 6818 3",                                     \
      "the text of a notice is a UTF8String")                                                      \
    X(CP_NOTICE_LENGTH, "cp-notice-length", WARNING, "RFC 5280 4.2.1.4",                           \
      "the text of a notice has 1 to 200 characters")                                              \
    X(CP_NOTICE_CONTROLS, "cp-notice-no-controls", WARNING, "RFC 6818 3",                          \
      "the text of a notice has no control character")                                             \
    X(PC_CRITICAL, "pc-critical", ERROR, "RFC 5280 4.2.1.11", "policyConstraints is critical")     \
    X(PC_STRUCTURE, "pc-structure", ERROR, "RFC 5280 4.2.1.11",                                    \
      "policyConstraints is well-formed")                                                          \
    X(PC_NOT_EMPTY, "pc-not-empty", ERROR, "RFC 5280 4.2.1.11",                                    \
      "policyConstraints says something")                                                          \
    X(IAP_CRITICAL, "iap-critical", ERROR, "RFC 5280 4.2.1.14", "inhibitAnyPolicy is critical")    \
    X(IAP_STRUCTURE, "iap-structure", ERROR, "RFC 5280 4.2.1.14",                                  \
      "inhibitAnyPolicy is a number of certificates")                                              \
    X(PM_CRITICAL, "pm-critical", WARNING, "RFC 5280 4.2.1.5", "policyMappings is critical")       \
    X(PM_STRUCTURE, "pm-structure", ERROR, "RFC 5280 4.2.1.5",                                     \
      "policyMappings is a list of pairs and not empty")                                           \
    X(PM_ANY, "pm-any-policy", ERROR, "RFC 5280 4.2.1.5", "anyPolicy is not mapped")               \
    X(PM_IN_CP, "pm-in-policies", WARNING, "RFC 5280 4.2.1.5",                                     \
      "a policy that is mapped is among the certificate's policies")

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
    X(SAN_WILDCARD_TLD, "san-wildcard-tld", WARNING, "CABF BR 3.2.2.6",                            \
      "a wildcard does not stand for all of a top-level domain")                                   \
    X(SAN_IP_HOST, "san-ip-host", WARNING, "RFC 5280 4.2.1.6",                                     \
      "an iPAddress is a host's: not unspecified, multicast, broadcast or IPv4 in IPv6")           \
    X(SAN_SRV, "san-srv-name", WARNING, "RFC 4985 2",                                              \
      "an SRVName is _service.host in an IA5String")                                               \
    X(SAN_SMTP_UTF8, "san-smtp-utf8", WARNING, "RFC 9598 3",                                       \
      "a SmtpUTF8Mailbox is a mailbox whose local part needs UTF-8")                               \
    X(SAN_SERVER, "san-server-host", WARNING, "RFC 9525 6.3",                                      \
      "a server certificate names a host or an address")                                           \
    X(SAN_SERVER_KINDS, "san-server-kinds", NOTICE, "CABF BR 7.1.2.7.12",                          \
      "a certificate for a server alone names hosts and addresses, nothing else")                  \
    X(SAN_ARPA, "san-no-reverse-zone", NOTICE, "CABF BR 4.2.2",                                    \
      "a server is not named by a reverse zone, in-addr.arpa or ip6.arpa")                         \
    X(SAN_EMAIL_USER, "san-email-user", WARNING, "RFC 8550 3",                                     \
      "an S/MIME certificate names a mailbox")                                                     \
    X(SAN_LOGON, "san-logon-upn", WARNING, "MS-PKCA 3.1.5.2.1",                                    \
      "a smart-card logon certificate names a user: UPN or SID")                                   \
    X(EMAIL_IN_SAN, "email-in-san", WARNING, "RFC 5280 4.1.2.6",                                   \
      "an e-mail address in the subject is among the alternative names")                           \
    X(IAN_STRUCTURE, "ian-structure", ERROR, "RFC 5280 4.2.1.7",                                   \
      "issuerAltName is a list of names and not empty")                                            \
    X(IAN_NAMES, "ian-names", ERROR, "RFC 5280 4.2.1.7",                                           \
      "each name in issuerAltName is one of its type")                                             \
    X(IAN_NOT_CRITICAL, "ian-not-critical", WARNING, "RFC 5280 4.2.1.7",                           \
      "issuerAltName is not critical")

#define CHY_LINT_CONSTRAINT_RULES(X)                                                               \
    X(NC_STRUCTURE, "nc-structure", ERROR, "RFC 5280 4.2.1.10", "nameConstraints is well-formed")  \
    X(NC_NOT_EMPTY, "nc-not-empty", ERROR, "RFC 5280 4.2.1.10",                                    \
      "nameConstraints permits or excludes something")                                             \
    X(NC_CRITICAL, "nc-critical", ERROR, "RFC 5280 4.2.1.10", "nameConstraints is critical")       \
    X(NC_TYPE, "nc-type", WARNING, "RFC 5280 4.2.1.10",                                            \
      "no constraint on names that nobody checks: x400Address, ediPartyName, registeredID")        \
    X(NC_DOT, "nc-dns-no-dot", WARNING, "RFC 5280 4.2.1.10",                                       \
      "a DNS constraint does not begin with a dot")                                                \
    X(NC_FORM, "nc-form", WARNING, "RFC 5280 4.2.1.10",                                            \
      "a constraint is a host, a domain or a mailbox, as its type has it")                         \
    X(NC_MASK, "nc-ip-mask", ERROR, "RFC 5280 4.2.1.10",                                           \
      "the mask of an address range is ones, then zeros")                                          \
    X(NC_BASE, "nc-ip-base", WARNING, "RFC 4632 3.1",                                              \
      "an address range has no bits outside of its mask")                                          \
    X(NC_TWICE, "nc-duplicate", WARNING, "RFC 5280 4.2.1.10", "each subtree stands once")          \
    X(NC_BOTH, "nc-contradiction", WARNING, "RFC 5280 4.2.1.10",                                   \
      "no subtree is permitted and excluded at once")                                              \
    X(NC_SAN, "nc-obeyed-san", ERROR, "RFC 5280 6.1.3",                                            \
      "alternative names obey the issuer's name constraints")                                      \
    X(NC_SUBJECT, "nc-obeyed-subject", ERROR, "RFC 5280 6.1.3",                                    \
      "the subject obeys the issuer's name constraints")                                           \
    X(NC_COMMON_NAME, "nc-obeyed-common-name", ERROR, "RFC 5280 4.2.1.10",                         \
      "a common name used as a host name obeys them too")

#define CHY_LINT_OTHER_RULES(X)                                                                    \
    X(SDA_STRUCTURE, "sda-structure", ERROR, "RFC 5280 4.2.1.8",                                   \
      "subjectDirectoryAttributes is a list of attributes and not empty")                          \
    X(SDA_NOT_CRITICAL, "sda-not-critical", ERROR, "RFC 5280 4.2.1.8",                             \
      "subjectDirectoryAttributes is not critical")                                                \
    X(TLS_FEATURE, "tls-feature-structure", ERROR, "RFC 7633 4.1",                                 \
      "the TLS feature extension is a list of numbers and not empty")                              \
    X(SCT_LIST, "sct-list-structure", ERROR, "RFC 6962 3.3",                                       \
      "a list of signed certificate timestamps is well-formed and not empty")                      \
    X(CT_POISON, "ct-poison-value", ERROR, "RFC 6962 3.1",                                         \
      "the poison of a precertificate is critical and NULL")                                       \
    X(CT_EITHER, "ct-poison-alone", ERROR, "RFC 6962 3.3",                                         \
      "timestamps stand in the certificate, not in its precertificate")                            \
    X(QC_STRUCTURE, "qc-structure", ERROR, "RFC 3739 3.2.6",                                       \
      "qcStatements is a list of statements and not empty")                                        \
    X(QC_DUPLICATE, "qc-duplicate", WARNING, "ETSI EN 319 412-5 4.1",                              \
      "each statement stands once")                                                                \
    X(QC_NOT_CRITICAL, "qc-not-critical", NOTICE, "ETSI EN 319 412-5 4.1",                         \
      "qcStatements is not critical")                                                              \
    X(MS_TEMPLATE_NAME, "ms-template-name", WARNING, "MS-CRTD 3",                                  \
      "the template's name is a text of one string type")                                          \
    X(MS_TEMPLATE_INFO, "ms-template-info", WARNING, "MS-WCCE 2.2.2.7",                            \
      "template information is an identifier and its version")                                     \
    X(MS_CA_VERSION, "ms-ca-version", WARNING, "MS-WCCE 2.2.2.7",                                  \
      "the CA's version is an INTEGER")                                                            \
    X(MS_CA_ONLY, "ms-ca-only", WARNING, "MS-WCCE 2.2.2.7",                                        \
      "CA version and previous CA's hash stand only in CA certificates")                           \
    X(MS_APP_POLICIES, "ms-app-policies", WARNING, "MS-WCCE 2.2.2.7",                              \
      "application policies are a list of policies and not empty")                                 \
    X(MS_APP_EKU, "ms-app-policies-eku", WARNING, "MS-WCCE 2.2.2.7",                               \
      "application policies and extKeyUsage say the same")                                         \
    X(MS_SID, "ms-sid", WARNING, "MS-WCCE 2.2.2.7", "the security extension holds a SID")

#define CHY_LINT_CRL_RULES(X)                                                                      \
    X(CRL_STRUCTURE, "crl-structure", ERROR, "RFC 5280 5.1",                                       \
      "the fields stand in their order, in strict DER")                                            \
    X(CRL_LENGTHS, "crl-lengths", ERROR, "X.690 10.1",                                             \
      "the lengths that are announced are those of what is signed")                                \
    X(CRL_VERSION, "crl-version-2", ERROR, "RFC 5280 5.1.2.1", "the version is v2")                \
    X(CRL_SIG_ALG, "crl-sig-alg-equals-issuer", ERROR, "RFC 5280 5.1.2.2",                         \
      "the inner algorithm is the one that will sign")                                             \
    X(CRL_ISSUER, "crl-issuer-equals-ca-subject", ERROR, "RFC 5280 5.1.2.3",                       \
      "the issuer is the CA's subject octet for octet")                                            \
    X(CRL_TIME, "crl-time-form", ERROR, "RFC 5280 5.1.2.4",                                        \
      "times have seconds, no fraction, end in Z: UTCTime through 2049, GeneralizedTime from "     \
      "2050")                                                                                      \
    X(CRL_NEXT, "crl-next-update", ERROR, "RFC 5280 5.1.2.5",                                      \
      "nextUpdate is there, after thisUpdate")                                                     \
    X(CRL_YEAR, "crl-within-a-year", NOTICE, "CABF BR 4.9.7",                                      \
      "nextUpdate is at most twelve months after thisUpdate")                                      \
    X(CRL_LIST, "crl-entries-not-empty", ERROR, "RFC 5280 5.1.2.6",                                \
      "a list of entries has at least one")                                                        \
    X(CRL_ENTRY, "crl-entry-structure", ERROR, "RFC 5280 5.1",                                     \
      "an entry is a serial number, a time and extensions, in strict DER")                         \
    X(CRL_SERIAL, "crl-entry-serial", ERROR, "RFC 5280 4.1.2.2",                                   \
      "a serial number is positive and has at most 20 octets")                                     \
    X(CRL_ENTRY_TIME, "crl-entry-time-form", ERROR, "RFC 5280 5.1.2.6",                            \
      "the date of a revocation has the form of the list's own times")                             \
    X(CRL_ENTRY_RANGE, "crl-entry-time-range", ERROR, "RFC 5280 5.1.2.6",                          \
      "a revocation dates from 1970 or later, and not from after nextUpdate")                      \
    X(CRL_ENTRY_LIST, "crl-entry-ext-not-empty", ERROR, "RFC 5280 5.1.2.6",                        \
      "a list of entry extensions has at least one")                                               \
    X(CRL_ENTRY_TWICE, "crl-entry-ext-duplicate", ERROR, "RFC 5280 5.3",                           \
      "each entry extension stands once")                                                          \
    X(CRL_ENTRY_CRITICAL, "crl-entry-ext-not-critical", ERROR, "RFC 5280 5.3",                     \
      "reasonCode and invalidityDate are not critical, nor is what nobody here knows")             \
    X(CRL_REASON, "crl-entry-reason", ERROR, "RFC 5280 5.3.1",                                     \
      "a reason is one of those that are defined")                                                 \
    X(CRL_REASON_ZERO, "crl-entry-reason-not-zero", WARNING, "RFC 5280 5.3.1",                     \
      "an unspecified reason is left out")                                                         \
    X(CRL_REMOVE, "crl-entry-remove-in-delta", ERROR, "RFC 5280 5.3.1",                            \
      "removeFromCRL stands only in a delta CRL")                                                  \
    X(CRL_INVALIDITY, "crl-entry-invalidity-date", ERROR, "RFC 5280 5.3.2",                        \
      "invalidityDate is a GeneralizedTime with seconds, ending in Z")                             \
    X(CRL_EXT_TWICE, "crl-ext-duplicate", ERROR, "RFC 5280 5.2", "each extension stands once")     \
    X(CRL_EXT_CRITICAL, "crl-ext-unknown-critical", ERROR, "RFC 5280 5.2",                         \
      "no critical extension that nobody here knows")                                              \
    X(CRL_EXT_DER, "crl-ext-value-der", WARNING, "RFC 5280 5.2",                                   \
      "the value of any extension is strict DER")                                                  \
    X(CRL_AKI, "crl-aki-present", ERROR, "RFC 5280 5.2.1", "the list names the issuer's key")      \
    X(CRL_AKI_EQUALS, "crl-aki-equals-issuer", ERROR, "RFC 5280 5.2.1",                            \
      "authorityKeyIdentifier is the issuer's subjectKeyIdentifier")                               \
    X(CRL_AKI_KEY_ONLY, "crl-aki-key-id-only", NOTICE, "CABF BR 7.2.2",                            \
      "the issuer's key is named by its identifier alone")                                         \
    X(CRL_NUMBER, "crl-number-present", ERROR, "RFC 5280 5.2.3", "the list has a CRL number")      \
    X(CRL_NUMBER_FORM, "crl-number-form", ERROR, "RFC 5280 5.2.3",                                 \
      "a CRL number is not negative and has at most 20 octets")                                    \
    X(CRL_NOT_CRITICAL, "crl-ext-not-critical", ERROR, "RFC 5280 5.2",                             \
      "authorityKeyIdentifier, CRL number and freshestCRL are not critical")                       \
    X(CRL_IS_CRITICAL, "crl-ext-critical", ERROR, "RFC 5280 5.2",                                  \
      "delta CRL indicator and issuingDistributionPoint are critical")                             \
    X(CRL_DELTA_BASE, "crl-delta-base", ERROR, "RFC 5280 5.2.4",                                   \
      "the base of a delta CRL has a number that is not above its own")                            \
    X(CRL_IDP, "crl-idp-structure", ERROR, "RFC 5280 5.2.5",                                       \
      "issuingDistributionPoint is well-formed, says something, and leaves DEFAULT FALSE out")     \
    X(CRL_IDP_URI, "crl-idp-uri", ERROR, "RFC 5280 5.2.5",                                         \
      "a distribution point has a URL, and its URLs are absolute and well-formed")                 \
    X(CRL_IDP_SCOPE, "crl-idp-scope", ERROR, "RFC 5280 5.2.5",                                     \
      "the list is of one issuer, of all reasons, and of one kind of certificates at most")        \
    X(CRL_FRESHEST, "crl-freshest-structure", ERROR, "RFC 5280 5.2.6",                             \
      "freshestCRL is well-formed and has a URL")                                                  \
    X(CRL_FRESHEST_BASE, "crl-freshest-on-base", ERROR, "RFC 5280 5.2.6",                          \
      "a delta CRL has no freshestCRL")

#define CHY_LINT_OCSP_RULES(X)                                                                     \
    X(OR_STRUCTURE, "ocsp-response-structure", ERROR, "RFC 6960 4.2.1",                            \
      "the fields stand in their order, in strict DER")                                            \
    X(OR_VERSION, "ocsp-response-version", ERROR, "X.690 11.5",                                    \
      "the version is the default, and left out")                                                  \
    X(OR_RESPONDER, "ocsp-response-responder", ERROR, "RFC 6960 4.2.2.3",                          \
      "the responder is a name that is not empty or the 20 octets of a key's hash")                \
    X(OR_TIME, "ocsp-response-time-form", ERROR, "RFC 6960 4.2.2.1",                               \
      "times are GeneralizedTime with seconds, no fraction, ending in Z")                          \
    X(OR_PRODUCED, "ocsp-response-produced", ERROR, "RFC 6960 4.2.2.1",                            \
      "producedAt is not ahead of the clock")                                                      \
    X(OR_EMPTY, "ocsp-response-not-empty", ERROR, "RFC 6960 4.2.1",                                \
      "there is at least one response")                                                            \
    X(OR_CERT_ID, "ocsp-response-cert-id", ERROR, "RFC 6960 4.1.1",                                \
      "a CertID is two hashes of the length of their algorithm and a number")                      \
    X(OR_STATUS, "ocsp-response-status", ERROR, "RFC 6960 4.2.1",                                  \
      "a status is good, revoked or unknown, and well-formed")                                     \
    X(OR_REASON, "ocsp-response-reason", ERROR, "RFC 5280 5.3.1",                                  \
      "a reason is one of those that are defined, and not unspecified or removeFromCRL")           \
    X(OR_REVOKED, "ocsp-response-revoked", ERROR, "RFC 6960 4.2.1",                                \
      "a revocation is not later than producedAt")                                                 \
    X(OR_THIS, "ocsp-response-this-update", ERROR, "RFC 6960 4.2.2.1",                             \
      "thisUpdate is not later than producedAt")                                                   \
    X(OR_NEXT, "ocsp-response-next-update", ERROR, "RFC 6960 4.2.2.1",                             \
      "nextUpdate is later than thisUpdate")                                                       \
    X(OR_EXT_TWICE, "ocsp-response-ext-duplicate", ERROR, "RFC 6960 4.4",                          \
      "each extension stands once")                                                                \
    X(OR_EXT_CRITICAL, "ocsp-response-ext-critical", ERROR, "RFC 6960 4.4",                        \
      "no critical extension that nobody here knows")                                              \
    X(OR_NONCE, "ocsp-response-nonce", ERROR, "RFC 9654 2.1",                                      \
      "a nonce is an OCTET STRING of 1 to 32 octets")                                              \
    X(OR_CUTOFF, "ocsp-response-archive-cutoff", ERROR, "RFC 6960 4.4.4",                          \
      "an archive cutoff is a time not later than producedAt")

#define CHY_LINT_RULES(X)                                                                          \
    CHY_LINT_FIELD_RULES(X)                                                                        \
    CHY_LINT_NAME_RULES(X)                                                                         \
    CHY_LINT_KEY_RULES(X)                                                                          \
    CHY_LINT_EXTENSION_RULES(X)                                                                    \
    CHY_LINT_POINTER_RULES(X)                                                                      \
    CHY_LINT_POLICY_RULES(X)                                                                       \
    CHY_LINT_ALT_NAME_RULES(X)                                                                     \
    CHY_LINT_CONSTRAINT_RULES(X)                                                                   \
    CHY_LINT_OTHER_RULES(X)                                                                        \
    CHY_LINT_CRL_RULES(X)                                                                          \
    CHY_LINT_OCSP_RULES(X)

#endif
