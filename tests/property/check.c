/* Every CRL as it appears: form, signature, times, numbers, and what stands on it. */
#include "world.h"

#include <openssl/x509.h>
#include <unistd.h>

enum { FRESH_MAX = 256 };

/* ---- which are new ---- */
struct fresh {
    struct world *w;
    struct chy_crl_record record[FRESH_MAX];
    size_t n;
};

static bool is_known(const struct world *w, const struct chy_crl_record *r)
{
    for (size_t i = w->n_crls; i-- > 0;) {
        const struct chy_crl_record *k = &w->crl[i].record;
        if (k->key_index == r->key_index && k->shard == r->shard && k->is_delta == r->is_delta &&
            k->number == r->number)
            return true;
    }
    return false;
}

static bool take_fresh(const struct chy_crl_record *r, void *arg)
{
    struct fresh *f = arg;
    if (is_known(f->w, r)) return true;
    assert_true(f->n < FRESH_MAX);
    f->record[f->n] = *r;
    f->record[f->n++].error = (struct chy_span){0};
    return true;
}

/* By number, bases before deltas. */
static int in_turn(const void *a, const void *b)
{
    const struct chy_crl_record *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    if (x->is_delta != y->is_delta) return x->is_delta ? 1 : -1;
    if (x->key_index != y->key_index) return x->key_index < y->key_index ? -1 : 1;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
}

static void name_of(const struct chy_crl_record *r, char *out, size_t cap)
{
    snprintf(out, cap, "%s %llu of key %d, shard %d", r->is_delta ? "delta" : "base",
             (unsigned long long)r->number, r->key_index, r->shard);
}

#define CRL_FAIL(w, r, ...)                                                                        \
    do {                                                                                           \
        char name_[96], why_[320];                                                                 \
        name_of(r, name_, sizeof(name_));                                                          \
        snprintf(why_, sizeof(why_), __VA_ARGS__);                                                 \
        WORLD_FAIL(w, "%s: %s", name_, why_);                                                      \
    } while (0)

/* ---- numbers and times ---- */
static void check_numbers(struct world *w, const struct fresh *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct chy_crl_record *r = &f->record[i], *last = i ? r - 1 : NULL;
        if (r->number <= w->last_number) CRL_FAIL(w, r, "its number has been passed already");
        if (last && (r->number == last->number) != (r->this_publish == last->this_publish))
            CRL_FAIL(w, r, "one run has one number, and each its own");
        if (last && r->this_publish < last->this_publish)
            CRL_FAIL(w, r, "it is older than one with a lower number");
    }
    if (f->n) w->last_number = f->record[f->n - 1].number;
}

static void check_times(struct world *w, const struct chy_crl_record *r)
{
    struct expected_times x;
    expect_times(w, r, &x);
    if (r->this_update != x.this_update || r->next_update != x.next_update ||
        r->next_publish != x.next_publish || r->propagated != x.propagated)
        CRL_FAIL(w, r,
                 "made at %lld: thisUpdate %lld, nextUpdate %lld, nextPublish %lld, propagated "
                 "%lld; expected %lld, %lld, %lld, %lld",
                 (long long)r->this_publish, (long long)r->this_update, (long long)r->next_update,
                 (long long)r->next_publish, (long long)r->propagated, (long long)x.this_update,
                 (long long)x.next_update, (long long)x.next_publish, (long long)x.propagated);
    if (r->this_publish > world_now(w) || r->this_update > r->this_publish ||
        r->next_publish <= r->this_publish || r->next_update <= r->next_publish)
        CRL_FAIL(w, r, "its times are in no order");
    if (r->this_publish > key_end(w, r->key_index, NULL))
        CRL_FAIL(w, r, "no certificate of its key can be valid any more");
}

/* ---- the file ---- */
struct reading {
    struct world *w;
    struct known_crl *k;
    struct chy_buf whole;
    struct chy_crl crl;
};

