/* Revoking (MS-CSRA 3.1.4.1.5, ICertAdmin::RevokeCertificate): what may become of a certificate is
 * decided on its row, and written only while the row is still so; what changed meanwhile is decided
 * anew. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

enum { ATTEMPTS = 8, TOGETHER = 512 };

static chy_hresult may_revoke(const struct chy_caller *caller, struct chy_err *err)
{
    if (caller->access & (CHY_CA_ACCESS_OFFICER | CHY_CA_ACCESS_ADMIN)) return CHY_S_OK;
    return chy_fail(err, CHY_E_ACCESSDENIED, "%s is no officer of this CA", caller->name);
}

/* RFC 5280 5.3.1; 7 is not used, and 8 is what a delta CRL says of a release. */
static bool is_reason(int32_t reason)
{
    return reason >= CHY_REVOKE_DROP_EXPIRED && reason <= CHY_CRL_REASON_AA_COMPROMISE &&
           reason != 7 && reason != CHY_CRL_REASON_REMOVE_FROM_CRL;
}

static chy_hresult refuse(const struct chy_row *row, const char *why, struct chy_err *err)
{
    return chy_fail(err, CHY_ERROR_INVALID_DATA, "the certificate of request %d: %s", row->id, why);
}

static bool is_date(chy_time t)
{
    return t == CHY_TIME_DEFAULT || (t >= CHY_REVOKE_FIRST && t <= CHY_TIME_LAST);
}

chy_hresult chy_revoke_check(const struct chy_revoke *what, struct chy_err *err)
{
    if (!is_reason(what->reason)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "revocation reason %d: 0 to 6, 9 and 10 are expected, or -1 for a release "
                        "from hold",
                        what->reason);
    }
    if (!is_date(what->effective_when))
        return chy_fail(err, CHY_E_INVALIDARG,
                        "date of revocation: from 1970 to 9999, as a CRL can have it (RFC 5280 "
                        "5.1.2.6)");
    if (!is_date(what->invalidity_when))
        return chy_fail(err, CHY_E_INVALIDARG,
                        "invalidity date: from 1970 to 9999 (RFC 5280 "
                        "5.3.2)");
    return CHY_S_OK;
}

static chy_hresult check(const struct chy_row *row, const struct chy_revoke *what, chy_time now,
                         struct chy_err *err)
{
    int32_t reason = what->reason;
    bool revoked = row->disposition == CHY_DB_DISP_REVOKED;
    if (!revoked && row->disposition != CHY_DB_DISP_ISSUED)
        return refuse(row, "it was never issued", err);
    if (reason == CHY_REVOKE_RELEASE &&
        !(revoked && row->revoked_reason == CHY_CRL_REASON_CERTIFICATE_HOLD))
        return refuse(row, "it is not on hold, and only what is on hold can be released", err);
    if (reason == CHY_CRL_REASON_CERTIFICATE_HOLD && revoked &&
        row->revoked_reason != CHY_CRL_REASON_CERTIFICATE_HOLD)
        return refuse(row, "it is revoked for good, and cannot be put on hold", err);
    bool counts = revoked && chy_counts_by(row->revoked_effective_when, row->revoked_when, now);
    if (reason >= 0 && counts && what->effective_when > now)
        return refuse(row,
                      "it is revoked already, and a date ahead would make it good again until then",
                      err);
    return CHY_S_OK;
}

/* A purpose for which signatures outlive the certificate: its revocation must stay to be seen. */
static bool outlives(const struct chy_settings *s, const struct chy_row *row)
{
    struct chy_cert cert;
    struct chy_span purpose[64];
    size_t n = CHY_ARRAY_LEN(purpose);
    if (!s->n_keep_expired || chy_cert_parse(row->raw_certificate, &cert, NULL) != CHY_S_OK)
        return false;
    const struct chy_ext *eku = chy_cert_find_ext(&cert, chy_oid_ext_key_usage);
    if (!eku || !chy_eku_parse(eku->value, purpose, &n)) return false;
    for (size_t i = 0; i < n; i++) {
        char oid[CHY_EXT_OID_TEXT];
        if (!chy_oid_to_text(purpose[i], oid, sizeof(oid))) continue;
        for (size_t k = 0; k < s->n_keep_expired; k++) {
            if (strcmp(oid, s->keep_expired[k]) == 0) return true;
        }
    }
    return false;
}

