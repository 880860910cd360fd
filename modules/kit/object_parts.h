/* What the parts of kit/object.h share: the object, its two tables, its manage module. */
#ifndef KIT_OBJECT_PARTS_H
#define KIT_OBJECT_PARTS_H

#include <pthread.h>

#include "kit/object.h"

/* Settings as they were read once; guarded by the lock of the object. */
struct kit_version {
    unsigned refs;
    void *settings;
};

struct kit_object {
    const struct kit_class *cls;
    chy_host host;
    void *own;
    pthread_mutex_t lock; /* of the pointer and its count, never held during a call */
    struct kit_version *now;
    unsigned refs;           /* guarded by the list's lock, as is next */
    struct kit_object *next; /* the next live object of this module */
};

extern const chy_policy_vtbl kit_policy_table;
extern const chy_exit_vtbl kit_exit_table;

void kit_object_ref(struct kit_object *o);
void kit_object_unref(struct kit_object *o);
/* The live object that was made for this host, with a reference; or NULL. */
struct kit_object *kit_object_of_host(const struct kit_class *cls, const chy_host *host);
chy_hresult kit_object_reload(struct kit_object *o, const char *config);
/* The settings of now, for one call; NULL: there are none. */
struct kit_version *kit_object_take(struct kit_object *o);
void kit_object_put(struct kit_object *o, struct kit_version *v);
/* There are none any more: who calls all the same is told that it was not expected. */
void kit_object_forget(struct kit_object *o);

/* What both tables have. */
void kit_object_release(void *self);
chy_hresult kit_object_description(void *self, chy_str *out);
chy_hresult kit_object_manage(void *self, chy_manage_module *out);
/* The late-bound GetDescription and GetManageModule. */
chy_hresult kit_object_invoke(struct kit_object *o, chy_late *c, chy_variant *result);
/* o: NULL for a manage object that was made by its class name. */
chy_hresult kit_manage_new(const struct kit_class *cls, const chy_host *host, struct kit_object *o,
                           chy_manage_module *out);
/* What a late-bound call answers. */
chy_hresult kit_late_end(const struct kit_class *cls, const chy_host *host, const chy_late *c,
                         chy_hresult hr, chy_excep *excep);

#endif
