/* What keeps a CA from issuing, and how it comes back by itself: storage that fails (P11), a clock
 * that jumped (P17), a key that does not sign, a CA certificate outside its validity. Status keeps
 * answering all the while.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ca/ca_internal.h"
#include "ca/events.h"

/* What was short for a moment is looked at again soon, what lasts more and more rarely. */
enum { FIRST_PROBE_MS = 10, LAST_PROBE_MS = 1000, IDLE_MS = 30000 };

static void set_trouble(struct chy_ca *ca, uint32_t bit, char *slot, size_t cap, const char *text)
{
    pthread_mutex_lock(&ca->health_lock);
    bool is_new = !(atomic_fetch_or(&ca->trouble, bit) & bit);
    snprintf(slot, cap, "%s", text);
    if (is_new) pthread_cond_signal(&ca->healer_wake);
    pthread_mutex_unlock(&ca->health_lock);
    if (is_new)
        chy_log(CHY_LOG_LEVEL_ERROR, "ca.suspended", "ca", chy_ca_name(ca), "reason", text, NULL);
}

static void clear_trouble(struct chy_ca *ca, uint32_t bit)
{
    if (!(atomic_fetch_and(&ca->trouble, ~bit) & bit)) return;
    if (bit & (CHY_TROUBLE_CLOCK | CHY_TROUBLE_STORE)) chy_publisher_retry(ca);
    if (!atomic_load(&ca->trouble))
        chy_log(CHY_LOG_LEVEL_WARNING, "ca.resumed", "ca", chy_ca_name(ca), NULL);
}

void chy_health_store_failed(struct chy_ca *ca, const struct chy_err *err)
{
    /* A record refused for what it says (a serial twice) is no illness of the store. */
    if (err->code == CHY_ERROR_ALREADY_EXISTS || err->code == CHY_E_INVALIDARG) return;
    atomic_store(&ca->store_starved, err->code == CHY_E_OUTOFMEMORY);
    set_trouble(ca, CHY_TROUBLE_STORE, ca->store_error, sizeof(ca->store_error), err->text);
}

void chy_health_key_failed(struct chy_ca *ca, const struct chy_err *err)
{
    char text[240];
    snprintf(text, sizeof(text), "its key does not sign: %.200s", err->text);
    set_trouble(ca, CHY_TROUBLE_KEY, ca->key_error, sizeof(ca->key_error), text);
}

void chy_health_check_policy(struct chy_ca *ca)
{
    struct chy_instance_info info;
    char text[256];
    if (!ca->policy) return;
    chy_instance_info(ca->policy, &info);
    if (info.state == CHY_CHILD_UP && atomic_load(&ca->trouble) & CHY_TROUBLE_POLICY)
        clear_trouble(ca, CHY_TROUBLE_POLICY);
    if (!info.quarantined) return;
    if (info.state == CHY_CHILD_QUARANTINED) {
        snprintf(text, sizeof(text),
                 "policy module %.64s is out of use since its process failed too often (%.80s): "
                 "mend it and reload it",
                 info.name, info.last_end);
        set_trouble(ca, CHY_TROUBLE_POLICY, ca->policy_error, sizeof(ca->policy_error), text);
        return;
    }
    snprintf(text, sizeof(text),
             "policy module %.64s is out of use since a call overran its deadline: mend it and "
             "restart",
             info.name);
    set_trouble(ca, CHY_TROUBLE_POLICY, ca->policy_error, sizeof(ca->policy_error), text);
}

/* What a clock that was wrong has written is not held against the right one. */
static bool is_behind(const struct chy_ca *ca, const struct chy_settings *s, chy_time now)
{
    return ca->last_known != CHY_TIME_DEFAULT && ca->last_known_id > s->clock_accepted &&
           now < ca->last_known - s->clock_jump_s * CHY_US_PER_S;
}

/* Wall time against the monotonic clock, and against what the database has seen: a step is noticed
 * before it can reach a certificate. */