static const struct chy_ext *find_ext(const struct chy_crl *crl, struct chy_span oid)
{
    for (size_t i = 0; i < crl->n_ext; i++) {
        if (chy_span_eq(crl->ext[i].oid, oid)) return &crl->ext[i];
    }
    return NULL;
}

static void check_fields(const struct reading *in)
{
    const struct chy_crl_record *r = &in->k->record;
    const struct chy_crl *c = &in->crl;
    struct chy_tlv tlv;
    chy_time next_publish = 0;
    const struct chy_ext *next = find_ext(c, chy_oid_ms_next_publish);
    struct chy_der d = chy_der_of(next ? next->value : (struct chy_span){0});
    if (c->this_update != r->this_update ||
        c->next_update != r->next_update / CHY_US_PER_S * CHY_US_PER_S || !c->has_number ||
        c->number != r->number || c->is_delta != r->is_delta ||
        (c->is_delta && c->base_number != r->base_number))
        CRL_FAIL(in->w, r, "the file says otherwise than the record");
    if (!next || !chy_der_read(&d, &tlv) || !chy_der_get_time(tlv.tag, tlv.value, &next_publish) ||
        next_publish != r->next_publish / CHY_US_PER_S * CHY_US_PER_S)
        CRL_FAIL(in->w, r, "its next publication is not what the record says");
}

static void check_openssl(const struct reading *in, struct chy_span ca)
{
    const unsigned char *p = in->whole.p, *q = ca.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)in->whole.n);
    X509 *cert = d2i_X509(NULL, &q, (long)ca.n);
    if (!crl || !cert || p != in->whole.p + in->whole.n ||
        X509_CRL_verify(crl, X509_get0_pubkey(cert)) != 1)
        CRL_FAIL(in->w, &in->k->record, "OpenSSL does not verify it");
    int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
    if ((n < 0 ? 0 : n) != (int)in->k->n)
        CRL_FAIL(in->w, &in->k->record, "OpenSSL counts %d entries, not %zu", n, in->k->n);
    X509_CRL_free(crl);
    X509_free(cert);
    in->w->opened++;
}

static void check_signature(const struct reading *in)
{
    struct chy_err err = {0};
    struct chy_ca_cert_info info;
    struct chy_cert *ca = malloc(sizeof(*ca));
    const struct chy_crl_record *r = &in->k->record;
    assert_non_null(ca);
    if (!chy_ca_cert_info(in->w->e.ca, r->key_index, &info)) CRL_FAIL(in->w, r, "no such key");
    must(chy_cert_parse(info.der, ca, &err), &err);
    if (chy_verify(in->w->verifier, &ca->key, in->crl.sig_alg, in->crl.tbs, in->crl.signature,
                   &err) != CHY_S_OK)
        CRL_FAIL(in->w, r, "%s", err.text);
    if (!chy_span_eq(in->crl.issuer.der, ca->subject.der))
        CRL_FAIL(in->w, r, "it has another issuer");
    if (in->w->crls_made % 5 == 0) check_openssl(in, info.der);
    free(ca);
}

/* RFC 5280 5.2.5: SEQUENCE { [0] { [0] { [6] URL } } } */
static void check_scope(const struct reading *in)
{
    struct known_crl *k = in->k;
    const struct chy_crl_record *r = &k->record;
    const struct chy_ext *idp = find_ext(&in->crl, chy_oid_issuing_distribution_point);
    char url[160], key[16] = "", shard[24] = "";
    if (r->key_index) snprintf(key, sizeof(key), "(%d)", r->key_index);
    if (r->shard) snprintf(shard, sizeof(shard), "_Partition%05d", r->shard);
    snprintf(url, sizeof(url), "http://crl.example.test/CA%s%s.crl", key, shard);
    if (!idp) {
        if (r->shard) CRL_FAIL(in->w, r, "it does not say that it is one of several");
        return;
    }
    uint8_t n = (uint8_t)strlen(url);
    const uint8_t head[] = {0x30, n + 6, 0xa0, n + 4, 0xa0, n + 2, 0x86, n};
    if (!idp->critical || idp->value.n != sizeof(head) + n ||
        memcmp(idp->value.p, head, sizeof(head)) != 0 ||
        memcmp(idp->value.p + sizeof(head), url, n) != 0)
        CRL_FAIL(in->w, r, "its distribution point is not %s alone, critically", url);
    memcpy(k->idp, idp->value.p, idp->value.n);
    k->idp_n = idp->value.n;
    for (size_t i = 0; i < in->w->n_certs; i++) {
        const struct known_cert *c = &in->w->cert[i];
        if (c->key == r->key_index && c->shard == r->shard && strcmp(c->url, url) != 0)
            CRL_FAIL(in->w, r, "certificate %d names %s", c->id, c->url);
    }
}

