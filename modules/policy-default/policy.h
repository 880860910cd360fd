/* What the files of the default policy share: a profile, the settings, one request's work. */
#ifndef POLICY_DEFAULT_POLICY_H
#define POLICY_DEFAULT_POLICY_H

#include <chancery/easy_module.h>
#include <stdbool.h>

#include "kit/key.h"
#include "kit/san.h"

struct list {
    char **v;
    size_t n;
    bool starved; /* list_add found no memory */
};

bool list_add(struct list *l, const char *p, size_t n);
bool list_has(const struct list *l, const char *s);
void list_free(struct list *l);
/* Adds the elements of text, which commas, blanks or newlines separate. */
bool list_split(struct list *l, const char *text);

enum { SUBJECT_REQUEST, SUBJECT_NONE, SUBJECT_CN_FROM_SAN };
/* Bits of KeyUsage in the order of RFC 5280 4.2.1.3, the first one lowest. */
enum {
    KU_DIGITAL_SIGNATURE = 1 << 0,
    KU_KEY_ENCIPHERMENT = 1 << 2,
    KU_KEY_CERT_SIGN = 1 << 5,
    KU_CRL_SIGN = 1 << 6
};

struct profile {
    char name[65];
    struct list key_types, subject, san_names, eku, request_ext, policies, requesters;
    int64_t min_rsa_bits, max_names, validity_days, path_length;
    unsigned san_types, key_usage, subject_from;
    bool san_required, san_from_cn, cn_in_san, wildcard, eku_from_request, ca, pending, nocheck,
        deny, no_revocation, path_length_given;
};

struct config {
    chy_long disposition, edit_flags;
    bool edit_flags_set;
    int64_t ca_path_length; /* -1: none, -2: not set */
    int64_t hours_without_revocation;
    char default_profile[65];
    struct list enable_ext, disable_ext, enroll;
    struct profile *profiles;
    size_t n;
};

/* NULL, or what is wrong with the value; name is the setting's name inside of the profile. */
const char *profile_set(struct profile *p, const char *name, const struct list *value);
const struct profile *config_profile(const struct config *c, const char *name);
struct profile *config_profile_add(struct config *c, const char *name);
bool profiles_builtin(struct config *c);
void profile_free(struct profile *p);

chy_hresult config_load(const chy_host *host, struct config **out);
void config_free(struct config *c);

/* Checks a DER GeneralNames against the profile. NULL: fine; else the rule that refuses it, with
 * the name in why. cn_seen takes whether cn is among the names. */
const char *san_check(const struct profile *p, struct kit_der names, const char *cn, bool *cn_seen,
                      char *why, size_t why_size);
/* The first DNS name of checked names as text; false: there is none that fits. */
bool san_first_dns(struct kit_der names, char *out, size_t size);
/* Appends cn as a GeneralName of its kind; false when it is neither a host name nor an address. */
bool san_from_text(struct kit_der_out *o, const char *cn);
/* Appends what an attribute SAN says ("dns=a.test&ip=192.0.2.1"); NULL, or what is wrong. */
const char *san_from_attribute(struct kit_der_out *o, const char *text);
/* A pattern of SanNames: a host name, "*." and a domain, an address or a network. */
bool san_pattern_ok(const char *pattern);

struct work {
    const chy_host *host;
    const struct config *c;
    const struct profile *p; /* NULL: AD CS's stand-alone way, without a profile */
    chy_server_policy sp;
    chy_long context;
    bool is_new, subject_empty, pend;
    struct kit_key key;
    char cn[260];
};

/* A sentence for the request's disposition message that denies nothing. */
void note(struct work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Each answers with a negative number that denies the request. */
chy_hresult deny(struct work *w, chy_hresult code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* S_FALSE and NULL: the request has no such attribute; else *out goes to the host's free. */
chy_hresult attribute(struct work *w, const char *name, char **out);
chy_hresult cert_long(struct work *w, const char *name, chy_long *out);
chy_hresult choose_profile(struct work *w);
chy_hresult key_apply(struct work *w);
chy_hresult names_apply(struct work *w);
chy_hresult validity_apply(struct work *w);
chy_hresult verify(struct work *w, chy_long *disposition);

/* id-ce-noRevAvail (RFC 9608 2). */
#define OID_NO_REV_AVAIL "2.5.29.56"
/* Marks of ours in the flags (EXTENSION_POLICY_MASK): the value is the server's as it was, or the
 * server's without its OCSP responders. */
enum { EXT_WHOLE = 0x100, EXT_CUT = 0x200, EXT_SERVERS = EXT_WHOLE | EXT_CUT };
/* S_FALSE and an empty variant: there is none; else *v goes to the host's variant_clear. */
chy_hresult ext_get(struct work *w, const char *oid, chy_variant *v, chy_long *flags);
/* Sets an extension unless an administrator set it on the pending request: that one wins. */
chy_hresult ext_set(struct work *w, const char *oid, bool critical, uint8_t *p, size_t n);
chy_hresult ext_put(struct work *w, const char *oid, chy_long flags, const chy_variant *v);
chy_hresult ext_switch_off(struct work *w, const char *oid, chy_variant *v);
bool ext_from_admin(const struct work *w, chy_long flags);
/* Switches off what the policy set at an earlier look at this request. */
chy_hresult ext_forget(struct work *w);
chy_hresult ext_apply_profile(struct work *w);
chy_hresult ext_disable_listed(struct work *w);
/* Enables the request's own extension, unchanged. */
chy_hresult ext_enable(struct work *w, const char *oid);
chy_hresult ext_names(struct work *w, struct list *out);
chy_hresult set_key_usage(struct work *w, unsigned bits);
chy_hresult set_basic_constraints(struct work *w, bool critical, int64_t path_length);
chy_hresult set_oids(struct work *w, const char *oid, const struct list *l, bool nested);
chy_hresult standalone_apply(struct work *w);
/* Whether a basicConstraints value says CA:TRUE. */
bool says_ca(const chy_variant *v);
/* Takes out where revocation could be looked up, if the profile says that it is nowhere. */
chy_hresult revocation_apply(struct work *w);
/* Gives back what an earlier look took out; before ext_forget. */
chy_hresult revocation_forget(struct work *w);

#endif
