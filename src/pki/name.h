/* X.501 names: strict reading, text forms, building from the AD CS name properties.
 * RFC 5280 4.1.2.4/4.1.2.6, RFC 4514. Thread: any. */
#ifndef CHY_PKI_NAME_H
#define CHY_PKI_NAME_H

#include "pki/der.h"

enum { CHY_NAME_MAX_ATTRS = 64 };

struct chy_name_attr {
    struct chy_span oid;   /* content octets */
    uint8_t tag;           /* string type as found */
    struct chy_span value; /* content octets as found */
    unsigned rdn;          /* index of its RDN: equal for members of a multi-valued one */
};

struct chy_name {
    struct chy_span der; /* the whole SEQUENCE */
    struct chy_name_attr attr[CHY_NAME_MAX_ATTRS];
    size_t n;
};

/* Refuses empty RDNs, empty values, non-string values, characters that the string type forbids,
 * NUL inside, duplicates inside one RDN. Lengths (X.520 bounds) are policy: chy_name_check_lengths.
 */
CHY_MUST_USE chy_hresult chy_name_parse(struct chy_span der, struct chy_name *out,
                                        struct chy_err *err);
/* X.520 upper bounds (CN 64, C 2, …); AD CS: EnforceX500NameLengths. */
CHY_MUST_USE chy_hresult chy_name_check_lengths(const struct chy_name *name, struct chy_err *err);
/* UTF-8 of an attribute value whatever its string type. */
bool chy_name_value_utf8(const struct chy_name_attr *attr, struct chy_buf *out);
/* RFC 4514, in reading order of X.509 text tools ("CN=a,O=b": most specific first as RFC 4514
 * says). */
void chy_name_to_text(const struct chy_name *name, struct chy_buf *out);
/* RFC 4514 text or the OpenSSL form "/C=DE/CN=x" to DER; "+" joins the members of one RDN, "#"
 * leads in a value's DER in hexadecimal. Structural: nothing but names and values. */
CHY_MUST_USE chy_hresult chy_name_from_text(const char *text, struct chy_buf *out,
                                            struct chy_err *err);

/* The 16 AD CS name properties, in one table: property, aliases, OID, upper bound. */
struct chy_name_prop {
    const char *name;           /* "CommonName" */
    const char *const *aliases; /* NULL-ended: "CN" */
    const char *oid_text;
    struct chy_span oid; /* content octets */
    size_t max_chars;
    uint8_t tag; /* string type to write: UTF8, PRINTABLE (C, serial) or IA5 (DC, E) */
};
enum { CHY_NAME_PROPS = 16 };
extern const struct chy_name_prop chy_name_props[CHY_NAME_PROPS];
/* By property name, alias or dotted OID, without case; with or without "Subject." before a main
 * name; -1. */
int chy_name_prop_find(const char *name);
int chy_name_prop_by_oid(struct chy_span oid);

/* Writer: RDNSequence of single-valued RDNs in the order of the calls. */
size_t chy_name_open(struct chy_buf *out);
/* PrintableString or IA5String where the table says so, else UTF8String; value is UTF-8, length
 * checked by the caller. */
void chy_name_add(struct chy_buf *out, struct chy_span oid, uint8_t tag, struct chy_span utf8);
void chy_name_close(struct chy_buf *out, size_t mark);
/* One AttributeTypeAndValue inside an RDN that the caller has opened, as it is. */
void chy_name_add_member(struct chy_buf *out, struct chy_span oid, uint8_t tag,
                         struct chy_span value);
/* The string type that chy_name_add writes: tag, or UTF8String where that cannot hold the value. */
uint8_t chy_name_tag_for(uint8_t tag, struct chy_span utf8);

#endif
