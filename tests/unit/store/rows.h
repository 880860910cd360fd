/* Rows, records and a folder for the store's tests. */
#ifndef TEST_STORE_ROWS_H
#define TEST_STORE_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

struct fixture {
    char dir[64];
    struct chy_store *store;
};

static inline void open_store(struct fixture *f)
{
    struct chy_err err = {0};
    if (chy_store_open_sqlite(f->dir, 2048, &f->store, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

static inline void reopen_store(struct fixture *f)
{
    chy_store_close(f->store);
    open_store(f);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f) return -1;
    snprintf(f->dir, sizeof(f->dir), "/tmp/chy-store-XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    open_store(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    chy_store_close(f->store);
    chy_dir_remove(f->dir);
    free(f);
    return 0;
}

/* The serial of a row in these tests: 20 octets that rise with the id. */
struct sample {
    struct chy_row row;
    uint8_t serial[20];
    uint8_t certificate[900];
    uint8_t request[700];
};

static inline void fill(struct sample *s, int32_t id, int32_t disposition)
{
    memset(s, 0, sizeof(*s));
    s->serial[0] = 1;
    for (int i = 0; i < 4; i++)
        s->serial[4 + i] = (uint8_t)((uint32_t)id >> (24 - 8 * i));
    memset(s->certificate, id & 0xff, sizeof(s->certificate));
    memset(s->request, 0x30, sizeof(s->request));
    s->row = (struct chy_row){.id = id,
                              .disposition = disposition,
                              .message = CHY_SPAN_STR("Issued"),
                              .submitted_when = 1700000000000000 + id,
                              .resolved_when = CHY_TIME_DEFAULT,
                              .requester_name = CHY_SPAN_STR("alice"),
                              .caller_name = CHY_SPAN_STR("alice"),
                              .raw_request = CHY_SPAN(s->request),
                              .template_name = CHY_SPAN_STR("server"),
                              .request_subject = CHY_SPAN_STR("CN=host.example"),
                              .common_name = CHY_SPAN_STR("host.example"),
                              .not_before = CHY_TIME_DEFAULT,
                              .not_after = CHY_TIME_DEFAULT,
                              .revoked_when = CHY_TIME_DEFAULT,
                              .revoked_effective_when = CHY_TIME_DEFAULT,
                              .invalidity_when = CHY_TIME_DEFAULT};
    if (disposition == CHY_DB_DISP_PENDING) return;
    s->row.serial = CHY_SPAN(s->serial);
    s->row.subject = CHY_SPAN_STR("CN=host.example");
    s->row.not_before = 1700000000000000 + id;
    s->row.not_after = 1710000000000000 + id;
    if (disposition == CHY_DB_DISP_ISSUED) s->row.raw_certificate = CHY_SPAN(s->certificate);
}

/* The change of a row of fill() that was issued: revoked at `when`, as of then. */
static inline struct chy_revocation revocation_of(const struct chy_row *row, int32_t reason,
                                                  chy_time when)
{
    return (struct chy_revocation){.request_id = row->id,
                                   .serial = row->serial,
                                   .issuer_index = row->issuer_index,
                                   .shard = row->shard,
                                   .disposition = CHY_DB_DISP_REVOKED,
                                   .reason = reason,
                                   .revoked_when = when,
                                   .effective_when = when,
                                   .invalidity_when = CHY_TIME_DEFAULT,
                                   .author = CHY_SPAN_STR("officer"),
                                   .message = CHY_SPAN_STR("Revoked by officer"),
                                   .was_disposition = CHY_DB_DISP_ISSUED};
}

static inline chy_hresult change(struct fixture *f, const struct chy_revocation *r,
                                 struct chy_err *err)
{
    struct chy_write w = {.kind = CHY_WRITE_REVOKE, .revocation = r};
    return chy_store_write_wait(f->store, &w, err);
}

static inline void change_ok(struct fixture *f, const struct chy_revocation *r)
{
    struct chy_err err = {0};
    if (change(f, r, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

static inline chy_hresult put(struct fixture *f, enum chy_write_kind kind,
                              const struct chy_row *row, struct chy_err *err)
{
    struct chy_write w = {.kind = kind, .row = row, .tbs = CHY_SPAN_STR("to be signed")};
    return chy_store_write_wait(f->store, &w, err);
}

static inline void put_ok(struct fixture *f, enum chy_write_kind kind, const struct chy_row *row)
{
    struct chy_err err = {0};
    if (put(f, kind, row, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

#endif
