#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/secret.h"
#include "kit/settings.h"
#include "mail.h"

enum {
    EVENTS = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTPENDING | CHY_EXITEVENT_CERTDENIED |
             CHY_EXITEVENT_CERTREVOKED | CHY_EXITEVENT_CRLISSUED | CHY_EXITEVENT_SHUTDOWN |
             CHY_EXITEVENT_STARTUP | CHY_EXITEVENT_CERTIMPORTED,
    EVENTS_DEFAULT = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTPENDING |
                     CHY_EXITEVENT_CERTDENIED | CHY_EXITEVENT_CERTREVOKED,
    DAY = 86400,
    LONGEST = 3660 * DAY
};

static const char *set_copy(char *at, size_t size, const char *v)
{
    return CHY_FAILED(chy_text_copy(at, size, v, strlen(v))) ? "is too long" : NULL;
}

static const char *set_path(char **at, const char *v)
{
    free(*at);
    *at = NULL;
    if (!*v) return NULL;
    if (*v != '/' || strlen(v) > 3000) return "is not an absolute path";
    *at = strdup(v);
    return *at ? NULL : "needs more memory than there is";
}

static const char *set_server(void *into, const char *v)
{
    struct settings *s = into;
    bool v6 = strchr(v, ':') && strspn(v, "0123456789abcdefABCDEF:.") == strlen(v);
    if (*v && !v6 && !chy_is_host_name(v)) return "is neither a host name nor an IP address";
    return set_copy(s->server, sizeof s->server, v);
}

static const char *set_port(void *into, chy_long v)
{
    if (v < 1 || v > 65535) return "is no port from 1 to 65535";
    ((struct settings *)into)->port = v;
    return NULL;
}

static const char *set_tls(void *into, const char *v)
{
    static const char *const names[] = {"", "starttls", "implicit", "none"};
    for (unsigned i = 1; i < 4; i++) {
        if (strcasecmp(names[i], v) != 0) continue;
        ((struct settings *)into)->tls = (enum tls)i;
        return NULL;
    }
    return "is none of starttls, implicit, none";
}

static const char *set_ca_file(void *into, const char *v)
{
    return set_path(&((struct settings *)into)->ca_file, v);
}

static const char *set_password_file(void *into, const char *v)
{
    return set_path(&((struct settings *)into)->password_file, v);
}

static const char *set_state(void *into, const char *v)
{
    return set_path(&((struct settings *)into)->state_folder, v);
}

static const char *set_helo(void *into, const char *v)
{
    struct settings *s = into;
    if (*v && !chy_is_host_name(v)) return "is not a host name";
    return set_copy(s->helo, sizeof s->helo, v);
}

static const char *set_user(void *into, const char *v)
{
    struct settings *s = into;
    for (const char *p = v; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return "has a control character";
    return set_copy(s->user, sizeof s->user, v);
}

static const char *set_authenticate(void *into, chy_long v)
{
    if (v == 2) return "is 2 (NTLM), which is not offered: set 1 with User and PasswordFile";
    if (v < 0 || v > 1) return "is neither 0 (anonymous) nor 1 (basic)";
    ((struct settings *)into)->authenticate = v;
    return NULL;
}

static const char *set_timeout(void *into, chy_long v)
{
    if (v < 1 || v > 300) return "is no number of seconds from 1 to 300";
    ((struct settings *)into)->timeout = v;
    return NULL;
}

static const char *set_events(void *into, chy_long v)
{
    if (v & ~EVENTS) return "has bits that are no event that can be mailed";
    ((struct settings *)into)->events = v;
    return NULL;
}

static const char *copy_list(struct words *w, const chy_str *v, size_t n)
{
    chy_variant list = chy_variant_empty();
    list.vt = CHY_VT_STRV;
    list.u.sv.v = (chy_str *)(uintptr_t)v;
    list.u.sv.n = n;
    return words_set(w, &list, " ");
}

static const char *set_templates(void *into, const chy_str *v, size_t n)
{
    return copy_list(&((struct settings *)into)->templates, v, n);
}

static const char *set_domains(void *into, const chy_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].p, "*") != 0 && !chy_is_host_name(v[i].p)) return "has what is no domain";
    return copy_list(&((struct settings *)into)->domains, v, n);
}

/* "14", "36h", "90m", "20s": with no letter in what `unit` is worth. -1: no such time. */
static int64_t duration(const char *v, int64_t unit)
{
    char *end;
    errno = 0;
    long n = strtol(v, &end, 10);
    if (*v < '0' || *v > '9' || errno || n < 1 || n > LONGEST) return -1;
    if (*end == 's') unit = 1;
    if (*end == 'm') unit = 60;
    if (*end == 'h') unit = 3600;
    if (*end == 'd') unit = DAY;
    if (*end && (end[1] || !strchr("smhd", *end))) return -1;
    return n * unit > LONGEST ? -1 : n * unit;
}

