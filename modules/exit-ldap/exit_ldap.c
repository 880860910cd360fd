/* The module: certificates, CRLs and what a CA's entry holds, to a directory (RFC 4523). */
#include <stdio.h>
#include <time.h>

#define CHY_MODULE_COPYRIGHT "Chancery authors"
#include "exit_ldap.h"
#include "kit/crls.h"

struct state {
    struct settings s;
    struct conn c;
    chy_long told; /* so many certificates of the CA stand in the directory */
};

static struct publisher publisher_of(const chy_task *task)
{
    struct state *st = task->state;
    struct publisher p = {.task = task, .s = &st->s, .c = &st->c};
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm) || !strftime(p.now, sizeof p.now, "%Y%m%d%H%M%SZ", &tm)) p.now[0] = 0;
    return p;
}

/* All events are heard: what is published is a setting, and may change while the module runs. */
static chy_hresult init(chy_task *task, chy_long *events)
{
    struct state *st = task->state;
    st->c = (struct conn){.host = task->host, .s = &st->s, .fd = -1};
    chy_hresult hr = settings_read(task->host, &st->s);
    if (events)
        *events = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTREVOKED | CHY_EXITEVENT_CRLISSUED |
                  CHY_EXITEVENT_CERTIMPORTED;
    return hr;
}

static chy_hresult tell_ca(const chy_task *task)
{
    struct state *st = task->state;
    struct publisher p = publisher_of(task);
    chy_long certs = 0;
    chy_hresult hr = publish_ca(&p);
    if (!CHY_FAILED(hr) && kit_ca_long(task->host, &task->exit, "CertCount", &certs) == CHY_S_OK)
        st->told = certs;
    return hr;
}

/* A renewal is no event: with whatever comes next the new certificate is published. */
static void tell_ca_if_new(const chy_task *task)
{
    const struct state *st = task->state;
    chy_task of_ca = *task;
    chy_long certs = 0;
    if (CHY_FAILED(task->host->vt->new_server_exit(task->host->self, &of_ca.exit))) return;
    of_ca.context = 0;
    if (kit_ca_long(task->host, &of_ca.exit, "CertCount", &certs) == CHY_S_OK && certs != st->told)
        (void)tell_ca(&of_ca); /* it said what it failed with, and is tried again */
    of_ca.exit.vt->release(of_ca.exit.self);
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    const chy_long of_cert =
        CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTREVOKED | CHY_EXITEVENT_CERTIMPORTED;
    const struct state *st = task->state;
    if (!st->s.publish) return CHY_S_OK;
    struct publisher p = publisher_of(task);
    if (task->context && (event & of_cert)) {
        tell_ca_if_new(task);
        return publish_user(&p, event);
    }
    if (task->context || !(event & CHY_EXITEVENT_CRLISSUED)) return CHY_S_OK;
    chy_hresult first = tell_ca(task), hr = publish_crls(&p);
    return CHY_FAILED(first) ? first : hr;
}

static void done(const chy_host *host, void *state)
{
    struct state *st = state;
    (void)host;
    conn_close(&st->c);
    settings_free(&st->s);
}

CHY_EXIT_MODULE_DONE("exit-ldap", "ExitLDAP.Exit", CHY_VERSION,
                     "Chancery directory publisher: certificates and CRLs to LDAP entries",
                     struct state, init, notify, done);
