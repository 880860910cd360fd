/* Conditions on rows as text: COLUMN OP VALUE joined by "and", OP one of = != < <= > >= and ~
 * (begins with). A value with blanks stands in single or double quotes; a time is RFC 3339. */
#include "admin/where.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "enrol/row_json.h"

struct where {
    const char *p;
    struct chy_arena *a;
    struct chy_where *out;
};

static void skip_blanks(struct where *w)
{
    while (*w->p == ' ' || *w->p == '\t')
        w->p++;
}

static const char *read_word(struct where *w)
{
    const char *start = w->p;
    while (isalnum((unsigned char)*w->p) || *w->p == '_')
        w->p++;
    return w->p > start ? chy_arena_strndup(w->a, start, (size_t)(w->p - start)) : NULL;
}

static bool read_operator(struct where *w, enum chy_seek *out)
{
    static const struct {
        const char *text;
        enum chy_seek seek;
    } ops[] = {{"!=", CHY_SEEK_NE}, {"<=", CHY_SEEK_LE},   {">=", CHY_SEEK_GE},
               {"==", CHY_SEEK_EQ}, {"=", CHY_SEEK_EQ},    {"<", CHY_SEEK_LT},
               {">", CHY_SEEK_GT},  {"~", CHY_SEEK_PREFIX}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(ops); i++) {
        size_t n = strlen(ops[i].text);
        if (strncmp(w->p, ops[i].text, n) != 0) continue;
        *out = ops[i].seek;
        w->p += n;
        return true;
    }
    return false;
}

static const char *read_value(struct where *w)
{
    if (*w->p == '\'' || *w->p == '"') {
        char quote = *w->p++;
        const char *end = strchr(w->p, quote);
        if (!end) return NULL;
        const char *value = chy_arena_strndup(w->a, w->p, (size_t)(end - w->p));
        w->p = end + 1;
        return value;
    }
    const char *start = w->p;
    while (*w->p && *w->p != ' ' && *w->p != '\t')
        w->p++;
    return w->p > start ? chy_arena_strndup(w->a, start, (size_t)(w->p - start)) : NULL;
}

static int32_t disposition_of(const char *name)
{
    static const int32_t all[] = {CHY_DB_DISP_ACTIVE,  CHY_DB_DISP_PENDING, CHY_DB_DISP_FOREIGN,
                                  CHY_DB_DISP_CA_CERT, CHY_DB_DISP_ISSUED,  CHY_DB_DISP_REVOKED,
                                  CHY_DB_DISP_ERROR,   CHY_DB_DISP_DENIED};
    for (size_t i = 0; i < CHY_ARRAY_LEN(all); i++) {
        if (strcmp(chy_disposition_name(all[i]), name) == 0) return all[i];
    }
    return 0;
}

static bool is_time_column(const char *column)
{
    size_t n = strlen(column);
    return (n > 5 && strcmp(column + n - 5, "_when") == 0) || strncmp(column, "not_", 4) == 0;
}

static bool is_number_column(const char *column)
{
    static const char *const names[] = {
        "id",           "request_id",     "disposition",  "disposition_code",
        "status",       "revoked_reason", "issuer_index", "request_type",
        "request_flags"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], column) == 0) return true;
    }
    return false;
}

/* The value as the column has it: names of dispositions, times, numbers, or text. */
static bool set_value(struct chy_filter *f, const char *value)
{
    char *end;
    if (strcmp(f->column, "request_id") == 0) f->column = "id";
    if (strcmp(f->column, "disposition_code") == 0) f->column = "disposition";
    if (strcmp(f->column, "disposition") == 0 && (f->number = disposition_of(value)) != 0)
        return true;
    if (is_time_column(f->column)) return chy_time_parse(value, &f->number);
    if (is_number_column(f->column)) {
        f->number = strtoll(value, &end, 0);
        return end != value && !*end;
    }
    f->is_text = true;
    f->text = chy_span_cstr(value); /* of a serial number too: the store reads the digits */
    return true;
}

static chy_hresult parse_where(struct where *w, struct chy_err *err)
{
    const char *all = w->p;
    for (skip_blanks(w); *w->p; skip_blanks(w)) {
        struct chy_filter *f = &w->out->filter[w->out->n];
        if (w->out->n) {
            const char *word = read_word(w);
            if (!word || strcmp(word, "and") != 0) goto bad;
            skip_blanks(w);
        }
        if (w->out->n == CHY_WHERE_MAX) goto bad;
        const char *column = read_word(w);
        skip_blanks(w);
        if (!column || !read_operator(w, &f->seek)) goto bad;
        f->column = column;
        skip_blanks(w);
        const char *value = read_value(w);
        if (!value || !set_value(f, value)) goto bad;
        w->out->n++;
    }
    return CHY_S_OK;
bad:
    return chy_fail(
        err, CHY_E_INVALIDARG,
        "where: error at \"%.32s\": conditions are COLUMN = VALUE, joined by \"and\" (at most %d)",
        *w->p ? w->p : all, CHY_WHERE_MAX);
}

/* Issued and revoked: the states that have a certificate of this CA. */
static void add_issued_only(struct chy_where *w)
{
    w->filter[w->n++] = (struct chy_filter){
        .column = "disposition", .seek = CHY_SEEK_GE, .number = CHY_DB_DISP_LOG_MIN};
    w->filter[w->n++] = (struct chy_filter){
        .column = "disposition", .seek = CHY_SEEK_LT, .number = CHY_DB_DISP_LOG_FAILED_MIN};
}

chy_hresult chy_where_parse(const char *text, bool issued_only, struct chy_arena *a,
                            struct chy_where **out, struct chy_err *err)
{
    struct chy_where *w = chy_arena_alloc(a, sizeof(*w));
    if (!w) return chy_fail_nomem(err, "where");
    chy_hresult hr = parse_where(&(struct where){text ? text : "", a, w}, err);
    if (hr == CHY_S_OK && issued_only) add_issued_only(w);
    if (hr == CHY_S_OK) *out = w;
    return hr;
}
