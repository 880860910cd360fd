/* chancery-modtest: a module, and plays that call it. Each play runs in a process of its own, so
 * that a crash costs that play alone. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "modtest/play.h"
#include "modtest/report.h"

enum { MAX_SETS = 256, STATUS_USAGE = 2 };

static const char help[] =
    "usage: chancery-modtest [options] [MODULE.so] FILE.play...\n"
    "Hosts a policy or exit module without a CA and runs plays: texts of calls and of what is\n"
    "expected of them (chancery-modtest(1), docs/modules.md).\n"
    "  --direct | --late | --both   how the module is called (default: as the daemon would)\n"
    "  --set NAME=VALUE             a setting of the module, before those of the play; again\n"
    "  --timeout MS                 deadline of a call (default 30000)\n"
    "  --valgrind                   run under valgrind; its errors are failures\n"
    "  --no-fork                    in one process, for a debugger\n"
    "  --tap | --json               instead of text\n"
    "  -v, --verbose                show each line and what the module logs\n"
    "exit status: 0 all as expected, 1 not all, 2 usage, or a play that makes no sense\n";

struct options {
    struct chy_play_options play;
    const char *set[MAX_SETS + 1];
    size_t n_set;
    bool both, valgrind, in_place;
    struct chy_report report;
    char module[PATH_MAX];
    char **file;
    int n_files;
};

static int usage(const char *subject, const char *why)
{
    fprintf(stderr, "chancery-modtest: %s: %s; --help shows the options\n", subject, why);
    return STATUS_USAGE;
}

static bool read_flag(struct options *o, const char *a)
{
    if (strcmp(a, "--direct") == 0)
        o->play.binding = CHY_BINDING_DIRECT;
    else if (strcmp(a, "--late") == 0)
        o->play.binding = CHY_BINDING_LATE;
    else if (strcmp(a, "--both") == 0)
        o->both = true;
    else if (strcmp(a, "--valgrind") == 0)
        o->valgrind = true;
    else if (strcmp(a, "--no-fork") == 0)
        o->in_place = true;
    else if (strcmp(a, "--tap") == 0)
        o->report.format = CHY_REPORT_TAP;
    else if (strcmp(a, "--json") == 0)
        o->report.format = CHY_REPORT_JSON;
    else if (strcmp(a, "-v") == 0 || strcmp(a, "--verbose") == 0)
        o->report.verbose = true;
    else
        return false;
    return true;
}

/* 0: go on; -1: done */
static int read_options(struct options *o, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *a = argv[i];
        int64_t n;
        if (strcmp(a, "--") == 0) {
            i++;
            break;
        }
        if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            fputs(help, stdout);
            return -1;
        }
        if (strcmp(a, "--version") == 0) {
            puts("chancery-modtest " CHY_VERSION);
            return -1;
        }
        if (read_flag(o, a)) continue;
        bool is_set = strcmp(a, "--set") == 0;
        if (!is_set && strcmp(a, "--timeout") != 0) return usage(a, "there is no such option");
        if (++i == argc) return usage(a, "a value is expected");
        if (is_set && o->n_set < MAX_SETS)
            o->set[o->n_set++] = argv[i];
        else if (!is_set && chy_play_number(argv[i], &n) && n >= 10 && n <= 3600000)
            o->play.timeout_ms = (unsigned)n;
        else
            return usage(a, "this value is not possible");
    }
    o->file = argv + i;
    o->n_files = argc - i;
    return 0;
}

static int find_module(struct options *o)
{
    size_t n = o->n_files ? strlen(o->file[0]) : 0;
    if (n > 3 && strcmp(o->file[0] + n - 3, ".so") == 0) {
        if (!realpath(o->file[0], o->module)) return usage(o->file[0], "there is no such file");
        o->play.module = o->module;
        o->file++;
        o->n_files--;
    }
    return o->n_files ? 0 : usage("nothing to do", "which play?");
}

static void read_report(struct chy_report *r, int fd)
{
    FILE *f = fdopen(fd, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while (f && (n = getline(&line, &cap, f)) > 0) {
        line[strcspn(line, "\n")] = 0;
        chy_report_line(r, line);
    }
    free(line);
    if (f) fclose(f);
}

/* In a child, which is told apart from us only by what it says and how it ends. */
static int run_apart(struct options *o, const char *file)
{
    int fd[2], status = 0;
    if (pipe(fd) != 0) return usage(strerror(errno), "no pipe");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) return usage(strerror(errno), "no process");
    if (child == 0) {
        close(fd[0]);
        exit(chy_play_run(file, &o->play, fd[1]));
    }
    close(fd[1]);
    read_report(&o->report, fd[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    chy_report_play_end(&o->report, status);
    return 0;
}

static int run_in_place(struct options *o, const char *file)
{
    FILE *kept = tmpfile();
    if (!kept) return usage(strerror(errno), "no temporary file");
    int status = chy_play_run(file, &o->play, fileno(kept));
    int fd = dup(fileno(kept));
    rewind(kept);
    if (fd >= 0) read_report(&o->report, fd);
    fclose(kept);
    chy_report_play_end(&o->report, status << 8);
    return 0;
}

static int run(struct options *o, const char *file)
{
    static const char *const names[] = {"auto", "direct", "late"};
    chy_report_play(&o->report, file, names[o->play.binding]);
    return o->in_place ? run_in_place(o, file) : run_apart(o, file);
}

static int under_valgrind(int argc, char **argv)
{
    static const char *const front[] = {"valgrind",
                                        "--quiet",
                                        "--error-exitcode=99",
                                        "--leak-check=full",
                                        "--errors-for-leak-kinds=definite",
                                        "--keep-debuginfo=yes"};
    enum { N = CHY_ARRAY_LEN(front) };
    char self[PATH_MAX];
    char **args = chy_calloc((size_t)argc + N + 1, sizeof(*args));
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (!args || n < 0) return usage(strerror(errno), "cannot start valgrind");
    self[n] = 0;
    size_t k = 0;
    for (; k < N; k++)
        args[k] = (char *)(uintptr_t)front[k];
    args[k++] = self;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--valgrind") != 0) args[k++] = argv[i];
    }
    execvp(args[0], args);
    chy_free(args);
    return usage("valgrind", "it cannot be started: install the package valgrind");
}

int main(int argc, char **argv)
{
    struct options o = {.play = {.binding = CHY_BINDING_AUTO, .timeout_ms = 30000},
                        .report = {.out = stdout}};
    int status = read_options(&o, argc, argv);
    if (status) return status < 0 ? 0 : status;
    if (o.valgrind) return under_valgrind(argc, argv);
    status = find_module(&o);
    if (status) return status;
    o.play.set = o.set;
    chy_log_setup(CHY_LOG_LEVEL_WARNING, CHY_LOG_FORMAT_TEXT);
    chy_report_begin(&o.report);
    for (int i = 0; i < o.n_files && status == 0; i++) {
        if (o.both) o.play.binding = CHY_BINDING_DIRECT;
        status = run(&o, o.file[i]);
        if (!o.both || status) continue;
        o.play.binding = CHY_BINDING_LATE;
        status = run(&o, o.file[i]);
    }
    int result = chy_report_end(&o.report);
    return status ? status : result;
}
