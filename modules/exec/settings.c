#include "exec/settings.h"

#include <chancery/codes.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/value.h"
#include "kit/settings.h"

static const struct {
    const char *name;
    chy_long bit;
} event_names[] = {{"certissued", CHY_EXITEVENT_CERTISSUED},
                   {"certpending", CHY_EXITEVENT_CERTPENDING},
                   {"certdenied", CHY_EXITEVENT_CERTDENIED},
                   {"certrevoked", CHY_EXITEVENT_CERTREVOKED},
                   {"certunrevoked", CHY_EXITEVENT_CERTREVOKED}, /* one bit stands for both */
                   {"certretrievepending", CHY_EXITEVENT_CERTRETRIEVEPENDING},
                   {"crlissued", CHY_EXITEVENT_CRLISSUED},
                   {"shutdown", CHY_EXITEVENT_SHUTDOWN},
                   {"startup", CHY_EXITEVENT_STARTUP},
                   {"certimported", CHY_EXITEVENT_CERTIMPORTED}};
enum { EVENT_NAMES = sizeof event_names / sizeof event_names[0] };

chy_long exec_event(const char *name)
{
    for (size_t i = 0; i < EVENT_NAMES; i++) {
        if (strcasecmp(event_names[i].name, name) == 0) return event_names[i].bit;
    }
    return 0;
}

const char *exec_event_name(chy_long bit)
{
    for (size_t i = 0; i < EVENT_NAMES; i++) {
        if (event_names[i].bit == bit) return event_names[i].name;
    }
    return "other";
}

static void free_texts(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

/* NULL-ended copies; room for more at the end. */
static char **copy_texts(const chy_str *v, size_t n, size_t more)
{
    char **out = calloc(n + more + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++) {
        out[i] = strdup(v[i].p);
        if (out[i]) continue;
        free_texts(out);
        return NULL;
    }
    return out;
}

/* Who can write the file, or replace it in its folder, acts as the daemon. */
static bool others_write(const struct stat *st)
{
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
    return (st->st_uid != 0 && st->st_uid != geteuid()) ||
           ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky);
}

static const char *check_hands(const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return NULL;
    if (others_write(&st))
        return "names a file that others than root and the daemon's user may write: chown, chmod "
               "go-w";
    if (strlen(path) >= sizeof folder) return "has a path that is too long";
    memcpy(folder, path, strlen(path) + 1);
    folder[strrchr(folder, '/') - folder + 1] = 0;
    if (stat(folder, &st) != 0 || others_write(&st))
        return "names a file in a folder that others than root and the daemon's user may write";
    return NULL;
}

static const char *set_command(void *into, const chy_str *v, size_t n)
{
    struct exec_settings *s = into;
    struct stat st;
    if (!n || v[0].p[0] != '/') return "does not begin with an absolute path";
    if (n > 64) return "has more than 64 arguments";
    if (stat(v[0].p, &st) != 0 || !S_ISREG(st.st_mode) || access(v[0].p, X_OK) != 0)
        return "does not begin with a program that may be run";
    for (size_t i = 0; i < n; i++) {
        const char *rule = v[i].p[0] == '/' ? check_hands(v[i].p) : NULL;
        if (rule) return rule;
    }
    free_texts(s->plan.argv);
    s->plan.argv = copy_texts(v, n, 0);
    return s->plan.argv ? NULL : "finds no memory";
}

