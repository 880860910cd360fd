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

static chy_hresult urls_of(const struct reading *in, const char *path, struct chy_url_list *out)
{
    char *raw[CHY_CA_MAX_URLS + 1] = {0};
    size_t n = list_of(in, path, raw, CHY_ARRAY_LEN(raw));
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < n; i++) {
        if (hr == CHY_S_OK) hr = chy_url_add(out, raw[i], path, in->err);
        chy_free(raw[i]);
    }
    return hr;
}

void chy_settings_place(const struct chy_ca *ca, const struct chy_settings *s,
                        const struct chy_authority *a, struct chy_url_place *out)
{
    *out = (struct chy_url_place){.host = ca->host,
                                  .sanitized = ca->sanitized,
                                  .short_name = ca->short_name,
                                  .config_dn = s->config_dn,
                                  .domain_dn = s->domain_dn,
                                  .cert_index = a->index,
                                  .key_index = a->key_index};
}

chy_hresult chy_settings_cdp(const struct chy_ca *ca, const struct chy_settings *s,
                             const struct chy_authority *a, int32_t shard, struct chy_buf *out,
                             struct chy_err *err)
{
    struct chy_url_place place;
    struct chy_buf text;
    const char *url[CHY_CA_MAX_URLS];
    chy_buf_init(&text, 65536);
    chy_settings_place(ca, s, a, &place);
    place.shard = shard;
    size_t n = chy_url_select(&s->crl_urls, CHY_CRL_URL_CDP, &place, &text, url);
    if (n) chy_cdp_add(out, url, n);
    chy_hresult hr = chy_buf_done(&text, "setting CRLPublicationURLs", err);
    chy_buf_free(&text);
    return hr == CHY_S_OK ? chy_buf_done(out, "setting CRLPublicationURLs", err) : hr;
}

static chy_hresult make_aia(const struct reading *in, struct chy_settings *s)
{
    struct chy_url_place place;
    struct chy_buf text, more;
    const char *issuers[CHY_CA_MAX_URLS], *ocsp[2 * CHY_CA_MAX_URLS];
    chy_buf_init(&text, 65536);
    chy_buf_init(&more, 65536);
    chy_settings_place(in->ca, s, s->authority, &place);
    size_t n = chy_url_select(&s->aia_urls, CHY_CA_URL_AIA, &place, &text, issuers);
    size_t m = chy_url_select(&s->ocsp_urls, CHY_CRL_URL_CDP, &place, &more, ocsp);
    struct chy_buf third;
    chy_buf_init(&third, 65536);
    m += chy_url_select(&s->aia_urls, CHY_CA_URL_OCSP, &place, &third, ocsp + m);
    if (n || m) chy_aia_add(&s->aia_der, issuers, n, ocsp, m);
    struct chy_buf *bufs[] = {&text, &more, &third, &s->aia_der};
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++) {
        if (hr == CHY_S_OK) hr = chy_buf_done(bufs[i], "setting CACertPublicationURLs", in->err);
        if (bufs[i] != &s->aia_der) chy_buf_free(bufs[i]);
    }
    return hr;
}

/* What lint would find in each certificate and CRL is said to whoever sets it. */
static chy_hresult check_urls(const struct reading *in, const struct chy_settings *s,
                              const struct chy_url_list *list, uint32_t stands, const char *setting)
{
    struct chy_url_place place;
    struct chy_buf text;
    const char *url[CHY_CA_MAX_URLS];
    chy_buf_init(&text, 65536);
    chy_settings_place(in->ca, s, s->authority, &place);
    size_t n = chy_url_select(list, stands, &place, &text, url);
    chy_hresult hr = chy_buf_done(&text, setting, in->err);
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++) {
        if (chy_lint_is_url(chy_span_cstr(url[i]))) continue;
        hr = chy_fail(
            in->err, CHY_E_INVALIDARG,
            "setting %s: \"%.80s\" is to stand in certificates or CRLs, and is no absolute "
            "URL (RFC 3986): a file takes the bits 1 and 64 alone",
            setting, url[i]);
    }
    chy_buf_free(&text);
    return hr;
}

static chy_hresult check_all_urls(const struct reading *in, const struct chy_settings *s)
{
    chy_hresult hr =
        check_urls(in, s, &s->crl_urls,
                   CHY_CRL_URL_CDP | CHY_CRL_URL_FRESHEST | CHY_CRL_URL_LOCATIONS | CHY_CRL_URL_IDP,
                   "CRLPublicationURLs");
    if (hr == CHY_S_OK)
        hr = check_urls(in, s, &s->aia_urls, CHY_CA_URL_AIA | CHY_CA_URL_OCSP,
                        "CACertPublicationURLs");
    return hr == CHY_S_OK ? check_urls(in, s, &s->ocsp_urls, CHY_CRL_URL_CDP, "OCSPURLs") : hr;
}

