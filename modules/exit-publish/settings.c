#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/settings.h"
#include "publish.h"

enum { EVENTS = 0x2ff };

static const char *set_path(char **at, const char *v)
{
    if (!*v) return NULL;
    if (*v != '/' || strlen(v) > 3000) return "is not an absolute path";
    free(*at);
    *at = strdup(v);
    return *at ? NULL : "needs more memory than there is";
}

static const char *set_folder(void *into, const char *v)
{
    struct settings *s = into;
    return set_path(&s->folder, v);
}

static const char *set_crl_folder(void *into, const char *v)
{
    struct settings *s = into;
    return set_path(&s->crl_folder, v);
}

static const char *set_crl_pattern(void *into, const char *v)
{
    struct settings *s = into;
    return crl_pattern_normal(v, s->crl_pattern, sizeof s->crl_pattern);
}

static const char *set_pattern(void *into, const char *v)
{
    struct settings *s = into;
    return pattern_normal(v, s->pattern, sizeof s->pattern);
}

static const char *set_ca_folder(void *into, const char *v)
{
    struct settings *s = into;
    return set_path(&s->ca_folder, v);
}

static const char *octal(mode_t *at, const char *v)
{
    size_t n = strspn(v, "01234567");
    unsigned long mode = strtoul(v, NULL, 8);
    if (n == 0 || n > 4 || v[n] || mode > 0777) return "is not octal text from \"0\" to \"0777\"";
    *at = (mode_t)mode;
    return NULL;
}

static const char *set_mode(void *into, const char *v)
{
    struct settings *s = into;
    return octal(&s->mode, v);
}

static const char *set_folder_mode(void *into, const char *v)
{
    struct settings *s = into;
    s->creates = true;
    return octal(&s->folder_mode, v);
}

/* It stands in front of names in a page, and is what its reader follows. */
static const char *set_crl_base(void *into, const char *v)
{
    struct settings *s = into;
    bool web = !strncasecmp(v, "https://", 8) || !strncasecmp(v, "http://", 7);
    for (const char *p = v; *p; p++)
        if (*p <= 0x20 || *p > 0x7e || strchr("\"<>\\^`{|}", *p)) web = false;
    if (!web || strlen(v) > 1000 || v[strlen(v) - 1] != '/')
        return "is no http or https URL with a slash at its end";
    free(s->crl_base);
    s->crl_base = strdup(v);
    return s->crl_base ? NULL : "needs more memory than there is";
}

/* What the daemon's user runs must be for nobody else to change. */
static const char *program_rule(const char *path)
{
    struct stat st;
    if (path[0] != '/') return "does not begin with an absolute path";
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return "names what is no program";
    if (st.st_uid != 0 && st.st_uid != geteuid()) return "names a program of somebody else";
    if (st.st_mode & (S_IWGRP | S_IWOTH)) return "names a program that others may write";
    return access(path, X_OK) == 0 ? NULL : "names a program that cannot be run";
}

static const char *set_command(void *into, const chy_str *v, size_t n)
{
    struct settings *s = into;
    if (!n) return NULL;
    const char *rule = n <= COMMAND_MAX ? program_rule(v[0].p) : "has more than 32 words";
    for (size_t i = 0; i < n && !rule; i++) {
        s->command[i] = strdup(v[i].p);
        if (!s->command[i]) rule = "needs more memory than there is";
    }
    return rule;
}

static const char *set_command_seconds(void *into, chy_long v)
{
    struct settings *s = into;
    s->command_seconds = v;
    return v >= 1 && v <= 300 ? NULL : "is not between 1 and 300 seconds";
}

static const char *set_format(void *into, const char *v)
{
    struct settings *s = into;
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

static const char *set_owner(void *into, const char *v)
{
    struct settings *s = into;
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

static const char *set_group(void *into, const char *v)
{
    struct settings *s = into;
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

static const char *set_event_filter(void *into, chy_long v)
{
    struct settings *s = into;
    if (v & ~EVENTS) return "has bits that are no event";
    s->event_filter = v;
    return NULL;
}

static const char *set_flags(void *into, chy_long v)
{
    struct settings *s = into;
    const chy_long all =
        CHY_EXITPUB_FILE | CHY_EXITPUB_ACTIVEDIRECTORY | CHY_EXITPUB_REMOVEOLDCERTS;
    if (v & ~all) return "has bits that are no EXITPUB flag";
    s->flags = v;
    return NULL;
}

static const char *set_always(void *into, chy_long v)
{
    struct settings *s = into;
    if (v != 0 && v != 1) return "is neither 0 nor 1";
    s->always = v == 1;
    return NULL;
}

static const char *set_index(void *into, chy_long v)
{
    struct settings *s = into;
    if (v != 0 && v != 1) return "is neither 0 nor 1";
    s->index = v == 1;
    return NULL;
}

static const struct kit_setting known[] = {
    {.name = "Folder", .text = set_folder},
    {.name = "NamePattern", .text = set_pattern},
    {.name = "CRLDirectory", .text = set_crl_folder},
    {.name = "CRLFileName", .text = set_crl_pattern},
    {.name = "CACertDirectory", .text = set_ca_folder},
    {.name = "CRLBaseURL", .text = set_crl_base},
    {.name = "Index", .number = set_index},
    {.name = "PostPublishCommand", .list = set_command},
    {.name = "PostPublishTimeout", .number = set_command_seconds},
    {.name = "FolderMode", .text = set_folder_mode},
    {.name = "Mode", .text = set_mode},
    {.name = "Format", .text = set_format},
    {.name = "Owner", .text = set_owner},
    {.name = "Group", .text = set_group},
    {.name = "Always", .number = set_always},
    {.name = "EventFilter", .number = set_event_filter},
    {.name = "PublishCertFlags", .number = set_flags}};
enum { KNOWN = sizeof known / sizeof known[0] };

chy_hresult settings_load(const chy_host *host, struct settings **out)
{
    struct settings *s = calloc(1, sizeof *s);
    chy_hresult hr = s ? CHY_S_OK : CHY_E_OUTOFMEMORY;
    if (!s) return hr;
    *s = (struct settings){.event_filter = CHY_EXITEVENT_CERTISSUED,
                           .flags = CHY_EXITPUB_FILE,
                           .mode = 0644,
                           .command_seconds = 10,
                           .owner = (uid_t)-1,
                           .group = (gid_t)-1,
                           .pattern = "%i.cer",
                           .crl_pattern = "%3" CRL_PARTITION "%8%9.crl"};
    hr = kit_settings_read(host, "exit-publish", known, KNOWN, s);
    if (CHY_FAILED(hr)) {
        settings_free(s);
        return hr;
    }
    if (!s->creates) s->folder_mode = (s->mode | (s->mode & 0444) >> 2) | 0700;
    s->index = s->index && s->folder;
    if ((s->flags & CHY_EXITPUB_REMOVEOLDCERTS) && !s->index)
        host->vt->log(host->self, CHY_LOG_WARNING,
                      "exit-publish: setting PublishCertFlags would have expired certificates "
                      "removed, and without Index and Folder nobody knows which");
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
    free(s->ca_folder);
    free(s->crl_base);
    for (size_t i = 0; i < COMMAND_MAX; i++)
        free(s->command[i]);
    free(s);
}
