/* A responder over HTTP, of a CA that the test runs, and a client that OpenSSL judges for. */
#ifndef TEST_OCSP_RESPONDER_H
#define TEST_OCSP_RESPONDER_H

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

static inline X509 *x509_of(struct chy_span der)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    assert_non_null(x);
    return x;
}

/* foreign_dir: NULL for none. */
static inline void start_with(struct fixture *f, const char *foreign_dir)
{
    struct chy_err err = {0};
    memset(f, 0, sizeof(*f));
    engine_make(&f->e, "1");
    engine_open(&f->e);
    assert_int_equal(chy_net_new(NULL, &chy_system_clock, &f->s.net, &err), CHY_S_OK);
    const struct chy_ocsp_options o = {.net = f->s.net,
                                       .workers = f->e.workers,
                                       .ca = &f->e.ca,
                                       .n_cas = 1,
                                       .clock = &f->e.clock,
                                       .foreign_dir = foreign_dir};
    must(chy_ocsp_new(&o, &f->ocsp, &err), &err);
    must(chy_net_listen_tcp(f->s.net, "127.0.0.1", 0, false, &f->s.port, &err), &err);
    server_start(&f->s);
    f->issuer = x509_of(chy_ca_cert_der(f->e.ca));
    submit_to(f->e.ca, "good.test", "", &f->cert);
    assert_int_equal(f->cert.disposition, CHY_DB_DISP_ISSUED);
}

static inline void start(struct fixture *f)
{
    start_with(f, NULL);
}

static inline void end(struct fixture *f)
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

static inline int put_question(int port, struct chy_span text)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
    return fd;
}

static inline void take_answer(int fd, struct reply *r)
{
    char *in = calloc(1, 32768);
    size_t n = 0;
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

static inline void exchange(int port, struct chy_span text, struct reply *r)
{
    take_answer(put_question(port, text), r);
}

static inline int put_by_post(int port, const char *type, struct chy_span body)
{
    struct chy_buf b;
    chy_buf_init(&b, 65536);
    chy_buf_addf(&b,
                 "POST /ocsp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 type, body.n);
    chy_buf_add_span(&b, body);
    int fd = put_question(port, chy_buf_span(&b));
    chy_buf_free(&b);
    return fd;
}

static inline void post_as(int port, const char *type, struct chy_span body, struct reply *r)
{
    take_answer(put_by_post(port, type, body), r);
}

static inline void get(int port, const char *method, const char *path, const char *headers,
                       struct reply *r)
{
    struct chy_buf b;
    chy_buf_init(&b, 65536);
    chy_buf_addf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method, path,
                 headers);
    exchange(port, chy_buf_span(&b), r);
    chy_buf_free(&b);
}

static inline void to_der(OCSP_REQUEST *q, struct chy_buf *out)
{
    unsigned char *p = NULL;
    int n = i2d_OCSP_REQUEST(q, &p);
    assert_true(n > 0);
    chy_buf_init(out, 65536);
    chy_buf_add(out, p, (size_t)n);
    OPENSSL_free(p);
}

static inline OCSP_CERTID *id_of(const X509 *issuer, struct chy_span serial, const EVP_MD *md)
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

static inline OCSP_REQUEST *request_of(const X509 *issuer, struct chy_span serial, const EVP_MD *md)
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

static inline chy_time time_of(const ASN1_GENERALIZEDTIME *t)
{
    struct tm tm;
    if (!t) return CHY_TIME_DEFAULT;
    assert_int_equal(ASN1_TIME_to_tm(t, &tm), 1);
    return (chy_time)timegm(&tm) * CHY_US_PER_S;
}

static inline void read_answer(struct fixture *f, OCSP_REQUEST *q, struct told *t)
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
static inline void send_request(struct fixture *f, OCSP_REQUEST *q, struct told *t)
{
    struct chy_buf der;
    to_der(q, &der);
    memset(t, 0, sizeof(*t));
    post_as(f->s.port, "application/ocsp-request", chy_buf_span(&der), &t->http);
    read_answer(f, q, t);
    chy_buf_free(&der);
    OCSP_REQUEST_free(q);
}

static inline struct told status_of(struct fixture *f, const struct answer *cert)
{
    struct told t;
    send_request(f, request_of(f->issuer, CHY_SPAN(cert->serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_SUCCESSFUL);
    return t;
}

#endif
