/* Files: read whole and bounded, written whole or not at all, folders made and removed. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

struct place {
    char dir[64];
    char path[128];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    snprintf(p->dir, sizeof(p->dir), "/tmp/chy_test_file_XXXXXX");
    if (!mkdtemp(p->dir)) return -1;
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    chy_dir_remove(p->dir);
    int gone = access(p->dir, F_OK);
    free(p);
    return gone == -1 ? 0 : -1;
}

static const char *in(struct place *p, const char *name)
{
    snprintf(p->path, sizeof(p->path), "%s/%s", p->dir, name);
    return p->path;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void expect_content(const char *path, const char *text)
{
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    assert_int_equal(chy_file_read(path, 1000, &b, NULL), CHY_S_OK);
    assert_string_equal(chy_buf_cstr(&b), text);
    chy_buf_free(&b);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777u;
}

static unsigned entries(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void expect_read_failure(const char *path, size_t max, chy_hresult code, const char *fact)
{
    struct chy_buf b;
    struct chy_err err = {0};
    char want[300];
    chy_buf_init(&b, 20000);
    chy_buf_add_str(&b, "kept");
    assert_int_equal(chy_file_read(path, max, &b, &err), code);
    snprintf(want, sizeof(want), "%s: %s", path, fact);
    assert_string_equal(err.text, want);
    assert_string_equal(chy_buf_cstr(&b), "kept");
    chy_buf_free(&b);
}

static void test_reading(void **state)
{
    struct place *p = *state;
    struct chy_buf b;
    put(in(p, "f"), "content");
    chy_buf_init(&b, 100);
    chy_buf_add_str(&b, "<");
    assert_int_equal(chy_file_read(in(p, "f"), 7, &b, NULL), CHY_S_OK);
    assert_string_equal(chy_buf_cstr(&b), "<content");
    put(in(p, "f"), "");
    assert_int_equal(chy_file_read(in(p, "f"), 0, &b, NULL), CHY_S_OK);
    assert_string_equal(chy_buf_cstr(&b), "<content");
    chy_buf_free(&b);
}

static void test_reading_around_the_size_of_a_piece(void **state)
{
    static const size_t sizes[] = {4095, 4096, 4097, 8191, 8192, 8193, 100000};
    struct place *p = *state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i];
        uint8_t *data = malloc(n);
        struct chy_buf b;
        for (size_t k = 0; k < n; k++)
            data[k] = (uint8_t)(k * 31 + i);
        assert_int_equal(chy_file_write(in(p, "f"), chy_span_of(data, n), 0600, NULL), CHY_S_OK);
        chy_buf_init(&b, n);
        assert_int_equal(chy_file_read(in(p, "f"), n, &b, NULL), CHY_S_OK);
        assert_true(chy_span_eq(chy_buf_span(&b), chy_span_of(data, n)));
        chy_buf_reset(&b);
        assert_int_equal(chy_file_read(in(p, "f"), n - 1, &b, NULL), CHY_CERTSRV_E_ENCODING_LENGTH);
        chy_buf_free(&b);
        free(data);
    }
}

static void test_reading_refusals(void **state)
{
    struct place *p = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s", in(p, "f"));
    expect_read_failure(path, 10, CHY_ERROR_FILE_NOT_FOUND, "No such file or directory");
    put(path, "content");
    expect_read_failure(path, 6, CHY_CERTSRV_E_ENCODING_LENGTH, "7 octets, at most 6 allowed");
    expect_read_failure(p->dir, 100, CHY_E_INVALIDARG, "not a regular file");
    snprintf(path, sizeof(path), "%s", in(p, "pipe"));
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_read_failure(path, 100, CHY_E_INVALIDARG, "not a regular file"); /* and does not wait */
    expect_read_failure("/dev/zero", 100, CHY_E_INVALIDARG, "not a regular file");
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 6);
    assert_int_equal(chy_file_read(in(p, "f"), 100, &b, &err), CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_int_equal(b.n, 0);
    chy_buf_free(&b);
}

