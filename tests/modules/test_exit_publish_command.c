/* The publishing exit module: the command that follows, and files that could not be written. */
#include "host.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PUBLISHER "exit-publish", "ExitPublish.Exit"

static char folder[64], script[100], log_file[100];
static struct fake_request *rq;

static void put(const char *path, const char *content, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "/tmp/exit-command-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(script, sizeof script, "%s/command", folder);
    snprintf(log_file, sizeof log_file, "%s/log", folder);
    rq = &fake.request[0];
    fake_property(rq, "RawCertificate", "leaf", 4);
    fake_property(rq, "SerialNumber", "00ab12", 6);
    fake_property(rq, "EventID", "event-1", 7);
    fake_set_text("Folder", folder);
    fake_set_long("Always", 1);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    return fake_remove(folder);
}

static const char *content(const char *path)
{
    static char text[4000];
    FILE *f = fopen(path, "r");
    if (!f) return "";
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

/* The command is a script of these lines; "$1" is the log. */
static void command(const char *lines)
{
    char text[1000], list[300];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", lines);
    put(script, text, 0755);
    snprintf(list, sizeof list, "%s,%s,a word;$HOME", script, log_file);
    fake_set_list("PostPublishCommand", list);
}

static chy_hresult initialize(void)
{
    chy_long mask;
    return fake_exit_initialize(PUBLISHER, &mask);
}

static chy_hresult notify(chy_long event, chy_long context)
{
    return fake_exit_notify(PUBLISHER, event, context);
}

#define issued() notify(CHY_EXITEVENT_CERTISSUED, 1)

static void it_learns_what_was_published(void **state)
{
    (void)state;
    char expected[1000];
    command("{ echo \"$2\"; env | grep -v '^PWD=\\|^SHLVL=\\|^_=\\|^OLDPWD=' | sort; } >>\"$1\"");
    setenv("SECRET_OF_THE_DAEMON", "x", 1);
    assert_int_equal(issued(), CHY_S_OK);
    unsetenv("SECRET_OF_THE_DAEMON");
    snprintf(expected, sizeof expected,
             "a word;$HOME\nCHANCERY_EVENT=certissued\nCHANCERY_EVENT_ID=event-1\n"
             "CHANCERY_FILES=%s/10.cer\nCHANCERY_FILE_COUNT=1\nCHANCERY_REMOVED=\n"
             "CHANCERY_REQUEST_ID=10\nCHANCERY_SERIAL=00ab12\nLANG=C.UTF-8\n"
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
             folder);
    assert_string_equal(content(log_file), expected);
}

static void it_follows_crls(void **state)
{
    (void)state;
    char expected[300];
    fake_ca("CertCount", "1");
    fake_ca("CRLState.0", "3");
    fake_ca("CRLSuffix.0", "");
    fake_ca("SanitizedCAName", "Test CA");
    fake_ca("EventID", "crl-1");
    command("printf '%s %s %s\\n%s\\n' \"$CHANCERY_EVENT\" \"$CHANCERY_EVENT_ID\" \"$CHANCERY_CA\" "
            "\"$CHANCERY_FILES\" >>\"$1\"");
    fake_set_text("CRLDirectory", folder);
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    assert_string_equal(content(log_file), ""); /* nothing was published */
    fake_ca("RawCRL.0", "base");
    fake_ca("RawDeltaCRL.0", "delta");
    fake_ca("fDeltaCRLsDisabled", "0");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    snprintf(expected, sizeof expected,
             "crlissued crl-1 Test CA\n%s/Test CA.crl\n%s/Test CA+.crl\n", folder, folder);
    assert_string_equal(content(log_file), expected);
}

static void its_failure_is_the_events(void **state)
{
    (void)state;
    command("echo once >>\"$1\"; [ $(wc -l <\"$1\") = 2 ] || { echo 'no such host' >&2; exit 7; }");
    assert_int_equal(issued(), CHY_E_FAIL);
    assert_non_null(strstr(fake.log, "exited with status 7: no such host"));
    assert_int_equal(issued(), CHY_S_OK); /* as the engine tries again */
    assert_string_equal(content(log_file), "once\nonce\n");
}

/* A certificate of the CA that was written before its command failed is told of when the event
 * comes again, though nothing about the file is new by then. */
static void its_failure_is_that_of_a_certificate_of_the_ca(void **state)
{
    (void)state;
    char expected[300];
    fake_ca("CertCount", "1");
    fake_ca("RawCACertificate.0", "root");
    fake_ca("SanitizedCAName", "Test CA");
    fake_ca("EventAttempt", "1");
    fake_set_text("CACertDirectory", folder);
    command("echo \"$CHANCERY_FILES\" >>\"$1\"; [ $(wc -l <\"$1\") = 2 ]");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_E_FAIL);
    fake_ca("EventAttempt", "2");
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    fake_ca("EventAttempt", "1"); /* of the next event, which finds nothing to do */
    assert_int_equal(notify(CHY_EXITEVENT_CRLISSUED, 0), CHY_S_OK);
    snprintf(expected, sizeof expected, "%s/Test CA.crt\n%s/Test CA.crt\n", folder, folder);
    assert_string_equal(content(log_file), expected);
}

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void it_ends_in_time(void **state)
{
    (void)state;
    double from = clock_now();
    command("sleep 600");
    fake_set_long("PostPublishTimeout", 1);
    assert_int_equal(issued(), CHY_E_FAIL);
    assert_non_null(strstr(fake.log, "took longer than it may and was killed"));
    fake_set_long("PostPublishTimeout", 300);
    fake.time_left = 2000;
    assert_int_equal(issued(), CHY_E_FAIL);
    assert_true(clock_now() - from < 60);
    fake.time_left = 1000;
    assert_int_equal(issued(), CHY_E_FAIL);
    assert_non_null(strstr(fake.log, "had no time left"));
}

