/* Settings: the configuration made ready for use once per change, and shared unchanged until the
 * next. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "ca/ca_internal.h"

static cJSON *value_of(struct chy_ca *ca, const char *path)
{
    struct chy_buf text;
    cJSON *v = NULL;
    chy_buf_init(&text, 1 << 20);
    if (chy_config_value(ca->config, path, &text, NULL) != CHY_S_OK ||
        chy_json_parse(chy_buf_span(&text), 1 << 20, &v, NULL) != CHY_S_OK) {
        v = NULL;
    }
    chy_buf_free(&text);
    return v;
}

static int64_t number_of(struct chy_ca *ca, const char *path, int64_t fallback)
{
    cJSON *v = value_of(ca, path);
    int64_t n = cJSON_IsNumber(v) ? (int64_t)v->valuedouble : fallback;
    cJSON_Delete(v);
    return n;
}

static char *text_of(struct chy_ca *ca, const char *path)
{
    cJSON *v = value_of(ca, path);
    char *s = chy_strdup(cJSON_IsString(v) ? v->valuestring : "");
    cJSON_Delete(v);
    return s;
}

static size_t list_of(struct chy_ca *ca, const char *path, char **out, size_t max)
{
    cJSON *v = value_of(ca, path);
    const cJSON *item;
    size_t n = 0;
    cJSON_ArrayForEach(item, v)
    {
        if (n < max && cJSON_IsString(item) && (out[n] = chy_strdup(item->valuestring)) != NULL)
            n++;
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

static size_t urls_of(struct chy_ca *ca, const char *path, char **out)
{
    char *raw[CHY_CA_MAX_URLS] = {0};
    size_t n = list_of(ca, path, raw, CHY_CA_MAX_URLS), used = 0;
    for (size_t i = 0; i < n; i++) {
        out[used] = expand_url(ca, raw[i]);
        if (out[used]) used++;
        chy_free(raw[i]);
    }
    return used;
}

static void read_urls(struct chy_ca *ca, struct chy_settings *s)
{
    s->n_cdp = urls_of(ca, "CRLPublicationURLs", s->cdp);
    s->n_aia = urls_of(ca, "CACertPublicationURLs", s->aia);
    s->n_ocsp = urls_of(ca, "OCSPURLs", s->ocsp);
    chy_buf_init(&s->cdp_der, 65536);
    chy_buf_init(&s->aia_der, 65536);
    if (s->n_cdp) chy_cdp_add(&s->cdp_der, (const char *const *)s->cdp, s->n_cdp);
    if (s->n_aia || s->n_ocsp) {
        chy_aia_add(&s->aia_der, (const char *const *)s->aia, s->n_aia,
                    (const char *const *)s->ocsp, s->n_ocsp);
    }
}

static chy_hresult read_subject_template(struct chy_ca *ca, struct chy_settings *s,
                                         struct chy_err *err)
{
    char *name[CHY_NAME_PROPS] = {0};
    size_t n = list_of(ca, "SubjectTemplate", name, CHY_NAME_PROPS);
    chy_hresult hr = CHY_S_OK;
    s->subject_as_requested = n == 0;
    for (size_t i = 0; i < n; i++) {
        int prop = chy_name_prop_find(name[i]);
        if (prop >= 0) {
            s->subject_order[s->n_subject_order++] = prop;
        } else {
            hr = chy_fail(err, CHY_E_INVALIDARG,
                          "setting SubjectTemplate: \"%.64s\" is no name property", name[i]);
        }
        chy_free(name[i]);
    }
    for (int i = 0; n == 0 && i < CHY_NAME_PROPS; i++)
        s->subject_order[s->n_subject_order++] = i;
    return hr;
}

static chy_hresult read_blocklist(struct chy_ca *ca, struct chy_settings *s, struct chy_err *err)
{
    cJSON *v = value_of(ca, "KeyBlocklist");
    const cJSON *item;
    chy_hresult hr = CHY_S_OK;
    int n = cJSON_GetArraySize(v);
    s->blocked_spki = n > 0 ? chy_calloc((size_t)n, 32) : NULL;
    cJSON_ArrayForEach(item, v)
    {
        struct chy_buf hash;
        chy_buf_init(&hash, 32);
        bool ok = cJSON_IsString(item) && chy_hex_decode(&hash, chy_span_cstr(item->valuestring)) &&
                  hash.n == 32;
        if (ok && s->blocked_spki) memcpy(s->blocked_spki[s->n_blocked++], hash.p, 32);
        chy_buf_free(&hash);
        if (!ok) {
            hr = chy_fail(err, CHY_E_INVALIDARG,
                          "setting KeyBlocklist: SHA-256 in 64 hex digits is expected");
            break;
        }
    }
    cJSON_Delete(v);
    return hr;
}

/* Read anew with every change of the configuration: setting it once more loads a new file. */
static chy_hresult read_blocklist_file(struct chy_ca *ca, struct chy_settings *s,
                                       struct chy_err *err)
{
    char *path = text_of(ca, "KeyBlocklistFile");
    struct chy_buf text;
    chy_buf_init(&text, CHY_KEY_LIST_TEXT_MAX);
    chy_hresult hr = CHY_S_OK;
    if (path && *path) {
        hr = chy_file_read(path, CHY_KEY_LIST_TEXT_MAX, &text, err);
        if (hr == CHY_S_OK) hr = chy_key_list_parse(chy_buf_span(&text), &s->blocked_file, err);
        if (hr != CHY_S_OK) chy_wrap(err, "setting KeyBlocklistFile");
    }
    chy_buf_free(&text);
    chy_free(path);
    return hr;
}

