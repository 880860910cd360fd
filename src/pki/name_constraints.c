/* Name constraints. RFC 5280 4.2.1.10. */
#include <string.h>

#include "base/text.h"
#include "pki/ext.h"
#include "pki/name.h"

static void add_subtrees(struct chy_buf *out, unsigned tag, const struct chy_general_name *gn,
                         size_t n)
{
    if (!n) return;
    size_t list = chy_der_open(out, (uint8_t)CHY_DER_CTX_C(tag));
    for (size_t i = 0; i < n; i++) {
        size_t subtree = chy_der_open(out, CHY_DER_SEQUENCE);
        chy_general_name_add(
            out, &gn[i]); /* minimum is 0 by default, maximum absent: as the RFC demands */
        chy_der_close(out, subtree);
    }
    chy_der_close(out, list);
}

void chy_name_constraints_add(struct chy_buf *out, const struct chy_name_constraints *nc)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    add_subtrees(out, 0, nc->permitted, nc->n_permitted);
    add_subtrees(out, 1, nc->excluded, nc->n_excluded);
    chy_der_close(out, mark);
}

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "nameConstraints (RFC 5280 4.2.1.10): %s", what);
}

static bool is_name(struct chy_span der)
{
    struct chy_name *name = chy_malloc(sizeof(*name));
    bool ok = name && chy_name_parse(der, name, NULL) == CHY_S_OK;
    chy_free(name);
    return ok;
}

static chy_hresult read_subtrees(struct chy_span content, struct chy_general_name *out, size_t max,
                                 size_t *n, struct chy_err *err)
{
    struct chy_der list = chy_der_of(content);
    if (chy_der_empty(&list)) return bad(err, "an empty list of subtrees");
    while (!chy_der_empty(&list)) {
        struct chy_tlv subtree;
        size_t one = 1;
        if (*n == max) return bad(err, "too many subtrees");
        if (!chy_der_read(&list, &subtree) || subtree.tag != CHY_DER_SEQUENCE)
            return bad(err, "a subtree is no SEQUENCE");
        /* A subtree without minimum and maximum has the shape of GeneralNames with one name. */
        if (chy_general_names_parse(subtree.whole, &out[*n], &one, NULL) != CHY_S_OK) {
            return bad(err, "a subtree that is not one name (minimum and maximum are not allowed)");
        }
        if (out[*n].type == CHY_GN_IP && out[*n].value.n != 8 && out[*n].value.n != 32) {
            return bad(err, "an address range is not 8 or 32 octets long");
        }
        if (out[*n].type == CHY_GN_DIR && !is_name(out[*n].value))
            return bad(err, "a malformed directoryName");
        (*n)++;
    }
    return CHY_S_OK;
}

chy_hresult chy_name_constraints_parse(struct chy_span value, struct chy_name_constraints *out,
                                       struct chy_err *err)
{
    struct chy_der top = chy_der_of(value), d;
    struct chy_span list;
    bool permitted = false, excluded = false;
    chy_hresult hr = CHY_S_OK;
    out->n_permitted = out->n_excluded = 0;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &d) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &list, &permitted))
        return bad(err, "malformed");
    if (permitted)
        hr = read_subtrees(list, out->permitted, CHY_ARRAY_LEN(out->permitted), &out->n_permitted,
                           err);
    if (hr != CHY_S_OK) return hr;
    if (!chy_der_skip_optional(&d, CHY_DER_CTX_C(1), &list, &excluded))
        return bad(err, "malformed");
    if (excluded)
        hr =
            read_subtrees(list, out->excluded, CHY_ARRAY_LEN(out->excluded), &out->n_excluded, err);
    if (hr != CHY_S_OK) return hr;
    if (!chy_der_empty(&d) || (!permitted && !excluded))
        return bad(err, "neither permitted nor excluded subtrees, or more than them");
    return CHY_S_OK;
}

/* "host" is inside "example.com" when it is that or ends in ".example.com"; inside ".example.com"
 * only below it. */
static bool host_inside(struct chy_span host, struct chy_span base)
{
    if (!base.n) return true;
    if (host.n < base.n) return false;
    struct chy_span tail = {host.p + host.n - base.n, base.n};
    if (!chy_span_eq_nocase(tail, base)) return false;
    return base.p[0] == '.' ? host.n > base.n : host.n == base.n || tail.p[-1] == '.';
}

