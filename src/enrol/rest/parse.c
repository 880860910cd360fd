/* A submission's body: DER, PEM, or JSON with attributes. */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "enrol/rest/rest.h"

enum { BODY_MAX = 256 << 10 };

chy_hresult chy_rest_attribute_lines(const void *json_object, struct chy_buf *out,
                                     struct chy_err *err)
{
    const cJSON *obj = json_object, *item;
    if (!obj) return CHY_S_OK;
    if (!cJSON_IsObject(obj))
        return chy_fail(err, CHY_E_INVALIDARG, "JSON: \"attributes\" is to be an object of texts");
    cJSON_ArrayForEach(item, obj)
    {
        /* A line break would smuggle a second attribute in. */
        if (!cJSON_IsString(item) || strpbrk(item->string, ":\r\n") ||
            strpbrk(item->valuestring, "\r\n")) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "JSON: attribute \"%.64s\" is to be one line of text", item->string);
        }
        chy_buf_addf(out, "%s:%s\n", item->string, item->valuestring);
    }
    return chy_buf_done(out, "attributes", err);
}

static chy_hresult read_json(struct chy_span body, struct chy_rest_submission *out,
                             struct chy_err *err)
{
    static const char *const names[] = {"request", "attributes", NULL};
    cJSON *v = NULL;
    chy_hresult hr = chy_json_parse(body, BODY_MAX, &v, err);
    if (hr == CHY_S_OK) hr = chy_json_only(v, names, err);
    if (hr == CHY_S_OK) {
        const char *request = chy_json_str(v, "request", err);
        if (!request)
            hr = chy_fail(err, CHY_E_INVALIDARG,
                          "JSON: \"request\" with a PKCS#10 in PEM is expected");
        chy_buf_add_str(&out->text, request ? request : "");
    }
    if (hr == CHY_S_OK) {
        hr = chy_rest_attribute_lines(cJSON_GetObjectItemCaseSensitive(v, "attributes"),
                                      &out->attributes, err);
    }
    cJSON_Delete(v);
    out->request = chy_buf_span(&out->text);
    return hr == CHY_S_OK ? chy_buf_done(&out->text, "request", err) : hr;
}

static bool is_type(const char *header, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(header, type, n) == 0 &&
           (header[n] == 0 || header[n] == ';' || header[n] == ' ');
}

chy_hresult chy_rest_read_submission(struct chy_exchange *x, struct chy_rest_submission *out,
                                     struct chy_err *err)
{
    struct chy_span body = chy_exchange_body(x);
    const char *type = chy_exchange_header(x, "Content-Type");
    const char *profile = chy_exchange_query(x, "profile");
    *out = (struct chy_rest_submission){.request = body};
    chy_buf_init(&out->attributes, 128 << 10);
    chy_buf_init(&out->text, BODY_MAX);
    if (!body.n)
        return chy_fail(err, CHY_E_INVALIDARG, "the body is empty: a PKCS#10 request is expected");
    if (profile && strpbrk(profile, "\r\n"))
        return chy_fail(err, CHY_E_INVALIDARG, "profile: one line is expected");
    if (profile) chy_buf_addf(&out->attributes, "CertificateTemplate:%s\n", profile);
    if (!type || is_type(type, "application/pkcs10") || is_type(type, "application/x-pem-file") ||
        is_type(type, "application/octet-stream") || is_type(type, "text/plain")) {
        return CHY_S_OK;
    }
    if (is_type(type, "application/json")) return read_json(body, out, err);
    return chy_fail(err, CHY_E_INVALIDARG,
                    "Content-Type %.64s: application/pkcs10, application/x-pem-file or "
                    "application/json is expected",
                    type);
}

void chy_rest_submission_free(struct chy_rest_submission *s)
{
    chy_buf_free(&s->attributes);
    chy_buf_free(&s->text);
}
