/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms and single keys, as base/jws.c and base/jwk.c share them. */
#ifndef AA_JWK_H
#define AA_JWK_H

#include "base/jose.h"

typedef enum aa_kty_e {
    AA_KTY_RSA,
    AA_KTY_EC,
    AA_KTY_OKP,
    AA_KTY_OCT
} aa_kty_e;

/** A signature algorithm of RFC 7518 s3 or RFC 8037, constant. */
typedef struct aa_jose_alg_t {
    const char *name;
    aa_kty_e kty;
    const char *crv;          /* curve it belongs to; NULL: none */
    apr_size_t hash_len;      /* bytes; least length of an HMAC secret */
    apr_size_t signature_len; /* bytes, exactly; 0: as long as the modulus */
} aa_jose_alg_t;

/** The algorithm of this exact name; NULL: not one of ours. */
const aa_jose_alg_t *aa_jose_alg_find(const char *name);

/**
 * Verify with the keys of @a jwks that agree with the token in kid, kty, crv
 * and alg; no claim is looked at.
 * @return as aa_jwt_verify
 */
AA_CHECKED apr_status_t aa_jwks_verify(const aa_jwks_t *jwks,
                                       const aa_jws_t *jws,
                                       const aa_jose_alg_t *alg,
                                       aa_error_t *err, apr_pool_t *p);

#endif