/* The longest first, each once. */
static const char *set_reminders(void *into, const chy_str *v, size_t n)
{
    struct settings *s = into;
    s->n_reminders = 0;
    s->reminders_set = true;
    if (n > REMINDERS_MAX) return "has more than 16 times";
    for (size_t i = 0; i < n; i++) {
        int64_t t = duration(v[i].p, DAY);
        size_t at = 0;
        if (t < 0) return "has what is no number of days, nor one with s, m, h or d behind it";
        while (at < s->n_reminders && s->reminder[at] > (uint32_t)t)
            at++;
        if (at < s->n_reminders && s->reminder[at] == (uint32_t)t) continue;
        memmove(s->reminder + at + 1, s->reminder + at,
                (s->n_reminders - at) * sizeof s->reminder[0]);
        s->reminder[at] = (uint32_t)t;
        s->n_reminders++;
    }
    return NULL;
}

static const char *digest_time(struct settings *s, int64_t seconds)
{
    if (seconds < 0 || seconds > 7 * DAY) return "is no time of at most a week";
    s->digest = seconds;
    return NULL;
}

static const char *set_digest(void *into, chy_long v)
{
    return digest_time(into, (int64_t)v * 60);
}

static const char *set_digest_text(void *into, const char *v)
{
    return digest_time(into, strcmp(v, "0") == 0 ? 0 : duration(v, 60));
}

static const char *set_reminder(void *into, chy_long v)
{
    struct settings *s = into;
    s->reminders_set = true;
    if (v < 1 || v > LONGEST / DAY) return "is no number of days from 1 to 3660";
    s->reminder[0] = (uint32_t)v * DAY;
    s->n_reminders = 1;
    return NULL;
}

static const char *set_from(void *into, const char *v)
{
    return v[0] == '%' ? "is no mail address" : address_parse(v, &((struct settings *)into)->from);
}

/* "To" and "Cc" are read as folders are, since their parts may have blanks in them. */
#define FOLDER(function, kind)                                                                     \
    static const char *function(void *into, const char *name, const chy_variant *v)                \
    {                                                                                              \
        return folder_set(&((struct settings *)into)->folder[kind], name, v);                      \
    }
FOLDER(set_issued, MAIL_ISSUED)
FOLDER(set_pending, MAIL_PENDING)
FOLDER(set_denied, MAIL_DENIED)
FOLDER(set_revoked, MAIL_REVOKED)
FOLDER(set_unrevoked, MAIL_UNREVOKED)
FOLDER(set_imported, MAIL_IMPORTED)
FOLDER(set_crl, MAIL_CRL)
FOLDER(set_shutdown, MAIL_SHUTDOWN)
FOLDER(set_startup, MAIL_STARTUP)
FOLDER(set_expiring, MAIL_EXPIRING)

static const char *to_of_text(struct addresses *a, const char *v)
{
    chy_variant text = chy_variant_of_text(v);
    return addresses_set(a, &text);
}

static const char *to_of_list(struct addresses *a, const chy_str *v, size_t n)
{
    chy_variant list = chy_variant_empty();
    list.vt = CHY_VT_STRV;
    list.u.sv.v = (chy_str *)(uintptr_t)v;
    list.u.sv.n = n;
    return addresses_set(a, &list);
}

static const char *set_to_text(void *into, const char *v)
{
    return to_of_text(&((struct settings *)into)->to, v);
}

static const char *set_to(void *into, const chy_str *v, size_t n)
{
    return to_of_list(&((struct settings *)into)->to, v, n);
}

static const char *set_cc_text(void *into, const char *v)
{
    return to_of_text(&((struct settings *)into)->cc, v);
}

static const char *set_cc(void *into, const chy_str *v, size_t n)
{
    return to_of_list(&((struct settings *)into)->cc, v, n);
}

static const struct kit_setting known[] = {
    {.name = "SMTPServer", .text = set_server},
    {.name = "SMTPPort", .number = set_port},
    {.name = "SMTPAuthenticate", .number = set_authenticate},
    {.name = "TLS", .text = set_tls},
    {.name = "CAFile", .text = set_ca_file},
    {.name = "User", .text = set_user},
    {.name = "PasswordFile", .text = set_password_file},
    {.name = "HeloName", .text = set_helo},
    {.name = "TimeoutSeconds", .number = set_timeout},
    {.name = "EventFilter", .number = set_events},
    {.name = "Templates", .list = set_templates},
    {.name = "RecipientDomains", .list = set_domains},
    {.name = "From", .text = set_from},
    {.name = "To", .text = set_to_text, .list = set_to},
    {.name = "Cc", .text = set_cc_text, .list = set_cc},
    {.name = "StateDirectory", .text = set_state},
    {.name = "ReminderDays", .number = set_reminder, .list = set_reminders},
    {.name = "DigestMinutes", .number = set_digest, .text = set_digest_text},
    {.name = "Issued/", .below = set_issued},
    {.name = "Pending/", .below = set_pending},
    {.name = "Denied/", .below = set_denied},
    {.name = "Revoked/", .below = set_revoked},
    {.name = "Unrevoked/", .below = set_unrevoked},
    {.name = "Imported/", .below = set_imported},
    {.name = "CRLIssued/", .below = set_crl},
    {.name = "Shutdown/", .below = set_shutdown},
    {.name = "Startup/", .below = set_startup},
    {.name = "Expiring/", .below = set_expiring}};

