/* The words of a line: quotes, comments, variables, and the values that words stand for. */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "base/text.h"
#include "modtest/play.h"

struct reader {
    struct chy_play *p;
    const uint8_t *at, *end;
    struct chy_buf *out;
    struct chy_err *err;
};

static chy_hresult escape(struct reader *in)
{
    static const char names[] = "nrt\"\\$", values[] = "\n\r\t\"\\$";
    const char *found = in->at < in->end ? strchr(names, *in->at) : NULL;
    if (!found || !*found) {
        return chy_fail(in->err, CHY_E_INVALIDARG,
                        "behind a backslash stands one of n r t \" \\ and $");
    }
    in->at++;
    chy_buf_add_byte(in->out, (uint8_t)values[found - names]);
    return CHY_S_OK;
}

static bool add_serial(const struct chy_play *p, struct chy_buf *out)
{
    const struct chy_request *r = p->request ? p->request->made : NULL;
    if (!r || !r->has_serial) return false;
    chy_hex_add(out, CHY_SPAN(r->serial));
    return true;
}

/* ${NAME} is of the environment. */
static chy_hresult from_environment(struct reader *in)
{
    char name[64];
    size_t n = 0;
    while (in->at < in->end && *in->at != '}' && n + 1 < sizeof(name))
        name[n++] = (char)*in->at++;
    name[n] = 0;
    const char *value = in->at < in->end && *in->at == '}' ? getenv(name) : NULL;
    if (!value)
        return chy_fail(in->err, CHY_E_INVALIDARG, "${%s}: the environment does not have it", name);
    in->at++;
    chy_buf_add_str(in->out, value);
    return CHY_S_OK;
}

/* $DIR, $HERE, $ID, $SERIAL */
static chy_hresult variable(struct reader *in)
{
    if (in->at < in->end && *in->at == '{') {
        in->at++;
        return from_environment(in);
    }
    char name[16];
    size_t n = 0;
    while (in->at < in->end && *in->at >= 'A' && *in->at <= 'Z' && n + 1 < sizeof(name))
        name[n++] = (char)*in->at++;
    name[n] = 0;
    bool known = true;
    if (strcmp(name, "DIR") == 0) {
        chy_buf_add_str(in->out, in->p->dir);
    } else if (strcmp(name, "HERE") == 0) {
        chy_buf_add_str(in->out, in->p->here);
    } else if (strcmp(name, "ID") == 0 && in->p->request) {
        chy_buf_addf(in->out, "%d", in->p->request->id);
    } else if (strcmp(name, "SERIAL") == 0) {
        known = add_serial(in->p, in->out);
    } else {
        known = false;
    }
    if (known) return CHY_S_OK;
    return chy_fail(in->err, CHY_E_INVALIDARG,
                    "$%s: there are $DIR and $HERE, $ID of a request and $SERIAL of a certificate, "
                    "and ${NAME} of the environment; a dollar is \\$",
                    name);
}

static bool ends_word(const struct reader *in, bool quoted)
{
    if (in->at == in->end) return true;
    return quoted ? *in->at == '"' : *in->at == ' ' || *in->at == '\t';
}

static chy_hresult read_word(struct reader *in, bool quoted)
{
    while (!ends_word(in, quoted)) {
        uint8_t c = *in->at++;
        chy_hresult hr = CHY_S_OK;
        if (c == '\\')
            hr = escape(in);
        else if (c == '$')
            hr = variable(in);
        else
            chy_buf_add_byte(in->out, c);
        if (hr != CHY_S_OK) return hr;
    }
    if (!quoted) return CHY_S_OK;
    if (in->at == in->end)
        return chy_fail(in->err, CHY_E_INVALIDARG, "a quotation mark is not closed");
    in->at++;
    return CHY_S_OK;
}

