/* Heads and bodies to requests: what is understood, and every refusal, whole and octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_parse.h"

static const struct chy_http_limits limits = {.head_max = 16384, .header_count_max = 64};

#define IN_MAX 40000

struct input {
    char octets[IN_MAX];
    struct chy_http_parser parser;
};

/* In pieces of `piece` octets, as a slow client would send them. */
static enum chy_http_step parse(struct input *in, const char *text, size_t n, size_t piece)
{
    assert_true(n <= IN_MAX);
    memset(&in->parser, 0xa5, sizeof(in->parser));
    chy_http_start(&in->parser, &limits);
    enum chy_http_step step = CHY_HTTP_MORE;
    for (size_t have = 0; step == CHY_HTTP_MORE && have < n;) {
        size_t k = n - have < piece ? n - have : piece;
        memcpy(in->octets + have, text + have, k);
        have += k;
        step = chy_http_head(&in->parser, in->octets, have);
    }
    return step;
}

struct refusal {
    const char *head;
    size_t n;
    int status;
    const char *word; /* of the reason */
};
#define HEAD(lit, status, word)                                                                    \
    {                                                                                              \
        lit, sizeof(lit) - 1, status, word                                                         \
    }

static const struct refusal refusals[] = {
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\rEvil: c\r\n\r\n", 400, "bare CR"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\rTransfer-Encoding: chunked\r\n\r\n", 400, "bare CR"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", 400, "bare CR"),
    HEAD("GET / HTTP/1.1\nHost: a\n\n", 400, "bare LF"),
    HEAD("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare LF"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400, "NUL"),
    HEAD("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "NUL"),
    HEAD("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "control"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\x01\r\n\r\n", 400, "control"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n", 400, "control"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400, "folded"),
    HEAD("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400, "folded"),
    HEAD("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "empty lines"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         400, "beside"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
         400, "beside"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400,
         "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400,
         "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400, "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400, "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400, "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\n", 400, "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400, "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400,
         "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000000\r\n\r\n", 400,
         "Content-Length"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "chunked"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 501, "chunked"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "chunked"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501, "chunked"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 501, "chunked"),
    HEAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "1.0"),
    HEAD("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", 400, "malformed"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "malformed"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, "malformed"),
    HEAD("GET / HTTP/1.1\r\n\r\n", 400, "Host: missing"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "repeated"),
    HEAD("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, "repeated"),
    HEAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host: malformed"),
    HEAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host: malformed"),
    HEAD("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "Host: malformed"),
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nAuthorization: c\r\n\r\n", 400,
         "repeated"),
    HEAD("POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417, "Expect"),
    HEAD("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"),
    HEAD("get / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"),
    HEAD("GET / HTTP/0.9\r\n\r\n", 505, "version"),
    HEAD("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version"),
    HEAD("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "version"),
    HEAD("GET / HTTP/1.11\r\nHost: a\r\n\r\n", 505, "version"),
    HEAD("GET /\r\n\r\n", 400, "request line"),
    HEAD("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "request line"),
    HEAD("GET /\tHTTP/1.1 \r\nHost: a\r\n\r\n", 400, "request line"),
    HEAD("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
    HEAD("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
    HEAD("GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
    HEAD("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target"),
    HEAD("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target"),
    HEAD("GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target"),
    HEAD("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request target"),
    HEAD("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "fragment"),
    HEAD("GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "percent"),
    HEAD("GET /a%0Ab HTTP/1.1\r\nHost: a\r\n\r\n", 400, "percent"),
    HEAD("GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "percent"),
    HEAD("GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", 400, "percent"),
    HEAD("GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "percent"),
    HEAD("GET /a%5cb HTTP/1.1\r\nHost: a\r\n\r\n", 400, "backslash"),
    HEAD("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
    HEAD("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "dot segment"),
    HEAD("GET /a/.. HTTP/1.1\r\nHost: a\r\n\r\n", 400, "dot segment"),
    HEAD("GET /a/./b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "dot segment"),
    HEAD("GET /a/%2e%2e/b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "dot segment"),
    HEAD("GET /a%2f..%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400, "dot segment"),
    HEAD("GET /%c3%28 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "UTF-8"),
    HEAD("GET /a?b=%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "query"),
    HEAD("GET /a?b=%g1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "query"),
    HEAD("GET /a?b=% HTTP/1.1\r\nHost: a\r\n\r\n", 400, "query"),
};

static void check_refusal(struct input *in, const struct refusal *r, size_t piece)
{
    enum chy_http_step step = parse(in, r->head, r->n, piece);
    if (step != CHY_HTTP_REFUSED || in->parser.status != r->status ||
        !strstr(in->parser.why, r->word)) {
        print_message("head: %s\nstep %d status %d why %s\n", r->head, (int)step, in->parser.status,
                      in->parser.why ? in->parser.why : "-");
        fail();
    }
}

static void every_malformed_head_is_refused(void **state)
{
    (void)state;
    static struct input in;
    for (size_t i = 0; i < CHY_ARRAY_LEN(refusals); i++) {
        check_refusal(&in, &refusals[i], IN_MAX);
        check_refusal(&in, &refusals[i], 1);
    }
}

static void good_head_is_understood(void **state)
{
    (void)state;
    static struct input in;
    static const char text[] =
        "\r\nPOST /api/v1/r%20q/%C3%A4?a=1&b=x+y%2f&c&=d HTTP/1.1\r\nHOST: Ca.Test:8443\r\n"
        "X-Empty:\r\nX-Space:  a b \t\r\ncontent-length: 5\r\n"
        "Expect: 100-Continue\r\n\r\nhello";
    for (size_t piece = 1; piece < 300; piece += 7) {
        assert_int_equal(parse(&in, text, sizeof(text) - 1 - 5, piece), CHY_HTTP_DONE);
        const struct chy_http_request *req = &in.parser.req;
        assert_string_equal(req->method, "POST");
        assert_string_equal(req->path, "/api/v1/r q/\xc3\xa4");
        assert_int_equal(req->query_n, 4);
        assert_string_equal(req->query[0].value, "1");
        assert_string_equal(req->query[1].value, "x y/");
        assert_string_equal(req->query[2].name, "c");
        assert_string_equal(req->query[2].value, "");
        assert_string_equal(chy_http_field(req, "host"), "Ca.Test:8443");
        assert_string_equal(chy_http_field(req, "x-empty"), "");
        assert_string_equal(chy_http_field(req, "X-SPACE"), "a b");
        assert_null(chy_http_field(req, "nothing"));
        assert_true(req->keep_alive && req->expect_continue && !req->chunked && !req->http10);
        assert_true(req->length == 5 && req->encoded_slash == SIZE_MAX);
        assert_int_equal(in.parser.head_n, sizeof(text) - 1 - 5);
    }
}

static void connection_header_decides(void **state)
{
    (void)state;
    static struct input in;
    static const struct {
        const char *text;
        bool keep, http10;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\n\r\n", false, true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, true},
        {"GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n", true, false},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(&in, cases[i].text, strlen(cases[i].text), IN_MAX), CHY_HTTP_DONE);
        assert_int_equal(in.parser.req.keep_alive, cases[i].keep);
        assert_int_equal(in.parser.req.http10, cases[i].http10);
    }
    assert_string_equal(in.parser.req.path, "/x");
    assert_string_equal(in.parser.req.query[0].name, "y");
}

static void encoded_slash_is_marked(void **state)
{
    (void)state;
    static struct input in;
    static const char text[] = "GET /ocsp/a%2Fb%2Bc/d HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(parse(&in, text, sizeof(text) - 1, IN_MAX), CHY_HTTP_DONE);
    assert_string_equal(in.parser.req.path, "/ocsp/a/b+c/d");
    assert_int_equal(in.parser.req.encoded_slash, 7);
}

static size_t long_head(char *out, size_t target, size_t fields, size_t value)
{
    size_t n = 0;
    memcpy(out, "GET /", 5);
    n += 5;
    memset(out + n, 'a', target);
    n += target;
    static const char rest[] = " HTTP/1.1\r\nHost: a\r\n";
    memcpy(out + n, rest, sizeof(rest) - 1);
    n += sizeof(rest) - 1;
    for (size_t i = 0; i < fields; i++) {
        memcpy(out + n, "X: ", 3);
        memset(out + n + 3, 'b', value);
        memcpy(out + n + 3 + value, "\r\n", 2);
        n += 5 + value;
    }
    memcpy(out + n, "\r\n", 2);
    return n + 2;
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    static struct input in;
    static char text[IN_MAX];
    static const struct {
        size_t target, fields, value;
        int status;
    } cases[] = {{8191, 0, 0, 0},  {8192, 0, 0, 414}, {9000, 0, 0, 414}, {12000, 0, 0, 414},
                 {1, 63, 1, 0},    {1, 64, 1, 431},   {1, 63, 200, 0},   {1, 63, 300, 431},
                 {1, 1, 16300, 0}, {1, 1, 16384, 431}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        for (size_t piece = 997; piece <= IN_MAX; piece += IN_MAX - 997) {
            size_t n = long_head(text, cases[i].target, cases[i].fields, cases[i].value);
            enum chy_http_step step = parse(&in, text, n, piece);
            assert_int_equal(in.parser.status, cases[i].status);
            assert_int_equal(step, cases[i].status ? CHY_HTTP_REFUSED : CHY_HTTP_DONE);
        }
    }
}

static void too_many_parameters_are_refused(void **state)
{
    (void)state;
    static struct input in;
    char text[400] = "GET /?";
    for (int i = 0; i <= CHY_HTTP_QUERY_MAX; i++) {
        strcat(text, "a=1&");
    }
    strcat(text, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(parse(&in, text, strlen(text), IN_MAX), CHY_HTTP_REFUSED);
    assert_non_null(strstr(in.parser.why, "parameters"));
}

#define CHUNKED_HEAD "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* The body's text behind a chunked head, in pieces; *left: octets behind its end. */
static enum chy_http_step parse_chunks(struct input *in, const char *text, size_t n, size_t piece,
                                       size_t max, struct chy_buf *body, size_t *left)
{
    assert_int_equal(parse(in, CHUNKED_HEAD, sizeof(CHUNKED_HEAD) - 1, IN_MAX), CHY_HTTP_DONE);
    assert_true(in->parser.req.chunked);
    chy_buf_reset(body);
    enum chy_http_step step = chy_http_body_start(&in->parser, body, max);
    size_t at = 0;
    while (step == CHY_HTTP_MORE && at < n) {
        size_t used = 0, k = n - at < piece ? n - at : piece;
        step = chy_http_body(&in->parser, text + at, k, &used);
        assert_true(used <= k);
        at += used;
    }
    *left = n - at;
    return step;
}

static void chunked_body_is_joined(void **state)
{
    (void)state;
    static struct input in;
    static const char text[] =
        "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET /next";
    struct chy_buf body;
    chy_buf_init(&body, 1000);
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        size_t left = 0;
        assert_int_equal(parse_chunks(&in, text, sizeof(text) - 1, piece, 100, &body, &left),
                         CHY_HTTP_DONE);
        assert_int_equal(body.n, 11);
        assert_memory_equal(body.p, "hello world", 11);
        assert_int_equal(left, 9);
    }
    chy_buf_free(&body);
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    static struct input in;
    static const struct refusal cases[] = {
        HEAD("x\r\nhello\r\n0\r\n\r\n", 400, "chunk"),
        HEAD("5\nhello\r\n0\r\n\r\n", 400, "chunk"),
        HEAD("5\r\nhello0\r\n\r\n", 400, "chunk"),
        HEAD("5\r\nhello\n0\r\n\r\n", 400, "chunk"),
        HEAD("-5\r\nhello\r\n0\r\n\r\n", 400, "chunk"),
        HEAD("5 \r\nhello\r\n0\r\n\r\n", 400, "chunk"),
        HEAD("fffffffffffffffff\r\nhello\r\n", 400, "chunk"),
        HEAD("0\r\nX: a\rY: b\r\n\r\n", 400, "chunk"),
        HEAD("0\r\n\rX\r\n\r\n", 400, "chunk"),
        HEAD("a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", 413, "longer"),
    };
    struct chy_buf body;
    chy_buf_init(&body, 1000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        size_t left = 0;
        for (size_t piece = 1; piece < 100; piece += 98) {
            assert_int_equal(parse_chunks(&in, cases[i].head, cases[i].n, piece, 10, &body, &left),
                             CHY_HTTP_REFUSED);
            assert_int_equal(in.parser.status, cases[i].status);
            assert_non_null(strstr(in.parser.why, cases[i].word));
        }
    }
    chy_buf_free(&body);
}

static void chunk_framing_is_bounded(void **state)
{
    (void)state;
    static struct input in;
    static char text[30000];
    struct chy_buf body;
    size_t left = 0;
    chy_buf_init(&body, 1000);
    memset(text, 'e', sizeof(text));
    memcpy(text, "5;", 2);
    assert_int_equal(parse_chunks(&in, text, sizeof(text), 1000, 100, &body, &left),
                     CHY_HTTP_REFUSED);
    assert_non_null(strstr(in.parser.why, "framing"));
    chy_buf_free(&body);
}

static void plain_body_ends_at_its_length(void **state)
{
    (void)state;
    static struct input in;
    static const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    struct chy_buf body;
    size_t used = 0;
    chy_buf_init(&body, 1000);
    assert_int_equal(parse(&in, text, sizeof(text) - 1, IN_MAX), CHY_HTTP_DONE);
    assert_int_equal(chy_http_body_start(&in.parser, &body, 5), CHY_HTTP_MORE);
    assert_int_equal(chy_http_body(&in.parser, "", 0, &used), CHY_HTTP_MORE);
    assert_int_equal(chy_http_body(&in.parser, "he", 2, &used), CHY_HTTP_MORE);
    assert_int_equal(chy_http_body(&in.parser, "lloGET", 6, &used), CHY_HTTP_DONE);
    assert_int_equal(used, 3);
    assert_memory_equal(body.p, "hello", 5);
    assert_int_equal(parse(&in, text, sizeof(text) - 1, IN_MAX), CHY_HTTP_DONE);
    chy_buf_reset(&body);
    assert_int_equal(chy_http_body_start(&in.parser, &body, 4), CHY_HTTP_REFUSED);
    assert_int_equal(in.parser.status, 413);
    chy_buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_malformed_head_is_refused),
        cmocka_unit_test(good_head_is_understood),
        cmocka_unit_test(connection_header_decides),
        cmocka_unit_test(encoded_slash_is_marked),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(chunked_body_is_joined),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(chunk_framing_is_bounded),
        cmocka_unit_test(plain_body_ends_at_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
