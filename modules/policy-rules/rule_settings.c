/* The settings of one profile, by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/settings.h"
#include "rules.h"

const char *const field_name[FIELDS] = {"CommonName",
                                        "Country",
                                        "DeviceSerialNumber",
                                        "DomainComponent",
                                        "EMail",
                                        "GivenName",
                                        "Initials",
                                        "Locality",
                                        "Organization",
                                        "OrgUnit",
                                        "State",
                                        "StreetAddress",
                                        "SurName",
                                        "Title",
                                        "UnstructuredAddress",
                                        "UnstructuredName",
                                        "dns",
                                        "ip",
                                        "email",
                                        "uri",
                                        "upn",
                                        "dirname",
                                        "Requester"};

enum kind { FLAG, NUMBER, TEXT, PATTERNS, KEYS, OIDS, URLS };
struct member {
    const char *name;
    enum kind kind;
    size_t at;
    int64_t min, max;
};

static const struct member members[] = {
    {"AuditOnly", FLAG, offsetof(struct rules, audit_only), 0, 0},
    {"Pend", FLAG, offsetof(struct rules, pend), 0, 0},
    {"Subject/OnlyListed", FLAG, offsetof(struct rules, subject_listed), 0, 0},
    {"San/OnlyListed", FLAG, offsetof(struct rules, san_listed), 0, 0},
    {"San/FromRequest", FLAG, offsetof(struct rules, san_from_request), 0, 0},
    {"San/MinCount", NUMBER, offsetof(struct rules, san_min), 0, VALUES_MAX},
    {"San/MaxCount", NUMBER, offsetof(struct rules, san_max), 0, VALUES_MAX},
    {"Names/Deny", PATTERNS, offsetof(struct rules, deny), 0, 0},
    {"Names/DenyFile", TEXT, offsetof(struct rules, deny_file), 0, 0},
    {"Key/Allow", KEYS, offsetof(struct rules, key_allow), 0, 0},
    {"Key/Deny", KEYS, offsetof(struct rules, key_deny), 0, 0},
    {"Key/MinRsaBits", NUMBER, offsetof(struct rules, min_rsa_bits), 512, 16384},
    {"Key/MaxRsaBits", NUMBER, offsetof(struct rules, max_rsa_bits), 512, 16384},
    {"Eku/Allow", OIDS, offsetof(struct rules, eku_allow), 0, 0},
    {"Eku/Deny", OIDS, offsetof(struct rules, eku_deny), 0, 0},
    {"Eku/Require", OIDS, offsetof(struct rules, eku_require), 0, 0},
    {"Eku/Set", OIDS, offsetof(struct rules, eku_set), 0, 0},
    {"Crl/Urls", URLS, offsetof(struct rules, crl_urls), 0, 0},
    {"Aia/Issuers", URLS, offsetof(struct rules, aia_issuers), 0, 0},
    {"Aia/Ocsp", URLS, offsetof(struct rules, aia_ocsp), 0, 0},
    {"Validity/MaxHours", NUMBER, offsetof(struct rules, max_hours), 1, 876000},
    {"Validity/MaxDays", NUMBER, offsetof(struct rules, max_days), 1, 36500},
    {"Validity/StartDelayMinutes", NUMBER, offsetof(struct rules, delay_minutes), 0, 525600},
    {"Validity/UtcOffsetMinutes", NUMBER, offsetof(struct rules, utc_offset_minutes), -840, 840},
    {"Quota/Count", NUMBER, offsetof(struct rules, quota_count), 0, 100000},
};

static const struct member field_members[] = {
    {"Allow", PATTERNS, offsetof(struct field_rule, allow), 0, 0},
    {"Deny", PATTERNS, offsetof(struct field_rule, deny), 0, 0},
    {"MinCount", NUMBER, offsetof(struct field_rule, min_count), 0, VALUES_MAX},
    {"MaxCount", NUMBER, offsetof(struct field_rule, max_count), 0, VALUES_MAX},
    {"MinLength", NUMBER, offsetof(struct field_rule, min_length), 0, NAME_CHARS_MAX},
    {"MaxLength", NUMBER, offsetof(struct field_rule, max_length), 0, NAME_CHARS_MAX},
    {"Set", TEXT, offsetof(struct field_rule, set), 0, 0},
};

static const char no_memory[] = "needs more memory than there is";

static const char *about(struct settings *s, const char *what, const char *element,
                         const char *rule)
{
    snprintf(s->why, sizeof s->why, "has the %s \"%.120s\", which %.200s", what, element, rule);
    return s->why;
}

static const char *number(struct settings *s, const struct member *m, int64_t *to,
                          const chy_variant *v)
{
    if (v->vt == CHY_VT_LONG && v->u.l >= m->min && v->u.l <= m->max) {
        *to = v->u.l;
        return NULL;
    }
    snprintf(s->why, sizeof s->why, "is not a number from %lld to %lld", (long long)m->min,
             (long long)m->max);
    return s->why;
}

static const char *flag(bool *to, const chy_variant *v)
{
    bool number = v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL;
    if (!number || v->u.l < 0 || v->u.l > 1) return "is neither 0 nor 1";
    *to = v->u.l == 1;
    return NULL;
}

static const char *text(char **to, const chy_variant *v)
{
    const char *p = kit_variant_text(v);
    if (!p) return "is not a text";
    free(*to);
    *to = strdup(p);
    return *to ? NULL : no_memory;
}

static const char *key_wrong(const char *e)
{
    return kit_key_type_ok(e) ? NULL
                              : "is none of rsa, rsa3072, rsa3072+, p256, p384+, p521, ed25519, "
                                "ed448";
}

static const char *oid_wrong(const char *e)
{
    struct kit_der_out o;
    kit_der_start(&o);
    return kit_der_put_oid(&o, e) ? NULL : "is no object identifier such as 1.3.6.1.5.5.7.3.1";
}

static const char *url_wrong(const char *e)
{
    static const char *const schemes[] = {"http://", "https://", "ldap://"};
    static const char rule[] = "is no http, https or ldap address of at most 500 characters";
    bool known = false;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        known = known || (!strncasecmp(e, schemes[i], n) && e[n]);
    }
    for (const char *p = e; *p; p++)
        if (*p <= 0x20 || *p > 0x7e) return rule;
    return known && strlen(e) <= 500 ? NULL : rule;
}

static const char *texts(struct settings *s, struct texts *to, enum kind kind, const chy_str *v,
                         size_t n)
{
    const char *what = kind == KEYS ? "key type" : kind == OIDS ? "element" : "address";
    texts_free(to);
    to->given = true;
    for (size_t i = 0; i < n; i++) {
        const char *rule = kind == KEYS   ? key_wrong(v[i].p)
                           : kind == OIDS ? oid_wrong(v[i].p)
                                          : url_wrong(v[i].p);
        if (rule) return about(s, what, v[i].p, rule);
        if (!texts_add(to, v[i].p)) return no_memory;
    }
    return n || kind == URLS ? NULL : "is an empty list: delete the setting instead";
}

static const char *patterns(struct settings *s, struct patterns *to, const chy_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *rule = patterns_add(to, v[i].p);
        if (rule) return about(s, "pattern", v[i].p, rule);
    }
    return n ? NULL : "is an empty list: delete the setting, or forbid all with MaxCount 0";
}

static const char *list(struct settings *s, const struct member *m, void *to, const chy_variant *v)
{
    chy_str *e;
    size_t n;
    const char *rule = kit_variant_list(v, &e, &n);
    if (rule) return rule;
    rule = m->kind == PATTERNS ? patterns(s, to, e, n) : texts(s, to, m->kind, e, n);
    kit_list_free(e, n);
    return rule;
}

static const char *give(struct settings *s, const struct member *m, void *base,
                        const chy_variant *v)
{
    void *to = (char *)base + m->at;
    switch (m->kind) {
    case FLAG: return flag(to, v);
    case NUMBER: return number(s, m, to, v);
    case TEXT: return text(to, v);
    default: return list(s, m, to, v);
    }
}

static const char *set_in(struct settings *s, const struct member *m, size_t n, void *base,
                          const char *name, const chy_variant *v, bool *known)
{
    *known = true;
    for (size_t i = 0; i < n; i++)
        if (!strcasecmp(m[i].name, name)) return give(s, &m[i], base, v);
    *known = false;
    return NULL;
}

/* "Subject/CommonName/Allow": the field and what is behind it. */
static bool field_of(const char *name, unsigned *field, const char **rest)
{
    static const struct {
        const char *folder;
        unsigned from, to;
    } t[] = {{"Subject/", 0, SUBJECT_FIELDS},
             {"San/", SUBJECT_FIELDS, FIELD_REQUESTER},
             {"", FIELD_REQUESTER, FIELDS}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        size_t skip = strlen(t[i].folder);
        if (strncasecmp(name, t[i].folder, skip) != 0) continue;
        for (unsigned f = t[i].from; f < t[i].to; f++) {
            size_t n = strlen(field_name[f]);
            if (strncasecmp(name + skip, field_name[f], n) != 0 || name[skip + n] != '/') continue;
            *field = f;
            *rest = name + skip + n + 1;
            return true;
        }
    }
    return false;
}

