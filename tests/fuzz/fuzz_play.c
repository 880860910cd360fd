/* Any octets as lines of a play: words, times, numbers, codes and octets come out whole or are
 * refused with a reason. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "modtest/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void look_at(struct chy_play *p, const char *word)
{
    chy_time t;
    chy_hresult code;
    int64_t n;
    struct chy_span octets = {0};
    struct chy_err err = {0};
    char text[32];
    if (chy_play_time(p, word, &t)) chy_time_format(text, t);
    if (chy_play_number(word, &n)) must(strlen(word) <= 18);
    (void)chy_play_code(word, &code);
    if (strncmp(word, "hex:", 4) != 0) return;
    chy_hresult hr = chy_play_octets(p, word, &octets, &err);
    must(hr == CHY_S_OK ? octets.n * 2 == strlen(word) - 4 : err.text[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_play *p = calloc(1, sizeof(*p));
    struct chy_span rest = {data, size};
    if (!p) return 0;
    p->now = INT64_C(1800000000000000);
    chy_arena_init(&p->arena, CHY_PLAY_ARENA_MAX);
    while (rest.n) {
        struct chy_play_line l;
        struct chy_err err = {0};
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        chy_hresult hr = chy_play_split(p, chy_span_of(rest.p, n), &l, &err);
        must(hr == CHY_S_OK ? !err.text[0] && l.n <= CHY_PLAY_MAX_WORDS : err.text[0] != 0);
        for (size_t i = 0; i < l.n && hr == CHY_S_OK; i++)
            look_at(p, l.word[i]);
        chy_arena_reset(&p->arena);
        n += end != NULL;
        rest = chy_span_of(rest.p + n, rest.n - n);
    }
    chy_arena_free(&p->arena);
    free(p);
    return 0;
}
