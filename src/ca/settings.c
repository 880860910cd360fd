/* Settings: the configuration made ready for use once per change, and shared unchanged until the
 * next. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "ca/ca_internal.h"

/* One pass over the configuration. What cannot be read for want of memory must not pass for what is
 * not set: the blocklist would be empty. */
struct reading {
    struct chy_ca *ca;
    struct chy_err *err; /* set: the pass has failed */
};

static cJSON *value_of(const struct reading *in, const char *path)
{
    struct chy_buf text;
    cJSON *v = NULL;
    chy_buf_init(&text, 1 << 20);
    if (chy_config_value(in->ca->config, path, &text, NULL) == CHY_S_OK &&
        chy_buf_done(&text, "setting", in->err) == CHY_S_OK &&
        chy_json_parse(chy_buf_span(&text), 1 << 20, &v, in->err) != CHY_S_OK) {
        chy_wrap(in->err, "setting %s", path);
    }
    chy_buf_free(&text);
    return v;
}

static int64_t number_of(const struct reading *in, const char *path, int64_t fallback)
{
    cJSON *v = value_of(in, path);
    int64_t n = cJSON_IsNumber(v) ? (int64_t)v->valuedouble : fallback;
    cJSON_Delete(v);
    return n;
}

static char *text_of(const struct reading *in, const char *path)
{
    cJSON *v = value_of(in, path);
    char *s = chy_strdup(cJSON_IsString(v) ? v->valuestring : "");
    if (!s) chy_fail_nomem(in->err, path);
    cJSON_Delete(v);
    return s;
}

static size_t list_of(const struct reading *in, const char *path, char **out, size_t max)
{
    cJSON *v = value_of(in, path);
    const cJSON *item;
    size_t n = 0;
    cJSON_ArrayForEach(item, v)
    {
        if (n == max || !cJSON_IsString(item)) continue;
        out[n] = chy_strdup(item->valuestring);
        if (out[n])
            n++;
        else
            chy_fail_nomem(in->err, path);
    }
    cJSON_Delete(v);
    return n;
}

/* Calendar units are meant as their longest: the policy's own limit is what cuts to the day. */
static int64_t period_seconds(const char *unit, int64_t n)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"Years", 31622400}, {"Months", 2678400}, {"Weeks", 604800}, {"Days", 86400},
                 {"Hours", 3600},     {"Minutes", 60},     {"Seconds", 1}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(units); i++) {
        if (strcasecmp(units[i].name, unit) == 0) return n * units[i].seconds;
    }
    return n * units[0].seconds;
}

/* A name inside a URL (RFC 3986 2.1). */
static void add_encoded(struct chy_buf *b, const char *name)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~!:[]", c);
        if (plain) {
            chy_buf_add_byte(b, c);
        } else {
            chy_buf_addf(b, "%%%02X", c);
        }
    }
}

/* AD CS's tokens in publication URLs: %1 host, %3 sanitized CA name, %4 certificate suffix, %7
 * short name. */
static char *expand_url(const struct chy_ca *ca, const char *url)
{
    struct chy_buf b;
    chy_buf_init(&b, 2048);
    for (const char *p = url; *p; p++) {
        if (*p != '%' || !p[1]) {
            chy_buf_add_byte(&b, (uint8_t)*p);
            continue;
        }
        switch (*++p) {
        case '1': add_encoded(&b, ca->host); break;
        case '3': add_encoded(&b, ca->sanitized); break;
        case '4': break; /* the first certificate of a CA has no suffix */
        case '7': add_encoded(&b, ca->short_name); break;
        default: chy_buf_add_byte(&b, '%'); chy_buf_add_byte(&b, (uint8_t)*p);
        }
    }
    const char *text = chy_buf_cstr(&b);
    char *out = text ? chy_strdup(text) : NULL;
    chy_buf_free(&b);
    return out;
}

static size_t urls_of(const struct reading *in, const char *path, char **out)
{
    char *raw[CHY_CA_MAX_URLS] = {0};
    size_t n = list_of(in, path, raw, CHY_CA_MAX_URLS), used = 0;
    for (size_t i = 0; i < n; i++) {
        out[used] = expand_url(in->ca, raw[i]);
        if (out[used])
            used++;
        else
            chy_fail_nomem(in->err, path);
        chy_free(raw[i]);
    }
    return used;
}

