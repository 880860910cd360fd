/* TLS against OpenSSL's own client: handshakes, client certificates, renewal, wrong octets. */
#include "tls_server.h"

static size_t client_ask(struct client *c, const char *text, char *out, size_t max)
{
    size_t n = 0;
    if (SSL_write(c->ssl, text, (int)strlen(text)) <= 0) return 0;
    int k = SSL_read(c->ssl, out, (int)max - 1);
    if (k > 0) n = (size_t)k;
    out[n] = 0;
    return n;
}

static void both_versions_are_served(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const unsigned char alpn[] = "\x02h2\x08http/1.1";
    struct fixture f;
    char a[2000];
    fixture_new(&f, NULL);
    for (size_t i = 0; i < CHY_ARRAY_LEN(versions); i++) {
        struct client c;
        const unsigned char *chosen = NULL;
        unsigned chosen_n = 0;
        client_new(&c, NULL);
        SSL_set_max_proto_version(c.ssl, versions[i]);
        SSL_set_alpn_protos(c.ssl, alpn, sizeof(alpn) - 1);
        assert_true(client_dial(&c, f.tls_port));
        assert_int_equal(SSL_version(c.ssl), versions[i]);
        SSL_get0_alpn_selected(c.ssl, &chosen, &chosen_n);
        assert_int_equal(chosen_n, 8);
        for (int round = 0; round < 5; round++) {
            client_ask(&c, GET_HELLO, a, sizeof(a));
            assert_non_null(strstr(a, "200 OK"));
            assert_non_null(strstr(a, "\r\n\r\nhello"));
        }
        if (versions[i] == TLS1_2_VERSION) {
            assert_int_equal(SSL_renegotiate(c.ssl), 1);
            assert_int_not_equal(SSL_do_handshake(c.ssl), 1);
        }
        client_free(&c);
    }
    struct chy_net_counters counters;
    chy_net_counters(f.s.net, &counters);
    assert_int_equal(counters.tls_handshakes, 2);
    fixture_free(&f);
}

static void old_versions_and_protocols_are_refused(void **state)
{
    (void)state;
    static const unsigned char alpn[] = "\x02h2";
    struct fixture f;
    struct client c;
    fixture_new(&f, NULL);
    client_new(&c, NULL);
    SSL_set_security_level(c.ssl, 0);
    SSL_set_min_proto_version(c.ssl, TLS1_1_VERSION);
    SSL_set_max_proto_version(c.ssl, TLS1_1_VERSION);
    assert_false(client_dial(&c, f.tls_port));
    client_free(&c);
    client_new(&c, NULL);
    SSL_set_alpn_protos(c.ssl, alpn, sizeof(alpn) - 1);
    assert_false(client_dial(&c, f.tls_port));
    client_free(&c);
    client_new(&c, NULL);
    SSL_set_max_proto_version(c.ssl, TLS1_2_VERSION);
    SSL_set_cipher_list(c.ssl, "AES128-SHA256:AES256-GCM-SHA384"); /* no forward secrecy */
    assert_false(client_dial(&c, f.tls_port));
    client_free(&c);
    fixture_free(&f);
}

static void client_certificate_is_verified(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    char a[3000];
    unsigned char *der = NULL;
    fixture_new(&f, NULL);
    client_new(&c, &f.client);
    assert_true(client_dial(&c, f.tls_port));
    size_t n = client_ask(&c, "GET /cert HTTP/1.1\r\nHost: a\r\n\r\n", a, sizeof(a));
    int der_n = i2d_X509(f.client.cert, &der);
    assert_true(der_n > 0 && n > (size_t)der_n);
    assert_memory_equal(a + n - der_n, der, (size_t)der_n);
    OPENSSL_free(der);
    client_free(&c);
    client_new(&c, NULL);
    assert_true(client_dial(&c, f.tls_port));
    client_ask(&c, "GET /cert HTTP/1.1\r\nHost: a\r\n\r\n", a, sizeof(a));
    assert_non_null(strstr(a, "Content-Length: 0\r\n"));
    client_free(&c);
    client_new(&c, &f.stranger);
    /* In TLS 1.3 the client learns of it with the first read. */
    bool refused = !client_dial(&c, f.tls_port) || client_ask(&c, GET_HELLO, a, sizeof(a)) == 0;
    assert_true(refused);
    client_free(&c);
    fixture_free(&f);
}

static void resumed_session_keeps_the_client(void **state)
{
    (void)state;
    struct fixture f;
    struct client c, again;
    char a[3000];
    fixture_new(&f, NULL);
    client_new(&c, &f.client);
    assert_true(client_dial(&c, f.tls_port));
    client_ask(&c, GET_HELLO, a, sizeof(a));
    SSL_SESSION *session = SSL_get1_session(c.ssl);
    client_new(&again, NULL);
    SSL_set_session(again.ssl, session);
    assert_true(client_dial(&again, f.tls_port));
    assert_int_equal(SSL_session_reused(again.ssl), 1);
    size_t n = client_ask(&again, "GET /cert HTTP/1.1\r\nHost: a\r\n\r\n", a, sizeof(a));
    assert_true(n > 300);
    client_free(&again);
    SSL_SESSION_free(session);
    client_free(&c);
    fixture_free(&f);
}

