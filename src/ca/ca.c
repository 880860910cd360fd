/* Opening and closing a CA, and the simple questions about it. */
#include "ca/ca.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"
#include "ca/ca_internal.h"
#include "pki/lint.h"

enum { PEM_MAX = 1 << 20, DRAIN_SECONDS = 10 };

static chy_hresult read_file(struct chy_ca *ca, const char *name, struct chy_buf *out,
                             struct chy_err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", ca->dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return chy_fail(err, CHY_E_INVALIDARG, "%.64s: path too long", ca->dir);
    return chy_file_read(path, PEM_MAX, out, err);
}

static chy_hresult load_cert(struct chy_ca *ca, struct chy_err *err)
{
    const char *labels[] = {"CERTIFICATE", NULL};
    size_t pos = 0;
    chy_hresult hr = read_file(ca, "ca.pem", &ca->chain_pem, err);
    if (hr == CHY_S_OK)
        hr = chy_pem_next(chy_buf_span(&ca->chain_pem), labels, &pos, &ca->cert_der, err);
    if (hr == CHY_S_FALSE)
        hr = chy_fail(err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE, "%s/ca.pem: no certificate in it",
                      ca->dir);
    if (hr == CHY_S_OK) hr = chy_cert_parse(chy_buf_span(&ca->cert_der), &ca->cert, err);
    if (hr != CHY_S_OK) return hr;
    const struct chy_ext *ski = chy_cert_find_ext(&ca->cert, chy_oid_subject_key_id);
    const struct chy_ext *bc = chy_cert_find_ext(&ca->cert, chy_oid_basic_constraints);
    const struct chy_ext *nc = chy_cert_find_ext(&ca->cert, chy_oid_name_constraints);
    if (!bc || !chy_basic_constraints_parse(bc->value, &ca->bc) || !ca->bc.ca) {
        return chy_fail(err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE,
                        "%s/ca.pem: not a CA certificate (RFC 5280 4.2.1.9)", ca->dir);
    }
    if (ski && chy_ski_parse(ski->value, &ca->key_id)) chy_aki_add(&ca->aki_der, ca->key_id);
    if (!nc) return CHY_S_OK;
    ca->constraints = chy_calloc(1, sizeof(*ca->constraints));
    if (!ca->constraints) return chy_fail_nomem(err, "name constraints");
    return chy_name_constraints_parse(nc->value, ca->constraints, err);
}

static chy_hresult load_key(struct chy_ca *ca, struct chy_err *err)
{
    char path[4096], alg[64] = "";
    snprintf(path, sizeof(path), "%s/key.pem", ca->dir);
    chy_hresult hr = ca->key ? CHY_S_OK : chy_key_load(path, &ca->key, err);
    if (hr != CHY_S_OK) return hr;
    if (!chy_span_eq(chy_key_spki(ca->key)->der, ca->cert.key.der)) {
        return chy_fail(err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE,
                        "%s: key.pem is not the key of ca.pem: one of them is from another CA",
                        ca->dir);
    }
    struct chy_buf json;
    cJSON *v = NULL;
    chy_buf_init(&json, 256);
    if (chy_config_value(ca->config, "SignatureAlgorithm", &json, NULL) == CHY_S_OK) {
        hr = chy_buf_done(&json, "setting SignatureAlgorithm", err);
        if (hr == CHY_S_OK) hr = chy_json_parse(chy_buf_span(&json), 256, &v, err);
        if (cJSON_IsString(v)) snprintf(alg, sizeof(alg), "%s", v->valuestring);
    }
    cJSON_Delete(v);
    chy_buf_free(&json);
    if (hr != CHY_S_OK) return hr;
    ca->sig_alg = chy_key_sig_alg(ca->key, alg[0] ? alg : NULL, err);
    return ca->sig_alg ? CHY_S_OK : err->code;
}

static char *finish_text(struct chy_buf *b)
{
    const char *s = chy_buf_cstr(b);
    char *out = s ? chy_strdup(s) : NULL;
    chy_buf_free(b);
    return out;
}

