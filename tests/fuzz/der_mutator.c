/* A mutator that knows DER: it changes, drops, doubles and moves whole elements, of others' inputs
 * too, and writes every length around them right. Without it hardly an input gets past the first
 * SEQUENCE. Now and then the octets themselves are changed, for what is not DER. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 4096, DEPTH = 24, OUT_MAX = 1 << 18, SPARE = 256 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                                 uint8_t *out, size_t max, unsigned seed);

struct element {
    const uint8_t *p; /* tag, length and value */
    size_t n, head;
};

enum deed { CONTENT, TAG, DROP, DOUBLE, REPLACE, INSERT, EMPTY, WRAP, DEEDS };

struct edit {
    enum deed deed;
    size_t at, passed; /* which element, in the order of writing */
    uint8_t tag;
    struct element with; /* REPLACE, INSERT */
};

struct out {
    uint8_t *p;
    size_t n;
    bool full;
};

/* Definite lengths and low tags only. */
static bool next_element(const uint8_t *p, size_t n, struct element *e)
{
    size_t len, k = 0;
    if (n < 2 || (p[0] & 0x1f) == 0x1f) return false;
    len = p[1];
    if (len & 0x80) {
        k = len & 0x7f;
        if (!k || k > 3 || n < 2 + k) return false;
        len = 0;
        for (size_t i = 0; i < k; i++)
            len = len << 8 | p[2 + i];
    }
    *e = (struct element){p, 2 + k + len, 2 + k};
    return e->n <= n;
}

static bool all_elements(const uint8_t *p, size_t n)
{
    struct element e;
    while (n && next_element(p, n, &e)) {
        p += e.n;
        n -= e.n;
    }
    return n == 0;
}

/* How many octets of the value stand before elements: strings may hold DER, too. */
static bool holds_elements(const struct element *e, size_t *skip)
{
    size_t n = e->n - e->head;
    *skip = e->p[0] == 0x03 && n > 1 && e->p[e->head] == 0;
    if (!(e->p[0] & 0x20) && e->p[0] != 0x04 && e->p[0] != 0x03) return false;
    return n > *skip && all_elements(e->p + e->head + *skip, n - *skip);
}

static size_t list(const uint8_t *p, size_t n, struct element *out, size_t used, unsigned depth)
{
    struct element e;
    size_t skip;
    while (n && used < ELEMENTS && next_element(p, n, &e)) {
        out[used++] = e;
        if (depth < DEPTH && holds_elements(&e, &skip))
            used = list(e.p + e.head + skip, e.n - e.head - skip, out, used, depth + 1);
        p += e.n;
        n -= e.n;
    }
    return used;
}

static void put(struct out *o, const uint8_t *p, size_t n)
{
    o->full = o->full || n > OUT_MAX - o->n;
    if (o->full) return;
    if (n) memcpy(o->p + o->n, p, n);
    o->n += n;
}

/* What was written since mark becomes the value of an element. */
static void close_element(struct out *o, size_t mark, uint8_t tag)
{
    size_t n = o->n - mark, k = 1;
    uint8_t head[5] = {tag, (uint8_t)n};
    if (n > 127) {
        k = n > 0xffff ? 4 : n > 0xff ? 3 : 2;
        head[1] = (uint8_t)(0x80 | (k - 1));
        for (size_t i = 0; i < k - 1; i++)
            head[k - i] = (uint8_t)(n >> 8 * i);
    }
    put(o, head, 1 + k);
    if (o->full) return;
    memmove(o->p + mark + 1 + k, o->p + mark, n);
    memcpy(o->p + mark, head, 1 + k);
}

static void put_changed(struct out *o, const struct element *e)
{
    size_t n = e->n - e->head, mark = o->n;
    put(o, e->p + e->head, n);
    if (o->full || n + SPARE > OUT_MAX - mark) return;
    o->n = mark + LLVMFuzzerMutate(o->p + mark, n, n + SPARE);
    close_element(o, mark, e->p[0]);
}

static void apply(struct out *o, const struct element *e, const struct edit *edit)
{
    size_t mark = o->n;
    switch (edit->deed) {
    case CONTENT: put_changed(o, e); return;
    case TAG:
        put(o, e->p + e->head, e->n - e->head);
        close_element(o, mark, edit->tag);
        return;
    case DOUBLE: put(o, e->p, e->n); break;
    case REPLACE: put(o, edit->with.p, edit->with.n); return;
    case INSERT: put(o, edit->with.p, edit->with.n); break;
    case EMPTY: close_element(o, mark, e->p[0]); return;
    case WRAP:
        put(o, e->p, e->n);
        close_element(o, mark, edit->tag | 0x20);
        return;
    case DROP:
    case DEEDS: return;
    }
    put(o, e->p, e->n);
}

static void write_all(struct out *o, const uint8_t *p, size_t n, struct edit *edit, unsigned depth)
{
    struct element e;
    size_t skip;
    while (n && next_element(p, n, &e)) {
        size_t mark = o->n;
        if (edit->passed++ == edit->at) {
            apply(o, &e, edit);
        } else if (depth < DEPTH && holds_elements(&e, &skip)) {
            put(o, e.p + e.head, skip);
            write_all(o, e.p + e.head + skip, e.n - e.head - skip, edit, depth + 1);
            close_element(o, mark, e.p[0]);
        } else {
            put(o, e.p, e.n);
        }
        p += e.n;
        n -= e.n;
    }
    put(o, p, n); /* what is no DER stays behind */
}

static unsigned draw(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 8;
}

/* The octets of one element moved into another place; 0 when it does not fit. */
static size_t edit_tree(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n, uint8_t *to,
                        size_t max, unsigned seed)
{
    static const uint8_t tags[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13,
                                   0x14, 0x16, 0x17, 0x18, 0x1c, 0x1e, 0x30, 0x31, 0x80,
                                   0x81, 0x82, 0x86, 0x87, 0x88, 0xa0, 0xa1, 0xa3, 0xa4};
    static struct element here[ELEMENTS], there[ELEMENTS];
    size_t n = list(a, a_n, here, 0, 0), m = list(b, b_n, there, 0, 0);
    struct out o = {malloc(OUT_MAX), 0, false};
    struct edit edit = {.deed = (enum deed)(draw(&seed) % DEEDS)};
    if (!n || !m || !o.p) goto out;
    if (b != a) edit.deed = draw(&seed) % 2 ? REPLACE : INSERT;
    if (b == a && draw(&seed) % 2) edit.deed = CONTENT;
    edit.at = draw(&seed) % n;
    edit.tag = tags[draw(&seed) % sizeof tags];
    edit.with = there[draw(&seed) % m];
    write_all(&o, a, a_n, &edit, 0);
    if (!o.full && o.n && o.n <= max)
        memcpy(to, o.p, o.n);
    else
        o.n = 0;
out:
    free(o.p);
    return o.n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size_t n = draw(&seed) % 8 ? edit_tree(data, size, data, size, data, max, seed) : 0;
    return n ? n : LLVMFuzzerMutate(data, size, max);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                                 uint8_t *out, size_t max, unsigned seed)
{
    return edit_tree(a, a_n, b, b_n, out, max, seed);
}
