/* Lint: the extensions that point elsewhere: distribution points and access locations, and the one
 * that says that there is nothing to point to. RFC 5280 4.2.1.13, 4.2.1.15, 4.2.2; RFC 9608. */
#include "pki/lint_int.h"

#include <string.h>

enum { URLS_MAX = 64 };

#define ID_AD "\x2b\x06\x01\x05\x05\x07\x30"
#define OID_OCSP CHY_SPAN_STR(ID_AD "\x01")
#define OID_CA_ISSUERS CHY_SPAN_STR(ID_AD "\x02")

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986 2: what is visible, without <>"{}|\^`. */
static bool is_uri_char(uint8_t c)
{
    static const uint32_t allowed[8] = {0, 0xaffffffa, 0xafffffff, 0x47fffffe};
    return (allowed[c / 32] >> (c % 32)) & 1;
}

/* Scheme ":" and characters that need no escape. */
size_t chy_lint_uri_scheme(struct chy_span u)
{
    size_t n = 0;
    while (n < u.n && (is_alpha(u.p[n]) ||
                       (n && ((u.p[n] >= '0' && u.p[n] <= '9') || strchr("+-.", u.p[n]))))) {
        if (u.p[n] == 0) return 0;
        n++;
    }
    if (n == 0 || n + 1 >= u.n || u.p[n] != ':') return 0;
    for (size_t i = n + 1; i < u.n; i++) {
        if (!is_uri_char(u.p[i])) return 0;
        if (u.p[i] == '%' && (i + 2 >= u.n || !is_hex(u.p[i + 1]) || !is_hex(u.p[i + 2]))) return 0;
    }
    return n;
}

enum url_kind { URL_NONE, URL_HTTP, URL_HTTPS, URL_LDAP, URL_LDAPS, URL_OTHER };

/* http and https need a host; ldap may leave the server to the client (RFC 4516 2). */
static enum url_kind kind_of(struct chy_span u)
{
    static const char *const names[] = {
        [URL_HTTP] = "http", [URL_HTTPS] = "https", [URL_LDAP] = "ldap", [URL_LDAPS] = "ldaps"};
    size_t n = chy_lint_uri_scheme(u);
    enum url_kind kind = n ? URL_OTHER : URL_NONE;
    for (enum url_kind k = URL_HTTP; n && k <= URL_LDAPS; k++) {
        if (chy_span_eq_nocase(chy_span_of(u.p, n), chy_span_cstr(names[k]))) kind = k;
    }
    if (kind == URL_NONE || kind == URL_OTHER) return kind;
    bool slashes = u.n >= n + 3 && memcmp(u.p + n, "://", 3) == 0;
    bool host = slashes && u.n > n + 3 && !strchr("/:?#", u.p[n + 3]);
    bool web = kind == URL_HTTP || kind == URL_HTTPS;
    return (web ? host : slashes) ? kind : URL_NONE;
}

bool chy_lint_is_url(struct chy_span u)
{
    return kind_of(u) != URL_NONE;
}

/* The rules that a URL of one extension can break. */
struct url_rules {
    enum chy_lint_id form, scheme, tls, duplicate;
};

struct urls {
    struct chy_span seen[URLS_MAX];
    size_t n;
    unsigned kinds; /* 1 << enum url_kind, for each that occurs */
};

static void check_url(struct chy_lint *l, struct urls *urls, struct chy_span u,
                      const struct url_rules *rules)
{
    enum url_kind kind = kind_of(u);
    urls->kinds |= 1u << kind;
    switch (kind) {
    case URL_NONE: chy_lint_find(l, rules->form, "'%.*s'", CHY_LINT_SHOW(u)); break;
    case URL_OTHER: chy_lint_find(l, rules->scheme, "'%.*s'", CHY_LINT_SHOW(u)); break;
    case URL_HTTPS:
    case URL_LDAPS: chy_lint_find(l, rules->tls, "'%.*s'", CHY_LINT_SHOW(u)); break;
    case URL_HTTP:
    case URL_LDAP: break;
    }
}

/* A directory answers those who are in it: not browsers, nor programs that read code or mail. */
static bool is_for_directory_alone(const struct chy_lint *l, unsigned kinds)
{
    return kinds == 1u << URL_LDAP &&
           (l->is_ca || (l->purposes & (CHY_LP_SERVER | CHY_LP_CODE | CHY_LP_EMAIL)));
}

