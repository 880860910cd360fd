/* Any octets as the body of POST /api/v1/requests, with any type and profile, and of PATCH: what is
 * read stays within its bounds, no attribute smuggles a second one in, what is refused says why. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "enrol/rest/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The exchange as the reader sees it. */
struct chy_exchange {
    struct chy_span body;
    const char *type, *profile;
};

#define chy_exchange_body fuzz_body
#define chy_exchange_header fuzz_header
#define chy_exchange_query fuzz_query
#define chy_rest_read_submission fuzz_read_submission
#define chy_rest_submission_free fuzz_submission_free
#define chy_rest_attribute_lines fuzz_attribute_lines

static struct chy_span fuzz_body(const struct chy_exchange *x)
{
    return x->body;
}

static const char *fuzz_header(const struct chy_exchange *x, const char *name)
{
    (void)name;
    return x->type;
}

static const char *fuzz_query(const struct chy_exchange *x, const char *name)
{
    (void)name;
    return x->profile;
}

chy_hresult fuzz_read_submission(struct chy_exchange *x, struct chy_rest_submission *out,
                                 struct chy_err *err);
void fuzz_submission_free(struct chy_rest_submission *s);
chy_hresult fuzz_attribute_lines(const void *json_object, struct chy_buf *out, struct chy_err *err);

#include "../../src/enrol/rest/parse.c"

enum { IN_MAX = 65536 };

static void must(bool ok)
{
    if (!ok) abort();
}

/* As many lines as there are members, and each has its name up to the first colon. */
static void check_lines(struct chy_span body, struct chy_span lines, bool profile)
{
    cJSON *v = NULL;
    const cJSON *item;
    must(chy_json_parse(body, BODY_MAX, &v, NULL) == CHY_S_OK);
    size_t n = profile ? 1 : 0, seen = 0;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(v, "attributes"))
    {
        n++;
        must(!strchr(item->string, ':'));
    }
    for (size_t i = 0; i < lines.n; i++)
        seen += lines.p[i] == '\n';
    must(seen == n && (!lines.n || !memchr(lines.p, '\r', lines.n)));
    cJSON_Delete(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {NULL,
                                        "application/pkcs10",
                                        "application/x-pem-file; charset=utf-8",
                                        "application/json",
                                        "APPLICATION/JSON ;x",
                                        "application/jsonp",
                                        "text/html",
                                        ""};
    static const char *const profiles[] = {NULL, "tls-server", "a\nRequesterName:x", "\r", ""};
    struct chy_rest_submission s;
    struct chy_err err = {0};
    if (size < 1 || size > IN_MAX) return 0;
    struct chy_exchange x = {.body = chy_span_of(data + 1, size - 1),
                             .type = types[data[0] & 7],
                             .profile = profiles[(data[0] >> 3) % 5]};
    bool json = x.type && strncasecmp(x.type, "application/json", 16) == 0 && x.type[16] != 'p';
    chy_hresult hr = fuzz_read_submission(&x, &s, &err);
    must(hr == CHY_S_OK ? !err.text[0] : CHY_FAILED(hr) && err.code == hr && err.text[0]);
    if (hr == CHY_S_OK) {
        must(!s.attributes.failed && !s.text.failed && x.body.n);
        if (json)
            check_lines(x.body, chy_buf_span(&s.attributes), x.profile != NULL);
        else
            must(s.request.p == x.body.p && s.request.n == x.body.n);
        must(!x.profile || !strpbrk(x.profile, "\r\n"));
    }
    fuzz_submission_free(&s);
    return 0;
}
