/* The CRLs of a CA to the entries of their distribution points. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_ldap.h"
#include "kit/crls.h"

struct run {
    const struct publisher *p;
    chy_long index, partition; /* the last base that could not be published */
    bool base_failed;
};

static bool is_same_kind(const struct crl_facts *a, const struct crl_facts *b)
{
    return der_same(a->issuer, b->issuer) && der_same(a->key_id, b->key_id) &&
           der_same(a->scope, b->scope) && a->is_delta == b->is_delta;
}

/* The next of its kind takes the place of the last. A single octet is what directories put there
 * that want a value where there is none yet. */
static bool keep(const struct publisher *p, struct der value, const void *arg)
{
    const struct crl_facts *own = arg;
    struct crl_facts f;
    if (value.n <= 1) return false;
    if (!crl_read(value, &f)) return true;
    if (is_same_kind(&f, own)) return false;
    bool ours = der_same(f.issuer, own->issuer), ends = f.next_update[0] != 0;
    return !p->s->remove_expired || !ours || !ends || strcmp(f.next_update, p->now) >= 0;
}

/* An event that comes late, or again, never puts an older CRL in the place of a newer. */
static bool leave(const struct publisher *p, const struct entry *e, const void *arg)
{
    const struct crl_facts *own = arg;
    struct crl_facts f;
    (void)p;
    for (size_t i = 0; i < e->n; i++) {
        struct der value = {(const uint8_t *)e->value[i]->bv_val, e->value[i]->bv_len};
        if (crl_read(value, &f) && is_same_kind(&f, own) && crl_compare(&f, own) > 0) return true;
    }
    return false;
}

static chy_hresult put(const struct publisher *p, const char *dn, const char *attribute,
                       const struct kit_crl *c)
{
    struct crl_facts own;
    struct change change = {.dn = dn,
                            .attribute = attribute,
                            .classes = p->s->crl_dn ? &p->s->crl_class : &p->s->ca_class,
                            .add = {c->der, c->n},
                            .keep = keep,
                            .leave = leave,
                            .arg = &own,
                            .whole = true};
    return crl_read(change.add, &own) ? entry_apply(p, &change) : CHY_ERROR_INVALID_DATA;
}

static chy_hresult put_all(const struct publisher *p, const char *dn, const struct kit_crl *c)
{
    struct crl_facts f;
    chy_hresult first = CHY_S_OK, hr = CHY_S_OK;
    if (c->delta) return put(p, dn, "deltaRevocationList;binary", c);
    if (p->s->publish & PUBLISH_CRL) first = put(p, dn, "certificateRevocationList;binary", c);
    /* X.509 13.2.5: the list of revoked CA certificates; a full CRL is one too. */
    bool arl = (p->s->publish & PUBLISH_ARL) && !c->partition &&
               crl_read((struct der){c->der, c->n}, &f) && !f.users_only;
    if (arl) hr = put(p, dn, "authorityRevocationList;binary", c);
    return CHY_FAILED(first) ? first : hr;
}

static chy_hresult publish_at(const struct publisher *p, const struct kit_crl *c)
{
    const char *pattern = p->s->crl_dn ? p->s->crl_dn : p->s->ca_dn;
    struct source from = {.task = p->task,
                          .s = p->s,
                          .index = c->index,
                          .partition = c->partition,
                          .delta = c->delta};
    struct kit_text dn = {0};
    char why[200];
    if (c->partition && !template_has_partition(pattern)) {
        say(p, CHY_LOG_ERROR, "CRLDN has no <CRLPartitionIndex>: a partition has no entry");
        return CHY_E_INVALIDARG;
    }
    chy_hresult hr = template_fill(&from, pattern, ESCAPE_DN, &dn, why);
    if (hr == CHY_S_FALSE) hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (!CHY_FAILED(hr)) hr = put_all(p, dn.p, c);
    kit_text_free(&dn);
    return hr;
}

/* A delta CRL is of use where its base is (RFC 5280 5.2.4). */
static chy_hresult publish_one(void *arg, const struct kit_crl *c)
{
    struct run *r = arg;
    if (c->delta && !(r->p->s->publish & PUBLISH_DELTA)) return CHY_S_OK;
    if (c->delta && r->base_failed && r->index == c->index && r->partition == c->partition)
        return CHY_S_OK;
    chy_hresult hr = publish_at(r->p, c);
    if (!CHY_FAILED(hr) || c->delta) return hr;
    r->base_failed = true;
    r->index = c->index;
    r->partition = c->partition;
    return hr;
}

static void failed(void *arg, const char *what, chy_hresult hr)
{
    const struct run *r = arg;
    say(r->p, CHY_LOG_ERROR, "%s: not published: 0x%08x", what, (unsigned)hr);
}

chy_hresult publish_crls(const struct publisher *p)
{
    struct run r = {.p = p};
    if (!(p->s->publish & (PUBLISH_CRL | PUBLISH_DELTA | PUBLISH_ARL))) return CHY_S_OK;
    return kit_crls(&(struct kit_crl_walk){.host = p->task->host,
                                           .cb = &p->task->exit,
                                           .each = publish_one,
                                           .failed = failed,
                                           .arg = &r});
}
