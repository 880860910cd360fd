/* What the bodies of administrative calls are made of. */
#include "admin/body.h"

#include <stdio.h>

#include "base/text.h"

chy_hresult chy_body_time(const cJSON *v, const char *key, chy_time *out, struct chy_err *err)
{
    const cJSON *t = cJSON_GetObjectItemCaseSensitive(v, key);
    char text[32] = "";
    int64_t number = 0;
    if (!t || cJSON_IsNull(t)) return CHY_S_OK;
    if (cJSON_IsNumber(t)) {
        if (!chy_json_int(v, key, &number, err)) return err->code;
        snprintf(text, sizeof(text), "%lld", (long long)number);
    }
    if (chy_time_parse(cJSON_IsString(t) ? t->valuestring : text, out)) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG,
                    "JSON: \"%s\" is to be a time such as 2026-11-21T07:00:00Z", key);
}

chy_hresult chy_body_read(struct chy_exchange *x, const char *const *names, cJSON **v,
                          struct chy_err *err)
{
    struct chy_span body = chy_exchange_body(x);
    if (!body.n) return CHY_S_OK;
    chy_hresult hr = chy_json_parse(body, CHY_BODY_MAX, v, err);
    return hr == CHY_S_OK ? chy_json_only(*v, names, err) : hr;
}

chy_hresult chy_body_number(const cJSON *v, const char *key, int64_t max, int64_t *out,
                            struct chy_err *err)
{
    int64_t n = 0;
    if (!chy_json_int(v, key, &n, err)) return err->code;
    if (n < 0 || n > max)
        return chy_fail(err, CHY_E_INVALIDARG, "JSON: \"%s\" is to be a number from 0 to %lld", key,
                        (long long)max);
    *out = n;
    return CHY_S_OK;
}

chy_hresult chy_body_flag(const cJSON *v, const char *key, bool *out, struct chy_err *err)
{
    const cJSON *f = cJSON_GetObjectItemCaseSensitive(v, key);
    if (!f || cJSON_IsNull(f)) return CHY_S_OK;
    *out = cJSON_IsTrue(f);
    if (cJSON_IsBool(f)) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG, "JSON: \"%s\" is to be true or false", key);
}
