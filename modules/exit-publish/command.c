/* The command that is run after something was published. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/process.h"
#include "publish.h"

enum { VARIABLES = 12, LIST_TEXT = 100000, OUTPUT_MAX = 65536, MARGIN_MS = 1000, LEAST_MS = 100 };

struct variables {
    const char *list[VARIABLES + 1];
    size_t n;
    bool failed;
};

static void add(struct variables *v, const char *name, const char *value, size_t len)
{
    char *p = v->n < VARIABLES ? malloc(strlen(name) + len + 2) : NULL;
    if (!p) {
        v->failed = true;
        return;
    }
    snprintf(p, strlen(name) + len + 2, "%s=%.*s", name, (int)len, value);
    v->list[v->n++] = p;
}

static void add_text(struct variables *v, const char *name, const char *value)
{
    add(v, name, value, strlen(value));
}

static void add_number(struct variables *v, const char *name, long long value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", value);
    add_text(v, name, text);
}

/* Whole lines, and no more than the kernel takes in one string. */
static void add_files(struct variables *v, const char *name, const struct kit_text *files)
{
    size_t n = files->n;
    if (n > LIST_TEXT) n = LIST_TEXT;
    while (n && files->p[n - 1] != '\n')
        n--;
    add(v, name, files->p ? files->p : "", n ? n - 1 : 0);
}

static size_t lines(const struct kit_text *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += t->p[i] == '\n';
    return n;
}

static void add_property(struct variables *v, const struct job *j, bool of_request,
                         const char *property, const char *name)
{
    chy_variant value = chy_variant_empty();
    char text[1024] = "";
    const chy_server_exit_vtbl *vt = j->cb.vt;
    chy_hresult hr =
        of_request
            ? vt->get_request_property(j->cb.self, property, CHY_PROPTYPE_STRING, &value)
            : vt->get_certificate_property(j->cb.self, property, CHY_PROPTYPE_STRING, &value);
    if (!CHY_FAILED(hr)) (void)chy_variant_take_text(j->host, &value, text, sizeof text);
    if (text[0]) add_text(v, name, text);
}

static const char *event_name(const struct job *j)
{
    return !j->context                                    ? "crlissued"
           : j->event & CHY_EXITEVENT_CERTISSUED          ? "certissued"
           : j->event & CHY_EXITEVENT_CERTREVOKED         ? "certrevoked"
           : j->event & CHY_EXITEVENT_CERTIMPORTED        ? "certimported"
           : j->event & CHY_EXITEVENT_CERTRETRIEVEPENDING ? "certretrievepending"
                                                          : "other";
}

static void add_all(struct variables *v, const struct job *j)
{
    add_text(v, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    add_text(v, "LANG", "C.UTF-8");
    add_text(v, "CHANCERY_EVENT", event_name(j));
    add_property(v, j, j->context != 0, "EventID", "CHANCERY_EVENT_ID");
    add_property(v, j, false, "SanitizedCAName", "CHANCERY_CA");
    if (j->context) add_number(v, "CHANCERY_REQUEST_ID", j->request_id);
    if (j->context) add_property(v, j, false, "SerialNumber", "CHANCERY_SERIAL");
    add_number(v, "CHANCERY_FILE_COUNT", (long long)lines(&j->files));
    add_files(v, "CHANCERY_FILES", &j->files);
    add_files(v, "CHANCERY_REMOVED", &j->removed);
}

static int time_for(const struct job *j)
{
    chy_long left = INT32_MAX;
    long long most = j->s->command_seconds * 1000LL;
    if (CHY_FAILED(j->host->vt->time_left(j->host->self, &left))) left = INT32_MAX;
    return left - MARGIN_MS < most ? left - MARGIN_MS : (int)most;
}

static chy_hresult failed(const struct job *j, const char *how)
{
    char text[600];
    snprintf(text, sizeof text, "exit-publish: PostPublishCommand %.200s %s", j->s->command[0],
             how);
    j->host->vt->log(j->host->self, CHY_LOG_ERROR, text);
    return CHY_E_FAIL;
}

static chy_hresult run(const struct job *j, const struct variables *v)
{
    struct kit_text output = {.n = 0};
    struct kit_ended end;
    char how[400];
    union {
        char *const *in;
        const char *const *out;
    } argv = {.in = j->s->command};
    struct kit_process p = {.argv = argv.out,
                            .environment = v->list,
                            .timeout_ms = time_for(j),
                            .output_max = OUTPUT_MAX};
    if (p.timeout_ms < LEAST_MS) return failed(j, "had no time left: it is run with the next try");
    bool ok = kit_process_run(&p, &output, &end);
    kit_process_text(&end, &output, how, sizeof how);
    kit_text_free(&output);
    return ok ? CHY_S_OK : failed(j, how);
}

chy_hresult command_run(struct job *j)
{
    struct variables v = {.n = 0};
    if (!j->s->command[0] || !(j->files.n || j->removed.n)) return CHY_S_OK;
    add_all(&v, j);
    bool no_memory = v.failed || j->files.failed || j->removed.failed;
    chy_hresult hr = no_memory ? CHY_E_OUTOFMEMORY : run(j, &v);
    for (size_t i = 0; i < v.n; i++) {
        union {
            const char *in;
            void *out;
        } u = {.in = v.list[i]};
        free(u.out);
    }
    return hr;
}
