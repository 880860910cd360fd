/* An exit module: how many certificates were issued and revoked since the daemon started, in the
 * text format of Prometheus, for the textfile collector of its node exporter. File names the file;
 * it is replaced as a whole. GetProperty("Issued") says the number, too. */
#define CHY_MODULE_PROPERTY property
#include <chancery/easy.h>
#include <stdio.h>

struct counts {
    char file[1024], temp[1040];
    long issued, revoked;
};

static chy_hresult property(void *state, const char *name, char *out, size_t size)
{
    const struct counts *c = state;
    if (!chy_text_same(name, "Issued")) return CHY_S_FALSE;
    snprintf(out, size, "%ld", c->issued);
    return CHY_S_OK;
}

static chy_hresult init(chy_task *task, chy_long *events)
{
    struct counts *c = task->state;
    chy_hresult hr = chy_setting_text(task->host, "File", "", c->file, sizeof c->file);
    snprintf(c->temp, sizeof c->temp, "%s.new", c->file);
    if (CHY_FAILED(hr) || c->file[0] != '/') {
        chy_say(task, CHY_LOG_ERROR, "exit-count: set File to an absolute path");
        return CHY_E_INVALIDARG;
    }
    *events = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTREVOKED;
    return CHY_S_OK;
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    struct counts *c = task->state;
    chy_long attempt = 1;
    (void)chy_request_long(task, "EventAttempt", &attempt);
    if (attempt <= 1) (event == CHY_EXITEVENT_CERTISSUED ? c->issued++ : c->revoked++);
    FILE *f = fopen(c->temp, "w");
    if (!f) return CHY_ERROR_FILE_NOT_FOUND; /* the event comes again */
    fprintf(f,
            "# TYPE chancery_issued_total counter\nchancery_issued_total %ld\n"
            "# TYPE chancery_revoked_total counter\nchancery_revoked_total %ld\n",
            c->issued, c->revoked);
    int bad = ferror(f);
    return fclose(f) == 0 && !bad && rename(c->temp, c->file) == 0 ? CHY_S_OK : CHY_ERROR_IO_DEVICE;
}

CHY_EXIT_MODULE("exit-count", "ExitCount.Exit", "1.0", "Counts what is issued, for Prometheus",
                struct counts, init, notify);
