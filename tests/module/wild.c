/* A policy module that is at war with its host: what it does stands behind the end of its own
 * file, which a test has appended there. */
#include <chancery/easy_module.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODULE = 3, CONTROL = 4, SIDE = 5, READY = 0x43480002, ASK = 0x43480004, SIN = 32 };

static char sin_of_file[SIN + 1];

static int is(const char *sin)
{
    return strcmp(sin_of_file, sin) == 0;
}

static void *drip(void *fd)
{
    const unsigned head[2] = {*(int *)fd == SIDE ? ASK : READY, 60000};
    ssize_t n = send(*(int *)fd, head, sizeof head, MSG_NOSIGNAL);
    while (n > 0) {
        usleep(50000);
        n = send(*(int *)fd, "", 1, MSG_NOSIGNAL);
    }
    return NULL;
}

static void *flood(void *arg)
{
    static char block[65536];
    (void)arg;
    memset(block, 'x', sizeof block);
    (void)fcntl(STDERR_FILENO, F_SETPIPE_SZ, 1 << 20);
    while (write(STDERR_FILENO, block, sizeof block) >= 0)
        ;
    return NULL;
}

static void start(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, fn, arg) == 0) pthread_detach(thread);
}

/* ASK for the setting after none, before anybody knows whose settings they are. */
static void ask_early(void)
{
    const unsigned ask[] = {ASK, 24, 8, 0x7fffffff, 0, 0, 0, 0};
    char reply[256];
    if (send(SIDE, ask, sizeof ask, MSG_NOSIGNAL) > 0) (void)recv(SIDE, reply, sizeof reply, 0);
}

__attribute__((constructor)) static void at_once(void)
{
    static int control = CONTROL;
    struct stat st;
    if (fstat(MODULE, &st) != 0 || st.st_size < SIN) return;
    if (pread(MODULE, sin_of_file, SIN, st.st_size - SIN) != SIN || sin_of_file[0] != '!') return;
    memmove(sin_of_file, sin_of_file + 1, SIN);
    if (is("early")) ask_early();
    if (is("drip-start")) (void)drip(&control);
}

static chy_hresult init(chy_task *task)
{
    (void)task;
    while (is("hang"))
        pause();
    return is("busy") ? CHY_ERROR_BUSY : CHY_S_OK;
}

static chy_long verify(chy_task *task)
{
    static int side = SIDE;
    (void)task;
    if (is("drip")) start(drip, &side);
    if (is("flood")) start(flood, NULL);
    if (is("flood")) start(flood, NULL);
    if (is("slow")) usleep(700000);
    if (is("abort")) _exit(1);
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("wild", "Wild.Policy", "1.0", "At war with its host", char, init, verify);
