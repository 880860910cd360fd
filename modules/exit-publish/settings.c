#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "publish.h"

enum { EVENTS = 0x2ff };

static chy_hresult bad(const chy_host *h, const char *name, const char *rule)
{
    char text[400];
    snprintf(text, sizeof text, "exit-publish: setting %.200s %s", name, rule);
    h->vt->log(h->self, CHY_LOG_ERROR, text);
    return CHY_E_INVALIDARG;
}

static const char *set_path(char **at, const char *v)
{
    if (!*v) return NULL;
    if (*v != '/' || strlen(v) > 3000) return "is not an absolute path";
    free(*at);
    *at = strdup(v);
    return *at ? NULL : "needs more memory than there is";
}

static const char *set_folder(struct settings *s, const char *v)
{
    return set_path(&s->folder, v);
}

static const char *set_crl_folder(struct settings *s, const char *v)
{
    return set_path(&s->crl_folder, v);
}

static const char *set_crl_pattern(struct settings *s, const char *v)
{
    return crl_pattern_normal(v, s->crl_pattern, sizeof s->crl_pattern);
}

static const char *set_pattern(struct settings *s, const char *v)
{
    return pattern_normal(v, s->pattern, sizeof s->pattern);
}

static const char *set_mode(struct settings *s, const char *v)
{
    size_t n = strspn(v, "01234567");
    unsigned long mode = strtoul(v, NULL, 8);
    if (n == 0 || n > 4 || v[n] || mode > 0777) return "is not octal text from \"0\" to \"0777\"";
    s->mode = (mode_t)mode;
    return NULL;
}

static const char *set_format(struct settings *s, const char *v)
{
    static const char *const names[] = {"der", "pem", "chain"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcasecmp(names[i], v) != 0) continue;
        s->format = (enum format)i;
        return NULL;
    }
    return "is none of der, pem, chain";
}

/* A number stands for itself. */
static bool number_of(const char *v, unsigned *out)
{
    size_t n = strspn(v, "0123456789");
    if (n == 0 || n > 9 || v[n]) return false;
    *out = (unsigned)strtoul(v, NULL, 10);
    return true;
}

static const char *set_owner(struct settings *s, const char *v)
{
    struct passwd pw, *found = NULL;
    char buf[4096];
    unsigned n;
    if (!*v) return NULL;
    if (number_of(v, &n)) {
        s->owner = n;
    } else {
        if (getpwnam_r(v, &pw, buf, sizeof buf, &found) != 0 || !found)
            return "names an unknown user";
        s->owner = found->pw_uid;
    }
    s->chown = true;
    return NULL;
}

static const char *set_group(struct settings *s, const char *v)
{
    struct group gr, *found = NULL;
    char buf[16384];
    unsigned n;
    if (!*v) return NULL;
    if (number_of(v, &n)) {
        s->group = n;
    } else {
        if (getgrnam_r(v, &gr, buf, sizeof buf, &found) != 0 || !found)
            return "names an unknown group";
        s->group = found->gr_gid;
    }
    s->chown = true;
    return NULL;
}

static const char *set_event_filter(struct settings *s, chy_long v)
{
    if (v & ~EVENTS) return "has bits that are no event";
    s->event_filter = v;
    return NULL;
}

static const char *set_flags(struct settings *s, chy_long v)
{
    const chy_long all =
        CHY_EXITPUB_FILE | CHY_EXITPUB_ACTIVEDIRECTORY | CHY_EXITPUB_REMOVEOLDCERTS;
    if (v & ~all) return "has bits that are no EXITPUB flag";
    s->flags = v;
    return NULL;
}

static const char *set_always(struct settings *s, chy_long v)
{
    if (v != 0 && v != 1) return "is neither 0 nor 1";
    s->always = v == 1;
    return NULL;
}

static const struct {
    const char *name;
    const char *(*text)(struct settings *s, const char *v);
    const char *(*number)(struct settings *s, chy_long v);
} known[] = {{"Folder", set_folder, NULL},
             {"NamePattern", set_pattern, NULL},
             {"CRLDirectory", set_crl_folder, NULL},
             {"CRLFileName", set_crl_pattern, NULL},
             {"Mode", set_mode, NULL},
             {"Format", set_format, NULL},
             {"Owner", set_owner, NULL},
             {"Group", set_group, NULL},
             {"Always", NULL, set_always},
             {"EventFilter", NULL, set_event_filter},
             {"PublishCertFlags", NULL, set_flags}};
enum { KNOWN = sizeof known / sizeof known[0] };

static chy_hresult read_one(const chy_host *h, struct settings *s, size_t i)
{
    chy_variant v = {0};
    const char *rule;
    chy_hresult hr = h->vt->get_setting(h->self, known[i].name, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) {
        bad(h, known[i].name, "cannot be read");
        return hr;
    }
    bool number = v.vt == CHY_VT_LONG || v.vt == CHY_VT_BOOL;
    bool text = v.vt == CHY_VT_STR && v.u.s.p && strlen(v.u.s.p) == v.u.s.n;
    if (known[i].text)
        rule = text ? known[i].text(s, v.u.s.p) : "is not a text";
    else
        rule = number ? known[i].number(s, v.u.l) : "is not a number";
    h->vt->variant_clear(&v);
    return rule ? bad(h, known[i].name, rule) : CHY_S_OK;
}

/* A misspelt name is told, and no more: other tools may keep notes of their own in the folder. */
static void warn_unknown(const chy_host *h)
{
    chy_str name = {0}, next = {0};
    unsigned count = 0;
    while (count++ < 100 && h->vt->next_setting(h->self, name.p, &next) == CHY_S_OK) {
        bool found = false;
        char text[400];
        if (name.p) h->vt->free(name.p);
        name = next;
        for (size_t i = 0; i < KNOWN; i++)
            found = found || strcasecmp(known[i].name, name.p) == 0;
        if (found) continue;
        snprintf(text, sizeof text, "exit-publish: setting %.200s is unknown and has no effect",
                 name.p);
        h->vt->log(h->self, CHY_LOG_WARNING, text);
    }
    if (name.p) h->vt->free(name.p);
}

chy_hresult settings_load(const chy_host *host, struct settings **out)
{
    struct settings *s = calloc(1, sizeof *s);
    chy_hresult hr = s ? CHY_S_OK : CHY_E_OUTOFMEMORY;
    if (!s) return hr;
    *s = (struct settings){.refs = 1,
                           .event_filter = CHY_EXITEVENT_CERTISSUED,
                           .flags = CHY_EXITPUB_FILE,
                           .mode = 0644,
                           .owner = (uid_t)-1,
                           .group = (gid_t)-1,
                           .pattern = "%i.cer",
                           .crl_pattern = "%3" CRL_PARTITION "%8%9.crl"};
    for (size_t i = 0; i < KNOWN && !CHY_FAILED(hr); i++)
        hr = read_one(host, s, i);
    if (CHY_FAILED(hr)) {
        settings_free(s);
        return hr;
    }
    warn_unknown(host);
    if (!s->folder)
        host->vt->log(host->self, CHY_LOG_INFO,
                      s->crl_folder
                          ? "exit-publish: no Folder, no certificate is published"
                          : "exit-publish: no Folder and no CRLDirectory, nothing is published");
    *out = s;
    return CHY_S_OK;
}

void settings_free(struct settings *s)
{
    free(s->folder);
    free(s->crl_folder);
    free(s);
}
