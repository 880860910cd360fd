#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

enum { NAME_SIZE = 1024 };

/* 1.3.6.1.4.1.311.20.2.3, the user principal name */
static const uint8_t upn_oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A host name, with "*." in front or not. Underscores are left to the CA's AllowUnderscore. A last
 * label of digits alone would be read as an address (RFC 1123 2.1). */
static bool dns_ok(const char *s)
{
    size_t len = strlen(s), label = 0;
    bool letters = false;
    if (s[0] == '*' && s[1] == '.') s += 2;
    if (len > 253 || !*s) return false;
    for (; *s; s++) {
        bool alpha = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';
        if (*s == '.') {
            if (label == 0 || s[-1] == '-') return false;
            label = 0;
            letters = false;
            continue;
        }
        if (!alpha && !digit(*s) && (*s != '-' || label == 0)) return false;
        letters = letters || !digit(*s);
        if (++label > 63) return false;
    }
    return label > 0 && s[-1] != '-' && letters;
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

/* An address, with "/BITS" or not. */
struct network {
    uint8_t address[16];
    size_t n; /* octets of the address */
    unsigned long bits;
};

static bool network_parse(const char *pattern, struct network *out)
{
    char host[64];
    const char *slash = strchr(pattern, '/');
    size_t n = slash ? (size_t)(slash - pattern) : strlen(pattern);
    if (n >= sizeof host) return false;
    memcpy(host, pattern, n);
    host[n] = 0;
    out->n = inet_pton(AF_INET, host, out->address) == 1    ? 4
             : inet_pton(AF_INET6, host, out->address) == 1 ? 16
                                                            : 0;
    out->bits = out->n * 8;
    if (!slash || out->n == 0) return out->n != 0;
    size_t digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 3 || slash[1 + digits]) return false;
    out->bits = strtoul(slash + 1, NULL, 10);
    return out->bits <= out->n * 8;
}

static bool cidr_matches(const char *pattern, struct der ip)
{
    struct network net;
    if (!network_parse(pattern, &net) || net.n != ip.n) return false;
    for (unsigned long i = 0; i < net.bits; i++)
        if ((net.address[i / 8] ^ ip.p[i / 8]) & (0x80u >> (i % 8))) return false;
    return true;
}

bool san_pattern_ok(const char *pattern)
{
    struct network net;
    return dns_ok(pattern) || network_parse(pattern, &net);
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
    char copy[NAME_SIZE];
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

const char *san_check(const struct profile *p, struct der names, const char *cn, bool *cn_seen,
                      char *why, size_t why_size)
{
    uint8_t tag;
    struct der list = {NULL, 0}, v = {NULL, 0};
    int64_t count = 0;
    *cn_seen = false;
    snprintf(why, why_size, "the list");
    if (!der_next(&names, &tag, &list) || tag != 0x30 || names.n || list.n == 0)
        return "is not a DER GeneralNames (RFC 5280 4.2.1.6)";
    while (list.n) {
        char text[NAME_SIZE];
        if (!der_next(&list, &tag, &v)) return "is not a DER GeneralNames (RFC 5280 4.2.1.6)";
        unsigned type = classify(tag, v, text, sizeof text);
        snprintf(why, why_size, "%.200s", type ? text : "a name");
        if (!type) return "is malformed or of an unknown type";
        if (!(p->san_types & type)) return "is of a type that SanTypes does not allow";
        if (type == SAN_DNS && text[0] == '*' && !p->wildcard)
            return "is a wildcard and WildcardAllowed is 0";
        if (!listed(p, type, text, v)) return "is not among SanNames";
        if (++count > p->max_names) return "is one name more than MaxNames allows";
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

static bool put_ip(struct der_out *o, const char *text)
{
    uint8_t ip[16];
    size_t n = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
    if (n) der_put_tlv(o, 0x87, ip, n);
    return n != 0;
}

bool san_from_text(struct der_out *o, const char *cn)
{
    if (put_ip(o, cn)) return true;
    if (!dns_ok(cn)) return false;
    der_put_tlv(o, 0x82, cn, strlen(cn));
    return !o->full;
}

static bool put_upn(struct der_out *o, const char *text)
{
    struct der_out value, name;
    der_start(&value);
    der_start(&name);
    der_put_tlv(&value, 0x0c, text, strlen(text));
    der_put_tlv(&name, 0x06, upn_oid, sizeof upn_oid);
    der_put_tlv(&name, 0xa0, value.b, value.n);
    der_put_tlv(o, 0xa0, name.b, name.n);
    return !value.full && !name.full;
}

static const char *put_typed(struct der_out *o, const char *type, const char *value)
{
    static const struct {
        const char *name;
        uint8_t tag;
    } t[] = {{"dns", 0x82}, {"email", 0x81}, {"url", 0x86}, {"uri", 0x86}};
    if (!strcasecmp(type, "ip") || !strcasecmp(type, "ipaddress"))
        return put_ip(o, value) ? NULL : "has a value that is no address";
    if (!strcasecmp(type, "upn")) return put_upn(o, value) ? NULL : "is too long";
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        if (strcasecmp(t[i].name, type) != 0) continue;
        der_put_tlv(o, t[i].tag, value, strlen(value));
        return NULL;
    }
    return "names a type that is none of dns, ip, ipaddress, email, url, upn";
}

const char *san_from_attribute(struct der_out *o, const char *text)
{
    struct der_out names;
    der_start(&names);
    while (*text) {
        char part[NAME_SIZE];
        size_t n = strcspn(text, "&");
        if (n >= sizeof part) return "is too long";
        memcpy(part, text, n);
        part[n] = 0;
        text += n + (text[n] == '&');
        char *value = strchr(part, '=');
        if (!value || !value[1]) return "is not of the form type=value&type=value";
        *value++ = 0;
        const char *rule = put_typed(&names, part, value);
        if (rule) return rule;
    }
    der_put_tlv(o, 0x30, names.b, names.n);
    return names.full || o->full ? "is too long" : NULL;
}