static void renewed_certificate_is_taken_over(void **state)
{
    (void)state;
    struct fixture f;
    struct identity fresh;
    struct client c, d;
    char a[2000];
    fixture_new(&f, NULL);
    identity_new(&fresh, "renewed", NULL);
    client_new(&c, NULL);
    assert_true(client_dial(&c, f.tls_port));
    struct chy_net_tls tls = {
        chy_buf_span(&fresh.cert_pem), chy_buf_span(&fresh.key_pem), {NULL, 0}};
    assert_int_equal(chy_net_set_tls(f.s.net, &tls, NULL), CHY_S_OK);
    client_ask(&c, GET_HELLO, a, sizeof(a)); /* what stood goes on */
    assert_non_null(strstr(a, "200 OK"));
    client_new(&d, NULL);
    assert_true(client_dial(&d, f.tls_port));
    X509 *seen = SSL_get1_peer_certificate(d.ssl);
    assert_int_equal(X509_cmp(seen, fresh.cert), 0);
    X509_free(seen);
    client_free(&c);
    client_free(&d);
    identity_free(&fresh);
    fixture_free(&f);
}

static void *set_late(void *arg)
{
    struct fixture *f = arg;
    usleep(50000);
    assert_int_equal(chy_net_set_tls(f->s.net, &f->tls, NULL), CHY_S_OK);
    return NULL;
}

static void connections_wait_for_the_certificate(void **state)
{
    (void)state;
    struct fixture f;
    struct client early, second;
    pthread_t thread;
    char a[2000];
    memset(&f, 0, sizeof(f));
    identity_new(&f.server, "localhost", NULL);
    f.tls = (struct chy_net_tls){
        chy_buf_span(&f.server.cert_pem), chy_buf_span(&f.server.key_pem), {NULL, 0}};
    server_new(&f.s, NULL);
    assert_int_equal(chy_net_listen_tcp(f.s.net, "127.0.0.1", 0, true, &f.tls_port, NULL), 0);
    server_start(&f.s);
    assert_int_equal(pthread_create(&thread, NULL, set_late, &f), 0);
    client_new(&early, NULL);
    client_new(&second, NULL);
    second.fd = dial(f.tls_port);
    assert_true(client_dial(&early, f.tls_port));
    client_ask(&early, GET_HELLO, a, sizeof(a));
    assert_non_null(strstr(a, "200 OK"));
    SSL_set_fd(second.ssl, second.fd);
    assert_int_equal(SSL_connect(second.ssl), 1);
    pthread_join(thread, NULL);
    client_free(&early);
    client_free(&second);
    server_stop(&f.s, 1000);
    identity_free(&f.server);
}

static void bad_material_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_new(&f, NULL);
    struct chy_net_tls tls = f.tls;
    tls.key = chy_buf_span(&f.stranger.key_pem);
    assert_int_equal(chy_net_set_tls(f.s.net, &tls, NULL), CHY_E_INVALIDARG);
    tls = f.tls;
    tls.cert_chain = CHY_SPAN_STR("nothing");
    assert_int_equal(chy_net_set_tls(f.s.net, &tls, NULL), CHY_E_INVALIDARG);
    tls = f.tls;
    tls.client_ca = CHY_SPAN_STR("nothing");
    assert_int_equal(chy_net_set_tls(f.s.net, &tls, NULL), CHY_E_INVALIDARG);
    fixture_free(&f);
}

static void wrong_octets_end_the_connection(void **state)
{
    (void)state;
    struct fixture f;
    char a[100];
    fixture_new(&f, NULL);
    int fd = dial(f.tls_port);
    say(fd, GET_HELLO);
    ssize_t n = recv(fd, a, sizeof(a), 0); /* an alert at most */
    assert_true(n <= 7);
    if (n > 0) assert_true(at_end(fd));
    close(fd);
    struct client c;
    client_new(&c, NULL);
    assert_true(client_dial(&c, f.tls_port));
    say(c.fd, "these octets are no TLS record at all");
    assert_true(SSL_read(c.ssl, a, sizeof(a)) <= 0);
    client_free(&c);
    EVENTUALLY(counters_of(&f.s).refused == 2 && counters_of(&f.s).open_connections == 0);
    fixture_free(&f);
}

static void silent_handshake_is_ended(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_net_limits l = chy_net_limits_default;
    l.head_timeout_ms = 100;
    fixture_new(&f, &l);
    int fd = dial(f.tls_port);
    assert_true(at_end(fd));
    close(fd);
    fixture_free(&f);
}

static void big_body_goes_both_ways(void **state)
{
    (void)state;
    struct fixture f;
    struct client c;
    static char piece[16000], a[16000];
    fixture_new(&f, NULL);
    client_new(&c, NULL);
    assert_true(client_dial(&c, f.tls_port));
    static const char head[] = "POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 3200000\r\n\r\n";
    assert_true(SSL_write(c.ssl, head, sizeof(head) - 1) > 0);
    memset(piece, 'p', sizeof(piece));
    for (int i = 0; i < 200; i++) {
        assert_true(SSL_write(c.ssl, piece, sizeof(piece)) > 0);
    }
    sleep_ms(100);
    size_t n = 0;
    while (n < 3200000) {
        int k = SSL_read(c.ssl, a, sizeof(a));
        assert_true(k > 0);
        n += (size_t)k;
    }
    assert_in_range(n, 3200000, 3201000);
    client_ask(&c, GET_HELLO, a, sizeof(a));
    assert_non_null(strstr(a, "200 OK"));
    client_free(&c);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_are_served),
        cmocka_unit_test(old_versions_and_protocols_are_refused),
        cmocka_unit_test(client_certificate_is_verified),
        cmocka_unit_test(resumed_session_keeps_the_client),
        cmocka_unit_test(renewed_certificate_is_taken_over),
        cmocka_unit_test(connections_wait_for_the_certificate),
        cmocka_unit_test(bad_material_is_refused),
        cmocka_unit_test(wrong_octets_end_the_connection),
        cmocka_unit_test(silent_handshake_is_ended),
        cmocka_unit_test(big_body_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
