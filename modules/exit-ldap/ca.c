/* What a CA's own entry holds: its certificates and the cross certificates (RFC 4523 2.3, 2.4). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_ldap.h"
#include "kit/crls.h"

enum { CERTS_MAX = 65536, FILE_MAX = 65536 };

static bool keep_cert(const struct publisher *p, struct der value, const void *arg)
{
    const struct cert_facts *own = arg;
    struct cert_facts f;
    if (!p->s->remove_expired || !cert_read(value, &f)) return true;
    return !der_same(f.subject, own->subject) || strcmp(f.not_after, p->now) >= 0;
}

/* X.509 11.2.3: CertificatePair is of explicit tags, [0] issuedToThisCA and [1] issuedByThisCA. */
static bool keep_pair(const struct publisher *p, struct der value, const void *arg)
{
    struct der pair, tagged;
    struct cert_facts f;
    uint8_t tag;
    (void)arg;
    if (!p->s->remove_expired || !der_next(&value, &tag, &pair) || tag != 0x30) return true;
    while (pair.n) {
        if (!der_next(&pair, &tag, &tagged) || !cert_read(tagged, &f)) return true;
        if (strcmp(f.not_after, p->now) >= 0) return true;
    }
    return false;
}

static chy_hresult name_of_ca(const struct publisher *p, struct kit_text *dn)
{
    char why[200];
    struct source from = {.task = p->task, .s = p->s};
    chy_hresult hr = template_fill(&from, p->s->ca_dn, ESCAPE_DN, dn, why);
    if (hr == CHY_S_OK) return hr;
    say(p, CHY_LOG_ERROR, "CADN %.400s: %s: 0x%08x", p->s->ca_dn, why, (unsigned)hr);
    return CHY_FAILED(hr) ? hr : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static size_t put_head(uint8_t *out, uint8_t tag, size_t n)
{
    out[0] = tag;
    out[1] = 0x83;
    out[2] = (uint8_t)(n >> 16);
    out[3] = (uint8_t)(n >> 8);
    out[4] = (uint8_t)n;
    if (n > 0xffff) return 5;
    size_t octets = n > 0xff ? 2 : 1;
    if (n > 0x7f) out[1] = (uint8_t)(0x80 | octets);
    memmove(out + (n > 0x7f ? 2 : 1), out + 5 - octets, octets);
    return n > 0x7f ? 2 + octets : 2;
}

static bool make_pair(struct der cert, bool to_this_ca, struct kit_text *out)
{
    uint8_t inner[5], outer[5];
    if (cert.n > FILE_MAX) return false;
    size_t n_inner = put_head(inner, to_this_ca ? 0xa0 : 0xa1, cert.n);
    size_t n_outer = put_head(outer, 0x30, cert.n + n_inner);
    kit_add(out, outer, n_outer);
    kit_add(out, inner, n_inner);
    kit_add(out, cert.p, cert.n);
    return !out->failed;
}

chy_hresult publish_pair(const struct publisher *p, struct der cert, bool to_this_ca)
{
    struct kit_text dn = {0}, pair = {0};
    chy_hresult hr = name_of_ca(p, &dn);
    if (hr == CHY_S_OK && !make_pair(cert, to_this_ca, &pair)) hr = CHY_E_OUTOFMEMORY;
    if (hr == CHY_S_OK)
        hr = entry_apply(p, &(struct change){.dn = dn.p,
                                             .attribute = "crossCertificatePair;binary",
                                             .classes = &p->s->ca_class,
                                             .add = {(uint8_t *)pair.p, pair.n},
                                             .keep = keep_pair,
                                             .whole = true}); /* it has no matching rule */
    kit_text_free(&dn);
    kit_text_free(&pair);
    return hr;
}

static chy_hresult publish_one(const struct publisher *p, const char *dn, struct der cert,
                               struct cert_facts *own)
{
    chy_hresult hr = CHY_S_OK;
    if (!cert_read(cert, own)) {
        say(p, CHY_LOG_ERROR, "RawCACertificate is no certificate (RFC 5280 4.1)");
        return CHY_ERROR_INVALID_DATA;
    }
    if (strcmp(own->not_after, p->now) < 0) return CHY_S_OK;
    if (p->s->publish & PUBLISH_CA)
        hr = entry_apply(p, &(struct change){.dn = dn,
                                             .attribute = "cACertificate;binary",
                                             .classes = &p->s->ca_class,
                                             .add = cert,
                                             .keep = keep_cert,
                                             .arg = own});
    if (CHY_FAILED(hr) || !(p->s->publish & PUBLISH_CROSS) || der_same(own->issuer, own->subject))
        return hr;
    return publish_pair(p, cert, true);
}

/* ---- cross certificates that were made elsewhere ---- */

static size_t read_file(const char *path, uint8_t *out, size_t size)
{
    struct stat st;
    size_t n = 0;
    ssize_t k = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        while (n < size && (k = read(fd, out + n, size - n)) > 0)
            n += (size_t)k;
    close(fd);
    return k < 0 || n == size ? 0 : n;
}

static chy_hresult publish_file(const struct publisher *p, const char *path,
                                const struct cert_facts *own)
{
    struct cert_facts f;
    uint8_t *p_file = malloc(FILE_MAX);
    struct der cert = {p_file, p_file ? read_file(path, p_file, FILE_MAX) : 0};
    chy_hresult hr = CHY_S_OK;
    const char *rule = NULL;
    if (!cert_read(cert, &f))
        rule = "is no certificate in DER that can be read";
    else if (der_same(f.issuer, own->subject) == der_same(f.subject, own->subject))
        rule = "is a certificate neither to nor by this CA alone";
    if (rule) {
        say(p, CHY_LOG_ERROR, "CrossCertFiles: %.400s %s", path, rule);
        hr = CHY_ERROR_INVALID_DATA;
    } else if (strcmp(f.not_after, p->now) >= 0) {
        hr = publish_pair(p, cert, der_same(f.subject, own->subject));
    }
    free(p_file);
    return hr;
}

static chy_hresult publish_index(const struct publisher *p, const char *dn, chy_long index,
                                 struct cert_facts *own, chy_variant *v)
{
    char name[32];
    snprintf(name, sizeof name, "RawCACertificate.%d", (int)index);
    chy_hresult hr = kit_ca_property(&p->task->exit, name, CHY_PROPTYPE_BINARY, v);
    if (hr == CHY_S_OK && v->vt == CHY_VT_BYTES)
        return publish_one(p, dn, (struct der){v->u.b.p, v->u.b.n}, own);
    say(p, CHY_LOG_ERROR, "%s: 0x%08x: it is not published", name, (unsigned)hr);
    return CHY_FAILED(hr) ? hr : CHY_E_UNEXPECTED;
}

chy_hresult publish_ca(const struct publisher *p)
{
    chy_long certs = 0;
    struct kit_text dn = {0};
    if (!(p->s->publish & (PUBLISH_CA | PUBLISH_CROSS))) return CHY_S_OK;
    chy_hresult first = name_of_ca(p, &dn);
    if (first == CHY_S_OK) first = kit_ca_long(p->task->host, &p->task->exit, "CertCount", &certs);
    if (first == CHY_S_FALSE) first = CHY_S_OK;
    if (certs < 0 || certs > CERTS_MAX) first = CHY_E_UNEXPECTED;
    for (chy_long i = 0; i < certs && !CHY_FAILED(first); i++) {
        struct cert_facts own;
        chy_variant v = {.vt = CHY_VT_EMPTY};
        first = publish_index(p, dn.p, i, &own, &v);
        bool last = i + 1 == certs && (p->s->publish & PUBLISH_CROSS);
        for (size_t k = 0; last && k < p->s->cross_files.n && !CHY_FAILED(first); k++)
            first = publish_file(p, p->s->cross_files.v[k], &own);
        p->task->host->vt->variant_clear(&v);
    }
    kit_text_free(&dn);
    return first;
}