/* ---- entries ---- */
static void read_entries(const struct reading *in)
{
    struct chy_crl_entry e;
    struct known_crl *k = in->k;
    size_t pos = 0;
    k->entry = calloc((size_t)k->record.entries + 1, sizeof(*k->entry));
    assert_non_null(k->entry);
    while (chy_crl_entry_next(in->crl.entries, &pos, &e)) {
        const struct known_cert *c = cert_by_serial(in->w, e.serial);
        if (!c) CRL_FAIL(in->w, &k->record, "an entry is of no certificate of ours");
        if (k->n == (size_t)k->record.entries) CRL_FAIL(in->w, &k->record, "one entry too many");
        k->entry[k->n++] = (struct listed){(uint32_t)(c - in->w->cert), e.reason, e.revoked};
        if (e.reason != CHY_CRL_REASON_REMOVE_FROM_CRL &&
            e.invalid != (c->invalidity == CHY_TIME_DEFAULT
                              ? CHY_TIME_DEFAULT
                              : c->invalidity / CHY_US_PER_S * CHY_US_PER_S))
            CRL_FAIL(in->w, &k->record, "the invalidity date of certificate %d is wrong", c->id);
    }
    if (pos != in->crl.entries.n || k->n != (size_t)k->record.entries)
        CRL_FAIL(in->w, &k->record, "its entries are not well-formed, or not as many as recorded");
    in->w->entries += k->n;
}

/* Who stands on it, by certificate; reason -1: nobody. */
static struct listed *spread(const struct world *w, const struct known_crl *k)
{
    struct listed *at = calloc(w->n_certs + 1, sizeof(*at));
    assert_non_null(at);
    for (size_t i = 0; i < w->n_certs; i++)
        at[i].reason = -1;
    for (size_t i = 0; i < k->n; i++) {
        if (at[k->entry[i].cert].reason != -1)
            CRL_FAIL(w, &k->record, "certificate %d stands on it twice",
                     w->cert[k->entry[i].cert].id);
        at[k->entry[i].cert] = k->entry[i];
    }
    return at;
}

static void check_entry(const struct world *w, const struct chy_crl_record *r,
                        const struct known_cert *c, const struct listed *e, bool is_on)
{
    if (is_on != (e->reason != -1))
        CRL_FAIL(w, r, "certificate %d (shard %d, ends %lld, revoked %d since %lld) is %son it",
                 c->id, c->shard, (long long)c->not_after, c->revoked, (long long)c->effective,
                 is_on ? "not " : "");
    if (is_on && (e->reason != c->reason || e->date != c->effective / CHY_US_PER_S * CHY_US_PER_S))
        CRL_FAIL(w, r, "certificate %d: reason %d, not %d, or another date", c->id, e->reason,
                 c->reason);
}

/* P9: what was revoked before it ended has been on a base made after that. */
static void check_was_seen(const struct world *w, const struct chy_crl_record *r,
                           struct known_cert *c, bool is_on)
{
    if (c->key != r->key_index || c->shard != r->shard || r->this_publish <= c->not_after) return;
    if (is_on) {
        c->seen_expired = true;
    } else if (c->revoked && c->changed_to <= c->not_after && c->effective <= c->not_after &&
               !c->seen_expired) {
        CRL_FAIL(w, r, "certificate %d was on no base after it ended", c->id);
    }
}

