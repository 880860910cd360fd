#include "mail_case.h"

#include <unistd.h>

char folder[64];
struct fake_request *rq;

void set_property(const char *name, const char *value)
{
    fake_property(rq, name, value, value ? strlen(value) : 0);
}

int reset(void **state)
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

int tidy(void **state)
{
    (void)state;
    sink_stop();
    return fake_remove(folder);
}

chy_object start(void)
{
    chy_long mask = 0;
    chy_object o = fake_create("exit-mail", "ExitMail.Exit");
    if (fake_exit_table(&o)->initialize(o.self, "c", &mask) != CHY_S_OK) fail_msg("%s", fake.log);
    assert_int_equal(mask, 0x2ef);
    return o;
}

chy_hresult tell(const chy_object *o, chy_long event)
{
    return fake_exit_table(o)->notify(o->self, event, event & 0xe0 ? 0 : 1);
}

void end(const chy_object *o)
{
    fake_exit_table(o)->release(o->self);
}

chy_hresult notify(chy_long event)
{
    chy_object o = start();
    chy_hresult hr = tell(&o, event);
    end(&o);
    return hr;
}

chy_hresult refresh(const chy_object *o)
{
    chy_manage_module m;
    assert_int_equal(fake_exit_table(o)->get_manage_module(o->self, &m), CHY_S_OK);
    chy_hresult hr = m.vt->configure(m.self, "c", "", CHY_CMM_REFRESHONLY);
    m.vt->release(m.self);
    return hr;
}

/* The value of a header as it stands there, with its folds. NULL: none; a second one fails. */
const char *header(const struct sink_mail *m, const char *name)
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

const char *body(const struct sink_mail *m)
{
    const char *p = strstr(m->data, "\r\n\r\n");
    return p ? p + 4 : "";
}

void assert_lines_are_lawful(const struct sink_mail *m)
{
    for (const char *p = m->data; *p;) {
        size_t n = strcspn(p, "\r\n");
        if (n > 78 || p[n] != '\r' || p[n + 1] != '\n') fail_msg("%zu: %s", n, m->data);
        for (size_t i = 0; i < n; i++)
            if (p[i] < 0x20 || p[i] > 0x7e) fail_msg("an octet that must be encoded: %s", m->data);
        p += n + 2;
    }
}

bool refused_as(chy_hresult as, const char *say)
{
    chy_long mask;
    fake.log[0] = 0;
    chy_object o = fake_create("exit-mail", "ExitMail.Exit");
    chy_hresult hr = fake_exit_table(&o)->initialize(o.self, "c", &mask);
    end(&o);
    if (hr == as && strstr(fake.log, say)) return true;
    print_error("0x%08x, and not \"%s\": %s", (unsigned)hr, say, fake.log);
    return false;
}

bool refused(const char *say)
{
    return refused_as(CHY_E_INVALIDARG, say);
}
