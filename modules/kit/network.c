#include "kit/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

bool kit_network_parse(const char *text, struct kit_network *out)
{
    char host[64];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof host) return false;
    memcpy(host, text, n);
    host[n] = 0;
    out->n = inet_pton(AF_INET, host, out->address) == 1    ? 4
             : inet_pton(AF_INET6, host, out->address) == 1 ? 16
                                                            : 0;
    out->bits = (unsigned)out->n * 8;
    if (!slash || out->n == 0) return out->n != 0;
    size_t digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 3 || slash[1 + digits]) return false;
    out->bits = (unsigned)strtoul(slash + 1, NULL, 10);
    return out->bits <= out->n * 8;
}

bool kit_network_has(const struct kit_network *net, const uint8_t *ip, size_t n)
{
    if (net->n != n) return false;
    size_t whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->address, ip, whole) != 0) return false;
    return !rest || (uint8_t)(net->address[whole] ^ ip[whole]) >> (8 - rest) == 0;
}
