/* Lint: OCSP responses, the ResponseData about to be signed (RFC 6960 4.2.1). */
#include "pki/lint_status_int.h"

#include "base/text.h"

enum { SHA1_OCTETS = 20, SHA256_OCTETS = 32, NONCE_MAX = 32 };

struct answer {
    struct chy_lint_report *out;
    chy_time produced;
};

static bool check_time(const struct answer *a, const char *what, const struct chy_tlv *t,
                       chy_time *out)
{
    if (t->tag == CHY_DER_GENERALIZED_TIME && chy_lint_time(t, out)) return true;
    chy_lint_note(a->out, CHY_LR_OR_TIME, "%s: '%.*s'", what, CHY_LINT_SHOW(t->value));
    return false;
}

static bool is_time(uint8_t tag)
{
    return tag == CHY_DER_UTC_TIME || tag == CHY_DER_GENERALIZED_TIME;
}

/* ResponderID ::= CHOICE { byName [1] Name, byKey [2] OCTET STRING } */
static bool check_responder(const struct answer *a, struct chy_der *d)
{
    struct chy_tlv t, inner;
    if (!chy_der_read(d, &t)) return false;
    struct chy_der content = chy_der_of(t.value);
    if (!chy_der_read(&content, &inner) || !chy_der_empty(&content)) return false;
    bool name = t.tag == CHY_DER_CTX_C(1) && inner.tag == CHY_DER_SEQUENCE;
    bool key = t.tag == CHY_DER_CTX_C(2) && inner.tag == CHY_DER_OCTET_STRING;
    if (!name && !key) return false;
    if (name ? inner.value.n == 0 : inner.value.n != SHA1_OCTETS)
        chy_lint_note(a->out, CHY_LR_OR_RESPONDER, "%s of %zu octets", name ? "a name" : "a hash",
                      inner.value.n);
    return true;
}

static void check_cert_id(const struct answer *a, struct chy_der id)
{
    static const struct chy_span sha1 = CHY_LINT_OID("\x2b\x0e\x03\x02\x1a");
    static const struct chy_span sha256 = CHY_LINT_OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01");
    struct chy_der alg;
    struct chy_span oid, name, key, serial;
    if (!chy_der_enter(&id, CHY_DER_SEQUENCE, &alg) || !chy_der_expect(&alg, CHY_DER_OID, &oid) ||
        !chy_der_expect(&id, CHY_DER_OCTET_STRING, &name) ||
        !chy_der_expect(&id, CHY_DER_OCTET_STRING, &key) ||
        !chy_der_expect(&id, CHY_DER_INTEGER, &serial) || !chy_der_empty(&id)) {
        chy_lint_note(a->out, CHY_LR_OR_CERT_ID,
                      "a field is missing, misplaced or of another type");
        return;
    }
    /* It repeats the client's, whose algorithm may be one that nobody here knows. */
    size_t n = chy_span_eq(oid, sha1) ? SHA1_OCTETS : chy_span_eq(oid, sha256) ? SHA256_OCTETS : 0;
    if (n && (name.n != n || key.n != n))
        chy_lint_note(a->out, CHY_LR_OR_CERT_ID, "hashes of %zu and %zu octets", name.n, key.n);
}

static void check_reason(const struct answer *a, struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    const unsigned reasons = 0x67e; /* 1 to 6, 9, 10 */
    if (!chy_der_expect(&d, CHY_DER_ENUMERATED, &v) || !chy_der_empty(&d) || v.n != 1 ||
        v.p[0] > CHY_CRL_REASON_AA_COMPROMISE || !(reasons >> v.p[0] & 1))
        chy_lint_note(a->out, CHY_LR_OR_REASON, "a value of %zu octets", value.n);
}

/* RevokedInfo ::= SEQUENCE { revocationTime, [0] EXPLICIT CRLReason OPTIONAL } */
static bool check_revoked(const struct answer *a, struct chy_der d)
{
    struct chy_tlv t;
    struct chy_span reason;
    bool reasoned;
    chy_time revoked;
    if (!chy_der_read(&d, &t) || !is_time(t.tag) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &reason, &reasoned) || !chy_der_empty(&d))
        return false;
    if (check_time(a, "revocationTime", &t, &revoked) && revoked > a->produced)
        chy_lint_note(a->out, CHY_LR_OR_REVOKED, "%lld s later",
                      (long long)((revoked - a->produced) / CHY_US_PER_S));
    if (reasoned) check_reason(a, reason);
    return true;
}

static void check_status(const struct answer *a, const struct chy_tlv *t)
{
    bool none = (t->tag == CHY_DER_CTX(0) || t->tag == CHY_DER_CTX(2)) && t->value.n == 0;
    if (none || (t->tag == CHY_DER_CTX_C(1) && check_revoked(a, chy_der_of(t->value)))) return;
    chy_lint_note(a->out, CHY_LR_OR_STATUS, "tag %02x, %zu octets", t->tag, t->value.n);
}

