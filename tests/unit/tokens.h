/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and tokens for tests, made by OpenSSL alone: no code under test. */
#ifndef TEST_TOKENS_H
#define TEST_TOKENS_H

#include <jansson.h>
#include <openssl/evp.h>
#include "apr_pools.h"

/** Released with @a p. */
EVP_PKEY *token_key_rsa(unsigned bits, apr_pool_t *p);
EVP_PKEY *token_key_ec(const char *crv, apr_pool_t *p); /* "P-256" … */
EVP_PKEY *token_key_ed25519(apr_pool_t *p);

/** The public half as a JWK with this kid (NULL: none); released with p. */
json_t *token_jwk(EVP_PKEY *key, const char *kid, apr_pool_t *p);

/** JWK set text of these JWKs, the last one NULL. */
const char *token_jwks(apr_pool_t *p, ...);

typedef struct token_key_t {
    EVP_PKEY *key;      /* NULL: HMAC */
    const char *secret; /* NUL-terminated */
} token_key_t;

/** Compact JWS; header and claims are signed as they are, JSON or not. */
const char *token_sign(token_key_t key, const char *alg, const char *header,
                       const char *claims, apr_pool_t *p);

/** base64url of bytes, without padding. */
const char *token_base64url(const void *data, size_t len, apr_pool_t *p);

#endif