static const char *set_environment(void *into, const chy_str *v, size_t n)
{
    struct exec_settings *s = into;
    if (n > 64) return "has more than 64 variables";
    for (size_t i = 0; i < n; i++) {
        size_t name =
            strspn(v[i].p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        if (!name || v[i].p[name] != '=') return "has an element that is not NAME=VALUE";
    }
    free_texts(s->plan.envp);
    s->plan.envp = copy_texts(v, n, 2);
    return s->plan.envp ? NULL : "finds no memory";
}

static const char *set_folder(void *into, const char *v)
{
    struct exec_settings *s = into;
    struct stat st;
    if (v[0] != '/') return "is not an absolute path";
    if (stat(v, &st) != 0 || !S_ISDIR(st.st_mode)) return "is not a folder";
    free(s->folder);
    s->folder = strdup(v);
    return s->folder ? NULL : "finds no memory";
}

static const char *set_user(void *into, const char *v)
{
    struct exec_settings *s = into;
    struct passwd pw, *found = NULL;
    char text[4096];
    if (getpwnam_r(v, &pw, text, sizeof text, &found) != 0 || !found) return "is no user here";
    if (geteuid() != 0) return geteuid() == pw.pw_uid ? NULL : "needs a daemon that runs as root";
    s->plan.n_groups = SPAWN_GROUPS;
    if (getgrouplist(v, pw.pw_gid, s->plan.group, &s->plan.n_groups) < 0)
        return "is in more than 64 groups";
    s->plan.uid = pw.pw_uid;
    s->plan.gid = pw.pw_gid;
    s->plan.as_user = true;
    return NULL;
}

static const char *set_concurrency(void *into, chy_long v)
{
    struct exec_settings *s = into;
    if (v < 1 || v > EXEC_PROGRAMS_MAX) return "is not from 1 to 64";
    s->concurrency = v;
    return NULL;
}

static const char *set_events(void *into, const chy_str *v, size_t n)
{
    struct exec_settings *s = into;
    s->events = 0;
    for (size_t i = 0; i < n; i++) {
        chy_long bit = exec_event(v[i].p);
        if (!bit) return "has a name that is no event: certissued, certpending, certdenied, …";
        s->events |= bit;
    }
    return NULL;
}

static const char *give(void *into, const char *rest, const chy_variant *v)
{
    struct exec_settings *s = into;
    if (s->given.n) kit_add_str(&s->given, ",");
    kit_add_json(&s->given, rest, strlen(rest));
    kit_add_str(&s->given, ":");
    value_add(&s->given, v);
    if (s->given.n > 512 * 1024) return "makes the program's settings longer than 512 KiB";
    return s->given.failed ? "finds no memory" : NULL;
}

/* Only what is the same everywhere: the daemon's environment may hold what is secret. */
static bool complete_environment(struct exec_settings *s)
{
    static const char *const more[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
    if (!s->plan.envp) s->plan.envp = copy_texts(NULL, 0, 2);
    for (size_t i = 0; s->plan.envp && i < 2; i++) {
        size_t n = 0, name = strcspn(more[i], "=") + 1;
        while (s->plan.envp[n] && strncmp(s->plan.envp[n], more[i], name) != 0)
            n++;
        if (s->plan.envp[n]) continue;
        s->plan.envp[n] = strdup(more[i]);
        if (!s->plan.envp[n]) return false;
    }
    return s->plan.envp != NULL;
}

static const struct kit_setting table[] = {{.name = "Command", .list = set_command},
                                           {.name = "Environment", .list = set_environment},
                                           {.name = "WorkingDirectory", .text = set_folder},
                                           {.name = "User", .text = set_user},
                                           {.name = "Program/", .below = give},
                                           {.name = "Concurrency", .number = set_concurrency},
                                           {.name = "EventMask", .list = set_events}};

chy_hresult exec_settings_read(const chy_host *host, const char *module, bool is_policy,
                               struct exec_settings *out)
{
    size_t n = sizeof table / sizeof table[0];
    *out = (struct exec_settings){.concurrency = 1};
    /* The last but one is a policy's alone, the last one an exit's. */
    struct kit_setting own[sizeof table / sizeof table[0]];
    memcpy(own, table, sizeof table);
    own[n - 2] = table[is_policy ? n - 2 : n - 1];
    chy_hresult hr = kit_settings_read(host, module, own, n - 1, out);
    if (!CHY_FAILED(hr) && !out->plan.argv) {
        char text[160];
        snprintf(text, sizeof text, "%s: setting Command is missing: the program and its arguments",
                 module);
        host->vt->log(host->self, CHY_LOG_ERROR, text);
        hr = CHY_E_INVALIDARG;
    }
    if (!CHY_FAILED(hr) && !complete_environment(out)) hr = CHY_E_OUTOFMEMORY;
    out->plan.folder = out->folder ? out->folder : "/";
    if (CHY_FAILED(hr)) exec_settings_free(out);
    return hr;
}

void exec_settings_free(struct exec_settings *s)
{
    free_texts(s->plan.argv);
    free_texts(s->plan.envp);
    free(s->folder);
    kit_text_free(&s->given);
    *s = (struct exec_settings){0};
}
