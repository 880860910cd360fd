/* Exit events: what a module is owed, and telling it again. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/body.h"
#include "base/json.h"
#include "base/text.h"
#include "ca/events.h"
#include "enrol/row_json.h"

enum { ANSWER_MAX = 4 << 20, EVENTS_MAX = 1000 };

/* ---- GET /modules/:name/events, GET /events ---- */
static chy_hresult read_list(struct chy_exchange *x, struct chy_event_list *list,
                             struct chy_err *err)
{
    const char *after = chy_exchange_query(x, "after"), *limit = chy_exchange_query(x, "limit"),
               *failed = chy_exchange_query(x, "failed");
    char *end = NULL;
    list->limit = EVENTS_MAX;
    list->failed_only = failed && strcmp(failed, "0") != 0 && strcmp(failed, "false") != 0;
    if (after) list->after = strtoll(after, &end, 10);
    if (after && (*end || end == after || list->after < 0))
        return chy_fail(err, CHY_E_INVALIDARG, "after: what the last answer said is expected");
    long n = limit ? strtol(limit, &end, 10) : EVENTS_MAX;
    if (limit && (*end || end == limit || n < 1 || n > EVENTS_MAX))
        return chy_fail(err, CHY_E_INVALIDARG, "limit: 1 to %d is expected", EVENTS_MAX);
    list->limit = (uint32_t)n;
    return CHY_S_OK;
}

void chy_admin_events(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    const char *module = chy_exchange_param(x, "name");
    struct chy_event_list list = {.module = module && *module ? module : NULL};
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_array(&j, "events");
    chy_hresult hr = read_list(x, &list, &err);
    if (hr == CHY_S_OK) hr = chy_ca_events(ca, &caller, &list, chy_row_json_event, &j, &err);
    chy_json_end(&j, ']');
    if (list.after) chy_json_add_int(&j, "after", list.after);
    chy_json_end(&j, '}');
    if (hr == CHY_S_OK)
        chy_exchange_reply_buf(x, 200, "application/json", &b);
    else
        chy_exchange_problem(x, &err);
    chy_buf_free(&b);
}

/* ---- POST /modules/:name/replay ---- */
static chy_hresult read_replay(struct chy_exchange *x, struct chy_replay *r, struct chy_err *err)
{
    static const char *const names[] = {"failed", "request_id", "since", "after", "limit", NULL};
    cJSON *v = NULL;
    int64_t id = 0, limit = 0;
    chy_hresult hr = chy_body_read(x, names, &v, err);
    if (hr == CHY_S_OK) hr = chy_body_flag(v, "failed", &r->failed, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "request_id", INT32_MAX, &id, err);
    if (hr == CHY_S_OK) hr = chy_body_time(v, "since", &r->since, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "after", INT64_C(1) << 50, &r->after, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "limit", 100000, &limit, err);
    cJSON_Delete(v);
    r->request_id = (int32_t)id;
    r->limit = (uint32_t)limit;
    return hr;
}

void chy_admin_replay(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_replay r = {.module = chy_exchange_param(x, "name"), .since = CHY_TIME_DEFAULT};
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    chy_hresult hr = read_replay(x, &r, &err);
    if (hr == CHY_S_OK) hr = chy_ca_replay(ca, &caller, &r, &err);
    if (hr != CHY_S_OK) {
        chy_exchange_problem(x, &err);
        return;
    }
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_int(&j, "owed", (int64_t)r.owed);
    if (r.after) chy_json_add_int(&j, "after", r.after);
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, 200, "application/json", &b);
    chy_buf_free(&b);
}
