/* How results and failures look. */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "cli/cli.h"

int chy_cli_usage(struct chy_cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(cli->err, "chancery: ");
    vfprintf(cli->err, fmt, ap);
    fprintf(cli->err, "\n");
    va_end(ap);
    return CHY_CLI_USAGE;
}

static const char *remedy_of(int status)
{
    switch (status) {
    case CHY_CLI_NOT_ALLOWED:
        return "act as the daemon's user or root on its socket, or give a --token that may";
    case CHY_CLI_UNREACHABLE:
        return "is chanceryd running? Name it with --socket PATH, or --url URL with --ca-cert FILE";
    default: return NULL;
    }
}

int chy_cli_fail(struct chy_cli *cli, const struct chy_err *err)
{
    struct chy_buf b;
    int status = chy_code_info(err->code)->exit_status;
    if (status == CHY_CLI_DONE) status = CHY_CLI_OTHER;
    chy_buf_init(&b, 8192);
    chy_cli_add_plain(&b, err->text);
    const char *text = chy_buf_cstr(&b), *remedy = remedy_of(status);
    fprintf(cli->err, "chancery: %s\n", text ? text : "not enough memory");
    if (remedy) fprintf(cli->err, "chancery: %s\n", remedy);
    chy_buf_free(&b);
    return status;
}

/* What a requester wrote must not steer the officer's terminal. */
void chy_cli_add_plain(struct chy_buf *b, const char *text)
{
    bool utf8 = chy_utf8_valid(chy_span_cstr(text));
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool c1 = c == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0;
        if (c1) p++;
        bool bad = c < 0x20 || c == 0x7f || c1 || (c >= 0x80 && !utf8);
        chy_buf_add_byte(b, bad ? '?' : c);
    }
}

void chy_cli_print(struct chy_cli *cli, const char *label, const char *value)
{
    struct chy_buf b;
    if (!value || !*value) return;
    chy_buf_init(&b, 1 << 20);
    chy_cli_add_plain(&b, value);
    const char *text = chy_buf_cstr(&b);
    fprintf(cli->out, "%-14s %s\n", label, text ? text : "");
    chy_buf_free(&b);
}

void chy_cli_print_json(struct chy_cli *cli, const cJSON *obj, const char *label, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    char number[32];
    if (cJSON_IsString(v)) {
        chy_cli_print(cli, label, v->valuestring);
    } else if (cJSON_IsNumber(v)) {
        snprintf(number, sizeof(number), "%.0f", v->valuedouble);
        chy_cli_print(cli, label, number);
    } else if (cJSON_IsBool(v)) {
        chy_cli_print(cli, label, cJSON_IsTrue(v) ? "yes" : "no");
    }
}

void chy_cli_short_time(const char *rfc3339, char *out, size_t cap)
{
    if (rfc3339 && strlen(rfc3339) >= 16 && rfc3339[10] == 'T') {
        snprintf(out, cap, "%.10s %.5s", rfc3339, rfc3339 + 11);
    } else {
        snprintf(out, cap, "%s", rfc3339 ? rfc3339 : "");
    }
}

const char *chy_cli_color(const struct chy_cli *cli, const char *disposition)
{
    static const struct {
        const char *name, *color;
    } colors[] = {{"issued", "\033[32m"},
                  {"pending", "\033[33m"},
                  {"denied", "\033[31m"},
                  {"revoked", "\033[31m"},
                  {"failed", "\033[31m"}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(colors) && cli->color && disposition; i++) {
        if (strcmp(colors[i].name, disposition) == 0) return colors[i].color;
    }
    return "";
}

const char *chy_cli_color_end(const struct chy_cli *cli)
{
    return cli->color ? "\033[0m" : "";
}

int chy_cli_write_out(struct chy_cli *cli, const char *path, struct chy_span data, unsigned mode)
{
    struct chy_err err = {0};
    if (!path || strcmp(path, "-") == 0) {
        fwrite(data.p, 1, data.n, cli->out);
        return CHY_CLI_DONE;
    }
    if (chy_file_write(path, data, mode, &err) == CHY_S_OK) return CHY_CLI_DONE;
    return chy_cli_fail(cli, &err);
}
