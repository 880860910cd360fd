/* chancery policy replay: would another policy module have decided otherwise? */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "ca/evidence_json.h"
#include "ca/replay.h"
#include "cli/cli.h"
#include "cli/decision.h"

enum { LINE_MAX_LEN = 4 << 20, SHOW_EVERY_US = 200000 };

struct tally {
    struct chy_cli *cli;
    bool progress;
    int64_t total, done, same, different, failed, skipped, other_settings;
    int64_t shown; /* monotonic: when the progress was */
    struct chy_buf json;
};

static bool is_ca(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/ca.pem", dir);
    return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0;
}

/* A folder is called as `ca init` makes it of the CA's name. */
static bool is_named(const char *folder, const char *name)
{
    struct chy_buf b;
    chy_buf_init(&b, 512);
    chy_sanitize_short_name(&b, name);
    const char *safe = chy_buf_cstr(&b);
    bool same = strcmp(folder, name) == 0 || (safe && strcmp(folder, safe) == 0);
    chy_buf_free(&b);
    return same;
}

/* The folder of a CA, or that of a daemon, whose CA is named unless it has one only. */
static int find_ca(struct chy_cli *cli, char *out, size_t cap)
{
    const char *dir = chy_cli_value(cli, "dir");
    char path[PATH_MAX];
    unsigned found = 0;
    if (!dir) dir = "/var/lib/chancery";
    snprintf(out, cap, "%s", dir);
    if (is_ca(dir)) return CHY_CLI_DONE;
    snprintf(path, sizeof(path), "%s/ca", dir);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char one[PATH_MAX + 256];
        snprintf(one, sizeof(one), "%s/%s", path, e->d_name);
        if (*e->d_name == '.' || !is_ca(one) || (cli->ca && !is_named(e->d_name, cli->ca)))
            continue;
        snprintf(out, cap, "%s", one);
        found++;
    }
    if (d) closedir(d);
    if (found == 1) return CHY_CLI_DONE;
    return chy_cli_usage(cli,
                         found ? "%s has several CAs: name one with --ca"
                               : "%s is neither the folder of a CA nor that of a daemon with "
                                 "such a CA: name it with --dir",
                         dir);
}

/* NAME=VALUE: JSON, or else a text. */
static int read_set(struct chy_cli *cli, struct chy_replay_options *o, struct chy_buf *text)
{
    const char *one;
    size_t pos = 0, start[CHY_REPLAY_MAX_SET][2];
    while ((one = chy_cli_next(cli, "set", &pos)) != NULL) {
        const char *equals = strchr(one, '=');
        cJSON *v = NULL;
        if (!equals || equals == one)
            return chy_cli_usage(cli, "--set %.64s: NAME=VALUE is expected", one);
        if (o->n_set == CHY_REPLAY_MAX_SET)
            return chy_cli_usage(cli, "--set: at most %d", CHY_REPLAY_MAX_SET);
        start[o->n_set][0] = text->n;
        chy_buf_add(text, one, (size_t)(equals - one));
        chy_buf_add_byte(text, 0);
        start[o->n_set++][1] = text->n;
        if (chy_json_parse(chy_span_cstr(equals + 1), LINE_MAX_LEN, &v, NULL) == CHY_S_OK) {
            chy_buf_add_str(text, equals + 1);
        } else {
            v = cJSON_CreateString(equals + 1);
            char *quoted = cJSON_PrintUnformatted(v);
            chy_buf_add_str(text, quoted ? quoted : "null");
            cJSON_free(quoted);
        }
        chy_buf_add_byte(text, 0);
        cJSON_Delete(v);
    }
    for (size_t i = 0; i < o->n_set && !text->failed; i++) {
        o->set[i].name = (const char *)text->p + start[i][0];
        o->set[i].json = (const char *)text->p + start[i][1];
    }
    return text->failed ? CHY_CLI_OTHER : CHY_CLI_DONE;
}

static void clear_progress(struct tally *t)
{
    if (t->progress) fprintf(t->cli->err, "\r\033[K");
}

