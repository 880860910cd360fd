/* Verbs of `chancery config`. */
#include <string.h>

#include "cli/cli.h"

enum { VALUE_MAX = 128 << 10 };

/* A path's slashes stay; what is between them is encoded. */
static void setting_path(struct chy_cli *cli, struct chy_buf *b)
{
    const char *p = cli->word[0];
    chy_cli_path(cli, b);
    chy_buf_add_str(b, "/config/");
    while (*p) {
        char part[256];
        size_t n = strcspn(p, "/");
        snprintf(part, sizeof(part), "%.*s", (int)(n < sizeof(part) ? n : sizeof(part) - 1), p);
        chy_path_add(b, part);
        p += n;
        if (*p == '/') chy_buf_add_byte(b, (uint8_t)*p++);
    }
}

static char *value_text(const cJSON *setting)
{
    return cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(setting, "value"));
}

int chy_cmd_config_get(struct chy_cli *cli)
{
    struct chy_buf b;
    cJSON *v = NULL;
    setting_path(cli, &b);
    int status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    if (status == CHY_CLI_DONE && !cli->json) {
        char *text = value_text(v);
        fprintf(cli->out, "%s\n", text ? text : "");
        cJSON_free(text);
    }
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}

int chy_cmd_config_set(struct chy_cli *cli)
{
    struct chy_buf path, body;
    struct chy_json j;
    cJSON *value = NULL, *v = NULL;
    const char *text = cli->word[1];
    bool json = chy_json_parse(chy_span_cstr(text), VALUE_MAX, &value, NULL) == CHY_S_OK;
    setting_path(cli, &path);
    chy_buf_init(&body, 2 * VALUE_MAX);
    chy_json_begin(&j, &body);
    chy_json_object(&j, NULL);
    if (json) {
        chy_json_add_raw(&j, "value", text);
    } else {
        chy_json_add_str(&j, "value", text);
    }
    chy_json_end(&j, '}');
    struct chy_ask ask = {.method = "PUT",
                          .path = chy_buf_cstr(&path),
                          .content_type = "application/json",
                          .body = chy_buf_span(&body)};
    int status = chy_cli_get(cli, &ask, &v);
    if (status == CHY_CLI_DONE && !cli->json) {
        char *now = value_text(v);
        fprintf(cli->out, "%s = %s\n", cli->word[0], now ? now : "");
        cJSON_free(now);
    }
    cJSON_Delete(v);
    cJSON_Delete(value);
    chy_buf_free(&path);
    chy_buf_free(&body);
    return status;
}

int chy_cmd_config_list(struct chy_cli *cli)
{
    static const char *const titles[] = {"", "SETTING", "VALUE", NULL};
    struct chy_buf b;
    cJSON *v = NULL;
    const cJSON *s;
    bool any = false;
    chy_cli_path(cli, &b);
    chy_buf_add_str(&b, "/config");
    chy_path_query(&b, &any, "prefix", cli->n_words ? cli->word[0] : NULL);
    int status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    struct chy_table *t = status == CHY_CLI_DONE && !cli->json ? chy_table_new(titles) : NULL;
    cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(v, "settings"))
    {
        char *value = value_text(s);
        const cJSON *path = cJSON_GetObjectItemCaseSensitive(s, "path");
        bool set = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(s, "set"));
        const char *cells[] = {set ? "*" : "", cJSON_IsString(path) ? path->valuestring : "",
                               value};
        chy_table_row(t, cells, "");
        cJSON_free(value);
    }
    chy_table_print(t, cli);
    chy_table_free(t);
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}