static void check_clock(struct chy_ca *ca)
{
    struct chy_settings *s = chy_settings_get(ca);
    char text[200] = "";
    pthread_mutex_lock(&ca->clock_lock);
    chy_time now = chy_now(ca->clock);
    int64_t mono = chy_monotonic(ca->clock);
    if (is_behind(ca, s, now)) {
        snprintf(text, sizeof(text),
                 "the clock is %lld s before the last request in the database: set it right, or, "
                 "if it was wrong then, set ClockAccepted to that request's number, %d",
                 (long long)((ca->last_known - now) / CHY_US_PER_S), ca->last_known_id);
        ca->wall_at_start = CHY_TIME_DEFAULT; /* measured anew once it is right */
    } else if (ca->wall_at_start == CHY_TIME_DEFAULT) {
        ca->wall_at_start = now;
        ca->mono_at_start = mono;
    } else {
        int64_t jump = ((now - ca->wall_at_start) - (mono - ca->mono_at_start)) / CHY_US_PER_S;
        if (jump > s->clock_jump_s || jump < -s->clock_jump_s) {
            snprintf(
                text, sizeof(text),
                "the clock jumped by %lld s since the start: set it right, or restart to accept it",
                (long long)jump);
        }
    }
    pthread_mutex_unlock(&ca->clock_lock);
    if (text[0]) {
        set_trouble(ca, CHY_TROUBLE_CLOCK, ca->clock_error, sizeof(ca->clock_error), text);
    } else if (atomic_load(&ca->trouble) & CHY_TROUBLE_CLOCK) {
        clear_trouble(ca, CHY_TROUBLE_CLOCK);
    }
    chy_settings_unref(s);
}

static void check_ca_cert(struct chy_ca *ca)
{
    chy_time now = chy_now(ca->clock);
    const struct chy_cert *cert = &chy_ca_current(ca)->cert;
    bool valid = now >= cert->not_before && now <= cert->not_after;
    if (!valid) {
        atomic_fetch_or(&ca->trouble, CHY_TROUBLE_CA_CERT);
    } else if (atomic_load(&ca->trouble) & CHY_TROUBLE_CA_CERT) {
        clear_trouble(ca, CHY_TROUBLE_CA_CERT);
    }
}

static void check_publication(struct chy_ca *ca)
{
    struct chy_settings *s = chy_settings_get(ca);
    bool waits = s->check_publication == CHY_CHECK_REQUIRE && !chy_check_proved(ca);
    chy_settings_unref(s);
    if (waits)
        atomic_fetch_or(&ca->trouble, CHY_TROUBLE_PUBLICATION);
    else if (atomic_load(&ca->trouble) & CHY_TROUBLE_PUBLICATION)
        clear_trouble(ca, CHY_TROUBLE_PUBLICATION);
}

chy_hresult chy_health_may_issue(struct chy_ca *ca, struct chy_err *err)
{
    if (ca->replays) return CHY_S_OK; /* it was asked when it was decided */
    check_clock(ca);
    check_ca_cert(ca);
    check_publication(ca);
    uint32_t trouble = atomic_load(&ca->trouble);
    if (!trouble) return CHY_S_OK;
    struct chy_ca_health h;
    chy_ca_health(ca, &h);
    chy_hresult code = !(trouble & CHY_TROUBLE_STORE)    ? CHY_CERTSRV_E_SERVER_SUSPENDED
                       : atomic_load(&ca->store_starved) ? CHY_E_OUTOFMEMORY
                                                         : CHY_ERROR_DISK_FULL;
    return chy_fail(err, code, "the CA does not issue: %s", h.text);
}

chy_hresult chy_health_clock(struct chy_ca *ca, struct chy_err *err)
{
    check_clock(ca);
    if (!(atomic_load(&ca->trouble) & CHY_TROUBLE_CLOCK)) return CHY_S_OK;
    pthread_mutex_lock(&ca->health_lock);
    chy_hresult hr = chy_fail(err, CHY_CERTSRV_E_SERVER_SUSPENDED, "%s", ca->clock_error);
    pthread_mutex_unlock(&ca->health_lock);
    return hr;
}

chy_hresult chy_health_may_publish(struct chy_ca *ca, struct chy_err *err)
{
    check_clock(ca);
    if (!(atomic_load(&ca->trouble) & (CHY_TROUBLE_CLOCK | CHY_TROUBLE_STORE))) return CHY_S_OK;
    struct chy_ca_health h;
    chy_ca_health(ca, &h);
    return chy_fail(err, CHY_CERTSRV_E_SERVER_SUSPENDED, "the CA makes no CRLs: %s", h.text);
}

