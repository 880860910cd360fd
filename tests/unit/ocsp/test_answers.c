/* The responder over HTTP, of a CA that the test runs, judged by OpenSSL. */
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <sys/time.h>

#include "ca/revocation.h"
#include "ocsp/ocsp.h"
#include "unit/ca/engine.h"
#include "unit/net/server.h"

struct fixture {
    struct engine e;
    struct server s;
    struct chy_ocsp *ocsp;
    X509 *issuer;
    struct answer cert; /* one that is issued */
};

static X509 *x509_of(struct chy_span der)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    assert_non_null(x);
    return x;
}

static void start(struct fixture *f)
{
    struct chy_err err = {0};
    memset(f, 0, sizeof(*f));
    engine_make(&f->e, "1");
    engine_open(&f->e);
    assert_int_equal(chy_net_new(NULL, &chy_system_clock, &f->s.net, &err), CHY_S_OK);
    const struct chy_ocsp_options o = {
        .net = f->s.net, .workers = f->e.workers, .ca = &f->e.ca, .n_cas = 1, .clock = &f->e.clock};
    must(chy_ocsp_new(&o, &f->ocsp, &err), &err);
    must(chy_net_listen_tcp(f->s.net, "127.0.0.1", 0, false, &f->s.port, &err), &err);
    server_start(&f->s);
    f->issuer = x509_of(chy_ca_cert_der(f->e.ca));
    submit_to(f->e.ca, "good.test", "", &f->cert);
    assert_int_equal(f->cert.disposition, CHY_DB_DISP_ISSUED);
}

static void end(struct fixture *f)
{
    chy_net_stop(f->s.net, 1000);
    pthread_join(f->s.thread, NULL);
    chy_ocsp_stop(f->ocsp);
    engine_shut(&f->e);
    chy_ocsp_free(f->ocsp);
    engine_end(&f->e);
    chy_net_free(f->s.net);
    X509_free(f->issuer);
    answer_free(&f->cert);
}

/* ---- a client ---- */
struct reply {
    int status;
    char head[2048];
    uint8_t body[16384];
    size_t n;
};

static void exchange(int port, struct chy_span text, struct reply *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char *in = calloc(1, 32768);
    size_t n = 0;
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
    for (ssize_t got; n < 32767 && (got = read(fd, in + n, 32767 - n)) > 0;)
        n += (size_t)got;
    close(fd);
    char *body = strstr(in, "\r\n\r\n");
    assert_non_null(body);
    r->status = atoi(in + 9);
    snprintf(r->head, sizeof(r->head), "%.*s", (int)(body + 2 - in), in);
    r->n = n - (size_t)(body + 4 - in);
    assert_true(r->n <= sizeof(r->body));
    memcpy(r->body, body + 4, r->n);
    free(in);
}

static void post_as(int port, const char *type, struct chy_span body, struct reply *r)
{
    struct chy_buf b;
    chy_buf_init(&b, 65536);
    chy_buf_addf(&b,
                 "POST /ocsp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 type, body.n);
    chy_buf_add_span(&b, body);
    exchange(port, chy_buf_span(&b), r);
    chy_buf_free(&b);
}

static void get(int port, const char *method, const char *path, const char *headers,
                struct reply *r)
{
    struct chy_buf b;
    chy_buf_init(&b, 65536);
    chy_buf_addf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method, path,
                 headers);
    exchange(port, chy_buf_span(&b), r);
    chy_buf_free(&b);
}

static void to_der(OCSP_REQUEST *q, struct chy_buf *out)
{
    unsigned char *p = NULL;
    int n = i2d_OCSP_REQUEST(q, &p);
    assert_true(n > 0);
    chy_buf_init(out, 65536);
    chy_buf_add(out, p, (size_t)n);
    OPENSSL_free(p);
}

static OCSP_CERTID *id_of(const X509 *issuer, struct chy_span serial, const EVP_MD *md)
{
    BIGNUM *bn = BN_bin2bn(serial.p, (int)serial.n, NULL);
    ASN1_INTEGER *number = BN_to_ASN1_INTEGER(bn, NULL);
    OCSP_CERTID *id = OCSP_cert_id_new(md, X509_get_subject_name(issuer),
                                       X509_get0_pubkey_bitstr(issuer), number);
    ASN1_INTEGER_free(number);
    BN_free(bn);
    assert_non_null(id);
    return id;
}

static OCSP_REQUEST *request_of(const X509 *issuer, struct chy_span serial, const EVP_MD *md)
{
    OCSP_REQUEST *q = OCSP_REQUEST_new();
    assert_non_null(OCSP_request_add0_id(q, id_of(issuer, serial, md)));
    return q;
}

