/* The comfort layer by itself: its text, its DER, and the late-bound entries it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <chancery/easy.h>

/* ---- a host that remembers what was set ---- */

static struct {
    uint8_t value[4096];
    size_t n;
    chy_long flags;
    chy_hresult init, answer;
    int released, states;
} seen;

static void variant_clear(chy_variant *v)
{
    if (v->vt == CHY_VT_STR) free(v->u.s.p);
    if (v->vt == CHY_VT_BYTES) free(v->u.b.p);
    if (v->vt == CHY_VT_OBJECT) free(v->u.o);
    *v = chy_variant_empty();
}

static void release(void *self)
{
    (void)self;
    seen.released++;
}

static chy_hresult set_context(void *self, chy_long context)
{
    (void)self;
    return context == 7 ? CHY_S_OK : CHY_E_HANDLE;
}

static chy_hresult set_extension(void *self, const char *oid, chy_long type, chy_long flags,
                                 const chy_variant *v)
{
    (void)self, (void)oid;
    assert_int_equal(type, CHY_PROPTYPE_BINARY);
    assert_true(v->vt == CHY_VT_BYTES && v->u.b.n <= sizeof seen.value);
    memcpy(seen.value, v->u.b.p, v->u.b.n);
    seen.n = v->u.b.n;
    seen.flags = flags;
    return CHY_S_OK;
}

static const chy_server_policy_vtbl server = {
    .h = {sizeof server, CHY_ABI_VERSION, CHY_IID_SERVER_POLICY, 0},
    .release = release,
    .set_context = set_context,
    .set_certificate_extension = set_extension};

static chy_hresult new_server_policy(void *self, chy_server_policy *out)
{
    out->vt = &server;
    out->self = self;
    return CHY_S_OK;
}

static const chy_host_vtbl table = {.h = {sizeof table, CHY_ABI_VERSION, CHY_IID_HOST, 0},
                                    .alloc = malloc,
                                    .free = free,
                                    .variant_clear = variant_clear,
                                    .new_server_policy = new_server_policy};
static const chy_host host = {&table, NULL};

/* ---- the module under test ---- */

struct state {
    void *memory;
};

static chy_hresult init(chy_task *task)
{
    struct state *s = task->state;
    s->memory = malloc(1);
    seen.states++;
    return seen.init;
}

static chy_long verify(chy_task *task)
{
    chy_remember(task, seen.init);
    return seen.answer;
}

static void done(const chy_host *from, void *state)
{
    assert_ptr_equal(from->vt, &table);
    free(((struct state *)state)->memory);
    seen.states--;
}

CHY_POLICY_MODULE_DONE("easy", "Easy.Policy", "1.2", "The comfort layer", struct state, init,
                       verify, done);

static int setup(void **state)
{
    static chy_object o;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(chy_module_entry()->create(&host, "Easy.Policy", &o), CHY_S_OK);
    *state = &o;
    return 0;
}

static const chy_policy_vtbl *policy_of(const chy_object *o)
{
    return (const chy_policy_vtbl *)(const void *)o->vt;
}

static int teardown(void **state)
{
    chy_object *o = *state;
    policy_of(o)->release(o->self);
    assert_int_equal(seen.states, 0);
    return 0;
}

/* ---- text ---- */

