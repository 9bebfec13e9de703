/* SPDX-License-Identifier: Apache-2.0 */
/* Seats in shared memory: a shared lock without a system call.
 *
 * Whoever only uses an object takes a seat if no writer is announced for it,
 * and stands in the queue of locks.h else. A writer announces itself, holds the
 * lock of locks.h, and waits for the seats to be empty. A seat of a process
 * that was killed keeps nobody waiting: its owner is asked for. */
#ifndef AA_READERS_H
#define AA_READERS_H

#include "apr_pools.h"

typedef struct aa_readers_t
    aa_readers_t; /* in shared memory, zeroed at first */

extern const apr_size_t aa_readers_size;

/** Not 0 when the process that drew the number lives, or in doubt. */
typedef int aa_owner_lives_fn(void *data, apr_uint64_t owner);

/**
 * @param owner a random number that the process drew, never 0
 * @param hint  different for each hold, so that seats are found at once
 * @return the seat, to be left; -1: stand in the queue
 */
int aa_readers_enter(aa_readers_t *readers, apr_uint64_t owner, apr_uint64_t at,
                     apr_uint64_t hint);

void aa_readers_leave(aa_readers_t *readers, int seat);

/** From here to aa_readers_admit nobody else gets a seat at @a at. */
void aa_readers_announce(aa_readers_t *readers, apr_uint64_t at);

void aa_readers_admit(aa_readers_t *readers, apr_uint64_t at);

/** 1 when anybody who lives sits at @a at; ask after aa_readers_announce. */
int aa_readers_inside(const aa_readers_t *readers, apr_uint64_t at,
                      aa_owner_lives_fn *lives, void *data);

/**
 * Take the seats from the dead.
 * @param token a fresh random number: it marks what this one call has taken
 */
void aa_readers_sweep(aa_readers_t *readers, apr_uint64_t token,
                      aa_owner_lives_fn *lives, void *data);

#endif
