/* The configuration tree in memory: paths and JSON values as the store has them, sorted by path,
 * with the table of the settings that the engine itself knows. Names of AD CS where it has the
 * thing. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "ca/ca_internal.h"

enum { PATH_MAX_LEN = 240, VALUE_MAX_LEN = 65536, MAX_ENTRIES = 20000 };

struct entry {
    char *path, *json; /* json NULL: it was set once */
};

struct chy_config {
    pthread_rwlock_t lock;
    struct entry *entry;
    size_t n, cap;
};

enum kind { NUMBER, TEXT, LIST, CHOICE };
struct known {
    const char *path;
    enum kind kind;
    const char *fallback; /* JSON */
    int64_t min, max;
    const char *choices; /* "a|b" */
};

#define UNITS "Years|Months|Weeks|Days|Hours|Minutes|Seconds"

static const struct known known_settings[] = {
    {"AnonymousSubmit", NUMBER, "0", 0, 1, NULL},
    {"AllowUnderscore", NUMBER, "0", 0, 1, NULL},
    {"CACertPublicationURLs", LIST, "[]", 0, 0, NULL},
    {"CRLCurrentPartition", NUMBER, "-1", -1, 65535, NULL},
    {"CRLDeltaNextPublish", TEXT, "\"\"", 0, 0, NULL},
    {"CRLDeltaOverlapPeriod", CHOICE, "\"Minutes\"", 0, 0, UNITS},
    {"CRLDeltaOverlapUnits", NUMBER, "0", 0, 100000, NULL},
    {"CRLDeltaPeriod", CHOICE, "\"Days\"", 0, 0, UNITS},
    {"CRLDeltaPeriodUnits", NUMBER, "0", 0, 100000, NULL},
    {"CRLFlags", NUMBER, "2", 0, 0x7fffffff, NULL},
    {"CRLMaxPartitions", NUMBER, "0", 0, 65535, NULL},
    {"CRLNextPublish", TEXT, "\"\"", 0, 0, NULL},
    {"CRLOverlapPeriod", CHOICE, "\"Hours\"", 0, 0, UNITS},
    {"CRLOverlapUnits", NUMBER, "0", 0, 100000, NULL},
    {"CRLPeriod", CHOICE, "\"Weeks\"", 0, 0, UNITS},
    {"CRLPeriodUnits", NUMBER, "1", 1, 100000, NULL},
    {"CRLPublicationURLs", LIST, "[]", 0, 0, NULL},
    {"CRLPublishDelaySeconds", NUMBER, "2", 0, 86400, NULL},
    {"CRLPublishOnRevoke", CHOICE, "\"base\"", 0, 0, "base|delta|no"},
    {"CRLSuspendedPartitions", NUMBER, "0", 0, 65534, NULL},
    {"ClockAccepted", NUMBER, "0", 0, 0x7fffffff, NULL},
    {"ClockJumpSeconds", NUMBER, "300", 5, 86400, NULL},
    {"ClockSkewMinutes", NUMBER, "10", 0, 10080, NULL},
    {"DSConfigDN", TEXT, "\"\"", 0, 0, NULL},
    {"DSDomainDN", TEXT, "\"\"", 0, 0, NULL},
    {"EKUOIDsForPublishExpiredCertInCRL", LIST,
     "[\"1.3.6.1.5.5.7.3.3\",\"1.3.6.1.4.1.311.61.1.1\"]", 0, 0, NULL},
    {"EnforceX500NameLengths", NUMBER, "1", 0, 1, NULL},
    {"ExitGiveUpSeconds", NUMBER, "259200", 1, 31622400, NULL},
    {"ExitModules/Active", LIST, "[\"exit-publish\"]", 0, 0, NULL},
    {"ExitRetrySeconds", NUMBER, "300", 1, 86400, NULL},
    {"KeyBlocklist", LIST, "[]", 0, 0, NULL},
    {"KeyBlocklistFile", TEXT, "\"\"", 0, 0, NULL},
    {"ModuleBinding", CHOICE, "\"auto\"", 0, 0, "auto|direct|late"},
    {"ModuleTimeoutMilliseconds", NUMBER, "30000", 10, 3600000, NULL},
    {"OCSPArchiveCutoffDays", NUMBER, "0", 0, 36525, NULL},
    {"OCSPEnabled", NUMBER, "1", 0, 1, NULL},
    {"OCSPMaxRequests", NUMBER, "16", 1, 64, NULL},
    {"OCSPNonceMax", NUMBER, "32", 0, 32, NULL},
    {"OCSPSigner", CHOICE, "\"delegated\"", 0, 0, "delegated|ca"},
    {"OCSPURLs", LIST, "[]", 0, 0, NULL},
    {"OCSPUnknown", CHOICE, "\"unknown\"", 0, 0, "unknown|unauthorized"},
    {"OCSPValidityMinutes", NUMBER, "60", 1, 525600, NULL},
    {"PolicyFailureDisposition", CHOICE, "\"fail\"", 0, 0, "fail|pend"},
    {"PolicyModules/Active", TEXT, "\"policy-default\"", 0, 0, NULL},
    {"PublicationCheck", CHOICE, "\"warn\"", 0, 0, "warn|require|no"},
    {"SignatureAlgorithm", TEXT, "\"\"", 0, 0, NULL},
    {"SignedAttributes", LIST, "[\"RequesterName\"]", 0, 0, NULL},
    {"SubjectTemplate", LIST,
     "[\"EMail\",\"CommonName\",\"Title\",\"GivenName\",\"Initials\",\"SurName\","
     "\"DeviceSerialNumber\","
     "\"UnstructuredName\",\"UnstructuredAddress\",\"OrgUnit\",\"Organization\",\"StreetAddress\","
     "\"Locality\","
     "\"State\",\"DomainComponent\",\"Country\"]",
     0, 0, NULL},
    {"ValidityPeriod", CHOICE, "\"Years\"", 0, 0, UNITS},
    {"ValidityPeriodUnits", NUMBER, "1", 1, 100000, NULL},
};

