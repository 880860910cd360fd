/* The intents that lie in the file. They are few, and gone in a moment: to know them costs less
 * than an index of their serials would, which every commit writes. Thread: the writer's. */
#include "store/sqlite_internal.h"

struct chy_open_intent {
    uint64_t tail;
    int32_t id;
};

/* The octets of a serial that are random. */
static uint64_t tail_of(struct chy_span serial)
{
    uint64_t tail = 0;
    size_t n = serial.n < sizeof(tail) ? serial.n : sizeof(tail);
    for (const uint8_t *p = serial.p + serial.n - n; n; n--)
        tail = tail << 8 | *p++;
    return tail;
}

bool chy_open_intents_may_have(const struct chy_open_intents *o, int32_t id, struct chy_span serial)
{
    uint64_t tail = tail_of(serial);
    for (size_t i = 0; i < o->n; i++) {
        if (o->at[i].tail == tail && o->at[i].id != id) return true;
    }
    return false;
}

bool chy_open_intents_add(struct chy_open_intents *o, int32_t id, struct chy_span serial)
{
    if (o->n == o->cap) {
        size_t cap = o->cap ? 2 * o->cap : 128;
        struct chy_open_intent *at = chy_realloc(o->at, cap * sizeof(*at));
        if (!at) return false;
        o->at = at;
        o->cap = cap;
    }
    o->at[o->n++] = (struct chy_open_intent){tail_of(serial), id};
    return true;
}

void chy_open_intents_remove(struct chy_open_intents *o, int32_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->n; i++) {
        if (o->at[i].id != id) o->at[kept++] = o->at[i];
    }
    o->n = kept;
}

void chy_open_intents_free(struct chy_open_intents *o)
{
    chy_free(o->at);
    *o = (struct chy_open_intents){0};
}

chy_hresult chy_open_intents_load(struct chy_sqlite *s, struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(&s->writer, CHY_SQL_INTENT_SERIALS, err);
    if (!st) return err ? err->code : CHY_E_FAIL;
    int rc = SQLITE_ROW;
    bool room = true;
    s->open.n = 0;
    while (room && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct chy_span serial = {0};
        room = chy_span_read(st, 1, NULL, &serial) &&
               chy_open_intents_add(&s->open, sqlite3_column_int(st, 0), serial);
    }
    chy_hresult hr = CHY_S_OK;
    if (!room)
        hr = chy_fail_nomem(err, "the intents of the database");
    else if (rc != SQLITE_DONE)
        hr = chy_conn_fail(s->writer.db, s->path, "reading the intents", err);
    sqlite3_reset(st);
    return hr;
}
