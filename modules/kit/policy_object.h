/* What the two halves of kit/policy.h share: the object, and its manage module. */
#ifndef KIT_POLICY_OBJECT_H
#define KIT_POLICY_OBJECT_H

#include "kit/policy.h"

struct kit_policy;
void *kit_policy_own(const struct kit_policy *p);
void kit_policy_ref(struct kit_policy *p);
void kit_policy_unref(struct kit_policy *p);
/* The live policy that was made for this host, with a reference; or NULL. */
struct kit_policy *kit_policy_of_host(const struct kit_policy_class *cls, const chy_host *host);
chy_hresult kit_policy_reload(struct kit_policy *p, const char *config);
/* p: NULL for a manage object that was made by its class name. */
chy_hresult kit_policy_manage_new(const struct kit_policy_class *cls, const chy_host *host,
                                  struct kit_policy *p, chy_manage_module *out);
/* What a late-bound call answers. */
chy_hresult kit_policy_late_end(const struct kit_policy_class *cls, const chy_host *host,
                                const chy_late *c, chy_hresult hr, chy_excep *excep);

#endif
