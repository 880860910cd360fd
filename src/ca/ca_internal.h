/* What the files of the engine share: the CA itself, its settings, and the steps of the pipeline.
 * Nothing outside ca/ includes this. */
#ifndef CHY_CA_INTERNAL_H
#define CHY_CA_INTERNAL_H

#include <stdatomic.h>

#include "ca/authority.h"
#include "ca/crl_plan.h"
#include "ca/exit.h"
#include "ca/request.h"
#include "ca/revocation.h"
#include "ca/urls.h"
#include "pki/key_list.h"

enum {
    CHY_CA_MAX_EXITS = 16,
    CHY_CA_MAX_CHAIN = 8,
    CHY_CA_IDS_PER_BLOCK = 4096,
    CHY_CA_FREE_REQUESTS = 256,
    CHY_CA_EXIT_QUEUE_MAX = 256,
    CHY_CA_BLOCKLIST_MAX = 4096
};

/* What configuration says, made once per change; shared, immutable. */
struct chy_settings {
    atomic_uint refs;
    int64_t validity_s;                /* ValidityPeriod(Units) */
    int64_t clock_skew_s;              /* ClockSkewMinutes */
    int64_t clock_jump_s;              /* ClockJumpSeconds */
    int32_t clock_accepted;            /* ClockAccepted */
    int subject_order[CHY_NAME_PROPS]; /* SubjectTemplate: indices into chy_name_props */
    size_t n_subject_order;
    bool subject_as_requested;             /* SubjectTemplate is empty */
    bool enforce_name_lengths;             /* EnforceX500NameLengths */
    bool anonymous_submit;                 /* AnonymousSubmit */
    bool pend_on_policy_failure;           /* PolicyFailureDisposition = pend */
    const struct chy_authority *authority; /* the newest: what is encoded below is of it */
    struct chy_url_list crl_urls, aia_urls, ocsp_urls;
    char *config_dn, *domain_dn;     /* DSConfigDN, DSDomainDN: for tokens of addresses */
    struct chy_buf cdp_der, aia_der; /* extension values, for shard 0 */
    struct chy_crl_settings crl;
    struct chy_ca_ocsp_settings ocsp;
    bool ocsp_by_ca_key;    /* OCSPSigner = ca */
    char *keep_expired[16]; /* EKUOIDsForPublishExpiredCertInCRL */
    size_t n_keep_expired;
    enum { CHY_CHECK_WARN, CHY_CHECK_REQUIRE, CHY_CHECK_NO } check_publication;
    uint8_t (*blocked_spki)[32]; /* KeyBlocklist: SHA-256 of SubjectPublicKeyInfo */
    size_t n_blocked;
    struct chy_key_list *blocked_file; /* KeyBlocklistFile; NULL: none */
    unsigned gn_flags;                 /* CHY_GN_ALLOW_* */
    char *policy;                      /* PolicyModules/Active */
    char *exits[CHY_CA_MAX_EXITS];     /* ExitModules/Active */
    size_t n_exits;
    unsigned module_timeout_ms;
    int64_t exit_retry_s, exit_give_up_s; /* ExitRetrySeconds, ExitGiveUpSeconds */
    enum chy_binding binding;
    uint8_t fingerprint[8];     /* of the whole configuration */
    char *signed_attributes[8]; /* SignedAttributes */
    size_t n_signed_attributes;
};

struct chy_config; /* config.c: the tree */

struct chy_ca {
    char *dir, *host, *module_dir, *modhost;
    const struct chy_clock *clock;
    struct chy_workers *workers;
    bool throwaway;
    bool is_new;  /* made just now, and handed over as it is */
    bool replays; /* opened to read: decisions are played again as of their own time */

    struct chy_store *store;
    struct chy_config *config;
    pthread_mutex_t settings_lock;
    struct chy_settings *settings;

    struct chy_key *made_key; /* of the first certificate, for who made it just now */
    struct chy_authority *authority[CHY_CA_MAX_CERTS]; /* one per certificate, the newest last */
    atomic_size_t n_authorities;
    pthread_mutex_t renew_lock;
    char *name, *sanitized, *short_name, *config_string;
    char event_prefix[17]; /* of EventID: which CA, for ever */

    struct chy_modules *modules;
    struct chy_instance *policy;
    char policy_error[480];
    struct chy_exit_slot exits[CHY_CA_MAX_EXITS];
    size_t n_exits;