/* A base that another replaced before it could be read: what it must have said is believed. */
static void believe_base(struct world *w, const struct chy_crl_record *r)
{
    for (size_t i = 0; i < w->n_certs; i++) {
        struct known_cert *c = &w->cert[i];
        if (r->this_publish > c->not_after && cert_is_on(w, c, r, false)) c->seen_expired = true;
    }
}

static void check_base(struct world *w, struct known_crl *k)
{
    bool exclusive = w->rules.flags & CHY_CRLF_CRLPARTITION_ZERO_EXCLUSIVE;
    bool whole = !k->idp_n;
    struct listed *at = spread(w, k);
    if (!exclusive && k->record.shard == 0 && !whole)
        CRL_FAIL(w, &k->record, "it should be of all shards");
    for (size_t i = 0; i < w->n_certs; i++) {
        struct known_cert *c = &w->cert[i];
        bool is_on = cert_is_on(w, c, &k->record, whole);
        check_entry(w, &k->record, c, &at[i], is_on);
        check_was_seen(w, &k->record, c, is_on);
    }
    free(at);
}

/* ---- deltas ---- */

/* RFC 5280 5.2.4: a base and a delta together. */
static void compose(struct world *w, const struct known_crl *base, const struct known_crl *delta)
{
    struct listed *at = spread(w, base), *change = spread(w, delta);
    chy_time now = delta->record.this_publish;
    for (size_t i = 0; i < w->n_certs; i++) {
        const struct known_cert *c = &w->cert[i];
        if (change[i].reason == CHY_CRL_REASON_REMOVE_FROM_CRL)
            at[i].reason = -1;
        else if (change[i].reason != -1)
            at[i] = change[i];
        bool is_mine =
            c->key == delta->record.key_index && (!delta->idp_n || c->shard == delta->record.shard);
        if (c->not_after < now) continue;
        check_entry(w, &delta->record, c, &at[i], is_mine && c->revoked && c->effective <= now);
    }
    free(at);
    free(change);
    w->composed++;
}

static bool is_combined(const struct known_crl *b, const struct known_crl *d)
{
    const struct chy_crl_record *x = &b->record, *y = &d->record;
    return b->was_seen && !x->is_delta && x->key_index == y->key_index && x->shard == y->shard &&
           x->number >= y->base_number && x->number <= y->number &&
           x->next_update > y->this_publish && b->idp_n == d->idp_n &&
           memcmp(b->idp, d->idp, d->idp_n) == 0;
}

/* The newest base that has reached everybody, else the oldest that holds. */
static uint64_t expected_base(const struct world *w, const struct chy_crl_record *d)
{
    bool use_oldest = w->rules.flags & CHY_CRLF_DELTA_USE_OLDEST_UNEXPIRED_BASE;
    uint64_t reached = 0, oldest = 0;
    for (size_t i = 0; i < w->n_crls; i++) {
        const struct chy_crl_record *b = &w->crl[i].record;
        if (b->is_delta || b->key_index != d->key_index || b->shard != d->shard ||
            b->next_update <= d->this_publish || b->number > d->number)
            continue;
        if (!oldest || b->number < oldest) oldest = b->number;
        if (b->propagated <= d->this_publish && b->number > reached) reached = b->number;
    }
    return reached && !use_oldest ? reached : oldest;
}

