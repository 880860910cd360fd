/* Lint: subjectAltName, issuerAltName, and what the subject and the purposes ask of them.
 * RFC 5280 4.2.1.6, 4.2.1.7, RFC 4985, RFC 8550, RFC 9525, RFC 9598, CABF BR 7.1.4. */
#include "pki/lint_int.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>

#define OID_SRV CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x08\x07")
#define OID_SMTP_UTF8 CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x08\x09")
#define OID_UPN CHY_SPAN_STR("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03")

enum { NAME_FLAGS = CHY_GN_ALLOW_WILDCARD | CHY_GN_ALLOW_SINGLE_LABEL | CHY_GN_ALLOW_UNDERSCORE };

static void check_text(struct chy_lint *l, enum chy_lint_id id, const struct chy_general_name *gn)
{
    struct chy_err err = {.code = CHY_S_OK};
    if (CHY_FAILED(chy_general_name_check(gn, NAME_FLAGS, &err))) {
        chy_lint_find(l, id, "%s", err.text);
    }
}

static bool ends_with(struct chy_span v, struct chy_span end)
{
    return v.n > end.n && chy_span_eq_nocase(chy_span_of(v.p + v.n - end.n, end.n), end);
}

static void check_dns(struct chy_lint *l, const struct chy_general_name *gn)
{
    struct chy_span v = gn->value;
    check_text(l, CHY_LR_SAN_DNS, gn);
    if (v.n && memchr(v.p, '_', v.n)) {
        chy_lint_find(l, CHY_LR_SAN_UNDERSCORE, "'%.*s'", CHY_LINT_SHOW(v));
    }
    if (v.n > 2 && v.p[0] == '*' && v.p[1] == '.' && !memchr(v.p + 2, '.', v.n - 2)) {
        chy_lint_find(l, CHY_LR_SAN_WILDCARD_TLD, "'%.*s'", CHY_LINT_SHOW(v));
    }
    if (chy_lint_is_server(l) &&
        (ends_with(v, CHY_SPAN_STR(".in-addr.arpa")) || ends_with(v, CHY_SPAN_STR(".ip6.arpa")))) {
        chy_lint_find(l, CHY_LR_SAN_ARPA, "'%.*s'", CHY_LINT_SHOW(v));
    }
}

/* RFC 1122 3.2.1.3, RFC 4291 2.4, 2.5.2, 2.5.5.2. */
static bool is_host_address(struct chy_span v)
{
    static const uint8_t zeros[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(v.p, zeros, v.n) == 0) return false;
    if (v.n == 16) return v.p[0] != 0xff && memcmp(v.p, mapped, sizeof mapped) != 0;
    return (v.p[0] & 0xf0) != 0xe0 && memcmp(v.p, "\xff\xff\xff\xff", 4) != 0;
}

static void check_address(struct chy_lint *l, struct chy_span v)
{
    if (v.n != 4 && v.n != 16) {
        chy_lint_find(l, CHY_LR_SAN_IP, "an address of %zu octets", v.n);
    } else if (!is_host_address(v)) {
        chy_lint_find(l, CHY_LR_SAN_IP_HOST, "it begins with %02x%02x", v.p[0], v.p[1]);
    }
}

/* RFC 4985 2: "_" service "." host. */
static bool is_srv_name(struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    if (!chy_der_expect(&d, CHY_DER_IA5, &v) || v.n < 4 || v.p[0] != '_') return false;
    const uint8_t *dot = memchr(v.p, '.', v.n);
    if (!dot || dot < v.p + 2) return false;
    struct chy_general_name host = {.type = CHY_GN_DNS,
                                    .value = {dot + 1, v.n - (size_t)(dot + 1 - v.p)}};
    return chy_general_name_check(&host, CHY_GN_ALLOW_SINGLE_LABEL, NULL) == CHY_S_OK;
}

/* RFC 9598 3: what an rfc822Name can say is no SmtpUTF8Mailbox. */
static bool is_smtp_utf8(struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    if (!chy_der_expect(&d, CHY_DER_UTF8, &v) || v.n == 0 || !chy_utf8_valid(v)) return false;
    const uint8_t *at = memrchr(v.p, '@', v.n);
    bool needs = false;
    for (const uint8_t *p = v.p; at && p < at; p++)
        needs = needs || *p >= 0x80;
    return needs && at + 1 < v.p + v.n;
}

