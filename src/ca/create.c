/* Making a CA: its folder, key, certificate and first configuration. Everything is written before
 * the certificate, which comes last: a folder with a certificate is a whole CA. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "ca/ca_cert.h"
#include "ca/ca_internal.h"

struct making {
    const struct chy_ca_init *init;
    struct chy_key *key;
    const struct chy_sig_alg *sig_alg;
    struct chy_buf subject, permitted, constraints;
    struct chy_ca_cert_making cert;
    struct chy_store *store;
    chy_hresult settings_hr; /* of the thread that writes the settings */
    struct chy_err settings_err;
};

static chy_hresult path_of(const char *dir, const char *file, char *out, size_t cap,
                           struct chy_err *err)
{
    int n = snprintf(out, cap, "%s/%s", dir, file);
    if (n > 0 && (size_t)n < cap) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG, "folder %.64s…: the path is too long", dir);
}

static bool has(const char *dir, const char *file)
{
    char path[4096];
    return path_of(dir, file, path, sizeof(path), NULL) == CHY_S_OK && access(path, F_OK) == 0;
}

/* Whoever makes a CA in a folder has it alone until the CA is whole: another one would write over
 * its key, or take it back. The lock goes with the descriptor, so with the process as well; where
 * the file system has none for folders, there is none. */
static chy_hresult claim(const char *dir, int *claimed, struct chy_err *err)
{
    *claimed = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*claimed < 0) return chy_fail_errno(err, "%s", dir);
    if (flock(*claimed, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return CHY_S_OK;
    return chy_fail(err, CHY_ERROR_BUSY,
                    "%s: another process is making a CA there: wait until it is done", dir);
}

/* A key that is written over is lost for good, and with it every CRL of what it signed. */
static chy_hresult prepare_dir(const char *dir, int *claimed, struct chy_err *err)
{
    char path[4096];
    chy_hresult hr = path_of(dir, "ca.db-journal", path, sizeof(path), err); /* the longest */
    if (hr == CHY_S_OK) hr = chy_dir_make(dir, 0700, err);
    if (hr == CHY_S_OK) hr = claim(dir, claimed, err);
    if (hr != CHY_S_OK) return hr;
    if (has(dir, "ca.pem"))
        return chy_fail(err, CHY_ERROR_ALREADY_EXISTS, "%s: there is a CA already (ca.pem exists)",
                        dir);
    if (has(dir, "key.pem") || has(dir, "ca.db"))
        return chy_fail(err, CHY_ERROR_ALREADY_EXISTS,
                        "%s: there is a key or a database, but no ca.pem: put that back if it was "
                        "lost; remove the folder if its making was cut off",
                        dir);
    return CHY_S_OK;
}

/* What prepare_dir found not to be there. */
static void take_back(const char *dir)
{
    static const char *const files[] = {"ca.pem",    "key.pem",       "ca.db",  "ca.db-wal",
                                        "ca.db-shm", "ca.db-journal", "ca.lock"};
    char path[4096];
    for (size_t i = 0; i < CHY_ARRAY_LEN(files); i++) {
        if (path_of(dir, files[i], path, sizeof(path), NULL) == CHY_S_OK) (void)unlink(path);
    }
}

static chy_hresult make_key(struct making *m, struct chy_err *err)
{
    char path[4096];
    chy_hresult hr = path_of(m->init->dir, "key.pem", path, sizeof(path), err);
    if (hr == CHY_S_OK)
        hr = chy_key_generate(m->init->key_alg ? m->init->key_alg : "p256", &m->key, err);
    if (hr != CHY_S_OK) return hr;
    m->sig_alg = chy_key_sig_alg(m->key, m->init->sig_alg, err);
    if (!m->sig_alg) return err->code;
    return chy_key_save(m->key, path, err);
}

static chy_hresult make_subject(struct making *m, struct chy_err *err)
{
    if (m->init->subject) return chy_name_from_text(m->init->subject, &m->subject, err);
    const struct chy_name_prop *cn = &chy_name_props[chy_name_prop_find("CommonName")];
    struct chy_span name = chy_span_cstr(m->init->common_name);
    if (!name.n || name.n > 255 || !chy_utf8_valid(name)) {
        return chy_fail(err, CHY_E_INVALIDARG, "CA name: 1 to 64 characters of UTF-8 are expected");
    }
    size_t mark = chy_name_open(&m->subject);
    chy_name_add(&m->subject, cn->oid, cn->tag, name);
    chy_name_close(&m->subject, mark);
    return chy_buf_done(&m->subject, "CA subject", err);
}

/* "10.0.0.0/8" to address and mask, as name constraints hold them (RFC 5280 4.2.1.10). */
static bool ip_range_from_text(const char *text, struct chy_buf *octets, struct chy_span *out)
{
    char address[64];
    uint8_t range[32] = {0};
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof(address)) return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = 0;
    bool v6 = strchr(address, ':') != NULL;
    size_t n = v6 ? 16 : 4;
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end || bits > n * 8 || inet_pton(v6 ? AF_INET6 : AF_INET, address, range) != 1)
        return false;
    for (size_t i = 0; i < bits; i++)
        range[n + i / 8] |= (uint8_t)(0x80 >> i % 8);
    size_t at = octets->n;
    chy_buf_add(octets, range, 2 * n);
    *out = chy_span_of(octets->p + at, 2 * n);
    return !octets->failed;
}