static void check_delta(struct world *w, struct known_crl *k)
{
    const struct chy_crl_record *r = &k->record;
    bool shadow = r->flags & CHY_CPF_SHADOW;
    if (shadow ? w->rules.delta.n || k->n || r->base_number != r->number
               : !w->rules.delta.n || r->base_number != expected_base(w, r))
        CRL_FAIL(w, r, "it changes %llu, not %llu", (unsigned long long)r->base_number,
                 (unsigned long long)expected_base(w, r));
    for (size_t i = 0; i < k->n; i++) {
        const struct known_cert *c = &w->cert[k->entry[i].cert];
        if (c->key != r->key_index || (k->idp_n && c->shard != r->shard))
            CRL_FAIL(w, r, "certificate %d is of another scope", c->id);
        if (k->entry[i].reason == CHY_CRL_REASON_REMOVE_FROM_CRL && c->revoked &&
            c->effective <= r->this_publish)
            CRL_FAIL(w, r, "certificate %d is revoked, and taken off", c->id);
    }
    for (size_t i = 0; i < w->n_crls; i++) {
        if (is_combined(&w->crl[i], k)) compose(w, &w->crl[i], k);
    }
}

/* ---- one new CRL ---- */
static bool is_newest(struct world *w, const struct known_crl *k, const struct fresh *f)
{
    (void)w;
    for (size_t i = 0; i < f->n; i++) {
        const struct chy_crl_record *r = &f->record[i];
        if (r->key_index == k->record.key_index && r->shard == k->record.shard &&
            r->is_delta == k->record.is_delta && r->number > k->record.number)
            return false;
    }
    return true;
}

static void read_file(struct world *w, struct known_crl *k)
{
    struct chy_err err = {0};
    struct chy_crl_info info;
    struct reading *in = calloc(1, sizeof(*in));
    int fd = -1;
    assert_non_null(in);
    in->w = w;
    in->k = k;
    chy_buf_init(&in->whole, 16 << 20);
    if (chy_ca_crl_open(w->e.ca, k->record.key_index, k->record.shard, k->record.is_delta, &fd,
                        &info, &err) != CHY_S_OK)
        CRL_FAIL(w, &k->record, "%s", err.text);
    if (info.record.number != k->record.number) CRL_FAIL(w, &k->record, "it is not the current");
    size_t size = (size_t)info.record.size;
    if (!chy_buf_reserve(&in->whole, size) || read(fd, in->whole.p, size) != (ssize_t)size)
        CRL_FAIL(w, &k->record, "it cannot be read");
    in->whole.n = size;
    close(fd);
    if (chy_crl_parse(chy_buf_span(&in->whole), &in->crl, &err) != CHY_S_OK)
        CRL_FAIL(w, &k->record, "%s", err.text);
    check_fields(in);
    check_scope(in);
    read_entries(in);
    check_signature(in);
    k->was_seen = true;
    chy_buf_free(&in->whole);
    free(in);
}

/* Entries of bases that no delta can be combined with any more. */
static void forget_old(struct world *w)
{
    chy_time now = world_now(w);
    for (size_t i = 0; i < w->n_crls; i++) {
        struct known_crl *k = &w->crl[i];
        bool is_over = k->record.is_delta || k->record.next_update <= now;
        if (!k->was_seen || !is_over ||
            newest_of(w, k->record.key_index, k->record.shard, k->record.is_delta) == k)
            continue;
        free(k->entry);
        k->entry = NULL;
        k->n = 0;
        k->was_seen = false;
    }
}

void check_new_crls(struct world *w)
{
    struct chy_err err = {0};
    struct chy_store *store = w->e.ca->store;
    struct fresh *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->w = w;
    must(store->ops->crls(store, take_fresh, f, &err), &err);
    qsort(f->record, f->n, sizeof(*f->record), in_turn);
    check_numbers(w, f);
    for (size_t i = 0; i < f->n; i++) {
        assert_true(w->n_crls < CRLS_MAX);
        struct known_crl *k = &w->crl[w->n_crls++];
        *k = (struct known_crl){.record = f->record[i]};
        const struct chy_crl_record *r = &k->record;
        if (r->shard > w->shards[r->key_index]) w->shards[r->key_index] = r->shard;
        check_times(w, r);
        w->crls_made++;
        if (!is_newest(w, k, f)) {
            w->crls_unseen++;
            if (!r->is_delta) believe_base(w, r);
            continue;
        }
        read_file(w, k);
        if (r->is_delta)
            check_delta(w, k);
        else
            check_base(w, k);
    }
    free(f);
    forget_old(w);
}

