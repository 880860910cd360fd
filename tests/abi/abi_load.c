/* What the host says of module files. Arguments come in pairs, FILE TEXT: the report must have TEXT
 * in it; or, where TEXT starts with '!', the file must be refused with a message that has it. */
#include <stdio.h>
#include <string.h>

#include "module/module.h"

static int check(const char *path, const char *text)
{
    struct chy_err err = {0};
    struct chy_buf out;
    chy_buf_init(&out, 65536);
    chy_hresult hr = chy_module_check(path, &out, &err);
    const char *report = chy_buf_cstr(&out);
    const char *said = CHY_FAILED(hr) ? err.text : report ? report : "";
    bool refused = *text == '!';
    bool ok = CHY_FAILED(hr) == refused && strstr(said, text + refused) != NULL;
    printf("%s %s: %s\n%s\n", ok ? "ok  " : "FAIL", path, refused ? "refused" : "loads", said);
    if (!ok) printf("     expected: %s\n", text);
    chy_buf_free(&out);
    return ok;
}

int main(int argc, char **argv)
{
    int wrong = 0;
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "usage: abi_load FILE TEXT [FILE !TEXT]...\n");
        return 2;
    }
    for (int i = 1; i + 1 < argc; i += 2)
        wrong += !check(argv[i], argv[i + 1]);
    return wrong != 0;
}
