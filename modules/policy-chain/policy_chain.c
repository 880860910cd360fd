#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "chain.h"
#include "kit/policy.h"
#include "kit/text.h"

enum { NEVER_WRITTEN = 0x7ead0000 };

static chy_hresult open_chain(const chy_host *host, void **own)
{
    struct chain *c = calloc(1, sizeof *c);
    if (!c) return CHY_E_OUTOFMEMORY;
    c->host = *host;
    pthread_mutex_init(&c->lock, NULL);
    *own = c;
    return CHY_S_OK;
}

static void close_chain(void *own)
{
    struct chain *c = own;
    chain_stop(c);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* All are refreshed, also behind one that keeps its settings of before. */
static chy_hresult refresh(struct chain *c, const char *config)
{
    const struct manage_call call = {.verb = MANAGE_CONFIGURE,
                                     .config = config,
                                     .storage = "PolicyModules/policy-chain",
                                     .name = "",
                                     .flags = CHY_CMM_REFRESHONLY};
    chy_hresult first = CHY_S_OK;
    for (size_t i = 0; i < c->n; i++) {
        chy_hresult hr = member_manage(c->member[i], &call);
        if (!CHY_FAILED(hr)) continue;
        say(c, CHY_LOG_WARNING, "member %s took no new settings (0x%08x): those of before hold",
            c->member[i]->name, (unsigned)hr);
        if (!CHY_FAILED(first)) first = hr;
    }
    return first;
}

static chy_hresult load(const chy_host *host, void *own, const char *config, void **settings)
{
    struct chain *c = own;
    (void)host;
    *settings = NULL; /* they are the members' */
    return c->up ? refresh(c, config) : chain_start(c, config);
}

static void unload(void *settings)
{
    (void)settings;
}

/* The reader is told who decided, also where a member has no words of its own. */
static void tell(struct running *r, struct member *m, const char *text)
{
    if (message_has(m->chain, r, m->index))
        message_tell(m->chain, r, m->index);
    else
        (void)message_add(m, r->context, text);
}

static chy_hresult failed(struct running *r, struct member *m, chy_hresult hr, const char *why)
{
    char text[WHY_SIZE + 60];
    snprintf(text, sizeof text, "VerifyRequest failed with 0x%08x%s%s", (unsigned)hr,
             why[0] ? ": " : "", why);
    tell(r, m, text);
    say(m->chain, CHY_LOG_ERROR, "member %s: %s", m->name, text);
    return hr;
}

static chy_long garbage(struct member *m, chy_long context, chy_hresult hr, chy_long answer)
{
    char text[120];
    if (answer == NEVER_WRITTEN)
        snprintf(text, sizeof text, "it returned 0x%08x without a disposition", (unsigned)hr);
    else
        snprintf(text, sizeof text, "it returned 0x%08x with disposition %d, which means nothing",
                 (unsigned)hr, (int)answer);
    (void)message_add(m, context, text);
    say(m->chain, CHY_LOG_ERROR, "member %s: %s", m->name, text);
    return CHY_E_UNEXPECTED;
}

static bool out_of_time(const struct chain *c)
{
    chy_long ms = INT32_MAX;
    (void)c->host.vt->time_left(c->host.self, &ms);
    return ms <= 0;
}

/* *disposition goes from one member to the next: "issue" until one says "pend"; what denies ends
 * it. True: go on. */
static bool ask(struct kit_policy_call *call, struct running *r, struct member *m,
                chy_long *disposition, chy_hresult *hr)
{
    struct why why = {""};
    chy_long answer = NEVER_WRITTEN;
    *hr = out_of_time(m->chain) ? CHY_ERROR_TIMEOUT
                                : member_verify(m, call->config, call->context, call->is_new,
                                                call->flags, &answer, &why);
    if (CHY_FAILED(*hr)) {
        *disposition = CHY_VR_INSTANT_BAD;
        failed(r, m, *hr, why.text);
        return false;
    }
    const chy_hresult said = *hr;
    bool clear = said == CHY_S_OK;
    *hr = CHY_S_OK;
    if (clear && answer == CHY_VR_INSTANT_OK) return true;
    if (clear && answer == CHY_VR_PENDING) {
        *disposition = CHY_VR_PENDING;
        return true;
    }
    if (clear && (answer == CHY_VR_INSTANT_BAD || answer < 0)) {
        *disposition = answer;
        tell(r, m, "denied");
    } else {
        *disposition = garbage(m, call->context, said, answer);
    }
    return false;
}

static chy_hresult verify(struct kit_policy_call *call, chy_long *disposition)
{
    struct chain *c = call->own;
    struct running r;
    chy_hresult hr = CHY_S_OK;
    bool go_on = c->n > 0;
    chy_long answer = go_on ? CHY_VR_INSTANT_OK : CHY_VR_INSTANT_BAD;
    message_begin(c, &r, call->context);
    for (size_t i = 0; i < c->n && go_on; i++)
        go_on = ask(call, &r, c->member[i], &answer, &hr);
    message_end(c, &r);
    *disposition = answer;
    return hr;
}

static chy_hresult shut_down(void *own)
{
    struct chain *c = own;
    chy_hresult first = CHY_S_OK;
    for (size_t i = c->n; i-- > 0;) {
        chy_hresult hr = member_shut_down(c->member[i]);
        if (CHY_FAILED(hr) && !CHY_FAILED(first)) first = hr;
    }
    return first;
}

static chy_hresult members_text(const struct chain *c, chy_variant *out)
{
    struct kit_text t = {0};
    for (size_t i = 0; i < c->n; i++)
        kit_addf(&t, "%s%s %s", i ? ", " : "", c->member[i]->name,
                 c->member[i]->library->info->version);
    const char *text = kit_text_cstr(&t);
    chy_hresult hr = text ? chy_variant_give_text(&c->host, text, out) : CHY_E_OUTOFMEMORY;
    kit_text_free(&t);
    return hr;
}

/* "NAME/Property" is the property of the member of that name. */
static struct member *member_of(const struct chain *c, const char **name)
{
    const char *slash = strchr(*name, '/');
    size_t n = slash ? (size_t)(slash - *name) : 0;
    for (size_t i = 0; n && i < c->n; i++) {
        if (strlen(c->member[i]->name) != n || strncasecmp(c->member[i]->name, *name, n) != 0)
            continue;
        *name = slash + 1;
        return c->member[i];
    }
    return NULL;
}

static chy_hresult get_property(void *own, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out)
{
    struct chain *c = own;
    if (!strcasecmp(name, "Members")) return members_text(c, out);
    struct member *m = member_of(c, &name);
    const struct manage_call call = {MANAGE_GET, config, storage, name, NULL, out, flags};
    return m ? member_manage(m, &call) : CHY_S_FALSE;
}

static chy_hresult set_property(void *own, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value)
{
    struct member *m = member_of(own, &name);
    const struct manage_call call = {MANAGE_SET, config, storage, name, value, NULL, flags};
    return m ? member_manage(m, &call) : CHY_S_FALSE;
}

static const struct kit_class cls = {
    .name = "policy-chain",
    .class_name = "PolicyChain.Policy",
    .manage_name = "PolicyChain.PolicyManage",
    .title = "Chancery policy chain",
    .summary = "Several policy modules in order",
    .description = "Chancery policy chain: several policy modules in order",
    .bare = true,
    .open = open_chain,
    .close = close_chain,
    .load = load,
    .unload = unload,
    .verify = verify,
    .shut_down = shut_down,
    .get_property = get_property,
    .set_property = set_property,
};

KIT_POLICY_MODULE(cls, "policy-chain", "PolicyChain.Policy");
