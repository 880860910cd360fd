/* Quotas: who is counted when, that the counts outlive the module and a torn file, and that many
 * threads at once get exactly what there is. */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    snprintf(folder, sizeof folder, "/tmp/policy-quota-XXXXXX");
    assert_non_null(mkdtemp(folder));
    fake_set_text("StateDirectory", folder);
    fake_set_long("Rules/*/Quota/Count", 2);
    for (int i = 0; i < 4; i++) {
        fake_attribute(&fake.request[i], "CertificateTemplate", "web");
        fake_property(&fake.request[i], "RequesterName", "anna", 4);
        fake_cn(&fake.request[i], "a.test");
    }
    return 0;
}

static int clean(void **state)
{
    (void)state;
    return fake_remove(folder);
}

static chy_object start(void)
{
    chy_object o = fake_create("policy-rules", "PolicyRules.Policy");
    if (fake_policy_table(&o)->initialize(o.self, "c") != CHY_S_OK) fail_msg("%s", fake.log);
    return o;
}

static void stop(const chy_object *o)
{
    fake_policy_table(o)->release(o->self);
}

static chy_long ask(const chy_object *o, chy_long context, int is_new)
{
    chy_long got = 4711;
    assert_int_equal(fake_policy_table(o)->verify_request(o->self, "c", context, is_new, 0, &got),
                     CHY_S_OK);
    return got;
}

static off_t length(const char *name)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

#define OVER CHY_CERTSRV_E_ENROLL_DENIED

