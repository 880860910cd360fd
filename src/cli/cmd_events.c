/* `chancery module events`, `replay`, `pause` and `resume`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/sys.h"
#include "base/text.h"
#include "cli/cli.h"

enum { SLICE = 5000, SAY_EVERY_S = 2 };

static void module_path(struct chy_cli *cli, struct chy_buf *b, const char *rest)
{
    chy_cli_path(cli, b);
    chy_buf_add_str(b, "/modules/");
    chy_path_add(b, cli->word[0]);
    chy_buf_add_str(b, rest);
}

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : "";
}

static void event_row(struct chy_table *t, struct chy_cli *cli, const cJSON *e)
{
    char occurred[32], next[32], attempts[24], request[24];
    int64_t n = 0;
    chy_cli_short_time(text_of(e, "occurred"), occurred, sizeof(occurred));
    chy_cli_short_time(text_of(e, "next_try"), next, sizeof(next));
    (void)chy_json_int(e, "attempts", &n, NULL);
    snprintf(attempts, sizeof(attempts), "%lld", (long long)n);
    n = 0;
    (void)chy_json_int(e, "request_id", &n, NULL);
    snprintf(request, sizeof(request), "%lld", (long long)n);
    const char *state = text_of(e, "state");
    const char *cells[] = {text_of(e, "module"),
                           occurred,
                           text_of(e, "event"),
                           n ? request : "",
                           state,
                           attempts,
                           next,
                           text_of(e, "error")};
    chy_table_row(t, cells,
                  chy_cli_color(cli, strcmp(state, "failed") == 0     ? "failed"
                                     : strcmp(state, "retrying") == 0 ? "pending"
                                                                      : ""));
}

int chy_cmd_module_events(struct chy_cli *cli)
{
    static const char *const titles[] = {"MODULE", "OCCURRED", "EVENT", "REQUEST", "STATE",
                                         "TRIES",  "NEXT TRY", "ERROR", NULL};
    const char *limit = chy_cli_value(cli, "limit");
    long n = 100;
    cJSON *v = NULL;
    const cJSON *e;
    struct chy_buf b;
    if (limit && !chy_cli_number(limit, 1, 1000, &n))
        return chy_cli_usage(cli, "--limit: 1 to 1000 is expected");
    if (cli->n_words) {
        module_path(cli, &b, "/events");
    } else {
        chy_cli_path(cli, &b);
        chy_buf_add_str(&b, "/events");
    }
    chy_buf_addf(&b, "?limit=%ld%s", n, chy_cli_flag(cli, "failed") ? "&failed=1" : "");
    int status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    chy_buf_free(&b);
    struct chy_table *t = status == CHY_CLI_DONE && !cli->json ? chy_table_new(titles) : NULL;
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(v, "events"))
    {
        event_row(t, cli, e);
    }
    if (t && !chy_table_rows(t))
        fprintf(cli->err, "chancery: %s is owed nothing%s\n",
                cli->n_words ? cli->word[0] : "no module",
                chy_cli_flag(cli, "failed") ? " that failed" : "");
    else
        chy_table_print(t, cli);
    if (t && cJSON_HasObjectItem(v, "after"))
        fprintf(cli->err, "chancery: there are more; --limit N shows up to 1000\n");
    chy_table_free(t);
    cJSON_Delete(v);
    return status;
}

/* ---- replay ---- */
struct replay {
    struct chy_cli *cli;
    struct chy_buf path;
    int64_t owed, after, said; /* said: monotonic */
    bool on_terminal;
};

static cJSON *what(struct chy_cli *cli)
{
    char when[40];
    chy_time from;
    const char *since = chy_cli_value(cli, "since"), *request = chy_cli_value(cli, "request");
    long id = 0;
    int ways = (since != NULL) + (request != NULL) + chy_cli_flag(cli, "failed");
    if (ways != 1 || (request && !chy_cli_number(request, 1, INT32_MAX, &id))) {
        chy_cli_usage(cli, "one of --failed, --request ID and --since T is expected");
        return NULL;
    }
    if (since && !chy_cli_since(since, chy_now(&chy_system_clock), &from)) {
        chy_cli_usage(cli, "--since %.32s: 30d, 12h, 90m, 2w, or a time is expected", since);
        return NULL;
    }
    cJSON *body = cJSON_CreateObject();
    if (since) chy_time_format(when, from);
    if (since) cJSON_AddStringToObject(body, "since", when);
    if (request) cJSON_AddNumberToObject(body, "request_id", (double)id);
    if (chy_cli_flag(cli, "failed")) cJSON_AddBoolToObject(body, "failed", true);
    return body;
}

