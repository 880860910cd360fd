/* A module's settings from a table: each is read, checked and told of by name. */
#ifndef KIT_SETTINGS_H
#define KIT_SETTINGS_H

#include <chancery/module.h>

/* One of the setters is filled in, or more where a value may be of more than one kind. It answers
 * NULL, or what is wrong with the value: the second half of a sentence, such as "is not an absolute
 * path". */
struct kit_setting {
    const char *name; /* with '/' at its end: a folder, whose settings go to `below` */
    const char *(*text)(void *into, const char *v);
    const char *(*number)(void *into, chy_long v); /* and true and false, as 1 and 0 */
    /* One text is split at commas, blanks and line ends. */
    const char *(*list)(void *into, const chy_str *v, size_t n);
    /* rest: the name behind the folder's */
    const char *(*below)(void *into, const char *rest, const chy_variant *v);
};

/* Reads what is set of the table into `into`. A bad value is logged as "MODULE: setting NAME RULE"
 * and fails; a name that the table has not is warned of: other tools may keep notes of their own in
 * the folder. */
chy_hresult kit_settings_read(const chy_host *host, const char *module,
                              const struct kit_setting *table, size_t n, void *into);

/* Takes a value of one kind; NULL where it has another. The text has no NUL of its own. */
const char *kit_variant_text(const chy_variant *v);
/* The elements of a list, or of one text that is split; what it gives out goes to kit_list_free.
 * NULL, or what is wrong. */
const char *kit_variant_list(const chy_variant *v, chy_str **out, size_t *n);
void kit_list_free(chy_str *v, size_t n);

#endif
