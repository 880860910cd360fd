/* Memory ends at every allocation in turn, once and from there on, while certificates are revoked,
 * one and many, CRLs are made, and the CA is renewed: what was done is told, or that memory is
 * short; row, history, CRL and key agree, nothing leaks (the sanitizer looks at the end), and the
 * next attempt succeeds. A CRL that comes of it is complete.
 * CHANCERY_PATH=I begins with the I-th path, CHANCERY_ALLOCATION=N takes only the N-th. */
#include <fcntl.h>
#include <openssl/x509.h>
#include <time.h>
#include <unistd.h>

#include "ca/ca_internal.h"
#include "ca/publisher.h"
#include "pki/crl.h"
#include "rounds.h"
#include "starve.h"
#include "unit/ca/engine.h"

enum { CERTS = 24, MANY = 6, SHARDS = 3, CRL_MAX = 1 << 20, REST_MS = 5000 };

struct cert {
    uint8_t serial[20];
    int32_t id;
    int32_t reason; /* as it stands; -1: it is not revoked */
};

/* Copied without an allocation: the test's own must not fail. */
struct told {
    struct waiter waiter;
    chy_hresult status;
    uint32_t made;
    char text[512];
};

struct starved;

struct path {
    const char *name;
    bool has_deltas, has_shards, has_news;
    void (*act)(struct starved *s, struct told *t);
    unsigned long step; /* of the fast lane */
};

struct starved {
    struct engine e;
    const struct path *path;
    struct cert cert[CERTS];
    uint64_t highest;
    unsigned long n, refused, rounds, served;
    unsigned turn, troubles;
};

static void trouble(struct starved *s, const char *what, const char *detail)
{
    if (s->troubles++ < 40)
        print_error("%s, allocation %lu: %s: %s\n", s->path->name, s->n, what, detail);
}

/* ---- what is done ---- */
static void told_init(struct told *t)
{
    memset(t, 0, sizeof(*t));
    waiter_init(&t->waiter);
}

static void told(struct told *t, chy_hresult status, uint32_t made, const char *text)
{
    t->status = status;
    t->made = made;
    snprintf(t->text, sizeof(t->text), "%s", text);
    waiter_done(&t->waiter);
}

static void told_outcome(const struct chy_outcome *o, void *arg)
{
    told(arg, o->status, 1, o->err.text);
}

static void told_crls(const struct chy_crl_result *r, void *arg)
{
    told(arg, r->status, r->made, r->err.text);
}

/* Held and released in turn. */
static void revoke_one(struct starved *s, struct told *t)
{
    struct cert *c = &s->cert[0];
    const struct chy_revoke what = {c->reason < 0 ? CHY_CRL_REASON_CERTIFICATE_HOLD
                                                  : CHY_REVOKE_RELEASE,
                                    CHY_TIME_DEFAULT, CHY_TIME_DEFAULT};
    chy_ca_revoke(s->e.ca, &officer, CHY_SPAN(c->serial), &what, told_outcome, t);
    waiter_wait(&t->waiter);
    if (t->status == CHY_S_OK) c->reason = what.reason < 0 ? -1 : what.reason;
}

static void revoke_many(struct starved *s, struct told *t)
{
    struct chy_err err = {0};
    bool hold = s->cert[0].reason < 0;
    struct chy_filter ids = {.column = "id", .seek = CHY_SEEK_LE, .number = s->cert[MANY - 1].id};
    struct chy_revoke_many many = {
        .query = {.filter = &ids, .n_filter = 1},
        .what = {hold ? CHY_CRL_REASON_CERTIFICATE_HOLD : CHY_REVOKE_RELEASE, CHY_TIME_DEFAULT,
                 CHY_TIME_DEFAULT},
        .limit = 100};
    chy_hresult hr = chy_ca_revoke_many(s->e.ca, &officer, &many, &err);
    if (hr == CHY_S_OK && many.changed + many.unchanged < MANY)
        trouble(s, "many", "not all of them were looked at");
    for (int i = 0; i < MANY && hr == CHY_S_OK; i++)
        s->cert[i].reason = hold ? CHY_CRL_REASON_CERTIFICATE_HOLD : -1;
    told(t, hr, (uint32_t)many.changed, err.text);
}

