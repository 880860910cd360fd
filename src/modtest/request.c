/* A request from its description: a real PKCS#10, read as the daemon reads it. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/sys.h"
#include "base/text.h"
#include "ca/authority.h"
#include "key/request.h"
#include "modtest/play.h"

enum { SKEW_S = 600, PERIOD_S = 365 * 86400 };

typedef chy_hresult (*describe_fn)(struct chy_play *p, struct chy_play_request *q,
                                   const struct chy_play_line *l, struct chy_err *err);

void chy_play_request_free(struct chy_play_request *q)
{
    if (!q) return;
    if (q->made) chy_request_free(q->made);
    chy_buf_free(&q->csr);
    chy_buf_free(&q->attributes);
    chy_free(q);
}

static chy_hresult begin(struct chy_play *p, struct chy_err *err)
{
    struct chy_play_request *q = chy_calloc(1, sizeof(*q));
    if (!q) return chy_fail_nomem(err, "request");
    chy_buf_init(&q->csr, CHY_CSR_MAX * 2);
    chy_buf_init(&q->attributes, 64 << 10);
    q->requester = "PLAY\\somebody";
    q->may_enrol = q->is_new = true;
    q->submitted = CHY_TIME_DEFAULT;
    q->id = ++p->last_id;
    chy_play_request_free(p->request);
    p->request = q;
    return CHY_S_OK;
}

static chy_hresult take_csr(struct chy_play *p, struct chy_play_request *q,
                            const struct chy_play_line *l, struct chy_err *err)
{
    struct chy_buf text;
    chy_buf_init(&text, CHY_CSR_MAX * 2);
    chy_hresult hr = CHY_S_OK;
    if (strncmp(l->word[1], "-----BEGIN", 10) == 0) {
        chy_buf_add_str(&text, l->word[1]);
    } else {
        const char *path = chy_play_path(p, l->word[1]);
        hr = path ? chy_file_read(path, CHY_CSR_MAX * 2, &text, err) : chy_fail_nomem(err, "csr");
    }
    chy_buf_reset(&q->csr);
    if (hr == CHY_S_OK) hr = chy_csr_to_der(chy_buf_span(&text), &q->csr, err);
    chy_buf_free(&text);
    return hr;
}

static chy_hresult take_subject(struct chy_play *p, struct chy_play_request *q,
                                const struct chy_play_line *l, struct chy_err *err)
{
    (void)p, (void)err;
    q->subject = l->word[1];
    return CHY_S_OK;
}
static chy_hresult take_key(struct chy_play *p, struct chy_play_request *q,
                            const struct chy_play_line *l, struct chy_err *err)
{
    (void)p, (void)err;
    q->key = l->word[1];
    return CHY_S_OK;
}
static chy_hresult take_requester(struct chy_play *p, struct chy_play_request *q,
                                  const struct chy_play_line *l, struct chy_err *err)
{
    (void)p, (void)err;
    q->requester = l->word[1];
    return CHY_S_OK;
}
static chy_hresult take_caller(struct chy_play *p, struct chy_play_request *q,
                               const struct chy_play_line *l, struct chy_err *err)
{
    (void)p, (void)err;
    q->caller = l->word[1];
    return CHY_S_OK;
}

static chy_hresult take_access(struct chy_play *p, struct chy_play_request *q,
                               const struct chy_play_line *l, struct chy_err *err)
{
    (void)p;
    q->may_enrol = strcmp(l->word[1], "yes") == 0;
    if (q->may_enrol || strcmp(l->word[1], "no") == 0) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG, "access \"%.40s\": yes or no is expected", l->word[1]);
}

static chy_hresult take_id(struct chy_play *p, struct chy_play_request *q,
                           const struct chy_play_line *l, struct chy_err *err)
{
    int64_t n;
    if (!chy_play_number(l->word[1], &n) || n < 1 || n > INT32_MAX)
        return chy_fail(err, CHY_E_INVALIDARG, "id \"%.40s\": a positive number is expected",
                        l->word[1]);
    p->last_id = q->id = (int32_t)n;
    return CHY_S_OK;
}

static chy_hresult take_reason(struct chy_play *p, struct chy_play_request *q,
                               const struct chy_play_line *l, struct chy_err *err)
{
    int64_t n;
    (void)p;
    if (!chy_play_number(l->word[1], &n) || n < 0 || n > 10)
        return chy_fail(err, CHY_E_INVALIDARG,
                        "reason \"%.40s\": 0 to 10 are the reasons of RFC "
                        "5280 5.3.1",
                        l->word[1]);
    q->reason = (int32_t)n;
    return CHY_S_OK;
}

static chy_hresult take_submitted(struct chy_play *p, struct chy_play_request *q,
                                  const struct chy_play_line *l, struct chy_err *err)
{
    if (chy_play_time(p, l->word[1], &q->submitted)) return CHY_S_OK;
    return chy_fail(
        err, CHY_E_INVALIDARG,
        "submitted \"%.40s\": a time such as 2030-01-31T06:00:00Z or now-1h is expected",
        l->word[1]);
}

static chy_hresult take_attribute(struct chy_play *p, struct chy_play_request *q,
                                  const struct chy_play_line *l, struct chy_err *err)
{
    (void)p;
    for (size_t i = 1; i < l->n; i++) {
        if (!strchr(l->word[i], ':') || strchr(l->word[i], '\n'))
            return chy_fail(err, CHY_E_INVALIDARG, "attribute \"%.40s\": NAME:VALUE is expected",
                            l->word[i]);
        chy_buf_add_str(&q->attributes, l->word[i]);
        chy_buf_add_byte(&q->attributes, '\n');
    }
    return chy_buf_done(&q->attributes, "attributes", err);
}

static chy_hresult add_name(struct chy_play *p, struct chy_play_request *q, enum chy_gn_type type,
                            const char *text, struct chy_err *err)
{
    if (q->n_names == CHY_PLAY_MAX_NAMES)
        return chy_fail(err, CHY_E_INVALIDARG, "more than %d names", CHY_PLAY_MAX_NAMES);
    struct chy_general_name *gn = &q->name[q->n_names++];
    *gn = (struct chy_general_name){.type = type, .value = chy_span_cstr(text)};
    if (type != CHY_GN_IP) return CHY_S_OK;
    bool v6 = strchr(text, ':') != NULL;
    uint8_t *octets = chy_arena_alloc(&p->arena, 16);
    if (!octets) return chy_fail_nomem(err, "ip");
    gn->value = chy_span_of(octets, v6 ? 16 : 4);
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, octets) == 1
               ? CHY_S_OK
               : chy_fail(err, CHY_E_INVALIDARG, "ip \"%.40s\": no address", text);
}

static chy_hresult take_names(struct chy_play *p, struct chy_play_request *q,
                              const struct chy_play_line *l, struct chy_err *err)
{
    const char *kind = l->word[0];
    enum chy_gn_type type = strcmp(kind, "dns") == 0     ? CHY_GN_DNS
                            : strcmp(kind, "ip") == 0    ? CHY_GN_IP
                            : strcmp(kind, "email") == 0 ? CHY_GN_EMAIL
                                                         : CHY_GN_URI;
    chy_hresult hr = CHY_S_OK;
    for (size_t i = 1; i < l->n && hr == CHY_S_OK; i++)
        hr = add_name(p, q, type, l->word[i], err);
    return hr;
}

/* extension OID [critical] [enabled] OCTETS */
static chy_hresult take_extension(struct chy_play *p, struct chy_play_request *q,
                                  const struct chy_play_line *l, struct chy_err *err)
{
    int32_t flags = CHY_EXTENSION_ORIGIN_REQUEST | CHY_EXTENSION_DISABLE_FLAG;
    if (q->n_ext == CHY_PLAY_MAX_EXTS)
        return chy_fail(err, CHY_E_INVALIDARG, "more than %d extensions", CHY_PLAY_MAX_EXTS);
    for (size_t i = 2; i + 1 < l->n; i++) {
        if (strcmp(l->word[i], "critical") == 0)
            flags |= CHY_EXTENSION_CRITICAL_FLAG;
        else if (strcmp(l->word[i], "enabled") == 0)
            flags = (flags & CHY_EXTENSION_CRITICAL_FLAG) | CHY_EXTENSION_ORIGIN_ADMIN;
        else
            return chy_fail(err, CHY_E_INVALIDARG,
                            "extension: \"%.40s\": critical or enabled is expected", l->word[i]);
    }
    q->ext[q->n_ext].oid = l->word[1];
    q->ext[q->n_ext].flags = flags;
    return chy_play_octets(p, l->word[l->n - 1], &q->ext[q->n_ext++].value, err);
}

