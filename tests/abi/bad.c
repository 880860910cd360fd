/* A module with one thing wrong, which the build defines: what the host must refuse, and explain.
 */
#include <chancery/module.h>

#ifndef BAD_MAGIC
#define BAD_MAGIC CHY_MODULE_MAGIC
#endif
#ifndef BAD_SIZE
#define BAD_SIZE sizeof(chy_module_info)
#endif
#ifndef BAD_ABI
#define BAD_ABI CHY_ABI_VERSION
#endif
#ifndef BAD_NAME
#define BAD_NAME "bad"
#endif
#ifndef BAD_CLASSES
#define BAD_CLASSES classes
#endif
#ifndef BAD_CREATE
#define BAD_CREATE create
#endif
#ifndef BAD_VERSION
#define BAD_VERSION "1.0"
#endif

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    (void)host, (void)class_name, (void)out;
    return CHY_REGDB_E_CLASSNOTREG;
}

static const char *const classes[] = {"Bad.Exit", NULL};

/* The first is what is tested; the second keeps every part in use. */
static const chy_module_info infos[] = {
    {BAD_MAGIC, BAD_SIZE, BAD_ABI, 0, BAD_NAME, BAD_VERSION, BAD_CLASSES, BAD_CREATE},
    {0, 0, 0, 0, NULL, NULL, classes, create}};

#ifdef BAD_ENTRY
CHY_MODULE_EXPORT const chy_module_info *BAD_ENTRY(void);
const chy_module_info *BAD_ENTRY(void)
#else
const chy_module_info *chy_module_entry(void)
#endif
{
#ifdef BAD_NULL
    return infos[1].create ? NULL : infos;
#else
    return infos;
#endif
}
