/* The engine: one struct chy_ca per certificate authority. Everything that wants a certificate
 * comes through chy_ca_submit; no other way reaches the key (P7).
 *
 * Life of a request: intake (parse, proof of possession, policy) on a worker; the intent made
 * durable by the store's writer; the signature on a worker; certificate, final state and owed exit
 * events made durable in one transaction; then, and not before, the completion. Exit modules are
 * called by one dispatcher thread per CA from the durable outbox. Thread: any may call; completions
 * come on an engine thread and must not block. */
#ifndef CHY_CA_CA_H
#define CHY_CA_CA_H

#include "base/base.h"
#include "base/sys.h"
#include "module/module.h"
#include "store/store.h"

struct chy_ca;
struct chy_evidence;
struct chy_workers;

/* ---- threads shared by all CAs of a daemon ---- */
CHY_MUST_USE chy_hresult chy_workers_new(unsigned n, struct chy_workers **out, struct chy_err *err);
void chy_workers_free(struct chy_workers *w); /* after every CA was closed */
/* Runs fn on a worker, in order of arrival with everything else; false when the queue is full. */
bool chy_workers_run(struct chy_workers *w, void (*fn)(void *arg), void *arg);

/* ---- making and opening ---- */
/* What making a CA has at hand and opening it wants: for who does both at once. */
struct chy_ca_made {
    struct chy_key *key;
    struct chy_store *store;
};

struct chy_ca_init {
    const char *dir; /* the CA's own folder: made, must not hold a CA yet */
    const char *common_name;
    const char *subject; /* RFC 4514; NULL: CN=common_name */
    const char *key_alg; /* "p256" … */
    const char *sig_alg; /* NULL: the key's default */
    int days;
    int path_len; /* -1: none */
    const struct chy_clock *clock;
    const char *const
        *permitted; /* name constraints as text "dns:test", "ip:10.0.0.0/8"; NULL-ended or NULL */
    const char *parent_dir; /* NULL: self-signed; else the folder of a CA of ours that signs it */
    struct {
        const char *path, *json;
    } setting[32];            /* first configuration, ended by path NULL */
    struct chy_ca_made *made; /* NULL: all is closed; else for chy_ca_options, when all went well */
};
CHY_MUST_USE chy_hresult chy_ca_create(const struct chy_ca_init *init, struct chy_err *err);

struct chy_ca_options {
    const char *dir;
    const char *host; /* of the config string */
    const char *module_dir;
    const char *modhost; /* absolute path of chancery-modhost; NULL: modules run here only */
    struct chy_workers *workers;
    const struct chy_clock *clock;
    bool throwaway; /* modules may be owned by anybody; nothing else changes */
    unsigned cache_kib;
    struct chy_ca_made *made; /* NULL: read from dir; else taken over, whatever comes of it */
};
/* Opens the store, settles what a crash left, loads the modules. A missing or broken policy module
 * does not fail the opening: the CA is there, does not serve, and says why (chy_ca_health). */
CHY_MUST_USE chy_hresult chy_ca_open(const struct chy_ca_options *options, struct chy_ca **out,
                                     struct chy_err *err);
/* No new work, finish what runs, exits told of the shutdown, policy shut down, store closed. */
void chy_ca_close(struct chy_ca *ca);

/* ---- who asks ---- */
struct chy_caller {
    const char *name; /* "host\\user", "token", "anonymous@127.0.0.1" */
    uint32_t access;  /* CHY_CA_ACCESS_* */
};

/* ---- the one door ---- */
struct chy_submission {
    struct chy_caller caller;
    struct chy_span request;    /* DER, PEM or base64; copied */
    int32_t flags;              /* CHY_CR_IN_* as ICertRequest::Submit */
    struct chy_span attributes; /* "Name:Value\n…"; copied */
    /* Everything but the intent, the signature and what is stored: modules see request id 0 and the
     * request property DryRun. */
    bool dry_run;
};

struct chy_outcome {
    chy_hresult status;          /* of the call: negative and no id: nothing was stored */
    struct chy_err err;          /* when status or request_status is negative */
    int32_t request_id;          /* 0: none was given */
    int32_t disposition;         /* CHY_DB_DISP_* */
    chy_hresult request_status;  /* the row's StatusCode */
    struct chy_span message;     /* the row's text */
    struct chy_span serial;      /* content octets */
    struct chy_span certificate; /* DER; empty unless issued */
    /* of a dry run, which has neither id nor serial nor certificate */
    bool dry_run;
    struct chy_span tbs; /* the TBSCertificate that would be signed, but for its serial */
    const struct chy_evidence *evidence;
    chy_time decided_when;
};
/* Spans of the outcome are valid during the callback. */
typedef void (*chy_outcome_cb)(const struct chy_outcome *outcome, void *arg);

void chy_ca_submit(struct chy_ca *ca, const struct chy_submission *s, chy_outcome_cb done,
                   void *arg);

/* ---- officers; ICertAdmin's rules (only pending rows, except resubmit by an administrator) ----
 */
void chy_ca_resubmit(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                     chy_outcome_cb done, void *arg);
void chy_ca_deny(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                 chy_outcome_cb done, void *arg);
void chy_ca_set_attributes(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                           struct chy_span attributes, chy_outcome_cb done, void *arg);
void chy_ca_set_extension(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                          const char *oid, chy_long type, chy_long flags, const chy_variant *value,
                          chy_outcome_cb done, void *arg);

/* "issued", "pending" …; "request", "policy", "admin", "server" */
const char *chy_disposition_name(int32_t disposition);
const char *chy_extension_origin(int32_t flags);