chy_hresult chy_revoke_decide(const struct chy_ca *ca, const struct chy_settings *s,
                              const struct chy_row *row, const struct chy_revoke *what,
                              struct chy_revocation *out, struct chy_err *err)
{
    chy_time now = chy_now(ca->clock);
    chy_hresult hr = chy_revoke_check(what, err);
    if (hr == CHY_S_OK) hr = check(row, what, now, err);
    if (hr != CHY_S_OK) return hr;
    *out = (struct chy_revocation){.request_id = row->id,
                                   .serial = row->serial,
                                   .issuer_index = row->issuer_index,
                                   .shard = row->shard,
                                   .disposition = row->disposition,
                                   .reason = what->reason,
                                   .revoked_when = now,
                                   .effective_when = row->revoked_effective_when,
                                   .invalidity_when = row->invalidity_when,
                                   .crl_flags = row->crl_flags,
                                   .was_disposition = row->disposition,
                                   .was_reason = row->revoked_reason,
                                   .was_crl_flags = row->crl_flags};
    if (what->reason == CHY_REVOKE_KEEP_EXPIRED) {
        out->crl_flags |= CHY_ROW_CRL_WHEN_EXPIRED;
    } else if (what->reason == CHY_REVOKE_DROP_EXPIRED) {
        out->crl_flags &= ~CHY_ROW_CRL_WHEN_EXPIRED;
    } else if (what->reason == CHY_REVOKE_RELEASE) {
        out->disposition = CHY_DB_DISP_ISSUED;
    } else {
        out->disposition = CHY_DB_DISP_REVOKED;
        out->effective_when = what->effective_when == CHY_TIME_DEFAULT ? now : what->effective_when;
        out->invalidity_when = what->invalidity_when;
        if (outlives(s, row)) out->crl_flags |= CHY_ROW_CRL_WHEN_EXPIRED;
    }
    return CHY_S_OK;
}

int32_t chy_revoke_event(int32_t reason)
{
    if (reason == CHY_REVOKE_KEEP_EXPIRED || reason == CHY_REVOKE_DROP_EXPIRED)
        return CHY_EXITEVENT_INVALID;
    return CHY_EXITEVENT_CERTREVOKED | (reason == CHY_REVOKE_RELEASE ? CHY_EVENT_RELEASE : 0);
}

/* ---- one record of many ---- */
struct change {
    struct chy_write write;
    struct chy_revocation revocation;
    struct chy_owed owed[CHY_CA_MAX_EXITS];
    struct chy_ca *ca;
    uint8_t serial[64];
    char message[CHY_MESSAGE_MAX], author[128];
    /* one alone */
    struct chy_arena arena;
    struct chy_job job;
    struct chy_revoke what;
    int32_t id; /* 0: by serial */
    size_t serial_n;
    int attempts;
    chy_outcome_cb done;
    void *arg;
};

/* What is said of a serial is told anew before anybody hears that it changed. Thread: writer. */
static void changed(struct chy_ca *ca, struct chy_span serial)
{
    void (*fn)(struct chy_ca *, struct chy_span, void *) = atomic_load(&ca->on_change);
    if (fn) fn(ca, serial, ca->on_change_arg);
    chy_ocsp_signers_changed(ca, serial);
    chy_publisher_revoked(ca);
}

static void log_change(const struct chy_ca *ca, const struct chy_revocation *r)
{
    char id[16], reason[16], serial[129] = "";
    if (!chy_log_on(CHY_LOG_LEVEL_INFO)) return;
    snprintf(id, sizeof(id), "%d", r->request_id);
    snprintf(reason, sizeof(reason), "%d", r->reason);
    if (r->serial.n <= 64) chy_hex_cstr(serial, r->serial);
    chy_log(CHY_LOG_LEVEL_INFO,
            r->disposition == CHY_DB_DISP_REVOKED ? "certificate.revoked" : "certificate.released",
            "ca", chy_ca_name(ca), "id", id, "serial", serial, "reason", reason, "by",
            (const char *)r->author.p, NULL);
}

