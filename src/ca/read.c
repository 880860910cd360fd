/* What may be read of a CA by whom: rows, and the configuration with its changes. */
#include <string.h>
#include <strings.h>

#include "ca/ca_internal.h"

static chy_hresult may_read(const struct chy_caller *caller, struct chy_err *err)
{
    uint32_t enough =
        CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ENROLL | CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER;
    if (caller->access & enough) return CHY_S_OK;
    return chy_fail(err, CHY_E_ACCESSDENIED, "%s may not read from this CA", caller->name);
}

static chy_hresult may_list(const struct chy_caller *caller, struct chy_err *err)
{
    if (caller->access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER))
        return CHY_S_OK;
    return chy_fail(err, CHY_E_ACCESSDENIED, "%s may not list this CA's requests", caller->name);
}

chy_hresult chy_ca_request(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                           struct chy_arena *a, struct chy_row *out, struct chy_err *err)
{
    chy_hresult hr = may_read(caller, err);
    return hr == CHY_S_OK ? ca->store->ops->get(ca->store, id, a, out, err) : hr;
}

chy_hresult chy_ca_certificate(struct chy_ca *ca, const struct chy_caller *caller,
                               struct chy_span serial, struct chy_arena *a, struct chy_row *out,
                               struct chy_err *err)
{
    chy_hresult hr = may_read(caller, err);
    return hr == CHY_S_OK ? ca->store->ops->get_by_serial(ca->store, serial, a, out, err) : hr;
}

chy_hresult chy_ca_query(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_query *q, chy_row_cb cb, void *arg, struct chy_err *err)
{
    chy_hresult hr = may_list(caller, err);
    return hr == CHY_S_OK ? ca->store->ops->query(ca->store, q, cb, arg, err) : hr;
}

chy_hresult chy_ca_evidence(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                            bool (*cb)(const struct chy_evidence_row *e, void *arg), void *arg,
                            struct chy_err *err)
{
    chy_hresult hr = may_list(caller, err);
    return hr == CHY_S_OK ? ca->store->ops->evidence(ca->store, id, cb, arg, err) : hr;
}

void chy_ca_retrieved(struct chy_ca *ca, int32_t id)
{
    chy_outbox_tell(ca, CHY_EXITEVENT_CERTRETRIEVEPENDING, id);
}

chy_hresult chy_ca_config_get(struct chy_ca *ca, const struct chy_caller *caller, const char *path,
                              struct chy_buf *json, struct chy_err *err)
{
    chy_hresult hr = may_list(caller, err);
    if (hr != CHY_S_OK) return hr;
    if (chy_config_value(ca->config, path, json, NULL) == CHY_S_OK)
        return chy_buf_done(json, "setting", err);
    hr = chy_config_check(path, NULL, err); /* an unknown name has the better text */
    return hr != CHY_S_OK
               ? hr
               : chy_fail(err, CHY_ERROR_FILE_NOT_FOUND, "setting %.64s is not set", path);
}

chy_hresult chy_ca_config_list(struct chy_ca *ca, const struct chy_caller *caller,
                               const char *prefix,
                               bool (*cb)(const char *path, const char *json, bool is_set,
                                          void *arg),
                               void *arg, struct chy_err *err)
{
    struct chy_buf path, next, json;
    chy_hresult hr = may_list(caller, err);
    if (hr != CHY_S_OK) return hr;
    chy_buf_init(&path, 1024);
    chy_buf_init(&next, 1024);
    chy_buf_init(&json, 1 << 20);
    bool first = true, more = true;
    while (more) {
        chy_buf_reset(&next);
        if (!chy_config_next(ca->config, prefix, first ? NULL : chy_buf_cstr(&path), &next)) break;
        bool is_set = false;
        chy_buf_reset(&json);
        chy_buf_reset(&path);
        chy_buf_add_span(&path, chy_buf_span(&next));
        first = false;
        const char *p = chy_buf_cstr(&path);
        if (p && chy_config_value(ca->config, p, &json, &is_set) == CHY_S_OK) {
            const char *text = chy_buf_cstr(&json);
            more = text && cb(p, text, is_set, arg);
        }
        hr = chy_buf_done(&path, "settings", err);
        if (hr == CHY_S_OK) hr = chy_buf_done(&json, "settings", err);
        more = more && hr == CHY_S_OK;
    }
    chy_buf_free(&path);
    chy_buf_free(&next);
    chy_buf_free(&json);
    return hr;
}

/* The new settings are made before anything is stored: a value that does not work is refused. */
static chy_hresult store_setting(struct chy_ca *ca, const struct chy_caller *caller,
                                 const char *path, const char *json, struct chy_settings **made,
                                 struct chy_err *err)
{
    struct chy_write w = {.kind = CHY_WRITE_CONFIG,
                          .path = path,
                          .value = chy_span_cstr(json),
                          .author = caller->name,
                          .when = chy_now(ca->clock)};
    char *other = json ? chy_strdup(json) : NULL; /* the new value, then the old */
    if (json && !other) return chy_fail_nomem(err, "setting");
    chy_hresult hr = chy_config_swap(ca->config, path, &other, err);
    if (hr != CHY_S_OK) {
        chy_free(other);
        return hr;
    }
    hr = chy_settings_make(ca, made, err);
    if (hr == CHY_S_OK) {
        hr = chy_store_write_wait(ca->store, &w, err);
        if (hr != CHY_S_OK) chy_health_store_failed(ca, err);
    }
    if (hr != CHY_S_OK) (void)chy_config_swap(ca->config, path, &other, NULL);
    chy_free(other);
    return hr;
}

chy_hresult chy_ca_config_set(struct chy_ca *ca, const struct chy_caller *caller, const char *path,
                              const char *json, struct chy_err *err)
{
    struct chy_settings *made = NULL;
    if (!(caller->access & CHY_CA_ACCESS_ADMIN)) {
        return chy_fail(err, CHY_E_ACCESSDENIED, "%s is no administrator of this CA", caller->name);
    }
    chy_hresult hr = chy_config_check(path, json, err);
    if (hr == CHY_S_OK) hr = store_setting(ca, caller, path, json, &made, err);
    if (hr != CHY_S_OK) {
        chy_settings_unref(made);
        return hr;
    }
    chy_settings_take(ca, made);
    chy_publisher_poke(ca);
    if (strncasecmp(path, "PolicyModules/", 14) != 0 && strncasecmp(path, "ExitModules/", 12) != 0)
        chy_check_poke(ca);
    chy_modules_settings_changed(ca->modules);
    chy_ca_refresh_module(ca, path);
    if (strncasecmp(path, "Modules/", 8) == 0) chy_ca_pause_modules(ca);
    chy_log(CHY_LOG_LEVEL_INFO, "config.set", "ca", chy_ca_name(ca), "path", path, "by",
            caller->name, NULL);
    return CHY_S_OK;
}
