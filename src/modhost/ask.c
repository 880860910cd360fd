/* The engine as the module's tables see it here: what the copy of the request knows is answered
 * from it, by the engine's own functions; the rest is asked for. What is set is done here, so that
 * the module sees at once what becomes of it, and written down, for the daemon to do it again. */
#include <string.h>
#include <unistd.h>

#include "modhost/modhost.h"

enum { MAX_KEPT = 256 };
struct kept_setting {
    char *name;
    chy_variant value;
};

static _Thread_local struct guest *current;

void guest_is_current(struct guest *g)
{
    current = g;
}

/* Without the daemon there is nothing left to do. */
static void converse(struct chy_lane *lane, const struct chy_question *q, struct chy_reply *reply)
{
    enum chy_frame kind;
    struct chy_wire_in in;
    chy_frame_begin(lane);
    chy_put_question(&lane->out, q);
    *reply = (struct chy_reply){.hr = CHY_E_OUTOFMEMORY};
    if (lane->out.failed) return;
    if (!chy_frame_send(lane, CHY_FRAME_ASK) ||
        !chy_frame_recv(lane, CHY_FRAME_TO_CHILD_MAX, &kind, &in))
        _exit(0);
    if (!chy_get_reply(&in, reply)) *reply = (struct chy_reply){.hr = CHY_E_OUTOFMEMORY};
}

/* g NULL: about no request. */
static struct chy_reply ask(struct host *h, struct guest *g, const struct chy_question *q)
{
    struct chy_reply reply;
    if (!g) g = current;
    pthread_mutex_t *lock = g ? &g->lock : &h->side_lock;
    pthread_mutex_lock(lock);
    converse(g ? &g->lane : &h->side, q, &reply);
    pthread_mutex_unlock(lock);
    return reply;
}

static chy_hresult ask_value(struct guest *g, enum chy_ask what, const char *name, chy_long type,
                             chy_variant *out)
{
    struct chy_reply r =
        ask(g->host, g, &(struct chy_question){.ask = what, .name = name, .type = type});
    *out = r.value;
    return r.hr;
}

static chy_hresult text_of(struct chy_reply *r, chy_str *out)
{
    if (r->hr != CHY_S_OK) return r->hr;
    if (r->value.vt != CHY_VT_STR) {
        chy_variant_clear(&r->value);
        return CHY_E_UNEXPECTED;
    }
    *out = r->value.u.s;
    return CHY_S_OK;
}

static chy_hresult ask_text(struct guest *g, enum chy_ask what, const char *name, uint32_t index,
                            chy_str *out)
{
    struct chy_reply r =
        ask(g->host, g, &(struct chy_question){.ask = what, .name = name, .index = index});
    return text_of(&r, out);
}

/* What was done here, to be done there. */
static chy_hresult note(struct guest *g, chy_hresult hr, const struct chy_question *q)
{
    if (hr != CHY_S_OK) return hr;
    chy_put_question(&g->set, q);
    g->n_set++;
    return g->set.failed ? CHY_E_OUTOFMEMORY : CHY_S_OK;
}

static chy_hresult get_request_property(void *request, enum chy_asker asker, const char *name,
                                        chy_long type, chy_variant *out)
{
    struct guest *g = request;
    if (g->local && chy_packed_has(name))
        return chy_ca_engine_ops.get_request_property(g->local, asker, name, type, out);
    return ask_value(g, CHY_ASK_REQUEST_PROPERTY, name, type, out);
}

static chy_hresult get_request_attribute(void *request, const char *name, chy_str *out)
{
    struct guest *g = request;
    if (g->local) return chy_ca_engine_ops.get_request_attribute(g->local, name, out);
    return ask_text(g, CHY_ASK_REQUEST_ATTRIBUTE, name, 0, out);
}

static chy_hresult get_certificate_property(void *request, enum chy_asker asker, const char *name,
                                            chy_long type, chy_variant *out)
{
    struct guest *g = request;
    if (g->local)
        return chy_ca_engine_ops.get_certificate_property(g->local, asker, name, type, out);
    return ask_value(g, CHY_ASK_CERTIFICATE_PROPERTY, name, type, out);
}

static chy_hresult set_certificate_property(void *request, const char *name, chy_long type,
                                            const chy_variant *value)
{
    struct guest *g = request;
    struct chy_question q = {
        .ask = CHY_ASK_SET_PROPERTY, .name = name, .type = type, .value = *value};
    if (!g->local) return ask(g->host, g, &q).hr;
    return note(g, chy_ca_engine_ops.set_certificate_property(g->local, name, type, value), &q);
}

static chy_hresult get_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_variant *out, chy_long *flags)
{
    struct guest *g = request;
    if (g->local)
        return chy_ca_engine_ops.get_certificate_extension(g->local, oid, type, out, flags);
    struct chy_reply r = ask(
        g->host, g, &(struct chy_question){.ask = CHY_ASK_EXTENSION, .name = oid, .type = type});
    *out = r.value;
    if (r.hr == CHY_S_OK) *flags = r.flags;
    return r.hr;
}

static chy_hresult set_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value)
{
    struct guest *g = request;
    struct chy_question q = {
        .ask = CHY_ASK_SET_EXTENSION, .name = oid, .type = type, .flags = flags, .value = *value};
    if (!g->local) return ask(g->host, g, &q).hr;
    return note(g, chy_ca_engine_ops.set_certificate_extension(g->local, oid, type, flags, value),
                &q);
}

