/* What the files of the webhook exit module share. */
#ifndef EXIT_WEBHOOK_WEBHOOK_H
#define EXIT_WEBHOOK_WEBHOOK_H

#include <chancery/easy_module.h>
#include <curl/curl.h>

#include "kit/text.h"

enum form { FORM_JSON, FORM_CLOUDEVENTS, FORM_CLOUDEVENTS_BINARY };
enum encoding { CERT_PEM, CERT_DER, CERT_NONE };
/* Two secrets sign side by side while the receiver changes from one to the other. */
enum { SECRETS_MAX = 2, HEADERS_MAX = 32, ID_MAX = 96, EVENT_NAME_MAX = 32, TIME_TEXT = 32 };
enum { SECRET_LEAST = 16, SECRET_MOST = 4096 };

struct settings {
    char *url, *proxy, *source;
    char *secret_file[SECRETS_MAX], *bearer_file, *cert_file, *key_file, *ca_file;
    char *header[HEADERS_MAX]; /* "Name: value" */
    size_t n_secrets, n_headers;
    char host[256];           /* of the URL: the rest of it may be nobody's business */
    unsigned names;           /* a bit for each event that is told */
    chy_long events, timeout; /* EXITEVENT_ bits; in seconds */
    bool allow_plain, plain, attributes, drop_refused;
    enum form form;
    enum encoding encoding;
};

/* A failure has logged the name of the setting and what is wrong with it. */
chy_hresult settings_read(const chy_host *host, struct settings *s);
void settings_free(struct settings *s);
const char *name_of_event(chy_long event);
/* An event that no setting can name is told where its bit is. */
bool is_wanted(const struct settings *s, const char *name);

/* One event as it is told: what the headers name, and the JSON object that all forms carry. */
struct event {
    char id[ID_MAX], time[TIME_TEXT], name[EVENT_NAME_MAX];
    char *subject;    /* what the event is about, or NULL: the serial number, or "request/17" */
    char *source;     /* of the CloudEvent: which CA */
    bool has_id;      /* the engine gave it; else it is another at each delivery */
    chy_long attempt; /* 0: not known */
    struct kit_text data;
};
chy_hresult event_read(chy_task *task, const struct settings *s, chy_long event, struct event *out);
void event_free(struct event *e);

/* Makes the handle whose connection is kept from event to event. NULL: no memory. */
CURL *sender_new(const struct settings *s);
/* S_OK: the receiver took it. A failure is logged. */
chy_hresult send_event(const chy_task *task, CURL *curl, const struct settings *s,
                       const struct event *e);

/* What is posted, in the form that is set. */
void body_of(const struct settings *s, const struct event *e, struct kit_text *out);
/* "t=UNIX,v1=HEX", with a v1 for each secret: HMAC-SHA256 over "UNIX.BODY". NULL, or what is wrong.
 */
const char *sign_body(const struct settings *s, const struct kit_text *body, long long now,
                      struct kit_text *out);
/* The head of the request; NULL, or what is wrong. */
const char *head_of(const struct settings *s, const struct event *e, const struct kit_text *body,
                    long long now, struct curl_slist **out);

#endif
