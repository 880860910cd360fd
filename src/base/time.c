/* Civil time and its text forms; the proleptic Gregorian calendar in UTC. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Days since 1970-01-01, by counting years from March so that the leap day comes last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

chy_time chy_time_from_civil(const struct chy_civil *c)
{
    int64_t s =
        days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
    return s * CHY_US_PER_S;
}

/* Any chy_time lies within some 293 thousand years of 1970: counted from an era before all of them,
 * days fit into 32 bits, in which dividing costs a third. Lists of revoked certificates have
 * millions of dates. */
void chy_civil_from_time(struct chy_civil *out, chy_time t)
{
    enum { ERAS = 800, DAYS_OF_ERA = 146097, YEARS_OF_ERA = 400, DAYS_TO_1970 = 719468 };
    int64_t s = t / CHY_US_PER_S;
    if (s * CHY_US_PER_S > t) s--;
    int64_t day = s / 86400;
    if (day * 86400 > s) day--;
    uint32_t rest = (uint32_t)(s - day * 86400);
    uint32_t days = (uint32_t)(day + DAYS_TO_1970 + (int64_t)ERAS * DAYS_OF_ERA);
    uint32_t era = days / DAYS_OF_ERA, doe = days % DAYS_OF_ERA;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp = (5 * doy + 2) / 153;
    *out = (struct chy_civil){.day = (int)(doy - (153 * mp + 2) / 5 + 1),
                              .month = (int)(mp < 10 ? mp + 3 : mp - 9),
                              .hour = (int)(rest / 3600),
                              .minute = (int)(rest / 60 % 60),
                              .second = (int)(rest % 60)};
    out->year = (int)(yoe + era * YEARS_OF_ERA) - ERAS * YEARS_OF_ERA + (out->month <= 2);
}

void chy_time_format(char *out, chy_time t)
{
    struct chy_civil c;
    int64_t us = t % CHY_US_PER_S;
    if (us < 0) us += CHY_US_PER_S;
    chy_civil_from_time(&c, t);
    if (c.year < 0 || c.year > 9999) {
        snprintf(out, 32, "out-of-range");
    } else if (us) {
        snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", c.year, c.month, c.day, c.hour,
                 c.minute, c.second, (int)us);
    } else {
        snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour,
                 c.minute, c.second);
    }
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool plausible(const struct chy_civil *c)
{
    return c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= days_in(c->year, c->month) &&
           c->hour <= 23 && c->minute <= 59 && c->second <= 59;
}

/* Exactly n digits; -1 otherwise. */
static int digits(const char **p, int n)
{
    int v = 0;
    while (n--) {
        if (**p < '0' || **p > '9') return -1;
        v = v * 10 + (*(*p)++ - '0');
    }
    return v;
}

static bool fraction(const char **p, int64_t *us)
{
    *us = 0;
    if (**p != '.') return true;
    if ((*p)[1] < '0' || (*p)[1] > '9') return false;
    int64_t unit = CHY_US_PER_S / 10;
    for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *us += (**p - '0') * unit;
    return true;
}

static bool parse_seconds(const char *s, chy_time *out)
{
    char *end;
    long long v = strtoll(s, &end, 10);
    if (end == s || *end || v < -62135596800 || v > 253402300799) return false;
    *out = v * CHY_US_PER_S;
    return true;
}

bool chy_time_parse(const char *s, chy_time *out)
{
    struct chy_civil c = {0};
    int64_t us = 0;
    const char *p = s;
    if (!*s || strlen(s) > 40) return false;
    if (strspn(s, "-0123456789") == strlen(s) && (strlen(s) < 5 || s[4] != '-'))
        return parse_seconds(s, out);
    c.year = digits(&p, 4);
    if (c.year < 0 || *p++ != '-' || (c.month = digits(&p, 2)) < 0 || *p++ != '-' ||
        (c.day = digits(&p, 2)) < 0) {
        return false;
    }
    if (*p == 'T' || *p == 't' || *p == ' ') {
        p++;
        if ((c.hour = digits(&p, 2)) < 0 || *p++ != ':' || (c.minute = digits(&p, 2)) < 0 ||
            *p++ != ':' || (c.second = digits(&p, 2)) < 0 || !fraction(&p, &us) ||
            (*p != 'Z' && *p != 'z')) {
            return false;
        }
        p++;
    }
    if (*p || !plausible(&c)) return false;
    *out = chy_time_from_civil(&c) + us;
    return true;
}

bool chy_time_parse_http(const char *s, chy_time *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    struct chy_civil c = {0};
    if (strlen(s) != 29 || s[3] != ',' || s[4] != ' ' || s[7] != ' ' || s[11] != ' ' ||
        s[16] != ' ' || strcmp(s + 25, " GMT") != 0) {
        return false;
    }
    char name[4] = {s[8], s[9], s[10], 0};
    const char *m = strstr(months, name), *p = s + 5;
    c.day = digits(&p, 2);
    p = s + 12;
    c.year = digits(&p, 4);
    p = s + 17;
    c.hour = digits(&p, 2);
    if (!m || (m - months) % 3 || c.day < 0 || c.year < 0 || c.hour < 0 || *p++ != ':')
        return false;
    c.month = (int)((m - months) / 3) + 1;
    if ((c.minute = digits(&p, 2)) < 0 || *p++ != ':' || (c.second = digits(&p, 2)) < 0 ||
        !plausible(&c))
        return false;
    int64_t day = days_of(c.year, c.month, c.day) % 7;
    if (day < 0) day += 7;
    if (strncmp(s, weekdays + 3 * day, 3) != 0) return false;
    *out = chy_time_from_civil(&c);
    return true;
}
