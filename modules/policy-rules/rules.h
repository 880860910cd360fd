/* What the files of policy-rules share: the rules of a profile, the settings, one request's work.
 */
#ifndef POLICY_RULES_RULES_H
#define POLICY_RULES_RULES_H

#include "kit/der.h"
#include "kit/key.h"
#include "kit/policy.h"
#include "kit/san.h"
#include "kit/text.h"
#include "pattern.h"

/* Everything that has a name: parts of the subject, kinds of alternative names, the requester. */
enum { SUBJECT_FIELDS = 16, SAN_FIELDS = 6, FIELD_REQUESTER = SUBJECT_FIELDS + SAN_FIELDS, FIELDS };
extern const char *const field_name[FIELDS]; /* "CommonName", "dns", "Requester" */

enum { VALUES_MAX = 512, NO_MAX = -1 };

struct texts {
    char **v;
    size_t n;
    bool given; /* an empty list says something, too */
};

struct field_rule {
    bool given;
    struct patterns allow, deny;
    int64_t min_count, max_count, min_length, max_length; /* NO_MAX: none */
    char *set;
};

struct rules {
    char profile[65]; /* "*": all of them */
    bool audit_only, pend, subject_listed, san_listed, san_from_request;
    struct field_rule field[FIELDS];
    int64_t san_min, san_max;
    struct patterns deny; /* on any name */
    char *deny_file;

    struct texts key_allow, key_deny;
    int64_t min_rsa_bits, max_rsa_bits;

    struct texts eku_allow, eku_deny, eku_require, eku_set, crl_urls, aia_issuers, aia_ocsp;
    unsigned key_usage; /* CHY_KU_ bits; 0: not set */

    int64_t max_hours, max_days, delay_minutes, utc_offset_minutes; /* maxima 0: none */
    chy_time end;                                                   /* 0: none */
    unsigned work_days;            /* bit 0: Monday; 0: none given */
    int work_from, work_to;        /* minutes of the day */
    int64_t quota_count, quota_us; /* count NO_MAX: none */
};

struct settings {
    struct rules **v;
    size_t n;
    bool audit_only, pass_without_rules, no_enroll_right;
    char *state_directory;
    struct quota *quota; /* not owned; NULL: no rule has one */
    char why[400];       /* the second half of a sentence about a bad value */
};

chy_hresult settings_load(const chy_host *host, void *own, const char *config, void **out);
void settings_unload(void *settings);
/* NULL, or what is wrong; name is that of the setting inside of its profile. */
const char *rule_set(struct settings *s, struct rules *r, const char *name, const chy_variant *v);
/* "San/dns/Allow" */
const char *rule_name(unsigned field, const char *what, char out[64]);
/* What contradicts itself, and in which setting; NULL: nothing. */
const char *rules_wrong(const struct rules *r, char setting[64]);
/* What is wrong with the text of a Set; NULL: nothing. */
const char *template_wrong(const char *text);
void rules_free(struct rules *r);
/* One pattern on each line; what stands behind a # counts for nothing. */
const char *deny_file_read(struct settings *s, const char *path, struct patterns *into);

bool texts_add(struct texts *t, const char *s);
bool texts_have(const struct texts *t, const char *s);
void texts_free(struct texts *t);

/* One name of the request. */
struct name {
    unsigned field;
    char *text;
    size_t n;
};
struct names {
    struct name *v;
    size_t n, cap;
};

struct work {
    const chy_host *host;
    const struct settings *s;
    chy_server_policy sp;
    chy_long context, id;
    bool is_new;
    char profile[65];
    char *requester;
    const struct rules *rules[2]; /* of all profiles, of this one */
    size_t n_rules;
    struct kit_key key;
    struct names asked;   /* the subject as the request has it */
    struct names carried; /* what the certificate would carry */
    struct names watched; /* the same, if the rules that only watch counted, too */
    bool take_san;        /* the request's own extension is switched off as yet */
    chy_time from, end, submitted, new_from, new_end;
    struct kit_text refused, audited;
    chy_hresult code; /* of the first refusal */
    chy_long half;    /* milliseconds: half of what the call had when it began */
    bool late;
};

chy_hresult verify_request(struct kit_policy_call *call, chy_long *disposition);

bool audits(const struct work *w, const struct rules *r);
/* A rule is broken: what broke it, and which rule. */
void broken(struct work *w, const struct rules *r, chy_hresult code, const char *rule,
            const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Something could not be looked at: the answer is that number, and no decision. */
chy_hresult cannot(struct work *w, chy_hresult code, const char *what);

bool names_add(struct names *l, unsigned field, const char *p, size_t n);
void names_clear(struct names *l, unsigned field);
const char *names_first(const struct names *l, unsigned field); /* NULL: none */
bool names_copy(struct names *to, const struct names *from);
void names_free(struct names *l);
chy_hresult names_read(struct work *w);
/* Fills in what the rules derive; what is missing for that breaks the rule. */
chy_hresult names_derive(struct work *w, const struct rules *r, struct names *l);
void names_check(struct work *w, const struct rules *r, const struct names *l);
chy_hresult names_apply(struct work *w, const struct rules *r);

chy_hresult key_check(struct work *w);
/* S_FALSE and an empty variant: there is none. */
chy_hresult ext_get(struct work *w, const char *oid, chy_variant *v, chy_long *flags);
chy_hresult ext_set(struct work *w, const char *oid, bool critical, const void *p, size_t n);
/* Whether the certificate would carry it. */
chy_hresult ext_carried(struct work *w, const char *oid, bool *yes);
chy_hresult eku_check(struct work *w);
chy_hresult ext_apply(struct work *w, const struct rules *r);
chy_hresult san_apply(struct work *w);

chy_hresult validity_check(struct work *w);
chy_hresult validity_apply(struct work *w);
/* The last moment up to t that lies in the working hours; t itself where none of the 14 days before
 * has any. */
chy_time last_working_moment(const struct rules *r, chy_time t);
/* "2027-06-30T12:00:00Z"; false: that is no such moment. */
bool moment_parse(const char *text, chy_time *out);

/* How many requests were let pass, on disk (quota.c). */
struct quota;
struct quota_ask {
    const char *scope, *requester; /* whose requests count together */
    chy_long id;                   /* of the request: it counts once */
    int64_t count, period_us;
};
chy_hresult quota_open(const chy_host *host, void **own);
void quota_close(void *own);
/* NULL, or what is wrong with the folder. Another folder than before is opened anew. */
const char *quota_use(struct quota *q, const char *folder, int64_t keep_us);
extern const char quota_taken[]; /* what is wrong is that another has it now */
/* S_OK: the request is counted, and that is on disk; S_FALSE: there are `count` others already. */
chy_hresult quota_take(struct quota *q, const struct quota_ask *ask);
/* The same question, and nothing is counted. */
chy_hresult quota_look(struct quota *q, const struct quota_ask *ask);

#endif
