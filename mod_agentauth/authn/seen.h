/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection proved last, so that its next request costs no digest.
 *
 * Only which key of the cache a credential has is remembered, never what it
 * proves: cache, expiry, epoch and the place's kinds are asked each time. */
#ifndef AA_SEEN_H
#define AA_SEEN_H

#include "authn/authn.h"

/**
 * The memory of one connection, empty. Used by one thread at a time: requests
 * that run side by side, as HTTP/2 streams do, have none.
 * @param p the connection's; with it the credential is wiped
 */
aa_seen_t *aa_seen_create(apr_pool_t *p);

/**
 * Is it the credential that was kept, of the same virtual host? Compared in
 * constant time; the length is no secret.
 * @param seen may be NULL
 * @return 1 with credential->method and ->digest filled from memory; 0
 */
AA_CHECKED int aa_seen_find(aa_credential_t *credential, const aa_seen_t *seen,
                            const aa_authn_conf_t *conf);

/** Keep a proved credential, whose digest is filled, in place of the former.
 *  One of more than AA_SEEN_MAX bytes is not kept. */
void aa_seen_keep(aa_seen_t *seen, const aa_credential_t *credential,
                  const aa_authn_conf_t *conf);

/** Wipe it: what it was does not count any more. */
void aa_seen_forget(aa_seen_t *seen);

#endif
