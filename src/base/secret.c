/* Randomness and secrets. */
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/sys.h"

chy_hresult chy_random(void *out, size_t n, struct chy_err *err)
{
    if (n <= INT32_MAX && RAND_bytes(out, (int)n) == 1) return CHY_S_OK;
    return chy_fail_openssl(err, CHY_E_FAIL, "random numbers: the generator failed");
}

void chy_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

bool chy_equal_secret(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
