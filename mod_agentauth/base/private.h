/* SPDX-License-Identifier: Apache-2.0 */
/* Private files: regular, 0600, of their directory's owner, never a link. */
#ifndef AA_PRIVATE_H
#define AA_PRIVATE_H

#include <sys/types.h>
#include "apr_pools.h"
#include "model/error.h"

/**
 * Open for reading and writing.
 * @param create 1: make it when it is missing; made by root it belongs to the
 *               owner of its directory
 * @param why    on failure what is wrong with it
 * @return APR_SUCCESS; APR_EINVAL when it is a link, no regular file, or open
 *         to group or others; else the system's error
 */
AA_CHECKED apr_status_t aa_private_open(int *fd, const char **why,
                                        const char *path, int create,
                                        apr_pool_t *p);

/** Read it whole, NUL-terminated. APR_ENOSPC when longer than @a max. */
AA_CHECKED apr_status_t aa_private_read(char **data, apr_size_t *len,
                                        const char **why, const char *path,
                                        apr_size_t max, apr_pool_t *p);

/**
 * Make it with this content, or fail with APR_EEXIST; on disk before the
 * return, and never there with half of its content.
 */
AA_CHECKED apr_status_t aa_private_make(const char *path, const void *data,
                                        apr_size_t len, apr_pool_t *p);

/** The same, but replaces an older one in one step. */
AA_CHECKED apr_status_t aa_private_replace(const char *path, const void *data,
                                           apr_size_t len, apr_pool_t *p);

/** The directory part of an absolute path. */
const char *aa_private_directory(const char *path, apr_pool_t *p);

#endif
