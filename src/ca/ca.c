/* Opening and closing a CA, and the simple questions about it. */
#include "ca/ca.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "ca/ca_internal.h"
#include "pki/lint.h"

enum { DRAIN_SECONDS = 10 };

static chy_hresult set_alg(struct chy_ca *ca, struct chy_authority *a, struct chy_err *err)
{
    char alg[64] = "";
    struct chy_buf json;
    cJSON *v = NULL;
    chy_hresult hr = CHY_S_OK;
    chy_buf_init(&json, 256);
    if (chy_config_value(ca->config, "SignatureAlgorithm", &json, NULL) == CHY_S_OK) {
        hr = chy_buf_done(&json, "setting SignatureAlgorithm", err);
        if (hr == CHY_S_OK) hr = chy_json_parse(chy_buf_span(&json), 256, &v, err);
        if (cJSON_IsString(v)) snprintf(alg, sizeof(alg), "%s", v->valuestring);
    }
    cJSON_Delete(v);
    chy_buf_free(&json);
    return hr == CHY_S_OK ? chy_authority_set_alg(a, alg, err) : hr;
}

chy_hresult chy_ca_add_authority(struct chy_ca *ca, struct chy_key *key, struct chy_err *err)
{
    size_t n = atomic_load(&ca->n_authorities);
    struct chy_authority *a = NULL;
    chy_hresult hr =
        ca->replays ? chy_authority_load_to_read(ca->dir, (int32_t)n, ca->authority, n, &a, err)
                    : chy_authority_load(ca->dir, (int32_t)n, ca->authority, n, key, &a, err);
    if (hr == CHY_S_OK && ca->config) hr = set_alg(ca, a, err);
    if (hr != CHY_S_OK) {
        chy_authority_free(a);
        return hr;
    }
    ca->authority[n] = a;
    atomic_store(&ca->n_authorities, n + 1);
    return CHY_S_OK;
}

static chy_hresult load_authorities(struct chy_ca *ca, struct chy_err *err)
{
    char path[4096];
    struct chy_key *key = ca->made_key;
    ca->made_key = NULL;
    chy_hresult hr = chy_ca_add_authority(ca, key, err);
    for (int32_t i = 1; hr == CHY_S_OK && i < CHY_CA_MAX_CERTS; i++) {
        hr = chy_authority_path(ca->dir, "ca", i, path, sizeof(path), err);
        if (hr != CHY_S_OK || access(path, F_OK) != 0) break;
        hr = chy_ca_add_authority(ca, NULL, err);
    }
    size_t n = atomic_load(&ca->n_authorities);
    if (hr == CHY_S_OK && !ca->is_new) hr = chy_authority_check_count(ca->store, ca->dir, n, err);
    if (hr == CHY_S_OK && !ca->replays) hr = chy_authority_note_count(ca->store, n, err);
    return hr;
}

const struct chy_authority *chy_ca_authority(const struct chy_ca *ca, int32_t issuer_index)
{
    size_t index = (uint32_t)issuer_index & 0xffff;
    return index < atomic_load(&ca->n_authorities) ? ca->authority[index] : NULL;
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
    const struct chy_name *subject = &ca->authority[0]->cert.subject;
    for (size_t i = 0; i < subject->n; i++) {
        if (chy_name_prop_by_oid(subject->attr[i].oid) != cn) continue;
        if (chy_name_value_utf8(&subject->attr[i], out)) return;
    }
    chy_name_to_text(subject, out);
}

