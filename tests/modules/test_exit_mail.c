/* The mailing exit module against a small SMTP server: what is sent and to whom, what becomes of it
 * when the server does not take it, and the settings. */
#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mail_case.h"

static int resolver_hangs; /* seconds */
static int resolvers;      /* that hang now */

/* In place of the C library's, as far as the module is concerned. */
CHY_MODULE_EXPORT int getaddrinfo(const char *node, const char *service,
                                  const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    int seconds = __atomic_load_n(&resolver_hangs, __ATOMIC_ACQUIRE);
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof real);
    if (!seconds) return real(strcmp(node, "mail.test") ? node : "127.0.0.1", service, hints, out);
    __atomic_add_fetch(&resolvers, 1, __ATOMIC_ACQ_REL);
    usleep((useconds_t)seconds * 1000000);
    __atomic_sub_fetch(&resolvers, 1, __ATOMIC_ACQ_REL);
    return EAI_AGAIN;
}

static void one_event(void **state)
{
    (void)state;
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(sink_count(), 1);
    const struct sink_mail *m = sink_mail(0);
    assert_string_equal(m->from, "chancery@ca.example.test");
    assert_string_equal(m->to, "holder@example.test");
    assert_string_equal(header(m, "From"), "chancery@ca.example.test");
    assert_string_equal(header(m, "To"), "holder@example.test");
    assert_string_equal(header(m, "Subject"), "Test CA: certificate issued to www.example.test");
    assert_string_equal(header(m, "Message-ID"), "<0123abcd-7@ca.example.test>");
    assert_string_equal(header(m, "X-Chancery-Event"), "Issued");
    assert_string_equal(header(m, "Auto-Submitted"), "auto-generated");
    assert_string_equal(header(m, "Content-Type"), "text/plain; charset=utf-8");
    assert_non_null(header(m, "Date"));
    assert_non_null(strstr(body(m), "Subject:     CN=3Dwww.example.test\r\n"));
    assert_non_null(strstr(body(m), "Serial:      00ab12\r\n"));
    assert_non_null(strstr(body(m), "Request:     ???\r\n"));
}

static void every_event_has_a_folder(void **state)
{
    (void)state;
    static const struct {
        chy_long event;
        const char *name;
    } t[] = {{CHY_EXITEVENT_CERTISSUED, "Issued"},     {CHY_EXITEVENT_CERTPENDING, "Pending"},
             {CHY_EXITEVENT_CERTDENIED, "Denied"},     {CHY_EXITEVENT_CERTREVOKED, "Revoked"},
             {CHY_EXITEVENT_CERTIMPORTED, "Imported"}, {CHY_EXITEVENT_CRLISSUED, "CRLIssued"},
             {CHY_EXITEVENT_SHUTDOWN, "Shutdown"},     {CHY_EXITEVENT_STARTUP, "Startup"}};
    fake_set_long("EventFilter", 0x2ef);
    fake_set_text("To", "Ops, Night Shift <ops@example.test>");
    chy_object o = fake_create("exit-mail", "ExitMail.Exit");
    chy_long mask;
    assert_int_equal(fake_exit_table(&o)->initialize(o.self, "c", &mask), CHY_E_INVALIDARG);
    end(&o);
    fake_set_text("To", "ops@example.test");
    o = start();
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char title[100], name[64];
        snprintf(name, sizeof name, "%s/TitleFormat", t[i].name);
        snprintf(title, sizeof title, "told of %s", t[i].name);
        fake_set_text(name, title);
    }
    assert_int_equal(refresh(&o), CHY_S_OK);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char title[100];
        assert_int_equal(tell(&o, t[i].event), CHY_S_OK);
        snprintf(title, sizeof title, "told of %s", t[i].name);
        assert_string_equal(header(sink_mail(i), "Subject"), title);
        assert_string_equal(header(sink_mail(i), "X-Chancery-Event"), t[i].name);
    }
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTRETRIEVEPENDING), CHY_S_OK);
    assert_int_equal(sink_count(), 8);
    set_property("EventName", "certunrevoked");
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    assert_string_equal(header(sink_mail(8), "X-Chancery-Event"), "Unrevoked");
    end(&o);
}

static void filters(void **state)
{
    (void)state;
    fake_set_long("EventFilter", CHY_EXITEVENT_CERTREVOKED);
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(sink_count(), 0);
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    assert_int_equal(sink_count(), 1);
    fake_set_list("Templates", "tls-server,Code");
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    set_property("CertificateTemplate", "other");
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    assert_int_equal(sink_count(), 1);
    set_property("CertificateTemplate", "code");
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    assert_int_equal(sink_count(), 2);
    fake_set_text("SMTPServer", "");
    assert_int_equal(notify(CHY_EXITEVENT_CERTREVOKED), CHY_S_OK);
    assert_int_equal(sink_count(), 2);
}

