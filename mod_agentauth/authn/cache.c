/* SPDX-License-Identifier: Apache-2.0 */
/* Known credentials: sharded hash tables of a fixed size, with second chance.
 *
 * All memory of the tables is there from the start: a hit takes one lock of
 * 64, walks a short chain and counts a reference. */
#include <pthread.h>
#include <string.h>

#include "authn/cache.h"
#include "model/limits.h"

#define SHARDS_MAX 64
#define SHARD_ENTRIES_MIN 16 /* below it fewer shards: they fill unevenly */
/* A principal's own pool begins with one block of the allocator: nothing
 * costs less, whatever it says of itself. */
#define PRINCIPAL_COST 8192
#define NONE UINT32_MAX

typedef struct entry_t {
    unsigned char key[AA_SHA256_LEN];
    aa_principal_t *principal; /* NULL: free */
    apr_size_t cost;
    apr_time_t stale;
    apr_uint32_t next; /* in its chain, or in the free list */
    int used;          /* since the hand came by */
} entry_t;

typedef struct shard_t {
    pthread_mutex_t lock;
    entry_t *entries;
    apr_uint32_t *heads; /* of chains, NONE: empty */
    apr_uint32_t free;   /* head of the free list */
    apr_uint32_t hand;   /* of the clock */
    apr_size_t count, bytes;
} __attribute__((aligned(64))) shard_t; /* locks on lines of their own */

struct aa_authn_cache_t {
    const aa_epoch_t *epoch;
    shard_t *shards;
    apr_uint32_t nshards;  /* a power of two */
    apr_uint32_t capacity; /* entries of one shard */
    apr_uint32_t mask;     /* of its chains */
    apr_size_t bytes_max;  /* of one shard */
};

static apr_status_t destroy(void *data)
{
    aa_authn_cache_t *cache = data;

    for (apr_uint32_t i = 0; i < cache->nshards; i++) {
        shard_t *shard = &cache->shards[i];

        for (apr_uint32_t at = 0; at < cache->capacity; at++)
            aa_principal_unref(shard->entries[at].principal);
        pthread_mutex_destroy(&shard->lock);
    }
    return APR_SUCCESS;
}

static void shard_init(shard_t *shard, const aa_authn_cache_t *cache,
                       apr_pool_t *p)
{
    pthread_mutex_init(&shard->lock, NULL);
    shard->entries = apr_pcalloc(p, cache->capacity * sizeof(entry_t));
    shard->heads = apr_palloc(p, (cache->mask + 1) * sizeof(apr_uint32_t));
    memset(shard->heads, 0xff, (cache->mask + 1) * sizeof(apr_uint32_t));
    for (apr_uint32_t i = 0; i < cache->capacity; i++)
        shard->entries[i].next = i + 1 < cache->capacity ? i + 1 : NONE;
}

apr_status_t aa_authn_cache_create(aa_authn_cache_t **pcache,
                                   const aa_epoch_t *epoch,
                                   apr_size_t max_entries, apr_size_t max_bytes,
                                   apr_pool_t *p)
{
    aa_authn_cache_t *cache = apr_pcalloc(p, sizeof(*cache));
    char *raw;

    *pcache = NULL;
    if (!max_entries || max_entries > NONE / 2)
        return APR_EINVAL;
    cache->epoch = epoch;
    cache->nshards = SHARDS_MAX;
    while (cache->nshards > 1 &&
           max_entries / cache->nshards < SHARD_ENTRIES_MIN)
        cache->nshards /= 2;
    cache->capacity = (apr_uint32_t)(max_entries / cache->nshards);
    cache->mask = 1;
    while (cache->mask < cache->capacity)
        cache->mask *= 2;
    cache->mask -= 1;
    cache->bytes_max = max_bytes / cache->nshards;
    raw = apr_pcalloc(p, (cache->nshards + 1) * sizeof(shard_t));
    cache->shards = (shard_t *)APR_ALIGN((apr_uintptr_t)raw, 64);
    for (apr_uint32_t i = 0; i < cache->nshards; i++)
        shard_init(&cache->shards[i], cache, p);
    apr_pool_cleanup_register(p, cache, destroy, apr_pool_cleanup_null);
    *pcache = cache;
    return APR_SUCCESS;
}

/* The key is a digest: any of its bytes are as good as a hash. */
static apr_uint32_t word(const unsigned char *key, int at)
{
    apr_uint32_t value;

    memcpy(&value, key + at, sizeof(value));
    return value;
}

static shard_t *shard_of(aa_authn_cache_t *cache, const unsigned char *key)
{
    return &cache->shards[word(key, 0) & (cache->nshards - 1)];
}

static apr_uint32_t *head_of(const aa_authn_cache_t *cache, shard_t *shard,
                             const unsigned char *key)
{
    return &shard->heads[word(key, 4) & cache->mask];
}

