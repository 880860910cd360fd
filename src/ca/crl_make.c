/* A CRL of any size in bounded memory (RFC 5280 5). The length of the whole stands in front of it,
 * and the hash begins there: so the entries are laid down first, in blocks, and then read twice, to
 * be linted and hashed, and to be copied behind the head into the file that is kept. The first
 * blocks stay in memory, the others lie in a file without a name. */
#include "ca/crl_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ca/crl_feed.h"
#include "pki/crl.h"
#include "pki/lint_status.h"

enum {
    BLOCK = 256 << 10,
    BLOCKS_MAX = 96,
    ENTRY_MAX = 512,
    PARTS_MAX = 1 << 20,
    URL_TEXT_MAX = 65536
};

struct work {
    const struct chy_crl_making *m;
    struct chy_crl_view view;
    struct chy_buf block; /* entries not yet laid down, or a block read back */
    struct chy_buf kept[BLOCKS_MAX];
    size_t n_kept;
    int spool; /* further blocks, each behind its length in four octets; -1: there are none */
    off_t spooled;
    uint64_t entries_len;
    int64_t n;
    struct chy_buf values, head, tail, sig, outer_head, outer_tail, urls;
    struct chy_err *err;
    struct chy_err laying; /* of laying down, on the feed's thread */
    chy_hresult hr;
};

void chy_crl_file(const struct chy_ca *ca, const struct chy_crl_record *r, char *out, size_t cap)
{
    snprintf(out, cap, "%s/crl/%d-%d-%llu%s.crl", ca->dir, r->key_index, r->shard,
             (unsigned long long)r->number, r->is_delta ? "+" : "");
}

void chy_crl_name(const struct chy_ca *ca, const struct chy_crl_record *r, char *out, size_t cap)
{
    char suffix[16] = "", shard[24] = "";
    if (r->key_index) snprintf(suffix, sizeof(suffix), "(%d)", r->key_index);
    if (r->shard) snprintf(shard, sizeof(shard), "_Partition%05d", r->shard);
    snprintf(out, cap, "%s%s%s%s.crl", ca->sanitized, suffix, shard, r->is_delta ? "+" : "");
}

/* ---- entries ---- */
static bool write_at(struct work *w, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n) {
        ssize_t got = pwrite(w->spool, at, n, w->spooled);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        n -= (size_t)got;
        w->spooled += got;
    }
    return true;
}

static chy_hresult open_spool(struct work *w)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/crl", w->m->ca->dir);
    w->spool = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return w->spool >= 0 ? CHY_S_OK : chy_fail_errno(&w->laying, "%s: room for a CRL", path);
}

static chy_hresult lay_down(struct work *w)
{
    uint32_t n = (uint32_t)w->block.n;
    if (w->block.failed) return chy_buf_done(&w->block, "CRL", &w->laying);
    if (!n) return CHY_S_OK;
    if (w->n_kept < BLOCKS_MAX) {
        w->kept[w->n_kept++] = w->block;
        chy_buf_init(&w->block, BLOCK);
        (void)chy_buf_reserve(&w->block, BLOCK); /* at once: a list so long will fill it */
        return CHY_S_OK;
    }
    if (w->spool < 0) {
        chy_hresult hr = open_spool(w);
        if (hr != CHY_S_OK) return hr;
    }
    if (!write_at(w, &n, sizeof(n)) || !write_at(w, w->block.p, w->block.n))
        return chy_fail_errno(&w->laying, "%s/crl: the entries of a CRL", w->m->ca->dir);
    chy_buf_reset(&w->block);
    return CHY_S_OK;
}

/* One date that a list cannot have must not keep all others from being told. */
static chy_time date_of(const struct work *w, const struct chy_revoked *r, bool is_gone)
{
    chy_time t = is_gone ? r->revoked_when : r->effective_when;
    if (t > w->view.now) t = w->view.now;
    return t < CHY_REVOKE_FIRST ? CHY_REVOKE_FIRST : t;
}

static bool add_entry(const struct chy_revoked *r, void *arg)
{
    struct work *w = arg;
    if (!chy_crl_lists(&w->view, r)) return true;
    bool gone = !chy_crl_counts(&w->view, r);
    size_t before = w->block.n;
    chy_crl_entry_add(&w->block, &(struct chy_crl_entry){
                                     .serial = r->serial,
                                     .revoked = date_of(w, r, gone),
                                     .reason = gone ? CHY_CRL_REASON_REMOVE_FROM_CRL : r->reason,
                                     .invalid = gone ? CHY_TIME_DEFAULT : r->invalidity_when});
    w->entries_len += w->block.n - before;
    w->n++;
    if (w->block.n >= BLOCK - ENTRY_MAX || w->block.failed) w->hr = lay_down(w);
    return w->hr == CHY_S_OK;
}

