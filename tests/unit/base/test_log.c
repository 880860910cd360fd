/* The log as it stands on standard error: one line per event whatever the values hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/sys.h"
#include "base/text.h"

enum { LINE_OCTETS = 8192 };

static char got[65536];
static int kept_stderr, pipe_read;

static void catch_stderr(void)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    kept_stderr = dup(STDERR_FILENO);
    assert_true(kept_stderr >= 0);
    assert_int_equal(dup2(fd[1], STDERR_FILENO), STDERR_FILENO);
    close(fd[1]);
    pipe_read = fd[0];
}

static size_t release_stderr(void)
{
    size_t n = 0;
    assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
    close(kept_stderr);
    for (;;) {
        ssize_t k = read(pipe_read, got + n, sizeof(got) - 1 - n);
        if (k <= 0) break;
        n += (size_t)k;
    }
    close(pipe_read);
    got[n] = 0;
    return n;
}

#define LOGGED(call) (catch_stderr(), (call), release_stderr())

/* The line behind its time, without its end; the time is this minute's. */
static const char *line(void)
{
    char when[32];
    chy_time t;
    size_t n = strcspn(got, " "), end = strlen(got);
    assert_true(n < sizeof(when) && end > n);
    memcpy(when, got, n);
    when[n] = 0;
    assert_true(chy_time_parse(when, &t));
    assert_true(chy_now(&chy_system_clock) - t < 60 * CHY_US_PER_S);
    assert_int_equal(got[end - 1], '\n');
    assert_null(memchr(got, '\n', end - 1));
    got[end - 1] = 0;
    return got + n + 1;
}

static void test_text_form(void **state)
{
    (void)state;
    chy_log_setup(CHY_LOG_LEVEL_DEBUG, CHY_LOG_FORMAT_TEXT);
    LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "request.issued", "id", "7", "who", "a b", NULL));
    assert_string_equal(line(), "INFO request.issued id=7 who=\"a b\"");
    LOGGED(chy_log(CHY_LOG_LEVEL_ERROR, "ca.stopped", NULL));
    assert_string_equal(line(), "ERROR ca.stopped");
    LOGGED(chy_log(CHY_LOG_LEVEL_WARNING, "x", "k", NULL, "l", "", NULL));
    assert_string_equal(line(), "WARNING x k=\"\" l=\"\"");
    LOGGED(chy_log(CHY_LOG_LEVEL_DEBUG, "x", "k", "v", NULL));
    assert_string_equal(line(), "DEBUG x k=v");
}

static void expect_shown(const char *value, const char *shown)
{
    char want[200];
    chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_TEXT);
    LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", value, "z", "1", NULL));
    snprintf(want, sizeof(want), "INFO e k=%s z=1", shown);
    assert_string_equal(line(), want);
}

static void test_values_are_escaped(void **state)
{
    (void)state;
    expect_shown("plain-1.2:3/4", "plain-1.2:3/4");
    expect_shown("a=b", "\"a=b\"");
    expect_shown("say \"no\"", "\"say \\\"no\\\"\"");
    expect_shown("C:\\x", "\"C:\\\\x\"");
    expect_shown("a\nINFO forged k=v", "\"a\\x0aINFO forged k=v\"");
    expect_shown("a\r\t\x1b[31m\x7f", "\"a\\x0d\\x09\\x1b[31m\\x7f\"");
    expect_shown("M\xc3\xbcnchen \xf0\x9f\x98\x80", "\"M\xc3\xbcnchen \xf0\x9f\x98\x80\"");
    expect_shown("M\xc3\xbcnchen", "M\xc3\xbcnchen");
    expect_shown("\xc2\x9b"
                 "31m\xc2\x85",
                 "\"\\xc2\\x9b31m\\xc2\\x85\"");
    expect_shown("\xff\xc3", "\"\\xff\\xc3\"");
    expect_shown("a\xe2\x82", "\"a\\xe2\\x82\"");
}

/* No octet, alone or in a pair, makes a second line or an unreadable one. */
static void test_every_octet_stays_in_its_line(void **state)
{
    (void)state;
    chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_TEXT);
    for (unsigned c = 1; c < 256; c++) {
        char value[] = {'a', (char)c, 'b', (char)c, (char)0x80, 0};
        LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", value, NULL));
        const char *l = line();
        assert_true(chy_utf8_valid(chy_span_cstr(l)));
        for (const char *p = l; *p; p++)
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
}

static void test_levels(void **state)
{
    (void)state;
    for (int max = CHY_LOG_LEVEL_ERROR; max <= CHY_LOG_LEVEL_DEBUG; max++) {
        chy_log_setup((enum chy_log_level)max, CHY_LOG_FORMAT_TEXT);
        for (int level = CHY_LOG_LEVEL_ERROR; level <= CHY_LOG_LEVEL_DEBUG; level++) {
            assert_int_equal(chy_log_on((enum chy_log_level)level), level <= max);
            size_t n = LOGGED(chy_log((enum chy_log_level)level, "e", NULL));
            assert_int_equal(n > 0, level <= max);
        }
    }
}

