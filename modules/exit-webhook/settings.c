#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/secret.h"
#include "kit/settings.h"
#include "webhook.h"

enum { URL_MAX = 2000, TIMEOUT_MAX = 300, HEADER_MAX = 1000 };

static const struct {
    const char *name;
    chy_long bit;
    bool by_default;
} events[] = {{"certissued", CHY_EXITEVENT_CERTISSUED, true},
              {"certpending", CHY_EXITEVENT_CERTPENDING, true},
              {"certdenied", CHY_EXITEVENT_CERTDENIED, true},
              {"certrevoked", CHY_EXITEVENT_CERTREVOKED, true},
              {"certunrevoked", CHY_EXITEVENT_CERTREVOKED, true}, /* one bit stands for both */
              {"certretrievepending", CHY_EXITEVENT_CERTRETRIEVEPENDING, false},
              {"crlissued", CHY_EXITEVENT_CRLISSUED, true},
              {"certimported", CHY_EXITEVENT_CERTIMPORTED, true},
              {"startup", CHY_EXITEVENT_STARTUP, false},
              {"shutdown", CHY_EXITEVENT_SHUTDOWN, false}};
enum { EVENTS = sizeof events / sizeof events[0] };

const char *name_of_event(chy_long event)
{
    for (size_t i = 0; i < EVENTS; i++)
        if (event & events[i].bit) return events[i].name;
    return "unknown";
}

bool is_wanted(const struct settings *s, const char *name)
{
    for (unsigned i = 0; i < EVENTS; i++)
        if (!strcasecmp(events[i].name, name)) return s->names >> i & 1;
    return true;
}

static void want(struct settings *s, unsigned i)
{
    s->names |= 1u << i;
    s->events |= events[i].bit;
}

static const char *copy(char **at, const char *v)
{
    free(*at);
    *at = strdup(v);
    return *at ? NULL : "needs more memory than there is";
}

static const char *path(char **at, const char *v)
{
    if (*v != '/' || strlen(v) > URL_MAX) return "is not an absolute path";
    return copy(at, v);
}

/* What libcurl reads in a URL is what it will use: no second parser decides. */
static const char *url_part(CURLU *u, CURLUPart part, char *out, size_t size)
{
    char *text = NULL;
    out[0] = 0;
    CURLUcode rc = curl_url_get(u, part, &text, 0);
    bool fits = rc != CURLUE_OK || strlen(text) < size;
    if (rc == CURLUE_OK) snprintf(out, size, "%s", text);
    curl_free(text);
    return fits ? NULL : "is too long";
}

static bool is_loopback_name(const char *host)
{
    size_t n = strspn(host, "0123456789.");
    return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]") ||
           (!strncmp(host, "127.", 4) && !host[n]);
}

static const char *check_url(struct settings *s, CURLU *u, const char *v)
{
    char scheme[16], user[256], secret[256], fragment[256];
    if (strlen(v) > URL_MAX) return "is longer than 2000 characters";
    if (curl_url_set(u, CURLUPART_URL, v, 0) != CURLUE_OK) return "is no URL";
    if (url_part(u, CURLUPART_SCHEME, scheme, sizeof scheme) ||
        url_part(u, CURLUPART_HOST, s->host, sizeof s->host) ||
        url_part(u, CURLUPART_USER, user, sizeof user) ||
        url_part(u, CURLUPART_PASSWORD, secret, sizeof secret) ||
        url_part(u, CURLUPART_FRAGMENT, fragment, sizeof fragment))
        return "has a part that is too long";
    if (user[0] || secret[0]) return "has a user or password in it: use BearerFile or SecretFile";
    if (fragment[0]) return "has a fragment, which no server would see";
    s->plain = !strcasecmp(scheme, "http");
    if (!s->plain && strcasecmp(scheme, "https") != 0) return "is not an https URL";
    if (s->plain && !is_loopback_name(s->host))
        return "is plain HTTP to another host: use https (AllowPlain is for loopback alone)";
    return NULL;
}

static const char *set_url(void *into, const char *v)
{
    struct settings *s = into;
    CURLU *u = curl_url();
    const char *rule = u ? check_url(s, u, v) : "needs more memory than there is";
    curl_url_cleanup(u);
    return rule ? rule : copy(&s->url, v);
}

