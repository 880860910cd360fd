#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "exit_ldap.h"
#include "kit/secret.h"

enum { SPARE_MS = 500, PASSWORD_MAX = 1024 };

chy_hresult conn_hresult(int rc)
{
    static const struct {
        int rc;
        uint32_t hr;
    } t[] = {{LDAP_SUCCESS, 0},
             {LDAP_TIMEOUT, 0x800705b4},
             {LDAP_NO_MEMORY, 0x8007000e},
             {LDAP_INVALID_CREDENTIALS, 0x8007052e},
             {LDAP_TYPE_OR_VALUE_EXISTS, 0x8007200d},
             {LDAP_BUSY, 0x8007200e},
             {LDAP_UNAVAILABLE, 0x8007200f},
             {LDAP_OBJECT_CLASS_VIOLATION, 0x80072014},
             {LDAP_OPERATIONS_ERROR, 0x80072020},
             {LDAP_TIMELIMIT_EXCEEDED, 0x80072022},
             {LDAP_SIZELIMIT_EXCEEDED, 0x80072023},
             {LDAP_AUTH_METHOD_NOT_SUPPORTED, 0x80072027},
             {LDAP_STRONG_AUTH_REQUIRED, 0x80072028},
             {LDAP_REFERRAL, 0x8007202b},
             {LDAP_CONFIDENTIALITY_REQUIRED, 0x8007202d},
             {LDAP_CONSTRAINT_VIOLATION, 0x8007202f},
             {LDAP_NO_SUCH_OBJECT, 0x80072030},
             {LDAP_INVALID_DN_SYNTAX, 0x80072032},
             {LDAP_UNWILLING_TO_PERFORM, 0x80072035},
             {LDAP_NAMING_VIOLATION, 0x80072037},
             {LDAP_SERVER_DOWN, 0x8007203a},
             {LDAP_CONNECT_ERROR, 0x8007203a},
             {LDAP_INSUFFICIENT_ACCESS, 0x80072098}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (t[i].rc == rc) return CHY_HR(t[i].hr);
    return CHY_E_FAIL;
}

/* What went wrong, with what the server said of it. */
static void explain(struct conn *c, int rc)
{
    char *said = NULL, *matched = NULL;
    if (c->ld) ldap_get_option(c->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    if (c->ld && rc == LDAP_NO_SUCH_OBJECT) ldap_get_option(c->ld, LDAP_OPT_MATCHED_DN, &matched);
    if (!c->room) rc = LDAP_SERVER_DOWN;
    snprintf(c->why, sizeof c->why, "%s (%d)%s%s%.200s%s%.100s", ldap_err2string(rc), rc,
             c->room ? "" : ": it says more than it was asked for", said && *said ? ": " : "",
             said ? said : "", matched && *matched ? "; there is " : "", matched ? matched : "");
    chy_text_one_line(c->why);
    ldap_memfree(said);
    ldap_memfree(matched);
}

void conn_close(struct conn *c)
{
    if (c->ld) ldap_unbind_ext(c->ld, NULL, NULL);
    c->ld = NULL;
}

/* Neither the setting nor what the call has left is overrun: some is spared for the way back. */
static bool set_limits(struct conn *c, size_t most)
{
    chy_long left = INT32_MAX, own = c->s->timeout * 1000;
    c->room = most;
    if (CHY_FAILED(c->host->vt->time_left(c->host->self, &left))) left = 0;
    left = left < own + SPARE_MS ? left - SPARE_MS : own;
    if (left <= 0) return false;
    struct timeval tv = {left / 1000, (left % 1000) * 1000};
    c->until = wire_now() + left;
    return !c->ld || ldap_set_option(c->ld, LDAP_OPT_TIMEOUT, &tv) == LDAP_OPT_SUCCESS;
}

static bool is_scheme(const char *uri, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncasecmp(uri, scheme, n) == 0 && strncmp(uri + n, "://", 3) == 0;
}

static int set_options(struct conn *c, bool tls)
{
    int three = LDAP_VERSION3, never = LDAP_DEREF_NEVER;
    struct timeval none = {-1, 0}; /* the wire has its own */
    if (ldap_set_option(c->ld, LDAP_OPT_PROTOCOL_VERSION, &three) != LDAP_OPT_SUCCESS ||
        ldap_set_option(c->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
        ldap_set_option(c->ld, LDAP_OPT_DEREF, &never) != LDAP_OPT_SUCCESS ||
        ldap_set_option(c->ld, LDAP_OPT_NETWORK_TIMEOUT, &none) != LDAP_OPT_SUCCESS)
        return LDAP_LOCAL_ERROR;
    return tls && !tls_set(c) ? LDAP_CONNECT_ERROR : LDAP_SUCCESS;
}

static int bind_as(struct conn *c)
{
    char password[PASSWORD_MAX] = "";
    struct berval cred = {0, password};
    if (!c->s->external && c->s->password_file) {
        size_t n = 0;
        const char *rule = kit_secret_read(c->s->password_file, password, sizeof password, &n);
        if (rule) {
            snprintf(c->why, sizeof c->why, "PasswordFile %s", rule);
            return LDAP_INVALID_CREDENTIALS;
        }
        cred.bv_len = n;
    }
    int rc = c->s->external || c->s->bind_dn
                 ? ldap_sasl_bind_s(c->ld, c->s->external ? NULL : c->s->bind_dn,
                                    c->s->external ? "EXTERNAL" : LDAP_SASL_SIMPLE, &cred, NULL,
                                    NULL, NULL)
                 : LDAP_SUCCESS;
    kit_wipe(password, sizeof password);
    return rc;
}

static int open_at(struct conn *c, const char *uri)
{
    bool plain = is_scheme(uri, "ldap"), tls = is_scheme(uri, "ldaps");
    bool starttls = plain && c->s->starttls;
    c->why[0] = 0;
    int rc = set_limits(c, ANSWER_MOST) ? wire_open(c, uri) : LDAP_TIMEOUT;
    if (rc == LDAP_SUCCESS) rc = set_options(c, tls || starttls);
    if (rc == LDAP_SUCCESS && !set_limits(c, ANSWER_MOST)) rc = LDAP_TIMEOUT;
    if (rc == LDAP_SUCCESS && tls) rc = ldap_install_tls(c->ld);
    if (rc == LDAP_SUCCESS && starttls) rc = ldap_start_tls_s(c->ld, NULL, NULL);
    if (rc == LDAP_SUCCESS) rc = set_limits(c, ANSWER_MOST) ? bind_as(c) : LDAP_TIMEOUT;
    if (rc != LDAP_SUCCESS && !c->why[0]) explain(c, rc);
    return rc;
}

static void warn_of(struct conn *c, const char *uri)
{
    char text[700];
    snprintf(text, sizeof text, "exit-ldap: %.200s cannot be used: %.400s", uri, c->why);
    c->host->vt->log(c->host->self, CHY_LOG_WARNING, text);
}

static void next_server(struct conn *c)
{
    c->at = (c->at + 1) % c->s->uri.n;
}

/* Begins with the server that was good last time. */
static int open_any(struct conn *c)
{
    int rc = LDAP_SERVER_DOWN;
    for (size_t i = 0; i < c->s->uri.n; i++) {
        rc = open_at(c, c->s->uri.v[c->at]);
        if (rc == LDAP_SUCCESS) return rc;
        warn_of(c, c->s->uri.v[c->at]);
        conn_close(c);
        next_server(c);
    }
    return rc;
}

static bool is_gone(int rc)
{
    return rc == LDAP_SERVER_DOWN || rc == LDAP_CONNECT_ERROR || rc == LDAP_UNAVAILABLE;
}

/* An operation in a form that can be made again. */
struct op {
    int (*make)(struct conn *c, struct op *op);
    const char *dn, *filter;
    char **attributes;
    LDAPMod **mods;
    int scope, size_limit;
    bool values; /* are asked for */
    LDAPMessage *found;
};

static int run(struct conn *c, struct op *op)
{
    int rc = LDAP_SERVER_DOWN;
    c->why[0] = 0;
    for (int attempt = 0; attempt < 2 && is_gone(rc); attempt++) {
        bool kept = c->ld != NULL;
        rc = kept ? LDAP_SUCCESS : open_any(c);
        if (rc != LDAP_SUCCESS) return rc;
        bool time = set_limits(c, op->values ? VALUE_MOST : ANSWER_MOST);
        rc = time ? op->make(c, op) : LDAP_TIMEOUT;
        if (rc == LDAP_SUCCESS) return rc;
        explain(c, rc);
        /* An answer that comes too late would be taken for that of the next operation. */
        if (is_gone(rc) || rc < 0) conn_close(c);
        /* One that takes connections and nothing else would hide those behind it for ever. */
        if (time && (rc == LDAP_TIMEOUT || (!kept && is_gone(rc)))) next_server(c);
        if (!kept) break;
    }
    return rc;
}

static int make_search(struct conn *c, struct op *op)
{
    return ldap_search_ext_s(c->ld, op->dn, op->scope, op->filter, op->attributes, 0, NULL, NULL,
                             NULL, op->size_limit, &op->found);
}

static int make_modify(struct conn *c, struct op *op)
{
    return ldap_modify_ext_s(c->ld, op->dn, op->mods, NULL, NULL);
}

static int make_add(struct conn *c, struct op *op)
{
    return ldap_add_ext_s(c->ld, op->dn, op->mods, NULL, NULL);
}

/* Some servers give the attribute back without its option (RFC 4522 4). */
static bool same_attribute(const char *a, const char *b)
{
    size_t n = strcspn(b, ";");
    return strcspn(a, ";") == n && strncasecmp(a, b, n) == 0;
}

static struct berval **values_of(struct conn *c, LDAPMessage *e, const char *attribute)
{
    BerElement *ber = NULL;
    struct berval **values = NULL;
    for (char *a = ldap_first_attribute(c->ld, e, &ber); a;
         a = ldap_next_attribute(c->ld, e, ber)) {
        if (!values && same_attribute(a, attribute)) values = ldap_get_values_len(c->ld, e, a);
        ldap_memfree(a);
    }
    ber_free(ber, 0);
    return values;
}

int conn_read(struct conn *c, const char *dn, const char *attribute, struct entry *out)
{
    char name[80];
    char *attributes[] = {name, NULL};
    struct op op = {.make = make_search,
                    .dn = dn,
                    .filter = "(objectClass=*)",
                    .attributes = attributes,
                    .scope = LDAP_SCOPE_BASE,
                    .size_limit = 1,
                    .values = true};
    *out = (struct entry){0};
    snprintf(name, sizeof name, "%s", attribute);
    int rc = run(c, &op);
    LDAPMessage *e = rc == LDAP_SUCCESS ? ldap_first_entry(c->ld, op.found) : NULL;
    if (rc == LDAP_SUCCESS && !e) {
        snprintf(c->why, sizeof c->why, "the entry may not be read");
        rc = LDAP_NO_SUCH_OBJECT;
    }
    if (e) out->value = values_of(c, e, attribute);
    if (out->value) out->n = (size_t)ldap_count_values_len(out->value);
    ldap_msgfree(op.found);
    return rc;
}

void entry_free(struct entry *e)
{
    if (e->value) ldap_value_free_len(e->value);
    *e = (struct entry){0};
}

int conn_find(struct conn *c, const char *base, int scope, const char *filter, char **dn)
{
    char none[] = LDAP_NO_ATTRS;
    char *attributes[] = {none, NULL};
    struct op op = {.make = make_search,
                    .dn = base,
                    .filter = filter,
                    .attributes = attributes,
                    .scope = scope,
                    .size_limit = 2};
    *dn = NULL;
    int rc = run(c, &op), n = 0;
    if (rc == LDAP_SUCCESS) n = ldap_count_entries(c->ld, op.found);
    if (rc == LDAP_SUCCESS && n == 1) {
        *dn = ldap_get_dn(c->ld, ldap_first_entry(c->ld, op.found));
        if (!*dn) rc = LDAP_NO_MEMORY;
    } else if (rc == LDAP_SUCCESS || rc == LDAP_SIZELIMIT_EXCEEDED) {
        rc = rc == LDAP_SUCCESS && n == 0 ? LDAP_NO_SUCH_OBJECT : LDAP_SIZELIMIT_EXCEEDED;
        snprintf(c->why, sizeof c->why, "%s",
                 n == 0 && rc == LDAP_NO_SUCH_OBJECT ? "no entry is found"
                                                     : "several entries are found");
    }
    ldap_msgfree(op.found);
    return rc;
}

int conn_modify(struct conn *c, const char *dn, LDAPMod **mods)
{
    return run(c, &(struct op){.make = make_modify, .dn = dn, .mods = mods});
}

int conn_add(struct conn *c, const char *dn, LDAPMod **mods)
{
    return run(c, &(struct op){.make = make_add, .dn = dn, .mods = mods});
}
