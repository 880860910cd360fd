/* Health and metrics. /healthz: the process answers. /readyz: every CA issues. /metrics: Prometheus
 * text. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/json.h"
#include "base/text.h"
#include "ca/events.h"
#include "ocsp/ocsp.h"

enum { METRICS_MAX = 16 << 20 };

void chy_admin_healthz(struct chy_exchange *x, void *service)
{
    (void)service;
    chy_exchange_reply(x, 200, "application/json", CHY_SPAN_STR("{\"alive\":true}"));
}

void chy_admin_readyz(struct chy_exchange *x, void *service)
{
    struct chy_service *s = service;
    struct chy_buf b;
    struct chy_json j;
    bool ready = true, degraded = false;
    chy_buf_init(&b, METRICS_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_array(&j, "cas");
    for (size_t i = 0; i < s->n_cas; i++) {
        struct chy_ca_health h;
        chy_ca_health(s->ca[i], &h);
        ready = ready && !h.trouble;
        chy_json_object(&j, NULL);
        chy_json_add_str(&j, "name", chy_ca_name(s->ca[i]));
        chy_json_add_bool(&j, "ready", !h.trouble);
        chy_json_add_str(&j, "trouble", h.trouble ? h.text : NULL);
        chy_json_add_str(&j, "warnings", h.warnings[0] ? h.warnings : NULL);
        chy_json_end(&j, '}');
        degraded = degraded || h.warnings[0];
    }
    chy_json_end(&j, ']');
    chy_json_add_bool(&j, "ready", ready);
    if (degraded) chy_json_add_bool(&j, "degraded", true);
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, ready ? 200 : 503, "application/json", &b);
    chy_buf_free(&b);
}

static void label(struct chy_buf *b, const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\') chy_buf_add_byte(b, '\\');
        if (*p == '\n') {
            chy_buf_add_str(b, "\\n");
        } else {
            chy_buf_add_byte(b, (uint8_t)*p);
        }
    }
}

static void head(struct chy_buf *b, const char *name, const char *type, const char *help)
{
    chy_buf_addf(b, "# HELP chancery_%s %s\n# TYPE chancery_%s %s\n", name, help, name, type);
}

static void one(struct chy_buf *b, const char *name, const char *ca, const char *extra,
                uint64_t value)
{
    chy_buf_addf(b, "chancery_%s{ca=\"", name);
    label(b, ca);
    chy_buf_addf(b, "\"%s} %llu\n", extra, (unsigned long long)value);
}

static void requests(struct chy_buf *b, const struct chy_service *s)
{
    head(b, "requests_total", "counter", "Requests by outcome since the start");
    for (size_t i = 0; i < s->n_cas; i++) {
        struct chy_ca_counters c;
        const char *ca = chy_ca_name(s->ca[i]);
        chy_ca_counters(s->ca[i], &c);
        one(b, "requests_total", ca, ",outcome=\"issued\"", c.issued);
        one(b, "requests_total", ca, ",outcome=\"pending\"", c.pending);
        one(b, "requests_total", ca, ",outcome=\"denied\"", c.denied);
        one(b, "requests_total", ca, ",outcome=\"failed\"", c.failed);
        one(b, "requests_total", ca, ",outcome=\"refused\"", c.refused);
    }
}

static void engine(struct chy_buf *b, const struct chy_service *s)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
        bool wide;
    } rows[] = {
        {"store_commits_total", "counter", "Durable commits",
         offsetof(struct chy_ca_counters, commits), true},
        {"store_records_total", "counter", "Records in them",
         offsetof(struct chy_ca_counters, records), true},
        {"store_backlog", "gauge", "Records waiting for the writer",
         offsetof(struct chy_ca_counters, store_backlog), false},
        {"queue_length", "gauge", "Work waiting for a thread",
         offsetof(struct chy_ca_counters, queue_length), false},
        {"exit_calls_total", "counter", "Calls of exit modules",
         offsetof(struct chy_ca_counters, exit_calls), true},
        {"exit_failures_total", "counter", "Failed ones",
         offsetof(struct chy_ca_counters, exit_failures), true},
        {"exit_backlog", "gauge", "Exit events owed",
         offsetof(struct chy_ca_counters, outbox_backlog), true},
        {"lint_errors_total", "counter", "Certificates that lint stopped",
         offsetof(struct chy_ca_counters, lint_errors), true},
    };
    for (size_t r = 0; r < CHY_ARRAY_LEN(rows); r++) {
        head(b, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < s->n_cas; i++) {
            struct chy_ca_counters c;
            chy_ca_counters(s->ca[i], &c);
            const void *at = (const char *)&c + rows[r].offset;
            uint64_t v = rows[r].wide ? *(const uint64_t *)at : *(const uint32_t *)at;
            one(b, rows[r].name, chy_ca_name(s->ca[i]), "", v);
        }
    }
    head(b, "ready", "gauge", "1 while the CA issues");
    for (size_t i = 0; i < s->n_cas; i++) {
        struct chy_ca_health h;
        chy_ca_health(s->ca[i], &h);
        one(b, "ready", chy_ca_name(s->ca[i]), "", !h.trouble);
    }
}

/* ---- exit modules ---- */
static double exit_value(const struct chy_exit_state *e, size_t row)
{
    switch (row) {
    case 0: return (double)e->delivered;
    case 1: return (double)e->backlog;
    case 2: return (double)e->aside;
    case 3: return (double)e->failed;
    case 4: return (double)e->lag_us / (double)CHY_US_PER_S;
    default: return e->loaded && !e->paused;
    }
}

