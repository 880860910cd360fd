/* The default policy: settings that cannot be understood, refreshing, and its manage object. */
#include "host.h"

#include <pthread.h>

static int reset(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static void refuses(const char *name, const char *text)
{
    fake.log[0] = 0;
    if (fake_initialize() != CHY_E_INVALIDARG) fail_msg("%s is taken", name);
    if (!strstr(fake.log, name) || !strstr(fake.log, text)) fail_msg("%s", fake.log);
    fake_unset(name);
}

static void each_bad_text_is_named(void **state)
{
    (void)state;
    static const char *const t[][3] = {
        {"RequestDisposition", "1", "is not a number"},
        {"EditFlags", "x", "is not a number"},
        {"CAPathLength", "2", "is not a number"},
        {"DefaultProfile", "", "is not one name"},
        {"DefaultProfile", "a b", "is not one name"},
        {"DefaultProfile", "nope", "names an unknown profile"},
        {"Profiles/web", "1", "is not Profiles/NAME/SETTING"},
        {"Profiles//SanNames", "a.test", "is not Profiles/NAME/SETTING"},
        {"Profiles/web/SanName", "a.test", "is not a setting of a profile"},
        {"Profiles/web/x/SanNames", "a.test", "is not a setting of a profile"},
        {"Profiles/web/KeyTypes", "rsa2048 dsa", "unknown key type"},
        {"Profiles/web/KeyTypes", "rsa2048-", "unknown key type"},
        {"Profiles/web/KeyTypes", "rsa511", "unknown key type"},
        {"Profiles/web/KeyTypes", "rsa+", "unknown key type"},
        {"Profiles/web/KeyTypes", "rsa02048", "unknown key type"},
        {"Profiles/web/KeyTypes", "rsa204800", "unknown key type"},
        {"Profiles/web/KeyTypes", "p", "unknown key type"},
        {"Profiles/web/KeyTypes", "p224", "unknown key type"},
        {"Profiles/web/KeyTypes", "ed25519+", "unknown key type"},
        {"Profiles/web/KeyTypes", "p256++", "unknown key type"},
        {"Profiles/web/AllowedSubject", "CN", "unknown part of a subject"},
        {"Profiles/web/SanNames", "*", "domains, addresses and networks"},
        {"Profiles/web/SanNames", "http://a.test", "domains, addresses and networks"},
        {"Profiles/web/SanNames", "10.0.0.0/33", "domains, addresses and networks"},
        {"Profiles/web/SanNames", "10.0.0.0/", "domains, addresses and networks"},
        {"Profiles/web/SanNames", "10.0.0.0/8x", "domains, addresses and networks"},
        {"Profiles/web/SanNames", "10.0.0.0/-1", "domains, addresses and networks"},
        {"Profiles/web/SanNames", "2001:db8::/129", "domains, addresses and networks"},
        {"Profiles/web/SanTypes", "dns dsn", "unknown type"},
        {"Profiles/web/SubjectFrom", "nowhere", "none of request, none, cn-from-san"},
        {"Profiles/web/Revocation", "never", "is neither default nor none"},
        {"Profiles/web/Revocation", "default none", "is neither default nor none"},
        {"Profiles/sub-ca/Revocation", "none", "BasicConstraintsCA makes CA certificates"},
        {"MaxHoursWithoutRevocation", "24", "is not a number"},
        {"Profiles/web/KeyUsage", "serverAuth", "unknown key usage"},
        {"Profiles/web/ExtendedKeyUsage", "serverAuth", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "1", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "3.1.1", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "1.40.1", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "1.2.03", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "1.2.", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "1.2.99999999999", "object identifiers"},
        {"Profiles/web/ExtendedKeyUsage", "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
         "object identifiers"},
        {"Profiles/web/RequestExtensions", "x", "object identifiers"},
        {"Profiles/web/CertificatePolicies", "x", "object identifiers"},
        {"Profiles/web/ValidityDays", "soon", "is not a number"},
        {"Profiles/web/ValidityDays", "7 8", "is not a number"},
        {"Profiles/web/ValidityDays", "-2", "is not a number"},
        {"Profiles/web/PathLength", "99999999", "is not a number"},
        {"Profiles/web/MinRsaBits", "", "is not a number"},
        {"Profiles/web/MaxNames", "1x", "is not a number"},
        {"Profiles/web/SanRequired", "yes", "is neither 0 nor 1"},
        {"Profiles/web/Pending", "2", "is neither 0 nor 1"},
        {"Profiles/web/Deny", "-1", "is neither 0 nor 1"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_set_text(t[i][0], t[i][1]);
        refuses(t[i][0], t[i][2]);
    }
    assert_int_equal(fake_initialize(), CHY_S_OK);
}

static void each_bad_number_is_named(void **state)
{
    (void)state;
    static const chy_long dispositions[] = {4, 0x200, -1, 0x1ff};
    for (size_t i = 0; i < 4; i++) {
        fake_set_long("RequestDisposition", dispositions[i]);
        refuses("RequestDisposition", "is no REQDISP value");
    }
    fake_set_long("CAPathLength", 128);
    refuses("CAPathLength", "neither 0 to 127 nor none");
    fake_set_long("CAPathLength", -2);
    refuses("CAPathLength", "neither 0 to 127 nor none");
    fake_set_long("MaxHoursWithoutRevocation", 0);
    refuses("MaxHoursWithoutRevocation", "is not from 1 to 8760");
    fake_set_long("MaxHoursWithoutRevocation", 8761);
    refuses("MaxHoursWithoutRevocation", "is not from 1 to 8760");
    fake_set_long("Profiles/web/KeyUsage", 1);
    refuses("Profiles/web/KeyUsage", "unknown key usage");
}

static void each_bad_type_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"Profiles/web/SanNames", "EnrollAllowed", "EditFlags",
                                        "Unknown"};
    for (size_t i = 0; i < 4; i++) {
        fake_set_variant(names[i], (chy_variant){.vt = CHY_VT_DATE});
        refuses(names[i], "has a type that no setting has");
        fake_set_variant(names[i], (chy_variant){.vt = CHY_VT_EMPTY});
        refuses(names[i], "has a type that no setting has");
    }
    fake_set_list("Profiles/web/SanNames", "a.test,,b.test");
    refuses("Profiles/web/SanNames", "an empty element");
    chy_variant nul = {.vt = CHY_VT_STR, .u.s = {strdup("a.test"), 3}};
    fake_set_variant("Profiles/web/SanNames", nul);
    fake.setting[fake.n_setting - 1].value.u.s.n = 3;
    assert_int_equal(fake_initialize(), CHY_S_OK); /* "a.t" is text of three */
    fake.setting[fake.n_setting - 1].value.u.s.p[1] = 0;
    refuses("Profiles/web/SanNames", "has a type");
}

