/* ABI 1.0, frozen for LP64: the size of each structure that crosses the border and the place of
 * each member. A later minor version adds lines at the end of a table and changes its size, nothing
 * else. */
#include <chancery/module.h>

#define SIZE(type, n) _Static_assert(sizeof(struct type) == (n), #type " has another size")
#define AT(type, member, n)                                                                        \
    _Static_assert(offsetof(struct type, member) == (n), #type "." #member " has moved")

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "the numbers below are those of LP64");
_Static_assert(CHY_MODULE_MAGIC == 0x4d594843, "the magic has changed");
_Static_assert(CHY_ABI_MAJOR == 1, "another major version: modules built before will not load");

SIZE(chy_str, 16);
AT(chy_str, p, 0);
AT(chy_str, n, 8);

SIZE(chy_bytes, 16);
AT(chy_bytes, p, 0);
AT(chy_bytes, n, 8);

SIZE(chy_variant, 32);
AT(chy_variant, vt, 0);
AT(chy_variant, reserved, 4);
AT(chy_variant, u, 8);

SIZE(chy_hdr, 16);
AT(chy_hdr, struct_size, 0);
AT(chy_hdr, abi_version, 4);
AT(chy_hdr, iface_id, 8);
AT(chy_hdr, flags, 12);

SIZE(chy_excep, 40);
AT(chy_excep, code, 0);
AT(chy_excep, source, 8);
AT(chy_excep, description, 24);

SIZE(chy_server_policy, 16);
AT(chy_server_policy, vt, 0);
AT(chy_server_policy, self, 8);

SIZE(chy_server_exit, 16);
AT(chy_server_exit, vt, 0);
AT(chy_server_exit, self, 8);

SIZE(chy_host_vtbl, 96);
AT(chy_host_vtbl, h, 0);
AT(chy_host_vtbl, alloc, 16);
AT(chy_host_vtbl, free, 24);
AT(chy_host_vtbl, variant_clear, 32);
AT(chy_host_vtbl, log, 40);
AT(chy_host_vtbl, new_server_policy, 48);
AT(chy_host_vtbl, new_server_exit, 56);
AT(chy_host_vtbl, get_setting, 64);
AT(chy_host_vtbl, next_setting, 72);
AT(chy_host_vtbl, time_left, 80);
AT(chy_host_vtbl, set_message, 88);

SIZE(chy_host, 16);
AT(chy_host, vt, 0);
AT(chy_host, self, 8);

SIZE(chy_server_policy_vtbl, 144);
AT(chy_server_policy_vtbl, h, 0);
AT(chy_server_policy_vtbl, release, 16);
AT(chy_server_policy_vtbl, invoke, 24);
AT(chy_server_policy_vtbl, set_context, 32);
AT(chy_server_policy_vtbl, get_request_property, 40);
AT(chy_server_policy_vtbl, get_request_attribute, 48);
AT(chy_server_policy_vtbl, get_certificate_property, 56);
AT(chy_server_policy_vtbl, set_certificate_property, 64);
AT(chy_server_policy_vtbl, get_certificate_extension, 72);
AT(chy_server_policy_vtbl, get_certificate_extension_flags, 80);
AT(chy_server_policy_vtbl, set_certificate_extension, 88);
AT(chy_server_policy_vtbl, enumerate_extensions_setup, 96);
AT(chy_server_policy_vtbl, enumerate_extensions, 104);
AT(chy_server_policy_vtbl, enumerate_extensions_close, 112);
AT(chy_server_policy_vtbl, enumerate_attributes_setup, 120);
AT(chy_server_policy_vtbl, enumerate_attributes, 128);
AT(chy_server_policy_vtbl, enumerate_attributes_close, 136);

SIZE(chy_server_exit_vtbl, 128);
AT(chy_server_exit_vtbl, h, 0);
AT(chy_server_exit_vtbl, release, 16);
AT(chy_server_exit_vtbl, invoke, 24);
AT(chy_server_exit_vtbl, set_context, 32);
AT(chy_server_exit_vtbl, get_request_property, 40);
AT(chy_server_exit_vtbl, get_request_attribute, 48);
AT(chy_server_exit_vtbl, get_certificate_property, 56);
AT(chy_server_exit_vtbl, get_certificate_extension, 64);
AT(chy_server_exit_vtbl, get_certificate_extension_flags, 72);
AT(chy_server_exit_vtbl, enumerate_extensions_setup, 80);
AT(chy_server_exit_vtbl, enumerate_extensions, 88);
AT(chy_server_exit_vtbl, enumerate_extensions_close, 96);
AT(chy_server_exit_vtbl, enumerate_attributes_setup, 104);
AT(chy_server_exit_vtbl, enumerate_attributes, 112);
AT(chy_server_exit_vtbl, enumerate_attributes_close, 120);

SIZE(chy_manage_module_vtbl, 56);
AT(chy_manage_module_vtbl, h, 0);
AT(chy_manage_module_vtbl, release, 16);
AT(chy_manage_module_vtbl, invoke, 24);
AT(chy_manage_module_vtbl, get_property, 32);
AT(chy_manage_module_vtbl, set_property, 40);
AT(chy_manage_module_vtbl, configure, 48);

SIZE(chy_manage_module, 16);
AT(chy_manage_module, vt, 0);
AT(chy_manage_module, self, 8);

SIZE(chy_policy_vtbl, 72);
AT(chy_policy_vtbl, h, 0);
AT(chy_policy_vtbl, release, 16);
AT(chy_policy_vtbl, invoke, 24);
AT(chy_policy_vtbl, initialize, 32);
AT(chy_policy_vtbl, verify_request, 40);
AT(chy_policy_vtbl, get_description, 48);
AT(chy_policy_vtbl, shut_down, 56);
AT(chy_policy_vtbl, get_manage_module, 64);

SIZE(chy_policy, 16);
AT(chy_policy, vt, 0);
AT(chy_policy, self, 8);

SIZE(chy_exit_vtbl, 64);
AT(chy_exit_vtbl, h, 0);
AT(chy_exit_vtbl, release, 16);
AT(chy_exit_vtbl, invoke, 24);
AT(chy_exit_vtbl, initialize, 32);
AT(chy_exit_vtbl, notify, 40);
AT(chy_exit_vtbl, get_description, 48);
AT(chy_exit_vtbl, get_manage_module, 56);

SIZE(chy_exit, 16);
AT(chy_exit, vt, 0);
AT(chy_exit, self, 8);

SIZE(chy_object, 16);
AT(chy_object, vt, 0);
AT(chy_object, self, 8);

SIZE(chy_module_info, 48);
AT(chy_module_info, magic, 0);
AT(chy_module_info, struct_size, 4);
AT(chy_module_info, abi_version, 8);
AT(chy_module_info, flags, 12);
AT(chy_module_info, name, 16);
AT(chy_module_info, version, 24);
AT(chy_module_info, class_names, 32);
AT(chy_module_info, create, 40);
