/* Aligned tables, cut to the terminal. */
#include <string.h>

#include "cli/cli.h"

enum { MAX_COLUMNS = 16, MAX_CELL = 4096, MIN_WIDTH = 8, GAP = 2 };

struct row {
    struct row *next;
    const char *color;
    char *cell[MAX_COLUMNS];
};

struct chy_table {
    const char *const *titles;
    size_t n, rows;
    size_t width[MAX_COLUMNS];
    struct row *first, **last;
};

/* Code points: near enough to columns for names and addresses. */
static size_t columns_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

struct chy_table *chy_table_new(const char *const *titles)
{
    struct chy_table *t = chy_calloc(1, sizeof(*t));
    if (!t) return NULL;
    t->titles = titles;
    t->last = &t->first;
    for (; titles[t->n] && t->n < MAX_COLUMNS; t->n++)
        t->width[t->n] = columns_of(titles[t->n]);
    return t;
}

void chy_table_row(struct chy_table *t, const char *const *cells, const char *color)
{
    struct row *r = t ? chy_calloc(1, sizeof(*r)) : NULL;
    if (!r) return;
    r->color = color;
    for (size_t i = 0; i < t->n; i++) {
        struct chy_buf b;
        chy_buf_init(&b, MAX_CELL);
        chy_cli_add_plain(&b, cells[i] ? cells[i] : "");
        const char *text = chy_buf_cstr(&b);
        r->cell[i] = chy_strdup(text ? text : "");
        chy_buf_free(&b);
        size_t w = r->cell[i] ? columns_of(r->cell[i]) : 0;
        if (w > t->width[i]) t->width[i] = w;
    }
    *t->last = r;
    t->last = &r->next;
    t->rows++;
}

size_t chy_table_rows(const struct chy_table *t)
{
    return t ? t->rows : 0;
}

static void fit(struct chy_table *t, unsigned width)
{
    for (;;) {
        size_t total = 0, widest = 0;
        for (size_t i = 0; i < t->n; i++) {
            total += t->width[i] + (i ? GAP : 0);
            if (t->width[i] > t->width[widest]) widest = i;
        }
        if (!width || total <= width || t->width[widest] <= MIN_WIDTH) return;
        size_t over = total - width, room = t->width[widest] - MIN_WIDTH;
        /* one at a time, so that two wide columns share the loss */
        t->width[widest] -= over > room ? 1 : over > 8 ? 4 : 1;
    }
}

static void print_cell(FILE *out, const char *s, size_t width, bool last)
{
    size_t have = columns_of(s), n = 0;
    if (have <= width) {
        fprintf(out, "%s%*s", s, last ? 0 : (int)(width - have + GAP), "");
        return;
    }
    const char *p = s;
    while (*p && n + 1 < width) {
        p++;
        while (((unsigned char)*p & 0xc0) == 0x80)
            p++;
        n++;
    }
    fprintf(out, "%.*s…%*s", (int)(p - s), s, last ? 0 : GAP, "");
}

void chy_table_print(struct chy_table *t, struct chy_cli *cli)
{
    if (!t) return;
    fit(t, cli->width);
    for (size_t i = 0; i < t->n; i++)
        print_cell(cli->out, t->titles[i], t->width[i], i + 1 == t->n);
    fputc('\n', cli->out);
    for (struct row *r = t->first; r; r = r->next) {
        fputs(r->color, cli->out);
        for (size_t i = 0; i < t->n; i++)
            print_cell(cli->out, r->cell[i] ? r->cell[i] : "", t->width[i], i + 1 == t->n);
        fputs(*r->color ? chy_cli_color_end(cli) : "", cli->out);
        fputc('\n', cli->out);
    }
}

void chy_table_free(struct chy_table *t)
{
    while (t && t->first) {
        struct row *r = t->first;
        t->first = r->next;
        for (size_t i = 0; i < t->n; i++)
            chy_free(r->cell[i]);
        chy_free(r);
    }
    chy_free(t);
}
