/* Inside lint: the certificate as lint reads it, and the families of rules.
 * Lint reads the octets by itself, more leniently than cert.h, so that a mistake is named by the
 * rule that it breaks and a bug of the parser cannot hide a bug of the builder. Thread: any; no
 * state. */
#ifndef CHY_PKI_LINT_INT_H
#define CHY_PKI_LINT_INT_H

#include "pki/lint.h"
#include "pki/lint_rules.h"

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
    CHY_LX_IAN,
    CHY_LX_FRESHEST,
    CHY_LX_SDA,
    CHY_LX_TLS_FEATURE,
    CHY_LX_MS_TEMPLATE_NAME,
    CHY_LX_MS_TEMPLATE_INFO,
    CHY_LX_MS_CA_VERSION,
    CHY_LX_MS_PREVIOUS_HASH,
    CHY_LX_MS_APP_POLICIES,
    CHY_LX_MS_SID,
    CHY_LX_NO_REV,
    CHY_LX_SCT,
    CHY_LX_CT_POISON,
    CHY_LX_QC,
    CHY_LX_COUNT
};

/* For tables: a compound literal is no constant expression. */
#define CHY_LINT_OID(lit)                                                                          \
    {                                                                                              \
        (const uint8_t *)(lit), sizeof(lit) - 1                                                    \
    }

enum { CHY_LINT_EKU_MAX = 64, CHY_LINT_SHOWN = 70 };

/* For "%.*s": the first octets of a span. */
#define CHY_LINT_SHOW(s) (int)((s).n < CHY_LINT_SHOWN ? (s).n : CHY_LINT_SHOWN), (const char *)(s).p

/* Purposes of extKeyUsage that rules ask for, as bits. */
enum {
    CHY_LP_SERVER = 1 << 0,
    CHY_LP_CLIENT = 1 << 1,
    CHY_LP_CODE = 1 << 2,
    CHY_LP_EMAIL = 1 << 3,
    CHY_LP_TIME = 1 << 4,
    CHY_LP_OCSP = 1 << 5,
    CHY_LP_IPSEC = 1 << 6,
    CHY_LP_LOGON = 1 << 7,
    CHY_LP_ANY = 1 << 8
};

struct chy_lint {
    struct chy_lint_report *out;
    const struct chy_lint_issuer *ca; /* NULL: self-signed */
    struct chy_span tbs;
    struct chy_tlv version;                                 /* whole [0]; tag 0 when absent */
    struct chy_span serial, sig_alg, issuer, subject, spki; /* serial: content; the others whole */
    struct chy_tlv not_before, not_after;
    int64_t seconds; /* from one end to the other, both counted; 0: unreadable */
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
    unsigned purposes; /* CHY_LP_ */
    enum chy_key_kind key_kind;
    bool subject_empty;
    struct chy_span common_name; /* of the subject, as found */
    struct chy_span email;       /* the first emailAddress of the subject, as found */
    size_t n_email;
};

/* Notes that the rule is broken; octets that do not print become '?'. */
void chy_lint_find(struct chy_lint *l, enum chy_lint_id id, const char *fmt, ...) CHY_PRINTF(3, 4);

/* An end entity that says it is a server. */
static inline bool chy_lint_is_server(const struct chy_lint *l)
{
    return !l->is_ca && (l->purposes & CHY_LP_SERVER);
}

/* The same where there is no certificate. */
void chy_lint_note(struct chy_lint_report *r, enum chy_lint_id id, const char *fmt, ...)
    CHY_PRINTF(3, 4);
void chy_lint_clear(struct chy_lint_report *r);
/* YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ as the tag says (RFC 5280 4.1.2.5.1, 4.1.2.5.2), and a date that
 * exists. */
bool chy_lint_time(const struct chy_tlv *t, chy_time *out);

void chy_lint_fields(struct chy_lint *l);
void chy_lint_names(struct chy_lint *l);
void chy_lint_key(struct chy_lint *l);
void chy_lint_ext_list(struct chy_lint *l); /* what holds for any extension */
void chy_lint_usage(struct chy_lint *l);    /* reads BC, KU and EKU, and checks each alone */
void chy_lint_purposes(struct chy_lint *l); /* BC, KU and EKU against each other and the issuer */
void chy_lint_key_ids(struct chy_lint *l);  /* SKI, AKI */
void chy_lint_pointers(struct chy_lint *l); /* CDP, freshest CRL, AIA, SIA */
void chy_lint_policies(struct chy_lint *l);
void chy_lint_alt_names(struct chy_lint *l);
void chy_lint_constraints(struct chy_lint *l);
void chy_lint_others(struct chy_lint *l); /* extensions of other standards */

/* One value of a name. */
struct chy_lint_attr {
    struct chy_span oid, value;
    uint8_t tag;
};
size_t chy_lint_char_width(uint8_t tag);
void chy_lint_attr_text(struct chy_lint *l, const struct chy_lint_attr *a);

/* RFC 3986: the length of the scheme of an absolute URI; 0 when it is not one. */
size_t chy_lint_uri_scheme(struct chy_span u);
/* The names and the subject against the issuer's name constraints. */
void chy_lint_obeys(struct chy_lint *l, const struct chy_general_name *names, size_t n);

#endif
