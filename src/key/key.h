/* Signing keys. Nobody above this layer ever holds a private key: they hold a struct chy_key, from
 * which they get public things, and a struct chy_signer per thread, which signs. Thread: chy_key is
 * shared and immutable; a signer belongs to one thread. */
#ifndef CHY_KEY_KEY_H
#define CHY_KEY_KEY_H

#include "pki/spki.h"

struct chy_key;

/* Makes a key of a named algorithm (chy_key_alg_by_name). */
CHY_MUST_USE chy_hresult chy_key_generate(const char *alg, struct chy_key **out,
                                          struct chy_err *err);
/* PKCS#8 PEM file, mode 0600, owned by us; written atomically. Refuses to load one that others can
 * read. */
CHY_MUST_USE chy_hresult chy_key_save(const struct chy_key *key, const char *path,
                                      struct chy_err *err);
CHY_MUST_USE chy_hresult chy_key_load(const char *path, struct chy_key **out, struct chy_err *err);
/* The public half alone, of a SubjectPublicKeyInfo: tells its algorithms, and cannot sign. */
CHY_MUST_USE chy_hresult chy_key_public(struct chy_span spki, struct chy_key **out,
                                        struct chy_err *err);
struct chy_key *chy_key_ref(struct chy_key *key);
void chy_key_free(struct chy_key *key);

const struct chy_spki *chy_key_spki(const struct chy_key *key);
/* name NULL: the default of the key's kind. */
const struct chy_sig_alg *chy_key_sig_alg(const struct chy_key *key, const char *name,
                                          struct chy_err *err);
/* True when a signature takes so long (RSA above 2048, tokens) that it must not run on a shared
 * thread. */
bool chy_key_is_slow(const struct chy_key *key);

/* Does it sign, and so that its public half verifies it? err must be given. */
CHY_MUST_USE chy_hresult chy_key_try(struct chy_key *key, struct chy_err *err);

struct chy_signer;
CHY_MUST_USE chy_hresult chy_signer_new(struct chy_key *key, const struct chy_sig_alg *alg,
                                        struct chy_signer **out, struct chy_err *err);
void chy_signer_free(struct chy_signer *s);
/* Appends the signature value (the BIT STRING's octets). */
CHY_MUST_USE chy_hresult chy_signer_sign(struct chy_signer *s, struct chy_span message,
                                         struct chy_buf *out, struct chy_err *err);
/* The same in pieces, for what is too large to hold: start, any number of more, finish, which
 * verifies what came out (NTE_BAD_SIGNATURE). Algorithms
 * that hash by themselves (EdDSA, ML-DSA) want the message whole: for those it is kept, up to
 * CHY_SIGNER_KEPT_MAX octets, and refused beyond. A failure ends the message, and so does
 * chy_signer_sign. */
enum { CHY_SIGNER_KEPT_MAX = 256 << 20 };
CHY_MUST_USE chy_hresult chy_signer_start(struct chy_signer *s, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_signer_more(struct chy_signer *s, struct chy_span piece,
                                         struct chy_err *err);
CHY_MUST_USE chy_hresult chy_signer_finish(struct chy_signer *s, struct chy_buf *out,
                                           struct chy_err *err);

#endif
