/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the word that somebody meant: edit distance with swapped neighbours. */
#include <string.h>

#include "apr_strings.h"

#include "word.h"

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Insertions, deletions, replacements and swaps of neighbours from a to b. */
static int distance(const char *a, size_t na, const char *b, size_t nb)
{
    int row[AA_WORD_MAX + 1][AA_WORD_MAX + 1];
    size_t i, j;

    for (i = 0; i <= na; i++)
        row[i][0] = (int)i;
    for (j = 0; j <= nb; j++)
        row[0][j] = (int)j;
    for (i = 1; i <= na; i++) {
        for (j = 1; j <= nb; j++) {
            row[i][j] = least(row[i - 1][j] + 1, row[i][j - 1] + 1,
                              row[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1, row[i][j]);
        }
    }
    return row[na][nb];
}

const char *aa_word_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    size_t len = strlen(word), other;
    int best = (int)(len + 2) / 3 + 1, far;

    if (len > AA_WORD_MAX)
        return NULL;
    for (; *words; words++) {
        other = strlen(*words);
        if (other > AA_WORD_MAX)
            continue;
        far = distance(word, len, *words, other);
        if (far < best) {
            best = far;
            nearest = *words;
        }
    }
    return nearest;
}

const char *aa_word_hint(const char *word, const char *const *words,
                         apr_pool_t *p)
{
    const char *nearest = aa_word_nearest(word, words);

    return nearest ? apr_pstrcat(p, "; did you mean '", nearest, "'?", NULL)
                   : "";
}

int aa_word_index(const char *word, const char *const *words)
{
    int i;

    for (i = 0; words[i]; i++)
        if (!strcmp(word, words[i]))
            return i;
    return -1;
}
