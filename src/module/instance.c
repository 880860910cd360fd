/* Instances: one object of one class of one module. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "module/internal.h"

static void monotonic_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

chy_hresult chy_modules_new(const struct chy_modules_config *config, struct chy_modules **out,
                            struct chy_err *err)
{
    struct chy_modules *ms = chy_calloc(1, sizeof(*ms));
    if (!ms) return chy_fail_nomem(err, "modules");
    ms->config = *config;
    ms->shortest_ms = config->call_timeout_ms;
    ms->folder = chy_strdup(config->folder ? config->folder : "");
    pthread_mutex_init(&ms->lock, NULL);
    monotonic_cond_init(&ms->wake);
    chy_hresult hr = ms->folder ? chy_deadlines_start(ms, err) : chy_fail_nomem(err, "modules");
    if (hr != CHY_S_OK) {
        chy_free(ms->folder);
        chy_free(ms);
        return hr;
    }
    *out = ms;
    return CHY_S_OK;
}

static void hold_modules(struct chy_modules *ms, bool hold)
{
    pthread_mutex_lock(&ms->lock);
    if (hold) {
        ms->active++;
    } else {
        ms->active--;
    }
    pthread_mutex_unlock(&ms->lock);
}

void chy_modules_free(struct chy_modules *ms)
{
    atomic_store(&ms->closed, true);
    chy_modules_watch_children(ms, NULL, NULL); /* of an instance that is left to its thread */
    if (!chy_deadlines_stop(ms)) return;        /* left to the thread that is stuck in a module */
    while (ms->libraries) {
        struct chy_library *next = ms->libraries->next;
        chy_free(ms->libraries->path);
        chy_free(ms->libraries);
        ms->libraries = next;
    }
    pthread_mutex_destroy(&ms->lock);
    pthread_cond_destroy(&ms->wake);
    chy_free(ms->folder);
    chy_free(ms);
}

void chy_modules_watch(struct chy_modules *ms, const struct chy_watch *watch)
{
    pthread_mutex_lock(&ms->lock);
    ms->watch = *watch;
    pthread_mutex_unlock(&ms->lock);
}

void chy_modules_watch_children(struct chy_modules *ms, void (*changed)(void *arg), void *arg)
{
    pthread_mutex_lock(&ms->lock);
    ms->changed = changed;
    ms->changed_arg = arg;
    pthread_mutex_unlock(&ms->lock);
}

static bool ends_in(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcasecmp(s + n - m, tail) == 0;
}

static const char *find_class(const chy_module_info *info, const char *class_name, const char *kind)
{
    for (size_t i = 0; info->class_names[i]; i++) {
        const char *name = info->class_names[i];
        if (class_name ? strcasecmp(name, class_name) == 0 : ends_in(name, kind)) return name;
    }
    return NULL;
}

static void instance_free(struct chy_instance *i)
{
    chy_free(i->name);
    chy_free(i->class_name);
    chy_free(i->location);
    pthread_mutex_destroy(&i->gate);
    pthread_cond_destroy(&i->gate_opens);
    chy_free(i);
}

static chy_hresult make_object(struct chy_instance *i, enum chy_binding binding,
                               struct chy_err *err)
{
    const char *kind = i->is_policy ? ".Policy" : ".Exit";
    chy_hresult hr = i->library->info->create(&i->host, i->class_name, &i->object);
    if (CHY_FAILED(hr))
        return chy_fail(err, hr, "it could not create %s (0x%08x)", i->class_name, (unsigned)hr);
    hr = i->is_policy ? chy_policy_table_check(&i->object, binding, &i->late, err)
                      : chy_exit_table_check(&i->object, binding, &i->late, err);
    if (hr != CHY_S_OK) {
        chy_object_discard(&i->object);
        return chy_wrap(err, "class %s (%s)", i->class_name, kind);
    }
    i->concurrent = (i->object.vt->flags & CHY_IF_CONCURRENT) != 0;
    i->policy = (chy_policy){(const chy_policy_vtbl *)(const void *)i->object.vt, i->object.self};
    i->exit = (chy_exit){(const chy_exit_vtbl *)(const void *)i->object.vt, i->object.self};
    return CHY_S_OK;
}

chy_hresult chy_instance_name(struct chy_instance *i, const char *name, struct chy_err *err)
{
    char location[256];
    snprintf(location, sizeof(location), "%s/%s", i->is_policy ? "PolicyModules" : "ExitModules",
             name);
    i->name = chy_strdup(name);
    i->location = chy_strdup(location);
    return i->name && i->location ? CHY_S_OK : chy_fail_nomem(err, "module");
}

static struct chy_instance *instance_new(struct chy_modules *ms, bool is_policy,
                                         const struct chy_place *place)
{
    struct chy_instance *i = chy_calloc(1, sizeof(*i));
    if (!i) return NULL;
    pthread_mutex_init(&i->gate, NULL);
    monotonic_cond_init(&i->gate_opens);
    i->ms = ms;
    i->is_policy = is_policy;
    i->deadline_ms = place && place->deadline_ms ? place->deadline_ms : ms->config.call_timeout_ms;
    pthread_mutex_lock(&ms->lock);
    if (i->deadline_ms < ms->shortest_ms) ms->shortest_ms = i->deadline_ms;
    pthread_mutex_unlock(&ms->lock);
    return i;
}

