/* Memory ends at every allocation while a CA is opened, read and configured: an error that says so
 * or a CA that says what it lacks, no leak, and the next try succeeds. */
#include <limits.h>

#include "starve.h"
#include "unit/ca/engine.h"

static unsigned long rounds, refused, opened;

static unsigned long step(void)
{
    return getenv("CHANCERY_SLOW") ? 1 : 43;
}

static void must_be_memory(const char *what, unsigned long n, chy_hresult hr, const char *text)
{
    /* OpenSSL does not always tell that it lacked memory: then its own words are passed on. */
    if (CHY_FAILED(hr) && strstr(text, "(OpenSSL: ")) return;
    if (hr != CHY_E_OUTOFMEMORY || !strstr(text, "memory"))
        fail_msg("%s, allocation %lu: 0x%08x \"%s\"", what, n, (unsigned)hr, text);
}

static void must_issue(struct engine *e)
{
    struct answer a;
    struct chy_ca_health h;
    engine_open(e);
    chy_ca_health(e->ca, &h);
    if (h.trouble) fail_msg("the next CA does not serve: %s", h.text);
    submit_to(e->ca, "www.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&a);
    engine_shut(e);
}

/* False: opening has no n-th allocation. */
static bool open_starved(struct engine *e, unsigned long n, unsigned long how_many)
{
    struct chy_err err = {0};
    struct chy_ca_health h = {0};
    const struct chy_ca_options o = engine_options(e);
    e->ca = NULL;
    starve_me(n, how_many);
    chy_hresult hr = chy_ca_open(&o, &e->ca, &err);
    unsigned long missing = starve_end();
    rounds++;
    refused += missing;
    if (hr != CHY_S_OK) {
        assert_null(e->ca);
        must_be_memory("opening", n, hr, err.text);
        return true;
    }
    opened++;
    chy_ca_health(e->ca, &h);
    /* The last are the dynamic loader's own words. */
    if (h.trouble && !strstr(h.text, "memory") && !strstr(h.text, "OUTOFMEMORY") &&
        !strstr(h.text, "0x8007000e") && !strstr(h.text, "shared object"))
        fail_msg("opening, allocation %lu: it does not serve, and says only: %s", n, h.text);
    engine_shut(e);
    return missing > 0;
}

static void open_at_each(unsigned long how_many)
{
    struct engine e;
    const char *only = getenv("CHANCERY_ALLOCATION");
    rounds = refused = opened = 0;
    engine_make(&e, "1");
    must_issue(&e);
    if (only)
        (void)open_starved(&e, strtoul(only, NULL, 10), how_many);
    else
        for (unsigned long n = 1; open_starved(&e, n, how_many); n += step())
            if (rounds % 64 == 0) must_issue(&e);
    must_issue(&e);
    engine_end(&e);
    print_message("%lu rounds, %lu allocations refused, opened all the same %lu times\n", rounds,
                  refused, opened);
}

static void test_opening_each_once(void **state)
{
    (void)state;
    open_at_each(1);
}

static void test_opening_all_from_one_on(void **state)
{
    (void)state;
    open_at_each(ULONG_MAX);
}

static bool set_starved(struct engine *e, unsigned long n, int *now)
{
    struct chy_err err = {0};
    struct chy_buf json;
    char value[16];
    snprintf(value, sizeof(value), "%d", *now + 1);
    starve_me(n, 1);
    chy_hresult hr = chy_ca_config_set(e->ca, &officer, "ClockSkewMinutes", value, &err);
    unsigned long missing = starve_end();
    rounds++;
    refused += missing;
    if (hr == CHY_S_OK)
        ++*now;
    else
        must_be_memory("a setting", n, hr, err.text);
    chy_buf_init(&json, 64);
    err = (struct chy_err){0};
    must(chy_ca_config_get(e->ca, &officer, "ClockSkewMinutes", &json, &err), &err);
    int is = (int)strtol(chy_buf_cstr(&json), NULL, 10);
    if (is != *now && is != *now + 1)
        fail_msg("allocation %lu: 0x%x, the setting is %d, was %d: %s", n, (unsigned)hr, is, *now,
                 err.text);
    *now = is;
    chy_buf_free(&json);
    return missing > 0;
}

static void test_setting(void **state)
{
    struct engine e;
    int now = 10;
    (void)state;
    rounds = refused = 0;
    engine_make(&e, "1");
    engine_open(&e);
    for (unsigned long n = 1; set_starved(&e, n, &now); n++) {
    }
    engine_shut(&e);
    must_issue(&e);
    engine_end(&e);
    print_message("%lu rounds, %lu allocations refused\n", rounds, refused);
}

static bool read_starved(struct engine *e, int32_t id, const struct chy_span *good, unsigned long n)
{
    struct chy_err err = {0};
    struct chy_row row;
    struct chy_arena a;
    chy_arena_init(&a, 1 << 20);
    starve_me(n, 1);
    chy_hresult hr = chy_ca_request(e->ca, &officer, id, &a, &row, &err);
    unsigned long missing = starve_end();
    rounds++;
    refused += missing;
    if (hr != CHY_S_OK)
        must_be_memory("reading", n, hr, err.text);
    else if (!chy_span_eq(row.raw_certificate, *good))
        fail_msg("allocation %lu: another certificate was read", n);
    chy_arena_free(&a);
    return missing > 0;
}

static void test_reading(void **state)
{
    struct engine e;
    struct answer a;
    (void)state;
    rounds = refused = 0;
    engine_make(&e, "1");
    engine_open(&e);
    submit_to(e.ca, "www.example.test", "", &a);
    struct chy_span good = chy_buf_span(&a.cert);
    for (unsigned long n = 1; read_starved(&e, a.id, &good, n); n++) {
    }
    answer_free(&a);
    engine_end(&e);
    print_message("%lu rounds, %lu allocations refused\n", rounds, refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening_each_once), cmocka_unit_test(test_opening_all_from_one_on),
        cmocka_unit_test(test_setting), cmocka_unit_test(test_reading)};
    return cmocka_run_group_tests_name("memory/open", tests, NULL, NULL);
}
