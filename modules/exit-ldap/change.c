/* One entry made to hold what it should: read first, then change only what differs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exit_ldap.h"

enum { TRIES = 3, TYPES_MAX = 40, VALUES_MAX = 20 };

void say(const struct publisher *p, chy_long severity, const char *format, ...)
{
    char text[1200] = "exit-ldap: ";
    va_list args;
    va_start(args, format);
    size_t n = strlen(text);
    vsnprintf(text + n, sizeof text - n, format, args);
    va_end(args);
    chy_say(p->task, severity, chy_text_one_line(text));
}

static struct der of_berval(const struct berval *v)
{
    return (struct der){(const uint8_t *)v->bv_val, v->bv_len};
}

/* An argument of LDAPMod is read only; it has no const form. */
static struct berval to_berval(struct der d)
{
    return (struct berval){d.n, (char *)(uintptr_t)d.p};
}

/* ---- changing ---- */

/* The values of an entry, parted in those that stay and those that go. */
struct parted {
    struct berval **kept, **gone; /* NULL-ended; in one block */
    size_t n_kept, n_gone;
    bool present; /* what is to be added stands there already */
};

static bool part(const struct publisher *p, const struct change *c, const struct entry *e,
                 struct parted *out)
{
    *out = (struct parted){.kept = calloc(2 * e->n + 3, sizeof *out->kept)};
    if (!out->kept) return false;
    out->gone = out->kept + e->n + 2;
    for (size_t i = 0; i < e->n; i++) {
        struct der value = of_berval(e->value[i]);
        bool same = c->add.n && der_same(value, c->add);
        if (same || !c->keep || c->keep(p, value, c->arg))
            out->kept[out->n_kept++] = e->value[i];
        else
            out->gone[out->n_gone++] = e->value[i];
        out->present = out->present || same;
    }
    return true;
}

static int write_parted(const struct publisher *p, const struct change *c, struct parted *v)
{
    char name[80];
    struct berval fresh = to_berval(c->add), *added[] = {&fresh, NULL};
    bool adds = c->add.n && !v->present;
    LDAPMod gone = {LDAP_MOD_DELETE | LDAP_MOD_BVALUES, name, {.modv_bvals = v->gone}};
    LDAPMod add = {LDAP_MOD_ADD | LDAP_MOD_BVALUES, name, {.modv_bvals = added}};
    LDAPMod all = {LDAP_MOD_REPLACE | LDAP_MOD_BVALUES, name, {.modv_bvals = v->kept}};
    LDAPMod *mods[3] = {0};
    size_t n = 0;
    if (!adds && !v->n_gone) return LDAP_SUCCESS;
    snprintf(name, sizeof name, "%s", c->attribute);
    if (c->whole) {
        if (adds) v->kept[v->n_kept] = &fresh;
        mods[n++] = &all;
    } else {
        if (v->n_gone) mods[n++] = &gone;
        if (adds) mods[n++] = &add;
    }
    int rc = conn_modify(p->c, c->dn, mods);
    if (rc == LDAP_SUCCESS)
        say(p, CHY_LOG_INFO, "%.400s: %s: %d added, %zu removed", c->dn, c->attribute, (int)adds,
            v->n_gone);
    return rc;
}

/* ---- making ---- */

struct making {
    LDAPMod mod[TYPES_MAX], *mods[TYPES_MAX + 1];
    struct berval value[TYPES_MAX][VALUES_MAX], *values[TYPES_MAX][VALUES_MAX + 1];
    char type[TYPES_MAX][80];
    size_t n, count[TYPES_MAX];
};

static bool has_value(const struct making *m, size_t i, struct der value)
{
    for (size_t k = 0; k < m->count[i]; k++)
        if (der_same(of_berval(&m->value[i][k]), value)) return true;
    return false;
}

/* A type is named once, whatever its number of values (RFC 4511 4.7). */
static bool give(struct making *m, const char *type, size_t n_type, struct der value)
{
    size_t i = 0;
    while (i < m->n && (strlen(m->type[i]) != n_type || strncasecmp(m->type[i], type, n_type)))
        i++;
    if (i == TYPES_MAX || n_type >= sizeof m->type[0]) return false;
    if (i == m->n) {
        memcpy(m->type[i], type, n_type);
        m->mod[i] =
            (LDAPMod){LDAP_MOD_ADD | LDAP_MOD_BVALUES, m->type[i], {.modv_bvals = m->values[i]}};
        m->mods[m->n++] = &m->mod[i];
    }
    if (has_value(m, i, value)) return true;
    if (m->count[i] == VALUES_MAX) return false;
    m->value[i][m->count[i]] = to_berval(value);
    m->values[i][m->count[i]] = &m->value[i][m->count[i]];
    m->count[i]++;
    return true;
}

