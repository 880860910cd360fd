/* A sorted array of hash and place: twenty steps through eight megabytes find one of a million,
 * and only an entry whose hash is that of the serial is parsed again. */
#include "ocsp/crl_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { PLACE_BITS = 29 };
_Static_assert(CHY_OCSP_CRL_MAX == 1 << PLACE_BITS, "a place has as many bits as a CRL needs");

void chy_ocsp_crl_init(struct chy_ocsp_crl *c)
{
    *c = (struct chy_ocsp_crl){.n = 0};
}

void chy_ocsp_crl_fini(struct chy_ocsp_crl *c)
{
    chy_buf_free(&c->der);
    chy_free(c->entry);
    chy_ocsp_crl_init(c);
}

/* ---- reading ---- */
static chy_hresult read_all(int fd, const char *path, struct chy_buf *out, struct chy_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return chy_fail_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return chy_fail(err, CHY_E_INVALIDARG, "%s: it is not a regular file", path);
    if (st.st_size > CHY_OCSP_CRL_MAX)
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "%s: it has more than %d octets", path,
                        CHY_OCSP_CRL_MAX);
    /* As long as it is: a buffer that doubles would take twice the memory for as long as it is
     * kept. */
    chy_buf_init(out, (size_t)st.st_size + 1);
    if (!chy_buf_reserve(out, (size_t)st.st_size + 1)) return chy_fail_nomem(err, path);
    while (out->n <= (size_t)st.st_size) {
        ssize_t n = read(fd, out->p + out->n, (size_t)st.st_size + 1 - out->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return chy_fail_errno(err, "%s", path);
        if (!n) return CHY_S_OK;
        out->n += (size_t)n;
    }
    return chy_fail(err, CHY_ERROR_INVALID_DATA, "%s: it grows while it is read", path);
}

static chy_hresult of_pem(struct chy_buf *der, const char *path, struct chy_err *err)
{
    static const char *const labels[] = {"X509 CRL", NULL};
    struct chy_buf out;
    size_t pos = 0;
    chy_buf_init(&out, der->n / 4 * 3 + 3);
    chy_hresult hr = chy_pem_next(chy_buf_span(der), labels, &pos, &out, err);
    if (hr == CHY_S_OK) {
        chy_buf_free(der);
        *der = out;
        return hr;
    }
    chy_buf_free(&out);
    return hr == CHY_S_FALSE ? chy_fail(err, CHY_ERROR_INVALID_DATA,
                                        "%s: neither DER nor a PEM block \"X509 CRL\"", path)
                             : hr;
}

chy_hresult chy_ocsp_crl_read(struct chy_ocsp_crl *c, const char *path, struct chy_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return chy_fail_errno(err, "%s", path);
    chy_hresult hr = read_all(fd, path, &c->der, err);
    close(fd);
    if (hr != CHY_S_OK) return hr;
    if (!c->der.n || c->der.p[0] != CHY_DER_SEQUENCE) hr = of_pem(&c->der, path, err);
    if (hr == CHY_S_OK) hr = chy_crl_parse(chy_buf_span(&c->der), &c->crl, err);
    return hr;
}

/* ---- the index ---- */

/* FNV-1a, stirred; its upper bits. Serials are chosen by the CA, not by whoever asks. */
static uint64_t hash_of(struct chy_span serial)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < serial.n; i++)
        h = (h ^ serial.p[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return h >> PLACE_BITS;
}

static int compare(const void *a, const void *b)
{
    uint64_t x, y;
    x = *(const uint64_t *)a;
    y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t count(struct chy_span entries)
{
    struct chy_der d = chy_der_of(entries);
    struct chy_tlv t;
    size_t n = 0;
    while (chy_der_read(&d, &t))
        n++;
    return n;
}

chy_hresult chy_ocsp_crl_index(struct chy_ocsp_crl *c, struct chy_err *err)
{
    const struct chy_span entries = c->crl.entries;
    struct chy_crl_entry e;
    size_t pos = 0, n = count(entries);
    if (!n && !entries.n) return CHY_S_OK;
    c->entry = chy_malloc(n ? n * sizeof(*c->entry) : 1);
    if (!c->entry) return chy_fail_nomem(err, "CRL");
    for (size_t i = 0; i < n; i++) {
        size_t place = pos;
        if (!chy_crl_entry_next(entries, &pos, &e)) break;
        if (e.reason == CHY_CRL_REASON_REMOVE_FROM_CRL && !c->crl.is_delta)
            return chy_fail(err, CHY_ERROR_INVALID_DATA,
                            "CRL (RFC 5280 5.3.1): entry %zu is removeFromCRL, which is for delta "
                            "CRLs alone",
                            i + 1);
        c->entry[i] = hash_of(e.serial) << PLACE_BITS | place;
    }
    if (pos != entries.n)
        return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU,
                        "CRL (RFC 5280 5.3): malformed entry %zu octets into the list, or one with "
                        "a critical extension that is not known",
                        pos);
    qsort(c->entry, n, sizeof(*c->entry), compare);
    c->n = n;
    return CHY_S_OK;
}

/* The first place at which value could stand. */
static size_t first_at(const struct chy_ocsp_crl *c, uint64_t value)
{
    size_t from = 0, to = c->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (c->entry[middle] < value) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

bool chy_ocsp_crl_find(const struct chy_ocsp_crl *c, struct chy_span serial,
                       struct chy_crl_entry *out)
{
    const uint64_t hash = hash_of(serial);
    bool found = false;
    for (size_t i = first_at(c, hash << PLACE_BITS); i < c->n; i++) {
        struct chy_crl_entry e;
        size_t pos = (size_t)(c->entry[i] & (CHY_OCSP_CRL_MAX - 1));
        if (c->entry[i] >> PLACE_BITS != hash) break;
        if (!chy_crl_entry_next(c->crl.entries, &pos, &e) || !chy_span_eq(e.serial, serial))
            continue;
        *out = e;
        found = true;
        if (e.reason != CHY_CRL_REASON_REMOVE_FROM_CRL) break;
    }
    return found;
}
