/* The publishing exit module: what is written, where it cannot write, and its settings. */
#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUBLISHER "exit-publish", "ExitPublish.Exit"

static const char leaf[] = "leaf certificate of many octets, enough of them for a second line";
static const char root[] = "ca";
static char folder[64];
static struct fake_request *rq;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "/tmp/exit-publish-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    rq = &fake.request[0];
    fake_property(rq, "RawCertificate", leaf, sizeof leaf - 1);
    fake_property(rq, "RawCACertificate", root, sizeof root - 1);
    fake_property(rq, "SerialNumber", "00ab12", 6);
    fake_cn(rq, "a.test");
    fake_set_text("Folder", folder);
    fake_set_long("Always", 1);
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

/* The names in the folder, sorted, with a blank behind each. */
static const char *names(void)
{
    static char text[2000];
    struct dirent **list = NULL;
    int n = scandir(folder, &list, NULL, alphasort);
    text[0] = 0;
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text);
        if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
            snprintf(text + used, sizeof text - used, "%s ", list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return text;
}

static const char *content(const char *name)
{
    static char text[1000];
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("no %s in: %s", name, names());
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static chy_hresult initialize(chy_long *mask)
{
    return fake_exit_initialize(PUBLISHER, mask);
}

static chy_hresult notify(chy_long event)
{
    return fake_exit_notify(PUBLISHER, event, 1);
}

#define issued() assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK)

static void der_by_default(void **state)
{
    (void)state;
    issued();
    assert_string_equal(names(), "10.cer ");
    assert_string_equal(content("10.cer"), leaf);
}

static void cert_file_attribute(void **state)
{
    (void)state;
    fake_unset("Always");
    issued();
    fake_attribute(rq, "CertFile", "/etc/passwd");
    issued();
    fake_attribute(rq, "CertFile", "false");
    issued();
    assert_string_equal(names(), "");
    fake_attribute(rq, "CertFile", "TRUE");
    issued();
    assert_string_equal(names(), "10.cer ");
    fake.fails = "CertFile";
    fake.fail_code = CHY_E_UNEXPECTED;
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_E_UNEXPECTED);
}

static void pem_and_chain(void **state)
{
    (void)state;
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                              "bGVhZiBjZXJ0aWZpY2F0ZSBvZiBtYW55IG9jdGV0cywgZW5vdWdoIG9mIHRoZW0g\n"
                              "Zm9yIGEgc2Vjb25kIGxpbmU=\n"
                              "-----END CERTIFICATE-----\n";
    static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\nY2E=\n-----END CERTIFICATE-----\n";
    char both[600];
    fake_set_text("Format", "PEM");
    issued();
    assert_string_equal(content("10.cer"), pem);
    fake_set_text("Format", "chain");
    issued();
    snprintf(both, sizeof both, "%s%s", pem, ca_pem);
    assert_string_equal(content("10.cer"), both);
    fake_property(rq, "RawCACertificate", NULL, 0);
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_string_equal(content("10.cer"), both);
}

static void pem_lines_of_every_length(void **state)
{
    (void)state;
    static const char *const ends[] = {"\nQUFB", "\nQUE=", "\nQQ=="};
    char octets[200];
    memset(octets, 'A', sizeof octets);
    fake_set_text("Format", "pem");
    for (size_t n = 1; n < 150; n++) {
        fake_property(rq, "RawCertificate", octets, n);
        issued();
        const char *p = content("10.cer") + strlen("-----BEGIN CERTIFICATE-----\n");
        size_t symbols = 0;
        for (const char *line = p; *line != '-'; line = strchr(line, '\n') + 1) {
            size_t len = strcspn(line, "\n");
            assert_true(len == 64 || line[len + 1] == '-');
            symbols += len;
        }
        assert_int_equal(symbols, (n + 2) / 3 * 4);
        if (n % 48 <= 3 && n % 48 > 0) assert_non_null(strstr(content("10.cer"), ends[3 - n % 48]));
    }
}