/* Modules/NAME/…: how the engine treats a module, apart from what the module reads itself. */
static const struct known of_each_module[] = {
    {"Deadline", NUMBER, "0", 0, 3600000, NULL},
    {"Host", CHOICE, "\"daemon\"", 0, 0, "daemon|process"},
    {"MaxFailures", NUMBER, "5", 1, 1000, NULL},
    {"MemoryMB", NUMBER, "256", 16, 65536, NULL},
    {"Network", NUMBER, "0", 0, 1, NULL},
    {"Paused", NUMBER, "0", 0, 1, NULL},
    {"ReadPaths", LIST, "[]", 0, 0, NULL},
    {"Synchronous", NUMBER, "0", 0, 1, NULL},
    {"User", TEXT, "\"\"", 0, 0, NULL},
    {"WritePaths", LIST, "[]", 0, 0, NULL},
};

static const struct known *find_in(const struct known *table, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(table[i].path, path) == 0) return &table[i];
    }
    return NULL;
}

static const struct known *find_known(const char *path)
{
    const char *name = strncasecmp(path, "Modules/", 8) == 0 ? path + 8 : NULL;
    const char *slash = name ? strchr(name, '/') : NULL;
    if (slash && slash > name)
        return find_in(of_each_module, CHY_ARRAY_LEN(of_each_module), slash + 1);
    return find_in(known_settings, CHY_ARRAY_LEN(known_settings), path);
}

/* First entry that is not below path in the order of strcasecmp. */
static size_t lower_bound(const struct chy_config *c, const char *path)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcasecmp(c->entry[mid].path, path) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct load {
    struct chy_config *config;
    struct chy_err *err;
};

static bool load_one(const char *path, struct chy_span json, void *arg)
{
    struct load *l = arg;
    char *text = chy_strndup((const char *)json.p, json.n);
    if (text)
        (void)chy_config_swap(l->config, path, &text, l->err);
    else
        chy_fail_nomem(l->err, "configuration");
    chy_free(text);
    return l->err->code == CHY_S_OK;
}

chy_hresult chy_config_load(struct chy_store *store, struct chy_config **out, struct chy_err *err)
{
    struct chy_err own = {0};
    struct chy_config *c = chy_calloc(1, sizeof(*c));
    if (!c) return chy_fail_nomem(err, "configuration");
    pthread_rwlock_init(&c->lock, NULL);
    struct load l = {c, &own};
    chy_hresult hr = store->ops->config(store, load_one, &l, &own);
    if (own.code != CHY_S_OK) hr = chy_fail(err, own.code, "%s", own.text);
    if (hr != CHY_S_OK) {
        chy_config_free(c);
        return hr;
    }
    *out = c;
    return CHY_S_OK;
}

