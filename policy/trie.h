/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libagentpolicy: finds the row of a method and path, segment by
 * segment. Built once, then read by any number of threads. */
#ifndef AA_TRIE_H
#define AA_TRIE_H

#include "route.h"

#define AA_TRIE_METHODS_MAX 16 /* methods of one path */

typedef struct aa_trie_t aa_trie_t;

aa_trie_t *aa_trie_create(apr_pool_t *p);

/** Put a compiled row at its place.
 *  @param old the row that was there and has been replaced, or NULL
 *  @return APR_SUCCESS; APR_ENOSPC: too many methods on this path */
apr_status_t aa_trie_put(const aa_route_t **old, aa_trie_t *trie,
                         const aa_route_t *route);

/**
 * A literal segment wins over {name}, which wins over {name...}; where the
 * better one has no row for the method, the next is tried, as the servers do.
 * @param steps nodes visited and keys compared are added to it; may be NULL
 * @return APR_SUCCESS, APR_ENOENT
 */
apr_status_t aa_trie_find(aa_route_match_t *match, const aa_trie_t *trie,
                          const char *method, const char *path, int *steps,
                          apr_pool_t *p);

#endif