/* What OpenSSL makes of an answer; told of the request's first certificate. */
struct told {
    int response, status, reason;
    int nonce; /* OCSP_check_nonce */
    int n, certs;
    chy_time this_update, next_update, revoked;
    struct reply http;
};

static chy_time time_of(const ASN1_GENERALIZEDTIME *t)
{
    struct tm tm;
    if (!t) return CHY_TIME_DEFAULT;
    assert_int_equal(ASN1_TIME_to_tm(t, &tm), 1);
    return (chy_time)timegm(&tm) * CHY_US_PER_S;
}

static void read_answer(struct fixture *f, OCSP_REQUEST *q, struct told *t)
{
    const unsigned char *p = t->http.body;
    ASN1_GENERALIZEDTIME *revoked, *this_update, *next_update;
    assert_int_equal(t->http.status, 200);
    assert_non_null(strstr(t->http.head, "Content-Type: application/ocsp-response\r\n"));
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)t->http.n);
    assert_non_null(r);
    t->response = OCSP_response_status(r);
    OCSP_BASICRESP *b = OCSP_response_get1_basic(r);
    OCSP_RESPONSE_free(r);
    if (!b) return;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, f->issuer);
    X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
    STACK_OF(X509) *known = sk_X509_new_null();
    sk_X509_push(known, f->issuer);
    assert_int_equal(OCSP_basic_verify(b, known, store, 0), 1);
    sk_X509_free(known);
    X509_STORE_free(store);
    t->n = OCSP_resp_count(b);
    int certs = sk_X509_num(OCSP_resp_get0_certs(b)); /* -1: no list */
    t->certs = certs < 0 ? 0 : certs;
    t->nonce = OCSP_check_nonce(q, b);
    OCSP_CERTID *id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(q, 0));
    assert_int_equal(
        OCSP_resp_find_status(b, id, &t->status, &t->reason, &revoked, &this_update, &next_update),
        1);
    t->this_update = time_of(this_update);
    t->next_update = time_of(next_update);
    t->revoked = t->status == V_OCSP_CERTSTATUS_REVOKED ? time_of(revoked) : CHY_TIME_DEFAULT;
    OCSP_BASICRESP_free(b);
}

/* Takes the request. */
static void send_request(struct fixture *f, OCSP_REQUEST *q, struct told *t)
{
    struct chy_buf der;
    to_der(q, &der);
    memset(t, 0, sizeof(*t));
    post_as(f->s.port, "application/ocsp-request", chy_buf_span(&der), &t->http);
    read_answer(f, q, t);
    chy_buf_free(&der);
    OCSP_REQUEST_free(q);
}

static struct told status_of(struct fixture *f, const struct answer *cert)
{
    struct told t;
    send_request(f, request_of(f->issuer, CHY_SPAN(cert->serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_SUCCESSFUL);
    return t;
}

static void revoke_it(struct fixture *f, const struct answer *cert, int32_t reason, chy_time when)
{
    struct answer a;
    const struct chy_revoke what = {reason, when, CHY_TIME_DEFAULT};
    answer_init(&a);
    chy_ca_revoke(f->e.ca, &officer, CHY_SPAN(cert->serial), &what, answered, &a);
    answer_wait(&a);
    if (a.status != CHY_S_OK) fail_msg("reason %d: %s", reason, a.text);
    answer_free(&a);
}

static void set(struct fixture *f, const char *path, const char *json)
{
    struct chy_err err = {0};
    must(chy_ca_config_set(f->e.ca, &officer, path, json, &err), &err);
}

/* ---- standings ---- */
static void what_is_issued_is_good(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(t.next_update - t.this_update, 3600 * CHY_US_PER_S);
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha256()), &t);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha512()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    end(&f);
}

static void a_change_is_told_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    for (int i = 0; i < 2; i++) /* the second one is kept */
        assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    revoke_it(&f, &f.cert, CHY_CRL_REASON_CERTIFICATE_HOLD, CHY_TIME_DEFAULT);
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_CERTIFICATEHOLD);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_REVOKED);
    revoke_it(&f, &f.cert, CHY_REVOKE_RELEASE, CHY_TIME_DEFAULT);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    chy_time before = chy_now(&f.e.clock) - 3600 * CHY_US_PER_S;
    revoke_it(&f, &f.cert, CHY_CRL_REASON_KEY_COMPROMISE, before);
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    assert_int_equal(t.revoked, before - before % CHY_US_PER_S);
    end(&f);
}