static void exits(struct chy_buf *b, const struct chy_service *s)
{
    static const char *const rows[][3] = {
        {"exit_delivered_total", "counter", "Events that a module took"},
        {"exit_waiting", "gauge", "Events that wait for it"},
        {"exit_retrying", "gauge", "Those of them that it refused before"},
        {"exit_failed", "gauge", "Events that were given up"},
        {"exit_lag_seconds", "gauge", "Age of the event that comes next"},
        {"exit_up", "gauge", "1 while it is loaded and not paused"},
    };
    for (size_t r = 0; r < CHY_ARRAY_LEN(rows); r++) {
        head(b, rows[r][0], rows[r][1], rows[r][2]);
        for (size_t c = 0; c < s->n_cas; c++) {
            struct chy_exit_state e;
            for (size_t i = 0; chy_ca_exit_state(s->ca[c], i, &e); i++) {
                chy_buf_addf(b, "chancery_%s{ca=\"", rows[r][0]);
                label(b, chy_ca_name(s->ca[c]));
                chy_buf_add_str(b, "\",module=\"");
                label(b, e.name);
                chy_buf_addf(b, "\"} %.15g\n", exit_value(&e, r));
            }
        }
    }
}

/* ---- modules ---- */
static uint64_t module_value(const struct chy_instance_info *i, size_t row)
{
    switch (row) {
    case 0: return i->calls;
    case 1: return i->failures;
    case 2: return i->restarts;
    case 3: return i->deadline_kills;
    default: return i->quarantined;
    }
}

static void modules(struct chy_buf *b, const struct chy_service *s)
{
    static const char *const rows[][3] = {
        {"module_calls_total", "counter", "Calls of a module"},
        {"module_failures_total", "counter", "Failed ones"},
        {"module_restarts_total", "counter", "Processes that took a failed one's place"},
        {"module_deadline_kills_total", "counter", "Processes ended because a call overran"},
        {"module_quarantined", "gauge", "1 when it is out of use"},
    };
    struct chy_instance_info info[CHY_CA_MODULES_MAX];
    for (size_t r = 0; r < CHY_ARRAY_LEN(rows); r++) {
        head(b, rows[r][0], rows[r][1], rows[r][2]);
        for (size_t i = 0; i < s->n_cas; i++) {
            size_t n = chy_ca_module_infos(s->ca[i], info, CHY_ARRAY_LEN(info));
            for (size_t k = 0; k < n; k++) {
                char extra[64];
                snprintf(extra, sizeof(extra), ",module=\"%s\"", info[k].name);
                one(b, rows[r][0], chy_ca_name(s->ca[i]), extra, module_value(&info[k], r));
            }
        }
    }
}

/* ---- CRLs ---- */
static double crl_value(const struct chy_crl_info *c, size_t row, chy_time now)
{
    const struct chy_crl_record *r = &c->record;
    const double us = (double)CHY_US_PER_S;
    switch (row) {
    case 0: return (double)r->number;
    case 1: return (double)r->entries;
    case 2: return (double)r->size;
    case 3: return (double)(now - r->this_publish) / us;
    case 4: return (double)(r->next_update - now) / us;
    case 5: return (double)r->sign_us / us;
    default: return c->overdue;
    }
}

static void crl_rows(struct chy_buf *b, const char *ca, const char *name,
                     const struct chy_crl_info *list, size_t n, size_t row)
{
    chy_time now = chy_now(&chy_system_clock);
    for (size_t i = 0; i < n; i++) {
        chy_buf_addf(b, "chancery_%s{ca=\"", name);
        label(b, ca);
        chy_buf_add_str(b, "\",crl=\"");
        label(b, list[i].name);
        chy_buf_addf(b, "\"} %.15g\n", crl_value(&list[i], row, now));
    }
}

