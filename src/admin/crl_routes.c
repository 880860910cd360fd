/* CRLs: made on demand, listed, and served as files. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/body.h"
#include "base/json.h"
#include "base/text.h"
#include "ca/revocation.h"

enum { ANSWER_MAX = 16 << 20, LIST_MAX = 16384 };

/* ---- what there is ---- */
size_t chy_admin_crls(struct chy_ca *ca, struct chy_crl_info **out)
{
    size_t n = chy_ca_crls(ca, NULL, 0);
    if (n > LIST_MAX) n = LIST_MAX;
    *out = n ? chy_calloc(n, sizeof(**out)) : NULL;
    size_t now = *out ? chy_ca_crls(ca, *out, n) : 0;
    return now < n ? now : n; /* another may have come in between */
}

/* An error names files of the daemon's machine: that is not for everybody. */
static void add_crl(struct chy_json *j, const struct chy_crl_info *c, bool with_error)
{
    const struct chy_crl_record *r = &c->record;
    chy_json_object(j, NULL);
    chy_json_add_str(j, "name", c->name);
    chy_json_add_str(j, "kind", r->is_delta ? "delta" : "base");
    chy_json_add_int(j, "key_index", r->key_index);
    chy_json_add_int(j, "shard", r->shard);
    chy_json_add_int(j, "number", (int64_t)r->number);
    if (r->is_delta) chy_json_add_int(j, "base_number", (int64_t)r->base_number);
    chy_json_add_int(j, "entries", r->entries);
    chy_json_add_int(j, "size", r->size);
    chy_json_add_time(j, "this_update", r->this_update);
    chy_json_add_time(j, "next_update", r->next_update);
    chy_json_add_time(j, "this_publish", r->this_publish);
    chy_json_add_time(j, "next_publish", r->next_publish);
    chy_json_add_int(j, "publish_status", r->flags);
    chy_json_add_int(j, "status", r->status);
    if (with_error) chy_json_add_str(j, "error", c->error[0] ? c->error : NULL);
    chy_json_add_bool(j, "overdue", c->overdue);
    chy_json_add_bool(j, "key_expired", c->key_expired);
    chy_json_add_int(j, "sign_ms", r->sign_us / 1000);
    chy_json_end(j, '}');
}

/* number 0: all of them. */
static void add_crls(struct chy_json *j, struct chy_ca *ca, uint64_t number, bool with_error)
{
    struct chy_crl_info *list;
    size_t n = chy_admin_crls(ca, &list);
    chy_json_array(j, "crls");
    for (size_t i = 0; i < n; i++) {
        if (!number || list[i].record.number == number) add_crl(j, &list[i], with_error);
    }
    chy_json_end(j, ']');
    chy_free(list);
}

/* A new CA makes its first CRLs soon, or when somebody asks for one. */
static void await_first(struct chy_ca *ca)
{
    struct chy_crl_info info;
    int fd;
    if (!chy_ca_crls(ca, NULL, 0) &&
        chy_ca_crl_open(ca, -1, 0, false, &fd, &info, NULL) == CHY_S_OK)
        close(fd);
}

void chy_admin_crl_list(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    await_first(ca);
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    add_crls(&j, ca, 0, caller.access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN));
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, 200, "application/json", &b);
    chy_buf_free(&b);
}

/* ---- on demand ---- */
struct publish_call { /* in the exchange's arena */
    struct chy_exchange *x;
    struct chy_ca *ca;
};

/* What could not be written to every place was made all the same, and is told with the problem. */
static void published(const struct chy_crl_result *r, void *arg)
{
    const struct publish_call *call = arg;
    bool failed = r->status != CHY_S_OK;
    const struct chy_code_info *info = chy_code_info(r->status);
    bool asked_wrong = r->status == CHY_E_INVALIDARG || r->status == CHY_E_ACCESSDENIED;
    int status = !asked_wrong && info->http_status < 500 ? 500 : info->http_status;
    struct chy_buf b;
    struct chy_json j;
    if (failed && !r->made) {
        chy_exchange_problem_status(call->x, status, &r->err);
        return;
    }
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    if (failed) {
        chy_json_add_str(&j, "type", "urn:chancery:problem:publishing");
        chy_json_add_str(&j, "title", info->text);
        chy_json_add_int(&j, "status", status);
        chy_json_add_str(&j, "detail", r->err.text);
        chy_json_add_str(&j, "code", info->slug);
        chy_json_add_int(&j, "hresult", r->status);
    }
    chy_json_add_int(&j, "number", (int64_t)r->number);
    chy_json_add_int(&j, "made", r->made);
    add_crls(&j, call->ca, r->made ? r->number : UINT64_MAX, true);
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(call->x, failed ? status : 200,
                           failed ? "application/problem+json" : "application/json", &b);
    chy_buf_free(&b);
}