static int slice(struct replay *r)
{
    cJSON *body = what(r->cli), *v = NULL;
    int64_t owed = 0, after = 0;
    if (!body) return CHY_CLI_USAGE;
    cJSON_AddNumberToObject(body, "after", (double)r->after);
    cJSON_AddNumberToObject(body, "limit", SLICE);
    char *json = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (!json) return CHY_CLI_OTHER;
    struct chy_ask call = {.method = "POST",
                           .path = chy_buf_cstr(&r->path),
                           .content_type = "application/json",
                           .body = chy_span_cstr(json),
                           .timeout_ms = CHY_ASK_LONG_MS};
    int status = chy_cli_get_quietly(r->cli, &call, &v);
    (void)chy_json_int(v, "owed", &owed, NULL);
    (void)chy_json_int(v, "after", &after, NULL);
    cJSON_Delete(v);
    cJSON_free(json);
    r->owed += owed;
    /* A daemon that does not get on would be asked for ever. */
    r->after = after > r->after ? after : 0;
    return status;
}

static void progress(struct replay *r)
{
    int64_t now = chy_monotonic(&chy_system_clock);
    if (r->cli->json || (!r->on_terminal && now - r->said < SAY_EVERY_S * CHY_US_PER_S)) return;
    fprintf(r->cli->err, "%s%lld events owed again%s", r->on_terminal ? "\r" : "",
            (long long)r->owed, r->on_terminal ? "   " : "\n");
    fflush(r->cli->err);
    r->said = now;
}

int chy_cmd_module_replay(struct chy_cli *cli)
{
    int err = fileno(cli->err), status;
    struct replay r = {.cli = cli,
                       .said = chy_monotonic(&chy_system_clock),
                       .on_terminal = err >= 0 && isatty(err)};
    module_path(cli, &r.path, "/replay");
    do {
        status = slice(&r);
        if (status == CHY_CLI_DONE && r.after) progress(&r);
    } while (status == CHY_CLI_DONE && r.after);
    chy_buf_free(&r.path);
    if (status != CHY_CLI_DONE) return status;
    if (cli->json)
        fprintf(cli->out, "{\"owed\":%lld}\n", (long long)r.owed);
    else
        fprintf(cli->out, "%s%s will be told of %lld event%s\n", r.on_terminal ? "\r" : "",
                cli->word[0], (long long)r.owed, r.owed == 1 ? "" : "s");
    return CHY_CLI_DONE;
}

/* ---- pause and resume: a setting, so that it outlives the daemon and stands in its history ----
 */
/* The setting can be made for any name; of one that no exit module has nobody would hear. */
static int find_exit(struct chy_cli *cli)
{
    struct chy_buf b;
    cJSON *v = NULL;
    module_path(cli, &b, "/events?limit=1");
    int status = chy_cli_get_quietly(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    chy_buf_free(&b);
    cJSON_Delete(v);
    return status;
}

static int set_paused(struct chy_cli *cli, bool paused)
{
    const char *body = paused ? "{\"value\":1}" : "{\"value\":0}";
    struct chy_buf b;
    cJSON *v = NULL;
    int status = find_exit(cli);
    if (status != CHY_CLI_DONE) return status;
    chy_cli_path(cli, &b);
    chy_buf_add_str(&b, "/config/Modules/");
    chy_path_add(&b, cli->word[0]);
    chy_buf_add_str(&b, "/Paused");
    status = chy_cli_get(cli,
                         &(struct chy_ask){.method = "PUT",
                                           .path = chy_buf_cstr(&b),
                                           .content_type = "application/json",
                                           .body = chy_span_cstr(body)},
                         &v);
    chy_buf_free(&b);
    cJSON_Delete(v);
    if (status == CHY_CLI_DONE && !cli->json)
        fprintf(cli->out,
                paused ? "%s is paused: its events wait\n" : "%s goes on with its events\n",
                cli->word[0]);
    return status;
}

int chy_cmd_module_pause(struct chy_cli *cli)
{
    return set_paused(cli, true);
}

int chy_cmd_module_resume(struct chy_cli *cli)
{
    return set_paused(cli, false);
}
