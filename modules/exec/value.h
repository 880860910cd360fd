/* Variants as JSON, and back. */
#ifndef EXEC_VALUE_H
#define EXEC_VALUE_H

#include <chancery/module.h>
#include <cjson/cJSON.h>

#include "kit/text.h"

/* Binary becomes base64, a time RFC 3339 in UTC, nothing null. */
void value_add(struct kit_text *t, const chy_variant *v);
void value_add_code(struct kit_text *t, chy_hresult code); /* "0x80094004" */
/* ,"key": as the next member of an object, with no comma behind its brace */
void value_add_key(struct kit_text *t, const char *key);

/* Each gives NULL or what is wrong. */
/* A PROPTYPE by its number or by its name ("STRING"). */
const char *value_type(const cJSON *j, chy_long *out);
const char *value_long(const cJSON *j, chy_long *out);
/* A whole number or "0x80094004". */
const char *value_code(const cJSON *j, chy_hresult *out);
/* RFC 3339 with a zone, or whole seconds since 1970. */
const char *value_time(const cJSON *j, chy_time *out);
/* Padded base64 without blanks (RFC 4648 4) into what free() takes. */
const char *value_octets(const cJSON *j, chy_bytes *out);

#endif