/* What stays the same while the CA is renewed. */
static chy_hresult make_event_prefix(struct chy_ca *ca, struct chy_err *err)
{
    uint8_t hash[32];
    unsigned n = 0;
    const struct chy_buf *first = &ca->authority[0]->cert_der;
    if (EVP_Digest(first->p, first->n, hash, &n, EVP_sha256(), NULL) != 1)
        return chy_fail_openssl(err, CHY_E_OUTOFMEMORY, "CA: its certificate cannot be digested");
    chy_hex_cstr(ca->event_prefix, chy_span_of(hash, 8));
    return CHY_S_OK;
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

static chy_hresult make_modules(struct chy_ca *ca, struct chy_err *err)
{
    struct chy_settings *s = chy_settings_get(ca);
    struct chy_modules_config config = {.ops = &chy_ca_engine_ops,
                                        .ca = ca,
                                        .folder = ca->module_dir,
                                        .modhost = ca->modhost,
                                        .clock = ca->clock,
                                        .call_timeout_ms = s->module_timeout_ms,
                                        .any_owner = ca->throwaway};
    chy_settings_unref(s);
    chy_hresult hr = chy_modules_new(&config, &ca->modules, err);
    if (hr != CHY_S_OK) return hr;
    chy_modules_watch(ca->modules, &(struct chy_watch){chy_intake_expired, ca});
    chy_modules_watch_children(ca->modules, chy_ca_child_changed, ca);
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
    pthread_mutex_init(&ca->renew_lock, NULL);
    pthread_mutex_init(&ca->replay_lock, NULL);
    pthread_mutex_init(&ca->lock, NULL);
    pthread_mutex_init(&ca->health_lock, NULL);
    pthread_mutex_init(&ca->clock_lock, NULL);
    pthread_cond_init(&ca->idle, &monotonic);
    pthread_cond_init(&ca->healer_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    ca->dir = chy_strdup(o->dir);
    ca->host = chy_strdup(o->host);
    ca->module_dir = chy_strdup(o->module_dir);
    ca->modhost = o->modhost ? chy_strdup(o->modhost) : NULL;
    ca->clock = o->clock;
    ca->workers = o->workers;
    ca->throwaway = o->throwaway;
    if (o->made) {
        ca->made_key = o->made->key;
        ca->store = o->made->store;
        ca->is_new = ca->store != NULL;
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
    for (size_t i = 0; i < atomic_load(&ca->n_authorities); i++)
        chy_authority_free(ca->authority[i]);
    chy_settings_unref(ca->settings);
    chy_config_free(ca->config);
    chy_key_free(ca->made_key);
    char *texts[] = {ca->dir,  ca->host,      ca->module_dir, ca->modhost,
                     ca->name, ca->sanitized, ca->short_name, ca->config_string};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++)
        chy_free(texts[i]);
    chy_free(ca->busy_id);
    pthread_mutex_destroy(&ca->settings_lock);
    pthread_mutex_destroy(&ca->id_lock);
    pthread_mutex_destroy(&ca->renew_lock);
    pthread_mutex_destroy(&ca->replay_lock);
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
    chy_hresult hr = whole ? CHY_S_OK : chy_fail_nomem(err, "CA");
    if (hr == CHY_S_OK && !ca->store)
        hr = chy_store_open_sqlite_again(ca->dir, options->cache_kib, &ca->store, err);
    if (hr == CHY_S_OK) hr = chy_config_load(ca->store, &ca->config, err);
    if (hr == CHY_S_OK) hr = load_authorities(ca, err);
    if (hr == CHY_S_OK) hr = make_names(ca, err);
    if (hr == CHY_S_OK) hr = make_event_prefix(ca, err);
    if (hr == CHY_S_OK) hr = chy_settings_make(ca, &ca->settings, err);
    if (hr == CHY_S_OK) hr = make_modules(ca, err);
    if (hr == CHY_S_OK) hr = chy_health_start(ca, err);
    if (hr == CHY_S_OK) hr = chy_outbox_start(ca, err);
    if (hr == CHY_S_OK) hr = chy_ocsp_signers_new(ca, err);
    if (hr == CHY_S_OK) hr = chy_publisher_start(ca, err);
    if (hr == CHY_S_OK) hr = chy_check_new(ca, err);
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

chy_hresult chy_ca_open_to_read(const struct chy_ca_options *options, struct chy_ca **out,
                                struct chy_err *err)
{
    struct chy_ca *ca = ca_alloc(options);
    if (!ca) return chy_fail_nomem(err, "CA");
    bool whole = ca->dir && ca->host && ca->module_dir;
    ca->replays = true;
    chy_hresult hr = whole ? CHY_S_OK : chy_fail_nomem(err, "CA");
    if (hr == CHY_S_OK) hr = chy_store_open_sqlite_to_read(ca->dir, &ca->store, err);
    if (hr == CHY_S_OK) hr = chy_config_load(ca->store, &ca->config, err);
    if (hr == CHY_S_OK) hr = load_authorities(ca, err);
    if (hr == CHY_S_OK) hr = make_names(ca, err);
    if (hr == CHY_S_OK) hr = chy_settings_make(ca, &ca->settings, err);
    if (hr == CHY_S_OK) {
        *out = ca;
        return CHY_S_OK;
    }
    chy_wrap(err, "CA in %s", options->dir);
    chy_ca_close_to_read(ca);
    return hr;
}

void chy_ca_close_to_read(struct chy_ca *ca)
{
    if (!ca) return;
    if (ca->store) chy_store_close(ca->store);
    ca_free(ca);
}

/* Everything that is on its way ends. False: the time is up, and what is left will hardly end. */
static bool drain(struct chy_ca *ca)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DRAIN_SECONDS;
    pthread_mutex_lock(&ca->lock);
    while (ca->in_flight && pthread_cond_timedwait(&ca->idle, &ca->lock, &until) == 0) {
    }
    bool is_idle = !ca->in_flight;
    pthread_mutex_unlock(&ca->lock);
    return is_idle;
}

void chy_ca_close(struct chy_ca *ca)
{
    if (!ca) return;
    chy_health_stop(ca);
    chy_check_stop(ca);
    chy_publisher_stop(ca);
    unsigned wait_s = drain(ca) ? DRAIN_SECONDS : 0;
    if (ca->workers) chy_workers_quiet(ca->workers, wait_s);
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
    chy_check_free(ca);
    chy_publisher_free(ca);
    chy_ocsp_signers_free(ca);
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
    chy_ca_enter(ca);
    r->stage = CHY_STAGE_INTAKE;
    r->received = chy_monotonic(ca->clock);
    r->done = done;
    r->done_arg = arg;
    r->flags = s->flags;
    r->dry_run = s->dry_run;
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
    return chy_buf_span(&chy_ca_current(ca)->cert_der);
}
struct chy_span chy_ca_chain_pem(const struct chy_ca *ca)
{
    return chy_buf_span(&chy_ca_current(ca)->chain_pem);
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
    for (size_t i = 0; i < ca->n_exits; i++) {
        out->exit_calls += atomic_load(&ca->exits[i].calls);
        out->exit_failures += atomic_load(&ca->exits[i].failures);
        out->outbox_backlog += atomic_load(&ca->exits[i].backlog);
    }
    ca->store->ops->counters(ca->store, &out->commits, &out->records);
    out->queue_length = (uint32_t)chy_workers_queued(ca->workers);
    out->store_backlog = (uint32_t)ca->store->ops->backlog(ca->store);
}
