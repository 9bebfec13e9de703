/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the word that was probably meant. */
#include <ctype.h>
#include <string.h>

#include "apr_strings.h"
#include "base/spelling.h"

#define SPELLING_MAX 96

static int least(int a, int b, int c)
{
    int m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance, one row at a time. */
static int distance(const char *a, const char *b)
{
    int row[SPELLING_MAX + 1];
    int la = (int)strlen(a), lb = (int)strlen(b);

    for (int j = 0; j <= lb; j++)
        row[j] = j;
    for (int i = 1; i <= la; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            int above = row[j];
            int differs = tolower((unsigned char)a[i - 1]) !=
                          tolower((unsigned char)b[j - 1]);

            row[j] = least(above + 1, row[j - 1] + 1, diagonal + differs);
            diagonal = above;
        }
    }
    return row[lb];
}

void aa_spelling_offer(aa_spelling_t *spelling, const char *candidate)
{
    size_t len = strlen(spelling->word);
    int d, far;

    if (len > SPELLING_MAX || strlen(candidate) > SPELLING_MAX)
        return;
    /* Two slips in a short word, a third of a long one. */
    far = len < 6 ? 2 : (int)len / 3;
    d = distance(spelling->word, candidate);
    if (d > far || (spelling->best && d >= spelling->distance))
        return;
    spelling->best = candidate;
    spelling->distance = d;
}

const char *aa_spelling_hint(const aa_spelling_t *spelling, apr_pool_t *p)
{
    if (!spelling->best)
        return "";
    return apr_psprintf(p, "; did you mean '%s'?", spelling->best);
}

const char *aa_spelling_nearest(const char *word, const char *const *words)
{
    aa_spelling_t spelling = {word, NULL, 0};

    for (; *words; words++)
        aa_spelling_offer(&spelling, *words);
    return spelling.best;
}
