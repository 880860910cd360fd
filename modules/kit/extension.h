/* An extension of the request, for a policy. */
#ifndef KIT_EXTENSION_H
#define KIT_EXTENSION_H

#include <chancery/module.h>

/* Its DER, to variant_clear, and its flags (may be NULL). Anything but S_OK leaves the variant
 * empty; S_FALSE: there is none. */
chy_hresult kit_extension(const chy_host *host, const chy_server_policy *sp, const char *oid,
                          chy_variant *v, chy_long *flags);

#endif
