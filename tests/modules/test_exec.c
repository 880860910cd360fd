/* What the exec modules believe of a line, and how values and names cross. */
#include "host.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "exec/names.h"
#include "exec/value.h"
#include "exec/wire.h"

static const char *parse(const char *line)
{
    cJSON *v = NULL;
    const char *why = wire_parse(line, strlen(line), &v);
    assert_true((v != NULL) == (why == NULL));
    cJSON_Delete(v);
    return why ? why : "";
}

static void lines(void **state)
{
    (void)state;
    assert_string_equal(parse("{}"), "");
    assert_string_equal(parse(" {\"a\":[1,{\"b\":\"\\u00e9 \xc3\xa9 \xf0\x9f\x98\x80\"}]} \r"), "");
    assert_string_equal(parse("{\"a\":\"\\\\u0000\"}"), "");
    assert_string_equal(parse(""), "is not JSON");
    assert_string_equal(parse("{"), "is not JSON");
    assert_string_equal(parse("{} {}"), "has more than one value");
    assert_string_equal(parse("{},"), "has more than one value");
    assert_string_equal(parse("[]"), "is not an object");
    assert_string_equal(parse("\"issue\""), "is not an object");
    assert_string_equal(parse("{\"a\":1,\"b\":2,\"a\":1}"), "has a member twice");
    assert_string_equal(parse("{\"a\":\"\\u0000\"}"), "has a NUL in a text");
    assert_string_equal(parse("{\"a\":\"\\\\\\u0000\"}"), "has a NUL in a text");
    assert_string_equal(parse("{\"a\":\"\t\"}"), "has a control character in a text");
}

static void encodings(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80",
                                      "\xe2\x82",
                                      "\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[40];
        snprintf(line, sizeof line, "{\"a\":\"%s\"}", bad[i]);
        assert_string_equal(parse(line), "is not UTF-8");
    }
    assert_string_equal(parse("{\"a\":\"\xef\xbf\xbd\xee\x80\x80\xf4\x8f\xbf\xbf\"}"), "");
}

/* count opening brackets and as many closing ones in an object */
static const char *nested(size_t count)
{
    static char line[200];
    size_t n = (size_t)snprintf(line, sizeof line, "{\"a\":");
    memset(line + n, '[', count);
    memset(line + n + count, ']', count);
    memcpy(line + n + 2 * count, "}", 2);
    return line;
}

static void bounds(void **state)
{
    (void)state;
    char *many = malloc(3 * WIRE_VALUES_MAX);
    assert_non_null(many);
    size_t n = (size_t)sprintf(many, "{\"a\":[1");
    for (size_t i = 0; i < WIRE_VALUES_MAX; i++)
        n += (size_t)sprintf(many + n, ",1");
    memcpy(many + n, "]}", 3);
    assert_string_equal(parse(nested(WIRE_DEPTH_MAX - 1)), "");
    assert_string_equal(parse(nested(WIRE_DEPTH_MAX)), "is nested too deeply");
    assert_string_equal(parse(many), "has too many values");
    free(many);
}

struct ends {
    struct wire wire;
    int program_in, program_out;
};

