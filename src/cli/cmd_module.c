/* Verbs of `chancery module`. */
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

static int get_modules(struct chy_cli *cli, cJSON **out)
{
    struct chy_buf b;
    chy_cli_path(cli, &b);
    chy_buf_add_str(&b, "/modules");
    int status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, out);
    chy_buf_free(&b);
    return status;
}

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : "";
}

static const char *state_of(const cJSON *m)
{
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(m, "loaded"))) return "broken";
    bool stuck = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(m, "quarantined"));
    const char *state = text_of(m, "state");
    if (strcmp(state, "restarting") == 0) return "restarting";
    return stuck ? "quarantined" : "loaded";
}

int chy_cmd_module_list(struct chy_cli *cli)
{
    static const char *const titles[] = {"NAME",  "KIND",     "STATE",       "VERSION",
                                         "CALLS", "FAILURES", "DESCRIPTION", NULL};
    cJSON *v = NULL;
    const cJSON *m;
    int status = get_modules(cli, &v);
    struct chy_table *t = status == CHY_CLI_DONE && !cli->json ? chy_table_new(titles) : NULL;
    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(v, "modules"))
    {
        char calls[32] = "", failures[32] = "";
        int64_t n = 0;
        if (chy_json_int(m, "calls", &n, NULL))
            snprintf(calls, sizeof(calls), "%lld", (long long)n);
        if (chy_json_int(m, "failures", &n, NULL))
            snprintf(failures, sizeof(failures), "%lld", (long long)n);
        const char *state = state_of(m), *error = text_of(m, "error");
        bool good = strcmp(state, "loaded") == 0;
        const char *cells[] = {text_of(m, "name"),
                               text_of(m, "kind"),
                               state,
                               text_of(m, "version"),
                               calls,
                               failures,
                               *error ? error : text_of(m, "description")};
        chy_table_row(t, cells, chy_cli_color(cli, good ? "issued" : "failed"));
    }
    chy_table_print(t, cli);
    chy_table_free(t);
    cJSON_Delete(v);
    return status;
}

static void print_module(struct chy_cli *cli, const cJSON *m)
{
    static const char *const fields[][2] = {{"name", "name"},
                                            {"kind", "kind"},
                                            {"class", "class"},
                                            {"version", "version"},
                                            {"description", "description"},
                                            {"error", "error"},
                                            {"path", "path"},
                                            {"sha256", "sha256"},
                                            {"binding", "binding"},
                                            {"concurrent", "concurrent"},
                                            {"event mask", "event_mask"},
                                            {"paused", "paused"},
                                            {"synchronous", "synchronous"},
                                            {"delivered", "events_delivered"},
                                            {"waiting", "events_waiting"},
                                            {"retrying", "events_retrying"},
                                            {"given up", "events_failed"},
                                            {"lag s", "lag_seconds"},
                                            {"calls", "calls"},
                                            {"failures", "failures"},
                                            {"busy us", "busy_us"},
                                            {"host", "host"},
                                            {"pid", "pid"},
                                            {"confined by", "confined"},
                                            {"restarts", "restarts"},
                                            {"ended at deadline", "deadline_kills"},
                                            {"last end", "last_end"}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(fields); i++)
        chy_cli_print_json(cli, m, fields[i][0], fields[i][1]);
    chy_cli_print(cli, "state", state_of(m));
}

int chy_cmd_module_show(struct chy_cli *cli)
{
    cJSON *v = NULL;
    const cJSON *m, *found = NULL;
    struct chy_err err = {0};
    bool json = cli->json;
    cli->json = false; /* the list is asked for, one of it is answered */
    int status = get_modules(cli, &v);
    cli->json = json;
    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(v, "modules"))
    {
        if (!found && strcasecmp(text_of(m, "name"), cli->word[0]) == 0) found = m;
    }
    if (found && json) {
        char *text = cJSON_PrintUnformatted(found);
        fprintf(cli->out, "%s\n", text ? text : "");
        cJSON_free(text);
    } else if (found) {
        print_module(cli, found);
    } else if (status == CHY_CLI_DONE) {
        chy_fail(&err, CHY_ERROR_FILE_NOT_FOUND,
                 "module \"%.64s\": the CA has none of that name; see chancery module list",
                 cli->word[0]);
        status = chy_cli_fail(cli, &err);
    }
    cJSON_Delete(v);
    return status;
}

int chy_cmd_module_reload(struct chy_cli *cli)
{
    cJSON *v = NULL;
    struct chy_buf b;
    chy_cli_path(cli, &b);
    chy_buf_add_str(&b, "/modules/");
    chy_path_add(&b, cli->word[0]);
    chy_buf_add_str(&b, "/reload");
    struct chy_ask ask = {.method = "POST", .path = chy_buf_cstr(&b)};
    int status = chy_cli_get(cli, &ask, &v);
    chy_buf_free(&b);
    if (status == CHY_CLI_DONE && !cli->json) {
        bool code = strcmp(text_of(v, "reloaded"), "code") == 0;
        fprintf(cli->out, "%s: %s\n", cli->word[0],
                code ? "its file as it is now, in a new process"
                     : "its settings; new code needs Host = process, or a restart");
        chy_cli_print_json(cli, v, "version", "version");
        chy_cli_print_json(cli, v, "sha256", "sha256");
    }
    cJSON_Delete(v);
    return status;
}
