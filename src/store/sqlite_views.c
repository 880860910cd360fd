/* The tables of AD CS as views, for people with a SQL shell and for ICertView: Requests (request
 * and certificate are one row), RequestAttributes and CertificateExtensions. Times are ISO 8601
 * text in UTC.
 *
 * CRLs says what was published; CRLRawCRL is NULL, for the octets are a file.
 *
 * Derived: Request.CommonName and Request.DistinguishedName are what was asked for; SerialNumber is
 * lower-case hexadecimal text; Request.RevokedReason is NULL unless revoked.
 * Always NULL, because not stored apart: EMail, OrgUnit, Organization, Locality, State, Country,
 * which a default view of AD CS shows.
 * No column at all: what AD CS keeps apart of the request and of the certificate (other name
 * attributes, hash, public key, key identifier, template flags), which RawRequest and
 * RawCertificate hold, and what belongs to key archival and attestation.
 *
 * chy_unpack(blob) is the table-valued function that the last two views need; connections of this
 * program have it, a plain shell does not. It reads nothing but its argument, so an untrusted
 * schema may call it. */
#include "store/sqlite_internal.h"

#define AS(value, name) "," value " AS \"" name "\""
#define ISO(column) "strftime('%Y-%m-%dT%H:%M:%SZ'," column "/1000000,'unixepoch')"
#define IF_ISSUED(column) "CASE WHEN raw_certificate IS NOT NULL THEN " column " END"

#define REQUEST_COLUMNS                                                                            \
    AS("raw_request", "Request.RawRequest")                                                        \
    AS("request_attributes", "Request.RequestAttributes")                                          \
    AS("request_type", "Request.RequestType")                                                      \
    AS("request_flags", "Request.RequestFlags")                                                    \
    AS("status", "Request.StatusCode")                                                             \
    AS("disposition", "Request.Disposition")                                                       \
    AS("message", "Request.DispositionMessage")                                                    \
    AS(ISO("submitted_when"), "Request.SubmittedWhen")                                             \
    AS(ISO("resolved_when"), "Request.ResolvedWhen")                                               \
    AS(ISO("revoked_when"), "Request.RevokedWhen")                                                 \
    AS(ISO("revoked_effective_when"), "Request.RevokedEffectiveWhen")                              \
    AS("CASE WHEN revoked_when IS NOT NULL THEN revoked_reason END", "Request.RevokedReason")      \
    AS("requester_name", "Request.RequesterName")                                                  \
    AS("caller_name", "Request.CallerName")                                                        \
    AS("request_subject", "Request.DistinguishedName")                                             \
    AS("CASE WHEN raw_certificate IS NULL THEN common_name END", "Request.CommonName")

#define CERTIFICATE_COLUMNS                                                                        \
    AS(IF_ISSUED("id"), "RequestID")                                                               \
    AS("raw_certificate", "RawCertificate")                                                        \
    AS("template_name", "CertificateTemplate")                                                     \
    AS("lower(hex(serial))", "SerialNumber")                                                       \
    AS("issuer_index", "IssuerNameId")                                                             \
    AS(ISO("not_before"), "NotBefore")                                                             \
    AS(ISO("not_after"), "NotAfter")                                                               \
    AS("subject", "DistinguishedName")                                                             \
    AS(IF_ISSUED("common_name"), "CommonName")                                                     \
    AS("NULL", "EMail")                                                                            \
    AS("NULL", "OrgUnit")                                                                          \
    AS("NULL", "Organization")                                                                     \
    AS("NULL", "Locality")                                                                         \
    AS("NULL", "State")                                                                            \
    AS("NULL", "Country")

const char *const chy_sql_views[] = {
    "CREATE VIEW RequestAttributes AS SELECT r.id AS AttributeRequestId,"
    " u.name AS AttributeName, CAST(u.value AS TEXT) AS AttributeValue"
    " FROM request r, chy_unpack(r.attributes) u",
    "CREATE VIEW CertificateExtensions AS SELECT r.id AS ExtensionRequestId,"
    " u.name AS ExtensionName, u.flags AS ExtensionFlags, u.value AS ExtensionRawValue"
    " FROM request r, chy_unpack(r.extensions) u",
    NULL};

#define CRL_COLUMNS                                                                                \
    AS("c.number", "CRLNumber")                                                                    \
    AS("c.base_number", "CRLMinBase")                                                              \
    AS("c.key_index << 16", "CRLNameId")                                                           \
    AS("c.entries", "CRLCount")                                                                    \
    AS(ISO("c.this_update"), "CRLThisUpdate")                                                      \
    AS(ISO("c.next_update"), "CRLNextUpdate")                                                      \
    AS(ISO("c.this_publish"), "CRLThisPublish")                                                    \
    AS(ISO("c.next_publish"), "CRLNextPublish")                                                    \
    AS(ISO("b.this_update"), "CRLEffective")                                                       \
    AS(ISO("c.propagated"), "CRLPropagationComplete")                                              \
    AS(ISO("c.last_publish"), "CRLLastPublish")                                                    \
    AS("c.attempts", "CRLPublishAttempts")                                                         \
    AS("c.flags", "CRLPublishFlags")                                                               \
    AS("c.status", "CRLPublishStatusCode")                                                         \
    AS("c.error", "CRLPublishError")                                                               \
    AS("NULL", "CRLRawCRL")                                                                        \
    AS("c.shard", "CRLPartitionIndex")

