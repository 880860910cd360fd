/* Conditions and ranges, clause by clause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "net/http_conditions.h"

#define MODIFIED (INT64_C(784111777) * CHY_US_PER_S + 250000)
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

struct rule {
    const char *fields;
    int status;
    uint64_t first, n;
};

static struct chy_http_part judge(const char *method, const char *fields,
                                  const struct chy_http_selected *sel)
{
    static const struct chy_http_limits limits = {.head_max = 16384, .header_count_max = 64};
    static struct chy_http_parser p;
    static char in[4096];
    struct chy_http_part part;
    size_t n = (size_t)snprintf(in, sizeof(in), "%s / HTTP/1.1\r\nHost: a\r\n%s%s\r\n", method,
                                fields, *fields ? "\r\n" : "");
    chy_http_start(&p, &limits);
    assert_int_equal(chy_http_head(&p, in, n), CHY_HTTP_DONE);
    chy_http_conditions(&p.req, sel, &part);
    return part;
}

static struct chy_http_selected usual(void)
{
    return (struct chy_http_selected){.etag = "\"a1\"",
                                      .modified = MODIFIED,
                                      .now = MODIFIED + 3600 * CHY_US_PER_S,
                                      .size = 1000};
}

static void check(const char *method, const struct rule *rules, size_t n,
                  const struct chy_http_selected *sel)
{
    for (size_t i = 0; i < n; i++) {
        struct chy_http_part part = judge(method, rules[i].fields, sel);
        if (part.status != rules[i].status)
            fail_msg("%s: %d, not %d", rules[i].fields, part.status, rules[i].status);
        if (part.status != 200 && part.status != 206) continue;
        uint64_t want = rules[i].n ? rules[i].n : sel->size;
        if (part.first != rules[i].first || part.n != want)
            fail_msg("%s: %llu+%llu", rules[i].fields, (unsigned long long)part.first,
                     (unsigned long long)part.n);
    }
}

static void none_match(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"", 200, 0, 0},
        {"If-None-Match: \"a1\"", 304, 0, 0},
        {"if-none-match: W/\"a1\"", 304, 0, 0},
        {"If-None-Match: *", 304, 0, 0},
        {"If-None-Match: \"x\", W/\"y\" ,, \"a1\"", 304, 0, 0},
        {"If-None-Match: \"x\"\r\nIf-None-Match: \"a1\"", 304, 0, 0},
        {"If-None-Match: \"A1\"", 200, 0, 0},
        {"If-None-Match: \"x,\", \"a1\"", 304, 0, 0},
        {"If-None-Match: \"x, \"a1\"", 200, 0, 0},
        {"If-None-Match: a1", 200, 0, 0},
        {"If-None-Match: \"a1", 200, 0, 0},
        {"If-None-Match: \"a1\"x", 200, 0, 0},
        {"If-None-Match: w/\"a1\"", 200, 0, 0},
        {"If-None-Match: \"a1\", *", 304, 0, 0},
        {"If-None-Match: \"x\", *", 200, 0, 0},
        {"If-None-Match: ", 200, 0, 0},
        {"If-None-Match: \"\"", 200, 0, 0},
    };
    struct chy_http_selected sel = usual();
    check("GET", rules, CHY_ARRAY_LEN(rules), &sel);
    check("HEAD", rules, CHY_ARRAY_LEN(rules), &sel);
    sel.etag = "W/\"a1\"";
    assert_int_equal(judge("GET", "If-None-Match: \"a1\"", &sel).status, 304);
    sel.etag = NULL;
    assert_int_equal(judge("GET", "If-None-Match: \"a1\"", &sel).status, 200);
    assert_int_equal(judge("GET", "If-None-Match: *", &sel).status, 304);
}

static void match(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"If-Match: \"a1\"", 200, 0, 0},
        {"If-Match: *", 200, 0, 0},
        {"If-Match: \"x\", \"a1\"", 200, 0, 0},
        {"If-Match: \"x\"\r\nIf-Match: \"a1\"", 200, 0, 0},
        {"If-Match: W/\"a1\"", 412, 0, 0},
        {"If-Match: \"x\"", 412, 0, 0},
        {"If-Match: a1", 412, 0, 0},
    };
    struct chy_http_selected sel = usual();
    check("GET", rules, CHY_ARRAY_LEN(rules), &sel);
    check("HEAD", rules, CHY_ARRAY_LEN(rules), &sel);
    sel.etag = "W/\"a1\"";
    assert_int_equal(judge("GET", "If-Match: W/\"a1\"", &sel).status, 412);
    sel.etag = NULL;
    assert_int_equal(judge("GET", "If-Match: \"a1\"", &sel).status, 412);
    assert_int_equal(judge("GET", "If-Match: *", &sel).status, 200);
}

static void dates(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"If-Modified-Since: " DATE, 304, 0, 0},
        {"If-Modified-Since: " AFTER, 304, 0, 0},
        {"If-Modified-Since: " BEFORE, 200, 0, 0},
        {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304, 0, 0},
        {"If-Modified-Since: Sun Nov  6 08:49:37 1994", 304, 0, 0},
        {"If-Modified-Since: yesterday", 200, 0, 0},
        {"If-Modified-Since: " DATE "\r\nIf-Modified-Since: " DATE, 200, 0, 0},
        {"If-Unmodified-Since: " DATE, 200, 0, 0},
        {"If-Unmodified-Since: " AFTER, 200, 0, 0},
        {"If-Unmodified-Since: " BEFORE, 412, 0, 0},
        {"If-Unmodified-Since: yesterday", 200, 0, 0},
    };
    struct chy_http_selected sel = usual();
    check("GET", rules, CHY_ARRAY_LEN(rules), &sel);
    check("HEAD", rules, CHY_ARRAY_LEN(rules), &sel);
    sel.modified = 0;
    assert_int_equal(judge("GET", "If-Modified-Since: " AFTER, &sel).status, 200);
    assert_int_equal(judge("GET", "If-Unmodified-Since: " BEFORE, &sel).status, 200);
}

/* RFC 9110 13.2.2. */
static void order(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"If-Match: \"x\"\r\nIf-None-Match: \"a1\"", 412, 0, 0},
        {"If-Match: \"a1\"\r\nIf-None-Match: \"a1\"", 304, 0, 0},
        {"If-Match: \"a1\"\r\nIf-Unmodified-Since: " BEFORE, 200, 0, 0},
        {"If-Unmodified-Since: " BEFORE "\r\nIf-None-Match: \"a1\"", 412, 0, 0},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " DATE, 200, 0, 0},
        {"If-None-Match: \"a1\"\r\nIf-Modified-Since: " BEFORE, 304, 0, 0},
        {"If-None-Match: \"a1\"\r\nRange: bytes=0-1", 304, 0, 0},
        {"If-Match: \"x\"\r\nRange: bytes=0-1", 412, 0, 0},
        {"If-Match: \"x\"\r\nRange: bytes=5000-", 412, 0, 0},
        {"If-Match: \"a1\"\r\nRange: bytes=0-1", 206, 0, 2},
        {"If-None-Match: \"x\"\r\nRange: bytes=0-1", 206, 0, 2},
    };
    struct chy_http_selected sel = usual();
    check("GET", rules, CHY_ARRAY_LEN(rules), &sel);
}

