/* `chancery request export`: a request of the real CA as a play, which chancery-modtest(1) puts
 * before a module again. */
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

enum { PLAY_MAX = 4 << 20 };

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* In quotes, as the language of plays has them. */
static void add_quoted(struct chy_buf *b, const char *text)
{
    chy_buf_add_byte(b, '"');
    for (; *text; text++) {
        if (strchr("\"\\$", *text)) chy_buf_add_byte(b, '\\');
        if (*text == '\n')
            chy_buf_add_str(b, "\\n");
        else
            chy_buf_add_byte(b, (unsigned char)*text < 0x20 ? ' ' : (uint8_t)*text);
    }
    chy_buf_add_byte(b, '"');
}

static void add_line(struct chy_buf *b, const char *word, const char *text)
{
    if (!text) return;
    chy_buf_addf(b, "%s ", word);
    add_quoted(b, text);
    chy_buf_add_byte(b, '\n');
}

/* ---- settings of the policy module that is active now ---- */

static void add_value(struct chy_buf *b, const char *name, const cJSON *v)
{
    const cJSON *item;
    if (cJSON_IsNumber(v) || cJSON_IsBool(v)) {
        chy_buf_addf(b, "setting %s %.0f\n", name,
                     cJSON_IsNumber(v) ? v->valuedouble : (double)cJSON_IsTrue(v));
    } else if (cJSON_IsArray(v)) {
        chy_buf_addf(b, "setting %s[]", name);
        cJSON_ArrayForEach(item, v)
        {
            chy_buf_add_byte(b, ' ');
            add_quoted(b, cJSON_IsString(item) ? item->valuestring : "");
        }
        chy_buf_add_byte(b, '\n');
    } else if (cJSON_IsString(v)) {
        chy_buf_addf(b, "setting %s ", name);
        add_quoted(b, v->valuestring);
        chy_buf_add_byte(b, '\n');
    }
}

static void add_settings(struct chy_buf *b, const cJSON *all)
{
    static const char folder[] = "PolicyModules/";
    const cJSON *s;
    const char *active = NULL;
    cJSON_ArrayForEach(s, all)
    {
        const char *path = text_of(s, "path");
        if (path && strcasecmp(path, "PolicyModules/Active") == 0) active = text_of(s, "value");
    }
    if (!active) return;
    const char *name = strrchr(active, '/') ? strrchr(active, '/') + 1 : active;
    size_t n = strcspn(name, ".");
    chy_buf_addf(b, "# Settings of the policy module %.*s as they are now.\n", (int)n, name);
    cJSON_ArrayForEach(s, all)
    {
        const char *path = text_of(s, "path");
        size_t skip = sizeof(folder) - 1;
        if (!path || strncasecmp(path, folder, skip) != 0) continue;
        if (strncasecmp(path + skip, name, n) != 0 || path[skip + n] != '/') continue;
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(s, "set")))
            add_value(b, path + skip + n + 1, cJSON_GetObjectItemCaseSensitive(s, "value"));
    }
    chy_buf_add_byte(b, '\n');
}

/* Who may not read them gets the play without. */
static void ask_settings(struct chy_cli *cli, struct chy_buf *out)
{
    struct chy_buf path;
    cJSON *v = NULL;
    bool any = false;
    chy_cli_path(cli, &path);
    chy_buf_add_str(&path, "/config");
    chy_path_query(&path, &any, "prefix", "PolicyModules");
    const struct chy_ask ask = {.path = chy_buf_cstr(&path)};
    if (chy_cli_get_quietly(cli, &ask, &v) == CHY_CLI_DONE)
        add_settings(out, cJSON_GetObjectItemCaseSensitive(v, "settings"));
    cJSON_Delete(v);
    chy_buf_free(&path);
}

/* ---- the request, and what became of it ---- */

static void add_request(struct chy_buf *b, const cJSON *row)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(row, "request_id");
    const char *attributes = text_of(row, "request_attributes");
    const char *when = text_of(row, "submitted_when");
    if (when) chy_buf_addf(b, "clock %s\n", when);
    chy_buf_addf(b, "request\nid %.0f\n", cJSON_IsNumber(id) ? id->valuedouble : 1);
    add_line(b, "requester", text_of(row, "requester_name"));
    add_line(b, "caller", text_of(row, "caller_name"));
    while (attributes && *attributes) {
        char line[4300];
        size_t n = strcspn(attributes, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1),
                 attributes);
        if (strchr(line, ':')) add_line(b, "attribute", line);
        attributes += n + (attributes[n] != 0);
    }
    chy_buf_addf(b, "csr\n%s\nverify\n", text_of(row, "request") ? text_of(row, "request") : "");
}

static void add_extensions(struct chy_buf *b, const cJSON *row)
{
    const cJSON *e;
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(row, "extensions"))
    {
        const char *oid = text_of(e, "oid"), *origin = text_of(e, "origin"),
                   *value = text_of(e, "value");
        if (!oid || !origin || !value || strcmp(origin, "policy") != 0) continue;
        bool enabled = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "enabled"));
        bool critical = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "critical"));
        chy_buf_addf(b, "expect extension %s %s", oid,
                     !enabled   ? "disabled"
                     : critical ? "critical"
                                : "uncritical");
        chy_buf_addf(b, enabled ? " hex:%s\n" : "\n", value);
    }
}

static void add_outcome(struct chy_buf *b, const cJSON *row)
{
    const char *disposition = text_of(row, "disposition");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(row, "status");
    unsigned code = cJSON_IsNumber(status) ? (unsigned)(int)status->valuedouble : 0;
    if (!disposition) return;
    if (strcmp(disposition, "issued") == 0 || strcmp(disposition, "revoked") == 0) {
        chy_buf_add_str(b, "expect issue\n");
        add_extensions(b, row);
        add_line(b, "expect property CommonName =", text_of(row, "common_name"));
    } else if (strcmp(disposition, "pending") == 0) {
        chy_buf_add_str(b, "expect pend\n");
    } else if (strcmp(disposition, "denied") == 0) {
        chy_buf_addf(b, "expect deny 0x%08x\n", code);
    } else {
        chy_buf_addf(b, "# The request failed with 0x%08x.\n", code);
    }
}

int chy_cmd_request_export(struct chy_cli *cli)
{
    struct chy_buf path, play;
    cJSON *row = NULL;
    struct chy_err err = {0};
    int status = CHY_CLI_DONE;
    const char *out = chy_cli_value(cli, "out");
    if (!chy_cmd_id_path(cli, &path, "", &status)) return status;
    status = chy_cli_get_quietly(cli, &(struct chy_ask){.path = chy_buf_cstr(&path)}, &row);
    if (status == CHY_CLI_DONE) {
        chy_buf_init(&play, PLAY_MAX);
        chy_buf_addf(&play,
                     "# Request %s, for chancery-modtest: what was asked, and what came of it.\n",
                     cli->word[0]);
        ask_settings(cli, &play);
        add_request(&play, row);
        add_outcome(&play, row);
        if (chy_buf_done(&play, "play", &err) != CHY_S_OK)
            status = chy_cli_fail(cli, &err);
        else
            status = chy_cli_write_out(cli, out, chy_buf_span(&play), 0644);
        chy_buf_free(&play);
    }
    cJSON_Delete(row);
    chy_buf_free(&path);
    return status;
}
