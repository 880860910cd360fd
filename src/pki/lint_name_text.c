/* Lint: what a value of the subject says. RFC 5280 4.1.2.6, RFC 4518, X.520, ISO 3166-1. */
#include "pki/lint_int.h"

#include "base/text.h"
#include "pki/name.h"

#include <string.h>

#define OID_COUNTRY CHY_SPAN_STR("\x55\x04\x06")
#define OID_DC CHY_SPAN_STR("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")

/* The second letters that are assigned after each first one; ISO 3166-1 leaves AA, QM to QZ, XA to
 * XZ and ZZ to private use. */
static const char *const countries[26] = {
    "ADEFGILMOQRSTUWXZ",
    "ABDEFGHIJLMNOQRSTVWYZ",
    "ACDFGHIKLMNORUVWXYZ",
    "EJKMOZ",
    "CEGHRST",
    "IJKMOR",
    "ABDEFGHILMNPQRSTUWY",
    "KMNRTU",
    "DELMNOQRST",
    "EMOP",
    "EGHIMNPRWYZ",
    "ABCIKRSTUVY",
    "ACDEFGHKLMNOPQRSTUVWXYZ",
    "ACEFGILOPRUZ",
    "M",
    "AEFGHKLMNRSTWY",
    "AMNOPQRSTUVWXYZ",
    "EOSUW",
    "ABCDEGHIJKLMNORSTVXYZ",
    "CDFGHJKLMNORTVWZ",
    "AGMSYZ",
    "ACEGINU",
    "FS",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ET",
    "AMWZ",
};

static void check_country(struct chy_lint *l, const struct chy_lint_attr *a)
{
    const uint8_t *c = a->value.p;
    if (a->value.n != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z') {
        chy_lint_find(l, CHY_LR_NAME_COUNTRY, "'%.*s'", CHY_LINT_SHOW(a->value));
    } else if (!strchr(countries[c[0] - 'A'], c[1])) {
        chy_lint_find(l, CHY_LR_NAME_COUNTRY_KNOWN, "'%.2s'", (const char *)c);
    }
}

static size_t count_chars(const struct chy_lint_attr *a)
{
    if (a->tag != CHY_DER_UTF8) return a->value.n / chy_lint_char_width(a->tag);
    size_t n = 0;
    for (size_t i = 0; i < a->value.n; i++) {
        if ((a->value.p[i] & 0xc0) != 0x80) n++;
    }
    return n;
}

/* X.520 and RFC 5280 A.1, for what AD CS has no column or a wider one for. */
static const struct {
    struct chy_span oid;
    const char *name;
    size_t max_chars;
} more_bounds[] = {
    {CHY_LINT_OID("\x55\x04\x05"), "serialNumber", 64},
    {CHY_LINT_OID("\x55\x04\x0d"), "description", 1024},
    {CHY_LINT_OID("\x55\x04\x0f"), "businessCategory", 128},
    {CHY_LINT_OID("\x55\x04\x11"), "postalCode", 40},
    {CHY_LINT_OID("\x55\x04\x12"), "postOfficeBox", 40},
    {CHY_LINT_OID("\x55\x04\x14"), "telephoneNumber", 32},
    {CHY_LINT_OID("\x55\x04\x41"), "pseudonym", 128},
    {CHY_LINT_OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), "userid", 256},
};

/* A warning, because AD CS lets an administrator switch the bounds off (EnforceX500NameLengths). */
static void check_bounds(struct chy_lint *l, const struct chy_lint_attr *a)
{
    int prop = chy_name_prop_by_oid(a->oid);
    const char *name = prop < 0 ? NULL : chy_name_props[prop].name;
    size_t max = prop < 0 ? 0 : chy_name_props[prop].max_chars;
    for (size_t i = 0; i < CHY_ARRAY_LEN(more_bounds); i++) {
        if (!chy_span_eq(more_bounds[i].oid, a->oid)) continue;
        name = more_bounds[i].name;
        max = more_bounds[i].max_chars;
    }
    if (!name) return;
    size_t chars = count_chars(a);
    if (chars > max) {
        chy_lint_find(l, CHY_LR_NAME_BOUNDS, "%s has %zu characters of %zu", name, chars, max);
    }
}

static void check_blanks(struct chy_lint *l, struct chy_span v)
{
    bool says_something = false;
    for (size_t i = 0; i < v.n; i++) {
        says_something = says_something || (v.p[i] != '.' && v.p[i] != '-' && v.p[i] != ' ');
    }
    if (!says_something) {
        chy_lint_find(l, CHY_LR_NAME_PLACEHOLDER, "'%.*s'", CHY_LINT_SHOW(v));
    } else if (v.p[0] == ' ' || v.p[v.n - 1] == ' ') {
        chy_lint_find(l, CHY_LR_NAME_WHITE_SPACE, "'%.*s'", CHY_LINT_SHOW(v));
    }
}

