/* Serial numbers (P1): 4 octets that rise with time, then 128 bits from the CSPRNG. The prefix runs
 * through its range in 24.7 days and starts again: it only keeps neighbours in time neighbours in
 * the database's index, and tells no more than notBefore does. */
#include <string.h>

#include "base/sys.h"
#include "pki/cert.h"

chy_hresult chy_serial_make(chy_time now, uint8_t out[CHY_SERIAL_LEN], struct chy_err *err)
{
    enum { LOWEST = 0x01000000, RANGE = 0x7f000000 };
    uint32_t prefix = LOWEST + (uint32_t)((uint64_t)(now / 1000) % RANGE);
    for (int i = 3; i >= 0; i--, prefix >>= 8)
        out[i] = (uint8_t)prefix;
    return chy_random(out + 4, CHY_SERIAL_LEN - 4, err);
}
