/* An exit module without direct members: everything comes by name, through invoke. It appends
 * serial number and reason of each revocation to the file that the setting File names. */
#include <chancery/easy.h>
#include <stdio.h>

static chy_hresult init(chy_task *task, chy_long *events)
{
    (void)task;
    *events = CHY_EXITEVENT_CERTREVOKED;
    return CHY_S_OK;
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    char file[1024], serial[64];
    chy_long reason;
    (void)event; /* there is one */
    chy_setting_text(task->host, "File", "", file, sizeof file);
    chy_cert_text(task, "SerialNumber", serial, sizeof serial);
    chy_request_long(task, "RevokedReason", &reason);
    FILE *f = file[0] == '/' ? fopen(file, "a") : NULL;
    if (!f) return CHY_ERROR_FILE_NOT_FOUND;
    fprintf(f, "%s %d\n", serial, (int)reason);
    return fclose(f) == 0 ? CHY_S_OK : CHY_ERROR_IO_DEVICE;
}

/* Counterpart of IDispatch::Invoke: method names without case, arguments checked one by one. */
static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    chy_module_object *o = self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long events = 0;
    chy_hresult hr;
    if (chy_late_is(&c, "Initialize", "s>")) {
        hr = chy_late_long(result, chy_module_start(o, &events), CHY_EXITEVENT_CERTREVOKED);
    } else if (chy_late_is(&c, "Notify", "ll")) {
        hr = chy_exit_class_notify(o, args[0].u.l, args[1].u.l);
    } else {
        hr = chy_module_invoke(o, &c, result); /* GetDescription, GetManageModule */
    }
    return chy_late_end(o, &c, hr, excep);
}

static const chy_exit_vtbl chy_own_table = {CHY_MODULE_HEADER(chy_exit_vtbl, CHY_IID_EXIT),
                                            chy_module_release,
                                            invoke,
                                            NULL,
                                            NULL,
                                            NULL,
                                            NULL};
CHY_MODULE_COMMON("exit-revoked", "ExitRevoked.Exit", "1.0", "Serial numbers of the revoked", char,
                  NULL, NULL, init, notify, NULL);