static void no_reason_is_told_where_there_is_none(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    revoke_it(&f, &f.cert, CHY_CRL_REASON_UNSPECIFIED, CHY_TIME_DEFAULT);
    struct told t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_NOSTATUS);
    end(&f);
}

static void a_date_ahead_ends_the_answer(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    chy_time when = chy_now(&f.e.clock) + 600 * CHY_US_PER_S;
    revoke_it(&f, &f.cert, CHY_CRL_REASON_SUPERSEDED, when);
    struct told t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(t.next_update, when - when % CHY_US_PER_S);
    f.e.wall_shift += 601 * CHY_US_PER_S;
    f.e.mono_shift += 601 * CHY_US_PER_S;
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.revoked, when - when % CHY_US_PER_S);
    end(&f);
}

/* P10 */
static void what_was_not_issued_is_never_good(void **state)
{
    (void)state;
    struct fixture f;
    struct answer never = {.serial = {0x49, 1, 2, 3}};
    struct told t;
    start(&f);
    for (int i = 0; i < 2; i++)
        assert_int_equal(status_of(&f, &never).status, V_OCSP_CERTSTATUS_UNKNOWN);
    set(&f, "OCSPUnknown", "\"unauthorized\"");
    send_request(&f, request_of(f.issuer, CHY_SPAN(never.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    end(&f);
}

static void another_key_of_the_ca_did_not_issue_it(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_err err = {0};
    int32_t index;
    const struct chy_ca_renew new_key = {.new_key = true};
    start(&f);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    must(chy_ca_renew(f.e.ca, &officer, &new_key, &index, &err), &err);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    X509 *old = f.issuer;
    f.issuer = x509_of(chy_ca_cert_der(f.e.ca));
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_UNKNOWN);
    OCSP_REQUEST *q = request_of(old, CHY_SPAN(f.cert.serial), EVP_sha1());
    OCSP_request_add0_id(q, id_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()));
    struct told t;
    send_request(&f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    X509_free(old);
    end(&f);
}

static void several_are_answered_together(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    struct answer second;
    struct chy_span serial;
    start(&f);
    submit_to(f.e.ca, "second.test", "", &second);
    revoke_it(&f, &second, CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT);
    OCSP_REQUEST *q = request_of(f.issuer, CHY_SPAN(second.serial), EVP_sha1());
    serial = CHY_SPAN(f.cert.serial);
    OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha1()));
    OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha256()));
    OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha1()));
    send_request(&f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_SUCCESSFUL);
    assert_int_equal(t.n, 4);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_non_null(strstr(t.http.head, "Cache-Control: no-store"));
    q = request_of(f.issuer, serial, EVP_sha1());
    for (int i = 0; i < 16; i++)
        OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha1()));
    send_request(&f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    answer_free(&second);
    end(&f);
}

