/* What the files of the publishing exit module share. */
#ifndef EXIT_PUBLISH_PUBLISH_H
#define EXIT_PUBLISH_PUBLISH_H

#include <chancery/easy_module.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kit/text.h"

enum format { FORMAT_DER, FORMAT_PEM, FORMAT_CHAIN };
enum { COMMAND_MAX = 32, FILE_NAME_MAX = 255, CERT_NAME_MAX = 200 };

/* Read once, then shared unchanged by the calls that run. */
struct settings {
    chy_long event_filter, flags;
    bool always, chown, index, creates;
    enum format format;
    mode_t mode, folder_mode;
    uid_t owner;
    gid_t group;
    char *folder;     /* NULL: no certificate is published */
    char *crl_folder; /* NULL: no CRL is */
    char *ca_folder;  /* NULL: no certificate of the CA is */
    char *crl_base;   /* in front of a CRL's name in the index, or NULL */
    char pattern[96], crl_pattern[160];
    char *command[COMMAND_MAX + 1]; /* NULL-ended */
    chy_long command_seconds;
};

/* Where the sweep for expired certificates stands. Both are numbers of pages. */
struct index {
    pthread_mutex_t lock; /* held while pages are read and written */
    chy_long last, next;  /* last -1: not known yet */
};

/* One event, and what came of it. */
struct job {
    const chy_host *host;
    const struct settings *s;
    chy_server_exit cb;
    struct index *index;
    chy_long event, context, request_id;
    struct kit_text files, removed; /* absolute paths, each with a line end */
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

struct name {
    char text[CERT_NAME_MAX + 1];
    size_t n;
    bool full; /* a cut name could be another request's */
};
/* The name of the certificate's file, by the pattern. */
chy_hresult file_name(const chy_host *h, const struct settings *s, const chy_server_exit *cb,
                      chy_long id, struct name *o);

/* A name of a CRL or of the CA's own certificate. */
struct ca_name {
    char text[FILE_NAME_MAX + 1];
    size_t n;
    bool full;
};
void ca_name_add(struct ca_name *o, const char *p, size_t n);
chy_hresult ca_name_add_property(const struct job *j, const char *property, struct ca_name *o);

/* All of name below folder, or nothing; `creates`: the folder is made if it alone is missing. */
chy_hresult write_file(struct job *j, const char *folder, const char *name,
                       const struct kit_text *t);
/* S_FALSE: there is no such file. */
chy_hresult read_file(const char *folder, const char *name, struct kit_text *out);
/* What is not there is removed. */
chy_hresult remove_file(struct job *j, const char *folder, const char *name);

/* Writes the certificate of the request that the callback object is set to. */
chy_hresult publish(struct job *j);
/* Writes the CRLs that the CA has now. The first failure is the answer, and what can be written is.
 */
chy_hresult publish_crls(struct job *j);
/* Writes the certificates of the CA that are not there yet. */
chy_hresult publish_ca(struct job *j);

/* Enters a certificate into the index. */
chy_hresult index_certificate(struct job *j, const char *file, const chy_bytes *der);
/* A CRL that was published, for the list of them. */
void index_crl(struct job *j, const char *file, chy_long key, chy_long shard, bool delta,
               struct kit_text *json, struct kit_text *html);
chy_hresult index_crls(struct job *j, const struct kit_text *json, const struct kit_text *html);

/* One line of a list that is kept as a file: its number, and how it looks in either form. */
struct row {
    chy_long number;
    struct kit_text json, html;
};
struct list_change {
    const struct row *add; /* in the place of what has its number; or NULL */
    const chy_long *drop;
    size_t n_drop;
};
enum { PER_LIST = 64 };
/* level 0: a page of certificates; 1: a book of pages; 2: the one list of the books. A list without
 * a row is no more, but for that one. left: how many rows it has then. */
chy_hresult list_change(struct job *j, int level, chy_long list, const struct list_change *c,
                        size_t *left);
/* S_FALSE: there is no such list. */
chy_hresult list_read(const struct job *j, int level, chy_long list, struct kit_text *out);
bool list_has(const struct kit_text *t, int level, chy_long number);
/* How many rows it has; the number of the last one. */
size_t list_count(const struct kit_text *t, int level, chy_long *last);

/* Removes expired certificates of some pages, if that is wanted. */
void sweep(struct job *j, int pages);

/* Runs the command that the settings name, if something was written or removed. */
chy_hresult command_run(struct job *j);

#endif