    pthread_mutex_t id_lock;
    int32_t next_id, id_ceiling;

    pthread_mutex_t lock; /* free list, ids in work, drain */
    pthread_cond_t idle;
    struct chy_request *free_list;
    size_t n_free, in_flight;
    int32_t *busy_id;
    size_t n_busy, busy_cap;
    bool closing;

    pthread_mutex_t replay_lock;
    struct chy_node *uncrossed; /* crossings-off whose write failed, under lock */
    atomic_bool crls_settling;  /* records of CRLs are being committed and not yet taken over */
    atomic_uint apart;          /* who is between chy_outbox_apart and chy_outbox_together */
    /* answers that synchronous exit modules hold back */
    pthread_t sync_thread;
    bool sync_runs, sync_stops; /* sync_stops under sync_lock */
    pthread_mutex_t sync_lock;
    pthread_cond_t sync_wake;
    atomic_size_t n_held;

    struct chy_publisher *publisher;
    struct chy_ocsp_signers *ocsp_signers;
    struct chy_check *check;
    void (*_Atomic on_change)(struct chy_ca *ca, struct chy_span serial, void *arg);
    void *on_change_arg;

    /* health */
    atomic_uint trouble;
    pthread_mutex_t health_lock;
    char store_error[240], clock_error[240], key_error[240];
    atomic_bool store_starved; /* what the store lacked was memory */
    pthread_mutex_t clock_lock;
    chy_time wall_at_start, last_known;
    int32_t last_known_id; /* the request that says so */
    int64_t mono_at_start;
    atomic_bool unsettled; /* an intent was left for later */
    pthread_t healer;
    bool healer_runs;
    pthread_cond_t healer_wake;

    _Atomic uint64_t submitted, issued, pending, denied, failed, refused, lint_errors;
};

/* The newest certificate: what is issued from now on is issued with it. */
static inline const struct chy_authority *chy_ca_current(const struct chy_ca *ca)
{
    return ca->authority[atomic_load(&ca->n_authorities) - 1];
}
/* NULL: there is none of that number (CHY_ROW's issuer_index). */
/* Reads the next certificate of the folder and makes it the newest. key: taken over; NULL: read. */
CHY_MUST_USE chy_hresult chy_ca_add_authority(struct chy_ca *ca, struct chy_key *key,
                                              struct chy_err *err);
const struct chy_authority *chy_ca_authority(const struct chy_ca *ca, int32_t issuer_index);

/* ca.c: beside the daemon: no lock, no private key, no thread, no module */
CHY_MUST_USE chy_hresult chy_ca_open_to_read(const struct chy_ca_options *options,
                                             struct chy_ca **out, struct chy_err *err);
void chy_ca_close_to_read(struct chy_ca *ca);

/* settings.c */
CHY_MUST_USE chy_hresult chy_settings_make(struct chy_ca *ca, struct chy_settings **out,
                                           struct chy_err *err);
struct chy_settings *chy_settings_get(struct chy_ca *ca);
/* The new settings count from now on; takes over the reference. */
void chy_settings_take(struct chy_ca *ca, struct chy_settings *made);
/* The newest certificate changed: what the settings encode of it is made anew. */
CHY_MUST_USE chy_hresult chy_settings_remake(struct chy_ca *ca, struct chy_err *err);
void chy_settings_place(const struct chy_ca *ca, const struct chy_settings *s,
                        const struct chy_authority *a, struct chy_url_place *out);
/* The CRL distribution points of a certificate; nothing where there are none. */
CHY_MUST_USE chy_hresult chy_settings_cdp(const struct chy_ca *ca, const struct chy_settings *s,
                                          const struct chy_authority *a, int32_t shard,
                                          struct chy_buf *out, struct chy_err *err);
void chy_settings_unref(struct chy_settings *s);

/* config.c */
CHY_MUST_USE chy_hresult chy_config_load(struct chy_store *store, struct chy_config **out,
                                         struct chy_err *err);
void chy_config_free(struct chy_config *c);
/* The stored value or the default, as JSON text copied into out; S_FALSE when there is neither. */
chy_hresult chy_config_value(struct chy_config *c, const char *path, struct chy_buf *out,
                             bool *is_set);
/* *json, an own string or NULL for none, becomes the value, and what was the value comes out: a
 * second call undoes the first, and that one needs no memory and cannot fail. */
