/* A program's callbacks: methods of ICertServerPolicy and ICertServerExit by name, with their [in]
 * parameters in the order of their declaration. */
#ifndef EXEC_CALLBACK_H
#define EXEC_CALLBACK_H

#include <chancery/easy.h>
#include <cjson/cJSON.h>

#include "kit/text.h"

/* Adds the member that answers: "return" or "error". A setter that fails is remembered in the task.
 */
void callback(chy_task *task, const cJSON *line, struct kit_text *t);

/* "properties" and "extensions" of an answer. NULL, or what is wrong with them; what the server
 * refuses is remembered in the task. */
const char *apply_properties(chy_task *task, const cJSON *object);
const char *apply_extensions(chy_task *task, const cJSON *list);

#endif
