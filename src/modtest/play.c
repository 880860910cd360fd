/* A play from its first line to its last. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "ca/authority.h"
#include "modtest/play.h"

/* One line: event, number, text, detail, with tabs between them and no control character inside. */
void chy_play_tell(const struct chy_play *p, enum chy_play_event event, const char *text,
                   const char *detail)
{
    struct chy_buf b;
    chy_buf_init(&b, 64 << 10);
    const char *part[] = {text, detail};
    chy_buf_addf(&b, "%c\t%zu", (char)event, p->line);
    for (size_t i = 0; i < CHY_ARRAY_LEN(part); i++) {
        chy_buf_add_byte(&b, '\t');
        for (const char *c = part[i] ? part[i] : ""; *c && b.n < 4000; c++)
            chy_buf_add_byte(&b, (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : (uint8_t)*c);
    }
    chy_buf_add_byte(&b, '\n');
    const uint8_t *at = b.p;
    size_t left = b.failed ? 0 : b.n;
    while (left) {
        ssize_t n = write(p->report, at, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        at += n;
        left -= (size_t)n;
    }
    chy_buf_free(&b);
}

static chy_hresult do_module(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    char path[PATH_MAX];
    if (p->options->module) return CHY_S_OK; /* the command line wins */
    const char *given = chy_play_path(p, l->word[1]);
    if (!given) return chy_fail_nomem(err, "module");
    if (!realpath(given, path)) return chy_fail_errno(err, "module %.200s", given);
    p->module = chy_arena_strdup(&p->arena, path);
    return p->module ? CHY_S_OK : chy_fail_nomem(err, "module");
}

static chy_hresult do_clock(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    chy_time t;
    if (!chy_play_time(p, l->word[1], &t))
        return chy_fail(err, CHY_E_INVALIDARG,
                        "clock \"%.40s\": a time such as 2030-01-31T06:00:00Z is expected",
                        l->word[1]);
    p->now = t;
    return CHY_S_OK;
}

static chy_hresult do_setting(struct chy_play *p, const struct chy_play_line *l,
                              struct chy_err *err)
{
    return chy_play_set_value(p, p->setting, &p->n_settings, l, err);
}
static chy_hresult do_ca(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    return chy_play_set_value(p, p->ca, &p->n_ca, l, err);
}
static chy_hresult do_start(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    (void)l;
    return chy_play_start(p, err);
}
static chy_hresult do_refresh(struct chy_play *p, const struct chy_play_line *l,
                              struct chy_err *err)
{
    (void)l;
    return chy_play_refresh(p, err);
}
static chy_hresult do_stop(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    (void)l;
    chy_hresult hr = chy_play_stop(p, err);
    return hr == CHY_S_FALSE ? chy_fail(err, CHY_E_INVALIDARG, "stop: it does not run") : hr;
}

/* file PATH LINE…: written, or without a line removed */
static chy_hresult do_file(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err)
{
    struct chy_buf b;
    size_t n = strlen(p->dir);
    if (strncmp(l->word[1], p->dir, n) != 0 || l->word[1][n] != '/' || strstr(l->word[1], ".."))
        return chy_fail(err, CHY_E_INVALIDARG, "file %.100s: a play writes below $DIR only",
                        l->word[1]);
    if (l->n == 2) {
        if (unlink(l->word[1]) == 0 || errno == ENOENT) return CHY_S_OK;
        return chy_fail_errno(err, "file %.100s", l->word[1]);
    }
    chy_buf_init(&b, CHY_PLAY_FILE_MAX);
    for (size_t i = 2; i < l->n; i++)
        chy_buf_addf(&b, "%s\n", l->word[i]);
    chy_hresult hr = chy_buf_done(&b, "file", err);
    if (hr == CHY_S_OK) hr = chy_file_write(l->word[1], chy_buf_span(&b), 0600, err);
    chy_buf_free(&b);
    return hr;
}

static const struct {
    const char *name;
    size_t min, max;
    chy_hresult (*fn)(struct chy_play *p, const struct chy_play_line *l, struct chy_err *err);
} statements[] = {
    {"ca", 2, CHY_PLAY_MAX_WORDS, do_ca},
    {"clock", 2, 2, do_clock},
    {"file", 2, CHY_PLAY_MAX_WORDS, do_file},
    {"manage", 2, CHY_PLAY_MAX_WORDS, chy_play_manage},
    {"module", 2, 2, do_module},
    {"notify", 2, 6, chy_play_notify},
    {"refresh", 1, 1, do_refresh},
    {"setting", 2, CHY_PLAY_MAX_WORDS, do_setting},
    {"start", 1, 1, do_start},
    {"stop", 1, 1, do_stop},
    {"verify", 1, 2, chy_play_verify},
};

static chy_hresult do_statement(struct chy_play *p, const struct chy_play_line *l,
                                struct chy_err *err)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(statements); i++) {
        if (strcmp(statements[i].name, l->word[0]) != 0) continue;
        if (l->n < statements[i].min || l->n > statements[i].max)
            return chy_fail(err, CHY_E_INVALIDARG, "%s takes %zu to %zu words", l->word[0],
                            statements[i].min - 1, statements[i].max - 1);
        return statements[i].fn(p, l, err);
    }
    chy_hresult hr = chy_play_describe(p, l, err);
    if (hr != CHY_S_FALSE) return hr;
    return chy_fail(err, CHY_E_INVALIDARG, "\"%.40s\": there is nothing of that name", l->word[0]);
}

