/* The names of a request: read, checked against the rules, written back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

#define OID_SAN "2.5.29.17"

bool names_add(struct names *l, unsigned field, const char *p, size_t n)
{
    if (l->n == VALUES_MAX) return false;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        struct name *more = realloc(l->v, cap * sizeof *more);
        if (!more) return false;
        l->v = more;
        l->cap = cap;
    }
    char *copy = malloc(n + 1);
    if (!copy) return false;
    memcpy(copy, p, n);
    copy[n] = 0;
    struct name *name = &l->v[l->n++];
    name->field = field;
    name->text = copy;
    name->n = n;
    return true;
}

void names_clear(struct names *l, unsigned field)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].field == field)
            free(l->v[i].text);
        else
            l->v[kept++] = l->v[i];
    }
    l->n = kept;
}

bool names_copy(struct names *to, const struct names *from)
{
    for (size_t i = 0; i < from->n; i++)
        if (!names_add(to, from->v[i].field, from->v[i].text, from->v[i].n)) return false;
    return true;
}

void names_free(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].text);
    free(l->v);
    *l = (struct names){0};
}

const char *names_first(const struct names *l, unsigned field)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].field == field) return l->v[i].text;
    return NULL;
}

/* A part of the subject that stands there several times comes as lines. */
static bool add_lines(struct names *l, unsigned field, const char *p, size_t n)
{
    for (const char *end = p + n; p <= end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((stop ? stop : end) - p);
        if (len && !names_add(l, field, p, len)) return false;
        p += len + 1;
    }
    return true;
}

