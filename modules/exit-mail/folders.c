#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/settings.h"
#include "mail.h"

enum { TEXT_MAX = 1000, WORDS_MAX = 500, BODY_MAX = 65536 };

struct standard {
    const char *name, *title, *title_args, *body, *body_args;
};

#define NAMED "SanitizedCAName CommonName"
#define ASKED "SanitizedCAName Request.CommonName"
#define ASKED_BODY "Subject:    %1\nRequest:    %2\nRequester:  %3\nSubmitted:  %4\n"
#define ASKED_ARGS                                                                                 \
    "Request.DistinguishedName Request.RequestID Request.RequesterName Request.SubmittedWhen "
#define CERT_BODY "Subject:     %1\nSerial:      %2\nNot after:   %3\n"
#define CERT_ARGS "DistinguishedName SerialNumber NotAfter "

/* The names of the folders are those of AD CS, as far as it has them. */
static const struct standard standards[MAIL_KINDS] = {
    {"Issued", "%1: certificate issued to %2", NAMED, CERT_BODY "Request:     %4\n\n%5",
     CERT_ARGS "Request.RequestID RawCertificate"},
    {"Pending", "%1: request of %2 waits for a decision", ASKED, ASKED_BODY "Reason:     %5\n",
     ASKED_ARGS "Request.DispositionMessage"},
    {"Denied", "%1: request of %2 denied", ASKED, ASKED_BODY "Reason:     %5 (%6)\n",
     ASKED_ARGS "Request.DispositionMessage Request.StatusCode"},
    {"Revoked", "%1: certificate of %2 revoked", NAMED,
     CERT_BODY "Reason:      %4\nRevoked:     %5\n",
     CERT_ARGS "Request.RevokedReason Request.RevokedEffectiveWhen"},
    {"Unrevoked", "%1: certificate of %2 no longer on hold", NAMED, CERT_BODY, CERT_ARGS},
    {"Imported", "%1: certificate of %2 imported", NAMED, CERT_BODY, CERT_ARGS},
    {"CRLIssued", "%1: CRLs issued", "SanitizedCAName", "CA:          %1\nIssued:      %2\n",
     "SanitizedCAName EventTime"},
    {"Shutdown", "%1: stopped", "SanitizedCAName", "CA:          %1\nHost:        %2\n",
     "SanitizedCAName MachineDNSName"},
    {"Startup", "%1: started", "SanitizedCAName", "CA:          %1\nHost:        %2\n",
     "SanitizedCAName MachineDNSName"},
    {"Expiring", "%1: certificate of %2 ends in %3", "SanitizedCAName CommonName TimeLeft",
     CERT_BODY "Time left:   %4\nRequest:     %5\n", CERT_ARGS "TimeLeft Request.RequestID"}};

const char *kind_name(enum kind kind)
{
    return standards[kind].name;
}

void words_free(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct words){0};
}

bool words_have(const struct words *w, const char *word)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcasecmp(w->v[i], word) == 0) return true;
    return false;
}

bool words_add(struct words *w, const char *p, size_t n)
{
    char **more = realloc(w->v, (w->n + 1) * sizeof *more);
    if (!more) return false;
    w->v = more;
    more[w->n] = strndup(p, n);
    return more[w->n] && ++w->n;
}

/* Between the separators; blanks around a part are no part of it, unless lines are what is split.
 */
static const char *words_split(struct words *w, const char *s, const char *separators)
{
    bool lines = strcmp(separators, "\n") == 0;
    while (*s) {
        size_t n = strcspn(s, separators), skip = lines ? 0 : strspn(s, " "), len;
        if (skip > n) skip = n;
        for (len = n; !lines && len > skip && s[len - 1] == ' ';)
            len--;
        if (w->n == WORDS_MAX) return "has more than 500 parts";
        if ((lines || len > skip) && !words_add(w, s + skip, len - skip))
            return "needs more memory than there is";
        s += n + (s[n] != 0);
    }
    return NULL;
}

const char *words_set(struct words *w, const chy_variant *v, const char *separators)
{
    const char *text = kit_variant_text(v);
    words_free(w);
    if (text) return strlen(text) > BODY_MAX ? "is too long" : words_split(w, text, separators);
    if (v->vt != CHY_VT_STRV) return "is neither a text nor a list of texts";
    for (size_t i = 0; i < v->u.sv.n; i++) {
        const chy_str *s = &v->u.sv.v[i];
        if (s->n && (!s->p || strlen(s->p) != s->n)) return "has a part with a NUL in it";
        if (w->n == WORDS_MAX || s->n > BODY_MAX)
            return "has more than 500 parts, or one that is too long";
        if (!words_add(w, s->n ? s->p : "", s->n)) return "needs more memory than there is";
    }
    return NULL;
}

static const char *set_title(struct folder *f, const chy_variant *v)
{
    const char *text = kit_variant_text(v);
    if (!text || strlen(text) > TEXT_MAX) return "is no text of at most 1000 octets";
    free(f->title);
    f->title = strdup(text);
    return f->title ? NULL : "needs more memory than there is";
}

static const char *set_digest(struct folder *f, const chy_variant *v)
{
    bool number = v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL;
    if (!number || (v->u.l != 0 && v->u.l != 1)) return "is neither 0 nor 1";
    f->at_once = v->u.l == 0;
    return NULL;
}

static const char *set_from(struct folder *f, const chy_variant *v)
{
    const char *text = kit_variant_text(v);
    if (!text || text[0] == '%') return "is no mail address";
    return address_parse(text, &f->from);
}

const char *folder_set(struct folder *f, const char *name, const chy_variant *v)
{
    if (!strcasecmp(name, "From")) return set_from(f, v);
    if (!strcasecmp(name, "To")) return addresses_set(&f->to, v);
    if (!strcasecmp(name, "Cc")) return addresses_set(&f->cc, v);
    if (!strcasecmp(name, "TitleFormat")) return set_title(f, v);
    if (!strcasecmp(name, "TitleArg")) return words_set(&f->title_args, v, ", \n");
    if (!strcasecmp(name, "BodyFormat")) return words_set(&f->body, v, "\n");
    if (!strcasecmp(name, "BodyArg")) return words_set(&f->body_args, v, ", \n");
    if (!strcasecmp(name, "Digest")) return set_digest(f, v);
    return "is no setting of this folder";
}

/* Formats that are not set have their own arguments: a list of another setting would not fit. */
void folder_defaults(struct folder *f, enum kind kind)
{
    const struct standard *s = &standards[kind];
    if (!f->title) {
        f->title = strdup(s->title);
        words_free(&f->title_args);
        (void)words_split(&f->title_args, s->title_args, " ");
    }
    if (f->body.n) return;
    (void)words_split(&f->body, s->body, "\n");
    words_free(&f->body_args);
    (void)words_split(&f->body_args, s->body_args, " ");
}

const char *folder_check(const struct folder *f)
{
    const char *rule =
        f->title ? format_check(f->title, f->title_args.n) : "needs more memory than there is";
    for (size_t i = 0; !rule && i < f->body.n; i++)
        rule = format_check(f->body.v[i], f->body_args.n);
    return rule;
}

void folder_free(struct folder *f)
{
    free(f->title);
    words_free(&f->title_args);
    words_free(&f->body);
    words_free(&f->body_args);
}
