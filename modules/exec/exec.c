#include "exec/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/callback.h"
#include "exec/describe.h"
#include "exec/keeper.h"
#include "exec/value.h"

enum { PROTOCOL = 1, CALLBACKS_MAX = 4096 };

/* Unchanged once it has been started: what changes is the keeper's. */
struct exec {
    chy_host host;
    const char *module;
    bool is_policy;
    struct exec_settings settings;
    struct keeper *keeper;
    chy_long events;
};

/* One call under way. */
struct turn {
    const struct exec *e;
    chy_task *task;
    const char *method;
    struct program *p;
    int64_t deadline, id;
    cJSON *answer;
    chy_long events; /* what Initialize answered */
};

/* The host takes a module out of use whose call overruns: an eighth of the time, 20 to 500 ms, is
 * kept for telling of it. */
static int64_t deadline_of(const chy_host *host)
{
    chy_long left = 0;
    if (CHY_FAILED(host->vt->time_left(host->self, &left))) left = 0;
    chy_long kept = left / 8 < 20 ? 20 : left / 8 > 500 ? 500 : left / 8;
    return wire_now() + (left > kept ? left - kept : 0);
}

static chy_hresult tell(const struct turn *t, chy_hresult hr, const char *what, const char *detail)
{
    char text[700];
    snprintf(text, sizeof text, "%s: %s: %s%.400s", t->e->module, t->method, what, detail);
    t->e->host.vt->log(t->e->host.self, CHY_LOG_ERROR, chy_text_one_line(text));
    return hr;
}

static void begin_line(struct turn *t, struct kit_text *line)
{
    int64_t left = t->deadline - wire_now();
    t->id = ++t->p->last_id;
    kit_addf(line, "{\"id\":%lld,\"call\":\"%s.%s\",\"milliseconds\":%lld", (long long)t->id,
             t->e->is_policy ? "ICertPolicy" : "ICertExit", t->method,
             (long long)(left > 0 ? left : 0));
}

static chy_hresult send_line(struct turn *t, struct kit_text *line)
{
    const char *why = "out of memory";
    kit_add_str(line, "}\n");
    chy_hresult hr = line->failed ? CHY_E_OUTOFMEMORY
                                  : wire_write(&t->p->wire, line->p, line->n, t->deadline, &why);
    return CHY_FAILED(hr) ? tell(t, hr, "", why) : hr;
}

static chy_hresult answer_callback(struct turn *t, const cJSON *line)
{
    struct kit_text out = {0};
    kit_addf(&out, "{\"id\":%lld", (long long)t->id);
    callback(t->task, line, &out);
    chy_hresult hr = send_line(t, &out);
    kit_text_free(&out);
    return hr;
}

/* S_FALSE: this line belongs to a call that is over. */
static chy_hresult check_id(const struct turn *t, const cJSON *line)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(line, "id");
    if (!cJSON_IsNumber(id)) return tell(t, CHY_ERROR_INVALID_DATA, "a line without an id", "");
    if (id->valuedouble == (double)t->id) return CHY_S_OK;
    if (id->valuedouble < (double)t->id) return CHY_S_FALSE;
    return tell(t, CHY_ERROR_INVALID_DATA, "a line with an id that was never given", "");
}

/* A member that nobody reads is a mistake that somebody relies on. */
static chy_hresult check_members(const struct turn *t, const cJSON *line)
{
    static const char *const known[] = {"id",      "result",     "error",
                                        "message", "properties", "extensions"};
    size_t outcomes = 0;
    for (const cJSON *m = line->child; m; m = m->next) {
        size_t i = 0;
        while (i < 6 && strcmp(m->string, known[i]) != 0)
            i++;
        if (i == 6 || (i > 3 && !t->e->is_policy))
            return tell(t, CHY_ERROR_INVALID_DATA, "an answer with the unknown member ", m->string);
        outcomes += i == 1 || i == 2;
    }
    return outcomes == 1 ? CHY_S_OK
                         : tell(t, CHY_ERROR_INVALID_DATA,
                                "a line that is neither a call nor has one result or error", "");
}

static chy_hresult take_line(struct turn *t, cJSON *line, unsigned *callbacks)
{
    chy_hresult hr = check_id(t, line);
    if (hr != CHY_S_OK) return hr;
    if (cJSON_HasObjectItem(line, "call")) {
        if (++*callbacks > CALLBACKS_MAX)
            return tell(t, CHY_ERROR_INVALID_DATA, "more than 4096 callbacks", "");
        hr = answer_callback(t, line);
        return CHY_FAILED(hr) ? hr : CHY_S_FALSE;
    }
    return check_members(t, line);
}

/* Lines come until one is the answer. */
static chy_hresult listen_to(struct turn *t)
{
    unsigned callbacks = 0;
    chy_hresult hr = CHY_S_FALSE;
    while (hr == CHY_S_FALSE) {
        const char *why = "";
        cJSON *line = NULL;
        hr = wire_read(&t->p->wire, t->deadline, &line, &why);
        if (hr == CHY_ERROR_INVALID_DATA) return tell(t, hr, "a line of the program ", why);
        if (CHY_FAILED(hr)) return tell(t, hr, "", why);
        hr = take_line(t, line, &callbacks);
        if (hr == CHY_S_OK)
            t->answer = line;
        else
            cJSON_Delete(line);
    }
    return hr;
}

