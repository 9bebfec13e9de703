/* SPDX-License-Identifier: Apache-2.0 */
/* Our own signing keys, kept in STATEDIR/secrets and rotated at start. */
#ifndef AA_SIGNING_H
#define AA_SIGNING_H

#include "apr_pools.h"
#include "apr_time.h"
#include "base/jose.h"
#include "model/error.h"

typedef struct aa_signing_t aa_signing_t;

/**
 * Read all keys of @a dir (signing-<epoch seconds>-<random>.pem, 0600; one
 * that others may read or that is broken is an error), make one when there is
 * none or the newest is older than @a rotate, remove those that stopped signing
 * more than @a keep ago. Called by the parent.
 */
AA_CHECKED apr_status_t aa_signing_open(aa_signing_t **signing, const char *dir,
                                        apr_interval_time_t rotate,
                                        apr_interval_time_t keep,
                                        apr_time_t now, aa_error_t *err,
                                        apr_pool_t *p);

/** The key that signs now; never NULL. */
const aa_signer_t *aa_signing_current(const aa_signing_t *signing);

/** The public set, newest first, as JSON text (RFC 7517 s5). */
const char *aa_signing_jwks(const aa_signing_t *signing);

#endif
