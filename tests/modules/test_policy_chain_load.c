/* What the chain loads, and what it refuses before any code of it runs. */
#include "host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "/tmp/policy-chain-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int clean(void **state)
{
    (void)state;
    return fake_remove(folder);
}

static void copy_to(const char *from, const char *name, mode_t mode)
{
    char path[128], block[65536];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(from, "rb"), *out = fopen(path, "wb");
    assert_true(in && out);
    while ((n = fread(block, 1, sizeof block, in)) > 0)
        assert_int_equal(fwrite(block, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static chy_hresult start(void)
{
    chy_object o = fake_create("policy-chain", "PolicyChain.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    chy_long got = 4711;
    fake.log[0] = 0;
    chy_hresult hr = p->initialize(o.self, "host\\CA");
    if (CHY_FAILED(hr)) {
        assert_int_equal(p->verify_request(o.self, "c", 1, 1, 0, &got), CHY_E_UNEXPECTED);
        assert_int_equal(got, CHY_VR_INSTANT_BAD);
    }
    p->release(o.self);
    return hr;
}

static void refused(chy_hresult code, const char *why)
{
    assert_int_equal(start(), code);
    if (!strstr(fake.log, why)) fail_msg("%s lacks: %s", fake.log, why);
}

static void member_at(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fake_set_list("Modules", path);
}

static void the_list(void **state)
{
    (void)state;
    refused(CHY_E_INVALIDARG, "policy-chain: setting Modules is not set: a list such as");
    fake_set_list("Modules", "");
    refused(CHY_E_INVALIDARG, "setting Modules names no module");
    fake_set_long("Modules", 1);
    refused(CHY_E_INVALIDARG, "setting Modules is no list of texts");
    fake_set_list("Modules", "policy-default,,policy-default");
    refused(CHY_E_INVALIDARG, "setting Modules has an empty element");
    fake_set_list("Modules", "policy-default,policy-default");
    refused(CHY_E_INVALIDARG, "member policy-default: it is named twice");
    fake_set_list("Modules", "policy-chain");
    refused(CHY_E_INVALIDARG, "a chain is no member of a chain");
    fake_set_list("Modules", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q");
    refused(CHY_E_INVALIDARG, "names 17 modules: at most 16");
    fake_set_list("Modules", "policy-default");
    fake_set_text("Binding", "backwards");
    refused(CHY_E_INVALIDARG, "setting Binding is none of auto, direct, late");
}

static void names_are_looked_up_beside_the_chain(void **state)
{
    (void)state;
    fake_set_list("Modules", "policy-default");
    assert_int_equal(start(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "policy-chain: member 1 is policy-default "));
    fake_set_text("Modules", "policy-default.so");
    assert_int_equal(start(), CHY_S_OK);
    fake_set_list("Modules", "no-such");
    refused(CHY_ERROR_FILE_NOT_FOUND, "member no-such: ");
    fake_set_list("Modules", "../modules/policy-default.so");
    refused(CHY_E_INVALIDARG, "without \"..\" is expected");
    fake_set_list("Modules", "sub/policy-default");
    refused(CHY_E_INVALIDARG, "a name in the module folder or an absolute path is expected");
    fake_set_list("Modules", "exit-publish");
    refused(CHY_REGDB_E_CLASSNOTREG, "member exit-publish: it has no class ….Policy");
}

static void only_what_the_right_hands_hold(void **state)
{
    (void)state;
    char path[128];
    const char *good = TEST_MEMBERS "/chain-direct.so";
    copy_to(good, "good.so", 0644);
    member_at("good.so");
    assert_int_equal(start(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "chain-direct: initialize"));
    copy_to(good, "group.so", 0664);
    member_at("group.so");
    refused(CHY_E_ACCESSDENIED, "others than its owner may write it (mode 0664): chmod go-w");
    copy_to(good, "world.so", 0646);
    member_at("world.so");
    refused(CHY_E_ACCESSDENIED, "others than its owner may write it");
    snprintf(path, sizeof path, "%s/link.so", folder);
    assert_int_equal(symlink("good.so", path), 0);
    member_at("link.so");
    refused(CHY_E_ACCESSDENIED, "a link: name the file itself");
    member_at("absent.so");
    refused(CHY_ERROR_FILE_NOT_FOUND, "No such file");
    snprintf(path, sizeof path, "%s/folder.so", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    member_at("folder.so");
    refused(CHY_E_INVALIDARG, "not a regular file");
    if (geteuid() == 0) {
        snprintf(path, sizeof path, "%s/foreign.so", folder);
        copy_to(good, "foreign.so", 0644);
        assert_int_equal(chown(path, 65534, 65534), 0);
        member_at("foreign.so");
        refused(CHY_E_ACCESSDENIED, "it belongs to user 65534: root or the daemon's user");
    }
    assert_int_equal(chmod(folder, 0777), 0);
    member_at("good.so");
    refused(CHY_E_ACCESSDENIED, "others than its owner may write it (mode 0777)");
}

static void only_modules(void **state)
{
    (void)state;
    copy_to("/proc/self/exe", "program.so", 0644);
    member_at("program.so");
    refused(CHY_E_NOINTERFACE, "program.so");
    copy_to("/dev/null", "empty.so", 0644);
    member_at("empty.so");
    refused(CHY_E_NOINTERFACE, "empty.so");
}

/* The file that is mapped is the one that was looked at: another one under its name is another. */
static void a_replaced_file_is_another_module(void **state)
{
    (void)state;
    copy_to(TEST_MEMBERS "/chain-direct.so", "m.so", 0644);
    member_at("m.so");
    assert_int_equal(start(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "member 1 is chain-direct"));
    copy_to(TEST_MEMBERS "/chain-other.so", "n.so", 0644);
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/n.so", folder);
    snprintf(to, sizeof to, "%s/m.so", folder);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(start(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "member 1 is chain-other"));
}

static void one_that_fails_to_initialise_fails_all(void **state)
{
    (void)state;
    fake_set_list("Modules", TEST_MEMBERS "/chain-direct.so," TEST_MEMBERS "/chain-other.so");
    fake_set_long("chain-other/InitResult", CHY_E_ACCESSDENIED);
    refused(
        CHY_E_ACCESSDENIED,
        "policy-chain: member chain-other failed to initialise (0x80070005): nothing is served");
    assert_non_null(strstr(fake.log, "chain-direct: shut down"));
    assert_null(strstr(fake.log, "chain-other: shut down"));
    fake_set_list("Modules", TEST_MEMBERS "/chain-late.so");
    fake_set_long("chain-late/InitResult", CHY_E_ACCESSDENIED);
    refused(CHY_E_ACCESSDENIED, "failed to initialise (0x80070005): Initialize: Initialize");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_list, reset, clean),
        cmocka_unit_test_setup_teardown(names_are_looked_up_beside_the_chain, reset, clean),
        cmocka_unit_test_setup_teardown(only_what_the_right_hands_hold, reset, clean),
        cmocka_unit_test_setup_teardown(only_modules, reset, clean),
        cmocka_unit_test_setup_teardown(a_replaced_file_is_another_module, reset, clean),
        cmocka_unit_test_setup_teardown(one_that_fails_to_initialise_fails_all, reset, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
