/* A server with TLS and OpenSSL's own client, for the tests of this folder. */
#ifndef TEST_NET_TLS_SERVER_H
#define TEST_NET_TLS_SERVER_H

#include "server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    struct chy_buf cert_pem, key_pem;
};

static inline void add_pem(struct chy_buf *out, BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    chy_buf_init(out, 10000);
    chy_buf_add(out, p, (size_t)n);
    BIO_free(bio);
}

/* Self-signed when issuer is NULL. */
static inline void identity_new(struct identity *id, const char *name,
                                const struct identity *issuer)
{
    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), 7);
    X509_set_version(id->cert, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(id->cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), 3600);
    X509_set_pubkey(id->cert, id->key);
    X509_set_issuer_name(id->cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    if (!issuer) {
        X509_EXTENSION *ca =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(id->cert, ca, -1);
        X509_EXTENSION_free(ca);
    }
    assert_true(X509_sign(id->cert, issuer ? issuer->key : id->key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, id->cert);
    add_pem(&id->cert_pem, bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, id->key, NULL, NULL, 0, NULL, NULL);
    add_pem(&id->key_pem, bio);
}

static inline void identity_free(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    chy_buf_free(&id->cert_pem);
    chy_buf_free(&id->key_pem);
}

struct fixture {
    struct server s;
    struct identity server, client_ca, client, stranger;
    struct chy_net_tls tls;
    int tls_port;
};

static inline void answer_cert(struct chy_exchange *x, void *arg)
{
    (void)arg;
    chy_exchange_reply(x, 200, "application/pkix-cert", chy_exchange_peer(x)->client_cert);
}

static inline void fixture_make(struct fixture *f, const struct chy_net_limits *limits)
{
    identity_new(&f->server, "localhost", NULL);
    identity_new(&f->client_ca, "client ca", NULL);
    identity_new(&f->client, "client", &f->client_ca);
    identity_new(&f->stranger, "stranger", NULL);
    server_new(&f->s, limits);
    f->tls =
        (struct chy_net_tls){chy_buf_span(&f->server.cert_pem), chy_buf_span(&f->server.key_pem),
                             chy_buf_span(&f->client_ca.cert_pem)};
    assert_int_equal(chy_net_set_tls(f->s.net, &f->tls, NULL), CHY_S_OK);
    assert_int_equal(chy_net_route(f->s.net, "GET", "/cert", 0, answer_cert, NULL, NULL), 0);
    assert_int_equal(chy_net_listen_tcp(f->s.net, "127.0.0.1", 0, true, &f->tls_port, NULL), 0);
}

static inline void fixture_new(struct fixture *f, const struct chy_net_limits *limits)
{
    fixture_make(f, limits);
    server_start(&f->s);
}

static inline void fixture_free(struct fixture *f)
{
    server_stop(&f->s, 1000);
    identity_free(&f->server);
    identity_free(&f->client_ca);
    identity_free(&f->client);
    identity_free(&f->stranger);
}

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static inline void client_new(struct client *c, const struct identity *id)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    if (id) {
        assert_int_equal(SSL_CTX_use_certificate(c->ctx, id->cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(c->ctx, id->key), 1);
    }
    c->ssl = SSL_new(c->ctx);
}

static inline bool client_dial(struct client *c, int port)
{
    c->fd = dial(port);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static inline void client_free(struct client *c)
{
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
    ERR_clear_error();
}

#endif