static void an_issuer_of_others_is_not_ours(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    X509 *other = x509_of(chy_buf_span(&f.cert.cert));
    send_request(&f, request_of(other, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    set(&f, "OCSPEnabled", "0");
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    X509_free(other);
    end(&f);
}

/* ---- nonces ---- */
static struct told with_nonce(struct fixture *f, int octets)
{
    struct told t;
    unsigned char nonce[256];
    memset(nonce, octets, sizeof(nonce));
    OCSP_REQUEST *q = request_of(f->issuer, CHY_SPAN(f->cert.serial), EVP_sha1());
    assert_int_equal(OCSP_request_add1_nonce(q, nonce, octets), 1);
    send_request(f, q, &t);
    return t;
}

static void a_nonce_is_repeated(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    status_of(&f, &f.cert);
    assert_int_equal(with_nonce(&f, 1).nonce, 1);
    assert_int_equal(with_nonce(&f, 16).nonce, 1);
    struct told t = with_nonce(&f, 32);
    assert_int_equal(t.nonce, 1);
    assert_non_null(strstr(t.http.head, "Cache-Control: no-store"));
    assert_null(strstr(t.http.head, "ETag"));
    /* RFC 9654 2.1: passed over up to 128 octets, refused beyond. */
    assert_int_equal(with_nonce(&f, 33).nonce, -1);
    assert_int_equal(with_nonce(&f, 128).nonce, -1);
    assert_int_equal(with_nonce(&f, 129).response, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    set(&f, "OCSPNonceMax", "0");
    sleep_ms(1300); /* the settings of what is kept are looked at each second */
    t = with_nonce(&f, 32);
    assert_int_equal(t.nonce, -1);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_non_null(strstr(t.http.head, "Cache-Control: no-store"));
    struct chy_ocsp_counters before, after;
    chy_ocsp_counters(f.ocsp, &before);
    with_nonce(&f, 31);
    chy_ocsp_counters(f.ocsp, &after);
    assert_int_equal(after.good[CHY_OCSP_CACHED], before.good[CHY_OCSP_CACHED] + 1);
    assert_int_equal(after.good[CHY_OCSP_SIGNED], before.good[CHY_OCSP_SIGNED]);
    end(&f);
}

/* ---- HTTP ---- */
static void path_of(const struct fixture *f, bool escaped, char *out, size_t cap)
{
    struct chy_buf der, text;
    OCSP_REQUEST *q = request_of(f->issuer, CHY_SPAN(f->cert.serial), EVP_sha1());
    size_t n = (size_t)snprintf(out, cap, "/ocsp/");
    to_der(q, &der);
    chy_buf_init(&text, 65536);
    chy_base64_add(&text, chy_buf_span(&der), 0);
    for (size_t i = 0; i < text.n; i++) {
        bool special = strchr("+/=", text.p[i]) != NULL;
        n += (size_t)snprintf(out + n, cap - n, escaped && special ? "%%%02X" : "%c", text.p[i]);
    }
    chy_buf_free(&text);
    chy_buf_free(&der);
    OCSP_REQUEST_free(q);
}

static void get_has_what_caches_want(void **state)
{
    (void)state;
    struct fixture f;
    struct told t = {0};
    char path[2048], header[128];
    start(&f);
    for (int escaped = 0; escaped < 2; escaped++) {
        OCSP_REQUEST *q = request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1());
        path_of(&f, escaped, path, sizeof(path));
        get(f.s.port, "GET", path, "", &t.http);
        read_answer(&f, q, &t);
        assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
        OCSP_REQUEST_free(q);
    }
    const char *age = strstr(t.http.head, "Cache-Control: max-age=");
    assert_non_null(age);
    int left = atoi(age + 23);
    assert_true(chy_now(&f.e.clock) + left * CHY_US_PER_S <= t.next_update + 5 * CHY_US_PER_S);
    assert_in_range(left, 3500, 3599);
    assert_non_null(strstr(age, ", public, no-transform, must-revalidate\r\n"));
    assert_non_null(strstr(t.http.head, "\r\nExpires: "));
    assert_non_null(strstr(t.http.head, "\r\nLast-Modified: "));
    const char *tag = strstr(t.http.head, "\r\nETag: \"");
    assert_non_null(tag);
    snprintf(header, sizeof(header), "If-None-Match: %.42s\r\n", tag + 8);
    get(f.s.port, "GET", path, header, &t.http);
    assert_int_equal(t.http.status, 304);
    get(f.s.port, "HEAD", path, "", &t.http);
    assert_int_equal(t.http.status, 200);
    assert_int_equal(t.http.n, 0);
    end(&f);
}

static void must_be_error(const struct reply *r, uint8_t status)
{
    const uint8_t der[5] = {0x30, 3, 0x0a, 1, status};
    assert_int_equal(r->status, 200);
    assert_int_equal(r->n, 5);
    assert_memory_equal(r->body, der, 5);
    assert_non_null(strstr(r->head, "Cache-Control: no-store"));
}

static void what_is_malformed_is_said_to_be(void **state)
{
    (void)state;
    struct fixture f;
    struct reply r;
    start(&f);
    post_as(f.s.port, "application/ocsp-request", CHY_SPAN_STR("no request"), &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    post_as(f.s.port, "Application/OCSP-Request; charset=x", (struct chy_span){NULL, 0}, &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    get(f.s.port, "GET", "/ocsp/no*base64", "", &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    get(f.s.port, "GET", "/ocsp/MAA=", "", &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    OCSP_REQUEST *q = request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1());
    X509_EXTENSION *ext =
        X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_key_identifier, "critical,0102");
    assert_non_null(ext);
    assert_int_equal(OCSP_REQUEST_add_ext(q, ext, -1), 1);
    X509_EXTENSION_free(ext);
    struct told t;
    send_request(&f, q, &t);
    must_be_error(&t.http, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    post_as(f.s.port, "text/plain", CHY_SPAN_STR("0"), &r);
    assert_int_equal(r.status, 415);
    post_as(f.s.port, "application/ocsp-requests", CHY_SPAN_STR("0"), &r);
    assert_int_equal(r.status, 415);
    get(f.s.port, "GET", "/ocsp", "", &r);
    assert_int_equal(r.status, 405);
    static uint8_t large[16385];
    post_as(f.s.port, "application/ocsp-request", CHY_SPAN(large), &r);
    assert_int_equal(r.status, 413);
    end(&f);
}

/* ---- who signs, and when nobody does ---- */
static void a_delegate_signs(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    EVENTUALLY((set(&f, "OCSPValidityMinutes", "60"), with_nonce(&f, 8).certs == 1));
    struct told t = with_nonce(&f, 9);
    const unsigned char *p = t.http.body;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)t.http.n);
    OCSP_BASICRESP *b = OCSP_response_get1_basic(r);
    X509 *signer = sk_X509_value(OCSP_resp_get0_certs(b), 0);
    assert_true(X509_get_ext_by_NID(signer, NID_id_pkix_OCSP_noCheck, -1) >= 0);
    assert_int_equal(X509_get_extended_key_usage(signer), XKU_OCSP_SIGN);
    OCSP_BASICRESP_free(b);
    OCSP_RESPONSE_free(r);
    set(&f, "OCSPSigner", "\"ca\"");
    assert_int_equal(with_nonce(&f, 8).certs, 0);
    end(&f);
}

static void a_signer_outside_its_time_signs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    set(&f, "OCSPSigner", "\"ca\"");
    set(&f, "OCSPValidityMinutes", "525600");
    const struct told long_ago = status_of(&f, &f.cert);
    struct chy_ca_cert_info info;
    assert_true(chy_ca_cert_info(f.e.ca, -1, &info));
    assert_int_equal(long_ago.next_update, info.not_after);
    f.e.wall_shift = f.e.mono_shift = 31 * 86400 * CHY_US_PER_S;
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_TRYLATER);
    f.e.wall_shift = f.e.mono_shift = -86400 * CHY_US_PER_S;
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_TRYLATER);
    end(&f);
}

