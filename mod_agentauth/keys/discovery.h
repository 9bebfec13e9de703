/* SPDX-License-Identifier: Apache-2.0 */
/* One flight to an issuer for its keys, by discovery where it must be. */
#ifndef AA_DISCOVERY_H
#define AA_DISCOVERY_H

#include "base/http.h"
#include "base/jose.h"

/** Where the OpenID Connect document of @a issuer is (Discovery s4). */
const char *aa_discovery_url(const char *issuer, apr_pool_t *p);

/**
 * Fetch the set at @a url, or, when that is NULL, at the jwks_uri of the
 * issuer's discovery document (OpenID Connect, then RFC 8414), whose issuer
 * must be @a issuer to the byte.
 * @param set     one reference
 * @param answer  the set's text as it came, in @a p
 * @param why     on failure a line for the log
 * @param timeout of all requests together
 */
AA_CHECKED apr_status_t aa_keys_fetch(aa_jwks_t **set,
                                      aa_http_answer_t **answer,
                                      const char **why, const char *issuer,
                                      const char *url,
                                      apr_interval_time_t timeout,
                                      apr_pool_t *p);

#endif
