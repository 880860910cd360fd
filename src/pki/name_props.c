/* The sixteen name properties of AD CS, in one table. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "pki/name.h"

#define OID(octets)                                                                                \
    {                                                                                              \
        (const uint8_t *)(octets), sizeof(octets) - 1                                              \
    }

static const char *const cn[] = {"CN", NULL}, *const c[] = {"C", NULL}, *const dc[] = {"DC", NULL},
                         *const e[] = {"E", "Email", NULL}, *const g[] = {"G", NULL},
                         *const i[] = {"I", NULL}, *const l[] = {"L", NULL},
                         *const o[] = {"Org", "O", NULL},
                         *const ou[] = {"OrganizationUnit", "OrganizationalUnit", "OU", NULL},
                         *const st[] = {"ST", "S", NULL}, *const street[] = {"Street", NULL},
                         *const sn[] = {"SN", NULL}, *const t[] = {"T", NULL},
                         *const none[] = {NULL};

/* Upper bounds: X.520 as AD CS's database has them; strings: RFC 5280 appendix A. */
const struct chy_name_prop chy_name_props[CHY_NAME_PROPS] = {
    {"CommonName", cn, "2.5.4.3", OID("\x55\x04\x03"), 64, CHY_DER_UTF8},
    {"Country", c, "2.5.4.6", OID("\x55\x04\x06"), 2, CHY_DER_PRINTABLE},
    {"DeviceSerialNumber", none, "2.5.4.5", OID("\x55\x04\x05"), 1024, CHY_DER_PRINTABLE},
    {"DomainComponent", dc, "0.9.2342.19200300.100.1.25",
     OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), 128, CHY_DER_IA5},
    {"EMail", e, "1.2.840.113549.1.9.1", OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"), 128,
     CHY_DER_IA5},
    {"GivenName", g, "2.5.4.42", OID("\x55\x04\x2a"), 16, CHY_DER_UTF8},
    {"Initials", i, "2.5.4.43", OID("\x55\x04\x2b"), 5, CHY_DER_UTF8},
    {"Locality", l, "2.5.4.7", OID("\x55\x04\x07"), 128, CHY_DER_UTF8},
    {"Organization", o, "2.5.4.10", OID("\x55\x04\x0a"), 64, CHY_DER_UTF8},
    {"OrgUnit", ou, "2.5.4.11", OID("\x55\x04\x0b"), 64, CHY_DER_UTF8},
    {"State", st, "2.5.4.8", OID("\x55\x04\x08"), 128, CHY_DER_UTF8},
    {"StreetAddress", street, "2.5.4.9", OID("\x55\x04\x09"), 30, CHY_DER_UTF8},
    {"SurName", sn, "2.5.4.4", OID("\x55\x04\x04"), 40, CHY_DER_UTF8},
    {"Title", t, "2.5.4.12", OID("\x55\x04\x0c"), 64, CHY_DER_UTF8},
    {"UnstructuredAddress", none, "1.2.840.113549.1.9.8",
     OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08"), 1024, CHY_DER_UTF8},
    {"UnstructuredName", none, "1.2.840.113549.1.9.2", OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02"),
     1024, CHY_DER_UTF8},
};

/* As modules write them, sixteen to a request: no further look is needed. */
static int find_exact(const char *name)
{
    for (int p = 0; p < CHY_NAME_PROPS; p++) {
        if (chy_name_props[p].name[0] == name[0] && strcmp(chy_name_props[p].name, name) == 0)
            return p;
    }
    return -1;
}

int chy_name_prop_find(const char *name)
{
    bool main_only = (name[0] & 0x5f) == 'S' && strncasecmp(name, "Subject.", 8) == 0;
    if (main_only) name += 8;
    int exact = find_exact(name);
    if (exact >= 0) return exact;
    bool is_oid = name[0] >= '0' && name[0] <= '2';
    for (int p = 0; p < CHY_NAME_PROPS; p++) {
        const struct chy_name_prop *prop = &chy_name_props[p];
        if (chy_text_same(prop->name, name)) return p;
        if (main_only) continue;
        if (is_oid && strcmp(prop->oid_text, name) == 0) return p;
        for (size_t k = 0; prop->aliases[k]; k++) {
            if (chy_text_same(prop->aliases[k], name)) return p;
        }
    }
    return -1;
}

int chy_name_prop_by_oid(struct chy_span oid)
{
    for (int p = 0; p < CHY_NAME_PROPS; p++) {
        if (chy_span_eq(chy_name_props[p].oid, oid)) return p;
    }
    return -1;
}
