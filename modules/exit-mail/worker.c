#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mail.h"

/* It looks at the clock once a minute: a clock that was set must not make it sleep for a month. */
enum { NAP_SECONDS = 60, PATIENCE_FIRST = 2, PATIENCE_MOST = 600 };

struct worker {
    chy_host host;
    pthread_mutex_t lock; /* guards all below; never held while a mail is sent */
    pthread_cond_t wake;
    pthread_t thread;
    bool stop;
    struct settings *settings;
    struct reminders *reminders;
    struct digest *digest;
    int dir, lock_file;
    dev_t device;
    ino_t inode;
    int64_t next_reminder; /* none is due before; seconds since 1970 */
    int64_t not_before;    /* the server failed: nothing is sent before; monotonic */
    unsigned patience;     /* seconds */
    struct smtp *smtp;     /* the thread's own */
};

static int64_t now_seconds(void)
{
    return (int64_t)time(NULL);
}

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec;
}

static void backed_off(struct worker *w, bool failed)
{
    if (!failed) {
        w->patience = 0;
        return;
    }
    w->patience = !w->patience ? PATIENCE_FIRST : w->patience * 2;
    if (w->patience > PATIENCE_MOST) w->patience = PATIENCE_MOST;
    w->not_before = monotonic() + w->patience;
}

/* ---- reminders ---- */

struct told {
    const struct holder *h;
    const struct settings *s;
    int64_t left;
};

static void add_left(struct kit_text *out, int64_t left)
{
    const char *unit = left >= 172800 ? "day"
                       : left >= 7200 ? "hour"
                       : left >= 120  ? "minute"
                                      : "second";
    int64_t one = left >= 172800 ? 86400 : left >= 7200 ? 3600 : left >= 120 ? 60 : 1;
    int64_t n = (left + one / 2) / one;
    kit_addf(out, "%" PRId64 " %s%s", n, unit, n == 1 ? "" : "s");
}

/* By the names that the properties of a certificate have. */
static bool holder_value(void *from, const char *name, bool one_line, struct kit_text *out)
{
    const struct told *t = from;
    const char *bare = strncasecmp(name, "Request.", 8) == 0 ? name + 8 : name;
    const char *const texts[][2] = {{"SerialNumber", t->h->serial},
                                    {"CommonName", t->h->name},
                                    {"DistinguishedName", t->h->subject},
                                    {"CertificateTemplate", t->h->template_name},
                                    {"EMail", t->h->to.n ? t->h->to.v[0].mail : ""},
                                    {"SanitizedCAName", t->s->ca_name},
                                    {"MachineDNSName", t->s->machine}};
    size_t n = out->n;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcasecmp(texts[i][0], bare))
            text_add_clean(out, texts[i][1], strlen(texts[i][1]), one_line ? 200 : 2000);
    if (!strcasecmp(bare, "NotAfter")) text_add_time(out, t->h->not_after * 1000000);
    if (!strcasecmp(bare, "TimeLeft")) add_left(out, t->left);
    if (!strcasecmp(bare, "DaysLeft")) kit_addf(out, "%" PRId64, t->left / 86400);
    if (!strcasecmp(bare, "RequestID")) kit_addf(out, "%ld", t->h->id);
    return out->n > n;
}

static void reminder_mail(struct mail *m, const struct settings *s, const struct holder *h,
                          uint32_t why)
{
    struct told told = {h, s, h->not_after - now_seconds()};
    memset(m, 0, sizeof *m);
    m->kind = MAIL_EXPIRING;
    snprintf(m->id, sizeof m->id, "reminder.%.80s.%" PRIu32, h->serial, why);
    recipients_named(s, m->kind, &m->to, &m->cc);
    for (size_t i = 0; i < h->to.n && recipients_have_tokens(s, m->kind); i++)
        (void)addresses_add(&m->to, &h->to.v[i]);
    if (!m->to.n) m->cc.n = 0;
    mail_write(m, s, holder_value, &told);
}

