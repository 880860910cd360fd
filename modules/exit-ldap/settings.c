#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exit_ldap.h"
#include "kit/secret.h"
#include "kit/settings.h"

enum { URIS_MAX = 8, CLASSES_MAX = 16, TEXT_MAX = 1000, TIMEOUT_MAX = 300 };
#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"
#define NO_MEMORY "needs more memory than there is"

static const char *take(char **at, const char *v)
{
    if (strlen(v) > TEXT_MAX) return "is too long";
    free(*at);
    *at = NULL;
    if (!*v) return NULL;
    *at = strdup(v);
    return *at ? NULL : NO_MEMORY;
}

static void texts_free(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->v[i]);
    free(t->v);
    *t = (struct texts){0};
}

static const char *take_list(struct texts *t, const chy_str *v, size_t n, size_t most)
{
    texts_free(t);
    if (n > most) return "is longer than is allowed";
    t->v = calloc(n + 1, sizeof *t->v);
    if (!t->v) return NO_MEMORY;
    for (; t->n < n; t->n++) {
        if (v[t->n].n > TEXT_MAX) return "has an element that is too long";
        t->v[t->n] = strdup(v[t->n].p);
        if (!t->v[t->n]) return NO_MEMORY;
    }
    return NULL;
}

static const char *take_flag(bool *at, chy_long v)
{
    if (v != 0 && v != 1) return "is neither 0 nor 1";
    *at = v == 1;
    return NULL;
}

static const char *take_path(char **at, const char *v)
{
    if (*v && *v != '/') return "is not an absolute path";
    if (*v && access(v, R_OK) != 0) return "names a file that cannot be read";
    return take(at, v);
}

static const char *take_secret(char **at, const char *v)
{
    const char *rule = *v ? kit_secret_check(v) : NULL;
    return rule ? rule : take(at, v);
}

static const char *take_pattern(char **at, const char *v, bool of_user, enum escape escape)
{
    const char *rule = *v ? template_check(v, of_user, escape) : NULL;
    return rule ? rule : take(at, v);
}

static const char *take_name(char **at, const char *v)
{
    if (strchr(v, '%') || strchr(v, '<')) return "is no distinguished name (RFC 4514)";
    return take_pattern(at, v, true, ESCAPE_DN);
}

/* ---- where ---- */
static const char *set_uri(void *into, const chy_str *v, size_t n)
{
    struct settings *s = into;
    for (size_t i = 0; i < n; i++) {
        LDAPURLDesc *u = NULL;
        if (ldap_url_parse(v[i].p, &u) != LDAP_URL_SUCCESS) return "has what is no LDAP URL";
        bool more = (u->lud_dn && *u->lud_dn) || u->lud_attrs || u->lud_filter || u->lud_exts;
        ldap_free_urldesc(u);
        if (more) return "has a URL with more than scheme, host and port";
    }
    return take_list(&s->uri, v, n, URIS_MAX);
}
static const char *set_bind_dn(void *into, const char *v)
{
    return take_name(&((struct settings *)into)->bind_dn, v);
}
static const char *set_password_file(void *into, const char *v)
{
    return take_secret(&((struct settings *)into)->password_file, v);
}
static const char *set_mechanism(void *into, const char *v)
{
    if (*v && strcasecmp(v, "EXTERNAL") != 0) return "is not EXTERNAL";
    ((struct settings *)into)->external = *v != 0;
    return NULL;
}
static const char *set_starttls(void *into, chy_long v)
{
    return take_flag(&((struct settings *)into)->starttls, v);
}
static const char *set_require_tls(void *into, chy_long v)
{
    return take_flag(&((struct settings *)into)->require_tls, v);
}
static const char *set_ca_file(void *into, const char *v)
{
    return take_path(&((struct settings *)into)->ca_file, v);
}
static const char *set_cert_file(void *into, const char *v)
{
    return take_path(&((struct settings *)into)->cert_file, v);
}
static const char *set_key_file(void *into, const char *v)
{
    return take_secret(&((struct settings *)into)->key_file, v);
}
static const char *set_timeout(void *into, chy_long v)
{
    if (v < 1 || v > TIMEOUT_MAX) return "is not from 1 to 300 seconds";
    ((struct settings *)into)->timeout = v;
    return NULL;
}

