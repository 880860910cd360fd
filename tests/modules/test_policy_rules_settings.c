/* Settings of policy-rules: a wrong one is refused, and the log says which, why and what to do. */
#include "host.h"

#include <sys/stat.h>
#include <unistd.h>

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    return 0;
}

static chy_hresult load(void)
{
    chy_object o = fake_create("policy-rules", "PolicyRules.Policy");
    fake.log[0] = 0;
    chy_hresult hr = fake_policy_table(&o)->initialize(o.self, "host\\CA");
    fake_policy_table(&o)->release(o.self);
    return hr;
}

static void refused(const char *name, const char *why)
{
    char line[400];
    snprintf(line, sizeof line, "policy-rules: setting %s %s", name, why);
    assert_int_equal(load(), CHY_E_INVALIDARG);
    if (!strstr(fake.log, line)) fail_msg("%s lacks: %s", fake.log, line);
    fake_unset(name);
}

static void text(const char *name, const char *value, const char *why)
{
    fake_set_text(name, value);
    refused(name, why);
}

static void list(const char *name, const char *value, const char *why)
{
    fake_set_list(name, value);
    refused(name, why);
}

static void number(const char *name, chy_long value, const char *why)
{
    fake_set_long(name, value);
    refused(name, why);
}

static void at_the_top(void **state)
{
    (void)state;
    number("AuditOnly", 2, "is neither 0 nor 1");
    number("EnrollRight", -1, "is neither 0 nor 1");
    text("NoRules", "maybe", "is neither deny nor pass");
    text("StateDirectory", "var", "is not an absolute path");
    text("Rules/web", "x", "is not Rules/PROFILE/RULE, with * for all profiles");
    text("Rules//San", "x", "is not Rules/PROFILE/RULE");
    fake_set_text("Notes", "x");
    assert_int_equal(load(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "setting Notes is unknown and has no effect"));
}

/* A rule that is not understood would not protect: it stops the module. */
static void rules_with_typing_errors(void **state)
{
    (void)state;
    const char *no_rule = "is no rule: see the table of rules";
    list("Rules/web/San/dsn/Allow", "*", no_rule);
    list("Rules/web/San/dns/Alow", "*", "is none of Allow, Deny, MinCount, MaxCount");
    list("Rules/web/CommonName/Allow", "*", no_rule);
    list("Rules/web/Subject/CommonName", "*", no_rule);
    number("Rules/web/Validity/Days", 3, no_rule);
    text("Rules/web/San/dns/Set", "x", "is for parts of the subject only");
}

static void values(void **state)
{
    (void)state;
    list("Rules/web/San/dns/Allow", "ok,re:(",
         "has the pattern \"re:(\", which has a \"(\" without its \")\"");
    list("Rules/web/San/dns/Allow", "", "is an empty list: delete the setting, or forbid all with");
    number("Rules/web/San/dns/Allow", 3, "is no list of texts");
    number("Rules/web/San/dns/MinCount", -1, "is not a number from 0 to 512");
    text("Rules/web/San/dns/MaxCount", "3", "is not a number from 0 to 512");
    list("Rules/web/Key/Allow", "rsa2048,dsa", "has the key type \"dsa\", which is none of rsa");
    number("Rules/web/Key/MinRsaBits", 100, "is not a number from 512 to 16384");
    list("Rules/web/Eku/Set", "serverAuth", "has the element \"serverAuth\", which is no object");
    list("Rules/web/Crl/Urls", "ftp://x", "has the address \"ftp://x\", which is no http, https");
    list("Rules/web/Crl/Urls", "http://", "has the address \"http://\", which is no http, https");
    list("Rules/web/KeyUsage/Set", "keyCertSign", "names keyCertSign or cRLSign");
    list("Rules/web/KeyUsage/Set", "signing", "names an unknown key usage");
    text("Rules/web/Validity/End", "2027-02-31T00:00:00Z", "is not a moment such as 2027-06-30T");
    text("Rules/web/Validity/End", "tomorrow", "is not a moment");
    list("Rules/web/Validity/WorkDays", "mon,friday", "is not a list of mon, tue");
    text("Rules/web/Validity/WorkHours", "9-17", "is not a span such as 09:00-16:30");
    text("Rules/web/Validity/WorkHours", "17:00-09:00", "is not a span");
    text("Rules/web/Validity/WorkHours", "09:00-24:30", "is not a span");
    number("Rules/web/Pend", 3, "is neither 0 nor 1");
    text("Rules/web/Quota/Period", "1w", "is not a period from 1s to 366d");
    text("Rules/web/Quota/Period", "400d", "is not a period from 1s to 366d");
    text("Rules/web/Quota/Period", "d", "is not a period such as 12h");
    text("Rules/web/Subject/Title/Set", "{dns", "has a \"{\" without its \"}\"");
    text("Rules/web/Subject/Title/Set", "{nothing}", "names an unknown source: {CommonName}");
    text("Rules/web/Subject/Title/Set", "{dirname}", "names an unknown source");
    text("Rules/web/Subject/Title/Set", "{Attribute:}", "names an unknown source");
}