/* A file of the kernel has no size before it is read: the bound holds all the same. */
static void test_a_file_that_is_longer_than_it_says(void **state)
{
    (void)state;
    expect_read_failure("/proc/self/maps", 100, CHY_CERTSRV_E_ENCODING_LENGTH,
                        "more than 100 octets");
    struct chy_buf b;
    chy_buf_init(&b, 10000000);
    assert_int_equal(chy_file_read("/proc/self/maps", 10000000, &b, NULL), CHY_S_OK);
    assert_true(b.n > 100);
    chy_buf_free(&b);
}

static void test_reading_follows_a_link(void **state)
{
    struct place *p = *state;
    char target[128];
    snprintf(target, sizeof(target), "%s", in(p, "target"));
    put(target, "behind");
    assert_int_equal(symlink(target, in(p, "link")), 0);
    expect_content(in(p, "link"), "behind");
}

static void test_writing_leaves_the_file_and_nothing_else(void **state)
{
    struct place *p = *state;
    assert_int_equal(chy_file_write(in(p, "f"), CHY_SPAN_STR("one"), 0600, NULL), CHY_S_OK);
    expect_content(in(p, "f"), "one");
    assert_int_equal(chy_file_write(in(p, "f"), CHY_SPAN_STR("second"), 0600, NULL), CHY_S_OK);
    expect_content(in(p, "f"), "second");
    assert_int_equal(chy_file_write(in(p, "f"), CHY_SPAN_STR(""), 0600, NULL), CHY_S_OK);
    expect_content(in(p, "f"), "");
    assert_int_equal(entries(p->dir), 1);
}

static void test_the_mode_is_as_asked_for_whatever_the_umask(void **state)
{
    static const unsigned modes[] = {0600, 0640, 0644, 0666, 0400};
    struct place *p = *state;
    mode_t before = umask(0077);
    for (size_t i = 0; i < CHY_ARRAY_LEN(modes); i++) {
        assert_int_equal(chy_file_write(in(p, "f"), CHY_SPAN_STR("x"), modes[i], NULL), CHY_S_OK);
        assert_int_equal(mode_of(in(p, "f")), modes[i]);
    }
    umask(before);
}