/* It counts from the next start, but a value that the key cannot do is refused now, not then. */
static chy_hresult check_signature_algorithm(struct chy_ca *ca, struct chy_err *err)
{
    char *name = ca->key ? text_of(ca, "SignatureAlgorithm") : NULL;
    bool ok = !name || !*name || chy_key_sig_alg(ca->key, name, err);
    chy_free(name);
    return ok ? CHY_S_OK : chy_wrap(err, "setting SignatureAlgorithm");
}

static void read_modules(struct chy_ca *ca, struct chy_settings *s)
{
    char *binding = text_of(ca, "ModuleBinding");
    s->policy = text_of(ca, "PolicyModules/Active");
    s->n_exits = list_of(ca, "ExitModules/Active", s->exits, CHY_CA_MAX_EXITS);
    s->module_timeout_ms = (unsigned)number_of(ca, "ModuleTimeoutMilliseconds", 30000);
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

chy_hresult chy_settings_make(struct chy_ca *ca, struct chy_settings **out, struct chy_err *err)
{
    struct chy_settings *s = chy_calloc(1, sizeof(*s));
    if (!s) return chy_fail_nomem(err, "settings");
    atomic_store(&s->refs, 1);
    char *unit = text_of(ca, "ValidityPeriod"), *failure = text_of(ca, "PolicyFailureDisposition");
    s->validity_s = period_seconds(unit ? unit : "Years", number_of(ca, "ValidityPeriodUnits", 1));
    s->clock_skew_s = 60 * number_of(ca, "ClockSkewMinutes", 10);
    s->clock_jump_s = number_of(ca, "ClockJumpSeconds", 300);
    s->enforce_name_lengths = number_of(ca, "EnforceX500NameLengths", 1) != 0;
    s->anonymous_submit = number_of(ca, "AnonymousSubmit", 0) != 0;
    s->pend_on_policy_failure = failure && strcasecmp(failure, "pend") == 0;
    s->gn_flags = CHY_GN_ALLOW_WILDCARD | CHY_GN_ALLOW_SINGLE_LABEL;
    if (number_of(ca, "AllowUnderscore", 0)) s->gn_flags |= CHY_GN_ALLOW_UNDERSCORE;
    s->n_signed_attributes =
        list_of(ca, "SignedAttributes", s->signed_attributes, CHY_ARRAY_LEN(s->signed_attributes));
    chy_free(unit);
    chy_free(failure);
    read_urls(ca, s);
    read_modules(ca, s);
    chy_hresult hr = read_subject_template(ca, s, err);
    if (hr == CHY_S_OK) hr = read_blocklist(ca, s, err);
    if (hr == CHY_S_OK) hr = read_blocklist_file(ca, s, err);
    if (hr == CHY_S_OK) hr = check_signature_algorithm(ca, err);
    if (hr != CHY_S_OK) {
        settings_free(s);
        return hr;
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
