/* Any octets as settings, PATH=JSON on each line: what passes the check is kept as it is, in order,
 * and the settings made of it stay in their ranges; what does not says why. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ca/ca_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_MAX = 16384, LINES_MAX = 64 };

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_reason(chy_hresult hr, const struct chy_err *err)
{
    must(hr == CHY_S_OK ? !err->text[0] : CHY_FAILED(hr) && err->code == hr && err->text[0]);
}

static void put_line(struct chy_config *c, char *line)
{
    struct chy_err err = {0};
    struct chy_buf kept;
    bool is_set = false;
    char *json = strchr(line, '=');
    if (json) *json++ = 0;
    chy_hresult hr = chy_config_check(line, json, &err);
    check_reason(hr, &err);
    if (hr != CHY_S_OK) return;
    char *value = json ? strdup(json) : NULL;
    must(chy_config_swap(c, line, &value, &err) == CHY_S_OK);
    free(value);
    chy_buf_init(&kept, 1 << 20);
    hr = chy_config_value(c, line, &kept, &is_set);
    must(is_set == (json != NULL));
    if (json) must(hr == CHY_S_OK && strcmp(chy_buf_cstr(&kept), json) == 0);
    chy_buf_free(&kept);
}

static void check_order(struct chy_config *c)
{
    struct chy_buf path, last;
    size_t n = 0;
    chy_buf_init(&path, 1024);
    chy_buf_init(&last, 1024);
    while (chy_config_next(c, "", n ? chy_buf_cstr(&last) : NULL, &path)) {
        must(!n || strcasecmp(chy_buf_cstr(&last), chy_buf_cstr(&path)) < 0);
        must(chy_config_check(chy_buf_cstr(&path), NULL, NULL) == CHY_S_OK);
        must(n++ < 200);
        chy_buf_reset(&last);
        chy_buf_add_span(&last, chy_buf_span(&path));
        chy_buf_reset(&path);
    }
    must(n > 0); /* those that have a default */
    chy_buf_free(&path);
    chy_buf_free(&last);
}

static void check_settings(const struct chy_settings *s)
{
    must(s->validity_s >= 1 && s->validity_s <= INT64_C(100000) * 31622400);
    must(s->clock_skew_s >= 0 && s->clock_skew_s <= 10080 * 60);
    must(s->clock_jump_s >= 5 && s->clock_jump_s <= 86400);
    must(s->module_timeout_ms >= 10 && s->module_timeout_ms <= 3600000);
    must(s->crl_urls.n <= CHY_CA_MAX_URLS && s->aia_urls.n <= CHY_CA_MAX_URLS);
    must(s->ocsp_urls.n <= CHY_CA_MAX_URLS && s->n_exits <= CHY_CA_MAX_EXITS);
    must(s->crl.period.n >= 1 && s->crl.delta_period.n >= 0 && s->crl.max_shards >= 0);
    must(s->ocsp.max_ids >= 1 && s->ocsp.validity_s >= 60 && s->ocsp.nonce_max <= 32);
    must(s->n_subject_order <= CHY_NAME_PROPS && s->n_blocked <= CHY_CA_BLOCKLIST_MAX);
    must(s->n_signed_attributes <= 8 && s->policy);
    for (size_t i = 0; i < s->n_subject_order; i++)
        must(s->subject_order[i] >= 0 && s->subject_order[i] < CHY_NAME_PROPS);
    must(!s->cdp_der.failed && !s->aia_der.failed);
    must(!s->cdp_der.n || s->crl_urls.n);
    must(!s->aia_der.n || s->aia_urls.n || s->ocsp_urls.n);
}

static chy_hresult nothing_stored(struct chy_store *store,
                                  bool (*cb)(const char *path, struct chy_span json, void *arg),
                                  void *arg, struct chy_err *err)
{
    (void)store, (void)cb, (void)arg, (void)err;
    return CHY_S_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct chy_store_ops ops = {.config = nothing_stored};
    static char host[] = "ca.example.test", name[] = "Test CA!0021", shorter[] = "Test CA";
    struct chy_store store = {&ops};
    struct chy_authority authority = {.index = 1, .key_index = 1};
    struct chy_ca ca = {.host = host,
                        .sanitized = name,
                        .short_name = shorter,
                        .authority = {&authority},
                        .n_authorities = 1};
    struct chy_settings *s = NULL;
    struct chy_err err = {0};
    char *text = size > IN_MAX ? NULL : chy_strndup((const char *)data, size), *at = text;
    if (!text) return 0;
    must(chy_config_load(&store, &ca.config, &err) == CHY_S_OK);
    for (size_t i = 0; i < LINES_MAX && at; i++) {
        char *line = strsep(&at, "\n");
        put_line(ca.config, line);
    }
    check_order(ca.config);
    chy_hresult hr = chy_settings_make(&ca, &s, &err);
    check_reason(hr, &err);
    if (hr == CHY_S_OK) check_settings(s);
    chy_settings_unref(s);
    chy_config_free(ca.config);
    chy_free(text);
    return 0;
}
