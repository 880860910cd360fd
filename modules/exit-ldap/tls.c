#include <sys/stat.h>

#include "exit_ldap.h"

static bool set_text(LDAP *ld, int option, const char *v)
{
    return !v || ldap_set_option(ld, option, v) == LDAP_OPT_SUCCESS;
}

/* All that ldap.conf or the environment could have said otherwise is said here. The least version
 * is not to be set everywhere: GnuTLS goes by the policy of its system. */
static bool set_fresh(LDAP *ld, const struct settings *s)
{
    int client = 0, least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
    if (!set_text(ld, LDAP_OPT_X_TLS_CACERTFILE, s->ca_file) ||
        !set_text(ld, LDAP_OPT_X_TLS_CERTFILE, s->cert_file) ||
        !set_text(ld, LDAP_OPT_X_TLS_KEYFILE, s->key_file))
        return false;
    ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTDIR, NULL);
    ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least);
    return ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

static bool files_changed(struct conn *c)
{
    const char *path[3] = {c->s->ca_file, c->s->cert_file, c->s->key_file};
    bool changed = false;
    for (int i = 0; i < 3; i++) {
        struct stat st;
        long long now = stat(path[i], &st) == 0
                            ? (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec
                            : 0;
        changed = changed || now != c->tls_files[i];
        c->tls_files[i] = now;
    }
    return changed;
}

/* libldap over GnuTLS loses the client's key with each context that has one, so with a client
 * certificate one context serves all connections until its files change. Reading a context out of
 * libldap takes a reference, which nothing gives back: it outlives the connections. */
bool tls_set(struct conn *c)
{
    int demand = LDAP_OPT_X_TLS_DEMAND;
    if (ldap_set_option(c->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) != LDAP_OPT_SUCCESS)
        return false;
    if (!c->s->cert_file) return set_fresh(c->ld, c->s);
    if (!files_changed(c) && c->tls)
        return ldap_set_option(c->ld, LDAP_OPT_X_TLS_CTX, c->tls) == LDAP_OPT_SUCCESS;
    c->tls = NULL;
    return set_fresh(c->ld, c->s) &&
           ldap_get_option(c->ld, LDAP_OPT_X_TLS_CTX, &c->tls) == LDAP_OPT_SUCCESS;
}