/* "error": the call failed, in the program's own opinion. */
static chy_hresult error_of(const struct turn *t)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(t->answer, "error");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(t->answer, "message");
    chy_hresult code = CHY_E_FAIL;
    if (!error) return CHY_S_OK;
    const char *why = value_code(error, &code);
    if (why || !CHY_FAILED(code)) code = CHY_E_FAIL;
    return tell(t, code, "the program failed: ",
                cJSON_IsString(message) ? message->valuestring : "(no message)");
}

/* An event's name or a list of them, or the mask as a number. */
static const char *events_of(const cJSON *result, chy_long *events)
{
    const cJSON *name;
    *events = 0;
    if (cJSON_IsNumber(result)) return value_long(result, events);
    if (!cJSON_IsArray(result)) return "no events: a mask or a list of names is expected";
    cJSON_ArrayForEach(name, result)
    {
        chy_long bit = cJSON_IsString(name) ? exec_event(name->valuestring) : 0;
        if (!bit) return "an event that there is not";
        *events |= bit;
    }
    return NULL;
}

static chy_hresult greeting_answered(struct turn *t)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(t->answer, "result");
    const char *why = NULL;
    chy_long number = 0;
    chy_hresult hr = error_of(t);
    if (CHY_FAILED(hr)) return hr;
    if (!t->e->is_policy && !t->e->settings.events)
        why = events_of(result, &t->events);
    else if (cJSON_IsNumber(result) && (value_long(result, &number) || number < 0))
        why = "a negative result";
    return why ? tell(t, CHY_ERROR_INVALID_DATA, "the program answered ", why) : CHY_S_OK;
}

/* Each program's first line: whom it works for, and its settings. */
static chy_hresult greet(struct turn *outer)
{
    struct turn t = *outer;
    chy_task task = {.host = &t.e->host, .failed = CHY_S_OK};
    struct kit_text line = {0};
    t.method = "Initialize";
    t.task = &task;
    chy_hresult hr = t.e->is_policy ? t.e->host.vt->new_server_policy(t.e->host.self, &task.policy)
                                    : t.e->host.vt->new_server_exit(t.e->host.self, &task.exit);
    if (CHY_FAILED(hr)) return hr;
    begin_line(&t, &line);
    kit_addf(&line, ",\"protocol\":%d,\"settings\":{", PROTOCOL);
    kit_add(&line, t.e->settings.given.p, t.e->settings.given.n);
    kit_add_str(&line, "},\"ca\":{");
    hr = describe_ca(&task, &line);
    kit_add_str(&line, "}");
    if (!CHY_FAILED(hr)) hr = send_line(&t, &line);
    if (!CHY_FAILED(hr)) hr = listen_to(&t);
    if (!CHY_FAILED(hr)) hr = greeting_answered(&t);
    t.p->greeted = !CHY_FAILED(hr);
    outer->events = t.events;
    kit_text_free(&line);
    cJSON_Delete(t.answer);
    chy_task_close(&task);
    return hr;
}

/* A program that has answered Initialize. */
static chy_hresult take_program(struct turn *t)
{
    const char *why = "";
    chy_hresult hr = keeper_take(t->e->keeper, t->deadline, &t->p, &why);
    if (CHY_FAILED(hr)) {
        t->p = NULL;
        return tell(t, hr, "", why);
    }
    return t->p->greeted ? CHY_S_OK : greet(t);
}

typedef chy_hresult (*describe_fn)(struct turn *t, chy_long number, struct kit_text *line);

/* From taking a program to its answer; answered tells whether the program kept to the wire. */
static chy_hresult run(struct turn *t, describe_fn describe, chy_long number, bool *answered)
{
    struct kit_text line = {0};
    *answered = false;
    t->deadline = deadline_of(&t->e->host);
    chy_hresult hr = take_program(t);
    if (CHY_FAILED(hr)) return hr;
    begin_line(t, &line);
    hr = describe(t, number, &line);
    if (CHY_FAILED(hr)) {
        *answered = true; /* it was not even asked */
        hr = tell(t, hr, "what the call is about cannot be read", "");
    } else if (!CHY_FAILED(hr = send_line(t, &line)) && !CHY_FAILED(hr = listen_to(t))) {
        *answered = true;
        hr = error_of(t);
    }
    kit_text_free(&line);
    return hr;
}

static void finish(struct turn *t, bool answered)
{
    if (t->p) keeper_give(t->e->keeper, t->p, answered);
    cJSON_Delete(t->answer);
}

static chy_hresult describe_verify(struct turn *t, chy_long flags, struct kit_text *line)
{
    kit_addf(line, ",\"new\":%s,\"flags\":%d", t->task->is_new ? "true" : "false", (int)flags);
    return describe_request(t->task, line);
}

