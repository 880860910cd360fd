#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy.h"

/* AD CS's stand-alone list (EnableRequestExtensionList). */
static const char enable_default[] =
    "1.2.840.113549.1.9.15 1.3.6.1.4.1.311.21.1 1.3.6.1.4.1.311.21.2 2.5.29.15 "
    "1.3.6.1.4.1.311.10.9.1 1.3.6.1.4.1.311.20.2 1.3.6.1.4.1.311.21.7 1.3.6.1.4.1.311.21.10 "
    "1.3.6.1.4.1.311.21.11 1.3.6.1.4.1.311.21.12 2.5.29.17 2.5.29.30 2.5.29.32 2.5.29.33 "
    "2.5.29.36 2.5.29.37";

static bool to_list(const chy_variant *v, struct list *out)
{
    char num[16];
    switch (v->vt) {
    case CHY_VT_LONG:
    case CHY_VT_BOOL:
        snprintf(num, sizeof num, "%d", (int)v->u.l);
        return list_add(out, num, strlen(num));
    case CHY_VT_STR: return v->u.s.p && list_split(out, v->u.s.p);
    case CHY_VT_STRV:
        for (size_t i = 0; i < v->u.sv.n; i++)
            if (!list_add(out, v->u.sv.v[i].p, v->u.sv.v[i].n)) return false;
        return true;
    default: return false;
    }
}

static chy_hresult bad(const chy_host *h, const char *name, const char *rule)
{
    char text[400];
    snprintf(text, sizeof text, "policy-default: setting %.200s %s", name, rule);
    h->vt->log(h->self, CHY_LOG_ERROR, text);
    return CHY_E_INVALIDARG;
}

static chy_hresult profile_setting(const chy_host *h, struct config *c, const char *name,
                                   const struct list *v)
{
    char prof[65];
    const char *rest = name + strlen("Profiles/"), *slash = strchr(rest, '/');
    size_t n = slash ? (size_t)(slash - rest) : 0;
    if (n == 0 || n >= sizeof prof) return bad(h, name, "is not Profiles/NAME/SETTING");
    memcpy(prof, rest, n);
    prof[n] = 0;
    struct profile *p = config_profile(c, prof, true);
    if (!p) return bad(h, name, "is one profile too many");
    const char *rule = profile_set(p, slash + 1, v);
    return rule ? bad(h, name, rule) : CHY_S_OK;
}

static chy_hresult one_setting(const chy_host *h, struct config *c, const char *name,
                               const chy_variant *v)
{
    struct list l = {0};
    chy_hresult hr = CHY_S_OK;
    if (!to_list(v, &l)) {
        hr = bad(h, name, "has a type that no setting has");
    } else if (!strncasecmp(name, "Profiles/", 9)) {
        hr = profile_setting(h, c, name, &l);
    } else if (!strcasecmp(name, "RequestDisposition") || !strcasecmp(name, "EditFlags")) {
        bool edit = (name[0] | 32) == 'e';
        if (v->vt != CHY_VT_LONG)
            hr = bad(h, name, "is not a number");
        else if (!edit && ((v->u.l & ~0x1ff) || (v->u.l & 0xff) > 3))
            hr = bad(h, name, "is no REQDISP value");
        else if (edit)
            c->edit_flags = v->u.l;
        else
            c->disposition = v->u.l;
        if (edit) c->edit_flags_set = true;
    } else if (!strcasecmp(name, "DefaultProfile")) {
        if (l.n != 1 || strlen(l.v[0]) >= sizeof c->default_profile)
            hr = bad(h, name, "is not one name");
        else
            memcpy(c->default_profile, l.v[0], strlen(l.v[0]) + 1);
    } else {
        struct list *to = !strcasecmp(name, "EnableRequestExtensionList") ? &c->enable_ext
                          : !strcasecmp(name, "DisableExtensionList")     ? &c->disable_ext
                          : !strcasecmp(name, "EnrollAllowed")            ? &c->enroll
                                                                          : NULL;
        if (to) {
            list_free(to);
            *to = l;
            return CHY_S_OK;
        }
    }
    list_free(&l);
    return hr;
}

static chy_hresult read_all(const chy_host *h, struct config *c)
{
    chy_str name = {0}, next = {0};
    chy_hresult hr;
    unsigned count = 0;
    while ((hr = h->vt->next_setting(h->self, name.p, &next)) == CHY_S_OK) {
        if (name.p) h->vt->free(name.p);
        name = next;
        chy_variant v = {0};
        hr = ++count > 4096 ? CHY_E_INVALIDARG : h->vt->get_setting(h->self, name.p, &v);
        if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) continue;
        if (!CHY_FAILED(hr)) hr = one_setting(h, c, name.p, &v);
        h->vt->variant_clear(&v);
        if (CHY_FAILED(hr)) break;
    }
    if (name.p) h->vt->free(name.p);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}

chy_hresult config_load(const chy_host *host, struct config **out)
{
    struct config *c = calloc(1, sizeof *c);
    if (!c) return CHY_E_OUTOFMEMORY;
    c->refs = 1;
    c->disposition = CHY_REQDISP_DEFAULT_STANDALONE;
    c->edit_flags = CHY_EDITF_DEFAULT_STANDALONE;
    memcpy(c->default_profile, "tls-server", 11);
    chy_hresult hr = list_split(&c->enable_ext, enable_default) && profiles_builtin(c)
                         ? read_all(host, c)
                         : CHY_E_OUTOFMEMORY;
    if (!CHY_FAILED(hr) && !config_profile(c, c->default_profile, false))
        hr = bad(host, "DefaultProfile", "names an unknown profile");
    if (CHY_FAILED(hr))
        config_free(c);
    else
        *out = c;
    return hr;
}

void config_free(struct config *c)
{
    for (size_t i = 0; i < c->n; i++)
        profile_free(&c->profiles[i]);
    free(c->profiles);
    list_free(&c->enable_ext);
    list_free(&c->disable_ext);
    list_free(&c->enroll);
    free(c);
}
