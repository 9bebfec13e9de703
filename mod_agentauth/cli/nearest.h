/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest spelling of a word, for messages about unknown ones. */
#ifndef AA_NEAREST_H
#define AA_NEAREST_H

/** The word of @a words (NULL-terminated) that is fewest letters away from
 *  @a word, at most one and a third of its length; NULL when none is. */
const char *aa_nearest(const char *word, const char *const *words);

#endif