static void host_names(void **state)
{
    char label[70] = "", name[300] = "";
    (void)state;
    assert_true(chy_is_host_name("a"));
    assert_true(chy_is_host_name("A-1.b--c.example"));
    const char *const bad[] = {"",     ".",   "a.",       ".a",    "a..b",  "-a",      "a-",
                               "a-.b", "a b", "a_b.test", "a\n.b", "*.a.b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(chy_is_host_name(bad[i]));
    memset(label, 'a', 63);
    assert_true(chy_is_host_name(label));
    label[63] = 'a';
    assert_false(chy_is_host_name(label));
    for (size_t i = 0; i < 253; i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_true(chy_is_host_name(name));
    name[253] = 'a';
    assert_false(chy_is_host_name(name));
}

static void below(void **state)
{
    (void)state;
    assert_true(chy_is_below("a.example.test", "example.test"));
    assert_true(chy_is_below("A.B.EXAMPLE.test", "example.TEST"));
    assert_false(chy_is_below("example.test", "example.test"));
    assert_false(chy_is_below(".example.test", "example.test"));
    assert_false(chy_is_below("evilexample.test", "example.test"));
    assert_false(chy_is_below("a.example.test.evil", "example.test"));
    assert_false(chy_is_below("*.example.test", "example.test"));
    assert_false(chy_is_below("a.example.test", ""));
}

static void copies(void **state)
{
    char out[4] = "xyz", line[] = "a\tb\nc\x7f";
    (void)state;
    assert_int_equal(chy_text_copy(out, sizeof out, "abc", 3), CHY_S_OK);
    assert_string_equal(out, "abc");
    assert_int_equal(chy_text_copy(out, sizeof out, "abcd", 4), CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_string_equal(out, "");
    assert_int_equal(chy_text_copy(out, sizeof out, "a\0b", 3), CHY_ERROR_INVALID_DATA);
    assert_string_equal(out, "");
    assert_int_equal(chy_text_copy(out, 0, "", 0), CHY_E_POINTER);
    assert_string_equal(chy_text_one_line(line), "a?b?c?");
}

static void times(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } t[] = {{0, "1970-01-01T00:00:00Z"},
             {-1, "1969-12-31T23:59:59Z"},
             {951782399, "2000-02-28T23:59:59Z"},
             {951782400, "2000-02-29T00:00:00Z"},
             {1795248300, "2026-11-21T08:05:00Z"},
             {4107542399, "2100-02-28T23:59:59Z"},
             {4107542400, "2100-03-01T00:00:00Z"},
             {253402300799, "9999-12-31T23:59:59Z"},
             {253402300800, ""},
             {-62135596800, "0001-01-01T00:00:00Z"},
             {-62135596801, ""}};
    char out[CHY_TIME_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        chy_time_text(t[i].seconds * 1000000, out);
        assert_string_equal(out, t[i].text);
    }
    chy_time_text(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59Z");
    chy_time_text(CHY_TIME_DEFAULT, out);
    assert_string_equal(out, "");
}

/* ---- DER ---- */

static chy_task a_task(void)
{
    chy_task task = {.host = &host, .policy = {&server, NULL}};
    return task;
}

static void was_set(const char *der, size_t n, chy_long flags)
{
    assert_int_equal(seen.n, n);
    assert_memory_equal(seen.value, der, n);
    assert_int_equal(seen.flags, flags);
}

static void key_usages(void **state)
{
    chy_task task = a_task();
    (void)state;
    chy_set_key_usage(&task, CHY_KU_DIGITAL_SIGNATURE);
    was_set("\x03\x02\x07\x80", 4, CHY_EXTENSION_CRITICAL_FLAG);
    chy_set_key_usage(&task, CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN);
    was_set("\x03\x02\x01\x06", 4, CHY_EXTENSION_CRITICAL_FLAG);
    chy_set_key_usage(&task, CHY_KU_KEY_AGREEMENT | CHY_KU_DECIPHER_ONLY);
    was_set("\x03\x03\x07\x08\x80", 5, CHY_EXTENSION_CRITICAL_FLAG);
    assert_int_equal(task.failed, CHY_S_OK);
    assert_int_equal(chy_set_key_usage(&task, 0), CHY_E_INVALIDARG);
    assert_int_equal(task.failed, CHY_E_INVALIDARG);
}

static void purposes(void **state)
{
    static const char *const two[] = {CHY_EKU_SERVER_AUTH, "2.999.4294967295"};
    static const char *const bad[] = {
        "", "1", "1.", ".1", "1..2", "3.1", "1.40", "a.b", "1.2 ", "1.2.4294967296", "1.2.-3"};
    chy_task task = a_task();
    (void)state;
    chy_set_purposes(&task, two, 2);
    was_set("\x30\x13\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x07\x88\x37\x8f\xff\xff\xff\x7f",
            21, 0);
    assert_int_equal(task.failed, CHY_S_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(chy_set_purpose(&task, bad[i]), CHY_CRYPT_E_OID_FORMAT);
    assert_int_equal(chy_set_purposes(&task, two, 0), CHY_E_INVALIDARG);
    assert_int_equal(task.failed, CHY_CRYPT_E_OID_FORMAT);
}

static void dns_names(void **state)
{
    static const char *const two[] = {"a.example", "*.b.example"};
    const char *many[40];
    char name[251];
    chy_task task = a_task();
    (void)state;
    chy_set_dns_names(&task, two, 2);
    was_set("\x30\x18\x82\x09"
            "a.example\x82\x0b*.b.example",
            26, 0);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = (char)(i % 2 ? '.' : 'a');
    name[sizeof name - 2] = 'b';
    name[sizeof name - 1] = 0;
    for (size_t i = 0; i < 40; i++)
        many[i] = name;
    assert_int_equal(chy_set_dns_names(&task, many, 1), CHY_S_OK);
    assert_memory_equal(seen.value, "\x30\x81\xfd\x82\x81\xfa", 6);
    assert_int_equal(chy_set_dns_names(&task, many, 2), CHY_S_OK);
    assert_memory_equal(seen.value, "\x30\x82\x01\xfa\x82\x81\xfa", 7);
    assert_int_equal(task.failed, CHY_S_OK);
    assert_int_equal(chy_set_dns_names(&task, many, 40), CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_int_equal(chy_set_dns_name(&task, "*"), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_int_equal(chy_set_dns_name(&task, "a.*.b"), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_int_equal(chy_set_dns_names(&task, two, 0), CHY_E_INVALIDARG);
    assert_int_equal(task.failed, CHY_CERTSRV_E_ENCODING_LENGTH);
}

static void exit_modules_set_nothing(void **state)
{
    chy_task task = {.host = &host};
    (void)state;
    assert_int_equal(chy_set_text(&task, "CommonName", "a"), CHY_E_NOTIMPL);
    assert_int_equal(chy_set_key_usage(&task, CHY_KU_CRL_SIGN), CHY_E_NOTIMPL);
}

/* ---- the class ---- */

static chy_hresult invoke(chy_object *o, const char *method, const chy_variant *args,
                          uint32_t nargs, chy_variant *result, uint32_t *bad)
{
    return policy_of(o)->invoke(o->self, method, args, nargs, result, NULL, bad);
}

static chy_long verdict(chy_object *o)
{
    chy_long direct = 99;
    chy_variant late, args[4] = {chy_variant_of_text("c"), chy_variant_of_long(7),
                                 chy_variant_of_long(1), chy_variant_of_long(0)};
    args[2].vt = CHY_VT_BOOL;
    assert_int_equal(policy_of(o)->verify_request(o->self, "c", 7, 1, 0, &direct), CHY_S_OK);
    assert_int_equal(invoke(o, "verifyREQUEST", args, 4, &late, NULL), CHY_S_OK);
    assert_int_equal(late.vt, CHY_VT_LONG);
    assert_int_equal(late.u.l, direct);
    return direct;
}

static void only_a_clean_issue_issues(void **state)
{
    chy_object *o = *state;
    chy_long d = 99;
    assert_int_equal(policy_of(o)->verify_request(o->self, "c", 7, 1, 0, &d), CHY_E_UNEXPECTED);
    assert_int_equal(d, CHY_VR_INSTANT_BAD);
    assert_int_equal(policy_of(o)->initialize(o->self, "c"), CHY_S_OK);
    assert_int_equal(policy_of(o)->verify_request(o->self, "c", 7, 1, 0, NULL), CHY_E_POINTER);
    assert_int_equal(policy_of(o)->verify_request(o->self, "c", 8, 1, 0, &d), CHY_E_HANDLE);
    assert_int_equal(d, CHY_VR_INSTANT_BAD);
    assert_int_equal(verdict(o), CHY_VR_PENDING);
    seen.answer = CHY_VR_INSTANT_OK;
    assert_int_equal(verdict(o), CHY_VR_INSTANT_OK);
    seen.init = CHY_E_OUTOFMEMORY;
    assert_int_equal(verdict(o), CHY_E_OUTOFMEMORY);
    assert_int_equal(policy_of(o)->shut_down(o->self), CHY_S_OK);
    assert_int_equal(seen.states, 0);
    assert_int_equal(policy_of(o)->verify_request(o->self, "c", 7, 1, 0, &d), CHY_E_UNEXPECTED);
    assert_int_equal(seen.released, 8);
}

static void late_calls_are_checked(void **state)
{
    chy_object *o = *state;
    chy_variant v, args[4] = {chy_variant_of_text("c"), chy_variant_of_long(7),
                              chy_variant_of_text("1"), chy_variant_of_long(0)};
    uint32_t bad = 9;
    assert_int_equal(invoke(o, "Verify", args, 4, &v, &bad), CHY_DISP_E_UNKNOWNNAME);
    assert_int_equal(invoke(o, NULL, args, 4, &v, &bad), CHY_DISP_E_UNKNOWNNAME);
    assert_int_equal(invoke(o, "VerifyRequest", args, 4, &v, &bad), CHY_DISP_E_TYPEMISMATCH);
    assert_int_equal(bad, 2);
    args[2] = chy_variant_of_long(1);
    assert_int_equal(invoke(o, "VerifyRequest", args, 3, &v, &bad), CHY_DISP_E_BADPARAMCOUNT);
    assert_int_equal(invoke(o, "VerifyRequest", args, 5, &v, &bad), CHY_DISP_E_BADPARAMCOUNT);
    assert_int_equal(invoke(o, "VerifyRequest", args, 4, NULL, &bad), CHY_E_POINTER);
    assert_int_equal(invoke(o, "VerifyRequest", args, 4, &v, &bad), CHY_DISP_E_EXCEPTION);
    assert_int_equal(invoke(o, "Initialize", args, 1, NULL, &bad), CHY_S_OK);
    assert_int_equal(invoke(o, "ShutDown", NULL, 0, NULL, &bad), CHY_S_OK);
    assert_int_equal(invoke(o, "GetDescription", NULL, 0, &v, &bad), CHY_S_OK);
    assert_string_equal(v.u.s.p, "The comfort layer");
    variant_clear(&v);
}

static void an_exception_carries_the_number(void **state)
{
    chy_object *o = *state;
    chy_variant arg = chy_variant_of_text("c");
    chy_excep e = {0};
    seen.init = CHY_E_ACCESSDENIED;
    assert_int_equal(policy_of(o)->invoke(o->self, "Initialize", &arg, 1, NULL, &e, NULL),
                     CHY_DISP_E_EXCEPTION);
    assert_int_equal(e.code, CHY_E_ACCESSDENIED);
    assert_string_equal(e.source.p, "easy");
    assert_string_equal(e.description.p, "Initialize");
    free(e.source.p);
    free(e.description.p);
    assert_int_equal(seen.states, 0);
}

static void a_refresh_keeps_what_works(void **state)
{
    chy_object *o = *state;
    chy_manage_module m;
    assert_int_equal(policy_of(o)->get_manage_module(o->self, NULL), CHY_E_POINTER);
    assert_int_equal(policy_of(o)->get_manage_module(o->self, &m), CHY_S_OK);
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), CHY_S_OK);
    assert_int_equal(seen.states, 0);
    assert_int_equal(policy_of(o)->initialize(o->self, "c"), CHY_S_OK);
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), CHY_S_OK);
    seen.init = CHY_E_FAIL;
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), CHY_E_FAIL);
    seen.init = CHY_S_OK;
    assert_int_equal(seen.states, 1);
    assert_int_equal(verdict(o), CHY_VR_PENDING);
    m.vt->release(m.self);
}

static void manage_properties(void **state)
{
    static const char *const t[][2] = {{"name", "easy"},
                                       {"Description", "The comfort layer"},
                                       {"Copyright", ""},
                                       {"File Version", "1.2"},
                                       {"PRODUCT VERSION", "1.2"}};
    chy_variant object, v,
        args[4] = {chy_variant_of_text("c"), chy_variant_of_text("s"), chy_variant_of_text(""),
                   chy_variant_of_long(0)};
    assert_int_equal(invoke(*state, "GetManageModule", NULL, 0, &object, NULL), CHY_S_OK);
    assert_int_equal(object.vt, CHY_VT_OBJECT);
    chy_object m = *object.u.o;
    variant_clear(&object);
    const chy_manage_module_vtbl *mt = (const chy_manage_module_vtbl *)(const void *)m.vt;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        args[2] = chy_variant_of_text(t[i][0]);
        assert_int_equal(mt->get_property(m.self, "c", "s", t[i][0], 0, &v), CHY_S_OK);
        assert_string_equal(v.u.s.p, t[i][1]);
        variant_clear(&v);
        assert_int_equal(mt->invoke(m.self, "GetProperty", args, 4, &v, NULL, NULL), CHY_S_OK);
        assert_string_equal(v.u.s.p, t[i][1]);
        variant_clear(&v);
    }
    assert_int_equal(mt->get_property(m.self, "c", "s", "HWND", 0, &v), CHY_S_FALSE);
    assert_int_equal(v.vt, CHY_VT_EMPTY);
    assert_int_equal(mt->get_property(m.self, "c", "s", NULL, 0, &v), CHY_E_INVALIDARG);
    assert_int_equal(mt->get_property(m.self, "c", "s", "Name", 0, NULL), CHY_E_POINTER);
    assert_int_equal(mt->set_property(m.self, "c", "s", "HWND", 0, &args[3]), CHY_S_FALSE);
    mt->release(m.self);
}

