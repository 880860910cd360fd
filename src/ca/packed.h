/* A request as octets, for the child process of a module, and back: a copy that answers what the
 * module asks as the original would, by the same functions. What is read is lent: it lives as long
 * as the octets. */
#ifndef CHY_CA_PACKED_H
#define CHY_CA_PACKED_H

#include "ca/request.h"
#include "module/wire.h"

/* Of struct chy_engine_ops. */
chy_hresult chy_request_pack(void *request, enum chy_asker asker, struct chy_buf *out);

struct chy_request *chy_packed_new(void); /* NULL: no memory */
CHY_MUST_USE chy_hresult chy_packed_read(struct chy_request *r, struct chy_wire_in *in);
/* False: a property of the request that only the CA can tell. */
bool chy_packed_has(const char *request_property);
/* The one CA property that is about the request; S_FALSE: another. */
chy_hresult chy_packed_ca_property(const struct chy_request *r, const char *name, chy_long type,
                                   chy_variant *out);

/* props_ca.c */
bool chy_props_ca_known(const char *name);

#endif
