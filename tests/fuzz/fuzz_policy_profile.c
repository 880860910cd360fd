/* Any octets as the default policy's settings, NAME=VALUE on each line with the value's type in its
 * first letter: what loads stays in its bounds, what does not is told by name, nothing is lost. */
#include <chancery/easy_module.h>
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/policy-default/profile.c"
#include "../../modules/policy-default/profiles_builtin.c"
#include "../../modules/policy-default/san.c"
#include "../../modules/policy-default/settings.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_MAX = 8192, SETTINGS_MAX = 128, ELEMENTS_MAX = 64 };

struct source {
    char *name[SETTINGS_MAX], *value[SETTINGS_MAX];
    size_t n;
    long borrowed; /* what the module still owes */
    unsigned told;
};

static struct source *current; /* the host's free is not told whose memory it is */

static void must(bool ok)
{
    if (!ok) abort();
}

static void *lend(size_t n)
{
    void *p = malloc(n ? n : 1);
    must(p != NULL);
    current->borrowed++;
    return p;
}

static void give_back(void *p)
{
    if (p) current->borrowed--;
    free(p);
}

static void clear(chy_variant *v)
{
    if (v->vt == CHY_VT_STR) give_back(v->u.s.p);
    for (size_t i = 0; v->vt == CHY_VT_STRV && i < v->u.sv.n; i++)
        give_back(v->u.sv.v[i].p);
    if (v->vt == CHY_VT_STRV) give_back(v->u.sv.v);
    *v = (chy_variant){0};
}

static void told(void *host, chy_long severity, const char *text)
{
    struct source *s = host;
    must(strncmp(text, "policy-default: setting ", 24) == 0);
    s->told += severity == CHY_LOG_ERROR;
}

static chy_str lent_text(const char *p, size_t n)
{
    chy_str s = {lend(n + 1), n};
    memcpy(s.p, p, n);
    s.p[n] = 0;
    return s;
}

/* "lTEXT" is a list whose elements bars separate, "nTEXT" a number, "sTEXT" a text. */
static chy_hresult get_setting(void *host, const char *name, chy_variant *out)
{
    const struct source *s = host;
    const char *v = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->name[i], name) == 0) v = s->value[i];
    must(v != NULL);
    *out = (chy_variant){.vt = CHY_VT_BYTES};
    if (*v == 'e') return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (*v == 'x') return CHY_E_FAIL;
    if (*v == 'n' || *v == 'b') {
        *out = (chy_variant){.vt = *v == 'n' ? CHY_VT_LONG : CHY_VT_BOOL,
                             .u.l = (chy_long)strtoll(v + 1, NULL, 0)};
    } else if (*v == 's') {
        *out = (chy_variant){.vt = CHY_VT_STR, .u.s = lent_text(v + 1, strlen(v + 1))};
    } else if (*v == 'l') {
        *out = (chy_variant){.vt = CHY_VT_STRV, .u.sv.v = lend(ELEMENTS_MAX * sizeof(chy_str))};
        for (v++; out->u.sv.n < ELEMENTS_MAX; v++) {
            size_t n = strcspn(v, "|");
            out->u.sv.v[out->u.sv.n++] = lent_text(v, n);
            v += n;
            if (!*v) break;
        }
    }
    return CHY_S_OK;
}

static chy_hresult next_setting(void *host, const char *after, chy_str *out)
{
    const struct source *s = host;
    const char *best = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (after && strcmp(s->name[i], after) <= 0) continue;
        if (!best || strcmp(s->name[i], best) < 0) best = s->name[i];
    }
    if (!best) return CHY_S_FALSE;
    *out = lent_text(best, strlen(best));
    return CHY_S_OK;
}

static void check_profile(const struct config *c, const struct profile *p)
{
    struct list none = {0};
    struct profile copy = {.path_length = -1};
    must(p->name[0] && strlen(p->name) < sizeof p->name && config_profile(c, p->name) == p);
    must(p->validity_days >= -1 && p->validity_days <= 1000000);
    must(p->max_names >= -1 && p->max_names <= 1000000);
    must(p->path_length >= -1 && p->path_length <= 1000000);
    must(p->san_types < 64 && p->key_usage < 512 && p->subject_from <= SUBJECT_CN_FROM_SAN);
    must(!profile_set(&copy, "KeyTypes", &p->key_types));
    must(!profile_set(&copy, "AllowedSubject", &p->subject));
    must(!profile_set(&copy, "SanNames", &p->san_names));
    must(!profile_set(&copy, "ExtendedKeyUsage", &p->eku));
    must(!profile_set(&copy, "CertificatePolicies", &p->policies));
    must(copy.eku.n == p->eku.n && copy.san_names.n == p->san_names.n);
    for (size_t i = 0; i < p->eku.n; i++)
        must(list_has(&copy.eku, p->eku.v[i]));
    must(profile_set(&copy, "MinRsaBits", &none) != NULL);
    profile_free(&copy);
}

static void check_config(const struct config *c)
{
    must(c->n >= 7 && c->n <= 256 && config_profile(c, c->default_profile));
    must((c->disposition & ~0x1ff) == 0);
    must(c->ca_path_length >= -2 && c->ca_path_length <= 127);
    for (size_t i = 0; i < c->n; i++)
        check_profile(c, &c->profiles[i]);
}

static void read_lines(struct source *s, char *text)
{
    for (char *line; s->n < SETTINGS_MAX && (line = strsep(&text, "\n")) != NULL;) {
        char *value = strchr(line, '=');
        if (!value || value == line) continue;
        *value++ = 0;
        s->name[s->n] = line;
        s->value[s->n++] = value;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const chy_host_vtbl vt = {.h = {sizeof vt, CHY_ABI_VERSION, CHY_IID_HOST, 0},
                                     .alloc = lend,
                                     .free = give_back,
                                     .variant_clear = clear,
                                     .log = told,
                                     .get_setting = get_setting,
                                     .next_setting = next_setting};
    struct source s = {.n = 0};
    const chy_host host = {&vt, &s};
    struct config *c = NULL;
    char *text = size > IN_MAX ? NULL : strndup((const char *)data, size);
    if (!text) return 0;
    current = &s;
    read_lines(&s, text);
    chy_hresult hr = config_load(&host, &c);
    must(CHY_FAILED(hr) == !c && !CHY_FAILED(hr) == !s.told);
    if (c) {
        check_config(c);
        config_free(c);
    }
    must(s.borrowed == 0);
    free(text);
    return 0;
}
