/* The queue between threads: intrusive, closed once. */
#include <time.h>

#include "base/sys.h"

void chy_queue_init(struct chy_queue *q)
{
    pthread_condattr_t monotonic;
    *q = (struct chy_queue){.tail = &q->head, .urgent = &q->head, .wanted = 1};
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void chy_queue_fini(struct chy_queue *q)
{
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->wake);
}

static void wake_takers(void *arg)
{
    struct chy_queue *q = arg;
    if (chy_queue_len(q) > 1)
        pthread_cond_broadcast(&q->wake);
    else
        pthread_cond_signal(&q->wake);
}

static bool insert(struct chy_queue *q, struct chy_node *node, bool is_urgent)
{
    pthread_mutex_lock(&q->lock);
    bool open = !q->closed;
    if (open) {
        struct chy_node **link = is_urgent ? q->urgent : q->tail;
        node->next = *link;
        *link = node;
        if (is_urgent) q->urgent = &node->next;
        if (q->tail == link) q->tail = &node->next;
        q->n++;
    }
    bool wake = open && q->waiting && q->n >= q->wanted;
    pthread_mutex_unlock(&q->lock);
    if (wake && !(is_urgent && chy_wake_later(wake_takers, q))) pthread_cond_signal(&q->wake);
    return open;
}

bool chy_queue_push(struct chy_queue *q, struct chy_node *node)
{
    return insert(q, node, false);
}

bool chy_queue_push_urgent(struct chy_queue *q, struct chy_node *node)
{
    return insert(q, node, true);
}

static void wait_for_more(struct chy_queue *q)
{
    q->waiting++;
    while (!q->head && !q->closed)
        pthread_cond_wait(&q->wake, &q->lock);
    q->waiting--;
}

void chy_queue_gather(struct chy_queue *q, size_t n, unsigned us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)us * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&q->lock);
    q->wanted = n;
    q->waiting++;
    while (q->n < q->wanted && !q->closed &&
           pthread_cond_timedwait(&q->wake, &q->lock, &until) == 0) {
    }
    q->waiting--;
    q->wanted = 1;
    pthread_mutex_unlock(&q->lock);
}

void chy_queue_no_more_soon(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool wake = q->waiting && q->wanted > 1;
    q->wanted = 1;
    pthread_mutex_unlock(&q->lock);
    if (wake) pthread_cond_signal(&q->wake);
}

void chy_queue_wait(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    wait_for_more(q);
    pthread_mutex_unlock(&q->lock);
}

struct chy_node *chy_queue_pop(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    wait_for_more(q);
    struct chy_node *node = q->head;
    if (node) {
        q->head = node->next;
        if (q->tail == &node->next) q->tail = &q->head;
        if (q->urgent == &node->next) q->urgent = &q->head;
        q->n--;
    }
    pthread_mutex_unlock(&q->lock);
    return node;
}

struct chy_node *chy_queue_take_all(struct chy_queue *q, bool wait)
{
    pthread_mutex_lock(&q->lock);
    if (wait) wait_for_more(q);
    struct chy_node *list = q->head;
    q->head = NULL;
    q->tail = q->urgent = &q->head;
    q->n = 0;
    pthread_mutex_unlock(&q->lock);
    return list;
}

void chy_queue_close(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_mutex_unlock(&q->lock);
    pthread_cond_broadcast(&q->wake);
}

size_t chy_queue_len(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}
