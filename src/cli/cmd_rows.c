/* Rows of the database: as a list, and one in full. */
#include <string.h>

#include "cli/cli.h"

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static void add_row(struct chy_table *t, struct chy_cli *cli, const cJSON *row, bool certificates)
{
    char id[16], when[32], until[32];
    int64_t n = 0;
    (void)chy_json_int(row, "request_id", &n, NULL);
    snprintf(id, sizeof(id), "%d", (int)n);
    chy_cli_short_time(text_of(row, "submitted_when"), when, sizeof(when));
    chy_cli_short_time(text_of(row, "not_after"), until, sizeof(until));
    const char *state = text_of(row, "disposition"), *subject = text_of(row, "subject");
    if (!subject) subject = text_of(row, "request_subject");
    const char *serial = text_of(row, "serial"), *requester = text_of(row, "requester_name");
    const char *as_request[] = {id, state, when, subject, requester, serial};
    const char *as_certificate[] = {serial, state, until, subject, id};
    chy_table_row(t, certificates ? as_certificate : as_request, chy_cli_color(cli, state));
}

int chy_cmd_list_rows(struct chy_cli *cli, const char *what)
{
    static const char *const request_titles[] = {"ID",        "STATE",  "SUBMITTED", "SUBJECT",
                                                 "REQUESTER", "SERIAL", NULL};
    static const char *const certificate_titles[] = {"SERIAL",  "STATE",   "VALID UNTIL",
                                                     "SUBJECT", "REQUEST", NULL};
    bool certificates = strcmp(what, "certificates") == 0;
    struct chy_buf path;
    cJSON *v = NULL;
    const cJSON *row;
    int64_t after = 0;
    int status = chy_cli_list_path(cli, &path, what);
    if (status == CHY_CLI_DONE)
        status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&path)}, &v);
    struct chy_table *t = status == CHY_CLI_DONE && !cli->json
                              ? chy_table_new(certificates ? certificate_titles : request_titles)
                              : NULL;
    if (t) {
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(v, what))
        {
            add_row(t, cli, row, certificates);
        }
        chy_table_print(t, cli);
        fflush(cli->out);
        if (chy_json_int(v, "after", &after, NULL))
            fprintf(cli->err, "there may be more: --after %d\n", (int)after);
    }
    chy_table_free(t);
    cJSON_Delete(v);
    chy_buf_free(&path);
    return status;
}

static void print_lists(struct chy_cli *cli, const cJSON *row)
{
    const cJSON *e;
    struct chy_buf b;
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(row, "attributes"))
    {
        chy_buf_init(&b, 8192);
        chy_buf_addf(&b, "%s: %s", e->string, cJSON_IsString(e) ? e->valuestring : "");
        chy_cli_print(cli, "attribute", chy_buf_cstr(&b));
        chy_buf_free(&b);
    }
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(row, "extensions"))
    {
        const char *oid = text_of(e, "oid"), *origin = text_of(e, "origin");
        bool critical = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "critical"));
        bool enabled = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "enabled"));
        chy_buf_init(&b, 8192);
        chy_buf_addf(&b, "%s%s%s, from %s", oid ? oid : "?", critical ? ", critical" : "",
                     enabled ? "" : ", disabled", origin ? origin : "?");
        chy_cli_print(cli, "extension", chy_buf_cstr(&b));
        chy_buf_free(&b);
    }
}

static void print_history(struct chy_cli *cli, const cJSON *row)
{
    const cJSON *e;
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(row, "history"))
    {
        const char *state = text_of(e, "disposition"), *reason = text_of(e, "reason_name");
        const char *author = text_of(e, "author");
        char when[32], as_of[32];
        struct chy_buf b;
        chy_cli_short_time(text_of(e, "revoked_when"), when, sizeof(when));
        chy_cli_short_time(text_of(e, "effective_when"), as_of, sizeof(as_of));
        chy_buf_init(&b, 1024);
        chy_buf_addf(&b, "%s %s (%s) by %s", when, state ? state : "?", reason ? reason : "?",
                     author ? author : "?");
        if (*as_of && strcmp(as_of, when) != 0) chy_buf_addf(&b, ", as of %s", as_of);
        chy_cli_print(cli, "history", chy_buf_cstr(&b));
        chy_buf_free(&b);
    }
}

void chy_cmd_print_row(struct chy_cli *cli, const cJSON *row)
{
    static const char *const fields[][2] = {{"request", "request_id"},
                                            {"state", "disposition"},
                                            {"message", "message"},
                                            {"requester", "requester_name"},
                                            {"caller", "caller_name"},
                                            {"profile", "template_name"},
                                            {"asked for", "request_subject"},
                                            {"subject", "subject"},
                                            {"serial", "serial"},
                                            {"revoked reason", "revoked_reason_name"}};
    static const char *const times[][2] = {
        {"submitted", "submitted_when"},     {"resolved", "resolved_when"},
        {"not before", "not_before"},        {"not after", "not_after"},
        {"revoked", "revoked_when"},         {"revoked as of", "revoked_effective_when"},
        {"invalid since", "invalidity_when"}};
    char when[32];
    for (size_t i = 0; i < CHY_ARRAY_LEN(fields); i++)
        chy_cli_print_json(cli, row, fields[i][0], fields[i][1]);
    for (size_t i = 0; i < CHY_ARRAY_LEN(times); i++) {
        chy_cli_short_time(text_of(row, times[i][1]), when, sizeof(when));
        chy_cli_print(cli, times[i][0], when);
    }
    print_history(cli, row);
    print_lists(cli, row);
    const char *pem = text_of(row, "certificate");
    if (pem) fputs(pem, cli->out);
}
