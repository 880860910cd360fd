/* Lint: subjectAltName and the common name beside it. RFC 5280 4.2.1.6, CABF BR 7.1.4. */
#include "pki/lint_rules.h"

#include <arpa/inet.h>
#include <string.h>

#define SHOWN(s) (int)((s).n < 80 ? (s).n : 80), (const char *)(s).p

static void check_text(struct chy_lint *l, enum chy_lint_id id, const struct chy_general_name *gn)
{
    struct chy_err err = {.code = CHY_S_OK};
    unsigned flags = CHY_GN_ALLOW_WILDCARD | CHY_GN_ALLOW_SINGLE_LABEL | CHY_GN_ALLOW_UNDERSCORE;
    if (CHY_FAILED(chy_general_name_check(gn, flags, &err))) chy_lint_find(l, id, "%s", err.text);
}

static void check_name(struct chy_lint *l, const struct chy_general_name *gn)
{
    switch (gn->type) {
    case CHY_GN_DNS:
        check_text(l, CHY_LR_SAN_DNS, gn);
        if (gn->value.n && memchr(gn->value.p, '_', gn->value.n)) {
            chy_lint_find(l, CHY_LR_SAN_UNDERSCORE, "'%.*s'", SHOWN(gn->value));
        }
        break;
    case CHY_GN_IP:
        if (gn->value.n != 4 && gn->value.n != 16) {
            chy_lint_find(l, CHY_LR_SAN_IP, "an address of %zu octets", gn->value.n);
        }
        break;
    case CHY_GN_EMAIL: check_text(l, CHY_LR_SAN_EMAIL, gn); break;
    case CHY_GN_URI: check_text(l, CHY_LR_SAN_URI, gn); break;
    case CHY_GN_DIR: check_text(l, CHY_LR_SAN_DIR, gn); break;
    case CHY_GN_OTHER:
    case CHY_GN_RID: check_text(l, CHY_LR_SAN_OTHER, gn); break;
    case CHY_GN_X400:
    case CHY_GN_EDI: chy_lint_find(l, CHY_LR_SAN_OLD, "name type %d", (int)gn->type); break;
    }
}

static void check_duplicates(struct chy_lint *l, const struct chy_general_name *names, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (names[i].type != names[k].type || !chy_span_eq(names[i].value, names[k].value)) {
                continue;
            }
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
    if (l->is_ca || !l->server_auth || l->common_name.n == 0) return;
    for (size_t i = 0; i < n; i++) {
        if (is_named(l->common_name, &names[i])) return;
    }
    chy_lint_find(l, CHY_LR_CN_IN_SAN, "'%.*s'", SHOWN(l->common_name));
}

static bool is_host_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* What clients take for a host name when no dNSName is there: LDH labels and an inner dot. */
static bool looks_like_host(struct chy_span s)
{
    bool dot = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_host_char(s.p[i])) return false;
        dot = dot || (s.p[i] == '.' && i > 0 && i + 1 < s.n);
    }
    return dot;
}

static void check_constrained(struct chy_lint *l, enum chy_lint_id id, enum chy_gn_type type,
                              struct chy_span value)
{
    struct chy_general_name gn = {.type = type, .value = value};
    struct chy_err err = {.code = CHY_S_OK};
    if (CHY_FAILED(chy_name_constraints_check(l->ca->constraints, &gn, &err))) {
        chy_lint_find(l, id, "%s", err.text);
    }
}

/* RFC 5280 6.1.3 (b), (c): also the addresses in the subject; a CA's self-issued certificate is
 * exempt. */
static void check_issuer_constraints(struct chy_lint *l, const struct chy_general_name *names,
                                     size_t n)
{
    if (!l->ca || !l->ca->constraints) return;
    if (l->is_ca && chy_span_eq(l->subject, l->issuer)) return;
    bool has_dns = false;
    for (size_t i = 0; i < n; i++) {
        struct chy_err err = {.code = CHY_S_OK};
        has_dns = has_dns || names[i].type == CHY_GN_DNS;
        if (CHY_FAILED(chy_name_constraints_check(l->ca->constraints, &names[i], &err))) {
            chy_lint_find(l, CHY_LR_NC_SAN, "%s", err.text);
        }
    }
    if (!l->subject_empty) check_constrained(l, CHY_LR_NC_SUBJECT, CHY_GN_DIR, l->subject);
    if (l->email.n) check_constrained(l, CHY_LR_NC_SUBJECT, CHY_GN_EMAIL, l->email);
    bool serves = !l->is_ca && (l->server_auth || l->any_purpose || l->n_eku == 0);
    if (serves && !has_dns && looks_like_host(l->common_name)) {
        check_constrained(l, CHY_LR_NC_COMMON_NAME, CHY_GN_DNS, l->common_name);
    }
}

void chy_lint_alt_names(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_SAN];
    struct chy_general_name names[CHY_GN_MAX];
    size_t n = 0;
    if (e && chy_span_eq(e->value, CHY_SPAN_STR("\x30\x00"))) {
        chy_lint_find(l, CHY_LR_SAN_NOT_EMPTY, "there is no name");
    } else if (e) {
        struct chy_err err = {.code = CHY_S_OK};
        n = CHY_GN_MAX;
        if (CHY_FAILED(chy_general_names_parse(e->value, names, &n, &err))) {
            chy_lint_find(l, CHY_LR_SAN_STRUCTURE, "%s", err.text);
            n = 0;
        }
    }
    if (e && l->subject_empty && !e->critical) {
        chy_lint_find(l, CHY_LR_SAN_CRITICAL, "the subject is empty, yet it is not critical");
    }
    if (e && !l->subject_empty && e->critical) {
        chy_lint_find(l, CHY_LR_SAN_NOT_CRITICAL, "the subject is not empty, yet it is critical");
    }
    for (size_t i = 0; i < n; i++) {
        check_name(l, &names[i]);
    }
    check_duplicates(l, names, n);
    if (n) check_common_name(l, names, n);
    check_issuer_constraints(l, names, n);
}

void chy_lint_constraints(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_NC];
    if (!e) return;
    struct chy_name_constraints nc;
    struct chy_err err = {.code = CHY_S_OK};
    if (!e->critical) chy_lint_find(l, CHY_LR_NC_CRITICAL, "it is not critical");
    if (chy_span_eq(e->value, CHY_SPAN_STR("\x30\x00"))) {
        chy_lint_find(l, CHY_LR_NC_NOT_EMPTY, "it is an empty sequence");
    } else if (CHY_FAILED(chy_name_constraints_parse(e->value, &nc, &err))) {
        chy_lint_find(l, CHY_LR_NC_STRUCTURE, "%s", err.text);
    } else if (nc.n_permitted + nc.n_excluded == 0) {
        chy_lint_find(l, CHY_LR_NC_NOT_EMPTY, "it holds no subtree");
    }
}