/* Whom a mail of this event goes to, sorted as they came, with a blank behind each. */
static const char *whom(chy_long event)
{
    static char text[3000];
    sink_forget();
    assert_int_equal(notify(event), CHY_S_OK);
    text[0] = 0;
    for (size_t i = 0; i < sink_count(); i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s ", sink_mail(i)->to);
    }
    return text;
}

static void recipients(void **state)
{
    (void)state;
    fake_san(
        rq, 0,
        "dns:a.test email:one@example.test email:Holder@example.test email:bad email:two@b.test");
    assert_string_equal(whom(CHY_EXITEVENT_CERTISSUED),
                        "holder@example.test one@example.test two@b.test ");
    fake_san(rq, FROM_REQUEST, "email:asked@example.test");
    assert_string_equal(whom(CHY_EXITEVENT_CERTISSUED), "holder@example.test ");
    /* Before a policy has approved it, an address is what anybody wrote there. */
    assert_string_equal(whom(CHY_EXITEVENT_CERTPENDING), "");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED), "");
    fake_set_text("RecipientDomains", "test");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED), "holder@example.test asked@example.test ");
    fake_set_list("RecipientDomains", "other.test,mple.test");
    assert_string_equal(whom(CHY_EXITEVENT_CERTISSUED), "");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED), "");
    fake_set_text("RecipientDomains", "*");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED), "holder@example.test asked@example.test ");
    fake_attribute(rq, "Contact", "c@example.test, not one, d@example.test");
    fake_set_list("Denied/To", "ops@x.test,%Attribute.Contact,%Attribute.None");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED),
                        "ops@x.test c@example.test d@example.test ");
    fake_set_text("Denied/Cc", "Boss <boss@x.test>");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED),
                        "ops@x.test c@example.test d@example.test boss@x.test ");
    assert_string_equal(header(sink_mail(3), "Cc"), "Boss\r\n <boss@x.test>");
    fake_unset("RecipientDomains");
    assert_string_equal(whom(CHY_EXITEVENT_CERTDENIED), "ops@x.test boss@x.test ");
    fake_set_list("Issued/To", "%Attribute.Contact,%EMail");
    assert_string_equal(whom(CHY_EXITEVENT_CERTISSUED), "holder@example.test ");
    set_property("EMail", "one@example.test\ntwo@example.test"); /* of a subject with both */
    assert_string_equal(whom(CHY_EXITEVENT_CERTISSUED), "one@example.test two@example.test ");
}

static void twenty_recipients_at_most(void **state)
{
    (void)state;
    char many[1000] = "";
    for (int i = 0; i < 30; i++) {
        size_t n = strlen(many);
        snprintf(many + n, sizeof many - n, "r%d@example.test,", i);
    }
    fake_attribute(rq, "Contact", many);
    fake_set_text("RecipientDomains", "example.test");
    fake_set_text("To", "%Attribute.Contact");
    assert_int_equal(notify(CHY_EXITEVENT_CERTDENIED), CHY_S_OK);
    assert_int_equal(sink_count(), 20);
    fake_set_text("To", many);
    chy_long mask;
    chy_object o = fake_create("exit-mail", "ExitMail.Exit");
    assert_int_equal(fake_exit_table(&o)->initialize(o.self, "c", &mask), CHY_E_INVALIDARG);
    end(&o);
    assert_non_null(strstr(fake.log, "setting To has more than 20 addresses"));
}

