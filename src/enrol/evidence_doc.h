/* The story of a request as JSON, for GET …/requests/ID/evidence. Reads the disk. Thread: any. */
#ifndef CHY_ENROL_EVIDENCE_DOC_H
#define CHY_ENROL_EVIDENCE_DOC_H

#include "base/json.h"
#include "ca/ca.h"
#include "pki/ext.h"

/* {"request", "asked", "decisions", "history", "owed"}; for who may list requests. */
CHY_MUST_USE chy_hresult chy_evidence_document(struct chy_json *j, struct chy_ca *ca,
                                               const struct chy_caller *caller,
                                               const struct chy_row *row, struct chy_err *err);
/* "extensions": with names and values in words. */
void chy_json_add_extensions(struct chy_json *j, const struct chy_ext *ext, size_t n);

#endif
