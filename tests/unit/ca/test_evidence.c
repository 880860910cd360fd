/* Evidence as a value: what is recorded, within which bounds, and what comes out of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ca/evidence_json.h"

static struct chy_value text(const char *s)
{
    return chy_value_text(chy_span_cstr(s));
}

static void change(struct chy_evidence *e, const char *name, const char *before, const char *after)
{
    struct chy_value b = text(before), a = text(after);
    chy_evidence_change(e, CHY_CHANGE_SUBJECT, chy_span_cstr(name), &b, &a);
}

static struct chy_evidence *fresh(void)
{
    struct chy_evidence *e = malloc(sizeof(*e));
    assert_non_null(e);
    memset(e, 0xa5, sizeof(*e));
    chy_evidence_reset(e);
    return e;
}

static struct chy_evidence *unpacked(const struct chy_buf *packed)
{
    struct chy_evidence *e = fresh();
    struct chy_err err = {0};
    if (chy_evidence_unpack(chy_buf_span(packed), e, &err) != CHY_S_OK) fail_msg("%s", err.text);
    return e;
}

static void fill(struct chy_evidence *e)
{
    static const uint8_t der[] = {0x30, 3, 1, 2, 3};
    e->kind = CHY_EVIDENCE_POLICY;
    e->is_new = e->in_process = e->has_module = true;
    e->disposition = CHY_DB_DISP_DENIED;
    e->status = CHY_CERTSRV_E_ADMIN_DENIED_REQUEST;
    e->message = CHY_SPAN_STR("no");
    e->author = CHY_SPAN_STR("host\\officer");
    snprintf(e->module, sizeof(e->module), "policy-x");
    snprintf(e->version, sizeof(e->version), "1.2.3");
    memset(e->sha256, 0x5c, sizeof(e->sha256));
    memset(e->settings, 0x17, sizeof(e->settings));
    e->queue_us = 1;
    e->policy_us = INT64_C(1) << 40;
    e->lint[e->n_lint++] = CHY_SPAN_STR("rule-a");
    e->lint[e->n_lint++] = CHY_SPAN_STR("rule-b");
    change(e, "CommonName", "a", "b");
    struct chy_value was = chy_value_number(5), is = chy_value_number(-7);
    chy_evidence_change(e, CHY_CHANGE_VALIDITY, CHY_SPAN_STR("NotAfter"), &was, &is);
    was = (struct chy_value){.form = CHY_VALUE_NONE};
    is = chy_value_extension(CHY_EXTENSION_CRITICAL_FLAG | CHY_EXTENSION_ORIGIN_POLICY,
                             CHY_SPAN(der));
    chy_evidence_change(e, CHY_CHANGE_EXTENSION, CHY_SPAN_STR("2.5.29.37"), &was, &is);
}

static void test_what_goes_in_comes_out(void **state)
{
    (void)state;
    struct chy_evidence *e = fresh();
    struct chy_buf b;
    chy_buf_init(&b, CHY_EVIDENCE_MAX);
    fill(e);
    chy_evidence_pack(e, &b);
    assert_false(b.failed);
    assert_true(b.n < 220);
    struct chy_evidence *o = unpacked(&b);
    assert_int_equal(o->kind, CHY_EVIDENCE_POLICY);
    assert_true(o->is_new && o->in_process && o->has_module);
    assert_int_equal(o->disposition, CHY_DB_DISP_DENIED);
    assert_int_equal(o->status, CHY_CERTSRV_E_ADMIN_DENIED_REQUEST);
    assert_true(chy_span_eq(o->message, e->message) && chy_span_eq(o->author, e->author));
    assert_string_equal(o->module, "policy-x");
    assert_string_equal(o->version, "1.2.3");
    assert_memory_equal(o->sha256, e->sha256, 32);
    assert_memory_equal(o->settings, e->settings, 8);
    assert_true(o->queue_us == 1 && o->policy_us == INT64_C(1) << 40 && o->check_us == 0);
    assert_int_equal(o->n_lint, 2);
    assert_true(chy_span_eq(o->lint[1], CHY_SPAN_STR("rule-b")));
    assert_int_equal(o->n_changes, 3);
    assert_true(chy_span_eq(o->change[0].after.octets, CHY_SPAN_STR("b")));
    assert_true(o->change[1].before.number == 5 && o->change[1].after.number == -7);
    assert_int_equal(o->change[2].before.form, CHY_VALUE_NONE);
    assert_int_equal(o->change[2].after.flags, e->change[2].after.flags);
    assert_int_equal(o->change[2].after.octets.n, 5);
    free(o);
    free(e);
    chy_buf_free(&b);
}

/* Flipped 10,000 times and then one more property: bounded, and neither is missing. */
static void test_no_module_can_hide_a_change(void **state)
{
    (void)state;
    struct chy_evidence *e = fresh();
    struct chy_buf b;
    char name[32];
    chy_buf_init(&b, CHY_EVIDENCE_MAX);
    e->kind = CHY_EVIDENCE_POLICY;
    for (int i = 0; i < 10000; i++)
        change(e, "CommonName", i % 2 ? "b" : "a", i % 2 ? "a" : "b");
    for (int i = 0; i < 90; i++) {
        snprintf(name, sizeof(name), "Property%d", i);
        char *kept = strdup(name);
        change(e, kept, NULL, kept);
    }
    change(e, "CommonName", "a", "evil.test");
    assert_int_equal(e->lost, 0);
    assert_int_equal(e->merged, 10000 - 33 + 1);
    chy_evidence_pack(e, &b);
    assert_false(b.failed);
    struct chy_evidence *o = unpacked(&b);
    assert_int_equal(o->n_changes, 33 + 90);
    const struct chy_change *last = &o->change[CHY_EVIDENCE_ONE_BY_ONE];
    assert_true(chy_span_eq(last->after.octets, CHY_SPAN_STR("evil.test")));
    assert_true(chy_span_eq(last->before.octets, CHY_SPAN_STR("a")));
    assert_int_equal(last->times, 10000 - 32 + 1);
    for (int i = 0; i < 90; i++) {
        const struct chy_change *c = &o->change[CHY_EVIDENCE_ONE_BY_ONE + 1 + i];
        assert_true(chy_span_eq(c->name, c->after.octets));
        free((void *)(uintptr_t)e->change[CHY_EVIDENCE_ONE_BY_ONE + 1 + i].name.p);
    }
    free(o);
    free(e);
    chy_buf_free(&b);
}

