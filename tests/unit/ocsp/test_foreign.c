/* The folder of foreign CAs: what is in use while files change, and what it makes of broken ones.
 */
#include "unit/ca/engine.h"
#include "unit/ocsp/foreign_ca.h"

struct fixture {
    struct foreign_ca ca;
    struct chy_workers *workers;
    struct chy_ocsp_cache *cache;
    struct chy_ocsp_foreigners t;
    struct chy_clock clock;
    _Atomic int64_t shift;
    uint8_t name_hash[32], key_hash[32];
    struct chy_ocsp_id id;
};

static const uint8_t nine[] = {9};

static chy_time wall(void *arg)
{
    return chy_now(&chy_system_clock) + ((struct fixture *)arg)->shift;
}

static int64_t mono(void *arg)
{
    return chy_monotonic(&chy_system_clock) + ((struct fixture *)arg)->shift;
}

/* Waits until a worker has looked. */
static void look(struct fixture *f)
{
    chy_ocsp_foreigners_look(&f->t);
    pthread_mutex_lock(&f->t.lock);
    while (f->t.busy)
        pthread_cond_wait(&f->t.quiet, &f->t.lock);
    pthread_mutex_unlock(&f->t.lock);
}

/* A CRL that revokes serial 9, with a date that goes with the reason. */
static void revoke_nine(struct fixture *f, int32_t reason)
{
    struct chy_crl_entry e = revoked_at(nine, 1, f->ca.now - reason * 3600 * CHY_US_PER_S, reason);
    crl_write(&f->ca, &(struct listing){.entry = &e, .n = 1, .number = 1});
}

static void start(struct fixture *f)
{
    struct chy_err err = {0};
    char dir[] = "/tmp/chancery-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    memset(f, 0, sizeof(*f));
    foreign_make(&f->ca, dir, "Root");
    revoke_nine(f, CHY_CRL_REASON_SUPERSEDED);
    f->clock = (struct chy_clock){wall, mono, f};
    must(chy_workers_new(2, &f->workers, &err), &err);
    f->cache = chy_ocsp_cache_new(16, 65536, &err);
    assert_non_null(f->cache);
    must(chy_ocsp_foreigners_init(&f->t, f->ca.dir, f->workers, &f->clock, f->cache, &err), &err);
    struct chy_verifier *v = chy_verifier_new(&err);
    struct chy_ocsp_foreign *c = NULL;
    must(chy_ocsp_foreign_load(f->ca.dir, "Root", f->ca.now, NULL, v, &c, &err), &err);
    memcpy(f->name_hash, c->name_hash[0], 20);
    memcpy(f->key_hash, c->key_hash[0], 20);
    f->id = (struct chy_ocsp_id){.hash = CHY_OCSP_SHA1,
                                 .name_hash = chy_span_of(f->name_hash, 20),
                                 .key_hash = chy_span_of(f->key_hash, 20),
                                 .serial = CHY_SPAN(nine)};
    chy_ocsp_foreign_unref(c);
    chy_verifier_free(v);
}

static void end(struct fixture *f)
{
    chy_ocsp_foreigners_stop(&f->t);
    chy_ocsp_foreigners_look(&f->t); /* nothing any more */
    assert_false(f->t.busy);
    chy_workers_free(f->workers);
    chy_ocsp_foreigners_fini(&f->t);
    chy_ocsp_cache_free(f->cache);
    chy_dir_remove(f->ca.dir);
    foreign_free(&f->ca);
}

static struct chy_ocsp_foreign *in_use(struct fixture *f)
{
    struct chy_ocsp_foreign *c;
    chy_hresult hr = chy_ocsp_foreigners_find(&f->t, &f->id, &c, NULL);
    assert_int_equal(hr, c ? CHY_S_OK : CHY_S_FALSE);
    return c;
}

/* -1: nothing is in use. */
static int32_t reason_of_nine(struct fixture *f)
{
    struct chy_crl_entry e = {.reason = -1};
    struct chy_ocsp_foreign *c = in_use(f);
    if (!c) return -1;
    assert_true(chy_ocsp_foreign_revoked(c, CHY_SPAN(nine), &e));
    assert_int_equal(e.revoked, f->ca.now - e.reason * 3600 * CHY_US_PER_S);
    chy_ocsp_foreign_unref(c);
    return e.reason;
}

static void before_the_first_look_nobody_knows(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_ocsp_foreign *c;
    start(&f);
    assert_int_equal(chy_ocsp_foreigners_find(&f.t, &f.id, &c, NULL), CHY_ERROR_BUSY);
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    f.id.hash = CHY_OCSP_HASH_OTHER;
    assert_null(in_use(&f));
    f.id.hash = CHY_OCSP_SHA1;
    f.name_hash[0] ^= 1;
    assert_null(in_use(&f));
    end(&f);
}

static void what_has_not_changed_is_not_read(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    look(&f);
    struct chy_ocsp_foreign *first = in_use(&f);
    const struct chy_ocsp_mark mark = chy_ocsp_cache_mark_foreign(f.cache);
    f.shift = 3600 * CHY_US_PER_S;
    look(&f);
    struct chy_ocsp_foreign *second = in_use(&f);
    assert_ptr_equal(first, second);
    assert_int_equal(chy_ocsp_cache_mark_foreign(f.cache).generation, mark.generation);
    chy_ocsp_foreign_unref(first);
    chy_ocsp_foreign_unref(second);
    revoke_nine(&f, CHY_CRL_REASON_KEY_COMPROMISE);
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_KEY_COMPROMISE);
    assert_int_not_equal(chy_ocsp_cache_mark_foreign(f.cache).generation, mark.generation);
    end(&f);
}