static void names_follow_the_pattern(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        {"%s.crt", "00ab12.crt "},      {"%c-%i.pem", "a.test-10.pem "},
        {"%c.pem", "a.test-10.pem "},   {"cert", "cert-10 "},
        {"%c%i", "a.test-10 "},         {"%i%c", "10-a.test "},
        {"%c%s.x", "a.test-00ab12.x "}, {"%s%i", "00ab12-10 "},
        {"v1%i2.x", "v1-10-2.x "},      {"%%%i.cer", "_10.cer "},
        {".hidden-%i", "_hidden-10 "},  {"../%i", "_._10 "},
        {"/etc/%i", "_etc_10 "}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_set_text("NamePattern", t[i][0]);
        issued();
        if (strcmp(names(), t[i][1]) != 0) fail_msg("%s: %s", t[i][0], names());
        empty_folder();
    }
}

static void names_stay_in_the_folder(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"../../etc/passwd", "_._.._etc_passwd-10.cer "},
                                       {"..", "_.-10.cer "},
                                       {"a/b", "a_b-10.cer "},
                                       {"a\\b\nc", "a_b_c-10.cer "},
                                       {".", "_-10.cer "},
                                       {"", "-10.cer "},
                                       {"\xff\xfe", "__-10.cer "}};
    fake_set_text("NamePattern", "%c.cer");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_cn(rq, t[i][0]);
        issued();
        if (strcmp(names(), t[i][1]) != 0) fail_msg("%s: %s", t[i][0], names());
        empty_folder();
    }
}

static void no_request_gets_anothers_name(void **state)
{
    (void)state;
    static const char *const patterns[] = {"%c%i", "%i%c", "%c1%i", "%i1%c", "%c", "%c-%i.%c"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        fake_set_text("NamePattern", patterns[i]);
        for (chy_long id = 1; id < 130; id += 11) {
            static const char *const cns[] = {"a", "a1", "a11", "1", "11", "1-1", "-1", ""};
            for (size_t k = 0; k < sizeof cns / sizeof cns[0]; k++) {
                char mark[32];
                rq->id = id;
                fake_cn(rq, cns[k]);
                snprintf(mark, sizeof mark, "%d", (int)id);
                fake_property(rq, "RawCertificate", mark, strlen(mark));
                issued();
            }
        }
        DIR *d = opendir(folder);
        size_t n = 0;
        while (readdir(d))
            n++;
        closedir(d);
        if (n != 2 + 8 * 12) fail_msg("%s: %zu files", patterns[i], n - 2);
        empty_folder();
    }
}

static void a_name_is_never_cut(void **state)
{
    (void)state;
    char cn[100];
    memset(cn, 'x', 99);
    cn[99] = 0;
    fake_cn(rq, cn);
    fake_set_text("NamePattern", "%c.%c.%c.%c.%i");
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_E_INVALIDARG);
    assert_string_equal(names(), "");
    assert_non_null(strstr(fake.log, "request 10: nothing written"));
}

static void a_link_is_replaced_not_followed(void **state)
{
    (void)state;
    char target[100], path[100], text[10] = "";
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(path, sizeof path, "%s/10.cer", folder);
    FILE *f = fopen(target, "w");
    assert_non_null(f);
    fputs("precious", f);
    fclose(f);
    assert_int_equal(symlink(target, path), 0);
    issued();
    assert_string_equal(content("target"), "precious");
    assert_int_equal(readlink(path, text, sizeof text), -1);
    assert_string_equal(content("10.cer"), leaf);
}

static void a_folder_that_is_a_link_is_refused(void **state)
{
    (void)state;
    char link[100];
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(folder, link), 0);
    fake_set_text("Folder", link);
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_ERROR_FILE_NOT_FOUND);
    fake_set_text("Folder", "/nonexistent/folder");
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_ERROR_FILE_NOT_FOUND);
    assert_string_equal(names(), "link ");
}

static void a_failure_leaves_nothing_behind(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s/10.cer", folder);
    assert_int_equal(mkdir(path, 0700), 0); /* rename cannot replace a folder */
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_ERROR_IO_DEVICE);
    assert_string_equal(names(), "10.cer ");
}

static void the_same_file_again(void **state)
{
    (void)state;
    fake_set_text("Format", "pem");
    issued();
    fake_set_text("Format", "der");
    fake_property(rq, "RawCertificate", "new", 3);
    issued();
    assert_string_equal(content("10.cer"), "new");
    assert_string_equal(names(), "10.cer ");
}

static volatile int stop;