/* "dns:test", "ip:10.0.0.0/8", "email:example.com", "uri:example.com" */
static bool constraint_of_text(struct chy_buf *octets, const char *text,
                               struct chy_general_name *gn)
{
    const char *value = strchr(text, ':');
    size_t kind = value ? (size_t)(value - text) : 0;
    if (!value++) return false;
    gn->value = chy_span_cstr(value);
    if (kind == 3 && strncmp(text, "dns", 3) == 0) {
        gn->type = CHY_GN_DNS;
    } else if (kind == 5 && strncmp(text, "email", 5) == 0) {
        gn->type = CHY_GN_EMAIL;
    } else if (kind == 3 && strncmp(text, "uri", 3) == 0) {
        gn->type = CHY_GN_URI;
    } else if (kind == 2 && strncmp(text, "ip", 2) == 0) {
        gn->type = CHY_GN_IP;
        return ip_range_from_text(value, octets, &gn->value);
    } else {
        return false;
    }
    return gn->value.n > 0;
}

static chy_hresult make_constraints(struct making *m, struct chy_err *err)
{
    if (!m->init->permitted) return CHY_S_OK;
    struct chy_name_constraints *nc = chy_calloc(1, sizeof(*nc));
    chy_hresult hr = nc ? CHY_S_OK : chy_fail_nomem(err, "name constraints");
    /* One buffer for all address ranges: it must not move while names point into it. */
    if (hr == CHY_S_OK && !chy_buf_reserve(&m->permitted, 64 * 32))
        hr = chy_fail_nomem(err, "name constraints");
    for (const char *const *p = m->init->permitted; hr == CHY_S_OK && *p; p++) {
        if (nc->n_permitted == CHY_ARRAY_LEN(nc->permitted) ||
            !constraint_of_text(&m->permitted, *p, &nc->permitted[nc->n_permitted])) {
            hr = chy_fail(err, CHY_E_INVALIDARG,
                          "name constraint \"%.64s\": dns:DOMAIN, ip:ADDRESS/BITS, email:DOMAIN or "
                          "uri:HOST is expected",
                          *p);
        } else {
            nc->n_permitted++;
        }
    }
    if (hr == CHY_S_OK) {
        chy_name_constraints_add(&m->constraints, nc);
        hr = chy_buf_done(&m->constraints, "name constraints", err);
    }
    chy_free(nc);
    return hr;
}

/* Behind one commit. While it runs, a reader gets to know the schema: whoever opens this CA needs
 * one. */