static void show_progress(struct tally *t)
{
    int64_t now = chy_monotonic(&chy_system_clock);
    if (!t->progress || now - t->shown < SHOW_EVERY_US) return;
    t->shown = now;
    fprintf(t->cli->err, "\r\033[K%lld of %lld, %lld different", (long long)t->done,
            (long long)t->total, (long long)(t->different + t->failed));
    fflush(t->cli->err);
}

static const char *const outcome_names[] = {"same", "different", "failed", "skipped"};

static void add_result(struct chy_json *j, const struct chy_replay_result *r)
{
    chy_json_object(j, NULL);
    chy_json_add_int(j, "request_id", r->request_id);
    chy_json_add_str(j, "outcome", outcome_names[r->outcome]);
    chy_json_add_str(j, "why", r->outcome == CHY_REPLAY_FAILED ? r->text : r->why);
    if (r->outcome == CHY_REPLAY_DIFFERENT) {
        chy_json_add_bool(j, "other_settings", r->other_settings);
        chy_evidence_json(j, "was", &r->was, r->number, r->decided_when);
        chy_evidence_json(j, "would", &r->would, r->number, r->decided_when);
        chy_changes_json(j, r->diff, r->n_diff);
    }
    chy_json_end(j, '}');
}

static void print_difference(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *was = cJSON_GetObjectItemCaseSensitive(v, "was");
    const cJSON *would = cJSON_GetObjectItemCaseSensitive(v, "would");
    const char *before = chy_cli_text_of(was, "disposition");
    const char *after = chy_cli_text_of(would, "disposition");
    const char *message = chy_cli_text_of(would, "message"), *why = chy_cli_text_of(v, "why");
    int64_t id = 0;
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    (void)chy_json_int(v, "request_id", &id, NULL);
    fprintf(cli->out, "request %d: ", (int)id);
    if (why) {
        chy_buf_add_str(&b, why);
    } else if (before && after && strcmp(before, after) == 0) {
        fprintf(cli->out, "%s%s%s, with another certificate", chy_cli_color(cli, after), after,
                chy_cli_color_end(cli));
    } else {
        fprintf(cli->out, "%s%s%s → %s%s%s", chy_cli_color(cli, before), before ? before : "?",
                chy_cli_color_end(cli), chy_cli_color(cli, after), after ? after : "?",
                chy_cli_color_end(cli));
        if (message) chy_buf_addf(&b, ": %s", message);
    }
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, "other_settings")))
        chy_buf_add_str(&b, " (the settings have changed since)");
    chy_cli_line(cli, 0, &b);
    chy_cli_print_changes(cli, v, 4);
    chy_buf_free(&b);
}

static void show_result(struct tally *t, const struct chy_replay_result *r)
{
    struct chy_json j;
    cJSON *v = NULL;
    chy_buf_reset(&t->json);
    chy_json_begin(&j, &t->json);
    add_result(&j, r);
    clear_progress(t);
    if (t->cli->json) {
        fprintf(t->cli->out, "%s%.*s", t->different + t->failed > 1 ? ",\n" : "", (int)t->json.n,
                (const char *)t->json.p);
    } else if (chy_json_parse(chy_buf_span(&t->json), LINE_MAX_LEN, &v, NULL) == CHY_S_OK) {
        print_difference(t->cli, v);
    }
    cJSON_Delete(v);
}

static bool take(const struct chy_replay_result *r, void *arg)
{
    struct tally *t = arg;
    t->done++;
    t->same += r->outcome == CHY_REPLAY_SAME;
    t->different += r->outcome == CHY_REPLAY_DIFFERENT;
    t->failed += r->outcome == CHY_REPLAY_FAILED;
    t->skipped += r->outcome == CHY_REPLAY_SKIPPED;
    t->other_settings += r->other_settings;
    if (r->outcome == CHY_REPLAY_DIFFERENT || r->outcome == CHY_REPLAY_FAILED) show_result(t, r);
    show_progress(t);
    return !ferror(t->cli->out);
}

static void begin(const struct tally *t, const struct chy_replay_about *a, chy_time since)
{
    char when[32];
    chy_time_format(when, since);
    if (t->cli->json) {
        fprintf(t->cli->out, "{\"differences\":[");
        return;
    }
    fprintf(t->cli->out, "%s %s (SHA-256 %.16s…) on %lld requests since %s\n", a->name, a->version,
            a->sha256, (long long)t->total, when);
}