static void check_other(struct chy_lint *l, const struct chy_general_name *gn)
{
    check_text(l, CHY_LR_SAN_OTHER, gn);
    if (chy_span_eq(gn->other_oid, OID_SRV) && !is_srv_name(gn->other_value)) {
        chy_lint_find(l, CHY_LR_SAN_SRV, "value of %zu octets", gn->other_value.n);
    }
    if (chy_span_eq(gn->other_oid, OID_SMTP_UTF8) && !is_smtp_utf8(gn->other_value)) {
        chy_lint_find(l, CHY_LR_SAN_SMTP_UTF8, "value of %zu octets", gn->other_value.n);
    }
}

static void check_name(struct chy_lint *l, const struct chy_general_name *gn)
{
    switch (gn->type) {
    case CHY_GN_DNS: check_dns(l, gn); break;
    case CHY_GN_IP: check_address(l, gn->value); break;
    case CHY_GN_EMAIL: check_text(l, CHY_LR_SAN_EMAIL, gn); break;
    case CHY_GN_URI: check_text(l, CHY_LR_SAN_URI, gn); break;
    case CHY_GN_DIR: check_text(l, CHY_LR_SAN_DIR, gn); break;
    case CHY_GN_OTHER: check_other(l, gn); break;
    case CHY_GN_RID: check_text(l, CHY_LR_SAN_OTHER, gn); break;
    case CHY_GN_X400:
    case CHY_GN_EDI: chy_lint_find(l, CHY_LR_SAN_OLD, "name type %d", (int)gn->type); break;
    }
}

static bool same_name(const struct chy_general_name *a, const struct chy_general_name *b)
{
    if (a->type != b->type) return false;
    return a->type == CHY_GN_DNS ? chy_span_eq_nocase(a->value, b->value)
                                 : chy_span_eq(a->value, b->value);
}

static void check_duplicates(struct chy_lint *l, const struct chy_general_name *names, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!same_name(&names[i], &names[k])) continue;
            chy_lint_find(l, CHY_LR_SAN_DUPLICATE, "name %zu repeats %zu", i + 1, k + 1);
            break;
        }
    }
}

static bool is_named(struct chy_span cn, const struct chy_general_name *gn)
{
    if (gn->type == CHY_GN_DNS || gn->type == CHY_GN_EMAIL || gn->type == CHY_GN_URI) {
        return chy_span_eq_nocase(cn, gn->value);
    }
    char text[64];
    uint8_t address[16];
    if (gn->type != CHY_GN_IP || cn.n >= sizeof text || memchr(cn.p, 0, cn.n)) return false;
    memcpy(text, cn.p, cn.n);
    text[cn.n] = 0;
    return inet_pton(gn->value.n == 4 ? AF_INET : AF_INET6, text, address) == 1 &&
           chy_span_eq(chy_span_of(address, gn->value.n == 4 ? 4 : 16), gn->value);
}

static void check_common_name(struct chy_lint *l, const struct chy_general_name *names, size_t n)
{
    if (!(l->purposes & CHY_LP_SERVER) || l->common_name.n == 0) return;
    for (size_t i = 0; i < n; i++) {
        if (is_named(l->common_name, &names[i])) return;
    }
    chy_lint_find(l, CHY_LR_CN_IN_SAN, "'%.*s'", CHY_LINT_SHOW(l->common_name));
}

/* Which kinds of identity are among the names. */
struct kinds {
    bool host, mailbox, user;
    bool beyond; /* of a kind that no server is asked by */
};

static struct kinds kinds_of(const struct chy_general_name *names, size_t n)
{
    struct kinds k = {false, false, false, false};
    for (size_t i = 0; i < n; i++) {
        enum chy_gn_type t = names[i].type;
        struct chy_span other = names[i].other_oid;
        bool is_other = t == CHY_GN_OTHER;
        k.host = k.host || t == CHY_GN_DNS || t == CHY_GN_IP || t == CHY_GN_URI ||
                 (is_other && chy_span_eq(other, OID_SRV));
        k.mailbox =
            k.mailbox || t == CHY_GN_EMAIL || (is_other && chy_span_eq(other, OID_SMTP_UTF8));
        k.user = k.user || (is_other && chy_span_eq(other, OID_UPN));
        k.beyond = k.beyond || (t != CHY_GN_DNS && t != CHY_GN_IP);
    }
    return k;
}

