/* Request attributes: "Name:Value" lines, names compared without case, blanks and hyphens. */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

static char next_significant(const char **p)
{
    while (**p == ' ' || **p == '-')
        (*p)++;
    char c = **p;
    if (c) (*p)++;
    return (char)tolower((unsigned char)c);
}

bool chy_attribute_same(const char *a, const char *b)
{
    for (;;) {
        char x = next_significant(&a), y = next_significant(&b);
        if (x != y) return false;
        if (!x) return true;
    }
}

const char *chy_request_attribute(const struct chy_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_attr; i++) {
        if (chy_attribute_same(r->attr[i].name, name)) return r->attr[i].value;
    }
    return NULL;
}

static struct chy_span trim(struct chy_span s)
{
    while (s.n && isspace(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && isspace(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* What was submitted stands in the row; what an officer makes of it does not. */
static void note_change(struct chy_request *r, const char *name, const char *before,
                        const char *after)
{
    if (r->evidence.kind != CHY_EVIDENCE_CHANGED) return;
    struct chy_value was = chy_value_text(chy_span_cstr(before));
    struct chy_value is = chy_value_text(chy_span_cstr(after));
    chy_evidence_change(&r->evidence, CHY_CHANGE_ATTRIBUTE, chy_span_cstr(name), &was, &is);
}

bool chy_request_set_attribute(struct chy_request *r, struct chy_span name, struct chy_span value)
{
    name = trim(name);
    value = trim(value);
    if (!name.n || !value.n || name.n > CHY_ATTR_NAME_MAX || value.n > CHY_ATTR_VALUE_MAX)
        return false;
    if (!chy_utf8_valid(name) || !chy_utf8_valid(value)) return false;
    char *n = chy_arena_strndup(&r->arena, name.p, name.n);
    char *v = chy_arena_strndup(&r->arena, value.p, value.n);
    if (!n || !v) return false;
    for (size_t i = 0; i < r->n_attr; i++) {
        if (!chy_attribute_same(r->attr[i].name, n)) continue;
        note_change(r, r->attr[i].name, r->attr[i].value, v);
        r->attr[i].value = v; /* within one request a name occurs once: the last wins */
        return true;
    }
    if (r->n_attr == CHY_REQUEST_MAX_ATTRS) return false;
    note_change(r, n, NULL, v);
    r->attr[r->n_attr++] = (struct chy_attribute){n, v};
    return true;
}

/* SignedAttributes: names that count only when they came inside something signed. s NULL: the
 * default. */
static bool needs_signature(const struct chy_settings *s, struct chy_span name)
{
    char text[CHY_ATTR_NAME_MAX + 1];
    name = trim(name);
    if (name.n > CHY_ATTR_NAME_MAX) return false;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    if (!s) return chy_attribute_same("RequesterName", text);
    for (size_t i = 0; i < s->n_signed_attributes; i++) {
        if (chy_attribute_same(s->signed_attributes[i], text)) return true;
    }
    return false;
}

void chy_request_parse_attributes(struct chy_request *r, struct chy_span text, bool is_signed)
{
    struct chy_settings *s = r->ca ? chy_settings_get(r->ca) : NULL;
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct chy_span line = {text.p, end ? (size_t)(end - text.p) : text.n};
        const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        if (colon) {
            struct chy_span name = {line.p, (size_t)(colon - line.p)};
            struct chy_span value = {colon + 1, line.n - name.n - 1};
            if (is_signed || !needs_signature(s, name)) chy_request_set_attribute(r, name, value);
        }
        size_t used = end ? line.n + 1 : line.n;
        text.p += used;
        text.n -= used;
    }
    if (s) chy_settings_unref(s);
}
