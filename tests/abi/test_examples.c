/* The example modules as the daemon runs them: the same questions, directly and late-bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

#include "module/module.h"

/* One request, and what became of it. */
struct request {
    const char *cn;
    size_t cn_n; /* 0: as long as it is */
    const char *requester;
    chy_long access;
    chy_hresult refuse; /* what setters answer */
    char set[1024], message[600];
};

static struct {
    const char *name, *value;
} setting;

static chy_hresult text_of(const char *s, size_t n, chy_variant *out)
{
    return s ? chy_variant_set_str(out, s, n ? n : strlen(s)) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_request_property(void *request, enum chy_asker asker, const char *name,
                                        chy_long type, chy_variant *out)
{
    struct request *r = request;
    (void)asker, (void)type;
    if (strcasecmp(name, "RequestID") == 0) return chy_variant_set_long(out, 42);
    if (strcasecmp(name, "SubmittedWhen") == 0) return chy_variant_set_time(out, 0);
    if (strcasecmp(name, "RequesterName") == 0) return text_of(r->requester, 0, out);
    if (strcasecmp(name, "CommonName") == 0) return text_of(r->cn, r->cn_n, out);
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_certificate_property(void *request, enum chy_asker asker, const char *name,
                                            chy_long type, chy_variant *out)
{
    struct request *r = request;
    (void)asker, (void)type;
    if (strcasecmp(name, "SerialNumber") == 0) return text_of("61c0ffee", 0, out);
    if (strcasecmp(name, "CommonName") == 0) return text_of(r->cn, r->cn_n, out);
    if (strcasecmp(name, "RawCertificate") == 0) return chy_variant_set_bytes(out, "\x30", 1);
    if (strcasecmp(name, "RequesterCAAccess") == 0) return chy_variant_set_long(out, r->access);
    if (strcasecmp(name, "NotAfter") == 0)
        return chy_variant_set_time(out, INT64_C(1795248300000000));
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static void note(struct request *r, const char *name, const void *p, size_t n, bool hex)
{
    const uint8_t *b = p;
    size_t at = strlen(r->set);
    at += (size_t)snprintf(r->set + at, sizeof r->set - at, "%s=", name);
    for (size_t i = 0; i < n && at < sizeof r->set; i++)
        at += (size_t)snprintf(r->set + at, sizeof r->set - at, hex ? "%02x" : "%c", b[i]);
    if (at < sizeof r->set) snprintf(r->set + at, sizeof r->set - at, "\n");
}

static chy_hresult set_certificate_property(void *request, const char *name, chy_long type,
                                            const chy_variant *v)
{
    struct request *r = request;
    (void)type;
    if (v->vt == CHY_VT_STR) note(r, name, v->u.s.p, v->u.s.n, false);
    if (v->vt == CHY_VT_NULL) strncat(r->set, "-", 2);
    return r->refuse;
}

static chy_hresult set_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *v)
{
    struct request *r = request;
    char name[80];
    (void)type;
    snprintf(name, sizeof name, "%s%s", oid, flags & CHY_EXTENSION_CRITICAL_FLAG ? "!" : "");
    note(r, name, v->u.b.p, v->u.b.n, true);
    return r->refuse;
}

static chy_hresult get_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_variant *out, chy_long *flags)
{
    (void)request, (void)oid, (void)type;
    *flags = CHY_EXTENSION_DISABLE_FLAG;
    return chy_variant_set_bytes(out, "\x05\x00", 2);
}

static chy_hresult get_request_attribute(void *request, const char *name, chy_str *out)
{
    (void)request, (void)name;
    return chy_module_str(out, "value", 5) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult name_at(void *request, size_t index, chy_str *out)
{
    (void)request;
    if (index == 3) return CHY_S_FALSE;
    return chy_module_str(out, "1.2.3", 5) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult get_ca_property(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out)
{
    (void)ca, (void)request, (void)location, (void)name, (void)type, (void)out;
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_setting(void *ca, const char *location, const char *name, chy_variant *out)
{
    (void)ca, (void)location;
    if (!setting.name || strcmp(name, setting.name) != 0) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return setting.value ? text_of(setting.value, 0, out) : chy_variant_set_long(out, 1);
}

static chy_hresult next_setting(void *ca, const char *location, const char *after, chy_str *out)
{
    (void)ca, (void)location, (void)after, (void)out;
    return CHY_S_FALSE;
}

static chy_hresult set_message(void *request, const char *text)
{
    struct request *r = request;
    snprintf(r->message, sizeof r->message, "%s", text);
    return CHY_S_OK;
}

static const struct chy_engine_ops ops = {.get_request_property = get_request_property,
                                          .get_request_attribute = get_request_attribute,
                                          .get_certificate_property = get_certificate_property,
                                          .set_certificate_property = set_certificate_property,
                                          .get_certificate_extension = get_certificate_extension,
                                          .set_certificate_extension = set_certificate_extension,
                                          .extension_at = name_at,
                                          .attribute_at = name_at,
                                          .get_ca_property = get_ca_property,
                                          .get_setting = get_setting,
                                          .next_setting = next_setting,
                                          .set_message = set_message};

static struct chy_modules *modules;
static const char *example_folder, *test_folder;
static const enum chy_binding bindings[] = {CHY_BINDING_DIRECT, CHY_BINDING_LATE};

static int setup(void **state)
{
    struct chy_err err = {0};
    struct chy_modules_config config = {.ops = &ops,
                                        .folder = example_folder,
                                        .clock = &chy_system_clock,
                                        .call_timeout_ms = 60000,
                                        .any_owner = true};
    (void)state;
    setting.name = NULL;
    return chy_modules_new(&config, &modules, &err) == CHY_S_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    chy_modules_free(modules);
    return 0;
}

static struct chy_instance *open_policy(const char *name, enum chy_binding binding)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    if (chy_policy_open(modules, name, NULL, binding, &i, &err) != CHY_S_OK)
        fail_msg("%s", err.text);
    return i;
}

static struct chy_instance *open_exit(const char *name, enum chy_binding binding)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    if (chy_exit_open(modules, name, NULL, binding, &i, &err) != CHY_S_OK) fail_msg("%s", err.text);
    return i;
}

static enum chy_verdict ask(struct chy_instance *i, struct request *r, bool is_new,
                            chy_hresult *status)
{
    struct chy_err err = {0};
    bool abandoned = false;
    r->set[0] = r->message[0] = 0;
    enum chy_verdict v = chy_policy_verify(i, "host\\CA", r, is_new, status, &abandoned, &err);
    assert_false(abandoned);
    return v;
}

static void the_policy_issues_below_its_domain(void **state)
{
    (void)state;
    for (size_t b = 0; b < 2; b++) {
        struct request r = {.cn = "www.example.test", .access = CHY_CA_ACCESS_ENROLL};
        struct chy_err err = {0};
        chy_hresult status;
        struct chy_instance *i = open_policy("example-policy", bindings[b]);
        assert_int_equal(chy_policy_initialize(i, "host\\CA", &err), CHY_S_OK);
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_ISSUE);
        assert_string_equal(r.set, "CommonName=www.example.test\n"
                                   "---------------"
                                   "2.5.29.17=301282107777772e6578616d706c652e74657374\n"
                                   "2.5.29.15!=03020780\n"
                                   "2.5.29.37=300a06082b06010505070301\n");
        r.refuse = CHY_E_ACCESSDENIED;
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_DENIED);
        assert_int_equal(status, CHY_E_ACCESSDENIED);
        assert_int_equal(chy_policy_shut_down(i, &err), CHY_S_OK);
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_FAILED);
        chy_instance_free(i);
    }
}

