/* What the files of this layer share: a key and its parts. Nobody above sees a private key. */
#ifndef CHY_KEY_INTERNAL_H
#define CHY_KEY_INTERNAL_H

#include <stdatomic.h>

#include "key/key.h"

struct chy_key {
    atomic_uint refs;
    EVP_PKEY *pkey;
    uint8_t *spki_der;
    struct chy_spki spki; /* points into spki_der */
};

/* Owns pkey from the call on, on failure too. */
CHY_MUST_USE chy_hresult chy_key_of_pkey(EVP_PKEY *pkey, struct chy_key **out, struct chy_err *err);

#endif