static chy_hresult fill(struct change *c, struct chy_ca *ca, const struct chy_settings *s,
                        const struct chy_caller *caller, const struct chy_row *row,
                        const struct chy_revoke *what, struct chy_err *err)
{
    if (row->serial.n > sizeof(c->serial)) return refuse(row, "its serial is too long", err);
    chy_hresult hr = chy_revoke_decide(ca, s, row, what, &c->revocation, err);
    if (hr != CHY_S_OK) return hr;
    c->ca = ca;
    memcpy(c->serial, row->serial.p, row->serial.n);
    c->revocation.serial = chy_span_of(c->serial, row->serial.n);
    snprintf(c->author, sizeof(c->author), "%s", caller->name);
    snprintf(c->message, sizeof(c->message), "Revoked by %s", c->author);
    c->revocation.author = chy_span_cstr(c->author);
    c->revocation.message = chy_span_cstr(c->message);
    c->write = (struct chy_write){.kind = CHY_WRITE_REVOKE,
                                  .revocation = &c->revocation,
                                  .owed = c->owed,
                                  .when = c->revocation.revoked_when};
    int32_t event = chy_revoke_event(what->reason);
    if (event) c->write.n_owed = chy_outbox_owe_event(ca, event, c->owed);
    return CHY_S_OK;
}

/* Thread: writer. */
static void written(struct chy_ca *ca, const struct change *c)
{
    (void)CHY_FAULT("revoke.after_commit");
    changed(ca, c->revocation.serial);
    log_change(ca, &c->revocation);
    if (c->write.n_owed) chy_outbox_behind(ca, CHY_EXITEVENT_CERTREVOKED);
}

/* ---- one ---- */
static void finish(struct change *c, chy_hresult status, const struct chy_err *err)
{
    struct chy_outcome o = {.status = status};
    if (err) o.err = *err;
    if (status == CHY_S_OK) {
        o.request_id = c->revocation.request_id;
        o.disposition = c->revocation.disposition;
        o.message = c->revocation.message;
        o.serial = c->revocation.serial;
    }
    c->done(&o, c->arg);
    struct chy_ca *ca = c->ca;
    chy_arena_free(&c->arena);
    chy_free(c);
    chy_ca_leave(ca);
}

static void run_one(struct chy_job *job, struct chy_worker *w);

/* Thread: writer. */
static void one_done(struct chy_write *w, void *arg)
{
    struct change *c = arg;
    if (w->result == CHY_S_OK) {
        written(c->ca, c);
        finish(c, CHY_S_OK, NULL);
    } else if (w->result == CHY_ERROR_BUSY && ++c->attempts < ATTEMPTS) {
        chy_workers_continue(c->ca->workers, &c->job);
    } else {
        if (w->result != CHY_ERROR_BUSY) chy_health_store_failed(c->ca, &w->err);
        const struct chy_err err = w->err;
        finish(c, w->result, &err);
    }
}

static chy_hresult read_row(struct change *c, struct chy_row *row, struct chy_err *err)
{
    struct chy_store *store = c->ca->store;
    chy_arena_reset(&c->arena);
    if (c->id) return store->ops->get(store, c->id, &c->arena, row, err);
    chy_hresult hr =
        store->ops->get_by_serial(store, chy_span_of(c->serial, c->serial_n), &c->arena, row, err);
    if (hr != CHY_CERTSRV_E_PROPERTY_EMPTY) return hr;
    chy_err_clear(err);
    return chy_fail(err, CHY_E_INVALIDARG, "no certificate of this CA has this serial number");
}

static void run_one(struct chy_job *job, struct chy_worker *w)
{
    struct change *c = (struct change *)(void *)((char *)job - offsetof(struct change, job));
    struct chy_err err = {0};
    struct chy_row row;
    char author[128];
    (void)w;
    snprintf(author, sizeof(author), "%s", c->author);
    const struct chy_caller caller = {.name = author};
    struct chy_settings *s = chy_settings_get(c->ca);
    chy_hresult hr = read_row(c, &row, &err);
    if (hr == CHY_S_OK) hr = fill(c, c->ca, s, &caller, &row, &c->what, &err);
    chy_settings_unref(s);
    if (hr != CHY_S_OK) {
        finish(c, hr, &err);
        return;
    }
    c->write.done = one_done;
    c->write.arg = c;
    (void)CHY_FAULT("revoke.before_write");
    chy_store_write(c->ca->store, &c->write);
}

