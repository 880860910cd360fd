/* IPv4 and IPv6 addresses and networks: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32". */
#ifndef KIT_NETWORK_H
#define KIT_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kit_network {
    uint8_t address[16];
    size_t n; /* octets of the address: 4 or 16 */
    unsigned bits;
};

bool kit_network_parse(const char *text, struct kit_network *out);
/* ip: an address of n octets, as a certificate has it. */
bool kit_network_has(const struct kit_network *net, const uint8_t *ip, size_t n);

#endif
