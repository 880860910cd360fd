/* The default policy's reader of subject alternative names: any octets as the extension, and any
 * text as the attribute SAN. */
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/policy-default/san.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char domain[] = "*.corp.example";
static char *domains[] = {domain};

static void check(struct kit_der names)
{
    const struct profile any = {.san_types = 63, .wildcard = true, .max_names = 50};
    const struct profile confined = {.san_types = KIT_SAN_DNS,
                                     .max_names = 50,
                                     .wildcard = true,
                                     .san_names = {.v = domains, .n = 1}};
    char why[256], text[65];
    bool seen;
    if (san_check(&any, names, "a.test", &seen, why, sizeof why)) {
        if (!why[0]) abort();
        /* What the widest profile refuses, no profile takes. */
        if (!san_check(&confined, names, "a.test", &seen, why, sizeof why)) abort();
        return;
    }
    san_first_dns(names, text, sizeof text);
    if (san_check(&confined, names, "a.test", &seen, why, sizeof why)) return;
    size_t tail = sizeof domain - 2; /* the last name ends the list */
    if (names.n < tail ||
        strncasecmp((const char *)names.p + names.n - tail, domain + 1, tail) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kit_der_out out;
    if (size > 65536) return 0;
    check((struct kit_der){data, size});
    char *text = malloc(size + 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = 0;
    kit_der_start(&out);
    if (!san_from_attribute(&out, text)) check((struct kit_der){out.b, out.n});
    san_pattern_ok(text);
    kit_der_start(&out);
    if (strlen(text) < 260) san_from_text(&out, text);
    free(text);
    return 0;
}
