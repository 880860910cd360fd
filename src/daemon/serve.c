/* Starting, running and stopping. */
#include "daemon/serve.h"

#include <dirent.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin.h"
#include "enrol/rest/rest.h"
#include "enrol/users.h"
#include "key/key.h"
#include "ocsp/ocsp.h"

/* Beside the program (build/…/bin and build/…/modules), or where it was installed. */
static void find_module_dir(struct chy_options *o)
{
    char exe[4096], path[4200];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (o->module_dir || n <= 0) return;
    exe[n] = 0;
    snprintf(path, sizeof(path), "%s/../modules", dirname(exe));
    char *real = realpath(path, NULL);
    o->module_dir = chy_strdup(real ? real : CHY_MODULE_DIR);
    free(real);
}

static void find_modhost(struct chy_options *o)
{
    char exe[4096], path[4200];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n <= 0) return;
    exe[n] = 0;
    static const char *const beside[] = {"", "../libexec/chancery/"};
    const char *folder = dirname(exe), *found = CHY_MODHOST;
    for (size_t i = 0; i < CHY_ARRAY_LEN(beside) && found != path; i++) {
        snprintf(path, sizeof(path), "%s/%schancery-modhost", folder, beside[i]);
        if (access(path, X_OK) == 0) found = path;
    }
    o->modhost = chy_strdup(found);
}

static chy_hresult open_ca(struct chy_daemon *d, const char *dir, struct chy_err *err)
{
    struct chy_ca_options options = {.dir = dir,
                                     .host = d->options->host,
                                     .module_dir = d->options->module_dir,
                                     .modhost = d->options->modhost,
                                     .workers = d->workers,
                                     .clock = &chy_system_clock,
                                     .throwaway = d->options->throwaway,
                                     .cache_kib = d->options->cache_kib,
                                     .made = d->made.store ? &d->made : NULL};
    if (d->service.n_cas == CHY_SERVICE_MAX_CAS) {
        return chy_fail(err, CHY_E_INVALIDARG, "%s: more than %d CAs", dir, CHY_SERVICE_MAX_CAS);
    }
    chy_hresult hr = chy_ca_open(&options, &d->service.ca[d->service.n_cas], err);
    if (hr == CHY_S_OK) d->service.n_cas++;
    return hr;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool has(const char *dir, const char *file)
{
    char path[4600];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    return access(path, F_OK) == 0;
}

/* A key without its certificate: the file was lost, or the making of this CA was cut off. */
static bool is_torn(const char *dir)
{
    if (!has(dir, "key.pem")) return false;
    chy_log(CHY_LOG_LEVEL_WARNING, "ca.left_out", "folder", dir, "reason",
            "there is a key but no ca.pem: put that back if it was lost; remove the folder if its "
            "making was cut off",
            NULL);
    return true;
}

static chy_hresult open_cas(struct chy_daemon *d, struct chy_err *err)
{
    char path[4096];
    struct dirent **entry = NULL;
    chy_hresult hr = CHY_S_OK;
    bool torn = false;
    snprintf(path, sizeof(path), "%s/ca", d->dir);
    int n = scandir(path, &entry, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char dir[4400];
        snprintf(dir, sizeof(dir), "%s/%s", path, entry[i]->d_name);
        if (hr == CHY_S_OK && entry[i]->d_name[0] != '.') {
            if (has(dir, "ca.pem"))
                hr = open_ca(d, dir, err);
            else if (is_torn(dir))
                torn = true;
        }
        free(entry[i]);
    }
    free(entry);
    if (hr != CHY_S_OK || d->service.n_cas) return hr;
    if (torn)
        return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                        "%s: there is a key, but no certificate beside it: put ca.pem back", path);
    return chy_fail(
        err, CHY_ERROR_FILE_NOT_FOUND,
        "%s: there is no CA yet: make one with `chancery ca init --dir %s --name \"My CA\"`", path,
        d->dir);
}

static chy_hresult listen_at(struct chy_daemon *d, const char *where, bool tls, int *port,
                             struct chy_err *err)
{
    char host[256];
    const char *colon = strrchr(where, ':');
    size_t n = colon ? (size_t)(colon - where) : 0;
    char *end;
    long number = colon ? strtol(colon + 1, &end, 10) : -1;
    if (!n || n >= sizeof(host) || number < 0 || number > 65535 || *end || !colon[1]) {
        return chy_fail(err, CHY_E_INVALIDARG, "listener \"%.100s\": ADDRESS:PORT is expected",
                        where);
    }
    bool bracketed = where[0] == '[' && where[n - 1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? n - 2 : n), where + bracketed);
    return chy_net_listen_tcp(d->net, host, (int)number, tls, port, err);
}

static chy_hresult listen_all(struct chy_daemon *d, struct chy_err *err)
{
    struct chy_options *o = d->options;
    int port = 0;
    chy_hresult hr = chy_net_listen_unix(d->net, d->socket, o->socket_mode, err);
    for (size_t i = 0; i < o->n_http && hr == CHY_S_OK; i++) {
        hr = listen_at(d, o->http[i], false, &port, err);
        if (i == 0) d->http_port = port;
    }
    for (size_t i = 0; i < o->n_https && hr == CHY_S_OK; i++) {
        hr = listen_at(d, o->https[i], true, &port, err);
        if (i == 0) d->https_port = port;
    }
    return hr;
}

