/* What there is of CRLs, for those who serve them, and what is wrong with them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/publisher.h"

/* Half of what was left to its end when its successor was due. */
static bool is_overdue(const struct chy_crl_record *r, chy_time now)
{
    return now > r->next_publish + (r->next_update - r->next_publish) / 2;
}

static void fill(struct chy_publisher *p, const struct chy_settings *s,
                 const struct chy_crl_kept *k, chy_time now, struct chy_crl_info *out)
{
    memset(out, 0, sizeof(*out));
    out->record = k->record;
    out->record.error = (struct chy_span){0};
    out->key_expired = !chy_crl_signer_of(p->ca, s, k->record.key_index, now);
    bool shadow = k->record.flags & CHY_CPF_SHADOW;
    out->overdue = !out->key_expired && !shadow && is_overdue(&k->record, now);
    chy_crl_name(p->ca, &k->record, out->name, sizeof(out->name));
    snprintf(out->error, sizeof(out->error), "%s", k->error);
}

size_t chy_ca_crls(struct chy_ca *ca, struct chy_crl_info *out, size_t max)
{
    struct chy_publisher *p = ca->publisher;
    struct chy_settings *s = chy_settings_get(ca);
    chy_time now = chy_now(ca->clock);
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_kept; i++) {
        const struct chy_crl_record *r = &p->kept[i].record;
        if (chy_crl_newest(p, r->key_index, r->shard, r->is_delta) != &p->kept[i]) continue;
        if (n < max) fill(p, s, &p->kept[i], now, &out[n]);
        n++;
    }
    pthread_mutex_unlock(&p->lock);
    chy_settings_unref(s);
    return n;
}

struct wanted {
    const char *name; /* or */
    int32_t key_index, shard;
    bool is_delta;
};

static bool is_wanted(const struct chy_ca *ca, const struct wanted *w,
                      const struct chy_crl_record *r)
{
    char name[192];
    if (!w->name)
        return r->key_index == w->key_index && r->shard == w->shard && r->is_delta == w->is_delta;
    chy_crl_name(ca, r, name, sizeof(name));
    return strcmp(name, w->name) == 0;
}

/* What is lost or damaged is made anew, and not left so until its successor is due. */
static chy_hresult open_kept(struct chy_publisher *p, const struct chy_crl_record *r,
                             const char *name, int *fd, struct chy_err *err)
{
    char path[4096];
    struct stat st;
    chy_crl_file(p->ca, r, path, sizeof(path));
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno != ENOENT) return chy_fail_errno(err, "CRL %s", name);
    if (*fd >= 0 && fstat(*fd, &st) == 0 && st.st_size == r->size) return CHY_S_OK;
    if (*fd >= 0) close(*fd);
    atomic_store(&p->is_doubted, true);
    p->poked = true;
    pthread_cond_signal(&p->wake);
    return chy_fail(err, CHY_ERROR_INVALID_DATA,
                    "CRL %s: its file is lost or damaged; a new one is being made", name);
}

void chy_crl_look(struct chy_publisher *p)
{
    char path[4096];
    struct stat st;
    for (size_t i = 0; i < p->n_kept; i++) {
        const struct chy_crl_record *r = &p->kept[i].record;
        if (chy_crl_newest(p, r->key_index, r->shard, r->is_delta) != &p->kept[i]) continue;
        chy_crl_file(p->ca, r, path, sizeof(path));
        p->kept[i].is_lost = stat(path, &st) != 0 ? errno == ENOENT : st.st_size != r->size;
        if (p->kept[i].is_lost)
            chy_log(CHY_LOG_LEVEL_ERROR, "crl.lost", "ca", chy_ca_name(p->ca), "file", path,
                    "remedy", "a new one is made", NULL);
    }
}

/* The file is opened under the lock: the publisher removes what a newer one replaced. */
static chy_hresult open_wanted(struct chy_ca *ca, const struct wanted *w, int *fd,
                               struct chy_crl_info *out, struct chy_err *err)
{
    struct chy_publisher *p = ca->publisher;
    struct chy_settings *s = chy_settings_get(ca);
    const struct chy_crl_kept *found = NULL;
    chy_hresult hr = CHY_ERROR_FILE_NOT_FOUND;
    chy_publisher_await_first(p);
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_kept; i++) {
        if (is_wanted(ca, w, &p->kept[i].record)) found = &p->kept[i]; /* the last is the newest */
    }
    if (!found) {
        hr = chy_fail(err, hr, "CRL: this CA has none%s%.100s%s",
                      w->name ? " called \"" : " of that key and shard", w->name ? w->name : "",
                      w->name ? "\"" : "");
    } else {
        fill(p, s, found, chy_now(ca->clock), out);
        hr = open_kept(p, &found->record, out->name, fd, err);
    }
    pthread_mutex_unlock(&p->lock);
    chy_settings_unref(s);
    return hr;
}

