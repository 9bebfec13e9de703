/* SPDX-License-Identifier: Apache-2.0 */
/* Known credentials of this process: SHA-256 -> principal, bounded, sharded.
 *
 * Facts, never decisions. An entry is used while its principal is not stale,
 * not expired and its epoch slot is unchanged. */
#ifndef AA_CACHE_H
#define AA_CACHE_H

#include "apr_pools.h"
#include "base/crypto.h"
#include "model/principal.h"
#include "share/epoch.h"

typedef struct aa_authn_cache_t aa_authn_cache_t;

/** @param epoch may be NULL: then entries with an epoch are not kept */
AA_CHECKED apr_status_t aa_authn_cache_create(aa_authn_cache_t **cache,
                                              const aa_epoch_t *epoch,
                                              apr_size_t max_entries,
                                              apr_size_t max_bytes,
                                              apr_pool_t *p);

/** A reference, or NULL when there is no fact that may be believed now. */
aa_principal_t *aa_authn_cache_get(aa_authn_cache_t *cache,
                                   const unsigned char key[AA_SHA256_LEN],
                                   apr_time_t now);

/** Takes a reference of its own; evicts when full; replaces an old entry. */
void aa_authn_cache_put(aa_authn_cache_t *cache,
                        const unsigned char key[AA_SHA256_LEN],
                        aa_principal_t *principal, apr_time_t now);

/** Entries now, for status. */
apr_size_t aa_authn_cache_count(aa_authn_cache_t *cache);

#endif