static void classes(void **state)
{
    chy_object o;
    (void)state;
    const chy_module_info *info = chy_module_entry();
    assert_string_equal(info->class_names[1], "Easy.PolicyManage");
    assert_null(info->class_names[2]);
    assert_int_equal(info->create(&host, "Easy.Exit", &o), CHY_REGDB_E_CLASSNOTREG);
    assert_int_equal(info->create(&host, NULL, &o), CHY_E_POINTER);
    assert_int_equal(info->create(&host, "Easy.PolicyManage", &o), CHY_S_OK);
    assert_int_equal(o.vt->iface_id, CHY_IID_MANAGE_MODULE);
    ((const chy_manage_module_vtbl *)(const void *)o.vt)->release(o.self);
}

int main(void)
{
#define WITH_OBJECT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(host_names),
                                       cmocka_unit_test(below),
                                       cmocka_unit_test(copies),
                                       cmocka_unit_test(times),
                                       cmocka_unit_test(key_usages),
                                       cmocka_unit_test(purposes),
                                       cmocka_unit_test(dns_names),
                                       cmocka_unit_test(exit_modules_set_nothing),
                                       cmocka_unit_test(classes),
                                       WITH_OBJECT(only_a_clean_issue_issues),
                                       WITH_OBJECT(late_calls_are_checked),
                                       WITH_OBJECT(an_exception_carries_the_number),
                                       WITH_OBJECT(a_refresh_keeps_what_works),
                                       WITH_OBJECT(manage_properties)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
