/* Config strings and attribute lines. */
#include <ctype.h>
#include <string.h>

#include "client/objects.h"

enum { ATTR_NAME_MAX = 127, ATTR_VALUE_MAX = 4096, CA_NAME_MAX = 512 };

chy_hresult chy_config_ca(const char *config, char **out, struct chy_err *err)
{
    *out = NULL;
    if (!config || !*config) return CHY_S_OK;
    const char *cut = strchr(config, '\\');
    if (!cut) cut = strchr(config, '/');
    size_t n = cut ? strlen(cut + 1) : 0;
    if (!n || n > CA_NAME_MAX || cut == config)
        return chy_fail(err, CHY_E_INVALIDARG, "config \"%.100s\": Server\\CA is expected", config);
    *out = chy_strdup(cut + 1);
    return *out ? CHY_S_OK : chy_fail_nomem(err, "config");
}

static void trim(const char **p, size_t *n)
{
    while (*n && isspace((unsigned char)**p)) {
        ++*p;
        --*n;
    }
    while (*n && isspace((unsigned char)(*p)[*n - 1]))
        --*n;
}

/* Spaces, hyphens and case do not count in names. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " -");
        b += strspn(b, " -");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
    }
}

static bool add_attribute(cJSON *object, const char *line, size_t n)
{
    char name[ATTR_NAME_MAX + 1], value[ATTR_VALUE_MAX + 1];
    const char *colon = memchr(line, ':', n), *v;
    if (!colon) return true;
    size_t name_n = (size_t)(colon - line), value_n = n - name_n - 1;
    v = colon + 1;
    trim(&line, &name_n);
    trim(&v, &value_n);
    if (!name_n || name_n > ATTR_NAME_MAX || !value_n || value_n > ATTR_VALUE_MAX) return true;
    memcpy(name, line, name_n);
    name[name_n] = 0;
    memcpy(value, v, value_n);
    value[value_n] = 0;
    for (cJSON *item = object->child, *next; item; item = next) {
        next = item->next;
        if (same_name(item->string, name)) cJSON_Delete(cJSON_DetachItemViaPointer(object, item));
    }
    return cJSON_AddStringToObject(object, name, value) != NULL;
}

chy_hresult chy_attributes_json(const char *lines, cJSON *object, struct chy_err *err)
{
    for (const char *p = lines; p && *p;) {
        size_t n = strcspn(p, "\n");
        if (!add_attribute(object, p, n)) return chy_fail_nomem(err, "attributes");
        p += n + (p[n] == '\n');
    }
    return CHY_S_OK;
}