static const char *set_proxy(void *into, const char *v)
{
    struct settings *s = into;
    char scheme[16] = "", user[256] = "";
    CURLU *u = curl_url();
    const char *rule = !u ? "needs more memory than there is"
                       : strlen(v) > URL_MAX || curl_url_set(u, CURLUPART_URL, v, 0) != CURLUE_OK
                           ? "is no URL"
                           : url_part(u, CURLUPART_SCHEME, scheme, sizeof scheme);
    if (!rule) rule = url_part(u, CURLUPART_USER, user, sizeof user);
    if (!rule && user[0]) rule = "has a user in it, and a setting is no place for a password";
    if (!rule && strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0 &&
        strcasecmp(scheme, "socks5h") != 0)
        rule = "is none of http://, https:// and socks5h://";
    curl_url_cleanup(u);
    return rule ? rule : copy(&s->proxy, v);
}

static const char *set_source(void *into, const char *v)
{
    struct settings *s = into;
    for (const char *p = v; *p; p++)
        if (*p <= 0x20 || *p > 0x7e || strchr("\"<>\\^`{|}", *p)) return "is no URI reference";
    if (!*v || strlen(v) > URL_MAX) return "is no URI reference";
    return copy(&s->source, v);
}

static const char *set_events(void *into, const chy_str *v, size_t n)
{
    struct settings *s = into;
    s->events = 0;
    s->names = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned before = s->names;
        for (unsigned k = 0; k < EVENTS; k++)
            if (!strcasecmp(events[k].name, v[i].p)) want(s, k);
        if (s->names == before) return "names what is no event, or one twice";
    }
    return s->events ? NULL : "names no event";
}

static const char *set_form(void *into, const char *v)
{
    static const char *const names[] = {"json", "cloudevents", "cloudevents-binary"};
    struct settings *s = into;
    for (unsigned i = 0; i < 3; i++) {
        if (strcasecmp(names[i], v) != 0) continue;
        s->form = (enum form)i;
        return NULL;
    }
    return "is none of json, cloudevents, cloudevents-binary";
}

static const char *set_encoding(void *into, const char *v)
{
    static const char *const names[] = {"pem", "der", "none"};
    struct settings *s = into;
    for (unsigned i = 0; i < 3; i++) {
        if (strcasecmp(names[i], v) != 0) continue;
        s->encoding = (enum encoding)i;
        return NULL;
    }
    return "is none of pem, der, none";
}

static const char *secret_rule(const char *file)
{
    char secret[SECRET_MOST];
    size_t n = 0;
    const char *rule = kit_secret_read(file, secret, sizeof secret, &n);
    kit_wipe(secret, sizeof secret);
    return rule || n >= SECRET_LEAST ? rule : "names a file with less than 16 octets of secret";
}

static const char *set_secrets(void *into, const chy_str *v, size_t n)
{
    struct settings *s = into;
    const char *rule = n && n <= SECRETS_MAX ? NULL : "names neither one file nor two";
    for (s->n_secrets = 0; !rule && s->n_secrets < n; s->n_secrets++) {
        rule = path(&s->secret_file[s->n_secrets], v[s->n_secrets].p);
        if (!rule) rule = secret_rule(v[s->n_secrets].p);
    }
    return rule;
}

static const char *set_bearer(void *into, const char *v)
{
    struct settings *s = into;
    const char *rule = path(&s->bearer_file, v);
    return rule ? rule : kit_secret_check(v);
}

static const char *set_cert(void *into, const char *v)
{
    struct settings *s = into;
    return path(&s->cert_file, v);
}

static const char *set_key(void *into, const char *v)
{
    struct settings *s = into;
    const char *rule = path(&s->key_file, v);
    return rule ? rule : kit_secret_check(v);
}

static const char *set_ca(void *into, const char *v)
{
    struct settings *s = into;
    return path(&s->ca_file, v);
}

/* RFC 9110 5.6.2: a name is a token, and a value has no control characters. */
static const char *header_rule(const char *v)
{
    static const char *const own[] = {"Host",
                                      "Content-Type",
                                      "Content-Length",
                                      "Transfer-Encoding",
                                      "Connection",
                                      "Expect",
                                      "Upgrade",
                                      "Idempotency-Key",
                                      "Authorization",
                                      "Cookie",
                                      "User-Agent",
                                      "Accept",
                                      "TE",
                                      "Trailer",
                                      "Proxy-Authorization"};
    size_t n = strcspn(v, ":");
    if (!n || !v[n]) return "has a header without a colon (\"Name: value\")";
    if (strlen(v) > HEADER_MAX) return "has a header of more than 1000 characters";
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)v[i]) && !strchr("!#$%&'*+-.^_`|~", v[i]))
            return "has a header whose name is no token";
    for (const char *p = v + n; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return "has a header with a control character";
    if (!v[n + 1 + strspn(v + n + 1, " ")]) return "has a header without a value";
    if (!strncasecmp(v, "Chancery-", 9) || !strncasecmp(v, "ce-", 3))
        return "has a header that the module sends itself";
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strlen(own[i]) == n && !strncasecmp(own[i], v, n))
            return "has a header that the module sends itself, or that needs a secret: see "
                   "BearerFile";
    return NULL;
}