static cJSON *json_line(void)
{
    cJSON *v = NULL;
    struct chy_err err = {0};
    size_t n = strlen(got);
    assert_true(n > 0);
    assert_int_equal(got[n - 1], '\n');
    assert_null(memchr(got, '\n', n - 1));
    if (chy_json_parse(chy_span_of(got, n), n, &v, &err) != CHY_S_OK) fail_msg("%s", err.text);
    return v;
}

static void test_json_form(void **state)
{
    (void)state;
    chy_time t;
    chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_JSON);
    LOGGED(chy_log(CHY_LOG_LEVEL_WARNING, "request.denied", "id", "7", "text",
                   "a\n\"b\"\\ \x1b\xc3\xbc", "octets", "\xff", "none", NULL, NULL));
    cJSON *v = json_line();
    assert_true(chy_time_parse(chy_json_str(v, "time", NULL), &t));
    assert_true(chy_now(&chy_system_clock) - t < 60 * CHY_US_PER_S);
    assert_string_equal(chy_json_str(v, "level", NULL), "WARNING");
    assert_string_equal(chy_json_str(v, "event", NULL), "request.denied");
    assert_string_equal(chy_json_str(v, "id", NULL), "7");
    assert_string_equal(chy_json_str(v, "text", NULL), "a\n\"b\"\\ \x1b\xc3\xbc");
    assert_string_equal(chy_json_str(v, "octets", NULL), "ff");
    assert_string_equal(chy_json_str(v, "none", NULL), "");
    assert_int_equal(cJSON_GetArraySize(v), 7);
    cJSON_Delete(v);
}

static void test_long_lines_are_cut_and_stay_lines(void **state)
{
    static char value[20000];
    (void)state;
    for (int spaced = 0; spaced < 2; spaced++) {
        memset(value, 'x', sizeof(value) - 1);
        if (spaced) value[10] = ' ';
        chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_TEXT);
        size_t n = LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", value, "z", "1", NULL));
        assert_true(n <= LINE_OCTETS + 1);
        assert_memory_equal(line(), "INFO e k=", 9);
        chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_JSON);
        n = LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", value, "z", "1", NULL));
        assert_true(n <= LINE_OCTETS + 1);
        cJSON *v = json_line();
        assert_string_equal(chy_json_str(v, "event", NULL), "e");
        assert_string_equal(chy_json_str(v, "truncated", NULL), "true");
        cJSON_Delete(v);
    }
}

/* The longest line that is not cut, and the first that is. */
static void test_the_bound_of_a_line_is_exact(void **state)
{
    static char value[LINE_OCTETS + 1];
    (void)state;
    chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_JSON);
    size_t before = LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", "", NULL));
    assert_true(before > 0);
    size_t fits =
        LINE_OCTETS - strlen("{\"time\":\"2026-11-21T05:58:04.123456Z\",\"level\":\"INFO\","
                             "\"event\":\"e\",\"k\":\"\"}");
    for (size_t n = fits - 20; n <= fits + 20; n++) {
        memset(value, 'x', n);
        value[n] = 0;
        size_t len = LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", value, NULL));
        cJSON *v = json_line();
        const char *k = chy_json_str(v, "k", NULL);
        assert_int_equal(k != NULL, chy_json_str(v, "truncated", NULL) == NULL);
        if (k) assert_int_equal(strlen(k), n);
        /* The time has no fraction once in a million lines; else the length decides. */
        if (strchr(chy_json_str(v, "time", NULL), '.')) assert_int_equal(k != NULL, n <= fits);
        assert_true(len <= LINE_OCTETS + 1);
        cJSON_Delete(v);
    }
}

static void test_fields_beyond_sixteen_are_left_out(void **state)
{
    (void)state;
    chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_TEXT);
    LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f",
                   "6", "g", "7", "h", "8", "i", "9", "j", "10", "k", "11", "l", "12", "m", "13",
                   "n", "14", "o", "15", "p", "16", "q", "17", NULL));
    assert_string_equal(line(), "INFO e a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8 i=9 j=10 k=11 l=12 m=13 "
                                "n=14 o=15 p=16");
}

/* Where there is no journal its lines are not lost. */
static void test_without_a_journal_the_line_is_text(void **state)
{
    (void)state;
    if (access("/run/systemd/journal/socket", F_OK) == 0) skip();
    chy_log_setup(CHY_LOG_LEVEL_INFO, CHY_LOG_FORMAT_JOURNAL);
    LOGGED(chy_log(CHY_LOG_LEVEL_INFO, "e", "k", "a b", NULL));
    assert_string_equal(line(), "INFO e k=\"a b\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_form),
        cmocka_unit_test(test_values_are_escaped),
        cmocka_unit_test(test_every_octet_stays_in_its_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_json_form),
        cmocka_unit_test(test_long_lines_are_cut_and_stay_lines),
        cmocka_unit_test(test_the_bound_of_a_line_is_exact),
        cmocka_unit_test(test_fields_beyond_sixteen_are_left_out),
        cmocka_unit_test(test_without_a_journal_the_line_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
