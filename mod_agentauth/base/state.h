/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: where everything durable is, and whose it is. */
#ifndef AA_STATE_H
#define AA_STATE_H

#include <sys/types.h>
#include "apr_pools.h"
#include "model/error.h"

/** Absolute paths of what lies in it. */
typedef struct aa_state_t {
    const char *dir;
    const char *secrets;   /* directory: read by httpd's parent and the CLI */
    const char *pepper;    /* secrets/pepper */
    const char *jwks;      /* directory: issuers' key sets as last fetched */
    const char *epoch;     /* the epoch page */
    const char *objects;   /* objects.lock: locks and versions of objects */
    const char *effective; /* effective.json: what httpd runs with */
    const char
        *store_url; /* "sqlite:DIR/agentauth.sqlite", the default store */
} aa_state_t;

/** Fill in the paths; looks at nothing. */
void aa_state_paths(aa_state_t *state, const char *dir, apr_pool_t *p);

/**
 * Look at the directory without making anything (configtest).
 * @param owner, group whose it is; may be NULL
 * @return APR_SUCCESS; APR_ENOENT when there is none yet; AA_EREFUSED with
 *         AA_E_STATE_DIR when it is no directory or others may enter it
 */
AA_CHECKED apr_status_t aa_state_check(const aa_state_t *state, uid_t *owner,
                                       gid_t *group, aa_error_t *err,
                                       apr_pool_t *p);

/**
 * Make what is missing of the directory, secrets/ and jwks/, each 0700, for
 * this owner. Root may also hand a directory of its own over to the owner
 * (the CLI made it before the first start of httpd). A directory of anybody
 * else is refused.
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_STATE_DIR
 */
AA_CHECKED apr_status_t aa_state_create(const aa_state_t *state, uid_t owner,
                                        gid_t group, aa_error_t *err,
                                        apr_pool_t *p);

/**
 * Read a secret of exactly @a len bytes, or make it.
 * @param create 0: a missing secret is an error that says how to restore it,
 *               since a new one would make records useless for good
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_STATE_DIR
 */
AA_CHECKED apr_status_t aa_state_secret(unsigned char *secret, apr_size_t len,
                                        const char *path, int create,
                                        aa_error_t *err, apr_pool_t *p);

#endif