/* P17 */
static void a_clock_that_jumped_signs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    struct answer refused;
    start(&f);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    f.e.wall_shift = 86400 * CHY_US_PER_S;
    submit_to(f.e.ca, "late.test", "", &refused); /* the engine notices */
    assert_int_not_equal(refused.status, CHY_S_OK);
    answer_free(&refused);
    sleep_ms(1300);
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_TRYLATER);
    end(&f);
}

/* ---- a change among many questions ---- */
struct asker {
    struct fixture *f;
    const struct answer *cert;
    _Atomic int acknowledged, wrong, over;
};

static void *keep_asking(void *arg)
{
    struct asker *a = arg;
    while (!a->over) {
        bool revoked = a->acknowledged;
        struct told t = status_of(a->f, a->cert);
        if (revoked && t.status != V_OCSP_CERTSTATUS_REVOKED) a->wrong++;
    }
    return NULL;
}

static void nobody_is_told_good_after_the_acknowledgement(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (int i = 0; i < 8; i++) {
        struct answer cert;
        pthread_t thread[3];
        submit_to(f.e.ca, "race.test", "", &cert);
        struct asker a = {.f = &f, .cert = &cert};
        for (size_t k = 0; k < CHY_ARRAY_LEN(thread); k++)
            assert_int_equal(pthread_create(&thread[k], NULL, keep_asking, &a), 0);
        sleep_ms(i);
        revoke_it(&f, &cert, CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT);
        a.acknowledged = 1;
        sleep_ms(10);
        a.over = 1;
        for (size_t k = 0; k < CHY_ARRAY_LEN(thread); k++)
            pthread_join(thread[k], NULL);
        assert_int_equal(a.wrong, 0);
        answer_free(&cert);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_issued_is_good),
        cmocka_unit_test(a_change_is_told_at_once),
        cmocka_unit_test(no_reason_is_told_where_there_is_none),
        cmocka_unit_test(a_date_ahead_ends_the_answer),
        cmocka_unit_test(what_was_not_issued_is_never_good),
        cmocka_unit_test(another_key_of_the_ca_did_not_issue_it),
        cmocka_unit_test(several_are_answered_together),
        cmocka_unit_test(an_issuer_of_others_is_not_ours),
        cmocka_unit_test(a_nonce_is_repeated),
        cmocka_unit_test(get_has_what_caches_want),
        cmocka_unit_test(what_is_malformed_is_said_to_be),
        cmocka_unit_test(a_delegate_signs),
        cmocka_unit_test(a_signer_outside_its_time_signs_nothing),
        cmocka_unit_test(a_clock_that_jumped_signs_nothing),
        cmocka_unit_test(nobody_is_told_good_after_the_acknowledgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
