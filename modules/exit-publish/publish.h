/* What the files of the publishing exit module share. */
#ifndef EXIT_PUBLISH_PUBLISH_H
#define EXIT_PUBLISH_PUBLISH_H

#include <chancery/easy_module.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kit/text.h"

enum format { FORMAT_DER, FORMAT_PEM, FORMAT_CHAIN };

/* Read once, then shared unchanged by the calls that run. */
struct settings {
    unsigned refs;
    chy_long event_filter, flags;
    bool always, chown;
    enum format format;
    mode_t mode;
    uid_t owner;
    gid_t group;
    char *folder;     /* NULL: no certificate is published */
    char *crl_folder; /* NULL: no CRL is */
    char pattern[96], crl_pattern[160];
};

/* A failure has logged the name of the setting and what is wrong with it. */
chy_hresult settings_load(const chy_host *host, struct settings **out);
void settings_free(struct settings *s);
/* Writes a pattern whose names are apart for each request: %i or %s is in it, with a hyphen between
 * it and a common name. NULL, or what is wrong. */
const char *pattern_normal(const char *text, char *out, size_t size);

/* Writes a pattern whose names are apart for each CRL of this CA: %8, %9 and <CRLPartitionIndex>
 * are in it. NULL, or what is wrong. */
const char *crl_pattern_normal(const char *text, char *out, size_t size);
#define CRL_PARTITION "<CRLPartitionIndex>"

/* All of name below folder, or nothing. */
chy_hresult write_file(const struct settings *s, const char *folder, const char *name,
                       const struct kit_text *t);
/* Writes the CRLs that the CA has now. The first failure is the answer, and what can be written is.
 */
chy_hresult publish_crls(const chy_host *host, const struct settings *s, const chy_server_exit *cb);
/* Writes the certificate of the request that the callback object is set to. */
chy_hresult publish(const chy_host *host, const struct settings *s, const chy_server_exit *cb);

struct exit_module;
chy_hresult exit_reload(struct exit_module *e);
void exit_ref(struct exit_module *e);
void exit_unref(struct exit_module *e);
/* The live module that was made for this host, with a reference; or NULL. */
struct exit_module *exit_of_host(const chy_host *host);
/* What a late-bound call answers. */
chy_hresult late_end(const chy_host *host, const chy_late *c, chy_hresult hr, chy_excep *excep);
chy_hresult manage_new(const chy_host *host, struct exit_module *e, chy_manage_module *out);
chy_hresult text_out(const chy_host *host, const char *text, chy_str *out);

#endif