static void revoke_one(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                       struct chy_span serial, const struct chy_revoke *what, chy_outcome_cb done,
                       void *arg)
{
    struct chy_outcome o = {0};
    o.status = may_revoke(caller, &o.err);
    struct change *c = o.status == CHY_S_OK ? chy_calloc(1, sizeof(*c)) : NULL;
    if (o.status == CHY_S_OK && !c) o.status = chy_fail_nomem(&o.err, "revocation");
    if (c && serial.n > sizeof(c->serial))
        o.status = chy_fail(&o.err, CHY_E_INVALIDARG, "a serial number of %zu octets", serial.n);
    if (o.status != CHY_S_OK) {
        chy_free(c);
        done(&o, arg);
        return;
    }
    c->ca = ca;
    c->id = id;
    if (serial.n) memcpy(c->serial, serial.p, serial.n);
    c->serial_n = serial.n;
    c->what = *what;
    c->done = done;
    c->arg = arg;
    c->job.run = run_one;
    snprintf(c->author, sizeof(c->author), "%s", caller->name);
    chy_arena_init(&c->arena, 1 << 20);
    chy_ca_enter(ca);
    if (chy_workers_add(ca->workers, &c->job)) return;
    o.status = chy_fail(&o.err, CHY_ERROR_BUSY, "the queue is full: try again in a moment");
    finish(c, o.status, &o.err);
}

void chy_ca_revoke(struct chy_ca *ca, const struct chy_caller *caller, struct chy_span serial,
                   const struct chy_revoke *what, chy_outcome_cb done, void *arg)
{
    revoke_one(ca, caller, 0, serial, what, done, arg);
}

void chy_ca_revoke_id(struct chy_ca *ca, const struct chy_caller *caller, int32_t request_id,
                      const struct chy_revoke *what, chy_outcome_cb done, void *arg)
{
    revoke_one(ca, caller, request_id, (struct chy_span){0}, what, done, arg);
}

/* ---- many ---- */
struct batch {
    struct chy_ca *ca;
    const struct chy_caller *caller;
    struct chy_settings *settings;
    struct chy_revoke_many *many;
    struct change *change;
    size_t n;
    uint32_t seen;
    int32_t last_id;
    struct chy_err *err;
};

/* Nothing changes by it: who goes on where an earlier call was cut off must come to an end. */
static bool is_so_already(const struct chy_row *row, const struct chy_revoke *what)
{
    bool revoked = row->disposition == CHY_DB_DISP_REVOKED;
    bool kept = row->crl_flags & CHY_ROW_CRL_WHEN_EXPIRED;
    if (what->reason == CHY_REVOKE_KEEP_EXPIRED) return kept;
    if (what->reason == CHY_REVOKE_DROP_EXPIRED) return !kept;
    if (what->reason == CHY_REVOKE_RELEASE) return !revoked;
    return revoked && row->revoked_reason == what->reason &&
           (what->effective_when == CHY_TIME_DEFAULT ||
            what->effective_when == row->revoked_effective_when);
}

static bool is_left_alone(const struct chy_row *row, const struct chy_revoke_many *many)
{
    bool revoked = row->disposition == CHY_DB_DISP_REVOKED;
    return (revoked && many->spares_revoked) || is_so_already(row, &many->what);
}

static bool take_row(const struct chy_row *row, void *arg)
{
    struct batch *b = arg;
    struct chy_err why = {0};
    b->seen++;
    b->last_id = row->id;
    if (is_left_alone(row, b->many) || fill(&b->change[b->n], b->ca, b->settings, b->caller, row,
                                            &b->many->what, &why) != CHY_S_OK) {
        b->many->unchanged++;
        return true;
    }
    return ++b->n < TOGETHER;
}

/* The last one is waited for; the others have been decided with it or before. */
static chy_hresult write_batch(struct batch *b)
{
    chy_hresult hr = CHY_S_OK;
    chy_outbox_apart(b->ca);
    for (size_t i = 0; i + 1 < b->n; i++) {
        b->change[i].write.soon = b->n - 1 - i;
        chy_store_write(b->ca->store, &b->change[i].write);
    }
    chy_hresult last =
        b->n ? chy_store_write_wait(b->ca->store, &b->change[b->n - 1].write, NULL) : CHY_S_OK;
    (void)last; /* each says for itself what became of it */
    for (size_t i = 0; i < b->n; i++) {
        const struct chy_write *w = &b->change[i].write;
        if (w->result == CHY_S_OK) {
            written(b->ca, &b->change[i]);
            b->many->changed++;
        } else if (w->result == CHY_ERROR_BUSY) {
            b->many->unchanged++;
        } else if (hr == CHY_S_OK) {
            chy_health_store_failed(b->ca, &w->err);
            hr = chy_fail(b->err, w->result, "%s", w->err.text);
        }
    }
    chy_outbox_together(b->ca);
    return hr;
}

