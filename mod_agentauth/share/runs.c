/* SPDX-License-Identifier: Apache-2.0 */
/* Runs without a thread: a ring for each identity, in keyed sets of rings. */
#include <string.h>

#include "base/crypto.h"
#include "model/limits.h"
#include "share/runs.h"
#include "share/segment.h"

#define SETS (AA_RUNS_IDENTITIES / AA_RUNS_SET)

/* Every word is atomic. Two halves of different runs match no third one. */
typedef struct cell_t {
    apr_uint64_t half[2];
} cell_t;

typedef struct ring_t {
    apr_uint64_t owner; /* tag of an identity; 0: nobody's */
    apr_uint64_t used;  /* the tick of its newest run */
    apr_uint64_t next;
    cell_t cells[AA_RUNS_PER_IDENTITY];
} ring_t;

typedef struct board_t {
    apr_uint64_t tick;
    ring_t sets[SETS][AA_RUNS_SET];
} board_t;

struct aa_runs_t {
    board_t *board;
    unsigned char secret[AA_SHA256_LEN]; /* so that nobody aims at a set */
};

/* Where somebody's rings are, and how they and a run are written there. */
typedef struct mark_t {
    ring_t *set;
    apr_uint64_t tag;
    cell_t cell;
} mark_t;

apr_status_t aa_runs_open(aa_runs_t **pruns, apr_pool_t *p)
{
    aa_runs_t *runs = apr_pcalloc(p, sizeof(*runs));
    apr_status_t rv = aa_crypto_random(runs->secret, sizeof(runs->secret));

    *pruns = NULL;
    if (rv != APR_SUCCESS)
        return rv;
    runs->board = aa_segment_make(sizeof(*runs->board), p);
    if (!runs->board)
        return APR_ENOMEM;
    *pruns = runs;
    return APR_SUCCESS;
}

static apr_status_t find(mark_t *mark, const aa_runs_t *runs,
                         const unsigned char who[32],
                         const unsigned char run[32])
{
    unsigned char both[2 * AA_SHA256_LEN];
    apr_uint64_t mac[AA_SHA256_LEN / 8];
    apr_status_t rv;

    memcpy(both, who, AA_SHA256_LEN);
    memcpy(both + AA_SHA256_LEN, run, AA_SHA256_LEN);
    rv = aa_crypto_hmac((unsigned char *)mac, runs->secret,
                        sizeof(runs->secret), who, AA_SHA256_LEN);
    if (rv != APR_SUCCESS)
        return rv;
    mark->tag = mac[0] | 1; /* never 0 */
    mark->set = runs->board->sets[mac[1] % SETS];
    rv = aa_crypto_hmac((unsigned char *)mac, runs->secret,
                        sizeof(runs->secret), both, sizeof(both));
    mark->cell.half[0] = mac[0];
    mark->cell.half[1] = mac[1];
    return rv;
}

static apr_uint64_t load(const apr_uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(apr_uint64_t *word, apr_uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static ring_t *own_ring(ring_t *set, apr_uint64_t tag)
{
    for (int i = 0; i < AA_RUNS_SET; i++)
        if (load(&set[i].owner) == tag)
            return &set[i];
    return NULL;
}

static ring_t *longest_idle(ring_t *set)
{
    ring_t *idle = &set[0];

    for (int i = 1; i < AA_RUNS_SET; i++)
        if (load(&set[i].used) < load(&idle->used))
            idle = &set[i];
    return idle;
}

/* Whoever sets `used` has the ring: a second one that came with the same
 * thought looks for another. What the last owner left matches nobody. */
static ring_t *claim(ring_t *set, apr_uint64_t tag, apr_uint64_t tick)
{
    for (;;) {
        ring_t *ring = own_ring(set, tag);
        apr_uint64_t used;

        if (ring)
            return ring;
        ring = longest_idle(set);
        used = load(&ring->used);
        if (__atomic_compare_exchange_n(&ring->used, &used, tick, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            store(&ring->owner, tag);
            return ring;
        }
    }
}

void aa_runs_remember(aa_runs_t *runs, const unsigned char who[32],
                      const unsigned char run[32])
{
    mark_t mark;
    ring_t *ring;
    cell_t *cell;
    apr_uint64_t tick;

    if (find(&mark, runs, who, run) != APR_SUCCESS)
        return; /* not known, then */
    tick = __atomic_add_fetch(&runs->board->tick, 1, __ATOMIC_ACQ_REL);
    ring = claim(mark.set, mark.tag, tick);
    store(&ring->used, tick);
    cell = &ring->cells[__atomic_fetch_add(&ring->next, 1, __ATOMIC_ACQ_REL) %
                        AA_RUNS_PER_IDENTITY];
    store(&cell->half[0], mark.cell.half[0]);
    store(&cell->half[1], mark.cell.half[1]);
}

static int has(const ring_t *ring, const cell_t *cell)
{
    for (int i = 0; i < AA_RUNS_PER_IDENTITY; i++)
        if (load(&ring->cells[i].half[0]) == cell->half[0] &&
            load(&ring->cells[i].half[1]) == cell->half[1])
            return 1;
    return 0;
}

int aa_runs_know(const aa_runs_t *runs, const unsigned char who[32],
                 const unsigned char run[32])
{
    mark_t mark;

    if (find(&mark, runs, who, run) != APR_SUCCESS)
        return 0;
    for (int i = 0; i < AA_RUNS_SET; i++)
        if (load(&mark.set[i].owner) == mark.tag &&
            has(&mark.set[i], &mark.cell))
            return 1;
    return 0;
}
