/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …?" for the words of directives and commands. */
#ifndef AA_SPELLING_H
#define AA_SPELLING_H

#include "apr_pools.h"

/** Keeps the best of the words offered; start with word set, best NULL. */
typedef struct aa_spelling_t {
    const char *word; /* what was written */
    const char *best; /* nearest so far; NULL: nothing is near */
    int distance;     /* of best */
} aa_spelling_t;

/** Compare in any case; a word too far off is never taken. */
void aa_spelling_offer(aa_spelling_t *spelling, const char *candidate);

/** "; did you mean 'best'?" or "". */
const char *aa_spelling_hint(const aa_spelling_t *spelling, apr_pool_t *p);

/** The nearest of a NULL-terminated list; NULL: nothing is near. */
const char *aa_spelling_nearest(const char *word, const char *const *words);

#endif
