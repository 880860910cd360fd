/* The conformance script. Whatever the module does of what it must not do costs this process only;
 * the last step that was begun is the one to blame. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "module/conform.h"

enum { MIXED_CALLS = 400, NO_TIME_MS = 2000 };
static const char config[] = "localhost\\Check CA";

static void send_line(const struct chy_conform *c, char what, const char *check, const char *text)
{
    char line[1200];
    int n = snprintf(line, sizeof(line), "%c\t%s\t%s", what, check, text);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    for (size_t i = 2 + strlen(check) + 1; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = ' ';
    }
    line[len] = '\n';
    while (write(c->report, line, len + 1) < 0 && errno == EINTR) {
    }
}

void chy_conform_begin(const struct chy_conform *c, const char *check)
{
    send_line(c, 'B', check, "");
}

void chy_conform_tell(const struct chy_conform *c, enum chy_finding_kind kind, const char *check,
                      const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    send_line(c, (char)kind, check, text);
}

/* ---- before it is started ---- */

static void check_classes(struct chy_conform *c)
{
    chy_object o = {NULL, NULL};
    const chy_module_info *info = c->instance->library->info;
    chy_conform_begin(c, "classes");
    chy_hresult hr = info->create(&c->instance->host, "No.Such.Class", &o);
    if (CHY_FAILED(hr)) {
        chy_conform_tell(c, CHY_FINDING_PASSED, "classes", "a class that it has not is refused");
        return;
    }
    chy_object_discard(&o);
    chy_conform_tell(c, CHY_FINDING_FAILED, "classes",
                     "it makes an object of a class that it has not (No.Such.Class): answer "
                     "REGDB_E_CLASSNOTREG");
}

static chy_hresult initialize(struct chy_conform *c, struct chy_err *err)
{
    atomic_fetch_add(&c->active, 1);
    chy_hresult hr = c->is_policy ? chy_policy_initialize(c->instance, config, err)
                                  : chy_exit_initialize(c->instance, config, &c->events, err);
    atomic_fetch_sub(&c->active, 1);
    return hr;
}

static bool start(struct chy_conform *c)
{
    struct chy_err err = {0};
    chy_conform_begin(c, "start");
    chy_hresult hr = initialize(c, &err);
    if (!CHY_FAILED(hr)) {
        chy_conform_tell(c, CHY_FINDING_PASSED, "start", "Initialize goes well");
        return true;
    }
    chy_conform_tell(
        c, CHY_FINDING_SKIPPED, "start",
        "Initialize answers 0x%08x%s%s: its calls were not tried; give it its settings "
        "with --set NAME=VALUE",
        (unsigned)hr, c->log[0] ? ", saying: " : "", c->log);
    return false;
}

/* ---- calls ---- */

static void check_plain(struct chy_conform *c)
{
    static const char *const did[] = {"fails", "pends", "issues", "denies"};
    chy_conform_begin(c, "call");
    c->files = chy_conform_files();
    atomic_store(&c->mood, CHY_MOOD_KIND);
    struct chy_conform_answer a = chy_conform_call(c, true);
    c->plain = a;
    if (c->is_policy)
        chy_conform_tell(
            c, CHY_FINDING_PASSED, "call", "an ordinary request: it %s%s", did[a.verdict],
            a.verdict == CHY_VERDICT_FAILED ? " (that is no answer to a request)" : "");
    else
        chy_conform_tell(c, CHY_FINDING_PASSED, "call", "an ordinary event: 0x%08x",
                         (unsigned)a.status);
}