/* "&lt;", "&#228;": an ampersand, two letters or digits at least, a semicolon. */
static void check_entities(struct chy_lint *l, struct chy_span v)
{
    const uint8_t *p = memchr(v.p, '&', v.n), *end = v.p + v.n;
    while (p) {
        const uint8_t *q = p + 1;
        if (q < end && *q == '#') q++;
        const uint8_t *word = p + 1;
        while (q < end && ((*q >= '0' && *q <= '9') || ((*q | 0x20) >= 'a' && (*q | 0x20) <= 'z')))
            q++;
        if (q > word + 1 && q < end && *q == ';') {
            chy_lint_find(l, CHY_LR_NAME_ENTITY, "'%.*s'", CHY_LINT_SHOW(v));
            return;
        }
        p = memchr(p + 1, '&', (size_t)(end - p - 1));
    }
}

/* The character that begins at p; only what is well-formed comes here, so 4 octets are enough. */
static uint32_t utf8_char(const uint8_t *p, size_t n, size_t *len)
{
    static const uint8_t masks[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    *len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (*len > n) *len = 1;
    uint32_t c = p[0] & masks[*len];
    for (size_t i = 1; i < *len; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return c;
}

/* RFC 4518 2.2 and 2.4: C1 controls, soft hyphen, zero-width and direction marks, variation
 * selectors, byte order mark, interlinear annotation, tags. */
static bool is_invisible(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x80, 0x9f},     {0xad, 0xad},     {0x34f, 0x34f},     {0x61c, 0x61c},   {0x180b, 0x180e},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
        {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(ranges); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    }
    return false;
}

/* Read as Latin-1, the octets of a two-octet character are U+00C2 or U+00C3, then U+0080 to U+00BF:
 * what a second encoding makes of them. */
static void check_unicode(struct chy_lint *l, struct chy_span v)
{
    uint32_t last = 0;
    bool invisible = false, lost = false, twice = false;
    size_t len;
    for (size_t i = 0; i < v.n; i += len) {
        uint32_t c = utf8_char(v.p + i, v.n - i, &len);
        bool pair = (last == 0xc2 || last == 0xc3) && c >= 0x80 && c <= 0xbf;
        twice = twice || pair;
        invisible = invisible || (c >= 0x80 && !pair && is_invisible(c));
        lost = lost || c == 0xfffd;
        last = c;
    }
    if (invisible) chy_lint_find(l, CHY_LR_NAME_INVISIBLE, "'%.*s'", CHY_LINT_SHOW(v));
    if (lost) chy_lint_find(l, CHY_LR_NAME_REPLACEMENT, "'%.*s'", CHY_LINT_SHOW(v));
    if (twice) chy_lint_find(l, CHY_LR_NAME_UTF8_ONCE, "'%.*s'", CHY_LINT_SHOW(v));
}

static bool has_high_octet(struct chy_span v)
{
    uint8_t all = 0;
    for (size_t i = 0; i < v.n; i++)
        all |= v.p[i];
    return all & 0x80;
}

static void check_label(struct chy_lint *l, struct chy_span v)
{
    struct chy_general_name gn = {.type = CHY_GN_DNS, .value = v};
    unsigned flags = CHY_GN_ALLOW_SINGLE_LABEL | CHY_GN_ALLOW_UNDERSCORE;
    bool number = true;
    for (size_t i = 0; i < v.n; i++)
        number = number && v.p[i] >= '0' && v.p[i] <= '9';
    if (number && v.n <= 63) return;
    if (!memchr(v.p, '.', v.n) && chy_general_name_check(&gn, flags, NULL) == CHY_S_OK) return;
    chy_lint_find(l, CHY_LR_NAME_DC, "'%.*s'", CHY_LINT_SHOW(v));
}

void chy_lint_attr_text(struct chy_lint *l, const struct chy_lint_attr *a)
{
    if (chy_lint_char_width(a->tag) == 1) {
        check_blanks(l, a->value);
        check_entities(l, a->value);
    }
    if (a->tag == CHY_DER_UTF8 && has_high_octet(a->value) && chy_utf8_valid(a->value)) {
        check_unicode(l, a->value);
    }
    if (chy_span_eq(a->oid, OID_COUNTRY)) {
        check_country(l, a);
        return;
    }
    check_bounds(l, a);
    if (chy_span_eq(a->oid, OID_DC)) check_label(l, a->value);
}