static chy_hresult do_expect(struct chy_play *p, const struct chy_play_line *l, const char *text,
                             struct chy_err *err)
{
    struct chy_buf why;
    bool met = false;
    chy_buf_init(&why, 64 << 10);
    chy_hresult hr = chy_play_expect(p, l, &met, &why, err);
    const char *said = chy_buf_cstr(&why);
    if (hr == CHY_S_OK)
        chy_play_tell(p, met ? CHY_PLAY_MET : CHY_PLAY_NOT_MET, text, met ? NULL : said);
    chy_buf_free(&why);
    return hr;
}

/* "csr" alone: a PEM block follows. */
static chy_hresult take_pem(struct chy_play *p, struct chy_span *rest, struct chy_play_line *l,
                            struct chy_err *err)
{
    static const char end[] = "-----END ";
    for (size_t i = 0; i + sizeof(end) < rest->n; i++) {
        if (memcmp(rest->p + i, end, sizeof(end) - 1) != 0) continue;
        const uint8_t *stop = memchr(rest->p + i, '\n', rest->n - i);
        size_t n = stop ? (size_t)(stop - rest->p) + 1 : rest->n;
        l->word[1] = chy_arena_strndup(&p->arena, rest->p, n);
        l->n = 2;
        for (size_t k = 0; k < n; k++)
            p->line += rest->p[k] == '\n';
        *rest = chy_span_of(rest->p + n, rest->n - n);
        return l->word[1] ? CHY_S_OK : chy_fail_nomem(err, "csr");
    }
    return chy_fail(err, CHY_E_INVALIDARG, "csr: a file, or PEM on the lines below, is expected");
}

static chy_hresult do_line(struct chy_play *p, struct chy_span text, struct chy_span *rest,
                           struct chy_err *err)
{
    struct chy_play_line l;
    if (text.n > CHY_PLAY_LINE_MAX)
        return chy_fail(err, CHY_E_INVALIDARG, "a line of more than %d octets", CHY_PLAY_LINE_MAX);
    if (!chy_utf8_valid(text)) return chy_fail(err, CHY_E_INVALIDARG, "the line is not UTF-8");
    chy_hresult hr = chy_play_split(p, text, &l, err);
    if (hr != CHY_S_OK || l.n == 0) return hr;
    char *whole = chy_arena_strndup(&p->arena, text.p, text.n);
    if (!whole) return chy_fail_nomem(err, "play");
    whole += strspn(whole, " \t");
    chy_play_tell(p, CHY_PLAY_AT, whole, NULL);
    if (strcmp(l.word[0], "expect") == 0) return do_expect(p, &l, whole, err);
    if (l.n == 1 && strcmp(l.word[0], "csr") == 0) hr = take_pem(p, rest, &l, err);
    return hr == CHY_S_OK ? do_statement(p, &l, err) : hr;
}

