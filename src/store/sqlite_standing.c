/* What a CRL needs of one certificate, packed into the one column that its scan reads: a column
 * costs as much as a step of the index.
 *
 * Shard, issuer, length of the serial and serial come first and are big-endian, so that a scope is
 * one stretch of the index. Behind them lies the rest at fixed places. The row's own columns stay
 * the truth: who changes such a row by hand sets this one to NULL, and it is packed anew at the
 * next start. Thread: any. */
#include <string.h>

#include "store/sqlite_internal.h"

enum { ID, DISPOSITION = 4, REASON = 8, CRL_FLAGS = 12, REVOKED = 16, EFFECTIVE = 24 };
enum { INVALIDITY = 32, NOT_AFTER = 40, REST = 48 };
enum { ISSUER = 4, SERIAL_N = 8, HEAD = 9, SERIAL_MAX = 255 };
_Static_assert(HEAD + SERIAL_MAX + REST == CHY_STANDING_MAX, "what the longest serial takes");

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)(v >> 32));
    put32(p + 4, (uint32_t)v);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t get64(const uint8_t *p)
{
    return (int64_t)((uint64_t)get32(p) << 32 | get32(p + 4));
}

bool chy_standing_parse(struct chy_span packed, struct chy_revoked *out)
{
    const uint8_t *p = packed.p;
    if (packed.n < HEAD + REST || packed.n != (size_t)HEAD + p[SERIAL_N] + REST) return false;
    out->shard = (int32_t)get32(p);
    out->issuer_index = (int32_t)get32(p + ISSUER);
    out->serial = chy_span_of(p + HEAD, p[SERIAL_N]);
    p += HEAD + p[SERIAL_N];
    out->request_id = (int32_t)get32(p + ID);
    out->disposition = (int32_t)get32(p + DISPOSITION);
    out->reason = (int32_t)get32(p + REASON);
    out->crl_flags = (int32_t)get32(p + CRL_FLAGS);
    out->revoked_when = get64(p + REVOKED);
    out->effective_when = get64(p + EFFECTIVE);
    out->invalidity_when = get64(p + INVALIDITY);
    out->not_after = get64(p + NOT_AFTER);
    return true;
}

size_t chy_standing_before(uint32_t shard, uint32_t issuer_index, uint8_t *key)
{
    put32(key, shard);
    put32(key + ISSUER, issuer_index);
    return SERIAL_N;
}

/* No rest is all ones: an id is positive. */
size_t chy_standing_behind(const struct chy_revoked *r, uint8_t *key)
{
    (void)chy_standing_before((uint32_t)r->shard, (uint32_t)r->issuer_index, key);
    key[SERIAL_N] = (uint8_t)r->serial.n;
    if (r->serial.n) memcpy(key + HEAD, r->serial.p, r->serial.n);
    memset(key + HEAD + r->serial.n, 0xff, REST);
    return HEAD + r->serial.n + REST;
}

static void put_number(uint8_t *p, sqlite3_value *v)
{
    put32(p, (uint32_t)sqlite3_value_int(v));
}

static void put_time(uint8_t *p, sqlite3_value *v)
{
    bool is_absent = sqlite3_value_type(v) == SQLITE_NULL;
    put64(p, (uint64_t)(is_absent ? CHY_TIME_DEFAULT : sqlite3_value_int64(v)));
}

/* chy_standing(shard, issuer_index, serial, id, disposition, reason, crl_flags, revoked_when,
 * effective_when, invalidity_when, not_after): NULL for what was never revoked. */
static void pack(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    enum { A_SERIAL = 2, A_ID, A_DISPOSITION, A_REASON, A_CRL_FLAGS };
    enum { A_REVOKED = 7, A_EFFECTIVE, A_INVALIDITY, A_NOT_AFTER };
    uint8_t out[CHY_STANDING_MAX];
    (void)argc;
    if (sqlite3_value_type(argv[A_REVOKED]) == SQLITE_NULL) return;
    const void *serial = sqlite3_value_blob(argv[A_SERIAL]);
    size_t n = (size_t)sqlite3_value_bytes(argv[A_SERIAL]);
    if (n > SERIAL_MAX) {
        sqlite3_result_error(ctx, "a serial has more than 255 octets", -1);
        sqlite3_result_error_code(ctx, SQLITE_MISMATCH);
        return;
    }
    put_number(out, argv[0]);
    put_number(out + ISSUER, argv[1]);
    out[SERIAL_N] = (uint8_t)n;
    if (n) memcpy(out + HEAD, serial, n);
    uint8_t *rest = out + HEAD + n;
    put_number(rest + ID, argv[A_ID]);
    put_number(rest + DISPOSITION, argv[A_DISPOSITION]);
    put_number(rest + REASON, argv[A_REASON]);
    put_number(rest + CRL_FLAGS, argv[A_CRL_FLAGS]);
    put_time(rest + REVOKED, argv[A_REVOKED]);
    put_time(rest + EFFECTIVE, argv[A_EFFECTIVE]);
    put_time(rest + INVALIDITY, argv[A_INVALIDITY]);
    put_time(rest + NOT_AFTER, argv[A_NOT_AFTER]);
    sqlite3_result_blob(ctx, out, (int)(HEAD + n + REST), SQLITE_TRANSIENT);
}

int chy_standing_register(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "chy_standing", 11,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                      pack, NULL, NULL, NULL);
}
