/* Which files are loaded, and what is said of the others. Each refusal is provoked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine.h"

struct place {
    struct engine engine;
    struct chy_modules *ms;
    char dir[64];
};

static void copy(const char *from, const char *to)
{
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 64 << 20);
    assert_int_equal(chy_file_read(from, 64 << 20, &b, &err), CHY_S_OK);
    assert_int_equal(chy_file_write(to, chy_buf_span(&b), 0755, &err), CHY_S_OK);
    chy_buf_free(&b);
}

static const char *in(const struct place *p, const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    return path;
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    engine_init(&p->engine);
    snprintf(p->dir, sizeof(p->dir), "/tmp/chancery-load-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->ms = engine_modules(&p->engine, p->dir, 10000);
    copy(PROBES "/probe.so", in(p, "probe.so"));
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    chy_modules_free(p->ms);
    chy_dir_remove(p->dir);
    engine_fini(&p->engine);
    free(p);
    return 0;
}

static void refused(struct place *p, const char *module, chy_hresult code, const char *text)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    chy_hresult hr = chy_policy_open(p->ms, module, NULL, CHY_BINDING_AUTO, &i, &err);
    if (hr != code || !strstr(err.text, text))
        fail_msg("%s: %08x, \"%s\"; expected \"%s\"", module, (unsigned)hr, err.text, text);
    assert_null(i);
}

static void loads(struct place *p, const char *module)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    if (chy_policy_open(p->ms, module, NULL, CHY_BINDING_AUTO, &i, &err) != CHY_S_OK)
        fail_msg("%s: %s", module, err.text);
    chy_instance_free(i);
}

static void names(void **state)
{
    struct place *p = *state;
    char inside[300];
    loads(p, "probe");
    loads(p, "probe.so");
    loads(p, in(p, "probe.so"));
    refused(p, "", CHY_E_INVALIDARG, "a name in the module folder");
    refused(p, "./probe.so", CHY_E_INVALIDARG, "a name in the module folder");
    refused(p, "sub/probe.so", CHY_E_INVALIDARG, "a name in the module folder");
    refused(p, ".hidden", CHY_E_INVALIDARG, "a name in the module folder");
    refused(p, "..", CHY_E_INVALIDARG, "without \"..\"");
    refused(p, "../probe.so", CHY_E_INVALIDARG, "without \"..\"");
    snprintf(inside, sizeof(inside), "%s/../%s", p->dir, strrchr(in(p, "probe.so"), '/') + 1);
    refused(p, inside, CHY_E_INVALIDARG, "without \"..\"");
    snprintf(inside, sizeof(inside), "%s/..", p->dir);
    refused(p, inside, CHY_E_INVALIDARG, "without \"..\"");
    char longer[5000];
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = 0;
    refused(p, longer, CHY_E_INVALIDARG, "path too long");
    copy(PROBES "/probe.so", in(p, "a..b.so"));
    loads(p, "a..b");
}

static void no_folder_no_names(void **state)
{
    struct place *p = *state;
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct chy_modules *ms = engine_modules(&p->engine, NULL, 1000);
    assert_int_equal(chy_policy_open(ms, "probe", NULL, CHY_BINDING_AUTO, &i, &err),
                     CHY_E_INVALIDARG);
    chy_modules_free(ms);
}

static void files(void **state)
{
    struct place *p = *state;
    struct chy_err err = {0};
    struct chy_instance *i = NULL;
    assert_int_equal(chy_policy_open(p->ms, "absent", NULL, CHY_BINDING_AUTO, &i, &err),
                     CHY_HR(0x80070002u));
    char link[256];
    snprintf(link, sizeof(link), "%s", in(p, "link.so"));
    assert_int_equal(symlink(in(p, "probe.so"), link), 0);
    refused(p, "link", CHY_E_ACCESSDENIED, "a link: name the file itself");
    assert_int_equal(mkdir(in(p, "folder.so"), 0755), 0);
    refused(p, "folder", CHY_E_INVALIDARG, "not a regular file");
    assert_int_equal(mkfifo(in(p, "pipe.so"), 0600), 0);
    refused(p, "pipe", CHY_E_INVALIDARG, "not a regular file");
    assert_int_equal(chy_file_write(in(p, "text.so"), CHY_SPAN_STR("no library"), 0755, &err),
                     CHY_S_OK);
    refused(p, "text", CHY_E_NOINTERFACE, "text.so: ");
    assert_int_equal(chy_file_write(in(p, "nothing.so"), CHY_SPAN_STR(""), 0755, &err), CHY_S_OK);
    refused(p, "nothing", CHY_E_NOINTERFACE, "nothing.so: ");
    copy(PROBES "/stranger.so", in(p, "stranger.so"));
    refused(p, "stranger", CHY_E_NOINTERFACE, "it exports no chy_module_entry");
}

static void modes(void **state)
{
    struct place *p = *state;
    static const mode_t bad[] = {0757, 0775, 0777, 0722};
    for (size_t k = 0; k < CHY_ARRAY_LEN(bad); k++) {
        assert_int_equal(chmod(in(p, "probe.so"), bad[k]), 0);
        refused(p, "probe", CHY_E_ACCESSDENIED, "others than its owner may write it");
    }
    assert_int_equal(chmod(in(p, "probe.so"), 0600), 0);
    assert_int_equal(chmod(p->dir, 0777), 0);
    refused(p, "probe", CHY_E_ACCESSDENIED, "others than its owner may write it");
    assert_int_equal(chmod(p->dir, 01777), 0); /* as /tmp: nobody replaces another's file */
    loads(p, "probe");
}

