/* `chancery cert revoke --where`: counted first, then revoked in slices, each of which is durable
 * when it is counted. An interrupt ends it between two slices; the same command goes on from there.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "cli/cli.h"

enum { SLICE = 1000, SAY_EVERY_S = 5 };

struct mass {
    struct chy_cli *cli;
    struct chy_buf path;
    int64_t matched, changed, unchanged, after;
    int64_t started, said; /* monotonic */
    bool on_terminal, interrupted;
};

static int ask(struct mass *m, bool is_dry, cJSON **out)
{
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "where", chy_cli_value(m->cli, "where"));
    chy_cmd_add_revocation(m->cli, body);
    cJSON_AddBoolToObject(body, "dry_run", is_dry);
    cJSON_AddNumberToObject(body, "after", (double)m->after);
    cJSON_AddNumberToObject(body, "limit", SLICE);
    char *json = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (!json) return CHY_CLI_OTHER;
    struct chy_ask call = {.method = "POST",
                           .path = chy_buf_cstr(&m->path),
                           .content_type = "application/json",
                           .body = chy_span_cstr(json),
                           .timeout_ms = CHY_ASK_LONG_MS};
    int status = chy_cli_get_quietly(m->cli, &call, out);
    cJSON_free(json);
    return status;
}

static int count(struct mass *m)
{
    cJSON *v = NULL;
    struct chy_err err = {0};
    int status = ask(m, true, &v);
    if (status == CHY_CLI_DONE && !chy_json_int(v, "matched", &m->matched, NULL)) {
        chy_fail(&err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no number");
        status = chy_cli_fail(m->cli, &err);
    }
    cJSON_Delete(v);
    return status;
}

static bool said_yes(struct mass *m)
{
    char line[16] = "";
    fprintf(m->cli->err, "%lld certificate%s match%s. Revoke %s? [y/N] ", (long long)m->matched,
            m->matched == 1 ? "" : "s", m->matched == 1 ? "es" : "",
            m->matched == 1 ? "it" : "them");
    fflush(m->cli->err);
    if (!fgets(line, sizeof(line), stdin)) return false;
    return line[0] == 'y' || line[0] == 'Y';
}

/* Nobody revokes thousands by a slip: who cannot be asked says --yes. */
static int confirm(struct mass *m)
{
    if (chy_cli_flag(m->cli, "yes") || !m->matched) return CHY_CLI_DONE;
    if (!m->on_terminal || !isatty(STDIN_FILENO))
        return chy_cli_usage(m->cli,
                             "%lld certificates match; --yes is expected where nobody can be asked",
                             (long long)m->matched);
    if (said_yes(m)) return CHY_CLI_DONE;
    fprintf(m->cli->err, "chancery: nothing was revoked\n");
    return CHY_CLI_OTHER;
}

static void progress(struct mass *m)
{
    int64_t now = chy_monotonic(&chy_system_clock), seen = m->changed + m->unchanged;
    if (m->cli->json || (!m->on_terminal && now - m->said < SAY_EVERY_S * CHY_US_PER_S)) return;
    double s = (double)(now - m->started) / (double)CHY_US_PER_S;
    double rate = s > 0 ? (double)seen / s : 0;
    int64_t left = m->matched > seen ? m->matched - seen : 0;
    fprintf(m->cli->err, "%s%lld of %lld, %.0f/s, %.0f s left%s", m->on_terminal ? "\r" : "",
            (long long)seen, (long long)m->matched, rate, rate > 0 ? (double)left / rate : 0.0,
            m->on_terminal ? "   " : "\n");
    fflush(m->cli->err);
    m->said = now;
}

static bool is_interrupted(const sigset_t *interrupt)
{
    sigset_t waiting;
    const struct timespec now = {0, 0};
    if (sigpending(&waiting) != 0 || sigismember(&waiting, SIGINT) != 1) return false;
    (void)sigtimedwait(interrupt, NULL, &now); /* taken: it is answered for here */
    return true;
}

static int slice(struct mass *m)
{
    cJSON *v = NULL;
    int64_t changed = 0, unchanged = 0, after = 0;
    int status = ask(m, false, &v);
    (void)chy_json_int(v, "changed", &changed, NULL);
    (void)chy_json_int(v, "unchanged", &unchanged, NULL);
    (void)chy_json_int(v, "after", &after, NULL);
    cJSON_Delete(v);
    m->changed += changed;
    m->unchanged += unchanged;
    /* A daemon that does not get on would be asked for ever. */
    m->after = after > m->after ? after : 0;
    return status;
}

static int revoke_all(struct mass *m)
{
    sigset_t interrupt, before;
    int status = CHY_CLI_DONE;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, &before);
    m->started = m->said = chy_monotonic(&chy_system_clock);
    do {
        status = slice(m);
        if (status == CHY_CLI_DONE) progress(m);
        m->interrupted = is_interrupted(&interrupt);
    } while (status == CHY_CLI_DONE && m->after && !m->interrupted);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (m->on_terminal && !m->cli->json) fprintf(m->cli->err, "\n");
    return status == CHY_CLI_DONE && m->interrupted && m->after ? CHY_CLI_OTHER : status;
}

static void report(struct mass *m, int status, bool is_dry)
{
    FILE *out = m->cli->out;
    if (m->cli->json) {
        fprintf(out, "{\"matched\":%lld", (long long)m->matched);
        if (!is_dry)
            fprintf(out, ",\"changed\":%lld,\"unchanged\":%lld,\"complete\":%s",
                    (long long)m->changed, (long long)m->unchanged,
                    status == CHY_CLI_DONE ? "true" : "false");
        fprintf(out, "}\n");
        return;
    }
    if (is_dry) {
        fprintf(out, "%lld certificate%s would be revoked\n", (long long)m->matched,
                m->matched == 1 ? "" : "s");
        return;
    }
    fprintf(out, "%lld revoked, %lld left as they were\n", (long long)m->changed,
            (long long)m->unchanged);
    if (status != CHY_CLI_DONE)
        fprintf(m->cli->err,
                "chancery: %s after %lld of %lld; the same command goes on where this one ended\n",
                m->interrupted ? "interrupted" : "ended", (long long)(m->changed + m->unchanged),
                (long long)m->matched);
}

int chy_cmd_revoke_many(struct chy_cli *cli)
{
    struct mass m = {.cli = cli};
    int err = fileno(cli->err);
    bool is_dry = chy_cli_flag(cli, "dry-run");
    m.on_terminal = err >= 0 && isatty(err);
    chy_cli_path(cli, &m.path);
    chy_buf_add_str(&m.path, "/certificates/revoke");
    int status = count(&m);
    bool counted = status == CHY_CLI_DONE;
    if (counted && !is_dry) status = confirm(&m);
    bool goes_on = status == CHY_CLI_DONE;
    if (goes_on && !is_dry) status = revoke_all(&m);
    if (goes_on) report(&m, status, is_dry);
    chy_buf_free(&m.path);
    return status;
}