static const struct {
    const char *name;
    size_t min, max;
    describe_fn fn;
} words[] = {
    {"access", 2, 2, take_access},
    {"attribute", 2, CHY_PLAY_MAX_WORDS, take_attribute},
    {"caller", 2, 2, take_caller},
    {"csr", 2, 2, take_csr},
    {"dns", 2, CHY_PLAY_MAX_WORDS, take_names},
    {"email", 2, CHY_PLAY_MAX_WORDS, take_names},
    {"extension", 3, 5, take_extension},
    {"id", 2, 2, take_id},
    {"ip", 2, CHY_PLAY_MAX_WORDS, take_names},
    {"key", 2, 2, take_key},
    {"reason", 2, 2, take_reason},
    {"requester", 2, 2, take_requester},
    {"subject", 2, 2, take_subject},
    {"submitted", 2, 2, take_submitted},
    {"uri", 2, CHY_PLAY_MAX_WORDS, take_names},
};

/* S_FALSE: the line does not describe a request. */
chy_hresult chy_play_describe(struct chy_play *p, const struct chy_play_line *l,
                              struct chy_err *err)
{
    if (strcmp(l->word[0], "request") == 0) {
        if (l->n == 1) return begin(p, err);
        return chy_fail(err, CHY_E_INVALIDARG, "request stands alone; the next lines describe it");
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(words); i++) {
        if (strcmp(words[i].name, l->word[0]) != 0) continue;
        if (!p->request || (p->request->made && words[i].fn != take_reason))
            return chy_fail(err, CHY_E_INVALIDARG,
                            "%s describes a request: put \"request\" in "
                            "front",
                            l->word[0]);
        if (l->n < words[i].min || l->n > words[i].max)
            return chy_fail(err, CHY_E_INVALIDARG, "%s takes %zu to %zu words", l->word[0],
                            words[i].min - 1, words[i].max - 1);
        return words[i].fn(p, p->request, l, err);
    }
    return CHY_S_FALSE;
}

