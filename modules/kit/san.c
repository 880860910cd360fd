#include "kit/san.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t upn_oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};

#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Underscores are left to the CA's AllowUnderscore. A last label of digits alone would be read as
 * an address (RFC 1123 2.1). */
bool kit_is_dns_name(const char *s)
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

const char *kit_domain_of(unsigned type, char *s)
{
    if (type == KIT_SAN_EMAIL || type == KIT_SAN_UPN) return strrchr(s, '@') + 1;
    if (type != KIT_SAN_URI) return s;
    char *host = strstr(s, "://");
    if (!host) return "";
    host += 3;
    host[strcspn(host, "/?#")] = 0;
    char *at = strrchr(host, '@');
    if (at || host[0] == '[') return "";
    host[strcspn(host, ":")] = 0;
    /* Of "evil.test\\.good.test" and "evil.test%2f.good.test" readers make different hosts. */
    return host[strspn(host, HOST_CHARACTERS)] ? "" : host;
}

static bool text_of(struct kit_der v, char *out, size_t size)
{
    if (v.n == 0 || v.n >= size) return false;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= 0x20 || v.p[i] > 0x7e) return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}

static bool upn_of(struct kit_der v, char *out, size_t size)
{
    uint8_t tag;
    struct kit_der oid, box, text;
    if (!kit_der_next(&v, &tag, &oid) || tag != 0x06 || oid.n != sizeof upn_oid ||
        memcmp(oid.p, upn_oid, oid.n) != 0)
        return false;
    if (!kit_der_next(&v, &tag, &box) || tag != 0xa0 || v.n) return false;
    return kit_der_next(&box, &tag, &text) && tag == 0x0c && box.n == 0 && text_of(text, out, size);
}

static bool dirname_ok(struct kit_der v)
{
    uint8_t tag;
    struct kit_der rdns, rdn;
    if (!kit_der_next(&v, &tag, &rdns) || tag != 0x30 || v.n || rdns.n == 0) return false;
    while (rdns.n)
        if (!kit_der_next(&rdns, &tag, &rdn) || tag != 0x31 || rdn.n == 0) return false;
    return true;
}

static bool one_at(const char *s)
{
    const char *at = strchr(s, '@');
    return at && at != s && !strchr(at + 1, '@') && kit_is_dns_name(at + 1) && at[1] != '*';
}

static unsigned classify(uint8_t tag, struct kit_der v, char *out, size_t size)
{
    switch (tag) {
    case 0x82: return text_of(v, out, size) && kit_is_dns_name(out) ? KIT_SAN_DNS : 0;
    case 0x81: return text_of(v, out, size) && one_at(out) ? KIT_SAN_EMAIL : 0;
    case 0x86: return text_of(v, out, size) && strchr(out, ':') && out[0] != ':' ? KIT_SAN_URI : 0;
    case 0x87:
        if (v.n != 4 && v.n != 16) return 0;
        return inet_ntop(v.n == 4 ? AF_INET : AF_INET6, v.p, out, (socklen_t)size) ? KIT_SAN_IP : 0;
    case 0xa0: return upn_of(v, out, size) && one_at(out) ? KIT_SAN_UPN : 0;
    case 0xa4: snprintf(out, size, "(directory name)"); return dirname_ok(v) ? KIT_SAN_DIRNAME : 0;
    default: return 0;
    }
}

bool kit_san_open(struct kit_der names, struct kit_der *list)
{
    uint8_t tag;
    return kit_der_next(&names, &tag, list) && tag == 0x30 && !names.n && list->n;
}

bool kit_san_next(struct kit_der *list, struct kit_san *out)
{
    uint8_t tag;
    if (!kit_der_next(list, &tag, &out->value)) return false;
    out->type = classify(tag, out->value, out->text, sizeof out->text);
    if (!out->type) snprintf(out->text, sizeof out->text, "a name");
    return true;
}

void kit_san_put_upn(struct kit_der_out *o, const char *text)
{
    struct kit_der_out value, name;
    kit_der_start(&value);
    kit_der_start(&name);
    kit_der_put_tlv(&value, 0x0c, text, strlen(text));
    kit_der_put_tlv(&name, 0x06, upn_oid, sizeof upn_oid);
    kit_der_put_tlv(&name, 0xa0, value.b, value.n);
    kit_der_put_tlv(o, 0xa0, name.b, name.n);
    o->full = o->full || value.full || name.full;
}