chy_hresult chy_play_split(struct chy_play *p, struct chy_span text, struct chy_play_line *out,
                           struct chy_err *err)
{
    struct chy_buf word;
    struct reader in = {p, text.p, text.p + text.n, &word, err};
    chy_hresult hr = CHY_S_OK;
    chy_buf_init(&word, 4 * CHY_PLAY_LINE_MAX);
    out->n = 0;
    for (;;) {
        while (in.at < in.end && (*in.at == ' ' || *in.at == '\t' || *in.at == '\r'))
            in.at++;
        if (in.at == in.end || *in.at == '#') break;
        if (out->n == CHY_PLAY_MAX_WORDS) {
            hr = chy_fail(err, CHY_E_INVALIDARG, "more than %d words", CHY_PLAY_MAX_WORDS);
            break;
        }
        bool quoted = *in.at == '"';
        if (quoted) in.at++;
        chy_buf_reset(&word);
        hr = read_word(&in, quoted);
        if (hr == CHY_S_OK) hr = chy_buf_done(&word, "word", err);
        if (hr != CHY_S_OK) break;
        out->quoted[out->n] = quoted;
        out->word[out->n] = chy_arena_strndup(&p->arena, word.p, word.n);
        if (!out->word[out->n++]) {
            hr = chy_fail_nomem(err, "play");
            break;
        }
    }
    chy_buf_free(&word);
    return hr;
}

chy_time chy_play_now(const struct chy_play *p)
{
    return p->now == CHY_TIME_DEFAULT ? chy_now(&chy_system_clock) : p->now;
}

bool chy_play_number(const char *text, int64_t *out)
{
    char *end;
    bool hex = strncmp(text, "0x", 2) == 0;
    if (!*text || strlen(text) > 18 || *text == ' ' || *text == '+') return false;
    *out = strtoll(text, &end, hex ? 16 : 10);
    return *end == 0 && end != text;
}

bool chy_play_code(const char *text, chy_hresult *out)
{
    int64_t n;
    const struct chy_code_info *known = chy_code_by_name(text);
    if (known) {
        *out = known->code;
        return true;
    }
    if (!chy_play_number(text, &n) || n < INT32_MIN || n > UINT32_MAX) return false;
    *out = (chy_hresult)(uint32_t)n;
    return true;
}

bool chy_play_time(const struct chy_play *p, const char *text, chy_time *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    if (strncmp(text, "now", 3) != 0) return strchr(text, '-') != NULL && chy_time_parse(text, out);
    *out = chy_play_now(p);
    if (!text[3]) return true;
    char number[16];
    size_t n = strlen(text + 4);
    if ((text[3] != '+' && text[3] != '-') || n < 2 || n >= sizeof(number)) return false;
    memcpy(number, text + 4, n - 1);
    number[n - 1] = 0;
    int64_t count;
    if (!chy_play_number(number, &count) || count < 0 || count > 1000000000) return false;
    for (size_t i = 0; i < CHY_ARRAY_LEN(units); i++) {
        if (units[i].unit != text[3 + n]) continue;
        int64_t away = count * units[i].seconds;
        if (away > INT64_C(4000000000)) return false;
        *out += (text[3] == '-' ? -away : away) * CHY_US_PER_S;
        return true;
    }
    return false;
}

const char *chy_play_path(struct chy_play *p, const char *path)
{
    return path[0] == '/' ? path : chy_arena_printf(&p->arena, "%s/%s", p->here, path);
}

chy_hresult chy_play_octets(struct chy_play *p, const char *text, struct chy_span *out,
                            struct chy_err *err)
{
    struct chy_buf b;
    chy_hresult hr = CHY_S_OK;
    chy_buf_init(&b, CHY_PLAY_FILE_MAX);
    if (strncmp(text, "hex:", 4) == 0) {
        if (!chy_hex_decode(&b, chy_span_cstr(text + 4)))
            hr = chy_fail(err, CHY_E_INVALIDARG, "\"%.40s\" are no hex digits", text + 4);
    } else if (strncmp(text, "file:", 5) == 0) {
        const char *path = chy_play_path(p, text + 5);
        hr = path ? chy_file_read(path, CHY_PLAY_FILE_MAX, &b, err) : chy_fail_nomem(err, "play");
    } else {
        hr = chy_fail(err, CHY_E_INVALIDARG, "\"%.40s\": octets are hex:DIGITS or file:PATH", text);
    }
    if (hr == CHY_S_OK) hr = chy_buf_done(&b, "octets", err);
    if (hr == CHY_S_OK) {
        *out = chy_arena_dup(&p->arena, chy_buf_span(&b));
        if (b.n && !out->p) hr = chy_fail_nomem(err, "play");
    }
    chy_buf_free(&b);
    return hr;
}
