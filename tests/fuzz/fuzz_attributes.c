/* Any octets as a request's attributes: each name occurs once, within its bounds, what counts
 * only when signed is not taken from elsewhere, and what was taken is taken alike when it is
 * written down again. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_MAX = 65536 };

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_kept(const struct chy_request *r, bool is_signed)
{
    must(r->n_attr <= CHY_REQUEST_MAX_ATTRS);
    for (size_t i = 0; i < r->n_attr; i++) {
        const char *name = r->attr[i].name, *value = r->attr[i].value;
        size_t n = strlen(name), v = strlen(value);
        must(n && n <= CHY_ATTR_NAME_MAX && v && v <= CHY_ATTR_VALUE_MAX);
        must(chy_utf8_valid(chy_span_of(name, n)) && chy_utf8_valid(chy_span_of(value, v)));
        must(!strpbrk(name, ":\n") && !strchr(value, '\n'));
        must(is_signed || !chy_attribute_same(name, "RequesterName"));
        must(chy_request_attribute(r, name) == value);
        for (size_t k = 0; k < i; k++)
            must(!chy_attribute_same(name, r->attr[k].name));
    }
}

static void write_down(const struct chy_request *r, struct chy_buf *out)
{
    for (size_t i = 0; i < r->n_attr; i++)
        chy_buf_addf(out, "%s:%s\n", r->attr[i].name, r->attr[i].value);
    must(!out->failed);
}

static void check_text(struct chy_ca *ca, struct chy_span text, bool is_signed)
{
    struct chy_request *r = chy_calloc(2, sizeof(*r));
    struct chy_buf once, twice;
    must(r != NULL);
    chy_buf_init(&once, 1 << 20);
    chy_buf_init(&twice, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        r[i].ca = ca;
        chy_arena_init(&r[i].arena, 8 << 20);
    }
    chy_request_parse_attributes(&r[0], text, is_signed);
    check_kept(&r[0], is_signed);
    write_down(&r[0], &once);
    chy_request_parse_attributes(&r[1], chy_buf_span(&once), is_signed);
    write_down(&r[1], &twice);
    must(chy_span_eq(chy_buf_span(&once), chy_buf_span(&twice)));
    for (size_t i = 0; i < 2; i++)
        chy_arena_free(&r[i].arena);
    chy_buf_free(&once);
    chy_buf_free(&twice);
    chy_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "RequesterName";
    struct chy_settings settings = {
        .refs = 1, .signed_attributes = {name}, .n_signed_attributes = 1};
    struct chy_ca ca = {.settings = &settings};
    if (size > IN_MAX) return 0;
    pthread_mutex_init(&ca.settings_lock, NULL);
    check_text(&ca, chy_span_of(data, size), true);
    check_text(&ca, chy_span_of(data, size), false);
    must(atomic_load(&settings.refs) == 1);
    pthread_mutex_destroy(&ca.settings_lock);
    return 0;
}
