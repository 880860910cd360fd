/* What a shared object says of itself; and that one which lies is refused or read, never believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "module/elf.h"

static int set_up(void **state)
{
    struct chy_buf *b = calloc(1, sizeof(*b));
    struct chy_err err = {0};
    chy_buf_init(b, CHY_ELF_MAX);
    *state = b;
    return chy_file_read(TEST_MODULES "/example-exit.so", CHY_ELF_MAX, b, &err) == CHY_S_OK ? 0
                                                                                            : -1;
}

static int tear_down(void **state)
{
    chy_buf_free(*state);
    free(*state);
    return 0;
}

static void a_module(void **state)
{
    struct chy_elf e;
    struct chy_err err = {0};
    bool libc = false;
    assert_int_equal(chy_elf_read(chy_buf_span(*state), &e, &err), CHY_S_OK);
    assert_int_equal(e.n_exported, 1);
    assert_string_equal(e.exported[0], "chy_module_entry");
    for (size_t i = 0; i < e.n_needed; i++)
        libc |= strncmp(e.needed[i], "libc.so", 7) == 0;
    assert_true(libc);
    assert_null(e.runpath);
    assert_false(e.stack_exec || e.writable_code);
    assert_true(e.relro && e.bind_now);
}

static void what_is_none(void **state)
{
    static const char *const texts[] = {"", "\177", "\177ELF",
                                        "#!/bin/sh\necho no module here, whatever its name says\n"};
    struct chy_elf e;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        struct chy_err err = {0};
        assert_int_equal(chy_elf_read(chy_span_cstr(texts[i]), &e, &err), CHY_E_NOINTERFACE);
        assert_non_null(strstr(err.text, "no shared object"));
    }
}

/* The copies lie at the end of their memory: a step beyond is seen by the sanitizer. */
static void cut(void **state)
{
    struct chy_buf *whole = *state;
    struct chy_elf e;
    for (size_t n = 0; n < whole->n; n += 1 + whole->n / 1500) {
        struct chy_err err = {0};
        uint8_t *p = malloc(n ? n : 1);
        assert_non_null(p);
        memcpy(p, whole->p, n);
        assert_int_not_equal(chy_elf_read(chy_span_of(p, n), &e, &err), CHY_S_OK);
        free(p);
    }
}

static void bent(void **state)
{
    struct chy_buf *whole = *state;
    uint32_t dice = 1, refused = 0;
    uint8_t *p = malloc(whole->n);
    assert_non_null(p);
    for (int i = 0; i < 20000; i++) {
        struct chy_elf e;
        struct chy_err err = {0};
        memcpy(p, whole->p, whole->n);
        for (int k = 0; k < 4; k++) {
            dice = dice * 1664525u + 1013904223u;
            /* the headers, and the table of sections at the end, more often than the rest */
            size_t area = i % 3 == 0 ? 4096 : i % 3 == 1 ? 2048 : whole->n;
            size_t at = dice % area;
            p[i % 3 == 1 ? whole->n - 1 - at : at] ^= (uint8_t)(dice >> 24);
        }
        refused += chy_elf_read(chy_span_of(p, whole->n), &e, &err) != CHY_S_OK;
        for (size_t k = 0; k < e.n_exported && k < CHY_ELF_MAX_NAMES; k++)
            assert_true(strlen(e.exported[k]) < whole->n);
    }
    assert_true(refused > 100);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_module), cmocka_unit_test(what_is_none),
                                       cmocka_unit_test(cut), cmocka_unit_test(bent)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
