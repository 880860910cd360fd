/* Where CRLs and CA certificates are written to: the files of the publication lists. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/publisher.h"

enum { PIECE = 256 << 10, ATTEMPTS_MAX = 10 };

static chy_hresult copy_pieces(int from, struct chy_file_out *to, uint8_t *piece,
                               struct chy_err *err)
{
    for (;;) {
        ssize_t n = read(from, piece, PIECE);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return chy_fail_errno(err, "%s", to->path);
        if (n == 0) return CHY_S_OK;
        chy_hresult hr = chy_file_more(to, chy_span_of(piece, (size_t)n), err);
        if (hr != CHY_S_OK) return hr;
        (void)CHY_FAULT("crl.amid_places");
    }
}

/* What a kill amid a copy left. A folder is read once per life where there is nothing of it: with
 * thousands of shards in it that counts. */
static void sweep(struct chy_publisher *p, size_t i, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    const char *known = p->swept[i];
    if (known && strlen(known) == n && memcmp(known, path, n) == 0) return;
    if (chy_file_sweep(path, p->began) > 0) return;
    chy_free(p->swept[i]);
    p->swept[i] = chy_strndup(path, n);
}

static chy_hresult copy_file(const char *from, const char *to, struct chy_err *err)
{
    struct chy_file_out out;
    uint8_t *piece = chy_malloc(PIECE);
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    chy_hresult hr = !piece    ? chy_fail_nomem(err, to)
                     : fd >= 0 ? chy_file_begin(&out, to, 0644, err)
                               : chy_fail_errno(err, "%s", from);
    if (hr == CHY_S_OK) {
        hr = copy_pieces(fd, &out, piece, err);
        if (hr == CHY_S_OK)
            hr = chy_file_end(&out, err);
        else
            chy_file_drop(&out);
    }
    if (fd >= 0) close(fd);
    chy_free(piece);
    return hr;
}

static void note_failure(struct chy_crl_kept *k, const struct chy_err *err)
{
    k->record.flags |= CHY_CPF_FILE_ERROR;
    if (k->record.status != CHY_S_OK) return;
    k->record.status = err->code;
    snprintf(k->error, sizeof(k->error), "%s", err->text);
}

void chy_crl_place(struct chy_publisher *p, const struct chy_settings *s,
                   const struct chy_authority *a, struct chy_crl_kept *k)
{
    struct chy_url_place place;
    struct chy_buf text;
    char from[4096];
    const char *url[CHY_CA_MAX_URLS];
    uint32_t flag = k->record.is_delta ? CHY_CRL_URL_PUBLISH_DELTA : CHY_CRL_URL_PUBLISH;
    chy_buf_init(&text, 65536);
    chy_settings_place(p->ca, s, a, &place);
    place.shard = k->record.shard;
    place.is_delta = k->record.is_delta;
    k->record.flags &= ~(CHY_CPF_FILE_ERROR | CHY_CPF_COMPLETE);
    k->record.status = CHY_S_OK;
    k->record.attempts++;
    k->error[0] = 0;
    chy_crl_file(p->ca, &k->record, from, sizeof(from));
    size_t n = chy_url_select(&s->crl_urls, flag, &place, &text, url);
    for (size_t i = 0; i < n; i++) {
        struct chy_err err = {0};
        sweep(p, i, chy_url_path(url[i]));
        if (copy_file(from, chy_url_path(url[i]), &err) != CHY_S_OK) note_failure(k, &err);
    }
    if (k->record.status == CHY_S_OK) k->record.flags |= CHY_CPF_COMPLETE;
    chy_buf_free(&text);
    (void)CHY_FAULT("crl.after_places");
}

static void place_cert(struct chy_publisher *p, const struct chy_authority *a, const char *path)
{
    struct chy_err err = {0};
    struct chy_buf there;
    chy_buf_init(&there, CHY_PEM_MAX);
    bool same = chy_file_read(path, CHY_PEM_MAX, &there, NULL) == CHY_S_OK &&
                chy_span_eq(chy_buf_span(&there), chy_buf_span(&a->cert_der));
    if (!same) (void)chy_file_sweep(path, p->began);
    if (!same && chy_file_write(path, chy_buf_span(&a->cert_der), 0644, &err) != CHY_S_OK)
        chy_log(CHY_LOG_LEVEL_WARNING, "ca.certificate.unpublished", "ca", chy_ca_name(p->ca),
                "error", err.text, NULL);
    chy_buf_free(&there);
}

void chy_crl_place_certs(struct chy_publisher *p, const struct chy_settings *s)
{
    size_t n = atomic_load(&p->ca->n_authorities);
    for (size_t i = 0; i < n; i++) {
        const struct chy_authority *a = p->ca->authority[i];
        struct chy_url_place place;
        struct chy_buf text;
        const char *url[CHY_CA_MAX_URLS];
        chy_buf_init(&text, 65536);
        chy_settings_place(p->ca, s, a, &place);
        size_t m = chy_url_select(&s->aia_urls, CHY_CA_URL_PUBLISH, &place, &text, url);
        for (size_t k = 0; k < m; k++)
            place_cert(p, a, chy_url_path(url[k]));
        chy_buf_free(&text);
    }
}
