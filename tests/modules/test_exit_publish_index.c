/* The publishing exit module: the index of what is published, and expired certificates that go. */
#include "host.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAR (INT64_C(30000) * FAKE_DAY)
#define PAST (INT64_C(20365) * FAKE_DAY)

static char folder[64], crls[80];
static struct fake_request *rq;
static chy_object module;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "%s/exit-index-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return -1;
    snprintf(crls, sizeof crls, "%s/crls", folder);
    rq = &fake.request[0];
    fake_property(rq, "RawCertificate", "leaf", 4);
    fake_property(rq, "DistinguishedName", "CN=a.test", 9);
    fake_property(rq, "SerialNumber", "00ab12", 6);
    rq->not_after = FAR;
    fake_set_text("Folder", folder);
    fake_set_long("Always", 1);
    fake_set_long("Index", 1);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    return fake_remove(folder);
}

static void start(void)
{
    chy_long mask;
    module = fake_create("exit-publish", "ExitPublish.Exit");
    if (fake_exit_table(&module)->initialize(module.self, "c", &mask) != CHY_S_OK)
        fail_msg("%s", fake.log);
}

static void stop(void)
{
    fake_exit_table(&module)->release(module.self);
}

static void issue(chy_long id)
{
    rq->id = id;
    chy_hresult hr = fake_exit_table(&module)->notify(module.self, CHY_EXITEVENT_CERTISSUED, 1);
    if (hr != CHY_S_OK) fail_msg("%d: 0x%08x %s", (int)id, (unsigned)hr, fake.log);
}

static bool is_there(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static const char *content(const char *name)
{
    static char text[100000];
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("no %s", name);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_true(n < sizeof text - 1);
    text[n] = 0;
    return text;
}

static size_t files_in(const char *name)
{
    char path[200];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static void rows_are_in_order_and_once(void **state)
{
    (void)state;
    start();
    issue(17);
    issue(5);
    issue(17);
    issue(63);
    stop();
#define REST                                                                                       \
    "\"not_after\":\"2052-02-20T00:00:00Z\",\"not_before\":\"2024-10-04T00:00:00Z\",\"subject\":"  \
    "\"CN=a.test\",\"serial\":\"00ab12\",\"sha256\":"                                              \
    "\"9f91161f43433e49a6de6db680d79f60159f2e4ac9172621a12846428158440b\"}"
    assert_string_equal(content("index/p00000000.json"),
                        "{\"certificates\":[\n"
                        "{\"request_id\":5,\"file\":\"5.cer\"," REST ",\n"
                        "{\"request_id\":17,\"file\":\"17.cer\"," REST ",\n"
                        "{\"request_id\":63,\"file\":\"63.cer\"," REST "\n]}\n");
    const char *html = content("index/p00000000.html");
    assert_non_null(strstr(html, "<a href=\"../17.cer\">17</a>"));
    assert_true(strstr(html, "id=\"r5\"") < strstr(html, "id=\"r17\""));
}

static void the_lists_link_to_each_other(void **state)
{
    (void)state;
    start();
    issue(17);
    issue(64);
    issue(5000);
    stop();
    assert_string_equal(content("index.json"),
                        "{\"crls\":\"index/crls.json\",\"books\":[\n"
                        "{\"book\":0,\"first\":0,\"last\":4095,\"file\":\"index/b000000.json\"},\n"
                        "{\"book\":1,\"first\":4096,\"last\":8191,\"file\":\"index/b000001.json\"}"
                        "\n]}\n");
    assert_string_equal(content("index/b000000.json"),
                        "{\"pages\":[\n"
                        "{\"page\":0,\"first\":0,\"last\":63,\"file\":\"p00000000.json\"},\n"
                        "{\"page\":1,\"first\":64,\"last\":127,\"file\":\"p00000001.json\"}\n]}\n");
    assert_non_null(
        strstr(content("index.html"), "<a href=\"index/b000001.html\">Requests 4096 to"));
    assert_non_null(
        strstr(content("index/b000000.html"), "<a href=\"p00000001.html\">Requests 64"));
    assert_non_null(strstr(content("index/p00000001.html"), "<a href=\"../64.cer\">64</a>"));
    assert_true(is_there("index/p00000078.html"));
}

static void what_a_requester_writes_is_text(void **state)
{
    (void)state;
    static const char evil[] = "CN=</bdi><script>alert(1)</script>&\"',\"file\":\"../x\"\n\xff";
    fake_property(rq, "DistinguishedName", evil, sizeof evil - 1);
    start();
    issue(7);
    stop();
    const char *html = content("index/p00000000.html");
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "<bdi>CN=&#60;/bdi&#62;&#60;script&#62;alert(1)&#60;/script&#62;"
                                 "&#38;&#34;&#39;,&#34;file&#34;:&#34;../x&#34;\xef\xbf\xbd\xef\xbf"
                                 "\xbd</bdi>"));
    assert_non_null(strstr(html, "default-src 'none'"));
    assert_non_null(strstr(content("index/p00000000.json"),
                           "',\\\"file\\\":\\\"../x\\\"\\u000a\xef\xbf\xbd\","));
}

