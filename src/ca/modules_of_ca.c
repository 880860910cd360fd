/* The CA's modules: loading them at the opening, their settings, and saying what became of each. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "ca/ca_internal.h"

static chy_hresult variant_of_list(const cJSON *v, chy_variant *out)
{
    int n = cJSON_GetArraySize(v);
    chy_str *list = chy_module_alloc((size_t)(n ? n : 1) * sizeof(*list));
    if (!list) return CHY_E_OUTOFMEMORY;
    *out = (chy_variant){.vt = CHY_VT_STRV};
    out->u.sv.v = list;
    const cJSON *item;
    cJSON_ArrayForEach(item, v)
    {
        const char *s = cJSON_IsString(item) ? item->valuestring : "";
        if (!chy_module_str(&list[out->u.sv.n], s, strlen(s))) {
            chy_variant_clear(out);
            return CHY_E_OUTOFMEMORY;
        }
        out->u.sv.n++;
    }
    return CHY_S_OK;
}

static chy_hresult variant_of(const cJSON *v, chy_variant *out)
{
    if (cJSON_IsNumber(v)) {
        /* Flags are written as unsigned numbers: the 32 bits count. */
        return chy_variant_set_long(out, (chy_long)(uint32_t)(int64_t)v->valuedouble);
    }
    if (cJSON_IsBool(v)) return chy_variant_set_long(out, cJSON_IsTrue(v));
    if (cJSON_IsString(v)) return chy_variant_set_str(out, v->valuestring, strlen(v->valuestring));
    return cJSON_IsArray(v) ? variant_of_list(v, out) : CHY_E_INVALIDARG;
}

chy_hresult chy_module_get_setting(void *ca_arg, const char *location, const char *name,
                                   chy_variant *out)
{
    struct chy_ca *ca = ca_arg;
    struct chy_buf path, json;
    cJSON *v = NULL;
    chy_buf_init(&path, 512);
    chy_buf_init(&json, 1 << 20);
    chy_buf_addf(&path, "%s/%s", location, name);
    const char *p = chy_buf_cstr(&path);
    chy_hresult hr = p                        ? chy_config_value(ca->config, p, &json, NULL)
                     : chy_buf_starved(&path) ? CHY_E_OUTOFMEMORY
                                              : CHY_E_INVALIDARG;
    if (hr == CHY_S_FALSE) hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (hr == CHY_S_OK) hr = chy_buf_done(&json, "setting", NULL);
    if (hr == CHY_S_OK) hr = chy_json_parse(chy_buf_span(&json), 1 << 20, &v, NULL);
    if (hr == CHY_S_OK) hr = variant_of(v, out);
    cJSON_Delete(v);
    chy_buf_free(&path);
    chy_buf_free(&json);
    return hr;
}

chy_hresult chy_module_next_setting(void *ca_arg, const char *location, const char *after,
                                    chy_str *out)
{
    struct chy_ca *ca = ca_arg;
    struct chy_buf from, path;
    size_t skip = strlen(location) + 1;
    chy_buf_init(&from, 512);
    chy_buf_init(&path, 512);
    if (after) chy_buf_addf(&from, "%s/%s", location, after);
    const char *start = after ? chy_buf_cstr(&from) : NULL;
    chy_hresult hr = after && !start ? CHY_E_OUTOFMEMORY : CHY_S_FALSE;
    if (hr == CHY_S_FALSE && chy_config_next(ca->config, location, start, &path)) {
        hr = chy_buf_done(&path, "setting", NULL);
        if (hr == CHY_S_OK && path.n <= skip)
            hr = CHY_S_FALSE;
        else if (hr == CHY_S_OK && !chy_module_str(out, path.p + skip, path.n - skip))
            hr = CHY_E_OUTOFMEMORY;
    }
    chy_buf_free(&from);
    chy_buf_free(&path);
    return hr;
}

static void load_policy(struct chy_ca *ca, const struct chy_settings *s)
{
    struct chy_err err = {0};
    chy_hresult hr = CHY_E_FAIL;
    if (!s->policy || !*s->policy) {
        hr = chy_fail(&err, hr, "no policy module is configured: set PolicyModules/Active");
    } else {
        struct chy_place_texts texts;
        struct chy_place place;
        chy_ca_module_place(ca, s->policy, &texts, &place);
        hr =
            chy_policy_open_at(ca->modules, s->policy, NULL, s->binding, &place, &ca->policy, &err);
        chy_place_texts_clear(&texts);
        if (hr == CHY_S_OK) hr = chy_policy_initialize(ca->policy, ca->config_string, &err);
    }
    if (hr == CHY_S_OK) return;
    snprintf(ca->policy_error, sizeof(ca->policy_error), "policy module: %s", err.text);
    atomic_fetch_or(&ca->trouble, CHY_TROUBLE_POLICY);
    chy_log(CHY_LOG_LEVEL_ERROR, "policy.unusable", "ca", chy_ca_name(ca), "error", err.text, NULL);
    chy_health_check_policy(ca); /* a process that follows it may be up already */
}

