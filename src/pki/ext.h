/* Certificate extensions: reading a list, and encoding and decoding the values that we know.
 * RFC 5280 4.2, MS-WCCE for the Microsoft ones. Everything works on extnValue content (DER inside
 * the OCTET STRING). Thread: any. */
#ifndef CHY_PKI_EXT_H
#define CHY_PKI_EXT_H

#include "pki/der.h"

enum { CHY_EXT_MAX = 64, CHY_EXT_OID_TEXT = 96 };

struct chy_ext {
    struct chy_span oid; /* content octets */
    bool critical;
    struct chy_span value;
};
/* Extensions SEQUENCE (whole TLV) to a list; refuses duplicates, DEFAULT FALSE written out, over
 * CHY_EXT_MAX. */
CHY_MUST_USE chy_hresult chy_ext_list_parse(struct chy_span der, struct chy_ext *out, size_t *n,
                                            struct chy_err *err);
void chy_ext_add(struct chy_buf *out, const struct chy_ext *e); /* one Extension SEQUENCE */
/* For people and JSON: "serverAuth, clientAuth", "dns:www.example.com", else octets in hexadecimal;
 * UTF-8, one line. And the name of the extension itself, or its dotted OID. */
void chy_ext_to_text(struct chy_span oid, struct chy_span value, struct chy_buf *out);
void chy_ext_name(struct chy_span oid, struct chy_buf *out);

/* Content octets of the OIDs used by the engine and the modules' helpers. */
extern const struct chy_span chy_oid_basic_constraints, chy_oid_key_usage, chy_oid_ext_key_usage,
    chy_oid_subject_key_id, chy_oid_authority_key_id, chy_oid_subject_alt_name,
    chy_oid_certificate_policies, chy_oid_crl_distribution_points, chy_oid_authority_info_access,
    chy_oid_name_constraints, chy_oid_ms_template_name, chy_oid_ms_template_info, chy_oid_ms_sid,
    chy_oid_ms_ca_version, chy_oid_ocsp_nocheck, chy_oid_freshest_crl, chy_oid_no_rev_avail;
/* Of CRLs (RFC 5280 5.2; Microsoft's two: MS-CSRA) and their entries (5.3). */
extern const struct chy_span chy_oid_crl_number, chy_oid_delta_crl_indicator,
    chy_oid_issuing_distribution_point, chy_oid_ms_next_publish, chy_oid_ms_published_crl_locations,
    chy_oid_reason_code, chy_oid_invalidity_date;
/* Of OCSP (RFC 6960 4.4). */
extern const struct chy_span chy_oid_ocsp_basic, chy_oid_ocsp_nonce, chy_oid_ocsp_response_types,
    chy_oid_ocsp_archive_cutoff, chy_oid_ocsp_preferred_sig_algs;

/* Values. *_add appends the DER; *_parse is strict and complete. */
struct chy_basic_constraints {
    bool ca;
    int path_len; /* -1: none */
};
void chy_basic_constraints_add(struct chy_buf *out, const struct chy_basic_constraints *bc);
bool chy_basic_constraints_parse(struct chy_span value, struct chy_basic_constraints *out);

enum { /* bit i of the BIT STRING as 1 << i */
       CHY_KU_DIGITAL_SIGNATURE = 1 << 0,
       CHY_KU_NON_REPUDIATION = 1 << 1,
       CHY_KU_KEY_ENCIPHERMENT = 1 << 2,
       CHY_KU_DATA_ENCIPHERMENT = 1 << 3,
       CHY_KU_KEY_AGREEMENT = 1 << 4,
       CHY_KU_KEY_CERT_SIGN = 1 << 5,
       CHY_KU_CRL_SIGN = 1 << 6,
       CHY_KU_ENCIPHER_ONLY = 1 << 7,
       CHY_KU_DECIPHER_ONLY = 1 << 8
};
void chy_key_usage_add(struct chy_buf *out,
                       unsigned bits); /* named bit list: trailing zeros trimmed */
bool chy_key_usage_parse(struct chy_span value, unsigned *out);

