/* SPDX-License-Identifier: Apache-2.0 */
/* The epoch page: who changed, told to every process by one shared file.
 *
 * A writer commits to the store, then increments the subject's slot, then
 * reports success. A reader takes the slot's value first, then reads the
 * store, and tags the cached fact with that earlier value. */
#ifndef AA_EPOCH_H
#define AA_EPOCH_H

#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_epoch_t aa_epoch_t;

/**
 * Map STATEDIR/epoch, shared by all processes.
 * @param create 1: make the file (0600) when it is missing; it is never
 *               replaced
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_STORE when the file is missing,
 *         too short or of another version
 */
AA_CHECKED apr_status_t aa_epoch_open(aa_epoch_t **epoch, const char *file,
                                      int create, aa_error_t *err,
                                      apr_pool_t *p);

/** The slot of a subject, by hash of realm and name. */
apr_uint32_t aa_epoch_slot(const aa_epoch_t *epoch, const char *realm,
                           const char *name);
/** One atomic load (acquire). */
apr_uint64_t aa_epoch_get(const aa_epoch_t *epoch, apr_uint32_t slot);
/** One atomic increment (release); call after the commit. */
void aa_epoch_bump(aa_epoch_t *epoch, apr_uint32_t slot);

#endif
