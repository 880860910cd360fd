/* The preferred form is base's; the two old ones are read as a pattern says. */
#include "net/http_date.h"

#include <string.h>

#include "base/text.h"

#define HTTP_DATE_TEXT_MAX 40

static const char short_days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void put_number(char *out, unsigned v, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; v /= 10) {
        out[i] = (char)('0' + v % 10);
    }
}

/* Without printf: this is made for many an answer. */
void chy_http_date(char out[CHY_HTTP_DATE_SIZE], chy_time t)
{
    if (t < 0) t = 0;
    struct chy_civil c;
    chy_civil_from_time(&c, t);
    size_t day = (size_t)(t / (INT64_C(86400) * CHY_US_PER_S) % 7);
    size_t month = c.month >= 1 && c.month <= 12 ? (size_t)c.month - 1 : 0;
    memcpy(out, "ddd, 00 mmm 0000 00:00:00 GMT", CHY_HTTP_DATE_SIZE);
    memcpy(out, short_days + 3 * day, 3);
    put_number(out + 5, (unsigned)c.day, 2);
    memcpy(out + 8, months + 3 * month, 3);
    put_number(out + 12, (unsigned)c.year, 4);
    put_number(out + 17, (unsigned)c.hour, 2);
    put_number(out + 20, (unsigned)c.minute, 2);
    put_number(out + 23, (unsigned)c.second, 2);
}

static bool take_number(const char **s, unsigned digits, int *out)
{
    int v = 0;
    for (unsigned i = 0; i < digits; i++, (*s)++) {
        if (**s < '0' || **s > '9') return false;
        v = v * 10 + (**s - '0');
    }
    *out = v;
    return true;
}

/* asctime writes the first nine days of a month with a space. */
static bool take_day(const char **s, int *out)
{
    bool padded = **s == ' ';
    if (padded) ++*s;
    return take_number(s, padded ? 1 : 2, out);
}

static bool take_month(const char **s, int *out)
{
    for (int i = 0; i < 12; i++) {
        if (strncmp(*s, months + 3 * i, 3) != 0) continue;
        *out = i + 1;
        *s += 3;
        return true;
    }
    return false;
}

static bool take_weekday(const char **s, bool whole)
{
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        size_t n = whole ? strlen(names[i]) : 3;
        if (strncmp(*s, names[i], n) != 0) continue;
        *s += n;
        return true;
    }
    return false;
}

/* w weekday of three letters, W whole one, d two digits of the day, e the same padded, m month, y
 * two digits of the year, Y four, h hour, i minute, s second; all else stands for itself. */
static bool take(const char *s, const char *pattern, struct chy_civil *c)
{
    for (; *pattern; pattern++) {
        bool good;
        switch (*pattern) {
        case 'w': good = take_weekday(&s, false); break;
        case 'W': good = take_weekday(&s, true); break;
        case 'd': good = take_number(&s, 2, &c->day); break;
        case 'e': good = take_day(&s, &c->day); break;
        case 'm': good = take_month(&s, &c->month); break;
        case 'y': good = take_number(&s, 2, &c->year); break;
        case 'Y': good = take_number(&s, 4, &c->year); break;
        case 'h': good = take_number(&s, 2, &c->hour); break;
        case 'i': good = take_number(&s, 2, &c->minute); break;
        case 's': good = take_number(&s, 2, &c->second); break;
        default:
            good = *s == *pattern;
            s += good;
            break;
        }
        if (!good) return false;
    }
    return *s == 0;
}

/* What seems to be more than 50 years ahead is the last such year that has passed. */
static void add_century(struct chy_civil *c, chy_time now)
{
    struct chy_civil today;
    chy_civil_from_time(&today, now);
    c->year += today.year - today.year % 100;
    if (c->year > today.year + 50) c->year -= 100;
}

/* The 60th second is a leap second. */
static bool to_time(const struct chy_civil *c, chy_time *out)
{
    if (c->day < 1 || c->hour > 23 || c->minute > 59 || c->second > 60) return false;
    struct chy_civil date = {.year = c->year, .month = c->month, .day = c->day}, back;
    chy_civil_from_time(&back, chy_time_from_civil(&date));
    if (back.day != c->day) return false;
    *out = chy_time_from_civil(c);
    return true;
}

bool chy_http_date_parse(const char *s, chy_time now, chy_time *out)
{
    struct chy_civil c = {0};
    if (strnlen(s, HTTP_DATE_TEXT_MAX) == HTTP_DATE_TEXT_MAX) return false;
    if (chy_time_parse_http(s, out)) return true;
    if (take(s, "W, d-m-y h:i:s GMT", &c)) {
        add_century(&c, now);
        return to_time(&c, out);
    }
    return take(s, "w m e h:i:s Y", &c) && to_time(&c, out);
}