/* What a requester may write into a name, and that it stays a name. */
static void nothing_is_injected(void **state)
{
    (void)state;
    static const char *const names[] = {
        "x\r\nBcc: evil@x.test\r\n\r\nhello",
        "x\nBcc: evil@x.test",
        "x\rBcc: evil@x.test",
        "=?utf-8?Q?x=0D=0ABcc:_evil@x.test?=",
        "x\r\n.\r\nMAIL FROM:<evil@x.test>\r\n",
        "\xe2\x80\xa8"
        "Bcc: evil@x.test",
        "\xc3\x28\xff\x80 not UTF-8",
        "very long \xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 "
        "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac"
        "\xf0\x9f\x98\x80 \xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80 and more of it to "
        "be folded",
        "right to left \xe2\x80\xae"
        "fdp.exe",
        "plain words that are folded and not encoded, as nothing in them has to be, and many",
        "      ",
        "a                                                                                     b",
        "."};
    char dots[600];
    memset(dots, '.', sizeof dots - 1);
    dots[sizeof dots - 1] = 0;
    fake_set_text("Issued/TitleFormat", "%1");
    fake_set_text("Issued/TitleArg", "CommonName");
    fake_set_list("Issued/BodyFormat", "%1,.,%2%%,from here");
    fake_set_list("Issued/BodyArg", "CommonName,DistinguishedName");
    for (size_t i = 0; i <= sizeof names / sizeof names[0]; i++) {
        const char *name = i < sizeof names / sizeof names[0] ? names[i] : dots;
        sink_forget();
        fake_cn(rq, name);
        set_property("DistinguishedName", name);
        assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
        if (sink_count() != 1) fail_msg("%s: %zu mails", name, sink_count());
        const struct sink_mail *m = sink_mail(0);
        assert_lines_are_lawful(m);
        assert_null(header(m, "Bcc"));
        assert_string_equal(m->to, "holder@example.test");
        assert_non_null(header(m, "Content-Transfer-Encoding"));
        if (!strstr(body(m), "\r\n.\r\n") || !strstr(body(m), "%\r\nfrom here\r\n"))
            fail_msg("%s", m->data);
        assert_null(strstr(m->data, "=E2=80=AE"));
    }
}

