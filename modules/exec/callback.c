#include "exec/callback.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/value.h"

struct ask {
    chy_task *task;
    const cJSON *arg[4];
    const char *text; /* the first argument */
    chy_long type;    /* the second, where the method has one */
    chy_variant out;
};

static const chy_server_policy_vtbl *policy_of(const struct ask *a)
{
    return a->task->policy.vt;
}
static void *self_of(const struct ask *a)
{
    return a->task->policy.vt ? a->task->policy.self : a->task->exit.self;
}

static chy_hresult request_property(struct ask *a)
{
    return chy_get(a->task, CHY_OF_REQUEST, a->text, a->type, &a->out);
}
static chy_hresult certificate_property(struct ask *a)
{
    return chy_get(a->task, CHY_OF_CERTIFICATE, a->text, a->type, &a->out);
}

static chy_hresult give_text(struct ask *a, chy_hresult hr, chy_str s)
{
    if (hr != CHY_S_OK) return hr;
    a->out.vt = CHY_VT_STR;
    a->out.u.s = s;
    return hr;
}

static chy_hresult request_attribute(struct ask *a)
{
    chy_str s = {NULL, 0};
    return give_text(a,
                     policy_of(a)
                         ? policy_of(a)->get_request_attribute(self_of(a), a->text, &s)
                         : a->task->exit.vt->get_request_attribute(self_of(a), a->text, &s),
                     s);
}

static chy_hresult extension(struct ask *a)
{
    return policy_of(a)
               ? policy_of(a)->get_certificate_extension(self_of(a), a->text, a->type, &a->out)
               : a->task->exit.vt->get_certificate_extension(self_of(a), a->text, a->type, &a->out);
}

static chy_hresult extension_flags(struct ask *a)
{
    a->out.vt = CHY_VT_LONG;
    return policy_of(a)
               ? policy_of(a)->get_certificate_extension_flags(self_of(a), &a->out.u.l)
               : a->task->exit.vt->get_certificate_extension_flags(self_of(a), &a->out.u.l);
}

/* Octets go to free(); NULL: fine. */
static const char *value_of(const struct ask *a, const cJSON *j, chy_variant *v, chy_bytes *octets)
{
    *v = chy_variant_null();
    if (cJSON_IsNull(j)) return NULL;
    switch (a->type) {
    case CHY_PROPTYPE_LONG: v->vt = CHY_VT_LONG; return value_long(j, &v->u.l);
    case CHY_PROPTYPE_DATE: v->vt = CHY_VT_DATE; return value_time(j, &v->u.t);
    case CHY_PROPTYPE_STRING:
        if (!cJSON_IsString(j)) return "is not a text";
        *v = chy_variant_of_text(j->valuestring);
        return NULL;
    default: break;
    }
    const char *why = value_octets(j, octets);
    *v = chy_variant_of_bytes(octets->p, octets->n);
    return why;
}

static chy_hresult set_property(struct ask *a)
{
    chy_bytes octets = {NULL, 0};
    chy_variant v;
    const char *why = value_of(a, a->arg[2], &v, &octets);
    chy_hresult hr =
        why ? chy_remember(a->task, CHY_E_INVALIDARG) : chy_set(a->task, a->text, a->type, &v);
    free(octets.p);
    return hr;
}

static chy_hresult set_extension(struct ask *a)
{
    chy_bytes octets = {NULL, 0};
    chy_variant v;
    chy_long flags = 0;
    const char *why = value_long(a->arg[2], &flags);
    if (!why) why = value_of(a, a->arg[3], &v, &octets);
    chy_hresult hr = CHY_E_INVALIDARG;
    if (!why && policy_of(a))
        hr = policy_of(a)->set_certificate_extension(self_of(a), a->text, a->type, flags, &v);
    free(octets.p);
    return chy_remember(a->task, hr);
}

static chy_hresult extensions_setup(struct ask *a)
{
    chy_long flags = 0;
    if (a->arg[0] && value_long(a->arg[0], &flags)) return CHY_E_INVALIDARG;
    return policy_of(a) ? policy_of(a)->enumerate_extensions_setup(self_of(a), flags)
                        : a->task->exit.vt->enumerate_extensions_setup(self_of(a), flags);
}
static chy_hresult extensions_next(struct ask *a)
{
    chy_str s = {NULL, 0};
    return give_text(a,
                     policy_of(a) ? policy_of(a)->enumerate_extensions(self_of(a), &s)
                                  : a->task->exit.vt->enumerate_extensions(self_of(a), &s),
                     s);
}
static chy_hresult extensions_close(struct ask *a)
{
    return policy_of(a) ? policy_of(a)->enumerate_extensions_close(self_of(a))
                        : a->task->exit.vt->enumerate_extensions_close(self_of(a));
}
static chy_hresult attributes_setup(struct ask *a)
{
    chy_long flags = 0;
    if (a->arg[0] && value_long(a->arg[0], &flags)) return CHY_E_INVALIDARG;
    return policy_of(a) ? policy_of(a)->enumerate_attributes_setup(self_of(a), flags)
                        : a->task->exit.vt->enumerate_attributes_setup(self_of(a), flags);
}
static chy_hresult attributes_next(struct ask *a)
{
    chy_str s = {NULL, 0};
    return give_text(a,
                     policy_of(a) ? policy_of(a)->enumerate_attributes(self_of(a), &s)
                                  : a->task->exit.vt->enumerate_attributes(self_of(a), &s),
                     s);
}
static chy_hresult attributes_close(struct ask *a)
{
    return policy_of(a) ? policy_of(a)->enumerate_attributes_close(self_of(a))
                        : a->task->exit.vt->enumerate_attributes_close(self_of(a));
}

