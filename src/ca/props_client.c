/* CA properties as clients ask for them, by number: ICertRequest2::GetCAProperty. */
#include <string.h>

#include "ca/publisher.h"

static chy_hresult text(chy_variant *out, const char *s)
{
    if (!s || !*s) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_str(out, s, strlen(s));
}

static chy_hresult module_description(struct chy_instance *i, chy_variant *out)
{
    struct chy_buf b;
    chy_buf_init(&b, 4096);
    chy_hresult hr = i ? chy_instance_description(i, &b, NULL) : CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (hr == CHY_S_OK) hr = chy_variant_set_str(out, b.p, b.n);
    chy_buf_free(&b);
    return hr;
}

/* What the index of a property counts. */
enum indexing { NONE, EXITS, CERTS, CERT_AND_SHARD };
static const struct client_prop {
    chy_long id, type;
    enum indexing indexing;
} client_props[] = {
    {CHY_CR_PROP_FILEVERSION, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_PRODUCTVERSION, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_EXITCOUNT, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_EXITDESCRIPTION, CHY_PROPTYPE_STRING, EXITS},
    {CHY_CR_PROP_POLICYDESCRIPTION, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_CANAME, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_SANITIZEDCANAME, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_SHAREDFOLDER, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_PARENTCA, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_CATYPE, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_CASIGCERTCOUNT, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_CASIGCERT, CHY_PROPTYPE_BINARY, CERTS},
    {CHY_CR_PROP_BASECRL, CHY_PROPTYPE_BINARY, CERTS},
    {CHY_CR_PROP_DELTACRL, CHY_PROPTYPE_BINARY, CERTS},
    {CHY_CR_PROP_CACERTSTATE, CHY_PROPTYPE_LONG, CERTS},
    {CHY_CR_PROP_CRLSTATE, CHY_PROPTYPE_LONG, CERTS},
    {CHY_CR_PROP_CAPROPIDMAX, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_DNSNAME, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_ROLESEPARATIONENABLED, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_KRACERTUSEDCOUNT, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_KRACERTCOUNT, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_ADVANCEDSERVER, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_BASECRLPUBLISHSTATUS, CHY_PROPTYPE_LONG, CERTS},
    {CHY_CR_PROP_DELTACRLPUBLISHSTATUS, CHY_PROPTYPE_LONG, CERTS},
    {CHY_CR_PROP_CACERTVERSION, CHY_PROPTYPE_LONG, CERTS},
    {CHY_CR_PROP_SANITIZEDCASHORTNAME, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_CERTCDPURLS, CHY_PROPTYPE_STRING, CERTS},
    {CHY_CR_PROP_CERTAIAURLS, CHY_PROPTYPE_STRING, CERTS},
    {CHY_CR_PROP_CERTAIAOCSPURLS, CHY_PROPTYPE_STRING, CERTS},
    {CHY_CR_PROP_LOCALENAME, CHY_PROPTYPE_STRING, NONE},
    {CHY_CR_PROP_CRLPARTITIONCOUNT, CHY_PROPTYPE_LONG, NONE},
    {CHY_CR_PROP_PARTITIONED_BASECRL, CHY_PROPTYPE_BINARY, CERT_AND_SHARD},
    {CHY_CR_PROP_PARTITIONED_DELTACRL, CHY_PROPTYPE_BINARY, CERT_AND_SHARD},
    {CHY_CR_PROP_PARTITIONED_BASECRLPUBLISHSTATUS, CHY_PROPTYPE_LONG, CERT_AND_SHARD},
    {CHY_CR_PROP_PARTITIONED_DELTACRLPUBLISHSTATUS, CHY_PROPTYPE_LONG, CERT_AND_SHARD},
};

struct asked {
    struct chy_ca *ca;
    chy_long id, index;
    const struct chy_authority *authority;
    int32_t shard;
};

static chy_hresult url_property(const struct asked *a, chy_variant *out)
{
    struct chy_settings *s = chy_settings_get(a->ca);
    struct chy_url_place place;
    struct chy_buf text_buf, lines;
    const char *url[CHY_CA_MAX_URLS];
    chy_buf_init(&text_buf, 65536);
    chy_buf_init(&lines, 65536);
    chy_settings_place(a->ca, s, a->authority, &place);
    const struct chy_url_list *list = a->id == CHY_CR_PROP_CERTCDPURLS   ? &s->crl_urls
                                      : a->id == CHY_CR_PROP_CERTAIAURLS ? &s->aia_urls
                                                                         : &s->ocsp_urls;
    size_t n = chy_url_select(list, CHY_CRL_URL_CDP, &place, &text_buf, url);
    for (size_t i = 0; i < n; i++)
        chy_buf_addf(&lines, "%s%s", i ? "\n" : "", url[i]);
    chy_hresult hr = lines.failed
                         ? CHY_E_OUTOFMEMORY
                         : chy_variant_set_str(out, lines.p ? (const char *)lines.p : "", lines.n);
    chy_buf_free(&text_buf);
    chy_buf_free(&lines);
    chy_settings_unref(s);
    return hr;
}

static chy_hresult publish_status(const struct asked *a, bool is_delta, chy_variant *out)
{
    chy_long flags = 0;
    bool found = chy_crl_flags(a->ca, a->authority->key_index, a->shard, is_delta, &flags);
    return found ? chy_variant_set_long(out, flags) : CHY_ERROR_FILE_NOT_FOUND;
}

static chy_hresult partition_count(struct chy_ca *ca, chy_variant *out)
{
    struct chy_settings *s = chy_settings_get(ca);
    int32_t last = chy_crl_shards(ca, s, chy_ca_current(ca)->key_index);
    chy_settings_unref(s);
    return chy_variant_set_long(out, last);
}