static void ranges(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"Range: bytes=0-0", 206, 0, 1},
        {"Range: bytes=0-499", 206, 0, 500},
        {"Range: bytes=500-", 206, 500, 500},
        {"Range: bytes=999-", 206, 999, 1},
        {"Range: bytes=0-", 206, 0, 1000},
        {"Range: bytes=0-999", 206, 0, 1000},
        {"Range: bytes=990-5000", 206, 990, 10},
        {"Range: bytes=5-99999999999999999999999999", 206, 5, 995},
        {"Range: bytes=-1", 206, 999, 1},
        {"Range: bytes=-1000", 206, 0, 1000},
        {"Range: bytes=-99999999999999999999999999", 206, 0, 1000},
        {"Range: BYTES= 1-2", 206, 1, 2},
        {"Range: bytes=1000-", 416, 0, 0},
        {"Range: bytes=1000-1001", 416, 0, 0},
        {"Range: bytes=99999999999999999999999999-", 416, 0, 0},
        {"Range: bytes=-0", 416, 0, 0},
        {"Range: bytes=0-1,5-6", 200, 0, 0},
        {"Range: bytes=0-1,", 200, 0, 0},
        {"Range: bytes=0-1\r\nRange: bytes=5-6", 200, 0, 0},
        {"Range: lines=0-1", 200, 0, 0},
        {"Range: bytes 0-1", 200, 0, 0},
        {"Range: bytes", 200, 0, 0},
        {"Range: bytes=", 200, 0, 0},
        {"Range: bytes=-", 200, 0, 0},
        {"Range: bytes=5", 200, 0, 0},
        {"Range: bytes=2-1", 200, 0, 0},
        {"Range: bytes=1-2x", 200, 0, 0},
        {"Range: bytes=+1-2", 200, 0, 0},
        {"Range: bytes=--2", 200, 0, 0},
        {"Range: ", 200, 0, 0},
    };
    struct chy_http_selected sel = usual();
    check("GET", rules, CHY_ARRAY_LEN(rules), &sel);
    /* RFC 9110 14.2: only GET has ranges. */
    assert_int_equal(judge("HEAD", "Range: bytes=0-1", &sel).status, 200);
    assert_int_equal(judge("HEAD", "Range: bytes=5000-", &sel).status, 200);
    sel.size = 0;
    assert_int_equal(judge("GET", "Range: bytes=0-", &sel).status, 416);
    assert_int_equal(judge("GET", "Range: bytes=-5", &sel).status, 200);
    assert_int_equal(judge("GET", "Range: bytes=-0", &sel).status, 416);
    sel.size = UINT64_MAX;
    struct chy_http_part part = judge("GET", "Range: bytes=1-", &sel);
    assert_true(part.status == 206 && part.first == 1 && part.n == UINT64_MAX - 1);
}

