/* The directory publisher: what its files share. */
#ifndef EXIT_LDAP_H
#define EXIT_LDAP_H

#include <chancery/easy.h>
#include <ldap.h>
#include <stdbool.h>

#include "der.h"
#include "kit/text.h"

/* What is published, as the bits of settings.publish. */
enum {
    PUBLISH_USER = 1,
    PUBLISH_CA = 2,
    PUBLISH_CRL = 4,
    PUBLISH_DELTA = 8,
    PUBLISH_ARL = 16,
    PUBLISH_CROSS = 32
};

struct texts {
    char **v;
    size_t n;
};

struct settings {
    struct texts uri;
    char *bind_dn, *password_file;
    bool external, starttls, require_tls;
    char *ca_file, *cert_file, *key_file;
    chy_long timeout; /* seconds, of one operation */
    unsigned publish;
    bool publish_named; /* false: publish is what there are targets for */
    char *base_dn;
    char *user_dn, *search_base, *filter;
    int scope;
    struct texts user_class, user_attribute, templates;
    bool skip_missing;
    char *ca_dn, *crl_dn;
    struct texts ca_class, crl_class, cross_files;
    bool remove_expired, remove_revoked;
};

/* ---- settings.c ---- */
chy_hresult settings_read(const chy_host *host, struct settings *s);
void settings_free(struct settings *s);

/* ---- conn.c ---- */

/* What may come for one operation, where values are asked for and where not: a server that never
 * ends fills no memory. */
enum { VALUE_MOST = 1 << 30, ANSWER_MOST = 1 << 20 };

/* One connection at a time, to the first server of the list that answers; made when it is needed.
 */
struct conn {
    const chy_host *host;
    const struct settings *s;
    LDAP *ld;
    int fd;          /* below ld; of wire.c */
    long long until; /* when the operation has to end, by wire_now */
    size_t room;     /* so many octets may come until then */
    size_t at;       /* the server in use */
    void *tls;       /* of tls.c */
    long long tls_files[3];
    /* What the last operation failed with, for people: "No such object (32): no parent" */
    char why[400];
};

/* One attribute of one entry, as it was found. */
struct entry {
    struct berval **value; /* NULL-ended; NULL: it has none */
    size_t n;
};

/* All answer with LDAP's own codes. An operation whose server went away is tried once more on a new
 * connection; LDAP_TIMEOUT when the call has no time left. */
int conn_read(struct conn *c, const char *dn, const char *attribute, struct entry *out);
void entry_free(struct entry *e);
/* The one entry that the filter finds; LDAP_NO_SUCH_OBJECT for none, LDAP_SIZELIMIT_EXCEEDED for
 * more. *dn goes to ldap_memfree. */
int conn_find(struct conn *c, const char *base, int scope, const char *filter, char **dn);
int conn_modify(struct conn *c, const char *dn, LDAPMod **mods);
int conn_add(struct conn *c, const char *dn, LDAPMod **mods);
void conn_close(struct conn *c);

/* ---- wire.c ---- */

/* Milliseconds of a clock that only goes on. */
long long wire_now(void);
/* Connects until c->until; c->ld then reads and writes no longer than until then. */
int wire_open(struct conn *c, const char *uri);

/* ---- resolve.c ---- */

/* To freeaddrinfo. NULL: errno tells, ETIMEDOUT where `until` has come. */
struct addrinfo;
struct addrinfo *resolve(const char *host, int port, long long until);

/* ---- tls.c ---- */

/* Prepares c->ld for TLS; false: a file cannot be used. */
bool tls_set(struct conn *c);

/* LDAP's code as that of AD CS, which calls the same failures by Windows' names. */
chy_hresult conn_hresult(int rc);

/* ---- template.c: names from patterns ---- */

/* What a pattern may ask for. */
struct source {
    const chy_task *task;
    const struct settings *s;
    bool of_user;              /* %{…} is known */
    chy_long index, partition; /* the CA's certificate, the CRL's partition */
    bool delta;
};

enum escape { ESCAPE_DN, ESCAPE_FILTER, ESCAPE_NONE };

/* NULL, or what is wrong with the pattern. */
const char *template_check(const char *pattern, bool of_user, enum escape escape);
/* Fills in the pattern. S_FALSE: something in it has no value, or more than one; `why` says what.
 * What is filled in can neither end the value it stands in nor begin another. */
chy_hresult template_fill(const struct source *from, const char *pattern, enum escape escape,
                          struct kit_text *out, char why[200]);
/* 1 when the pattern tells the partitions of a CRL apart. */
bool template_has_partition(const char *pattern);

/* ---- publishing ---- */

struct publisher {
    const chy_task *task;
    const struct settings *s;
    struct conn *c;
    char now[DER_TIME + 1];
};

__attribute__((format(printf, 3, 4))) void say(const struct publisher *p, chy_long severity,
                                               const char *format, ...);
/* Which values of an attribute stay: true to keep. */
typedef bool (*keep_fn)(const struct publisher *p, struct der value, const void *arg);
/* Whether the entry is left as it is, for what stands there. */
typedef bool (*leave_fn)(const struct publisher *p, const struct entry *e, const void *arg);

/* What an entry is to have more (add) and less (what keep says no to). NULL: nothing is removed. */
struct change {
    const char *dn, *attribute;
    const struct texts *classes; /* of the entry, when it has to be made; empty: it is never made */
    const struct texts *attributes; /* more of a new entry: "sn=Smith" */
    struct der add;                 /* n 0: nothing */
    keep_fn keep;
    leave_fn leave;
    const void *arg;
    bool whole; /* all values are written at once: their matching rule may tell too few apart */
};

/* Reads, then changes what has to be changed; an entry that is as it should be is left alone. Every
 * failure has been logged. */
chy_hresult entry_apply(const struct publisher *p, const struct change *c);

chy_hresult publish_user(const struct publisher *p, chy_long event);
/* The certificates of the CA, and the cross certificates that are files. */
chy_hresult publish_ca(const struct publisher *p);
/* A CA certificate that this CA issued to another, or one that another issued to it. */
chy_hresult publish_pair(const struct publisher *p, struct der cert, bool to_this_ca);
chy_hresult publish_crls(const struct publisher *p);

#endif