static void the_policy_denies_the_rest(void **state)
{
    static const char *const others[] = {"example.test",          "evilexample.test",
                                         "www.example.test.evil", "a b.example.test",
                                         "*.example.test",        "a\n.example.test"};
    (void)state;
    for (size_t b = 0; b < 2; b++) {
        struct request r = {.access = CHY_CA_ACCESS_ENROLL};
        struct chy_err err = {0};
        chy_hresult status;
        struct chy_instance *i = open_policy("example-policy", bindings[b]);
        assert_int_equal(chy_policy_initialize(i, "host\\CA", &err), CHY_S_OK);
        for (size_t k = 0; k < CHY_ARRAY_LEN(others); k++) {
            r.cn = others[k];
            assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_DENIED);
            assert_int_equal(status, CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
            assert_non_null(strstr(r.message, "is no host name below example.test"));
            assert_string_equal(r.set, "");
        }
        r.cn = "evil\0.example.test";
        r.cn_n = 18;
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_DENIED);
        r.cn = NULL;
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_DENIED);
        assert_string_equal(r.message, "the request has no common name");
        chy_instance_free(i);
    }
}

static void who_may_not_enrol_is_denied_once(void **state)
{
    struct request r = {.cn = "www.example.test"};
    struct chy_err err = {0};
    chy_hresult status;
    (void)state;
    struct chy_instance *i = open_policy("example-policy", CHY_BINDING_AUTO);
    assert_int_equal(chy_policy_initialize(i, "host\\CA", &err), CHY_S_OK);
    assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_DENIED);
    assert_int_equal(status, CHY_CERTSRV_E_ENROLL_DENIED);
    assert_int_equal(ask(i, &r, false, &status), CHY_VERDICT_ISSUE);
    chy_instance_free(i);
}

