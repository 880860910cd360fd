#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

/* 1.3.6.1.4.1.311.20.2.3, the user principal name */
static const uint8_t upn_oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};

static bool dns_ok(const char *s)
{
    size_t len = strlen(s), label = 0;
    if (s[0] == '*' && s[1] == '.') s += 2;
    if (len == 0 || len > 253 || !*s) return false;
    for (; *s; s++) {
        bool alnum =
            (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9');
        if (*s == '.') {
            if (label == 0 || s[-1] == '-') return false;
            label = 0;
        } else if (!(alnum || (*s == '-' && label > 0)) || ++label > 63) {
            return false;
        }
    }
    return label > 0 && s[-1] != '-';
}

static bool text_of(struct der v, char *out, size_t size)
{
    if (v.n == 0 || v.n >= size) return false;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= 0x20 || v.p[i] > 0x7e) return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}

static bool domain_matches(const char *pattern, const char *s)
{
    size_t pn = strlen(pattern), sn = strlen(s);
    if (pattern[0] != '*' || pattern[1] != '.') return strcasecmp(pattern, s) == 0;
    return sn > pn - 1 && strcasecmp(s + sn - (pn - 1), pattern + 1) == 0;
}

static bool cidr_matches(const char *pattern, struct der ip)
{
    char host[64];
    uint8_t net[16];
    const char *slash = strchr(pattern, '/');
    size_t n = slash ? (size_t)(slash - pattern) : strlen(pattern);
    if (n >= sizeof host) return false;
    memcpy(host, pattern, n);
    host[n] = 0;
    if (inet_pton(ip.n == 4 ? AF_INET : AF_INET6, host, net) != 1) return false;
    char *end = NULL;
    unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : ip.n * 8;
    if (bits > ip.n * 8 || (slash && (*end || end == slash + 1))) return false;
    for (unsigned long i = 0; i < bits; i++)
        if ((net[i / 8] ^ ip.p[i / 8]) & (0x80u >> (i % 8))) return false;
    return true;
}

/* The part of a name that a domain pattern speaks about. */
static const char *domain_of(unsigned type, char *s)
{
    if (type == SAN_EMAIL || type == SAN_UPN) return strrchr(s, '@') + 1;
    if (type != SAN_URI) return s;
    char *host = strstr(s, "://");
    if (!host) return "";
    host += 3;
    host[strcspn(host, "/?#")] = 0;
    char *at = strrchr(host, '@');
    if (at || host[0] == '[') return "";
    host[strcspn(host, ":")] = 0;
    return host;
}

static bool listed(const struct profile *p, unsigned type, const char *name, struct der raw)
{
    char copy[1024];
    if (p->san_names.n == 0) return true;
    if (type == SAN_DIRNAME) return false;
    snprintf(copy, sizeof copy, "%s", name);
    const char *domain = type == SAN_IP ? "" : domain_of(type, copy);
    for (size_t i = 0; i < p->san_names.n; i++)
        if (type == SAN_IP ? cidr_matches(p->san_names.v[i], raw)
                           : domain_matches(p->san_names.v[i], domain))
            return true;
    return false;
}

static bool upn_of(struct der v, char *out, size_t size)
{
    uint8_t tag;
    struct der oid, box, text;
    if (!der_next(&v, &tag, &oid) || tag != 0x06 || oid.n != sizeof upn_oid ||
        memcmp(oid.p, upn_oid, oid.n) != 0)
        return false;
    if (!der_next(&v, &tag, &box) || tag != 0xa0 || v.n) return false;
    return der_next(&box, &tag, &text) && tag == 0x0c && box.n == 0 && text_of(text, out, size);
}

static bool dirname_ok(struct der v)
{
    uint8_t tag;
    struct der rdns, rdn;
    if (!der_next(&v, &tag, &rdns) || tag != 0x30 || v.n || rdns.n == 0) return false;
    while (rdns.n)
        if (!der_next(&rdns, &tag, &rdn) || tag != 0x31 || rdn.n == 0) return false;
    return true;
}

static bool one_at(const char *s)
{
    const char *at = strchr(s, '@');
    return at && at != s && !strchr(at + 1, '@') && dns_ok(at + 1) && at[1] != '*';
}

/* The type of a well-formed name and its text; 0: malformed or of no kind we know. */
static unsigned classify(uint8_t tag, struct der v, char *out, size_t size)
{
    switch (tag) {
    case 0x82: return text_of(v, out, size) && dns_ok(out) ? SAN_DNS : 0;
    case 0x81: return text_of(v, out, size) && one_at(out) ? SAN_EMAIL : 0;
    case 0x86: return text_of(v, out, size) && strchr(out, ':') && out[0] != ':' ? SAN_URI : 0;
    case 0x87:
        if (v.n != 4 && v.n != 16) return 0;
        return inet_ntop(v.n == 4 ? AF_INET : AF_INET6, v.p, out, (socklen_t)size) ? SAN_IP : 0;
    case 0xa0: return upn_of(v, out, size) && one_at(out) ? SAN_UPN : 0;
    case 0xa4: snprintf(out, size, "(directory name)"); return dirname_ok(v) ? SAN_DIRNAME : 0;
    default: return 0;
    }
}

const char *san_check(const struct profile *p, struct der names, const char *cn, unsigned *found,
                      bool *cn_seen, char *why, size_t why_size)
{
    uint8_t tag;
    struct der list, v;
    int64_t count = 0;
    *found = 0;
    *cn_seen = false;
    snprintf(why, why_size, "the list");
    if (!der_next(&names, &tag, &list) || tag != 0x30 || names.n || list.n == 0)
        return "is not a DER GeneralNames (RFC 5280 4.2.1.6)";
    while (list.n) {
        char text[1024] = "a name";
        if (!der_next(&list, &tag, &v)) return "is not a DER GeneralNames (RFC 5280 4.2.1.6)";
        unsigned type = classify(tag, v, text, sizeof text);
        snprintf(why, why_size, "%.200s", type ? text : "a name");
        if (!type) return "is malformed or of an unknown type";
        if (!(p->san_types & type)) return "is of a type that SanTypes does not allow";
        if (type == SAN_DNS && text[0] == '*' && !p->wildcard)
            return "is a wildcard and WildcardAllowed is 0";
        if (!listed(p, type, text, v)) return "is not among SanNames";
        if (++count > p->max_names) return "is one name more than MaxNames allows";
        *found |= type;
        if (strcasecmp(text, cn) == 0) *cn_seen = true;
    }
    return NULL;
}

bool san_first_dns(struct der names, char *out, size_t size)
{
    uint8_t tag;
    struct der list, v;
    if (!der_next(&names, &tag, &list)) return false;
    while (list.n && der_next(&list, &tag, &v))
        if (tag == 0x82 && v.n <= 64) return text_of(v, out, size);
    return false;
}

bool san_from_text(struct der_out *o, const char *cn)
{
    uint8_t ip[16];
    if (inet_pton(AF_INET, cn, ip) == 1)
        der_put_tlv(o, 0x87, ip, 4);
    else if (inet_pton(AF_INET6, cn, ip) == 1)
        der_put_tlv(o, 0x87, ip, 16);
    else if (dns_ok(cn))
        der_put_tlv(o, 0x82, cn, strlen(cn));
    else
        return false;
    return true;
}
