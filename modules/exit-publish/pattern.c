#include <stdio.h>
#include <string.h>

#include "publish.h"

static bool has(const char *text, const char *what)
{
    for (; *text; text++) {
        if (*text != '%') continue;
        text++;
        if (*text && strchr(what, *text)) return true;
    }
    return false;
}

static const char *check(const char *text)
{
    if (!*text) return "is empty";
    if (strlen(text) > 64) return "has more than 64 characters";
    for (; *text; text++) {
        if (*text != '%') continue;
        text++;
        if (!*text || !strchr("isc%", *text)) return "has a % that is not %i, %s, %c or %%";
    }
    return NULL;
}

/* What stands next to each other in a pattern: 'i', 's', 'c', 'd' for a digit, 0 for the rest. */
static char kind_at(const char *p)
{
    if (*p >= '0' && *p <= '9') return 'd';
    return *p == '%' && p[1] != '%' ? p[1] : 0;
}

/* "a1" and 2 must not make the file of "a" and 12: a number ends where a hyphen says so. */
static bool apart(char x, char y)
{
    if (x == 'i' || y == 'i') return x && y;
    return (x == 's' && y == 'c') || (x == 'c' && y == 's');
}

static void copy(const char *text, char *out)
{
    char last = 0;
    size_t n = 0;
    while (*text) {
        char kind = kind_at(text);
        if (apart(last, kind)) out[n++] = '-';
        if (*text == '%') out[n++] = *text++;
        out[n++] = *text++;
        last = kind;
    }
    out[n] = 0;
}

const char *pattern_normal(const char *text, char *out, size_t size)
{
    const char *rule = check(text), *dot = strrchr(text, '.');
    char whole[80];
    if (rule) return rule;
    size_t head = dot && dot != text ? (size_t)(dot - text) : strlen(text);
    memcpy(whole, text, head);
    size_t n = head;
    if (!has(text, "is")) {
        memcpy(whole + n, "-%i", 3);
        n += 3;
    }
    memcpy(whole + n, text + head, strlen(text + head) + 1);
    size_t fields = 0;
    for (const char *p = whole; *p; p++)
        fields += *p == '%';
    if (n + strlen(text + head) + 2 * fields >= size) return "has more fields than fit";
    copy(whole, out);
    return NULL;
}

static const char *crl_check(const char *text)
{
    if (!*text) return "is empty";
    if (strlen(text) > 64) return "has more than 64 characters";
    for (; *text; text++) {
        if (strncmp(text, CRL_PARTITION, strlen(CRL_PARTITION)) == 0)
            text += strlen(CRL_PARTITION) - 1;
        else if (*text < 0x20 || *text > 0x7e || strchr("/<>+()", *text))
            return "has one of / < > + ( ) or what is not ASCII";
        else if (*text == '%' && (!*++text || !strchr("3789%", *text)))
            return "has a % that is not %3, %7, %8, %9 or %%";
    }
    return NULL;
}

/* What no file of another CRL may share comes in front of the extension where it is left out. */
const char *crl_pattern_normal(const char *text, char *out, size_t size)
{
    const char *rule = crl_check(text), *dot = strrchr(text, '.');
    const char *end = dot && dot != text ? dot : text + strlen(text);
    if (rule) return rule;
    const char *shard = strstr(text, CRL_PARTITION) ? "" : CRL_PARTITION;
    int n = snprintf(out, size, "%.*s%s%s%s%s", (int)(end - text), text, shard,
                     has(text, "8") ? "" : "%8", has(text, "9") ? "" : "%9", end);
    return n < 0 || (size_t)n >= size ? "has more fields than fit" : NULL;
}
