/* Both default modules driven by name, as ModuleBinding = late drives them. */
#include "host.h"

#include <sys/stat.h>
#include <unistd.h>

static chy_excep thrown;
static chy_variant result;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_cn(&fake.request[0], "a.test");
    return 0;
}

static void forget(void)
{
    free(thrown.source.p);
    free(thrown.description.p);
    thrown = (chy_excep){0};
    if (result.vt == CHY_VT_STR) free(result.u.s.p);
    if (result.vt == CHY_VT_OBJECT) free(result.u.o);
    result = (chy_variant){0};
}

/* args: s is the text "c", l the long 1, 0 the long 0. */
static chy_hresult call(const chy_object *o, const char *method, const char *args)
{
    static char text[] = "c";
    chy_variant a[8];
    uint32_t bad = 99, n = (uint32_t)strlen(args);
    for (uint32_t i = 0; i < n; i++)
        a[i] = args[i] == 's' ? (chy_variant){.vt = CHY_VT_STR, .u.s = {text, 1}}
                              : (chy_variant){.vt = CHY_VT_LONG, .u.l = args[i] == 'l'};
    forget();
    return fake_policy_table(o)->invoke(o->self, method, a, n, &result, &thrown, &bad);
}

static void the_policy_by_name(void **state)
{
    (void)state;
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    assert_int_equal(call(&o, "VerifyRequest", "sll0"), CHY_DISP_E_EXCEPTION);
    assert_int_equal(thrown.code, CHY_E_UNEXPECTED);
    assert_string_equal(thrown.source.p, "policy-default");
    assert_string_equal(thrown.description.p, "VerifyRequest");
    assert_int_equal(call(&o, "Initialize", "s"), CHY_S_OK);
    assert_int_equal(call(&o, "verifyrequest", "sll0"), CHY_S_OK);
    assert_int_equal(result.vt, CHY_VT_LONG);
    assert_int_equal(result.u.l, CHY_VR_INSTANT_OK);
    assert_int_equal(call(&o, "VerifyRequest", "sll"), CHY_DISP_E_BADPARAMCOUNT);
    assert_int_equal(call(&o, "VerifyRequest", "llll"), CHY_DISP_E_TYPEMISMATCH);
    assert_int_equal(call(&o, "Verify", ""), CHY_DISP_E_UNKNOWNNAME);
    assert_int_equal(call(&o, "GetDescription", ""), CHY_S_OK);
    assert_int_equal(result.vt, CHY_VT_STR);
    assert_int_equal(call(&o, "ShutDown", ""), CHY_S_OK);
    forget();
    fake_policy_table(&o)->release(o.self);
}

static void managing_by_name(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"policy-default", "PolicyDefault.Policy"},
                                       {"exit-publish", "ExitPublish.Exit"}};
    for (size_t i = 0; i < 2; i++) {
        chy_object o = fake_create(t[i][0], t[i][1]);
        assert_int_equal(call(&o, "Initialize", "s"), CHY_S_OK);
        assert_int_equal(call(&o, "GetManageModule", ""), CHY_S_OK);
        assert_int_equal(result.vt, CHY_VT_OBJECT);
        chy_object m = *result.u.o;
        assert_int_equal(call(&m, "GetProperty", "sssl"), CHY_S_FALSE);
        assert_int_equal(call(&m, "SetProperty", "sssll"), CHY_S_FALSE);
        assert_int_equal(call(&m, "Configure", "ssl"), CHY_S_OK);
        fake_set_text(i ? "Mode" : "EditFlags", "x");
        assert_int_equal(call(&m, "Configure", "ssl"), CHY_DISP_E_EXCEPTION);
        assert_int_equal(thrown.code, CHY_E_INVALIDARG);
        assert_string_equal(thrown.source.p, t[i][0]);
        fake_unset("EditFlags");
        fake_unset("Mode");
        forget();
        fake_manage_table(&m)->release(m.self);
        fake_policy_table(&o)->release(o.self);
    }
}

static void the_exit_by_name(void **state)
{
    (void)state;
    char folder[] = "/tmp/exit-late-XXXXXX", path[64];
    struct stat st;
    assert_non_null(mkdtemp(folder));
    fake_set_text("Folder", folder);
    fake_set_long("Always", 1);
    fake_property(&fake.request[0], "RawCertificate", "cert", 4);
    chy_object o = fake_create("exit-publish", "ExitPublish.Exit");
    assert_int_equal(call(&o, "Notify", "ll"), CHY_DISP_E_EXCEPTION);
    assert_int_equal(call(&o, "Initialize", "s"), CHY_S_OK);
    assert_int_equal(result.u.l, CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CRLISSUED);
    assert_int_equal(call(&o, "Notify", "ll"), CHY_S_OK);
    assert_int_equal(call(&o, "GetDescription", ""), CHY_S_OK);
    snprintf(path, sizeof path, "%s/10.cer", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
    unlink(path);
    rmdir(folder);
    forget();
    fake_exit_table(&o)->release(o.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_policy_by_name, reset),
        cmocka_unit_test_setup(managing_by_name, reset),
        cmocka_unit_test_setup(the_exit_by_name, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
