/* Any octets as a page of the publishing module's index, as somebody's hand or a bad disk may leave
 * it: a row goes in and comes out again, and the sweep removes no file outside of the folder. */
#include <chancery/easy_module.h>
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/exit-publish/list.c"
#include "../../modules/exit-publish/sweep.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

/* The files of the index, in memory: a page, a book and the top in either form. */
static struct kit_text kept[6];

static struct kit_text *file_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    int level = name[0] == 'p' ? 0 : name[0] == 'b' ? 1 : 2;
    must(dot != NULL);
    return &kept[2 * level + (strcmp(dot, ".html") == 0)];
}

chy_hresult read_file(const char *folder, const char *name, struct kit_text *out)
{
    const struct kit_text *t = file_of(name);
    (void)folder;
    if (!t->p) return CHY_S_FALSE;
    kit_add(out, t->p, t->n);
    return CHY_S_OK;
}

chy_hresult write_file(struct job *j, const char *folder, const char *name,
                       const struct kit_text *t)
{
    struct kit_text *k = file_of(name);
    (void)j, (void)folder;
    kit_text_free(k);
    kit_add(k, t->p, t->n);
    return CHY_S_OK;
}

chy_hresult remove_file(struct job *j, const char *folder, const char *name)
{
    must(name[0] != '.' && name[0] && !strchr(name, '/') && strlen(name) <= CERT_NAME_MAX);
    if (strcmp(folder, j->s->folder) != 0) kit_text_free(file_of(name));
    return CHY_S_OK;
}

static void say_nothing(void *host, chy_long severity, const char *text)
{
    (void)host, (void)severity, (void)text;
}

static void change_and_look(struct job *j, chy_long number)
{
    static char json[] = "{\"request_id\":7}", html[] = "<tr id=\"r7\"></tr>";
    struct row r = {.number = number,
                    .json = {.p = json, .n = sizeof json - 1},
                    .html = {.p = html, .n = sizeof html - 1}};
    const struct list_change add = {.add = &r}, drop = {.drop = &number, .n_drop = 1};
    chy_long last = -1;
    size_t left, again;
    must(list_change(j, 0, 0, &add, &left) == CHY_S_OK && list_has(&kept[0], 0, 7));
    must(list_count(&kept[0], 0, &last) == left);
    size_t n = kept[0].n;
    must(list_change(j, 0, 0, &add, &again) == CHY_S_OK && again == left && kept[0].n == n);
    must(list_change(j, 0, 0, &drop, &again) == CHY_S_OK && again == left - 1);
    must((again > 0) == (kept[0].p != NULL) && !list_has(&kept[0], 0, 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const chy_host_vtbl host_vt = {.h = {sizeof host_vt, CHY_ABI_VERSION, CHY_IID_HOST, 0},
                                          .log = say_nothing};
    const chy_host host = {&host_vt, NULL};
    char folder[] = "/f";
    struct settings s = {
        .folder = folder, .index = true, .flags = CHY_EXITPUB_FILE | CHY_EXITPUB_REMOVEOLDCERTS};
    struct index index = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct job j = {.host = &host, .s = &s, .index = &index};
    for (size_t i = 0; i < 6; i++) {
        kit_text_free(&kept[i]);
        if (i < 4) kit_add(&kept[i], data, size);
    }
    sweep(&j, 1);
    for (size_t i = 0; i < 2; i++) {
        kit_text_free(&kept[i]);
        kit_add(&kept[i], data, size);
    }
    change_and_look(&j, 7);
    for (size_t i = 0; i < 6; i++)
        kit_text_free(&kept[i]);
    return 0;
}