/* With the lock held; it is given up while the mail is sent. */
static chy_hresult post(struct worker *w, struct settings *s, struct mail *m)
{
    chy_hresult hr;
    if (!m->digest && s->digest && !s->folder[m->kind].at_once)
        return m->to.n ? digest_add(w->digest, m, now_seconds()) : CHY_S_OK;
    (void)settings_ref(s);
    pthread_mutex_unlock(&w->lock);
    hr = smtp_deliver(w->smtp, s, m);
    pthread_mutex_lock(&w->lock);
    settings_unref(s);
    return hr;
}

/* True: a mail could not be sent. */
static bool remind(struct worker *w)
{
    struct holder h;
    uint32_t why;
    size_t at = 0;
    int64_t next = INT64_MAX;
    bool failed = false;
    w->next_reminder = INT64_MAX;
    while (!w->stop &&
           reminders_due(w->reminders, w->settings, now_seconds(), &at, &h, &why, &next)) {
        struct mail m;
        reminder_mail(&m, w->settings, &h, why);
        chy_hresult hr = post(w, w->settings, &m);
        mail_free(&m);
        if (!CHY_FAILED(hr)) hr = reminders_done(w->reminders, at, h.serial, why);
        if (hr == CHY_ERROR_BUSY) at++; /* the others go on */
        if (CHY_FAILED(hr)) failed = true, next = now_seconds();
        if (CHY_FAILED(hr) && hr != CHY_ERROR_BUSY) break;
    }
    if (next < w->next_reminder) w->next_reminder = next;
    chy_hresult hr = reminders_compact(w->reminders, now_seconds());
    if (CHY_FAILED(hr))
        say(&w->host, CHY_LOG_WARNING, "exit-mail: the reminders were not written anew: 0x%08x",
            (unsigned)hr);
    return failed;
}

/* ---- digests ---- */

static bool digest_is_due(const struct worker *w)
{
    int64_t since = digest_since(w->digest);
    return since != INT64_MAX &&
           (digest_is_full(w->digest) || since + w->settings->digest <= now_seconds());
}

/* All that waits goes out, one mail for each recipient. */
static bool send_digests(struct worker *w)
{
    struct mail m;
    struct words skip = {0};
    int64_t upto;
    chy_hresult hr = CHY_S_OK;
    bool failed = false;
    digest_expire(w->digest, now_seconds());
    while (!w->stop && (hr == CHY_S_OK || hr == CHY_ERROR_BUSY) &&
           digest_next(w->digest, w->settings, &skip, &m, &upto)) {
        const char *to = m.to.v[0].mail;
        hr = post(w, w->settings, &m);
        if (hr == CHY_ERROR_BUSY && !words_add(&skip, to, strlen(to))) hr = CHY_E_OUTOFMEMORY;
        if (hr == CHY_S_OK) hr = digest_done(w->digest, to, upto);
        failed = failed || CHY_FAILED(hr);
        mail_free(&m);
    }
    words_free(&skip);
    return failed;
}

/* ---- the thread ---- */

static bool reminders_are_on(const struct worker *w)
{
    return w->settings->server[0] && w->settings->n_reminders;
}

static int64_t sleep_seconds(const struct worker *w)
{
    int64_t now = now_seconds(), at = now + NAP_SECONDS, since = digest_since(w->digest);
    int64_t wait = w->not_before - monotonic();
    if (!w->settings->server[0]) return NAP_SECONDS;
    if (reminders_are_on(w) && w->next_reminder < at) at = w->next_reminder;
    if (since != INT64_MAX && since + w->settings->digest < at) at = since + w->settings->digest;
    if (digest_is_full(w->digest)) at = now;
    if (wait > at - now) return wait < NAP_SECONDS ? wait : NAP_SECONDS;
    return at > now ? at - now : 0;
}