/* Modules/NAME/KEY of a module, where NAME is what it calls itself. */
static bool is_on(struct chy_ca *ca, const char *module, const char *key)
{
    char path[256];
    struct chy_buf json;
    chy_buf_init(&json, 256);
    snprintf(path, sizeof(path), "Modules/%s/%s", module, key);
    bool on = chy_config_value(ca->config, path, &json, NULL) == CHY_S_OK && json.n == 1 &&
              json.p[0] == '1';
    chy_buf_free(&json);
    return on;
}

static const char *own_name(const struct chy_exit_slot *slot, struct chy_instance_info *info)
{
    if (!slot->instance) return slot->name;
    chy_instance_info(slot->instance, info);
    return info->name;
}

/* By what it calls itself, or by what it is configured as. */
static bool slot_is_on(struct chy_ca *ca, const struct chy_exit_slot *slot, const char *key)
{
    struct chy_instance_info info;
    return is_on(ca, own_name(slot, &info), key) || is_on(ca, slot->name, key);
}

void chy_ca_pause_modules(struct chy_ca *ca)
{
    for (size_t i = 0; i < ca->n_exits; i++) {
        struct chy_exit_slot *slot = &ca->exits[i];
        bool paused;
        do { /* another call may have set it by an older value */
            paused = slot_is_on(ca, slot, "Paused");
            if (atomic_exchange(&slot->paused, paused) != paused) chy_exit_wake(slot);
        } while (slot_is_on(ca, slot, "Paused") != paused);
    }
}

/* What a module asks for is kept, so that events are owed to it while it cannot be loaded. */
static void remember_mask(struct chy_ca *ca, struct chy_exit_slot *slot, bool loaded)
{
    char path[256];
    uint8_t be[4] = {(uint8_t)((uint32_t)slot->mask >> 24), (uint8_t)((uint32_t)slot->mask >> 16),
                     (uint8_t)((uint32_t)slot->mask >> 8), (uint8_t)slot->mask};
    struct chy_buf old;
    struct chy_err err = {0};
    chy_buf_init(&old, 64);
    snprintf(path, sizeof(path), "exit/%s/mask", slot->name);
    bool known = ca->store->ops->meta(ca->store, path, &old, &err) == CHY_S_OK && old.n == 4;
    if (!loaded && known)
        slot->mask = (chy_long)((uint32_t)old.p[0] << 24 | (uint32_t)old.p[1] << 16 |
                                (uint32_t)old.p[2] << 8 | old.p[3]);
    if (loaded && (!known || memcmp(old.p, be, 4) != 0)) {
        struct chy_write w = {.kind = CHY_WRITE_META, .path = path, .value = CHY_SPAN(be)};
        if (chy_store_write_wait(ca->store, &w, &err) != CHY_S_OK)
            chy_log(CHY_LOG_LEVEL_WARNING, "exit.mask", "error", err.text, NULL);
    }
    chy_buf_free(&old);
}

static void load_exit(struct chy_ca *ca, const struct chy_settings *s, const char *name)
{
    struct chy_exit_slot *slot = &ca->exits[ca->n_exits++];
    struct chy_err err = {0};
    pthread_mutex_init(&slot->lock, NULL);
    slot->ca = ca;
    slot->last_success = CHY_TIME_DEFAULT;
    struct chy_place_texts texts;
    struct chy_place place;
    chy_ca_module_place(ca, name, &texts, &place);
    slot->name = chy_strdup(name);
    chy_hresult hr = slot->name ? chy_exit_open_at(ca->modules, name, NULL, s->binding, &place,
                                                   &slot->instance, &err)
                                : chy_fail_nomem(&err, name);
    chy_place_texts_clear(&texts);
    if (hr == CHY_S_OK)
        hr = chy_exit_initialize(slot->instance, ca->config_string, &slot->mask, &err);
    if (hr == CHY_S_OK) {
        slot->synchronous = slot_is_on(ca, slot, "Synchronous");
        atomic_store(&slot->paused, slot_is_on(ca, slot, "Paused"));
    } else if (slot->instance) {
        chy_instance_free(slot->instance);
        slot->instance = NULL;
    }
    if (slot->name && !ca->is_new) remember_mask(ca, slot, hr == CHY_S_OK);
    if (hr == CHY_S_OK) return;
    snprintf(slot->error, sizeof(slot->error), "%s", err.text);
    chy_log(CHY_LOG_LEVEL_ERROR, "exit.unusable", "ca", chy_ca_name(ca), "module", name, "error",
            err.text, NULL);
}

