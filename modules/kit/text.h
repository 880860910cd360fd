/* Octets that grow. What finds no memory marks the text as failed and changes nothing more: one
 * look at the end is enough. */
#ifndef KIT_TEXT_H
#define KIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kit_text {
    char *p;
    size_t n, cap;
    bool failed;
};

void kit_add(struct kit_text *t, const void *p, size_t n);
void kit_add_str(struct kit_text *t, const char *s);
void kit_addf(struct kit_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One line, padded (RFC 4648 4). */
void kit_add_base64(struct kit_text *t, const void *p, size_t n);
/* label: "CERTIFICATE" (RFC 7468). */
void kit_add_pem(struct kit_text *t, const char *label, const uint8_t *der, size_t n);
/* A JSON string with its quotes; what is no UTF-8 becomes U+FFFD. */
void kit_add_json(struct kit_text *t, const char *s, size_t n);
/* Text of an HTML page or of a quoted attribute in it, on one line; what is no UTF-8 becomes
 * U+FFFD. */
void kit_add_html(struct kit_text *t, const char *s, size_t n);
/* A segment of a URL's path. */
void kit_add_url(struct kit_text *t, const char *s);
/* In place: what is no UTF-8, as a character that was cut, becomes '?'. The host takes no message
 * that has such. */
char *kit_utf8(char *s);
/* NUL-ended; NULL when memory failed. Its own until the next call. */
const char *kit_text_cstr(struct kit_text *t);
void kit_text_free(struct kit_text *t);

#endif
