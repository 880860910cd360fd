/* A strict reader of the few DER shapes that policies look at, and a small writer. */
#ifndef KIT_DER_H
#define KIT_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kit_der {
    const uint8_t *p;
    size_t n;
};

/* Takes one TLV off the front of in; false: not DER. Lengths of more than 3 octets are refused. */
bool kit_der_next(struct kit_der *in, uint8_t *tag, struct kit_der *value);

struct kit_der_out {
    size_t n;
    bool full;
    uint8_t b[4096]; /* the first n count */
};

void kit_der_start(struct kit_der_out *o);
void kit_der_put(struct kit_der_out *o, const void *p, size_t n);
void kit_der_put_tlv(struct kit_der_out *o, uint8_t tag, const void *p, size_t n);
/* Dotted text as an OBJECT IDENTIFIER TLV; false when it is not one. */
bool kit_der_put_oid(struct kit_der_out *o, const char *dotted);

#endif
