/* What an answer sets in the certificate. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/callback.h"
#include "exec/value.h"

static const char *apply_property(chy_task *task, const cJSON *v)
{
    const char *name = v->string;
    chy_time when = 0;
    chy_long number = 0;
    if (!strcasecmp(name, "NotBefore") || !strcasecmp(name, "NotAfter")) {
        const char *why = value_time(v, &when);
        if (!why) (void)chy_set_time(task, name, when);
        return why;
    }
    if (cJSON_IsNumber(v)) {
        const char *why = value_long(v, &number);
        if (!why) (void)chy_set_long(task, name, number);
        return why;
    }
    if (!cJSON_IsString(v) && !cJSON_IsNull(v)) return "is neither a text nor a number nor null";
    (void)chy_set_text(task, name, cJSON_IsString(v) ? v->valuestring : NULL);
    return NULL;
}

const char *apply_properties(chy_task *task, const cJSON *object)
{
    const char *why = NULL;
    const cJSON *v;
    if (!cJSON_IsObject(object)) return "is not an object";
    cJSON_ArrayForEach(v, object)
    {
        if (!why) why = apply_property(task, v);
    }
    return why;
}

/* Absent: as it is now. */
static const char *apply_bit(const cJSON *v, chy_long bit, chy_long *flags)
{
    if (!v) return NULL;
    if (!cJSON_IsBool(v)) return "has a flag that is neither true nor false";
    *flags = cJSON_IsTrue(v) ? *flags | bit : *flags & ~bit;
    return NULL;
}

static bool known_members(const cJSON *e)
{
    static const char *const names[] = {"oid", "value", "critical", "disabled"};
    for (const cJSON *m = e->child; m; m = m->next) {
        size_t i = 0;
        while (i < 4 && strcmp(m->string, names[i]) != 0)
            i++;
        if (i == 4) return false;
    }
    return true;
}

/* Without a value the extension that is there is taken as it is: what the request asked for reaches
 * the certificate so. */
static const char *apply_extension(chy_task *task, const cJSON *e)
{
    const cJSON *oid = cJSON_GetObjectItemCaseSensitive(e, "oid");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(e, "value");
    chy_bytes there = {NULL, 0}, given = {NULL, 0};
    chy_long flags = 0;
    if (!cJSON_IsObject(e) || !known_members(e))
        return "has an element with another member than oid, value, critical, disabled";
    if (!cJSON_IsString(oid)) return "has an element without an oid";
    chy_hresult hr = chy_extension_bytes(task, oid->valuestring, &there, &flags);
    flags = CHY_FAILED(hr) || value ? 0 : flags & CHY_EXTENSION_CRITICAL_FLAG;
    const char *why = value ? value_octets(value, &given) : NULL;
    if (!why)
        why = apply_bit(cJSON_GetObjectItemCaseSensitive(e, "critical"),
                        CHY_EXTENSION_CRITICAL_FLAG, &flags);
    if (!why)
        why = apply_bit(cJSON_GetObjectItemCaseSensitive(e, "disabled"), CHY_EXTENSION_DISABLE_FLAG,
                        &flags);
    if (!why && !value && CHY_FAILED(hr))
        (void)chy_remember(task, hr);
    else if (!why)
        (void)chy_set_extension(task, oid->valuestring, flags, value ? given.p : there.p,
                                value ? given.n : there.n);
    chy_bytes_free(task->host, &there);
    free(given.p);
    return why;
}

const char *apply_extensions(chy_task *task, const cJSON *list)
{
    const char *why = NULL;
    const cJSON *e;
    if (!cJSON_IsArray(list)) return "is not a list";
    cJSON_ArrayForEach(e, list)
    {
        if (!why) why = apply_extension(task, e);
    }
    return why;
}