static void owners(void **state)
{
    struct place *p = *state;
    if (geteuid() != 0) skip();
    assert_int_equal(chown(in(p, "probe.so"), 12345, (gid_t)-1), 0);
    refused(p, "probe", CHY_E_ACCESSDENIED, "it belongs to user 12345");
    assert_int_equal(chown(in(p, "probe.so"), 0, (gid_t)-1), 0);
    assert_int_equal(chown(p->dir, 12345, (gid_t)-1), 0);
    refused(p, "probe", CHY_E_ACCESSDENIED, "it belongs to user 12345");
    assert_int_equal(chown(p->dir, 0, (gid_t)-1), 0);
    loads(p, "probe");
}

static void classes(void **state)
{
    struct place *p = *state;
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct chy_instance_info info;
    assert_int_equal(chy_policy_open(p->ms, "probe", "No.Policy", CHY_BINDING_AUTO, &i, &err),
                     CHY_REGDB_E_CLASSNOTREG);
    chy_err_clear(&err);
    assert_int_equal(chy_policy_open(p->ms, "probe", "Probe.Exit", CHY_BINDING_AUTO, &i, &err),
                     CHY_E_NOINTERFACE);
    assert_non_null(strstr(err.text, "its table is of interface 3, not 2"));
    chy_err_clear(&err);
    assert_int_equal(chy_exit_open(p->ms, "probe", "Probe.Policy", CHY_BINDING_AUTO, &i, &err),
                     CHY_E_NOINTERFACE);
    chy_err_clear(&err);
    assert_int_equal(chy_policy_open(p->ms, "probe", "Probe.Policy", CHY_BINDING_LATE, &i, &err),
                     CHY_E_NOINTERFACE);
    assert_non_null(strstr(err.text, "it has no invoke"));
    chy_err_clear(&err);
    assert_int_equal(chy_exit_open(p->ms, "probe", "ProbeLate.Exit", CHY_BINDING_DIRECT, &i, &err),
                     CHY_E_NOINTERFACE);
    assert_non_null(strstr(err.text, "its direct members are missing"));
    chy_err_clear(&err);
    assert_int_equal(chy_policy_open(p->ms, "probe", "PROBE.policy", CHY_BINDING_AUTO, &i, &err),
                     CHY_S_OK);
    chy_instance_info(i, &info);
    assert_string_equal(info.name, "probe");
    assert_string_equal(info.class_name, "Probe.Policy");
    assert_string_equal(info.path, in(p, "probe.so"));
    assert_string_equal(info.location, "PolicyModules/probe");
    assert_string_equal(info.version, "1.0");
    assert_int_equal(strlen(info.sha256), 64);
    chy_instance_free(i);
}

