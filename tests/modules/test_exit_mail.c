/* The mailing exit module against a small SMTP server: what is sent and to whom, what becomes of it
 * when the server does not take it, reminders and digests across restarts, and its settings. */
#include "host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "smtp_sink.h"

static char folder[64];
static struct fake_request *rq;

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

static void remove_folder(void)
{
    char path[400];
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') remove(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static void set_property(const char *name, const char *value)
{
    fake_property(rq, name, value, value ? strlen(value) : 0);
}

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "%s/exit-mail-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(folder)) return -1;
    sink_start();
    sink_forget();
    rq = &fake.request[0];
    fake_ca("MachineDNSName", "ca.example.test");
    fake_ca("SanitizedCAName", "Test CA");
    fake_cn(rq, "www.example.test");
    set_property("SerialNumber", "00ab12");
    set_property("DistinguishedName", "CN=www.example.test");
    set_property("SanitizedCAName", "Test CA");
    set_property("EventID", "0123abcd-7");
    set_property("EMail", "holder@example.test");
    fake_set_text("SMTPServer", "127.0.0.1");
    fake_set_long("SMTPPort", sink_port());
    fake_set_long("TimeoutSeconds", 10);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    sink_stop();
    remove_folder();
    return 0;
}

static chy_object start(void)
{
    chy_long mask = 0;
    chy_object o = fake_create("exit-mail", "ExitMail.Exit");
    if (fake_exit_table(&o)->initialize(o.self, "c", &mask) != CHY_S_OK) fail_msg("%s", fake.log);
    assert_int_equal(mask, 0x2ef);
    return o;
}

static chy_hresult tell(const chy_object *o, chy_long event)
{
    return fake_exit_table(o)->notify(o->self, event, event & 0xe0 ? 0 : 1);
}

static void end(const chy_object *o)
{
    fake_exit_table(o)->release(o->self);
}

static chy_hresult notify(chy_long event)
{
    chy_object o = start();
    chy_hresult hr = tell(&o, event);
    end(&o);
    return hr;
}

static chy_hresult refresh(const chy_object *o)
{
    chy_manage_module m;
    assert_int_equal(fake_exit_table(o)->get_manage_module(o->self, &m), CHY_S_OK);
    chy_hresult hr = m.vt->configure(m.self, "c", "", CHY_CMM_REFRESHONLY);
    m.vt->release(m.self);
    return hr;
}

/* The value of a header as it stands there, with its folds. NULL: none; a second one fails. */
static const char *header(const struct sink_mail *m, const char *name)
{
    static char value[4000];
    bool found = false;
    size_t n = strlen(name);
    for (const char *p = m->data; *p && *p != '\r'; p = strstr(p, "\r\n") + 2) {
        if (strncmp(p, name, n) != 0 || strncmp(p + n, ": ", 2) != 0) continue;
        const char *stop = p;
        do
            stop = strstr(stop, "\r\n") + 2;
        while (*stop == ' ');
        if (found) fail_msg("%s twice: %s", name, m->data);
        found = true;
        snprintf(value, sizeof value, "%.*s", (int)(stop - 2 - (p + n + 2)), p + n + 2);
    }
    return found ? value : NULL;
}

static const char *body(const struct sink_mail *m)
{
    const char *p = strstr(m->data, "\r\n\r\n");
    return p ? p + 4 : "";
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

static void assert_lines_are_lawful(const struct sink_mail *m)
{
    for (const char *p = m->data; *p;) {
        size_t n = strcspn(p, "\r\n");
        if (n > 78 || p[n] != '\r' || p[n + 1] != '\n') fail_msg("%zu: %s", n, m->data);
        for (size_t i = 0; i < n; i++)
            if (p[i] < 0x20 || p[i] > 0x7e) fail_msg("an octet that must be encoded: %s", m->data);
        p += n + 2;
    }
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

static bool refused(const char *say)
{
    chy_long mask;
    fake.log[0] = 0;
    chy_object o = fake_create("exit-mail", "ExitMail.Exit");
    chy_hresult hr = fake_exit_table(&o)->initialize(o.self, "c", &mask);
    end(&o);
    if (hr == CHY_E_INVALIDARG && strstr(fake.log, say)) return true;
    print_error("0x%08x, and not \"%s\": %s", (unsigned)hr, say, fake.log);
    return false;
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

/* ---- reminders ---- */

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
    assert_true(refused("setting StateDirectory is in use by another CA or daemon"));
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

/* ---- digests ---- */

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

#define T(f) cmocka_unit_test_setup_teardown(f, reset, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {T(one_event),
                                       T(every_event_has_a_folder),
                                       T(filters),
                                       T(recipients),
                                       T(twenty_recipients_at_most),
                                       T(nothing_is_injected),
                                       T(formats),
                                       T(the_server_is_away),
                                       T(nothing_outlasts_the_call),
                                       T(refusals),
                                       T(settings_that_are_wrong),
                                       T(secrets),
                                       T(one_reminder_for_many_that_were_missed),
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
