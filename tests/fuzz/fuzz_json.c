/* Any octets as JSON: what is accepted means the same after it was written again, and what is
 * refused says why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define IN_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_number(struct chy_json *j, const char *key, double value)
{
    char text[64];
    snprintf(text, sizeof(text), "%.17g", value);
    chy_json_add_raw(j, key, text);
}

/* False where a number is beyond what can be written. */
static bool write_value(struct chy_json *j, const char *key, const cJSON *v)
{
    const cJSON *item;
    bool exact = true;
    if (cJSON_IsString(v)) {
        chy_json_add_str(j, key, v->valuestring);
    } else if (cJSON_IsBool(v)) {
        chy_json_add_bool(j, key, cJSON_IsTrue(v));
    } else if (cJSON_IsNull(v)) {
        chy_json_add_null(j, key);
    } else if (cJSON_IsNumber(v)) {
        exact = v->valuedouble - v->valuedouble == 0.0;
        add_number(j, key, exact ? v->valuedouble : 0.0);
    } else {
        bool object = cJSON_IsObject(v);
        if (object) chy_json_object(j, key);
        if (!object) chy_json_array(j, key);
        cJSON_ArrayForEach(item, v)
        {
            if (object != (item->string != NULL)) abort();
            exact = write_value(j, item->string, item) && exact;
        }
        chy_json_end(j, object ? '}' : ']');
    }
    return exact;
}

static unsigned depth_of(const cJSON *v)
{
    const cJSON *item;
    unsigned deepest = 0;
    if (!cJSON_IsObject(v) && !cJSON_IsArray(v)) return 0;
    cJSON_ArrayForEach(item, v)
    {
        unsigned d = depth_of(item);
        if (d > deepest) deepest = d;
    }
    return deepest + 1;
}

static void check_members(const cJSON *v)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, v)
    {
        struct chy_err err = {0};
        int64_t n = 0;
        if (!item->string) continue;
        if (!chy_utf8_valid(chy_span_cstr(item->string))) abort();
        const char *s = chy_json_str(v, item->string, &err);
        if (s && (!cJSON_IsString(item) || s != item->valuestring)) abort();
        if (s && !chy_utf8_valid(chy_span_cstr(s))) abort();
        if (chy_json_int(v, item->string, &n, NULL) && (double)n != item->valuedouble) abort();
    }
}

/* In the order of both, for it was written in that. cJSON_Compare looks for each member on either
 * side: that doubles with every level. */
static bool is_same(const cJSON *a, const cJSON *b)
{
    if (a->type != b->type || (a->string != NULL) != (b->string != NULL)) return false;
    if (a->string && strcmp(a->string, b->string) != 0) return false;
    if (cJSON_IsString(a)) return strcmp(a->valuestring, b->valuestring) == 0;
    if (cJSON_IsNumber(a)) return a->valuedouble == b->valuedouble;
    const cJSON *x = a->child, *y = b->child;
    while (x && y && is_same(x, y)) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

static void check_accepted(const cJSON *v, size_t size)
{
    struct chy_buf b;
    struct chy_json j;
    struct chy_err err = {0};
    cJSON *again = NULL;
    size_t max = 64 + 32 * size;
    unsigned depth = depth_of(v);
    if (depth > 32) abort();
    check_members(v);
    chy_buf_init(&b, max);
    chy_json_begin(&j, &b);
    bool exact = write_value(&j, NULL, v);
    if (b.failed != (depth == 32)) abort(); /* the writer has one level less */
    if (!b.failed) {
        if (chy_json_parse(chy_buf_span(&b), max, &again, &err) != CHY_S_OK) abort();
        if (exact && !is_same(v, again)) abort();
    }
    cJSON_Delete(again);
    chy_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *v = NULL;
    struct chy_err err = {0};
    chy_hresult hr = chy_json_parse(chy_span_of(data, size), IN_MAX, &v, &err);
    if (hr == CHY_S_OK) {
        if (!v || err.text[0]) abort();
        check_accepted(v, size);
    } else if (!CHY_FAILED(hr) || v || err.code != hr || !err.text[0] ||
               !chy_utf8_valid(chy_span_cstr(err.text))) {
        abort();
    }
    cJSON_Delete(v);
    return 0;
}