static const char *field_set(struct settings *s, struct rules *r, unsigned f, const char *rest,
                             const chy_variant *v)
{
    bool known;
    const char *rule = set_in(s, field_members, sizeof field_members / sizeof *field_members,
                              &r->field[f], rest, v, &known);
    if (!known) return "is none of Allow, Deny, MinCount, MaxCount, MinLength, MaxLength, Set";
    if (!rule && !strcasecmp(rest, "Set"))
        rule = f < SUBJECT_FIELDS ? template_wrong(r->field[f].set)
                                  : "is for parts of the subject only";
    r->field[f].given = true;
    return rule;
}

static const char *key_usage(struct rules *r, const chy_variant *v)
{
    static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                        "dataEncipherment", "keyAgreement",   "keyCertSign",
                                        "cRLSign",          "encipherOnly",   "decipherOnly"};
    chy_str *e;
    size_t n;
    const char *rule = kit_variant_list(v, &e, &n);
    if (rule) return rule;
    r->key_usage = 0;
    for (size_t i = 0; i < n && !rule; i++) {
        unsigned bit = 0;
        for (unsigned k = 0; k < sizeof names / sizeof names[0]; k++)
            if (!strcasecmp(names[k], e[i].p)) bit = CHY_KU_DIGITAL_SIGNATURE >> k;
        r->key_usage |= bit;
        if (!bit) rule = "names an unknown key usage";
        if (bit & (CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN))
            rule = "names keyCertSign or cRLSign: a CA is made by a profile of policy-default";
    }
    kit_list_free(e, n);
    return rule || r->key_usage ? rule : "names no key usage";
}

