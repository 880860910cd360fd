/* Any octets as the small text forms: times, hex, names made fit for files. What is read is written
 * back the same, and what is written has no octet that it must not have. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_MAX = 4096 };

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_civil(chy_time t)
{
    struct chy_civil c;
    chy_civil_from_time(&c, t);
    must(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31);
    must(c.hour >= 0 && c.hour < 24 && c.minute >= 0 && c.minute < 60);
    must(c.second >= 0 && c.second < 60);
    chy_time whole = chy_time_from_civil(&c);
    must(whole <= t && t - whole < CHY_US_PER_S);
}

static void check_time(chy_time t)
{
    char text[32];
    chy_time again;
    check_civil(t);
    chy_time_format(text, t);
    must(strlen(text) < sizeof text);
    if (strcmp(text, "out-of-range") != 0) must(chy_time_parse(text, &again) && again == t);
}

static void check_times(const char *text, const uint8_t *data, size_t size)
{
    static const chy_time first = INT64_C(-62167219200) * CHY_US_PER_S, /* of the year 0 */
        last = INT64_C(253402300800) * CHY_US_PER_S;
    chy_time t;
    if (chy_time_parse(text, &t)) {
        must(t >= first && t < last);
        check_time(t);
    }
    if (chy_time_parse_http(text, &t)) {
        must(t >= first && t < last && t % CHY_US_PER_S == 0);
        check_time(t);
    }
    if (size < sizeof t) return;
    memcpy(&t, data, sizeof t);
    if (t > INT64_MIN / 2 && t < INT64_MAX / 2) check_time(t);
}

static void check_hex(struct chy_span text)
{
    struct chy_buf octets, again;
    char *low = malloc(2 * text.n + 1);
    must(low != NULL);
    chy_buf_init(&octets, text.n);
    chy_buf_init(&again, 2 * text.n);
    chy_hex_add(&again, text);
    chy_hex_cstr(low, text);
    must(again.n == 2 * text.n && strlen(low) == again.n);
    must(again.n == 0 || memcmp(low, again.p, again.n) == 0);
    must(chy_hex_decode(&octets, chy_buf_span(&again)));
    must(chy_span_eq(chy_buf_span(&octets), text));
    chy_buf_reset(&octets);
    chy_buf_reset(&again);
    if (chy_hex_decode(&octets, text)) {
        chy_hex_add(&again, chy_buf_span(&octets));
        must(chy_span_eq_nocase(chy_buf_span(&again), text));
    } else {
        must(octets.n == 0);
    }
    chy_buf_free(&octets);
    chy_buf_free(&again);
    free(low);
}

/* [MS-WCCE] 3.1.1.4.1.1: nothing is left that a path or a directory could take for its own. */
static void check_sanitized(const char *name)
{
    struct chy_buf whole, shorter;
    chy_buf_init(&whole, 1 << 20);
    chy_buf_init(&shorter, 1 << 20);
    chy_sanitize_name(&whole, name);
    must(!whole.failed);
    for (size_t i = 0; i < whole.n; i++) {
        must(whole.p[i] >= 0x20 && whole.p[i] < 0x7f);
        must(!memchr("\"/\\:*?<>|,;=+", whole.p[i], 13));
    }
    chy_sanitize_short_name(&shorter, name);
    if (!shorter.failed) must(shorter.n <= 57);
    chy_buf_free(&whole);
    chy_buf_free(&shorter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > IN_MAX) return 0;
    struct chy_span in = chy_span_of(data, size);
    char *text = strndup((const char *)data, size);
    must(text != NULL);
    check_times(text, data, size);
    check_hex(in);
    if (chy_utf8_valid(chy_span_cstr(text))) check_sanitized(text);
    if (chy_utf8_valid(in)) must(!size || !memchr(data, 0, size));
    size_t n = chy_utf8_printable(in);
    must(n <= size && n <= 4 && (!n || chy_utf8_valid(chy_span_of(data, n))));
    free(text);
    return 0;
}