static void log_loaded(struct chy_ca *ca, struct chy_instance *i)
{
    struct chy_instance_info info;
    if (!i) return;
    chy_instance_info(i, &info);
    chy_log(CHY_LOG_LEVEL_INFO, "module.loaded", "ca", chy_ca_name(ca), "module", info.name,
            "class", info.class_name, "version", info.version, "path", info.path, "sha256",
            info.sha256, "binding", info.late_bound ? "late" : "direct", "host",
            info.state == CHY_CHILD_NONE ? "daemon" : "process", "confined", info.confined, NULL);
}

/* Two that tell the same events would tell each of them twice, and neither know what the other
 * has told. */
static bool stands_before(struct chy_ca *ca, const struct chy_settings *s, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(s->exits[k], s->exits[i]) != 0) continue;
        chy_log(CHY_LOG_LEVEL_WARNING, "exit.twice", "ca", chy_ca_name(ca), "module", s->exits[i],
                "error", "it stands twice in ExitModules/Active, and counts once", NULL);
        return true;
    }
    return false;
}

void chy_ca_load_modules(struct chy_ca *ca)
{
    struct chy_settings *s = chy_settings_get(ca);
    load_policy(ca, s);
    log_loaded(ca, ca->policy);
    for (size_t i = 0; i < s->n_exits; i++) {
        if (stands_before(ca, s, i)) continue;
        load_exit(ca, s, s->exits[i]);
        log_loaded(ca, ca->exits[ca->n_exits - 1].instance);
    }
    chy_settings_unref(s);
}

void chy_ca_close_modules(struct chy_ca *ca)
{
    struct chy_err err = {0};
    for (size_t i = 0; i < ca->n_exits; i++) {
        if (ca->exits[i].instance) chy_instance_free(ca->exits[i].instance);
        ca->exits[i].instance = NULL;
    }
    if (ca->policy) {
        if (!(atomic_load(&ca->trouble) & CHY_TROUBLE_POLICY) &&
            chy_policy_shut_down(ca->policy, &err) != CHY_S_OK) {
            chy_log(CHY_LOG_LEVEL_WARNING, "policy.shutdown", "error", err.text, NULL);
        }
        chy_instance_free(ca->policy);
        ca->policy = NULL;
    }
    if (ca->modules) chy_modules_free(ca->modules);
    ca->modules = NULL;
}

static void refresh(struct chy_ca *ca, struct chy_instance *i, const char *path)
{
    struct chy_instance_info info;
    struct chy_err err = {0};
    if (!i) return;
    chy_instance_info(i, &info);
    size_t n = strlen(info.location);
    if (strncasecmp(path, info.location, n) != 0 || path[n] != '/') return;
    if (CHY_FAILED(chy_manage_configure(i, ca->config_string, CHY_CMM_REFRESHONLY, &err))) {
        chy_log(CHY_LOG_LEVEL_WARNING, "module.refresh", "module", info.name, "error", err.text,
                NULL);
    }
}

void chy_ca_refresh_module(struct chy_ca *ca, const char *path)
{
    refresh(ca, ca->policy, path);
    for (size_t i = 0; i < ca->n_exits; i++)
        refresh(ca, ca->exits[i].instance, path);
}

static void describe(struct chy_instance *i, struct chy_ca_module *out)
{
    struct chy_buf b;
    chy_buf_init(&b, sizeof(out->description) - 1);
    chy_instance_info(i, &out->info);
    bool answers = out->info.state == CHY_CHILD_NONE || out->info.state == CHY_CHILD_UP;
    if (answers && chy_instance_description(i, &b, NULL) == CHY_S_OK && b.n)
        memcpy(out->description, b.p, b.n);
    chy_buf_free(&b);
    chy_instance_info(i, &out->info);
    out->loaded = true;
}

size_t chy_ca_modules(struct chy_ca *ca, struct chy_ca_module *out, size_t max)
{
    size_t n = 0;
    if (n < max) {
        out[n] = (struct chy_ca_module){.is_policy = true, .name = "policy"};
        struct chy_ca_health h;
        chy_ca_health(ca, &h);
        if (ca->policy) describe(ca->policy, &out[n]);
        if (ca->policy) out[n].name = out[n].info.name;
        if (h.trouble & CHY_TROUBLE_POLICY) {
            out[n].loaded = false;
            snprintf(out[n].error, sizeof(out[n].error), "%s", ca->policy_error);
        }
        n++;
    }
    for (size_t i = 0; i < ca->n_exits && n < max; i++, n++) {
        out[n] = (struct chy_ca_module){.name = ca->exits[i].name, .event_mask = ca->exits[i].mask};
        if (ca->exits[i].instance) describe(ca->exits[i].instance, &out[n]);
        snprintf(out[n].error, sizeof(out[n].error), "%s", ca->exits[i].error);
    }
    return n;
}
