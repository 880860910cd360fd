/* A running daemon: the CAs, the service over them, the listeners. The only place that knows
 * everyone. Thread: main. */
#ifndef CHY_DAEMON_SERVE_H
#define CHY_DAEMON_SERVE_H

#include "daemon/options.h"
#include "enrol/service.h"

struct chy_daemon {
    struct chy_options *options;
    const char *dir; /* of the CAs: options->dir, or the throwaway's folder */
    char socket[4096];
    struct chy_ca_made made; /* the throwaway CA, until it is opened */
    struct chy_workers *workers;
    struct chy_net *net;
    struct chy_service service;
    struct chy_ocsp *ocsp;
    int http_port, https_port; /* of the first listener of each kind; 0: none */
    pthread_t identity_thread;
    bool has_identity_thread;
    struct chy_err identity_err;
};

CHY_MUST_USE chy_hresult chy_daemon_start(struct chy_daemon *d, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_daemon_run(struct chy_daemon *d, struct chy_err *err);
void chy_daemon_stop(struct chy_daemon *d);

/* tls_identity.c: the certificate of the TLS listeners, from files or from the default CA itself.
 */
CHY_MUST_USE chy_hresult chy_tls_identity(struct chy_daemon *d, struct chy_err *err);
/* Meanwhile connections wait; a failure ends the daemon. */
CHY_MUST_USE chy_hresult chy_tls_identity_apart(struct chy_daemon *d, struct chy_err *err);

/* throwaway.c */
CHY_MUST_USE chy_hresult chy_throwaway_make(struct chy_daemon *d, char *dir, size_t cap,
                                            struct chy_err *err);
CHY_MUST_USE chy_hresult chy_throwaway_token(struct chy_daemon *d, struct chy_err *err);
void chy_throwaway_announce(const struct chy_daemon *d);

#endif
