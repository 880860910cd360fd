/* One certificate to the entry of whom it was issued to. */
#include <string.h>
#include <strings.h>

#include "exit_ldap.h"

#define ATTRIBUTE "userCertificate;binary"

struct of_user {
    struct cert_facts facts;
    struct der cert;
    bool goes;
};

/* Of the values that stand there only this CA's are ours to remove. */
static bool keep(const struct publisher *p, struct der value, const void *arg)
{
    const struct of_user *u = arg;
    struct cert_facts f;
    if (u->goes && der_same(value, u->cert)) return false;
    if (!p->s->remove_expired || !cert_read(value, &f)) return true;
    return !der_same(f.issuer, u->facts.issuer) || strcmp(f.not_after, p->now) >= 0;
}

static bool is_of_a_template(const struct publisher *p)
{
    char name[256];
    if (!p->s->templates.n) return true;
    if (CHY_FAILED(chy_cert_text(p->task, "CertificateTemplate", name, sizeof name))) return false;
    for (size_t i = 0; i < p->s->templates.n; i++)
        if (strcasecmp(p->s->templates.v[i], name) == 0) return true;
    return false;
}

static bool is_revoked(const struct publisher *p, chy_long event)
{
    chy_long disposition;
    if (CHY_FAILED(chy_request_long(p->task, "Disposition", &disposition)) || !disposition)
        return (event & CHY_EXITEVENT_CERTREVOKED) != 0;
    return disposition == CHY_DB_DISP_REVOKED;
}

/* An entry that is not there, or that cannot be named, is as bad as the settings say. */
static chy_hresult missing(const struct publisher *p, const char *what, const char *why,
                           chy_hresult hr)
{
    if (p->s->skip_missing) {
        say(p, CHY_LOG_INFO, "%.400s: %s: no certificate is published", what, why);
        return CHY_S_OK;
    }
    say(p, CHY_LOG_ERROR, "%.400s: %s: no certificate is published", what, why);
    return hr;
}

static chy_hresult publish_at(const struct publisher *p, const char *dn, const struct of_user *u)
{
    struct kit_text value[16] = {{0}};
    char *text[16], why[200] = "";
    struct texts attributes = {text, 0};
    struct source from = {.task = p->task, .s = p->s, .of_user = true};
    bool late = p->s->remove_expired && strcmp(u->facts.not_after, p->now) < 0;
    struct change c = {.dn = dn,
                       .attribute = ATTRIBUTE,
                       .classes = &p->s->user_class,
                       .attributes = &attributes,
                       .keep = keep,
                       .arg = u};
    if (!u->goes && !late) c.add = u->cert;
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 0; i < p->s->user_attribute.n && hr == CHY_S_OK; i++) {
        hr = template_fill(&from, p->s->user_attribute.v[i], ESCAPE_NONE, &value[i], why);
        text[attributes.n] = value[i].p;
        if (hr == CHY_S_OK) attributes.n++;
        if (hr == CHY_S_FALSE) hr = CHY_S_OK; /* what an entry lacks its server tells */
    }
    if (hr == CHY_S_OK) hr = entry_apply(p, &c);
    for (size_t i = 0; i < p->s->user_attribute.n; i++)
        kit_text_free(&value[i]);
    return hr;
}

static chy_hresult publish_found(const struct publisher *p, const char *filter,
                                 const struct of_user *u)
{
    char *dn = NULL;
    int rc = conn_find(p->c, p->s->search_base, p->s->scope, filter, &dn);
    if (rc == LDAP_NO_SUCH_OBJECT && u->goes) return CHY_S_OK;
    if (rc == LDAP_NO_SUCH_OBJECT) return missing(p, filter, p->c->why, conn_hresult(rc));
    if (rc != LDAP_SUCCESS) {
        say(p, CHY_LOG_ERROR, "%.400s below %.200s: %s", filter, p->s->search_base, p->c->why);
        return conn_hresult(rc);
    }
    chy_hresult hr = publish_at(p, dn, u);
    ldap_memfree(dn);
    return hr;
}

static bool is_there(const struct publisher *p, const char *dn)
{
    struct entry e;
    if (!p->s->skip_missing || p->s->user_class.n) return true;
    int rc = conn_read(p->c, dn, ATTRIBUTE, &e);
    entry_free(&e);
    return rc != LDAP_NO_SUCH_OBJECT;
}

static chy_hresult publish_of(const struct publisher *p, const struct of_user *u)
{
    struct kit_text name = {0};
    char why[200];
    struct source from = {.task = p->task, .s = p->s, .of_user = true};
    const char *pattern = p->s->user_dn ? p->s->user_dn : p->s->filter;
    chy_hresult hr =
        template_fill(&from, pattern, p->s->user_dn ? ESCAPE_DN : ESCAPE_FILTER, &name, why);
    if (hr == CHY_S_FALSE)
        hr = missing(p, pattern, why, CHY_CERTSRV_E_PROPERTY_EMPTY);
    else if (CHY_FAILED(hr))
        say(p, CHY_LOG_ERROR, "%.400s: cannot be filled in: 0x%08x", pattern, (unsigned)hr);
    else if (!p->s->user_dn)
        hr = publish_found(p, name.p, u);
    else if (!is_there(p, name.p))
        hr = missing(p, name.p, p->c->why, CHY_S_OK);
    else
        hr = publish_at(p, name.p, u);
    kit_text_free(&name);
    return hr;
}

static chy_hresult publish_cert(const struct publisher *p, struct of_user *u, chy_long event)
{
    u->goes = is_revoked(p, event);
    if (u->goes && !p->s->remove_revoked) return CHY_S_OK;
    /* RFC 4523 2.3: what this CA issued to itself makes no pair. */
    if (u->facts.is_ca)
        return u->goes || !(p->s->publish & PUBLISH_CROSS) ||
                       der_same(u->facts.issuer, u->facts.subject)
                   ? CHY_S_OK
                   : publish_pair(p, u->cert, false);
    if (!(p->s->publish & PUBLISH_USER) || !is_of_a_template(p)) return CHY_S_OK;
    return publish_of(p, u);
}

chy_hresult publish_user(const struct publisher *p, chy_long event)
{
    struct of_user u = {.goes = false};
    chy_bytes raw;
    chy_hresult hr = chy_cert_bytes(p->task, "RawCertificate", &raw);
    if (CHY_FAILED(hr)) {
        say(p, CHY_LOG_ERROR, "RawCertificate: 0x%08x: no certificate is published", (unsigned)hr);
        return hr;
    }
    u.cert = (struct der){raw.p, raw.n};
    if (cert_read(u.cert, &u.facts)) {
        hr = publish_cert(p, &u, event);
    } else {
        say(p, CHY_LOG_ERROR, "RawCertificate is no certificate (RFC 5280 4.1)");
        hr = CHY_ERROR_INVALID_DATA;
    }
    chy_bytes_free(p->task->host, &raw);
    return hr;
}