/* The first CN of the CA certificate, else its whole subject as text. */
static void read_common_name(const struct chy_ca *ca, struct chy_buf *out)
{
    int cn = chy_name_prop_find("CommonName");
    for (size_t i = 0; i < ca->cert.subject.n; i++) {
        if (chy_name_prop_by_oid(ca->cert.subject.attr[i].oid) != cn) continue;
        if (chy_name_value_utf8(&ca->cert.subject.attr[i], out)) return;
    }
    chy_name_to_text(&ca->cert.subject, out);
}

static chy_hresult make_names(struct chy_ca *ca, struct chy_err *err)
{
    struct chy_buf b;
    chy_buf_init(&b, 4096);
    read_common_name(ca, &b);
    ca->name = finish_text(&b);
    if (!ca->name) return chy_fail_nomem(err, "CA name");
    chy_buf_init(&b, 4096);
    chy_sanitize_name(&b, ca->name);
    ca->sanitized = finish_text(&b);
    chy_buf_init(&b, 4096);
    chy_sanitize_short_name(&b, ca->name);
    ca->short_name = finish_text(&b);
    chy_buf_init(&b, 8192);
    chy_buf_addf(&b, "%s\\%s", ca->host, ca->name);
    ca->config_string = finish_text(&b);
    return ca->sanitized && ca->short_name && ca->config_string ? CHY_S_OK
                                                                : chy_fail_nomem(err, "CA name");
}

static chy_hresult make_lint_issuer(struct chy_ca *ca, struct chy_err *err)
{
    ca->lint_issuer = chy_calloc(1, sizeof(*ca->lint_issuer));
    if (!ca->lint_issuer) return chy_fail_nomem(err, "lint");
    *ca->lint_issuer = (struct chy_lint_issuer){.subject = ca->cert.subject.der,
                                                .key_id = ca->key_id,
                                                .not_before = ca->cert.not_before,
                                                .not_after = ca->cert.not_after,
                                                .path_len = ca->bc.path_len,
                                                .constraints = ca->constraints,
                                                .sig_alg = ca->sig_alg->der};
    return CHY_S_OK;
}

static chy_hresult make_modules(struct chy_ca *ca, struct chy_err *err)
{
    struct chy_settings *s = chy_settings_get(ca);
    struct chy_modules_config config = {.ops = &chy_ca_engine_ops,
                                        .ca = ca,
                                        .folder = ca->module_dir,
                                        .clock = ca->clock,
                                        .call_timeout_ms = s->module_timeout_ms,
                                        .any_owner = ca->throwaway};
    chy_settings_unref(s);
    chy_hresult hr = chy_modules_new(&config, &ca->modules, err);
    if (hr != CHY_S_OK) return hr;
    chy_modules_watch(ca->modules, &(struct chy_watch){chy_intake_expired, ca});
    chy_ca_load_modules(ca);
    return CHY_S_OK;
}

static struct chy_ca *ca_alloc(const struct chy_ca_options *o)
{
    struct chy_ca *ca = chy_calloc(1, sizeof(*ca));
    if (!ca) return NULL;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&ca->settings_lock, NULL);
    pthread_mutex_init(&ca->id_lock, NULL);
    pthread_mutex_init(&ca->lock, NULL);
    pthread_mutex_init(&ca->health_lock, NULL);
    pthread_mutex_init(&ca->clock_lock, NULL);
    pthread_cond_init(&ca->idle, &monotonic);
    pthread_cond_init(&ca->healer_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    struct chy_buf *bufs[] = {&ca->cert_der, &ca->chain_pem, &ca->aki_der};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], PEM_MAX);
    ca->dir = chy_strdup(o->dir);
    ca->host = chy_strdup(o->host);
    ca->module_dir = chy_strdup(o->module_dir);
    ca->clock = o->clock;
    ca->workers = o->workers;
    ca->throwaway = o->throwaway;
    if (o->made) {
        ca->key = o->made->key;
        ca->store = o->made->store;
        *o->made = (struct chy_ca_made){0};
    }
    return ca;
}

