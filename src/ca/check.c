/* Can what certificates point to be fetched? Every http address of CDP and AIA is asked for, after
 * a change of the settings at once, then every hour, and every minute while one fails; what comes
 * back must be the CRL or certificate that was published. An address that fails is a warning; with
 * PublicationCheck = require nothing is issued before each was fetched once.
 * Thread: one of its own, started when there is an address to ask. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/publisher.h"
#include "client/http_client.h"
#include "pki/crl.h"

enum {
    MAX_ADDRESSES = 4 * CHY_CA_MAX_URLS,
    URL_MAX = 1024,
    FETCH_MAX = 3 << 20, /* of a larger CRL only the size is asked: the rest would cost traffic */
    TIMEOUT_MS = 5000,
    WELL_S = 3600,
    ILL_S = 60
};

enum kind { A_CRL, A_DELTA, A_CERT };
struct address {
    char url[URL_MAX];
    enum kind kind;
    int32_t shard;
    bool is_checked, was_well;
    char error[160]; /* "": well */
};

struct chy_check {
    struct chy_ca *ca;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop; /* set under lock; asked between two addresses without it */
    bool poked;
    struct address address[MAX_ADDRESSES]; /* under lock; the thread's to change */
    size_t n;
    atomic_bool proved; /* each was fetched once since the last change */
};

/* ---- which ---- */
static bool is_http(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

struct gather {
    struct address *address;
    size_t n;
};

static void gather(struct gather *g, const struct chy_url_list *list, uint32_t flag, enum kind kind,
                   const struct chy_url_place *place)
{
    struct chy_buf text;
    const char *url[CHY_CA_MAX_URLS];
    chy_buf_init(&text, 65536);
    size_t n = chy_url_select(list, flag, place, &text, url);
    for (size_t i = 0; i < n && g->n < MAX_ADDRESSES; i++) {
        struct address *a = &g->address[g->n];
        if (!is_http(url[i]) || strlen(url[i]) >= URL_MAX) continue;
        *a = (struct address){.kind = kind, .shard = place->shard};
        snprintf(a->url, sizeof(a->url), "%s", url[i]);
        g->n++;
    }
    chy_buf_free(&text);
}

/* Of the newest key: its CRLs of the first and the last shard stand for those between. */
static size_t addresses_of(struct chy_ca *ca, const struct chy_settings *s,
                           struct address out[MAX_ADDRESSES])
{
    struct gather g = {out, 0};
    struct chy_url_place place;
    if (s->check_publication == CHY_CHECK_NO) return 0;
    chy_settings_place(ca, s, s->authority, &place);
    gather(&g, &s->crl_urls, CHY_CRL_URL_CDP, A_CRL, &place);
    gather(&g, &s->aia_urls, CHY_CA_URL_AIA, A_CERT, &place);
    if (s->crl.max_shards) {
        place.shard = s->crl.max_shards;
        gather(&g, &s->crl_urls, CHY_CRL_URL_CDP, A_CRL, &place);
    }
    if (s->crl.delta_period.n) {
        place.shard = 0;
        place.is_delta = true;
        gather(&g, &s->crl_urls, CHY_CRL_URL_FRESHEST, A_DELTA, &place);
    }
    return g.n;
}

/* ---- fetching ---- */
static chy_hresult ask(const char *method, const char *url, struct chy_httpc_answer *answer,
                       struct chy_err *err)
{
    char base[URL_MAX];
    struct chy_httpc *client = NULL;
    const char *path = strchr(strstr(url, "//") + 2, '/');
    snprintf(base, sizeof(base), "%.*s", path ? (int)(path - url) : (int)strlen(url), url);
    const struct chy_httpc_endpoint e = {.url = base, .timeout_ms = TIMEOUT_MS};
    const struct chy_httpc_call call = {.method = method, .path = path ? path : "/"};
    chy_hresult hr = chy_httpc_new(&e, &client, err);
    if (hr == CHY_S_OK) hr = chy_httpc_call(client, &call, answer, err);
    chy_httpc_free(client);
    if (hr != CHY_S_OK || answer->status == 200) return hr;
    return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND, "the answer is %d", answer->status);
}

