#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

bool list_add(struct list *l, const char *p, size_t n)
{
    if (l->n == 1024) return false;
    char **v = realloc(l->v, (l->n + 1) * sizeof *v);
    if (v) {
        l->v = v;
        v[l->n] = strndup(p, n);
    }
    l->starved = !v || !v[l->n];
    if (l->starved) return false;
    l->n++;
    return true;
}

bool list_has(const struct list *l, const char *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcasecmp(l->v[i], s) == 0) return true;
    return false;
}

void list_free(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct list){0};
}

bool list_split(struct list *l, const char *text)
{
    while (*text) {
        text += strspn(text, ", \n\t");
        size_t n = strcspn(text, ", \n\t");
        if (n && !list_add(l, text, n)) return false;
        text += n;
    }
    return true;
}

static const char *const subject_parts[] = {
    "CommonName", "Country",  "DeviceSerialNumber",  "DomainComponent",  "EMail", "GivenName",
    "Initials",   "Locality", "Organization",        "OrgUnit",          "State", "StreetAddress",
    "SurName",    "Title",    "UnstructuredAddress", "UnstructuredName", NULL};
static const char *const ku_names[] = {
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
    "keyCertSign",      "cRLSign",        "encipherOnly",    "decipherOnly",     NULL};
static const char *const san_names[] = {"dns", "ip", "email", "uri", "upn", "dirname", NULL};
static const char *const revocation_names[] = {"default", "none", NULL};
static const char *const from_names[] = {"request", "none", "cn-from-san", NULL};

static int index_of(const char *const *names, const char *s)
{
    for (int i = 0; names[i]; i++)
        if (strcasecmp(names[i], s) == 0) return i;
    return -1;
}

static bool bits_of(const char *const *names, const struct list *v, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < v->n; i++) {
        int k = index_of(names, v->v[i]);
        if (k < 0) return false;
        *out |= 1u << k;
    }
    return true;
}

static bool number(const struct list *v, int64_t *out)
{
    char *end;
    if (v->n != 1) return false;
    *out = strtoll(v->v[0], &end, 10);
    return *end == 0 && end != v->v[0] && *out >= -1 && *out <= 1000000;
}

static bool oids_ok(const struct list *v)
{
    for (size_t i = 0; i < v->n; i++) {
        struct kit_der_out o;
        kit_der_start(&o);
        if (!kit_der_put_oid(&o, v->v[i])) return false;
    }
    return true;
}

static bool key_types_ok(const struct list *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (!kit_key_type_ok(v->v[i])) return false;
    return true;
}

static bool patterns_ok(const struct list *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (!san_pattern_ok(v->v[i])) return false;
    return true;
}

static bool parts_ok(const struct list *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (index_of(subject_parts, v->v[i]) < 0) return false;
    return true;
}

static bool anything_ok(const struct list *v)
{
    (void)v;
    return true;
}

static bool copy_list(struct list *to, const struct list *from)
{
    list_free(to);
    for (size_t i = 0; i < from->n; i++)
        if (!list_add(to, from->v[i], strlen(from->v[i]))) return false;
    return true;
}

/* A list of a profile, what its elements have to be, and how that is said. */
struct list_kind {
    struct list *at;
    bool (*ok)(const struct list *v);
    const char *rule;
};

