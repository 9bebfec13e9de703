/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON in, compact ASCII JSON out (jansson behind it). */
#ifndef AA_JSON_H
#define AA_JSON_H

#include <jansson.h>
#include "apr_pools.h"
#include "model/error.h"

/**
 * Parse one JSON text of exactly @a len bytes: no duplicate members, no NUL,
 * valid UTF-8, at most @a depth levels, nothing after it. The nesting is
 * counted before jansson sees a byte.
 *
 * @param value on success owned by @a p (released when it is cleared); a
 *              caller that keeps it longer takes a reference
 * @param why   on failure what is wrong and where, without foreign bytes
 * @return APR_SUCCESS, APR_EINVAL
 */
AA_CHECKED apr_status_t aa_json_parse(json_t **value, const char **why,
                                      const char *text, apr_size_t len,
                                      int depth, apr_pool_t *p);

/**
 * The same for what others keep: all that JSON allows is read. A number beyond
 * every type becomes the largest real, an integer beyond 64 bits a real, NUL
 * and half of a surrogate pair become U+FFFD. None of them equals anything
 * that aa_json_parse would have read in its place, but for such a real.
 * To be looked at, not to be passed on: the text itself has it all.
 */
AA_CHECKED apr_status_t aa_json_read(json_t **value, const char **why,
                                     const char *text, apr_size_t len,
                                     int depth, apr_pool_t *p);

/** Compact, ASCII-escaped text in @a p; NULL when out of memory. */
const char *aa_json_dump(const json_t *value, apr_pool_t *p);

/** Release @a value when @a p is cleared; returns it. NULL stays NULL. */
json_t *aa_json_own(json_t *value, apr_pool_t *p);

/** The member at a path "a.b.c" of objects; a member whose name holds the
 *  whole dotted path wins. NULL when there is none. Borrowed. */
json_t *aa_json_at(const json_t *object, const char *path);

#endif