static const char *work_days(struct rules *r, const chy_variant *v)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    chy_str *e;
    size_t n;
    const char *rule = kit_variant_list(v, &e, &n);
    if (rule) return rule;
    r->work_days = 0;
    for (size_t i = 0; i < n && !rule; i++) {
        unsigned bit = 0;
        for (unsigned k = 0; k < 7; k++)
            if (!strcasecmp(names[k], e[i].p)) bit = 1u << k;
        r->work_days |= bit;
        if (!bit) rule = "is not a list of mon, tue, wed, thu, fri, sat, sun";
    }
    kit_list_free(e, n);
    return rule || r->work_days ? rule : "names no day";
}

static bool minutes_of(const char *s, int *out)
{
    for (size_t i = 0; i < 5; i++)
        if (i == 2 ? s[i] != ':' : s[i] < '0' || s[i] > '9') return false;
    int hours = (s[0] - '0') * 10 + s[1] - '0', minutes = (s[3] - '0') * 10 + s[4] - '0';
    *out = hours * 60 + minutes;
    return minutes < 60 && *out <= 24 * 60;
}

static const char *work_hours(struct rules *r, const chy_variant *v)
{
    const char *p = kit_variant_text(v);
    bool ok = p && strlen(p) == 11 && minutes_of(p, &r->work_from) && p[5] == '-' &&
              minutes_of(p + 6, &r->work_to) && r->work_from < r->work_to;
    if (ok && !r->work_days) r->work_days = 0x7f;
    return ok ? NULL : "is not a span such as 09:00-16:30";
}