static void test_more_names_than_there_is_room_for_are_counted(void **state)
{
    (void)state;
    struct chy_evidence *e = fresh();
    char name[300][8];
    for (int i = 0; i < 300; i++) {
        snprintf(name[i], sizeof(name[i]), "%d", i);
        change(e, name[i], NULL, "x");
    }
    assert_int_equal(e->n_changes, CHY_EVIDENCE_CHANGES);
    assert_int_equal(e->lost, 300 - CHY_EVIDENCE_CHANGES);
    change(e, name[0], "x", "x");
    assert_int_equal(e->lost, 300 - CHY_EVIDENCE_CHANGES);
    free(e);
}

static void test_long_values_become_hashes_and_the_whole_stays_small(void **state)
{
    (void)state;
    static uint8_t big[32768], medium[512];
    struct chy_evidence *e = fresh();
    struct chy_buf b;
    char name[CHY_EVIDENCE_CHANGES][8];
    chy_buf_init(&b, CHY_EVIDENCE_MAX);
    for (int i = 0; i < CHY_EVIDENCE_CHANGES; i++) {
        snprintf(name[i], sizeof(name[i]), "1.2.%d", i);
        struct chy_value was = chy_value_extension(0, i ? CHY_SPAN(medium) : CHY_SPAN(big));
        struct chy_value is = chy_value_extension(1, was.octets);
        chy_evidence_change(e, CHY_CHANGE_EXTENSION, chy_span_cstr(name[i]), &was, &is);
    }
    chy_evidence_pack(e, &b);
    assert_false(b.failed);
    assert_true(b.n < 32 << 10);
    struct chy_evidence *o = unpacked(&b);
    assert_int_equal(o->n_changes, CHY_EVIDENCE_CHANGES);
    const struct chy_value *v = &o->change[0].after;
    assert_int_equal(v->form, CHY_VALUE_HASH);
    assert_int_equal(v->number, 32768);
    char hex[65];
    chy_hex_cstr(hex, v->octets);
    /* 32768 octets of zero, by another implementation */
    assert_string_equal(hex, "c35020473aed1b4642cd726cad727b63fff2824ad68cedd7ffb73c7cbd890479");
    assert_int_equal(o->change[1].after.form, CHY_VALUE_OCTETS);
    assert_int_equal(o->change[CHY_EVIDENCE_CHANGES - 1].after.form, CHY_VALUE_HASH);
    free(o);
    free(e);
    chy_buf_free(&b);
}

/* Cut anywhere, or with any octet changed: refused or understood, never beyond its end. */
static void test_what_a_file_holds_is_not_trusted(void **state)
{
    (void)state;
    struct chy_evidence *e = fresh(), *o = fresh();
    struct chy_buf b, json;
    size_t whole = 0;
    chy_buf_init(&b, CHY_EVIDENCE_MAX);
    chy_buf_init(&json, 1 << 20);
    fill(e);
    chy_evidence_pack(e, &b);
    for (size_t n = 0; n < b.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, b.p, n);
        whole += chy_evidence_unpack(chy_span_of(copy, n), o, NULL) == CHY_S_OK;
        free(copy);
    }
    assert_true(whole > 1 && whole < 32); /* where a field ends */
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct chy_json j;
            b.p[i] ^= (uint8_t)(1u << bit);
            if (chy_evidence_unpack(chy_buf_span(&b), o, NULL) == CHY_S_OK) {
                chy_buf_reset(&json);
                chy_json_begin(&j, &json);
                chy_evidence_json(&j, NULL, o, 0, 0);
                assert_false(json.failed);
            }
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    }
    free(o);
    free(e);
    chy_buf_free(&b);
    chy_buf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_no_module_can_hide_a_change),
        cmocka_unit_test(test_more_names_than_there_is_room_for_are_counted),
        cmocka_unit_test(test_long_values_become_hashes_and_the_whole_stays_small),
        cmocka_unit_test(test_what_a_file_holds_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