const char *const chy_sql_views_crl[] = {
    "DROP VIEW IF EXISTS Requests", /* a database of the step before has it with less in it */
    "CREATE VIEW Requests AS SELECT id AS \"Request.RequestID\"" REQUEST_COLUMNS AS(
        "shard", "Request.CRLPartitionIndex")
        CERTIFICATE_COLUMNS AS(IF_ISSUED("crl_flags & 1"),
                               "PublishExpiredCertInCRL") " FROM request",
    "CREATE VIEW CRLs AS SELECT c.rank AS CRLRowId" CRL_COLUMNS
    " FROM crl c LEFT JOIN crl b ON c.is_delta AND NOT b.is_delta AND b.number=c.base_number"
    " AND b.key_index=c.key_index AND b.shard=c.shard",
    NULL};

enum { FLAGS, NAME, VALUE, PACKED };

struct cursor {
    sqlite3_vtab_cursor base;
    struct chy_buf packed;
    size_t pos;
    sqlite3_int64 rowid;
    bool is_end;
    uint32_t flags;
    struct chy_span name, value;
};

static int vt_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
                      char **error)
{
    (void)aux, (void)argc, (void)argv, (void)error;
    int rc = sqlite3_declare_vtab(
        db, "CREATE TABLE x(flags INTEGER, name TEXT, value BLOB, packed BLOB HIDDEN)");
    if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    if (rc != SQLITE_OK) return rc;
    *out = chy_calloc(1, sizeof(**out));
    return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static int vt_disconnect(sqlite3_vtab *t)
{
    chy_free(t);
    return SQLITE_OK;
}

static int vt_best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
    (void)t;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != PACKED ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ || !info->aConstraint[i].usable)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->estimatedCost = 10;
        info->estimatedRows = 10;
        return SQLITE_OK;
    }
    return SQLITE_CONSTRAINT;
}

static int vt_open(sqlite3_vtab *t, sqlite3_vtab_cursor **out)
{
    (void)t;
    struct cursor *c = chy_calloc(1, sizeof(*c));
    if (!c) return SQLITE_NOMEM;
    chy_buf_init(&c->packed, 64u << 20);
    *out = &c->base;
    return SQLITE_OK;
}

static int vt_close(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    chy_buf_free(&c->packed);
    chy_free(c);
    return SQLITE_OK;
}

static int vt_next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    c->rowid++;
    c->is_end = !chy_pack_next(chy_buf_span(&c->packed), &c->pos, &c->flags, &c->name, &c->value);
    return SQLITE_OK;
}

static int vt_filter(sqlite3_vtab_cursor *base, int index, const char *index_text, int argc,
                     sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    (void)index, (void)index_text;
    chy_buf_reset(&c->packed);
    c->pos = 0;
    c->rowid = 0;
    if (argc == 1 && sqlite3_value_type(argv[0]) == SQLITE_BLOB) {
        const void *p = sqlite3_value_blob(argv[0]);
        size_t n = (size_t)sqlite3_value_bytes(argv[0]);
        if (n) chy_buf_add(&c->packed, p, n);
        if (c->packed.failed) return SQLITE_NOMEM;
    }
    return vt_next(base);
}

static int vt_eof(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->is_end;
}

static int vt_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int column)
{
    const struct cursor *c = (const struct cursor *)base;
    if (column == FLAGS)
        sqlite3_result_int64(out, c->flags);
    else if (column == NAME)
        sqlite3_result_text64(out, (const char *)c->name.p, c->name.n, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    else if (column == VALUE)
        sqlite3_result_blob64(out, c->value.p, c->value.n, SQLITE_TRANSIENT);
    return SQLITE_OK;
}

static int vt_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((struct cursor *)base)->rowid;
    return SQLITE_OK;
}

static const sqlite3_module unpack_module = {
    .xConnect = vt_connect,
    .xBestIndex = vt_best_index,
    .xDisconnect = vt_disconnect,
    .xOpen = vt_open,
    .xClose = vt_close,
    .xFilter = vt_filter,
    .xNext = vt_next,
    .xEof = vt_eof,
    .xColumn = vt_column,
    .xRowid = vt_rowid,
};

int chy_unpack_register(sqlite3 *db)
{
    return sqlite3_create_module(db, "chy_unpack", &unpack_module, NULL);
}