/* ---- what ---- */
static const char *set_publish(void *into, const chy_str *v, size_t n)
{
    static const char *const names[] = {"user", "ca", "crl", "delta", "arl", "cross"};
    struct settings *s = into;
    s->publish = 0;
    s->publish_named = true;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < 6 && strcasecmp(names[k], v[i].p) != 0)
            k++;
        if (k == 6) return "has what is none of user, ca, crl, delta, arl, cross";
        s->publish |= 1U << k;
    }
    return NULL;
}
static const char *set_base_dn(void *into, const char *v)
{
    return take_name(&((struct settings *)into)->base_dn, v);
}
static const char *set_user_dn(void *into, const char *v)
{
    return take_pattern(&((struct settings *)into)->user_dn, v, true, ESCAPE_DN);
}
static const char *set_search_base(void *into, const char *v)
{
    return take_name(&((struct settings *)into)->search_base, v);
}
static const char *set_filter(void *into, const char *v)
{
    return take_pattern(&((struct settings *)into)->filter, v, true, ESCAPE_FILTER);
}
static const char *set_scope(void *into, const char *v)
{
    struct settings *s = into;
    bool one = strcasecmp(v, "one") == 0;
    if (!one && strcasecmp(v, "sub") != 0) return "is neither sub nor one";
    s->scope = one ? LDAP_SCOPE_ONELEVEL : LDAP_SCOPE_SUBTREE;
    return NULL;
}
static const char *set_user_class(void *into, const chy_str *v, size_t n)
{
    return take_list(&((struct settings *)into)->user_class, v, n, CLASSES_MAX);
}
static const char *set_user_attribute(void *into, const chy_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *rule = template_check(v[i].p, true, ESCAPE_NONE);
        if (rule) return rule;
        if (!strchr(v[i].p, '=') || *v[i].p == '=') return "has an element that is not NAME=VALUE";
    }
    return take_list(&((struct settings *)into)->user_attribute, v, n, CLASSES_MAX);
}
static const char *set_templates(void *into, const chy_str *v, size_t n)
{
    return take_list(&((struct settings *)into)->templates, v, n, 1000);
}
static const char *set_missing(void *into, const char *v)
{
    struct settings *s = into;
    s->skip_missing = strcasecmp(v, "skip") == 0;
    return s->skip_missing || strcasecmp(v, "fail") == 0 ? NULL : "is neither fail nor skip";
}
static const char *set_ca_dn(void *into, const char *v)
{
    return take_pattern(&((struct settings *)into)->ca_dn, v, false, ESCAPE_DN);
}
static const char *set_crl_dn(void *into, const char *v)
{
    return take_pattern(&((struct settings *)into)->crl_dn, v, false, ESCAPE_DN);
}
static const char *set_ca_class(void *into, const chy_str *v, size_t n)
{
    return take_list(&((struct settings *)into)->ca_class, v, n, CLASSES_MAX);
}
static const char *set_crl_class(void *into, const chy_str *v, size_t n)
{
    return take_list(&((struct settings *)into)->crl_class, v, n, CLASSES_MAX);
}
static const char *set_cross_files(void *into, const chy_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (*v[i].p != '/') return "has what is not an absolute path";
    return take_list(&((struct settings *)into)->cross_files, v, n, CLASSES_MAX);
}
static const char *set_remove_expired(void *into, chy_long v)
{
    return take_flag(&((struct settings *)into)->remove_expired, v);
}
static const char *set_remove_revoked(void *into, chy_long v)
{
    return take_flag(&((struct settings *)into)->remove_revoked, v);
}

static const struct kit_setting known[] = {{.name = "URI", .list = set_uri},
                                           {.name = "BindDN", .text = set_bind_dn},
                                           {.name = "PasswordFile", .text = set_password_file},
                                           {.name = "SASLMechanism", .text = set_mechanism},
                                           {.name = "StartTLS", .number = set_starttls},
                                           {.name = "RequireTLS", .number = set_require_tls},
                                           {.name = "CACertFile", .text = set_ca_file},
                                           {.name = "ClientCertFile", .text = set_cert_file},
                                           {.name = "ClientKeyFile", .text = set_key_file},
                                           {.name = "Timeout", .number = set_timeout},
                                           {.name = "Publish", .list = set_publish},
                                           {.name = "BaseDN", .text = set_base_dn},
                                           {.name = "UserDN", .text = set_user_dn},
                                           {.name = "UserSearchBase", .text = set_search_base},
                                           {.name = "UserFilter", .text = set_filter},
                                           {.name = "UserScope", .text = set_scope},
                                           {.name = "UserObjectClass", .list = set_user_class},
                                           {.name = "UserAttributes", .list = set_user_attribute},
                                           {.name = "UserTemplates", .list = set_templates},
                                           {.name = "MissingUser", .text = set_missing},
                                           {.name = "CADN", .text = set_ca_dn},
                                           {.name = "CAObjectClass", .list = set_ca_class},
                                           {.name = "CRLDN", .text = set_crl_dn},
                                           {.name = "CRLObjectClass", .list = set_crl_class},
                                           {.name = "CrossCertFiles", .list = set_cross_files},
                                           {.name = "RemoveExpired", .number = set_remove_expired},
                                           {.name = "RemoveRevoked", .number = set_remove_revoked}};

/* ---- what must agree ---- */

static bool uses_base(const char *pattern)
{
    return pattern && strstr(pattern, "%6");
}

static bool is_local(const char *uri)
{
    return strncasecmp(uri, "ldapi:", 6) == 0;
}