/* What was published before the address is asked; number 0: nothing. A later one may come while the
 * answer is on its way. */
struct newest {
    uint64_t number;
    int64_t size;
};

static struct newest newest_of(struct chy_ca *ca, const struct address *a)
{
    struct chy_crl_info now;
    int fd = -1;
    if (a->kind == A_CERT ||
        chy_ca_crl_open(ca, -1, a->shard, a->kind == A_DELTA, &fd, &now, NULL) != CHY_S_OK)
        return (struct newest){.size = -1};
    close(fd);
    return (struct newest){now.record.number, now.record.size};
}

static chy_hresult check_crl(struct chy_ca *ca, const struct newest *before, struct chy_span der,
                             struct chy_err *err)
{
    struct chy_crl *crl = chy_malloc(sizeof(*crl));
    char when[40];
    if (!crl) return chy_fail_nomem(err, "CRL");
    chy_hresult hr = chy_crl_parse(der, crl, err);
    if (hr == CHY_S_OK && !chy_span_eq(crl->issuer.der, chy_ca_current(ca)->cert.subject.der))
        hr = chy_fail(err, CHY_ERROR_INVALID_DATA, "it is a CRL of another CA");
    if (hr == CHY_S_OK && crl->number < before->number) {
        chy_time_format(when, crl->next_update);
        hr = chy_fail(err, CHY_ERROR_INVALID_DATA,
                      "it is stale: number %llu, which lapses at %s; the newest is %llu",
                      (unsigned long long)crl->number, when, (unsigned long long)before->number);
    }
    chy_free(crl);
    return hr;
}

static chy_hresult check_whole(struct chy_ca *ca, const struct address *a,
                               const struct newest *before, struct chy_httpc_answer *answer,
                               struct chy_err *err)
{
    chy_hresult hr = ask("GET", a->url, answer, err);
    struct chy_span body = chy_buf_span(&answer->body);
    if (hr == CHY_S_OK && a->kind != A_CERT) hr = check_crl(ca, before, body, err);
    if (hr == CHY_S_OK && a->kind == A_CERT &&
        !chy_span_eq(body, chy_buf_span(&chy_ca_current(ca)->cert_der)))
        hr = chy_fail(err, CHY_ERROR_INVALID_DATA, "it is not this CA's certificate in DER");
    return hr;
}

/* It may have been published anew between the two questions. */
static chy_hresult check_size(struct chy_ca *ca, const struct address *a, int64_t before,
                              struct chy_httpc_answer *answer, struct chy_err *err)
{
    chy_hresult hr = ask("HEAD", a->url, answer, err);
    if (hr != CHY_S_OK || answer->length == before) return hr;
    if (answer->length < 0)
        return chy_fail(err, CHY_ERROR_INVALID_DATA,
                        "its answer to HEAD has no Content-Length, by which a CRL over 3 MB is "
                        "checked");
    int64_t now = newest_of(ca, a).size;
    if (answer->length == now) return CHY_S_OK;
    return chy_fail(err, CHY_ERROR_INVALID_DATA,
                    "it is not the newest CRL: it has %lld octets, the newest %lld",
                    (long long)answer->length, (long long)now);
}

static void check_one(struct chy_ca *ca, struct address *a)
{
    struct chy_err err = {0};
    struct chy_httpc_answer answer;
    const struct newest before = newest_of(ca, a);
    chy_httpc_answer_init(&answer);
    chy_hresult hr = before.size > FETCH_MAX ? check_size(ca, a, before.size, &answer, &err)
                                             : check_whole(ca, a, &before, &answer, &err);
    chy_httpc_answer_free(&answer);
    a->is_checked = true;
    a->was_well = a->was_well || hr == CHY_S_OK;
    snprintf(a->error, sizeof(a->error), "%s", hr == CHY_S_OK ? "" : err.text);
}

