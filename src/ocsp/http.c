/* OCSP over HTTP (RFC 6960 A, RFC 5019 5 and 6): the loop's side. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "net/http_date.h"
#include "ocsp/ocsp_int.h"

static const char request_type[] = "application/ocsp-request";
static const char response_type[] = "application/ocsp-response";

void chy_ocsp_http_error(struct chy_ocsp *o, struct chy_exchange *x, enum chy_ocsp_status status)
{
    uint8_t octets[8];
    struct chy_buf der = {.p = octets, .cap = sizeof(octets), .max = sizeof(octets)};
    atomic_fetch_add_explicit(&o->errors[status], 1, memory_order_relaxed);
    chy_ocsp_error_add(&der, status);
    chy_ocsp_http_send_once(x, chy_buf_span(&der));
}

void chy_ocsp_http_send_once(struct chy_exchange *x, struct chy_span answer)
{
    chy_exchange_set_header(x, "Cache-Control", "no-store");
    chy_exchange_reply(x, 200, response_type, answer);
}

/* RFC 5019 6.2: a cache has it no longer than it holds. */
void chy_ocsp_http_send(struct chy_exchange *x, const struct chy_ocsp_kept *kept, chy_time now)
{
    char control[80], expires[CHY_HTTP_DATE_SIZE];
    chy_time left = (kept->next_update - now - 1) / CHY_US_PER_S;
    snprintf(control, sizeof(control), "max-age=%lld, public, no-transform, must-revalidate",
             (long long)(left > 0 ? left : 0));
    chy_http_date(expires, kept->next_update);
    chy_exchange_set_header(x, "Cache-Control", control);
    chy_exchange_set_header(x, "Expires", expires);
    chy_exchange_reply_tagged(x, response_type, kept->etag, kept->this_update, kept->answer);
}

struct hit {
    struct chy_ocsp *o;
    struct chy_exchange *x;
    const struct chy_ocsp_request *q;
    chy_time now;
};

static bool use(const struct chy_ocsp_kept *kept, void *arg)
{
    const struct hit *h = arg;
    if (h->q->has_nonce && h->q->nonce.n <= kept->nonce_max) return false;
    atomic_fetch_add_explicit(&h->o->told[kept->status][CHY_OCSP_CACHED], 1, memory_order_relaxed);
    if (h->q->has_nonce) {
        chy_ocsp_http_send_once(h->x, kept->answer);
    } else {
        chy_ocsp_http_send(h->x, kept, h->now);
    }
    return true;
}

bool chy_ocsp_http_cached(struct chy_ocsp *o, struct chy_exchange *x,
                          const struct chy_ocsp_request *q)
{
    struct hit h = {.o = o, .x = x, .q = q, .now = chy_now(o->clock)};
    return q->n == 1 && chy_ocsp_cache_use(o->cache, q->id[0].der, h.now, use, &h);
}

/* is_lent: the octets live as long as the exchange. */
static void ask(struct chy_ocsp *o, struct chy_exchange *x, struct chy_span der, bool is_lent)
{
    struct chy_ocsp_request *q = &o->request;
    /* RFC 6960 4.4: an extension that we would have to understand cannot be passed over. */
    if (chy_ocsp_request_parse(der, q, NULL) != CHY_S_OK || q->unknown_critical) {
        chy_ocsp_http_error(o, x, CHY_OCSP_MALFORMED);
        return;
    }
    if (chy_ocsp_http_cached(o, x, q)) return;
    struct chy_arena *arena = chy_exchange_arena(x);
    struct chy_ocsp_ask *waits = chy_arena_alloc(arena, sizeof(*waits));
    if (waits) {
        waits->x = x;
        waits->request = is_lent ? der : chy_arena_dup(arena, der);
    }
    chy_exchange_hold(x);
    if (!waits || !waits->request.n || !chy_ocsp_queue_add(o, waits))
        chy_ocsp_http_error(o, x, CHY_OCSP_TRY_LATER);
}

static bool has_type(struct chy_exchange *x)
{
    const char *type = chy_exchange_header(x, "Content-Type");
    size_t n = sizeof(request_type) - 1;
    return type && strncasecmp(type, request_type, n) == 0 &&
           (!type[n] || strchr("; \t", type[n]) != NULL);
}

static void post(struct chy_exchange *x, void *arg)
{
    struct chy_err err = {.code = CHY_S_OK};
    if (has_type(x)) {
        ask(arg, x, chy_exchange_body(x), true);
        return;
    }
    chy_fail(&err, CHY_E_INVALIDARG, "body: its type must be %s (RFC 6960 A.1)", request_type);
    chy_exchange_problem_status(x, 415, &err);
}

/* RFC 6960 A.1: base64, and its URL encoding is undone by now. A client puts a slash between the
 * address and that, though the address has one at its end. */
static void get(struct chy_exchange *x, void *arg)
{
    struct chy_ocsp *o = arg;
    const char *text = chy_exchange_param(x, "request");
    chy_buf_reset(&o->scratch);
    if (chy_base64_decode(&o->scratch, chy_span_cstr(text + strspn(text, "/")))) {
        ask(o, x, chy_buf_span(&o->scratch), false);
    } else {
        chy_ocsp_http_error(o, x, CHY_OCSP_MALFORMED);
    }
}

chy_hresult chy_ocsp_http_register(struct chy_ocsp *o, struct chy_err *err)
{
    chy_hresult hr = chy_net_route(o->net, "POST", "/ocsp", CHY_OCSP_REQUEST_MAX, post, o, err);
    if (hr == CHY_S_OK) hr = chy_net_route(o->net, "GET", "/ocsp/*request", 1, get, o, err);
    return hr;
}
