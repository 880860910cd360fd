/* SHA-256 (FIPS 180-4), for names of things and files: no secret goes in here. */
#ifndef KIT_SHA256_H
#define KIT_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { KIT_SHA256 = 32 };

struct kit_sha256 {
    uint32_t h[8];
    uint64_t n; /* octets so far */
    uint8_t block[64];
};

void kit_sha256_start(struct kit_sha256 *s);
void kit_sha256_add(struct kit_sha256 *s, const void *p, size_t n);
void kit_sha256_done(struct kit_sha256 *s, uint8_t out[KIT_SHA256]);

#endif
