/* What the mailing exit module sends later, and across restarts: reminders and digests. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mail_case.h"

static size_t lines_of(const char *name)
{
    char path[100];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    for (int c; (c = getc(f)) != EOF;)
        n += c == '\n';
    fclose(f);
    return n;
}

/* A certificate that was issued long ago and ends so many seconds from now. */
static void ends_in(long seconds)
{
    rq->not_after = ((chy_time)time(NULL) + seconds) * 1000000;
    rq->not_before = rq->not_after - 3650 * FAKE_DAY;
}

static void only_reminders(const char *times)
{
    fake_set_long("EventFilter", 0);
    fake_set_text("StateDirectory", folder);
    fake_set_text("ReminderDays", times);
}

static void one_reminder_for_many_that_were_missed(void **state)
{
    (void)state;
    only_reminders("30 14 7 1");
    ends_in(3600);
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK); /* learnt; maybe sent at once */
    chy_object o = start();
    if (!sink_wait(1, 30)) fail_msg("%s", fake.log);
    end(&o);
    o = start(); /* once, across restarts */
    usleep(300000);
    end(&o);
    assert_int_equal(sink_count(), 1);
    const struct sink_mail *m = sink_mail(0);
    assert_string_equal(m->to, "holder@example.test");
    assert_string_equal(header(m, "X-Chancery-Event"), "Expiring");
    assert_string_equal(header(m, "Message-ID"), "<reminder.00ab12.86400@ca.example.test>");
    assert_non_null(
        strstr(header(m, "Subject"), "Test CA: certificate of www.example.test ends in"));
    assert_non_null(strstr(body(m), "Serial:      00ab12\r\n"));
    only_reminders("30 14 7 1 3597s"); /* three seconds after the certificate was learnt */
    o = start();
    if (!sink_wait(2, 60)) fail_msg("%s", fake.log);
    assert_string_equal(header(sink_mail(1), "Message-ID"),
                        "<reminder.00ab12.3597@ca.example.test>");
    usleep(300000);
    end(&o);
    assert_int_equal(sink_count(), 2);
}

static void no_reminder_for(void **state)
{
    (void)state;
    only_reminders("30 14 7 1");
    chy_object o = start();
    ends_in(40 * 86400); /* not yet */
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    ends_in(86400 / 2); /* a day is all that it was issued for */
    rq->not_before = rq->not_after - FAKE_DAY;
    set_property("SerialNumber", "02");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    ends_in(-5); /* over */
    set_property("SerialNumber", "03");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    usleep(300000);
    end(&o);
    assert_int_equal(sink_count(), 0);
    assert_int_equal(lines_of("reminders"), 3);
}

static void a_revoked_one_is_forgotten(void **state)
{
    (void)state;
    only_reminders("3d 3s");
    ends_in(86400);
    sink_stop();
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED),
                     CHY_S_OK); /* delivered twice, learnt once */
    assert_int_equal(lines_of("reminders"), 1);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    assert_int_equal(lines_of("reminders"), 2);
    end(&o);
    sink_start();
    o = start();
    usleep(300000);
    assert_int_equal(sink_count(), 0);
    set_property("EventName", "certunrevoked");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    if (!sink_wait(1, 30)) fail_msg("%s", fake.log);
    end(&o);
}

static void reminders_wait_for_the_server(void **state)
{
    (void)state;
    only_reminders("3d");
    fake_set_text("To", "ops@x.test");
    ends_in(86400);
    sink_stop();
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    set_property("SerialNumber", "02");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    for (int i = 0; i < 500 && !fake_logged("not sent yet"); i++)
        usleep(20000);
    sink_start();
    if (!sink_wait(2, 60)) fail_msg("%s", fake.log);
    end(&o);
    assert_int_equal(sink_count(), 2);
}

