/* Secrets in files: what is read, and which files are refused. */
#include "host.h"

#include <kit/secret.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[100];

static int reset(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kit-secret-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/secret", folder);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    remove(path);
    return rmdir(folder);
}

static void put(const void *p, size_t n, mode_t mode)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect(const char *rule)
{
    char out[16];
    const char *said = kit_secret_read(path, out, sizeof out, NULL);
    assert_non_null(said);
    if (!strstr(said, rule)) fail_msg("%s", said);
}

static void one_line_end_goes(void **state)
{
    (void)state;
    char out[16];
    size_t n = 0;
    put("a b\n", 4, 0600);
    assert_null(kit_secret_read(path, out, sizeof out, &n));
    assert_int_equal(n, 3);
    assert_string_equal(out, "a b");
    put("a\n\n", 3, 0400);
    assert_null(kit_secret_read(path, out, sizeof out, &n));
    assert_string_equal(out, "a\n");
    put("0123456789abcde", 15, 0600);
    assert_null(kit_secret_read(path, out, sizeof out, &n));
    assert_int_equal(n, 15);
    kit_wipe(out, sizeof out);
    assert_int_equal(out[0], 0);
}

static void what_is_no_secret_is_refused(void **state)
{
    (void)state;
    char out[16];
    expect("is not there");
    put("secret", 6, 0640);
    expect("others may read");
    assert_non_null(strstr(kit_secret_check(path), "others may read"));
    put("secret", 6, 0604);
    expect("others may read");
    put("", 0, 0600);
    expect("empty");
    put("\n", 1, 0600);
    expect("empty");
    put("a\0b", 3, 0600);
    expect("NUL");
    put("0123456789abcdef", 16, 0600);
    expect("too long");
    assert_null(kit_secret_check(path));
    remove(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect("no regular file");
    assert_non_null(strstr(kit_secret_read("secret", out, sizeof out, NULL), "absolute"));
    assert_non_null(strstr(kit_secret_read(folder, out, sizeof out, NULL), "no regular file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_line_end_goes, reset, tidy),
        cmocka_unit_test_setup_teardown(what_is_no_secret_is_refused, reset, tidy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