static chy_hresult read_kind(const cJSON *v, uint32_t *flags, struct chy_err *err)
{
    const char *kind = chy_json_str(v, "kind", err);
    if (err->code) return err->code;
    if (!kind || strcmp(kind, "base") == 0) {
        *flags |= CHY_CA_CRL_BASE;
    } else if (strcmp(kind, "delta") == 0) {
        *flags |= CHY_CA_CRL_DELTA;
    } else if (strcmp(kind, "both") == 0) {
        *flags |= CHY_CA_CRL_BASE | CHY_CA_CRL_DELTA;
    } else {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "JSON: \"kind\" is to be \"base\", \"delta\" or \"both\"");
    }
    return CHY_S_OK;
}

static chy_hresult read_order(struct chy_exchange *x, struct chy_crl_order *out,
                              struct chy_err *err)
{
    static const char *const names[] = {"kind", "shard", "next_update", "republish", NULL};
    int64_t shard = CHY_CRL_SHARD_ANY;
    bool again = false;
    cJSON *v = NULL;
    *out = (struct chy_crl_order){.next_update = CHY_TIME_DEFAULT};
    chy_hresult hr = chy_body_read(x, names, &v, err);
    if (hr == CHY_S_OK) hr = read_kind(v, &out->flags, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "shard", 65535, &shard, err);
    if (hr == CHY_S_OK) hr = chy_body_time(v, "next_update", &out->next_update, err);
    if (hr == CHY_S_OK) hr = chy_body_flag(v, "republish", &again, err);
    cJSON_Delete(v);
    out->shard = (int32_t)shard;
    if (again) out->flags |= CHY_CA_CRL_REPUBLISH;
    return hr;
}

void chy_admin_crl_publish(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_crl_order order;
    struct chy_err err = {0};
    if (!ca) return;
    struct publish_call *call = chy_arena_alloc(chy_exchange_arena(x), sizeof(*call));
    chy_hresult hr = read_order(x, &order, &err);
    if (hr == CHY_S_OK && !call) hr = chy_fail_nomem(&err, "CRL");
    if (hr != CHY_S_OK) {
        chy_exchange_problem(x, &err);
        return;
    }
    *call = (struct publish_call){x, ca};
    chy_service_caller(service, x, ca, &caller);
    chy_exchange_hold(x);
    chy_ca_publish_crls(ca, &caller, &order, published, call);
}

/* ---- files ---- */
/* Caches may keep a CRL until its successor is due, and never past its end. */
static void allow_caching(struct chy_exchange *x, const struct chy_crl_record *r)
{
    char value[96];
    chy_time until = r->next_publish < r->next_update ? r->next_publish : r->next_update;
    chy_time left = until - chy_now(&chy_system_clock);
    long long seconds = left > 0 ? (long long)(left / CHY_US_PER_S) : 0;
    snprintf(value, sizeof(value), "public, max-age=%lld, s-maxage=%lld", seconds, seconds);
    chy_exchange_set_header(x, "Cache-Control", value);
}

static void reply_crl(struct chy_exchange *x, int fd, const struct chy_crl_info *c)
{
    const struct chy_crl_record *r = &c->record;
    char etag[64];
    snprintf(etag, sizeof(etag), "\"%d-%d-%llu%s\"", r->key_index, r->shard,
             (unsigned long long)r->number, r->is_delta ? "+" : "");
    allow_caching(x, r);
    chy_exchange_reply_file(x, &(struct chy_net_file){.fd = fd,
                                                      .size = (uint64_t)r->size,
                                                      .content_type = "application/pkix-crl",
                                                      .etag = etag,
                                                      .modified = r->this_publish});
}

/* A CRL that is there but cannot be read is the CA's trouble, and not the asker's. */
static void refuse(struct chy_exchange *x, const struct chy_err *err)
{
    if (chy_code_info(err->code)->http_status >= 500 || err->code == CHY_ERROR_FILE_NOT_FOUND) {
        chy_exchange_problem(x, err);
    } else {
        chy_exchange_problem_status(x, 500, err);
    }
}

void chy_admin_crl_get(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_err err = {0};
    struct chy_crl_info info;
    int fd = -1;
    if (!ca) return;
    if (chy_ca_crl_open_name(ca, chy_exchange_param(x, "name"), &fd, &info, &err) == CHY_S_OK) {
        reply_crl(x, fd, &info);
    } else {
        refuse(x, &err);
    }
}

/* Where the distribution points of certificates lead: the name alone tells whose CRL it is. */
void chy_admin_crl_public(struct chy_exchange *x, void *service)
{
    struct chy_service *s = service;
    const char *file = chy_exchange_param(x, "file");
    struct chy_err err = {0};
    struct chy_crl_info info;
    int fd = -1;
    chy_hresult hr = CHY_ERROR_FILE_NOT_FOUND;
    for (size_t i = 0; i < s->n_cas && hr == CHY_ERROR_FILE_NOT_FOUND; i++) {
        chy_err_clear(&err);
        hr = chy_ca_crl_open_name(s->ca[i], file, &fd, &info, &err);
    }
    if (hr == CHY_S_OK) {
        reply_crl(x, fd, &info);
    } else if (hr == CHY_ERROR_FILE_NOT_FOUND) {
        chy_err_clear(&err);
        chy_fail(&err, hr, "/crl/%.128s: there is no such CRL", file);
        chy_exchange_problem(x, &err);
    } else {
        refuse(x, &err);
    }
}
