/* An exit module: one line per issued certificate, columns between tabs, appended to the file that
 * the setting File names. An event may come again after a crash: so may its line. */
#include <chancery/easy.h>
#include <stdio.h>

struct journal {
    char file[1024];
};

static chy_hresult init(chy_task *task, chy_long *events)
{
    struct journal *j = task->state;
    chy_hresult hr = chy_setting_text(task->host, "File", "", j->file, sizeof j->file);
    if (CHY_FAILED(hr) || j->file[0] != '/') {
        chy_say(task, CHY_LOG_ERROR, "example-exit: set File to an absolute path");
        return CHY_E_INVALIDARG;
    }
    *events = CHY_EXITEVENT_CERTISSUED;
    return CHY_S_OK;
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    const struct journal *j = task->state;
    char serial[64], name[256], requester[256], until[CHY_TIME_TEXT];
    chy_long id;
    chy_time not_after;
    if (event != CHY_EXITEVENT_CERTISSUED) return CHY_S_OK;
    chy_request_long(task, "RequestID", &id);
    chy_request_text(task, "RequesterName", requester, sizeof requester);
    chy_cert_text(task, "SerialNumber", serial, sizeof serial);
    chy_cert_text(task, "CommonName", name, sizeof name);
    chy_cert_time(task, "NotAfter", &not_after);
    chy_time_text(not_after, until);

    FILE *f = fopen(j->file, "a");
    if (!f) return CHY_ERROR_FILE_NOT_FOUND;
    fprintf(f, "%d\t%s\t%s\t%s\t%s\n", (int)id, serial, chy_text_one_line(name),
            chy_text_one_line(requester), until);
    return fclose(f) == 0 ? CHY_S_OK : CHY_ERROR_IO_DEVICE;
}

CHY_EXIT_MODULE("example-exit", "ExampleExit.Exit", "1.0", "Writes a line per issued certificate",
                struct journal, init, notify);
