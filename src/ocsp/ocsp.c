/* The responder as one value: made, watched, ended. */
#include "ocsp/ocsp_int.h"

enum { WATCH_MS = 1000 };

static void on_change(struct chy_ca *ca, struct chy_span serial, void *arg)
{
    (void)ca;
    chy_ocsp_cache_changed(((struct chy_ocsp *)arg)->cache, serial);
}

static bool same_settings(const struct chy_ca_ocsp_settings *a,
                          const struct chy_ca_ocsp_settings *b)
{
    return a->unauthorized_for_unknown == b->unauthorized_for_unknown &&
           a->nonce_max == b->nonce_max && a->validity_s == b->validity_s &&
           a->archive_cutoff_s == b->archive_cutoff_s && a->max_ids == b->max_ids &&
           a->enabled == b->enabled;
}

/* Settings and a clock that jumped are seen within a second; what was kept until then is void. */
static void watch(void *arg)
{
    struct chy_ocsp *o = arg;
    bool changed = false;
    for (size_t i = 0; i < o->issuers.n_cas; i++) {
        struct chy_ca *ca = o->issuers.ca[i];
        struct chy_ocsp_seen now, *seen = &o->seen[i];
        struct chy_ca_health health;
        chy_ca_ocsp_settings(ca, &now.settings);
        chy_ca_health(ca, &health);
        now.clock_trouble = (health.trouble & CHY_TROUBLE_CLOCK) != 0;
        changed = changed || now.clock_trouble != seen->clock_trouble ||
                  !same_settings(&now.settings, &seen->settings);
        atomic_store(&o->clock_trouble[i], now.clock_trouble);
        *seen = now;
    }
    size_t certs = chy_ocsp_issuers_count(&o->issuers);
    changed = changed || certs != o->certs;
    o->certs = certs;
    if (changed) chy_ocsp_cache_flush(o->cache);
    chy_ocsp_foreigners_look(&o->foreign);
}

bool chy_ocsp_clock_trouble(const struct chy_ocsp *o, const struct chy_ca *ca)
{
    for (size_t i = 0; i < o->issuers.n_cas; i++) {
        if ((!ca || o->issuers.ca[i] == ca) && atomic_load(&o->clock_trouble[i])) return true;
    }
    return false;
}

chy_hresult chy_ocsp_new(const struct chy_ocsp_options *options, struct chy_ocsp **out,
                         struct chy_err *err)
{
    struct chy_ocsp *o = chy_calloc(1, sizeof(*o));
    if (!o) return chy_fail_nomem(err, "OCSP responder");
    o->net = options->net;
    o->workers = options->workers;
    o->clock = options->clock;
    chy_buf_init(&o->scratch, CHY_OCSP_REQUEST_MAX);
    chy_ocsp_issuers_init(&o->issuers, options->ca, options->n_cas);
    chy_ocsp_queue_init(o);
    o->cache = chy_ocsp_cache_new(CHY_OCSP_ENTRIES, CHY_OCSP_OCTETS, err);
    chy_hresult hr = chy_ocsp_foreigners_init(&o->foreign, options->foreign_dir, o->workers,
                                              o->clock, o->cache, err);
    if (!o->cache) hr = err->code;
    if (hr == CHY_S_OK) hr = chy_ocsp_http_register(o, err);
    if (hr == CHY_S_OK) hr = chy_net_every(o->net, WATCH_MS, watch, o, err);
    if (hr != CHY_S_OK) {
        chy_ocsp_free(o);
        return hr;
    }
    watch(o);
    for (size_t i = 0; i < o->issuers.n_cas; i++)
        chy_ca_on_change(o->issuers.ca[i], on_change, o);
    *out = o;
    return CHY_S_OK;
}

void chy_ocsp_stop(struct chy_ocsp *o)
{
    if (!o) return;
    chy_ocsp_queue_stop(o);
    chy_ocsp_foreigners_stop(&o->foreign);
}

void chy_ocsp_free(struct chy_ocsp *o)
{
    if (!o) return;
    chy_ocsp_queue_fini(o);
    chy_ocsp_foreigners_fini(&o->foreign);
    chy_ocsp_issuers_fini(&o->issuers);
    chy_ocsp_cache_free(o->cache);
    chy_buf_free(&o->scratch);
    chy_free(o);
}

void chy_ocsp_counters(struct chy_ocsp *o, struct chy_ocsp_counters *out)
{
    size_t entries, octets;
    for (int way = 0; way < 2; way++) {
        out->good[way] = atomic_load(&o->told[CHY_OCSP_GOOD][way]);
        out->revoked[way] = atomic_load(&o->told[CHY_OCSP_REVOKED][way]);
        out->unknown[way] = atomic_load(&o->told[CHY_OCSP_UNKNOWN][way]);
    }
    out->malformed = atomic_load(&o->errors[CHY_OCSP_MALFORMED]);
    out->unauthorized = atomic_load(&o->errors[CHY_OCSP_UNAUTHORIZED]);
    out->try_later = atomic_load(&o->errors[CHY_OCSP_TRY_LATER]);
    out->internal_error = atomic_load(&o->errors[CHY_OCSP_INTERNAL_ERROR]);
    chy_ocsp_cache_size(o->cache, &entries, &octets);
    out->entries = entries;
    out->octets = octets;
}