static chy_hresult next_batch(struct batch *b, uint32_t left)
{
    struct chy_query q = b->many->query;
    q.sort = NULL;
    q.descending = false;
    q.after_id = b->last_id;
    q.limit = left;
    q.with_blobs = b->settings->n_keep_expired > 0;
    b->n = 0;
    b->seen = 0;
    chy_hresult hr = b->ca->store->ops->query(b->ca->store, &q, take_row, b, b->err);
    return hr == CHY_S_OK ? write_batch(b) : hr;
}

chy_hresult chy_ca_revoke_many(struct chy_ca *ca, const struct chy_caller *caller,
                               struct chy_revoke_many *many, struct chy_err *err)
{
    enum { LIMIT = 10000 };
    chy_hresult hr = may_revoke(caller, err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_revoke_check(&many->what, err);
    if (hr != CHY_S_OK) return hr;
    struct batch b = {.ca = ca,
                      .caller = caller,
                      .many = many,
                      .last_id = many->after_id,
                      .change = chy_calloc(TOGETHER, sizeof(*b.change)),
                      .err = err};
    if (!b.change) return chy_fail_nomem(err, "revocation");
    b.settings = chy_settings_get(ca);
    uint32_t left = many->limit && many->limit < LIMIT ? many->limit : LIMIT;
    bool more = true;
    while (hr == CHY_S_OK && more && left) {
        hr = next_batch(&b, left);
        more = b.seen == left || b.n == TOGETHER;
        left -= b.seen < left ? b.seen : left;
    }
    many->after_id = more ? b.last_id : 0;
    chy_settings_unref(b.settings);
    chy_free(b.change);
    return hr;
}

chy_hresult chy_ca_count(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_query *q, int64_t *n, struct chy_err *err)
{
    chy_hresult hr = may_revoke(caller, err);
    return hr == CHY_S_OK ? ca->store->ops->count(ca->store, q, n, err) : hr;
}

/* ---- asking ---- */
static chy_hresult may_ask(const struct chy_caller *caller, struct chy_err *err)
{
    if (caller->access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER))
        return CHY_S_OK;
    return chy_fail(err, CHY_E_ACCESSDENIED, "%s may not read from this CA", caller->name);
}

chy_hresult chy_ca_is_valid(struct chy_ca *ca, const struct chy_caller *caller,
                            struct chy_span serial, chy_long *disposition, chy_long *reason,
                            struct chy_err *err)
{
    struct chy_standing s;
    chy_hresult hr = may_ask(caller, err);
    if (hr == CHY_S_OK) hr = chy_ca_standing(ca, serial, &s, err);
    if (hr < CHY_S_OK) return hr;
    bool issued = hr == CHY_S_OK &&
                  (s.disposition == CHY_DB_DISP_ISSUED || s.disposition == CHY_DB_DISP_REVOKED);
    bool revoked = issued && s.disposition == CHY_DB_DISP_REVOKED &&
                   chy_counts_by(s.effective_when, s.revoked_when, chy_now(ca->clock));
    *disposition = !issued   ? CHY_CA_DISP_INVALID
                   : revoked ? CHY_CA_DISP_REVOKED
                             : CHY_CA_DISP_VALID;
    *reason = revoked ? s.reason : 0;
    return CHY_S_OK;
}

chy_hresult chy_ca_history(struct chy_ca *ca, const struct chy_caller *caller, int32_t request_id,
                           bool (*cb)(const struct chy_revocation *r, void *arg), void *arg,
                           struct chy_err *err)
{
    chy_hresult hr = may_ask(caller, err);
    return hr == CHY_S_OK ? ca->store->ops->history(ca->store, request_id, cb, arg, err) : hr;
}

chy_hresult chy_ca_standing(struct chy_ca *ca, struct chy_span serial, struct chy_standing *out,
                            struct chy_err *err)
{
    return chy_store_standing(ca->store, serial, out, err);
}

chy_hresult chy_ca_look_up(struct chy_ca *ca, struct chy_look_up *look, size_t n,
                           struct chy_err *err)
{
    return ca->store->ops->look_up(ca->store, look, n, err);
}

void chy_ca_on_change(struct chy_ca *ca,
                      void (*fn)(struct chy_ca *ca, struct chy_span serial, void *arg), void *arg)
{
    ca->on_change_arg = arg;
    atomic_store(&ca->on_change, fn);
}