static void *issue_some(void *arg)
{
    chy_long context = *(chy_long *)arg;
    for (int i = 0; i < 20; i++) {
        chy_hresult hr =
            fake_exit_table(&module)->notify(module.self, CHY_EXITEVENT_CERTISSUED, context);
        if (hr != CHY_S_OK) return arg;
    }
    return NULL;
}

/* Calls may overlap, and all of these write the same page. */
static void many_at_once(void **state)
{
    (void)state;
    static chy_long contexts[4] = {1, 2, 3, 4};
    pthread_t t[4];
    char row[40];
    for (int i = 1; i < 4; i++)
        fake_property(&fake.request[i], "RawCertificate", "leaf", 4);
    start();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, issue_some, &contexts[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    stop();
    for (int i = 0; i < 4; i++) {
        snprintf(row, sizeof row, "{\"request_id\":%d,", (int)fake.request[i].id);
        assert_non_null(strstr(content("index/p00000000.json"), row));
    }
}

/* What one event writes does not depend on how much was published before. */
static void the_cost_is_flat(void **state)
{
    (void)state;
    struct stat st;
    char path[200];
    start();
    for (chy_long id = 0; id < 300; id++)
        issue(id);
    for (chy_long id = 1000; id < 200000; id += 4096)
        issue(id);
    stop();
    snprintf(path, sizeof path, "%s/index", folder);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/index/%.60s", folder, e->d_name);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size < 40000);
    }
    closedir(d);
    assert_int_equal(files_in("index"), 2 * (5 + 49 + 49));
    size_t before = strlen(content("index/p00000003.json"));
    start();
    issue(200); /* again */
    stop();
    assert_int_equal(strlen(content("index/p00000003.json")), before);
}

static void a_revocation_is_shown(void **state)
{
    (void)state;
    fake_set_long("EventFilter", CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTREVOKED);
    start();
    issue(7);
    assert_null(strstr(content("index/p00000000.json"), "revoked"));
    chy_hresult hr = fake_exit_table(&module)->notify(module.self, CHY_EXITEVENT_CERTREVOKED, 1);
    assert_int_equal(hr, CHY_S_OK);
    stop();
    assert_non_null(strstr(content("index/p00000000.json"), "\"revoked_when\":\"2024-10-04T"));
    assert_non_null(strstr(content("index/p00000000.html"), "revoked 2024-10-04T"));
}