static void contradictions(void **state)
{
    (void)state;
    fake_set_long("Rules/web/San/MinCount", 3);
    fake_set_long("Rules/web/San/MaxCount", 2);
    refused("Rules/web/San/MinCount", "is more than San/MaxCount");
    fake_set_long("Rules/web/Subject/Title/MinLength", 3);
    fake_set_long("Rules/web/Subject/Title/MaxLength", 2);
    refused("Rules/web/Subject/Title/MinLength", "is more than its MaxLength");
    fake_set_long("Rules/web/San/dns/MinCount", 3);
    fake_set_long("Rules/web/San/dns/MaxCount", 2);
    refused("Rules/web/San/dns/MinCount", "is more than its MaxCount");
    fake_set_long("Rules/web/Key/MinRsaBits", 3072);
    fake_set_long("Rules/web/Key/MaxRsaBits", 2048);
    refused("Rules/web/Key/MinRsaBits", "is more than Key/MaxRsaBits");
    assert_int_equal(load(), CHY_S_OK);
}

static void files_and_folders(void **state)
{
    (void)state;
    char path[] = "/tmp/policy-rules-XXXXXX", folder[] = "/tmp/policy-rules-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    text("Rules/*/Names/DenyFile", "names", "is not an absolute path");
    text("Rules/*/Names/DenyFile", "/no/such", "names a file that cannot be opened: No such file");
    text("Rules/*/Names/DenyFile", "/tmp", "names what is no regular file of at most 4 MiB");
    assert_int_equal(write(fd, "good.test\n[bad\n", 15), 15);
    text("Rules/*/Names/DenyFile", path, "names a file whose line 2 has a class without");
    fake_set_text("Rules/*/Names/DenyFile", path);
    assert_int_equal(load(), CHY_E_INVALIDARG);
    assert_null(strstr(fake.log, "[bad"));
    assert_int_equal(fchmod(fd, 0602), 0);
    text("Rules/*/Names/DenyFile", path, "names a file that everybody may write: chmod o-w");
    close(fd);
    remove(path);
    assert_non_null(mkdtemp(folder));
    fake_set_long("Rules/*/Quota/Count", 3);
    refused("Rules/*/Quota/Count", "needs the setting StateDirectory, where the counts are kept");
    fake_set_long("Rules/*/Quota/Count", 3);
    text("StateDirectory", "/no/such", "is no folder: make one");
    assert_int_equal(chmod(folder, 0770), 0);
    text("StateDirectory", folder, "may be written by others than the daemon's user: chmod go-w");
    assert_int_equal(chmod(folder, 0700), 0);
    fake_set_text("StateDirectory", folder);
    assert_int_equal(load(), CHY_S_OK);
    char file[80];
    static const char *const names[] = {"quota.log", "quota.lock"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, names[i]);
        assert_int_equal(unlink(file), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* A refresh with something wrong keeps what was in force. */
static void the_settings_of_before_hold(void **state)
{
    (void)state;
    chy_long got = 4711;
    chy_manage_module m;
    fake_attribute(&fake.request[0], "CertificateTemplate", "web");
    fake_cn(&fake.request[0], "a.test");
    fake_set_list("Rules/web/Subject/CommonName/Allow", "a.test");
    chy_object o = fake_create("policy-rules", "PolicyRules.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    assert_int_equal(p->initialize(o.self, "c"), CHY_S_OK);
    assert_int_equal(p->get_manage_module(o.self, &m), CHY_S_OK);
    fake_set_list("Rules/web/Subject/CommonName/Allow", "re:(");
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), CHY_E_INVALIDARG);
    assert_int_equal(p->verify_request(o.self, "c", 1, 1, 0, &got), CHY_S_OK);
    assert_int_equal(got, CHY_VR_INSTANT_OK);
    fake_set_list("Rules/web/Subject/CommonName/Allow", "b.test");
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), CHY_S_OK);
    assert_int_equal(p->verify_request(o.self, "c", 1, 1, 0, &got), CHY_S_OK);
    assert_int_equal(got, CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    m.vt->release(m.self);
    p->release(o.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(at_the_top, reset),
        cmocka_unit_test_setup(rules_with_typing_errors, reset),
        cmocka_unit_test_setup(values, reset),
        cmocka_unit_test_setup(contradictions, reset),
        cmocka_unit_test_setup(files_and_folders, reset),
        cmocka_unit_test_setup(the_settings_of_before_hold, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
