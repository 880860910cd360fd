/* Names of entries and filters from patterns. What is filled in was chosen by who asked for the
 * certificate, so all that is not plainly harmless is written as RFC 4514 2.4 and RFC 4515 3 allow
 * for any octet: as a backslash and two hex digits. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exit_ldap.h"
#include "kit/crls.h"
#include "subject.h"

enum { VALUE_MAX = 1024, NAME_MAX_ = 80 };
#define PARTITION "<CRLPartitionIndex>"

/* Where a %{NAME} comes from. */
enum origin { CERT_TEXT, REQUEST_TEXT, REQUEST_NUMBER, ALT_NAME, ALT_UPN, WHOLE_SUBJECT };
static const struct {
    const char *name;
    enum origin origin;
    int tag; /* of the GeneralName */
} user_fields[] = {{"CommonName", CERT_TEXT, 0},
                   {"Country", CERT_TEXT, 0},
                   {"DeviceSerialNumber", CERT_TEXT, 0},
                   {"DomainComponent", CERT_TEXT, 0},
                   {"EMail", CERT_TEXT, 0},
                   {"GivenName", CERT_TEXT, 0},
                   {"Initials", CERT_TEXT, 0},
                   {"Locality", CERT_TEXT, 0},
                   {"Organization", CERT_TEXT, 0},
                   {"OrgUnit", CERT_TEXT, 0},
                   {"State", CERT_TEXT, 0},
                   {"StreetAddress", CERT_TEXT, 0},
                   {"SurName", CERT_TEXT, 0},
                   {"Title", CERT_TEXT, 0},
                   {"UnstructuredName", CERT_TEXT, 0},
                   {"UnstructuredAddress", CERT_TEXT, 0},
                   {"UPN", ALT_UPN, 0},
                   {"SerialNumber", CERT_TEXT, 0},
                   {"CertificateTemplate", CERT_TEXT, 0},
                   {"RequesterName", REQUEST_TEXT, 0},
                   {"CallerName", REQUEST_TEXT, 0},
                   {"RequestID", REQUEST_NUMBER, 0},
                   {"SAN.email", ALT_NAME, 0x81},
                   {"SAN.dns", ALT_NAME, 0x82},
                   {"SAN.uri", ALT_NAME, 0x86},
                   {"Subject", WHOLE_SUBJECT, 0}};
enum { USER_FIELDS = sizeof user_fields / sizeof user_fields[0] };
#define ATTRIBUTE "attribute:"

/* ---- reading patterns ---- */

enum kind { LITERAL, FIELD, BASE, CA_FIELD, PARTITION_INDEX, BROKEN };
struct token {
    enum kind kind;
    const char *p; /* a literal's, or the name's */
    size_t n;
};

static struct token take_braces(const char **at)
{
    const char *from = *at + 2, *end = strchr(from, '}');
    size_t n = end ? (size_t)(end - from) : 0;
    if (!end || n == 0 || n > NAME_MAX_) return (struct token){.kind = BROKEN};
    *at = end + 1;
    return (struct token){FIELD, from, n};
}

static struct token next_token(const char **at)
{
    const char *p = *at;
    if (strncmp(p, PARTITION, strlen(PARTITION)) == 0) {
        *at += strlen(PARTITION);
        return (struct token){.kind = PARTITION_INDEX};
    }
    if (*p != '%') {
        size_t n = 1 + strcspn(p + 1, "%<");
        *at += n;
        return (struct token){LITERAL, p, n};
    }
    if (p[1] == '{') return take_braces(at);
    *at += p[1] ? 2 : 1;
    if (p[1] == '%') return (struct token){LITERAL, p, 1};
    if (p[1] == '6' && (p[2] < '0' || p[2] > '9')) return (struct token){.kind = BASE};
    if (p[1] && strchr("1234789", p[1]) && (p[2] < '0' || p[2] > '9'))
        return (struct token){CA_FIELD, p + 1, 1};
    return (struct token){.kind = BROKEN};
}

