/* The queue between threads: intrusive, closed once. */
#include "base/sys.h"

void chy_queue_init(struct chy_queue *q)
{
    *q = (struct chy_queue){.tail = &q->head};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, NULL);
}

void chy_queue_fini(struct chy_queue *q)
{
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->wake);
}

bool chy_queue_push(struct chy_queue *q, struct chy_node *node)
{
    pthread_mutex_lock(&q->lock);
    bool open = !q->closed, wake = q->waiting > 0;
    if (open) {
        node->next = NULL;
        *q->tail = node;
        q->tail = &node->next;
        q->n++;
    }
    pthread_mutex_unlock(&q->lock);
    if (open && wake) pthread_cond_signal(&q->wake);
    return open;
}

bool chy_queue_push_front(struct chy_queue *q, struct chy_node *node)
{
    pthread_mutex_lock(&q->lock);
    bool open = !q->closed, wake = q->waiting > 0;
    if (open) {
        node->next = q->head;
        if (!q->head) q->tail = &node->next;
        q->head = node;
        q->n++;
    }
    pthread_mutex_unlock(&q->lock);
    if (open && wake) pthread_cond_signal(&q->wake);
    return open;
}

static void wait_for_more(struct chy_queue *q)
{
    q->waiting++;
    while (!q->head && !q->closed)
        pthread_cond_wait(&q->wake, &q->lock);
    q->waiting--;
}

struct chy_node *chy_queue_pop(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    wait_for_more(q);
    struct chy_node *node = q->head;
    if (node) {
        q->head = node->next;
        if (!q->head) q->tail = &q->head;
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
    q->tail = &q->head;
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
