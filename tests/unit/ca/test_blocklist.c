/* KeyBlocklistFile: a key in the file is refused, and a file that cannot be read is no setting. */
#include "engine.h"

#include <openssl/sha.h>

#include "pki/csr.h"

static void write_list(const struct engine *e, const char *text, char *json, size_t cap)
{
    char path[512];
    struct chy_err err = {0};
    snprintf(path, sizeof(path), "%s/keys.txt", e->dir);
    must(chy_file_write(path, chy_span_cstr(text), 0600, &err), &err);
    snprintf(json, cap, "\"%s\"", path);
}

static void submit_der(struct engine *e, struct chy_span der, struct answer *a)
{
    struct chy_submission s = {.caller = officer, .request = der};
    answer_init(a);
    chy_ca_submit(e->ca, &s, answered, a);
    answer_wait(a);
}

static void test_a_key_in_the_file_is_refused(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_buf der;
    struct chy_err err = {0};
    struct chy_csr *csr = malloc(sizeof(*csr));
    uint8_t hash[32];
    char hex[65], json[600];
    engine_make(&e, "1");
    engine_open(&e);
    make_csr("www.example.test", &der);
    must(chy_csr_parse(chy_buf_span(&der), csr, &err), &err);
    SHA256(csr->key.der.p, csr->key.der.n, hash);
    chy_hex_cstr(hex, CHY_SPAN(hash));

    write_list(&e, hex, json, sizeof(json));
    must(chy_ca_config_set(e.ca, &officer, "KeyBlocklistFile", json, &err), &err);
    submit_der(&e, chy_buf_span(&der), &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ERROR);
    assert_int_equal(a.request_status, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
    answer_free(&a);

    write_list(&e, "0123456789abcdef0123\n", json, sizeof(json));
    must(chy_ca_config_set(e.ca, &officer, "KeyBlocklistFile", json, &err), &err);
    submit_der(&e, chy_buf_span(&der), &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&a);
    chy_buf_free(&der);
    engine_end(&e);
    free(csr);
}

static void test_a_file_that_is_none_is_no_setting(void **state)
{
    (void)state;
    struct engine e;
    struct chy_err err = {0};
    char json[600];
    engine_make(&e, "1");
    engine_open(&e);
    assert_true(CHY_FAILED(
        chy_ca_config_set(e.ca, &officer, "KeyBlocklistFile", "\"/no/such/file\"", &err)));
    assert_non_null(strstr(err.text, "KeyBlocklistFile"));
    err = (struct chy_err){0};
    write_list(&e, "no key\n", json, sizeof(json));
    assert_int_equal(chy_ca_config_set(e.ca, &officer, "KeyBlocklistFile", json, &err),
                     CHY_E_INVALIDARG);
    assert_non_null(strstr(err.text, "line 1"));
    must(chy_ca_config_set(e.ca, &officer, "KeyBlocklistFile", "\"\"", &err), &err);
    engine_end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_in_the_file_is_refused),
        cmocka_unit_test(test_a_file_that_is_none_is_no_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