static chy_hresult make_csr(struct chy_play_request *q, struct chy_err *err)
{
    struct chy_key *key = NULL;
    struct chy_buf subject;
    const char *text = q->subject ? q->subject : q->n_names ? "" : "CN=www.example.test";
    chy_buf_init(&subject, 64 << 10);
    chy_hresult hr = CHY_S_OK;
    if (*text)
        hr = chy_name_from_text(text, &subject, err);
    else
        chy_name_close(&subject, chy_name_open(&subject));
    if (hr == CHY_S_OK) hr = chy_key_generate(q->key ? q->key : "p256", &key, err);
    if (hr == CHY_S_OK)
        hr = chy_key_request(key, chy_buf_span(&subject), q->name, q->n_names, &q->csr, err);
    chy_key_free(key);
    chy_buf_free(&subject);
    return hr;
}

static chy_hresult propose(const struct chy_play *p, struct chy_request *r)
{
    const struct chy_validity_bounds bounds = {.now = chy_play_now(p),
                                               .backdate_s = SKEW_S,
                                               .ca_not_before = p->authority->cert.not_before,
                                               .ca_not_after = p->authority->cert.not_after,
                                               .ca_period_s = PERIOD_S,
                                               .policy_not_after = CHY_TIME_DEFAULT,
                                               .request_not_after = CHY_TIME_DEFAULT};
    return chy_request_propose(r, &bounds);
}

static chy_hresult fill(const struct chy_play *p, const struct chy_play_request *q,
                        struct chy_request *r)
{
    r->input = chy_buf_span(&q->csr);
    r->attribute_text = chy_buf_span(&q->attributes);
    r->caller_name = q->caller ? q->caller : q->requester;
    r->caller_access = q->may_enrol ? CHY_CA_ACCESS_ENROLL : 0;
    r->id = q->id;
    r->submitted_when = q->submitted == CHY_TIME_DEFAULT ? chy_play_now(p) : q->submitted;
    chy_hresult hr = chy_request_parse(r);
    if (hr == CHY_S_OK) hr = chy_request_take(r);
    r->requester_name = q->requester;
    if (hr == CHY_S_OK) hr = propose(p, r);
    for (size_t i = 0; i < q->n_ext && hr == CHY_S_OK; i++)
        hr = chy_request_set_extension(r, q->ext[i].oid, q->ext[i].flags, q->ext[i].value, &r->err);
    return hr;
}

chy_hresult chy_play_make(struct chy_play *p, struct chy_err *err)
{
    chy_hresult hr = p->request ? CHY_S_OK : begin(p, err);
    struct chy_play_request *q = p->request;
    if (hr != CHY_S_OK || q->made) return hr;
    if (!q->csr.n) hr = make_csr(q, err);
    if (hr != CHY_S_OK) return chy_wrap(err, "request");
    struct chy_request *r = chy_request_alone(p->authority);
    if (!r) return chy_fail_nomem(err, "request");
    hr = fill(p, q, r);
    if (hr != CHY_S_OK) {
        chy_fail(err, hr, "request: the CA would refuse it unasked: %s", r->err.text);
        chy_request_free(r);
        return hr;
    }
    q->made = r;
    return CHY_S_OK;
}

chy_hresult chy_play_issue(struct chy_play *p, struct chy_err *err)
{
    struct chy_request *r = p->request->made;
    if (r->certificate.n) return CHY_S_OK;
    for (size_t i = 0; i < r->n_ext; i++)
        r->ext[i].flags &= ~CHY_EXTENSION_DISABLE_FLAG;
    chy_hresult hr = chy_request_certify(r, chy_play_now(p));
    if (hr == CHY_S_OK) return hr;
    return chy_fail(err, hr, "certificate: the CA would not issue it: %s", r->err.text);
}
