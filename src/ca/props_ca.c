/* CA properties as modules read them at context 0, by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ca/packed.h"
#include "ca/publisher.h"

static chy_hresult text(chy_variant *out, const char *s)
{
    if (!s || !*s) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_str(out, s, strlen(s));
}

static bool is_self_signed(const struct chy_authority *a)
{
    return chy_span_eq(a->cert.issuer.der, a->cert.subject.der);
}

chy_long chy_props_ca_type(const struct chy_ca *ca)
{
    return is_self_signed(chy_ca_current(ca)) ? CHY_ENUM_STANDALONE_ROOTCA
                                              : CHY_ENUM_STANDALONE_SUBCA;
}

chy_long chy_props_cert_state(const struct chy_ca *ca, const struct chy_authority *a)
{
    return chy_now(ca->clock) > a->cert.not_after ? CHY_CA_DISP_INVALID : CHY_CA_DISP_VALID;
}

/* The CRL of a key belongs to the certificate with which the key came; it is kept while any
 * certificate of that key holds. */
chy_long chy_props_crl_state(struct chy_ca *ca, const struct chy_authority *a)
{
    if (a->key_index != a->index) return CHY_CA_DISP_ERROR;
    struct chy_settings *s = chy_settings_get(ca);
    bool alive = chy_crl_signer_of(ca, s, a->key_index, chy_now(ca->clock)) != NULL;
    chy_settings_unref(s);
    return alive ? CHY_CA_DISP_VALID : CHY_CA_DISP_INVALID;
}

chy_hresult chy_props_crl(struct chy_ca *ca, int32_t key_index, int32_t shard, bool is_delta,
                          chy_variant *out)
{
    enum { CRL_MAX = 512 << 20 }; /* as the column of AD CS has it */
    struct chy_crl_info info;
    struct chy_err err = {0};
    int fd = -1;
    chy_hresult hr = chy_ca_crl_open(ca, key_index, shard, is_delta, &fd, &info, &err);
    if (hr != CHY_S_OK) return hr;
    if (info.record.flags & CHY_CPF_SHADOW) hr = CHY_ERROR_FILE_NOT_FOUND;
    if (hr == CHY_S_OK && info.record.size > CRL_MAX) hr = CHY_CRYPT_E_ASN1_LARGE;
    size_t n = hr == CHY_S_OK ? (size_t)info.record.size : 0, got = 0;
    uint8_t *whole = n ? chy_malloc(n) : NULL;
    if (hr == CHY_S_OK && !whole) hr = CHY_E_OUTOFMEMORY;
    while (hr == CHY_S_OK && got < n) {
        ssize_t k = pread(fd, whole + got, n - got, (off_t)got);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) hr = CHY_ERROR_IO_DEVICE;
        if (k > 0) got += (size_t)k;
    }
    close(fd);
    if (hr == CHY_S_OK) hr = chy_variant_set_bytes(out, whole, n);
    chy_free(whole);
    return hr;
}

/* What is told of a CRL that may be too large to be read for it. */
static chy_hresult crl_record(struct chy_ca *ca, int32_t key_index, int32_t shard, bool is_delta,
                              struct chy_crl_record *out)
{
    struct chy_crl_info info;
    struct chy_err err = {0};
    int fd = -1;
    chy_hresult hr = chy_ca_crl_open(ca, key_index, shard, is_delta, &fd, &info, &err);
    if (hr != CHY_S_OK) return hr;
    close(fd);
    *out = info.record;
    return info.record.flags & CHY_CPF_SHADOW ? CHY_ERROR_FILE_NOT_FOUND : CHY_S_OK;
}

struct asked {
    struct chy_ca *ca;
    struct chy_request *request;
    const char *location;
    const struct chy_authority *authority; /* of the index, or the newest */
    int32_t shard;
};

