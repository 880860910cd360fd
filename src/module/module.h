/* Modules: finding, checking, loading and calling them, and the callback tables that they are lent.
 *
 * This layer knows nothing of certificates: what a callback asks, it asks the engine through
 * struct chy_engine_ops, which the engine hands down. It owns contexts (a number that is valid from
 * the start of one call to its end), the callback objects with their enumerations, late binding in
 * both directions, deadlines and the serial/concurrent promise. Thread: worker threads of the
 * engine; never the event loop. */
#ifndef CHY_MODULE_MODULE_H
#define CHY_MODULE_MODULE_H

#include <chancery/module.h>

#include "base/base.h"
#include "base/sys.h"

/* Who asks: a policy module inside VerifyRequest may set; an exit module may not. */
enum chy_asker { CHY_ASKER_POLICY, CHY_ASKER_EXIT };

/* Filled in by the engine. `request` is what chy_policy_verify or chy_exit_notify was given (NULL
 * at context 0), `ca` what chy_modules_new was given. Out values are allocated with
 * chy_module_alloc. Each answers an AD CS number; names are as the module wrote them. */
struct chy_engine_ops {
    chy_hresult (*get_request_property)(void *request, enum chy_asker asker, const char *name,
                                        chy_long type, chy_variant *out);
    chy_hresult (*get_request_attribute)(void *request, const char *name, chy_str *out);
    chy_hresult (*get_certificate_property)(void *request, enum chy_asker asker, const char *name,
                                            chy_long type, chy_variant *out);
    chy_hresult (*set_certificate_property)(void *request, const char *name, chy_long type,
                                            const chy_variant *value);
    chy_hresult (*get_certificate_extension)(void *request, const char *oid, chy_long type,
                                             chy_variant *out, chy_long *flags);
    chy_hresult (*set_certificate_extension)(void *request, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value);
    /* index counts from 0; S_FALSE behind the last */
    chy_hresult (*extension_at)(void *request, size_t index, chy_str *oid);
    chy_hresult (*attribute_at)(void *request, size_t index, chy_str *name);
    /* CERTSRV_E_PROPERTY_EMPTY when name is no CA property. location: of the module that asks. */
    chy_hresult (*get_ca_property)(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out);
    chy_hresult (*get_setting)(void *ca, const char *location, const char *name, chy_variant *out);
    chy_hresult (*next_setting)(void *ca, const char *location, const char *after, chy_str *out);
    chy_hresult (*set_message)(void *request, const char *text);
    /* What a module says to the log; NULL: it goes there. */
    void (*log)(void *ca, const char *module, chy_long severity, const char *text);
    /* Optional: the request as octets, from which the child of a module makes one that answers as
     * this does. Without it a child asks for each thing. */
    chy_hresult (*pack)(void *request, enum chy_asker asker, struct chy_buf *out);
};

/* Memory that crosses the border. */
void *chy_module_alloc(size_t n);
void chy_module_free(void *p);
void chy_variant_clear(chy_variant *v);
bool chy_module_str(chy_str *out, const void *p, size_t n); /* copies; false: no memory */
chy_hresult chy_variant_set_str(chy_variant *out, const void *p, size_t n);
chy_hresult chy_variant_set_bytes(chy_variant *out, const void *p, size_t n);
chy_hresult chy_variant_set_long(chy_variant *out, chy_long l);
chy_hresult chy_variant_set_time(chy_variant *out, chy_time t);

/* The modules of one CA. */
struct chy_modules;
struct chy_modules_config {
    const struct chy_engine_ops *ops;
    void *ca;
    const char *folder; /* where names are looked up: NAME or NAME.so */
    const struct chy_clock *clock;
    unsigned call_timeout_ms;  /* deadline of every call, unless its place says another */
    const chy_host_vtbl *host; /* NULL: this layer's own; who watches modules lends another */
    bool any_owner;      /* tests and throwaway CAs: skip the owner rule (never the write rule) */
    const char *modhost; /* absolute path of the program for children; NULL: there are none */
    bool unwatched;      /* inside such a child: deadlines are told, and kept by who calls */
};
CHY_MUST_USE chy_hresult chy_modules_new(const struct chy_modules_config *config,
                                         struct chy_modules **out, struct chy_err *err);
/* After every instance was freed and no call runs. Libraries stay mapped for ever (no dlclose). */
void chy_modules_free(struct chy_modules *ms);

/* One object of one class. */
struct chy_instance;
enum chy_binding { CHY_BINDING_AUTO, CHY_BINDING_DIRECT, CHY_BINDING_LATE };