static chy_hresult read_entries(struct work *w, struct chy_crl_feed *feed)
{
    const struct chy_crl_making *m = w->m;
    struct chy_store *store = m->ca->store;
    const struct chy_crl_scope scope = {m->authority->key_index,
                                        m->is_whole ? CHY_CRL_SHARD_ANY : m->shard};
    if (m->is_delta)
        return store->ops->revoked_since(store, &scope, m->base->seq, m->base->this_publish, m->now,
                                         chy_crl_feed_add, feed, w->err);
    return store->ops->revoked(store, &scope, chy_crl_feed_add, feed, w->err);
}

static chy_hresult collect(struct work *w)
{
    struct chy_crl_feed *feed;
    if (w->m->is_shadow) return CHY_S_OK;
    chy_hresult hr = chy_crl_feed_new(add_entry, w, &feed, w->err);
    if (hr != CHY_S_OK) return hr;
    hr = read_entries(w, feed);
    chy_crl_feed_end(feed);
    if (hr != CHY_S_OK) return hr;
    if (w->hr == CHY_S_OK) w->hr = lay_down(w);
    return w->hr == CHY_S_OK ? CHY_S_OK : chy_fail(w->err, w->hr, "%s", w->laying.text);
}

struct cursor {
    size_t kept;
    off_t spooled;
};

static bool read_block(struct work *w, off_t at, uint32_t *n)
{
    size_t got = 0;
    chy_buf_reset(&w->block);
    if (pread(w->spool, n, sizeof(*n), at) != (ssize_t)sizeof(*n) || *n > BLOCK ||
        !chy_buf_reserve(&w->block, *n))
        return false;
    while (got < *n) {
        ssize_t k =
            pread(w->spool, w->block.p + got, *n - got, at + (off_t)sizeof(*n) + (off_t)got);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        got += (size_t)k;
    }
    w->block.n = got;
    return true;
}

/* False: there is no more, or w->hr says why not. */
static bool next_block(struct work *w, struct cursor *c, struct chy_span *out)
{
    uint32_t n = 0;
    if (c->kept < w->n_kept) {
        *out = chy_buf_span(&w->kept[c->kept++]);
        return true;
    }
    if (c->spooled >= w->spooled) return false;
    if (!read_block(w, c->spooled, &n)) {
        w->hr = chy_fail_errno(w->err, "%s/crl: the entries of a CRL", w->m->ca->dir);
        return false;
    }
    c->spooled += (off_t)sizeof(n) + (off_t)n;
    *out = chy_buf_span(&w->block);
    return true;
}

/* ---- extensions ---- */
static void begin_value(const struct work *w, struct chy_ext *ext, size_t *n, struct chy_span oid,
                        bool critical)
{
    ext[*n] = (struct chy_ext){.oid = oid, .critical = critical, .value = {NULL, w->values.n}};
    ++*n;
}

/* The buffer may have moved until the last value was added: only then are the spans made. */
static void settle_values(const struct work *w, struct chy_ext *ext, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = ext[i].value.n;
        size_t end = i + 1 < n ? ext[i + 1].value.n : w->values.n;
        ext[i].value = chy_span_of(w->values.p + at, end - at);
    }
}

static size_t select_urls(struct work *w, uint32_t flags, bool is_delta,
                          const char *url[CHY_CA_MAX_URLS])
{
    struct chy_url_place place;
    chy_buf_reset(&w->urls);
    chy_settings_place(w->m->ca, w->m->settings, w->m->authority, &place);
    place.shard = w->m->shard;
    place.is_delta = is_delta;
    return chy_url_select(&w->m->settings->crl_urls, flags, &place, &w->urls, url);
}

/* A CRL that does not name all certificates says which; its address is that of the certificates'
 * distribution points (RFC 5280 5.2.5, 6.3.3 b 2). */
static void add_idp(struct work *w, struct chy_ext *ext, size_t *n)
{
    const struct chy_crl_settings *c = &w->m->settings->crl;
    const char *url[CHY_CA_MAX_URLS];
    struct chy_crl_idp idp = {.url = url,
                              .only_ca = c->flags & CHY_CRLF_CONTAINS_ONLY_CACERTS,
                              .only_user = c->flags & CHY_CRLF_CONTAINS_ONLY_USERCERTS};
    idp.n_url = select_urls(w, CHY_CRL_URL_IDP, false, url);
    if (idp.n_url || !w->m->is_whole)
        idp.n_url = select_urls(w, CHY_CRL_URL_IDP | CHY_CRL_URL_CDP, false, url);
    if (!idp.n_url && !idp.only_ca && !idp.only_user) return;
    begin_value(w, ext, n, chy_oid_issuing_distribution_point, true);
    chy_crl_idp_add(&w->values, &idp);
}