static chy_hresult read_urls(const struct reading *in, struct chy_settings *s)
{
    s->n_cdp = urls_of(in, "CRLPublicationURLs", s->cdp);
    s->n_aia = urls_of(in, "CACertPublicationURLs", s->aia);
    s->n_ocsp = urls_of(in, "OCSPURLs", s->ocsp);
    chy_buf_init(&s->cdp_der, 65536);
    chy_buf_init(&s->aia_der, 65536);
    if (s->n_cdp) chy_cdp_add(&s->cdp_der, (const char *const *)s->cdp, s->n_cdp);
    if (s->n_aia || s->n_ocsp) {
        chy_aia_add(&s->aia_der, (const char *const *)s->aia, s->n_aia,
                    (const char *const *)s->ocsp, s->n_ocsp);
    }
    chy_hresult hr = chy_buf_done(&s->cdp_der, "setting CRLPublicationURLs", in->err);
    return hr == CHY_S_OK ? chy_buf_done(&s->aia_der, "setting CACertPublicationURLs", in->err)
                          : hr;
}

static chy_hresult read_subject_template(const struct reading *in, struct chy_settings *s)
{
    char *name[CHY_NAME_PROPS] = {0};
    size_t n = list_of(in, "SubjectTemplate", name, CHY_NAME_PROPS);
    chy_hresult hr = CHY_S_OK;
    s->subject_as_requested = n == 0;
    for (size_t i = 0; i < n; i++) {
        int prop = chy_name_prop_find(name[i]);
        if (prop >= 0) {
            s->subject_order[s->n_subject_order++] = prop;
        } else {
            hr = chy_fail(in->err, CHY_E_INVALIDARG,
                          "setting SubjectTemplate: \"%.64s\" is no name property", name[i]);
        }
        chy_free(name[i]);
    }
    for (int i = 0; n == 0 && i < CHY_NAME_PROPS; i++)
        s->subject_order[s->n_subject_order++] = i;
    return hr;
}

static chy_hresult read_hash(const struct reading *in, const cJSON *item, uint8_t out[32])
{
    struct chy_buf hash;
    chy_buf_init(&hash, 32);
    chy_hresult hr = CHY_S_OK;
    bool ok = cJSON_IsString(item) && chy_hex_decode(&hash, chy_span_cstr(item->valuestring)) &&
              hash.n == 32;
    if (ok)
        memcpy(out, hash.p, 32);
    else if (chy_buf_starved(&hash))
        hr = chy_fail_nomem(in->err, "setting KeyBlocklist");
    else
        hr = chy_fail(in->err, CHY_E_INVALIDARG,
                      "setting KeyBlocklist: SHA-256 in 64 hex digits is expected");
    chy_buf_free(&hash);
    return hr;
}

static chy_hresult read_blocklist(const struct reading *in, struct chy_settings *s)
{
    cJSON *v = value_of(in, "KeyBlocklist");
    const cJSON *item;
    chy_hresult hr = CHY_S_OK;
    int n = cJSON_GetArraySize(v);
    s->blocked_spki = n > 0 ? chy_calloc((size_t)n, 32) : NULL;
    if (n > 0 && !s->blocked_spki) hr = chy_fail_nomem(in->err, "setting KeyBlocklist");
    cJSON_ArrayForEach(item, v)
    {
        if (hr == CHY_S_OK) hr = read_hash(in, item, s->blocked_spki[s->n_blocked++]);
    }
    cJSON_Delete(v);
    return hr;
}

/* Read anew with every change of the configuration: setting it once more loads a new file. */
static chy_hresult read_blocklist_file(const struct reading *in, struct chy_settings *s)
{
    char *path = text_of(in, "KeyBlocklistFile");
    struct chy_buf text;
    chy_buf_init(&text, CHY_KEY_LIST_TEXT_MAX);
    chy_hresult hr = CHY_S_OK;
    if (path && *path) {
        hr = chy_file_read(path, CHY_KEY_LIST_TEXT_MAX, &text, in->err);
        if (hr == CHY_S_OK) hr = chy_key_list_parse(chy_buf_span(&text), &s->blocked_file, in->err);
        if (hr != CHY_S_OK) chy_wrap(in->err, "setting KeyBlocklistFile");
    }
    chy_buf_free(&text);
    chy_free(path);
    return hr;
}

