/* What stands in the rows of the index. */
#include <stdio.h>
#include <string.h>

#include "kit/crls.h"
#include "kit/sha256.h"
#include "publish.h"

static chy_hresult text_of(const struct job *j, const char *property, chy_variant *v)
{
    *v = chy_variant_empty();
    chy_hresult hr =
        j->cb.vt->get_certificate_property(j->cb.self, property, CHY_PROPTYPE_STRING, v);
    return hr == CHY_CERTSRV_E_PROPERTY_EMPTY ? CHY_S_FALSE : hr;
}

static chy_hresult add_text(const struct job *j, const char *property, const char *member,
                            struct row *r)
{
    chy_variant v;
    chy_hresult hr = text_of(j, property, &v);
    bool is_code = strcmp(member, "serial") == 0;
    if (CHY_FAILED(hr)) return hr;
    const char *p = v.vt == CHY_VT_STR ? v.u.s.p : "";
    size_t n = v.vt == CHY_VT_STR ? v.u.s.n : 0;
    kit_addf(&r->json, ",\"%s\":", member);
    kit_add_json(&r->json, p, n);
    kit_add_str(&r->html, is_code ? "<td><code>" : "<td><bdi>");
    kit_add_html(&r->html, p, n);
    kit_add_str(&r->html, is_code ? "</code></td>" : "</bdi></td>");
    j->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult time_of(const struct job *j, bool of_request, const char *property,
                           char out[CHY_TIME_TEXT])
{
    chy_variant v = chy_variant_empty();
    const chy_server_exit_vtbl *vt = j->cb.vt;
    out[0] = 0;
    chy_hresult hr =
        of_request ? vt->get_request_property(j->cb.self, property, CHY_PROPTYPE_DATE, &v)
                   : vt->get_certificate_property(j->cb.self, property, CHY_PROPTYPE_DATE, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY || hr == CHY_ERROR_FILE_NOT_FOUND) return CHY_S_OK;
    if (!CHY_FAILED(hr) && v.vt == CHY_VT_DATE) chy_time_text(v.u.t, out);
    return hr;
}

static void add_digest(const chy_bytes *der, struct row *r)
{
    struct kit_sha256 h;
    uint8_t hash[KIT_SHA256];
    char hex[2 * KIT_SHA256 + 1];
    kit_sha256_start(&h);
    kit_sha256_add(&h, der->p, der->n);
    kit_sha256_done(&h, hash);
    for (size_t i = 0; i < KIT_SHA256; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    kit_addf(&r->json, ",\"sha256\":\"%s\"", hex);
    kit_addf(&r->html, "<td><code>%s</code></td>", hex);
}

/* The sweep reads the number, the name and the end of validity from the front of the JSON. */
static chy_hresult make_row(const struct job *j, const char *file, const chy_bytes *der,
                            struct row *r)
{
    char not_before[CHY_TIME_TEXT], not_after[CHY_TIME_TEXT], revoked[CHY_TIME_TEXT] = "";
    int id = (int)j->request_id;
    chy_hresult hr = time_of(j, false, "NotAfter", not_after);
    if (!CHY_FAILED(hr)) hr = time_of(j, false, "NotBefore", not_before);
    if (!CHY_FAILED(hr) && (j->event & CHY_EXITEVENT_CERTREVOKED))
        hr = time_of(j, true, "RevokedWhen", revoked);
    if (CHY_FAILED(hr)) return hr;
    kit_addf(&r->json, "{\"request_id\":%d,\"file\":\"%s\",\"not_after\":\"%s\"", id, file,
             not_after);
    kit_addf(&r->json, ",\"not_before\":\"%s\"", not_before);
    kit_addf(&r->html, "<tr id=\"r%d\"><td><a href=\"../%s\">%d</a>%s%s</td>", id, file, id,
             revoked[0] ? " revoked " : "", revoked);
    hr = add_text(j, "DistinguishedName", "subject", r);
    if (!CHY_FAILED(hr)) hr = add_text(j, "SerialNumber", "serial", r);
    if (CHY_FAILED(hr)) return hr;
    kit_addf(&r->html, "<td>%s</td><td>%s</td>", not_before, not_after);
    add_digest(der, r);
    if (revoked[0]) kit_addf(&r->json, ",\"revoked_when\":\"%s\"", revoked);
    kit_add_str(&r->json, "}");
    kit_add_str(&r->html, "</tr>");
    return r->json.failed || r->html.failed ? CHY_E_OUTOFMEMORY : CHY_S_OK;
}

static void row_free(struct row *r)
{
    kit_text_free(&r->json);
    kit_text_free(&r->html);
}

/* A row of a book or of the top: the requests that a list below has room for. */
static chy_hresult enter(struct job *j, int level, chy_long list, chy_long number)
{
    struct row r = {.number = number};
    long long each = level == 1 ? PER_LIST : PER_LIST * PER_LIST;
    long long first = number * each, last = first + each - 1;
    size_t left;
    char name[32];
    snprintf(name, sizeof name, level == 1 ? "p%08d" : "index/b%06d", (int)number);
    kit_addf(&r.json, "{\"%s\":%d,\"first\":%lld,\"last\":%lld,\"file\":\"%s.json\"}",
             level == 1 ? "page" : "book", (int)number, first, last, name);
    kit_addf(&r.html, "<li id=\"%c%d\"><a href=\"%s.html\">Requests %lld to %lld</a></li>",
             level == 1 ? 'p' : 'b', (int)number, name, first, last);
    chy_hresult hr = r.json.failed || r.html.failed
                         ? CHY_E_OUTOFMEMORY
                         : list_change(j, level, list, &(struct list_change){.add = &r}, &left);
    row_free(&r);
    return hr;
}

/* S_FALSE: the list is not there, or names it not. */
static chy_hresult names(const struct job *j, int level, chy_long list, chy_long number)
{
    struct kit_text t = {.n = 0};
    chy_hresult hr = list_read(j, level, list, &t);
    bool found = hr == CHY_S_OK && list_has(&t, level, number);
    kit_text_free(&t);
    return CHY_FAILED(hr) || found ? hr : CHY_S_FALSE;
}

/* From the top down: a page that its book names is one that can be found. */
static chy_hresult place(struct job *j, const struct row *r)
{
    chy_long page = r->number / PER_LIST, book = page / PER_LIST;
    size_t left;
    chy_hresult hr = names(j, 1, book, page);
    bool is_new = hr == CHY_S_FALSE;
    if (is_new) hr = names(j, 2, 0, book);
    if (is_new && hr == CHY_S_FALSE) hr = enter(j, 2, 0, book);
    if (is_new && !CHY_FAILED(hr)) hr = enter(j, 1, book, page);
    if (!CHY_FAILED(hr)) hr = list_change(j, 0, page, &(struct list_change){.add = r}, &left);
    if (!CHY_FAILED(hr) && page > j->index->last) j->index->last = page;
    return hr;
}

chy_hresult index_certificate(struct job *j, const char *file, const chy_bytes *der)
{
    struct row r = {.number = j->request_id};
    chy_hresult hr = j->request_id < 0 ? CHY_E_INVALIDARG : make_row(j, file, der, &r);
    pthread_mutex_lock(&j->index->lock);
    if (!CHY_FAILED(hr)) hr = place(j, &r);
    pthread_mutex_unlock(&j->index->lock);
    row_free(&r);
    return hr;
}

/* Where the CRL is, seen from the list; nothing when no setting says. */
static void add_crl_link(const struct job *j, const char *file, struct kit_text *t)
{
    if (j->s->crl_base)
        kit_add_str(t, j->s->crl_base);
    else if (strcmp(j->s->folder, j->s->crl_folder) == 0)
        kit_add_str(t, "../");
    else
        return;
    kit_add_url(t, file);
}

void index_crl(struct job *j, const char *file, chy_long key, chy_long shard, bool delta,
               struct kit_text *json, struct kit_text *html)
{
    char property[64], this_update[CHY_TIME_TEXT], next_update[CHY_TIME_TEXT], number[32] = "";
    const char *kind = delta ? "DeltaCRL" : "CRL";
    struct kit_text link = {.n = 0};
    chy_variant v;
    snprintf(property, sizeof property, "%sThisUpdate.%d.%d", kind, (int)key, (int)shard);
    (void)time_of(j, false, property, this_update);
    snprintf(property, sizeof property, "%sNextUpdate.%d.%d", kind, (int)key, (int)shard);
    (void)time_of(j, false, property, next_update);
    snprintf(property, sizeof property, "%sNumber.%d.%d", kind, (int)key, (int)shard);
    if (kit_ca_property(&j->cb, property, CHY_PROPTYPE_STRING, &v) == CHY_S_OK)
        (void)chy_variant_take_text(j->host, &v, number, sizeof number);
    if (json->n) kit_add_str(json, ",\n");
    if (html->n) kit_add_str(html, "\n");
    kit_add_str(json, "{\"file\":");
    kit_add_json(json, file, strlen(file));
    kit_addf(json, ",\"kind\":\"%s\",\"key_index\":%d,\"shard\":%d", delta ? "delta" : "base",
             (int)key, (int)shard);
    if (number[0]) kit_addf(json, ",\"number\":%s", number);
    kit_addf(json, ",\"this_update\":\"%s\",\"next_update\":\"%s\"}", this_update, next_update);
    add_crl_link(j, file, &link);
    kit_add_str(html, "<tr><td>");
    if (link.n) kit_add_str(html, "<a href=\"");
    if (link.n) kit_add_html(html, link.p, link.n);
    if (link.n) kit_add_str(html, "\">");
    kit_add_html(html, file, strlen(file));
    kit_addf(html, "%s</td><td>%s</td><td>%s</td><td>%s</td></tr>", link.n ? "</a>" : "", number,
             this_update, next_update);
    json->failed = json->failed || link.failed;
    kit_text_free(&link);
}
