/* SPDX-License-Identifier: Apache-2.0 */
/* Everything of OpenSSL that is not JOSE: digests, MAC, random, text forms. */
#ifndef AA_CRYPTO_H
#define AA_CRYPTO_H

#include "apr_pools.h"
#include "model/error.h"

#define AA_SHA256_LEN 32

/** Fetch the algorithms once a process; call before any other function. */
apr_status_t aa_crypto_init(void);

/** Fill @a out with bytes of the CSPRNG. */
AA_CHECKED apr_status_t aa_crypto_random(void *out, apr_size_t len);

/** SHA-256 of the concatenation of @a a and @a b (@a b may be empty). */
AA_CHECKED apr_status_t aa_crypto_sha256(unsigned char out[AA_SHA256_LEN],
                                         const void *a, apr_size_t alen,
                                         const void *b, apr_size_t blen);

/** HMAC-SHA-256. */
AA_CHECKED apr_status_t aa_crypto_hmac(unsigned char out[AA_SHA256_LEN],
                                       const void *key, apr_size_t keylen,
                                       const void *data, apr_size_t len);

/** Compare secrets of the same length in constant time; 1 when equal. */
AA_CHECKED int aa_crypto_same(const void *a, const void *b, apr_size_t len);

/** Overwrite a secret so that the compiler cannot drop it. */
void aa_crypto_wipe(void *secret, apr_size_t len);

/** base64url without padding (RFC 4648 s5). */
const char *aa_base64url_encode(const void *data, apr_size_t len,
                                apr_pool_t *p);

/**
 * Strict base64url: alphabet [A-Za-z0-9_-], no padding, no trailing bits.
 * @return APR_SUCCESS with NUL-terminated bytes in @a p; APR_EINVAL
 */
AA_CHECKED apr_status_t aa_base64url_decode(unsigned char **out,
                                            apr_size_t *outlen,
                                            const char *text, apr_size_t len,
                                            apr_pool_t *p);

/** Lower-case hexadecimal. */
const char *aa_hex(const void *data, apr_size_t len, apr_pool_t *p);

/** @a len characters of 0-9A-Za-z, each uniformly random. */
AA_CHECKED apr_status_t aa_base62_random(char *out, apr_size_t len);

/** @a value as exactly six base62 characters, big-endian, left-padded. */
void aa_base62_crc(char out[6], apr_uint32_t value);

/** CRC-32 (IEEE 802.3). */
apr_uint32_t aa_crc32(const void *data, apr_size_t len);

#endif