static chy_hresult do_lines(struct chy_play *p, struct chy_span rest, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    while (rest.n && hr == CHY_S_OK) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        struct chy_span line = {rest.p, end ? (size_t)(end - rest.p) : rest.n};
        size_t used = end ? line.n + 1 : line.n;
        rest = chy_span_of(rest.p + used, rest.n - used);
        p->line++;
        hr = do_line(p, line, &rest, err);
    }
    return hr;
}

/* --set NAME=VALUE: a line of the play that is not there. */
static chy_hresult preset(struct chy_play *p, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    for (const char *const *s = p->options->set; s && *s && hr == CHY_S_OK; s++) {
        struct chy_play_line l = {.word = {"setting"}, .n = 3};
        const char *equals = strchr(*s, '=');
        if (!equals || equals == *s)
            return chy_fail(err, CHY_E_INVALIDARG, "--set \"%.60s\": NAME=VALUE is expected", *s);
        l.word[1] = chy_arena_strndup(&p->arena, *s, (size_t)(equals - *s));
        l.word[2] = equals + 1;
        hr = l.word[1] ? do_setting(p, &l, err) : chy_fail_nomem(err, "--set");
    }
    return hr;
}

static chy_hresult find_here(struct chy_play *p, struct chy_err *err)
{
    char path[PATH_MAX];
    if (!realpath(p->file, path)) return chy_fail_errno(err, "%.200s", p->file);
    char *slash = strrchr(path, '/');
    if (slash) *slash = 0;
    snprintf(p->here, sizeof(p->here), "%s", path);
    const char *tmp = getenv("TMPDIR");
    snprintf(p->dir, sizeof(p->dir), "%s/chancery-play-XXXXXX",
             tmp && tmp[0] == '/' && strlen(tmp) < 40 ? tmp : "/tmp");
    return mkdtemp(p->dir) ? CHY_S_OK : chy_fail_errno(err, "%s", p->dir);
}

static void play_free(struct chy_play *p)
{
    struct chy_err ignored = {0};
    (void)!chy_play_stop(p, &ignored);
    chy_play_close(p);
    chy_play_request_free(p->request);
    chy_play_log_clear(p);
    if (p->authority) chy_authority_free(p->authority);
    chy_arena_free(&p->arena);
    if (p->dir[0]) chy_dir_remove(p->dir);
    chy_free(p);
}

int chy_play_run(const char *file, const struct chy_play_options *options, int report)
{
    struct chy_err err = {0};
    struct chy_buf text;
    struct chy_play *p = chy_calloc(1, sizeof(*p));
    if (!p) return 2;
    pthread_mutex_init(&p->log_lock, NULL);
    p->options = options;
    p->file = file;
    p->report = report;
    p->module = options->module;
    p->binding = options->binding;
    p->timeout_ms = options->timeout_ms;
    p->now = CHY_TIME_DEFAULT;
    chy_arena_init(&p->arena, CHY_PLAY_ARENA_MAX);
    chy_buf_init(&text, CHY_PLAY_FILE_MAX);
    chy_hresult hr = find_here(p, &err);
    if (hr == CHY_S_OK) hr = chy_file_read(file, CHY_PLAY_FILE_MAX, &text, &err);
    if (hr == CHY_S_OK) hr = preset(p, &err);
    if (hr == CHY_S_OK) hr = do_lines(p, chy_buf_span(&text), &err);
    if (hr != CHY_S_OK) chy_play_tell(p, CHY_PLAY_WRONG, err.text, NULL);
    chy_buf_free(&text);
    play_free(p);
    return hr == CHY_S_OK ? 0 : 2;
}
