/* Any octets as a host name: what is accepted is one, more liberty never refuses what less accepts,
 * and an A-label stands for one spelling only. */
#include <stdlib.h>
#include <string.h>

#include "pki/ext.h"
#include "pki/idna.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_accepted(struct chy_span name, unsigned flags)
{
    size_t label = 0, labels = 1;
    must(name.n >= 1 && name.n <= 253);
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool wild = c == '*' && i == 0 && (flags & CHY_GN_ALLOW_WILDCARD);
        bool under = c == '_' && (flags & CHY_GN_ALLOW_UNDERSCORE);
        must(letter || c == '-' || c == '.' || wild || under);
        must(c != '.' || (label > 0 && name.p[i - 1] != '-'));
        must(c != '-' || label > 0);
        label = c == '.' ? 0 : label + 1;
        labels += c == '.';
        must(label <= 63);
    }
    must(label > 0 && name.p[name.n - 1] != '-');
    must(labels > 1 || (flags & CHY_GN_ALLOW_SINGLE_LABEL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_span name = chy_span_of(data, size);
    bool accepted[8];
    for (unsigned flags = 0; flags < 8; flags++) {
        const char *fault = chy_host_fault(name, flags);
        accepted[flags] = !fault;
        must(!fault || fault[0]);
        if (!fault) check_accepted(name, flags);
    }
    for (unsigned less = 0; less < 8; less++) {
        for (unsigned more = less; more < 8; more++)
            must((less & ~more) || !accepted[less] || accepted[more]);
    }
    return 0;
}
