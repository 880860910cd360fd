/* A host that answers as its mood is, and counts what a module does with it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "module/conform.h"

enum { HUGE_TEXT = 64 << 10 };

/* The one examination of this process, which was made for it: a callback object knows no other way
 * to it. */
static struct chy_conform *_Atomic present;

static struct chy_conform *here(void)
{
    return atomic_load(&present);
}

/* Repeatable, and different with every question. */
static uint32_t roll(struct chy_conform *c)
{
    uint32_t n = atomic_fetch_add(&c->dice, 0x9e3779b9u);
    n ^= n >> 16;
    n *= 0x7feb352du;
    return n ^ n >> 15;
}

static enum chy_mood mood_now(struct chy_conform *c)
{
    enum chy_mood mood = atomic_load(&c->mood);
    if (!atomic_load(&c->active)) atomic_fetch_add(&c->outside, 1);
    if (mood != CHY_MOOD_MIXED) return mood;
    static const enum chy_mood mixture[] = {CHY_MOOD_KIND,     CHY_MOOD_KIND, CHY_MOOD_KIND,
                                            CHY_MOOD_KIND,     CHY_MOOD_KIND, CHY_MOOD_REFUSING,
                                            CHY_MOOD_REFUSING, CHY_MOOD_HUGE, CHY_MOOD_ODD};
    return mixture[roll(c) % CHY_ARRAY_LEN(mixture)];
}

static chy_hresult refusal(struct chy_conform *c)
{
    static const chy_hresult ways[] = {
        CHY_E_FAIL,       CHY_E_OUTOFMEMORY, CHY_CERTSRV_E_PROPERTY_EMPTY,
        CHY_E_INVALIDARG, CHY_E_HANDLE,      CHY_E_UNEXPECTED};
    chy_hresult fixed = atomic_load(&c->refusal);
    return fixed ? fixed : ways[roll(c) % CHY_ARRAY_LEN(ways)];
}

/* ---- values ---- */

static chy_hresult huge_text(chy_variant *out)
{
    char *s = chy_module_alloc(HUGE_TEXT + 1);
    if (!s) return CHY_E_OUTOFMEMORY;
    memset(s, 'x', HUGE_TEXT);
    s[HUGE_TEXT] = 0;
    *out = (chy_variant){.vt = CHY_VT_STR};
    out->u.s = (chy_str){s, HUGE_TEXT};
    return CHY_S_OK;
}

static chy_hresult huge(struct chy_conform *c, chy_long type, chy_variant *out)
{
    bool low = roll(c) & 1;
    switch (type) {
    case CHY_PROPTYPE_LONG: return chy_variant_set_long(out, low ? INT32_MIN : INT32_MAX);
    case CHY_PROPTYPE_DATE: return chy_variant_set_time(out, low ? INT64_MIN + 1 : INT64_MAX);
    default: break;
    }
    chy_hresult hr = huge_text(out);
    if (hr != CHY_S_OK || type != CHY_PROPTYPE_BINARY) return hr;
    chy_str s = out->u.s;
    out->vt = CHY_VT_BYTES;
    out->u.b = (chy_bytes){(uint8_t *)s.p, s.n};
    return CHY_S_OK;
}

static chy_hresult odd(struct chy_conform *c, chy_variant *out)
{
    static const char inside[] = "a\0b", no_utf8[] = "\xff\xfe\x80", lines[] = "a\nb\r\tc\x1b[2J";
    switch (roll(c) % 8) {
    case 0: return chy_variant_set_long(out, -1);
    case 1: return chy_variant_set_time(out, 0);
    case 2: return chy_variant_set_str(out, "", 0);
    case 3: return chy_variant_set_str(out, inside, sizeof(inside) - 1);
    case 4: return chy_variant_set_str(out, no_utf8, sizeof(no_utf8) - 1);
    case 5: return chy_variant_set_str(out, lines, sizeof(lines) - 1);
    case 6: return chy_variant_set_bytes(out, "\x30\x84\xff\xff\xff\xff", 6);
    default: *out = (chy_variant){.vt = CHY_VT_EMPTY}; return CHY_S_OK;
    }
}

