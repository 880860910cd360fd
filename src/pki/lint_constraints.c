/* Lint: the issuer's name constraints, and those that a CA certificate makes itself.
 * RFC 5280 4.2.1.10, 6.1.3. */
#include "pki/lint_int.h"

#include <string.h>

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
void chy_lint_obeys(struct chy_lint *l, const struct chy_general_name *names, size_t n)
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
    bool serves = !l->is_ca && (l->n_eku == 0 || (l->purposes & (CHY_LP_SERVER | CHY_LP_ANY)));
    if (serves && !has_dns && looks_like_host(l->common_name)) {
        check_constrained(l, CHY_LR_NC_COMMON_NAME, CHY_GN_DNS, l->common_name);
    }
}

/* A host or a domain: LDH labels (an underscore too), perhaps with a dot in front. */
static bool is_domain(struct chy_span v)
{
    if (v.n && v.p[0] == '.') v = chy_span_of(v.p + 1, v.n - 1);
    struct chy_general_name gn = {.type = CHY_GN_DNS, .value = v};
    return chy_general_name_check(&gn, CHY_GN_ALLOW_SINGLE_LABEL | CHY_GN_ALLOW_UNDERSCORE, NULL) ==
           CHY_S_OK;
}

/* An empty one stands for every name of its type. */
static bool is_base_form(const struct chy_general_name *gn)
{
    if (gn->value.n == 0) return true;
    bool mailbox = gn->type == CHY_GN_EMAIL && memchr(gn->value.p, '@', gn->value.n) != NULL;
    return mailbox ? chy_general_name_check(gn, 0, NULL) == CHY_S_OK : is_domain(gn->value);
}

/* RFC 5280 4.2.1.10: an address, then a mask in the style of RFC 4632. */
static void check_range(struct chy_lint *l, struct chy_span v)
{
    size_t half = v.n / 2;
    bool ended = false, broken = false, outside = false;
    for (size_t i = 0; i < half * 8; i++) {
        unsigned shift = 7 - i % 8;
        bool mask = (v.p[half + i / 8] >> shift) & 1, bit = (v.p[i / 8] >> shift) & 1;
        broken = broken || (ended && mask);
        ended = ended || !mask;
        outside = outside || (bit && !mask);
    }
    if (broken) {
        chy_lint_find(l, CHY_LR_NC_MASK, "a one follows a zero");
    } else if (outside) {
        chy_lint_find(l, CHY_LR_NC_BASE, "an address that is none of a network");
    }
}

static void check_subtree(struct chy_lint *l, const struct chy_general_name *gn)
{
    switch (gn->type) {
    case CHY_GN_DNS:
        if (gn->value.n && gn->value.p[0] == '.') {
            chy_lint_find(l, CHY_LR_NC_DOT, "'%.*s'", CHY_LINT_SHOW(gn->value));
            break;
        }
        if (!is_base_form(gn)) {
            chy_lint_find(l, CHY_LR_NC_FORM, "'%.*s'", CHY_LINT_SHOW(gn->value));
        }
        break;
    case CHY_GN_EMAIL:
    case CHY_GN_URI:
        if (!is_base_form(gn)) {
            chy_lint_find(l, CHY_LR_NC_FORM, "'%.*s'", CHY_LINT_SHOW(gn->value));
        }
        break;
    case CHY_GN_IP: check_range(l, gn->value); break;
    case CHY_GN_X400:
    case CHY_GN_EDI:
    case CHY_GN_RID: chy_lint_find(l, CHY_LR_NC_TYPE, "name type %d", (int)gn->type); break;
    case CHY_GN_OTHER:
    case CHY_GN_DIR: break;
    }
}

static bool is_among(const struct chy_general_name *gn, const struct chy_general_name *list,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (gn->type == list[i].type && chy_span_eq(gn->value, list[i].value)) return true;
    }
    return false;
}

static void check_subtrees(struct chy_lint *l, const struct chy_name_constraints *nc)
{
    for (size_t i = 0; i < nc->n_permitted; i++) {
        check_subtree(l, &nc->permitted[i]);
        if (is_among(&nc->permitted[i], nc->permitted, i)) {
            chy_lint_find(l, CHY_LR_NC_TWICE, "permitted subtree %zu", i + 1);
        }
        if (is_among(&nc->permitted[i], nc->excluded, nc->n_excluded)) {
            chy_lint_find(l, CHY_LR_NC_BOTH, "permitted subtree %zu", i + 1);
        }
    }
    for (size_t i = 0; i < nc->n_excluded; i++) {
        check_subtree(l, &nc->excluded[i]);
        if (is_among(&nc->excluded[i], nc->excluded, i)) {
            chy_lint_find(l, CHY_LR_NC_TWICE, "excluded subtree %zu", i + 1);
        }
    }
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
    } else {
        check_subtrees(l, &nc);
    }
}
