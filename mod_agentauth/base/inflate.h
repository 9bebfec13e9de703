/* SPDX-License-Identifier: Apache-2.0 */
/* Undoes gzip within a bound (zlib behind it). */
#ifndef AA_INFLATE_H
#define AA_INFLATE_H

#include "apr_pools.h"
#include "model/error.h"

/**
 * Inflate one gzip member (RFC 1952) into at most @a max bytes.
 * @return APR_SUCCESS with NUL-terminated bytes in @a p; APR_ENOSPC above the
 *         bound; APR_EINVAL for anything that is not exactly one whole member
 */
AA_CHECKED apr_status_t aa_gzip_inflate(char **out, apr_size_t *outlen,
                                        const char *in, apr_size_t len,
                                        apr_size_t max, apr_pool_t *p);

#endif
