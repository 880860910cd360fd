/* Any octets as the settings of policy-rules, NAME=VALUE on each line with the value's type in its
 * first letter: what loads contradicts nothing, what does not is told by name, nothing is lost. */
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/policy-rules/derive.c"
#include "../../modules/policy-rules/lists.c"
#include "../../modules/policy-rules/parse.c"
#include "../../modules/policy-rules/pattern.c"
#include "../../modules/policy-rules/program.c"
#include "../../modules/policy-rules/rule_settings.c"
#include "../../modules/policy-rules/settings.c"
#include "settings_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What settings.c and derive.c call beyond settings: no folder is opened, no request on its way. */
const char quota_taken[] = "is taken";
const char *quota_use(struct quota *q, const char *folder, int64_t keep_us)
{
    (void)q;
    must(folder[0] == '/' && keep_us > 0);
    return NULL;
}

void broken(struct work *w, const struct rules *r, chy_hresult code, const char *rule,
            const char *fmt, ...)
{
    (void)w, (void)r, (void)code, (void)rule, (void)fmt;
}

chy_hresult cannot(struct work *w, chy_hresult code, const char *what)
{
    (void)w, (void)what;
    return code;
}

bool names_add(struct names *l, unsigned field, const char *p, size_t n)
{
    (void)l, (void)field, (void)p, (void)n;
    return false;
}

void names_clear(struct names *l, unsigned field)
{
    (void)l, (void)field;
}

const char *names_first(const struct names *l, unsigned field)
{
    (void)l, (void)field;
    return NULL;
}

bool moment_parse(const char *text, chy_time *out)
{
    *out = (chy_time)strlen(text);
    return text[0] == '2';
}

static void must_hold(const struct rules *r, bool has_folder)
{
    char setting[64];
    must(r->profile[0] && strlen(r->profile) < sizeof r->profile && !rules_wrong(r, setting));
    for (unsigned f = 0; f < FIELDS; f++) {
        must(!r->field[f].set || (f < SUBJECT_FIELDS && !template_wrong(r->field[f].set)));
        must(r->field[f].min_count >= 0 && r->field[f].max_count <= VALUES_MAX);
    }
    must(r->quota_count >= NO_MAX && r->quota_count <= 100000 && r->quota_us > 0);
    must(r->quota_count == NO_MAX || has_folder);
    must(r->work_from < r->work_to && r->work_to <= 1440 && r->work_days < 128);
    must(!(r->key_usage & ~0xff80u) && !(r->key_usage & (CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {.prefix = "policy-rules: setting "};
    const chy_host host = {&source_host, &s};
    void *loaded = NULL;
    char *text = size > IN_MAX ? NULL : strndup((const char *)data, size);
    if (!text) return 0;
    current = &s;
    read_lines(&s, text);
    chy_hresult hr = settings_load(&host, NULL, "c", &loaded);
    must(CHY_FAILED(hr) == !loaded && !CHY_FAILED(hr) == !s.told);
    if (loaded) {
        const struct settings *all = loaded;
        for (size_t i = 0; i < all->n; i++)
            must_hold(all->v[i], all->state_directory != NULL);
        settings_unload(loaded);
    }
    must(s.borrowed == 0);
    free(text);
    return 0;
}