/* An ordinary request for an ordinary certificate. */
static chy_hresult kind(const char *name, chy_long type, chy_variant *out)
{
    static const struct {
        const char *name, *text;
        int64_t number; /* DATE: seconds from now */
        chy_long type;
    } known[] = {
        {"RequestID", NULL, 7, CHY_PROPTYPE_LONG},
        {"RequestType", NULL, CHY_CR_IN_PKCS10, CHY_PROPTYPE_LONG},
        {"RequestFlags", NULL, 0, CHY_PROPTYPE_LONG},
        {"GeneralFlags", NULL, 0, CHY_PROPTYPE_LONG},
        {"PublicKeyLength", NULL, 256, CHY_PROPTYPE_LONG},
        {"RequesterCAAccess", NULL, 1, CHY_PROPTYPE_LONG},
        {"Disposition", NULL, CHY_DB_DISP_ISSUED, CHY_PROPTYPE_LONG},
        {"StatusCode", NULL, 0, CHY_PROPTYPE_LONG},
        {"RevokedReason", NULL, 0, CHY_PROPTYPE_LONG},
        {"EventAttempt", NULL, 1, CHY_PROPTYPE_LONG},
        {"SubmittedWhen", NULL, 0, CHY_PROPTYPE_DATE},
        {"ResolvedWhen", NULL, 0, CHY_PROPTYPE_DATE},
        {"EventTime", NULL, 0, CHY_PROPTYPE_DATE},
        {"NotBefore", NULL, -600, CHY_PROPTYPE_DATE},
        {"NotAfter", NULL, 31535399, CHY_PROPTYPE_DATE},
        {"RequesterName", "CHECK\\somebody", 0, CHY_PROPTYPE_STRING},
        {"CallerName", "CHECK\\somebody", 0, CHY_PROPTYPE_STRING},
        {"CommonName", "www.example.test", 0, CHY_PROPTYPE_STRING},
        {"DistinguishedName", "CN=www.example.test", 0, CHY_PROPTYPE_STRING},
        {"PublicKeyAlgorithm", "1.2.840.10045.2.1", 0, CHY_PROPTYPE_STRING},
        {"SerialNumber", "61c0ffee00000000000000000000000000000001", 0, CHY_PROPTYPE_STRING},
        {"DispositionMessage", "Issued", 0, CHY_PROPTYPE_STRING},
        {"EventID", "check-7", 0, CHY_PROPTYPE_STRING},
        {"EventName", "certissued", 0, CHY_PROPTYPE_STRING},
        {"SanitizedCAName", "Check CA", 0, CHY_PROPTYPE_STRING},
        {"RawCertificate", "\x30\x03\x02\x01\x05", 5, CHY_PROPTYPE_BINARY},
        {"RawRequest", "\x30\x03\x02\x01\x05", 5, CHY_PROPTYPE_BINARY},
        {"RawCACertificate", "\x30\x03\x02\x01\x05", 5, CHY_PROPTYPE_BINARY},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(known); i++) {
        if (strcasecmp(known[i].name, name) != 0) continue;
        if (known[i].type != type) return CHY_E_INVALIDARG;
        if (type == CHY_PROPTYPE_LONG) return chy_variant_set_long(out, (chy_long)known[i].number);
        if (type == CHY_PROPTYPE_DATE)
            return chy_variant_set_time(out, chy_now(&chy_system_clock) +
                                                 known[i].number * INT64_C(1000000));
        return type == CHY_PROPTYPE_STRING
                   ? chy_variant_set_str(out, known[i].text, strlen(known[i].text))
                   : chy_variant_set_bytes(out, known[i].text, (size_t)known[i].number);
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult answer(const char *name, chy_long type, chy_variant *out)
{
    struct chy_conform *c = here();
    type &= CHY_PROPTYPE_MASK;
    switch (mood_now(c)) {
    case CHY_MOOD_REFUSING: return refusal(c);
    case CHY_MOOD_HUGE: return huge(c, type, out);
    case CHY_MOOD_ODD: return odd(c, out);
    default: return kind(name, type, out);
    }
}

/* ---- what the engine would answer ---- */

static chy_hresult get_property(void *request, enum chy_asker asker, const char *name,
                                chy_long type, chy_variant *out)
{
    (void)request, (void)asker;
    return answer(name, type, out);
}

static chy_hresult get_ca_property(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out)
{
    (void)ca, (void)request, (void)location;
    return answer(name, type, out);
}

static chy_hresult text_or(const char *kindly, chy_str *out)
{
    struct chy_conform *c = here();
    chy_variant v = {.vt = CHY_VT_EMPTY};
    enum chy_mood mood = mood_now(c);
    if (mood == CHY_MOOD_REFUSING) return refusal(c);
    chy_hresult hr = mood == CHY_MOOD_HUGE  ? huge_text(&v)
                     : mood == CHY_MOOD_ODD ? odd(c, &v)
                                            : chy_variant_set_str(&v, kindly, strlen(kindly));
    if (hr == CHY_S_OK && v.vt != CHY_VT_STR) { /* this question has no other type to be wrong in */
        chy_variant_clear(&v);
        hr = chy_variant_set_str(&v, "", 0);
    }
    if (hr == CHY_S_OK) *out = v.u.s;
    return hr;
}

static chy_hresult get_attribute(void *request, const char *name, chy_str *out)
{
    (void)request, (void)name;
    if (atomic_load(&here()->mood) == CHY_MOOD_KIND) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return text_or("value", out);
}

static chy_hresult set_something(struct chy_conform *c)
{
    enum chy_mood mood = mood_now(c);
    if (mood == CHY_MOOD_KIND || mood == CHY_MOOD_HUGE) return CHY_S_OK;
    atomic_store(&c->setter_failed, true);
    return refusal(c);
}

static chy_hresult set_property(void *request, const char *name, chy_long type,
                                const chy_variant *value)
{
    (void)request, (void)name, (void)type, (void)value;
    return set_something(here());
}

static chy_hresult set_extension(void *request, const char *oid, chy_long type, chy_long flags,
                                 const chy_variant *value)
{
    (void)request, (void)oid, (void)type, (void)flags, (void)value;
    return set_something(here());
}

static chy_hresult get_extension(void *request, const char *oid, chy_long type, chy_variant *out,
                                 chy_long *flags)
{
    static const uint8_t san[] = "\x30\x12\x82\x10www.example.test";
    struct chy_conform *c = here();
    (void)request;
    *flags = CHY_EXTENSION_DISABLE_FLAG | CHY_EXTENSION_ORIGIN_REQUEST;
    switch (mood_now(c)) {
    case CHY_MOOD_REFUSING: return refusal(c);
    case CHY_MOOD_HUGE: return huge(c, type & CHY_PROPTYPE_MASK, out);
    case CHY_MOOD_ODD: *flags = -1; return odd(c, out);
    default: break;
    }
    if (strcmp(oid, "2.5.29.17") != 0 || (type & CHY_PROPTYPE_MASK) != CHY_PROPTYPE_BINARY)
        return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_bytes(out, san, sizeof(san) - 1);
}

static chy_hresult name_at(void *request, size_t index, chy_str *out)
{
    struct chy_conform *c = here();
    size_t end = atomic_load(&c->mood) == CHY_MOOD_KIND ? 1 : roll(c) % 128;
    (void)request;
    if (index >= end) return CHY_S_FALSE;
    return text_or("2.5.29.17", out);
}

static chy_hresult set_message(void *request, const char *text)
{
    (void)request, (void)text;
    return CHY_S_OK;
}

/* ---- settings: those that were given, whatever the mood ---- */

static const char *setting_of(const struct chy_conform *c, const char *name)
{
    for (const char *const *s = c->what->settings; s && *s; s++) {
        size_t n = strcspn(*s, "=");
        if ((*s)[n] == '=' && strlen(name) == n && strncasecmp(*s, name, n) == 0) return *s + n + 1;
    }
    return NULL;
}

static chy_hresult get_setting(void *ca, const char *location, const char *name, chy_variant *out)
{
    const char *value = setting_of(ca, name);
    (void)location;
    if (!value) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    size_t n = strlen(value);
    bool is_number = n > 0 && n < 10 && strspn(value, "0123456789") == n;
    if (!is_number) return chy_variant_set_str(out, value, n);
    chy_long number = 0;
    for (const char *p = value; *p; p++)
        number = number * 10 + (*p - '0');
    return chy_variant_set_long(out, number);
}

static chy_hresult next_setting(void *ca, const char *location, const char *after, chy_str *out)
{
    const struct chy_conform *c = ca;
    const char *found = NULL;
    size_t n = 0;
    (void)location;
    for (const char *const *s = c->what->settings; s && *s; s++) {
        size_t len = strcspn(*s, "=");
        bool behind = !after || strncasecmp(*s, after, len) > 0 ||
                      (strncasecmp(*s, after, len) == 0 && strlen(after) < len);
        if (!behind || (found && strncasecmp(*s, found, len < n ? len : n) >= 0)) continue;
        found = *s;
        n = len;
    }
    if (!found) return CHY_S_FALSE;
    return chy_module_str(out, found, n) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static void keep_log(void *ca, const char *module, chy_long severity, const char *text)
{
    struct chy_conform *c = ca;
    (void)module;
    if (severity > CHY_LOG_WARNING) return;
    pthread_mutex_lock(&c->lock);
    snprintf(c->log, sizeof(c->log), "%s", text);
    pthread_mutex_unlock(&c->lock);
}

const struct chy_engine_ops chy_conform_ops = {
    .get_request_property = get_property,
    .get_request_attribute = get_attribute,
    .get_certificate_property = get_property,
    .set_certificate_property = set_property,
    .get_certificate_extension = get_extension,
    .set_certificate_extension = set_extension,
    .extension_at = name_at,
    .attribute_at = name_at,
    .get_ca_property = get_ca_property,
    .get_setting = get_setting,
    .next_setting = next_setting,
    .set_message = set_message,
    .log = keep_log,
};

/* ---- callback objects: how many are alive, and is one given back twice ---- */

static void remember(struct chy_conform *c, void *object)
{
    atomic_fetch_add(&c->made, 1);
    pthread_mutex_lock(&c->lock);
    if (c->n_objects < CHY_CONFORM_OBJECTS) c->object[c->n_objects++] = object;
    pthread_mutex_unlock(&c->lock);
}

static bool forget(struct chy_conform *c, const void *object)
{
    bool found = false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = c->n_objects; i-- > 0 && !found;) {
        if (c->object[i] != object) continue;
        c->object[i] = c->object[--c->n_objects];
        found = true;
    }
    found = found || c->n_objects == CHY_CONFORM_OBJECTS; /* one that was not tracked */
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void release_object(void *self)
{
    struct chy_conform *c = here();
    if (!forget(c, self)) {
        atomic_fetch_add(&c->released_twice, 1);
        return;
    }
    atomic_fetch_add(&c->released, 1);
    chy_server_policy_table.release(self); /* one release for both tables */
}

static chy_hresult new_policy(void *host, chy_server_policy *out)
{
    struct chy_conform *c = here();
    if (!out) return CHY_E_POINTER;
    if (!atomic_load(&c->active)) atomic_fetch_add(&c->outside, 1);
    chy_hresult hr = chy_server_policy_new(host, out);
    if (hr != CHY_S_OK) return hr;
    out->vt = &c->policy;
    remember(c, out->self);
    return CHY_S_OK;
}

static chy_hresult new_exit(void *host, chy_server_exit *out)
{
    struct chy_conform *c = here();
    if (!out) return CHY_E_POINTER;
    if (!atomic_load(&c->active)) atomic_fetch_add(&c->outside, 1);
    chy_hresult hr = chy_server_exit_new(host, out);
    if (hr != CHY_S_OK) return hr;
    out->vt = &c->exit;
    remember(c, out->self);
    return CHY_S_OK;
}

static chy_hresult time_left(void *host, chy_long *ms)
{
    (void)host;
    if (!ms) return CHY_E_POINTER;
    int64_t us = chy_context_time_left_us();
    *ms = us / 1000 > INT32_MAX ? INT32_MAX : (chy_long)(us / 1000);
    if (atomic_load(&here()->no_time)) *ms = 0;
    return CHY_S_OK;
}

void chy_conform_host(struct chy_conform *c)
{
    pthread_mutex_init(&c->lock, NULL);
    c->host = chy_host_table;
    c->host.new_server_policy = new_policy;
    c->host.new_server_exit = new_exit;
    c->host.time_left = time_left;
    c->policy = chy_server_policy_table;
    c->policy.release = release_object;
    c->exit = chy_server_exit_table;
    c->exit.release = release_object;
    atomic_store(&present, c);
}
