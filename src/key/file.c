/* Key files: PKCS#8 PEM (RFC 7468 10), readable by their owner alone, replaced as a whole.
 * Every buffer that held the key is wiped. Thread: any. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "key/internal.h"

enum { MAX_KEY_FILE = 65536 };

chy_hresult chy_key_save(const struct chy_key *key, const char *path, struct chy_err *err)
{
    chy_hresult hr;
    char *pem = NULL;
    long n = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1)
        n = BIO_get_mem_data(bio, &pem);
    if (n > 0)
        hr = chy_file_write(path, chy_span_of(pem, (size_t)n), 0600, err);
    else
        hr =
            chy_fail_openssl(err, CHY_NTE_FAIL, "key file %s: OpenSSL cannot encode the key", path);
    if (pem && n > 0) chy_wipe(pem, (size_t)n);
    BIO_free(bio);
    return hr;
}

/* An open descriptor of a file that nobody but its owner can read, or -1. */
static int open_private(const char *path, size_t *size, struct chy_err *err)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO put in the key's place must not hang the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) {
        chy_fail(err, CHY_E_ACCESSDENIED, "key file %s: must not be a symbolic link", path);
    } else if (fd < 0 || fstat(fd, &st) != 0) {
        chy_fail_errno(err, "key file %s", path);
    } else if (!S_ISREG(st.st_mode)) {
        chy_fail(err, CHY_E_ACCESSDENIED, "key file %s: is not a regular file", path);
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        chy_fail(err, CHY_E_ACCESSDENIED, "key file %s: must belong to us or to root: owner %u",
                 path, (unsigned)st.st_uid);
    } else if (st.st_mode & 077) {
        chy_fail(err, CHY_E_ACCESSDENIED,
                 "key file %s: group and others must have no access (chmod 600): mode %03o", path,
                 (unsigned)st.st_mode & 0777);
    } else if (st.st_size <= 0 || st.st_size > MAX_KEY_FILE) {
        chy_fail(err, CHY_E_INVALIDARG, "key file %s: 1 to %d octets: %lld", path, MAX_KEY_FILE,
                 (long long)st.st_size);
    } else {
        *size = (size_t)st.st_size;
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static bool read_all(int fd, uint8_t *out, size_t n)
{
    size_t at = 0;
    while (at < n) {
        ssize_t got = read(fd, out + at, n - at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += (size_t)got;
    }
    return true;
}

/* Without a callback OpenSSL would ask the terminal for a pass phrase. */
static int no_pass_phrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static chy_hresult decode(const char *path, struct chy_span pem, EVP_PKEY **out,
                          struct chy_err *err)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----";
    static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    EVP_PKEY *key = NULL;
    if (memmem(pem.p, pem.n, locked, sizeof(locked) - 1))
        return chy_fail(err, CHY_E_INVALIDARG,
                        "key file %s: encrypted keys are not supported; store it as plain PKCS#8",
                        path);
    const uint8_t *at = memmem(pem.p, pem.n, begin, sizeof(begin) - 1);
    if (!at)
        return chy_fail(err, CHY_E_INVALIDARG, "key file %s: no PRIVATE KEY block (RFC 7468 10)",
                        path);
    BIO *bio = BIO_new_mem_buf(at, (int)(pem.n - (size_t)(at - pem.p)));
    if (bio) key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_pass_phrase, NULL, NULL, NULL);
    BIO_free(bio);
    if (!key && !ERR_peek_error()) return chy_fail_nomem(err, "key file");
    if (!key)
        return chy_fail_openssl(err, CHY_E_INVALIDARG,
                                "key file %s: not a key that OpenSSL can read", path);
    ERR_clear_error();
    *out = key;
    return CHY_S_OK;
}

/* A public half that is not the private one's would sign what nobody can verify. One signature
 * shows it in milliseconds, where OpenSSL's pairwise check also tests an RSA key's primes (0.4 s
 * for 4096 bits). */
chy_hresult chy_key_try(struct chy_key *key, struct chy_err *err)
{
    const struct chy_span message = CHY_SPAN_STR("pair");
    struct chy_signer *signer = NULL;
    struct chy_buf signature;
    chy_buf_init(&signature, 8192);
    struct chy_verifier *verifier = chy_verifier_new(err);
    const struct chy_sig_alg *alg = chy_key_sig_alg(key, NULL, err);
    chy_hresult hr = verifier && alg ? chy_signer_new(key, alg, &signer, err) : err->code;
    if (signer) hr = chy_signer_sign(signer, message, &signature, err);
    struct chy_err why = {0};
    if (hr == CHY_S_OK) {
        hr = chy_verify(verifier, &key->spki, alg, message, chy_buf_span(&signature), &why);
        if (hr == CHY_NTE_BAD_SIGNATURE)
            hr = chy_fail(err, CHY_E_INVALIDARG,
                          "its private and public halves do not belong together");
        else if (hr != CHY_S_OK)
            chy_fail(err, hr, "%s", why.text);
    }
    chy_signer_free(signer);
    chy_verifier_free(verifier);
    chy_buf_free(&signature);
    return hr;
}

chy_hresult chy_key_load(const char *path, struct chy_key **out, struct chy_err *err)
{
    size_t size = 0;
    EVP_PKEY *pkey = NULL;
    struct chy_key *key = NULL;
    chy_hresult hr = CHY_S_OK;
    struct chy_err local = {0};
    struct chy_err *e = err ? err : &local; /* open_private answers with a descriptor */
    int fd = open_private(path, &size, e);
    if (fd < 0) return e->code;
    uint8_t *pem = chy_malloc(size);
    if (!pem)
        hr = chy_fail_nomem(e, "key file");
    else if (!read_all(fd, pem, size))
        hr = chy_fail(e, CHY_ERROR_IO_DEVICE, "key file %s: cannot be read to its end", path);
    else
        hr = decode(path, chy_span_of(pem, size), &pkey, e);
    if (pem) chy_wipe(pem, size);
    chy_free(pem);
    close(fd);
    if (hr == CHY_S_OK) hr = chy_key_of_pkey(pkey, &key, e);
    if (hr == CHY_S_OK) hr = chy_key_try(key, e);
    if (hr == CHY_S_OK) {
        *out = key;
        return hr;
    }
    chy_key_free(key);
    if (!strstr(e->text, path)) chy_wrap(e, "key file %s", path);
    return hr;
}
