/* What the files of the mailing exit module share. */
#ifndef EXIT_MAIL_MAIL_H
#define EXIT_MAIL_MAIL_H

#include <chancery/easy_module.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kit/text.h"

enum kind {
    MAIL_ISSUED,
    MAIL_PENDING,
    MAIL_DENIED,
    MAIL_REVOKED,
    MAIL_UNREVOKED,
    MAIL_IMPORTED,
    MAIL_CRL,
    MAIL_SHUTDOWN,
    MAIL_STARTUP,
    MAIL_EXPIRING,
    MAIL_KINDS
};

enum { ADDRESS_TEXT = 256, NAME_TEXT = 100, TO_MAX = 20, REMINDERS_MAX = 16, ID_TEXT = 200 };

/* One mailbox (RFC 5322 3.4); or "%NAME" in mail: the addresses that a property holds. */
struct address {
    char mail[ADDRESS_TEXT], name[NAME_TEXT];
};

struct addresses {
    struct address v[TO_MAX];
    size_t n;
};

struct words {
    char **v;
    size_t n;
};

/* What is said of one kind of event. */
struct folder {
    struct address from; /* of no mail: the module's own */
    struct addresses to, cc;
    char *title;
    struct words title_args, body, body_args;
    bool at_once; /* stays out of digests */
};

enum tls { TLS_UNSET, TLS_STARTTLS, TLS_IMPLICIT, TLS_NONE };

/* Read once, then shared unchanged by the threads that send. */
struct settings {
    unsigned refs;
    char server[300], helo[ADDRESS_TEXT], user[256], password[1026];
    char *ca_file, *password_file, *state_folder;
    long port, authenticate, timeout;
    enum tls tls;
    chy_long events;
    struct words templates, domains;
    uint32_t reminder[REMINDERS_MAX]; /* seconds before the end, the longest first */
    size_t n_reminders;
    bool reminders_set;
    int64_t digest; /* seconds; 0: every mail goes out at once */
    struct address from;
    struct addresses to, cc;
    struct folder folder[MAIL_KINDS];
    char ca_name[256], machine[256];
};

/* A failure has logged the name of the setting and what is wrong with it. */
chy_hresult settings_load(const chy_task *task, struct settings **out);
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s);
const char *kind_name(enum kind kind); /* of its folder */
void folder_defaults(struct folder *f, enum kind kind);
/* NULL, or what is wrong. */
const char *folder_set(struct folder *f, const char *name, const chy_variant *v);
const char *folder_check(const struct folder *f);
void folder_free(struct folder *f);
/* One text is split at those separators; elements of a list stay whole. */
const char *words_set(struct words *w, const chy_variant *v, const char *separators);
bool words_add(struct words *w, const char *p, size_t n);
bool words_have(const struct words *w, const char *word); /* without case */
void words_free(struct words *w);

/* ---- addresses ---- */

/* RFC 5321 4.1.2, of ASCII and without quoted strings: nothing that could end a command or header.
 */
bool address_is_valid(const char *mail);
/* "mail", "Name <mail>" or "%NAME". NULL, or what is wrong. */
const char *address_parse(const char *text, struct address *out);
const char *addresses_set(struct addresses *a, const chy_variant *v);
/* Once each; false: no room. */
bool addresses_add(struct addresses *a, const struct address *one);
/* The domain is one of the words or below one; "*" is any. */
bool address_is_within(const char *mail, const struct words *domains);
/* rfc822Name of a subjectAltName's DER (RFC 5280 4.2.1.6); ones that are no address are left out.
 */
void addresses_of_san(struct addresses *a, const uint8_t *der, size_t n);

/* Those that the event itself has, where the settings ask for such: rfc822Names and emailAddress
 * if they name nobody. */
void recipients_of_event(chy_task *task, const struct settings *s, enum kind kind,
                         struct addresses *to);
/* Those that the settings name. */
void recipients_named(const struct settings *s, enum kind kind, struct addresses *to,
                      struct addresses *cc);
bool recipients_have_tokens(const struct settings *s, enum kind kind);

/* ---- texts ---- */

/* Adds what the name stands for; false: nothing. one_line: for a title. */
typedef bool (*value_fn)(void *from, const char *name, bool one_line, struct kit_text *out);
/* %1 to %99 are the arguments' values, %% is a percent sign; what has no value is "???". */
void format_add(struct kit_text *out, const char *format, const struct words *args, value_fn value,
                void *from, bool one_line);
/* NULL, or what is wrong with the format. */
const char *format_check(const char *format, size_t n_args);
/* One line of valid UTF-8 of at most `max` octets: control characters and those that change the
 * direction of text become '?'. */
void text_add_clean(struct kit_text *out, const char *s, size_t n, size_t max);
void text_add_time(struct kit_text *out, chy_time t);
/* A value of an event, by the name of its property. The source is a chy_task. */
bool event_value(void *task, const char *name, bool one_line, struct kit_text *out);

