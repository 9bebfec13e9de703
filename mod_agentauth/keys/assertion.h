/* SPDX-License-Identifier: Apache-2.0 */
/* The signed assertion that carries user and decisions to the backend. */
#ifndef AA_ASSERTION_H
#define AA_ASSERTION_H

#include <jansson.h>
#include "apr_pools.h"
#include "apr_time.h"
#include "keys/signing.h"
#include "model/error.h"

/** What one assertion says; all borrowed. */
typedef struct aa_assertion_t {
    const char *iss, *aud, *sub;
    const char *decision_id;   /* jti */
    const json_t *permissions; /* array: perm */
    const json_t *user;        /* object: usr */
    const json_t *decisions;   /* array of {res, act, kind, flt, set}: dec */
    const char *method, *path; /* htm, htp: as sent to the backend */
    const char *query;         /* raw, hashed into htq; NULL: as "" */
    const char *body;          /* as sent, hashed into bdy; NULL: no bdy */
    apr_size_t body_len;
    const char *policy; /* pol: first 16 hex of its SHA-256; or NULL */
    apr_time_t now;
} aa_assertion_t;

#define AA_ASSERTION_TYP "agentauth+jwt"
#define AA_ASSERTION_LIFE 30 /* seconds */

/**
 * Claims: iss aud iat exp jti sub perm usr dec htm htp htq, and bdy and pol
 * where there is a body or a policy. iat and exp are whole seconds. htq and
 * bdy are the SHA-256 in base64url without padding (43 characters); htq is
 * there without a query too, as that of the empty string.
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_HEADER_SIZE above
 *         AA_ASSERTION_MAX or AA_E_ASSERTION when signing fails
 */
AA_CHECKED apr_status_t aa_assertion_make(const char **compact,
                                          const aa_assertion_t *assertion,
                                          const aa_signer_t *signer,
                                          aa_error_t *err, apr_pool_t *p);

#endif