static chy_hresult number_property(const struct asked *a, chy_variant *out)
{
    struct chy_ca *ca = a->ca;
    switch (a->id) {
    case CHY_CR_PROP_EXITCOUNT: return chy_variant_set_long(out, (chy_long)ca->n_exits);
    case CHY_CR_PROP_CATYPE: return chy_variant_set_long(out, chy_props_ca_type(ca));
    case CHY_CR_PROP_CASIGCERTCOUNT:
        return chy_variant_set_long(out, (chy_long)chy_ca_cert_count(ca));
    case CHY_CR_PROP_CACERTSTATE:
        return chy_variant_set_long(out, chy_props_cert_state(ca, a->authority));
    case CHY_CR_PROP_CRLSTATE:
        return chy_variant_set_long(out, chy_props_crl_state(ca, a->authority));
    case CHY_CR_PROP_CACERTVERSION:
        return chy_variant_set_long(out, chy_issuer_index(a->authority));
    case CHY_CR_PROP_BASECRLPUBLISHSTATUS:
    case CHY_CR_PROP_PARTITIONED_BASECRLPUBLISHSTATUS: return publish_status(a, false, out);
    case CHY_CR_PROP_DELTACRLPUBLISHSTATUS:
    case CHY_CR_PROP_PARTITIONED_DELTACRLPUBLISHSTATUS: return publish_status(a, true, out);
    case CHY_CR_PROP_CRLPARTITIONCOUNT: return partition_count(ca, out);
    case CHY_CR_PROP_CAPROPIDMAX:
        return chy_variant_set_long(out, CHY_CR_PROP_PARTITIONED_DELTACRLPUBLISHSTATUS);
    case CHY_CR_PROP_ADVANCEDSERVER: return chy_variant_set_long(out, 1);
    default: return chy_variant_set_long(out, 0); /* role separation, key recovery: not in use */
    }
}

static chy_hresult binary_property(const struct asked *a, chy_variant *out)
{
    bool is_delta = a->id == CHY_CR_PROP_DELTACRL || a->id == CHY_CR_PROP_PARTITIONED_DELTACRL;
    if (a->id == CHY_CR_PROP_CASIGCERT)
        return chy_variant_set_bytes(out, a->authority->cert_der.p, a->authority->cert_der.n);
    return chy_props_crl(a->ca, a->authority->key_index, a->shard, is_delta, out);
}

static chy_hresult text_property(const struct asked *a, chy_variant *out)
{
    struct chy_ca *ca = a->ca;
    switch (a->id) {
    case CHY_CR_PROP_FILEVERSION:
    case CHY_CR_PROP_PRODUCTVERSION: return text(out, CHY_VERSION);
    case CHY_CR_PROP_EXITDESCRIPTION:
        return a->index < (chy_long)ca->n_exits
                   ? module_description(ca->exits[a->index].instance, out)
                   : CHY_E_INVALIDARG;
    case CHY_CR_PROP_POLICYDESCRIPTION: return module_description(ca->policy, out);
    case CHY_CR_PROP_CANAME: return text(out, ca->name);
    case CHY_CR_PROP_SANITIZEDCANAME: return text(out, ca->sanitized);
    case CHY_CR_PROP_SANITIZEDCASHORTNAME: return text(out, ca->short_name);
    case CHY_CR_PROP_DNSNAME: return text(out, ca->host);
    case CHY_CR_PROP_LOCALENAME: return text(out, "en-US");
    case CHY_CR_PROP_CERTCDPURLS:
    case CHY_CR_PROP_CERTAIAURLS:
    case CHY_CR_PROP_CERTAIAOCSPURLS: return url_property(a, out);
    default: return chy_variant_set_str(out, "", 0); /* no shared folder; a root has no parent */
    }
}

/* -1 means the newest certificate. False: there is no such index. */
static bool take_index(const struct client_prop *p, struct asked *a)
{
    a->authority = chy_ca_current(a->ca);
    switch (p->indexing) {
    case NONE: return a->index == 0 || a->index == -1;
    case EXITS:
        if (a->index == -1) a->index = 0;
        return a->index >= 0;
    case CERTS:
        if (a->index != -1) a->authority = chy_ca_authority(a->ca, a->index);
        return a->index >= -1 && a->index <= 0xffff && a->authority;
    case CERT_AND_SHARD:
        if (a->index == -1) return false;
        a->shard = (int32_t)((uint32_t)a->index >> 16);
        a->authority = chy_ca_authority(a->ca, a->index);
        return a->authority != NULL;
    }
    return false;
}

chy_hresult chy_ca_property(struct chy_ca *ca, chy_long id, chy_long index, chy_long type,
                            chy_variant *out, struct chy_err *err)
{
    struct asked a = {.ca = ca, .id = id, .index = index};
    const struct client_prop *p = NULL;
    for (size_t i = 0; i < CHY_ARRAY_LEN(client_props) && !p; i++) {
        if (client_props[i].id == id) p = &client_props[i];
    }
    if (!p)
        return chy_fail(err, CHY_E_INVALIDARG, "CA property %d: there is none of that number here",
                        id);
    if ((type & CHY_PROPTYPE_MASK) != p->type) {
        return chy_fail(err, CHY_E_INVALIDARG, "CA property %d: its type is %d, not %d", id,
                        p->type, type);
    }
    if (!take_index(p, &a))
        return chy_fail(err, CHY_E_INVALIDARG, "CA property %d: no index %d", id, index);
    chy_hresult hr = p->type == CHY_PROPTYPE_LONG     ? number_property(&a, out)
                     : p->type == CHY_PROPTYPE_BINARY ? binary_property(&a, out)
                                                      : text_property(&a, out);
    return hr == CHY_S_OK ? hr : chy_fail(err, hr, "CA property %d has no value", id);
}
