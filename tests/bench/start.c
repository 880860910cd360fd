/* How long a throwaway takes to its ready line, beside the least that a certificate of one's own
 * takes by openssl(1). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_ROUNDS = 100 };

static double now_ms(void)
{
    return (double)chy_monotonic(&chy_system_clock) / 1000.0;
}

static pid_t spawn(char *const argv[], int in, int out)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    int null = open("/dev/null", O_RDWR);
    dup2(in >= 0 ? in : null, 0);
    dup2(out >= 0 ? out : null, 1);
    dup2(null, 2);
    execvp(argv[0], argv);
    _exit(127);
}

static double one_throwaway(void)
{
    char bin[4200], line[4096], throwaway[] = "--throwaway", eof[] = "--exit-on-eof";
    int in[2], out[2];
    char *argv[] = {bin, throwaway, eof, NULL};
    bench_program("chanceryd", bin, sizeof(bin));
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) exit(1);
    double start = now_ms();
    pid_t pid = spawn(argv, in[0], out[1]);
    close(out[1]);
    bool ready = read(out[0], line, sizeof(line)) > 0;
    double ms = now_ms() - start;
    close(in[0]);
    close(in[1]);
    close(out[0]);
    waitpid(pid, NULL, 0);
    if (!ready) {
        fprintf(stderr, "bench: a throwaway did not start\n");
        exit(1);
    }
    return ms;
}

static double one_openssl(void)
{
    static char words[][32] = {"openssl",
                               "req",
                               "-x509",
                               "-newkey",
                               "ec",
                               "-pkeyopt",
                               "ec_paramgen_curve:P-256",
                               "-nodes",
                               "-subj",
                               "/CN=bench",
                               "-keyout",
                               "/dev/null",
                               "-out",
                               "/dev/null"};
    char *argv[CHY_ARRAY_LEN(words) + 1] = {NULL};
    for (size_t i = 0; i < CHY_ARRAY_LEN(words); i++)
        argv[i] = words[i];
    double start = now_ms();
    waitpid(spawn(argv, -1, -1), NULL, 0);
    return now_ms() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_start(unsigned rounds, double *throwaway_ms, double *openssl_ms)
{
    double ours[MAX_ROUNDS], theirs[MAX_ROUNDS];
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    for (unsigned i = 0; i < rounds; i++) {
        ours[i] = one_throwaway();
        theirs[i] = one_openssl();
    }
    qsort(ours, rounds, sizeof(double), by_value);
    qsort(theirs, rounds, sizeof(double), by_value);
    *throwaway_ms = ours[rounds / 2];
    *openssl_ms = theirs[rounds / 2];
}
