/* One line as JSON, looked at before it is believed (RFC 8259). */
#include <stdbool.h>
#include <string.h>

#include "exec/wire.h"

/* RFC 3629 4: the octets that follow the first, and the first one's least value. */
static size_t utf8_tail(const unsigned char *p, size_t n)
{
    unsigned char a = p[0], low = 0x80, high = 0xbf;
    size_t tail = a < 0x80 ? 0 : a >= 0xc2 && a <= 0xdf ? 1 : a >= 0xe0 && a <= 0xef ? 2 : 3;
    if (a >= 0x80 && (a < 0xc2 || a > 0xf4)) return n;
    if (a == 0xe0) low = 0xa0;
    if (a == 0xed) high = 0x9f;
    if (a == 0xf0) low = 0x90;
    if (a == 0xf4) high = 0x8f;
    if (tail >= n || (tail && (p[1] < low || p[1] > high))) return n;
    for (size_t i = 2; i <= tail; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) return n;
    }
    return tail;
}

static bool utf8_valid(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < n; i++) {
        size_t tail = utf8_tail(p + i, n - i);
        if (tail >= n - i) return false;
        i += tail;
    }
    return true;
}

struct shape {
    bool in_text;
    unsigned depth, values;
};

/* Texts end at their first NUL for whoever reads them next, so there is none. */
static const char *look_in_text(struct shape *s, const char *p, size_t left, size_t *skip)
{
    if ((unsigned char)*p < 0x20) return "has a control character in a text";
    if (*p == '"') s->in_text = false;
    if (*p != '\\') return NULL;
    *skip = 1;
    return left >= 6 && memcmp(p, "\\u0000", 6) == 0 ? "has a NUL in a text" : NULL;
}

static const char *look_outside(struct shape *s, char c)
{
    if (c == '"') s->in_text = true;
    if (c == '{' || c == '[') s->depth++;
    if ((c == '}' || c == ']') && s->depth) s->depth--;
    if (c == ',' || c == '{' || c == '[') s->values++;
    return s->depth > WIRE_DEPTH_MAX     ? "is nested too deeply"
           : s->values > WIRE_VALUES_MAX ? "has too many values"
                                         : NULL;
}

static const char *look(const char *p, size_t n)
{
    struct shape s = {0};
    if (!utf8_valid(p, n)) return "is not UTF-8";
    for (size_t i = 0; i < n; i++) {
        size_t skip = 0;
        const char *why =
            s.in_text ? look_in_text(&s, p + i, n - i, &skip) : look_outside(&s, p[i]);
        if (why) return why;
        i += skip;
    }
    return NULL;
}

/* Two readers could take different ones. */
static bool repeats(const cJSON *object)
{
    for (const cJSON *a = object->child; a; a = a->next) {
        for (const cJSON *b = a->next; b; b = b->next) {
            if (!strcmp(a->string, b->string)) return true;
        }
    }
    return false;
}

const char *wire_parse(const char *p, size_t n, cJSON **out)
{
    const char *end = NULL, *why = look(p, n);
    *out = NULL;
    if (why) return why;
    cJSON *v = cJSON_ParseWithLengthOpts(p, n, &end, 0);
    for (; v && end < p + n; end++) {
        if (*end != ' ' && *end != '\t' && *end != '\r') break;
    }
    why = !v                           ? "is not JSON"
          : end != p + n               ? "has more than one value"
          : !cJSON_IsObject(v)         ? "is not an object"
          : cJSON_GetArraySize(v) > 64 ? "has too many members"
          : repeats(v)                 ? "has a member twice"
                                       : NULL;
    if (why)
        cJSON_Delete(v);
    else
        *out = v;
    return why;
}