/* So that every CRL has something new to tell. */
static void change_some(struct starved *s)
{
    for (int i = 0; i < MANY; i++) {
        struct told t;
        struct cert *c = &s->cert[i];
        const struct chy_revoke what = {c->reason < 0 ? CHY_CRL_REASON_CERTIFICATE_HOLD
                                                      : CHY_REVOKE_RELEASE,
                                        CHY_TIME_DEFAULT, CHY_TIME_DEFAULT};
        told_init(&t);
        chy_ca_revoke(s->e.ca, &officer, CHY_SPAN(c->serial), &what, told_outcome, &t);
        waiter_wait(&t.waiter);
        assert_int_equal(t.status, CHY_S_OK);
        c->reason = what.reason < 0 ? -1 : what.reason;
    }
}

static void publish_as(struct starved *s, struct told *t, uint32_t flags, int32_t shard)
{
    const struct chy_crl_order order = {flags, shard, CHY_TIME_DEFAULT};
    chy_ca_publish_crls(s->e.ca, &officer, &order, told_crls, t);
    waiter_wait(&t->waiter);
}

static void publish_base(struct starved *s, struct told *t)
{
    publish_as(s, t, CHY_CA_CRL_BASE, CHY_CRL_SHARD_ANY);
}

static void publish_delta(struct starved *s, struct told *t)
{
    publish_as(s, t, CHY_CA_CRL_DELTA, CHY_CRL_SHARD_ANY);
}

static void publish_shard(struct starved *s, struct told *t)
{
    publish_as(s, t, CHY_CA_CRL_BASE, (int32_t)(s->rounds % (SHARDS + 1)));
}

static void publish_again(struct starved *s, struct told *t)
{
    publish_as(s, t, CHY_CA_CRL_REPUBLISH, CHY_CRL_SHARD_ANY);
}

static void renew(struct starved *s, struct told *t)
{
    struct chy_err err = {0};
    const struct chy_ca_renew how = {.new_key = s->turn++ % 2};
    int32_t index = -1;
    chy_hresult hr = chy_ca_renew(s->e.ca, &officer, &how, &index, &err);
    told(t, hr, 1, err.text);
}

/* ---- what must be so ---- */
static bool take_last(const struct chy_revocation *r, void *arg)
{
    int32_t *last = arg;
    *last = r->disposition == CHY_DB_DISP_REVOKED ? r->reason : -1;
    return true;
}

/* The row, the history and what OCSP would be told say the same; what was refused may be done. */
static void check_cert(struct starved *s, struct cert *c, bool in_doubt)
{
    struct chy_standing now;
    struct chy_err err = {0};
    int32_t last = -1;
    char text[128];
    if (chy_ca_standing(s->e.ca, CHY_SPAN(c->serial), &now, &err) != CHY_S_OK ||
        chy_ca_history(s->e.ca, &officer, c->id, take_last, &last, &err) != CHY_S_OK) {
        trouble(s, "a certificate cannot be read", err.text);
        return;
    }
    int32_t is = now.disposition == CHY_DB_DISP_REVOKED ? now.reason : -1;
    snprintf(text, sizeof(text), "request %d: told %d, stands %d, history %d", c->id, c->reason, is,
             last);
    if (is != last || (is != c->reason && !in_doubt)) trouble(s, "a revocation", text);
    c->reason = is;
}

static int32_t told_by(const struct chy_crl *crl, struct chy_span serial)
{
    struct chy_crl_entry entry;
    size_t pos = 0;
    while (chy_crl_entry_next(crl->entries, &pos, &entry)) {
        if (chy_span_eq(entry.serial, serial)) return entry.reason;
    }
    return -1;
}

static bool is_signed(struct starved *s, struct chy_span der, int32_t key_index)
{
    bool ok = false;
    const uint8_t *p = der.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
    for (size_t i = 0; i < chy_ca_cert_count(s->e.ca) && !ok; i++) {
        struct chy_ca_cert_info info;
        if (!chy_ca_cert_info(s->e.ca, (int32_t)i, &info) || info.key_index != key_index) continue;
        const uint8_t *q = info.der.p;
        X509 *ca = d2i_X509(NULL, &q, (long)info.der.n);
        ok = crl && ca && X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
        X509_free(ca);
    }
    X509_CRL_free(crl);
    return ok;
}

