/* The names of a subjectAltName as JSON. */
#ifndef EXEC_NAMES_H
#define EXEC_NAMES_H

#include "kit/text.h"

/* An array of {"type": …, "value": …}; null when the octets are no GeneralNames. */
void names_add(struct kit_text *t, const uint8_t *der, size_t n);

#endif
