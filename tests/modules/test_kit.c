/* What the shipped modules share: text that grows, settings from a table. */
#include "host.h"

#include "kit/network.h"
#include "kit/settings.h"
#include "kit/sha256.h"
#include "kit/text.h"

static void same(struct kit_text *t, const char *expected)
{
    assert_string_equal(kit_text_cstr(t), expected);
    kit_text_free(t);
}

static void test_base64_and_pem(void **state)
{
    struct kit_text t = {0};
    uint8_t octets[49] = {0};
    (void)state;
    kit_add_base64(&t, "foob", 4); /* RFC 4648 10 */
    kit_add_base64(&t, "fooba", 5);
    kit_add_base64(&t, "foobar", 6);
    same(&t, "Zm9vYg==Zm9vYmE=Zm9vYmFy");
    kit_add_pem(&t, "X509 CRL", octets, sizeof octets);
    same(&t, "-----BEGIN X509 CRL-----\n"
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
             "AA==\n-----END X509 CRL-----\n");
}

static void test_json_is_never_broken_out_of(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {{"a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\""},
             {"\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\""},
             {"\xc0\xaf|\x80zzzzzzzzzzzz", "\"\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbdzzzzzzzzzzzz\""},
             {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
             {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
             {"\xe0\x9f\xbf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
             {"cut\xe2\x82", "\"cut\xef\xbf\xbd\xef\xbf\xbd\""}};
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct kit_text out = {0};
        kit_add_json(&out, t[i].in, strlen(t[i].in));
        same(&out, t[i].out);
    }
}

static void test_what_is_no_utf8_is_marked(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        {"", ""},
        {"plain\n\"", "plain\n\""},
        {"\xc3\xbc \xe2\x82\xac \xf0\x9f\x94\x91", "\xc3\xbc \xe2\x82\xac \xf0\x9f\x94\x91"},
        {"cut \xe2\x82", "cut ??"},
        {"\xff\xc0\x80 \xed\xa0\x80!", "??"
                                       "? ??"
                                       "?!"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", t[i][0]);
        assert_string_equal(kit_utf8(text), t[i][1]);
    }
}

static void test_html_is_never_broken_out_of(void **state)
{
    static const char in[] = "<a b='\"&c'>\n\x7f\xff\xe2\x82\xac";
    struct kit_text out = {0};
    (void)state;
    kit_add_html(&out, in, sizeof in - 1);
    same(&out,
         "&#60;a b=&#39;&#34;&#38;c&#39;&#62;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac");
}

struct read {
    char text[32], below[64], list[64];
    chy_long number;
};

static const char *set_text(void *into, const char *v)
{
    struct read *r = into;
    if (strlen(v) >= sizeof r->text) return "is too long";
    memcpy(r->text, v, strlen(v) + 1);
    return NULL;
}
static const char *set_number(void *into, chy_long v)
{
    ((struct read *)into)->number = v;
    return NULL;
}
static const char *set_list(void *into, const chy_str *v, size_t n)
{
    struct read *r = into;
    for (size_t i = 0; i < n; i++)
        strncat(strncat(r->list, v[i].p, 20), ";", 2);
    return NULL;
}
static const char *set_below(void *into, const char *rest, const chy_variant *v)
{
    struct read *r = into;
    const char *text = kit_variant_text(v);
    snprintf(r->below, sizeof r->below, "%s=%s", rest, text ? text : "?");
    return NULL;
}
static const struct kit_setting table[] = {{.name = "Text", .text = set_text},
                                           {.name = "Number", .number = set_number},
                                           {.name = "List", .list = set_list},
                                           {.name = "Rules/", .below = set_below}};

static chy_hresult read_all(struct read *r)
{
    *r = (struct read){.number = -1};
    return kit_settings_read(&fake.host, "probe", table, 4, r);
}

static void test_each_kind_is_read(void **state)
{
    struct read r;
    (void)state;
    fake_reset();
    fake_set_text("text", "hello");
    fake_set_long("Number", 7);
    fake_set_text("List", " a, b\n");
    fake_set_text("Rules/web/names", "x");
    fake_set_text("Misspelt", "y");
    assert_int_equal(read_all(&r), CHY_S_OK);
    assert_string_equal(r.text, "hello");
    assert_int_equal(r.number, 7);
    assert_string_equal(r.list, "a;b;");
    assert_string_equal(r.below, "web/names=x");
    assert_non_null(strstr(fake.log, "probe: setting Misspelt is unknown and has no effect"));
}

static void test_a_bad_value_is_named(void **state)
{
    struct read r;
    (void)state;
    fake_reset();
    fake_set_text("Number", "seven");
    assert_int_equal(read_all(&r), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "probe: setting Number is not a number"));
    fake_reset();
    fake_set_long("Text", 1);
    assert_int_equal(read_all(&r), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "probe: setting Text is not a text"));
    fake_reset();
    fake_set_long("List", 1);
    assert_int_equal(read_all(&r), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "probe: setting List is no list of texts"));
}