static void a_torn_line_is_passed_over(void **state)
{
    (void)state;
    char path[100];
    only_reminders("3d");
    ends_in(86400);
    sink_stop();
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    snprintf(path, sizeof path, "%s/reminders", folder);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs("garbage with % signs %zz\n\n+ 99 x y\n+ 77 99999999999 1 1 - half a li", f);
    fclose(f);
    set_property("SerialNumber", "02");
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    sink_start();
    chy_object o = start();
    if (!sink_wait(2, 30)) fail_msg("%s", fake.log);
    end(&o);
    assert_int_equal(sink_count(), 2);
}

static void the_file_stays_small(void **state)
{
    (void)state;
    char serial[20];
    only_reminders("10");
    ends_in(100 * 86400);
    chy_object o = start();
    for (int i = 0; i < 3000; i++) {
        snprintf(serial, sizeof serial, "%06x", i);
        set_property("SerialNumber", serial);
        assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
        if (i % 10) assert_int_equal(tell(&o, CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    }
    assert_int_equal(lines_of("reminders"), 5700);
    assert_int_equal(refresh(&o), CHY_S_OK); /* looks at all of them */
    for (int i = 0; i < 500 && lines_of("reminders") != 300; i++)
        usleep(20000);
    assert_int_equal(lines_of("reminders"), 300);
    set_property("SerialNumber", "000005");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    fake.log[0] = 0;
    end(&o);
    o = start();
    assert_non_null(strstr(fake.log, "301 certificates have reminders to come"));
    end(&o);
}

static void what_was_reminded_survives_the_tidying(void **state)
{
    (void)state;
    char serial[20];
    only_reminders("1");
    ends_in(3600);
    fake_cn(rq, "stays.example.test");
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    if (!sink_wait(1, 30)) fail_msg("%s", fake.log);
    ends_in(100 * 86400);
    for (int i = 0; i < 600; i++) {
        snprintf(serial, sizeof serial, "%06x", i);
        set_property("SerialNumber", serial);
        assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
        assert_int_equal(tell(&o, CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    }
    assert_int_equal(refresh(&o), CHY_S_OK);
    for (int i = 0; i < 500 && lines_of("reminders") != 1; i++)
        usleep(20000);
    assert_int_equal(lines_of("reminders"), 1);
    only_reminders("1 3599s");
    assert_int_equal(refresh(&o), CHY_S_OK); /* what was read before the file was written anew */
    if (!sink_wait(2, 30)) fail_msg("%s", fake.log);
    end(&o);
    o = start();
    usleep(300000);
    end(&o);
    assert_int_equal(sink_count(), 2);
    assert_string_equal(header(sink_mail(1), "Message-ID"),
                        "<reminder.00ab12.3599@ca.example.test>");
    assert_string_equal(sink_mail(1)->to, "holder@example.test");
    assert_non_null(strstr(header(sink_mail(1), "Subject"), "stays.example.test ends in"));
}

/* What cannot be remembered is not done: the engine comes again with it. */
static void the_disk_is_full(void **state)
{
    (void)state;
    struct rlimit all, little = {100, RLIM_INFINITY};
    only_reminders("10");
    fake_set_text("DigestMinutes", "60");
    ends_in(100 * 86400);
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    set_property("SerialNumber", "02");
    for (int i = 0; i < 3; i++)
        assert_true(CHY_FAILED(tell(&o, CHY_EXITEVENT_CERTISSUED)));
    little = all;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(lines_of("reminders"), 1);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(lines_of("reminders"), 2);
    end(&o);
    fake.log[0] = 0;
    o = start();
    assert_non_null(strstr(fake.log, "2 certificates have reminders to come"));
    end(&o);
}

static void one_folder_one_owner(void **state)
{
    (void)state;
    only_reminders("10");
    chy_object o = start();
    assert_true(
        refused_as(CHY_ERROR_BUSY, "setting StateDirectory is in use by another CA or daemon"));
    assert_int_equal(refresh(&o), CHY_S_OK);
    fake_set_text("ReminderDays", "x");
    assert_int_equal(refresh(&o), CHY_E_INVALIDARG); /* and what was, goes on */
    only_reminders("3d");
    ends_in(86400);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(refresh(&o), CHY_S_OK);
    if (!sink_wait(1, 30)) fail_msg("%s", fake.log);
    end(&o);
    chmod(folder, 0777);
    assert_true(refused("setting StateDirectory may be written by others"));
}

static void digests(void **state)
{
    (void)state;
    fake_set_text("StateDirectory", folder);
    fake_set_text("ReminderDays", "1");
    fake_set_text("DigestMinutes", "2s");
    fake_set_long("Denied/Digest", 0);
    fake_set_text("Denied/To", "now@x.test");
    fake_set_list("Issued/To", "ops@x.test,%EMail");
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK); /* the same event again */
    set_property("EventID", "0123abcd-8");
    fake_cn(rq, "b.example.test\r\nBcc: evil@x.test");
    set_property("EMail", NULL);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTDENIED), CHY_S_OK);
    assert_string_equal(sink_mail(0)->to, "now@x.test");
    end(&o); /* what waits outlives it */
    assert_int_equal(sink_count(), 1);
    o = start();
    if (!sink_wait(3, 30)) fail_msg("%s", fake.log);
    end(&o);
    assert_int_equal(sink_count(), 3);
    const struct sink_mail *ops = sink_mail(1), *holder = sink_mail(2);
    assert_string_equal(ops->to, "ops@x.test");
    assert_string_equal(header(ops, "Subject"), "Test CA: 2 events");
    assert_string_equal(header(ops, "X-Chancery-Event"), "Digest");
    assert_non_null(strstr(ops->data, "* Test CA: certificate issued to www.example.test"));
    assert_non_null(strstr(ops->data, "* Test CA: certificate issued to b.example.test??Bcc"));
    assert_lines_are_lawful(ops);
    assert_string_equal(holder->to, "holder@example.test");
    assert_string_equal(header(holder, "Subject"), "Test CA: 1 event");
    assert_int_equal(lines_of("digest"), 0);
}

static void a_digest_goes_on_beside_one_who_cannot_get_it(void **state)
{
    (void)state;
    fake_set_text("StateDirectory", folder);
    fake_set_text("DigestMinutes", "1s");
    fake_set_text("To", "later@x.test, nobody@x.test, good@x.test");
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    if (!sink_wait(1, 30)) fail_msg("%s", fake.log);
    end(&o);
    assert_string_equal(sink_mail(0)->to, "good@x.test");
    o = start();
    usleep(300000);
    end(&o);
    assert_int_equal(sink_count(), 1);
    assert_int_equal(lines_of("digest"), 3);
}

/* The server is away for long: what there is no room for stays with the engine. */
static void a_digest_is_bounded(void **state)
{
    (void)state;
    char id[20];
    fake_set_text("StateDirectory", folder);
    fake_set_text("DigestMinutes", "60");
    fake_set_text("Issued/BodyFormat", "x");
    sink_stop();
    chy_object o = start();
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof id, "id-%d", i);
        set_property("EventID", id);
        if (tell(&o, CHY_EXITEVENT_CERTISSUED) != CHY_S_OK) fail_msg("%d: %s", i, fake.log);
    }
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK); /* the last one again */
    set_property("EventID", "id-2000");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_ERROR_BUSY);
    sink_start();
    if (!sink_wait(1, 60)) fail_msg("%s", fake.log); /* long before the hour is over */
    assert_string_equal(header(sink_mail(0), "Subject"), "Test CA: 2000 events");
    for (int i = 0; i < 500 && lines_of("digest"); i++)
        usleep(20000);
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(lines_of("digest"), 1);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(one_reminder_for_many_that_were_missed),
                                       T(no_reminder_for),
                                       T(a_revoked_one_is_forgotten),
                                       T(reminders_wait_for_the_server),
                                       T(a_torn_line_is_passed_over),
                                       T(the_file_stays_small),
                                       T(what_was_reminded_survives_the_tidying),
                                       T(the_disk_is_full),
                                       T(one_folder_one_owner),
                                       T(digests),
                                       T(a_digest_is_bounded),
                                       T(a_digest_goes_on_beside_one_who_cannot_get_it)};
    signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