static chy_hresult read_urls(const struct reading *in, struct chy_settings *s)
{
    chy_buf_init(&s->cdp_der, 65536);
    chy_buf_init(&s->aia_der, 65536);
    s->config_dn = text_of(in, "DSConfigDN");
    s->domain_dn = text_of(in, "DSDomainDN");
    chy_hresult hr = urls_of(in, "CRLPublicationURLs", &s->crl_urls);
    if (hr == CHY_S_OK) hr = urls_of(in, "CACertPublicationURLs", &s->aia_urls);
    if (hr == CHY_S_OK) hr = urls_of(in, "OCSPURLs", &s->ocsp_urls);
    if (hr == CHY_S_OK) hr = check_all_urls(in, s);
    if (hr == CHY_S_OK) hr = chy_settings_cdp(in->ca, s, s->authority, 0, &s->cdp_der, in->err);
    return hr == CHY_S_OK ? make_aia(in, s) : hr;
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
    struct chy_key *key = chy_ca_current(in->ca)->key;
    char *name = key ? text_of(in, "SignatureAlgorithm") : NULL;
    bool ok = !name || !*name || chy_key_sig_alg(key, name, in->err);
    chy_free(name);
    return ok ? CHY_S_OK : chy_wrap(in->err, "setting SignatureAlgorithm");
}

static void read_modules(const struct reading *in, struct chy_settings *s)
{
    char *binding = text_of(in, "ModuleBinding");
    s->policy = text_of(in, "PolicyModules/Active");
    s->n_exits = list_of(in, "ExitModules/Active", s->exits, CHY_CA_MAX_EXITS);
    s->module_timeout_ms = (unsigned)number_of(in, "ModuleTimeoutMilliseconds", 30000);
    s->exit_retry_s = number_of(in, "ExitRetrySeconds", 300);
    s->exit_give_up_s = number_of(in, "ExitGiveUpSeconds", 259200);
    s->binding = binding && strcasecmp(binding, "late") == 0     ? CHY_BINDING_LATE
                 : binding && strcasecmp(binding, "direct") == 0 ? CHY_BINDING_DIRECT
                                                                 : CHY_BINDING_AUTO;
    chy_free(binding);
}