chy_hresult chy_config_swap(struct chy_config *c, const char *path, char **json,
                            struct chy_err *err);
/* Tells two configurations apart: of what is stored, whatever its order in time. */
CHY_MUST_USE chy_hresult chy_config_fingerprint(struct chy_config *c, uint8_t out[8],
                                                struct chy_err *err);
bool chy_config_next(struct chy_config *c, const char *prefix, const char *after,
                     struct chy_buf *path);
/* Type, range and name of a setting of ours; unknown names below a module's folder are the
 * module's. */
CHY_MUST_USE chy_hresult chy_config_check(const char *path, const char *json, struct chy_err *err);

/* modules_of_ca.c */
void chy_ca_load_modules(struct chy_ca *ca);
void chy_ca_close_modules(struct chy_ca *ca);
void chy_ca_pause_modules(struct chy_ca *ca); /* as Modules/NAME/Paused has it now */
chy_hresult chy_module_get_setting(void *ca, const char *location, const char *name,
                                   chy_variant *out);
chy_hresult chy_module_next_setting(void *ca, const char *location, const char *after,
                                    chy_str *out);
/* Settings of a module changed: ICertManageModule::Configure(CMM_REFRESHONLY). */
void chy_ca_refresh_module(struct chy_ca *ca, const char *path);
/* module_place.c: where a module runs; texts keeps what out lends until it is cleared. */
struct chy_place_texts {
    chy_variant user, read, write;
};
void chy_ca_module_place(struct chy_ca *ca, const char *module, struct chy_place_texts *texts,
                         struct chy_place *out);
void chy_place_texts_clear(struct chy_place_texts *t);
void chy_ca_child_changed(void *ca); /* thread: a child's supervisor */

/* pipeline.c: the steps, in order */
void chy_pipeline_start(struct chy_request *r);  /* any thread */
void chy_pipeline_finish(struct chy_request *r); /* final row durable, or refused: completes */
void chy_pipeline_conclude(struct chy_request *r, int32_t disposition, chy_hresult status,
                           const char *message);
void chy_pipeline_write_final(struct chy_request *r);
void chy_pipeline_refuse(struct chy_request *r); /* r->err says why; nothing is stored */
/* intake.c */
void chy_intake_run(struct chy_request *r, struct chy_worker *w);
void chy_intake_decide(struct chy_request *r, struct chy_worker *w); /* policy and what follows */
void chy_intake_expired(void *request, void *arg);
/* issue.c */
/* tbs, linted, whatever the CA's health, which r need not have. gn_flags: CHY_GN_ALLOW_*. */
CHY_MUST_USE chy_hresult chy_issue_build(struct chy_request *r, unsigned gn_flags, chy_time now);
void chy_issue_write_intent(struct chy_request *r);
void chy_issue_sign(struct chy_request *r, struct chy_worker *w);
void chy_issue_say(struct chy_request *r); /* its conclusion: it is issued */
/* dry_run.c: instead of the intent, and of the final row */
void chy_dry_run_end(struct chy_request *r);
void chy_dry_run_outcome(const struct chy_request *r, struct chy_outcome *o);
/* officer.c */
void chy_officer_run(struct chy_request *r, struct chy_worker *w);
/* settle.c: intents that a stop left behind */
CHY_MUST_USE chy_hresult chy_settle(struct chy_ca *ca, struct chy_err *err);
/* outbox.c, exit_cross.c, exit_tell.c */
CHY_MUST_USE chy_hresult chy_outbox_start(struct chy_ca *ca, struct chy_err *err);
void chy_outbox_stop(struct chy_ca *ca);
void chy_outbox_owe(struct chy_request *r); /* fills r->owed from the exits' masks */
/* Fills owed[CHY_CA_MAX_EXITS] with the modules that want the event. */
size_t chy_outbox_owe_event(const struct chy_ca *ca, int32_t event, struct chy_owed *owed);
/* The event was committed, and no request on its way carries it: the dispatchers read it. Thread:
 * any. */
void chy_outbox_behind(struct chy_ca *ca, int32_t event);
/* Around writing events that are not announced by the writer itself, in the order of the commits:
 * until then none is told from memory, or one that was committed before it would be passed over. */
