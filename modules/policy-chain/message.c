/* One sentence of each member, under its name. The host keeps one text for a request: what all said
 * is given to it together. */
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "kit/text.h"

static struct running *find(const struct chain *c, chy_long context)
{
    struct running *r = c->running;
    while (r && r->context != context)
        r = r->next;
    return r;
}

static void put(const struct chain *c, const struct running *r, size_t i, struct kit_text *t)
{
    if (r->said[i]) kit_addf(t, "%s%s: %s", t->n ? "; " : "", c->member[i]->name, r->said[i]);
}

static chy_hresult tell(const struct chain *c, const struct running *r, size_t first)
{
    struct kit_text t = {0};
    put(c, r, first, &t);
    for (size_t i = 0; i < c->n; i++)
        if (i != first) put(c, r, i, &t);
    const char *text = kit_text_cstr(&t);
    chy_hresult hr =
        text ? c->host.vt->set_message(c->host.self, r->context, text) : CHY_E_OUTOFMEMORY;
    kit_text_free(&t);
    return hr;
}

chy_hresult message_add(struct member *m, chy_long context, const char *text)
{
    struct chain *c = m->chain;
    pthread_mutex_lock(&c->lock);
    struct running *r = find(c, context);
    char *copy = r ? strdup(text) : NULL;
    chy_hresult hr = !r ? CHY_E_HANDLE : !copy ? CHY_E_OUTOFMEMORY : CHY_S_OK;
    if (copy) {
        free(r->said[m->index]);
        r->said[m->index] = kit_utf8(copy); /* what one says must not cost the words of others */
        hr = tell(c, r, m->index);
    }
    pthread_mutex_unlock(&c->lock);
    return hr;
}

void message_begin(struct chain *c, struct running *r, chy_long context)
{
    *r = (struct running){.context = context};
    pthread_mutex_lock(&c->lock);
    r->next = c->running;
    c->running = r;
    pthread_mutex_unlock(&c->lock);
}

void message_tell(struct chain *c, struct running *r, size_t first)
{
    pthread_mutex_lock(&c->lock);
    (void)tell(c, r, first);
    pthread_mutex_unlock(&c->lock);
}

bool message_has(struct chain *c, const struct running *r, size_t index)
{
    pthread_mutex_lock(&c->lock);
    bool has = r->said[index] != NULL;
    pthread_mutex_unlock(&c->lock);
    return has;
}

void message_end(struct chain *c, struct running *r)
{
    pthread_mutex_lock(&c->lock);
    for (struct running **at = &c->running; *at; at = &(*at)->next) {
        if (*at != r) continue;
        *at = r->next;
        break;
    }
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        free(r->said[i]);
}