/* Context numbers that mean nothing to this call. */
static void check_contexts(struct chy_conform *c)
{
    struct chy_running other;
    struct chy_err err = {0};
    chy_conform_begin(c, "contexts");
    atomic_store(&c->mood, CHY_MOOD_KIND);
    struct chy_instance stranger = {.ms = c->ms,
                                    .name = c->instance->name,
                                    .deadline_ms = c->instance->deadline_ms,
                                    .concurrent = true};
    chy_hresult hr = chy_call_begin(&stranger, c, CHY_ASKER_POLICY, &other, &err);
    chy_long foreign = hr == CHY_S_OK ? other.number : 0;
    const chy_long numbers[] = {foreign, 0, -1, 1, INT32_MAX, INT32_MIN};
    const char *issued = NULL;
    for (size_t i = 0; i < CHY_ARRAY_LEN(numbers); i++) {
        struct chy_conform_answer a = chy_conform_call_with(c, numbers[i]);
        if (a.verdict == CHY_VERDICT_ISSUE)
            issued = i == 0 ? "of another module's call" : "that is none";
    }
    if (hr == CHY_S_OK) (void)chy_call_end(&stranger, &other, CHY_S_OK);
    struct chy_conform_answer stale = chy_conform_call_with(c, foreign);
    if (stale.verdict == CHY_VERDICT_ISSUE) issued = "of a call that is over";
    if (!issued)
        chy_conform_tell(c, CHY_FINDING_PASSED, "contexts",
                         "a context that is over, foreign or none: nothing is issued");
    else
        chy_conform_tell(c, CHY_FINDING_FAILED, "contexts",
                         "it issues on a context %s, of which it can have seen nothing: look at "
                         "what SetContext and the getters answer",
                         issued);
}

/* 0: it does not issue on a setter's failure in this mood. */
static unsigned calls_in(struct chy_conform *c, enum chy_mood mood, unsigned n)
{
    unsigned careless = 0;
    atomic_store(&c->mood, mood);
    for (unsigned i = 0; i < n; i++) {
        struct chy_conform_answer a = chy_conform_call(c, i % 2 == 0);
        careless += a.verdict == CHY_VERDICT_ISSUE && a.setter_failed;
    }
    atomic_store(&c->mood, CHY_MOOD_KIND);
    return careless;
}

static void check_mood(struct chy_conform *c, const char *check, enum chy_mood mood, unsigned n,
                       const char *passed)
{
    chy_conform_begin(c, check);
    unsigned careless = calls_in(c, mood, n);
    if (!careless) {
        chy_conform_tell(c, CHY_FINDING_PASSED, check, "%s", passed);
        return;
    }
    chy_conform_tell(c, CHY_FINDING_FAILED, check,
                     "it issues although a setter failed (%u of %u calls): the certificate would "
                     "not be what it meant; look at what SetCertificateProperty and "
                     "SetCertificateExtension answer",
                     careless, n);
}

static void check_refusals(struct chy_conform *c)
{
    static const chy_hresult ways[] = {
        CHY_E_FAIL,       CHY_E_OUTOFMEMORY, CHY_CERTSRV_E_PROPERTY_EMPTY,
        CHY_E_INVALIDARG, CHY_E_HANDLE,      CHY_S_FALSE};
    unsigned careless = 0;
    chy_conform_begin(c, "refusals");
    for (size_t i = 0; i < CHY_ARRAY_LEN(ways); i++) {
        atomic_store(&c->refusal, ways[i]);
        unsigned n = calls_in(c, CHY_MOOD_REFUSING, 2);
        careless += CHY_FAILED(ways[i]) ? n : 0;
    }
    atomic_store(&c->refusal, CHY_S_OK);
    if (!careless)
        chy_conform_tell(c, CHY_FINDING_PASSED, "refusals",
                         "every callback fails, in six ways: it ends well");
    else
        chy_conform_tell(c, CHY_FINDING_FAILED, "refusals",
                         "it issues although every setter fails: look at what "
                         "SetCertificateProperty and SetCertificateExtension answer");
}

static void check_no_time(struct chy_conform *c)
{
    chy_conform_begin(c, "no-time");
    atomic_store(&c->no_time, true);
    int64_t start_us = chy_monotonic(&chy_system_clock);
    (void)chy_conform_call(c, true);
    int64_t ms = (chy_monotonic(&chy_system_clock) - start_us) / 1000;
    atomic_store(&c->no_time, false);
    if (ms <= NO_TIME_MS)
        chy_conform_tell(c, CHY_FINDING_PASSED, "no-time",
                         "with no time left it is back in %lld ms", (long long)ms);
    else
        chy_conform_tell(c, CHY_FINDING_WARNING, "no-time",
                         "with no time left it takes %lld ms: ask time_left before what takes long",
                         (long long)ms);
}

/* ---- the manage module, and the end ---- */