static chy_hresult extension_at(void *request, size_t index, chy_str *oid)
{
    struct guest *g = request;
    if (g->local) return chy_ca_engine_ops.extension_at(g->local, index, oid);
    return ask_text(g, CHY_ASK_EXTENSION_AT, NULL, (uint32_t)index, oid);
}

static chy_hresult attribute_at(void *request, size_t index, chy_str *name)
{
    struct guest *g = request;
    if (g->local) return chy_ca_engine_ops.attribute_at(g->local, index, name);
    return ask_text(g, CHY_ASK_ATTRIBUTE_AT, NULL, (uint32_t)index, name);
}

static chy_hresult set_message(void *request, const char *text)
{
    struct guest *g = request;
    struct chy_question q = {.ask = CHY_ASK_SET_MESSAGE, .name = text};
    if (!g->local) return ask(g->host, g, &q).hr;
    return note(g, chy_ca_engine_ops.set_message(g->local, text), &q);
}

/* ---- of the CA ---- */

static chy_hresult get_ca_property(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out)
{
    struct host *h = ca;
    struct guest *g = request;
    (void)location;
    if (h->start.packed && !chy_props_ca_known(name)) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    chy_hresult hr =
        g && g->local ? chy_packed_ca_property(g->local, name, type, out) : CHY_S_FALSE;
    if (hr != CHY_S_FALSE) return hr;
    struct chy_reply r =
        ask(h, g,
            &(struct chy_question){
                .ask = CHY_ASK_CA_PROPERTY, .of_request = g != NULL, .name = name, .type = type});
    *out = r.value;
    return r.hr;
}

/* ---- settings: kept for as long as the daemon says that they are the same ---- */

void host_settings_are_of(struct host *h, uint32_t generation)
{
    pthread_mutex_lock(&h->kept_lock);
    if (h->generation != generation) {
        for (size_t i = 0; i < h->n_kept; i++) {
            chy_free(h->kept[i].name);
            chy_variant_clear(&h->kept[i].value);
        }
        h->n_kept = 0;
        h->generation = generation;
    }
    pthread_mutex_unlock(&h->kept_lock);
}

static bool copy_value(const chy_variant *v, chy_variant *out)
{
    if (v->vt == CHY_VT_STR) return chy_variant_set_str(out, v->u.s.p, v->u.s.n) == CHY_S_OK;
    *out = *v;
    return v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL;
}

static bool recall(struct host *h, const char *name, chy_variant *out)
{
    bool found = false;
    pthread_mutex_lock(&h->kept_lock);
    for (size_t i = 0; i < h->n_kept && !found; i++) {
        if (strcmp(h->kept[i].name, name) == 0) found = copy_value(&h->kept[i].value, out);
    }
    pthread_mutex_unlock(&h->kept_lock);
    return found;
}

static void keep(struct host *h, uint32_t generation, const char *name, const chy_variant *v)
{
    chy_variant copy = {.vt = CHY_VT_EMPTY};
    pthread_mutex_lock(&h->kept_lock);
    if (!h->kept) h->kept = chy_calloc(MAX_KEPT, sizeof(*h->kept));
    if (h->kept && h->n_kept < MAX_KEPT && h->generation == generation && copy_value(v, &copy)) {
        char *own = chy_strdup(name);
        if (own) h->kept[h->n_kept++] = (struct kept_setting){own, copy};
        if (!own) chy_variant_clear(&copy);
    }
    pthread_mutex_unlock(&h->kept_lock);
}

static chy_hresult get_setting(void *ca, const char *location, const char *name, chy_variant *out)
{
    struct host *h = ca;
    (void)location;
    /* Outside of a call nothing has said lately that they are the same. */
    bool may_keep = h->start.packed && current;
    if (may_keep && recall(h, name, out)) return CHY_S_OK;
    pthread_mutex_lock(&h->kept_lock);
    uint32_t generation = h->generation;
    pthread_mutex_unlock(&h->kept_lock);
    struct chy_reply r = ask(h, NULL, &(struct chy_question){.ask = CHY_ASK_SETTING, .name = name});
    if (may_keep && r.hr == CHY_S_OK) keep(h, generation, name, &r.value);
    *out = r.value;
    return r.hr;
}

static chy_hresult next_setting(void *ca, const char *location, const char *after, chy_str *out)
{
    struct host *h = ca;
    (void)location;
    struct chy_reply r =
        ask(h, NULL, &(struct chy_question){.ask = CHY_ASK_NEXT_SETTING, .name = after});
    return text_of(&r, out);
}

/* A line of the log: the daemon reads our standard error. One write, so that lines stay whole. */
static void say(void *ca, const char *module, chy_long severity, const char *text)
{
    char line[1100] = {1, (char)('0' + severity)};
    size_t n = strnlen(text, sizeof(line) - 3);
    (void)ca, (void)module;
    for (size_t i = 0; i < n; i++)
        line[2 + i] = text[i] == '\n' ? ' ' : text[i];
    line[2 + n] = '\n';
    ssize_t written = write(STDERR_FILENO, line, n + 3);
    (void)written;
}

const struct chy_engine_ops host_ops = {.get_request_property = get_request_property,
                                        .get_request_attribute = get_request_attribute,
                                        .get_certificate_property = get_certificate_property,
                                        .set_certificate_property = set_certificate_property,
                                        .get_certificate_extension = get_certificate_extension,
                                        .set_certificate_extension = set_certificate_extension,
                                        .extension_at = extension_at,
                                        .attribute_at = attribute_at,
                                        .get_ca_property = get_ca_property,
                                        .get_setting = get_setting,
                                        .next_setting = next_setting,
                                        .set_message = set_message,
                                        .log = say};