static chy_hresult suffix(chy_variant *out, int32_t index)
{
    char text[16] = "";
    if (index) snprintf(text, sizeof(text), "(%d)", index);
    return chy_variant_set_str(out, text, strlen(text));
}

static chy_hresult p_type(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, chy_props_ca_type(a->ca));
}
static chy_hresult p_count(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, (chy_long)chy_ca_cert_count(a->ca));
}
static chy_hresult p_zero(const struct asked *a, chy_variant *out)
{
    (void)a;
    return chy_variant_set_long(out, 0);
}
static chy_hresult p_no_deltas(const struct asked *a, chy_variant *out)
{
    struct chy_settings *s = chy_settings_get(a->ca);
    bool off = s->crl.delta_period.n == 0;
    chy_settings_unref(s);
    return chy_variant_set_long(out, off);
}
static chy_hresult p_shards(const struct asked *a, chy_variant *out)
{
    struct chy_settings *s = chy_settings_get(a->ca);
    int32_t last = chy_crl_shards(a->ca, s, a->authority->key_index);
    chy_settings_unref(s);
    return chy_variant_set_long(out, last);
}
static chy_hresult p_state(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, chy_props_cert_state(a->ca, a->authority));
}
static chy_hresult p_crl_state(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, chy_props_crl_state(a->ca, a->authority));
}
static chy_hresult p_cert_suffix(const struct asked *a, chy_variant *out)
{
    return suffix(out, a->authority->index);
}
static chy_hresult p_crl_suffix(const struct asked *a, chy_variant *out)
{
    return suffix(out, a->authority->key_index);
}
static chy_hresult p_crl_index(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_long(out, a->authority->key_index);
}
static chy_hresult p_cert(const struct asked *a, chy_variant *out)
{
    return chy_variant_set_bytes(out, a->authority->cert_der.p, a->authority->cert_der.n);
}
static chy_hresult p_chain(const struct asked *a, chy_variant *out)
{
    struct chy_span pem = chy_ca_chain_pem(a->ca);
    return chy_variant_set_str(out, pem.p, pem.n);
}
static chy_hresult p_crl(const struct asked *a, chy_variant *out)
{
    return chy_props_crl(a->ca, a->authority->key_index, a->shard, false, out);
}
static chy_hresult p_delta_crl(const struct asked *a, chy_variant *out)
{
    return chy_props_crl(a->ca, a->authority->key_index, a->shard, true, out);
}
static chy_hresult crl_number(const struct asked *a, bool is_delta, chy_variant *out)
{
    struct chy_crl_record r;
    char number[24];
    chy_hresult hr = crl_record(a->ca, a->authority->key_index, a->shard, is_delta, &r);
    if (hr != CHY_S_OK) return hr;
    snprintf(number, sizeof(number), "%llu", (unsigned long long)r.number);
    return text(out, number);
}
static chy_hresult crl_time(const struct asked *a, bool is_delta, bool next, chy_variant *out)
{
    struct chy_crl_record r;
    chy_hresult hr = crl_record(a->ca, a->authority->key_index, a->shard, is_delta, &r);
    if (hr != CHY_S_OK) return hr;
    return chy_variant_set_time(out, next ? r.next_update : r.this_update);
}
static chy_hresult crl_size(const struct asked *a, bool is_delta, chy_variant *out)
{
    struct chy_crl_record r;
    chy_hresult hr = crl_record(a->ca, a->authority->key_index, a->shard, is_delta, &r);
    if (hr != CHY_S_OK) return hr;
    return r.size > INT32_MAX ? CHY_CRYPT_E_ASN1_LARGE
                              : chy_variant_set_long(out, (chy_long)r.size);
}
static chy_hresult p_crl_number(const struct asked *a, chy_variant *out)
{
    return crl_number(a, false, out);
}
static chy_hresult p_delta_number(const struct asked *a, chy_variant *out)
{
    return crl_number(a, true, out);
}
static chy_hresult p_crl_this(const struct asked *a, chy_variant *out)
{
    return crl_time(a, false, false, out);
}
static chy_hresult p_delta_this(const struct asked *a, chy_variant *out)
{
    return crl_time(a, true, false, out);
}
static chy_hresult p_crl_next(const struct asked *a, chy_variant *out)
{
    return crl_time(a, false, true, out);
}
static chy_hresult p_delta_next(const struct asked *a, chy_variant *out)
{
    return crl_time(a, true, true, out);
}
static chy_hresult p_crl_size(const struct asked *a, chy_variant *out)
{
    return crl_size(a, false, out);
}
static chy_hresult p_delta_size(const struct asked *a, chy_variant *out)
{
    return crl_size(a, true, out);
}
static chy_hresult p_host(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->host);
}
static chy_hresult p_location(const struct asked *a, chy_variant *out)
{
    return text(out, a->location);
}
static chy_hresult p_sanitized(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->sanitized);
}
static chy_hresult p_short(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->short_name);
}
static chy_hresult p_folder(const struct asked *a, chy_variant *out)
{
    return text(out, a->ca->dir);
}
static chy_hresult p_access(const struct asked *a, chy_variant *out)
{
    if (!a->request) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_long(out, (a->request->caller_access & CHY_CA_ACCESS_ENROLL) != 0);
}

