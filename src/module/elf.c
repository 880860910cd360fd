/* ELF (System V gABI, chapters 4 and 5), as far as the linkage of a shared object goes. Every
 * offset is hostile: what lies outside of the file is not there. */
#include "module/elf.h"

#include <elf.h>
#include <string.h>

struct reader {
    struct chy_span file;
    Elf64_Ehdr head;
    struct chy_span dynamic, strings, symbols;
    struct chy_elf *out;
    struct chy_err *err;
};

static bool read_at(const struct reader *in, uint64_t at, void *out, size_t n)
{
    if (at > in->file.n || n > in->file.n - at) return false;
    memcpy(out, in->file.p + at, n);
    return true;
}

static chy_hresult broken(struct reader *in, const char *what)
{
    return chy_fail(in->err, CHY_E_NOINTERFACE, "it is no shared object that can be read: %s",
                    what);
}

static struct chy_span part(const struct reader *in, uint64_t at, uint64_t n)
{
    if (at > in->file.n || n > in->file.n - at) return (struct chy_span){0};
    return chy_span_of(in->file.p + at, (size_t)n);
}

/* NULL where the text does not end inside of its table. */
static const char *text_at(struct chy_span strings, uint64_t at)
{
    if (at >= strings.n || !memchr(strings.p + at, 0, strings.n - at)) return NULL;
    return (const char *)strings.p + at;
}

static chy_hresult read_head(struct reader *in)
{
    static const uint16_t one = 1;
    uint8_t order = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    if (!read_at(in, 0, &in->head, sizeof(in->head)) ||
        memcmp(in->head.e_ident, ELFMAG, SELFMAG) != 0)
        return broken(in, "not ELF");
    if (in->head.e_ident[EI_CLASS] != ELFCLASS64 || in->head.e_ident[EI_DATA] != order)
        return broken(in, "for a machine of another kind");
    if (in->head.e_type != ET_DYN) return broken(in, "not linked as a shared object (-shared)");
    if (in->head.e_phentsize != sizeof(Elf64_Phdr) || in->head.e_shentsize != sizeof(Elf64_Shdr))
        return broken(in, "its headers have another size");
    in->out->machine = in->head.e_machine;
    return CHY_S_OK;
}

static chy_hresult read_segments(struct reader *in)
{
    in->out->stack_exec = true;
    for (unsigned i = 0; i < in->head.e_phnum; i++) {
        Elf64_Phdr p;
        if (!read_at(in, in->head.e_phoff + (uint64_t)i * sizeof(p), &p, sizeof(p)))
            return broken(in, "its segments lie outside of the file");
        if (p.p_type == PT_DYNAMIC) in->dynamic = part(in, p.p_offset, p.p_filesz);
        if (p.p_type == PT_GNU_STACK) in->out->stack_exec = (p.p_flags & PF_X) != 0;
        if (p.p_type == PT_GNU_RELRO) in->out->relro = true;
        if (p.p_type == PT_LOAD && (p.p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
            in->out->writable_code = true;
    }
    return in->dynamic.n ? CHY_S_OK : broken(in, "it has no dynamic section");
}

/* The section headers name the symbol table with its length, which the segments do not say. */
static chy_hresult find_symbols(struct reader *in)
{
    for (unsigned i = 0; i < in->head.e_shnum; i++) {
        Elf64_Shdr s, link;
        if (!read_at(in, in->head.e_shoff + (uint64_t)i * sizeof(s), &s, sizeof(s)))
            return broken(in, "its sections lie outside of the file");
        if (s.sh_type != SHT_DYNSYM) continue;
        in->symbols = part(in, s.sh_offset, s.sh_size);
        if (s.sh_link >= in->head.e_shnum ||
            !read_at(in, in->head.e_shoff + (uint64_t)s.sh_link * sizeof(link), &link,
                     sizeof(link)))
            return broken(in, "its symbols have no names");
        in->strings = part(in, link.sh_offset, link.sh_size);
    }
    return in->strings.n ? CHY_S_OK : broken(in, "it has no table of dynamic symbols");
}

static void keep(const char **list, size_t *n, const char *name)
{
    if (*n < CHY_ELF_MAX_NAMES) list[*n] = name;
    (*n)++;
}

static chy_hresult read_symbols(struct reader *in)
{
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= in->symbols.n; at += sizeof(Elf64_Sym)) {
        Elf64_Sym s;
        memcpy(&s, in->symbols.p + at, sizeof(s));
        const char *name = text_at(in->strings, s.st_name);
        bool is_local = ELF64_ST_BIND(s.st_info) == STB_LOCAL;
        bool is_hidden = ELF64_ST_VISIBILITY(s.st_other) == STV_HIDDEN ||
                         ELF64_ST_VISIBILITY(s.st_other) == STV_INTERNAL;
        if (s.st_shndx == SHN_UNDEF || is_local || is_hidden || !s.st_name) continue;
        if (!name) return broken(in, "a symbol's name lies outside of its table");
        keep(in->out->exported, &in->out->n_exported, name);
    }
    return CHY_S_OK;
}

static chy_hresult read_dynamic(struct reader *in)
{
    struct chy_elf *out = in->out;
    for (size_t at = 0; at + sizeof(Elf64_Dyn) <= in->dynamic.n; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn d;
        memcpy(&d, in->dynamic.p + at, sizeof(d));
        if (d.d_tag == DT_NULL) break;
        bool is_text = d.d_tag == DT_NEEDED || d.d_tag == DT_RPATH || d.d_tag == DT_RUNPATH;
        const char *name = is_text ? text_at(in->strings, d.d_un.d_val) : NULL;
        if (is_text && !name) return broken(in, "the name of a library lies outside of its table");
        if (d.d_tag == DT_NEEDED) keep(out->needed, &out->n_needed, name);
        if (d.d_tag == DT_RPATH || d.d_tag == DT_RUNPATH) out->runpath = name;
        if (d.d_tag == DT_TEXTREL) out->writable_code = true;
        if (d.d_tag == DT_BIND_NOW) out->bind_now = true;
        if (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_TEXTREL) out->writable_code = true;
        if (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_BIND_NOW) out->bind_now = true;
        if (d.d_tag == DT_FLAGS_1 && d.d_un.d_val & DF_1_NOW) out->bind_now = true;
    }
    return CHY_S_OK;
}

chy_hresult chy_elf_read(struct chy_span file, struct chy_elf *out, struct chy_err *err)
{
    struct reader in = {.file = file, .out = out, .err = err};
    *out = (struct chy_elf){0};
    chy_hresult hr = read_head(&in);
    if (hr == CHY_S_OK) hr = read_segments(&in);
    if (hr == CHY_S_OK) hr = find_symbols(&in);
    if (hr == CHY_S_OK) hr = read_symbols(&in);
    return hr == CHY_S_OK ? read_dynamic(&in) : hr;
}
