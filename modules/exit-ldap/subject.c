#include "subject.h"

#include <string.h>

enum { PARTS_MAX = 64, OID_MAX = 32 };

/* The types that every directory has by name (RFC 4519, RFC 4524). */
static const struct {
    const char *name;
    uint8_t n, oid[10];
} types[] = {{"CN", 3, {0x55, 4, 3}},
             {"SN", 3, {0x55, 4, 4}},
             {"serialNumber", 3, {0x55, 4, 5}},
             {"C", 3, {0x55, 4, 6}},
             {"L", 3, {0x55, 4, 7}},
             {"ST", 3, {0x55, 4, 8}},
             {"STREET", 3, {0x55, 4, 9}},
             {"O", 3, {0x55, 4, 10}},
             {"OU", 3, {0x55, 4, 11}},
             {"title", 3, {0x55, 4, 12}},
             {"givenName", 3, {0x55, 4, 42}},
             {"initials", 3, {0x55, 4, 43}},
             {"UID", 10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}},
             {"mail", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}},
             {"DC", 10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}}};

static void add_hex(struct kit_text *out, const uint8_t *p, size_t n)
{
    kit_add_str(out, "#");
    for (size_t i = 0; i < n; i++)
        kit_addf(out, "%02X", p[i]);
}

/* X.690 8.19: base 128; the first two arcs are one number. */
static bool add_oid(struct kit_text *out, struct der oid)
{
    uint32_t v = 0;
    bool first = true;
    if (!oid.n || oid.n > OID_MAX || (oid.p[oid.n - 1] & 0x80)) return false;
    for (size_t i = 0; i < oid.n; i++) {
        if (v > UINT32_MAX >> 7) return false;
        v = v << 7 | (oid.p[i] & 0x7f);
        if (oid.p[i] & 0x80) continue;
        uint32_t arc = v < 40 ? 0 : v < 80 ? 1 : 2;
        if (first)
            kit_addf(out, "%u.%u", arc, v - arc * 40);
        else
            kit_addf(out, ".%u", v);
        first = false;
        v = 0;
    }
    return true;
}

static const char *type_name(struct der oid)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (der_same(oid, (struct der){types[i].oid, types[i].n})) return types[i].name;
    return NULL;
}

/* RFC 4514 2.4: a value whose text is not known stands there as its encoding. */
static bool add_part(struct kit_text *out, struct der part)
{
    enum { UTF8 = 0x0c, PRINTABLE = 0x13, IA5 = 0x16 };
    uint8_t tag;
    struct der oid, value, rest;
    if (!der_next(&part, &tag, &oid) || tag != 0x06) return false;
    rest = part;
    if (!der_next(&part, &tag, &value) || part.n) return false;
    const char *name = type_name(oid);
    if (name)
        kit_add_str(out, name);
    else if (!add_oid(out, oid))
        return false;
    kit_add_str(out, "=");
    if (name && (tag == UTF8 || tag == PRINTABLE || tag == IA5))
        add_escaped(out, (const char *)value.p, value.n, ESCAPE_DN);
    else
        add_hex(out, rest.p, rest.n);
    return true;
}

static bool add_rdn(struct kit_text *out, struct der set)
{
    uint8_t tag;
    struct der part;
    bool more = false;
    if (!set.n) return false;
    while (set.n) {
        if (!der_next(&set, &tag, &part) || tag != 0x30) return false;
        if (more) kit_add_str(out, "+");
        if (!add_part(out, part)) return false;
        more = true;
    }
    return true;
}

/* RFC 4514 2.1: the last comes first. */
bool subject_text(struct der name, struct kit_text *out)
{
    struct der rdn[PARTS_MAX], list;
    uint8_t tag;
    size_t n = 0;
    if (!der_next(&name, &tag, &list) || tag != 0x30 || name.n) return false;
    for (; list.n; n++)
        if (n == PARTS_MAX || !der_next(&list, &tag, &rdn[n]) || tag != 0x31) return false;
    for (size_t i = n; i-- > 0;) {
        if (i + 1 < n) kit_add_str(out, ",");
        if (!add_rdn(out, rdn[i])) return false;
    }
    return true;
}
