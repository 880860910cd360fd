/* JSON in: what cJSON leaves open is closed here (depth, length, duplicate keys, octets behind). */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { MAX_DEPTH = 32, MAX_MEMBERS = 1000 };

static size_t digits_at(struct chy_span s, size_t i)
{
    size_t from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* Octets of the number at i; 0 when it is not in the form of RFC 8259 section 6. cJSON reads what
 * strtod does. */
static size_t number_at(struct chy_span s, size_t i)
{
    size_t from = i;
    if (s.p[i] == '-') i++;
    size_t n = digits_at(s, i);
    if (!n || (n > 1 && s.p[i] == '0')) return 0;
    i += n;
    if (i < s.n && s.p[i] == '.') {
        n = digits_at(s, ++i);
        if (!n) return 0;
        i += n;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        n = digits_at(s, i);
        if (!n) return 0;
        i += n;
    }
    return i - from;
}

/* cJSON's texts end at a NUL: one that is escaped would hide what stands behind it, and cJSON makes
 * one of any four characters that are no hexadecimal digits, too. */
static const char *fault_of_escape(struct chy_span s, size_t i)
{
    if (s.n - i < 2 || s.p[i + 1] != 'u') return NULL;
    for (size_t k = i + 2; k < i + 6; k++) {
        if (k >= s.n || !strchr("0123456789abcdefABCDEF", s.p[k])) return "a malformed escape";
    }
    return memcmp(s.p + i + 2, "0000", 4) == 0 ? "\\u0000 in a text" : NULL;
}

/* What cJSON would take, or recurse over, though it must not: why, or NULL. */
static const char *fault_of_form(struct chy_span s)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c < 0x20 && (quoted || !strchr("\t\r\n", c))) return "a control character";
        if (quoted) {
            const char *fault = c == '\\' ? fault_of_escape(s, i) : NULL;
            if (fault) return fault;
            if (c == '\\') i++; /* an escaped backslash begins no escape */
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH) return "nested deeper than 32";
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            size_t n = number_at(s, i);
            if (!n) return "a malformed number";
            i += n - 1;
        }
    }
    return NULL;
}

static bool too_wide(const cJSON *v)
{
    const cJSON *item;
    if (cJSON_IsObject(v) && cJSON_GetArraySize(v) > MAX_MEMBERS) return true;
    cJSON_ArrayForEach(item, v)
    {
        if (too_wide(item)) return true;
    }
    return false;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, since comparing each with each of a thousand made a small body costly. Not inlined: its
 * list is not to stand in every frame of the recursion below. */
__attribute__((noinline)) static const char *repeated_in(const cJSON *object)
{
    const char *keys[MAX_MEMBERS];
    size_t n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, object) keys[n++] = item->string;
    qsort(keys, n, sizeof(keys[0]), compare_keys);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(keys[i - 1], keys[i]) == 0) return keys[i];
    }
    return NULL;
}

/* Of a value that is not too wide. */
static const char *repeated_key(const cJSON *v)
{
    const cJSON *item;
    const char *twice = cJSON_IsObject(v) ? repeated_in(v) : NULL;
    cJSON_ArrayForEach(item, v)
    {
        if (twice) break;
        twice = repeated_key(item);
    }
    return twice;
}

/* cJSON does not tell a text that is wrong from memory that is short: what it refuses is looked at
 * twice. False: there is no memory. */
static bool parse(struct chy_span text, cJSON **v, const char **end)
{
    *v = cJSON_ParseWithLengthOpts((const char *)text.p, text.n, end, 0);
    if (*v) return true;
    void *probe = chy_malloc(sizeof(cJSON));
    if (probe) *v = cJSON_ParseWithLengthOpts((const char *)text.p, text.n, end, 0);
    chy_free(probe);
    return probe != NULL;
}

chy_hresult chy_json_parse(struct chy_span text, size_t max, cJSON **out, struct chy_err *err)
{
    const char *end = NULL;
    if (text.n > max)
        return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "JSON: %zu octets, at most %zu allowed",
                        text.n, max);
    if (!text.n || !chy_utf8_valid(text))
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: empty, or not UTF-8");
    const char *fault = fault_of_form(text);
    if (fault) return chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: %s", fault);
    cJSON *v;
    if (!parse(text, &v, &end)) return chy_fail_nomem(err, "JSON");
    if (!v) {
        size_t at = end ? (size_t)(end - (const char *)text.p) : 0;
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: error at octet %zu", at);
    }
    const char *tail = end, *stop = (const char *)text.p + text.n;
    while (tail < stop && strchr(" \t\r\n", *tail))
        tail++;
    if (too_wide(v)) {
        cJSON_Delete(v);
        return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH,
                        "JSON: an object of more than %d members", MAX_MEMBERS);
    }
    const char *twice = repeated_key(v);
    if (tail == stop && !twice) {
        *out = v;
        return CHY_S_OK;
    }
    chy_hresult hr =
        twice ? chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: key \"%.64s\" stands twice", twice)
              : chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: octets behind the value");
    cJSON_Delete(v);
    return hr;
}

const char *chy_json_str(const cJSON *obj, const char *key, struct chy_err *err)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (!v || cJSON_IsNull(v)) return NULL;
    if (cJSON_IsString(v)) return v->valuestring;
    chy_fail(err, CHY_E_INVALIDARG, "JSON: \"%s\" is to be a text", key);
    return NULL;
}

bool chy_json_int(const cJSON *obj, const char *key, int64_t *out, struct chy_err *err)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (!v || cJSON_IsNull(v)) return false;
    const double exact = 9007199254740992.0; /* 2^53: beyond it a double skips integers */
    if (!cJSON_IsNumber(v) || v->valuedouble >= exact || v->valuedouble <= -exact ||
        v->valuedouble != (double)(int64_t)v->valuedouble) {
        chy_fail(err, CHY_E_INVALIDARG, "JSON: \"%s\" is to be a whole number below 2^53", key);
        return false;
    }
    *out = (int64_t)v->valuedouble;
    return true;
}

chy_hresult chy_json_only(const cJSON *obj, const char *const *names, struct chy_err *err)
{
    const cJSON *item;
    if (!cJSON_IsObject(obj)) return chy_fail(err, CHY_E_INVALIDARG, "JSON: an object is expected");
    cJSON_ArrayForEach(item, obj)
    {
        bool known = false;
        for (size_t i = 0; names[i] && !known; i++)
            known = strcmp(names[i], item->string) == 0;
        if (!known)
            return chy_fail(err, CHY_E_INVALIDARG, "JSON: unknown key \"%.64s\"", item->string);
    }
    return CHY_S_OK;
}
