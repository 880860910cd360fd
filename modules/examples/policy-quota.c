/* A policy module that is called concurrently: more than PerDay certificates a day (UTC) wait for
 * an officer. The counts start anew with the daemon; GetProperty("Issued") says today's. */
#define CHY_MODULE_FLAGS CHY_IF_CONCURRENT
#define CHY_MODULE_PROPERTY property
#include <chancery/easy.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct counts {
    chy_long per_day, today, total;
    chy_long of[4096]; /* by hash: who shares a place shares a quota */
};

static chy_hresult init(chy_task *task)
{
    return chy_setting_long(task->host, "PerDay", 10, &((struct counts *)task->state)->per_day);
}

static chy_hresult property(void *state, const char *name, char *out, size_t size)
{
    struct counts *c = state;
    if (!chy_text_same(name, "Issued")) return CHY_S_FALSE;
    pthread_mutex_lock(&lock);
    snprintf(out, size, "%d", (int)c->total);
    pthread_mutex_unlock(&lock);
    return CHY_S_OK;
}

static int take_one(struct counts *c, const char *who, chy_long day)
{
    uint32_t hash = 0;
    while (*who)
        hash = hash * 31 + (uint8_t)*who++;
    pthread_mutex_lock(&lock);
    if (day > c->today) memset(c->of, 0, sizeof c->of), c->total = 0, c->today = day;
    int taken = c->of[hash % 4096] < c->per_day;
    c->of[hash % 4096] += taken, c->total += taken;
    pthread_mutex_unlock(&lock);
    return taken;
}

static chy_long verify(chy_task *task)
{
    char who[256];
    chy_time when;
    if (!chy_may_enrol(task)) return CHY_CERTSRV_E_ENROLL_DENIED;
    if (CHY_FAILED(chy_request_text(task, "RequesterName", who, sizeof who))) return CHY_E_FAIL;
    if (CHY_FAILED(chy_request_time(task, "SubmittedWhen", &when))) return CHY_E_FAIL;
    chy_long day = (chy_long)(when / INT64_C(86400000000));
    if (task->is_new && !take_one(task->state, who, day)) return CHY_VR_PENDING;
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_CLIENT_AUTH);
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("policy-quota", "PolicyQuota.Policy", "1.0", "So many a day for each requester",
                  struct counts, init, verify);
