#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kit/network.h"
#include "policy.h"

static bool domain_matches(const char *pattern, const char *s)
{
    size_t pn = strlen(pattern), sn = strlen(s);
    if (pattern[0] != '*' || pattern[1] != '.') return strcasecmp(pattern, s) == 0;
    return sn > pn - 1 && strcasecmp(s + sn - (pn - 1), pattern + 1) == 0;
}

bool san_pattern_ok(const char *pattern)
{
    struct kit_network net;
    return kit_is_dns_name(pattern) || kit_network_parse(pattern, &net);
}

static bool one_listed(const char *pattern, unsigned type, const char *domain, struct kit_der raw)
{
    struct kit_network net;
    if (type != KIT_SAN_IP) return domain_matches(pattern, domain);
    return kit_network_parse(pattern, &net) && kit_network_has(&net, raw.p, raw.n);
}

static bool listed(const struct profile *p, const struct kit_san *name)
{
    char copy[KIT_SAN_TEXT];
    if (p->san_names.n == 0) return true;
    if (name->type == KIT_SAN_DIRNAME) return false;
    memcpy(copy, name->text, strlen(name->text) + 1);
    const char *domain = name->type == KIT_SAN_IP ? "" : kit_domain_of(name->type, copy);
    for (size_t i = 0; i < p->san_names.n; i++)
        if (one_listed(p->san_names.v[i], name->type, domain, name->value)) return true;
    return false;
}

/* NULL: the profile allows it. */
static const char *rule_against(const struct profile *p, const struct kit_san *name)
{
    if (!name->type) return "is malformed or of an unknown type";
    if (!(p->san_types & name->type)) return "is of a type that SanTypes does not allow";
    if (name->type == KIT_SAN_DNS && name->text[0] == '*' && !p->wildcard)
        return "is a wildcard and WildcardAllowed is 0";
    return listed(p, name) ? NULL : "is not among SanNames";
}

const char *san_check(const struct profile *p, struct kit_der names, const char *cn, bool *cn_seen,
                      char *why, size_t why_size)
{
    struct kit_der list = {NULL, 0};
    struct kit_san name;
    const char *rule = NULL;
    int64_t count = 0;
    *cn_seen = false;
    bool whole = kit_san_open(names, &list);
    while (whole && list.n && !rule) {
        whole = kit_san_next(&list, &name);
        if (!whole) break;
        rule = rule_against(p, &name);
        if (!rule && ++count > p->max_names) rule = "is one name more than MaxNames allows";
        if (!rule && strcasecmp(name.text, cn) == 0) *cn_seen = true;
    }
    if (rule) snprintf(why, why_size, "%.200s", name.text);
    if (whole) return rule;
    snprintf(why, why_size, "the list");
    return "is not a DER GeneralNames (RFC 5280 4.2.1.6)";
}

bool san_first_dns(struct kit_der names, char *out, size_t size)
{
    struct kit_der list;
    struct kit_san name;
    if (!kit_san_open(names, &list)) return false;
    while (list.n && kit_san_next(&list, &name)) {
        if (name.type != KIT_SAN_DNS || name.value.n > 64 || name.value.n >= size) continue;
        memcpy(out, name.text, name.value.n + 1);
        return true;
    }
    return false;
}

static bool put_ip(struct kit_der_out *o, const char *text)
{
    uint8_t ip[16];
    size_t n = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
    if (n) kit_der_put_tlv(o, 0x87, ip, n);
    return n != 0;
}

bool san_from_text(struct kit_der_out *o, const char *cn)
{
    if (put_ip(o, cn)) return true;
    if (!kit_is_dns_name(cn)) return false;
    kit_der_put_tlv(o, 0x82, cn, strlen(cn));
    return !o->full;
}

static const char *put_typed(struct kit_der_out *o, const char *type, const char *value)
{
    static const struct {
        const char *name;
        uint8_t tag;
    } t[] = {{"dns", 0x82}, {"email", 0x81}, {"url", 0x86}, {"uri", 0x86}};
    if (!strcasecmp(type, "ip") || !strcasecmp(type, "ipaddress"))
        return put_ip(o, value) ? NULL : "has a value that is no address";
    if (!strcasecmp(type, "upn")) {
        kit_san_put_upn(o, value);
        return o->full ? "is too long" : NULL;
    }
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        if (strcasecmp(t[i].name, type) != 0) continue;
        kit_der_put_tlv(o, t[i].tag, value, strlen(value));
        return NULL;
    }
    return "names a type that is none of dns, ip, ipaddress, email, url, upn";
}

const char *san_from_attribute(struct kit_der_out *o, const char *text)
{
    struct kit_der_out names;
    kit_der_start(&names);
    while (*text) {
        char part[KIT_SAN_TEXT];
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
    kit_der_put_tlv(o, 0x30, names.b, names.n);
    return names.full || o->full ? "is too long" : NULL;
}