/* ---- the thread ---- */
static void keep_memory(const struct chy_check *c, struct address *fresh, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < c->n; k++) {
            if (strcmp(fresh[i].url, c->address[k].url) == 0) fresh[i] = c->address[k];
        }
    }
}

static bool check_all(struct chy_check *c)
{
    struct chy_settings *s = chy_settings_get(c->ca);
    struct address *fresh = chy_calloc(MAX_ADDRESSES, sizeof(*fresh));
    size_t n = fresh ? addresses_of(c->ca, s, fresh) : 0;
    bool well = true, proved = true;
    chy_settings_unref(s);
    if (!fresh) return false;
    keep_memory(c, fresh, n);
    for (size_t i = 0; i < n && !c->stop; i++) {
        bool was_ill = fresh[i].error[0] != 0 || !fresh[i].is_checked;
        check_one(c->ca, &fresh[i]);
        well = well && !fresh[i].error[0];
        proved = proved && fresh[i].was_well;
        if (fresh[i].error[0] && !was_ill)
            chy_log(CHY_LOG_LEVEL_WARNING, "publication.failed", "ca", chy_ca_name(c->ca), "url",
                    fresh[i].url, "error", fresh[i].error, NULL);
    }
    pthread_mutex_lock(&c->lock);
    memcpy(c->address, fresh, sizeof(c->address));
    c->n = n;
    pthread_mutex_unlock(&c->lock);
    atomic_store(&c->proved, proved);
    chy_free(fresh);
    return well;
}

static void *look(void *arg)
{
    struct chy_check *c = arg;
    bool go_on = true;
    chy_publisher_await_first(c->ca->publisher);
    while (go_on) {
        struct timespec until;
        bool well = check_all(c);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += well ? WELL_S : ILL_S;
        pthread_mutex_lock(&c->lock);
        while (!c->stop && !c->poked && pthread_cond_timedwait(&c->wake, &c->lock, &until) == 0) {
        }
        c->poked = false;
        go_on = !c->stop;
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

chy_hresult chy_check_new(struct chy_ca *ca, struct chy_err *err)
{
    struct chy_check *c = chy_calloc(1, sizeof(*c));
    if (!c) return chy_fail_nomem(err, "publication check");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    c->ca = ca;
    ca->check = c;
    chy_check_poke(ca);
    return CHY_S_OK;
}

static bool has_addresses(struct chy_ca *ca)
{
    struct chy_settings *s = chy_settings_get(ca);
    struct address *a = chy_calloc(MAX_ADDRESSES, sizeof(*a));
    bool yes = a && addresses_of(ca, s, a) > 0;
    chy_free(a);
    chy_settings_unref(s);
    return yes;
}

void chy_check_poke(struct chy_ca *ca)
{
    struct chy_check *c = ca->check;
    if (!c) return;
    bool wanted = has_addresses(ca);
    atomic_store(&c->proved, !wanted);
    pthread_mutex_lock(&c->lock);
    c->poked = true;
    if (wanted && !c->runs && !c->stop) c->runs = chy_thread_start(&c->thread, "check", look, c);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

void chy_check_stop(struct chy_ca *ca)
{
    struct chy_check *c = ca->check;
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    if (c->runs) pthread_join(c->thread, NULL);
    c->runs = false;
}

void chy_check_free(struct chy_ca *ca)
{
    struct chy_check *c = ca->check;
    if (!c) return;
    ca->check = NULL;
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    chy_free(c);
}

bool chy_check_proved(struct chy_ca *ca)
{
    return !ca->check || atomic_load(&ca->check->proved);
}

void chy_check_warnings(struct chy_ca *ca, char *out, size_t cap)
{
    struct chy_check *c = ca->check;
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n; i++) {
        size_t n = strlen(out);
        if (!c->address[i].error[0]) continue;
        snprintf(out + n, cap - n, "%s%s: %s", n ? "; " : "", c->address[i].url,
                 c->address[i].error);
    }
    pthread_mutex_unlock(&c->lock);
}
