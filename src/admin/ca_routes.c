/* The CA itself: what it is, its certificate, its properties, its modules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/admin.h"
#include "admin/body.h"
#include "base/json.h"
#include "base/text.h"
#include "ca/events.h"
#include "enrol/rest/rest.h"

enum { ANSWER_MAX = 1 << 20, MAX_MODULES = 32 };

static void reply_json(struct chy_exchange *x, struct chy_buf *b)
{
    chy_exchange_reply_buf(x, 200, "application/json", b);
    chy_buf_free(b);
}

/* suffix: what sets the file names of later certificates apart. */
static void add_cert(struct chy_json *j, const struct chy_ca *ca, int32_t index)
{
    struct chy_ca_cert_info c;
    struct chy_buf text;
    char suffix[16] = "";
    if (!chy_ca_cert_info(ca, index, &c)) return;
    if (c.index) snprintf(suffix, sizeof(suffix), "(%d)", c.index);
    chy_json_add_int(j, "index", c.index);
    chy_json_add_int(j, "key_index", c.key_index);
    chy_json_add_str(j, "suffix", suffix);
    chy_json_add_str(j, "key", c.key_name);
    chy_json_add_time(j, "not_before", c.not_before);
    chy_json_add_time(j, "not_after", c.not_after);
    chy_buf_init(&text, 1024);
    chy_hex_add(&text, c.key_id);
    chy_json_add_buf(j, "key_id", &text);
    chy_buf_reset(&text);
    chy_ca_cert_file_name(ca, c.index, &text);
    chy_json_add_buf(j, "file", &text);
    chy_buf_free(&text);
}

static void add_certs(struct chy_json *j, const struct chy_ca *ca)
{
    size_t n = chy_ca_cert_count(ca);
    chy_json_array(j, "certificates");
    for (size_t i = 0; i < n; i++) {
        chy_json_object(j, NULL);
        add_cert(j, ca, (int32_t)i);
        chy_json_end(j, '}');
    }
    chy_json_end(j, ']');
}

/* Of the keys under which something may still be valid. */
static void add_crl_summary(struct chy_json *j, struct chy_ca *ca)
{
    struct chy_crl_info *list;
    size_t n = chy_admin_crls(ca, &list);
    int64_t overdue = 0, failed = 0, entries = 0;
    chy_time first = CHY_TIME_DEFAULT;
    for (size_t i = 0; i < n; i++) {
        const struct chy_crl_record *r = &list[i].record;
        overdue += list[i].overdue;
        failed += r->status < 0;
        if (!r->is_delta) entries += r->entries;
        if (list[i].key_expired || r->flags & CHY_CPF_SHADOW) continue;
        if (first == CHY_TIME_DEFAULT || r->next_update < first) first = r->next_update;
    }
    chy_free(list);
    chy_json_object(j, "crls");
    chy_json_add_int(j, "count", (int64_t)n);
    chy_json_add_int(j, "entries", entries);
    chy_json_add_int(j, "overdue", overdue);
    chy_json_add_int(j, "failed", failed);
    chy_json_add_time(j, "next_update", first);
    chy_json_end(j, '}');
}

/* Public facts only: everyone who can reach the daemon may see them. */
static void ca_json(struct chy_json *j, struct chy_ca *ca)
{
    struct chy_ca_health h;
    struct chy_ca_counters c;
    chy_ca_health(ca, &h);
    chy_ca_counters(ca, &c);
    chy_json_object(j, NULL);
    chy_json_add_str(j, "name", chy_ca_name(ca));
    chy_json_add_str(j, "sanitized_name", chy_ca_sanitized_name(ca));
    chy_json_add_str(j, "sanitized_short_name", chy_ca_sanitized_short_name(ca));
    chy_json_add_str(j, "config", chy_ca_config_string(ca));
    chy_json_add_bool(j, "ready", !h.trouble);
    chy_json_add_str(j, "trouble", h.trouble ? h.text : NULL);
    chy_json_add_str(j, "warnings", h.warnings[0] ? h.warnings : NULL);
    chy_json_add_int(j, "issued_since_start", (int64_t)c.issued);
    add_certs(j, ca);
    add_crl_summary(j, ca);
    chy_json_add_span(j, "certificate_chain", chy_ca_chain_pem(ca));
    chy_json_end(j, '}');
}