static void counted_once_and_across_restarts(void **state)
{
    (void)state;
    chy_object o = start();
    assert_int_equal(ask(&o, 1, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 1, 0), CHY_VR_INSTANT_OK); /* resubmitted: the same request */
    assert_int_equal(ask(&o, 2, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(length("quota.log"), 80);
    assert_int_equal(ask(&o, 3, 1), OVER);
    assert_string_equal(fake.request[2].message,
                        "requester anna had 2 requests in 1440 minutes (Rules/*/Quota/Count)");
    stop(&o);
    o = start();
    assert_int_equal(ask(&o, 3, 1), OVER);
    assert_int_equal(ask(&o, 2, 0), CHY_VR_INSTANT_OK);
    fake_property(&fake.request[2], "RequesterName", "ANNA", 4);
    assert_int_equal(ask(&o, 3, 1), OVER);
    fake_property(&fake.request[2], "RequesterName", "bert", 4);
    assert_int_equal(ask(&o, 3, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(length("quota.log"), 120);
    stop(&o);
}

static void what_is_refused_or_only_tried_is_not_counted(void **state)
{
    (void)state;
    fake_set_list("Rules/web/Subject/CommonName/Allow", "b.test");
    chy_object o = start();
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(&o, 1, 1), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_int_equal(length("quota.log"), 0);
    fake_cn(&fake.request[0], "b.test");
    fake.request[0].id = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(&o, 1, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(length("quota.log"), 0);
    stop(&o);
}

/* One that the quota of its profile refuses takes nothing from that of all profiles. */
static void each_profile_and_all(void **state)
{
    (void)state;
    fake_set_long("Rules/web/Quota/Count", 1);
    fake_attribute(&fake.request[2], "CertificateTemplate", "mail");
    fake_attribute(&fake.request[3], "CertificateTemplate", "mail");
    chy_object o = start();
    assert_int_equal(ask(&o, 1, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 2, 1), OVER);
    assert_non_null(strstr(fake.request[1].message, "(Rules/web/Quota/Count)"));
    assert_int_equal(ask(&o, 3, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 4, 1), OVER);
    assert_non_null(strstr(fake.request[3].message, "(Rules/*/Quota/Count)"));
    stop(&o);
}

static void the_period_passes(void **state)
{
    (void)state;
    fake_set_text("Rules/*/Quota/Period", "1s");
    chy_object o = start();
    assert_int_equal(ask(&o, 1, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 2, 1), CHY_VR_INSTANT_OK);
    for (int i = 0; i < 400 && ask(&o, 3, 1) == OVER; i++)
        usleep(20000);
    assert_int_equal(ask(&o, 3, 1), CHY_VR_INSTANT_OK);
    stop(&o);
}

static void audit_only_counts_and_lets_pass(void **state)
{
    (void)state;
    fake_set_long("AuditOnly", 1);
    chy_object o = start();
    for (chy_long i = 1; i <= 3; i++)
        assert_int_equal(ask(&o, i, 1), CHY_VR_INSTANT_OK);
    assert_string_equal(fake.request[2].message,
                        "audit only, would be denied: requester anna had 2 requests in 1440 "
                        "minutes (Rules/*/Quota/Count)");
    stop(&o);
}

static void a_torn_file_is_mended(void **state)
{
    (void)state;
    char path[128];
    chy_object o = start();
    assert_int_equal(ask(&o, 1, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 2, 1), CHY_VR_INSTANT_OK);
    stop(&o);
    snprintf(path, sizeof path, "%s/quota.log", folder);
    assert_int_equal(truncate(path, 80 - 7), 0);
    o = start();
    assert_int_equal(length("quota.log"), 40);
    assert_int_equal(ask(&o, 3, 1), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 4, 1), OVER);
    stop(&o);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff", 1, 20), 1); /* in the key of the first */
    close(fd);
    o = start();
    assert_int_equal(length("quota.log"), 80);
    assert_int_equal(ask(&o, 3, 0), CHY_VR_INSTANT_OK);
    assert_int_equal(ask(&o, 4, 1), CHY_VR_INSTANT_OK); /* the first is not believed any more */
    assert_int_equal(ask(&o, 2, 1), OVER);
    stop(&o);
}

static void a_folder_is_for_one(void **state)
{
    (void)state;
    chy_object o = start(), other = fake_create("policy-rules", "PolicyRules.Policy");
    fake.log[0] = 0;
    assert_int_equal(fake_policy_table(&other)->initialize(other.self, "c"), CHY_ERROR_BUSY);
    assert_non_null(strstr(fake.log, "setting StateDirectory is in use by another CA or daemon"));
    stop(&o);
    assert_int_equal(fake_policy_table(&other)->initialize(other.self, "c"), CHY_S_OK);
    stop(&other);
}

/* What cannot be stored is not let pass. */
static void a_full_disk_fails(void **state)
{
    (void)state;
    char path[128];
    chy_long got = 4711;
    chy_object o;
    snprintf(path, sizeof path, "%s/quota.log", folder);
    assert_int_equal(symlink("/dev/full", path), 0);
    o = fake_create("policy-rules", "PolicyRules.Policy");
    assert_int_equal(fake_policy_table(&o)->initialize(o.self, "c"), CHY_E_INVALIDARG);
    assert_non_null(strstr(fake.log, "has a quota.log that cannot be opened"));
    assert_int_equal(fake_policy_table(&o)->verify_request(o.self, "c", 1, 1, 0, &got),
                     CHY_E_UNEXPECTED);
    stop(&o);
}

struct crowd {
    const chy_object *o;
    chy_long context;
    int passed;
};

static void *crowd_asks(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 50; i++) {
        chy_long got = 4711;
        fake.request[c->context - 1].id = c->context * 1000 + i;
        chy_hresult hr =
            fake_policy_table(c->o)->verify_request(c->o->self, "c", c->context, 1, 0, &got);
        if (hr == CHY_S_OK && got == CHY_VR_INSTANT_OK) c->passed++;
    }
    return NULL;
}

static void many_threads_get_what_there_is(void **state)
{
    (void)state;
    pthread_t t[4];
    struct crowd crowd[4];
    int passed = 0;
    fake_set_long("Rules/*/Quota/Count", 100);
    chy_object o = start();
    for (chy_long i = 0; i < 4; i++) {
        crowd[i] = (struct crowd){&o, i + 1, 0};
        assert_int_equal(pthread_create(&t[i], NULL, crowd_asks, &crowd[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        passed += crowd[i].passed;
    }
    assert_int_equal(passed, 100);
    assert_int_equal(length("quota.log"), 100 * 40);
    stop(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counted_once_and_across_restarts, reset, clean),
        cmocka_unit_test_setup_teardown(what_is_refused_or_only_tried_is_not_counted, reset, clean),
        cmocka_unit_test_setup_teardown(each_profile_and_all, reset, clean),
        cmocka_unit_test_setup_teardown(the_period_passes, reset, clean),
        cmocka_unit_test_setup_teardown(audit_only_counts_and_lets_pass, reset, clean),
        cmocka_unit_test_setup_teardown(a_torn_file_is_mended, reset, clean),
        cmocka_unit_test_setup_teardown(a_folder_is_for_one, reset, clean),
        cmocka_unit_test_setup_teardown(a_full_disk_fails, reset, clean),
        cmocka_unit_test_setup_teardown(many_threads_get_what_there_is, reset, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