static void check_manage(struct chy_conform *c)
{
    chy_variant v;
    struct chy_err err = {0};
    chy_conform_begin(c, "manage");
    chy_hresult hr = chy_manage_get_property(c->instance, config, "No Such Property", &v, &err);
    bool unknown_is_false = hr == CHY_S_FALSE;
    chy_variant_clear(&v);
    if (hr == CHY_E_NOINTERFACE) {
        chy_conform_tell(c, CHY_FINDING_SKIPPED, "manage", "it has no manage module");
        return;
    }
    chy_hresult named = chy_manage_get_property(c->instance, config, "Name", &v, &err);
    bool has_name = named == CHY_S_OK && v.vt == CHY_VT_STR && v.u.s.n;
    chy_variant_clear(&v);
    if (unknown_is_false && has_name)
        chy_conform_tell(c, CHY_FINDING_PASSED, "manage",
                         "GetProperty says its name, and S_FALSE to what there is not");
    else
        chy_conform_tell(c, CHY_FINDING_WARNING, "manage", "GetProperty(\"%s\") answers 0x%08x: %s",
                         has_name ? "No Such Property" : "Name", (unsigned)(has_name ? hr : named),
                         has_name ? "S_FALSE is for an unknown name" : "a text is expected");
}

static void check_description(struct chy_conform *c)
{
    struct chy_buf text;
    struct chy_err err = {0};
    chy_conform_begin(c, "description");
    chy_buf_init(&text, 4096);
    chy_hresult hr = chy_instance_description(c->instance, &text, &err);
    bool good = hr == CHY_S_OK && text.n && chy_utf8_valid(chy_buf_span(&text));
    if (good)
        chy_conform_tell(c, CHY_FINDING_PASSED, "description", "%.*s", (int)text.n,
                         (const char *)text.p);
    else
        chy_conform_tell(c, CHY_FINDING_WARNING, "description",
                         "GetDescription gives no text: module list has nothing to show (0x%08x)",
                         (unsigned)hr);
    chy_buf_free(&text);
}

/* ---- the same by name ---- */

static const char *wrong_by_name(struct chy_conform *c)
{
    const chy_object *o = &c->instance->object;
    const chy_variant arg = chy_arg_long(1);
    struct chy_err err = {0};
    chy_variant v = {.vt = CHY_VT_EMPTY};
    if (!CHY_FAILED(chy_late_call(o, "NoSuchMethod", NULL, 0, &v, &err)))
        return "a method that it has not is answered well: DISP_E_UNKNOWNNAME is expected";
    if (!CHY_FAILED(chy_late_call(o, c->is_policy ? "VerifyRequest" : "Notify", &arg, 1, &v, &err)))
        return "too few arguments are answered well: DISP_E_BADPARAMCOUNT is expected";
    if (chy_conform_call(c, true).verdict != c->plain.verdict)
        chy_conform_tell(c, CHY_FINDING_WARNING, "late",
                         "it decides otherwise about the same request when it is called by name");
    return NULL;
}

static chy_hresult open_kind(struct chy_conform *c, enum chy_binding binding, struct chy_err *err)
{
    return c->is_policy ? chy_policy_open(c->ms, c->what->path, NULL, binding, &c->instance, err)
                        : chy_exit_open(c->ms, c->what->path, NULL, binding, &c->instance, err);
}

/* Another object of the class, driven through invoke alone. */
static void check_late(struct chy_conform *c)
{
    struct chy_err err = {0};
    chy_long events = c->events;
    chy_conform_begin(c, "late");
    if (open_kind(c, CHY_BINDING_LATE, &err) != CHY_S_OK) {
        chy_conform_tell(c, CHY_FINDING_SAYS, "late",
                         "it has no invoke: it is called directly alone");
        return;
    }
    chy_hresult hr = initialize(c, &err);
    const char *wrong = CHY_FAILED(hr)        ? "Initialize fails when it is called by name"
                        : events != c->events ? "it asks for other events when it is called by name"
                                              : wrong_by_name(c);
    unsigned careless = CHY_FAILED(hr) ? 0 : calls_in(c, CHY_MOOD_MIXED, MIXED_CALLS / 4);
    if (careless) wrong = "it issues although a setter failed, when it is called by name";
    if (c->is_policy && !CHY_FAILED(hr)) (void)!chy_policy_shut_down(c->instance, &err);
    chy_instance_free(c->instance);
    if (wrong)
        chy_conform_tell(c, CHY_FINDING_FAILED, "late", "%s", wrong);
    else
        chy_conform_tell(c, CHY_FINDING_PASSED, "late",
                         "called by name, through invoke, it does the same");
}