void chy_admin_ca_list(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_array(&j, "cas");
    for (size_t i = 0; i < s->n_cas; i++)
        ca_json(&j, s->ca[i]);
    chy_json_end(&j, ']');
    chy_json_end(&j, '}');
    reply_json(x, &b);
}

void chy_admin_ca_show(struct chy_exchange *x, void *arg)
{
    struct chy_ca *ca = chy_service_ca(arg, x);
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    ca_json(&j, ca);
    reply_json(x, &b);
}

void chy_admin_ca_cert(struct chy_exchange *x, void *arg)
{
    struct chy_ca *ca = chy_service_ca(arg, x);
    if (!ca) return;
    switch (chy_rest_accept(x)) {
    case CHY_ACCEPT_DER:
        chy_exchange_reply(x, 200, "application/pkix-cert", chy_ca_cert_der(ca));
        break;
    case CHY_ACCEPT_CHAIN:
        chy_exchange_reply(x, 200, "application/pem-certificate-chain", chy_ca_chain_pem(ca));
        break;
    case CHY_ACCEPT_JSON:
    case CHY_ACCEPT_PEM:
        chy_rest_certificate(x, ca, CHY_ACCEPT_PEM, 200, chy_ca_cert_der(ca));
        break;
    }
}

/* Of the certificate whose file this is; or, by one of the CA's names, of its newest. */
static const struct chy_ca *find_cert(const struct chy_service *s, const char *file,
                                      struct chy_ca_cert_info *out)
{
    char name[512] = "";
    size_t length = strlen(file);
    for (size_t i = 0; i < s->n_cas; i++) {
        for (int32_t k = 0; chy_ca_cert_info(s->ca[i], k, out); k++) {
            struct chy_buf own;
            chy_buf_init(&own, sizeof(name));
            chy_ca_cert_file_name(s->ca[i], k, &own);
            const char *text = chy_buf_cstr(&own);
            bool found = text && strcmp(text, file) == 0;
            chy_buf_free(&own);
            if (found) return s->ca[i];
        }
    }
    if (length > 4 && length < sizeof(name) && strcmp(file + length - 4, ".crt") == 0)
        snprintf(name, length - 3, "%s", file);
    const struct chy_ca *ca = name[0] ? chy_service_ca_by_name(s, name) : NULL;
    return ca && chy_ca_cert_info(ca, -1, out) ? ca : NULL;
}

/* FNV-1a: tells one certificate from another, no more is asked of it. */
static uint64_t tag_of(struct chy_span der)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < der.n; i++)
        h = (h ^ der.p[i]) * 0x100000001b3u;
    return h;
}

/* RFC 5280 4.2.2.1: caIssuers over HTTP answers with DER. */
void chy_admin_aia(struct chy_exchange *x, void *arg)
{
    const char *file = chy_exchange_param(x, "file");
    struct chy_ca_cert_info c;
    struct chy_err err = {0};
    char etag[32];
    if (!find_cert(arg, file, &c)) {
        chy_fail(&err, CHY_ERROR_FILE_NOT_FOUND, "/aia/%.64s: there is no such CA certificate",
                 file);
        chy_exchange_problem(x, &err);
        return;
    }
    snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)tag_of(c.der));
    chy_exchange_set_header(x, "Cache-Control", "public, max-age=604800");
    chy_exchange_reply_tagged(x, "application/pkix-cert", etag, c.not_before, c.der);
}