chy_hresult chy_ca_crl_open_name(struct chy_ca *ca, const char *name, int *fd,
                                 struct chy_crl_info *out, struct chy_err *err)
{
    const struct wanted w = {.name = name};
    return open_wanted(ca, &w, fd, out, err);
}

chy_hresult chy_ca_crl_open(struct chy_ca *ca, int32_t key_index, int32_t shard, bool is_delta,
                            int *fd, struct chy_crl_info *out, struct chy_err *err)
{
    const struct wanted w = {.key_index = key_index < 0 ? chy_ca_current(ca)->key_index : key_index,
                             .shard = shard,
                             .is_delta = is_delta};
    return open_wanted(ca, &w, fd, out, err);
}

int32_t chy_crl_shards(struct chy_ca *ca, const struct chy_settings *s, int32_t key_index)
{
    struct chy_publisher *p = ca->publisher;
    pthread_mutex_lock(&p->lock);
    int32_t last = chy_crl_last_shard(p, s, key_index);
    pthread_mutex_unlock(&p->lock);
    return last;
}

bool chy_crl_flags(struct chy_ca *ca, int32_t key_index, int32_t shard, bool is_delta,
                   chy_long *flags)
{
    struct chy_publisher *p = ca->publisher;
    pthread_mutex_lock(&p->lock);
    const struct chy_crl_kept *k = chy_crl_newest(p, key_index, shard, is_delta);
    if (k) *flags = k->record.flags;
    pthread_mutex_unlock(&p->lock);
    return k != NULL;
}

static void warn(char *out, size_t cap, const char *text)
{
    size_t n = strlen(out);
    snprintf(out + n, cap - n, "%s%s", n ? "; " : "", text);
}

void chy_publisher_warnings(struct chy_ca *ca, char *out, size_t cap)
{
    struct chy_publisher *p = ca->publisher;
    if (!p) return;
    struct chy_settings *s = chy_settings_get(ca);
    chy_time now = chy_now(ca->clock);
    char text[512];
    unsigned late = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_kept; i++) {
        struct chy_crl_info info;
        const struct chy_crl_record *r = &p->kept[i].record;
        if (chy_crl_newest(p, r->key_index, r->shard, r->is_delta) != &p->kept[i]) continue;
        fill(p, s, &p->kept[i], now, &info);
        if (!info.overdue || late++) continue;
        char when[40];
        chy_time_format(when, r->next_update);
        snprintf(text, sizeof(text), "CRL %s is overdue and %s %s", info.name,
                 now > r->next_update ? "lapsed at" : "lapses at", when);
        warn(out, cap, text);
    }
    if (p->error[0]) {
        snprintf(text, sizeof(text), "publishing failed: %s", p->error);
        warn(out, cap, text);
    }
    pthread_mutex_unlock(&p->lock);
    chy_settings_unref(s);
}

/* ---- the CA's certificates ---- */
size_t chy_ca_cert_count(const struct chy_ca *ca)
{
    return atomic_load(&ca->n_authorities);
}

bool chy_ca_cert_info(const struct chy_ca *ca, int32_t index, struct chy_ca_cert_info *out)
{
    size_t n = atomic_load(&ca->n_authorities);
    if (index < -1 || index >= (int32_t)n) return false;
    const struct chy_authority *a = ca->authority[index < 0 ? n - 1 : (size_t)index];
    *out = (struct chy_ca_cert_info){.index = a->index,
                                     .key_index = a->key_index,
                                     .der = chy_buf_span(&a->cert_der),
                                     .subject = a->cert.subject.der,
                                     .key_bits = a->cert.key.bits,
                                     .key_id = a->key_id,
                                     .not_before = a->cert.not_before,
                                     .not_after = a->cert.not_after,
                                     .key_name = a->cert.key.name};
    return true;
}

void chy_ca_cert_file_name(const struct chy_ca *ca, int32_t index, struct chy_buf *out)
{
    chy_buf_add_str(out, ca->sanitized);
    if (index > 0) chy_buf_addf(out, "(%d)", index);
    chy_buf_add_str(out, ".crt");
}