/* FIPS 180-4: the examples of NIST, and the lengths around a block in one piece and octet by octet.
 */
static void test_sha256(void **state)
{
    static const struct {
        const char *text, *hex;
    } t[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
             {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
             {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    struct kit_sha256 one, many;
    uint8_t a[KIT_SHA256], b[KIT_SHA256], octets[200] = {7};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char hex[65];
        kit_sha256_start(&one);
        kit_sha256_add(&one, t[i].text, strlen(t[i].text));
        kit_sha256_done(&one, a);
        for (size_t k = 0; k < sizeof a; k++)
            snprintf(hex + 2 * k, 3, "%02x", a[k]);
        assert_string_equal(hex, t[i].hex);
    }
    for (size_t n = 0; n <= sizeof octets; n++) {
        kit_sha256_start(&one);
        kit_sha256_add(&one, octets, n);
        kit_sha256_done(&one, a);
        kit_sha256_start(&many);
        for (size_t i = 0; i < n; i++)
            kit_sha256_add(&many, octets + i, 1);
        kit_sha256_done(&many, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void test_networks(void **state)
{
    static const struct {
        const char *network;
        uint8_t ip[4];
        bool has;
    } t[] = {
        {"192.0.2.1", {192, 0, 2, 1}, true},        {"192.0.2.1", {192, 0, 2, 2}, false},
        {"10.0.0.0/8", {10, 255, 1, 2}, true},      {"10.0.0.0/8", {11, 0, 0, 0}, false},
        {"192.0.2.128/25", {192, 0, 2, 129}, true}, {"192.0.2.128/25", {192, 0, 2, 127}, false},
        {"192.0.2.77/25", {192, 0, 2, 1}, true},    {"0.0.0.0/0", {8, 8, 8, 8}, true},
        {"192.0.2.1/32", {192, 0, 2, 0}, false},    {"::/0", {8, 8, 8, 8}, false}};
    static const char *const bad[] = {
        "",       "10.0.0.0/",   "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/8x", "10.0.0.0/-1",
        "a.test", "1.2.3.4/0000"};
    struct kit_network net;
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_true(kit_network_parse(t[i].network, &net));
        if (kit_network_has(&net, t[i].ip, 4) != t[i].has) fail_msg("%s", t[i].network);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (kit_network_parse(bad[i], &net)) fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_base64_and_pem),
                                       cmocka_unit_test(test_json_is_never_broken_out_of),
                                       cmocka_unit_test(test_html_is_never_broken_out_of),
                                       cmocka_unit_test(test_what_is_no_utf8_is_marked),
                                       cmocka_unit_test(test_each_kind_is_read),
                                       cmocka_unit_test(test_a_bad_value_is_named),
                                       cmocka_unit_test(test_sha256),
                                       cmocka_unit_test(test_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