static void name_is(struct chy_modules *ms, const char *module, const char *name)
{
    struct chy_instance *i = NULL;
    struct chy_err err = {0};
    struct chy_instance_info info;
    if (chy_policy_open(ms, module, NULL, CHY_BINDING_AUTO, &i, &err) != CHY_S_OK)
        fail_msg("%s", err.text);
    chy_instance_info(i, &info);
    assert_string_equal(info.name, name);
    chy_instance_free(i);
}

/* The loader knows a library by the name it was opened with; a name that came to mean a second file
 * would give the first again. */
static void two_are_two(void **state)
{
    struct place *p = *state;
    copy(PROBES "/probe-two.so", in(p, "probe-two.so"));
    name_is(p->ms, "probe", "probe");
    name_is(p->ms, "probe-two", "probe-two");
    name_is(p->ms, "probe", "probe");
}

static void a_module_after_a_refused_one(void **state)
{
    struct place *p = *state;
    copy(PROBES "/stranger.so", in(p, "stranger.so"));
    for (int k = 0; k < 3; k++)
        refused(p, "stranger", CHY_E_NOINTERFACE, "it exports no chy_module_entry");
    copy(PROBES "/probe-two.so", in(p, "another.so"));
    name_is(p->ms, "another", "probe-two");
}

static void two_authorities(void **state)
{
    struct place *p = *state;
    struct engine other;
    engine_init(&other);
    struct chy_modules *ms = engine_modules(&other, p->dir, 10000);
    struct chy_instance *a = NULL, *b = NULL;
    struct chy_err err = {0};
    assert_int_equal(chy_policy_open(p->ms, "probe", NULL, CHY_BINDING_AUTO, &a, &err), CHY_S_OK);
    assert_int_equal(chy_policy_open(ms, "probe", NULL, CHY_BINDING_AUTO, &b, &err), CHY_S_OK);
    assert_int_equal(chy_policy_initialize(a, "walk", &err), CHY_S_OK);
    assert_null(engine_record(&other)[0] ? engine_record(&other) : NULL);
    engine_forget(&p->engine);
    assert_int_equal(chy_policy_initialize(b, "walk", &err), CHY_S_OK);
    assert_string_equal(engine_record(&p->engine), "");
    assert_non_null(strstr(engine_record(&other), "CA property CAType"));
    chy_instance_free(a);
    chy_instance_free(b);
    chy_modules_free(ms);
    engine_fini(&other);
}

/* A new file in the place of a loaded one is not taken up before a restart, nor mistaken for it. */
static void replaced_on_disk(void **state)
{
    struct place *p = *state;
    name_is(p->ms, "probe", "probe");
    copy(PROBES "/probe-two.so", in(p, "probe.so"));
    name_is(p->ms, "probe", "probe");
    struct chy_modules *ms = engine_modules(&p->engine, p->dir, 10000);
    name_is(ms, "probe", "probe-two");
    chy_modules_free(ms);
}

static void checked_without_an_authority(void **state)
{
    struct place *p = *state;
    struct chy_buf out;
    struct chy_err err = {0};
    chy_buf_init(&out, 65536);
    assert_int_equal(chy_module_check(in(p, "probe.so"), &out, &err), CHY_S_OK);
    const char *text = chy_buf_cstr(&out);
    assert_non_null(strstr(text, "class Probe.Policy: policy, direct, serial\n"));
    assert_non_null(strstr(text, "class ProbeFree.Policy: policy, direct, concurrent\n"));
    assert_non_null(strstr(text, "class ProbeLate.Exit: exit, late-bound only, serial\n"));
    assert_non_null(strstr(text, "class ProbeOld.ExitManage: manage, direct, serial\n"));
    chy_buf_free(&out);
    chy_buf_init(&out, 65536);
    assert_int_equal(chy_module_check("probe.so", &out, &err), CHY_E_INVALIDARG);
    chy_buf_free(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names),
        TEST(no_folder_no_names),
        TEST(files),
        TEST(modes),
        TEST(owners),
        TEST(classes),
        TEST(two_are_two),
        TEST(two_authorities),
        TEST(a_module_after_a_refused_one),
        TEST(replaced_on_disk),
        TEST(checked_without_an_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