static void add_points(struct work *w, struct chy_ext *ext, size_t *n, struct chy_span oid,
                       uint32_t flag, bool is_delta)
{
    const char *url[CHY_CA_MAX_URLS];
    size_t m = select_urls(w, flag, is_delta, url);
    if (!m) return;
    begin_value(w, ext, n, oid, false);
    chy_cdp_add(&w->values, url, m);
}

static size_t make_extensions(struct work *w, struct chy_ext *ext)
{
    const struct chy_crl_making *m = w->m;
    const struct chy_crl_settings *c = &m->settings->crl;
    size_t n = 0;
    begin_value(w, ext, &n, chy_oid_authority_key_id, false);
    chy_aki_add(&w->values, m->authority->key_id);
    begin_value(w, ext, &n, chy_oid_ms_ca_version, false);
    chy_der_add_int(&w->values, chy_issuer_index(m->authority));
    begin_value(w, ext, &n, chy_oid_crl_number, c->flags & CHY_CRLF_CRLNUMBER_CRITICAL);
    chy_crl_number_add(&w->values, m->number);
    if (m->is_delta) {
        begin_value(w, ext, &n, chy_oid_delta_crl_indicator, true);
        chy_crl_number_add(&w->values, m->is_shadow ? m->number : m->base->number);
    } else if (c->delta_period.n) {
        add_points(w, ext, &n, chy_oid_freshest_crl, CHY_CRL_URL_FRESHEST, true);
    }
    add_idp(w, ext, &n);
    begin_value(w, ext, &n, chy_oid_ms_next_publish, false);
    chy_der_add_time(&w->values, m->times.next_publish);
    add_points(w, ext, &n, chy_oid_ms_published_crl_locations, CHY_CRL_URL_LOCATIONS, m->is_delta);
    settle_values(w, ext, n);
    return n;
}

/* ---- signing ---- */
static chy_hresult lint_says(struct work *w, const struct chy_lint_report *report)
{
    if (!report->errors) return CHY_S_OK;
    atomic_fetch_add(&w->m->ca->lint_errors, 1);
    for (size_t i = 0; i < report->n; i++) {
        const struct chy_lint_rule *rule = report->finding[i].rule;
        if (rule->severity != CHY_LINT_ERROR) continue;
        return chy_fail(w->err, CHY_E_UNEXPECTED, "CRL: lint %s (%s): %s: %s", rule->id,
                        rule->section, rule->text, report->finding[i].detail);
    }
    return chy_fail(w->err, CHY_E_UNEXPECTED, "CRL: lint found %zu errors", report->errors);
}

static chy_hresult sign(struct work *w)
{
    const struct chy_crl_making *m = w->m;
    struct chy_lint_report report;
    struct chy_lint_crl lint;
    struct cursor at = {0};
    struct chy_span block;
    chy_lint_crl_begin(&lint, chy_buf_span(&w->head), &m->authority->lint, &report);
    chy_hresult hr = chy_signer_start(m->signer, w->err);
    if (hr == CHY_S_OK) hr = chy_signer_more(m->signer, chy_buf_span(&w->head), w->err);
    while (hr == CHY_S_OK && next_block(w, &at, &block)) {
        chy_lint_crl_entries(&lint, block);
        hr = chy_signer_more(m->signer, block, w->err);
    }
    if (hr == CHY_S_OK) hr = w->hr;
    if (hr == CHY_S_OK) hr = chy_signer_more(m->signer, chy_buf_span(&w->tail), w->err);
    chy_lint_crl_end(&lint, chy_buf_span(&w->tail));
    if (hr == CHY_S_OK) hr = lint_says(w, &report);
    return hr == CHY_S_OK ? chy_signer_finish(m->signer, &w->sig, w->err) : hr;
}

static chy_hresult assemble(struct work *w, uint64_t *tbs_len)
{
    const struct chy_crl_making *m = w->m;
    struct chy_ext ext[10];
    size_t n = make_extensions(w, ext);
    const struct chy_crl_parts parts = {.sig_alg = m->authority->sig_alg->der,
                                        .issuer = m->authority->cert.subject.der,
                                        .this_update = m->times.this_update,
                                        .next_update = m->times.next_update,
                                        .ext = ext,
                                        .n_ext = n};
    chy_hresult hr = chy_buf_done(&w->values, "CRL", w->err);
    if (hr == CHY_S_OK) hr = chy_buf_done(&w->urls, "CRL", w->err);
    if (hr == CHY_S_OK) hr = chy_crl_tbs(&parts, w->entries_len, &w->head, &w->tail, w->err);
    *tbs_len = w->head.n + w->entries_len + w->tail.n;
    return hr;
}