/* ---- renewal ---- */
/* A parent that this daemon serves, by its name or its folder: its database is open already. */
static struct chy_ca *served_parent(const struct chy_service *s, const char *parent)
{
    struct stat wanted, st;
    struct chy_ca *ca = chy_service_ca_by_name(s, parent);
    if (ca || stat(parent, &wanted) != 0) return ca;
    for (size_t i = 0; i < s->n_cas; i++) {
        if (stat(chy_ca_dir(s->ca[i]), &st) == 0 && st.st_dev == wanted.st_dev &&
            st.st_ino == wanted.st_ino)
            return s->ca[i];
    }
    return NULL;
}

static chy_hresult run_renew(const struct chy_service *s, struct chy_ca *ca,
                             const struct chy_caller *caller, const cJSON *v, int32_t *index,
                             struct chy_err *err)
{
    struct chy_ca_renew how = {.key_alg = chy_json_str(v, "key", err)};
    int64_t days = 0;
    if (err->code) return err->code;
    how.parent_dir = chy_json_str(v, "parent_dir", err);
    if (err->code) return err->code;
    if (how.parent_dir) how.parent = served_parent(s, how.parent_dir);
    chy_hresult hr = chy_body_flag(v, "new_key", &how.new_key, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "days", 36525, &days, err);
    if (hr == CHY_S_OK && how.key_alg && !how.new_key)
        hr = chy_fail(err, CHY_E_INVALIDARG, "JSON: \"key\" goes with \"new_key\": true");
    how.days = (int)days;
    return hr == CHY_S_OK ? chy_ca_renew(ca, caller, &how, index, err) : hr;
}

void chy_admin_ca_renew(struct chy_exchange *x, void *service)
{
    static const char *const names[] = {"new_key", "key", "days", "parent_dir", NULL};
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_json j;
    cJSON *v = NULL;
    int32_t index = 0;
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    chy_hresult hr = chy_body_read(x, names, &v, &err);
    if (hr == CHY_S_OK) hr = run_renew(service, ca, &caller, v, &index, &err);
    cJSON_Delete(v);
    if (hr != CHY_S_OK) {
        chy_exchange_problem(x, &err);
        return;
    }
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    add_cert(&j, ca, index);
    chy_json_end(&j, '}');
    reply_json(x, &b);
}

static void property_json(struct chy_buf *b, chy_long id, const chy_variant *v)
{
    struct chy_json j;
    chy_json_begin(&j, b);
    chy_json_object(&j, NULL);
    chy_json_add_int(&j, "id", id);
    if (v->vt == CHY_VT_LONG) {
        chy_json_add_int(&j, "long", v->u.l);
    } else if (v->vt == CHY_VT_STR) {
        chy_json_add_span(&j, "string", chy_span_of(v->u.s.p, v->u.s.n));
    } else if (v->vt == CHY_VT_BYTES) {
        struct chy_buf text;
        chy_buf_init(&text, ANSWER_MAX);
        chy_base64_add(&text, chy_span_of(v->u.b.p, v->u.b.n), 0);
        chy_json_add_buf(&j, "binary", &text);
        chy_buf_free(&text);
    }
    chy_json_end(&j, '}');
}

static chy_long number_of(const char *text, chy_long fallback)
{
    char *end;
    if (!text || !*text) return fallback;
    long v = strtol(text, &end, 10);
    return *end || v < INT32_MIN || v > INT32_MAX ? INT32_MIN : (chy_long)v;
}

void chy_admin_ca_property(struct chy_exchange *x, void *arg)
{
    struct chy_ca *ca = chy_service_ca(arg, x);
    chy_variant v = {0};
    struct chy_err err = {0};
    if (!ca) return;
    chy_long id = number_of(chy_exchange_param(x, "id"), 0);
    chy_long index = number_of(chy_exchange_query(x, "index"), 0);
    chy_long type = number_of(chy_exchange_query(x, "type"), CHY_PROPTYPE_STRING);
    if (chy_ca_property(ca, id, index, type, &v, &err) == CHY_S_OK) {
        struct chy_buf b;
        chy_buf_init(&b, ANSWER_MAX);
        property_json(&b, id, &v);
        reply_json(x, &b);
    } else {
        chy_exchange_problem(x, &err);
    }
    chy_variant_clear(&v);
}

