/* Configuration over HTTP: {"path", "value", "set"}. */
#include "admin/admin.h"
#include "base/json.h"

enum { VALUE_MAX = 1 << 20 };

static bool add_setting(const char *path, const char *json, bool is_set, void *arg)
{
    struct chy_json *j = arg;
    chy_json_object(j, NULL);
    chy_json_add_str(j, "path", path);
    chy_json_add_raw(j, "value", json);
    chy_json_add_bool(j, "set", is_set);
    chy_json_end(j, '}');
    return !j->out->failed;
}

static void finish(struct chy_exchange *x, chy_hresult hr, struct chy_buf *b, struct chy_err *err)
{
    if (hr == CHY_S_OK) {
        chy_exchange_reply_buf(x, 200, "application/json", b);
    } else {
        chy_exchange_problem(x, err);
    }
    chy_buf_free(b);
}

void chy_admin_config_list(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    const char *prefix = chy_exchange_query(x, "prefix");
    chy_service_caller(service, x, ca, &caller);
    chy_buf_init(&b, VALUE_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_array(&j, "settings");
    chy_hresult hr = chy_ca_config_list(ca, &caller, prefix ? prefix : "", add_setting, &j, &err);
    chy_json_end(&j, ']');
    chy_json_end(&j, '}');
    finish(x, hr, &b, &err);
}

void chy_admin_config_get(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_buf b, value;
    struct chy_json j;
    if (!ca) return;
    const char *path = chy_exchange_param(x, "path");
    chy_service_caller(service, x, ca, &caller);
    chy_buf_init(&b, VALUE_MAX);
    chy_buf_init(&value, VALUE_MAX);
    chy_hresult hr = chy_ca_config_get(ca, &caller, path, &value, &err);
    const char *text = hr == CHY_S_OK ? chy_buf_cstr(&value) : NULL;
    if (hr == CHY_S_OK) hr = chy_buf_done(&value, "setting", &err);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "path", path);
    if (text) chy_json_add_raw(&j, "value", text);
    chy_json_end(&j, '}');
    chy_buf_free(&value);
    finish(x, hr, &b, &err);
}

void chy_admin_config_put(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_buf b;
    cJSON *v = NULL;
    char *json = NULL;
    if (!ca) return;
    const char *path = chy_exchange_param(x, "path");
    static const char *const names[] = {"path", "value", NULL};
    chy_service_caller(service, x, ca, &caller);
    chy_hresult hr = chy_json_parse(chy_exchange_body(x), VALUE_MAX, &v, &err);
    if (hr == CHY_S_OK) hr = chy_json_only(v, names, &err);
    const cJSON *value = hr == CHY_S_OK ? cJSON_GetObjectItemCaseSensitive(v, "value") : NULL;
    if (hr == CHY_S_OK && !value)
        hr = chy_fail(&err, CHY_E_INVALIDARG, "JSON: {\"value\": …} is expected");
    if (value) json = cJSON_PrintUnformatted(value);
    if (hr == CHY_S_OK && !json) hr = chy_fail_nomem(&err, "setting");
    if (hr == CHY_S_OK) hr = chy_ca_config_set(ca, &caller, path, json, &err);
    chy_buf_init(&b, VALUE_MAX);
    if (hr == CHY_S_OK) {
        struct chy_json j;
        chy_json_begin(&j, &b);
        add_setting(path, json, true, &j);
    }
    cJSON_free(json);
    cJSON_Delete(v);
    finish(x, hr, &b, &err);
}

void chy_admin_config_delete(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    if (chy_ca_config_set(ca, &caller, chy_exchange_param(x, "path"), NULL, &err) == CHY_S_OK) {
        chy_exchange_reply(x, 204, NULL, (struct chy_span){0});
    } else {
        chy_exchange_problem(x, &err);
    }
}
