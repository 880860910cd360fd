/* Chancery module ABI 1.0: what a policy or exit module implements, and what it is lent.
 *
 * A module is a shared library with one exported function, chy_module_entry, that returns a static
 * descriptor. The daemon checks the descriptor field by field before it calls anything else.
 * The tables are, method for method, those of ICertPolicy2, ICertExit2, ICertManageModule,
 * ICertServerPolicy and ICertServerExit. A table grows only at its end.
 *
 * Memory: what a module gets in an out parameter it frees with the host's free or variant_clear;
 * what it hands out in an out parameter it has allocated with the host's alloc.
 * Threads: calls come from changing threads, one at a time unless the table's header says
 * CHY_IF_CONCURRENT; never from the daemon's event loop.
 */
#ifndef CHANCERY_MODULE_H
#define CHANCERY_MODULE_H

#include <chancery/codes.h>
#include <chancery/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chy_server_policy_vtbl chy_server_policy_vtbl;
typedef struct chy_server_exit_vtbl chy_server_exit_vtbl;

typedef struct chy_server_policy {
    const chy_server_policy_vtbl *vt;
    void *self;
} chy_server_policy;

typedef struct chy_server_exit {
    const chy_server_exit_vtbl *vt;
    void *self;
} chy_server_exit;

/* Severities of chy_host_vtbl.log. */
enum { CHY_LOG_ERROR = 0, CHY_LOG_WARNING = 1, CHY_LOG_INFO = 2, CHY_LOG_DEBUG = 3 };

/* What the daemon lends to a module for its whole life. */
typedef struct chy_host_vtbl {
    chy_hdr h;
    void *(*alloc)(size_t n);
    void (*free)(void *p);
    void (*variant_clear)(chy_variant *v);
    void (*log)(void *host, chy_long severity, const char *text);
    /* A fresh callback object at context 0; give it back with its release. */
    chy_hresult (*new_server_policy)(void *host, chy_server_policy *out);
    chy_hresult (*new_server_exit)(void *host, chy_server_exit *out);
    /* One value of the module's own settings (the folder that ModuleRegistryLocation names);
     * CERTSRV_E_PROPERTY_EMPTY when it is not set. STRV for lists. */
    chy_hresult (*get_setting)(void *host, const char *name, chy_variant *out);
    /* The next name after `after` in that folder (NULL: the first); S_FALSE at the end. A name with
     * a slash is a setting of a sub-folder. */
    chy_hresult (*next_setting)(void *host, const char *after, chy_str *out);
    /* Milliseconds left for the call that runs on this thread; INT32_MAX outside of one. */
    chy_hresult (*time_left)(void *host, chy_long *ms);
    /* A sentence that joins the request's disposition message (policy, inside VerifyRequest). */
    chy_hresult (*set_message)(void *host, chy_long context, const char *text);
} chy_host_vtbl;

typedef struct chy_host {
    const chy_host_vtbl *vt;
    void *self;
} chy_host;

/* ---- ICertServerPolicy ---- */
struct chy_server_policy_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke;
    chy_hresult (*set_context)(void *self, chy_long context);
    chy_hresult (*get_request_property)(void *self, const char *name, chy_long type,
                                        chy_variant *out);
    chy_hresult (*get_request_attribute)(void *self, const char *name, chy_str *out);
    chy_hresult (*get_certificate_property)(void *self, const char *name, chy_long type,
                                            chy_variant *out);
    chy_hresult (*set_certificate_property)(void *self, const char *name, chy_long type,
                                            const chy_variant *value);
    chy_hresult (*get_certificate_extension)(void *self, const char *oid, chy_long type,
                                             chy_variant *out);
    chy_hresult (*get_certificate_extension_flags)(void *self, chy_long *flags);
    chy_hresult (*set_certificate_extension)(void *self, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value);
    chy_hresult (*enumerate_extensions_setup)(void *self, chy_long flags);
    chy_hresult (*enumerate_extensions)(void *self, chy_str *oid); /* S_FALSE at the end */
    chy_hresult (*enumerate_extensions_close)(void *self);
    chy_hresult (*enumerate_attributes_setup)(void *self, chy_long flags);
    chy_hresult (*enumerate_attributes)(void *self, chy_str *name); /* S_FALSE at the end */
    chy_hresult (*enumerate_attributes_close)(void *self);
};

