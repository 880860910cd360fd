/* Lists of texts, and the file of names that are denied. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules.h"

enum { FILE_MAX = 4 << 20 };

bool texts_add(struct texts *t, const char *s)
{
    char **more = realloc(t->v, (t->n + 1) * sizeof *more);
    if (!more) return false;
    t->v = more;
    more[t->n] = strdup(s);
    if (!more[t->n]) return false;
    t->n++;
    return true;
}

bool texts_have(const struct texts *t, const char *s)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strcasecmp(t->v[i], s)) return true;
    return false;
}

void texts_free(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->v[i]);
    free(t->v);
    *t = (struct texts){0};
}

static const char *add_lines(struct settings *s, char *text, struct patterns *into)
{
    unsigned number = 0;
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        number++;
        line[strcspn(line, "#\r")] = 0;
        line += strspn(line, " \t");
        size_t n = strlen(line);
        while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
            line[--n] = 0;
        const char *rule = n ? patterns_add(into, line) : NULL;
        if (!rule) continue;
        /* Without the line: the file may be one that is not for the log. */
        snprintf(s->why, sizeof s->why, "names a file whose line %u %.200s", number, rule);
        return s->why;
    }
    return NULL;
}

static bool read_whole(int fd, char *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = read(fd, to + got, n - got);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        got += (size_t)k;
    }
    to[n] = 0;
    return strlen(to) == n;
}

const char *deny_file_read(struct settings *s, const char *path, struct patterns *into)
{
    struct stat st;
    if (path[0] != '/') return "is not an absolute path";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        snprintf(s->why, sizeof s->why, "names a file that cannot be opened: %s", strerror(errno));
        return s->why;
    }
    const char *rule = NULL;
    char *text = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        rule = "names what is no regular file of at most 4 MiB";
    else if (st.st_mode & S_IWOTH)
        rule = "names a file that everybody may write: chmod o-w";
    else if (!(text = malloc((size_t)st.st_size + 1)))
        rule = "needs more memory than there is";
    else if (!read_whole(fd, text, (size_t)st.st_size))
        rule = "names a file that could not be read whole, or has a NUL inside";
    else
        rule = add_lines(s, text, into);
    free(text);
    close(fd);
    return rule;
}