static void a_broken_file_leaves_what_was(void **state)
{
    (void)state;
    struct fixture f;
    char path[128];
    start(&f);
    look(&f);
    write_text(&f.ca, ".crl", CHY_SPAN_STR("half of a fi"), 0644);
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    write_key(&f.ca, f.ca.key, 0600);
    revoke_nine(&f, CHY_CRL_REASON_KEY_COMPROMISE);
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    snprintf(path, sizeof(path), "%s/Root.ocsp.key.pem", f.ca.dir);
    assert_int_equal(unlink(path), 0);
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    write_key(&f.ca, f.ca.signer_key, 0600);
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_KEY_COMPROMISE);
    end(&f);
}

static void what_time_heals_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_crl_entry e = revoked_at(nine, 1, 0, CHY_CRL_REASON_SUPERSEDED);
    start(&f);
    e.revoked = f.ca.now - CHY_CRL_REASON_SUPERSEDED * 3600 * CHY_US_PER_S;
    crl_write(&f.ca,
              &(struct listing){
                  .entry = &e, .n = 1, .number = 1, .this_update = f.ca.now + 100 * CHY_US_PER_S});
    look(&f);
    assert_int_equal(reason_of_nine(&f), -1);
    f.shift = 200 * CHY_US_PER_S;
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    end(&f);
}

static void what_is_gone_is_not_answered_for(void **state)
{
    (void)state;
    struct fixture f;
    struct foreign_ca others;
    char path[128];
    start(&f);
    foreign_make(&others, f.ca.dir, "Others");
    crl_write(&others, &(struct listing){.number = 1});
    look(&f);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    struct chy_ocsp_foreign *held = in_use(&f);
    snprintf(path, sizeof(path), "%s/Root.pem", f.ca.dir);
    assert_int_equal(unlink(path), 0);
    look(&f);
    assert_int_equal(reason_of_nine(&f), -1);
    assert_string_equal(held->name, "Root"); /* whoever answers from it goes on */
    chy_ocsp_foreign_unref(held);
    chy_dir_remove(f.ca.dir);
    look(&f);
    assert_int_equal(reason_of_nine(&f), -1);
    foreign_free(&others);
    end(&f);
}

static void a_folder_that_cannot_be_read_says_nothing(void **state)
{
    (void)state;
    struct fixture f;
    char aside[128];
    start(&f);
    look(&f);
    snprintf(aside, sizeof(aside), "%s.aside", f.ca.dir);
    assert_int_equal(rename(f.ca.dir, aside), 0);
    FILE *no_folder = fopen(f.ca.dir, "w");
    assert_non_null(no_folder);
    fclose(no_folder);
    look(&f);
    assert_int_not_equal(f.t.trouble.code, CHY_S_OK);
    assert_int_equal(reason_of_nine(&f), CHY_CRL_REASON_SUPERSEDED);
    assert_int_equal(unlink(f.ca.dir), 0);
    assert_int_equal(rename(aside, f.ca.dir), 0);
    end(&f);
}

static void there_is_an_end_to_how_many(void **state)
{
    (void)state;
    struct fixture f;
    size_t n = 0;
    start(&f);
    struct foreign_ca many = f.ca;
    for (int i = 0; i < CHY_OCSP_FOREIGN_MAX + 8; i++) {
        char name[16];
        snprintf(name, sizeof(name), "N%d", i);
        many.name = name;
        write_text(&many, ".pem", CHY_SPAN_STR("x"), 0644);
    }
    char long_name[CHY_OCSP_FOREIGN_NAME + 1];
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    many.name = long_name;
    write_text(&many, ".pem", CHY_SPAN_STR("x"), 0644);
    look(&f);
    for (size_t i = 0; i < CHY_OCSP_FOREIGN_MAX; i++)
        n += f.t.watched[i] != NULL;
    assert_true(f.t.told_full);
    assert_int_equal(n, CHY_OCSP_FOREIGN_MAX);
    end(&f);
}

/* ---- many ask while it changes ---- */
struct asker {
    struct fixture *f;
    atomic_bool over;
    atomic_int asked;
};

static void *keep_asking(void *arg)
{
    struct asker *a = arg;
    while (!a->over) {
        assert_true(reason_of_nine(a->f) > 0);
        a->asked++;
    }
    return NULL;
}

static void those_who_ask_meanwhile_have_one_or_the_other(void **state)
{
    (void)state;
    struct fixture f;
    pthread_t thread[4];
    start(&f);
    look(&f);
    struct asker a = {.f = &f};
    for (size_t i = 0; i < CHY_ARRAY_LEN(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, keep_asking, &a), 0);
    for (int i = 0; i < 40; i++) {
        revoke_nine(&f, i % 2 ? CHY_CRL_REASON_KEY_COMPROMISE : CHY_CRL_REASON_SUPERSEDED);
        look(&f);
        assert_int_equal(reason_of_nine(&f),
                         i % 2 ? CHY_CRL_REASON_KEY_COMPROMISE : CHY_CRL_REASON_SUPERSEDED);
    }
    a.over = true;
    for (size_t i = 0; i < CHY_ARRAY_LEN(thread); i++)
        pthread_join(thread[i], NULL);
    assert_true(a.asked > 100);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_look_nobody_knows),
        cmocka_unit_test(what_has_not_changed_is_not_read),
        cmocka_unit_test(a_broken_file_leaves_what_was),
        cmocka_unit_test(what_time_heals_is_tried_again),
        cmocka_unit_test(what_is_gone_is_not_answered_for),
        cmocka_unit_test(a_folder_that_cannot_be_read_says_nothing),
        cmocka_unit_test(there_is_an_end_to_how_many),
        cmocka_unit_test(those_who_ask_meanwhile_have_one_or_the_other),
    };
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