static void check_duplicate(struct chy_lint *l, struct urls *urls, struct chy_span u,
                            const struct url_rules *rules)
{
    for (size_t i = 0; i < urls->n; i++) {
        if (!chy_span_eq(urls->seen[i], u)) continue;
        chy_lint_find(l, rules->duplicate, "location %zu once more", i + 1);
        return;
    }
    if (urls->n < URLS_MAX) urls->seen[urls->n++] = u;
}

/* What the points of one extension say together. */
struct points {
    const struct url_rules *rules;
    struct urls urls;
    size_t n, n_partial; /* partial: for some reasons alone */
};

static bool check_full_name(struct chy_lint *l, struct points *points, struct chy_span names)
{
    struct chy_der d = chy_der_of(names);
    struct chy_tlv t;
    bool url = false;
    if (chy_der_empty(&d)) return false;
    while (!chy_der_empty(&d)) {
        if (!chy_der_read(&d, &t)) return false;
        if (t.tag == CHY_DER_CTX(CHY_GN_URI)) {
            url = true;
            check_url(l, &points->urls, t.value, points->rules);
            check_duplicate(l, &points->urls, t.value, points->rules);
        } else if (t.tag != CHY_DER_CTX_C(CHY_GN_DIR)) {
            return false;
        }
    }
    if (!url) chy_lint_find(l, CHY_LR_CDP_URL, "point %zu has a directoryName alone", points->n);
    return true;
}

/* DistributionPointName ::= CHOICE { fullName [0], nameRelativeToCRLIssuer [1] } */
static bool check_point_name(struct chy_lint *l, struct points *points, struct chy_span name)
{
    struct chy_der d = chy_der_of(name);
    struct chy_tlv t;
    if (!chy_der_read(&d, &t) || !chy_der_empty(&d)) return false;
    if (t.tag == CHY_DER_CTX_C(0)) return check_full_name(l, points, t.value);
    if (t.tag != CHY_DER_CTX_C(1) || t.value.n == 0) return false;
    chy_lint_find(l, CHY_LR_CDP_RELATIVE, "point %zu", points->n);
    return true;
}

static void check_crl_issuer(struct chy_lint *l, const struct points *points, struct chy_span names)
{
    struct chy_der d = chy_der_of(names);
    struct chy_tlv t;
    while (chy_der_read(&d, &t)) {
        if (t.tag == CHY_DER_CTX_C(CHY_GN_DIR) && chy_span_eq(t.value, l->issuer)) {
            chy_lint_find(l, CHY_LR_CDP_ISSUER, "point %zu", points->n);
        }
    }
}

static bool check_point(struct chy_lint *l, struct points *points, struct chy_der d)
{
    struct chy_span name, reasons, issuer, bits;
    bool has_name, has_reasons, has_issuer;
    unsigned unused;
    points->n++;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &name, &has_name) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX(1), &reasons, &has_reasons) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX_C(2), &issuer, &has_issuer) || !chy_der_empty(&d) ||
        (has_reasons && !chy_der_get_bits(reasons, &bits, &unused))) {
        return false;
    }
    if (has_reasons) points->n_partial++;
    if ((has_reasons || has_issuer) && chy_lint_is_server(l)) {
        chy_lint_find(l, CHY_LR_CDP_PLAIN, "point %zu", points->n);
    }
    if (!has_name && !has_issuer) {
        chy_lint_find(l, CHY_LR_CDP_NAMED, "point %zu has neither a name nor an issuer", points->n);
    }
    if (has_issuer) check_crl_issuer(l, points, issuer);
    return !has_name || check_point_name(l, points, name);
}

static bool check_points(struct chy_lint *l, struct points *points, struct chy_span value)
{
    struct chy_der outer = chy_der_of(value), list, point;
    bool ok = chy_der_strict(value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        ok = chy_der_enter(&list, CHY_DER_SEQUENCE, &point) && check_point(l, points, point);
    }
    return ok;
}