static void ca_free(struct chy_ca *ca)
{
    while (ca->free_list) {
        struct chy_request *r = ca->free_list;
        ca->free_list = r->next_free;
        chy_request_free(r);
    }
    struct chy_buf *bufs[] = {&ca->cert_der, &ca->chain_pem, &ca->aki_der};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_settings_unref(ca->settings);
    chy_config_free(ca->config);
    chy_key_free(ca->key);
    chy_free(ca->constraints);
    chy_free(ca->lint_issuer);
    char *texts[] = {ca->dir,       ca->host,       ca->module_dir,   ca->name,
                     ca->sanitized, ca->short_name, ca->config_string};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++)
        chy_free(texts[i]);
    chy_free(ca->busy_id);
    pthread_mutex_destroy(&ca->settings_lock);
    pthread_mutex_destroy(&ca->id_lock);
    pthread_mutex_destroy(&ca->lock);
    pthread_mutex_destroy(&ca->health_lock);
    pthread_mutex_destroy(&ca->clock_lock);
    pthread_cond_destroy(&ca->idle);
    pthread_cond_destroy(&ca->healer_wake);
    chy_free(ca);
}

static void drop_made(struct chy_ca_made *made)
{
    if (!made) return;
    chy_key_free(made->key);
    chy_store_close(made->store);
    *made = (struct chy_ca_made){0};
}

chy_hresult chy_ca_open(const struct chy_ca_options *options, struct chy_ca **out,
                        struct chy_err *err)
{
    struct chy_ca *ca = ca_alloc(options);
    if (!ca) {
        drop_made(options->made);
        return chy_fail_nomem(err, "CA");
    }
    bool whole = ca->dir && ca->host && ca->module_dir;
    chy_hresult hr = whole ? load_cert(ca, err) : chy_fail_nomem(err, "CA");
    if (hr == CHY_S_OK) hr = make_names(ca, err);
    if (hr == CHY_S_OK && !ca->store)
        hr = chy_store_open_sqlite(ca->dir, options->cache_kib, &ca->store, err);
    if (hr == CHY_S_OK) hr = chy_config_load(ca->store, &ca->config, err);
    if (hr == CHY_S_OK) hr = chy_settings_make(ca, &ca->settings, err);
    if (hr == CHY_S_OK) hr = load_key(ca, err);
    if (hr == CHY_S_OK) hr = make_lint_issuer(ca, err);
    if (hr == CHY_S_OK) hr = make_modules(ca, err);
    if (hr == CHY_S_OK) hr = chy_health_start(ca, err);
    if (hr == CHY_S_OK) hr = chy_outbox_start(ca, err);
    if (hr == CHY_S_OK) hr = chy_settle(ca, err);
    if (hr != CHY_S_OK) {
        chy_wrap(err, "CA in %s", options->dir);
        chy_ca_close(ca);
        return hr;
    }
    chy_outbox_tell(ca, CHY_EXITEVENT_STARTUP, 0);
    *out = ca;
    return CHY_S_OK;
}

/* Everything that is on its way ends, or the time is up. Called again after the dispatcher has
 * stopped. */
static void drain(struct chy_ca *ca)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DRAIN_SECONDS;
    pthread_mutex_lock(&ca->lock);
    while (ca->in_flight && pthread_cond_timedwait(&ca->idle, &ca->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&ca->lock);
}

void chy_ca_close(struct chy_ca *ca)
{
    if (!ca) return;
    chy_health_stop(ca);
    drain(ca);
    if (ca->workers) chy_workers_quiet(ca->workers, DRAIN_SECONDS);
    chy_outbox_stop(ca);
    if (ca->modules) {
        chy_outbox_tell(ca, CHY_EXITEVENT_SHUTDOWN, 0);
        chy_ca_close_modules(ca);
    }
    if (ca->store) {
        struct chy_err err = {0};
        if (ca->next_id && ca->store->ops->release_ids(ca->store, ca->next_id, &err) != CHY_S_OK) {
            chy_log(CHY_LOG_LEVEL_WARNING, "ca.close", "error", err.text, NULL);
        }
        chy_store_close(ca->store);
    }
    chy_outbox_fini(ca);
    ca_free(ca);
}

