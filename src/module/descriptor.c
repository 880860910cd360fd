/* Is this a module for us? Every field is looked at before any code of it runs, and a mismatch is
 * explained. */
#include <string.h>

#include "module/internal.h"

enum {
    TABLE_MAX = 4096,
    NAME_MAX_LEN = 32,
    /* of ABI 1.0: later members come behind, and modules without them load for ever */
    INFO_MIN = offsetof(chy_module_info, create) + sizeof(chy_create_fn)
};

static chy_hresult refuse(struct chy_err *err, const char *path, const char *why)
{
    return chy_fail(err, CHY_E_NOINTERFACE, "module %.200s: %s", path, why);
}

static bool name_ok(const char *name)
{
    size_t n = strnlen(name, NAME_MAX_LEN + 1);
    return n >= 1 && n <= NAME_MAX_LEN &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

chy_hresult chy_descriptor_check(const chy_module_info *info, const char *path, struct chy_err *err)
{
    if (!info) return refuse(err, path, "chy_module_entry returned NULL");
    if (info->magic != CHY_MODULE_MAGIC) {
        return chy_fail(err, CHY_E_NOINTERFACE,
                        "module %.200s: magic is 0x%08x, not 0x%08x: this is no Chancery module",
                        path, info->magic, CHY_MODULE_MAGIC);
    }
    if (info->abi_version >> 16 != CHY_ABI_MAJOR) {
        return chy_fail(
            err, CHY_E_NOINTERFACE,
            "module %.200s: built for ABI %u.%u, this chanceryd speaks %u.%u: rebuild it", path,
            info->abi_version >> 16, info->abi_version & 0xffff, CHY_ABI_MAJOR, CHY_ABI_MINOR);
    }
    if (info->struct_size < INFO_MIN || info->struct_size > TABLE_MAX) {
        return chy_fail(err, CHY_E_NOINTERFACE,
                        "module %.200s: descriptor of %u octets, at least %d are expected", path,
                        info->struct_size, INFO_MIN);
    }
    if (!info->name || !name_ok(info->name))
        return refuse(err, path, "its name is not [a-z0-9-]{1,32}");
    if (!info->version) return refuse(err, path, "it has no version");
    if (!info->class_names || !info->class_names[0]) return refuse(err, path, "it names no class");
    if (!info->create) return refuse(err, path, "it has no create function");
    return CHY_S_OK;
}

static chy_hresult check_header(const chy_object *o, uint32_t iface, size_t smallest,
                                struct chy_err *err)
{
    if (!o->vt) return chy_fail(err, CHY_E_NOINTERFACE, "it made an object without a table");
    if (o->vt->abi_version >> 16 != CHY_ABI_MAJOR) {
        return chy_fail(err, CHY_E_NOINTERFACE, "its table is of ABI %u, not %u",
                        o->vt->abi_version >> 16, CHY_ABI_MAJOR);
    }
    if (o->vt->iface_id != iface) {
        return chy_fail(err, CHY_E_NOINTERFACE, "its table is of interface %u, not %u",
                        o->vt->iface_id, iface);
    }
    if (o->vt->struct_size < smallest || o->vt->struct_size > TABLE_MAX) {
        return chy_fail(err, CHY_E_NOINTERFACE,
                        "its table has %u octets, at least %zu are expected", o->vt->struct_size,
                        smallest);
    }
    return CHY_S_OK;
}

static chy_hresult choose(bool direct, bool has_invoke, enum chy_binding binding, bool *late,
                          struct chy_err *err)
{
    if (binding == CHY_BINDING_LATE && !has_invoke) {
        return chy_fail(err, CHY_E_NOINTERFACE,
                        "it has no invoke, and late binding is demanded (ModuleBinding)");
    }
    if (binding == CHY_BINDING_DIRECT && !direct) {
        return chy_fail(
            err, CHY_E_NOINTERFACE,
            "its direct members are missing, and direct binding is demanded (ModuleBinding)");
    }
    if (!direct && !has_invoke)
        return chy_fail(err, CHY_E_NOINTERFACE, "it has neither direct members nor invoke");
    *late = binding == CHY_BINDING_LATE || !direct;
    return CHY_S_OK;
}

chy_hresult chy_policy_table_check(const chy_object *o, enum chy_binding binding, bool *late,
                                   struct chy_err *err)
{
    chy_hresult hr = check_header(o, CHY_IID_POLICY, offsetof(chy_policy_vtbl, initialize), err);
    if (hr != CHY_S_OK) return hr;
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)o->vt;
    if (!vt->release) return chy_fail(err, CHY_E_NOINTERFACE, "its table has no release");
    bool direct =
        CHY_HAS(vt, chy_policy_vtbl, initialize) && CHY_HAS(vt, chy_policy_vtbl, verify_request) &&
        CHY_HAS(vt, chy_policy_vtbl, get_description) && CHY_HAS(vt, chy_policy_vtbl, shut_down);
    return choose(direct, vt->invoke != NULL, binding, late, err);
}

chy_hresult chy_exit_table_check(const chy_object *o, enum chy_binding binding, bool *late,
                                 struct chy_err *err)
{
    chy_hresult hr = check_header(o, CHY_IID_EXIT, offsetof(chy_exit_vtbl, initialize), err);
    if (hr != CHY_S_OK) return hr;
    const chy_exit_vtbl *vt = (const chy_exit_vtbl *)(const void *)o->vt;
    if (!vt->release) return chy_fail(err, CHY_E_NOINTERFACE, "its table has no release");
    bool direct = CHY_HAS(vt, chy_exit_vtbl, initialize) && CHY_HAS(vt, chy_exit_vtbl, notify) &&
                  CHY_HAS(vt, chy_exit_vtbl, get_description);
    return choose(direct, vt->invoke != NULL, binding, late, err);
}

chy_hresult chy_manage_table_check(const chy_object *o, bool *direct, struct chy_err *err)
{
    chy_hresult hr =
        check_header(o, CHY_IID_MANAGE_MODULE, offsetof(chy_manage_module_vtbl, get_property), err);
    if (hr != CHY_S_OK) return hr;
    const chy_manage_module_vtbl *vt = (const chy_manage_module_vtbl *)(const void *)o->vt;
    if (!vt->release) return chy_fail(err, CHY_E_NOINTERFACE, "its table has no release");
    *direct = CHY_HAS(vt, chy_manage_module_vtbl, get_property) &&
              CHY_HAS(vt, chy_manage_module_vtbl, set_property) &&
              CHY_HAS(vt, chy_manage_module_vtbl, configure);
    bool late;
    return choose(*direct, vt->invoke != NULL, CHY_BINDING_AUTO, &late, err);
}

/* release stands first in every table of this major version, whatever the interface. */
void chy_object_discard(const chy_object *o)
{
    if (!o->vt || o->vt->abi_version >> 16 != CHY_ABI_MAJOR) return;
    if (o->vt->struct_size < offsetof(chy_policy_vtbl, invoke)) return;
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)o->vt;
    if (vt->release) vt->release(o->self);
}