static void check_cdp(struct chy_lint *l)
{
    static const struct url_rules rules = {CHY_LR_CDP_URI, CHY_LR_CDP_SCHEME, CHY_LR_CDP_TLS,
                                           CHY_LR_CDP_DUPLICATE};
    const struct chy_ext *e = l->known[CHY_LX_CDP];
    struct points points = {.rules = &rules};
    if (!e) return;
    if (!check_points(l, &points, e->value)) {
        chy_lint_find(l, CHY_LR_CDP_STRUCTURE, "value of %zu octets", e->value.n);
    } else if (points.n == points.n_partial) {
        chy_lint_find(l, CHY_LR_CDP_REASONS, "%zu points, each for some reasons", points.n);
    } else if (is_for_directory_alone(l, points.urls.kinds)) {
        chy_lint_find(l, CHY_LR_CDP_HTTP, "%zu URLs, all of them ldap", points.urls.n);
    }
    if (e->critical) chy_lint_find(l, CHY_LR_CDP_NOT_CRITICAL, "it is critical");
}

static void check_freshest(struct chy_lint *l)
{
    static const struct url_rules rules = {CHY_LR_FRESHEST_URI, CHY_LR_CDP_SCHEME, CHY_LR_CDP_TLS,
                                           CHY_LR_CDP_DUPLICATE};
    const struct chy_ext *e = l->known[CHY_LX_FRESHEST];
    struct points points = {.rules = &rules};
    if (!e) return;
    if (!check_points(l, &points, e->value)) {
        chy_lint_find(l, CHY_LR_FRESHEST_STRUCTURE, "value of %zu octets", e->value.n);
    }
    if (e->critical) chy_lint_find(l, CHY_LR_FRESHEST_NOT_CRITICAL, "it is critical");
    if (!l->known[CHY_LX_CDP]) chy_lint_find(l, CHY_LR_FRESHEST_BASE, "there is none");
}

static void check_method(struct chy_lint *l, struct chy_span method, const struct chy_tlv *location)
{
    bool ocsp = chy_span_eq(method, OID_OCSP), url = location->tag == CHY_DER_CTX(CHY_GN_URI);
    if (!ocsp && !chy_span_eq(method, OID_CA_ISSUERS)) {
        chy_lint_find(l, CHY_LR_AIA_METHOD, "a method of %zu octets", method.n);
    } else if (!url) {
        chy_lint_find(l, CHY_LR_AIA_LOCATION, "a name of type %d", location->tag & 0x1f);
    }
    enum url_kind kind = ocsp && url ? kind_of(location->value) : URL_NONE;
    if (kind == URL_LDAP || kind == URL_LDAPS) {
        chy_lint_find(l, CHY_LR_AIA_OCSP, "'%.*s'", CHY_LINT_SHOW(location->value));
    }
}

/* AccessDescription ::= SEQUENCE { accessMethod, accessLocation GeneralName } */
static bool read_access(struct chy_der d, struct chy_span *method, struct chy_tlv *location)
{
    return chy_der_expect(&d, CHY_DER_OID, method) && chy_der_read(&d, location) &&
           chy_der_empty(&d) && (location->tag & 0xc0) == 0x80;
}

static bool check_accesses(struct chy_lint *l, struct chy_der list, const struct url_rules *rules)
{
    struct urls urls = {.n = 0};
    unsigned of_issuer = 0;
    while (!chy_der_empty(&list)) {
        struct chy_der access;
        struct chy_span method;
        struct chy_tlv whole, location;
        if (!chy_der_read(&list, &whole) || whole.tag != CHY_DER_SEQUENCE) return false;
        access = chy_der_of(whole.value);
        if (!read_access(access, &method, &location)) return false;
        urls.kinds = 0;
        if (location.tag == CHY_DER_CTX(CHY_GN_URI)) check_url(l, &urls, location.value, rules);
        if (chy_span_eq(method, OID_CA_ISSUERS)) of_issuer |= urls.kinds;
        check_method(l, method, &location);
        check_duplicate(l, &urls, whole.value, rules);
    }
    if (is_for_directory_alone(l, of_issuer)) {
        chy_lint_find(l, CHY_LR_AIA_HTTP, "caIssuers is ldap alone");
    }
    return true;
}