static void *read_always(void *arg)
{
    char path[100], text[200];
    unsigned *partial = arg;
    snprintf(path, sizeof path, "%s/10.cer", folder);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        ssize_t n = read(fd, text, sizeof text);
        close(fd);
        if (n != (ssize_t)sizeof leaf - 1 || memcmp(text, leaf, sizeof leaf - 1) != 0) ++*partial;
    }
    return NULL;
}

static void a_reader_never_sees_half_a_file(void **state)
{
    (void)state;
    pthread_t t;
    unsigned partial = 0;
    __atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
    assert_int_equal(pthread_create(&t, NULL, read_always, &partial), 0);
    for (int i = 0; i < 100; i++)
        issued();
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    pthread_join(t, NULL);
    assert_int_equal(partial, 0);
}

static void modes_and_owners(void **state)
{
    (void)state;
    static const char *const modes[] = {"0644", "600", "0440", "0"};
    char path[100], id[16];
    struct stat st;
    mode_t old = umask(077);
    snprintf(path, sizeof path, "%s/10.cer", folder);
    for (size_t i = 0; i < 4; i++) {
        fake_set_text("Mode", modes[i]);
        issued();
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, strtol(modes[i], NULL, 8));
    }
    umask(old);
    snprintf(id, sizeof id, "%u", (unsigned)getuid());
    fake_set_text("Owner", id);
    fake_set_text("Group", getuid() == 0 ? "daemon" : "");
    issued();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, getuid());
    if (getuid() == 0) assert_int_not_equal(st.st_gid, getgid());
}

static void only_what_was_asked_for(void **state)
{
    (void)state;
    assert_int_equal(notify(CHY_EXITEVENT_CERTPENDING), CHY_S_OK);
    assert_string_equal(names(), "");
    fake_property(rq, "RawCertificate", NULL, 0);
    issued();
    assert_string_equal(names(), "");
    fake_property(rq, "RawCertificate", leaf, 4);
    fake_set_long("PublishCertFlags", CHY_EXITPUB_ACTIVEDIRECTORY);
    issued();
    assert_string_equal(names(), "");
    fake_unset("PublishCertFlags");
    fake_set_long("EventFilter", CHY_EXITEVENT_CERTRETRIEVEPENDING);
    issued();
    assert_string_equal(names(), "");
    assert_int_equal(notify(CHY_EXITEVENT_CERTRETRIEVEPENDING), CHY_S_OK);
    assert_string_equal(names(), "10.cer ");
}

static void failing_reads_are_failures(void **state)
{
    (void)state;
    static const char *const t[] = {"RequestID", "RawCertificate", "SerialNumber", "CommonName"};
    fake_set_text("NamePattern", "%s-%c-%i");
    fake.fail_code = CHY_E_UNEXPECTED;
    for (size_t i = 0; i < 4; i++) {
        fake.fails = t[i];
        if (notify(CHY_EXITEVENT_CERTISSUED) != CHY_E_UNEXPECTED) fail_msg("%s", t[i]);
    }
    assert_string_equal(names(), "");
}

static void the_event_mask(void **state)
{
    (void)state;
    chy_long mask = 99;
    assert_int_equal(initialize(&mask), CHY_S_OK);
    assert_int_equal(mask, CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CRLISSUED);
    fake_set_long("EventFilter", CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTREVOKED);
    assert_int_equal(initialize(&mask), CHY_S_OK);
    assert_int_equal(mask, 0x29);
    assert_int_equal(initialize(NULL), CHY_E_POINTER);
    fake_unset("Folder");
    assert_int_equal(initialize(&mask), CHY_S_OK);
    assert_int_equal(mask, 0x29); /* a folder named later takes effect at once */
    assert_non_null(strstr(fake.log, "no Folder and no CRLDirectory, nothing is published"));
    issued();
}