static void say(char *out, size_t cap, const char *text)
{
    size_t n = strlen(out);
    snprintf(out + n, cap - n, "%s%s", n ? "; " : "", text);
}

/* A module that is told, but not what it should be. */
static void warn_of_events(struct chy_ca *ca, size_t i, struct chy_ca_health *out)
{
    enum { LATE_S = 300 };
    struct chy_exit_state e;
    char text[200];
    if (!chy_ca_exit_state(ca, i, &e)) return;
    if (e.failed) {
        snprintf(text, sizeof(text),
                 "exit module %.64s did not take %llu events: see chancery module events %.64s "
                 "--failed",
                 e.name, (unsigned long long)e.failed, e.name);
        say(out->warnings, sizeof(out->warnings), text);
    }
    if (e.lag_us > LATE_S * CHY_US_PER_S) {
        snprintf(text, sizeof(text), "exit module %.64s is %s: %llu events wait for it", e.name,
                 e.paused ? "paused" : "behind", (unsigned long long)e.backlog);
        say(out->warnings, sizeof(out->warnings), text);
    }
}

static void say_policy(struct chy_ca *ca, struct chy_ca_health *out)
{
    struct chy_instance_info info = {0};
    if (ca->policy) chy_instance_info(ca->policy, &info);
    if (info.state == CHY_CHILD_DOWN)
        say(out->warnings, sizeof(out->warnings), "the policy module is being restarted");
}

void chy_ca_health(struct chy_ca *ca, struct chy_ca_health *out)
{
    memset(out, 0, sizeof(*out));
    out->trouble = atomic_load(&ca->trouble);
    pthread_mutex_lock(&ca->health_lock);
    if (out->trouble & CHY_TROUBLE_POLICY) say(out->text, sizeof(out->text), ca->policy_error);
    if (out->trouble & CHY_TROUBLE_STORE) say(out->text, sizeof(out->text), ca->store_error);
    if (out->trouble & CHY_TROUBLE_CLOCK) say(out->text, sizeof(out->text), ca->clock_error);
    if (out->trouble & CHY_TROUBLE_KEY) say(out->text, sizeof(out->text), ca->key_error);
    pthread_mutex_unlock(&ca->health_lock);
    if (out->trouble & CHY_TROUBLE_CA_CERT) {
        say(out->text, sizeof(out->text),
            "the CA certificate is outside its validity: renew it, or set the clock");
    }
    if (out->trouble & CHY_TROUBLE_PUBLICATION) {
        say(out->text, sizeof(out->text),
            "an address that certificates would carry was not fetched yet (PublicationCheck)");
    }
    if (out->trouble & CHY_TROUBLE_CLOSING) say(out->text, sizeof(out->text), "the CA is stopping");
    for (size_t i = 0; i < ca->n_exits; i++) {
        struct chy_instance_info info = {0};
        if (ca->exits[i].instance) chy_instance_info(ca->exits[i].instance, &info);
        bool works = ca->exits[i].instance && !info.quarantined;
        char text[160];
        if (!works || info.state == CHY_CHILD_DOWN) {
            snprintf(text, sizeof(text), "exit module %.64s is %s", ca->exits[i].name,
                     works ? "being restarted" : "out of use");
            say(out->warnings, sizeof(out->warnings), text);
        } else {
            warn_of_events(ca, i, out);
        }
    }
    say_policy(ca, out);
    chy_publisher_warnings(ca, out->warnings, sizeof(out->warnings));
    chy_check_warnings(ca, out->warnings, sizeof(out->warnings));
}

static void probe_store(struct chy_ca *ca)
{
    struct chy_write w = {.kind = CHY_WRITE_PROBE, .when = chy_now(ca->clock)};
    struct chy_err err = {0};
    if (chy_store_write_wait(ca->store, &w, &err) != CHY_S_OK) {
        pthread_mutex_lock(&ca->health_lock);
        snprintf(ca->store_error, sizeof(ca->store_error), "%s", err.text);
        pthread_mutex_unlock(&ca->health_lock);
        return;
    }
    clear_trouble(ca, CHY_TROUBLE_STORE);
    chy_outbox_healed(ca);
}

