#include <string.h>
#include <strings.h>

#include "kit/der.h"
#include "kit/settings.h"
#include "mail.h"

static bool is_atext(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* RFC 5321 4.5.3.1: 64 octets before the sign and 254 in all. */
bool address_is_valid(const char *mail)
{
    const char *at = strrchr(mail, '@');
    size_t n = at ? (size_t)(at - mail) : 0;
    if (!n || n > 64 || strlen(mail) > 254 || mail[0] == '.' || at[-1] == '.') return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_atext(mail[i]) && (mail[i] != '.' || mail[i + 1] == '.')) return false;
    }
    return chy_is_host_name(at + 1);
}

static const char *set_mail(struct address *out, const char *p, size_t n)
{
    if (n >= sizeof out->mail) return "has an address that is too long";
    memcpy(out->mail, p, n);
    out->mail[n] = 0;
    return address_is_valid(out->mail) ? NULL : "has something that is no mail address";
}

static const char *set_property(struct address *out, const char *name)
{
    size_t n = strlen(name);
    if (!n || n > 100) return "has a % without a property's name behind it";
    out->mail[0] = '%';
    memcpy(out->mail + 1, name, n + 1);
    return NULL;
}

const char *address_parse(const char *text, struct address *out)
{
    size_t n = strlen(text);
    const char *open = strrchr(text, '<');
    memset(out, 0, sizeof *out);
    if (text[0] == '%') return set_property(out, text + 1);
    if (!open) return set_mail(out, text, n);
    if (text[n - 1] != '>') return "has a < without a > at its end";
    size_t name = (size_t)(open - text);
    while (name && text[name - 1] == ' ')
        name--;
    if (name >= 2 && text[0] == '"' && text[name - 1] == '"') {
        text++;
        name -= 2;
    }
    if (name >= sizeof out->name) return "has a name that is too long";
    memcpy(out->name, text, name);
    return set_mail(out, open + 1, strlen(open) - 2);
}

bool addresses_add(struct addresses *a, const struct address *one)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcasecmp(a->v[i].mail, one->mail) == 0) return true;
    if (a->n == TO_MAX) return false;
    a->v[a->n++] = *one;
    return true;
}

const char *addresses_set(struct addresses *a, const chy_variant *v)
{
    struct words w = {0};
    const char *rule = words_set(&w, v, ",\n");
    a->n = 0;
    for (size_t i = 0; !rule && i < w.n; i++) {
        struct address one;
        rule = address_parse(w.v[i], &one);
        if (!rule && !addresses_add(a, &one)) rule = "has more than 20 addresses";
    }
    words_free(&w);
    return rule;
}

bool address_is_within(const char *mail, const struct words *domains)
{
    const char *at = strrchr(mail, '@');
    for (size_t i = 0; at && i < domains->n; i++) {
        const char *d = domains->v[i];
        if (strcmp(d, "*") == 0 || strcasecmp(d, at + 1) == 0 || chy_is_below(at + 1, d))
            return true;
    }
    return false;
}

void addresses_of_san(struct addresses *a, const uint8_t *der, size_t n)
{
    struct kit_der all = {der, n}, names, one;
    uint8_t tag;
    if (!kit_der_next(&all, &tag, &names) || tag != 0x30) return;
    while (kit_der_next(&names, &tag, &one)) {
        struct address found = {.mail = ""};
        if (tag != 0x81 || one.n >= sizeof found.mail || memchr(one.p, 0, one.n)) continue;
        memcpy(found.mail, one.p, one.n);
        if (address_is_valid(found.mail)) (void)addresses_add(a, &found);
    }
}
