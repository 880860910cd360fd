/* Subject alternative names (RFC 5280 4.2.1.6), read one by one. */
#ifndef KIT_SAN_H
#define KIT_SAN_H

#include "kit/der.h"

enum {
    KIT_SAN_DNS = 1,
    KIT_SAN_IP = 2,
    KIT_SAN_EMAIL = 4,
    KIT_SAN_URI = 8,
    KIT_SAN_UPN = 16,
    KIT_SAN_DIRNAME = 32
};
enum { KIT_SAN_TEXT = 1024 };

struct kit_san {
    unsigned type; /* one of the above; 0: malformed, or of no kind that is known */
    struct kit_der value;
    char text[KIT_SAN_TEXT]; /* an address in its usual form; printable ASCII alone */
};

/* Opens a DER GeneralNames; false: that is none, or it is empty. */
bool kit_san_open(struct kit_der names, struct kit_der *list);
/* Takes the next name while list->n; false: it is not DER. */
bool kit_san_next(struct kit_der *list, struct kit_san *out);
/* Appends 1.3.6.1.4.1.311.20.2.3, the user principal name. */
void kit_san_put_upn(struct kit_der_out *o, const char *text);
/* A host name, with "*." in front or not. */
bool kit_is_dns_name(const char *s);
/* The part of a name's text that a domain speaks about: of an address of mail what is behind the @,
 * of a URI its host; "" where there is none. It writes into s. */
const char *kit_domain_of(unsigned type, char *s);

#endif