static const char *set_headers(void *into, const chy_str *v, size_t n)
{
    struct settings *s = into;
    const char *rule = n <= HEADERS_MAX ? NULL : "has more than 32 headers";
    for (size_t i = 0; i < n && !rule; i++) {
        rule = header_rule(v[i].p);
        if (!rule) rule = copy(&s->header[i], v[i].p);
        if (!rule) s->n_headers = i + 1;
    }
    return rule;
}

static const char *set_flag(bool *at, chy_long v)
{
    *at = v == 1;
    return v == 0 || v == 1 ? NULL : "is neither 0 nor 1";
}

static const char *set_plain(void *into, chy_long v)
{
    struct settings *s = into;
    return set_flag(&s->allow_plain, v);
}

static const char *set_attributes(void *into, chy_long v)
{
    struct settings *s = into;
    return set_flag(&s->attributes, v);
}

static const char *set_refused(void *into, const char *v)
{
    struct settings *s = into;
    s->drop_refused = !strcasecmp(v, "drop");
    return s->drop_refused || !strcasecmp(v, "retry") ? NULL : "is none of retry, drop";
}

static const char *set_timeout(void *into, chy_long v)
{
    struct settings *s = into;
    s->timeout = v;
    return v >= 1 && v <= TIMEOUT_MAX ? NULL : "is not between 1 and 300 seconds";
}

static const struct kit_setting known[] = {{.name = "URL", .text = set_url},
                                           {.name = "AllowPlain", .number = set_plain},
                                           {.name = "Events", .list = set_events},
                                           {.name = "Format", .text = set_form},
                                           {.name = "Source", .text = set_source},
                                           {.name = "IncludeCertificate", .text = set_encoding},
                                           {.name = "IncludeAttributes", .number = set_attributes},
                                           {.name = "SecretFile", .list = set_secrets},
                                           {.name = "BearerFile", .text = set_bearer},
                                           {.name = "Headers", .list = set_headers},
                                           {.name = "ClientCertFile", .text = set_cert},
                                           {.name = "ClientKeyFile", .text = set_key},
                                           {.name = "CACertFile", .text = set_ca},
                                           {.name = "Proxy", .text = set_proxy},
                                           {.name = "Refused", .text = set_refused},
                                           {.name = "Timeout", .number = set_timeout}};

/* What only the settings together can tell. */
static const char *check_whole(const struct settings *s)
{
    if (!s->url) return "exit-webhook: set URL to the address of the receiver";
    if (s->plain && !s->allow_plain)
        return "exit-webhook: setting URL is plain HTTP: use https, or set AllowPlain to 1 for a "
               "receiver on this host";
    if (s->plain && s->bearer_file) return "exit-webhook: setting BearerFile needs an https URL";
    if (s->plain && s->proxy) return "exit-webhook: setting Proxy needs an https URL";
    if (!s->cert_file != !s->key_file)
        return "exit-webhook: setting ClientCertFile and ClientKeyFile need each other";
    return NULL;
}

chy_hresult settings_read(const chy_host *host, struct settings *s)
{
    for (unsigned i = 0; i < EVENTS; i++)
        if (events[i].by_default) want(s, i);
    s->timeout = 10;
    chy_hresult hr =
        kit_settings_read(host, "exit-webhook", known, sizeof known / sizeof known[0], s);
    const char *rule = CHY_FAILED(hr) ? NULL : check_whole(s);
    if (!rule) return hr;
    host->vt->log(host->self, CHY_LOG_ERROR, rule);
    return CHY_E_INVALIDARG;
}

void settings_free(struct settings *s)
{
    char *const all[] = {
        s->url,         s->proxy,     s->source,   s->secret_file[0], s->secret_file[1],
        s->bearer_file, s->cert_file, s->key_file, s->ca_file};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    for (size_t i = 0; i < HEADERS_MAX; i++)
        free(s->header[i]);
}