static void settings_free(struct chy_settings *s)
{
    chy_url_list_free(&s->crl_urls);
    chy_url_list_free(&s->aia_urls);
    chy_url_list_free(&s->ocsp_urls);
    for (size_t i = 0; i < s->n_keep_expired; i++)
        chy_free(s->keep_expired[i]);
    chy_free(s->config_dn);
    chy_free(s->domain_dn);
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

static struct chy_period period_of(const struct reading *in, const char *unit_path,
                                   const char *number_path)
{
    char *unit = text_of(in, unit_path);
    struct chy_period p = {chy_unit_by_name(unit), number_of(in, number_path, 0)};
    chy_free(unit);
    return p;
}

/* CHY_TIME_DEFAULT: not set. */
static chy_time time_of(const struct reading *in, const char *path)
{
    char *text = text_of(in, path);
    chy_time t = CHY_TIME_DEFAULT;
    if (text && *text && !chy_time_parse(text, &t)) {
        chy_fail(in->err, CHY_E_INVALIDARG,
                 "setting %s: \"%.40s\": a time such as 2030-01-31T06:00:00Z is expected", path,
                 text);
    }
    chy_free(text);
    return t;
}

static bool choice_is(const struct reading *in, const char *path, const char *value)
{
    char *text = text_of(in, path);
    bool yes = text && strcasecmp(text, value) == 0;
    chy_free(text);
    return yes;
}

static chy_hresult check_shards(const struct reading *in, const struct chy_settings *s)
{
    const uint32_t used = CHY_CRL_URL_PUBLISH | CHY_CRL_URL_CDP | CHY_CRL_URL_FRESHEST |
                          CHY_CRL_URL_PUBLISH_DELTA | CHY_CRL_URL_IDP;
    bool has_cdp = false;
    if (!s->crl.max_shards) return CHY_S_OK;
    for (size_t i = 0; i < s->crl_urls.n; i++) {
        const struct chy_url *u = &s->crl_urls.url[i];
        has_cdp |= u->flags & CHY_CRL_URL_CDP && !strncasecmp(u->text, "http", 4);
        if (!(u->flags & used) || chy_url_has_shard(u->text)) continue;
        return chy_fail(in->err, CHY_E_INVALIDARG,
                        "setting CRLMaxPartitions: every address of CRLPublicationURLs must have "
                        "the token <CRLPartitionIndex>, or all CRLs would have one name; %.80s has "
                        "not",
                        u->text);
    }
    if (has_cdp) return CHY_S_OK;
    return chy_fail(in->err, CHY_E_INVALIDARG,
                    "setting CRLMaxPartitions: CRLPublicationURLs must have an http address with "
                    "the bit 2, by which a certificate says where its CRL is");
}

static chy_hresult read_crl(const struct reading *in, struct chy_settings *s)
{
    struct chy_crl_settings *c = &s->crl;
    c->period = period_of(in, "CRLPeriod", "CRLPeriodUnits");
    c->delta_period = period_of(in, "CRLDeltaPeriod", "CRLDeltaPeriodUnits");
    c->overlap = period_of(in, "CRLOverlapPeriod", "CRLOverlapUnits");
    c->delta_overlap = period_of(in, "CRLDeltaOverlapPeriod", "CRLDeltaOverlapUnits");
    c->skew_s = s->clock_skew_s;
    c->flags = (uint32_t)number_of(in, "CRLFlags", 2);
    if (c->flags & CHY_CRLF_CRLNUMBER_CRITICAL) {
        return chy_fail(in->err, CHY_E_INVALIDARG,
                        "setting CRLFlags: 4 would make the CRL number critical, which it must not "
                        "be (RFC 5280 5.2.3)");
    }
    if (c->flags & CHY_CRLF_CONTAINS_ONLY_CACERTS && c->flags & CHY_CRLF_CONTAINS_ONLY_USERCERTS) {
        return chy_fail(
            in->err, CHY_E_INVALIDARG,
            "setting CRLFlags: 16777216 (only CA certificates) and 33554432 (only those "
            "of others) exclude each other (RFC 5280 5.2.5)");
    }
    c->max_shards = (int32_t)number_of(in, "CRLMaxPartitions", 0);
    c->suspended_shards = (int32_t)number_of(in, "CRLSuspendedPartitions", 0);
    c->round_robin = number_of(in, "CRLCurrentPartition", -1) >= 0;
    c->on_revoke = choice_is(in, "CRLPublishOnRevoke", "no")      ? CHY_ON_REVOKE_NO
                   : choice_is(in, "CRLPublishOnRevoke", "delta") ? CHY_ON_REVOKE_DELTA
                                                                  : CHY_ON_REVOKE_BASE;
    c->on_revoke_s = number_of(in, "CRLPublishDelaySeconds", 2);
    c->next_publish = time_of(in, "CRLNextPublish");
    c->next_delta_publish = time_of(in, "CRLDeltaNextPublish");
    s->n_keep_expired = list_of(in, "EKUOIDsForPublishExpiredCertInCRL", s->keep_expired,
                                CHY_ARRAY_LEN(s->keep_expired));
    return check_shards(in, s);
}

static void read_ocsp(const struct reading *in, struct chy_settings *s)
{
    s->ocsp = (struct chy_ca_ocsp_settings){
        .unauthorized_for_unknown = choice_is(in, "OCSPUnknown", "unauthorized"),
        .nonce_max = (uint32_t)number_of(in, "OCSPNonceMax", 32),
        .validity_s = 60 * number_of(in, "OCSPValidityMinutes", 60),
        .archive_cutoff_s = 86400 * number_of(in, "OCSPArchiveCutoffDays", 0),
        .max_ids = (uint32_t)number_of(in, "OCSPMaxRequests", 16),
        .enabled = number_of(in, "OCSPEnabled", 1) != 0};
    s->ocsp_by_ca_key = choice_is(in, "OCSPSigner", "ca");
    s->check_publication = choice_is(in, "PublicationCheck", "no")        ? CHY_CHECK_NO
                           : choice_is(in, "PublicationCheck", "require") ? CHY_CHECK_REQUIRE
                                                                          : CHY_CHECK_WARN;
}

static void read_limits(const struct reading *in, struct chy_settings *s)
{
    char *unit = text_of(in, "ValidityPeriod"), *failure = text_of(in, "PolicyFailureDisposition");
    s->validity_s = period_seconds(unit ? unit : "Years", number_of(in, "ValidityPeriodUnits", 1));
    s->clock_skew_s = 60 * number_of(in, "ClockSkewMinutes", 10);
    s->clock_jump_s = number_of(in, "ClockJumpSeconds", 300);
    s->clock_accepted = (int32_t)number_of(in, "ClockAccepted", 0);
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
    s->authority = chy_ca_current(ca);
    read_limits(&in, s);
    read_modules(&in, s);
    read_ocsp(&in, s);
    chy_hresult hr = read_urls(&in, s);
    if (hr == CHY_S_OK) hr = read_crl(&in, s);
    if (hr == CHY_S_OK) hr = read_subject_template(&in, s);
    if (hr == CHY_S_OK) hr = read_blocklist(&in, s);
    if (hr == CHY_S_OK) hr = read_blocklist_file(&in, s);
    if (hr == CHY_S_OK) hr = check_signature_algorithm(&in);
    if (hr == CHY_S_OK) hr = chy_config_fingerprint(ca->config, s->fingerprint, &own);
    if (own.code != CHY_S_OK) {
        settings_free(s);
        return chy_fail(err, own.code, "%s", own.text);
    }
    *out = s;
    return CHY_S_OK;
}

chy_hresult chy_settings_remake(struct chy_ca *ca, struct chy_err *err)
{
    struct chy_settings *made = NULL;
    chy_hresult hr = chy_settings_make(ca, &made, err);
    if (hr == CHY_S_OK) chy_settings_take(ca, made);
    return hr;
}

void chy_settings_take(struct chy_ca *ca, struct chy_settings *made)
{
    pthread_mutex_lock(&ca->settings_lock);
    struct chy_settings *old = ca->settings;
    ca->settings = made;
    pthread_mutex_unlock(&ca->settings_lock);
    chy_settings_unref(old);
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