static chy_hresult read_part(struct work *w, bool asked, unsigned field)
{
    chy_variant v = chy_variant_empty();
    const char *name = field_name[field];
    const chy_server_policy_vtbl *vt = w->sp.vt;
    chy_hresult hr = asked
                         ? vt->get_request_property(w->sp.self, name, CHY_PROPTYPE_STRING, &v)
                         : vt->get_certificate_property(w->sp.self, name, CHY_PROPTYPE_STRING, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return cannot(w, hr, name);
    bool ok =
        v.vt == CHY_VT_STR && add_lines(asked ? &w->asked : &w->carried, field, v.u.s.p, v.u.s.n);
    w->host->vt->variant_clear(&v);
    return ok ? CHY_S_OK : cannot(w, CHY_E_OUTOFMEMORY, name);
}

static unsigned san_field(unsigned type)
{
    unsigned field = SUBJECT_FIELDS;
    for (; type > 1; type >>= 1)
        field++;
    return field;
}

/* What the rules cannot look at is not let pass, also where they only watch: the engine would
 * refuse it, too. */
static chy_hresult san_broken(struct work *w, const char *why)
{
    kit_addf(&w->refused, "the subject alternative names %s", why);
    w->code = CHY_CERTSRV_E_BAD_REQUESTSUBJECT;
    return CHY_S_OK;
}

static chy_hresult read_names(struct work *w, struct kit_der names)
{
    struct kit_der list;
    struct kit_san one;
    if (!kit_san_open(names, &list)) return san_broken(w, "are not DER (RFC 5280 4.2.1.6)");
    while (list.n) {
        if (!kit_san_next(&list, &one)) return san_broken(w, "are not DER (RFC 5280 4.2.1.6)");
        if (!one.type) return san_broken(w, "have one that is malformed or of an unknown kind");
        if (w->carried.n == VALUES_MAX) return san_broken(w, "are more than 512 names");
        if (!names_add(&w->carried, san_field(one.type), one.text, strlen(one.text)))
            return cannot(w, CHY_E_OUTOFMEMORY, "the subject alternative names");
    }
    return CHY_S_OK;
}

static bool takes_from_request(const struct work *w)
{
    for (size_t i = 0; i < w->n_rules; i++)
        if (w->rules[i]->san_from_request && !audits(w, w->rules[i])) return true;
    return false;
}

static chy_hresult read_san(struct work *w)
{
    chy_variant v;
    chy_long flags = 0;
    chy_hresult hr = ext_get(w, OID_SAN, &v, &flags);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    bool off = flags & CHY_EXTENSION_DISABLE_FLAG;
    bool asked = (flags & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_REQUEST;
    w->take_san = off && asked && takes_from_request(w);
    if (!off || w->take_san) hr = read_names(w, (struct kit_der){v.u.b.p, v.u.b.n});
    w->host->vt->variant_clear(&v);
    return hr;
}

/* What was asked for is only looked at where something is derived from it. */
static bool derives(const struct work *w)
{
    for (size_t i = 0; i < w->n_rules; i++)
        for (unsigned f = 0; f < SUBJECT_FIELDS; f++)
            if (w->rules[i]->field[f].set) return true;
    return false;
}

chy_hresult names_read(struct work *w)
{
    chy_hresult hr = CHY_S_OK;
    bool asked = derives(w);
    for (unsigned f = 0; f < SUBJECT_FIELDS && !CHY_FAILED(hr); f++) {
        if (asked) hr = read_part(w, true, f);
        if (!CHY_FAILED(hr)) hr = read_part(w, false, f);
    }
    if (!CHY_FAILED(hr) && w->requester[0] &&
        !names_add(&w->carried, FIELD_REQUESTER, w->requester, strlen(w->requester)))
        hr = cannot(w, CHY_E_OUTOFMEMORY, "the requester");
    return CHY_FAILED(hr) ? hr : read_san(w);
}

static chy_hresult code_of(unsigned field)
{
    return field == FIELD_REQUESTER ? CHY_CERTSRV_E_ENROLL_DENIED
                                    : CHY_CERTSRV_E_BAD_REQUESTSUBJECT;
}

static void check_length(struct work *w, const struct rules *r, const struct name *name, size_t n)
{
    const struct field_rule *f = &r->field[name->field];
    char rule[64];
    if ((int64_t)n < f->min_length)
        broken(w, r, code_of(name->field), rule_name(name->field, "MinLength", rule),
               "%s \"%.120s\" has %zu characters, at least %lld are expected",
               field_name[name->field], name->text, n, (long long)f->min_length);
    if (f->max_length != NO_MAX && (int64_t)n > f->max_length)
        broken(w, r, code_of(name->field), rule_name(name->field, "MaxLength", rule),
               "%s \"%.120s\" has %zu characters, at most %lld are allowed",
               field_name[name->field], name->text, n, (long long)f->max_length);
}

static void check_name(struct work *w, const struct rules *r, const struct name *name)
{
    const struct field_rule *f = &r->field[name->field];
    const char *what = field_name[name->field], *hit;
    struct value v;
    char rule[64];
    bool any_name = r->deny.n + r->deny.n_exact && name->field != FIELD_REQUESTER;
    if (!f->given && !any_name) return;
    const char *wrong = value_make(name->text, name->n, &v);
    if (wrong) {
        broken(w, r, code_of(name->field), rule_name(name->field, "*", rule), "%s \"%.80s\" %s",
               what, name->text, wrong);
        return;
    }
    check_length(w, r, name, v.n);
    if (any_name && (hit = patterns_find(&r->deny, &v)) != NULL)
        broken(w, r, code_of(name->field), "Names/Deny", "%s \"%.120s\" is denied by \"%.80s\"",
               what, name->text, hit);
    if ((hit = patterns_find(&f->deny, &v)) != NULL)
        broken(w, r, code_of(name->field), rule_name(name->field, "Deny", rule),
               "%s \"%.120s\" is denied by \"%.80s\"", what, name->text, hit);
    if (f->allow.n + f->allow.n_exact && !patterns_find(&f->allow, &v))
        broken(w, r, code_of(name->field), rule_name(name->field, "Allow", rule),
               "%s \"%.120s\" fits no pattern", what, name->text);
}

static void check_count(struct work *w, const struct rules *r, unsigned field, int64_t count)
{
    const struct field_rule *f = &r->field[field];
    char rule[64];
    if (count < f->min_count)
        broken(w, r, code_of(field), rule_name(field, "MinCount", rule),
               "there are %lld of %s, at least %lld are expected", (long long)count,
               field_name[field], (long long)f->min_count);
    if (f->max_count != NO_MAX && count > f->max_count)
        broken(w, r, code_of(field), rule_name(field, "MaxCount", rule),
               "there are %lld of %s, at most %lld are allowed", (long long)count,
               field_name[field], (long long)f->max_count);
    bool san = field >= SUBJECT_FIELDS && field < FIELD_REQUESTER;
    bool closed = san ? r->san_listed : r->subject_listed && field < SUBJECT_FIELDS;
    if (count && closed && !f->given)
        broken(w, r, code_of(field), san ? "San/OnlyListed" : "Subject/OnlyListed",
               "there is no rule for %s", field_name[field]);
}

/* A request of many names meets thousands of patterns: it fails alone, before its call overruns the
 * deadline and takes the module with it. */
static bool is_late(struct work *w)
{
    chy_long left;
    chy_hresult hr = w->host->vt->time_left(w->host->self, &left);
    w->late = w->late || (!CHY_FAILED(hr) && left < w->half);
    return w->late;
}

void names_check(struct work *w, const struct rules *r, const struct names *l)
{
    int64_t count[FIELDS] = {0}, sans = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (is_late(w)) return;
        count[l->v[i].field]++;
        sans += l->v[i].field >= SUBJECT_FIELDS && l->v[i].field < FIELD_REQUESTER;
        check_name(w, r, &l->v[i]);
    }
    for (unsigned f = 0; f < FIELDS; f++)
        check_count(w, r, f, count[f]);
    if (sans < r->san_min)
        broken(w, r, CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED, "San/MinCount",
               "there are %lld alternative names, at least %lld are expected", (long long)sans,
               (long long)r->san_min);
    if (r->san_max != NO_MAX && sans > r->san_max)
        broken(w, r, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "San/MaxCount",
               "there are %lld alternative names, at most %lld are allowed", (long long)sans,
               (long long)r->san_max);
}

chy_hresult names_apply(struct work *w, const struct rules *r)
{
    chy_hresult hr = CHY_S_OK;
    for (unsigned f = 0; f < SUBJECT_FIELDS && !CHY_FAILED(hr); f++) {
        if (!r->field[f].set) continue;
        const char *text = names_first(&w->carried, f);
        const chy_variant v = text ? chy_variant_of_text(text) : chy_variant_null();
        hr = w->sp.vt->set_certificate_property(w->sp.self, field_name[f], CHY_PROPTYPE_STRING, &v);
        if (CHY_FAILED(hr)) return cannot(w, hr, field_name[f]);
    }
    return hr;
}

static bool has_subject(const struct work *w)
{
    for (size_t i = 0; i < w->carried.n; i++)
        if (w->carried.v[i].field < SUBJECT_FIELDS) return true;
    return false;
}

/* RFC 5280 4.2.1.6: critical where there is no subject. */
chy_hresult san_apply(struct work *w)
{
    chy_variant v;
    if (!w->take_san) return CHY_S_OK;
    chy_hresult hr = ext_get(w, OID_SAN, &v, NULL);
    if (hr != CHY_S_OK) return hr;
    hr = ext_set(w, OID_SAN, !has_subject(w), v.u.b.p, v.u.b.n);
    w->host->vt->variant_clear(&v);
    return hr;
}
