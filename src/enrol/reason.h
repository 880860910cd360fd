/* Reasons of revocations as people write them: names of RFC 5280 5.3.1, with or without hyphens, or
 * numbers. Thread: any. */
#ifndef CHY_ENROL_REASON_H
#define CHY_ENROL_REASON_H

#include "base/base.h"

/* "keyCompromise" … and "release", "keepExpired", "dropExpired" for -1, -2, -3; NULL: none. */
const char *chy_reason_name(int32_t reason);
CHY_MUST_USE chy_hresult chy_reason_read(const char *text, int32_t *out, struct chy_err *err);

#endif
