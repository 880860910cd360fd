/* Primes so close to each other that Fermat's method finds them. */
#ifndef CHY_PKI_CLOSE_PRIMES_H
#define CHY_PKI_CLOSE_PRIMES_H

#include "base/base.h"

/* True when 100 rounds of Fermat's method factor the odd modulus of n limbs (the lowest first), of
 * CHY_RSA_MAX_BITS at most. Thread: any. */
bool chy_close_primes(const uint32_t *modulus, size_t n);

#endif
