/* Publication addresses as AD CS writes them: "FLAGS:TEMPLATE", with tokens by number (%1 … %14) or
 * by name (<CaName>). Thread: any. */
#ifndef CHY_CA_URLS_H
#define CHY_CA_URLS_H

#include "ca/authority.h"

enum { CHY_CA_MAX_URLS = 8 };

enum { /* of CRLPublicationURLs */
       CHY_CRL_URL_PUBLISH = 0x01,
       CHY_CRL_URL_CDP = 0x02,
       CHY_CRL_URL_FRESHEST = 0x04,
       CHY_CRL_URL_LOCATIONS = 0x08,
       CHY_CRL_URL_RETRY = 0x10,
       CHY_CRL_URL_PUBLISH_DELTA = 0x40,
       CHY_CRL_URL_IDP = 0x80,
       /* of CACertPublicationURLs */
       CHY_CA_URL_PUBLISH = 0x01,
       CHY_CA_URL_AIA = 0x02,
       CHY_CA_URL_OCSP = 0x20
};

struct chy_url {
    uint32_t flags;
    char *text; /* template */
};
struct chy_url_list {
    struct chy_url url[CHY_CA_MAX_URLS];
    size_t n;
};

struct chy_url_place { /* what the tokens stand for */
    const char *host, *sanitized, *short_name, *config_dn, *domain_dn;
    int32_t cert_index, key_index, shard;
    bool is_delta;
};

/* An address without flags is one that stands in certificates (0x02). Flags that cannot be kept are
 * refused: only files are written to by the CA itself. */
CHY_MUST_USE chy_hresult chy_url_add(struct chy_url_list *list, const char *text,
                                     const char *setting, struct chy_err *err);
void chy_url_list_free(struct chy_url_list *list);
/* Inside a URL what a token stands for is percent-encoded (RFC 3986 2.1); in a path it is not. */
void chy_url_expand(const char *text, const struct chy_url_place *place, struct chy_buf *out);
bool chy_url_has_shard(const char *text);
/* A local path, or "file:" and a path: where it begins; NULL: some other kind of address. */
const char *chy_url_path(const char *text);
/* All addresses with one of the flags, expanded one behind another into text; url[] points into it.
 * Returns how many. */
size_t chy_url_select(const struct chy_url_list *list, uint32_t flags,
                      const struct chy_url_place *place, struct chy_buf *text,
                      const char *url[CHY_CA_MAX_URLS]);

#endif