/* SetContext is missing: a call's context is its own. needs: how many arguments; typed: the second
 * is a PROPTYPE. */
static const struct method {
    const char *name;
    chy_hresult (*fn)(struct ask *a);
    int needs, most;
    bool named, typed, sets;
} methods[] = {
    {"GetRequestProperty", request_property, 1, 2, true, true, false},
    {"GetRequestAttribute", request_attribute, 1, 1, true, false, false},
    {"GetCertificateProperty", certificate_property, 1, 2, true, true, false},
    {"SetCertificateProperty", set_property, 3, 3, true, true, true},
    {"GetCertificateExtension", extension, 1, 2, true, true, false},
    {"GetCertificateExtensionFlags", extension_flags, 0, 0, false, false, false},
    {"SetCertificateExtension", set_extension, 4, 4, true, true, true},
    {"EnumerateExtensionsSetup", extensions_setup, 0, 1, false, false, false},
    {"EnumerateExtensions", extensions_next, 0, 0, false, false, false},
    {"EnumerateExtensionsClose", extensions_close, 0, 0, false, false, false},
    {"EnumerateAttributesSetup", attributes_setup, 0, 1, false, false, false},
    {"EnumerateAttributes", attributes_next, 0, 0, false, false, false},
    {"EnumerateAttributesClose", attributes_close, 0, 0, false, false, false},
};

static const struct method *find(const chy_task *task, const char *name)
{
    const char *prefix = task->policy.vt ? "ICertServerPolicy." : "ICertServerExit.";
    if (strncasecmp(name, prefix, strlen(prefix)) != 0) return NULL;
    name += strlen(prefix);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcasecmp(methods[i].name, name) != 0) continue;
        return methods[i].sets && !task->policy.vt ? NULL : &methods[i];
    }
    return NULL;
}

/* Whoever asks without a type takes what there is: a text, a number, a time or octets. */
static chy_hresult ask_untyped(const struct method *m, struct ask *a)
{
    static const chy_long types[] = {CHY_PROPTYPE_STRING, CHY_PROPTYPE_LONG, CHY_PROPTYPE_DATE,
                                     CHY_PROPTYPE_BINARY};
    chy_hresult hr = CHY_E_INVALIDARG;
    for (size_t i = m->fn == extension ? 3 : 0; i < 4 && hr == CHY_E_INVALIDARG; i++) {
        a->type = types[i];
        hr = m->fn(a);
    }
    return hr;
}

static chy_hresult run(const struct method *m, struct ask *a, const cJSON *args)
{
    int n = cJSON_GetArraySize(args);
    if ((args && !cJSON_IsArray(args)) || n < m->needs || n > m->most)
        return CHY_DISP_E_BADPARAMCOUNT;
    for (int i = 0; i < n; i++)
        a->arg[i] = cJSON_GetArrayItem(args, i);
    if (m->named && !cJSON_IsString(a->arg[0])) return CHY_DISP_E_TYPEMISMATCH;
    if (m->named) a->text = a->arg[0]->valuestring;
    if (!m->typed) return m->fn(a);
    if (n < 2) return ask_untyped(m, a);
    return value_type(a->arg[1], &a->type) ? CHY_E_INVALIDARG : m->fn(a);
}

void callback(chy_task *task, const cJSON *line, struct kit_text *t)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(line, "call");
    const struct method *m = cJSON_IsString(name) ? find(task, name->valuestring) : NULL;
    struct ask a = {.task = task, .out = chy_variant_empty()};
    chy_hresult hr =
        m ? run(m, &a, cJSON_GetObjectItemCaseSensitive(line, "args")) : CHY_DISP_E_UNKNOWNNAME;
    /* A setter that was not understood has set nothing. */
    if (CHY_FAILED(hr) && m && m->sets) (void)chy_remember(task, hr);
    if (CHY_FAILED(hr)) {
        value_add_key(t, "error");
        value_add_code(t, hr);
    } else {
        value_add_key(t, "return");
        value_add(t, &a.out);
    }
    task->host->vt->variant_clear(&a.out);
}