static void check_crl(struct starved *s, const struct chy_crl_info *info, bool is_fresh)
{
    static uint8_t der[CRL_MAX];
    static struct chy_crl crl;
    struct chy_err err = {0};
    struct chy_crl_info again;
    const struct chy_crl_record *r = &info->record;
    int fd = -1;
    if (chy_ca_crl_open(s->e.ca, r->key_index, r->shard, r->is_delta, &fd, &again, &err) !=
        CHY_S_OK) {
        trouble(s, "a CRL cannot be opened", err.text);
        return;
    }
    ssize_t n = read(fd, der, sizeof(der));
    close(fd);
    const struct chy_span whole = chy_span_of(der, n > 0 ? (size_t)n : 0);
    if (chy_crl_parse(whole, &crl, &err) != CHY_S_OK)
        trouble(s, info->name, err.text);
    else if (!is_signed(s, whole, r->key_index))
        trouble(s, info->name, "not signed by the CA");
    else if (is_fresh && !r->is_delta && r->shard == 0 && r->key_index == 0) {
        for (int i = 0; i < CERTS; i++) {
            if (told_by(&crl, CHY_SPAN(s->cert[i].serial)) != s->cert[i].reason)
                trouble(s, info->name, "is not what is revoked");
        }
    }
}

/* is_fresh: it was just made, and nothing has changed since. */
static void check_crls(struct starved *s, bool is_fresh)
{
    struct chy_crl_info info[64];
    size_t n = chy_ca_crls(s->e.ca, info, CHY_ARRAY_LEN(info));
    if (n > CHY_ARRAY_LEN(info)) n = CHY_ARRAY_LEN(info);
    uint64_t highest = 0;
    for (size_t i = 0; i < n; i++) {
        if (info[i].record.number > highest) highest = info[i].record.number;
        check_crl(s, &info[i], is_fresh);
    }
    if (highest < s->highest) trouble(s, "the CRL number", "fell");
    s->highest = highest;
}

/* The certificate that issues from now on, and the one on disk, are whole. */
static void check_newest(struct starved *s)
{
    struct chy_ca_cert_info info;
    if (!chy_ca_cert_info(s->e.ca, -1, &info)) {
        trouble(s, "the CA", "has no certificate");
        return;
    }
    const uint8_t *p = info.der.p;
    X509 *ca = d2i_X509(NULL, &p, (long)info.der.n);
    if (!ca || X509_verify(ca, X509_get0_pubkey(ca)) != 1)
        trouble(s, "the CA's certificate", "is not signed by its key");
    X509_free(ca);
}

static void check_answer(struct starved *s, const struct told *t)
{
    char text[600];
    if (t->status == CHY_S_OK) {
        s->served++;
        return;
    }
    snprintf(text, sizeof(text), "0x%08x \"%s\"", (unsigned)t->status, t->text);
    /* Here and there OpenSSL does not say that it lacked memory, or nothing at all. */
    bool by_openssl = strstr(t->text, "OpenSSL") != NULL;
    if (t->status != CHY_E_OUTOFMEMORY && !by_openssl &&
        !(t->status == CHY_CERTSRV_E_SERVER_SUSPENDED && strstr(t->text, "memory")))
        trouble(s, "the wrong error", text);
}

