/* Preconditions in the order of RFC 9110 13.2.2. What is malformed is not understood: as a list of
 * tags it matches nothing, as a date or a range it is not there. */
#include "net/http_conditions.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "net/http_date.h"

#define SPACE " \t"

enum field { IF_MATCH, IF_NONE_MATCH, IF_MODIFIED, IF_UNMODIFIED, IF_RANGE, RANGE, FIELD_N };

/* The first line of each, and whether there are more. */
struct fields {
    const char *value[FIELD_N];
    bool repeated[FIELD_N];
};

static const struct {
    const char *name;
    size_t n;
} names[FIELD_N] = {{"If-Match", 8},           {"If-None-Match", 13},
                    {"If-Modified-Since", 17}, {"If-Unmodified-Since", 19},
                    {"If-Range", 8},           {"Range", 5}};

static bool is_field(const struct chy_http_field *f, enum field k)
{
    return f->name_n == names[k].n && strncasecmp(f->name, names[k].name, names[k].n) == 0;
}

static void find(const struct chy_http_request *req, struct fields *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < req->field_n; i++) {
        const struct chy_http_field *f = &req->fields[i];
        char c = f->name_n ? f->name[0] : 0;
        if (c != 'I' && c != 'i' && c != 'R' && c != 'r') continue;
        for (int k = 0; k < FIELD_N; k++) {
            if (!is_field(f, (enum field)k)) continue;
            out->repeated[k] = out->value[k] != NULL;
            if (!out->value[k]) out->value[k] = f->value;
        }
    }
}

/* ---- entity tags: RFC 9110 8.8.3 ---- */

static struct chy_span opaque(struct chy_span tag, bool *weak)
{
    *weak = tag.n > 2 && tag.p[0] == 'W' && tag.p[1] == '/';
    return *weak ? chy_span_of(tag.p + 2, tag.n - 2) : tag;
}

static bool same_tag(struct chy_span a, struct chy_span b, bool strong)
{
    bool weak_a, weak_b;
    a = opaque(a, &weak_a);
    b = opaque(b, &weak_b);
    return !(strong && (weak_a || weak_b)) && chy_span_eq(a, b);
}

/* The tag that s begins with, up to its last quote; empty when there is none. */
static struct chy_span take_tag(const char *s)
{
    const char *p = s;
    if (p[0] == 'W' && p[1] == '/') p += 2;
    if (*p++ != '"') return (struct chy_span){NULL, 0};
    while ((unsigned char)*p > 0x20 && *p != '"') {
        p++;
    }
    return *p == '"' ? chy_span_of(s, (size_t)(p + 1 - s)) : (struct chy_span){NULL, 0};
}

static bool list_has(const char *s, const char *etag, bool strong)
{
    struct chy_span own = chy_span_cstr(etag);
    for (;;) {
        s += strspn(s, SPACE ",");
        struct chy_span tag = take_tag(s);
        if (!tag.n) return false;
        s += tag.n;
        s += strspn(s, SPACE);
        if (*s && *s != ',') return false;
        if (same_tag(own, tag, strong)) return true;
    }
}

/* Lines of the same name are one list (RFC 9110 5.3). */
static bool any_tag(const struct chy_http_request *req, enum field k, const char *etag, bool strong)
{
    for (unsigned i = 0; i < req->field_n; i++) {
        const struct chy_http_field *f = &req->fields[i];
        if (!is_field(f, k)) continue;
        if (strcmp(f->value, "*") == 0) return true;
        if (etag && list_has(f->value, etag, strong)) return true;
    }
    return false;
}

/* ---- dates ---- */

static chy_time second_of(chy_time t)
{
    return t / CHY_US_PER_S;
}

static bool has_date(const struct fields *f, enum field k, const struct chy_http_selected *sel,
                     chy_time *out)
{
    return f->value[k] && !f->repeated[k] && sel->modified > 0 &&
           chy_http_date_parse(f->value[k], sel->now, out);
}

