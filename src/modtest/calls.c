/* The calls into the module. A failure of the module is a fact to be expected or not, never an
 * error of the play. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "modtest/play.h"

static const char config[] = "localhost\\Play CA";

static const struct {
    const char *name;
    chy_long event;
    int32_t disposition; /* of the request then; 0: of no request */
} events[] = {
    {"certissued", CHY_EXITEVENT_CERTISSUED, CHY_DB_DISP_ISSUED},
    {"certpending", CHY_EXITEVENT_CERTPENDING, CHY_DB_DISP_PENDING},
    {"certdenied", CHY_EXITEVENT_CERTDENIED, CHY_DB_DISP_DENIED},
    {"certrevoked", CHY_EXITEVENT_CERTREVOKED, CHY_DB_DISP_REVOKED},
    {"certunrevoked", CHY_EXITEVENT_CERTREVOKED, CHY_DB_DISP_ISSUED},
    {"certretrievepending", CHY_EXITEVENT_CERTRETRIEVEPENDING, CHY_DB_DISP_ISSUED},
    {"certimported", CHY_EXITEVENT_CERTIMPORTED, CHY_DB_DISP_ISSUED},
    {"crlissued", CHY_EXITEVENT_CRLISSUED, 0},
    {"shutdown", CHY_EXITEVENT_SHUTDOWN, 0},
};

chy_long chy_play_event(const char *name)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(events); i++) {
        if (strcmp(events[i].name, name) == 0) return events[i].event;
    }
    return 0;
}

/* What was said belongs to the call before. */
static void begin_call(struct chy_play *p, enum chy_play_call call)
{
    p->call = call;
    p->result = CHY_S_OK;
    p->refused[0] = 0;
    chy_err_clear(&p->said);
    chy_play_log_clear(p);
}

chy_hresult chy_play_start(struct chy_play *p, struct chy_err *err)
{
    if (p->instance) return chy_fail(err, CHY_E_INVALIDARG, "start: it runs already");
    if (!p->module) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "no module: name it on the command line, or with \"module FILE.so\"");
    }
    begin_call(p, CHY_PLAY_OTHER);
    chy_hresult hr = chy_play_open(p, err);
    if (hr != CHY_S_OK) return hr;
    p->result = p->is_policy ? chy_policy_initialize(p->instance, config, &p->said)
                             : chy_exit_initialize(p->instance, config, &p->events, &p->said);
    if (CHY_FAILED(p->result)) chy_play_close(p); /* so that it can be started again */
    return CHY_S_OK;
}

/* A play that does not say "start" starts with its first call, which cannot go well otherwise. */
static chy_hresult ensure_started(struct chy_play *p, struct chy_err *err)
{
    if (p->instance) return CHY_S_OK;
    chy_hresult hr = chy_play_start(p, err);
    if (hr != CHY_S_OK || p->instance) return hr;
    struct chy_buf said;
    chy_buf_init(&said, 4096);
    chy_play_log_text(p, true, &said);
    const char *text = chy_buf_cstr(&said);
    hr = chy_fail(err, p->result, "the module does not start: %s%s%s", p->said.text,
                  said.n ? "; it says: " : "", text ? text : "");
    chy_buf_free(&said);
    return hr;
}

chy_hresult chy_play_refresh(struct chy_play *p, struct chy_err *err)
{
    chy_hresult hr = ensure_started(p, err);
    if (hr != CHY_S_OK) return hr;
    begin_call(p, CHY_PLAY_OTHER);
    p->result = chy_manage_configure(p->instance, config, CHY_CMM_REFRESHONLY, &p->said);
    return CHY_S_OK;
}

/* What a CA says to the certificate that comes of it. */
static void judge(struct chy_play *p)
{
    struct chy_request *r = p->request->made;
    if (p->verdict != CHY_VERDICT_ISSUE) return;
    chy_buf_reset(&r->certificate);
    if (chy_request_certify(r, chy_play_now(p)) == CHY_S_OK) return;
    snprintf(p->refused, sizeof(p->refused), "%s", r->err.text);
    chy_err_clear(&r->err);
    chy_buf_reset(&r->certificate);
}

chy_hresult chy_play_verify(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    bool again = l->n == 2 && strcmp(l->word[1], "again") == 0, abandoned = false;
    if (l->n > 1 && !again)
        return chy_fail(err, CHY_E_INVALIDARG, "verify \"%.40s\": nothing or \"again\" is expected",
                        l->word[1]);
    chy_hresult hr = ensure_started(p, err);
    if (hr == CHY_S_OK && !p->is_policy)
        hr = chy_fail(err, CHY_E_INVALIDARG, "verify: this is an exit module; it takes notify");
    if (hr == CHY_S_OK) hr = chy_play_make(p, err);
    if (hr != CHY_S_OK) return hr;
    begin_call(p, CHY_PLAY_VERIFY);
    p->request->made->is_new = !again;
    p->request->made->policy_message[0] = 0;
    p->verdict =
        chy_policy_verify(p->instance, config, p, !again, &p->result, &abandoned, &p->said);
    judge(p);
    return CHY_S_OK;
}