static void check_identities(struct chy_lint *l, const struct chy_general_name *names, size_t n)
{
    struct kinds k = kinds_of(names, n);
    if ((l->purposes & CHY_LP_SERVER) && n && !k.host) {
        chy_lint_find(l, CHY_LR_SAN_SERVER, "%zu names, none of them a host", n);
    } else if (l->purposes == CHY_LP_SERVER && k.beyond) {
        chy_lint_find(l, CHY_LR_SAN_SERVER_KINDS, "%zu names, some of another kind", n);
    }
    if ((l->purposes & CHY_LP_EMAIL) && !k.mailbox) {
        chy_lint_find(l, CHY_LR_SAN_EMAIL_USER, "%zu names, none of them a mailbox", n);
    }
    if ((l->purposes & CHY_LP_LOGON) && !k.user && !l->known[CHY_LX_MS_SID]) {
        chy_lint_find(l, CHY_LR_SAN_LOGON, "%zu names, none of them a user's", n);
    }
}

static bool is_among(struct chy_span mailbox, const struct chy_general_name *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i].type == CHY_GN_EMAIL && chy_span_eq_nocase(names[i].value, mailbox)) {
            return true;
        }
    }
    return false;
}

/* RFC 5280 4.1.2.6: addresses go into subjectAltName; the attribute is kept for old programs. */
static void check_email(struct chy_lint *l, const struct chy_general_name *names, size_t n)
{
    struct chy_general_name gn = {.type = CHY_GN_EMAIL, .value = l->email};
    if (l->n_email == 0 || l->email.n == 0) return;
    if (l->n_email > 1) {
        chy_lint_find(l, CHY_LR_NAME_ONE_EMAIL, "there are %zu", l->n_email);
    } else if (CHY_FAILED(chy_general_name_check(&gn, NAME_FLAGS, NULL))) {
        chy_lint_find(l, CHY_LR_NAME_EMAIL_SYNTAX, "'%.*s'", CHY_LINT_SHOW(l->email));
    } else if (!l->is_ca && !is_among(l->email, names, n)) {
        chy_lint_find(l, CHY_LR_EMAIL_IN_SAN, "'%.*s'", CHY_LINT_SHOW(l->email));
    } else {
        chy_lint_find(l, CHY_LR_NAME_EMAIL, "the subject has an emailAddress");
    }
}

static void check_criticality(struct chy_lint *l, const struct chy_ext *e)
{
    if (l->subject_empty && !e->critical) {
        chy_lint_find(l, CHY_LR_SAN_CRITICAL, "the subject is empty, yet it is not critical");
    }
    if (!l->subject_empty && e->critical) {
        chy_lint_find(l, CHY_LR_SAN_NOT_CRITICAL, "the subject is not empty, yet it is critical");
    }
}

static size_t read_alt_names(struct chy_lint *l, const struct chy_ext *e,
                             struct chy_general_name names[CHY_GN_MAX])
{
    struct chy_err err = {.code = CHY_S_OK};
    size_t n = CHY_GN_MAX;
    if (chy_span_eq(e->value, CHY_SPAN_STR("\x30\x00"))) {
        chy_lint_find(l, CHY_LR_SAN_NOT_EMPTY, "there is no name");
        return 0;
    }
    if (CHY_SUCCEEDED(chy_general_names_parse(e->value, names, &n, &err))) return n;
    chy_lint_find(l, CHY_LR_SAN_STRUCTURE, "%s", err.text);
    return 0;
}

static void check_issuer_names(struct chy_lint *l, struct chy_general_name names[CHY_GN_MAX])
{
    const struct chy_ext *e = l->known[CHY_LX_IAN];
    struct chy_err err = {.code = CHY_S_OK};
    size_t n = CHY_GN_MAX;
    if (!e) return;
    if (e->critical) chy_lint_find(l, CHY_LR_IAN_NOT_CRITICAL, "it is critical");
    if (CHY_FAILED(chy_general_names_parse(e->value, names, &n, &err))) {
        chy_lint_find(l, CHY_LR_IAN_STRUCTURE, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        check_text(l, CHY_LR_IAN_NAMES, &names[i]);
    }
}

void chy_lint_alt_names(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_SAN];
    struct chy_general_name names[CHY_GN_MAX];
    size_t n = e ? read_alt_names(l, e, names) : 0;
    if (e) check_criticality(l, e);
    for (size_t i = 0; i < n; i++) {
        check_name(l, &names[i]);
    }
    check_duplicates(l, names, n);
    if (!l->is_ca) {
        if (n) check_common_name(l, names, n);
        check_identities(l, names, n);
    }
    check_email(l, names, n);
    chy_lint_obeys(l, names, n);
    check_issuer_names(l, names);
}