static void exit_json(struct chy_json *j, const struct chy_exit_state *e)
{
    chy_json_add_bool(j, "paused", e->paused);
    chy_json_add_bool(j, "synchronous", e->synchronous);
    chy_json_add_int(j, "events_delivered", (int64_t)e->delivered);
    chy_json_add_int(j, "events_waiting", (int64_t)e->backlog);
    chy_json_add_int(j, "events_retrying", (int64_t)e->aside);
    chy_json_add_int(j, "events_failed", (int64_t)e->failed);
    chy_json_add_int(j, "lag_seconds", e->lag_us / CHY_US_PER_S);
}

static void host_json(struct chy_json *j, const struct chy_instance_info *i)
{
    static const char *const states[] = {"up", "up", "restarting", "quarantined"};
    bool child = i->state != CHY_CHILD_NONE;
    chy_json_add_str(j, "host", child ? "process" : "daemon");
    chy_json_add_str(j, "state", i->quarantined ? "quarantined" : states[i->state]);
    if (!child) return;
    chy_json_add_int(j, "pid", i->pid);
    chy_json_add_int(j, "restarts", (int64_t)i->restarts);
    chy_json_add_int(j, "deadline_kills", (int64_t)i->deadline_kills);
    chy_json_add_str(j, "confined", i->confined);
    chy_json_add_str(j, "last_end", i->last_end[0] ? i->last_end : NULL);
}

static void module_json(struct chy_json *j, const struct chy_ca_module *m,
                        const struct chy_exit_state *e)
{
    chy_json_object(j, NULL);
    chy_json_add_str(j, "name", m->name);
    chy_json_add_str(j, "kind", m->is_policy ? "policy" : "exit");
    chy_json_add_bool(j, "loaded", m->loaded);
    chy_json_add_str(j, "error", m->error[0] ? m->error : NULL);
    if (m->info.name) {
        chy_json_add_str(j, "class", m->info.class_name);
        chy_json_add_str(j, "version", m->info.version);
        chy_json_add_str(j, "description", m->description);
        chy_json_add_str(j, "path", m->info.path);
        chy_json_add_str(j, "sha256", m->info.sha256);
        chy_json_add_str(j, "binding", m->info.late_bound ? "late" : "direct");
        chy_json_add_bool(j, "concurrent", m->info.concurrent);
        chy_json_add_bool(j, "quarantined", m->info.quarantined);
        host_json(j, &m->info);
        chy_json_add_int(j, "event_mask", m->event_mask);
        chy_json_add_int(j, "calls", (int64_t)m->info.calls);
        chy_json_add_int(j, "failures", (int64_t)m->info.failures);
        chy_json_add_int(j, "busy_us", (int64_t)m->info.busy_us);
    }
    if (e) exit_json(j, e);
    chy_json_end(j, '}');
}

void chy_admin_modules(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    if (!ca) return;
    chy_service_caller(s, x, ca, &caller);
    if (!(caller.access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN))) {
        chy_fail(&err, CHY_E_ACCESSDENIED, "%s may not look at this CA's modules", caller.name);
        chy_exchange_problem(x, &err);
        return;
    }
    struct chy_ca_module *list = chy_calloc(MAX_MODULES, sizeof(*list));
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_array(&j, "modules");
    size_t n = list ? chy_ca_modules(ca, list, MAX_MODULES) : 0;
    for (size_t i = 0; i < n; i++) {
        struct chy_exit_state e;
        bool is_exit = i && chy_ca_exit_state(ca, i - 1, &e); /* the policy comes first */
        module_json(&j, &list[i], is_exit ? &e : NULL);
    }
    chy_json_end(&j, ']');
    chy_json_end(&j, '}');
    chy_free(list);
    reply_json(x, &b);
}
