/* The callbacks of the server as the probe calls them: by table member, or by name through invoke.
 * The probe is written once, over these; what it sees must not depend on the way. */
#ifndef PROBE_FACE_H
#define PROBE_FACE_H

#include <chancery/module.h>
#include <stdbool.h>

struct face {
    bool late, may_set;
    const void *vt;
    void *self;
};

enum what { REQUEST, CERTIFICATE, EXTENSION };
enum list { EXTENSIONS, ATTRIBUTES };

struct face face_of_policy(chy_server_policy s, bool late);
struct face face_of_exit(chy_server_exit s, bool late);
void face_release(struct face *f);
chy_hresult face_invoke(struct face *f, const char *method, const chy_variant *args, uint32_t n,
                        chy_variant *result, uint32_t *bad);
chy_hresult face_set_context(struct face *f, chy_long context);
chy_hresult face_get(struct face *f, enum what what, const char *name, chy_long type,
                     chy_variant *out);
chy_hresult face_attribute(struct face *f, const char *name, chy_str *out);
chy_hresult face_flags(struct face *f, chy_long *out);
chy_hresult face_set_property(struct face *f, const char *name, chy_long type,
                              const chy_variant *value);
chy_hresult face_set_extension(struct face *f, const char *oid, chy_long type, chy_long flags,
                               const chy_variant *value);
chy_hresult face_setup(struct face *f, enum list list, chy_long flags);
chy_hresult face_next(struct face *f, enum list list, chy_str *out);
chy_hresult face_close(struct face *f, enum list list);

chy_variant text_arg(const char *s);
chy_variant long_arg(chy_long l);

#endif