/* ---- the file ---- */
static chy_hresult write_file(struct work *w, const char *path, int64_t *size)
{
    struct chy_file_out f;
    struct cursor at = {0};
    struct chy_span block;
    chy_hresult hr = chy_file_begin(&f, path, 0644, w->err);
    if (hr != CHY_S_OK) return hr;
    if (hr == CHY_S_OK) hr = chy_file_more(&f, chy_buf_span(&w->outer_head), w->err);
    if (hr == CHY_S_OK) hr = chy_file_more(&f, chy_buf_span(&w->head), w->err);
    while (hr == CHY_S_OK && next_block(w, &at, &block))
        hr = chy_file_more(&f, block, w->err);
    if (hr == CHY_S_OK) hr = w->hr;
    if (hr == CHY_S_OK) hr = chy_file_more(&f, chy_buf_span(&w->tail), w->err);
    if (hr == CHY_S_OK) hr = chy_file_more(&f, chy_buf_span(&w->outer_tail), w->err);
    if (hr != CHY_S_OK) {
        chy_file_drop(&f);
        return hr;
    }
    *size = (int64_t)(w->outer_head.n + w->head.n + w->entries_len + w->tail.n + w->outer_tail.n);
    return chy_file_end(&f, w->err);
}

static chy_hresult make(struct work *w, struct chy_crl_record *out)
{
    const struct chy_crl_making *m = w->m;
    char path[4096];
    uint64_t tbs_len = 0;
    chy_hresult hr = collect(w);
    (void)CHY_FAULT("crl.after_entries");
    if (hr == CHY_S_OK) hr = assemble(w, &tbs_len);
    if (hr == CHY_S_OK) hr = sign(w);
    (void)CHY_FAULT("crl.after_sign");
    if (hr == CHY_S_OK)
        hr = chy_crl_wrap(tbs_len, m->authority->sig_alg->der, chy_buf_span(&w->sig),
                          &w->outer_head, &w->outer_tail, w->err);
    if (hr != CHY_S_OK) return hr;
    chy_crl_file(m->ca, out, path, sizeof(path));
    hr = write_file(w, path, &out->size);
    (void)CHY_FAULT("crl.after_file");
    out->entries = w->n;
    return hr;
}

static void fill_record(const struct chy_crl_making *m, struct chy_crl_record *out)
{
    *out = (struct chy_crl_record){.key_index = m->authority->key_index,
                                   .shard = m->shard,
                                   .is_delta = m->is_delta,
                                   .number = m->number,
                                   .base_number = m->is_shadow  ? m->number
                                                  : m->is_delta ? m->base->number
                                                                : 0,
                                   .this_update = m->times.this_update,
                                   .next_update = m->times.next_update,
                                   .this_publish = m->now,
                                   .next_publish = m->times.next_publish,
                                   .propagated = m->times.propagated,
                                   .seq = m->seq,
                                   .flags = (m->is_delta ? CHY_CPF_DELTA : CHY_CPF_BASE) |
                                            (m->is_shadow ? CHY_CPF_SHADOW : 0) |
                                            (m->is_manual ? CHY_CPF_MANUAL : 0)};
}

chy_hresult chy_crl_make(const struct chy_crl_making *m, struct chy_crl_record *out,
                         struct chy_err *err)
{
    struct work w = {
        .m = m,
        .spool = -1,
        .err = err,
        .view = {.now = m->now,
                 .previous = m->previous ? m->previous->this_publish : CHY_TIME_DEFAULT,
                 .keep_expired = m->settings->crl.flags & CHY_CRLF_PUBLISH_EXPIRED_CERT_CRLS,
                 .is_delta = m->is_delta}};
    struct chy_buf *bufs[] = {&w.values, &w.head, &w.tail, &w.sig, &w.outer_head, &w.outer_tail};
    int64_t since = chy_monotonic(&chy_system_clock);
    fill_record(m, out);
    chy_buf_init(&w.block, BLOCK);
    chy_buf_init(&w.urls, URL_TEXT_MAX);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], PARTS_MAX);
    chy_hresult hr = make(&w, out);
    out->sign_us = chy_monotonic(&chy_system_clock) - since;
    if (w.spool >= 0) close(w.spool);
    for (size_t i = 0; i < w.n_kept; i++)
        chy_buf_free(&w.kept[i]);
    chy_buf_free(&w.block);
    chy_buf_free(&w.urls);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    return hr;
}
