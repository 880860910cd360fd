/* As much of DER as a publisher has to know of certificates and CRLs. Nothing is copied, nothing is
 * read beyond the end; what cannot be read is told by false. */
#ifndef EXIT_LDAP_DER_H
#define EXIT_LDAP_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct der {
    const uint8_t *p;
    size_t n;
};

enum { DER_TIME = 15 }; /* "20261121080500Z": text that sorts as time does */

struct cert_facts {
    struct der issuer, subject; /* whole SEQUENCEs */
    char not_after[DER_TIME + 1];
    bool is_ca;
};

struct crl_facts {
    struct der issuer, key_id, number, scope; /* empty where there is none */
    char this_update[DER_TIME + 1], next_update[DER_TIME + 1];
    bool is_delta;
    bool users_only; /* RFC 5280 5.2.5: onlyContainsUserCerts */
};

bool der_same(struct der a, struct der b);
/* One element: its tag and content; *at moves behind it. */
bool der_next(struct der *at, uint8_t *tag, struct der *content);
bool cert_read(struct der cert, struct cert_facts *out);
bool crl_read(struct der crl, struct crl_facts *out);
/* Below, equal, above 0 as a is older, the same, newer. */
int crl_compare(const struct crl_facts *a, const struct crl_facts *b);

#endif
