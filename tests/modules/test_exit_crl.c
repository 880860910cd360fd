/* The publishing exit module: the CRLs of the CA as files. */
#include "host.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUBLISHER "exit-publish", "ExitPublish.Exit"

static char folder[64];

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "/tmp/exit-crl-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    fake_set_text("CRLDirectory", folder);
    fake_ca("fDeltaCRLsDisabled", "0");
    fake_ca("CertCount", "1");
    fake_ca("CRLState.0", "3");
    fake_ca("CRLSuffix.0", "");
    fake_ca("SanitizedCAName", "Test CA !0028x!0029");
    fake_ca("SanitizedShortName", "Short");
    fake_ca("RawCRL.0", "base 0");
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    return fake_remove(folder);
}

static void empty_folder(void)
{
    assert_int_equal(fake_remove(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* "NAME=CONTENT " of each file in the folder, sorted. */
static const char *files(void)
{
    static char text[4000];
    struct dirent **list = NULL;
    int n = scandir(folder, &list, NULL, alphasort);
    text[0] = 0;
    for (int i = 0; i < n; i++) {
        char path[400], content[200] = "";
        size_t used = strlen(text);
        snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        FILE *f =
            list[i]->d_name[0] == '.' && strlen(list[i]->d_name) < 3 ? NULL : fopen(path, "rb");
        if (f) {
            content[fread(content, 1, sizeof content - 1, f)] = 0;
            fclose(f);
            snprintf(text + used, sizeof text - used, "%s=%s ", list[i]->d_name, content);
        }
        free(list[i]);
    }
    free(list);
    return text;
}

static chy_hresult initialize(void)
{
    chy_long mask = 0;
    chy_hresult hr = fake_exit_initialize(PUBLISHER, &mask);
    if (!CHY_FAILED(hr)) assert_true(mask & CHY_EXITEVENT_CRLISSUED);
    return hr;
}

static chy_hresult notify(chy_long event, chy_long context)
{
    return fake_exit_notify(PUBLISHER, event, context);
}

#define new_crl() notify(CHY_EXITEVENT_CRLISSUED, 0)
#define published() assert_int_equal(new_crl(), CHY_S_OK)

static void one_key(void **state)
{
    (void)state;
    published();
    assert_string_equal(files(), "Test CA !0028x!0029.crl=base 0 ");
    fake_ca("RawCRL.0", "base 0, the next");
    fake_ca("RawDeltaCRL.0", "delta 0");
    published();
    assert_string_equal(files(), "Test CA !0028x!0029+.crl=delta 0 "
                                 "Test CA !0028x!0029.crl=base 0, the next ");
    assert_string_equal(fake.log, "");
    assert_int_equal(initialize(), CHY_S_OK);
    assert_string_equal(fake.log, "exit-publish: no Folder, no certificate is published\n");
}

static void without_deltas(void **state)
{
    (void)state;
    fake_ca("RawDeltaCRL.0", "delta 0");
    fake_ca("fDeltaCRLsDisabled", "1");
    published();
    assert_string_equal(files(), "Test CA !0028x!0029.crl=base 0 ");
    fake_ca("fDeltaCRLsDisabled", NULL);
    published();
    assert_string_equal(files(), "Test CA !0028x!0029.crl=base 0 ");
}

static void several_keys(void **state)
{
    (void)state;
    fake_set_text("CRLFileName", "ca%8%9.crl");
    fake_ca("CertCount", "4");
    fake_ca("CRLState.1", "1");
    fake_ca("CRLState.2", "3");
    fake_ca("CRLState.3", "4");
    fake_ca("CRLSuffix.2", "(2)");
    fake_ca("RawCRL.1", "base 1");
    fake_ca("RawCRL.2", "base 2");
    fake_ca("RawCRL.3", "base 3");
    fake_ca("RawDeltaCRL.2", "delta 2");
    published();
    assert_string_equal(files(), "ca(2)+.crl=delta 2 ca(2).crl=base 2 ca.crl=base 0 ");
}

static void several_partitions(void **state)
{
    (void)state;
    fake_set_text("CRLFileName", "ca.crl");
    fake_ca("CRLShards", "4");
    fake_ca("RawCRL.0.1", "base 1");
    fake_ca("RawDeltaCRL.0.1", "delta 1");
    fake_ca("RawCRL.0.2", "base 2");
    fake_ca("RawCRL.0.4", "base 4");
    published(); /* 3 is not there: nothing behind it is asked for */
    assert_string_equal(files(), "ca.crl=base 0 ca_Partition00001+.crl=delta 1 "
                                 "ca_Partition00001.crl=base 1 ca_Partition00002.crl=base 2 ");
    empty_folder();
    fake_ca("CRLShards", "1");
    published();
    assert_string_equal(files(), "ca.crl=base 0 ca_Partition00001+.crl=delta 1 "
                                 "ca_Partition00001.crl=base 1 ");
    empty_folder();
    fake_ca("CRLShards", NULL);
    published();
    assert_string_equal(files(), "ca.crl=base 0 ");
}

static void names_follow_the_pattern(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"%3"
                                        "<CRLPartitionIndex>%8%9.crl",
                                        "Test CA !0028x!0029_Partition00001(7)+.crl=d "},
                                       {"%7.crl", "Short_Partition00001(7)+.crl=d "},
                                       {"x", "x_Partition00001(7)+=d "},
                                       {"%9-<CRLPartitionIndex>", "+-_Partition00001(7)=d "},
                                       {"%%8%8.a.b", "%8(7).a_Partition00001+.b=d "},
                                       {"..", "__Partition00001(7)+.=d "},
                                       {".crl", "_crl_Partition00001(7)+=d "}};
    fake_ca("CRLSuffix.0", "(7)");
    fake_ca("CRLShards", "1");
    fake_ca("RawCRL.0.1", "b");
    fake_ca("RawDeltaCRL.0.1", "d");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_set_text("CRLFileName", t[i][0]);
        published();
        if (!strstr(files(), t[i][1])) fail_msg("%s: %s", t[i][0], files());
        empty_folder();
    }
}

