/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a changed member back into a JSON text; all other bytes stay. */
#ifndef AA_SPLICE_H
#define AA_SPLICE_H

#include <jansson.h>
#include "apr_errno.h"
#include "apr_pools.h"

/** Bytes of a text, borrowed. */
typedef struct aa_span_t {
    const char *text;
    apr_size_t len;
} aa_span_t;

/**
 * Give a member of a JSON object a new value.
 *
 * Inside the member too only what differs is written anew, compactly: numbers
 * keep their spelling, strings their escapes, members their order. A null in
 * the text that @a is does not have is kept, since a policy reads null as
 * absent. New members are appended. Time is linear in the text, times the
 * depth of the deepest change.
 *
 * @param out   the new text in @a p; all of @a text when nothing differs
 * @param text  one JSON object that a strict parser has accepted, or empty,
 *              which counts as {}
 * @param path  "metadata" or "config.tags"; objects that are missing on the
 *              way are made
 * @param was   what the text holds at @a path; NULL: nothing
 * @param is    what it shall hold; NULL: the member is cut out
 * @return APR_SUCCESS; APR_EINVAL when the text is no object; APR_ENOMEM
 */
apr_status_t aa_splice_member(aa_span_t *out, aa_span_t text, const char *path,
                              const json_t *was, const json_t *is,
                              apr_pool_t *p);

/** 1 when a policy sees no difference: null counts as absent, and numbers are
 *  compared by value. */
int aa_splice_same(const json_t *was, const json_t *is);

/**
 * The elements of a JSON array that a strict parser has accepted, without the
 * white space around them.
 * @param spans room for @a n elements
 * @return how many there are; -1 when the text is no array or has more
 */
int aa_splice_elements(aa_span_t *spans, int n, aa_span_t text);

/** Compact JSON of any value; reals in their shortest form. Empty when out of
 *  memory. */
aa_span_t aa_splice_dump(const json_t *value, apr_pool_t *p);

#endif