static bool check_updates(const struct answer *a, struct chy_der *d)
{
    struct chy_tlv this_update, next_update;
    struct chy_span next;
    bool has_next;
    chy_time from, to;
    if (!chy_der_read(d, &this_update) || !is_time(this_update.tag) ||
        !chy_der_skip_optional(d, CHY_DER_CTX_C(0), &next, &has_next))
        return false;
    bool ok = check_time(a, "thisUpdate", &this_update, &from);
    if (ok && from > a->produced)
        chy_lint_note(a->out, CHY_LR_OR_THIS, "%lld s later",
                      (long long)((from - a->produced) / CHY_US_PER_S));
    if (!has_next) return true;
    struct chy_der inner = chy_der_of(next);
    if (!chy_der_read(&inner, &next_update) || !chy_der_empty(&inner) || !is_time(next_update.tag))
        return false;
    if (check_time(a, "nextUpdate", &next_update, &to) && ok && to <= from)
        chy_lint_note(a->out, CHY_LR_OR_NEXT, "%lld s earlier",
                      (long long)((from - to) / CHY_US_PER_S));
    return true;
}

static void check_nonce(const struct answer *a, struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span nonce;
    if (!chy_der_expect(&d, CHY_DER_OCTET_STRING, &nonce) || !chy_der_empty(&d) || nonce.n == 0 ||
        nonce.n > NONCE_MAX)
        chy_lint_note(a->out, CHY_LR_OR_NONCE, "a value of %zu octets", value.n);
}

static void check_cutoff(const struct answer *a, struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_tlv t;
    chy_time cutoff;
    if (!chy_der_read(&d, &t) || !chy_der_empty(&d) || t.tag != CHY_DER_GENERALIZED_TIME ||
        !chy_lint_time(&t, &cutoff) || cutoff > a->produced)
        chy_lint_note(a->out, CHY_LR_OR_CUTOFF, "a value of %zu octets", value.n);
}

/* [1] EXPLICIT Extensions, of one response (nonce false) or of all. */
static bool check_extensions(const struct answer *a, struct chy_span explicit_tag, bool of_all)
{
    struct chy_ext ext[CHY_LINT_STATUS_EXT_MAX];
    struct chy_der d = chy_der_of(explicit_tag), list;
    size_t n = CHY_LINT_STATUS_EXT_MAX;
    if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&d) || chy_der_empty(&list) ||
        !chy_lint_status_exts(a->out, CHY_LR_OR_EXT_TWICE, list, ext, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool nonce = of_all && chy_span_eq(ext[i].oid, chy_oid_ocsp_nonce);
        bool cutoff = !of_all && chy_span_eq(ext[i].oid, chy_oid_ocsp_archive_cutoff);
        if (nonce) check_nonce(a, ext[i].value);
        if (cutoff) check_cutoff(a, ext[i].value);
        if (ext[i].critical && !nonce && !cutoff)
            chy_lint_note(a->out, CHY_LR_OR_EXT_CRITICAL, "extension %zu", i + 1);
    }
    return true;
}

/* SingleResponse ::= SEQUENCE { certID, certStatus, thisUpdate, nextUpdate [0], extensions [1] } */
static bool check_single(const struct answer *a, struct chy_der d)
{
    struct chy_der id;
    struct chy_tlv status;
    struct chy_span ext;
    bool extended;
    if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &id) || !chy_der_read(&d, &status)) return false;
    check_cert_id(a, id);
    check_status(a, &status);
    return check_updates(a, &d) && chy_der_skip_optional(&d, CHY_DER_CTX_C(1), &ext, &extended) &&
           chy_der_empty(&d) && (!extended || check_extensions(a, ext, false));
}

static bool check_singles(const struct answer *a, struct chy_der *d)
{
    struct chy_der list, single;
    if (!chy_der_enter(d, CHY_DER_SEQUENCE, &list)) return false;
    if (chy_der_empty(&list)) chy_lint_note(a->out, CHY_LR_OR_EMPTY, "the list is empty");
    while (!chy_der_empty(&list)) {
        if (!chy_der_enter(&list, CHY_DER_SEQUENCE, &single) || !check_single(a, single))
            return false;
    }
    return true;
}

static bool check_data(struct answer *a, struct chy_span tbs, chy_time now)
{
    struct chy_der outer = chy_der_of(tbs), d;
    struct chy_span version, ext;
    struct chy_tlv produced;
    bool versioned, extended;
    if (!chy_der_strict(tbs) || !chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) ||
        !chy_der_skip_optional(&d, CHY_DER_CTX_C(0), &version, &versioned))
        return false;
    if (versioned) chy_lint_note(a->out, CHY_LR_OR_VERSION, "it is written out");
    if (!check_responder(a, &d) || !chy_der_read(&d, &produced) || !is_time(produced.tag))
        return false;
    a->produced = now;
    if (check_time(a, "producedAt", &produced, &a->produced) && a->produced > now)
        chy_lint_note(a->out, CHY_LR_OR_PRODUCED, "%lld s ahead",
                      (long long)((a->produced - now) / CHY_US_PER_S));
    return check_singles(a, &d) && chy_der_skip_optional(&d, CHY_DER_CTX_C(1), &ext, &extended) &&
           chy_der_empty(&d) && (!extended || check_extensions(a, ext, true));
}

void chy_lint_ocsp(struct chy_span tbs, chy_time now, struct chy_lint_report *out)
{
    struct answer a = {.out = out};
    chy_lint_clear(out);
    if (!check_data(&a, tbs, now))
        chy_lint_note(out, CHY_LR_OR_STRUCTURE, "a field is missing, misplaced or of another type");
}