/* The object of the library's class. */
static chy_hresult fill_instance(struct chy_instance *i, const char *class_name,
                                 enum chy_binding binding, struct chy_err *err)
{
    const chy_module_info *info = i->library->info;
    const char *found = find_class(info, class_name, i->is_policy ? ".Policy" : ".Exit");
    if (!found) {
        return chy_fail(err, CHY_REGDB_E_CLASSNOTREG, "module %s has no class %s", info->name,
                        class_name     ? class_name
                        : i->is_policy ? "….Policy"
                                       : "….Exit");
    }
    i->class_name = chy_strdup(found);
    chy_host_of(i, &i->host);
    chy_hresult hr =
        i->class_name ? chy_instance_name(i, info->name, err) : chy_fail_nomem(err, "module");
    if (hr == CHY_S_OK) hr = make_object(i, binding, err);
    if (hr != CHY_S_OK) chy_wrap(err, "module %s", info->name);
    return hr;
}

static chy_hresult open_instance(struct chy_modules *ms, const char *module, const char *class_name,
                                 bool is_policy, enum chy_binding binding,
                                 const struct chy_place *place, struct chy_instance **out,
                                 struct chy_err *err)
{
    struct chy_library *lib = NULL;
    bool process = place && place->process;
    chy_hresult hr = process ? CHY_S_OK : chy_library_load(ms, module, &lib, err);
    if (hr != CHY_S_OK) return hr;
    struct chy_instance *i = instance_new(ms, is_policy, place);
    if (!i) return chy_fail_nomem(err, "module");
    i->library = lib;
    hr = process ? chy_child_open(i, module, class_name, binding, place, err)
                 : fill_instance(i, class_name, binding, err);
    if (hr != CHY_S_OK) {
        instance_free(i);
        return hr;
    }
    *out = i;
    return CHY_S_OK;
}

chy_hresult chy_instance_open_fd(struct chy_modules *ms, int fd, const char *path,
                                 const char *class_name, bool is_policy, enum chy_binding binding,
                                 chy_hresult (*named)(const char *name, void *arg), void *arg,
                                 struct chy_instance **out, struct chy_err *err)
{
    struct chy_library *lib = NULL;
    chy_hresult hr = chy_library_map(ms, fd, path, &lib, err);
    if (hr == CHY_S_OK) hr = named(lib->info->name, arg);
    struct chy_instance *i = hr == CHY_S_OK ? instance_new(ms, is_policy, NULL) : NULL;
    if (hr == CHY_S_OK && !i) hr = chy_fail_nomem(err, "module");
    if (hr != CHY_S_OK) return hr;
    i->library = lib;
    hr = fill_instance(i, class_name, binding, err);
    if (hr != CHY_S_OK) {
        instance_free(i);
        return hr;
    }
    *out = i;
    return CHY_S_OK;
}

chy_hresult chy_policy_open(struct chy_modules *ms, const char *module, const char *class_name,
                            enum chy_binding binding, struct chy_instance **out,
                            struct chy_err *err)
{
    return open_instance(ms, module, class_name, true, binding, NULL, out, err);
}

chy_hresult chy_exit_open(struct chy_modules *ms, const char *module, const char *class_name,
                          enum chy_binding binding, struct chy_instance **out, struct chy_err *err)
{
    return open_instance(ms, module, class_name, false, binding, NULL, out, err);
}

chy_hresult chy_policy_open_at(struct chy_modules *ms, const char *module, const char *class_name,
                               enum chy_binding binding, const struct chy_place *place,
                               struct chy_instance **out, struct chy_err *err)
{
    return open_instance(ms, module, class_name, true, binding, place, out, err);
}

chy_hresult chy_exit_open_at(struct chy_modules *ms, const char *module, const char *class_name,
                             enum chy_binding binding, const struct chy_place *place,
                             struct chy_instance **out, struct chy_err *err)
{
    return open_instance(ms, module, class_name, false, binding, place, out, err);
}

chy_hresult chy_instance_reload(struct chy_instance *i, struct chy_err *err)
{
    if (!i->child) {
        return chy_fail(err, CHY_E_NOTIMPL,
                        "module %s runs in the daemon: its settings were read again, and new code "
                        "needs a restart, or Modules/%s/Host = process",
                        i->name, i->name);
    }
    /* As a call: what it uses is left to it where the end comes first. */
    atomic_fetch_add(&i->running, 1);
    hold_modules(i->ms, true);
    chy_hresult hr = chy_child_reload(i->child, err);
    hold_modules(i->ms, false);
    atomic_fetch_sub(&i->running, 1);
    return hr;
}

void chy_modules_settings_changed(struct chy_modules *ms)
{
    atomic_fetch_add(&ms->generation, 1);
}

void chy_instance_info(struct chy_instance *i, struct chy_instance_info *out)
{
    *out = (struct chy_instance_info){.name = i->name,
                                      .class_name = i->class_name,
                                      .location = i->location,
                                      .late_bound = i->late,
                                      .concurrent = i->concurrent,
                                      .quarantined = atomic_load(&i->quarantined),
                                      .calls = atomic_load(&i->calls),
                                      .failures = atomic_load(&i->failures),
                                      .busy_us = atomic_load(&i->busy_us),
                                      .deadline_ms = i->deadline_ms};
    if (i->child) {
        chy_child_info(i->child, out);
        return;
    }
    out->path = i->library->path;
    out->version = i->library->info->version;
    memcpy(out->sha256, i->library->sha256, sizeof(out->sha256));
    memcpy(out->sha256_octets, i->library->sha256_octets, sizeof(out->sha256_octets));
}

void chy_instance_free(struct chy_instance *i)
{
    /* A stuck thread may still be inside: then the object, and this value, are left to it. */
    if (atomic_load(&i->running)) return;
    if (i->child) {
        chy_child_free(i->child);
    } else {
        i->policy.vt->release(i->object.self);
    }
    instance_free(i);
}
