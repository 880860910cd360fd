/* OpenSSL's contexts and sessions. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define SESSION_SECONDS 3600
#define SMALL_RECORDS 65536

static chy_hresult fail_ssl(struct chy_err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    chy_hresult hr =
        chy_fail(err, CHY_E_INVALIDARG, "TLS: %s: %s", what, reason ? reason : "not readable");
    ERR_clear_error();
    return hr;
}

/* Without this OpenSSL would ask for a pass phrase on the terminal. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf, (void)size, (void)rwflag, (void)arg;
    return -1;
}

static BIO *bio_of(struct chy_span s)
{
    return s.n > INT32_MAX ? NULL : BIO_new_mem_buf(s.p, (int)s.n);
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                           const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char http11[] = "http/1.1";
    (void)ssl, (void)arg;
    for (unsigned i = 0; i < in_n && in[i] < in_n - i; i += 1u + in[i]) {
        if (in[i] == 8 && memcmp(in + i + 1, http11, 8) == 0) {
            *out = http11;
            *out_n = 8;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2: no_application_protocol */
}

static bool set_protocol(SSL_CTX *ctx)
{
    static const unsigned char id[] = "chancery";
    int groups[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets carry the state */
    SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set1_groups(ctx, groups, CHY_ARRAY_LEN(groups)) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static chy_hresult set_chain(SSL_CTX *ctx, struct chy_span pem, struct chy_err *err)
{
    chy_hresult hr = CHY_E_INVALIDARG;
    X509 *cert = NULL;
    BIO *bio = bio_of(pem);
    if (!bio) {
        hr = chy_fail_nomem(err, "TLS");
        goto out;
    }
    cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    if (!cert || SSL_CTX_use_certificate(ctx, cert) != 1) {
        hr = fail_ssl(err, "server certificate");
        goto out;
    }
    for (;;) {
        X509 *more = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        if (!more) break;
        if (SSL_CTX_add0_chain_cert(ctx, more) != 1) {
            X509_free(more);
            hr = fail_ssl(err, "server certificate chain");
            goto out;
        }
    }
    ERR_clear_error(); /* the end of the PEM text is an error to OpenSSL */
    hr = CHY_S_OK;
out:
    X509_free(cert);
    BIO_free(bio);
    return hr;
}

static chy_hresult set_key(SSL_CTX *ctx, struct chy_span pem, struct chy_err *err)
{
    BIO *bio = bio_of(pem);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    bool good = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good ? CHY_S_OK : fail_ssl(err, "server key");
}

static chy_hresult set_client_ca(SSL_CTX *ctx, struct chy_span pem, struct chy_err *err)
{
    BIO *bio = bio_of(pem);
    if (!bio) return chy_fail_nomem(err, "TLS");
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    unsigned n = 0;
    bool good = true;
    for (X509 *ca; good && (ca = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; n++) {
        good = X509_STORE_add_cert(store, ca) == 1 && SSL_CTX_add_client_CA(ctx, ca) == 1;
        X509_free(ca);
    }
    BIO_free(bio);
    if (!good || n == 0) return fail_ssl(err, "client CA");
    ERR_clear_error();
    /* An issuing CA may be named without its root. */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return CHY_S_OK;
}

chy_hresult chy_tls_context(const struct chy_net_tls *tls, SSL_CTX **out, struct chy_err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return chy_fail_nomem(err, "TLS");
    chy_hresult hr = CHY_S_OK;
    if (!set_protocol(ctx)) hr = fail_ssl(err, "protocol settings");
    if (hr == CHY_S_OK) hr = set_chain(ctx, tls->cert_chain, err);
    if (hr == CHY_S_OK) hr = set_key(ctx, tls->key, err);
    if (hr == CHY_S_OK && tls->client_ca.n) hr = set_client_ca(ctx, tls->client_ca, err);
    if (hr != CHY_S_OK) {
        SSL_CTX_free(ctx);
        return hr;
    }
    *out = ctx;
    return CHY_S_OK;
}

bool chy_tls_init(struct chy_tls *t, SSL_CTX *ctx)
{
    *t = (struct chy_tls){
        .ssl = SSL_new(ctx), .in = BIO_new(BIO_s_mem()), .out = BIO_new(BIO_s_mem())};
    if (!t->ssl || !t->in || !t->out) {
        SSL_free(t->ssl);
        BIO_free(t->in);
        BIO_free(t->out);
        *t = (struct chy_tls){.ssl = NULL};
        return false;
    }
    /* An empty BIO says "later", not "end". */
    BIO_set_mem_eof_return(t->in, -1);
    BIO_set_mem_eof_return(t->out, -1);
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_accept_state(t->ssl);
    return true;
}

void chy_tls_fini(struct chy_tls *t)
{
    SSL_free(t->ssl);
    *t = (struct chy_tls){.ssl = NULL};
}

bool chy_tls_feed(struct chy_tls *t, const void *p, size_t n)
{
    return n <= SMALL_RECORDS * 4 && BIO_write(t->in, p, (int)n) == (int)n;
}

static enum chy_tls_step step_of(struct chy_tls *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return CHY_TLS_MORE;
    case SSL_ERROR_ZERO_RETURN: return CHY_TLS_CLOSED;
    default: ERR_clear_error(); return CHY_TLS_BROKEN;
    }
}

enum chy_tls_step chy_tls_read(struct chy_tls *t, void *p, size_t max, size_t *n)
{
    *n = 0;
    ERR_clear_error();
    if (!t->established) {
        int r = SSL_do_handshake(t->ssl);
        if (r != 1) return step_of(t, r);
        t->established = true;
    }
    int r = SSL_read_ex(t->ssl, p, max, n);
    return r == 1 ? CHY_TLS_OK : step_of(t, r);
}

enum chy_tls_step chy_tls_write(struct chy_tls *t, const void *p, size_t n)
{
    if (n == 0) return CHY_TLS_OK;
    size_t done = 0;
    ERR_clear_error();
    int r = SSL_write_ex(t->ssl, p, n, &done);
    return r == 1 && done == n ? CHY_TLS_OK : CHY_TLS_BROKEN;
}

bool chy_tls_has_more(const struct chy_tls *t)
{
    return SSL_pending(t->ssl) > 0 || BIO_pending(t->in) > 0;
}

void chy_tls_shutdown(struct chy_tls *t)
{
    if (!t->established) return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

struct chy_span chy_tls_pending(const struct chy_tls *t)
{
    char *p = NULL;
    long n = BIO_get_mem_data(t->out, &p);
    return n > 0 ? chy_span_of(p, (size_t)n) : (struct chy_span){NULL, 0};
}

void chy_tls_taken(struct chy_tls *t)
{
    (void)BIO_reset(t->out);
}

uint8_t *chy_tls_peer_cert(const struct chy_tls *t, size_t *n)
{
    uint8_t *der = NULL;
    X509 *cert = SSL_get1_peer_certificate(t->ssl);
    if (!cert) return NULL;
    int len = SSL_get_verify_result(t->ssl) == X509_V_OK ? i2d_X509(cert, NULL) : 0;
    if (len > 0) der = chy_malloc((size_t)len);
    if (der) {
        uint8_t *end = der;
        *n = (size_t)i2d_X509(cert, &end);
    }
    X509_free(cert);
    return der;
}
