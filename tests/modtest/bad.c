/* A policy module with one fault, which the build defines: what an examination must find. */
#include <chancery/easy.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum fault {
    NONE,
    SLOW,     /* where it is refused something: no fault */
    LEAK,     /* a text of each call is not freed */
    CARELESS, /* a setter's failure is not looked at */
    HANG,
    CRASH, /* takes a text to be there where there is none */
    HOARD, /* callback objects are not given back */
    TWICE, /* or given back twice */
    MOVE,  /* changes the working directory */
    FILES, /* leaves a descriptor open */
    LEAVE  /* ends the process */
};

static chy_hresult init(chy_task *task)
{
    (void)task;
    return CHY_S_OK;
}

static void misuse(chy_task *task)
{
    chy_server_policy extra;
    chy_variant v = chy_variant_empty();
    if (BAD == LEAK)
        (void)task->policy.vt->get_request_property(task->policy.self, "CommonName",
                                                    CHY_PROPTYPE_STRING, &v);
    if (BAD == HOARD) (void)task->host->vt->new_server_policy(task->host->self, &extra);
    if (BAD == TWICE &&
        CHY_SUCCEEDED(task->host->vt->new_server_policy(task->host->self, &extra))) {
        extra.vt->release(extra.self);
        extra.vt->release(extra.self);
    }
    if (BAD == CRASH && CHY_SUCCEEDED(task->policy.vt->get_request_property(
                            task->policy.self, "CommonName", CHY_PROPTYPE_STRING, &v))) {
        if (v.vt != CHY_VT_STR) raise(SIGSEGV);
        task->host->vt->variant_clear(&v);
    }
    if (BAD == MOVE && chdir("/") != 0) return;
    if (BAD == FILES) (void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (BAD == LEAVE) exit(3);
    while (BAD == HANG)
        sleep(1);
}

static chy_long verify(chy_task *task)
{
    misuse(task);
    chy_hresult hr = chy_set_text(task, "CommonName", "www.example.test");
    if (BAD == SLOW && CHY_FAILED(hr) && *(char *)task->state < 8) {
        ++*(char *)task->state;
        usleep(150000);
    }
    if (BAD == CARELESS) task->failed = CHY_S_OK;
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("bad", "Bad.Policy", "1.0", "With a fault", char, init, verify);

#if BAD_EXPORT
CHY_MODULE_EXPORT int another_name(void);
int another_name(void)
{
    return 0;
}
#endif
