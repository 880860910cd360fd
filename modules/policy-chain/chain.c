/* The chain as a whole: its members from the setting Modules, all or none of them. */
#include "chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/settings.h"

chy_hresult refuse(struct why *why, chy_hresult code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, ap);
    va_end(ap);
    return code;
}

void say(const struct chain *c, chy_long severity, const char *fmt, ...)
{
    char text[900], line[960];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(line, sizeof line, "policy-chain: %s", text);
    c->host.vt->log(c->host.self, severity, line);
}

static chy_hresult add_member(struct chain *c, const char *name, struct why *why)
{
    const struct library *lib = NULL;
    chy_hresult hr = library_load(name, &lib, why);
    if (CHY_FAILED(hr)) return hr;
    if (!strcmp(lib->info->name, "policy-chain"))
        return refuse(why, CHY_E_INVALIDARG, "a chain is no member of a chain");
    for (size_t i = 0; i < c->n; i++)
        if (!strcmp(c->member[i]->name, lib->info->name))
            return refuse(why, CHY_E_INVALIDARG,
                          "it is named twice: its settings would be those of both");
    hr = member_open(c, lib, &c->member[c->n], why);
    if (CHY_FAILED(hr)) return hr;
    c->n++;
    say(c, CHY_LOG_INFO, "member %zu is %s %.60s, sha256 %s, %s, %s", c->n, lib->info->name,
        lib->info->version, lib->sha256, c->member[c->n - 1]->late ? "late-bound" : "direct",
        c->member[c->n - 1]->concurrent ? "concurrent" : "serial");
    return CHY_S_OK;
}

static chy_hresult add_members(struct chain *c, const chy_str *names, size_t n)
{
    if (n > MEMBERS_MAX) {
        say(c, CHY_LOG_ERROR, "setting Modules names %zu modules: at most %d are expected", n,
            MEMBERS_MAX);
        return CHY_E_INVALIDARG;
    }
    for (size_t i = 0; i < n; i++) {
        struct why why = {""};
        chy_hresult hr = add_member(c, names[i].p, &why);
        if (!CHY_FAILED(hr)) continue;
        say(c, CHY_LOG_ERROR, "setting Modules: member %.100s: %s", names[i].p, why.text);
        return hr;
    }
    return CHY_S_OK;
}

static chy_hresult read_modules(struct chain *c)
{
    chy_variant v = chy_variant_empty();
    chy_str *names = NULL;
    size_t n = 0;
    chy_hresult hr = c->host.vt->get_setting(c->host.self, "Modules", &v);
    if (CHY_FAILED(hr) && hr != CHY_CERTSRV_E_PROPERTY_EMPTY) return hr;
    const char *rule = hr == CHY_S_OK ? kit_variant_list(&v, &names, &n) : "is not set";
    if (!rule && !n) rule = "names no module";
    c->host.vt->variant_clear(&v);
    if (rule) {
        say(c, CHY_LOG_ERROR,
            "setting Modules %s: a list such as [\"policy-default\", \"policy-rules\"] is expected",
            rule);
        kit_list_free(names, n);
        return CHY_E_INVALIDARG;
    }
    hr = add_members(c, names, n);
    kit_list_free(names, n);
    return hr;
}

static chy_hresult read_binding(struct chain *c)
{
    static const char *const names[] = {"auto", "direct", "late"};
    char text[16];
    chy_hresult hr = chy_setting_text(&c->host, "Binding", "auto", text, sizeof text);
    for (size_t i = 0; hr == CHY_S_OK && i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(names[i], text) != 0) continue;
        c->binding = (enum binding)i;
        return CHY_S_OK;
    }
    say(c, CHY_LOG_ERROR, "setting Binding is none of auto, direct, late");
    return CHY_FAILED(hr) ? hr : CHY_E_INVALIDARG;
}

static bool known_setting(const struct chain *c, const char *name)
{
    size_t n = strcspn(name, "/");
    if (!name[n]) return !strcasecmp(name, "Modules") || !strcasecmp(name, "Binding");
    for (size_t i = 0; i < c->n; i++)
        if (strlen(c->member[i]->name) == n && !strncasecmp(c->member[i]->name, name, n))
            return true;
    return false;
}

/* Rules in the folder of no member would be rules that nobody keeps. */
static void warn_of_unknown(const struct chain *c)
{
    chy_str at = {NULL, 0}, next = {NULL, 0};
    while (c->host.vt->next_setting(c->host.self, at.p, &next) == CHY_S_OK && next.p) {
        if (at.p) c->host.vt->free(at.p);
        at = next;
        if (!known_setting(c, at.p))
            say(c, CHY_LOG_WARNING, "setting %.200s belongs to no member and has no effect", at.p);
    }
    if (at.p) c->host.vt->free(at.p);
}

chy_hresult chain_start(struct chain *c, const char *config)
{
    chy_hresult hr = read_binding(c);
    if (!CHY_FAILED(hr)) hr = read_modules(c);
    for (size_t i = 0; i < c->n && !CHY_FAILED(hr); i++) {
        struct why why = {""};
        hr = member_initialize(c->member[i], config, &why);
        if (CHY_FAILED(hr))
            say(c, CHY_LOG_ERROR, "member %s failed to initialise (0x%08x)%s%s: nothing is served",
                c->member[i]->name, (unsigned)hr, why.text[0] ? ": " : "", why.text);
    }
    if (CHY_FAILED(hr)) {
        chain_stop(c);
        return hr;
    }
    warn_of_unknown(c);
    c->up = true;
    return CHY_S_OK;
}

void chain_stop(struct chain *c)
{
    for (size_t i = c->n; i-- > 0;)
        (void)member_shut_down(c->member[i]);
    while (c->n)
        member_close(c->member[--c->n]);
    c->up = false;
}
