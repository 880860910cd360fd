/* The command line without a daemon: words, options, help and exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "cli/cli.h"

struct said {
    int status;
    char *out, *err;
};

/* Words are separated by blanks; a word itself has none. */
static struct said run(const char *line)
{
    struct said s = {0};
    size_t n_out = 0, n_err = 0;
    char *copy = strdup(line), *save = NULL, *argv[64] = {0};
    int argc = 0;
    for (char *w = strtok_r(copy, " ", &save); w && argc < 63; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    FILE *out = open_memstream(&s.out, &n_out), *err = open_memstream(&s.err, &n_err);
    s.status = chy_cli_run(argc, argv, out, err);
    fclose(out);
    fclose(err);
    free(copy);
    return s;
}

static void expect(const char *line, int status, const char *out, const char *err)
{
    struct said s = run(line);
    if (s.status != status || (out && !strstr(s.out, out)) || (err && !strstr(s.err, err)))
        print_message("%s\nstatus %d\nout: %s\nerr: %s\n", line, s.status, s.out, s.err);
    assert_int_equal(s.status, status);
    if (out) assert_non_null(strstr(s.out, out));
    if (err) assert_non_null(strstr(s.err, err));
    free(s.out);
    free(s.err);
}

static void test_help(void **state)
{
    (void)state;
    expect("chancery --version", 0, "chancery ", NULL);
    expect("chancery --help", 0, "chancery request submit FILE|-", NULL);
    expect("chancery request --help", 0, "--profile P", NULL);
    expect("chancery ca init -h", 0, "--permit K:V", NULL);
    expect("chancery", 2, NULL, "usage:");
}

static void test_usage(void **state)
{
    static const char *const rows[][2] = {
        {"chancery frob",
         "there is nothing called \"frob\"; there are: ca request cert crl module"},
        {"chancery cert renew 0a", "there is no verb \"cert renew\"; there are: list show revoke"},
        {"chancery cert", "cert: a verb is expected: list show revoke release"},
        {"chancery ca list extra", "ca list  is expected"},
        {"chancery request show", "request show ID is expected"},
        {"chancery request show 0", "a positive number is expected"},
        {"chancery request show 1 --bogus", "--bogus is no option of request show"},
        {"chancery request list --limit", "--limit: a value is missing"},
        {"chancery request list --limit 1 --limit 2", "--limit is given twice"},
        {"chancery request list --limit 0", "a number from 1 to 1000 is expected"},
        {"chancery request retrieve 1 --chain=x", "--chain takes no value"},
        {"chancery request show -x 1", "-x: options begin with two dashes"},
        {"chancery request new --subject CN=x", "--out-key F is expected"},
        {"chancery request new --out-key /nonexistent/k", "--subject or a name"},
        {"chancery request new --out-key /nonexistent/k --ip 1.2.3",
         "--ip \"1.2.3\": no such name"},
        {"chancery request set-attr 1 x", "NAME:VALUE is expected"},
        {"chancery request set-attr 1 a:b a:c", "attribute \"a\" is given twice"},
        {"chancery request set-ext 1 1.2.3", "either --hex H or --file F"},
        {"chancery request set-ext 1 1.2.3 --hex 0", "--hex: an even number"},
        {"chancery cert show zz", "an even number of hexadecimal digits"},
        {"chancery cert revoke zz", "an even number of hexadecimal digits"},
        {"chancery cert revoke", "either SERIAL or --where EXPR"},
        {"chancery cert revoke 0a --where a=1", "either SERIAL or --where EXPR"},
        {"chancery cert revoke 0a --dry-run", "--dry-run goes with --where"},
        {"chancery cert release abc", "an even number of hexadecimal digits"},
        {"chancery crl publish --shard x", "--shard x: a number from 0 to 65535"},
        {"chancery crl get --shard 65536", "--shard 65536: a number from 0 to 65535"},
        {"chancery crl get --key -1", "--key -1: a number from 0 to 65535"},
        {"chancery ca renew --key p256", "--key goes with --new-key"},
        {"chancery ca renew --days 0", "a number from 1 to 36525"},
        {"chancery ca init --dir /tmp/x", "--dir DIR and --name CN are expected"},
        {"chancery ca init --dir /tmp/x --name a --days 0", "a number from 1 to 36525"},
        {"chancery ca init --dir /tmp/x --name a --path-len 99", "a number from -1 to 16"},
        {"chancery ca list --url ftp://x", "https://HOST[:PORT] or http://HOST[:PORT]"},
        {"chancery ca list --url http://x --socket /y", "either a socket or a URL"},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++)
        expect(rows[i][0], CHY_CLI_USAGE, NULL, rows[i][1]);
}

static void test_unreachable(void **state)
{
    (void)state;
    expect("chancery --socket=/nowhere/s ca list", CHY_CLI_UNREACHABLE, NULL,
           "is chanceryd running");
    expect("chancery ca --socket /nowhere/s list --json", CHY_CLI_UNREACHABLE, NULL, "/nowhere/s");
    expect("chancery request submit /nowhere/f", CHY_CLI_NOT_FOUND, NULL, "/nowhere/f");
}

static void test_init(void **state)
{
    char dir[] = "/tmp/chy-cli-XXXXXX", line[256], path[256];
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(line, sizeof(line), "chancery ca init --dir %s --name Root/1", dir);
    expect(line, 0, "made root CA", NULL);
    expect(line, CHY_CLI_OTHER, NULL, "there is a CA already");
    snprintf(path, sizeof(path), "%s/ca/Root!002f1/key.pem", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(line, sizeof(line), "chancery --json ca init --dir %s --name Sub --parent Root/1",
             dir);
    expect(line, 0, "\"name\":\"Sub\"", NULL);
    snprintf(line, sizeof(line), "chancery ca init --dir %s --name X --parent Nobody", dir);
    expect(line, CHY_CLI_NOT_FOUND, NULL, "neither a CA's name");
    snprintf(line, sizeof(line), "chancery request new --dns a.test --out-key %s", path);
    expect(line, CHY_CLI_OTHER, NULL, "a key is not written over");
    chy_dir_remove(dir);
}

static void test_plain(void **state)
{
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, 256);
    chy_cli_add_plain(&b, "a\033[2Jb\xc2\x9b\nä");
    assert_string_equal(chy_buf_cstr(&b), "a?[2Jb??ä");
    chy_buf_reset(&b);
    chy_cli_add_plain(&b, "\xff\xc3");
    assert_string_equal(chy_buf_cstr(&b), "??");
    chy_buf_free(&b);
}

static void test_table(void **state)
{
    static const char *const titles[] = {"A", "LONGER", NULL};
    const char *cells[] = {"one", "äbcdefghijklmnop"};
    struct chy_cli *cli = calloc(1, sizeof(*cli));
    char *text = NULL;
    size_t n = 0;
    (void)state;
    for (unsigned width = 0; width <= 16; width += 16) {
        cli->width = width;
        cli->out = open_memstream(&text, &n);
        struct chy_table *t = chy_table_new(titles);
        chy_table_row(t, cells, "");
        chy_table_print(t, cli);
        chy_table_free(t);
        fclose(cli->out);
        assert_string_equal(text, width ? "A    LONGER\none  äbcdefghij…\n"
                                        : "A    LONGER\none  äbcdefghijklmnop\n");
        free(text);
    }
    free(cli);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_unreachable), cmocka_unit_test(test_init),
        cmocka_unit_test(test_plain),       cmocka_unit_test(test_table),
    };
    unsetenv("CHANCERY_SOCKET");
    unsetenv("CHANCERY_URL");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