static bool at_rest(struct starved *s)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int ms = 0; ms < REST_MS; ms++) {
        if (!atomic_load(&s->e.ca->trouble)) return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void act(struct starved *s, struct told *t)
{
    told_init(t);
    s->path->act(s, t);
}

static void must_work(struct starved *s)
{
    struct told t;
    (void)at_rest(s); /* the store may be under suspicion until it was looked at */
    act(s, &t);
    if (t.status != CHY_S_OK) trouble(s, "the next attempt fails", t.text);
    told_init(&t);
    (void)at_rest(s);
    publish_base(s, &t);
    if (t.status != CHY_S_OK) trouble(s, "no CRL afterwards", t.text);
    check_crls(s, true);
}

/* False: there is no n-th allocation. Renewal alone makes no use of other threads' memory. */
static bool one_round(struct starved *s, unsigned long how_many)
{
    struct told t;
    bool mine = s->path->act == renew;
    size_t before = chy_ca_cert_count(s->e.ca);
    if (s->path->has_news) change_some(s);
    if (mine)
        starve_me(s->n, how_many);
    else
        starve(s->n, how_many);
    act(s, &t);
    unsigned long refused = starve_end();
    s->refused += refused;
    s->rounds++;
    if (!at_rest(s)) trouble(s, "does not come to rest", "");
    check_answer(s, &t);
    for (int i = 0; i < CERTS; i++)
        check_cert(s, &s->cert[i], t.status != CHY_S_OK);
    check_crls(s, t.status == CHY_S_OK && s->path->act == publish_base);
    size_t after = chy_ca_cert_count(s->e.ca);
    if (mine) check_newest(s);
    if (mine && t.status == CHY_S_OK && after != before + 1)
        trouble(s, "the renewed CA", "has no certificate more");
    return refused > 0;
}

static void set(struct starved *s, const char *path, const char *json)
{
    struct chy_err err = {0};
    must(chy_ca_config_set(s->e.ca, &officer, path, json, &err), &err);
}

static void make_certs(struct starved *s)
{
    for (int i = 0; i < CERTS; i++) {
        struct answer a;
        struct told t;
        struct cert *c = &s->cert[i];
        submit_to(s->e.ca, "www.example.test", "", &a);
        assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
        memcpy(c->serial, a.serial, sizeof(c->serial));
        c->id = a.id;
        c->reason = i < MANY ? -1 : CHY_CRL_REASON_SUPERSEDED;
        answer_free(&a);
        if (i < MANY) continue;
        const struct chy_revoke what = {c->reason, CHY_TIME_DEFAULT, CHY_TIME_DEFAULT};
        told_init(&t);
        chy_ca_revoke(s->e.ca, &officer, CHY_SPAN(c->serial), &what, told_outcome, &t);
        waiter_wait(&t.waiter);
        assert_int_equal(t.status, CHY_S_OK);
    }
}

static void starved_make(struct starved *s, const struct path *path)
{
    struct told t;
    char place[200];
    memset(s, 0, sizeof(*s));
    s->path = path;
    engine_make(&s->e, "1");
    engine_open(&s->e);
    snprintf(place, sizeof(place), "[\"65:%s/%%3<CRLPartitionIndex>%%8%%9.crl\"]", s->e.base);
    set(s, "PublicationCheck", "\"no\"");
    set(s, "CRLPublishOnRevoke", "\"no\"");
    set(s, "CRLPublicationURLs", place);
    if (path->has_deltas) set(s, "CRLDeltaPeriodUnits", "1");
    if (path->has_shards) {
        set(s, "CRLPublicationURLs",
            "[\"2:http://crl.example.test/%3<CRLPartitionIndex>%8%9.crl\"]");
        set(s, "CRLMaxPartitions", "3");
    }
    told_init(&t);
    publish_base(s, &t);
    assert_int_equal(t.status, CHY_S_OK);
    make_certs(s);
    must_work(s);
}

static void starved_reopen(struct starved *s)
{
    engine_shut(&s->e);
    engine_open(&s->e);
    for (int i = 0; i < CERTS; i++)
        check_cert(s, &s->cert[i], false);
    check_crls(s, false);
}

static void starved_end(struct starved *s)
{
    s->n = 0;
    if (s->path->act != renew) must_work(s);
    starved_reopen(s);
    print_message("%s: %lu rounds, %lu allocations refused, done all the same %lu times\n",
                  s->path->name, s->rounds, s->refused, s->served);
    engine_end(&s->e);
    assert_int_equal(s->troubles, 0);
}

static const struct path paths[] = {
    {"revoke one", false, false, false, revoke_one, 1},
    {"revoke many", false, false, false, revoke_many, 5},
    {"publish a base", false, false, true, publish_base, 7},
    {"publish a base and a delta", true, false, true, publish_base, 11},
    {"publish a delta", true, false, true, publish_delta, 7},
    {"publish shards", false, true, true, publish_base, 17},
    {"publish one shard", false, true, true, publish_shard, 7},
    {"write out again", true, false, false, publish_again, 3},
    {"renew", false, false, false, renew, 23},
};

static void run(size_t i, unsigned long how_many)
{
    const struct path *path = &paths[i];
    static struct starved s;
    const char *only = getenv("CHANCERY_ALLOCATION");
    unsigned long step = getenv("CHANCERY_SLOW") ? 1 : path->step;
    starved_make(&s, path);
    if (only) {
        s.n = strtoul(only, NULL, 10);
        (void)one_round(&s, how_many);
    } else {
        for (s.n = 1; one_round(&s, how_many); s.n += step) {
            if (path->act != renew) must_work(&s);
            if (path->act == renew && chy_ca_cert_count(s.e.ca) > 12) {
                unsigned long n = s.n;
                starved_end(&s);
                starved_make(&s, path);
                s.n = n;
            }
        }
    }
    starved_end(&s);
}

int main(void)
{
    return rounds_main("memory/revoke", CHY_ARRAY_LEN(paths), run);
}
