/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that the parent makes: its children share it, or begin it anew. */
#ifndef AA_SEGMENT_H
#define AA_SEGMENT_H

#include "apr_pools.h"

/**
 * Anonymous, zeroed, shared with every process forked after this.
 * @return NULL: there is no such memory; gone from this process with @a p
 */
void *aa_segment_make(apr_size_t size, apr_pool_t *p);

/**
 * Anonymous, not shared: zeroed again in every process forked after this.
 * @return NULL: this kernel has no such memory
 */
void *aa_segment_own(apr_size_t size, apr_pool_t *p);

/** The same bytes as an open file has; the file must be that long. */
void *aa_segment_map(int fd, apr_size_t size, apr_pool_t *p);

#endif
