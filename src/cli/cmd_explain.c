/* chancery request explain: the story of one request. */
#include <string.h>

#include "cli/cli.h"
#include "cli/decision.h"

static void print_asked(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(v, "request");
    const cJSON *asked = cJSON_GetObjectItemCaseSensitive(v, "asked"), *e;
    const char *who = chy_cli_text_of(row, "requester_name");
    const char *subject = chy_cli_text_of(asked, "subject"), *key = chy_cli_text_of(asked, "key");
    const char *attributes = chy_cli_text_of(asked, "attributes");
    struct chy_buf b;
    chy_buf_init(&b, 1 << 20);
    chy_cli_add_moment(&b, row, "submitted_when");
    chy_buf_addf(&b, "  %s asked", who && *who ? who : "somebody");
    chy_cli_line(cli, 0, &b);
    chy_buf_addf(&b, "for %s, with a %s key", subject && *subject ? subject : "no subject",
                 key ? key : "?");
    chy_cli_line(cli, 4, &b);
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(asked, "extensions"))
    {
        const char *name = chy_cli_text_of(e, "name"), *text = chy_cli_text_of(e, "text");
        chy_buf_addf(&b, "%s: %s", name ? name : "?", text ? text : "?");
        chy_cli_line(cli, 4, &b);
    }
    for (const char *p = attributes; p && *p;) {
        size_t n = strcspn(p, "\r\n");
        chy_buf_addf(&b, "attribute %.*s", (int)n, p);
        if (n) chy_cli_line(cli, 4, &b);
        chy_buf_reset(&b);
        p += n + strspn(p + n, "\r\n");
    }
    chy_buf_free(&b);
}

static void print_history(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *e;
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(v, "history"))
    {
        const char *state = chy_cli_text_of(e, "disposition"), *by = chy_cli_text_of(e, "author");
        const char *reason = chy_cli_text_of(e, "reason_name");
        chy_cli_add_moment(&b, e, "revoked_when");
        chy_buf_addf(&b, "  %s: %s (%s)", by ? by : "somebody", state ? state : "?",
                     reason ? reason : "?");
        chy_cli_line(cli, 0, &b);
    }
    chy_buf_free(&b);
}

/* What was delivered is crossed off: that nothing is owed is all that is known of it. */
static void print_owed(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *owed = cJSON_GetObjectItemCaseSensitive(v, "owed"), *e;
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    cJSON_ArrayForEach(e, owed)
    {
        const char *module = chy_cli_text_of(e, "module"), *name = chy_cli_text_of(e, "event");
        const char *state = chy_cli_text_of(e, "state"), *error = chy_cli_text_of(e, "error");
        int64_t n = 0;
        (void)chy_json_int(e, "attempts", &n, NULL);
        chy_buf_addf(&b, "%s is owed %s of ", module ? module : "?", name ? name : "?");
        chy_cli_add_moment(&b, e, "occurred");
        chy_buf_addf(&b, ": %s", state ? state : "?");
        if (n) chy_buf_addf(&b, " after %lld attempts", (long long)n);
        if (error && *error) chy_buf_addf(&b, ": %s", error);
        chy_cli_line(cli, 0, &b);
    }
    if (owed && cJSON_GetArraySize(owed) == 0)
        fprintf(cli->out, "no exit module is owed an event of it\n");
    chy_buf_free(&b);
}

static void print_end(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(v, "request");
    const char *state = chy_cli_text_of(row, "disposition"),
               *serial = chy_cli_text_of(row, "serial");
    const char *subject = chy_cli_text_of(row, "subject");
    int64_t id = 0;
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    (void)chy_json_int(row, "request_id", &id, NULL);
    fprintf(cli->out, "request %d is %s%s%s", (int)id, chy_cli_color(cli, state),
            state ? state : "?", chy_cli_color_end(cli));
    if (serial && *serial) {
        chy_buf_addf(&b, ": serial %s, %s, ", serial, subject && *subject ? subject : "no subject");
        chy_cli_add_moment(&b, row, "not_before");
        chy_buf_add_str(&b, " to ");
        chy_cli_add_moment(&b, row, "not_after");
    }
    chy_cli_line(cli, 0, &b);
    chy_buf_free(&b);
}

static void print_story(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *decisions = cJSON_GetObjectItemCaseSensitive(v, "decisions"), *d;
    print_asked(cli, v);
    cJSON_ArrayForEach(d, decisions)
    {
        chy_cli_print_decision(cli, d);
    }
    if (cJSON_GetArraySize(decisions) == 0)
        fprintf(cli->out, "how it was decided was not recorded: an older chanceryd did it\n");
    print_history(cli, v);
    print_owed(cli, v);
    print_end(cli, v);
}

int chy_cmd_request_explain(struct chy_cli *cli)
{
    struct chy_buf b;
    cJSON *v = NULL;
    int status = CHY_CLI_DONE;
    if (!chy_cmd_id_path(cli, &b, "/evidence", &status)) return status;
    status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    if (status == CHY_CLI_DONE && !cli->json) print_story(cli, v);
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}
