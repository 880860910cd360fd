/* What a new module's folder is made of: the files of conf/module, built in. */
#ifndef CHY_CLI_TEMPLATES_H
#define CHY_CLI_TEMPLATES_H

#include "base/base.h"

struct chy_template {
    const char *name; /* "policy.c" */
    const uint8_t *p;
    size_t n;
};
extern const struct chy_template chy_templates[];
extern const size_t chy_n_templates;

#endif