static bool email_inside(struct chy_span mailbox, struct chy_span base)
{
    const uint8_t *at = memrchr(mailbox.p, '@', mailbox.n);
    if (!at) return false;
    struct chy_span host = {at + 1, mailbox.n - (size_t)(at - mailbox.p) - 1};
    const uint8_t *base_at = base.n ? memrchr(base.p, '@', base.n) : NULL;
    if (base_at) { /* one mailbox: the local part is compared exactly */
        size_t local = (size_t)(base_at - base.p);
        return local == (size_t)(at - mailbox.p) && memcmp(base.p, mailbox.p, local) == 0 &&
               chy_span_eq_nocase(host, chy_span_of(base_at + 1, base.n - local - 1));
    }
    return base.n && base.p[0] == '.' ? host_inside(host, base) : chy_span_eq_nocase(host, base);
}

static bool is_address(struct chy_span host)
{
    for (size_t i = 0; i < host.n; i++) {
        if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9')) return host.p[0] == '[';
    }
    return true;
}

/* The host name after "scheme://", without user information and port: "http://a.test:x@b.test" is
 * at b.test (RFC 3986 3.2). Empty: there is none, or an address in its place. */
static struct chy_span uri_host(struct chy_span uri)
{
    const uint8_t *p = uri.n ? memchr(uri.p, ':', uri.n) : NULL;
    size_t left = p ? uri.n - (size_t)(p - uri.p) : 0;
    if (left < 3 || memcmp(p, "://", 3) != 0) return (struct chy_span){0};
    struct chy_span host = {p + 3, 0};
    while (host.n < left - 3 && !strchr("/?#", host.p[host.n]))
        host.n++;
    const uint8_t *at = host.n ? memrchr(host.p, '@', host.n) : NULL;
    if (at) host = chy_span_of(at + 1, host.n - (size_t)(at - host.p) - 1);
    const uint8_t *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
    if (colon) host.n = (size_t)(colon - host.p);
    if (is_address(host)) host.n = 0;
    return host;
}

static bool uri_inside(struct chy_span uri, struct chy_span base)
{
    struct chy_span host = uri_host(uri);
    if (!host.n) return false; /* without a host it cannot be inside anything */
    return base.n && base.p[0] == '.' ? host_inside(host, base) : chy_span_eq_nocase(host, base);
}

static bool ip_inside(struct chy_span ip, struct chy_span range)
{
    if (range.n != 2 * ip.n) return false;
    for (size_t i = 0; i < ip.n; i++) {
        uint8_t mask = range.p[ip.n + i];
        if ((ip.p[i] & mask) != (range.p[i] & mask)) return false;
    }
    return true;
}

/* Blanks at the ends do not count, and many are one (RFC 5280 7.1, RFC 4518 2.6.1). */
static void fold_blanks(struct chy_buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->p[i] != ' ' || (n && b->p[n - 1] != ' ')) b->p[n++] = b->p[i];
    }
    b->n = n && b->p[n - 1] == ' ' ? n - 1 : n;
}

/* unsure: the answer when memory does not suffice to tell. */
static bool same_value(const struct chy_name_attr *a, const struct chy_name_attr *b, bool unsure)
{
    struct chy_buf x, y;
    if (!chy_span_eq(a->oid, b->oid)) return false;
    chy_buf_init(&x, 2 * a->value.n + 1);
    chy_buf_init(&y, 2 * b->value.n + 1);
    bool same = unsure;
    if (chy_name_value_utf8(a, &x) && chy_name_value_utf8(b, &y)) {
        fold_blanks(&x);
        fold_blanks(&y);
        same = chy_span_eq_nocase(chy_buf_span(&x), chy_buf_span(&y));
    }
    chy_buf_free(&x);
    chy_buf_free(&y);
    return same;
}

static size_t rdn_length(const struct chy_name *name, size_t i)
{
    size_t n = 0;
    while (i + n < name->n && name->attr[i + n].rdn == name->attr[i].rdn)
        n++;
    return n;
}

