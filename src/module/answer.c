/* What the child of a module asks, answered by the engine; and what it has set, done here by the
 * same functions that it was done with there. Nothing that it says is believed: a context must be
 * alive, setters are a policy's, the settings' folder is the instance's own. */
#include "module/internal.h"

static chy_hresult text_of(chy_hresult hr, chy_str s, chy_variant *out)
{
    if (hr != CHY_S_OK) return hr;
    *out = (chy_variant){.vt = CHY_VT_STR};
    out->u.s = s;
    return hr;
}

static chy_hresult ask_request(const struct chy_engine_ops *ops, struct chy_context *c,
                               const struct chy_question *q, struct chy_reply *out)
{
    chy_str s = {NULL, 0};
    chy_hresult hr;
    if (q->ask >= CHY_ASK_SET_PROPERTY && c->asker != CHY_ASKER_POLICY) return CHY_E_ACCESSDENIED;
    switch (q->ask) {
    case CHY_ASK_REQUEST_PROPERTY:
        return ops->get_request_property(c->request, c->asker, q->name, q->type, &out->value);
    case CHY_ASK_REQUEST_ATTRIBUTE:
        hr = ops->get_request_attribute(c->request, q->name, &s);
        return text_of(hr, s, &out->value);
    case CHY_ASK_CERTIFICATE_PROPERTY:
        return ops->get_certificate_property(c->request, c->asker, q->name, q->type, &out->value);
    case CHY_ASK_EXTENSION:
        return ops->get_certificate_extension(c->request, q->name, q->type, &out->value,
                                              &out->flags);
    case CHY_ASK_EXTENSION_AT:
        hr = ops->extension_at(c->request, q->index, &s);
        return text_of(hr, s, &out->value);
    case CHY_ASK_ATTRIBUTE_AT:
        hr = ops->attribute_at(c->request, q->index, &s);
        return text_of(hr, s, &out->value);
    case CHY_ASK_SET_PROPERTY:
        return ops->set_certificate_property(c->request, q->name, q->type, &q->value);
    case CHY_ASK_SET_EXTENSION:
        return ops->set_certificate_extension(c->request, q->name, q->type, q->flags, &q->value);
    case CHY_ASK_SET_MESSAGE: return ops->set_message(c->request, q->name);
    default: return CHY_E_INVALIDARG;
    }
}

static chy_hresult ask_ca(struct chy_instance *i, void *request, const struct chy_question *q,
                          struct chy_reply *out)
{
    const struct chy_modules_config *config = &i->ms->config;
    chy_str s = {NULL, 0};
    chy_hresult hr;
    if (atomic_load(&i->ms->closed)) return CHY_E_HANDLE;
    switch (q->ask) {
    case CHY_ASK_CA_PROPERTY:
        return config->ops->get_ca_property(config->ca, request, i->location, q->name, q->type,
                                            &out->value);
    case CHY_ASK_SETTING:
        return config->ops->get_setting(config->ca, i->location, q->name, &out->value);
    default:
        hr = config->ops->next_setting(config->ca, i->location, q->name, &s);
        return text_of(hr, s, &out->value);
    }
}

void chy_answer(struct chy_instance *i, int32_t number, const struct chy_question *q,
                struct chy_reply *out)
{
    bool of_ca = q->ask == CHY_ASK_CA_PROPERTY || q->ask == CHY_ASK_SETTING ||
                 q->ask == CHY_ASK_NEXT_SETTING;
    bool nameless = q->ask == CHY_ASK_NEXT_SETTING || q->ask == CHY_ASK_EXTENSION_AT ||
                    q->ask == CHY_ASK_ATTRIBUTE_AT;
    *out = (struct chy_reply){.hr = CHY_E_POINTER};
    if (!q->name && !nameless) return;
    if (of_ca && !q->of_request) {
        out->hr = ask_ca(i, NULL, q, out);
        return;
    }
    struct chy_context *c = chy_context_enter(i->ms, number);
    out->hr = CHY_E_HANDLE;
    if (c && c->instance == i && c->request) {
        out->hr = of_ca ? ask_ca(i, c->request, q, out) : ask_request(i->ms->config.ops, c, q, out);
    }
    if (c) chy_context_leave(c);
}