static void modes_of_files_and_folders(void **state)
{
    (void)state;
    struct stat st;
    char path[200], sub[100];
    mode_t old = umask(077);
    fake_set_text("Mode", "0640");
    start();
    issue(7);
    stop();
    snprintf(path, sizeof path, "%s/index", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    snprintf(path, sizeof path, "%s/index/p00000000.html", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    snprintf(sub, sizeof sub, "%s/made", folder);
    fake_set_text("Folder", sub);
    start();
    assert_int_equal(fake_exit_table(&module)->notify(module.self, CHY_EXITEVENT_CERTISSUED, 1),
                     CHY_ERROR_FILE_NOT_FOUND);
    stop();
    assert_false(is_there("made"));
    fake_set_text("FolderMode", "0711");
    start();
    issue(7);
    stop();
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0711);
    snprintf(sub, sizeof sub, "%s/not/there", folder);
    fake_set_text("Folder", sub);
    start();
    assert_int_equal(fake_exit_table(&module)->notify(module.self, CHY_EXITEVENT_CERTISSUED, 1),
                     CHY_ERROR_FILE_NOT_FOUND);
    stop();
    umask(old);
}

static void expired_ones_go(void **state)
{
    (void)state;
    fake_set_long("PublishCertFlags", CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS);
    start();
    rq->not_after = PAST;
    issue(1);
    assert_false(is_there("1.cer")); /* with the very event that published it */
    stop();
    fake_set_long("PublishCertFlags", CHY_EXITPUB_FILE);
    start();
    for (chy_long id = 0; id < 200; id += 2)
        issue(id);
    rq->not_after = FAR;
    issue(5);
    issue(129);
    stop();
    char path[200];
    snprintf(path, sizeof path, "%s/999.cer", folder);
    FILE *f = fopen(path, "w"); /* somebody else's */
    assert_non_null(f);
    fclose(f);
    assert_true(is_there("198.cer"));
    fake_set_long("PublishCertFlags", CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS);
    start();
    issue(6000);
    for (int i = 0; i < 40; i++)
        issue(6001);
    stop();
    assert_false(is_there("0.cer") || is_there("128.cer") || is_there("198.cer"));
    assert_true(is_there("5.cer") && is_there("129.cer") && is_there("999.cer"));
    assert_true(is_there("index/p00000000.html") && is_there("index/p00000002.json"));
    assert_false(is_there("index/p00000001.json") || is_there("index/p00000001.html"));
    assert_false(is_there("index/p00000003.json"));
    assert_string_equal(
        content("index/b000000.json"),
        "{\"pages\":[\n"
        "{\"page\":0,\"first\":0,\"last\":63,\"file\":\"p00000000.json\"},\n"
        "{\"page\":2,\"first\":128,\"last\":191,\"file\":\"p00000002.json\"}\n]}\n");
}

/* A CA that issues no more still makes CRLs; a book whose last page is gone goes too. */
static void they_go_with_crls_too(void **state)
{
    (void)state;
    start();
    rq->not_after = PAST;
    issue(3);
    issue(5000);
    stop();
    assert_true(is_there("3.cer") && is_there("index/b000001.html"));
    fake_set_long("PublishCertFlags", CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS);
    start();
    for (int i = 0; i < 4; i++)
        assert_int_equal(fake_exit_table(&module)->notify(module.self, CHY_EXITEVENT_CRLISSUED, 0),
                         CHY_S_OK);
    stop();
    assert_false(is_there("3.cer") || is_there("5000.cer"));
    assert_int_equal(files_in("index"), 0);
    assert_string_equal(content("index.json"), "{\"crls\":\"index/crls.json\",\"books\":[\n\n]}\n");
    start();
    rq->not_after = FAR;
    issue(4);
    stop();
    assert_non_null(strstr(content("index.json"), "{\"book\":0,"));
    assert_true(is_there("index/b000000.html") && is_there("index/p00000000.html"));
}

/* As after a crash between the lists, or a hand that removed one. */
static void lists_that_are_missing_come_back(void **state)
{
    (void)state;
    static const char *const gone[] = {"index/b000000.json", "index.json", "index/p00000000.json",
                                       "index/p00000000.html"};
    char path[200];
    start();
    issue(3);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, gone[i]);
        assert_int_equal(unlink(path), 0);
        if (i == 1) { /* a book that is there is looked for above when it gets a page */
            snprintf(path, sizeof path, "%s/index/b000000.json", folder);
            assert_int_equal(unlink(path), 0);
        }
        issue(3);
        for (size_t k = 0; k < sizeof gone / sizeof gone[0]; k++)
            assert_true(is_there(gone[k]));
        assert_non_null(strstr(content("index.json"), "{\"book\":0,"));
        assert_non_null(strstr(content("index/b000000.json"), "{\"page\":0,"));
    }
    stop();
}