static void formats(void **state)
{
    (void)state;
    fake_set_text("Issued/TitleFormat", "100%% %2 %1 %3 %%1");
    fake_set_list("Issued/TitleArg", "CommonName,SerialNumber,Nonsense");
    fake_set_text("Issued/BodyFormat", "first\n\nthird %1 of %2");
    fake_set_text("Issued/BodyArg", "NotThere, Attribute.Team");
    fake_attribute(rq, "Team", "PKI");
    assert_int_equal(notify(CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_string_equal(header(sink_mail(0), "Subject"), "100% 00ab12 www.example.test ??? %1");
    assert_string_equal(body(sink_mail(0)), "first\r\n\r\nthird ??? of PKI\r\n");
}

static void the_server_is_away(void **state)
{
    (void)state;
    chy_object o = start();
    sink_stop();
    assert_true(CHY_FAILED(tell(&o, CHY_EXITEVENT_CERTISSUED)));
    assert_non_null(strstr(fake.log, "not sent yet: 127.0.0.1"));
    sink_start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(sink_count(), 1);
    /* The connection that is kept dies with its server; the next mail makes another. */
    sink_stop();
    sink_start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    end(&o);
}

static int64_t milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A call that outlasts its deadline would cost the CA the module. */
static void nothing_outlasts_the_call(void **state)
{
    (void)state;
    fake_set_text("SMTPServer", "mail.test");
    fake_set_text("TLS", "none");
    fake_set_text("To", "a@x.test, b@x.test, c@x.test");
    fake.time_left = 2500;
    __atomic_store_n(&resolver_hangs, 4, __ATOMIC_RELEASE);
    chy_object o = start();
    int64_t before = milliseconds();
    assert_true(CHY_FAILED(tell(&o, CHY_EXITEVENT_CERTISSUED)));
    assert_true(milliseconds() - before < 3500);
    assert_true(__atomic_load_n(&resolvers, __ATOMIC_ACQUIRE) > 0);
    __atomic_store_n(&resolver_hangs, 0, __ATOMIC_RELEASE);
    fake.time_left = 1000; /* too little to begin with */
    assert_true(CHY_FAILED(tell(&o, CHY_EXITEVENT_CERTISSUED)));
    assert_int_equal(sink_count(), 0);
    fake.time_left = 0;
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(sink_count(), 3);
    end(&o);
    while (__atomic_load_n(&resolvers, __ATOMIC_ACQUIRE))
        usleep(10000);
}

static void refusals(void **state)
{
    (void)state;
    fake_set_text("To", "nobody@x.test, good@x.test");
    chy_object o = start();
    assert_int_equal(tell(&o, CHY_EXITEVENT_CERTISSUED), CHY_S_OK);
    assert_int_equal(sink_count(), 1);
    assert_string_equal(sink_mail(0)->to, "good@x.test");
    assert_non_null(strstr(fake.log, "nobody@x.test: given up:"));
    assert_non_null(strstr(fake.log, "550 5.1.1 no such mailbox"));
    end(&o);
    static const char *const transient[] = {"later@x.test, good@x.test",
                                            "policy@x.test, good@x.test"};
    for (size_t i = 0; i < 2; i++) {
        sink_forget();
        fake_set_text("To", transient[i]);
        o = start();
        for (int k = 0; k < 3; k++)
            assert_true(CHY_FAILED(tell(&o, CHY_EXITEVENT_CERTISSUED)));
        assert_int_equal(sink_count(), 1); /* once to who took it */
        end(&o);
    }
    fake_set_text("To", "good@x.test");
    fake_set_text("From", "stranger@x.test");
    assert_true(CHY_FAILED(notify(CHY_EXITEVENT_CERTISSUED)));
    fake_unset("From");
    sink_refuse_data("554 5.6.0 do not like it");
    assert_true(CHY_FAILED(notify(CHY_EXITEVENT_CERTISSUED)));
    assert_int_equal(sink_count(), 1);
}

static void settings_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        chy_long number;
        const char *say;
    } t[] = {{"SMTPServer", "mail server", 0, "setting SMTPServer is neither a host name"},
             {"SMTPServer", "a/b", 0, "setting SMTPServer is neither"},
             {"SMTPPort", NULL, 65536, "setting SMTPPort is no port"},
             {"SMTPAuthenticate", NULL, 2, "NTLM"},
             {"SMTPAuthenticate", NULL, 1, "setting SMTPAuthenticate needs User and PasswordFile"},
             {"TLS", "maybe", 0, "setting TLS is none of"},
             {"CAFile", "ca.pem", 0, "setting CAFile is not an absolute path"},
             {"HeloName", "x y", 0, "setting HeloName is not a host name"},
             {"TimeoutSeconds", NULL, 0, "setting TimeoutSeconds is no number"},
             {"EventFilter", NULL, 0x10, "setting EventFilter has bits"},
             {"From", "x", 0, "setting From has something that is no mail address"},
             {"From", "%EMail", 0, "setting From is no mail address"},
             {"To", "a@b.test\r\nBcc: x@y.test", 0, "setting To has something"},
             {"To", "Name <a@b.test", 0, "setting To has a < without"},
             {"To", "a@-b.test", 0, "setting To has something"},
             {"To", ".a@b.test", 0, "setting To has something"},
             {"To", "a..b@b.test", 0, "setting To has something"},
             {"To", "%", 0, "setting To has a % without"},
             {"ReminderDays", "30 x", 0, "setting ReminderDays has what is no number"},
             {"ReminderDays", "0", 0, "setting ReminderDays has what is no number"},
             {"ReminderDays", "30", 0, "setting ReminderDays needs StateDirectory"},
             {"DigestMinutes", NULL, 60, "setting DigestMinutes needs StateDirectory"},
             {"DigestMinutes", "8d", 0, "setting DigestMinutes is no time"},
             {"StateDirectory", "state", 0, "setting StateDirectory is not an absolute path"},
             {"StateDirectory", "/proc/none", 0, "setting StateDirectory cannot be made"},
             {"RecipientDomains", "a_b", 0, "setting RecipientDomains has what is no domain"},
             {"Issued/TitleFormat", "%1 %3", 0,
              "setting Issued/ TitleFormat or BodyFormat has a number"},
             {"Issued/BodyFormat", "50% off", 0, "has a % before"},
             {"Issued/Nonsense", "x", 0, "setting Issued/Nonsense is no setting of this folder"},
             {"Expiring/Digest", NULL, 2, "setting Expiring/Digest is neither 0 nor 1"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        tidy(NULL);
        reset(NULL);
        if (t[i].text)
            fake_set_text(t[i].name, t[i].text);
        else
            fake_set_long(t[i].name, t[i].number);
        if (!refused(t[i].say)) fail_msg("%s", t[i].name);
    }
}

static void secrets(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s/password", folder);
    fake_set_text("User", "ca");
    assert_true(refused("setting SMTPAuthenticate needs User and PasswordFile"));
    fake_set_text("PasswordFile", path);
    assert_true(refused("setting PasswordFile"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("s3cret\n", f);
    fclose(f);
    chmod(path, 0640);
    assert_true(refused("setting PasswordFile"));
    assert_null(strstr(fake.log, "s3cret"));
    chmod(path, 0600);
    chy_object o = start();
    end(&o);
    fake_set_text("SMTPServer", "mail.example.test");
    fake_set_text("TLS", "none");
    assert_true(refused("a password does not go to another machine in the clear"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_event),  T(every_event_has_a_folder),  T(filters),
        T(recipients), T(twenty_recipients_at_most), T(nothing_is_injected),
        T(formats),    T(the_server_is_away),        T(nothing_outlasts_the_call),
        T(refusals),   T(settings_that_are_wrong),   T(secrets)};
    signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
