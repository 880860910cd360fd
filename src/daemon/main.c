/* chanceryd. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/serve.h"

/* P16: keys and tokens are in memory; a core file would carry them away. */
static void no_core_dumps(void)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef CHY_FAULTS
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the sanitizers' builds need ptrace */
#endif
}

static int say(int status, const struct chy_err *err)
{
    fprintf(stderr, "chanceryd: %s\n", err->text[0] ? err->text : "failed");
    return status;
}

static int start_status(const struct chy_err *err)
{
    return err->code == CHY_E_INVALIDARG ? CHY_EXIT_CONFIG : CHY_EXIT_START;
}

static chy_hresult add_loopback_listeners(struct chy_options *o)
{
    if (!o->n_http) o->http[o->n_http++] = chy_strdup("127.0.0.1:0");
    if (!o->n_https) o->https[o->n_https++] = chy_strdup("127.0.0.1:0");
    return o->http[0] && o->https[0] ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static int serve(struct chy_options *o)
{
    struct chy_err err = {0};
    static char temp[4096]; /* lives as long as the process: the daemon's folder */
    struct chy_daemon *d = chy_calloc(1, sizeof(*d));
    int status = CHY_EXIT_OK;
    if (!d) {
        chy_fail_nomem(&err, "daemon");
        return say(CHY_EXIT_START, &err);
    }
    d->options = o;
    d->dir = o->dir;
    chy_hresult hr = CHY_S_OK;
    if (o->throwaway) {
        hr = add_loopback_listeners(o);
        if (hr == CHY_S_OK) hr = chy_throwaway_make(d, temp, sizeof(temp), &err);
        d->dir = temp;
    }
    if (hr == CHY_S_OK) hr = chy_daemon_start(d, &err);
    if (hr == CHY_S_OK) {
        if (o->throwaway) chy_throwaway_announce(d);
        hr = chy_daemon_run(d, &err);
    }
    if (hr != CHY_S_OK) status = say(start_status(&err), &err);
    chy_daemon_stop(d);
    if (o->throwaway && temp[0]) chy_dir_remove(temp);
    chy_free(d);
    return status;
}

int main(int argc, char **argv)
{
    struct chy_options o;
    struct chy_err err = {0};
    no_core_dumps();
    chy_mem_for_years();
    umask(077);
    int rc = chy_options_read(&o, argc, argv, &err);
    if (rc != CHY_EXIT_OK) {
        say(rc, &err);
    } else if (o.help) {
        fputs(chy_options_usage, stdout);
    } else if (o.version) {
        puts("chanceryd " CHY_VERSION);
    } else {
        if (o.throwaway && o.log_level == CHY_LOG_LEVEL_INFO) o.log_level = CHY_LOG_LEVEL_WARNING;
        chy_log_setup(o.log_level, o.log_format);
        rc = serve(&o);
    }
    chy_options_free(&o);
    return rc;
}