static const char *bad_password(struct settings *s)
{
    const char *rule = kit_secret_read(s->password_file, s->password, sizeof s->password, NULL);
    for (const char *p = s->password; !rule && *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) rule = "has a control character in it";
    return rule;
}

/* "127.example.com" is a name like any other. */
static bool is_loopback(const char *server)
{
    bool v4 = strncmp(server, "127.", 4) == 0 && strspn(server, "0123456789.") == strlen(server);
    return v4 || !strcasecmp(server, "localhost") || !strcmp(server, "::1");
}

/* RFC 8314 3.3. On the way to another machine nothing goes in the clear unless
 * somebody said so. */
static void fill_in(struct settings *s)
{
    bool loopback = is_loopback(s->server);
    static const uint32_t days[] = {30 * DAY, 14 * DAY, 7 * DAY, DAY};
    if (s->tls == TLS_UNSET) s->tls = loopback ? TLS_NONE : TLS_STARTTLS;
    if (!s->port) s->port = s->tls == TLS_IMPLICIT ? 465 : 25;
    if (s->authenticate < 0) s->authenticate = s->user[0] != 0;
    if (!s->helo[0]) (void)set_helo(s, s->machine);
    if (!s->helo[0]) snprintf(s->helo, sizeof s->helo, "localhost");
    if (!s->from.mail[0]) snprintf(s->from.mail, sizeof s->from.mail, "chancery@%.200s", s->helo);
    if (s->state_folder && !s->reminders_set) {
        memcpy(s->reminder, days, sizeof days);
        s->n_reminders = sizeof days / sizeof days[0];
    }
    for (int k = 0; k < MAIL_KINDS; k++)
        folder_defaults(&s->folder[k], (enum kind)k);
}

static chy_hresult bad(const chy_task *task, const char *name, const char *rule)
{
    say(task->host, CHY_LOG_ERROR, "exit-mail: setting %s %s", name, rule);
    return CHY_E_INVALIDARG;
}

static chy_hresult check(const chy_task *task, struct settings *s)
{
    bool loopback = is_loopback(s->server);
    if (s->authenticate && (!s->user[0] || !s->password_file))
        return bad(task, "SMTPAuthenticate", "needs User and PasswordFile");
    if (s->authenticate && s->tls == TLS_NONE && !loopback)
        return bad(task, "TLS", "is none: a password does not go to another machine in the clear");
    const char *rule = s->authenticate ? bad_password(s) : NULL;
    if (rule) return bad(task, "PasswordFile", rule);
    if (s->digest && !s->state_folder) return bad(task, "DigestMinutes", "needs StateDirectory");
    if (s->reminders_set && s->n_reminders && !s->state_folder)
        return bad(task, "ReminderDays", "needs StateDirectory");
    for (int k = 0; k < MAIL_KINDS; k++) {
        char name[40];
        rule = folder_check(&s->folder[k]);
        snprintf(name, sizeof name, "%s/ TitleFormat or BodyFormat", kind_name((enum kind)k));
        if (rule) return bad(task, name, rule);
    }
    if (s->tls == TLS_NONE && !loopback && s->server[0])
        say(task->host, CHY_LOG_WARNING, "exit-mail: TLS is none: mails go to %s in the clear",
            s->server);
    return CHY_S_OK;
}

chy_hresult settings_load(const chy_task *task, struct settings **out)
{
    struct settings *s = calloc(1, sizeof *s);
    if (!s) return CHY_E_OUTOFMEMORY;
    s->refs = 1;
    s->authenticate = -1;
    s->timeout = 20;
    s->events = EVENTS_DEFAULT;
    (void)chy_cert_text(task, "MachineDNSName", s->machine, sizeof s->machine);
    (void)chy_cert_text(task, "SanitizedCAName", s->ca_name, sizeof s->ca_name);
    chy_hresult hr =
        kit_settings_read(task->host, "exit-mail", known, sizeof known / sizeof known[0], s);
    if (!CHY_FAILED(hr)) {
        fill_in(s);
        hr = check(task, s);
    }
    if (CHY_FAILED(hr)) {
        settings_unref(s);
        return hr;
    }
    *out = s;
    return CHY_S_OK;
}

struct settings *settings_ref(struct settings *s)
{
    (void)__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void settings_unref(struct settings *s)
{
    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    for (int k = 0; k < MAIL_KINDS; k++)
        folder_free(&s->folder[k]);
    words_free(&s->templates);
    words_free(&s->domains);
    free(s->ca_file);
    free(s->password_file);
    free(s->state_folder);
    kit_wipe(s->password, sizeof s->password);
    free(s);
}
