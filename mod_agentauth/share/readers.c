/* SPDX-License-Identifier: Apache-2.0 */
/* Seats: who sits says so first and looks for writers then; writers say so
 * first and look for seats then. So one of two sees the other, always. */
#include "model/limits.h"
#include "share/atomic.h"
#include "share/readers.h"

#define TRIES 4 /* a seat is near, or the queue is as good */

/* Every word is atomic. A seat is `owner` first and last: between the two of
 * them only its owner writes `at`, and what is killed there leaves an owner
 * that is dead, not a place that is taken. */
struct aa_readers_t {
    apr_uint64_t at[AA_OBJECT_SEATS]; /* plus 1; 0: nobody, or not yet */
    apr_uint64_t owner[AA_OBJECT_SEATS];
    /* Of objects with the same remainder. A writer that was killed counts for
     * ever: that only sends their readers to the queue. */
    apr_uint64_t writers[AA_OBJECT_WRITERS];
};

const apr_size_t aa_readers_size = sizeof(aa_readers_t);

static apr_uint64_t *writers_of(aa_readers_t *readers, apr_uint64_t at)
{
    return &readers->writers[at / 4 % AA_OBJECT_WRITERS];
}

/* Golden ratio: neighbours in memory are none in the table. */
static int free_seat(aa_readers_t *readers, apr_uint64_t owner,
                     apr_uint64_t hint)
{
    apr_uint64_t first = ((owner ^ hint) * 0x9E3779B97F4A7C15ULL) >> 32;

    for (int i = 0; i < TRIES; i++) {
        int seat = (int)((first + (apr_uint64_t)i) % AA_OBJECT_SEATS);

        if (aa_atomic_load(&readers->owner[seat]) == 0 &&
            aa_atomic_change(&readers->owner[seat], 0, owner))
            return seat;
    }
    return -1;
}

int aa_readers_enter(aa_readers_t *readers, apr_uint64_t owner, apr_uint64_t at,
                     apr_uint64_t hint)
{
    const apr_uint64_t *writers = writers_of(readers, at);
    int seat = aa_atomic_load(writers) ? -1 : free_seat(readers, owner, hint);

    if (seat < 0)
        return -1;
    aa_atomic_store(&readers->at[seat], at + 1);
    if (aa_atomic_load(writers) == 0)
        return seat;
    aa_readers_leave(readers, seat);
    return -1;
}

void aa_readers_leave(aa_readers_t *readers, int seat)
{
    aa_atomic_store(&readers->at[seat], 0);
    aa_atomic_store(&readers->owner[seat], 0);
}

void aa_readers_announce(aa_readers_t *readers, apr_uint64_t at)
{
    __atomic_add_fetch(writers_of(readers, at), 1, __ATOMIC_SEQ_CST);
}

void aa_readers_admit(aa_readers_t *readers, apr_uint64_t at)
{
    __atomic_sub_fetch(writers_of(readers, at), 1, __ATOMIC_SEQ_CST);
}

/* An owner of 0 has left since `at` was read; the next look is sure of it. */
int aa_readers_inside(const aa_readers_t *readers, apr_uint64_t at,
                      aa_owner_lives_fn *lives, void *data)
{
    for (int i = 0; i < AA_OBJECT_SEATS; i++) {
        apr_uint64_t owner;

        if (aa_atomic_load(&readers->at[i]) != at + 1)
            continue;
        owner = aa_atomic_load(&readers->owner[i]);
        if (owner == 0 || lives(data, owner))
            return 1;
    }
    return 0;
}

/* Two that sweep at once do not take one seat both, nor from a third that sat
 * down between: the token is nobody else's, and that of a dead one is dead. */
void aa_readers_sweep(aa_readers_t *readers, apr_uint64_t token,
                      aa_owner_lives_fn *lives, void *data)
{
    for (int i = 0; i < AA_OBJECT_SEATS; i++) {
        apr_uint64_t owner = aa_atomic_load(&readers->owner[i]);

        if (owner && !lives(data, owner) &&
            aa_atomic_change(&readers->owner[i], owner, token))
            aa_readers_leave(readers, i);
    }
}
