/* TLS: who is believed. The server is OpenSSL's, with a certificate made for each case. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/http_client.h"

struct server {
    int fd, port;
    SSL_CTX *ctx;
    pthread_t thread;
    char ca[64];
};

static void add_san(X509 *x, const char *san)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *make_cert(EVP_PKEY *key, const char *san)
{
    static const unsigned char cn[] = "server";
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    add_san(x, san);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void *serve(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    struct server *s = arg;
    char buf[4096];
    int c = accept(s->fd, NULL, NULL);
    SSL *ssl = SSL_new(s->ctx);
    SSL_set_fd(ssl, c);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, buf, sizeof(buf)) > 0)
        SSL_write(ssl, answer, sizeof(answer) - 1);
    SSL_free(ssl);
    close(c);
    return NULL;
}

static void start(struct server *s, const char *san, int max_version)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = make_cert(key, san);
    snprintf(s->ca, sizeof(s->ca), "/tmp/chy-tls-XXXXXX");
    FILE *f = fdopen(mkstemp(s->ca), "w");
    assert_non_null(f);
    PEM_write_X509(f, x);
    fclose(f);
    s->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(s->ctx, x);
    SSL_CTX_use_PrivateKey(s->ctx, key);
    if (max_version) {
        SSL_CTX_set_security_level(s->ctx, 0);
        SSL_CTX_set_max_proto_version(s->ctx, max_version);
    }
    X509_free(x);
    EVP_PKEY_free(key);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    getsockname(s->fd, (struct sockaddr *)&a, &n);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
    pthread_join(s->thread, NULL);
    close(s->fd);
    SSL_CTX_free(s->ctx);
    unlink(s->ca);
}

/* One call to HOST; what came of it. */
static chy_hresult call(const char *san, const char *host, bool trusted, int max_version,
                        struct chy_err *err)
{
    struct server s;
    char url[64];
    struct chy_httpc *c = NULL;
    struct chy_httpc_answer a;
    *err = (struct chy_err){0};
    start(&s, san, max_version);
    snprintf(url, sizeof(url), "https://%s:%d", host, s.port);
    struct chy_httpc_endpoint e = {
        .url = url, .ca_cert_file = trusted ? s.ca : NULL, .timeout_ms = 5000};
    assert_int_equal(chy_httpc_new(&e, &c, err), CHY_S_OK);
    chy_httpc_answer_init(&a);
    struct chy_httpc_call get = {.method = "GET", .path = "/", .token = "t"};
    chy_hresult hr = chy_httpc_call(c, &get, &a, err);
    if (hr == CHY_S_OK) assert_memory_equal(a.body.p, "hi", 2);
    chy_httpc_answer_free(&a);
    chy_httpc_free(c);
    stop(&s);
    return hr;
}

static void test_trusted(void **state)
{
    struct chy_err err;
    (void)state;
    assert_int_equal(call("IP:127.0.0.1", "127.0.0.1", true, 0, &err), CHY_S_OK);
    assert_int_equal(call("DNS:localhost", "localhost", true, 0, &err), CHY_S_OK);
    assert_int_equal(call("DNS:localhost", "localhost", true, TLS1_2_VERSION, &err), CHY_S_OK);
}

static void test_not_trusted(void **state)
{
    struct chy_err err;
    (void)state;
    assert_int_equal(call("IP:127.0.0.1", "127.0.0.1", false, 0, &err), CHY_CERT_E_CHAINING);
    assert_non_null(strstr(err.text, "its certificate is not trusted: self-signed certificate"));
}

static void test_another_name(void **state)
{
    struct chy_err err;
    (void)state;
    assert_int_equal(call("DNS:other.test", "localhost", true, 0, &err), CHY_CERT_E_CHAINING);
    assert_non_null(strstr(err.text, "hostname mismatch"));
    assert_int_equal(call("IP:127.0.0.9", "127.0.0.1", true, 0, &err), CHY_CERT_E_CHAINING);
    assert_non_null(strstr(err.text, "IP address mismatch"));
    /* an address is no DNS name, and the common name does not count */
    assert_int_equal(call("DNS:127.0.0.1", "127.0.0.1", true, 0, &err), CHY_CERT_E_CHAINING);
}

static void test_old_version(void **state)
{
    struct chy_err err;
    (void)state;
    assert_int_equal(call("IP:127.0.0.1", "127.0.0.1", true, TLS1_1_VERSION, &err),
                     CHY_ERROR_SERVICE_NOT_ACTIVE);
}

static void test_bad_files(void **state)
{
    static const struct chy_httpc_endpoint rows[] = {
        {.url = "https://x", .ca_cert_file = "/nowhere/ca.pem"},
        {.url = "https://x", .cert_file = "/nowhere/cert.pem"},
        {.url = "https://x", .key_file = "/nowhere/key.pem"}};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_httpc *c = NULL;
        struct chy_err err = {0};
        assert_int_equal(chy_httpc_new(&rows[i], &c, &err), CHY_E_INVALIDARG);
        assert_non_null(strstr(err.text, "/nowhere/"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted),      cmocka_unit_test(test_not_trusted),
        cmocka_unit_test(test_another_name), cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_bad_files),
    };
    signal(SIGPIPE, SIG_IGN); /* the server's: it writes to who has gone */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