static struct list_kind list_member(struct profile *p, const char *name)
{
    static const char oids[] = "is not a list of object identifiers";
    const struct {
        const char *name;
        struct list_kind kind;
    } t[] = {
        {"KeyTypes",
         {&p->key_types, key_types_ok,
          "names an unknown key type (rsa, rsa3072+, p256, ed25519…)"}},
        {"AllowedSubject", {&p->subject, parts_ok, "names an unknown part of a subject"}},
        {"SanNames",
         {&p->san_names, patterns_ok, "is not a list of domains, addresses and networks"}},
        {"Requesters", {&p->requesters, anything_ok, NULL}},
        {"ExtendedKeyUsage", {&p->eku, oids_ok, oids}},
        {"RequestExtensions", {&p->request_ext, oids_ok, oids}},
        {"CertificatePolicies", {&p->policies, oids_ok, oids}},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (strcasecmp(t[i].name, name) == 0) return t[i].kind;
    return (struct list_kind){0};
}

static bool *flag_member(struct profile *p, const char *name)
{
    const struct {
        const char *name;
        bool *at;
    } t[] = {{"SanRequired", &p->san_required},
             {"SanFromCn", &p->san_from_cn},
             {"CnInSan", &p->cn_in_san},
             {"WildcardAllowed", &p->wildcard},
             {"EkuFromRequest", &p->eku_from_request},
             {"BasicConstraintsCA", &p->ca},
             {"Pending", &p->pending},
             {"AddOcspNoCheck", &p->nocheck},
             {"Deny", &p->deny}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (strcasecmp(t[i].name, name) == 0) return t[i].at;
    return NULL;
}

static int64_t *number_member(struct profile *p, const char *name)
{
    if (!strcasecmp(name, "MinRsaBits")) return &p->min_rsa_bits;
    if (!strcasecmp(name, "MaxNames")) return &p->max_names;
    if (!strcasecmp(name, "ValidityDays")) return &p->validity_days;
    if (!strcasecmp(name, "PathLength")) return &p->path_length;
    return NULL;
}

static const char *number_set(struct profile *p, int64_t *to, const struct list *value)
{
    int64_t v;
    if (!number(value, &v)) return "is not a number from -1 to 1000000";
    if (to == &p->path_length) p->path_length_given = true;
    *to = v;
    return NULL;
}

const char *profile_set(struct profile *p, const char *name, const struct list *value)
{
    struct list_kind l = list_member(p, name);
    if (l.at) {
        if (!l.ok(value)) return l.rule;
        return copy_list(l.at, value) ? NULL : "needs more memory than there is";
    }
    int64_t v, *num = number_member(p, name);
    bool *flag = flag_member(p, name);
    if (num) return number_set(p, num, value);
    if (flag) {
        if (!number(value, &v) || v < 0 || v > 1) return "is neither 0 nor 1";
        *flag = v == 1;
        return NULL;
    }
    if (!strcasecmp(name, "KeyUsage"))
        return bits_of(ku_names, value, &p->key_usage) ? NULL : "names an unknown key usage";
    if (!strcasecmp(name, "SanTypes"))
        return bits_of(san_names, value, &p->san_types) ? NULL : "names an unknown type";
    if (!strcasecmp(name, "Revocation")) {
        int k = value->n == 1 ? index_of(revocation_names, value->v[0]) : -1;
        if (k < 0) return "is neither default nor none";
        p->no_revocation = k == 1;
        return NULL;
    }
    if (!strcasecmp(name, "SubjectFrom")) {
        int k = value->n == 1 ? index_of(from_names, value->v[0]) : -1;
        if (k < 0) return "is none of request, none, cn-from-san";
        p->subject_from = (unsigned)k;
        return NULL;
    }
    return "is not a setting of a profile";
}

const struct profile *config_profile(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcasecmp(c->profiles[i].name, name) == 0) return &c->profiles[i];
    return NULL;
}

struct profile *config_profile_add(struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcasecmp(c->profiles[i].name, name) == 0) return &c->profiles[i];
    if (c->n >= 256 || !*name || strlen(name) >= sizeof c->profiles->name) return NULL;
    struct profile *p = realloc(c->profiles, (c->n + 1) * sizeof *p);
    if (!p) return NULL;
    c->profiles = p;
    p += c->n++;
    *p = (struct profile){
        .min_rsa_bits = 2048, .max_names = 100, .validity_days = 90, .path_length = -1};
    p->key_usage = KU_DIGITAL_SIGNATURE;
    memcpy(p->name, name, strlen(name) + 1);
    return p;
}

void profile_free(struct profile *p)
{
    struct list *all[] = {&p->key_types,   &p->subject,  &p->san_names, &p->eku,
                          &p->request_ext, &p->policies, &p->requesters};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        list_free(all[i]);
}