static void check_aia(struct chy_lint *l)
{
    static const struct url_rules rules = {CHY_LR_AIA_URI, CHY_LR_AIA_SCHEME, CHY_LR_AIA_TLS,
                                           CHY_LR_AIA_DUPLICATE};
    const struct chy_ext *e = l->known[CHY_LX_AIA];
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list;
    if (!chy_der_strict(e->value) || !chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) ||
        chy_der_empty(&list) || !check_accesses(l, list, &rules)) {
        chy_lint_find(l, CHY_LR_AIA_STRUCTURE, "value of %zu octets", e->value.n);
    }
    if (e->critical) chy_lint_find(l, CHY_LR_AIA_NOT_CRITICAL, "it is critical");
}

/* Its methods are many (repositories, time stamping, RPKI), and so are their schemes. */
static void check_sia(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_SIA];
    if (!e) return;
    struct chy_der outer = chy_der_of(e->value), list, access;
    struct chy_span method;
    struct chy_tlv location;
    bool ok = chy_der_strict(e->value) && chy_der_enter(&outer, CHY_DER_SEQUENCE, &list) &&
              !chy_der_empty(&list);
    while (ok && !chy_der_empty(&list)) {
        ok = chy_der_enter(&list, CHY_DER_SEQUENCE, &access) &&
             read_access(access, &method, &location);
        if (ok && location.tag == CHY_DER_CTX(CHY_GN_URI) && !chy_lint_uri_scheme(location.value)) {
            chy_lint_find(l, CHY_LR_SIA_URI, "'%.*s'", CHY_LINT_SHOW(location.value));
        }
    }
    if (!ok) chy_lint_find(l, CHY_LR_SIA_STRUCTURE, "value of %zu octets", e->value.n);
    if (e->critical) chy_lint_find(l, CHY_LR_SIA_NOT_CRITICAL, "it is critical");
}

static bool has_ocsp(const struct chy_ext *aia)
{
    struct chy_der outer, list, access;
    struct chy_span method;
    if (!aia) return false;
    outer = chy_der_of(aia->value);
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &list)) return false;
    while (chy_der_enter(&list, CHY_DER_SEQUENCE, &access)) {
        if (chy_der_expect(&access, CHY_DER_OID, &method) && chy_span_eq(method, OID_OCSP))
            return true;
    }
    return false;
}

static void check_no_rev_avail(struct chy_lint *l)
{
    const struct chy_ext *e = l->known[CHY_LX_NO_REV];
    if (!e) return;
    if (!chy_span_eq(e->value, CHY_SPAN_STR("\x05\x00"))) {
        chy_lint_find(l, CHY_LR_NO_REV_VALUE, "value of %zu octets", e->value.n);
    }
    if (e->critical) chy_lint_find(l, CHY_LR_NO_REV_NOT_CRITICAL, "it is critical");
    if (l->is_ca) chy_lint_find(l, CHY_LR_NO_REV_CA, "it stands in a CA certificate");
    bool ocsp = has_ocsp(l->known[CHY_LX_AIA]);
    if (l->known[CHY_LX_CDP] || l->known[CHY_LX_FRESHEST] || ocsp) {
        chy_lint_find(l, CHY_LR_NO_REV_POINTERS, "%s stands too",
                      l->known[CHY_LX_CDP]        ? "cRLDistributionPoints"
                      : l->known[CHY_LX_FRESHEST] ? "freshestCRL"
                                                  : "an OCSP responder");
    }
}

/* What relying programs ask about. A certificate of a week is over before an answer would matter.
 */
static void check_status(struct chy_lint *l)
{
    static const int64_t short_lived = 7 * 86400;
    unsigned asked = CHY_LP_SERVER | CHY_LP_CODE | CHY_LP_EMAIL;
    if (!l->ca || !(l->is_ca || (l->purposes & asked)) || l->seconds <= short_lived) return;
    if (l->known[CHY_LX_CDP] || l->known[CHY_LX_NO_REV] || l->known[CHY_LX_NOCHECK]) return;
    if (has_ocsp(l->known[CHY_LX_AIA])) return;
    chy_lint_find(l, CHY_LR_STATUS_TOLD, "nothing says whether it is revoked");
}

void chy_lint_pointers(struct chy_lint *l)
{
    check_cdp(l);
    check_freshest(l);
    check_aia(l);
    check_sia(l);
    check_no_rev_avail(l);
    check_status(l);
    if (!l->ca && (l->known[CHY_LX_CDP] || l->known[CHY_LX_AIA])) {
        chy_lint_find(l, CHY_LR_SELF_POINTERS, "cRLDistributionPoints or authorityInfoAccess");
    }
}