static void unreadable_settings_are_named(void **state)
{
    (void)state;
    fake_set_long("EditFlags", 0);
    fake.fails = "EditFlags";
    fake.fail_code = CHY_E_ACCESSDENIED;
    assert_int_equal(fake_initialize(), CHY_E_ACCESSDENIED);
    assert_non_null(strstr(fake.log, "setting EditFlags cannot be read"));
}

static void a_long_profile_name_is_named(void **state)
{
    (void)state;
    fake_set_text("Profiles/a2345678901234567890123456789012345678901234567890123456789012345/Deny",
                  "1");
    assert_int_equal(fake_initialize(), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "is not Profiles/NAME/SETTING"));
}

static void an_unknown_name_is_told_and_no_more(void **state)
{
    (void)state;
    fake_set_long("RequestDispostion", 1);
    assert_int_equal(fake_initialize(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "RequestDispostion is unknown"));
}

static chy_hresult refresh(const char *class_name, const chy_object *policy)
{
    chy_manage_module m;
    if (class_name) {
        chy_object o = fake_create("policy-default", class_name);
        m = (chy_manage_module){fake_manage_table(&o), o.self};
    } else {
        assert_int_equal(fake_policy_table(policy)->get_manage_module(policy->self, &m), CHY_S_OK);
    }
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_READONLY), CHY_S_OK);
    chy_hresult hr = m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY);
    m.vt->release(m.self);
    return hr;
}

static void refreshing_takes_new_settings(void **state)
{
    (void)state;
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    chy_long answer;
    fake_cn(&fake.request[0], "a.test");
    assert_int_equal(p->initialize(o.self, "c"), CHY_S_OK);
    for (int by_class = 0; by_class < 2; by_class++) {
        const char *class_name = by_class ? "PolicyDefault.PolicyManage" : NULL;
        fake_set_long("RequestDisposition", 2);
        p->verify_request(o.self, "c", 1, 1, 0, &answer);
        assert_int_equal(answer, CHY_VR_INSTANT_OK);
        assert_int_equal(refresh(class_name, &o), CHY_S_OK);
        p->verify_request(o.self, "c", 1, 1, 0, &answer);
        assert_int_equal(answer, CHY_VR_INSTANT_BAD);
        fake_set_long("RequestDisposition", 77);
        assert_int_equal(refresh(class_name, &o), CHY_E_INVALIDARG);
        p->verify_request(o.self, "c", 1, 1, 0, &answer);
        assert_int_equal(answer, CHY_VR_INSTANT_BAD); /* the old settings stay */
        fake_set_long("RequestDisposition", 1);
        assert_int_equal(refresh(class_name, &o), CHY_S_OK);
    }
    p->release(o.self);
    assert_int_equal(refresh("PolicyDefault.PolicyManage", NULL), CHY_S_OK); /* nobody lives */
}