static void each_bad_setting_is_named(void **state)
{
    (void)state;
    static const char *const texts[][3] = {{"Folder", "relative/folder", "absolute path"},
                                           {"NamePattern", "", "is empty"},
                                           {"NamePattern", "%x", "that is not %i"},
                                           {"NamePattern", "a%", "that is not %i"},
                                           {"Mode", "rw-r--r--", "octal"},
                                           {"Mode", "0800", "octal"},
                                           {"Mode", "4755", "octal"},
                                           {"Mode", "", "octal"},
                                           {"Mode", "-1", "octal"},
                                           {"Format", "p12", "none of der, pem, chain"},
                                           {"Owner", "no such user", "unknown user"},
                                           {"Group", "no such group", "unknown group"},
                                           {"Always", "1", "is not a number"},
                                           {"EventFilter", "1", "is not a number"},
                                           {"PublishCertFlags", "1", "is not a number"}};
    static const struct {
        const char *name;
        chy_long value;
        const char *text;
    } numbers[] = {{"Mode", 644, "is not a text"},     {"Folder", 1, "is not a text"},
                   {"Always", 2, "neither 0 nor 1"},   {"EventFilter", 0x400, "no event"},
                   {"PublishCertFlags", 4, "EXITPUB"}, {"Owner", 0, "is not a text"}};
    chy_long mask;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fake_reset();
        fake_set_text(texts[i][0], texts[i][1]);
        assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
        if (!strstr(fake.log, texts[i][0]) || !strstr(fake.log, texts[i][2]))
            fail_msg("%s", fake.log);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fake_reset();
        fake_set_long(numbers[i].name, numbers[i].value);
        assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
        if (!strstr(fake.log, numbers[i].name) || !strstr(fake.log, numbers[i].text))
            fail_msg("%s", fake.log);
    }
    char longer[100];
    memset(longer, 'x', 65);
    longer[65] = 0;
    fake_reset();
    fake_set_text("NamePattern", longer);
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "more than 64"));
    fake_set_text("NamePattern",
                  "%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i%i");
    assert_int_equal(initialize(&mask), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "more fields than fit"));
}

static void an_unreadable_setting_is_named(void **state)
{
    (void)state;
    chy_long mask;
    fake.fails = "Mode";
    fake.fail_code = CHY_E_ACCESSDENIED;
    assert_int_equal(initialize(&mask), CHY_E_ACCESSDENIED);
    assert_non_null(strstr(fake.log, "setting Mode cannot be read"));
    fake.fails = NULL;
    fake_set_text("Fodler", "/tmp");
    assert_int_equal(initialize(&mask), CHY_S_OK);
    assert_non_null(strstr(fake.log, "Fodler is unknown"));
}

static void refresh(const char *class_name, const chy_object *module, chy_hresult expected)
{
    chy_manage_module m;
    if (class_name) {
        chy_object o = fake_create("exit-publish", class_name);
        m = (chy_manage_module){fake_manage_table(&o), o.self};
    } else {
        assert_int_equal(fake_exit_table(module)->get_manage_module(module->self, &m), CHY_S_OK);
    }
    assert_int_equal(m.vt->configure(m.self, "c", "s", CHY_CMM_REFRESHONLY), expected);
    m.vt->release(m.self);
}

static void refreshing_takes_new_settings(void **state)
{
    (void)state;
    chy_long mask;
    chy_object o = fake_create("exit-publish", "ExitPublish.Exit");
    const chy_exit_vtbl *e = fake_exit_table(&o);
    assert_int_equal(e->notify(o.self, 1, 1), CHY_E_UNEXPECTED);
    assert_int_equal(e->initialize(o.self, "c", &mask), CHY_S_OK);
    fake_set_text("NamePattern", "one-%i");
    refresh(NULL, &o, CHY_S_OK);
    assert_int_equal(e->notify(o.self, 1, 1), CHY_S_OK);
    assert_string_equal(names(), "one-10 ");
    fake_set_text("NamePattern", "two-%i");
    refresh("ExitPublish.ExitManage", &o, CHY_S_OK);
    assert_int_equal(e->notify(o.self, 1, 1), CHY_S_OK);
    assert_string_equal(names(), "one-10 two-10 ");
    fake_set_text("NamePattern", "%x");
    refresh("ExitPublish.ExitManage", &o, CHY_E_INVALIDARG);
    refresh(NULL, &o, CHY_E_INVALIDARG);
    assert_int_equal(e->notify(o.self, 1, 1), CHY_S_OK);
    assert_string_equal(names(), "one-10 two-10 ");
    assert_int_equal(e->notify(o.self, 1, 0), CHY_S_OK); /* no request, nothing to do */
    e->release(o.self);
    refresh("ExitPublish.ExitManage", NULL, CHY_S_OK);
}

