#include <string.h>
#include <strings.h>

#include "mail.h"

/* An address that a requester wrote gets mail only where the settings say that such may; one that
 * stands in a certificate has been before a policy. */
struct gate {
    const struct words *domains;
    bool approved;
    struct addresses *to;
};

static void pass(const struct gate *g, bool own_words, const struct addresses *found)
{
    for (size_t i = 0; i < found->n; i++) {
        bool may = g->domains->n ? address_is_within(found->v[i].mail, g->domains)
                                 : g->approved && !own_words;
        if (may) (void)addresses_add(g->to, &found->v[i]);
    }
}

/* "a@x.test, b@x.test"; a part of the subject that stands there several times comes as lines. */
static void find_in_text(const char *text, struct addresses *found)
{
    static const char separators[] = ", ;\t\r\n";
    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        struct address one = {.mail = ""};
        size_t n = strcspn(text, separators);
        if (n < sizeof one.mail) memcpy(one.mail, text, n);
        if (address_is_valid(one.mail)) (void)addresses_add(found, &one);
        text += n;
    }
}

static void add_named(chy_task *task, const struct gate *g, const char *name)
{
    char text[2048] = "";
    struct addresses found = {.n = 0};
    bool attribute = strncasecmp(name, "Attribute.", 10) == 0;
    bool request = strncasecmp(name, "Request.", 8) == 0;
    if (attribute)
        (void)chy_attribute_text(task, name + 10, "", text, sizeof text);
    else
        (void)chy_get_text(task, request ? CHY_OF_REQUEST : CHY_OF_CERTIFICATE, name, text,
                           sizeof text);
    find_in_text(text, &found);
    pass(g, attribute || request, &found);
}

/* RFC 5280 4.2.1.6: the alternative names, and emailAddress of the subject. What only the request
 * asks for is not in the certificate. */
static void add_email(chy_task *task, const struct gate *g)
{
    struct addresses found = {.n = 0};
    chy_bytes san;
    chy_long flags;
    add_named(task, g, "EMail");
    if (CHY_FAILED(chy_extension_bytes(task, "2.5.29.17", &san, &flags))) return;
    if (!g->approved || !(flags & CHY_EXTENSION_DISABLE_FLAG))
        addresses_of_san(&found, san.p, san.n);
    chy_bytes_free(task->host, &san);
    pass(g, false, &found);
}

void recipients_of_event(chy_task *task, const struct settings *s, enum kind kind,
                         struct addresses *to)
{
    const struct addresses *named = settings_to(s, kind);
    const struct gate g = {&s->domains, kind != MAIL_PENDING && kind != MAIL_DENIED, to};
    if (!task->context) return;
    if (!named->n) add_email(task, &g);
    for (size_t i = 0; i < named->n; i++) {
        const char *mail = named->v[i].mail;
        if (mail[0] != '%') continue;
        if (strcasecmp(mail, "%EMail") == 0)
            add_email(task, &g);
        else
            add_named(task, &g, mail + 1);
    }
}

static void add_plain(const struct addresses *from, struct addresses *to)
{
    for (size_t i = 0; i < from->n; i++)
        if (from->v[i].mail[0] != '%') (void)addresses_add(to, &from->v[i]);
}

void recipients_named(const struct settings *s, enum kind kind, struct addresses *to,
                      struct addresses *cc)
{
    const struct addresses *copies = s->folder[kind].cc.n ? &s->folder[kind].cc : &s->cc;
    add_plain(settings_to(s, kind), to);
    add_plain(copies, cc);
}

bool recipients_have_tokens(const struct settings *s, enum kind kind)
{
    const struct addresses *named = settings_to(s, kind);
    for (size_t i = 0; i < named->n; i++)
        if (named->v[i].mail[0] == '%') return true;
    return named->n == 0;
}
