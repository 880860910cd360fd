/* Names and numbers of reasons. */
#include "enrol/reason.h"

#include <ctype.h>
#include <stdlib.h>

#include "ca/revocation.h"

static const struct {
    int32_t reason;
    const char *name;
} reasons[] = {
    {CHY_CRL_REASON_UNSPECIFIED, "unspecified"},
    {CHY_CRL_REASON_KEY_COMPROMISE, "keyCompromise"},
    {CHY_CRL_REASON_CA_COMPROMISE, "cACompromise"},
    {CHY_CRL_REASON_AFFILIATION_CHANGED, "affiliationChanged"},
    {CHY_CRL_REASON_SUPERSEDED, "superseded"},
    {CHY_CRL_REASON_CESSATION_OF_OPERATION, "cessationOfOperation"},
    {CHY_CRL_REASON_CERTIFICATE_HOLD, "certificateHold"},
    {CHY_CRL_REASON_PRIVILEGE_WITHDRAWN, "privilegeWithdrawn"},
    {CHY_CRL_REASON_AA_COMPROMISE, "aACompromise"},
    {CHY_REVOKE_RELEASE, "release"},
    {CHY_REVOKE_KEEP_EXPIRED, "keepExpired"},
    {CHY_REVOKE_DROP_EXPIRED, "dropExpired"},
};

const char *chy_reason_name(int32_t reason)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(reasons); i++) {
        if (reasons[i].reason == reason) return reasons[i].name;
    }
    return NULL;
}

static bool same(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '-' || *a == '_')
            a++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
    }
}

chy_hresult chy_reason_read(const char *text, int32_t *out, struct chy_err *err)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (end != text && !*end && v >= INT32_MIN && v <= INT32_MAX && chy_reason_name((int32_t)v)) {
        *out = (int32_t)v;
        return CHY_S_OK;
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(reasons); i++) {
        if (!same(text, reasons[i].name)) continue;
        *out = reasons[i].reason;
        return CHY_S_OK;
    }
    return chy_fail(err, CHY_E_INVALIDARG,
                    "reason \"%.32s\": a name of RFC 5280 5.3.1 such as keyCompromise, or its "
                    "number, is expected",
                    text);
}
