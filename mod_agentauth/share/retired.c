/* SPDX-License-Identifier: Apache-2.0 */
/* Deleted ids in keyed sets; the oldest goes of whoever has the most. */
#include <string.h>

#include "base/crypto.h"
#include "model/limits.h"
#include "share/atomic.h"
#include "share/retired.h"

#define SETS (AA_RETIRED_MAX / AA_RETIRED_SET)

/* Every word is atomic. `tick` is written first: whoever changed it has the
 * place. Halves of different entries match no third one. */
typedef struct entry_t {
    apr_uint64_t tick; /* 0: free */
    apr_uint64_t id[2], who[2];
} entry_t;

/* Another layout has another word here. */
#define FORMAT                                                                 \
    (0x4147410100000000ULL | (apr_uint64_t)AA_RETIRED_MAX << 8 | AA_RETIRED_SET)

struct aa_retired_t {
    apr_uint64_t format;
    apr_uint64_t secret; /* so that nobody aims at a set */
    apr_uint64_t tick;
    entry_t sets[SETS][AA_RETIRED_SET];
};

const apr_size_t aa_retired_size = sizeof(aa_retired_t);

apr_status_t aa_retired_begin(aa_retired_t *retired)
{
    apr_uint64_t secret;
    apr_status_t rv = aa_crypto_random(&secret, sizeof(secret));

    if (rv != APR_SUCCESS || aa_atomic_load(&retired->format) == FORMAT)
        return rv;
    memset(retired, 0, sizeof(*retired));
    aa_atomic_store(&retired->secret, secret);
    aa_atomic_store(&retired->format, FORMAT);
    return APR_SUCCESS;
}

/* How an id is written, and where: its set comes out in @a *set. */
static apr_status_t mark(entry_t *own, apr_uint64_t *set,
                         const aa_retired_t *retired,
                         const unsigned char id[32],
                         const unsigned char who[32])
{
    apr_uint64_t mac[AA_SHA256_LEN / 8],
        secret = aa_atomic_load(&retired->secret);
    apr_status_t rv = aa_crypto_hmac((unsigned char *)mac, &secret,
                                     sizeof(secret), id, AA_SHA256_LEN);

    memcpy(own->id, mac, sizeof(own->id));
    memcpy(own->who, who, sizeof(own->who));
    *set = mac[2] % SETS;
    return rv;
}

static int same(const apr_uint64_t shared[2], const apr_uint64_t own[2])
{
    return aa_atomic_load(&shared[0]) == own[0] &&
           aa_atomic_load(&shared[1]) == own[1];
}

static const entry_t *find(const entry_t *set, const entry_t *own)
{
    for (int i = 0; i < AA_RETIRED_SET; i++)
        if (aa_atomic_load(&set[i].tick) && same(set[i].id, own->id))
            return &set[i];
    return NULL;
}

/* How many of the set are of the same owner as this one. */
static int crowd_of(const entry_t *set, const entry_t *one)
{
    apr_uint64_t who[2] = {aa_atomic_load(&one->who[0]),
                           aa_atomic_load(&one->who[1])};
    int n = 0;

    for (int i = 0; i < AA_RETIRED_SET; i++)
        n += same(set[i].who, who);
    return n;
}

static entry_t *free_place(entry_t *set)
{
    for (int i = 0; i < AA_RETIRED_SET; i++)
        if (!aa_atomic_load(&set[i].tick))
            return &set[i];
    return NULL;
}

static entry_t *oldest_of_most(entry_t *set)
{
    entry_t *oldest = &set[0];
    int most = 0;

    for (int i = 0; i < AA_RETIRED_SET; i++) {
        int n = crowd_of(set, &set[i]);

        if (n < most || (n == most && aa_atomic_load(&set[i].tick) >
                                          aa_atomic_load(&oldest->tick)))
            continue;
        oldest = &set[i];
        most = n;
    }
    return oldest;
}

static entry_t *place_for(entry_t *set, const entry_t *own)
{
    entry_t *place = (entry_t *)find(set, own);

    if (!place)
        place = free_place(set);
    return place ? place : oldest_of_most(set);
}

/* Half of an id is none, so nobody finds an id beside another's owner. */
static void write_down(entry_t *place, const entry_t *own)
{
    aa_atomic_store(&place->id[0], 0);
    aa_atomic_store(&place->who[0], own->who[0]);
    aa_atomic_store(&place->who[1], own->who[1]);
    aa_atomic_store(&place->id[1], own->id[1]);
    aa_atomic_store(&place->id[0], own->id[0]);
}

/* After a power cut the counter may be older than what it counted. */
static apr_uint64_t tick_after(aa_retired_t *retired, apr_uint64_t was)
{
    apr_uint64_t tick = __atomic_add_fetch(&retired->tick, 1, __ATOMIC_SEQ_CST);

    if (tick > was)
        return tick;
    aa_atomic_store(&retired->tick, was + 1);
    return was + 1;
}

apr_status_t aa_retired_add(aa_retired_t *retired, const unsigned char id[32],
                            const unsigned char who[32])
{
    entry_t own, *place;
    apr_uint64_t set, was;
    apr_status_t rv = mark(&own, &set, retired, id, who);

    if (rv != APR_SUCCESS)
        return rv;
    do {
        place = place_for(retired->sets[set], &own);
        was = aa_atomic_load(&place->tick);
        own.tick = tick_after(retired, was);
    } while (!aa_atomic_change(&place->tick, was, own.tick));
    write_down(place, &own);
    return APR_SUCCESS;
}

int aa_retired_bars(const aa_retired_t *retired, const unsigned char id[32],
                    const unsigned char who[32])
{
    entry_t own;
    apr_uint64_t set;
    const entry_t *entry;

    if (mark(&own, &set, retired, id, who) != APR_SUCCESS)
        return 1;
    entry = find(retired->sets[set], &own);
    return entry && !same(entry->who, own.who);
}