static void *notify_many(void *arg)
{
    const chy_object *o = arg;
    for (int i = 0; i < 60; i++)
        assert_int_equal(fake_exit_table(o)->notify(o->self, 1, 1), CHY_S_OK);
    return NULL;
}

static void refresh_while_publishing(void **state)
{
    (void)state;
    pthread_t t[2];
    chy_long mask;
    chy_object o = fake_create("exit-publish", "ExitPublish.Exit");
    assert_int_equal(fake_exit_table(&o)->initialize(o.self, "c", &mask), CHY_S_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, notify_many, &o), 0);
    for (int i = 0; i < 60; i++) {
        fake_set_text("NamePattern", i % 2 ? "a-%i" : "b-%i");
        refresh(i % 3 ? NULL : "ExitPublish.ExitManage", &o, CHY_S_OK);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_null(strstr(names(), "publish"));
    fake_exit_table(&o)->release(o.self);
}

static void manage_properties(void **state)
{
    (void)state;
    static const char *const t[] = {"Name", "description", "Copyright", "File Version",
                                    "Product Version"};
    chy_variant v;
    chy_object o = fake_create("exit-publish", "ExitPublish.ExitManage");
    const chy_manage_module_vtbl *m = fake_manage_table(&o);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(m->get_property(o.self, "c", "s", t[i], 0, &v), CHY_S_OK);
        assert_true(v.vt == CHY_VT_STR && v.u.s.n > 0);
        free(v.u.s.p);
    }
    assert_int_equal(m->get_property(o.self, "c", "s", "IsMultiThreaded", 0, &v), CHY_S_OK);
    assert_int_equal(m->get_property(o.self, "c", "s", "x", 0, &v), CHY_S_FALSE);
    assert_int_equal(m->get_property(o.self, "c", "s", NULL, 0, &v), CHY_E_INVALIDARG);
    assert_int_equal(m->get_property(o.self, "c", "s", "Name", 0, NULL), CHY_E_POINTER);
    assert_int_equal(m->set_property(o.self, "c", "s", "Name", 0, &v), CHY_S_FALSE);
    assert_int_equal(m->configure(o.self, "c", "s", 0), CHY_S_OK);
    m->release(o.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(der_by_default, reset, tidy),
        cmocka_unit_test_setup_teardown(cert_file_attribute, reset, tidy),
        cmocka_unit_test_setup_teardown(pem_and_chain, reset, tidy),
        cmocka_unit_test_setup_teardown(pem_lines_of_every_length, reset, tidy),
        cmocka_unit_test_setup_teardown(names_follow_the_pattern, reset, tidy),
        cmocka_unit_test_setup_teardown(names_stay_in_the_folder, reset, tidy),
        cmocka_unit_test_setup_teardown(no_request_gets_anothers_name, reset, tidy),
        cmocka_unit_test_setup_teardown(a_name_is_never_cut, reset, tidy),
        cmocka_unit_test_setup_teardown(a_link_is_replaced_not_followed, reset, tidy),
        cmocka_unit_test_setup_teardown(a_folder_that_is_a_link_is_refused, reset, tidy),
        cmocka_unit_test_setup_teardown(a_failure_leaves_nothing_behind, reset, tidy),
        cmocka_unit_test_setup_teardown(the_same_file_again, reset, tidy),
        cmocka_unit_test_setup_teardown(a_reader_never_sees_half_a_file, reset, tidy),
        cmocka_unit_test_setup_teardown(modes_and_owners, reset, tidy),
        cmocka_unit_test_setup_teardown(only_what_was_asked_for, reset, tidy),
        cmocka_unit_test_setup_teardown(failing_reads_are_failures, reset, tidy),
        cmocka_unit_test_setup_teardown(the_event_mask, reset, tidy),
        cmocka_unit_test_setup_teardown(each_bad_setting_is_named, reset, tidy),
        cmocka_unit_test_setup_teardown(an_unreadable_setting_is_named, reset, tidy),
        cmocka_unit_test_setup_teardown(refreshing_takes_new_settings, reset, tidy),
        cmocka_unit_test_setup_teardown(refresh_while_publishing, reset, tidy),
        cmocka_unit_test_setup_teardown(manage_properties, reset, tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