static bool is_clear(const struct settings *s, const char *uri)
{
    return strncasecmp(uri, "ldap:", 5) == 0 && !s->starttls;
}

static unsigned possible(const struct settings *s)
{
    unsigned user = s->user_dn || s->filter ? PUBLISH_USER : 0U;
    unsigned ca = s->ca_dn ? PUBLISH_CA : 0U;
    return user | ca | (s->crl_dn || s->ca_dn ? PUBLISH_CRL | PUBLISH_DELTA : 0U);
}

static const char *wrong_target(const struct settings *s, const char **name)
{
    *name = "Publish";
    if ((s->publish & PUBLISH_USER) && !s->user_dn && !s->filter)
        return "names user, but there is neither UserDN nor UserFilter";
    if ((s->publish & (PUBLISH_CA | PUBLISH_CROSS)) && !s->ca_dn)
        return "names ca or cross, but there is no CADN";
    if ((s->publish & (PUBLISH_CRL | PUBLISH_DELTA | PUBLISH_ARL)) && !s->crl_dn && !s->ca_dn)
        return "names crl, delta or arl, but there is neither CRLDN nor CADN";
    *name = "UserDN";
    if (s->user_dn && s->filter) return "stands beside UserFilter: one of the two names the entry";
    *name = "UserSearchBase";
    if (!s->search_base && s->filter) return "is needed with UserFilter";
    *name = "CrossCertFiles";
    if (s->cross_files.n && !(s->publish & PUBLISH_CROSS))
        return "is set, but Publish does not name cross";
    *name = "BaseDN";
    if (!s->base_dn && (uses_base(s->user_dn) || uses_base(s->filter) || uses_base(s->ca_dn) ||
                        uses_base(s->crl_dn)))
        return "is needed, for a pattern has %6";
    return NULL;
}

static const char *wrong_way(const struct settings *s, const char **name)
{
    for (size_t i = 0; i < s->uri.n; i++) {
        *name = "URI";
        if (s->require_tls && is_clear(s, s->uri.v[i]))
            return "has an ldap:// URL while StartTLS is 0: set RequireTLS to 0 where nobody can "
                   "listen or change what is sent";
        *name = "SASLMechanism";
        if (s->external && !is_local(s->uri.v[i]) && !s->cert_file)
            return "EXTERNAL needs a ClientCertFile, or ldapi:// URLs alone";
    }
    *name = "BindDN";
    if (s->external && s->bind_dn) return "stands beside SASLMechanism EXTERNAL";
    if (!s->bind_dn && s->password_file) return "is needed with PasswordFile";
    *name = "PasswordFile";
    if (s->bind_dn && !s->password_file)
        return "is needed with BindDN: without a password nobody is bound (RFC 4513 5.1.2)";
    *name = "ClientKeyFile";
    if (!s->cert_file != !s->key_file) return "and ClientCertFile belong together";
    return NULL;
}

static chy_hresult check(const chy_host *host, struct settings *s)
{
    char text[400];
    const char *name = "";
    if (!s->publish_named) s->publish = possible(s);
    const char *rule = wrong_target(s, &name);
    if (!rule) rule = wrong_way(s, &name);
    if (rule) {
        snprintf(text, sizeof text, "exit-ldap: setting %s %s", name, rule);
        host->vt->log(host->self, CHY_LOG_ERROR, text);
        return CHY_E_INVALIDARG;
    }
    if (!s->uri.n) s->publish = 0;
    if (!s->publish)
        host->vt->log(host->self, CHY_LOG_INFO,
                      s->uri.n
                          ? "exit-ldap: no UserDN, UserFilter, CADN or CRLDN, nothing is published"
                          : "exit-ldap: no URI, nothing is published");
    return CHY_S_OK;
}

chy_hresult settings_read(const chy_host *host, struct settings *s)
{
    s->starttls = s->require_tls = true;
    s->timeout = 10;
    s->scope = LDAP_SCOPE_SUBTREE;
    chy_hresult hr = kit_settings_read(host, "exit-ldap", known, sizeof known / sizeof known[0], s);
    if (!CHY_FAILED(hr) && !s->ca_file) {
        s->ca_file = strdup(SYSTEM_CAS);
        if (!s->ca_file) hr = CHY_E_OUTOFMEMORY;
    }
    return CHY_FAILED(hr) ? hr : check(host, s);
}

void settings_free(struct settings *s)
{
    char *text[] = {s->bind_dn,  s->password_file, s->ca_file,    s->cert_file,
                    s->key_file, s->base_dn,       s->user_dn,    s->filter,
                    s->ca_dn,    s->crl_dn,        s->search_base};
    struct texts *list[] = {&s->uri,      &s->user_class, &s->user_attribute, &s->templates,
                            &s->ca_class, &s->crl_class,  &s->cross_files};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        free(text[i]);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        texts_free(list[i]);
}
