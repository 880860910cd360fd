/* JSON in: what cJSON leaves open is closed here (depth, length, duplicate keys, octets behind). */
#include "base/json.h"

#include <string.h>

#include "base/text.h"

enum { MAX_DEPTH = 32, MAX_MEMBERS = 1000 };

/* Depth by counting brackets outside of strings, before cJSON recurses. */
static bool too_deep(struct chy_span s)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH) return true;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return false;
}

/* cJSON's texts end at a NUL: one that is escaped would hide what stands behind it. */
static bool has_escaped_nul(struct chy_span s)
{
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] != '\\') continue;
        if (s.p[i + 1] == 'u' && s.n - i >= 6 && memcmp(s.p + i + 2, "0000", 4) == 0) return true;
        i++; /* an escaped backslash begins no escape */
    }
    return false;
}

/* Looking for a repeated key costs the square of an object's size: its size is bounded. */
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

static const char *repeated_key(const cJSON *v)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, v)
    {
        if (cJSON_IsObject(v)) {
            for (const cJSON *next = item->next; next; next = next->next) {
                if (strcmp(item->string, next->string) == 0) return item->string;
            }
        }
        const char *below = repeated_key(item);
        if (below) return below;
    }
    return NULL;
}

chy_hresult chy_json_parse(struct chy_span text, size_t max, cJSON **out, struct chy_err *err)
{
    const char *end = NULL;
    if (text.n > max)
        return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "JSON: %zu octets, at most %zu allowed",
                        text.n, max);
    if (!text.n || !chy_utf8_valid(text))
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: empty, or not UTF-8");
    if (too_deep(text))
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: nested deeper than %d", MAX_DEPTH);
    if (has_escaped_nul(text))
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "JSON: \\u0000 in a text");
    cJSON *v = cJSON_ParseWithLengthOpts((const char *)text.p, text.n, &end, 0);
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