/* A manage object may outlive the object that made it. */
static void manage_outlives_its_policy(void **state)
{
    (void)state;
    chy_manage_module m;
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    assert_int_equal(fake_policy_table(&o)->initialize(o.self, "c"), CHY_S_OK);
    assert_int_equal(fake_policy_table(&o)->get_manage_module(o.self, NULL), CHY_E_POINTER);
    assert_int_equal(fake_policy_table(&o)->get_manage_module(o.self, &m), CHY_S_OK);
    fake_policy_table(&o)->release(o.self);
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), CHY_S_OK);
    m.vt->release(m.self);
}

static void manage_properties(void **state)
{
    (void)state;
    static const char *const names[] = {"Name", "description", "Copyright", "File Version",
                                        "Product Version"};
    chy_variant v;
    chy_object o = fake_create("policy-default", "PolicyDefault.PolicyManage");
    const chy_manage_module_vtbl *m = fake_manage_table(&o);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(m->get_property(o.self, "c", "s", names[i], 0, &v), CHY_S_OK);
        assert_int_equal(v.vt, CHY_VT_STR);
        assert_true(v.u.s.n > 0);
        free(v.u.s.p);
    }
    assert_int_equal(m->get_property(o.self, "c", "s", "IsMultiThreaded", 0, &v), CHY_S_OK);
    assert_int_equal(v.u.l, 1);
    assert_int_equal(m->get_property(o.self, "c", "s", "x", 0, &v), CHY_S_FALSE);
    assert_int_equal(m->get_property(o.self, "c", "s", NULL, 0, &v), CHY_E_INVALIDARG);
    assert_int_equal(m->get_property(o.self, "c", "s", "Name", 0, NULL), CHY_E_POINTER);
    assert_int_equal(m->set_property(o.self, "c", "s", "Name", 0, &v), CHY_S_FALSE);
    m->release(o.self);
}

struct worker {
    const chy_policy_vtbl *p;
    void *self;
    chy_long context;
    unsigned issued, denied, other;
};

static void *verify_many(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < 300; i++) {
        chy_long answer = 77;
        if (w->p->verify_request(w->self, "c", w->context, 1, 0, &answer) != CHY_S_OK) answer = 77;
        if (answer == CHY_VR_INSTANT_OK)
            w->issued++;
        else if (answer == CHY_VR_INSTANT_BAD)
            w->denied++;
        else
            w->other++;
    }
    return NULL;
}

static void reload_while_verifying(void **state)
{
    (void)state;
    pthread_t t[3];
    struct worker w[3];
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    assert_int_equal(p->initialize(o.self, "c"), CHY_S_OK);
    for (int i = 0; i < 3; i++) {
        fake_cn(&fake.request[i], "a.test");
        w[i] = (struct worker){.p = p, .self = o.self, .context = i + 1};
        assert_int_equal(pthread_create(&t[i], NULL, verify_many, &w[i]), 0);
    }
    for (int i = 0; i < 100; i++) {
        fake_set_long("RequestDisposition", 1 + i % 2);
        fake_set_list("Profiles/tls-server/SanNames", i % 2 ? "a.test,b.test" : "*.test,a.test");
        assert_int_equal(refresh(i % 3 ? NULL : "PolicyDefault.PolicyManage", &o), CHY_S_OK);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_int_equal(w[i].other, 0);
        assert_int_equal(w[i].issued + w[i].denied, 300);
    }
    p->release(o.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_bad_text_is_named, reset),
        cmocka_unit_test_setup(each_bad_number_is_named, reset),
        cmocka_unit_test_setup(each_bad_type_is_named, reset),
        cmocka_unit_test_setup(unreadable_settings_are_named, reset),
        cmocka_unit_test_setup(a_long_profile_name_is_named, reset),
        cmocka_unit_test_setup(an_unknown_name_is_told_and_no_more, reset),
        cmocka_unit_test_setup(refreshing_takes_new_settings, reset),
        cmocka_unit_test_setup(manage_outlives_its_policy, reset),
        cmocka_unit_test_setup(manage_properties, reset),
        cmocka_unit_test_setup(reload_while_verifying, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
