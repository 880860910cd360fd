/* Steps that the tests of several modules take. */
#include "host.h"

#include <ftw.h>
#include <sys/stat.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int fake_remove(const char *folder)
{
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

chy_hresult fake_exit_initialize(const char *module, const char *class_name, chy_long *mask)
{
    chy_object o = fake_create(module, class_name);
    chy_hresult hr = fake_exit_table(&o)->initialize(o.self, "c", mask);
    fake_exit_table(&o)->release(o.self);
    return hr;
}

chy_hresult fake_exit_notify(const char *module, const char *class_name, chy_long event,
                             chy_long context)
{
    chy_long mask;
    chy_object o = fake_create(module, class_name);
    const chy_exit_vtbl *e = fake_exit_table(&o);
    if (e->initialize(o.self, "c", &mask) != CHY_S_OK) fail_msg("%s", fake.log);
    fake.log[0] = 0;
    chy_hresult hr = e->notify(o.self, event, context);
    e->release(o.self);
    return hr;
}
