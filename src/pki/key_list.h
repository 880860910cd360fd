/* A list of public keys that are known to be compromised (P18), as a text that an operator
 * installs: one key a line, '#' begins a comment. A key is written as 64 hex digits: SHA-256 of its
 * SubjectPublicKeyInfo; 20 hex digits: the last 80 bits of SHA-1 over "Modulus=HEX\n", as the lists
 * of Debian's package openssl-blacklist have RSA keys. Thread: any; a list never changes. */
#ifndef CHY_PKI_KEY_LIST_H
#define CHY_PKI_KEY_LIST_H

#include "pki/spki.h"

enum { CHY_KEY_LIST_TEXT_MAX = 64 << 20 };

struct chy_key_list;

CHY_MUST_USE chy_hresult chy_key_list_parse(struct chy_span text, struct chy_key_list **out,
                                            struct chy_err *err);
void chy_key_list_free(struct chy_key_list *l);
size_t chy_key_list_count(const struct chy_key_list *l);
/* CHY_S_OK: found; CHY_S_FALSE: not among them. */
CHY_MUST_USE chy_hresult chy_key_list_find(const struct chy_key_list *l, const struct chy_spki *key,
                                           struct chy_err *err);

#endif