static bool is_attribute(const struct token *t)
{
    size_t n = strlen(ATTRIBUTE);
    return t->n > n && strncasecmp(t->p, ATTRIBUTE, n) == 0;
}

static int field_of(const struct token *t)
{
    for (int i = 0; i < USER_FIELDS; i++) {
        const char *name = user_fields[i].name;
        if (strlen(name) == t->n && strncasecmp(name, t->p, t->n) == 0) return i;
    }
    return -1;
}

static bool is_subject(const struct token *t)
{
    int i = t->kind == FIELD ? field_of(t) : -1;
    return i >= 0 && user_fields[i].origin == WHOLE_SUBJECT;
}

/* These are names of entries already: in a name they stand between commas. */
static bool is_name(const struct token *t)
{
    return t->kind == BASE || is_subject(t);
}

/* ---- checking patterns ---- */

static bool known(const struct token *t, bool of_user)
{
    if (t->kind == LITERAL || t->kind == BASE) return true;
    if (t->kind == FIELD) return of_user && (is_attribute(t) || field_of(t) >= 0);
    return t->kind != BROKEN && !of_user;
}

/* A field stands in a value, where the escapes mean something: behind the '=' of its assertion. */
static bool in_filter_value(const char *pattern, const char *at)
{
    while (at-- > pattern)
        if (strchr("()=", *at)) return *at == '=';
    return false;
}

static bool between_commas(const char *pattern, const char *from, const char *end)
{
    return (from == pattern || from[-1] == ',') && (!*end || *end == ',');
}

static const char *check_shape(const char *skeleton, enum escape escape)
{
    LDAPDN dn = NULL;
    int depth = 0;
    if (escape == ESCAPE_DN) {
        int rc = ldap_str2dn(skeleton, &dn, LDAP_DN_FORMAT_LDAPV3);
        bool empty = rc == LDAP_SUCCESS && (!dn || !dn[0]);
        if (dn) ldap_dnfree(dn);
        return rc != LDAP_SUCCESS || empty ? "is no distinguished name (RFC 4514)" : NULL;
    }
    if (escape == ESCAPE_NONE) return NULL;
    for (const char *c = skeleton; *c; c++) {
        depth += (*c == '(') - (*c == ')');
        if (depth < 0 || (depth == 0 && c[1])) return "is no filter in parentheses (RFC 4515)";
    }
    return skeleton[0] == '(' && depth == 0 ? NULL : "is no filter in parentheses (RFC 4515)";
}

static const char *check_place(const char *pattern, const char *from, const char *end,
                               const struct token *t, enum escape escape)
{
    if (t->kind == LITERAL) return NULL;
    if (escape == ESCAPE_FILTER && !in_filter_value(pattern, from))
        return "has a field outside of a value";
    if (escape == ESCAPE_DN && is_name(t) && !between_commas(pattern, from, end))
        return "has %6 or %{Subject} elsewhere than between commas";
    if (escape == ESCAPE_NONE && !memchr(pattern, '=', (size_t)(from - pattern)))
        return "has a field in front of the '='";
    return NULL;
}

/* In the skeleton a field is text that is good as a value and nowhere else. */
const char *template_check(const char *pattern, bool of_user, enum escape escape)
{
    struct kit_text skeleton = {0};
    const char *rule = strlen(pattern) > 2000 ? "is too long" : NULL;
    for (const char *at = pattern; *at && !rule;) {
        const char *from = at;
        struct token t = next_token(&at);
        if (!known(&t, of_user))
            rule = of_user ? "has a field that is not known: %{NAME}, %6 and %% are"
                           : "has a field that is none of %1 %2 %3 %4 %6 %7 %8 %9 %% " PARTITION;
        if (!rule) rule = check_place(pattern, from, at, &t, escape);
        if (t.kind == LITERAL)
            kit_add(&skeleton, t.p, t.n);
        else
            kit_add_str(&skeleton, is_name(&t) && escape == ESCAPE_DN ? "cn=x" : "\\41");
    }
    const char *text = kit_text_cstr(&skeleton);
    if (!rule) rule = text ? check_shape(text, escape) : "is longer than there is memory for";
    kit_text_free(&skeleton);
    return rule;
}

