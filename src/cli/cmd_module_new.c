/* `chancery module new`: a folder with a module that builds, and a test that it passes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "cli/cli.h"
#include "cli/templates.h"

enum { NAME_LEN = 32, TEXT_MAX = 64 << 10 };

/* What the templates' @WORDS@ stand for. */
struct words {
    const char *name;
    char class_name[NAME_LEN + 1];
    bool is_policy, is_python;
    char activate[128];
};

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_LEN && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && name[n - 1] != '-';
}

/* "exit-to-ticket" is the class ExitToTicket. */
static void name_class(const char *name, char *out)
{
    bool upper = true;
    for (; *name; name++) {
        if (*name != '-') *out++ = (char)(upper && *name >= 'a' ? *name - ('a' - 'A') : *name);
        upper = *name == '-';
    }
    *out = 0;
}

static const char *value_of(const struct words *w, const char *word, size_t n)
{
    const struct {
        const char *word, *value;
    } table[] = {
        {"NAME", w->name},
        {"CLASS", w->class_name},
        {"FOLDER", w->is_policy ? "PolicyModules" : "ExitModules"},
        {"BRIDGE", w->is_policy ? "policy-exec" : "exit-exec"},
        {"ACTIVATE", w->activate},
        {"SETTING", w->is_policy ? "Domain corp.example" : "File /var/lib/chancery/events"},
        {"CHECK_SETTINGS", w->is_policy ? "" : " --set File=${CMAKE_CURRENT_BINARY_DIR}/events"},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(table); i++) {
        if (strlen(table[i].word) == n && memcmp(table[i].word, word, n) == 0)
            return table[i].value;
    }
    return NULL;
}

static void fill(const struct words *w, struct chy_span text, struct chy_buf *out)
{
    while (text.n) {
        const uint8_t *at = memchr(text.p, '@', text.n);
        size_t plain = at ? (size_t)(at - text.p) : text.n;
        chy_buf_add(out, text.p, plain);
        text = chy_span_of(text.p + plain, text.n - plain);
        if (!at) return;
        const uint8_t *end = memchr(text.p + 1, '@', text.n - 1);
        size_t n = end ? (size_t)(end - text.p) - 1 : 0;
        const char *value = n ? value_of(w, (const char *)text.p + 1, n) : NULL;
        if (value)
            chy_buf_add_str(out, value);
        else
            chy_buf_add_byte(out, '@'); /* of a decorator, not of ours */
        size_t used = value ? n + 2 : 1;
        text = chy_span_of(text.p + used, text.n - used);
    }
}

static chy_hresult write_one(const struct words *w, const char *folder, const char *from,
                             const char *to, struct chy_err *err)
{
    char path[4096];
    struct chy_buf text;
    const struct chy_template *t = NULL;
    for (size_t i = 0; i < chy_n_templates; i++) {
        if (strcmp(chy_templates[i].name, from) == 0) t = &chy_templates[i];
    }
    if (!t) return chy_fail(err, CHY_E_UNEXPECTED, "template %s: it was not built in", from);
    chy_buf_init(&text, TEXT_MAX);
    fill(w, chy_span_of(t->p, t->n), &text);
    snprintf(path, sizeof(path), "%s/%s", folder, to);
    chy_hresult hr = chy_buf_done(&text, from, err);
    if (hr == CHY_S_OK) hr = chy_file_write(path, chy_buf_span(&text), 0644, err);
    chy_buf_free(&text);
    return hr;
}

static chy_hresult write_all(const struct words *w, const char *folder, struct chy_err *err)
{
    const char *kind = w->is_policy ? "policy" : "exit", *lang = w->is_python ? "python" : "c";
    char source[64], play[64], cmake[64], readme[64], file[64];
    snprintf(source, sizeof(source), "%s.%s", kind, w->is_python ? "py" : "c");
    snprintf(play, sizeof(play), "%s%s.play", kind, w->is_python ? ".py" : "");
    snprintf(cmake, sizeof(cmake), "%s.cmake", lang);
    snprintf(readme, sizeof(readme), "%s.md", lang);
    snprintf(file, sizeof(file), "%s.%s", w->name, w->is_python ? "py" : "c");
    chy_hresult hr = write_one(w, folder, source, file, err);
    if (hr == CHY_S_OK) hr = write_one(w, folder, play, "test.play", err);
    if (hr == CHY_S_OK) hr = write_one(w, folder, cmake, "CMakeLists.txt", err);
    return hr == CHY_S_OK ? write_one(w, folder, readme, "README.md", err) : hr;
}

static int read_choice(struct chy_cli *cli, const char *option, const char *first,
                       const char *second, bool *is_second)
{
    const char *v = chy_cli_value(cli, option);
    *is_second = v && strcmp(v, second) == 0;
    if (!v || *is_second || strcmp(v, first) == 0) return CHY_CLI_DONE;
    return chy_cli_usage(cli, "--%s \"%.20s\": %s or %s is expected", option, v, first, second);
}

static void activate(struct words *w)
{
    const char *module = w->is_python ? (w->is_policy ? "policy-exec" : "exit-exec") : w->name;
    if (w->is_policy)
        snprintf(w->activate, sizeof(w->activate), "PolicyModules/Active %s", module);
    else
        snprintf(w->activate, sizeof(w->activate),
                 "ExitModules/Active '[\"exit-publish\", \"%s\"]'", module);
}

int chy_cmd_module_new(struct chy_cli *cli)
{
    struct words w = {.name = cli->word[0]};
    struct chy_err err = {0};
    const char *kind = chy_cli_value(cli, "kind"), *dir = chy_cli_value(cli, "dir");
    bool is_exit = false;
    if (!kind) return chy_cli_usage(cli, "module new: --kind policy or --kind exit is expected");
    int status = read_choice(cli, "kind", "policy", "exit", &is_exit);
    if (status == CHY_CLI_DONE) status = read_choice(cli, "lang", "c", "python", &w.is_python);
    if (status != CHY_CLI_DONE) return status;
    if (!name_ok(w.name))
        return chy_cli_usage(cli,
                             "name \"%.40s\": a letter, then up to 31 of a-z, 0-9 and '-' are "
                             "expected",
                             w.name);
    w.is_policy = !is_exit;
    name_class(w.name, w.class_name);
    activate(&w);
    if (!dir) dir = w.name;
    if (mkdir(dir, 0755) != 0) {
        chy_fail_errno(&err, "folder %.200s", dir);
        return chy_cli_fail(cli, &err);
    }
    if (write_all(&w, dir, &err) != CHY_S_OK) return chy_cli_fail(cli, &err);
    if (cli->json)
        fprintf(cli->out, "{\"name\":\"%s\",\"kind\":\"%s\",\"lang\":\"%s\"}\n", w.name,
                is_exit ? "exit" : "policy", w.is_python ? "python" : "c");
    else
        fprintf(cli->out,
                "%s: a module, its test and how to go on (README.md)\n"
                "next: cd %s && cmake -B build && cmake --build build && ctest --test-dir build\n",
                dir, dir);
    return CHY_CLI_DONE;
}