static void nap(struct worker *w)
{
    struct timespec t;
    int64_t seconds = sleep_seconds(w);
    if (seconds <= 0) return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += seconds;
    (void)pthread_cond_timedwait(&w->wake, &w->lock, &t);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        bool may = w->settings->server[0] && w->not_before <= monotonic();
        bool failed = may && digest_is_due(w) && send_digests(w);
        if (may && !failed && reminders_are_on(w) && w->next_reminder <= now_seconds())
            failed = remind(w);
        if (may) backed_off(w, failed);
        if (!w->stop) nap(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* The daemon's signals are the daemon's threads' to take. */
static bool start_thread(struct worker *w)
{
    sigset_t all, old;
    pthread_condattr_t attr;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&w->thread, NULL, run, w) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

/* Two CAs in one folder would forget each other's certificates. */
static chy_hresult open_folder(struct worker *w, const char *path)
{
    struct stat st;
    const char *rule = NULL, *taken = NULL;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) rule = "cannot be made";
    w->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!rule && (w->dir < 0 || fstat(w->dir, &st) != 0)) rule = "is no folder that can be read";
    if (!rule && (st.st_mode & 022)) rule = "may be written by others: chmod go-w";
    if (!rule && st.st_uid != geteuid() && st.st_uid != 0) rule = "belongs to somebody else";
    if (!rule) {
        w->device = st.st_dev;
        w->inode = st.st_ino;
        w->lock_file = openat(w->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (w->lock_file < 0)
            rule = "cannot be written to";
        else if (flock(w->lock_file, LOCK_EX | LOCK_NB) != 0)
            rule = taken = "is in use by another CA or daemon";
    }
    if (!rule) return CHY_S_OK;
    say(&w->host, CHY_LOG_ERROR, "exit-mail: setting StateDirectory %s", rule);
    return taken ? CHY_ERROR_BUSY : CHY_E_INVALIDARG;
}

static void worker_free(struct worker *w)
{
    smtp_free(w->smtp);
    reminders_close(w->reminders);
    digest_close(w->digest);
    if (w->lock_file >= 0) close(w->lock_file);
    if (w->dir >= 0) close(w->dir);
    settings_unref(w->settings);
    free(w);
}

chy_hresult worker_start(struct worker **out, const chy_host *host, struct settings *s)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w) return CHY_E_OUTOFMEMORY;
    w->host = *host;
    w->dir = w->lock_file = -1;
    w->settings = settings_ref(s);
    chy_hresult hr = open_folder(w, s->state_folder);
    if (!CHY_FAILED(hr)) hr = reminders_open(&w->reminders, w->dir, &w->host, now_seconds());
    if (!CHY_FAILED(hr)) hr = digest_open(&w->digest, w->dir, &w->host);
    if (!CHY_FAILED(hr)) w->smtp = smtp_new(&w->host, &w->stop);
    if (!CHY_FAILED(hr) && (!w->smtp || !start_thread(w))) hr = CHY_E_OUTOFMEMORY;
    if (CHY_FAILED(hr)) {
        worker_free(w);
        return hr;
    }
    say(host, CHY_LOG_INFO, "exit-mail: %zu certificates have reminders to come",
        reminders_count(w->reminders));
    *out = w;
    return CHY_S_OK;
}

void worker_stop(struct worker *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    __atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    worker_free(w);
}

bool worker_is_of(const struct worker *w, const struct settings *s)
{
    struct stat st;
    return s->state_folder && stat(s->state_folder, &st) == 0 && st.st_dev == w->device &&
           st.st_ino == w->inode;
}

void worker_renew(struct worker *w, struct settings *s)
{
    pthread_mutex_lock(&w->lock);
    settings_unref(w->settings);
    w->settings = settings_ref(s);
    w->next_reminder = w->not_before = 0;
    w->patience = 0;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

chy_hresult worker_learn(struct worker *w, const struct holder *h)
{
    pthread_mutex_lock(&w->lock);
    chy_hresult hr = reminders_learn(w->reminders, h);
    int64_t next = reminders_next(h, w->settings);
    if (!CHY_FAILED(hr) && next < w->next_reminder) {
        w->next_reminder = next;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return hr;
}

chy_hresult worker_forget(struct worker *w, const char *serial)
{
    pthread_mutex_lock(&w->lock);
    chy_hresult hr = reminders_forget(w->reminders, serial);
    pthread_mutex_unlock(&w->lock);
    return hr;
}

chy_hresult worker_collect(struct worker *w, struct mail *m)
{
    pthread_mutex_lock(&w->lock);
    bool wake = digest_since(w->digest) == INT64_MAX;
    chy_hresult hr = digest_add(w->digest, m, now_seconds());
    if (wake || digest_is_full(w->digest)) pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    return hr;
}
