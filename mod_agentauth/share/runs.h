/* SPDX-License-Identifier: Apache-2.0 */
/* Runs without a thread: which identity started which, for all processes.
 *
 * Only what is known counts: a run that was evicted, is from before a restart,
 * or of somebody else is "not known", and all three look the same. */
#ifndef AA_RUNS_H
#define AA_RUNS_H

#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_runs_t aa_runs_t;

/**
 * Make the memory, in the parent and before the fork; it begins empty.
 * @return APR_SUCCESS; else memory or random bytes are short: do not start
 */
AA_CHECKED apr_status_t aa_runs_open(aa_runs_t **runs, apr_pool_t *p);

/**
 * Keep that @a who started @a run; call before the client learns the id. Beyond
 * AA_RUNS_PER_IDENTITY the oldest of the same identity goes.
 * @param who SHA-256 of realm and identity
 * @param run SHA-256 of the backend's name and the run's id
 */
void aa_runs_remember(aa_runs_t *runs, const unsigned char who[32],
                      const unsigned char run[32]);

/** 1 when @a who is known to have started @a run; else 0 (answer 404). */
AA_CHECKED int aa_runs_know(const aa_runs_t *runs, const unsigned char who[32],
                            const unsigned char run[32]);

#endif
