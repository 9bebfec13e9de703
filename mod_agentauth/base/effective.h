/* SPDX-License-Identifier: Apache-2.0 */
/* effective.json: what httpd runs with, written for the command line. */
#ifndef AA_EFFECTIVE_H
#define AA_EFFECTIVE_H

#include <sys/types.h>
#include "apr_pools.h"
#include "model/error.h"

typedef struct aa_effective_realm_t {
    const char *name;
    const char *const *key_prefixes; /* NULL-terminated; first issues */
} aa_effective_realm_t;

typedef struct aa_effective_t {
    const char *store_url;
    uid_t uid; /* User of httpd */
    gid_t gid;
    const aa_effective_realm_t *realms;
    int nrealms;
} aa_effective_t;

/** Replace the file in one step. */
AA_CHECKED apr_status_t aa_effective_write(const char *file,
                                           const aa_effective_t *effective,
                                           aa_error_t *err, apr_pool_t *p);

/** @return APR_SUCCESS; APR_ENOENT: httpd was never started with this state;
 *          AA_EREFUSED with AA_E_STATE_DIR when it cannot be read */
AA_CHECKED apr_status_t aa_effective_read(aa_effective_t *effective,
                                          const char *file, aa_error_t *err,
                                          apr_pool_t *p);

#endif