void chy_outbox_apart(struct chy_ca *ca);
void chy_outbox_together(struct chy_ca *ca);
void chy_outbox_give(struct chy_request *r); /* after the commit; takes a reference */
void chy_outbox_healed(
    struct chy_ca *ca); /* storage works again: what could not be crossed off is */
void chy_outbox_fini(struct chy_ca *ca);
void chy_outbox_tell(struct chy_ca *ca, chy_long event,
                     int32_t id); /* events that no row carries */
/* ids.c */
CHY_MUST_USE chy_hresult chy_ids_take(struct chy_ca *ca, int32_t *id, struct chy_err *err);
bool chy_ids_lock(struct chy_ca *ca, int32_t id); /* false: another call works on it */
void chy_ids_unlock(struct chy_ca *ca, int32_t id);
/* request.c: something is on its way, for which the CA waits before it closes */
void chy_ca_enter(struct chy_ca *ca);
void chy_ca_leave(struct chy_ca *ca);
/* health.c */
CHY_MUST_USE chy_hresult chy_health_start(struct chy_ca *ca, struct chy_err *err);
void chy_health_stop(struct chy_ca *ca);
void chy_health_store_failed(struct chy_ca *ca, const struct chy_err *err);
void chy_health_key_failed(struct chy_ca *ca, const struct chy_err *err);
void chy_health_check_policy(struct chy_ca *ca); /* after a call overran its deadline */
/* Is the clock to be trusted (P17)? */
CHY_MUST_USE chy_hresult chy_health_clock(struct chy_ca *ca, struct chy_err *err);
/* May it sign a CRL now? What stops issuing for other reasons does not stop that. */
CHY_MUST_USE chy_hresult chy_health_may_publish(struct chy_ca *ca, struct chy_err *err);
/* May it sign now? E.g. CERTSRV_E_SERVER_SUSPENDED with the reason. */
CHY_MUST_USE chy_hresult chy_health_may_issue(struct chy_ca *ca, struct chy_err *err);
/* request.c */
void chy_request_fire(struct chy_request *r, int32_t disposition); /* the event of a disposition */

/* revoke.c */
CHY_MUST_USE chy_hresult chy_revoke_decide(const struct chy_ca *ca, const struct chy_settings *s,
                                           const struct chy_row *row, const struct chy_revoke *what,
                                           struct chy_revocation *out, struct chy_err *err);
/* What exit modules are told of a change; 0 of a mark, which ends and revokes nothing. */
int32_t chy_revoke_event(int32_t reason);
/* publisher.c: the thread that makes CRLs */
CHY_MUST_USE chy_hresult chy_publisher_start(struct chy_ca *ca, struct chy_err *err);
void chy_publisher_stop(struct chy_ca *ca);
void chy_publisher_free(struct chy_ca *ca);
void chy_publisher_poke(struct chy_ca *ca);    /* settings or the clock changed: look again */
void chy_publisher_revoked(struct chy_ca *ca); /* a certificate's standing changed */
void chy_publisher_retry(struct chy_ca *ca);   /* what kept it from publishing is over */
/* What of publishing works less than it should, as text behind what is there. */
void chy_publisher_warnings(struct chy_ca *ca, char *out, size_t cap);
/* The shard of a certificate about to be issued. */
int32_t chy_publisher_shard(struct chy_ca *ca, const struct chy_settings *s, int32_t request_id);

/* check.c: can be fetched what certificates point to? */
CHY_MUST_USE chy_hresult chy_check_new(struct chy_ca *ca, struct chy_err *err);
void chy_check_poke(struct chy_ca *ca); /* the settings or the certificate changed */
void chy_check_stop(struct chy_ca *ca);
void chy_check_free(struct chy_ca *ca);
bool chy_check_proved(struct chy_ca *ca); /* everything was fetched once */
void chy_check_warnings(struct chy_ca *ca, char *out, size_t cap);

/* ocsp_signer.c */
CHY_MUST_USE chy_hresult chy_ocsp_signers_new(struct chy_ca *ca, struct chy_err *err);
void chy_ocsp_signers_free(struct chy_ca *ca);
/* A certificate's standing changed: it may be a signer's. */
void chy_ocsp_signers_changed(struct chy_ca *ca, struct chy_span serial);

/* props_ca.c */
chy_hresult chy_props_ca(struct chy_ca *ca, struct chy_request *r, const char *location,
                         const char *name, chy_long type, chy_variant *out);

#endif
