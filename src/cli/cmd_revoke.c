/* Revoking and releasing one certificate; cmd_revoke_many.c has those of a condition. */
#include <string.h>

#include "cli/cli.h"

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

bool chy_cmd_serial_path(struct chy_cli *cli, struct chy_buf *b, const char *rest)
{
    const char *serial = cli->word[0];
    size_t n = strlen(serial);
    if (!n || n % 2 || strspn(serial, "0123456789abcdefABCDEF") != n) {
        chy_cli_usage(cli,
                      "serial number \"%.64s\": an even number of hexadecimal digits is expected",
                      serial);
        return false;
    }
    chy_cli_path(cli, b);
    chy_buf_add_str(b, "/certificates/");
    chy_path_add(b, serial);
    chy_buf_add_str(b, rest);
    return true;
}

void chy_cmd_add_revocation(struct chy_cli *cli, cJSON *body)
{
    static const char *const names[][2] = {
        {"reason", "reason"}, {"date", "effective_when"}, {"invalidity", "invalidity_when"}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        const char *value = chy_cli_value(cli, names[i][0]);
        if (value) cJSON_AddStringToObject(body, names[i][1], value);
    }
}

static void say(struct chy_cli *cli, const cJSON *v)
{
    const char *state = text_of(v, "disposition"), *reason = text_of(v, "revoked_reason_name");
    const char *as_of = text_of(v, "revoked_effective_when"), *serial = text_of(v, "serial");
    const cJSON *kept = cJSON_GetObjectItemCaseSensitive(v, "kept_after_expiry");
    char when[32];
    chy_cli_short_time(as_of, when, sizeof(when));
    fprintf(cli->out, "certificate %s: %s%s%s", serial ? serial : cli->word[0],
            chy_cli_color(cli, state), state ? state : "unknown", chy_cli_color_end(cli));
    if (reason) fprintf(cli->out, ", %s", reason);
    if (as_of) fprintf(cli->out, ", as of %s", when);
    if (kept)
        fprintf(cli->out, ", %s CRLs after it has expired",
                cJSON_IsTrue(kept) ? "stays on" : "leaves");
    fprintf(cli->out, "\n");
}

static int change(struct chy_cli *cli, const char *rest, cJSON *body)
{
    struct chy_buf path;
    cJSON *v = NULL;
    char *json = cJSON_PrintUnformatted(body);
    int status = CHY_CLI_USAGE;
    if (json && chy_cmd_serial_path(cli, &path, rest)) {
        struct chy_ask ask = {.method = "POST",
                              .path = chy_buf_cstr(&path),
                              .content_type = "application/json",
                              .body = chy_span_cstr(json)};
        status = chy_cli_get(cli, &ask, &v);
        if (status == CHY_CLI_DONE && !cli->json) say(cli, v);
        chy_buf_free(&path);
    }
    cJSON_free(json);
    cJSON_Delete(v);
    cJSON_Delete(body);
    return status;
}

int chy_cmd_cert_revoke(struct chy_cli *cli)
{
    bool many = chy_cli_value(cli, "where") != NULL;
    if (many == (cli->n_words != 0))
        return chy_cli_usage(cli, "cert revoke: either SERIAL or --where EXPR is expected");
    if (many) return chy_cmd_revoke_many(cli);
    if (chy_cli_flag(cli, "dry-run"))
        return chy_cli_usage(cli, "cert revoke: --dry-run goes with --where");
    cJSON *body = cJSON_CreateObject();
    chy_cmd_add_revocation(cli, body);
    return change(cli, "/revoke", body);
}

int chy_cmd_cert_release(struct chy_cli *cli)
{
    return change(cli, "/release", cJSON_CreateObject());
}