static struct der of_text(const char *s)
{
    return (struct der){(const uint8_t *)s, strlen(s)};
}

/* The values of its own name belong to an entry (RFC 4511 4.7). */
static bool give_name(struct making *m, LDAPDN dn)
{
    for (size_t i = 0; dn && dn[0] && dn[0][i]; i++) {
        const LDAPAVA *a = dn[0][i];
        struct der v = {(const uint8_t *)a->la_value.bv_val, a->la_value.bv_len};
        if (!give(m, a->la_attr.bv_val, a->la_attr.bv_len, v)) return false;
    }
    return dn && dn[0];
}

static int make_entry(const struct publisher *p, const struct change *c)
{
    LDAPDN dn = NULL;
    struct making *m = calloc(1, sizeof *m);
    bool ok = m && ldap_str2dn(c->dn, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;
    for (size_t i = 0; ok && i < c->classes->n; i++)
        ok = give(m, "objectClass", strlen("objectClass"), of_text(c->classes->v[i]));
    ok = ok && give_name(m, dn);
    for (size_t i = 0; ok && c->attributes && i < c->attributes->n; i++) {
        const char *text = c->attributes->v[i], *is = strchr(text, '=');
        ok = is && give(m, text, (size_t)(is - text), of_text(is + 1));
    }
    ok = ok && give(m, c->attribute, strlen(c->attribute), c->add);
    int rc = ok ? conn_add(p->c, c->dn, m->mods) : LDAP_NO_MEMORY;
    if (dn) ldap_dnfree(dn);
    free(m);
    if (rc == LDAP_SUCCESS) say(p, CHY_LOG_INFO, "%.400s: made, with one %s", c->dn, c->attribute);
    return rc;
}

/* ---- applying ---- */

static int apply_once(const struct publisher *p, const struct change *c)
{
    struct entry e;
    struct parted v;
    int rc = conn_read(p->c, c->dn, c->attribute, &e);
    if (rc == LDAP_NO_SUCH_OBJECT && !c->add.n) return LDAP_SUCCESS;
    if (rc == LDAP_NO_SUCH_OBJECT && c->classes->n) return make_entry(p, c);
    if (rc != LDAP_SUCCESS) return rc;
    if (c->leave && c->leave(p, &e, c->arg)) {
        say(p, CHY_LOG_INFO, "%.400s: %s: what stands there is newer, and stays", c->dn,
            c->attribute);
        entry_free(&e);
        return LDAP_SUCCESS;
    }
    rc = part(p, c, &e, &v) ? write_parted(p, c, &v) : LDAP_NO_MEMORY;
    free(v.kept);
    entry_free(&e);
    return rc;
}

/* Somebody else changed the entry between our look and our change. */
static bool look_again(int rc)
{
    return rc == LDAP_ALREADY_EXISTS || rc == LDAP_TYPE_OR_VALUE_EXISTS ||
           rc == LDAP_NO_SUCH_ATTRIBUTE;
}

static const char *remedy(int rc, const struct change *c)
{
    if (rc == LDAP_NO_SUCH_OBJECT)
        return c->classes->n ? "; the entry above it must be there first"
                             : "; make the entry, or name the object classes to make it with";
    if (rc == LDAP_OBJECT_CLASS_VIOLATION)
        return "; give the entry an object class that allows the attribute";
    if (rc == LDAP_INSUFFICIENT_ACCESS) return "; let the CA's name in the directory write this";
    if (rc == LDAP_TYPE_OR_VALUE_EXISTS)
        return "; the directory cannot tell it from another value: give each CRL an entry of its "
               "own "
               "(%8 and <CRLPartitionIndex> in CRLDN)";
    return "";
}

chy_hresult entry_apply(const struct publisher *p, const struct change *c)
{
    int rc = LDAP_TYPE_OR_VALUE_EXISTS;
    for (int i = 0; i < TRIES && look_again(rc); i++)
        rc = apply_once(p, c);
    if (rc == LDAP_SUCCESS) return CHY_S_OK;
    say(p, CHY_LOG_ERROR, "%.400s: %s: %s%s", c->dn, c->attribute,
        p->c->why[0] ? p->c->why : ldap_err2string(rc), remedy(rc, c));
    return conn_hresult(rc);
}
