/* JSON out, straight into a buffer. */
#include "base/json.h"

#include <string.h>

#include "base/text.h"

void chy_json_begin(struct chy_json *j, struct chy_buf *out)
{
    *j = (struct chy_json){.out = out};
}

static void add_text(struct chy_buf *out, struct chy_span s)
{
    chy_buf_add_byte(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        chy_buf_add(out, s.p + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\') {
            chy_buf_addf(out, "\\%c", c);
        } else if (c == '\n') {
            chy_buf_add_str(out, "\\n");
        } else {
            chy_buf_addf(out, "\\u%04x", c);
        }
    }
    if (s.n) chy_buf_add(out, s.p + from, s.n - from);
    chy_buf_add_byte(out, '"');
}

static void before(struct chy_json *j, const char *key)
{
    if (j->need_comma[j->depth]) chy_buf_add_byte(j->out, ',');
    j->need_comma[j->depth] = true;
    if (!key) return;
    add_text(j->out, chy_span_cstr(key));
    chy_buf_add_byte(j->out, ':');
}

static void open(struct chy_json *j, const char *key, char bracket)
{
    before(j, key);
    chy_buf_add_byte(j->out, (uint8_t)bracket);
    if (j->depth + 1 == CHY_ARRAY_LEN(j->need_comma)) {
        j->out->failed = true; /* our own nesting: never this deep */
        return;
    }
    j->need_comma[++j->depth] = false;
}

void chy_json_object(struct chy_json *j, const char *key)
{
    open(j, key, '{');
}
void chy_json_array(struct chy_json *j, const char *key)
{
    open(j, key, '[');
}

void chy_json_end(struct chy_json *j, char closing)
{
    if (j->depth) j->depth--;
    chy_buf_add_byte(j->out, (uint8_t)closing);
}

void chy_json_add_span(struct chy_json *j, const char *key, struct chy_span value)
{
    before(j, key);
    if (chy_utf8_valid(value)) {
        add_text(j->out, value);
    } else {
        chy_buf_add_str(j->out, "\"");
        chy_hex_add(j->out, value); /* octets that are no text are shown as what they are */
        chy_buf_add_str(j->out, "\"");
    }
}

void chy_json_add_buf(struct chy_json *j, const char *key, const struct chy_buf *value)
{
    chy_json_add_span(j, key, chy_buf_span(value));
    if (!value->failed) return;
    j->out->failed = true;
    j->out->too_long = j->out->too_long || value->too_long;
}

void chy_json_add_null(struct chy_json *j, const char *key)
{
    before(j, key);
    chy_buf_add_str(j->out, "null");
}

void chy_json_add_str(struct chy_json *j, const char *key, const char *value)
{
    if (value) {
        chy_json_add_span(j, key, chy_span_cstr(value));
    } else {
        chy_json_add_null(j, key);
    }
}

void chy_json_add_int(struct chy_json *j, const char *key, int64_t value)
{
    before(j, key);
    chy_buf_addf(j->out, "%lld", (long long)value);
}

void chy_json_add_bool(struct chy_json *j, const char *key, bool value)
{
    before(j, key);
    chy_buf_add_str(j->out, value ? "true" : "false");
}

void chy_json_add_time(struct chy_json *j, const char *key, chy_time t)
{
    char text[32];
    if (t == CHY_TIME_DEFAULT) {
        chy_json_add_null(j, key);
        return;
    }
    chy_time_format(text, t);
    chy_json_add_str(j, key, text);
}

void chy_json_add_raw(struct chy_json *j, const char *key, const char *json)
{
    before(j, key);
    chy_buf_add_str(j->out, json);
}
