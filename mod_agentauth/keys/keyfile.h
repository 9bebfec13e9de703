/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that hold keys: read with bounds, written whole or not at all. */
#ifndef AA_KEYFILE_H
#define AA_KEYFILE_H

#include "apr_pools.h"
#include "apr_time.h"
#include "model/error.h"

/** What tells one state of a file from another. */
typedef struct aa_keyfile_stamp_t {
    apr_time_t mtime; /* microseconds */
    apr_uint64_t size, inode;
} aa_keyfile_stamp_t;

typedef enum aa_keyfile_e {
    AA_KEYFILE_PUBLIC, /* an administrator's: symbolic links are followed */
    AA_KEYFILE_OWN,    /* made by us: no link */
    AA_KEYFILE_SECRET  /* made by us: no link, nobody else may read it */
} aa_keyfile_e;

/** The file's state now; all zero when it is not there. */
void aa_keyfile_stat(aa_keyfile_stamp_t *stamp, const char *file);

/**
 * Read a regular file of at most @a max bytes.
 * @param text  NUL-terminated
 * @param stamp may be NULL
 * @return APR_SUCCESS; APR_ENOSPC: longer; APR_EACCES: a secret that others
 *         may read; APR_EINVAL: no regular file; else what the system says
 */
AA_CHECKED apr_status_t aa_keyfile_read(const char **text, apr_size_t *len,
                                        aa_keyfile_stamp_t *stamp,
                                        const char *file, aa_keyfile_e kind,
                                        apr_size_t max, apr_pool_t *p);

/**
 * Write @a file, mode 0600: into a new one beside it, synced, then renamed.
 * @param mtime its modification time; 0: now
 */
AA_CHECKED apr_status_t aa_keyfile_write(const char *file, const char *text,
                                         apr_size_t len, apr_time_t mtime,
                                         apr_pool_t *p);

#endif
