#include "exec/value.h"

#include <chancery/easy.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void value_add(struct kit_text *t, const chy_variant *v)
{
    char when[CHY_TIME_TEXT] = "";
    if (v->vt == CHY_VT_DATE && v->u.t != CHY_TIME_DEFAULT) chy_time_text(v->u.t, when);
    if (v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL) {
        kit_addf(t, "%d", (int)v->u.l);
    } else if (when[0]) {
        kit_addf(t, "\"%s\"", when);
    } else if (v->vt == CHY_VT_STR) {
        kit_add_json(t, v->u.s.p, v->u.s.n);
    } else if (v->vt == CHY_VT_BYTES) {
        kit_add_str(t, "\"");
        kit_add_base64(t, v->u.b.p, v->u.b.n);
        kit_add_str(t, "\"");
    } else if (v->vt == CHY_VT_STRV) {
        for (size_t i = 0; i < v->u.sv.n; i++) {
            kit_add_str(t, i ? "," : "[");
            kit_add_json(t, v->u.sv.v[i].p, v->u.sv.v[i].n);
        }
        kit_add_str(t, v->u.sv.n ? "]" : "[]");
    } else {
        kit_add_str(t, "null");
    }
}

void value_add_code(struct kit_text *t, chy_hresult code)
{
    kit_addf(t, "\"0x%08x\"", (unsigned)code);
}

void value_add_key(struct kit_text *t, const char *key)
{
    if (t->n && t->p[t->n - 1] != '{') kit_add_str(t, ",");
    kit_add_json(t, key, strlen(key));
    kit_add_str(t, ":");
}

const char *value_long(const cJSON *j, chy_long *out)
{
    if (!cJSON_IsNumber(j)) return "is not a number";
    double d = j->valuedouble;
    if (!(d >= INT32_MIN && d <= INT32_MAX) || d != (double)(chy_long)d)
        return "is not a whole number";
    *out = (chy_long)d;
    return NULL;
}

const char *value_type(const cJSON *j, chy_long *out)
{
    static const char *const names[] = {"LONG", "DATE", "BINARY", "STRING"};
    for (int i = 0; cJSON_IsString(j) && i < 4; i++) {
        if (strcasecmp(j->valuestring, names[i]) != 0) continue;
        *out = i + 1;
        return NULL;
    }
    if (value_long(j, out) || *out < CHY_PROPTYPE_LONG || *out > CHY_PROPTYPE_STRING)
        return "is not LONG, DATE, BINARY or STRING";
    return NULL;
}

const char *value_code(const cJSON *j, chy_hresult *out)
{
    uint32_t bits = 0;
    if (!cJSON_IsString(j)) return value_long(j, out);
    const char *s = j->valuestring;
    if (strlen(s) != 10 || s[0] != '0' || s[1] != 'x')
        return "is neither a number nor 0x… of 8 digits";
    for (s += 2; *s; s++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, chy_text_lower(*s));
        if (!at) return "is neither a number nor 0x… of 8 digits";
        bits = bits << 4 | (uint32_t)(at - digits);
    }
    *out = CHY_HR(bits);
    return NULL;
}

/* n digits as a number; -1: they are none. */
static int digits(const char *s, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return -1;
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

/* Days since 1970 in the calendar of ISO 8601; the year begins in March, so that the leap day ends
 * it. */
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = y / 400, of_era = y - era * 400,
            of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The seconds that the zone is ahead; false: it is no zone. */
static bool zone_of(const char *s, int *out)
{
    *out = 0;
    if ((s[0] == 'Z' || s[0] == 'z') && !s[1]) return true;
    if ((s[0] != '+' && s[0] != '-') || strlen(s) != 6 || s[3] != ':') return false;
    int h = digits(s + 1, 2), m = digits(s + 4, 2);
    *out = (s[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return h >= 0 && h < 24 && m >= 0 && m < 60;
}

/* RFC 3339 5.6. A fraction is cut: certificates have none. */
static bool time_of(const char *s, chy_time *out)
{
    static const int month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int zone;
    if (strlen(s) < 20 || s[4] != '-' || s[7] != '-' || !strchr("Tt ", s[10]) || s[13] != ':' ||
        s[16] != ':')
        return false;
    int y = digits(s, 4), m = digits(s + 5, 2), d = digits(s + 8, 2), h = digits(s + 11, 2),
        min = digits(s + 14, 2), sec = digits(s + 17, 2);
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (y < 1 || m < 1 || m > 12 || d < 1 || d > month[m - 1] + (m == 2 && leap)) return false;
    if (h < 0 || h > 23 || min < 0 || min > 59 || sec < 0 || sec > 59) return false;
    s += 19;
    if (*s == '.') s += 1 + strspn(s + 1, "0123456789");
    if (!zone_of(s, &zone)) return false;
    *out = (days_of(y, m, d) * 86400 + h * 3600 + min * 60 + sec - zone) * 1000000;
    return true;
}

const char *value_time(const cJSON *j, chy_time *out)
{
    static const double last = 253402300799; /* of the year 9999 */
    if (cJSON_IsString(j) && time_of(j->valuestring, out)) return NULL;
    if (!cJSON_IsNumber(j) || !(j->valuedouble >= 0 && j->valuedouble <= last) ||
        j->valuedouble != (double)(int64_t)j->valuedouble)
        return "is neither a time as 2026-11-21T08:05:00Z nor seconds since 1970";
    *out = (chy_time)j->valuedouble * 1000000;
    return NULL;
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool octets_of(const char *s, size_t n, chy_bytes *out)
{
    size_t pad = n >= 4 && s[n - 1] == '=' ? 1u + (s[n - 2] == '=') : 0, at = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n - pad; i++) {
        int v = sextet(s[i]);
        if (v < 0) return false;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4) out->p[at++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    out->n = at;
    /* RFC 4648 3.5: the bits that no octet takes are zero */
    return !(pad == 1 ? bits & 3u : pad == 2 ? bits & 15u : 0);
}

const char *value_octets(const cJSON *j, chy_bytes *out)
{
    size_t n = cJSON_IsString(j) ? strlen(j->valuestring) : 1;
    *out = (chy_bytes){NULL, 0};
    if (n % 4) return "is not base64";
    out->p = malloc(n / 4 * 3 + 1);
    if (!out->p) return "finds no memory";
    if (octets_of(j->valuestring, n, out)) return NULL;
    free(out->p);
    *out = (chy_bytes){NULL, 0};
    return "is not base64";
}