static chy_hresult write_all(struct chy_store *store, struct chy_write *w, size_t n,
                             struct chy_err *err)
{
    struct chy_store_waiter waiter;
    int64_t seq;
    for (size_t i = 0; i + 1 < n; i++) {
        w[i].soon = n - 1 - i;
        chy_store_write(store, &w[i]);
    }
    chy_store_write_begin(store, &w[n - 1], &waiter);
    chy_hresult read_hr = store->ops->last_seq(store, &seq, err);
    chy_hresult hr = chy_store_write_end(&w[n - 1], &waiter, err);
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++) {
        if (w[i].result != CHY_S_OK) hr = chy_fail(err, w[i].result, "%s", w[i].err.text);
    }
    return hr == CHY_S_OK ? read_hr : hr;
}

static chy_hresult write_settings(struct making *m, struct chy_err *err)
{
    struct chy_write w[CHY_ARRAY_LEN(m->init->setting)];
    size_t n = 0;
    chy_hresult hr = CHY_S_OK;
    for (; n < CHY_ARRAY_LEN(w) && m->init->setting[n].path && hr == CHY_S_OK; n++) {
        const char *path = m->init->setting[n].path, *json = m->init->setting[n].json;
        w[n] = (struct chy_write){.kind = CHY_WRITE_CONFIG,
                                  .path = path,
                                  .value = chy_span_cstr(json),
                                  .author = "set-up",
                                  .when = chy_now(m->init->clock)};
        hr = chy_config_check(path, json, err);
    }
    if (hr == CHY_S_OK) hr = chy_store_open_sqlite(m->init->dir, 1024, &m->store, err);
    return hr == CHY_S_OK && n ? write_all(m->store, w, n, err) : hr;
}

static void *settings_main(void *arg)
{
    struct making *m = arg;
    m->settings_hr = write_settings(m, &m->settings_err);
    return NULL;
}

/* The database is made while the key and the certificate are: each takes about as long. */
static chy_hresult make_all(struct making *m, struct chy_err *err)
{
    pthread_t thread;
    bool apart = chy_thread_start_beside(&thread, "settings", settings_main, m);
    if (!apart) settings_main(m);
    chy_hresult hr = make_key(m, err);
    if (hr == CHY_S_OK) {
        m->cert.key = m->key;
        m->cert.sig_alg = m->sig_alg;
        hr = chy_ca_cert_make(&m->cert, err);
    }
    if (apart) pthread_join(thread, NULL);
    if (hr == CHY_S_OK && m->settings_hr != CHY_S_OK) {
        *err = m->settings_err;
        hr = m->settings_hr;
    }
    return hr;
}

chy_hresult chy_ca_create(const struct chy_ca_init *init, struct chy_err *err)
{
    struct making m = {.init = init,
                       .cert = {.clock = init->clock,
                                .days = init->days,
                                .path_len = init->path_len,
                                .parent_dir = init->parent_dir,
                                .author = "set-up"}};
    struct chy_buf *bufs[] = {&m.subject, &m.permitted, &m.constraints, &m.cert.cert,
                              &m.cert.parent_chain};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], CHY_PEM_MAX);
    int claimed = -1;
    chy_hresult hr = prepare_dir(init->dir, &claimed, err);
    bool is_ours = hr == CHY_S_OK;
    if (hr == CHY_S_OK) hr = make_subject(&m, err);
    if (hr == CHY_S_OK) hr = make_constraints(&m, err);
    m.cert.subject = chy_buf_span(&m.subject);
    m.cert.constraints = chy_buf_span(&m.constraints);
    if (hr == CHY_S_OK) hr = make_all(&m, err);
    if (hr == CHY_S_OK) hr = chy_ca_cert_write(&m.cert, init->dir, 0, err);
    if (hr == CHY_S_OK && init->made) {
        *init->made = (struct chy_ca_made){m.key, m.store};
        m.key = NULL;
        m.store = NULL;
    }
    if (m.store) chy_store_close(m.store);
    if (hr != CHY_S_OK && is_ours) take_back(init->dir);
    if (claimed >= 0) close(claimed);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_key_free(m.key);
    return hr;
}