static chy_hresult describe_notify(struct turn *t, chy_long event, struct kit_text *line)
{
    chy_hresult hr = describe_event(t->task, event, line);
    return CHY_FAILED(hr) || !t->task->context ? hr : describe_request(t->task, line);
}

/* NULL: *out is what the program decided. Only the word or the number of "issue" issues. */
static const char *disposition_of(const cJSON *result, chy_long *out)
{
    static const char *const words[] = {"pend", "issue", "deny"};
    for (int i = 0; cJSON_IsString(result) && i < 3; i++) {
        if (strcmp(result->valuestring, words[i]) != 0) continue;
        *out = i; /* CHY_VR_PENDING, CHY_VR_INSTANT_OK, CHY_VR_INSTANT_BAD */
        return NULL;
    }
    chy_long v = CHY_VR_INSTANT_BAD;
    bool coded = cJSON_IsString(result); /* as "0x80094012": codes are negative */
    if (value_code(result, &v) || v > (coded ? -1 : CHY_VR_INSTANT_BAD)) return "is no disposition";
    *out = v;
    return NULL;
}

static const char *apply(const struct turn *t, chy_long disposition)
{
    const cJSON *properties = cJSON_GetObjectItemCaseSensitive(t->answer, "properties");
    const cJSON *extensions = cJSON_GetObjectItemCaseSensitive(t->answer, "extensions");
    const char *why = NULL;
    if (disposition != CHY_VR_INSTANT_OK && disposition != CHY_VR_PENDING) return NULL;
    if (properties) why = apply_properties(t->task, properties);
    if (!why && extensions) why = apply_extensions(t->task, extensions);
    return why;
}

static chy_hresult decide(struct turn *t, chy_long *disposition)
{
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(t->answer, "message");
    chy_long v = CHY_VR_INSTANT_BAD;
    const char *why = disposition_of(cJSON_GetObjectItemCaseSensitive(t->answer, "result"), &v);
    if (!why && message && !cJSON_IsString(message)) why = "has a message that is no text";
    if (!why) why = apply(t, v);
    if (why) return tell(t, CHY_ERROR_INVALID_DATA, "the program's answer ", why);
    if (message)
        (void)t->e->host.vt->set_message(t->e->host.self, t->task->context, message->valuestring);
    bool spoiled = v == CHY_VR_INSTANT_OK && CHY_FAILED(t->task->failed);
    if (spoiled) (void)tell(t, v, "denied, because what the program set was refused", "");
    *disposition = spoiled ? t->task->failed : v;
    return CHY_S_OK;
}

chy_hresult exec_verify(const struct exec *e, chy_task *task, chy_long flags, chy_long *disposition)
{
    struct turn t = {.e = e, .task = task, .method = "VerifyRequest"};
    bool answered;
    *disposition = CHY_VR_INSTANT_BAD;
    chy_hresult hr = run(&t, describe_verify, flags, &answered);
    if (!CHY_FAILED(hr)) hr = decide(&t, disposition);
    finish(&t, answered);
    return hr;
}

/* A negative result: this event is to come again. */
static chy_hresult taken(struct turn *t)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(t->answer, "result");
    chy_hresult v = CHY_S_OK;
    if (cJSON_IsString(result) && !strcmp(result->valuestring, "ok")) return CHY_S_OK;
    const char *why = value_code(result, &v);
    if (!why && v > 0) why = "is neither 0, ok nor negative";
    return why ? tell(t, CHY_ERROR_INVALID_DATA, "the program's result ", why) : v;
}

chy_hresult exec_notify(const struct exec *e, chy_task *task, chy_long event)
{
    struct turn t = {.e = e, .task = task, .method = "Notify"};
    bool answered;
    chy_hresult hr = run(&t, describe_notify, event, &answered);
    if (!CHY_FAILED(hr)) hr = taken(&t);
    finish(&t, answered);
    return hr;
}

static chy_hresult first_program(struct exec *e)
{
    struct turn t = {.e = e, .method = "Initialize"};
    t.deadline = deadline_of(&e->host);
    chy_hresult hr = take_program(&t);
    e->events = e->settings.events ? e->settings.events : t.events;
    finish(&t, !CHY_FAILED(hr));
    return hr;
}

chy_hresult exec_start(const chy_host *host, const char *module, struct exec **out,
                       chy_long *events)
{
    struct exec *e = calloc(1, sizeof *e);
    if (!e) return CHY_E_OUTOFMEMORY;
    e->host = *host;
    e->module = module;
    e->is_policy = !events;
    chy_hresult hr = exec_settings_read(&e->host, module, e->is_policy, &e->settings);
    if (!CHY_FAILED(hr)) hr = keeper_start(&e->host, module, &e->settings, &e->keeper);
    if (!CHY_FAILED(hr)) hr = first_program(e);
    if (!CHY_FAILED(hr) && events) *events = e->events;
    if (CHY_FAILED(hr))
        exec_stop(e);
    else
        *out = e;
    return hr;
}

void exec_stop(struct exec *e)
{
    if (!e) return;
    if (e->keeper) keeper_stop(e->keeper);
    exec_settings_free(&e->settings);
    free(e);
}