static const char *end_of(struct rules *r, const chy_variant *v)
{
    const char *p = kit_variant_text(v);
    return p && moment_parse(p, &r->end) ? NULL : "is not a moment such as 2027-06-30T12:00:00Z";
}

static const char *quota_period(struct rules *r, const chy_variant *v)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const char *p = kit_variant_text(v);
    size_t digits = p ? strspn(p, "0123456789") : 0;
    if (digits == 0 || digits > 6 || !p[digits] || p[digits + 1])
        return "is not a period such as 12h, 7d or 30m";
    r->quota_us = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (p[digits] == units[i].letter)
            r->quota_us = strtoll(p, NULL, 10) * units[i].seconds * 1000000;
    bool ok = r->quota_us > 0 && r->quota_us <= INT64_C(366) * 86400000000;
    return ok ? NULL : "is not a period from 1s to 366d";
}

const char *rule_set(struct settings *s, struct rules *r, const char *name, const chy_variant *v)
{
    static const struct {
        const char *name;
        const char *(*set)(struct rules *r, const chy_variant *v);
    } t[] = {{"KeyUsage/Set", key_usage},
             {"Validity/WorkDays", work_days},
             {"Validity/WorkHours", work_hours},
             {"Validity/End", end_of},
             {"Quota/Period", quota_period}};
    bool known;
    unsigned f;
    const char *rest;
    const char *rule = set_in(s, members, sizeof members / sizeof *members, r, name, v, &known);
    if (known) return rule;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!strcasecmp(t[i].name, name)) return t[i].set(r, v);
    if (field_of(name, &f, &rest)) return field_set(s, r, f, rest, v);
    return "is no rule: see the table of rules, a rule with a typing error would not protect";
}

const char *rule_name(unsigned field, const char *what, char out[64])
{
    const char *folder = field < SUBJECT_FIELDS    ? "Subject/"
                         : field < FIELD_REQUESTER ? "San/"
                                                   : "";
    snprintf(out, 64, "%s%s/%s", folder, field_name[field], what);
    return out;
}

static const char *field_wrong(const struct field_rule *f, const char **what)
{
    *what = "MinCount";
    if (f->max_count != NO_MAX && f->min_count > f->max_count) return "is more than its MaxCount";
    *what = "MinLength";
    bool lengths = f->max_length != NO_MAX && f->min_length > f->max_length;
    return lengths ? "is more than its MaxLength" : NULL;
}

const char *rules_wrong(const struct rules *r, char setting[64])
{
    const char *rule = NULL, *what = NULL;
    for (unsigned i = 0; i < FIELDS && !rule; i++) {
        rule = field_wrong(&r->field[i], &what);
        if (rule) rule_name(i, what, setting);
    }
    if (!rule && r->san_max != NO_MAX && r->san_min > r->san_max) {
        snprintf(setting, 64, "San/MinCount");
        rule = "is more than San/MaxCount";
    }
    if (!rule && r->max_rsa_bits && r->min_rsa_bits > r->max_rsa_bits) {
        snprintf(setting, 64, "Key/MinRsaBits");
        rule = "is more than Key/MaxRsaBits";
    }
    return rule;
}

void rules_free(struct rules *r)
{
    struct texts *all[] = {&r->key_allow, &r->key_deny,    &r->eku_allow,
                           &r->eku_deny,  &r->eku_require, &r->eku_set,
                           &r->crl_urls,  &r->aia_issuers, &r->aia_ocsp};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        texts_free(all[i]);
    for (size_t i = 0; i < FIELDS; i++) {
        patterns_free(&r->field[i].allow);
        patterns_free(&r->field[i].deny);
        free(r->field[i].set);
    }
    patterns_free(&r->deny);
    free(r->deny_file);
    free(r);
}