/* The link that points to the entry, or the NONE at the chain's end. */
static apr_uint32_t *link_find(const aa_authn_cache_t *cache, shard_t *shard,
                               const unsigned char *key)
{
    apr_uint32_t *link = head_of(cache, shard, key);

    while (*link != NONE &&
           memcmp(shard->entries[*link].key, key, AA_SHA256_LEN))
        link = &shard->entries[*link].next;
    return link;
}

/* Take the entry out; its reference is the caller's now. */
static aa_principal_t *entry_remove(shard_t *shard, apr_uint32_t *link)
{
    apr_uint32_t at = *link;
    entry_t *entry = &shard->entries[at];
    aa_principal_t *principal = entry->principal;

    *link = entry->next;
    entry->principal = NULL;
    entry->next = shard->free;
    shard->free = at;
    shard->count--;
    shard->bytes -= entry->cost;
    return principal;
}

/* The upper bound on stale also holds when the clock was set back. */
static int believable(const aa_authn_cache_t *cache, const entry_t *entry,
                      apr_time_t now)
{
    const aa_principal_t *principal = entry->principal;

    return now < entry->stale && entry->stale - now <= AA_CACHE_TTL_MAX &&
           (!principal->expires || now < principal->expires) &&
           (!principal->has_epoch ||
            aa_epoch_get(cache->epoch, principal->epoch_slot) ==
                principal->epoch);
}

aa_principal_t *aa_authn_cache_get(aa_authn_cache_t *cache,
                                   const unsigned char key[AA_SHA256_LEN],
                                   apr_time_t now)
{
    shard_t *shard = shard_of(cache, key);
    aa_principal_t *found = NULL, *old = NULL;
    apr_uint32_t *link;

    pthread_mutex_lock(&shard->lock);
    link = link_find(cache, shard, key);
    if (*link != NONE) {
        entry_t *entry = &shard->entries[*link];

        if (believable(cache, entry, now)) {
            entry->used = 1;
            found = entry->principal;
            aa_principal_ref(found);
        }
        else {
            old = entry_remove(shard, link);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    aa_principal_unref(old); /* may free much: not under the lock */
    return found;
}

/* Second chance: who was used since the hand came by is passed once. Ends
 * after two rounds, since a round clears every mark. */
static void evict(const aa_authn_cache_t *cache, shard_t *shard, apr_time_t now)
{
    for (;;) {
        entry_t *entry = &shard->entries[shard->hand];

        shard->hand = (shard->hand + 1) % cache->capacity;
        if (!entry->principal)
            continue;
        if (entry->used && believable(cache, entry, now)) {
            entry->used = 0;
            continue;
        }
        aa_principal_unref(
            entry_remove(shard, link_find(cache, shard, entry->key)));
        return;
    }
}

static void entry_add(const aa_authn_cache_t *cache, shard_t *shard,
                      const unsigned char *key, aa_principal_t *principal,
                      apr_size_t cost, apr_time_t stale)
{
    apr_uint32_t at = shard->free, *head = head_of(cache, shard, key);
    entry_t *entry = &shard->entries[at];

    shard->free = entry->next;
    memcpy(entry->key, key, AA_SHA256_LEN);
    entry->principal = principal;
    entry->cost = cost;
    entry->stale = stale;
    entry->used = 0;
    entry->next = *head;
    *head = at;
    shard->count++;
    shard->bytes += cost;
}

void aa_authn_cache_put(aa_authn_cache_t *cache,
                        const unsigned char key[AA_SHA256_LEN],
                        aa_principal_t *principal, apr_time_t now)
{
    apr_size_t cost =
        principal->bytes > PRINCIPAL_COST ? principal->bytes : PRINCIPAL_COST;
    apr_time_t stale = now + AA_CACHE_TTL_MAX;
    shard_t *shard = shard_of(cache, key);
    aa_principal_t *old = NULL;
    apr_uint32_t *link;

    if (principal->stale && principal->stale < stale)
        stale = principal->stale;
    if (stale <= now || cost > cache->bytes_max ||
        (principal->has_epoch && !cache->epoch))
        return;
    aa_principal_ref(principal);
    pthread_mutex_lock(&shard->lock);
    link = link_find(cache, shard, key);
    if (*link != NONE)
        old = entry_remove(shard, link);
    while (shard->free == NONE || shard->bytes + cost > cache->bytes_max)
        evict(cache, shard, now);
    entry_add(cache, shard, key, principal, cost, stale);
    pthread_mutex_unlock(&shard->lock);
    aa_principal_unref(old);
}

apr_size_t aa_authn_cache_count(aa_authn_cache_t *cache)
{
    apr_size_t count = 0;

    for (apr_uint32_t i = 0; i < cache->nshards; i++) {
        shard_t *shard = &cache->shards[i];

        pthread_mutex_lock(&shard->lock);
        count += shard->count;
        pthread_mutex_unlock(&shard->lock);
    }
    return count;
}
