/* The CRLs that a CA has: for each of its keys the base CRL and the delta CRL where there is one,
 * in as many partitions as the CA has. */
#ifndef KIT_CRLS_H
#define KIT_CRLS_H

#include <chancery/module.h>
#include <stdbool.h>
#include <stdint.h>

/* A property of the CA, asked of a callback object at context 0. S_FALSE: the CA has no such value.
 * What comes out goes to the host's variant_clear. */
chy_hresult kit_ca_property(const chy_server_exit *cb, const char *name, chy_long type,
                            chy_variant *out);
/* S_FALSE leaves *out alone. */
chy_hresult kit_ca_long(const chy_host *host, const chy_server_exit *cb, const char *name,
                        chy_long *out);

struct kit_crl {
    chy_long index, partition; /* the key's; 0: the CRL of the whole CA */
    bool delta;
    const char *property; /* "RawDeltaCRL.0.3" */
    uint8_t *der;         /* lent for the call */
    size_t n;
};

struct kit_crl_walk {
    const chy_host *host;
    const chy_server_exit *cb;
    chy_hresult (*each)(void *arg, const struct kit_crl *c);
    /* Told of each failure; what: the property that could not be had, or that `each` failed with */
    void (*failed)(void *arg, const char *what, chy_hresult hr);
    void *arg;
};

/* A base comes before its delta (RFC 5280 5.2.4). One that fails does not keep the others from
 * their turn; the answer is the first failure. */
chy_hresult kit_crls(const struct kit_crl_walk *w);

#endif
