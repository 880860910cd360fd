/* Is this a module for us? Every field is looked at before any code of it runs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"

enum {
    TABLE_MAX = 4096,
    NAME_MAX_LEN = 32,
    /* of ABI 1.0: later members come behind, and modules without them load for ever */
    INFO_MIN = offsetof(chy_module_info, create) + sizeof(chy_create_fn)
};

static const char *told(struct why *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *told(struct why *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(b->text, sizeof b->text, fmt, ap);
    va_end(ap);
    return b->text;
}

static bool name_ok(const char *name)
{
    size_t n = strnlen(name, NAME_MAX_LEN + 1);
    return n >= 1 && n <= NAME_MAX_LEN &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

const char *descriptor_wrong(const chy_module_info *info, struct why *b)
{
    if (!info) return "chy_module_entry returned NULL";
    if (info->magic != CHY_MODULE_MAGIC)
        return told(b, "magic is 0x%08x, not 0x%08x: this is no Chancery module", info->magic,
                    CHY_MODULE_MAGIC);
    if (info->abi_version >> 16 != CHY_ABI_MAJOR)
        return told(b, "built for ABI %u.%u, this chain speaks %u.%u: rebuild it",
                    info->abi_version >> 16, info->abi_version & 0xffff, CHY_ABI_MAJOR,
                    CHY_ABI_MINOR);
    if (info->struct_size < INFO_MIN || info->struct_size > TABLE_MAX)
        return told(b, "descriptor of %u octets, at least %d are expected", info->struct_size,
                    INFO_MIN);
    if (!info->name || !name_ok(info->name)) return "its name is not [a-z0-9-]{1,32}";
    if (!info->version) return "it has no version";
    if (!info->class_names || !info->class_names[0]) return "it names no class";
    return info->create ? NULL : "it has no create function";
}

static const char *header_wrong(const chy_object *o, uint32_t iface, size_t smallest, struct why *b)
{
    if (!o->vt) return "it made an object without a table";
    if (o->vt->abi_version >> 16 != CHY_ABI_MAJOR)
        return told(b, "its table is of ABI %u, not %u", o->vt->abi_version >> 16, CHY_ABI_MAJOR);
    if (o->vt->iface_id != iface)
        return told(b, "its table is of interface %u, not %u", o->vt->iface_id, iface);
    if (o->vt->struct_size < smallest || o->vt->struct_size > TABLE_MAX)
        return told(b, "its table has %u octets, at least %zu are expected", o->vt->struct_size,
                    smallest);
    return NULL;
}

static const char *choose(bool direct, bool has_invoke, enum binding binding, bool *late)
{
    if (binding == BINDING_LATE && !has_invoke)
        return "it has no invoke, and Binding demands late binding";
    if (binding == BINDING_DIRECT && !direct)
        return "its direct members are missing, and Binding demands direct binding";
    if (!direct && !has_invoke) return "it has neither direct members nor invoke";
    *late = binding == BINDING_LATE || !direct;
    return NULL;
}

const char *policy_table_wrong(const chy_object *o, enum binding binding, bool *late, struct why *b)
{
    const char *rule = header_wrong(o, CHY_IID_POLICY, offsetof(chy_policy_vtbl, initialize), b);
    if (rule) return rule;
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)o->vt;
    if (!vt->release) return "its table has no release";
    bool direct =
        CHY_HAS(vt, chy_policy_vtbl, initialize) && CHY_HAS(vt, chy_policy_vtbl, verify_request) &&
        CHY_HAS(vt, chy_policy_vtbl, get_description) && CHY_HAS(vt, chy_policy_vtbl, shut_down);
    return choose(direct, vt->invoke != NULL, binding, late);
}

const char *manage_table_wrong(const chy_object *o, bool *late, struct why *b)
{
    const char *rule =
        header_wrong(o, CHY_IID_MANAGE_MODULE, offsetof(chy_manage_module_vtbl, get_property), b);
    if (rule) return rule;
    const chy_manage_module_vtbl *vt = (const chy_manage_module_vtbl *)(const void *)o->vt;
    if (!vt->release) return "its table has no release";
    bool direct = CHY_HAS(vt, chy_manage_module_vtbl, get_property) &&
                  CHY_HAS(vt, chy_manage_module_vtbl, set_property) &&
                  CHY_HAS(vt, chy_manage_module_vtbl, configure);
    return choose(direct, vt->invoke != NULL, BINDING_AUTO, late);
}

/* release stands first in every table of this major version, whatever the interface. */
void object_discard(const chy_object *o)
{
    if (!o->vt || o->vt->abi_version >> 16 != CHY_ABI_MAJOR) return;
    if (o->vt->struct_size < offsetof(chy_policy_vtbl, invoke)) return;
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)o->vt;
    if (vt->release) vt->release(o->self);
}
