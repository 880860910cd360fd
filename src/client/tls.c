/* TLS through memory: OpenSSL never touches the socket, so deadlines and signals stay ours. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "client/wire.h"

static chy_hresult tls_fail(chy_hresult code, const char *what, struct chy_err *err)
{
    char text[160] = "unknown reason";
    unsigned long e = ERR_peek_last_error();
    if (e) ERR_error_string_n(e, text, sizeof(text));
    ERR_clear_error();
    return chy_fail(err, code, "%s: %s", what, text);
}

static chy_hresult use_identity(SSL_CTX *ctx, const struct chy_httpc_endpoint *e,
                                struct chy_err *err)
{
    const char *key = e->key_file ? e->key_file : e->cert_file;
    if (!e->cert_file) {
        if (!e->key_file) return CHY_S_OK;
        return chy_fail(err, CHY_E_INVALIDARG, "key %s: its certificate is missing (--cert)",
                        e->key_file);
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, e->cert_file) != 1)
        return tls_fail(CHY_E_INVALIDARG, e->cert_file, err);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return tls_fail(CHY_E_INVALIDARG, key, err);
    return CHY_S_OK;
}

chy_hresult chy_wire_tls_ctx(const struct chy_httpc_endpoint *e, SSL_CTX **out, struct chy_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    chy_hresult hr = CHY_S_OK;
    if (!ctx) return chy_fail_nomem(err, "TLS");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        hr = tls_fail(CHY_E_FAIL, "TLS 1.2", err);
    if (hr == CHY_S_OK && e->ca_cert_file &&
        SSL_CTX_load_verify_locations(ctx, e->ca_cert_file, NULL) != 1)
        hr = tls_fail(CHY_E_INVALIDARG, e->ca_cert_file, err);
    if (hr == CHY_S_OK && !e->ca_cert_file && SSL_CTX_set_default_verify_paths(ctx) != 1)
        hr = tls_fail(CHY_E_FAIL, "the system's trusted certificates", err);
    /* What the caller trusts is trusted, root or not. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (hr == CHY_S_OK) hr = use_identity(ctx, e, err);
    if (hr != CHY_S_OK) {
        SSL_CTX_free(ctx);
        return hr;
    }
    *out = ctx;
    return CHY_S_OK;
}

/* Sends what TLS has to say; then, where it wants to hear, waits for octets. *end: the peer closed.
 */
static chy_hresult pump(struct chy_wire *w, int result, bool *end, struct chy_err *err)
{
    uint8_t piece[4096];
    size_t n;
    int want = SSL_get_error(w->ssl, result);
    chy_hresult hr = CHY_S_OK;
    while (hr == CHY_S_OK && BIO_read_ex(SSL_get_wbio(w->ssl), piece, sizeof(piece), &n) == 1)
        hr = chy_wire_send(w, chy_span_of(piece, n), err);
    if (hr != CHY_S_OK || want == SSL_ERROR_NONE) return hr;
    if (want == SSL_ERROR_ZERO_RETURN) {
        *end = true;
        return CHY_S_OK;
    }
    if (want != SSL_ERROR_WANT_READ) {
        long v = SSL_get_verify_result(w->ssl);
        if (v != X509_V_OK) {
            ERR_clear_error();
            return chy_fail(err, CHY_CERT_E_CHAINING,
                            "%s: its certificate is not trusted: %s (name the CA with --ca-cert)",
                            w->where, X509_verify_cert_error_string(v));
        }
        return tls_fail(CHY_ERROR_SERVICE_NOT_ACTIVE, w->where, err);
    }
    hr = chy_wire_recv(w, piece, sizeof(piece), &n, err);
    if (hr == CHY_S_OK && !n) *end = true;
    if (hr == CHY_S_OK && n && BIO_write(SSL_get_rbio(w->ssl), piece, (int)n) != (int)n)
        hr = chy_fail_nomem(err, "TLS");
    return hr;
}

static bool set_name(SSL *ssl, const char *host)
{
    uint8_t address[16];
    char name[256]; /* the macro behind SNI wants it writable */
    bool ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (ip) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    snprintf(name, sizeof(name), "%s", host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

chy_hresult chy_wire_start_tls(struct chy_wire *w, SSL_CTX *ctx, const char *host,
                               struct chy_err *err)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    w->ssl = SSL_new(ctx);
    if (!in || !out || !w->ssl || !set_name(w->ssl, host)) {
        BIO_free(in);
        BIO_free(out);
        return chy_fail_nomem(err, "TLS");
    }
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(w->ssl, in, out);
    for (;;) {
        bool end = false;
        ERR_clear_error();
        int r = SSL_connect(w->ssl);
        chy_hresult hr = pump(w, r, &end, err);
        if (hr != CHY_S_OK || r == 1) return hr;
        if (end)
            return chy_fail(err, CHY_ERROR_SERVICE_NOT_ACTIVE, "%s closed during the TLS handshake",
                            w->where);
    }
}

chy_hresult chy_wire_tls_write(struct chy_wire *w, struct chy_span data, struct chy_err *err)
{
    size_t n;
    bool end = false;
    if (!data.n) return CHY_S_OK;
    for (;;) {
        ERR_clear_error();
        int r = SSL_write_ex(w->ssl, data.p, data.n, &n);
        chy_hresult hr = pump(w, r, &end, err);
        if (hr != CHY_S_OK || r == 1) return hr;
        if (end) return chy_fail(err, CHY_ERROR_SERVICE_NOT_ACTIVE, "%s closed", w->where);
    }
}

chy_hresult chy_wire_tls_read(struct chy_wire *w, void *p, size_t cap, size_t *n,
                              struct chy_err *err)
{
    bool end = false;
    for (;;) {
        ERR_clear_error();
        int r = SSL_read_ex(w->ssl, p, cap, n);
        chy_hresult hr = pump(w, r, &end, err);
        if (hr != CHY_S_OK || r == 1) return hr;
        if (end) {
            *n = 0;
            return CHY_S_OK;
        }
    }
}