/* A wire to ourselves. */
static struct ends wire_open(void)
{
    int to[2], from[2];
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    assert_int_equal(fcntl(to[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(from[0], F_SETFL, O_NONBLOCK), 0);
    struct ends e = {.wire = {.in = to[1], .out = from[0], .pidfd = -1},
                     .program_in = to[0],
                     .program_out = from[1]};
    return e;
}

static void wire_close(struct ends *e)
{
    close(e->wire.in);
    close(e->wire.out);
    if (e->program_in >= 0) close(e->program_in);
    if (e->program_out >= 0) close(e->program_out);
    wire_free(&e->wire);
}

static chy_hresult read_within(struct ends *e, int ms, const char **why)
{
    cJSON *line = NULL;
    chy_hresult hr = wire_read(&e->wire, wire_now() + ms, &line, why);
    cJSON_Delete(line);
    return hr;
}

static void reading(void **state)
{
    struct ends e = wire_open();
    const char *why = "";
    (void)state;
    assert_int_equal(read_within(&e, 30, &why), CHY_ERROR_TIMEOUT);
    assert_int_equal(write(e.program_out, "{\"a\":1}\n{\"b\"", 12), 12);
    assert_int_equal(read_within(&e, 5000, &why), CHY_S_OK);
    assert_int_equal(read_within(&e, 30, &why), CHY_ERROR_TIMEOUT);
    assert_int_equal(write(e.program_out, ":2}\n", 4), 4);
    assert_int_equal(read_within(&e, 5000, &why), CHY_S_OK);
    assert_int_equal(write(e.program_out, "\n", 1), 1);
    assert_int_equal(read_within(&e, 5000, &why), CHY_ERROR_INVALID_DATA);
    /* What is there already does not prolong the time. */
    assert_int_equal(write(e.program_out, "{\"a\":1}\n", 8), 8);
    assert_int_equal(read_within(&e, 0, &why), CHY_ERROR_TIMEOUT);
    assert_int_equal(read_within(&e, 5000, &why), CHY_S_OK);
    assert_int_equal(write(e.program_out, "{\"half\"", 7), 7);
    close(e.program_out);
    e.program_out = -1;
    assert_int_equal(read_within(&e, 5000, &why), CHY_E_FAIL);
    assert_string_equal(why, "the program ended without an answer");
    wire_close(&e);
    (void)state;
}

/* Writing to who has gone raises no signal, and one that nobody reads ends in time. */
static void writing(void **state)
{
    struct ends e = wire_open();
    const char *why = "";
    char *line = calloc(1, WIRE_LINE_MAX + 1);
    (void)state;
    assert_non_null(line);
    assert_int_equal(wire_write(&e.wire, line, WIRE_LINE_MAX + 1, wire_now() + 5000, &why),
                     CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_int_equal(wire_write(&e.wire, line, WIRE_LINE_MAX, wire_now() + 50, &why),
                     CHY_ERROR_TIMEOUT);
    close(e.program_in);
    e.program_in = -1;
    assert_int_equal(wire_write(&e.wire, line, 1, wire_now() + 5000, &why), CHY_E_FAIL);
    sigset_t pending;
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    free(line);
    wire_close(&e);
}

static cJSON *text(const char *s)
{
    cJSON *j = cJSON_CreateString(s);
    assert_non_null(j);
    return j;
}

static bool time_is(const char *s, chy_time seconds)
{
    chy_time t = -1;
    cJSON *j = text(s);
    const char *why = value_time(j, &t);
    cJSON_Delete(j);
    return !why && t == seconds * 1000000;
}

static bool no_time(const char *s)
{
    chy_time t;
    cJSON *j = text(s);
    const char *why = value_time(j, &t);
    cJSON_Delete(j);
    return why != NULL;
}

static void times(void **state)
{
    (void)state;
    assert_true(time_is("1970-01-01T00:00:00Z", 0));
    assert_true(time_is("2026-11-21T08:05:00Z", 1795248300));
    assert_true(time_is("2026-11-21T08:05:00.75z", 1795248300));
    assert_true(time_is("2026-11-21T10:05:00+02:00", 1795248300));
    assert_true(time_is("2026-11-20T23:35:00-08:30", 1795248300));
    assert_true(time_is("2024-02-29T00:00:00Z", 1709164800));
    assert_true(time_is("9999-12-31T23:59:59Z", 253402300799));
    assert_true(no_time("2026-02-29T00:00:00Z"));
    assert_true(no_time("2026-13-01T00:00:00Z"));
    assert_true(no_time("2026-01-01T24:00:00Z"));
    assert_true(no_time("2026-01-01T00:00:60Z"));
    assert_true(no_time("2026-01-01T00:00:00"));
    assert_true(no_time("2026-01-01T00:00:00+2:00"));
    assert_true(no_time("2026-01-01"));
    assert_true(no_time(""));
}

static void numbers(void **state)
{
    static const double bad[] = {1.5, 2147483648.0, -2147483649.0, 1e300};
    chy_hresult code = 0;
    chy_time t;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cJSON *j = cJSON_CreateNumber(bad[i]);
        assert_non_null(value_code(j, &code));
        cJSON_Delete(j);
    }
    cJSON *j = cJSON_CreateNumber(1795248300);
    assert_null(value_time(j, &t));
    assert_true(t == INT64_C(1795248300000000));
    cJSON_SetNumberValue(j, -1);
    assert_non_null(value_time(j, &t));
    cJSON_Delete(j);
    j = text("0x80094012");
    assert_null(value_code(j, &code));
    assert_int_equal(code, CHY_CERTSRV_E_TEMPLATE_DENIED);
    cJSON_Delete(j);
    static const char *const codes[] = {"0x8009401", "0x8009401g", "80094012", "0x800940120", "1"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        j = text(codes[i]);
        assert_non_null(value_code(j, &code));
        cJSON_Delete(j);
    }
}

/* What base64 decodes to, in hex; "-" where it does not. */
static const char *octets(const char *s)
{
    static char hex[80];
    chy_bytes b;
    cJSON *j = text(s);
    const char *why = value_octets(j, &b);
    cJSON_Delete(j);
    snprintf(hex, sizeof hex, "%s", why ? "-" : "");
    for (size_t i = 0; i < b.n; i++)
        snprintf(hex + 2 * i, 3, "%02x", b.p[i]);
    free(b.p);
    return hex;
}

static void base64(void **state)
{
    (void)state;
    assert_string_equal(octets(""), "");
    assert_string_equal(octets("BQA="), "0500");
    assert_string_equal(octets("AwIHgA=="), "03020780");
    assert_string_equal(octets("+/+/"), "fbffbf");
    assert_string_equal(octets("BQA"), "-");
    assert_string_equal(octets("BQB="), "-");
    assert_string_equal(octets("B==="), "-");
    assert_string_equal(octets("===="), "-");
    assert_string_equal(octets("BQ=A"), "-");
    assert_string_equal(octets("BQ A"), "-");
    assert_string_equal(octets("BQA=BQA="), "-");
}

static const char *names_of(const char *names)
{
    static char out[2000];
    uint8_t der[1000];
    struct kit_text t = {0};
    names_add(&t, der, fake_san_der(der, names));
    snprintf(out, sizeof out, "%s", kit_text_cstr(&t));
    kit_text_free(&t);
    return out;
}

static void names(void **state)
{
    static const uint8_t cut[] = {0x30, 4, 0x82, 3, 'a', 'b'};
    struct kit_text t = {0};
    (void)state;
    assert_string_equal(names_of("dns:a.test ip4:192.0.2.1 ip6:2001:db8::1 email:a@b.test"),
                        "[{\"type\":\"dns\",\"value\":\"a.test\"},"
                        "{\"type\":\"ip\",\"value\":\"192.0.2.1\"},"
                        "{\"type\":\"ip\",\"value\":\"2001:db8::1\"},"
                        "{\"type\":\"email\",\"value\":\"a@b.test\"}]");
    assert_string_equal(names_of("uri:https://a.test/ upn:a@b.test rid:"),
                        "[{\"type\":\"uri\",\"value\":\"https://a.test/\"},"
                        "{\"type\":\"upn\",\"value\":\"a@b.test\"},"
                        "{\"type\":\"other\",\"value\":\"iAIqAw==\"}]");
    names_add(&t, cut, sizeof cut);
    assert_string_equal(kit_text_cstr(&t), "null");
    kit_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),   cmocka_unit_test(encodings), cmocka_unit_test(bounds),
        cmocka_unit_test(reading), cmocka_unit_test(writing),   cmocka_unit_test(times),
        cmocka_unit_test(numbers), cmocka_unit_test(base64),    cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
