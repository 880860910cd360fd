/* Who the daemon is on TLS: files of the administrator's, or a certificate that the default CA
 * issues to the daemon's own fresh key through the one door, like anybody's. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/serve.h"
#include "key/request.h"
#include "pki/name.h"

enum { PEM_MAX = 1 << 20 };

static chy_hresult from_files(struct chy_daemon *d, struct chy_err *err)
{
    struct chy_buf cert, key, client_ca;
    struct chy_buf *bufs[] = {&cert, &key, &client_ca};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], PEM_MAX);
    chy_hresult hr = chy_file_read(d->options->tls_cert, PEM_MAX, &cert, err);
    if (hr == CHY_S_OK) hr = chy_file_read(d->options->tls_key, PEM_MAX, &key, err);
    if (hr == CHY_S_OK && d->options->tls_client_ca) {
        hr = chy_file_read(d->options->tls_client_ca, PEM_MAX, &client_ca, err);
    }
    if (hr == CHY_S_OK) {
        struct chy_net_tls tls = {chy_buf_span(&cert), chy_buf_span(&key),
                                  chy_buf_span(&client_ca)};
        hr = chy_net_set_tls(d->net, &tls, err);
    }
    if (key.p) chy_wipe(key.p, key.cap);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    return hr;
}

static void add_ip(struct chy_general_name *gn, size_t *n, uint8_t *octets, int family,
                   const char *text)
{
    if (inet_pton(family, text, octets) != 1) return;
    gn[(*n)++] = (struct chy_general_name){
        .type = CHY_GN_IP, .value = chy_span_of(octets, family == AF_INET ? 4 : 16)};
}

static chy_hresult make_request(struct chy_daemon *d, struct chy_key *key, struct chy_buf *der,
                                struct chy_err *err)
{
    struct chy_general_name gn[4];
    uint8_t v4[4], v6[16];
    size_t n = 0;
    struct chy_buf subject;
    bool local = strcmp(d->options->host, "localhost") == 0;
    gn[n++] = (struct chy_general_name){.type = CHY_GN_DNS, .value = CHY_SPAN_STR("localhost")};
    if (!local)
        gn[n++] =
            (struct chy_general_name){.type = CHY_GN_DNS, .value = chy_span_cstr(d->options->host)};
    add_ip(gn, &n, v4, AF_INET, "127.0.0.1");
    add_ip(gn, &n, v6, AF_INET6, "::1");
    chy_buf_init(&subject, 1024);
    chy_name_close(&subject, chy_name_open(&subject));
    chy_hresult hr = chy_key_request(key, chy_buf_span(&subject), gn, n, der, err);
    chy_buf_free(&subject);
    return hr;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    chy_hresult status;
    int32_t disposition;
    char message[480];
    struct chy_buf pem;
};

static void arrived(const struct chy_outcome *o, void *arg)
{
    struct waiting *w = arg;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->status = o->status;
    w->disposition = o->disposition;
    snprintf(w->message, sizeof(w->message), "%.*s",
             o->status == CHY_S_OK ? (int)o->message.n : (int)strlen(o->err.text),
             o->status == CHY_S_OK ? (const char *)o->message.p : o->err.text);
    if (o->certificate.n) chy_pem_add(&w->pem, "CERTIFICATE", o->certificate);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static chy_hresult submit_and_wait(struct chy_daemon *d, struct chy_span der, struct chy_buf *chain,
                                   struct chy_err *err)
{
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct chy_submission s = {.caller = {"chanceryd", CHY_CA_ACCESS_ENROLL},
                               .request = der,
                               .attributes = CHY_SPAN_STR("CertificateTemplate:tls-server\n")};
    chy_buf_init(&w.pem, PEM_MAX);
    chy_ca_submit(d->service.ca[0], &s, arrived, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    chy_hresult hr = CHY_S_OK;
    if (w.status != CHY_S_OK || w.disposition != CHY_DB_DISP_ISSUED) {
        hr = chy_fail(err, CHY_CERTSRV_E_SERVER_SUSPENDED,
                      "TLS: the CA gave the daemon no certificate (%s): set tls_cert and tls_key",
                      w.message);
    } else {
        chy_buf_add_span(chain, chy_buf_span(&w.pem));
        chy_buf_add_span(chain, chy_ca_chain_pem(d->service.ca[0]));
        hr = chy_buf_done(chain, "TLS certificate", err);
    }
    chy_buf_free(&w.pem);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.wake);
    return hr;
}

static chy_hresult from_ca(struct chy_daemon *d, struct chy_err *err)
{
    struct chy_key *key = NULL;
    struct chy_buf der, chain, pem;
    char path[4200];
    struct chy_buf *bufs[] = {&der, &chain, &pem};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], PEM_MAX);
    chy_hresult hr = chy_key_generate("p256", &key, err);
    if (hr == CHY_S_OK) hr = make_request(d, key, &der, err);
    if (hr == CHY_S_OK) hr = submit_and_wait(d, chy_buf_span(&der), &chain, err);
    /* The key layer hands keys to files only: one of ours, for the moment it takes to read it back.
     */
    snprintf(path, sizeof(path), "%s/.tls-key.pem", d->dir);
    if (hr == CHY_S_OK) hr = chy_key_save(key, path, err);
    if (hr == CHY_S_OK) hr = chy_file_read(path, PEM_MAX, &pem, err);
    unlink(path);
    if (hr == CHY_S_OK) {
        struct chy_net_tls tls = {chy_buf_span(&chain), chy_buf_span(&pem), {0}};
        hr = chy_net_set_tls(d->net, &tls, err);
    }
    if (pem.p) chy_wipe(pem.p, pem.cap);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_key_free(key);
    return hr;
}

chy_hresult chy_tls_identity(struct chy_daemon *d, struct chy_err *err)
{
    return d->options->tls_cert ? from_files(d, err) : from_ca(d, err);
}

static void *identity_main(void *arg)
{
    struct chy_daemon *d = arg;
    (void)CHY_FAULT("identity.before");
    if (chy_tls_identity(d, &d->identity_err) != CHY_S_OK) chy_net_stop(d->net, 0);
    atomic_store(&d->service.settling, false);
    return NULL;
}

chy_hresult chy_tls_identity_apart(struct chy_daemon *d, struct chy_err *err)
{
    atomic_store(&d->service.settling, true);
    d->has_identity_thread = chy_thread_start(&d->identity_thread, "identity", identity_main, d);
    return d->has_identity_thread
               ? CHY_S_OK
               : chy_fail(err, CHY_E_OUTOFMEMORY, "TLS: the system refuses another thread");
}