/* ---- reading: synchronous, a few microseconds; rows live in the arena ---- */
CHY_MUST_USE chy_hresult chy_ca_request(struct chy_ca *ca, const struct chy_caller *caller,
                                        int32_t id, struct chy_arena *a, struct chy_row *out,
                                        struct chy_err *err);
CHY_MUST_USE chy_hresult chy_ca_certificate(struct chy_ca *ca, const struct chy_caller *caller,
                                            struct chy_span serial, struct chy_arena *a,
                                            struct chy_row *out, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_ca_query(struct chy_ca *ca, const struct chy_caller *caller,
                                      const struct chy_query *q, chy_row_cb cb, void *arg,
                                      struct chy_err *err);
/* Why a request came out as it did, oldest decision first: for who may list requests. */
CHY_MUST_USE chy_hresult chy_ca_evidence(struct chy_ca *ca, const struct chy_caller *caller,
                                         int32_t id,
                                         bool (*cb)(const struct chy_evidence_row *e, void *arg),
                                         void *arg, struct chy_err *err);
/* A pending request was fetched with its certificate: EXITEVENT_CERTRETRIEVEPENDING. */
void chy_ca_retrieved(struct chy_ca *ca, int32_t id);

const char *chy_ca_name(const struct chy_ca *ca); /* common name */
const char *chy_ca_sanitized_name(const struct chy_ca *ca);
const char *chy_ca_sanitized_short_name(const struct chy_ca *ca);
const char *chy_ca_config_string(const struct chy_ca *ca); /* HOST\NAME */
const char *chy_ca_dir(const struct chy_ca *ca);
struct chy_span chy_ca_cert_der(const struct chy_ca *ca);
struct chy_span chy_ca_chain_pem(
    const struct chy_ca *ca); /* CA certificate first, then its issuers */
bool chy_ca_name_matches(const struct chy_ca *ca,
                         const char *name); /* full, sanitized or short; without case */
bool chy_ca_anonymous_may_submit(const struct chy_ca *ca);
/* CR_PROP_*: ICertRequest2::GetCAProperty. Strings and bytes are freed with chy_variant_clear. */
CHY_MUST_USE chy_hresult chy_ca_property(struct chy_ca *ca, chy_long id, chy_long index,
                                         chy_long type, chy_variant *out, struct chy_err *err);

/* ---- configuration: a tree of JSON values, kept in the store, effective at once where it can be
 * ---- */
CHY_MUST_USE chy_hresult chy_ca_config_get(struct chy_ca *ca, const struct chy_caller *caller,
                                           const char *path, struct chy_buf *json,
                                           struct chy_err *err);
/* json NULL removes. Known settings are checked for type and range; needs ADMIN. Waits for the
 * disk. */
CHY_MUST_USE chy_hresult chy_ca_config_set(struct chy_ca *ca, const struct chy_caller *caller,
                                           const char *path, const char *json, struct chy_err *err);
/* {"path": value, …} of all below prefix ("" for all); is_set tells a stored value from a default.
 */
CHY_MUST_USE chy_hresult chy_ca_config_list(struct chy_ca *ca, const struct chy_caller *caller,
                                            const char *prefix,
                                            bool (*cb)(const char *path, const char *json,
                                                       bool is_set, void *arg),
                                            void *arg, struct chy_err *err);

/* ---- modules, health, counters ---- */
struct chy_ca_module {
    struct chy_instance_info info;
    bool is_policy;
    bool loaded; /* false: error tells why */
    chy_long event_mask;
    const char *name; /* also when not loaded */
    char description[256];
    char error[480];
};
size_t chy_ca_modules(struct chy_ca *ca, struct chy_ca_module *out, size_t max);
/* Of those that are loaded, without asking them anything. */
enum { CHY_CA_MODULES_MAX = 17 };
size_t chy_ca_module_infos(struct chy_ca *ca, struct chy_instance_info *out, size_t max);
/* The module's file as it is now, without a restart, where it has a process of its own (*code);
 * else its settings again. Needs ADMIN. Waits for the module. */
CHY_MUST_USE chy_hresult chy_ca_module_reload(struct chy_ca *ca, const struct chy_caller *caller,
                                              const char *name, bool *code,
                                              struct chy_instance_info *now, struct chy_err *err);

enum chy_ca_trouble { /* why it does not issue; several may hold */
                      CHY_TROUBLE_POLICY = 1,
                      CHY_TROUBLE_STORE = 2,
                      CHY_TROUBLE_CLOCK = 4,
                      CHY_TROUBLE_CA_CERT = 8,
                      CHY_TROUBLE_CLOSING = 16,
                      CHY_TROUBLE_KEY = 32,
                      CHY_TROUBLE_PUBLICATION = 64
};
struct chy_ca_health {
    uint32_t trouble;    /* 0: serving */
    char text[480];      /* one sentence per reason */
    char warnings[1024]; /* what works less than it should: exit modules, CA near its end */
    bool new_outbox_backlog;
};
void chy_ca_health(struct chy_ca *ca, struct chy_ca_health *out);

struct chy_ca_counters {
    uint64_t submitted, issued, pending, denied, failed,
        refused; /* refused: before an id was given */
    uint64_t exit_calls, exit_failures, outbox_backlog;
    uint64_t commits, records;
    uint64_t lint_errors;
    uint32_t queue_length, store_backlog;
};
void chy_ca_counters(struct chy_ca *ca, struct chy_ca_counters *out);

#endif
