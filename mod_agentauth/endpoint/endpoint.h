/* SPDX-License-Identifier: Apache-2.0 */
/* Our own endpoints: one file for each family, one row in the list. */
#ifndef AA_ENDPOINT_H
#define AA_ENDPOINT_H

#include "keys/signing.h"
#include "model/reply.h"
#include "model/request.h"

/** What endpoints work on. */
typedef struct aa_endpoint_conf_t {
    const aa_signing_t *signing; /* NULL: no key */
} aa_endpoint_conf_t;

/** GET /.well-known/agentauth/jwks.json: public halves of our signing keys
 *  (RFC 7517 s5). */
void aa_endpoint_jwks(aa_reply_t *reply, const aa_endpoint_conf_t *conf,
                      const aa_request_t *request);

#endif
