/* What the shipped modules share: text that grows, settings from a table. */
#include "host.h"

#include "kit/settings.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_and_pem), cmocka_unit_test(test_json_is_never_broken_out_of),
        cmocka_unit_test(test_each_kind_is_read), cmocka_unit_test(test_a_bad_value_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