static void end(struct tally *t, const struct chy_replay_about *a)
{
    struct chy_cli *cli = t->cli;
    clear_progress(t);
    if (cli->json) {
        struct chy_json j;
        chy_buf_reset(&t->json);
        chy_json_begin(&j, &t->json);
        chy_json_object(&j, NULL);
        chy_json_add_str(&j, "module", a->name);
        chy_json_add_str(&j, "version", a->version);
        chy_json_add_str(&j, "sha256", a->sha256);
        chy_json_add_int(&j, "requests", t->done);
        chy_json_add_int(&j, "same", t->same);
        chy_json_add_int(&j, "different", t->different);
        chy_json_add_int(&j, "failed", t->failed);
        chy_json_add_int(&j, "skipped", t->skipped);
        chy_json_add_int(&j, "other_settings", t->other_settings);
        chy_json_end(&j, '}');
        fprintf(cli->out, "],%.*s\n", (int)t->json.n - 1, (const char *)t->json.p + 1);
        return;
    }
    fprintf(cli->out, "%lld requests: %lld the same, %lld different, %lld failed, %lld skipped\n",
            (long long)t->done, (long long)t->same, (long long)t->different, (long long)t->failed,
            (long long)t->skipped);
    if (t->other_settings)
        fprintf(cli->out, "%lld were decided under other settings than those of now\n",
                (long long)t->other_settings);
}

static int run(struct chy_cli *cli, const struct chy_replay_options *o, chy_time since)
{
    struct chy_replayer *p = NULL;
    struct chy_err err = {0};
    struct tally t = {.cli = cli, .progress = isatty(fileno(cli->err)) != 0};
    chy_buf_init(&t.json, LINE_MAX_LEN);
    chy_hresult hr = chy_replay_open(o, &p, &err);
    bool opened = hr == CHY_S_OK;
    if (hr == CHY_S_OK) hr = chy_replay_count(p, since, &t.total, &err);
    if (hr == CHY_S_OK) {
        begin(&t, chy_replay_about(p), since);
        hr = chy_replay_run(p, since, take, &t, &err);
        end(&t, chy_replay_about(p));
    }
    chy_replay_close(p);
    chy_buf_free(&t.json);
    int status = hr == CHY_S_OK ? CHY_CLI_DONE : chy_cli_fail(cli, &err);
    /* 1 says that something is different: that it cannot be known is another answer. */
    if (!opened) return status == CHY_CLI_OTHER ? CHY_CLI_USAGE : status;
    if (hr != CHY_S_OK) return status;
    return t.different || t.failed ? CHY_CLI_OTHER : CHY_CLI_DONE;
}

int chy_cmd_policy_replay(struct chy_cli *cli)
{
    char dir[PATH_MAX], module[PATH_MAX];
    const char *file = chy_cli_value(cli, "module"), *from = chy_cli_value(cli, "since");
    const char *deadline = chy_cli_value(cli, "deadline");
    struct chy_replay_options o = {
        .dir = dir, .module = module, .verbose = chy_cli_flag(cli, "verbose")};
    struct chy_buf text;
    chy_time since = 0;
    long ms = 0;
    if (!file) return chy_cli_usage(cli, "policy replay: --module FILE.so is expected");
    if (!realpath(file, module)) return chy_cli_usage(cli, "--module %.200s: no such file", file);
    if (!chy_cli_since(from ? from : "30d", chy_now(&chy_system_clock), &since))
        return chy_cli_usage(cli, "--since %.32s: 30d, 12h, 90m, 2w, or a time is expected", from);
    if (deadline && !chy_cli_number(deadline, 10, 3600000, &ms))
        return chy_cli_usage(cli, "--deadline %.32s: milliseconds, 10 to 3600000", deadline);
    o.deadline_ms = (unsigned)ms;
    int status = find_ca(cli, dir, sizeof(dir));
    if (status != CHY_CLI_DONE) return status;
    chy_buf_init(&text, LINE_MAX_LEN);
    status = read_set(cli, &o, &text);
    if (status == CHY_CLI_DONE) status = run(cli, &o, since);
    chy_buf_free(&text);
    return status;
}