static void crls(struct chy_buf *b, const struct chy_service *s)
{
    static const char *const rows[][2] = {
        {"crl_number", "Number of the current CRL"},
        {"crl_entries", "Certificates on it"},
        {"crl_size_bytes", "Its octets"},
        {"crl_age_seconds", "Since it was published"},
        {"crl_next_update_seconds", "Left until its end; negative: it has lapsed"},
        {"crl_sign_seconds", "What making it took"},
        {"crl_overdue", "1 when its successor is late"},
    };
    struct chy_crl_info *list[CHY_SERVICE_MAX_CAS];
    size_t n[CHY_SERVICE_MAX_CAS];
    for (size_t i = 0; i < s->n_cas; i++)
        n[i] = chy_admin_crls(s->ca[i], &list[i]);
    for (size_t r = 0; r < CHY_ARRAY_LEN(rows); r++) {
        head(b, rows[r][0], "gauge", rows[r][1]);
        for (size_t i = 0; i < s->n_cas; i++)
            crl_rows(b, chy_ca_name(s->ca[i]), rows[r][0], list[i], n[i], r);
    }
    for (size_t i = 0; i < s->n_cas; i++)
        chy_free(list[i]);
}

static uint64_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void process(struct chy_buf *b, struct chy_service *s)
{
    struct chy_net_counters n;
    struct rusage ru;
    chy_net_counters(s->net, &n);
    getrusage(RUSAGE_SELF, &ru);
    head(b, "http_requests_total", "counter", "HTTP requests");
    chy_buf_addf(b, "chancery_http_requests_total %llu\n", (unsigned long long)n.requests);
    head(b, "http_responses_total", "counter", "HTTP answers by class");
    for (int i = 2; i <= 5; i++) {
        chy_buf_addf(b, "chancery_http_responses_total{class=\"%dxx\"} %llu\n", i,
                     (unsigned long long)n.status_class[i]);
    }
    head(b, "http_connections", "gauge", "Open connections");
    chy_buf_addf(b, "chancery_http_connections %u\n", n.open_connections);
    head(b, "http_refused_total", "counter", "Connections and requests refused for what they were");
    chy_buf_addf(b, "chancery_http_refused_total %llu\n", (unsigned long long)n.refused);
    head(b, "http_evicted_total", "counter", "Connections closed to make room for others");
    chy_buf_addf(b, "chancery_http_evicted_total %llu\n", (unsigned long long)n.evicted);
    head(b, "tls_handshakes_total", "counter", "TLS handshakes");
    chy_buf_addf(b, "chancery_tls_handshakes_total %llu\n", (unsigned long long)n.tls_handshakes);
    head(b, "process_cpu_seconds_total", "counter", "CPU time of the process");
    chy_buf_addf(b, "chancery_process_cpu_seconds_total %.6f\n",
                 (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                     (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
    head(b, "process_resident_bytes", "gauge", "Resident memory");
    chy_buf_addf(b, "chancery_process_resident_bytes %llu\n", (unsigned long long)resident_bytes());
}

static void ocsp(struct chy_buf *b, const struct chy_service *s)
{
    struct chy_ocsp_counters c;
    if (!s->ocsp) return;
    chy_ocsp_counters(s->ocsp, &c);
    const struct {
        const char *status;
        const uint64_t *n;
    } rows[] = {{"good", c.good}, {"revoked", c.revoked}, {"unknown", c.unknown}};
    head(b, "ocsp_responses_total", "counter", "Certificates that OCSP told about");
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        for (int way = CHY_OCSP_SIGNED; way <= CHY_OCSP_CACHED; way++) {
            chy_buf_addf(b, "chancery_ocsp_responses_total{status=\"%s\",cached=\"%d\"} %llu\n",
                         rows[i].status, way == CHY_OCSP_CACHED,
                         (unsigned long long)rows[i].n[way]);
        }
    }
    const struct {
        const char *error;
        uint64_t n;
    } errors[] = {{"malformed", c.malformed},
                  {"unauthorized", c.unauthorized},
                  {"try_later", c.try_later},
                  {"internal_error", c.internal_error}};
    head(b, "ocsp_errors_total", "counter", "OCSP answers that say only that");
    for (size_t i = 0; i < CHY_ARRAY_LEN(errors); i++)
        chy_buf_addf(b, "chancery_ocsp_errors_total{error=\"%s\"} %llu\n", errors[i].error,
                     (unsigned long long)errors[i].n);
    head(b, "ocsp_cache_entries", "gauge", "OCSP answers kept");
    chy_buf_addf(b, "chancery_ocsp_cache_entries %llu\n", (unsigned long long)c.entries);
    head(b, "ocsp_cache_bytes", "gauge", "And their octets");
    chy_buf_addf(b, "chancery_ocsp_cache_bytes %llu\n", (unsigned long long)c.octets);
}

void chy_admin_metrics(struct chy_exchange *x, void *service)
{
    struct chy_service *s = service;
    struct chy_buf b;
    chy_buf_init(&b, METRICS_MAX);
    requests(&b, s);
    engine(&b, s);
    exits(&b, s);
    modules(&b, s);
    crls(&b, s);
    ocsp(&b, s);
    process(&b, s);
    chy_exchange_reply_buf(x, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    chy_buf_free(&b);
}
