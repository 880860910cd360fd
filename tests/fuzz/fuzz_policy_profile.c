/* Any octets as the default policy's settings, NAME=VALUE on each line with the value's type in its
 * first letter: what loads stays in its bounds, what does not is told by name, nothing is lost. */
#include <chancery/easy_module.h>
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/policy-default/profile.c"
#include "../../modules/policy-default/profiles_builtin.c"
#include "../../modules/policy-default/san.c"
#include "../../modules/policy-default/settings.c"
#include "settings_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {.prefix = "policy-default: setting "};
    const chy_host host = {&source_host, &s};
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
