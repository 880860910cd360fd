/* The settings as a whole: what stands at the top, and the rules of each profile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/settings.h"
#include "rules.h"

enum { PROFILES_MAX = 256 };

static const char *set_flag(bool *to, chy_long v)
{
    if (v != 0 && v != 1) return "is neither 0 nor 1";
    *to = v == 1;
    return NULL;
}

static const char *audit_only(void *into, chy_long v)
{
    struct settings *s = into;
    return set_flag(&s->audit_only, v);
}

static const char *enroll_right(void *into, chy_long v)
{
    struct settings *s = into;
    const char *rule = set_flag(&s->no_enroll_right, v);
    s->no_enroll_right = v == 0;
    return rule;
}

static const char *no_rules(void *into, const char *v)
{
    struct settings *s = into;
    s->pass_without_rules = !strcasecmp(v, "pass");
    return s->pass_without_rules || !strcasecmp(v, "deny") ? NULL : "is neither deny nor pass";
}

static const char *state_directory(void *into, const char *v)
{
    struct settings *s = into;
    if (v[0] != '/' || strlen(v) > 3000) return "is not an absolute path";
    free(s->state_directory);
    s->state_directory = strdup(v);
    return s->state_directory ? NULL : "needs more memory than there is";
}

static struct rules *rules_of(struct settings *s, const char *profile, size_t n)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strncasecmp(s->v[i]->profile, profile, n) && !s->v[i]->profile[n]) return s->v[i];
    if (s->n == PROFILES_MAX) return NULL;
    struct rules **more = realloc(s->v, (s->n + 1) * sizeof *more);
    if (more) s->v = more;
    struct rules *r = more ? calloc(1, sizeof *r) : NULL;
    if (!r) return NULL;
    memcpy(r->profile, profile, n);
    r->san_max = r->quota_count = NO_MAX;
    r->quota_us = INT64_C(86400000000);
    for (size_t i = 0; i < FIELDS; i++)
        r->field[i].max_count = r->field[i].max_length = NO_MAX;
    r->work_to = 24 * 60;
    s->v[s->n++] = r;
    return r;
}

static const char *below_rules(void *into, const char *rest, const chy_variant *v)
{
    struct settings *s = into;
    size_t n = strcspn(rest, "/");
    if (!rest[n] || n == 0 || n >= sizeof s->v[0]->profile)
        return "is not Rules/PROFILE/RULE, with * for all profiles";
    struct rules *r = rules_of(s, rest, n);
    return r ? rule_set(s, r, rest + n + 1, v) : "is of one profile too many";
}

static const struct kit_setting table[] = {
    {.name = "AuditOnly", .number = audit_only},
    {.name = "EnrollRight", .number = enroll_right},
    {.name = "NoRules", .text = no_rules},
    {.name = "StateDirectory", .text = state_directory},
    {.name = "Rules/", .below = below_rules},
};

static chy_hresult bad(const chy_host *h, const char *profile, const char *setting,
                       const char *rule)
{
    char text[600];
    snprintf(text, sizeof text, "policy-rules: setting %s%s%s%s %s", profile ? "Rules/" : "",
             profile ? profile : "", profile ? "/" : "", setting, rule);
    h->vt->log(h->self, CHY_LOG_ERROR, text);
    return CHY_E_INVALIDARG;
}

static chy_hresult check_rules(const chy_host *h, struct settings *s, struct rules *r)
{
    char setting[64] = "";
    const char *rule = rules_wrong(r, setting);
    if (!rule && r->deny_file) {
        snprintf(setting, sizeof setting, "Names/DenyFile");
        rule = deny_file_read(s, r->deny_file, &r->deny);
    }
    patterns_sort(&r->deny);
    for (size_t i = 0; i < FIELDS; i++) {
        patterns_sort(&r->field[i].allow);
        patterns_sort(&r->field[i].deny);
    }
    return rule ? bad(h, r->profile, setting, rule) : CHY_S_OK;
}

static chy_hresult check(const chy_host *h, struct settings *s, struct quota *quota)
{
    chy_hresult hr = CHY_S_OK;
    int64_t keep = 0;
    for (size_t i = 0; i < s->n && !CHY_FAILED(hr); i++) {
        hr = check_rules(h, s, s->v[i]);
        if (s->v[i]->quota_count == NO_MAX) continue;
        if (s->v[i]->quota_us > keep) keep = s->v[i]->quota_us;
        if (!CHY_FAILED(hr) && !s->state_directory)
            hr = bad(h, s->v[i]->profile, "Quota/Count",
                     "needs the setting StateDirectory, where the counts are kept: set that first");
    }
    if (CHY_FAILED(hr) || !keep) return hr;
    const char *rule = quota_use(quota, s->state_directory, keep);
    if (rule) hr = bad(h, NULL, "StateDirectory", rule);
    if (rule) return rule == quota_taken ? CHY_ERROR_BUSY : hr;
    s->quota = quota;
    return CHY_S_OK;
}

chy_hresult settings_load(const chy_host *host, void *own, const char *config, void **out)
{
    struct settings *s = calloc(1, sizeof *s);
    (void)config;
    if (!s) return CHY_E_OUTOFMEMORY;
    chy_hresult hr =
        kit_settings_read(host, "policy-rules", table, sizeof table / sizeof table[0], s);
    if (!CHY_FAILED(hr)) hr = check(host, s, own);
    if (CHY_FAILED(hr)) {
        settings_unload(s);
        return hr;
    }
    *out = s;
    return CHY_S_OK;
}

void settings_unload(void *settings)
{
    struct settings *s = settings;
    for (size_t i = 0; i < s->n; i++)
        rules_free(s->v[i]);
    free(s->v);
    free(s->state_directory);
    free(s);
}