/* The name of a CA and its suffixes come from the engine; a folder is left by none of them. */
static void names_stay_in_the_folder(void **state)
{
    (void)state;
    fake_ca("SanitizedCAName", "../../etc/\n\x7f\xc3");
    fake_ca("CRLSuffix.0", "/x");
    published();
    assert_string_equal(files(), "_._.._etc_____x.crl=base 0 ");
    empty_folder();
    fake_ca("SanitizedCAName", NULL);
    fake_ca("CRLSuffix.0", NULL);
    published();
    assert_string_equal(files(), "_crl=base 0 ");
    empty_folder();
    fake_set_text("CRLFileName", "%3");
    assert_int_equal(new_crl(), CHY_E_INVALIDARG); /* no name at all */
    assert_string_equal(files(), "");
}

static void a_name_is_never_cut(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name);
    name[251] = 0;
    fake_ca("SanitizedCAName", name);
    published();
    name[251] = 'x';
    name[252] = 0;
    fake_ca("SanitizedCAName", name);
    assert_int_equal(new_crl(), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "RawCRL.0: nothing written to"));
}

static void nothing_without_a_folder(void **state)
{
    (void)state;
    fake_unset("CRLDirectory");
    published();
    assert_string_equal(files(), "");
    assert_int_equal(initialize(), CHY_S_OK);
    assert_non_null(strstr(fake.log, "no Folder and no CRLDirectory, nothing is published"));
    fake_set_text("CRLDirectory", folder);
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED, 0), CHY_S_OK);
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 1), CHY_S_OK); /* that is no CRL's context */
    assert_string_equal(files(), "");
}

static void no_crl_yet(void **state)
{
    (void)state;
    fake_ca("RawCRL.0", NULL);
    fake_ca("RawDeltaCRL.0", "delta 0");
    published();
    fake_ca("CRLState.0", NULL);
    published();
    fake_ca("CertCount", NULL);
    published();
    assert_string_equal(files(), "");
}

static void what_cannot_be_written_is_tried_again(void **state)
{
    (void)state;
    char path[100];
    fake_set_text("CRLFileName", "ca");
    fake_ca("CertCount", "2");
    fake_ca("CRLState.1", "3");
    fake_ca("CRLSuffix.1", "(1)");
    fake_ca("RawCRL.1", "base 1");
    snprintf(path, sizeof path, "%s/ca", folder);
    assert_int_equal(mkdir(path, 0700), 0); /* rename cannot replace a folder */
    assert_int_equal(new_crl(), CHY_ERROR_IO_DEVICE);
    assert_string_equal(strstr(files(), "ca(1)"), "ca(1)=base 1 ");
    assert_non_null(strstr(fake.log, "RawCRL.0: nothing written to /tmp/exit-crl"));
    assert_null(strstr(fake.log, "RawCRL.1"));
    assert_null(strstr(files(), ".publish"));
    assert_int_equal(rmdir(path), 0);
    published();
    assert_string_equal(files(), "ca=base 0 ca(1)=base 1 ");
    fake_set_text("CRLDirectory", "/nonexistent/folder");
    assert_int_equal(new_crl(), CHY_ERROR_FILE_NOT_FOUND);
}

