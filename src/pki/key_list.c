/* Lists of compromised keys: sorted hashes, found by halving. */
#include "pki/key_list.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SPKI_LEN = 32, MODULUS_LEN = 10, SHA1_LEN = 20 };

/* Hashes of one length, one after another. */
struct hashes {
    size_t len, n;
    uint8_t *p;
};

struct chy_key_list {
    struct hashes of_spki, of_modulus;
};

static int compare_spki(const void *a, const void *b)
{
    return memcmp(a, b, SPKI_LEN);
}

static int compare_modulus(const void *a, const void *b)
{
    return memcmp(a, b, MODULUS_LEN);
}

/* The next line without its comment and the blanks around it; it may be empty. */
static struct chy_span next_line(struct chy_span *text)
{
    const uint8_t *end = memchr(text->p, '\n', text->n);
    struct chy_span line = {text->p, end ? (size_t)(end - text->p) : text->n};
    size_t used = line.n + (end != NULL);
    *text = chy_span_of(text->p + used, text->n - used);
    const uint8_t *comment = line.n ? memchr(line.p, '#', line.n) : NULL;
    if (comment) line.n = (size_t)(comment - line.p);
    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
        line = chy_span_of(line.p + 1, line.n - 1);
    while (line.n && line.p[line.n - 1] <= ' ')
        line.n--;
    return line;
}

static struct hashes *hashes_for(struct chy_key_list *l, size_t digits)
{
    if (digits == 2 * (size_t)SPKI_LEN) return &l->of_spki;
    return digits == 2 * (size_t)MODULUS_LEN ? &l->of_modulus : NULL;
}

static chy_hresult count_lines(struct chy_key_list *l, struct chy_span text, struct chy_err *err)
{
    for (size_t number = 1; text.n; number++) {
        struct chy_span line = next_line(&text);
        struct hashes *h = hashes_for(l, line.n);
        if (h) {
            h->n++;
        } else if (line.n) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "list of keys, line %zu: 64 hex digits (SHA-256 of the "
                            "SubjectPublicKeyInfo) or 20 (openssl-blacklist) are expected",
                            number);
        }
    }
    return CHY_S_OK;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool read_hex(struct chy_span line, uint8_t *out)
{
    for (size_t i = 0; i < line.n / 2; i++) {
        int high = digit(line.p[2 * i]), low = digit(line.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The counts become positions again. */
static chy_hresult read_lines(struct chy_key_list *l, struct chy_span text, struct chy_err *err)
{
    l->of_spki.n = l->of_modulus.n = 0;
    for (size_t number = 1; text.n; number++) {
        struct chy_span line = next_line(&text);
        struct hashes *h = hashes_for(l, line.n);
        if (!h) continue;
        if (!read_hex(line, h->p + h->n++ * h->len)) {
            return chy_fail(err, CHY_E_INVALIDARG, "list of keys, line %zu: not hexadecimal",
                            number);
        }
    }
    return CHY_S_OK;
}

static bool allocate(struct hashes *h)
{
    if (h->n) h->p = chy_calloc(h->n, h->len);
    return h->p || !h->n;
}

chy_hresult chy_key_list_parse(struct chy_span text, struct chy_key_list **out, struct chy_err *err)
{
    *out = NULL;
    if (text.n > CHY_KEY_LIST_TEXT_MAX) {
        return chy_fail(err, CHY_E_INVALIDARG, "list of keys: %d MiB at most are expected",
                        CHY_KEY_LIST_TEXT_MAX >> 20);
    }
    struct chy_key_list *l = chy_calloc(1, sizeof(*l));
    if (!l) return chy_fail_nomem(err, "list of keys");
    l->of_spki.len = SPKI_LEN;
    l->of_modulus.len = MODULUS_LEN;
    chy_hresult hr = count_lines(l, text, err);
    if (hr == CHY_S_OK && (!allocate(&l->of_spki) || !allocate(&l->of_modulus)))
        hr = chy_fail_nomem(err, "list of keys");
    if (hr == CHY_S_OK) hr = read_lines(l, text, err);
    if (hr != CHY_S_OK) {
        chy_key_list_free(l);
        return hr;
    }
    if (l->of_spki.n) qsort(l->of_spki.p, l->of_spki.n, SPKI_LEN, compare_spki);
    if (l->of_modulus.n) qsort(l->of_modulus.p, l->of_modulus.n, MODULUS_LEN, compare_modulus);
    *out = l;
    return CHY_S_OK;
}

void chy_key_list_free(struct chy_key_list *l)
{
    if (!l) return;
    chy_free(l->of_spki.p);
    chy_free(l->of_modulus.p);
    chy_free(l);
}

size_t chy_key_list_count(const struct chy_key_list *l)
{
    return l ? l->of_spki.n + l->of_modulus.n : 0;
}

static chy_hresult digest(const EVP_MD *md, struct chy_span in, uint8_t *out, struct chy_err *err)
{
    if (EVP_Digest(in.p, in.n, out, NULL, md, NULL) == 1) return CHY_S_OK;
    return chy_fail_nomem(err, "hash of a public key");
}

/* What `openssl rsa -modulus` prints, hashed. */
static chy_hresult hash_modulus(struct chy_span modulus, uint8_t out[SHA1_LEN], struct chy_err *err)
{
    static const char upper[] = "0123456789ABCDEF";
    struct chy_buf text;
    chy_buf_init(&text, 16 + 2 * (CHY_RSA_MAX_BITS / 8));
    chy_buf_add_str(&text, "Modulus=");
    for (size_t i = 0; i < modulus.n; i++) {
        chy_buf_add_byte(&text, (uint8_t)upper[modulus.p[i] >> 4]);
        chy_buf_add_byte(&text, (uint8_t)upper[modulus.p[i] & 15]);
    }
    chy_buf_add_str(&text, "\n");
    chy_hresult hr = text.failed ? chy_fail_nomem(err, "hash of a public key")
                                 : digest(EVP_sha1(), chy_buf_span(&text), out, err);
    chy_buf_free(&text);
    return hr;
}

chy_hresult chy_key_list_find(const struct chy_key_list *l, const struct chy_spki *key,
                              struct chy_err *err)
{
    uint8_t spki[SPKI_LEN], sha1[SHA1_LEN];
    const struct hashes *h = &l->of_spki;
    if (h->n) {
        chy_hresult hr = digest(EVP_sha256(), key->der, spki, err);
        if (hr != CHY_S_OK) return hr;
        if (bsearch(spki, h->p, h->n, SPKI_LEN, compare_spki)) return CHY_S_OK;
    }
    h = &l->of_modulus;
    if (!h->n || !key->rsa_n.n) return CHY_S_FALSE;
    chy_hresult hr = hash_modulus(key->rsa_n, sha1, err);
    if (hr != CHY_S_OK) return hr;
    const uint8_t *low = sha1 + SHA1_LEN - MODULUS_LEN;
    return bsearch(low, h->p, h->n, MODULUS_LEN, compare_modulus) ? CHY_S_OK : CHY_S_FALSE;
}