static void check_objects(struct chy_conform *c)
{
    unsigned long made = atomic_load(&c->made), released = atomic_load(&c->released),
                  twice = atomic_load(&c->released_twice), outside = atomic_load(&c->outside);
    chy_conform_begin(c, "objects");
    if (twice)
        chy_conform_tell(c, CHY_FINDING_FAILED, "objects",
                         "callback objects are released twice (%lu times)", twice);
    else if (made > released)
        chy_conform_tell(c, CHY_FINDING_FAILED, "objects",
                         "%lu callback objects were made and %lu given back: call release on what "
                         "new_server_policy and new_server_exit give, also where something fails",
                         made, released);
    else
        chy_conform_tell(c, CHY_FINDING_PASSED, "objects",
                         "all %lu callback objects were given back, each once", made);
    if (outside)
        chy_conform_tell(c, CHY_FINDING_FAILED, "objects",
                         "it asked %lu times while no call ran: callbacks are for the call alone",
                         outside);
}

static void stop(struct chy_conform *c)
{
    struct chy_err err = {0};
    chy_conform_begin(c, "end");
    atomic_fetch_add(&c->active, 1);
    chy_hresult hr = c->is_policy ? chy_policy_shut_down(c->instance, &err) : CHY_S_OK;
    struct chy_conform_answer late = {CHY_VERDICT_FAILED, CHY_S_OK, false};
    atomic_fetch_sub(&c->active, 1);
    if (c->is_policy) late = chy_conform_call(c, true);
    chy_instance_free(c->instance);
    if (CHY_FAILED(hr))
        chy_conform_tell(c, CHY_FINDING_WARNING, "end", "ShutDown answers 0x%08x", (unsigned)hr);
    else if (late.verdict == CHY_VERDICT_ISSUE)
        chy_conform_tell(c, CHY_FINDING_WARNING, "end", "it goes on issuing after ShutDown");
    else
        chy_conform_tell(c, CHY_FINDING_PASSED, "end", "it stops and is released");
}

static void script(struct chy_conform *c)
{
    check_classes(c);
    check_description(c);
    if (start(c)) {
        check_plain(c);
        check_manage(c);
        check_contexts(c);
        check_refusals(c);
        check_mood(c, "huge", CHY_MOOD_HUGE, 4, "texts of 64 KiB, numbers and times at their ends");
        check_mood(c, "odd", CHY_MOOD_ODD, 200,
                   "values of other types, NUL and broken UTF-8 inside of texts");
        check_mood(c, "mixed", CHY_MOOD_MIXED, MIXED_CALLS,
                   "400 calls whose callbacks do as they "
                   "like");
        check_no_time(c);
        chy_conform_threads(c);
        chy_conform_long_run(c);
        stop(c);
        check_late(c);
        check_objects(c);
    } else {
        chy_instance_free(c->instance);
    }
    chy_conform_compare(c);
}

static void expired(void *request, void *arg)
{
    (void)request;
    send_line(arg, 'D', "", "");
    _exit(1);
}

/* A file may hold both kinds. */
void chy_conform_run(struct chy_conform *c)
{
    const struct chy_modules_config modules = {.ops = &chy_conform_ops,
                                               .ca = c,
                                               .clock = &chy_system_clock,
                                               .call_timeout_ms = 10000,
                                               .host = &c->host};
    struct chy_err err = {0};
    chy_conform_host(c);
    if (chy_modules_new(&modules, &c->ms, &err) != CHY_S_OK) return;
    chy_modules_watch(c->ms, &(struct chy_watch){expired, c});
    for (int kind = 0; kind < 2; kind++) {
        chy_err_clear(&err);
        c->is_policy = kind == 0;
        chy_hresult hr = open_kind(c, CHY_BINDING_AUTO, &err);
        if (hr == CHY_S_OK)
            script(c);
        else if (hr != CHY_REGDB_E_CLASSNOTREG)
            chy_conform_tell(c, CHY_FINDING_FAILED, "classes", "%s", err.text);
    }
    chy_modules_free(c->ms);
}