static void settings_are_read_and_read_again(void **state)
{
    (void)state;
    for (size_t b = 0; b < 2; b++) {
        struct request r = {.cn = "www.corp.example", .access = CHY_CA_ACCESS_ENROLL};
        struct chy_err err = {0};
        chy_hresult status;
        struct chy_instance *i = open_policy("example-policy", bindings[b]);
        setting.name = "Domain";
        setting.value = NULL;
        assert_int_equal(chy_policy_initialize(i, "host\\CA", &err), CHY_DISP_E_TYPEMISMATCH);
        setting.value = "example.org";
        assert_int_equal(chy_policy_initialize(i, "host\\CA", &err), CHY_S_OK);
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_DENIED);
        setting.value = "corp.example";
        assert_int_equal(chy_manage_configure(i, "host\\CA", CHY_CMM_REFRESHONLY, &err), CHY_S_OK);
        assert_int_equal(ask(i, &r, true, &status), CHY_VERDICT_ISSUE);
        chy_instance_free(i);
    }
}

static void manage_and_description(void **state)
{
    (void)state;
    for (size_t b = 0; b < 2; b++) {
        struct chy_err err = {0};
        struct chy_buf text;
        chy_variant v = {.vt = CHY_VT_EMPTY};
        struct chy_instance *i = open_exit("example-exit", bindings[b]);
        chy_buf_init(&text, 1000);
        assert_int_equal(chy_instance_description(i, &text, &err), CHY_S_OK);
        assert_string_equal(chy_buf_cstr(&text), "Writes a line per issued certificate");
        chy_buf_free(&text);
        assert_int_equal(chy_manage_get_property(i, "c", "Name", &v, &err), CHY_S_OK);
        assert_string_equal(v.u.s.p, "example-exit");
        chy_variant_clear(&v);
        assert_int_equal(chy_manage_get_property(i, "c", "HWND", &v, &err), CHY_S_FALSE);
        chy_instance_free(i);
    }
}

static void the_exit_writes_lines(void **state)
{
    char path[] = "/tmp/chancery-example-XXXXXX", text[512] = "";
    struct request r = {.cn = "www.example.test", .requester = "a\tb\nc"};
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    setting.name = "File";
    setting.value = path;
    for (size_t b = 0; b < 2; b++) {
        struct chy_err err = {0};
        chy_long mask = 0;
        bool abandoned = false;
        struct chy_instance *i = open_exit("example-exit", bindings[b]);
        assert_int_equal(chy_exit_initialize(i, "host\\CA", &mask, &err), CHY_S_OK);
        assert_int_equal(mask, CHY_EXITEVENT_CERTISSUED);
        assert_int_equal(chy_exit_notify(i, CHY_EXITEVENT_CERTISSUED, &r, &abandoned, &err),
                         CHY_S_OK);
        chy_instance_free(i);
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n > 0);
    close(fd);
    unlink(path);
    assert_string_equal(text, "42\t61c0ffee\twww.example.test\ta?b?c\t2026-11-21T08:05:00Z\n"
                              "42\t61c0ffee\twww.example.test\ta?b?c\t2026-11-21T08:05:00Z\n");
}

static void the_exit_says_what_is_wrong(void **state)
{
    struct request r = {.cn = "a"};
    struct chy_err err = {0};
    chy_long mask = 0;
    bool abandoned = false;
    (void)state;
    struct chy_instance *i = open_exit("example-exit", CHY_BINDING_AUTO);
    assert_int_equal(chy_exit_initialize(i, "host\\CA", &mask, &err), CHY_E_INVALIDARG);
    setting.name = "File";
    setting.value = "relative";
    assert_int_equal(chy_exit_initialize(i, "host\\CA", &mask, &err), CHY_E_INVALIDARG);
    setting.value = "/nowhere/at/all";
    assert_int_equal(chy_exit_initialize(i, "host\\CA", &mask, &err), CHY_S_OK);
    assert_int_equal(chy_exit_notify(i, CHY_EXITEVENT_CERTISSUED, &r, &abandoned, &err),
                     CHY_ERROR_FILE_NOT_FOUND);
    chy_instance_free(i);
}

static void everything_can_be_looked_at(void **state)
{
    char path[1024];
    (void)state;
    for (size_t b = 0; b < 2; b++) {
        struct request r = {.cn = "a", .requester = "b"};
        struct chy_err err = {0};
        chy_long mask = 0;
        bool abandoned = false;
        snprintf(path, sizeof path, "%s/both-exit.so", test_folder);
        struct chy_instance *i = open_exit(path, bindings[b]);
        assert_int_equal(chy_exit_initialize(i, "host\\CA", &mask, &err), CHY_S_OK);
        assert_int_equal(mask, CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTDENIED);
        assert_int_equal(chy_exit_notify(i, CHY_EXITEVENT_CERTISSUED, &r, &abandoned, &err),
                         CHY_S_OK);
        chy_instance_free(i);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    example_folder = argv[1];
    test_folder = argv[2];
#define WITH_HOST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {WITH_HOST(the_policy_issues_below_its_domain),
                                       WITH_HOST(the_policy_denies_the_rest),
                                       WITH_HOST(who_may_not_enrol_is_denied_once),
                                       WITH_HOST(settings_are_read_and_read_again),
                                       WITH_HOST(manage_and_description),
                                       WITH_HOST(the_exit_writes_lines),
                                       WITH_HOST(the_exit_says_what_is_wrong),
                                       WITH_HOST(everything_can_be_looked_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