static bool modified_since(const struct chy_http_selected *sel, chy_time date)
{
    return second_of(sel->modified) > second_of(date);
}

/* ---- ranges: RFC 9110 14.1.2, 14.2 ---- */

/* Stops at what is too large; false when there is no digit. */
static bool take_position(const char **s, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = *s;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t d = (uint64_t)(*p - '0');
        v = v > (UINT64_MAX - d) / 10 ? UINT64_MAX : v * 10 + d;
    }
    bool some = p != *s;
    *s = p;
    *out = v;
    return some;
}

static void unsatisfiable(struct chy_http_part *out)
{
    *out = (struct chy_http_part){416, 0, 0};
}

static void take_suffix(uint64_t n, uint64_t size, struct chy_http_part *out)
{
    if (n == 0) {
        unsatisfiable(out);
    } else if (size > 0) { /* there is no way to name the last octets of nothing */
        n = n < size ? n : size;
        *out = (struct chy_http_part){206, size - n, n};
    }
}

/* One range; several, and other units, leave the whole. */
static void apply_range(const char *s, uint64_t size, struct chy_http_part *out)
{
    uint64_t first = 0, last = UINT64_MAX;
    if (strncasecmp(s, "bytes=", 6) != 0) return;
    s += 6;
    s += strspn(s, SPACE);
    bool has_first = take_position(&s, &first);
    if (*s++ != '-') return;
    bool has_last = take_position(&s, &last);
    if (!has_last) last = UINT64_MAX;
    s += strspn(s, SPACE);
    if (*s || (!has_first && !has_last) || (has_first && last < first)) return;
    if (!has_first) {
        take_suffix(last, size, out);
    } else if (first >= size) {
        unsatisfiable(out);
    } else {
        if (last > size - 1) last = size - 1;
        *out = (struct chy_http_part){206, first, last - first + 1};
    }
}

/* RFC 9110 13.1.5: the tag by strong comparison; a date when it is the very same, and the file has
 * rested since, or it may have changed twice within that second (8.8.2.2). */
static bool same_as_before(const struct fields *f, const struct chy_http_selected *sel)
{
    const char *s = f->value[IF_RANGE];
    chy_time date;
    if (!s) return true;
    if (f->repeated[IF_RANGE]) return false;
    struct chy_span tag = take_tag(s);
    if (tag.n) return sel->etag && !s[tag.n] && same_tag(chy_span_cstr(sel->etag), tag, true);
    return has_date(f, IF_RANGE, sel, &date) && second_of(date) == second_of(sel->modified) &&
           second_of(sel->modified) < second_of(sel->now);
}

void chy_http_conditions(const struct chy_http_request *req, const struct chy_http_selected *sel,
                         struct chy_http_part *out)
{
    struct fields f;
    chy_time date;
    *out = (struct chy_http_part){200, 0, sel->size};
    bool get = strcmp(req->method, "GET") == 0;
    if (!get && strcmp(req->method, "HEAD") != 0) return;
    find(req, &f);
    bool failed = false, unchanged = false;
    if (f.value[IF_MATCH]) {
        failed = !any_tag(req, IF_MATCH, sel->etag, true);
    } else if (has_date(&f, IF_UNMODIFIED, sel, &date)) {
        failed = modified_since(sel, date);
    }
    if (f.value[IF_NONE_MATCH]) {
        unchanged = any_tag(req, IF_NONE_MATCH, sel->etag, false);
    } else if (has_date(&f, IF_MODIFIED, sel, &date)) {
        unchanged = !modified_since(sel, date);
    }
    if (failed || unchanged) {
        *out = (struct chy_http_part){failed ? 412 : 304, 0, 0};
    } else if (get && f.value[RANGE] && !f.repeated[RANGE] && same_as_before(&f, sel)) {
        apply_range(f.value[RANGE], sel->size, out);
    }
}
