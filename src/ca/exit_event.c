/* Events as exit modules know them: a name, and a key that stays the same. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "ca/ca_internal.h"

static const struct {
    const char *name;
    int32_t event;
} names[] = {{"certissued", CHY_EXITEVENT_CERTISSUED},
             {"certpending", CHY_EXITEVENT_CERTPENDING},
             {"certdenied", CHY_EXITEVENT_CERTDENIED},
             {"certrevoked", CHY_EXITEVENT_CERTREVOKED},
             {"certunrevoked", CHY_EXITEVENT_CERTREVOKED | CHY_EVENT_RELEASE},
             {"certretrievepending", CHY_EXITEVENT_CERTRETRIEVEPENDING},
             {"crlissued", CHY_EXITEVENT_CRLISSUED},
             {"shutdown", CHY_EXITEVENT_SHUTDOWN},
             {"startup", CHY_EXITEVENT_STARTUP},
             {"certimported", CHY_EXITEVENT_CERTIMPORTED}};

const char *chy_event_name(int32_t event)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++)
        if (names[i].event == event) return names[i].name;
    return "unknown";
}

void chy_event_id(const struct chy_ca *ca, const struct chy_told *t, char out[CHY_EVENT_ID_MAX])
{
    int64_t when = t->occurred == CHY_TIME_DEFAULT ? 0 : t->occurred;
    snprintf(out, CHY_EVENT_ID_MAX, "%s-%" PRId32 "-%" PRIx32 "-%" PRId64, ca->event_prefix,
             t->request_id, (uint32_t)t->event & CHY_EVENT_BITS, when);
}

static chy_hresult set_text(chy_variant *out, const char *s)
{
    return chy_variant_set_str(out, s, strlen(s));
}

chy_hresult chy_event_property(const struct chy_ca *ca, const struct chy_told *t, const char *name,
                               chy_long type, chy_variant *out)
{
    static const struct {
        const char *name;
        chy_long type;
    } known[] = {{"EventID", CHY_PROPTYPE_STRING},
                 {"EventName", CHY_PROPTYPE_STRING},
                 {"EventTime", CHY_PROPTYPE_DATE},
                 {"EventAttempt", CHY_PROPTYPE_LONG}};
    char id[CHY_EVENT_ID_MAX];
    size_t i = 0;
    if (!t->attempt || strncasecmp(name, "Event", 5) != 0) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    while (i < CHY_ARRAY_LEN(known) && strcasecmp(known[i].name, name) != 0)
        i++;
    if (i == CHY_ARRAY_LEN(known)) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if ((type & CHY_PROPTYPE_MASK) != known[i].type) return CHY_E_INVALIDARG;
    switch (i) {
    case 0: chy_event_id(ca, t, id); return set_text(out, id);
    case 1: return set_text(out, chy_event_name(t->event));
    case 2:
        if (t->occurred == CHY_TIME_DEFAULT) return CHY_CERTSRV_E_PROPERTY_EMPTY;
        return chy_variant_set_time(out, t->occurred);
    default: return chy_variant_set_long(out, t->attempt);
    }
}

struct chy_exit_slot *chy_exit_of_name(struct chy_ca *ca, const char *name)
{
    for (size_t i = 0; i < ca->n_exits; i++)
        if (strcmp(ca->exits[i].name, name) == 0) return &ca->exits[i];
    for (size_t i = 0; i < ca->n_exits; i++) {
        struct chy_instance_info info;
        if (strcasecmp(ca->exits[i].name, name) == 0) return &ca->exits[i];
        if (!ca->exits[i].instance) continue;
        chy_instance_info(ca->exits[i].instance, &info);
        if (strcasecmp(info.name, name) == 0) return &ca->exits[i];
    }
    return NULL;
}

struct chy_exit_slot *chy_exit_of_location(struct chy_ca *ca, const char *location)
{
    for (size_t i = 0; location && i < ca->n_exits; i++) {
        struct chy_instance_info info;
        if (!ca->exits[i].instance) continue;
        chy_instance_info(ca->exits[i].instance, &info);
        if (strcasecmp(info.location, location) == 0) return &ca->exits[i];
    }
    return NULL;
}
