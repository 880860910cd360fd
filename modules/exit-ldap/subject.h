/* A certificate's subject as the name of an entry (RFC 4514). */
#ifndef EXIT_LDAP_SUBJECT_H
#define EXIT_LDAP_SUBJECT_H

#include "exit_ldap.h"

/* False: it is no Name that can be read. */
bool subject_text(struct der name, struct kit_text *out);
/* Text as part of a name or filter, in which it can end nothing. */
void add_escaped(struct kit_text *out, const char *p, size_t n, enum escape escape);

#endif
