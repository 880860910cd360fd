/* Content rules for names that clients send. RFC 5280 4.2.1.6, RFC 5321, RFC 3986. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "pki/ext.h"
#include "pki/idna.h"
#include "pki/name.h"

static chy_hresult refuse(const struct chy_general_name *gn, const char *fault, struct chy_err *err)
{
    struct chy_buf text;
    chy_buf_init(&text, 256);
    chy_general_name_to_text(gn, &text);
    text.failed = false;
    const char *name = chy_buf_cstr(&text);
    chy_hresult hr = chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                              "name %.200s (RFC 5280 4.2.1.6): %s", name ? name : "", fault);
    chy_buf_free(&text);
    return hr;
}

static bool is_atext(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static const char *email_fault(struct chy_span v)
{
    const uint8_t *at = memrchr(v.p, '@', v.n);
    if (!at) return "no mailbox: LOCAL@DOMAIN is expected";
    size_t local = (size_t)(at - v.p);
    if (!local || local > 64)
        return "a local part of 1 to 64 characters is expected (RFC 5321 4.5.3.1.1)";
    for (size_t i = 0; i < local; i++) {
        bool dot = v.p[i] == '.';
        if (!dot && !is_atext(v.p[i]))
            return "a character that a local part may not have (RFC 5321 4.1.2)";
        if (dot && (i == 0 || i + 1 == local || v.p[i + 1] == '.'))
            return "a misplaced dot in the local part";
    }
    return chy_host_fault(chy_span_of(at + 1, v.n - local - 1), CHY_GN_ALLOW_SINGLE_LABEL);
}

static bool scheme_is(struct chy_span v, const char *name)
{
    size_t n = strlen(name);
    return v.n > n && chy_span_eq_nocase(chy_span_of(v.p, n), chy_span_cstr(name)) && v.p[n] == ':';
}

/* "[v6]" or dotted digits; *fault when it is of such a shape and no address. */
static bool is_address(struct chy_span host, const char **fault)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t octets[16];
    bool six = host.p[0] == '[';
    for (size_t i = 0; !six && i < host.n; i++) {
        if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.') return false;
    }
    if (six) host = chy_span_of(host.p + 1, host.n - 1);
    bool whole = !six || (host.n && host.p[host.n - 1] == ']');
    host.n -= six && whole;
    if (!whole || host.n >= sizeof(text)) {
        *fault = "a host that is no address";
        return true;
    }
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (inet_pton(six ? AF_INET6 : AF_INET, text, octets) != 1)
        *fault = "a host that is no address";
    return true;
}

static const char *authority_fault(struct chy_span rest, bool needed)
{
    if (rest.n < 2 || memcmp(rest.p, "//", 2) != 0) return needed ? "no host" : NULL;
    struct chy_span a = {rest.p + 2, 0};
    const char *fault = NULL;
    while (a.n < rest.n - 2 && !strchr("/?#", a.p[a.n]))
        a.n++;
    if (memchr(a.p, '@', a.n)) return "user information in a URI";
    struct chy_span host = a;
    while (host.n && host.p[host.n - 1] >= '0' && host.p[host.n - 1] <= '9')
        host.n--;
    bool port = host.n && host.p[host.n - 1] == ':';
    host.n = port ? host.n - 1 : a.n;
    if (!host.n) return needed ? "no host" : NULL;
    if (is_address(host, &fault)) return fault;
    return chy_host_fault(host, CHY_GN_ALLOW_SINGLE_LABEL);
}

static const char *uri_fault(struct chy_span v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || strchr("\"<>\\^`{|}", v.p[i]))
            return "a character that a URI may not have (RFC 3986)";
        if (v.p[i] == '%' && (v.n - i < 3 || !isxdigit(v.p[i + 1]) || !isxdigit(v.p[i + 2])))
            return "a % without two hexadecimal digits (RFC 3986 2.1)";
    }
    while (n < v.n && v.p[n] != ':') {
        uint8_t c = v.p[n];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && (n == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return "not an absolute URI";
        n++;
    }
    if (n == 0 || n >= v.n - 1) return "not an absolute URI";
    bool needs_host = scheme_is(v, "http") || scheme_is(v, "https") || scheme_is(v, "ldap") ||
                      scheme_is(v, "ldaps") || scheme_is(v, "ftp");
    return authority_fault(chy_span_of(v.p + n + 1, v.n - n - 1), needs_host);
}

static const char *other_fault(const struct chy_general_name *gn)
{
    static const uint8_t upn_oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};
    struct chy_der d = chy_der_of(gn->other_value);
    struct chy_span text;
    if (!chy_span_eq(gn->other_oid, CHY_SPAN(upn_oid))) return NULL; /* kept as given */
    if (!chy_der_expect(&d, CHY_DER_UTF8, &text) || !text.n || !chy_utf8_valid(text))
        return "a UPN that is no UTF8String";
    const uint8_t *at = memchr(text.p, '@', text.n);
    bool one = at && at > text.p && at + 1 < text.p + text.n && memrchr(text.p, '@', text.n) == at;
    for (size_t i = 0; i < text.n; i++)
        one = one && text.p[i] > 0x20 && text.p[i] != 0x7f;
    return one ? NULL : "a UPN is USER@SUFFIX";
}

chy_hresult chy_general_name_check(const struct chy_general_name *gn, unsigned flags,
                                   struct chy_err *err)
{
    const char *fault = NULL;
    struct chy_name *name;
    switch (gn->type) {
    case CHY_GN_DNS: fault = chy_host_fault(gn->value, flags); break;
    case CHY_GN_EMAIL: fault = email_fault(gn->value); break;
    case CHY_GN_URI: fault = uri_fault(gn->value); break;
    case CHY_GN_IP:
        fault = gn->value.n == 4 || gn->value.n == 16 ? NULL : "4 or 16 octets are expected";
        break;
    case CHY_GN_OTHER: fault = other_fault(gn); break;
    case CHY_GN_RID: break;
    case CHY_GN_DIR:
        name = chy_malloc(sizeof(*name));
        if (!name) return chy_fail_nomem(err, "directoryName");
        if (chy_name_parse(gn->value, name, NULL) != CHY_S_OK || !name->n)
            fault = "a malformed or empty Name";
        chy_free(name);
        break;
    case CHY_GN_X400:
    case CHY_GN_EDI: fault = "a type that is not supported"; break;
    }
    return fault ? refuse(gn, fault, err) : CHY_S_OK;
}
