#include "exec/names.h"

#include <string.h>

#include "kit/san.h"

static const char *type_of(unsigned type)
{
    switch (type) {
    case KIT_SAN_DNS: return "dns";
    case KIT_SAN_IP: return "ip";
    case KIT_SAN_EMAIL: return "email";
    case KIT_SAN_URI: return "uri";
    case KIT_SAN_UPN: return "upn";
    default: return NULL;
    }
}

/* A name of another kind, or a malformed one, is not hidden: it stands there as it came. */
static void add_name(struct kit_text *t, const struct kit_san *name, const uint8_t *raw, size_t n)
{
    const char *type = type_of(name->type);
    kit_addf(t, "{\"type\":\"%s\",\"value\":", type ? type : "other");
    if (type) {
        kit_add_json(t, name->text, strlen(name->text));
    } else {
        kit_add_str(t, "\"");
        kit_add_base64(t, raw, n);
        kit_add_str(t, "\"");
    }
    kit_add_str(t, "}");
}

void names_add(struct kit_text *t, const uint8_t *der, size_t n)
{
    struct kit_der names;
    struct kit_san name;
    struct kit_text list = {0};
    bool ok = kit_san_open((struct kit_der){der, n}, &names);
    for (bool first = true; ok && names.n; first = false) {
        const uint8_t *raw = names.p;
        ok = kit_san_next(&names, &name);
        if (!first) kit_add_str(&list, ",");
        if (ok) add_name(&list, &name, raw, (size_t)(names.p - raw));
    }
    if (list.failed) t->failed = true;
    kit_add_str(t, ok ? "[" : "null");
    if (ok) kit_add(t, list.p, list.n);
    if (ok) kit_add_str(t, "]");
    kit_text_free(&list);
}