void chy_config_free(struct chy_config *c)
{
    if (!c) return;
    /* A thread that hangs in a module read it once, and is not joined: what it saw ends here. */
    pthread_rwlock_wrlock(&c->lock);
    pthread_rwlock_unlock(&c->lock);
    for (size_t i = 0; i < c->n; i++) {
        chy_free(c->entry[i].path);
        chy_free(c->entry[i].json);
    }
    chy_free(c->entry);
    pthread_rwlock_destroy(&c->lock);
    chy_free(c);
}

chy_hresult chy_config_value(struct chy_config *c, const char *path, struct chy_buf *out,
                             bool *is_set)
{
    pthread_rwlock_rdlock(&c->lock);
    size_t i = lower_bound(c, path);
    bool found = i < c->n && c->entry[i].json && strcasecmp(c->entry[i].path, path) == 0;
    const struct known *k = found ? NULL : find_known(path);
    if (found) chy_buf_add_str(out, c->entry[i].json);
    if (k) chy_buf_add_str(out, k->fallback);
    pthread_rwlock_unlock(&c->lock);
    if (is_set) *is_set = found;
    return found || k ? CHY_S_OK : CHY_S_FALSE;
}

static bool put_new(struct chy_config *c, size_t at, const char *path, char *json)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct entry *more = cap <= MAX_ENTRIES ? chy_realloc(c->entry, cap * sizeof(*more)) : NULL;
        if (!more) return false;
        c->entry = more;
        c->cap = cap;
    }
    struct entry e = {chy_strdup(path), json};
    if (!e.path) return false;
    memmove(&c->entry[at + 1], &c->entry[at], (c->n - at) * sizeof(e));
    c->entry[at] = e;
    c->n++;
    return true;
}

chy_hresult chy_config_swap(struct chy_config *c, const char *path, char **json,
                            struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    pthread_rwlock_wrlock(&c->lock);
    size_t i = lower_bound(c, path);
    if (i < c->n && strcasecmp(c->entry[i].path, path) == 0) {
        char *old = c->entry[i].json;
        c->entry[i].json = *json;
        *json = old;
    } else if (*json) {
        if (put_new(c, i, path, *json))
            *json = NULL;
        else
            hr = chy_fail_nomem(err, "configuration");
    }
    pthread_rwlock_unlock(&c->lock);
    return hr;
}

chy_hresult chy_config_fingerprint(struct chy_config *c, uint8_t out[8], struct chy_err *err)
{
    uint8_t hash[32];
    unsigned n = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    pthread_rwlock_rdlock(&c->lock);
    for (size_t i = 0; i < c->n && ok; i++) {
        const struct entry *e = &c->entry[i];
        if (!e->json) continue;
        ok = EVP_DigestUpdate(md, e->path, strlen(e->path) + 1) == 1 &&
             EVP_DigestUpdate(md, e->json, strlen(e->json) + 1) == 1;
    }
    pthread_rwlock_unlock(&c->lock);
    ok = ok && EVP_DigestFinal_ex(md, hash, &n) == 1;
    EVP_MD_CTX_free(md);
    if (!ok) return chy_fail_openssl(err, CHY_E_OUTOFMEMORY, "settings: cannot be digested");
    memcpy(out, hash, 8);
    return CHY_S_OK;
}

