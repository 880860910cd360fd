/* The tables of AD CS as views, for people with a SQL shell and for ICertView: Requests (request
 * and certificate are one row), RequestAttributes and CertificateExtensions. Times are ISO 8601
 * text in UTC.
 *
 * Derived: Request.CommonName and Request.DistinguishedName are what was asked for; SerialNumber is
 * lower-case hexadecimal text; Request.RevokedReason is NULL unless revoked. Not stored and
 * therefore NULL: Request.RawArchivedKey, Request.KeyRecoveryHashes, Request.RawOldCertificate,
 * Request.SignerPolicies, Request.SignerApplicationPolicies, Request.Officer, Request.RawName, the
 * single name attributes but CommonName, CertificateHash, EnrollmentFlags, GeneralFlags,
 * PrivateKeyFlags, SubjectKeyIdentifier, the RawPublicKey group, PublishExpiredCertInCRL, UPN and
 * RawName: they are read from RawRequest and RawCertificate. Only those that certutil shows by
 * default are columns here.
 *
 * chy_unpack(blob) is the table-valued function that the last two views need; connections of this
 * program have it, a plain shell does not. It reads nothing but its argument, so an untrusted
 * schema may call it. */
#include <string.h>

#include "store/sqlite_internal.h"

#define ISO(column) "strftime('%Y-%m-%dT%H:%M:%SZ'," column "/1000000,'unixepoch')"

const char *const chy_sql_views[] = {
    "CREATE VIEW Requests AS SELECT"
    " id AS \"Request.RequestID\", raw_request AS \"Request.RawRequest\","
    " request_attributes AS \"Request.RequestAttributes\", request_type AS \"Request.RequestType\","
    " request_flags AS \"Request.RequestFlags\", status AS \"Request.StatusCode\","
    " disposition AS \"Request.Disposition\", message AS \"Request.DispositionMessage\"," ISO("subm"
                                                                                              "itte"
                                                                                              "d_"
                                                                                              "whe"
                                                                                              "n") " AS \"Request.SubmittedWhen\"," ISO("resolved_when") " AS \"Request.ResolvedWhen\"," ISO(
        "revoked_when") " AS \"Request.RevokedWhen\"," ISO("revoked_effective_when") " AS "
                                                                                     "\"Request."
                                                                                     "RevokedEffect"
                                                                                     "iveWhen\","
                                                                                     " CASE WHEN "
                                                                                     "revoked_when "
                                                                                     "IS NOT NULL "
                                                                                     "THEN "
                                                                                     "revoked_"
                                                                                     "reason END "
                                                                                     "AS "
                                                                                     "\"Request."
                                                                                     "RevokedReason"
                                                                                     "\","
                                                                                     " requester_"
                                                                                     "name AS "
                                                                                     "\"Request."
                                                                                     "RequesterName"
                                                                                     "\", "
                                                                                     "caller_name "
                                                                                     "AS "
                                                                                     "\"Request."
                                                                                     "CallerName\","
                                                                                     " request_"
                                                                                     "subject AS "
                                                                                     "\"Request."
                                                                                     "Distinguished"
                                                                                     "Name\","
                                                                                     " CASE WHEN "
                                                                                     "raw_"
                                                                                     "certificate "
                                                                                     "IS NULL THEN "
                                                                                     "common_name "
                                                                                     "END AS "
                                                                                     "\"Request."
                                                                                     "CommonName\","
                                                                                     " CASE WHEN "
                                                                                     "raw_"
                                                                                     "certificate "
                                                                                     "IS NOT NULL "
                                                                                     "THEN id END "
                                                                                     "AS RequestID,"
                                                                                     " raw_"
                                                                                     "certificate "
                                                                                     "AS "
                                                                                     "RawCertificat"
                                                                                     "e, "
                                                                                     "template_"
                                                                                     "name AS "
                                                                                     "CertificateTe"
                                                                                     "mplate,"
                                                                                     " lower(hex("
                                                                                     "serial)) AS "
                                                                                     "SerialNumber,"
                                                                                     " issuer_"
                                                                                     "index AS "
                                                                                     "IssuerNameId"
                                                                                     "," ISO("not_"
                                                                                             "befor"
                                                                                             "e") " AS NotBefore," ISO(
                                                                                         "not_"
                                                                                         "after") " AS NotAfter, subject AS DistinguishedName,"
                                                                                                  " CASE WHEN raw_certificate IS NOT NULL THEN common_name END AS CommonName,"
                                                                                                  " NULL AS EMail, NULL AS OrgUnit, NULL AS Organization, NULL AS Locality, NULL AS State,"
                                                                                                  " NULL AS Country FROM request",
    "CREATE VIEW RequestAttributes AS SELECT r.id AS AttributeRequestId,"
    " u.name AS AttributeName, CAST(u.value AS TEXT) AS AttributeValue"
    " FROM request r, chy_unpack(r.attributes) u",
    "CREATE VIEW CertificateExtensions AS SELECT r.id AS ExtensionRequestId,"
    " u.name AS ExtensionName, u.flags AS ExtensionFlags, u.value AS ExtensionRawValue"
    " FROM request r, chy_unpack(r.extensions) u",
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