/* ---- messages ---- */

struct mail {
    char id[ID_TEXT]; /* the same at each delivery of the same event */
    enum kind kind;
    bool digest;
    struct address from;
    struct addresses to, cc;
    struct kit_text title, body;
};

void mail_free(struct mail *m);
/* Whom the settings name for this kind: the folder's own first. The tokens among them stay. */
const struct addresses *settings_to(const struct settings *s, enum kind kind);
/* Title and body by the folder's formats. */
void mail_write(struct mail *m, const struct settings *s, value_fn value, void *from);
/* Head and body as they are sent (RFC 5322), each line ended by CRLF. */
void message_build(struct kit_text *out, const struct mail *m);

enum sent {
    SENT,
    REFUSED, /* for good, and for this address alone */
    LATER
};

struct smtp;
/* stop: a transfer ends when it is set; may be NULL. */
struct smtp *smtp_new(const chy_host *host, const bool *stop);
void smtp_free(struct smtp *c);
/* To everybody whom the mail names. ERROR_BUSY: the server is there, and does not take it for one
 * of them now; another failure is about no address. What went out to some of them is not sent to
 * those again when the same mail comes once more. */
chy_hresult smtp_deliver(struct smtp *c, struct settings *s, const struct mail *m);

void say(const chy_host *host, chy_long severity, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- what outlives a restart ---- */

/* A file of lines that grows at its end; fields of a line are escaped and have a blank between. */
struct journal {
    int dir, fd;
    const char *name;
    off_t size;
    bool torn;    /* the last line is half a line */
    bool unnamed; /* a crash may still bring the file back that this one replaced */
};
/* Makes the file if there is none; what is behind the last line end goes. */
chy_hresult journal_open(struct journal *j, int dir, const char *name);
void journal_close(struct journal *j);
/* On the disk, or not there at all. */
chy_hresult journal_append(struct journal *j, struct kit_text *line);
/* The new content takes the place of the old one, whole. */
chy_hresult journal_replace(struct journal *j, int fresh, const char *temporary);
chy_hresult journal_empty(struct journal *j);
int journal_fresh(struct journal *j, const char *temporary);
void field_add(struct kit_text *line, const char *s);
void field_addf(struct kit_text *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Splits a line in place; the number of fields. */
size_t fields_split(char *line, char **field, size_t max);

/* What a reminder tells. */
struct holder {
    int64_t not_after; /* seconds since 1970 */
    uint32_t last;     /* the shortest time before the end that needs no reminder any more */
    long id;
    char serial[80], template_name[128];
    char name[260], subject[1030];
    struct addresses to;
};

struct reminders;
chy_hresult reminders_open(struct reminders **out, int dir, const chy_host *host, int64_t now);
void reminders_close(struct reminders *r);
chy_hresult reminders_learn(struct reminders *r, const struct holder *h);
chy_hresult reminders_forget(struct reminders *r, const char *serial);
/* The first that is due at or behind *at; its index goes there and `why` gets the time before the
 * end that it is due for. *next gets the time of the earliest that is not due yet. */
bool reminders_due(struct reminders *r, const struct settings *s, int64_t now, size_t *at,
                   struct holder *out, uint32_t *why, int64_t *next);
/* When the next one of this certificate is due; INT64_MAX: never. */
int64_t reminders_next(const struct holder *h, const struct settings *s);
chy_hresult reminders_done(struct reminders *r, size_t at, const char *serial, uint32_t why);
chy_hresult reminders_compact(struct reminders *r, int64_t now);
size_t reminders_count(const struct reminders *r);

struct digest;
chy_hresult digest_open(struct digest **out, int dir, const chy_host *host);
void digest_close(struct digest *d);
/* ERROR_BUSY: so much waits that no more is taken. */
chy_hresult digest_add(struct digest *d, struct mail *m, int64_t now);
bool digest_is_full(const struct digest *d);  /* it goes out before its time */
int64_t digest_since(const struct digest *d); /* of the oldest mail; INT64_MAX: there is none */
/* A mail for the next one who is owed some and is not among `skip`; false: nobody is. *upto: for
 * digest_done. */
bool digest_next(struct digest *d, const struct settings *s, const struct words *skip,
                 struct mail *out, int64_t *upto);
chy_hresult digest_done(struct digest *d, const char *to, int64_t upto);
void digest_expire(struct digest *d, int64_t now);

/* The thread that sends reminders and digests, and the files that it does so from. */
struct worker;
chy_hresult worker_start(struct worker **out, const chy_host *host, struct settings *s);
void worker_stop(struct worker *w);
/* With other settings on the same folder. */
void worker_renew(struct worker *w, struct settings *s);
bool worker_is_of(const struct worker *w, const struct settings *s);
chy_hresult worker_learn(struct worker *w, const struct holder *h);
chy_hresult worker_forget(struct worker *w, const char *serial);
chy_hresult worker_collect(struct worker *w, struct mail *m);

#endif