void chy_eku_add(struct chy_buf *out, const struct chy_span *oids, size_t n);
bool chy_eku_parse(struct chy_span value, struct chy_span *oids,
                   size_t *n /* in: room, out: count */);

void chy_ski_add(struct chy_buf *out, struct chy_span key_id);
bool chy_ski_parse(struct chy_span value, struct chy_span *key_id);
void chy_aki_add(struct chy_buf *out, struct chy_span key_id); /* keyIdentifier only */
bool chy_aki_parse(struct chy_span value, struct chy_span *key_id);
/* One point, all URLs. freshestCRL has the same syntax (RFC 5280 4.2.1.15). */
void chy_cdp_add(struct chy_buf *out, const char *const *urls, size_t n);
bool chy_cdp_first_url(struct chy_span value, struct chy_span *url); /* false: none, or no DER */
void chy_aia_add(struct chy_buf *out, const char *const *ca_issuers, size_t n,
                 const char *const *ocsp, size_t m);
void chy_policies_add(struct chy_buf *out, const struct chy_span *oids, size_t n);

/* GeneralNames (SAN, and inside name constraints). */
enum chy_gn_type {
    CHY_GN_OTHER = 0,
    CHY_GN_EMAIL = 1,
    CHY_GN_DNS = 2,
    CHY_GN_X400 = 3,
    CHY_GN_DIR = 4,
    CHY_GN_EDI = 5,
    CHY_GN_URI = 6,
    CHY_GN_IP = 7,
    CHY_GN_RID = 8
};
struct chy_general_name {
    enum chy_gn_type type;
    struct chy_span
        value; /* text octets, IP octets, whole Name DER, OID content, or whole otherName TLV */
    struct chy_span other_oid;   /* otherName: its type-id */
    struct chy_span other_value; /* otherName: content of [0] EXPLICIT, a whole TLV */
};
enum { CHY_GN_MAX = 256 };
/* Structure only; the count limit is *n on entry. */
CHY_MUST_USE chy_hresult chy_general_names_parse(struct chy_span der, struct chy_general_name *out,
                                                 size_t *n, struct chy_err *err);
void chy_general_name_add(struct chy_buf *out, const struct chy_general_name *gn);
void chy_general_name_add_upn(struct chy_buf *out, const char *upn);
/* A SEQUENCE of names added between open and close. */
/* Content rules for what a client sends: dns (LDH, IDNA2008 A-labels decoded and checked, wildcard
 * only as the whole left-most label and only when allowed, no trailing dot, lengths), ip (4 or 16),
 * email (RFC 5321 mailbox, ASCII), uri (absolute, scheme, no userinfo trick), upn (UTF-8 with one
 * @), dirName. */
enum { CHY_GN_ALLOW_WILDCARD = 1, CHY_GN_ALLOW_SINGLE_LABEL = 2, CHY_GN_ALLOW_UNDERSCORE = 4 };
CHY_MUST_USE chy_hresult chy_general_name_check(const struct chy_general_name *gn, unsigned flags,
                                                struct chy_err *err);
/* "dns:www.example.com", "ip:10.0.0.1", … for logs and JSON. */
void chy_general_name_to_text(const struct chy_general_name *gn, struct chy_buf *out);

/* Name constraints (RFC 5280 4.2.1.10): encode from lists, and test one name. */
struct chy_name_constraints {
    struct chy_general_name permitted[CHY_GN_MAX / 4],
        excluded[CHY_GN_MAX / 4]; /* IP values hold address and mask */
    size_t n_permitted, n_excluded;
};
void chy_name_constraints_add(struct chy_buf *out, const struct chy_name_constraints *nc);
CHY_MUST_USE chy_hresult chy_name_constraints_parse(struct chy_span value,
                                                    struct chy_name_constraints *out,
                                                    struct chy_err *err);
/* CHY_S_OK when inside; the offending name and rule in err otherwise. */
CHY_MUST_USE chy_hresult chy_name_constraints_check(const struct chy_name_constraints *nc,
                                                    const struct chy_general_name *gn,
                                                    struct chy_err *err);

#endif
