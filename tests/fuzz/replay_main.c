/* Feeds every file of the folders named on the command line to a fuzz target: the corpus as a test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_OCTETS = 1 << 20 };

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_OCTETS);
    int result = -1;
    if (f && data) {
        size_t n = fread(data, 1, INPUT_OCTETS, f);
        /* A block of the exact size lets the sanitizer see a read past the end. */
        uint8_t *exact = malloc(n ? n : 1);
        for (size_t i = 0; exact && i < n; i++)
            exact[i] = data[i];
        result = exact ? LLVMFuzzerTestOneInput(exact, n) : -1;
        free(exact);
    }
    free(data);
    if (f) fclose(f);
    return result;
}

static int replay_folder(const char *folder, unsigned *count)
{
    int result = 0;
    DIR *d = opendir(folder);
    if (!d) return -1;
    for (struct dirent *e; result == 0 && (e = readdir(d));) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof(path)) continue;
        result = replay_file(path);
        if (result != 0) fprintf(stderr, "failed: %s\n", path);
        (*count)++;
    }
    closedir(d);
    return result;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        if (replay_folder(argv[i], &count) != 0) return 1;
    }
    printf("%u inputs\n", count);
    return count ? 0 : 1;
}