static void on_stop(void *arg)
{
    struct chy_daemon *d = arg;
    chy_log(CHY_LOG_LEVEL_INFO, "daemon.stopping", NULL);
    (void)chy_systemd_notify("STOPPING=1");
    chy_net_stop(d->net, d->options->drain_s * 1000);
}

static void on_reload(void *arg)
{
    struct chy_daemon *d = arg;
    struct chy_err err = {0};
    /* Files only: a certificate of our own CA would need the pipeline, for which the loop cannot
     * wait. */
    if (d->options->tls_cert && chy_tls_identity(d, &err) != CHY_S_OK) {
        chy_log(CHY_LOG_LEVEL_ERROR, "tls.reload", "error", err.text, NULL);
    }
}

static chy_hresult watch(struct chy_daemon *d, struct chy_err *err)
{
    chy_hresult hr = chy_net_on_signal(d->net, SIGTERM, on_stop, d, err);
    if (hr == CHY_S_OK) hr = chy_net_on_signal(d->net, SIGINT, on_stop, d, err);
    if (hr == CHY_S_OK) hr = chy_net_on_signal(d->net, SIGHUP, on_reload, d, err);
    if (hr == CHY_S_OK && d->options->exit_on_eof)
        hr = chy_net_on_stdin_eof(d->net, on_stop, d, err);
    return hr;
}

static chy_hresult make_service(struct chy_daemon *d, struct chy_err *err)
{
    d->service.net = d->net;
    d->service.workers = d->workers;
    d->service.owner_uid = geteuid();
    d->service.host = d->options->host;
    d->service.started = chy_now(&chy_system_clock);
    chy_hresult hr = chy_users_new(&chy_system_clock, &d->service.users, err);
    if (hr == CHY_S_OK) hr = chy_rest_register(&d->service, err);
    return hr == CHY_S_OK ? chy_admin_register(&d->service, err) : hr;
}

static chy_hresult make_responder(struct chy_daemon *d, struct chy_err *err)
{
    char foreign[4200];
    snprintf(foreign, sizeof(foreign), "%s/foreign", d->dir);
    const char *chosen = d->options->ocsp_foreign;
    const struct chy_ocsp_options options = {.net = d->net,
                                             .workers = d->workers,
                                             .ca = d->service.ca,
                                             .n_cas = d->service.n_cas,
                                             .clock = &chy_system_clock,
                                             .foreign_dir = chosen ? chosen : foreign};
    chy_hresult hr = chy_ocsp_new(&options, &d->ocsp, err);
    d->service.ocsp = d->ocsp;
    return hr;
}

chy_hresult chy_daemon_start(struct chy_daemon *d, struct chy_err *err)
{
    struct chy_options *o = d->options;
    find_module_dir(o);
    find_modhost(o);
    if (o->socket) {
        snprintf(d->socket, sizeof(d->socket), "%s", o->socket);
    } else {
        snprintf(d->socket, sizeof(d->socket), "%s/chancery.sock", d->dir);
    }
    chy_hresult hr = chy_workers_new(o->workers, &d->workers, err);
    if (hr == CHY_S_OK) hr = open_cas(d, err);
    if (hr == CHY_S_OK) hr = chy_net_new(&chy_net_limits_default, &chy_system_clock, &d->net, err);
    if (hr == CHY_S_OK && o->throwaway) hr = chy_throwaway_token(d, err);
    if (hr == CHY_S_OK && o->n_https && !o->throwaway) hr = chy_tls_identity(d, err);
    if (hr == CHY_S_OK) hr = make_service(d, err);
    if (hr == CHY_S_OK) hr = make_responder(d, err);
    if (hr == CHY_S_OK) hr = listen_all(d, err);
    if (hr == CHY_S_OK) hr = watch(d, err);
    /* A throwaway's certificate need not be there before the first who asks for it. */
    if (hr == CHY_S_OK && o->throwaway) hr = chy_tls_identity_apart(d, err);
    return hr;
}

static void end_identity(struct chy_daemon *d)
{
    if (d->has_identity_thread) pthread_join(d->identity_thread, NULL);
    d->has_identity_thread = false;
}

chy_hresult chy_daemon_run(struct chy_daemon *d, struct chy_err *err)
{
    chy_log(CHY_LOG_LEVEL_INFO, "daemon.ready", "socket", d->socket, "version", CHY_VERSION, NULL);
    (void)chy_systemd_notify("READY=1");
    chy_hresult hr = chy_net_run(d->net, err);
    end_identity(d);
    if (hr == CHY_S_OK && d->identity_err.code != CHY_S_OK) {
        *err = d->identity_err;
        hr = err->code;
    }
    return hr;
}

/* The CAs close first: what they still complete is answered into connections that are still there.
 */
void chy_daemon_stop(struct chy_daemon *d)
{
    end_identity(d);
    if (d->service.users) chy_users_stop(d->service.users);
    chy_ocsp_stop(d->ocsp);
    for (size_t i = 0; i < d->service.n_cas; i++)
        chy_ca_close(d->service.ca[i]);
    d->service.n_cas = 0;
    chy_ocsp_free(d->ocsp);
    d->ocsp = NULL;
    if (d->made.store) chy_store_close(d->made.store);
    chy_key_free(d->made.key);
    if (d->workers) chy_workers_free(d->workers);
    if (d->net) chy_net_free(d->net);
    chy_service_fini(&d->service);
    chy_wipe(d->service.token, sizeof(d->service.token));
}