static void failing_reads_are_failures(void **state)
{
    (void)state;
    static const char *const t[] = {"fDeltaCRLsDisabled", "CertCount",   "CRLShards", "CRLState.0",
                                    "SanitizedCAName",    "CRLSuffix.0", "RawCRL.0"};
    fake.fail_code = CHY_E_UNEXPECTED;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake.log[0] = 0;
        fake.fails = t[i];
        if (new_crl() != CHY_E_UNEXPECTED) fail_msg("%s", t[i]);
        assert_non_null(strstr(fake.log, "nothing written to"));
    }
    assert_string_equal(files(), "");
    fake.fails = "RawDeltaCRL.0";
    assert_int_equal(new_crl(), CHY_E_UNEXPECTED);
    assert_string_equal(files(), "Test CA !0028x!0029.crl=base 0 ");
}

static void answers_that_make_no_sense(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        {"CertCount", "-1"}, {"CertCount", "65537"}, {"CRLShards", "100000"}, {"RawCRL.0", ""}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        tidy(NULL);
        reset(NULL);
        fake_ca(t[i][0], t[i][1]);
        if (new_crl() != CHY_E_UNEXPECTED) fail_msg("%s %s", t[i][0], t[i][1]);
        assert_string_equal(files(), "");
    }
}

static void mode_and_kind(void **state)
{
    (void)state;
    struct stat st;
    char path[100];
    fake_set_text("CRLFileName", "ca.crl");
    fake_set_text("Mode", "0640");
    fake_set_text("Format", "pem"); /* of certificates; RFC 5280 4.2.1.13 has CRLs fetched as DER */
    published();
    assert_string_equal(files(), "ca.crl=base 0 ");
    snprintf(path, sizeof path, "%s/ca.crl", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void each_bad_setting_is_named(void **state)
{
    (void)state;
    static const char *const t[][3] = {{"CRLDirectory", "relative", "absolute path"},
                                       {"CRLFileName", "", "is empty"},
                                       {"CRLFileName", "%i.crl", "is not %3, %7, %8, %9 or %%"},
                                       {"CRLFileName", "a%", "is not %3, %7, %8, %9 or %%"},
                                       {"CRLFileName", "a/b", "has one of"},
                                       {"CRLFileName", "<Partition>", "has one of"},
                                       {"CRLFileName", "a+", "has one of"},
                                       {"CRLFileName", "a(1)", "has one of"},
                                       {"CRLFileName", "a\nb", "has one of"},
                                       {"CRLFileName", "\xc3\xa4", "has one of"}};
    char longer[66];
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_reset();
        fake_set_text(t[i][0], t[i][1]);
        assert_int_equal(initialize(), CHY_E_INVALIDARG);
        if (!strstr(fake.log, t[i][0]) || !strstr(fake.log, t[i][2])) fail_msg("%s", fake.log);
    }
    memset(longer, 'x', 65);
    longer[65] = 0;
    fake_reset();
    fake_set_text("CRLFileName", longer);
    assert_int_equal(initialize(), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "more than 64"));
    longer[64] = 0;
    fake_set_text("CRLFileName", longer);
    assert_int_equal(initialize(), CHY_S_OK);
    fake_set_text("CRLDirectory", "");
    assert_int_equal(initialize(), CHY_S_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_key, reset, tidy),
        cmocka_unit_test_setup_teardown(without_deltas, reset, tidy),
        cmocka_unit_test_setup_teardown(several_keys, reset, tidy),
        cmocka_unit_test_setup_teardown(several_partitions, reset, tidy),
        cmocka_unit_test_setup_teardown(names_follow_the_pattern, reset, tidy),
        cmocka_unit_test_setup_teardown(names_stay_in_the_folder, reset, tidy),
        cmocka_unit_test_setup_teardown(a_name_is_never_cut, reset, tidy),
        cmocka_unit_test_setup_teardown(nothing_without_a_folder, reset, tidy),
        cmocka_unit_test_setup_teardown(no_crl_yet, reset, tidy),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_tried_again, reset, tidy),
        cmocka_unit_test_setup_teardown(failing_reads_are_failures, reset, tidy),
        cmocka_unit_test_setup_teardown(answers_that_make_no_sense, reset, tidy),
        cmocka_unit_test_setup_teardown(mode_and_kind, reset, tidy),
        cmocka_unit_test_setup_teardown(each_bad_setting_is_named, reset, tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
