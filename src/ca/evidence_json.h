/* Evidence and extensions as JSON, with values in words. Thread: any. */
#ifndef CHY_CA_EVIDENCE_JSON_H
#define CHY_CA_EVIDENCE_JSON_H

#include "base/json.h"
#include "ca/evidence.h"

void chy_evidence_json(struct chy_json *j, const char *key, const struct chy_evidence *e,
                       uint32_t number, chy_time decided_when);
/* "changes": what was there before and after. */
void chy_changes_json(struct chy_json *j, const struct chy_change *change, size_t n);
/* Members of an open object: "name" and "oid"; "text" and "hex". */
void chy_json_add_ext_name(struct chy_json *j, struct chy_span oid);
void chy_json_add_ext(struct chy_json *j, struct chy_span oid, struct chy_span value);
void chy_json_add_hex(struct chy_json *j, const char *key, struct chy_span s);

#endif
