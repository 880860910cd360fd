#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

bool probe_word(const char *text, const char *word, const char **rest)
{
    size_t n = strlen(word);
    if (strncmp(text, word, n) != 0 || (text[n] && text[n] != ' ')) return false;
    *rest = text + n;
    return true;
}

chy_hresult probe_text(const chy_host *host, const char *s, chy_str *out)
{
    size_t n = strlen(s);
    char *p = host->vt->alloc(n + 1);
    if (!p) return CHY_E_OUTOFMEMORY;
    memcpy(p, s, n + 1);
    *out = (chy_str){p, n};
    return CHY_S_OK;
}

static struct face policy_face(struct probe *p)
{
    chy_server_policy s = {NULL, NULL};
    (void)p->host->vt->new_server_policy(p->host->self, &s);
    return face_of_policy(s, p->late);
}

static struct face exit_face(struct probe *p)
{
    chy_server_exit s = {NULL, NULL};
    (void)p->host->vt->new_server_exit(p->host->self, &s);
    return face_of_exit(s, p->late);
}

static chy_hresult hang(struct probe *p, struct face f, chy_long context, long ms)
{
    chy_long left = -1;
    say(p->host, "context: %08x", (unsigned)face_set_context(&f, context));
    sleep_ms(ms);
    say(p->host, "after the deadline");
    walk_all_refused(p->host, &f);
    say(p->host, "context: %08x", (unsigned)face_set_context(&f, context));
    say(p->host, "message: %08x",
        (unsigned)p->host->vt->set_message(p->host->self, context, "late"));
    (void)p->host->vt->time_left(p->host->self, &left);
    say(p->host, "time left: %d", left);
    face_release(&f);
    return CHY_S_OK;
}

static void overlap(struct probe *p, long ms)
{
    int now = atomic_fetch_add(&p->inside, 1) + 1, most = atomic_load(&p->most);
    while (now > most && !atomic_compare_exchange_weak(&p->most, &most, now))
        continue;
    sleep_ms(ms);
    atomic_fetch_sub(&p->inside, 1);
}

chy_hresult probe_initialize(struct probe *p, const char *config)
{
    const char *rest;
    struct face f = policy_face(p);
    chy_hresult hr = CHY_S_OK;
    snprintf(p->mode, sizeof(p->mode), "%s", config);
    if (probe_word(config, "walk", &rest)) walk_all_refused(p->host, &f);
    if (probe_word(config, "fail", &rest)) hr = (chy_hresult)strtol(rest, NULL, 0);
    if (probe_word(config, "start-hang", &rest)) sleep_ms(strtol(rest, NULL, 0));
    face_release(&f);
    return hr;
}

chy_hresult probe_verify(struct probe *p, const char *config, chy_long context,
                         chy_long *disposition)
{
    const char *rest;
    char *end;
    if (probe_word(config, "answer", &rest)) {
        chy_hresult hr = (chy_hresult)strtol(rest, &end, 0);
        if (strcmp(end, " none") != 0) *disposition = (chy_long)strtol(end, NULL, 0);
        return hr;
    }
    if (probe_word(config, "overlap", &rest)) overlap(p, strtol(rest, NULL, 0));
    *disposition = CHY_VR_INSTANT_OK;
    if (probe_word(config, "hang", &rest))
        return hang(p, policy_face(p), context, strtol(rest, NULL, 0));
    struct face f = policy_face(p);
    if (probe_word(config, "walk", &rest)) {
        walk(p->host, &f, context, p->stale);
        walk_host(p->host, context);
        walk_invoke(p->host, &f);
        p->stale = context;
    }
    if (probe_word(config, "quick", &rest) && walk_quickly(p->host, &f, context) != 0)
        *disposition = CHY_VR_INSTANT_BAD;
    face_release(&f);
    return CHY_S_OK;
}

chy_hresult probe_notify(struct probe *p, chy_long event, chy_long context)
{
    const char *rest;
    say(p->host, "event %d%s", event, context ? "" : " of no request");
    if (probe_word(p->mode, "answer", &rest)) return (chy_hresult)strtol(rest, NULL, 0);
    if (probe_word(p->mode, "hang", &rest))
        return hang(p, exit_face(p), context, strtol(rest, NULL, 0));
    if (!probe_word(p->mode, "walk", &rest)) return CHY_S_OK;
    struct face f = exit_face(p), setter = policy_face(p);
    if (context) {
        walk(p->host, &f, context, p->stale);
        walk_host(p->host, context);
        say(p->host, "an exit module with the policy's object may read, and not set");
        say(p->host, "context: %08x", (unsigned)face_set_context(&setter, context));
        walk_all_refused(p->host, &setter);
    } else {
        walk_all_refused(p->host, &f);
    }
    walk_invoke(p->host, &f);
    p->stale = context;
    face_release(&f);
    face_release(&setter);
    return CHY_S_OK;
}

chy_hresult probe_describe(struct probe *p, chy_str *out)
{
    char text[64];
    snprintf(text, sizeof(text), "probe, at most %d at once", atomic_load(&p->most));
    return probe_text(p->host, text, out);
}

/* ---- classes ---- */
static const char *const classes[] = {"Probe.Policy",
                                      "ProbeLate.Policy",
                                      "ProbeFree.Policy",
                                      "ProbeOld.Policy",
                                      "Probe.Exit",
                                      "ProbeLate.Exit",
                                      "ProbeOld.PolicyManage",
                                      "ProbeOld.Exit",
                                      "ProbeOld.ExitManage",
                                      NULL};

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    bool late = strstr(class_name, "Late") != NULL, old = strstr(class_name, "Old") != NULL;
    if (strstr(class_name, "Manage")) return probe_manage_new(host, late, out);
    if (strstr(class_name, ".Exit")) return probe_exit_new(host, late, !old, out);
    uint32_t flags = strstr(class_name, "Free") ? CHY_IF_CONCURRENT : 0;
    return probe_policy_new(host, late, flags, !old, out);
}

static const chy_module_info info = {.magic = CHY_MODULE_MAGIC,
                                     .struct_size = sizeof(info),
                                     .abi_version = CHY_ABI_VERSION,
                                     .name = PROBE_NAME,
                                     .version = "1.0",
                                     .class_names = classes,
                                     .create = create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
