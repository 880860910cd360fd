/* What a shared object says of itself, read without running any of it. Thread: any; pure. */
#ifndef CHY_MODULE_ELF_H
#define CHY_MODULE_ELF_H

#include "base/base.h"

enum { CHY_ELF_MAX_NAMES = 64, CHY_ELF_MAX = 256 << 20 };

/* Texts point into the octets that were read. */
struct chy_elf {
    uint16_t machine; /* EM_* */
    const char *exported[CHY_ELF_MAX_NAMES];
    size_t n_exported; /* counted also beyond what is kept */
    const char *needed[CHY_ELF_MAX_NAMES];
    size_t n_needed;
    const char *runpath; /* DT_RUNPATH or DT_RPATH; NULL: none */
    bool stack_exec;     /* it asks for an executable stack, or does not say that it needs none */
    bool writable_code;  /* DT_TEXTREL, or a segment to be written and executed */
    bool relro, bind_now;
};

/* 64-bit objects of this machine's byte order. CHY_E_NOINTERFACE: it is none, or a broken one. */
CHY_MUST_USE chy_hresult chy_elf_read(struct chy_span file, struct chy_elf *out,
                                      struct chy_err *err);

#endif