/* ---- at rest ---- */
static void check_standings(struct world *w)
{
    for (size_t i = 0; i < w->n_certs; i++) {
        const struct known_cert *c = &w->cert[i];
        struct chy_standing s = {0};
        struct chy_err err = {0};
        must(chy_ca_standing(w->e.ca, CHY_SPAN(c->serial), &s, &err), &err);
        bool revoked = s.disposition == CHY_DB_DISP_REVOKED;
        if (revoked != c->revoked || s.request_id != c->id || s.not_after != c->not_after ||
            s.issuer_index >> 16 != c->key ||
            (revoked && (s.reason != c->reason || s.effective_when != c->effective ||
                         s.invalidity_when != c->invalidity)))
            WORLD_FAIL(w, "certificate %d has another standing than it should", c->id);
    }
}

/* With publication on revocation the current CRLs say what is so. */
static void check_is_told(struct world *w, const struct known_crl *base,
                          const struct known_crl *delta)
{
    chy_time now = world_now(w);
    bool by_delta = w->rules.on_revoke == 2 && w->rules.delta.n;
    if (!w->rules.on_revoke || !base->was_seen || (by_delta && !(delta && delta->was_seen))) return;
    if (by_delta && base->record.next_update <= now) return; /* no delta can be made of it */
    struct listed *at = spread(w, base);
    bool use_delta = by_delta && delta->record.number >= base->record.number;
    for (size_t i = 0; use_delta && i < delta->n; i++) {
        const struct listed *e = &delta->entry[i];
        at[e->cert] = *e;
        if (e->reason == CHY_CRL_REASON_REMOVE_FROM_CRL) at[e->cert].reason = -1;
    }
    for (size_t i = 0; i < w->n_certs; i++) {
        const struct known_cert *c = &w->cert[i];
        if (c->key != base->record.key_index || c->shard != base->record.shard) continue;
        if (c->not_after < now) continue;
        check_entry(w, use_delta ? &delta->record : &base->record, c, &at[i],
                    c->revoked && c->effective <= now);
    }
    free(at);
}

static void check_current(struct world *w, int32_t key, int32_t shard)
{
    chy_time now = world_now(w);
    const struct known_crl *base = newest_of(w, key, shard, false);
    const struct known_crl *delta = newest_of(w, key, shard, true);
    if (!base) WORLD_FAIL(w, "key %d, shard %d has no CRL", key, shard);
    if (due_at(w, &base->record) <= now)
        CRL_FAIL(w, &base->record, "it should have been followed by another");
    check_is_told(w, base, delta);
    if (base->record.next_update <= now) w->is_late = true; /* moved by hand, too far */
    if (!w->rules.delta.n || base->record.next_update <= now) return;
    if (!delta || delta->record.flags & CHY_CPF_SHADOW)
        WORLD_FAIL(w, "key %d, shard %d has no delta", key, shard);
    if (due_at(w, &delta->record) <= now)
        CRL_FAIL(w, &delta->record, "it should have been followed by another");
}

void check_rest(struct world *w)
{
    struct chy_ca_cert_info info, last = {0};
    chy_time now = world_now(w);
    (void)chy_ca_cert_info(w->e.ca, -1, &last);
    check_standings(w);
    w->is_late = false;
    for (int32_t i = 0; chy_ca_cert_info(w->e.ca, i, &info); i++) {
        if (info.key_index != i || now > key_end(w, i, NULL)) continue;
        int32_t highest = w->shards[i];
        if (i == last.key_index && w->rules.shards > highest) highest = w->rules.shards;
        for (int32_t shard = 0; shard <= highest; shard++)
            check_current(w, i, shard);
    }
}