void chy_ca_submit(struct chy_ca *ca, const struct chy_submission *s, chy_outcome_cb done,
                   void *arg)
{
    struct chy_request *r = chy_request_new(ca);
    if (!r) {
        struct chy_outcome o = {.status = CHY_E_OUTOFMEMORY};
        chy_fail_nomem(&o.err, "request");
        done(&o, arg);
        return;
    }
    r->stage = CHY_STAGE_INTAKE;
    r->done = done;
    r->done_arg = arg;
    r->flags = s->flags;
    r->caller_access = s->caller.access;
    r->caller_name = chy_arena_strdup(&r->arena, s->caller.name ? s->caller.name : "anonymous");
    r->input = chy_arena_dup(&r->arena, s->request);
    r->attribute_text = chy_arena_dup(&r->arena, s->attributes);
    if (s->request.n > 2 * CHY_CSR_MAX || s->attributes.n > CHY_CSR_MAX) {
        chy_fail(&r->err, CHY_CRYPT_E_ASN1_LARGE,
                 "request: %zu octets with %zu octets of attributes, at most %d allowed",
                 s->request.n, s->attributes.n, CHY_CSR_MAX);
        chy_pipeline_refuse(r);
    } else if (!r->caller_name || (s->request.n && !r->input.p) ||
               (s->attributes.n && !r->attribute_text.p)) {
        chy_fail_nomem(&r->err, "request");
        chy_pipeline_refuse(r);
    } else {
        chy_pipeline_start(r);
    }
}

const char *chy_ca_name(const struct chy_ca *ca)
{
    return ca->name;
}
const char *chy_ca_sanitized_name(const struct chy_ca *ca)
{
    return ca->sanitized;
}
const char *chy_ca_sanitized_short_name(const struct chy_ca *ca)
{
    return ca->short_name;
}
const char *chy_ca_config_string(const struct chy_ca *ca)
{
    return ca->config_string;
}
const char *chy_ca_dir(const struct chy_ca *ca)
{
    return ca->dir;
}
struct chy_span chy_ca_cert_der(const struct chy_ca *ca)
{
    return chy_buf_span(&ca->cert_der);
}
struct chy_span chy_ca_chain_pem(const struct chy_ca *ca)
{
    return chy_buf_span(&ca->chain_pem);
}

bool chy_ca_name_matches(const struct chy_ca *ca, const char *name)
{
    return strcasecmp(name, ca->name) == 0 || strcasecmp(name, ca->sanitized) == 0 ||
           strcasecmp(name, ca->short_name) == 0;
}

bool chy_ca_anonymous_may_submit(const struct chy_ca *ca)
{
    struct chy_ca *open_ca = (struct chy_ca *)(uintptr_t)ca; /* only the lock inside changes */
    struct chy_settings *s = chy_settings_get(open_ca);
    bool yes = s->anonymous_submit;
    chy_settings_unref(s);
    return yes;
}

void chy_ca_counters(struct chy_ca *ca, struct chy_ca_counters *out)
{
    memset(out, 0, sizeof(*out));
    out->submitted = atomic_load(&ca->submitted);
    out->issued = atomic_load(&ca->issued);
    out->pending = atomic_load(&ca->pending);
    out->denied = atomic_load(&ca->denied);
    out->failed = atomic_load(&ca->failed);
    out->refused = atomic_load(&ca->refused);
    out->lint_errors = atomic_load(&ca->lint_errors);
    out->outbox_backlog = atomic_load(&ca->outbox_backlog);
    for (size_t i = 0; i < ca->n_exits; i++) {
        out->exit_calls += atomic_load(&ca->exits[i].calls);
        out->exit_failures += atomic_load(&ca->exits[i].failures);
    }
    ca->store->ops->counters(ca->store, &out->commits, &out->records);
    out->queue_length = (uint32_t)chy_workers_queued(ca->workers);
    out->store_backlog = (uint32_t)ca->store->ops->backlog(ca->store);
}