/* notify EVENT [attempt N] [id ID] */
static chy_hresult read_notify(struct chy_play *p, const struct chy_play_line *l, size_t *which,
                               struct chy_err *err)
{
    int64_t n = 1;
    *which = 0;
    while (*which < CHY_ARRAY_LEN(events) && strcmp(events[*which].name, l->word[1]) != 0)
        (*which)++;
    if (*which == CHY_ARRAY_LEN(events))
        return chy_fail(err, CHY_E_INVALIDARG, "notify \"%.40s\": there is no such event",
                        l->word[1]);
    p->event = events[*which].event;
    p->event_name = events[*which].name;
    p->event_id = NULL;
    p->event_attempt = 1;
    for (size_t i = 2; i + 1 < l->n; i += 2) {
        if (strcmp(l->word[i], "id") == 0)
            p->event_id = l->word[i + 1];
        else if (strcmp(l->word[i], "attempt") == 0 && chy_play_number(l->word[i + 1], &n) &&
                 n > 0 && n <= INT32_MAX)
            p->event_attempt = (chy_long)n;
        else
            return chy_fail(err, CHY_E_INVALIDARG, "notify: attempt N or id ID is expected");
    }
    return CHY_S_OK;
}

static chy_hresult set_outcome(struct chy_play *p, int32_t disposition, struct chy_err *err)
{
    chy_hresult hr = chy_play_make(p, err);
    if (hr != CHY_S_OK) return hr;
    struct chy_request *r = p->request->made;
    bool has_certificate = disposition == CHY_DB_DISP_ISSUED || disposition == CHY_DB_DISP_REVOKED;
    if (has_certificate) hr = chy_play_issue(p, err);
    r->disposition = disposition;
    r->status = disposition == CHY_DB_DISP_DENIED ? CHY_E_ACCESSDENIED : CHY_S_OK;
    r->resolved_when = chy_play_now(p);
    snprintf(r->message, sizeof(r->message), "%s",
             has_certificate                      ? "Issued"
             : disposition == CHY_DB_DISP_PENDING ? "Taken Under Submission"
                                                  : "Denied by Policy Module");
    bool revoked = disposition == CHY_DB_DISP_REVOKED;
    r->revoked_when = r->revoked_effective_when = revoked ? chy_play_now(p) : CHY_TIME_DEFAULT;
    r->revoked_reason = p->request->reason;
    return hr;
}

chy_hresult chy_play_notify(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    size_t which;
    bool abandoned = false;
    chy_hresult hr = ensure_started(p, err);
    if (hr == CHY_S_OK && p->is_policy)
        hr = chy_fail(err, CHY_E_INVALIDARG, "notify: this is a policy module; it takes verify");
    if (hr == CHY_S_OK) hr = read_notify(p, l, &which, err);
    if (hr == CHY_S_OK && events[which].disposition)
        hr = set_outcome(p, events[which].disposition, err);
    if (hr != CHY_S_OK) return hr;
    if (!(p->events & p->event))
        return chy_fail(err, CHY_E_INVALIDARG,
                        "notify %s: the module did not ask for this event (its mask is 0x%x)",
                        l->word[1], (unsigned)p->events);
    begin_call(p, CHY_PLAY_OTHER);
    p->result = chy_exit_notify(p->instance, p->event, events[which].disposition ? p : NULL,
                                &abandoned, &p->said);
    return CHY_S_OK;
}

chy_hresult chy_play_manage(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    struct chy_play_value v[1];
    size_t n = 0;
    chy_hresult hr = ensure_started(p, err);
    if (hr == CHY_S_OK) hr = chy_play_set_value(p, v, &n, l, err);
    if (hr != CHY_S_OK) return hr;
    begin_call(p, CHY_PLAY_OTHER);
    p->result = chy_manage_set_property(p->instance, config, v->name, &v->v, &p->said);
    return CHY_S_OK;
}

/* S_FALSE: it was not started. */
chy_hresult chy_play_stop(struct chy_play *p, struct chy_err *err)
{
    (void)err;
    if (!p->instance) return CHY_S_FALSE;
    begin_call(p, CHY_PLAY_OTHER);
    if (p->is_policy) p->result = chy_policy_shut_down(p->instance, &p->said);
    chy_play_close(p);
    return CHY_S_OK;
}