static void if_range(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"If-Range: \"a1\"\r\nRange: bytes=0-1", 206, 0, 2},
        {"If-Range: \"x\"\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: W/\"a1\"\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: \"a1\", \"x\"\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: *\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: \"a1\"\r\nIf-Range: \"a1\"\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: " DATE "\r\nRange: bytes=0-1", 206, 0, 2},
        {"If-Range: " AFTER "\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: " BEFORE "\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: never\r\nRange: bytes=0-1", 200, 0, 0},
        {"If-Range: \"x\"\r\nRange: bytes=5000-", 200, 0, 0},
        {"If-Range: \"x\"", 200, 0, 0},
    };
    struct chy_http_selected sel = usual();
    check("GET", rules, CHY_ARRAY_LEN(rules), &sel);
    /* Within the second in which it was changed a date says nothing. */
    sel.now = MODIFIED + 500000;
    assert_int_equal(judge("GET", "If-Range: " DATE "\r\nRange: bytes=0-1", &sel).status, 200);
    sel = usual();
    sel.etag = "W/\"a1\"";
    assert_int_equal(judge("GET", "If-Range: W/\"a1\"\r\nRange: bytes=0-1", &sel).status, 200);
    sel.etag = NULL;
    assert_int_equal(judge("GET", "If-Range: \"a1\"\r\nRange: bytes=0-1", &sel).status, 200);
    sel.modified = 0;
    assert_int_equal(judge("GET", "If-Range: " DATE "\r\nRange: bytes=0-1", &sel).status, 200);
}

static void other_methods_have_the_whole(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"If-None-Match: *", 200, 0, 0},
        {"If-Match: \"x\"", 200, 0, 0},
        {"Range: bytes=5-6", 200, 0, 0},
    };
    struct chy_http_selected sel = usual();
    check("POST", rules, CHY_ARRAY_LEN(rules), &sel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_match),
        cmocka_unit_test(match),
        cmocka_unit_test(dates),
        cmocka_unit_test(order),
        cmocka_unit_test(ranges),
        cmocka_unit_test(if_range),
        cmocka_unit_test(other_methods_have_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
