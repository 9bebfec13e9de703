/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the word that somebody meant. */
#ifndef AA_WORD_H
#define AA_WORD_H

#include "apr_pools.h"

#define AA_WORD_MAX 64 /* bytes of a word that has a nearest one */

/** The word of the NULL-terminated @a words that is nearest to @a word, at
 *  most a third of it away; NULL: none is near. */
const char *aa_word_nearest(const char *word, const char *const *words);

/** "; did you mean 'x'?", or "" when no word is near. */
const char *aa_word_hint(const char *word, const char *const *words,
                         apr_pool_t *p);

/** Index of @a word in @a words, or -1. */
int aa_word_index(const char *word, const char *const *words);

#endif
