/* SPDX-License-Identifier: Apache-2.0 */
/* Inside account/: the text of an API key.
 *
 * prefix, 10 characters of id, 32 of secret, 6 of CRC-32 over all before
 * them; base62 throughout. The checksum tells a mistyped key from a wrong one
 * before anything is looked up, and lets scanners find leaked keys. */
#ifndef AA_KEY_TEXT_H
#define AA_KEY_TEXT_H

#include "apr_pools.h"
#include "model/error.h"

#define AA_KEY_ID_LEN 10
#define AA_KEY_SECRET_LEN 32
#define AA_KEY_CRC_LEN 6

typedef struct aa_key_text_t {
    char id[AA_KEY_ID_LEN + 1];
    const char *secret; /* AA_KEY_SECRET_LEN bytes within the text */
} aa_key_text_t;

/** 1 to AA_KEY_PREFIX_MAX letters, digits, '-', '_' and '.'. */
AA_CHECKED int aa_key_prefix_ok(const char *prefix);

/** A new id and secret below @a prefix. */
AA_CHECKED apr_status_t aa_key_text_make(const char **text,
                                         aa_key_text_t *parts,
                                         const char *prefix, apr_pool_t *p);

/** @return APR_SUCCESS; APR_EINVAL unless it is a whole key with one of
 *          @a prefixes whose checksum fits */
AA_CHECKED apr_status_t aa_key_text_read(aa_key_text_t *parts, const char *text,
                                         const char *const *prefixes);

#endif
