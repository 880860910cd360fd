/* Tokens and flags of publication addresses (MS-CSRA; adcs: CRLPublicationURLs). */
#include "ca/urls.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FLAGS_MAX = 0xff, TEXT_MAX = 2048 };

enum token {
    SERVER_DNS_NAME = 1,
    SERVER_SHORT_NAME,
    CA_NAME,
    CERTIFICATE_NAME,
    DOMAIN_DN,
    CONFIGURATION,
    TRUNCATED_NAME,
    CRL_SUFFIX,
    DELTA_ALLOWED,
    CDP_CLASS,
    CA_CLASS,
    TOKENS = 14,
    PARTITION
};

static const struct {
    const char *name;
    enum token token;
} names[] = {
    {"<ServerDNSName>", SERVER_DNS_NAME},
    {"<ServerShortName>", SERVER_SHORT_NAME},
    {"<CaName>", CA_NAME},
    {"<CertificateName>", CERTIFICATE_NAME},
    {"<ConfigurationContainer>", CONFIGURATION},
    {"<CATruncatedName>", TRUNCATED_NAME},
    {"<CRLNameSuffix>", CRL_SUFFIX},
    {"<DeltaCRLAllowed>", DELTA_ALLOWED},
    {"<CDPObjectClass>", CDP_CLASS},
    {"<CAObjectClass>", CA_CLASS},
    {"<CRLPartitionIndex>", PARTITION},
};

/* The token at p and its length; 0: there is none. %1 to %9, and %10 to %14 where two digits make
 * one. */
static int token_at(const char *p, size_t *n)
{
    if (*p == '%' && p[1] >= '1' && p[1] <= '9') {
        bool two = p[1] == '1' && p[2] >= '0' && p[2] <= '4';
        *n = two ? 3 : 2;
        return two ? 10 + p[2] - '0' : p[1] - '0';
    }
    for (size_t i = 0; *p == '<' && i < CHY_ARRAY_LEN(names); i++) {
        *n = strlen(names[i].name);
        if (strncasecmp(p, names[i].name, *n) == 0) return (int)names[i].token;
    }
    return 0;
}

static void add_value(struct chy_buf *out, const char *value, bool is_path)
{
    for (; value && *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (is_path || isalnum(c) || strchr("-._~!:[]()+=,?/", c))
            chy_buf_add_byte(out, c);
        else
            chy_buf_addf(out, "%%%02X", c);
    }
}

static void add_index(struct chy_buf *out, int32_t index)
{
    if (index) chy_buf_addf(out, "(%d)", index);
}

static void add_short_host(struct chy_buf *out, const char *host, bool is_path)
{
    char text[256];
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(host, "."), host);
    add_value(out, text, is_path);
}

static void add_token(struct chy_buf *out, int token, const struct chy_url_place *p, bool is_path)
{
    switch (token) {
    case SERVER_DNS_NAME: add_value(out, p->host, is_path); break;
    case SERVER_SHORT_NAME: add_short_host(out, p->host, is_path); break;
    case CA_NAME: add_value(out, p->sanitized, is_path); break;
    case CERTIFICATE_NAME: add_index(out, p->cert_index); break;
    case DOMAIN_DN: add_value(out, p->domain_dn, is_path); break;
    case CONFIGURATION: add_value(out, p->config_dn, is_path); break;
    case TRUNCATED_NAME: add_value(out, p->short_name, is_path); break;
    case CRL_SUFFIX: add_index(out, p->key_index); break;
    case DELTA_ALLOWED:
        if (p->is_delta) chy_buf_add_byte(out, '+');
        break;
    case CDP_CLASS:
        chy_buf_addf(out, "?%s?base?objectClass=cRLDistributionPoint",
                     p->is_delta ? "deltaRevocationList" : "certificateRevocationList");
        break;
    case CA_CLASS:
        chy_buf_add_str(out, "?cACertificate?base?objectClass=certificationAuthority");
        break;
    case PARTITION:
        if (p->shard) chy_buf_addf(out, "_Partition%05d", p->shard);
        break;
    default: break; /* %12 to %14: of forests, which there are none of here */
    }
}

void chy_url_expand(const char *text, const struct chy_url_place *place, struct chy_buf *out)
{
    bool is_path = chy_url_path(text) != NULL;
    while (*text) {
        size_t n = 1;
        int token = token_at(text, &n);
        if (token)
            add_token(out, token, place, is_path);
        else
            chy_buf_add_byte(out, (uint8_t)*text);
        text += token ? n : 1;
    }
}

bool chy_url_has_shard(const char *text)
{
    return strcasestr(text, "<CRLPartitionIndex>") != NULL;
}

const char *chy_url_path(const char *text)
{
    if (strncasecmp(text, "file://localhost/", 17) == 0) return text + 16;
    if (strncasecmp(text, "file:///", 8) == 0) return text + 7;
    if (strncasecmp(text, "file:/", 6) == 0 && text[6] != '/') return text + 5;
    return text[0] == '/' ? text : NULL;
}

static bool is_known_scheme(const char *text)
{
    static const char *const schemes[] = {
        "http://", "https://", "ldap:", "ldaps:", "ftp://", "file:"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(schemes); i++) {
        if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0) return true;
    }
    return false;
}

chy_hresult chy_url_add(struct chy_url_list *list, const char *text, const char *setting,
                        struct chy_err *err)
{
    char *end = NULL;
    unsigned long flags = CHY_CRL_URL_CDP;
    const char *template = text;
    if (isdigit((unsigned char)*text)) {
        flags = strtoul(text, &end, 10);
        if (*end != ':' || flags > FLAGS_MAX) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "setting %s: \"%.80s\": FLAGS:ADDRESS is expected, FLAGS from 0 to 255",
                            setting, text);
        }
        template = end + 1;
    }
    const char *path = chy_url_path(template);
    if (strlen(template) > TEXT_MAX || (!path && !is_known_scheme(template))) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "setting %s: \"%.80s\": a URL or an absolute path is expected", setting,
                        text);
    }
    if (!path && flags & (CHY_CRL_URL_PUBLISH | CHY_CRL_URL_PUBLISH_DELTA)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "setting %s: \"%.80s\": the CA itself writes to files only: leave the bits "
                        "1 and 64 out, and let an exit module publish there",
                        setting, text);
    }
    if (list->n == CHY_CA_MAX_URLS)
        return chy_fail(err, CHY_E_INVALIDARG, "setting %s: more than %d addresses", setting,
                        CHY_CA_MAX_URLS);
    struct chy_url u = {(uint32_t)flags, chy_strdup(template)};
    if (!u.text) return chy_fail_nomem(err, setting);
    list->url[list->n++] = u;
    return CHY_S_OK;
}

void chy_url_list_free(struct chy_url_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        chy_free(list->url[i].text);
    list->n = 0;
}

size_t chy_url_select(const struct chy_url_list *list, uint32_t flags,
                      const struct chy_url_place *place, struct chy_buf *text,
                      const char *url[CHY_CA_MAX_URLS])
{
    size_t at[CHY_CA_MAX_URLS];
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (!(list->url[i].flags & flags)) continue;
        at[n++] = text->n;
        chy_url_expand(list->url[i].text, place, text);
        chy_buf_add_byte(text, 0);
    }
    for (size_t i = 0; i < n && !text->failed; i++)
        url[i] = (const char *)text->p + at[i];
    return text->failed ? 0 : n;
}
