/* The request that tells an event: its body, its signature and its head. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "kit/secret.h"
#include "webhook.h"

static void member(struct kit_text *t, const char *name, const char *value)
{
    kit_addf(t, ",\"%s\":", name);
    kit_add_json(t, value, strlen(value));
}

/* CloudEvents 1.0, JSON event format 3. */
static void structured(const struct event *e, struct kit_text *out)
{
    char type[64];
    snprintf(type, sizeof type, "chancery.%s", e->name);
    kit_add_str(out, "{\"specversion\":\"1.0\"");
    member(out, "id", e->id);
    member(out, "source", e->source);
    member(out, "type", type);
    if (e->subject) member(out, "subject", e->subject);
    if (e->time[0]) member(out, "time", e->time);
    kit_add_str(out, ",\"datacontenttype\":\"application/json\",\"data\":");
    kit_add(out, e->data.p, e->data.n);
    kit_add(out, "}", 1);
}

void body_of(const struct settings *s, const struct event *e, struct kit_text *out)
{
    if (s->form == FORM_CLOUDEVENTS)
        structured(e, out);
    else
        kit_add(out, e->data.p, e->data.n);
}

static const char *add_mac(const char *file, const struct kit_text *text, struct kit_text *out)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    size_t len = 0;
    char secret[SECRET_MOST];
    const char *rule = kit_secret_read(file, secret, sizeof secret, &len);
    if (!rule && len < SECRET_LEAST) rule = "names a file with less than 16 octets of secret";
    if (!rule && !HMAC(EVP_sha256(), secret, (int)len, (const uint8_t *)text->p, text->n, mac, &n))
        rule = "could not be used: HMAC failed";
    kit_wipe(secret, sizeof secret);
    if (rule) return rule;
    kit_add_str(out, ",v1=");
    for (unsigned i = 0; i < n; i++)
        kit_addf(out, "%02x", mac[i]);
    return NULL;
}

/* The file is read anew each time: who changes the secret need not tell the daemon. */
const char *sign_body(const struct settings *s, const struct kit_text *body, long long now,
                      struct kit_text *out)
{
    struct kit_text text = {.n = 0};
    const char *rule = NULL;
    kit_addf(&text, "%lld.", now);
    kit_add(&text, body->p, body->n);
    kit_addf(out, "t=%lld", now);
    for (size_t i = 0; i < s->n_secrets && !rule; i++)
        rule = text.failed ? "needs more memory than there is"
                           : add_mac(s->secret_file[i], &text, out);
    kit_text_free(&text);
    return rule;
}

struct head {
    struct curl_slist *list;
    bool failed;
};

static void add_line(struct head *h, const char *line)
{
    struct curl_slist *more = line ? curl_slist_append(h->list, line) : NULL;
    if (more)
        h->list = more;
    else
        h->failed = true;
}

static void add_field(struct head *h, const char *name, const char *value)
{
    struct kit_text t = {.n = 0};
    kit_addf(&t, "%s: %s", name, value);
    add_line(h, kit_text_cstr(&t));
    kit_text_free(&t);
}

/* CloudEvents 1.0, HTTP binding 3.1.3.2: what is not printable ASCII, blanks, quotes and percent
 * signs are percent-encoded. */
static void add_attribute(struct head *h, const char *name, const char *value)
{
    struct kit_text t = {.n = 0};
    for (; *value; value++) {
        if (*value > 0x20 && *value < 0x7f && *value != '"' && *value != '%')
            kit_add(&t, value, 1);
        else
            kit_addf(&t, "%%%02X", (unsigned)(unsigned char)*value);
    }
    const char *text = kit_text_cstr(&t);
    if (text)
        add_field(h, name, text);
    else
        h->failed = true;
    kit_text_free(&t);
}

static void add_attributes(struct head *h, const struct event *e)
{
    char type[64];
    snprintf(type, sizeof type, "chancery.%s", e->name);
    add_line(h, "ce-specversion: 1.0");
    add_attribute(h, "ce-id", e->id);
    add_attribute(h, "ce-source", e->source);
    add_attribute(h, "ce-type", type);
    if (e->subject) add_attribute(h, "ce-subject", e->subject);
    if (e->time[0]) add_attribute(h, "ce-time", e->time);
}

/* A line end in a token would begin another header field. */
static const char *add_bearer(const struct settings *s, struct head *h)
{
    char token[SECRET_MOST], line[SECRET_MOST + 32];
    size_t n = 0;
    const char *rule = kit_secret_read(s->bearer_file, token, sizeof token, &n);
    for (size_t i = 0; !rule && i < n; i++)
        if (token[i] <= 0x20 || token[i] > 0x7e) rule = "names a file with what is no token";
    if (!rule) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", token);
        add_line(h, line);
    }
    kit_wipe(token, sizeof token);
    kit_wipe(line, sizeof line);
    return rule;
}

static const char *add_signature(const struct settings *s, const struct kit_text *body,
                                 long long now, struct head *h)
{
    struct kit_text t = {.n = 0};
    const char *rule = sign_body(s, body, now, &t), *text = kit_text_cstr(&t);
    if (!rule && text)
        add_field(h, "Chancery-Signature", text);
    else
        h->failed = true;
    kit_text_free(&t);
    return rule;
}

const char *head_of(const struct settings *s, const struct event *e, const struct kit_text *body,
                    long long now, struct curl_slist **out)
{
    struct head h = {.failed = false};
    char attempt[16];
    const char *rule = NULL;
    add_line(&h, s->form == FORM_CLOUDEVENTS
                     ? "Content-Type: application/cloudevents+json; charset=utf-8"
                     : "Content-Type: application/json");
    add_line(&h, "Expect:"); /* none: the body is small, and waiting for a 100 would take a while */
    add_field(&h, "Chancery-Event", e->name);
    if (e->has_id) add_field(&h, "Idempotency-Key", e->id);
    snprintf(attempt, sizeof attempt, "%d", (int)e->attempt);
    if (e->attempt > 0) add_field(&h, "Chancery-Attempt", attempt);
    if (s->form == FORM_CLOUDEVENTS_BINARY) add_attributes(&h, e);
    for (size_t i = 0; i < s->n_headers; i++)
        add_line(&h, s->header[i]);
    if (s->n_secrets) rule = add_signature(s, body, now, &h);
    if (!rule && s->bearer_file) rule = add_bearer(s, &h);
    if (!rule && h.failed) rule = "needs more memory than there is";
    if (rule) curl_slist_free_all(h.list);
    *out = rule ? NULL : h.list;
    return rule;
}
