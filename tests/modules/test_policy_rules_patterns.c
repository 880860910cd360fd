/* Patterns for names: what they match, what is refused, that none of them is slow; and that they
 * agree with the C library's fnmatch and regexec where those speak the same language. */
#include "host.h"

#include <fnmatch.h>
#include <regex.h>
#include <time.h>

#include "../../modules/policy-rules/parse.c"
#include "../../modules/policy-rules/pattern.c"
#include "../../modules/policy-rules/program.c"

static bool matches(const char *pattern, const char *text)
{
    struct pattern p;
    struct value v;
    const char *rule = pattern_make(pattern, &p);
    if (rule) fail_msg("%s %s", pattern, rule);
    if (value_make(text, strlen(text), &v)) fail_msg("%s", text);
    bool yes = pattern_matches(&p, &v);
    pattern_free(&p);
    return yes;
}

static void what_they_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *yes, *no;
    } t[] = {
        {"www.corp.test", "www.corp.test", "www.corp.testx"},
        {"www.corp.test", "WWW.Corp.TEST", "wwwxcorp.test"},
        {"WWW.corp.test", "www.corp.test", ""},
        {"*.corp.test", "a.b.corp.test", "corp.test"},
        {"*.corp.test", "*.corp.test", "a.corp.test.evil"},
        {"\\*.corp.test", "*.corp.test", "a.corp.test"},
        {"web-??", "web-01", "web-1"},
        {"web-[0-9][!0-9]", "web-1a", "web-12"},
        {"[]x]", "]", "y"},
        {"*", "", ""},
        {"a*b*c", "axxbyyc", "axxcyyb"},
        {"M\xc3\xbcller ?", "M\xc3\xbcller \xc3\xbc", "M\xc3\xbcller"},
        {"re:", "", "a"},
        {"re:web[0-9]{2}\\.test", "web01.test", "web1.test"},
        {"re:^web[0-9]{2}\\.test$", "web01.test", "xweb01.test"},
        {"re:a|bc", "bc", "abc"},
        {"re:(a|b)c", "bc", "b"},
        {"re:(?:ab)+", "ababab", "aba"},
        {"re:a{2,}", "aaaa", "a"},
        {"re:a{0,2}", "", "aaa"},
        {"re:a{3}", "aaa", "aaaa"},
        {"re:\\d+\\w\\s\\D\\W\\S", "12_ a.b", "12_ aab"},
        {"re:[\\d\\-]+", "1-2", "1+2"},
        {"re:[^a-c]+", "XYZ", "xAz"},
        {"re:[A-C]+", "abcABC", "d"},
        {"re:\\$\\^\\|\\(", "$^|(", "x"},
        {"re:.", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80x"},
        {"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
        {"2001:db8::/32", "2001:db8::5", "2001:db9::5"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.11"},
        {"::1", "0:0::1", "::2"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        if (!matches(t[i].pattern, t[i].yes)) fail_msg("%s: %s", t[i].pattern, t[i].yes);
        if (strcmp(t[i].pattern, "*") != 0 && matches(t[i].pattern, t[i].no))
            fail_msg("%s: not %s", t[i].pattern, t[i].no);
    }
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *why;
    } t[] = {{"", "is empty"},
             {"[a", "without its \"]\""},
             {"[", "without its \"]\""},
             {"a\\", "ends in a backslash"},
             {"[b-a]", "ends before it starts"},
             {"\xff", "is no UTF-8"},
             {"re:(a", "\"(\" without its \")\""},
             {"re:a)", "\")\" without its \"(\""},
             {"re:*a", "nothing to repeat"},
             {"re:a|*", "nothing to repeat"},
             {"re:a{65}", "{2,5} up to 64"},
             {"re:a{2,1}", "{2,5} up to 64"},
             {"re:a{,2}", "{2,5} up to 64"},
             {"re:a{99999999999}", "{2,5} up to 64"},
             {"re:a^b", "has ^ or $ inside"},
             {"re:(a$)", "has ^ or $ inside"},
             {"re:^a|b$", "put the alternatives into ( )"},
             {"re:^a|b", "put the alternatives into ( )"},
             {"re:(?=a)", "there is no looking around"},
             {"re:\\1", ""},
             {"re:\\b", "unknown escape"},
             {"re:[\\D]", "unknown escape"},
             {"re:((a{64}){64}){64}", "is too large"},
             {"re:((((){64}){64}){64}){64}", "is too large"}};
    struct pattern p;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *rule = pattern_make(t[i].pattern, &p);
        if (!strcmp(t[i].pattern, "re:\\1")) {
            assert_null(rule); /* a digit behind a backslash is itself: nothing is referred back */
            pattern_free(&p);
            continue;
        }
        if (!rule || !strstr(rule, t[i].why)) fail_msg("%s: %s", t[i].pattern, rule);
    }
    char deep[PATTERN_TEXT_MAX + 2];
    memset(deep, '(', sizeof deep);
    memcpy(deep, "re:", 3);
    deep[sizeof deep - 1] = 0;
    assert_string_equal(pattern_make(deep, &p), "is longer than 512 octets");
    deep[100] = 0;
    assert_string_equal(pattern_make(deep, &p), "is nested too deep");
}

static void what_is_no_value(void **state)
{
    (void)state;
    struct value v;
    char text[NAME_CHARS_MAX + 2];
    memset(text, 'a', sizeof text);
    text[NAME_CHARS_MAX + 1] = 0;
    assert_string_equal(value_make(text, NAME_CHARS_MAX + 1, &v), "is longer than 1024 characters");
    text[NAME_CHARS_MAX] = 0;
    assert_null(value_make(text, NAME_CHARS_MAX, &v));
    static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xe2\x82", "\x80",         "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(value_make(bad[i], strlen(bad[i]), &v), "is no UTF-8");
    assert_string_equal(value_make("a\0b", 3, &v), "has a NUL inside");
}

/* The classics that bring a backtracking matcher to its knees. */
static void none_is_slow(void **state)
{
    (void)state;
    static const char *const t[] = {
        "re:(a*)*b",    "re:(a|a)*b",     "re:(a|aa)+b",        "re:(.*)*x",
        "re:(a?){64}b", "re:(a+)+(a+)+b", "*a*a*a*a*a*a*a*a*b", "re:((a{0,6}){0,6}){0,6}b"};
    char text[NAME_CHARS_MAX + 1];
    memset(text, 'a', NAME_CHARS_MAX);
    text[NAME_CHARS_MAX] = 0;
    clock_t start = clock();
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (matches(t[i], text)) fail_msg("%s", t[i]);
    /* CPU time; with sanitizers some tenths of a second. Backtracking would outlive the sun. */
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
}

static uint32_t seed = 1;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void random_text(char *out, const char *letters)
{
    size_t n = dice(9);
    for (size_t i = 0; i < n; i++)
        out[i] = letters[dice((uint32_t)strlen(letters))];
    out[n] = 0;
}

static void globs_agree_with_fnmatch(void **state)
{
    (void)state;
    char pattern[16], text[16];
    for (int i = 0; i < 20000; i++) {
        random_text(pattern, "abC*?*?.");
        random_text(text, "aBcabc.");
        if (!pattern[0]) continue;
        bool expected = fnmatch(pattern, text, FNM_CASEFOLD) == 0;
        if (matches(pattern, text) != expected) fail_msg("%s: %s", pattern, text);
    }
}

static size_t random_regex(char *out, unsigned depth)
{
    size_t n = 0;
    unsigned parts = 1 + dice(3);
    for (unsigned i = 0; i < parts; i++) {
        if (depth && dice(3) == 0) {
            out[n++] = '(';
            n += random_regex(out + n, depth - 1);
            out[n++] = '|';
            n += random_regex(out + n, depth - 1);
            out[n++] = ')';
        } else {
            static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "c"};
            const char *atom = atoms[dice(6)];
            memcpy(out + n, atom, strlen(atom));
            n += strlen(atom);
        }
        static const char *const again[] = {"", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}"};
        const char *more = again[dice(9)];
        memcpy(out + n, more, strlen(more));
        n += strlen(more);
    }
    return n;
}