/* How a name may go on: not at all, with the index of a certificate, with that and a shard. */
enum suffixes { PLAIN, INDEXED, SHARDED };
static const struct {
    const char *name;
    chy_long type;
    enum suffixes suffixes;
    chy_hresult (*get)(const struct asked *a, chy_variant *out);
} ca_props[] = {
    {"CACertificateChain", CHY_PROPTYPE_STRING, PLAIN, p_chain},
    {"CAType", CHY_PROPTYPE_LONG, PLAIN, p_type},
    {"CertCount", CHY_PROPTYPE_LONG, PLAIN, p_count},
    {"CertState", CHY_PROPTYPE_LONG, INDEXED, p_state},
    {"CertSuffix", CHY_PROPTYPE_STRING, INDEXED, p_cert_suffix},
    {"CRLIndex", CHY_PROPTYPE_LONG, INDEXED, p_crl_index},
    {"CRLShards", CHY_PROPTYPE_LONG, INDEXED, p_shards},
    {"CRLState", CHY_PROPTYPE_LONG, INDEXED, p_crl_state},
    {"CRLSuffix", CHY_PROPTYPE_STRING, INDEXED, p_crl_suffix},
    {"CRLNumber", CHY_PROPTYPE_STRING, SHARDED, p_crl_number},
    {"CRLThisUpdate", CHY_PROPTYPE_DATE, SHARDED, p_crl_this},
    {"CRLNextUpdate", CHY_PROPTYPE_DATE, SHARDED, p_crl_next},
    {"CRLSize", CHY_PROPTYPE_LONG, SHARDED, p_crl_size},
    {"DeltaCRLNumber", CHY_PROPTYPE_STRING, SHARDED, p_delta_number},
    {"DeltaCRLThisUpdate", CHY_PROPTYPE_DATE, SHARDED, p_delta_this},
    {"DeltaCRLNextUpdate", CHY_PROPTYPE_DATE, SHARDED, p_delta_next},
    {"DeltaCRLSize", CHY_PROPTYPE_LONG, SHARDED, p_delta_size},
    {"RawCACertificate", CHY_PROPTYPE_BINARY, INDEXED, p_cert},
    {"RawCRL", CHY_PROPTYPE_BINARY, SHARDED, p_crl},
    {"RawDeltaCRL", CHY_PROPTYPE_BINARY, SHARDED, p_delta_crl},
    {"fUseDS", CHY_PROPTYPE_LONG, PLAIN, p_zero},
    {"fDeltaCRLsDisabled", CHY_PROPTYPE_LONG, PLAIN, p_no_deltas},
    {"fServerUpgraded", CHY_PROPTYPE_LONG, PLAIN, p_zero},
    {"VolatileMode", CHY_PROPTYPE_LONG, PLAIN, p_zero},
    {"MachineDNSName", CHY_PROPTYPE_STRING, PLAIN, p_host},
    {"ModuleRegistryLocation", CHY_PROPTYPE_STRING, PLAIN, p_location},
    {"RequesterCAAccess", CHY_PROPTYPE_LONG, PLAIN, p_access},
    {"SanitizedCAName", CHY_PROPTYPE_STRING, PLAIN, p_sanitized},
    {"SanitizedShortName", CHY_PROPTYPE_STRING, PLAIN, p_short},
    {"ConfigurationDirectory", CHY_PROPTYPE_STRING, PLAIN, p_folder},
};

