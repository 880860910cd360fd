/* Public keys as settings speak of them: rsa, rsa2048, rsa2048+, p256, p384+, ed25519, ed448; a
 * plus means this size or more. */
#ifndef KIT_KEY_H
#define KIT_KEY_H

#include <chancery/module.h>
#include <stdbool.h>

enum kit_key_family { KIT_KEY_OTHER, KIT_KEY_RSA, KIT_KEY_EC, KIT_KEY_ED };
struct kit_key {
    enum kit_key_family family;
    int64_t bits; /* 0: a curve that the words above do not have */
};

bool kit_key_type_ok(const char *type);
bool kit_key_type_matches(const char *type, struct kit_key k);
/* What is said of a family: "rsa", "elliptic curve", … */
const char *kit_key_family_name(enum kit_key_family f);
/* The key of the request at the object's context. A failure is that of the property that *what
 * names. */
chy_hresult kit_key_read(const chy_host *host, const chy_server_policy *sp, struct kit_key *out,
                         const char **what);

#endif
