/* The error value: set once at the root, wrapped with context on the way up. */
#include "base/err.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Client text may sit inside an error's arguments: control characters never reach a log or a
 * terminal, and what is no UTF-8 (a character cut by a precision, too) would spoil the whole text
 * as JSON. */
static void printable_only(char *s)
{
    size_t n = strlen(s), back = 0;
    while (back < n && back < 3 && ((unsigned char)s[n - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < n) { /* a text that was cut inside a character loses that character */
        unsigned char lead = (unsigned char)s[n - 1 - back];
        size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        if (back < want) s[n - 1 - back] = 0;
    }
    for (n = strlen(s); n;) {
        size_t shown = chy_utf8_printable(chy_span_of(s, n));
        if (!shown) *s = '?';
        s += shown ? shown : 1;
        n -= shown ? shown : 1;
    }
}

chy_hresult chy_fail(struct chy_err *err, chy_hresult code, const char *fmt, ...)
{
    if (!err || err->code != CHY_S_OK) return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    printable_only(err->text);
    err->code = code;
    return code;
}

chy_hresult chy_wrap(struct chy_err *err, const char *fmt, ...)
{
    if (!err) return CHY_E_FAIL;
    char context[sizeof(err->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    size_t n = strlen(context), old = strlen(err->text);
    if (n + 2 + old >= sizeof(err->text))
        return err->code; /* the cause is worth more than the context */
    memmove(err->text + n + 2, err->text, old + 1);
    memcpy(err->text, context, n);
    memcpy(err->text + n, ": ", 2);
    printable_only(err->text);
    return err->code;
}

static chy_hresult code_of_errno(int e)
{
    switch (e) {
    case ENOMEM: return CHY_E_OUTOFMEMORY;
    case ENOENT: return CHY_ERROR_FILE_NOT_FOUND;
    case EACCES:
    case EPERM: return CHY_E_ACCESSDENIED;
    case ENOSPC:
    case EDQUOT: return CHY_ERROR_DISK_FULL;
    case EEXIST: return CHY_ERROR_ALREADY_EXISTS;
    case ETIMEDOUT: return CHY_ERROR_TIMEOUT;
    case EINVAL: return CHY_E_INVALIDARG;
    default: return CHY_ERROR_IO_DEVICE;
    }
}

chy_hresult chy_fail_errno(struct chy_err *err, const char *fmt, ...)
{
    int e = errno;
    chy_hresult code = code_of_errno(e);
    if (!err || err->code != CHY_S_OK) return code;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->text)) {
        char reason[96];
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s",
                 strerror_r(e, reason, sizeof(reason)));
    }
    printable_only(err->text);
    err->code = code;
    return code;
}

/* A provider's digest that got no context says that it could not be initialised, and has no other
 * reason to say so. */
static bool is_want_of_memory(unsigned long e)
{
    return ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE ||
           (ERR_GET_LIB(e) == ERR_LIB_EVP && ERR_GET_REASON(e) == EVP_R_INITIALIZATION_ERROR);
}

chy_hresult chy_fail_openssl(struct chy_err *err, chy_hresult code, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    const unsigned long first = ERR_peek_error();
    const char *why = ERR_reason_error_string(first);
    bool starved = false;
    unsigned long e;
    va_list ap;
    while ((e = ERR_get_error()) != 0)
        starved = starved || is_want_of_memory(e);
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (starved || (!first && code == CHY_E_OUTOFMEMORY)) return chy_fail_nomem(err, text);
    if (!first) return chy_fail(err, code, "%s", text);
    if (code == CHY_E_OUTOFMEMORY) code = CHY_NTE_FAIL;
    return why ? chy_fail(err, code, "%s (OpenSSL: %s)", text, why)
               : chy_fail(err, code, "%s (OpenSSL: error 0x%lx)", text, first);
}

chy_hresult chy_fail_nomem(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_E_OUTOFMEMORY, "%s: not enough memory", what);
}

void chy_err_clear(struct chy_err *err)
{
    err->code = CHY_S_OK;
    err->text[0] = 0;
}
