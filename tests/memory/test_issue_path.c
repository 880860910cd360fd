/* Memory ends at every allocation of the issue path in turn, once and from there on: the answer is
 * the certificate that there would have been, or says that memory is short; nothing is left half
 * done, nothing leaks (the sanitizer looks at the end), and the next request succeeds.
 * CHANCERY_PATH=I begins with the I-th path, CHANCERY_ALLOCATION=N takes only the N-th. */
#include <openssl/x509.h>
#include <sqlite3.h>
#include <time.h>

#include "rounds.h"
#include "starve.h"
#include "unit/ca/engine.h"

enum { DRAIN_MS = 5000, CERT_CAP = 8192 };

/* What a client was told. Copied without a new allocation: the test's own must not fail. */
struct told {
    struct waiter waiter;
    chy_hresult status, request_status;
    int32_t id, disposition;
    char text[512], message[512];
    uint8_t cert[CERT_CAP];
    size_t cert_n;
};

struct starved;

struct path {
    const char *name;
    const char *attributes;
    const char *csr_alg;
    const char *disposition;            /* RequestDisposition of the default policy */
    void (*prepare)(struct starved *s); /* before memory is short; NULL: nothing */
    void (*act)(struct starved *s, struct told *t);
    int32_t wants; /* disposition when memory is there */
};

struct starved {
    struct engine e;
    const struct path *path;
    struct chy_buf csr;
    struct told good;
    int32_t pending; /* made by prepare */
    unsigned long n, refused, rounds, served;
    unsigned troubles;
};

static void trouble(struct starved *s, const char *what, const char *detail)
{
    if (s->troubles++ < 40)
        print_error("%s, allocation %lu: %s: %s\n", s->path->name, s->n, what, detail);
}

static void told_init(struct told *t)
{
    memset(t, 0, sizeof(*t));
    waiter_init(&t->waiter);
}

static void told_outcome(const struct chy_outcome *o, void *arg)
{
    struct told *t = arg;
    t->status = o->status;
    t->request_status = o->request_status;
    t->id = o->request_id;
    t->disposition = o->disposition;
    snprintf(t->text, sizeof(t->text), "%s", o->err.text);
    snprintf(t->message, sizeof(t->message), "%.*s", (int)o->message.n,
             o->message.p ? (const char *)o->message.p : "");
    t->cert_n = o->certificate.n < CERT_CAP ? o->certificate.n : 0;
    if (t->cert_n) memcpy(t->cert, o->certificate.p, t->cert_n);
    waiter_done(&t->waiter);
}

static void submit(struct starved *s, struct told *t)
{
    struct chy_submission sub = {.caller = officer,
                                 .request = chy_buf_span(&s->csr),
                                 .attributes = chy_span_cstr(s->path->attributes)};
    told_init(t);
    chy_ca_submit(s->e.ca, &sub, told_outcome, t);
    waiter_wait(&t->waiter);
}

static void make_pending(struct starved *s)
{
    struct told t;
    submit(s, &t);
    if (t.disposition != CHY_DB_DISP_PENDING) trouble(s, "nothing is pending", t.message);
    s->pending = t.id;
}

static void resubmit(struct starved *s, struct told *t)
{
    told_init(t);
    chy_ca_resubmit(s->e.ca, &officer, s->pending, told_outcome, t);
    waiter_wait(&t->waiter);
}

static void deny(struct starved *s, struct told *t)
{
    told_init(t);
    chy_ca_deny(s->e.ca, &officer, s->pending, told_outcome, t);
    waiter_wait(&t->waiter);
}

static void set_attributes(struct starved *s, struct told *t)
{
    told_init(t);
    chy_ca_set_attributes(s->e.ca, &officer, s->pending, CHY_SPAN_STR("Ticket:4711\nOther:x"),
                          told_outcome, t);
    waiter_wait(&t->waiter);
}

static void set_extension(struct starved *s, struct told *t)
{
    static const char ia5[] = "something";
    chy_variant v = {.vt = CHY_VT_STR};
    v.u.s.p = (char *)(uintptr_t)ia5;
    v.u.s.n = sizeof(ia5) - 1;
    told_init(t);
    chy_ca_set_extension(s->e.ca, &officer, s->pending, "1.2.3.4", CHY_PROPTYPE_STRING, 0, &v,
                         told_outcome, t);
    waiter_wait(&t->waiter);
}

