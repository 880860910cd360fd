/* Parts of the subject that rules fill in: fixed text, and {…} for what is known of the request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules.h"

enum { SOURCE_MAX = 80 };

/* The name in braces at text; false: they do not end, or hold nothing. */
static bool source_at(const char *text, char out[SOURCE_MAX], size_t *skip)
{
    size_t n = strcspn(text + 1, "}");
    if (!text[n + 1] || n == 0 || n >= SOURCE_MAX) return false;
    memcpy(out, text + 1, n);
    out[n] = 0;
    *skip = n + 2;
    return true;
}

static unsigned field_by_name(const char *name)
{
    for (unsigned f = 0; f < FIELDS; f++)
        if (f != SUBJECT_FIELDS + SAN_FIELDS - 1 && !strcasecmp(field_name[f], name)) return f;
    return FIELDS;
}

static bool is_attribute(const char *source)
{
    return !strncasecmp(source, "Attribute:", 10) && source[10];
}

const char *template_wrong(const char *text)
{
    char source[SOURCE_MAX];
    size_t skip;
    if (strlen(text) > 512) return "is longer than 512 octets";
    for (; *text; text += skip) {
        skip = 1;
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return "has a control character";
        if (*text != '{') continue;
        if (!source_at(text, source, &skip)) return "has a \"{\" without its \"}\"";
        if (field_by_name(source) == FIELDS && !is_attribute(source) &&
            strcasecmp(source, "Profile") != 0)
            return "names an unknown source: {CommonName} and the other parts of a subject, {dns}, "
                   "{ip}, {email}, {uri}, {upn}, {Requester}, {Profile} or {Attribute:NAME} are "
                   "expected";
    }
    return NULL;
}

/* The subject is looked up as it was asked for: at a second look nothing is derived from what the
 * first one derived. */
static const char *known(const struct work *w, const char *source)
{
    unsigned f = field_by_name(source);
    if (!strcasecmp(source, "Profile")) return w->profile[0] ? w->profile : NULL;
    if (f == FIELDS) return NULL;
    return names_first(f < SUBJECT_FIELDS ? &w->asked : &w->carried, f);
}

static chy_hresult add_attribute(struct work *w, const char *name, struct kit_text *to, bool *has)
{
    chy_str s = {NULL, 0};
    chy_hresult hr = w->sp.vt->get_request_attribute(w->sp.self, name, &s);
    *has = hr == CHY_S_OK && s.n;
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return cannot(w, hr, name);
    kit_add(to, s.p, s.n);
    w->host->vt->free(s.p);
    return CHY_S_OK;
}

static bool has_control(const struct kit_text *t)
{
    for (size_t i = 0; i < t->n; i++)
        if ((unsigned char)t->p[i] < 0x20 || t->p[i] == 0x7f) return true;
    return false;
}

/* *missing takes the source that the request has not. */
static chy_hresult expand(struct work *w, const char *text, struct kit_text *to,
                          char missing[SOURCE_MAX])
{
    char source[SOURCE_MAX];
    missing[0] = 0;
    while (*text && !missing[0]) {
        size_t skip = strcspn(text, "{");
        kit_add(to, text, skip);
        text += skip;
        if (!*text || !source_at(text, source, &skip)) break;
        text += skip;
        const char *value = known(w, source);
        bool has = value != NULL;
        if (value) kit_add_str(to, value);
        if (is_attribute(source)) {
            chy_hresult hr = add_attribute(w, source + 10, to, &has);
            if (CHY_FAILED(hr)) return hr;
        }
        if (!has) memcpy(missing, source, sizeof source);
    }
    return to->failed ? cannot(w, CHY_E_OUTOFMEMORY, "the subject") : CHY_S_OK;
}

static chy_hresult derive(struct work *w, const struct rules *r, unsigned field, struct names *l)
{
    struct kit_text t = {0};
    char missing[SOURCE_MAX], rule[64];
    snprintf(rule, sizeof rule, "Subject/%s/Set", field_name[field]);
    chy_hresult hr = expand(w, r->field[field].set, &t, missing);
    if (CHY_FAILED(hr)) {
        /* said already */
    } else if (missing[0] || has_control(&t)) {
        broken(w, r, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, rule,
               missing[0] ? "%s cannot be set: the request has no {%s}"
                          : "%s cannot be set: it would have a control character%s",
               field_name[field], missing);
    } else {
        names_clear(l, field);
        if (t.n && !names_add(l, field, t.p, t.n)) hr = cannot(w, CHY_E_OUTOFMEMORY, rule);
    }
    kit_text_free(&t);
    return hr;
}

chy_hresult names_derive(struct work *w, const struct rules *r, struct names *l)
{
    chy_hresult hr = CHY_S_OK;
    for (unsigned f = 0; f < SUBJECT_FIELDS && !CHY_FAILED(hr); f++)
        if (r->field[f].set) hr = derive(w, r, f, l);
    return hr;
}
