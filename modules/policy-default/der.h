/* A strict reader of the few DER shapes that the policy looks at, and a small writer. */
#ifndef POLICY_DEFAULT_DER_H
#define POLICY_DEFAULT_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct der {
    const uint8_t *p;
    size_t n;
};

/* Takes one TLV off the front of in; false: not DER. Lengths of more than 3 octets are refused. */
bool der_next(struct der *in, uint8_t *tag, struct der *value);

struct der_out {
    size_t n;
    bool full;
    uint8_t b[4096]; /* the first n count */
};

void der_start(struct der_out *o);
void der_put(struct der_out *o, const void *p, size_t n);
void der_put_tlv(struct der_out *o, uint8_t tag, const void *p, size_t n);
/* Dotted text as an OBJECT IDENTIFIER TLV; false when it is not one. */
bool der_put_oid(struct der_out *o, const char *dotted);

#endif