/* Where a module runs. All zero: in this process. */
enum { CHY_PLACE_PATHS = 16 };
struct chy_place {
    unsigned deadline_ms; /* 0: as all */
    bool process;         /* in a child of its own; what follows is about that */
    bool network;
    unsigned memory_mb;    /* 0: 256 */
    unsigned max_failures; /* in a row, until it is quarantined; 0: 5 */
    const char *user; /* NULL: chancery-module or nobody where the daemon is root, else its own */
    const char *read[CHY_PLACE_PATHS], *write[CHY_PLACE_PATHS]; /* files and folders */
    size_t n_read, n_write;
};
enum chy_child_state { CHY_CHILD_NONE, CHY_CHILD_UP, CHY_CHILD_DOWN, CHY_CHILD_QUARANTINED };
struct chy_instance_info {
    const char *name;       /* "policy-default": how configuration and the outbox call it */
    const char *class_name; /* "PolicyDefault.Policy" */
    const char *path;       /* absolute */
    const char *version;
    const char *location; /* settings folder, e.g. "PolicyModules/policy-default" */
    char sha256[65];      /* of the file */
    uint8_t sha256_octets[32];
    bool late_bound;
    bool concurrent;
    bool quarantined; /* a call overran its deadline, or its child failed too often */
    uint64_t calls, failures;
    uint64_t busy_us; /* sum over calls */
    unsigned deadline_ms;
    enum chy_child_state state; /* CHY_CHILD_NONE: it runs in this process */
    int32_t pid;                /* 0: none now */
    uint64_t restarts, deadline_kills;
    char confined[64];  /* what holds the child: "seccomp landlock user" */
    char last_end[200]; /* how the last child ended that was not told to */
};

/* Loads `module` (a name in the folder, or an absolute path) and makes the first class that ends in
 * ".Policy" (or ".Exit"), or class_name where given. Identity, ownership and mode of the file and
 * every field of the descriptor are checked first; a mismatch is explained. binding AUTO: direct
 * where the table has the members, else late. */
CHY_MUST_USE chy_hresult chy_policy_open(struct chy_modules *ms, const char *module,
                                         const char *class_name, enum chy_binding binding,
                                         struct chy_instance **out, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_exit_open(struct chy_modules *ms, const char *module,
                                       const char *class_name, enum chy_binding binding,
                                       struct chy_instance **out, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_policy_open_at(struct chy_modules *ms, const char *module,
                                            const char *class_name, enum chy_binding binding,
                                            const struct chy_place *place,
                                            struct chy_instance **out, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_exit_open_at(struct chy_modules *ms, const char *module,
                                          const char *class_name, enum chy_binding binding,
                                          const struct chy_place *place, struct chy_instance **out,
                                          struct chy_err *err);
/* The module's file as it is now, in a new child beside the old one: it takes over once it is up,
 * and the old one ends its calls first. E_NOTIMPL for a module in this process. Lifts the
 * quarantine. */
CHY_MUST_USE chy_hresult chy_instance_reload(struct chy_instance *i, struct chy_err *err);
/* Settings have changed: what children remember of them is void. */
void chy_modules_settings_changed(struct chy_modules *ms);
void chy_instance_info(struct chy_instance *i, struct chy_instance_info *out);
void chy_instance_free(struct chy_instance *i); /* release; no other call may run */

/* Calls. Each runs on the calling thread, under the instance's promise and deadline. At the
 * deadline the context dies, the instance is quarantined (every later call fails at once with
 * ERROR_TIMEOUT) and `expired` of the watch below is told, so that the engine can settle the
 * request although this thread is still inside the module. */
CHY_MUST_USE chy_hresult chy_policy_initialize(struct chy_instance *i, const char *config,
                                               struct chy_err *err);

enum chy_verdict { /* what VerifyRequest's answer means; everything unclear is FAILED */
                   CHY_VERDICT_FAILED,
                   CHY_VERDICT_PENDING,
                   CHY_VERDICT_ISSUE,
                   CHY_VERDICT_DENIED
};
struct chy_watch {
    /* Called once, on the deadline thread, when a call overran. */
    void (*expired)(void *request, void *arg);
    void *arg;
};
void chy_modules_watch(struct chy_modules *ms, const struct chy_watch *watch);
/* A child went up, down or into quarantine. Told on a thread of its own. */
void chy_modules_watch_children(struct chy_modules *ms, void (*changed)(void *arg), void *arg);
/* status: the AD CS number for the row (0 for issue and pending). True in *abandoned: the deadline
 * passed and the request is no longer ours to touch; only then. */
enum chy_verdict chy_policy_verify(struct chy_instance *i, const char *config, void *request,
                                   bool is_new, chy_hresult *status, bool *abandoned,
                                   struct chy_err *err);
CHY_MUST_USE chy_hresult chy_policy_shut_down(struct chy_instance *i, struct chy_err *err);

CHY_MUST_USE chy_hresult chy_exit_initialize(struct chy_instance *i, const char *config,
                                             chy_long *event_mask, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_exit_notify(struct chy_instance *i, chy_long event, void *request,
                                         bool *abandoned, struct chy_err *err);

CHY_MUST_USE chy_hresult chy_instance_description(struct chy_instance *i, struct chy_buf *out,
                                                  struct chy_err *err);
/* ICertManageModule; S_FALSE for an unknown property. Modules without GetManageModule: class NAME +
 * "Manage". */
CHY_MUST_USE chy_hresult chy_manage_get_property(struct chy_instance *i, const char *config,
                                                 const char *name, chy_variant *out,
                                                 struct chy_err *err);
CHY_MUST_USE chy_hresult chy_manage_set_property(struct chy_instance *i, const char *config,
                                                 const char *name, const chy_variant *value,
                                                 struct chy_err *err);
CHY_MUST_USE chy_hresult chy_manage_configure(struct chy_instance *i, const char *config,
                                              chy_long flags, struct chy_err *err);

/* What is wrong with a module file, without a CA: identity, descriptor, classes, tables (the CLI's
 * `module check`). Lines of text in out; the result says whether it would load. */
CHY_MUST_USE chy_hresult chy_module_check(const char *path, struct chy_buf *out,
                                          struct chy_err *err);

#endif
