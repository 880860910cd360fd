/* The log: one line per event, written with one write(2); to the journal as fields under systemd.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/sys.h"
#include "base/text.h"

enum { LINE_MAX_LEN = 8192, MAX_FIELDS = 16 };

static atomic_int max_level = CHY_LOG_LEVEL_INFO;
static atomic_int log_format = CHY_LOG_FORMAT_TEXT;

void chy_log_setup(enum chy_log_level max, enum chy_log_format format)
{
    atomic_store(&max_level, (int)max);
    atomic_store(&log_format, (int)format);
}

bool chy_log_on(enum chy_log_level level)
{
    return (int)level <= atomic_load(&max_level);
}

static const char *name_of(enum chy_log_level level)
{
    static const char *const names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};
    return names[level];
}

static bool is_plain(const char *v)
{
    size_t left = strlen(v), n;
    if (!left || strpbrk(v, " \"=\\")) return false;
    for (; left; v += n, left -= n) {
        if (!(n = chy_utf8_printable(chy_span_of(v, left)))) return false;
    }
    return true;
}

static void add_value(struct chy_buf *b, const char *v)
{
    if (is_plain(v)) {
        chy_buf_add_str(b, v);
        return;
    }
    chy_buf_add_byte(b, '"');
    for (size_t left = strlen(v), n; left; v += n, left -= n) {
        n = chy_utf8_printable(chy_span_of(v, left));
        if (!n) {
            n = 1;
            chy_buf_addf(b, "\\x%02x", (unsigned char)*v);
            continue;
        }
        if (*v == '"' || *v == '\\') chy_buf_add_byte(b, '\\');
        chy_buf_add(b, v, n);
    }
    chy_buf_add_byte(b, '"');
}

struct field {
    const char *key, *value;
};

static void add_fields(struct chy_buf *b, const struct field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        chy_buf_addf(b, " %s=", f[i].key);
        add_value(b, f[i].value);
    }
}

static void write_text(struct chy_buf *b, enum chy_log_level level, const char *event,
                       const struct field *f, size_t n)
{
    char when[32];
    chy_time_format(when, chy_now(&chy_system_clock));
    chy_buf_addf(b, "%s %s %s", when, name_of(level), event);
    add_fields(b, f, n);
}

static void write_json(struct chy_buf *b, enum chy_log_level level, const char *event,
                       const struct field *f, size_t n)
{
    struct chy_json j;
    chy_json_begin(&j, b);
    chy_json_object(&j, NULL);
    chy_json_add_time(&j, "time", chy_now(&chy_system_clock));
    chy_json_add_str(&j, "level", name_of(level));
    chy_json_add_str(&j, "event", event);
    for (size_t i = 0; i < n; i++)
        chy_json_add_str(&j, f[i].key, f[i].value);
    chy_json_end(&j, '}');
}

static bool to_journal(enum chy_log_level level, const char *event, const struct field *f, size_t n)
{
    static const int priority[] = {3, 4, 6, 7};
    char text[MAX_FIELDS + 3][1024];
    struct iovec v[MAX_FIELDS + 3];
    size_t used = 0;
    snprintf(text[used++], sizeof(text[0]), "PRIORITY=%d", priority[level]);
    snprintf(text[used++], sizeof(text[0]), "CHANCERY_EVENT=%s", event);
    for (size_t i = 0; i < n; i++) {
        snprintf(text[used], sizeof(text[0]), "CHANCERY_%s=%s", f[i].key, f[i].value);
        for (char *c = text[used]; *c && *c != '='; c++) {
            if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
            if (*c == '.' || *c == '-') *c = '_';
        }
        used++;
    }
    for (size_t i = 0; i < used; i++)
        v[i] = (struct iovec){text[i], strlen(text[i])};
    struct chy_buf message; /* escaped: people read it as one line */
    chy_buf_init(&message, LINE_MAX_LEN);
    chy_buf_addf(&message, "MESSAGE=%s", event);
    add_fields(&message, f, n);
    v[used++] = (struct iovec){message.p, message.n};
    bool sent = message.n && chy_systemd_journal(v, (int)used);
    chy_buf_free(&message);
    return sent;
}

void chy_log(enum chy_log_level level, const char *event, ...)
{
    struct field f[MAX_FIELDS];
    size_t n = 0;
    if (!chy_log_on(level)) return;
    va_list ap;
    va_start(ap, event);
    const char *key;
    while (n < MAX_FIELDS && (key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        f[n++] = (struct field){key, value ? value : ""};
    }
    va_end(ap);
    int format = atomic_load(&log_format);
    if (format == CHY_LOG_FORMAT_JOURNAL && to_journal(level, event, f, n)) return;
    struct chy_buf b;
    chy_buf_init(&b, LINE_MAX_LEN);
    if (format == CHY_LOG_FORMAT_JSON) {
        write_json(&b, level, event, f, n);
        if (b.failed) { /* half an object is of no use to anybody */
            chy_buf_reset(&b);
            write_json(&b, level, event, &(struct field){"truncated", "true"}, 1);
        }
    } else {
        write_text(&b, level, event, f, n);
    }
    b.failed = false; /* a line over the limit is cut, but it stays one line */
    b.max++;
    chy_buf_add_byte(&b, '\n');
    ssize_t ignored = write(STDERR_FILENO, b.p, b.n);
    (void)ignored;
    chy_buf_free(&b);
}
