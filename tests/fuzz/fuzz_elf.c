/* Any octets as a module file: what is read of it lies inside of it, and ends. */
#include <stdlib.h>
#include <string.h>

#include "module/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void inside(const char *text, const uint8_t *data, size_t size)
{
    const uint8_t *p = (const uint8_t *)text;
    must(p >= data && p < data + size && strlen(text) < (size_t)(data + size - p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_elf e;
    struct chy_err err = {0};
    chy_hresult hr = chy_elf_read(chy_span_of(data, size), &e, &err);
    must(hr == CHY_S_OK ? !err.text[0] : err.text[0] != 0);
    for (size_t i = 0; i < e.n_exported && i < CHY_ELF_MAX_NAMES; i++)
        inside(e.exported[i], data, size);
    for (size_t i = 0; i < e.n_needed && i < CHY_ELF_MAX_NAMES; i++)
        inside(e.needed[i], data, size);
    if (e.runpath) inside(e.runpath, data, size);
    return 0;
}