/* Until nothing runs, waits to be written or is owed. */
static bool drain(struct starved *s, int ms)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct chy_ca_counters c;
    struct chy_ca_health h;
    for (int i = 0; i < ms; i++) {
        chy_ca_counters(s->e.ca, &c);
        chy_ca_health(s->e.ca, &h);
        if (!c.outbox_backlog && !c.queue_length && !c.store_backlog && !h.trouble) return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* ---- what the database says ---- */

static int64_t number(struct starved *s, const char *sql)
{
    char path[200];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    snprintf(path, sizeof(path), "%s/ca.db", s->e.dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void check_rows(struct starved *s)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; number(s, "SELECT (SELECT count(*) FROM intent)+(SELECT count(*) FROM outbox)");
         i++) {
        if (i == 1000) {
            trouble(s, "after 10 s", "an intent or an exit event is left");
            break;
        }
        nanosleep(&pause, NULL);
    }
    if (number(s, "SELECT count(*) FROM request WHERE disposition NOT IN (9,20,30,31)"))
        trouble(s, "a row", "is left with another disposition");
    if (number(s, "SELECT count(*) FROM request WHERE (disposition=20)<>"
                  "(coalesce(length(raw_certificate),0)>0)"))
        trouble(s, "a row", "is half a certificate");
    if (number(s, "SELECT count(*)-count(DISTINCT serial) FROM request WHERE serial IS NOT NULL"))
        trouble(s, "a row", "has the serial of another");
}

/* ---- what was answered ---- */

/* The octets that may differ between two certificates for one request. */
static void blank(struct chy_cert *c, uint8_t *tbs)
{
    static const uint8_t validity[] = {0x30, 0x1e, 0x17, 0x0d};
    memset(tbs + (c->serial.p - c->tbs.p), 0, c->serial.n);
    uint8_t *at = memmem(tbs, c->tbs.n, validity, sizeof(validity));
    assert_non_null(at);
    memset(at, 0, 32);
}

static bool same_certificate(const struct told *a, const struct told *b)
{
    static struct chy_cert x, y;
    static uint8_t tx[CERT_CAP], ty[CERT_CAP];
    struct chy_err err = {0};
    if (chy_cert_parse(chy_span_of(a->cert, a->cert_n), &x, &err) != CHY_S_OK ||
        chy_cert_parse(chy_span_of(b->cert, b->cert_n), &y, &err) != CHY_S_OK || x.tbs.n != y.tbs.n)
        return false;
    memcpy(tx, x.tbs.p, x.tbs.n);
    memcpy(ty, y.tbs.p, y.tbs.n);
    blank(&x, tx);
    blank(&y, ty);
    return memcmp(tx, ty, x.tbs.n) == 0 &&
           (x.not_after == y.not_after || x.not_after - x.not_before == y.not_after - y.not_before);
}

static bool is_signed_by_ca(struct starved *s, const struct told *t)
{
    struct chy_span ca = chy_ca_cert_der(s->e.ca);
    const uint8_t *p = ca.p, *q = t->cert;
    X509 *issuer = d2i_X509(NULL, &p, (long)ca.n), *leaf = d2i_X509(NULL, &q, (long)t->cert_n);
    bool ok = issuer && leaf && X509_verify(leaf, X509_get0_pubkey(issuer)) == 1;
    X509_free(issuer);
    X509_free(leaf);
    return ok;
}

static void check_answer(struct starved *s, const struct told *t)
{
    char detail[700];
    chy_hresult hr = t->status != CHY_S_OK ? t->status : t->request_status;
    snprintf(detail, sizeof(detail), "0x%08x disposition %d \"%s\" \"%s\"", (unsigned)hr,
             t->disposition, t->text, t->message);
    if (t->status == CHY_S_OK && t->disposition == s->path->wants && hr == s->good.request_status) {
        s->served++;
        if (t->disposition == CHY_DB_DISP_ISSUED &&
            (!same_certificate(&s->good, t) || !is_signed_by_ca(s, t)))
            trouble(s, "not the certificate that it should be", detail);
        return;
    }
    const char *said = t->status != CHY_S_OK ? t->text : t->message;
    /* Here and there OpenSSL does not say that it lacked memory: then its own words are passed on.
     */
    if ((hr == CHY_NTE_FAIL || hr == CHY_CERTSRV_E_SERVER_SUSPENDED) && strstr(said, "(OpenSSL: "))
        return;
    if (hr != CHY_E_OUTOFMEMORY)
        trouble(s, "the wrong error", detail);
    else if (!strstr(said, "memory") && !strstr(said, "OUTOFMEMORY"))
        trouble(s, "an error that does not say so", detail);
    else if (t->status == CHY_S_OK && t->disposition != CHY_DB_DISP_ERROR)
        trouble(s, "the wrong disposition", detail);
}

/* The row tells what the client was told; an officer who was told of an error finds the request as
 * it was, or finished meanwhile. False: it is still on its way. */
static bool check_row(struct starved *s, const struct told *t, int32_t id)
{
    struct chy_row row;
    struct chy_arena a;
    struct chy_err err = {0};
    bool at_rest = true;
    chy_arena_init(&a, 1 << 20);
    if (chy_ca_request(s->e.ca, &officer, id, &a, &row, &err) != CHY_S_OK)
        trouble(s, "the row cannot be read", err.text);
    else if (row.disposition == CHY_DB_DISP_ACTIVE)
        at_rest = false;
    else if (t->id && (row.disposition != t->disposition ||
                       !chy_span_eq(row.raw_certificate, chy_span_of(t->cert, t->cert_n))))
        trouble(s, "the row", "is not what was answered");
    else if (!t->id && row.disposition != CHY_DB_DISP_PENDING && row.disposition != s->path->wants)
        trouble(s, "the row", "is neither as it was nor finished");
    chy_arena_free(&a);
    return at_rest;
}

static void check_stored(struct starved *s, const struct told *t)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int32_t id = t->id ? t->id : s->pending;
    if (!id) return;
    for (int i = 0; !check_row(s, t, id); i++) {
        if (i == DRAIN_MS) {
            trouble(s, "the row", "stays active");
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static void must_serve(struct starved *s)
{
    struct told t;
    if (s->path->prepare) s->path->prepare(s);
    s->path->act(s, &t);
    if (t.status != CHY_S_OK || t.disposition != s->path->wants)
        trouble(s, "the next request fails", t.status ? t.text : t.message);
}

/* False: the path has no n-th allocation. */
static bool one_round(struct starved *s, unsigned long how_many)
{
    struct told t;
    if (s->path->prepare) s->path->prepare(s);
    (void)drain(s, DRAIN_MS);
    starve(s->n, how_many);
    s->path->act(s, &t);
    (void)drain(s, 3); /* what comes after the answer starves, too */
    unsigned long refused = starve_end();
    s->refused += refused;
    s->rounds++;
    if (!drain(s, DRAIN_MS)) trouble(s, "does not come to rest", "");
    check_answer(s, &t);
    check_stored(s, &t);
    if (s->rounds % 16 == 0) check_rows(s);
    return refused > 0;
}

static void set(struct starved *s, const char *path, const char *json)
{
    struct chy_err err = {0};
    must(chy_ca_config_set(s->e.ca, &officer, path, json, &err), &err);
}

static void starved_make(struct starved *s, const struct path *path)
{
    char file[128];
    memset(s, 0, sizeof(*s));
    s->path = path;
    engine_make(&s->e, path->disposition);
    engine_open(&s->e);
    snprintf(file, sizeof(file), "\"%s/journal\"", s->e.base);
    set(s, "ExitModules/Active", "[\"example-exit\"]");
    set(s, "ExitModules/example-exit/File", file);
    engine_shut(&s->e);
    engine_open(&s->e);
    make_csr_of(path->csr_alg, "www.example.test", &s->csr);
    if (path->prepare) path->prepare(s);
    path->act(s, &s->good);
    assert_int_equal(s->good.status, CHY_S_OK);
    assert_int_equal(s->good.disposition, path->wants);
    assert_true(drain(s, DRAIN_MS));
}

static void starved_end(struct starved *s)
{
    s->n = 0;
    must_serve(s);
    check_rows(s);
    print_message("%s: %lu rounds, %lu allocations refused, served all the same %lu times\n",
                  s->path->name, s->rounds, s->refused, s->served);
    chy_buf_free(&s->csr);
    engine_end(&s->e);
    assert_int_equal(s->troubles, 0);
}

static const char all[] = "1", first_pends[] = "257";
static const struct path paths[] = {
    {"issue", "", "p256", all, NULL, submit, CHY_DB_DISP_ISSUED},
    {"issue to an RSA key, with attributes",
     "CertificateTemplate:tls-server\nSAN:dns=a.example.test&dns=b.example.test\nTicket:1",
     "rsa2048", all, NULL, submit, CHY_DB_DISP_ISSUED},
    {"issue to an Edwards key", "", "ed25519", all, NULL, submit, CHY_DB_DISP_ISSUED},
    {"pend", "", "p256", first_pends, NULL, submit, CHY_DB_DISP_PENDING},
    {"resubmit", "", "p256", first_pends, make_pending, resubmit, CHY_DB_DISP_ISSUED},
    {"deny", "", "p256", first_pends, make_pending, deny, CHY_DB_DISP_DENIED},
    {"set attributes", "", "p256", first_pends, make_pending, set_attributes, CHY_DB_DISP_PENDING},
    {"set an extension", "", "p256", first_pends, make_pending, set_extension, CHY_DB_DISP_PENDING},
};

static void run(size_t i, unsigned long how_many)
{
    const struct path *path = &paths[i];
    static struct starved s;
    const char *only = getenv("CHANCERY_ALLOCATION");
    unsigned long step = getenv("CHANCERY_SLOW") ? 1 : 5;
    starved_make(&s, path);
    if (only) {
        s.n = strtoul(only, NULL, 10);
        (void)one_round(&s, how_many);
    } else {
        for (s.n = 1; one_round(&s, how_many); s.n += step)
            must_serve(&s);
    }
    starved_end(&s);
}

int main(void)
{
    return rounds_main("memory/issue_path", CHY_ARRAY_LEN(paths), run);
}