static void try_key(struct chy_ca *ca)
{
    struct chy_err err = {0};
    if (chy_key_try(chy_ca_current(ca)->key, &err) == CHY_S_OK) clear_trouble(ca, CHY_TROUBLE_KEY);
}

static void look_after(struct chy_ca *ca)
{
    struct chy_err err = {0};
    check_clock(ca);
    check_ca_cert(ca);
    check_publication(ca);
    if (atomic_load(&ca->trouble) & CHY_TROUBLE_STORE) probe_store(ca);
    if (atomic_load(&ca->trouble) & CHY_TROUBLE_KEY) try_key(ca);
    if (!atomic_load(&ca->trouble) && atomic_load(&ca->unsettled) &&
        chy_settle(ca, &err) != CHY_S_OK) {
        chy_log(CHY_LOG_LEVEL_ERROR, "ca.settle", "error", err.text, NULL);
    }
}

static bool is_well(struct chy_ca *ca)
{
    return !atomic_load(&ca->trouble) && !atomic_load(&ca->unsettled);
}

static void wait_time(unsigned ms, struct timespec *until)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_sec += ms / 1000;
    until->tv_nsec += (long)(ms % 1000) * 1000000;
    until->tv_sec += until->tv_nsec / 1000000000;
    until->tv_nsec %= 1000000000;
}

static void *heal(void *arg)
{
    struct chy_ca *ca = arg;
    unsigned probe_ms = FIRST_PROBE_MS;
    pthread_mutex_lock(&ca->health_lock);
    while (!(atomic_load(&ca->trouble) & CHY_TROUBLE_CLOSING)) {
        struct timespec until;
        if (is_well(ca)) probe_ms = FIRST_PROBE_MS;
        wait_time(is_well(ca) ? IDLE_MS : probe_ms, &until);
        int rc = pthread_cond_timedwait(&ca->healer_wake, &ca->health_lock, &until);
        pthread_mutex_unlock(&ca->health_lock);
        if (rc == ETIMEDOUT) {
            look_after(ca);
            probe_ms = probe_ms * 2 < LAST_PROBE_MS ? probe_ms * 2 : LAST_PROBE_MS;
        }
        pthread_mutex_lock(&ca->health_lock);
    }
    pthread_mutex_unlock(&ca->health_lock);
    return NULL;
}

/* The database knows a time that has been: a clock before it went back while the CA was stopped. */
static bool last_row(const struct chy_row *row, void *arg)
{
    struct chy_ca *ca = arg;
    ca->last_known = row->submitted_when;
    ca->last_known_id = row->id;
    return false;
}

static void know_last_time(struct chy_ca *ca)
{
    struct chy_err err = {0};
    struct chy_query q = {.descending = true, .limit = 1};
    ca->last_known = CHY_TIME_DEFAULT;
    if (ca->store->ops->query(ca->store, &q, last_row, ca, &err) != CHY_S_OK) {
        chy_log(CHY_LOG_LEVEL_ERROR, "ca.clock", "error", err.text, NULL);
    }
}

chy_hresult chy_health_start(struct chy_ca *ca, struct chy_err *err)
{
    ca->wall_at_start = CHY_TIME_DEFAULT;
    know_last_time(ca);
    check_clock(ca);
    check_ca_cert(ca);
    if (!chy_thread_start(&ca->healer, "healer", heal, ca)) {
        return chy_fail(err, CHY_E_OUTOFMEMORY, "health thread: the system refuses another thread");
    }
    ca->healer_runs = true;
    return CHY_S_OK;
}

void chy_health_stop(struct chy_ca *ca)
{
    pthread_mutex_lock(&ca->health_lock);
    atomic_fetch_or(&ca->trouble, CHY_TROUBLE_CLOSING);
    pthread_cond_signal(&ca->healer_wake);
    pthread_mutex_unlock(&ca->health_lock);
    if (ca->healer_runs) pthread_join(ca->healer, NULL);
    ca->healer_runs = false;
}
