/* Request ids: rising, given at intake, never reused. A block is reserved durably before its first
 * id is given out, so a crash costs a gap at most. */
#include "ca/ca_internal.h"

chy_hresult chy_ids_take(struct chy_ca *ca, int32_t *id, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    pthread_mutex_lock(&ca->id_lock);
    if (ca->next_id == ca->id_ceiling) {
        int32_t first = 0;
        hr = ca->store->ops->reserve_ids(ca->store, CHY_CA_IDS_PER_BLOCK, &first, err);
        if (hr == CHY_S_OK) {
            ca->next_id = first;
            ca->id_ceiling = first + CHY_CA_IDS_PER_BLOCK;
        }
    }
    if (hr == CHY_S_OK) *id = ca->next_id++;
    pthread_mutex_unlock(&ca->id_lock);
    return hr;
}

bool chy_ids_lock(struct chy_ca *ca, int32_t id)
{
    bool ok = true;
    pthread_mutex_lock(&ca->lock);
    for (size_t i = 0; i < ca->n_busy && ok; i++)
        ok = ca->busy_id[i] != id;
    if (ok && ca->n_busy == ca->busy_cap) {
        size_t cap = ca->busy_cap ? ca->busy_cap * 2 : 16;
        int32_t *more = chy_realloc(ca->busy_id, cap * sizeof(*more));
        if (more) {
            ca->busy_id = more;
            ca->busy_cap = cap;
        }
        ok = more != NULL;
    }
    if (ok) ca->busy_id[ca->n_busy++] = id;
    pthread_mutex_unlock(&ca->lock);
    return ok;
}

void chy_ids_unlock(struct chy_ca *ca, int32_t id)
{
    pthread_mutex_lock(&ca->lock);
    for (size_t i = 0; i < ca->n_busy; i++) {
        if (ca->busy_id[i] == id) {
            ca->busy_id[i] = ca->busy_id[--ca->n_busy];
            break;
        }
    }
    pthread_mutex_unlock(&ca->lock);
}
