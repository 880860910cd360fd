#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mail.h"

enum { WORD_OCTETS = 39, LINE_MAX = 76, PLAIN_MAX = 60 };

static bool is_plain(const char *s, size_t n)
{
    size_t word = 0;
    for (size_t i = 0; i < n; i++) {
        word = s[i] == ' ' ? 0 : word + 1;
        if (s[i] < 0x20 || s[i] > 0x7e || word > PLAIN_MAX) return false;
    }
    bool edges = n && (s[0] == ' ' || s[n - 1] == ' ');
    return !edges && !strstr(s, "=?") && !strstr(s, "  ");
}

/* RFC 5322 2.2.3: a line end may stand in front of a blank; the blank stays. */
static void add_folded(struct kit_text *out, const char *s, size_t n, size_t column)
{
    for (size_t i = 0; i < n;) {
        size_t word = 1;
        while (i + word < n && s[i + word] != ' ')
            word++;
        if (i && s[i] == ' ' && word > 1 && column + word > LINE_MAX) {
            kit_add_str(out, "\r\n");
            column = 0;
        }
        kit_add(out, s + i, word);
        column += word;
        i += word;
    }
}

/* RFC 2047 2: encoded words of at most 75 characters, none of which cuts a character in two; each
 * stands on a line of its own. */
static void add_encoded(struct kit_text *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = n - i < WORD_OCTETS ? n - i : WORD_OCTETS;
        while (i + len < n && len > 1 && ((unsigned char)s[i + len] & 0xc0) == 0x80)
            len--;
        kit_add_str(out, i ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        kit_add_base64(out, s + i, len);
        kit_add_str(out, "?=");
        i += len;
    }
}

/* What could be read as anything else is encoded, and so is all that a header must not hold: the
 * text is clean before it comes here, and would be harmless if it were not. */
static void add_words(struct kit_text *out, const char *s, size_t n)
{
    if (is_plain(s, n))
        add_folded(out, s, n, strlen("Subject: "));
    else
        add_encoded(out, s, n);
}

static bool is_phrase(const char *s)
{
    for (const char *p = s; *p; p++) {
        bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                  (*p >= '0' && *p <= '9') || *p == ' ' || *p == '-' || *p == '_';
        if (!ok) return false;
    }
    return strlen(s) <= PLAIN_MAX;
}

/* RFC 5322 3.4: a display name of other than plain words is an encoded one (RFC 2047 5 (3)). */
static void add_mailbox(struct kit_text *out, const struct address *a)
{
    if (!a->name[0]) {
        kit_add_str(out, a->mail);
        return;
    }
    if (is_phrase(a->name))
        kit_add_str(out, a->name);
    else
        add_encoded(out, a->name, strlen(a->name));
    kit_addf(out, "\r\n <%s>", a->mail);
}

static void add_list(struct kit_text *out, const char *header, const struct addresses *a)
{
    if (a->n) kit_addf(out, "%s: ", header);
    for (size_t i = 0; i < a->n; i++) {
        if (i) kit_add_str(out, ",\r\n ");
        add_mailbox(out, &a->v[i]);
    }
    if (a->n) kit_add_str(out, "\r\n");
}

/* RFC 5322 3.3, in UTC and in no locale's language. */
static void add_date(struct kit_text *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm t;
    if (!gmtime_r(&now, &t)) return;
    kit_addf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n", days + 3 * t.tm_wday,
             t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

/* RFC 2045 6.7. Control characters other than the line end are written out as well. */
static void add_quoted(struct kit_text *out, const char *s, size_t n)
{
    size_t column = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool ends = i + 1 == n || s[i + 1] == '\n';
        bool plain = (c > 0x20 && c < 0x7f && c != '=') || (c == ' ' && !ends);
        if (c == '\n') {
            kit_add_str(out, "\r\n");
            column = 0;
            continue;
        }
        if (column + (plain ? 1 : 3) > LINE_MAX - 1) {
            kit_add_str(out, "=\r\n");
            column = 0;
        }
        if (plain)
            kit_add(out, &s[i], 1);
        else
            kit_addf(out, "=%02X", c);
        column += plain ? 1 : 3;
    }
    if (column) kit_add_str(out, "\r\n");
}

/* RFC 5322 3.6.4: atoms and dots before the sign; the domain is the sender's. */
static void add_id(struct kit_text *out, const struct mail *m)
{
    kit_add_str(out, "Message-ID: <");
    for (const char *p = m->id; *p; p++) {
        bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                  (*p >= '0' && *p <= '9') || *p == '-' || *p == '_';
        bool dot = *p == '.' && p != m->id && p[1] && p[1] != '.';
        if (ok || dot)
            kit_add(out, p, 1);
        else
            kit_addf(out, "=%02X", (unsigned char)*p);
    }
    kit_addf(out, "%s>\r\n", strrchr(m->from.mail, '@'));
}

void message_build(struct kit_text *out, const struct mail *m)
{
    const struct addresses from = {.v = {m->from}, .n = 1};
    struct kit_text title = m->title, body = m->body;
    const char *t = title.n ? title.p : "";
    add_date(out);
    add_list(out, "From", &from);
    add_list(out, "To", &m->to);
    add_list(out, "Cc", &m->cc);
    kit_add_str(out, "Subject: ");
    add_words(out, t, title.n);
    kit_add_str(out, "\r\n");
    add_id(out, m);
    /* RFC 3834 5: nobody's out-of-office program answers. */
    kit_addf(out, "Auto-Submitted: auto-generated\r\nX-Chancery-Event: %s\r\n",
             m->digest ? "Digest" : kind_name(m->kind));
    kit_add_str(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    add_quoted(out, body.n ? body.p : "", body.n);
}

const struct addresses *settings_to(const struct settings *s, enum kind kind)
{
    return s->folder[kind].to.n ? &s->folder[kind].to : &s->to;
}

/* A title is one line whatever its format says; a body is made of lines that are clean already. */
void mail_write(struct mail *m, const struct settings *s, value_fn value, void *from)
{
    const struct folder *f = &s->folder[m->kind];
    struct kit_text title = {0};
    m->from = f->from.mail[0] ? f->from : s->from;
    format_add(&title, f->title, &f->title_args, value, from, true);
    if (title.n) text_add_clean(&m->title, title.p, title.n, 700);
    (void)kit_text_cstr(&m->title);
    if (title.failed) m->title.failed = true;
    kit_text_free(&title);
    for (size_t i = 0; i < f->body.n; i++) {
        format_add(&m->body, f->body.v[i], &f->body_args, value, from, false);
        kit_add_str(&m->body, "\n");
    }
}

void mail_free(struct mail *m)
{
    kit_text_free(&m->title);
    kit_text_free(&m->body);
}