static void expressions_agree_with_regexec(void **state)
{
    (void)state;
    char own[400] = "re:", theirs[420], text[16];
    for (int i = 0; i < 4000; i++) {
        regex_t re;
        size_t n = random_regex(own + 3, 2);
        own[3 + n] = 0;
        snprintf(theirs, sizeof theirs, "^(%s)$", own + 3);
        if (regcomp(&re, theirs, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0) fail_msg("%s", theirs);
        for (int k = 0; k < 5; k++) {
            random_text(text, "abcAB");
            bool expected = regexec(&re, text, 0, NULL, 0) == 0;
            if (matches(own, text) != expected) fail_msg("%s: %s", own, text);
        }
        regfree(&re);
    }
}

static void lists_find_exact_names_among_many(void **state)
{
    (void)state;
    struct patterns l = {0};
    struct value v;
    char name[40];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "Host%d.test", (i * 7919) % 5000);
        assert_null(patterns_add(&l, name));
    }
    assert_null(patterns_add(&l, "*.evil.test"));
    assert_null(patterns_add(&l, "10.0.0.0/8"));
    patterns_sort(&l);
    assert_int_equal(l.n_exact, 5000);
    for (int i = 0; i < 5000; i += 7) {
        snprintf(name, sizeof name, "hosT%d.test", i);
        assert_null(value_make(name, strlen(name), &v));
        assert_non_null(patterns_find(&l, &v));
    }
    assert_null(value_make("host5000.test", 13, &v));
    assert_null(patterns_find(&l, &v));
    assert_null(value_make("a.evil.test", 11, &v));
    assert_string_equal(patterns_find(&l, &v), "*.evil.test");
    assert_null(value_make("10.1.2.3", 8, &v));
    assert_string_equal(patterns_find(&l, &v), "10.0.0.0/8");
    patterns_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_they_match),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(what_is_no_value),
        cmocka_unit_test(none_is_slow),
        cmocka_unit_test(globs_agree_with_fnmatch),
        cmocka_unit_test(expressions_agree_with_regexec),
        cmocka_unit_test(lists_find_exact_names_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
