/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate before cjose: compact JWS and JWK sets, checked by us first.
 *
 * No byte of a token reaches cjose or OpenSSL before form, alphabet, size,
 * JSON, header members and the agreement of alg, key and use are checked. */
#ifndef AA_JOSE_H
#define AA_JOSE_H

#include <jansson.h>
#include "apr_pools.h"
#include "apr_time.h"
#include "model/error.h"

/** Immutable set of verification keys, refcounted, shared by threads. */
typedef struct aa_jwks_t aa_jwks_t;

/**
 * Parse a JWK set (RFC 7517 s5). Keys that are unusable (other kty, use=enc,
 * key_ops without verify, RSA below 2048 bit, exponent even or below 3, a
 * point off its curve, members of a wrong type, oct, a private half that is
 * published) are skipped; at most AA_JWKS_KEYS_MAX are looked at.
 * @param jwks  one reference, released with aa_jwks_unref
 * @return APR_SUCCESS, even when no key is usable; AA_EREFUSED when the text
 *         is not an object with an array "keys"
 */
AA_CHECKED apr_status_t aa_jwks_parse(aa_jwks_t **jwks, const char *text,
                                      apr_size_t len, aa_error_t *err,
                                      apr_pool_t *p);

/** A set that holds one HMAC secret, for HS256, HS384 and HS512 as far as
 *  its length reaches their hash's (RFC 7518 s3.2); a token's kid is not
 *  looked at. @return APR_SUCCESS; APR_EINVAL below 32 bytes */
AA_CHECKED apr_status_t aa_jwks_from_secret(aa_jwks_t **jwks,
                                            const void *secret, apr_size_t len);
void aa_jwks_ref(aa_jwks_t *jwks);
void aa_jwks_unref(aa_jwks_t *jwks);
/** Usable keys in the set. */
int aa_jwks_count(const aa_jwks_t *jwks);

/** A token cut into its parts; nothing is verified yet. */
typedef struct aa_jws_t {
    const char *compact;     /* borrowed, may lack a NUL */
    apr_size_t len;          /* bytes of compact */
    apr_size_t signed_len;   /* bytes of header '.' payload */
    json_t *header, *claims; /* owned by the pool */
    const char *alg, *kid;   /* of the header; kid NULL: none */
    const char *iss;         /* of the claims, UNVERIFIED, NULL: none */
    const unsigned char *signature;
    apr_size_t signature_len;
} aa_jws_t;

/**
 * Form only: three base64url parts, at most AA_JWT_MAX bytes, JSON objects
 * without duplicates or deep nesting, alg a known string, no crit, no b64.
 * jwk, jku, x5u and x5c are let pass and never looked at: keys come from the
 * configured source alone.
 * @return APR_SUCCESS; AA_EREFUSED with AA_E_TOKEN_FORM or AA_E_TOKEN_ALG
 */
AA_CHECKED apr_status_t aa_jws_parse(aa_jws_t **jws, const char *compact,
                                     apr_size_t len, aa_error_t *err,
                                     apr_pool_t *p);

/** What a caller expects of a JWT; every member that is set must match. */
typedef struct aa_jwt_expect_t {
    const char *iss;        /* exact issuer, never NULL */
    const char *const *aud; /* one of these, NULL-terminated, not empty */
    const char *const *alg; /* allowed algorithms, NULL-terminated */
    const char *const *typ_refused; /* header typ values refused, or NULL */
    const char *nonce;              /* OIDC nonce, NULL: not looked at */
    apr_time_t now;                 /* caller's clock, microseconds */
    apr_interval_time_t leeway;     /* clock skew, microseconds */
} aa_jwt_expect_t;

/**
 * Verify the signature with a key of @a jwks, then the registered claims
 * iss, aud, exp (required), nbf, iat. The header's alg only ever narrows
 * expect->alg. A token without kid is tried with keys that fit its alg, at
 * most AA_JWKS_TRIES_MAX of them.
 * @return APR_SUCCESS; APR_ENOENT when no key of the set has the kid or, for
 *         a token without one, fits the alg (refresh once, call again);
 *         AA_EREFUSED with AA_E_TOKEN_ALG, _KIND, _SIGNATURE, _ISSUER,
 *         _AUDIENCE, _TIME or _CLAIM (nonce)
 * @see RFC 7515 s5.2, RFC 7519 s7.2, RFC 8725 s3
 */
AA_CHECKED apr_status_t aa_jwt_verify(const aa_jws_t *jws,
                                      const aa_jwks_t *jwks,
                                      const aa_jwt_expect_t *expect,
                                      aa_error_t *err, apr_pool_t *p);

/** expiry of verified claims in microseconds; 0 when absent */
apr_time_t aa_jwt_expires(const aa_jws_t *jws);

/** 1 when @a alg is one we implement: RS/PS/ES/HS 256-512 and EdDSA. */
AA_CHECKED int aa_jose_alg_known(const char *alg);

/** A private EC P-256 key that signs (RFC 7518 s3.4), immutable. */
typedef struct aa_signer_t aa_signer_t;

/** Make a new key; @a pem receives its PKCS#8 text, to be kept secret. */
AA_CHECKED apr_status_t aa_signer_generate(const char **pem, apr_pool_t *p);
/** Read a key; its kid is the RFC 7638 thumbprint. Lives as long as @a p. */
AA_CHECKED apr_status_t aa_signer_load(aa_signer_t **signer, const char *pem,
                                       apr_pool_t *p);
const char *aa_signer_kid(const aa_signer_t *signer);
/** The public half as a JWK object (kty crv x y kid alg use), in @a p. */
json_t *aa_signer_public(const aa_signer_t *signer, apr_pool_t *p);
/** Compact JWS over claims text; header {"alg":"ES256","kid","typ"}. */
AA_CHECKED apr_status_t aa_signer_sign(const char **compact,
                                       const aa_signer_t *signer,
                                       const char *typ, const char *claims,
                                       apr_pool_t *p);

#endif