/* ---- ICertServerExit: the same without a setter ---- */
struct chy_server_exit_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke;
    chy_hresult (*set_context)(void *self, chy_long context);
    chy_hresult (*get_request_property)(void *self, const char *name, chy_long type,
                                        chy_variant *out);
    chy_hresult (*get_request_attribute)(void *self, const char *name, chy_str *out);
    chy_hresult (*get_certificate_property)(void *self, const char *name, chy_long type,
                                            chy_variant *out);
    chy_hresult (*get_certificate_extension)(void *self, const char *oid, chy_long type,
                                             chy_variant *out);
    chy_hresult (*get_certificate_extension_flags)(void *self, chy_long *flags);
    chy_hresult (*enumerate_extensions_setup)(void *self, chy_long flags);
    chy_hresult (*enumerate_extensions)(void *self, chy_str *oid);
    chy_hresult (*enumerate_extensions_close)(void *self);
    chy_hresult (*enumerate_attributes_setup)(void *self, chy_long flags);
    chy_hresult (*enumerate_attributes)(void *self, chy_str *name);
    chy_hresult (*enumerate_attributes_close)(void *self);
};

/* ---- ICertManageModule ---- */
typedef struct chy_manage_module_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke;
    chy_hresult (*get_property)(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out);
    chy_hresult (*set_property)(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value);
    chy_hresult (*configure)(void *self, const char *config, const char *storage, chy_long flags);
} chy_manage_module_vtbl;

typedef struct chy_manage_module {
    const chy_manage_module_vtbl *vt;
    void *self;
} chy_manage_module;

/* ---- ICertPolicy2 ---- */
typedef struct chy_policy_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke; /* may be the only member that is filled in */
    chy_hresult (*initialize)(void *self, const char *config);
    chy_hresult (*verify_request)(void *self, const char *config, chy_long context, chy_long is_new,
                                  chy_long flags, chy_long *disposition);
    chy_hresult (*get_description)(void *self, chy_str *out);
    chy_hresult (*shut_down)(void *self);
    chy_hresult (*get_manage_module)(void *self, chy_manage_module *out); /* optional */
} chy_policy_vtbl;

typedef struct chy_policy {
    const chy_policy_vtbl *vt;
    void *self;
} chy_policy;

/* ---- ICertExit2 ---- */
typedef struct chy_exit_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke; /* may be the only member that is filled in */
    chy_hresult (*initialize)(void *self, const char *config, chy_long *event_mask);
    chy_hresult (*notify)(void *self, chy_long event, chy_long context);
    chy_hresult (*get_description)(void *self, chy_str *out);
    chy_hresult (*get_manage_module)(void *self, chy_manage_module *out); /* optional */
} chy_exit_vtbl;

typedef struct chy_exit {
    const chy_exit_vtbl *vt;
    void *self;
} chy_exit;

/* Any of the pairs above, seen through what they share. */
struct chy_object {
    const chy_hdr *vt;
    void *self;
};

/* ---- the descriptor and the one exported symbol ---- */
#define CHY_MODULE_MAGIC 0x4d594843u /* "CHYM" */

/* Makes an object of one of the module's classes: a chy_policy for "X.Policy", a chy_exit for
 * "X.Exit", a chy_manage_module for "X.PolicyManage" and "X.ExitManage". */
typedef chy_hresult (*chy_create_fn)(const chy_host *host, const char *class_name, chy_object *out);

typedef struct chy_module_info {
    uint32_t magic; /* CHY_MODULE_MAGIC */
    uint32_t struct_size;
    uint32_t abi_version; /* CHY_ABI_VERSION as the module saw it */
    uint32_t flags;       /* 0 */
    const char *name;     /* [a-z0-9-]{1,32} */
    const char *version;
    const char *const *class_names; /* NULL-ended */
    chy_create_fn create;
} chy_module_info;

#if defined(__GNUC__)
#define CHY_MODULE_EXPORT __attribute__((visibility("default")))
#else
#define CHY_MODULE_EXPORT
#endif

/* A pure function: no I/O, no allocation, no state. */
CHY_MODULE_EXPORT const chy_module_info *chy_module_entry(void);
typedef const chy_module_info *(*chy_module_entry_fn)(void);

#ifdef __cplusplus
}
#endif

#endif
