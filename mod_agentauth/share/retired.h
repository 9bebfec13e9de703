/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of objects that were deleted, and by whom, for all processes.
 *
 * Some backends keep what streamed under an id when its object is deleted, and
 * show it to whoever opens the next object of that id. So an id stays with who
 * deleted its object. AA_RETIRED_MAX have a place, in small sets; where a set
 * is full, the oldest goes of whoever has the most in it, so that nobody who
 * deletes many pushes out those of who deletes few. */
#ifndef AA_RETIRED_H
#define AA_RETIRED_H

#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_retired_t
    aa_retired_t; /* in a mapped file, zeroed at first */

extern const apr_size_t aa_retired_size;

/** Begin anew unless it is of this layout; in the parent, before the fork. */
AA_CHECKED apr_status_t aa_retired_begin(aa_retired_t *retired);

/**
 * Call while the object's exclusive lock is held, before it is deleted.
 * @param id, who 32 bytes each, hashes
 * @return APR_SUCCESS; else do not delete
 */
AA_CHECKED apr_status_t aa_retired_add(aa_retired_t *retired,
                                       const unsigned char id[32],
                                       const unsigned char who[32]);

/** 1 when @a id belonged to somebody else, or in doubt. */
AA_CHECKED int aa_retired_bars(const aa_retired_t *retired,
                               const unsigned char id[32],
                               const unsigned char who[32]);

#endif