static bool below(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    if (!n) return true;
    return strncasecmp(path, prefix, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* The smaller of what is stored and what has a default, behind `after`. */
bool chy_config_next(struct chy_config *c, const char *prefix, const char *after,
                     struct chy_buf *path)
{
    const char *best = NULL;
    pthread_rwlock_rdlock(&c->lock);
    for (size_t i = after ? lower_bound(c, after) : lower_bound(c, prefix); i < c->n; i++) {
        const char *p = c->entry[i].path;
        if (!below(p, prefix)) {
            if (*prefix && strcasecmp(p, prefix) > 0 && strncasecmp(p, prefix, strlen(prefix)) != 0)
                break;
            continue;
        }
        if (!c->entry[i].json || (after && strcasecmp(p, after) <= 0)) continue;
        best = p;
        break;
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(known_settings); i++) {
        const char *p = known_settings[i].path;
        if (!below(p, prefix) || (after && strcasecmp(p, after) <= 0)) continue;
        if (!best || strcasecmp(p, best) < 0) best = p;
    }
    if (best) chy_buf_add_str(path, best);
    pthread_rwlock_unlock(&c->lock);
    return best != NULL;
}

static bool one_of(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; *p;) {
        size_t len = strcspn(p, "|");
        if (len == n && strncasecmp(p, value, n) == 0) return true;
        p += len + (p[len] == '|');
    }
    return false;
}

static bool all_strings(const cJSON *list)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item)) return false;
    }
    return true;
}

static chy_hresult check_known(const struct known *k, const cJSON *v, struct chy_err *err)
{
    switch (k->kind) {
    case NUMBER:
        if (!cJSON_IsNumber(v) || v->valuedouble < (double)k->min ||
            v->valuedouble > (double)k->max || v->valuedouble != (double)(int64_t)v->valuedouble) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "setting %s: a whole number from %lld to %lld is expected", k->path,
                            (long long)k->min, (long long)k->max);
        }
        return CHY_S_OK;
    case TEXT:
        if (!cJSON_IsString(v))
            return chy_fail(err, CHY_E_INVALIDARG, "setting %s: text is expected", k->path);
        return CHY_S_OK;
    case CHOICE:
        if (!cJSON_IsString(v) || !one_of(k->choices, v->valuestring)) {
            return chy_fail(err, CHY_E_INVALIDARG, "setting %s: one of %s is expected", k->path,
                            k->choices);
        }
        return CHY_S_OK;
    case LIST:
        if (!cJSON_IsArray(v) || !all_strings(v)) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "setting %s: a list of texts is expected, such as [\"a\",\"b\"]",
                            k->path);
        }
        return CHY_S_OK;
    }
    return CHY_E_UNEXPECTED;
}

static bool is_path(const char *path)
{
    size_t n = strlen(path);
    if (!n || n > PATH_MAX_LEN || path[0] == '/' || path[n - 1] == '/' || strstr(path, "//"))
        return false;
    for (const char *p = path; *p; p++) {
        bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                  (*p >= '0' && *p <= '9') || strchr("/._-* ", *p);
        if (!ok) return false;
    }
    return true;
}

/* PolicyModules/NAME/…: the module's own, any scalar or list of texts. */
static bool is_modules_own(const char *path)
{
    const char *rest = NULL;
    if (strncasecmp(path, "PolicyModules/", 14) == 0) rest = path + 14;
    if (strncasecmp(path, "ExitModules/", 12) == 0) rest = path + 12;
    return rest && strchr(rest, '/');
}

chy_hresult chy_config_check(const char *path, const char *json, struct chy_err *err)
{
    if (!is_path(path)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "setting \"%.64s\": a name is letters, digits, '.', '_', '-', '*' and '/'",
                        path);
    }
    const struct known *k = find_known(path);
    if (!k && !is_modules_own(path)) {
        return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                        "setting %.64s: there is no such setting (see `chancery config list`)",
                        path);
    }
    if (!json) return CHY_S_OK;
    cJSON *v = NULL;
    chy_hresult hr = chy_json_parse(chy_span_cstr(json), VALUE_MAX_LEN, &v, err);
    if (hr == CHY_S_OK && k) {
        hr = check_known(k, v, err);
    } else if (hr == CHY_S_OK) {
        bool ok =
            cJSON_IsString(v) || cJSON_IsBool(v) || (cJSON_IsArray(v) && all_strings(v)) ||
            (cJSON_IsNumber(v) && v->valuedouble >= INT32_MIN && v->valuedouble <= UINT32_MAX &&
             v->valuedouble == (double)(int64_t)v->valuedouble);
        if (!ok) {
            hr = chy_fail(err, CHY_E_INVALIDARG,
                          "setting %.64s: a number, a text or a list of texts is expected", path);
        }
    }
    cJSON_Delete(v);
    return hr;
}