/* It counts from the next start, but a value that the key cannot do is refused now, not then. */
static chy_hresult check_signature_algorithm(const struct reading *in)
{
    char *name = in->ca->key ? text_of(in, "SignatureAlgorithm") : NULL;
    bool ok = !name || !*name || chy_key_sig_alg(in->ca->key, name, in->err);
    chy_free(name);
    return ok ? CHY_S_OK : chy_wrap(in->err, "setting SignatureAlgorithm");
}

static void read_modules(const struct reading *in, struct chy_settings *s)
{
    char *binding = text_of(in, "ModuleBinding");
    s->policy = text_of(in, "PolicyModules/Active");
    s->n_exits = list_of(in, "ExitModules/Active", s->exits, CHY_CA_MAX_EXITS);
    s->module_timeout_ms = (unsigned)number_of(in, "ModuleTimeoutMilliseconds", 30000);
    s->binding = binding && strcasecmp(binding, "late") == 0     ? CHY_BINDING_LATE
                 : binding && strcasecmp(binding, "direct") == 0 ? CHY_BINDING_DIRECT
                                                                 : CHY_BINDING_AUTO;
    chy_free(binding);
}

static void settings_free(struct chy_settings *s)
{
    for (size_t i = 0; i < s->n_cdp; i++)
        chy_free(s->cdp[i]);
    for (size_t i = 0; i < s->n_aia; i++)
        chy_free(s->aia[i]);
    for (size_t i = 0; i < s->n_ocsp; i++)
        chy_free(s->ocsp[i]);
    for (size_t i = 0; i < s->n_exits; i++)
        chy_free(s->exits[i]);
    for (size_t i = 0; i < s->n_signed_attributes; i++)
        chy_free(s->signed_attributes[i]);
    chy_buf_free(&s->cdp_der);
    chy_buf_free(&s->aia_der);
    chy_free(s->blocked_spki);
    chy_key_list_free(s->blocked_file);
    chy_free(s->policy);
    chy_free(s);
}

static void read_limits(const struct reading *in, struct chy_settings *s)
{
    char *unit = text_of(in, "ValidityPeriod"), *failure = text_of(in, "PolicyFailureDisposition");
    s->validity_s = period_seconds(unit ? unit : "Years", number_of(in, "ValidityPeriodUnits", 1));
    s->clock_skew_s = 60 * number_of(in, "ClockSkewMinutes", 10);
    s->clock_jump_s = number_of(in, "ClockJumpSeconds", 300);
    s->enforce_name_lengths = number_of(in, "EnforceX500NameLengths", 1) != 0;
    s->anonymous_submit = number_of(in, "AnonymousSubmit", 0) != 0;
    s->pend_on_policy_failure = failure && strcasecmp(failure, "pend") == 0;
    s->gn_flags = CHY_GN_ALLOW_WILDCARD | CHY_GN_ALLOW_SINGLE_LABEL;
    if (number_of(in, "AllowUnderscore", 0)) s->gn_flags |= CHY_GN_ALLOW_UNDERSCORE;
    s->n_signed_attributes =
        list_of(in, "SignedAttributes", s->signed_attributes, CHY_ARRAY_LEN(s->signed_attributes));
    chy_free(unit);
    chy_free(failure);
}

chy_hresult chy_settings_make(struct chy_ca *ca, struct chy_settings **out, struct chy_err *err)
{
    struct chy_err own = {0};
    const struct reading in = {ca, &own};
    struct chy_settings *s = chy_calloc(1, sizeof(*s));
    if (!s) return chy_fail_nomem(err, "settings");
    atomic_store(&s->refs, 1);
    read_limits(&in, s);
    read_modules(&in, s);
    chy_hresult hr = read_urls(&in, s);
    if (hr == CHY_S_OK) hr = read_subject_template(&in, s);
    if (hr == CHY_S_OK) hr = read_blocklist(&in, s);
    if (hr == CHY_S_OK) hr = read_blocklist_file(&in, s);
    if (hr == CHY_S_OK) hr = check_signature_algorithm(&in);
    if (own.code != CHY_S_OK) {
        settings_free(s);
        return chy_fail(err, own.code, "%s", own.text);
    }
    *out = s;
    return CHY_S_OK;
}

struct chy_settings *chy_settings_get(struct chy_ca *ca)
{
    pthread_mutex_lock(&ca->settings_lock);
    struct chy_settings *s = ca->settings;
    atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&ca->settings_lock);
    return s;
}

void chy_settings_unref(struct chy_settings *s)
{
    if (s && atomic_fetch_sub(&s->refs, 1) == 1) settings_free(s);
}