/* ".7" at *p; false: something else is there. */
static bool read_index(const char **p, int32_t *out)
{
    if (**p != '.' || (*p)[1] < '0' || (*p)[1] > '9') return false;
    char *end;
    long v = strtol(*p + 1, &end, 10);
    if (v > 65535) return false;
    *out = (int32_t)v;
    *p = end;
    return true;
}

enum match { NO_MATCH, MATCH, BAD_INDEX };

/* "RawCRL", "RawCRL.0", "RawCRL.0.3" */
static enum match match_name(const char *known, enum suffixes suffixes, const char *name,
                             int32_t *index, int32_t *shard)
{
    size_t n = strlen(known);
    if ((known[0] ^ name[0]) & 0x5f || strncasecmp(known, name, n) != 0) return NO_MATCH;
    const char *rest = name + n;
    if (!*rest) return MATCH;
    if (suffixes == PLAIN || *rest != '.') return NO_MATCH;
    if (!read_index(&rest, index)) return BAD_INDEX;
    if (*rest && (suffixes != SHARDED || !read_index(&rest, shard))) return BAD_INDEX;
    return *rest ? BAD_INDEX : MATCH;
}

/* What a module is being told at context 0. */
static chy_hresult event_property(struct chy_ca *ca, const char *location, const char *name,
                                  chy_long type, chy_variant *out)
{
    struct chy_exit_slot *slot = chy_exit_of_location(ca, location);
    if (!slot) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    pthread_mutex_lock(&slot->lock);
    struct chy_told now = slot->now;
    pthread_mutex_unlock(&slot->lock);
    return chy_event_property(ca, &now, name, type, out);
}

bool chy_props_ca_known(const char *name)
{
    if (strncasecmp(name, "Event", 5) == 0)
        return true; /* of what a call without a request tells */
    for (size_t i = 0; i < CHY_ARRAY_LEN(ca_props); i++) {
        int32_t index, shard;
        if (match_name(ca_props[i].name, ca_props[i].suffixes, name, &index, &shard) != NO_MATCH)
            return true;
    }
    return false;
}

chy_hresult chy_props_ca(struct chy_ca *ca, struct chy_request *r, const char *location,
                         const char *name, chy_long type, chy_variant *out)
{
    struct asked a = {.ca = ca, .request = r, .location = location};
    if (strncasecmp(name, "Event", 5) == 0) return event_property(ca, location, name, type, out);
    for (size_t i = 0; i < CHY_ARRAY_LEN(ca_props); i++) {
        int32_t index = -1;
        enum match m = match_name(ca_props[i].name, ca_props[i].suffixes, name, &index, &a.shard);
        if (m == NO_MATCH) continue;
        a.authority = index < 0 ? chy_ca_current(ca) : chy_ca_authority(ca, index);
        if (m == BAD_INDEX || !a.authority) return CHY_CERTSRV_E_PROPERTY_EMPTY;
        if ((type & CHY_PROPTYPE_MASK) != ca_props[i].type) return CHY_E_INVALIDARG;
        return ca_props[i].get(&a, out);
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}
