/* Rows and outcomes as JSON: the field names that every face and the command line share.
 * Thread: any. */
#ifndef CHY_ENROL_ROW_JSON_H
#define CHY_ENROL_ROW_JSON_H

#include "base/json.h"
#include "ca/events.h"

/* The short form is a line of a list; the full one adds PEM, attributes and extensions. */
void chy_row_json(struct chy_json *j, const char *key, const struct chy_row *row, bool full);
/* The full one with the history of its revocations: reads the disk. */
CHY_MUST_USE chy_hresult chy_row_json_full(struct chy_json *j, struct chy_ca *ca,
                                           const struct chy_caller *caller,
                                           const struct chy_row *row, struct chy_err *err);
/* "history": the revocations of its certificate, oldest first. */
CHY_MUST_USE chy_hresult chy_row_json_history(struct chy_json *j, struct chy_ca *ca,
                                              const struct chy_caller *caller, int32_t id,
                                              struct chy_err *err);
/* An event that an exit module is owed; arg: the struct chy_json. */
void chy_row_json_event(const struct chy_event_info *e, void *arg);
void chy_json_add_pem(struct chy_json *j, const char *key, const char *label, struct chy_span der);

#endif
