/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's own authenticate handler as a kind of credential. */
#ifndef AA_AUTHN_POLICY_H
#define AA_AUTHN_POLICY_H

#include "agentpolicy.h"
#include "authn/authn.h"

/** The code that says why a policy denied. */
aa_code_e aa_policy_code(aa_policy_cause_e cause);

/**
 * Bind a policy's authenticate handler to one request; all in @a p.
 * @param match the request's row; its route may be NULL
 */
aa_authn_policy_t *aa_authn_policy_bind(aa_policy_t *policy,
                                        const aa_routes_t *routes,
                                        const aa_route_match_t *match,
                                        apr_pool_t *p);

/** Headers of the HTTPException that refused; NULL: none. */
const apr_table_t *aa_authn_policy_headers(const aa_authn_policy_t *bound);

#endif