/* The members of an RDN are a set: their order depends on how each is encoded. */
static bool same_rdn(const struct chy_name_attr *a, const struct chy_name_attr *b, size_t n,
                     bool unsure)
{
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++)
            found = same_value(&a[k], &b[i], unsure);
        if (!found) return false;
    }
    return true;
}

static bool begins_with(const struct chy_name *a, const struct chy_name *b, bool unsure)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i += n) {
        n = rdn_length(b, i);
        if (i >= a->n || rdn_length(a, i) != n || !same_rdn(&a->attr[i], &b->attr[i], n, unsure))
            return false;
    }
    return true;
}

static bool directory_inside(struct chy_span der, struct chy_span base, bool unsure)
{
    struct chy_name *a = chy_malloc(sizeof(*a)), *b = chy_malloc(sizeof(*b));
    bool inside = unsure;
    if (a && b && chy_name_parse(der, a, NULL) == CHY_S_OK &&
        chy_name_parse(base, b, NULL) == CHY_S_OK)
        inside = begins_with(a, b, unsure);
    chy_free(a);
    chy_free(b);
    return inside;
}

static bool inside(const struct chy_general_name *gn, const struct chy_general_name *base)
{
    switch (gn->type) {
    case CHY_GN_DNS: {
        struct chy_span host = gn->value;
        if (host.n > 2 && host.p[0] == '*' && host.p[1] == '.')
            host = chy_span_of(host.p + 2, host.n - 2);
        return host_inside(host, base->value);
    }
    case CHY_GN_EMAIL: return email_inside(gn->value, base->value);
    case CHY_GN_URI: return uri_inside(gn->value, base->value);
    case CHY_GN_IP: return ip_inside(gn->value, base->value);
    case CHY_GN_DIR: return directory_inside(gn->value, base->value, false);
    case CHY_GN_OTHER:
    case CHY_GN_X400:
    case CHY_GN_EDI:
    case CHY_GN_RID: return chy_span_eq(gn->value, base->value);
    }
    return false;
}

static chy_hresult refuse(const struct chy_general_name *gn, const char *why, struct chy_err *err)
{
    struct chy_buf text;
    chy_buf_init(&text, 512);
    chy_general_name_to_text(gn, &text);
    text.failed = false;
    const char *name = chy_buf_cstr(&text);
    chy_hresult hr = chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                              "name %.200s: the CA's name constraints %s it (RFC 5280 4.2.1.10)",
                              name ? name : "", why);
    chy_buf_free(&text);
    return hr;
}

/* A URI without a host, and a form whose subtrees we cannot tell apart, count as excluded: RFC 5280
 * 4.2.1.10 has them refused. An excluded range may be what a wildcard stands for: "*.example.com"
 * meets an excluded "a.example.com". */
static bool may_meet(const struct chy_general_name *gn, const struct chy_general_name *base)
{
    if (gn->type == CHY_GN_DIR) return directory_inside(gn->value, base->value, true);
    if (inside(gn, base) || !base->value.n) return true;
    if (gn->type == CHY_GN_URI) return !uri_host(gn->value).n;
    if (gn->type == CHY_GN_OTHER) return chy_span_eq(gn->other_oid, base->other_oid);
    if (gn->type == CHY_GN_X400 || gn->type == CHY_GN_EDI || gn->type == CHY_GN_RID) return true;
    if (gn->type != CHY_GN_DNS || gn->value.n < 3 || gn->value.p[0] != '*') return false;
    return host_inside(base->value, chy_span_of(gn->value.p + 1, gn->value.n - 1));
}

chy_hresult chy_name_constraints_check(const struct chy_name_constraints *nc,
                                       const struct chy_general_name *gn, struct chy_err *err)
{
    bool constrained = false, permitted = false;
    for (size_t i = 0; i < nc->n_excluded; i++) {
        if (nc->excluded[i].type == gn->type && may_meet(gn, &nc->excluded[i]))
            return refuse(gn, "exclude", err);
    }
    for (size_t i = 0; i < nc->n_permitted; i++) {
        if (nc->permitted[i].type != gn->type) continue;
        constrained = true;
        permitted = permitted || inside(gn, &nc->permitted[i]);
    }
    return !constrained || permitted ? CHY_S_OK : refuse(gn, "do not permit", err);
}