static void not_without_a_file(void **state)
{
    (void)state;
    command("echo ran >>\"$1\"");
    fake_set_text("Folder", "/nonexistent/folder");
    assert_int_equal(issued(), CHY_ERROR_FILE_NOT_FOUND);
    fake_set_text("Folder", folder);
    fake_unset("Always");
    assert_int_equal(issued(), CHY_S_OK);
    assert_string_equal(content(log_file), "");
}

static void programs_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        const char *says;
    } t[] = {{0644, "names a program that cannot be run"},
             {0775, "names a program that others may write"},
             {0757, "names a program that others may write"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        command("true");
        chmod(script, t[i].mode);
        if (i == 0 && access(script, X_OK) == 0) continue;
        assert_int_equal(initialize(), CHY_E_INVALIDARG);
        if (!strstr(fake.log, t[i].says)) fail_msg("%s", fake.log);
    }
    fake_set_text("PostPublishCommand", "rsync -a");
    assert_int_equal(initialize(), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "does not begin with an absolute path"));
    fake_set_text("PostPublishCommand", "/etc");
    assert_int_equal(initialize(), CHY_E_INVALIDARG);
    fake_set_text("PostPublishCommand", "/bin/true and words");
    assert_int_equal(initialize(), CHY_S_OK);
    fake_set_long("PostPublishTimeout", 301);
    assert_int_equal(initialize(), CHY_E_INVALIDARG);
}

static size_t files(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

/* A file that cannot grow stands for a disk that is full: no half of it is seen, nothing is left of
 * it, and the next try goes well. */
static void what_could_not_be_written_is_written_later(void **state)
{
    (void)state;
    static char big[4500];
    struct rlimit old, small;
    memset(big, 'x', sizeof big);
    assert_int_equal(issued(), CHY_S_OK);
    fake_property(rq, "RawCertificate", big, sizeof big);
    void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){2000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    chy_hresult hr = issued();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, was);
    assert_int_equal(hr, CHY_ERROR_IO_DEVICE);
    char path[100];
    snprintf(path, sizeof path, "%s/10.cer", folder);
    assert_string_equal(content(path), "leaf");
    assert_int_equal(files(), 1);
    assert_int_equal(issued(), CHY_S_OK);
    assert_int_equal(strlen(content(path)), 3999);
    assert_int_equal(files(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_learns_what_was_published, reset, tidy),
        cmocka_unit_test_setup_teardown(it_follows_crls, reset, tidy),
        cmocka_unit_test_setup_teardown(its_failure_is_the_events, reset, tidy),
        cmocka_unit_test_setup_teardown(its_failure_is_that_of_a_certificate_of_the_ca, reset,
                                        tidy),
        cmocka_unit_test_setup_teardown(it_ends_in_time, reset, tidy),
        cmocka_unit_test_setup_teardown(not_without_a_file, reset, tidy),
        cmocka_unit_test_setup_teardown(programs_that_are_refused, reset, tidy),
        cmocka_unit_test_setup_teardown(what_could_not_be_written_is_written_later, reset, tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