bool template_has_partition(const char *pattern)
{
    return strstr(pattern, PARTITION) != NULL;
}

/* ---- filling in ---- */

static bool is_plain(unsigned char c, enum escape escape)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c && strchr(escape == ESCAPE_DN ? "-_.@:/! " : "-_.@: ", c) != NULL;
}

void add_escaped(struct kit_text *out, const char *p, size_t n, enum escape escape)
{
    for (size_t i = 0; i < n; i++) {
        bool edge = p[i] == ' ' && (i == 0 || i + 1 == n);
        if (escape == ESCAPE_NONE || (is_plain((unsigned char)p[i], escape) && !edge))
            kit_add(out, p + i, 1);
        else
            kit_addf(out, "\\%02X", (unsigned)(unsigned char)p[i]);
    }
}

/* To chy_bytes_free. What is switched off was only asked for: it is not in the certificate, and
 * whose entry it names is for nobody to believe. */
static chy_hresult san_of(const struct source *from, chy_bytes *san)
{
    chy_long flags = 0;
    chy_hresult hr = chy_extension_bytes(from->task, "2.5.29.17", san, &flags);
    if (CHY_FAILED(hr) || !(flags & CHY_EXTENSION_DISABLE_FLAG)) return hr;
    chy_bytes_free(from->task->host, san);
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

/* The first GeneralName of the kind (RFC 5280 4.2.1.6). */
static chy_hresult alt_name(const struct source *from, int tag, char *out, size_t size)
{
    chy_bytes san;
    chy_hresult hr = san_of(from, &san);
    if (CHY_FAILED(hr)) return hr;
    struct der at = {san.p, san.n}, list = {0}, name;
    uint8_t found = 0;
    hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (der_next(&at, &found, &list) && found != 0x30) list.n = 0;
    while (hr == CHY_CERTSRV_E_PROPERTY_EMPTY && list.n && der_next(&list, &found, &name))
        if (found == tag) hr = chy_text_copy(out, size, (const char *)name.p, name.n);
    chy_bytes_free(from->task->host, &san);
    return hr;
}

/* The property may be told of a request that was not granted it, too. */
static chy_hresult upn(const struct source *from, char *out, size_t size)
{
    chy_bytes san;
    chy_hresult hr = san_of(from, &san);
    if (CHY_FAILED(hr)) return hr;
    chy_bytes_free(from->task->host, &san);
    return chy_cert_text(from->task, "UPN", out, size);
}

static chy_hresult whole_subject(const struct source *from, enum escape escape,
                                 struct kit_text *out)
{
    struct kit_text dn = {0};
    chy_bytes raw;
    chy_hresult hr = chy_cert_bytes(from->task, "RawName", &raw);
    if (CHY_FAILED(hr)) return hr;
    if (!subject_text((struct der){raw.p, raw.n}, &dn)) hr = CHY_ERROR_INVALID_DATA;
    chy_bytes_free(from->task->host, &raw);
    if (dn.failed) hr = CHY_E_OUTOFMEMORY;
    if (!CHY_FAILED(hr) && !dn.n) hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (!CHY_FAILED(hr)) add_escaped(out, dn.p, dn.n, escape == ESCAPE_DN ? ESCAPE_NONE : escape);
    kit_text_free(&dn);
    return hr;
}

static chy_hresult user_value(const struct source *from, const struct token *t, char *out,
                              size_t size)
{
    char name[NAME_MAX_ + 1];
    chy_long number;
    int i = field_of(t);
    snprintf(name, sizeof name, "%.*s", (int)t->n, t->p);
    if (i < 0) {
        chy_hresult hr = chy_attribute_text(from->task, name + strlen(ATTRIBUTE), "", out, size);
        return CHY_FAILED(hr) || *out ? hr : CHY_CERTSRV_E_PROPERTY_EMPTY;
    }
    if (user_fields[i].origin == ALT_NAME) return alt_name(from, user_fields[i].tag, out, size);
    if (user_fields[i].origin == ALT_UPN) return upn(from, out, size);
    if (user_fields[i].origin == CERT_TEXT) return chy_cert_text(from->task, name, out, size);
    if (user_fields[i].origin == REQUEST_TEXT) return chy_request_text(from->task, name, out, size);
    chy_hresult hr = chy_request_long(from->task, name, &number);
    snprintf(out, size, "%d", (int)number);
    return hr;
}

static chy_hresult ca_text(const struct source *from, const char *name, char *out, size_t size)
{
    chy_hresult hr = chy_cert_text(from->task, name, out, size);
    return hr == CHY_CERTSRV_E_PROPERTY_EMPTY ? CHY_S_OK : hr;
}

static chy_hresult ca_value(const struct source *from, char field, char *out, size_t size)
{
    char name[40];
    chy_hresult hr = CHY_S_OK;
    *out = 0;
    switch (field) {
    case '1': return ca_text(from, "MachineDNSName", out, size);
    case '2':
        hr = ca_text(from, "MachineDNSName", out, size);
        out[strcspn(out, ".")] = 0;
        return hr;
    case '3': return ca_text(from, "SanitizedCAName", out, size);
    case '7': return ca_text(from, "SanitizedShortName", out, size);
    case '9': return chy_text_copy(out, size, "+", from->delta);
    default:
        snprintf(name, sizeof name, "%s.%d", field == '4' ? "CertSuffix" : "CRLSuffix",
                 (int)from->index);
        return ca_text(from, name, out, size);
    }
}

static chy_hresult add_value(const struct source *from, const struct token *t, enum escape escape,
                             struct kit_text *out)
{
    char value[VALUE_MAX];
    chy_hresult hr = CHY_S_OK;
    if (t->kind == BASE) {
        const char *base = from->s->base_dn ? from->s->base_dn : "";
        add_escaped(out, base, strlen(base), escape == ESCAPE_DN ? ESCAPE_NONE : escape);
        return CHY_S_OK;
    }
    if (is_subject(t)) return whole_subject(from, escape, out);
    if (t->kind == PARTITION_INDEX)
        snprintf(value, sizeof value, "_Partition%05d", (int)from->partition);
    else if (t->kind == CA_FIELD)
        hr = ca_value(from, *t->p, value, sizeof value);
    else
        hr = user_value(from, t, value, sizeof value);
    if (t->kind == PARTITION_INDEX && !from->partition) value[0] = 0;
    if (hr == CHY_S_OK && t->kind == FIELD && strchr(value, '\n')) hr = CHY_ERROR_INVALID_DATA;
    if (hr == CHY_S_OK && t->kind == FIELD && !*value) hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (!CHY_FAILED(hr)) add_escaped(out, value, strlen(value), escape);
    return hr;
}

static chy_hresult refuse(const struct token *t, chy_hresult hr, char why[200])
{
    bool empty = hr == CHY_CERTSRV_E_PROPERTY_EMPTY, bad = hr == CHY_ERROR_INVALID_DATA;
    if (!empty && !bad && hr != CHY_CERTSRV_E_ENCODING_LENGTH) return hr;
    snprintf(why, 200, "%%{%.*s} %s", (int)t->n, t->p,
             empty ? "has no value"
             : bad ? "has several values, or one that is no text"
                   : "is too long");
    return CHY_S_FALSE;
}

chy_hresult template_fill(const struct source *from, const char *pattern, enum escape escape,
                          struct kit_text *out, char why[200])
{
    chy_hresult hr = CHY_S_OK;
    why[0] = 0;
    for (const char *at = pattern; *at && hr == CHY_S_OK;) {
        struct token t = next_token(&at);
        if (t.kind == LITERAL)
            kit_add(out, t.p, t.n);
        else
            hr = add_value(from, &t, escape, out);
        if (CHY_FAILED(hr)) hr = refuse(&t, hr, why);
    }
    if (hr == CHY_S_OK && !kit_text_cstr(out)) hr = CHY_E_OUTOFMEMORY;
    return hr;
}
