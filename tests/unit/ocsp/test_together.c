/* Questions that wait together are looked up together: each is still told of its own certificates.
 */
#include "ca/worker.h"
#include "unit/ocsp/responder.h"

enum { WORKERS = 2, MANY = 24, IDS = 16, WAIT_S = 20 };

/* ---- workers that are held up ---- */
struct gate {
    struct chy_job job[WORKERS];
    _Atomic int held;
    _Atomic bool open;
};
static struct gate gate;

static void hold_up(struct chy_job *job, struct chy_worker *w)
{
    (void)job;
    (void)w;
    gate.held++;
    while (!gate.open)
        sleep_ms(1);
    gate.held--;
}

static void hold_workers(struct fixture *f)
{
    gate.open = false;
    for (int i = 0; i < WORKERS; i++) {
        gate.job[i].run = hold_up;
        assert_true(chy_workers_add(f->e.workers, &gate.job[i]));
    }
    while (gate.held < WORKERS)
        sleep_ms(1);
}

static void let_workers_go(struct fixture *f)
{
    gate.open = true;
    chy_workers_quiet(f->e.workers, WAIT_S);
    assert_int_equal(gate.held, 0);
}

/* ---- questions ---- */
struct question {
    OCSP_REQUEST *q;
    int fd;
    int response, status, n; /* what it is to be told */
};

static void revoke_it(struct fixture *f, const struct answer *cert)
{
    struct answer a;
    const struct chy_revoke what = {CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT,
                                    CHY_TIME_DEFAULT};
    answer_init(&a);
    chy_ca_revoke(f->e.ca, &officer, CHY_SPAN(cert->serial), &what, answered, &a);
    answer_wait(&a);
    assert_int_equal(a.status, CHY_S_OK);
    answer_free(&a);
}

static void put(struct fixture *f, struct question *u)
{
    struct chy_buf der;
    to_der(u->q, &der);
    u->fd = put_by_post(f->s.port, "application/ocsp-request", chy_buf_span(&der));
    chy_buf_free(&der);
}

/* The loop answers it itself, and so has read all that came before. */
static void wait_for_loop(struct fixture *f)
{
    struct reply r;
    for (int i = 0; i < 3; i++)
        post_as(f->s.port, "application/ocsp-request", CHY_SPAN_STR("?"), &r);
}

static void check(struct fixture *f, struct question *u)
{
    struct told t = {.response = -1};
    take_answer(u->fd, &t.http);
    read_answer(f, u->q, &t);
    assert_int_equal(t.response, u->response);
    if (u->response == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        assert_int_equal(t.status, u->status);
        assert_int_equal(t.n, u->n);
        assert_int_equal(t.nonce, 1);
    }
    OCSP_REQUEST_free(u->q);
}

/* One of six kinds: a good one alone, long lists with a revoked, an unknown, a good or a revoked
 * one in front, and a hash by which we know no issuer. */
static void make(struct fixture *f, const struct answer *revoked, int kind, struct question *u)
{
    const struct chy_span serial[] = {CHY_SPAN(f->cert.serial), CHY_SPAN(revoked->serial),
                                      CHY_SPAN_STR("\x11\x22")};
    static const int status[] = {V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED,
                                 V_OCSP_CERTSTATUS_UNKNOWN};
    int of = kind % 3;
    bool is_long = kind >= 1 && kind <= 4; /* eight of them are more than one look takes */
    u->q = request_of(f->issuer, serial[of], kind == 5 ? EVP_sha512() : EVP_sha1());
    for (int i = 1; is_long && i < IDS; i++)
        OCSP_request_add0_id(u->q, id_of(f->issuer, serial[(of + i) % 3], EVP_sha1()));
    OCSP_request_add1_nonce(u->q, NULL, 16);
    u->n = is_long ? IDS : 1;
    u->status = status[of];
    u->response = kind == 5 ? OCSP_RESPONSE_STATUS_UNAUTHORIZED : OCSP_RESPONSE_STATUS_SUCCESSFUL;
}

static void each_is_told_of_its_own(void **state)
{
    (void)state;
    struct fixture f;
    struct answer revoked;
    struct question asked[MANY];
    start(&f);
    submit_to(f.e.ca, "revoked.test", "", &revoked);
    revoke_it(&f, &revoked);
    (void)status_of(&f, &revoked); /* the signer is there */
    hold_workers(&f);
    for (int i = 0; i < MANY; i++) {
        make(&f, &revoked, i % 6, &asked[i]);
        put(&f, &asked[i]);
    }
    wait_for_loop(&f);
    let_workers_go(&f);
    for (int i = 0; i < MANY; i++)
        check(&f, &asked[i]);
    answer_free(&revoked);
    end(&f);
}

/* Who asks the same at the same moment gets what was just signed. */
static void the_same_is_signed_once(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_ocsp_counters before, after;
    struct question asked[MANY];
    start(&f);
    (void)status_of(&f, &f.cert);
    struct answer fresh;
    submit_to(f.e.ca, "fresh.test", "", &fresh);
    chy_ocsp_counters(f.ocsp, &before);
    hold_workers(&f);
    for (int i = 0; i < MANY; i++) {
        asked[i].q = request_of(f.issuer, CHY_SPAN(fresh.serial), EVP_sha1());
        put(&f, &asked[i]);
    }
    wait_for_loop(&f);
    let_workers_go(&f);
    for (int i = 0; i < MANY; i++) {
        struct told t = {.response = -1};
        take_answer(asked[i].fd, &t.http);
        read_answer(&f, asked[i].q, &t);
        assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
        OCSP_REQUEST_free(asked[i].q);
    }
    chy_ocsp_counters(f.ocsp, &after);
    uint64_t signed_ = after.good[CHY_OCSP_SIGNED] - before.good[CHY_OCSP_SIGNED];
    assert_true(signed_ >= 1 && signed_ <= WORKERS);
    assert_int_equal(after.good[CHY_OCSP_CACHED] - before.good[CHY_OCSP_CACHED], MANY - signed_);
    answer_free(&fresh);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_told_of_its_own),
        cmocka_unit_test(the_same_is_signed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
