/* What the files of the default policy share: a profile, the settings, one request's work. */
#ifndef POLICY_DEFAULT_POLICY_H
#define POLICY_DEFAULT_POLICY_H

#include <chancery/module.h>
#include <stdbool.h>

#include "der.h"

struct list {
    char **v;
    size_t n;
};

bool list_add(struct list *l, const char *p, size_t n);
bool list_has(const struct list *l, const char *s);
void list_free(struct list *l);
/* A copy with list elements separated by commas, blanks or newlines in text. */
bool list_split(struct list *l, const char *text);

enum { SAN_DNS = 1, SAN_IP = 2, SAN_EMAIL = 4, SAN_URI = 8, SAN_UPN = 16, SAN_DIRNAME = 32 };
enum { SUBJECT_REQUEST, SUBJECT_NONE, SUBJECT_CN_FROM_SAN };
enum { KU_KEY_ENCIPHERMENT = 1 << 2, KU_KEY_AGREEMENT = 1 << 4 };

struct profile {
    char name[65];
    struct list key_types, subject, san_names, eku, request_ext, policies, requesters;
    int64_t min_rsa_bits, max_names, validity_days, path_length;
    unsigned san_types, key_usage, subject_from;
    bool san_required, san_from_cn, cn_in_san, wildcard, eku_from_request, ca, pending, nocheck,
        deny;
};

struct config {
    unsigned refs;
    chy_long disposition, edit_flags;
    bool edit_flags_set;
    char default_profile[65];
    struct list enable_ext, disable_ext, enroll;
    struct profile *profiles;
    size_t n;
};

/* 0, or what is wrong with the value; name is the setting's name inside of the profile. */
const char *profile_set(struct profile *p, const char *name, const struct list *value);
struct profile *config_profile(struct config *c, const char *name, bool add);
bool profiles_builtin(struct config *c);
void profile_free(struct profile *p);

chy_hresult config_load(const chy_host *host, struct config **out);
void config_free(struct config *c);

/* Checks a DER GeneralNames against the profile. NULL: fine; else the rule that refuses it, with
 * the name in why. found takes the types seen, cn_seen whether cn is among the names. */
const char *san_check(const struct profile *p, struct der names, const char *cn, unsigned *found,
                      bool *cn_seen, char *why, size_t why_size);
/* The first DNS name of checked names as text; false: there is none that fits. */
bool san_first_dns(struct der names, char *out, size_t size);
/* Appends cn as a GeneralName of its kind; false when it is neither a host name nor an address. */
bool san_from_text(struct der_out *o, const char *cn);

struct work {
    const chy_host *host;
    const struct config *c;
    const struct profile *p;
    chy_server_policy sp;
    chy_long context;
    bool is_new, rsa, subject_empty;
    char cn[260];
};

/* Both return a negative number that denies the request. */
chy_hresult deny(struct work *w, chy_hresult code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
chy_hresult ext_apply_profile(struct work *w);
chy_hresult ext_apply_lists(struct work *w);
chy_hresult ext_disable_listed(struct work *w);
chy_hresult ext_set(struct work *w, const char *oid, bool critical, const uint8_t *p, size_t n);
chy_hresult names_apply(struct work *w);
chy_hresult validity_apply(struct work *w);
chy_hresult verify(struct work *w, chy_long *disposition);
bool attribute(struct work *w, const char *name, char *out, size_t size);

struct policy;
chy_hresult policy_reload(struct policy *p);
void policy_ref(struct policy *p);
void policy_unref(struct policy *p);
chy_hresult manage_new(const chy_host *host, struct policy *p, chy_manage_module *out);

#endif
