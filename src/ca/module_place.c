/* Where a module runs, as Modules/NAME/… has it, and putting another in its place without a
 * restart. NAME is the module's own, or what its file is called. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca/ca_internal.h"

static bool get(struct chy_ca *ca, const char *folder, const char *name, chy_variant *out)
{
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    return chy_module_get_setting(ca, folder, name, out) == CHY_S_OK;
}

static unsigned number(struct chy_ca *ca, const char *folder, const char *name)
{
    chy_variant v;
    unsigned n = get(ca, folder, name, &v) && v.vt == CHY_VT_LONG ? (unsigned)v.u.l : 0;
    chy_variant_clear(&v);
    return n;
}

static size_t paths(struct chy_ca *ca, const char *folder, const char *name, chy_variant *kept,
                    const char **out)
{
    size_t n = 0;
    if (!get(ca, folder, name, kept) || kept->vt != CHY_VT_STRV) return 0;
    for (; n < kept->u.sv.n && n < CHY_PLACE_PATHS; n++)
        out[n] = kept->u.sv.v[n].p;
    return n;
}

/* "acme", "acme.so" and "/opt/acme.so" are all Modules/acme. */
static void folder_of(const char *module, char *out, size_t cap)
{
    const char *slash = strrchr(module, '/'), *name = slash ? slash + 1 : module;
    size_t n = strlen(name);
    if (n > 3 && strcmp(name + n - 3, ".so") == 0) n -= 3;
    snprintf(out, cap, "Modules/%.*s", (int)(n > 200 ? 200 : n), name);
}

void chy_ca_module_place(struct chy_ca *ca, const char *module, struct chy_place_texts *texts,
                         struct chy_place *out)
{
    char folder[256];
    chy_variant host;
    folder_of(module, folder, sizeof(folder));
    *out = (struct chy_place){.deadline_ms = number(ca, folder, "Deadline"),
                              .network = number(ca, folder, "Network") != 0,
                              .memory_mb = number(ca, folder, "MemoryMB"),
                              .max_failures = number(ca, folder, "MaxFailures")};
    out->process = get(ca, folder, "Host", &host) && host.vt == CHY_VT_STR &&
                   strcasecmp(host.u.s.p, "process") == 0;
    chy_variant_clear(&host);
    if (get(ca, folder, "User", &texts->user) && texts->user.vt == CHY_VT_STR &&
        texts->user.u.s.p[0])
        out->user = texts->user.u.s.p;
    out->n_read = paths(ca, folder, "ReadPaths", &texts->read, out->read);
    out->n_write = paths(ca, folder, "WritePaths", &texts->write, out->write);
}

void chy_place_texts_clear(struct chy_place_texts *t)
{
    chy_variant_clear(&t->user);
    chy_variant_clear(&t->read);
    chy_variant_clear(&t->write);
}

void chy_ca_child_changed(void *arg)
{
    chy_health_check_policy(arg);
}

size_t chy_ca_module_infos(struct chy_ca *ca, struct chy_instance_info *out, size_t max)
{
    size_t n = 0;
    if (ca->policy && n < max) chy_instance_info(ca->policy, &out[n++]);
    for (size_t i = 0; i < ca->n_exits && n < max; i++) {
        if (ca->exits[i].instance) chy_instance_info(ca->exits[i].instance, &out[n++]);
    }
    return n;
}

static struct chy_instance *find(struct chy_ca *ca, const char *name)
{
    struct chy_instance_info info;
    if (ca->policy) {
        chy_instance_info(ca->policy, &info);
        if (strcasecmp(info.name, name) == 0) return ca->policy;
    }
    for (size_t i = 0; i < ca->n_exits; i++) {
        if (!ca->exits[i].instance) continue;
        chy_instance_info(ca->exits[i].instance, &info);
        if (strcasecmp(info.name, name) == 0) return ca->exits[i].instance;
    }
    return NULL;
}

chy_hresult chy_ca_module_reload(struct chy_ca *ca, const struct chy_caller *caller,
                                 const char *name, bool *code, struct chy_instance_info *now,
                                 struct chy_err *err)
{
    chy_hresult hr;
    if (!(caller->access & CHY_CA_ACCESS_ADMIN))
        return chy_fail(err, CHY_E_ACCESSDENIED, "%s is no administrator of this CA", caller->name);
    struct chy_instance *i = find(ca, name);
    if (!i) {
        return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                        "module \"%.64s\": the CA has none of that name that is loaded: one that "
                        "failed at the start needs a restart",
                        name);
    }
    chy_instance_info(i, now);
    *code = now->state != CHY_CHILD_NONE;
    hr = *code ? chy_instance_reload(i, err)
               : chy_manage_configure(i, ca->config_string, CHY_CMM_REFRESHONLY, err);
    chy_instance_info(i, now);
    chy_log(CHY_FAILED(hr) ? CHY_LOG_LEVEL_WARNING : CHY_LOG_LEVEL_INFO, "module.reload", "ca",
            chy_ca_name(ca), "module", now->name, "by", caller->name, "version", now->version,
            "sha256", now->sha256, "error", CHY_FAILED(hr) && err ? err->text : "", NULL);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}
