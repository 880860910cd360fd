/* Secrets stand in files of their own, never among the settings: a setting names the file. */
#ifndef KIT_SECRET_H
#define KIT_SECRET_H

#include <stddef.h>

/* Each answers NULL, or what is wrong with the file: the second half of a sentence. A secret's file
 * is a regular one, owned by root or by who runs this, and nobody else may read or write it. */
const char *kit_secret_check(const char *path);
/* The content without the line end at its end, NUL-ended; *n may be NULL. Empty, with a NUL of its
 * own or too long is wrong. Wipe it with kit_wipe. */
const char *kit_secret_read(const char *path, char *out, size_t size, size_t *n);
/* Zeroes what the compiler would see nobody read again. */
void kit_wipe(void *p, size_t n);

#endif
