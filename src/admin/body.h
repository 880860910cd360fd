/* Bodies of administrative calls: a JSON object, or nothing. A member that is absent or null leaves
 * what *out holds. Thread: any. */
#ifndef CHY_ADMIN_BODY_H
#define CHY_ADMIN_BODY_H

#include "base/json.h"
#include "net/net.h"

enum { CHY_BODY_MAX = 16 << 10 };

/* *v stays NULL where there is no body; a member that is not in names (NULL-ended) is refused. */
CHY_MUST_USE chy_hresult chy_body_read(struct chy_exchange *x, const char *const *names, cJSON **v,
                                       struct chy_err *err);
/* RFC 3339, a date, or seconds since 1970. */
CHY_MUST_USE chy_hresult chy_body_time(const cJSON *v, const char *key, chy_time *out,
                                       struct chy_err *err);
CHY_MUST_USE chy_hresult chy_body_number(const cJSON *v, const char *key, int64_t max, int64_t *out,
                                         struct chy_err *err);
CHY_MUST_USE chy_hresult chy_body_flag(const cJSON *v, const char *key, bool *out,
                                       struct chy_err *err);

#endif
