/* An exit module that writes down what it is told, and misbehaves as its settings say. Compiled
 * with NAME, a text. One line for each call: EventID, attempt, request, event, what came of it,
 * EventName. */
#include <chancery/easy_module.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct sink {
    char file[300], refuse[300];
    chy_long sleep_ms, poison, only;
};

static chy_hresult init(chy_task *task, chy_long *events)
{
    struct sink *s = task->state;
    (void)chy_setting_text(task->host, "File", "", s->file, sizeof s->file);
    (void)chy_setting_text(task->host, "RefuseWhile", "", s->refuse, sizeof s->refuse);
    (void)chy_setting_long(task->host, "SleepMs", 0, &s->sleep_ms);
    (void)chy_setting_long(task->host, "Poison", 0, &s->poison);
    (void)chy_setting_long(task->host, "Only", 0, &s->only);
    *events = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTDENIED | CHY_EXITEVENT_CERTPENDING |
              CHY_EXITEVENT_CERTREVOKED | CHY_EXITEVENT_CRLISSUED;
    return CHY_S_OK;
}

/* Properties of an event are those of the request, or at context 0 of the CA. */
static void about(chy_task *task, char *id, size_t size, chy_long *attempt)
{
    *attempt = 0;
    if (task->context) {
        (void)chy_request_text(task, "EventID", id, size);
        (void)chy_request_long(task, "EventAttempt", attempt);
    } else {
        (void)chy_cert_text(task, "EventID", id, size);
        (void)chy_cert_long(task, "EventAttempt", attempt);
    }
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    struct sink *s = task->state;
    char id[100] = "", name[40] = "", line[400];
    chy_long attempt = 0, request = 0;
    about(task, id, sizeof id, &attempt);
    if (task->context) (void)chy_request_long(task, "RequestID", &request);
    if (task->context) (void)chy_request_text(task, "EventName", name, sizeof name);
    int refused = (s->refuse[0] && access(s->refuse, F_OK) == 0) ||
                  (s->poison && s->poison == request) || (s->only && s->only != request);
    if (s->sleep_ms) usleep((useconds_t)s->sleep_ms * 1000);
    int n = snprintf(line, sizeof line, "%s %d %d %d %s %s\n", id, (int)attempt, (int)request,
                     (int)event, refused ? "refused" : "taken", name);
    int fd = open(s->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)n) != n) refused = 1;
    if (fd >= 0) close(fd);
    return refused ? CHY_E_FAIL : CHY_S_OK;
}

CHY_EXIT_MODULE(NAME, "Sink.Exit", "1.0", "Writes down what it is told", struct sink, init, notify);
