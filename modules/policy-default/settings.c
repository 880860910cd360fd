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

/* Text with a NUL inside would be cut where C text ends. */
static bool add_text(struct list *l, const chy_str *s)
{
    return s->p && s->n && strlen(s->p) == s->n && list_add(l, s->p, s->n);
}

/* Every setting as a list of texts; false: of a type that no setting has, or an empty element. */
static bool to_list(const chy_variant *v, struct list *out)
{
    char num[16];
    switch (v->vt) {
    case CHY_VT_LONG:
    case CHY_VT_BOOL:
        snprintf(num, sizeof num, "%d", (int)v->u.l);
        return list_add(out, num, strlen(num));
    case CHY_VT_STR: return v->u.s.p && strlen(v->u.s.p) == v->u.s.n && list_split(out, v->u.s.p);
    case CHY_VT_STRV:
        for (size_t i = 0; i < v->u.sv.n; i++)
            if (!add_text(out, &v->u.sv.v[i])) return false;
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
    struct profile *p = config_profile_add(c, prof);
    if (!p) return bad(h, name, "is one profile too many");
    const char *rule = profile_set(p, slash + 1, v);
    return rule ? bad(h, name, rule) : CHY_S_OK;
}

static chy_hresult number_setting(const chy_host *h, struct config *c, const char *name,
                                  const chy_variant *v)
{
    bool is_edit = !strcasecmp(name, "EditFlags"), is_path = !strcasecmp(name, "CAPathLength");
    bool is_hours = !strcasecmp(name, "MaxHoursWithoutRevocation");
    if (v->vt != CHY_VT_LONG) return bad(h, name, "is not a number");
    if (is_edit) {
        c->edit_flags = v->u.l;
        c->edit_flags_set = true;
    } else if (is_path) {
        /* 0xffffffff, which is -1 here, stands for none, as in AD CS. */
        if (v->u.l < -1 || v->u.l > 127) return bad(h, name, "is neither 0 to 127 nor none (-1)");
        c->ca_path_length = v->u.l;
    } else if (is_hours) {
        if (v->u.l < 1 || v->u.l > 8760) return bad(h, name, "is not from 1 to 8760");
        c->hours_without_revocation = v->u.l;
    } else {
        if ((v->u.l & ~0x1ff) || (v->u.l & CHY_REQDISP_MASK) > CHY_REQDISP_USEREQUESTATTRIBUTE)
            return bad(h, name, "is no REQDISP value");
        c->disposition = v->u.l;
    }
    return CHY_S_OK;
}

static chy_hresult list_setting(const chy_host *h, struct config *c, const char *name,
                                struct list *l)
{
    char text[300];
    struct list *to = !strcasecmp(name, "EnableRequestExtensionList") ? &c->enable_ext
                      : !strcasecmp(name, "DisableExtensionList")     ? &c->disable_ext
                      : !strcasecmp(name, "EnrollAllowed")            ? &c->enroll
                                                                      : NULL;
    if (to) {
        list_free(to);
        *to = *l;
        *l = (struct list){0};
        return CHY_S_OK;
    }
    snprintf(text, sizeof text, "policy-default: setting %.200s is unknown and has no effect",
             name);
    h->vt->log(h->self, CHY_LOG_WARNING, text);
    return CHY_S_OK;
}

static chy_hresult one_setting(const chy_host *h, struct config *c, const char *name,
                               const chy_variant *v)
{
    struct list l = {0};
    chy_hresult hr = CHY_S_OK;
    if (!to_list(v, &l)) {
        hr = l.starved ? CHY_E_OUTOFMEMORY
                       : bad(h, name, "has a type that no setting has, or an empty element");
    } else if (!strncasecmp(name, "Profiles/", 9)) {
        hr = profile_setting(h, c, name, &l);
    } else if (!strcasecmp(name, "RequestDisposition") || !strcasecmp(name, "EditFlags") ||
               !strcasecmp(name, "CAPathLength") ||
               !strcasecmp(name, "MaxHoursWithoutRevocation")) {
        hr = number_setting(h, c, name, v);
    } else if (!strcasecmp(name, "DefaultProfile")) {
        if (l.n != 1 || strlen(l.v[0]) >= sizeof c->default_profile)
            hr = bad(h, name, "is not one name");
        else
            memcpy(c->default_profile, l.v[0], strlen(l.v[0]) + 1);
    } else {
        hr = list_setting(h, c, name, &l);
    }
    list_free(&l);
    return hr;
}

static chy_hresult read_one(const chy_host *h, struct config *c, const char *name)
{
    chy_variant v = {0};
    chy_hresult hr = h->vt->get_setting(h->self, name, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) {
        bad(h, name, "cannot be read");
        return hr;
    }
    hr = one_setting(h, c, name, &v);
    h->vt->variant_clear(&v);
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
        hr = ++count > 4096 ? bad(h, name.p, "is one setting too many") : read_one(h, c, name.p);
        if (CHY_FAILED(hr)) break;
    }
    if (name.p) h->vt->free(name.p);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}

/* CAPathLength is AD CS's setting for every CA certificate; a profile's own PathLength is closer.
 */
static void path_lengths(struct config *c)
{
    for (size_t i = 0; i < c->n && c->ca_path_length > -2; i++)
        if (!c->profiles[i].path_length_given) c->profiles[i].path_length = c->ca_path_length;
}

/* A CA certificate never says that it cannot be revoked (RFC 9608 2). */
static chy_hresult revocable_cas(const chy_host *h, const struct config *c)
{
    for (size_t i = 0; i < c->n; i++) {
        char name[100];
        if (!c->profiles[i].ca || !c->profiles[i].no_revocation) continue;
        snprintf(name, sizeof name, "Profiles/%s/Revocation", c->profiles[i].name);
        return bad(h, name, "is none, but BasicConstraintsCA makes CA certificates of it");
    }
    return CHY_S_OK;
}

chy_hresult config_load(const chy_host *host, struct config **out)
{
    struct config *c = calloc(1, sizeof *c);
    if (!c) return CHY_E_OUTOFMEMORY;
    c->disposition = CHY_REQDISP_DEFAULT_STANDALONE;
    c->ca_path_length = -2;
    c->hours_without_revocation = 168;
    c->edit_flags = CHY_EDITF_DEFAULT_STANDALONE;
    memcpy(c->default_profile, "tls-server", 11);
    chy_hresult hr = list_split(&c->enable_ext, enable_default) && profiles_builtin(c)
                         ? read_all(host, c)
                         : CHY_E_OUTOFMEMORY;
    if (!CHY_FAILED(hr) && !config_profile(c, c->default_profile))
        hr = bad(host, "DefaultProfile", "names an unknown profile");
    if (!CHY_FAILED(hr)) hr = revocable_cas(host, c);
    if (CHY_FAILED(hr)) {
        config_free(c);
        return hr;
    }
    path_lengths(c);
    *out = c;
    return CHY_S_OK;
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