static void test_a_reader_of_the_old_file_keeps_it(void **state)
{
    struct place *p = *state;
    char got[8] = {0};
    put(in(p, "f"), "old");
    int fd = open(in(p, "f"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(chy_file_write(in(p, "f"), CHY_SPAN_STR("new one"), 0600, NULL), CHY_S_OK);
    assert_int_equal(read(fd, got, sizeof(got)), 3);
    assert_string_equal(got, "old");
    close(fd);
    expect_content(in(p, "f"), "new one");
}

static void test_a_link_is_replaced_and_its_target_left(void **state)
{
    struct place *p = *state;
    char target[128];
    struct stat st;
    snprintf(target, sizeof(target), "%s", in(p, "target"));
    put(target, "untouched");
    assert_int_equal(symlink(target, in(p, "link")), 0);
    assert_int_equal(chy_file_write(in(p, "link"), CHY_SPAN_STR("mine"), 0600, NULL), CHY_S_OK);
    assert_int_equal(lstat(in(p, "link"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    expect_content(target, "untouched");
    expect_content(in(p, "link"), "mine");
}

static void test_writing_refusals_leave_nothing(void **state)
{
    struct place *p = *state;
    struct chy_err err = {0};
    char path[5000];
    assert_int_equal(chy_file_write(in(p, "no/f"), CHY_SPAN_STR("x"), 0600, &err),
                     CHY_ERROR_FILE_NOT_FOUND);
    assert_non_null(strstr(err.text, "/no/f."));
    assert_non_null(strstr(err.text, ".tmp: No such file or directory"));
    chy_err_clear(&err);
    assert_int_equal(mkdir(in(p, "d"), 0700), 0);
    assert_int_equal(chy_file_write(in(p, "d"), CHY_SPAN_STR("x"), 0600, &err),
                     CHY_ERROR_IO_DEVICE); /* a folder is not replaced */
    assert_non_null(strstr(err.text, "/d: Is a directory"));
    chy_err_clear(&err);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    assert_int_equal(chy_file_write(path, CHY_SPAN_STR("x"), 0600, &err), CHY_E_INVALIDARG);
    assert_non_null(strstr(err.text, "path too long"));
    assert_int_equal(entries(p->dir), 1);
}

/* The bound on the size of files stands for a full disk: the write stops half way. */
static void test_a_write_that_stops_leaves_the_old_file(void **state)
{
    struct place *p = *state;
    struct chy_err err = {0};
    static uint8_t data[20000];
    struct rlimit before, bound;
    put(in(p, "f"), "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    bound = (struct rlimit){.rlim_cur = 10000, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &bound), 0);
    chy_hresult hr = chy_file_write(in(p, "f"), CHY_SPAN(data), 0600, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(hr, CHY_ERROR_IO_DEVICE);
    assert_non_null(strstr(err.text, ".tmp: File too large"));
    expect_content(in(p, "f"), "old");
    assert_int_equal(entries(p->dir), 1);
}

static void test_a_path_without_a_slash_is_in_the_folder_of_the_process(void **state)
{
    struct place *p = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(p->dir), 0);
    assert_int_equal(chy_file_write("plain", CHY_SPAN_STR("here"), 0600, NULL), CHY_S_OK);
    assert_int_equal(chy_dir_make("sub", 0700, NULL), CHY_S_OK);
    assert_int_equal(chdir(before), 0);
    expect_content(in(p, "plain"), "here");
    assert_int_equal(access(in(p, "sub"), F_OK), 0);
}

static void test_folders_are_made_with_all_above_them(void **state)
{
    struct place *p = *state;
    mode_t before = umask(0022);
    assert_int_equal(chy_dir_make(in(p, "a/b//c/"), 0750, NULL), CHY_S_OK);
    assert_int_equal(mode_of(in(p, "a/b/c")), 0750);
    assert_int_equal(mode_of(in(p, "a")), 0750);
    umask(before);
    assert_int_equal(chy_dir_make(in(p, "a/b/c"), 0700, NULL), CHY_S_OK); /* it is there */
    assert_int_equal(mode_of(in(p, "a/b/c")), 0750);
    char target[128];
    snprintf(target, sizeof(target), "%s", in(p, "a"));
    assert_int_equal(symlink(target, in(p, "link")), 0);
    assert_int_equal(chy_dir_make(in(p, "link/d"), 0700, NULL), CHY_S_OK);
    assert_int_equal(access(in(p, "a/d"), F_OK), 0);
}

static void test_folder_refusals(void **state)
{
    struct place *p = *state;
    struct chy_err err = {0};
    char path[5000];
    put(in(p, "f"), "");
    assert_int_equal(chy_dir_make(in(p, "f"), 0700, &err), CHY_ERROR_ALREADY_EXISTS);
    assert_non_null(strstr(err.text, "/f: File exists"));
    assert_int_equal(chy_dir_make(in(p, "f/x"), 0700, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(symlink("/nowhere/at/all", in(p, "dangling")), 0);
    assert_int_equal(chy_dir_make(in(p, "dangling"), 0700, NULL), CHY_ERROR_ALREADY_EXISTS);
    assert_int_equal(chy_dir_make("", 0700, NULL), CHY_E_INVALIDARG);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    chy_err_clear(&err);
    assert_int_equal(chy_dir_make(path, 0700, &err), CHY_E_INVALIDARG);
    assert_non_null(strstr(err.text, "not a usable folder name"));
}

static void test_removal_follows_no_link(void **state)
{
    struct place *p = *state;
    char outside[128];
    snprintf(outside, sizeof(outside), "%s", in(p, "outside"));
    assert_int_equal(mkdir(outside, 0700), 0);
    put(in(p, "outside/f"), "stays");
    assert_int_equal(chy_dir_make(in(p, "gone/a/b/c/d"), 0700, NULL), CHY_S_OK);
    put(in(p, "gone/a/f"), "x");
    put(in(p, "gone/a/b/c/d/f"), "x");
    assert_int_equal(symlink(outside, in(p, "gone/a/link")), 0);
    assert_int_equal(symlink("nowhere", in(p, "gone/dangling")), 0);
    assert_int_equal(mkfifo(in(p, "gone/pipe"), 0600), 0);
    chy_dir_remove(in(p, "gone"));
    assert_int_equal(access(in(p, "gone"), F_OK), -1);
    expect_content(in(p, "outside/f"), "stays");
    assert_int_equal(symlink(outside, in(p, "link")), 0);
    chy_dir_remove(in(p, "link")); /* nor the one it is given */
    expect_content(in(p, "outside/f"), "stays");
    chy_dir_remove(in(p, "never-was"));
}

/* As a process leaves it that dies amid a write. */
static void leave(struct place *p, const char *name, time_t written)
{
    const struct timespec times[2] = {{.tv_sec = written}, {.tv_sec = written}};
    put(in(p, name), "half");
    assert_int_equal(utimensat(AT_FDCWD, p->path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void test_what_is_left_over_is_removed(void **state)
{
    enum { BEFORE = 1000 };
    static const char *const others[] = {
        "f.crl.0123456.tmp",    "f.crl.012345678.tmp", "f.crl.0123456G.tmp",
        "f.crl.0123456A.tmp",   "f.crl.01234567.tmp~", "f.crl01234567.tmp",
        ".01234567.tmp",        "f.crl.01234567",      "f.crl.01234567.tmp.tmp",
        "xf.crl.01234567.tmp2", "f.crl.tmp",
    };
    struct place *p = *state;
    chy_time before = BEFORE * INT64_C(1000000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(others); i++)
        leave(p, others[i], 1);
    unsigned n = CHY_ARRAY_LEN(others) + 6;
    leave(p, "f.crl", 1);
    leave(p, "g.crl.01234567.tmp", 1);
    leave(p, "f.crl.01234567.tmp", BEFORE - 1);
    leave(p, "f.crl.89abcdef.tmp", 1);
    leave(p, "f.crl.00000000.tmp", BEFORE);
    assert_int_equal(symlink("f.crl", in(p, "f.crl.11111111.tmp")), 0);
    assert_int_equal(entries(p->dir), n);
    assert_int_equal(chy_file_sweep(in(p, "f.crl"), before), 1); /* that of g.crl */
    assert_int_equal(entries(p->dir), n - 2);
    assert_int_equal(access(in(p, "f.crl.01234567.tmp"), F_OK), -1);
    assert_int_equal(access(in(p, "f.crl.89abcdef.tmp"), F_OK), -1);
    assert_int_equal(chy_file_sweep(in(p, "g.crl"), before), 0);
    assert_int_equal(entries(p->dir), n - 3);
    assert_int_equal(chy_file_sweep(in(p, "no/folder"), before), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reading),
        TEST(test_reading_around_the_size_of_a_piece),
        TEST(test_reading_refusals),
        TEST(test_a_file_that_is_longer_than_it_says),
        TEST(test_reading_follows_a_link),
        TEST(test_writing_leaves_the_file_and_nothing_else),
        TEST(test_the_mode_is_as_asked_for_whatever_the_umask),
        TEST(test_a_reader_of_the_old_file_keeps_it),
        TEST(test_a_link_is_replaced_and_its_target_left),
        TEST(test_writing_refusals_leave_nothing),
        TEST(test_a_write_that_stops_leaves_the_old_file),
        TEST(test_a_path_without_a_slash_is_in_the_folder_of_the_process),
        TEST(test_what_is_left_over_is_removed),
        TEST(test_folders_are_made_with_all_above_them),
        TEST(test_folder_refusals),
        TEST(test_removal_follows_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