/* The index is a file like others, and may come back from a backup or an editor. */
static void a_page_that_is_garbage(void **state)
{
    (void)state;
    char path[200];
    fake_set_long("PublishCertFlags", CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS);
    start();
    issue(3);
    snprintf(path, sizeof path, "%s/index/p00000000.json", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("\n\n,\n{\"request_id\":99999999999999999999,\"file\"\n"
          "{\"request_id\":1,\"file\":\"../../etc/passwd\",\"not_after\":\"2020-01-01T00:00:00Z\"\n"
          "{\"request_id\":2,\"file\":\".hidden\",\"not_after\":\"2020-01-01T00:00:00Z\"}\n"
          "{\"request_id\":",
          f);
    fclose(f);
    issue(4);
    issue(5);
    stop();
    const char *json = content("index/p00000000.json");
    assert_non_null(strstr(json, "{\"request_id\":2,\"file\":\".hidden\""));
    assert_non_null(strstr(json, "{\"request_id\":5,"));
    assert_null(strstr(json, "9999"));
    assert_null(strstr(json, "{\"request_id\":,"));
}

static void crls_and_the_ca(void **state)
{
    (void)state;
    fake_ca("CertCount", "2");
    fake_ca("CRLState.0", "3");
    fake_ca("CRLSuffix.0", "");
    fake_ca("CertSuffix.1", "(1)");
    fake_ca("SanitizedCAName", "Test CA");
    fake_ca("RawCRL.0", "base");
    fake_ca("CRLNumber.0.0", "12");
    fake_ca("RawCACertificate.0", "first");
    fake_ca("RawCACertificate.1", "second");
    fake_ca("CACertificateChain", "PEM of both\n");
    fake_set_text("CRLDirectory", crls);
    fake_set_text("CACertDirectory", crls);
    fake_set_text("FolderMode", "0755");
    start();
    const chy_exit_vtbl *e = fake_exit_table(&module);
    assert_int_equal(e->notify(module.self, CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    stop();
    assert_string_equal(content("crls/Test CA.crt"), "first");
    assert_string_equal(content("crls/Test CA(1).crt"), "second");
    assert_string_equal(content("crls/Test CA-chain.pem"), "PEM of both\n");
    assert_string_equal(
        content("index/crls.json"),
        "{\"crls\":[\n{\"file\":\"Test CA.crl\",\"kind\":\"base\",\"key_index\":0,"
        "\"shard\":0,\"number\":12,\"this_update\":\"\",\"next_update\":\"\"}\n]}\n");
    assert_non_null(strstr(content("index/crls.html"), "<tr><td>Test CA.crl</td><td>12</td>"));
    fake_set_text("CRLBaseURL", "https://pki.example.test/crl/");
    struct stat before, after;
    char path[200];
    snprintf(path, sizeof path, "%s/Test CA.crt", crls);
    assert_int_equal(stat(path, &before), 0);
    start();
    assert_int_equal(e->notify(module.self, CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    stop();
    assert_non_null(strstr(content("index/crls.html"),
                           "<a href=\"https://pki.example.test/crl/Test%20CA.crl\">Test CA.crl"));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* not written again */
    fake_ca("RawCACertificate.0", "other");
    start();
    assert_int_equal(e->notify(module.self, CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    stop();
    assert_string_equal(content("crls/Test CA.crt"), "other");
}

static void settings(void **state)
{
    static const char *const t[][2] = {
        {"CRLBaseURL", "ftp://a/"},       {"CRLBaseURL", "https://a"},
        {"CRLBaseURL", "https://a/\"x/"}, {"CRLBaseURL", "javascript:alert(1)/"},
        {"FolderMode", "0999"},           {"CACertDirectory", "relative"},
    };
    chy_long mask;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        tidy(state);
        reset(state);
        fake_set_text(t[i][0], t[i][1]);
        chy_object o = fake_create("exit-publish", "ExitPublish.Exit");
        assert_int_equal(fake_exit_table(&o)->initialize(o.self, "c", &mask), CHY_E_INVALIDARG);
        fake_exit_table(&o)->release(o.self);
        assert_non_null(strstr(fake.log, t[i][0]));
    }
    tidy(state);
    reset(state);
    fake_set_long("Index", 0);
    fake_set_long("PublishCertFlags", CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS);
    start();
    rq->not_after = PAST;
    issue(1);
    stop();
    assert_true(is_there("1.cer"));
    assert_false(is_there("index.json"));
    assert_non_null(strstr(fake.log, "without Index and Folder nobody knows which"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_in_order_and_once, reset, tidy),
        cmocka_unit_test_setup_teardown(the_lists_link_to_each_other, reset, tidy),
        cmocka_unit_test_setup_teardown(what_a_requester_writes_is_text, reset, tidy),
        cmocka_unit_test_setup_teardown(many_at_once, reset, tidy),
        cmocka_unit_test_setup_teardown(the_cost_is_flat, reset, tidy),
        cmocka_unit_test_setup_teardown(a_revocation_is_shown, reset, tidy),
        cmocka_unit_test_setup_teardown(modes_of_files_and_folders, reset, tidy),
        cmocka_unit_test_setup_teardown(expired_ones_go, reset, tidy),
        cmocka_unit_test_setup_teardown(they_go_with_crls_too, reset, tidy),
        cmocka_unit_test_setup_teardown(lists_that_are_missing_come_back, reset, tidy),
        cmocka_unit_test_setup_teardown(a_page_that_is_garbage, reset, tidy),
        cmocka_unit_test_setup_teardown(crls_and_the_ca, reset, tidy),
        cmocka_unit_test_setup_teardown(settings, reset, tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
