/* JSON in and out: cJSON behind limits. Depth, length and duplicate keys are checked on the way in;
 * output is written straight into a buffer. Thread: any. */
#ifndef CHY_BASE_JSON_H
#define CHY_BASE_JSON_H

#include <cjson/cJSON.h>

#include "base/base.h"

/* Refuses what is longer than max, deeper than 32, has an object of more than 1000 members, repeats
 * a key, is not UTF-8, holds a NUL or a control character that is not escaped, or has octets behind
 * the value. */
CHY_MUST_USE chy_hresult chy_json_parse(struct chy_span text, size_t max, cJSON **out,
                                        struct chy_err *err);
/* NULL when absent; an error in *err when present with another type. */
const char *chy_json_str(const cJSON *obj, const char *key, struct chy_err *err);
bool chy_json_int(const cJSON *obj, const char *key, int64_t *out, struct chy_err *err);
/* Refuses a key of obj that is not in names (NULL-ended), so that a typo is never silently ignored.
 */
CHY_MUST_USE chy_hresult chy_json_only(const cJSON *obj, const char *const *names,
                                       struct chy_err *err);

/* Writing: commas and escapes are kept right by the writer. */
struct chy_json {
    struct chy_buf *out;
    unsigned depth;
    bool need_comma[32];
};
void chy_json_begin(struct chy_json *j, struct chy_buf *out);
void chy_json_object(struct chy_json *j, const char *key); /* key NULL: as array element or root */
void chy_json_array(struct chy_json *j, const char *key);
void chy_json_end(struct chy_json *j, char closing); /* '}' or ']' */
void chy_json_add_str(struct chy_json *j, const char *key,
                      const char *value); /* NULL writes null */
void chy_json_add_span(struct chy_json *j, const char *key, struct chy_span value);
/* What could not be made whole spoils the document: its end fails. */
void chy_json_add_buf(struct chy_json *j, const char *key, const struct chy_buf *value);
void chy_json_add_int(struct chy_json *j, const char *key, int64_t value);
void chy_json_add_bool(struct chy_json *j, const char *key, bool value);
void chy_json_add_null(struct chy_json *j, const char *key);
void chy_json_add_time(struct chy_json *j, const char *key,
                       chy_time t); /* RFC 3339, null for CHY_TIME_DEFAULT */
void chy_json_add_raw(struct chy_json *j, const char *key, const char *json);

#endif
