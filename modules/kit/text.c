#include "kit/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool room(struct kit_text *t, size_t n)
{
    if (t->failed) return false;
    if (n <= t->cap - t->n) return true;
    size_t cap = n < SIZE_MAX / 2 - t->n ? 2 * (t->n + n) : 0;
    char *more = cap ? realloc(t->p, cap) : NULL;
    if (!more) {
        t->failed = true;
        return false;
    }
    t->p = more;
    t->cap = cap;
    return true;
}

void kit_add(struct kit_text *t, const void *p, size_t n)
{
    if (!n || !room(t, n)) return;
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

void kit_add_str(struct kit_text *t, const char *s)
{
    kit_add(t, s, strlen(s));
}

void kit_addf(struct kit_text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) t->failed = true;
    if (n > 0 && room(t, (size_t)n + 1)) {
        vsnprintf(t->p + t->n, (size_t)n + 1, fmt, again);
        t->n += (size_t)n;
    }
    va_end(again);
}

/* line: how many octets of input make one line; 0: it is never broken. */
static void add_base64(struct kit_text *t, const uint8_t *p, size_t n, size_t line)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        char four[5] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
                        left > 1 ? alphabet[v >> 6 & 63] : '=', left > 2 ? alphabet[v & 63] : '=',
                        '\n'};
        bool line_ends = line && ((i + 3) % line == 0 || left <= 3);
        kit_add(t, four, line_ends ? 5 : 4);
    }
}

void kit_add_base64(struct kit_text *t, const void *p, size_t n)
{
    add_base64(t, p, n, 0);
}

/* RFC 7468 2: lines of 64 characters. */
void kit_add_pem(struct kit_text *t, const char *label, const uint8_t *der, size_t n)
{
    kit_addf(t, "-----BEGIN %s-----\n", label);
    add_base64(t, der, n, 48);
    kit_addf(t, "-----END %s-----\n", label);
}

/* How many octets the UTF-8 character at p takes; 0: it is none (RFC 3629 4). */
static size_t utf8_at(const uint8_t *p, size_t n)
{
    size_t more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    if (more >= n || p[0] > 0xf4 || (p[0] >= 0x80 && p[0] < 0xc2)) return 0;
    for (size_t i = 1; i <= more; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    bool longer = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return longer || beyond ? 0 : more + 1;
}

void kit_add_json(struct kit_text *t, const char *s, size_t n)
{
    kit_add(t, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t len = utf8_at((const uint8_t *)s + i, n - i);
        char c = s[i];
        if (!len) {
            kit_add_str(t, "\xef\xbf\xbd");
        } else if (c == '"' || c == '\\') {
            char two[2] = {'\\', c};
            kit_add(t, two, 2);
        } else if ((unsigned char)c < 0x20 || c == 0x7f) {
            kit_addf(t, "\\u%04x", (unsigned)c);
        } else {
            kit_add(t, s + i, len);
        }
        i += len ? len : 1;
    }
    kit_add(t, "\"", 1);
}

void kit_add_html(struct kit_text *t, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = utf8_at((const uint8_t *)s + i, n - i);
        char c = s[i];
        if (!len || (unsigned char)c < 0x20 || c == 0x7f)
            kit_add_str(t, "\xef\xbf\xbd");
        else if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
            kit_addf(t, "&#%d;", c);
        else
            kit_add(t, s + i, len);
        i += len ? len : 1;
    }
}

/* RFC 3986 2.3: what is not unreserved is escaped. */
void kit_add_url(struct kit_text *t, const char *s)
{
    for (; *s; s++) {
        bool ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                  (*s >= '0' && *s <= '9') || strchr("-._~", *s);
        if (ok)
            kit_add(t, s, 1);
        else
            kit_addf(t, "%%%02X", (unsigned)(unsigned char)*s);
    }
}

char *kit_utf8(char *s)
{
    size_t n = strlen(s), len;
    for (size_t i = 0; i < n; i += len ? len : 1) {
        len = utf8_at((const uint8_t *)s + i, n - i);
        if (!len) s[i] = '?';
    }
    return s;
}

const char *kit_text_cstr(struct kit_text *t)
{
    if (!room(t, 1)) return NULL;
    t->p[t->n] = 0;
    return t->p;
}

void kit_text_free(struct kit_text *t)
{
    free(t->p);
    *t = (struct kit_text){0};
}
